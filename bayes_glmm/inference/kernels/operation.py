"""The PyTensor operation over a kernel: the log likelihood with its gradient, in one pass.

Whatever stands around it stays with PyTensor, which differentiates the priors and the coordinates and multiplies by the
gradient that the operation has at hand. Data are inputs, so one compilation serves all of them and is kept on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from bayes_glmm.families import Family
from bayes_glmm.inference.kernels.generated import kernel_of
from bayes_glmm.inference.kernels.loops import FORMS
from bayes_glmm.inference.kernels.source import source_version


class FusedLogLikelihood(Op):
    """Log p(y | parameters) with all constants, and its gradient in each parameter as further outputs.

    Inputs are those of the form, data first. Only the first output can be differentiated, and only once.

    Parameters
    ----------
    form : {"predictor", "design"}
    family, links : str
        As :func:`kernel_key` has them.
    own : Family, optional
        The record of a user's own family, for backends that take the log density as it is.
    """

    __props__ = ("form", "family", "links")

    def __init__(self, form: str, family: str, links: str, own: Family | None = None) -> None:
        self.form, self.family, self.links, self.own = form, family, links, own

    def make_node(self, *inputs: Any) -> Apply:
        """Apply to the inputs of the form, tensors or arrays."""
        data, parameters = self._split([pt.as_tensor(x) for x in inputs])
        parameters = [pt.cast(parameter, "float64") for parameter in parameters]
        return Apply(self, [*data, *parameters], [pt.dscalar(), *(parameter.type() for parameter in parameters)])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        """For backends that call Python."""
        for storage, output in zip(output_storage, compiled(self.form, self.family, self.links)(*inputs), strict=True):
            storage[0] = output

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Variable]
    ) -> list[Variable]:
        """The gradient is there already."""
        if not all(isinstance(cotangent.type, DisconnectedType) for cotangent in cotangents[1:]):
            raise NotImplementedError("A fused likelihood has no second derivatives: use the plain model for them.")
        data, _ = self._split(inputs)
        return [*(disconnected_type() for _ in data), *(cotangents[0] * gradient for gradient in outputs[1:])]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Every output follows from every parameter; data are given."""
        data, parameters = self._split(node.inputs)
        return [[connected] * len(node.outputs) for connected in [False] * len(data) + [True] * len(parameters)]

    def _split(self, inputs: Sequence[Variable]) -> tuple[Sequence[Variable], Sequence[Variable]]:
        count = len(FORMS[self.form].data)
        return inputs[:count], inputs[count:]


@cache
def compiled(form: str, family: str, links: str) -> Any:
    """The compiled pass of a form, for an entry of the table: a function of the form's inputs."""
    return FORMS[form].make(kernel_of(family, links))


# The code of the kernels, in the key of what PyTensor keeps on disk: a change of theirs compiles anew.
_VERSION = int(source_version(), 16)


@register_funcify_default_op_cache_key(FusedLogLikelihood)
def _numba_form(op: FusedLogLikelihood, **_: Any) -> tuple[Callable[..., Any], int]:
    return compiled(op.form, op.family, op.links), _VERSION
