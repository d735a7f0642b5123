"""Items that cannot be left out are named with their Pareto k, the worst first; those that can are not."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from bayes_glmm.diagnostics import Check
from bayes_glmm.report.html import figure
from bayes_glmm.report.loo_figures import SHOWN, pareto_figure
from tests.report.page import HOSTILE, check_fragment


def found(items: list[str], k: list[float]) -> Check:
    evidence = pd.DataFrame({"item": items, "value": k, "elpd": -np.arange(1.0, len(k) + 1)})
    return Check(
        "loo", "Pareto k, LOO by row", "fail", max(k), 0.7, "below", finding="", evidence=evidence, advice=(), source=""
    )  # fmt: skip


def values(check: Check) -> list[str]:
    return re.findall(r"<title>(.*?)</title>", str(figure(*pareto_figure(check))), re.DOTALL)


def test_those_above_the_threshold_are_named_with_their_values() -> None:
    check = found(["row 7", f"g[{HOSTILE}]", "row 2"], [np.inf, 0.81, 0.5])
    first, second = values(check)
    assert first == "row 7\nPareto k inf, elpd −1"
    assert second.startswith("g[&lt;script&gt;")
    assert second.endswith("\nPareto k 0.81, elpd −2")
    _, alt, _ = pareto_figure(check)
    assert alt.startswith("Pareto k, LOO by row: row 7 inf, g[")
    check_fragment(str(figure(*pareto_figure(check))))


def test_of_very_many_the_worst_are_shown() -> None:
    check = found([f"row {i}" for i in range(90)], np.linspace(1.5, 0.71, 90).tolist())
    assert [f"row {i}" for i in range(SHOWN)] == [text.split("\n")[0] for text in values(check)]
    assert "Of 90, the 20 worst." in pareto_figure(check)[2]
