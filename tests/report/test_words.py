"""Estimates in words: value and interval are read back from the text, for every combination of signs."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bayes_glmm.effects import Estimates
from bayes_glmm.effects.tidy import tidy
from bayes_glmm.posterior import posterior_at
from bayes_glmm.report.words import POINTS, Scale, caption_of, change, functional_of, scale_of, summary_of
from bayes_glmm.summaries import Interval
from tests.report.page import case

PROBABILITY = Scale('probability of "yes"', 100.0, POINTS)
MEAN = Scale("mean of y")
_NUMBER = r"([\d,]+(?:\.\d+)?(?:e[+−]\d+)?)"
_SAME = re.compile(
    rf"{_NUMBER}(?: percentage points)? (higher|lower) \(95 % interval {_NUMBER} to {_NUMBER} (higher|lower)\)"
)
_BOTH = re.compile(
    rf"{_NUMBER}(?: percentage points)? (higher|lower) "
    rf"\(the 95 % interval includes 0: {_NUMBER} (higher|lower) to {_NUMBER} (higher|lower)\)"
)


def read(text: str) -> tuple[list[float], bool]:
    """Estimate and the ends of the interval as signed numbers, smaller end first; whether 0 is said to be included."""
    if same := _SAME.fullmatch(text):
        middle, side, near, far, direction = same.groups()
        ends = sorted(signed(end, direction) for end in (near, far))
        assert abs(signed(near, direction)) <= abs(signed(far, direction))
        return [signed(middle, side), *ends], False
    both = _BOTH.fullmatch(text)
    assert both, text
    middle, side, low, below, high, above = both.groups()
    return [signed(middle, side), signed(low, below), signed(high, above)], True


def signed(size: str, side: str) -> float:
    return (1.0 if side == "higher" else -1.0) * float(size.replace(",", "").replace("−", "-"))


@pytest.mark.parametrize("scale", [PROBABILITY, MEAN], ids=["probability", "mean"])
@given(numbers=st.lists(st.floats(-1.0, 1.0, allow_subnormal=False), min_size=3, max_size=3))
@example(numbers=[-0.03, -0.02, -0.01])
@example(numbers=[-0.03, -0.02, 0.01])
@example(numbers=[-0.03, 0.02, 0.03])
@example(numbers=[0.0, 0.02, 0.03])
def test_the_text_has_the_signs_of_the_estimate_and_of_its_interval(scale: Scale, numbers: list[float]) -> None:
    lower, estimate, upper = sorted(numbers)
    found, includes = read(change(estimate, lower, upper, scale))
    expected = np.array([estimate, lower, upper]) * scale.factor
    np.testing.assert_allclose(found, expected, rtol=0.06, atol=1e-12)  # two digits of small percentage points
    assert includes == (lower <= 0.0 <= upper)


def test_differences_of_probabilities_are_percentage_points() -> None:
    assert "3.7 percentage points higher (95 % interval 2.4 to 5.1 higher)" == change(
        0.037, 0.0236, 0.0514, PROBABILITY
    )
    assert "0.0370 higher (95 % interval 0.0236 to 0.0514 higher)" == change(0.037, 0.0236, 0.0514, MEAN)


def test_an_interval_around_0_says_what_it_includes() -> None:
    text = change(0.0001, -0.042, 0.0419, PROBABILITY)
    assert "0.010 percentage points higher (the 95 % interval includes 0: 4.2 lower to 4.2 higher)" == text


def test_draws_that_are_not_finite_have_no_direction() -> None:
    assert "higher" not in change(np.nan, np.nan, np.nan, MEAN)
    assert "∞ higher" in change(1.0, 0.5, np.inf, MEAN)


@pytest.mark.parametrize(
    ("family", "mean", "factor"),
    [
        ("bernoulli", "probability of y = 1", 100.0),
        ("binomial", 'probability of "y"', 100.0),
        ("poisson", "mean of y", 1.0),
        ("beta", "mean of y", 1.0),
        ("cumulative", "probability of each category of y", 100.0),
    ],
)
def test_the_mean_has_a_name(family: str, mean: str, factor: float) -> None:
    scale = scale_of(case(family))
    assert (mean, factor) == (scale.mean, scale.factor)


def test_categories_are_written_as_the_part_asks() -> None:
    posterior = case("cumulative")
    assert "y = {}" == scale_of(posterior).category
    assert "y = {} or higher" == scale_of(posterior, "at_least").category
    assert Scale("mean category of y (1 to 4)") == scale_of(posterior, "mean")
    assert "" == scale_of(case("poisson"), "zero").category


def test_the_event_of_a_text_response_is_named() -> None:
    posterior = case("bernoulli")
    data = posterior.design.data.assign(y=posterior.design.data["y"].map({0: "no", 1: "yes"}))
    named = posterior_at(posterior.spec, data, posterior.beta, {"g": posterior.G("g")})
    assert 'probability of "yes"' == scale_of(named).mean


@pytest.mark.parametrize("functional", ["median", "mean"])
def test_captions_have_the_functional_of_the_table(functional: str) -> None:
    table = pd.DataFrame({"estimate": [1.0]})
    draws = tidy(np.zeros((4, 1)), pd.DataFrame({"x": [1]}), Interval(), (1, 4), "").draws
    found = Estimates(table, draws, f"Mean of Posterior y. Posterior {functional}, sd and 95% equal-tailed interval.")
    assert functional == functional_of(found)
    assert f"Posterior {functional}s and 95 % intervals." == caption_of(found)
    assert f"Posterior {functional}, sd and 95% equal-tailed interval." == summary_of(found)
