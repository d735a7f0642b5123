"""Prior and posterior density of each parameter, and how sensitive the posterior is to the priors."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup

from bayes_glmm.design import RandomBlock
from bayes_glmm.design.prior_check import is_coefficient
from bayes_glmm.design.prior_text import brief
from bayes_glmm.design.thresholds import in_order
from bayes_glmm.diagnostics import sensitivity
from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.diagnostics.prior_density import (
    log_correlation_density,
    log_density,
    log_residual_density,
    log_threshold_density,
)
from bayes_glmm.diagnostics.sensitivity import THRESHOLD, judged
from bayes_glmm.names import COR_RESIDUAL, COSY, RHO, threshold
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.html import badge, details, figure, paragraph, table
from bayes_glmm.report.prior_figures import Before, before_and_after

PANELS = 24
FEWEST = 50  # draws
POINTS = 200


def render_priors(posterior: Posterior) -> Markup:
    """Small pictures of priors and posteriors, the sensitivity in a sentence and in a table."""
    labels, draws = parameters(posterior.at_centre, per_level=False)
    if not labels or draws[0].size < FEWEST:
        return paragraph("There are too few draws for a figure.")
    frame = sensitivity(posterior)
    at, change = dict(zip(labels, draws, strict=True)), dict(zip(map(str, frame.index), frame["prior"], strict=True))
    known = [label for label in change if label in at and _has_prior(posterior, label)]
    most = sorted(known, key=lambda label: -change[label])[:PANELS]
    shown = [_before(posterior, label, at[label].ravel(), float(change[label])) for label in known if label in most]
    note = f" Of {len(labels)} parameters, the {PANELS} most sensitive to the prior." if len(labels) > PANELS else ""
    caption = (
        "Grey: the prior. Blue: the posterior. Both are drawn to the same height: where the grey line is flat across "
        f"the blue, the prior has little influence. A star marks sensitivity to the prior.{note}"
    )
    moved = [panel.label for panel in shown if panel.sensitive]
    which = ", ".join(moved) or "none"
    alt = f"Prior and posterior densities of {len(shown)} parameters. Sensitive to the prior: {which}."
    found = judged(frame)
    sentence = "Weaker or stronger priors would change little." if found.verdict == "pass" else " ".join(found.advice)
    parts = [
        paragraph("{mark} {sentence}", mark=badge(found.verdict), sentence=sentence),
        figure(before_and_after(shown), alt, caption),
        details("Sensitivity of all parameters", _table(posterior, frame)),
    ]
    return Markup("").join(parts)


def _before(posterior: Posterior, label: str, draws: np.ndarray, sensitive: float) -> Before:
    """The prior's log density on a grid around the posterior, one width of it to each side."""
    low, high = np.quantile(draws, [0.001, 0.999])
    limits = _support(posterior, label)
    low, high = max(low - (high - low), limits[0]), min(high + (high - low), limits[1])
    inside = 1e-4 * (high - low)  # densities may have no value at the ends of their support
    grid = np.linspace(low + inside, high - inside, POINTS)
    prior = _prior_text(posterior, label)
    return Before(label, prior, grid, _log_prior(posterior, label, grid), draws, bool(sensitive > THRESHOLD))


def _support(posterior: Posterior, label: str) -> tuple[float, float]:
    if is_coefficient(label) or label in _thresholds(posterior):
        return -np.inf, np.inf
    if (residual := posterior.design.residual) is not None and _of_residuals(label):
        return residual.occasions.low, residual.occasions.high
    if not label.startswith("corr_"):
        return 0.0, np.inf
    block, first = _correlation(posterior, label)
    forms = [form for run, form in zip(block.runs, block.forms, strict=True) if run.start <= first < run.stop]
    return (-1.0 if forms[0] is None else forms[0].lowest), 1.0


def _log_prior(posterior: Posterior, label: str, grid: np.ndarray) -> np.ndarray:
    if label in _thresholds(posterior) and in_order(posterior.spec):
        names = _thresholds(posterior)
        return log_threshold_density(posterior.priors[label], 1 + names.index(label), len(names), grid)
    if (residual := posterior.design.residual) is not None and _of_residuals(label):
        return log_residual_density(posterior, residual, grid)
    if label in posterior.priors.entries:
        return log_density(posterior.priors[label], grid)
    block, first = _correlation(posterior, label)
    return log_correlation_density(posterior, block, first, grid)


def _has_prior(posterior: Posterior, label: str) -> bool:
    """Whether a parameter's own prior has a closed form: that of an intercept far from the centre need not.

    Nor need those of thresholds in order with priors that differ.
    """
    if label in _thresholds(posterior) and posterior.design.tied:
        return False
    if label in _thresholds(posterior) and in_order(posterior.spec):
        return len(set(posterior.priors.thresholds)) == 1
    return label in posterior.priors.entries or label.startswith("corr_") or _of_residuals(label)


def _of_residuals(label: str) -> bool:
    """Whether it is a correlation of residuals."""
    return label.partition("[")[0] in (RHO, COSY, COR_RESIDUAL)


def _thresholds(posterior: Posterior) -> list[str]:
    """Labels of the thresholds, in order."""
    return [threshold(name) for name in posterior.design.thresholds]


def _correlation(posterior: Posterior, label: str) -> tuple[RandomBlock, int]:
    """The block of a correlation, and the position of the first of its effects."""
    for block in posterior.design.blocks:
        for k, effect in enumerate(block.effects):
            if label.startswith(f"corr_{block.group}[{effect}, "):
                return block, k
    raise KeyError(label)


def _prior_text(posterior: Posterior, label: str) -> str:
    entries = posterior.priors.entries
    if (tied := posterior.design.tied) and label in (*_thresholds(posterior), tied.own):
        return f"{brief(entries[label])}, {tied.name}" if label in entries else "that of the thresholds"
    if label in _thresholds(posterior) and in_order(posterior.spec):
        return f"{brief(entries[label])}, in order"
    if not _has_prior(posterior, label):
        return "that of the intercept at the centre, carried to x = 0"
    return brief(entries[label] if label in entries else entries[label.partition("[")[0]])


def _table(posterior: Posterior, frame: pd.DataFrame) -> Markup:
    columns = {
        "parameter": list(frame.index),
        "prior": [_prior_text(posterior, str(label)) for label in frame.index],
        "sensitivity to the prior": frame["prior"].tolist(),
        "to the data": frame["likelihood"].tolist(),
        "finding": frame["finding"].tolist(),
    }
    return table(columns.items()) + paragraph(
        "How far the posterior of a parameter moves when the weight of all priors, or of the likelihood, is doubled; "
        "above {threshold} it counts as sensitive. The distribution of the random effects, a part of the model, is not "
        "reweighted. "
        "After Kallioinen, Paananen, Bürkner &amp; Vehtari (2024).",
        kind="note", threshold=THRESHOLD,
    )  # fmt: skip
