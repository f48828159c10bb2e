"""`burngraph bench`: is the compiled program worth it?"""

import json
import platform
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import mlx.core as mx
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from burngraph.bench import Timing, interleave
from burngraph.cli.inputs import arguments_for
from burngraph.cli.model import load
from burngraph.compile import compile
from burngraph.errors import InputError
from burngraph.evaluator import EVALUATOR
from burngraph.frontend.recording import is_array
from burngraph.frontend.trees import flatten, map_leaves
from burngraph.ir.graph import Graph
from burngraph.lower_mlx.blas import use_fast_blas


def bench(arguments: Namespace) -> None:
    """Time the compiled program, the traced one with each op's own transposes, and the function op by op, interleaved."""
    if arguments.rounds < 1:
        raise InputError(f"--rounds {arguments.rounds}: at least 1")
    model, module, weights = load(arguments.model)
    args, kwargs = (map_leaves(_on_device, tree) for tree in arguments_for(model, module, arguments.input))
    compiled = compile(model, weights=weights)
    transposed = compile(model, weights=weights, passes=("inline-calls",))
    callables: dict[str, Callable[[], Any]] = {
        "compiled": lambda: compiled(*args, **kwargs),
        "each op transposed": lambda: transposed(*args, **kwargs),
    }
    if not isinstance(model, Graph):
        callables["op by op"] = lambda: mx.eval(flatten(model(*args, **kwargs))[0])
    console = Console(stderr=True)
    if "op by op" not in callables:
        console.print("no row 'op by op': IR text has no function to call", highlight=False)
    with Progress(console=console, transient=True, disable=arguments.json) as progress:
        task = progress.add_task("timing", total=arguments.rounds + 3)
        timings = interleave(callables, arguments.rounds, on_round=lambda: progress.advance(task))
    if arguments.json:
        about = {"model": arguments.model, "rounds": arguments.rounds, "device": str(mx.default_device())}
        about |= {"blas": blas()}
        print(json.dumps({**about, "versions": versions(), "timings": [asdict(t) for t in timings]}, indent=2))
    else:
        Console().print(table(timings))
        if blas():
            Console().print(f"products on: {blas()}", highlight=False)


def _on_device(leaf: Any) -> Any:
    return EVALUATOR.as_array(leaf) if is_array(leaf) else leaf


def blas() -> str:
    """What products on the CPU run on, and how to make them faster; empty on a GPU."""
    if mx.default_device() != mx.Device(mx.cpu):
        return ""
    used = use_fast_blas()
    return used.name + (f" ({used.way_out})" if used.way_out else "")


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in ("burngraph", "mlx", "numpy")}}


def table(timings: list[Timing]) -> Table:
    rows = Table("program", "median ms", "10-90 %", "compiled / this", "95 % interval")
    for t in timings:
        rows.add_row(
            t.name,
            f"{t.median_ms:.2f}",
            f"{t.low_ms:.2f} - {t.high_ms:.2f}",
            f"{t.ratio:.3f}",
            f"{t.ratio_low:.3f} - {t.ratio_high:.3f}",
        )
    return rows
