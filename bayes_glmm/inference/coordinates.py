"""What NUTS moves in: coordinates of one and the same posterior, handed back under the plain model's names.

``plain`` moves in beta, theta and the standardised effects z; ``integrated`` in beta and theta alone. ``auto`` takes
the integrated ones where the integral is cheap, and says so in the provenance.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import xarray as xr

from bayes_glmm.design import Design, Priors
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.inference.engines import Engine
from bayes_glmm.inference.integrated import draw_effects, integral_for, integrated_model, quadrature_error
from bayes_glmm.inference.settings import Settings
from bayes_glmm.model import build_model
from bayes_glmm.spec import ModelSpec

log = logging.getLogger(__name__)

Drawn = tuple[xr.DataTree, dict[str, Any]]
ATTEMPTS = 3  # each with twice the nodes
WORST_QUADRATURE_ERROR = 0.01  # in log likelihood: the posterior density is then right to 1 %


def sample_plain(spec: ModelSpec, design: Design, priors: Priors, engine: Engine, settings: Settings) -> Drawn:
    """Draw in the coordinates of the plain model."""
    return engine.sample(build_model(spec, design, priors), settings), {"coordinates": "plain"}


def sample_integrated(spec: ModelSpec, design: Design, priors: Priors, engine: Engine, settings: Settings) -> Drawn:
    """Draw beta and theta with the random effects integrated out, then the random effects.

    The error of the quadrature is measured at the draws; if it shows, the nodes are doubled and the draws made anew.
    If it shows a third time, the plain coordinates take over.

    Raises
    ------
    SpecError
        If the model has more than one random effect a group, or would need too many nodes.
    """
    integral = integral_for(spec, design)
    if integral is None:
        raise SpecError(
            "This model cannot be sampled in integrated coordinates.",
            str(spec.formula),
            "They are for one grouping factor, one effect a group and little data in each. Use coordinates='auto'.",
        )
    for _ in range(ATTEMPTS):
        drawn = engine.sample(integrated_model(integral, priors), settings)
        posterior = drawn["posterior"].to_dataset()
        error = quadrature_error(integral, posterior)
        if error <= WORST_QUADRATURE_ERROR:
            break
        log.info("Quadrature error %.2g with %d nodes: sampling anew with twice as many.", error, integral.nodes)
        integral = replace(integral, nodes=2 * integral.nodes - 1)
    else:
        log.warning("The quadrature does not settle: sampling in plain coordinates.")
        return sample_plain(spec, design, priors, engine, settings)
    groups = {name: node.to_dataset() for name, node in drawn.children.items()}
    groups["posterior"] = draw_effects(integral, posterior, settings.seed)
    how = {"coordinates": "integrated", "nodes": integral.nodes, "quadrature_error": float(f"{error:.2g}")}
    return xr.DataTree.from_dict(groups), how


COORDINATES: dict[str, Callable[[ModelSpec, Design, Priors, Engine, Settings], Drawn]] = {
    "plain": sample_plain,
    "integrated": sample_integrated,
}


def choose_coordinates(name: str, spec: ModelSpec, design: Design) -> str:
    """The coordinates of that name; for ``"auto"``, those expected to mix best.

    Raises
    ------
    SpecError
        For a name that is not known.
    """
    if name == "auto":
        integral = integral_for(spec, design)
        return "integrated" if integral is not None and integral.cheap else "plain"
    if name not in COORDINATES:
        raise SpecError(f"There are no coordinates {name!r}.", advice=choices(name, ["auto", *COORDINATES]))
    return name
