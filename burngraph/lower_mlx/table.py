"""Which rule says an op in MLX: LOWERINGS[op class, target name or None]."""

from collections.abc import Callable
from typing import Any, TypeVar

import mlx.core

from burngraph.errors import LoweringError, RegistrationError
from burngraph.ir.op import Op
from burngraph.ir.types import DType

Rule = Callable[..., Any]
LOWERINGS: dict[tuple[type[Op], str | None], Rule] = {}
R = TypeVar("R", bound=Rule)


def lowers(op_class: type[Op], target: str | None = None) -> Callable[[R], R]:
    """Enter `rule(mx, op, *operands)` as the lowering of `op_class`, on one target or on all that have none of their own.

    `mx` is mlx.core or a recorder that writes source; a rule uses only its functions, operators and indexing.
    """

    def enter(rule: R) -> R:
        if (op_class, target) in LOWERINGS:
            raise RegistrationError(f"op {op_class.name!r} has a lowering for target {target!r} already")
        LOWERINGS[op_class, target] = rule
        return rule

    return enter


def enter_names(names: dict[type[Op], str]) -> None:
    """Enter ops that are one MLX function of the same operands."""
    for op_class, name in names.items():
        LOWERINGS[op_class, None] = _function_rule(name)


def _function_rule(name: str) -> Rule:
    def rule(mx: Any, op: Op, *operands: Any) -> Any:
        return getattr(mx, name)(*operands)

    return rule


def find_rule(op: Op, target: str) -> Rule | None:
    """The rule for `op`, the target's own first; None if it is to be decomposed.

    Raises   LoweringError   it has neither
    """
    rule = LOWERINGS.get((type(op), target)) or LOWERINGS.get((type(op), None))
    if rule is None and not can_decompose(type(op)):
        file = type(op).__module__.rpartition(".")[2]
        raise LoweringError(
            f"no MLX lowering for op {op.name!r}", f"add @lowers({type(op).__name__}) to burngraph/lower_mlx/{file}.py"
        )
    return rule


def can_decompose(op_class: type[Op]) -> bool:
    return callable(getattr(op_class, "decompose", None))


def mlx_dtype(dtype: DType) -> Any:
    return getattr(mlx.core, "bool_" if dtype.long_name == "bool" else dtype.long_name)
