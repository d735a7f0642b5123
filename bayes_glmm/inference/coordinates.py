"""What NUTS moves in: coordinates of one and the same posterior, handed back under the plain model's names.

``plain`` moves in beta, theta and the standardised effects z; ``integrated`` in beta and theta alone, or with the
effects of smaller factors; ``whitened`` in all that there are, straightened by the Laplace approximation. ``auto``
takes the integrated ones where the integral is cheap, the whitened ones else, the plain ones where neither can be, and
says so in the provenance.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bayes_glmm.design import Design, Priors, Problem
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.inference.chains import Groups, Target
from bayes_glmm.inference.engines import Engine
from bayes_glmm.inference.integral import Integral, draw_effects, integral_for, quadrature_error
from bayes_glmm.inference.natural import natural
from bayes_glmm.inference.settings import Settings
from bayes_glmm.inference.settled import settled
from bayes_glmm.inference.whitening import Whitening, parabolas_are_exact, whitening_for

if TYPE_CHECKING:
    from bayes_glmm.inference.densities.density import Density

log = logging.getLogger(__name__)

Drawn = tuple[Groups, dict[str, Any]]
Sampler = Callable[[Problem, Engine, Settings], Drawn]
ATTEMPTS = 3  # each with twice the nodes
WORST_QUADRATURE_ERROR = 0.01  # in log likelihood: the posterior density is then right to 1 %
LONG_WARM_UP = 1000
FEW_EFFECTS = 100  # of the largest factor: with fewer, whitening gave up to 1.8 times the effective draws a second
SHORT_WARM_UP = 200  # where scales are known beforehand; 150 to 300 gave the same effective draws a gradient


def sample_auto(problem: Problem, engine: Engine, settings: Settings) -> Drawn:
    """Draw in the coordinates expected to mix best; the log says which and why."""
    closed_form = parabolas_are_exact(problem.spec) and _most_effects(problem.design) > FEW_EFFECTS
    integral = None if closed_form else integral_for(problem.spec, problem.design)
    if integral is not None and integral.cheap:
        log.info("Sampling in integrated coordinates: the integrals are %d values a gradient.", integral.cells)
        return _sample_integrated(integral, problem.priors, engine, settings)
    if (fixed := _sample_fixed(problem, engine, settings)) is not None:
        return fixed
    whitening, why = whitening_for(problem)
    if whitening is None:
        log.info("Sampling in plain coordinates: %s.", why)
        drawn, how = sample_plain(problem, engine, settings)
        return drawn, how | {"why": why}
    density = _density(whitening, engine)
    if closed_form and density is not None:
        log.info("Sampling in integrated coordinates: the integrals have a closed form.")
        return _sample_marginal(whitening, density, engine, settings)
    log.info("Sampling in whitened coordinates: there is a Laplace approximation, and no integral is cheaper.")
    return _sample_whitened(whitening, density, engine, settings)


def sample_plain(problem: Problem, engine: Engine, settings: Settings) -> Drawn:
    """Draw in the coordinates of the plain model."""
    from bayes_glmm.inference.kernels.fused import fast_likelihood
    from bayes_glmm.model import build_model

    drawn, how = _draw(build_model(problem, fast_likelihood), engine, settings, LONG_WARM_UP)
    return drawn, {"coordinates": "plain"} | how


def sample_whitened(problem: Problem, engine: Engine, settings: Settings) -> Drawn:
    """Draw in coordinates whitened by the Laplace approximation.

    Raises
    ------
    SpecError
        If the model has none.
    """
    if (fixed := _sample_fixed(problem, engine, settings)) is not None:
        return fixed
    whitening, why = whitening_for(problem)
    if whitening is None:
        raise SpecError(
            f"This model cannot be sampled in whitened coordinates: {why}.",
            str(problem.spec.formula),
            "Use coordinates='auto'.",
        )
    return _sample_whitened(whitening, _density(whitening, engine), engine, settings)


def sample_integrated(problem: Problem, engine: Engine, settings: Settings) -> Drawn:
    """Draw beta and theta with the random effects integrated out, then the random effects.

    For Gaussian responses the integrals have a closed form, with effects of other factors than the largest among what
    is drawn first. For others the error of the quadrature is measured at the draws; if it shows, the nodes are doubled
    and the draws made anew. If it shows a third time, the plain coordinates take over.

    Raises
    ------
    SpecError
        If the integrals have no closed form, and the model has more than one random effect a group or would need too
        many nodes.
    """
    whitening, _ = whitening_for(problem) if parabolas_are_exact(problem.spec) else (None, "")
    density = None if whitening is None else _density(whitening, engine)
    if whitening is not None and density is not None:
        return _sample_marginal(whitening, density, engine, settings)
    integral = integral_for(problem.spec, problem.design)
    if integral is None:
        raise SpecError(
            "This model cannot be sampled in integrated coordinates.",
            str(problem.spec.formula),
            "They are for Gaussian responses (engine 'nutpie', priors without bounds), or for one grouping factor, one "
            "effect a group and little data in each. Use coordinates='auto'.",
        )
    return _sample_integrated(integral, problem.priors, engine, settings)


COORDINATES: dict[str, Sampler] = {
    "auto": sample_auto,
    "plain": sample_plain,
    "whitened": sample_whitened,
    "integrated": sample_integrated,
}


def get_coordinates(name: str) -> Sampler:
    """The coordinates of that name.

    Raises
    ------
    SpecError
        For a name that is not known.
    """
    if name not in COORDINATES:
        raise SpecError(f"There are no coordinates {name!r}.", advice=choices(name, COORDINATES))
    return COORDINATES[name]


def _density(whitening: Whitening, engine: Engine) -> Density | None:
    """The compiled density over whitened coordinates where engine and model allow one."""
    from bayes_glmm.inference.densities.whitened_inputs import whitened_density

    return whitened_density(whitening) if engine.densities else None


def _sample_fixed(problem: Problem, engine: Engine, settings: Settings) -> Drawn | None:
    """Draw from the compiled density of a model without random effects; None where there is none."""
    from bayes_glmm.inference.densities.fixed_inputs import fixed_density

    if problem.design.blocks or not engine.densities or (density := fixed_density(problem)) is None:
        return None
    log.info("Sampling in whitened coordinates: there are no random effects.")
    density.compile()
    drawn, how = _draw(density, engine, settings, SHORT_WARM_UP)
    return drawn, {"coordinates": "whitened"} | how


def _sample_whitened(whitening: Whitening, density: Density | None, engine: Engine, settings: Settings) -> Drawn:
    """Draw from the density, or where there is none from a PyMC model."""
    if density is not None:
        return _sample_density(whitening, density, "whitened", engine, settings)
    from bayes_glmm.inference.whitened import whitened_model

    drawn, how = _draw(whitened_model(whitening), engine, settings, SHORT_WARM_UP)
    return natural(drawn, whitening.problem.design), {"coordinates": "whitened"} | how


def _sample_marginal(whitening: Whitening, density: Density, engine: Engine, settings: Settings) -> Drawn:
    """Draw without the main factor's effects, which are drawn with each draw that is kept."""
    from bayes_glmm.inference.densities.whitened_inputs import without_main_effects

    return _sample_density(whitening, without_main_effects(density, whitening), "integrated", engine, settings)


def _most_effects(design: Design) -> int:
    return max((len(block.levels) * len(block.effects) for block in design.blocks), default=0)


def _sample_density(
    whitening: Whitening, density: Density, coordinates: str, engine: Engine, settings: Settings
) -> Drawn:
    from bayes_glmm.inference.densities.stream import streamed, with_streamed

    density.compile()
    density = streamed(density, settings, engine.folder)
    drawn, how = _draw(density, engine, settings, SHORT_WARM_UP)
    drawn = with_streamed(drawn, density, (whitening.main, *whitening.others))
    return natural(drawn, whitening.problem.design), {"coordinates": coordinates} | how


def _sample_integrated(integral: Integral, priors: Priors, engine: Engine, settings: Settings) -> Drawn:
    for _ in range(ATTEMPTS):
        drawn, how = _draw(_integrated_target(integral, priors, engine), engine, settings, SHORT_WARM_UP)
        drawn = natural(drawn, integral.design)
        error = quadrature_error(integral, drawn["posterior"])
        if error <= WORST_QUADRATURE_ERROR:
            break
        log.info("Quadrature error %.2g with %d nodes: sampling anew with twice as many.", error, integral.nodes)
        integral = replace(integral, nodes=2 * integral.nodes - 1)
    else:
        log.warning("The quadrature does not settle: sampling in plain coordinates.")
        return sample_plain(Problem(integral.spec, integral.design, priors), engine, settings)
    drawn["posterior"] = draw_effects(integral, drawn["posterior"], settings.seed)
    quadrature = {"nodes": integral.nodes, "quadrature_error": float(f"{error:.2g}")}
    return drawn, {"coordinates": "integrated"} | quadrature | how


def _integrated_target(integral: Integral, priors: Priors, engine: Engine) -> Target:
    """The compiled density where engine and model allow one, else a PyMC model."""
    from bayes_glmm.inference.densities.integrated_inputs import integrated_density

    density = integrated_density(integral, priors) if engine.densities else None
    if density is not None:
        density.compile()
        return density
    from bayes_glmm.inference.integrated import integrated_model

    return integrated_model(integral, priors)


def _draw(target: Target, engine: Engine, settings: Settings, warm_up: int) -> Drawn:
    """Draws, their warm-up (what was asked for; else a usual one, lengthened if it was too short) and its seconds."""
    tune = settings.tune or warm_up
    drawn, seconds = _timed(target, engine, replace(settings, tune=tune))
    if settings.tune is None and warm_up < LONG_WARM_UP and not settled(drawn):
        log.info("The chains have not settled after %d draws of warm-up: sampling anew with %d.", tune, LONG_WARM_UP)
        tune = LONG_WARM_UP
        drawn, more = _timed(target, engine, replace(settings, tune=tune))
        seconds += more
    return drawn, {"tune": tune, "seconds_of_sampling": round(seconds, 3)}


def _timed(target: Target, engine: Engine, settings: Settings) -> tuple[Groups, float]:
    engine.load()
    start = time.perf_counter()
    return engine.sample(target, settings), time.perf_counter() - start
