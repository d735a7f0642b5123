"""Chains: each is decided by the seed and its number, whenever and beside whichever others it is drawn.

An engine hands over each chain as soon as it is finished. Kept in a folder, as ``<call>-<chain>.nc``, finished chains
survive the process: drawing again with the same model and settings draws only the missing ones, and gives to the bit
what an uninterrupted run gives.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Union

import xarray as xr

from bayes_glmm.files import write_tree
from bayes_glmm.inference.settings import Settings

if TYPE_CHECKING:
    import pymc as pm

    from bayes_glmm.inference.densities.density import Density

Target = Union["pm.Model", "Density"]
Groups = Mapping[str, xr.Dataset]  # of a chain, by name: posterior, sample_stats, ...
Keep = Callable[[int, Groups], None]
Draw = Callable[[Target, Settings, Sequence[int], Keep], None]
Gather = Callable[[Draw, Target, Settings], xr.DataTree]


def in_memory(draw: Draw, target: Target, settings: Settings) -> xr.DataTree:
    """All chains of a model, drawn and joined."""
    chains: dict[int, Groups] = {}

    def keep(chain: int, drawn: Groups) -> None:
        chains[chain] = _plain(drawn)

    draw(target, settings, range(settings.chains), keep)
    return _joined(chains)


def in_folder(folder: Path) -> Gather:
    """The same, with finished chains kept in a folder and those found there not drawn again.

    A sampling that draws more than once (doubled quadrature) is recognised by the order of its calls.
    """
    calls = itertools.count()

    def gather(draw: Draw, target: Target, settings: Settings) -> xr.DataTree:
        call = next(calls)
        files = {chain: folder / f"{call}-{chain}.nc" for chain in range(settings.chains)}
        missing = [chain for chain, file in files.items() if not file.is_file()]
        if missing:
            draw(target, settings, missing, lambda chain, drawn: write_tree(files[chain], _tree(_plain(drawn))))
        return _joined({chain: groups_of(xr.load_datatree(file, engine="h5netcdf")) for chain, file in files.items()})

    return gather


def count_chains(folder: Path) -> int:
    """How many finished chains a folder holds of the last call."""
    calls = [int(file.stem.split("-")[0]) for file in folder.glob("*-*.nc")]
    return calls.count(max(calls, default=0))


def groups_of(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """What a tree holds one level deep."""
    return {name: node.to_dataset() for name, node in tree.children.items()}


def _tree(groups: Groups) -> xr.DataTree:
    return xr.DataTree.from_dict(dict(groups))


def _plain(groups: Groups) -> Groups:
    """The draws and statistics of a chain, without attributes and object columns, which netCDF cannot hold."""
    return {name: _plain_group(data) for name, data in groups.items() if "chain" in data.sizes}


def _plain_group(data: xr.Dataset) -> xr.Dataset:
    kept = data.drop_vars([name for name, variable in data.data_vars.items() if variable.dtype == object])
    text = {name: labels.astype(str) for name, labels in kept.coords.items() if labels.dtype == object}
    kept = kept.assign_coords(text) if text else kept
    return kept.drop_attrs() if kept.attrs or any(variable.attrs for variable in kept.variables.values()) else kept


def _joined(chains: Mapping[int, Groups]) -> xr.DataTree:
    """One tree, chains in order."""
    ordered = [chains[chain] for chain in sorted(chains)]
    groups = {}
    for name in ordered[0]:
        parts = [chain[name] for chain in ordered]
        variables = {
            key: xr.Variable.concat([part.variables[key] for part in parts], "chain") for key in parts[0].data_vars
        }
        groups[name] = xr.Dataset(variables, parts[0].coords.drop_vars("chain", errors="ignore")).assign_coords(
            chain=sorted(chains)
        )
    return _tree(groups)
