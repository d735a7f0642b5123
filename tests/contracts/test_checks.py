"""Every check of CHECKS: it passes a good posterior and finds what is wrong with a broken one."""

from __future__ import annotations

import json

import pytest

from bayes_glmm.diagnostics import CHECKS, Check, CheckEntry
from bayes_glmm.posterior import Posterior
from tests.diagnostics import made_up

FAMILIES = ("gaussian", "poisson", "binomial", "bernoulli", "exponential", "cumulative")
SEVERITY = ["pass", "look", "fail"]
each_check = pytest.mark.parametrize("entry", CHECKS, ids=[entry.name for entry in CHECKS])


Answers = dict[str, dict[str, Check]]  # by check, by family


def answers_about(posteriors: dict[str, Posterior]) -> Answers:
    found = {e.name: {family: e.function(posterior) for family, posterior in posteriors.items()} for e in CHECKS}
    return {name: {f: answer for f, answer in row.items() if isinstance(answer, Check)} for name, row in found.items()}


@pytest.fixture(scope="module")
def good() -> Answers:
    return answers_about({family: made_up.good(family) for family in FAMILIES})


@pytest.fixture(scope="module")
def broken() -> Answers:
    found = answers_about({family: made_up.broken(family) for family in FAMILIES})
    few = made_up.few_levels()
    return found | {"findings": answers_about({few.spec.family_name: few})["findings"]}


@each_check
def test_passes_a_good_posterior(entry: CheckEntry, good: Answers) -> None:
    found = good[entry.name]
    assert found, "no family has evidence for this check: add one that has to the made-up posteriors"
    assert dict.fromkeys(found, "pass") == {family: answer.verdict for family, answer in found.items()}
    assert all(not answer.advice and not answer.failing for answer in found.values())


@each_check
def test_finds_what_is_wrong_and_says_what_to_do(entry: CheckEntry, broken: Answers) -> None:
    for family, answer in broken[entry.name].items():
        assert SEVERITY.index(answer.verdict) > 0, family
        assert answer.failing
        assert all(sentence.endswith(".") for sentence in answer.advice)
        assert answer.advice


@each_check
def test_the_record_is_whole(entry: CheckEntry, broken: Answers) -> None:
    for answer in broken[entry.name].values():
        assert entry.name == answer.name
        assert answer.source
        values = answer.evidence["value"]
        worst_first = values if answer.better == "above" else -values
        assert worst_first.is_monotonic_increasing
        assert (answer.verdict == "pass") == (
            answer.value <= answer.threshold if answer.better == "below" else answer.value >= answer.threshold
        )
        plain = answer.to_dict()
        assert plain == json.loads(json.dumps(plain, allow_nan=False))


def test_names_are_unique() -> None:
    assert len({entry.name for entry in CHECKS}) == len(CHECKS)
