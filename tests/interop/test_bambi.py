"""Models taken over from Bambi: the same formula, priors and posterior density."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.interop import from_bambi

bmb = pytest.importorskip("bambi")


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g = np.repeat(list("abcdef"), 8)
    x = rng.normal(2.0, 1.5, 48)
    return pd.DataFrame(
        {
            "y": rng.poisson(np.exp(0.3 + 0.1 * x)),
            "t": rng.normal(1 + x, 1.0),
            "x": x,
            "w": rng.choice(["p", "q", "r"], 48),
            "g": g,
        }
    )


def test_formula_family_and_priors_carry_over(data):
    model = bmb.Model("t ~ x + w + (x | g)", data, priors={"x": bmb.Prior("Normal", mu=0.5, sigma=2)})
    ours = from_bambi(model)
    assert str(ours.spec.formula) == "t ~ x + w + (x || g)"
    assert (1, 1) == ours.design.block("g").pattern
    assert "Normal(mu=0.5, sigma=2)" == str(ours.priors["beta[x]"])
    built = model.parameters["mu"].terms
    sds = np.atleast_1d(built["w"].prior.args["sigma"])
    for k, label in enumerate(["w[q]", "w[r]"]):
        assert sds[k] == pytest.approx(dict(ours.priors[f"beta[{label}]"].keyword)["sigma"])
    sigma = built["x|g"].prior.args["sigma"].args["sigma"]
    assert float(sigma) == pytest.approx(dict(ours.priors["sd_g[x]"].keyword)["sigma"])
    assert "HalfStudentT" == ours.priors["sigma"].distribution


@pytest.mark.parametrize(
    "formula",
    ["t ~ x * w + (w | g)", "t ~ 0 + w:k + (0 + w:k | g)", "t ~ poly(x, 2) + (w * k | g)", "t ~ k + (1 | g/k)"],
)
def test_every_column_of_factors_and_interactions_has_bambis_prior(data, formula):
    model = bmb.Model(formula, data.assign(k=np.tile(["m", "n"], 24)))
    ours = from_bambi(model)
    sigmas = {label: dict(prior.keyword)["sigma"] for label, prior in ours.spec.priors.items()}
    for label, column in zip(ours.design.coefficients, ours.design.X.T, strict=True):
        if label != "Intercept":  # Bambi's rule for slopes
            assert 2.5 * data["t"].std(ddof=0) / column.std() == pytest.approx(sigmas[label])
    terms = model.parameters["mu"].group_specific_terms.values()
    varying = np.concatenate([np.ravel(term.prior.args["sigma"].args["sigma"]) for term in terms])
    sds = [sigmas[f"sd_{block.group}[{effect}]"] for block in ours.design.blocks for effect in block.effects]
    np.testing.assert_array_equal(varying, sds)


def test_factors_that_bambi_codes_otherwise_are_refused(data):
    with pytest.raises(bg.SpecError, match=r"sd_g\[w\[p\]:x\].*\(0 \+ f:x \| g\)"):
        from_bambi(bmb.Model("t ~ x + (w:x | g)", data))
    backwards = data.assign(w=pd.Categorical(data["w"], ["r", "q", "p"]))
    with pytest.raises(bg.SpecError, match=r"\[w\[p\], w\[r\]\] Make categories text"):
        from_bambi(bmb.Model("t ~ x + w", backwards))


def test_the_prior_of_the_intercept_is_at_the_centre(data):
    model = bmb.Model("t ~ x + (1 | g)", data)
    ours = from_bambi(model)
    centred = model.parameters["mu"].terms["Intercept"].prior.args
    expected = {name: float(value) for name, value in centred.items()}
    assert dict(ours.spec.priors["Intercept[centre]"].keyword) == pytest.approx(expected)
    assert "Intercept" not in ours.spec.priors
    for uncentred in (bmb.Model("t ~ x", data, center_predictors=False), bmb.Model("t ~ 1 + (1 | g)", data)):
        assert "Intercept[centre]" not in from_bambi(uncentred).spec.priors
        assert "Intercept" in from_bambi(uncentred).spec.priors


@pytest.mark.parametrize(
    "slope", [None, {"x": bmb.Prior("StudentT", nu=3, mu=0.2, sigma=1)}], ids=["normal", "other distributions"]
)
def test_log_density_equals_bambis_with_centring(data, slope):
    import pymc as pm

    model = bmb.Model("y ~ x + w + (1 | g)", data, family="negativebinomial", priors=slope)
    model.build()
    ours, theirs = from_bambi(model).pymc, model.backend.model
    rng = np.random.default_rng(5)
    for _ in range(3):
        intercept, x, w, z = rng.normal(), rng.normal(scale=0.3), rng.normal(size=2), rng.normal(size=6)
        sd, phi = rng.uniform(0.3, 1.0), rng.uniform(1.0, 3.0)
        b = dict(zip(["Intercept[centre]", "x", "w[q]", "w[r]"], [intercept, x, *w], strict=True))
        values = {"b": np.array([*b.values()]), "sd_g": np.array([sd]), "z_g": z[:, None], "phi": phi}
        values |= {f"b[{name}]": value for name, value in b.items()}
        mapped = {"Intercept": intercept, "x": x, "w": w, "1|g_sigma": sd, "1|g_offset": z, "alpha": phi}
        assert float(_logp(pm, theirs, mapped)) == pytest.approx(float(_logp(pm, ours, values)), rel=1e-10)


def test_log_density_equals_bambis_without_centring(data):
    import pymc as pm

    model = bmb.Model("y ~ x + (1 | g)", data, family="negativebinomial", center_predictors=False)
    model.build()
    ours = from_bambi(model).pymc
    theirs = model.backend.model
    rng = np.random.default_rng(3)
    z = rng.normal(size=6)
    values = {"beta": np.array([0.2, 0.1]), "sd_g": np.array([0.7]), "z_g": z[:, None], "phi": 1.7}
    mapped = {"Intercept": 0.2, "x": 0.1, "1|g_sigma": 0.7, "1|g_offset": z, "alpha": 1.7}
    ours_logp = float(_logp(pm, ours, values))
    theirs_logp = float(_logp(pm, theirs, mapped))
    assert theirs_logp == pytest.approx(ours_logp, rel=1e-10)


@pytest.mark.parametrize(
    ("family", "ours", "theirs"),
    [
        ("lognormal", "sigma", "sigma"),
        ("weibull", "shape", "alpha"),
        ("exponential", "", ""),
        ("wald", "shape", "lam"),
    ],
)
def test_positive_families_have_bambis_density(data: pd.DataFrame, family: str, ours: str, theirs: str) -> None:
    import pymc as pm

    link = "identity" if family == "lognormal" else "log"
    positive = data.assign(y=np.random.default_rng(2).gamma(2.0, 1.5, 48))
    model = bmb.Model("y ~ x + (1 | g)", positive, family=family, link=link, center_predictors=False)
    model.build()
    taken, z = from_bambi(model), np.random.default_rng(3).normal(size=6)
    values = {"beta": np.array([0.2, 0.1]), "sd_g": np.array([0.7]), "z_g": z[:, None], ours: 1.7}
    mapped = {"Intercept": 0.2, "x": 0.1, "1|g_sigma": 0.7, "1|g_offset": z, theirs: 1.7}
    found = float(_logp(pm, taken.pymc, values))
    assert float(_logp(pm, model.backend.model, mapped)) == pytest.approx(found, rel=1e-9)


@pytest.mark.parametrize(
    ("response", "family", "link", "ours", "theirs"),
    [
        ("censored(t, c)", "weibull", "log", "shape", "alpha"),
        pytest.param("censored(t, c)", "gaussian", "identity", "sigma", "sigma", marks=pytest.mark.slow),
        pytest.param("censored(k, c)", "poisson", "log", "", "", marks=pytest.mark.slow),
        pytest.param("truncated(k, lb=1, ub=9)", "poisson", "log", "", "", marks=pytest.mark.slow),
    ],
)
def test_censored_and_truncated_responses_have_bambis_density(
    data: pd.DataFrame, response: str, family: str, link: str, ours: str, theirs: str
) -> None:
    import pymc as pm

    rng = np.random.default_rng(2)
    limited = data.assign(t=0.2 + rng.gamma(2.0, 1.5, 48), k=1 + rng.poisson(2.0, 48) % 9)
    limited["c"] = np.resize(["none", "right", "left", "none"], 48)
    model = bmb.Model(f"{response} ~ x", limited, family=family, link=link, center_predictors=False)
    model.build()
    values, mapped = {"beta": np.array([0.2, 0.1]), ours: 1.7}, {"Intercept": 0.2, "x": 0.1, theirs: 1.7}
    found = float(_logp(pm, from_bambi(model).pymc, values))
    assert float(_logp(pm, model.backend.model, mapped)) == pytest.approx(found, rel=1e-9)


@pytest.mark.parametrize("bounds", [(0.7, None), (None, 6.0), (0.7, 6.0)])
def test_truncated_lognormals_differ_by_the_single_precision_of_a_root(
    bounds: tuple[float | None, float | None],
) -> None:
    """PyMC divides by a root of 2 that is rounded to 32 bits: with it SciPy's numbers are Bambi's, without it ours."""
    import pymc as pm
    from scipy import stats

    y, dist = np.linspace(0.8, 5.5, 7), stats.lognorm(1.0)
    lower, upper = bounds
    theirs = pm.logp(pm.Truncated.dist(pm.LogNormal.dist(0.0, 1.0), lower=lower, upper=upper), y).eval()
    frame, single = pd.DataFrame({"y": y}), float(np.sqrt(np.float32(2.0)))
    written = ", ".join(
        f"{name}={value}" for name, value in zip(("lb", "ub"), bounds, strict=True) if value is not None
    )
    model = bg.GLMM(f"y | trunc({written}) ~ 1", frame, "lognormal").pymc
    rows = model.compile_logp(vars=model.observed_RVs, sum=False)
    point = {name: np.zeros_like(value) for name, value in model.initial_point().items()}
    (ours,) = rows(point)

    def expected(root: float) -> np.ndarray:
        share = [stats.norm.cdf(np.log(value) * np.sqrt(2.0) / root) if value else k for k, value in enumerate(bounds)]
        return dist.logpdf(y) - np.log(share[1] - share[0])

    np.testing.assert_allclose(ours, expected(np.sqrt(2.0)), rtol=1e-12)
    np.testing.assert_allclose(theirs, expected(single), rtol=1e-12)
    assert 1e-9 < np.abs(theirs - ours).max() < 2e-8


def _logp(pm, model, values):
    """Log density at named values, Jacobians of the transforms left out."""
    logp = model.logp(jacobian=False)
    point = {}
    for rv in model.free_RVs:
        transform, value = model.rvs_to_transforms[rv], np.asarray(values[rv.name], float)
        name = model.rvs_to_values[rv].name
        point[name] = value if transform is None else transform.forward(value, *rv.owner.inputs).eval()
    return model.compile_fn(logp, inputs=model.value_vars)(point)


def test_what_has_no_counterpart_is_refused(data):
    with pytest.raises(bg.SpecError, match="no family 'laplace'"):
        from_bambi(bmb.Model("t ~ x", data, family="laplace"))
    nested = bmb.Prior("HalfNormal", sigma=bmb.Prior("Exponential", lam=1.0))
    hyper = {"1|g": bmb.Prior("Normal", mu=0, sigma=nested)}
    with pytest.raises(bg.SpecError, match="hyperprior"):
        from_bambi(bmb.Model("t ~ x + (1 | g)", data, priors=hyper))


@pytest.mark.parametrize("family", ["bernoulli", "poisson", "gamma", "beta"])
def test_the_link_is_that_of_the_mean_whatever_bambi_calls_it(family: str) -> None:
    data = pd.DataFrame({"x": [1.0, 2, 3, 4, 5, 7], "g": list("aabbcc")})
    data["y"] = [0.2, 0.4, 0.3, 0.6, 0.5, 0.9] if family in ("gamma", "beta") else [0, 1, 1, 0, 1, 0]
    model = bmb.Model("y ~ x + (1 | g)", data, family=family, link="log" if family == "gamma" else None)
    taken = from_bambi(model)
    assert (family, model.family.link[model.family.likelihood.parent].name) == (
        taken.spec.family_name,
        taken.spec.link_name,
    )


@pytest.mark.parametrize("family", ["cumulative", "sratio"])
@pytest.mark.parametrize("link", ["logit", "probit"])
def test_thresholds_of_ordered_categories_carry_over(data: pd.DataFrame, link: str, family: str) -> None:
    import pymc as pm

    rating = pd.Categorical(np.resize(["low", "middle", "high"], 48), ["low", "middle", "high"], ordered=True)
    with pytest.warns(UserWarning, match="intercept is omitted"):
        model = bmb.Model("k ~ x + w + (1 | g)", data.assign(k=rating), family=family, link=link)
    model.build()
    taken = from_bambi(model)
    assert taken.spec.family_name == family
    middles = (-2, 2) if family == "cumulative" else (0, 0)
    assert [f"Normal(mu={middle}, sigma=1)" for middle in middles] == [
        str(taken.priors[f"threshold[{between}]"]) for between in ("low|middle", "middle|high")
    ]
    rng = np.random.default_rng(8)
    for _ in range(3):
        x, w, z, sd = rng.normal(scale=0.2), rng.normal(size=2), rng.normal(size=6), rng.uniform(0.3, 1.0)
        thresholds = rng.normal(size=2)
        thresholds = np.sort(thresholds) if family == "cumulative" else thresholds
        values = {"threshold": thresholds, "b": np.array([x, *w]), "sd_g": np.array([sd]), "z_g": z[:, None]}
        mapped = {"threshold": thresholds, "x": x, "w": w, "1|g_sigma": sd, "1|g_offset": z}
        ours, theirs = (float(_logp(pm, *pair)) for pair in ((taken.pymc, values), (model.backend.model, mapped)))
        assert theirs == pytest.approx(ours, rel=1e-7)  # differences of probabilities lose digits


def test_formulas_of_further_parameters_carry_over(data: pd.DataFrame) -> None:
    """The same density at any point; in Bambi's sigma too the prior of the intercept is at the centre."""
    import pymc as pm

    model = bmb.Model(bmb.Formula("t ~ w + (1 | g)", "sigma ~ x + (x | g)"), data)
    model.build()
    taken = from_bambi(model)
    assert ["t ~ w + (1 || g)", "sigma ~ x + (x || g)"] == [str(one) for one in taken.spec.predicted.values()]
    rng = np.random.default_rng(9)
    for _ in range(3):
        beta, sigma, sd, z = (
            rng.normal(size=3),
            rng.normal(scale=0.3, size=2),
            rng.uniform(0.2, 0.9, 3),
            rng.normal(size=(6, 3)),
        )
        values = {"b": beta, "b_sigma": sigma, "sd_g": sd, "z_g": z}
        names = ["Intercept[centre]", "w[q]", "w[r]"]
        values |= {f"b[{name}]": value for name, value in zip(names, beta, strict=True)}
        values |= {f"b_sigma[{name}]": value for name, value in zip(["Intercept[centre]", "x"], sigma, strict=True)}
        effects = taken.design.block("g").effects
        values |= {f"sd_g[{name}]": value for name, value in zip(effects, sd, strict=True)}
        mapped = {"Intercept": beta[0], "w": beta[1:], "sigma_Intercept": sigma[0], "sigma_x": sigma[1]}
        theirs = dict(zip(effects, ["1|g", "sigma_1|g", "sigma_x|g"], strict=True))
        for k, effect in enumerate(effects):
            mapped |= {f"{theirs[effect]}_sigma": sd[k], f"{theirs[effect]}_offset": z[:, k]}
        assert float(_logp(pm, model.backend.model, mapped)) == pytest.approx(
            float(_logp(pm, taken.pymc, values)), rel=1e-10
        )


@pytest.mark.parametrize("further", [[], ["psi ~ x"]], ids=["constant", "formula"])
@pytest.mark.parametrize(
    ("family", "ours", "zeros"),
    [
        ("zero_inflated_poisson", "zero_inflated_poisson", "zi"),
        ("zero_inflated_negativebinomial", "zero_inflated_negative_binomial", "zi"),
        ("hurdle_poisson", "hurdle_poisson", "hu"),
        ("hurdle_negativebinomial", "hurdle_negative_binomial", "hu"),
    ],
)
def test_the_probability_of_zeros_is_mirrored(
    data: pd.DataFrame, family: str, ours: str, zeros: str, further: list[str]
) -> None:
    import pymc as pm

    priors = {"psi": {"x": bmb.Prior("Normal", mu=0.4, sigma=1)} if further else bmb.Prior("Beta", alpha=2, beta=5)}
    formula = bmb.Formula("y ~ x", *further)
    model = bmb.Model(formula, data, family=family, priors=priors, center_predictors=False)
    model.build()
    taken = from_bambi(model)
    assert taken.spec.family_name == ours
    expected = (f"{zeros}.x", "Normal(mu=-0.4, sigma=1)") if further else (zeros, "Beta(alpha=5, beta=2)")
    assert expected[1] == str(taken.spec.priors[expected[0]])
    values = {"beta": np.array([0.6, 0.1]), f"beta_{zeros}": np.array([-0.3, 0.2]), zeros: 0.3, "phi": 1.7}
    values |= {f"beta_{zeros}[Intercept]": -0.3, f"beta_{zeros}[x]": 0.2, "beta[Intercept]": 0.6, "beta[x]": 0.1}
    mapped = {"Intercept": 0.6, "x": 0.1, "psi_Intercept": 0.3, "psi_x": -0.2, "psi": 0.7, "alpha": 1.7}
    assert float(_logp(pm, model.backend.model, mapped)) == pytest.approx(
        float(_logp(pm, taken.pymc, values)), rel=1e-10
    )


def test_a_link_without_a_mirror_image_is_refused(data: pd.DataFrame) -> None:
    model = bmb.Model(
        bmb.Formula("y ~ 1", "psi ~ x"), data, family="zero_inflated_poisson", link={"mu": "log", "psi": "cloglog"}
    )
    with pytest.raises(bg.SpecError, match="another model"):
        from_bambi(model)
