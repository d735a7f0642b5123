"""Priors as text: what is written reads back as the same distribution, and nothing written is ever run."""

from __future__ import annotations

import pytest
from hypothesis import example, given

from bayes_glmm.errors import SpecError
from bayes_glmm.spec import Prior
from tests.strategies import priors


@pytest.mark.parametrize(
    ("text", "expected", "printed"),
    [
        ("Normal(0, 2.5)", Prior("Normal", (0, 2.5)), "Normal(0, 2.5)"),
        ("Normal(mu=0, sigma=2.5)", Prior("Normal", (), (("mu", 0), ("sigma", 2.5))), "Normal(mu=0, sigma=2.5)"),
        (" HalfStudentT( 3 , sigma = 2.5 )\n", Prior("HalfStudentT", (3,), (("sigma", 2.5),)), None),
        ("Exponential(1e-3)", Prior("Exponential", (0.001,)), "Exponential(0.001)"),
        ("Normal(-1, 2)", Prior("Normal", (-1, 2)), "Normal(-1, 2)"),
        ("Flat()", Prior("Flat"), "Flat()"),
        ("Dirichlet([1, 2.5])", Prior("Dirichlet", ((1.0, 2.5),)), "Dirichlet([1, 2.5])"),
        ("Normal(0, 0.1234567891234)", Prior("Normal", (0, 0.1234567891234)), "Normal(0, 0.1234567891234)"),
    ],
)
def test_text_to_prior(text: str, expected: Prior, printed: str | None) -> None:
    prior = Prior.parse(text)
    assert prior == expected
    assert str(prior) == (printed or str(expected))
    assert Prior.parse(prior) is prior


@given(priors())
@example(Prior("Normal", (0.1 + 0.2, 1e300)))
@example(Prior("Normal", (10**20 + 1,)))
def test_prior_to_text_to_prior(prior: Prior) -> None:
    assert Prior.parse(str(prior)) == prior


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Normal",
        "Normal(",
        "1",
        "Normal(0 1)",
        "Normal(x)",
        "Normal('1')",
        "Normal(['1'])",
        "Normal(True, 1)",
        "Normal(None, 1)",
        "Normal(1j, 1)",
        "Normal(1e999, 1)",
        "Normal([1, [2]])",
        "Normal({1: 2}, 1)",
        "Normal(1/3, 2)",
        "Normal(*[1])",
        "Normal(**{'mu': 0})",
        "Normal(mu=0, mu=1)",
        "Normal(0, 1)[0]",
        "Normal(0, 1); import os",
        "Normal(0, 1).__class__",
        "Normal((1).__class__, 1)",
        "Normal(Normal(0, 1), 1)",
        "Normal(float('nan'), 1)",
        "Normal(2**99999999999, 1)",
        "__import__('os')",
        "__import__('os').system('true')",
        "os.system('true')",
        "lambda: 0",
        "(lambda mu: mu)(1)",
        "Normal(0\x00, 1)",
        "N" + "(" * 3000,
        None,
        2.5,
    ],
)
def test_hostile_and_wrong_text_is_refused(text: object) -> None:
    with pytest.raises(SpecError, match="prior") as caught:
        Prior.parse(text)  # type: ignore[arg-type]
    assert "Normal(0, 2.5)" in caught.value.advice


def test_a_prior_is_immutable_and_hashable() -> None:
    prior = Prior.parse("Normal(0, 1)")
    with pytest.raises(AttributeError):
        prior.distribution = "Cauchy"  # type: ignore[misc]
    assert {prior: 1}[Prior("Normal", (0, 1))] == 1
