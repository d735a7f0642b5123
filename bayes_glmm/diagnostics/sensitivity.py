"""How much the posterior of each parameter would change with the prior, or with the likelihood: power-scaling.

The prior, or the likelihood, is raised to a power near 1; the draws are weighted accordingly, and the distance between
the weighted and the unweighted distribution of each parameter is taken by doubling of the power (Kallioinen, Paananen,
Bürkner & Vehtari 2024, Statistics and Computing 34, 57; computed by ArviZ). Raised are the priors of the **top-level**
parameters, all at once: coefficients, standard deviations, correlations, the family's own. N(0, G) is not: it is the
model, and weakening it would be another model. The likelihood is p(y | u, beta, ...), given the random effects.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayes_glmm.diagnostics.check import Check, Skipped, Verdict, named
from bayes_glmm.diagnostics.loo import FEWEST
from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.diagnostics.prior_density import log_prior
from bayes_glmm.fits import takes_fit
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import log_likelihood_chunks

THRESHOLD = 0.05
CONFLICT = "prior and data disagree"
STRONG = "the prior decides"
FINE = "the data decide"
WEAK = "neither moves it"
SOURCE = "Kallioinen, Paananen, Bürkner & Vehtari (2024), Statistics and Computing 34, 57"
_NAMES = "sensitivity", "Sensitivity to the prior"
_SHOWN = 5


@takes_fit
def sensitivity(posterior: Posterior) -> pd.DataFrame:
    """Power-scaling sensitivity of each top-level parameter.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    DataFrame
        Index: the parameter as the priors name it. Columns ``prior`` and ``likelihood``, the change of its distribution
        by doubling of the power; above 0.05 it is sensitive. ``finding``: ``"the data decide"`` (likelihood alone),
        ``"prior and data disagree"`` (both), ``"the prior decides"`` (prior alone), ``"neither moves it"``.
    """
    import arviz_stats

    labels, draws = parameters(posterior, per_level=False)
    dims, coords = ("parameter", "chain", "draw"), {"parameter": labels}
    log_likelihood = np.concatenate([values.sum(axis=1) for values in log_likelihood_chunks(posterior)])
    powers = {"prior": log_prior(posterior), "likelihood": log_likelihood.reshape(posterior.sample_shape)}
    groups = {"posterior": xr.Dataset({"value": (dims, draws)}, coords)}
    groups |= {f"log_{name}": xr.Dataset({"all": (("chain", "draw"), values)}) for name, values in powers.items()}
    tree = xr.DataTree.from_dict(groups)
    columns = {}
    for name in powers:
        with np.errstate(all="ignore"):  # of tails that never move
            columns[name] = arviz_stats.psense(tree, group=name)["value"].to_numpy()
    finding = [_finding(*pair) for pair in zip(columns["prior"], columns["likelihood"], strict=True)]
    return pd.DataFrame(columns | {"finding": finding}, index=pd.Index(labels, name="parameter"))


def check_sensitivity(posterior: Posterior) -> Check | Skipped:
    """Does the prior matter for some parameter? Never fails: a prior may be meant to matter."""
    name, title = _NAMES
    if np.prod(posterior.sample_shape) < FEWEST:
        return Skipped(name, title, f"It takes {FEWEST} draws at least.")
    found = sensitivity(posterior)
    return judged(found) if len(found) else Skipped(name, title, "All parameters were given, not drawn.")


def judged(found: pd.DataFrame) -> Check:
    """The verdict on what :func:`sensitivity` found."""
    found = found.sort_values("prior", ascending=False, kind="stable")
    worst = float(found["prior"].iloc[0])
    missing = int((found["prior"] > THRESHOLD).sum())
    verdict: Verdict = "look" if missing else "pass"
    evidence = found.head(max(missing, _SHOWN)).reset_index().rename(columns={"prior": "value"})
    return Check(
        *_NAMES, verdict, worst, THRESHOLD, "below",
        finding=f"most: {found.index[0]}" + (f"; {missing} of {len(found)} parameters miss" if missing else ""),
        evidence=evidence,
        advice=tuple(_advice(found[found["prior"] > THRESHOLD])),
        source=SOURCE,
    )  # fmt: skip


def _finding(prior: float, likelihood: float) -> str:
    if prior > THRESHOLD:
        return CONFLICT if likelihood > THRESHOLD else STRONG
    return FINE if likelihood > THRESHOLD else WEAK


def _advice(found: pd.DataFrame) -> list[str]:
    both, alone = ([str(label) for label in found.index[found["finding"] == kind]] for kind in (CONFLICT, STRONG))
    sentences = []
    if both:
        sentences.append(
            f"Prior and data pull {named(both)} to different places: see whether the prior says what you know, its "
            "centre and its scale, and report the results under another one too."
        )
    if alone:
        sentences.append(
            f"The data say little about {named(alone)}, and the prior decides: defend it, or make it wider if it was "
            "not meant to say so much."
        )
    return sentences
