"""Averages over effects of several parameters against simulated levels, which know neither rule nor closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import mpmath
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bayes_glmm.design import Predictors, new_predictors
from bayes_glmm.effects import predict, response_icc, response_variance
from bayes_glmm.effects.expect import expect
from bayes_glmm.effects.spread import response_moments
from bayes_glmm.effects.trapezoid import plane_expectation
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Functional, get_link
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.predictive import fixed_predictor
from bayes_glmm.spec import ModelSpec
from tests.model.test_log_density import INVERSE

LEVELS = 1_000_000
ERRORS = 5.0  # Monte Carlo standard errors
ROWS = pd.DataFrame({"x": [-1.0, 0.3, 1.5], "w": [0.5, -0.8, 0.0]})
PAIR = np.array([[0.5, 0.35], [0.35, 0.6]])
MINUS = PAIR * np.array([[1.0, -1.0], [-1.0, 1.0]])
APART = np.diag([0.5, 0.6])
TOGETHER = ("(1 |i| g)", "(1 |i| g)")
WITHOUT = ("(1 | g)", "(1 | g)")


def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    n = 80
    return pd.DataFrame(
        {
            "y": rng.poisson(2.0, n) * (np.arange(n) % 3 > 0),
            "x": rng.normal(size=n),
            "w": rng.normal(size=n),
            "g": np.arange(n) % 8,
            "h": np.arange(n) % 5,
        }
    )


@cache
def normals() -> np.ndarray:
    """Standardised effects of the simulated levels."""
    return np.random.default_rng(7).normal(size=(LEVELS, 3))


@dataclass(frozen=True)
class Model:
    """Two parameters, x in the first and w in the second, and one draw of everything."""

    family: str
    name: str
    terms: tuple[str, str]
    G: np.ndarray
    links: tuple[str, str] = ("log", "logit")
    beta: tuple[float, float] = (0.4, 0.3)
    further: tuple[float, float] = (-0.6, 0.5)
    auxiliary: Mapping[str, float] = field(default_factory=dict)
    response: str = "y"

    @property
    def posterior(self) -> Posterior:
        spec = ModelSpec.from_formula(
            [f"{self.response} ~ x + {self.terms[0]}", f"{self.name} ~ w + {self.terms[1]}"],
            self.family,
            {"mu": self.links[0], self.name: self.links[1]},
        )
        further = {self.name: self.further}
        return posterior_at(spec, data(), self.beta, {"g": self.G}, self.auxiliary, further=further)

    def levels(self) -> tuple[np.ndarray, np.ndarray]:
        """Both parameters at each row in simulated levels [row, level]."""
        effects = self.posterior.design.blocks[0].effects
        u = normals()[:, : len(effects)] @ np.linalg.cholesky(self.G).T
        slopes = {"Intercept": 1.0, "x": ROWS["x"].to_numpy()[:, None], "w": ROWS["w"].to_numpy()[:, None]}
        eta = []
        for fixed, column, prefix in ((self.beta, "x", ""), (self.further, "w", f"{self.name}_")):
            own = fixed[0] + fixed[1] * ROWS[column].to_numpy()[:, None] + np.zeros(LEVELS)
            for k, effect in enumerate(effects):
                if effect.startswith(f"{self.name}_") == bool(prefix):
                    own = own + slopes[effect.removeprefix(prefix)] * u[:, k]
            eta.append(own)
        return INVERSE[self.links[0]](eta[0]), INVERSE[self.links[1]](eta[1])


def averaged(posterior: Posterior, functional: Functional) -> np.ndarray:
    """By the package, at each row of the only draw."""
    predictors = new_predictors(posterior.design, ROWS)
    return expect(posterior, functional, predictors, at_zero(posterior, predictors))[0]


def at_zero(posterior: Posterior, predictors: Predictors) -> dict[str, np.ndarray]:
    return {name: fixed_predictor(posterior, predictors, parameter=name) for name in predictors.parameters}


def assert_simulated(model: Model, part: str, simulated: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    posterior = model.posterior
    values = simulated(*model.levels())
    error = values.std(axis=1) / np.sqrt(LEVELS)
    found = averaged(posterior, posterior.spec.family.parts[part])
    assert (np.abs(found - values.mean(axis=1)) < ERRORS * error + 1e-12).all(), (found, values.mean(axis=1), error)


def zip_model(terms: Sequence[str], G: np.ndarray, *links: str, beta: tuple[float, float] = (0.4, 0.3)) -> Model:
    return Model("zero_inflated_poisson", "zi", (terms[0], terms[1]), G, (links[0], links[1]), beta)


ZIPS = {
    "tilt": zip_model(TOGETHER, PAIR, "log", "logit"),
    "tilt downward": zip_model(TOGETHER, MINUS, "log", "logit"),
    "tilt, probit": zip_model(TOGETHER, PAIR, "log", "probit"),
    "tilt, cloglog": zip_model(TOGETHER, PAIR, "log", "cloglog"),
    "tilt, cauchit": zip_model(TOGETHER, MINUS, "log", "cauchit"),
    "apart": zip_model(WITHOUT, APART, "log", "logit"),
    "apart, identity": zip_model(WITHOUT, APART * 0.1, "identity", "logit", beta=(3.0, 0.5)),
    "plane, identity": zip_model(TOGETHER, PAIR * 0.1, "identity", "logit", beta=(3.0, 0.5)),
    "plane, sqrt": zip_model(TOGETHER, PAIR * 0.2, "sqrt", "probit", beta=(1.7, 0.3)),
    "plane, sqrt, cloglog": zip_model(TOGETHER, MINUS * 0.2, "sqrt", "cloglog", beta=(1.7, 0.3)),
    "mu alone": zip_model(("(1 | g)", "w"), np.array([[0.5]]), "log", "logit"),
    "zi alone": zip_model(("x", "(1 | g)"), np.array([[0.6]]), "log", "logit"),
    "slopes": zip_model(
        ("(x |i| g)", "(1 |i| g)"),
        np.array([[0.5, 0.1, 0.2], [0.1, 0.3, -0.15], [0.2, -0.15, 0.6]]),
        "log",
        "logit",
    ),
}


@pytest.mark.parametrize("name", ZIPS)
def test_the_mean_of_counts_with_zeros(name: str) -> None:
    assert_simulated(ZIPS[name], "mean", lambda mu, zi: mu * (1.0 - zi))


@pytest.mark.parametrize("name", ["tilt", "tilt, cloglog", "apart", "plane, sqrt", "mu alone", "zi alone", "slopes"])
def test_the_share_of_zeros(name: str) -> None:
    assert_simulated(ZIPS[name], "zero", lambda mu, zi: zi + (1.0 - zi) * np.exp(-mu))


@pytest.mark.parametrize("name", ["plane, sqrt", "tilt, cauchit"])
def test_each_parameter_by_itself(name: str) -> None:
    assert_simulated(ZIPS[name], "mu", lambda mu, _: mu)
    assert_simulated(ZIPS[name], "zi", lambda _, zi: zi)


LOCATION_SCALE = Model("gaussian", "sigma", TOGETHER, PAIR, ("identity", "log"))
NEGATIVE_BINOMIALS = {
    "together": Model("negative_binomial", "phi", TOGETHER, PAIR, ("log", "log")),
    "apart": Model("negative_binomial", "phi", WITHOUT, APART, ("log", "log")),
    "phi alone": Model("negative_binomial", "phi", ("x", "(1 | g)"), np.array([[0.6]]), ("log", "log")),
}


@pytest.mark.parametrize("name", NEGATIVE_BINOMIALS)
def test_the_share_of_zeros_of_a_negative_binomial(name: str) -> None:
    assert_simulated(NEGATIVE_BINOMIALS[name], "zero", lambda mu, phi: (phi / (phi + mu)) ** phi)


@pytest.mark.parametrize("terms", [TOGETHER, WITHOUT], ids=["together", "apart"])
def test_the_standard_deviation_of_a_normal_response(terms: tuple[str, str]) -> None:
    G = PAIR if terms is TOGETHER else APART
    model = Model("gaussian", "sigma", terms, G, ("identity", "log"))
    assert_simulated(model, "sigma", lambda _, sigma: sigma)
    assert_simulated(model, "mean", lambda mu, _: mu)
    posterior = model.posterior
    expected = np.exp(model.further[0] + model.further[1] * ROWS["w"] + 0.5 * G[1, 1])  # lognormal, in closed form
    assert_allclose(averaged(posterior, posterior.spec.family.parts["sigma"]), expected, rtol=1e-13)


def test_predictions_are_these_averages() -> None:
    posterior = ZIPS["tilt"].posterior
    for part in ("mean", "zero", "zi"):
        table = predict(posterior, ROWS, "integrated", part=part).table
        assert_allclose(table["estimate"], averaged(posterior, posterior.spec.family.parts[part]), rtol=1e-10)


@pytest.mark.parametrize("name", ["tilt", "apart", "zi alone", "plane, sqrt", "location-scale"])
def test_the_variance_of_the_response(name: str) -> None:
    """Of responses that are drawn, one in each simulated level."""
    model = ZIPS.get(name, LOCATION_SCALE)
    rng, (first, second) = np.random.default_rng(3), model.levels()
    if model.family == "gaussian":
        y = rng.normal(first, second)
    else:
        y = np.where(rng.uniform(size=first.shape) < second, 0.0, rng.poisson(first))
    posterior, squares = model.posterior, (y - y.mean(axis=1, keepdims=True)) ** 2
    mean, variance = response_moments(posterior, new_predictors(posterior.design, ROWS), np.arange(1))
    assert (np.abs(mean[0] - y.mean(axis=1)) < ERRORS * y.std(axis=1) / np.sqrt(LEVELS)).all()
    assert (np.abs(variance[0] - squares.mean(axis=1)) < ERRORS * squares.std(axis=1) / np.sqrt(LEVELS)).all()


def test_the_variance_of_a_location_scale_model_in_closed_form() -> None:
    eta = LOCATION_SCALE.further[0] + LOCATION_SCALE.further[1] * ROWS["w"].to_numpy()
    table = response_variance(LOCATION_SCALE.posterior, ROWS).table
    found = {name: part["estimate"].to_numpy() for name, part in table.groupby("quantity")}
    assert_allclose(found["mean"], LOCATION_SCALE.beta[0] + LOCATION_SCALE.beta[1] * ROWS["x"], rtol=1e-12)
    # the rule for two parameters is good to some 1e-7 of the second moment
    assert_allclose(found["variance"], PAIR[0, 0] + np.exp(2.0 * eta + 2.0 * PAIR[1, 1]), rtol=1e-5)
    assert_allclose(found["correlation"], PAIR[0, 0] / found["variance"], rtol=1e-9)


def test_a_correlation_that_is_not_there_is_left_out_in_words() -> None:
    found = response_variance(ZIPS["tilt"].posterior, ROWS)
    assert set(found.table["quantity"]) == {"mean", "variance", "dispersion"}
    assert "The correlation within g is not there" in found.notes[0]
    with pytest.raises(SpecError, match="The correlation within g is not there"):
        response_icc(ZIPS["tilt"].posterior)


def over_normal(function: Callable[[mpmath.mpf], mpmath.mpf]) -> float:
    """E f(Z) by adaptive Gauss-Legendre."""
    cuts = [-38, -20, -10, -5, -3, -2, -1, 0, 1, 2, 3, 5, 10, 20, 38]
    return float(mpmath.quad(lambda z: function(z) * mpmath.npdf(z), cuts))


@pytest.mark.parametrize("sd", [0.3, 1.0, 2.0, 3.0])
def test_the_share_of_zeros_is_exact_for_any_sd(sd: float) -> None:
    model = zip_model(("(1 | g)", "w"), np.array([[sd**2]]), "log", "logit")
    eta = model.beta[0] + model.beta[1] * ROWS["x"]
    zi = INVERSE["logit"](model.further[0] + model.further[1] * ROWS["w"])
    zeros = np.array([over_normal(lambda z: mpmath.exp(-mpmath.exp(at + sd * z))) for at in eta])  # noqa: B023
    posterior = model.posterior
    assert_allclose(averaged(posterior, posterior.spec.family.parts["zero"]), zi + (1.0 - zi) * zeros, rtol=1e-9)


@pytest.mark.parametrize("sd", [0.3, 2.0, 3.0])
def test_so_is_that_of_a_negative_binomial(sd: float) -> None:
    model = Model("negative_binomial", "phi", ("x", "(1 | g)"), np.array([[sd**2]]), ("log", "log"))
    mu = np.exp(model.beta[0] + model.beta[1] * ROWS["x"])
    eta = model.further[0] + model.further[1] * ROWS["w"]

    def zero(z: mpmath.mpf, mu: float, eta: float) -> mpmath.mpf:
        phi = mpmath.exp(eta + sd * z)
        return mpmath.exp(-phi * mpmath.log1p(mu / phi))

    expected = [over_normal(lambda z: zero(z, *pair)) for pair in zip(mu, eta, strict=True)]  # noqa: B023
    posterior = model.posterior
    assert_allclose(averaged(posterior, posterior.spec.family.parts["zero"]), expected, rtol=1e-9)


@pytest.mark.parametrize("links", [("probit", "sqrt"), ("sqrt", "probit")], ids="-".join)
@pytest.mark.parametrize("rho", [-1.0, 1.0])
def test_the_rule_for_two_does_not_depend_on_which_is_first(links: tuple[str, str], rho: float) -> None:
    """E (a + s X)^2 Phi(b + t Y), with a covariance that is singular, is one integral."""
    at, sd = {"sqrt": 0.3, "probit": -0.5}, {"sqrt": 0.5, "probit": 2.0}
    expected = over_normal(lambda z: (0.3 + 0.5 * z) ** 2 * mpmath.ncdf(-0.5 + 2.0 * rho * z))

    def function(*eta: np.ndarray) -> np.ndarray:
        given = dict(zip(links, eta, strict=True))
        return given["sqrt"] ** 2 * stats.norm.cdf(given["probit"])

    first, second = links
    V = [[sd[first] ** 2, rho * sd[first] * sd[second]], [rho * sd[first] * sd[second], sd[second] ** 2]]
    found = plane_expectation(
        function, [get_link(name) for name in links], [np.array([at[name]]) for name in links], np.array([V])
    )
    assert_allclose(found, expected, rtol=2e-6)  # the rule is good to some 1e-7


@cache
def three() -> Posterior:
    spec = ModelSpec.from_formula(
        ["y ~ x + (1 |i| g)", "sigma ~ 1 + (1 |i| g)", "nu ~ 1 + (1 |i| g)"], family="student_t"
    )
    G = 0.2 * np.eye(3) + 0.1
    return posterior_at(spec, data(), [0.0, 0.3], {"g": G}, further={"sigma": [0.1], "nu": [2.0]})


def test_effects_in_more_than_two_parameters_are_refused_in_words() -> None:
    posterior = three()
    reads = ("mu", "sigma", "nu")
    functional = Functional("tail", "tail", reads, lambda at: at["mu"].value * at["sigma"].value / at["nu"].value)
    with pytest.raises(SpecError, match=r"random effects of mu, sigma, nu together are not there.*'known' or 'new'"):
        averaged(posterior, functional)
    with pytest.raises(SpecError, match="mu, sigma, nu together"):
        response_variance(posterior, ROWS)
    for part in ("mean", "sigma", "nu"):  # each by itself is there
        assert np.isfinite(averaged(posterior, posterior.spec.family.parts[part])).all()
