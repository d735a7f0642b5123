"""Methods and results in words: every number is that of a table, every direction that of its sign."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.datasets import clinics, wine
from bayes_glmm.report import Answer, comparisons, describe, render
from bayes_glmm.report.comparisons import compared

CHANGE = re.compile(
    r"(?P<size>[\d.,]+)(?: percentage points)? (?P<side>higher|lower) \((?:the )?95 % interval"
    r"(?P<zero> includes 0:)? (?P<low>[\d.,]+)(?: (?P<low_side>higher|lower))? to (?P<high>[\d.,]+) "
    r"(?P<high_side>higher|lower)"
)


def trial(effect: float, family: str = "bernoulli") -> bg.Fit:
    """A fit whose treatment effect has about this size on the scale of the link."""
    rng = np.random.default_rng(8)
    g, x = np.repeat(np.arange(15), 20), np.tile([0, 1], 150)
    eta = -0.3 + effect * x + 0.5 * rng.normal(size=15)[g]
    y = (rng.uniform(size=300) < 1 / (1 + np.exp(-eta))).astype(int) if family == "bernoulli" else rng.normal(eta, 0.5)
    data = pd.DataFrame({"y": y, "arm": pd.Categorical(np.where(x == 1, "active", "control"), ["control", "active"])})
    model = bg.GLMM("y ~ arm + (1 | clinic)", data.assign(clinic=g), family)
    return bg.Fit(bg.approx.laplace_posterior(model, draws=400))


def numbers(text: str) -> list[tuple[float, float, float]]:
    """Estimates with their intervals, as read from sentences."""
    found = []
    for match in CHANGE.finditer(text):
        side, high_side = match["side"], match["high_side"]
        low_side = match["low_side"] or high_side
        value, low, high = (
            float(match[name].replace(",", "")) * (1 if where == "higher" else -1)
            for name, where in (("size", side), ("low", low_side), ("high", high_side))
        )
        found.append((value, min(low, high), max(low, high)))
    return found


@pytest.mark.parametrize("family", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("effect", [1.2, -1.2, 0.02])
def test_sentences_have_the_numbers_of_the_table(effect: float, family: str) -> None:
    fit = trial(effect, family)
    (estimates,) = compared(fit.posterior, ["arm"])
    table = estimates.table
    rows = table[table["estimand"] == "difference"]
    factor = 100.0 if family == "bernoulli" else 1.0
    expected = factor * rows[["estimate", "lower", "upper"]].to_numpy(float)
    found = numbers(fit.describe().results)
    assert len(found) == len(expected) == (2 if family == "bernoulli" else 1)
    np.testing.assert_allclose(found, expected, rtol=0.03, atol=0.06 if factor > 1 else 0.002)
    assert ("includes 0" in fit.describe().results) == bool((expected[:, 1] < 0).all() and (expected[:, 2] > 0).all())
    assert "averaged over clinic, the" in fit.describe().results


def test_a_reversed_question_has_reversed_sentences() -> None:
    fit = trial(1.2)
    asked = fit.compare("arm", contrast=["active", "control"], random_effects="integrated", estimands="difference")
    reversed_text = describe(fit.posterior, fit.check(), answers=[Answer("Why?", "arm", asked)]).results
    (found,) = numbers(reversed_text)
    assert found[0] < 0
    np.testing.assert_allclose(
        found, 100 * asked.table[["estimate", "lower", "upper"]].to_numpy(float)[0], rtol=0.03, atol=0.06
    )


def test_methods_name_the_model_and_its_checks() -> None:
    fit = bg.GLMM("p(favourable, n) ~ treatment + (1 | clinic)", clinics(), "binomial").fit(
        draws=200, seed=1, progress=False
    )
    found = fit.describe()
    checks = {check.name: check.value for check in fit.check().checks}
    assert "formula p(favourable, n) ~ treatment + (1 | clinic)" in found.methods
    assert "clinic (8 levels; Intercept)" in found.methods
    assert f"largest R-hat was {checks['rhat']:.3f}" in found.methods
    assert f"{checks['ess_bulk']:,.0f}" in found.methods
    assert "4 chains of 200 draws" in found.methods
    assert "sd_clinic[Intercept] ~ HalfStudentT(nu=3, sigma=2.5)" in found.methods
    assert any("Hoffman & Gelman" in one for one in found.references)
    assert "Methods. " in str(found)


def test_categories_have_a_clause_each() -> None:
    model = bg.GLMM("rating ~ temp + (1 | judge)", wine(), "cumulative")
    fit = bg.Fit(bg.approx.laplace_posterior(model, draws=400))
    table = fit.compare("temp", random_effects="integrated", estimands="difference").table
    found = numbers(fit.describe().results)
    np.testing.assert_allclose(found, 100 * table[["estimate", "lower", "upper"]].to_numpy(float), rtol=0.03, atol=0.06)


@pytest.mark.parametrize("ordered", [False, True])
def test_the_report_compares_each_variable_once(ordered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = bg.GLMM("rating ~ temp + contact + (1 | judge)", wine(), "cumulative")
    fit = bg.Fit(bg.approx.laplace_posterior(model, draws=200)) if ordered else trial(1.2)
    asked: list[str] = []

    def counted(posterior: bg.Posterior, variable: str, **options: Any) -> bg.effects.Estimates:
        asked.append(variable)
        return bg.effects.compare(posterior, variable, **options)

    monkeypatch.setattr(comparisons, "compare", counted)
    render(fit.posterior)
    assert sorted(asked) == (["contact", "temp"] if ordered else ["arm"])


def test_the_report_has_the_same_words() -> None:
    fit = trial(1.2)
    page = render(fit.posterior)
    section = re.search(r'<section id="paper".*?</section>', page, re.DOTALL)
    assert section is not None
    text = section[0].replace("\xa0", " ").replace("&#34;", '"').replace("&lt;", "<")
    found = fit.describe()
    assert found.results in text
    assert text.count("Copy</button>") == 3
