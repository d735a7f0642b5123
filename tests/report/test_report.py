"""The report as a reader gets it: whole, self-contained, safe, for posteriors of every form."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pandas as pd

from bayes_glmm.diagnostics import check
from bayes_glmm.posterior import load_posterior, posterior_at
from bayes_glmm.report import render
from bayes_glmm.report.figures import forest
from bayes_glmm.report.html import number
from tests.diagnostics import made_up
from tests.report.page import HOSTILE, case, check_page


def test_sampled_posterior_says_its_verdict() -> None:
    words = " ".join(check_page(render(made_up.good())).text)
    assert "fit to use" in words
    assert "fits" in words


def test_broken_posterior_is_not_to_be_used() -> None:
    words = " ".join(check_page(render(made_up.broken("poisson"))).text)
    assert "do not use" in words
    assert "does not fit" in words
    assert "What to do" in words


def test_checks_that_are_made_are_taken_and_others_made() -> None:
    good = made_up.good()
    page = render(good)
    assert page == render(good, checks={group: check(good, group) for group in ("convergence", "predictive")})
    assert page == render(good, checks={"convergence": check(good)})
    words = " ".join(check_page(render(good, checks={"convergence": check(made_up.broken())})).text)
    assert "do not use" in words
    assert "does not fit" not in words


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
    numbers = {"estimate": [0.5, 2.0], "lower": [0.2, 1.0], "upper": [0.9, 3.0], "estimand": "ratio"}
    table = pd.DataFrame({"row": ["a $x$", "b"], "effect": "conditional"} | numbers)
    first, second = (forest(table, "ratio") for _ in range(2))
    assert first == second
    assert before == dict(matplotlib.rcParams)


def test_numbers_are_short_and_keep_their_sign() -> None:
    shown = {0.0: "0.00", -0.5: "−0.500", 123456.7: "123,457", np.inf: "∞", np.nan: "–", 99.96: "100.0"}
    assert list(shown.values()) == [str(number(value)) for value in shown]
