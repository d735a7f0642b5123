r"""Derivatives by truncated power series: a third namespace for what is written in :class:`Functions`.

A log density l(eta, phi) evaluated at ``variables(eta, phi)`` comes out as its Taylor polynomial in eta up to a given
order, with the derivative of each coefficient but the last in every further parameter. Products of polynomials are
convolutions; an analytic function of a polynomial x_0 + n is the sum of f^(k)(x_0) n^k / k!, which ends because n has
no constant term (Griewank & Walther 2008, chapter 13). So derivatives are exact to rounding, for any family and link.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import special

from bayes_glmm.numerics import conway_maxwell_forms, tail_integrals
from bayes_glmm.numerics.functions import NUMPY, completed

Coefficients = tuple[Any, ...]  # None where a coefficient is 0 whatever the values are


class Series:
    """A Taylor polynomial in eta, and the first derivatives of its coefficients in further parameters.

    Attributes
    ----------
    eta : tuple of array or None, length order + 1
        Taylor coefficients in eta, constant first.
    slopes : dict of str to tuple of array or None, length order
        Of each further parameter: Taylor coefficients in eta of the derivative in it.
    """

    __slots__ = ("eta", "slopes")
    __array_ufunc__ = None  # NumPy arrays leave the arithmetic to this class

    def __init__(self, eta: Coefficients, slopes: Mapping[str, Coefficients] | None = None) -> None:
        self.eta, self.slopes = eta, dict(slopes or {})

    @property
    def value(self) -> Any:
        """The function itself."""
        return self.eta[0]

    def derivative(self, order: int, parameter: str | None = None) -> Any:
        """The derivative of some order in eta, and of order 1 in a further parameter if one is named."""
        found = self.eta if parameter is None else self.slopes.get(parameter, (None,) * len(self.eta))
        return 0.0 if found[order] is None else math.factorial(order) * found[order]

    def __add__(self, other: Any) -> Series:
        return _termwise(_sum, self, _lifted(other, self))

    __radd__ = __add__

    def __neg__(self) -> Series:
        return self * -1.0

    def __sub__(self, other: Any) -> Series:
        return self + (-1.0 * other)

    def __rsub__(self, other: Any) -> Series:
        return -1.0 * self + other

    def __mul__(self, other: Any) -> Series:
        if not isinstance(other, Series):
            return _map(lambda term: None if term is None else term * other, self)
        eta = _product(self.eta, other.eta, len(self.eta))
        slopes = {}
        for name in self.slopes | other.slopes:
            parts = [
                _product(one.slopes[name], another.eta, len(self.eta) - 1)
                for one, another in ((self, other), (other, self))
                if name in one.slopes
            ]
            slopes[name] = parts[0] if len(parts) == 1 else tuple(map(_sum, *parts))
        return Series(eta, slopes)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Series:
        return self * other**-1.0 if isinstance(other, Series) else self * (1.0 / other)

    def __rtruediv__(self, other: Any) -> Series:
        return other * self**-1.0

    def __pow__(self, power: float) -> Series:
        if power == 2:
            return self * self
        x, p = self.value, float(power)
        return compose(self, lambda k: math.prod(p - i for i in range(k)) * x ** (p - k))

    def __lt__(self, other: Any) -> Any:
        return self.value < other

    def __gt__(self, other: Any) -> Any:
        return self.value > other


def variables(eta: np.ndarray, parameters: Mapping[str, Any], order: int) -> tuple[Series, dict[str, Series]]:
    """Eta and the further parameters as series about where they are.

    Parameters
    ----------
    eta : array
    parameters : mapping of name to scalar or array broadcasting to eta
    order : int
        Highest derivative in eta, at least 1.
    """
    return Series((eta, 1.0, *(None,) * (order - 1))), lifted(parameters, order)


def lifted(parameters: Mapping[str, Any], order: int) -> dict[str, Series]:
    """Further parameters as series, each with its own slope."""
    nothing = (None,) * (order - 1)
    # NumPy's numbers, which divide by 0 and overflow without an error
    values = {name: np.asarray(value, float)[()] for name, value in parameters.items()}
    return {name: Series((value, None, *nothing), {name: (1.0, *nothing)}) for name, value in values.items()}


def compose(x: Series, derivative: Callable[[int], Any]) -> Series:
    """An analytic function of a series.

    Parameters
    ----------
    x : Series
    derivative : function
        ``k -> f^(k)`` at the value of x.
    """
    order = len(x.eta) - 1
    rest = Series((None, *x.eta[1:]), x.slopes)
    result: Any = derivative(order) / math.factorial(order)
    for k in range(order - 1, -1, -1):  # Horner
        result = rest * result + derivative(k) / math.factorial(k)
    return result


def _sum(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _product(a: Coefficients, b: Coefficients, length: int) -> Coefficients:
    result = []
    for k in range(length):
        terms = [a[i] * b[k - i] for i in range(k + 1) if a[i] is not None and b[k - i] is not None]
        result.append(sum(terms[1:], start=terms[0]) if terms else None)
    return tuple(result)


def _map(function: Callable[[Any], Any], x: Series) -> Series:
    return Series(tuple(map(function, x.eta)), {name: tuple(map(function, c)) for name, c in x.slopes.items()})


def _lifted(x: Any, like: Series) -> Series:
    return x if isinstance(x, Series) else Series((x, *(None,) * (len(like.eta) - 1)))


def _termwise(function: Callable[[Any, Any], Any], a: Series, b: Series) -> Series:
    nothing = (None,) * (len(a.eta) - 1)
    slopes = {
        name: tuple(map(function, a.slopes.get(name, nothing), b.slopes.get(name, nothing)))
        for name in a.slopes | b.slopes
    }
    return Series(tuple(map(function, a.eta, b.eta)), slopes)


def _elementary(name: str, derivatives: Callable[[Any], Sequence[Callable[[], Any]]]) -> Callable[[Any], Any]:
    """A function of the namespace: NumPy's for arrays; for series by its derivatives 0 to 3, each when needed."""
    plain = getattr(NUMPY, name)

    def function(x: Any) -> Any:
        if not isinstance(x, Series):
            return plain(x)
        found = derivatives(x.value)
        return compose(x, lambda k: found[k]())

    return function


def _expit(x: Any) -> Sequence[Callable[[], Any]]:
    s, c = special.expit(x), special.expit(-x)
    return [lambda: s, lambda: s * c, lambda: s * c * (c - s), lambda: s * c * (1.0 - 6.0 * s * c)]


def _softplus(x: Any) -> Sequence[Callable[[], Any]]:
    return [lambda: np.logaddexp(0.0, x), *_expit(x)[:3]]


def _exp(x: Any) -> Sequence[Callable[[], Any]]:
    value = np.exp(x)
    return [lambda: value] * 4


def _expm1(x: Any) -> Sequence[Callable[[], Any]]:
    return [lambda: np.expm1(x), *_exp(x)[1:]]


def _log(x: Any) -> Sequence[Callable[[], Any]]:
    return [lambda: np.log(x), lambda: 1.0 / x, lambda: -1.0 / x**2, lambda: 2.0 / x**3]


def _log1p(x: Any) -> Sequence[Callable[[], Any]]:
    return [lambda: np.log1p(x), *_log(1.0 + x)[1:]]


def _sqrt(x: Any) -> Sequence[Callable[[], Any]]:
    s = np.sqrt(x)
    return [lambda: s, lambda: 0.5 / s, lambda: -0.25 / (s * x), lambda: 0.375 / (s * x**2)]


def _tan(x: Any) -> Sequence[Callable[[], Any]]:
    t = np.tan(x)
    return [lambda: t, lambda: 1 + t**2, lambda: 2 * t * (1 + t**2), lambda: (1 + t**2) * (2 + 6 * t**2)]


def _erfc(x: Any) -> Sequence[Callable[[], Any]]:
    slope = -2.0 / math.sqrt(math.pi) * np.exp(-(x**2))
    return [lambda: special.erfc(x), lambda: slope, lambda: -2.0 * x * slope, lambda: (4.0 * x**2 - 2.0) * slope]


def _erfcx(x: Any) -> Sequence[Callable[[], Any]]:
    value = special.erfcx(x)
    first = 2.0 * x * value - 2.0 / math.sqrt(math.pi)
    second = 2.0 * x * first + 2.0 * value
    return [lambda: value, lambda: first, lambda: second, lambda: 2.0 * x * second + 4.0 * first]


def _erfcinv(x: Any) -> Sequence[Callable[[], Any]]:
    y = special.erfcinv(x)
    slope = -0.5 * math.sqrt(math.pi) * np.exp(y**2)
    return [lambda: y, lambda: slope, lambda: 2.0 * y * slope**2, lambda: (2.0 + 8.0 * y**2) * slope**3]


def _gammaln(x: Any) -> Sequence[Callable[[], Any]]:
    """Derivatives for x > 0; NaN below, where SciPy's polygamma takes a step for each unit up to 0."""
    above = np.where(np.asarray(x) > 0.0, x, np.nan)
    higher = [lambda k=k: special.polygamma(k, above) for k in range(3)]
    return [lambda: special.gammaln(x), *higher]


def _abs(x: Any) -> Sequence[Callable[[], Any]]:
    return [lambda: np.abs(x), lambda: np.sign(x), lambda: 0.0 * x, lambda: 0.0 * x]


def _arctan2(y: Any, x: Any) -> Any:
    """The imaginary part of log(x + i y), whose derivatives are those of a logarithm."""
    if not isinstance(x, Series) and not isinstance(y, Series):
        return np.arctan2(y, x)
    logarithm = _elementary("log", _log)(x + 1j * y)
    return _map(lambda term: None if term is None else np.imag(term), logarithm)


def _where(condition: Any, a: Any, b: Any) -> Any:
    if not isinstance(a, Series) and not isinstance(b, Series):
        return np.where(condition, a, b)
    like = a if isinstance(a, Series) else b

    def choose(one: Any, other: Any) -> Any:
        if one is None and other is None:
            return None
        return np.where(condition, 0.0 if one is None else one, 0.0 if other is None else other)

    return _termwise(choose, _lifted(a, like), _lifted(b, like))


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Series) else x


def _wide(x: Any) -> Any:
    """The same with an axis more."""
    return (
        _map(lambda one: None if one is None else np.asarray(one)[..., None], x)
        if isinstance(x, Series)
        else np.asarray(x)[..., None]
    )


def _total(x: Any) -> Any:
    """The sum over the last axis."""
    return _map(lambda one: None if one is None else one.sum(axis=-1), x) if isinstance(x, Series) else x.sum(axis=-1)


_ELEMENTARY: dict[str, Any] = {
    "exp": _elementary("exp", _exp),
    "log": _elementary("log", _log),
    "log1p": _elementary("log1p", _log1p),
    "expm1": _elementary("expm1", _expm1),
    "sqrt": _elementary("sqrt", _sqrt),
    "tan": _elementary("tan", _tan),
    "arctan2": _arctan2,
    "erfc": _elementary("erfc", _erfc),
    "erfcx": _elementary("erfcx", _erfcx),
    "erfcinv": _elementary("erfcinv", _erfcinv),
    "expit": _elementary("expit", _expit),
    "softplus": _elementary("softplus", _softplus),
    "gammaln": _elementary("gammaln", _gammaln),
    "maximum": lambda a, b: _where(_value(a) >= _value(b), a, b),
    "minimum": lambda a, b: _where(_value(a) <= _value(b), a, b),
    "where": _where,
    "abs": _elementary("abs", _abs),
}
SERIES = completed(
    **_ELEMENTARY,
    conway_maxwell=conway_maxwell_forms.series,
    **tail_integrals.forms(SimpleNamespace(**_ELEMENTARY), still=_value, wide=_wide, total=_total),
)
"""The namespace of series: takes arrays and numbers too, and treats them as constants."""
