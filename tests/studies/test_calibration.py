"""Simulation-based calibration: exact posteriors pass, wrong ones are caught, and what is simulated is the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm import inference
from bayes_glmm.design import Problem
from bayes_glmm.errors import SamplingError, SpecError
from bayes_glmm.inference import Settings
from bayes_glmm.posterior import Posterior, posterior_of
from bayes_glmm.studies import SBC
from bayes_glmm.studies.scores import problem_of
from bayes_glmm.studies.simulation import LOG_LIKELIHOOD, draw_priors, simulate

GRID = np.linspace(-7.0, 7.0, 4001)


def coin(prior: str = "Normal(0.3, 1.2)") -> bg.GLMM:
    """Thirty tosses of one coin."""
    return bg.GLMM("y ~ 1", pd.DataFrame({"y": np.arange(30) % 2}), "bernoulli", priors={"Intercept": prior})


class Exact:
    """The sampler of the coin's posterior on a grid, or of one that is wrong in some way."""

    def __init__(self, seen: float = 1.0, shift: float = 0.0, stretch: float = 1.0, sticky: int = 1) -> None:
        self.seen, self.shift, self.stretch, self.sticky = seen, shift, stretch, sticky

    def __call__(self, problem: Problem, settings: Settings) -> Posterior:
        design = problem.design
        k, n = self.seen * design.y.sum(), self.seen * len(design.y)
        log_density = k * GRID - n * np.logaddexp(0.0, GRID) + stats.norm(0.3, 1.2).logpdf(GRID)
        weight = np.cumsum(np.exp(log_density - log_density.max()))
        rng = np.random.default_rng(settings.seed)
        draws = np.interp(rng.uniform(size=settings.chains * settings.draws), weight / weight[-1], GRID)
        draws = np.repeat(draws[:: self.sticky], self.sticky)[: len(draws)]
        draws = draws.mean() + self.stretch * (draws - draws.mean()) + self.shift
        posterior = posterior_of(problem, draws[:, None], {})
        return replace(posterior, provenance={"seconds": 0.0})


def calibrated(monkeypatch: pytest.MonkeyPatch, sampler: Exact, replications: int = 150, seed: int = 1) -> SBC:
    monkeypatch.setattr(inference, "sample", sampler)
    return bg.simulation_based_calibration(coin(), replications, seed=seed, progress=False)


def test_exact_draws_have_uniform_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    found = calibrated(monkeypatch, Exact())
    assert list(found.ranks) == ["beta[Intercept]", LOG_LIKELIHOOD]
    assert found.ranks.to_numpy().min() >= 0
    assert found.ranks.to_numpy().max() <= 99
    assert found.p > 0.05
    assert found.impossible == 0
    assert (found.failures == 0).all()
    assert "All ranks look uniform" in str(found)


@pytest.mark.parametrize(
    "wrong", [Exact(shift=0.2), Exact(stretch=0.6), Exact(stretch=1.7)], ids=["shifted", "too narrow", "too wide"]
)
def test_wrong_draws_are_caught(monkeypatch: pytest.MonkeyPatch, wrong: Exact) -> None:
    found = calibrated(monkeypatch, wrong)
    assert found.p < 0.001
    assert "NOT UNIFORM: beta[Intercept]" in str(found)


def test_the_log_likelihood_sees_data_that_the_posterior_has_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws from the prior have uniform ranks in every parameter (Modrák et al. 2023)."""
    table = calibrated(monkeypatch, Exact(seen=0.0)).uniformity()
    assert table["ecdf"]["beta[Intercept]"] > 0.05
    assert table["ecdf"][LOG_LIKELIHOOD] < 0.001


def test_one_seed_gives_one_study(monkeypatch: pytest.MonkeyPatch) -> None:
    first, again, other = (calibrated(monkeypatch, Exact(), 25, seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.ranks, again.ranks)
    assert not first.ranks.equals(other.ranks)


def test_chains_that_stick_are_drawn_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    found = calibrated(monkeypatch, Exact(sticky=20))  # 500 draws are worth 25
    assert (found.fits["kept"] >= 1500).all()
    assert found.fits["ess"].min() > 60
    assert found.p > 0.05


def test_fits_that_fail_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Exact):
        def __call__(self, problem: Problem, settings: Settings) -> Posterior:
            if problem.design.y.mean() > 0.8:
                raise SamplingError("No start.")
            return super().__call__(problem, settings)

    found = calibrated(monkeypatch, Failing())
    failed = found.failures["failed"]
    assert 5 < failed < 50
    assert len(found.ranks) == 150 - failed
    assert found.fits["error"].value_counts()["SamplingError: No start."] == failed
    assert f"{failed} failed" in str(found)
    with pytest.raises(SamplingError, match="20 of 20 fits failed"):
        calibrated(monkeypatch, lambda *_: (_ for _ in ()).throw(SamplingError("Never.")), 20)  # type: ignore[arg-type]


def structured(family: str, priors: dict[str, str], **columns: np.ndarray) -> bg.GLMM:
    """Five groups g of twelve rows, crossed with three groups h."""
    x = np.tile([-1.0, 0.0, 1.0], 20)
    y = np.arange(60) % 2 + 1.0
    data = pd.DataFrame({"y": y, "x": x, "g": np.arange(60) // 12, "h": np.arange(60) % 4 % 3} | columns)
    return bg.GLMM("y ~ x + (x | g) + (1 | h)", data, family, priors=priors)


def test_priors_are_drawn_as_written() -> None:
    priors = {
        "x": "Normal(0.5, 0.3)", "Intercept": "Normal(-1, 2)", "sd": "HalfNormal(0.7)", "sd_g[x]": "Exponential(2)",
        "corr_g": "LKJ(2)", "sigma": "Gamma(4, 2)",
    }  # fmt: skip
    drawn = draw_priors(problem_of(structured("gaussian", priors)), 2000, 1)
    G, u, beta = drawn.G("g"), drawn.u("g"), drawn.beta
    sd = np.sqrt(np.diagonal(G, axis1=1, axis2=2))
    correlation = G[:, 0, 1] / sd.prod(axis=1)
    for values, expected in [
        (beta[:, 0], stats.norm(-1, 2)),
        (beta[:, 1], stats.norm(0.5, 0.3)),
        (sd[:, 0], stats.halfnorm(0, 0.7)),
        (sd[:, 1], stats.expon(0, 0.5)),
        (np.sqrt(drawn.G("h")[:, 0, 0]), stats.halfnorm(0, 0.7)),
        ((correlation + 1) / 2, stats.beta(2, 2)),  # LKJ(eta) of two is beta(eta, eta) on (-1, 1)
        (drawn.auxiliary["sigma"], stats.gamma(4, 0, 0.5)),
    ]:
        assert stats.kstest(values, expected.cdf).pvalue > 0.001
    white = np.linalg.solve(np.linalg.cholesky(G)[:, None], u[..., None])[..., 0]  # u = L z
    np.testing.assert_allclose(np.eye(2), np.cov(white.reshape(-1, 2).T), atol=0.05)
    assert stats.kstest(white.ravel(), "norm").pvalue > 0.001


def test_responses_have_the_moments_of_the_model() -> None:
    """A Gaussian response: mean X m, variance that of X beta + x u + v + e, in closed form."""
    priors = {
        "x": "Normal(0.5, 0.3)",
        "Intercept": "Normal(-1, 2)",
        "sd": "HalfNormal(0.7)",
        "sigma": "HalfNormal(0.5)",
    }
    model = structured("gaussian", priors)
    truth, y, impossible = simulate(problem_of(model), 4000, 2)
    x = model.design.X[:, 1]
    variance = 4.0 + 0.09 * x**2 + 0.49 * (1.0 + x**2) + 0.49 + 0.25  # E rho = 0
    assert impossible == 0
    np.testing.assert_allclose(-1.0 + 0.5 * x, y.mean(axis=0), atol=4.5 * np.sqrt(variance.max() / 4000))
    np.testing.assert_allclose(variance, y.var(axis=0), rtol=0.15)
    labels = ["u_g[0, Intercept]", "u_g[4, x]", "u_h[0, Intercept]", "u_h[2, Intercept]", "corr_g[x, Intercept]"]
    assert set(labels) <= set(truth)
    assert not truth.isna().to_numpy().any()


def test_the_true_log_likelihood_is_that_of_the_response() -> None:
    model = coin()
    truth, y, _ = simulate(problem_of(model), 50, 3)
    expected = stats.bernoulli(special.expit(truth[["beta[Intercept]"]])).logpmf(y).sum(axis=1)
    np.testing.assert_allclose(expected, truth[LOG_LIKELIHOOD], rtol=1e-12)


def test_responses_that_cannot_be_are_drawn_anew() -> None:
    """Of Poisson counts with such an intercept about one in fifteen has a mean above 1e15."""
    data = pd.DataFrame({"y": np.arange(12) % 3})
    _, y, impossible = simulate(
        problem_of(bg.GLMM("y ~ 1", data, "poisson", priors={"Intercept": "Normal(0, 23)"})), 400, 1
    )
    share = stats.norm.sf(np.log(1e15) / 23)
    assert stats.binomtest(impossible, 800, share).pvalue > 0.001  # twice 400 were simulated
    assert (y < 1e15).all()
    with pytest.raises(SpecError, match="can be"):
        simulate(problem_of(bg.GLMM("y ~ 1", data, "poisson", priors={"Intercept": "Normal(300, 1)"})), 20, 1)


@pytest.mark.parametrize(
    ("priors", "options", "message"),
    [
        ("Flat()", {}, r"Nothing can be drawn from Flat\(\).*prior of beta\[Intercept\]"),
        ("Normal(0, 1)", {"replications": 10}, "20 replications at least"),
        ("Normal(0, 1)", {"draws": 20}, "Of 40 draws a fit, 99 cannot be ranked among"),
        ("Normal(0, 1)", {"drawz": 20}, "Did you mean 'draws'"),
    ],
)
def test_what_cannot_be_studied_is_refused(priors: str, options: dict[str, int], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        bg.simulation_based_calibration(coin(priors), progress=False, **options)  # type: ignore[arg-type]


SMALL = {
    "bernoulli": ("y ~ x + (1 | g)", "integrated", {}),
    "poisson": ("y ~ x + (x | g)", "whitened", {}),
    "gaussian": ("y ~ x + (x | g) + (1 | h)", "whitened", {"sigma": "HalfNormal(1)"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("family", SMALL)
def test_fast_coordinates_draw_from_the_posterior(family: str) -> None:
    formula, coordinates, priors = SMALL[family]
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(12), [4, 6, 8] * 4)
    y = rng.normal(size=len(g)) if family == "gaussian" else np.arange(len(g)) % 2
    data = pd.DataFrame({"y": y, "x": rng.normal(size=len(g)), "g": g, "h": np.arange(len(g)) % 5})
    priors = {"beta": "Normal(0, 1)", "Intercept": "Normal(0, 1)", "sd": "HalfNormal(0.7)"} | priors
    model = bg.GLMM(formula, data, family, priors=priors)
    found = bg.simulation_based_calibration(model, 200, seed=1, progress=False, coordinates=coordinates)
    assert set(found.fits["coordinates"]) == {coordinates}
    assert found.failures["failed"] == 0
    assert found.p > 0.001, str(found)
