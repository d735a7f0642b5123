"""The statistics against ArviZ's own, which visits parameters one by one."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.signal import lfilter

from bayes_glmm.diagnostics import statistics

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from arviz_stats.base import array_stats

AXES = {"chain_axis": -2, "draw_axis": -1}
SHAPES = [(4, 1000), (4, 101), (2, 50), (3, 8)]


def chains_of(shape: tuple[int, int]) -> np.ndarray:
    """Autoregressive chains from antithetic to nearly stuck, with ties, heavy tails and a chain apart."""
    rng = np.random.default_rng(7)
    rows = [lfilter([1.0], [1.0, -r], rng.normal(size=shape), axis=1) for r in np.linspace(-0.9, 0.99, 24)]
    rows[3] = np.round(rows[3])
    rows[5] = rng.standard_cauchy(size=shape)
    rows[8][0] += 3.0
    return np.stack(rows)


@pytest.mark.parametrize("shape", SHAPES)
def test_rhat_is_arviz(shape: tuple[int, int]) -> None:
    sample = chains_of(shape)
    np.testing.assert_allclose(statistics.rhat(sample), array_stats.rhat(sample, **AXES), rtol=1e-12)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 60)])
def test_bulk_ess_is_arviz(shape: tuple[int, int]) -> None:
    sample = chains_of(shape)
    np.testing.assert_allclose(statistics.ess_bulk(sample), array_stats.ess(sample, **AXES), rtol=1e-10)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 60)])
def test_tail_ess_is_arviz(shape: tuple[int, int]) -> None:
    sample = chains_of(shape)
    expected = array_stats.ess(sample, method="tail", prob=(0.05, 0.95), **AXES)
    np.testing.assert_allclose(statistics.ess_tail(sample), expected, rtol=1e-10)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 60)])
def test_mcse_is_arviz(shape: tuple[int, int]) -> None:
    sample = chains_of(shape)
    expected = array_stats.mcse(sample, **AXES) / sample.std(axis=(1, 2), ddof=1)
    np.testing.assert_allclose(statistics.mcse_mean(sample), expected, rtol=1e-10)


def test_chains_that_each_stay_put_never_agree() -> None:
    sample = np.broadcast_to(np.arange(4.0)[None, :, None], (1, 4, 100))
    assert statistics.rhat(sample)[0] > 1e3


def test_a_parameter_that_never_moves_has_no_statistic() -> None:
    sample = np.ones((1, 4, 100))
    for statistic in (statistics.rhat, statistics.ess_bulk, statistics.ess_tail, statistics.mcse_mean):
        assert np.isnan(statistic(sample)).all(), statistic.__name__


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = chains_of((4, 101))
    monkeypatch.setattr(statistics, "CHUNK_VALUES", 5 * sample[0].size)
    np.testing.assert_array_equal(statistics.rhat(sample), statistics.in_chunks(statistics.rhat, sample))
    assert statistics.in_chunks(statistics.rhat, sample[:0]).shape == (0,)
