"""Config files and data files that attack, never end or are damaged: one ConfigError, and nothing else is touched."""
# ruff: noqa: E501  one case a line

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from bayes_glmm.datasets import clinics
from bayes_glmm.errors import ConfigError
from bayes_glmm.runs.config import read_config
from bayes_glmm.runs.data import data_path, read_data
from tests.hostile.cases import refused, within

GOOD = """\
data:
  file: clinics.csv
model:
  formula: p(favourable, n) ~ treatment + (1 | clinic)
  family: binomial
"""
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
MERGES = "a0: &a0 {k: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 30))


class Touch:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


TEXTS = [
    # tags reach no Python
    ("call", GOOD + "title: !!python/object/apply:os.system ['touch pwned']\n", "constructor for the tag"),
    ("object", GOOD + "title: !!python/object:os.stat_result {}\n", "constructor for the tag"),
    ("new object", GOOD + "title: !!python/object/new:os.stat_result []\n", "constructor for the tag"),
    ("name", GOOD + "title: !!python/name:os.system\n", "constructor for the tag"),
    ("module", GOOD + "title: !!python/module:os\n", "constructor for the tag"),
    ("tuple", GOOD + "title: !!python/tuple [1]\n", "constructor for the tag"),
    ("renamed tag", "%TAG ! tag:yaml.org,2002:python/\n---\n" + GOOD + "title: !object/apply:os.system ['true']\n", "constructor"),
    ("long tag", GOOD + "title: !<tag:yaml.org,2002:python/name:os.system> ''\n", "constructor for the tag"),
    ("unknown tag", GOOD + "title: !secret x\n", "constructor for the tag"),
    ("bytes", GOOD + "title: !!binary aGVsbG8=\n", "constructor for the tag"),
    ("set", "!!set\n" + GOOD, "constructor for the tag"),
    ("time", GOOD + "title: !!timestamp 2020-13-45\n", "constructor for the tag"),
    ("a tag that does not fit", GOOD + "sampler: {draws: !!int many}\n", "does not fit its tag, 'int'. [{path}, line 6"),
    ("a truth value that is none", GOOD + "outputs: {report: !!bool 7}\n", "does not fit its tag"),
    ("a float that is none", GOOD + "sampler: {target_accept: !!float x}\n", "does not fit its tag"),
    # what never ends
    ("aliases of aliases", LAUGHS + GOOD + "title: *a29\n", "aliases of aliases"),
    ("aliases of aliases that nothing uses", GOOD + LAUGHS, "aliases of aliases"),
    ("merges of merges", MERGES + GOOD, "aliases of aliases"),
    ("alias of itself", GOOD + "title: &t [*t]\n", "title should be text"),
    ("mapping of itself", GOOD + "sampler: &t {draws: *t}\n", "sampler.draws should be a valid integer"),
    ("brackets", GOOD + f"title: {'[' * 20000}\n", "levels deep"),
    ("braces", GOOD + f"title: {'{a: ' * 20000}\n", "levels deep"),
    ("indents", GOOD + "title:\n" + "".join(f"{' ' * i}a:\n" for i in range(1, 2000)), "levels deep"),
    ("dashes", GOOD + f"title:\n  {'- ' * 20000}x\n", "levels deep"),
    ("number of 5,000 digits", GOOD + f"sampler: {{draws: {'9' * 5000}}}\n", "does not fit its tag"),
    ("draws without end", GOOD + "sampler: {draws: 1000000000000}\n", "less than or equal to 1000000"),
    ("chains without end", GOOD + "sampler: {chains: 1000000000}\n", "less than or equal to 1000"),
    ("trees without end", GOOD + "sampler: {max_treedepth: 1000}\n", "less than or equal to 30"),
    ("seed beyond 32 bits", GOOD + f"sampler: {{seed: {2**80}}}\n", "less than or equal to 4294967295"),
    ("not a number", GOOD + "sampler: {target_accept: .nan}\n", "should be less than 1, found nan"),
    # keys and documents
    ("a key twice", GOOD + "model: {}\n", "'model' stands twice. [{path}, line 6; first on line 3]"),
    ("a key twice, deep", GOOD + "sampler:\n  draws: 1\n  draws: 2\n", "'draws' stands twice"),
    ("a key twice, in quotes", GOOD + "'model': {}\n", "stands twice"),
    ("a number for a key", GOOD + "1: 2\n", "The key '1' is not text. [{path}, line 6]"),
    ("nothing for a key", GOOD + "~: 2\n", "is not text"),
    ("a truth value for a key", GOOD + "true: 2\n", "is not text"),
    ("a list for a key", GOOD + "? [a]\n: 2\n", "A key is not a word"),
    ("two documents", GOOD + "---\ntitle: x\n", "another document"),
    ("a list", "- a\n", "holds no keys"),
    ("a word", "word", "holds no keys"),
    ("nothing", "", "holds no keys"),
    ("a comment", "# word\n", "holds no keys"),
    # characters
    ("tabs", GOOD + "sampler:\n\tdraws: 1\n", "cannot start any token. [{path}, line 7"),
    ("NUL", GOOD + "title: a\x00b\n", "not valid YAML"),
    ("NUL by escape", GOOD + 'title: "a\\0b"\n', "no file can. [{path}, line 6]"),
    ("NUL in a path", GOOD + 'outputs: {folder: "a\\0b"}\n', "no file can"),
    ("half a character", GOOD + 'title: "\\ud800"\n', "no file can"),
    ("terminal codes", GOOD + "title: a\x1b[31m\n", "not valid YAML"),
    ("terminal codes in a key", GOOD + 'sampler: {"\\e[31mx": 1}\n', "no key '\\x1b[31mx'"),
    ("a line turned round", GOOD + "\u202esampler: {}\n", r"'\u202esampler'"),
]  # fmt: skip

BYTES = [
    ("UTF-16", GOOD.encode("utf-16"), "Save it as UTF-8"),
    ("UTF-16 without a mark", GOOD.encode("utf-16-le"), "not valid YAML"),
    ("Latin-1", (GOOD + "title: ü\n").encode("latin-1"), "Save it as UTF-8"),
    ("noise", bytes(range(256)) * 10, "Save it as UTF-8"),
    ("a pickle", pickle.dumps(Touch(Path("pwned"))), "Save it as UTF-8"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good table, and the current one."""
    monkeypatch.chdir(tmp_path)
    clinics().to_csv(tmp_path / "clinics.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(("name", "text", "words"), [*TEXTS, *BYTES], ids=[name for name, *_ in [*TEXTS, *BYTES]])
def test_configs(folder: Path, name: str, text: str | bytes, words: str) -> None:
    path = folder / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with within(20):
        refused(lambda: read_config(path), ConfigError, words.replace("{path}", str(path)))
    assert {"clinics.csv", "config.yaml"} == {other.name for other in folder.iterdir()}


def test_what_looks_strange_and_is_right(folder: Path) -> None:
    path = folder / "config.yaml"
    strange = GOOD + 'title: &t "{{ 7*7 }} !!python/name:os.system \'; $(ls) <b>"\nsampler: {<<: {draws: 7}, seed: 3}\n'
    path.write_bytes(b"\xef\xbb\xbf" + strange.replace("\n", "\r\n").encode())
    config, _ = read_config(path)
    assert config.title == "{{ 7*7 }} !!python/name:os.system '; $(ls) <b>"
    assert (config.sampler.draws, config.sampler.seed) == (7, 3)


@pytest.mark.parametrize(
    "name", ["nothing.yaml", "", "folder.yaml", "a" * 5000, "loop.yaml", "broken.yaml", "clinics.csv/x.yaml"]
)
def test_config_files_that_are_none(folder: Path, name: str) -> None:
    (folder / "folder.yaml").mkdir()
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    (folder / "broken.yaml").symlink_to(folder / "gone")
    refused(lambda: read_config(folder / name), ConfigError, "no such config file")


CSV = clinics().to_csv(index=False)
TABLES = [
    ("folder.csv", None, "A folder stands in place"),
    ("pipe.csv", None, "no such data file"),
    ("loop.csv", None, "no such data file"),
    ("broken.csv", None, "no such data file"),
    ("~nobody/clinics.csv", None, "no such data file"),
    ("http://localhost/clinics.csv", None, "no such data file"),
    ("a" * 5000 + ".csv", None, "no such data file"),
    ("clinics.csv/clinics.csv", None, "no such data file"),
    ("/dev/zero", None, "format of the file is not known"),
    ("clinics.pkl", pickle.dumps(Touch(Path("pwned"))), "format of the file is not known"),
    ("''", None, "format of the file is not known"),
    ("pickle.csv", pickle.dumps(Touch(Path("pwned"))), "The file is not UTF-8"),
    ("pickle.parquet", pickle.dumps(Touch(Path("pwned"))), "cannot be read as a table"),
    ("empty.csv", b"", "cannot be read as a table"),
    ("empty.parquet", b"", "cannot be read as a table"),
    ("not.csv.gz", CSV.encode(), "cannot be read as a table"),
    ("noise.csv", bytes(range(128, 256)), "The file is not UTF-8"),
    ("ragged.csv", (CSV + "1,2,3,4,5,6,7\n").encode(), "A line has 7 fields, the header has 4"),
    ("quote.csv", (CSV + '"open\n').encode(), "cannot be read as a table"),
    ("long.csv", b"a" * 1_000_000 + b"\n1\n", "cannot be read as a table"),
    ("wide.csv", (",".join(f"c{i}" for i in range(1_000_000)) + "\n" + ",".join(["1"] * 1_000_000)).encode(), "has 1,000,000 columns"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "words"), TABLES, ids=[name[:20] for name, *_ in TABLES])
def test_data_files(folder: Path, name: str, content: bytes | None, words: str) -> None:
    (folder / "folder.csv").mkdir()
    os.mkfifo(folder / "pipe.csv")
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    (folder / "broken.csv").symlink_to(folder / "gone.csv")
    if content is not None:
        (folder / name).write_bytes(content)
    (folder / "config.yaml").write_text(GOOD.replace("clinics.csv", name))
    config, document = read_config(folder / "config.yaml")
    with within(20):
        refused(lambda: read_data(config.data, document), ConfigError, words)
    assert not (folder / "pwned").exists()


@pytest.mark.parametrize(
    "name", ["../clinics.csv", "{folder}/clinics.csv", "sub/../../clinics.csv", "link.csv", "./../clinics.csv"]
)
def test_data_files_lie_where_the_config_says(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = folder / "configs"
    (here / "sub").mkdir(parents=True)
    (here / "link.csv").symlink_to(folder / "clinics.csv")
    (here / "config.yaml").write_text(GOOD.replace("clinics.csv", name.replace("{folder}", str(folder))))
    monkeypatch.chdir("/")
    config, document = read_config(here / "config.yaml")
    assert (folder / "clinics.csv").samefile(data_path(config.data, document))
    assert clinics().shape == read_data(config.data, document).shape


def test_text_of_a_table_that_a_spreadsheet_would_run_is_text(folder: Path) -> None:
    (folder / "clinics.csv").write_text("\ufeff" + CSV.replace("drug", "=cmd|' /C calc'!A0"), encoding="utf-8")
    (folder / "config.yaml").write_text(GOOD)
    table = read_data(*_sections(folder))
    assert {"control", "=cmd|' /C calc'!A0"} == set(table["treatment"])
    assert list(clinics().columns) == list(table.columns)


def test_a_column_that_stands_twice_in_a_table_is_not_renamed_in_silence(folder: Path) -> None:
    doubled = "\n".join(f"{line},{line.rsplit(',', 1)[1]}" for line in CSV.splitlines())
    (folder / "clinics.csv").write_text(doubled)
    (folder / "config.yaml").write_text(GOOD + "")
    assert ["clinic", "treatment", "favourable", "n", "n"] == list(read_data(*_sections(folder)).columns)


def _sections(folder: Path):
    config, document = read_config(folder / "config.yaml")
    return config.data, document
