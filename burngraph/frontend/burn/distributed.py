"""Burn's collective operations, in one process: the group of devices is this one."""

from collections.abc import Sequence
from typing import Any

from burngraph.errors import InputError
from burngraph.frontend.functional.elementwise import divide
from burngraph.frontend.recording import located

__all__ = ["all_reduce", "sync_collective"]


def all_reduce(tensor: Any, op: str, device_ids: Sequence[int]) -> Any:
    """The tensors of all devices added up ("Sum") or averaged ("Mean"): over the one device of this process, `tensor`.

    Raises   InputError   another op, or more than one device
    """
    if op not in ("Sum", "Mean"):
        raise located(InputError(f"all_reduce: no op {op!r}", "ops: Sum, Mean"))
    if len(set(device_ids)) != 1:
        raise located(InputError(f"all_reduce: devices {list(device_ids)}", "one process reduces over one device"))
    return divide(tensor, float(len(set(device_ids)))) if op == "Mean" else tensor


def sync_collective() -> None:
    """Wait for collective operations that are under way: in one process there are none."""
