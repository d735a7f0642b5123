"""Densities of units that one draw of the parameters predicts: nested factors, integrals that quadrature misses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayes_glmm.likelihood import Parameters, likelihood_of
from bayes_glmm.likelihood.quadrature import aghq_log_likelihood
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from bayes_glmm.studies import held_out
from bayes_glmm.studies.held_out import hold_out, predictive_density
from tests.diagnostics.made_up import with_draws
from tests.diagnostics.test_loo_groups import brute_force, small

NOTHING = np.arange(0)


def repeated(posterior: Posterior, times: int) -> Posterior:
    """The same draw many times: of what is sampled only the noise is averaged."""
    drawn = posterior.draws["posterior"].to_dataset()
    return with_draws(posterior, drawn.isel(draw=np.zeros(times, int)).assign_coords(draw=np.arange(times)))


@pytest.mark.parametrize("family", ["bernoulli", "poisson"])
@pytest.mark.parametrize("sd", [0.5, 5.0])
def test_nested_groups_are_those_of_nested_quadrature(family: str, sd: float) -> None:
    """All rows are new: the densities of the outer groups, five effects each, make up the likelihood."""
    rng, g, c = np.random.default_rng(0), np.repeat(np.arange(5), 20), np.arange(100) % 4
    y = rng.binomial(1, 0.1 + 0.8 * (g == 2)) if family == "bernoulli" else rng.poisson(1.0 + 9.0 * (g == 2))
    spec = ModelSpec.from_formula("y ~ x + (1 | g/c)", family)
    data = pd.DataFrame({"y": y, "x": rng.normal(size=100), "g": g, "c": c})
    G = {"g": [[sd**2]], "g:c": [[sd**2]]}
    posterior = posterior_at(spec, data, np.tile([0.3, -0.5], (2000, 1)), G)
    unit = posterior.design.block("g").index
    value, error = predictive_density(posterior, hold_out(posterior.design, np.arange(100), unit, NOTHING), seed=1)
    at = Parameters(np.array([0.3, -0.5]), {name: np.array([[sd]]) for name in G}, {})
    expected = aghq_log_likelihood(likelihood_of(spec, posterior.design), at, nodes=61).value
    assert expected == pytest.approx(value.sum(), abs=4.0 * np.sqrt(np.square(error).sum()))
    assert error.max() < 0.02


def test_where_quadrature_does_not_settle_samples_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative responses under a log link: the likelihood is flat towards minus infinity, the integrand not a bell."""
    one = small("gaussian", "log", G=[[36.0]])
    grid = np.linspace(-60, 60, 120_001)[:, None]
    expected = [brute_force(one, level, grid, 0.001) for level in range(4)]
    many, everything = repeated(one, 4000), hold_out(one.design, np.arange(21), one.design.block("g").index, NOTHING)
    value, error = predictive_density(many, everything, seed=1)
    assert (np.abs(expected - value) < 4.0 * error).all()
    assert error.max() < 0.05
    monkeypatch.setattr(held_out, "ERROR", np.inf)  # were it not for the samples
    quadrature, _ = predictive_density(many, everything, seed=1)
    assert np.abs(expected - quadrature).max() > 0.05


def test_rows_of_known_and_new_groups_stand_side_by_side() -> None:
    """Row by row: of a known group its density given u, of a new one the integral over u."""
    posterior = small("poisson", formula="y ~ x + (1 | g) + (1 | h)")
    design, rows = posterior.design, np.array([6, 0, 20])  # the only row of its group, and two of others
    value, error = predictive_density(
        posterior, hold_out(design, rows, np.arange(3), np.delete(np.arange(21), rows)), 1
    )
    assert np.isnan(error).all()  # one draw says nothing of its error
    every = hold_out(design, rows, np.arange(3), np.arange(21))
    known, _ = predictive_density(posterior, every, 1)
    np.testing.assert_allclose(known[1:], value[1:])
    t = np.linspace(-8.0, 8.0, 4001)
    eta = design.X[6] @ posterior.beta[0] + posterior.u("h")[0, design.block("h").index[6], 0] + np.sqrt(0.9) * t
    expected = np.sum(stats.poisson.pmf(design.y[6], np.exp(eta)) * stats.norm.pdf(t)) * 0.004
    assert np.log(expected) == pytest.approx(value[0], abs=1e-6)
