"""Shares of ordered categories: right models pass whatever the seed, what a covariate hides in the middle is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bayes_glmm.diagnostics import Check, Skipped, check, predictive
from bayes_glmm.diagnostics.residuals import left_out
from bayes_glmm.posterior import Posterior
from bayes_glmm.predictive import at, replicate
from tests.diagnostics import made_up


@pytest.fixture(scope="module")
def good() -> Posterior:
    return made_up.good("cumulative")


def with_y(posterior: Posterior, y: np.ndarray) -> Posterior:
    return replace(posterior, design=replace(posterior.design, y=y.astype(float)))


def answered(posterior: Posterior) -> Check:
    answer = predictive.check_categories(posterior)
    assert isinstance(answer, Check)
    return answer


def test_shares_are_those_of_the_data_and_of_replicates(good: Posterior) -> None:
    evidence = answered(good).evidence.set_index("statistic")
    replicated = replicate(good, predictive.draws_for(good), predictive.SEED)
    seen = [label for label in evidence.index if label.endswith("in all rows")]
    assert seen
    for label in seen:
        k = int(label.split()[0])
        assert evidence["observed"][label] == pytest.approx((good.design.y == k).mean(), rel=1e-12)
        assert evidence["replicated"][label] == pytest.approx((replicated == k).mean(), rel=1e-12)


def test_data_that_the_model_makes_pass(good: Posterior) -> None:
    verdicts = [answered(with_y(good, y)).verdict for y in replicate(good, 40, seed=9)]
    # tail areas below 0.01 are for 2 % of data sets, as elsewhere; without allowing for 20 shares for a fifth of them
    assert verdicts.count("pass") >= 38
    assert "fail" not in verdicts


def test_tail_areas_allow_for_the_number_of_shares(good: Posterior) -> None:
    replicated = replicate(good, 500, seed=3)
    found = [
        predictive.Comparison(str(k), np.array([0.3]), (replicated[:, k::5] == 3).mean(axis=1), 1.0) for k in range(5)
    ]
    alone, among = [each.tail for each in found], [each.tail for each in predictive.among_many(found)]
    assert all(a <= b <= 0.5 for a, b in zip(alone, among, strict=True))
    assert predictive.among_many(found[:1])[0].tail == pytest.approx(alone[0], abs=0.03)  # two-sided, halved


def test_a_middle_category_that_a_covariate_inflates_is_found(good: Posterior) -> None:
    x, rng = good.design.data["x"].to_numpy(), np.random.default_rng(1)
    inflated = np.where((x > 0.5) & (rng.random(x.size) < 0.5), 3.0, good.design.y)
    answer = answered(with_y(good, inflated))
    assert answer.verdict == "fail"
    assert "3 in the highest third" in answer.failing
    assert "not linear or differs between thresholds" in answer.advice[0]
    assert answer.advice[0].startswith("Rows of 3 in")
    assert "more frequent" in answer.advice[0]


def test_a_category_that_is_never_replicated_is_no_error(good: Posterior) -> None:
    posterior = with_y(good, np.where(good.design.y == 5, 4.0, good.design.y))
    assert "5 in all rows" in answered(posterior).failing
    never = [predictive.Comparison("x", np.array([seen]), np.full(100, 0.1), 1.0) for seen in (0.1, 0.3)]
    assert [each.tail for each in predictive.among_many(never)] == [0.5, 0.0]


def test_without_a_predictor_there_are_no_thirds(good: Posterior) -> None:
    flat = replace(good.design.predictors.location, X=0.0 * good.design.X)
    design = replace(good.design, predictors=replace(good.design.predictors, fixed=(flat,)))
    assert ["all rows"] == list(predictive._thirds(replace(good, design=design), "mu"))


def test_checks_of_numbers_are_skipped_with_a_reason(good: Posterior) -> None:
    found = check(good, "predictive")
    assert {"categories", "groups", "serial"} == {each.name for each in found.checks}
    assert {"mean", "sd", "zeros", "max", "dispersion"} == {each.name for each in found.skipped}
    assert all(each.reason.endswith(".") for each in found.skipped)
    assert predictive.check_categories(made_up.good("poisson")) == Skipped("categories", "Shares of categories", "")


def test_rows_left_out_have_a_mean_category(good: Posterior) -> None:
    rows = np.arange(0, 600, 10)
    given_u = good.spec.family.mean.value(at(good))[:, rows].mean(axis=0)
    # groups of 20 rows with known u: leaving one row out moves its mean little
    np.testing.assert_allclose(left_out(good, rows).mean, given_u, atol=0.05)
