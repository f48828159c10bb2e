"""Naming the function that the user called and the argument that is wrong, for messages made deep inside it."""

import sys
from collections.abc import Callable
from typing import Any

from burngraph.errors import DTypeError
from burngraph.frontend.recording import is_inside_package, is_tensor, located
from burngraph.ir.value import Value


def argument_name(value: Any) -> str:
    """The outermost function of ours on the call stack that was given `value`, and as what: "relu: x", "stack: xs[1]"."""
    frame = sys._getframe(1)
    found = ""
    while frame is not None and is_inside_package(frame.f_code.co_filename):
        code = frame.f_code
        if not code.co_name.startswith(("_", "<")):
            for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
                given = frame.f_locals.get(name)
                if given is value:
                    found = f"{code.co_name}: {name}"
                elif isinstance(given, list | tuple) and any(item is value for item in given):
                    found = f"{code.co_name}: {name}[{[item is value for item in given].index(True)}]"
        frame = frame.f_back
    return found or "an operand"


def not_an_array(value: Any, name: str = "") -> Exception:
    """The error for `value` where an array or a number belongs; `name` says where, and is looked for if not given."""
    way_out = "give an array or a number"
    if isinstance(value, Value):
        way_out = "the aspects of an op are given values of a graph, which only emit takes: use emit(Relu(), x) inside an op"
    if isinstance(value, list | tuple):
        way_out = "wrap it in bg.asarray(...)"
        if any(map(is_tensor, value)):
            way_out = "take one of them, or make one array of all with bg.stack or bg.concat"
    return located(DTypeError(f"{name or argument_name(value)} is {an(value)}, not an array or a number", way_out))


def an(value: Any) -> str:
    """The type of a value with its article."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiouAEIOU" else f"a {name}"


def operand(function: Callable[..., Any], position: int, value: Any) -> Exception:
    """The error for the operand of an operator, which `function` computes."""
    return not_an_array(value, f"{function.__name__}: operand {position}")
