"""Population-averaged comparisons of many rows: seconds, memory, and against averaging over simulated new groups.

    uv run python benchmarks/effects.py [rows] [draws]

A random-intercept logistic model with a numeric and a categorical predictor; no sampling, the draws are made up. The
simulation takes, for each draw, the mean over m fresh groups, the same on both sides of the comparison. Its time grows
as rows x draws x m and its error as 1 / sqrt(m), which is measured on a few of the rows and draws and then scaled to
all of them and to an error asked for. The quadrature has 1e-11.
"""

import resource
import sys
import time

import numpy as np
import pandas as pd
from scipy import special

from bayes_glmm.effects import compare
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec

FEW_ROWS, FEW_DRAWS, GROUPS = 2000, 20, 1000


def made_up(rows: int, draws: int) -> Posterior:
    """A posterior of y ~ x + arm + (1 | g), 1,000 groups, sd of about 1.5."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {
            "y": rng.integers(0, 2, rows),
            "x": rng.normal(size=rows),
            "arm": rng.choice(["a", "b", "c"], rows),
            "g": rng.integers(0, 1000, rows),
        }
    )
    spec = ModelSpec.from_formula("y ~ x + arm + (1 | g)", family="bernoulli")
    beta = rng.normal([-0.5, 0.8, 0.4, -0.3], 0.05, (draws, 4))
    return posterior_at(spec, data, beta, {"g": rng.normal(1.5, 0.1, draws)[:, None, None] ** 2})


def peak() -> float:
    """Most memory that the process has held, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def simulated(posterior: Posterior, step: float) -> np.ndarray:
    """Average difference of x + step against x, over GROUPS fresh groups a draw [draw]."""
    rng, sd = np.random.default_rng(2), np.sqrt(posterior.G("g")[:, 0, 0])
    eta = posterior.beta @ posterior.design.X.T
    slope = posterior.beta[:, posterior.design.coefficients.index("x")]
    result = np.empty(len(eta))
    for d in range(len(eta)):
        u = sd[d] * rng.standard_normal((GROUPS, 1))
        result[d] = np.mean(special.expit(eta[d] + step * slope[d] + u) - special.expit(eta[d] + u))
    return result


rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
draws = int(sys.argv[2]) if len(sys.argv) > 2 else 4000
options = {"random_effects": "integrated", "estimands": "difference"}
small = made_up(FEW_ROWS, FEW_DRAWS)
compare(made_up(5000, 10), "x", **options)  # the first call compiles
posterior = made_up(rows, draws)
before = peak()
seconds = {}
for variable in ("x", "arm"):
    start = time.perf_counter()
    result = compare(posterior, variable, **options)
    seconds[variable] = time.perf_counter() - start
    print(result)
    print(f"{rows:,} rows x {draws:,} draws: {seconds[variable]:.1f} s\n")
print(f"peak memory {peak():.2f} GiB; {before:.2f} GiB before the comparisons, with the posterior in memory")

exact = compare(small, "x", **options).draws.values[0, :, 0]
start = time.perf_counter()
error = float(np.sqrt(np.mean((simulated(small, 1.0) - exact) ** 2)))
each = (time.perf_counter() - start) / (FEW_ROWS * FEW_DRAWS * GROUPS)
print(f"simulation of {GROUPS} groups: error {error:.1e} a draw, {1e9 * each:.1f} ns a row, draw and group")
for wanted in (1e-3, 1e-4):
    groups = GROUPS * (error / wanted) ** 2
    needed = each * rows * draws * groups
    print(f"for an error of {wanted:g}: {groups:.2g} groups, {needed:.2g} s, {needed / seconds['x']:.2g} times as long")
