"""Fits that were saved and loaded, or drawn by a run of a config, against the fit itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from numpy.testing import assert_array_equal

import bayes_glmm as bg


def assert_same_draws(one: bg.Fit, other: bg.Fit) -> None:
    """The same variables with the same dimensions, labels and values, to the bit."""
    a, b = (found.idata["posterior"].to_dataset() for found in (one, other))
    assert set(a.data_vars) == set(b.data_vars)
    for name in a.data_vars:
        assert a[name].dims == b[name].dims
        assert_array_equal(a[name].to_numpy(), b[name].to_numpy(), err_msg=str(name))
    for name in set(a.coords) - {"chain", "draw"}:
        assert a[name].to_numpy().tolist() == b[name].to_numpy().tolist(), name


def assert_same_predictive(one: bg.Fit, other: bg.Fit) -> None:
    """The same replicated responses and log likelihoods of rows, to the bit."""
    replicated = [fit.with_posterior_predictive(10, seed=1).idata["posterior_predictive"] for fit in (one, other)]
    likelihoods = [fit.with_log_likelihood().idata["log_likelihood"] for fit in (one, other)]
    for first, second in (replicated, likelihoods):
        assert_array_equal(first["y"].to_numpy(), second["y"].to_numpy())


def assert_run_draws(fit: bg.Fit, config: str, data: pd.DataFrame, folder: Path, categories: Sequence[str]) -> None:
    """A run of a config over ``rows.csv`` draws what the fit has, and its table of a comparison has the categories."""
    from bayes_glmm.runs.run import run

    data.to_csv(folder / "rows.csv", index=False)
    (folder / "categories.yaml").write_text(config)
    outputs = {"folder": str(folder / "run"), "figures": False, "report": False}
    finished = run(folder / "categories.yaml", overrides={"outputs": outputs})
    assert_same_draws(fit, bg.load(finished.folder / "posterior"))
    table = pd.read_csv(next((finished.folder / "tables").glob("*compare*.csv")))
    assert set(table["category"]) == set(categories)
