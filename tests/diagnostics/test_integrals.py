"""Integrals over more effects than quadrature takes: importance sampling against closed forms and other quadratures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayes_glmm.design import build_design
from bayes_glmm.diagnostics import integrals
from bayes_glmm.diagnostics.integrals import GroupIntegrals, Rows
from bayes_glmm.families import Response
from bayes_glmm.likelihood import Parameters, likelihood_of
from bayes_glmm.likelihood.quadrature import aghq_log_likelihood
from bayes_glmm.spec import ModelSpec

DRAWS = 3000  # of 64 points each


def averaged(groups: GroupIntegrals, rows: Rows) -> np.ndarray:
    """The log of the mean over draws that are all the same, so that only the noise of sampling is averaged [group]."""
    many = Rows(
        np.repeat(rows.eta, DRAWS, axis=0),
        np.repeat(rows.A, DRAWS, axis=0),
        {name: np.repeat(value, DRAWS, axis=0) for name, value in rows.auxiliary.items()},
    )
    start = np.zeros((len(groups.starts), rows.A.shape[3]))
    value, _ = groups.log(many, start, np.random.default_rng(1))
    assert value.std() > 0  # sampled, not closed
    return np.log(np.exp(value - value.max(axis=0)).mean(axis=0)) + value.max(axis=0)


@pytest.mark.parametrize("effects", [4, 12])
def test_samples_of_a_gaussian_model_are_its_closed_form(effects: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrals, "is_closed", lambda spec: False)
    rng = np.random.default_rng(effects)
    eta, A, y = rng.normal(size=(1, 1, 9)), rng.normal(size=(1, 1, 9, effects)), rng.normal(size=9)
    spec = ModelSpec.from_formula("y ~ x + (1 | g)")
    found = averaged(GroupIntegrals(spec, Response(y), np.array([0, 4])), Rows(eta, A, {"sigma": np.array([[0.7]])}))
    for rows, value in zip((slice(0, 4), slice(4, 9)), found, strict=True):
        V = A[0, 0, rows] @ A[0, 0, rows].T + 0.49 * np.eye(len(y[rows]))
        # 3000 x 64 points with an efficiency of a third to a half
        assert stats.multivariate_normal.logpdf(y[rows], eta[0, 0, rows], V) == pytest.approx(value, abs=0.02)


@pytest.mark.parametrize("family", ["bernoulli", "poisson"])
def test_four_effects_are_those_of_adaptive_quadrature(family: str) -> None:
    rng = np.random.default_rng(3)
    g = np.repeat([0, 1, 2], [6, 1, 9])
    data = pd.DataFrame({"g": g} | {name: rng.normal(size=16) for name in ("x", "w", "v")})
    data["y"] = np.where(g == 2, 1, rng.integers(0, 2, 16)) if family == "bernoulli" else rng.poisson(4.0, 16)
    spec = ModelSpec.from_formula("y ~ x + (x + w + v || g)", family)
    design, sd = build_design(spec, data), np.array([2.0, 0.6, 0.4, 0.5])
    beta = np.array([0.3, -0.5])
    parameters = Parameters(beta, {"g": np.diag(sd)}, {})
    expected = aghq_log_likelihood(likelihood_of(spec, design), parameters, nodes=11).value
    groups = GroupIntegrals(spec, design.observed, np.array([0, 6, 7]))
    found = averaged(groups, Rows((design.X @ beta)[None, None], (design.block("g").values * sd)[None, None], {}))
    assert expected == pytest.approx(found.sum(), abs=0.01)
