"""``python -m graphc run`` and `graphc.shim`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphc import shim
from graphc.face.run import cells


def run(*args: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "graphc", "run", *map(str, args)], cwd=cwd, capture_output=True,
        text=True, check=False, timeout=300, env={**os.environ, **env},
    )  # fmt: skip


SCRIPT = """
import sys, pickle
import tensorflow as tf
import tensorflow.contrib.layers as layers
import tensorflow.compat.v1 as tf1
import tensorflow.python.ops.array_ops
from tensorflow.contrib import rnn, slim
from tensorflow.errors import OutOfRangeError
from tensorflow.examples.tutorials.mnist import input_data
from tensorflow.python.framework import ops
from tensorflow.python.framework.ops import reset_default_graph
from tensorflow.python.platform import gfile
from helper import other
import numpy as np

assert tf1 is tf is other and tf.Session is tf1.Session
assert tf.__version__.startswith("1.15")
assert layers is tf.contrib.layers and ops.Graph is tf.Graph
assert np.float is float and np.int(3) == 3


class Thing:
    pass


assert type(pickle.loads(pickle.dumps(Thing()))) is Thing
assert sys.modules["__main__"].Thing is Thing


def fail():
    raise ValueError("mine")


print(sys.argv, __name__, sys.path[0], tf.Session().run(tf.constant(2.0) * 3))
if sys.argv[1] == "fail":
    fail()
sys.exit({"exit": 7, "say": "bye"}.get(sys.argv[1]))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "helper.py").write_text("import tensorflow as other\n")
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.parametrize(("word", "status"), [("exit", 7), ("say", 1), ("well", 0)])
def test_script(script: Path, word: str, status: int) -> None:
    done = run("script.py", word, "--x=1", cwd=script.parent)
    assert done.returncode == status, done.stderr
    assert done.stdout == f"['script.py', '{word}', '--x=1'] __main__ {script.parent} 6.0\n"
    assert done.stderr == ("bye\n" if word == "say" else "")


def test_traceback_is_the_program_s(script: Path, tmp_path: Path) -> None:
    done = run(script, "fail", cwd=tmp_path.parent)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{script}", line 36, in <module>'
    assert lines[-1] == "ValueError: mine"
    assert "graphc" not in done.stderr.replace(str(tmp_path), "")


def test_module_code_and_folder(script: Path, tmp_path: Path) -> None:
    done = run("-m", "helper", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    code = "import tensorflow as tf, sys; print(tf.nn.relu.__name__, sys.argv)"
    assert run("-c", code, "a", "-b").stdout == "relu ['-c', 'a', '-b']\n"
    (tmp_path / "__main__.py").write_text("import helper; print(helper.other.__name__)")
    assert run(tmp_path).stdout == "graphc\n"


def test_command_line(tmp_path: Path) -> None:
    assert run("--help").stdout.startswith("usage: python -m graphc run")
    assert run().returncode == 2
    for args, text in [
        (["nowhere.py"], "graphc: cannot open 'nowhere.py': No such file or directory\n"),
        (["-m"], "graphc: -m needs a module behind it\n"),
        (["--nope", "x.py"], "graphc: there is no option '--nope'"),
    ]:
        done = run(*args, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith(text)
    (tmp_path / "old.py").write_text("print 'hello'\n")
    done = run("old.py", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("graphc: this is a Python 2 program; 2to3 translates it\n")


def test_what_graphc_lacks_is_said() -> None:
    done = run("-c", "import tensorflow.contrib.nowhere")
    assert "ModuleNotFoundError: graphc has no module 'tensorflow.contrib.nowhere'" in done.stderr
    done = run("-c", "import tensorflow as tf; tf.LMDBReader")
    assert "AttributeError: graphc has no tf.LMDBReader yet" in done.stderr


NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "source": ["# title"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "!ls -la\n", "x = 5 % 3\n"]},
        {"cell_type": "code", "source": ["%%bash\n", "rm everything"]},
        {"cell_type": "code", "source": "%%time\nimport tensorflow as tf\nfiles = !ls\nlist?"},
        {
            "cell_type": "code",
            "source": "text = '''\n%kept\n'''\ny = (x\n  % 2)\nprint(x, y, text)",
        },
        {"cell_type": "code", "source": "get_ipython().run_line_magic('a', 'b'); display(files)"},
        {"cell_type": "code", "source": "import os\nprint(os.environ['MPLBACKEND'])\ntf.nope"},
    ]
}


def test_notebook(tmp_path: Path) -> None:
    (tmp_path / "book.ipynb").write_text(json.dumps(NOTEBOOK))
    done = run("book.ipynb", cwd=tmp_path, MPLBACKEND="Agg")
    assert done.stdout == "2 0 \n%kept\n\nNone\nAgg\n"
    assert done.returncode == 1
    assert 'File "book.ipynb, cell 6", line 3' in done.stderr
    assert "    tf.nope" in done.stderr
    (tmp_path / "book.ipynb").write_text("{")
    done = run("book.ipynb", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("graphc: 'book.ipynb' is not a notebook")


def test_cells_keep_their_lines() -> None:
    sheets = {"worksheets": [{"cells": [{"cell_type": "code", "input": ["%pylab\n", "a = 1"]}]}]}
    assert cells(json.dumps(sheets)) == ["pass\na = 1"]
    assert cells(json.dumps(NOTEBOOK))[0] == "pass\npass\nx = 5 % 3\n"
    assert cells(json.dumps(NOTEBOOK))[1] == ""


def test_install_and_remove() -> None:
    name = "tensorflow_for_this_test"
    with pytest.raises(ModuleNotFoundError):
        __import__(name)
    shim.install(name)
    shim.install(name)
    try:
        tf = __import__(name + ".nn")
        assert tf is sys.modules["graphc"]
        assert sys.modules[name + ".nn"] is tf.nn
        assert tf.__spec__.name == "graphc"
    finally:
        shim.remove(name)
    shim.remove(name)
    assert not [m for m in sys.modules if m.startswith(name)]
    with pytest.raises(ModuleNotFoundError):
        __import__(name)


def test_install_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_there", pytest)
    with pytest.raises(RuntimeError, match="tensorflow_there is imported already"):
        shim.install("tensorflow_there")


def test_tensorboard_in_the_same_process_does_not_take_it_for_tensorflow(tmp_path):
    pytest.importorskip("tensorboard")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, tensorflow as tf\n"
        "writer = tf.summary.FileWriter(sys.argv[1])\n"
        "writer.add_summary(tf.Summary(value=[tf.Summary.Value(tag='a', simple_value=2.0)]), 1)\n"
        "writer.close()\n"
        "from tensorboard.backend.event_processing import event_accumulator\n"
        "for _ in range(2):\n"
        "    found = event_accumulator.EventAccumulator(sys.argv[1]).Reload().Scalars('a')\n"
        "print([(s.step, s.value) for s in found])\n"
    )
    command = [sys.executable, "-m", "graphc", "run", str(script), str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "[(1, 2.0)]\n", done.stderr


MESSAGES = """
import numpy as np
import tensorflow as tf
from tensorflow.core.example import example_pb2, feature_pb2
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2, saver_pb2
from tensorflow.core.protobuf import tensorflow_server_pb2
import tensorflow.core.protobuf.config_pb2 as again
from tensorboard.compat.proto import config_pb2 as others

assert again is config_pb2 and config_pb2.ConfigProto is tf.ConfigProto
assert others.ConfigProto is not tf.ConfigProto
assert config_pb2.CallableOptions is others.CallableOptions
assert config_pb2.RunMetadata is tf.RunMetadata and graph_pb2.GraphDef is tf.GraphDef
assert example_pb2.Example is tf.train.Example and feature_pb2.Features is tf.train.Features
assert saver_pb2.SaverDef.V2 == 2 and tensorflow_server_pb2.ServerDef is tf.train.ServerDef
off = rewriter_config_pb2.RewriterConfig(constant_folding=rewriter_config_pb2.RewriterConfig.OFF)
options = config_pb2.GraphOptions(rewrite_options=off)
config = config_pb2.ConfigProto(graph_options=options, allow_soft_placement=True)
tf.Session(config=config).close()
try:
    from tensorflow.core.protobuf import nothing_pb2
except ImportError as e:
    print(type(e).__name__)
x = np.ones(2)
assert np.array(x, copy=False) is x and np.array(x, np.float32, copy=False).dtype == np.float32
assert np.array([1, 2], copy=False).tolist() == [1, 2] and np.array(x) is not x
"""


def test_messages_are_those_that_sessions_take(tmp_path):
    pytest.importorskip("tensorboard")
    (tmp_path / "script.py").write_text(MESSAGES)
    done = run("script.py", cwd=tmp_path)
    assert done.stdout == "ImportError\n", done.stderr
