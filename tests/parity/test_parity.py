"""The list of names: what is there takes what TensorFlow takes, unless it is known not to."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
parity: Any = importlib.import_module("parity")

#: Name → how it differs (`parity.py --write`), and why it does.
KNOWN: dict[str, list[str]] = json.loads((HERE / "different.json").read_text())


def test_comparing() -> None:
    def ours(a: Any, b: int = 3, name: Any = None, **more: Any) -> None: ...

    assert not parity.difference("a, b=3, name=None", ours)
    assert parity.difference("b, a=3", ours) == "argument 0 is a, not b"
    assert parity.difference("a, b=4", ours) == "b is 3, not 4, by default"
    assert parity.difference("a=1, b=3", ours) == "a has no default"
    assert parity.difference("a, b=3, name=None, last=1", ours) == "no argument last"
    assert not parity.difference("a, b=..., *args", ours)
    assert parity.compare(["class", "a", {"go": "x"}, ["size"]], int).startswith("without go, size")


def test_the_data_is_whole() -> None:
    assert len(parity.FACTS) > 80
    assert sum(map(len, parity.FACTS.values())) > 2500
    assert parity.FACTS[""]["matmul"][1].startswith("a, b, transpose_a=False")


def test_the_list_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert parity.main(["gfile", "--absent", "--different"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split() == ["all", "15", "present", "0", "different", "0", "absent"]


def test_signatures() -> None:
    found = {
        f"{space}.{name}".lstrip("."): how
        for space, rows in parity.survey().items()
        for name, (what, how) in rows.items()
        if what == "different"
    }
    new = {name: how for name, how in found.items() if name not in KNOWN}
    assert not new, f"{new}\neither follow TensorFlow, or `python tests/parity/parity.py --write`"


def test_each_difference_has_a_reason() -> None:
    assert not [name for name, (_, why) in KNOWN.items() if len(why) < 20]
