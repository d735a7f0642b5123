"""Fused likelihoods against PyTensor: microseconds a gradient of the log likelihood, and their ratio, in one run.

    uv run python benchmarks/kernels.py [hdp.csv]

Rows and predictors of the hospital data with made-up responses, one for each usual family and link; one grouping
factor (407 doctors), and for the first entry crossed factors too. Three ways to the log likelihood and its gradient in
beta, u and the auxiliary parameter: all PyTensor; eta by PyTensor and a fused likelihood; X, Z and the likelihood
fused. Calls take turns and the fastest counts, so that other work on the machine weighs on all three alike.
"""

import sys
import time

import numpy as np
import pytensor
import pytensor.tensor as pt

import bayes_glmm as bg
from bayes_glmm.datasets import hospital
from bayes_glmm.families import get_family
from bayes_glmm.inference.densities.ahead import COMMON_PAIRS
from bayes_glmm.inference.kernels.fused import fused_likelihood, fused_likelihood_of_eta
from bayes_glmm.model.builder import linear_predictor
from bayes_glmm.numerics.functions import pytensor_functions

ROUNDS, CALLS = 60, 20


def model_of(family: str, link: str, groups: str) -> bg.GLMM:
    """The model of a family for the hospital data, its response made up where there is none."""
    data, rng = hospital(*sys.argv[1:]), np.random.default_rng(1)
    rows = len(data)
    data = data.assign(
        binary=data["remission"],
        trials=10,
        successes=rng.binomial(10, 0.3, rows),
        count=data["ntumors"],
        positive=rng.gamma(2.0, 1.0, rows),
        real=rng.normal(0.0, 1.0, rows),
        ward=rng.integers(0, 200, rows),
    )
    response = get_family(family).response.name
    left = "p(successes, trials)" if response == "successes" else response
    return bg.GLMM(f"{left} ~ scale(Age) + Married + scale(IL6) + {groups}", data, family=family, link=link)


def ways(model: bg.GLMM) -> dict:
    """The same function three times."""
    spec, design = model.spec, model.design
    beta = pt.dvector("beta")
    u = {block.group: pt.dmatrix(f"u_{block.group}") for block in design.blocks}
    auxiliary = {name: pt.dscalar(name) for name in spec.family.auxiliary}
    eta = linear_predictor(design.predictors.location, design.blocks, beta, u)
    f = pytensor_functions()
    values = {
        "PyTensor": spec.family.log_density(design.observed, spec.at({"mu": eta}, auxiliary, f), f).sum(),
        "fused from eta": fused_likelihood_of_eta(spec, design, {"mu": eta}, auxiliary),
        "all fused": fused_likelihood(spec, design, {"mu": beta}, u, auxiliary),
    }
    inputs = [beta, *u.values(), *auxiliary.values()]
    return {
        name: pytensor.function(inputs, [value, *pt.grad(value, inputs)], mode="NUMBA", trust_input=True)
        for name, value in values.items()
    }


def microseconds(functions: dict, point: list) -> dict:
    """Least time of a call of each."""
    least = dict.fromkeys(functions, np.inf)
    for _ in range(ROUNDS):
        for name, function in functions.items():
            function(*point)  # what the others left in the caches is not its doing
            start = time.perf_counter()
            for _ in range(CALLS):
                function(*point)
            least[name] = min(least[name], 1e6 * (time.perf_counter() - start) / CALLS)
    return least


print(f"{'us a gradient':52s} PyTensor | fused from eta    | all fused         | eta / all")
for number, (family, link) in enumerate(COMMON_PAIRS):
    for groups in ["(1 | DID)"] + ["(1 + scale(Age) | DID)", "(1 | DID) + (1 | ward) + (1 | HID)"] * (number == 0):
        model = model_of(family, link, groups)
        rng = np.random.default_rng(2)
        point = [0.3 * rng.normal(size=len(model.design.coefficients))]
        point += [rng.normal(size=(len(block.levels), len(block.effects))) for block in model.design.blocks]
        point += [np.array(1.3) for _ in model.spec.family.auxiliary]
        functions = ways(model)
        expected, *others = (function(*point) for function in functions.values())
        for other in others:
            for one, another in zip(expected, other, strict=True):
                np.testing.assert_allclose(one, another, rtol=1e-10, atol=1e-10 * np.abs(one).max())
        plain, eta, fused = microseconds(functions, point).values()
        print(
            f"{family + ', ' + link + ', ' + groups:52s} {plain:8.0f} | {eta:6.0f} ({plain / eta:4.1f} x) "
            f"| {fused:6.0f} ({plain / fused:4.1f} x) | {eta / fused:.2f}",
            flush=True,
        )
