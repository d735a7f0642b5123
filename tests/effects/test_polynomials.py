"""Trends over ordered values, against numpy's QR, R's printed contrasts and averages by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.effects import compare, hypothesis, interact, predict
from bayes_glmm.effects.polynomials import polynomial_weights
from bayes_glmm.errors import SpecError
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import BETA, frame, logistic


def ordered() -> Posterior:
    """``y ~ x + dose + (1 | g)``, the dose in its order."""
    data = frame()
    data["dose"] = pd.Categorical(data["dose"], categories=["low", "mid", "high"], ordered=True)
    spec = ModelSpec.from_formula("y ~ x + dose + (1 | g)", family="bernoulli")
    return posterior_at(spec, data, BETA, {"g": [[2.0]]})


def test_the_weights_are_those_that_R_prints():
    # contr.poly(3) and contr.poly(4), seven digits as printed
    three = [[-0.7071068, 0.4082483], [0.0, -0.8164966], [0.7071068, 0.4082483]]
    four = [
        [-0.6708204, 0.5, -0.2236068],
        [-0.2236068, -0.5, 0.6708204],
        [0.2236068, -0.5, -0.6708204],
        [0.6708204, 0.5, 0.2236068],
    ]
    np.testing.assert_allclose(polynomial_weights(np.arange(1.0, 4.0)), three, atol=5e-8)
    np.testing.assert_allclose(polynomial_weights(np.arange(1.0, 5.0)), four, atol=5e-8)


@pytest.mark.parametrize("points", [[0.0, 1.0, 2.0, 5.0, 9.0], [-3.0, 10.0], list(range(6))])
def test_the_weights_are_the_qr_of_a_vandermonde_matrix(points: list[float]):
    x = np.asarray(points)
    Q, R = np.linalg.qr(np.vander(x - x.mean(), increasing=True))
    np.testing.assert_allclose(polynomial_weights(x), (Q * np.sign(np.diag(R)))[:, 1:], atol=1e-12)


def test_many_points_stay_orthonormal():
    weights = polynomial_weights(np.arange(40.0))
    np.testing.assert_allclose(weights.T @ weights, np.eye(39), atol=1e-13)
    np.testing.assert_allclose(weights.sum(axis=0), 0.0, atol=1e-13)


@pytest.mark.parametrize("effect", ["integrated", "zero"])
def test_trends_over_ordered_categories_are_weighted_averages(effect: str):
    posterior = ordered()
    rows = posterior.design.data
    means = np.column_stack(
        [
            predict(posterior, rows.assign(dose=dose), effect).draws.values[0].mean(axis=1)
            for dose in ("low", "mid", "high")
        ]
    )
    result = compare(posterior, "dose", "polynomial", random_effects=effect)
    assert result.table[["contrast", "estimand"]].to_numpy().tolist() == [
        ["linear", "difference"],
        ["quadratic", "difference"],
    ]
    weights = np.array([[-1.0, 0.0, 1.0], [1.0, -2.0, 1.0]]) / np.sqrt([[2.0], [6.0]])
    np.testing.assert_allclose(result.draws.values[0], means @ weights.T, rtol=1e-10, atol=1e-15)


def test_a_straight_line_has_a_linear_trend_only_and_numbers_keep_their_distances():
    data = frame().assign(y=np.linspace(-1.0, 1.0, 60), t=np.resize([0, 1, 4, 10], 60))
    posterior = posterior_at(
        ModelSpec.from_formula("y ~ t + (1 | g)"), data, [[0.3, 0.7]], {"g": [[1.0]]}, {"sigma": 1.0}
    )
    result = compare(posterior, "t", "polynomial", random_effects="integrated")
    t = np.array([0.0, 1.0, 4.0, 10.0])
    length = np.sqrt(((t - t.mean()) ** 2).sum())
    np.testing.assert_allclose(result.draws.values[0, 0], [0.7 * length, 0.0, 0.0], atol=1e-12)


def test_interactions_have_trends_too():
    data = frame().assign(y=np.linspace(-1.0, 1.0, 60), t=np.resize([0, 1, 2], 60), z=np.repeat([0, 1], 30))
    spec = ModelSpec.from_formula("y ~ t * z + (1 | g)")
    posterior = posterior_at(spec, data, [[0.0, 1.0, 0.5, 0.7]], {"g": [[1.0]]}, {"sigma": 1.0})
    result = interact(posterior, "t", "z", contrast="polynomial", random_effects="integrated")
    np.testing.assert_allclose(result.draws.values[0, 0], [0.7 * np.sqrt(2.0), 0.0], atol=1e-12)
    turned = interact(posterior, "z", "t", moderator_contrast="polynomial", random_effects="integrated")
    np.testing.assert_allclose(turned.draws.values, result.draws.values, atol=1e-12)


def test_what_has_no_trend_says_why():
    with pytest.raises(SpecError, match=r"'dose' have no order.*ordered=True"):
        compare(logistic(), "dose", "polynomial")
    with pytest.raises(SpecError, match="have no ratio, odds_ratio"):
        compare(ordered(), "dose", "polynomial", estimands=["ratio", "odds_ratio"])
    with pytest.raises(SpecError, match="too many for 'polynomial'"):
        compare(logistic(), "x", "polynomial")


def test_hypotheses_about_trends():
    result = compare(ordered(), "dose", "polynomial", random_effects="zero")
    both = result.draws.values[0]
    np.testing.assert_allclose(hypothesis(result, "b1 = b0").draws.values[0, :, 0], both[:, 1] - both[:, 0])
