"""Averages of counts and successes with zeros of their own, and of quotients, against simulated levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bayes_glmm.design import new_predictors
from bayes_glmm.effects import marginal_coefficients, predict
from bayes_glmm.effects.patterns import encode
from bayes_glmm.effects.readings import READINGS, mean_response
from bayes_glmm.effects.spread import response_moments
from bayes_glmm.errors import SpecError
from bayes_glmm.numerics import conway_maxwell_forms
from bayes_glmm.posterior import posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.test_expect import (
    APART,
    ERRORS,
    LEVELS,
    MINUS,
    PAIR,
    ROWS,
    TOGETHER,
    WITHOUT,
    ZIPS,
    Model,
    assert_simulated,
    averaged,
    data,
    normals,
)
from tests.model.test_log_density import INVERSE

Simulated = Callable[[np.ndarray, np.ndarray], np.ndarray]
HURDLES = {
    "together": Model("hurdle_poisson", "hu", TOGETHER, PAIR),
    "downward": Model("hurdle_poisson", "hu", TOGETHER, MINUS),
    "apart": Model("hurdle_poisson", "hu", WITHOUT, APART),
    "together, sqrt": Model("hurdle_poisson", "hu", TOGETHER, PAIR * 0.2, ("sqrt", "probit"), (1.7, 0.3)),
    "together, cloglog": Model("hurdle_poisson", "hu", TOGETHER, MINUS, ("log", "cloglog")),
    "mu alone": Model("hurdle_poisson", "hu", ("(1 | g)", "w"), np.array([[0.5]])),
    "hu alone": Model("hurdle_poisson", "hu", ("x", "(1 | g)"), np.array([[0.6]])),
    "small counts": Model("hurdle_poisson", "hu", TOGETHER, PAIR, beta=(-3.0, 0.3)),
}


def above(mu: np.ndarray) -> np.ndarray:
    """The mean of Poisson counts that are not 0."""
    return mu / -np.expm1(-mu)


@pytest.mark.parametrize("name", HURDLES)
def test_the_mean_and_the_share_of_zeros_of_a_hurdle(name: str) -> None:
    assert_simulated(HURDLES[name], "mean", lambda mu, hu: (1.0 - hu) * above(mu))
    assert_simulated(HURDLES[name], "zero", lambda _, hu: hu)


@pytest.mark.parametrize("name", HURDLES)
def test_the_mean_of_positive_counts_of_a_hurdle_is_a_ratio_of_two_averages(name: str) -> None:
    assert_ratio(HURDLES[name], lambda mu, hu: (1.0 - hu) * above(mu), lambda _, hu: 1.0 - hu)


@pytest.mark.parametrize("name", ["tilt", "tilt downward", "apart", "plane, sqrt", "mu alone", "zi alone", "slopes"])
def test_so_is_that_of_counts_with_more_zeros(name: str) -> None:
    assert_ratio(ZIPS[name], lambda mu, zi: mu * (1.0 - zi), lambda mu, zi: (1.0 - zi) * -np.expm1(-mu))


def assert_ratio(model: Model, over: Simulated, under: Simulated) -> None:
    """Within the Monte Carlo error of a ratio of means (delta method)."""
    posterior, levels = model.posterior, model.levels()
    first, second = over(*levels), under(*levels)
    first, second = np.broadcast_arrays(first, second)
    ratio = first.mean(axis=1) / second.mean(axis=1)
    error = (first - ratio[:, None] * second).std(axis=1) / second.mean(axis=1) / np.sqrt(LEVELS)
    found = averaged(posterior, posterior.spec.family.parts["positive"])
    assert (np.abs(found - ratio) < ERRORS * error + 1e-12).all(), (found, ratio, error)


def test_positive_counts_are_not_the_average_of_conditional_means() -> None:
    """What data show: drawn counts above 0 have the ratio of averages for their mean."""
    model = Model("hurdle_poisson", "hu", TOGETHER, np.array([[1.0, -0.8], [-0.8, 1.0]]), beta=(1.2, 0.0))
    (mu, hu), rng = model.levels(), np.random.default_rng(3)
    y = np.where(
        rng.uniform(size=mu.shape) < hu, 0, 1 + rng.poisson(mu + np.log1p(-rng.uniform(size=mu.shape) * -np.expm1(-mu)))
    )
    found = averaged(model.posterior, model.posterior.spec.family.parts["positive"])
    for row, values in enumerate(y):
        data, conditional = values[values > 0], above(mu[row]).mean()
        assert abs(found[row] - data.mean()) < ERRORS * data.std() / np.sqrt(len(data))
        assert found[row] > 1.1 * conditional


@pytest.mark.parametrize("terms", [TOGETHER, WITHOUT], ids=["together", "apart"])
def test_a_hurdle_with_effects_in_hu_and_a_constant_shape(terms: tuple[str, str]) -> None:
    G, phi = (PAIR if terms is TOGETHER else APART), 1.7
    model = Model("hurdle_negative_binomial", "hu", terms, G, auxiliary={"phi": phi})

    def mean(mu: np.ndarray, hu: np.ndarray) -> np.ndarray:
        return (1.0 - hu) * mu / (1.0 - (phi / (phi + mu)) ** phi)

    assert_simulated(model, "mean", mean)
    assert_ratio(model, mean, lambda _, hu: 1.0 - hu)


@pytest.mark.parametrize("terms", [TOGETHER, WITHOUT], ids=["together", "apart"])
def test_a_hurdle_with_effects_in_its_shape(terms: tuple[str, str]) -> None:
    G, hu = (PAIR if terms is TOGETHER else APART), 0.3
    model = Model("hurdle_negative_binomial", "phi", terms, G, ("log", "log"), auxiliary={"hu": hu})
    assert_simulated(model, "mean", lambda mu, phi: (1.0 - hu) * mu / (1.0 - (phi / (phi + mu)) ** phi))


def truncated(mu: np.ndarray, phi: np.ndarray, name: str) -> np.ndarray:
    """The mean of counts above zero, by hand."""
    no_zero = 1.0 - ((1.0 + phi) ** (-mu / phi) if name.endswith("_1") else (1.0 + mu / phi) ** -phi)
    return mu / no_zero


@pytest.mark.parametrize("name", ["truncated_negative_binomial", "truncated_negative_binomial_1"])
@pytest.mark.parametrize("terms", [TOGETHER, WITHOUT, ("(1 | g)", "w")], ids=["together", "apart", "mu alone"])
def test_the_mean_of_truncated_counts(name: str, terms: tuple[str, str]) -> None:
    G = {TOGETHER: PAIR, WITHOUT: APART}.get(terms, np.array([[0.5]]))
    model = Model(name, "phi", terms, G, ("log", "log"), response="I(y + 1)")
    assert_simulated(model, "mean", lambda mu, phi: truncated(mu, phi, name))
    assert_simulated(model, "mu", lambda mu, _: mu)


@pytest.mark.parametrize(("link", "beta"), [("log", (-1.0, 0.6)), ("sqrt", (1.2, 0.3))])
def test_the_mean_of_truncated_poisson_counts(link: str, beta: tuple[float, float]) -> None:
    """Small means, where it is far from mu: averaged over the effects of 1e6 levels."""
    spec = ModelSpec.from_formula("I(y + 1) ~ x + (1 | g)", "truncated_poisson", link)
    posterior = posterior_at(spec, data(), beta, {"g": [[0.3]]})
    eta = (beta[0] + beta[1] * ROWS["x"].to_numpy())[:, None] + np.sqrt(0.3) * normals()[:, 0]
    values = above(INVERSE[link](eta))
    error = values.std(axis=1) / np.sqrt(LEVELS)
    (found,) = (averaged(posterior, posterior.spec.family.mean),)
    assert (np.abs(found - values.mean(axis=1)) < ERRORS * error).all(), (found, values.mean(axis=1), error)
    assert list(posterior.spec.family.parts) == ["mean", "mu"]


@pytest.mark.parametrize("terms", [TOGETHER, ("(1 | g)", "w")], ids=["together", "mu alone"])
def test_the_mean_and_the_share_of_zeros_of_conway_maxwell_counts(terms: tuple[str, str]) -> None:
    """The mean is that of mu; the share against 20,000 levels, each with the sum of its own terms."""
    G = PAIR if terms is TOGETHER else np.array([[0.5]])
    model = Model("com_poisson", "phi", terms, 0.4 * G, ("log", "log"))
    assert_simulated(model, "mean", lambda mu, _: mu)
    posterior, levels = model.posterior, 20_000
    mu, phi = (np.broadcast_to(one, (len(ROWS), LEVELS))[:, :levels] for one in model.levels())
    zero = np.exp(conway_maxwell_forms.density(0.0, np.log(mu), -np.log(phi)))
    found, error = averaged(posterior, posterior.spec.family.parts["zero"]), zero.std(axis=1) / np.sqrt(levels)
    assert (np.abs(found - zero.mean(axis=1)) < ERRORS * error).all(), (found, zero.mean(axis=1), error)


@pytest.mark.parametrize("phi", [0.1, 0.6])
def test_averages_of_counts_with_little_spread(phi: float) -> None:
    """Their share of zeros is nearly max(0, 1 - mu) and their variance has corners: against 40,000 nodes."""
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", "com_poisson")
    posterior = posterior_at(spec, data(), (0.4, 0.5), {"g": [[0.5]]}, {"phi": phi})
    z = np.linspace(-8.5, 8.5, 40_001)
    weights, log_phi = stats.norm.pdf(z) * (z[1] - z[0]), np.log(phi)
    eta = (0.4 + 0.5 * ROWS["x"].to_numpy())[:, None] + np.sqrt(0.5) * z
    zero = np.exp(conway_maxwell_forms.density(0.0, eta, -log_phi)) @ weights
    assert_allclose(averaged(posterior, posterior.spec.family.parts["zero"]), zero, rtol=1e-9)
    mean, total = response_moments(posterior, new_predictors(posterior.design, ROWS), np.arange(1))
    spread = (conway_maxwell_forms.variance(eta, -log_phi) + np.exp(2.0 * eta)) @ weights - (np.exp(eta) @ weights) ** 2
    assert_allclose(mean[0], np.exp(eta) @ weights, rtol=1e-12)
    assert_allclose(total[0], spread, rtol=1e-8)


@pytest.mark.parametrize("terms", [TOGETHER, WITHOUT], ids=["together", "apart"])
def test_the_share_of_zeros_of_a_negative_binomial_by_dispersion(terms: tuple[str, str]) -> None:
    G = PAIR if terms is TOGETHER else APART
    model = Model("negative_binomial_1", "phi", terms, G, ("log", "log"))
    assert_simulated(model, "zero", lambda mu, phi: (1.0 + phi) ** (-mu / phi))
    assert_simulated(model, "mean", lambda mu, _: mu)


@pytest.mark.parametrize("terms", [TOGETHER, WITHOUT], ids=["together", "apart"])
def test_zeros_of_an_inflated_negative_binomial(terms: tuple[str, str]) -> None:
    G, phi = (PAIR if terms is TOGETHER else APART), 1.7
    model = Model("zero_inflated_negative_binomial", "zi", terms, G, auxiliary={"phi": phi})

    def some(mu: np.ndarray, zi: np.ndarray) -> np.ndarray:
        return (1.0 - zi) * (1.0 - (phi / (phi + mu)) ** phi)

    assert_simulated(model, "mean", lambda mu, zi: (1.0 - zi) * mu)
    assert_simulated(model, "zero", lambda mu, zi: 1.0 - some(mu, zi))
    assert_ratio(model, lambda mu, zi: (1.0 - zi) * mu, some)


@pytest.mark.parametrize("terms", [TOGETHER, WITHOUT], ids=["together", "apart"])
@pytest.mark.parametrize("link", ["logit", "probit"])
def test_the_mean_of_successes_with_more_zeros(terms: tuple[str, str], link: str) -> None:
    G = PAIR if terms is TOGETHER else APART
    model = Model("zero_inflated_binomial", "zi", terms, G, (link, "logit"), response="p(y, 9)")
    assert_simulated(model, "mean", lambda mu, zi: (1.0 - zi) * mu)


def test_what_is_no_inverse_link_is_refused_on_the_link_scale() -> None:
    posterior = HURDLES["together"].posterior
    with pytest.raises(SpecError, match="mean above zero is not the inverse link of a predictor"):
        predict(posterior, ROWS, scale="link", part="positive")
    hu, zero = (predict(posterior, ROWS, scale="link", part=part).table["estimate"] for part in ("hu", "zero"))
    assert_allclose(hu, zero, rtol=1e-14)  # of a hurdle one is the other
    with pytest.raises(SpecError, match="probability of a zero is not the inverse link"):
        predict(ZIPS["tilt"].posterior, ROWS, scale="link", part="zero")


def test_marginal_coefficients_of_a_mean_of_both_parts_have_a_note() -> None:
    (note,) = marginal_coefficients(HURDLES["together"].posterior).notes
    assert "depends on hu and mu" in note


@pytest.mark.parametrize("name", ["together", "downward", "together, cloglog", "small counts"])
@pytest.mark.parametrize("count", [3, 400])
def test_products_along_one_part_are_those_over_the_plane(name: str, count: int) -> None:
    """With many rows the inner average is read off a table; both rules are good to 3e-7 of the size of the mean."""
    posterior = HURDLES[name].posterior
    rows = pd.DataFrame({"x": np.linspace(-2.0, 2.0, count), "w": np.linspace(1.0, -1.0, count), "g": "a"})
    predictors = encode(posterior.design, rows)
    mean = posterior.spec.family.mean
    found, plane = (
        mean_response(posterior, predictors, READINGS["integrated"], part=part)
        for part in (mean, replace(mean, factors=()))
    )
    assert_allclose(found, plane, rtol=2e-6)
