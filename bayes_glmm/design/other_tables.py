"""Tables of other packages, and how each becomes a pandas DataFrame."""

from __future__ import annotations

import re

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
