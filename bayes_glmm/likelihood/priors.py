r"""Log densities of the priors, without PyMC, in coordinates without bounds.

The coordinates y are the free ones of :class:`~bayes_glmm.likelihood.layout.Layout`. For a run of d correlated effects
with L = diag(sd) C the Cholesky factor C of an LKJ(eta) matrix has a density proportional to the product over k of
C_kk^(d - k + 2 eta - 2) (Lewandowski, Kurowicka & Joe 2009; Stan reference manual). Row k of C is (rho, 1) /
sqrt(1 + |rho|^2), rho its k - 1 ratios, with |dC / drho| = C_kk^(k + 1). So the density over y is the product of
p(sd_k) sd_k C_kk^(d + 2 eta - 1).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayes_glmm.design import Priors
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.likelihood.layout import Layout
from bayes_glmm.numerics.functions import Functions
from bayes_glmm.numerics.series import SERIES, variables
from bayes_glmm.spec import Prior

Density = Callable[..., Any]


def _normal(x: Any, f: Functions, mu: float = 0.0, sigma: float = 1.0) -> Any:
    return -0.5 * ((x - mu) * (1.0 / sigma)) ** 2 - math.log(sigma * math.sqrt(2.0 * math.pi))


def _student_t(x: Any, f: Functions, nu: float, mu: float = 0.0, sigma: float = 1.0) -> Any:
    constant = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu) - 0.5 * math.log(nu * math.pi) - math.log(sigma)
    return constant - 0.5 * (nu + 1.0) * f.log1p(((x - mu) * (1.0 / sigma)) ** 2 * (1.0 / nu))


def _cauchy(x: Any, f: Functions, alpha: float = 0.0, beta: float = 1.0) -> Any:
    return _student_t(x, f, 1.0, alpha, beta)


def _laplace(x: Any, f: Functions, mu: float, b: float) -> Any:
    return -f.abs(x - mu) * (1.0 / b) - math.log(2.0 * b)


def _logistic(x: Any, f: Functions, mu: float = 0.0, s: float = 1.0) -> Any:
    standard = (x - mu) * (1.0 / s)
    return -f.softplus(standard) - f.softplus(-standard) - math.log(s)


def _uniform(x: Any, f: Functions, lower: float = 0.0, upper: float = 1.0) -> Any:
    inside = math.log(1.0 / (upper - lower)) + 0.0 * x
    return f.where(x < lower, -math.inf, f.where(x > upper, -math.inf, inside))


def _flat(x: Any, f: Functions) -> Any:
    return 0.0 * x


def _half_normal(x: Any, f: Functions, sigma: float = 1.0) -> Any:
    return _normal(x, f, 0.0, sigma) + math.log(2.0)


def _half_student_t(x: Any, f: Functions, nu: float, sigma: float = 1.0) -> Any:
    return _student_t(x, f, nu, 0.0, sigma) + math.log(2.0)


def _half_cauchy(x: Any, f: Functions, beta: float = 1.0) -> Any:
    return _student_t(x, f, 1.0, 0.0, beta) + math.log(2.0)


def _exponential(x: Any, f: Functions, lam: float | None = None, scale: float = 1.0) -> Any:
    rate = 1.0 / scale if lam is None else lam
    return math.log(rate) - rate * x


def _gamma(x: Any, f: Functions, alpha: float, beta: float) -> Any:
    return (alpha - 1.0) * f.log(x) - beta * x + alpha * math.log(beta) - math.lgamma(alpha)


def _inverse_gamma(x: Any, f: Functions, alpha: float, beta: float = 1.0) -> Any:
    return -(alpha + 1.0) * f.log(x) - beta / x + alpha * math.log(beta) - math.lgamma(alpha)


def _beta(x: Any, f: Functions, alpha: float, beta: float) -> Any:
    constant = math.lgamma(alpha + beta) - math.lgamma(alpha) - math.lgamma(beta)
    return constant + (alpha - 1.0) * f.log(x) + (beta - 1.0) * f.log1p(-x)


def _log_normal(x: Any, f: Functions, mu: float = 0.0, sigma: float = 1.0) -> Any:
    return _normal(f.log(x), f, mu, sigma) - f.log(x)


DENSITIES: dict[str, Density] = {
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
"""PyMC's names and arguments -> log density, a function ``(x, f, *arguments)``."""


@dataclass(frozen=True)
class LogPrior:
    """The log prior density over the coordinates y; correlations without the constant of the LKJ distribution.

    Thresholds are -beta_0 and that plus sums of steps. The density of those in order lacks the constant that their
    order makes.

    Attributes
    ----------
    layout : Layout
    priors : Priors
    """

    layout: Layout
    priors: Priors

    def __call__(self, y: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient [parameter] at y [parameter]."""
        gradient = np.zeros_like(y)
        value = 0.0
        for j, name in enumerate(self.layout.coefficients):
            density, slope = log_density(self.priors[name], y[j])
            value += density
            gradient[j] = slope
        for j, (name, free) in enumerate(self.layout.constants.items(), start=self.layout.theta.stop):
            number = free.back(float(y[j]))
            if not free.inside(number):
                return -np.inf, np.zeros_like(y)
            density, slope = log_density(self.priors[name], number)
            value += density + math.log(free.slope(number))
            gradient[j] = slope * free.slope(number) + free.bend(number)
        value += self._thresholds(y, gradient)
        for row, (prior, power) in zip(self.layout.rows, self._rows(), strict=True):
            sd, squares = math.exp(min(y[row[-1]], 350.0)), float(y[row[:-1]] @ y[row[:-1]])
            density, slope = log_density(prior, sd)
            value += density + float(y[row[-1]]) - 0.5 * power * math.log1p(squares)
            gradient[row[-1]] = slope * sd + 1.0
            gradient[row[:-1]] = -power * y[row[:-1]] / (1.0 + squares)
        return (value, gradient) if np.isfinite(value) else (-np.inf, np.zeros_like(y))

    def _thresholds(self, y: np.ndarray, gradient: np.ndarray) -> float:
        """What the priors of thresholds but the first, which is less the first coefficient, add."""
        value, threshold, start = 0.0, -float(y[0]) if len(y) else 0.0, self.layout.theta.stop
        changes = np.zeros(0)  # of the threshold with the coordinate of each step so far
        for k, (prior, free) in enumerate(
            zip(self.priors.thresholds[1:], self.layout.constants.values(), strict=False)
        ):
            step = free.back(float(y[start + k]))
            threshold, changes = threshold + step, np.append(changes, free.slope(step))
            density, slope = log_density(prior, threshold)
            value += density
            gradient[0] -= slope
            gradient[start : start + k + 1] += slope * changes
        return value

    def _rows(self) -> Iterator[tuple[Prior, float]]:
        """Of each row of each L: the prior of its standard deviation, and the power of C_kk."""
        for block in self.layout.blocks:
            shape = lkj_shape(self.priors[f"corr_{block.group}"]) if block.correlated else 1.0
            names = iter(block.effects)
            for size in block.pattern:
                for _ in range(size):
                    yield self.priors[f"sd_{block.group}[{next(names)}]"], size + 2.0 * shape - 1.0


def log_density(prior: Prior, x: float) -> tuple[float, float]:
    """Log density of a prior at a number, and its derivative.

    Raises
    ------
    SpecError
        For a distribution or arguments without a density here.
    """
    density = DENSITIES.get(prior.distribution)
    if density is None:
        raise SpecError(
            f"The approximations know no density for the prior {prior}.", advice=choices(prior.distribution, DENSITIES)
        )
    try:
        inspect.signature(density).bind(x, SERIES, *prior.positional, **dict(prior.keyword))
    except TypeError as error:
        raise SpecError(f"The approximations cannot read the prior {prior}: {error}.") from error
    at, _ = variables(np.asarray(x, float), {}, 1)
    with np.errstate(all="ignore"):
        found = density(at, SERIES, *prior.positional, **dict(prior.keyword))
    return float(found.value), float(found.derivative(1))


def lkj_shape(prior: Prior) -> float:
    """The one argument of an LKJ prior."""
    return float((*prior.positional, *dict(prior.keyword).values())[0])  # type: ignore[arg-type]
