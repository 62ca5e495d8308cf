"""What is wrong with the arguments of a command is said before a script runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graphc import proto
from graphc.cli import COMMANDS, main
from graphc.commands.passes import page
from graphc.passes.pipeline import PASSES

SCRIPT = """
import pathlib
import graphc as tf
pathlib.Path(__file__).with_name("ran").touch()
x = tf.placeholder(tf.float32, [None])
with tf.Session() as sess:
    sess.run(tf.exp(x), {x: [1.0]})
"""

#: Arguments (S: the script, D: its folder, F: a file in it) → what the error says.
WRONG: dict[str, str] = {
    "dump --stage nope S": "unknown stage 'nope'; there are: graph, pure, sizes",
    "dump --stage pure,asm.2 S": "unknown stage 'asm.2'",
    "dump --stage simplify.x S": "unknown stage 'simplify.x'",
    "dump --stage pure, S": "unknown stage ''",
    "dump --stage asm --format json.x S": "argument --format: invalid choice",
    "dump --stage asm --format dot S": "stage 'asm' has no form 'dot': only graphs have",
    "dump --stage pure,plan --format python S": "stage 'plan' has no form 'python'",
    "dump --stage everything --format dot S": "stage 'everything' has no form 'dot'",
    "dump --run -2 S": "--run takes a number from 0, or -1",
    "dump --run x S": "argument --run: invalid int value",
    "dump --out F/x S": "cannot write to ",
    "dump --out F S": "cannot write to ",
    "dump --fetch y S": "--fetch is for saved graphs",
    "dump --level 1 S": "--level and --passes are for graphs",
    "dump D/none.py": "there is no file",
    "explain --line x S": "--line takes a number",
    "explain --line 99 S": "has the lines 1 to 7, not 99",
    "explain --line 0 S": "has the lines 1 to 7, not 0",
    "explain --line S:99 S": "has the lines 1 to 7, not 99",
    "explain --line 3 --tensor y S": "give --line or --tensor, not both",
    "explain --run -7 S": "--run takes a number from 0, or -1",
    "explain D/none.py --line 3": "there is no file",
    "report --out D S": "it is a folder",
    "report --out D/none/x.html S": "there is no folder",
    "report --out F/x.html S": "there is no folder",
    "report --runs -1 S": "--runs takes a number from 0, not -1",
    "report --run -3 S": "--run takes a number from 0, or -1",
    "bisect --out D S": "it is a folder",
    "bisect --out D/none/x.py S": "there is no folder",
    "bisect D/none.py": "there is no file",
    "step D/none.py": "there is no file",
    "opt --out D/none/x G": "there is no folder",
    "opt --passes nope G": "unknown pass 'nope'; there are",
    "opt --passes fold:REASSOC G": "pass 'fold' has no options",
    "opt --passes simplify:FAST G": "unknown licence 'FAST'",
    "bench --workloads nope": "unknown workload 'nope'",
    "bench --backends nope": "nope",
    "bench --rounds 0": "--rounds takes a number above 0, not 0",
    "bench --seconds -1": "--seconds takes a number above 0",
    "bench --threads 0": "--threads takes a number above 0",
    "bench --python graphc=D/none": "there is no such program",
    "bench --history F/x": "File exists",
    "bench --picture D": "it cannot be written to",
    "run D/none.py": "none.py",
    "ops nope": "nope",
    "rules --needs FAST": "there is no licence 'FAST'",
    "passes nope": "nope",
}


def test_every_command_is_tried() -> None:
    assert {a.split()[0] for a in WRONG} == set(COMMANDS)


@pytest.mark.parametrize("arguments", WRONG)
def test_before(arguments: str, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"S": "script.py", "F": "file", "D": ".", "G": "graph.gc"}
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "file").touch()
    (tmp_path / "graph.gc").write_text(
        "graph main() {\n  %x = input {index=0} : f32[]\n  return %x\n}\n"
    )
    given = [
        "/".join(places.get(part, part) for part in w.split("/")) if ":" not in w or w[0] != "S"
        else w.replace("S", "script.py")
        for w in arguments.split()
    ]  # fmt: skip
    try:
        status = main(given)
    except SystemExit as e:
        status = int(e.code or 0)
    out, err = capsys.readouterr()
    assert status != 0
    assert WRONG[arguments] in err
    assert out == ""
    assert not (tmp_path / "ran").exists()


def test_stages_of_a_scripts_own_passes(tmp_path: Path) -> None:
    """A word that the script has may be a pass that it makes."""
    path = tmp_path / "script.py"
    own = "tf.extend.graph_pass(lambda g: g, name='halved')\n"
    config = "tf.Session(config=tf.ConfigProto(graphc_passes='sizes,halved,expand,sizes,fuse'))"
    path.write_text(SCRIPT.replace("tf.Session()", config).replace("x = ", own + "x = ", 1))
    done = subprocess.run(
        [sys.executable, "-m", "graphc", "dump", "--stage", "halved", str(path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "_kernels: halved\ngraph main" in done.stdout


#: Arguments of ``dump`` (S: the script) → what the script is given, and the stages shown.
BEHIND: dict[str, tuple[list[str], set[str]]] = {
    "S --stage plan": ([], {"plan"}),
    "S --stage=plan --run -1 3 --run 7": (["3", "--run", "7"], {"plan"}),
    "--stage plan S --stage pure": (["--stage", "pure"], {"plan"}),
    "--stage plan S --steps 3 --run 7": (["--steps", "3", "--run", "7"], {"plan"}),
    "--stage plan S -- --run 7": (["--run", "7"], {"plan"}),
    "S --stage pure,plan -- --run 7": (["--run", "7"], {"pure", "plan"}),
    "--stage plan S a -- b": (["a", "--", "b"], {"plan"}),
}


@pytest.mark.parametrize("given", BEHIND)
def test_options_behind_the_script(given: str, tmp_path: Path, capsys: Any) -> None:
    """Those directly behind it are the command's, all others the script's."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT + "import sys; print('given', sys.argv[1:])\n")
    assert main(["dump", *(str(path) if w == "S" else w for w in given.split())]) == 0
    out, err = capsys.readouterr()
    want, stages = BEHIND[given]
    assert err == ""
    assert f"given {want}\n" in out
    assert {s.split(": ")[1] for s in out.splitlines() if s.startswith("# ==== ")} == stages


@pytest.mark.parametrize("given", ["S --stage", "S --run"])
def test_options_behind_the_script_without_a_value(given: str, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    with pytest.raises(SystemExit):
        main(["dump", *(str(path) if w == "S" else w for w in given.split())])
    option = given.split()[1]
    assert f"argument {option}: expected one argument" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()


#: Compiled are: variables (a kernel each), what is wanted, and something small.
LONG = "y = tf.tanh(y) * 2.0 - tf.sin(y)"
SIZES = {
    "a chain in one kernel": f"y = x\nfor _ in range(20): {LONG}",
    "a loop": f"def body(y):\n    for _ in range(20): {LONG}\n    return y + 50.0\n"
              "y = tf.while_loop(lambda y: y < 9.0, body, [x])",
}  # fmt: skip


@pytest.mark.parametrize("wanted", SIZES)
def test_the_largest_run_has_the_most_operations(wanted: str, tmp_path: Path, capsys: Any) -> None:
    """Not the most kernels: an initialiser has one for each variable."""
    path = tmp_path / "script.py"
    path.write_text(
        "import graphc as tf\n"
        "tf.reset_default_graph()\n"
        "x = tf.placeholder(tf.float32, [], name='x')\n"
        "vs = [tf.Variable(tf.random_uniform([])) for _ in range(4)]\n"
        f"{SIZES[wanted]}\n"
        "with tf.Session() as sess:\n"
        "    sess.run(tf.global_variables_initializer())\n"
        "    sess.run(tf.identity(y, 'wanted'), {x: 1.0})\n"
        "    sess.run(tf.exp(x), {x: 1.0})\n"
    )
    assert main(["dump", "--run", "-1", "--stage", "graph", str(path)]) == 0
    assert "wanted" in capsys.readouterr().out.splitlines()[0]


def test_what_a_saved_graph_needs(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    """Where protocol buffers are not installed, one line says what to install."""
    (tmp_path / "graph.meta").write_bytes(b"")
    proto.message.cache_clear()  # what other tests asked for
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.meta_graph_pb2", None)
    assert main(["dump", str(tmp_path / "graph.meta")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("graphc: cannot read ")
    assert err.endswith("pip install 'graphc[tensorboard]'\n")
    assert err.count("tensorboard package") == err.count("\n") == 1


@pytest.mark.parametrize("name", PASSES)
def test_pages_of_passes_end_no_line_with_blanks(name: str) -> None:
    lines = page(name).splitlines()
    assert lines[0] == name
    assert lines == [line.rstrip() for line in lines]
