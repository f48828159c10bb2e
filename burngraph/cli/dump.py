"""`burngraph dump`: what a model is at each stage."""

from argparse import Namespace

from burngraph.cli.model import arrays_for, load
from burngraph.compile import compile


def dump(arguments: Namespace) -> None:
    """Print IR text after a pass, the MLX source, or the layout certificate."""
    model, module = load(arguments.model)
    program = compile(model)
    program.specialise(*arrays_for(model, module, arguments.input))
    if arguments.source:
        print(program.source)
    elif arguments.explain:
        print(program.explain())
    else:
        print(program.ir(arguments.after or "trace"))
