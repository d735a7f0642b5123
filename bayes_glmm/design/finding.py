"""The record of a finding: something about a design that a person should know, although the posterior exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """Something a person should know before sampling, in the three parts of an error.

    Attributes
    ----------
    name : str
        For code: ``"separation"``, ``"few_levels"``, ...
    what, where, advice : str
        What was found, in which columns or groups, and what to do about it.
    weight : {"note", "look"}
        Whether it concerns the verdict: "look" where part of the answer rests on a default prior, on where a column has
        its zero, or on data that have no noise; "note" for what costs time or is for information.
    parameters : tuple of str
        Parameters that the data leave to their priors, as the priors name them: ``"beta[x]"``, ``"sd_g"``. Longer
        chains tell nothing more about them.
    """

    name: str
    what: str
    where: str
    advice: str
    weight: Literal["note", "look"] = "note"
    parameters: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.what} [{self.where}] {self.advice}"
