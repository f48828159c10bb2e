"""The command line: `burngraph run|dump|bench MODEL`. Bad input exits 2 with one clear message and writes nothing."""

import argparse
import sys
import traceback
from collections.abc import Sequence

from burngraph.cli.bench import bench
from burngraph.cli.dump import dump
from burngraph.cli.run import run
from burngraph.errors import BurngraphError
from burngraph.frontend.foreign import is_library
from burngraph.frontend.recording import is_inside_package

EMITTED = "<burngraph @"  # how the file of an emitted program is called
MODEL_HELP = "file.py, file.py:function, package.module:function, or IR text in a .bg file"
INPUT_HELP = "x=f32[8,3,32,32] (seeded random), or x=file.npy or .png; repeat for several"


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="burngraph", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True, metavar="run|dump|bench")
    for name, handler, about in (
        ("run", run, "run a model once on MLX and show its results"),
        ("dump", dump, "print a model's IR text, or its MLX source"),
        ("bench", bench, "time a model compiled, with its layout changes kept, and op by op"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("model", metavar="MODEL", help=MODEL_HELP)
        command.add_argument("--input", action="append", default=[], metavar="NAME=SPEC", help=INPUT_HELP)
        command.set_defaults(handler=handler, parser=command)
        if name == "run":
            command.add_argument("--image", help="a picture, or the index of a test image, for a model file with classify()")
        if name == "dump":
            command.add_argument("--after", metavar="PASS", help="the graph after this pass; without it, as traced")
            command.add_argument("--source", action="store_true", help="the MLX program instead of IR text")
            command.add_argument("--output", metavar="FILE.bg", help="write the text there and its weights beside it")
            command.add_argument("--explain", action="store_true", help="the layout certificate instead of IR text")
        if name == "bench":
            command.add_argument("--rounds", type=int, default=30, help="timed rounds (default 30)")
            command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0, or 2 where the input is at fault."""
    arguments, unknown = parser().parse_known_args(argv)
    if unknown:
        arguments.parser.error("unrecognized arguments: " + " ".join(unknown))  # shows the usage of this command
    try:
        arguments.handler(arguments)
    except BurngraphError as error:
        print(f"burngraph: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        lines = _lines_of_the_model(error)
        if lines is None:
            raise
        print(f"burngraph: the code of {arguments.model} raised an error\n{lines}", end="", file=sys.stderr)
        return 2
    return 0


def _lines_of_the_model(error: Exception) -> str | None:
    """The lines of the user's own files on the way to `error`, and the error; None if it was raised in this package."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not is_inside_package(frame.filename) and not is_library(frame.filename)]
    last = frames[-1].filename
    if is_inside_package(last) or last.startswith(EMITTED) or not (own or isinstance(error, SyntaxError)):
        return None
    return "".join([*traceback.format_list(own), *traceback.format_exception_only(error)])
