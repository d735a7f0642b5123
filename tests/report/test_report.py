"""The report as a reader and a browser get it: whole, self-contained, safe, for every kind of posterior."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.posterior import Posterior, load_posterior, posterior_at
from bayes_glmm.report import SECTIONS, render
from bayes_glmm.report.figures import forest
from bayes_glmm.report.html import number
from bayes_glmm.spec import ModelSpec
from tests.diagnostics import made_up

VOID = {"meta", "img", "br", "link", "hr", "input"}
HOSTILE = "<script>alert('x')</script>\" onload=\"x & $y$"


class Page(HTMLParser):
    """What a page holds, and whether its tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def check_page(text: str) -> Page:
    page = Page(text)
    assert not page.open, "tags left open"
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {section.anchor for section in SECTIONS} <= set(ids)
    targets = {attributes["href"] for attributes in page.all("a")}
    assert {f"#{section.anchor}" for section in SECTIONS} == targets
    assert all(image["alt"] for image in page.all("img"))
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in page.all("img"))
    assert not page.all("script")
    assert not page.all("link")
    assert not re.search(r"(https?:)?//[a-z]", re.sub(r"base64,[^\"]*", "", text)), "something of the network"
    assert len(text.encode()) < 5_000_000
    assert ["en"] == [attributes.get("lang") for attributes in page.all("html")]
    return page


def case(family: str, formula: str = "y ~ x + (x | g)", levels: int = 8, **columns: object) -> Posterior:
    """A small posterior of one chain, without sampler statistics."""
    rng = np.random.default_rng(1)
    rows = 6 * levels
    g = [f"g{i:03d}" for i in np.repeat(np.arange(levels), 6)]
    data = pd.DataFrame({"x": rng.normal(size=rows), "g": g, "n": 9, **columns})
    data["y"] = {
        "gaussian": rng.normal(size=rows),
        "gamma": rng.gamma(2.0, size=rows),
        "bernoulli": rng.binomial(1, 0.4, size=rows),
        "binomial": rng.binomial(9, 0.4, size=rows),
        "beta": rng.beta(2.0, 3.0, size=rows),
        "poisson": rng.poisson(3.0, size=rows),
        "negative_binomial": rng.poisson(3.0, size=rows),
    }[family]
    formula = formula.replace("y ~", "p(y, n) ~") if family == "binomial" else formula
    spec = ModelSpec.from_formula(formula, family=family, link="log" if family == "gamma" else None)
    auxiliary = {"sigma": 1.0, "phi": 2.0, "nu": 8.0}
    G = {
        term.group: np.eye(2 if "x" in term.effects else 1) * (0.2 + 0.1 * rng.random((60, 1, 1)))
        for term in spec.formula.random
    }
    size = 1 + formula.count("x +") + 2 * formula.count("f +")
    return posterior_at(
        spec,
        data,
        0.1 * rng.normal(size=(60, size)),
        G,
        {name: auxiliary[name] * (1 + 0.05 * rng.random(60)) for name in spec.family.auxiliary},
    )


@pytest.mark.parametrize("family", ["gaussian", "gamma", "bernoulli", "binomial", "beta", "negative_binomial"])
def test_every_family_has_a_whole_report(family: str) -> None:
    page = check_page(render(case(family)))
    words = " ".join(page.text)
    assert "Population-averaged" in words or "population-averaged" in words


def test_sampled_posterior_says_its_verdict() -> None:
    words = " ".join(check_page(render(made_up.good())).text)
    assert "fit to use" in words
    assert "fits" in words


def test_broken_posterior_is_not_to_be_used() -> None:
    words = " ".join(check_page(render(made_up.broken("poisson"))).text)
    assert "do not use" in words
    assert "does not fit" in words
    assert "What to do" in words


def test_labels_of_the_data_are_text_and_nothing_else() -> None:
    factor = np.tile(["a", HOSTILE, "c"], 16)
    posterior = case("bernoulli", "y ~ x + f + (1 | g)", f=factor)
    data = posterior.design.data.assign(g=[HOSTILE + str(level) for level in posterior.design.data["g"]])
    hostile = posterior_at(posterior.spec, data, posterior.beta, {"g": posterior.G("g")})
    text = render(hostile, title=f"Title {HOSTILE}")
    page = check_page(text)
    assert HOSTILE in " ".join(page.text)
    assert not [attributes for _, attributes in page.tags if "onload" in attributes]
    for image in page.all("img"):
        assert b"<script" not in base64.b64decode(image["src"].partition(",")[2])


def test_without_random_effects() -> None:
    words = " ".join(check_page(render(case("bernoulli", "y ~ x + 1"))).text)
    assert "no random effects" in words


def test_without_fixed_effects() -> None:
    check_page(render(case("gaussian", "y ~ 1 + (1 | g)")))


def test_two_grouping_factors() -> None:
    h = np.tile(["h1", "h2", "h3"], 16)
    check_page(render(case("poisson", "y ~ x + (1 | g) + (1 | h)", h=h)))


def test_one_draw() -> None:
    posterior = case("poisson")
    check_page(render(posterior_at(posterior.spec, posterior.design.data, [0.1, 0.2], {"g": np.eye(2)})))


def test_many_levels_become_a_band() -> None:
    text = render(case("gaussian", levels=200))
    check_page(text)
    assert "Line and band" in text


def test_saved_and_loaded_posterior_reads_the_same(tmp_path: Path) -> None:
    posterior = made_up.good("binomial")
    loaded = load_posterior(posterior.save(tmp_path / "run"))
    assert render(posterior) == render(loaded)


def test_file_is_written_whole_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    text = render(case("poisson"), path, title="A title")
    assert text == path.read_text(encoding="utf-8")
    assert [path] == list(path.parent.iterdir())
    assert "<h1>A title</h1>" in text


def test_figures_are_the_same_each_time_and_leave_no_state() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    series = {"conditional": np.array([[0.5, 0.2, 0.9], [2.0, 1.0, 3.0]])}
    first, second = (forest(["a $x$", "b"], series, "ratio", null=1.0, log=True) for _ in range(2))
    assert first == second
    assert before == dict(matplotlib.rcParams)


def test_numbers_are_short_and_keep_their_sign() -> None:
    shown = {0.0: "0.00", -0.5: "−0.500", 123456.7: "123,457", np.inf: "∞", np.nan: "–", 99.96: "100.0"}
    assert list(shown.values()) == [str(number(value)) for value in shown]
