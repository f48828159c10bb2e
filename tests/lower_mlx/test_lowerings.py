"""Every op has a form on MLX, and it computes what the reference does, op by op and as emitted source."""

import mlx.core as mx
import numpy as np
import pytest

import burngraph.ir.ops  # noqa: F401  (fills OPS)
from burngraph.errors import LoweringError
from burngraph.ir.builder import Builder, infer_types
from burngraph.ir.interpret import evaluate
from burngraph.ir.op import OPS
from burngraph.ir.target import TARGETS
from burngraph.ir.types import as_dtype
from burngraph.lower_mlx.lower import apply_eagerly, lower
from burngraph.lower_mlx.table import LOWERINGS, can_decompose, mlx_dtype
from tests.samples import Sample, all_samples

TOLERANCE = {"f16": 1e-2, "bf16": 5e-2}


def test_every_op_lowers_or_decomposes() -> None:
    entered = {op_class for op_class, _ in LOWERINGS}
    missing = [n for n, c in OPS.items() if c not in entered and not can_decompose(c) and n != "weight"]
    assert missing == []


def to_mlx(a):
    if a is None:
        return None
    return (
        mx.array(a.astype(np.float32)).astype(mx.bfloat16)
        if a.dtype.name == "bfloat16"
        else mx.array(a, mlx_dtype(as_dtype(a.dtype)))
    )


def assert_close(expected, got) -> None:
    assert len(expected) == len(got)
    for a, b in zip(expected, got, strict=True):
        assert tuple(b.shape) == a.shape
        assert as_dtype(b.dtype) is as_dtype(a.dtype)
        tolerance = TOLERANCE.get(as_dtype(a.dtype).name, 2e-5)
        wide = np.complex128 if a.dtype.kind == "c" else np.float64
        narrow = np.array(b.astype(mx.float32) if b.dtype == mx.bfloat16 else b)
        np.testing.assert_allclose(narrow.astype(wide), a.astype(wide), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("sample", [s for s in all_samples() if s.op.name != "weight"], ids=str)
def test_lowering_matches_reference(sample: Sample, target: str) -> None:
    """For every target: its source is plain MLX, so it runs on whatever device is here; or the target is said to lack it."""
    arrays = sample.operands(np.random.default_rng(0))
    types = infer_types(sample.op, sample.types)
    expected = evaluate(sample.op, arrays, types)
    given = [to_mlx(a) for a in arrays]
    assert_close(expected, apply_eagerly(sample.op, *given))
    builder = Builder("sample")
    params = [None if t is None else builder.param(t) for t in sample.types]
    graph = builder.build(builder.several(sample.op, *params))
    try:
        lowered = lower(graph, TARGETS[target])
    except LoweringError as error:
        assert target != "cpu"
        assert f"MLX has not on {target}" in error.headline
        return
    assert target == "cpu" or "float64" not in lowered.source
    assert lowered.source == lower(graph, TARGETS[target]).source
    got = lowered.run(lowered.prepare({}), tuple(a for a in given if a is not None))
    assert_close(expected, got)
