"""The default prior of a span: the weighted covariance, a cap on each row, the same in every coding."""

from __future__ import annotations

import numpy as np
import pytest

from bayes_glmm.design.span import CAP, span_of

RNG = np.random.default_rng(3)
LEVELS = np.eye(3)[np.repeat([0, 1, 2], [300, 195, 5])][:, 1:]  # the last level has 5 of 500 rows
UNIFORM = np.sort(RNG.uniform(size=400))
COLUMNS = {
    "normal": RNG.normal(size=(300, 4)),
    "one normal": RNG.normal(size=(300, 1)),
    "two arms": np.repeat([0.0, 1.0], 150)[:, None],
    "rare level": LEVELS,
    "rare level beside a covariate": np.column_stack([LEVELS, RNG.integers(0, 5, 500)]),
    "one outlier": np.append(RNG.normal(size=199), 15.0)[:, None],
    "lognormal": np.exp(RNG.normal(size=(1000, 1))),
    "powers": UNIFORM[:, None] ** np.arange(1, 5),
    "fifty levels": np.eye(50)[np.repeat(np.arange(50), 4)][:, 1:],
}


def _centred(columns: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    return columns - np.average(columns, axis=0, weights=weights)


def _precision(columns: np.ndarray, weights: np.ndarray | None = None, **options: float) -> np.ndarray:
    root = span_of(columns, np.ones(len(columns)) if weights is None else weights, **options).root
    return root.T @ root


@pytest.mark.parametrize("name", COLUMNS)
def test_without_a_cap_the_precision_is_the_weighted_covariance(name: str) -> None:
    weights = RNG.integers(1, 9, len(COLUMNS[name])).astype(float)
    columns = _centred(COLUMNS[name], weights)
    expected = np.cov(columns.T, aweights=weights, ddof=0).reshape(columns.shape[1], -1)
    actual = _precision(columns, weights, cap=np.inf)
    np.testing.assert_allclose(actual, expected, atol=1e-12 * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize("name", COLUMNS)
def test_no_row_reaches_beyond_the_cap(name: str) -> None:
    columns = _centred(COLUMNS[name])
    span = span_of(columns, np.ones(len(columns)))
    leverage = np.einsum("ij,jk,ik->i", columns, np.linalg.inv(span.root.T @ span.root), columns)
    assert leverage.max() <= CAP**2 * 1.001
    np.testing.assert_allclose(span.leverage, leverage, rtol=1e-8, atol=1e-8)
    np.testing.assert_array_equal(np.triu(span.root), span.root)
    assert (np.diagonal(span.root) > 0).all()


@pytest.mark.parametrize("name", COLUMNS)
def test_weights_are_raised_only_where_a_row_would_reach_beyond_the_cap(name: str) -> None:
    columns = _centred(COLUMNS[name])
    precision = np.cov(columns.T, ddof=0).reshape(columns.shape[1], -1)
    leverage = np.einsum("ij,jk,ik->i", columns, np.linalg.inv(precision), columns)
    span = span_of(columns, np.ones(len(columns)))
    assert (leverage.max() > CAP**2) == span.capped.any()
    assert span.capped[leverage > CAP**2 * 1.001].all()


@pytest.mark.parametrize("name", COLUMNS)
def test_another_coding_is_the_same_prior(name: str) -> None:
    columns = _centred(COLUMNS[name])
    k = columns.shape[1]
    T = np.linalg.qr(RNG.normal(size=(k, k)))[0] @ np.diag(RNG.uniform(0.5, 2.0, k))
    expected = T.T @ _precision(columns) @ T
    np.testing.assert_allclose(_precision(columns @ T), expected, atol=1e-10 * np.abs(expected).max(), rtol=0)


def test_units_do_not_matter() -> None:
    columns = _centred(COLUMNS["rare level beside a covariate"])
    unit = np.array([1.0, 1e-6, 1e8])
    expected = _precision(columns) * np.outer(unit, unit)
    np.testing.assert_allclose(_precision(columns * unit), expected, rtol=1e-10)


def test_like_rows_can_be_merged() -> None:
    columns = COLUMNS["rare level beside a covariate"]
    merged, counts = np.unique(columns, axis=0, return_counts=True)
    expected = _precision(_centred(columns))
    actual = _precision(_centred(merged, counts), counts.astype(float))
    np.testing.assert_allclose(actual, expected, atol=1e-12 * np.abs(expected).max(), rtol=0)


def test_row_order_does_not_matter() -> None:
    columns = _centred(COLUMNS["lognormal"])
    np.testing.assert_allclose(_precision(columns[::-1]), _precision(columns), rtol=1e-12)


def test_a_rare_level_has_a_prior_sd_of_ten_logits() -> None:
    """Of its predictor about the centre, with S = 2.5; without the cap it would be 25."""
    columns = _centred(LEVELS)
    rare = np.flatnonzero(LEVELS[:, 1])[0]
    capped, free = (span_of(columns, np.ones(500), cap) for cap in (CAP, np.inf))
    assert 2.5 * np.sqrt(capped.leverage[rare]) == pytest.approx(10.0, rel=1e-3)
    assert 2.5 * np.sqrt(free.leverage[rare]) == pytest.approx(2.5 * np.sqrt(500 / 5 - 1.0))


@pytest.mark.parametrize("name", ["two arms", "one normal"])
def test_ordinary_columns_are_untouched(name: str) -> None:
    columns = _centred(COLUMNS[name])
    assert not span_of(columns, np.ones(len(columns))).capped.any()
    np.testing.assert_array_equal(_precision(columns), _precision(columns, cap=np.inf))


def test_one_column_has_a_prior_per_standard_deviation() -> None:
    """Gelman et al. (2008): Normal(0, S / sd(x))."""
    x = RNG.normal(50.0, 7.0, 200)
    assert span_of(_centred(x[:, None]), np.ones(200)).root.item() == pytest.approx(x.std())


def test_no_columns() -> None:
    span = span_of(np.empty((5, 0)), np.ones(5))
    assert span.root.shape == (0, 0)
    np.testing.assert_array_equal(span.leverage, np.zeros(5))
