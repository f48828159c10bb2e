"""Is the cost of some work close to linear in the number of ops?"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from burngraph.ir.collector import collector_paused


def assert_close_to_linear(work: Callable[[Any], object], small: Sequence[Any], large: Any) -> None:
    """10,000 ops cost at most 15 times what 1,000 cost; a quadratic step would cost a hundred times.

    small   ten inputs of 1,000 ops: done one after the other they fill the processor's caches as `large` does
    """
    took = min(_seconds(work, small) for _ in range(3))
    assert min(_seconds(work, [large]) for _ in range(3)) < 15 * (took / len(small))


def _seconds(work: Callable[[Any], object], inputs: Sequence[Any]) -> float:
    start = time.process_time()
    with collector_paused():  # as parse, the pipeline and compile do
        for each in inputs:
            work(each)
    return time.process_time() - start
