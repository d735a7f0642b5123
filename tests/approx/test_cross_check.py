"""The posterior beside other methods: the numbers are theirs, the sentences follow from the numbers."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

import bayes_glmm as bg
from bayes_glmm.approx import cross_check
from bayes_glmm.approx.cross_check import LARGEST, METHODS, POSTERIOR, CrossCheck
from bayes_glmm.posterior import Posterior, posterior_at
from bayes_glmm.report.sections.cross_check import render_cross_check
from tests.diagnostics import made_up
from tests.report.page import case


@pytest.fixture(scope="module")
def abortion() -> Posterior:
    formula = "response ~ situation + gender + (1 | person)"
    model = bg.GLMM(formula, bg.datasets.abortion(), family="bernoulli")
    return bg.approx.laplace_posterior(model, draws=200, nodes=50)


@pytest.fixture(scope="module")
def found(abortion: Posterior) -> CrossCheck:
    return cross_check(abortion)


def estimate(found: CrossCheck, method: str, effect: str, parameter: str) -> float:
    wide = found.wide().set_index(["effect", "parameter"])
    return float(wide[method].to_dict()[effect, parameter])


def test_numbers_are_those_of_the_methods(abortion: Posterior, found: CrossCheck) -> None:
    laplace, gee = bg.approx.laplace(abortion), bg.approx.gee(abortion)
    name = "situation[poor]"
    place = abortion.design.coefficients.index(name)
    assert laplace.beta[place] == estimate(found, "Laplace", "conditional", name)
    assert gee.beta[place] == estimate(found, "GEE", "population-averaged", name)
    assert laplace.sd("person")[0] == estimate(found, "Laplace", "sd of person", "Intercept")
    marginal = laplace.marginal_coefficients().table.set_index(["coefficient", "effect"])["estimate"]
    averaged = estimate(found, "Laplace", "population-averaged", name)
    assert marginal[name, "population-averaged"] == pytest.approx(averaged, rel=1e-9)
    assert float(np.median(abortion.beta[:, place])) == pytest.approx(
        estimate(found, POSTERIOR, "conditional", name), rel=1e-12
    )
    by_method = found.methods.set_index("method")
    assert laplace.log_likelihood == by_method.loc["Laplace", "log_likelihood"]
    # lme4 with 100 nodes; 25 give -2286.4, which the message of aghq warns of
    assert -2289.25 == pytest.approx(by_method.loc["AGHQ", "log_likelihood"], abs=0.01)


def test_sentences_of_few_binary_rows_a_group(found: CrossCheck) -> None:
    text = "\n".join(found.sentences)
    assert "AGHQ and GEE agree with the posterior" in text
    assert "5.63 by Laplace, 36% below that by AGHQ, 8.75: about 3 binary responses a level of person" in text
    assert "74% below that by AGHQ" in text
    assert "it is biased towards 0" in text
    assert str(found).endswith(found.sentences[-1])


def test_where_all_agree_it_says_so_and_nothing_else() -> None:
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(40), 50), rng.normal(size=2000)
    data = pd.DataFrame({"y": rng.normal(size=40)[g] + x + rng.normal(size=2000), "x": x, "g": g})
    found = cross_check(bg.approx.laplace_posterior(bg.GLMM("y ~ x + (1 | g)", data), draws=1000))
    assert found.sentences[0].startswith("Laplace, AGHQ, PQL and GEE agree with the posterior")
    assert len(found.sentences) == 2  # and what GEE is to be compared with


def test_a_method_that_cannot_is_there_with_its_reason() -> None:
    rng = np.random.default_rng(2)
    found = cross_check(case("beta", "y ~ x + (1 | g) + (1 | h)", h=rng.integers(0, 5, 48)))
    notes = found.methods.set_index("method")["note"]
    assert "crossed" in notes["AGHQ"]
    assert "no beta family" in notes["PQL"]
    assert {POSTERIOR, "Laplace"} == set(found.table["method"])
    assert [POSTERIOR, *(method.name for method in METHODS)] == list(found.methods["method"])


def test_models_with_several_formulas_have_laplace_and_quadrature() -> None:
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(12), 8)
    y = rng.normal(size=12)[g] + np.exp(0.3 * (g % 2)) * rng.normal(size=96)
    data = pd.DataFrame({"y": y, "x": g % 2, "g": g})
    posterior = bg.approx.laplace_posterior(bg.GLMM(["y ~ 1 + (1 | g)", "sigma ~ x"], data), draws=100)
    found = cross_check(posterior)
    assert ["Laplace", "AGHQ"] == [method.name for method in found.used]
    assert ("PQL", "GEE") == found.left_out
    notes = found.methods.set_index("method")["note"]
    assert "takes one linear predictor" in notes["PQL"]
    assert "takes one linear predictor" in notes["GEE"]
    # effects in the mean of a Gaussian response have their integral exactly
    assert estimate(found, "Laplace", "sd of g", "Intercept") == pytest.approx(
        estimate(found, "AGHQ", "sd of g", "Intercept"), rel=1e-5
    )
    text = str(render_cross_check(posterior))
    assert "without the priors: maximum likelihood by the Laplace approximation and maximum likelihood by" in text
    assert "No estimates by PQL and GEE" in text
    assert "penalised" not in text.split("Notes on each method")[0]


def test_a_method_that_would_take_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = replace(METHODS[0], cells=lambda model: LARGEST + 1)
    monkeypatch.setattr(import_module("bayes_glmm.approx.cross_check"), "METHODS", (slow,))
    found = cross_check(case("poisson"))
    assert "longer than about 10 s" in found.methods["note"].iloc[1]
    assert {POSTERIOR} == set(found.table["method"])


def test_where_no_population_averaged_mean_exists() -> None:
    table = cross_check(case("gamma", link="inverse")).table
    assert not ((table["effect"] == "population-averaged") & (table["method"] != "GEE")).any()


def test_a_posterior_of_one_draw_is_compared_without_a_sd() -> None:
    posterior = made_up.good("poisson")
    one = posterior_at(posterior.spec, posterior.design.data, posterior.beta[0], {"g": posterior.G("g")[0]})
    found = cross_check(one)
    assert not any("posterior sds" in sentence for sentence in found.sentences)
