"""Posteriors by importance resampling: against exact ones, and each warning where it must be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm.approx.resample import _beyond_second_order, _smoothed
from bayes_glmm.errors import EstimationError, SpecError
from bayes_glmm.likelihood import Parameters, laplace_log_likelihood, likelihood_of
from bayes_glmm.posterior import load_posterior
from tests.statistical.cases import CASES, Case
from tests.statistical.draws import parameter

BY_NAME = {case.name: case for case in CASES}
NODES = {  # abortion: 25 are too few
    "spinal A": 25,
    "cbpp A": 25,
    "seeds A": 25,
    "epil A": 25,
    "abortion A": 100,
    "sleepstudy_corr_LKJ2": 1,
}
FAST = ("spinal A", "cbpp A", "sleepstudy_corr_LKJ2")


def model_of(case: Case, shared: Path) -> bg.GLMM:
    return bg.GLMM(case.study.formula, case.data(shared), family=case.study.family, priors=case.priors)


def crossed(rows: int = 240) -> bg.GLMM:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.normal(size=rows), "g": rng.integers(0, 12, rows), "h": rng.integers(0, 8, rows)})
    eta = 0.5 * data["x"] + rng.normal(size=12)[data["g"]] + 0.5 * rng.normal(size=8)[data["h"]]
    data["y"] = rng.binomial(1, special.expit(eta))
    return bg.GLMM("y ~ x + (x | g) + (1 | h)", data, family="bernoulli")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow, id=name) for name in NODES]
)
def test_the_posterior_is_the_exact_one(name: str, shared: Path) -> None:
    case = BY_NAME[name]
    exact = case.exact(json.loads((shared / "reference" / "exact_posteriors.json").read_text(encoding="utf-8")))
    posterior = bg.approx.laplace_posterior(model_of(case, shared), nodes=NODES[name])
    found = posterior.provenance
    assert found["k_hat"] < found["good_k"]
    assert found["integration_error"] is None or found["integration_error"] < 0.1
    assert found["verdict"].startswith("Fit to use")
    for theirs, ours in case.study.names.items():
        draws = parameter(posterior, ours)
        # as the fits by NUTS: the effective draws are 580 to 870, and Sobol points have less error than that
        assert abs(float(draws.mean()) - exact[theirs]["mean"]) <= 0.1 * exact[theirs]["sd"], theirs
        assert 0.92 <= float(draws.std()) / exact[theirs]["sd"] <= 1.08, theirs


@pytest.mark.parametrize(("nodes", "off"), [(1, 5.8), (25, 0.92)])
def test_a_wrong_target_is_told_by_the_integration_error_alone(nodes: int, off: float, shared: Path) -> None:
    """The mean of the sd by person is ``off`` exact posterior sds from the exact one; k-hat knows nothing of it."""
    case = BY_NAME["abortion A"]
    posterior = bg.approx.laplace_posterior(model_of(case, shared), draws=100, nodes=nodes)
    found = posterior.provenance
    exact = case.exact(json.loads((shared / "reference" / "exact_posteriors.json").read_text(encoding="utf-8")))["sd"]
    mean = float(parameter(posterior, case.study.names["sd"]).mean())
    assert off == pytest.approx(abs(mean - exact["mean"]) / exact["sd"], rel=0.25)
    assert found["k_hat"] < found["good_k"]
    assert found["integration_error"] > 0.8 * off
    assert found["k_hat_effects"]["person"] > found["good_k"]
    assert "Do not use: the error of integrating" in found["verdict"]


def test_where_there_is_no_quadrature_the_random_effects_are_the_witness() -> None:
    posterior = bg.approx.laplace_posterior(crossed(), draws=256)
    assert posterior.provenance["integration_error"] is None
    assert {"g", "h"} == set(posterior.provenance["k_hat_effects"])
    assert posterior.u("g").shape == (256, 12, 2)
    effects = bg.Fit(posterior).marginal_coefficients().table
    assert np.isfinite(effects["estimate"]).all()


def test_random_effects_of_a_gaussian_model_have_their_exact_conditional_distribution() -> None:
    rng = np.random.default_rng(2)
    g, x = np.repeat(np.arange(9), 6), rng.normal(size=54)
    data = pd.DataFrame({"y": rng.normal(size=9)[g] + x + rng.normal(size=54), "x": x, "g": g})
    posterior = bg.approx.laplace_posterior(bg.GLMM("y ~ x + (x | g)", data), draws=400)
    assert posterior.provenance["k_hat_effects"] == {"g": 0.0}
    standard = []
    for beta, G, sigma, u in zip(
        posterior.beta, posterior.G("g"), posterior.auxiliary["sigma"], posterior.u("g"), strict=True
    ):
        for level in range(9):
            Z = posterior.design.X[g == level]
            covariance = np.linalg.inv(np.linalg.inv(G) + Z.T @ Z / sigma**2)
            mean = covariance @ Z.T @ (data["y"].to_numpy()[g == level] - Z @ beta) / sigma**2
            standard.append(np.linalg.solve(np.linalg.cholesky(covariance), u[level] - mean))
    squares = np.sum(np.square(standard), axis=1)
    # some draws are repeated: fewer than 3,600 independent ones
    assert stats.kstest(squares, stats.chi2(2).cdf).statistic < 1.95 / np.sqrt(len(squares) / 2)
    assert np.abs(np.mean(standard, axis=0)).max() < 4.5 / np.sqrt(len(squares) / 2)


def test_log_weights_of_effects_are_exact_less_gaussian_log_density() -> None:
    model = crossed()
    likelihood = likelihood_of(model.spec, model.design)
    parameters = Parameters(
        np.array([0.2, -0.4]), {"g": np.array([[1.3, 0.0], [0.4, 0.7]]), "h": np.array([[0.8]])}, {}
    )
    found = laplace_log_likelihood(likelihood, parameters)
    A = likelihood.part.matrix(likelihood.part.values(parameters.L)).toarray()
    y, fixed = model.design.y, likelihood.fixed(parameters.beta)

    def log_joint(z: np.ndarray) -> float:
        return float(np.sum(stats.bernoulli.logpmf(y, special.expit(fixed + A @ z))) - 0.5 * z @ z)

    mode, p = found.modes.z, special.expit(fixed + A @ found.modes.z)
    precision = np.eye(len(mode)) + A.T @ ((p * (1 - p))[:, None] * A)
    move = np.random.default_rng(1).normal(size=len(mode))
    expected = log_joint(mode + move) - log_joint(mode) + 0.5 * move @ precision @ move
    for _, by_level in _beyond_second_order(likelihood, parameters, found, move):
        assert expected == pytest.approx(by_level.sum(), abs=1e-8)


@pytest.mark.parametrize("wider", [1.1, 1.8])
def test_k_hat_is_that_of_the_tail(wider: float) -> None:
    """Weights of N(0, wider^2) from N(0, 1) have a Pareto tail of index 1 - 1 / wider^2."""
    x = np.random.default_rng(1).normal(size=100_000)
    weights, k = _smoothed(stats.norm(0, wider).logpdf(x) - stats.norm.logpdf(x))
    assert 1 - wider**-2 == pytest.approx(k, abs=0.15)
    assert weights.sum() == pytest.approx(1.0)


def test_the_seed_decides_and_the_record_is_saved(tmp_path: Path) -> None:
    model = bg.GLMM(
        "p(favourable, n) ~ treatment + (1 | clinic)",
        bg.datasets.clinics(),
        family="binomial",
        priors={"sd": "HalfNormal(2)"},
    )
    one, again, other = (bg.approx.laplace_posterior(model, draws=128, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.u("clinic"), again.u("clinic"))
    assert not np.array_equal(one.beta, other.beta)
    assert model.priors == one.priors
    loaded = load_posterior(one.save(tmp_path / "fit"))
    assert one.provenance == loaded.provenance


def test_what_cannot_be_is_refused() -> None:
    model = crossed()
    with pytest.raises(SpecError, match="100 to 20,000 draws"):
        bg.approx.laplace_posterior(model, draws=10)
    with pytest.raises(SpecError, match="crossed"):
        bg.approx.laplace_posterior(
            bg.GLMM("y ~ x + (1 | g) + (1 | h)", model.design.data, family="bernoulli"), nodes=5
        )
    x = np.linspace(-1, 1, 40)
    separated = pd.DataFrame({"y": (x > 0).astype(int), "x": x, "g": np.tile(["a", "b", "c", "d"], 10)})
    flat = {"beta": "Flat()", "Intercept": "Flat()"}
    far = bg.approx.laplace_posterior(bg.GLMM("y ~ x + (1 | g)", separated, family="bernoulli", priors=flat))
    assert "Do not use: the posterior is not like a bell" in far.provenance["verdict"]
    flat["sd"] = "HalfFlat()"
    with pytest.raises(EstimationError, match=r"mode failed.*model\.fit"):
        bg.approx.laplace_posterior(bg.GLMM("y ~ x + (1 | g)", separated, family="bernoulli", priors=flat))
