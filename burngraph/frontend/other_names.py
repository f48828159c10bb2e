"""What PyTorch's and NumPy's methods are called here, for the error of a traced value that has no such attribute."""

import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

from burngraph.errors import NoAttributeError, TraceError
from burngraph.frontend.recording import TracedValue, located

# Method -> what to write for it, of a traced value x. A function of the method's own name needs no entry.
SPELLED = {
    "H": "bg.conj(bg.matrix_transpose(x))",
    "cat": "bg.concat(arrays, axis)",
    "hstack": "bg.concat(arrays, axis=1)",
    "vstack": "bg.concat(arrays, axis=0)",
    "randn": "bg.normal(key, shape)",
    "rand": "bg.uniform(key, shape)",
    "tensor": "bg.asarray(x)",
    "as_tensor": "bg.asarray(x)",
    "normalize": "x / bg.linalg.vector_norm(x, axis=axis, keepdims=True)",
    "no_grad": "nothing: derivatives are taken where bg.grad asks for them; bg.stop_gradient(x) holds one back",
    "randn_like": "bg.normal(key, x.shape)",
    "addcmul": "x + value * a * b",
    "quantile": "bg.sort(x), and the entries between which it lies",
    "view_as_complex": "bg.complex(x[..., 0], x[..., 1])",
    "view_as_real": "bg.stack([bg.real(x), bg.imag(x)], -1)",
    "polar": "bg.complex(r * bg.cos(angle), r * bg.sin(angle))",
    "absolute": "bg.abs(x)",
    "addmm": "bg.add(x, bg.matmul(a, b))",
    "adjoint": "bg.conj(bg.matrix_transpose(x))",
    "arccos": "bg.acos(x)",
    "arccosh": "bg.acosh(x)",
    "arcsin": "bg.asin(x)",
    "arcsinh": "bg.asinh(x)",
    "arctan": "bg.atan(x)",
    "arctanh": "bg.atanh(x)",
    "backward": "bg.grad(f)(x), of the function f that computes the loss",
    "baddbmm": "bg.add(x, bg.matmul(a, b))",
    "bernoulli": "bg.bernoulli(key, x)",
    "bfloat16": "x.astype('bfloat16')",
    "bitwise_not": "bg.bitwise_invert(x)",
    "bmm": "bg.matmul(x, y)",
    "bool": "x.astype('bool')",
    "byte": "x.astype('uint8')",
    "cfloat": "x.astype('complex64')",
    "char": "x.astype('int8')",
    "clamp": "bg.clip(x, min, max)",
    "clamp_max": "bg.minimum(x, max)",
    "clamp_min": "bg.maximum(x, min)",
    "clone": "x, which is never written to",
    "conj_physical": "bg.conj(x)",
    "conjugate": "bg.conj(x)",
    "contiguous": "x, which has no strides",
    "copy": "x, which is never written to",
    "cpu": "x: MLX's arrays are in memory that all devices share",
    "cuda": "x: MLX's arrays are in memory that all devices share",
    "data": "bg.stop_gradient(x)",
    "detach": "bg.stop_gradient(x)",
    "device": "nothing: MLX's arrays are in memory that all devices share",
    "dim": "x.ndim",
    "dist": "bg.vector_norm(bg.subtract(x, y))",
    "div": "bg.divide(x, y)",
    "dot": "bg.matmul(x, y)",
    "double": "x.astype('float64')",
    "element_size": "x.dtype.bytes",
    "eq": "bg.equal(x, y)",
    "erfc": "bg.subtract(1.0, bg.erf(x))",
    "expand": "bg.broadcast_to(x, shape)",
    "expand_as": "bg.broadcast_to(x, y.shape)",
    "fill": "bg.full_like(x, value)",
    "fix": "bg.trunc(x)",
    "fliplr": "bg.flip(x, axis=1)",
    "flipud": "bg.flip(x, axis=0)",
    "float": "x.astype('float32')",
    "frac": "bg.subtract(x, bg.trunc(x))",
    "ge": "bg.greater_equal(x, y)",
    "ger": "bg.outer(x, y)",
    "grad": "bg.grad(f)(x), of the function f that computes the loss",
    "gt": "bg.greater(x, y)",
    "half": "x.astype('float16')",
    "index_fill": "x.at[indices].set(value)",
    "index_put": "x.at[indices].set(values)",
    "int": "x.astype('int32')",
    "is_complex": "bg.isdtype(x.dtype, 'complex floating')",
    "is_floating_point": "bg.isdtype(x.dtype, 'real floating')",
    "itemsize": "x.dtype.bytes",
    "kthvalue": "bg.sort(x, axis)",
    "le": "bg.less_equal(x, y)",
    "lerp": "bg.add(x, bg.multiply(weight, bg.subtract(y, x)))",
    "long": "x.astype('int64')",
    "lt": "bg.less(x, y)",
    "mH": "bg.conj(bg.matrix_transpose(x))",
    "masked_select": "bg.where(mask, x, other), as how many entries a mask has is not known while a graph is built",
    "matrix_power": "bg.linalg.matrix_power(x, n)",
    "mm": "bg.matmul(x, y)",
    "movedim": "bg.moveaxis(x, source, destination)",
    "msort": "bg.sort(x, axis=0)",
    "mul": "bg.multiply(x, y)",
    "mv": "bg.matmul(x, y)",
    "narrow": "x[start : start + length], a slice of that axis",
    "ndimension": "x.ndim",
    "ne": "bg.not_equal(x, y)",
    "neg": "bg.negative(x)",
    "nelement": "x.size",
    "new_full": "bg.full(shape, value, x.dtype)",
    "new_ones": "bg.ones(shape, x.dtype)",
    "new_zeros": "bg.zeros(shape, x.dtype)",
    "norm": "bg.vector_norm(x, axis=axis)",
    "normal": "bg.normal(key, shape)",
    "numel": "x.size",
    "numpy": "np.array(result), of what the compiled function returned",
    "permute": "bg.permute_dims(x, axes)",
    "ravel": "bg.reshape(x, -1)",
    "repeat": "bg.tile(x, repetitions) for PyTorch's, bg.repeat(x, repeats, axis=axis) for NumPy's",
    "repeat_interleave": "bg.repeat(x, repeats, axis=axis)",
    "requires_grad": "bg.grad(f)(x), of the function f that computes the loss",
    "reshape_as": "bg.reshape(x, y.shape)",
    "resize": "bg.reshape(x, shape)",
    "searchsorted": "bg.searchsorted(x, values)",
    "select": "bg.take(x, index, axis=axis)",
    "sgn": "bg.sign(x)",
    "short": "x.astype('int16')",
    "split_with_sizes": "bg.split(x, sizes, dim)",
    "sub": "bg.subtract(x, y)",
    "swapdims": "bg.swapaxes(x, axis1, axis2)",
    "t": "bg.transpose(x)",
    "take_along_dim": "bg.take_along_axis(x, indices, axis)",
    "to": "x.astype(dtype)",
    "true_divide": "bg.divide(x, y)",
    "type_as": "x.astype(y.dtype)",
    "unbind": "bg.unstack(x, axis=axis)",
    "unflatten": "bg.reshape(x, shape)",
    "unfold": "bg.sliding_windows(x, dim, size, step)",
    "uniform": "bg.uniform(key, shape)",
    "unsqueeze": "bg.expand_dims(x, axis)",
    "vdot": "bg.vecdot(x, y)",
    "view": "bg.reshape(x, shape) for PyTorch's, x.astype(dtype) converts entries; bits are not reread as another dtype",
    "view_as": "bg.reshape(x, y.shape)",
    "where": "bg.where(condition, x, other)",
    "zero": "bg.zeros_like(x)",
}
# Calls that fit no signature here -> what to write; of others the signature is shown.
_CALLED = {
    "transpose": "bg.transpose(x, axis1, axis2) exchanges two axes; bg.transpose(x, axes) takes all of them as one tuple",
    "permute_dims": "pass the axes as one tuple",
    "reshape": "pass the shape as one tuple",
}


def _public(name: str) -> Any:
    """The public function of that name, looked up and not imported: this room is below the functions."""
    package: Any = sys.modules.get(__name__.partition(".")[0])
    found = getattr(package, name, None) if name in getattr(package, "__all__", ()) else None
    return found if inspect.isfunction(found) else None


def spelling(name: str) -> str | None:
    """What to write for the method `name` of another library's array; None if nothing is known of it."""
    if name in SPELLED:
        return SPELLED[name]
    if _public(name) is not None:
        parameters = list(inspect.signature(_public(name)).parameters.values())
        first = parameters[0].name if parameters else ""
        return f"bg.{name}(x, ...)" if len(parameters) > 1 else f"bg.{name}(x)" if first else None
    if name.endswith("_") and not name.endswith("__"):
        plain = spelling(name[:-1])
        return None if plain is None else f"{plain}, and bind the result: nothing is written in place"
    return None


def no_function(module: str, name: str, known: Iterable[str]) -> AttributeError:
    """The error for bg.name, where there is none: what it is called here, or the names that look like it."""
    error = AttributeError(f"module {module!r} has no attribute {name!r}")
    if name.startswith("_"):
        return error
    if name in SPELLED:
        return AttributeError(f"{error}\n  write {SPELLED[name]}")
    close = difflib.get_close_matches(name, list(known), 3, 0.8)
    return AttributeError(f"{error}\n  there is {', '.join(f'bg.{each}' for each in close)}") if close else error


def no_attribute(x: TracedValue, name: str) -> AttributeError:
    """The error for x.name. An AttributeError, so that hasattr is False."""
    if name.startswith("_"):  # what Python and other libraries look for, which they often do
        return AttributeError(f"a traced value has no attribute {name!r}")
    written = spelling(name)
    way_out = "its attributes and methods are mx.array's; other functions are bg's" if written is None else f"write {written}"
    error = located(NoAttributeError(f"a traced value has no attribute {name!r}", f"value: {x!r}"))
    error.add(way_out)
    assert isinstance(error, AttributeError)
    return error


def explained_call(message: str, expression: str, where: object, names_traced_value: Callable[[], bool]) -> TraceError | None:
    """The error for Python's TypeError `message` about a call in the user's code; None if it is about something else.

    x.size(0), x.shape(0)    attributes here, called
    bg.transpose(x, 1, 2, 0) more arguments than the function takes
    """
    lines = f"expression: {expression}", f"from {where}"
    called = re.search(r"\.(size|shape|ndim|dtype|T|mT|nbytes)\s*\(", expression)
    if called and re.fullmatch(r"'[\w.]+' object is not callable", message) and names_traced_value():
        name = called.group(1)
        way_out = "write x.shape[axis], or x.shape for all of them" if name == "size" else f"write x.{name}, without a call"
        return TraceError(f"{name} of a traced value is an attribute, not a method", *lines, way_out)
    misfit = re.match(r"(?:\w+\.)*(\w+)\(\) (takes|got|missing)\b", message)
    if misfit is None or not names_traced_value():
        return None
    name = misfit.group(1)
    function = _public(name)
    if function is None or not re.search(rf"\b(bg|burngraph)\.{name}\s*\(", expression):
        return None
    signature = f"{name}{inspect.signature(function)}".replace("typing.", "")
    return TraceError(message, *lines, f"signature: {signature}", *([_CALLED[name]] if name in _CALLED else []))
