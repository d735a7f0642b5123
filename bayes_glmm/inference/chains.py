"""Chains: each is decided by the seed and its number, whenever and beside whichever others it is drawn.

An engine hands over each chain as soon as it is finished. Kept in a folder, as ``<call>-<chain>.nc``, finished chains
survive the process: drawing again with the same model and settings draws only the missing ones, and gives to the bit
what an uninterrupted run gives.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Union

import numpy as np
import xarray as xr

from bayes_glmm.inference.settings import Settings
from bayes_glmm.netcdf import read_tree, write_tree

if TYPE_CHECKING:
    import pymc as pm

    from bayes_glmm.inference.densities.density import Density


@dataclass(frozen=True)
class Draws:
    """What one chain drew, or said of its steps. Arrays alone: a data set for each chain costs more than small models.

    Attributes
    ----------
    variables : mapping of name to (dims, values)
        Values are [draw, *dims].
    labels : mapping of dim to labels
    """

    variables: Mapping[str, tuple[tuple[str, ...], np.ndarray]]
    labels: Mapping[str, np.ndarray]


_ANEW = "Remove this file, and the chain is drawn again."
Target = Union["pm.Model", "Density"]
Chain = Mapping[str, Draws]  # by group: posterior, sample_stats, ...
Groups = dict[str, xr.Dataset]  # of all chains
Keep = Callable[[int, Chain], None]
Draw = Callable[[Target, Settings, Sequence[int], Keep], None]
Gather = Callable[[Draw, Target, Settings], Groups]


def in_memory(draw: Draw, target: Target, settings: Settings) -> Groups:
    """All chains of a model, drawn and joined."""
    chains: dict[int, Chain] = {}
    draw(target, settings, range(settings.chains), chains.__setitem__)
    return _joined(chains)


def in_folder(folder: Path) -> Gather:
    """The same, with finished chains kept in a folder and those found there not drawn again.

    A sampling that draws more than once (doubled quadrature) is recognised by the order of its calls.
    """
    calls = itertools.count()

    def gather(draw: Draw, target: Target, settings: Settings) -> Groups:
        call = next(calls)
        files = {chain: folder / f"{call}-{chain}.nc" for chain in range(settings.chains)}
        missing = [chain for chain, file in files.items() if not file.is_file()]
        if missing:
            draw(target, settings, missing, lambda chain, drawn: write_tree(files[chain], _tree(drawn)))
        return _joined({chain: chain_of(read_tree(file, _ANEW)) for chain, file in files.items()})

    return gather


def count_chains(folder: Path) -> int:
    """How many finished chains a folder holds of the last call."""
    calls = [
        int(call) for call, _, _ in (file.stem.partition("-") for file in folder.glob("*-*.nc")) if call.isdecimal()
    ]
    return calls.count(max(calls, default=0))


def chain_of(tree: xr.DataTree) -> dict[str, Draws]:
    """A tree that holds one chain, without what belongs to no draw and without objects, which netCDF cannot hold."""
    return {name: _draws_of(node.to_dataset()) for name, node in tree.children.items() if "chain" in node.sizes}


def _draws_of(data: xr.Dataset) -> Draws:
    kept = {str(name): variable for name, variable in data.data_vars.items() if variable.dtype != object}
    variables = {name: (tuple(map(str, v.dims[2:])), v.to_numpy()[0]) for name, v in kept.items()}
    labels = {str(dim): values.to_numpy() for dim, values in data.coords.items() if dim not in ("chain", "draw")}
    return Draws(variables, {dim: x.astype(str) if x.dtype == object else x for dim, x in labels.items()})


def _tree(chain: Chain) -> xr.DataTree:
    return xr.DataTree.from_dict(_joined({0: chain}))


def _joined(chains: Mapping[int, Chain]) -> Groups:
    """All chains in order."""
    numbers = sorted(chains)
    return {name: _stacked({n: chains[n][name] for n in numbers}) for name in chains[numbers[0]]}


def _stacked(chains: Mapping[int, Draws]) -> xr.Dataset:
    first, *_ = chains.values()
    variables = {
        name: (("chain", "draw", *dims), np.stack([drawn.variables[name][1] for drawn in chains.values()]))
        for name, (dims, _) in first.variables.items()
    }
    draws = next(iter(variables.values()))[1].shape[1]
    return xr.Dataset(variables, {"chain": list(chains), "draw": np.arange(draws), **first.labels})
