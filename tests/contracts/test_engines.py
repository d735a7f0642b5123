"""What every engine owes: PyMC's posterior, its own warm-up and statistics, and draws that the seed decides."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayes_glmm as bg
from bayes_glmm.inference import ENGINES, Settings
from bayes_glmm.inference.chains import Chain
from bayes_glmm.model import build_model

INSTALLED = [
    pytest.param(
        name,
        marks=[
            pytest.mark.skipif(find_spec(engine.package) is None, reason=f"{engine.package} is not installed"),
            *[pytest.mark.slow] * (name == "numpyro"),  # JAX compiles for a quarter of a minute
        ],
    )
    for name, engine in ENGINES.items()
]
EVERY_ENGINE = pytest.mark.parametrize("engine", INSTALLED)
MODELS = {
    "gaussian": bg.ModelSpec.from_formula(
        "y ~ x + (1 | g)", priors={"sd": "HalfNormal(1)", "sigma": "HalfNormal(1)", "beta": "Normal(0, 1)"}
    ),
    "poisson": bg.ModelSpec.from_formula("k ~ x + (x || g)", "poisson", priors={"sd": "Gamma(3, 6)"}),
}
CHAINS, DRAWS, TUNE = 4, 1000, 500


def data() -> pd.DataFrame:
    """Forty rows in eight groups."""
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(8), 5)
    x, u = rng.normal(size=40).round(3), rng.normal(0, 0.7, 8)
    eta = 0.4 + 0.5 * x + u[g]
    return pd.DataFrame({"y": rng.normal(eta, 0.8).round(3), "k": rng.poisson(np.exp(eta)), "x": x, "g": g})


def draw(engine: str, model: str, seed: int, draws: int = DRAWS, tune: int = TUNE) -> xr.DataTree:
    """What the engine draws from the plain model."""
    glmm = bg.GLMM(MODELS[model], data())
    # one core: PyMC forks to use more, which a process that has started JAX must not
    settings = Settings(draws, tune, CHAINS, seed, engine, target_accept=0.9, cores=1, progress=False)
    return xr.DataTree.from_dict(dict(ENGINES[engine].sample(build_model(glmm.problem), settings)))


@cache
def posterior(engine: str, model: str) -> xr.DataTree:
    return draw(engine, model, seed=5)


def scalars(tree: xr.DataTree) -> Iterator[tuple[str, np.ndarray]]:
    """Every number of the posterior by name, [chain, draw]."""
    for name, variable in tree["posterior"].to_dataset().data_vars.items():
        if not str(name).startswith("z_"):
            values = variable.transpose("chain", "draw", ...).to_numpy()
            for place in np.ndindex(values.shape[2:]):
                yield f"{name}{list(place)}", values[(slice(None), slice(None), *place)]


@pytest.mark.parametrize("engine", [engine for engine in INSTALLED if engine.values != ("pymc",)])
@pytest.mark.parametrize("model", MODELS)
def test_the_posterior_is_that_of_pymc(engine: str, model: str) -> None:
    ours, theirs = dict(scalars(posterior(engine, model))), dict(scalars(posterior("pymc", model)))
    assert set(ours) == set(theirs)
    for name, a in ours.items():
        b = theirs[name]
        if np.ptp(b) == 0:  # the zeros of an uncorrelated covariance
            np.testing.assert_array_equal(a, b)
            continue
        # five standard errors of the difference: about 30 means and sds are compared, none may differ by chance
        for method, x, y in [("mean", a.mean(), b.mean()), ("sd", a.std(), b.std())]:
            error = np.hypot(az.mcse(a, method=method), az.mcse(b, method=method))
            assert abs(x - y) <= 5 * error, f"{method} of {name}: {x:.4f}, pymc {y:.4f} ± {error:.4f}"


@EVERY_ENGINE
def test_dims_and_labels_are_the_models(engine: str) -> None:
    draws = posterior(engine, "poisson")["posterior"].to_dataset()
    expected = {
        "beta": ("coefficient",),
        "sd_g": ("g_effect",),
        "G_g": ("g_effect", "g_effect_2"),
        "u_g": ("g", "g_effect"),
        "z_g": ("g", "g_effect"),
    }
    for name, dims in expected.items():
        assert ("chain", "draw", *dims) == draws[name].dims
    assert (CHAINS, DRAWS) == (draws.sizes["chain"], draws.sizes["draw"])
    for dim in ("coefficient", "g_effect", "g_effect_2"):
        assert ["Intercept", "x"] == draws[dim].to_numpy().tolist()
    assert list("01234567") == draws["g"].to_numpy().tolist()
    assert not [name for name in draws.data_vars if str(name).endswith("__")]  # nothing on the sampler's own scale


@EVERY_ENGINE
def test_statistics_that_diagnostics_read_are_there(engine: str) -> None:
    statistics = posterior(engine, "gaussian")["sample_stats"].to_dataset()
    assert bool == statistics["diverging"].dtype
    assert np.isfinite(statistics["energy"]).all()
    assert statistics["energy"].to_numpy().std() > 0
    depth = next(name for name in ("tree_depth", "depth") if name in statistics)
    for name in ("diverging", "energy", depth):
        assert {"chain": CHAINS, "draw": DRAWS} == dict(statistics[name].sizes)
    assert 1 <= statistics[depth].min() <= statistics[depth].max() <= 10
    steps = next(name for name in ("n_steps", "num_steps") if name in statistics)
    assert statistics[steps].max() < 2**10


@EVERY_ENGINE
def test_warm_up_is_kept(engine: str) -> None:
    if engine == "numpyro":
        pytest.skip("NumPyro does not hand out its warm-up.")
    tree = posterior(engine, "gaussian")
    assert {"chain": CHAINS, "draw": TUNE} == dict(tree["warmup_posterior"]["sigma"].sizes)
    assert {"chain": CHAINS, "draw": TUNE} == dict(tree["warmup_sample_stats"]["diverging"].sizes)


@EVERY_ENGINE
def test_a_chain_is_the_same_whichever_others_are_drawn(engine: str) -> None:
    glmm = bg.GLMM(MODELS["gaussian"], data())
    model = build_model(glmm.problem)
    settings = Settings(20, 50, CHAINS, 1, engine, target_accept=0.9, cores=1, progress=False)
    some: dict[int, Chain] = {}
    ENGINES[engine].draw(model, settings, [3, 1], some.__setitem__)
    together = ENGINES[engine].sample(model, settings)["posterior"]
    assert {1, 3} == set(some)
    for chain, drawn in some.items():
        assert set(together.data_vars) == set(drawn["posterior"].variables)
        for name, (_, values) in drawn["posterior"].variables.items():
            np.testing.assert_array_equal(together[name].sel(chain=chain), values)


@EVERY_ENGINE
def test_the_seed_decides_the_draws(engine: str) -> None:
    first, again, other = (
        draw(engine, "gaussian", seed, draws=20, tune=50)["posterior"]["sigma"].to_numpy() for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.9
    for a in range(CHAINS):
        for b in range(a):
            assert (first[a] != first[b]).mean() > 0.9
