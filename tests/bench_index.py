"""What index safety costs: reads and writes at indices from outside, against MLX's own, which checks nothing.

python -m tests.bench_index         (not a test: interleaved medians and the ratio with its 95 % interval)

"in range" are indices that burngraph proves from the graph (here argmax), which cost nothing; "from outside" are arguments,
which are clamped; "checks=True" raises instead.
"""

from collections.abc import Callable

import mlx.core as mx
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

import burngraph as bg
from burngraph.bench import interleave

ROWS, COLUMNS, READS = 30_000, 256, 20_000
EXACT = bg.compile(lambda x: bg.take(x, bg.argmax(x[:, :64], axis=1), axis=0))


def cases() -> dict[str, dict[str, Callable[[], object]]]:
    """Callables per case, burngraph's first."""
    table = mx.random.normal((ROWS, COLUMNS))
    index = mx.random.randint(0, ROWS, (READS,))
    updates = mx.random.normal((READS, COLUMNS))
    along = mx.random.randint(0, COLUMNS, (ROWS, 8))
    mx.eval(table, index, updates, along)

    def take(x, i):
        return bg.take(x, i, axis=0)

    def add_at(x, i, v):
        return bg.scatter_nd(x, i[:, None], v, "add")

    def set_at(x, i, v):
        return bg.scatter_nd(x, i[:, None], v, "set")

    def along_axis(x, i):
        return bg.take_along_axis(x, i, 1)

    def compiled(fn, *arguments, **options):
        program = bg.compile(fn, **options)
        return lambda: program(*arguments)

    return {
        "take 20,000 rows": {
            "from outside": compiled(take, table, index),
            "checks=True": compiled(take, table, index, checks=True),
            "mx.take": lambda: mx.eval(mx.take(table, index, axis=0)),
        },
        "take rows at an argmax": {
            "in range": lambda: EXACT(table),
            "mx.take": lambda: mx.eval(mx.take(table, mx.argmax(table[:, :64], axis=1), axis=0)),
        },
        "take along rows, 8 of 256": {
            "from outside": compiled(along_axis, table, along),
            "mx.take_along_axis": lambda: mx.eval(mx.take_along_axis(table, along, axis=1)),
        },
        "add 20,000 rows": {
            "from outside": compiled(add_at, table, index, updates),
            "checks=True": compiled(add_at, table, index, updates, checks=True),
            "mx .at[].add": lambda: mx.eval(table.at[index].add(updates)),
        },
        "set 20,000 rows, last wins": {
            "from outside": compiled(set_at, table, index, updates),
            "mx x[i] = v": lambda: mx.eval(_assigned(table, index, updates)),
        },
    }


def _assigned(x: mx.array, index: mx.array, values: mx.array) -> mx.array:
    x = mx.array(x)
    x[index] = values
    return x


def main() -> None:
    table = Table("case", "program", "ms", "burngraph / this", "95 %")
    for case, callables in track(cases().items(), description="cases"):
        for t in interleave(callables, rounds=20):
            table.add_row(
                case, escape(t.name), f"{t.median_ms:.2f}", f"{t.ratio:.2f}", f"{t.ratio_low:.2f} to {t.ratio_high:.2f}"
            )
            case = ""
    Console().print(table)


if __name__ == "__main__":
    main()
