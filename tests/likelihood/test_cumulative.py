"""The density of ordered categories against mpmath, its draws against their probabilities, and two categories as one.

Thresholds are given as people write them, c_1 < ... < c_{K-1}. The family has -c_1 in the linear predictor, and steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose
from pytensor.compile.mode import Mode
from scipy import stats

from bayes_glmm.families import FAMILIES, Family, Response, family_of_key, get_link
from bayes_glmm.inference.kernels.generated import generated
from bayes_glmm.inference.kernels.loops import FORMS
from bayes_glmm.names import step
from bayes_glmm.numerics.functions import NUMPY, Functions, pytensor_functions

LINKS = ("logit", "probit", "cloglog", "cauchit")
EVERY_LINK = pytest.mark.parametrize("link", LINKS)
EPS = np.finfo(float).eps
PYTHON = Mode(linker="py", optimizer="fast_compile")  # a few evaluations are not worth a compiler

# log h(x) and log(1 - h(x)), each accurate where the other rounds to 0
LOWER: dict[str, Callable[[Any], Any]] = {
    "logit": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "probit": lambda x: mpmath.log(mpmath.ncdf(x)),
    "cloglog": lambda x: mpmath.log(-mpmath.expm1(-mpmath.exp(x))),
    "cauchit": lambda x: mpmath.log(mpmath.atan2(1, -x) / mpmath.pi),
}
UPPER: dict[str, Callable[[Any], Any]] = {
    "logit": lambda x: LOWER["logit"](-x),
    "probit": lambda x: LOWER["probit"](-x),
    "cloglog": lambda x: -mpmath.exp(x),
    "cauchit": lambda x: LOWER["cauchit"](-x),
}


def probability(link: str, thresholds: Sequence[Any], k: int, eta: Any) -> Any:
    """Log P(y = k) = log(h(c_k - eta) - h(c_{k-1} - eta)), from the tail in which less is lost; k from 1."""
    count = len(thresholds) + 1
    above = None if k == count else mpmath.mpf(thresholds[k - 1]) - eta
    below = None if k == 1 else mpmath.mpf(thresholds[k - 2]) - eta
    if below is None:
        return LOWER[link](above)
    if above is None:
        return UPPER[link](below)
    if below > 0:
        return UPPER[link](below) + mpmath.log1p(-mpmath.exp(UPPER[link](above) - UPPER[link](below)))
    return LOWER[link](above) + mpmath.log1p(-mpmath.exp(LOWER[link](below) - LOWER[link](above)))


@dataclass(frozen=True)
class Cuts:
    """Thresholds, and how far apart the closest are."""

    thresholds: tuple[float, ...]

    @property
    def family(self) -> Family:
        return family_of_key(f"cumulative{len(self.thresholds) + 1}")

    @property
    def steps(self) -> dict[str, float]:
        return {step(k): float(size) for k, size in enumerate(np.diff(self.thresholds), start=2)}

    def log_density(self, link: str, y: Any, eta: Any, f: Functions = NUMPY) -> Any:
        """By the family, at the linear predictor without its intercept."""
        predictor = {"mu": (eta - self.thresholds[0], get_link(link))}
        steps = {name: np.array(size) for name, size in self.steps.items()}
        return self.family.log_density(Response(y), self.family.at(predictor, steps, f), f)


# fractions of powers of two, so that sums of steps and differences from eta are exact
ORDINARY = {
    2: Cuts((0.375,)),
    3: Cuts((-1.25, 0.5)),
    5: Cuts((-2.0, -0.75, 0.5, 2.25)),
    7: Cuts((-3.0, -1.5, -0.75, 0.0, 0.25, 2.5)),
}
FAR = {
    "wide": Cuts((-600.0, -300.0, 0.0, 300.0, 600.0)),
    "one far below": Cuts((-500.0, -1.0, 0.5)),
    "one far above": Cuts((-1.0, 0.5, 500.0)),
}
CLOSE = {
    "2^-10": Cuts((-1.0, -1.0 + 2.0**-10, 1.0)),
    "2^-20": Cuts((-1.0, -1.0 + 2.0**-20, 1.0)),
    "2^-30": Cuts((-1.0, -1.0 + 2.0**-30, 1.0)),
}
ETA = np.array([-700.0, -300.0, -40.0, -9.0, -2.5625, -0.3125, 0.0, 1.0625, 3.0625, 9.0, 37.0, 40.0, 300.0, 700.0])
MIDDLE = ETA[np.abs(ETA) <= 9.0]


def rows(cuts: Cuts, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every category at every linear predictor."""
    categories = np.arange(1.0, len(cuts.thresholds) + 2.0)
    return np.repeat(categories, len(eta)), np.tile(eta, len(categories))


@cache
def exact(link: str, cuts: Cuts, eta: tuple[float, ...]) -> np.ndarray:
    """Log P by mpmath [category x eta]."""
    with mpmath.workdps(60):
        y, at = rows(cuts, np.array(eta))
        return np.array(
            [float(probability(link, cuts.thresholds, int(k), mpmath.mpf(x))) for k, x in zip(y, at, strict=True)]
        )


def assert_exact(link: str, cuts: Cuts, eta: np.ndarray) -> None:
    y, at = rows(cuts, eta)
    expected = exact(link, cuts, tuple(eta))
    inside = expected > -1e300  # under cloglog -e^(c - eta) is more than a double holds at 700
    assert inside.mean() > 0.8
    with np.errstate(over="ignore"):
        found = cuts.log_density(link, y, at)
    assert_allclose(found[inside], expected[inside], rtol=1e-12, atol=1e-13, err_msg=f"{link}, {cuts}")


@EVERY_LINK
@pytest.mark.parametrize("count", ORDINARY)
def test_log_density_is_that_of_mpmath(link: str, count: int) -> None:
    cuts = ORDINARY[count]
    y, eta = rows(cuts, MIDDLE)
    assert_allclose(cuts.log_density(link, y, eta), exact(link, cuts, tuple(MIDDLE)), rtol=1e-12, atol=1e-13)


@EVERY_LINK
@pytest.mark.parametrize("count", ORDINARY)
def test_it_is_so_far_out(link: str, count: int) -> None:
    assert_exact(link, ORDINARY[count], ETA)


@EVERY_LINK
@pytest.mark.parametrize("name", FAR)
def test_it_is_so_with_thresholds_far_out(link: str, name: str) -> None:
    assert_exact(link, FAR[name], np.array([-40.0, -2.5, -0.25, 0.0, 1.0, 3.0, 40.0]))


@EVERY_LINK
@pytest.mark.parametrize("name", CLOSE)
def test_it_is_as_accurate_with_close_thresholds_as_their_distance_is(link: str, name: str) -> None:
    """Logits a and b of the thresholds round to eps |a|, so that log(a - b) errs by eps |a| / (a - b)."""
    cuts = CLOSE[name]
    y, eta = rows(cuts, MIDDLE)
    expected = exact(link, cuts, tuple(MIDDLE))
    found = cuts.log_density(link, y, eta)
    size = 4.0 * EPS * (1.0 + np.abs(expected)) / np.diff(cuts.thresholds).min()
    allowed = 1e-12 * np.abs(expected) + (1e-13 if link == "logit" else size)
    assert (np.abs(found - expected) <= allowed).all(), (found - expected, allowed)


@EVERY_LINK
@pytest.mark.parametrize("count", [2, 3, 7])
def test_probabilities_sum_to_one(link: str, count: int) -> None:
    cuts, eta = ORDINARY[count], np.linspace(-12.0, 12.0, 97)
    y, at = rows(cuts, eta)
    shares = np.exp(cuts.log_density(link, y, at)).reshape(count, -1)
    assert_allclose(shares.sum(axis=0), 1.0, atol=1e-12)
    assert (shares > 0.0).all() or link == "cloglog"  # exp(-e^12) is 0


@EVERY_LINK
@pytest.mark.parametrize("count", [2, 3, 5])
def test_what_is_asked_of_categories_is_sums_of_probabilities(link: str, count: int) -> None:
    """P(y = k), P(y >= k), the mean and the variance of the number of the category."""
    cuts, eta = ORDINARY[count], np.linspace(-4.0, 4.0, 9)
    with mpmath.workdps(40):
        shares = np.array(
            [[float(mpmath.exp(probability(link, cuts.thresholds, k + 1, x))) for x in eta] for k in range(count)]
        )
    family, numbers = cuts.family, np.arange(1.0, count + 1.0)
    at = family.at({"mu": (eta - cuts.thresholds[0], get_link(link))}, cuts.steps, NUMPY)
    for k, functional in enumerate(family.by_category["category"]):
        assert functional is not None
        assert_allclose(functional.value(at), shares[k], rtol=1e-11)
    first, *others = family.by_category["at_least"]
    assert first is None  # it is 1
    for k, functional in enumerate(others, start=1):
        assert functional is not None
        assert_allclose(functional.value(at), shares[k:].sum(axis=0), rtol=1e-11)
    mean = numbers @ shares
    assert_allclose(family.mean.value(at), mean, rtol=1e-12)
    assert_allclose(family.variance(at), numbers**2 @ shares - mean**2, rtol=1e-9, atol=1e-14)


@EVERY_LINK
@pytest.mark.parametrize("count", ORDINARY)
def test_draws_have_these_probabilities(link: str, count: int) -> None:
    """Chi-square over the categories at each of three linear predictors."""
    cuts, size = ORDINARY[count], 40_000
    for seed, eta in enumerate((-1.25, 0.125, 2.0)):
        with mpmath.workdps(40):
            shares = [float(mpmath.exp(probability(link, cuts.thresholds, k, eta))) for k in range(1, count + 1)]
        at = cuts.family.at({"mu": (np.full(size, eta - cuts.thresholds[0]), get_link(link))}, cuts.steps, NUMPY)
        drawn = cuts.family.draw(np.random.default_rng(seed), Response(None), at)
        assert not cuts.family.response.support(drawn, None).any()
        found = np.bincount(drawn.astype(int), minlength=count + 1)[1:]
        expected = size * np.array(shares)
        rare = expected < 10.0  # too few for chi-square: together
        assert found[rare].sum() <= expected[rare].sum() + 6.0 * np.sqrt(expected[rare].sum() + 1.0)
        statistic = ((found - expected)[~rare] ** 2 / expected[~rare]).sum()
        assert stats.chi2(max(int((~rare).sum()) - 1, 1)).sf(statistic) > 1e-4


def test_draws_broadcast_over_posterior_draws_and_stand_the_tails() -> None:
    cuts = ORDINARY[5]
    steps = {name: np.full((4, 1), size) for name, size in cuts.steps.items()}
    at = cuts.family.at({"mu": (np.tile([-700.0, 0.0, 700.0], (4, 1)), get_link("logit"))}, steps, NUMPY)
    drawn = cuts.family.draw(np.random.default_rng(1), Response(None), at)
    assert drawn.shape == (4, 3)
    assert (drawn[:, 0] == 1.0).all()
    assert (drawn[:, 2] == 5.0).all()


@EVERY_LINK
@pytest.mark.parametrize("count", [2, 3, 7])
def test_pytensors_gradient_is_the_derivative_of_mpmath(link: str, count: int) -> None:
    """In the linear predictor and in each step, out to |eta| = 40."""
    import pytensor
    import pytensor.tensor as pt

    cuts = ORDINARY[count]
    inputs = [pt.dvector("eta"), *(pt.dscalar(name) for name in cuts.steps)]
    y, eta = rows(cuts, np.array([-40.0, -2.5, 0.125, 3.0] + [40.0] * (link != "cloglog")))
    at = cuts.family.at({"mu": (inputs[0], get_link(link))}, dict(zip(cuts.steps, inputs[1:], strict=True)), _symbols())
    value = cuts.family.log_density(Response(y), at, _symbols())
    slopes = pt.grad(value.sum(), inputs)
    found, *gradients = pytensor.function(inputs, [value, *slopes], mode=PYTHON)(
        eta - cuts.thresholds[0], *cuts.steps.values()
    )
    assert_allclose(found, cuts.log_density(link, y, eta), rtol=1e-12, atol=1e-14)
    with mpmath.workdps(60):
        pairs = [(int(k), mpmath.mpf(x)) for k, x in zip(y, eta, strict=True)]
        by_eta = [float(mpmath.diff(partial(probability, link, cuts.thresholds, k), x)) for k, x in pairs]
        assert_allclose(gradients[0], by_eta, rtol=1e-9, atol=1e-11)
        for j, gradient in enumerate(gradients[1:], start=1):

            def moved(size: Any, j: int = j) -> Any:
                thresholds = [c + (size if place >= j else 0) for place, c in enumerate(cuts.thresholds)]
                return mpmath.fsum(probability(link, thresholds, k, x) for k, x in pairs)

            assert_allclose(gradient, float(mpmath.diff(moved, mpmath.mpf(0))), rtol=1e-9, atol=1e-9)


@EVERY_LINK
@pytest.mark.parametrize("count", [2, 5])
def test_nothing_is_infinite_in_the_tails(link: str, count: int) -> None:
    """Values and gradients out to |eta| = 700, where a sampler may step; an impossible category costs."""
    import pytensor
    import pytensor.tensor as pt

    cuts = ORDINARY[count]
    inputs = [pt.dvector("eta"), *(pt.dscalar(name) for name in cuts.steps)]
    y, eta = rows(cuts, ETA)
    at = cuts.family.at({"mu": (inputs[0], get_link(link))}, dict(zip(cuts.steps, inputs[1:], strict=True)), _symbols())
    value = cuts.family.log_density(Response(y), at, _symbols())
    slopes = [pt.grad(value.sum(), inputs[0]), *(pt.grad(value.sum(), one) for one in inputs[1:])]
    found, *gradients = pytensor.function(inputs, [value, *slopes], mode=PYTHON)(eta, *cuts.steps.values())
    assert np.isfinite(found).all(), (y[~np.isfinite(found)], eta[~np.isfinite(found)])
    for gradient in gradients:
        assert np.isfinite(gradient).all()
    assert (found[(y == 1) & (eta == 40)] < -4).all()
    assert (found[(y == count) & (eta == -40)] < -4).all()


def _symbols() -> Functions:
    return pytensor_functions()


@EVERY_LINK
@pytest.mark.parametrize("count", [2, 3, *(pytest.param(count, marks=pytest.mark.slow) for count in (5, 7))])
def test_the_compiled_kernel_is_the_density_and_its_slopes(link: str, count: int) -> None:
    """The sum over rows against mpmath, slopes in the linear predictor and in the steps by differences of order 4."""
    cuts = ORDINARY[count]
    kernel = generated(f"cumulative{count}", link)
    evaluate = FORMS["predictor"].make(kernel)
    y, eta = rows(cuts, MIDDLE)
    at, sizes = eta - cuts.thresholds[0], np.array([*cuts.steps.values()] or [1.0])
    statistics = np.asarray(kernel.statistics(y, y), float)
    value, slopes, by_steps = evaluate(y, y, statistics, at, sizes)
    expected = exact(link, cuts, tuple(MIDDLE))
    assert float(value) == pytest.approx(expected.sum(), rel=1e-13)

    def density(eta: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        moved = Cuts(tuple(cuts.thresholds[0] + np.concatenate([[0.0], np.cumsum(sizes[: count - 2])])))
        return moved.log_density(link, y, eta)

    h = 1e-3
    near, far = (density(eta + k * h, sizes) - density(eta - k * h, sizes) for k in (1, 2))
    scale = 1.0 + np.abs(expected) + np.abs(slopes.ravel())
    # the five-point rule errs by h^4 / 30 of the fifth derivative
    assert (np.abs((8.0 * near - far) / (12.0 * h) - slopes.ravel()) <= 1e-8 * scale).all()
    for j in range(count - 2):
        along = h * np.eye(len(sizes))[j]
        near, far = (density(eta, sizes + k * along).sum() - density(eta, sizes - k * along).sum() for k in (1, 2))
        assert by_steps[j] == pytest.approx((8.0 * near - far) / (12.0 * h), rel=1e-8, abs=1e-7)


@pytest.mark.parametrize("link", ["logit", "probit", "cauchit"])
def test_two_categories_are_an_event(link: str) -> None:
    """The higher is the event, under a link that is symmetric; its intercept is less the threshold."""
    y, eta = np.repeat([0.0, 1.0], len(ETA)), np.tile(ETA, 2)
    bernoulli = FAMILIES["bernoulli"]
    expected = bernoulli.log_density(Response(y), bernoulli.at({"mu": (eta, get_link(link))}, {}, NUMPY), NUMPY)
    two = family_of_key("cumulative2")
    found = two.log_density(Response(y + 1.0), two.at({"mu": (eta, get_link(link))}, {}, NUMPY), NUMPY)
    assert_allclose(found, expected, rtol=1e-13, atol=1e-300)


def test_under_cloglog_the_lower_category_is_the_event() -> None:
    """P(y <= 1) = 1 - exp(-e^(c - eta)): an event of probability h(-(eta - c))."""
    y, eta = np.repeat([0.0, 1.0], len(MIDDLE)), np.tile(MIDDLE, 2)
    bernoulli, two, link = FAMILIES["bernoulli"], family_of_key("cumulative2"), get_link("cloglog")
    expected = bernoulli.log_density(Response(y), bernoulli.at({"mu": (-eta, link)}, {}, NUMPY), NUMPY)
    found = two.log_density(Response(2.0 - y), two.at({"mu": (eta, link)}, {}, NUMPY), NUMPY)
    assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_the_probit_kernel_has_its_slope_where_its_two_forms_meet() -> None:
    """Log Phi(x) has one form below -1 and another above; at -1 its derivative is phi(1) / Phi(-1)."""
    y = np.array([1.0, 2.0])
    evaluate = FORMS["predictor"].make(kernel := generated("cumulative2", "probit"))
    statistics = np.asarray(kernel.statistics(y, y), float)
    expected = stats.norm.pdf(1.0) / stats.norm.cdf(-1.0)
    _, slopes, _ = evaluate(y, y, statistics, np.array([1.0, -1.0]), np.ones(1))
    assert_allclose(slopes.ravel(), [-expected, expected], rtol=1e-12)
