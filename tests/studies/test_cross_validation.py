"""K-fold cross-validation: exact predictions where the posterior is exact; what it refuses; what it says."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm import inference
from bayes_glmm.design import Problem
from bayes_glmm.errors import SpecError
from bayes_glmm.studies import CrossValidation, scores
from bayes_glmm.studies.held_out import hold_out, predictive_density
from bayes_glmm.studies.scores import Part, Score
from tests.studies import exact


@pytest.fixture(autouse=True)
def sampler() -> Iterator[None]:
    """Exact draws in place of NUTS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "sample", exact.sample)
        yield


@cache
def whole(formula: str) -> bg.Fit:
    model = exact.model(formula)
    settings = inference.Settings(draws=2000, chains=4, seed=9)
    return bg.Fit(exact.sample(model.problem, settings))


def validated(formula: str, by: str | None, k: int | None = 4, seed: int = 0, draws: int = 2000) -> CrossValidation:
    return bg.kfold(whole(formula), k=k, by=by, seed=seed, progress=False, draws=draws)


def truth(formula: str, found: CrossValidation) -> list[float]:
    """The exact density of each unit given the rows of other folds."""
    design = exact.model(formula).design
    unit = np.arange(len(design.y)) if found.by is None else design.block(found.by).index
    fold = found.pointwise["fold"].to_numpy()
    return [exact.density(design, unit == j, fold[unit] != fold[j]) for j in range(len(fold))]


@pytest.mark.parametrize(
    ("formula", "by"),
    [
        ("y ~ x + (1 | g)", None),
        ("y ~ x + (1 | g)", "g"),
        ("y ~ x + (x || g) + (1 | h)", "g"),  # a level of h has rows in one level of g only
        ("y ~ x + (x || g) + (1 | h)", "h"),
        ("y ~ x + kind + (x || g) + (1 | h)", None),
        ("y ~ x + kind + (x || g) + (1 | h)", "g"),  # a category has rows in one level of g only
        ("y ~ x + (1 | g/c)", "g"),  # up to five effects are integrated out together
        ("y ~ x + (1 | g/c)", "g:c"),
        ("y ~ center(x) + (1 | g/c) + (1 | h)", None),
    ],
)
def test_densities_are_exact(formula: str, by: str | None) -> None:
    found = validated(formula, by)
    difference = found.pointwise["elpd"] - truth(formula, found)
    # 8,000 draws; the largest error is of eleven rows of h together, given u of all g
    assert found.pointwise["error"].max() < 0.1
    assert (np.abs(difference) < 4.0 * found.pointwise["error"]).all()


def test_quadrature_and_samples_agree_with_the_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same units with as many integrals as there are kinds: two effects to five, by quadrature and by samples."""
    formula = "y ~ x + (1 | g/c)"
    monkeypatch.setattr("bayes_glmm.diagnostics.integrals.is_closed", lambda spec: False)
    found = validated(formula, "g")
    design, g = exact.model(formula).design, exact.model(formula).design.block("g").index
    sizes = [1 + len(np.unique(design.block("g:c").index[g == level])) for level in range(8)]
    assert {3, 4, 5} <= set(sizes)
    np.testing.assert_allclose(truth(formula, found), found.pointwise["elpd"], atol=0.06)


def test_folds_are_whole_and_p_is_what_the_fit_knows_better() -> None:
    found = validated("y ~ x + (1 | g)", "g")
    assert found.pointwise.index.tolist() == [str(level) for level in range(8)]
    assert found.pointwise["rows"].tolist() == [2, 3, 4, 5, 6, 7, 4, 5]
    assert found.folds["units"].sum() == 8
    assert found.folds["rows"].tolist() == found.pointwise.groupby("fold")["rows"].sum().tolist()
    # beta alone is learned from the group itself: at most its two coefficients' worth
    assert 0.0 < found.p < 4.0
    assert np.isnan(bg.kfold(exact.model("y ~ x + (1 | g)"), k=4, by="g", progress=False, draws=100).p)


def test_p_by_row_is_that_of_leave_one_out() -> None:
    """Folds of one row each: both are the same quantity, by refits and by importance sampling."""
    formula = "y ~ x + (1 | g)"
    found, loo = validated(formula, None, k=None), bg.diagnostics.loo_by_row(whole(formula).posterior)
    assert len(found.folds) == len(found.pointwise) == 36
    assert not loo.failing
    assert loo.elpd == pytest.approx(found.elpd, abs=0.5)
    assert loo.p == pytest.approx(found.p, abs=0.5)


def test_the_same_seed_gives_the_same() -> None:
    one, same, other = (validated("y ~ x + (1 | g)", "g", seed=seed) for seed in (3, 3, 4))
    pd.testing.assert_frame_equal(one.pointwise, same.pointwise)
    assert (one.pointwise["fold"] != other.pointwise["fold"]).any()
    assert (one.pointwise["elpd"] != other.pointwise["elpd"]).all()


def test_binary_responses_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    design = exact.model("y ~ x + (1 | g)").design.data
    model = bg.GLMM("late ~ x + (1 | g)", design.assign(late=(np.arange(36) % 6 == 0).astype(int)), family="bernoulli")
    ones = []

    def score(whole: Problem, part: Part) -> Score:
        ones.append(whole.design.y[part.rows].sum())
        nothing = np.zeros(len(part.units))
        return Score(nothing, nothing, "fit to use", rhat=1.0, divergences=0, seconds=0.0)

    monkeypatch.setattr(scores, "score", score)
    bg.kfold(model, k=3, progress=False)
    assert [2, 2, 2] == ones


def test_arviz_compares_models() -> None:
    import arviz as az

    by_g = {formula: validated(formula, "g").to_arviz() for formula in ("y ~ x + (1 | g)", "y ~ kind + (1 | g)")}
    table = az.compare(by_g, round_to="none")
    assert {formula: found.elpd for formula, found in by_g.items()} == table["elpd"].to_dict()
    difference = by_g["y ~ kind + (1 | g)"].elpd_i - by_g["y ~ x + (1 | g)"].elpd_i
    assert float(difference.sum()) == pytest.approx(table["elpd_diff"].min())


def test_models_and_parts_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a cluster sends to its workers comes out the same."""
    serial = validated("y ~ x + (1 | g)", "g")
    real = scores.score
    monkeypatch.setattr(scores, "score", lambda *sent: real(*pickle.loads(pickle.dumps(sent))))
    pd.testing.assert_frame_equal(serial.pointwise, validated("y ~ x + (1 | g)", "g").pointwise)


def test_a_fit_that_fails_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(model: Problem, part: Part) -> Score:
        raise ValueError("No draws.")

    monkeypatch.setattr(scores, "score", fails)
    with pytest.raises(ValueError, match="No draws") as raised:
        validated("y ~ x + (1 | g)", "g")
    assert ["While fitting without fold 1."] == raised.value.__notes__


def test_it_says_what_was_done() -> None:
    text = str(validated("y ~ x + (1 | g)", "g", k=10))  # more folds than levels: each left out by itself
    assert text.startswith("8-fold cross-validation by g: elpd -")
    assert "predictions for new levels" in text
    assert "8 levels of g in 8 folds of 2 to 7 rows; 8,000 draws a fit" in text
    assert "All fits can be used: R-hat at most 1.00" in text
    found = validated("y ~ x + (1 | g)", None, draws=20)
    assert re.search(r"of 4 fits are (not to be used|to be used with care): fold \d \(R-hat 1", str(found))
    assert found.to_arviz().warning


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"by": "school"}, "no grouping factor 'school'. Valid: g"),
        ({"k": 1}, "two folds at least"),
        ({"chain": 3}, "Did you mean 'chains'"),
    ],
)
def test_what_cannot_be_is_refused(options: dict, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        bg.kfold(exact.model("y ~ x + (1 | g)"), **options)


def test_links_that_some_effects_leave_are_refused_for_new_groups() -> None:
    model = bg.GLMM("y ~ 1 + (1 | g)", exact.data().assign(y=np.arange(36) % 5 + 1), family="poisson", link="identity")
    with pytest.raises(SpecError, match="Under the identity link"):
        bg.kfold(model, by="g")


def test_too_many_effects_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "MOST_EFFECTS", 4)
    with pytest.raises(SpecError, match=r"5 random effects .* at once; 4 can be\. \[leaving out fold"):
        bg.kfold(exact.model("y ~ x + (1 | g/c)"), by="g")


def test_a_part_of_a_group_is_predicted_from_the_rest() -> None:
    """Rows of one unit of which some groups are new and others known."""
    fit = whole("y ~ x + (1 | g) + (1 | h)")
    design, rows = fit.design, np.arange(20, 36)
    others = np.arange(20)
    settings = inference.Settings(draws=2000, chains=4, seed=1)
    part = exact.sample(replace(fit.posterior.problem, design=bg.design.take_rows(design, others)), settings)
    value, error = predictive_density(part, hold_out(design, rows, np.zeros(16, int), others), seed=1)
    assert exact.density(design, rows, others) == pytest.approx(value[0], abs=4.0 * error[0])
    assert error[0] < 0.1
