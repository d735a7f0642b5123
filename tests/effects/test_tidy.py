from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest

from bayes_glmm import effects
from bayes_glmm.diagnostics import summary
from bayes_glmm.effects import EffectMethods, compare, marginal_coefficients, predict, r_squared, response_icc, slopes
from bayes_glmm.effects.coefficients import coefficients
from bayes_glmm.effects.tidy import probability_of_direction, summarise, tidy
from bayes_glmm.effects.variance import variance
from bayes_glmm.errors import SpecError
from bayes_glmm.glmm import Fit
from bayes_glmm.posterior import posterior_at
from bayes_glmm.spec import ModelSpec
from bayes_glmm.summaries import Functional, Interval, effective_draws, mcse
from tests.effects.cases import logistic

LABELS = pd.DataFrame({"name": ["a", "b"]})
DRAWS = np.column_stack([np.arange(101.0), np.linspace(-1.0, 3.0, 101)])


def test_the_interval_is_equal_tailed():
    table = summarise(DRAWS, LABELS, Interval(0.9))
    np.testing.assert_allclose(table.loc[0, ["estimate", "lower", "upper"]].astype(float), [50.0, 5.0, 95.0])


def test_the_probability_of_direction_counts_the_likelier_side():
    assert summarise(DRAWS, LABELS, Interval(0.9), null=0.0)["probability"][1] == pytest.approx(75.5 / 101)
    np.testing.assert_allclose(probability_of_direction(-DRAWS), probability_of_direction(DRAWS))
    assert probability_of_direction(np.zeros((5, 1)))[0] == 0.5  # no direction at all


def test_draws_keep_their_chains():
    result = tidy(DRAWS[:100], LABELS, Interval(), (4, 25), "Two numbers.")
    assert result.draws.dims == ("chain", "draw", "estimate")
    np.testing.assert_array_equal(result.draws.values[1, 0], DRAWS[25])


def test_one_draw_is_a_point():
    table = summarise(DRAWS[:1], LABELS, Interval())
    assert table["mcse"].isna().all()
    assert table["lower"].tolist() == table["upper"].tolist()


def test_infinite_draws_give_infinite_estimates_without_noise():
    table = summarise(np.array([[1.0], [np.inf], [2.0]]), pd.DataFrame({"name": ["odds"]}), Interval(0.5), null=1.0)
    assert table["estimate"][0] == 2.0
    assert (table["lower"][0], table["upper"][0]) == (1.5, np.inf)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"level": 90}, r"level must lie between 0 and 1: got 90\. Write level=0\.9\."),
        ({"level": 0.0}, r"level must lie between 0 and 1: got 0\.0"),
        ({"level": 1}, "level must lie between 0 and 1: got 1"),
        ({"level": "0.9"}, "level must lie between 0 and 1: got '0.9'"),
        ({"level": float("nan")}, "level must lie between 0 and 1: got nan"),
        ({"interval": 0.9}, r"interval must be 'eti' or 'hdi': got 0\.9\. Write level=0\.9\."),
        ({"interval": "hpd"}, "interval must be 'eti' or 'hdi': got 'hpd'.*hdi"),
    ],
)
def test_levels_and_kinds_of_intervals_are_checked(asked: dict, message: str):
    for question in (coefficients, marginal_coefficients, variance, predict, response_icc, r_squared, summary):
        with pytest.raises(SpecError, match=message):
            question(logistic(), **asked)


def test_intervals_of_any_level_and_the_shortest_ones():
    exponential = np.random.default_rng(1).exponential(size=4000)
    found = tidy(exponential[:, None], LABELS[:1], Interval(0.8, "hdi"), (4, 1000), "One.")
    lower, upper = found.table[["lower", "upper"]].iloc[0]
    assert (lower, upper) == pytest.approx((0.0, -np.log(0.2)), abs=0.1)  # the density falls: from 0 on
    assert "80% highest-density interval" in found.description
    table = coefficients(logistic(), level=0.5, interval="hdi").table
    assert ((table["lower"] <= table["estimate"]) & (table["estimate"] <= table["upper"])).all()


@pytest.mark.parametrize("shape", [(4, 250), (1, 37), (2, 9)])
@pytest.mark.parametrize("functional", ["median", "mean"])
def test_the_monte_carlo_error_is_that_of_arviz(shape: tuple[int, int], functional: Functional):
    from arviz_stats.base import array_stats

    draws = np.random.default_rng(4).normal(size=(20, *shape))
    for t in range(1, shape[1]):  # autocorrelated, some chains far from the others
        draws[:, :, t] += 0.8 * draws[:, :, t - 1]
    draws[:5, 0] += 3.0
    options = {"method": functional, "chain_axis": -2, "draw_axis": -1}
    np.testing.assert_allclose(mcse(draws, functional), array_stats.mcse(draws, **options), rtol=1e-10)
    np.testing.assert_allclose(effective_draws(draws, functional), array_stats.ess(draws, **options), rtol=1e-5)
    labels = pd.DataFrame({"name": range(20)})
    table = tidy(draws.reshape(20, -1).T, labels, Interval(), shape, "", functional=functional).table
    np.testing.assert_allclose(table["mcse"], array_stats.mcse(draws, **options), rtol=1e-10)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_the_shortest_interval_is_that_of_arviz(level: float):
    from arviz_stats.base import array_stats

    draws = np.random.default_rng(6).gamma(2.0, size=(10, 4, 100))
    ends = np.stack(Interval(level, "hdi").ends(draws.reshape(10, -1)), axis=1)
    np.testing.assert_allclose(ends, array_stats.hdi(draws, prob=level, axis=(-2, -1)))


def test_a_mean_that_does_not_exist_is_not_the_estimate():
    # five sites say little about the sd: E exp(sd^2 / 2) does not exist, and the mean of any draws lies beyond reason
    sd = np.abs(np.random.default_rng(2).standard_cauchy(4000))
    spec = ModelSpec.from_formula("y ~ t + (1 | site)", "poisson")
    data = pd.DataFrame({"y": [1, 2] * 5, "t": [0, 1] * 5, "site": np.repeat(list("abcde"), 2)})
    heavy = posterior_at(spec, data, np.ones((4000, 2)), {"site": (sd**2)[:, None, None]})
    row = pd.DataFrame({"t": [0]})
    found = predict(heavy, row, "integrated")
    assert found.table["estimate"][0] == pytest.approx(np.exp(1 + 0.5 * np.median(sd) ** 2), rel=1e-3)
    outcome = predict(heavy, row, "zero", scale="outcome")
    assert "Posterior median" in outcome.description
    for table in (found.table, outcome.table, variance(heavy).table):
        assert ((table["lower"] <= table["estimate"]) & (table["estimate"] <= table["upper"])).all()


def test_new_yes_or_no_responses_have_a_mean_and_a_word_where_it_is_outside():
    found = predict(logistic(), scale="outcome")
    assert "Posterior mean and" in found.description
    np.testing.assert_allclose(found.table["estimate"], found.draws.mean(("chain", "draw")))
    rare = tidy(np.r_[np.zeros(99), 1e6][:, None], LABELS[:1], Interval(), (1, 100), "Rare.", functional="mean")
    assert "1 of 1 means lie outside their intervals" in repr(rare)


def test_differences_are_formed_draw_by_draw():
    posterior = logistic()
    low, high = (
        predict(posterior, posterior.design.data.assign(dose=dose), "zero").draws[0] for dose in ("low", "mid")
    )
    difference = (high.mean("estimate") - low.mean("estimate")).to_numpy()
    found = compare(posterior, "dose", ("low", "mid"), random_effects="zero", estimands="difference").table
    assert found["estimate"][0] == pytest.approx(np.median(difference))


def test_methods_have_the_arguments_of_their_functions():
    other_names = {"means": "averaged_means"}  # effects.means() is the row of means
    for name, method in vars(EffectMethods).items():
        if not name.startswith("_"):
            ours = list(inspect.signature(method).parameters.values())[1:]
            theirs = list(inspect.signature(getattr(effects, other_names.get(name, name))).parameters.values())[1:]
            assert [(p.name, p.default, p.annotation) for p in ours] == [
                (p.name, p.default, p.annotation) for p in theirs
            ], name


def test_it_prints_what_was_estimated_and_how_it_was_averaged():
    result = compare(logistic(), "dose", estimands="difference")
    text = repr(result)
    assert "averaged over 60 rows" in text
    assert "95% equal-tailed" in text
    assert "population-averaged" in text
    assert "conditional (u = 0)" in text
    assert "<table" in result._repr_html_()
    assert len(text.splitlines()) == 2 + 4


def test_draws_beyond_floating_point_do_not_hide_the_others() -> None:
    """With few levels, exp(sd^2 / 2) is infinite in a draw of thousands, and differences of two such are undefined."""
    rng = np.random.default_rng(0)
    spec = ModelSpec.from_formula("y ~ t + (1 | site)", family="poisson")
    data = pd.DataFrame({"y": rng.poisson(3, 30), "t": np.tile([0, 1], 15), "site": np.repeat(list("abc"), 10)})
    beta, sd = rng.normal([1.0, 0.4], 0.1, (400, 2)), np.abs(rng.normal(0.5, 0.1, 400))
    finite = posterior_at(spec, data, beta, {"site": (sd**2)[:, None, None]})
    sd[::100] = 60.0
    overflowing = posterior_at(spec, data, beta, {"site": (sd**2)[:, None, None]})
    for question in (lambda p: compare(p, "t"), lambda p: slopes(p, "t")):
        expected, found = Fit(finite)._ask(question), Fit(overflowing)._ask(question)
        assert np.isnan(found.draws).any()
        assert np.isfinite(found.table[["estimate", "lower", "upper", "probability"]].to_numpy()).all()
        assert found.table["estimate"].to_numpy() == pytest.approx(expected.table["estimate"].to_numpy(), rel=0.02)
        assert found.notes == ("Up to 4 of 400 draws are too large for a number and count as the median.",)
        assert expected.notes == ()
