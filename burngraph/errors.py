"""Every exception class of burngraph; imports nothing.

An error says, in this order: the rule broken in the domain's words; the values by operand name; where, in the IR and in the
user's file; and what to do. Code that raises gives the headline and the details it knows; code further out adds the rest with
`add`, so each fact is stated by the part that knows it.
"""


class BurngraphError(Exception):
    """Base class: a headline and a list of detail lines, shown indented below it."""

    def __init__(self, headline: str, *details: str) -> None:
        super().__init__(headline)
        self.headline = headline
        self.details = list(details)

    def add(self, *details: str) -> "BurngraphError":
        """Append detail lines and return self, so that an outer part can re-raise with what it knows."""
        self.details.extend(details)
        return self

    def __str__(self) -> str:
        return "\n  ".join([self.headline, *self.details])


class ShapeError(BurngraphError, ValueError):
    """Operand shapes or attributes do not fit together."""


class AxisError(ShapeError, IndexError):
    """An array has no such axis. An IndexError too, as in NumPy and as the array API asks."""


class DTypeError(BurngraphError, TypeError):
    """An operand has a dtype that the op does not take."""


class VerifyError(BurngraphError):
    """A graph breaks a rule of the IR; a pass that produced it is at fault."""


class ParseError(BurngraphError, ValueError):
    """IR text that does not read; names file, line, column, and shows a caret."""


class TraceError(BurngraphError):
    """User code did something to a traced value that has no meaning in a graph."""


class NoAttributeError(TraceError, AttributeError):
    """A traced value has no such attribute; says what to write where another library's arrays have it."""


class RegistrationError(BurngraphError):
    """An op class or a lowering is incomplete, or its name is taken."""


class RefusedError(BurngraphError):
    """An op refuses an aspect (derivative, batching, ...) and says why."""


class LoweringError(BurngraphError):
    """An op has no form on the target device, or none at this dtype."""


class RetraceWarning(UserWarning):
    """A program is traced again and again because of one Python number among its arguments."""


class InputError(BurngraphError, ValueError):
    """What a program, the interpreter or the command line was called with does not fit its signature."""


class IndexRangeError(BurngraphError, IndexError):
    """A program compiled with checks=True read or wrote at an index that its axis does not have."""
