"""Turned rows have the inner products of the rows they come from, and as many rows as there is rank."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayes_glmm.numerics.triangular import turn


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Columns of very different scales, some constant in a group and some dependent; y; groups of 1 to 60 rows."""
    size = draw(st.lists(st.integers(1, 60), min_size=1, max_size=8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    group = rng.permutation(np.repeat(np.arange(len(size)), size))
    rows = len(group)
    make = {
        "one": lambda: np.ones(rows),
        "normal": lambda: rng.normal(size=rows),
        "far": lambda: rng.normal(100.0, 1.0, rows),
        "dummy": lambda: rng.integers(0, 2, rows).astype(float),
        "by group": lambda: rng.normal(size=len(size))[group],
        "in some groups": lambda: rng.normal(size=rows) * rng.integers(0, 2, len(size))[group],
    }
    kinds = draw(st.lists(st.sampled_from(list(make)), min_size=1, max_size=5))
    columns = [make[kind]() * 10.0 ** draw(st.integers(-9, 9)) for kind in kinds]
    if draw(st.booleans()):
        columns.insert(draw(st.integers(0, len(columns))), columns[0] / 3.0)
    return columns, rng.normal(draw(st.sampled_from([0.0, 1e3])), 1.0, rows), group


@given(tables())
@settings(max_examples=150, deadline=None)
def test_inner_products_and_ranks(case: tuple[list[np.ndarray], np.ndarray, np.ndarray]) -> None:
    columns, y, group = case
    turned = turn(columns, y, group, len(y))
    assert turned is not None
    total = np.longdouble(0.0)
    for number in range(group.max() + 1):
        # extended precision: what the columns' products are, not what rounding makes of them
        old = np.array([*columns, y], dtype=np.longdouble)[:, group == number]
        new = np.vstack([turned.columns, turned.y]).astype(np.longdouble)[:, turned.group == number]
        products, length = old @ old.T, np.sqrt((old**2).sum(axis=1))
        difference = products - new @ new.T
        total += difference[-1, -1]
        difference[-1, -1] = 0.0
        assert (np.abs(difference) <= 1e-13 * np.outer(length, length)).all()
        scaled = old[:-1].astype(float) / np.where(length[:-1] > 0.0, length[:-1], 1.0)[:, None].astype(float)
        assert np.linalg.matrix_rank(scaled, tol=1e-12) == new.shape[1]
    assert turned.rest == pytest.approx(float(total), rel=1e-10, abs=1e-13 * float(y @ y))


def test_the_rest_is_the_sum_of_squares_about_least_squares() -> None:
    rng = np.random.default_rng(41)
    A, y = rng.normal(size=(5000, 4)) * [1.0, 1e6, 1e-6, 1.0] + [0.0, 5e6, 0.0, 3.0], rng.normal(7.0, 1.0, 5000)
    turned = turn([*A.T], y, np.zeros(5000, dtype=int), 5000)
    assert turned is not None
    assert (4, 4) == turned.columns.shape
    _, (rest,), *_ = np.linalg.lstsq(A / np.linalg.norm(A, axis=0), y)
    assert turned.rest == pytest.approx(rest, rel=1e-12)


def test_a_long_column_that_depends_on_others_adds_no_row() -> None:
    rng = np.random.default_rng(42)
    x, group = rng.normal(size=300_000), rng.integers(0, 2, 300_000)
    columns = [np.ones(300_000), x, 1e6 * x - 3.0, group * 0.1, 1.0 / 3.0 - 1e-3 * x]
    turned = turn(columns, x**2, group, 300_000)
    assert turned is not None
    assert [0, 0, 1, 1] == sorted(turned.group.tolist())


def test_columns_that_nearly_agree_leave_no_more_rows_than_there_were() -> None:
    """Taken out once only, the first two leave 2e-14 of the third: a third row of a matrix of two."""
    columns = [np.array([99.86789514, 100.64042265]), np.ones(2), np.array([0.10490012, -0.53566937])]
    turned = turn(columns, np.array([0.36159505, 1.30400005]), np.array([0, 0]), 3)
    assert turned is not None
    assert 2 == len(turned.y)


def test_it_stops_where_too_many_rows_would_be_left() -> None:
    x = np.arange(1.0, 7.0)
    group = np.array([0, 1, 2, 0, 1, 2])
    assert turn([x, x**2], x, group, 5) is None
    assert turn([x, x**2], x, group, 6) is not None


def test_columns_of_zeros_leave_nothing() -> None:
    turned = turn([np.zeros(3)], np.array([1.0, 2.0, 2.0]), np.array([0, 1, 1]), 3)
    assert turned is not None
    assert (1, 0) == turned.columns.shape
    assert 9.0 == turned.rest
