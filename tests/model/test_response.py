"""The response made of a family's density and draws is that of PyMC's own distribution."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pymc as pm
import pytest

from bayes_glmm.families import Response
from bayes_glmm.model.response import add_response
from bayes_glmm.numerics.functions import pytensor_functions
from tests.contracts.test_families import AUXILIARY, VALID, predictors
from tests.families import BY_NAME

TRIALS = np.array([4, 5, 5])


def made(family_name: str, custom: bool) -> pm.Model:
    family = BY_NAME[family_name]
    kind = np.int64 if family.discrete else float
    y = Response(VALID[family.response.name].astype(kind), TRIALS if family.response.trials else None)
    f = pytensor_functions()
    with pm.Model(coords={"row": range(len(y.values))}) as model:
        eta: Any = pm.Normal("eta", 0.3, 1.0, dims="row")
        constants = {name: np.float64(AUXILIARY[name]) for name in family.auxiliary if name in AUXILIARY}
        at = family.at(predictors(family, family.links[0], eta), constants, f)
        add_response(replace(family, distribution=None) if custom else family, "y", y, at)
    return model


@pytest.mark.parametrize("family", BY_NAME)
def test_a_family_needs_no_distribution_of_pymc(family: str) -> None:
    custom, own = made(family, True), made(family, False)
    point = {"eta": np.array([0.2, 0.9, -0.4])[: len(custom.coords["row"])]}
    parts = [model.compile_logp(vars=model["y"])(point) for model in (custom, own)]
    assert parts[0] == pytest.approx(parts[1], rel=1e-9, abs=1e-9)


@pytest.mark.filterwarnings("ignore:Numba will use object mode:UserWarning")
@pytest.mark.parametrize("family", BY_NAME)
def test_its_draws_lie_in_the_support(family: str) -> None:
    model, kind = made(family, True), BY_NAME[family].response
    drawn = pm.sample_prior_predictive(20, model=model, random_seed=1)["prior_predictive"]["y"].to_numpy()[0]
    assert drawn.shape == (20, len(model.coords["row"]))
    assert not any(kind.support(row.astype(float), TRIALS if kind.trials else None).any() for row in drawn)
    assert len(np.unique(drawn)) > 1
