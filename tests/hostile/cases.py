"""What every test of bad input asks: one error of ours that names the place, or a design that can be used, and soon."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bayes_glmm.design import Design, build_design, resolve_priors
from bayes_glmm.errors import GLMMError
from bayes_glmm.spec import ModelSpec

LONGEST = 13_000  # characters of a message: three parts, each cut


@dataclass(frozen=True)
class Case:
    """A formula over edited data.

    Attributes
    ----------
    name : str
    formula : str
    edit : function
        From the good frame to the bad one.
    error : type or None
        What must be raised; None where the design must be built.
    words : str
        Of the message; of the coefficients, joined by a blank, where it works.
    family : str
    """

    name: str
    formula: str
    edit: Callable[[pd.DataFrame], Any]
    error: type[GLMMError] | None
    words: str
    family: str = "gaussian"

    def build(self) -> Design:
        """The design, proved by priors."""
        spec = ModelSpec.from_formula(self.formula, self.family)
        design = build_design(spec, self.edit(frame()))
        resolve_priors(spec, design)
        return design


def check(case: Case) -> None:
    """The case ends as it should."""
    with within(20):
        if case.error is None:
            design = case.build()
            assert case.words in " ".join(design.coefficients)
            assert np.isfinite(design.X).all()
            assert len(design.coefficients) == design.X.shape[1]
            return
        refused(case.build, case.error, case.words)


def refused(action: Callable[[], Any], error: type[GLMMError], words: str) -> None:
    """An action ends in one error with what, where or what to do, short enough to be read."""
    with pytest.raises(GLMMError) as caught:
        action()
    assert isinstance(caught.value, error), repr(caught.value)
    message = str(caught.value)
    assert words in message
    assert caught.value.where or caught.value.advice or "errors:" in message
    assert len(message) < LONGEST
    assert all(character.isprintable() or character == "\n" for character in message)


def is_refused(build: Callable[[], Any], error: type[GLMMError], *words: str) -> None:
    """An action ends in one error with all of these words, soon."""
    with within(20):
        for word in words:
            refused(build, error, word)


def sixty_rows(y: Any, **columns: Any) -> pd.DataFrame:
    """A response beside a covariate x and a factor g of six levels."""
    x = np.random.default_rng(1).normal(size=60)
    return pd.DataFrame({"y": y, "x": x, "g": np.arange(60) % 6, **columns})


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """A test that would hang fails instead."""

    def stop(number: int, place: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


_FORBIDDEN = ("open", "exec", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class")
_watchers: list[list[str]] = []


def _notice(event: str, arguments: tuple[Any, ...]) -> None:
    """Python tells of what code does, by whatever way it got there (PEP 578); a hook stays once it is there."""
    if event in _FORBIDDEN:
        for events in _watchers:
            events.append(f"{event}{arguments}")


@contextmanager
def watched() -> Iterator[list[str]]:
    """What the block does that reading a formula never needs: opened files, code that runs."""
    _warm()
    events: list[str] = []
    _watchers.append(events)
    try:
        yield events
    finally:
        _watchers.remove(events)


@cache
def _warm() -> None:
    """Everything is imported before anything is watched."""
    Case("", "y ~ C(f) + bs(x, df=4) + poly(z, 2) + (log(z) | g)", keep, None, "").build()
    Case("", "p(k, n) ~ offset(log(z)) + (1 | f)", keep, None, "", "binomial").build()
    sys.addaudithook(_notice)


def frame() -> pd.DataFrame:
    """Thirty good rows of every kind of column."""
    rng = np.random.default_rng(9)
    return pd.DataFrame(
        {
            "y": rng.normal(size=30),
            "x": rng.normal(size=30),
            "z": rng.uniform(1.0, 2.0, 30),
            "f": list("abc") * 10,
            "g": np.repeat(np.arange(6), 5),
            "k": rng.integers(0, 5, 30),
            "n": 5,
            "b": rng.integers(0, 2, 30),
            "share": rng.uniform(0.1, 0.9, 30),
            "answer": ["yes", "no", "no"] * 10,
            "i": np.arange(30),
        }
    )


def put(**columns: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Columns in place of the good ones; functions get the frame."""
    return lambda data: data.assign(**columns)


def keep(data: pd.DataFrame) -> pd.DataFrame:
    """The good frame."""
    return data
