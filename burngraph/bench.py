"""Interleaved timing of several callables in one process: medians, spread, and ratios with a bootstrap interval.

Interleaving (a, b, c, a, b, c, ...) gives each callable the same share of whatever else the machine does meanwhile.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Timing:
    """One callable's times, in milliseconds.

    ratio            median of the first callable's time over this one's, round by round; below 1 the first is faster
    ratio_low, high  95 % bootstrap bounds of that median
    """

    name: str
    median_ms: float
    low_ms: float
    high_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float


def interleave(
    callables: Mapping[str, Callable[[], object]],
    rounds: int = 30,
    warmup: int = 3,
    on_round: Callable[[], None] = lambda: None,
) -> list[Timing]:
    """Time each callable `rounds` times in turn, after `warmup` unrecorded rounds. Spread is the 10th to 90th percentile.

    on_round   called after every round, for a progress bar
    """
    times: dict[str, list[float]] = {name: [] for name in callables}
    for number in range(warmup + rounds):
        for name, call in callables.items():
            begin = time.perf_counter()
            call()
            if number >= warmup:
                times[name].append(1e3 * (time.perf_counter() - begin))
        on_round()
    first = np.array(next(iter(times.values())))
    return [_summary(name, first, np.array(own)) for name, own in times.items()]


def _summary(name: str, first: np.ndarray, own: np.ndarray) -> Timing:
    ratios = first / own
    rng = np.random.default_rng(0)
    resampled = np.median(rng.choice(ratios, (1000, len(ratios))), axis=1)
    return Timing(
        name,
        float(np.median(own)),
        float(np.percentile(own, 10)),
        float(np.percentile(own, 90)),
        float(np.median(ratios)),
        float(np.percentile(resampled, 2.5)),
        float(np.percentile(resampled, 97.5)),
    )
