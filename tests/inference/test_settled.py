"""The R-hat that decides on the length of the warm-up is ArviZ's; what it is asked about is."""

from __future__ import annotations

import arviz as az
import numpy as np
import pytest
import xarray as xr

from bayes_glmm.inference.settled import rhat, settled

RNG = np.random.default_rng(7)
DRAWS = {
    "agree": RNG.normal(size=(4, 500)),
    "odd length": RNG.normal(size=(3, 501)),
    "apart": RNG.normal(size=(4, 300)) + np.arange(4)[:, None] / 10,
    "of other scale": RNG.normal(size=(4, 300)) * np.array([1, 1, 1, 1.4])[:, None],
    "heavy tails": RNG.standard_cauchy(size=(2, 400)),
    "ties": RNG.integers(0, 5, size=(4, 200)).astype(float),
    "repeated": np.repeat(RNG.normal(size=(4, 100)), 3, axis=1),
}


@pytest.mark.parametrize("kind", DRAWS)
def test_rhat_is_arvizs(kind: str) -> None:
    draws = DRAWS[kind]
    assert rhat(draws) == pytest.approx(float(az.rhat(draws, chain_axis=0, draw_axis=1)), rel=1e-12)


def test_a_constant_and_too_few_draws_have_none() -> None:
    assert np.isnan(rhat(np.ones((4, 100))))
    assert np.isnan(rhat(RNG.normal(size=(4, 3))))


def tree(diverging: bool = False, **variables: np.ndarray) -> xr.DataTree:
    posterior = xr.Dataset({n: (("chain", "draw", "k")[: v.ndim], v) for n, v in variables.items()})
    statistics = xr.Dataset({"diverging": (("chain", "draw"), np.full((4, 4000), diverging))})
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": statistics})


def test_settled_means_agreeing_parameters_and_no_divergence() -> None:
    good = RNG.normal(size=(4, 4000, 2))
    apart = good[..., 0] + np.arange(4)[:, None] / 5
    assert settled(tree(beta=good, sigma=good[..., 0]))
    assert not settled(tree(diverging=True, beta=good))
    assert not settled(tree(beta=good, sigma=apart))
    assert not settled(tree(beta=good, sd_g=np.stack([good[..., 0], apart], axis=2)))
    assert settled(tree(beta=good, u_g=np.stack([good[..., 0], apart], axis=2)))
