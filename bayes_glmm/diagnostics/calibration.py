"""Do events happen as often as predicted? Isotonic regression of yes/no responses on their predicted probabilities.

The pool-adjacent-violators fit of the responses on the probabilities (each predicted without its row) is the calibrated
probability; how much its squared error is smaller than that of the predictions is the miscalibration of the Brier score
(Dimitriadis, Gneiting & Jordan 2021, PNAS 118, e2016191118). It is never below 0; so it is compared with that of
responses drawn from the predictions themselves, and so are the bands of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from bayes_glmm.diagnostics.check import Check, Skipped, Verdict
from bayes_glmm.diagnostics.loo import FEWEST
from bayes_glmm.diagnostics.predictive import FAIL, LOOK
from bayes_glmm.diagnostics.residuals import LeftOut, checked_rows, left_out
from bayes_glmm.posterior import Posterior

SIMULATED = 999
MATTERS = 0.1  # root mean squared distance from calibration, in probability
SEED = 2021
SOURCE = "Dimitriadis, Gneiting & Jordan (2021), PNAS 118, e2016191118"


@dataclass(frozen=True)
class Calibration:
    """Rows in the order of their predicted probability.

    Attributes
    ----------
    predicted, share : array [row]
        The probability predicted without the row, and the share of successes in it.
    calibrated, lower, upper : array [row]
        The isotonic fit, and where 95 % of such fits lie if the predictions are right.
    miscalibration : float
        Mean squared error of the predictions less that of the calibrated ones.
    chance : float
        What 95 % of right predictions stay below of that.
    p : float
        How often right predictions are as miscalibrated.
    """

    predicted: np.ndarray
    share: np.ndarray
    calibrated: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    miscalibration: float
    chance: float
    p: float


def calibrate(posterior: Posterior, rows: np.ndarray, found: LeftOut, seed: int = SEED) -> Calibration:
    """Isotonic regression of the responses, 0/1 or successes of trials, on their leave-one-out probabilities.

    Parameters
    ----------
    posterior : Posterior
    rows : array of int
    found : LeftOut
        These rows, predicted without them.
    seed : int
        Of the simulated responses.
    """
    order, design = np.argsort(found.mean, kind="stable"), posterior.design
    rows, predicted = rows[order], np.clip(found.mean[order], 0.0, 1.0)
    trials = np.ones(len(rows)) if design.trials is None else design.trials[rows]
    share = design.y[rows] / trials
    rng = np.random.default_rng(seed)
    simulated = rng.binomial(trials.astype(int), predicted, size=(SIMULATED, len(rows))) / trials
    cell = np.unique(predicted, return_inverse=True)[1]
    calibrated = _isotonic(share, trials, cell)
    fits = np.array([_isotonic(values, trials, cell) for values in simulated])
    gains = [_gain(*pair, predicted, trials) for pair in zip(simulated, fits, strict=True)]
    gain = _gain(share, calibrated, predicted, trials)
    lower, upper = np.quantile(fits, [0.025, 0.975], axis=0)
    p = (1 + sum(value >= gain for value in gains)) / (1 + SIMULATED)
    return Calibration(predicted, share, calibrated, lower, upper, gain, float(np.quantile(gains, 0.95)), p)


def check_calibration(posterior: Posterior) -> Check | Skipped:
    """Do events happen as often as predicted? Asked of 0/1 responses and successes of trials."""
    name, title = "calibration", "Calibration of probabilities"
    if not posterior.spec.family.response.events:
        return Skipped(name, title, "Not applicable to this response.")
    if np.prod(posterior.sample_shape) < FEWEST:
        return Skipped(name, title, f"It takes {FEWEST} draws at least.")
    rows = checked_rows(posterior)
    left = left_out(posterior, rows)
    if left.doubt:
        return Skipped(name, title, left.doubt)
    found = calibrate(posterior, rows, left)
    distance = float(np.sqrt(found.miscalibration))
    verdict: Verdict = "pass" if found.p >= LOOK else "fail" if found.p <= FAIL and distance > MATTERS else "look"
    return Check(
        name, title, verdict, found.p, LOOK, "above",
        finding=f"{distance:.3f} from calibrated, root mean square; by chance up to {found.chance**0.5:.3f}",
        evidence=pd.DataFrame([{"rows": "all rows", "value": found.p, "miscalibration": found.miscalibration}]),
        advice=() if verdict == "pass" else (
            "Events happen more or less often than predicted: try another link, curves in place of straight lines, or "
            "interactions.",
        ),
        source=SOURCE,
    )  # fmt: skip


def _isotonic(share: np.ndarray, trials: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """The fit of shares in the order of their predictions; rows of one prediction, a cell, have one value [row]."""
    size = np.bincount(cell, trials)
    return isotonic_regression(np.bincount(cell, share * trials) / size, weights=size).x[cell]


def _gain(share: np.ndarray, calibrated: np.ndarray, predicted: np.ndarray, trials: np.ndarray) -> float:
    """How much squared error calibration saves, an average over trials."""
    saved = (share - predicted) ** 2 - (share - calibrated) ** 2
    return float(np.average(saved, weights=trials))
