"""The summary table against ArviZ's."""

from __future__ import annotations

import warnings

import numpy as np

from bayes_glmm.diagnostics import summary
from tests.diagnostics import made_up


def test_summary_is_arviz() -> None:
    import arviz as az

    posterior = made_up.good()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = az.summary(
            posterior.draws, var_names=["beta", "sigma", "sd_g"], kind="all_median", ci_prob=0.95, round_to="none"
        )
    found = summary(posterior).loc[expected.index]
    for ours, theirs in [("median", "median"), ("mcse", "mcse_median"), ("rhat", "r_hat")]:
        np.testing.assert_allclose(expected[theirs].to_numpy(float), found[ours], rtol=1e-8)
    sd = posterior.draws["posterior"]["sd_g"]
    tails = [az.ess(sd, method="quantile", prob=prob).to_numpy() for prob in (0.025, 0.975)]
    np.testing.assert_allclose(
        found.loc[[f"sd_g[{name}]" for name in ("Intercept", "x")], "ess_tail"], np.min(tails, axis=0)
    )
    # ArviZ leaves out the fraction of an effective draw
    np.testing.assert_allclose(expected["ess_median"].to_numpy(float), found["ess_median"], atol=1.0)
    np.testing.assert_allclose(expected.filter(like="eti95").to_numpy(float), found[["lower", "upper"]], rtol=1e-8)


def test_random_effects_are_listed_on_request() -> None:
    posterior = made_up.good()
    extra = summary(posterior, random_effects=True).index.difference(summary(posterior).index)
    assert len(extra) == 2 * made_up.LEVELS


def test_one_draw_has_no_convergence_statistics() -> None:
    posterior = made_up.good()
    few = made_up.with_draws(posterior, posterior.draws["posterior"].to_dataset().isel(draw=slice(4)))
    assert list(summary(few).columns) == ["median", "mcse", "lower", "upper"]
