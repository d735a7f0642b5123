"""Fewer rows, the same log likelihood: microseconds a gradient with all rows and with those left, in one run.

    uv run python benchmarks/reduce.py [rows]

An A/B test: a yes/no outcome (and a count, and an amount) by arm in 40 segments, the arm's effect varying by segment:
80 cells. The last two amounts depend on what each customer spent before, with no two rows alike: 40 segments, or 40 by
25 crossed with shops. Calls take turns and the fastest counts, so that other work on the machine weighs on both alike.
"""

import sys
import time

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt

import bayes_glmm as bg
from bayes_glmm.inference.kernels.fused import fast_likelihood, fused_likelihood
from bayes_glmm.inference.reduce import reduce_rows
from bayes_glmm.model.builder import plain_likelihood

ROUNDS = 30
CASES = [
    ("converted ~ arm + (arm | segment)", "bernoulli", "logit"),
    ("converted ~ arm + (arm | segment)", "bernoulli", "probit"),
    ("visits ~ arm + (arm | segment)", "poisson", "log"),
    ("amount ~ arm + (arm | segment)", "gaussian", "identity"),
    ("amount ~ arm + before + (before | segment)", "gaussian", "identity"),
    ("amount ~ arm + before + (before | segment) + (1 | shop)", "gaussian", "identity"),
]


def trial(rows: int) -> pd.DataFrame:
    """The outcomes of an A/B test."""
    rng = np.random.default_rng(1)
    segment, arm = rng.integers(0, 40, rows), rng.integers(0, 2, rows)
    shop, before = rng.integers(0, 25, rows), rng.normal(size=rows)
    eta = -1.0 + 0.3 * arm + rng.normal(0.0, 0.5, 40)[segment]
    return pd.DataFrame(
        {"arm": np.array(["A", "B"])[arm], "segment": segment, "converted": rng.binomial(1, 1.0 / (1.0 + np.exp(-eta)))}
        | {"visits": rng.poisson(np.exp(eta)), "amount": rng.normal(eta, 1.0), "shop": shop, "before": before}
    )


def gradient(add, model: bg.GLMM):
    """The log likelihood and its gradient in beta, u and the auxiliary parameter, as ``add`` writes it."""
    beta = pt.dvector("beta")
    u = {block.group: pt.dmatrix(f"u_{block.group}") for block in model.design.blocks}
    auxiliary = {name: pt.dscalar(name) for name in model.spec.family.auxiliary}
    with pm.Model(coords={"row": np.arange(len(model.design.y))}) as one:
        add(model.spec, model.design, beta, u, auxiliary)
    inputs = [beta, *u.values(), *auxiliary.values()]
    value = one.logp()
    return pytensor.function(inputs, [value, *pt.grad(value, inputs)], mode="NUMBA", trust_input=True)


def row_by_row(spec, design, beta, u, auxiliary) -> None:
    """The fast likelihood of every row."""
    value = fused_likelihood(spec, design, {"mu": beta}, u, auxiliary)
    if value is None:
        plain_likelihood(spec, design, {"mu": beta}, u, auxiliary)
    else:
        pm.Potential("log_likelihood", value)


def microseconds(function, point: list) -> float:
    """Least time of a call."""
    function(*point)
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - start < 0.01:
        function(*point)
        calls += 1
    return 1e6 * (time.perf_counter() - start) / calls


rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
data = trial(rows)
print(f"{rows:,} rows; us a gradient:   row by row |  reduced |  ratio | rows left, seconds to find them")
for formula, family, link in CASES:
    model = bg.GLMM(formula, data, family=family, link=link)
    start = time.perf_counter()
    left = len(reduce_rows(model.spec, model.design).design.y)
    seconds = time.perf_counter() - start
    rng = np.random.default_rng(2)
    point = [0.3 * rng.normal(size=len(model.design.coefficients))]
    point += [0.3 * rng.normal(size=(len(block.levels), len(block.effects))) for block in model.design.blocks]
    point += [np.array(1.3) for _ in model.spec.family.auxiliary]
    functions = [gradient(add, model) for add in (row_by_row, fast_likelihood)]
    for one, another in zip(*(function(*point) for function in functions), strict=True):
        np.testing.assert_allclose(one, another, rtol=1e-9, atol=1e-9 * np.abs(one).max())
    least = np.min([[microseconds(function, point) for function in functions] for _ in range(ROUNDS)], axis=0)
    print(
        f"{family}, {link}: {formula}\n{'':28s} {least[0]:10.1f} | {least[1]:8.1f} | {least[0] / least[1]:6.0f} | "
        f"{left:,}, {seconds:.3f}",
        flush=True,
    )
