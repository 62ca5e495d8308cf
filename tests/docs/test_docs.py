"""The documentation: examples of docstrings and pages run, every op has one, the site builds."""

from __future__ import annotations

import contextlib
import doctest
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
FOLDERS = {"graphc": ROOT / "graphc", "graphc.passes": ROOT / "passes",
           "graphc.runtime": ROOT / "runtime"}  # fmt: skip
sys.path.insert(0, str(DOCS))
live: Any = importlib.import_module("live")


def with_examples() -> Iterator[str]:
    """Modules whose docstrings hold examples."""
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            if package == "graphc" and parts[0] in ("passes", "runtime"):
                continue
            if ">>> " in path.read_text(encoding="utf-8"):
                yield ".".join([package, *(p for p in parts if p != "__init__")])


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A graph and a folder of its own; what examples enter in tables is taken out."""
    monkeypatch.chdir(tmp_path)
    tf.reset_default_graph()
    yield
    tf.extend.forget()
    tf.reset_default_graph()


@pytest.mark.parametrize("name", list(with_examples()))
def test_docstrings(name: str) -> None:
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    found: list[str] = []
    for example in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        tf.reset_default_graph()
        with np.printoptions():
            runner.run(example, out=found.append)
    assert not runner.failures, "".join(found)


# ------------------------------------------------------------------------- pages

PAGES = sorted(p.stem for p in DOCS.glob("*.md"))


def run_page(name: str, kinds: set[str]) -> None:
    page = live.Page(ROOT / "tests" / "see" / "users")
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    with contextlib.closing(page):
        for block in live.blocks(text):
            if block.kind in kinds:
                try:
                    page.run(block)
                except Exception as e:
                    raise AssertionError(f"docs/{name}.md, line {block.line}: {e}") from e


@pytest.mark.parametrize("name", PAGES)
def test_pages(name: str) -> None:
    run_page(name, {"run", "file"})


def test_blocks(tmp_path: Path) -> None:
    text = "# A\n\n```{run}\nx = 3\n```\n\n```{file} a b.txt\nhello\n```\n\n```python\nno\n```\n"
    found = list(live.blocks(text))
    assert [(b.kind, b.argument, b.code, b.line) for b in found] == [
        ("run", "", "x = 3\n", 3), ("file", "a b.txt", "hello\n", 7),
    ]  # fmt: skip
    read = "with open('a b.txt') as f:\n    print({}f.read())\n"
    with contextlib.closing(live.Page(tmp_path)) as page:
        for b in found:
            assert page.run(b) == ""
        assert page.run(live.Block("run", "", read.format("x, "), 1)) == "3 hello\n\n"
        (Path(page.folder.name) / "read.py").write_text(read.format(""), encoding="utf-8")
        shell = live.Block("shell", "", "python read.py", 1)
        assert page.run(shell) == "hello\n\n"
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            page.run(shell._replace(code="python -c '1 / 0'"))
        with pytest.raises(ZeroDivisionError):
            page.run(live.Block("run", "", "1 / 0", 1))
    assert not Path(page.folder.name).exists()


# ------------------------------------------------------------------------- the reference


def test_every_op_has_an_example() -> None:
    """Each block of docs/examples.txt runs, and each op is in one of them at some stage."""
    ops = importlib.import_module("ops")
    found = ops.covered()  # raises for those without
    assert {"tanh", "matmul", "fused", "loop", "while", "array_set", "py_func"} <= set(found)
    assert "return" in found["tanh"].stages["pure"]
    assert found["fused"].ops["fused"] == "fuse"
    assert all(s.printed and s.code for s in found.values())
    reference = importlib.import_module("reference")
    names = ops.public_names()
    for name, r in ops.OPS.items():
        text = reference.op_page(r, found.get(name), names)
        assert f"# {name}\n" in text
        assert name in found or name in reference._NEVER_RUN
        assert "## Example" in text


def test_pages_of_the_reference(tmp_path: Path) -> None:
    """Every pass and, of the rules, some: all are tried when the site is built."""
    reference = importlib.import_module("reference")
    (tmp_path / "passes").mkdir()
    reference.write_passes(tmp_path / "passes")
    from graphc.passes.pipeline import PASSES

    assert {p.stem for p in (tmp_path / "passes").glob("*.md")} == {*PASSES, "index"}
    text = (tmp_path / "passes" / "fuse.md").read_text(encoding="utf-8")
    assert "fused %" in text.partition("after it")[2]
    rules = [(name, r) for name, table in reference.tables().items() for r in table]
    assert len(set(reference.slugs(rules).values())) == len(rules)
    for name, r in rules[:: len(rules) // 6]:
        assert "```" in reference.rule_page(name, r)
    assert "| `tf.nn` |" in reference.parity_table()


@pytest.mark.slow
def test_site(tmp_path: Path) -> None:
    for package in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(package)
    out = tmp_path / "site"
    command = [sys.executable, "-W", "ignore", str(DOCS / "build.py"), str(out)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "WARNING" not in done.stderr
    from graphc.ops.record import OPS

    ops = {p.stem for p in (out / "reference" / "ops").glob("*.html")}
    assert ops >= {*OPS, "index"}
    text = (out / "machine_code.html").read_text(encoding="utf-8")
    assert "vector" in text
    assert "kernel:" in text
    links = [p for p in out.rglob("*.html") if "TODO" in p.read_text(encoding="utf-8")]
    assert not links
