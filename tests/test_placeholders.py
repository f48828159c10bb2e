"""Nothing in the package waits to be written."""

import ast
import re
from pathlib import Path

import burngraph

MARKERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\bplaceholder\b|not implemented", re.IGNORECASE)
FILES = sorted(Path(burngraph.__file__).parent.rglob("*.py"))


def test_no_marker_is_left() -> None:
    assert len(FILES) > 100
    found = [
        f"{file.name}:{number}: {line.strip()}"
        for file in FILES
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if MARKERS.search(line)
    ]
    assert found == []


def test_nothing_raises_not_implemented() -> None:
    for file in FILES:
        names = {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
        assert "NotImplementedError" not in names, file


def test_no_error_is_swallowed_whole() -> None:
    """A handler of every exception hides bugs; the command line has the one, which raises again what it cannot explain."""
    found = [
        file.name
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or "Exception" in ast.unparse(node.type).split("."))
    ]
    assert found == ["__init__.py"]
