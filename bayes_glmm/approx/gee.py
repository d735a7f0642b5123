"""The population-averaged model of a GLMM's fixed effects, by generalised estimating equations."""

from __future__ import annotations

import time as clock
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bayes_glmm.approx.boundary import refuse_separated
from bayes_glmm.approx.estimating import CORRELATIONS, QUASI, Correlation, Rows, Solution, solve
from bayes_glmm.approx.grouped_rows import check_positions, marginal_model, outermost, positions, rows_of
from bayes_glmm.approx.result import ApproxFit, Model
from bayes_glmm.design import Design, RandomBlock, resolve_priors
from bayes_glmm.effects import EffectMethods
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.likelihood import Parameters, layout_of, likelihood_of, maximum_likelihood
from bayes_glmm.likelihood.likelihood import (
    check_independent_residuals,
    check_one_predictor,
    check_values_known,
)
from bayes_glmm.spec import ModelSpec

Errors = Literal["robust", "naive", "bias_corrected"]
ERRORS = ("robust", "naive", "bias_corrected")
FEW_GROUPS = 40
LARGEST_GROUP = 4_000  # rows; the correction solves a dense system of that size
ALONE = 1e-9  # of a coefficient's information: all that other groups may add where one decides it


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
        For crossed or no grouping factors, families whose variance is not phi V(mu), several formulas, or unknown
        choices.
    DataError
        For times that do not tell rows apart, or too few groups for an unstructured correlation.
    EstimationError
        If the equations have no solution.

    Notes
    -----
    The coefficients are those of :func:`bayes_glmm.effects.marginal_coefficients` of the mixed model, exactly where the
    population-averaged mean is linear on the link scale, else nearly; :func:`side_by_side` shows both. Trials of a
    binomial response are rows of their own, all equally correlated in a group. AR(1) takes rows that follow each other
    as one step apart. The shape of a negative binomial is estimated without correlation, then taken as known. QIC (Pan
    2001) compares working correlations, and for families without a dispersion of their own also formulas.

    Examples
    --------
    >>> import bayes_glmm as bg
    >>> fit = gee(bg.GLMM("p(favourable, n) ~ treatment + (1 | clinic)", bg.datasets.clinics(), family="binomial"))
    >>> fit.details["standard_errors"].round(3).reset_index()
           coefficient  robust  naive  bias_corrected
    0        Intercept   0.470  0.410           0.536
    1  treatment[drug]   0.233  0.233           0.276
    """
    start = clock.perf_counter()
    check_one_predictor(model.spec, "GEE")
    check_independent_residuals(model.design)
    check_values_known(model.spec)
    correlation = _check(model.spec, corr, errors)
    block = outermost(model.design)
    if not model.design.coefficients:
        raise SpecError("GEE needs fixed effects.", str(model.spec.formula), "Leave the intercept in: y ~ 1 + (1 | g).")
    spec, design = marginal_model(model)
    refuse_separated(spec, design)
    priors = resolve_priors(spec, design)
    likelihood = likelihood_of(spec, priors.canonical.design(design))
    independent = maximum_likelihood(likelihood).parameters
    independent = replace(independent, beta=priors.canonical.location.to_written(independent.beta))
    rows = rows_of(spec, design, block, independent, positions(correlation, model.design, block, time))
    check_positions(rows, correlation, corr)
    uncorrected = _uncorrected(rows, design, block)
    found = solve(rows, correlation, independent.beta, correct=not uncorrected)
    auxiliary = {**independent.auxiliary, **rows.quasi.auxiliary(found.dispersion)}
    parameters, layout = Parameters(found.beta, {}, auxiliary), layout_of(likelihood_of(spec, design))
    x = layout.vector(parameters)
    covariance = np.full((len(x), len(x)), np.nan)
    covariance[layout.beta, layout.beta] = found.covariances[errors]
    complaints = _complaints(found, correlation, rows)
    return ApproxFit(
        method=f"GEE, {corr} correlation within {block.group}, {errors.replace('_', '-')} standard errors",
        spec=spec,
        design=design,
        priors=priors,
        parameters=parameters,
        layout=layout,
        x=x,
        covariance=covariance,
        free=False,
        log_likelihood=float("nan"),
        random_effects=None,
        converged=not complaints,
        messages=(*complaints, *uncorrected, *_few(block, errors)),
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
    if not fit.method.startswith("GEE"):
        raise SpecError(f"{fit.method} is not a GEE.", advice="Give bg.approx.gee(model) first.")
    found = other.marginal_coefficients()
    table = found.table.assign(sd=found.draws.std(("chain", "draw"), ddof=1).to_numpy())
    table = table[table["effect"] == "population-averaged"].set_index("coefficient")
    names = list(fit.design.coefficients)
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


def _uncorrected(rows: Rows, design: Design, block: RandomBlock) -> tuple[str, ...]:
    """Why standard errors cannot be corrected for few groups."""
    if np.bincount(rows.group).max() > LARGEST_GROUP:
        return (f"A group has more than {LARGEST_GROUP:,} rows: no bias-corrected standard errors.",)
    Q, R = np.linalg.qr(design.X)
    order = np.argsort(block.index, kind="stable")
    parts = np.split(Q[order], np.flatnonzero(np.diff(block.index[order])) + 1)
    shares, directions = np.linalg.eigh(np.array([part.T @ part for part in parts]))
    i = int(np.argmax(shares[:, -1]))
    if shares[i, -1] < 1.0 - ALONE:
        return ()
    direction = np.abs(np.linalg.solve(R, directions[i, :, -1])) * np.linalg.norm(design.X, axis=0)
    names = np.array(design.coefficients)[direction > 1e-6 * direction.max()]
    level = block.levels[block.index[order][sum(len(part) for part in parts[:i])]]
    return (
        f"{block.group} {level} alone decides {' and '.join(names)}: robust standard errors mean nothing there, and "
        "cannot be corrected for few groups; use errors='naive'.",
    )


def _few(block: RandomBlock, errors: str) -> tuple[str, ...]:
    """What to know of robust standard errors in few groups."""
    if errors != "robust" or len(block.levels) >= FEW_GROUPS:
        return ()
    return (
        f"{len(block.levels)} groups: robust standard errors are too small for fewer than about {FEW_GROUPS}; use "
        "errors='bias_corrected'.",
    )
