"""The rows that a config names: a data set of the package or a file, with the factor levels it asks for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from bayes_glmm.datasets import load_dataset
from bayes_glmm.design.frame import check_columns
from bayes_glmm.errors import DataError, choices
from bayes_glmm.runs.document import Document
from bayes_glmm.runs.schema import DataSection

FORMATS = (".csv", ".csv.gz", ".parquet")


def read_data(section: DataSection, document: Document) -> pd.DataFrame:
    """Read the rows.

    Parameters
    ----------
    section : DataSection
    document : Document
        The config file; data files are looked for from its folder.

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
            data = read_table(data_path(section, document))
    for column, levels in section.categories.items():
        with document.at("data", "categories", column):
            data = data.assign(**{column: _factor(data, column, levels)})
    return data


def data_path(section: DataSection, document: Document) -> Path:
    """The data file of a config."""
    return document.path.parent / Path(section.file or "").expanduser()


def data_hash(section: DataSection, document: Document) -> str:
    """SHA-256 of the data file, or of the data set written as CSV."""
    if section.file is not None:
        content = data_path(section, document).read_bytes()
    else:
        content = load_dataset(section.dataset or "").to_csv(index=False).encode()
    return hashlib.sha256(content).hexdigest()


def read_table(path: Path) -> pd.DataFrame:
    """A table from a file, by its ending.

    Raises
    ------
    DataError
        If the file is not there, has another ending, or does not hold a table.
    """
    if not path.name.endswith(FORMATS):
        raise DataError("The format of the file is not known.", str(path), f"Use {', '.join(FORMATS)}.")
    if not path.is_file():
        there = [other.name for other in path.parent.glob("*") if other.name.endswith(FORMATS)]
        raise DataError("There is no such data file.", str(path), choices(path.name, sorted(there)) if there else "")
    try:
        return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (
        ValueError,
        OSError,
        EOFError,
    ) as error:  # what pandas, pyarrow and gzip raise for a damaged or foreign file
        raise DataError(f"The file cannot be read as a table: {error}", str(path)) from error


def _factor(data: pd.DataFrame, column: str, levels: list) -> pd.Categorical:
    check_columns(data, (column,))
    if len(set(levels)) < len(levels):
        raise DataError("A level stands twice.", f"column {column!r}", "Name each level once.")
    present = data[column].dropna().unique().tolist()
    unknown = [level for level in levels if level not in present]
    unlisted = [level for level in present if level not in levels]
    if unknown or unlisted:
        found = ", ".join(map(repr, sorted(present, key=str)[:20]))
        wrong = f"has no level {unknown[0]!r}" if unknown else f"also has the level {unlisted[0]!r}"
        raise DataError(f"The column {column!r} {wrong}.", advice=f"List its levels in the order wanted: {found}.")
    return pd.Categorical(data[column], categories=levels)
