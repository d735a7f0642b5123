"""The response as a random variable: PyMC's distribution of the family, or one made of its density and its draws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayes_glmm.families import Family, Response, Value
from bayes_glmm.families.observed import draw_observed, log_observed
from bayes_glmm.families.value import At
from bayes_glmm.numerics.functions import NUMPY, pytensor_functions


def add_response(family: Family, name: str, y: Response, at: At) -> None:
    """Add the observed response to the model in context, along ``row``."""
    if family.distribution is not None and not y.form:
        family.distribution(pm, name, y, at, "row")
    else:
        custom_response(family, name, y, at)


def custom_response(family: Family, name: str, y: Response, at: At) -> pt.TensorVariable:
    """Add the observed response as a ``pm.CustomDist``, for families that PyMC has no distribution of.

    Parameters
    ----------
    family : Family
    name : str
    y : Response
        Observed.
    at : mapping of str to Value
        The value of each parameter, in PyTensor's namespace.
    """
    links = {parameter: value.link for parameter, value in at.items()}

    def values(etas: tuple[Any, ...], f: Any) -> At:
        return {name: Value(eta, link, f) for (name, link), eta in zip(links.items(), etas, strict=True)}

    def logp(value: Any, *etas: Any) -> Any:
        f = pytensor_functions()
        return log_observed(family, replace(y, values=value), values(etas, f), f)

    def random(*etas: np.ndarray, rng: np.random.Generator, size: Any = None) -> np.ndarray:
        wide = np.broadcast_arrays(*etas) if size is None else [np.broadcast_to(eta, size) for eta in etas]
        return draw_observed(family, rng, y, values(tuple(wide), NUMPY))

    etas = [pt.as_tensor(value.eta) for value in at.values()]
    kind = "int64" if family.discrete else "float64"
    return pm.CustomDist(name, *etas, logp=logp, random=random, observed=y.values, dims="row", dtype=kind)
