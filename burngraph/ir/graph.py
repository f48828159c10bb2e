"""Graphs: a flat, topologically ordered, immutable tuple of nodes between parameters and results."""

from collections.abc import Iterator, Sequence
from enum import Enum
from functools import cached_property
from typing import Any, NamedTuple

from burngraph.ir.op import Op
from burngraph.ir.types import TensorType
from burngraph.ir.value import Value


class ParamKind(Enum):
    """What a parameter stands for.

    DATA     differs from call to call
    WEIGHT   bound once; its name is its key in the bound weights
    STATE    read and replaced: the graph's last results are the new states, in parameter order
    KEY      a random key, u32[2]
    """

    DATA = "data"
    WEIGHT = "weight"
    STATE = "state"
    KEY = "key"


class Source(NamedTuple):
    """Where in the user's files a value was made."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Node:
    """One application of an op. Immutable by convention; compared by identity."""

    __slots__ = ("op", "operands", "results", "source")

    def __init__(
        self, op: Op, operands: tuple[Value | None, ...], results: tuple[Value, ...], source: Source | None = None
    ) -> None:
        self.op = op
        self.operands = operands
        self.results = results
        self.source = source

    @property
    def values_read(self) -> list[Value]:
        """The operands that are present."""
        return [value for value in self.operands if value is not None]

    @property
    def operand_types(self) -> tuple[TensorType | None, ...]:
        return tuple(None if value is None else value.type for value in self.operands)


class Graph:
    """A closed function on tensors: its nodes read only its parameters and each other's results.

    Equality is structural: names of values and of the graph and source lines do not count, except that the name of a
    weight parameter is its key and does.
    """

    def __init__(
        self,
        name: str,
        params: Sequence[Value],
        nodes: Sequence[Node],
        results: Sequence[Value],
        kinds: Sequence[ParamKind] | None = None,
    ) -> None:
        self.name = name
        self.params = tuple(params)
        self.nodes = tuple(nodes)
        self.results = tuple(results)
        self.kinds = tuple(kinds) if kinds is not None else (ParamKind.DATA,) * len(self.params)

    @property
    def param_types(self) -> tuple[TensorType, ...]:
        return tuple(value.type for value in self.params)

    @property
    def result_types(self) -> tuple[TensorType, ...]:
        return tuple(value.type for value in self.results)

    def values(self) -> Iterator[Value]:
        """Every value: parameters, then node results in order."""
        yield from self.params
        for node in self.nodes:
            yield from node.results

    def producers(self) -> dict[Value, Node]:
        """The node that makes each value; parameters have none."""
        return {value: node for node in self.nodes for value in node.results}

    def readers(self) -> dict[Value, list[Node]]:
        """The nodes that read each value, in order, once per operand position; a value nobody reads has an empty list."""
        found: dict[Value, list[Node]] = {value: [] for value in self.values()}
        for node in self.nodes:
            for value in node.values_read:
                found[value].append(node)
        return found

    def __len__(self) -> int:
        return len(self.nodes)

    @cached_property
    def _structure(self) -> tuple[Any, ...]:
        number: dict[Value, int] = {}
        for value in self.values():
            number[value] = len(number)
        keys = tuple(p.name if kind is ParamKind.WEIGHT else "" for p, kind in zip(self.params, self.kinds, strict=True))
        return (
            self.param_types,
            self.kinds,
            keys,
            tuple(
                (n.op, tuple(-1 if v is None else number[v] for v in n.operands), tuple(v.type for v in n.results))
                for n in self.nodes
            ),
            tuple(number[value] for value in self.results),
        )

    @cached_property
    def _hash(self) -> int:
        return hash(self._structure)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Graph) and self._hash == other._hash and self._structure == other._structure

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"<graph @{self.name}: {len(self.params)} parameters, {len(self.nodes)} nodes>"
