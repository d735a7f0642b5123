"""Everything that can be wrong with a config, its data, its model and its priors is found before sampling."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from bayes_glmm.datasets import clinics
from bayes_glmm.errors import ConfigError
from bayes_glmm.runs.job import prepare

CLINICS = """\
data:
  file: clinics.csv
  categories:
    treatment: [control, drug]
model:
  formula: p(favourable, n) ~ treatment + (1 | clinic)
  family: binomial
  link: logit
  priors:
    sd: HalfNormal(1)
    beta: Normal(0, 2)
sampler:
  draws: 100
  engine: nutpie
effects:
  - compare: treatment
  - predict: {treatment: [control, drug]}
"""


@pytest.fixture
def write(tmp_path):
    clinics().to_csv(tmp_path / "clinics.csv", index=False)

    def to_file(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


def test_a_good_config_becomes_a_job(write, tmp_path):
    job = prepare(write(CLINICS))
    assert job.design.coefficients == ("Intercept", "treatment[drug]")
    assert str(job.priors["sd_clinic[Intercept]"]) == "HalfNormal(1)"
    assert job.settings.draws == 100
    assert [effect.kind for effect in job.effects] == ["compare", "predict"]
    assert (job.title, job.folder) == ("config", Path("runs/config"))


def test_without_effects_every_fixed_variable_is_compared(write):
    text = CLINICS[: CLINICS.index("effects:")].replace("treatment + (1", "treatment + log(n) + (1")
    assert [effect.compare for effect in prepare(write(text)).effects] == ["treatment", "n"]


def test_a_model_without_fixed_variables_has_no_effects_to_ask_for(write):
    assert (
        prepare(
            write(CLINICS[: CLINICS.index("effects:")].replace("~ treatment +", "~").replace("beta:", "Intercept:"))
        ).effects
        == ()
    )


def test_a_mean_that_cannot_be_averaged_is_compared_at_u_0_only(write, tmp_path):
    pd.DataFrame({"y": [1.0, 2.0, 3.0, 5.0], "x": [0, 1, 0, 1], "g": ["a", "a", "b", "b"]}).to_csv(tmp_path / "g.csv")
    text = "data: {file: g.csv}\nmodel: {formula: y ~ x + (1 | g), family: gamma, link: inverse}\n"
    assert [effect.random_effects for effect in prepare(write(text)).effects] == [["zero"]]
    with pytest.raises(ConfigError, match="line 3"):
        prepare(write(text + "effects: [{compare: x}]\n"))


def test_categories_fix_the_reference(write):
    text = CLINICS.replace("[control, drug]", "[drug, control]", 1)
    assert prepare(write(text)).design.coefficients == ("Intercept", "treatment[control]")


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_files_are_read_by_their_ending(write, tmp_path, name):
    if name.endswith("parquet"):
        clinics().to_parquet(tmp_path / name)
    else:
        clinics().to_csv(tmp_path / name, index=False)
    job = prepare(write(CLINICS.replace("clinics.csv", name)))
    expected = clinics()[["favourable", "n", "treatment", "clinic"]]
    pd.testing.assert_frame_equal(
        job.design.data, expected, check_like=True, check_categorical=False, check_dtype=False
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("clinics.csv", "clinic.csv", 2, "no such data file.*Did you mean 'clinics.csv'"),
        ("clinics.csv", "clinics.xls", 2, "format of the file is not known.*csv"),
        ("file: clinics.csv", "dataset: clinic", 2, "no data set 'clinic'.*Did you mean 'clinics'"),
        ("[control, drug]", "[control, drugs]", 4, "no level 'drugs'.*'control', 'drug'"),
        ("[control, drug]", "[control]", 4, "also has the level 'drug'"),
        ("[control, drug]", "[control, drug, drug]", 4, "A level stands twice"),
        ("treatment: [control, drug]\n", "treatmant: [control, drug]\n", 4, "Did you mean 'treatment'"),
        ("~ treatment", "~ treatmant", 6, "no column 'treatmant'.*Did you mean 'treatment'"),
        ("(1 | clinic)", "(1 | clinic", 6, "missing.*Balance the brackets"),
        ("p(favourable, n)", "p(n, favourable)", 6, "number of trials|binomial family needs"),
        ("family: binomial", "family: binomal", 7, "Did you mean 'binomial'"),
        ("family: binomial", "family: bernoulli", 6, "takes no trials"),
        ("link: logit", "link: logitt", 8, "Did you mean 'logit'"),
        ("link: logit", "link: inverse", 8, "does not take the link"),
        ("HalfNormal(1)", "HalfNormal(1", 10, "cannot be read"),
        ("HalfNormal(1)", "HalfNormall(1)", 10, "Did you mean 'HalfNormal'"),
        ("HalfNormal(1)", "Normal(0, 1)", 10, "allows negative values"),
        ("HalfNormal(1)", "HalfNormal(scale=1)", 10, "is not valid: HalfNormal has no argument"),
        ("sd: Half", "sdd: Half", 10, "no parameter 'sdd'.*Did you mean 'sd'"),
        ("beta: Normal(0, 2)", "treatment: Normal(0, 2)", 11, "no parameter 'treatment'"),
        ("engine: nutpie", "engine: nutpy", 14, "Did you mean 'nutpie'"),
        ("- compare: treatment", "- compare: treatmant", 16, "Did you mean 'treatment'"),
        ("- compare: treatment", "- {compare: treatment, by: age}", 16, "no column 'age'"),
        ("- compare: treatment", "- {compare: treatment, contrast: [control, drugs]}", 16, "Did you mean 'drug'"),
        ("- compare: treatment", "- {compare: treatment, contrast: pairwize}", 16, "Did you mean 'pairwise'"),
        ("- compare: treatment", "- {compare: treatment, random_effects: zeros}", 16, "Did you mean 'zero'"),
        ("- compare: treatment", "- {compare: treatment, keep: clinics}", 16, "Did you mean 'clinic'"),
        ("- compare: treatment", "- slopes: treatment", 16, "categorical and has no slope"),
        ("{treatment: [control, drug]}", "{treatment: [control, drugs]}", 17, "Did you mean 'drug'"),
        ("{treatment: [control, drug]}", "{clinic: 9}\n    random_effects: known", 17, "has not seen clinic '9'"),
        ("predict: {treatment:", "predict: {treatmant:", 17, "Did you mean 'treatment'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(write, old, new, line, message):
    assert old in CLINICS
    with pytest.raises(ConfigError, match="(?s)" + message) as caught:
        prepare(write(CLINICS.replace(old, new, 1)))
    assert re.search(rf"config\.yaml, line {line}\b", str(caught.value)), str(caught.value)


def test_a_damaged_file_is_not_a_traceback(write, tmp_path):
    for name in ("bad.csv", "bad.csv.gz", "bad.parquet"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(ConfigError, match="cannot be read as a table"):
            prepare(write(CLINICS.replace("clinics.csv", name)))


def test_missing_values_stop_unless_dropped(write, tmp_path):
    table = clinics()
    table.loc[3, "favourable"] = None
    table.to_csv(tmp_path / "clinics.csv", index=False)
    with pytest.raises(ConfigError, match=r"line 6.*favourable.*row 3"):
        prepare(write(CLINICS))
    job = prepare(write(CLINICS.replace("model:", "  missing: drop\nmodel:", 1)))
    assert job.design.dropped == 1
