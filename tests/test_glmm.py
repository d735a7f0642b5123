"""The face: one small fit through every method a person would call."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_glmm as bg
from bayes_glmm.datasets import seeds, spinal

FORMULA = "nopain ~ x + (1 | patient)"


@pytest.fixture(scope="module")
def model() -> bg.GLMM:
    return bg.GLMM(FORMULA, spinal(), family="bernoulli", priors={"sd": "HalfNormal(2.5)"})


@pytest.fixture(scope="module")
def fit(model: bg.GLMM) -> bg.Fit:
    return model.fit(draws=300, tune=400, chains=2, seed=3, progress=False)


def test_a_model_shows_itself_before_it_is_fitted(model):
    text = str(model)
    for part in ("logit(μ_i)", "β[x]", "u_patient", "HalfNormal(2.5)", "Normal"):
        assert part in text
    assert {"beta[Intercept]", "beta[x]", "sd_patient[Intercept]"} == set(model.priors.table["parameter"])
    assert ["sd_patient[Intercept]"] == model.priors.table.query("source == 'given'")["parameter"].tolist()
    assert {"b", "sd_patient", "z_patient"} == {rv.name for rv in model.pymc.free_RVs}


def test_prior_predictive_draws_responses(model):
    tree = model.prior_predictive(draws=20, seed=1)
    assert (1, 20, 252) == tree["prior_predictive"]["nopain"].shape
    assert {0, 1} >= set(np.unique(tree["prior_predictive"]["nopain"]))


def test_the_tree_holds_what_arviz_expects(fit):
    assert {"posterior", "sample_stats", "observed_data", "constant_data"} <= set(fit.idata.children)
    assert "log_likelihood" not in fit.idata.children
    assert ("chain", "draw", "patient", "patient_effect") == fit.idata["posterior"]["u_patient"].dims
    assert ["Intercept", "x"] == fit.idata["posterior"]["coefficient"].values.tolist()


def test_groups_are_added_on_demand_and_the_fit_stays_as_it_was(fit):
    grown = fit.with_log_likelihood().with_posterior_predictive(draws=50, seed=2)
    assert (2, 300, 252) == grown.idata["log_likelihood"]["nopain"].shape
    assert (1, 50, 252) == grown.idata["posterior_predictive"]["nopain"].shape
    assert "log_likelihood" not in fit.idata.children


def test_every_question_has_both_answers(fit):
    for answer in (fit.predict(), fit.compare("x"), fit.marginal_coefficients()):
        effects = answer.table["effect"].tolist()
        assert effects.count("population-averaged") == sum("conditional" in effect for effect in effects)
    assert {"median", "mcse", "ess_median", "rhat"} <= set(fit.summary().columns)
    assert fit.check().verdict in ("fit to use", "look", "do not use")
    assert {"sd", "icc"} <= set(fit.variance().table["quantity"])


def test_saving_and_loading_gives_the_same_fit(fit, tmp_path):
    again = bg.load(fit.save(tmp_path / "fit"))
    xr.testing.assert_identical(fit.idata["posterior"].to_dataset(), again.idata["posterior"].to_dataset())
    assert fit.spec == again.spec
    pd.testing.assert_frame_equal(fit.compare("x").table, again.compare("x").table)


def test_the_report_is_one_file(fit, tmp_path):
    path = fit.report(tmp_path / "report.html", title="Spinal implant")
    assert "Spinal implant" in path.read_text(encoding="utf-8")
    assert [path] == list(tmp_path.iterdir())


def test_without_a_seed_one_is_drawn_and_recorded(model):
    seeds_used = {
        model.fit(draws=10, tune=10, chains=1, progress=False).posterior.provenance["settings"]["seed"]
        for _ in range(2)
    }
    assert 2 == len(seeds_used)


def test_a_specification_brings_its_own_family():
    spec = bg.ModelSpec.from_formula("p(germinated, n) ~ extract + (1 | plate)", "binomial")
    assert spec == bg.GLMM(spec, seeds()).spec
    with pytest.raises(bg.SpecError, match="brings its own family"):
        bg.GLMM(spec, seeds(), family="binomial")
