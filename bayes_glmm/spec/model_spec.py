"""ModelSpec: everything a person asked for, in one immutable record that goes to and from a plain dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.families import (
    FLEXIBLE,
    Family,
    Functional,
    Link,
    Parameter,
    Value,
    get_family,
    get_link,
    in_form,
    own_family,
    pattern_of,
)
from bayes_glmm.names import is_specific
from bayes_glmm.numerics.functions import Functions
from bayes_glmm.spec.additions import Additions
from bayes_glmm.spec.formula import Formula
from bayes_glmm.spec.priors import Prior
from bayes_glmm.spec.reading import check_no_clash, check_residual, family_name, random_term
from bayes_glmm.spec.several import (
    Formulas,
    Links,
    check_of_categories,
    check_text,
    formulas_of_categories,
    links_of,
    read_formulas,
)
from bayes_glmm.spec.specific import check_specific
from bayes_glmm.spec.terms import RandomTerm

_BESIDE = ("trials", "frequency", "sampling", "cens", "trunc")  # the response, as texts
_PARTS = ("response", *_BESIDE, "fixed", "offset", "random", "residual")


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
    of_categories : dict of str to Formula
        Of single categories, by parameter, where each has a predictor; the others have the formula of the response.
    reference : str
        The category that others are compared with, where they have no order; the first of the data if empty.
    categories : tuple of str
        The categories of the response in the data; none of numbers, and before there are data.
    own : Family or None
        The record of a user's own family; None for a family of the package.
    thresholds : str
        The pattern of the thresholds of ordered categories: "flexible", "equidistant" or "symmetric".
    occasions : int
        How many occasions correlated residuals have in the data; 0 before there are data.

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
    of_categories: dict[str, Formula] = field(default_factory=dict)
    reference: str = ""
    categories: tuple[str, ...] = field(default=(), compare=False)
    own: Family | None = None
    thresholds: str = FLEXIBLE
    occasions: int = field(default=0, compare=False)

    @classmethod
    def from_formula(
        cls,
        formula: Formulas,
        family: str | Family = "gaussian",
        link: Links = None,
        priors: Mapping[str, str | Prior] | None = None,
        formulas: Mapping[str, str] | None = None,
        thresholds: str | None = None,
        reference: str | int | None = None,
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
        thresholds : {"flexible", "equidistant", "symmetric"}, optional
            The pattern of the thresholds of ordered categories; flexible by default.
        reference : str or number, optional
            Of categories without an order the one that others are compared with; the first by default.

        Raises
        ------
        SpecError
            For a formula, family, link or prior that cannot be.
        """
        first, further, additions = read_formulas(formula, formulas)
        reference = "" if reference is None else str(reference)
        return cls._checked(first, further, additions, family, link, priors, thresholds, reference)

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
        known = ("formula", *_PARTS, "formulas", "family", "link", "priors", "thresholds", "reference")
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
            for key in ("response", *_BESIDE, "fixed", "offset", "residual"):
                check_text(
                    key, mapping.get(key, "1" if key == "fixed" else None), required=key in ("response", "fixed")
                )
            terms = mapping.get("random") or ()
            if not isinstance(terms, Sequence) or isinstance(terms, str):
                raise SpecError(f"The random terms are a {type(terms).__name__}.", advice="Give a list of them.")
            random = tuple(random_term(term) for term in terms)
            given: dict[str, Any] = {key: mapping.get(key) for key in (*_BESIDE, "offset")}
            parts_text = Formula(mapping["response"], mapping.get("fixed", "1"), random, **given)
            written = str(parts_text) + "".join(f" + {term}" for term in [mapping.get("residual")] if term)
        return cls.from_formula(
            written,
            mapping.get("family", "gaussian"),
            mapping.get("link"),
            mapping.get("priors"),
            mapping.get("formulas"),
            mapping.get("thresholds"),
            mapping.get("reference"),
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
        thresholds: str | None,
        reference: str,
    ) -> ModelSpec:
        own = own_family(family) if isinstance(family, Family) else None
        found = own or get_family(family_name(family))
        pattern = pattern_of(found, thresholds)
        found = in_form(found, pattern, formulas, bool(formula.specific))
        check_specific(found, pattern, formula, formulas)
        additions.check_family(found)
        if reference and not found.response.nominal:
            raise SpecError(
                f"A {found.name} response has no reference category.",
                f"reference {reference!r}",
                "Leave it out, or use family='categorical'.",
            )
        of_categories = formulas if found.shared_formula else {}
        check_of_categories(found, of_categories)
        formulas = {} if found.shared_formula else formulas
        links = links_of(found, formulas, link)
        check_residual(found, formula, formulas, of_categories, links)
        additions.check_link(links[found.location.name])
        formulas = {name: formulas[name] for name in links if name in formulas}
        if formula.trials is not None and not found.response.trials:
            advice = "Leave them out: they are the sums of the counts." if formula.counts else "Use family='binomial'."
            raise SpecError(f"The {found.name} family takes no trials.", str(formula), advice)
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
            check_no_clash(own, formula, formulas)
        link_name = links.pop(found.location.name)
        return cls(
            formula, found.name, link_name, given, formulas, links, of_categories, reference,
            own=own, thresholds=pattern,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """A plain dict, as a config file has it."""
        formula = self.formula
        result: dict[str, Any] = {"response": formula.response}
        result |= {key: value for key in _BESIDE if (value := getattr(formula, key)) is not None}
        result["fixed"] = formula.all_fixed
        if formula.random:
            result["random"] = [
                {"effects": term.effects, "group": term.group, "correlated": term.correlated}
                | ({"shared": term.shared} if term.shared else {})
                | ({"covariance": term.covariance} if term.covariance else {})
                for term in formula.random
            ]
        if formula.offset is not None:
            result["offset"] = formula.offset
        if formula.residual is not None:
            result["residual"] = str(formula.residual)
        if self.stated:
            result["formulas"] = {name: one.right for name, one in self.stated.items()}
        links = self.stated_links
        link = {self.family.location.name: self.link_name} | links if links else self.link_name
        result |= {"family": self.family_name, "link": link}
        if self.thresholds != FLEXIBLE:
            result["thresholds"] = self.thresholds
        if self.reference:
            result["reference"] = self.reference
        if self.priors:
            result["priors"] = {name: str(prior) for name, prior in self.priors.items()}
        return result

    @property
    def family(self) -> Family:
        """The family record, in the form that was asked for, with the number of categories of the data."""
        base, specific = self.own or get_family(self.family_name), bool(self.formula.specific)
        record = in_form(base, self.thresholds, self.formulas, specific)
        if (residual := self.formula.residual) and record.with_residual:
            return record.with_residual(residual.name, self.occasions)
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
        location = self.family.location.name
        first = self.of_categories.get(location, self.formula)
        return {location: first} | {name: self.formulas[name] for name in further}

    @property
    def asked(self) -> tuple[Formula, ...]:
        """The formulas as they were written."""
        return self.formula, *self.stated.values()

    @property
    def stated(self) -> dict[str, Formula]:
        """The formulas beside that of the response, as they were written: without those that follow from it."""
        if self.family.shared_formula:
            return self.of_categories
        return {name: one for name, one in self.formulas.items() if not is_specific(name)}

    @property
    def stated_links(self) -> dict[str, str]:
        """The link of each of these formulas that has one of its own."""
        return {} if self.family.shared_formula else {name: self.links[name] for name in self.stated}

    @property
    def auxiliary(self) -> dict[str, Parameter]:
        """The parameters without a formula, by name: constants with a prior on their own scale."""
        return {name: one for name, one in self.family.auxiliary.items() if name not in self.formulas}

    @property
    def random(self) -> tuple[RandomTerm, ...]:
        """The random terms of all formulas as they were written."""
        return tuple(term for formula in self.asked for term in formula.random)

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

    def of(self, categories: Sequence[str], occasions: int = 0) -> ModelSpec:
        """The same for data with these categories of the response, and that many occasions of correlated residuals.

        Where each category has a predictor of its own, it has the formula of the response unless it has its own. Each
        threshold gets a predictor of the effects that differ between thresholds.

        Raises
        ------
        SpecError
            For a formula of a category that they do not have.
        """
        if not categories:
            return replace(self, occasions=occasions) if occasions else self
        found = replace(self, categories=tuple(categories))
        if self.formula.specific:
            names = [one.name for one in found.family.parameters if one.threshold]
            own = {name: Formula(name, self.formula.specific) for name in names}
            return replace(found, formulas=self.stated | own, links=self.stated_links | dict.fromkeys(own, "identity"))
        if not found.family.shared_formula:
            return found
        formulas = formulas_of_categories(found.family, self.formula, self.of_categories, categories)
        del formulas[found.family.location.name]
        return replace(found, formulas=formulas, links=dict.fromkeys(formulas, self.link_name))

    @property
    def written(self) -> str:
        """The formulas as they were written: one that categories share appears once."""
        return "; ".join(map(str, self.asked))

    def __str__(self) -> str:
        further = "".join(f", {link} link of {name}" for name, link in self.stated_links.items())
        further += "" if self.thresholds == FLEXIBLE else f", {self.thresholds} thresholds"
        further += f", reference {self.reference}" if self.reference else ""
        return f"{self.written}   [{self.family_name}, {self.link_name} link{further}]"
