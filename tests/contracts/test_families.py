"""What every family owes, with each of its links: one density in three places, finite tails, and draws that fit it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special, stats

from bayes_glmm.families import FAMILIES, LINKS, Family, Form, Response
from bayes_glmm.names import PARAMETERS, step
from bayes_glmm.numerics.functions import NUMPY, pytensor_functions
from bayes_glmm.spec import Prior
from tests.families import BY_NAME, EACH

PAIRS = [(family, link) for family in EACH for link in family.links]
EVERY = pytest.mark.parametrize(("family", "link"), PAIRS, ids=[f"{family.name}-{link}" for family, link in PAIRS])
EVERY_FAMILY = pytest.mark.parametrize("family", EACH, ids=BY_NAME.keys())
# pairs whose mean is inside the support for every linear predictor, so that a sampler may step anywhere
ORDINARY = [
    (family, link)
    for family, link in PAIRS
    if LINKS[link].range == ("positive" if family.response.range == "positive" else "unit") and link != "sqrt"
]

VALID = {
    "real": np.array([-1.3, 0.2, 2.9]),
    "positive": np.array([0.07, 1.1, 4.0]),
    "binary": np.array([0.0, 1.0, 1.0]),
    "successes": np.array([0.0, 3.0, 5.0]),
    "count": np.array([0.0, 1.0, 17.0]),
    "positive_count": np.array([1.0, 2.0, 17.0]),
    "nonnegative": np.array([0.0, 0.07, 4.0]),
    "fraction": np.array([0.03, 0.5, 0.96]),
    "closed_fraction": np.array([0.0, 0.4, 1.0]),
    "ordered": np.array([1.0, 3.0, 4.0]),
    "unordered": np.array([1.0, 3.0, 4.0]),
}
INVALID = {
    "real": [np.nan, np.inf, -np.inf],
    "positive": [np.nan, np.inf, 0.0, -1.0],
    "binary": [np.nan, np.inf, 2.0, -1.0, 0.5],
    "successes": [np.nan, np.inf, -1.0, 0.5, 6.0],
    "count": [np.nan, np.inf, -1.0, 0.5],
    "positive_count": [np.nan, np.inf, -1.0, 0.0, 1.5],
    "nonnegative": [np.nan, np.inf, -1.0, -1e-9],
    "fraction": [np.nan, np.inf, 0.0, 1.0, -0.1, 1.1],
    "closed_fraction": [np.nan, np.inf, -0.1, 1.1],
    "ordered": [np.nan, np.inf, 0.0, -1.0, 1.5],
    "unordered": [np.nan, np.inf, 0.0, -1.0, 1.5],
}
AUXILIARY = {
    "sigma": 1.3,
    "nu": 12.5,
    "phi": 2.4,
    "zi": 0.3,
    "shape": 0.9,
    "hu": 0.35,
    "zoi": 0.4,
    "coi": 0.7,
    step(2): 0.8,
    step(3): 1.9,
}
SHIFT = 0.3  # of each further predictor of a family with several
TRIALS = np.array([4.0, 5.0, 5.0])
TAILS = np.array([-700.0, -300.0, -40.0, -38.0, -9.0, 5.0, 9.0, 37.0, 40.0, 300.0, 700.0])

# as the mean grows: excess zeros; a Levy distribution; ends whose probability does not follow the mean
WITH_A_LIMIT = ("zero_inflated_poisson", "inverse_gaussian", "hurdle_gamma", "zero_one_inflated_beta")


class ZeroInflated:
    """A mixture of zeros and a distribution of SciPy."""

    def __init__(self, zi: Any, counts: Any) -> None:
        self.zi, self.counts = zi, counts

    def logpmf(self, y: np.ndarray) -> np.ndarray:
        return np.log(np.where(y == 0, self.zi, 0.0) + (1.0 - self.zi) * self.counts.pmf(y))

    def cdf(self, y: np.ndarray) -> np.ndarray:
        return np.where(y >= 0, self.zi, 0.0) + (1.0 - self.zi) * self.counts.cdf(y)

    def sf(self, y: np.ndarray) -> np.ndarray:
        return np.where(y >= 0, 1.0 - self.zi, 1.0) * self.counts.sf(y)


class Hurdle:
    """Zeros, and a distribution of SciPy given that it is not 0."""

    def __init__(self, hu: Any, counts: Any) -> None:
        self.hu, self.counts = hu, counts

    def logpmf(self, y: np.ndarray) -> np.ndarray:
        above = np.log1p(-self.hu) + self.counts.logpmf(y) - self.counts.logsf(0)
        return np.where(y == 0, np.log(self.hu), above)

    def cdf(self, y: np.ndarray) -> np.ndarray:
        return np.where(y >= 0, self.hu, 0.0) + (1.0 - self.hu) * Truncated(self.counts).cdf(y)

    def sf(self, y: np.ndarray) -> np.ndarray:
        return np.where(y >= 0, 1.0 - self.hu, 1.0) * Truncated(self.counts).sf(y)


class Truncated:
    """A distribution of SciPy given that it is not 0."""

    def __init__(self, counts: Any) -> None:
        self.counts = counts

    def logpmf(self, y: np.ndarray) -> np.ndarray:
        return self.counts.logpmf(y) - self.counts.logsf(0)

    def cdf(self, y: np.ndarray) -> np.ndarray:
        return np.maximum(self.counts.cdf(y) - self.counts.cdf(0), 0.0) / self.counts.sf(0)

    def sf(self, y: np.ndarray) -> np.ndarray:
        return np.minimum(self.counts.sf(y) / self.counts.sf(0), 1.0)


class ConwayMaxwell:
    """By the sum of its terms, with a root of SciPy for the rate that gives each mean."""

    def __init__(self, mu: np.ndarray, phi: Any) -> None:
        self.j, self.nu = np.arange(1000.0), 1.0 / (phi + 0.0 * mu)
        self.logs = np.vectorize(self._log_rate)(mu, self.nu)

    def _terms(self, log_rate: float, nu: float) -> np.ndarray:
        return self.j * log_rate - nu * special.gammaln(self.j + 1.0)

    def _log_rate(self, mu: float, nu: float) -> float:
        def excess(log_rate: float) -> float:
            return float(special.softmax(self._terms(log_rate, nu)) @ self.j) / mu - 1.0

        return float(optimize.brentq(excess, np.log(mu) - 50.0, nu * 5.0 + 5.0, xtol=1e-15, rtol=1e-15))

    def logpmf(self, y: np.ndarray) -> np.ndarray:
        pairs = zip(self.logs, self.nu, strict=True)
        total = np.array([special.logsumexp(self._terms(log_rate, nu)) for log_rate, nu in pairs])
        return y * self.logs - self.nu * special.gammaln(y + 1.0) - total


class Semicontinuous:
    """Zeros with a probability of their own, and a density of SciPy above."""

    def __init__(self, hu: Any, positive: Any) -> None:
        self.hu, self.positive = hu, positive

    def logpdf(self, y: np.ndarray) -> np.ndarray:
        above = np.log1p(-self.hu) + self.positive.logpdf(np.where(y > 0, y, 1.0))
        return np.where(y > 0, above, np.log(self.hu))

    def cdf(self, y: np.ndarray) -> np.ndarray:
        return np.where(y >= 0, self.hu, 0.0) + (1.0 - self.hu) * self.positive.cdf(y)

    def sf(self, y: np.ndarray) -> np.ndarray:
        return np.where(y >= 0, 1.0 - self.hu, 1.0) * self.positive.sf(y)


class Inflated:
    """Zeros and ones with probabilities of their own, and a density of SciPy between them."""

    def __init__(self, zero: Any, one: Any, inside: Any) -> None:
        self.zero, self.one, self.inside = zero, one, inside

    def logpdf(self, y: np.ndarray) -> np.ndarray:
        within = (y > 0) & (y < 1)
        between = np.log(1.0 - self.zero - self.one) + self.inside.logpdf(np.where(within, y, 0.5))
        return np.where(within, between, np.log(np.where(y == 0, self.zero, self.one)))


def ordered_beta(mu: Any, aux: Any) -> Inflated:
    """By its thresholds, as Kubinec (2023) and glmmTMB have it."""
    eta, lower, upper = special.logit(mu), *(thresholds(aux["zoi"], aux["coi"]))
    zero, one = special.expit(lower - eta), special.expit(eta - upper)
    return Inflated(zero, one, stats.beta(mu * aux["phi"], (1 - mu) * aux["phi"]))


def thresholds(zoi: Any, coi: Any) -> tuple[Any, Any]:
    """Where a latent logistic variable about 0 is cut so that both ends have these probabilities."""
    return special.logit(zoi * (1.0 - coi)), special.logit(1.0 - zoi * coi)


class Unordered:
    """Softmax of 0 and a linear predictor for each category but the first."""

    def __init__(self, etas: list[np.ndarray]) -> None:
        self.logits = np.stack(np.broadcast_arrays(0.0, *etas))

    def logpmf(self, y: np.ndarray) -> np.ndarray:
        return np.take_along_axis(special.log_softmax(self.logits, axis=0), y.astype(int)[None] - 1, axis=0)[0]


class Ordered:
    """A latent distribution of SciPy about eta, cut at the first threshold 0 and those above it."""

    def __init__(self, latent: Any, eta: np.ndarray, thresholds: list[float]) -> None:
        self.latent, self.eta, self.cuts = latent, eta, np.array([-np.inf, *thresholds, np.inf])

    def logpmf(self, y: np.ndarray) -> np.ndarray:
        k = y.astype(int)
        upper, lower = self.cuts[k] - self.eta, self.cuts[k - 1] - self.eta
        right = upper + lower > 0  # the tail in which a difference keeps its digits
        below, above = self.latent.cdf(upper) - self.latent.cdf(lower), self.latent.sf(lower) - self.latent.sf(upper)
        return np.log(np.where(right, above, below))


class Stepwise:
    """Free thresholds, 0 and others: SciPy's distribution functions at c - eta, or at eta - c where eta raises them."""

    def __init__(self, name: str, latent: Any, eta: np.ndarray, thresholds: list[float]) -> None:
        distances = np.array([threshold - eta for threshold in thresholds])
        up = (latent.logcdf(-distances), latent.logsf(-distances))
        on, stop = (latent.logsf(distances), latent.logcdf(distances)) if name == "sratio" else up
        if name == "acat":
            sums = np.cumsum(np.concatenate([0.0 * on[:1], on - stop]), axis=0)
            self.shares = special.log_softmax(sums, axis=0)
        else:
            reached = np.cumsum(np.concatenate([0.0 * on[:1], on]), axis=0)
            self.shares = reached + np.concatenate([stop, 0.0 * on[:1]])

    def logpmf(self, y: np.ndarray) -> np.ndarray:
        return np.take_along_axis(self.shares, y.astype(int)[None] - 1, axis=0)[0]


LATENT = {"logit": stats.logistic, "probit": stats.norm, "cloglog": stats.gumbel_l, "cauchit": stats.cauchy}
# the distributions in SciPy's parametrisation
SCIPY: dict[str, Any] = {
    "gaussian": lambda mu, aux, n: stats.norm(mu, aux["sigma"]),
    "student_t": lambda mu, aux, n: stats.t(aux["nu"], loc=mu, scale=aux["sigma"]),
    "gamma": lambda mu, aux, n: stats.gamma(aux["phi"], scale=mu / aux["phi"]),
    "lognormal": lambda mu, aux, n: stats.lognorm(aux["sigma"], scale=np.exp(mu)),
    "weibull": lambda mu, aux, n: stats.weibull_min(aux["shape"], scale=mu / special.gamma(1.0 + 1.0 / aux["shape"])),
    "exponential": lambda mu, aux, n: stats.expon(scale=mu),
    "inverse_gaussian": lambda mu, aux, n: stats.invgauss(mu / aux["shape"], scale=aux["shape"]),
    "hurdle_gamma": lambda mu, aux, n: Semicontinuous(aux["hu"], stats.gamma(aux["phi"], scale=mu / aux["phi"])),
    "hurdle_lognormal": lambda mu, aux, n: Semicontinuous(aux["hu"], stats.lognorm(aux["sigma"], scale=np.exp(mu))),
    "bernoulli": lambda mu, aux, n: stats.bernoulli(mu),
    "binomial": lambda mu, aux, n: stats.binom(n, mu),
    "beta": lambda mu, aux, n: stats.beta(mu * aux["phi"], (1 - mu) * aux["phi"]),
    "zero_one_inflated_beta": lambda mu, aux, n: Inflated(
        aux["zoi"] * (1 - aux["coi"]), aux["zoi"] * aux["coi"], stats.beta(mu * aux["phi"], (1 - mu) * aux["phi"])
    ),
    "ordered_beta": lambda mu, aux, n: ordered_beta(mu, aux),
    "poisson": lambda mu, aux, n: stats.poisson(mu),
    "negative_binomial": lambda mu, aux, n: stats.nbinom(aux["phi"], aux["phi"] / (aux["phi"] + mu)),
    "negative_binomial_1": lambda mu, aux, n: stats.nbinom(mu / aux["phi"], 1 / (1 + aux["phi"])),
    "geometric": lambda mu, aux, n: stats.geom(1 / (1 + mu), loc=-1),
    "com_poisson": lambda mu, aux, n: ConwayMaxwell(mu, aux["phi"]),
    "beta_binomial": lambda mu, aux, n: stats.betabinom(n, mu * aux["phi"], (1 - mu) * aux["phi"]),
}
# with zeros of their own
SCIPY |= {
    "zero_inflated_poisson": lambda mu, aux, n: ZeroInflated(aux["zi"], SCIPY["poisson"](mu, aux, n)),
    "zero_inflated_negative_binomial": lambda mu, aux, n: ZeroInflated(
        aux["zi"], SCIPY["negative_binomial"](mu, aux, n)
    ),
    "zero_inflated_negative_binomial_1": lambda mu, aux, n: ZeroInflated(
        aux["zi"], SCIPY["negative_binomial_1"](mu, aux, n)
    ),
    "zero_inflated_beta_binomial": lambda mu, aux, n: ZeroInflated(aux["zi"], SCIPY["beta_binomial"](mu, aux, n)),
    "zero_inflated_binomial": lambda mu, aux, n: ZeroInflated(aux["zi"], SCIPY["binomial"](mu, aux, n)),
    "hurdle_poisson": lambda mu, aux, n: Hurdle(aux["hu"], SCIPY["poisson"](mu, aux, n)),
    "hurdle_negative_binomial": lambda mu, aux, n: Hurdle(aux["hu"], SCIPY["negative_binomial"](mu, aux, n)),
    "truncated_poisson": lambda mu, aux, n: Truncated(SCIPY["poisson"](mu, aux, n)),
    "truncated_negative_binomial": lambda mu, aux, n: Truncated(SCIPY["negative_binomial"](mu, aux, n)),
    "truncated_negative_binomial_1": lambda mu, aux, n: Truncated(SCIPY["negative_binomial_1"](mu, aux, n)),
}


def _scipys(family: Family, link: str, eta: np.ndarray, trials: np.ndarray | None) -> Any:
    if family.shared_formula:
        return Unordered([eta for eta, _ in predictors(family, link, eta).values()])
    if family.categories:
        thresholds = [0.0, *np.cumsum([AUXILIARY[name] for name in family.steps])]
        if family.name == "cumulative":
            return Ordered(LATENT[link], eta, thresholds)
        return Stepwise(family.name, LATENT[link], eta, thresholds)
    return SCIPY[family.name](LINKS[link].inverse(eta, NUMPY), _auxiliary(family), trials)


def predictors(family: Family, link: str, eta: Any) -> dict[str, tuple[Any, Any]]:
    """The linear predictor of the location; of a family with one for each category the others a constant apart."""
    predicted = family.parameters if family.shared_formula else family.parameters[:1]
    return {one.name: (eta + SHIFT * k, LINKS[link]) for k, one in enumerate(predicted)}


def _auxiliary(family: Family) -> dict[str, Any]:
    # arrays: PyTensor would take a Python float that float32 holds exactly for a float32
    names = () if family.shared_formula else family.auxiliary
    return {name: np.array(AUXILIARY[name]) for name in names}


def _predictors(family: Family, link: str) -> np.ndarray:
    """Linear predictors whose mean lies inside the support."""
    rng = np.random.default_rng(7)
    if family.location.support == "unit":
        return LINKS[link].forward(rng.uniform(0.02, 0.98, 11), NUMPY)
    if family.response.range == "real" and LINKS[link].range == "real":
        return rng.normal(0, 3, 11)
    return LINKS[link].forward(rng.uniform(0.05, 9.0, 11), NUMPY)


def _rows(family: Family, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Every valid response at every linear predictor: y, eta, trials."""
    y, n = VALID[family.response.name], len(eta)
    trials = np.repeat(TRIALS, n) if family.response.trials else None
    return np.repeat(y, n), np.tile(eta, len(y)), trials


def _log_density(family: Family, link: str, y: np.ndarray, eta: np.ndarray, trials: np.ndarray | None) -> np.ndarray:
    at = family.at(predictors(family, link, eta), _auxiliary(family), NUMPY)
    return family.log_density(Response(y, trials), at, NUMPY)


@cache
def _compiled(family_name: str, link: str):
    """The log density of the PyMC likelihood, and its gradient in eta, as functions of (y, eta, trials)."""
    import pymc as pm
    import pytensor.tensor as pt

    family = BY_NAME[family_name]
    y, eta, trials = pt.dvector("y"), pt.dvector("eta"), pt.dvector("trials")
    n = trials if family.response.trials else None
    with pm.Model():
        f = pytensor_functions()
        at = family.at(predictors(family, link, eta), _auxiliary(family), f)
        if family.distribution is None:
            value = family.log_density(Response(y, n), at, f)
        else:
            value = pm.logp(family.distribution(pm, "y", Response(np.ones(3 * len(TAILS)), n), at, None), y)
    return pm.compile([y, eta, trials], [value, pt.grad(value.sum(), eta)], on_unused_input="ignore")


def _likelihood(family: Family, link: str, y: np.ndarray, eta: np.ndarray, trials: np.ndarray | None):
    return _compiled(family.name, link)(y, eta, np.ones_like(y) if trials is None else trials)


@EVERY
def test_log_density_is_scipys(family: Family, link: str) -> None:
    y, eta, trials = _rows(family, _predictors(family, link))
    distribution = _scipys(family, link, eta, trials)
    expected = distribution.logpmf(y) if family.discrete else distribution.logpdf(y)
    np.testing.assert_allclose(_log_density(family, link, y, eta, trials), expected, rtol=1e-10, atol=1e-12)


@EVERY
def test_likelihood_is_the_log_density(family: Family, link: str) -> None:
    y, eta, trials = _rows(family, _predictors(family, link))
    value, gradient = _likelihood(family, link, y, eta, trials)
    np.testing.assert_allclose(value, _log_density(family, link, y, eta, trials), rtol=1e-10, atol=1e-12)

    h = 1e-3 * np.minimum(1.0, np.abs(eta))
    near, far = (
        _log_density(family, link, y, eta + k * h, trials) - _log_density(family, link, y, eta - k * h, trials)
        for k in (1, 2)
    )
    # the five-point rule errs by h^4 / 30 of the fifth derivative
    np.testing.assert_allclose(gradient, (8 * near - far) / (12 * h), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("family", "link"), ORDINARY, ids=[f"{family.name}-{link}" for family, link in ORDINARY])
def test_tails_are_finite(family: Family, link: str) -> None:
    y, eta, trials = _rows(family, TAILS)
    value, gradient = _likelihood(family, link, y, eta, trials)
    for name, array in [("value", value), ("gradient", gradient)]:
        bad = ~np.isfinite(array)
        assert not bad.any(), f"{name} at y = {y[bad]}, eta = {eta[bad]}"
    np.testing.assert_allclose(value, _log_density(family, link, y, eta, trials), rtol=1e-10, atol=1e-12)
    # an impossible observation must cost: no flat log density where the response contradicts the mean
    limited = {"zi", "hu"} & set(family.auxiliary) or family.name in WITH_A_LIMIT
    assert (value[(y == y.min()) & (eta == 40)] < -4).all() or limited
    assert (value[(y == y.max()) & (eta == -40)] < -4).all() or family.name in WITH_A_LIMIT


@EVERY
def test_draws_have_the_stated_mean_and_variance(family: Family, link: str) -> None:
    if family.response.nominal:
        pytest.skip("Categories without an order have no mean; their shares are in tests/likelihood.")
    rng, size, aux = np.random.default_rng(20), 200_000, _auxiliary(family)
    for eta in _predictors(family, link)[:2]:
        n = 5.0 if family.response.trials else 1.0
        trials = np.full(size, n) if family.response.trials else None
        at = family.at(predictors(family, link, np.full(size, eta)), aux, NUMPY)
        draws = np.asarray(family.draw(rng, Response(None, trials), at), float)
        variance = np.broadcast_to(family.variance_of_rows(Response(None, trials), at), size)[0]
        if not family.categories:
            mu = LINKS[link].inverse(eta, NUMPY)
            assert np.broadcast_to(family.variance(at), size)[0] == pytest.approx(
                family.variance_of(mu, aux), rel=1e-12
            )
        centred = draws - n * family.mean.value(at)
        # 5 Monte Carlo standard errors, that of the variance from the fourth moment of the draws themselves
        assert abs(centred.mean()) <= 5 * np.sqrt(variance / size)
        assert abs((centred**2).mean() - variance) <= 5 * np.sqrt((centred**2).var() / size)
        assert not family.response.support(draws, trials).any()


@EVERY_FAMILY
def test_draws_broadcast_over_posterior_draws(family: Family) -> None:
    eta = np.linspace(0.2, 0.7, 12).reshape(4, 3)
    aux = {name: np.full((4, 1), value) for name, value in _auxiliary(family).items()}
    y = Response(VALID[family.response.name], TRIALS if family.response.trials else None)
    at = family.at(predictors(family, family.links[0], eta), aux, NUMPY)
    first, again = (family.draw(np.random.default_rng(3), y, at) for _ in range(2))
    assert first.shape == (4, 3)
    np.testing.assert_array_equal(first, again)
    assert family.log_density(y, at, NUMPY).shape == (4, 3)


@EVERY_FAMILY
def test_draws_in_the_tails_are_numbers(family: Family) -> None:
    eta = np.array([-700.0, -40.0, 40.0, 700.0])
    trials = np.full(4, 5.0) if family.response.trials else None
    at = family.at(predictors(family, family.links[0], eta), _auxiliary(family), NUMPY)
    draws = family.draw(np.random.default_rng(3), Response(None, trials), at)
    assert np.isfinite(draws).all()


@EVERY_FAMILY
def test_support_accepts_what_can_be_and_rejects_what_cannot(family: Family) -> None:
    trials = TRIALS if family.response.trials else None
    assert not family.response.support(VALID[family.response.name], trials).any()
    bad = np.array(INVALID[family.response.name])
    trials = np.full(len(bad), 5.0) if family.response.trials else None
    assert family.response.support(bad, trials).all()


@EVERY_FAMILY
def test_default_priors_are_pymc_distributions(family: Family) -> None:
    import pymc as pm

    for name, parameter in family.auxiliary.items():
        if name in family.steps or family.shared_formula:  # thresholds, or coefficients, have priors
            continue
        prior = Prior.parse(parameter.prior.format(scale="1.5"))
        distribution = getattr(pm, prior.distribution).dist(*prior.positional, **dict(prior.keyword))
        assert np.isfinite(pm.logp(distribution, 0.7).eval())
        assert pm.logp(distribution, -0.7).eval() == -np.inf  # scales, shapes and degrees of freedom are positive


def test_names_of_parameters_are_reserved_for_them() -> None:
    """A column called like one is ``beta[sigma]`` in priors, a factor called like one gets a suffix in draws."""
    largest = [one.with_form(Form(disc=True)) if one.with_form else one for one in FAMILIES.values()]
    assert {name for family in largest for name in family.auxiliary} == set(PARAMETERS)
