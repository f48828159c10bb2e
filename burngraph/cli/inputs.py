"""Arrays for a model's arguments: from --input, from `inputs()` in its file, or seeded random."""

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from burngraph.cli.model import Model
from burngraph.errors import BurngraphError, DTypeError, InputError
from burngraph.ir.graph import Graph, ParamKind
from burngraph.ir.types import TensorType, as_dtype, type_of

SPEC = re.compile(r"(\w+)\[((?:[0-9]+(?:\s*,\s*[0-9]+)*)?)\]")


class Call(NamedTuple):
    """What a model is called with."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def arguments_for(model: Model, module: ModuleType | None, specs: Sequence[str]) -> Call:
    """The model's arguments; one that has a default in its signature may be left out.

    Raises   InputError   a spec that does not read, names no argument or one twice, or an argument without an array
    """
    given: dict[str, Any] = {}
    for spec in specs:
        name, equals, text = spec.partition("=")
        if not equals:
            raise InputError(f"--input {spec}: expected NAME=SPEC", "for example --input image=f32[8,3,32,32]")
        if name in given:
            raise InputError(f"--input {name} is given twice")
        given[name] = _array(name, text)
    if isinstance(model, Graph):
        params = [p for p, kind in zip(model.params, model.kinds, strict=True) if kind is not ParamKind.WEIGHT]
        names = [p.name or str(i) for i, p in enumerate(params)]
        _check_names(given, names)
        random = {n: _random(n, p.type) for n, p in zip(names, params, strict=True)}
        return Call(tuple(({**random, **given})[name] for name in names), {})
    found = getattr(module, "inputs", None)
    return _call(inspect.signature(model), {**(_inputs(found) if callable(found) else {}), **given}, given)


def _check_names(given: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in given:
        if name not in names:
            raise InputError(f"--input {name}: the model has no such argument", "it takes: " + ", ".join(names))


def _call(signature: inspect.Signature, values: Mapping[str, Any], given: Mapping[str, Any]) -> Call:
    """`values` by position up to the first default that is left alone, by keyword from there."""
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = [p for p in signature.parameters.values() if p.kind not in variadic]
    _check_names(given, [p.name for p in parameters])
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    by_position = True
    for parameter in parameters:
        by_position = by_position and parameter.kind is not parameter.KEYWORD_ONLY
        if parameter.name not in values:
            if parameter.default is parameter.empty:
                name = parameter.name
                raise InputError(f"no array for argument {name!r}", f"pass --input {name}=f32[...]")
            by_position = False
        elif by_position:
            args.append(values[parameter.name])
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            raise InputError(f"argument {parameter.name!r} is given, but not one before it")
        else:
            kwargs[parameter.name] = values[parameter.name]
    return Call(tuple(args), kwargs)


def _inputs(found: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    given = found()
    if not isinstance(given, Mapping):
        raise InputError(f"inputs() must return a dict of arrays by argument name, not {type(given).__name__}")
    return given


def _array(name: str, text: str) -> Any:
    match = SPEC.fullmatch(text.strip())
    if match:
        dims = tuple(int(d) for d in match[2].split(",")) if match[2] else ()
        try:
            return _random(name, TensorType(as_dtype(match[1]), dims))
        except DTypeError as error:
            raise InputError(f"--input {name}: {error}") from None
        except (MemoryError, OverflowError, ValueError):
            raise InputError(f"--input {name}: {text} does not fit into memory") from None
    path = Path(text)
    if not path.is_file():
        raise InputError(f"--input {name}: {text!r} is neither a type such as f32[8,3,32,32] nor a file")
    try:
        return _saved(path) if path.suffix == ".npy" else picture(path)[None]
    except BurngraphError as error:
        raise InputError(f"--input {name}: {error}") from None


def _saved(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError):
        raise InputError(f"{path} does not read as .npy, an array of numbers that np.save wrote") from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} is an archive of arrays, not one array", "save the array with np.save")
    type_of(array)  # raises DTypeError for what is here no dtype
    return array


def picture(path: Path) -> np.ndarray:
    """A picture as float32 [3, H, W] in 0..1.

    Raises   InputError   Pillow is missing, or the file is no picture
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise InputError("reading pictures needs Pillow", "install it: pip install 'burngraph[demo]'") from None
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"), dtype="float32") / 255
    except (UnidentifiedImageError, OSError):
        raise InputError(f"{path} is neither a picture nor an .npy file") from None
    return pixels.transpose(2, 0, 1)


def _random(name: str, type: TensorType) -> np.ndarray:
    """Standard normal floats, integers 0 to 9, fair bools; the same for the same name and type."""
    seed = int.from_bytes(hashlib.sha256(f"{name}:{type}".encode()).digest()[:8], "little")
    rng = np.random.default_rng(seed)
    if type.dtype.is_inexact:
        return rng.normal(size=type.shape).astype(type.dtype.numpy)
    return rng.integers(0, 2 if type.dtype.kind == "bool" else 10, size=type.shape).astype(type.dtype.numpy)
