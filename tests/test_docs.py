"""Every Python code block in the documentation runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [(path, match[1]) for path in PAGES for match in BLOCK.finditer(path.read_text())]


def test_the_readme_has_an_example():
    assert any(path.name == "README.md" for path, _ in BLOCKS)


@pytest.mark.parametrize(("path", "code"), BLOCKS, ids=[f"{path.name}-{i}" for i, (path, _) in enumerate(BLOCKS)])
def test_block_runs(path, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(path), "exec"), {"__name__": "__main__"})
