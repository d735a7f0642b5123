"""Parameters drawn from the priors of a model, and a response from each: what a calibration knows the truth of.

The draws are those of the plain PyMC model, whatever the sampler moves in, and the responses those of the family.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bayes_glmm.design import Problem
from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.errors import SpecError
from bayes_glmm.names import THRESHOLD
from bayes_glmm.posterior import Posterior, posterior_of
from bayes_glmm.predictive import at, log_density_of_units, replicate

LOG_LIKELIHOOD = "log likelihood"
LARGEST = 1e15  # beyond, counts have no unit digit
_FULL = 10  # times the replications are simulated at most, until enough responses can be


def simulate(problem: Problem, replications: int, seed: int) -> tuple[pd.DataFrame, np.ndarray, int]:
    """True values and responses, drawn from a model.

    Parameters
    ----------
    problem : Problem
    replications : int
    seed : int

    Returns
    -------
    DataFrame [replication, quantity], array [replication, row], int
        True values, responses, and how many responses could not be.

    Raises
    ------
    SpecError
        If responses can hardly ever be.
    """
    seeds = np.random.SeedSequence(seed).generate_state(2 * _FULL)
    values: list[pd.DataFrame] = []
    responses = np.empty((0, len(problem.design.y)))
    drawn = 0
    for first, second in seeds.reshape(-1, 2):
        prior = draw_priors(problem, replications, int(first))
        y = replicate(prior, replications, int(second)).astype(float)
        possible = _possible(problem, y)
        values.append(quantities(prior, y)[possible])
        responses = np.concatenate([responses, y[possible]])
        drawn += replications
        if len(responses) >= replications:
            truth = pd.concat(values, ignore_index=True)[:replications]
            return truth, responses[:replications], drawn - len(responses)
    raise SpecError(
        f"Of {drawn} responses drawn from the priors only {len(responses)} can be.",
        advice="Narrow the priors: print(model.priors), model.prior_predictive().",
    )


def draw_priors(problem: Problem, draws: int, seed: int) -> Posterior:
    """Draws from the priors of the plain model, random effects too, in the form of a posterior."""
    import pymc as pm
    from pytensor.compile.mode import Mode

    from bayes_glmm.model import build_model

    spec, design = problem.spec, problem.design
    with warnings.catch_warnings():
        # of the C backend, which is not used
        warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS", UserWarning)
        plain = build_model(problem)
        groups = [block.group for block in design.blocks]
        fixed = design.predictors.fixed
        names = [*(f"{kind}_{group}" for kind in "Gu" for group in groups)]
        names += [THRESHOLD] if design.thresholds else []
        names += [name for name in spec.auxiliary if name not in spec.family.steps]
        names += [one.variable for one in fixed if one.coefficients]
        # a few hundred draws are not worth a compiler
        mode = Mode(linker="py", optimizer="fast_compile")
        drawn = pm.draw([plain[name] for name in names], draws=draws, mode=mode, random_seed=seed)
    found = dict(zip(names, drawn, strict=True))
    if design.thresholds:
        distances = np.diff(found[THRESHOLD]).T
        found |= dict(zip(reversed(design.steps), reversed(distances), strict=True))
    beta, *further = (found.get(one.variable, np.empty((draws, 0))) for one in fixed)
    G, u = ({group: found[f"{kind}_{group}"] for group in groups} for kind in "Gu")
    named = dict(zip(design.predictors.parameters[1:], further, strict=True))
    prior = posterior_of(problem, beta, G, {name: found[name] for name in spec.auxiliary}, u, named)
    return replace(prior, priors=problem.priors)


def quantities(prior: Posterior, y: np.ndarray) -> pd.DataFrame:
    """The value of each quantity [draw, quantity] in draws that each have a response of their own [draw, row]."""
    labels, values = parameters(prior)
    keep = _ranked_labels(prior, labels)
    table = pd.DataFrame(values[:, 0].T, columns=labels)[keep]
    with np.errstate(all="ignore"):  # where a response cannot be
        density = log_density_of_units(prior.design, prior.spec.family, at(prior), y)
    return table.assign(**{LOG_LIKELIHOOD: density.sum(axis=1)})


def _ranked_labels(prior: Posterior, labels: Sequence[str]) -> list[str]:
    """All parameters, of the random effects those of the first and the last level of each factor."""
    effects = {
        f"u_{block.group}[{level}, {effect}]"
        for block in prior.design.blocks
        for level in (block.levels[0], block.levels[-1])
        for effect in block.effects
    }
    return [label for label in labels if not label.startswith("u_") or label in effects]


def _possible(problem: Problem, y: np.ndarray) -> np.ndarray:
    """Which responses [draw] could be data."""
    outside = np.array([problem.spec.family.response.support(one, problem.design.trials).any() for one in y])
    return ~outside & (np.abs(y) < LARGEST).all(axis=1)
