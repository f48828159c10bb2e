"""What a device cannot do is refused before anything runs: the op, its types, the user's line, and the way out."""

import re
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import burngraph as bg
from burngraph.errors import LoweringError
from burngraph.ir.builder import Builder
from burngraph.ir.ops.elementwise import Arccosh, Arcsin, Arcsinh, Arctanh, Sin
from burngraph.ir.ops.index import AddAlong, AddAt
from burngraph.ir.ops.scatter import ScatterAlong, ScatterNd
from burngraph.ir.target import CPU, CUDA, METAL, TARGETS
from burngraph.lower_mlx.lower import lower
from burngraph.lower_mlx.table import LOWERINGS
from tests.samples import t

CPU_WAY = "run on the CPU: mx.set_default_device(mx.cpu), with target='cpu' or none"


def source_of(op: Any, target: Any, *types: str) -> str:
    builder = Builder("f")
    return lower(builder.build(builder.several(op, *(builder.param(t(x)) for x in types))), target).source


@pytest.mark.parametrize("target", ["metal", "cuda"])
def test_a_float64_made_inside_names_the_op_its_types_the_line_and_the_way_out(target: str) -> None:
    def f(x):
        return bg.sin(bg.astype(x, "float64"))

    line = f.__code__.co_firstlineno + 1
    with pytest.raises(LoweringError) as caught:
        bg.compile(f, target=target)(np.ones(3, np.float32))
    assert str(caught.value).split("\n  ") == [
        f"cast needs f64, which MLX has not on {target}",
        "cast(x: f32[3]) -> f64[3]",
        f"from {__file__}:{line}",
        f"use float32 instead of float64, or {CPU_WAY}",
    ]


def test_a_float64_argument_is_named() -> None:
    with pytest.raises(LoweringError) as caught:
        bg.compile(lambda pixels: bg.sin(pixels), target="metal")(np.ones(3))
    assert str(caught.value).split("\n  ") == [
        "parameter pixels: f64[3] has a dtype that MLX has not on metal",
        "in @lambda",
        f"cast it with astype('float32'), or {CPU_WAY}",
    ]


def test_a_float64_in_a_loop_is_found() -> None:
    def f(x):
        return bg.scan(lambda carry, row: (carry + bg.astype(bg.astype(row, "float64"), "float32"), row), x[0], x)

    with pytest.raises(LoweringError, match="cast needs f64"):
        bg.compile(f, target="cuda").specialise(np.ones((3, 2), np.float32))


def test_the_op_that_is_refused_reads_what_has_to_be_cast() -> None:
    def f(total, index):
        return bg.index_add(total, 0, index, bg.ones((2,), dtype="int64"))

    line = f.__code__.co_firstlineno + 1
    with pytest.raises(LoweringError) as caught:
        bg.compile(f, target="cuda")(np.zeros(4, np.int64), np.zeros(2, np.int32))
    first, types, where, way = str(caught.value).split("\n  ")
    assert re.fullmatch(r"scatter_\w+ needs x\.at\.add of i64, which MLX has not on cuda", first)
    assert "i64[4]" in types
    assert where == f"from {__file__}:{line}"
    assert way == f"cast total with astype('int32'), or {CPU_WAY}"


@pytest.mark.parametrize(
    ("target", "op", "types", "what"),
    [
        (METAL, AddAt(0, 3), ("i64[4]", "i32[4]"), "x.at.add of i64"),
        (CUDA, AddAt(0, 3), ("u64[4]", "i32[4]"), "x.at.add of u64"),
        (CUDA, ScatterAlong(0, "multiply"), ("c64[2]", "i32[4]", "c64[4]"), "x.at.multiply of c64"),
        (METAL, ScatterNd((0,), "maximum"), ("i64[2]", "i32[4,1]", "i64[4]"), "x.at.maximum of i64"),
        (METAL, ScatterNd((0,), "minimum"), ("u64[2]", "i32[4,1]", "u64[4]"), "x.at.minimum of u64"),
        (METAL, AddAlong(0, 3), ("i64[1]", "i32[1]"), "mx.put_along_axis of i64"),
    ],
    ids=str,
)
def test_functions_that_fail_at_a_dtype(target: Any, op: Any, types: Any, what: str) -> None:
    with pytest.raises(LoweringError) as caught:
        source_of(op, target, *types)
    assert caught.value.headline == f"{op.name} needs {what}, which MLX has not on {target.name}"
    assert CPU_WAY in str(caught.value)
    assert source_of(op, CPU, *types)


@pytest.mark.parametrize("dtype", ["i64", "u64", "c64"])
@pytest.mark.parametrize("target", [METAL, CUDA], ids=lambda target: target.name)
def test_entries_of_eight_bytes_can_be_set_on_every_device(target: Any, dtype: str) -> None:
    for n in (1, 4):
        assert source_of(ScatterAlong(0, "set"), target, f"{dtype}[2]", f"i32[{n}]", f"{dtype}[{n}]")
        assert source_of(ScatterNd((0,), "set"), target, f"{dtype}[2]", f"i32[{n},1]", f"{dtype}[{n}]")


@pytest.mark.parametrize("target", [METAL, CUDA], ids=lambda target: target.name)
def test_complex_numbers_are_added_up_on_every_device(target: Any) -> None:
    assert source_of(AddAt(0, 3), target, "c64[4]", "i32[4]")
    assert source_of(AddAlong(0, 3), target, "c64[1]", "i32[1]")


@pytest.mark.parametrize("target", [METAL, CUDA], ids=lambda target: target.name)
def test_inverse_hyperbolic_functions_of_complex_numbers(target: Any) -> None:
    for op in (Arccosh(), Arcsinh(), Arctanh()):
        with pytest.raises(LoweringError, match=f"mx.{op.name}"):
            source_of(op, target, "c64[2]")
        assert source_of(op, target, "f32[2]") and source_of(Arcsin(), target, "c64[2]")


def test_a_function_that_a_device_lacks_at_every_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOWERINGS, (Sin, None), lambda mx, op, x: mx.linalg.inv(x))
    for target in (METAL, CUDA):
        with pytest.raises(LoweringError) as caught:
            source_of(Sin(), target, "f32[2,2]")
        assert str(caught.value).split("\n  ") == [
            f"sin needs mx.linalg.inv, which MLX has not on {target.name}",
            "sin(x: f32[2,2]) -> f32[2,2]",
            CPU_WAY,
        ]
    assert "mx.linalg.inv(" in source_of(Sin(), CPU, "f32[2,2]")


def test_every_function_of_a_gap_is_one_of_mlx() -> None:
    """A misspelt name would refuse nothing."""
    for target in TARGETS.values():
        for gap in target.gaps:
            place: Any = mx.array([0]).at[0] if gap.function.startswith("at.") else mx
            for name in gap.function.removeprefix("at.").split("."):
                place = getattr(place, name)
