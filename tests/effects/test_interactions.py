from __future__ import annotations

import numpy as np
import pytest

from bayes_glmm.effects import compare, interact
from bayes_glmm.errors import SpecError
from bayes_glmm.posterior import posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import BETA, intercepts, logistic


@pytest.mark.parametrize(("estimand", "change"), [("difference", np.subtract), ("odds_ratio", np.divide)])
def test_an_interaction_is_the_change_of_a_comparison(estimand: str, change):
    posterior = logistic()
    rows = posterior.design.data
    low, high = (
        compare(posterior, "x", newdata=rows.assign(dose=dose), estimands=estimand).draws.values
        for dose in ("high", "mid")
    )
    result = interact(posterior, "x", "dose", moderator_contrast=("high", "mid"), estimands=estimand)
    np.testing.assert_allclose(result.draws.values, change(high, low), rtol=1e-10)
    assert result.table["at"].unique().tolist() == ["mid vs high"]


def test_without_a_product_in_the_formula_there_is_none_on_the_scale_of_the_link():
    result = interact(
        intercepts("logit"), "x", "dose", random_effects="zero", contrast=(0, 1), estimands=["odds_ratio"]
    )
    # at u = 0 every row has the same x and dose, so that the odds ratio is exp(beta) whatever the dose
    np.testing.assert_allclose(result.draws.values, 1.0, rtol=1e-10)
    averaged = interact(intercepts("logit"), "x", "dose", random_effects="integrated", contrast=(0, 1))
    assert (np.abs(averaged.draws.values) > 1e-4).all()


def test_under_the_identity_link_it_is_the_coefficient_of_the_product():
    data = logistic().design.data.assign(y=np.linspace(-1, 1, 60), z=np.arange(60) % 2)
    spec = ModelSpec.from_formula("y ~ x * z + (1 | g)")
    posterior = posterior_at(spec, data, BETA, {"g": [[1.0]]}, {"sigma": 1.0})
    assert posterior.design.coefficients[-1] == "x:z"
    result = interact(posterior, "x", "z", random_effects="integrated")
    np.testing.assert_allclose(result.draws.values[0, :, 0], BETA[:, 3], rtol=1e-10)


def test_what_cannot_interact_says_why():
    with pytest.raises(SpecError, match="own moderator"):
        interact(logistic(), "x", "x")
    with pytest.raises(SpecError, match="no such estimand"):
        interact(logistic(), "x", "dose", estimands="lift")
