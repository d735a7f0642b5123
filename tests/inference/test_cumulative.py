"""Ordered categories in every coordinate: the compiled posterior, the PyMC model, and log p written out with SciPy.

The canonical problem has thresholds as an intercept, -c_1, and positive steps; that change has a Jacobian of one.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pytensor.compile.mode import Mode
from scipy import optimize, stats

import bayes_glmm as bg
from bayes_glmm.design import Problem
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.densities.fixed_inputs import fixed_density
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.whitening import whitening_for
from bayes_glmm.names import step
from tests.inference.jacobian import gaps, of_groups
from tests.model.test_log_density import INVERSE, log_density

PYTHON = Mode(linker="py", optimizer="fast_compile")  # a few evaluations are not worth a compiler
LINKS = ("logit", "probit", "cloglog", "cauchit")
STRUCTURES = {
    "intercept": "y ~ x + f + (1 | g)",
    "slopes": "y ~ x + (x | g)",
    "crossed": "y ~ x + (1 | g) + (1 | h)",
}
PRIORS = {
    "default": {},
    "normal": {"threshold": "Normal(0, 2)", "beta": "Normal(0, 1)"},
    "each its own": {
        "threshold[1|2]": "StudentT(4, -1, sigma=2)",
        "threshold[2|3]": "Laplace(0.5, 1.5)",
        "threshold[3|4]": "Cauchy(1, 2)",
        "beta": "Normal(0, 1)",
    },
}


@cache
def data() -> pd.DataFrame:
    rng, n = np.random.default_rng(12), 90
    frame = pd.DataFrame(
        {
            "x": rng.normal(3.0, 1.5, n).round(3),
            "f": rng.choice(list("pqr"), n),
            "g": rng.integers(0, 12, n),
            "h": rng.integers(0, 5, n),
        }
    )
    latent = 0.6 * (frame["x"] - 3.0) + rng.normal(size=12)[frame["g"]] + rng.logistic(size=n)
    return frame.assign(y=np.digitize(latent, [-1.2, 0.1, 1.4]) + 1)


@cache
def problem(formula: str, link: str, priors: str) -> Problem:
    return bg.GLMM(formula, data(), "cumulative", link, PRIORS[priors]).problem


@cache
def whitened(formula: str, link: str, priors: str) -> Density:
    whitening, why = whitening_for(problem(formula, link, priors).canonical)
    assert whitening is not None, why
    density = whitened_density(whitening)
    assert density is not None
    return density


@cache
def without_groups(link: str, priors: str) -> Density:
    density = fixed_density(problem("y ~ x + f", link, priors).canonical)
    assert density is not None
    return density


def moved(canonical: Problem, density: Density, x: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """A point as the PyMC model has it, by name, and its coordinates in one vector."""
    draw, design = density.expand(x), canonical.design
    sizes = [float(draw[step(k)]) for k in range(2, len(design.categories))]
    threshold = np.concatenate([[0.0], np.cumsum(sizes)]) - draw["beta"][0]
    slopes = draw["beta"][1:]
    values = {"threshold": threshold, "b": slopes}
    values |= {f"beta[{name}]": value for name, value in zip(design.coefficients[1:], slopes, strict=True)}
    values |= {f"b[{name}]": value for name, value in zip(design.coefficients[1:], slopes, strict=True)}
    flat = [threshold, slopes]
    of_random, flat_random = of_groups(design, draw)
    return values | of_random, np.concatenate([*flat, *flat_random])


@pytest.mark.parametrize(
    ("name", "link", "priors"),
    [
        ("intercept", "logit", "default"),
        ("intercept", "logit", "normal"),
        ("intercept", "logit", "each its own"),
        pytest.param("slopes", "logit", "default", marks=pytest.mark.slow),
        ("crossed", "logit", "default"),
        *(pytest.param("intercept", link, "default", marks=pytest.mark.slow) for link in LINKS[1:]),
        pytest.param("slopes", "probit", "normal", marks=pytest.mark.slow),
        pytest.param("crossed", "cauchit", "each its own", marks=pytest.mark.slow),
    ],
)
def test_whitened_density_is_the_plain_models_and_the_jacobian(name: str, link: str, priors: str) -> None:
    formula = STRUCTURES[name]
    found = gaps(moved, problem(formula, link, priors).canonical, whitened(formula, link, priors))
    assert_allclose(found, 0.0, atol=1e-8 * 150.0)  # of values of order 150


@pytest.mark.parametrize("priors", PRIORS)
@pytest.mark.parametrize("link", ["logit", *(pytest.param(link, marks=pytest.mark.slow) for link in LINKS[1:])])
def test_density_without_groups_is_the_plain_models_and_the_jacobian(link: str, priors: str) -> None:
    found = gaps(moved, problem("y ~ x + f", link, priors).canonical, without_groups(link, priors))
    assert_allclose(found, found[0], atol=1e-8)  # a constant, of the linear map, is left out


def assert_gradient(density: Density) -> None:
    x = density.start + 0.2 * np.random.default_rng(7).normal(size=len(density.start))
    numerical = [(density(x + along)[0] - density(x - along)[0]) / 2e-5 for along in 1e-5 * np.eye(len(x))]
    # values of order 100 err by 1e-14, their differences by 1e-9
    assert_allclose(density(x)[1], numerical, rtol=1e-6, atol=3e-7)


@pytest.mark.parametrize(
    ("name", "link"),
    [
        *((name, "logit") for name in STRUCTURES),
        *(pytest.param("intercept", link, marks=pytest.mark.slow) for link in LINKS[1:]),
    ],
)
def test_gradients_are_those_of_the_values(name: str, link: str) -> None:
    assert_gradient(whitened(STRUCTURES[name], link, "default"))


@pytest.mark.parametrize("priors", PRIORS)
def test_so_they_are_without_groups(priors: str) -> None:
    assert_gradient(without_groups("logit", priors))


def by_hand(link: str, threshold: np.ndarray, beta: np.ndarray, sd: float, z: np.ndarray) -> float:
    """Log likelihood and density of z of ``y ~ x + (1 | g)``, by differences of SciPy's distribution functions."""
    frame = data()
    eta = beta[0] * frame["x"].to_numpy() + sd * z[frame["g"]]
    cuts = np.concatenate([[-np.inf], threshold, [np.inf]])
    y = frame["y"].to_numpy()
    with np.errstate(over="ignore"):
        shares = INVERSE[link](cuts[y] - eta) - INVERSE[link](cuts[y - 1] - eta)
    return float(np.log(shares).sum() + stats.norm.logpdf(z).sum())


@pytest.mark.parametrize("link", LINKS)
def test_the_pymc_model_with_given_priors_is_scipys(link: str) -> None:
    """Priors hold for what is written: thresholds at x = 0, one a threshold."""
    priors = {"threshold": "Normal(0.5, 2)", "beta": "Normal(0.2, 0.7)", "sd": "HalfNormal(1.5)"}
    model, rng = bg.GLMM("y ~ x + (1 | g)", data(), "cumulative", link, priors).pymc, np.random.default_rng(1)
    for _ in range(3):
        threshold, beta, sd = np.sort(rng.normal(1.0, 1.5, 3)), rng.normal(0.3, 0.2, 1), rng.uniform(0.3, 1.0)
        z = rng.normal(size=(12, 1))
        values = {"threshold": threshold, "b": beta, "beta[x]": beta[0], "sd_g": [sd], "z_g": z}
        expected = by_hand(link, threshold, beta, sd, z[:, 0])
        expected += stats.norm(0.5, 2.0).logpdf(threshold).sum() + stats.norm(0.2, 0.7).logpdf(beta).sum()
        expected += stats.halfnorm(scale=1.5).logpdf(sd)
        assert log_density(model, {one.name: values[one.name] for one in model.free_RVs}) == pytest.approx(expected)


DEFAULTS = {
    "logit": stats.logistic(),
    "probit": stats.norm(),
    # a normal with the mean and the sd of the distribution that cloglog inverts
    "cloglog": stats.norm(-0.5772, 1.2825),
    "cauchit": stats.cauchy(),
}


@pytest.mark.parametrize("link", LINKS)
def test_the_default_prior_is_scipys_at_the_centre(link: str) -> None:
    """Thresholds less the linear predictor at the mean of x have the default prior, the slope Normal(0, 2.5 / sd)."""
    model, x = bg.GLMM("y ~ x + (1 | g)", data(), "cumulative", link), data()["x"]
    rng, plain = np.random.default_rng(1), model.pymc
    T = model.priors.canonical.location.T
    for _ in range(3):
        threshold, beta, sd = np.sort(rng.normal(1.0, 1.5, 3)), rng.normal(0.3, 0.2, 1), rng.uniform(0.3, 1.0)
        z, at_centre = rng.normal(size=(12, 1)), threshold - beta[0] * x.mean()
        b = beta / T[1, 1]
        values = {"threshold_at_centre": at_centre, "b": b, "b[x]": b[0], "sd_g": [sd], "z_g": z}
        expected = by_hand(link, threshold, beta, sd, z[:, 0]) + DEFAULTS[link].logpdf(at_centre).sum()
        scale = 2.5 / x.std(ddof=0)
        expected += stats.norm(0.0, scale).logpdf(beta).sum() + np.log(abs(T[1, 1]))
        expected += stats.t(3, scale=2.5).logpdf(sd) + np.log(2.0)
        found = log_density(plain, {one.name: values[one.name] for one in plain.free_RVs})
        assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("link", ["logit", "probit", "cauchit"])
def test_default_thresholds_are_flat_over_the_probabilities(link: str) -> None:
    """Prior draws at the centre: the shares of four categories are Dirichlet(1, 1, 1, 1)."""
    import pymc as pm

    model = bg.GLMM("y ~ x", data(), "cumulative", link).pymc
    drawn = pm.draw(model["threshold_at_centre"], draws=2000, mode=PYTHON, random_seed=5)
    assert (np.diff(drawn, axis=1) > 0).all()
    shares = np.diff(INVERSE[link](drawn), axis=1, prepend=0.0, append=1.0)
    for share in shares.T:
        assert stats.kstest(share, stats.beta(1, 3).cdf).pvalue > 1e-4


def test_prior_draws_of_different_thresholds_are_those_in_order() -> None:
    """Normal(0, 1) below Normal(1, 2): a pair of independent ones, given its order, against rejection here."""
    frame = data().assign(y=lambda d: d["y"].clip(upper=3))
    priors = {"threshold[1|2]": "Normal(0, 1)", "threshold[2|3]": "Normal(1, sigma=2)"}
    drawn = bg.GLMM("y ~ 1", frame, "cumulative", priors=priors).prior_predictive(draws=2000, seed=3)
    found = drawn["prior"]["threshold"].to_numpy()[0]
    pairs = np.random.default_rng(4).normal([0.0, 1.0], [1.0, 2.0], (100_000, 2))
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    for k in range(2):
        assert stats.ks_2samp(found[:, k], pairs[:, k]).pvalue > 1e-4


@pytest.mark.parametrize("prior", ["Normal(0, tau=4)", "StudentT(30, 0, lam=4)"])
def test_prior_draws_have_the_precision_that_is_given(prior: str) -> None:
    """A precision of 4 is an sd of 1 / 2: the middle one of three ordered normals has an sd of .669 times that."""
    drawn = bg.GLMM("y ~ 1", data(), "cumulative", priors={"threshold": prior}).prior_predictive(draws=2000, seed=3)
    assert drawn["prior"]["threshold"].to_numpy()[0, :, 1].std() == pytest.approx(0.5 * 0.669, rel=0.1)


def test_the_maximum_of_the_posterior_is_the_shares_where_there_is_nothing_else() -> None:
    """Without predictors and under flat priors thresholds are the logits of the shares of rows up to each category."""
    canonical = bg.GLMM("y ~ 1", data(), "cumulative", priors={"threshold": "Flat()"}).problem.canonical
    density = fixed_density(canonical)
    assert density is not None
    below = np.array([(data()["y"] <= k).mean() for k in (1, 2, 3)])
    expected = np.log(below) - np.log1p(-below)

    def negative(x: np.ndarray) -> tuple[float, np.ndarray]:
        """Less the logarithms of the steps, which are the Jacobian of their coordinates."""
        value, slope = density(x)
        jacobian = np.log(np.diff(moved(canonical, density, x)[0]["threshold"])).sum()
        numerical = [
            np.log(np.diff(moved(canonical, density, x + along)[0]["threshold"])).sum() - jacobian
            for along in 1e-7 * np.eye(len(x))
        ]
        return jacobian - value, np.array(numerical) / 1e-7 - slope

    found = optimize.minimize(negative, density.start, jac=True, method="BFGS")
    assert_allclose(moved(canonical, density, found.x)[0]["threshold"], expected, atol=1e-4)
