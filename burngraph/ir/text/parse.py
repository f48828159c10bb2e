"""Text to graphs: names are looked up, attributes fitted to their op's fields, types inferred and compared."""

import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from lark import Token

import burngraph.ir.ops as _all_ops
from burngraph.errors import BurngraphError, InputError, ParseError
from burngraph.ir.builder import infer_types
from burngraph.ir.collector import collector_paused
from burngraph.ir.graph import Graph, Node, ParamKind, Source
from burngraph.ir.op import OPS, Op, attribute_names, check_operand_count
from burngraph.ir.ops.constant import Weight
from burngraph.ir.text import syntax
from burngraph.ir.types import DTYPES, DType, TensorType, as_dtype
from burngraph.ir.value import Value
from burngraph.ir.verify import verify_kinds

assert _all_ops, "imported so that OPS is filled"

MAX_NODES = 10_000_000
_KINDS = {kind.value: kind for kind in ParamKind}
# What an op may raise on attributes that its own rules did not foresee; text from strangers must not get further.
_UNFORESEEN = (ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, TypeError, ValueError)


def parse(text: str, filename: str = "<text>", weights: Mapping[str, Any] | None = None) -> Graph:
    """The last graph in `text`; earlier ones are those it names by @name.

    filename   stands in messages and as the source of each node
    weights    arrays by key; those that `weight` ops name become their data

    Raises     ParseError   the text breaks a rule of the grammar, of an op, or of graphs
    """
    if not isinstance(text, str):
        raise ParseError(f"parse takes IR text, not {text!r:.80}")
    reader = _Reader(text, filename, weights or {})
    with collector_paused():
        for each in syntax.read_syntax(text, filename):
            name = str(each.token)
            if name in reader.graphs:
                reader.fail(each.token, f"graph {name} is defined twice")
            reader.graphs[name] = reader.graph(each)
    return reader.graphs[name]


class _Reader:
    def __init__(self, text: str, filename: str, weights: Mapping[str, Any]) -> None:
        self.text = text
        self.filename = filename
        self.weights = weights
        self.graphs: dict[str, Graph] = {}
        self.types: dict[tuple[str, tuple[int, ...]], TensorType] = {}
        # Of each graph by its id, what it names included: how deep lists and graphs are nested, and its nodes counted per use.
        self.depths: dict[int, int] = {}
        self.sizes: dict[int, int] = {}

    def fail(self, token: Token, message: str, *details: str) -> NoReturn:
        raise syntax.error_at(self.text, self.filename, token, message, *details)

    def tensor_type(self, type_text: syntax.TypeText) -> TensorType:
        key = (str(type_text.token), type_text.dims)
        if key not in self.types:
            if key[0] not in DTYPES:
                self.fail(type_text.token, f"no dtype {key[0]!r}{_close_match(key[0], DTYPES)}")
            self.types[key] = TensorType(DTYPES[key[0]], type_text.dims)
        return self.types[key]

    def graph(self, tree: syntax.GraphText) -> Graph:
        scope: dict[str, Value] = {}
        kinds: list[ParamKind] = []
        for param in tree.params:
            kinds.append(self.kind(param))
            self.define(scope, param.token, Value(self.tensor_type(param.type), _name(param.token)))
            if param.key is not None:
                scope[str(param.token)].name = param.key
        params = list(scope.values())
        nodes = [self.node(scope, statement) for statement in tree.statements]
        results = [self.value(scope, token) for token in tree.results]
        graph = Graph(str(tree.token)[1:], params, nodes, results, kinds)
        self.bound(graph, tree.token)
        declared = tuple(map(self.tensor_type, tree.result_types))
        if graph.result_types != declared:
            self.fail(tree.return_token, f"{tree.token!s} returns {_listed(graph.result_types)}, declared {_listed(declared)}")
        try:
            verify_kinds(graph)
        except BurngraphError as error:
            self.fail(tree.token, error.headline)
        return graph

    def bound(self, graph: Graph, token: Token) -> None:
        """A graph given by name is short to read, but not to print, to run or to inline."""
        attributes = (getattr(node.op, name) for node in graph.nodes for name in attribute_names(type(node.op)))
        depth = 1 + max(map(self.depth, attributes), default=0)
        if depth > syntax.MAX_NESTING:
            self.fail(token, syntax.TOO_DEEP)
        size = len(graph.nodes) + sum(self.sizes[id(each)] for node in graph.nodes for each in node.op.graphs())
        if size > MAX_NODES:
            self.fail(token, f"more than {MAX_NODES} ops, counting those of a nested graph for each use")
        self.depths[id(graph)], self.sizes[id(graph)] = depth, size

    def depth(self, attribute: Any) -> int:
        if isinstance(attribute, tuple):
            return 1 + max(map(self.depth, attribute), default=0)
        return self.depths[id(attribute)] if isinstance(attribute, Graph) else 0

    def kind(self, param: syntax.Param) -> ParamKind:
        if param.kind is None:
            return ParamKind.DATA
        if param.kind not in _KINDS:
            self.fail(param.kind, f"no parameter kind {param.kind!s}; there are {', '.join(_KINDS)}")
        kind = _KINDS[param.kind]
        if param.key_word is not None and (param.key_word != "key" or kind is not ParamKind.WEIGHT):
            self.fail(param.key_word, 'only a weight takes something in parentheses, and only key="..."')
        return kind

    def define(self, scope: dict[str, Value], token: Token, value: Value) -> None:
        if token in scope:
            self.fail(token, f"{token!s} is defined twice")
        scope[str(token)] = value

    def value(self, scope: dict[str, Value], token: Token) -> Value:
        found = scope.get(token)
        if found is None:
            self.fail(token, f"{token!s} is not defined before this{_close_match(token, scope)}")
        return found

    def node(self, scope: dict[str, Value], statement: syntax.Statement) -> Node:
        token = statement.call.op
        op_class = OPS.get(token)
        if op_class is None:
            way_out = "for an op of your own, first import the module that registers it"
            self.fail(token, f"no op {str(token)!r}{_close_match(token, OPS)}", way_out)
        declared = tuple(map(self.tensor_type, statement.types))
        if len(declared) != len(statement.results):
            self.fail(statement.results[0], f"{len(statement.results)} results but {len(declared)} types")
        operands: list[Value | None] = []
        attributes: dict[str, Any] = {}
        for argument in statement.call.arguments:
            if argument.value is not None:
                self.attribute(op_class, argument.token, argument.value, attributes)
            elif attributes:
                self.fail(argument.token, "operands come before attributes")
            else:
                operands.append(None if argument.token == "none" else self.value(scope, argument.token))
        try:
            op = self.op(op_class, token, attributes, declared)
            check_operand_count(op, operands)
            inferred = infer_types(op, [None if v is None else v.type for v in operands])
        except ParseError:
            raise
        except BurngraphError as error:
            self.fail(token, error.headline, *error.details)
        except _UNFORESEEN as error:
            self.fail(token, f"{token!s}: attributes and operands do not fit: {error}")
        if inferred != declared:
            at = statement.results[0] if statement.results else token
            self.fail(at, f"{token!s} gives {_listed(inferred)}, declared {_listed(declared)}")
        results = tuple(Value(t, _name(r)) for r, t in zip(statement.results, inferred, strict=True))
        for result, value in zip(statement.results, results, strict=True):
            self.define(scope, result, value)
        return Node(op, tuple(operands), results, Source(self.filename, token.line or 1))

    def op(self, op_class: type[Op], token: Token, attributes: dict[str, Any], declared: tuple[TensorType, ...]) -> Op:
        fields = attribute_names(op_class)
        if "type" in fields and _annotations(op_class)["type"] is TensorType and declared:
            attributes.setdefault("type", declared[0])
        missing = [name for name in _required(op_class) if name not in attributes]
        if missing:
            self.fail(token, f"{token!s} needs {', '.join(missing)}", f"attributes: {', '.join(fields)}")
        key = attributes.get("key")
        if op_class is Weight and isinstance(key, str) and key in self.weights:
            attributes["data"] = _weight_data(key, self.weights[key], attributes["type"])
        return op_class(**attributes)

    def attribute(self, op_class: type[Op], token: Token, value: syntax.ValueText, attributes: dict[str, Any]) -> None:
        name = str(token)
        allowed = [n for n in attribute_names(op_class) if _annotations(op_class)[n] is not TensorType or n != "type"]
        if name not in allowed:
            has = f"attributes: {', '.join(allowed)}" if allowed else "it has no attributes"
            self.fail(token, f"{op_class.name} has no attribute {name!r}{_close_match(name, allowed)}", has)
        if name in attributes:
            self.fail(token, f"attribute {name} is given twice")
        found = self.attribute_value(value)
        annotation = _annotations(op_class)[name]
        if not _fits(found, annotation):
            self.fail(value.token, f"{op_class.name}: {name} must be {_described(annotation)}")
        attributes[name] = found

    def attribute_value(self, value: syntax.ValueText) -> Any:
        """Recursion is over nesting, which syntax.py has bounded."""
        match value:
            case syntax.Literal():
                return value.value
            case syntax.ListText():
                return tuple(map(self.attribute_value, value.items))
            case syntax.TypeText():
                return self.tensor_type(value)
            case syntax.GraphText():
                return self.graph(value)
            case syntax.Name():
                return self.named(value.token)

    def named(self, token: Token) -> Graph | DType:
        known: Mapping[str, Graph | DType] = self.graphs if token.startswith("@") else DTYPES
        if token not in known:
            what = "no graph" if token.startswith("@") else "expected a value such as [1,1], true or f32, found"
            self.fail(token, f"{what} {token!s}{_close_match(token, known)}")
        return known[token]


def _weight_data(key: str, data: Any, type: TensorType) -> Any:
    found = TensorType(as_dtype(data.dtype), tuple(data.shape))
    if found != type:
        raise InputError(f"weight {key!r} is {type} in the text, but the array given for it is {found}")
    return data


_HINTS: dict[type[Op], dict[str, Any]] = {}


def _annotations(op_class: type[Op]) -> dict[str, Any]:
    if op_class not in _HINTS:
        hints = typing.get_type_hints(op_class)
        _HINTS[op_class] = {name: hints[name] for name in attribute_names(op_class)}
    return _HINTS[op_class]


def _required(op_class: type[Op]) -> tuple[str, ...]:
    # A dataclass keeps a field's default as the class attribute; no field here has a default_factory.
    return tuple(name for name in attribute_names(op_class) if not hasattr(op_class, name))


def _fits(value: Any, annotation: Any) -> bool:
    """Whether `value` is of the annotated type; bool is no int here, and an int will do for a float."""
    if annotation is Any:
        return True
    if annotation is None or annotation is types.NoneType:
        return value is None
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in args)
    if origin is typing.Literal:
        return any(type(value) is type(option) and value == option for option in args)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(args) == 2 and args[1] is Ellipsis:
            return all(_fits(item, args[0]) for item in value)
        return len(value) == len(args) and all(map(_fits, value, args))
    if annotation is tuple:
        return isinstance(value, tuple)
    return type(value) is annotation or (annotation is float and type(value) is int)


def _described(annotation: Any) -> str:
    """An annotation in the words of the text."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_described, args))
    if origin is typing.Literal:
        return " or ".join(map(repr, args))
    if origin is tuple and args[-1:] == (Ellipsis,):
        return f"a list of {_described(args[0])}"
    if origin is tuple:
        return "[" + ", ".join(map(_described, args)) + "]"
    names = {int: "int", float: "float", bool: "true or false", str: "string", DType: "dtype", Graph: "graph"}
    return "none" if annotation is types.NoneType else names.get(annotation, getattr(annotation, "__name__", "a value"))


def _name(token: Token) -> str | None:
    """The name in %name; a number is no name."""
    return None if token[1].isdigit() else str(token)[1:]


def _close_match(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _listed(of_types: tuple[TensorType, ...]) -> str:
    return str(of_types[0]) if len(of_types) == 1 else "(" + ", ".join(map(str, of_types)) + ")"
