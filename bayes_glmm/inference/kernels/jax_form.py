"""Importing this module teaches PyTensor's JAX backend the fused likelihoods; JAX is imported with it.

JAX fuses and differentiates by itself: it gets the family's own log density, so kernels owe it
nothing, and the model is the same for every engine.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import special
from pytensor.link.jax.dispatch import jax_funcify

from bayes_glmm.families import family_of_key
from bayes_glmm.families.observed import log_observed
from bayes_glmm.families.response import read_beside
from bayes_glmm.inference.kernels.generated import parts_of, predicted_links, response_of
from bayes_glmm.inference.kernels.loops import FORMS
from bayes_glmm.inference.kernels.operation import FusedLogLikelihood
from bayes_glmm.numerics import conway_maxwell_forms, tail_integrals
from bayes_glmm.numerics.functions import ELEMENTARY, completed
from bayes_glmm.numerics.tail_operations import TailIntegral

_NAMESPACES = (jnp, special, jax.nn)


@jax.custom_vjp
def _conway_maxwell(y: Any, log_mu: Any, log_nu: Any) -> Any:
    return _called(y, log_mu, log_nu)[0]


def _called(*inputs: Any) -> Any:
    """Value and slopes by the compiled function, which JAX calls back."""
    inputs = jnp.broadcast_arrays(*(jnp.asarray(one, float) for one in inputs))
    shape = jax.ShapeDtypeStruct((3, *inputs[0].shape), inputs[0].dtype)
    return jax.pure_callback(conway_maxwell_forms.values, shape, *inputs, vmap_method="sequential")


def _slopes(residual: Any, cotangent: Any) -> Any:
    return jnp.zeros_like(cotangent), cotangent * residual[1], cotangent * residual[2]


def _conway_maxwell_of_arrays(*inputs: Any) -> Any:
    return _conway_maxwell(*jnp.broadcast_arrays(*(jnp.asarray(one, float) for one in inputs)))


_conway_maxwell.defvjp(lambda *inputs: ((found := _called(*inputs))[0], found), _slopes)
_ELEMENTARY = {
    name: next(getattr(namespace, name) for namespace in _NAMESPACES if hasattr(namespace, name)) for name in ELEMENTARY
}
_INTEGRALS = tail_integrals.forms(
    SimpleNamespace(**_ELEMENTARY),
    still=jax.lax.stop_gradient,
    wide=lambda x: jnp.asarray(x, float)[..., None],
    total=lambda x: x.sum(axis=-1),
)
JAX = completed(**_ELEMENTARY, conway_maxwell=_conway_maxwell_of_arrays, **_INTEGRALS)


@jax_funcify.register(TailIntegral)
def _integral_form(op: TailIntegral, **_: Any) -> Callable[..., Any]:
    # without the slopes, which JAX finds by itself
    return lambda *inputs: (_INTEGRALS[op.name](*inputs), *inputs)


@jax_funcify.register(type(conway_maxwell_forms.pytensor_operation()))
def _conway_maxwell_form(op: Any, **_: Any) -> Callable[..., Any]:
    # without the slopes, which JAX finds by itself
    return lambda y, log_mu, log_nu: (_conway_maxwell_of_arrays(y, log_mu, log_nu), log_mu, log_nu)


@jax_funcify.register(FusedLogLikelihood)
def _jax_form(op: FusedLogLikelihood, **_: Any) -> Callable[..., Any]:
    name, observed_form = parts_of(op.family)
    form, family = FORMS[op.form], op.own or family_of_key(name)
    links = predicted_links(family, op.links)
    constants = [name for name in family.auxiliary if name not in links]

    def fused_log_likelihood(*inputs: Any) -> tuple[Any, ...]:
        named = dict(zip((*form.data, *form.parameters), inputs, strict=True))

        def log_likelihood(parameters: dict[str, Any]) -> Any:
            auxiliary = {name: parameters["auxiliary"][k] for k, name in enumerate(constants)}
            rows = form.eta(named | parameters, len(links))
            eta = {name: (rows[k], link) for k, (name, link) in enumerate(links.items())}
            at = family.at(eta, auxiliary, JAX)
            beside = named["trials"].reshape(-1, len(named["y"]))
            data = {"y": named["y"]} | dict(
                zip(read_beside(observed_form, family.response.trials), beside, strict=True)
            )
            return log_observed(family, response_of(family, observed_form, data), at, JAX).sum()

        value, gradient = jax.value_and_grad(log_likelihood)({name: named[name] for name in form.parameters})
        return value, *(gradient[name] for name in form.parameters)

    return fused_log_likelihood
