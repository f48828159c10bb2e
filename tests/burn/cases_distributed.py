"""Cases for Burn's collective operations in one process."""

from tests.burn.harness import FLOATS, Case, T

CASES = [
    *(
        Case(
            "Distributed.AllReduce",
            {"tensor": T(2, 3)},
            {"op": op, "device_ids": [0]},
            lambda tensor, op, device_ids: tensor,
            FLOATS,
            label=op,
        )
        for op in ("Sum", "Mean")
    ),
    Case("Distributed.SyncCollective", {}, {}, lambda: (), ("f32",), out=()),
]
