"""Odd terms of repeated measures, thresholds, weights and counts: one error of ours before sampling, or a design."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.errors import DataError, GLMMError, SpecError
from tests.hostile.cases import refused, within


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    table = pd.DataFrame({"g": np.repeat(np.arange(10), 4), "t": np.tile([1, 2, 3, 4], 10), "x": rng.normal(size=40)})
    table = table.assign(y=rng.normal(size=40), w=rng.uniform(0.5, 3.0, 40), r=np.tile([1, 2, 3, 2], 10))
    return table.assign(a=rng.integers(0, 5, 40), b=rng.integers(1, 5, 40), c=rng.integers(0, 5, 40))


Edit = Callable[[pd.DataFrame], pd.DataFrame]
REFUSED: dict[str, tuple[str, str, Edit, type[GLMMError], str]] = {
    "an occasion twice": ("y ~ x + ar(t, gr = g)", "gaussian", lambda d: d.assign(t=1), DataError, "t"),
    "uneven times": (
        "y ~ ar(t, gr = g)",
        "gaussian",
        lambda d: d.assign(t=d.t.replace(4, 7.5)),
        SpecError,
        "1, 2, 3, 7.5",
    ),
    "a missing occasion": (
        "y ~ ar(t, gr = g)",
        "gaussian",
        lambda d: d.assign(t=d.t.replace(2, np.nan)),
        DataError,
        "t",
    ),
    "an infinite occasion": (
        "y ~ ar(t, gr = g)",
        "gaussian",
        lambda d: d.assign(t=d.t.replace(2, np.inf)),
        DataError,
        "t",
    ),
    "a missing level": ("y ~ cosy(gr = g)", "gaussian", lambda d: d.assign(g=d.g.replace(3, np.nan)), DataError, "g"),
    "rows of their own": ("y ~ cosy(gr = g)", "gaussian", lambda d: d.assign(g=np.arange(40)), DataError, "g"),
    "no such column": ("y ~ unstr(week, gr = g)", "gaussian", lambda d: d, DataError, "week"),
    "no group": ("y ~ ar(t)", "gaussian", lambda d: d, SpecError, "gr"),
    "two terms": ("y ~ ar(t, gr = g) + cosy(gr = g)", "gaussian", lambda d: d, SpecError, ""),
    "another family": ("r ~ ar(t, gr = g)", "poisson", lambda d: d, SpecError, "ar1(0 + "),
    "cs under cumulative": ("r ~ cs(x)", "cumulative", lambda d: d, SpecError, "sratio"),
    "cs of no categories": ("y ~ cs(x)", "gaussian", lambda d: d, SpecError, "cs("),
    "cs twice": ("r ~ cs(x) + x", "sratio", lambda d: d, SpecError, "x"),
    "weights below 0": ("y | weights(w, sampling) ~ x", "gaussian", lambda d: d.assign(w=-d.w), DataError, "w"),
    "weights of 0": ("y | weights(w, sampling) ~ x", "gaussian", lambda d: d.assign(w=0.0), DataError, "w"),
    "weights missing": (
        "y | weights(w, sampling) ~ x",
        "gaussian",
        lambda d: d.assign(w=d.w.mask(d.t == 1)),
        DataError,
        "w",
    ),
    "weights of text": ("y | weights(w, sampling) ~ x", "gaussian", lambda d: d.assign(w="heavy"), DataError, "w"),
    "half a count": ("cbind(a, b, c) ~ x", "categorical", lambda d: d.assign(a=d.a + 0.5), DataError, "a"),
    "negative counts": ("cbind(a, b, c) ~ x", "categorical", lambda d: d.assign(a=-1), DataError, "a"),
    "counts missing": ("cbind(a, b, c) ~ x", "categorical", lambda d: d.assign(b=d.b.mask(d.t == 1)), DataError, "b"),
    "counts of counts": ("cbind(a, b, c) ~ x", "poisson", lambda d: d, SpecError, "categorical"),
}
TAKEN: dict[str, tuple[str, str, Edit]] = {
    "gaps": ("y ~ x + unstr(t, gr = g)", "gaussian", lambda d: d.drop(index=[1, 6, 11])),
    "text for levels": ("y ~ ar(t, gr = g)", "gaussian", lambda d: d.assign(g=d.g.map(lambda k: f"<b>{k}</b> | x"))),
    "years": ("y ~ ar(t, gr = g)", "gaussian", lambda d: d.assign(t=d.t + 2000)),
    "huge weights": ("y | weights(w, sampling) ~ x", "gaussian", lambda d: d.assign(w=d.w * 1e12)),
    "rows without counts": ("cbind(a, b, c) ~ x", "categorical", lambda d: d.assign(a=d.a.where(d.t > 1, 0))),
    "odd names": ("r ~ cs(`x y`)", "sratio", lambda d: d.rename(columns={"x": "x y"})),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_one_message(name: str) -> None:
    formula, family, edit, error, words = REFUSED[name]
    with within(20):
        refused(lambda: bg.GLMM(formula, edit(frame()), family), error, words)


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_odd_and_right_is_a_model(name: str) -> None:
    formula, family, edit = TAKEN[name]
    with within(20):
        model = bg.GLMM(formula, edit(frame()), family)
        assert np.isfinite(model.design.X).all()
        assert np.isfinite(bg.approx.laplace(model).log_likelihood)
