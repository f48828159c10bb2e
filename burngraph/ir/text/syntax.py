"""From characters to an unchecked syntax tree, by Lark's LALR parser; parse.py says what its names mean."""

import json
import re
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError

from burngraph.errors import ParseError

MAX_NESTING = 64
TOO_DEEP = f"graphs and lists are nested more than {MAX_NESTING} deep"
MAX_DIGITS = 20  # enough for u64; also keeps int() from quadratic time
WORDS = {"true": True, "false": False, "none": None, "inf": float("inf"), "nan": float("nan")}


class SyntaxProblem(Exception):
    """A broken rule at a token; parse.py adds file, line and caret."""

    def __init__(self, token: Token, message: str) -> None:
        super().__init__(message)
        self.token = token
        self.message = message


class TypeText(NamedTuple):
    token: Token
    dims: tuple[int, ...]


class Literal(NamedTuple):
    """A value complete in itself: number, string, true, false, none, complex."""

    token: Token
    value: Any


class Name(NamedTuple):
    """A word that is no literal: a dtype, or a mistake; with "@", a graph."""

    token: Token


class ListText(NamedTuple):
    token: Token
    items: "tuple[ValueText, ...]"
    depth: int


class Argument(NamedTuple):
    """An operand (value None: its token is %name or none) or an attribute (its token is the attribute's name)."""

    token: Token
    value: "ValueText | None"


class Call(NamedTuple):
    op: Token
    arguments: tuple[Argument, ...]


class Statement(NamedTuple):
    results: tuple[Token, ...]
    types: tuple[TypeText, ...]
    call: Call


class Param(NamedTuple):
    token: Token
    kind: Token | None
    key_word: Token | None
    key: str | None
    type: TypeText


class GraphText(NamedTuple):
    token: Token
    params: tuple[Param, ...]
    result_types: tuple[TypeText, ...]
    statements: tuple[Statement, ...]
    return_token: Token
    results: tuple[Token, ...]
    depth: int


ValueText = TypeText | Literal | Name | ListText | GraphText


class _Tree(Transformer[Token, Any]):
    """Callbacks in the order of the grammar; each gets the parts of its rule that carry meaning."""

    def start(self, graphs: list[Any]) -> list[GraphText]:
        return graphs

    def graph(self, parts: list[Any]) -> GraphText:
        _, token, *params, result_types, _statements, ret = [*parts[:2], *_split_graph(parts[2:])]
        statements: tuple[Statement, ...] = _statements
        depth = 1 + max((_depth(a.value) for s in statements for a in s.call.arguments), default=0)
        _check_depth(token, depth)
        return GraphText(token, tuple(params), result_types, statements, ret[0], tuple(ret[1:]), depth)

    def data_param(self, parts: list[Any]) -> Param:
        return Param(parts[0], None, None, None, parts[1])

    def kind_param(self, parts: list[Any]) -> Param:
        return Param(parts[0], parts[1], None, None, parts[2])

    def keyed_param(self, parts: list[Any]) -> Param:
        return Param(parts[0], parts[1], parts[2], _string(parts[3]), parts[4])

    def result_types(self, parts: list[Any]) -> tuple[TypeText, ...]:
        return tuple(parts)

    def one_result(self, parts: list[Any]) -> Statement:
        return Statement((parts[0],), (parts[1],), parts[2])

    def several_results(self, parts: list[Any]) -> Statement:
        return Statement(tuple(parts[:-2]), parts[-2], parts[-1])

    def no_result(self, parts: list[Any]) -> Statement:
        return Statement((), (), parts[0])

    def call(self, parts: list[Any]) -> Call:
        return Call(parts[0], tuple(parts[1:]))

    def operand(self, parts: list[Any]) -> Argument:
        return Argument(parts[0], None)

    def absent(self, parts: list[Any]) -> Argument:
        if parts[0] != "none":
            raise SyntaxProblem(parts[0], f"expected an operand such as %x, none, or an attribute, found {parts[0]!s}")
        return Argument(parts[0], None)

    def attribute(self, parts: list[Any]) -> Argument:
        return Argument(parts[0], parts[1])

    def ret(self, parts: list[Any]) -> list[Token]:
        return parts

    def type(self, parts: list[Any]) -> TypeText:
        dims = tuple(_integer(token) for token in parts[1:])
        for token, dim in zip(parts[1:], dims, strict=True):
            if not 0 <= dim < 2**63:
                raise SyntaxProblem(token, f"a dim is between 0 and 2**63 - 1, found {token!s}")
        return TypeText(parts[0], dims)

    def number(self, parts: list[Any]) -> Literal:
        text = parts[0]
        return Literal(text, _integer(text) if re.fullmatch(r"-?\d+", text) else float(text))

    def string(self, parts: list[Any]) -> Literal:
        return Literal(parts[0], _string(parts[0]))

    def word(self, parts: list[Any]) -> Literal | Name:
        return Literal(parts[0], WORDS[parts[0]]) if parts[0] in WORDS else Name(parts[0])

    def graph_name(self, parts: list[Any]) -> Name:
        return Name(parts[0])

    def complex_number(self, parts: list[Any]) -> Literal:
        token, *both = parts
        halves = [part.value for part in both if isinstance(part, Literal) and type(part.value) in (int, float)]
        if token != "complex" or len(halves) != 2:
            raise SyntaxProblem(token, "expected a value such as [1,1] or complex(0.0,1.0)")
        return Literal(token, complex(*halves))

    def list_value(self, parts: list[Any]) -> ListText:
        depth = 1 + max(map(_depth, parts[1:]), default=0)
        _check_depth(parts[0], depth)
        return ListText(parts[0], tuple(parts[1:]), depth)

    def type_value(self, parts: list[Any]) -> TypeText:
        return parts[0]  # type: ignore[no-any-return]

    def graph_value(self, parts: list[Any]) -> GraphText:
        return parts[0]  # type: ignore[no-any-return]


def _split_graph(parts: list[Any]) -> list[Any]:
    """Parameters, result types, the statements as one tuple, the return."""
    n_params = next(i for i, part in enumerate(parts) if not isinstance(part, Param))
    return [*parts[: n_params + 1], tuple(parts[n_params + 1 : -1]), parts[-1]]


def _depth(value: ValueText | None) -> int:
    return value.depth if isinstance(value, ListText | GraphText) else 0


def _check_depth(token: Token, depth: int) -> None:
    if depth > MAX_NESTING:
        raise SyntaxProblem(token, TOO_DEEP)


def _integer(token: Token) -> int:
    if not re.fullmatch(r"-?\d+", token):
        raise SyntaxProblem(token, f"expected an integer, found {token!s}")
    if len(token.lstrip("-")) > MAX_DIGITS:
        raise SyntaxProblem(token, f"an integer has at most {MAX_DIGITS} digits")
    return int(token)


def _string(token: Token) -> str:
    try:
        return str(json.loads(token))
    except ValueError as error:
        raise SyntaxProblem(token, f"not a string: {error}") from None


@cache
def _lark() -> Lark:
    grammar = resources.files("burngraph.ir.text").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", transformer=_Tree(), maybe_placeholders=False)


_VALUE_STARTS = {"NUMBER", "STRING", "LSQB", "GRAPH_NAME"}
_PHRASES = {
    "VALUE": "%name",
    "GRAPH_NAME": "@name",
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a string",
    "GRAPH": "'graph'",
    "RETURN": "'return'",
    "COLON": "':'",
    "COMMA": "','",
    "EQUAL": "'='",
    "LPAR": "'('",
    "RPAR": "')'",
    "LSQB": "'['",
    "RSQB": "']'",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "__ANON_0": "'->'",
    "$END": "the end of the text",
}


def read_syntax(text: str, filename: str) -> list[GraphText]:
    """The syntax tree of `text`. Raises ParseError at the first character or token that fits no rule."""
    try:
        return _lark().parse(text)  # type: ignore[return-value]
    except SyntaxProblem as problem:
        raise error_at(text, filename, problem.token, problem.message) from None
    except VisitError as error:
        if not isinstance(error.orig_exc, SyntaxProblem):
            raise
        raise error_at(text, filename, error.orig_exc.token, error.orig_exc.message) from None
    except UnexpectedInput as error:
        raise _unexpected(text, filename, error) from None


def _unexpected(text: str, filename: str, error: UnexpectedInput) -> ParseError:
    found, at_end = "", False
    expected: set[str] = set()
    if isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        at_end = error.token.type == "$END"
        found = "the end of the text" if at_end else str(error.token)
    elif isinstance(error, UnexpectedCharacters):
        expected, found = set(error.allowed or ()), repr(text[error.pos_in_stream or 0])
    elif isinstance(error, UnexpectedEOF):
        expected, at_end, found = set(error.expected), True, "the end of the text"
    line, column = (text.count("\n") + 1, len(text) - text.rfind("\n")) if at_end else (error.line, error.column)
    before = text.split("\n")[line - 1][: column - 1].rstrip() if line <= text.count("\n") + 1 else ""
    if expected >= _VALUE_STARTS:
        after = re.search(r"[\w.]*\s*[=\[,(]$", before)
        message = "expected a value such as [1,1]" + (f" after '{after[0]}'" if after else "")
    else:
        phrases = sorted(_PHRASES.get(name, name) for name in expected)
        listed = " or ".join([", ".join(phrases[:-1]), phrases[-1]]) if len(phrases) > 1 else "".join(phrases)
        message = f"expected {listed}, found {found}"
    return located(text, filename, line, column, message)


def error_at(text: str, filename: str, token: Token, message: str, *details: str) -> ParseError:
    return located(text, filename, token.line or 1, token.column or 1, message, *details)


def located(text: str, filename: str, line: int, column: int, message: str, *details: str) -> ParseError:
    """file:line:column, the message, the line of text, and a caret under the column."""
    source = text.split("\n")[line - 1].rstrip("\r")
    pad = "".join("\t" if c == "\t" else " " for c in source[: column - 1])
    return ParseError(f"{filename}:{line}:{column}: {message}", source, pad + "^", *details)
