"""Coordinates are ways to one posterior: parameters, random effects and what both make together agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.inference import Settings, systems
from bayes_glmm.inference.chains import Keep, chain_of
from bayes_glmm.inference.coordinates import COORDINATES, get_coordinates
from bayes_glmm.inference.engines import Engine
from bayes_glmm.posterior import posterior_at
from bayes_glmm.predictive import conditional_predictor


def data() -> pd.DataFrame:
    """Forty binary rows in ten groups; x has two values."""
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(10), 4), np.tile([0, 1], 20)
    eta = -0.3 + 0.8 * x + rng.normal(0, 1.2, 10)[g]
    return pd.DataFrame({"y": rng.binomial(1, 1 / (1 + np.exp(-eta))), "x": x, "g": g})


@pytest.mark.parametrize("kind", [name for name in COORDINATES if name not in ("auto", "plain")])
def test_the_posterior_is_that_of_the_plain_coordinates(kind: str) -> None:
    model = bg.GLMM("y ~ x + (1 | g)", data(), "bernoulli", priors={"sd": "HalfNormal(1.5)"})
    ours, plain = (
        model.fit(draws=1500, seed=4, coordinates=name, target_accept=0.9, progress=False).posterior
        for name in (kind, "plain")
    )
    assert kind == ours.provenance["coordinates"]
    assert set(ours.draws["posterior"].data_vars) == set(plain.draws["posterior"].data_vars)
    shape = plain.sample_shape
    compared = {"beta": (ours.beta, plain.beta), "u": (ours.u("g")[..., 0], plain.u("g")[..., 0])}
    compared["sd"] = (ours.array("sd_g"), plain.array("sd_g"))
    # beta + u of a row's own group: right only if effects are drawn given the parameters of their own draw
    compared["eta"] = (conditional_predictor(ours), conditional_predictor(plain))
    for name, (one, other) in compared.items():
        for j in range(one.shape[1]):
            a, b = one[:, j].reshape(shape), other[:, j].reshape(shape)
            for method, x, y in [("mean", a.mean(), b.mean()), ("sd", a.std(), b.std())]:
                # five standard errors of the difference: none of 100 comparisons may differ by chance
                error = np.hypot(az.mcse(a, method=method), az.mcse(b, method=method))
                assert abs(x - y) <= 5 * error, f"{method} of {name}[{j}]: {x:.4f}, plain {y:.4f} ± {error:.4f}"


def test_auto_integrates_many_gaussian_effects_out() -> None:
    rng = np.random.default_rng(5)
    for groups, kind in ((40, "whitened"), (110, "integrated")):
        rows = pd.DataFrame({"y": rng.normal(size=3 * groups), "g": np.repeat(np.arange(groups), 3)})
        fit = bg.GLMM("y ~ 1 + (1 | g)", rows).fit(draws=10, tune=20, seed=1, progress=False)
        assert kind == fit.posterior.provenance["coordinates"]


@pytest.mark.parametrize(
    ("kind", "formula", "prior"),
    [
        ("integrated", "y ~ 1 + (1 | g)", "Normal(0, 1)"),
        ("whitened", "y ~ x + (x | g)", "Normal(0, 1)"),
        ("whitened", "y ~ x", "Normal(0, 1)"),
        ("plain", "y ~ x", "Uniform(-3, 3)"),
    ],
)
def test_the_log_says_what_auto_chose(kind: str, formula: str, prior: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "bayes_glmm")
    fit = bg.GLMM(formula, data(), "bernoulli", priors={"Intercept": prior}).fit(
        draws=10, tune=20, seed=1, progress=False
    )
    assert kind == fit.posterior.provenance["coordinates"]
    said = [message for message in caplog.messages if message.startswith("Sampling in")]
    assert [f"Sampling in {kind} coordinates"] == [message.split(":")[0] for message in said]


def test_a_quadrature_that_does_not_settle_gives_way_to_plain_coordinates(monkeypatch: pytest.MonkeyPatch) -> None:
    model = bg.GLMM("y ~ x + (1 | g)", data(), "bernoulli")
    drawn = posterior_at(model.spec, data(), [[-0.3, 0.8]] * 8, {"g": [[1.5]]}).draws
    sampled = []

    def draw(model: Any, settings: Settings, chains: Sequence[int], keep: Keep) -> None:
        sampled.append({variable.name for variable in model.free_RVs})
        keep(0, chain_of(drawn))

    engine = Engine("made up", draw, package="pymc", lost=())
    arguments = (model.problem.canonical, engine, Settings(tune=1000))
    _, how = get_coordinates("integrated")(*arguments)
    assert how["coordinates"] == "integrated"
    assert sampled == [{"beta", "sd_g"}]
    monkeypatch.setattr(systems, "WORST_QUADRATURE_ERROR", -1.0)
    _, how = get_coordinates("integrated")(*arguments)
    assert how["coordinates"] == "plain"
    assert sampled[1:] == [{"beta", "sd_g"}] * systems.ATTEMPTS + [{"beta", "sd_g", "z_g"}]
