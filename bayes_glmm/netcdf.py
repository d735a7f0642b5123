"""netCDF files of this package: written whole, and read only where they hold all that they name.

An HDF5 file can name other files as the place of its values: by external links, external storage and virtual data sets.
A saved fit that somebody sends would so read any file of the reader. ``read_tree`` opens no file but the one asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from bayes_glmm.errors import DataError
from bayes_glmm.files import check_no_link, write_file

_DEEPEST = 8  # groups within groups; those of ArviZ are one deep
_UNFOLDED = 1000  # times the size of the file: what its arrays may take; ours are not compressed


def write_tree(path: Path, tree: xr.DataTree) -> None:
    """Write a netCDF file, as :func:`~bayes_glmm.files.write_file`.

    It is made in memory: on a full disk the HDF5 library does not raise an error but takes the process down.
    """
    with _no_cluster():
        content = tree.to_netcdf(engine="h5netcdf")
    write_file(path, content)


def read_tree(path: Path, advice: str) -> xr.DataTree:
    """Read a netCDF file.

    Parameters
    ----------
    path : Path
    advice : str
        What to do about a file that is damaged.

    Raises
    ------
    DataError
        If it is damaged, reaches beyond itself (external or soft links, external storage, virtual data sets, links that
        form a loop), or holds values that are neither numbers nor text.
    """
    try:
        check_no_link(path)
        if obstacle := _obstacle(path):
            raise DataError(f"{path.name} {obstacle}.", str(path), f"bayes_glmm writes no such file. {advice}")
        return xr.load_datatree(path, engine="h5netcdf", phony_dims="access")
    except DataError:
        raise
    # what h5py and xarray raise for damaged and foreign files
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, MemoryError) as error:
        raise DataError(f"{path.name} cannot be read: {error}", str(path), advice) from error


def _obstacle(path: Path) -> str:
    """What the file has that no file of ours has; empty if nothing."""
    import h5py  # type: ignore[import-untyped]  # comes with h5netcdf; late, as reading is

    with h5py.File(path, "r") as file:
        waiting, seen, size = [(file, 0)], set[int](), 0
        while waiting:
            group, depth = waiting.pop()
            for name in group:
                if group.id.links.get_info(name.encode("utf-8", "surrogateescape")).type != h5py.h5l.TYPE_HARD:
                    return f"has a link in place of values: {name!r}"
                item = group[name]
                address = h5py.h5o.get_info(item.id).addr
                if address in seen:
                    return f"has two links to the same values, or a loop of links: {name!r}"
                seen.add(address)
                if isinstance(item, h5py.Group) and depth < _DEEPEST:
                    waiting.append((item, depth + 1))
                elif isinstance(item, h5py.Dataset):
                    if obstacle := _values_obstacle(item):
                        return f"{obstacle}: {name!r}"
                    size += item.nbytes
                else:
                    return f"has groups over {_DEEPEST} deep, or named types: {name!r}"
    if size > _UNFOLDED * path.stat().st_size:
        return f"would unfold to {size:,} bytes"
    return ""


def _values_obstacle(values: object) -> str:
    import h5py

    made = values.id.get_create_plist()  # type: ignore[attr-defined]
    if made.get_layout() == h5py.h5d.VIRTUAL or made.get_external_count():
        return "takes values from another file"
    dtype = values.dtype  # type: ignore[attr-defined]
    if dtype.kind not in "biufSU" and h5py.check_string_dtype(dtype) is None:
        return "has values that are neither numbers nor text"
    return ""


@contextmanager
def _no_cluster() -> Iterator[None]:
    """Where a dask client is at hand, xarray asks its cluster for a lock on what it writes: not for files in memory."""
    if "distributed" not in sys.modules:
        yield
        return
    import dask

    with dask.config.set(scheduler="synchronous"):
        yield
