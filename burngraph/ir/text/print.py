"""Graphs as text. Reads back through parse.py: parse(print_graph(g)) == g."""

import dataclasses
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from burngraph.errors import BurngraphError
from burngraph.ir.graph import Graph, Node, ParamKind
from burngraph.ir.op import Op, attribute_names
from burngraph.ir.types import DType, TensorType
from burngraph.ir.value import Value

INDENT = "  "
_BAD_CHARACTER = re.compile(r"[^A-Za-z0-9_.]")


def print_graph(graph: Graph, sources: bool = False) -> str:
    """The text of `graph`; nested graphs stand inline, those used more than once come first and are named by @name.

    sources   end each line with the user's file and line as a comment
    """
    printer = _Printer(graph, sources)
    return "\n".join("\n".join(printer.lines(each, "")) for each in [*printer.hoisted, graph]) + "\n"


class Names:
    """Gives out names of [A-Za-z_][A-Za-z0-9_.]*, each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, wanted: str) -> str:
        name = base = sanitized(wanted)
        while name in self._taken:
            # The counter is kept per base, so that n values of one name cost n steps.
            self._next[base] = self._next.get(base, 0) + 1
            name = f"{base}_{self._next[base]}"
        self._taken.add(name)
        return name


def sanitized(name: str) -> str:
    """`name` with every character that text does not allow replaced by an underscore."""
    cleaned = _BAD_CHARACTER.sub("_", name)
    return cleaned if re.match("[A-Za-z_]", cleaned) else "_" + cleaned


class _Printer:
    def __init__(self, graph: Graph, sources: bool) -> None:
        self.sources = sources
        self.hoisted = _used_more_than_once(graph)
        names = Names()
        self.graph_names = {id(each): names.unique(each.name) for each in [*self.hoisted, graph]}
        self.hoisted_ids = {id(each) for each in self.hoisted}

    def lines(self, graph: Graph, indent: str) -> list[str]:
        names = _value_names(graph)
        params = ", ".join(_param(p, kind, names[p]) for p, kind in zip(graph.params, graph.kinds, strict=True))
        graph_name = self.graph_names.get(id(graph)) or sanitized(graph.name)
        lines = [f"{indent}graph @{graph_name}({params}) -> {_types(graph.result_types)} {{"]
        for node in graph.nodes:
            line = self.statement(node, names, indent + INDENT)
            lines.append(line + (f"  # {node.source}" if self.sources and node.source else ""))
        returned = ", ".join(f"%{names[value]}" for value in graph.results)
        lines.append(f"{indent}{INDENT}return {returned}".rstrip())
        lines.append(f"{indent}}}")
        return lines

    def statement(self, node: Node, names: dict[Value, str], indent: str) -> str:
        arguments = ["none" if v is None else f"%{names[v]}" for v in node.operands]
        arguments += [f"{name}={self.value(value, indent)}" for name, value in _printed_attributes(node.op)]
        call = f"{node.op.name}({', '.join(arguments)})"
        if not node.results:
            return indent + call
        results = ", ".join(f"%{names[value]}" for value in node.results)
        return f"{indent}{results}: {_types(tuple(v.type for v in node.results))} = {call}"

    def value(self, value: Any, indent: str) -> str:
        if isinstance(value, Graph):
            if id(value) in self.hoisted_ids:
                return f"@{self.graph_names[id(value)]}"
            return "\n".join(self.lines(value, indent)).lstrip(" ")
        if isinstance(value, tuple):
            return "[" + ",".join(self.value(item, indent) for item in value) + "]"
        return scalar_text(value)


def scalar_text(value: Any) -> str:
    """An attribute that holds no other attribute, as text."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return float.__repr__(value)  # shortest that reads back; also inf, -inf and nan
    if isinstance(value, complex):
        return f"complex({value.real!r},{value.imag!r})"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, int | DType | TensorType):
        return str(value)
    raise BurngraphError(f"an attribute of type {type(value).__name__} has no text: {value!r}")


def _printed_attributes(op: Op) -> list[tuple[str, Any]]:
    """Attributes in declaration order that the text has to state: not the result type, not those at their default."""
    defaults = _defaults(type(op))
    found: list[tuple[str, Any]] = []
    for name in attribute_names(type(op)):
        value = getattr(op, name)
        if name == "type" and isinstance(value, TensorType):
            continue
        if name in defaults and _same(value, defaults[name]):
            continue
        found.append((name, value))
    return found


_DEFAULTS: dict[type[Op], dict[str, Any]] = {}


def _defaults(op_class: type[Op]) -> dict[str, Any]:
    if op_class in _DEFAULTS:
        return _DEFAULTS[op_class]
    found = _DEFAULTS[op_class] = {}
    for field in dataclasses.fields(op_class):  # type: ignore[arg-type]
        if field.default is not dataclasses.MISSING:
            found[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            found[field.name] = field.default_factory()
    return found


def _same(x: Any, y: Any) -> bool:
    """Equality under which 0, 0.0, -0.0 and False differ, as they do between ops."""
    if isinstance(x, tuple) and isinstance(y, tuple):
        return len(x) == len(y) and all(map(_same, x, y))
    if isinstance(x, tuple | Graph) or isinstance(y, tuple | Graph):
        return x is y
    return scalar_text(x) == scalar_text(y)


def _used_more_than_once(graph: Graph) -> list[Graph]:
    """Nested graph objects that several nodes hold, each after those it holds itself."""
    uses: dict[int, int] = {}
    finished: list[Graph] = []
    pending: list[tuple[Graph, bool]] = [(graph, False)]
    while pending:
        current, is_finished = pending.pop()
        if is_finished:
            finished.append(current)
            continue
        uses[id(current)] = uses.get(id(current), 0) + 1
        if uses[id(current)] == 1:
            pending.append((current, True))
            pending.extend((nested, False) for node in current.nodes for nested in node.op.graphs())
    return [each for each in finished if uses[id(each)] > 1]


def _value_names(graph: Graph) -> dict[Value, str]:
    names = Names()
    found: dict[Value, str] = {}
    unnamed = 0
    for value in graph.values():
        if value.name:
            found[value] = names.unique(value.name)
        else:  # a number is no name, so it clashes with none
            found[value] = str(unnamed)
            unnamed += 1
    return found


def _param(value: Value, kind: ParamKind, name: str) -> str:
    if kind is ParamKind.DATA:
        return f"%{name}: {value.type}"
    is_key_shown = kind is not ParamKind.WEIGHT or value.name is None or value.name == name
    key = "" if is_key_shown else f"(key={json.dumps(value.name)})"
    return f"%{name}: {kind.value}{key} {value.type}"


def _types(types: Sequence[TensorType]) -> str:
    return str(types[0]) if len(types) == 1 else "(" + ", ".join(map(str, types)) + ")"
