"""Fits against posteriors known without MCMC: parameters, and what they mean once u is integrated out.

A quantity passes when its posterior mean is within 0.10 exact sd, and its sd within 8 %. With an ESS of 1,500 the Monte
Carlo standard error of the mean is 0.026 sd and that of the sd about 1.8 %: both bounds are about four of them, and any
wrong prior, Jacobian or likelihood worth the name is outside.
"""

from __future__ import annotations

import json
from pathlib import Path

import arviz as az
import pandas as pd
import pytest

import bayes_glmm as bg
from tests.statistical.cases import CASES, Case
from tests.statistical.draws import parameter, population_averaged

MEAN_WITHIN = 0.10
SD_RATIO = (0.92, 1.08)
EVERY_WAY = ("spinal A", "seeds A", "cbpp A", "hdp_logit A", "sleepstudy_corr_LKJ1")
ENOUGH = 1_500  # effective draws, without which the bounds above would be noise


@pytest.fixture(scope="session")
def reference(shared: Path) -> dict:
    path = shared / "reference" / "exact_posteriors.json"
    if not path.is_file():
        pytest.skip(f"The exact posteriors are not there: shared/{path.relative_to(shared)}.")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.name, marks=[pytest.mark.slow] * case.slow) for case in CASES]
)
def test_posterior_is_the_exact_one(case: Case, shared: Path, reference: dict) -> None:
    assert_exact(case, shared, reference, "auto", case.draws)


@pytest.mark.slow
@pytest.mark.parametrize("coordinates", ["plain", "whitened"])
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES if case.name in EVERY_WAY])
def test_so_it_is_in_each_of_the_coordinates(case: Case, coordinates: str, shared: Path, reference: dict) -> None:
    assert_exact(case, shared, reference, coordinates, 2 * case.draws)


def assert_exact(case: Case, shared: Path, reference: dict, coordinates: str, count: int) -> None:
    model = bg.GLMM(case.study.formula, case.data(shared), family=case.study.family, priors=case.priors)
    posterior = model.fit(draws=count, seed=1, coordinates=coordinates, progress=False).posterior
    exact = case.exact(reference)
    averaged = [name for name in exact if name.startswith("pa_")]
    assert set(case.study.names) == set(exact) - set(averaged)

    draws = {name: parameter(posterior, ours) for name, ours in case.study.names.items()}
    draws |= population_averaged(posterior, case.study.grid, averaged)
    rows = [
        {
            "quantity": name,
            "exact mean": exact[name]["mean"],
            "mean": float(draws[name].mean()),
            "off by sd": (float(draws[name].mean()) - exact[name]["mean"]) / exact[name]["sd"],
            "sd ratio": float(draws[name].std(ddof=1)) / exact[name]["sd"],
            "ess": float(az.ess(draws[name].to_numpy())),
        }
        for name in exact
    ]
    table = pd.DataFrame(rows).set_index("quantity").round(4)
    text = f"\n{case.name}, {posterior.provenance['seconds']:.0f} s\n{table}"
    assert (table["ess"] >= ENOUGH).all(), text
    assert (table["off by sd"].abs() <= MEAN_WITHIN).all(), text
    assert table["sd ratio"].between(*SD_RATIO).all(), text
