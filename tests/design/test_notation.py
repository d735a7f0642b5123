"""The model as equations: complete, in the field's symbols, legible with many coefficients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.design import build_design, resolve_priors
from bayes_glmm.design.notation import equations
from bayes_glmm.families import FAMILIES
from bayes_glmm.spec import ModelSpec

EVENTS = {
    "cumulative": "P(y_i ≤ k | u)",
    "sratio": "P(y_i = k | y_i ≥ k, u)",
    "cratio": "P(y_i > k | y_i ≥ k, u)",
    "acat": "P(y_i = k+1 | y_i ∈ {k, k+1}, u)",
}


def lines_of_categories(
    formula: str, y: list, link: str | None = None, family: str = "cumulative", **priors: str
) -> tuple[str, ...]:
    """Of a response in ordered categories; x has the mean 40."""
    rows = {"x": np.linspace(30, 50, 24), "g": np.tile(["p", "q", "r"], 8), "f": np.repeat(["s", "t"], 12)}
    data = pd.DataFrame(rows).assign(y=pd.Categorical(np.resize(y, 24), list(dict.fromkeys(y)), ordered=True))
    spec = ModelSpec.from_formula(formula, family=family, link=link, priors=priors)
    design = build_design(spec, data)
    spec = spec.of(design.categories)
    return equations(spec, design, resolve_priors(spec, design))


def lines_of(formula: str, family: str = "gaussian", link: str | None = None, **priors: str) -> tuple[str, ...]:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({name: rng.normal(size=24) for name in ("x", "w", "v", "a", "b", "c")})
    data = data.assign(n=10, t=2.0, g=np.tile(["p", "q", "r"], 8), h=np.repeat(["s", "t"], 12))
    data["y"] = np.tile([0, 1, 1, 0], 6) if FAMILIES[family].response.name != "fraction" else 0.1 + 0.5 * rng.random(24)
    data["y"] += FAMILIES[family].response.first
    if FAMILIES[family].response.name in ("positive", "real"):
        data["y"] = rng.gamma(2.0, size=24)
    spec = ModelSpec.from_formula(formula, family=family, link=link, priors=priors)
    design = build_design(spec, data)
    spec = spec.of(design.categories)
    return equations(spec, design, resolve_priors(spec, design))


def test_random_intercept() -> None:
    lines = lines_of("y ~ x + (1 | g)", "bernoulli", beta="Normal(0, 1)")
    assert lines[:3] == (
        "y_i | u ~ Bernoulli(μ_i)",
        "logit(μ_i) = β[Intercept] + β[x] x_i + u_g[j(i)]",
        "u_g[j] ~ Normal(0, sd_g²),  j = 1, …, 3 levels of g",
    )
    assert "β[x] ~ Normal(0, 1)" in lines


def test_correlated_slopes_have_a_covariance() -> None:
    lines = lines_of("y ~ x + (x | g)")
    assert "u_g[j] = (Intercept, x) ~ Normal(0, G_g),  j = 1, …, 3 levels of g" in lines
    assert "G_g = diag(sd_g) R_g diag(sd_g),  R_g = corr_g" in lines
    centre = np.random.default_rng(0).normal(size=24).mean()  # of x, where the default priors hold
    assert f"R_g ~ LKJ(eta=2)   (at x = {centre:.5g})" in lines
    assert lines[0] == "y_i | u ~ Normal(μ_i, σ²)"


def test_independent_slopes_and_runs_of_correlated_ones() -> None:
    assert "G_g = diag(sd_g²)" in lines_of("y ~ x + (x || g)")
    mixed = lines_of("y ~ x + (x | g) + (0 + w | g)")
    assert "  correlated within {Intercept, x}, {w}, not between" in mixed


def test_crossed_factors_have_their_own_index() -> None:
    predictor = lines_of("y ~ 1 + (1 | g) + (1 | h)")[1]
    assert predictor == "μ_i = β[Intercept] + u_g[j(i)] + u_h[k(i)]"
    assert "u_h[k] ~ Normal(0, sd_h²),  k = 1, …, 2 levels of h" in lines_of("y ~ 1 + (1 | g) + (1 | h)")


def test_trials_and_offset_are_named() -> None:
    lines = lines_of("p(y, n) ~ x + offset(log(t))", "binomial")
    assert lines[0] == "y_i ~ Binomial(n_i, μ_i)"
    assert "offset(log(t))_i" in lines[1]


def test_many_coefficients_stand_one_a_line() -> None:
    lines = lines_of("y ~ x + w + v + a + b + c")
    assert lines[1] == "μ_i = β[Intercept]"
    assert [line.strip() for line in lines[2:8]] == [f"+ β[{name}] {name}_i" for name in "xwvabc"]
    assert len({line.index("+") for line in lines[2:8]}) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_and_link_has_its_words(family: str) -> None:
    for link in FAMILIES[family].links:
        formula = "p(y, n) ~ x + (1 | g)" if FAMILIES[family].response.trials else "y ~ x + (1 | g)"
        lines = lines_of(formula, family, link)
        assert lines[0].startswith("y_i | u ~ ")
        kind = FAMILIES[family].response
        left = EVENTS[family] if kind.ordered else "P(y_i = k | u)" if kind.nominal else "μ_i"
        assert left in lines[1].rpartition(" = ")[0]
        if kind.ordered:
            rises = family in ("cratio", "acat")
            assert ("η_i − threshold[k|k+1],  k = " if rises else "threshold[k|k+1] − η_i,  k = ") in lines[1]
        spec = ModelSpec.from_formula(formula, family=family, link=link)
        for parameter in spec.family.auxiliary:
            symbol = {"sigma": "σ", "phi": "φ", "nu": "ν", "zi": "zi"}.get(parameter, parameter)
            assert symbol in lines[0]
            assert any(line.startswith(f"{symbol} ~ ") for line in lines)


def test_free_thresholds_have_no_order() -> None:
    lines = lines_of_categories("y ~ x + f + (1 | g)", ["low", "mid", "high"], family="sratio")
    assert lines[:6] == (
        "y_i | u ~ StoppingRatio(low < mid < high)",
        "logit(P(y_i = k | y_i ≥ k, u)) = threshold[k|k+1] − η_i,  k = low, mid",
        "η_i = β[x] x_i + β[f[t]] f[t]_i + u_g[j(i)]",
        "u_g[j] ~ Normal(0, sd_g²),  j = 1, …, 3 levels of g",
        "threshold[low|mid] ~ Logistic(mu=-0.8814, s=0.8494)   (at the centre)",
        "threshold[mid|high] ~ Logistic(mu=0, s=1)   (at the centre)",
    )
    assert not any("increasing order" in line for line in lines)


def test_ordered_categories_have_thresholds_and_no_intercept() -> None:
    lines = lines_of_categories("y ~ x + f + (1 | g)", ["low", "mid", "high"])
    assert lines[:6] == (
        "y_i | u ~ Cumulative(low < mid < high)",
        "logit(P(y_i ≤ k | u)) = threshold[k|k+1] − η_i,  k = low, mid",
        "η_i = β[x] x_i + β[f[t]] f[t]_i + u_g[j(i)]",
        "u_g[j] ~ Normal(0, sd_g²),  j = 1, …, 3 levels of g",
        "threshold[low|mid] ~ Logistic(mu=0, s=1)   (at the centre)",
        "threshold[mid|high] ~ Logistic(mu=0, s=1)   (at the centre)",
    )
    assert not any("Intercept" in line for line in lines if line.startswith(("η", "β")))
    assert "Priors of thresholds: those above, restricted to increasing order." in lines


def test_priors_that_are_given_for_thresholds_hold_at_zero() -> None:
    lines = lines_of_categories("y ~ x", [1, 2, 3], threshold="Normal(0, 3)")
    assert lines[0] == "y_i ~ Cumulative(1 < 2 < 3)"
    assert lines[1] == "logit(P(y_i ≤ k)) = threshold[k|k+1] − η_i,  k = 1, 2"
    assert {"threshold[1|2] ~ Normal(0, 3)", "threshold[2|3] ~ Normal(0, 3)"} < set(lines)


def test_two_categories_have_one_threshold_without_an_order() -> None:
    lines = lines_of_categories("y ~ 1", ["no", "yes"])
    assert lines == (
        "y_i ~ Cumulative(no < yes)",
        "logit(P(y_i ≤ k)) = threshold[k|k+1] − η_i,  k = no",
        "η_i = 0",
        "threshold[no|yes] ~ Logistic(mu=0, s=1)",
    )


def test_the_middle_of_many_categories_is_left_out() -> None:
    lines = lines_of_categories("y ~ x", list(range(1, 12)), "cloglog")
    assert lines[0] == "y_i ~ Cumulative(1 < 2 < 3 < … < 9 < 10 < 11)"
    assert lines[1] == "log(−log(1 − P(y_i ≤ k))) = threshold[k|k+1] − η_i,  k = 1, 2, 3, …, 8, 9, 10"
    assert sum(line.startswith("threshold[") for line in lines) == 10


@pytest.mark.parametrize(
    ("link", "left"),
    [("probit", "Φ⁻¹(P(y_i ≤ k))"), ("cauchit", "tan(π(P(y_i ≤ k) − ½))")],
)
def test_a_link_is_applied_to_the_probability_of_at_most_a_category(link: str, left: str) -> None:
    assert lines_of_categories("y ~ x", [1, 2, 3], link)[1].startswith(f"{left} = threshold[k|k+1] − η_i")


def test_unordered_categories_have_a_line_each_against_the_first() -> None:
    lines = lines_of_unordered("y ~ x + (1 |i| g)", ["a", "b b", "c"])
    assert lines[:6] == (
        "y_i | u ~ Categorical(a, b b, c)",
        "log(P(y_i = k | u) / P(y_i = a | u)) = η_k,i,  k = b b, c",
        "η_(b b),i = β_mubb[Intercept] + β_mubb[x] x_i + u_g[j(i), mubb_Intercept]",
        "η_c,i = β_muc[Intercept] + β_muc[x] x_i + u_g[j(i), muc_Intercept]",
        "u_g[j] = (mubb_Intercept, muc_Intercept) ~ Normal(0, G_g),  j = 1, …, 3 levels of g",
        "G_g = diag(sd_g) R_g diag(sd_g),  R_g = corr_g",
    )
    assert any(line.startswith("β_muc[x] ~ Normal(") for line in lines)


def test_many_unordered_categories_are_listed_by_their_ends() -> None:
    lines = lines_of_unordered("y ~ 1", [f"{k:02d}" for k in range(10)])
    assert lines[0] == "y_i ~ Categorical(00, 01, 02, …, 07, 08, 09)"
    assert lines[1] == "log(P(y_i = k) / P(y_i = 00)) = η_k,i,  k = 01, 02, 03, …, 07, 08, 09"
    assert lines[2:4] == ("η_01,i = β_mu01[Intercept]", "η_02,i = β_mu02[Intercept]")


def lines_of_unordered(formula: str, names: list[str]) -> tuple[str, ...]:
    data = pd.DataFrame({"y": np.resize(names, 30), "x": np.arange(30.0) % 7, "g": np.repeat(list("abc"), 10)})
    spec = ModelSpec.from_formula(formula, family="categorical")
    design = build_design(spec, data)
    spec = spec.of(design.categories)
    return equations(spec, design, resolve_priors(spec, design))
