"""Answers for each category of the response, side by side: one question, asked of the functionals of all at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from bayes_glmm.effects.columns import columns_of_table, free_name
from bayes_glmm.effects.estimands import Part, chosen_parts
from bayes_glmm.effects.tidy import Estimates, labelled
from bayes_glmm.families import Functional
from bayes_glmm.posterior import Posterior

CATEGORY = "category"


def of_each_part(
    posterior: Posterior, part: Part | None, ask: Callable[[Sequence[Functional]], Sequence[Estimates]]
) -> Estimates:
    """The answer to a question about a part of the response; about each category where it has some.

    Parameters
    ----------
    posterior : Posterior
    part : str, optional
    ask : function
        From the functionals to the answer about each.

    Raises
    ------
    SpecError
        For a part that the response does not have.
    """
    found = chosen_parts(part, posterior.spec, posterior.design.categories)
    answers = ask(tuple(found.values()))
    return answers[0] if None in found else side_by_side(dict(zip(map(str, found), answers, strict=True)))


def side_by_side(answers: Mapping[str, Estimates]) -> Estimates:
    """The answers for all categories in one table, those that differ in the category alone below each other.

    The column ``category`` stands before those of the estimand and of the reading of the random effects.
    """
    parts = list(answers.values())
    first = columns_of_table(parts[0].table)
    place, name = len(first.labels), free_name(CATEGORY, parts[0].table.columns)
    order_of_labels = pd.CategoricalDtype(list(answers), ordered=True)
    tables = []
    for label, part in answers.items():
        table = part.table.copy()
        table.insert(place, name, pd.Series(label, table.index).astype(order_of_labels))
        tables.append(table)
    order = np.argsort(np.concatenate([np.arange(len(table)) for table in tables]), kind="stable")
    draws = np.concatenate([part.draws.to_numpy() for part in parts], axis=2)[..., order]
    table = pd.concat(tables, ignore_index=True).iloc[order].reset_index(drop=True)
    stacked = labelled(draws, table[list(columns_of_table(table).all_labels)])
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return Estimates(table, stacked, parts[0].description, notes)
