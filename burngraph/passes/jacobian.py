"""Jacobians: a derivative walked once for all directions, by batching it over the unit tangents or cotangents."""

from collections.abc import Sequence

from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph
from burngraph.ir.op import zeros
from burngraph.ir.ops.arithmetic import Add, Mul, Neg, Sub
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.compare import Equal
from burngraph.ir.ops.complex import Complex, Conj, Imag, Real
from burngraph.ir.ops.composite import batched_inline
from burngraph.ir.ops.constant import Iota, Splat
from burngraph.ir.ops.movement import Concat, Permute, Reshape, Slice
from burngraph.ir.share import share_equal_nodes
from burngraph.ir.types import F32, F64, I32, TensorType
from burngraph.ir.value import Value
from burngraph.passes.linearize import linearize
from burngraph.passes.push_forward import push_forward
from burngraph.passes.simplify import drop_unread_nodes
from burngraph.passes.transpose import transpose

Parts = tuple[Value, ...]  # the derivative of one result by one parameter: see has_two_parts


def jacobian_forward(graph: Graph, wrt: Sequence[int], holomorphic: bool = False) -> Graph:
    """For each result, for each parameter in `wrt`: the Jacobian, of shape result.shape + parameter.shape.

    One batched forward derivative per parameter; along the real and the imaginary unit directions of a complex one.

    real by real, complex by real   dy/dx
    real by complex       dy/d(re) + i dy/d(im), as the gradient
    complex by complex    two results, Wirtinger's derivatives: dy = A dz + B conj(dz), A = (dy/d(re) - i dy/d(im)) / 2 and
                          B = (dy/d(re) + i dy/d(im)) / 2; if `holomorphic`, B is taken to be zero and A is the only result
    int or bool           zeros of the result's dtype
    """
    builder, params = _same_params(graph)
    exact = [k for k, type in enumerate(graph.result_types) if type.dtype.is_inexact]
    one_way = holomorphic and all(_is_complex(graph.result_types[k]) for k in exact)
    entries: dict[tuple[int, int], Parts] = {}
    for index in wrt:
        joint, type = push_forward(graph, [index]), graph.params[index].type
        halves = _along_units(builder, joint, params, len(graph.results), one_way)
        along_re, along_im = ([_inputs_last(builder, dot, type) for dot in dots] for dots in (halves[0], halves[-1]))
        for k, x_dot, i_dot in zip(exact, along_re, along_im, strict=True):
            if not _is_complex(type) or (holomorphic and _is_complex(graph.result_types[k])):
                entries[k, index] = (x_dot,)
            elif _is_complex(graph.result_types[k]):
                entries[k, index] = _wirtinger(builder, x_dot, i_dot)
            else:
                entries[k, index] = (_complex(builder, x_dot, i_dot),)
    return _finished(builder, graph, wrt, entries)


def jacobian_reverse(graph: Graph, wrt: Sequence[int], holomorphic: bool = False) -> Graph:
    """The same by one batched reverse derivative per result: the cotangents 1 and, of a complex result, i at each entry."""
    builder, params = _same_params(graph)
    joint = linearize(graph, wrt)
    n_params, n_results = len(graph.params), len(graph.results)
    one_way = holomorphic and all(_is_complex(graph.params[index].type) for index in wrt)
    entries: dict[tuple[int, int], Parts] = {}
    for place, k in enumerate(k for k, type in enumerate(graph.result_types) if type.dtype.is_inexact):
        one = Graph(joint.name, joint.params, joint.nodes, [joint.results[n_results + place]], joint.kinds)
        reverse = drop_unread_nodes(transpose(drop_unread_nodes(one), range(n_params, len(joint.params)), [0]))
        halves = _along_units(builder, reverse, params, 0, one_way)
        type = graph.results[k].type
        of_one, of_i = ([builder(Reshape((*type.shape, *v.shape[1:])), v) for v in bars] for bars in (halves[0], halves[-1]))
        for index, a, b in zip(wrt, of_one, of_i, strict=True):
            entries[k, index] = _from_cotangents(builder, type, graph.params[index].type, holomorphic, a, b)
    return _finished(builder, graph, wrt, entries)


def has_two_parts(result: TensorType, param: TensorType, holomorphic: bool) -> bool:
    """Whether the derivative is Wirtinger's two."""
    return _is_complex(result) and _is_complex(param) and not holomorphic


def _from_cotangents(builder: Builder, y: TensorType, x: TensorType, holomorphic: bool, a: Value, b: Value) -> Parts:
    """The derivative from what the cotangents 1 and i of y become: Re(a dx) = Re(dy), Re(b dx) = Re(i dy)."""
    if not _is_complex(y):
        return (builder(Conj(), a) if _is_complex(x) else a,)
    if not _is_complex(x):
        return (_complex(builder, a, builder(Neg(), b)),)
    if holomorphic:
        return (a,)
    x_dot = _complex(builder, builder(Real(), a), builder(Neg(), builder(Real(), b)))
    i_dot = _complex(builder, builder(Neg(), builder(Imag(), a)), builder(Imag(), b))
    return _wirtinger(builder, x_dot, i_dot)


def _wirtinger(builder: Builder, along_re: Value, along_im: Value) -> Parts:
    half, half_i = (builder(Splat(value, along_re.type)) for value in (0.5, 0.5j))
    kept, turned = builder(Mul(), half, along_re), builder(Mul(), half_i, along_im)
    return builder(Sub(), kept, turned), builder(Add(), kept, turned)


def _complex(builder: Builder, re: Value, im: Value) -> Value:
    return builder(Complex(), *(v if v.type.dtype is F64 else builder(Cast(F32), v) for v in (re, im)))


def _is_complex(type: TensorType) -> bool:
    return type.dtype.kind == "complex"


def _same_params(graph: Graph) -> tuple[Builder, list[Value]]:
    builder = Builder(graph.name)
    return builder, [builder.param(p.type, p.name, kind) for p, kind in zip(graph.params, graph.kinds, strict=True)]


def _along_units(builder: Builder, graph: Graph, params: Sequence[Value], skipped: int, one_way: bool) -> list[list[Value]]:
    """The results of `graph` from `skipped` on for every unit direction of its last parameter, stacked in front.

    Of a complex parameter, unless `one_way`, a second list for i times the unit directions.
    """
    type = graph.params[-1].type
    graph = drop_unread_nodes(Graph(graph.name, graph.params, graph.nodes, graph.results[skipped:], graph.kinds))
    flags = (*(False for _ in params), True)
    units = _unit_directions(builder, type)
    if not _is_complex(type) or one_way:
        return [list(batched_inline(builder, graph, (*params, units), flags))]
    units = builder(Concat(0), units, builder(Mul(), units, builder(Splat(1j, units.type))))
    found = batched_inline(builder, graph, (*params, units), flags)
    return [[_rows(builder, v, start, type.size) for v in found] for start in (0, type.size)]


def _rows(builder: Builder, v: Value, start: int, n: int) -> Value:
    rest = v.shape[1:]
    return builder(Slice((start, *(0 for _ in rest)), (start + n, *rest), (1,) * v.type.rank), v)


def _unit_directions(builder: Builder, type: TensorType) -> Value:
    """[type.size, *type.shape]: entry i is one at the i-th place of a tensor of `type` and zero elsewhere."""
    square = TensorType(I32, (type.size, type.size))
    diagonal = builder(Equal(), builder(Iota(0, square)), builder(Iota(1, square)))
    return builder(Reshape((type.size, *type.shape)), builder(Cast(type.dtype), diagonal))


def _inputs_last(builder: Builder, dot: Value, type: TensorType) -> Value:
    moved = builder(Permute((*range(1, dot.type.rank), 0)), dot)
    return builder(Reshape((*moved.shape[:-1], *type.shape)), moved)


def _finished(builder: Builder, graph: Graph, wrt: Sequence[int], entries: dict[tuple[int, int], Parts]) -> Graph:
    results: list[Value] = []
    for k, type in enumerate(graph.result_types):
        for index in wrt:
            shape = (*type.shape, *graph.params[index].shape)
            results += entries.get((k, index)) or [zeros(builder, type.with_shape(shape))]
    return drop_unread_nodes(share_equal_nodes(builder.build(results)))  # the walks share their forward part
