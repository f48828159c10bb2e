"""`compile`: a function or graph as a Program that runs on MLX, one evaluation per call. `load`: one that was saved."""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from burngraph.errors import InputError
from burngraph.evaluator import EVALUATOR
from burngraph.ir.graph import Graph
from burngraph.ir.target import TARGETS, Target
from burngraph.lower_mlx.lower import default_target
from burngraph.passes.pipeline import passes_within
from burngraph.program.entry import Options, Trees
from burngraph.program.file import read_program
from burngraph.program.program import Program
from burngraph.program.static_arguments import static_names

_NOT_GIVEN: Any = object()


def load(path: str | os.PathLike[str], *, target: Target | str | None = None, checks: bool = False) -> Program:
    """The program that `program.save(path)` wrote, compiled for `target`; it takes what the saved one took.

    checks   as in `compile`; a file does not say what the saved program checked

    Raises   InputError   no such file, or it holds no program
             ParseError   its IR text does not parse
    """
    stored = read_program(path)
    options = Options(_target(target), checks=checks)
    return Program(stored.graph, stored.weights, options, Trees(stored.arguments, stored.out_tree))


def compile(
    fn_or_graph: Callable[..., Any] | Graph = _NOT_GIVEN, *,
    weights: Mapping[str, Any] | None = None, target: Target | str | None = None,
    passes: Sequence[str] | None = None, precision: str = "reassociate", checks: bool = False, verify: bool = False,
    static_argnames: str | Sequence[str] = (),
) -> Any:  # fmt: skip
    """Compile a function of arrays, or a graph, for MLX: a Program. Also a decorator, @bg.compile or @bg.compile(option=...).

    weights           data for the graph's weights, by key
    target            a Target or its name; the default is the device MLX uses
    passes            names of the passes to run; None for all
    precision         "exact" keeps every bit and so leaves layout as it is; "reassociate" adds the numbers of a sum in another
                      order where that is faster; "fast" may approximate, which no rewrite does yet
    checks            raise IndexRangeError, after the call's one evaluation, for an index that its axis does not have; without
                      it such an index reads the nearest entry, and writes nothing
    verify            on a signature's first call, run every stage in the interpreter, and compare it and the emitted program
    static_argnames   keyword arguments that are part of the signature

    Raises   InputError   an option that does not exist, or neither a function nor a graph
    """
    allowed = passes_within(precision, passes)
    if fn_or_graph is _NOT_GIVEN:
        return functools.partial(compile, weights=weights, target=target, passes=passes, precision=precision, checks=checks,
                                 verify=verify, static_argnames=static_argnames)  # fmt: skip
    if isinstance(fn_or_graph, Graph):
        static: tuple[str, ...] = ()
    elif callable(fn_or_graph):
        static = static_names(fn_or_graph, static_argnames)
    else:
        raise InputError(f"compile takes a function or a bg.Graph, not {fn_or_graph!r:.80}")
    return Program(fn_or_graph, weights, Options(_target(target), allowed, checks, verify, static))


def _target(target: Target | str | None) -> Target:
    if isinstance(target, str) and target not in TARGETS:
        raise InputError(f"no target {target!r}", "targets: " + ", ".join(TARGETS))
    if target is None:
        target = default_target()
    chosen = TARGETS[target] if isinstance(target, str) else target
    EVALUATOR.make_ready(chosen)
    return chosen
