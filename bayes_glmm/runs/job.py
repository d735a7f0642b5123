"""A config made ready to run: everything that can be wrong is found here, before any sampling, with its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayes_glmm.design import Design, Priors, Problem, build_design, resolve_priors
from bayes_glmm.design.encode import label_columns, mean_columns
from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families import get_family, link_of, pattern_of
from bayes_glmm.inference import COORDINATES, ENGINES, Settings
from bayes_glmm.posterior import posterior_at
from bayes_glmm.runs.answers import answer
from bayes_glmm.runs.config import read_config
from bayes_glmm.runs.data import read_data
from bayes_glmm.runs.document import Document
from bayes_glmm.runs.schema import Config, EffectSection
from bayes_glmm.spec import ModelSpec, Prior, read_formulas


@dataclass(frozen=True)
class Job:
    """What a config asks for, checked.

    Attributes
    ----------
    config : Config
    document : Document
    spec : ModelSpec
    data : DataFrame
        All columns and rows, as read.
    design : Design
    priors : Priors
    settings : Settings
    effects : tuple of EffectSection
        Those asked for; a comparison of every variable of the fixed effects where none is.
    """

    config: Config
    document: Document
    spec: ModelSpec
    data: pd.DataFrame
    design: Design
    priors: Priors
    settings: Settings
    effects: tuple[EffectSection, ...]

    @property
    def problem(self) -> Problem:
        """Specification, design and priors in one record."""
        return Problem(self.spec, self.design, self.priors)

    @property
    def title(self) -> str:
        """The config's title, or its name."""
        return self.config.title or self.document.path.stem

    @property
    def folder(self) -> Path:
        """Where the run goes."""
        return Path(self.config.outputs.folder or Path("runs") / self.document.path.stem)


def prepare(path: str | Path, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Job:
    """Read a config and its data, and build the model without sampling.

    Parameters
    ----------
    path : str or Path
    overrides : mapping of section to mapping of key to value, optional
        Values in place of the file's.

    Raises
    ------
    ConfigError
        For whatever is wrong with the file, the data, the model, its priors or the effects asked for.
    """
    config, document = read_config(path, overrides)
    spec = _read_spec(config, document)
    settings = _read_settings(config, document)
    place = ("model", "formula" if config.model.formula else "response")
    with document.at(*place):
        labels = label_columns(spec.asked)
    data = read_data(config.data, document, labels)
    with document.at(*place):
        design = build_design(spec, data, config.data.missing)
    spec = spec.of(design.categories, design.occasions)
    priors = _read_priors(spec, design, document)
    effects = _read_effects(config, spec, design, document)
    return Job(config, document, spec, data, design, priors, settings, effects)


def _read_spec(config: Config, document: Document) -> ModelSpec:
    """The model, part by part, so that each error has its line."""
    section = config.model
    if section.formula is not None:
        with document.at("model", "formula"):
            read_formulas(section.formula)
    for name, right in section.formulas.items():
        with document.at("model", "formulas", name):
            read_formulas("y ~ 1", {name: right})
    with document.at("model", "family"):
        family = get_family(section.family)
    if section.thresholds is not None:
        with document.at("model", "thresholds"):
            pattern_of(family, section.thresholds)
    for name, link in _named_links(section.link, family.location.name).items():
        with document.at("model", "link", *([name] if isinstance(section.link, dict) else [])):
            if any(one.name == name for one in family.parameters):  # others the model refuses, whose formulas it knows
                link_of(family, name, link)
    for name, prior in section.priors.items():
        with document.at("model", "priors", name):
            Prior.parse(prior)
    with document.at("model", "formula" if section.formula is not None else "response"):
        return ModelSpec.from_dict(section.model_dump(exclude_none=True))


def _named_links(link: str | dict[str, str] | None, location: str) -> dict[str, str]:
    return link if isinstance(link, dict) else {} if link is None else {location: link}


def _read_settings(config: Config, document: Document) -> Settings:
    for key, valid in (("engine", ENGINES), ("coordinates", COORDINATES)):
        with document.at("sampler", key):
            if (name := getattr(config.sampler, key)) not in valid:
                raise SpecError(f"The sampler has no {key} {name!r}.", advice=choices(name, valid))
    return Settings(**config.sampler.model_dump())


def _read_priors(spec: ModelSpec, design: Design, document: Document) -> Priors:
    """The priors, proved by building the model; where that fails, each is tried alone to find the one at fault."""
    try:
        return _proved_priors(spec, design)
    except SpecError as error:
        for name, prior in spec.priors.items():
            with document.at("model", "priors", name):
                _proved_priors(replace(spec, priors={name: prior}), design)
        raise document.error(error, "model") from error


def _proved_priors(spec: ModelSpec, design: Design) -> Priors:
    from bayes_glmm.model import build_model  # PyMC takes seconds

    priors = resolve_priors(spec, design)
    build_model(Problem(spec, design, priors))
    return priors


def _read_effects(config: Config, spec: ModelSpec, design: Design, document: Document) -> tuple[EffectSection, ...]:
    """The effects, each asked once of a made-up posterior of one draw: what it would say later it says now."""
    if config.effects is None:
        readings = ["integrated", "zero"] if spec.has_averages else ["zero"]
        return tuple(EffectSection(compare=name, random_effects=readings) for name in mean_columns(spec))
    posterior = posterior_at(
        spec,
        design.data,
        beta=np.zeros(len(design.coefficients)),
        G={block.group: np.eye(len(block.effects)) for block in design.blocks},
        auxiliary={name: np.full(1, one.middle or 1.0) for name, one in spec.auxiliary.items()},
        further={one.parameter: np.zeros(len(one.coefficients)) for one in design.predictors.fixed[1:]},
    )
    for i, effect in enumerate(config.effects):
        with document.at("effects", i, effect.kind), np.errstate(all="ignore"):
            answer(posterior, effect)
    return tuple(config.effects)
