"""Where the linear predictor of a response lies, and how far it reaches: the units of default priors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from bayes_glmm.design.design import Design
from bayes_glmm.design.imputed import imputed
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.spec import ModelSpec

_UNIT_FREE = ("log", "logit", "probit", "cloglog", "cauchit")  # links whose scale carries its own unit
_ITERATIONS = 500
_FROM_POLE = 1e-9  # relative
REACH = 2.5  # prior sd of a standardised coefficient, in scales of the linear predictor: Gelman et al. (2008)


def weights(design: Design) -> np.ndarray:
    """How many observations each row stands for [row]: its trials, or 1."""
    return np.ones(len(design.y)) if design.trials is None else design.trials


@dataclass(frozen=True)
class LocatedRows:
    """Values of the response as the location has them, in the rows that have one: all, unless the family says else.

    Attributes
    ----------
    y, weights, offset : array [row]
        Counts of events where ``weights`` are trials. Of censored rows what a normal distribution expects, which is
        fitted to the response or its logarithm: see :mod:`bayes_glmm.design.imputed`.
    beyond : float
        The variance that the expectations lack.
    """

    y: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    beyond: float = 0.0

    @property
    def mean(self) -> float:
        """Their mean, of one trial where there are trials; NaN without rows."""
        return float(self.y.sum() / self.weights.sum()) if len(self.y) else math.nan


def located(spec: ModelSpec, design: Design) -> LocatedRows:
    """Return the rows and values whose mean is the location: the response, its logarithm, or its values above 0."""
    w, (y, beyond) = weights(design), imputed(spec, design)
    if spec.family.located is None:
        return LocatedRows(y, w, design.offset, beyond)
    with np.errstate(all="ignore"):
        values = spec.family.located.values(y)
    known = np.isfinite(values)
    return LocatedRows(values[known], w[known], design.offset[known], beyond)


def middle(spec: ModelSpec, design: Design) -> float:
    """The constant mu0 that, added to the offset, gives the data's mean: sum w h(mu0 + offset) = sum y.

    Of ordered categories that of being above the first. 0 where no constant does, as for a negative mean under the log
    link.
    """
    rows = located(spec, design)
    w, offset = rows.weights, rows.offset
    mean = float((design.y > 1).mean()) if design.categories else rows.mean
    with np.errstate(all="ignore"):
        eta = float(spec.link.forward(mean, NUMPY))
    if not math.isfinite(eta):
        return 0.0
    low, high = eta - float(offset.max()), eta - float(offset.min())
    if high - low < 1e-12 * max(1.0, abs(eta)):
        return low
    if spec.link.range == "nonzero":  # between the ends the inverse has a pole, where a predictor is 0
        margin = _FROM_POLE * abs(eta)
        low, high = (max(low, margin - offset.min()), high) if eta > 0 else (low, min(high, -margin - offset.max()))

    def excess(mu: float) -> float:
        with np.errstate(all="ignore"):
            return float(w @ (spec.link.inverse(mu + offset, NUMPY) - mean))

    ends = excess(low), excess(high)
    if not (math.isfinite(ends[0]) and math.isfinite(ends[1])) or ends[0] * ends[1] > 0:
        return eta - float(np.average(offset, weights=w))
    from scipy import optimize

    return float(optimize.brentq(excess, low, high, xtol=1e-12, rtol=1e-14))


def middle_of(spec: ModelSpec, design: Design, parameter: str) -> float:
    """Where the default prior of a parameter's predictor has its middle: the data's, or the one in its record."""
    if parameter == LOCATION:
        return middle(spec, design)
    if spec.family.shared_formula:
        names = [one.name for one in spec.family.parameters]
        return float(_middles(design)[names.index(parameter)])
    record = spec.family.parameter(parameter)
    unit = spread(spec, design) if record.of_response else 1.0
    return float(spec.link_of(parameter).forward(record.middle * unit, NUMPY))


def _middles(design: Design) -> np.ndarray:
    """Constants that, added to the offsets, give the shares of categories against the first [category - 1].

    By proportional fitting: the log odds of the data, where there is no offset, in one step. A category without rows,
    which simulated responses may have, counts as half a row.
    """
    counts = np.maximum(np.bincount(design.y.astype(int), minlength=len(design.categories) + 1)[1:], 0.5)
    counts *= len(design.y) / counts.sum()
    offsets = np.column_stack([0.0 * design.y, *(one.offset for one in design.predictors.fixed)])
    eta = np.zeros(len(counts))
    for _ in range(_ITERATIONS):
        expected = special.softmax(eta + offsets, axis=1).sum(axis=0)
        step = np.log(counts / expected)
        eta += step - step[0]
        if np.abs(step).max() < 1e-12:
            break
    return eta[1:]


def spread(spec: ModelSpec, design: Design) -> float:
    """The sd of one observation of the response, of what the offset leaves under the identity link; 1 for none."""
    rows = located(spec, design)
    y = rows.y - rows.offset if spec.link_name == "identity" else rows.y
    if spec.family.response.events:
        share = float(design.y.sum() / weights(design).sum())
        return math.sqrt(share * (1.0 - share)) or 1.0
    return math.sqrt(float(np.var(y)) + rows.beyond) or 1.0 if len(y) else 1.0


def predictor_scale(spec: ModelSpec, design: Design) -> float:
    """The scale s of the linear predictor: 1 on logarithmic and probability scales, else sd(y) |g'(mean of y)|."""
    if spec.link_name in _UNIT_FREE:
        return 1.0
    if spec.link_name == "identity":
        return spread(spec, design)
    mean = located(spec, design).mean
    with np.errstate(all="ignore"):
        slope = float(spec.link.derivative(spec.link.forward(mean, NUMPY), NUMPY))
    scale = spread(spec, design) / abs(slope) if slope else math.inf
    return scale if math.isfinite(scale) and scale > 0.0 else 1.0


def root_mean_square(spec: ModelSpec, design: Design) -> float:
    """The size of the response less its offset, about 0: the unit of a model without a constant (identity link)."""
    rows = located(spec, design)
    if not len(rows.y):
        return 1.0
    y = rows.y / rows.weights if design.trials is not None else rows.y
    return float(np.sqrt(np.average((y - rows.offset) ** 2, weights=rows.weights))) or 1.0
