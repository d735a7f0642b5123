"""Designs of several parameters: columns, blocks, default priors and their keys, new rows, saved posteriors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import bayes_glmm as bg
from bayes_glmm.design import new_predictors
from bayes_glmm.errors import DataError, SpecError
from bayes_glmm.families import FAMILIES, LINKS
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.posterior import load_posterior, posterior_at
from bayes_glmm.spec import ModelSpec, Prior
from tests.model.distributions import distribution

N = 120
SLOPES = ["y ~ x + (x |i| g)", "sigma ~ z + (z |i| g)"]
PARAMETERS = [(family.name, name) for family in FAMILIES.values() for name in family.auxiliary]


def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "y": 5.0 + rng.normal(size=N),
            "x": rng.normal(size=N),
            "z": 7.0 + 2.0 * rng.normal(size=N),
            "w": rng.normal(size=N),
            "f": rng.choice(["p", "q", "r"], N),
            "g": np.resize(list("abcdefgh"), N),
            "h": np.resize(list("uvwst"), N),
        }
    )


def model(formulas: list[str], priors: dict[str, str] | None = None, frame: pd.DataFrame | None = None) -> bg.GLMM:
    return bg.GLMM(formulas, data() if frame is None else frame, priors=priors or {})


def test_effects_with_a_shared_name_are_one_run_of_one_block() -> None:
    (block,) = model(["y ~ x + (1 |i| g)", "sigma ~ z + (1 |i| g)"]).design.blocks
    assert block.effects == ("Intercept", "sigma_Intercept")
    assert block.parameters == ("mu", "sigma")
    assert block.pattern == (2,)
    assert block.correlated
    assert_array_equal(block.values, np.ones((N, 2)))


def test_effects_without_one_are_runs_of_their_own() -> None:
    (block,) = model(["y ~ x + (x | g)", "sigma ~ z + (1 | g)"]).design.blocks
    assert block.effects == ("Intercept", "x", "sigma_Intercept")
    assert block.pattern == (2, 1)
    assert [block.of("mu"), block.of("sigma"), block.of("nu")] == [[0, 1], [2], []]


def test_terms_of_a_run_stand_together_whatever_is_between_them() -> None:
    formulas = ["y ~ (1 |i| g) + (0 + x | g) + (1 | h)", "sigma ~ (1 | h) + (0 + w | g) + (z |i| g)"]
    blocks = {block.group: block for block in model(formulas).design.blocks}
    assert blocks["g"].effects == ("Intercept", "sigma_Intercept", "sigma_z", "x", "sigma_w")
    assert blocks["g"].parameters == ("mu", "sigma", "sigma", "mu", "sigma")
    assert blocks["g"].pattern == (3, 1, 1)
    frame = data()
    ones = np.ones(N)
    assert_array_equal(blocks["g"].values, np.column_stack([ones, ones, frame["z"], frame["x"], frame["w"]]))
    assert_array_equal(np.array(blocks["g"].levels)[blocks["g"].index], frame["g"])
    assert (blocks["h"].effects, blocks["h"].pattern) == (("Intercept", "sigma_Intercept"), (1, 1))


def test_each_parameter_has_its_own_fixed_part() -> None:
    predictors = model(["y ~ x", "sigma ~ 0 + f + offset(w)"]).design.predictors
    frame = data()
    assert predictors.parameters == ("mu", "sigma")
    assert_array_equal(predictors.of("mu").X, np.column_stack([np.ones(N), frame["x"]]))
    assert_array_equal(predictors.of("sigma").X, np.column_stack([frame["f"] == level for level in "pqr"]))
    assert predictors.of("sigma").coefficients == ("f[p]", "f[q]", "f[r]")
    assert_array_equal(predictors.of("sigma").offset, frame["w"])
    assert not predictors.of("mu").offset.any()
    assert [one.variable for one in predictors.fixed] == ["beta", "beta_sigma"]
    assert [one.dim for one in predictors.fixed] == ["coefficient", "coefficient_sigma"]
    assert [part.tolist() for part in predictors.split(np.arange(5.0)).values()] == [[0.0, 1.0], [2.0, 3.0, 4.0]]


def test_two_effects_of_one_name_are_refused() -> None:
    frame = data().assign(sigma_x=lambda d: d["w"])
    with pytest.raises(SpecError, match="'sigma_x' varies by 'g' in more than one term"):
        model(["y ~ (0 + sigma_x | g)", "sigma ~ (0 + x | g)"], frame=frame)


def test_a_column_of_the_second_formula_needs_values() -> None:
    frame = data()
    frame.loc[[3, 17], "z"] = np.nan
    with pytest.raises(DataError, match="'z'"):
        model(["y ~ x", "sigma ~ z"], frame=frame)
    assert bg.GLMM(["y ~ x", "sigma ~ z"], frame, missing="drop").design.dropped == 2


@pytest.mark.parametrize(
    ("keys", "reached"),
    [
        ("sigma.z, beta_sigma[z], sigma.beta, beta_sigma", ["beta_sigma[z]"]),
        ("sigma.Intercept, beta_sigma[Intercept]", ["beta_sigma[Intercept]"]),
        ("beta, x, beta[x]", ["beta[x]"]),
        ("Intercept", ["beta[Intercept]"]),
        ("sigma.sd, sigma.sd_g", ["sd_g[sigma_Intercept]", "sd_g[sigma_z]"]),
        ("sigma.sd_g[z], sd_g[sigma_z]", ["sd_g[sigma_z]"]),
        ("sd, sd_g", ["sd_g[Intercept]", "sd_g[x]"]),
        ("corr, corr_g", ["corr_g"]),
    ],
)
def test_keys_reach_the_parameters_of_their_predictor(keys: str, reached: list[str]) -> None:
    plain = model(SLOPES).priors
    for key in keys.split(", "):
        text = "LKJ(3)" if "corr" in key else "HalfNormal(7)" if "sd" in key else "Normal(0, 7)"
        priors = model(SLOPES, {key: text}).priors
        assert priors.given == set(reached)
        assert all(str(priors[name]) == text for name in reached)
        # the default of an intercept at x = 0 follows the prior of the slope
        of_others = set(plain.entries) - set(reached) - {"beta[Intercept]", "beta_sigma[Intercept]"}
        assert all(priors[name] == plain[name] for name in of_others)


def test_the_most_particular_key_wins() -> None:
    given = {"sigma.sd": "HalfNormal(1)", "sigma.sd_g": "HalfNormal(2)", "sigma.sd_g[z]": "HalfNormal(3)"}
    priors = model([SLOPES[0], "sigma ~ z + (z |i| g) + (1 | h)"], given).priors
    names = ("sd_h[sigma_Intercept]", "sd_g[sigma_Intercept]", "sd_g[sigma_z]")
    assert [str(priors[name]) for name in names] == ["HalfNormal(1)", "HalfNormal(2)", "HalfNormal(3)"]


def test_the_intercept_at_the_centre_of_a_further_parameter() -> None:
    made = model(SLOPES, {"sigma.Intercept[centre]": "Normal(-1, 0.25)"})
    mean, covariance = prior_of_rows(made, "sigma")
    X = made.design.predictors.of("sigma").X
    weight = np.linalg.lstsq(X.T, X.mean(axis=0))[0]  # the centre as a combination of rows
    assert weight @ mean == pytest.approx(-1.0)
    assert weight @ covariance @ weight == pytest.approx(0.25**2)


@pytest.mark.parametrize(
    ("priors", "words"),
    [
        ({"sigma": "HalfNormal(1)"}, "no parameter 'sigma'"),
        ({"sigma.x": "Normal(0, 1)"}, "no parameter 'sigma.x'"),
        ({"nu.z": "Normal(0, 1)"}, "no parameter 'nu.z'"),
        ({"sigma.sd_h": "HalfNormal(1)"}, "no parameter 'sigma.sd_h'"),
        ({"sigma.corr": "LKJ(1)"}, "no parameter 'sigma.corr'"),
        ({"sigma.z": "Normal(0, 1)", "beta_sigma[z]": "Normal(0, 1)"}, "are one parameter"),
        ({"sigma.sd_g[z]": "HalfNormal(1)", "sd_g[sigma_z]": "HalfNormal(1)"}, "are one parameter"),
        ({"sigma.sd": "Normal(0, 1)"}, "sd_g[sigma_Intercept] is positive"),
        ({"sigma.Intercept": "Normal(0, 1)", "sigma.Intercept[centre]": "Normal(0, 1)"}, "and one at the centre"),
    ],
)
def test_keys_that_address_nothing_or_the_same(priors: dict[str, str], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        model(SLOPES, priors)
    assert words in str(caught.value)


def test_a_column_that_is_called_like_a_key_of_another_parameter_is_ambiguous() -> None:
    frame = data().assign(**{"sigma.z": lambda d: d["w"]})
    with pytest.raises(SpecError, match=r"'sigma\.z' is ambiguous"):
        model(["y ~ sigma.z", "sigma ~ z"], {"sigma.z": "Normal(0, 7)"}, frame)


def prior_of_rows(of: bg.GLMM, parameter: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the prior of a parameter's predictor over the data's rows, all coefficients normal."""
    one, columns = of.design.predictors.of(parameter), of.priors.canonical.fixed[parameter]
    moments = [distribution(of.priors.scalars[f"{one.variable}[{name}]"]).stats() for name in columns.names]
    mean, variance = (np.array([float(moment[k]) for moment in moments]) for k in (0, 1))
    X = columns.columns(one.X)
    return X @ mean, X @ np.diag(variance) @ X.T


@pytest.mark.parametrize(
    "right", ["I(z - 3)", "I(1000 + 7 * z)", "I(-0.01 * z)", "poly(z, 1)", "center(z)", "I(z * 1e6 - 2e9)"]
)
def test_default_priors_do_not_depend_on_zero_and_unit(right: str) -> None:
    (mean, covariance), (other_mean, other) = (
        prior_of_rows(model(["y ~ x", f"sigma ~ {column}"]), "sigma") for column in ("z", right)
    )
    assert_allclose(other_mean, mean, rtol=1e-9)
    assert_allclose(np.sqrt(np.diagonal(other)), np.sqrt(np.diagonal(covariance)), rtol=1e-9)
    assert_allclose(other, covariance, atol=1e-9 * np.abs(covariance).max())


@pytest.mark.parametrize(("one", "other"), [("f", "0 + f"), ("f * z", "0 + f + f:z"), ("z + I(z ** 2)", "poly(z, 2)")])
def test_default_priors_do_not_depend_on_the_coding(one: str, other: str) -> None:
    moments = [prior_of_rows(model(["y ~ x", f"sigma ~ {right}"]), "sigma") for right in (one, other)]
    assert_allclose(moments[1][0], moments[0][0], rtol=1e-8)
    assert_allclose(moments[1][1], moments[0][1], atol=1e-8 * np.abs(moments[0][1]).max())


def test_effects_of_each_parameter_are_carried_to_the_centre_of_their_own_columns() -> None:
    made = model(SLOPES)
    frame, canonical, (block,) = data(), made.priors.canonical, made.design.blocks
    assert_allclose(canonical.means["g"], [0.0, frame["x"].mean(), 0.0, frame["z"].mean()], rtol=1e-12)
    centred = block.values - [0.0, frame["x"].mean(), 0.0, frame["z"].mean()]
    assert_allclose(canonical.effect_columns(block), centred, atol=1e-12)
    A = canonical.A["g"]
    for of in ([0, 1], [2, 3]):  # the written effects of each parameter give the same predictor
        assert_allclose(block.values[:, of] @ A[np.ix_(of, of)], centred[:, of], atol=1e-12)
    assert_array_equal([A[:2, 2:], A[2:, :2]], 0.0)
    default = {name: dict(made.priors[f"sd_g[{name}]"].keyword)["sigma"] for name in block.effects}
    assert default["sigma_Intercept"] == pytest.approx(0.5)
    assert default["sigma_z"] == pytest.approx(0.5 / frame["z"].std(ddof=0))
    assert default["x"] == pytest.approx(2.5 * frame["y"].std(ddof=0) / frame["x"].std(ddof=0))


@pytest.mark.parametrize(("family", "name"), PARAMETERS)
def test_the_middle_of_a_parameter_is_the_median_of_its_prior_as_a_constant(family: str, name: str) -> None:
    record = FAMILIES[family].auxiliary[name]
    prior = Prior.parse(record.prior.format(scale="1.0"))
    assert record.middle == pytest.approx(distribution(prior).ppf(0.5), rel=1e-9)


@pytest.mark.parametrize(("family", "name"), PARAMETERS)
def test_predictors_have_their_prior_about_that_median(family: str, name: str) -> None:
    record, frame = FAMILIES[family].auxiliary[name], data()
    kind = FAMILIES[family].response
    counts = np.arange(N) % 5
    made_up = {
        "count": counts,
        "positive_count": counts + 1,
        "successes": counts,
        "fraction": (np.arange(N) % 9 + 0.5) / 9,
        "closed_fraction": (np.arange(N) % 9) / 8,
    }
    frame["y"], left = made_up.get(kind.name, frame["y"]), "p(y, 9)" if kind.trials else "y"
    y = np.log(frame["y"]) if family.endswith("lognormal") else frame["y"]
    for link in record.links:
        made = bg.GLMM([f"{left} ~ x", f"{name} ~ z"], frame, family, {name: link})
        scale = y.std(ddof=0) if record.of_response else 1.0
        key = f"beta_{name}[Intercept[centre]]"
        prior = made.priors.scalars[key]
        assert prior.distribution in ("Normal", "Logistic")  # symmetric about mu
        middle = LINKS[link].forward(record.middle * scale, NUMPY)
        assert dict(prior.keyword)["mu"] == pytest.approx(middle, abs=1e-9)


def test_another_name_of_a_group_or_a_column_is_the_same_model() -> None:
    made = model(SLOPES)
    frame = data().rename(columns={"g": "sigma", "z": "nu", "y": "beta_sigma"})
    other = model(["beta_sigma ~ x + (x |i| sigma)", "sigma ~ nu + (nu |i| sigma)"], frame=frame)
    names = [
        key.replace("_g", "_sigma", key.startswith(("sd_", "corr_"))).replace("z]", "nu]")
        for key in made.priors.entries
    ]
    assert names == list(other.priors.entries)
    assert list(made.priors.entries.values()) == list(other.priors.entries.values())
    assert_array_equal(other.design.blocks[0].values, made.design.blocks[0].values)
    assert other.design.response_variable not in ("beta_sigma", *other.priors.entries)


def test_new_rows_give_each_parameter_its_columns() -> None:
    design = model(["y ~ x + (x |i| g)", "sigma ~ center(z) + f + offset(w) + (z |i| g)"]).design
    rows = pd.DataFrame(
        {"x": [1.0, 2.0, 3.0], "z": [0.0, 5.0, 9.0], "w": [0.1, 0.2, 0.3], "f": ["r", "p", "q"], "g": ["b", "new", "h"]}
    )
    found = new_predictors(design, rows)
    z = rows["z"] - data()["z"].mean()  # the centre is that of the data, not of the new rows
    assert_array_equal(found.of("mu").X, np.column_stack([np.ones(3), rows["x"]]))
    assert_allclose(
        found.of("sigma").X, np.column_stack([np.ones(3), z, rows["f"] == "q", rows["f"] == "r"]), rtol=1e-12
    )
    assert_array_equal(found.of("sigma").offset, rows["w"])
    block = found.blocks[0]
    assert_array_equal(block.values, np.column_stack([np.ones(3), rows["x"], np.ones(3), rows["z"]]))
    assert block.index.tolist() == [1, -1, 7]
    with pytest.raises(DataError, match="'w'"):
        new_predictors(design, rows.drop(columns="w"))


def test_a_saved_posterior_keeps_everything(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    spec = ModelSpec.from_formula(
        ["y ~ x + (x |i| g)", "sigma ~ z + offset(w) + (1 |i| g)"], priors={"sigma.z": "Normal(0, 2)"}
    )
    roots = rng.normal(size=(5, 3, 3))
    made = posterior_at(
        spec,
        data(),
        rng.normal(size=(5, 2)),
        {"g": roots @ roots.swapaxes(1, 2)},
        u={"g": rng.normal(size=(5, 8, 3))},
        further={"sigma": rng.normal(size=(5, 2))},
    )
    made.save(tmp_path / "saved")
    again = load_posterior(tmp_path / "saved")
    assert (again.spec, again.priors) == (made.spec, made.priors)
    assert again.draws["posterior"].to_dataset().identical(made.draws["posterior"].to_dataset())


def test_draws_that_do_not_fit_the_model() -> None:
    spec = ModelSpec.from_formula(["y ~ x", "sigma ~ z"])
    for further, auxiliary, words in (
        ({}, {}, "The coefficients of 'sigma' are not given"),
        ({"sigma": [0.0]}, {}, r"beta_sigma has shape \[1\]; the model has \[2\]"),
        ({"sigma": [0.0, 0.0], "nu": [0.0]}, {}, "The model has no 'nu'"),
        ({"sigma": [0.0, 0.0]}, {"sigma": 1.0}, "The model has no 'sigma'"),
    ):
        with pytest.raises(DataError, match=words):
            posterior_at(spec, data(), [0.0, 0.0], {}, auxiliary, further=further)
