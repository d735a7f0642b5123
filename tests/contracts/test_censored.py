"""Every family with a cumulative hazard, censored and truncated: SciPy's and mpmath's probabilities, all namespaces."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

from bayes_glmm.design.limits import Limits
from bayes_glmm.families import FAMILIES, LINKS, Family, Response
from bayes_glmm.families.observed import draw_observed, log_observed
from bayes_glmm.inference.kernels.generated import generated, written
from bayes_glmm.inference.kernels.loops import FORMS
from bayes_glmm.model.response import add_response
from bayes_glmm.numerics.functions import NUMPY, pytensor_functions
from bayes_glmm.numerics.series import SERIES, variables
from bayes_glmm.numerics.source import ARRAYS
from bayes_glmm.numerics.tails import log_above, log_between, log_up_to
from tests.contracts.test_families import AUXILIARY, SCIPY

HAVING = {name: one for name, one in FAMILIES.items() if one.log_cumulative_hazard is not None}
SMALLEST_OF_SCIPY = {"inverse_gaussian": 1e-9}  # quantiles that it finds; tests/numerics/test_incomplete.py has others
slow = lambda name: pytest.param(name, marks=pytest.mark.slow)  # noqa: E731
EVERY = pytest.mark.parametrize("name", HAVING)
CODES = {"none": 0.0, "right": 1.0, "left": -1.0, "interval": 2.0}


def constants(family: Family) -> dict[str, float]:
    return {name: AUXILIARY[name] for name in family.auxiliary}


def at(family: Family, mean: Any, f: Any = NUMPY) -> Any:
    """Parameters with this location, under the first link."""
    link = LINKS[family.links[0]]
    return family.at({"mu": (link.forward(np.asarray(mean, float), NUMPY), link)}, constants(family), f)


def hazard(family: Family, y: Any, mean: Any) -> Any:
    return family.log_cumulative_hazard(Response(np.asarray(y, float)), at(family, mean), NUMPY)  # type: ignore[misc]


def inside(family: Family, x: Any) -> Any:
    """Positive numbers as values of the response: within (0, 1) where those of the family are."""
    return x / (1.0 + np.asarray(x)) if family.response.most == 1.0 else np.asarray(x)


@pytest.mark.parametrize("name", [name for name in HAVING if hasattr(SCIPY[name](0.5, AUXILIARY, None), "ppf")])
@pytest.mark.parametrize("mean", [0.02, 0.8, 7.0])
def test_both_tails_are_those_of_scipy(name: str, mean: float) -> None:
    family = HAVING[name]
    mean = float(inside(family, mean))
    witness = SCIPY[name](mean, constants(family), None)
    p = np.array([1e-250, 1e-30, 1e-9, 0.01, 0.5])
    p = p[p >= SMALLEST_OF_SCIPY.get(name, 0.0)]
    with np.errstate(divide="ignore"):
        y = np.unique(np.concatenate([witness.ppf(p), witness.isf(p)]).clip(family.response.least))
    y = y[(y < family.response.most) & ((y > 0.0) | family.discrete | (family.response.range == "real"))]
    found = hazard(family, y, mean)
    rounding = 1e-15 if family.discrete else 1e-300  # SciPy's logarithms of numbers near 1
    with np.errstate(divide="ignore"):
        above, up_to = witness.logsf(y), witness.logcdf(y)
    np.testing.assert_allclose(log_above(found, NUMPY), above, rtol=1e-10, atol=rounding)
    np.testing.assert_allclose(log_up_to(found, NUMPY), up_to, rtol=1e-10, atol=rounding)


@pytest.mark.parametrize("name", [name for name in HAVING if not hasattr(SCIPY[name](0.5, AUXILIARY, None), "ppf")])
@pytest.mark.parametrize("mean", [0.02, 0.8, 7.0, 200.0])
def test_both_tails_with_zeros_apart_are_those_of_scipy(name: str, mean: float) -> None:
    family, y = HAVING[name], np.arange(1.0, 30.0)
    y = y if family.response.first else np.append(0.0, y)
    witness = SCIPY[name](mean, constants(family), None)
    found = hazard(family, y, mean)
    with np.errstate(divide="ignore"):
        above, up_to = np.log(witness.sf(y)), np.log(witness.cdf(y))
    middle = (above > -500.0) & (up_to > -15.0)  # SciPy's probabilities have digits
    np.testing.assert_allclose(log_above(found, NUMPY)[middle], above[middle], rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(log_up_to(found, NUMPY)[middle], up_to[middle], rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("z", [-300.0, -38.0, -6.0, -0.6, 0.6, 6.0, 38.0, 300.0])
def test_the_normal_hazard_is_that_of_many_digits(z: float) -> None:
    with mpmath.workdps(60):
        tail = mpmath.erfc(abs(z) / mpmath.sqrt(2)) / 2
        exact = float(mpmath.log(-mpmath.log(tail) if z > 0 else -mpmath.log1p(-tail)))
    assert hazard(FAMILIES["gaussian"], 1.3 * z + 0.5, 0.5) == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("mu", [1e-8, 0.3, 3.0, 38.5, 44.0, 300.0])
@pytest.mark.parametrize("k", [0, 1, 12, 40, 200])
def test_the_hazard_of_counts_is_that_of_many_digits(mu: float, k: int) -> None:
    with mpmath.workdps(40):
        terms = [mpmath.exp(-mpmath.mpf(mu)) * mpmath.mpf(mu) ** j / mpmath.factorial(j) for j in range(k + 900)]
        low, high = mpmath.fsum(terms[: k + 1]), mpmath.fsum(terms[k + 1 :])
        exact = float(mpmath.log(-mpmath.log1p(-low) if low < 0.5 else -mpmath.log(high)))
    assert hazard(FAMILIES["poisson"], k, mu) == pytest.approx(exact, rel=1e-12, abs=1e-12)


@EVERY
def test_narrow_intervals_are_the_density_times_their_width(name: str) -> None:
    family = HAVING[name]
    if family.discrete:
        y = np.arange(float(family.response.first), 30.0)
        between = log_between(hazard(family, y, 4.0), hazard(family, y + 1.0, 4.0), NUMPY)
        mass = family.log_density(Response(y + 1.0), at(family, 4.0), NUMPY)
        np.testing.assert_allclose(between, mass, rtol=1e-10)
        return
    y, mean, width = inside(family, np.array([0.05, 0.7, 2.0, 9.0])), inside(family, 1.5), 1e-7
    between = log_between(hazard(family, y, mean), hazard(family, y + width, mean), NUMPY)
    density = family.log_density(Response(y + 0.5 * width), at(family, mean), NUMPY)
    np.testing.assert_allclose(between - np.log(width), density, atol=3e-7)  # the digits of a difference of hazards


ROWS = {
    "right": (["none", "right", "right"], False, False),
    "left": (["left", "none", "none"], False, False),
    "intervals": (["interval", "none", "interval"], False, False),
    "all kinds": (["left", "right", "interval", "none"], False, False),
    "truncated below": (["none"], True, False),
    "truncated above": (["none"], False, True),
    "truncated": (["none"], True, True),
    "everything": (["left", "right", "interval", "none", "right"], True, True),
}


def limited(name: str, what: str) -> tuple[np.ndarray, Limits]:
    """Twelve responses and what is known of them."""
    family, (kinds, below, above) = HAVING[name], ROWS[what]
    rng = np.random.default_rng(3)
    y = rng.poisson(3.0, 12) + 1.0 if family.discrete else rng.gamma(2.0, 1.5, 12) + 0.3
    code = np.resize([CODES[kind] for kind in kinds], 12)
    end = np.where(code == 2.0, y + 1.0 + np.arange(12) % 3, np.nan)
    lower = y - 1.0 - np.arange(12) % 2 if family.discrete else 0.5 * y
    upper = np.where(np.arange(12) % 3 == 0, 30.0, y + 6.0)
    y, end, lower, upper = (inside(family, one) for one in (y, end, lower, upper))
    if not below and not above:
        lower = upper = None  # type: ignore[assignment]
    elif not (below and above):
        lower, upper = (lower, None) if below else (None, upper)  # type: ignore[assignment]
    return y, Limits(
        code if set(kinds) != {"none"} else None,
        end,
        lower,
        upper,
        family.discrete,
        family.response.least,
        family.response.most,
    )


def expected(name: str, y: np.ndarray, limits: Limits, mean: np.ndarray) -> np.ndarray:
    """Log probabilities by SciPy: those of counts from y on, to y, from y to end."""
    family, witness = HAVING[name], SCIPY[name](mean, constants(HAVING[name]), None)
    less = 1.0 if family.discrete else 0.0
    lower = np.full(12, -np.inf) if limits.lower is None else limits.lower - less
    upper = np.full(12, np.inf) if limits.upper is None else limits.upper
    code = np.zeros(12) if limits.code is None else limits.code
    end = y if limits.end is None else limits.end
    low = np.maximum(np.where(code == -1.0, -np.inf, y - less), lower)
    high = np.minimum(np.where(code == 1.0, np.inf, np.where(code == 2.0, end, y)), upper)
    exact = witness.logpmf(y) if family.discrete else witness.logpdf(y)

    def log_range(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        up_to, above = witness.cdf(high) - witness.cdf(low), witness.sf(low) - witness.sf(high)
        with np.errstate(divide="ignore"):
            return np.log(np.where(witness.cdf(low) < 0.5, up_to, above))

    return np.where(code == 0.0, exact, log_range(low, high)) - log_range(lower, upper)


CASES = [(name, what) for name in HAVING for what in ROWS] + [
    (name, "zero-truncated") for name in HAVING if HAVING[name].discrete and HAVING[name].response.first == 0
]
EACH_CASE = pytest.mark.parametrize(("name", "what"), CASES, ids=["-".join(case) for case in CASES])


@cache
def case(name: str, what: str) -> tuple[Response, np.ndarray, np.ndarray]:
    """What is known of rows, their means, and SciPy's log densities."""
    mean = inside(HAVING[name], np.linspace(0.8, 5.0, 12))
    if what == "zero-truncated":
        y, limits = np.arange(1.0, 13.0), Limits(None, np.full(12, np.nan), np.ones(12), None, True, 0.0)
    else:
        y, limits = limited(name, what)
    return limits.response(y), mean, expected(name, y, limits, mean)


@EACH_CASE
def test_rows_have_the_probability_of_what_is_known_of_them(name: str, what: str) -> None:
    y, mean, exact = case(name, what)
    found = log_observed(HAVING[name], y, at(HAVING[name], mean), NUMPY)
    np.testing.assert_allclose(found, exact, rtol=1e-10, atol=5e-15)  # SciPy's differences of probabilities


def beside(y: Response) -> list[np.ndarray]:
    """The columns that a kernel reads beside y."""
    return [one for name in ("code", "end", "lower", "upper") if (one := getattr(y, name)) is not None]


def slopes_of(name: str, y: Response, mean: np.ndarray) -> Any:
    """The density as a power series in eta and constants."""
    family = HAVING[name]
    link = LINKS[family.links[0]]
    moving, parameters = variables(link.forward(mean, NUMPY), constants(family), 1)
    return log_observed(family, y, family.at({"mu": (moving, link)}, parameters, SERIES), SERIES)


@EACH_CASE
def test_the_code_of_kernels_has_the_value_and_the_slopes_of_the_series(name: str, what: str) -> None:
    family, (y, mean, exact) = HAVING[name], case(name, what)
    link, own = LINKS[family.links[0]], constants(family)
    names = dict(ARRAYS)
    exec(written(family, link.name, y.form), names)  # on arrays, without a compiler
    a = tuple(own.values()) or (1.0,)
    eta, log_a = (link.forward(mean, NUMPY),), tuple(np.log(a))
    value, slopes, by_constant = names["row"](y.values, beside(y), eta, a, log_a)
    statistics = generated("~".join([name, *y.form]), link.name).statistics(y.values, np.concatenate(beside(y)))
    shared, shared_slopes = names["shared"](statistics, a, log_a)
    series = slopes_of(name, y, mean)
    assert float(np.sum(value)) + shared == pytest.approx(exact.sum(), rel=1e-10)
    np.testing.assert_allclose(slopes[0], series.derivative(1), rtol=1e-9, atol=1e-12)
    for k, one in enumerate(own):
        expected = np.sum(series.derivative(0, one))
        assert np.sum(by_constant[k]) + shared_slopes[k] == pytest.approx(expected, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("weibull", "everything"),
        ("gamma", "all kinds"),
        ("negative_binomial_1", "everything"),
        ("poisson", "zero-truncated"),
    ],
)
def test_compiled_kernels_read_the_columns_beside_a_response(name: str, what: str) -> None:
    family, (y, mean, exact) = HAVING[name], case(name, what)
    link, columns = LINKS[family.links[0]], np.concatenate(beside(y))
    kernel = generated("~".join([name, *y.form]), link.name)
    statistics = np.asarray(kernel.statistics(y.values, columns), float)
    a = np.array([*constants(family).values()] or [1.0])
    eta = link.forward(mean, NUMPY)
    value, slopes, _ = FORMS["predictor"].make(kernel)(y.values, columns, statistics, eta, a)
    assert float(value) == pytest.approx(exact.sum(), rel=1e-10)
    np.testing.assert_allclose(slopes, slopes_of(name, y, mean).derivative(1), rtol=1e-9, atol=1e-12)


@EACH_CASE
def test_derivatives_of_series_are_differences(name: str, what: str) -> None:
    family, (y, mean, _) = HAVING[name], case(name, what)
    link = LINKS[family.links[0]]
    eta = link.forward(mean, NUMPY)

    def series(shift: float) -> Any:
        moving, parameters = variables(eta + shift, constants(family), 3)
        return log_observed(family, y, family.at({"mu": (moving, link)}, parameters, SERIES), SERIES)

    step, here, around = 1e-5, series(0.0), (series(-1e-5), series(1e-5))
    for order in (1, 2, 3):
        below, above = (np.broadcast_to(one.derivative(order - 1), eta.shape) for one in around)
        slope = (above - below) / (2.0 * step)
        np.testing.assert_allclose(np.broadcast_to(here.derivative(order), eta.shape), slope, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["gaussian", "weibull", "geometric", "hurdle_gamma", slow("student_t"), slow("negative_binomial")]
)
def test_the_plain_model_has_the_same_density_and_slopes(name: str) -> None:
    family, (y, mean, exact) = HAVING[name], case(name, "everything")
    link = LINKS[family.links[0]]
    with pm.Model(coords={"row": range(12)}) as model:
        eta = pm.Flat("eta", dims="row")
        own = {one: np.float64(value) for one, value in constants(family).items()}
        values = family.at({"mu": (eta, link)}, own, pytensor_functions())
        kind = np.int64 if family.discrete else float
        add_response(
            family, "y", Response(y.values.astype(kind), None, y.code, y.end, y.lower, y.upper, y.kinds), values
        )
    logp = model.logp(vars=model["y"])
    point = link.forward(mean, NUMPY)
    value, slope = (one.eval({model.rvs_to_values[eta]: point}) for one in (logp, pt.grad(logp, model.value_vars[0])))
    assert float(value) == pytest.approx(exact.sum(), rel=1e-10)
    np.testing.assert_allclose(slope, slopes_of(name, y, mean).derivative(1), rtol=1e-9, atol=1e-12)


@EACH_CASE
@pytest.mark.parametrize("eta", [-700.0, -40.0, 40.0, 700.0])
def test_extreme_predictors_have_finite_densities_and_slopes(name: str, what: str, eta: float) -> None:
    family, (y, _, _) = HAVING[name], case(name, what)
    moving, parameters = variables(np.full(12, eta), constants(family), 1)
    with np.errstate(all="ignore"):
        values = family.at({"mu": (moving, LINKS[family.links[0]])}, parameters, SERIES)
        series = log_observed(family, y, values, SERIES)
        assert np.isfinite(series.value).all()
        assert np.isfinite(np.broadcast_to(series.derivative(1), (12,))).all()


DRAWN: list[tuple[str, float | None, float | None, float]] = [
    ("gaussian", 1.0, None, 0.0),
    ("gaussian", None, -4.5, 0.0),
    ("exponential", 25.0, 26.0, 1.5),
    ("lognormal", None, 0.01, 0.7),
    ("weibull", 3.0, None, 1.0),
    ("gamma", 4.0, 5.0, 1.0),
    ("student_t", None, -9.0, 0.5),
    ("inverse_gaussian", 4.0, 6.0, 1.0),
    ("negative_binomial", 9.0, 15.0, 1.0),
    ("poisson", 0.0, None, 0.05),
    ("poisson", 2.0, 5.0, 0.5),
    ("poisson", None, 2.0, 15.0),
    ("geometric", 3.0, None, 0.4),
    ("negative_binomial", 0.0, None, 0.05),
    ("negative_binomial_1", 0.0, None, 3.0),
    ("beta", 0.7, 0.9, 0.1),
    ("zero_inflated_poisson", None, 1.0, 9.0),
    ("hurdle_poisson", 3.0, None, 0.5),
    ("truncated_poisson", 3.0, None, 0.5),
]


@pytest.mark.parametrize(("name", "lower", "upper", "mean"), DRAWN)
def test_draws_within_bounds_have_the_renormalised_distribution(
    name: str, lower: float | None, upper: float | None, mean: float
) -> None:
    family, size = HAVING[name], 10_000
    witness = SCIPY[name](mean, constants(family), None)
    below, above = (None if value is None else np.full(size, value) for value in (lower, upper))
    link = LINKS[family.links[0]]
    eta = np.full(size, link.forward(np.array(mean), NUMPY))
    values = family.at({"mu": (eta, link)}, constants(family), NUMPY)
    drawn = draw_observed(family, np.random.default_rng(5), Response(None, lower=below, upper=above), values)
    low, high = 0.0 if lower is None else witness.cdf(lower), 1.0 if upper is None else witness.cdf(upper)

    share: Callable[[Any], Any] = lambda y: (witness.cdf(y) - low) / (high - low)  # noqa: E731
    if not family.discrete:
        assert stats.kstest(drawn, share).pvalue > 1e-3
        return
    least, most = 0 if lower is None else int(lower) + 1, 12 if upper is None else int(upper)
    counts = np.arange(least, most)
    seen = np.array([*((drawn == k).sum() for k in counts), (drawn >= most).sum()])
    assert drawn.min() >= least
    mass = np.diff([0.0, *share(counts), 1.0]) * size
    kept = mass > 5.0
    pooled = [np.append(one[kept], one[~kept].sum()) if (~kept).any() else one for one in (seen, mass)]
    assert stats.chisquare(pooled[0], pooled[1] + 1e-9, sum_check=False).pvalue > 1e-3
