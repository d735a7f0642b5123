"""Rows that miss their response alone: out of the likelihood, counted, saved, and predicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.effects import missing_responses, predict
from bayes_glmm.errors import DataError
from bayes_glmm.posterior import Posterior, load_posterior


def data() -> pd.DataFrame:
    rng, n = np.random.default_rng(3), 60
    g, x = np.arange(n) % 6, rng.normal(size=n).round(3)
    frame = pd.DataFrame({"x": x, "g": [f"level {k}" for k in g], "n": 7, "y": rng.poisson(np.exp(0.5 + 0.4 * x))})
    frame["yes"] = np.where(frame["y"] > 1, "yes", "no")
    rating = np.array(["low", "middle", "high"])[np.minimum(frame["y"], 2)]
    frame["rating"] = pd.Categorical(rating, ["low", "middle", "high"], ordered=True)
    return frame


def with_gaps(column: str) -> pd.DataFrame:
    """Rows 4 and 50 without a response, row 10 without a predictor, row 20 without both."""
    frame = data().assign(x=data()["x"].mask(np.isin(np.arange(60), [10, 20])))
    return frame.assign(**{column: frame[column].mask(np.isin(np.arange(60), [4, 20, 50]))})


def posterior(formula: str, family: str, frame: pd.DataFrame) -> Posterior:
    model = bg.GLMM(formula, frame, family, missing="drop")
    return bg.approx.laplace_posterior(model, draws=200)


CASES = {
    "poisson": ("y ~ x + (1 | g)", "y"),
    "bernoulli": ("yes['yes'] ~ x + (1 | g)", "yes"),
    "binomial": ("p(y, n) ~ x + (1 | g)", "y"),
    "cumulative": ("rating ~ x + (1 | g)", "rating"),
}


@pytest.mark.parametrize("family", CASES)
def test_rows_without_a_response_are_left_out_and_predicted(family: str, tmp_path: Path) -> None:
    formula, column = CASES[family]
    frame = with_gaps(column)
    made = posterior(formula, family, frame)
    assert len(made.design.y) == 56
    assert made.design.dropped == 4
    assert made.design.unanswered["x"].tolist() == data()["x"].iloc[[4, 50]].tolist()
    assert column not in made.design.unanswered
    found = missing_responses(made, seed=2)
    scale = "response" if family == "cumulative" else "outcome"
    same = predict(made, data().iloc[[4, 50]], "known_or_new", scale, seed=2)  # type: ignore[arg-type]
    assert_allclose(found.table["estimate"], same.table["estimate"], rtol=1e-14)
    read = load_posterior(made.save(tmp_path / "saved"))
    assert_allclose(missing_responses(read, seed=2).table["estimate"], found.table["estimate"], rtol=1e-14)
    made.save(tmp_path / "saved")  # a saved posterior may be replaced, with that file in it


def test_the_posterior_is_that_of_the_other_rows() -> None:
    frame = with_gaps("y")
    whole = bg.GLMM(CASES["poisson"][0], frame, "poisson", missing="drop")
    without = bg.GLMM(CASES["poisson"][0], frame.dropna(), "poisson")
    assert bg.approx.laplace(whole).log_likelihood == bg.approx.laplace(without).log_likelihood
    assert whole.priors.table.equals(without.priors.table)


def test_they_are_counted_in_words() -> None:
    model = bg.GLMM("y ~ x", with_gaps("y"), "poisson", missing="drop")
    assert "2 rows have no response, and no part in the likelihood." in str(model)
    assert "missing_responses" not in str(bg.GLMM("y ~ x", data(), "poisson"))
    with pytest.raises(DataError, match=r"missing_responses\(\) then predicts"):
        bg.GLMM("y ~ x", with_gaps("y"), "poisson")
    with pytest.raises(DataError, match="No row is without a response alone"):
        missing_responses(posterior("y ~ x", "poisson", data()))


def test_new_levels_and_means() -> None:
    frame = with_gaps("y")
    frame.loc[50, "g"] = "never seen"
    made = posterior("y ~ x + (1 | g)", "poisson", frame)
    means = missing_responses(made, scale="response").table
    assert len(means) == 2
    assert "never seen" not in made.design.block("g").levels
    wide = missing_responses(made).table
    assert ((wide["upper"] - wide["lower"]) > (means["upper"] - means["lower"])).all()
