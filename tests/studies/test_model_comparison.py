"""Models side by side: paired differences by hand, weights, and the average over models."""

from __future__ import annotations

import numpy as np
import pytest

import bayes_glmm as bg
from bayes_glmm.datasets import clinics
from bayes_glmm.diagnostics import loo_by_group, loo_by_row
from bayes_glmm.errors import DataError, SpecError


@pytest.fixture(scope="module")
def fits() -> dict[str, bg.Fit]:
    """Draws of the posterior by importance resampling."""
    formulas = {"without": "p(favourable, n) ~ 1 + (1 | clinic)", "with": "p(favourable, n) ~ treatment + (1 | clinic)"}
    models = {name: bg.GLMM(formula, clinics(), "binomial") for name, formula in formulas.items()}
    return {name: bg.Fit(bg.approx.laplace_posterior(model, draws=400, seed=1)) for name, model in models.items()}


@pytest.mark.parametrize("by", [None, "clinic"])
def test_differences_are_paired(fits: dict[str, bg.Fit], by: str | None) -> None:
    found = bg.compare_models(fits, by)
    loos = {n: loo_by_group(f.posterior, by) if by else loo_by_row(f.posterior) for n, f in fits.items()}
    best, other = found.table["model"]
    difference = (loos[other].pointwise["elpd"] - loos[best].pointwise["elpd"]).to_numpy()
    row = found.table.set_index("model").loc[other]
    assert row["elpd_diff"] == pytest.approx(difference.sum())
    assert row["dse"] == pytest.approx(np.sqrt(len(difference) * difference.var()))
    assert sum(found.weights.values()) == pytest.approx(1.0)
    assert found.by == by
    assert ("new levels of clinic" if by else "new rows") in str(found)


def test_the_average_is_the_mixture_by_weights(fits: dict[str, bg.Fit]) -> None:
    found = bg.compare_models(fits, "clinic")
    estimates = {name: fit.variance() for name, fit in fits.items()}
    average = found.average(estimates)
    total = sum(found.weights[name] * one.draws.mean(("chain", "draw")) for name, one in estimates.items())
    spread = np.sqrt(sum(one.draws.var(("chain", "draw")) for one in estimates.values()))
    draws = average.draws.sizes["chain"] * average.draws.sizes["draw"]
    assert (abs(average.draws.mean(("chain", "draw")) - total) < 5 * spread / np.sqrt(draws)).all()
    chosen = average.draws.to_numpy()
    either = [np.isclose(chosen, one.draws.to_numpy()).all(axis=2) for one in estimates.values()]
    assert np.logical_or(*either).all()  # all rows of a draw come from one model
    assert "Averaged over models by stacking weights" in average.description


def test_a_model_with_all_the_weight_is_its_own_average(fits: dict[str, bg.Fit]) -> None:
    found = bg.compare_models(fits)
    table = found.table.assign(weight=[1.0, 0.0])
    sure = bg.studies.ModelComparison(table, found.loos)
    estimates = {name: fit.predict(random_effects="zero", scale="link") for name, fit in fits.items()}
    with pytest.raises(SpecError, match="other rows or draws"):
        sure.average(estimates)
    own = {name: fit.variance() for name, fit in fits.items()}
    best = own[table["model"].iloc[0]]
    np.testing.assert_array_equal(sure.average(own).draws.to_numpy(), best.draws.to_numpy())


def test_what_cannot_be_compared_is_refused(fits: dict[str, bg.Fit]) -> None:
    with pytest.raises(SpecError, match="two models or more"):
        bg.compare_models({"one": fits["with"]})
    with pytest.raises(SpecError, match="Levels of 'region'"):
        bg.compare_models(fits, "region")
    fewer = bg.GLMM("p(favourable, n) ~ treatment", clinics().iloc[1:], "binomial")
    with pytest.raises(DataError, match="different rows"):
        bg.compare_models(fits | {"fewer": bg.Fit(bg.approx.laplace_posterior(fewer, draws=400))})
    with pytest.raises(SpecError, match="no estimates of the model"):
        bg.compare_models(fits).average({"with": fits["with"].variance()})
