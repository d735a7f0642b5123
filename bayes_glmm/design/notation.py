"""The model as equations in plain text: likelihood, linear predictor, random effects, priors; one a line.

Words and symbols are the glossary's: β for coefficients, u for random effects, G = diag(sd) R diag(sd) for their
covariance, R for their correlations. The same names stand in the draws, so an equation can be looked up there.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from bayes_glmm.design.block import RandomBlock
from bayes_glmm.design.design import Design
from bayes_glmm.design.predictor import Predictor
from bayes_glmm.design.prior_check import lkj_shape
from bayes_glmm.design.prior_text import brief
from bayes_glmm.design.priors import Priors
from bayes_glmm.design.residual import Residual, residual_shape
from bayes_glmm.design.thresholds import in_order
from bayes_glmm.families import DISC
from bayes_glmm.families.response import INTERVAL, LEFT, RIGHT
from bayes_glmm.names import effect as effect_name
from bayes_glmm.numerics.covariance import COVARIANCES, OneCorrelation
from bayes_glmm.spec import ModelSpec, Prior

_LONGEST = 110  # characters of a line of text
_LISTED, _WIDTH = 6, 90  # more terms than that, or a longer line, go one a line
_GREEK = {"phi": "φ", "nu": "ν", "sigma": "σ", "mu": "μ", "eta": "η", "alpha": "α", "beta": "β", "rho": "ρ"}
_LINKS = {
    "identity": "μ_i",
    "log": "log(μ_i)",
    "logit": "logit(μ_i)",
    "probit": "Φ⁻¹(μ_i)",
    "cloglog": "log(−log(1 − μ_i))",
    "cauchit": "tan(π(μ_i − ½))",
    "inverse": "1 / μ_i",
    "sqrt": "√μ_i",
}
_ENDS = 3  # categories shown on each side of the dots where there are many


def equations(spec: ModelSpec, design: Design, priors: Priors) -> tuple[str, ...]:
    """The model and its priors, one equation a line.

    Parameters
    ----------
    spec : ModelSpec
    design : Design
    priors : Priors

    Returns
    -------
    tuple of str
        First the response, of categories with their thresholds or log(P(y = k) / P(y = 1)), then the linear
        predictors, the random effects, and one prior per line. Lines that begin with spaces continue the one above.

    Examples
    --------
    >>> import pandas as pd
    >>> from bayes_glmm.design import build_design, resolve_priors
    >>> spec = ModelSpec.from_formula("y ~ x + (1 | g)", family="bernoulli", priors={"beta": "Normal(0, 1)"})
    >>> data = pd.DataFrame({"y": [0, 1, 1, 0], "x": [0, 1, 2, 4], "g": ["a", "a", "b", "b"]})
    >>> design = build_design(spec, data)
    >>> for line in equations(spec, design, resolve_priors(spec, design))[:4]:
    ...     print(line)
    y_i | u ~ Bernoulli(μ_i)
    logit(μ_i) = β[Intercept] + β[x] x_i + u_g[j(i)]
    u_g[j] ~ Normal(0, sd_g²),  j = 1, …, 2 levels of g
    β[Intercept] ~ Normal(mu=0, sigma=3.052)
    """
    return (
        _response(spec, design),
        *_counted(spec, design),
        *_censored(spec, design),
        *_weighted(spec, design),
        *residual_lines(spec, design),
        *_below_thresholds(spec, design),
        *_pattern(design),
        *_against_reference(spec, design),
        *(line for one in design.predictors.fixed for line in _predictor(spec, design, one)),
        *(line for block in design.blocks for line in _random_effects(block, _letter(design, block))),
        *_priors(spec, design, priors),
    )


def _priors(spec: ModelSpec, design: Design, priors: Priors) -> Iterator[str]:
    """One line per prior, with where it holds; then what the default priors of coefficients are together."""
    single = {f"corr_{block.group}": block for block in design.blocks if any(block.forms)}
    for name, prior in priors.entries.items():
        if name in single:
            yield from _single_correlations(single[name], name, lkj_shape(name, prior))
            continue
        if design.residual is not None and name == design.residual.form.variable:
            yield _residual_prior(design.residual, prior)
            continue
        where = priors.sources[name].partition(", at ")[2]
        held = f"   (at {where})" if where and where != "x = 0" else ""
        yield f"{_symbol(name)} ~ {brief(prior)}{held}"
    if design.tied is not None:
        order = " in increasing order" if in_order(spec) else ""
        yield f"Priors of thresholds: the product of those above, on {design.tied.name} thresholds{order}."
    elif len(priors.thresholds) > 1 and in_order(spec):
        yield "Priors of thresholds: those above, restricted to increasing order."
    span = next((source for source in priors.sources.values() if source.startswith("default, span of")), "")
    if span and not priors.canonical.is_identity:
        text = f"Priors of β: marginal, as written; jointly those of the {span.removeprefix('default, ')}."
        yield from textwrap.wrap(text, _LONGEST, subsequent_indent="    ", break_on_hyphens=False)
    yield from priors.notes


def _single_correlations(block: RandomBlock, name: str, shape: float) -> Iterator[str]:
    """The priors of single correlations of a group, and that of the free ones beside them."""
    if any(form is None and size > 1 for form, size in zip(block.forms, block.pattern, strict=True)):
        yield f"{_symbol(name)} ~ LKJ(eta={shape:g}), where correlations are free"
    for form in filter(None, block.forms):
        yield f"place of ρ between {form.lowest:.3g} and 1 ~ Beta({shape:g}, {shape:g})"


def _response(spec: ModelSpec, design: Design) -> str:
    """The likelihood; a family without an equation goes by its title."""
    trials = spec.formula.trials or "1"
    trials = trials if trials.isdigit() else f"{_braced(trials)}_i"
    pattern = spec.family.equation or f"{spec.family.title}(μ_i)"
    for parameter in spec.formulas:  # of each row its own
        symbol = _GREEK.get(parameter, parameter)
        pattern = re.sub(rf"(?<![\w]){re.escape(symbol)}(?![A-Za-z_])", f"{symbol}_i", pattern)
    categories = _listed(design.categories, ", " if spec.family.response.nominal else " < ")
    distribution = pattern.format(trials=trials, categories=categories)
    return f"{_response_symbol(design)}{_given(design)} ~ {distribution}{_within(spec, design)}"


def _within(spec: ModelSpec, design: Design) -> str:
    """The bounds of a truncated response."""
    found = {name: text if _is_number(text) else f"{_braced(text)}_i" for name, text in spec.formula.bounds.items()}
    if not found:
        return ""
    low, high = (found.get(name, "") for name in ("lb", "ub"))
    below, above = f"{low} ≤ " if low else "", f" ≤ {high}" if high else ""
    return f", given {below}{_response_symbol(design)}{above}"


def limit_lines(spec: ModelSpec, design: Design) -> tuple[str, ...]:
    """Describe how rows are counted, censored and weighted, and the bounds of a response; empty without all."""
    return (
        *_counted(spec, design),
        *_censored(spec, design),
        *_weighted(spec, design),
        _within(spec, design).removeprefix(", given "),
    )


def _counted(spec: ModelSpec, design: Design) -> Iterator[str]:
    """A line on the number of trials of rows of counts, each of which is a row of the model."""
    if design.count_row is not None:
        yield f"i: {len(design.y):,} trials, one category each, of {int(design.count_row[-1]) + 1:,} rows of counts"


def _weighted(spec: ModelSpec, design: Design) -> Iterator[str]:
    """The sampling weights, and what they add up to."""
    if design.weights is None:
        return
    weights, *within = spec.formula.weighting
    where = f"within each level of {within[0]}" if within else "in all"
    least, most = design.weights.min(), design.weights.max()
    yield (
        f"pseudo-posterior: each row to the power of {weights}, scaled to add up to the number of rows {where}, "
        f"{least:.3g} to {most:.3g}"
    )


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+.\deE]+", text) is not None


def _censored(spec: ModelSpec, design: Design) -> Iterator[str]:
    """How many rows are censored, and what is known of them."""
    if design.limits is None or design.limits.code is None:
        return
    y, code = _response_symbol(design), design.limits.code
    equal = "=" if spec.family.discrete else ""
    end = (spec.formula.censoring or ("", None))[1]
    known = {
        RIGHT: f"right ({y} >{equal} observed)",
        LEFT: f"left ({y} <{equal} observed)",
        INTERVAL: f"in intervals (observed <{equal} {y} <{equal} {end})",
    }
    rows = [f"{count:,} {text}" for kind, text in known.items() if (count := int((code == kind).sum()))]
    yield f"censored rows of {len(code):,}: {', '.join(rows) or 'none'}"


def residual_lines(spec: ModelSpec, design: Design) -> Iterator[str]:
    """Lines on the correlation of the residuals of a level; none where they are independent."""
    residual, term = design.residual, spec.formula.residual
    if residual is None or term is None:
        return
    t, symbol = term.time or "t", _GREEK.get(residual.form.variable, residual.form.variable)
    entry = {"ar": f"{symbol}^d, d steps of {t}", "cosy": symbol, "unstr": f"{symbol}[{t}_i, {t}_j]"}[residual.name]
    sizes = np.bincount(residual.index)
    rows = f"{sizes.min()}" if np.ptp(sizes) == 0 else f"{sizes.min()} to {sizes.max()}"
    yield f"residuals of one {residual.group}: corr(i, j) = {entry},  {len(residual.levels)} levels of {rows} rows"


def _residual_prior(residual: Residual, prior: Prior) -> str:
    name = _GREEK.get(residual.form.variable, residual.form.variable)
    if not residual.form.single or prior.distribution == "Uniform":
        return f"{name} ~ {brief(prior)}"
    shape = residual_shape(residual, prior)
    low, high = residual.occasions.low, residual.occasions.high
    return f"place of {name} between {low:.3g} and {high:g} ~ Beta({shape:g}, {shape:g})"


def _response_symbol(design: Design) -> str:
    """The response of a row, with the level that counts as 1 where it is text."""
    named = design.success and "[" not in design.response
    name = f"[{design.response} = {design.success}]" if named else design.response
    return f"{_braced(name)}_i"


def _given(design: Design) -> str:
    """The condition of a distribution given the random effects, where there are some."""
    return " | u" if design.blocks else ""


def _below_thresholds(spec: ModelSpec, design: Design) -> Iterator[str]:
    """How thresholds and linear predictor give the probability of an event; nothing for a response without them."""
    if record := spec.family.thresholds:
        y, conditions = _response_symbol(design), ["u"] if design.blocks else []
        if record.condition:
            conditions.insert(0, record.condition.format(y=y))
        given = f" | {', '.join(conditions)}" if conditions else ""
        probability = _linked(spec.link_name, f"P({record.event.format(y=y)}{given})")
        specific = bool(design.predictors.specific)
        eta = "η_i + cs_k,i" if specific else "η_i"
        minus = f"({eta})" if specific else eta
        difference = f"{eta} − threshold[k|k+1]" if record.rising else f"threshold[k|k+1] − {minus}"
        difference = f"disc_i ({difference})" if DISC.name in spec.formulas else difference
        yield f"{probability} = {difference},  k = {_listed(design.categories[:-1], ', ')}"


def _pattern(design: Design) -> Iterator[str]:
    """How the thresholds are tied, where they are."""
    if design.tied is not None:
        first, second, *_ = design.thresholds
        yield design.tied.equation.format(first=first, second=second, last=design.thresholds[-1])


def _against_reference(spec: ModelSpec, design: Design) -> Iterator[str]:
    """How linear predictors give P(y = k); nothing for a response that has an order."""
    if spec.family.response.nominal:
        y, given = _response_symbol(design), _given(design)
        reference, *others = design.categories
        yield f"log(P({y} = k{given}) / P({y} = {reference}{given})) = η_k,i,  k = {_listed(others, ', ')}"


def _listed(names: Sequence[str], between: str) -> str:
    """Join names in their order; of many, only the first and last. Names that are blank at an end are in quotes."""
    names = [name if name and name == name.strip() else f'"{name}"' for name in names]
    shown = [*names[:_ENDS], "…", *names[-_ENDS:]] if len(names) > 2 * _ENDS + 1 else names
    return between.join(shown)


def _linked(link: str, argument: str) -> str:
    """Write a link with its argument."""
    return _LINKS.get(link, f"{link}(μ_i)").replace("μ_i", argument)


def _predictor(spec: ModelSpec, design: Design, predictor: Predictor) -> Iterator[str]:
    beta, parameter = _symbol(predictor.variable), predictor.parameter
    at_thresholds = bool(design.thresholds) and predictor is design.predictors.location
    names = predictor.coefficients[at_thresholds:]  # the thresholds stand for the intercept
    terms = [f"{beta}[{name}]" if name == "Intercept" else f"{beta}[{name}] {_braced(name)}_i" for name in names]
    offset = spec.predicted[parameter].offset
    if offset is not None:
        terms.insert(0, f"offset({offset})_i")
    for block in design.blocks:
        letter = _letter(design, block)
        for effect in (block.effects[k] for k in block.of(parameter)):
            u = (
                f"u_{block.group}[{letter}(i)]"
                if len(block.effects) == 1
                else f"u_{block.group}[{letter}(i), {effect}]"
            )
            column = effect.removeprefix(effect_name(parameter, ""))
            terms.append(u if column == "Intercept" else f"{u} {_braced(column)}_i")
    left = ("η_i" if at_thresholds else _left(spec, design, parameter)) + " = "
    line = left + (" + ".join(terms) or "0")
    if len(terms) <= _LISTED and len(line) <= _WIDTH:
        yield line
        return
    yield left + terms[0]
    indent = " " * (len(left) - 2)
    yield from (f"{indent}+ {term}" for term in terms[1:])


def _left(spec: ModelSpec, design: Design, parameter: str) -> str:
    """A parameter under its link; the predictor of a category, or of one threshold, by the name of the category."""
    if number := spec.family.parameter(parameter).threshold:
        return f"cs_{_braced(design.categories[number - 1])},i"
    if spec.family.response.nominal:
        number = design.predictors.parameters.index(parameter)
        return f"η_{_braced(design.categories[1 + number])},i"
    return _linked(spec.link_of(parameter).name, f"{_GREEK.get(parameter, parameter)}_i")


def _random_effects(block: RandomBlock, letter: str) -> Iterator[str]:
    """The distribution of a group's effects, by run of correlated effects."""
    g = block.group
    levels = f"{letter} = 1, …, {len(block.levels)} levels of {g}"
    if len(block.effects) == 1:
        effect = block.effects[0]
        what = "" if effect == "Intercept" else f"  ({effect})"
        yield f"u_{g}[{letter}] ~ Normal(0, sd_{g}²),  {levels}{what}"
        return
    yield f"u_{g}[{letter}] = ({', '.join(block.effects)}) ~ Normal(0, G_{g}),  {levels}"
    if not block.correlated:
        yield f"G_{g} = diag(sd_{g}²)"
        return
    yield f"G_{g} = diag(sd_{g}) R_{g} diag(sd_{g}),  R_{g} = corr_{g}"
    if len(block.pattern) > 1:
        runs = ["{" + ", ".join(block.effects[run]) + "}" for run in block.runs]
        yield f"  correlated within {', '.join(runs)}, not between"
    for run, form in zip(block.runs, block.forms, strict=True):
        if form is not None:
            yield f"  {COVARIANCES[form.name].title} of {', '.join(block.effects[run])}:"
            yield f"    {_entries(block, run, form)}"


def _entries(block: RandomBlock, run: slice, form: OneCorrelation) -> str:
    """Write the correlations of a run in terms of its one correlation."""
    g, (i, j) = block.group, form.nearest
    effects = block.effects[run]
    rho = f"R_{g}[{effects[i]}, {effects[j]}] = ρ"
    others = "all correlations are ρ" if np.ptp(form.D[form.D > 0]) == 0 else "others ρ to the power of their distance"
    sds = f"; one sd_{g}" if form.one_sd else ""
    return f"{rho}, {form.lowest:.3g} < ρ < 1, {others}{sds}"


def _letter(design: Design, block: RandomBlock) -> str:
    """The index of a factor's levels: j for the first factor, k for the second: a row has a level in each."""
    position = [other.group for other in design.blocks].index(block.group)
    return "jklmnpq"[position % 7]


def _symbol(parameter: str) -> str:
    """A parameter's name with Greek where the field has it: ``beta[x]`` to ``β[x]``, ``corr_g`` to ``R_g``."""
    kind, bracket, inside = parameter.partition("[")
    if kind.startswith("beta_"):
        return f"β_{_GREEK.get(kind[5:], kind[5:])}{bracket}{inside}"
    if kind.startswith("corr_"):
        return f"R_{kind[5:]}"
    return _GREEK.get(kind, kind) + bracket + inside


def _braced(name: str) -> str:
    """A name that an index can follow: ``x``, but ``(log(x))``."""
    return name if name.replace("_", "").replace(".", "").isalnum() or name.endswith((")", "]")) else f"({name})"
