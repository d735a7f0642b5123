"""Simulation-based calibration: whether the sampler draws from the posterior of the model as it is written.

Parameters are drawn from the priors and a response from the parameters; then the true values and draws from the
posterior given that response come from one distribution, so that the rank of a true value among independent draws is
uniform (Talts, Betancourt, Simpson, Vehtari & Gelman 2018, arXiv:1804.06788). The log likelihood is ranked too: it sees
errors that no parameter by itself shows, such as a posterior that has not seen all of the data (Modrák et al. 2023,
Bayesian Analysis 20, 461-488).

The true values come from the plain PyMC model, whatever the sampler moves in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayes_glmm.design import Problem
from bayes_glmm.design.recensor import with_response
from bayes_glmm.design.sampling_weights import refuse_weights
from bayes_glmm.diagnostics import Check
from bayes_glmm.diagnostics.check import named
from bayes_glmm.diagnostics.convergence import check_divergences
from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.diagnostics.statistics import ess_bulk, rhat
from bayes_glmm.diagnostics.uniformity import FEWEST, uniformity
from bayes_glmm.errors import SamplingError, SpecError
from bayes_glmm.glmm import GLMM, Fit
from bayes_glmm.numerics.spread import evenly_spread
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import log_likelihood
from bayes_glmm.studies.executor import run_all
from bayes_glmm.studies.scores import problem_of, seeded, settings_of
from bayes_glmm.studies.simulation import simulate

if TYPE_CHECKING:
    from distributed import Client
    from matplotlib.figure import Figure

    from bayes_glmm.inference import Settings

IMPROPER = ("Flat", "HalfFlat")
WORST_RHAT = 1.05
LEVEL = 0.01  # of all p-values of a study together
_LONGER = 3  # fits of a replication at most, each longer, until draws are enough
_LONGEST = 8  # times the draws of the fit before


@dataclass(frozen=True)
class SBC:
    """Ranks of true values among draws from the posterior of data simulated with them.

    Attributes
    ----------
    formula : str
    ranks : DataFrame
        One row a replication, one column a quantity: how many of ``draws`` draws lie below the true value.
        Coefficients, standard deviations, correlations, auxiliary parameters, random effects of the first and the last
        level of each factor, and the log likelihood.
    draws : int
        Draws ranked among, thinned so that they are about independent.
    fits : DataFrame
        One row a replication: ``coordinates``, the worst ``rhat``, the least bulk ``ess``, ``divergences``, ``kept``
        draws, ``seconds``, and the ``error`` of a fit that failed, which has no ranks.
    impossible : int
        Simulated responses that no data can be (beyond what numbers hold, or rounded onto the edge of the support) and
        were drawn anew: that depends on the response alone, so ranks of the others stay uniform.
    """

    formula: str
    ranks: pd.DataFrame
    draws: int
    fits: pd.DataFrame
    impossible: int

    def uniformity(self) -> pd.DataFrame:
        """Mean rank and p-values of each quantity; see :func:`bayes_glmm.diagnostics.uniformity.uniformity`."""
        return uniformity(self.ranks, self.draws)

    @property
    def p(self) -> float:
        """The least p-value times their number (Bonferroni), at most 1."""
        p = self.uniformity()[["chi_square", "ecdf"]].to_numpy()
        return min(1.0, float(p.min()) * p.size)

    def plot(self) -> Figure:
        """The distribution functions of the ranks in their 95 % envelopes."""
        from bayes_glmm.plots import ranks

        return ranks(self.ranks, self.draws)

    @property
    def failures(self) -> pd.Series:
        """How many fits failed, did not converge, diverged, or had too few effective draws."""
        fits = self.fits
        return pd.Series(
            {
                "failed": int((fits["error"] != "").sum()),
                f"R-hat above {WORST_RHAT}": int((fits["rhat"] > WORST_RHAT).sum()),
                "with divergences": int((fits["divergences"] > 0).sum()),
                f"fewer than {self.draws} effective draws": int((fits["ess"] < self.draws).sum()),
            }
        )

    def __str__(self) -> str:
        table = self.uniformity()
        level = LEVEL / (2 * len(table))
        bad = table.index[table[["chi_square", "ecdf"]].min(axis=1) < level].tolist()
        verdict = f"NOT UNIFORM: {named(bad)}. Simulation and sampler differ" if bad else "All ranks look uniform"
        found = [f"{count} {what}" for what, count in self.failures.items() if count]
        lines = [
            f"Simulation-based calibration of {self.formula}: {len(self.fits)} replications, ranks among {self.draws} "
            "draws",
            f"{verdict} (least p times {2 * len(table)} tests: {self.p:.2g}).",
            f"Fits: {', '.join(found) or 'nothing wrong'}.",
        ]
        if self.impossible:
            lines.append(f"{self.impossible} simulated responses cannot be, and were drawn anew.")
        return "\n".join([*lines, table.round(3).to_string()])

    __repr__ = __str__


@dataclass(frozen=True)
class Simulated:
    """One response and what it was drawn from.

    Attributes
    ----------
    y : array [row]
    truth : Series
        The true value of each quantity.
    settings : Settings
    """

    y: np.ndarray
    truth: pd.Series
    settings: Settings


@dataclass(frozen=True)
class Ranked:
    """The ranks of one replication [quantity], and what there is to know of its fit."""

    ranks: np.ndarray
    fit: dict[str, Any]


def simulation_based_calibration(
    model: GLMM | Fit,
    replications: int = 200,
    ranked: int = 99,
    seed: int = 0,
    client: Client | None = None,
    progress: bool = True,
    **options: Any,
) -> SBC:
    """Draw parameters and responses from a model, fit each, and rank the true values among the draws.

    Priors, design and trials are those of the model throughout; its own response is not used.

    Parameters
    ----------
    model : GLMM or Fit
        Its priors must be proper. Where they allow responses that no data would be, narrow ones make a better study.
    replications : int
        20 at least.
    ranked : int
        Draws to rank among, evenly spread over the chains; of a fit with fewer effective ones, more are drawn. One more
        than that should have many divisors, for a histogram.
    seed : int
        Of everything.
    client : distributed.Client, optional
        A cluster to fit on; see :func:`bayes_glmm.studies.executor.cluster`.
    progress : bool
        Whether to show how many replications are finished.
    **options
        As :meth:`bayes_glmm.GLMM.fit` takes them: ``coordinates``, ...; two chains of 250 draws by default.

    Returns
    -------
    SBC

    Raises
    ------
    SpecError
        For an improper prior, priors whose responses can hardly ever be, too few replications or draws, and unknown
        options.
    SamplingError
        If all but a few fits failed.
    """
    whole = problem_of(model)
    settings = settings_of(model, {"draws": 250, "chains": 2} | options, client is not None)
    _check(whole, replications, ranked, settings)
    values, responses, impossible = simulate(whole, replications, seed)
    items = [
        Simulated(y, truth, seeded(settings, seed, i))
        for i, (y, (_, truth)) in enumerate(zip(responses, values.iterrows(), strict=True))
    ]
    found: dict[int, Ranked] = {}
    fits: dict[int, dict[str, Any]] = {}
    told = "replications" if progress else None
    for outcome in run_all(partial(rank, whole, ranked), items, client=client, progress=told):
        if outcome.error is None:
            found[outcome.index] = outcome.get()
            fits[outcome.index] = found[outcome.index].fit | {"error": ""}
        else:
            fits[outcome.index] = {"error": f"{type(outcome.error).__name__}: {outcome.error}"}
    if len(found) < FEWEST:
        errors = [fit["error"] for fit in fits.values() if fit["error"]]
        raise SamplingError(
            f"{len(errors)} of {replications} fits failed.", errors[0], "Fit the model by itself first."
        )
    done = sorted(found)
    ranks = pd.DataFrame([found[i].ranks for i in done], pd.Index(done, name="replication"), values.columns)
    table = pd.DataFrame.from_dict(fits, orient="index").sort_index().rename_axis("replication")
    return SBC(whole.spec.written, ranks, ranked, table, impossible)


def rank(problem: Problem, ranked: int, simulated: Simulated) -> Ranked:
    """Fit one response, and rank what it was drawn from among the draws."""
    from bayes_glmm.inference import sample

    settings, seconds = simulated.settings, 0.0
    simulation = replace(problem, design=with_response(problem.design, simulated.y))
    for _ in range(_LONGER):
        posterior = sample(simulation, settings)
        seconds += posterior.provenance["seconds"]
        draws = _draws(posterior, [str(label) for label in simulated.truth.index[:-1]])
        effective = float(ess_bulk(draws).min())
        if effective >= ranked:
            break
        longer = min(_LONGEST, 1.5 * ranked / max(effective, 1.0))
        settings = replace(settings, draws=int(settings.draws * longer))
    stacked = draws.reshape(len(draws), -1)
    chosen = stacked[:, evenly_spread(stacked.shape[1], ranked)]
    divergences = check_divergences(posterior)
    fit = {
        "coordinates": posterior.provenance.get("coordinates", ""),
        "rhat": float(rhat(draws).max()),
        "ess": effective,
        "divergences": int(divergences.value) if isinstance(divergences, Check) else 0,
        "kept": stacked.shape[1],
        "seconds": seconds,
    }
    return Ranked((chosen < simulated.truth.to_numpy()[:, None]).sum(axis=1), fit)


def _draws(posterior: Posterior, labels: Sequence[str]) -> np.ndarray:
    """Draws of the quantities with these labels, and of the log likelihood [quantity, chain, draw]."""
    known, values = parameters(posterior, given=True)
    place = {label: i for i, label in enumerate(known)}
    density = log_likelihood(posterior).to_numpy().sum(axis=-1)
    return np.concatenate([values[[place[label] for label in labels]], density[None]])


def _check(problem: Problem, replications: int, ranked: int, settings: Settings) -> None:
    """The study can be made.

    Raises
    ------
    SpecError
    """
    refuse_weights(problem.design, "Calibration by simulation")
    for name, prior in problem.canonical.priors.entries.items():
        # steps, whose thresholds have priors, and thresholds between two that have some
        follows = name in problem.spec.family.inner or (problem.design.tied and name not in problem.priors.given)
        if prior.distribution in IMPROPER and not follows:
            raise SpecError(
                f"Nothing can be drawn from {prior}, which is no proper prior.",
                f"prior of {name}",
                "Give it one, such as Normal(0, 1) or HalfNormal(1).",
            )
    if replications < FEWEST:
        raise SpecError(f"It takes {FEWEST} replications at least, not {replications}.", advice="Usual: 200.")
    if not 1 <= ranked <= settings.chains * settings.draws:
        raise SpecError(
            f"Of {settings.chains * settings.draws} draws a fit, {ranked} cannot be ranked among.",
            advice="Draw more, or take ranked=99.",
        )
