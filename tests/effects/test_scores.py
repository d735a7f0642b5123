"""The mean of given scores of ordered categories: the weighted sum of their probabilities, in every answer."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bayes_glmm.effects import compare, predict, slopes
from bayes_glmm.effects.estimands import ESTIMANDS
from bayes_glmm.errors import SpecError
from bayes_glmm.names import step
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects import test_categories, test_free_thresholds, test_specific
from tests.effects.test_categories import LABELS

SCORES = {"bad": -2.0, "fair": 0.5, "good": 0.0, "best": 10.0}
WEIGHTS = np.array(list(SCORES.values()))
EVERY = pytest.mark.parametrize("name", ["cumulative", "probit", "sratio", "cratio", "acat", "specific", "disc"])


@cache
def posterior(name: str) -> Posterior:
    if name in ("cumulative", "probit"):
        return test_categories.posterior("logit" if name == "cumulative" else name)
    if name in ("specific", "disc"):
        return test_specific.posterior("acat", disc=name == "disc")
    return test_free_thresholds.posterior(name, "logit")


def rows(name: str):
    return test_specific.ROWS if name in ("specific", "disc") else test_categories.ROWS


@EVERY
@pytest.mark.parametrize("reading", ["integrated", "zero"])
def test_predictions_are_weighted_sums(name: str, reading: str) -> None:
    each = predict(posterior(name), rows(name), reading).draws.to_numpy()  # [chain, draw, row and category]
    expected = each.reshape(*each.shape[:2], -1, len(LABELS)) @ WEIGHTS
    found = predict(posterior(name), rows(name), reading, part=SCORES)
    assert_allclose(found.draws.to_numpy(), expected, atol=1e-12)
    assert "Mean score (bad = -2, fair = 0.5, good = 0, best = 10) of y" in found.description
    numbers = dict(zip(LABELS, range(1, 5), strict=True))
    ordinary = predict(posterior(name), rows(name), reading, part="mean").draws.to_numpy()
    assert_allclose(predict(posterior(name), rows(name), reading, part=numbers).draws.to_numpy(), ordinary, atol=1e-12)


@EVERY
def test_comparisons_and_slopes_are_weighted_sums(name: str) -> None:
    options = {"newdata": rows(name), "random_effects": "integrated"}
    for ask in (
        lambda **more: compare(posterior(name), "f", ("a", "b"), estimands="difference", **options, **more),
        lambda **more: slopes(posterior(name), "x", **options, **more),
    ):
        each = ask().draws.to_numpy()
        found = ask(part=SCORES)
        assert "category" not in found.table
        assert_allclose(found.draws.to_numpy()[..., 0], each.reshape(*each.shape[:2], -1) @ WEIGHTS, atol=1e-9)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"bad": 0, "fair": 1, "good": 2}, "category 'best' has no score"),
        (SCORES | {"worst": 1}, r"no category 'worst'"),
        (SCORES | {"good": np.nan}, "score of 'good' is not a finite number"),
        (SCORES | {"good": "2"}, "score of 'good' is not a finite number"),
        (SCORES | {"good": True}, "score of 'good' is not a finite number"),
        ({}, "category 'bad' has no score"),
    ],
)
def test_scores_that_are_not_valid_are_refused(scores: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        predict(posterior("cumulative"), rows("cumulative"), "zero", part=scores)


def test_only_differences_make_sense_of_scores() -> None:
    found = compare(posterior("acat"), "f", newdata=rows("acat"), estimands=tuple(ESTIMANDS), part=SCORES)
    assert set(found.table["estimand"]) == {"difference"}


def test_other_responses_have_no_scores() -> None:
    from tests.effects.cases import logistic

    with pytest.raises(SpecError, match="no ordered categories to give scores"):
        predict(logistic(), part={"0": 1, "1": 2})


@pytest.mark.parametrize("name", ["sratio", "acat", "specific", "disc"])
def test_compiled_averages_are_those_of_arrays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many rows and draws the averages are compiled: the same nodes, other arithmetic; effects of disc to 1e-8."""
    expected = predict(posterior(name), rows(name), "integrated").draws.to_numpy()
    monkeypatch.setattr("bayes_glmm.effects.odds.COMPILE_FROM", 0)
    found = predict(posterior(name), rows(name), "integrated").draws.to_numpy()
    assert_allclose(found, expected, rtol=1e-10, atol=1e-8 if name == "disc" else 1e-14)


@pytest.mark.parametrize(
    ("family", "sd"), [("cumulative", 3.0), ("cumulative", 60.0), pytest.param("acat", 3.0, marks=pytest.mark.slow)]
)
def test_averages_over_effects_on_disc_of_any_size(family: str, sd: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws whose odds overflow beside draws whose odds do not: all are those of the rule by arrays."""
    labels = [f"{name} " for name in LABELS]
    data = test_categories.data().assign(y=lambda frame: frame["y"].cat.rename_categories(labels))
    spec = ModelSpec.from_formula(["y ~ x + (1 |i| g)", "disc ~ x + (1 |i| g)"], family)
    G = np.array([[sd**2, 0.1 * sd], [0.1 * sd, 0.4]])
    steps = {step(k): 1.2 for k in (2, 3)}
    both = np.array([np.diag([0.2, 0.1]), G])
    one = posterior_at(spec, data, [[1.0, 0.5]] * 2, {"g": both}, steps, further={"disc": [[0.2]] * 2})
    expected = predict(one, test_categories.ROWS, "integrated").draws.to_numpy()
    monkeypatch.setattr("bayes_glmm.effects.odds.COMPILE_FROM", 0)
    found = predict(one, test_categories.ROWS, "integrated").draws.to_numpy()
    # beyond sds of 100 the rule by arrays takes a latent normal variable, to 1e-6
    assert_allclose(found, expected, rtol=0.0, atol=1e-8 if sd < 1.0 else 1e-6)
