"""The columns of docs/burn.md that the registry's ops answer: the dtypes that a row takes, its derivative, what it is made of.

Each is read off the graphs that the row's expression is traced to on its cases. Nobody states it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import burngraph as bg
from burngraph.errors import BurngraphError, RefusedError
from burngraph.ir.graph import Graph
from burngraph.ir.ops.custom import StopGradient
from burngraph.ir.types import TensorType, as_dtype
from burngraph.ir.value import Value
from burngraph.passes.linearize import linearize
from burngraph.passes.push_forward import push_forward
from burngraph.passes.simplify import drop_unread_nodes, inline_calls
from burngraph.passes.transpose import vjp
from tests.burn.harness import BOOL, EVERY, FLOATS, INTS, NUMBERS, Case, Row, spelled

# What Burn's kind of tensor lets one ask. Burn has no complex numbers.
KINDS = {
    "Base": EVERY,
    "Numeric": NUMBERS,
    "Float": FLOATS,
    "Int": INTS,
    "Bool": BOOL,
    "Activation": FLOATS,
    "Module": FLOATS,
    "Distributed": FLOATS,
}
NARROWER = {"Numeric.IntRandom": INTS}  # it makes integers only, though it stands among the operations on both
# They place, repeat and convert numbers, and stand in nearly every row.
PLACING = frozenset({"broadcast", "cast", "permute", "reshape", "splat"})
MOST_NAMES = 6
STOPPED = StopGradient.name


def traced(row: Row, case: Case, dtype: str) -> Graph:
    """The graph of the row's expression on the case's operands, without what nothing reads."""
    return drop_unread_nodes(bg.trace(spelled(row, case, dtype), *(bg.TensorSpec(t.shape, t.dtype) for t in case.types(dtype))))


def dtypes_asked(row: Row) -> Sequence[str]:
    """The dtypes that Burn's kind of tensor has for the row."""
    return NARROWER.get(str(row), KINDS[row.family])


def dtypes_taken(row: Row, cases: Iterable[Case]) -> list[str]:
    """Those of `dtypes_asked` with which, in the place of "T", one of the row's cases can be traced."""
    cases = list(cases)
    return [dtype for dtype in dtypes_asked(row) if any(case.takes(dtype) and _traces(row, case, dtype) for case in cases)]


def _traces(row: Row, case: Case, dtype: str) -> bool:
    try:
        traced(row, case, dtype)
    except BurngraphError:
        return False
    return True


@dataclass(frozen=True)
class Derivative:
    """What `linearize` and `transpose` make of a graph, with respect to all of its floats.

    operands   types of the parameters, by name
    results    types of the results
    paths      (operand, result): the result's tangent is computed from the operand's. Any other pair has a zero derivative
    refused    "forward" or "reverse" -> why an op on the way refuses it
    ends       the locally constant ops that a tangent ends at, of those that give floats
    """

    operands: dict[str, TensorType]
    results: tuple[TensorType, ...]
    paths: frozenset[tuple[str, int]]
    refused: dict[str, str]
    ends: tuple[str, ...]

    @property
    def moving(self) -> list[str]:
        """The operands that have tangents: floats, if there is one to move."""
        return [name for name, type in self.operands.items() if type.dtype.is_inexact and type.size]

    @property
    def smooth(self) -> list[int]:
        """The results that have tangents."""
        return [k for k, type in enumerate(self.results) if type.dtype.is_inexact]

    @property
    def is_stopped(self) -> bool:
        """Whether what is zero is so by definition, and not by the values."""
        return STOPPED in self.ends

    @property
    def modes(self) -> list[str]:
        """In which there is one; it may be zero."""
        return [mode for mode in ("forward", "reverse") if self.moving and self.smooth and mode not in self.refused]


def derivative(row: Row, case: Case, dtype: str) -> Derivative:
    """The derivative of the row's expression on the case's operands."""
    graph = traced(row, case, dtype)
    operands = dict(zip(case.operands, graph.param_types, strict=True))
    wrt = [i for i, type in enumerate(graph.param_types) if type.dtype.is_inexact]
    names = [list(operands)[i] for i in wrt]
    paths, refused = frozenset[tuple[str, int]](), {}
    for mode, transform in (("forward", push_forward), ("reverse", vjp)):
        try:
            transform(graph, wrt)
        except RefusedError as error:
            refused[mode] = error.headline
    if len(refused) < 2:
        paths = frozenset((names[i], k) for i, k in _paths(graph, wrt))
    return Derivative(operands, graph.result_types, paths, refused, tuple(dict.fromkeys(_ends(graph, wrt))))


def _ends(graph: Graph, wrt: Sequence[int]) -> Iterator[str]:
    moving = {graph.params[i] for i in wrt}
    for node in graph.nodes:
        if not moving.isdisjoint(node.values_read):
            if not node.op.locally_constant:
                moving.update(node.results)
            elif any(value.type.dtype.is_inexact for value in node.results):
                yield node.op.name


def _paths(graph: Graph, wrt: Sequence[int]) -> Iterator[tuple[int, int]]:
    """(index in `wrt`, result) where the result's tangent is computed from the parameter's."""
    joint, n = linearize(graph, wrt), len(graph.params)
    smooth = [k for k, type in enumerate(graph.result_types) if type.dtype.is_inexact]
    for i, dot in enumerate(joint.params[n:]):
        reached: set[Value] = {dot}
        for node in joint.nodes:
            if not reached.isdisjoint(node.values_read):
                reached.update(node.results)
        yield from ((i, k) for k, y_dot in zip(smooth, joint.results[len(graph.results) :], strict=True) if y_dot in reached)


def derivatives(row: Row, cases: Iterable[Case]) -> list[tuple[Case, Derivative]]:
    """The derivative of each case, with its first float in the place of "T" and in f64; as it is where it has no floats."""
    found = []
    for case in cases:
        if case.out:
            tried = dict.fromkeys([_float_of(case) or case.dtypes[0], *(dtype for dtype in case.dtypes if dtype == "f64")])
            found += [(case, derivative(row, case, dtype)) for dtype in tried]
    return found


def derivative_in_words(found: Sequence[tuple[Case, Derivative]]) -> str:
    """The column's entry from the derivatives of a row's cases."""
    with_operands = [d for _, d in found if d.operands]
    if not with_operands:
        return "none: no operand"
    if not any(d.moving for d in with_operands):
        return f"none: {_kinds(type for d in with_operands for type in d.operands.values())} operand"
    found = [(case, d) for case, d in found if d.moving]
    if not any(d.smooth for _, d in found):
        return f"none: {_kinds(type for _, d in found for type in d.results)} result"
    found = [(case, d) for case, d in found if d.smooth]
    modes = [mode for mode in ("forward", "reverse") if all(mode in d.modes for _, d in found)]
    reasons = list(dict.fromkeys(reason for _, d in found for reason in d.refused.values()))
    if not modes:
        return f"none: {reasons[0]}"
    if not any(d.paths for _, d in found):
        ends = dict.fromkeys(name for _, d in found for name in d.ends)
        why = "by definition" if STOPPED in ends else "locally constant"
        words = ["zero" + (f" ({', '.join(ends)}: {why})" if ends else "")]
    else:
        words = [", ".join(modes) + (f" only ({reasons[0]})" if reasons else ""), *_zeros(found)]
    if any(not type.dtype.is_inexact for _, d in found for type in d.results):
        words.append("none for the integer result")
    return "; ".join(words)


def _kinds(types: Iterable[TensorType]) -> str:
    return "bool" if all(type.dtype.kind == "bool" for type in types) else "integer"


def _zeros(found: Sequence[tuple[Case, Derivative]]) -> Iterator[str]:
    """The operands in which all results have a zero derivative, always or where an attribute is such and such."""
    always = []
    for name in dict.fromkeys(name for _, d in found for name in d.moving):
        moving = [(case, any(name == operand for operand, _ in d.paths)) for case, d in found if name in d.moving]
        if not any(is_there for _, is_there in moving):
            always.append(name)
        elif not all(is_there for _, is_there in moving):
            yield f"zero in {name} {_where(moving)}"
    if always:
        yield "zero in " + ", ".join(always)


def _where(moving: Sequence[tuple[Case, bool]]) -> str:
    """The values of an attribute with which no case has a derivative: of the attribute that accounts for most such cases."""
    best, most = "for some shapes", 0
    for attribute in dict.fromkeys(key for case, _ in moving for key in case.attributes):
        values = [repr(case.attributes.get(attribute)) for case, _ in moving]
        without = set(values) - {value for value, (_, is_there) in zip(values, moving, strict=True) if is_there}
        count = sum(value in without for value in values)
        if count > most:
            best, most = f"where {attribute} is " + " or ".join(sorted(without)).replace("'", ""), count
    return best


def made_of(row: Row, cases: Iterable[Case]) -> str:
    """The ops of the row's graphs, of those on floats where it has them; how many kinds if they are many.

    Composites stay whole; what a loop repeats counts.
    """
    cases = [case for case in cases if case.out]
    on_floats = [case for case in cases if _float_of(case)]
    graphs = [traced(row, case, _float_of(case) or case.dtypes[0]) for case in on_floats or cases]
    names = list(dict.fromkeys(name for graph in graphs for name in _op_names(inline_calls(graph))))
    told = [name for name in names if name not in PLACING] or names
    return ", ".join(told) if len(told) <= MOST_NAMES else f"{len(told)} kinds"


def _float_of(case: Case) -> str | None:
    return next((dtype for dtype in case.dtypes if as_dtype(dtype).kind == "float"), None)


def _op_names(graph: Graph) -> Iterator[str]:
    for node in graph.nodes:
        yield node.op.name
        for nested in node.op.graphs():
            yield from _op_names(nested)


def cases_by_row(cases: Iterable[Case]) -> dict[str, list[Case]]:
    """Cases by the row they belong to."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.row, []).append(case)
    return found


def dtypes_in_words(dtypes: Sequence[str]) -> str:
    """Whole groups by their name; the rest one by one."""
    groups: dict[str, Any] = {"floats": FLOATS, "integers": INTS, "bool": BOOL}
    said, left = [], list(dtypes)
    for name, group in groups.items():
        if set(group) <= set(left):
            said.append(name)
            left = [dtype for dtype in left if dtype not in group]
    return ", ".join([*said, *left]) or "none"
