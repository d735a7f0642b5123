"""What a formula may say: a closed list of functions with their arguments, and terms that memory and time can hold.

:mod:`bayes_glmm.design.parser` reads the text, and this checks its tree before anything is evaluated. What is not
listed is refused: other functions, arguments that write into a column (NumPy's ``out``), powers that are not finite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayes_glmm.errors import SpecError, choices
from bayes_glmm.foreign import OPERATORS, WORDS, function_advice

_MOST_TERMS = 2_000  # that a formula may expand to: (a + b) ** 2 has 3
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_ARITHMETIC = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "//": np.floor_divide,
    "%": np.mod,
    "**": np.power,
}


@dataclass(frozen=True)
class Function:
    """A function that a formula may call.

    Attributes
    ----------
    arguments : tuple of str
        Names of the arguments, in order.
    required : int
        How many of them must be given.
    settings : bool
        Whether all arguments after the first are numbers, texts or truth values.
    most : dict of str to int
        The largest value of an argument.
    """

    arguments: tuple[str, ...]
    required: int = 1
    settings: bool = False
    most: dict[str, int] = field(default_factory=dict)


_OF_ONE_COLUMN = (
    *("log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "cbrt", "abs", "sign", "square", "floor", "ceil"),
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"),
)
NUMPY_FUNCTIONS: dict[str, Function] = {
    **{name: Function(("x",)) for name in _OF_ONE_COLUMN},
    "round": Function(("x", "decimals"), settings=True),
    "minimum": Function(("x1", "x2"), required=2),
    "maximum": Function(("x1", "x2"), required=2),
    "power": Function(("x1", "x2"), required=2),
    "clip": Function(("x", "a_min", "a_max"), required=3, settings=True),
    "where": Function(("condition", "x", "y"), required=3),
}
_KNOTS = ("x", "df", "knots", "degree", "intercept", "lower_bound", "upper_bound")
FUNCTIONS: dict[str, Function] = {
    **NUMPY_FUNCTIONS,
    "I": Function(("x",)),
    "C": Function(("x",)),
    "S": Function(("x", "omit"), settings=True),
    "T": Function(("x", "ref"), settings=True),
    "center": Function(("x",)),
    "scale": Function(("x",)),
    "standardize": Function(("x",)),
    "poly": Function(("x", "degree", "raw"), settings=True, most={"degree": 100}),
    # FITPACK, which evaluates the splines, writes beyond its memory for degrees above 5
    "bs": Function(_KNOTS, settings=True, most={"df": 1_000, "degree": 5}),
}
CODING = ("C", "S", "T")  # functions that make categories of numbers
STATEFUL = ("center", "scale", "standardize", "poly", "bs")  # functions that remember the rows they were made on


def parse_tree(expression: str) -> Any:
    """The syntax tree of an expression, if all of it is listed above.

    Raises
    ------
    SpecError
        For functions, arguments and operators that are not listed.
    """
    from bayes_glmm.design.parser import parse

    tree = parse(expression)
    if _check_terms(tree, expression) > _MOST_TERMS:
        raise SpecError(
            f"The formula expands to over {_MOST_TERMS:,} terms.", expression, "Name the interactions that matter."
        )
    return tree


def _check_terms(node: Any, expression: str) -> int:
    """Refuse what is no sum of terms, and count them once products are expanded."""
    kind = type(node).__name__
    if kind == "Call":
        _check_call(node, expression)
    elif kind == "Literal":
        _check_literal(node, expression)
    elif kind == "Variable":
        _check_variable(node, expression)
    elif kind == "Assign":
        _check_assignment(node, expression)
    elif kind == "Grouping":
        return _check_terms(node.expression, expression)
    elif kind == "Unary":
        return _check_terms(node.right, expression)
    elif kind == "Binary":
        return _check_operator(node, expression)
    return 1


def _check_literal(node: Any, expression: str) -> None:
    if isinstance(node.value, str):
        raise SpecError(f"The text {node.value!r} is not a term.", expression, "Write a column without quotes.")
    if isinstance(node.value, bool) or node.value not in (0, 1):
        what = f"number {node.value}" if isinstance(node.value, int | float) else f"word {node.value}"
        raise SpecError(f"The {what} is not a term.", expression, "Write arithmetic inside I(...).")


def _check_operator(node: Any, expression: str) -> int:
    operator = node.operator.lexeme
    left = _check_terms(node.left, expression)
    if operator == "**":
        if type(getattr(node.left, "expression", None)).__name__ != "Binary":
            raise SpecError("The power of one term is that term itself.", expression, "Write a square as I(x ** 2).")
        power = getattr(node.right, "value", None)
        if isinstance(power, bool) or not isinstance(power, int) or not 1 <= power <= 10:
            raise SpecError("The power of a sum is a number from 1 to 10.", expression, "Write (a + b + c) ** 2.")
        return sum(math.comb(left, size) for size in range(1, power + 1))
    right = _check_terms(node.right, expression)
    if operator not in ("+", "-", "*", "/", ":"):
        what = "a comparison as I(x > 2)" if operator in _COMPARISONS else f"arithmetic as I(x {operator} 2)"
        raise SpecError(f"{operator!r} does not join terms.", expression, f"Write {what}.")
    products = 0 if operator in "+-" else left * right
    return products if operator == ":" else left + right + products


def _check_call(node: Any, expression: str) -> None:
    """The function is one of :data:`FUNCTIONS`, and so are those within its arguments."""
    name = node.callee.name.lexeme if type(node.callee).__name__ == "Variable" else "(...)"
    plain = name.removeprefix("np.")
    if plain not in (NUMPY_FUNCTIONS if name != plain else FUNCTIONS):
        advice = function_advice(name, _texts(node.args)) or choices(plain, sorted(FUNCTIONS))
        if (short := name.rpartition(".")[2]) in FUNCTIONS:
            advice = f"Write {short}({', '.join(_texts(node.args))})."
        raise SpecError(f"A formula cannot call {name!r}.", expression, advice)
    if name == "C" and (advice := function_advice(name, _texts(node.args))):
        raise SpecError("C() has one argument, the column.", expression, advice)
    _check_arguments(name, FUNCTIONS[plain], node.args, expression)


def _texts(arguments: list[Any]) -> list[str]:
    """Arguments of a call as text: ``x``, ``Treatment('b')``, ``ref='b'``."""
    from bayes_glmm.design.parser import value

    return [
        f"{node.name.name.lexeme}={value(node.value)}" if type(node).__name__ == "Assign" else str(value(node))
        for node in arguments
    ]


def _check_arguments(name: str, function: Function, arguments: list[Any], expression: str) -> None:
    given: dict[str, Any] = {}
    for position, argument in enumerate(arguments):
        named = type(argument).__name__ == "Assign"
        key = argument.name.name.lexeme if named else dict(enumerate(function.arguments)).get(position, "")
        if key not in function.arguments or key in given:
            what = f"no argument {key!r}" if named else f"{len(function.arguments)} at most"
            own = f"Its arguments: {', '.join(function.arguments)}."
            advice = f"{function_advice(name, _texts(arguments))} {own}".strip()
            raise SpecError(f"The arguments of {name}() are not understood: it has {what}.", expression, advice)
        given[key] = argument.value if named else argument
    if missing := [key for key in function.arguments[: function.required] if key not in given]:
        raise SpecError(f"{name}() needs its argument {missing[0]!r}.", expression)
    for key, value in given.items():
        _check_value(value, expression)
        if function.settings and key != function.arguments[0] and not _is_constant(value):
            word = WORDS.get(value.name.lexeme) if type(value).__name__ == "Variable" else None
            advice = word or f"Write a number, or text in quotes: {key}='level'."
            raise SpecError(f"The argument {key!r} of {name}() is not a number or text.", expression, advice)
        if key in function.most and not _is_count(value, function.most[key]):
            what = f"The argument {key!r} of {name}() is not a whole number up to {function.most[key]}."
            raise SpecError(what, expression, "Write the number itself.")


def _is_count(node: Any, most: int) -> bool:
    value = getattr(node, "value", "")
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most)


def _check_value(node: Any, expression: str) -> None:
    """Arithmetic, comparisons and further calls; nothing that is computed from numbers or text alone without end."""
    kind = type(node).__name__
    if kind == "Call":
        _check_call(node, expression)
    elif kind == "Grouping":
        _check_value(node.expression, expression)
    elif kind == "Unary":
        _check_value(node.right, expression)
    elif kind == "Binary":
        operator = node.operator.lexeme
        for side in (node.left, node.right):
            _check_value(side, expression)
            if operator not in _COMPARISONS and isinstance(getattr(side, "value", None), str):
                raise SpecError(f"There is no {operator!r} of text.", expression, "Compare text: I(x == 'level').")
        if operator not in (*_COMPARISONS, *_ARITHMETIC):
            raise SpecError(f"{operator!r} is not supported.", expression, OPERATORS.get(operator, ""))
        if operator == "**" and not np.isfinite(_constant(node, 0.0)):
            raise SpecError("A number to the power of a number is not finite.", expression, "Write the result.")
    elif kind == "Variable":
        _check_variable(node, expression)
    elif kind == "Assign":
        _check_assignment(node, expression)


def _check_variable(node: Any, expression: str) -> None:
    if node.level is not None:
        raise SpecError("A level can be named in the response only.", expression, "Write I(x == 'level').")


def _check_assignment(node: Any, expression: str) -> None:
    name = node.name.name.lexeme
    raise SpecError(f"The formula cannot be read: '{name} =' is not a comparison.", expression, OPERATORS["="])


def _is_constant(node: Any) -> bool:
    """Whether a value comes from no column."""
    match type(node).__name__:
        case "Literal":
            return True
        case "Unary":
            return _is_constant(node.right)
        case "Grouping":
            return _is_constant(node.expression)
        case "Binary":
            return _is_constant(node.left) and _is_constant(node.right)
    return False


def _constant(node: Any, otherwise: float) -> float:
    """The value of arithmetic on numbers alone, in floats, which take no time to overflow."""
    kind = type(node).__name__
    if not _is_constant(node) or (kind == "Literal" and not isinstance(node.value, int | float)):
        return otherwise
    with np.errstate(all="ignore"):
        match kind:
            case "Literal":
                return np.float64(node.value)
            case "Grouping":
                return _constant(node.expression, otherwise)
            case "Unary":
                sign = -1.0 if node.operator.lexeme == "-" else 1.0
                return sign * _constant(node.right, otherwise)
        operation = _ARITHMETIC.get(node.operator.lexeme, np.subtract)
        return operation(_constant(node.left, otherwise), _constant(node.right, otherwise))
