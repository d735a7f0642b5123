"""The posterior as one point: parameters at their posterior medians, for pictures that show groups and not uncertainty.

A group's own curve is drawn at one value of the parameters. Averaged over draws of u it would be flattened, as
population-averaged curves are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayes_glmm.design import Design
from bayes_glmm.effects.effective import typical_covariance
from bayes_glmm.effects.grid import check_variable, factor_columns, levels, model_columns, reference_grid
from bayes_glmm.errors import SpecError
from bayes_glmm.families import Link
from bayes_glmm.names import THRESHOLD
from bayes_glmm.posterior import Posterior

POINTS = 121  # of a curve


def at_posterior_medians(posterior: Posterior, copies: int = 1) -> Posterior:
    """A posterior of equal draws: beta, u, the family's parameters at their medians, G as :func:`typical_covariance`.

    Parameters
    ----------
    posterior : Posterior
    copies : int
        How many draws: as many fresh groups does ``predict(..., random_effects="new")`` then give.
    """
    own = [name for name in posterior.spec.auxiliary if name not in posterior.spec.family.inner]
    needed = [*(one.variable for one in posterior.design.predictors.fixed), *own]
    needed += [THRESHOLD] if posterior.design.thresholds else []
    needed += [f"{kind}_{block.group}" for block in posterior.design.blocks for kind in ("G", "u")]
    point = posterior.draws["posterior"].to_dataset()[needed].median(("chain", "draw"))
    if (residual := posterior.design.residual) is not None:  # means of correlation matrices are such matrices
        name = residual.form.variable
        point[name] = posterior.draws["posterior"].to_dataset()[name].mean(("chain", "draw"))
    for block in posterior.design.blocks:
        point[f"G_{block.group}"][...] = typical_covariance(posterior.G(block.group))
    point = point.expand_dims(chain=[0], draw=np.arange(copies))
    return replace(posterior, draws=xr.DataTree.from_dict({"posterior": point}))


def readings_of(posterior: Posterior) -> tuple[str, ...]:
    """The readings to draw: under some links (inverse) no population-averaged mean exists."""
    return ("integrated", "zero") if posterior.spec.has_averages else ("zero",)


def link_of_mean(posterior: Posterior) -> Link:
    """The link by which the mean of the response follows its predictor."""
    return posterior.spec.link_of_part(posterior.spec.family.mean)


def is_discrete(design: Design, variable: str) -> bool:
    """Whether a column is drawn as points: categories, and numbers with at most two values."""
    check_variable(design, variable)
    return variable in factor_columns(design) or len(levels(design, variable)) <= 2


def values_of(design: Design, variable: str) -> list[Any]:
    """The values to draw a column at: all of a category, many over the range of a number."""
    if is_discrete(design, variable):
        return levels(design, variable)
    column = design.data[variable]
    return np.linspace(float(column.min()), float(column.max()), POINTS).tolist()


def panels_of(design: Design, variable: str, at: Mapping[str, Any] | None, most: int) -> list[pd.DataFrame]:
    """Rows along a variable, one frame for each combination of the other values in ``at``.

    Raises
    ------
    SpecError
        For unknown columns and more than ``most`` combinations.
    DataError
        For unknown levels.
    """
    chosen = dict(at or {})
    along = chosen.pop(variable, None)
    values = values_of(design, variable) if along is None else [along] if np.ndim(along) == 0 else list(along)
    if along is not None and variable in model_columns(design) and variable not in factor_columns(design):
        values = sorted(values)  # a curve goes from left to right
    rows = reference_grid(design, variable, {**chosen, variable: values})
    several = [name for name in chosen if rows[name].nunique() > 1]
    if not several:
        return [rows]
    panels = [panel.reset_index(drop=True) for _, panel in rows.groupby(several, sort=False, observed=True)]
    if len(panels) > most:
        raise SpecError(
            f"There are {len(panels)} panels, too many to read.", "at", f"Name at most {most} combinations."
        )
    return panels


def held_of(
    design: Design, panels: Sequence[pd.DataFrame], variable: str, at: Mapping[str, Any] | None
) -> tuple[list[str], dict[str, Any]]:
    """The columns that differ between panels; and the other columns but the variable with what they are set to."""
    changed = [name for name in at or {} if name != variable and pd.concat(panels)[name].nunique() > 1]
    rows = panels[0]
    others = [name for name in model_columns(design) if name != variable and name not in changed]
    return changed, {name: rows[name].iloc[0] for name in others}


def require_mean(posterior: Posterior) -> None:
    """Check that there is a mean to draw.

    Raises
    ------
    SpecError
        For categories without an order.
    """
    if posterior.spec.family.response.nominal:
        raise SpecError(
            "Categories without an order have no mean.",
            str(posterior.spec),
            "Draw the probability of each category: plots.categories().",
        )


def mean_text(posterior: Posterior) -> str:
    """What the mean is, in words.

    Of ordered categories with names of their own, the numbers of the lowest and the highest: ``mean category of pain
    (1 = none to 4 = severe)``.
    """
    kind, response = posterior.spec.family.response, posterior.design.response.strip("`")
    if kind.ordered:
        names = posterior.design.categories
        own = [str(k) for k in range(1, len(names) + 1)]
        ends = (own[0], own[-1]) if own == list(names) else (f"1 = {names[0]}", f"{own[-1]} = {names[-1]}")
        return f"mean category of {response} ({ends[0]} to {ends[1]})"
    if kind.is_binary:
        return f"probability of {response} = {posterior.design.success or 1}"
    return f"probability of success, {response}" if kind.trials else f"mean of {response}"
