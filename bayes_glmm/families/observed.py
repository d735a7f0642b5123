r"""The density of what was observed: of a value, of a range that it lies in, among responses within bounds.

    censored    P(Y > y), P(Y <= y) or P(y < Y <= end) in place of p(y)
    truncated   divided by P(lower < Y <= upper)

All follow from the cumulative hazard of the family (:mod:`bayes_glmm.numerics.tails`). Draws of truncated responses are
drawn again where they are out of bounds; what is out of them even then is found by bisection.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayes_glmm.families.family import Family
from bayes_glmm.families.response import EXACT, INTERVAL, LEFT, RIGHT, Response
from bayes_glmm.families.value import At
from bayes_glmm.numerics.functions import NUMPY, Functions
from bayes_glmm.numerics.tails import log_above, log_between, log_up_to

_INFINITE = 1e300
_ATTEMPTS = 20  # to draw within bounds
_HALVINGS, _LARGEST = 70, 1e100  # of the range of doubles up to the largest response: to the last digit
_MOST_COUNTS = 10_000  # beyond the lower bound


def log_observed(family: Family, y: Response, at: At, f: Functions) -> Any:
    """Log density of what was observed, row by row.

    Parameters
    ----------
    family : Family
        With a cumulative hazard where the response is censored or truncated.
    y : Response
    at : mapping of str to Value
    f : Functions
        The namespace that the values live in.

    Returns
    -------
    array [..., row]
        ``family.log_density`` where nothing is known beside the values; times the weight of each row.
    """
    found = family.log_density(y, at, f)
    if y.kinds:
        hazard = _hazard(family, y, y.values, at, f)
        if "right" in y.kinds:
            found = f.where(y.code > 0.5, log_above(hazard, f), found)
        if "left" in y.kinds:
            found = f.where(y.code < -0.5, log_up_to(hazard, f), found)
        if "interval" in y.kinds:
            found = f.where(y.code > 1.5, log_between(hazard, _hazard(family, y, y.end, at, f), f), found)
    if y.lower is not None or y.upper is not None:
        found = found - _log_within(family, y, at, f)
    return found if y.weight is None else y.weight * found


def _hazard(family: Family, y: Response, values: Any, at: At, f: Functions) -> Any:
    """The logarithm of the cumulative hazard at values in place of those of the response."""
    assert family.log_cumulative_hazard is not None
    return family.log_cumulative_hazard(replace(y, values=values), at, f)


def _log_within(family: Family, y: Response, at: At, f: Functions) -> Any:
    """Log P(lower < Y <= upper); infinite bounds are replaced where a hazard is computed, and not read."""

    def hazard(values: Any) -> Any:
        return _hazard(family, y, values, at, f)

    if y.lower is None:
        bounded = y.upper < _INFINITE
        return f.where(bounded, log_up_to(hazard(f.where(bounded, y.upper, y.values)), f), 0.0)
    below = y.lower > -_INFINITE
    low = hazard(f.where(below, y.lower, y.values))
    above = f.where(below, log_above(low, f), 0.0)
    if y.upper is None:
        return above
    bounded = y.upper < _INFINITE
    high = hazard(f.where(bounded, y.upper, f.abs(y.values) * 2.0 + 1.0))
    within = f.where(below, log_between(low, high, f), log_up_to(high, f))
    return f.where(bounded, within, above)


def seen_again(y: Response, drawn: np.ndarray) -> Response:
    """Return drawn responses as they are seen where what is known of censored rows is all that is recorded there."""
    if not y.kinds:
        return replace(y, values=drawn)
    above, end = drawn > y.values, np.inf if y.end is None else y.end
    inside = np.select(
        [y.code == LEFT, y.code == RIGHT, y.code == INTERVAL], [~above, above, above & (drawn <= end)], False
    )
    return replace(y, values=np.where(inside, y.values, drawn), code=np.where(inside, y.code, EXACT))


def draw_observed(family: Family, rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
    """Draw responses within their bounds; uncensored."""
    found = np.asarray(family.draw(rng, y, at))
    if y.lower is None and y.upper is None:
        return found
    lower = np.broadcast_to(-np.inf if y.lower is None else y.lower, found.shape)
    upper = np.broadcast_to(np.inf if y.upper is None else y.upper, found.shape)
    etas = {name: (np.broadcast_to(value.eta, found.shape), value) for name, value in at.items()}
    found = found.copy()
    for attempt in range(_ATTEMPTS + 1):
        out = (found <= lower) | (found > upper)
        if not out.any():
            break
        of = {name: replace(value, eta=eta[out]) for name, (eta, value) in etas.items()}
        missing = Response(None, lower=lower[out], upper=upper[out])
        if attempt < _ATTEMPTS:
            found[out] = family.draw(rng, missing, of)
        else:
            found[out] = (_next_counts if family.discrete else _bisected)(family, rng, missing, of)
    return found


def _next_counts(family: Family, rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
    """Draw counts by inversion [value], from the least within the bounds on: few, as their bounds are in a tail."""
    values = np.maximum(y.lower, -1.0) + 1.0
    missing = np.log(rng.uniform(size=values.shape)) + _log_within(family, replace(y, values=values), at, NUMPY)
    missing = np.exp(missing)
    for _ in range(_MOST_COUNTS):
        missing = missing - np.exp(family.log_density(Response(values), at, NUMPY))
        more = (missing > 0.0) & (values < y.upper)
        if not more.any():
            break
        values = values + more
    return values


def _bisected(family: Family, rng: np.random.Generator, y: Response, at: At) -> np.ndarray:
    """Draw by inversion [value]: P(lower < Y <= y) = v P(lower < Y <= upper), y by bisection over all doubles."""
    least = np.maximum(y.lower, family.response.least)

    def log_share(values: np.ndarray) -> np.ndarray:
        """Log P(lower < Y <= y)."""
        safe = np.where(np.isfinite(least), least, values)
        with np.errstate(all="ignore"):
            return _log_within(family, Response(safe, lower=y.lower, upper=values), at, NUMPY)

    target = np.log(rng.uniform(size=least.shape)) + log_share(y.upper)
    low, high = (_ordinal(np.clip(end, -_LARGEST, _LARGEST)) for end in (least, y.upper))
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        enough = log_share(_value(middle)) >= target
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    found = np.clip(_value(high), np.nextafter(y.lower, np.inf), y.upper)
    if family.response.least not in family.response.masses:
        return found
    return np.where((y.lower < least) & (log_share(least) >= target), least, found)


def _ordinal(y: np.ndarray) -> np.ndarray:
    """A scale on which doubles of all sizes lie about evenly."""
    return np.arcsinh(y * _LARGEST)


def _value(ordinal: np.ndarray) -> np.ndarray:
    return np.sinh(ordinal) / _LARGEST
