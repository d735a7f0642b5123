"""Refits of what importance sampling cannot know: exact where the posterior is exact; limits and words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm import inference
from bayes_glmm.diagnostics import LOO, loo_by_group, loo_by_row
from bayes_glmm.errors import SpecError
from tests.studies import exact

FORMULA = "y ~ x + (1 | g)"


@pytest.fixture(autouse=True)
def sampler() -> Iterator[None]:
    """Exact draws in place of NUTS."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "sample", exact.sample)
        yield


@pytest.fixture(scope="module")
def fit() -> bg.Fit:
    model = exact.model(FORMULA)
    settings = inference.Settings(draws=1000, chains=4, seed=9)
    return bg.Fit(exact.sample(model.problem, settings))


def with_bad(loo: LOO, k: dict[int | str, float]) -> LOO:
    """The result with other Pareto k, and an elpd that is wrong wherever they are too large."""
    bad = pd.Series(k)
    wrong = loo.pointwise.index.isin(bad.index) * 7.0
    changed = {"pareto_k": bad.reindex(loo.pointwise.index).fillna(loo.pointwise["pareto_k"])}
    changed |= {"elpd": loo.pointwise["elpd"] + wrong, "p": loo.pointwise["p"] - wrong}
    return replace(loo, pointwise=loo.pointwise.assign(**changed))


def test_bad_rows_get_their_exact_density(fit: bg.Fit) -> None:
    loo = loo_by_row(fit.posterior)
    found = bg.refit_bad(fit, with_bad(loo, {7: 0.9, 30: np.inf}), progress=False, draws=2000)
    assert found.refits is not None
    assert [30, 7] == found.refits.index.tolist()
    assert not found.failing
    for row in (7, 30):
        error = found.refits["error"][row]
        expected = exact.density(fit.design, [row], np.arange(36) != row)
        assert expected == pytest.approx(found.pointwise["elpd"][row], abs=4.0 * error)
    before, after = (table["elpd"] + table["p"] for table in (loo.pointwise, found.pointwise))
    np.testing.assert_allclose(before, after)  # what the whole fit says of a row is as it was
    others = np.delete(np.arange(36), [7, 30])
    pd.testing.assert_frame_equal(loo.pointwise.loc[others], found.pointwise.loc[others])


def test_bad_groups_get_their_exact_density(fit: bg.Fit) -> None:
    found = bg.refit_bad(fit, with_bad(loo_by_group(fit.posterior), {"3": 0.95}), progress=False)
    rows = fit.design.block("g").index == 3
    assert found.refits is not None
    expected = exact.density(fit.design, rows, ~rows)
    assert expected == pytest.approx(found.pointwise["elpd"]["3"], abs=4.0 * found.refits["error"]["3"])
    assert found.pointwise.index.name == "g"


def test_most_leaves_the_rest_for_another_call(fit: bg.Fit, caplog: pytest.LogCaptureFixture) -> None:
    bad = with_bad(loo_by_row(fit.posterior), {1: 0.8, 2: 1.2, 3: 0.9})
    with caplog.at_level(logging.WARNING):
        some = bg.refit_bad(fit, bad, most=2, progress=False)
    assert "1 more have a Pareto k that is too large: most=3 refits all" in caplog.text
    assert [1] == some.failing
    assert "1 of 36 have a Pareto k above 0.70 and are not to be trusted: bg.refit_bad(fit, loo)" in str(some)
    assert "2 come from a fit without them" in str(some)
    every = bg.refit_bad(fit, some, progress=False)
    assert every.refits is not None
    assert [2, 3, 1] == every.refits.index.tolist()
    assert "The Pareto k of all 36 is 0.70 at most.\n3 come from a fit without them." in str(every)
    once = bg.refit_bad(fit, bad, progress=False)
    pd.testing.assert_frame_equal(once.pointwise, every.pointwise)  # a row's seed is its own


def test_nothing_bad_is_nothing_done(fit: bg.Fit) -> None:
    for by in ("row", "g"):
        found = bg.refit_bad(fit, by, progress=False)
        assert found.refits is not None
        assert found.refits.empty
    expected = loo_by_group(fit.posterior).pointwise
    pd.testing.assert_frame_equal(expected, found.pointwise)
    assert str(found).startswith("Leave-one-out by g: elpd -")


def test_a_result_of_another_fit_is_refused(fit: bg.Fit) -> None:
    other = loo_by_row(fit.posterior)
    with pytest.raises(SpecError, match="other rows or groups"):
        bg.refit_bad(fit, replace(other, pointwise=other.pointwise.iloc[:30]))
