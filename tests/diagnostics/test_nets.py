"""Nets under the verdict: chains in a wrong mode, priors that pull, a log density that stands still; no false alarm.

The priors are those of version 1, written out: set column by column at x = 0, so that they do not fit these data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.diagnostics import Check, Skipped, check, convergence, modes, predictive
from bayes_glmm.diagnostics.marginal_posterior import at_draws, laplace_values, searches
from bayes_glmm.diagnostics.modes import check_mode
from bayes_glmm.diagnostics.prior_conflict import check_prior_conflict, coefficient_distance, conflicts, sd_distance
from bayes_glmm.effects import compare, predict, slopes
from bayes_glmm.likelihood import likelihood_of, maximum_likelihood
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.predictive import conditional_predictor
from bayes_glmm.spec import Prior
from tests.diagnostics import made_up

N = made_up.CHAINS * made_up.DRAWS


def at_zero(columns: Mapping[str, np.ndarray], scale: float, middle: float, group: str, slopes: tuple[str, ...] = ()):
    """Priors set column by column at x = 0: normal with 2.5 s / sd(x), half-t(3) with the same scale for sds."""
    width = {name: 2.5 * scale / (float(column.std()) or 1.0) for name, column in columns.items()}
    carried = np.linalg.norm([width[name] * column.mean() for name, column in columns.items()])
    priors = {name: f"Normal(0, {w:.6g})" for name, w in width.items()}
    priors["Intercept"] = f"Normal({middle:.6g}, {np.hypot(2.5 * scale, carried):.6g})"
    priors[f"sd_{group}[Intercept]"] = f"HalfStudentT(3, {2.5 * scale:.6g})"
    return priors | {f"sd_{group}[{name}]": f"HalfStudentT(3, {width[name]:.6g})" for name in slopes}


def as_sampled(posterior: Posterior) -> Posterior:
    """Independent draws as four chains of a sampler without trouble."""
    drawn = made_up.four_chains(posterior.draws["posterior"].to_dataset())
    return made_up.with_draws(posterior, drawn, made_up.sampler_statistics(np.random.default_rng(1)))


def around_mode(model: bg.GLMM, quadrature: bool = False) -> Posterior:
    """Draws around the mode of the posterior, by an approximation."""
    fit = (bg.approx.aghq if quadrature else bg.approx.laplace)(model, target="posterior")
    return as_sampled(replace(fit, draws=N).posterior)


@pytest.fixture(scope="module")
def years() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(30), 10)
    z = rng.normal(size=300)
    y = 0.5 * z + rng.normal(0, 1, 30)[g] + rng.normal(0, 1, 30)[g] * z + rng.normal(size=300)
    return pd.DataFrame({"g": g, "z": z, "year": 2010 + 4 * z, "y": y})


@pytest.fixture(scope="module")
def by_year(years: pd.DataFrame) -> bg.GLMM:
    columns = {"year": years["year"].to_numpy()}
    priors = at_zero(columns, years["y"].std(), years["y"].mean(), "g", slopes=("year",))
    return bg.GLMM("y ~ year + (year | g)", years, priors=priors)


def draws_of(model: bg.GLMM, slope: float, sd: tuple[float, float], corr: float, sigma: float) -> Posterior:
    """Draws around a slope, sds of the random effects and sigma, each with a few percent of spread."""
    rng = np.random.default_rng(2)
    middle = float(model.design.data["y"].mean() - slope * model.design.data["year"].mean())
    slopes = slope * (1 + 0.1 * rng.normal(size=N))
    beta = np.column_stack([middle - (slopes - slope) * model.design.data["year"].mean(), slopes])
    scale = np.array([[sd[0] ** 2, corr * sd[0] * sd[1]], [corr * sd[0] * sd[1], sd[1] ** 2]])
    G = {"g": scale * (1 + 0.1 * rng.random((N, 1, 1)))}
    noise = {"sigma": sigma * (1 + 0.03 * rng.normal(size=N))}
    return as_sampled(posterior_at(model.spec, model.design.data, beta, G, noise))


def test_chains_that_agree_in_the_wrong_mode_are_not_fit_to_use(by_year: bg.GLMM) -> None:
    # where whitened coordinates at x = 0 hold the chains: no variance of the slopes
    posterior = draws_of(by_year, slope=0.15, sd=(0.8, 0.0004), corr=-0.2, sigma=1.4)
    found = check_mode(posterior)
    assert isinstance(found, Check)
    assert found.verdict == "fail"
    assert found.threshold == pytest.approx(0.5 * stats.chi2.ppf(0.999, 6) + 3)
    assert found.value > 2 * found.threshold
    assert "sd_g[" in found.advice[0]
    checks = check(posterior)
    assert checks["rhat"].verdict == "pass"
    assert checks.verdict == "do not use"
    assert not checks


def test_draws_around_the_right_mode_pass(years: pd.DataFrame) -> None:
    model = bg.GLMM("y ~ z + (z | g)", years)
    found = check_mode(around_mode(model))
    assert isinstance(found, Check)
    assert found.verdict == "pass"
    # under a normal posterior in six dimensions, half the median of a chi-square; 40 draws know it to about one
    assert found.value == pytest.approx(0.5 * stats.chi2.median(6), abs=1.5)


def test_the_integrated_log_likelihood_is_that_of_the_dense_normal(years: pd.DataFrame) -> None:
    model = bg.GLMM("y ~ z + (z | g)", years)
    prepared = searches(model.spec, model.design)
    layout = prepared.layout
    points = [layout.parameters(layout.from_free(y)) for y in at_draws(around_mode(model), layout, 3)]
    (block,) = model.design.blocks
    expected = []
    for point in points:
        same = block.index[:, None] == block.index[None, :]
        covariance = same * (block.values @ point.G("g") @ block.values.T) + point.auxiliary["sigma"] ** 2 * np.eye(300)
        expected.append(stats.multivariate_normal(model.design.X @ point.beta, covariance).logpdf(model.design.y))
    assert expected == pytest.approx(laplace_values(prepared.likelihood, points), abs=1e-6)


def test_few_binary_rows_per_level_are_no_wrong_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(600), 3)
    eta = rng.normal(0, 9, 600)[g]
    data = pd.DataFrame({"g": g, "y": rng.binomial(1, 1 / (1 + np.exp(-eta)))})
    posterior = around_mode(bg.GLMM("y ~ (1 | g)", data, family="bernoulli"), quadrature=True)
    found = check_mode(posterior)
    assert isinstance(found, Check)
    assert found.verdict == "pass"
    # the Laplace approximation alone puts the mode elsewhere; where quadrature cannot do the model, modes are compared
    monkeypatch.setattr(modes, "quadrature_of", lambda likelihood: None)
    other = check_mode(posterior)
    assert isinstance(other, Check)
    assert other.verdict == "pass"
    assert "from the mode next to the draws" in other.finding


def test_what_cannot_be_searched_is_skipped_in_words(years: pd.DataFrame) -> None:
    posterior = around_mode(bg.GLMM("y ~ z + (1 | g)", years))
    unknown = bg.GLMM("y ~ z + (1 | g)", years, priors={"z": "Gumbel(0, 1)"})
    found = check_mode(replace(posterior, spec=unknown.spec, priors=unknown.priors))
    assert isinstance(found, Skipped)
    assert "Gumbel" in found.reason
    large = replace(posterior.design, y=np.zeros(10**6))
    assert isinstance(check_mode(replace(posterior, design=large)), Skipped)
    assert isinstance(check_prior_conflict(replace(posterior, design=large)), Skipped)


def quadratic() -> tuple[str, pd.DataFrame, str, dict[str, str], set[str]]:
    rng = np.random.default_rng(0)
    age, g = rng.uniform(20, 60, 600), np.repeat(np.arange(30), 20)
    eta = 1 - 0.015 * (age - 40) ** 2 + rng.normal(0, 0.5, 30)[g]
    data = pd.DataFrame({"age": age, "g": g, "y": rng.binomial(1, 1 / (1 + np.exp(-eta)))})
    priors = at_zero({"age": age, "I(age ** 2)": age**2}, 1.0, 0.0, "g")
    return "y ~ age + I(age ** 2) + (1 | g)", data, "bernoulli", priors, {"beta[age]", "beta[I(age ** 2)]"}


def counts() -> tuple[str, pd.DataFrame, str, dict[str, str], set[str]]:
    rng = np.random.default_rng(0)
    year, g = np.tile(np.arange(2001.0, 2016.0), 20), np.repeat(np.arange(20), 15)
    mean = np.exp(1.5 - 0.03 * (year - 2008) ** 2 + rng.normal(0, 0.3, 20)[g])
    data = pd.DataFrame({"year": year, "g": g, "y": rng.poisson(mean)})
    priors = at_zero({"year": year, "I(year ** 2)": year**2}, 1.0, 1.0, "g")
    return "y ~ year + I(year ** 2) + (1 | g)", data, "poisson", priors, {"beta[year]", "beta[I(year ** 2)]"}


def cell_means() -> tuple[str, pd.DataFrame, str, dict[str, str], set[str]]:
    rng = np.random.default_rng(0)
    i, f = np.repeat(np.arange(40), 5), np.tile(np.arange(5), 40)
    y = 100 + 2 * f + rng.normal(0, 1, 40)[i] + rng.normal(size=200)
    data = pd.DataFrame({"id": i, "f": np.array(list("abcde"))[f], "y": y})
    names, wide = [f"f[{level}]" for level in "abcde"], f"Normal(0, {2.5 * y.std() / 0.4:.6g})"  # an indicator's sd
    priors = dict.fromkeys(names, wide) | {"sd_id": f"HalfStudentT(3, {2.5 * y.std():.6g})"}
    return "y ~ 0 + f + (1 | id)", data, "gaussian", priors, {f"beta[{name}]" for name in names}


def test_one_mode_of_two_is_not_fit_to_use() -> None:
    """Cell means far out in their prior: a far higher mode has them near 0, and an enormous sd of the levels."""
    formula, data, family, priors, _ = cell_means()
    tight = {name: "Normal(0, 7.9)" if name.startswith("f[") else prior for name, prior in priors.items()}
    posterior = around_mode(bg.GLMM(formula, data, family=family, priors=tight))
    assert posterior.beta.mean() > 90
    assert check(posterior).verdict == "do not use"


@pytest.mark.parametrize("case", [quadratic, counts, cell_means])
def test_priors_that_pull_need_a_look(case) -> None:
    formula, data, family, priors, expected = case()
    model = bg.GLMM(formula, data, family=family, priors=priors)
    posterior = around_mode(model)
    found = check_prior_conflict(posterior)
    assert isinstance(found, Check)
    assert found.verdict == "look"
    assert expected <= set(found.failing)
    assert "prior pulls the answer" in found.advice[0]
    estimate = conflicts(model.spec, model.design, model.priors)[0]
    mean, sd = model.priors[estimate.parameter].positional
    assert estimate.distance == pytest.approx(abs(estimate.estimate - mean) / sd, rel=1e-9)  # type: ignore[operator]
    checks = check(posterior)
    assert checks.verdict != "fit to use"
    assert checks  # a look is no failure


def test_the_random_intercept_of_an_uncentred_year_is_far_in_its_prior(by_year: bg.GLMM) -> None:
    far = [found for found in conflicts(by_year.spec, by_year.design, by_year.priors) if found.distance > 3]
    assert [found.parameter for found in far] == ["sd_g[Intercept]"]
    # the sd at the centre, 1, and that of slopes, .25, carried 2,010 years
    assert far[0].estimate == pytest.approx(0.25 * 2010, rel=0.1)


def test_priors_at_the_centre_do_not_pull(years: pd.DataFrame) -> None:
    model = bg.GLMM("y ~ z + (z | g)", years)
    assert max(found.distance for found in conflicts(model.spec, model.design, model.priors)) < 1


def test_separation_and_sds_of_zero_have_findings_of_their_own() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {"x": np.r_[np.zeros(30), np.ones(30)], "w": rng.normal(size=60), "g": np.tile(np.arange(12), 5)}
    )
    data["y"] = np.r_[np.zeros(30), rng.integers(0, 2, 30)].astype(int)
    model = bg.GLMM("y ~ x + w + (1 | g)", data, family="bernoulli", priors={"sd_g": "LogNormal(3, 0.1)"})
    found = {each.parameter: each for each in conflicts(model.spec, model.design, model.priors)}
    assert {"beta[w]", "sd_g[Intercept]"} == set(found)
    assert found["sd_g[Intercept]"].distance == 0  # below a prior that lies near 20


def test_distances_are_those_of_normal_priors_and_of_their_equals() -> None:
    assert coefficient_distance(Prior.parse("Normal(mu=2, sigma=0.5)"), 0.0) == pytest.approx(4.0)
    assert coefficient_distance(Prior.parse("StudentT(3, 1, 2)"), 1.0) == 0.0
    drop = stats.t(3, 1, 2).logpdf(1) - stats.t(3, 1, 2).logpdf(12)
    assert coefficient_distance(Prior.parse("StudentT(3, 1, 2)"), 12.0) == pytest.approx(np.sqrt(2 * drop))
    assert coefficient_distance(Prior.parse("Uniform(-1, 1)"), 2.0) == np.inf
    # of log sd: a lognormal prior is normal
    assert sd_distance(Prior.parse("LogNormal(0, 0.5)"), float(np.exp(2.0))) == pytest.approx(4.0, abs=0.02)


def test_a_log_density_that_mixes_slowly_is_seen_where_parameters_are_perfect() -> None:
    posterior = made_up.good()
    rng = np.random.default_rng(3)
    walk = np.zeros((made_up.CHAINS, made_up.DRAWS))
    for t in range(1, made_up.DRAWS):
        walk[:, t] = 0.99 * walk[:, t - 1] + rng.normal(size=made_up.CHAINS)
    statistics = made_up.sampler_statistics(rng).assign(logp=(("chain", "draw"), walk))
    slow = made_up.with_draws(posterior, posterior.draws["posterior"].to_dataset(), statistics)
    for function in (convergence.check_ess_bulk, convergence.check_rhat):
        found = function(slow)
        assert isinstance(found, Check)
        assert found.verdict != "pass"
        assert found.failing == ["log density"]
    assert any("log density" in sentence for sentence in convergence.check_ess_bulk(slow).advice)  # type: ignore[union-attr]


def test_a_printed_fit_has_its_findings() -> None:
    rests = made_up.few_levels()
    assert "few_levels" in str(bg.Fit(rests))
    given = replace(rests, spec=replace(rests.spec, priors={"sd_g": Prior.parse("HalfNormal(1)")}))
    text = str(bg.Fit(given))
    assert "Findings\n  - g has 3 levels" in text  # a note, below the verdict
    assert "Verdict: fit to use" in text


def test_underdispersed_counts_are_not_sent_to_a_wider_family() -> None:
    posterior = made_up.good("poisson")
    mean = np.exp(conditional_predictor(posterior)).mean(axis=0)
    still = replace(posterior, design=replace(posterior.design, y=np.round(mean)))
    found = predictive.check_dispersion(still)
    assert isinstance(found, Check)
    assert found.verdict == "fail"
    assert "less than the family allows" in found.advice[0]
    assert "negative_binomial" not in found.advice[0]
    assert 'try family="com_poisson"' in found.advice[0]


@pytest.mark.parametrize(
    "curve", ["bs(x, df=3)", "poly(x, 3)", "x + I(x ** 2) + I(x**3)", "x + square(x) + power(x, 3)"]
)
def test_answers_beyond_a_curve_are_described_as_such(curve: str) -> None:
    data = pd.DataFrame({"x": np.linspace(0, 10, 50), "z": np.cos(np.arange(50.0)), "y": np.sin(np.arange(50.0))})
    model = bg.GLMM(f"y ~ {curve} + z", data)
    posterior = posterior_at(model.spec, data, np.zeros(5), {}, {"sigma": 1.0})
    near, far = (compare(posterior, "x", contrast) for contrast in ((2.0, 10.4), (2.0, 12.0)))
    assert not near.notes
    assert "x in 50 of 100 rows (data: 0 to 10)" in " ".join(far.notes)
    assert not compare(posterior, "z", (1.0, 40.0)).notes  # a straight line
    assert not slopes(posterior, "x").notes
    assert "x in 50 of 50 rows" in " ".join(slopes(posterior, "x", data.assign(x=20.0)).notes)
    inside, outside = (predict(posterior, pd.DataFrame({"x": x, "z": 5.0})) for x in ([0.0, 10.0], [-1.0, 5.0]))
    assert not any("Extrapolated" in note for note in inside.notes)
    assert "x in 1 of 2 rows (data: 0 to 10)" in " ".join(outside.notes)


def test_years_as_written_have_the_estimates_of_canonical_columns() -> None:
    """A year and its square are the same to ten digits: searches move in columns that rounding tells apart."""
    formula, data, family, priors, _ = counts()
    model = bg.GLMM(formula, data, family=family, priors=priors)
    written, canonical = maximum_likelihood(likelihood_of(model.spec, model.design)), bg.approx.laplace(model)
    assert written.maximum.converged
    assert written.log_likelihood == pytest.approx(canonical.log_likelihood, abs=1e-6)
    X = model.design.X
    for found in (written.maximum, bg.approx.laplace(model, target="posterior")):
        assert np.isfinite(found.covariance).all()
    np.testing.assert_allclose(X @ written.parameters.beta, X @ canonical.beta, atol=1e-4)
    np.testing.assert_allclose(_errors(X, written.maximum.covariance), _errors(X, canonical.covariance), rtol=1e-3)
    mode = replace(bg.approx.laplace(model, target="posterior"), draws=4000)
    np.testing.assert_allclose((mode.posterior.beta @ X.T).std(axis=0), _errors(X, mode.covariance), rtol=0.05)


def _errors(X: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ij,jk,ik->i", X, covariance[: X.shape[1], : X.shape[1]], X))
