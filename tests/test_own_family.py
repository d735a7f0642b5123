"""A user's own family: the posterior of the package's where it is the same, compiled code, files, checks."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

import bayes_glmm as bg
from bayes_glmm.errors import SpecError
from bayes_glmm.families import COUNT, FAMILIES, POSITIVE, REAL, Response, check_family, get_family, product
from bayes_glmm.families.functional import Functional
from bayes_glmm.inference.densities.callbacks import Part
from bayes_glmm.inference.densities.whitened_inputs import whitened_density
from bayes_glmm.inference.kernels.generated import generated, kernel_key, kernel_of, short_name
from bayes_glmm.inference.kernels.loops import FORMS
from bayes_glmm.inference.whitening import whitening_for
from bayes_glmm.numerics.functions import NUMPY
from bayes_glmm.runs.run import check
from bayes_glmm.spec import ModelSpec

cloudpickle = pytest.importorskip("cloudpickle")  # which dask and PyMC bring along
MU = bg.Parameter("mu", ("log",), "positive", of_response=True)
SIGMA = bg.Parameter("sigma", ("log",), "positive", prior="HalfNormal(sigma=1)", middle=0.6745)
FORMULA = "y ~ x + (1 | g)"


def _log_density(y: Response, at: Any, f: Any) -> Any:
    z = (f.log(y.values) - at["mu"].log) / at["sigma"].value + 0.5 * at["sigma"].value
    return -0.5 * z**2 - at["sigma"].log - f.log(y.values) - 0.5 * np.log(2.0 * np.pi)


def _draw(rng: np.random.Generator, y: Response, at: Any) -> np.ndarray:
    return rng.lognormal(at["mu"].log - 0.5 * at["sigma"].value ** 2, at["sigma"].value)


def _variance(at: Any) -> Any:
    return at["mu"].value ** 2 * np.expm1(at["sigma"].value ** 2)


LOGNORMAL = bg.Family("lognormal_mean", "lognormal", (MU, SIGMA), POSITIVE, _variance, _log_density, _draw)
NB2 = replace(get_family("negative_binomial"), name="nb_again", distribution=None)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    g, x = np.repeat(np.arange(24), 5), rng.normal(size=120)
    mean = np.exp(0.4 + 0.3 * x + 0.5 * rng.normal(size=24)[g])
    counts = rng.negative_binomial(3.0, 3.0 / (3.0 + mean))
    return pd.DataFrame({"y": counts, "t": rng.lognormal(np.log(mean), 0.5), "x": x, "g": [f"g{k:02d}" for k in g]})


@pytest.fixture(scope="module")
def fits(data: pd.DataFrame) -> tuple[bg.Fit, bg.Fit]:
    """Of the same family under two names."""
    own, known = (bg.GLMM(FORMULA, data, family) for family in (NB2, "negative_binomial"))
    settings: dict[str, Any] = {"draws": 200, "chains": 2, "seed": 3, "coordinates": "whitened", "progress": False}
    return own.fit(**settings), known.fit(**settings)


def test_a_cumulative_hazard_is_that_of_the_density() -> None:
    weibull, exponential = FAMILIES["weibull"], FAMILIES["exponential"]
    check_family(replace(weibull, name="own"))
    with pytest.raises(SpecError, match="log_cumulative_hazard"):
        check_family(replace(weibull, name="own", log_cumulative_hazard=exponential.log_cumulative_hazard))


def test_a_family_of_the_package_under_another_name_has_the_same_draws(fits: tuple[bg.Fit, bg.Fit]) -> None:
    own, known = fits
    assert own.posterior.provenance["coordinates"] == "whitened"
    for name in ("beta", "u_g", "sd_g", "phi"):  # kernels by hand and from the density differ by rounding
        assert_allclose(own.idata["posterior"][name], known.idata["posterior"][name], rtol=1e-3, atol=1e-4)


def test_questions_and_checks_are_those_of_the_package(fits: tuple[bg.Fit, bg.Fit], data: pd.DataFrame) -> None:
    own, known = fits
    for ask in (lambda fit: fit.predict(data[:4]), lambda fit: fit.compare("x"), lambda fit: fit.slopes("x")):
        mine, theirs = (ask(fit).table.select_dtypes("number").to_numpy() for fit in (own, known))
        assert_allclose(mine, theirs, rtol=1e-2, atol=1e-2)
    for group in ("loo", "predictive"):
        verdicts = [[(one.name, one.verdict) for one in fit.check(group).checks] for fit in (own, known)]
        assert verdicts[0] == verdicts[1]


def test_plain_coordinates_and_the_model_in_pymc_have_the_same_density(data: pd.DataFrame) -> None:
    own, known = (bg.GLMM(FORMULA, data, family).pymc for family in (NB2, "negative_binomial"))
    point = known.initial_point()
    assert own.compile_logp()(point) == pytest.approx(known.compile_logp()(point), rel=1e-12)


def test_log_densities_are_scipys() -> None:
    y, mu, sigma = np.array([0.2, 1.0, 7.5]), 2.0, 0.6
    ours = LOGNORMAL.log_density(Response(y), LOGNORMAL.at({}, {"mu": mu, "sigma": sigma}, NUMPY), NUMPY)
    assert_allclose(ours, stats.lognorm(sigma, scale=mu * np.exp(-0.5 * sigma**2)).logpdf(y), rtol=1e-13)


def test_the_lognormal_has_the_coefficients_of_a_linear_model_of_logarithms(data: pd.DataFrame) -> None:
    own = bg.approx.laplace(bg.GLMM("t ~ x + (1 | g)", data, family=LOGNORMAL))
    linear = bg.approx.laplace(bg.GLMM("l ~ x + (1 | g)", data.assign(l=np.log(data["t"]))))
    mine, theirs = own.parameters, linear.parameters
    assert mine.auxiliary["sigma"] == pytest.approx(theirs.auxiliary["sigma"], rel=1e-4)
    shift = [0.5 * theirs.auxiliary["sigma"] ** 2, 0.0]
    assert_allclose(mine.beta, theirs.beta + shift, rtol=1e-4, atol=1e-5)
    assert_allclose(mine.L["g"], theirs.L["g"], rtol=1e-3)


# --- compiled code


def density_of(data: pd.DataFrame, family: bg.Family) -> Any:
    whitening, why = whitening_for(bg.GLMM("t ~ x + (1 | g)", data, family=family).problem.canonical)
    assert whitening is not None, why
    return whitened_density(whitening)


def test_code_is_named_after_its_content(data: pd.DataFrame) -> None:
    def other(y: Response, at: Any, f: Any) -> Any:
        return _log_density(y, at, f) - 0.1 * at["mu"].log

    specs = [
        ModelSpec.from_formula("t ~ x", family)
        for family in (LOGNORMAL, replace(LOGNORMAL), replace(LOGNORMAL, log_density=other))
    ]
    keys = [kernel_key(spec) for spec in specs]
    assert keys[0] == keys[1] != keys[2]
    names = [Part("rows", key).symbol for key in keys]
    assert names[0] == names[1] != names[2]
    assert max(map(len, names)) < 80
    assert len(str(Part("rows", keys[0]))) < 80
    assert specs[0] == specs[1] != specs[2]
    one, other = (kernel_of(*key).row(2.0, (2.0,), (0.3,), (0.5,), (np.log(0.5),))[0] for key in (keys[0], keys[2]))
    assert one - other == pytest.approx(0.1 * 0.3)


def test_another_process_needs_the_code_and_not_the_family(data: pd.DataFrame) -> None:
    density = density_of(data, replace(LOGNORMAL, draw=lambda rng, y, at: _draw(rng, y, at)))  # which no pickle takes
    again = pickle.loads(pickle.dumps(density))
    assert again.rows == density.rows
    assert list(density.rows.made_for) == json.loads(json.dumps(density.rows.made_for))
    x = density.start + 0.1
    assert again(x)[0] == density(x)[0]


def test_kernels_from_code_are_those_from_the_record() -> None:
    key = kernel_key(ModelSpec.from_formula("y ~ x", NB2))
    one, other = generated(*key), generated("negative_binomial", "log")
    y, eta = np.array([0.0, 3.0, 7.0, 3.0]), np.array([0.2, -0.4, 1.5, 0.0])
    found = [FORMS["predictor"].make(k)(y, y, k.statistics(y, y), eta, np.array([1.7])) for k in (one, other)]
    for mine, theirs in zip(*found, strict=True):
        assert_allclose(mine, theirs, rtol=1e-15)


def test_a_family_of_a_notebook_travels_by_cloudpickle() -> None:
    family = replace(LOGNORMAL, draw=lambda rng, y, at: _draw(rng, y, at))
    again = cloudpickle.loads(cloudpickle.dumps(ModelSpec.from_formula("t ~ x", family)))
    assert kernel_key(again) == kernel_key(ModelSpec.from_formula("t ~ x", LOGNORMAL))
    assert short_name(kernel_key(again)[0]).startswith("lognormal_mean_")


# --- files


def test_a_saved_fit_needs_its_family(fits: tuple[bg.Fit, bg.Fit], tmp_path: Path) -> None:
    fits[0].save(tmp_path / "own")
    with pytest.raises(bg.DataError, match=r"'nb_again'.*bg\.load\(folder, family=\.\.\.\)"):
        bg.load(tmp_path / "own")
    again = bg.load(tmp_path / "own", family=NB2)
    assert again.spec == fits[0].spec
    assert_allclose(again.posterior.beta, fits[0].posterior.beta)
    assert again.summary().equals(fits[0].summary())


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (replace(NB2, name="other"), "its name is 'other', not 'nb_again'"),
        (replace(NB2, parameters=(MU, replace(NB2.parameters[1], name="theta"))), "its parameters is"),
        (replace(NB2, log_density=lambda y, at, f: 1.01 * NB2.log_density(y, at, f)), "log density"),
        ("nb_again", "family is no Family, but str"),
    ],
)
def test_a_saved_fit_takes_its_own_family_only(
    fits: tuple[bg.Fit, bg.Fit], tmp_path: Path, family: Any, words: str
) -> None:
    fits[0].save(tmp_path / "own")
    with pytest.raises(bg.DataError, match=words):
        bg.load(tmp_path / "own", family=family)


def test_a_fit_of_the_package_takes_no_family(fits: tuple[bg.Fit, bg.Fit], tmp_path: Path) -> None:
    fits[1].save(tmp_path / "known")
    with pytest.raises(bg.DataError, match="without family="):
        bg.load(tmp_path / "known", family=NB2)


def test_a_config_takes_families_of_the_package(data: pd.DataFrame, tmp_path: Path) -> None:
    data.to_csv(tmp_path / "data.csv", index=False)
    config = "data: {file: data.csv}\nmodel: {formula: y ~ x, family: nb_again}\n"
    (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
    with pytest.raises(bg.ConfigError, match="A family of your own is a bg"):
        check(tmp_path / "config.yaml")


# --- checks


@pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if not family.with_categories])
def test_families_of_the_package_pass(name: str) -> None:
    family = get_family(name)
    table = check_family(family)
    assert len(table) == 2 ** len(family.parameters)


def test_a_family_of_the_package_given_as_a_record_goes_by_its_name() -> None:
    spec = ModelSpec.from_formula("y ~ x", FAMILIES["poisson"])
    assert spec == ModelSpec.from_formula("y ~ x", "poisson")


def _with(**changed: Any) -> bg.Family:
    return replace(LOGNORMAL, **changed)


def _density(function: Callable[..., Any]) -> bg.Family:
    return _with(log_density=function)


WRONG: list[tuple[bg.Family, str]] = [
    (_with(name="poisson"), "taken: 'poisson' is the package's poisson"),
    (_with(name="nbinom"), "taken: 'nbinom' is the package's negative_binomial"),
    (_with(name="my family"), "letters, digits"),
    (_with(response="positive"), "no ResponseKind"),
    (_with(parameters=(SIGMA,)), "do not begin with 'mu'"),
    (_with(parameters=(MU, replace(SIGMA, links=()))), "links of a parameter are not valid"),
    (_with(parameters=(MU, replace(SIGMA, links="log"))), "Give a tuple of them"),  # type: ignore[arg-type]
    (_with(parameters=(MU, replace(SIGMA, support="odd"))), "support of a parameter is not"),  # type: ignore[arg-type]
    (_with(parameters=(MU, replace(SIGMA, prior=""))), "no default prior"),
    (_with(parameters=(MU, replace(SIGMA, middle=0.0))), "middle of a parameter"),
    (_with(parameters=(MU, replace(SIGMA, name="log_sd"))), "Write letters and digits"),
    (_with(parameters=(MU, replace(SIGMA, name="beta"))), "name of a parameter is not valid"),
    (_with(parameters=(MU, replace(SIGMA, name="mutau"))), "begin with 'mu' are those of categories"),
    (_with(parameters=(MU, SIGMA, SIGMA)), "the same name"),
    (_with(mean=product("mu", lambda at: 1.0, ("tau",))), "reads 'tau'"),
    (_with(draw=lambda rng, y, at: 1.0), r"shape \[\], where the values of the parameters have"),
    (_with(draw=lambda rng, y, at: rng.normal(0.0 * at["mu"].value)), "its response is numbers above 0"),
    (_with(draw=None), "draw of the family 'lognormal_mean' is not a function"),
    (_density(lambda y, at, f: _log_density(y, at, f).sum()), r"log_density.* fails|has shape \[\]"),
    (_density(lambda y, at, f: f.log(-at["mu"].value) + 0.0 * y.values * at["sigma"].value), "is nan at a response"),
    (_density(lambda y, at, f: -np.log(at["mu"].value) - y.values * at["sigma"].value), "functions of f: exp, log, "),
    (_density(lambda y, at, f: f.digamma(y.values)), "no attribute 'digamma'.*functions of f: exp"),
    (_density(lambda y, at, f: at["mu"].log if y.values > 1 else 0.0), "f.where"),
    (_with(variance=lambda at: at["theta"].value), "variance of the family 'lognormal_mean' fails: KeyError"),
]


@pytest.mark.parametrize(("family", "words"), WRONG, ids=[words[:30] for _, words in WRONG])
def test_wrong_records_are_refused_before_anything_is_sampled(family: bg.Family, words: str) -> None:
    with pytest.raises(bg.SpecError, match=words):
        ModelSpec.from_formula("y ~ x", family)


def test_a_family_that_is_none_is_refused() -> None:
    with pytest.raises(bg.SpecError, match=r"text or a bayes_glmm\.Family, not int"):
        ModelSpec.from_formula("y ~ x", 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("formula", ["y ~ x + (1 | theta)", "theta ~ x"])
def test_columns_with_the_name_of_a_parameter_are_refused(formula: str) -> None:
    def log_density(y: Response, at: Any, f: Any) -> Any:
        return _log_density(y, {"mu": at["mu"], "sigma": at["theta"]}, f)

    def draw(rng: np.random.Generator, y: Response, at: Any) -> np.ndarray:
        return _draw(rng, y, {"mu": at["mu"], "sigma": at["theta"]})

    family = _with(
        parameters=(MU, replace(SIGMA, name="theta")),
        log_density=log_density,
        draw=draw,
        variance=lambda at: at["theta"].value,
    )
    with pytest.raises(bg.SpecError, match="'theta' is a parameter of the family"):
        ModelSpec.from_formula(formula, family)
    assert ModelSpec.from_formula("y ~ theta", family).auxiliary


def _twice_sigma(at: Any) -> Any:
    return at["mu"].value * np.exp(0.5 * at["sigma"].value ** 2)


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (_density(lambda y, at, f: _log_density(y, at, f) + f.log(y.values)), "integrates to"),
        (replace(NB2, log_density=lambda y, at, f: NB2.log_density(y, at, f) + 0.1), "sums to 1.10517, not 1"),
        (_with(variance=lambda at: at["sigma"].value ** 2), "has the variance"),
        (_with(mean=Functional("mean", "mean", ("mu", "sigma"), _twice_sigma)), "has the mean"),
        (
            _with(draw=lambda rng, y, at: rng.lognormal(at["mu"].log, at["sigma"].value)),
            "do not follow its log_density",
        ),
    ],
)
def test_functions_that_do_not_fit_each_other_are_found(family: bg.Family, words: str) -> None:
    check_family(LOGNORMAL)
    with pytest.raises(bg.SpecError, match=words):
        check_family(family)


def test_supports_of_all_kinds_are_covered() -> None:
    """A shifted count and a real response, of kinds that the package's families do not have together."""
    one = bg.Parameter("mu", ("log",), "positive")
    shifted = bg.Family(
        "shifted",
        "shifted Poisson",
        (one,),
        replace(COUNT, name="shifted", support=lambda y, n: ~(y >= 1) | (y != np.floor(y)), support_text="1, 2, ..."),
        variance=lambda at: at["mu"].value,
        log_density=lambda y, at, f: (y.values - 1.0) * at["mu"].log - at["mu"].value - f.gammaln(y.values),
        draw=lambda rng, y, at: 1 + rng.poisson(at["mu"].value),
        mean=Functional("mean", "mean", ("mu",), lambda at: 1.0 + at["mu"].value),
    )
    assert_allclose(check_family(shifted)["total"], 1.0, rtol=1e-12)
    laplace = bg.Family(
        "laplace",
        "Laplace",
        (bg.Parameter("mu", ("identity",), "real", of_response=True), replace(SIGMA, name="b1")),
        REAL,
        variance=lambda at: 2.0 * at["b1"].value ** 2 + 0.0 * at["mu"].value,
        log_density=lambda y, at, f: (
            -f.abs(y.values - at["mu"].value) / at["b1"].value - at["b1"].log - float(np.log(2.0))
        ),
        draw=lambda rng, y, at: rng.laplace(at["mu"].value, at["b1"].value),
    )
    assert_allclose(check_family(laplace)["total"], 1.0, rtol=1e-6)
