"""Prior densities against SciPy and against the PyMC model; power-scaling against conjugate posteriors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from bayes_glmm.diagnostics import check, sensitivity
from bayes_glmm.diagnostics.prior_density import log_correlation_density, log_density, log_prior
from bayes_glmm.model import build_model
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec, Prior
from tests.diagnostics import made_up

VALUES = np.array([0.1, 0.7, 2.5])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Normal(mu=1, sigma=2)", stats.norm.logpdf(VALUES, 1, 2)),
        ("Normal(1, 2)", stats.norm.logpdf(VALUES, 1, 2)),
        ("HalfStudentT(nu=3, sigma=2)", np.log(2) + stats.t.logpdf(VALUES, 3, 0, 2)),
        ("InverseGamma(alpha=0.4, beta=0.3)", stats.invgamma.logpdf(VALUES, 0.4, scale=0.3)),
        ("Exponential(2)", stats.expon.logpdf(VALUES, scale=0.5)),
    ],
)
def test_prior_densities_are_scipys(text: str, expected: np.ndarray) -> None:
    np.testing.assert_allclose(
        expected, log_density(Prior.parse(text), VALUES), rtol=1e-8
    )  # PyMC's HalfStudentT is off by 2e-9


def three_effects() -> Posterior:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.normal(size=60), "x": rng.normal(size=60), "w": rng.normal(size=60)})
    data["g"] = np.repeat(np.arange(6), 10)
    A = 0.4 * rng.normal(size=(8, 4, 4)) + np.eye(4)
    G = A @ A.swapaxes(-1, -2)
    G[:, 3, :3] = G[:, :3, 3] = 0.0  # w is another run
    spec = ModelSpec.from_formula("y ~ x + (x + I(x ** 2) | g) + (0 + w | g)", priors={"corr": "LKJ(3.5)"})
    return posterior_at(spec, data, rng.normal(size=(8, 2)), {"g": G}, {"sigma": 1 + rng.random(8)})


def test_log_prior_of_all_parameters_is_that_of_the_model() -> None:
    """Up to a constant, the PyMC model's own log densities of its free variables but z.

    Its LKJ is a density of the Cholesky factor L of R; dR = L_22 dL for three effects.
    """
    posterior = three_effects()
    found = log_prior(posterior)[0]
    posterior = posterior.canonical  # where every parameter has a prior of its own
    model = build_model(posterior.problem)
    free = [variable for variable in model.free_RVs if not variable.name.startswith("z_")]
    logp = model.compile_fn(model.logp(free, jacobian=False), inputs=model.value_vars, on_unused_input="ignore")
    expected = []
    for d in range(8):
        point = model.initial_point()
        for variable in model.free_RVs:
            value = model.rvs_to_values[variable]
            if variable.name.startswith("z_"):
                continue
            natural = posterior.array(variable.name)[d] if not variable.name.startswith("chol") else np.linalg.cholesky(
                posterior.array("corr_g")[d][:3, :3]
            )  # fmt: skip
            transform = model.rvs_to_transforms[variable]
            moved = natural if transform is None else transform.forward(natural, *variable.owner.inputs).eval()
            point[value.name] = moved
        L = np.linalg.cholesky(posterior.array("corr_g")[d][:3, :3])
        expected.append(float(logp(point)) - np.log(L[1, 1]))
    np.testing.assert_allclose(np.diff(expected), np.diff(found), atol=1e-8)


def test_one_correlation_has_its_marginal_density() -> None:
    """LKJ(eta) of three: |R|^(eta - 1) with the other two correlations integrated out by brute force."""
    posterior = three_effects()
    block = posterior.design.block("g")
    axis = np.linspace(-1, 1, 401)
    a, b = np.meshgrid(axis, axis)

    def unnormalised(r: float) -> float:
        determinant = 1 - r * r - a * a - b * b + 2 * r * a * b
        return float(np.sum(np.maximum(determinant, 0.0) ** 2.5))

    grid = np.array([-0.6, 0.0, 0.3, 0.8])
    expected = np.log([unnormalised(r) for r in grid])
    found = log_correlation_density(posterior, block, 1, grid)
    np.testing.assert_allclose(np.diff(expected), np.diff(found), atol=1e-4)
    area = integrate.quad(lambda r: float(np.exp(log_correlation_density(posterior, block, 0, np.array(r)))), -1, 1)[0]
    assert area == pytest.approx(1.0, abs=1e-8)


def conjugate(prior: str, mean: float, sd: float) -> Posterior:
    """Twenty rows of N(mu, 1), the prior of mu Normal(mean, sd), and 4,000 draws of its posterior."""
    y = np.random.default_rng(1).normal(size=20)
    precision = 20 + sd**-2
    centre = (y.sum() + mean / sd**2) / precision
    mu = centre + np.random.default_rng(2).normal(size=(4000, 1)) / np.sqrt(precision)
    spec = ModelSpec.from_formula("y ~ 1", priors={"Intercept": prior})
    return posterior_at(spec, pd.DataFrame({"y": y}), mu, {}, {"sigma": 1.0})


def exact(mean: float, sd: float, kind: str) -> float:
    """The sensitivity from the normal distributions that power-scaling leads to."""
    y = np.random.default_rng(1).normal(size=20)

    def posterior(alpha: float) -> tuple[float, float]:
        prior, data = (alpha, 1.0) if kind == "prior" else (1.0, alpha)
        precision = data * 20 + prior * sd**-2
        return (data * y.sum() + prior * mean / sd**2) / precision, precision**-0.5

    x = np.linspace(-4, 4, 200_001)
    step = x[1] - x[0]

    def one_way(p: np.ndarray, q: np.ndarray) -> float:
        with np.errstate(all="ignore"):
            return float(np.nansum(p * np.log2(2 * p / (p + q))) * step + np.sum(q - p) * step / (2 * np.log(2)))

    def distance(P: np.ndarray, Q: np.ndarray) -> float:
        """Cumulative Jensen-Shannon distance (Nguyen & Vreeken 2015), normalised, symmetric."""
        return float(np.sqrt((one_way(P, Q) + one_way(Q, P)) / (np.sum(P + Q) * step)))

    changes = []
    for alpha in (0.99, 1.01):
        # the scale of x runs over the draws: cut where they end
        sides = [
            [stats.norm.cdf(sign * x, sign * m, s) for m, s in (posterior(1.0), posterior(alpha))] for sign in (1, -1)
        ]
        low, high = (posterior(1.0)[0] + z * posterior(1.0)[1] for z in (-3.6, 3.6))
        inside = (x > low) & (x < high)
        changes.append(max(distance(P[inside], Q[inside]) for P, Q in sides) / abs(np.log2(alpha)))
    return float(np.mean(changes))


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 10.0), (0.0, 0.1), (3.0, 0.3)])
def test_sensitivity_of_a_normal_mean_is_exact(mean: float, sd: float) -> None:
    found = sensitivity(conjugate(f"Normal({mean}, {sd})", mean, sd)).loc["beta[Intercept]"]
    for kind in ("prior", "likelihood"):
        # the distance depends a little on where the draws end; 15 % is far from the threshold in all cases
        assert exact(mean, sd, kind) == pytest.approx(found[kind], rel=0.15, abs=0.005), kind


def test_the_finding_follows() -> None:
    cases = {(0.0, 10.0): "the data decide", (3.0, 0.3): "prior and data disagree", (0.2, 0.01): "the prior decides"}
    for (mean, sd), expected in cases.items():
        assert [expected] == sensitivity(conjugate(f"Normal({mean}, {sd})", mean, sd))["finding"].tolist()


def test_the_check_names_parameters_and_says_what_to_do() -> None:
    found = check(made_up.broken(), "sensitivity")
    assert found.verdict == "look"
    assert "beta[x]" in found["sensitivity"].failing
    assert "Prior and data pull beta[x]" in found.advice[0]
    assert str(check(made_up.good(), "sensitivity")).startswith("Verdict: fit to use.")
