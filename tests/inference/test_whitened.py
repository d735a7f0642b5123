"""Whitened coordinates are the plain model's posterior: log density with the Jacobian, at random points."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from numpy.testing import assert_allclose
from pytensor.graph.replace import graph_replace

import bayes_glmm as bg
from bayes_glmm.inference import whitening as whitening_module
from bayes_glmm.inference.whitened import whitened_model
from bayes_glmm.inference.whitening import whitening_for
from bayes_glmm.model import build_model
from tests.likelihood import cases

CASES = [
    ("bernoulli", "intercept"),
    ("poisson", "correlated"),
    ("gaussian", "crossed"),
    ("negative_binomial", "nested"),
    ("gamma", "three factors"),
]


@pytest.mark.parametrize(("family", "structure"), CASES)
def test_log_density_is_the_plain_models_and_the_jacobian(family: str, structure: str) -> None:
    """log p(w) - log p(x(w)) - log|dx / dw| is the same number at every point; x and w hold the random effects too."""
    problem = cases.model(family, structure).problem.canonical
    whitening, why = whitening_for(problem)
    assert whitening is not None, why
    fast, plain = whitened_model(whitening), build_model(problem)
    groups = [block.group for block in problem.design.blocks]
    natural = fast.replace_rvs_by_values([fast["beta"], *(fast[f"z_{group}"] for group in groups)])
    start_at = fast.initial_point()
    white = [value for value in fast.value_vars if value.name.startswith("white_")]
    shared = [value for value in fast.value_vars if not value.name.startswith("white_")]
    sizes = [start_at[value.name].size for value in white]
    flat, ends = pt.vector("flat"), np.cumsum(sizes)
    pieces = {
        value: flat[end - size : end].reshape(start_at[value.name].shape)
        for value, size, end in zip(white, sizes, ends, strict=True)
    }
    outputs = [fast.logp(), pt.concatenate([value.ravel() for value in natural]), *natural]
    outputs = graph_replace(outputs, pieces, strict=False)
    mode = pytensor.compile.mode.Mode(linker="py", optimizer="fast_compile")
    evaluate = pytensor.function([flat, *shared], outputs, mode=mode, on_unused_input="ignore")
    plain_logp = plain.compile_logp(mode=mode)

    def difference(rng: np.random.Generator) -> float:
        w = 0.7 * rng.normal(size=ends[-1])
        theta = {
            value.name: start_at[value.name] + 0.3 * rng.normal(size=np.shape(start_at[value.name])) for value in shared
        }
        logp, _, *values = evaluate(w, *theta.values())
        moves = 1e-5 * np.eye(ends[-1])
        columns = [(evaluate(w + m, *theta.values())[1] - evaluate(w - m, *theta.values())[1]) / 2e-5 for m in moves]
        point = theta | dict(zip(["beta", *(f"z_{group}" for group in groups)], values, strict=True))
        return float(logp - plain_logp(point) - np.linalg.slogdet(np.array(columns))[1])

    rng = np.random.default_rng(5)
    gaps = [difference(rng) for _ in range(3)]
    assert_allclose(gaps, gaps[0], atol=2e-6)  # the Jacobian by differences


def test_no_whitening_says_why() -> None:
    model = cases.model("bernoulli", "intercept")
    bounded = bg.GLMM(str(model.spec.formula), cases.data(), family="bernoulli", priors={"x": "Uniform(-1, 1)"})
    whitening, why = whitening_for(bounded.problem.canonical)
    assert whitening is None
    assert "prior of beta[x]" in why


def test_a_curvature_that_is_not_positive_is_a_reason_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def singular(*arguments: object) -> None:
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(whitening_module, "others_given_later", singular)
    model = cases.model("bernoulli", "intercept")
    whitening, why = whitening_for(model.problem.canonical)
    assert whitening is None
    assert "not positive definite" in why
