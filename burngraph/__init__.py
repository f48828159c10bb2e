"""burngraph: take NCHW model code as it is, give back the fastest MLX program that is checked to mean the same."""

from burngraph import errors
from burngraph.compile import Program, compile, load
from burngraph.frontend.functional import *  # noqa: F403  (its __all__ is the public list of functions)
from burngraph.frontend.functional import __all__ as _functions
from burngraph.frontend.trace import TensorSpec, trace
from burngraph.ir.graph import Graph
from burngraph.ir.interpret import run
from burngraph.ir.text import parse
from burngraph.transforms import grad, jvp, value_and_grad, vjp

__version__ = "0.1.0"

__all__ = [
    "Graph",
    "Program",
    "TensorSpec",
    "compile",
    "errors",
    "grad",
    "jvp",
    "load",
    "parse",
    "run",
    "trace",
    "value_and_grad",
    "vjp",
    *_functions,
]
