"""Penalised quasi-likelihood: equal to REML where it is REML, to its own equations and published fits elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

import bayes_glmm as bg
from bayes_glmm.approx.henderson import Criterion
from bayes_glmm.approx.pql import Dispersion
from bayes_glmm.approx.working import working_model
from bayes_glmm.errors import EstimationError, SpecError
from bayes_glmm.likelihood import likelihood_of
from tests.approx import dense
from tests.approx.reference import AGHQ25, LMER, STUDIES, Case, Study

Transform = Callable[[np.ndarray], np.ndarray]
STUDY = {study.name: study for study in STUDIES}
REML = "lme4::lmer REML"
GAUSSIAN = ("sleepstudy", "sleepstudy uncorrelated", "sleepstudy intercepts", "oats_splitplot", "hdp mobility")


@pytest.mark.parametrize("method", [REML, LMER])
@pytest.mark.parametrize("name", GAUSSIAN)
def test_gaussian_responses_have_lme4s_estimates(name: str, method: str, shared: Path) -> None:
    fit = Case(STUDY[name], method).fit(shared)
    ours = bg.approx.pql(fit.model, "REML" if method == REML else "ML")
    assert ours.converged
    assert ours.messages == ()
    assert fit.raw["loglik"] == pytest.approx(ours.details["working_log_likelihood"], abs=2e-5)
    np.testing.assert_allclose(fit.beta, ours.beta, rtol=1e-5, atol=1e-4 * ours.standard_errors.min())
    np.testing.assert_allclose(fit.standard_errors, ours.standard_errors, rtol=1e-4)
    for (group, effect), sd in fit.sd.items():
        found = dict(zip(ours.design.block(group).effects, ours.sd(group), strict=True))
        assert sd == pytest.approx(found[effect], rel=1e-4)
    assert fit.auxiliary == pytest.approx(ours.parameters.auxiliary, rel=1e-4)
    if fit.corr is not None:
        G = ours.G("Subject")
        assert fit.corr == pytest.approx(G[0, 1] / np.sqrt(G[0, 0] * G[1, 1]), abs=1e-4)


def test_balanced_groups_have_the_variances_of_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(3)
    groups, rows = 12, 5
    y = rng.normal(size=(groups, 1)) + rng.normal(size=(groups, rows))
    g = np.repeat(np.arange(groups), rows).astype(str)
    found = bg.approx.pql(bg.GLMM("y ~ 1 + (1 | g)", pd.DataFrame({"y": y.ravel(), "g": g})))
    within = y.var(axis=1, ddof=1).mean()
    between = rows * y.mean(axis=1).var(ddof=1)
    assert np.sqrt(within) == pytest.approx(found.parameters.auxiliary["sigma"], rel=1e-4)
    assert np.sqrt((between - within) / rows) == pytest.approx(found.sd("g")[0], rel=1e-4)
    # mean squares are independent, of variance 2 ms^2 / df
    variances = 2 * np.array([between**2 / (groups - 1), within**2 / (groups * (rows - 1))])
    assert np.sqrt(variances[1]) / (2 * within) == pytest.approx(np.sqrt(found.covariance[2, 2]), rel=1e-3)
    error = np.sqrt(variances.sum()) / rows / (2 * found.sd("g")[0])
    assert error == pytest.approx(np.sqrt(found.covariance[1, 1]), rel=1e-3)


@dataclass(frozen=True)
class Fixed:
    """A model whose estimates are checked against the equations they solve."""

    study: str
    family: str
    link: str
    criterion: Criterion = "REML"
    dispersion: Dispersion = "family"

    def fit(self, shared: Path) -> tuple[bg.GLMM, bg.approx.ApproxFit]:
        study: Study = STUDY[self.study]
        model = bg.GLMM(study.formula, study.model(shared).design.data, self.family, link=self.link)
        return model, bg.approx.pql(model, self.criterion, self.dispersion)


# mean, its slope and the variance at a dispersion of 1, by link and by family
MEAN: dict[str, Transform] = {"logit": special.expit, "cloglog": lambda eta: 1 - np.exp(-np.exp(eta)), "log": np.exp}
SLOPE: dict[str, Transform] = {
    "logit": lambda eta: np.exp(-eta) / (1 + np.exp(-eta)) ** 2,
    "cloglog": lambda eta: np.exp(eta) * np.exp(-np.exp(eta)),
    "log": np.exp,
}
VARIANCE: dict[str, Transform] = {
    "bernoulli": lambda mu: mu * (1 - mu),
    "binomial": lambda mu: mu * (1 - mu),
    "poisson": lambda mu: mu,
    "gamma": lambda mu: mu**2,
    "gaussian": lambda mu: 1 + 0 * mu,
}
FIXED = [
    Fixed("salamander_mating", "bernoulli", "logit"),
    Fixed("salamander_mating", "bernoulli", "logit", "ML"),
    Fixed("cbpp", "binomial", "logit"),
    Fixed("cbpp", "binomial", "logit", "ML"),
    Fixed("seeds", "binomial", "cloglog"),
    Fixed("seeds", "binomial", "logit", "ML", "estimate"),
    Fixed("epil slopes", "poisson", "log"),
    Fixed("epil", "poisson", "log", "REML", "estimate"),
    Fixed("sleepstudy", "gamma", "log"),
    Fixed("sleepstudy intercepts", "gaussian", "log", "ML"),
]


@pytest.mark.parametrize("case", FIXED, ids=lambda case: " ".join(vars(case).values()))
def test_estimates_solve_the_equations_of_their_own_working_response(case: Fixed, shared: Path) -> None:
    model, found = case.fit(shared)
    assert found.converged
    design, effects = model.design, found.random_effects
    assert effects is not None
    Z, u = dense.incidence(design), dense.stacked(design, effects.u)
    eta = design.X @ found.beta + Z @ u
    mu, slope = MEAN[case.link](eta), SLOPE[case.link](eta)
    trials = 1.0 if design.trials is None else design.trials
    t = eta + (design.y / trials - mu) / slope
    variance = VARIANCE[case.family](mu) / (trials * slope**2)
    layout, k = found.layout, found.layout.theta.stop - found.layout.theta.start

    def linear(x: np.ndarray) -> tuple[dense.LinearModel, np.ndarray]:
        parameters = layout.parameters(np.concatenate([found.beta, x[:k], np.zeros(len(layout.auxiliary))]))
        G = dense.covariance(design, {block.group: parameters.G(block.group) for block in design.blocks})
        return dense.LinearModel(t, design.X, np.diag(np.exp(x[k]) * variance) + Z @ G @ Z.T), G

    dispersion = found.details["dispersion"]
    assert isinstance(dispersion, float)
    at = np.append(found.x[layout.theta], np.log(dispersion))
    expected, G = linear(at)
    # ours is that of the working response one step before, which was the last
    assert expected.log_likelihood(case.criterion) == pytest.approx(found.details["working_log_likelihood"], abs=1e-5)
    np.testing.assert_allclose(expected.beta, found.beta, rtol=1e-4, atol=1e-4 * found.standard_errors.min())
    np.testing.assert_allclose(np.sqrt(np.diagonal(expected.covariance)), found.standard_errors, rtol=1e-4)
    np.testing.assert_allclose(G @ Z.T @ expected.scaled_residuals, u, rtol=1e-3, atol=1e-3 * np.abs(u).max())

    free = k + (case.dispersion == "estimate" or bool(layout.auxiliary))
    assert (free > k) or dispersion == 1.0
    start = np.append(1.3 * at[:k], at[k] + 0.2)[:free]

    def loss(x: np.ndarray) -> float:
        return -linear(np.append(x, at[free:]))[0].log_likelihood(case.criterion)

    search = optimize.minimize(loss, start)
    at_end = np.concatenate([found.beta, search.x[:k], np.zeros(len(layout.auxiliary))])
    theirs = np.append(layout.with_positive_diagonal(at_end)[layout.theta], search.x[k:])
    np.testing.assert_allclose(theirs, at[:free], rtol=2e-3, atol=2e-3 * np.abs(at[:free]).max())


@pytest.mark.parametrize(
    ("name", "beta", "errors", "sds"),
    [
        # Breslow & Clayton (1993, JASA 88, 9-25): the seeds, and all salamanders together with variances .72 and .63
        ("seeds", [-0.542, 0.077, 1.339, -0.825], [0.190, 0.308, 0.270, 0.430], {"plate": 0.313}),
        (
            "salamander_mating effects",
            [0.79, -2.29, -0.54, 2.82],
            [0.32, 0.43, 0.39, 0.50],
            {"Female": np.sqrt(0.72), "Male": np.sqrt(0.63)},
        ),
    ],
)
def test_estimates_are_those_published(
    name: str, beta: list[float], errors: list[float], sds: dict[str, float], shared: Path
) -> None:
    found = bg.approx.pql(STUDY[name].model(shared))
    digits = 1e-3 if name == "seeds" else 1e-2  # half a unit of the last digit, and theirs stopped earlier
    np.testing.assert_allclose(beta, found.beta, atol=digits)
    np.testing.assert_allclose(errors, found.standard_errors, atol=digits)
    for group, sd in sds.items():
        assert sd == pytest.approx(found.sd(group)[0], abs=digits)


def test_binary_pairs_show_the_bias(shared: Path) -> None:
    exact = Case(STUDY["spinal"], AGHQ25).fit(shared)
    found = bg.approx.pql(exact.model)
    laplace = bg.approx.laplace(exact.model)
    (true,) = exact.sd.values()
    assert found.sd("patient")[0] < 0.5 * true < laplace.sd("patient")[0]
    assert abs(found.beta[1]) < 0.6 * abs(exact.beta[1])
    (message,) = found.messages
    assert message.startswith("About 2 binary responses a level of patient")


@pytest.mark.parametrize(("rows", "low", "high"), [(2, 0.5, 0.7), (5, 0.7, 0.85), (50, 0.93, 1.0)])
def test_the_bias_is_that_of_few_responses_a_group_not_of_few_groups(rows: int, low: float, high: float) -> None:
    rng = np.random.default_rng(rows)
    groups = 10_000 // rows
    g = np.repeat(np.arange(groups), rows)
    y = rng.binomial(1, special.expit(0.3 + rng.normal(size=groups)[g]))
    u = pd.DataFrame({"y": y, "g": g.astype(str)})
    found = bg.approx.pql(bg.GLMM("y ~ 1 + (1 | g)", u, "bernoulli"))
    assert low < found.sd("g")[0] < high  # it is 1
    assert bool(found.messages) == (rows < 10)


def coin(**columns: np.ndarray) -> pd.DataFrame:
    rng = np.random.default_rng(12)
    g = np.repeat(np.arange(20), 15)
    x = rng.normal(size=300)
    y = rng.binomial(1, special.expit(0.3 * x))
    return pd.DataFrame({"g": g.astype(str), "level": g, "x": x, "y": y}).assign(**columns)


def test_a_standard_deviation_of_0_leaves_the_generalised_linear_model() -> None:
    # every group has the same responses: less spread than chance makes
    same = coin(y=np.tile(np.arange(15) % 2, 20))
    found = bg.approx.pql(bg.GLMM("y ~ x + (1 | g)", same, "bernoulli"))
    without = bg.approx.pql(bg.GLMM("y ~ x", same, "bernoulli"))
    assert found.converged
    assert found.sd("g")[0] < 1e-4
    (message,) = found.messages
    assert message.startswith("The standard deviation of Intercept by g is estimated as 0")
    np.testing.assert_allclose(without.beta, found.beta, rtol=1e-6)
    np.testing.assert_allclose(without.standard_errors, found.standard_errors, rtol=1e-6)
    # and that one has the maximum likelihood and the Fisher information
    X = np.column_stack([np.ones(300), same["x"]])
    mu = special.expit(X @ without.beta)
    np.testing.assert_allclose(X.T @ (same["y"] - mu), 0.0, atol=1e-6)
    errors = np.sqrt(np.diagonal(np.linalg.inv(X.T @ ((mu * (1 - mu))[:, None] * X))))
    np.testing.assert_allclose(errors, without.standard_errors, rtol=1e-6)


def test_overdispersion_is_pearsons_where_there_are_no_groups() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=400)
    y = rng.poisson(rng.gamma(2.0, np.exp(1.0 + 0.3 * x) / 2.0))
    found = bg.approx.pql(bg.GLMM("y ~ x", pd.DataFrame({"x": x, "y": y}), "poisson"), dispersion="estimate")
    mu = np.exp(found.beta[0] + found.beta[1] * x)
    assert np.sum((y - mu) ** 2 / mu) / 398 == pytest.approx(found.details["dispersion"], rel=1e-4)


def test_effects_follow_from_a_fit(shared: Path) -> None:
    found = bg.approx.pql(STUDY["cbpp"].model(shared))
    posterior = found.posterior
    np.testing.assert_allclose(found.standard_errors, posterior.beta.std(axis=0), rtol=0.1)
    sd = np.sqrt(posterior.G("herd")[:, 0, 0])
    assert np.sqrt(found.covariance[4, 4]) == pytest.approx(sd.std(), rel=0.1)
    assert found.random_effects is not None
    errors = np.sqrt(found.random_effects.covariance["herd"][:, 0, 0])
    np.testing.assert_allclose(errors, posterior.u("herd")[:, :, 0].std(axis=0), rtol=0.12)
    table = found.compare("period", random_effects="integrated").table
    assert np.isfinite(table["estimate"]).all()
    assert np.isnan(found.log_likelihood)


def test_variances_that_do_not_settle_are_said(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["bayes_glmm.approx.pql"], "ITERATIONS", 1)
    found = bg.approx.pql(STUDY["spinal"].model(shared))
    assert not found.converged
    assert found.messages[0] == "Not converged: variances and modes still move each other after 1 iterations."


def test_shorter_steps_end_a_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    g = list("3741474859253532067171944776196706363821")
    x = np.fromstring(
        "7.7 10.3 -12.7 9.7 -8.1 6.1 4.3 -17 -13.4 9.2 -6.1 -15.7 -22 -1.9 13 -15.8 -4.2 10.7 -16.5 -14.3 "
        "-4.4 -1.8 -14.3 15 -5.9 0.2 7 0.1 4 0.2 23.8 7.9 -2.7 3.3 17.9 -2.3 -18 20.3 0.6 6.3",
        sep=" ",
    )
    y = np.isin(np.arange(40), [0, 1, 7, 13, 19, 22, 26, 32]).astype(int)
    model = bg.GLMM("y ~ x + (x | g)", pd.DataFrame({"x": x, "y": y, "g": g}), "poisson")
    assert bg.approx.pql(model, dispersion="estimate").converged
    monkeypatch.setattr(sys.modules["bayes_glmm.approx.pql"], "FULL_STEPS", 1000)
    assert not bg.approx.pql(model, dispersion="estimate").converged


def test_columns_that_separate_have_no_estimate() -> None:
    apart = coin(y=(coin()["x"] > 0).to_numpy().astype(int))
    with pytest.raises(EstimationError, match="x separates all failures from all successes"):
        bg.approx.pql(bg.GLMM("y ~ x + (1 | g)", apart, "bernoulli"))


def test_groups_without_a_mixture_of_zeros_and_ones_have_no_standard_deviation() -> None:
    found = bg.approx.pql(bg.GLMM("y ~ x + (1 | g)", coin(y=coin()["level"].to_numpy() % 2), "bernoulli"))
    assert not found.converged
    assert "Every level of g has only successes or only failures" in found.messages[0]


def test_a_working_response_that_is_not_finite_stops() -> None:
    model = bg.GLMM("y ~ x + (1 | g)", coin(), "poisson")
    eta = np.zeros(300)
    eta[[4, 7]] = 800.0
    with pytest.raises(EstimationError, match=r"The working response is not finite.*rows 4, 7"):
        working_model(likelihood_of(model.spec, model.design), eta)


@pytest.mark.parametrize("family", ["negative_binomial", "student_t", "beta"])
def test_families_without_a_quasi_likelihood_are_refused(family: str) -> None:
    fraction = (coin()["y"].to_numpy() + 1.0) / 4.0
    model = bg.GLMM("y ~ x + (1 | g)", coin(y=fraction) if family == "beta" else coin(), family)
    with pytest.raises(SpecError, match=rf"no {family} family.*bg\.approx\.laplace"):
        bg.approx.pql(model)


def test_unknown_choices_are_refused() -> None:
    model = bg.GLMM("y ~ x + (1 | g)", coin(), "bernoulli")
    with pytest.raises(SpecError, match=r"no criterion 'reml'\. Valid: 'REML', 'ML'"):
        bg.approx.pql(model, "reml")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="no dispersion 'fixed'"):
        bg.approx.pql(model, dispersion="fixed")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="Binary responses have no over-dispersion"):
        bg.approx.pql(model, dispersion="estimate")
