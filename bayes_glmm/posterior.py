"""Posterior: the record that everything after sampling takes. It knows how to save itself and nothing else.

The variables of ``draws.posterior`` and their dims: ``beta [coefficient]``; for each grouping factor g
``u_g [g, g_effect]``, ``sd_g [g_effect]``, ``G_g [g_effect, g_effect_2]``, where effects are correlated
``corr_g [g_effect, g_effect_2]``; the family's auxiliary parameters as scalars; ``threshold [adjacent]`` of ordered
categories, of which the first is less the intercept of ``beta``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from bayes_glmm import names
from bayes_glmm.design import Design, Priors, Problem, build_design, resolve_priors
from bayes_glmm.design.canonical import without_coefficients
from bayes_glmm.design.prior_record import from_record, to_record
from bayes_glmm.draws import constants_of_correlation, to_canonical, with_correlation, with_covariance, with_thresholds
from bayes_glmm.errors import DataError, GLMMError, SpecError, choices
from bayes_glmm.families import Family
from bayes_glmm.families.own_record import from_own_record, to_own_record
from bayes_glmm.files import check_no_link, whole_folder
from bayes_glmm.names import ADJACENT, OCCASION, OCCASION_2, THRESHOLD
from bayes_glmm.netcdf import read_tree, write_tree
from bayes_glmm.parquet import read_frame, write_frame
from bayes_glmm.spec import ModelSpec

FORMAT = 3  # 1 had other default priors and lost the categories of numbers, 2 one predictor a model
FILES = MODEL, DRAWS, DATA = "model.json", "draws.nc", "data.parquet"
UNANSWERED = "unanswered.parquet"  # rows without a response, where there are some
_DAMAGED = "It is damaged: fit the model again."


@dataclass(frozen=True)
class Posterior:
    """Draws from the posterior of a model, with all that is needed to use them.

    Attributes
    ----------
    spec : ModelSpec
    design : Design
    priors : Priors
        As resolved against the design.
    draws : xarray.DataTree
        ArviZ groups: ``posterior``, ``sample_stats``, ``observed_data``, ``constant_data`` and what else was asked for.
    provenance : dict
        Plain values: versions, seed, settings, seconds.
    """

    spec: ModelSpec
    design: Design
    priors: Priors
    draws: xr.DataTree
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def problem(self) -> Problem:
        """Specification, design and priors in one record."""
        return Problem(self.spec, self.design, self.priors)

    @cached_property
    def canonical(self) -> Posterior:
        """The same draws in canonical columns, where every parameter has a scalar prior of its own."""
        problem = self.problem.canonical
        posterior = to_canonical(self.draws["posterior"].to_dataset(), self.priors.canonical, problem.design)
        draws = xr.DataTree.from_dict({"posterior": posterior})
        return Posterior(problem.spec, problem.design, problem.priors, draws, self.provenance)

    @cached_property
    def at_centre(self) -> Posterior:
        """The same draws, with covariances, sds and correlations at the centre, where their priors hold."""
        canonical = without_coefficients(self.priors.canonical, self.design)
        posterior = to_canonical(self.draws["posterior"].to_dataset(), canonical, self.design)
        return replace(self, draws=xr.DataTree.from_dict({"posterior": posterior}))

    def array(self, name: str) -> np.ndarray:
        """Draws of one variable with chain and draw stacked: [draw, ...]."""
        values = self.draws["posterior"][name].transpose("chain", "draw", ...).to_numpy()
        return values.reshape(values.shape[0] * values.shape[1], *values.shape[2:])

    @property
    def beta(self) -> np.ndarray:
        """Fixed effects of the location [draw, coefficient]."""
        return self.array(self.design.predictors.location.variable)

    def coefficients(self, parameter: str) -> np.ndarray:
        """Fixed effects of a parameter with a formula [draw, coefficient]."""
        return self.array(names.coefficients(parameter))

    def G(self, group: str) -> np.ndarray:
        """Covariance of the random effects of a group [draw, effect, effect]."""
        return self.array(f"G_{group}")

    def G_at_centre(self, group: str) -> np.ndarray:
        """Covariance of the effects at the centre of their covariates [draw, effect, effect].

        G itself where nothing is carried. Far from 0, G as written is singular to many digits, and this one is not.
        """
        G, canonical = self.G(group), self.priors.canonical
        if not canonical.carried(group):
            return G
        back = canonical.inverse(group)
        return back @ G @ back.T

    def root(self, group: str) -> np.ndarray:
        """An L with G = L L' [draw, effect, effect]; G may be singular."""
        values, vectors = np.linalg.eigh(self.G_at_centre(group))
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        canonical = self.priors.canonical
        return canonical.A[group] @ root if canonical.carried(group) else root

    def u(self, group: str) -> np.ndarray:
        """Random effects of a group [draw, level, effect]."""
        return self.array(f"u_{group}")

    @property
    def auxiliary(self) -> dict[str, np.ndarray]:
        """The parameters without a formula, each [draw]."""
        steps = self.design.steps
        distances = np.diff(self.array(THRESHOLD), axis=1).T if steps else ()
        found = dict(zip(reversed(steps), reversed(distances), strict=True))  # of those that are tied the first
        if (residual := self.design.residual) is not None:
            name = residual.form.variable
            found |= constants_of_correlation({name: self.array(name)}, residual)
        return {name: found[name] if name in found else self.array(name) for name in self.spec.auxiliary}

    @property
    def sample_shape(self) -> tuple[int, int]:
        """Chains and draws a chain."""
        sizes = self.draws["posterior"].sizes
        return sizes["chain"], sizes["draw"]

    def save(self, folder: str | Path) -> Path:
        """Write ``draws.nc``, ``data.parquet`` and ``model.json`` into a folder, which appears whole or not at all.

        Nothing in them runs code when read.

        Returns
        -------
        Path
            The folder. A posterior that was saved there is replaced, in one step.

        Raises
        ------
        DataError
            If something else is there.
        OSError
            If it cannot be written; what was there stays.
        """
        target = Path(folder).resolve()
        _check_free(target)
        model = {
            "format": FORMAT,
            "model": self.spec.to_dict(),
            "dropped": self.design.dropped,
            "priors": to_record(self.priors),
            "provenance": self.provenance,
        }
        if self.spec.own is not None:
            model["own family"] = to_own_record(self.spec.own)
        with whole_folder(target) as partial:
            write_tree(partial / DRAWS, self.draws)
            write_frame(partial / DATA, self.design.data)
            if len(self.design.unanswered):
                write_frame(partial / UNANSWERED, self.design.unanswered)
            (partial / MODEL).write_text(json.dumps(model, indent=2), encoding="utf-8")
        return Path(folder)


def load_posterior(folder: str | Path, family: Family | None = None) -> Posterior:
    """Read what :meth:`Posterior.save` wrote; of the folder of a run, its ``posterior``.

    Parameters
    ----------
    folder : str or Path
    family : Family, optional
        That of a model with a user's own family: files have its name, and no code.

    Raises
    ------
    DataError
        If the folder does not hold a saved posterior, or one of another format; if a file is damaged, or does not fit
        the others; if a user's own family is missing, or another than the one given.
    """
    folder = Path(folder)
    if (folder / "posterior").is_dir():
        folder = folder / "posterior"
        check_no_link(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise DataError(f"No saved posterior: {missing[0]} is not there.", str(folder), "Name the folder of a run.")
    for name in FILES:
        check_no_link(folder / name)
    model = _read(folder / MODEL, _model_record)
    if model.get("format") != FORMAT:
        raise DataError(
            f"The posterior has format {model.get('format')!r}, this version reads {FORMAT}.",
            str(folder / MODEL),
            "Read it with the version of bayes_glmm named under 'provenance'.",
        )
    mapping = model["model"]
    if family is not None or "own family" in model:
        from_own_record(family, model.get("own family"), folder / MODEL)
        mapping = mapping | {"family": family}
    data = _read(folder / DATA, read_frame)
    check_no_link(folder / UNANSWERED)
    without = _read(folder / UNANSWERED, read_frame) if (folder / UNANSWERED).is_file() else pd.DataFrame()
    draws = read_tree(folder / DRAWS, _DAMAGED)
    try:
        spec = ModelSpec.from_dict(mapping)
        design = replace(build_design(spec, data), dropped=model.get("dropped", 0), unanswered=without)
        spec = spec.of(design.categories, design.occasions)
        priors = resolve_priors(spec, design)
    except GLMMError as error:
        raise DataError(f"The saved model does not hold: {error}", str(folder / MODEL), _DAMAGED) from error
    _check_draws(spec, design, draws, folder / DRAWS)
    try:
        priors = from_record(priors, model["priors"])
    except SpecError as error:
        raise DataError(f"The saved priors do not hold: {error}", str(folder / MODEL), _DAMAGED) from error
    return Posterior(spec, design, priors, draws, model["provenance"])


def _model_record(path: Path) -> dict[str, Any]:
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError("it is not a record")
    kinds = {"model": dict, "provenance": dict, "dropped": int, "priors": dict}
    absent = {"dropped": 0}
    if wrong := [key for key, kind in kinds.items() if not isinstance((absent | record).get(key), kind)]:
        raise ValueError(f"{wrong[0]!r} is missing or of another kind")
    return record


def _check_draws(spec: ModelSpec, design: Design, draws: xr.DataTree, path: Path) -> None:
    """The draws are those of the model: every parameter is there as numbers, under the model's labels."""
    fixed = design.predictors.fixed
    labels: dict[str, tuple[str, ...]] = {one.dim: one.coefficients for one in fixed}
    dims: dict[str, tuple[str, ...]] = {one.variable: (one.dim,) for one in fixed}
    dims |= {name: () for name in spec.auxiliary if name not in spec.family.inner}
    if design.thresholds:
        labels[ADJACENT], dims[THRESHOLD] = design.thresholds, (ADJACENT,)
        dims |= {design.tied.own: ()} if design.tied else {}
    if (residual := design.residual) is not None:
        dims |= {residual.form.variable: () if residual.form.single else (OCCASION, OCCASION_2)}
        labels |= {} if residual.form.single else {OCCASION: residual.labels}
    for block in design.blocks:
        g, effect = block.group, block.effect_dim
        labels |= {block.level_dim: block.levels, effect: block.effects}
        dims |= {f"u_{g}": (block.level_dim, effect), f"sd_{g}": (effect,), f"G_{g}": (effect, block.second_effect_dim)}
    found = draws["posterior"].dataset if "posterior" in draws.children else xr.Dataset()
    for name, expected in dims.items():
        variable = found.get(name)
        if variable is None or set(variable.dims) != {"chain", "draw", *expected} or variable.dtype.kind != "f":
            raise DataError(
                f"{path.name} does not fit the model: {name} is missing or of another form.", str(path), _DAMAGED
            )
    for dim, expected in labels.items():
        if dim not in found.coords or found[dim].values.tolist() != list(expected):
            raise DataError(f"{path.name} does not fit the model: the labels of {dim} differ.", str(path), _DAMAGED)


def _check_free(folder: Path) -> None:
    """A posterior may be saved in a folder: nothing is there, or what a posterior was saved as."""
    if folder.is_dir():
        others = sorted(path.name for path in folder.iterdir() if path.name not in (*FILES, UNANSWERED))
    else:
        others = [folder.name] if folder.exists() else []
    if others:
        raise DataError(
            f"There is something that is not a saved posterior: {others[0]!r}.", str(folder), "Name another folder."
        )


def _read[T](path: Path, reader: Callable[[Path], T]) -> T:
    try:
        return reader(path)
    # what json, pyarrow and h5py raise for damaged and foreign files; RuntimeError of json where lists never end
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise DataError(f"{path.name} cannot be read: {error}", str(path), _DAMAGED) from error


def posterior_at(
    spec: ModelSpec,
    data: pd.DataFrame,
    beta: ArrayLike,
    G: Mapping[str, ArrayLike],
    auxiliary: Mapping[str, ArrayLike] | None = None,
    u: Mapping[str, ArrayLike] | None = None,
    further: Mapping[str, ArrayLike] | None = None,
) -> Posterior:
    """A posterior made of given draws: a point estimate, draws of another sampler, or a made-up case.

    Parameters
    ----------
    spec : ModelSpec
    data : DataFrame
    beta : array [coefficient] or [draw, coefficient]
    G : mapping of group to array [effect, effect] or [draw, effect, effect]
        Covariance of the random effects.
    auxiliary : mapping of name to scalar or array [draw]
        The parameters without a formula.
    u : mapping of group to array [level, effect] or [draw, level, effect], optional
        Random effects; 0 where not given.
    further : mapping of parameter to array [coefficient] or [draw, coefficient]
        Coefficients of the further parameters that have a formula.

    Returns
    -------
    Posterior
        With one chain.

    Raises
    ------
    SpecError, DataError
        As :func:`~bayes_glmm.design.build_design`, and for arrays that do not fit the model.
    """
    design = build_design(spec, data)
    spec = spec.of(design.categories, design.occasions)
    return posterior_of(Problem(spec, design, resolve_priors(spec, design)), beta, G, auxiliary, u, further)


def posterior_of(
    problem: Problem,
    beta: ArrayLike,
    G: Mapping[str, ArrayLike],
    auxiliary: Mapping[str, ArrayLike] | None = None,
    u: Mapping[str, ArrayLike] | None = None,
    further: Mapping[str, ArrayLike] | None = None,
) -> Posterior:
    """As :func:`posterior_at`, of a problem: a design and priors that are there already."""
    spec, design = problem.spec, problem.design
    beta = np.atleast_2d(np.asarray(beta, float))
    n = len(beta)

    def drawn(name: str, value: Any, *shape: int) -> np.ndarray:
        value = np.asarray(value, float)
        if value.shape not in (shape, (1, *shape), (n, *shape)):
            raise DataError(
                f"{name} has shape {list(value.shape)}; the model has {list(shape)}.",
                advice=f"Put the draws first: {[n, *shape]}.",
            )
        return np.broadcast_to(value, (n, *shape))[None]

    location, *others = design.predictors.fixed
    known_names = (
        (G, [block.group for block in design.blocks]),
        (auxiliary or {}, list(spec.auxiliary)),
        (further or {}, [one.parameter for one in others]),
    )
    for given, known in known_names:
        if unknown := [name for name in given if name not in known]:
            advice = choices(unknown[0], known) if known else "It has none of this kind."
            raise DataError(f"The model has no {unknown[0]!r}.", advice=advice)
    fixed = {location.parameter: beta} | {one.parameter: (further or {}).get(one.parameter) for one in others}
    variables: dict[str, Any] = {}
    coords: dict[str, Any] = {"chain": [0], "draw": np.arange(n)}
    for one in design.predictors.fixed:
        if (value := fixed[one.parameter]) is None:
            raise DataError(f"The coefficients of {one.parameter!r} are not given.", "further")
        variables[one.variable] = (("chain", "draw", one.dim), drawn(one.variable, value, len(one.coefficients)))
        coords[one.dim] = list(one.coefficients)
    for name, value in (auxiliary or {}).items():
        variables[name] = (("chain", "draw"), drawn(name, value))
    covariances: dict[str, np.ndarray] = {}
    for block in design.blocks:
        g, effect = block.group, block.effect_dim
        coords |= {block.level_dim: list(block.levels), effect: list(block.effects)}
        if g not in G:
            raise DataError(f"The covariance of the random effects of {g!r} is not given.", "G")
        levels, effects = len(block.levels), len(block.effects)
        covariances[g] = drawn(f"G[{g!r}]", G[g], effects, effects)
        effects_at = (u or {}).get(g, np.zeros((levels, effects)))
        variables[f"u_{g}"] = (
            ("chain", "draw", block.level_dim, effect),
            drawn(f"u[{g!r}]", effects_at, levels, effects),
        )
    data = xr.Dataset(variables, coords)
    if design.thresholds:
        data = with_thresholds(data, design)
    if design.residual is not None:
        data = with_correlation(data, design.residual)
    for block in design.blocks:
        data = with_covariance(data, block, covariances[block.group])
    tree = xr.DataTree.from_dict({"posterior": data})
    return Posterior(spec, design, problem.priors, tree, {})
