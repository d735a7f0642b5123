"""Check: one question asked of a posterior, its answer, the evidence and what to do. Checks: all that were asked."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from bayes_glmm import notebook

if TYPE_CHECKING:
    from rich.console import Group

Verdict = Literal["pass", "look", "fail"]
Overall = Literal["fit to use", "look", "do not use", "reliable", "unreliable"]

_SEVERITY: dict[Verdict, int] = {"pass": 0, "look": 1, "fail": 2}
_OVERALL: dict[Verdict, Overall] = {"pass": "fit to use", "look": "look", "fail": "do not use"}
_OF_LOO: dict[Verdict, Overall] = {"pass": "reliable", "look": "look", "fail": "unreliable"}  # the draws may be fine
_MEANING: dict[str, dict[Overall, str]] = {
    "convergence": {
        "fit to use": "The chains agree and are long enough: the draws can be used.",
        "look": "The draws can be used with care: some checks of the chains miss their threshold.",
        "do not use": "The chains have not found the posterior distribution: none of their numbers can be trusted.",
    },
    "setting": {
        "look": "The chains agree and are long enough, but part of the answer rests on what is listed.",
    },
    "resampled": {
        "fit to use": "The draws, resampled around the mode, stand for the posterior: they can be used.",
        "look": "The draws, resampled around the mode, can be used with care.",
        "do not use": "The draws, resampled around the mode, do not stand for the posterior.",
    },
    "predictive": {
        "fit to use": "Data that the model replicates look like the data observed.",
        "look": "In some respect, the data observed are unusual for the model.",
        "do not use": "The model does not describe the data; intervals and probabilities depend on it.",
    },
    "loo": {
        "reliable": "Rows and groups can be left out by reweighting the draws: how well they are predicted is known.",
        "look": "Leave-one-out holds with care: some checks miss their threshold.",
        "unreliable": "Where a check fails, leave-one-out cannot be computed from these draws; the fit may be right.",
    },
    "sensitivity": {
        "fit to use": "Weaker or stronger priors would change little.",
        "look": "Some parameters would change with their priors.",
        "do not use": "The priors decide.",
    },
}
_LENGTH = {"ess_bulk", "ess_tail", "mcse"}  # whether there are draws enough, not whether they are right
_RESAMPLED = {"k_hat", "integration"}  # asked of draws that no chain made
_SETTING = {"findings", "prior_conflict"}  # about the model and its data, not about the draws
_COLOURS = {"pass": "green", "look": "yellow", "fail": "red"}
_NAMED = 5  # parameters that a text names before it counts the rest


@dataclass(frozen=True)
class Check:
    """The answer to one question.

    Attributes
    ----------
    name, title : str
        For code and for people.
    verdict : {"pass", "look", "fail"}
    value : float
        The worst value found.
    threshold : float
        Where "pass" ends.
    better : {"below", "above"}
        On which side of the threshold good values lie.
    finding : str
        What was found, one sentence.
    evidence : DataFrame
        Worst first: all that miss the threshold, and some that do not. The first column says which.
    advice : tuple of str
        What to do, a sentence or two each; empty for a pass.
    source : str
        Where the threshold comes from.
    """

    name: str
    title: str
    verdict: Verdict
    value: float
    threshold: float
    better: Literal["below", "above"]
    finding: str
    evidence: pd.DataFrame
    advice: tuple[str, ...]
    source: str

    @property
    def failing(self) -> list[str]:
        """What misses the threshold, worst first."""
        if self.verdict == "pass" or self.evidence.empty:
            return []
        numbers = self.evidence["value"]
        good = numbers <= self.threshold if self.better == "below" else numbers >= self.threshold
        return [str(label) for label in self.evidence.iloc[:, 0][~good]]

    @property
    def threshold_text(self) -> str:
        """The threshold with its direction: ``≤ 1.01``."""
        return f"{'≤' if self.better == 'below' else '≥'} {number_text(self.threshold)}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; numbers that JSON has not are None."""
        return {
            "name": self.name,
            "title": self.title,
            "verdict": self.verdict,
            "value": _plain(self.value),
            "threshold": _plain(self.threshold),
            "better": self.better,
            "finding": self.finding,
            "failing": self.failing,
            "evidence": [
                {str(key): _plain(value) for key, value in row.items()} for row in self.evidence.to_dict("records")
            ],
            "advice": list(self.advice),
            "source": self.source,
        }


@dataclass(frozen=True)
class Skipped:
    """A question that this posterior holds no evidence for.

    Attributes
    ----------
    name, title : str
    reason : str
        What is missing; empty where the question does not arise.
    """

    name: str
    title: str
    reason: str


@dataclass(frozen=True)
class Checks:
    """The checks of one group.

    Attributes
    ----------
    checks : tuple of Check
    skipped : tuple of Skipped
    group : {"convergence", "predictive", "loo", "sensitivity"}
        What they are about.

    Notes
    -----
    ``if fit.check():`` holds unless a check fails, which makes the verdict "do not use" (of leave-one-out:
    "unreliable").
    """

    checks: tuple[Check, ...]
    skipped: tuple[Skipped, ...] = ()
    group: str = "convergence"

    def __getitem__(self, name: str) -> Check:
        return {check.name: check for check in self.checks}[name]

    def __bool__(self) -> bool:
        """Whether no check fails: false for "do not use" and "unreliable", true for "look"."""
        return all(check.verdict != "fail" for check in self.checks)

    @property
    def verdict(self) -> Overall:
        """The worst of the checks; "look" if nothing could be checked. Of leave-one-out, whether it is reliable."""
        words = _OF_LOO if self.group == "loo" else _OVERALL
        return words[max((check.verdict for check in self.checks), key=_SEVERITY.__getitem__, default="look")]

    @property
    def advice(self) -> tuple[str, ...]:
        """What to do, worst check first, nothing twice."""
        return tuple(dict.fromkeys(sentence for check in self.not_passed for sentence in check.advice))

    @property
    def meaning(self) -> str:
        """The verdict as a sentence."""
        if not self.checks:
            given = "these draws were given, not sampled" if self.group == "convergence" else "see the reasons below"
            return f"Nothing could be checked: {given}."
        missed = {check.name for check in self.not_passed}
        if missed and missed <= _SETTING:
            return _MEANING["setting"]["look"]
        failed = {check.name for check in self.checks if check.verdict == "fail"}
        if failed and failed <= _LENGTH:
            return "The chains are too short: estimates and intervals would change with more draws."
        resampled = {check.name for check in self.checks} <= _RESAMPLED | _SETTING | {"mode"}
        return _MEANING["resampled" if resampled else self.group][self.verdict]

    @property
    def table(self) -> pd.DataFrame:
        """One row a check."""
        columns = ["check", "verdict", "value", "threshold", "finding"]
        rows = [(c.title, c.verdict, c.value, c.threshold_text, c.finding) for c in self.checks]
        return pd.DataFrame(rows, columns=columns)

    @property
    def not_passed(self) -> tuple[Check, ...]:
        """Checks that did not pass, worst first."""
        found = [check for check in self.checks if check.verdict != "pass"]
        return tuple(sorted(found, key=lambda check: -_SEVERITY[check.verdict]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "group": self.group,
            "verdict": self.verdict,
            "meaning": self.meaning,
            "checks": [check.to_dict() for check in self.checks],
            "skipped": [{"name": s.name, "title": s.title, "reason": s.reason} for s in self.skipped],
        }

    def __str__(self) -> str:
        lines = [f"Verdict: {self.verdict}. {self.meaning}", ""]
        width = max((len(check.title) for check in self.checks), default=0)
        for check in self.checks:
            number = f"{number_text(check.value)} ({check.threshold_text})"
            lines.append(f"  {check.verdict:<5} {check.title:<{width}}  {number:<18} {check.finding}".rstrip())
        lines += [f"  -     {s.title:<{width}}  {s.reason}" for s in self.skipped]
        return "\n".join([*lines, *_explanation(self)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        done = [(c.title, c.verdict, number_text(c.value), c.threshold_text, c.finding) for c in self.checks]
        skipped = [(s.title, "-", "", "", s.reason) for s in self.skipped]
        table = pd.DataFrame([*done, *skipped], columns=["check", "verdict", "value", "threshold", "finding"])
        parts = [notebook.paragraph(self.meaning, f"Verdict: {self.verdict}."), notebook.table(table)]
        if self.advice:
            parts += [notebook.paragraph("", "What to do"), notebook.items(self.advice)]
        return "\n".join(parts)

    def __rich__(self) -> Group:
        """The same in colour, for a terminal that rich writes to."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        worst = max((check.verdict for check in self.checks), key=_SEVERITY.__getitem__, default="look")
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for heading in ("", "check", "value", "threshold", "finding"):
            table.add_column(heading, justify="right" if heading == "value" else "left")
        for check in self.checks:
            word = Text(check.verdict, _COLOURS[check.verdict])
            # Text, not markup: labels of parameters have square brackets
            cells = (check.title, number_text(check.value), check.threshold_text, check.finding)
            table.add_row(word, *map(Text, cells))
        for skip in self.skipped:
            table.add_row(Text("-", "dim"), Text(skip.title, "dim"), "", "", Text(skip.reason, "dim"))
        below = Text("\n".join(_explanation(self)))
        verdict = Text.assemble((f"Verdict: {self.verdict}.", f"bold {_COLOURS[worst]}"), f" {self.meaning}")
        return Group(verdict, Text(), table, below)


def number_text(value: float) -> str:
    """A number short enough for a table.

    Examples
    --------
    >>> [number_text(value) for value in (1.00372, 3921.4, 0.000012, 0.0)]
    ['1.004', '3,921', '1.2e-05', '0']
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 1 else f"{value:.2g}"


def named(labels: list[str]) -> str:
    """Labels for a sentence: the first few and how many there are.

    Examples
    --------
    >>> named(["a", "b"])
    'a, b'
    """
    more = f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else ""
    return ", ".join(labels[:_NAMED]) + more


def _explanation(checks: Checks) -> list[str]:
    """What misses, check by check, and what to do about it."""
    if not checks.not_passed:
        return []
    lines = ["", "What misses"]
    for check in checks.not_passed:
        lines += _wrapped(f"{check.title}: {named(check.failing)}")
    lines += ["", "What to do"]
    for sentence in checks.advice:
        lines += _wrapped(sentence)
    return lines


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, width=110, initial_indent="  - ", subsequent_indent="    ", break_long_words=False)


def _plain(value: Any) -> Any:
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bool):
        return value
    number = float(value)
    return (int(number) if number.is_integer() else number) if math.isfinite(number) else None
