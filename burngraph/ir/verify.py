"""The rules every graph keeps, checked after each pass."""

from burngraph.errors import BurngraphError, VerifyError
from burngraph.ir.builder import infer_types
from burngraph.ir.graph import Graph, Node, ParamKind
from burngraph.ir.value import Value

KEY_SHAPE = (2,)


def verify(graph: Graph) -> Graph:
    """Return `graph`, or raise VerifyError naming the rule, the node and its source line.

    Checked: every operand is defined before it is read, in this graph; every value is defined once; types are what the op
    infers; results are defined; states match the last results; keys are u32[2]; nested graphs keep the same rules.
    """
    seen: set[int] = set()
    pending = [graph]
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        pending.extend(_verify_one(current))
    return graph


def _verify_one(graph: Graph) -> list[Graph]:
    defined: set[Value] = set()
    nested: list[Graph] = []
    for value in graph.params:
        _define(graph, defined, value)
    for node in graph.nodes:
        for value in node.values_read:
            if value not in defined:
                raise _broken(graph, node, f"{node.op.name} reads {value!r}, which is not defined before it")
        try:
            inferred = infer_types(node.op, node.operand_types)
        except BurngraphError as error:
            raise _broken(graph, node, error.headline, *error.details) from None
        declared = tuple(value.type for value in node.results)
        if inferred != declared:
            raise _broken(graph, node, f"{node.op.name} gives {_types(inferred)}, declared {_types(declared)}")
        for value in node.results:
            _define(graph, defined, value)
        nested.extend(node.op.graphs())
    for value in graph.results:
        if value not in defined:
            raise _broken(graph, None, f"the graph returns {value!r}, which is not defined in it")
    verify_kinds(graph)
    return nested


def verify_kinds(graph: Graph) -> None:
    """Raise VerifyError unless states are the last results and keys are u32[2]."""
    states = [p for p, kind in zip(graph.params, graph.kinds, strict=True) if kind is ParamKind.STATE]
    new_states = graph.result_types[len(graph.results) - len(states) :] if states else ()
    if [p.type for p in states] != list(new_states):
        raise _broken(
            graph,
            None,
            f"states {_types(tuple(p.type for p in states))} are not the last results, {_types(new_states)}",
        )
    for value, kind in zip(graph.params, graph.kinds, strict=True):
        if kind is ParamKind.KEY and (value.type.dtype.name != "u32" or value.shape != KEY_SHAPE):
            raise _broken(graph, None, f"key parameter {value!r} must be u32[2]")


def _define(graph: Graph, defined: set[Value], value: Value) -> None:
    if value in defined:
        raise _broken(graph, None, f"{value!r} is defined twice")
    defined.add(value)


def _types(types: tuple[object, ...]) -> str:
    return "(" + ", ".join(map(str, types)) + ")"


def _broken(graph: Graph, node: Node | None, rule: str, *details: str) -> VerifyError:
    where = f"in @{graph.name}" + (f", from {node.source}" if node is not None and node.source else "")
    return VerifyError(rule, *details, where)
