"""Finding the model that a command names."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import mlx.core as mx

from burngraph.errors import InputError
from burngraph.ir.graph import Graph
from burngraph.ir.text import parse
from burngraph.program.entry import weight_keys
from burngraph.program.program import Program

Model = Callable[..., Any] | Graph


class Loaded(NamedTuple):
    """A function or graph, the module it came from, if any, and the data of a graph's weights by key."""

    model: Model
    module: ModuleType | None
    weights: Mapping[str, Any]


def load(name: str) -> Loaded:
    """What `name` means.

    Raises   InputError   no such file, module or function
             ParseError   a .bg file that does not read
    """
    if name.endswith(".bg"):
        return _text(Path(name))
    place, _, function = name.partition(":")
    module = _module(place, name)
    function = function or "model"
    found = getattr(module, function, None)
    if not callable(found):
        raise InputError(f"{place} has no function {function!r}", f"name one: burngraph ... {place}:FUNCTION")
    if isinstance(found, Program):
        found = getattr(found, "__wrapped__", found)  # the command compiles it with options of its own
    return Loaded(found, module, {})


def _text(path: Path) -> Loaded:
    if not path.is_file():
        raise InputError(f"no file {path}")
    try:
        text = path.read_text()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text: {error}") from None
    beside = path.with_suffix(".safetensors")
    found = _weights(beside)
    graph = parse(text, filename=str(path), weights=found)
    keys = weight_keys(graph)
    for key in keys:
        if key not in found:
            why = "does not hold it" if beside.is_file() else "is missing"
            raise InputError(f"{path} has the weight {key!r}, whose data belongs in {beside}, which {why}")
    return Loaded(graph, None, {key: found[key] for key in keys})


def _weights(beside: Path) -> Mapping[str, Any]:
    """The arrays of NAME.safetensors beside NAME.bg, by key; none if there is no such file."""
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
        if str(path.resolve().parent) not in sys.path:
            sys.path.insert(0, str(path.resolve().parent))  # it may import its neighbours, as where Python runs it
        spec.loader.exec_module(module)
        return module
    try:
        is_there = ":" in name and importlib.util.find_spec(place) is not None
    except (ImportError, ValueError):
        is_there = False
    if is_there:
        return importlib.import_module(place)
    raise InputError(f"unknown model {name!r}", "a model is file.py, file.py:function, package.module:function, or a .bg file")
