import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from bayes_glmm import effects
from bayes_glmm.errors import SpecError
from bayes_glmm.plots import groups
from bayes_glmm.posterior import posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import frame, logistic
from tests.plots.cases import AVERAGED, ZERO, across, intervals, many_groups, rows_of, texts, upward

OWN = "conditional (this group)"


def test_random_effects_in_order_with_their_intervals() -> None:
    posterior = logistic()
    figure = groups(posterior, level=0.8)
    assert ["Intercept", "x"] == [axes.get_title(loc="left") for axes in figure.axes]
    u = posterior.u("g")
    order = np.argsort(-np.median(u[:, :, 0], axis=0))
    levels = np.array(posterior.design.block("g").levels)
    assert list(levels[order]) == rows_of(figure.axes[0])
    for k, axes in enumerate(figure.axes):
        np.testing.assert_allclose(across(axes, OWN), np.median(u[:, order, k], axis=0), rtol=1e-12)
        np.testing.assert_allclose(intervals(axes)[0].T, np.quantile(u[:, order, k], [0.1, 0.9], axis=0), rtol=1e-12)
        assert "u (logit scale)" == axes.get_xlabel()


def test_means_of_groups_at_typical_values() -> None:
    posterior = logistic()
    axes = groups(posterior, "h", scale="response", at={"x": 1.0, "dose": "high"}).axes[0]
    beta = dict(zip(posterior.design.coefficients, posterior.beta.T, strict=True))
    eta = beta["Intercept"] + beta["x"] + beta.get("dose[high]", 0.0)
    expected = np.median(expit(eta[:, None] + posterior.u("h")[:, :, 0]), axis=0)  # g stays at u = 0
    order = np.argsort(-expected)
    assert [posterior.design.block("h").levels[i] for i in order] == rows_of(axes)
    np.testing.assert_allclose(across(axes, OWN), expected[order], rtol=1e-12)
    row = effects.reference_grid(posterior.design, [], {"x": 1.0, "dose": "high"})
    table = effects.predict(posterior, row).table.set_index("effect")["estimate"]
    for effect in (AVERAGED, ZERO):
        assert table[effect] == across(axes, effect)[0]
    assert "at x = 1, dose = high" in texts(axes.figure)


def test_nested_groups_keep_their_names() -> None:
    data = frame()
    spec = ModelSpec.from_formula("y ~ 1 + (1 | g:h)", family="bernoulli")
    levels = sorted({f"{g}:{h}" for g, h in data[["g", "h"]].to_numpy()})
    posterior = posterior_at(spec, data, [0.3], {"g:h": [[1.0]]}, u={"g:h": np.arange(len(levels))[:, None] / 10.0})
    axes = groups(posterior, scale="response").axes[0]
    assert list(reversed(posterior.design.block("g:h").levels)) == rows_of(axes)
    np.testing.assert_allclose(across(axes, OWN), expit(0.3 + np.arange(len(levels))[::-1] / 10.0))


def test_many_groups_are_a_band() -> None:
    posterior = many_groups(80)
    axes = groups(posterior).axes[0]
    assert list(np.sort(np.median(posterior.u("g")[:, :, 0], axis=0))) == list(upward(axes, OWN))
    assert "80 values of g, from lowest to highest" == axes.get_xlabel()
    assert 60 == len(rows_of(groups(many_groups(60)).axes[0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": "f"}, "Valid: g, h"),
        ({"scale": "odds"}, "Valid: link, response"),
        ({"scale": "response", "at": {"x": [0, 1]}}, "one value a column"),
        ({"level": 2.0}, "level must lie between 0 and 1: got 2.0"),
    ],
)
def test_what_cannot_be_drawn_is_said(options: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        groups(logistic(), **options)


def test_a_model_without_random_effects_has_no_groups() -> None:
    data = pd.DataFrame({"y": [0, 1], "x": [0.0, 1.0]})
    with pytest.raises(SpecError, match="no random effects"):
        groups(posterior_at(ModelSpec.from_formula("y ~ x", family="bernoulli"), data, [0.1, 0.4], {}))
