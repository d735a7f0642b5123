"""What every further parameter of every family owes as a predictor: one density in all places, and draws that fit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from numpy.testing import assert_allclose
from pytensor.compile.mode import Mode

import bayes_glmm as bg
from bayes_glmm.design import Problem, dimension_labels
from bayes_glmm.families import FAMILIES, LINKS, Response
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.kernels.fused import fused_likelihood
from bayes_glmm.inference.kernels.generated import generated, links_of
from bayes_glmm.inference.kernels.loops import FORMS
from bayes_glmm.inference.whitening import whitening_for
from bayes_glmm.model import build_model
from bayes_glmm.model.builder import plain_likelihood
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import load_posterior, posterior_of
from bayes_glmm.predictive import log_likelihood, replicate
from bayes_glmm.spec import ModelSpec
from tests.contracts.test_families import SCIPY
from tests.likelihood import cases
from tests.model.test_log_density import INVERSE, log_density

PAIRS = [(family.name, name) for family in FAMILIES.values() for name in family.auxiliary]
QUICK = [("gaussian", "sigma"), ("negative_binomial", "phi"), ("zero_inflated_poisson", "zi")]
LINKED = [(family, name, link) for family, name in PAIRS for link in FAMILIES[family].auxiliary[name].links]
CONSTANTS = {"sigma": 1.1, "nu": 5.3, "phi": 2.3, "zi": 0.3, "shape": 1.7, "hu": 0.35}
CONSTANTS |= {"zoi": 0.4, "coi": 0.7}  # not numbers that float32 holds
STRUCTURES = {"together": ("(1 |i| g)", "(1 |i| g)"), "crossed": ("(1 |i| g) + (1 | h)", "(1 |i| g) + (1 | h)")}
# excess zeros and a dispersion with effects of two factors: the approximate posterior of 150 rows has no mode
WITHOUT_MODE = [("zero_inflated_negative_binomial_1", "phi")]
TRIALS = 6  # of each row of successes
PYTHON = Mode(linker="py", optimizer="fast_compile")  # a few evaluations are not worth a compiler


def marked(pairs: Sequence[tuple[str, str]]) -> Any:
    """All pairs; those that are not quick compile for seconds each, and are slow."""
    chosen = [pytest.param(*pair, id="-".join(pair), marks=() if pair in QUICK else pytest.mark.slow) for pair in pairs]
    return pytest.mark.parametrize(("family", "name"), chosen)


def formulas(family: str, name: str, terms: tuple[str, str]) -> list[str]:
    return [f"{response(family)} ~ x + {terms[0]}", f"{name} ~ x + {terms[1]}"]


def response(family: str) -> str:
    """The left-hand side of its formulas."""
    kind = FAMILIES[family].response
    return f"p({kind.name}, trials)" if kind.trials else kind.name


@cache
def data() -> pd.DataFrame:
    """The rows of other tests; counts and successes with zeros of their own, more in some groups than in others."""
    rng, frame = np.random.default_rng(2), cases.data()
    share = rng.beta(1.0, 1.5, 20)[frame["g"].astype(int)]
    zero, counts = rng.uniform(size=len(frame)) < share, 1 + rng.negative_binomial(2, 0.3, len(frame))
    return frame.assign(
        count=np.where(zero, 0, counts),
        positive_count=counts,
        trials=frame["trials"] + 5,
        successes=np.where(zero, 0, rng.binomial(frame["trials"] + 5, rng.beta(1.5, 2.0, len(frame)))),
    )


@cache
def model(family: str, name: str, terms: tuple[str, str] = ("(1 |i| g)", "(1 |i| g)")) -> bg.GLMM:
    return bg.GLMM(formulas(family, name, terms), data(), family)


def responses(family: str, count: int, rng: np.random.Generator) -> np.ndarray:
    return {
        "real": rng.normal(0.0, 3.0, count),
        "positive": rng.gamma(0.5, 2.0, count),
        "nonnegative": rng.gamma(0.5, 2.0, count) * (rng.uniform(size=count) < 0.6),
        "count": (counts := rng.poisson(rng.gamma(0.5, 8.0, count)).astype(float)),
        "positive_count": 1.0 + counts,
        "fraction": rng.beta(0.7, 0.9, count),
        "successes": rng.binomial(TRIALS, rng.beta(0.5, 0.5, count)).astype(float),
        "closed_fraction": np.clip(rng.beta(0.7, 0.9, count) * 1.6 - 0.3, 0.0, 1.0),
    }[FAMILIES[family].response.name]


@pytest.mark.parametrize(
    ("family", "name", "link"),
    [
        pytest.param(*triple, id="-".join(triple), marks=() if triple[:2] in QUICK[::2] else pytest.mark.slow)
        for triple in LINKED
    ],
)
def test_kernels_are_the_density_and_its_slopes(family: str, name: str, link: str) -> None:
    """The value is the sum of the density of the family, SciPy's density too; slopes are those of differences."""
    record, rng, count = FAMILIES[family], np.random.default_rng(4), 200
    left = "p(y, n)" if record.response.trials else "y"
    spec = ModelSpec.from_formula([f"{left} ~ x", f"{name} ~ x"], family, {name: link})
    kernel = generated(family, links_of(spec))
    evaluate = FORMS["predictor"].make(kernel)
    y, n = responses(family, count, rng), np.full(count, float(TRIALS))
    inside = {"real": rng.normal(size=count), "positive": rng.gamma(2.0, 1.5, count), "unit": rng.uniform(size=count)}
    eta = np.stack(
        [
            spec.link.forward(0.01 + 0.98 * inside[record.response.range], NUMPY),
            LINKS[link].forward(0.05 + 0.9 * inside[record.auxiliary[name].support], NUMPY),
        ]
    )
    constants = {key: CONSTANTS[key] for key in spec.auxiliary}
    observed = Response(y, n if record.response.trials else None)

    def density(eta: np.ndarray, **moved: float) -> np.ndarray:
        at = spec.at({"mu": eta[0], name: eta[1]}, constants | moved, NUMPY)
        return np.asarray(record.log_density(observed, at, NUMPY))

    statistics = np.asarray(kernel.statistics(y, n), float)
    value, slopes, by_a = evaluate(y, n, statistics, eta.ravel(), np.array([*constants.values()] or [1.0]))
    assert kernel.predictors == 2
    assert float(value) == pytest.approx(density(eta).sum(), abs=1e-12 * np.abs(density(eta)).sum())
    theirs = {name: INVERSE[link](eta[1])} | constants
    distribution = SCIPY[family](INVERSE[spec.link_name](eta[0]), theirs, n)
    expected = distribution.logpmf(y) if record.discrete else distribution.logpdf(y)
    assert_allclose(density(eta), expected, rtol=1e-9, atol=1e-10)

    def differences(step: np.ndarray) -> np.ndarray:
        """The five-point rule, which errs by h^4 / 30 of the fifth derivative."""
        near, far = (density(eta + k * step) - density(eta - k * step) for k in (1, 2))
        return (8.0 * near - far) / (12.0 * step.max(axis=0))

    steps = 1e-3 * np.minimum(1.0, np.abs(eta))
    for k, slope in enumerate(slopes.reshape(2, -1)):
        scale = 1.0 + np.abs(density(eta)) + np.abs(slope)
        step = np.where(np.arange(2)[:, None] == k, steps, 0.0)
        assert (np.abs(differences(step) - slope) < 1e-6 * scale).all()
    for key, slope in zip(constants, by_a, strict=False):
        h = 1e-3
        near, far = (
            (density(eta, **{key: constants[key] + k * h}) - density(eta, **{key: constants[key] - k * h})).sum()
            for k in (1, 2)
        )
        assert slope == pytest.approx((8.0 * near - far) / (12.0 * h), rel=1e-6, abs=1e-6)


def point(problem: Problem, rng: np.random.Generator) -> tuple[dict, dict, dict]:
    """Coefficients, random effects and constants."""
    beta = {one.parameter: 0.3 * rng.normal(size=len(one.coefficients)) for one in problem.design.predictors.fixed}
    u = {block.group: 0.4 * rng.normal(size=(len(block.levels), len(block.effects))) for block in problem.design.blocks}
    return beta, u, {key: CONSTANTS[key] for key in problem.spec.auxiliary}


def row_densities(problem: Problem, beta: dict, u: dict, constants: dict) -> np.ndarray:
    """Log p of each row, the linear predictors added up by hand."""
    design, eta = problem.design, {}
    for one in design.predictors.fixed:
        eta[one.parameter] = one.offset + one.X @ beta[one.parameter]
        for block in design.blocks:
            for k, parameter in enumerate(block.parameters):
                if parameter == one.parameter:
                    eta[parameter] = eta[parameter] + u[block.group][block.index, k] * block.values[:, k]
    at = problem.spec.at(eta, constants, NUMPY)
    return np.asarray(problem.spec.family.log_density(design.observed, at, NUMPY))


@marked(PAIRS)
def test_fused_and_plain_likelihoods_are_sums_of_the_density(family: str, name: str) -> None:
    problem = model(family, name, ("(x |i| g) + (1 | h)", "(1 |i| g) + (x | k)")).problem
    beta, u, constants = point(problem, np.random.default_rng(3))
    expected = row_densities(problem, beta, u, constants).sum()
    value = fused_likelihood(problem.spec, problem.design, beta, u, constants).eval(mode=PYTHON)
    assert_allclose(value, expected, rtol=1e-12)
    with pm.Model(coords=dimension_labels(problem.design)) as plain:
        plain_likelihood(problem.spec, problem.design, beta, u, constants)
    assert_allclose(plain.observedlogp.eval(mode=PYTHON), expected, rtol=1e-11)


@cache
def whitened(family: str, name: str, terms: tuple[str, str]) -> tuple[Problem, Density]:
    problem = model(family, name, terms).problem.canonical
    whitening, why = whitening_for(problem)
    if (family, name) in WITHOUT_MODE and terms == STRUCTURES["crossed"]:
        assert whitening is None
        pytest.skip(f"These rows leave plain coordinates alone: {why}.")
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    return problem, density


def moved(problem: Problem, density: Density, x: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A point as the plain model has it, by name, and its coordinates in one vector."""
    draw = density.expand(x)
    values = {one.variable: draw[one.variable] for one in problem.design.predictors.fixed}
    flat = [*values.values()]
    for one in problem.design.predictors.fixed:  # where their priors are of several kinds
        keys = [f"{one.variable}[{key}]" for key in one.coefficients]
        values |= dict(zip(keys, draw[one.variable], strict=True))
    for block in problem.design.blocks:
        g, L = block.group, draw[f"L_{block.group}"]
        sd = np.sqrt(np.diagonal(L @ L.T))
        assert_allclose(draw[f"u_{g}"], draw[f"z_{g}"] @ L.T, rtol=1e-12, atol=1e-14)
        assert_allclose(draw[f"sd_{g}"], sd, rtol=1e-12)
        values |= {f"sd_{g}": sd, f"z_{g}": draw[f"z_{g}"]}
        values |= {f"sd_{g}[{effect}]": one for effect, one in zip(block.effects, sd, strict=True)}
        flat += [sd, draw[f"z_{g}"].ravel()]
        if block.correlated:  # of two effects: the density of the factor is one of the correlation
            values[f"chol_{g}"] = L / sd[:, None]
            flat.append(L[1:, 0] / sd[1:])
    values |= {key: draw[key] for key in problem.spec.auxiliary}
    return values, np.concatenate([*flat, [float(draw[key]) for key in problem.spec.auxiliary]])


@marked(PAIRS)
@pytest.mark.parametrize("terms", STRUCTURES.values(), ids=STRUCTURES)
def test_compiled_density_is_the_plain_models_and_the_jacobian(family: str, name: str, terms: tuple[str, str]) -> None:
    """log p(x) = log p of the PyMC model + log |d point / d x|, the last by differences.

    The constant of LKJ(2) is left out: for two effects it is a density of 3 / 4 (1 - rho^2).
    """
    problem, density = whitened(family, name, terms)
    plain = build_model(problem)
    left_out = np.log(4.0 / 3.0) * sum(block.correlated for block in problem.design.blocks)
    for seed in range(2):
        x = density.start + 0.3 * np.random.default_rng(seed).normal(size=len(density.start))
        values, at = moved(problem, density, x)
        assert len(at) == len(x)
        columns = [
            (moved(problem, density, x + step)[1] - moved(problem, density, x - step)[1]) / 2e-5
            for step in 1e-5 * np.eye(len(x))
        ]
        expected = log_density(plain, {one.name: values[one.name] for one in plain.free_RVs})
        expected += left_out + np.linalg.slogdet(np.array(columns))[1]
        # differences of some 60 coordinates err by 1e-10 each
        assert_allclose(density(x)[0], expected, rtol=1e-8)


@marked(PAIRS)
def test_gradients_are_those_of_the_values(family: str, name: str) -> None:
    _, density = whitened(family, name, STRUCTURES["together"])
    x = density.start + 0.2 * np.random.default_rng(7).normal(size=len(density.start))
    numerical = [(density(x + step)[0] - density(x - step)[0]) / 2e-5 for step in 1e-5 * np.eye(len(x))]
    assert_allclose(density(x)[1], numerical, rtol=1e-6, atol=3e-6)


@marked(PAIRS)
def test_draws_have_the_density_of_their_rows(family: str, name: str, tmp_path: Path) -> None:
    """Replicates are valid responses, log likelihoods those of the rows, and a saved posterior has the same."""
    made = model(family, name)
    rng, count = np.random.default_rng(6), 4
    points = [point(made.problem, rng) for _ in range(count)]
    beta = {key: np.array([one[0][key] for one in points]) for key in ("mu", name)}
    G = np.array([[0.5, 0.1], [0.1, 0.3]])
    u = {"g": np.array([one[1]["g"] for one in points])}
    made_up = posterior_of(made.problem, beta["mu"], {"g": G}, points[0][2], u, {name: beta[name]})
    found = log_likelihood(made_up).to_numpy()[0]
    assert_allclose(found, [row_densities(made.problem, *one) for one in points], rtol=1e-11, atol=1e-12)
    drawn = replicate(made_up, count, seed=1)
    assert drawn.shape == found.shape
    assert not any(made.spec.family.response.support(row, made.design.trials).any() for row in drawn)
    again = load_posterior(made_up.save(tmp_path / "saved"))
    assert again.spec == made.spec
    assert_allclose(log_likelihood(again).to_numpy()[0], found, rtol=1e-14)


@marked(PAIRS)
def test_prior_draws_have_the_moments_of_the_model(family: str, name: str) -> None:
    """Both effects of a level have the covariance of their draw, and responses are of the family's kind."""
    # so narrow that no fraction rounds to 1, and no count is beyond what numbers hold
    narrow = {"Intercept": "Normal(0, 0.3)", "x": "Normal(0, 0.2)", "sd": "HalfNormal(0.3)"}
    narrow |= {f"{name}.{key}": prior for key, prior in narrow.items()} | {f"{name}.Intercept": "Normal(2, 0.3)"}
    made = bg.GLMM(formulas(family, name, STRUCTURES["together"]), data(), family, priors=narrow)
    response = made.pymc[made.design.response_variable]
    names = [f"beta_{name}", "u_g", "G_g"]
    outputs = [response, *(made.pymc[key] for key in names)]
    y, beta, u, G = pm.draw(outputs, draws=60, mode=PYTHON, random_seed=3)
    assert y.shape == (60, len(data()))
    assert beta.shape == (60, 2)
    white = np.linalg.solve(np.linalg.cholesky(G)[:, None], u[..., None])[..., 0].reshape(-1, 2)
    # 1200 pairs: a variance of a normal has the standard error sqrt(2 / 1200), a covariance sqrt(1 / 1200)
    assert_allclose(np.cov(white.T), np.eye(2), atol=5.0 * np.sqrt(2.0 / len(white)))
    assert not any(made.spec.family.response.support(row, made.design.trials).any() for row in y)


@pytest.mark.slow
def test_prior_predictive_has_the_variables_of_both_predictors() -> None:
    drawn = model("gaussian", "sigma").prior_predictive(draws=20, seed=3)
    assert drawn["prior_predictive"]["real"].shape == (1, 20, len(data()))
    assert set(drawn["prior"].data_vars) >= {"beta", "beta_sigma", "u_g", "sd_g", "G_g", "corr_g"}
    assert drawn["prior"]["beta_sigma"].dims == ("chain", "draw", "coefficient_sigma")
    assert drawn["prior"]["g_effect"].to_numpy().tolist() == ["Intercept", "sigma_Intercept"]
