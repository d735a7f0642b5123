"""Posterior to one HTML file that needs nothing else: no network, no second file."""

from __future__ import annotations

import base64
import hashlib
import warnings
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from bayes_glmm.diagnostics import Checks, check
from bayes_glmm.effects import Estimates
from bayes_glmm.files import write_file
from bayes_glmm.posterior import Posterior
from bayes_glmm.report.answer import Answer
from bayes_glmm.report.comparisons import VARIABLES, compared, unasked
from bayes_glmm.report.section import Section
from bayes_glmm.report.sections import SECTIONS
from bayes_glmm.spec import ModelSpec


def render(
    posterior: Posterior,
    path: str | Path | None = None,
    title: str | None = None,
    checks: Mapping[str, Checks] | None = None,
    answers: Sequence[Answer] = (),
    comparisons: Sequence[Estimates] = (),
) -> str:
    """The report as HTML.

    Parameters
    ----------
    posterior : Posterior
    path : str or Path, optional
        A file to write it to: all of it or, if that fails, nothing.
    title : str, optional
        The formula if not given.
    checks : mapping of str to Checks, optional
        Checks of this posterior that are already made, by group, such as ``{"convergence": fit.check()}``; the report
        makes those it lacks.
    answers : sequence of Answer
        Questions with their estimates, which the report shows first. It compares other variables by default.
    comparisons : sequence of Estimates
        Default comparisons of this posterior that are already made, such as ``fit.compare("x")``; the report makes
        those it lacks.

    Returns
    -------
    str
        The page. Everything that comes from the data is escaped.
    """
    found = dict(checks or {})
    for group in {group for section in SECTIONS for group in section.checks} - set(found):
        found[group] = check(posterior, group)
    spec = posterior.spec
    chains, draws = posterior.sample_shape
    family = spec.family.title[0].upper() + spec.family.title[1:]
    with warnings.catch_warnings():
        # a label in a script that the font lacks: boxes in the picture, the label itself in the tables
        warnings.filterwarnings("ignore", r"Glyph \d+", UserWarning)
        if any("comparisons" in section.takes for section in SECTIONS):  # made once for all that show them
            comparisons = compared(posterior, unasked(posterior, answers)[:VARIABLES], comparisons)
        given = {"answers": answers, "comparisons": comparisons}
        rendered = [
            (section.title, section.anchor, _rendered(section, posterior, found, given)) for section in SECTIONS
        ]
    return page(
        title=title or spec.written,
        subtitle=f"{family} model with {_links(spec)}" + (f": {spec.written}" if title else ""),
        facts=[f"{len(posterior.design.y):,} rows", *_groups(posterior), f"{chains} × {draws:,} draws"],
        sections=[part for part in rendered if part[2]],
        path=path,
    )


def page(
    title: str,
    subtitle: str,
    facts: Sequence[str],
    sections: Sequence[tuple[str, str, Markup]],
    path: str | Path | None = None,
) -> str:
    """A page in the style of the report.

    Parameters
    ----------
    title, subtitle : str
    facts : sequence of str
        For the line below.
    sections : sequence of (title, anchor, HTML)
    path : str or Path, optional
        A file to write it to: all of it or, if that fails, nothing.

    Returns
    -------
    str
        The page.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("bayes_glmm.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (
        resources.files("bayes_glmm.report").joinpath(name).read_text(encoding="utf-8")
        for name in ("style.css", "page.js")
    )
    text = environment.get_template("template.html.j2").render(
        title=title,
        subtitle=subtitle,
        facts=facts,
        sections=sections,
        style=Markup(style),
        script=Markup(script),
        policy=_policy(style, script),
    )
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_file(Path(path), text)
    return text


def _rendered(
    section: Section, posterior: Posterior, checks: Mapping[str, Checks], given: Mapping[str, Sequence[Any]]
) -> Markup:
    taken = {name: given[name] for name in section.takes}
    return section.render(posterior, *(checks[group] for group in section.checks), **taken)


def _policy(style: str, script: str) -> str:
    """What the page may do: apply our style and run our script, show images that it holds; nothing else at all."""
    ours = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{ours[0]}'; script-src 'sha256-{ours[1]}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _groups(posterior: Posterior) -> list[str]:
    return [f"{len(block.levels):,} levels of {block.group}" for block in posterior.design.blocks]


def _links(spec: ModelSpec) -> str:
    further = "".join(f", {link} link of {name}" for name, link in spec.stated_links.items())
    return f"{spec.link_name} link{further}"
