"""Arrays without entries: what an op gives for them is known without running it.

Devices are not to be asked: MLX's CUDA back end ends the process on matrix products and transforms of empty arrays, and its CPU
back end refuses some reductions of them.
"""

from collections.abc import Sequence

from burngraph.ir.op import Op
from burngraph.ir.ops.constant import Splat
from burngraph.ir.types import TensorType


def known_results(
    op: Op, operand_types: Sequence[TensorType | None], result_types: Sequence[TensorType]
) -> tuple[Splat, ...] | None:
    """A splat per result if all results are empty, or zero because `op` is linear in operands that are; None otherwise."""
    if not operand_types or not result_types:
        return None
    if all(type.size == 0 for type in result_types) or _is_linear_in_nothing(op, operand_types):
        return tuple(Splat(0, type) for type in result_types)
    return None


def _is_linear_in_nothing(op: Op, operand_types: Sequence[TensorType | None]) -> bool:
    for group in op.linear_positions(len(operand_types)):
        present = [type for type in (operand_types[index] for index in group) if type is not None]
        if present and all(type.size == 0 for type in present):
            return True
    return False
