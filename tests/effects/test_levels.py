"""Random effects and ranks of levels: their draws, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.errors import SpecError
from bayes_glmm.posterior import Posterior
from tests.effects.cases import intercepts, logistic


def posterior() -> Posterior:
    return logistic()


def test_random_effects_are_the_draws_of_u() -> None:
    of = posterior()
    found = bg.effects.ranef(of, "g")
    u = of.u("g")
    block = of.design.block("g")
    assert found.table[["level", "term"]].drop_duplicates().shape[0] == len(block.levels) * len(block.effects)
    np.testing.assert_array_equal(found.draws.to_numpy().reshape(len(u), -1), u.reshape(len(u), -1))
    for k, term in enumerate(block.effects):
        one = found.draws.sel(level=block.levels[1]).sel(term=term).to_numpy().ravel()
        np.testing.assert_array_equal(one, u[:, 1, k])


def test_ranks_are_those_of_each_draw() -> None:
    of = posterior()
    u, block = of.u("g")[:, :, 0], of.design.block("g")
    found = bg.effects.ranks(of, "g", worst=0.3)
    count = max(1, round(0.3 * len(block.levels)))
    for j, level in enumerate(block.levels):
        places = 1 + (u > u[:, [j]]).sum(axis=1)
        row = found.table[found.table["level"] == level].iloc[0]
        assert row["estimate"] == pytest.approx(places.mean())
        assert row["among_first"] == pytest.approx((places <= count).mean())
    assert found.table["estimate"].is_monotonic_increasing
    assert found.table["among_first"].sum() == pytest.approx(count)  # in each draw exactly so many are


def test_lowest_first_reverses_ranks() -> None:
    of = posterior()
    highest, lowest = (
        bg.effects.ranks(of, "g", first=first).table.set_index("level") for first in ("highest", "lowest")
    )
    both = highest["estimate"] + lowest["estimate"].reindex(highest.index)
    np.testing.assert_allclose(both, len(highest) + 1)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"group": "k"}, "no grouping factor 'k'"),
        ({"term": "z"}, "no effect 'z'"),
        ({"worst": 1.0}, "between 0 and 1"),
        ({"first": "top"}, "first='top'"),
    ],
)
def test_what_is_unknown_is_refused(options: dict[str, object], text: str) -> None:
    with pytest.raises(SpecError, match=text):
        bg.effects.ranks(posterior(), **{"group": "g", **options})  # type: ignore[arg-type]


def test_a_model_without_effects_has_none() -> None:
    data = pd.DataFrame({"y": [1.0, 2.0, 4.0, 3.0], "x": [0.0, 1.0, 2.0, 3.0]})
    of = bg.approx.laplace_posterior(bg.GLMM("y ~ x", data), draws=100)
    for question in (bg.effects.ranef, bg.effects.ranks):
        with pytest.raises(SpecError, match="no random effects"):
            question(of)


def test_intercepts_alone_have_one_term() -> None:
    found = bg.effects.ranef(intercepts("logit", variance=1.0))
    assert set(found.table["term"]) == {"Intercept"}
    assert set(found.table["group"]) == {"g"}
