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
sigma                      HalfStudentT(3, sd(y))        brms; sd(y - offset) under the identity link
phi, nu                    InverseGamma(0.4, 0.3),       see ``families.continuous``
                           Gamma(2, 0.1)
=========================  ============================  ==============================================================

These priors are the same in every coding of the data: shifted or rescaled covariates, other reference levels, powers or
orthogonal polynomials. A model without a constant (``0 + x``) is about the written zero by its own meaning: nothing is
centred, and under the identity link S is 2.5 times the root mean square of y. A given prior is that of the quantity as
it is written, at x = 0; ``Intercept[centre]`` addresses the intercept at the centre of the columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayes_glmm.design.canonical import CENTRE, Canonical
from bayes_glmm.design.canonical_columns import DefaultSpan, canonical_columns, constant_in
from bayes_glmm.design.design import Design, RandomBlock
from bayes_glmm.design.prior_check import check_keys, check_priors, key_of
from bayes_glmm.design.prior_text import brief, span_source, weight_of_the_prior
from bayes_glmm.design.scale import REACH, middle, predictor_scale, root_mean_square, spread, weights
from bayes_glmm.design.start import check_start
from bayes_glmm.errors import SpecError
from bayes_glmm.spec import ModelSpec, Prior


@dataclass(frozen=True)
class Priors:
    """One prior per parameter, as the model has them.

    Attributes
    ----------
    entries : dict of str to Prior
        Keys ``"beta[x]"``, ``"sd_g[x]"``, ``"corr_g"``, ``"sigma"``. Of coefficients with the default prior, the
        marginal prior as written; of carried effects, at the centre.
    given : frozenset of str
        Keys that the person set.
    canonical : Canonical
        The columns in which coefficients are independent.
    scalars : dict of str to Prior
        The priors of the canonical coefficients, keys ``"beta[x]"``.
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
    def table(self) -> pd.DataFrame:
        """One row per parameter: its prior as text, and where it comes from."""
        return pd.DataFrame(
            {
                "parameter": list(self.entries),
                "prior": [brief(prior) for prior in self.entries.values()],
                "source": [self.sources[name] for name in self.entries],
            }
        )

    def __str__(self) -> str:
        return "\n".join([self.table.to_string(index=False), *self.notes])


def resolve_priors(spec: ModelSpec, design: Design) -> Priors:
    """Defaults from the design, overridden by what the specification sets; the most particular name wins.

    Raises
    ------
    SpecError
        If a prior is set for a name that the model does not have (the message lists the names it has) or that is
        ambiguous, for the intercept both at x = 0 and at the centre, or is not one of its parameter; if the response
        has no density near the middle of the priors.
    """
    parameters = [*_parameters(spec, design), *([f"beta[{CENTRE}]"] if constant_in(design.X) is not None else [])]
    check_keys(spec.priors, parameters)
    given = _given(spec, design)
    centred = _at_centre(spec)
    if centred is not None and "beta[Intercept]" in given:
        raise SpecError(
            "The intercept has a prior at x = 0 and one at the centre of the columns.",
            f"priors of 'Intercept' and {CENTRE!r}",
            "Keep one of them.",
        )
    check_priors(given | ({} if centred is None else {f"beta[{CENTRE}]": centred}))
    return _resolved(spec, design, given)


def default_span(spec: ModelSpec, design: Design) -> DefaultSpan:
    """Return the span of the default prior of the coefficients."""
    return canonical_columns(design, _own(design, _given(spec, design)))[1]


def _own(design: Design, given: Mapping[str, Prior]) -> list[str]:
    """Coefficients with a prior of their own."""
    return [name for name in design.coefficients if f"beta[{name}]" in given]


def _given(spec: ModelSpec, design: Design) -> dict[str, Prior]:
    """The priors that the specification sets, one per parameter; the most particular name wins."""
    keys = {parameter: key_of(parameter, spec.priors) for parameter in _parameters(spec, design)}
    return {parameter: spec.priors[key] for parameter, key in keys.items() if key is not None}


def _at_centre(spec: ModelSpec) -> Prior | None:
    """The prior that the specification sets for the intercept at the centre."""
    return next((spec.priors[key] for key in (f"beta[{CENTRE}]", CENTRE) if key in spec.priors), None)


def _resolved(spec: ModelSpec, design: Design, given: Mapping[str, Prior]) -> Priors:
    literal = [block.group for block in design.blocks if _is_literal(block, given)]
    canonical, default = canonical_columns(design, _own(design, given), literal)
    scalars = _scalars(spec, design, given, canonical, default)
    entries = dict(_marginals(design, canonical, scalars))
    source = span_source(design, default, canonical.centre)
    sources = {name: "given, at x = 0" if name in given else source for name in entries}
    if _at_centre(spec) is not None:
        sources |= {name: f"given, {CENTRE}" for name in ("beta[Intercept]", f"beta[{CENTRE}]") if name in entries}
    for name, prior in _others(spec, design):
        entries[name] = given.get(name, prior)
        sources[name] = "given" if name in given else _effect_source(design, canonical, name)
    check_start(spec, canonical.design(design), scalars)
    notes = weight_of_the_prior(spec, design, default, _reach(spec, design, default)) if default.columns else ()
    return Priors(entries, frozenset(given), canonical, scalars, sources, notes)


def _parameters(spec: ModelSpec, design: Design) -> Iterator[str]:
    """The names of all parameters, in the order in which they are shown."""
    yield from (f"beta[{name}]" for name in design.coefficients)
    for block in design.blocks:
        yield from (f"sd_{block.group}[{effect}]" for effect in block.effects)
        if block.correlated:
            yield f"corr_{block.group}"
    yield from spec.family.auxiliary


def _scalars(
    spec: ModelSpec, design: Design, given: Mapping[str, Prior], canonical: Canonical, default: DefaultSpan
) -> dict[str, Prior]:
    """The priors of the canonical coefficients."""
    a, centred = default.constant, _at_centre(spec)
    if centred is not None and canonical.constant is None and len(canonical.names) > 1:
        raise SpecError(
            "The intercept at the centre has a prior, and so has a coefficient that it is made of.",
            f"prior of {CENTRE!r}",
            "Keep one of them.",
        )
    reach = _reach(spec, design, default)
    free = np.array([f"beta[{name}]" not in given for name in design.coefficients], dtype=bool)
    mean = np.zeros(len(free)) if a is None else np.linalg.solve(canonical.T, middle(spec, design) * a * free)
    scalars = {}
    for j, (name, written) in enumerate(zip(canonical.names, design.coefficients, strict=True)):
        if not free[j]:
            scalars[f"beta[{name}]"] = given[f"beta[{written}]"]
        elif centred is not None and j == (canonical.constant or 0):
            scalars[f"beta[{name}]"] = centred
        else:
            scalars[f"beta[{name}]"] = _prior("Normal", mu=float(mean[j]), sigma=reach)
    return scalars


def _reach(spec: ModelSpec, design: Design, default: DefaultSpan) -> float:
    """Prior sd S of a canonical coefficient."""
    about_zero = default.constant is None and spec.link_name == "identity"
    return REACH * (root_mean_square(design) if about_zero else predictor_scale(spec, design))


def _marginals(design: Design, canonical: Canonical, scalars: Mapping[str, Prior]) -> Iterator[tuple[str, Prior]]:
    """The prior of each coefficient as written; that of the constant at the centre where there is no closed form."""
    priors = [scalars[f"beta[{name}]"] for name in canonical.names]
    for j, written in enumerate(design.coefficients):
        row = canonical.T[j]
        used = np.flatnonzero(row)
        if len(used) == 1 and row[used[0]] == 1.0:
            yield f"beta[{written}]", priors[used[0]]
        elif all(priors[k].distribution == "Normal" for k in used):
            moments = np.array([_moments(priors[k]) for k in used])
            mu, sigma = float(row[used] @ moments[:, 0]), float(np.linalg.norm(row[used] * moments[:, 1]))
            yield f"beta[{written}]", _prior("Normal", mu=mu + 0.0, sigma=sigma)
        elif canonical.constant is not None:
            yield f"beta[{CENTRE}]", priors[canonical.constant]


def _moments(prior: Prior) -> tuple[float, float]:
    """Mean and sd of a normal prior."""
    named = dict(zip(("mu", "sigma"), prior.positional, strict=False)) | dict(prior.keyword)
    return float(named.get("mu", 0.0)), float(named.get("sigma", 1.0))  # type: ignore[arg-type]


def _is_literal(block: RandomBlock, given: Mapping[str, Prior]) -> bool:
    """Whether a prior of the block holds at the written zero: that of a constant effect's sd, or of correlations."""
    a = constant_in(block.values)
    constants = [e for e, value in zip(block.effects, a if a is not None else [], strict=False) if value]
    return f"corr_{block.group}" in given or any(f"sd_{block.group}[{effect}]" in given for effect in constants)


def _others(spec: ModelSpec, design: Design) -> Iterator[tuple[str, Prior]]:
    """Defaults of standard deviations, correlations and the family's further parameters."""
    reach = REACH * predictor_scale(spec, design)
    for block in design.blocks:
        for effect, size in zip(block.effects, _sizes(design, block), strict=True):
            yield f"sd_{block.group}[{effect}]", _prior("HalfStudentT", nu=3, sigma=reach / size)
        if block.correlated:
            yield f"corr_{block.group}", Prior("LKJ", keyword=(("eta", 2),))
    for name, parameter in spec.family.auxiliary.items():
        yield name, Prior.parse(parameter.prior.format(scale=repr(spread(spec, design))))


def _sizes(design: Design, block: RandomBlock) -> np.ndarray:
    """The unit of each effect's column [effect]: 1 for constants, its sd beside one, its root mean square without."""
    w, a = weights(design), constant_in(block.values)
    mean = w @ block.values / w.sum() if a is not None else np.zeros(len(block.effects))
    size = np.sqrt(w @ (block.values - mean) ** 2 / w.sum())
    largest = np.abs(block.values).max(axis=0, initial=0.0)
    constant = (size <= 1e-12 * largest) | (a != 0 if a is not None else np.zeros(len(size), dtype=bool))
    return np.where(constant, 1.0, size)


def _effect_source(design: Design, canonical: Canonical, name: str) -> str:
    """Where the default of a standard deviation or of correlations holds."""
    for block in design.blocks:
        of_block = name == f"corr_{block.group}" or name.startswith(f"sd_{block.group}[")
        if of_block and canonical.carried(block.group):
            means = zip(block.effects, canonical.means[block.group], strict=True)
            return "default, at " + ", ".join(f"{effect} = {mean:.5g}" for effect, mean in means if mean)
    return "default"


def _prior(distribution: str, **arguments: float) -> Prior:
    numbers = {name: value if isinstance(value, int) else float(value) for name, value in arguments.items()}
    return Prior(distribution, keyword=tuple(numbers.items()))
