"""Rooms import one way, and heavy third-party modules stay in the rooms that need them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent / "burngraph"
MAY_IMPORT = {
    "ir": {"ir", "errors"},
    "frontend": {"frontend", "ir", "errors"},
    "passes": {"passes", "ir", "errors"},
    "lower_mlx": {"lower_mlx", "ir", "errors"},
    "evaluator.py": {"frontend", "lower_mlx", "ir", "errors"},
    "program": {"program", "evaluator", "lower_mlx", "passes", "frontend", "ir", "errors"},
    "transforms.py": {"frontend", "passes", "ir", "errors"},
    "vectorize.py": {"transforms", "frontend", "passes", "ir", "errors"},
}
# Where a third-party module may be imported, as paths below burngraph/; the mlx list holds compile.py and above.
THIRD_PARTY = {
    "mlx": (
        "lower_mlx", "nn", "frontend/mlx", "evaluator.py", "program", "compile.py", "models", "cli", "bench",
        "__init__.py",
    ),
    "networkx": ("passes",),
    "torch": ("frontend/torch",),
    "onnx": ("frontend/onnx",),
}  # fmt: skip


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: use an absolute import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(part: str) -> list[Path]:
    return [ROOT / part] if part.endswith(".py") else sorted((ROOT / part).rglob("*.py"))


def test_rooms_import_one_way():
    for room, allowed in MAY_IMPORT.items():
        for path in filter(Path.exists, files(room)):
            extra = {name.split(".")[1] for name in imported(path) if name.startswith("burngraph.")} - allowed
            assert not extra, f"{path} imports {extra}; {room} may import only {sorted(allowed)}"


def test_third_party_modules_stay_in_their_rooms():
    for path in ROOT.rglob("*.py"):
        where = path.relative_to(ROOT).as_posix()
        for name in imported(path):
            rooms = THIRD_PARTY.get(name.split(".")[0])
            assert rooms is None or where.startswith(rooms), f"{path} imports {name}; allowed in {rooms}"
