"""Saved posteriors that were tampered with: one DataError, no code of theirs runs, and nothing is ever unpickled."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bayes_glmm as bg
from bayes_glmm.errors import DataError
from bayes_glmm.inference.chains import in_folder
from bayes_glmm.inference.settings import Settings
from bayes_glmm.posterior import load_posterior, posterior_at
from bayes_glmm.spec import ModelSpec
from tests.hostile.cases import frame, refused, watched, within
from tests.hostile.test_configs import Touch

SPEC = ModelSpec.from_formula("y ~ x + f + (1 | g)")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved posterior that is right."""
    posterior = posterior_at(SPEC, frame(), np.zeros((3, 4)), {"g": np.eye(1)}, {"sigma": 1.0})
    return posterior.save(tmp_path_factory.mktemp("good") / "run")


@pytest.fixture
def folder(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it; unpickling is an alarm."""

    def alarm(*arguments: object, **named: object) -> None:
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, alarm)
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(good, tmp_path / "run")


def evil() -> bytes:
    return pickle.dumps(Touch(Path("pwned")))


def test_nothing_is_unpickled(folder: Path) -> None:
    assert SPEC == bg.load(folder).spec  # everything is imported
    with watched() as events:
        bg.load(folder)
    assert not [event for event in events if not event.startswith("open")]


def model(**parts: Any) -> Callable[[dict], Any]:
    return lambda record: record | {"model": record["model"] | parts}


def prior(name: str, text: object) -> Callable[[dict], Any]:
    def edit(record: dict) -> dict:
        return record | {"priors": record["priors"] | {"entries": record["priors"]["entries"] | {name: text}}}

    return edit


def columns(**parts: Any) -> Callable[[dict], Any]:
    def edit(record: dict) -> dict:
        canonical = record["priors"]["canonical"]
        fixed = canonical["fixed"] | {"mu": canonical["fixed"]["mu"] | parts}
        return record | {"priors": record["priors"] | {"canonical": canonical | {"fixed": fixed}}}

    return edit


RECORDS: list[tuple[str, Callable[[dict], Any], str]] = [
    ("no format", lambda r: {k: r[k] for k in r if k != "format"}, "format None"),
    ("another format", lambda r: r | {"format": "1"}, "format '1'"),
    ("no model", lambda r: {k: r[k] for k in r if k != "model"}, "'model' is missing"),
    ("no provenance", lambda r: {k: r[k] for k in r if k != "provenance"}, "'provenance' is missing"),
    ("a list of rows left out", lambda r: r | {"dropped": [1]}, "'dropped' is missing or of another kind"),
    ("a list of priors", lambda r: r | {"priors": ["Normal(0, 1)"]}, "'priors' is missing or of another kind"),
    ("code for a saved prior", prior("sigma", "open('pwned')"), "is not a number"),
    ("a number for a saved prior", prior("sigma", 1), "not a distribution"),
    ("the prior of another parameter", prior("beta[w]", "Normal(0, 1)"), "those of other parameters"),
    ("columns of another size", columns(T=[[1.0]]), "record of the priors"),
    ("text for columns", columns(T="open('pwned')"), "record of the priors"),
    ("no columns", columns(names=None), "record of the priors"),
    ("no priors", lambda r: r | {"priors": {}}, "record of the priors"),
    ("a model that is a list", lambda r: r | {"model": [1]}, "'model' is missing or of another kind"),
    ("a list", lambda r: [1, 2], "not a record"),
    ("pairs", lambda r: [["format", 1], ["model", {}]], "not a record"),
    ("nothing", lambda r: None, "not a record"),
    ("a number", lambda r: float("nan"), "not a record"),
    ("code for a response", model(response="__import__('os').system('touch pwned')"), "operator is missing"),
    ("code for fixed effects", model(fixed="np.load('pwned')"), "cannot call 'np.load'"),
    ("code for an offset", model(offset="open('pwned')"), "cannot call 'open'"),
    ("code for an effect", model(random=[{"effects": "eval(x)", "group": "g"}]), "cannot call 'eval'"),
    ("code for a group", model(random=[{"effects": "1", "group": "os.system(x)"}]), "not a column"),
    ("code for a prior", model(priors={"beta": "__import__('os').system('touch pwned')"}), "not a distribution"),
    ("code for an argument", model(priors={"beta": "Normal(open('pwned'), 1)"}), "not a number"),
    ("another formula inside", model(fixed="x ~ z"), "one '~'"),
    ("a list for a family", model(family=["gaussian"]), "family of a model is text"),
    ("a number for random terms", model(random=3), "random terms are a int"),
    ("text for correlated", model(random=[{"effects": "1", "group": "g", "correlated": "no"}]), "true or false"),
    ("a key that is not known", model(secret=1), "no 'secret'"),
    ("another model", model(fixed="x"), "does not fit the model"),
    ("another group", model(random=[{"effects": "1", "group": "f"}]), "u_f is missing"),
    ("another family", model(family="student_t"), "nu is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "edit", "words"), RECORDS, ids=[name for name, *_ in RECORDS])
def test_model_records(folder: Path, name: str, edit: Callable[[dict], Any], words: str) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
    with within(20):
        refused(lambda: load_posterior(folder), DataError, words)
    assert not Path("pwned").exists()


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"format": ' + "9" * 5000 + "}", "\ud800", "\x00"])
def test_model_records_that_are_no_json(folder: Path, text: str) -> None:
    (folder / "model.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with within(20):
        refused(lambda: load_posterior(folder), DataError, "model.json cannot be read")


def replaced(name: str, values: Any) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file["posterior"][name]
        file["posterior"][name] = values

    return edit


def _external(file: h5py.File, other: str = "/etc/passwd") -> None:
    del file["posterior"]["beta"]
    file["posterior"].create_dataset("beta", shape=(3,), dtype="u1", external=[(other, 0, 3)])


def _linked(file: h5py.File, other: str = "/etc/passwd") -> None:
    del file["posterior"]["beta"]
    file["posterior"]["beta"] = h5py.ExternalLink(other, "/x")


def _virtual(file: h5py.File, other: str = "/etc/passwd") -> None:
    del file["posterior"]["beta"]
    layout = h5py.VirtualLayout(shape=(1, 3, 4), dtype="f8")
    layout[:] = h5py.VirtualSource(other, "x", shape=(1, 3, 4))
    file["posterior"].create_virtual_dataset("beta", layout)


def _soft(file: h5py.File) -> None:
    file["posterior"]["other"] = h5py.SoftLink("/posterior/beta")


def _loop(file: h5py.File) -> None:
    file["posterior"]["loop"] = file["/"]


def _soft_loop(file: h5py.File) -> None:
    file["posterior"]["loop"] = h5py.SoftLink("/posterior/loop")


def _deep(file: h5py.File) -> None:
    group = file["posterior"]
    for _ in range(200):
        group = group.create_group("deeper")


def _unfolds(file: h5py.File) -> None:
    file["posterior"].create_dataset("large", shape=(10**12,), chunks=(1000,), dtype="f8")


def _reference(file: h5py.File) -> None:
    file["posterior"]["other"] = np.array([file["posterior"]["beta"].ref], dtype=h5py.ref_dtype)


def _named_type(file: h5py.File) -> None:
    file["posterior"]["type"] = np.dtype("f8")


def _levels(file: h5py.File) -> None:
    file["posterior"]["g"][0] = "<script>"


DRAWS: list[tuple[str, Callable[[h5py.File], None]]] = [
    ("no posterior", lambda file: file.__delitem__("posterior")),
    ("no beta", lambda file: file["posterior"].__delitem__("beta")),
    ("no effects", lambda file: file["posterior"].__delitem__("u_g")),
    ("no covariance", lambda file: file["posterior"].__delitem__("G_g")),
    ("no labels", lambda file: file["posterior"].__delitem__("coefficient")),
    ("text for numbers", replaced("beta", np.array(["a"], dtype="S1"))),
    ("pickled objects", replaced("beta", np.void(evil()))),
    ("pickled objects in an array", replaced("beta", np.frombuffer(evil()[: len(evil()) // 8 * 8], dtype="V8"))),
    ("another shape", replaced("beta", np.zeros((1, 3, 9)))),
    ("another file's bytes", _external),
    ("another file's array", _linked),
    ("a virtual array", _virtual),
    ("a soft link", _soft),
    ("groups that hold each other", _loop),
    ("a link to itself", _soft_loop),
    ("groups without end", _deep),
    ("an array larger than any memory", _unfolds),
    ("references", _reference),
    ("a named type", _named_type),
    ("other levels", _levels),
    ("a unit of time", lambda file: file["posterior"]["beta"].attrs.__setitem__("units", "days since 1e400")),
]


@pytest.mark.parametrize(("name", "edit"), DRAWS, ids=[name for name, _ in DRAWS])
def test_draws(folder: Path, name: str, edit: Callable[[h5py.File], None]) -> None:
    with h5py.File(folder / "draws.nc", "r+") as file:
        edit(file)
    with within(20):
        refused(lambda: load_posterior(folder), DataError, "draws.nc")
    assert not Path("pwned").exists()


ELSEWHERE: list[tuple[str, Callable[[h5py.File, str], None]]] = [
    ("external storage", _external),
    ("an external link", _linked),
    ("a virtual array", _virtual),
]


@pytest.mark.parametrize(("name", "edit"), ELSEWHERE, ids=[name for name, _ in ELSEWHERE])
def test_draws_open_no_other_file(folder: Path, name: str, edit: Callable[[h5py.File, str], None]) -> None:
    os.mkfifo("pipe")  # whoever opens it waits for ever
    with h5py.File(folder / "draws.nc", "r+") as file:
        edit(file, str(Path.cwd() / "pipe"))
    with within(20):
        refused(lambda: load_posterior(folder), DataError, "bayes_glmm writes no such file")


@pytest.mark.parametrize("name", ["model.json", "draws.nc", "data.parquet"])
def test_a_file_elsewhere(folder: Path, good: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).symlink_to(good / name)
    refused(lambda: load_posterior(folder), DataError, f"{name} is a link to another file")


def test_a_saved_posterior_elsewhere_in_a_run(tmp_path: Path, good: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "posterior").symlink_to(good)
    refused(lambda: load_posterior(tmp_path / "run"), DataError, "is a link")
    (tmp_path / "link").symlink_to(good)
    assert load_posterior(tmp_path / "link").spec == SPEC  # whom the reader names himself


@pytest.mark.parametrize(("name", "edit"), ELSEWHERE, ids=[name for name, _ in ELSEWHERE])
def test_kept_chains_open_no_other_file(folder: Path, name: str, edit: Callable[[h5py.File, str], None]) -> None:
    chain = Path("chains") / "0-0.nc"
    chain.parent.mkdir()
    shutil.copyfile(folder / "draws.nc", chain)
    with h5py.File(chain, "r+") as file:
        edit(file, str(folder / "draws.nc"))
    gather = in_folder(chain.parent)
    refused(lambda: gather(_nothing, None, Settings(chains=1)), DataError, "Remove this file, and the chain is drawn")
    chain.unlink()
    chain.symlink_to(folder / "draws.nc")
    gather = in_folder(chain.parent)
    refused(lambda: gather(_nothing, None, Settings(chains=1)), DataError, "is a link to another file")


def _nothing(*arguments: object) -> None:
    raise AssertionError("drawn")


def test_pickled_objects_beside_the_draws_are_bytes(folder: Path) -> None:
    with h5py.File(folder / "draws.nc", "r+") as file:
        file["posterior"]["beta"].attrs["note"] = np.void(evil())
    load_posterior(folder)
    assert not Path("pwned").exists()


def _extension(path: Path) -> None:
    """A column that says it is of a pickled Python type."""
    marks = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": evil()}
    table = pa.Table.from_pandas(frame())
    place = table.schema.get_field_index("x")
    table = table.set_column(place, pa.field("x", pa.binary(), metadata=marks), pa.array([b"a"] * 30))
    pq.write_table(table, path)


def _described(text: str) -> Callable[[Path], None]:
    """A table whose notes for pandas are made up."""
    table = pa.Table.from_pandas(frame())
    return lambda path: pq.write_table(table.replace_schema_metadata({b"pandas": text.encode()}), path)


TABLES: list[tuple[str, Callable[[Path], Any], str]] = [
    ("pickle", lambda path: path.write_bytes(evil()), "cannot be read"),
    ("noise", lambda path: path.write_bytes(b"PAR1" + bytes(1000) + b"PAR1"), "cannot be read"),
    ("pickled objects", lambda path: frame().assign(x=[evil()] * 30).to_parquet(path), "holds bytes"),
    ("pickled type", _extension, "holds bytes"),
    ("notes that are no JSON", _described("{"), "cannot be read"),
    ("notes that are a list", _described("[]"), "cannot be read"),
    ("notes that are code", _described('{"columns": "__import__(\'os\')", "index_columns": []}'), "cannot be read"),
    ("no rows", lambda path: frame().head(0).to_parquet(path), "0 complete rows"),
    ("other groups", lambda path: frame().assign(g=lambda d: d.g + 1).to_parquet(path), "labels of g differ"),
    ("fewer groups", lambda path: frame().head(20).to_parquet(path), "labels of g differ"),
    ("no column", lambda path: frame().drop(columns="x").to_parquet(path), "no column 'x'"),
    ("lists", lambda path: frame().assign(x=pd.Series([[1, 2]] * 30)).to_parquet(path), "holds mixed"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "write", "words"), TABLES, ids=[name for name, *_ in TABLES])
def test_tables(folder: Path, name: str, write: Callable[[Path], Any], words: str) -> None:
    (folder / "data.parquet").unlink()
    write(folder / "data.parquet")
    with within(20):
        refused(lambda: load_posterior(folder), DataError, words)
    assert not Path("pwned").exists()


@pytest.mark.parametrize("name", ["model.json", "draws.nc", "data.parquet"])
def test_a_folder_or_a_broken_link_in_place_of_a_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    refused(lambda: load_posterior(folder), DataError, f"{name} is not there")
    (folder / name).rmdir()
    (folder / name).symlink_to("gone")
    refused(lambda: load_posterior(folder), DataError, f"{name} is not there")
