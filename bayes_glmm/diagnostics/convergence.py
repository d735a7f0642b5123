"""Did the chains find the posterior, all of it, and long enough? One check a function, each with its source.

Two thresholds a check: where "pass" ends is the published one; where "fail" begins is where the numbers in a table
would visibly be wrong, and is defended where it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd

from bayes_glmm.diagnostics import advice
from bayes_glmm.diagnostics.check import Check, Skipped, Verdict
from bayes_glmm.diagnostics.parameters import parameters
from bayes_glmm.diagnostics.statistics import ess_bulk, ess_tail, mcse_mean, rhat
from bayes_glmm.posterior import Posterior

VEHTARI = "Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021), Bayesian Analysis 16, 667-718"
BETANCOURT = "Betancourt (2017), A conceptual introduction to Hamiltonian Monte Carlo, arXiv:1701.02434"

LOG_DENSITY = "log density"  # of all parameters together, as a label among theirs
_FEW_DRAWS = 8  # a chain; below that none of the statistics means anything
_SHOWN = 5


def check_rhat(posterior: Posterior) -> Check | Skipped:
    """Do the chains agree? Fails above 1.05, where the chains' means lie a third of a posterior sd apart."""
    return _over_parameters(
        posterior, "rhat", "R-hat", rhat, pass_at=1.01, fail_at=1.05, better="below", source=VEHTARI, density=True,
    )  # fmt: skip


def check_ess_bulk(posterior: Posterior) -> Check | Skipped:
    """Are the centres of the distributions known? Fails below 50 a chain, where R-hat itself is too noisy."""
    chains, _ = posterior.sample_shape
    return _over_parameters(
        posterior, "ess_bulk", "Bulk ESS", ess_bulk,
        pass_at=100 * chains, fail_at=50 * chains, better="above", source=VEHTARI, density=True,
    )  # fmt: skip


def check_ess_tail(posterior: Posterior) -> Check | Skipped:
    """Are the ends of the intervals known? As the bulk, for the 5 % and 95 % quantiles."""
    chains, _ = posterior.sample_shape
    return _over_parameters(
        posterior, "ess_tail", "Tail ESS", ess_tail,
        pass_at=100 * chains, fail_at=50 * chains, better="above", source=VEHTARI,
    )  # fmt: skip


def check_mcse(posterior: Posterior) -> Check | Skipped:
    """Whether the Monte Carlo error of each mean is small against its posterior sd.

    0.05 is what 400 independent draws give. Fails above 0.1, what 100 give: then the second digit of an estimate is
    noise.
    """
    return _over_parameters(
        posterior, "mcse", "MCSE / sd", mcse_mean, pass_at=0.05, fail_at=0.1, better="below",
        source=f"{VEHTARI}; Gelman et al. (2013), Bayesian Data Analysis, section 10.5",
    )  # fmt: skip


def check_divergences(posterior: Posterior) -> Check | Skipped:
    """Whether trajectories broke off, which marks a region that the draws may not have entered.

    Any divergence asks for a look. Fails above 0.25 % of draws: the region missed may then hold about a tenth of the
    2.5 % that lie beyond an end of a 95 % interval.
    """
    name, title = "divergences", "Divergences"
    diverging = _statistic(posterior, "diverging")
    if diverging is None:
        return Skipped(name, title, "The draws carry no record of divergences.")
    count, share = int(diverging.sum()), float(diverging.mean())
    chains = pd.DataFrame({"chain": _chain_names(posterior), "value": diverging.sum(axis=1)})
    return Check(
        name, title, _grade(share, 0.0, 0.0025, "below"), count, 0, "below",
        finding=f"{count} of {diverging.size:,} draws" if count else "none",
        evidence=chains.sort_values("value", ascending=False, ignore_index=True),
        advice=advice.on_divergences(posterior) if count else (),
        source=BETANCOURT,
    )  # fmt: skip


def check_tree_depth(posterior: Posterior) -> Check | Skipped:
    """Were trajectories cut short at the largest tree? That costs efficiency, not truth: never worse than a look."""
    name, title = "tree_depth", "Tree depth"
    saturated = _saturated(posterior)
    if saturated is None:
        return Skipped(name, title, "The draws carry no record of tree depths.")
    share = float(saturated.mean())
    return Check(
        name, title, "pass" if share <= 0.01 else "look", share, 0.01, "below",
        finding=f"{share:.1%} of draws reached the largest tree",
        evidence=pd.DataFrame({"chain": _chain_names(posterior), "value": saturated.mean(axis=1)}).sort_values(
            "value", ascending=False, ignore_index=True
        ),
        advice=advice.on_tree_depth() if share > 0.01 else (),
        source="Hoffman & Gelman (2014), Journal of Machine Learning Research 15, 1593-1623; Stan reference manual",
    )  # fmt: skip


def check_energy(posterior: Posterior) -> Check | Skipped:
    """Does the sampler reach all energies? E-BFMI of each chain; fails below 0.2, Stan's first threshold."""
    name, title = "energy", "E-BFMI"
    energy = _statistic(posterior, "energy")
    if energy is None or energy.shape[1] < _FEW_DRAWS:
        return Skipped(name, title, "The draws carry no record of energies.")
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.square(np.diff(energy, axis=1)).mean(axis=1) / energy.var(axis=1, ddof=1)
    evidence = pd.DataFrame({"chain": _chain_names(posterior), "value": values}).sort_values("value", ignore_index=True)
    worst = float(np.nan_to_num(values, nan=0.0).min())
    verdict = _grade(worst, 0.3, 0.2, "above")
    return Check(
        name, title, verdict, worst, 0.3, "above",
        finding=f"worst in {evidence['chain'][0]}",
        evidence=evidence,
        advice=advice.on_energy(posterior) if verdict != "pass" else (),
        source=f"Betancourt (2016), arXiv:1604.00695; {BETANCOURT}",
    )  # fmt: skip


def _over_parameters(
    posterior: Posterior,
    name: str,
    title: str,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    pass_at: float,
    fail_at: float,
    better: Literal["below", "above"],
    source: str,
    density: bool = False,
) -> Check | Skipped:
    """A statistic of every parameter, and of the log density if asked, judged by its worst."""
    if posterior.provenance.get("coordinates") == "laplace":
        return Skipped(name, title, "The draws are no chain: they were resampled independently.")
    if posterior.sample_shape[1] < _FEW_DRAWS:
        return Skipped(name, title, f"It takes {_FEW_DRAWS} draws a chain at least.")
    labels, draws = parameters(posterior)
    sign = 1.0 if better == "above" else -1.0
    if not labels and "sample_stats" not in posterior.draws.children:
        return Skipped(name, title, "All parameters were given as fixed values.")
    if not labels:
        labels, draws = ["all parameters"], np.zeros((1, *posterior.sample_shape))
    if density and (log_density := _log_density(posterior)) is not None:
        # chains can be perfect in every parameter and stand still in its distance from the middle: w goes to -w
        labels, draws = [*labels, LOG_DENSITY], np.concatenate([draws, log_density[None]])
    values = np.nan_to_num(statistic(draws), nan=-sign * np.inf)
    order = np.argsort(sign * values, kind="stable")
    worst = float(values[order[0]])
    missing = int((sign * values < sign * pass_at).sum())
    shown = order[: max(missing, _SHOWN)]
    verdict = _grade(worst, pass_at, fail_at, better)
    evidence = pd.DataFrame({"parameter": [labels[i] for i in shown], "value": values[shown]})
    failing = evidence["parameter"][:missing].tolist()
    return Check(
        name, title, verdict, worst, pass_at, better,
        finding=f"worst: {labels[order[0]]}" + (f"; {missing} of {len(labels)} miss" if missing else ""),
        evidence=evidence,
        advice=advice.on_parameters(posterior, failing, len(labels)),
        source=source,
    )  # fmt: skip


def _grade(value: float, pass_at: float, fail_at: float, better: Literal["below", "above"]) -> Verdict:
    sign = 1.0 if better == "above" else -1.0
    if sign * value >= sign * pass_at:
        return "pass"
    return "look" if sign * value >= sign * fail_at else "fail"


_ALIASES = {"depth": ("depth", "tree_depth"), "n_steps": ("n_steps", "num_steps")}  # nutpie and PyMC, NumPyro
_FLAGS = ("maxdepth_reached", "reached_max_treedepth")  # nutpie, PyMC; NumPyro has none
_DEFAULT_MAXIMUM = 10  # of all three samplers


def _log_density(posterior: Posterior) -> np.ndarray | None:
    """The log density that the sampler moved in, else its energy, where it varies [chain, draw]."""
    found = _statistic(posterior, "logp", "lp", "energy")
    return None if found is None or np.ptp(found) == 0 else found


def _statistic(posterior: Posterior, *names: str) -> np.ndarray | None:
    """The first of these sample statistics that is there [chain, draw]."""
    groups = posterior.draws.children
    found = [name for name in names if "sample_stats" in groups and name in groups["sample_stats"].data_vars]
    if not found:
        return None
    return groups["sample_stats"][found[0]].transpose("chain", "draw").to_numpy().astype(float)


def _saturated(posterior: Posterior) -> np.ndarray | None:
    """Which draws reached the largest tree, by the sampler's own flag or by depth or steps [chain, draw]."""
    largest = posterior.provenance.get("settings", {}).get("max_treedepth", _DEFAULT_MAXIMUM)
    if (flag := _statistic(posterior, *_FLAGS)) is not None:
        return flag
    if (depth := _statistic(posterior, *_ALIASES["depth"])) is not None:
        return (depth >= largest).astype(float)
    if (steps := _statistic(posterior, *_ALIASES["n_steps"])) is not None:
        return (steps >= 2**largest - 1).astype(float)
    return None


def _chain_names(posterior: Posterior) -> list[str]:
    return [f"chain {i + 1}" for i in range(posterior.sample_shape[0])]
