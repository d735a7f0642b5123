import json
from pathlib import Path

import numpy as np
import pytest

import bayes_glmm as bg
from bayes_glmm.likelihood import laplace_log_likelihood, likelihood_of
from tests.approx.reference import LAPLACE, LMER, STUDIES, Case, Fit, reference_cases

SLOW = {True: pytest.mark.slow, False: ()}


def marks(case: Case) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if case.study.slow else []


CASES = [pytest.param(case, id=case.name, marks=marks(case)) for case in reference_cases() if case.nodes == 1]
# lme4 stops its search for the conditional modes at 1e-7 of the deviance, so that its values lie below the Laplace
# approximation: by less than 0.001, but for these. Its standard errors are finite differences of such values.
LME4_LIES_BELOW = {"abortion": 0.25, "hdp remission": 0.04, "epil rows": 0.004}


@pytest.mark.parametrize("case", CASES)
def test_the_value_is_theirs_at_their_estimates(case: Case, shared: Path) -> None:
    model, fit = case.model(shared), case.fit(shared)
    found = laplace_log_likelihood(likelihood_of(model.spec, model.design), fit.parameters)
    below = LME4_LIES_BELOW.get(case.study.name, 1e-3) if case.method == LAPLACE else 1e-4
    assert -2e-5 < found.value - fit.log_likelihood < below


@pytest.mark.parametrize("case", CASES)
def test_the_maximum_is_theirs_or_higher(case: Case, shared: Path) -> None:
    fit, ours = case.fit(shared), bg.approx.laplace(case.model(shared))
    assert ours.converged
    assert bool(ours.messages) == (min(fit.sd.values()) < 1e-3)  # a boundary (singular) fit is said to be one
    if case.method == LAPLACE:
        gap = ours.log_likelihood - fit.log_likelihood
        assert -2e-5 < gap < LME4_LIES_BELOW.get(case.study.name, 0.001)
        # a point that lies lower by the gap is at most sqrt(2 gap) standard errors away
        assert (np.abs(ours.beta - fit.beta) < (1e-3 + np.sqrt(2.0 * max(gap, 0.0))) * ours.standard_errors).all()
        compare_sds(ours, fit, 1e-2)
        if gap < 0.01:
            np.testing.assert_allclose(fit.standard_errors, ours.standard_errors, rtol=0.04)
    else:
        assert fit.log_likelihood == pytest.approx(ours.log_likelihood, abs=2e-5)
        np.testing.assert_allclose(fit.beta, ours.beta, rtol=1e-4, atol=1e-4 * ours.standard_errors.min())
        # lmer takes the variances as known, which their estimates are not quite independent of
        rtol = 2e-3 if case.method == LMER else 1e-4
        np.testing.assert_allclose(fit.standard_errors, ours.standard_errors, rtol=rtol)
        compare_sds(ours, fit, 1e-4)
        assert fit.auxiliary == pytest.approx(ours.parameters.auxiliary, rel=1e-4)


def compare_sds(ours: bg.approx.ApproxFit, fit: Fit, rtol: float) -> None:
    for (group, effect), sd in fit.sd.items():
        found = dict(zip(ours.design.block(group).effects, ours.sd(group), strict=True))
        # a standard deviation of 0 is reached to about the accuracy of the search
        assert sd == pytest.approx(float(found[effect]), rel=rtol, abs=1e-3)


def test_no_reference_fit_of_our_families_is_left_out(shared: Path) -> None:
    reference = json.loads((shared / "reference" / "reference.json").read_text(encoding="utf-8"))
    ours = ("gaussian", "binomial(", "poisson(", "nbinom2(", "beta(")
    expected = {
        (dataset, entry, fit["method"])
        for dataset, content in reference.items()
        if dataset != "_meta"
        for entry, model in enumerate(content["computed"])
        if model["family"].startswith(ours)
        for fit in model["fits"]
        if fit["method"].startswith(("lme4", "glmmTMB", "GLMMadaptive")) and "REML" not in fit["method"]
    }
    assert expected == {(study.dataset, study.entry, method) for study in STUDIES for method in study.methods}
