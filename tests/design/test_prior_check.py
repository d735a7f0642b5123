"""What is refused without PyMC is what PyMC refuses, and a key means one thing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.design import Priors, build_design, resolve_priors
from bayes_glmm.design.prior_check import USUAL, check_prior
from bayes_glmm.errors import GLMMError, SpecError
from bayes_glmm.numerics.distributions import DISTRIBUTIONS
from bayes_glmm.spec import ModelSpec, Prior

ARGUMENTS = ["", "0", "2", "-1", "0, 1", "1, 2", "2, 1", "-5, 1", "1, 0", "1, -1", "-1, 1", "3, 0, 1", "1, 1, 1, 1"]
NAMED = [
    "sigma=2",
    "sigma=0",
    "mu=1",
    "1, sigma=-1",
    "scale=2",
    "lam=3",
    "0, 1, sigma=2",
    "alpha=1, beta=2",
    "lower=-1",
]


def _by_pymc(prior: Prior) -> tuple[bool, bool]:
    """Whether PyMC makes the distribution, and whether it has mass below 0."""
    import pymc as pm

    distribution = getattr(pm, prior.distribution)
    with np.errstate(all="ignore"):
        variable = distribution.dist(*np.array(prior.positional, float), **dict(prior.keyword))
        below = pm.logp(variable, np.array([-1e-3, -0.5, -2.0, -7.0])).eval(mode="FAST_COMPILE")
    return True, bool(np.isfinite(below).any())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", USUAL)
def test_the_table_agrees_with_pymc(name: str) -> None:
    for text in ARGUMENTS + NAMED:
        prior = Prior.parse(f"{name}({text})")
        try:
            valid, negative = _by_pymc(prior)
        except Exception:
            valid, negative = False, False
        for support, right in (("real", valid), ("positive", valid and not negative)):
            try:
                check_prior("sigma", prior, support)  # type: ignore[arg-type]
                found = True
            except SpecError:
                found = False
            # stricter than PyMC: a rate of 0, an empty interval, and arguments that PyMC drops in silence
            assert found <= right, f"{prior} is accepted as {support}"
            if right and not found:
                assert prior.distribution in ("Exponential", "Uniform", *_drops(prior)), f"{prior} as {support}"


def _drops(prior: Prior) -> tuple[str, ...]:
    """Distributions that take any further arguments."""
    usual = USUAL[prior.distribution]
    more = len(prior.positional) > len(usual.arguments)
    unknown = any(name not in (*usual.arguments, *usual.others) for name, _ in prior.keyword)
    return (prior.distribution,) if more or unknown else ()


def test_every_distribution_of_the_approximations_is_in_the_table() -> None:
    assert set(USUAL) == set(DISTRIBUTIONS)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    columns = {name: rng.normal(size=40) for name in ("y", "x", "sigma", "beta", "sd", "sd_g", "corr")}
    return pd.DataFrame(columns | {"g": np.tile(np.arange(8), 5)})


def _priors(formula: str, data: pd.DataFrame, **priors: str | Prior) -> Priors:
    spec = ModelSpec.from_formula(formula, priors={key.replace("__", "["): text for key, text in priors.items()})
    return resolve_priors(spec, build_design(spec, data))


def test_a_column_called_like_a_parameter_is_addressed_in_full(data: pd.DataFrame) -> None:
    formula = "y ~ x + sigma + (x | g)"
    assert _priors(formula, data, sigma="HalfNormal(3)").given == {"sigma"}
    assert _priors(formula, data, **{"beta[sigma]": "Normal(0, 7)"}).given == {"beta[sigma]"}
    assert _priors(formula, data, **{"beta[sigma]": "Normal(0, 7)", "sigma": "HalfNormal(3)"}).given == {
        "beta[sigma]",
        "sigma",
    }


@pytest.mark.parametrize("column", ["beta", "sd", "sd_g", "corr"])
def test_a_key_that_means_two_things_is_refused(column: str, data: pd.DataFrame) -> None:
    prior = "LKJ(3)" if column == "corr" else "HalfNormal(3)"
    formula = f"y ~ x + {column} + (x | g)"
    with pytest.raises(SpecError, match=rf"'{column}' is ambiguous.*Write 'beta\[{column}\]' for the coefficient"):
        _priors(formula, data, **{column: prior})
    coefficient = f"beta[{column}]"
    alone = _priors(formula, data, **{coefficient: "Normal(0, 7)"})
    assert alone.given == {coefficient}
    both = _priors(formula, data, **{coefficient: "Normal(0, 7)", column: prior})
    assert str(both[coefficient]) == "Normal(0, 7)"
    others = {name for name in both.given if name != coefficient}
    assert (
        others
        == {
            "beta": {"beta[x]"},
            "sd": {"sd_g[Intercept]", "sd_g[x]"},
            "sd_g": {"sd_g[Intercept]", "sd_g[x]"},
            "corr": {"corr_g"},
        }[column]
    )
    assert all(str(both[name]) == prior for name in others)


def test_a_key_whose_meanings_are_one_coefficient_is_that_coefficient(data: pd.DataFrame) -> None:
    assert _priors("y ~ beta", data, beta="Normal(0, 7)").given == {"beta[beta]"}
    with pytest.raises(SpecError, match=r"'beta' is ambiguous"):
        _priors("y ~ beta + x", data, beta="Normal(0, 7)")


@pytest.mark.parametrize("text", ["DiracDelta(1)", "TruncatedNormal(0, -1, lower=0)", "Poisson(3)"])
def test_priors_without_a_density_are_refused(text: str, data: pd.DataFrame) -> None:
    with pytest.raises(SpecError, match=r"The prior .* is not "):
        _priors("y ~ x", data, x=text)


@pytest.mark.parametrize(
    ("priors", "words"),
    [
        ({"x": "Normal(0, 1)", "beta[x]": "Normal(0, 2)"}, "'x' and 'beta[x]' are one parameter"),
        ({"Intercept": "Normal(0, 1)", "beta[Intercept]": "Normal(0, 1)"}, "are one parameter"),
        ({"corr_g": "LKJ(2)"}, "no parameter 'corr_g'"),
        ({"corr": "LKJ(2)"}, "no parameter 'corr'"),
        ({"beta[z]": "Normal(0, 1)"}, "no parameter 'beta[z]'"),
        ({"sd_h": "HalfNormal(1)"}, "no parameter 'sd_h'"),
        ({"nu": "Gamma(2, 1)"}, "no parameter 'nu'"),
        ({"": "Normal(0, 1)"}, "no parameter ''"),
    ],
)
def test_keys_that_address_nothing_or_the_same(priors: dict[str, str], words: str, data: pd.DataFrame) -> None:
    with pytest.raises(SpecError) as caught:
        _priors("y ~ x + (x || g)", data, **priors)
    assert words in str(caught.value)


PROOF = """
import sys
import pandas as pd
import bayes_glmm as bg
data = pd.DataFrame({"y": [1.0, 2.0, 4.0, 3.5] * 3, "x": [0, 1, 2, 3] * 3, "g": [1, 1, 2, 2, 3, 3] * 2})
bg.GLMM("y ~ x + (x | g)", data, priors={"x": "Laplace(0, 1)", "sd": "HalfCauchy(1)"})
for prior in ("Normal(0, -1)", "Cauchy(0)", "normal(0, 1)", "Uniform(2, 1)"):
    try:
        bg.GLMM("y ~ x + (x | g)", data, priors={"x": prior})
    except bg.SpecError:
        continue
    raise SystemExit(f"{prior} is accepted")
assert "pymc" not in sys.modules
"""


def test_usual_priors_are_checked_without_pymc() -> None:
    done = subprocess.run([sys.executable, "-c", PROOF], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_message_is_the_same_in_the_model(data: pd.DataFrame) -> None:
    from bayes_glmm.model.variables import scalar_variable

    for text, support in (("Normal(0, -1)", "real"), ("Cauchy(0, 1)", "positive"), ("Gumbel(0, 1)", "positive")):
        parameter = "beta[x]" if support == "real" else "sigma"
        with pytest.raises(SpecError) as early:
            _priors("y ~ x", data, **{parameter: text})
        with pytest.raises(GLMMError) as late:
            scalar_variable(parameter, Prior.parse(text), support)  # type: ignore[arg-type]
        assert str(early.value) == str(late.value)
