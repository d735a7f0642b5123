"""One table of models: structures of random effects x families, with the obstacles to each system of coordinates.

The contracts of this folder read it. A new family is found by itself; a structure or a system is one more line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

import bayes_glmm as bg
from bayes_glmm.families import Family
from bayes_glmm.inference.whitening import MOST_EFFECTS
from tests.families import EACH
from tests.likelihood import cases


@cache
def data() -> pd.DataFrame:
    """The rows of other tests; counts and successes with zeros of their own, more in some groups than in others.

    Where there are none, a predictor of them has no Laplace approximation.
    """
    rng, frame = np.random.default_rng(2), cases.data()
    share = rng.beta(1.0, 1.5, 20)[frame["g"].astype(int)]
    zero, counts = rng.uniform(size=len(frame)) < share, 1 + rng.negative_binomial(2, 0.3, len(frame))
    successes = rng.binomial(frame["trials"] + 5, rng.beta(1.5, 2.0, len(frame)))
    return frame.assign(
        count=np.where(zero, 0, counts),
        positive_count=counts,
        trials=frame["trials"] + 5,
        successes=np.where(zero, 0, successes),
    )


@dataclass(frozen=True)
class Structure:
    """Random effects of a model, written after the fixed ones.

    Attributes
    ----------
    name, terms : str
    single : bool
        One grouping factor with one effect per level.
    further : str
        The formula of one further parameter, in families that have such.
    """

    name: str
    terms: str
    single: bool = False
    further: str = ""


STRUCTURES = (
    Structure("none", ""),
    Structure("intercept", "(1 | g)", single=True),
    Structure("correlated", "(x | g)"),
    Structure("independent", "(x || g)"),
    Structure("crossed", "(1 | g) + (1 | h)"),
    Structure("nested", "(1 | k / h)"),
    Structure("three factors", "(x | g) + (1 | h) + (1 | k)"),
    Structure("one correlation", "homcs(0 + C(k) | g)"),
    Structure("two predictors", "", further="x"),
    Structure("beside a formula", "(1 | g)", single=True, further="x"),
    Structure("across predictors", "(1 |i| g)", further="x + (1 |i| g)"),
)


@dataclass(frozen=True)
class Instance:
    """A structure with a family.

    Attributes
    ----------
    structure : Structure
    family : Family
    """

    structure: Structure
    family: Family

    def __str__(self) -> str:
        return f"{self.family.name}, {self.structure.name}"

    @property
    def parameter(self) -> str:
        """The further parameter that has a formula; empty where there is none."""
        asked = self.structure.further and not self.family.shared_formula
        return next((one.name for one in self.family.parameters[1:] if one.links), "") if asked else ""

    @property
    def effects(self) -> int:
        """Effects per level of the factor g, whichever predictors they enter."""
        of_one = 4 if "C(k)" in self.structure.terms else 2 if re.search(r"\(x \|+ g\)", self.structure.terms) else 1
        further = bool(self.parameter) and "|" in self.structure.further
        return of_one * (self.family.categories - 1 if self.family.shared_formula else 1 + further)

    @property
    def exists(self) -> bool:
        """Whether the family has what the structure is about."""
        return bool(self.parameter) or not self.structure.further

    def model(self) -> bg.GLMM:
        """The model of small data of that kind of response."""
        kind = self.family.response
        response = "p(successes, trials)" if kind.trials else kind.name
        first = f"{response} ~ x{' + ' * bool(self.structure.terms)}{self.structure.terms}"
        further = [f"{self.parameter} ~ {self.structure.further}"] if self.parameter else []
        return bg.GLMM([first, *further], data(), self.family.name)

    def obstacle(self, system: str) -> str:
        """What keeps the model out of a system, in the words of its message; empty where nothing does.

        Parameters
        ----------
        system : {"fixed", "whitened", "closed form", "quadrature"}
        """
        effects = "|" in self.structure.terms or "|" in (self.structure.further if self.parameter else "")
        if system == "fixed":
            return "no compiled density of fixed effects" if effects else ""
        if not effects:
            return {"quadrature": "too many nodes"}.get(system, "no random effects|no closed form")
        if system == "closed form":
            return "" if self.family.name == "gaussian" and not self.parameter else "no closed form"
        if system == "whitened" and self.effects > MOST_EFFECTS:
            return "too many effects per level"
        if system == "quadrature":
            return "" if self.structure.single and not self.family.shared_formula else "too many nodes"
        return ""


INSTANCES = tuple(
    one for one in (Instance(structure, family) for structure in STRUCTURES for family in EACH) if one.exists
)
# each family and each structure once or more, so that a quick run meets all of them
DIAGONAL = tuple(
    one
    for k, family in enumerate(EACH)
    for one in (Instance(STRUCTURES[k % len(STRUCTURES)], family), Instance(STRUCTURES[1], family))
    if one.exists
)
