"""Every section of the report: valid HTML that loads nothing, for every kind of response and structure."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_glmm.diagnostics import check
from bayes_glmm.effects import compare
from bayes_glmm.posterior import Posterior
from bayes_glmm.report import SECTIONS, Answer, Section
from tests.diagnostics import made_up
from tests.report.page import case, check_fragment

FAMILIES = ("gaussian", "bernoulli", "binomial", "beta", "negative_binomial")


@pytest.fixture(scope="module")
def posteriors() -> dict[str, Posterior]:
    found = {family: case(family) for family in FAMILIES}
    inverse = case("gamma", link="inverse")  # no population-averaged mean exists
    return found | {
        "inverse": inverse,
        "no groups": case("bernoulli", "y ~ x + 1"),
        "nested": case("poisson", "y ~ x + (1 | h/g)", h=np.repeat(["r", "s"], 24)),
        "broken": made_up.broken("poisson"),
    }


def rendered(section: Section, posterior: Posterior) -> str:
    asked = {"answers": [Answer("What does x change?", "x", compare(posterior, "x", random_effects="zero"))]}
    taken = asked if section.anchor == "answers" else {}
    return str(section.render(posterior, *(check(posterior, group) for group in section.checks), **taken))


@pytest.mark.parametrize("kind", [*FAMILIES, "inverse", "no groups", "nested", "broken"])
@pytest.mark.parametrize("section", SECTIONS, ids=[section.anchor for section in SECTIONS])
def test_section_is_valid_and_self_contained(section: Section, kind: str, posteriors: dict[str, Posterior]) -> None:
    page = check_fragment(rendered(section, posteriors[kind]))
    assert "".join(page.text).strip()
    assert not {tag for tag, _ in page.tags} & {"h1", "h2", "section", "main"}, "headings above h3 are the template's"


def test_anchors_and_titles_are_unique() -> None:
    assert len({section.anchor for section in SECTIONS}) == len(SECTIONS)
    assert len({section.title for section in SECTIONS}) == len(SECTIONS)
    assert all(section.anchor.isidentifier() for section in SECTIONS)


def test_many_groups_are_pictured_by_fitted_value() -> None:
    text = rendered({section.anchor: section for section in SECTIONS}["predictive"], case("binomial", levels=220))
    assert "bins of rows of like fitted value" in text
