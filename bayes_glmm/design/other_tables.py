"""Tables of other packages: taken where they export Arrow columns, else how each becomes a pandas DataFrame."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

_FRAMES: tuple[tuple[str, str], ...] = (
    (r"polars\..*LazyFrame", "{data}.collect().to_pandas()"),
    (r"(polars|pyarrow|cudf|ibis|modin|narwhals|datatable|vaex)\..*", "{data}.to_pandas()"),
    (r"duckdb\..*", "{data}.df()"),
    (r"pyspark\..*", "{data}.toPandas()"),
    (r"dask\..*", "{data}.compute()"),
    (r"xarray\..*DataArray", "{data}.to_dataframe('y').reset_index()"),
    (r"xarray\..*", "{data}.to_dataframe().reset_index()"),
    (r"pandas\..*Series", "{data}.to_frame()"),
    (r"numpy\..*", "pd.DataFrame({data}, columns=['y', 'x'])"),
    (r"builtins\.(str|bytes)|pathlib\..*", "pd.read_csv({data})"),
    (r"builtins\.NoneType", "pd.read_csv('file.csv')"),
    (r".*", "pd.DataFrame({data})"),
)


def as_pandas(data: Any) -> Any:
    """Tables that export Arrow columns, such as those of polars, pyarrow and DuckDB, as a pandas DataFrame.

    Anything else is returned as it is. Dictionary columns become categoricals, nulls missing values.

    Examples
    --------
    >>> import pyarrow
    >>> as_pandas(pyarrow.table({"y": [1, 2], "g": ["a", None]})).isna().sum().tolist()
    [0, 1]
    """
    if isinstance(data, pd.DataFrame | pd.Series) or not hasattr(data, "__arrow_c_stream__"):
        return data
    import pyarrow

    return pyarrow.table(data).to_pandas()


def frame_advice(data: object, name: str = "data") -> str:
    """How to make a pandas DataFrame of data of another kind.

    Examples
    --------
    >>> frame_advice({"y": [1, 2]})
    'Write pd.DataFrame(data).'
    """
    kind = f"{type(data).__module__}.{type(data).__name__}"
    return f"Write {next(advice for pattern, advice in _FRAMES if re.fullmatch(pattern, kind)).format(data=name)}."


def frame_type(data: object) -> str:
    """The type of data as text: ``polars DataFrame``, ``dict``.

    Examples
    --------
    >>> frame_type({})
    'dict'
    """
    package = type(data).__module__.partition(".")[0]
    return type(data).__name__ if package in ("builtins", "numpy", "pandas") else f"{package} {type(data).__name__}"
