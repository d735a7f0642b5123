"""Default priors of positive responses: about the logarithm where the location is one of it, whatever the unit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import bayes_glmm as bg
from bayes_glmm.approx import laplace
from bayes_glmm.design.scale import middle, predictor_scale, spread
from bayes_glmm.spec import Prior


def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    g, x = np.arange(120) % 12, rng.normal(size=120)
    y = np.exp(5.5 + 0.2 * x + 0.3 * rng.normal(size=12)[g] + 0.25 * rng.normal(size=120))
    return pd.DataFrame({"y": y, "z": np.log(y), "x": x, "g": g})


def model(family: str, frame: pd.DataFrame, y: str = "y", priors: dict[str, str] | None = None) -> bg.GLMM:
    return bg.GLMM(f"{y} ~ x + (1 | g)", frame, family, priors=priors)


def numbers(prior: Prior) -> dict[str, float]:
    return {name: float(value) for name, value in prior.keyword}  # type: ignore[arg-type]


def test_the_default_priors_of_a_lognormal_are_those_of_a_gaussian_of_the_logarithm() -> None:
    frame = data()
    ours, gaussian = model("lognormal", frame), model("gaussian", frame, "z")
    assert middle(ours.spec, ours.design) == pytest.approx(frame["z"].mean(), rel=1e-12)
    assert predictor_scale(ours.spec, ours.design) == pytest.approx(frame["z"].std(ddof=0), rel=1e-12)
    assert ours.priors.entries.keys() == gaussian.priors.entries.keys()
    for name, prior in ours.priors.entries.items():
        assert prior.distribution == gaussian.priors[name].distribution
        assert numbers(prior) == pytest.approx(numbers(gaussian.priors[name]), rel=1e-12)
    assert ours.priors.notes == gaussian.priors.notes


def test_a_lognormal_has_the_posterior_of_a_gaussian_of_the_logarithm() -> None:
    """Mode, covariance, and the likelihood but for the Jacobian, the sum of log y."""
    frame = data()
    for target in ("likelihood", "posterior"):
        ours = laplace(model("lognormal", frame), target=target)
        gaussian = laplace(model("gaussian", frame, "z"), target=target)
        assert_allclose(ours.x, gaussian.x, atol=2e-5)
        assert_allclose(ours.covariance, gaussian.covariance, rtol=2e-3, atol=1e-8)
        assert ours.log_likelihood == pytest.approx(gaussian.log_likelihood - frame["z"].sum(), abs=1e-6)


@pytest.mark.parametrize("family", ["gamma", "lognormal", "weibull", "exponential", "inverse_gaussian"])
def test_the_unit_of_the_response_moves_the_intercept_alone(family: str) -> None:
    """Y in thousandths: log 1000 is added to the intercept, and the shape that has the unit is 1000 times as large."""
    unit, frame = 1000.0, data()
    one, other = model(family, frame), model(family, frame.assign(y=unit * frame["y"]))
    assert middle(other.spec, other.design) == pytest.approx(middle(one.spec, one.design) + np.log(unit))
    found, moved = (laplace(each, target="posterior") for each in (one, other))
    assert_allclose(moved.parameters.beta, found.parameters.beta + np.array([np.log(unit), 0.0]), atol=1e-4)
    assert_allclose(moved.parameters.L["g"], found.parameters.L["g"], rtol=1e-3)
    for name, value in found.parameters.auxiliary.items():
        factor = unit if family == "inverse_gaussian" else 1.0
        assert moved.parameters.auxiliary[name] == pytest.approx(factor * value, rel=1e-3)
    assert moved.log_likelihood == pytest.approx(found.log_likelihood - len(frame) * np.log(unit), abs=1e-3)
    assert spread(other.spec, other.design) == pytest.approx(
        spread(one.spec, one.design) * (1.0 if family == "lognormal" else unit)
    )


def test_a_weibull_of_shape_1_and_a_gamma_of_shape_1_are_exponential() -> None:
    """The same mode where a prior holds the shape at 1."""
    frame = data()
    exponential = laplace(model("exponential", frame), target="posterior")
    for family, shape in (("weibull", "shape"), ("gamma", "phi")):
        held = laplace(model(family, frame, priors={shape: "Gamma(alpha=1e10, beta=1e10)"}), target="posterior")
        assert held.parameters.auxiliary[shape] == pytest.approx(1.0, abs=1e-4)
        assert_allclose(held.parameters.beta, exponential.parameters.beta, atol=1e-4)
        assert held.log_likelihood == pytest.approx(exponential.log_likelihood, abs=0.02)


def test_offsets_of_a_lognormal_are_those_of_the_logarithm() -> None:
    frame = data().assign(o=lambda d: 3.0 + d["x"] ** 2)
    made = bg.GLMM("y ~ x + offset(o)", frame, "lognormal")
    assert middle(made.spec, made.design) == pytest.approx((frame["z"] - frame["o"]).mean())
    assert spread(made.spec, made.design) == pytest.approx((frame["z"] - frame["o"]).std(ddof=0))
