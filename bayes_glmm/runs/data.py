"""The rows that a config names: a data set of the package or a file, with the factor levels it asks for."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import logging
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from bayes_glmm.datasets import load_dataset
from bayes_glmm.design.frame import check_columns
from bayes_glmm.errors import DataError, GLMMError, choices
from bayes_glmm.runs.csv_file import read_csv
from bayes_glmm.runs.document import Document
from bayes_glmm.runs.schema import DataSection

FORMATS = (".csv", ".csv.gz", ".parquet")
log = logging.getLogger(__name__)


def read_data(section: DataSection, document: Document, labels: Collection[str] = ()) -> pd.DataFrame:
    """Read the rows.

    Parameters
    ----------
    section : DataSection
    document : Document
        The config file; data files are looked for from its folder.
    labels : collection of str
        Columns that the model takes as labels, whatever they look like.

    Raises
    ------
    ConfigError
        For an unknown data set, a file that is not there or cannot be read, and levels that do not fit the column.
    """
    if section.dataset is not None:
        with document.at("data", "dataset"):
            data = load_dataset(section.dataset)
    else:
        with document.at("data", "file"):
            data = read_table(data_path(section, document), labels, section.categories)
    for column, levels in section.categories.items():
        with document.at("data", "categories", column):
            factor = _factor(data, column, levels)
            data = data.copy(deep=False)
            data[column] = factor
    return data


def data_path(section: DataSection, document: Document) -> Path:
    """The data file of a config."""
    path = Path(section.file or "")
    try:
        return document.path.parent / path.expanduser()
    except RuntimeError:  # ~somebody without a home: a name like any other
        return document.path.parent / path


def data_hash(section: DataSection, document: Document) -> str:
    """SHA-256 of the data file, or of the data set written as CSV."""
    if section.file is not None:
        content = data_path(section, document).read_bytes()
    else:
        content = load_dataset(section.dataset or "").to_csv(index=False).encode()
    return hashlib.sha256(content).hexdigest()


def read_table(path: Path, labels: Collection[str] = (), listed: Collection[str] = ()) -> pd.DataFrame:
    """A table from a file, by its ending.

    Parameters
    ----------
    path : Path
    labels : collection of str
        Columns whose values are labels, such as grouping factors: see :func:`~bayes_glmm.runs.csv_file.read_csv`.
    listed : collection of str
        Columns whose categories are known, and not asked of the file.

    Raises
    ------
    DataError
        If the file is not there, has another ending, or does not hold a table; for lines with too many fields, labels
        that would merge, and categories whose order is lost.
    """
    if not path.name.endswith(FORMATS):
        raise DataError("The format of the file is not known.", str(path), f"Use {', '.join(FORMATS)}.")
    _check_place(path)
    try:
        return _read_parquet(path, listed) if path.suffix == ".parquet" else read_csv(path, [*labels, *listed])
    except GLMMError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(
            "The file is not UTF-8.", _undecoded(path, error), "Save it as CSV with encoding UTF-8."
        ) from error
    # what pandas, pyarrow, csv and gzip raise for a damaged or foreign file
    except (ValueError, OSError, EOFError, csv.Error) as error:
        raise DataError(f"The file cannot be read as a table: {error}", str(path)) from error


def _undecoded(path: Path, error: UnicodeDecodeError) -> str:
    """The line with the first byte that is not UTF-8; the position in the error counts from a part of the file."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as found:
                return f"{path}, line {number}, byte {found.object[found.start]:#04x}"
    return f"{path}: {error.reason}"


def _check_place(path: Path) -> None:
    try:
        if path.is_dir():
            raise DataError("A folder stands in place of the data file.", str(path), "Name a file.")
        if path.is_file():
            return
        beside = [other.name for other in path.parent.iterdir() if other.is_file() and other.name.endswith(FORMATS)]
    except OSError:  # no such folder, or a name too long to be
        beside = []
    raise DataError("There is no such data file.", str(path), choices(path.name, sorted(beside)) if beside else "")


def _read_parquet(path: Path, listed: Collection[str]) -> pd.DataFrame:
    """A Parquet file; columns that pandas wrote as categories of numbers, which the file does not keep, are again.

    Raises
    ------
    DataError
        For ordered categories whose order the file has lost, unless they are listed.
    """
    import pyarrow.parquet as pq  # takes a tenth of a second

    table = pd.read_parquet(path)
    notes = json.loads((pq.read_schema(path).metadata or {}).get(b"pandas", b"{}")).get("columns", [])
    for note in notes:
        name, kept = note.get("name"), note.get("metadata") or {}
        if note.get("pandas_type") != "categorical" or name in listed or (table.columns == name).sum() != 1:
            continue
        if isinstance(table[name].dtype, pd.CategoricalDtype):
            continue
        levels = ", ".join(map(str, sorted(table[name].dropna().unique())[:20]))
        if kept.get("ordered"):
            raise DataError(
                f"The file has lost the order of the categories of {name!r}: Parquet keeps that of text alone.",
                str(path),
                f"List them in their order, under 'data' in the config: categories: {{{name}: [{levels}]}}.",
            )
        table[name] = table[name].astype("category")
        log.warning("%s: the categories of %r are taken in ascending order, which the file has lost.", path, name)
    return table


def _factor(data: pd.DataFrame, column: str, levels: list) -> pd.Categorical:
    check_columns(data, (column,))
    if len(set(levels)) < len(levels):
        raise DataError("A level stands twice.", f"column {column!r}", "Name each level once.")
    present = data[column].dropna().unique().tolist()
    as_read = {_key(level): level for level in present}  # 1.0 in the list is the 1 of the file
    unknown = [level for level in levels if _key(level) not in as_read]
    unlisted = [level for level in present if _key(level) not in map(_key, levels)]
    if unknown or unlisted:
        found = ", ".join(map(repr, sorted(present, key=str)[:20]))
        wrong = f"has no level {unknown[0]!r}" if unknown else f"also has the level {unlisted[0]!r}"
        raise DataError(f"The column {column!r} {wrong}.", advice=f"List its levels in the order wanted: {found}.")
    return pd.Categorical(data[column], [as_read[_key(level)] for level in levels], ordered=True)


def _key(level: object) -> tuple[bool, object]:
    """A level by its value; in Python True equals 1."""
    return isinstance(level, bool), level
