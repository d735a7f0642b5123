"""ModelSpec: everything a person asked for, in one immutable record that goes to and from a plain dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families import Family, Functional, Link, Parameter, Value, get_family, get_link, link_of, own_family
from bayes_glmm.numerics.functions import Functions
from bayes_glmm.spec.additions import SIGMA, Additions, without_additions
from bayes_glmm.spec.formula import Formula, parse_formula
from bayes_glmm.spec.priors import Prior
from bayes_glmm.spec.terms import RandomTerm

_BESIDE = ("trials", "frequency", "cens", "trunc")  # the response, as texts
_PARTS = ("response", *_BESIDE, "fixed", "offset", "random")
Formulas = str | Sequence[str]
Links = str | Mapping[str, str] | None


@dataclass(frozen=True)
class ModelSpec:
    """A generalized linear mixed model as asked for, before any data.

    Attributes
    ----------
    formula : Formula
        Response, and fixed effects, random terms and offset of its location.
    family_name, link_name : str
        The family, and the link of its location.
    priors : dict of str to Prior
        Only those the person set. Keys: a coefficient (``"Intercept"``, ``"age"``), ``"beta"`` for all coefficients but
        the intercept, ``"sd"``, ``"sd_g"``, ``"sd_g[x]"``, ``"corr"``, ``"corr_g"``, and the parameters without a
        formula (``"sigma"``, ``"phi"``, ``"nu"``); of a parameter with one ``"sigma.x"``, ``"sigma.beta"``,
        ``"sigma.sd_g"``.
    formulas : dict of str to Formula
        Of further parameters of the family; those without one are constants.
    links : dict of str to str
        The link of each further parameter with a formula.
    categories : tuple of str
        The categories of the response in the data; none of numbers, and before there are data.
    own : Family or None
        The record of a user's own family; None for a family of the package.

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
    formulas: dict[str, Formula] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    categories: tuple[str, ...] = field(default=(), compare=False)
    own: Family | None = None

    @classmethod
    def from_formula(
        cls,
        formula: Formulas,
        family: str | Family = "gaussian",
        link: Links = None,
        priors: Mapping[str, str | Prior] | None = None,
        formulas: Mapping[str, str] | None = None,
    ) -> ModelSpec:
        """Read formulas in lme4's notation.

        Parameters
        ----------
        formula : str or list of str
            That of the response; in a list, formulas of further parameters follow it: ``["y ~ x", "sigma ~ z"]``.
        family : str or Family
            A name in ``bayes_glmm.families.FAMILIES``, or a family of your own.
        link : str or mapping of parameter to str, optional
            A link of the location; of each parameter the first that it takes by default.
        priors : mapping, optional
            Text such as ``"Normal(0, 2.5)"`` for each name to override.
        formulas : mapping of parameter to str, optional
            The right-hand sides of further parameters, another way to write the list: ``{"sigma": "z + (1 | g)"}``.

        Raises
        ------
        SpecError
            For a formula, family, link or prior that cannot be.
        """
        first, further, additions = read_formulas(formula, formulas)
        return cls._checked(first, further, additions, family, link, priors)

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
        known = ("formula", *_PARTS, "formulas", "family", "link", "priors")
        for key in mapping:
            if key not in known:
                raise SpecError(f"A model has no {key!r}.", advice=choices(key, known))
        if "formula" in mapping:
            if parts := [key for key in _PARTS if key in mapping]:
                raise SpecError(f"Both 'formula' and {parts[0]!r} are given.", advice="Give the formula or its parts.")
            written: Formulas = mapping["formula"]
        elif "response" not in mapping:
            raise SpecError("A model needs a 'formula', or at least a 'response'.")
        else:
            for key in ("response", *_BESIDE, "fixed", "offset"):
                _check_text(
                    key, mapping.get(key, "1" if key == "fixed" else None), required=key in ("response", "fixed")
                )
            terms = mapping.get("random") or ()
            if not isinstance(terms, Sequence) or isinstance(terms, str):
                raise SpecError(f"The random terms are a {type(terms).__name__}.", advice="Give a list of them.")
            random = tuple(_random_term(term) for term in terms)
            given = {key: mapping.get(key) for key in (*_BESIDE, "offset")}
            parts_text = Formula(mapping["response"], mapping.get("fixed", "1"), random, **given)
            written = str(parts_text)
        return cls.from_formula(
            written,
            mapping.get("family", "gaussian"),
            mapping.get("link"),
            mapping.get("priors"),
            mapping.get("formulas"),
        )

    @classmethod
    def _checked(
        cls,
        formula: Formula,
        formulas: dict[str, Formula],
        additions: Additions,
        family: str | Family,
        link: Links,
        priors: Mapping[str, str | Prior] | None,
    ) -> ModelSpec:
        own = own_family(family) if isinstance(family, Family) else None
        found = own or get_family(_family_name(family))
        additions.check_family(found)
        links = _links(found, formulas, link)
        additions.check_link(links[found.location.name])
        formulas = {name: formulas[name] for name in links if name in formulas}
        if formula.trials is not None and not found.response.trials:
            raise SpecError(f"The {found.name} family takes no trials.", str(formula), "Use family='binomial'.")
        if formula.trials is None and found.response.trials:
            raise SpecError(
                f"The {found.name} family needs the number of trials.",
                str(formula),
                "Write p(y, n) ~ ... or y | trials(n) ~ ...; for a 0/1 response use family='bernoulli'.",
            )
        if priors is not None and not isinstance(priors, Mapping):
            raise SpecError(
                f"The priors are a {type(priors).__name__}.", advice="Give names and texts: {'beta': 'Normal(0, 1)'}."
            )
        given = {name: Prior.parse(prior) for name, prior in (priors or {}).items()}
        if own is not None:
            _check_no_clash(own, formula, formulas)
        return cls(formula, found.name, links.pop(found.location.name), given, formulas, links, own=own)

    def to_dict(self) -> dict[str, Any]:
        """A plain dict, as a config file has it."""
        formula = self.formula
        result: dict[str, Any] = {"response": formula.response}
        result |= {key: value for key in _BESIDE if (value := getattr(formula, key)) is not None}
        result["fixed"] = formula.fixed
        if formula.random:
            result["random"] = [
                {"effects": term.effects, "group": term.group, "correlated": term.correlated}
                | ({"shared": term.shared} if term.shared else {})
                for term in formula.random
            ]
        if formula.offset is not None:
            result["offset"] = formula.offset
        if self.formulas and not self.family.shared_formula:
            result["formulas"] = {name: one.right for name, one in self.formulas.items()}
        links = {} if self.family.shared_formula else self.links
        link = {self.family.location.name: self.link_name} | links if links else self.link_name
        result |= {"family": self.family_name, "link": link}
        if self.priors:
            result["priors"] = {name: str(prior) for name, prior in self.priors.items()}
        return result

    @property
    def family(self) -> Family:
        """The family record, with the number of categories of the data."""
        record = self.own or get_family(self.family_name)
        return record.with_categories(self.categories) if record.with_categories and self.categories else record

    @property
    def link(self) -> Link:
        """The link record of the location."""
        return get_link(self.link_name)

    def link_of(self, parameter: str) -> Link:
        """The link record of a parameter with a formula."""
        return get_link(self.links.get(parameter, self.link_name))

    def link_of_part(self, part: Functional) -> Link:
        """The link record by which a functional of the response follows the predictor that it is proportional to."""
        return get_link(part.link) if part.link else self.link_of(part.factor or self.family.location.name)

    @property
    def scale_name(self) -> str:
        """The scale of the location's linear predictor: its link, or "log" where the location is one of logarithms."""
        return self.family.mean.link or self.link_name

    @property
    def has_averages(self) -> bool:
        """Whether the mean of the response has an average over the random effects."""
        mean = self.family.mean
        without = any(self.predicted[name].random for name in mean.diverges if name in self.predicted)
        return not without and self.link_of_part(mean).has_average

    @property
    def predicted(self) -> dict[str, Formula]:
        """The formula of each parameter that has one, the location first, then in the family's order."""
        further = (name for name in self.family.auxiliary if name in self.formulas)
        return {self.family.location.name: self.formula} | {name: self.formulas[name] for name in further}

    @property
    def auxiliary(self) -> dict[str, Parameter]:
        """The parameters without a formula, by name: constants with a prior on their own scale."""
        return {name: one for name, one in self.family.auxiliary.items() if name not in self.formulas}

    @property
    def random(self) -> tuple[RandomTerm, ...]:
        """The random terms of all formulas."""
        return tuple(term for formula in self.predicted.values() for term in formula.random)

    @property
    def limited(self) -> bool:
        """Whether the response is censored or truncated: what rows contribute is not the density of a value."""
        return bool(self.formula.before)

    @property
    def defined_everywhere(self) -> bool:
        """Whether every linear predictor has a mean that the family can have."""
        needed = self.family.location.support
        return self.link.range in ("real", "positive") if needed == "real" else self.link.range == needed

    def at(self, eta: Mapping[str, Any], auxiliary: Mapping[str, Any], f: Functions) -> dict[str, Value]:
        """The value of each parameter of the family, at its linear predictor or as a constant: see :meth:`Family.at`.

        Parameters
        ----------
        eta : mapping of parameter to array
            Of each parameter with a formula.
        auxiliary : mapping of parameter to array
            Of the others.
        f : Functions
            The namespace that all of them live in.
        """
        return self.family.at({name: (one, self.link_of(name)) for name, one in eta.items()}, auxiliary, f)

    def of(self, categories: Sequence[str]) -> ModelSpec:
        """The same for data with these categories of the response; itself for a response of numbers.

        Where each category has a predictor of its own, it has the formula of the response.
        """
        if not categories:
            return self
        found = replace(self, categories=tuple(categories))
        if not found.family.shared_formula:
            return found
        further = found.family.auxiliary
        formulas = {name: replace(self.formula, response=name) for name in further}
        return replace(found, formulas=formulas, links=dict.fromkeys(further, self.link_name))

    @property
    def written(self) -> str:
        """The formulas as they were written: one that categories share stands once."""
        return str(self.formula) if self.family.shared_formula else "; ".join(map(str, self.predicted.values()))

    def __str__(self) -> str:
        links = {} if self.family.shared_formula else self.links
        further = "".join(f", {link} link of {name}" for name, link in links.items())
        return f"{self.written}   [{self.family_name}, {self.link_name} link{further}]"


def read_formulas(
    formula: Formulas, formulas: Mapping[str, str] | None = None
) -> tuple[Formula, dict[str, Formula], Additions]:
    """The formula of the response, those of further parameters by name, and the terms beside the response.

    Raises
    ------
    SpecError
        For formulas that cannot be read, and two of one parameter.
    """
    if isinstance(formula, str) or not isinstance(formula, Sequence):
        formula = [formula]
    if not formula:
        raise SpecError("There is no formula.", advice="Write: response ~ terms.")
    if formulas is not None and not isinstance(formulas, Mapping):
        raise SpecError(f"The formulas are a {type(formulas).__name__}.", advice="Give {'sigma': 'x + (1 | g)'}.")
    for name, right in (formulas or {}).items():
        _check_text(f"formula of {name!r}", right, required=True)
    plain, additions = without_additions(formula[0])
    first = additions.of_response(parse_formula(plain))
    further = [parse_formula(one) for one in formula[1:]]
    further += [parse_formula(f"{name} ~ {right}") for name, right in (formulas or {}).items()]
    further += [parse_formula(f"{SIGMA} ~ {additions.sigma}")] if additions.sigma else []
    found: dict[str, Formula] = {}
    for one in further:
        if one.trials:
            raise SpecError("Only a response has trials.", str(one), f"Write {one.response} ~ ...")
        if one.response in found:
            raise SpecError(f"{one.response!r} has two formulas.", str(one), "Give a parameter of the family once.")
        found[one.response] = one
    return first, found, additions


def _links(family: Family, formulas: Mapping[str, Formula], link: Links) -> dict[str, str]:
    """The link of each parameter with a formula."""
    location = family.location.name
    for name, formula in formulas.items():
        if name not in family.auxiliary:
            if family.shared_formula:
                raise SpecError(
                    f"All categories of a {family.name} response have its formula; {name!r} cannot have another.",
                    str(formula),
                    "Leave it out.",
                )
            which = "is the location of it" if name == location else "is not a parameter of it"
            raise SpecError(
                f"The {family.name} family has no further parameter {name!r}: {name} {which}.",
                str(formula),
                choices(name, family.auxiliary) if family.auxiliary else "Its only parameter is that of the response.",
            )
    if isinstance(link, Mapping) and family.shared_formula:
        raise SpecError("All categories have one link.", f"link {dict(link)}", f"Write link={family.links[0]!r}.")
    if not isinstance(link, Mapping):
        _check_text("link", link)
        link = {} if link is None else {location: link}
    predicted = (location, *(name for name in family.auxiliary if name in formulas))
    for name in link:
        if name not in predicted:
            raise SpecError(
                f"No formula of a parameter {name!r} takes a link.", f"link {name!r}", choices(name, predicted)
            )
        _check_text(f"link of {name!r}", link[name])
    return {name: link_of(family, name, link.get(name)).name for name in predicted}


def _family_name(family: Any) -> str:
    """The name of a family that is given by its name, or as a record of the package."""
    if not isinstance(family, str | Family | None):
        raise SpecError(
            f"The family of a model is text or a bayes_glmm.Family, not {type(family).__name__}.",
            advice="Write family='poisson'.",
        )
    return family.name if isinstance(family, Family) else family  # type: ignore[return-value]  # None has no family


def _check_no_clash(family: Family, formula: Formula, formulas: Mapping[str, Formula]) -> None:
    """No parameter of a user's own family has the name of a variable of the draws that the data name."""
    groups = {term.group for one in (formula, *formulas.values()) for term in one.random}
    for name in family.auxiliary:
        if name in groups | {formula.response.strip("`")}:
            raise SpecError(
                f"{name!r} is a parameter of the family {family.name!r}, and a column that the formula names.",
                str(formula),
                "Rename one of them.",
            )


def _check_text(key: str, value: Any, required: bool = False) -> None:
    if (value is None and required) or not isinstance(value, str | None):
        raise SpecError(f"The {key} of a model is text, not {type(value).__name__}.", advice="Put it in quotes.")


def _random_term(mapping: Mapping[str, Any]) -> RandomTerm:
    known = ("effects", "group", "correlated", "shared")
    if not isinstance(mapping, Mapping):
        raise SpecError(f"A random term is a {type(mapping).__name__}.", str(mapping), f"Give {', '.join(known)}.")
    for key in mapping:
        if key not in known:
            raise SpecError(f"A random term has no {key!r}.", str(dict(mapping)), choices(key, known))
    if missing := [key for key in known[:2] if key not in mapping]:
        raise SpecError(f"A random term needs {missing[0]!r}.", str(dict(mapping)))
    if not isinstance(mapping.get("correlated", True), bool):
        raise SpecError("'correlated' of a random term is true or false.", str(dict(mapping)))
    shared = mapping.get("shared")
    _check_text("shared name of a random term", shared)
    return RandomTerm(str(mapping["effects"]), str(mapping["group"]), bool(mapping.get("correlated", True)), shared)
