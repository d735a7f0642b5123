"""Which coordinates a model gets, and what is said where those asked for have an obstacle: recorded, model by model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.errors import SpecError
from bayes_glmm.inference import COORDINATES, ENGINES, Settings
from bayes_glmm.inference.case import Case
from bayes_glmm.inference.chains import Keep
from bayes_glmm.inference.coordinates import SYSTEMS, get_coordinates
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.engines import Engine

RECORDED = Path(__file__).with_name("choices.json")


@dataclass(frozen=True)
class Model:
    """A model: formulas, family, priors, and how many groups of how many rows the data have."""

    formula: str | tuple[str, ...]
    family: str = "bernoulli"
    priors: tuple[tuple[str, str], ...] = ()
    groups: int = 10
    rows: int = 4

    def __str__(self) -> str:
        formula = self.formula if isinstance(self.formula, str) else ", ".join(self.formula)
        priors = ", ".join(f"{key} = {prior}" for key, prior in self.priors)
        return "; ".join([formula, self.family, *[priors] * bool(priors), f"{self.groups} x {self.rows}"])

    def model(self) -> bg.GLMM:
        rng = np.random.default_rng(3)
        g, x = np.repeat(np.arange(self.groups), self.rows), np.tile([0.0, 1.0], self.groups * self.rows // 2)
        mean = np.exp(-0.3 + 0.8 * x + rng.normal(0, 0.7, self.groups)[g])
        share = mean / (1.0 + mean)
        y = {
            "bernoulli": rng.binomial(1, share),
            "poisson": rng.poisson(mean),
            "zero_inflated_poisson": rng.poisson(mean),
            "negative_binomial": rng.poisson(mean),
            "gamma": rng.gamma(2.0, mean),
            "beta": rng.beta(4.0 * share, 4.0 * (1.0 - share)),
            "cumulative": np.digitize(np.log(mean) + rng.logistic(size=len(x)), [-0.5, 0.8]),
        }.get(self.family, np.log(mean) + rng.normal(0, 0.5, len(x)))
        w = rng.normal(size=(4, len(x)))
        data = pd.DataFrame({"y": y, "x": x, "g": g, "h": rng.integers(0, 5, len(x))})
        data = data.assign(**{f"w{k}": one for k, one in enumerate(w)})
        formula = self.formula if isinstance(self.formula, str) else list(self.formula)
        return bg.GLMM(formula, data, self.family, priors=dict(self.priors))


UNIFORM = (("Intercept", "Uniform(-3, 3)"),)
CASES = [
    Model("y ~ x"),
    Model("y ~ x", priors=UNIFORM),
    Model("y ~ x", "gaussian"),
    Model("y ~ x", "student_t"),
    Model(("y ~ x", "sigma ~ x"), "gaussian"),
    Model("y ~ x", "cumulative"),
    Model("y ~ x + (1 | g)"),
    Model("y ~ 1 + (1 | g)"),
    Model("y ~ 1 + (1 | g)", "poisson"),
    Model("y ~ 1 + (1 | g)", "gaussian", groups=4, rows=2),
    Model("y ~ x + (1 | g)", priors=UNIFORM),
    Model("y ~ x + (1 | g)", priors=(("sd", "Uniform(0, 3)"),)),
    Model("y ~ x + (x | g)"),
    Model("y ~ x + (x || g)"),
    Model("y ~ x + (w0 + w1 + w2 + w3 | g)", "gaussian"),
    Model("y ~ x + (1 | g) + (1 | h)"),
    Model("y ~ x + w0 + (1 | g)", groups=40, rows=20),
    Model("y ~ x + (1 | g)", "poisson", groups=120),
    Model("y ~ x + w0 + (1 | g)", "poisson", groups=30, rows=30),
    Model("y ~ x + (1 | g)", "negative_binomial"),
    Model("y ~ x + (1 | g)", "gamma"),
    Model("y ~ x + (1 | g)", "beta"),
    Model("y ~ x + (1 | g)", "student_t"),
    Model("y ~ x + (1 | g)", "zero_inflated_poisson"),
    Model("y ~ x + (1 | g)", "cumulative"),
    Model("y ~ x + (1 | g)", "gaussian"),
    Model("y ~ x + (1 | g)", "gaussian", groups=40, rows=2),
    Model("y ~ x + (1 | g)", "gaussian", groups=120),
    Model("y ~ x + (x | g) + (1 | h)", "gaussian", groups=120),
    Model("y ~ x + (1 | g)", "gaussian", priors=UNIFORM, groups=120),
    Model("y ~ x + (1 | g)", "gaussian", priors=(("sigma", "Uniform(0, 3)"),), groups=120),
    Model(("y ~ x + (1 | g)", "sigma ~ x"), "gaussian", groups=120),
    Model(("y ~ x + (1 | g)", "disc ~ x"), "cumulative", groups=4, rows=2),
    Model(("y ~ x + (1 | g)", "disc ~ x"), "cumulative", groups=400, rows=2),
]


class ChosenError(Exception):
    """The first target that is drawn from."""


def draw(target: Any, settings: Settings, chains: Sequence[int], keep: Keep) -> None:
    """Draw nothing: the target is what is asked for."""
    if isinstance(target, Density):
        raise ChosenError(f"{target.value.name} of {len(target.start)}, {target.left_out} left out")
    raise ChosenError(f"model of {', '.join(sorted(variable.name for variable in target.free_RVs))}")


def chosen(model: bg.GLMM, coordinates: str, densities: bool) -> str:
    """What is drawn from, in words, or the refusal."""
    engine = Engine("made up", draw, package="pymc", lost=(), densities=densities)
    try:
        get_coordinates(coordinates)(model.problem.canonical, engine, Settings(progress=False))
    except (ChosenError, SpecError) as found:
        return str(found).partition(" [")[0]  # without the formula and the advice
    raise AssertionError("nothing was drawn from")


def choices(case: Model) -> dict[str, str]:
    """By coordinates and engine."""
    model = case.model()
    return {
        f"{name}, {kind}": chosen(model, name, kind == "densities")
        for name in COORDINATES
        for kind in ("densities", "models")
        if name != "plain" or kind == "densities"
    }


def pretend(patch: pytest.MonkeyPatch) -> None:
    """Leave densities uncompiled: which one is chosen does not depend on their values."""
    patch.setattr(Density, "compile", lambda self: None)
    patch.setattr(Density, "__call__", lambda self, x: (-0.5 * float(x @ x), -x))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_model_gets_the_coordinates_that_were_recorded(case: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    assert choices(case) == json.loads(RECORDED.read_text(encoding="utf-8"))[str(case)]


@pytest.mark.parametrize("coordinates", ["whitened", "integrated"])
def test_a_refusal_names_the_formula_and_what_to_do(coordinates: str) -> None:
    with pytest.raises(SpecError) as refusal:
        get_coordinates(coordinates)(
            Model("y ~ x", priors=UNIFORM).model().problem.canonical, ENGINES["pymc"], Settings()
        )
    assert "[y ~ x]" in str(refusal.value)
    assert str(refusal.value).endswith("Use coordinates='auto'.")


def test_unknown_coordinates_are_refused_with_those_that_there_are() -> None:
    with pytest.raises(SpecError, match=r"There are no coordinates 'polar'.*auto.*plain.*whitened.*integrated"):
        get_coordinates("polar")


def test_some_system_serves_every_model() -> None:
    """``auto`` ends at a system that has no obstacle and costs less than those that are only for who asks for them."""
    case = Case(Model("y ~ x", priors=UNIFORM).model().problem.canonical, ENGINES["pymc"], Settings())
    free = [one for one in SYSTEMS if one.obstacle(case) is None]
    assert [one.name for one in free] == ["plain"]
    assert {one.name for one in SYSTEMS} == set(COORDINATES) - {"auto"}


if __name__ == "__main__":  # python -m tests.inference.test_choices writes the record anew, for you to read the change
    with pytest.MonkeyPatch.context() as patch:
        pretend(patch)
        text = json.dumps({str(case): choices(case) for case in CASES}, indent=1)
    RECORDED.write_text(text + "\n", encoding="utf-8")
