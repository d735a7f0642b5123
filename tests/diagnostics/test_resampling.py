"""Draws of importance resampling are judged by their weights and their target; draws of chains are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

import bayes_glmm as bg
from bayes_glmm.diagnostics import check
from bayes_glmm.posterior import Posterior
from tests.diagnostics import made_up


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    formula = "p(favourable, n) ~ treatment + (1 | clinic)"
    model = bg.GLMM(formula, bg.datasets.clinics(), family="binomial", priors={"sd": "HalfNormal(2)"})
    return bg.approx.laplace_posterior(model, draws=256)


def test_resampled_draws_are_asked_nothing_about_chains(posterior: Posterior) -> None:
    found = check(posterior)
    assert {"k_hat", "integration", "mode", "findings", "prior_conflict"} == {each.name for each in found.checks}
    assert found.verdict == "fit to use"
    assert found.meaning == "The draws, resampled around the mode, stand for the posterior: they can be used."
    assert {"rhat", "ess_bulk", "ess_tail", "mcse"} <= {each.name for each in found.skipped}


@pytest.mark.parametrize(
    ("change", "verdict", "advice"),
    [
        ({"k_hat": 0.9}, "do not use", "model.fit()"),
        ({"integration_error": 0.3}, "look", "more nodes"),
        ({"integration_error": 0.9}, "do not use", "more nodes"),
    ],
)
def test_what_is_wrong_decides(posterior: Posterior, change: dict, verdict: str, advice: str) -> None:
    found = check(replace(posterior, provenance=posterior.provenance | change))
    assert verdict == found.verdict
    assert advice in " ".join(found.advice)


def test_without_a_quadrature_there_is_no_integration_error(posterior: Posterior) -> None:
    found = check(replace(posterior, provenance=posterior.provenance | {"integration_error": None}))
    assert "No finer quadrature" in {each.name: each.reason for each in found.skipped}["integration"]


def test_chains_are_not_asked() -> None:
    found = check(replace(made_up.good(), provenance={}))
    assert not {"k_hat", "integration"} & ({c.name for c in found.checks} | {s.name for s in found.skipped})
