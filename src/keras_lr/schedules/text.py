"""Reads a schedule from text: `parse("Cosine(0.1, 0.0, '90%').warmup('10%')")`, for the command line.

The text has Python's syntax. It is read with `ast` and never executed: only schedules, their operators and methods, and
literals are allowed, so a text from any source can only make a schedule. `parse(repr(schedule)) == schedule`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

from keras_lr.core.errors import ArgumentError
from keras_lr.schedules.base import Schedule, as_schedule
from keras_lr.schedules.fields import KINDS

METHODS = ("warmup", "cooldown", "clip", "repeat", "every", "delay", "skip", "retime", "extend", "bind")
LONGEST_TEXT = 10_000
_NOT_IN_TEXT = ("Function", "Adopted", "Bound")  # two hold code; `.bind` makes the third
_OPERATORS: dict[type[ast.operator], Callable[[Schedule, Schedule], Schedule]] = {
    ast.RShift: lambda left, right: left >> right,
    ast.Mult: lambda left, right: left * right,
    ast.Add: lambda left, right: left + right,
}


def parse(text: str) -> Schedule:
    """Makes the schedule that a text describes.

    Args:
        text: Schedules of `keras_lr`, the operators `>>`, `*` and `+`, the methods that return a schedule (`.warmup`, `.clip`
            and so on), and literals: numbers, strings, None, True, False, lists, tuples. A number is a constant rate.

    Returns:
        A `Schedule`.

    Raises:
        ArgumentError: The text contains something else, or an argument is invalid.

    Example:
        >>> parse("0.1 * Cosine(1, 0, 4).warmup(1)").evaluate([1, 3, 5]).round(6).tolist()
        [0.1, 0.05, 0.0]
    """
    if not isinstance(text, str) or len(text) > LONGEST_TEXT:
        rule = f"a schedule is a text of at most {LONGEST_TEXT} characters"
        raise ArgumentError("schedule", rule, "Pass such a text", expression=text)
    return _Reader(text).schedule()


def names() -> dict[str, type[Schedule]]:
    """Returns the schedules that a text may name."""
    return {name: kind for name, kind in sorted(KINDS.items()) if name not in _NOT_IN_TEXT}


class _Reader:
    """Reads one text; each method takes a node of its syntax tree and returns the value."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.names = names()

    def schedule(self) -> Schedule:
        """Reads the whole text."""
        try:
            tree = ast.parse(self.text, mode="eval")
            return self.as_schedule(tree.body, tree.body)
        except ArgumentError:
            raise
        except (SyntaxError, ValueError) as error:  # ValueError: a null character
            rule = f"this is not a Python expression ({getattr(error, 'msg', None) or error})"
            raise self.error(rule, "Check the parentheses and the quotes") from None
        except (RecursionError, MemoryError):
            raise self.error("it is nested too deeply", "Make it simpler") from None

    def value(self, node: ast.expr) -> Any:
        """Reads any piece."""
        if isinstance(node, ast.Constant) and (node.value is None or type(node.value) in (int, float, str, bool)):
            return node.value
        if isinstance(node, ast.List | ast.Tuple):
            return tuple(self.value(item) for item in node.elts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self.number(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return self.combine(node)
        if isinstance(node, ast.Call):
            return self.read_call(node)
        if isinstance(node, ast.Name) and node.id in self.names:
            raise self.error(f"{node.id} needs its arguments", f"Write {node.id}{self.signature(self.names[node.id])}")
        raise self.not_allowed(node)

    def number(self, node: ast.expr) -> Any:
        """Reads the number after a minus."""
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return node.value
        rule = f"a minus may stand only before a number, not before {self.piece(node)}"
        raise self.error(rule, "Write a number, for example -0.1")

    def combine(self, node: ast.BinOp) -> Schedule:
        """Reads `left >> right`, `left * right` or `left + right`; numbers are constant rates."""
        left, right = self.as_schedule(node.left, node), self.as_schedule(node.right, node)
        return _OPERATORS[type(node.op)](left, right)

    def as_schedule(self, node: ast.expr, around: ast.expr) -> Schedule:
        """Reads a piece that must be a schedule or a number."""
        value = self.value(node)
        if isinstance(value, str | tuple) or value is None:
            where = "" if node is around else f" in {self.piece(around)}"
            raise self.error(f"{self.piece(node)}{where} is not a schedule", f"Write one of {', '.join(self.names)}")
        return as_schedule("schedule", value)

    def read_call(self, node: ast.Call) -> Any:
        """Reads `Name(...)` or `schedule.method(...)`."""
        if isinstance(node.func, ast.Name) and node.func.id in self.names:
            kind = self.names[node.func.id]
            return self.make(kind, node, _schedule_fields(kind))
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            schedule = self.as_schedule(node.func.value, node)
            return self.make(getattr(schedule, node.func.attr), node, ())
        raise self.not_allowed(node.func)

    def make(self, function: Callable[..., Any], node: ast.Call, parts: tuple[str, ...]) -> Any:
        """Calls a class or a method; raises every fault of the arguments as an error about this text.

        Args:
            function: The class or the method.
            node: The call.
            parts: The arguments that are schedules.
        """
        name, repair = self.piece(node.func), f"Write {self.piece(node.func)}{self.signature(function)}"
        pieces = [*node.args, *node.keywords]
        if any(isinstance(piece, ast.Starred) or getattr(piece, "arg", "") is None for piece in pieces):
            raise self.error(f"* and ** are not allowed in {self.piece(node)}", repair)
        positional = [self.value(argument) for argument in node.args]
        named = {str(keyword.arg): self.value(keyword.value) for keyword in node.keywords}
        try:
            bound = inspect.signature(function).bind(*positional, **named)
            for argument in parts:
                bound.arguments[argument] = as_schedule(name, bound.arguments[argument])
            return function(*bound.args, **bound.kwargs)
        except ArgumentError:
            raise
        except (TypeError, AttributeError, ValueError, ArithmeticError) as error:
            raise self.error(f"{self.piece(node)} does not work: {error}", repair) from None

    def signature(self, function: Callable[..., Any]) -> str:
        """Returns the arguments of a schedule or a method as code."""
        parameters = inspect.signature(function).parameters.values()
        bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
        return str(inspect.Signature(bare))

    def piece(self, node: ast.AST) -> str:
        """Returns the text of a piece, shortened."""
        text = ast.get_source_segment(self.text, node) or type(node).__name__  # type: ignore[arg-type]
        return text if len(text) <= 60 else f"{text[:57]}..."

    def not_allowed(self, node: ast.AST) -> ArgumentError:
        """Returns the error that names the piece and what is allowed instead."""
        methods = ", ".join(f".{method}" for method in METHODS)
        return self.error(
            f"{self.piece(node)} is not allowed",
            f"Use {', '.join(self.names)}, the operators >> * +, the methods {methods}, numbers, texts, None and lists",
        )

    def error(self, rule: str, repair: str) -> ArgumentError:
        """Returns an error about this text."""
        return ArgumentError("schedule", rule, repair, expression=self.text)


def _schedule_fields(kind: type[Schedule]) -> tuple[str, ...]:
    """Returns the arguments of a schedule that are schedules."""
    return tuple(name for name, rule in kind._rules.items() if rule.kind == "part")
