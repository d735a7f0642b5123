"""How draws are made in each system of coordinates, where the model has no obstacle to it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from bayes_glmm.inference.case import LONG_WARM_UP, SHORT_WARM_UP, Case, Drawn
from bayes_glmm.inference.chains import Target
from bayes_glmm.inference.integral import Integral, draw_effects, quadrature_error
from bayes_glmm.inference.plain_variables import plain_variables

if TYPE_CHECKING:
    from bayes_glmm.inference.densities.density import Density

log = logging.getLogger(__name__)

ATTEMPTS = 3  # each with twice the nodes
WORST_QUADRATURE_ERROR = 0.01  # in log likelihood: the posterior density is then right to 1 %


def draw_plain(case: Case) -> Drawn:
    """Draw in the coordinates of the plain model."""
    from bayes_glmm.inference.kernels.fused import fast_likelihood
    from bayes_glmm.model import build_model, plain_likelihood

    likelihood = fast_likelihood if case.problem.design.residual is None else plain_likelihood
    drawn, how = case.draw(build_model(case.problem, likelihood), LONG_WARM_UP)
    return drawn, {"coordinates": "plain"} | how


def draw_fixed(case: Case) -> Drawn:
    """Draw from the compiled density of a model without random effects."""
    assert case.fixed_density is not None
    case.fixed_density.compile()
    drawn, how = case.draw(case.fixed_density, SHORT_WARM_UP)
    return drawn, {"coordinates": "whitened"} | how


def draw_whitened(case: Case) -> Drawn:
    """Draw in coordinates whitened by the Laplace approximation, from a compiled density or else a PyMC model."""
    if case.whitened_density is not None:
        return _draw_density(case, case.whitened_density, "whitened")
    from bayes_glmm.inference.whitened import whitened_model

    whitening, _ = case.whitening
    assert whitening is not None
    drawn, how = case.draw(whitened_model(whitening), SHORT_WARM_UP)
    return plain_variables(drawn, case.problem.design), {"coordinates": "whitened"} | how


def draw_marginal(case: Case) -> Drawn:
    """Draw without the main factor's effects, which are drawn with each draw that is kept.

    For Gaussian responses: the integrals have a closed form, with effects of other factors among what is drawn first.
    """
    from bayes_glmm.inference.densities.whitened_inputs import without_main_effects

    whitening, _ = case.whitening
    assert whitening is not None
    assert case.whitened_density is not None
    return _draw_density(case, without_main_effects(case.whitened_density, whitening), "integrated")


def draw_quadrature(case: Case) -> Drawn:
    """Draw beta and theta with the random effects integrated out, then the random effects.

    The error of the quadrature is measured at the draws; if it shows, the nodes are doubled and the draws made anew. If
    it shows a third time, the plain coordinates take over.
    """
    integral = case.integral
    assert integral is not None
    for _ in range(ATTEMPTS):
        drawn, how = case.draw(_integrated_target(case, integral), SHORT_WARM_UP)
        drawn = plain_variables(drawn, integral.design)
        error = quadrature_error(integral, drawn["posterior"])
        if error <= WORST_QUADRATURE_ERROR:
            break
        log.info("Quadrature error %.2g with %d nodes: sampling anew with twice as many.", error, integral.nodes)
        integral = replace(integral, nodes=2 * integral.nodes - 1)
    else:
        log.warning("The quadrature does not settle: sampling in plain coordinates.")
        return draw_plain(case)
    drawn["posterior"] = draw_effects(integral, drawn["posterior"], case.settings.seed)
    quadrature = {"nodes": integral.nodes, "quadrature_error": float(f"{error:.2g}")}
    return drawn, {"coordinates": "integrated"} | quadrature | how


def _draw_density(case: Case, density: Density, coordinates: str) -> Drawn:
    from bayes_glmm.inference.densities.stream import streamed, with_streamed

    whitening, _ = case.whitening
    assert whitening is not None
    density.compile()
    density = streamed(density, case.settings, case.engine.folder)
    drawn, how = case.draw(density, SHORT_WARM_UP)
    drawn = with_streamed(drawn, density, (whitening.main, *whitening.others))
    return plain_variables(drawn, case.problem.design), {"coordinates": coordinates} | how


def _integrated_target(case: Case, integral: Integral) -> Target:
    """The compiled density where engine and model allow one, else a PyMC model."""
    from bayes_glmm.inference.densities.integrated_inputs import integrated_density

    density = integrated_density(integral, case.problem.priors) if case.engine.densities else None
    if density is not None:
        density.compile()
        return density
    from bayes_glmm.inference.integrated import integrated_model

    return integrated_model(integral, case.problem.priors)
