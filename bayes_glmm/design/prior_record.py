"""Priors as plain values for a file, and back: draws keep the priors, and the columns, that they were made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayes_glmm.design.canonical import Canonical, Columns
from bayes_glmm.design.priors import Priors
from bayes_glmm.errors import SpecError
from bayes_glmm.spec import Prior


def to_record(priors: Priors) -> dict[str, Any]:
    """Plain values, numbers to the last bit."""
    canonical = priors.canonical
    return {
        "entries": {name: str(prior) for name, prior in priors.entries.items()},
        "canonical": {
            "priors": {name: str(prior) for name, prior in priors.scalars.items()},
            "fixed": {
                parameter: {
                    "names": list(columns.names),
                    "T": columns.T.tolist(),
                    "centre": columns.centre.tolist(),
                    "constant": columns.constant,
                }
                for parameter, columns in canonical.fixed.items()
            },
            "A": {group: A.tolist() for group, A in canonical.A.items()},
            "means": {group: means.tolist() for group, means in canonical.means.items()},
            "mix": None if canonical.mix is None else canonical.mix.tolist(),
        },
    }


def from_record(priors: Priors, record: Mapping[str, Any]) -> Priors:
    """The priors of a record in place of those resolved now, which may be those of another version.

    Raises
    ------
    SpecError
        If the record is not of this model.
    """
    try:
        entries = {name: Prior.parse(text) for name, text in record["entries"].items()}
        saved = record["canonical"]
        scalars = {name: Prior.parse(text) for name, text in saved["priors"].items()}
        canonical = Canonical(
            {parameter: _columns(now, saved["fixed"][parameter]) for parameter, now in priors.canonical.fixed.items()},
            {group: np.array(saved["A"][group], float).reshape(A.shape) for group, A in priors.canonical.A.items()},
            {group: np.array(saved["means"][group], float) for group in priors.canonical.means},
            None if saved.get("mix") is None else np.array(saved["mix"], float),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpecError(f"The record of the priors is incomplete: {error}.") from error
    if entries.keys() != priors.entries.keys() or scalars.keys() != priors.scalars.keys():
        raise SpecError("The priors are those of other parameters.")
    return replace(priors, entries=entries, scalars=scalars, canonical=canonical)


def _columns(now: Columns, saved: Mapping[str, Any]) -> Columns:
    T, centre = np.array(saved["T"], float), np.array(saved["centre"], float)
    return Columns(tuple(saved["names"]), T.reshape(now.T.shape), centre.reshape(now.centre.shape), saved["constant"])
