"""Response: observed values, numbers of trials, and what is known of values that were not observed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

LEFT, EXACT, RIGHT, INTERVAL = -1.0, 0.0, 1.0, 2.0
CODES = {"left": LEFT, "right": RIGHT, "interval": INTERVAL}
_ARRAYS = ("lower", "upper", "weight")
BESIDE = ("trials", "code", "end", "lower", "upper", "weight")  # the arrays beside the values


@dataclass(frozen=True)
class Response:
    """Observed values, in the form that a density takes.

    Attributes
    ----------
    values : array [..., row]
        Of a censored row the end of what is known: Y > value to the right, Y <= value to the left.
    trials : array [row], optional
        Of how many trials each value is the number of successes.
    code : array [row], optional
        ``EXACT`` or what is known instead: ``LEFT``, ``RIGHT``, or ``INTERVAL``, which is value < Y <= end.
    end : array [row], optional
        Upper ends of intervals.
    lower, upper : array [row], optional
        Bounds of truncated responses, lower < Y <= upper; infinite in rows without one.
    weight : array [row], optional
        The power to which the density of each row is raised: a sampling weight.
    kinds : tuple of str
        Which of ``CODES`` occur.
    """

    values: Any
    trials: Any = None
    code: Any = None
    end: Any = None
    lower: Any = None
    upper: Any = None
    kinds: tuple[str, ...] = ()
    weight: Any = None

    @property
    def form(self) -> tuple[str, ...]:
        """Columns beside the values that the density reads: kinds of censoring, bounds and weights."""
        return (*self.kinds, *(name for name in _ARRAYS if getattr(self, name) is not None))

    def __getitem__(self, rows: Any) -> Response:
        """Some of the rows, or all with further axes, as arrays are indexed."""
        beside = {name: one[rows] for name in BESIDE if (one := getattr(self, name)) is not None}
        return replace(self, values=self.values[rows], **beside)


def columns_of(form: tuple[str, ...]) -> tuple[str, ...]:
    """The arrays beside the values and trials that a response of a form has."""
    kinds = [name for name in form if name in CODES]
    ends = ["end"] if "interval" in kinds else []
    return (*(["code"] if kinds else []), *ends, *(name for name in form if name in _ARRAYS))


def read_beside(form: tuple[str, ...], trials: bool) -> tuple[str, ...]:
    """The arrays that compiled code reads beside the values, ``n`` for trials; it reads one at least."""
    columns = columns_of(form)
    return (*(("n",) if trials or not columns else ()), *columns)
