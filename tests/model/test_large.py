"""InstEval: 73,421 ratings of 1,128 lecturers by 2,972 students. The matrices Z of the textbooks would take 2.4 GB."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_glmm as bg

MEGABYTE = 2**20


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Cannot cache compiled function")  # its data are too large for numba's cache
def test_insteval_is_built_and_evaluated_without_a_dense_matrix(shared: Path) -> None:
    data = pd.read_csv(shared / "data" / "insteval.csv.gz")
    tracemalloc.start()
    model = bg.GLMM("y ~ service + (1 | s) + (1 | d) + (1 | dept)", data)
    pymc = model.pymc
    assert tracemalloc.get_traced_memory()[1] < 200 * MEGABYTE  # a column of numbers takes 0.6
    tracemalloc.stop()
    assert [2972, 1128, 14] == [len(block.levels) for block in model.design.blocks]

    log_density = pymc.logp_dlogp_function(ravel_inputs=True)
    log_density.set_extra_values({})
    rng = np.random.default_rng(1)
    initial = pymc.initial_point()
    x = rng.normal(0, 0.3, sum(value.size for value in initial.values()))
    tracemalloc.start()
    value, gradient = log_density(x)
    assert tracemalloc.get_traced_memory()[1] < 200 * MEGABYTE
    tracemalloc.stop()
    assert np.isfinite(gradient).all()

    direction, h = rng.normal(size=len(x)) / np.sqrt(len(x)), 1e-4
    slope = (log_density(x + h * direction)[0] - log_density(x - h * direction)[0]) / (2 * h)
    # central differences err by h^2 relative, and by rounding of a sum of 70,000 terms over h
    assert slope == pytest.approx(float(gradient @ direction), rel=1e-5)

    # the vector holds the model's variables one after the other
    ends = np.cumsum([value.size for value in initial.values()])
    parts = zip(initial, np.split(x, ends[:-1]), strict=True)
    point = {name: part.reshape(initial[name].shape) for name, part in parts}
    sd = {g: np.exp(point[f"sd_{g}_log__"][0]) for g in ("s", "d", "dept")}
    sigma = np.exp(point["sigma_log__"])
    eta = model.design.X @ (model.priors.canonical.location.T @ point["b"])
    for block in model.design.blocks:
        eta = eta + sd[block.group] * point[f"z_{block.group}"][block.index, 0]
    likelihood = stats.norm.logpdf(data["y"], eta, sigma).sum()
    prior = float(pymc.compile_logp(vars=pymc.free_RVs)(point))
    assert float(value) == pytest.approx(likelihood + prior, rel=1e-10)
