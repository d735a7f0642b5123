"""The record of a user's own family in a file: no code, but enough to recognise the family.

Its name, its parameters with their links, the kind of its response, and its log density at a few points.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bayes_glmm.errors import DataError
from bayes_glmm.families.family import Family
from bayes_glmm.families.link import LINKS
from bayes_glmm.families.own import densities, points_of
from bayes_glmm.families.response import Response


def to_own_record(family: Family) -> dict[str, Any]:
    """The record of a family that a file stores, in plain values."""
    points = points_of(family, LINKS[family.links[0]])
    return {
        "name": family.name,
        "parameters": {one.name: list(one.links) for one in family.parameters},
        "response": family.response.name,
        "values": points.y.values.tolist(),
        "log density": densities(family, points).tolist(),
    }


def from_own_record(family: Family | None, record: Any, path: Path) -> None:
    """Check that a family is the one that was saved.

    Raises
    ------
    DataError
        If it is missing or another one, or the posterior is not one of a user's own family.
    """
    if record is None:
        raise DataError("The posterior is one of a family of the package.", str(path), "Load it without family=.")
    if not isinstance(record, Mapping):
        raise DataError("The saved family is no record.", str(path), "The file is damaged: fit the model again.")
    name = record.get("name")
    if family is None:
        raise DataError(
            f"The posterior is one of a family of your own, {name!r}: files have its name, and no code.",
            str(path),
            "Read it with the family that it was fitted with: bg.load(folder, family=...).",
        )
    if not isinstance(family, Family):
        raise DataError(f"family is no Family, but {type(family).__name__}.", str(path), "Give the record itself.")
    own = {
        "name": family.name,
        "parameters": {one.name: list(one.links) for one in family.parameters},
        "response": family.response.name,
    }
    for key, found in own.items():
        if record.get(key) != found:
            raise DataError(
                f"The family is not the one of the posterior: its {key} is {found!r}, not {record.get(key)!r}.",
                str(path),
                "Give the family that the model was fitted with.",
            )
    _check_density(family, record, path)


def _check_density(family: Family, record: Mapping[str, Any], path: Path) -> None:
    """The log density is the one that was saved, at the responses that were saved."""
    points = points_of(family, LINKS[family.links[0]])
    try:
        y, saved = (np.array(record[key], float) for key in ("values", "log density"))
        y, saved = np.broadcast_to(y, points.eta.shape), np.broadcast_to(saved, points.eta.shape)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            "The saved family has no log density.", str(path), "The file is damaged: fit the model again."
        ) from error
    now = densities(family, type(points)(points.link, points.eta, points.constants, Response(y, points.y.trials)))
    if not np.allclose(now, saved, rtol=1e-8, atol=1e-10):
        raise DataError(
            f"The log density of the family {family.name!r} is not the one that the model was fitted with.",
            str(path),
            "Give that family, or fit the model again.",
        )
