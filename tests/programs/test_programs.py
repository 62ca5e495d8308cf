"""Programs of TensorFlow 1 give what TensorFlow 1.15 gave (`record.py`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from recorded import compare, plain

import graphc as tf
from graphc import shim

HERE = Path(__file__).parent
PROGRAMS = sorted(p.stem for p in (HERE / "src").glob("*.py"))
FACTS = json.loads((HERE / "recorded.json").read_text())

#: Relative error that is allowed; training steps let rounding grow.
TOLERANCE = {"default": 2e-4}

#: Programs that run in processes of their own too, as users run them.
AS_SCRIPTS = ["linear_regression", "slim_net", "flags_main"]

#: Programs that do not agree yet, and why.
PENDING: dict[str, str] = {}


@pytest.fixture(autouse=True)
def imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``import tensorflow`` is graphc; files go to a folder of the test; the graph is fresh."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["program"])
    before = tf.logging.get_verbosity()
    shim.install()
    tf.reset_default_graph()
    yield
    shim.remove()
    tf.logging.set_verbosity(before)
    tf.reset_default_graph()


def check(name: str, found: Any) -> None:
    allowed = TOLERANCE.get(name, TOLERANCE["default"])
    wrong = compare(found, FACTS[name], allowed, "RESULT")
    assert not wrong, "\n".join(wrong[:12])


def marked(name: str) -> Any:
    reason = PENDING.get(name)
    return pytest.param(name, marks=[pytest.mark.xfail(reason=reason)] if reason else [])


@pytest.mark.parametrize("name", [marked(name) for name in PROGRAMS])
def test_program(name: str) -> None:
    path = HERE / "src" / f"{name}.py"
    source = path.read_text().replace("import tensorflow as tf\n", "import graphc as tf\n")
    scope: dict[str, Any] = {"__name__": "__main__", "__file__": str(path)}
    exec(compile(source, str(path), "exec"), scope)
    check(name, plain(scope["RESULT"]))


def test_pictures_that_cannot_be() -> None:
    for make, text in [
        (lambda: tf.image.resize_images(tf.zeros([2, 2]), [1, 1]), "3 or 4 dimensions"),
        (lambda: tf.image.resize_images(tf.zeros([2, 2, 1]), [1, 1, 1]), "2 elements"),
        (lambda: tf.image.crop_to_bounding_box(tf.zeros([4, 4, 1]), 2, 2, 3, 1), "height must be"),
        (lambda: tf.image.central_crop(tf.zeros([4, 4, 1]), 1.5), r"within \(0, 1\]"),
        (lambda: tf.image.random_contrast(tf.zeros([4, 4, 1]), 2.0, 1.0), "upper must be > lower"),
        (lambda: tf.image.rgb_to_hsv(tf.zeros([4, 4, 2])), "must have 3 channels"),
    ]:
        with pytest.raises(ValueError, match=text):
            make()
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match="Invalid PNG"):
        sess.run(tf.image.decode_png(b"no picture"))


@pytest.mark.parametrize("name", AS_SCRIPTS)
def test_script(name: str, tmp_path: Path) -> None:
    source = (HERE / "src" / f"{name}.py").read_text()
    ending = "import json\nfrom recorded import plain\nprint(json.dumps(plain(RESULT)))\n"
    (tmp_path / "program.py").write_text(source + ending)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "graphc", "run", "program.py"], cwd=tmp_path,
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    check(name, json.loads(done.stdout.splitlines()[-1]))


def test_every_program_is_recorded() -> None:
    assert set(PROGRAMS) == set(FACTS)
    assert len(PROGRAMS) >= 60
