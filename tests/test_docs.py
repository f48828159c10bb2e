"""Every Python code block in the documentation runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [(path, match[1]) for path in PAGES for match in BLOCK.finditer(path.read_text())]


def test_the_readme_has_an_example():
    assert any(path.name == "README.md" for path, _ in BLOCKS)


@pytest.mark.parametrize(("path", "code"), BLOCKS, ids=[f"{path.name}-{i}" for i, (path, _) in enumerate(BLOCKS)])
def test_block_runs(path, code, tmp_path):
    """In a process of its own: blocks may register ops, which is for ever."""
    (tmp_path / "block.py").write_text(code)
    command = [sys.executable, "-W", "error", "block.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
