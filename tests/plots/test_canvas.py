"""Pictures in other people's figures, and of another size; functions of a posterior take a fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import pytest

import bayes_glmm as bg
from bayes_glmm.datasets import clinics, wine
from bayes_glmm.errors import SpecError

mpl.use("Agg")


@pytest.fixture(scope="module")
def fit() -> bg.Fit:
    model = bg.GLMM("p(favourable, n) ~ treatment + (1 | clinic)", clinics(), "binomial")
    return bg.Fit(bg.approx.laplace_posterior(model, draws=400))


@pytest.fixture(scope="module")
def rated() -> bg.Fit:
    return bg.Fit(bg.approx.laplace_posterior(bg.GLMM("rating ~ temp + (1 | judge)", wine(), "cumulative"), draws=400))


PLOTS: dict[str, Callable[..., Any]] = {
    "curves": lambda fit, rated, **where: bg.plots.curves(fit, "treatment", **where),
    "categories": lambda fit, rated, **where: bg.plots.categories(rated, "temp", **where),
    "groups": lambda fit, rated, **where: bg.plots.groups(fit, "clinic", **where),
    "percentiles": lambda fit, rated, **where: bg.plots.percentiles(fit, **where),
    "contrasts": lambda fit, rated, **where: bg.plots.contrasts(fit.compare("treatment"), **where),
    "contrasts_by": lambda fit, rated, **where: bg.plots.contrasts_by(
        fit.compare("treatment", by="clinic", random_effects="known"), "clinic", **where
    ),
}


@pytest.mark.parametrize("name", PLOTS)
def test_a_picture_takes_the_place_of_axes(name: str, fit: bg.Fit, rated: bg.Fit) -> None:
    from matplotlib.figure import Figure

    whole = Figure(figsize=(12, 5))
    left, right = whole.subplots(1, 2)
    left.plot([0, 1])
    assert PLOTS[name](fit, rated, ax=right) is whole
    assert left in whole.axes
    assert right not in whole.axes
    (part,) = whole.subfigs
    assert part.axes
    whole.draw_without_rendering()
    edge = left.get_window_extent().x1
    assert min(axes.get_window_extent().x0 for axes in part.axes) > edge  # in the right half


@pytest.mark.parametrize("name", PLOTS)
def test_a_picture_has_the_size_asked_for(name: str, fit: bg.Fit, rated: bg.Fit) -> None:
    assert tuple(PLOTS[name](fit, rated, figsize=(5.0, 7.0)).get_size_inches()) == (5.0, 7.0)


def test_a_place_that_is_none_is_refused(fit: bg.Fit) -> None:
    from matplotlib.figure import Figure

    free = Figure().add_axes((0.1, 0.1, 0.8, 0.8))
    with pytest.raises(SpecError, match="no place in a grid"):
        bg.plots.groups(fit, ax=free)
    with pytest.raises(SpecError, match="not both"):
        bg.plots.groups(fit, ax=Figure().subplots(), figsize=(3, 3))
    with pytest.raises(SpecError, match="figsize is not valid"):
        bg.plots.groups(fit, figsize=(3, -3))


@pytest.mark.parametrize("function", [bg.plots.curves, bg.diagnostics.loo_by_row, bg.diagnostics.check])
def test_functions_that_take_a_fit_keep_their_signature(function: Callable[..., Any]) -> None:
    kinds = {one.kind for one in inspect.signature(function).parameters.values()}
    assert kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}  # no *args, **options
    assert next(iter(inspect.signature(function).parameters)) == "posterior"


def test_diagnostics_take_a_fit_or_its_posterior(fit: bg.Fit) -> None:
    one, other = bg.diagnostics.loo_by_group(fit), bg.diagnostics.loo_by_group(fit)
    assert one.elpd == other.elpd
    assert bg.diagnostics.summary(fit).equals(bg.diagnostics.summary(fit))
    with pytest.raises(SpecError, match=r"summary\(\) needs a fit, not a DataFrame"):
        bg.diagnostics.summary(clinics())  # type: ignore[arg-type]
