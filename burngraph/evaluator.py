"""Ops on concrete arrays outside a trace, on MLX; and arrays of any library as MLX arrays."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mlx.core as mx
import numpy as np

from burngraph.errors import InputError
from burngraph.frontend.recording import TracedValue, install_evaluator, leaked
from burngraph.frontend.trees import flatten
from burngraph.ir.builder import infer_types
from burngraph.ir.op import Op
from burngraph.ir.target import Target
from burngraph.ir.types import TensorType, as_dtype
from burngraph.lower_mlx.blas import use_fast_blas
from burngraph.lower_mlx.lower import apply_eagerly, array_type, default_target, from_numpy


class MlxEvaluator:
    """Runs ops on concrete arrays outside a trace: lazy MLX arrays, op by op."""

    def __init__(self) -> None:
        self._ready_for: set[str] = set()

    def make_ready(self, target: Target) -> None:
        """What MLX is to be told before it works for `target`; once."""
        if target.name in self._ready_for:
            return
        self._ready_for.add(target.name)
        if target.cache_limit_bytes:
            mx.set_cache_limit(target.cache_limit_bytes)  # MLX's default on CPU returns every large buffer to the system
        if target.name == "cpu":
            use_fast_blas()

    def is_array(self, x: Any) -> bool:
        return isinstance(x, mx.array | np.ndarray) or (hasattr(x, "__dlpack__") and hasattr(x, "shape"))

    def as_array(self, x: Any) -> mx.array:
        if isinstance(x, mx.array):
            return x
        if isinstance(x, TracedValue):
            raise leaked(x)  # a program that is called in a trace takes part in it, so this trace is over
        if not isinstance(x, np.ndarray | np.generic):
            try:
                return _from_other_library(x)
            except (AttributeError, BufferError, RuntimeError, TypeError) as error:
                raise InputError(f"an array of {type(x).__name__} does not convert: {error}") from None
        return from_numpy(np.asarray(x))

    def frozen(self, x: Any) -> mx.array:
        return mx.array(self.as_array(x))  # another object of the same data; a write gives its object new data

    @contextmanager
    def guarded(self, refuse: Callable[[Any], None]) -> Iterator[None]:
        """mx.eval and mx.async_eval pass over what they do not know, a traced value too, so they are asked first meanwhile."""
        own = {name: getattr(mx, name) for name in ("eval", "async_eval")}
        if any(getattr(function, "asks_first", False) for function in own.values()):  # a trace in another thread did it
            yield
            return
        for name, function in own.items():
            setattr(mx, name, _asking(refuse, function))
        try:
            yield
        finally:
            for name, function in own.items():
                setattr(mx, name, function)

    def type_of(self, x: Any) -> TensorType:
        return array_type(x)

    def apply(self, op: Op, *arrays: Any) -> tuple[Any, ...]:
        infer_types(op, [None if a is None else array_type(a) for a in arrays])
        self.make_ready(default_target())
        return apply_eagerly(op, *arrays)


def _asking(refuse: Callable[[Any], None], function: Callable[..., None]) -> Callable[..., None]:
    def guard(*trees: Any) -> None:
        for tree in trees:
            for leaf in flatten(tree)[0] if isinstance(tree, dict | list | tuple) else [tree]:
                refuse(leaf)
        function(*trees)

    guard.asks_first = True  # type: ignore[attr-defined]
    return guard


def _from_other_library(x: Any) -> mx.array:
    """By DLPack. PyTorch's parameters are taken without their gradient; NumPy has no bfloat16, so that goes as its bits."""
    if getattr(x, "requires_grad", False):
        x = x.detach()
    if str(x.dtype) == "torch.bfloat16":
        return from_numpy(np.from_dlpack(x.contiguous().view(sys.modules["torch"].int16))).view(mx.bfloat16)
    return from_numpy(np.asarray(np.from_dlpack(x)))


EVALUATOR = MlxEvaluator()
install_evaluator(EVALUATOR)


def as_numpy(x: Any) -> Any:
    """An MLX array as NumPy, bfloat16 included."""
    if x.dtype == mx.bfloat16:
        return np.array(x.astype(mx.float32)).astype(as_dtype("bf16").numpy)
    return np.array(x)
