"""Adaptive quadrature of models with several formulas, against likelihoods that R maximised with 25 nodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.likelihood import Parameters, laplace_log_likelihood, likelihood_of
from bayes_glmm.likelihood.quadrature import aghq_log_likelihood
from tests.approx.test_zeros_and_spread import _FED, OWLS, SITE, Known, _of_site

KNOWN = {
    "ZIP": _of_site(2, ["count ~ mined + spp + (1 | site)", "zi ~ mined"], "zero_inflated_poisson"),
    "ZINB2": _of_site(3, [SITE, "zi ~ mined"], "zero_inflated_negative_binomial"),
    "hurdle Poisson": _of_site(5, [SITE, "hu ~ mined"], "hurdle_poisson"),
    "hurdle NB2": _of_site(6, [SITE, "hu ~ mined"], "hurdle_negative_binomial"),
    "phi of counts": _of_site(7, [SITE, "phi ~ DOY"], "negative_binomial"),
    "ZINB1, owls": Known("owls", 1, [OWLS, "zi ~ 1"], "zero_inflated_negative_binomial_1", _FED),
    "ZIP, owls": Known("owls", 2, [OWLS, "zi ~ FoodTreatment"], "zero_inflated_poisson", _FED),
    "hurdle NB2, owls": Known("owls", 5, [OWLS, "hu ~ FoodTreatment"], "hurdle_negative_binomial", _FED),
    "phi of counts, owls": Known("owls", 7, [OWLS, "phi ~ FoodTreatment"], "negative_binomial", _FED),
}
FURTHER = {"zi": "zi:", "hu": "zi:", "phi": "disp:"}  # before their names of a further parameter's coefficients


def _case(name: str, shared: Path) -> tuple[bg.GLMM, dict[str, Any], Parameters]:
    """The model, their fit and their estimates."""
    known = KNOWN[name]
    data = known.prepare(pd.read_csv(shared / "data" / f"{known.dataset}.csv"))
    model = bg.GLMM(known.formulas, data, known.family)
    reference = json.loads((shared / "reference" / "reference_families.json").read_text(encoding="utf-8"))
    fits = reference[known.dataset]["computed"][known.entry]["fits"]
    fit = next(one for one in fits if "own AGHQ nAGQ=25" in one["method"])
    beta = []
    for one in model.design.predictors.fixed:
        before = FURTHER.get(one.parameter, "")
        own = {
            key.removeprefix(before): value
            for key, value in fit["coefficients"].items()
            if (key.startswith(before) if before else not key.startswith(tuple(FURTHER.values())))
        }
        theirs = {known.renamed.get(key, key.strip("()")): value for key, value in own.items()}
        beta += [theirs[coefficient] for coefficient in one.coefficients]
    (block,), (sd,) = model.design.blocks, fit["sd_ranef"].values()
    return model, fit, Parameters(np.array(beta), {block.group: np.array([[sd]])}, dict(fit["other_parameters"]))


@pytest.mark.parametrize("name", KNOWN)
def test_the_value_is_theirs_at_their_estimates(name: str, shared: Path) -> None:
    model, fit, at = _case(name, shared)
    of = likelihood_of(model.spec, model.design)
    # their file has nine digits of the estimates and of the value
    assert fit["loglik"] == pytest.approx(aghq_log_likelihood(of, at, nodes=25).value, abs=2e-5)
    assert abs(laplace_log_likelihood(of, at).value - fit["loglik"]) > 1e-4


@pytest.mark.parametrize("name", ["phi of counts", "ZIP, owls"])
def test_the_maximum_is_theirs(name: str, shared: Path) -> None:
    model, fit, at = _case(name, shared)
    ours = bg.approx.aghq(model, nodes=25)
    assert ours.converged
    assert () == ours.messages
    assert ours.log_likelihood == pytest.approx(fit["loglik"], abs=2e-5)
    np.testing.assert_allclose(at.beta, ours.beta, atol=2e-3 * ours.standard_errors.min())
    (block,) = model.design.blocks
    np.testing.assert_allclose(at.L[block.group][0], ours.sd(block.group), rtol=1e-3)
