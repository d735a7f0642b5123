"""A prior: a PyMC distribution by name with numbers for its arguments, read from and written as text."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass

from bayes_glmm.errors import SpecError

Argument = float | int | tuple[float, ...]


@dataclass(frozen=True)
class Prior:
    """A distribution by name, and its arguments.

    Attributes
    ----------
    distribution : str
        A PyMC distribution (``"Normal"``, ``"HalfStudentT"``, ...), or ``"LKJ"`` for a correlation matrix.
    positional : tuple
        Arguments by position, in PyMC's order.
    keyword : tuple of (str, number)
        Arguments by name.

    Examples
    --------
    >>> print(Prior.parse("HalfStudentT(3, sigma=2.5)"))
    HalfStudentT(3, sigma=2.5)
    """

    distribution: str
    positional: tuple[Argument, ...] = ()
    keyword: tuple[tuple[str, Argument], ...] = ()

    @classmethod
    def parse(cls, text: str | Prior) -> Prior:
        """Read ``"Normal(0, 2.5)"`` or ``"Normal(mu=0, sigma=2.5)"``.

        Only names, numbers and lists of numbers are read; nothing is evaluated.

        Raises
        ------
        SpecError
            If the text is not of that form.
        """
        if isinstance(text, Prior):
            return text
        advice = "Write a PyMC distribution with numbers, such as Normal(0, 2.5) or HalfStudentT(nu=3, sigma=2.5)."
        try:
            call = ast.parse(str(text).strip(), mode="eval").body
        except (SyntaxError, RecursionError, MemoryError) as error:  # the last two where it nests without end
            raise SpecError(f"The prior {text!r} cannot be read.", advice=advice) from error
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise SpecError(f"The prior {text!r} is not a distribution with arguments.", advice=advice)
        try:
            positional = tuple(_number(node) for node in call.args)
            keyword = tuple((str(node.arg), _number(node.value)) for node in call.keywords)
        except (ValueError, TypeError, OverflowError, RecursionError, MemoryError) as error:
            raise SpecError(f"An argument of the prior {text!r} is not a number.", advice=advice) from error
        names = [node.arg for node in call.keywords]
        if None in names or len(set(names)) < len(names):
            raise SpecError(f"The prior {text!r} does not name each argument once.", advice=advice)
        return cls(call.func.id, positional, keyword)

    def __str__(self) -> str:
        named = [f"{name}={_text(value)}" for name, value in self.keyword]
        return f"{self.distribution}({', '.join([_text(value) for value in self.positional] + named)})"


def _number(node: ast.expr) -> Argument:
    value = ast.literal_eval(node)
    items = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(item, bool) or not isinstance(item, int | float) or not math.isfinite(item) for item in items):
        raise TypeError(value)
    return tuple(float(item) for item in items) if items is value else value


def _text(value: Argument) -> str:
    """The shortest text that reads back as the same number."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    short = f"{value:.6g}"
    return short if float(short) == value else repr(value)
