"""Figures of categories without an order: probabilities are drawn; figures of the mean are refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

from bayes_glmm import effects
from bayes_glmm.errors import SpecError
from bayes_glmm.plots import categories, contrasts, curves, groups, percentiles
from bayes_glmm.posterior import Posterior
from tests.plots.cases import across, labelled, upward
from tests.report.page import unordered


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return unordered()


def test_probabilities_are_the_predictions(posterior: Posterior) -> None:
    axes = categories(posterior, "x").axes[0]
    assert {"a", "b", "c"} == labelled(axes)
    rows = effects.reference_grid(posterior.design, [], {"x": list(across(axes, "a"))})
    table = effects.predict(posterior, rows, "integrated").table
    for name in "abc":
        np.testing.assert_array_equal(table.loc[table["category"] == name, "estimate"], upward(axes, name))


@pytest.mark.parametrize(
    "draw",
    [
        lambda posterior: curves(posterior, "x"),
        percentiles,
        lambda posterior: groups(posterior, scale="response"),
    ],
    ids=["curves", "percentiles", "groups"],
)
def test_what_needs_a_mean_names_the_figure_of_probabilities(
    posterior: Posterior, draw: Callable[[Posterior], Figure]
) -> None:
    with pytest.raises(SpecError, match=r"without an order have no mean.*plots\.categories\(\)"):
        draw(posterior)


def test_random_effects_have_a_panel_per_category(posterior: Posterior) -> None:
    titles = [axes.get_title(loc="left") for axes in groups(posterior).axes]
    assert ["mub_Intercept", "muc_Intercept"] == titles
    assert contrasts(effects.compare(posterior, "f")).axes
