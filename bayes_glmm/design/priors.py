r"""Default priors scaled from the data, and the person's own in their place.

Let s be the scale of the linear predictor (:func:`~bayes_glmm.design.scale.predictor_scale`), S = 2.5 s, and mu0 the
linear predictor that gives the data's mean.

=========================  ============================  ==============================================================
parameter                  default                       why
=========================  ============================  ==============================================================
intercept at the centre    Normal(mu0, S)                around the middle of the data; at x = 0 its width follows
coefficients               Normal(0, S^2 P^-1)           a prior of the span: P is the weighted covariance of the
                                                         columns; Normal(0, S / sd(x)) for one of them (Gelman et al.
                                                         2008), and no row's predictor reaches beyond 4 S
sd of intercepts           HalfStudentT(3, S)            mass near 0 and a tail for large differences; brms, Gelman
                                                         (2006); at the centre of the block's covariates
sd of effect of z_k        HalfStudentT(3, S / sd(z_k))  the same for one sd of z_k
correlations               LKJ(2)                        leans gently away from +-1, at the same centre; Lewandowski
                                                         et al. (2009)
rho, cosy, cor_residual    LKJ(1)                        flat, as brms: those of residuals are high as a rule
sigma                      HalfStudentT(3, sd(y))        brms; sd(y - offset) under the identity link
phi, nu                    InverseGamma(0.4, 0.3),       see ``families.parameter``
                           Gamma(2, 0.1)
a further parameter with   Normal(g(m), S), the span's   m the median of its constant's prior; S and the scale of sds
a formula                  Normal(0, S^2 P^-1)           are in its record
of several categories      the same, correlation 1/2     each by itself; contrasts, whose reference does not matter:
                                                         see ``design.mixture``
thresholds                 in the record of the family   flat over the probabilities of the categories at the centre of
                                                         the columns; they take the intercept's place
=========================  ============================  ==============================================================

These priors are the same in every coding of the data: shifted or rescaled covariates, other reference levels, powers or
orthogonal polynomials. A model without a constant (``0 + x``) is about the written zero by its own meaning: nothing is
centred, and under the identity link S is 2.5 times the root mean square of y. A given prior is that of the quantity as
it is written, at x = 0; ``Intercept[centre]`` addresses the intercept at the centre of the columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bayes_glmm import notebook
from bayes_glmm.design.block import RandomBlock
from bayes_glmm.design.canonical import CENTRE, Canonical, Columns
from bayes_glmm.design.canonical_columns import DefaultSpan, canonical_columns, constant_in
from bayes_glmm.design.design import Design
from bayes_glmm.design.mixture import independent_priors, mixed, mixture
from bayes_glmm.design.predictor import Predictor
from bayes_glmm.design.prior_check import check_keys, check_priors, key_of
from bayes_glmm.design.prior_text import brief, span_source, weight_of_the_prior
from bayes_glmm.design.residual import DEFAULT, place_priors
from bayes_glmm.design.scale import REACH, middle_of, predictor_scale, root_mean_square, spread, weights
from bayes_glmm.design.start import check_start
from bayes_glmm.design.thresholds import check_thresholds, reflected, threshold_priors, threshold_sources
from bayes_glmm.errors import SpecError
from bayes_glmm.names import COR_RESIDUAL, COSY, LOCATION, RHO, threshold
from bayes_glmm.spec import ModelSpec, Prior


@dataclass(frozen=True)
class Priors:
    """One prior per parameter, as the model has them.

    Attributes
    ----------
    entries : dict of str to Prior
        Keys ``"beta[x]"``, ``"beta_sigma[x]"``, ``"sd_g[x]"``, ``"corr_g"``, ``"sigma"``. Of coefficients with the
        default prior, the marginal prior as written; of carried effects, at the centre.
    given : frozenset of str
        Keys that the person set.
    canonical : Canonical
        The columns in which coefficients are independent.
    scalars : dict of str to Prior
        The priors of the canonical coefficients, keys ``"beta[x]"``; of the independent ones where they are mixed.
    sources : mapping of str to str
        Where each entry comes from, in words.
    notes : tuple of str
        What the default prior allows, in words.
    """

    entries: dict[str, Prior]
    given: frozenset[str]
    canonical: Canonical
    scalars: dict[str, Prior]
    sources: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def __getitem__(self, parameter: str) -> Prior:
        return self.entries[parameter]

    @property
    def thresholds(self) -> tuple[Prior, ...]:
        """The priors of thresholds of ordered categories, each of its own and all together in order."""
        return tuple(prior for name, prior in self.entries.items() if name.startswith(threshold("")[:-1]))

    @property
    def table(self) -> pd.DataFrame:
        """One row per parameter: its prior as text, and where it comes from."""
        return pd.DataFrame(
            {
                "parameter": list(self.entries),
                "prior": [brief(prior) for prior in self.entries.values()],
                "source": [self.sources.get(name, "") for name in self.entries],
            }
        )

    def __str__(self) -> str:
        return "\n".join([self.table.to_string(index=False), *self.notes])

    def _repr_html_(self) -> str:
        return "\n".join([notebook.table(self.table), *map(notebook.paragraph, self.notes)])


def resolve_priors(spec: ModelSpec, design: Design) -> Priors:
    """Defaults from the design, overridden by what the specification sets; the most particular name wins.

    Raises
    ------
    SpecError
        If a prior is set for a name that the model does not have (the message lists the names it has) or that is
        ambiguous, for the intercept both at x = 0 and at the centre, or is not one of its parameter; if the response
        has no density near the middle of the priors.
    """
    check_keys(spec.priors, _addressed(spec, design))
    given = _given(spec, design)
    check_thresholds(given, design.thresholds)
    centred = {f"{one.variable}[{CENTRE}]": _at_centre(spec, one) for one in design.predictors.fixed}
    for one in design.predictors.fixed:
        if centred[f"{one.variable}[{CENTRE}]"] is not None and f"{one.variable}[Intercept]" in given:
            raise SpecError(
                "The intercept has a prior at x = 0 and one at the centre of the columns.",
                f"priors of 'Intercept' and {CENTRE!r}",
                "Keep one of them.",
            )
    supports = {name: one.support for name, one in spec.auxiliary.items()}
    scales = {name: prior for name, prior in given.items() if name not in (RHO, COSY, COR_RESIDUAL)}
    check_priors(scales | {name: prior for name, prior in centred.items() if prior is not None}, supports)
    return _resolved(spec, design, given)


def default_spans(spec: ModelSpec, design: Design) -> dict[str, DefaultSpan]:
    """Return the span of the default prior of each parameter's coefficients."""
    return canonical_columns(design, _own(design, _given(spec, design)))[1]


def _own(design: Design, given: Mapping[str, Prior]) -> dict[str, list[str]]:
    """Coefficients with a prior of their own, by parameter; the constant with those of thresholds."""
    found = {
        one.parameter: [name for name in one.coefficients if f"{one.variable}[{name}]" in given]
        for one in design.predictors.fixed
    }
    if any(threshold(name) in given for name in design.thresholds):
        found[LOCATION].append("Intercept")
    return found


def _given(spec: ModelSpec, design: Design) -> dict[str, Prior]:
    """The priors that the specification sets, one per parameter; the most particular name wins."""
    keys = {parameter: key_of(parameter, of, spec.priors) for parameter, of in _parameters(spec, design)}
    return {parameter: spec.priors[key] for parameter, key in keys.items() if key is not None}


def _at_centre(spec: ModelSpec, predictor: Predictor) -> Prior | None:
    """The prior that the specification sets for the intercept at the centre."""
    key = key_of(f"{predictor.variable}[{CENTRE}]", predictor.parameter, spec.priors)
    return None if key is None else spec.priors[key]


def _resolved(spec: ModelSpec, design: Design, given: Mapping[str, Prior]) -> Priors:
    literal = [block.group for block in design.blocks if _is_literal(block, given)]
    canonical, defaults = canonical_columns(design, _own(design, given), literal)
    scalars: dict[str, Prior] = {}
    entries: dict[str, Prior] = {}
    sources: dict[str, str] = {}
    default_of = {one.parameter: _has_default(spec, one, given, canonical) for one in design.predictors.fixed}
    mix = mixture(design.predictors.fixed, default_of, spec.family.correlated_priors)
    for one in design.predictors.fixed:
        columns, default = canonical.fixed[one.parameter], defaults[one.parameter]
        own = _scalars(spec, design, one, given, columns, default)
        scalars |= own
        marginals = dict(_marginals(one, columns, own))
        if design.thresholds and one.parameter == LOCATION:
            marginals = {name: marginals[name] for name in list(marginals)[1:]}
            entries |= threshold_priors(spec, design, given)
            at_centre = columns.constant is not None or bool(canonical.lift.any())
            sources |= threshold_sources(spec, design, given, at_centre)
        source = span_source(one, default, columns.centre)
        if mix is not None and mixed(mix)[len(scalars) - len(own) : len(scalars)].any():
            source += f", correlation {spec.family.correlated_priors:g} between categories"
        sources |= {name: "given, at x = 0" if name in given else source for name in marginals}
        if _at_centre(spec, one) is not None:
            named = (f"{one.variable}[Intercept]", f"{one.variable}[{CENTRE}]")
            sources |= {name: f"given, {CENTRE}" for name in named if name in marginals}
        entries |= marginals
    check_start(spec, canonical.design(design), scalars)
    if mix is not None:
        canonical, scalars = replace(canonical, mix=mix), independent_priors(scalars, mix)
    scalars |= {name: Prior.parse(spec.family.parameter(name).prior) for name in spec.family.steps}
    if design.residual is not None:
        scalars |= place_priors(design.residual, given.get(design.residual.form.variable, DEFAULT))
    for name, prior in _others(spec, design):
        entries[name] = given.get(name, prior)
        sources[name] = "given" if name in given else _effect_source(design, canonical, name)
    location = design.predictors.location
    reach = _reach(spec, design, location, defaults[location.parameter])
    spans = [defaults[one.parameter] for one in (location, *design.predictors.specific[:1])]
    leverage = [one.span.leverage for one in spans if one.columns]
    notes = weight_of_the_prior(spec, design, np.sum(leverage, axis=0), reach) if leverage else ()
    return Priors(entries, frozenset(given), canonical, scalars, sources, notes)


def _has_default(spec: ModelSpec, predictor: Predictor, given: Mapping[str, Prior], canonical: Canonical) -> np.ndarray:
    """Whether each canonical coefficient of a parameter has its default prior [coefficient]."""
    found = np.array([f"{predictor.variable}[{name}]" not in given for name in predictor.coefficients], dtype=bool)
    if found.size and _at_centre(spec, predictor) is not None:
        found[canonical.fixed[predictor.parameter].constant or 0] = False
    return found


def _parameters(spec: ModelSpec, design: Design) -> Iterator[tuple[str, str]]:
    """The names of all parameters and whose predictor they belong to, in the order in which they are shown."""
    yield from ((threshold(name), LOCATION) for name in design.thresholds)
    for one in design.predictors.fixed:
        names = one.coefficients[1:] if design.thresholds and one.parameter == LOCATION else one.coefficients
        yield from ((f"{one.variable}[{name}]", one.parameter) for name in names)
    for block in design.blocks:
        named = [(block.effects[k], block.parameters[k]) for k in block.own_sds]
        yield from ((f"sd_{block.group}[{effect}]", parameter) for effect, parameter in named)
        if block.correlated:
            yield f"corr_{block.group}", LOCATION
    yield from ((name, LOCATION) for name in spec.auxiliary if name not in spec.family.inner)
    if design.residual is not None:
        yield design.residual.form.variable, LOCATION


def _addressed(spec: ModelSpec, design: Design) -> dict[str, str]:
    """The parameters that a prior can be set for: all, and intercepts at the centre of their columns."""
    fixed = design.predictors.fixed[bool(design.thresholds) :]  # which stand for the location's intercept
    constants = [one for one in fixed if constant_in(one.X) is not None]
    return dict(_parameters(spec, design)) | {f"{one.variable}[{CENTRE}]": one.parameter for one in constants}


def _scalars(
    spec: ModelSpec,
    design: Design,
    predictor: Predictor,
    given: Mapping[str, Prior],
    columns: Columns,
    default: DefaultSpan,
) -> dict[str, Prior]:
    """The priors of a parameter's canonical coefficients."""
    a, centred, variable = default.constant, _at_centre(spec, predictor), predictor.variable
    if centred is not None and columns.constant is None and len(columns.names) > 1:
        raise SpecError(
            "The intercept at the centre has a prior, and so has a coefficient that it is made of.",
            f"prior of {CENTRE!r}",
            "Keep one of them.",
        )
    reach = _reach(spec, design, predictor, default)
    if design.thresholds and predictor.parameter == LOCATION:  # the first of them is less the intercept
        first, *_ = threshold_priors(spec, design, given).values()
        given = {**given, f"{variable}[Intercept]": reflected(first)}
    free = np.array([f"{variable}[{name}]" not in given for name in predictor.coefficients], dtype=bool)
    about = middle_of(spec, design, predictor.parameter)
    mean = np.zeros(len(free)) if a is None else np.linalg.solve(columns.T, about * a * free)
    scalars = {}
    for j, (name, written) in enumerate(zip(columns.names, predictor.coefficients, strict=True)):
        if not free[j]:
            scalars[f"{variable}[{name}]"] = given[f"{variable}[{written}]"]
        elif centred is not None and j == (columns.constant or 0):
            scalars[f"{variable}[{name}]"] = centred
        elif j == columns.constant and (own := _intercept(spec, predictor)):
            scalars[f"{variable}[{name}]"] = own
        else:
            scalars[f"{variable}[{name}]"] = _prior("Normal", mu=float(mean[j]), sigma=reach)
    return scalars


def _intercept(spec: ModelSpec, predictor: Predictor) -> Prior | None:
    """The default prior of a further parameter's intercept at the centre, where its record has one for its link."""
    record = spec.family.parameter(predictor.parameter)
    own_link = spec.link_of(predictor.parameter).name == record.links[0]
    return Prior.parse(record.intercept) if record.intercept and own_link else None


def _reach(spec: ModelSpec, design: Design, predictor: Predictor, default: DefaultSpan) -> float:
    """Prior sd S of a canonical coefficient."""
    if predictor.parameter != LOCATION:
        return spec.family.parameter(predictor.parameter).reach
    about_zero = default.constant is None and spec.link_name == "identity"
    return REACH * (root_mean_square(spec, design) if about_zero else predictor_scale(spec, design))


def _marginals(predictor: Predictor, columns: Columns, scalars: Mapping[str, Prior]) -> Iterator[tuple[str, Prior]]:
    """The prior of each coefficient as written; that of the constant at the centre where there is no closed form."""
    variable = predictor.variable
    priors = [scalars[f"{variable}[{name}]"] for name in columns.names]
    for j, written in enumerate(predictor.coefficients):
        row = columns.T[j]
        used = np.flatnonzero(row)
        if len(used) == 1 and row[used[0]] == 1.0:
            yield f"{variable}[{written}]", priors[used[0]]
        elif all(priors[k].distribution == "Normal" for k in used):
            moments = np.array([_moments(priors[k]) for k in used])
            mu, sigma = float(row[used] @ moments[:, 0]), float(np.linalg.norm(row[used] * moments[:, 1]))
            yield f"{variable}[{written}]", _prior("Normal", mu=mu + 0.0, sigma=sigma)
        elif columns.constant is not None:
            yield f"{variable}[{CENTRE}]", priors[columns.constant]


def _moments(prior: Prior) -> tuple[float, float]:
    """Mean and sd of a normal prior."""
    named = dict(zip(("mu", "sigma"), prior.positional, strict=False)) | dict(prior.keyword)
    return float(named.get("mu", 0.0)), float(named.get("sigma", 1.0))  # type: ignore[arg-type]


def _is_literal(block: RandomBlock, given: Mapping[str, Prior]) -> bool:
    """Whether a prior of the block holds at the written zero: that of a constant effect's sd, or of correlations."""
    constants = [block.effects[k] for k in np.flatnonzero(_in_constants(block))]
    return f"corr_{block.group}" in given or any(f"sd_{block.group}[{effect}]" in given for effect in constants)


def _in_constants(block: RandomBlock) -> np.ndarray:
    """Whether each effect's column [effect] is a part of the constant among those of its parameter."""
    found = np.zeros(len(block.effects), dtype=bool)
    for parameter in dict.fromkeys(block.parameters):
        of = block.of(parameter)
        a = constant_in(block.values[:, of])
        found[of] = False if a is None else a != 0
    return found


def _others(spec: ModelSpec, design: Design) -> Iterator[tuple[str, Prior]]:
    """Defaults of standard deviations, correlations and constants."""
    scale = {parameter.name: parameter.sd for parameter in spec.family.parameters}
    scale[LOCATION] = REACH * predictor_scale(spec, design)
    for block in design.blocks:
        sizes = _sizes(design, block)
        for k in block.own_sds:
            prior = _prior("HalfStudentT", nu=3, sigma=scale[block.parameters[k]] / sizes[k])
            yield f"sd_{block.group}[{block.effects[k]}]", prior
        if block.correlated:
            yield f"corr_{block.group}", Prior("LKJ", keyword=(("eta", 2),))
    for name, record in spec.auxiliary.items():
        if name not in spec.family.inner:
            yield name, Prior.parse(record.prior.format(scale=repr(spread(spec, design))))
    if design.residual is not None:
        yield design.residual.form.variable, DEFAULT


def _sizes(design: Design, block: RandomBlock) -> np.ndarray:
    """The unit of each effect's column [effect]: 1 for constants, its sd beside one, its root mean square without."""
    w, constant = weights(design), _in_constants(block)
    beside = {parameter for parameter, one in zip(block.parameters, constant, strict=True) if one}
    about = np.array([parameter in beside for parameter in block.parameters])
    mean = np.where(about, w @ block.values / w.sum(), 0.0)
    size = np.sqrt(w @ (block.values - mean) ** 2 / w.sum())
    largest = np.abs(block.values).max(axis=0, initial=0.0)
    return np.where((size <= 1e-12 * largest) | constant, 1.0, size)


def _effect_source(design: Design, canonical: Canonical, name: str) -> str:
    """Where the default of a standard deviation or of correlations holds."""
    for block in design.blocks:
        named = zip(block.effects, block.parameters, canonical.means[block.group], strict=True)
        means = {effect: (parameter, mean) for effect, parameter, mean in named}
        effect = name.removeprefix(f"sd_{block.group}[").removesuffix("]")
        if name == f"corr_{block.group}":
            shown = [(one, mean) for one, (_, mean) in means.items() if mean]
        elif name == f"sd_{block.group}[{effect}]" and effect in means:
            shown = [(one, mean) for one, (of, mean) in means.items() if mean and of == means[effect][0]]
        else:
            continue
        if shown:
            return "default, at " + ", ".join(f"{one} = {mean:.5g}" for one, mean in shown)
    return "default"


def _prior(distribution: str, **arguments: float) -> Prior:
    numbers = {name: value if isinstance(value, int) else float(value) for name, value in arguments.items()}
    return Prior(distribution, keyword=tuple(numbers.items()))
