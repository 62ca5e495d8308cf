"""The benchmark suite runs and says what it found; its numbers are not tested."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def suite(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import suite

    return suite


def bench(*args):
    command = [sys.executable, "-m", "graphc", "bench", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=FOLDER.parent)


def test_a_table_a_picture_and_a_history(tmp_path):
    pytest.importorskip("matplotlib")
    history, picture = tmp_path / "h.jsonl", tmp_path / "roofline.png"
    done = bench(
        "--workloads", "mlp_small_train,matmul_64", "--backends", "graphc", "--rounds", "2",
        "--seconds", "0.02", "--history", str(history), "--picture", str(picture),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| `")]
    assert [r.split("`")[1] for r in rows] == ["mlp_small_train", "matmul_64"]
    (line,) = history.read_text().splitlines()
    assert json.loads(line)["medians"]["matmul_64"]["graphc"] > 0
    assert picture.stat().st_size > 5000


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--workloads", "mpl_train"], "unknown workload 'mpl_train'; there are"),
        (["--backends", "theano"], "unknown backend 'theano'; there are"),
        (["--python", "jax"], "--python wants BACKEND=PATH"),
    ],
)
def test_words_it_does_not_know(args, message):
    done = bench(*args)
    assert done.returncode == 2
    assert message in done.stderr


def test_other_numbers_are_told(suite, capsys):
    results = {"softmax": {"graphc": [{"check": 1.0}], "jax": [{"check": 1.01}]}}
    assert suite.wrong(results)
    assert "graphc gave 1, jax 1.01" in capsys.readouterr().out
    assert not suite.wrong({"softmax": {"graphc": [{"check": 1.0}], "jax": [{"check": 1.0001}]}})


def test_every_workload_gives_finite_numbers(suite):
    from backends import BACKENDS
    from workloads import WORKLOADS

    import graphc as tf

    for name, w in WORKLOADS.items():
        if w.work.flops > 1e9:
            continue
        with tf.Graph().as_default():
            assert np.all(np.isfinite(BACKENDS["graphc"](1).run(w)())), name
