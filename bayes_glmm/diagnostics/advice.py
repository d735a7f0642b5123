"""What to do about chains that miss a threshold, in a GLMM's own terms: coefficients, sds, random slopes."""

from __future__ import annotations

import numpy as np

from bayes_glmm.design import findings
from bayes_glmm.posterior import Posterior

_LOG_DENSITY = "log density"
_COLLINEAR = 0.95  # correlation of two columns above which their coefficients go together


def on_parameters(posterior: Posterior, failing: list[str], total: int) -> tuple[str, ...]:
    """Told from which kind of parameter mixes slowly, and from what the data leave undetermined.

    Parameters
    ----------
    posterior : Posterior
    failing : list of str
        Labels, worst first.
    total : int
        How many parameters there are.
    """
    if not failing:
        return ()
    if explained := _explained(posterior, failing):
        return explained
    if total >= 10 and len(failing) > total / 2:
        return (_lost(posterior),)
    kinds = {_kind(label) for label in failing}
    advice = [f"Draw longer ({_longer(posterior)})."]
    if kinds == {_LOG_DENSITY}:
        advice.append(
            "Each parameter mixes, but the log density of all together does not: the chains move around the middle of "
            "the posterior faster than towards it and away."
        )
    if "beta" in kinds and _collinear(posterior):
        advice.append(
            "Coefficients of nearly collinear columns mix slowly: leave one out, or use poly(x, 2) for powers."
        )
    if "sd" in kinds:
        worst = next(label for label in failing if label.startswith("sd_"))
        fewer = ", or drop a random slope" if _has_slopes(posterior) else ""
        advice.append(
            f"A standard deviation that mixes slowly is little known: {_smaller_steps(posterior)}, set "
            f"{_tighter(posterior, worst)}{fewer}."
        )
    if "corr" in kinds:
        advice.append(
            "A correlation that the data hardly inform can be left out: (center(x) || g) in place of (x | g)."
        )
    if kinds <= {"u", "z"}:
        advice.append("Levels with few or one-sided rows mix slowly: check the rows of those named.")
    for name, limit in posterior.spec.family.limits.items():
        if name in kinds:
            advice.append(f'{name} is little known near a limit, the {limit} family: consider family="{limit}".')
    return tuple(advice)


def _explained(posterior: Posterior, failing: list[str]) -> tuple[str, ...]:
    """What to do about findings that leave all of the failing parameters to their priors: longer chains do not help."""
    known = [found for found in findings(posterior.spec, posterior.design) if found.parameters]
    covered = {parameter for found in known for parameter in found.parameters}
    slow = [label for label in failing if label != _LOG_DENSITY and _kind(label) not in ("u", "z")]
    if not slow or not all(label in covered or label.partition("[")[0] in covered for label in slow):
        return ()
    names = [{label, label.partition("[")[0]} for label in slow]
    return tuple(
        f"{found.what} {found.advice}" for found in known if any(name & set(found.parameters) for name in names)
    )


def _kind(label: str) -> str:
    return label.partition("[")[0].partition("_")[0]


def _lost(posterior: Posterior) -> str:
    return (
        f"Most parameters miss: the chains have not found the same place. Try {_longer(posterior)} and "
        f"{_smaller_steps(posterior, name_only=True)}; if they still differ, the data leave something undetermined: "
        "tighter priors, or fewer random slopes."
    )


def _longer(posterior: Posterior) -> str:
    """Twice the draws of the run, and at least 2,000."""
    tune = posterior.provenance.get("settings", {}).get("tune") or 1000
    return f"tune={max(2000, 2 * tune)}, draws={max(2000, 2 * posterior.sample_shape[1])}"


def _smaller_steps(posterior: Posterior, name_only: bool = False) -> str:
    """The next target_accept above the one of the run."""
    now = posterior.provenance.get("settings", {}).get("target_accept", 0.8)
    higher = next((value for value in (0.95, 0.99, 0.995) if value > now + 1e-9), 0.999)
    return f"target_accept={higher:g}" if name_only else f"raise target_accept to {higher:g}"


def _collinear(posterior: Posterior) -> bool:
    columns = posterior.design.X[:, np.ptp(posterior.design.X, axis=0) > 0]
    if columns.shape[1] < 2:
        return False
    return bool(np.abs(np.tril(np.corrcoef(columns, rowvar=False), k=-1)).max() > _COLLINEAR)


def on_divergences(posterior: Posterior) -> tuple[str, ...]:
    """Smaller steps first, then the geometry."""
    fewer = ", or one random slope fewer" if _has_slopes(posterior) else ""
    return (
        f"Take smaller steps: {_smaller_steps(posterior)}. If divergences stay, the shape of the posterior is the "
        f"reason: try {_tighter(posterior)}{fewer}.",
    )


def on_energy(posterior: Posterior) -> tuple[str, ...]:
    """Tails that are not explored."""
    fewer = ", drop random slopes that the data hardly inform" if _has_slopes(posterior) else ""
    return (
        "The tails are not explored, mostly those of a standard deviation near 0 or of heavy-tailed parameters: set "
        f"{_tighter(posterior)}{fewer}, and tune longer.",
    )


def on_tree_depth() -> tuple[str, ...]:
    """Trajectories that are cut short."""
    return (
        "Trajectories are cut short: draws cost more than they should, but are valid. Tune longer, and rescale "
        "covariates that are far apart in size, scale(x).",
    )


def _has_slopes(posterior: Posterior) -> bool:
    return any(len(block.effects) > 1 for block in posterior.design.blocks)


def _tighter(posterior: Posterior, spread: str | None = None) -> str:
    """A prior to try for a standard deviation, 2.5 times tighter than the one it has."""
    names = [name for name in posterior.priors.entries if name.startswith("sd_")]
    if not names:
        return "tighter priors"
    name = spread if spread in names else names[0]
    scale = dict(posterior.priors[name].keyword).get("sigma")
    if not isinstance(scale, int | float):
        return f"a tighter prior on {name}"
    return f'a tighter prior such as priors={{"{name}": "HalfNormal({scale / 2.5:.3g})"}}'
