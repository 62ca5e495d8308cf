"""What README.md shows of its first program is what comes out of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from graphc.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")


def shown(command: str) -> tuple[list[str], str]:
    """The arguments of a command of the page, and what stands behind it."""
    found = re.search(
        rf"```\npython -m graphc ({command} [^\n]*)\n```\n+```\n(.*?)\n```", README, re.S
    )
    assert found is not None
    return found[1].split(), found[2]


@pytest.mark.parametrize("command", ["dump", "explain"])
def test_of_the_first_program(command: str, tmp_path: Path) -> None:
    program = README.split("```python\n", 1)[1].split("```", 1)[0]
    (tmp_path / "line.py").write_text(program)
    arguments, text = shown(command)
    done = subprocess.run(
        [sys.executable, "-m", "graphc", *arguments], cwd=tmp_path, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    printed = re.search(r"it prints `(.*?)`", README)
    assert printed is not None
    value = float(done.stdout.splitlines()[0])
    assert value == pytest.approx(float(printed[1]), rel=1e-5)  # CPUs differ in last bits
    # of an explanation the page has a part
    for part in [text] if command == "dump" else text.split("\n\n"):
        assert part in done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_commands_there_are(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"python -m graphc (\w+)", text))
    assert named <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES)
def test_files_there_are(page: str) -> None:
    """Those written with their folder: others are beside what is named before them."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:graphc|passes|runtime|tests|docs|samples|benchmarks)/[\w./]+)`", text)
    assert named
    assert [n for n in named if not (ROOT / n).exists()] == []


def test_of_the_derivative(tmp_path: Path) -> None:
    """A comment says what a line prints."""
    (program,) = [p for p in re.findall(r"```python\n(.*?)```", README, re.S) if "tf.derive(" in p]
    (said,) = re.findall(r"# (.*)", program)
    (tmp_path / "line.py").write_text("import graphc as tf\n" + program)
    done = subprocess.run(
        [sys.executable, "line.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == said + "\n"
