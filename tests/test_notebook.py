"""Results in notebooks: the numbers of their tables, and names of the data as text."""

from __future__ import annotations

from html.parser import HTMLParser

import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.datasets import clinics

HOSTILE = "drug<script>alert(1)</script>"


class Tags(HTMLParser):
    """Tags that are opened and closed, and the text between."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


@pytest.fixture(scope="module")
def model() -> bg.GLMM:
    data = clinics().assign(treatment=lambda d: d["treatment"].astype(str).replace("drug", HOSTILE))
    return bg.GLMM("p(favourable, n) ~ treatment + (1 | clinic)", data, "binomial")


@pytest.fixture(scope="module")
def fit(model: bg.GLMM) -> bg.Fit:
    return bg.Fit(bg.approx.laplace_posterior(model, draws=400))


@pytest.mark.parametrize("what", ["model", "priors", "fit", "checks", "estimates", "cross-check", "comparison"])
def test_html_is_closed_and_names_are_text(what: str, model: bg.GLMM, fit: bg.Fit) -> None:
    shown = {
        "model": lambda: model,
        "priors": lambda: model.priors,
        "fit": lambda: fit,
        "checks": fit.check,
        "estimates": lambda: fit.compare("treatment"),
        "cross-check": fit.cross_check,
        "comparison": lambda: bg.compare_models({HOSTILE: fit, "b": fit}),
    }[what]()
    found = Tags(shown._repr_html_())  # type: ignore[attr-defined]
    assert found.open == []
    assert found.seen <= {"p", "b", "pre", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"}
    assert what == "checks" or HOSTILE in found.text.replace("&lt;", "<")


def test_a_fit_shows_its_summary_and_verdict(fit: bg.Fit) -> None:
    text = Tags(fit._repr_html_()).text
    summary = fit.summary()
    assert f"{summary['median'].iloc[0]:.4g}" in text
    assert f"Verdict: {fit.check().verdict}." in text


def test_checks_show_what_to_do() -> None:
    short = bg.GLMM("y ~ 1", pd.DataFrame({"y": [1.0, 2.0, 4.0, 3.0]})).fit(draws=20, tune=20, seed=1, progress=False)
    checks = short.check()
    text = Tags(checks._repr_html_()).text
    assert all(sentence in text for sentence in checks.advice)
    assert "What to do" in text
