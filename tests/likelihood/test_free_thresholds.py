"""Families with free thresholds against mpmath, their draws, and the identities that tie them to other families.

Thresholds are given as people write them, in any order. A family has -c_1 in the linear predictor, and differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bayes_glmm.families import FAMILIES, Family, Response, family_of_key, get_link
from bayes_glmm.inference.kernels.generated import generated
from bayes_glmm.inference.kernels.loops import FORMS
from bayes_glmm.names import step
from bayes_glmm.numerics.functions import NUMPY, Functions, pytensor_functions
from bayes_glmm.numerics.series import SERIES, variables
from tests.likelihood.test_cumulative import ETA, LINKS, LOWER, MIDDLE, PYTHON, UPPER

NAMES = ("sratio", "cratio", "acat")
EVERY = pytest.mark.parametrize(("name", "link"), [(name, link) for name in NAMES for link in LINKS])
RIGHT = ["logit", *(pytest.param(link, marks=pytest.mark.slow) for link in LINKS[1:])]


def shares(name: str, link: str, thresholds: Sequence[Any], eta: Any) -> list[Any]:
    """Log P(y = k) of k = 1, ..., K by mpmath, as the families are defined."""
    sign = 1 if name == "sratio" else -1
    at = [sign * (mpmath.mpf(c) - eta) for c in thresholds]
    lower, upper = [LOWER[link](x) for x in at], [UPPER[link](x) for x in at]
    if name == "acat":
        sums = [mpmath.fsum(upper[j] for j in range(k, len(at))) + mpmath.fsum(lower[:k]) for k in range(len(at) + 1)]
        most = max(sums)
        total = most + mpmath.log(mpmath.fsum(mpmath.exp(one - most) for one in sums))
        return [one - total for one in sums]
    stop, on = (lower, upper) if name == "sratio" else (upper, lower)
    reached = [mpmath.fsum(on[:k]) for k in range(len(at) + 1)]
    return [*(a + b for a, b in zip(reached, stop, strict=False)), reached[-1]]


@dataclass(frozen=True)
class Cuts:
    """A family's name and its thresholds."""

    name: str
    thresholds: tuple[float, ...]

    @property
    def family(self) -> Family:
        return family_of_key(f"{self.name}{len(self.thresholds) + 1}")

    @property
    def steps(self) -> dict[str, float]:
        return {step(k): float(size) for k, size in enumerate(np.diff(self.thresholds), start=2)}

    def at(self, link: str, eta: Any, f: Functions = NUMPY) -> Any:
        steps = {name: np.array(size) for name, size in self.steps.items()}
        return self.family.at({"mu": (eta - self.thresholds[0], get_link(link))}, steps, f)

    def log_density(self, link: str, y: Any, eta: Any, f: Functions = NUMPY) -> Any:
        """At the linear predictor without its intercept."""
        return self.family.log_density(Response(y), self.at(link, eta, f), f)


# fractions of powers of two, so that sums of steps and differences from eta are exact; in no order
ORDINARY = {2: (0.375,), 3: (0.5, -1.25), 5: (-0.75, 0.5, -2.0, 2.25), 7: (0.0, -3.0, 2.5, -1.5, 0.25, -0.75)}
FAR = {"wide": (-200.0, 300.0, 0.0, -300.0, 100.0), "one far below": (-1.0, -500.0, 0.5), "equal": (0.5, 0.5, 0.5)}


def rows(count: int, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every category at every linear predictor."""
    categories = np.arange(1.0, count + 1.0)
    return np.repeat(categories, len(eta)), np.tile(eta, count)


@cache
def exact(name: str, link: str, thresholds: tuple[float, ...], eta: tuple[float, ...]) -> np.ndarray:
    """Log P by mpmath [category x eta]."""
    digits = 700 if max(map(abs, eta)) > 100 else 60  # terms of acat under cloglog differ by e^700
    with mpmath.workdps(digits):
        table = [[float(one) for one in shares(name, link, thresholds, mpmath.mpf(x))] for x in eta]
    return np.array(table).T.ravel()


def assert_exact(name: str, link: str, thresholds: tuple[float, ...], eta: np.ndarray) -> None:
    y, at = rows(len(thresholds) + 1, eta)
    expected = exact(name, link, thresholds, tuple(eta))
    inside = expected > -1e300  # under cloglog -e^(c - eta) is more than a double holds at 700
    assert inside.mean() > 0.7
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = Cuts(name, thresholds).log_density(link, y, at)
    assert_allclose(found[inside], expected[inside], rtol=1e-11, atol=1e-13, err_msg=f"{name}, {link}, {thresholds}")


@EVERY
@pytest.mark.parametrize("count", [2, 3, 5, pytest.param(7, marks=pytest.mark.slow)])
def test_log_density_is_that_of_mpmath(name: str, link: str, count: int) -> None:
    assert_exact(name, link, ORDINARY[count], ETA)


@EVERY
@pytest.mark.parametrize("case", FAR)
def test_it_is_so_with_thresholds_far_out(name: str, link: str, case: str) -> None:
    assert_exact(name, link, FAR[case], np.array([-40.0, -2.5, -0.25, 0.0, 1.0, 3.0, 40.0]))


@EVERY
@pytest.mark.parametrize("count", [2, 3, 5])
def test_what_is_asked_of_categories_is_sums_of_probabilities(name: str, link: str, count: int) -> None:
    """P(y = k), P(y >= k), the mean and the variance of the number of the category."""
    cuts, eta = Cuts(name, ORDINARY[count]), np.linspace(-4.0, 4.0, 9)
    p = np.exp(exact(name, link, cuts.thresholds, tuple(eta)).reshape(count, -1))
    assert_allclose(p.sum(axis=0), 1.0, atol=1e-14)
    family, numbers, at = cuts.family, np.arange(1.0, count + 1.0), cuts.at(link, eta)
    for k, functional in enumerate(family.by_category["category"]):
        assert functional is not None
        assert_allclose(functional.value(at), p[k], rtol=1e-11)
    first, *others = family.by_category["at_least"]
    assert first is None  # it is 1
    for k, functional in enumerate(others, start=1):
        assert functional is not None
        assert_allclose(functional.value(at), p[k:].sum(axis=0), rtol=1e-11)
    mean = numbers @ p
    assert_allclose(family.mean.value(at), mean, rtol=1e-12)
    assert_allclose(family.variance(at), numbers**2 @ p - mean**2, rtol=1e-9, atol=1e-13)


@EVERY
@pytest.mark.parametrize("count", ORDINARY)
def test_draws_have_these_probabilities(name: str, link: str, count: int) -> None:
    """Chi-square over the categories at each of three linear predictors."""
    cuts, size = Cuts(name, ORDINARY[count]), 40_000
    for seed, eta in enumerate((-1.25, 0.125, 2.0)):
        expected = size * np.exp(exact(name, link, cuts.thresholds, (eta,)))
        drawn = cuts.family.draw(np.random.default_rng(seed), Response(None), cuts.at(link, np.full(size, eta)))
        assert not cuts.family.response.support(drawn, None).any()
        found = np.bincount(drawn.astype(int), minlength=count + 1)[1:]
        rare = expected < 10.0  # too few for chi-square: together
        assert found[rare].sum() <= expected[rare].sum() + 6.0 * np.sqrt(expected[rare].sum() + 1.0)
        statistic = ((found - expected)[~rare] ** 2 / expected[~rare]).sum()
        assert stats.chi2(max(int((~rare).sum()) - 1, 1)).sf(statistic) > 1e-4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("link", RIGHT)
def test_pytensors_gradient_is_the_derivative_of_mpmath(name: str, link: str) -> None:
    """In the linear predictor and in each step, out to |eta| = 40; finite out to 700."""
    import pytensor
    import pytensor.tensor as pt

    cuts, f = Cuts(name, ORDINARY[5]), pytensor_functions()
    inputs = [pt.dvector("y"), pt.dvector("eta"), *(pt.dscalar(one) for one in cuts.steps)]
    at = cuts.family.at({"mu": (inputs[1], get_link(link))}, dict(zip(cuts.steps, inputs[2:], strict=True)), f)
    value = cuts.family.log_density(Response(inputs[0]), at, f)
    compiled = pytensor.function(inputs, [value, *pt.grad(value.sum(), inputs[1:])], mode=PYTHON)
    points = [-2.5, 0.125, 3.0] if link == "cloglog" else [-40.0, -2.5, 0.125, 3.0, 40.0]
    y, eta = rows(5, np.array(points))
    found, by_eta, *by_steps = compiled(y, eta - cuts.thresholds[0], *cuts.steps.values())
    assert_allclose(found, cuts.log_density(link, y, eta), rtol=1e-12, atol=1e-14)
    with mpmath.workdps(60):

        def log_share(thresholds: Sequence[Any], k: int, x: Any) -> Any:
            return shares(name, link, thresholds, x)[k - 1]

        pairs = [(int(k), mpmath.mpf(x)) for k, x in zip(y, eta, strict=True)]
        expected = [float(mpmath.diff(partial(log_share, cuts.thresholds, k), x)) for k, x in pairs]
        assert_allclose(by_eta, expected, rtol=1e-9, atol=1e-11)
        for j, gradient in enumerate(by_steps, start=1):

            def moved(size: Any, j: int = j) -> Any:
                thresholds = [c + (size if place >= j else 0) for place, c in enumerate(cuts.thresholds)]
                return mpmath.fsum(log_share(thresholds, k, x) for k, x in pairs)

            assert_allclose(gradient, float(mpmath.diff(moved, mpmath.mpf(0))), rtol=1e-9, atol=1e-9)
    y, eta = rows(5, ETA)
    for array in compiled(y, eta, *cuts.steps.values()):
        assert np.isfinite(array).all()


@EVERY
def test_series_have_the_derivatives_of_mpmath(name: str, link: str) -> None:
    """The first three in the linear predictor, by which Laplace approximations move."""
    cuts = Cuts(name, ORDINARY[5])
    y, eta = rows(5, np.array([-2.5, 0.125, 3.0]))
    at, constants = variables(eta - cuts.thresholds[0], {one: np.array(size) for one, size in cuts.steps.items()}, 3)
    found = cuts.family.log_density(
        Response(y), cuts.family.at({"mu": (at, get_link(link))}, constants, SERIES), SERIES
    )
    with mpmath.workdps(60):
        for order in (1, 2, 3):
            expected = [
                float(
                    mpmath.diff(lambda t, k=k: shares(name, link, cuts.thresholds, t)[int(k) - 1], mpmath.mpf(x), order)
                )
                for k, x in zip(y, eta, strict=True)
            ]
            assert_allclose(found.derivative(order), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("link", RIGHT)
@pytest.mark.parametrize("count", [2, 3, *(pytest.param(count, marks=pytest.mark.slow) for count in (5, 7))])
def test_the_compiled_kernel_is_the_density_and_its_slopes(name: str, link: str, count: int) -> None:
    """The sum over rows against mpmath, also far out; slopes by differences of order 4."""
    cuts = Cuts(name, ORDINARY[count])
    kernel = generated(f"{name}{count}", link)
    evaluate = FORMS["predictor"].make(kernel)

    def called(y: np.ndarray, eta: np.ndarray) -> Any:
        sizes = np.array([*cuts.steps.values()] or [1.0])
        return evaluate(y, y, np.asarray(kernel.statistics(y, y), float), eta - cuts.thresholds[0], sizes)

    y, eta = rows(count, MIDDLE)
    value, slopes, by_steps = called(y, eta)
    expected = exact(name, link, cuts.thresholds, tuple(MIDDLE))
    assert float(value) == pytest.approx(expected.sum(), rel=1e-12)
    h = 1e-3
    near, far = (cuts.log_density(link, y, eta + k * h) - cuts.log_density(link, y, eta - k * h) for k in (1, 2))
    scale = 1.0 + np.abs(expected) + np.abs(slopes.ravel())
    # the five-point rule errs by h^4 / 30 of the fifth derivative
    assert (np.abs((8.0 * near - far) / (12.0 * h) - slopes.ravel()) <= 1e-8 * scale).all()
    for j in range(count - 2):
        changes = []
        for move in (h, 2.0 * h):
            ends = [np.array(cuts.thresholds) + side * move * (np.arange(count - 1) > j) for side in (1.0, -1.0)]
            up, down = (Cuts(name, tuple(end)).log_density(link, y, eta).sum() for end in ends)
            changes.append(up - down)
        assert by_steps[j] == pytest.approx((8.0 * changes[0] - changes[1]) / (12.0 * h), rel=1e-8, abs=1e-7)
    far_out = ETA if link != "cloglog" else ETA[np.abs(ETA) <= 9.0]
    one_by_one = exact(name, link, cuts.thresholds, tuple(far_out))
    for k, x, exactly in zip(*rows(count, far_out), one_by_one, strict=True):
        found, slope, _ = called(np.array([k]), np.array([x]))
        # where the probability is 1 but for 1e-290, its logarithm has no digits
        assert float(found) == pytest.approx(exactly, rel=1e-10, abs=1e-250)
        assert np.isfinite(slope).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("link", LINKS)
def test_two_categories_are_an_event(name: str, link: str) -> None:
    """The higher of two is the event; of sratio under cloglog the lower, of probability h(-(eta - c))."""
    y, eta = np.repeat([0.0, 1.0], len(MIDDLE)), np.tile(MIDDLE, 2)
    bernoulli, two = FAMILIES["bernoulli"], family_of_key(f"{name}2")
    lower = name == "sratio" and link == "cloglog"
    at = bernoulli.at({"mu": (-eta if lower else eta, get_link(link))}, {}, NUMPY)
    expected = bernoulli.log_density(Response(1.0 - y if lower else y), at, NUMPY)
    found = two.log_density(Response(y + 1.0), two.at({"mu": (eta, get_link(link))}, {}, NUMPY), NUMPY)
    assert_allclose(found, expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("link", ["logit", "probit", "cauchit"])
def test_stopping_and_continuing_are_one_model_under_a_symmetric_link(link: str) -> None:
    y, eta = rows(5, ETA)
    stop, go_on = (Cuts(name, ORDINARY[5]).log_density(link, y, eta) for name in ("sratio", "cratio"))
    assert_allclose(stop, go_on, rtol=1e-13, atol=1e-300)


def test_they_are_not_under_cloglog() -> None:
    y, eta = rows(5, MIDDLE)
    stop, go_on = (Cuts(name, ORDINARY[5]).log_density("cloglog", y, eta) for name in ("sratio", "cratio"))
    assert np.abs(stop - go_on).max() > 0.5


@pytest.mark.parametrize("link", ["logit", "probit", "cauchit"])
def test_adjacent_categories_may_be_reversed_under_a_symmetric_link(link: str) -> None:
    """Coefficients and thresholds change their sign, the latter their order too."""
    y, eta = rows(5, ETA)
    one = Cuts("acat", ORDINARY[5]).log_density(link, y, eta)
    other = Cuts("acat", tuple(-c for c in reversed(ORDINARY[5]))).log_density(link, 6.0 - y, -eta)
    assert_allclose(one, other, rtol=1e-11, atol=1e-300)


def test_ratios_may_not_be_reversed() -> None:
    """They begin with the lowest category."""
    y, eta = rows(5, MIDDLE)
    one = Cuts("sratio", ORDINARY[5]).log_density("logit", y, eta)
    other = Cuts("sratio", tuple(-c for c in reversed(ORDINARY[5]))).log_density("logit", 6.0 - y, -eta)
    assert np.abs(one - other).max() > 0.5


def test_adjacent_categories_under_logit_are_unordered_ones_with_proportional_predictors() -> None:
    """Log odds of k against 1 are (k - 1) eta less the thresholds up to k (Agresti 2010, section 4.1)."""
    y, eta = rows(5, MIDDLE)
    categorical = FAMILIES["categorical"].with_categories(tuple("12345"))  # type: ignore[misc]
    sums = np.cumsum(ORDINARY[5])
    at = {one.name: (k * eta - sums[k - 1], get_link("logit")) for k, one in enumerate(categorical.parameters, start=1)}
    expected = categorical.log_density(Response(y), categorical.at(at, {}, NUMPY), NUMPY)
    assert_allclose(Cuts("acat", ORDINARY[5]).log_density("logit", y, eta), expected, rtol=1e-12, atol=1e-13)


def test_stopping_ratios_under_cloglog_are_cumulative() -> None:
    """With e^c of the cumulative thresholds the sums of those of the ratios (Laara & Matthews 1985)."""
    y, eta = rows(5, MIDDLE)
    ratios = np.array(ORDINARY[5])
    cumulative, link = family_of_key("cumulative5"), get_link("cloglog")
    c = np.log(np.cumsum(np.exp(ratios)))
    steps = {step(k): size for k, size in enumerate(np.diff(c), start=2)}
    at = cumulative.at({"mu": (eta - c[0], link)}, steps, NUMPY)
    expected = cumulative.log_density(Response(y), at, NUMPY)
    assert_allclose(Cuts("sratio", ORDINARY[5]).log_density("cloglog", y, eta), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("count", [3, 5, 10])
def test_default_priors_give_each_category_about_the_same_probability(name: str, link: str, count: int) -> None:
    """At the centre: of ratios the shares are about Dirichlet(1, ..., 1), of adjacent ones each pair is uniform."""
    record = family_of_key(f"{name}{count}").thresholds
    assert record is not None
    rng, size = np.random.default_rng(5), 40_000
    draws = []
    for text in record.priors(link):
        kind, _, inside = text.partition("(")
        location, scale = (float(part.partition("=")[2].rstrip(")")) for part in inside.split(","))
        known = {"Logistic": stats.logistic, "Normal": stats.norm, "Cauchy": stats.cauchy}
        draws.append(known[kind](location, scale).rvs(size=size, random_state=rng))
    at = Cuts(name, (0.0,) * (count - 1)).family.at(
        {"mu": (-draws[0], get_link(link))},
        {step(k): after - before for k, (before, after) in enumerate(pairwise(draws), start=2)},
        NUMPY,
    )
    found = np.array([one.value(at) for one in family_of_key(f"{name}{count}").by_category["category"]])  # type: ignore[union-attr]
    if name == "acat":
        for k in range(count - 1):
            share = found[k + 1] / (found[k] + found[k + 1])
            assert_allclose(
                np.quantile(share, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.035 if link == "cloglog" else 0.015
            )
    else:
        # median and quartiles of each ratio agree, and its mean nearly; not under cauchit, whose tails weigh more
        assert link == "cauchit" or np.abs(count * found.mean(axis=1) - 1.0).max() < 0.4
        assert_allclose(np.median(found[0]), stats.beta(1, count - 1).median(), rtol=0.03)
