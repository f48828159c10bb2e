"""Loops and branches in MLX: Python's own, around the lines of their bodies.

MLX has no control flow, so an emitted scan is a `for` that builds the steps lazily. A cond and a while look at their
predicate with `.item()`, which evaluates all that it depends on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core

from burngraph.ir.graph import Graph, Node
from burngraph.ir.ops.control_cond import Cond
from burngraph.ir.ops.control_scan import Scan
from burngraph.ir.ops.control_while import While
from burngraph.ir.permute_graph import permuted_bytes
from burngraph.ir.value import Value
from burngraph.lower_mlx.record import literal
from burngraph.lower_mlx.table import lowers, mlx_dtype

RunGraph = Callable[[Graph, Sequence[Any]], tuple[Any, ...]]
INDENT = "    "


@dataclass(frozen=True)
class NestedRule:
    """The lowering of an op with nested graphs.

    apply   (op, run_graph, *arrays) -> results, at once
    write   (block, node) -> lines of source; `block` is the lower.py emitter of the graph around the node
    """

    apply: Callable[..., Sequence[Any]]
    write: Callable[[Any, Node], list[str]]

    def __call__(self, *_: Any) -> Any:
        raise AssertionError("a nested rule is applied or written by lower.py, which runs the nested graphs")


def apply_scan(op: Any, run_graph: RunGraph, *arrays: Any) -> Sequence[Any]:
    constants, carried, xs = arrays[: op.n_constants], arrays[op.n_constants : op.first_x], arrays[op.first_x :]
    steps: list[Sequence[Any]] = []
    for i in op.order():
        out = run_graph(op.body, [*constants, *carried, *(x[i] for x in xs)])
        carried = out[: op.n_carry]
        steps.append(out[op.n_carry :])
    if op.reverse:
        steps.reverse()
    if not steps:
        ys = [mlx.core.zeros((0, *y.shape), dtype=mlx_dtype(y.dtype)) for y in op.body.result_types[op.n_carry :]]
    else:
        ys = [mlx.core.stack(list(column)) for column in zip(*steps, strict=True)]
    return (*carried, *ys)


def apply_cond(op: Any, run_graph: RunGraph, pred: Any, *arrays: Any) -> Sequence[Any]:
    return run_graph(op.on_true if pred.item() else op.on_false, arrays)


def apply_while(op: Any, run_graph: RunGraph, *arrays: Any) -> Sequence[Any]:
    constants, carried = arrays[: op.n_constants], arrays[op.n_constants :]
    while run_graph(op.cond, [*constants, *carried])[0].item():
        carried = run_graph(op.body, [*constants, *carried])
    return carried


def write_scan(block: Any, node: Node) -> list[str]:
    """The carried values live in the variables of the results, and so do the lists of the slices of ys.

    A y of which only other scans take slices stays a list: a derivative's residuals are never copied into one array.
    """
    op: Any = node.op
    given = [block.names[v] for v in node.operands]
    results = [block.names[v] for v in node.results]
    carried, ys = results[: op.n_carry], results[op.n_carry :]
    lines = [f"{name} = {start}" for name, start in zip(carried, given[op.n_constants :], strict=False)]
    if op.length == 0:
        types = [v.type for v in node.results[op.n_carry :]]
        return lines + [
            f"{name} = mx.zeros({literal(type.shape)}, dtype={literal(mlx_dtype(type.dtype))})"
            for name, type in zip(ys, types, strict=True)
        ]
    index = block.fresh("i")
    outer = dict(zip(op.body.params, [*given[: op.n_constants], *carried], strict=False))
    inner = block.nested(node, op.body, outer)
    read = inner.values_read() | set(op.body.results)
    step = [
        f"{inner.names[p]} = {x}[{index}]"
        for p, x in zip(op.body.params[op.first_x :], given[op.first_x :], strict=True)
        if p in read
    ]
    step += inner.lines(list(outer))
    found = [inner.names[v] for v in op.body.results]
    step += [f"{name}.append({y})" for name, y in zip(ys, found[op.n_carry :], strict=True)]
    step += _assigned(carried, found[: op.n_carry]) + _deleted(inner, op.body.results, outer)
    lines += [f"{name} = []" for name in ys]
    if step:
        steps = f"reversed(range({op.length}))" if op.reverse else f"range({op.length})"
        lines += [f"for {index} in {steps}:", *indented(step)]
    for name, value in zip(ys, node.results[op.n_carry :], strict=True):
        in_order = f"{name}[::-1]" if op.reverse else name
        if not block.only_sliced(value):
            lines.append(f"{name} = mx.stack({in_order})")
        elif op.reverse:
            lines.append(f"{name} = {in_order}")
    return lines


def write_cond(block: Any, node: Node) -> list[str]:
    op: Any = node.op
    pred, *given = (block.names[v] for v in node.operands)
    results = [block.names[v] for v in node.results]
    lines: list[str] = []
    for head, graph in ((f"if {pred}.item():", op.on_true), ("else:", op.on_false)):
        outer = dict(zip(graph.params, given, strict=True))
        made = {v for inner_node in graph.nodes for v in inner_node.results}
        targets: dict[Value, str] = {}
        for value, name in zip(graph.results, results, strict=True):
            if value in made:
                targets.setdefault(value, name)  # the branch's own variable is the result's
        inner = block.nested(node, graph, outer | targets)
        found = [inner.names[v] for v in graph.results]
        lines += [head, *indented((inner.lines(list(outer)) + _assigned(results, found)) or ["pass"])]
    return lines


def write_while(block: Any, node: Node) -> list[str]:
    op: Any = node.op
    given = [block.names[v] for v in node.operands]
    carried = [block.names[v] for v in node.results]
    names = [*given[: op.n_constants], *carried]
    lines = [f"{name} = {start}" for name, start in zip(carried, given[op.n_constants :], strict=True)]
    outer = dict(zip(op.cond.params, names, strict=True))
    test = block.nested(node, op.cond, outer)
    before = test.lines(list(outer))
    goes_on = test.names[op.cond.results[0]]
    outer = dict(zip(op.body.params, names, strict=True))
    inner = block.nested(node, op.body, outer)
    found = [inner.names[v] for v in op.body.results]
    step = inner.lines(list(outer)) + _assigned(carried, found) + _deleted(inner, op.body.results, outer)
    if not before:
        return [*lines, f"while {goes_on}.item():", *indented(step or ["pass"])]
    if len(before) == 1 and before[0].startswith(goes_on + " = "):
        return [*lines, f"while ({before[0].removeprefix(goes_on + ' = ')}).item():", *indented(step or ["pass"])]
    stop = [f"if not {goes_on}.item():", INDENT + "break"]
    return [*lines, "while True:", *indented([*before, *stop, *step])]


for _class, _apply, _write in (
    (Scan, apply_scan, write_scan),
    (Cond, apply_cond, write_cond),
    (While, apply_while, write_while),
):
    lowers(_class)(NestedRule(_apply, _write))


def takes_slices(node: Node, value: Value) -> bool:
    """Whether `node` is a scan that reads `value` as one of its xs and nothing else."""
    return isinstance(node.op, Scan) and value not in node.operands[: node.op.first_x]


def may_return_operands(op: Any) -> int:
    """How many of the first results of a control op may be the very object of an operand."""
    return op.n_carry if isinstance(op, Scan) else len(op.results)


def _assigned(targets: Sequence[str], sources: Sequence[str]) -> list[str]:
    """One assignment of all `sources` to `targets` at once, without those that stay."""
    pairs = [(target, source) for target, source in zip(targets, sources, strict=True) if target != source]
    if not pairs:
        return []
    return [f"{', '.join(target for target, _ in pairs)} = {', '.join(source for _, source in pairs)}"]


def _deleted(inner: Any, values: Sequence[Value], outer: dict[Value, str]) -> list[str]:
    names = list(dict.fromkeys(inner.names[v] for v in values if v not in outer))
    return ["del " + ", ".join(names)] if names else []


def indented(lines: Sequence[str]) -> list[str]:
    return [INDENT + line for line in lines]


def notes(graph: Graph, each: str = "call") -> Iterator[str]:
    """A line for each op that waits for a value while the program is being built, and for each that permutes inside."""
    for node in graph.nodes:
        at = f" at {node.source}" if node.source else ""
        inside = each
        if isinstance(node.op, Cond):
            yield f"cond{at} evaluates its predicate: one sync per {each}"
        elif isinstance(node.op, While):
            yield f"while{at} evaluates its condition: one sync per step" + ("" if each == "call" else f" per {each}")
            inside = "step"
        elif isinstance(node.op, Scan):
            inside = "step"
        moved = sum(map(permuted_bytes, node.op.graphs()))
        if moved:
            yield f"{node.op.name}{at} permutes {moved} bytes inside, per {inside}"
        for nested in node.op.graphs():
            yield from notes(nested, inside)
