"""burngraph: take NCHW model code as it is, give back the fastest MLX program that is checked to mean the same."""

from math import e, inf, nan, pi
from typing import NoReturn

from burngraph import errors
from burngraph.compile import compile, load
from burngraph.frontend import burn, fft, linalg
from burngraph.frontend.custom import checkpoint, custom_jvp, custom_vjp, stop_gradient
from burngraph.frontend.other_names import no_function
from burngraph.frontend.public import *  # noqa: F403  (its __all__ is the public list of functions)
from burngraph.frontend.public import __all__ as _functions
from burngraph.frontend.trace import TensorSpec, apply, apply_several, trace
from burngraph.ir.graph import Graph
from burngraph.ir.interpret import run
from burngraph.ir.op import Cost, Op, Permuted, Refuses, register
from burngraph.ir.text import parse
from burngraph.ir.types import BF16 as bfloat16
from burngraph.ir.types import BOOL as bool
from burngraph.ir.types import C64 as complex64
from burngraph.ir.types import F16 as float16
from burngraph.ir.types import F32 as float32
from burngraph.ir.types import F64 as float64
from burngraph.ir.types import I8 as int8
from burngraph.ir.types import I16 as int16
from burngraph.ir.types import I32 as int32
from burngraph.ir.types import I64 as int64
from burngraph.ir.types import U8 as uint8
from burngraph.ir.types import U16 as uint16
from burngraph.ir.types import U32 as uint32
from burngraph.ir.types import U64 as uint64
from burngraph.ir.types import DType, TensorType
from burngraph.lower_mlx.table import lowers
from burngraph.program.program import Program
from burngraph.transforms import grad, jvp, linearize, value_and_grad, vjp
from burngraph.vectorize import ComplexJacobian, hessian, jacfwd, jacrev, vmap

__version__ = "0.1.0"
__array_api_version__ = "2025.12"
newaxis = None

__all__ = [
    "checkpoint",
    "ComplexJacobian",
    "Cost",
    "custom_jvp",
    "custom_vjp",
    "DType",
    "Graph",
    "hessian",
    "jacfwd",
    "jacrev",
    "linearize",
    "Op",
    "Permuted",
    "Program",
    "Refuses",
    "stop_gradient",
    "TensorSpec",
    "TensorType",
    "apply",
    "apply_several",
    "bfloat16",
    "burn",
    "bool",
    "compile",
    "complex64",
    "e",
    "errors",
    "fft",
    "float16",
    "float32",
    "float64",
    "grad",
    "inf",
    "int16",
    "int32",
    "int64",
    "int8",
    "jvp",
    "linalg",
    "load",
    "lowers",
    "nan",
    "newaxis",
    "parse",
    "pi",
    "register",
    "run",
    "trace",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "value_and_grad",
    "vjp",
    "vmap",
    *_functions,
]


def __getattr__(name: str) -> NoReturn:
    raise no_function(__name__, name, __all__)
