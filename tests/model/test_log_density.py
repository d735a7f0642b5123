"""log p of the PyMC model, recomputed with SciPy for every structure and for every family with every link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from pytensor.compile.mode import Mode
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm.families import FAMILIES
from bayes_glmm.model import build_model
from tests.contracts.test_families import LATENT, PAIRS, SCIPY, Ordered
from tests.model.distributions import LKJ, distribution
from tests.model.structures import (
    STRUCTURES,
    Point,
    Structure,
    factor_density,
    log_likelihood,
    log_prior,
    pairs,
    random_point,
    small_data,
)

OF_NUMBERS = [(family, link) for family, link in PAIRS if not family.categories]
PYTHON = Mode(linker="py", optimizer="fast_compile")  # a few evaluations are not worth a compiler
EVERY_STRUCTURE = pytest.mark.parametrize("structure", STRUCTURES, ids=[s.name.replace(" ", "-") for s in STRUCTURES])

# the links in SciPy's words
INVERSE: dict[str, Any] = {
    "identity": lambda eta: eta,
    "log": np.exp,
    "logit": special.expit,
    "probit": special.ndtr,
    "cloglog": lambda eta: -np.expm1(-np.exp(eta)),
    "cauchit": stats.cauchy.cdf,
    "inverse": lambda eta: 1 / eta,
    "sqrt": np.square,
}
FORWARD: dict[str, Any] = {
    "identity": lambda mu: mu,
    "log": np.log,
    "logit": special.logit,
    "probit": special.ndtri,
    "cloglog": lambda mu: np.log(-np.log1p(-mu)),
    "cauchit": stats.cauchy.ppf,
    "inverse": lambda mu: 1 / mu,
    "sqrt": np.sqrt,
}


def log_density(model: pm.Model, values: Mapping[str, Any]) -> float:
    """Log p at values of the random variables themselves, without the Jacobians of what NUTS moves in."""
    point = {}
    for variable in model.free_RVs:
        transform, value = model.rvs_to_transforms[variable], np.asarray(values[variable.name], float)
        if transform is not None:
            value = transform.forward(value, *variable.owner.inputs).eval(mode=PYTHON)
        point[model.rvs_to_values[variable].name] = value
    return float(model.compile_logp(jacobian=False, mode=PYTHON)(point))


def variables_at(structure: Structure, point: Point, model: pm.Model) -> dict[str, Any]:
    """The point under the names of the model's random variables."""
    values: dict[str, Any] = {"beta": point.beta, **point.auxiliary}
    if structure.coefficients and not structure.states_coefficients:
        values["b"] = np.linalg.solve(structure.model().priors.canonical.location.T, point.beta)
    values |= {f"beta[{name}]": value for name, value in zip(structure.coefficients, point.beta, strict=True)}
    for group, effects in structure.effects.items():
        values |= {f"sd_{group}": point.sd[group], f"z_{group}": point.z[group]}
        values |= {f"sd_{group}[{effect}]": sd for effect, sd in zip(effects, point.sd[group], strict=True)}
        start = 0
        for R in point.R[group]:
            name = f"chol_{group}" if len(R) == len(effects) else f"chol_{group}_{effects[start]}"
            values[name] = np.linalg.cholesky(R)
            start += len(R)
    return {variable.name: values[variable.name] for variable in model.free_RVs}


@EVERY_STRUCTURE
def test_log_density_is_scipys(structure: Structure) -> None:
    model = structure.model()
    for seed in (1, 2):
        point = random_point(structure, seed)
        # LKJ is a density over the correlation matrix, PyMC's is over its Cholesky factor
        factors = sum(factor_density(R) for runs in point.R.values() for R in runs if len(R) > 1)
        # and the default prior is a density over beta = T b, the model's over b
        factors += np.linalg.slogdet(model.priors.canonical.location.T)[1]
        expected = log_prior(model, structure, point) + log_likelihood(structure, point) + factors
        actual = log_density(model.pymc, variables_at(structure, point, model.pymc))
        assert actual == pytest.approx(expected, rel=1e-10)


@EVERY_STRUCTURE
def test_deterministic_variables_follow_from_the_point(structure: Structure) -> None:
    model, point = structure.model().pymc, random_point(structure, seed=3)
    given = variables_at(structure, point, model)
    expected = {"beta": point.beta} if structure.coefficients else {}
    for group in structure.effects:
        expected |= {f"u_{group}": point.u[group], f"G_{group}": point.G(group), f"sd_{group}": point.sd[group]}
        if max(structure.runs[group]) > 1:
            expected[f"corr_{group}"] = point.corr(group)
        else:
            assert f"corr_{group}" not in model.named_vars
    outputs = [model[name] for name in expected]
    values = pm.compile([model[name] for name in given], outputs, mode=PYTHON, on_unused_input="ignore")(
        *given.values()
    )
    for name, actual in zip(expected, values, strict=True):
        np.testing.assert_allclose(actual, expected[name], rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ year + f + (year | g)",
        "y ~ 0 + f + year + (0 + f + year | g)",
        "y ~ year + (year + x | g) + (1 | h)",
        "y ~ year + (year || g)",
    ],
)
def test_the_canonical_model_is_the_same_with_other_names(formula: str) -> None:
    """At the same values of the free variables: the sampler's model, and the one that people read."""
    model = bg.GLMM(formula, small_data().assign(year=lambda d: 2010.0 + 4.0 * d["x"]))
    assert not model.priors.canonical.is_identity
    plain, canonical = model.pymc, build_model(model.problem.canonical)
    names = {variable.name: _canonical_name(variable.name) for variable in plain.value_vars}
    assert set(names.values()) == {variable.name for variable in canonical.value_vars}
    ours, theirs = plain.compile_logp(mode=PYTHON), canonical.compile_logp(mode=PYTHON)
    rng = np.random.default_rng(6)
    for _ in range(3):
        point = {name: rng.normal(0.0, 0.5, value.shape) for name, value in plain.initial_point().items()}
        expected = float(theirs({names[name]: value for name, value in point.items()}))
        assert float(ours(point)) == pytest.approx(expected, rel=1e-9)


def _canonical_name(name: str) -> str:
    return "beta" if name == "b" else name.replace("sd_at_centre_", "sd_")


@pytest.mark.parametrize(("n", "eta"), [(2, 1.0), (2, 3.0), (3, 0.7), (3, 2.0), (4, 2.0)])
def test_lkj_survives_the_change_of_coordinates(n: int, eta: float) -> None:
    """The density NUTS sees is LKJ's over R times |dR / dx|, x unconstrained, that by central differences."""
    with pm.Model() as model:
        L = pm.LKJCorr("L", n=n, eta=eta)
    value = model.rvs_to_values[L]
    backward = model.rvs_to_transforms[L].backward(value)
    factor = pm.compile([value], backward, mode=PYTHON)
    below = tuple(np.array(pairs(n)).T)

    def correlations(x: np.ndarray) -> np.ndarray:
        return (factor(x) @ factor(x).T)[below]

    log_p, h = model.compile_logp(mode=PYTHON), 1e-5
    for seed in (1, 2):
        x = np.random.default_rng(seed).normal(size=n * (n - 1) // 2)
        columns = [(correlations(x + h * e) - correlations(x - h * e)) / (2 * h) for e in np.eye(len(x))]
        jacobian = np.linalg.slogdet(np.column_stack(columns))[1]
        expected = LKJ(eta).logpdf(factor(x) @ factor(x).T) + jacobian
        # central differences err by h^2, relative
        assert float(log_p({value.name: x})) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("family", "link"), OF_NUMBERS, ids=[f"{family.name}-{link}" for family, link in OF_NUMBERS])
def test_every_family_with_every_link(family: Any, link: str) -> None:
    rng = np.random.default_rng(5)
    unit = family.response.range == "unit"
    # linear predictors around one whose mean is well inside the support
    middle = 0.4 if unit else 2.0
    trials = rng.integers(3, 9, 20)
    y = {
        "real": rng.normal(2, 1, 20), "positive": rng.gamma(2, 1, 20), "binary": rng.permutation([0, 1] * 10),
        "successes": rng.binomial(trials, 0.4), "count": (count := rng.poisson(2, 20)), "fraction": rng.beta(2, 3, 20),
        "positive_count": 1 + count,
        "nonnegative": rng.gamma(2, 1, 20) * (np.arange(20) % 3 > 0),
        "closed_fraction": np.clip(1.5 * rng.beta(2, 3, 20) - 0.2, 0, 1),
    }[family.response.name]  # fmt: skip
    data = pd.DataFrame({"y": y, "n": trials, "x": rng.uniform(-1, 1, 20), "g": [*"abcde"] * 4})
    left = "p(y, n)" if family.response.trials else "y"
    priors = {"Intercept": "Normal(0, 3)", "x": "Normal(0, 1)", "sd": "HalfNormal(0.5)", "phi": "Gamma(2, 1)"}
    given = {name: text for name, text in priors.items() if name != "phi" or name in family.auxiliary}
    model = bg.GLMM(f"{left} ~ x + (1 | g)", data, family=family.name, link=link, priors=given)

    beta, sd, z = np.array([FORWARD[link](middle), 0.05]), np.array([0.08]), rng.normal(size=(5, 1))
    auxiliary = {
        name: np.float64(
            {"sigma": 1.3, "nu": 6.5, "phi": 2.4, "zi": 0.3, "shape": 1.7, "hu": 0.35, "zoi": 0.4, "coi": 0.7}[name]
        )
        for name in family.auxiliary
    }
    mu = INVERSE[link](beta[0] + beta[1] * data["x"] + sd[0] * np.tile(z[:, 0], 4))
    response = SCIPY[family.name](mu, auxiliary, trials)
    expected = (response.logpmf(y) if FAMILIES[family.name].discrete else response.logpdf(y)).sum()
    expected += stats.norm(0, [3, 1]).logpdf(beta).sum() + stats.halfnorm(scale=0.5).logpdf(sd[0])
    expected += stats.norm.logpdf(z).sum()
    expected += sum(distribution(model.priors[name]).logpdf(value) for name, value in auxiliary.items())
    actual = log_density(model.pymc, {"beta": beta, "sd_g": sd, "z_g": z, **auxiliary})
    assert actual == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("link", LATENT)
def test_ordered_categories_with_every_link(link: str) -> None:
    rng = np.random.default_rng(6)
    data = pd.DataFrame({"y": np.arange(20) % 4 + 1, "x": rng.uniform(-1, 1, 20), "g": [*"abcde"] * 4})
    priors = {"threshold": "Normal(0.3, 2)", "x": "Normal(0, 1)", "sd": "HalfNormal(0.5)"}
    model = bg.GLMM("y ~ x + (1 | g)", data, family="cumulative", link=link, priors=priors)

    thresholds, beta, sd, z = np.array([-0.9, 0.2, 1.6]), np.array([0.7]), np.array([0.4]), rng.normal(size=(5, 1))
    eta = (beta[0] * data["x"] + sd[0] * np.tile(z[:, 0], 4)).to_numpy()
    expected = Ordered(LATENT[link], eta, [*thresholds]).logpmf(data["y"].to_numpy()).sum()
    expected += stats.norm(0.3, 2).logpdf(thresholds).sum() + stats.norm.logpdf(beta).sum()
    expected += stats.halfnorm(scale=0.5).logpdf(sd[0]) + stats.norm.logpdf(z).sum()
    names = {"threshold": thresholds, "b": beta, "beta": beta, "beta[x]": beta[0], "sd_g": sd, "z_g": z}
    assert log_density(model.pymc, names) == pytest.approx(expected, rel=1e-10)
