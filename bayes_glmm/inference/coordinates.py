"""What NUTS moves in: coordinates of one and the same posterior, handed back under the plain model's names.

``plain`` moves in beta, theta and the standardised effects z; ``integrated`` in beta and theta alone, or with the
effects of smaller factors; ``whitened`` in all that there are, straightened by the Laplace approximation. There are two
ways to integrate effects out, and two to whiten: for models with and without random effects.

Each way is a record in ``SYSTEMS``: its obstacle in words, if a model has one, and its cost. ``auto`` takes the
cheapest one without an obstacle; a name takes the first of that name. A further system is one more record.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bayes_glmm.design import Problem
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.inference.case import Case, Drawn
from bayes_glmm.inference.engines import Engine
from bayes_glmm.inference.settings import Settings
from bayes_glmm.inference.systems import (
    draw_fixed,
    draw_marginal,
    draw_plain,
    draw_quadrature,
    draw_whitened,
)
from bayes_glmm.inference.whitening import parabolas_are_exact

log = logging.getLogger(__name__)

Sampler = Callable[[Problem, Engine, Settings], Drawn]
FEW_EFFECTS = 100  # of the largest factor: with fewer, whitening gave up to 1.8 times the effective draws a second
WRITTEN_OUT = 4  # effects per level whose Cholesky factors a PyMC model writes out, entry by entry
LAST_RESORT = 4.0  # the cost of plain coordinates: what costs more is for those who ask for it


@dataclass(frozen=True)
class Coordinates:
    """A system of coordinates.

    Attributes
    ----------
    name : str
        What it is asked for by, and reported as; several systems may share one.
    obstacle : function
        ``Case -> str or None``: why a model cannot be sampled in it, in words.
    cost : function
        ``Case -> float``, in no unit: ``auto`` takes the least.
    draw : function
        ``Case -> (draws, how)``, where there is no obstacle.
    reason : function
        ``Case -> str``: why ``auto`` takes it, in words.
    refusal, advice : str
        What is said to those who ask for it where there is an obstacle, which stands for ``{obstacle}``.
    """

    name: str
    obstacle: Callable[[Case], str | None]
    cost: Callable[[Case], float]
    draw: Callable[[Case], Drawn]
    reason: Callable[[Case], str]
    refusal: str = ""
    advice: str = ""


def _many_exact(case: Case) -> bool:
    """Whether effects have integrals in closed form, and enough of them for these to pay."""
    return parabolas_are_exact(case.problem.spec) and case.most_effects > FEW_EFFECTS


def _marginal_obstacle(case: Case) -> str | None:
    if not parabolas_are_exact(case.problem.spec):
        return "the integrals have no closed form"
    whitening, why = case.whitening
    if whitening is None:
        return why
    return "there is no compiled density" if case.whitened_density is None else None


def _whitened_obstacle(case: Case) -> str | None:
    whitening, why = case.whitening
    if whitening is None:
        return why
    if case.whitened_density is None and case.problem.design.residual is not None:
        return "there is no compiled density of correlated residuals"
    if case.whitened_density is None and len(whitening.main.effects) > WRITTEN_OUT:
        return f"there are more than {WRITTEN_OUT} effects per level, and no compiled density"
    return None


def _quadrature_cost(case: Case) -> float:
    cheap = not _many_exact(case) and case.integral is not None and case.integral.cheap
    return 1.0 if cheap else LAST_RESORT + 1.0


MARGINAL = Coordinates(
    "integrated",
    obstacle=_marginal_obstacle,
    cost=lambda case: 0.0 if _many_exact(case) else LAST_RESORT + 1.0,
    draw=draw_marginal,
    reason=lambda case: "the integrals have a closed form",
)
QUADRATURE = Coordinates(
    "integrated",
    obstacle=lambda case: "the integrals take too many nodes or dimensions" if case.integral is None else None,
    cost=_quadrature_cost,
    draw=draw_quadrature,
    reason=lambda case: f"the integrals are {case.integral.cells if case.integral else 0} values a gradient",
    refusal="This model cannot be sampled in integrated coordinates.",
    advice="They are for Gaussian responses (engine 'nutpie', priors without bounds), or for one grouping factor, one "
    "effect a group, in any formula, and little data in each. Use coordinates='auto'.",
)
FIXED = Coordinates(
    "whitened",
    obstacle=lambda case: "there is no compiled density of fixed effects" if case.fixed_density is None else None,
    cost=lambda case: 2.0,
    draw=draw_fixed,
    reason=lambda case: "there are no random effects",
)
WHITENED = Coordinates(
    "whitened",
    obstacle=_whitened_obstacle,
    cost=lambda case: 3.0,
    draw=draw_whitened,
    reason=lambda case: "there is a Laplace approximation, and no integral is cheaper",
    refusal="This model cannot be sampled in whitened coordinates: {obstacle}.",
    advice="Use coordinates='auto'.",
)
PLAIN = Coordinates(
    "plain",
    obstacle=lambda case: None,
    cost=lambda case: LAST_RESORT,
    draw=draw_plain,
    reason=lambda case: _whitened_obstacle(case) or "",
)

SYSTEMS = (PLAIN, FIXED, WHITENED, MARGINAL, QUADRATURE)
COORDINATES: Mapping[str, tuple[Coordinates, ...]] = {
    "auto": SYSTEMS,
    **{one.name: tuple(other for other in SYSTEMS if other.name == one.name) for one in SYSTEMS},
}
"""The systems that each name stands for."""


def get_coordinates(name: str) -> Sampler:
    """The way to draw in the coordinates of that name.

    Raises
    ------
    SpecError
        For a name that is not known; from the way itself, if the model cannot be sampled in these coordinates.
    """
    if name not in COORDINATES:
        raise SpecError(f"There are no coordinates {name!r}.", advice=choices(name, COORDINATES))

    def sample(problem: Problem, engine: Engine, settings: Settings) -> Drawn:
        case = Case(problem, engine, settings)
        return _cheapest(case) if name == "auto" else _first(case, COORDINATES[name])

    return sample


def _cheapest(case: Case) -> Drawn:
    """Draw in the system of least cost; the log says which and why."""
    ranked = sorted(SYSTEMS, key=lambda one: one.cost(case))
    chosen = next(one for one in ranked if one.obstacle(case) is None)
    reason = chosen.reason(case)
    log.info("Sampling in %s coordinates: %s.", chosen.name, reason)
    drawn, how = chosen.draw(case)
    return drawn, how | ({"why": reason} if chosen is PLAIN else {})


def _first(case: Case, systems: tuple[Coordinates, ...]) -> Drawn:
    """Draw in the first system without an obstacle."""
    for one in systems:
        if one.obstacle(case) is None:
            return one.draw(case)
    last = systems[-1]
    refusal = last.refusal.format(obstacle=last.obstacle(case))
    raise SpecError(refusal, str(case.problem.spec.formula), last.advice)
