"""The population-averaged model of a GLMM's fixed effects, by generalised estimating equations."""

from __future__ import annotations

import time as clock
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bayes_glmm.approx.boundary import refuse_separated
from bayes_glmm.approx.estimating import CORRELATIONS, LARGEST_GROUP, QUASI, Correlation, Rows, Solution, solve
from bayes_glmm.approx.result import ApproxFit, Model
from bayes_glmm.design import Design, RandomBlock, build_design, resolve_priors
from bayes_glmm.effects import EffectMethods
from bayes_glmm.errors import DataError, SpecError, choices
from bayes_glmm.likelihood import Parameters, layout_of, likelihood_of, maximum_likelihood
from bayes_glmm.spec import ModelSpec

Errors = Literal["robust", "naive", "bias_corrected"]
ERRORS = ("robust", "naive", "bias_corrected")
FEW_GROUPS = 40
MOST_ROWS = 1_000_000


def gee(
    model: Model, corr: str = "exchangeable", errors: Errors = "robust", time: str | ArrayLike | None = None
) -> ApproxFit:
    """Fit the population-averaged model by generalised estimating equations.

    Parameters
    ----------
    model : GLMM
        Its random terms say which rows form a group; of nested factors the outermost.
    corr : {"exchangeable", "independence", "ar1", "unstructured"}
        The working correlation of the rows of a group.
    errors : {"robust", "naive", "bias_corrected"}
        The standard errors that the fit reports: the sandwich, those of a right working correlation, or the sandwich
        corrected for few groups. ``details["standard_errors"]`` has all three.
    time : str or array [row], optional
        For "ar1" and "unstructured", what orders the rows of a group: a column of the formula, or values. Under
        "unstructured" rows of the same time correspond. The order of the data by default.

    Returns
    -------
    ApproxFit
        Of the model without its random terms: predictions, comparisons and slopes are population-averaged. ``details``:
        ``working_correlation`` (its parameter, or matrix), ``dispersion`` (phi), ``qic``, ``standard_errors``,
        ``errors``, ``group``, ``groups``.

    Raises
    ------
    SpecError
        For crossed or no grouping factors, families whose variance is not phi V(mu), or unknown choices.
    DataError
        For times that do not tell rows apart, or too few groups for an unstructured correlation.
    EstimationError
        If the equations have no solution.

    Notes
    -----
    The coefficients are those of :func:`bayes_glmm.effects.marginal_coefficients` of the mixed model, exactly where the
    population-averaged mean is linear on the link scale, else nearly; :func:`side_by_side` shows both. Trials of a
    binomial response are rows of their own, all equally correlated in a group. AR(1) takes rows that follow each other
    as one step apart. The shape of a negative binomial is estimated without correlation, then taken as known.
    """
    start = clock.perf_counter()
    correlation = _check(model.spec, corr, errors)
    block = outermost(model.design)
    if not model.design.coefficients:
        raise SpecError("GEE needs fixed effects.", str(model.spec.formula), "Leave the intercept in: y ~ 1 + (1 | g).")
    spec, design = marginal_model(model)
    refuse_separated(spec, design)
    likelihood = likelihood_of(spec, design)
    independent = maximum_likelihood(likelihood).parameters
    rows = _rows(spec, design, block, independent, _position(correlation, design, block, time))
    _check_rows(rows, correlation, corr)
    found = solve(rows, correlation, independent.beta)
    auxiliary = {**independent.auxiliary, **rows.quasi.auxiliary(found.dispersion)}
    parameters, layout = Parameters(found.beta, {}, auxiliary), layout_of(likelihood)
    x = layout.vector(parameters)
    covariance = np.full((len(x), len(x)), np.nan)
    covariance[layout.beta, layout.beta] = found.covariances[errors]
    complaints = _complaints(found, correlation, rows)
    return ApproxFit(
        method=f"GEE, {corr} correlation within {block.group}, {errors.replace('_', '-')} standard errors",
        spec=spec,
        design=design,
        priors=resolve_priors(spec, design),
        parameters=parameters,
        layout=layout,
        x=x,
        covariance=covariance,
        free=False,
        log_likelihood=float("nan"),
        random_effects=None,
        converged=not complaints,
        messages=(*complaints, *_hints(block, errors, found)),
        seconds=clock.perf_counter() - start,
        details={
            "working_correlation": found.alpha,
            "dispersion": found.dispersion,
            "qic": found.qic(rows),
            "standard_errors": standard_errors(design, found),
            "errors": errors,
            "group": block.group,
            "groups": len(block.levels),
        },
    )


def side_by_side(fit: ApproxFit, other: EffectMethods) -> pd.DataFrame:
    """Coefficients of a GEE beside the population-averaged ones of a mixed model: two estimates of the same thing.

    Parameters
    ----------
    fit : ApproxFit
        Of :func:`gee`.
    other : Fit or ApproxFit
        Of the mixed model.

    Returns
    -------
    DataFrame
        One row a coefficient: ``gee`` and its standard error, ``mixed_model`` and its sd, and the ``difference`` in
        standard errors of the GEE.

    Raises
    ------
    SpecError
        For a fit that is not a GEE, or models with other coefficients.
    """
    table = other.marginal_coefficients().table
    table = table[table["effect"] == "population-averaged"].set_index("coefficient")
    names = list(fit.design.coefficients)
    if not fit.method.startswith("GEE"):
        raise SpecError(f"{fit.method} is not a GEE.", advice="Give bg.approx.gee(model) first.")
    if names != list(table.index):
        raise SpecError("The models have different coefficients.", advice="Fit both from the same formula.")
    result = pd.DataFrame({"coefficient": names, "gee": fit.beta, "gee_standard_error": fit.standard_errors})
    result["mixed_model"], result["mixed_model_sd"] = table["estimate"].to_numpy(), table["sd"].to_numpy()
    result["difference"] = (result["mixed_model"] - result["gee"]) / result["gee_standard_error"]
    return result


def _check(spec: ModelSpec, corr: str, errors: str) -> Correlation:
    if corr not in CORRELATIONS:
        raise SpecError(f"There is no working correlation {corr!r}.", advice=choices(corr, CORRELATIONS))
    if errors not in ERRORS:
        raise SpecError(f"There are no standard errors {errors!r}.", advice=choices(errors, ERRORS))
    if spec.family_name not in QUASI:
        raise SpecError(
            f"GEE is not defined for the {spec.family_name} family: its variance is not a factor times a function of "
            "the mean.",
            advice=choices(spec.family_name, QUASI),
        )
    if spec.formula.trials is not None and CORRELATIONS[corr].ordered:
        raise SpecError(f"Trials of a row have no order for {corr!r}.", advice="Use exchangeable or independence.")
    return CORRELATIONS[corr]


def outermost(design: Design) -> RandomBlock:
    """The grouping factor in which all others are nested.

    Raises
    ------
    SpecError
        If there is none.
    """
    if not design.blocks:
        raise SpecError("GEE needs to know which rows form a group.", advice="Add a random term, such as (1 | g).")
    block = min(design.blocks, key=lambda block: len(block.levels))
    for other in design.blocks:
        if len(np.unique(np.column_stack([other.index, block.index]), axis=0)) > len(other.levels):
            raise SpecError(
                f"{other.group} and {block.group} are crossed; GEE has one kind of group.",
                advice="Leave the random terms of one out, or use bg.approx.laplace(model) and its "
                "marginal_coefficients().",
            )
    return block


def marginal_model(model: Model) -> tuple[ModelSpec, Design]:
    """The model without its random terms and priors, for the same rows."""
    spec = replace(model.spec, formula=replace(model.spec.formula, random=()), priors={})
    return spec, replace(build_design(spec, model.design.data), dropped=model.design.dropped)


def _position(correlation: Correlation, design: Design, block: RandomBlock, time: str | ArrayLike | None) -> np.ndarray:
    """Where each row stands in its group [row]: by time the same in all groups, else by the order of the data."""
    if time is None or not correlation.ordered:
        return pd.Series(block.index).groupby(block.index).cumcount().to_numpy()
    if isinstance(time, str):
        if time not in design.data:
            raise SpecError(f"The formula has no column {time!r}.", "time", choices(time, design.data.columns))
        time = design.data[time]
    values = np.asarray(time)
    if values.shape != design.y.shape:
        raise DataError(f"There are {values.size} times for {len(design.y)} rows.", "time")
    position = np.unique(values, return_inverse=True)[1]
    twice = pd.DataFrame({"group": block.index, "position": position}).duplicated()
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise DataError(
            f"Two rows of {block.group} {block.levels[block.index[row]]} have the time {values[row]}.",
            f"time, row {row}",
            "Give times that differ within a group.",
        )
    return position


def _rows(spec: ModelSpec, design: Design, block: RandomBlock, independent: Parameters, position: np.ndarray) -> Rows:
    """Rows of the data in the order of their positions; a row for each trial."""
    order = np.lexsort((position, block.index))
    y = design.y
    if design.trials is not None:
        trials = design.trials.astype(int)
        if trials.sum() > MOST_ROWS:
            raise SpecError(
                f"{trials.sum():,} trials are too many: each is a row of its own.",
                advice=f"GEE takes {MOST_ROWS:,}; use bg.approx.laplace(model) and its marginal_coefficients().",
            )
        order = np.repeat(np.arange(len(y)), trials)
        y = (np.arange(len(order)) - np.repeat(np.cumsum(trials) - trials, trials) < design.y[order]).astype(float)
    else:
        y = y[order]
    quasi = QUASI[spec.family_name]
    return Rows(
        y=y,
        offset=design.offset[order],
        X=design.X[order],
        group=block.index[order],
        position=position[order],
        link=spec.link,
        quasi=quasi,
        auxiliary={**independent.auxiliary, **quasi.unit},
    )


def _check_rows(rows: Rows, correlation: Correlation, corr: str) -> None:
    """An unstructured correlation needs every two positions in some group."""
    if correlation.structure != "Unstructured":
        return
    size = int(rows.position.max()) + 1
    seen = np.zeros((np.max(rows.group) + 1, size))
    seen[rows.group, rows.position] = 1.0
    together = seen.T @ seen
    if together.min() < 2:
        i, j = np.unravel_index(np.argmin(together), together.shape)
        raise DataError(
            f"Fewer than two groups have both their rows {i + 1} and {j + 1}: their correlation is unknown.",
            f"corr={corr!r}, {size} positions",
            "Use ar1 or exchangeable, or a time with fewer values.",
        )


def standard_errors(design: Design, found: Solution) -> pd.DataFrame:
    """All three kinds [coefficient, kind]."""
    errors = {kind: np.sqrt(np.diagonal(covariance)) for kind, covariance in found.covariances.items()}
    return pd.DataFrame(errors, index=pd.Index(design.coefficients, name="coefficient"))


def _complaints(found: Solution, correlation: Correlation, rows: Rows) -> tuple[str, ...]:
    """Why the estimates cannot be used."""
    if not found.converged:
        return ("Not converged: the estimating equations do not hold at the last step.",)
    if correlation.lowest(found.alpha, int(np.bincount(rows.group).max())) <= 0:
        return ("The working correlation is no correlation in the largest group; use another.",)
    return ()


def _hints(block: RandomBlock, errors: str, found: Solution) -> tuple[str, ...]:
    """What to know of the standard errors."""
    hints = []
    if errors == "robust" and len(block.levels) < FEW_GROUPS:
        hints.append(
            f"{len(block.levels)} groups: robust standard errors are too small for fewer than about {FEW_GROUPS}; use "
            "errors='bias_corrected'."
        )
    if np.isnan(found.covariances["bias_corrected"]).any():
        hints.append(f"A group has more than {LARGEST_GROUP:,} rows: no bias-corrected standard errors.")
    return tuple(hints)
