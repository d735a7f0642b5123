"""Counts and successes with zeros of their own, or more spread, against glmmTMB's maximum likelihood estimates.

glmmTMB's random effects in both parts are independent, its zero parts are logit zi and logit hu, and its phi is ours:
V = mu (1 + mu / phi) of nbinom2, mu (1 + phi) of nbinom1, the precision of betabinomial, 1 / nu of compois. Its factor
mined begins with "yes".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.likelihood import Parameters, laplace_log_likelihood, likelihood_of

OWLS = "SiblingNegotiation ~ FoodTreatment * SexParent + offset(log(BroodSize)) + (1 | Nest)"
SITE = "count ~ mined + (1 | site)"


def _salamanders(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(mined=pd.Categorical(table["mined"], ["yes", "no"]))


@dataclass(frozen=True)
class Known:
    """A fit of glmmTMB.

    Attributes
    ----------
    dataset : str
    entry : int
        Position among the data set's fits.
    formulas : str or list of str
    family : str
    renamed : mapping
        Coefficients as the reference names them, to ours.
    prepare : function
    """

    dataset: str
    entry: int
    formulas: str | list[str]
    family: str
    renamed: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table


_MINED = {"minedno": "mined[no]", "sppDF": "spp[DF]", "sppDM": "spp[DM]", "sppEC-A": "spp[EC-A]"}
_MINED |= {"sppEC-L": "spp[EC-L]", "sppGP": "spp[GP]", "sppPR": "spp[PR]"}
_FED = {"FoodTreatmentSatiated": "FoodTreatment[Satiated]", "SexParentMale": "SexParent[Male]"}
_FED |= {"FoodTreatmentSatiated:SexParentMale": "FoodTreatment[Satiated]:SexParent[Male]"}


def _of_site(entry: int, formulas: str | list[str], family: str) -> Known:
    return Known("salamanders_glmmTMB", entry, formulas, family, _MINED, _salamanders)


KNOWN = {
    "nbinom1, salamanders": _of_site(0, "count ~ mined + spp + (1 | site)", "negative_binomial_1"),
    "ZIP": _of_site(2, ["count ~ mined + spp + (1 | site)", "zi ~ mined"], "zero_inflated_poisson"),
    "ZINB2": _of_site(3, [SITE, "zi ~ mined"], "zero_inflated_negative_binomial"),
    "ZIP, effects in both parts": _of_site(4, [SITE, "zi ~ mined + (1 | site)"], "zero_inflated_poisson"),
    "hurdle Poisson": _of_site(5, [SITE, "hu ~ mined"], "hurdle_poisson"),
    "hurdle NB2": _of_site(6, [SITE, "hu ~ mined"], "hurdle_negative_binomial"),
    "nbinom1, owls": Known("owls", 0, OWLS, "negative_binomial_1", _FED),
    "ZINB1": Known("owls", 1, [OWLS, "zi ~ 1"], "zero_inflated_negative_binomial_1", _FED),
    "ZINB2, effects in both parts": Known(
        "owls", 4, [OWLS, "zi ~ FoodTreatment + (1 | Nest)"], "zero_inflated_negative_binomial", _FED
    ),
    "hurdle NB2, owls": Known("owls", 5, [OWLS, "hu ~ FoodTreatment"], "hurdle_negative_binomial", _FED),
    "compois": Known(
        "ovary",
        1,
        "follicles ~ s + c + (1 | Mare)",
        "com_poisson",
        prepare=lambda table: table.assign(
            s=np.sin(2.0 * np.pi * table["Time"]), c=np.cos(2.0 * np.pi * table["Time"])
        ),
    ),
    "betabinomial": Known(
        "cbpp",
        0,
        "p(incidence, size) ~ period + (1 | herd)",
        "beta_binomial",
        {f"period{k}": f"period[{k}]" for k in (2, 3, 4)},
        lambda table: table.assign(period=table["period"].astype(str)),
    ),
}


def _model(known: Known, shared: Path) -> bg.GLMM:
    data = known.prepare(pd.read_csv(shared / "data" / f"{known.dataset}.csv"))
    return bg.GLMM(known.formulas, data, known.family)


def _fit(known: Known, shared: Path) -> dict[str, Any]:
    reference = json.loads((shared / "reference" / "reference_families.json").read_text(encoding="utf-8"))
    fits = reference[known.dataset]["computed"][known.entry]["fits"]
    return next(fit for fit in fits if fit["method"].startswith("glmmTMB Laplace"))


def _coefficients(known: Known, fit: Mapping[str, Any], model: bg.GLMM) -> np.ndarray:
    """Theirs in our order, one parameter's after another's."""
    found = []
    for one in model.design.predictors.fixed:
        theirs = fit["coefficients" if one.parameter == "mu" else "coefficients_zi"]
        names = {known.renamed.get(name, name.strip("()")): value for name, value in theirs.items()}
        found += [names[name] for name in one.coefficients]
    return np.array(found)


@pytest.fixture(params=KNOWN)
def case(request: pytest.FixtureRequest, shared: Path) -> tuple[Known, bg.GLMM, dict[str, Any]]:
    known = KNOWN[request.param]
    return known, _model(known, shared), _fit(known, shared)


def test_a_truncated_count_is_the_positive_part_of_a_hurdle(shared: Path) -> None:
    """Their likelihood of a hurdle is that of the zeros, at most that of their shares, times that of the rest."""
    known, fit = KNOWN["hurdle Poisson"], _fit(KNOWN["hurdle Poisson"], shared)
    data = known.prepare(pd.read_csv(shared / "data" / "salamanders_glmmTMB.csv"))
    share = (data["count"] == 0).groupby(data["mined"], observed=True).transform("mean")
    of_zeros = float(np.log(np.where(data["count"] == 0, share, 1.0 - share)).sum())
    model = bg.GLMM(SITE, data[data["count"] > 0], "truncated_poisson")
    beta = _coefficients(known, fit, model)
    (sd,) = fit["sd_ranef"].values()
    found = laplace_log_likelihood(
        likelihood_of(model.spec, model.design), Parameters(beta, {"site": np.array([[sd]])}, {})
    )
    assert found.value + of_zeros == pytest.approx(fit["loglik"], abs=2e-5)


@pytest.mark.slow
def test_the_maximum_is_theirs(case: tuple[Known, bg.GLMM, dict[str, Any]]) -> None:
    known, model, fit = case
    ours = bg.approx.laplace(model)
    singular = min(fit["sd_ranef"].values()) < 1e-3
    assert ours.converged
    assert bool(ours.messages) == singular
    # a search ends where the value lies below the maximum by less than 1e-6; their file has nine digits
    assert ours.log_likelihood == pytest.approx(fit["loglik"], abs=2e-5)
    np.testing.assert_allclose(_coefficients(known, fit, model), ours.beta, atol=2e-3 * ours.standard_errors.max())
    for name, sd in fit["sd_ranef"].items():
        group, effect = name.replace("(", "").replace(")", "").split("|")
        index = ours.design.block(group).effects.index(effect)
        assert ours.sd(group)[index] == pytest.approx(sd, rel=2e-3, abs=1e-3)
    if "dispersion" in fit:
        assert ours.parameters.auxiliary["phi"] == pytest.approx(fit["dispersion"], rel=2e-3)


@pytest.mark.parametrize("name", ["nbinom1, owls", "ZINB1", "compois", "betabinomial", "hurdle NB2", "ZINB2"])
def test_the_value_is_theirs_at_their_estimates(name: str, shared: Path) -> None:
    known = KNOWN[name]
    model, fit = _model(known, shared), _fit(known, shared)
    (block,) = model.design.blocks
    (sd,) = fit["sd_ranef"].values()
    at = Parameters(_coefficients(known, fit, model), {block.group: np.array([[sd]])}, {"phi": fit["dispersion"]})
    found = laplace_log_likelihood(likelihood_of(model.spec, model.design), at)
    assert found.value == pytest.approx(fit["loglik"], abs=2e-5)
