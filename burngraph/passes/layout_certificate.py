"""What the layout pass proves: the layout changes that are left, what each moves, which edge forces it, and the bound."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from burngraph.ir.graph import Source
from burngraph.ir.permutation import Perm

COST = """cost: bytes moved in a call, plus 1/1000 of those of parameters, which move once and not in each call;
  values that later passes find equal were counted apart, so that no more is executed than this"""

Where = Literal["interior", "entry", "exit", "parameter"]


@dataclass(frozen=True)
class LayoutChange:
    """One change of layout that the layout pass wrote; it is executed unless a later pass merges it with an equal one.

    where      interior   of a value that depends on data, made and read inside the program
               entry      of a parameter
               exit       on the way to the graph's results
               parameter  of a value that depends only on weights and constants
    producer   op that makes the value, or "parameter NAME"
    consumer   op that reads it in the other layout, or "result K"
    axes       the permutation executed
    bytes      size of the value
    source     the user's line that made the consumer, or else the producer
    """

    where: Where
    producer: str
    consumer: str
    axes: Perm
    bytes: int
    source: Source | None

    def __str__(self) -> str:
        line = f"  ({self.source})" if self.source else ""
        return f"{self.producer} -> {self.consumer}: permute{list(self.axes)}, {self.bytes} bytes{line}"


@dataclass(frozen=True)
class Certificate:
    """The layout changes that the layout pass left in a graph, and how near to the fewest bytes they are.

    Both numbers speak of the graph that the pass was given. Values that turn out to be equal only afterwards, when their
    producers are in one layout, are counted apart here and merged later: the program executes these changes or fewer.

    cut           the cost: bytes that layout changes move in a call, a byte that depends only on weights counted as 1/1000
    lower_bound   no assignment of layouts found by propagation costs less in that graph
    """

    changes: tuple[LayoutChange, ...]
    cut: float
    lower_bound: float

    @property
    def gap(self) -> float:
        return self.cut - self.lower_bound

    def of(self, where: Where) -> tuple[LayoutChange, ...]:
        return tuple(change for change in self.changes if change.where == where)

    @property
    def interior(self) -> tuple[LayoutChange, ...]:
        return self.of("interior")

    @property
    def entry(self) -> tuple[LayoutChange, ...]:
        return self.of("entry")

    @property
    def exit(self) -> tuple[LayoutChange, ...]:
        return self.of("exit")

    @property
    def parameters(self) -> tuple[LayoutChange, ...]:
        return self.of("parameter")

    def as_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings, for JSON."""
        rows: dict[str, Any] = {"interior": [], "entry": [], "exit": [], "parameter": []}
        for change in self.changes:
            row = asdict(change)
            del row["where"]
            row["axes"] = list(change.axes)
            row["source"] = str(change.source) if change.source else None
            rows[change.where].append(row)
        return {"cut": self.cut, "lower_bound": self.lower_bound, "gap": self.gap, "permutes": rows}

    def __str__(self) -> str:
        proof = "optimal" if self.gap == 0 else f"gap {self.gap:g}"
        lines = [f"layout: cost {self.cut:g}, lower bound {self.lower_bound:g}, {proof}", f"  {COST}"]
        wheres: tuple[Where, ...] = ("interior", "entry", "exit", "parameter")
        for where in wheres:
            found = self.of(where)
            lines.append(f"  {where} permutes: {len(found)}, {sum(change.bytes for change in found)} bytes")
            lines.extend(f"    {change}" for change in found)
        return "\n".join(lines)
