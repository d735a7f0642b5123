"""A config file in, one record out; whatever is wrong becomes one error with the line and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bayes_glmm.errors import ConfigError
from bayes_glmm.inference import Settings
from bayes_glmm.runs.config import config_text, read_config
from bayes_glmm.spec import ModelSpec

GOOD = """\
title: A trial
data:
  dataset: clinics
model:
  formula: p(favourable, n) ~ treatment + (1 | clinic)
  family: binomial
  priors:
    beta: Normal(0, 2)
sampler:
  draws: 500
effects:
  - compare: treatment
outputs:
  folder: runs/trial
"""


@pytest.fixture
def write(tmp_path):
    def to_file(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def error_of(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(path, {"sampler": {"tune": 10}})
    return str(caught.value)


def test_a_good_file_is_read_and_defaults_filled_in(write):
    config, document = read_config(write(GOOD))
    assert config.sampler.draws == 500
    assert config.sampler.model_dump() | {"draws": Settings.draws} == {
        name: getattr(Settings(), name) for name in config.sampler.model_dump()
    }
    assert config.effects is not None
    assert config.effects[0].random_effects == ["integrated", "zero"]
    assert document.line("model", "priors", "beta") == 8


def test_a_model_in_parts_has_what_stands_beside_the_response(write):
    parts = "  response: weeks\n  cens: censored\n  trunc: ub=40\n  fixed: treatment\n  family: weibull\n"
    config, _ = read_config(write(f"data:\n  dataset: leukaemia\nmodel:\n{parts}"))
    formula = ModelSpec.from_dict(config.model.model_dump(exclude_none=True)).formula
    assert str(formula) == "weeks | cens(censored) + trunc(ub=40) ~ treatment"


def test_a_config_written_out_is_the_same_config(write, tmp_path):
    config, _ = read_config(write(GOOD))
    again = tmp_path / "again.yaml"
    again.write_text(config_text(config))
    assert read_config(again)[0] == config


def test_overrides_replace_values_of_the_file(write):
    config, _ = read_config(write(GOOD), {"sampler": {"draws": 7, "seed": 3}, "outputs": {"folder": "x"}})
    assert (config.sampler.draws, config.sampler.seed, config.outputs.folder) == (7, 3, "x")
    assert config.sampler.tune == Settings.tune


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("family: binomial", "familly: binomial", 6, "'model' has no key 'familly'. Did you mean 'family'?"),
        ("sampler:", "samplers:", 9, "The file has no section 'samplers'. Did you mean 'sampler'?"),
        ("dataset: clinics", "dataset: clinics\n  draws: 5", 4, "'data' has no key 'draws'. Move it under 'sampler'."),
        ("draws: 500", 'draws: "500"', 10, "sampler.draws should be a valid integer, found '500'."),
        ("draws: 500", "draws: 0", 10, "sampler.draws should be greater than or equal to 1, found 0."),
        ("draws: 500", "target_accept: 1", 10, "sampler.target_accept should be less than 1, found 1."),
        ("Normal(0, 2)", "2", 8, "model.priors.beta should be text, found 2. Put it in quotes."),
        ("dataset: clinics", "missing: drop", 2, "data needs either 'dataset' or 'file'."),
        ("dataset: clinics", "dataset: clinics\n  file: a.csv", 2, "data needs either 'dataset' or 'file'."),
        ("data:\n", "data:\n  missing: dropp\n", 3, "data.missing cannot be 'dropp'. Did you mean 'drop'?"),
        ("family: binomial", "response: y", 4, "model has both 'formula' and 'response'"),
        ("formula: p(favourable, n) ~ treatment + (1 | clinic)", "fixed: x", 4, "model needs a 'formula'"),
        ("compare: treatment", "compares: treatment", 12, "'effects' has no key 'compares'. Did you mean 'compare'?"),
        ("compare: treatment", "{compare: treatment, slopes: n}", 12, "effects needs exactly one of"),
        ("compare: treatment", "{slopes: treatment, contrast: sd}", 12, "effects takes 'contrast' with 'compare' only"),
        ("compare: treatment", "{predict: {treatment: drug}, by: n}", 12, "effects takes no 'by' with 'predict'"),
        ("compare: treatment", "treatment", 12, "effects should be a section with keys, found 'treatment'. Valid:"),
        ("sampler:\n  draws: 500", "sampler: 500", 9, "sampler should be a section with keys, found 500. Valid: draws"),
        ("sampler:\n  draws: 500", "sampler:", 9, "sampler should be a section with keys, found None. Valid: draws"),
        ("folder: runs/trial", "folder: [a]", 14, "outputs.folder should be text, found ['a']."),
        ("folder: runs/trial", "report: 'yes'", 14, "outputs.report should be a valid boolean, found 'yes'."),
        ("data:\n  dataset: clinics\n", "", 1, "The key 'data' is missing."),
    ],
)  # fmt: skip
def test_one_thing_wrong_is_said_with_its_line(write, old, new, line, message):
    assert old in GOOD
    path = write(GOOD.replace(old, new, 1))
    found = error_of(path)
    assert f"[{path}, line {line}]" in found
    assert message in found.replace(f"[{path}, line {line}] ", "")


def test_all_that_is_wrong_is_said_at_once_in_order(write):
    found = error_of(write(GOOD.replace("draws: 500", "draws: x\n  seed: -1").replace("family:", "famili:")))
    assert "has 3 errors" in found
    assert [int(line) for line in re.findall(r"line (\d+):", found)] == [6, 10, 11]


def test_a_dotted_line_in_a_list_of_random_terms(write):
    text = GOOD.replace(
        "formula: p(favourable, n) ~ treatment + (1 | clinic)",
        "response: favourable\n  trials: n\n  random:\n    - {effects: 1, group: clinic, corelated: true}",
    )
    found = error_of(write(text))
    assert "line 8" in found
    assert "Did you mean 'correlated'" in found


def test_model_in_parts_takes_numbers_as_formula_text(write):
    text = GOOD.replace(
        "formula: p(favourable, n) ~ treatment + (1 | clinic)",
        "response: favourable\n  trials: 12\n  fixed: 1\n  random: [{effects: 1, group: clinic}]",
    )
    model = read_config(write(text))[0].model
    assert (model.trials, model.fixed) == ("12", "1")
    assert model.random is not None
    assert model.random[0].effects == "1"


def test_scores_of_categories_are_a_part(write):
    text = GOOD.replace("  - compare: treatment\n", "  - compare: treatment\n    part: {low: 0, high: 2.5}\n")
    config, _ = read_config(write(text))
    assert config.effects is not None
    assert config.effects[0].part == {"low": 0.0, "high": 2.5}
    assert "line 13" in error_of(write(text.replace("2.5", "much")))
