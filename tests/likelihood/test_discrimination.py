"""A discrimination multiplies thresholds and linear predictor: densities by identity, kernels, extremes and draws."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bayes_glmm.families import FAMILIES, Family, Form, Response, family_of_key, get_link
from bayes_glmm.families.patterns import PATTERNS
from bayes_glmm.inference.kernels.generated import generated, written
from bayes_glmm.names import step
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.numerics.series import SERIES, variables

NAMES = ("cumulative", "sratio", "cratio", "acat")
LINKS = ("logit", "probit", "cloglog", "cauchit")
EVERY = pytest.mark.parametrize(("name", "link"), [(name, link) for name in NAMES for link in LINKS])
SIZES = {step(2): 0.75, step(3): 1.5}
Y = np.array([1.0, 2.0, 3.0, 4.0])


def record(name: str, pattern: str = "flexible", disc: bool = True) -> Family:
    return FAMILIES[name].with_form(Form(4, pattern, disc))  # type: ignore[misc]


def log_density(name: str, link: str, y: np.ndarray, eta: np.ndarray, log_disc: np.ndarray) -> np.ndarray:
    predictors = {"mu": (eta, get_link(link)), "disc": (log_disc, get_link("log"))}
    family = record(name)
    constants = {one: np.array(size) for one, size in SIZES.items()}
    with np.errstate(all="ignore"):
        found = family.log_density(Response(y), family.at(predictors, constants, NUMPY), NUMPY)
    return np.asarray(found)


@EVERY
@pytest.mark.parametrize("disc", [0.25, 1.0, 4.0])
def test_density_is_that_of_multiplied_thresholds(name: str, link: str, disc: float) -> None:
    """A power of 2, so that the products are exact."""
    eta = np.linspace(-3.0, 3.0, 7)[:, None]
    plain = record(name, disc=False)
    sizes = {one: np.array(disc * size) for one, size in SIZES.items()}
    expected = plain.log_density(Response(Y), plain.at({"mu": (disc * eta, get_link(link))}, sizes, NUMPY), NUMPY)
    assert_allclose(log_density(name, link, Y, eta, np.log(np.full_like(eta, disc))), expected, rtol=1e-12)
    total = np.exp(log_density(name, link, Y, eta, np.log(np.full_like(eta, disc)))).sum(axis=1)
    assert_allclose(total, 1.0, rtol=1e-12)


@EVERY
def test_extremes_are_no_nan(name: str, link: str) -> None:
    """Predictors out to 700 in both: probabilities of some category near 1, of others near 0, never undefined."""
    at = np.array([-700.0, -40.0, 0.0, 40.0, 700.0])
    eta, log_disc, y = (one.ravel() for one in np.meshgrid(at, at, Y))
    found = log_density(name, link, y, eta, log_disc)
    assert not np.isnan(found).any()
    assert (found <= 1e-12).all()
    with np.errstate(under="ignore"):
        total = np.exp(found.reshape(5, 5, 4)).sum(axis=2)
    assert_allclose(total, 1.0, rtol=1e-9)


@EVERY
def test_kernel_has_the_value_and_slopes_of_the_series(name: str, link: str) -> None:
    key = record(name).key
    called = generated(key, f"{link}_disc_log")
    rng = np.random.default_rng(2)
    sizes = np.array([*SIZES.values()])
    logs = np.log(sizes)
    for y in Y:
        eta, log_disc = rng.normal(size=2)
        value, slopes, of_sizes = called.row(y, (1.0,), np.array([eta, log_disc]), sizes, logs)
        base = float(log_density(name, link, np.array(y), np.array(eta), np.array(log_disc)))
        shared = called.shared(called.statistics(np.array([y]), np.ones(1)), sizes, logs)
        assert value + shared[0] == pytest.approx(base, rel=1e-12, abs=1e-13)
        h = 1e-5
        by_disc = [log_density(name, link, np.array(y), np.array(eta), np.array(log_disc + k * h)) for k in (1, -1)]
        by_eta = [log_density(name, link, np.array(y), np.array(eta + k * h), np.array(log_disc)) for k in (1, -1)]
        assert slopes[0] == pytest.approx((by_eta[0] - by_eta[1]) / (2 * h), rel=1e-7, abs=1e-8)
        assert slopes[1] == pytest.approx((by_disc[0] - by_disc[1]) / (2 * h), rel=1e-7, abs=1e-8)
        assert len(of_sizes) == 2


@EVERY
def test_draws_have_the_probabilities_of_the_density(name: str, link: str) -> None:
    predictors = {"mu": (np.full(20_000, 0.4), get_link(link)), "disc": (np.full(20_000, 0.6), get_link("log"))}
    family = record(name)
    at = family.at(predictors, {one: np.array(size) for one, size in SIZES.items()}, NUMPY)
    counts = np.bincount(family.draw(np.random.default_rng(3), Response(None), at).astype(int), minlength=5)[1:]
    expected = np.exp(log_density(name, link, Y, np.full(4, 0.4), np.full(4, 0.6))) * 20_000
    assert stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_keys_name_the_form(name: str) -> None:
    for pattern in PATTERNS:
        for disc in (False, True):
            one = FAMILIES[name].with_form(Form(6, pattern, disc))  # type: ignore[misc]
            assert family_of_key(one.key).key == one.key
            assert family_of_key(one.key).parameters == one.parameters
    assert record(name, "equidistant", disc=False).key == f"{name}4_equidistant"
    assert FAMILIES[name].with_form(Form(3, "symmetric")).key == f"{name}3"  # type: ignore[misc]
    assert written(record(name), "logit_disc_log") != written(record(name, "equidistant"), "logit_disc_log")


def test_steps_of_patterns() -> None:
    assert PATTERNS["equidistant"].steps(5) == (step(2),) * 3
    assert PATTERNS["symmetric"].steps(6) == (step(2), step(3), step(3), step(2))
    assert PATTERNS["symmetric"].steps(5) == (step(2), step(3), step(2))
    assert all(pattern.steps(2) == () for pattern in PATTERNS.values())
    assert [pattern.ties(3) for pattern in PATTERNS.values()] == [False] * 3


def test_series_have_the_mixed_derivative() -> None:
    """Along a line in both predictors: the second derivative by differences."""
    family = record("cumulative")

    def along(t: float) -> float:
        return float(log_density("cumulative", "logit", np.array(2.0), np.array(0.3 + t), np.array(0.2 + t)))

    at, constants = variables(np.array(0.0), {one: np.array(size) for one, size in SIZES.items()}, 2)
    predictors = {"mu": (at + 0.3, get_link("logit")), "disc": (at + 0.2, get_link("log"))}
    found = family.log_density(Response(np.array(2.0)), family.at(predictors, constants, SERIES), SERIES)
    h = 1e-4
    assert found.derivative(2) == pytest.approx((along(h) - 2.0 * along(0.0) + along(-h)) / h**2, rel=1e-5)
