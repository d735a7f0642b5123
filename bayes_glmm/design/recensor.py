"""Which responses of a row would have been censored, so that simulated ones are in the same way.

A censored row has its limit. Of other rows only a bound is known: the response was seen, so its limit lies beyond.
Where all limits are one number, as those of a measuring device or the end of a study, so is that of every row. Other
limits to the right are drawn from the Kaplan-Meier estimate of their distribution beyond the response, with the roles
of events and censoring exchanged, which takes censoring to be independent of the response. Limits of intervals are not
known.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayes_glmm.design.design import Design
from bayes_glmm.design.limits import Limits
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Response
from bayes_glmm.families.response import EXACT, LEFT, RIGHT

UNKNOWN = (
    "Rows are censored in intervals, or below limits that differ, so that it is not known which replicated responses "
    'would be censored. Residuals take part: fit.check("loo").'
)
_SEED = 1958  # Kaplan & Meier


def censoring_limits(design: Design) -> tuple[np.ndarray, np.ndarray] | None:
    """The limits [row] up to which, and from which on, responses are censored; None where they are not known."""
    limits, y = design.limits, design.y
    left, right = np.full(len(y), -np.inf), np.full(len(y), np.inf)
    if limits is None or limits.code is None:
        return left, right
    below, above, exact = limits.code == LEFT, limits.code == RIGHT, limits.code == EXACT
    if not (below | above | exact).all():
        return None
    if below.any():
        common = y[below].max()
        if y[below].min() < common or (y[~below] < common).any():
            return None
        left[:] = common
    if above.any():
        common = y[above].min()
        if y[above].max() > common or (y[~above] > common).any():
            right = np.where(above, y, _drawn_beyond(y, above))
        else:
            right[:] = common
    return left, right


def recensored(design: Design, values: np.ndarray) -> np.ndarray:
    """Simulated responses [..., row] with limits in place of those beyond; as they are where limits are unknown."""
    found = None if design.limits is None else censoring_limits(design)
    return values if found is None else np.clip(values, *found)


def response_of(design: Design, y: np.ndarray) -> Response:
    """Return simulated responses [..., row] as a density reads them, censored and truncated as the design is."""
    return Response(y, design.trials) if design.limits is None else _recoded(design, y).response(y)


def with_response(design: Design, y: np.ndarray) -> Design:
    """The design of simulated responses [row], which are censored where they are at a limit.

    Raises
    ------
    SpecError
        If the limits are not known.
    """
    return replace(design, y=y, limits=None if design.limits is None else _recoded(design, y))


def _recoded(design: Design, y: np.ndarray) -> Limits:
    """The limits of simulated responses [..., row]."""
    limits = design.limits
    assert limits is not None
    if limits.code is None:
        return limits
    found = censoring_limits(design)
    if found is None:
        raise SpecError(UNKNOWN, design.response, "Simulate from a model without intervals.")
    code = np.where(y >= found[1], RIGHT, np.where(y <= found[0], LEFT, EXACT))
    return replace(limits, code=code, end=None)


def _drawn_beyond(y: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Limits [row] beyond y: a draw from the Kaplan-Meier estimate of censoring times; infinite beyond the last."""
    times = np.unique(y[above])
    at_risk = len(y) - np.searchsorted(np.sort(y), times)
    ended = np.searchsorted(np.sort(y[above]), times, side="right") - np.searchsorted(np.sort(y[above]), times)
    # of those who had an event at that time, the limit is later
    events = np.searchsorted(np.sort(y[~above]), times, side="right") - np.searchsorted(np.sort(y[~above]), times)
    survival = np.cumprod(1.0 - ended / np.maximum(at_risk - events, 1))
    now = np.concatenate([[1.0], survival])[np.searchsorted(times, y, side="right")]
    target = now * np.random.default_rng(_SEED).uniform(size=len(y))
    place = np.searchsorted(-survival, -target)  # the first time at which survival is at most the target
    return np.concatenate([times, [np.inf]])[place]
