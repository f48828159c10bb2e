"""What is left of checkpoints in MLX; the other ops with a derivative of their own are inlined."""

from typing import Any

from burngraph.ir.ops.custom import After
from burngraph.lower_mlx.table import lowers


@lowers(After)
def lower_after(mx: Any, op: After, x: Any, *others: Any) -> Any:
    return mx.depends(x, list(others)) if others else x
