"""The integrals of :mod:`~bayes_glmm.numerics.tail_integrals` as operations of PyTensor, which have their slopes.

Their forms in JAX are registered by :mod:`bayes_glmm.inference.kernels.jax_form`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_funcify

from bayes_glmm.numerics.tail_integrals import beta_values, gamma_values

VALUES = {"log_gamma_integral": gamma_values, "log_beta_integral": beta_values}


class TailIntegral(Op):
    """One of the integrals and its derivative in each argument, of which the first output has a gradient.

    Parameters
    ----------
    name : str
        A key of ``VALUES``.
    """

    __props__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def make_node(self, *inputs: Any) -> Apply:
        """Apply to three arrays of one shape."""
        return Apply(self, list(inputs), [inputs[0].type() for _ in range(4)])

    def perform(self, node: Apply, inputs: list[np.ndarray], outputs: list[list[Any]]) -> None:
        """For backends that call Python."""
        for storage, value in zip(outputs, VALUES[self.name](*inputs), strict=True):
            storage[0] = np.asarray(value)

    def pullback(self, inputs: list[Any], outputs: list[Any], cotangents: list[Any]) -> list[Any]:
        """The gradient is there already."""
        return [cotangents[0] * slope for slope in outputs[1:]]


@numba_funcify.register(TailIntegral)
def _numba_form(op: TailIntegral, **_: Any) -> Any:
    from bayes_glmm.numerics.tail_compiled import of_arrays

    return of_arrays(op.name)


def function_of(name: str) -> Callable[..., Any]:
    """Return the function of PyTensor's variables."""
    operation = TailIntegral(name)

    def function(*numbers: Any) -> Any:
        inputs = pt.broadcast_arrays(*(pt.as_tensor(one).astype("float64") for one in numbers))
        return operation(*inputs)[0]

    return function
