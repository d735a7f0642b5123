"""Integrated coordinates: the integral against adaptive quadrature, the effects against their conditionals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import bayes_glmm as bg
from bayes_glmm.design.patterns import find_patterns, more_kinds
from bayes_glmm.inference.integral import Integral, draw_effects, integral_for, log_likelihood, quadrature_error
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior, posterior_at

MODELS = {
    "bernoulli": ("y ~ x + (1 | g)", "logit", {}),
    "binomial": ("p(y, n) ~ x + (1 | g)", "cloglog", {}),
    "poisson": ("y ~ x + offset(w) + (1 | g)", "log", {}),
    "negative_binomial": ("y ~ x + (0 + w | g)", "log", {"phi": 2.5}),
    "gaussian": ("y ~ 0 + x + (1 | g)", "identity", {"sigma": 0.8}),
    "student_t": ("y ~ (1 | g)", "identity", {"sigma": 0.8, "nu": 4.0}),
    "gamma": ("y ~ x + (1 | g)", "log", {"phi": 3.0}),
    "beta": ("y ~ x + (1 | g)", "probit", {"phi": 6.0}),
}
SD = 1.3


def made_up(family: str) -> pd.DataFrame:
    """Seven groups of one to five rows; x has two values, so that groups repeat."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(7), [1, 2, 3, 3, 2, 5, 5])
    n = rng.integers(2, 6, len(g))
    y = {
        "bernoulli": rng.integers(0, 2, len(g)),
        "binomial": rng.binomial(n, 0.4),
        "poisson": rng.poisson(1.5, len(g)),
        "negative_binomial": rng.poisson(1.5, len(g)),
        "gaussian": rng.normal(0.5, 1.5, len(g)),
        "student_t": rng.normal(0.5, 1.5, len(g)),
        "gamma": rng.gamma(2.0, 0.7, len(g)),
        "beta": rng.beta(2.0, 3.0, len(g)),
    }[family]
    return pd.DataFrame({"y": y, "n": n, "x": rng.integers(0, 2, len(g)), "w": rng.normal(1.0, 0.3, len(g)), "g": g})


def posterior_of(family: str, draws: int = 1) -> Posterior:
    formula, link, auxiliary = MODELS[family]
    spec = bg.ModelSpec.from_formula(formula, family, link)
    p = 1 + (" x" in formula) - (" 0 + x " in formula)
    beta = np.repeat([[-0.3, 0.6][:p]], draws, axis=0)
    return posterior_at(spec, made_up(family), beta, {"g": np.array([[SD**2]])}, auxiliary)


def integral_of(posterior: Posterior) -> Integral:
    integral = integral_for(posterior.spec, posterior.design)
    assert integral is not None
    return integral


def group_density(posterior: Posterior, level: int, u: float) -> float:
    """Likelihood of a group at its effect u, times N(u; 0, SD^2)."""
    design, spec = posterior.design, posterior.spec
    rows = design.blocks[0].index == level
    eta = posterior.beta[0] @ design.X[rows].T + design.offset[rows] + u * design.blocks[0].values[rows, 0]
    auxiliary = {name: values[0] for name, values in posterior.auxiliary.items()}
    log_density = spec.family.log_density(design.observed[rows], spec.at({"mu": eta}, auxiliary, NUMPY), NUMPY).sum()
    return float(np.exp(log_density) * stats.norm.pdf(u, 0.0, SD))


@pytest.mark.parametrize("family", MODELS)
def test_integral_equals_adaptive_quadrature(family):
    posterior = posterior_of(family)
    integral = integral_of(posterior)
    expected = sum(
        np.log(integrate.quad(lambda u, j=j: group_density(posterior, j, u), -12 * SD, 12 * SD, epsabs=0, limit=500)[0])
        for j in range(7)
    )
    data = posterior.draws["posterior"].to_dataset()
    assert expected == pytest.approx(log_likelihood(integral, data, np.array([0]))[0], rel=1e-8)


@pytest.mark.parametrize("family", MODELS)
def test_the_error_is_that_of_the_draw_that_needs_most_nodes(family):
    posterior = posterior_of(family, draws=4)
    data = posterior.draws["posterior"].to_dataset()
    data["sd_g"] = data["sd_g"] * np.array([0.5, 1.0, 1.5, 2.0])[None, :, None]
    integral = integral_of(posterior)
    # an sd of twice what the data suggest may need more nodes than were chosen: the error shows, and goes
    assert quadrature_error(replace(integral, nodes=4 * integral.nodes - 3), data) < 1e-8
    coarse = replace(integral, nodes=7)
    change = log_likelihood(replace(coarse, nodes=13), data, np.arange(4)) - log_likelihood(coarse, data, np.arange(4))
    assert np.abs(change - change.mean()).max() == pytest.approx(quadrature_error(coarse, data))
    assert quadrature_error(coarse, data) > 1e-3


@pytest.mark.parametrize("family", ["bernoulli", "poisson", "student_t"])
def test_drawn_effects_have_the_conditional_moments_of_their_group(family):
    draws = 5_000
    posterior = posterior_of(family, draws)
    integral = integral_of(posterior)
    drawn = draw_effects(integral, posterior.draws["posterior"].to_dataset(), seed=1)
    u, z = drawn["u_g"].to_numpy()[0, :, :, 0], drawn["z_g"].to_numpy()[0, :, :, 0]
    np.testing.assert_allclose(u, SD * z, rtol=1e-12)
    for level in range(7):
        moments = [
            integrate.quad(lambda t, j=level, k=k: t**k * group_density(posterior, j, t), -15, 15, limit=500)[0]
            for k in range(3)
        ]
        mean = moments[1] / moments[0]
        sd = np.sqrt(moments[2] / moments[0] - mean**2)
        # five Monte Carlo standard errors
        assert mean == pytest.approx(u[:, level].mean(), abs=5 * sd / np.sqrt(draws))
        assert sd == pytest.approx(u[:, level].std(), rel=5 / np.sqrt(draws))


def test_effects_of_groups_that_share_a_pattern_are_independent():
    data = pd.DataFrame({"y": [0, 1, 1, 0, 1, 1], "g": [0, 0, 1, 1, 2, 2]})
    spec = bg.ModelSpec.from_formula("y ~ (1 | g)", "bernoulli")
    draws = 5_000
    posterior = posterior_at(spec, data, np.zeros((draws, 1)), {"g": np.array([[4.0]])})
    integral = integral_of(posterior)
    assert 2 == len(integral.patterns.rows)
    u = draw_effects(integral, posterior.draws["posterior"].to_dataset(), seed=2)["u_g"].to_numpy()[0, :, :, 0]
    correlation = np.corrcoef(u.T) - np.eye(3)
    assert np.abs(correlation).max() < 5 / np.sqrt(draws)


def test_patterns_count_groups_with_the_same_rows_in_any_order():
    data = pd.DataFrame(
        {"y": [0, 1, 1, 0, 1, 1, 0], "x": [1, 2, 2, 1, 1, 2, 1], "g": ["a", "a", "b", "b", "c", "c", "d"]}
    )
    design = bg.GLMM("y ~ x + (1 | g)", data, "bernoulli").design
    patterns = find_patterns(design)
    assert [2, 1, 1] == patterns.count.tolist()
    assert patterns.of_level[0] == patterns.of_level[1]
    assert [2, 2, 1] == patterns.used.sum(axis=1).tolist()


@pytest.mark.parametrize("family", MODELS)
def test_kinds_of_rows_are_counted_up_to_a_bound(family):
    design = posterior_of(family).design
    kinds = len(find_patterns(design).distinct)
    assert [True, False, False] == [more_kinds(design, most) for most in (kinds - 1, kinds, kinds + 1)]


def test_two_effects_a_group_or_two_factors_stay_plain():
    data = made_up("gaussian").assign(h=np.arange(21) % 3)
    for formula in ("y ~ (x | g)", "y ~ (1 | g) + (1 | h)", "y ~ x"):
        model = bg.GLMM(formula, data)
        assert integral_for(model.spec, model.design) is None
    with pytest.raises(bg.SpecError, match="one grouping factor"):
        bg.GLMM("y ~ (x | g)", made_up("poisson"), "poisson").fit(coordinates="integrated", progress=False)
    with pytest.raises(bg.SpecError, match="Did you mean 'plain'"):
        bg.GLMM("y ~ (1 | g)", data).fit(coordinates="plian", progress=False)


def test_links_that_leave_the_mean_space_stay_plain():
    model = bg.GLMM("y ~ x + (1 | g)", made_up("poisson"), "poisson", "identity")
    assert integral_for(model.spec, model.design) is None
