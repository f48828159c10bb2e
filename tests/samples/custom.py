"""Samples of the ops that say how to differentiate them."""

from burngraph.ir.builder import Builder
from burngraph.ir.graph import Graph
from burngraph.ir.ops.cast import Cast
from burngraph.ir.ops.custom import After, Checkpoint, CheckpointTangent, CustomJvp, CustomVjp, StopGradient
from burngraph.ir.ops.elementwise import Add, Exp, Mul, Sin
from burngraph.ir.ops.movement import Broadcast
from burngraph.ir.ops.reduce import ArgMax, Sum
from burngraph.ir.value import Value
from burngraph.passes.linearize import linearize
from tests.samples import Sample, t


def _body(type: str) -> Graph:
    """x, y -> sin(x) * y and where each row has its maximum: a result that has no derivative."""
    b = Builder("body")
    x, y = b.param(t(type)), b.param(t(type))
    product = b(Mul(), b(Sin(), x), y)
    return b.build([product, b(ArgMax(1), product)])


def _tangent(type: str) -> CheckpointTangent:
    body = _body(type)
    joint = linearize(body, [1])
    return CheckpointTangent(Graph("tangent", joint.params, joint.nodes, joint.results[2:]), 2)


def _custom_vjp(type: str) -> CustomVjp:
    """x, w, i -> sum of exp(x) * w * i over rows; i is fixed."""

    def start(name: str) -> tuple[Builder, Value, Value, Value]:
        b = Builder(name)
        x, w, i = b.param(t(type)), b.param(t(type)), b.param(t("i32[2,3]"))
        scaled = b(Mul(), b(Exp(), x), b(Cast(x.type.dtype), i))
        return b, scaled, w, b(Sum((1,)), b(Mul(), scaled, w))

    b, _, _, out = start("graph")
    graph = b.build([out])
    b, scaled, w, out = start("forward")
    forward = b.build([out, scaled, w])
    b = Builder("backward")
    scaled, w, bar = b.param(t(type)), b.param(t(type)), b.param(out.type)
    w_bar = b(Mul(), scaled, b(Broadcast((2, 3), (1,)), bar))
    return CustomVjp(graph, forward, b.build([b(Mul(), w, w_bar), w_bar]), 1)


def _custom_jvp(type: str) -> CustomJvp:
    b = Builder("graph")
    x, y = b.param(t(type)), b.param(t(type))
    graph = b.build([b(Mul(), b(Exp(), x), y)])
    b = Builder("rule")
    x, y, x_dot, y_dot = (b.param(t(type)) for _ in range(4))
    e = b(Exp(), x)
    out = b(Mul(), e, y)
    rule = b.build([out, b(Add(), b(Mul(), out, x_dot), b(Mul(), e, y_dot))])
    return CustomJvp(graph, rule)


SAMPLES = [
    *(Sample(StopGradient(), (t(type),)) for type in ("f32[2,3,4]", "i32[2,3]", "bool[3]", "f16[]", "f32[0,3]")),
    Sample(After(), (t("f32[2,3]"), t("f32[4,3]"), t("i32[2]"))),
    Sample(After(), (t("i32[]"), t("f32[2,0]"))),
]
for _type in ("f32[2,3]", "f64[2,3]"):
    SAMPLES += [
        Sample(Checkpoint(_body(_type)), (t(_type), t(_type)), spread=True),
        Sample(_tangent(_type), (t(_type),) * 3),
        Sample(_custom_vjp(_type), (t(_type), t(_type), t("i32[2,3]"))),
        Sample(_custom_jvp(_type), (t(_type), t(_type))),
    ]
