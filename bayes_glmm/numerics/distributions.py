"""Log densities of the distributions that priors are mostly written with, by PyMC's names and arguments.

A log density is a :class:`Shape`, a function of x with three numbers, plus a constant. Shapes are written in any of the
namespaces of :mod:`~bayes_glmm.numerics.functions`: power series give derivatives, and source gives compiled code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from bayes_glmm.numerics.functions import Functions

Shape = Callable[[Any, Functions, Any, Any, Any], Any]
"""``(x, f, a, b, c) -> log density`` up to a constant."""


class Density(NamedTuple):
    """A distribution with its arguments.

    Attributes
    ----------
    shape : function
    a, b, c : float
        The numbers of the shape; those that it does not read are 0.
    constant : float
        What the log density has beside the shape.
    """

    shape: Shape
    a: float
    b: float
    c: float
    constant: float

    def log(self, x: Any, f: Functions) -> Any:
        """The log density at x, in a namespace."""
        return self.shape(x, f, self.a, self.b, self.c) + self.constant


def flat(x: Any, f: Functions, a: Any, b: Any, c: Any) -> Any:
    """Constant everywhere."""
    return 0.0 * x


def uniform(x: Any, f: Functions, a: Any, b: Any, c: Any) -> Any:
    """Constant from a to b."""
    return f.where(x < a, -math.inf, f.where(x > b, -math.inf, 0.0 * x))


def normal(x: Any, f: Functions, a: Any, b: Any, c: Any) -> Any:
    """Mean a, standard deviation 1 / b."""
    standard = (x - a) * b
    return -0.5 * (standard * standard)


def student_t(x: Any, f: Functions, a: Any, b: Any, c: Any) -> Any:
    """Median a, scale 1 / b, c degrees of freedom."""
    standard = (x - a) * b
    return -0.5 * (c + 1.0) * f.log1p(standard * standard * (1.0 / c))


def laplace(x: Any, f: Functions, a: Any, b: Any, c: Any) -> Any:
    """Median a, scale 1 / b."""
    return -f.abs((x - a) * b)


def logistic(x: Any, f: Functions, a: Any, b: Any, c: Any) -> Any:
    """Median a, scale 1 / b."""
    size = f.abs((x - a) * b)
    return -size - 2.0 * f.log1p(f.exp(-size))


def gamma(x: Any, f: Functions, a: Any, b: Any, c: Any) -> Any:
    """Shape a + 1, rate b."""
    return a * f.log(x) - b * x


def inverse_gamma(x: Any, f: Functions, a: Any, b: Any, c: Any) -> Any:
    """Shape a - 1, scale b."""
    return -a * f.log(x) - b / x


def log_normal(x: Any, f: Functions, a: Any, b: Any, c: Any) -> Any:
    """Mean a and standard deviation 1 / b of log x."""
    log_x = f.log(x)
    standard = (log_x - a) * b
    return -0.5 * (standard * standard) - log_x


def beta_shape(x: Any, f: Functions, a: Any, b: Any, c: Any) -> Any:
    """Shapes a + 1 and b + 1."""
    return a * f.log(x) + b * f.log1p(-x)


SMOOTH: tuple[Shape, ...] = (
    flat,
    normal,
    student_t,
    laplace,
    logistic,
    gamma,
    inverse_gamma,
    log_normal,
    beta_shape,
)
"""Shapes without a cliff, at which a sampler by gradients would break off."""


def _flat() -> Density:
    return Density(flat, 0.0, 0.0, 0.0, 0.0)


def _uniform(lower: float = 0.0, upper: float = 1.0) -> Density:
    return Density(uniform, lower, upper, 0.0, math.log(1.0 / (upper - lower)))


def _normal(mu: float = 0.0, sigma: float = 1.0) -> Density:
    return Density(normal, mu, 1.0 / sigma, 0.0, -math.log(sigma * math.sqrt(2.0 * math.pi)))


def _half_normal(sigma: float = 1.0) -> Density:
    return _half(_normal(0.0, sigma))


def _student_t(nu: float, mu: float = 0.0, sigma: float = 1.0) -> Density:
    constant = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu) - 0.5 * math.log(nu * math.pi) - math.log(sigma)
    return Density(student_t, mu, 1.0 / sigma, nu, constant)


def _half_student_t(nu: float, sigma: float = 1.0) -> Density:
    return _half(_student_t(nu, 0.0, sigma))


def _cauchy(alpha: float = 0.0, beta: float = 1.0) -> Density:
    return _student_t(1.0, alpha, beta)


def _half_cauchy(beta: float = 1.0) -> Density:
    return _half(_student_t(1.0, 0.0, beta))


def _laplace(mu: float, b: float) -> Density:
    return Density(laplace, mu, 1.0 / b, 0.0, -math.log(2.0 * b))


def _logistic(mu: float = 0.0, s: float = 1.0) -> Density:
    return Density(logistic, mu, 1.0 / s, 0.0, -math.log(s))


def _exponential(lam: float | None = None, scale: float = 1.0) -> Density:
    rate = 1.0 / scale if lam is None else lam
    return Density(gamma, 0.0, rate, 0.0, math.log(rate))


def _gamma(alpha: float, beta: float) -> Density:
    return Density(gamma, alpha - 1.0, beta, 0.0, alpha * math.log(beta) - math.lgamma(alpha))


def _inverse_gamma(alpha: float, beta: float = 1.0) -> Density:
    return Density(inverse_gamma, alpha + 1.0, beta, 0.0, alpha * math.log(beta) - math.lgamma(alpha))


def _log_normal(mu: float = 0.0, sigma: float = 1.0) -> Density:
    return Density(log_normal, mu, 1.0 / sigma, 0.0, -math.log(sigma * math.sqrt(2.0 * math.pi)))


def _beta(alpha: float, beta: float) -> Density:
    constant = math.lgamma(alpha + beta) - math.lgamma(alpha) - math.lgamma(beta)
    return Density(beta_shape, alpha - 1.0, beta - 1.0, 0.0, constant)


def _half(whole: Density) -> Density:
    """The half above 0 of a distribution that is symmetric about it."""
    return whole._replace(constant=whole.constant + math.log(2.0))


DISTRIBUTIONS: dict[str, Callable[..., Density]] = {
    "Normal": _normal,
    "StudentT": _student_t,
    "Cauchy": _cauchy,
    "Laplace": _laplace,
    "Logistic": _logistic,
    "Uniform": _uniform,
    "Flat": _flat,
    "HalfFlat": _flat,
    "HalfNormal": _half_normal,
    "HalfStudentT": _half_student_t,
    "HalfCauchy": _half_cauchy,
    "Exponential": _exponential,
    "Gamma": _gamma,
    "Beta": _beta,
    "InverseGamma": _inverse_gamma,
    "LogNormal": _log_normal,
    "Lognormal": _log_normal,
}
"""PyMC's names -> density, from PyMC's arguments."""
