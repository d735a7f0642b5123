"""Whether the model can start: somewhere near the middle of the priors every row must have a density.

Samplers look for a first point there. Where a link lets the mean leave the family's range (identity under gamma or
poisson), or an offset is out of all proportion, they find none and end in an error of their own that names no row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bayes_glmm.design.design import Design
from bayes_glmm.errors import SpecError, rows_text
from bayes_glmm.families.observed import log_observed
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.spec import ModelSpec, Prior

_ATTEMPTS = 100


def check_start(spec: ModelSpec, design: Design, priors: Mapping[str, Prior]) -> None:
    """Look for coefficients within 1 of the priors' means, u = 0, at which every row has a density.

    Parameters
    ----------
    spec : ModelSpec
    design : Design
        In canonical columns.
    priors : mapping of parameter to Prior
        Where one of a coefficient is not normal nothing is checked: its middle is not known here.

    Raises
    ------
    SpecError
        If there are none.
    """
    names = [[f"{one.variable}[{name}]" for name in one.coefficients] for one in design.predictors.fixed]
    if any(priors[name].distribution != "Normal" for of in names for name in of):
        return
    middles = [np.array([_mean(priors[name]) for name in of]) for of in names]
    rng = np.random.default_rng(0)
    bad = np.arange(len(design.y))
    for attempt in range(_ATTEMPTS):
        beta = [middle + (rng.uniform(-1.0, 1.0, len(middle)) if attempt else 0.0) for middle in middles]
        found = np.flatnonzero(~np.isfinite(_log_density(spec, design, beta)))
        if not found.size:
            return
        bad = min(bad, found, key=len)
    raise SpecError(
        f"The model cannot start: with the {spec.link_name} link the {spec.family_name} family gives the response no "
        "density near the middle of the priors.",
        f"{spec.formula}, {rows_text(bad)}",
        "Check the offset and the scale of columns, add an intercept, or choose a link that keeps the mean in range.",
    )


def _mean(prior: Prior) -> float:
    mean = dict(prior.keyword).get("mu", prior.positional[0] if prior.positional else 0.0)
    return mean if isinstance(mean, int | float) else 0.0


def _log_density(spec: ModelSpec, design: Design, beta: Sequence[np.ndarray]) -> np.ndarray:
    with np.errstate(all="ignore"):
        fixed = zip(design.predictors.fixed, beta, strict=True)
        eta = {one.parameter: one.offset + one.X @ b for one, b in fixed}
        at = spec.at(eta, {name: one.middle or 1.0 for name, one in spec.auxiliary.items()}, NUMPY)
        return np.asarray(log_observed(spec.family, design.observed, at, NUMPY))
