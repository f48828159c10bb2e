"""What the array API standard lets a program ask this namespace: which dtypes there are, and what depends on values."""

from collections.abc import Sequence
from typing import Any

from burngraph.errors import DTypeError
from burngraph.frontend.functional.dtypes import KINDS, isdtype
from burngraph.frontend.functional.shape import check_device
from burngraph.frontend.recording import located
from burngraph.ir.types import BOOL, C64, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, DType

__all__ = ["__array_namespace_info__"]

_STANDARD = (BOOL, I8, I16, I32, I64, U8, U16, U32, U64, F32, F64, C64)  # float16 and bfloat16 are none of the standard's


class NamespaceInfo:
    """The result of __array_namespace_info__. Arrays have no device, so None stands for the only one."""

    def capabilities(self) -> dict[str, Any]:
        """Shapes never depend on values, so that neither x[mask] nor unique are there; no limit on ranks."""
        return {"boolean indexing": False, "data-dependent shapes": False, "max dimensions": None}

    def default_device(self) -> None:
        return None

    def devices(self) -> tuple[None]:
        return (None,)

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """The dtypes of Python numbers that meet no array, and of positions."""
        check_device("default_dtypes", device)
        return {"real floating": F32, "complex floating": C64, "integral": I32, "indexing": I32}

    def dtypes(self, *, device: Any = None, kind: str | Sequence[str] | None = None) -> dict[str, DType]:
        """The standard's dtypes that are here, by name; those of a `kind` of isdtype's, or of one of several.

        Raises   DTypeError   another kind
        """
        check_device("dtypes", device)
        kinds = tuple(KINDS) if kind is None else (kind,) if isinstance(kind, str) else tuple(kind)
        if not set(kinds) <= KINDS.keys():
            raise located(DTypeError(f"dtypes: kind = {kind!r} is none", "kinds: " + ", ".join(KINDS)))
        return {dtype.long_name: dtype for dtype in _STANDARD if isdtype(dtype, kinds)}


def __array_namespace_info__() -> NamespaceInfo:
    """What this namespace has: capabilities, default_device, default_dtypes, devices, dtypes.

    Source   array API standard, Inspection
    """
    return NamespaceInfo()
