"""The model as equations in plain text: likelihood, linear predictor, random effects, priors; one a line.

Words and symbols are the glossary's: β for coefficients, u for random effects, G = diag(sd) R diag(sd) for their
covariance, R for their correlations. The same names stand in the draws, so an equation can be looked up there.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from bayes_glmm.design.block import RandomBlock
from bayes_glmm.design.design import Design
from bayes_glmm.design.predictor import Predictor
from bayes_glmm.design.prior_text import brief
from bayes_glmm.design.priors import Priors
from bayes_glmm.names import effect as effect_name
from bayes_glmm.spec import ModelSpec

_LONGEST = 110  # characters of a line of text
_LISTED, _WIDTH = 6, 90  # more terms than that, or a longer line, go one a line
_GREEK = {"phi": "φ", "nu": "ν", "sigma": "σ", "mu": "μ", "eta": "η", "alpha": "α", "beta": "β"}
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
_DISTRIBUTIONS = {
    "gaussian": "Normal(μ_i, σ²)",
    "student_t": "StudentT(ν, μ_i, σ)",
    "gamma": "Gamma(mean μ_i, shape φ)",
    "bernoulli": "Bernoulli(μ_i)",
    "binomial": "Binomial({trials}, μ_i)",
    "beta": "Beta(mean μ_i, precision φ)",
    "poisson": "Poisson(μ_i)",
    "negative_binomial": "NegBinomial(mean μ_i, shape φ)",
    "zero_inflated_poisson": "ZeroInflatedPoisson(zi, μ_i)",
}


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
        First the response, then the linear predictor, the random effects, and one prior a line. Lines that begin with
        spaces continue the one above.

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
        *(line for one in design.predictors.fixed for line in _predictor(spec, design, one)),
        *(line for block in design.blocks for line in _random_effects(block, _letter(design, block))),
        *_priors(priors),
    )


def _priors(priors: Priors) -> Iterator[str]:
    """One line per prior, with where it holds; then what the default priors of coefficients are together."""
    for name, prior in priors.entries.items():
        where = priors.sources[name].partition(", at ")[2]
        held = f"   (at {where})" if where and where != "x = 0" else ""
        yield f"{_symbol(name)} ~ {brief(prior)}{held}"
    span = next((source for source in priors.sources.values() if source.startswith("default, span of")), "")
    if span and not priors.canonical.is_identity:
        text = f"Priors of β: marginal, as written; jointly those of the {span.removeprefix('default, ')}."
        yield from textwrap.wrap(text, _LONGEST, subsequent_indent="    ", break_on_hyphens=False)
    yield from priors.notes


def _response(spec: ModelSpec, design: Design) -> str:
    """The likelihood; families that are not in the table go by their name."""
    name = (
        f"[{design.response} = {design.success}]" if design.success and "[" not in design.response else design.response
    )
    trials = spec.formula.trials or "1"
    trials = trials if trials.isdigit() else f"{_braced(trials)}_i"
    pattern = _DISTRIBUTIONS.get(spec.family_name, f"{spec.family.title}(μ_i)")
    for parameter in spec.formulas:  # of each row its own
        symbol = _GREEK.get(parameter, parameter)
        pattern = re.sub(rf"(?<![\w]){re.escape(symbol)}(?![A-Za-z_])", f"{symbol}_i", pattern)
    given = " | u" if design.blocks else ""
    return f"{_braced(name)}_i{given} ~ {pattern.format(trials=trials)}"


def _predictor(spec: ModelSpec, design: Design, predictor: Predictor) -> Iterator[str]:
    beta, parameter = _symbol(predictor.variable), predictor.parameter
    names = predictor.coefficients
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
    link, symbol = spec.link_of(parameter).name, _GREEK.get(parameter, parameter)
    left = f"{_LINKS.get(link, f'{link}(μ_i)').replace('μ', symbol)} = "
    line = left + (" + ".join(terms) or "0")
    if len(terms) <= _LISTED and len(line) <= _WIDTH:
        yield line
        return
    yield left + terms[0]
    indent = " " * (len(left) - 2)
    yield from (f"{indent}+ {term}" for term in terms[1:])


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
        runs, start = [], 0
        for size in block.pattern:
            runs.append("{" + ", ".join(block.effects[start : start + size]) + "}")
            start += size
        yield f"  correlated within {', '.join(runs)}, not between"


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
