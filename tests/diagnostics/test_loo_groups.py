"""Groups integrated out against brute force, and leave-one-group-out against exact answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike
from scipy import special, stats

from bayes_glmm.diagnostics import Check, Skipped, loo_by_group, loo_groups
from bayes_glmm.diagnostics.group_likelihood import GroupLikelihood
from bayes_glmm.errors import SpecError
from bayes_glmm.likelihood import Parameters, likelihood_of
from bayes_glmm.likelihood.quadrature import aghq_log_likelihood
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.diagnostics import made_up

FIRST = np.arange(1)


def small(
    family: str, link: str | None = None, formula: str = "y ~ x + (1 | g)", G: ArrayLike | None = None, seed: int = 0
) -> Posterior:
    """One draw of a model with four groups: one of a single row, one of ones and large counts only."""
    rng = np.random.default_rng(seed)
    g = np.repeat([0, 1, 2, 3], [6, 1, 9, 5])
    x = rng.normal(size=g.size)
    y = {
        "gaussian": rng.normal(size=g.size),
        "student_t": np.where(g == 2, 9.0, rng.normal(size=g.size)),
        "bernoulli": np.where(g == 2, 1, rng.integers(0, 2, g.size)),
        "binomial": np.where(g == 2, 7, rng.integers(0, 8, g.size)),
        "poisson": np.where(g == 2, 60, rng.poisson(2.0, g.size)),
        "negative_binomial": rng.poisson(3.0, g.size),
        "gamma": rng.gamma(2.0, size=g.size),
        "beta": rng.beta(2.0, 2.0, size=g.size),
    }[family]
    data = pd.DataFrame({"y": y, "x": x, "w": rng.normal(size=g.size), "g": g, "h": np.arange(g.size) % 3, "n": 7})
    formula = formula.replace("y ~", "p(y, n) ~") if family == "binomial" else formula
    spec = ModelSpec.from_formula(formula, family, link)
    auxiliary = {name: {"sigma": 0.7, "phi": 3.0, "nu": 4.0}[name] for name in spec.family.auxiliary}
    covariances: dict[str, ArrayLike] = {"g": [[0.9]] if G is None else G}
    covariances |= {"h": [[0.4]]} if "| h" in formula else {}
    u = {"h": rng.normal(size=(3, 1))} if "| h" in formula else {}
    return posterior_at(spec, data, [0.3, -0.5], covariances, auxiliary, u)


def brute_force(posterior: Posterior, level: int, points: np.ndarray, cell: float) -> float:
    """The log of the sum of p(y_j | u = L t) phi(t) over a fine grid of points t [point, effect]."""
    design, block = posterior.design, posterior.design.block("g")
    rows = block.index == level
    u = points @ np.linalg.cholesky(posterior.G("g")[0]).T
    eta = design.X[rows] @ posterior.beta[0] + u @ block.values[rows].T
    aux = {name: value[0] for name, value in posterior.auxiliary.items()}
    at, observed = posterior.spec.at({"mu": eta}, aux, NUMPY), design.observed[rows]
    with np.errstate(all="ignore"):  # far out on the grid densities are 0
        density = posterior.spec.family.log_density(observed, at, NUMPY).sum(axis=1)
    return float(special.logsumexp(density + stats.norm.logpdf(points).sum(axis=1)) + np.log(cell))


@pytest.mark.parametrize("sd", [0.05, 1.0, 6.0])
@pytest.mark.parametrize(
    ("family", "link"),
    [
        ("bernoulli", "logit"), ("bernoulli", "cauchit"), ("binomial", "probit"), ("binomial", "cloglog"),
        ("poisson", "log"), ("negative_binomial", "log"), ("gamma", "log"), ("beta", "logit"),
    ],
)  # fmt: skip
def test_one_effect_is_the_brute_force_integral(family: str, link: str, sd: float) -> None:
    posterior = small(family, link, G=[[sd**2]])
    found = GroupLikelihood(posterior, posterior.design.block("g")).log(FIRST)[0]
    grid = np.linspace(-60, 60, 120_001)[:, None]
    expected = [brute_force(posterior, level, grid, 0.001) for level in range(4)]
    # 21 nodes; the worst are groups of ones only under sd 6, whose integrands have one steep and one flat side
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.02 if sd > 1 else 1e-3)


@pytest.mark.parametrize("family", ["bernoulli", "poisson"])
def test_two_effects_are_the_brute_force_integral(family: str) -> None:
    posterior = small(family, formula="y ~ x + (x | g)", G=[[0.8, 0.3], [0.3, 0.5]])
    found = GroupLikelihood(posterior, posterior.design.block("g")).log(FIRST)[0]
    axis = np.linspace(-8, 8, 641)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    expected = [brute_force(posterior, level, grid, 0.025**2) for level in range(4)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3)  # 11 nodes an effect


def test_an_integral_that_does_not_settle_is_no_evidence() -> None:
    """Negative responses under a log link: the likelihood is flat towards minus infinity, the integrand not a bell."""
    one = small("gaussian", "log", G=[[36.0]])
    found = GroupLikelihood(one, one.design.block("g"))
    grid = np.linspace(-60, 60, 120_001)[:, None]
    truth = [brute_force(one, level, grid, 0.001) for level in range(4)]
    assert found.error(FIRST) > loo_groups.ERROR
    assert np.abs(found.log(FIRST)[0] - truth).max() > loo_groups.ERROR
    many = posterior_at(one.spec, one.design.data, np.tile([0.3, -0.5], (200, 1)), {"g": [[36.0]]}, {"sigma": 0.7})
    answer = loo_groups.check_loo_groups(many)
    assert isinstance(answer, Skipped)
    assert "The quadrature over the effects of g is off by" in answer.reason


def test_three_effects_settle() -> None:
    posterior = small("poisson", formula="y ~ x + (x + w || g)", G=np.diag([0.5, 0.3, 0.2]))
    assert GroupLikelihood(posterior, posterior.design.block("g")).error(FIRST) < 1e-3


@pytest.mark.parametrize("G", [[[0.8, 0.3], [0.3, 0.5]], [[1.0, 1.0], [1.0, 1.0]]], ids=["regular", "singular"])
def test_gaussian_groups_have_their_closed_form(G: list[list[float]]) -> None:
    """y_j ~ N(eta, Z G Z' + sigma² I), the effects of the other factor at their draws."""
    posterior = small("gaussian", formula="y ~ x + (x | g) + (1 | h)", G=G)
    design, block, other = posterior.design, posterior.design.block("g"), posterior.design.block("h")
    found = GroupLikelihood(posterior, block).log(FIRST)[0]
    eta = design.X @ posterior.beta[0] + posterior.u("h")[0, other.index, 0]
    for level in range(4):
        rows = block.index == level
        Z = block.values[rows]
        expected = stats.multivariate_normal.logpdf(design.y[rows], eta[rows], Z @ G @ Z.T + 0.49 * np.eye(rows.sum()))
        assert expected == pytest.approx(found[level], abs=1e-8)


def test_quadrature_of_a_gaussian_model_is_its_closed_form() -> None:
    posterior = small("gaussian")
    block = posterior.design.block("g")
    # Student's t with a million degrees of freedom is Gaussian, and has no closed form here
    heavy = small("student_t")
    drawn = heavy.draws["posterior"].to_dataset().assign(nu=(("chain", "draw"), [[1e6]]))
    same = replace(made_up.with_draws(heavy, drawn), design=posterior.design)
    np.testing.assert_allclose(
        GroupLikelihood(posterior, block).log(FIRST), GroupLikelihood(same, block).log(FIRST), atol=1e-4
    )


def test_gaussian_groups_left_out_have_their_exact_density() -> None:
    """Flat prior on mu, sigma and G known: the others' rows make mu normal, and y_j normal about it."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(12), 5)
    y = rng.normal(size=12)[g] + rng.normal(size=60)
    spec = ModelSpec.from_formula("y ~ 1 + (1 | g)")
    means, variance = y.reshape(12, 5).mean(axis=1), 1.0 + 1.0 / 5
    mu = means.mean() + np.sqrt(variance / 12) * rng.normal(size=(1000, 1))
    posterior = posterior_at(spec, pd.DataFrame({"y": y, "g": g}), mu, {"g": [[1.0]]}, {"sigma": 1.0})
    others = (means.sum() - means) / 11
    V = np.eye(5) + 1.0 + variance / 11
    expected = [stats.multivariate_normal.logpdf(y[g == j], np.full(5, others[j]), V) for j in range(12)]
    found = loo_by_group(posterior)
    # importance sampling from 1000 draws: an error of about sd(weights) / sqrt(1000) = 0.02
    np.testing.assert_allclose(expected, found.pointwise["elpd"], atol=0.05)
    assert sum(expected) == pytest.approx(found.elpd, abs=0.1)
    assert not found.failing


def test_binomial_groups_left_out_have_their_exact_density() -> None:
    """One intercept on a grid, sd known: p(y_j | y_-j) by brute force, draws from the grid's posterior."""
    rng = np.random.default_rng(5)
    levels, sd = 10, 1.2
    k = rng.binomial(8, 1 / (1 + np.exp(-0.4 - sd * rng.normal(size=levels))))
    grid, t = np.linspace(-4, 5, 901), np.linspace(-8, 8, 401)
    p = 1 / (1 + np.exp(-(grid[:, None] + sd * t)))
    by_level = np.array([stats.binom.pmf(kj, 8, p) @ stats.norm.pdf(t) * (t[1] - t[0]) for kj in k])  # [level, grid]
    posterior_density = by_level.prod(axis=0)
    draws = rng.choice(grid, size=4000, p=posterior_density / posterior_density.sum())
    without = [np.delete(by_level, j, axis=0).prod(axis=0) for j in range(levels)]
    expected = [np.log(by_level[j] @ w / w.sum()) for j, w in enumerate(without)]
    spec = ModelSpec.from_formula("p(k, n) ~ 1 + (1 | g)", "binomial")
    data = pd.DataFrame({"k": k, "n": 8, "g": np.arange(levels)})
    found = loo_by_group(posterior_at(spec, data, draws[:, None], {"g": [[sd**2]]}), draws=4000)
    assert found.draws == 4000
    np.testing.assert_allclose(expected, found.pointwise["elpd"], atol=0.05)
    assert sum(expected) == pytest.approx(found.elpd, abs=0.1)


@pytest.mark.parametrize(
    ("formula", "family", "link", "words"),
    [
        ("y ~ x + (1 | g/h)", "poisson", None, "leave out levels of g:h"),
        ("y ~ x + (1 | g)", "poisson", "identity", "Under the identity link"),
        ("y ~ x + (x + w + I(x * w) || g)", "poisson", None, "g has 4 effects"),
    ],
)
def test_what_cannot_be_left_out_says_why(formula: str, family: str, link: str | None, words: str) -> None:
    data = small("poisson").design.data.assign(h=np.arange(21) % 2, w=np.arange(21.0) % 4)
    spec = ModelSpec.from_formula(formula, family, link)
    sizes = {"g": formula.count("||") * 3 + 1, "g:h": 1}
    groups = ["g", "g:h"] if "/" in formula else ["g"]
    posterior = posterior_at(spec, data, np.full((200, 2), 0.5), {g: np.eye(sizes[g]) for g in groups})
    with pytest.raises(SpecError, match=words.replace("(", r"\(")):
        loo_by_group(posterior, "g")
    answer = loo_groups.check_loo_groups(posterior)
    if len(groups) == 1:
        assert isinstance(answer, Skipped)
        assert words in answer.reason
    else:
        assert isinstance(answer, Check)
        assert words in answer.finding
        assert loo_by_group(posterior).pointwise.index.name == "g:h"


def test_a_wrong_factor_names_the_right_ones() -> None:
    with pytest.raises(SpecError, match="Valid: g"):
        loo_by_group(small("poisson"), "school")


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ x + (x | g)"])
def test_all_groups_together_are_the_log_likelihood(formula: str) -> None:
    """The adaptive quadrature of the maximum-likelihood code, written apart, with as many nodes."""
    G = np.array([[0.8, 0.3], [0.3, 0.5]]) if "x |" in formula else np.array([[0.8]])
    posterior = small("negative_binomial", formula=formula, G=G)
    likelihood = likelihood_of(posterior.spec, posterior.design)
    at = Parameters(posterior.beta[0], {"g": np.linalg.cholesky(G)}, {"phi": 3.0})
    found = GroupLikelihood(posterior, posterior.design.block("g")).log(FIRST).sum()
    assert aghq_log_likelihood(likelihood, at, nodes=13).value == pytest.approx(found, abs=1e-6)
