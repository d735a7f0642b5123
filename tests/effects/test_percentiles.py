from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special

from bayes_glmm.effects import group_percentiles, predict
from bayes_glmm.errors import SpecError
from bayes_glmm.posterior import posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import BETA, frame, logistic

ROWS = pd.DataFrame({"x": [-1.0, 2.0], "dose": ["low", "high"]})


def test_percentiles_over_groups_are_those_of_many_simulated_groups():
    posterior, rng = logistic(), np.random.default_rng(8)
    result = group_percentiles(posterior, ROWS, [10, 90]).draws.values[0].reshape(3, 2, 2)
    for d in range(3):
        u = rng.multivariate_normal([0.0, 0.0], posterior.G("g")[d], 400_000)
        v = rng.normal(0.0, np.sqrt(posterior.G("h")[d, 0, 0]), 400_000)
        for r, (x, shift) in enumerate([(-1.0, BETA[d, 2]), (2.0, 0.0)]):
            simulated = special.expit(BETA[d, 0] + BETA[d, 1] * x + shift + u[:, 0] + u[:, 1] * x + v)
            # the standard error of a 10% quantile of 400,000 logits of sd about 2 is 0.005; on this scale, less
            np.testing.assert_allclose(result[d, r], np.quantile(simulated, [0.1, 0.9]), atol=0.006)


def test_the_median_group_is_the_one_at_u_0():
    median = group_percentiles(logistic(), ROWS, [50]).draws.values
    np.testing.assert_allclose(median, predict(logistic(), ROWS, "zero").draws.values)


def test_what_has_no_percentiles_says_why():
    with pytest.raises(SpecError, match="between 0 and 100"):
        group_percentiles(logistic(), ROWS, [100])
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", family="poisson", link="sqrt")
    with pytest.raises(SpecError, match="not monotone"):
        group_percentiles(posterior_at(spec, frame(), [1.0, 0.1], {"g": [[0.1]]}))
