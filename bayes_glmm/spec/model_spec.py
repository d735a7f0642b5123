"""ModelSpec: everything a person asked for, in one immutable record that goes to and from a plain dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families import Family, Link, Value, family_and_link
from bayes_glmm.numerics.functions import Functions
from bayes_glmm.spec.formula import Formula, parse_formula
from bayes_glmm.spec.priors import Prior
from bayes_glmm.spec.terms import RandomTerm

_PARTS = ("response", "trials", "fixed", "offset", "random")


@dataclass(frozen=True)
class ModelSpec:
    """A generalized linear mixed model as asked for, before any data.

    Attributes
    ----------
    formula : Formula
        Response, fixed effects, random terms, offset.
    family_name, link_name : str
    priors : dict of str to Prior
        Only those the person set. Keys: a coefficient (``"Intercept"``, ``"age"``), ``"beta"`` for all coefficients but
        the intercept, ``"sd"``, ``"sd_g"``, ``"sd_g[x]"``, ``"corr"``, ``"corr_g"``, and the auxiliary parameters
        (``"sigma"``, ``"phi"``, ``"nu"``).

    Examples
    --------
    >>> spec = ModelSpec.from_formula("y ~ x + (x | g)", family="poisson", priors={"beta": "Normal(0, 1)"})
    >>> spec == ModelSpec.from_dict(spec.to_dict())
    True
    """

    formula: Formula
    family_name: str = "gaussian"
    link_name: str = "identity"
    priors: dict[str, Prior] = field(default_factory=dict)

    @classmethod
    def from_formula(
        cls,
        formula: str,
        family: str = "gaussian",
        link: str | None = None,
        priors: Mapping[str, str | Prior] | None = None,
    ) -> ModelSpec:
        """Read a formula in lme4's notation.

        Parameters
        ----------
        formula : str
        family : str
            A name in ``bayes_glmm.families.FAMILIES``.
        link : str, optional
            A link of the family; its first by default.
        priors : mapping, optional
            Text such as ``"Normal(0, 2.5)"`` for each name to override.

        Raises
        ------
        SpecError
            For a formula, family, link or prior that cannot be.
        """
        return cls._checked(parse_formula(formula), family, link, priors)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> ModelSpec:
        """The inverse of :meth:`to_dict`; also takes ``formula`` in place of the parts.

        Raises
        ------
        SpecError
            For an unknown or missing key, and as :meth:`from_formula`.
        """
        if not isinstance(mapping, Mapping):
            raise SpecError(f"A model is a {type(mapping).__name__}.", advice="Give its parts by name.")
        known = ("formula", *_PARTS, "family", "link", "priors")
        for key in mapping:
            if key not in known:
                raise SpecError(f"A model has no {key!r}.", advice=choices(key, known))
        if "formula" in mapping:
            if parts := [key for key in _PARTS if key in mapping]:
                raise SpecError(f"Both 'formula' and {parts[0]!r} are given.", advice="Give the formula or its parts.")
            formula = parse_formula(mapping["formula"])
        elif "response" not in mapping:
            raise SpecError("A model needs a 'formula', or at least a 'response'.")
        else:
            for key in ("response", "trials", "fixed", "offset"):
                _check_text(
                    key, mapping.get(key, "1" if key == "fixed" else None), required=key in ("response", "fixed")
                )
            terms = mapping.get("random") or ()
            if not isinstance(terms, Sequence) or isinstance(terms, str):
                raise SpecError(f"The random terms are a {type(terms).__name__}.", advice="Give a list of them.")
            random = tuple(_random_term(term) for term in terms)
            parts_text = Formula(
                mapping["response"], mapping.get("fixed", "1"), random, mapping.get("trials"), mapping.get("offset")
            )
            formula = parse_formula(str(parts_text))
        return cls._checked(formula, mapping.get("family", "gaussian"), mapping.get("link"), mapping.get("priors"))

    @classmethod
    def _checked(
        cls, formula: Formula, family: str, link: str | None, priors: Mapping[str, str | Prior] | None
    ) -> ModelSpec:
        _check_text("family", family)
        _check_text("link", link)
        found, chosen = family_and_link(family, link)
        if formula.trials is not None and not found.response.trials:
            raise SpecError(f"The {family} family takes no trials.", str(formula), "Use family='binomial'.")
        if formula.trials is None and found.response.trials:
            raise SpecError(
                "The binomial family needs the number of trials.",
                str(formula),
                "Write p(y, n) ~ ... or y | trials(n) ~ ...; for a 0/1 response use family='bernoulli'.",
            )
        if priors is not None and not isinstance(priors, Mapping):
            raise SpecError(
                f"The priors are a {type(priors).__name__}.", advice="Give names and texts: {'beta': 'Normal(0, 1)'}."
            )
        given = {name: Prior.parse(prior) for name, prior in (priors or {}).items()}
        return cls(formula, found.name, chosen.name, given)

    def to_dict(self) -> dict[str, Any]:
        """A plain dict, as a config file has it."""
        formula = self.formula
        result: dict[str, Any] = {"response": formula.response}
        if formula.trials is not None:
            result["trials"] = formula.trials
        result["fixed"] = formula.fixed
        if formula.random:
            result["random"] = [
                {"effects": term.effects, "group": term.group, "correlated": term.correlated} for term in formula.random
            ]
        if formula.offset is not None:
            result["offset"] = formula.offset
        result |= {"family": self.family_name, "link": self.link_name}
        if self.priors:
            result["priors"] = {name: str(prior) for name, prior in self.priors.items()}
        return result

    @property
    def family(self) -> Family:
        """The family record."""
        return family_and_link(self.family_name, self.link_name)[0]

    @property
    def link(self) -> Link:
        """The link record."""
        return family_and_link(self.family_name, self.link_name)[1]

    @property
    def defined_everywhere(self) -> bool:
        """Whether every linear predictor has a mean that the family can have."""
        needed = self.family.response.range
        return self.link.range in ("real", "positive") if needed == "real" else self.link.range == needed

    def at(self, eta: Any, auxiliary: Mapping[str, Any], f: Functions) -> dict[str, Value]:
        """The value of each parameter of the family, the location at a linear predictor: see :meth:`Family.at`."""
        return self.family.at(eta, self.link, auxiliary, f)

    def __str__(self) -> str:
        return f"{self.formula}   [{self.family_name}, {self.link_name} link]"


def _check_text(key: str, value: Any, required: bool = False) -> None:
    if (value is None and required) or not isinstance(value, str | None):
        raise SpecError(f"The {key} of a model is text, not {type(value).__name__}.", advice="Put it in quotes.")


def _random_term(mapping: Mapping[str, Any]) -> RandomTerm:
    known = ("effects", "group", "correlated")
    if not isinstance(mapping, Mapping):
        raise SpecError(f"A random term is a {type(mapping).__name__}.", str(mapping), f"Give {', '.join(known)}.")
    for key in mapping:
        if key not in known:
            raise SpecError(f"A random term has no {key!r}.", str(dict(mapping)), choices(key, known))
    if missing := [key for key in known[:2] if key not in mapping]:
        raise SpecError(f"A random term needs {missing[0]!r}.", str(dict(mapping)))
    if not isinstance(mapping.get("correlated", True), bool):
        raise SpecError("'correlated' of a random term is true or false.", str(dict(mapping)))
    return RandomTerm(str(mapping["effects"]), str(mapping["group"]), bool(mapping.get("correlated", True)))
