"""The log density of :mod:`~bayes_glmm.numerics.conway_maxwell` in namespaces: NumPy's, PyTensor's, power series.

Each form takes (y, log mu, log nu). Series come from cumulants k_ab of y and log y!, which are sufficient for theta and
-nu: with D and E their distances from where they are, kappa is the sum of k_ab D^a E^b / (a! b!). D follows from E and
the mean, one order per pass.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

ORDER = 4  # of the cumulants: series go to the third derivative


def values(y: Any, log_mu: Any, log_nu: Any) -> np.ndarray:
    """Return the log density and its derivatives in log mu and log nu [3, ...]."""
    from bayes_glmm.numerics.conway_maxwell import densities

    arrays = _flat(y, log_mu, log_nu)
    return densities(*(one.ravel() for one in arrays)).reshape(3, *arrays[0].shape)


def density(y: Any, log_mu: Any, log_nu: Any) -> np.ndarray:
    """Return the log density of arrays."""
    return values(y, log_mu, log_nu)[0]


def variance(log_mu: Any, log_nu: Any) -> np.ndarray:
    """Return Var(y)."""
    from bayes_glmm.numerics.conway_maxwell import variances

    arrays = _flat(log_mu, log_nu)
    return variances(*(one.ravel() for one in arrays)).reshape(arrays[0].shape)


def draw(rng: np.random.Generator, log_mu: Any, log_nu: Any) -> np.ndarray:
    """Draw counts, in the shape that both arguments broadcast to."""
    from bayes_glmm.numerics.conway_maxwell import draws

    arrays = _flat(log_mu, log_nu)
    shape, flat = arrays[0].shape, [one.ravel() for one in arrays]
    return draws(*flat, rng.uniform(size=flat[0].shape), rng.standard_normal(flat[0].shape)).reshape(shape)


def _flat(*arrays: Any) -> list[np.ndarray]:
    return [np.array(one, float) for one in np.broadcast_arrays(*arrays)]


def series(y: Any, log_mu: Any, log_nu: Any) -> Any:
    """Return the log density of series, or of arrays."""
    from bayes_glmm.numerics.series import SERIES, Series

    moving = [one for one in (log_mu, log_nu) if isinstance(one, Series)]
    if not moving:
        return density(y, log_mu, log_nu)
    at_mu, at_nu = (one.value if isinstance(one, Series) else one for one in (log_mu, log_nu))
    nothing = (None,) * (len(moving[0].eta) - 1)
    k = _cumulants(at_mu, at_nu)
    mu, nu = np.exp(at_mu), np.exp(at_nu)
    risen = mu * (SERIES.expm1(log_mu - at_mu) if isinstance(log_mu, Series) else 0.0)  # of the mean
    E = -nu * (SERIES.expm1(log_nu - at_nu) if isinstance(log_nu, Series) else 0.0)
    D: Any = Series((0.0 * mu, *nothing))
    for _ in range(ORDER):
        D = (risen - _terms(k, D, E, 1) + k[..., 2, 0] * D) * (1.0 / k[..., 2, 0])
    from scipy import special

    ways = special.gammaln(y + 1.0) - k[..., 0, 1]
    constant = Series((density(y, at_mu, at_nu), *nothing))
    return constant + (y - mu) * D + ways * E - _terms(k, D, E, 0)


def _cumulants(log_mu: Any, log_nu: Any) -> np.ndarray:
    """Return those of y and log y! [..., 5, 5]."""
    from bayes_glmm.numerics.conway_maxwell import all_cumulants

    arrays = _flat(log_mu, log_nu)
    found = all_cumulants(*(one.ravel() for one in arrays))
    return found.reshape(*arrays[0].shape, ORDER + 1, ORDER + 1)


def _terms(k: np.ndarray, D: Any, E: Any, derivative: int) -> Any:
    """What kappa, or its derivative in theta, has beyond its first terms, or its value."""
    total: Any = 0.0 * D
    for a in range(ORDER + 1 - derivative):
        for b in range(ORDER + 1 - derivative - a):
            if a + b + derivative > 1:
                cumulant = k[..., a + derivative, b] / (math.factorial(a) * math.factorial(b))
                total = total + _power(D, a) * _power(E, b) * cumulant
    return total


def _power(x: Any, power: int) -> Any:
    return math.prod([x] * power)


def pytensor_form() -> Any:
    """Return the function of PyTensor's variables."""
    import pytensor.tensor as pt

    def function(y: Any, log_mu: Any, log_nu: Any) -> Any:
        inputs = pt.broadcast_arrays(*(pt.as_tensor(one).astype("float64") for one in (y, log_mu, log_nu)))
        return pytensor_operation()(*inputs)[0]

    return function


@cache
def pytensor_operation() -> Any:
    """Return the operation of PyTensor, with its form in numba."""
    from pytensor.gradient import disconnected_type
    from pytensor.graph.basic import Apply
    from pytensor.graph.op import Op
    from pytensor.link.numba.dispatch.basic import numba_funcify

    class ConwayMaxwell(Op):
        """Log density and its derivatives in log mu and log nu, of which the first has a gradient."""

        __props__ = ()

        def make_node(self, *inputs: Any) -> Apply:
            return Apply(self, list(inputs), [inputs[1].type() for _ in range(3)])

        def perform(self, node: Apply, inputs: list[np.ndarray], outputs: list[list[Any]]) -> None:
            for storage, value in zip(outputs, values(*inputs), strict=True):
                storage[0] = value

        def pullback(self, inputs: list[Any], outputs: list[Any], cotangents: list[Any]) -> list[Any]:
            return [disconnected_type(), cotangents[0] * outputs[1], cotangents[0] * outputs[2]]

        def connection_pattern(self, node: Apply) -> list[list[bool]]:
            return [[False] * 3, [True] * 3, [True] * 3]

    @numba_funcify.register(ConwayMaxwell)
    def numba_form(op: ConwayMaxwell, **_: Any) -> Any:
        import numba

        from bayes_glmm.numerics.conway_maxwell import densities

        @numba.njit
        def all_of(y, log_mu, log_nu):  # type: ignore[no-untyped-def] # pragma: no cover
            found, shape = densities(y.ravel(), log_mu.ravel(), log_nu.ravel()), log_mu.shape
            return found[0].copy().reshape(shape), found[1].copy().reshape(shape), found[2].copy().reshape(shape)

        return all_of

    return ConwayMaxwell()
