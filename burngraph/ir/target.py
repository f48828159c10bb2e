"""What passes and lowering know of a device: plain data, so that source can be printed for a device that is absent."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Gap:
    """A function that MLX has, but not on some device.

    function   as a lowering rule calls it: "arange", "linalg.inv"; "at.add" is x.at[indices].add with an array among them
    dtypes     those of the arrays it fails on; empty for all
    """

    function: str
    dtypes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A device.

    name                 "cpu", "metal" or "cuda"; lowering rules are chosen by it
    flops_per_s          peak f32 arithmetic
    bytes_per_s          sustained memory traffic
    cache_limit_bytes    how much freed memory the allocator may keep for reuse; 0 leaves its default
    missing_dtypes       what no array on it can hold
    gaps                 what MLX cannot compute on it
    """

    name: str
    flops_per_s: float
    bytes_per_s: float
    cache_limit_bytes: int = 0
    missing_dtypes: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()


# From the sources of MLX 0.32, and for CUDA from running every sample of every op, at every dtype, on an H100.
_SCATTERS = (
    Gap("at.add", ("i64", "u64")),
    *(Gap(f"at.{reduction}", ("i64", "u64", "c64")) for reduction in ("multiply", "minimum", "maximum")),
)
_FACTORIZATIONS = tuple(
    Gap(f"linalg.{name}")
    for name in (
        "qr", "svd", "inv", "tri_inv", "pinv", "cholesky", "cholesky_inv", "lu", "lu_factor", "solve", "solve_triangular",
        "eig", "eigvals", "eigh", "eigvalsh", "det", "slogdet",
    )
)  # fmt: skip
_COMPLEX = tuple(Gap(name, ("c64",)) for name in ("arccosh", "arcsinh", "arctanh"))

CPU = Target("cpu", flops_per_s=60e9, bytes_per_s=10e9, cache_limit_bytes=4 << 30)
METAL = Target(
    "metal", flops_per_s=10e12, bytes_per_s=400e9, missing_dtypes=("f64",),
    gaps=(*_SCATTERS, Gap("put_along_axis", ("i64", "u64", "c64")), Gap("arange", ("c64",)), *_COMPLEX, *_FACTORIZATIONS),
)  # fmt: skip
CUDA = Target(
    "cuda", flops_per_s=60e12, bytes_per_s=2.5e12, missing_dtypes=("f64",), gaps=(*_SCATTERS, *_COMPLEX, *_FACTORIZATIONS)
)  # fmt: skip
TARGETS = {target.name: target for target in (CPU, METAL, CUDA)}

# The dtype to cast to where one is missing; c64 has none that holds its values.
NEAREST = {"f64": "f32", "i64": "i32", "u64": "u32"}
