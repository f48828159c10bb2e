"""What the target's device cannot do is refused here, before any source exists: with the op, the line, and the way out."""

from collections.abc import Iterator, Sequence

from burngraph.errors import LoweringError
from burngraph.ir.graph import Graph, Node
from burngraph.ir.op import operand_names
from burngraph.ir.target import NEAREST, Target
from burngraph.ir.types import DTYPES, DType, TensorType, as_dtype
from burngraph.lower_mlx.record import Recorded, calls


def refuse_dtypes(graph: Graph, target: Target) -> None:
    """Raises LoweringError: a value of `graph`, or of a graph nested in it, has a dtype that the device has not."""
    missing = {DTYPES[name] for name in target.missing_dtypes}
    if not missing:
        return
    for param in graph.params:
        if param.type.dtype in missing:
            what = f"parameter {param.name}" if param.name else "a parameter"
            raise LoweringError(
                f"{what}: {param.type} has a dtype that MLX has not on {target.name}",
                f"in @{graph.name}",
                _way_out(param.type.dtype, "it"),
            )
    for node in _nodes(graph):
        found = next((t.dtype for t in _types(node) if t.dtype in missing), None)
        if found is not None:
            raise _refused(node, f"{found}, which MLX has not on {target.name}", found)


def refuse_functions(node: Node, pieces: Sequence[Recorded], target: Target) -> None:
    """Raises LoweringError: what the rule of `node` wrote calls a function that fails on the device."""
    if not target.gaps:
        return
    gaps = {gap.function: gap.dtypes for gap in target.gaps}
    for function, dtypes in calls(pieces):
        if function not in gaps:
            continue
        if not gaps[function]:
            raise _refused(node, f"mx.{function}, which MLX has not on {target.name}", None)
        found = next((d for d in map(as_dtype, dtypes) if d.name in gaps[function]), None)
        if found is not None:
            spelled = f"x.{function}" if function.startswith("at.") else f"mx.{function}"
            raise _refused(node, f"{spelled} of {found}, which MLX has not on {target.name}", found)


def _nodes(graph: Graph) -> Iterator[Node]:
    """Those of the graph and of all graphs nested in it, each graph once."""
    seen: set[int] = set()
    pending = [graph]
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        for node in current.nodes:
            yield node
            pending.extend(node.op.graphs())


def _types(node: Node) -> list[TensorType]:
    return [v.type for v in (*node.values_read, *node.results)]


def _refused(node: Node, what: str, dtype: DType | None) -> LoweringError:
    names = operand_names(type(node.op), len(node.operands))
    operands = ", ".join(f"{n}: {v.type}" for n, v in zip(names, node.operands, strict=False) if v is not None)
    results = ", ".join(str(v.type) for v in node.results)
    error = LoweringError(f"{node.op.name} needs {what}", f"{node.op.name}({operands}) -> {results}")
    if node.source is not None:
        error.add(f"from {node.source}")
    read = next((v for v in node.values_read if v.type.dtype is dtype), None)
    is_made = any(v.type.dtype is dtype for v in node.results)
    error.add(_way_out(dtype if read or is_made else None, None if read is None else read.name or "x"))
    return error


def _way_out(dtype: DType | None, array: str | None) -> str:
    """What to do: with the dtype replaced by the nearest, in `array` if the op reads it there; or elsewhere."""
    cpu = "run on the CPU: mx.set_default_device(mx.cpu), with target='cpu' or none"
    nearest = None if dtype is None else NEAREST.get(dtype.name)
    if dtype is None or nearest is None:
        return cpu
    name = DTYPES[nearest].long_name
    change = f"use {name} instead of {dtype.long_name}" if array is None else f"cast {array} with astype('{name}')"
    return f"{change}, or {cpu}"
