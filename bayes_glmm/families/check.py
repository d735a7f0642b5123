"""Whether the functions of a family fit each other: total probability, mean, variance and draws, at a few points.

Sums over whole numbers and trapezoids over transformed numbers are exact to rounding for smooth densities, so that a
forgotten constant, a mean of another parametrisation and draws of another distribution show.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from bayes_glmm.errors import SpecError
from bayes_glmm.families.family import Family
from bayes_glmm.families.link import LINKS
from bayes_glmm.families.own import Points, check_record, points_of
from bayes_glmm.families.response import Response
from bayes_glmm.families.value import At
from bayes_glmm.names import LOCATION
from bayes_glmm.numerics.functions import NUMPY

MOST = 20_000  # the largest count that sums go to
NODES = 100_001  # of the trapezoidal rule
FAR, NEAR_ZERO = 30.0, 200.0  # how far it goes on the transformed axis: to e^30, and to e^-200
TOLERANCE = 1e-3  # of probabilities, and relative of moments
DRAWS = 20_000
FURTHEST = 2.2 / np.sqrt(DRAWS)  # between distribution functions; larger in 1 of 8,000 correct samples


def check_family(family: Family) -> pd.DataFrame:
    """Check a family: its record, and that density, mean, variance and draws are those of one distribution.

    Parameters
    ----------
    family : Family
        A user's own family, or one of the package.

    Returns
    -------
    DataFrame
        One row per point: the parameters; the total probability, and mean and variance, by the density; mean and
        variance by the functions of the record; and the largest distance between the distribution functions of the
        density and of 20,000 draws. Moments of a family with trials are those of one trial.

    Raises
    ------
    SpecError
        The first thing that is wrong, and where.

    Examples
    --------
    >>> from bayes_glmm.families import get_family
    >>> check_family(get_family("poisson"))[["mu", "total", "mean", "variance"]].round(6)
        mu  total  mean  variance
    0  0.7    1.0   0.7       0.7
    1  2.5    1.0   2.5       2.5
    """
    check_record(family)
    points = points_of(family, LINKS[family.links[0]])
    table = pd.DataFrame([_row(family, points, k) for k in range(len(points.eta))])
    names = [LOCATION, *points.constants]
    for row in table.to_dict("records"):
        where = ", ".join(f"{name} = {row[name]:g}" for name in names)
        _check(family, where, "sums to" if family.discrete else "integrates to", row["total"], 1.0, "over the support")
        for name in ("mean", "variance"):
            stated = row[f"{name} of record"]
            if np.isfinite(stated):
                _check(family, where, f"has the {name}", row[name], stated, "by the record")
        if not row["distance of draws"] <= FURTHEST:
            raise SpecError(
                f"Draws of the family {family.name!r} do not follow its log_density: distribution functions differ by "
                f"{row['distance of draws']:.3f}.",
                where,
                "Correct one of the two: draw may take a rate for a scale, or another order of parameters.",
            )
    return table


def _check(family: Family, where: str, what: str, found: float, expected: float, by: str) -> None:
    if not abs(found - expected) <= TOLERANCE * max(1.0, abs(expected)):
        raise SpecError(
            f"The density of the family {family.name!r} {what} {found:.6g}, not {expected:.6g} {by}.", where
        )


def _row(family: Family, points: Points, k: int) -> dict[str, float]:
    """The row of the table for a point."""
    constants = {name: values[k] for name, values in points.constants.items()}
    eta, trials = points.eta[k, :1], 1.0 if family.response.trials else None
    at = family.at({LOCATION: (eta, points.link)}, constants, NUMPY)
    y, weights, apart = _grid(family)
    with np.errstate(all="ignore"):
        mass = weights * np.exp(family.log_density(Response(y, trials), at, NUMPY))
    _check_hazard(family, constants, y, np.cumsum(mass) - np.where(apart, 0.0, 0.5 * mass), at)
    mean, stated = float(mass @ y), family.mean.value(at)
    wide = family.at({LOCATION: (np.repeat(eta, DRAWS), points.link)}, constants, NUMPY)
    drawn = np.asarray(family.draw(np.random.default_rng(2), Response(None, trials), wide), float)
    return {
        LOCATION: float(points.link.inverse(eta, NUMPY)[0]),
        **{name: float(value[0]) for name, value in constants.items()},
        "total": float(mass.sum()),
        "mean": mean,
        "variance": float(mass @ (y - mean) ** 2),
        "mean of record": float(np.ravel(stated)[0]),
        "variance of record": float(np.ravel(family.variance(at))[0]),
        "distance of draws": _distance(y, mass, np.sort(drawn), apart),
    }


def _check_hazard(
    family: Family, constants: Mapping[str, np.ndarray], y: np.ndarray, below: np.ndarray, at: At
) -> None:
    """The distribution function that follows from the cumulative hazard, where there is one, is that of the density."""
    if family.log_cumulative_hazard is None or abs(below[-1] - 1.0) > TOLERANCE:
        return
    with np.errstate(all="ignore"):
        log_hazard = np.asarray(family.log_cumulative_hazard(Response(y), at, NUMPY))
        distance = float(np.abs(-np.expm1(-np.exp(log_hazard)) - below).max())
    if not distance <= TOLERANCE:
        raise SpecError(
            f"log_cumulative_hazard of the family {family.name!r} is not that of its log_density: distribution "
            f"functions differ by {distance:.3g}.",
            ", ".join(f"{name} = {value[0]:g}" for name, value in constants.items()),
            "Write log(-log P(Y > y)).",
        )


def _grid(family: Family) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Responses in increasing order, the weight of the density at each, and whether each has a probability."""
    kind = family.response
    if family.discrete:
        y = np.arange(-MOST, MOST + 1.0)
        weights = np.ones(len(y))
    else:
        impossible = kind.support(np.array([-1.0, 2.0]), None)
        t = np.linspace(-NEAR_ZERO if impossible[0] else -FAR, FAR, NODES)
        if not impossible[0]:
            y, slope = np.sinh(t), np.cosh(t)
        elif impossible[1]:
            y = 1.0 / (1.0 + np.exp(-t))
            slope = y / (1.0 + np.exp(t))
        else:
            y = slope = np.exp(t)
        weights = slope * (t[1] - t[0])
    apart = np.full(len(y), family.discrete)
    inside = np.isin(y, kind.masses, invert=True)
    y, weights, apart = y[inside], weights[inside], apart[inside]
    for mass in kind.masses:
        at = int(np.searchsorted(y, mass))
        y, weights, apart = np.insert(y, at, mass), np.insert(weights, at, 1.0), np.insert(apart, at, True)
    possible = ~kind.support(y, np.ones(len(y)) if kind.trials else None)
    return y[possible], weights[possible], apart[possible]


def _distance(y: np.ndarray, mass: np.ndarray, drawn: np.ndarray, apart: np.ndarray) -> float:
    """The largest distance between the distribution functions of a density on a grid and of sorted draws."""
    below = np.searchsorted(drawn, y, side="right") / len(drawn)
    # half of the mass at a node of a density lies below it
    return float(np.abs(np.cumsum(mass) - np.where(apart, 0.0, 0.5 * mass) - below).max())
