"""`burngraph dump`: what a model is at each stage."""

import os
from argparse import Namespace
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlx.core as mx

from burngraph.cli.inputs import arguments_for
from burngraph.cli.model import load
from burngraph.compile import compile
from burngraph.errors import InputError
from burngraph.evaluator import EVALUATOR
from burngraph.ir.graph import Graph
from burngraph.ir.ops.constant import Weight
from burngraph.program.entry import weight_keys


def dump(arguments: Namespace) -> None:
    """Print IR text after a pass, the MLX source, or the layout certificate; or write text and weights to files."""
    _check_options(arguments)
    model, module, weights = load(arguments.model)
    program = compile(model, weights=weights)
    call = arguments_for(model, module, arguments.input)
    program.specialise(*call.args, **call.kwargs)
    graph = program.ir(arguments.after or "trace")
    if arguments.output is not None:
        write(graph, weights, Path(arguments.output))
    elif arguments.source:
        print(program.source)
    elif arguments.explain:
        print(program.explain())
    else:
        print(graph)


def _check_options(arguments: Namespace) -> None:
    """Raises InputError: two options that ask for different things."""
    given = [name for name in ("source", "explain", "output", "after") if getattr(arguments, name) not in (None, False)]
    if len(given) > 1 and given != ["output", "after"]:
        raise InputError(f"--{given[0]} and --{given[1]} cannot be combined")


def write(graph: Graph, weights: Mapping[str, Any], path: Path) -> None:
    """Write the text to NAME.bg and the data of its weights to NAME.safetensors, each under a temporary name first.

    weights   the data of those that are parameters

    Raises   InputError   the name does not end in .bg, its folder does not exist, or it cannot be written
    """
    if path.suffix != ".bg" or not path.parent.is_dir():
        raise InputError(f"--output {path}: must be NAME.bg in a folder that exists")
    data = {n.op.key: EVALUATOR.as_array(n.op.data) for n in graph.nodes if isinstance(n.op, Weight) and n.op.data is not None}
    data |= {key: EVALUATOR.as_array(weights[key]) for key in weight_keys(graph) if key in weights}
    arrays, text = path.with_name(path.stem + ".partial.safetensors"), path.with_name(path.name + ".partial")
    try:
        text.write_text(f"{graph}\n")
        if data:  # first, so that there is never a text without its weights
            mx.save_safetensors(str(arrays), data)
            os.replace(arrays, path.with_suffix(".safetensors"))
        os.replace(text, path)
    except (OSError, RuntimeError) as error:  # MLX raises the latter
        raise InputError(f"--output {path}: {error}") from None
    finally:
        for partial in (arrays, text):
            with suppress(OSError):
                partial.unlink(missing_ok=True)
