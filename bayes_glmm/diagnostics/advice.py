"""What to do about chains that miss a threshold, in a GLMM's own terms: coefficients, sds, random slopes."""

from __future__ import annotations

from bayes_glmm.posterior import Posterior

_LOST = (
    "Most parameters miss: the chains have not found the same place. Try tune=2000 and target_accept=0.95; if they "
    "still differ, the data leave something undetermined: tighter priors, or fewer random slopes."
)


def on_parameters(posterior: Posterior, failing: list[str], total: int) -> tuple[str, ...]:
    """Told from which kind of parameter mixes slowly.

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
    if total >= 10 and len(failing) > total / 2:
        return (_LOST,)
    kinds = {label.partition("[")[0].partition("_")[0] for label in failing}
    advice = ["Draw longer (tune=2000, draws=2000)."]
    if "beta" in kinds and any(name != "Intercept" for name in posterior.design.coefficients):
        advice.append("Coefficients mix slowly when covariates are far from 0 or collinear: center(x), scale(x).")
    if "sd" in kinds:
        worst = next(label for label in failing if label.startswith("sd_"))
        fewer = ", or drop a random slope" if _has_slopes(posterior) else ""
        advice.append(
            "A standard deviation that mixes slowly is little known: raise target_accept to 0.95, set "
            f"{_tighter(posterior, worst)}{fewer}."
        )
    if "corr" in kinds:
        advice.append("A correlation that the data do not speak about can be left out: (x || g) in place of (x | g).")
    if kinds <= {"u", "z"}:
        advice.append("Levels with few or one-sided rows mix slowly: check the rows of those named.")
    if kinds & {"phi", "nu"}:
        advice.append("phi and nu are little known near a limit (Poisson, Gaussian): consider the simpler family.")
    return tuple(advice)


def on_divergences(posterior: Posterior) -> tuple[str, ...]:
    """Smaller steps first, then the geometry."""
    fewer = ", or one random slope fewer" if _has_slopes(posterior) else ""
    return (
        f"Raise target_accept (0.95, then 0.99). If divergences stay, the geometry is at fault: {_tighter(posterior)}, "
        f"centred and scaled covariates (center(x), scale(x)){fewer}.",
    )


def on_energy(posterior: Posterior) -> tuple[str, ...]:
    """Tails that are not explored."""
    fewer = ", drop random slopes that the data do not speak about" if _has_slopes(posterior) else ""
    return (
        "The tails are not explored, mostly those of a standard deviation near 0 or of heavy-tailed parameters: set "
        f"{_tighter(posterior)}{fewer}, and tune longer.",
    )


def on_tree_depth() -> tuple[str, ...]:
    """Trajectories that are cut short."""
    return (
        "Trajectories are cut short and draws cost more than they should: center(x) and scale(x) covariates whose "
        "values are far from 0 or far apart in size, and tune longer.",
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
