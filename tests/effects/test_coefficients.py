"""Marginal coefficients: identities under log and probit, published fits, and quadrature with many digits."""

from __future__ import annotations

import json

import mpmath
import numpy as np
import pandas as pd
import pytest

from bayes_glmm.effects import approximate_marginal_coefficients, coefficients, compare, marginal_coefficients, predict
from bayes_glmm.errors import SpecError
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import BETA, intercepts, logistic


def averaged(posterior: Posterior) -> np.ndarray:
    """Population-averaged coefficients [draw, coefficient]."""
    result = marginal_coefficients(posterior)
    chosen = (result.table["effect"] == "population-averaged").to_numpy()
    return result.draws.values.reshape(-1, len(result.table))[:, chosen]


def at(data: pd.DataFrame, formula: str, family: str, beta: list[float], group: str, sd: float) -> Posterior:
    return posterior_at(ModelSpec.from_formula(formula, family=family), data, beta, {group: [[sd**2]]})


def test_under_probit_with_a_random_intercept_they_are_shrunk_exactly():
    posterior = intercepts("probit", variance=9.0)
    np.testing.assert_allclose(averaged(posterior), BETA / np.sqrt(1.0 + posterior.G("g")[:, 0]), rtol=1e-10)


def test_under_the_log_link_only_the_intercept_moves():
    posterior = intercepts("log", family="poisson", variance=3.0)
    expected = BETA + 0.5 * posterior.G("g")[:, 0] * np.array([1.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(averaged(posterior), expected, rtol=1e-10, atol=1e-12)


def test_under_the_identity_link_they_are_the_conditional_ones():
    data = logistic().design.data.assign(y=np.linspace(-1, 1, 60))
    posterior = posterior_at(
        ModelSpec.from_formula("y ~ x + dose + (x | g)"), data, BETA, {"g": np.eye(2)}, {"sigma": 1.0}
    )
    np.testing.assert_allclose(averaged(posterior), BETA, rtol=1e-10)


def test_the_offset_does_not_leak_into_the_coefficients():
    data = pd.DataFrame({"y": [1, 2, 3, 4], "t": [1.0, 2.0, 3.0, 9.0], "x": [0.0, 1.0, 3.0, 4.0], "g": list("aabb")})
    posterior = at(data, "y ~ x + offset(log(t)) + (1 | g)", "poisson", [0.3, 0.2], "g", 1.0)
    np.testing.assert_allclose(averaged(posterior), [[0.8, 0.2]], rtol=1e-10)


def test_without_variance_nothing_changes_under_any_link():
    for link in ("logit", "probit", "cloglog", "cauchit"):
        np.testing.assert_allclose(averaged(intercepts(link, variance=0.0)), BETA, rtol=1e-10)


def test_the_projection_weighs_every_row_of_the_data():
    posterior = logistic()
    rows = posterior.design.data
    predictor = predict(posterior, rows, "integrated", scale="link").draws.values[0]
    expected = np.linalg.lstsq(posterior.design.X, predictor.T, rcond=None)[0].T
    np.testing.assert_allclose(averaged(posterior), expected, rtol=1e-9)


def test_the_table_sets_conditional_and_population_averaged_side_by_side():
    table = marginal_coefficients(logistic()).table
    assert table["coefficient"].tolist()[:4] == ["Intercept", "Intercept", "x", "x"]
    assert table["effect"].tolist()[:2] == ["conditional", "population-averaged"]
    conditional = coefficients(logistic()).table
    np.testing.assert_allclose(conditional["estimate"], np.median(BETA, axis=0))
    np.testing.assert_allclose(conditional["probability"], [2 / 3, 1.0, 1.0, 2 / 3])


def test_the_textbook_approximation_is_close_for_small_variances_only():
    def error(variance: float) -> float:
        posterior = intercepts("logit", variance=variance)
        approximate = approximate_marginal_coefficients(posterior).draws.values[0, :, 1::2]
        return float(np.abs(approximate / averaged(posterior) - 1.0).max())

    assert error(0.001) < 2e-4
    assert error(20.0) > 0.02
    posterior = intercepts("logit", variance=2.0)
    expected = BETA / np.sqrt(1.0 + posterior.G("g")[:, 0] / 1.7**2)
    np.testing.assert_allclose(
        approximate_marginal_coefficients(posterior, 1.7).draws.values[0, :, 1::2], expected, rtol=1e-10
    )
    with pytest.raises(SpecError, match="logit link"):
        approximate_marginal_coefficients(intercepts("probit"))


def test_a_link_without_averaged_means_is_refused():
    data = logistic().design.data.assign(y=np.linspace(1, 2, 60))
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", family="gamma", link="inverse")
    posterior = posterior_at(spec, data, [3.0, 0.1], {"g": [[0.01]]}, {"phi": 5.0})
    with pytest.raises(SpecError, match="does not exist"):
        marginal_coefficients(posterior)
    assert len(coefficients(posterior).table) == 2


@pytest.fixture(scope="module")
def reference(shared) -> dict:
    return json.loads((shared / "reference" / "reference.json").read_text())


def averages_at(reference: dict, name: str, formula: str) -> dict:
    return next(
        case["pop_avg"] for case in reference[name]["computed"] if case["formula"] == formula and "pop_avg" in case
    )


def test_spinal_pain_at_the_adaptive_quadrature_fit(shared, reference):
    data = pd.read_csv(shared / "data" / "spinal.csv")
    posterior = at(data, "nopain ~ x + (1 | patient)", "bernoulli", [1.12431, -0.287682], "patient", 2.99606)
    expected = averages_at(reference, "spinal", "nopain ~ x + (1|patient)")
    means = predict(posterior, random_effects="integrated").table["estimate"]
    np.testing.assert_allclose(means, [expected["marginal_mean_x0"], expected["marginal_mean_x1"]], rtol=1e-5)
    result = compare(posterior, "x", random_effects="integrated", estimands=["difference", "log_odds_ratio"]).table
    np.testing.assert_allclose(result["estimate"], [expected["risk_difference"], expected["marginal_logOR"]], rtol=1e-4)
    # what GEE estimates directly: -0.1336, half of the conditional -0.288
    np.testing.assert_allclose(averaged(posterior)[0, 1], expected["marginal_logOR"], rtol=1e-4)


def test_remission_at_the_adaptive_quadrature_fit(shared, reference):
    data = pd.read_csv(shared / "data" / "hdp.csv")
    formula = "remission ~ Age + Married + IL6 + (1|DID)"
    beta = [1.46675, -0.0560302, 0.260284, -0.0533397]
    posterior = at(data, formula, "bernoulli", beta, "DID", 1.99472)
    expected = averages_at(reference, "hdp", formula)
    np.testing.assert_allclose(averaged(posterior)[0], list(expected["coefs"].values()), rtol=2e-4)
    result = compare(posterior, "Married", random_effects="integrated", estimands="difference").table
    assert result["estimate"][0] == pytest.approx(expected["AME_Married"], rel=2e-4)


def test_tumour_counts_at_the_adaptive_quadrature_fit(shared, reference):
    data = pd.read_csv(shared / "data" / "hdp.csv")
    formula = "ntumors ~ Age + Married + IL6 + (1|DID)"
    posterior = at(data, formula, "poisson", [-0.232489, 0.0258874, -0.129805, 0.00487153], "DID", 0.411599)
    expected = averages_at(reference, "hdp", formula)
    assert averaged(posterior)[0, 0] == pytest.approx(expected["intercept"], rel=1e-4)
    result = compare(posterior, "Married", random_effects="integrated", estimands="difference").table
    assert result["estimate"][0] == pytest.approx(expected["AME_Married"], rel=1e-4)


def test_abortion_attitudes_where_gauss_hermite_fails(shared, reference):
    # The sd is 8.7. The stored answers came from 101 Gauss-Hermite nodes, which at this sd are wrong by 1.7%: so the
    # witness here is mpmath, and the stored answers are met by the same 101 nodes.
    data = pd.read_csv(shared / "data" / "abortion.csv")
    data = data.assign(sit1=(data["situation"] == 1) * 1, sit2=(data["situation"] == 2) * 1)
    beta, sd = np.array([-0.619364, 0.834783, 0.292449, 0.0126119]), 8.74603
    formula = "response ~ sit1 + sit2 + gender + (1 | person)"
    result = averaged(at(data, formula, "bernoulli", list(beta), "person", sd))[0]

    def exact_logit(eta: float) -> float:
        with mpmath.workdps(20):
            cuts = [-20, -8, -3, -1, -0.3, 0, 0.3, 1, 3, 8, 20]
            mean = mpmath.quad(lambda z: mpmath.npdf(z) / (1 + mpmath.exp(-eta - sd * z)), cuts)
            return float(mpmath.log(mean / (1 - mean)))

    X, counts = np.unique(
        data.assign(one=1)[["one", "sit1", "sit2", "gender"]].to_numpy(float), axis=0, return_counts=True
    )
    expected = project(X, counts, np.array([exact_logit(eta) for eta in X @ beta]))
    np.testing.assert_allclose(result, expected, rtol=1e-9)
    nodes, weights = np.polynomial.hermite_e.hermegauss(101)
    rough = (weights / np.sqrt(2 * np.pi)) @ (1 / (1 + np.exp(-(X @ beta) - sd * nodes[:, None])))
    stored = averages_at(reference, "abortion", "response ~ sit1 + sit2 + gender + (1|person)")["coefs"]
    np.testing.assert_allclose(project(X, counts, np.log(rough / (1 - rough))), list(stored.values()), rtol=1e-3)
    # and GEE, which needs no integral, sides with the exact average
    assert abs(result[1] - 0.149347) < 0.0005 < abs(stored["sit1"] - 0.149347)


def project(X: np.ndarray, counts: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.solve((X.T * counts) @ X, (X.T * counts) @ y)
