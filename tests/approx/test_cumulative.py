"""Ordered categories by maximum likelihood: clmm, clm and polr on published data, and two ways to write one model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.approx import ApproxFit
from bayes_glmm.likelihood import Parameters, laplace_log_likelihood, layout_of, likelihood_of
from tests.likelihood.test_laplace import differences

WINE = "rating ~ temp + contact + (1 | judge)"
LINKS = ("logit", "probit", "cloglog", "cauchit")
EVERY_LINK = pytest.mark.parametrize("link", LINKS)
SYMMETRIC = pytest.mark.parametrize("link", ["logit", "probit", "cauchit"])
NAMES = {"tempwarm": "temp[warm]", "contactyes": "contact[yes]"}


@pytest.fixture(scope="session")
def wine(shared: Path) -> pd.DataFrame:
    return pd.read_csv(shared / "data" / "wine.csv")


@pytest.fixture(scope="session")
def references(shared: Path) -> Mapping[str, list[dict]]:
    """Fits of wine and housing, those of both files together."""
    found: dict[str, list[dict]] = {}
    for file in ("reference.json", "reference_families.json"):
        entries = json.loads((shared / "reference" / file).read_text(encoding="utf-8"))
        for name in ("wine", "housing"):
            found.setdefault(name, []).extend(entries.get(name, {}).get("computed", []))
    return found


def theirs(fit: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, float]]:
    """Estimates and standard errors by our names."""
    estimates = fit["coefficients"] | (fit.get("thresholds") or {})

    def ours(name: str) -> str:
        name = name.replace("tau", "")
        name = f"{name}|{int(name) + 1}" if name.isdigit() else name
        return f"threshold[{name}]" if "|" in name else NAMES.get(name, name)

    return {ours(key): value for key, value in estimates.items()}, {ours(key): se for key, se in fit["se"].items()}


def table(fit: ApproxFit) -> pd.DataFrame:
    return fit.coefficients_with_errors.set_index("parameter")


def reference(entries: list[dict], family: str, method: str) -> dict:
    (entry,) = [
        fit
        for one in entries
        if one["family"].startswith(family) and "equidistant" not in one["family"] and "scale" not in one["formula"]
        for fit in one["fits"]
        if fit["method"].startswith(method)
    ]
    return entry


def compare(fit: ApproxFit, expected: Mapping[str, Any], within: float, errors: float) -> None:
    """Estimates within a part of their standard errors; these within a part of themselves."""
    found, (estimates, se) = table(fit), theirs(expected)
    assert set(estimates) == set(found.index)
    for name, value in estimates.items():
        assert abs(found["estimate"][name] - value) < within * se[name], name
        assert found["sd"][name] == pytest.approx(se[name], rel=errors), name
    assert fit.log_likelihood == pytest.approx(expected["loglik"], abs=2e-5 if within < 1e-2 else 1e-3)
    (sd,) = expected["sd_ranef"].values()
    assert fit.sd("judge")[0] == pytest.approx(sd, rel=1e-3)


def test_laplace_is_clmm(wine: pd.DataFrame, references: Mapping[str, list[dict]]) -> None:
    """ordinal::clmm with nAGQ = 1; its six digits."""
    expected = reference(references["wine"], "cumulative(logit)", "ordinal::clmm nAGQ=1 logit")
    assert expected["loglik"] == -81.56541
    compare(bg.approx.laplace(bg.GLMM(WINE, wine, "cumulative")), expected, 1e-3, 2e-4)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_quadrature_is_clmm(wine: pd.DataFrame, references: Mapping[str, list[dict]], link: str) -> None:
    """Ten nodes, which are as good as 25; clmm calls the complementary log-log link loglog."""
    name = {"cloglog": "loglog"}.get(link, link)
    expected = reference(references["wine"], f"cumulative({link})", f"ordinal::clmm nAGQ=10 link='{name}'")
    compare(bg.approx.aghq(bg.GLMM(WINE, wine, "cumulative", link), nodes=10), expected, 1e-3, 2e-4)


@EVERY_LINK
def test_quadrature_is_that_of_an_independent_program(
    wine: pd.DataFrame, references: Mapping[str, list[dict]], link: str
) -> None:
    expected = reference(references["wine"], f"cumulative({link})", f"cumulative {link} random intercept, own AGHQ")
    # under cauchit 25 nodes have not converged: both leave an error of the rule
    compare(bg.approx.aghq(bg.GLMM(WINE, wine, "cumulative", link), nodes=25), expected, 1e-3, 1e-3)


@pytest.mark.parametrize("reading", ["conditional", "population_averaged"])
@EVERY_LINK
def test_predicted_probabilities_are_theirs(
    wine: pd.DataFrame, references: Mapping[str, list[dict]], link: str, reading: str
) -> None:
    """At the estimates of 25 nodes: each category at each of four rows, at u = 0 and averaged, and the mean score."""
    (entry,) = [
        one for one in references["wine"] if one["family"].startswith(f"cumulative({link})") and "predictions" in one
        and "own AGHQ" in one["predictions"]["at"]
    ]  # fmt: skip
    expected, rows = entry["predictions"][reading], pd.DataFrame(entry["predictions"]["grid"])
    fit = bg.approx.aghq(bg.GLMM(WINE, wine, "cumulative", link), nodes=25)
    how = {"conditional": "zero", "population_averaged": "integrated"}[reading]
    found = fit.predict(rows, how).table
    assert found["category"].tolist() == list("12345") * 4
    # estimates agree to 1e-5, under cauchit to 1e-4
    atol = 2e-4 if link == "cauchit" else 2e-6
    assert_allclose(found["estimate"].to_numpy().reshape(4, 5), expected["probs"], atol=atol)
    assert_allclose(fit.predict(rows, how, part="mean").table["estimate"], expected["mean_score"], atol=10 * atol)


def test_without_random_effects_it_is_polr(shared: Path, references: Mapping[str, list[dict]]) -> None:
    """MASS::polr on Madsen's housing data, 1,681 tenants; rows are repeated by their frequencies."""
    (expected,) = [
        fit
        for one in references["housing"]
        if one["family"].startswith("cumulative")
        for fit in one["fits"]
        if "polr" in fit["method"]
    ]
    cells = pd.read_csv(shared / "data" / "housing.csv")
    data = cells.loc[cells.index.repeat(cells["Freq"])].reset_index(drop=True)
    orders = {"Sat": ["Low", "Medium", "High"], "Infl": ["Low", "Medium", "High"], "Cont": ["Low", "High"]}
    orders["Type"] = ["Tower", "Apartment", "Atrium", "Terrace"]
    data = data.assign(**{name: pd.Categorical(data[name], levels, ordered=True) for name, levels in orders.items()})
    fit = bg.approx.laplace(bg.GLMM("Sat ~ Infl + Type + Cont", data, "cumulative"))
    found = table(fit)["estimate"]
    for name, value in expected["thresholds"].items():
        assert found[f"threshold[{name}]"] == pytest.approx(value, abs=2e-4)
    for name, value in expected["coefficients"].items():
        column = next(one for one in ("Infl", "Type", "Cont") if name.startswith(one))
        # polr stops its search at 1e-8 of the deviance, some 1e-4 standard errors away
        assert found[f"{column}[{name.removeprefix(column)}]"] == pytest.approx(value, abs=2e-4)
    assert fit.log_likelihood == pytest.approx(expected["loglik"], abs=1e-5)


@cache
def made_up() -> pd.DataFrame:
    rng, n = np.random.default_rng(3), 240
    data = pd.DataFrame(
        {"x": rng.normal(size=n), "f": rng.choice(list("abc"), n), "g": np.arange(n) % 20, "h": np.arange(n) % 7}
    )
    latent = 0.7 * data["x"] + (data["f"] == "b") + 0.9 * rng.normal(size=20)[data["g"]] + rng.logistic(size=n)
    return data.assign(y=np.digitize(latent, [-1.0, 0.0, 0.8, 2.0]) + 1)


FORMULA = "y ~ x + f + (1 | g)"


@EVERY_LINK
@pytest.mark.parametrize("formula", [FORMULA, "y ~ x + (x | g) + (1 | h)"], ids=["one", "several"])
def test_gradient_against_finite_differences(link: str, formula: str) -> None:
    model = bg.GLMM(formula, made_up(), "cumulative", link)
    of = likelihood_of(model.spec, model.design)
    layout = layout_of(of)
    rng = np.random.default_rng(2)
    roots = {block.group: np.diag(rng.uniform(0.4, 0.9, len(block.effects))) for block in of.design.blocks}
    beta = np.append(1.2, rng.normal(0.0, 0.4, len(of.design.coefficients) - 1))
    at = Parameters(beta, roots, dict.fromkeys(of.spec.family.steps, 0.8))
    free = layout.vector(at)
    found = laplace_log_likelihood(of, at)
    assert found.modes.converged

    def value(moved: np.ndarray) -> float:
        return laplace_log_likelihood(of, layout.parameters(moved)).value

    assert_allclose(layout.gradient(found.gradient, at), differences(value, free), rtol=2e-6, atol=3e-6)


@SYMMETRIC
def test_two_categories_are_a_bernoulli_model(link: str) -> None:
    """The same likelihood at the same parameters; the threshold is less the intercept; under priors too."""
    data = made_up().assign(event=lambda d: (d["y"] > 2).astype(int)).assign(y=lambda d: d["event"] + 1)
    priors = {"beta": "Normal(0, 1)", "sd": "HalfNormal(1)"}
    two = bg.GLMM(FORMULA, data, "cumulative", link, priors | {"threshold": "Normal(0.5, 2)"})
    event = bg.GLMM(FORMULA.replace("y", "event"), data, "bernoulli", link, priors | {"Intercept": "Normal(-0.5, 2)"})
    for target in ("likelihood", "posterior"):
        one, other = (bg.approx.laplace(model, target) for model in (two, event))
        assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-8)
        assert_allclose(table(one)["estimate"], table(other)["estimate"] * [-1.0, 1.0, 1.0, 1.0], atol=1e-5)
        assert_allclose(table(one)["sd"], table(other)["sd"], rtol=1e-5)
