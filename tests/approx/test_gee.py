"""GEE against geepack, against generalised linear models, and against the equations solved densely."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import special, stats

import bayes_glmm as bg
from bayes_glmm.errors import DataError, EstimationError, SpecError
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import posterior_at
from tests.approx.reference import STUDIES

STUDY = {study.name: study for study in STUDIES}
GEEPACK = [
    ("hdp remission", "exchangeable"),
    ("hdp ntumors", "exchangeable"),
    ("spinal", "exchangeable"),
    ("beitler_landis", "exchangeable"),
    ("beitler_landis", "independence"),
    ("abortion", "exchangeable"),
    ("abortion", "independence"),
]


@pytest.mark.parametrize(("name", "corr"), GEEPACK)
def test_coefficients_and_robust_errors_are_those_of_geepack(name: str, corr: str, shared: Path) -> None:
    reference = json.loads((shared / "reference" / "reference.json").read_text(encoding="utf-8"))
    fits = reference[name.split()[0]]["computed"][STUDY[name].entry]["fits"]
    (expected,) = [fit for fit in fits if fit["method"] == f"geepack::geeglm {corr} (robust SE)"]
    found = bg.approx.gee(STUDY[name].model(shared), corr)
    assert found.converged
    # the reference has six digits
    assert_allclose(found.beta, list(expected["coefficients"].values()), rtol=6e-6)
    assert_allclose(found.standard_errors, list(expected["se"].values()), rtol=6e-6)
    assert expected["scale"] == pytest.approx(found.details["dispersion"], rel=6e-6)
    assert (expected["working_corr"] or 0.0) == pytest.approx(found.details["working_correlation"], rel=6e-6)


def data(seed: int = 4) -> pd.DataFrame:
    """Groups of one to six rows, not in order of their groups, with a response of each kind."""
    rng = np.random.default_rng(seed)
    g = rng.permutation(np.repeat(np.arange(50), rng.integers(1, 7, 50)))
    n = len(g)
    x, u = rng.normal(size=n), 0.5 * rng.normal(size=50)[g]
    eta = 0.3 + 0.4 * x + u
    trials = rng.integers(1, 9, n)
    return pd.DataFrame(
        {
            "g": g,
            "x": x,
            "exposure": rng.uniform(0.5, 2.0, n),
            "t": pd.Series(g).groupby(g).cumcount(),
            "real": eta + rng.normal(size=n),
            "binary": rng.binomial(1, special.expit(eta)),
            "count": rng.poisson(np.exp(eta)),
            "positive": rng.gamma(2.0, np.exp(eta) / 2.0),
            "fraction": rng.beta(4.0 * special.expit(eta), 4.0 * special.expit(-eta)),
            "trials": trials,
            "successes": rng.binomial(trials, special.expit(eta)),
        }
    )


def fit(
    response: str, family: str, corr: str = "exchangeable", frame: pd.DataFrame | None = None, **options: Any
) -> bg.approx.ApproxFit:
    link = options.pop("link", None)
    model = bg.GLMM(f"{response} ~ x + (1 | g)", data() if frame is None else frame, family=family, link=link)
    return bg.approx.gee(model, corr, **options)


@pytest.mark.filterwarnings("ignore:The .* link function does not respect the domain")
@pytest.mark.parametrize(
    ("response", "family", "theirs", "link"),
    [
        ("real", "gaussian", "Gaussian", "Identity"),
        ("binary", "bernoulli", "Binomial", "Logit"),
        ("binary", "bernoulli", "Binomial", "Probit"),
        ("binary", "bernoulli", "Binomial", "CLogLog"),
        ("fraction", "beta", "Binomial", "Logit"),
        ("count", "poisson", "Poisson", "Log"),
        ("count", "poisson", "Poisson", "Sqrt"),
        ("positive", "gamma", "Gamma", "Log"),
        ("p(successes, trials)", "binomial", "Binomial", "Logit"),
    ],
)
def test_independence_is_the_generalised_linear_model(response: str, family: str, theirs: str, link: str) -> None:
    from statsmodels.genmod import families
    from statsmodels.genmod.generalized_linear_model import GLM

    frame = data()
    found = fit(response, family, "independence", link=link.lower())
    both = frame[["successes", "trials"]].assign(trials=frame["trials"] - frame["successes"])
    y = both if family == "binomial" else frame[response]
    chosen = getattr(families, theirs)(getattr(families.links, link)())
    X = np.column_stack([np.ones(len(frame)), frame["x"]])
    groups = {"groups": frame["g"], "use_correction": False}
    glm = GLM(y, X, family=chosen).fit(tol=1e-13, cov_type="cluster", cov_kwds=groups)
    assert_allclose(found.beta, glm.params, rtol=1e-6)
    naive = np.sqrt(np.diagonal(glm.normalized_cov_params) * found.details["dispersion"])
    assert_allclose(found.details["standard_errors"]["naive"], naive, rtol=1e-6)
    if link in ("Identity", "Logit") or (theirs, link) == ("Poisson", "Log"):
        # elsewhere their sandwich has the observed information, that of GEE the expected one
        assert_allclose(found.standard_errors, glm.bse, rtol=1e-6)


def working(kind: str, alpha: Any, position: np.ndarray) -> np.ndarray:
    distance = np.abs(np.subtract.outer(position, position))
    return {
        "independence": lambda: np.eye(len(position)),
        "exchangeable": lambda: np.where(distance == 0, 1.0, alpha),
        "ar1": lambda: np.asarray(alpha) ** distance,
        "unstructured": lambda: alpha[np.ix_(position, position)],
    }[kind]()


@pytest.mark.parametrize("corr", ["independence", "exchangeable", "ar1", "unstructured"])
@pytest.mark.parametrize(
    ("response", "family", "link"),
    [
        ("count", "poisson", "log"),
        ("count", "negative_binomial", "log"),
        ("real", "gaussian", "identity"),
        ("positive", "gamma", "inverse"),
        ("binary", "bernoulli", "cauchit"),
    ],
)
def test_the_equations_hold_and_covariances_are_their_formulas(
    corr: str, response: str, family: str, link: str
) -> None:
    frame = data()
    offset = np.log(frame["exposure"]).to_numpy() if link == "log" else np.zeros(len(frame))
    term = " + offset(log(exposure))" if link == "log" else ""
    model = bg.GLMM(f"{response} ~ x{term} + (1 | g)", frame, family=family, link=link)
    found = bg.approx.gee(model, corr)
    assert found.converged
    X, phi, alpha = found.design.X, found.details["dispersion"], found.details["working_correlation"]
    eta = offset + X @ found.beta
    mu, slope = model.spec.link.inverse(eta, NUMPY), model.spec.link.derivative(eta, NUMPY)
    shape = found.parameters.auxiliary.get("phi")
    V = {"poisson": mu, "gaussian": mu**0, "gamma": mu**2, "bernoulli": mu * (1.0 - mu)}.get(family)
    V = mu + mu**2 / shape if V is None else V
    y = frame[response].to_numpy()
    assert np.mean((y - mu) ** 2 / V) == pytest.approx(phi, rel=1e-8)
    score, B, groups = np.zeros(2), np.zeros((2, 2)), []
    for _, rows in frame.groupby("g").groups.items():
        i = np.asarray(rows)
        D = slope[i, None] * X[i]
        R = working(corr, alpha, np.arange(len(i)))
        inverse = np.linalg.inv(phi * np.sqrt(V[i])[:, None] * R * np.sqrt(V[i]))
        score += D.T @ inverse @ (y[i] - mu[i])
        B += D.T @ inverse @ D
        groups.append((D, inverse, y[i] - mu[i]))
    naive = np.linalg.inv(B)
    assert_allclose(score / np.sqrt(np.diagonal(B)), 0.0, atol=1e-5)
    robust, corrected = np.zeros((2, 2)), np.zeros((2, 2))
    for D, inverse, e in groups:
        H = D @ naive @ D.T @ inverse
        for total, residual in ((robust, e), (corrected, np.linalg.solve(np.eye(len(e)) - H, e))):
            total += np.outer(D.T @ inverse @ residual, D.T @ inverse @ residual)
    table = found.details["standard_errors"]
    assert_allclose(table["naive"], np.sqrt(np.diagonal(naive)), rtol=1e-6)
    assert_allclose(table["robust"], np.sqrt(np.diagonal(naive @ robust @ naive)), rtol=1e-6)
    assert_allclose(table["bias_corrected"], np.sqrt(np.diagonal(naive @ corrected @ naive)), rtol=1e-6)


def test_the_standard_errors_asked_for_are_those_reported() -> None:
    table = fit("count", "poisson").details["standard_errors"]
    for errors in ("robust", "naive", "bias_corrected"):
        found = fit("count", "poisson", errors=errors)
        assert_allclose(found.standard_errors, table[errors], rtol=1e-12)
        assert errors.replace("_", "-") in str(found)


def test_ar1_finds_the_correlation_of_neighbours() -> None:
    rng = np.random.default_rng(2)
    e = [rng.normal(size=2000)]
    for _ in range(5):
        e.append(0.6 * e[-1] + 0.8 * rng.normal(size=2000))
    frame = pd.DataFrame(
        {"real": np.array(e).T.ravel(), "x": rng.normal(size=12000), "g": np.repeat(np.arange(2000), 6)}
    )
    assert fit("real", "gaussian", "ar1", frame).details["working_correlation"] == pytest.approx(0.6, abs=0.02)
    matrix = fit("real", "gaussian", "unstructured", frame).details["working_correlation"]
    assert_allclose(matrix, 0.6 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6))), atol=0.07)


@pytest.mark.parametrize("corr", ["ar1", "unstructured"])
def test_time_orders_the_rows_of_a_group(corr: str) -> None:
    frame = data()
    shuffled = frame.sample(frac=1.0, random_state=1).reset_index(drop=True)
    expected = fit("count", "poisson", corr, frame)
    found = fit("count", "poisson", corr, shuffled, time=shuffled["t"])
    assert_allclose(expected.beta, found.beta, rtol=1e-7)
    assert_allclose(expected.standard_errors, found.standard_errors, rtol=1e-6)
    assert_allclose(expected.details["working_correlation"], found.details["working_correlation"], rtol=1e-6)
    unordered = fit("count", "poisson", corr, shuffled)
    assert not np.allclose(expected.details["working_correlation"], unordered.details["working_correlation"], rtol=1e-3)
    by_name = bg.approx.gee(bg.GLMM("count ~ x + t + (1 | g)", shuffled, family="poisson"), corr, time="t")
    in_order = bg.approx.gee(bg.GLMM("count ~ x + t + (1 | g)", frame, family="poisson"), corr)
    assert_allclose(in_order.beta, by_name.beta, rtol=1e-6)


@pytest.mark.parametrize("corr", ["exchangeable", "independence"])
def test_trials_are_rows(corr: str) -> None:
    frame = data()
    one = fit("p(successes, trials)", "binomial", corr)
    rows = frame.loc[frame.index.repeat(frame["trials"]), ["g", "x"]]
    rows["binary"] = np.concatenate(
        [np.arange(n) < y for y, n in zip(frame["successes"], frame["trials"], strict=True)]
    )
    two = fit("binary", "bernoulli", corr, rows.astype({"binary": int}))
    assert_allclose(two.beta, one.beta, rtol=1e-10)
    assert_allclose(two.standard_errors, one.standard_errors, rtol=1e-10)
    assert two.details["working_correlation"] == pytest.approx(one.details["working_correlation"])


def test_groups_of_one_row_are_independent() -> None:
    frame = data().assign(g=lambda d: np.arange(len(d)))
    expected = fit("count", "poisson", "independence", frame)
    for corr in ("exchangeable", "ar1", "unstructured"):
        found = fit("count", "poisson", corr, frame)
        assert found.converged
        assert_allclose(expected.beta, found.beta, rtol=1e-8)
        assert_allclose(expected.standard_errors, found.standard_errors, rtol=1e-8)


def test_groups_are_those_of_the_outermost_factor() -> None:
    frame = data().assign(h=lambda d: d["t"] // 2)
    nested = bg.approx.gee(bg.GLMM("real ~ x + (1 | g/h)", frame))
    assert nested.details["group"] == "g"
    assert_allclose(fit("real", "gaussian").beta, nested.beta, rtol=1e-12)
    with pytest.raises(SpecError, match="are crossed; GEE has one kind of group"):
        bg.approx.gee(bg.GLMM("real ~ x + (1 | g) + (1 | h)", frame))
    with pytest.raises(SpecError, match="which rows form a group"):
        bg.approx.gee(bg.GLMM("real ~ x", frame))


def test_effects_of_a_gee_are_population_averaged() -> None:
    found = fit("binary", "bernoulli")
    new = pd.DataFrame({"x": [-1.0, 0.0, 2.0]})
    eta = np.column_stack([np.ones(3), new["x"]]) @ found.beta
    predicted = found.predict(new, random_effects="integrated")
    assert_allclose(predicted.table["estimate"], special.expit(eta), rtol=1e-12)
    delta = (
        special.expit(eta)
        * special.expit(-eta)
        * np.sqrt([x @ found.covariance[:2, :2] @ x for x in np.column_stack([np.ones(3), new["x"]])])
    )
    assert_allclose(
        predicted.draws.std(("chain", "draw")), delta, rtol=0.08
    )  # simulated by 1,000 draws, and not quite linear
    p = [special.expit(found.design.X @ found.beta + found.beta[1] * step) for step in (0.0, 1.0)]
    table = found.compare("x").table
    difference = table[table["estimand"] == "difference"] if "estimand" in table else table
    assert difference["estimate"].iloc[0] == pytest.approx(np.mean(p[1] - p[0]), rel=1e-6)
    slope = np.mean(p[0] * (1.0 - p[0])) * found.beta[1]
    assert found.slopes("x").table["estimate"].iloc[0] == pytest.approx(slope, rel=1e-6)
    table = found.marginal_coefficients().table
    assert_allclose(table.loc[table["effect"] == "population-averaged", "estimate"], found.beta, rtol=1e-8)
    assert np.isnan(found.log_likelihood)
    assert "AIC" not in str(found)


def test_the_mixed_model_has_the_same_population_averaged_coefficients(shared: Path) -> None:
    """At lme4's estimates by adaptive quadrature with 25 and 100 nodes."""
    for name, method, within in (("spinal", "lme4::glmer AGHQ nAGQ=25", 1e-3), ("abortion", "nAGQ=100", 0.25)):
        study = STUDY[name]
        model = study.model(shared)
        reference = json.loads((shared / "reference" / "reference.json").read_text(encoding="utf-8"))
        (exact,) = [fit for fit in reference[name]["computed"][0]["fits"] if fit["method"].endswith(method)]
        block = model.design.blocks[0]
        posterior = posterior_at(
            model.spec,
            model.design.data,
            list(exact["coefficients"].values()),
            {block.group: [[value**2 for value in exact["sd_ranef"].values()]]},
        )
        gee = bg.approx.gee(model, "independence")
        table = bg.approx.side_by_side(gee, bg.Fit(posterior))
        # for two visits g(m) is linear and the averages are the observed ones; for three questions the normal
        # distribution of the random effects decides, and moves the intercept by a fifth of its standard error
        assert (np.abs(table["difference"]) < within).all()
        assert_allclose(table["difference"] * gee.standard_errors, table["mixed_model"] - gee.beta)
        conditional = np.abs(posterior.beta[0] - gee.beta) / gee.standard_errors
        assert conditional.max() > 4 * within


def test_qic_is_that_of_pan() -> None:
    frame = data()
    found = fit("binary", "bernoulli")
    X, mu = found.design.X, special.expit(found.design.X @ found.beta)
    quasi = np.sum(stats.bernoulli.logpmf(frame["binary"], mu))
    omega = X.T @ ((mu * (1 - mu))[:, None] * X)
    expected = -2.0 * quasi + 2.0 * np.trace(omega @ found.covariance[:2, :2])
    assert expected == pytest.approx(found.details["qic"], rel=1e-10)


def test_columns_on_any_scale_converge_to_the_same_fit() -> None:
    frame = data()
    expected = fit("count", "poisson", frame=frame)
    found = fit("count", "poisson", frame=frame.assign(x=1e5 * (frame["x"] + 50.0)))
    assert found.converged
    assert_allclose(expected.beta[1], 1e5 * found.beta[1], rtol=1e-6)
    assert_allclose(expected.standard_errors[1], 1e5 * found.standard_errors[1], rtol=1e-6)


def test_few_groups_are_said() -> None:
    frame = data().query("g < 12")
    assert any("12 groups" in message for message in fit("real", "gaussian", frame=frame).messages)
    assert fit("real", "gaussian", frame=frame, errors="bias_corrected").messages == ()
    assert fit("real", "gaussian").messages == ()


def test_a_coefficient_that_one_group_decides_is_said() -> None:
    frame = data().assign(only=lambda d: (d["g"] == 7).astype(float))
    found = bg.approx.gee(bg.GLMM("real ~ x + only + (1 | g)", frame))
    (message,) = found.messages
    assert message.startswith("g 7 alone decides only: robust standard errors mean nothing")
    assert found.details["standard_errors"]["bias_corrected"].isna().all()
    # the sandwich is far too small
    assert (
        found.details["standard_errors"].loc["only", "robust"]
        < 0.5 * found.details["standard_errors"].loc["only", "naive"]
    )
    two = data().assign(only=lambda d: d["g"].isin([7, 8]).astype(float))
    assert bg.approx.gee(bg.GLMM("real ~ x + only + (1 | g)", two)).messages == ()


def test_a_working_correlation_that_cannot_be_is_refused() -> None:
    frame = pd.DataFrame({"g": np.repeat(np.arange(50), 6), "real": np.tile([3, 2, 3, 2, 3, 2], 50), "x": 0.0})
    frame["x"] = np.random.default_rng(1).normal(size=300)
    with pytest.raises(EstimationError, match="the working correlation is singular"):
        fit("real", "poisson", frame=frame)
    assert fit("real", "poisson", "independence", frame=frame).converged


def test_what_gee_refuses() -> None:
    frame = data()
    with pytest.raises(SpecError, match=r"no working correlation 'exchangable'\. Did you mean 'exchangeable'"):
        fit("real", "gaussian", "exchangable")
    with pytest.raises(SpecError, match="no standard errors 'sandwich'"):
        fit("real", "gaussian", errors="sandwich")
    with pytest.raises(SpecError, match="not defined for the student_t family"):
        fit("real", "student_t")
    with pytest.raises(SpecError, match="have no order"):
        fit("p(successes, trials)", "binomial", "ar1")
    with pytest.raises(SpecError, match="no column 'exposure'"):
        fit("count", "poisson", "ar1", time="exposure")
    with pytest.raises(DataError, match="have the time 0"):
        fit("count", "poisson", "ar1", time=np.zeros(len(frame)))
    with pytest.raises(DataError, match="3 times for"):
        fit("count", "poisson", "ar1", time=[1, 2, 3])
    with pytest.raises(DataError, match="Fewer than two groups"):
        fit("count", "poisson", "unstructured", time=np.arange(len(frame)))
    with pytest.raises(SpecError, match="needs fixed effects"):
        bg.approx.gee(bg.GLMM("real ~ 0 + (1 | g)", frame))
    with pytest.raises(EstimationError, match="x separates"):
        fit("binary", "bernoulli", frame=frame.assign(binary=(frame["x"] > 0).astype(int)))


def test_a_fit_with_a_gee_first_is_shown_beside_it() -> None:
    frame = data()
    model = bg.GLMM("binary ~ x + (1 | g)", frame, family="bernoulli")
    mixed, gee = bg.approx.laplace(model), bg.approx.gee(model)
    with pytest.raises(SpecError, match="is not a GEE"):
        bg.approx.side_by_side(mixed, mixed)
    other = bg.approx.laplace(bg.GLMM("binary ~ t + (1 | g)", frame, family="bernoulli"))
    with pytest.raises(SpecError, match="different coefficients"):
        bg.approx.side_by_side(gee, other)
