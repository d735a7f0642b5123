"""When a short warm-up was long enough: what is asked, and of which parameters."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayes_glmm.inference.settled import settled

RNG = np.random.default_rng(7)


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
