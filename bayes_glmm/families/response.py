"""Response: observed values and, for successes, their numbers of trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Response:
    """Observed values, in the form that a density takes.

    Attributes
    ----------
    values : array [..., row]
    trials : array [row], optional
        Of how many trials each value is the number of successes.
    """

    values: Any
    trials: Any = None

    def __getitem__(self, rows: Any) -> Response:
        """Some of the rows, or all with further axes, as arrays are indexed."""
        return Response(self.values[rows], None if self.trials is None else self.trials[rows])
