"""Comparisons and slopes against the same averages worked out by hand, and against finite differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bayes_glmm as bg
from bayes_glmm.effects import averages, compare, predict, slopes
from bayes_glmm.effects.contrasts import Contrast, contrasts_of
from bayes_glmm.effects.estimands import ESTIMANDS
from bayes_glmm.effects.tidy import Estimates
from bayes_glmm.errors import DataError, SpecError
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.effects.cases import BETA, intercepts, logistic


def averaged(posterior: Posterior, rows: pd.DataFrame, effect: str) -> np.ndarray:
    """Mean over rows of the predicted mean [draw], by way of predict()."""
    return predict(posterior, rows, effect).draws.values.reshape(3, len(rows)).mean(axis=1)


@pytest.mark.parametrize("effect", ["integrated", "zero", "known", "new", "known_or_new"])
@pytest.mark.parametrize("estimand", list(ESTIMANDS))
def test_a_comparison_is_the_estimand_of_two_averages(effect: str, estimand: str):
    posterior = logistic()
    rows = posterior.design.data
    low, high = (averaged(posterior, rows.assign(dose=dose), effect) for dose in ("high", "mid"))
    result = compare(posterior, "dose", contrast=("high", "mid"), random_effects=effect, estimands=estimand)
    expected = ESTIMANDS[estimand].compute(high, low)
    np.testing.assert_allclose(result.draws.values.ravel(), expected, rtol=1e-11)


def test_the_default_table_sets_both_readings_side_by_side():
    table = compare(logistic(), "dose").table
    assert list(table)[:4] == ["variable", "contrast", "estimand", "effect"]
    assert table["contrast"].unique().tolist() == ["low vs high", "mid vs high"]
    assert table["estimand"].unique().tolist() == ["difference", "ratio", "odds_ratio"]
    assert table["effect"].tolist()[:2] == ["population-averaged", "conditional (u = 0)"]
    assert len(table) == 12


def test_population_averaged_odds_ratios_are_nearer_to_1():
    table = compare(intercepts("logit", variance=9.0), "x", estimands="log_odds_ratio").table
    averaged, conditional = table["estimate"]
    assert 0 < averaged < conditional


def test_by_averages_within_its_values_and_allows_several_columns():
    posterior = logistic()
    result = compare(posterior, "x", by=["dose", "g"], random_effects="integrated", estimands="difference")
    rows = posterior.design.data
    for k, (dose, g) in enumerate(zip(result.table["dose"], result.table["g"], strict=True)):
        cell = rows[(rows["dose"] == dose) & (rows["g"] == g)]
        expected = averaged(posterior, cell.assign(x=cell["x"] + 1), "integrated") - averaged(
            posterior, cell, "integrated"
        )
        np.testing.assert_allclose(result.draws.values[0, :, k], expected, rtol=1e-10, atol=1e-13)
    assert len(result.table) == 18


def test_contrasts_of_numbers():
    design = logistic().design
    x = design.data["x"]
    assert [c.label for c in contrasts_of(design, "x")] == ["x + 1 vs x"]
    assert [c.label for c in contrasts_of(design, "x", 2.5)] == ["x + 2.5 vs x"]
    (sd,) = contrasts_of(design, "x", "sd")
    assert isinstance(sd, Contrast)
    assert sd.high.value - sd.low.value == pytest.approx(x.std())
    (iqr,) = contrasts_of(design, "x", "iqr")
    assert isinstance(iqr, Contrast)
    assert iqr.high.value - iqr.low.value == pytest.approx(np.subtract(*np.quantile(x, [0.75, 0.25])))
    (pair,) = contrasts_of(design, "x", (-1, 3))
    assert isinstance(pair, Contrast)
    assert (pair.low.value, pair.high.value) == (-1, 3)


def test_contrasts_of_categories():
    design = logistic().design
    labels = [[c.label for c in contrasts_of(design, "dose", kind)] for kind in ("reference", "pairwise", "sequential")]
    assert labels == [
        ["low vs high", "mid vs high"],
        ["low vs high", "mid vs high", "mid vs low"],
        ["low vs high", "mid vs low"],
    ]


def test_a_column_of_0_and_1_is_compared_1_against_0():
    data = logistic().design.data.assign(z=lambda d: (d["x"] > 0).astype(int))
    posterior = posterior_at(
        ModelSpec.from_formula("y ~ z + (1 | g)", family="bernoulli"), data, [0.2, 0.7], {"g": [[1.0]]}
    )
    result = compare(posterior, "z", random_effects="zero", estimands=["difference", "log_odds_ratio"])
    assert result.table["contrast"].unique().tolist() == ["1 vs 0"]
    expected = [special.expit(0.9) - special.expit(0.2), 0.7]
    np.testing.assert_allclose(result.table["estimate"], expected, rtol=1e-12)


def test_odds_ratios_are_left_out_where_the_mean_is_no_probability():
    data = logistic().design.data.assign(y=np.arange(60) % 5)
    posterior = posterior_at(
        ModelSpec.from_formula("y ~ x + dose + (1 | g)", family="poisson"), data, BETA, {"g": [[0.5]]}
    )
    assert compare(posterior, "x").table["estimand"].unique().tolist() == ["difference", "ratio"]
    # under the log link both readings have the same ratio, exp(beta)
    ratios = compare(posterior, "x", estimands="ratio").draws.values[0]
    np.testing.assert_allclose(ratios, np.exp(BETA[:, [1, 1]]), rtol=1e-12)
    with pytest.raises(SpecError, match="odds_ratio cannot be had from a poisson mean"):
        compare(posterior, "x", estimands="odds_ratio")


def test_antisymmetry_and_inversion_of_the_estimands():
    high, low = np.array([0.2, 0.7]), np.array([0.5, 0.1])
    for name, swap in [("difference", np.negative), ("log_odds_ratio", np.negative)]:
        np.testing.assert_allclose(ESTIMANDS[name].compute(high, low), swap(ESTIMANDS[name].compute(low, high)))
    for name in ("ratio", "odds_ratio"):
        np.testing.assert_allclose(ESTIMANDS[name].compute(high, low), 1 / ESTIMANDS[name].compute(low, high))
    for estimand in ESTIMANDS.values():
        np.testing.assert_allclose(estimand.compute(high, high), estimand.null, atol=1e-15)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_slopes_are_the_chain_rule_with_a_random_intercept(link: str):
    # d/dx E h(eta + u) = beta_x E h'(eta + u), the derivative of the link by 200 Gauss-Hermite nodes
    posterior = intercepts(link, variance=0.25)
    z, w = np.polynomial.hermite_e.hermegauss(200)
    eta = BETA @ posterior.design.X.T
    sd = np.sqrt(posterior.G("g")[:, 0, 0])
    inner = posterior.spec.link.derivative(eta[:, :, None] + sd[:, None, None] * z, NUMPY) @ w / np.sqrt(2 * np.pi)
    result = slopes(posterior, "x", random_effects="integrated").draws.values.ravel()
    np.testing.assert_allclose(result, BETA[:, 1] * inner.mean(axis=1), rtol=1e-7)  # step 1e-4 sd: error of order 1e-8


def test_slopes_respect_transforms_and_random_slopes():
    data = logistic().design.data.assign(t=lambda d: d["x"] + 5.0)
    spec = ModelSpec.from_formula("y ~ log(t) + (log(t) | g)", family="poisson")
    G = np.array([[0.3, 0.1], [0.1, 0.2]])
    posterior = posterior_at(spec, data.assign(y=np.arange(60) % 4), [0.2, 0.5], {"g": G})
    # E y = exp(b0 + b1 l + (G00 + 2 G01 l + G11 l^2) / 2), l = log t
    t = data["t"].to_numpy()
    ell = np.log(t)
    mean = np.exp(0.2 + 0.5 * ell + 0.5 * (0.3 + 0.2 * ell + 0.2 * ell**2))
    expected = np.mean(mean * (0.5 + 0.1 + 0.2 * ell) / t)
    result = slopes(posterior, "t", random_effects=["integrated", "zero"]).table
    np.testing.assert_allclose(result["estimate"][0], expected, rtol=1e-7)
    np.testing.assert_allclose(result["estimate"][1], np.mean(np.exp(0.2 + 0.5 * ell) * 0.5 / t), rtol=1e-7)


def test_slopes_by_group_average_to_the_whole():
    posterior = logistic()
    parts = slopes(posterior, "x", by="dose", random_effects="known").draws.values[0]
    whole = slopes(posterior, "x", random_effects="known").draws.values[0]
    np.testing.assert_allclose(parts.mean(axis=1), whole[:, 0], rtol=1e-9)  # 20 rows of each dose


def test_rows_alike_are_worked_out_once(monkeypatch: pytest.MonkeyPatch):
    seen = []
    plain = averages.parts_of_response

    def counted(posterior, predictors, *rest, **named):
        seen.append(len(predictors))
        return plain(posterior, predictors, *rest, **named)

    monkeypatch.setattr(averages, "parts_of_response", counted)
    data = logistic().design.data
    posterior = posterior_at(
        ModelSpec.from_formula("y ~ dose + (1 | g)", family="bernoulli"), data, [0.1, 0.2, 0.3], {"g": [[1.0]]}
    )
    compare(posterior, "dose", random_effects=["integrated", "known"])
    assert sorted(seen) == [1] * 3 + [6] * 3  # one pattern a dose; six groups where they count


def test_what_cannot_be_compared_says_why():
    posterior = logistic()
    with pytest.raises(SpecError, match=r"does not use 'doze'.*Did you mean 'dose'"):
        compare(posterior, "doze")
    with pytest.raises(SpecError, match=r"no estimand 'odds-ratio'.*Did you mean 'odds_ratio'"):
        compare(posterior, "dose", estimands="odds-ratio")
    with pytest.raises(SpecError, match="Did you mean 'pairwise'"):
        compare(posterior, "dose", contrast="pair-wise")
    with pytest.raises(SpecError, match="too many for 'pairwise'"):
        compare(posterior, "x", contrast="pairwise")
    with pytest.raises(SpecError, match="no iqr"):
        compare(posterior, "dose", contrast="iqr")
    with pytest.raises(DataError, match="not seen dose 'hi'"):
        compare(posterior, "dose", contrast=("low", "hi"))
    with pytest.raises(SpecError, match="two values"):
        compare(posterior, "dose", contrast=("low", "mid", "high"))
    with pytest.raises(SpecError, match="no column 'sex' to average by"):
        compare(posterior, "dose", by="sex")
    with pytest.raises(SpecError, match="no slope"):
        slopes(posterior, "dose")
    with pytest.raises(DataError, match="no column 'x'"):
        compare(posterior, "dose", newdata=pd.DataFrame({"dose": ["low"]}))
    with pytest.raises(DataError, match="no new rows"):
        slopes(posterior, "x", newdata=posterior.design.data.iloc[:0])


def test_weights_count_rows_as_repeats_would():
    posterior = logistic()
    rows = posterior.design.data.assign(w=np.resize([0, 1, 2], 60))
    repeated = rows.loc[rows.index.repeat(rows["w"])]
    weighted = compare(posterior, "x", newdata=rows, weights="w", by="g", estimands="difference")
    plain = compare(posterior, "x", newdata=repeated, by="g", estimands="difference")
    np.testing.assert_allclose(weighted.draws.values, plain.draws.values, rtol=1e-12)
    by_numbers = slopes(posterior, "x", newdata=rows, weights=rows["w"].to_numpy())
    np.testing.assert_allclose(by_numbers.draws.values, slopes(posterior, "x", newdata=repeated).draws.values)
    with pytest.raises(SpecError, match="no column 'v' of weights"):
        compare(posterior, "x", weights="v")
    with pytest.raises(SpecError, match="within a value of 'by'"):
        compare(posterior, "x", by="dose", newdata=rows, weights=(rows["dose"] == "low").to_numpy(float))
    with pytest.raises(SpecError, match="one number a row"):
        compare(posterior, "x", weights=np.array([1.0]))


def by_g(formula: str, beta: list[float], **options) -> Estimates:
    """``y ~ ...`` of yes or no compared by dose within g, six draws."""
    rng = np.random.default_rng(8)
    draws, levels = np.array(beta) + 0.1 * rng.normal(size=(6, len(beta))), np.linspace(-1.0, 1.0, 6)
    spec = ModelSpec.from_formula(formula, family="bernoulli")
    posterior = posterior_at(spec, logistic().design.data, draws, {"g": [[0.5]]}, u={"g": levels[:, None]})
    return compare(posterior, "dose", by="g", estimands=["difference", "odds_ratio"], **options)


def test_one_number_for_all_groups_is_said_once():
    found = by_g("y ~ dose + (1 | g)", [0.1, 0.3, 0.6])
    assert "g" not in found.table
    assert len(found.table) == 2 * 2 * 2  # contrasts, estimands, readings
    (note,) = found.notes
    assert note.startswith("One row stands for all 6 values of g: nothing in the model")
    assert repr(found).count(note) == 1


def test_readings_that_repeat_one_number_are_named_where_another_does_not():
    found = by_g("y ~ dose + (1 | g)", [0.1, 0.3, 0.6], random_effects=["integrated", "known"])
    (note,) = found.notes
    assert note.startswith("The population-averaged estimate is the same for all 6 values of g")
    spread = found.table.groupby(["contrast", "estimand", "effect"])["estimate"].nunique()
    assert set(spread.xs("population-averaged", level="effect")) == {1}
    # under the logit link a level moves the difference of probabilities, and leaves the odds ratio
    assert set(spread.xs("difference", level="estimand").xs("conditional (this group)", level="effect")) == {6}


def test_groups_that_differ_have_their_rows_and_no_note():
    found = by_g("y ~ dose + x + (1 | g)", [0.1, 0.3, 0.6, 0.8])  # x differs between groups
    assert found.table["g"].nunique() == 6
    assert found.notes == ()


def test_slopes_on_a_line_are_the_same_in_all_groups():
    data = logistic().design.data.assign(y=np.linspace(-1, 1, 60))
    spec = ModelSpec.from_formula("y ~ x + dose + (1 | g)")
    line = posterior_at(spec, data, BETA, {"g": [[1.0]]}, {"sigma": 1.0})
    found = slopes(line, "x", by="dose")
    assert len(found.table) == 2
    assert "all 3 values of dose" in found.notes[0]
    moderated = posterior_at(
        ModelSpec.from_formula("y ~ x*dose + (1 | g)"), data, np.c_[BETA, BETA[:, :2]], {"g": [[1.0]]}, {"sigma": 1.0}
    )
    assert len(slopes(moderated, "x", by="dose").table) == 6


def test_an_approximation_has_its_point_estimates_where_one_row_stands_for_all():
    model = bg.GLMM("p(favourable, n) ~ treatment + (1 | clinic)", bg.datasets.clinics(), family="binomial")
    fit = bg.approx.laplace(model)
    found = fit.compare("treatment", by="clinic", estimands="log_odds_ratio")
    assert len(found.table) == 2
    assert "mcse" not in found.table
    np.testing.assert_allclose(found.table["estimate"].iloc[1], fit.beta[1])


def test_groups_of_new_rows_that_do_not_matter_are_told():
    posterior = intercepts("logit")
    rows = pd.DataFrame({"x": [0.0, 0.0], "dose": "low", "g": ["g0", "g1"]})
    assert predict(posterior, rows).notes[0].startswith("The g of the rows does not matter here")
    assert predict(posterior, rows, ["zero", "known"]).notes == ()
