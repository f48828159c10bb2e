"""Is the cost of some work close to linear in the number of ops?"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def assert_close_to_linear(work: Callable[[Any], object], small: Any, large: Any) -> None:
    """10,000 ops cost at most 15 times what 1,000 cost; a quadratic step would cost a hundred times.

    The cost is counted, not timed, so that a busy machine cannot fail a test: lines of Python run, and of what C functions
    do inside one line, the calls they make back.
    """
    counts = _lines_run(work, small), _lines_run(work, large)
    assert counts[1] < 15 * counts[0], counts


def _lines_run(work: Callable[[Any], object], given: Any) -> int:
    count = 0

    def on_event(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += 1
        return on_event

    before = sys.gettrace()
    sys.settrace(on_event)
    try:
        work(given)
    finally:
        sys.settrace(before)
    return count
