import numpy as np
import pytest
from matplotlib.patches import StepPatch
from scipy.special import expit
from scipy.stats import norm

from bayes_glmm import effects
from bayes_glmm.errors import SpecError
from bayes_glmm.plots import percentiles
from bayes_glmm.plots.point import at_posterior_medians
from bayes_glmm.posterior import posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import frame, logistic
from tests.plots.cases import across, labelled


def _rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear predictor at u = 0 and variance of both random parts, by hand from the posterior medians."""
    posterior = logistic()
    x = frame()["x"].to_numpy()
    a, b = np.median(np.sqrt(posterior.G("g")[:, [0, 1], [0, 1]]), axis=0)
    correlation = np.mean([G[0, 1] / np.sqrt(G[0, 0] * G[1, 1]) for G in posterior.G("g")])
    eta = posterior.design.X @ np.median(posterior.beta, axis=0)
    return eta, a**2 + 2.0 * x * a * b * correlation + x * x * b**2, np.full(len(x), np.median(posterior.G("h")))


@pytest.mark.parametrize("group", [None, "g", "h"])
def test_histograms_are_of_the_rows_means(group: str | None) -> None:
    eta, g, h = _rows()
    variance = {None: g + h, "g": g, "h": h}[group]
    figure = percentiles(logistic(), at=[20.0, 80.0], group=group)
    shifts = [0.0, *(norm.ppf(p) for p in (0.2, 0.8))]
    for axes, z in zip(figure.axes[:3], shifts, strict=True):
        step = next(each for each in axes.patches if isinstance(each, StepPatch))
        values, edges, _ = step.get_data()
        expected = np.histogram(expit(eta + z * np.sqrt(variance)), edges)[0] / len(eta)
        np.testing.assert_allclose(values, expected, atol=1e-12)
    assert ("population-averaged mean" in labelled(figure.axes[0])) == (group is None)
    names = [axes.get_ylabel() for axes in figure.axes]
    assert ["predictors alone (u = 0)", "percentile 20 of u", "percentile 80 of u", "all percentiles of u"] == names


def test_marked_means_are_the_averages_of_predictions() -> None:
    posterior = logistic()
    axes = percentiles(posterior).axes[-1]
    table = effects.predict(at_posterior_medians(posterior)).table
    means = {effect: np.average(part["estimate"], weights=part["n"]) for effect, part in table.groupby("effect")}
    averaged = across(axes, "population-averaged mean")[0]
    assert means["population-averaged"] == pytest.approx(averaged, rel=1e-10)
    assert means["conditional (u = 0)"] == pytest.approx(across(axes, "conditional mean (u = 0)")[0])
    step = axes.patches[0]
    assert isinstance(step, StepPatch)
    values, edges, _ = step.get_data()
    middle = 0.5 * (edges[:-1] + edges[1:])
    assert 1.0 == pytest.approx(values.sum())
    assert averaged == pytest.approx(values @ middle, abs=2e-3)  # the last histogram's mean, up to bins and percentiles


def test_an_average_that_does_not_exist_is_not_marked() -> None:
    data = frame().assign(y=lambda rows: 1.0 + rows["y"])
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", family="gamma", link="inverse")
    posterior = posterior_at(spec, data, [3.0, 0.1], {"g": [[0.01]]}, dict.fromkeys(spec.family.auxiliary, 2.0))
    assert {"conditional mean (u = 0)"} == labelled(percentiles(posterior).axes[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"at": []}, "between 0 and 100"), ({"at": [50, 100]}, "between 0 and 100"), ({"group": "f"}, "Valid: g, h")],
)
def test_what_cannot_be_drawn_is_said(options: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        percentiles(logistic(), **options)


def test_a_model_without_random_effects_has_no_percentiles() -> None:
    spec = ModelSpec.from_formula("y ~ x", family="bernoulli")
    with pytest.raises(SpecError, match="no random effects"):
        percentiles(posterior_at(spec, frame(), [0.1, 0.4], {}))
