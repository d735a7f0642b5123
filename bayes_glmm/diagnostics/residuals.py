"""Where each row lies in what the model predicts for it without it: LOO-PIT, and quantile residuals.

The probability integral transform u_i = P(y_rep < y_i) + v P(y_rep = y_i), v uniform, is uniform for every family,
discrete ones too, if the predictive distribution is right; of a censored row v spreads it over the range in which it
lies; Phi^-1(u_i) is then normal (randomized quantile residuals, Dunn & Smyth 1996, J. Comp. Graph. Stat. 5, 236-244).
The probabilities are weighted shares of replicated responses, the weights those of leave-one-out by row (Gelfand, Dey
& Chang 1992), so that a family needs no distribution function. The values depend on each other a little through the
parameters; the test of uniformity is one that allows for it.

Correlated residuals of a level are multiplied by the inverse Cholesky factor of their correlation matrix. The products
are independent and standard normal: each row is predicted from the earlier rows of its level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from bayes_glmm.design.sampling_weights import refuse_weights
from bayes_glmm.diagnostics.check import Check, Skipped, Verdict
from bayes_glmm.diagnostics.loo import FEWEST, at_rows, efficiency, good_k, stuck_tails
from bayes_glmm.diagnostics.predictive import FAIL, LOOK, MATTERS, wider_family
from bayes_glmm.families import Response
from bayes_glmm.families.observed import draw_observed
from bayes_glmm.families.response import INTERVAL, LEFT, RIGHT
from bayes_glmm.fits import takes_fit
from bayes_glmm.numerics.spread import evenly_spread
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import log_density_of_rows, spread_draws, white_residuals

DRAWS = 1000
ROWS = 2000  # that a check and a picture look at
TOO_MANY = 0.05  # rows whose Pareto k is not to be trusted: their predictions are too near to themselves
SEED = 1996
SOURCE = "Säilynoja, Bürkner & Vehtari (2022), Statistics and Computing 32, 32, and the dependence-aware test of ArviZ"
_CHUNK = 4_000_000  # rows times draws held at once


@dataclass(frozen=True)
class LeftOut:
    """Some rows, each predicted without it.

    Attributes
    ----------
    pit : array [row]
        Randomized within ties.
    mean : array [row]
        The predicted mean, of one trial where there are trials.
    pareto_k : array [row]
    good_k : float
        Largest Pareto k that can be trusted.
    """

    pit: np.ndarray
    mean: np.ndarray
    pareto_k: np.ndarray
    good_k: float

    @property
    def doubt(self) -> str:
        """Why these predictions say nothing about the model, as a sentence; empty if they do."""
        bad = float((self.pareto_k > self.good_k).mean())
        return f"LOO by row fails for {bad:.0%} of rows: what is predicted without them is not known." * (
            bad > TOO_MANY
        )


def left_out(posterior: Posterior, rows: np.ndarray | None = None, seed: int = SEED) -> LeftOut:
    """Predict rows without them.

    Parameters
    ----------
    posterior : Posterior
    rows : array of int, optional
        Positions of rows; all if not given.
    seed : int
        Of the replicated responses and of v.
    """
    rng = np.random.default_rng(seed)
    rows = np.arange(len(posterior.design.y)) if rows is None else rows
    draws = spread_draws(posterior, DRAWS)
    relative_efficiency = max(efficiency(posterior, len(draws)), 225.0 / len(draws))
    family, parts = posterior.spec.family, []
    step = max(1, _CHUNK // len(draws))
    for some in np.split(rows, range(step, len(rows), step)):
        at, observed = at_rows(posterior, some, draws), posterior.design.observed[some]
        weights, k = _weights(log_density_of_rows(posterior, some, draws), relative_efficiency)
        if posterior.design.residual is None:
            shares = _below_and_tied(observed, draw_observed(family, rng, observed, at))
        else:
            below = special.ndtr(white_residuals(posterior, some, draws))
            shares = below, np.zeros_like(below)
        below, tied = ((weights * share).sum(axis=0) for share in shares)
        v = rng.random(len(some))
        # y takes part as one more draw: no value is 0 or 1, and those of equal weights are exactly uniform
        pit = (len(draws) * (below + v * tied) + v) / (len(draws) + 1)
        parts.append((pit, (weights * family.mean.value(at)).sum(axis=0), k))
    pit, fitted, pareto_k = (np.concatenate(part) for part in zip(*parts, strict=True))
    return LeftOut(pit, fitted, pareto_k, good_k(len(draws)))


def _below_and_tied(observed: Response, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which draws [draw, row] are below what is known of a row, and which are as it: the same, or in the same range."""
    y, above = observed.values, drawn > observed.values
    below, tied = drawn < y, drawn == y
    if not observed.kinds:
        return below, tied
    within = above & (drawn <= (np.inf if observed.end is None else observed.end))
    ranges = [observed.code == LEFT, observed.code == RIGHT, observed.code == INTERVAL]
    return np.select(ranges, [np.zeros_like(above), ~above, ~above], below), np.select(
        ranges, [~above, above, within], tied
    )


@takes_fit
def loo_pit(posterior: Posterior, seed: int = SEED) -> np.ndarray:
    """The LOO-PIT of all rows, randomized within ties [row]."""
    refuse_weights(posterior.design, "A residual given the other rows")
    return left_out(posterior, seed=seed).pit


@takes_fit
def quantile_residuals(posterior: Posterior, seed: int = SEED) -> np.ndarray:
    """Randomized quantile residuals of all rows, each predicted without it; standard normal if the model is right."""
    return special.ndtri(loo_pit(posterior, seed))


def _weights(density: np.ndarray, relative_efficiency: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the draws [draw, row] under which each row is left out, and Pareto k [row]."""
    from arviz_stats.base import array_stats

    log_weights, moving = -density, ~stuck_tails(density, relative_efficiency)
    k = np.full(density.shape[1], np.inf)
    if moving.any():
        with np.errstate(all="ignore"):  # of tails so long that their fit overflows
            smooth, k[moving] = array_stats.psislw(density[:, moving].T, r_eff=relative_efficiency)
        log_weights[:, moving] = smooth.T
    return special.softmax(log_weights, axis=0), k


def checked_rows(posterior: Posterior) -> np.ndarray:
    """The rows that stand for all where there are many."""
    return evenly_spread(len(posterior.design.y), ROWS)


def check_pit(posterior: Posterior) -> Check | Skipped:
    """Do rows lie in their predictive distributions as often as these say? Of at most 2,000 rows, evenly spread."""
    from arviz_stats.base import array_stats

    name, title = "pit", "Uniformity, LOO-PIT"
    if np.prod(posterior.sample_shape) < FEWEST:
        return Skipped(name, title, f"It takes {FEWEST} draws at least.")
    if posterior.spec.family.response.nominal:
        return Skipped(name, title, "Categories without an order have no residuals.")
    found = left_out(posterior, checked_rows(posterior))
    if found.doubt:
        return Skipped(name, title, found.doubt)
    pit = found.pit
    p = float(array_stats.uniformity_test(pit)[0])
    ordered = np.sort(pit)
    distance = float(np.abs(ordered - (np.arange(len(pit)) + 0.5) / len(pit)).max())
    low, high = float((pit < 0.05).mean()), float((pit > 0.95).mean())
    verdict: Verdict = "pass" if p >= LOOK else "fail" if p < FAIL and distance > MATTERS else "look"
    evidence = {"rows": "all rows", "value": p, "distance": distance, "below_5": low, "above_95": high}
    return Check(
        name, title, verdict, p, LOOK, "above",
        finding=f"{low:.1%} of rows below their 5 % quantile, {high:.1%} above their 95 %",
        evidence=pd.DataFrame([evidence]),
        advice=() if verdict == "pass" else (_advice(posterior, pit),),
        source=SOURCE,
    )  # fmt: skip


def _advice(posterior: Posterior, pit: np.ndarray) -> str:
    outer = float((np.abs(pit - 0.5) > 0.4).mean())  # a fifth if uniform
    middle = float(pit.mean())
    if abs(middle - 0.5) / 0.5 > abs(outer - 0.2) / 0.8:  # as shares of the largest there can be
        side = "above" if middle > 0.5 else "below"
        return f"Rows lie {side} what is predicted more often than not: check the link, the offset and skewness."
    if outer > 0.2:
        return f"Rows lie in the tails of their predictions too often: {wider_family(posterior)}."
    return "Rows lie in the middle of their predictions too often: the family is wider than the data."
