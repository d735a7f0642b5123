"""Fits by adaptive quadrature against lme4 and GLMMadaptive, and the word of warning where nodes are too few."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import bayes_glmm as bg
from bayes_glmm.likelihood import likelihood_of
from bayes_glmm.likelihood.quadrature import aghq_log_likelihood
from tests.approx.reference import Case, reference_cases, study_named

CASES = [pytest.param(case, id=case.name) for case in reference_cases() if case.nodes > 1]
# lme4 stops its search for the conditional modes at 1e-7 of the deviance; few nodes in wide conditionals feel it
LME4_VALUES = {("abortion", 25): 2e-3, ("hdp stages", 10): 3e-4}
# GLMMadaptive's own search ends up to 0.001 below the maximum: sqrt(0.002) standard errors away, at most
ADAPTIVE_GAP = 1e-3


@cache
def fit(name: str, nodes: int, shared: Path) -> bg.approx.ApproxFit:
    return bg.approx.aghq(study_named(name).model(shared), nodes)


@pytest.mark.parametrize("case", CASES)
def test_the_value_is_theirs_at_their_estimates(case: Case, shared: Path) -> None:
    model, theirs = case.model(shared), case.fit(shared)
    found = aghq_log_likelihood(likelihood_of(model.spec, model.design), theirs.parameters, nodes=case.nodes)
    # estimates are known to 6 digits, values to 5 decimals
    tolerance = LME4_VALUES.get((case.study.name, case.nodes), 2e-5)
    assert theirs.log_likelihood == pytest.approx(found.value, abs=tolerance)


@pytest.mark.parametrize("case", CASES)
def test_the_maximum_is_theirs_or_higher(case: Case, shared: Path) -> None:
    theirs, ours = case.fit(shared), fit(case.study.name, case.nodes, shared)
    assert ours.converged
    gap = ours.log_likelihood - theirs.log_likelihood
    if case.method.startswith("GLMMadaptive"):
        assert -2e-5 < gap < ADAPTIVE_GAP
        assert (np.abs(ours.beta - theirs.beta) < 0.01 * ours.standard_errors).all()
        tolerance = 0.01
    else:
        assert abs(gap) < LME4_VALUES.get((case.study.name, case.nodes), 2e-5)
        assert (np.abs(ours.beta - theirs.beta) < 0.003 * ours.standard_errors).all()
        tolerance = 3e-3 if case.study.name == "abortion" else 1e-4
    np.testing.assert_allclose(theirs.standard_errors, ours.standard_errors, rtol=tolerance)
    for (group, effect), sd in theirs.sd.items():
        effects = ours.design.block(group).effects
        assert sd == pytest.approx(ours.sd(group)[effects.index(effect)], rel=tolerance)


def test_abortion_attitudes_take_a_hundred_nodes(shared: Path) -> None:
    """Where Laplace and 25 nodes are wrong, and say so."""
    laplace = bg.approx.laplace(study_named("abortion").model(shared))
    few, enough = fit("abortion", 25, shared), fit("abortion", 100, shared)
    assert 5.632 == pytest.approx(laplace.sd("person")[0], abs=1e-3)
    assert 9.338 == pytest.approx(few.sd("person")[0], abs=2e-3)
    assert 8.74603 == pytest.approx(enough.sd("person")[0], abs=1e-5)
    assert -2289.25033 == pytest.approx(enough.log_likelihood, abs=1e-5)
    (message,) = few.messages
    assert "25 nodes may be too few" in message
    assert "nodes=50" in message
    assert () == enough.messages
    assert (100, 50) == (enough.details["nodes"], enough.details["coarse_nodes"])


@pytest.mark.parametrize(("name", "nodes"), [("spinal", 8), ("abortion", 50)])
def test_the_change_from_half_the_nodes_is_what_half_the_nodes_give(name: str, nodes: int, shared: Path) -> None:
    coarse, fine = fit(name, nodes // 2, shared), fit(name, nodes, shared)
    likelihood = likelihood_of(fine.spec, fine.design)
    half = aghq_log_likelihood(likelihood, fine.parameters, nodes=nodes // 2).value
    assert fine.log_likelihood - half == pytest.approx(fine.details["log_likelihood_change"], abs=1e-9)
    actual = np.abs(coarse.x - fine.x) / np.sqrt(np.diagonal(fine.covariance))
    # one Newton step: right to its order of magnitude
    assert 0.3 < fine.details["estimate_change"] / actual.max() < 3.0


@pytest.mark.parametrize(("name", "counts"), [("spinal", (2, 4, 8, 15, 25, 35)), ("abortion", (10, 25, 50, 100))])
def test_a_fit_without_a_warning_is_within_a_tenth_of_a_standard_error(
    name: str, counts: tuple[int, ...], shared: Path
) -> None:
    exact = fit(name, 200, shared)
    found = {nodes: fit(name, nodes, shared) for nodes in counts}
    errors = np.sqrt(np.diagonal(exact.covariance))
    quiet = [np.abs((one.x - exact.x) / errors).max() for one in found.values() if not one.messages]
    assert 0 < len(quiet) < len(counts)
    assert max(quiet) < 0.1


def test_crossed_factors_are_refused(shared: Path) -> None:
    with pytest.raises(bg.SpecError, match=r"crossed.*laplace"):
        bg.approx.aghq(study_named("salamander_mating").model(shared))


def test_without_random_effects_it_is_the_plain_regression() -> None:
    model = bg.GLMM("p(germinated, n) ~ seed + extract", bg.datasets.seeds(), family="binomial")
    expected, found = bg.approx.laplace(model), bg.approx.aghq(model)
    np.testing.assert_allclose(found.x, expected.x, rtol=1e-8)
    assert expected.log_likelihood == pytest.approx(found.log_likelihood)


@pytest.mark.parametrize("dataset", ["webworms", "cbpp rows", "oats_splitplot"])
def test_nested_factors_have_a_higher_likelihood_than_neighbours(dataset: str, shared: Path) -> None:
    """A maximum, and one near Laplace's where groups have many rows."""
    model = study_named(dataset).model(shared)
    found = bg.approx.aghq(model, nodes=9)
    assert found.converged
    likelihood = likelihood_of(model.spec, model.design)
    for j in range(len(found.x)):
        for step in (-0.2, 0.2):
            move = step * np.sqrt(found.covariance[j, j]) * np.eye(len(found.x))[j]
            near = aghq_log_likelihood(likelihood, found.layout.parameters(found.x + move), nodes=9)
            assert near.value < found.log_likelihood
    laplace = bg.approx.laplace(model)
    assert laplace.log_likelihood == pytest.approx(found.log_likelihood, abs=1.0)


def test_the_posterior_mode_is_pulled_by_its_priors() -> None:
    data = bg.datasets.clinics()
    free = bg.GLMM("p(favourable, n) ~ treatment + (1 | clinic)", data, family="binomial")
    tight = bg.GLMM(
        "p(favourable, n) ~ treatment + (1 | clinic)", data, family="binomial", priors={"sd": "HalfNormal(0.1)"}
    )
    likelihood, posterior = bg.approx.aghq(free), bg.approx.aghq(tight, target="posterior")
    assert posterior.converged
    assert posterior.sd("clinic")[0] < 0.5 < likelihood.sd("clinic")[0]
    assert "maximum a posteriori" in posterior.method
    assert posterior.messages == ()
