"""Draws of very many random effects, written to a file as they are made, and read from it where they are asked for."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from bayes_glmm.design import RandomBlock
from bayes_glmm.inference.chains import Groups
from bayes_glmm.inference.densities.density import Density
from bayes_glmm.inference.settings import Settings

MOST_HELD = 2 * 2**30  # bytes that draws of random effects may take in memory
FILE = "effects.dat"


def streamed(density: Density, settings: Settings, folder: Path | None) -> Density:
    """The density as it is, or with draws of the random effects going to a file where memory would not do.

    The file has 32 bits a number, in the folder or, if there is none, without a name: it is gone with the last array
    that looks into it.
    """
    effects = sum(int(np.prod(kept.shape)) for kept in density.kept if _random(kept.name))
    numbers = effects // 2  # u; z follows from it and L
    if 8 * effects * settings.draws * settings.chains <= MOST_HELD:
        return density
    shape = (settings.chains, settings.draws, numbers)
    if folder is None:
        with tempfile.TemporaryFile() as file:
            stream = np.memmap(file, np.float32, "w+", shape=shape)
    else:
        path = folder / FILE
        stream = np.memmap(path, np.float32, "r+" if path.is_file() else "w+", shape=shape)
    kept = tuple(kept for kept in density.kept if not _random(kept.name))
    return replace(density, kept=kept, stream=stream)


def with_streamed(drawn: Groups, density: Density, blocks: tuple[RandomBlock, ...]) -> Groups:
    """Draws with the random effects that are in the file."""
    if density.stream is None:
        return drawn
    posterior, start = drawn["posterior"], 0
    values = np.asarray(density.stream)
    for block in blocks:
        shape = (len(block.levels), len(block.effects))
        stop = start + int(np.prod(shape))
        dims = ("chain", "draw", block.level_dim, block.effect_dim)
        u = values[:, :, start:stop].reshape(*values.shape[:2], *shape)
        posterior = posterior.assign({f"u_{block.group}": (dims, u)})
        posterior = posterior.assign_coords({block.level_dim: list(block.levels)})
        start = stop
    return drawn | {"posterior": posterior}


def _random(name: str) -> bool:
    return name.startswith(("u_", "z_"))
