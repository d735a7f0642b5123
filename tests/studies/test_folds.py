"""Folds: every row once, sizes alike, levels whole, responses shared out."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bayes_glmm.studies.folds import folds_of_levels, folds_of_rows


@given(rows=st.integers(2, 60), k=st.integers(2, 60), ones=st.integers(0, 60), seed=st.integers(0, 99))
def test_folds_of_rows_are_alike(rows: int, k: int, ones: int, seed: int) -> None:
    k, y = min(k, rows), (np.arange(rows) < ones).astype(float)
    plain = folds_of_rows(rows, k, np.random.default_rng(seed))
    shared = folds_of_rows(rows, k, np.random.default_rng(seed), y)
    for folds in (plain, shared):
        size = np.bincount(folds, minlength=k)
        assert (len(size), size.sum()) == (k, rows)
        assert size.max() - size.min() <= 1
    share = np.bincount(shared, y, k)
    assert share.max() - share.min() <= 1


@given(sizes=st.lists(st.integers(1, 30), min_size=2, max_size=40), k=st.integers(2, 40), seed=st.integers(0, 99))
def test_folds_of_levels_keep_levels_whole(sizes: list[int], k: int, seed: int) -> None:
    k, index = min(k, len(sizes)), np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    folds = folds_of_levels(index, k, np.random.default_rng(seed))
    assert len({(level, fold) for level, fold in zip(index, folds, strict=True)}) == len(sizes)
    rows = np.bincount(folds, minlength=k)
    assert len(rows) == k
    assert rows.min() > 0
    assert rows.max() - rows.min() <= max(sizes)


def test_seeds_decide() -> None:
    index = np.repeat(np.arange(20), np.arange(1, 21))
    one, same, other = (folds_of_levels(index, 5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    one, same, other = (folds_of_rows(30, 5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
