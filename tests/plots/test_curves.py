import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.text import Text
from scipy.special import expit

from bayes_glmm import effects
from bayes_glmm.errors import DataError, SpecError
from bayes_glmm.families import FAMILIES
from bayes_glmm.plots import contrasts, curves, groups, percentiles
from bayes_glmm.plots.curves import group_means
from bayes_glmm.plots.point import at_posterior_medians
from bayes_glmm.plots.style import AVERAGED as ORANGE
from bayes_glmm.plots.style import CONDITIONAL as BLUE
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import frame, intercepts, logistic
from tests.plots.cases import AVERAGED, ZERO, across, hostile, intervals, labelled, line, rows_of, texts, upward


def test_lines_and_bands_are_the_predictions() -> None:
    posterior = logistic()
    axes = curves(posterior, "x", groups=5).axes[0]
    x = across(axes, AVERAGED)
    column = posterior.design.data["x"]
    assert (column.min(), column.max()) == (x[0], x[-1])
    rows = effects.reference_grid(posterior.design, "x", {"x": list(x)})
    table = effects.predict(posterior, rows).table
    bands = [each for each in axes.collections if isinstance(each, PolyCollection)]
    for effect, colour, band in zip([AVERAGED, ZERO], [ORANGE, BLUE], bands, strict=True):
        expected = table[table["effect"] == effect]
        assert list(expected["estimate"]) == list(upward(axes, effect))
        assert colour == line(axes, effect).get_color()
        corners = np.asarray(band.get_paths()[0].vertices)[:, 1]
        assert (expected["lower"].min(), expected["upper"].max()) == (corners.min(), corners.max())
    assert {AVERAGED, ZERO, "5 groups drawn from N(0, G)"} == labelled(axes)


def test_known_groups_are_drawn_at_their_own_effects() -> None:
    posterior = logistic()
    rows = effects.reference_grid(posterior.design, [], {"x": [-1.0, 0.0, 2.0]})
    found = group_means(posterior, rows, 1000, "known", seed=0)
    pairs = posterior.design.data[["g", "h"]].drop_duplicates()
    assert (len(pairs), 3) == found.shape
    beta = np.median(posterior.beta, axis=0)
    u, v = np.median(posterior.u("g"), axis=0), np.median(posterior.u("h"), axis=0)
    typical_dose = effects.means(posterior.design)["dose"].iloc[0]
    shift = dict(zip(posterior.design.coefficients, beta, strict=True)).get(f"dose[{typical_dose}]", 0.0)
    for (g, h), values in zip(pairs.to_numpy(), found, strict=True):
        i, j = posterior.design.block("g").levels.index(g), posterior.design.block("h").levels.index(h)
        x = np.array([-1.0, 0.0, 2.0])
        eta = beta[0] + shift + beta[1] * x + u[i, 0] + u[i, 1] * x + v[j, 0]
        np.testing.assert_allclose(values, expit(eta), rtol=1e-12)


def test_fresh_groups_average_to_the_population_averaged_curve_and_cross() -> None:
    posterior = logistic()
    rows = effects.reference_grid(posterior.design, [], {"x": [-2.0, 2.0]})
    found = group_means(posterior, rows, 20_000, "new", seed=1)
    expected = effects.predict(at_posterior_medians(posterior), rows, "integrated").table["estimate"]
    np.testing.assert_allclose(found.mean(axis=0), expected, atol=0.01)  # 4 Monte Carlo errors of 0.35 / sqrt(20,000)
    by_start = found[np.argsort(found[:, 0])]
    assert (np.diff(by_start[:, 1]) < 0).any()
    drawn = curves(posterior, "x", groups=3, seed=4).axes[0].lines
    thin = [each.get_ydata() for each in drawn if each.get_alpha() == 0.28]
    assert 3 == len(thin)


def test_categories_are_points_with_intervals() -> None:
    posterior = logistic()
    axes = curves(posterior, "dose", at={"x": 0.5}, groups=4, random_effects="known").axes[0]
    assert ["low", "mid", "high"] == rows_of(axes) or ["high", "low", "mid"] == rows_of(axes)
    rows = effects.reference_grid(posterior.design, "dose", {"x": 0.5})
    assert list(rows["dose"]) == rows_of(axes)
    table = effects.predict(posterior, rows).table
    for effect, ends in zip([AVERAGED, ZERO], intervals(axes), strict=True):
        expected = table[table["effect"] == effect]
        assert list(expected["estimate"]) == list(across(axes, effect))
        np.testing.assert_array_equal(expected[["lower", "upper"]], ends)
    assert "4 groups of the data" in labelled(axes)
    assert "at x = 0.5" in texts(axes.figure)


def test_chosen_values_of_the_variable() -> None:
    posterior = logistic()
    assert [-1.0, 0.0, 3.0] == list(across(curves(posterior, "x", at={"x": [3, -1, 0]}).axes[0], ZERO))
    assert ["0.5"] == rows_of(curves(posterior, "x", at={"x": 0.5}).axes[0])  # one value is a point


def test_several_values_of_another_column_give_panels() -> None:
    posterior = logistic()
    figure = curves(posterior, "x", at={"dose": ["low", "high"]}, groups=0)
    assert ["dose = low", "dose = high"] == [axes.get_title(loc="left") for axes in figure.axes]
    for axes, dose in zip(figure.axes, ["low", "high"], strict=True):
        x = list(across(axes, ZERO))
        rows = effects.reference_grid(posterior.design, [], {"x": x, "dose": dose})
        expected = effects.predict(posterior, rows, "zero").table["estimate"]
        assert list(expected) == list(upward(axes, ZERO))


RESPONSES = {
    "real": 0.5,
    "positive": 1.0,
    "binary": 0.0,
    "successes": 1.0,
    "count": 1.0,
    "positive_count": 1.0,
    "fraction": 0.25,
    "nonnegative": 0.0,
    "closed_fraction": 0.0,
    "ordered": 1.0,
}


def _made_up(family: str, link: str) -> Posterior:
    kind = FAMILIES[family].response.name
    data = frame().drop(columns="y")
    data["y"] = RESPONSES[kind] + (data.index % 2) * (0.5 if kind == "fraction" else 1.0)
    data["n"] = 3
    left = "p(y, n)" if kind == "successes" else "y"
    spec = ModelSpec.from_formula(f"{left} ~ x + (x | g)", family=family, link=link)
    auxiliary = {name: 0.2 if one.support == "unit" else 2.0 for name, one in FAMILIES[family].auxiliary.items()}
    return posterior_at(spec, data, [[2.0, 0.1], [2.1, 0.12]], {"g": [[0.04, 0.0], [0.0, 0.01]]}, auxiliary)


@pytest.mark.parametrize(
    ("family", "link"), [(f.name, link) for f in FAMILIES.values() if not f.response.nominal for link in f.links]
)
def test_every_family_and_link_with_a_mean_can_be_drawn(family: str, link: str) -> None:
    posterior = _made_up(family, link)
    axes = curves(posterior, "x", groups=3).axes[0]
    expected = {ZERO} if link == "inverse" else {AVERAGED, ZERO}  # no average exists under the inverse link
    assert expected | {"3 groups drawn from N(0, G)"} == labelled(axes)
    assert np.isfinite(axes.get_ylim()).all()
    assert percentiles(posterior).axes
    assert groups(posterior, scale="response").axes


def test_a_mean_that_grows_manifold_has_a_logarithmic_axis() -> None:
    data = pd.DataFrame({"y": np.arange(40), "x": np.linspace(-4, 4, 40), "g": np.resize(list("abcd"), 40)})
    spec = ModelSpec.from_formula("y ~ x + (1 | g)", family="poisson")
    steep, flat = (posterior_at(spec, data, [1.0, slope], {"g": [[0.5]]}) for slope in (1.0, 0.1))
    assert "log" == curves(steep, "x").axes[0].get_yscale()
    assert "linear" == curves(flat, "x").axes[0].get_yscale()


def test_a_model_without_random_effects_has_no_groups() -> None:
    spec = ModelSpec.from_formula("y ~ x", family="bernoulli")
    axes = curves(posterior_at(spec, frame(), [0.1, 0.4], {}), "x").axes[0]
    assert {AVERAGED, ZERO} == labelled(axes)
    np.testing.assert_allclose(upward(axes, AVERAGED), upward(axes, ZERO), rtol=1e-12)


def test_names_are_shown_as_they_are_also_when_drawn_later() -> None:
    posterior = hostile()
    comparison = effects.compare(posterior, "{d} $")
    figures = [
        curves(posterior, "$x_1$", at={"{d} $": ["<i>", "$\\frac{1}{$"]}),
        curves(posterior, "{d} $", random_effects="known"),
        groups(posterior),
        groups(posterior, scale="response"),
        percentiles(posterior),
        contrasts(comparison),
    ]
    for figure in figures:
        figure.set_size_inches(9, 5)
        figure.savefig(io.BytesIO(), format="png")
        assert not any(each.get_parse_math() for each in figure.findobj(Text) if isinstance(each, Text))
    assert {"$x_1$", "probability of <b> = 1", "{d} $ = $\\frac{1}{$"} <= set(texts(figures[0]))
    assert {"$\\frac{1}{$", "<i>", "a_b^c $ x", "{d} $"} <= set(texts(figures[1]))
    assert {"h_$1$", "$\\alpha_0$ & <i>"} <= set(texts(figures[2])) & set(texts(figures[3]))
    assert "probability of <b> = 1" in texts(figures[4])
    assert any("<i> vs" in text for text in texts(figures[5]))


def test_nothing_global_is_left_behind() -> None:
    before = dict(matplotlib.rcParams)
    figure = curves(logistic(), "x")
    assert before == dict(matplotlib.rcParams)
    assert [] == plt.get_fignums()
    assert getattr(figure, "number", None) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variable": "doses"}, "Did you mean 'dose'"),
        ({"variable": "g"}, "is a grouping factor"),
        ({"variable": "x", "random_effects": "know"}, "Valid: new, known"),
        ({"variable": "x", "groups": -1}, "cannot be -1 groups"),
        ({"variable": "x", "at": {"age": 3}}, "does not use 'age'"),
        ({"variable": "dose", "at": {"x": list(range(7))}}, "7 panels, too many"),
        ({"variable": "x", "level": 95}, "level must lie between 0 and 1: got 95"),
    ],
)
def test_what_cannot_be_drawn_is_said(options: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        curves(logistic(), **options)


def test_unknown_levels_are_said() -> None:
    with pytest.raises(DataError, match="has not seen dose 'none'"):
        curves(intercepts("logit"), "x", at={"dose": "none"})
