"""What passes and lowering know of a device: plain data, so that source can be printed for a device that is absent."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A device.

    name                 "cpu" or "metal"; lowering rules are chosen by it
    flops_per_s          peak f32 arithmetic
    bytes_per_s          sustained memory traffic
    cache_limit_bytes    how much freed memory the allocator may keep for reuse; 0 leaves its default
    """

    name: str
    flops_per_s: float
    bytes_per_s: float
    cache_limit_bytes: int = 0


CPU = Target("cpu", flops_per_s=60e9, bytes_per_s=10e9, cache_limit_bytes=4 << 30)
METAL = Target("metal", flops_per_s=10e12, bytes_per_s=400e9)
TARGETS = {target.name: target for target in (CPU, METAL)}
