"""Samples of control flow."""

import numpy as np

from burngraph.ir.graph import Graph
from burngraph.ir.op import Op
from burngraph.ir.ops.control_cond import Cond
from burngraph.ir.ops.control_scan import Scan
from burngraph.ir.ops.control_while import While
from burngraph.ir.text import parse
from tests.samples import Sample, t


def step(f: str) -> Graph:
    """h' = tanh(h) * x + w, y = h' * h'; and a counter."""
    return parse(f"""graph @step(%w: {f}[3], %h: {f}[3], %n: i32[], %x: {f}[3]) -> ({f}[3], i32[], {f}[3]) {{
        %0: {f}[3] = tanh(%h)
        %1: {f}[3] = mul(%0, %x)
        %2: {f}[3] = add(%1, %w)
        %3: {f}[3] = mul(%2, %2)
        %4: i32[] = splat(value=1)
        %5: i32[] = add(%n, %4)
        return %2, %5, %3
    }}""")


def scan(f: str, length: int, reverse: bool) -> Sample:
    return Sample(Scan(1, 2, length, step(f), reverse), (t(f"{f}[3]"), t(f"{f}[3]"), t("i32[]"), t(f"{f}[{length},3]")))


def linear_step(f: str) -> Graph:
    return parse(f"""graph @linear(%w: {f}[3], %h: {f}[3], %x: {f}[3]) -> ({f}[3], {f}[3]) {{
        %0: {f}[3] = mul(%h, %w)
        %1: {f}[3] = add(%0, %x)
        %2: {f}[3] = mul(%1, %w)
        return %1, %2
    }}""")


def branch(f: str, op: str) -> Graph:
    return parse(f"""graph @{op}(%x: {f}[3], %y: {f}[3]) -> ({f}[3], {f}[3]) {{
        %0: {f}[3] = {op}(%x, %y)
        %1: {f}[3] = tanh(%0)
        return %1, %x
    }}""")


def doubling(f: str, rank: str) -> Op:
    """Double x until every entry is over 10; multiply s by x and c on the way."""
    to_scalar = "%1: bool[] = all(%0, axes=[0])" if rank else "%1: bool[] = logical_not(%2)"
    shape = f"[{rank}]"
    going = parse(f"""graph @going(%c: {f}{shape}, %x: {f}{shape}, %s: {f}{shape}) -> bool[] {{
        %ten: {f}{shape} = splat(value=10.0)
        %0: bool{shape} = less(%x, %ten)
        %2: bool{shape} = logical_not(%0)
        {to_scalar}
        return %1
    }}""")
    body = parse(f"""graph @double(%c: {f}{shape}, %x: {f}{shape}, %s: {f}{shape}) -> ({f}{shape}, {f}{shape}) {{
        %0: {f}{shape} = add(%x, %x)
        %1: {f}{shape} = mul(%s, %x)
        %2: {f}{shape} = mul(%1, %c)
        return %0, %2
    }}""")
    return While(1, going, body)


def whiles(f: str, rank: str) -> Sample:
    return Sample(doubling(f, rank), (t(f"{f}[{rank}]"),) * 3, ((0.5, 1.5), (0.3, 4.0), (0.5, 1.5)))


def cond(f: str, pred: bool) -> Sample:
    given = np.linspace(-1.5, 1.0, 3), np.linspace(0.5, 2.0, 3)
    arrays = (np.asarray(pred), *given)
    return Sample(Cond(branch(f, "mul"), branch(f, "sub")), (t("bool[]"), t(f"{f}[3]"), t(f"{f}[3]")), arrays=arrays)


def in_any_layout(length: int) -> Sample:
    """Rank 2 inside and 3 outside: the layouts of carried values and slices depend on each other."""
    body = parse("""graph @step(%w: f32[2,3], %h: f32[2,3], %x: f32[3,2]) -> (f32[2,3], f32[2]) {
        %0: f32[2,3] = permute(%x, axes=[1,0])
        %1: f32[2,3] = mul(%h, %0)
        %2: f32[2,3] = add(%1, %w)
        %3: f32[2] = sum(%2, axes=[1])
        return %2, %3
    }""")
    return Sample(Scan(1, 1, length, body), (t("f32[2,3]"), t("f32[2,3]"), t(f"f32[{length},3,2]")))


SAMPLES = [
    in_any_layout(4),
    *(scan(f, length, reverse) for f in ("f32", "f64") for length, reverse in ((4, False), (2, True))),
    scan("f32", 0, False),
    scan("bf16", 2, False),
    Sample(Scan(1, 1, 4, linear_step("f64"), linear=(1, 2)), (t("f64[3]"), t("f64[3]"), t("f64[4,3]"))),
    *(cond(f, pred) for f in ("f32", "f64") for pred in (True, False)),
    Sample(Cond(branch("f32", "mul"), branch("f32", "sub")), (t("bool[]"), t("f32[3]"), t("f32[3]"))),
    *(whiles(f, rank) for f in ("f32", "f64") for rank in ("", "3")),
]
