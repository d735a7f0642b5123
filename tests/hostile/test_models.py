"""Odd input that works: the PyMC model can be built, and its density at the start is finite."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pytensor.compile.mode import Mode

from bayes_glmm.design import Problem, build_design, resolve_priors
from bayes_glmm.errors import SpecError
from bayes_glmm.model import build_model
from bayes_glmm.spec import ModelSpec
from tests.hostile.cases import frame, keep, put, refused

PYTHON = Mode(linker="py", optimizer=None)  # one evaluation is not worth a compiler
HOSTILE = ["<script>", '"]}', "", "chain", "a" * 10_000, "😀"]

MODELS = [
    ("gaussian", "identity", "y ~ row + (draw | f)", put(row=lambda d: d.x, draw=lambda d: d.z)),
    ("gaussian", "identity", "y ~ f + (1 | g)", put(f=HOSTILE * 5, g=np.repeat(HOSTILE, 5))),
    ("gaussian", "identity", "y ~ x", put(x=lambda d: d.x * 1e90, y=lambda d: d.y * 1e-90)),
    ("gaussian", "identity", "y ~ x", put(y=lambda d: 1e15 + d.y)),
    ("gaussian", "log", "y ~ x", keep),
    ("gaussian", "inverse", "y ~ x", keep),
    ("student_t", "identity", "y ~ x", put(y=lambda d: d.y * 1e90)),
    ("gamma", "log", "z ~ x + (1 | g)", put(z=lambda d: d.z * 1e-90)),
    ("gamma", "identity", "z ~ x", keep),
    ("gamma", "inverse", "z ~ x", keep),
    ("poisson", "log", "k ~ x + (1 | i)", keep),
    ("poisson", "log", "k ~ x", put(k=lambda d: d.k * 2**50)),
    ("poisson", "identity", "k ~ x", keep),
    ("poisson", "sqrt", "k ~ x", put(k=lambda d: d.k * 0 + (d.i == 3))),
    ("negative_binomial", "log", "k ~ x + offset(log(z))", put(k=lambda d: d.k * 2**50)),
    ("bernoulli", "logit", "b ~ x", put(b=lambda d: d.i == 3)),
    ("bernoulli", "cauchit", "answer ~ x", keep),
    ("bernoulli", "cloglog", "f['c'] ~ x + (1 | g)", keep),
    ("bernoulli", "log", "b ~ x", keep),
    ("bernoulli", "identity", "b ~ x", keep),
    ("binomial", "probit", "p(k, n) ~ x + (1 | g:f)", put(n=2**50)),
    ("binomial", "logit", "p(k, 5) ~ 1", keep),
    ("beta", "logit", "share ~ x", put(share=lambda d: np.where(d.i % 2, 1e-15, 1 - 1e-15))),
    ("gaussian", "identity", "y ~ 0", keep),
]  # fmt: skip


@pytest.mark.parametrize(("family", "link", "formula", "edit"), MODELS)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_density_at_the_start_is_finite(family: str, link: str, formula: str, edit: Callable) -> None:
    spec = ModelSpec.from_formula(formula, family, link)
    design = build_design(spec, edit(frame()))
    model = build_model(Problem(spec, design, resolve_priors(spec, design)))
    start = model.initial_point()
    assert np.isfinite(float(model.compile_fn(model.logp(), mode=PYTHON)(start)))


@pytest.mark.parametrize(
    ("family", "link", "formula"),
    [
        ("gamma", "identity", "z ~ 0 + x"),
        ("gamma", "inverse", "z ~ 0 + (1 | g)"),
        ("poisson", "identity", "k ~ 0 + x"),
        ("poisson", "log", "k ~ offset(i * 1000)"),
        ("negative_binomial", "identity", "k ~ x + offset(i)"),
        ("bernoulli", "identity", "b ~ 0 + x"),
        ("bernoulli", "log", "b ~ 0 + x"),
        ("bernoulli", "cloglog", "b ~ offset(x * 1000)"),
        ("gamma", "log", "z ~ offset(x * 100000)"),
    ],
)
def test_a_model_that_no_sampler_could_start_is_refused(family: str, link: str, formula: str) -> None:
    spec = ModelSpec.from_formula(formula, family, link)
    design = build_design(spec, frame())
    refused(lambda: resolve_priors(spec, design), SpecError, "cannot start")


def test_a_model_that_starts_beside_the_middle_is_not_refused() -> None:
    additive = ModelSpec.from_formula("k ~ 0 + z", "poisson", "identity")  # at 0 itself no count has a density
    resolve_priors(additive, build_design(additive, frame()))
    prior = ModelSpec.from_formula("z ~ 0 + x", "gamma", "identity", {"beta": "HalfNormal(1)"})
    resolve_priors(prior, build_design(prior, pd.DataFrame(frame()).assign(x=lambda d: d.x.abs())))
