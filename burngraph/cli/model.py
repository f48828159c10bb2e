"""Finding the model that a command names, and arrays for its inputs."""

import hashlib
import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import mlx.core as mx
import numpy as np

from burngraph.errors import InputError
from burngraph.ir.graph import Graph
from burngraph.ir.text import parse
from burngraph.ir.types import DTYPES, TensorType

SPEC = re.compile(r"(\w+)\[([\d,\s]*)\]")


def load(name: str) -> tuple[Callable[..., Any] | Graph, ModuleType | None]:
    """The function or graph that `name` means, and the module it came from, if any.

    Raises   InputError   no such file, module or function
             ParseError   a .bg file that does not read
    """
    if name.endswith(".bg"):
        path = Path(name)
        if not path.is_file():
            raise InputError(f"no file {name}")
        return parse(path.read_text(), filename=name, weights=_weights_beside(path)), None
    place, _, function = name.partition(":")
    module = _module(place, name)
    function = function or "model"
    found = getattr(module, function, None)
    if not callable(found):
        raise InputError(f"{place} has no function {function!r}", f"name one: burngraph ... {place}:FUNCTION")
    return found, module


def _weights_beside(path: Path) -> Mapping[str, Any]:
    """The arrays of NAME.safetensors beside NAME.bg, by key; none if there is no such file."""
    beside = path.with_suffix(".safetensors")
    if not beside.is_file():
        return {}
    try:
        return dict(mx.load(str(beside)))
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{beside} does not read as safetensors: {error}") from None


def _module(place: str, name: str) -> ModuleType:
    if place.endswith(".py"):
        path = Path(place)
        spec = importlib.util.spec_from_file_location(path.stem, path) if path.is_file() else None
        if spec is None or spec.loader is None:
            raise InputError(f"no file {place}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    try:
        if importlib.util.find_spec(place) is not None and ":" in name:
            return importlib.import_module(place)
    except (ImportError, ValueError):
        pass
    raise InputError(f"unknown model {name!r}", "a model is file.py, file.py:function, package.module:function, or a .bg file")


def arrays_for(model: Callable[..., Any] | Graph, module: ModuleType | None, specs: Sequence[str]) -> list[Any]:
    """Arrays for the model's arguments: from --input, else from `inputs()` in its file, else (a graph) seeded random.

    Raises   InputError   a spec that does not read, names no argument, or an argument without an array
    """
    given: dict[str, Any] = {}
    for spec in specs:
        name, equals, text = spec.partition("=")
        if not equals:
            raise InputError(f"--input {spec}: expected NAME=SPEC", "for example --input image=f32[8,3,32,32]")
        given[name] = _array(name, text)
    if isinstance(model, Graph):
        names = [p.name or str(i) for i, p in enumerate(model.params)]
        defaults = {n: _random(n, p.type) for n, p in zip(names, model.params, strict=True)}
    else:
        found = getattr(module, "inputs", None)
        defaults = dict(_inputs(found)) if callable(found) else {}
        names = list(inspect.signature(model).parameters)
    for name in given:
        if name not in names:
            raise InputError(f"--input {name}: the model has no such argument", "it takes: " + ", ".join(names))
    values = {**defaults, **given}
    missing = [name for name in names if name not in values]
    if missing:
        raise InputError(f"no array for argument {missing[0]!r}", f"pass --input {missing[0]}=f32[...]")
    return [values[name] for name in names]


def _inputs(found: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    given = found()
    if not isinstance(given, Mapping):
        raise InputError(f"inputs() must return a dict of arrays by argument name, not {type(given).__name__}")
    return given


def _array(name: str, text: str) -> Any:
    match = SPEC.fullmatch(text.strip())
    if match:
        if match[1] not in DTYPES:
            raise InputError(f"--input {name}: no dtype {match[1]!r}", "dtypes: " + ", ".join(DTYPES))
        dims = tuple(int(d) for d in match[2].split(",") if d.strip())
        return _random(name, TensorType(DTYPES[match[1]], dims))
    path = Path(text)
    if not path.is_file():
        raise InputError(f"--input {name}: {text!r} is neither a type such as f32[8,3,32,32] nor a file")
    if path.suffix == ".npy":
        try:
            return np.load(path, allow_pickle=False)
        except ValueError as error:
            raise InputError(f"--input {name}: {path} does not read as .npy: {error}") from None
    return picture(path)[None]


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
    except (UnidentifiedImageError, OSError) as error:
        raise InputError(f"{path} does not read as a picture: {error}") from None
    return pixels.transpose(2, 0, 1)


def _random(name: str, type: TensorType) -> np.ndarray:
    """Standard normal floats, integers 0 to 9, fair bools; the same for the same name and type."""
    seed = int.from_bytes(hashlib.sha256(f"{name}:{type}".encode()).digest()[:8], "little")
    rng = np.random.default_rng(seed)
    if type.dtype.is_inexact:
        return rng.normal(size=type.shape).astype(type.dtype.numpy)
    return rng.integers(0, 2 if type.dtype.kind == "bool" else 10, size=type.shape).astype(type.dtype.numpy)
