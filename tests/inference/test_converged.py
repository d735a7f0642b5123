"""When a short warm-up was long enough: what is asked, and of which parameters."""

from __future__ import annotations

import arviz as az
import numpy as np
import pytest
import xarray as xr

from bayes_glmm.inference.converged import converged, rhat

RNG = np.random.default_rng(7)


def groups(diverging: bool = False, **variables: np.ndarray) -> dict[str, xr.Dataset]:
    posterior = xr.Dataset({n: (("chain", "draw", "k")[: v.ndim], v) for n, v in variables.items()})
    statistics = xr.Dataset({"diverging": (("chain", "draw"), np.full((4, 4000), diverging))})
    return {"posterior": posterior, "sample_stats": statistics}


def test_settled_means_agreeing_parameters_and_no_divergence() -> None:
    good = RNG.normal(size=(4, 4000, 2))
    apart = good[..., 0] + np.arange(4)[:, None] / 5
    assert converged(groups(beta=good, sigma=good[..., 0]))
    assert not converged(groups(diverging=True, beta=good))
    assert not converged(groups(beta=good, sigma=apart))
    assert not converged(groups(beta=good, sd_g=np.stack([good[..., 0], apart], axis=2)))
    assert converged(groups(beta=good, u_g=np.stack([good[..., 0], apart], axis=2)))


def test_one_chain_or_three_draws_say_nothing() -> None:
    apart = RNG.normal(size=(4, 4000)) + np.arange(4)[:, None]
    assert converged(groups(sigma=apart[:1]))
    assert converged(groups(sigma=apart[:, :3]))
    assert not converged(groups(sigma=apart[:, :20]))


@pytest.mark.parametrize("chains", [2, 5])
@pytest.mark.parametrize("draws", [4, 7, 500])
def test_rhat_is_that_of_arviz(chains: int, draws: int) -> None:
    shape = (chains, draws)
    values = {
        "normal": RNG.normal(size=shape),
        "heavy": RNG.standard_cauchy(shape),
        "apart": RNG.normal(size=shape) + np.arange(chains)[:, None],
        "wider": RNG.normal(size=shape) * (1 + np.arange(chains)[:, None]),
        "drifting": RNG.normal(size=shape) + np.arange(draws) / draws,
        "with ties": RNG.poisson(1.0, shape).astype(float),
        "with a hole": np.where(np.arange(chains * draws).reshape(shape) == 0, np.nan, RNG.normal(size=shape)),
    }
    expected = [float(az.rhat(column)) for column in values.values()]
    np.testing.assert_allclose(rhat(np.stack(list(values.values()), axis=2)), expected, rtol=1e-12)
