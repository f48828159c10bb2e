"""What is said when another library's function or operator meets a traced value.

A traced value has no entries, so NumPy and MLX cannot take it. Here the user's expression is read, so that the message can name
the bg spelling of it.
"""

import ast
import linecache
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Sequence
from functools import cache
from types import FrameType

from burngraph.errors import TraceError
from burngraph.ir.graph import Source

OPERATORS: dict[type, str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
    ast.BitAnd: "bitwise_and",
    ast.BitOr: "bitwise_or",
    ast.BitXor: "bitwise_xor",
    ast.LShift: "bitwise_left_shift",
    ast.RShift: "bitwise_right_shift",
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
}
_PYTHON, _SCRIPTS = (sysconfig.get_path(name) + os.sep for name in ("stdlib", "scripts"))
_LIBRARIES = re.compile(r"(?:mx|np|numpy|core|mlx\.core)\.([\w.]+)$")


def refusal(expression: str, where: Source | None) -> TraceError:
    """The error for an `expression` that hands a traced value to another library."""
    what, way_out = _what_and_way_out(expression)
    return TraceError(
        f"{what} a traced value, which only bg functions take", f"expression: {expression}", f"from {where}", way_out
    )


def is_indexing(expression: str) -> bool:
    """Whether it reads x[...]."""
    return isinstance(_node(expression), ast.Subscript)


def _node(expression: str) -> ast.expr | None:
    try:
        return ast.parse(expression, mode="eval").body
    except SyntaxError:  # the line is only a part of a statement
        return None


def _what_and_way_out(expression: str) -> tuple[str, str]:
    node = _node(expression)
    operator = None
    if isinstance(node, ast.BinOp):
        operator = OPERATORS.get(type(node.op))
    elif isinstance(node, ast.Compare):
        operator = OPERATORS.get(type(node.ops[0]))
    if operator is not None:
        return "an mx.array stands to the left of", f"write bg.{operator}(x, y), or put the traced value first"
    if isinstance(node, ast.Subscript):
        return "a concrete array is indexed with", "write bg.take(array, index, axis=0)"
    called = _LIBRARIES.match(ast.unparse(node.func)) if isinstance(node, ast.Call) else None
    if called is None:
        return "another library's function was called on", "write what it computes with bg functions"
    name = called.group(1).rpartition(".")[2]
    name = "asarray" if name == "array" else name
    way_out = f"write bg.{name}(...)" if name in _public_names() else f"there is no bg.{name}; write it with other bg functions"
    return f"{called.group(0)} was called on", way_out


def _public_names() -> Sequence[str]:
    """What `import burngraph as bg` offers, looked up and not imported: this room is below most of it."""
    return getattr(sys.modules.get(__name__.partition(".")[0]), "__all__", ())


def running_expression(frame: FrameType) -> str:
    """The part of its source line that `frame` is running."""
    positions = list(frame.f_code.co_positions())[frame.f_lasti // 2] if frame.f_lasti >= 0 else (None,) * 4
    return _cut(frame.f_code.co_filename, frame.f_lineno, *positions)


def raising_expression(frame: traceback.FrameSummary) -> str:
    """The part of its source line at which an error left `frame`."""
    columns = getattr(frame, "colno", None), getattr(frame, "end_colno", None)
    return _cut(frame.filename, frame.lineno or 0, frame.lineno, getattr(frame, "end_lineno", None), *columns)


def _cut(file: str, line_number: int, first: int | None, last: int | None, start: int | None, end: int | None) -> str:
    line = linecache.getline(file, line_number)
    if start is None or end is None or first != last or first != line_number:
        return line.strip()
    return line.encode()[start:end].decode(errors="replace").strip() or line.strip()


def caller_outside(package: str) -> FrameType | None:
    """The innermost frame of the call stack that is the user's: outside the folder `package` and installed libraries.

    Where all of it is in libraries, the innermost of those: the user's code may be installed too.
    """
    frame: FrameType | None = sys._getframe(1)
    installed: FrameType | None = None
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(package):
            if not is_library(file):
                return frame
            if installed is None and _is_installed(file):
                installed = frame
        frame = frame.f_back
    return installed


@cache
def is_library(file: str) -> bool:
    """Whether a source file belongs to Python itself or to an installed library."""
    return _is_installed(file) or file.startswith(("<frozen", _PYTHON, _SCRIPTS))


@cache
def _is_installed(file: str) -> bool:
    parts = re.split(r"[/\\]", file)
    return "site-packages" in parts or "dist-packages" in parts
