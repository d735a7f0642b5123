"""The statistics against chains whose answers are known, and where a parameter or a chain never moves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from bayes_glmm.diagnostics import statistics

CHAINS, DRAWS, PARAMETERS = 4, 5_000, 20


def autoregressive(r: float) -> np.ndarray:
    """Stationary AR(1) chains [parameter, chain, draw] of variance 1 / (1 - r^2)."""
    noise = np.random.default_rng(7).normal(size=(PARAMETERS, CHAINS, DRAWS + 500))
    return lfilter([1.0], [1.0, -r], noise, axis=2)[:, :, 500:]


@pytest.mark.parametrize("r", [-0.5, 0.0, 0.6, 0.9])
def test_effective_size_and_error_of_autoregressive_chains(r: float) -> None:
    sample = autoregressive(r)
    expected = CHAINS * DRAWS * (1 - r) / (1 + r)  # for the mean of an AR(1) chain
    # an estimate scatters by about 5 to 10 %; over 20 parameters the mean by less than 5 %
    np.testing.assert_allclose(statistics.ess_bulk(sample).mean(), expected, rtol=0.08)
    np.testing.assert_allclose(statistics.mcse_mean(sample).mean(), expected**-0.5, rtol=0.05)
    # R-hat of n effective draws in eight half chains is about 1 + 4 / n; the largest of 20 a few times further from 1
    assert (statistics.rhat(sample) < 1 + 20 / min(expected, CHAINS * DRAWS)).all()


def test_the_tail_size_is_that_of_the_rarer_quantile() -> None:
    sample = autoregressive(0.0)
    np.testing.assert_allclose(statistics.ess_tail(sample).mean(), CHAINS * DRAWS, rtol=0.08)
    sample[:, 0] *= 3.0  # one chain has the tails for itself
    assert (statistics.ess_tail(sample) < 0.1 * CHAINS * DRAWS).all()


def test_a_chain_apart_shows_in_rhat_by_its_distance() -> None:
    sample = autoregressive(0.0)
    sample[:, 0] += 1.0
    # ranks are close to the draws here: sqrt(1 + variance of the chains' means), 3/16 of the distance squared
    np.testing.assert_allclose(statistics.rhat(sample), np.sqrt(1 + 3 / 16 * 8 / 7), rtol=0.03)


def test_chains_that_each_stay_put_never_agree() -> None:
    sample = np.broadcast_to(np.arange(4.0)[None, :, None], (1, 4, 100))
    assert statistics.rhat(sample)[0] > 1e3


def test_a_parameter_that_never_moves_has_no_statistic() -> None:
    sample = np.ones((1, 4, 100))
    for statistic in (statistics.rhat, statistics.ess_bulk, statistics.ess_tail, statistics.mcse_mean):
        assert np.isnan(statistic(sample)).all(), statistic.__name__


def test_no_parameters_have_no_statistics() -> None:
    assert statistics.rhat(np.empty((0, 4, 100))).shape == (0,)
