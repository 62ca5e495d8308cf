"""`graphc.dump`, `graphc.optimize`, ``python -m graphc dump`` and ``GRAPHC_DUMP``."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.cli import COMMANDS, main
from graphc.commands import ops, rules
from graphc.face import dump
from graphc.ir.registry import OPS
from graphc.ir.text import parse_graph, parse_graphs, print_graph
from graphc.passes.pipeline import PASSES, pipeline
from graphc.runtime import listeners
from graphc.see.folders import title


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def small() -> Any:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.Variable(tf.ones([3, 2]), name="w")
    return x, w, tf.nn.relu(tf.matmul(x, w), name="y")


# ------------------------------------------------------------------- dump and optimize


def test_each_stage() -> None:
    *_, y = small()
    everything = tf.dump(y, stage="everything")
    found = [s[7:] for s in everything.splitlines() if s.startswith("# ---- ")]
    assert found[:3] == ["graph", "pure", "sizes"]
    assert found[-5:] == ["kernels", "plan", "llvm", "optimized", "asm"]
    for stage in found:
        text = tf.dump(y, stage=stage)
        assert text in everything
        if stage not in ("graph", "kernels", "plan", "llvm", "optimized", "asm"):
            parse_graph(text)
    assert "define" in tf.dump(y, stage="llvm")
    assert tf.dump(y) == everything[: everything.index("\n\n# ---- llvm")]
    assert tf.dump(y, stage=" pure , plan ").count("# ---- ") == 2


def test_the_recorded_graph() -> None:
    _, w, y = small()
    with tf.control_dependencies([w.initializer]):
        z = tf.transpose(y, [1, 0], name="z")
    text = tf.dump([z, w.initializer], stage="graph")
    assert "%x = placeholder : f32[?,3]  # " in text
    assert "%z = transpose %y, ^w/Assign {perm=[1, 0]} : f32[2,?]  # " in text
    assert '%w = variable {var="w"} : f32[3,2]' in text
    assert "test_cli.py:" in text


def test_wrong_stages_and_options() -> None:
    *_, y = small()
    with pytest.raises(ValueError, match="unknown stage 'nope'; there are: graph, pure, sizes"):
        tf.dump(y, stage="nope")
    with pytest.raises(ValueError, match="unknown stage ''"):
        tf.dump(y, stage="pure,")
    with pytest.raises(ValueError, match="nothing to show"):
        tf.dump([])
    with pytest.raises(ValueError, match="level must be 0, 1 or 2, not 3"):
        tf.dump(y, level=3)
    with pytest.raises(ValueError, match="level must be 0, 1 or 2, not 3"):
        tf.optimize(fetches=y, level=3)
    with pytest.raises(ValueError, match="level must be 0, 1 or 2, not 3"):
        tf.Session(config=tf.ConfigProto(graphc_level=3)).run(tf.constant(1.0))
    with pytest.raises(ValueError, match="unknown pass 'nope'"):
        tf.dump(y, passes="nope")
    with pytest.raises(ValueError, match="unknown pass 'nope'"):
        tf.optimize(fetches=y, off=["nope"])
    with pytest.raises(KeyError, match="nowhere"):
        tf.dump("nowhere:0")
    with pytest.raises(TypeError):
        tf.dump(3.0)


def test_nothing_runs() -> None:
    x, w, y = small()
    session = tf.Session()
    update = w.assign_add(tf.ones([3, 2]))
    tf.dump([y, update], session=session)
    with pytest.raises(tf.errors.FailedPreconditionError):
        session.run(w)
    session.run(w.initializer)
    tf.dump([y, update], {x: np.ones((4, 3))}, session)
    assert session.run(w).tolist() == [[1.0, 1.0]] * 3
    session.close()
    with pytest.raises(RuntimeError, match="closed Session"):
        tf.dump(y, session=session)


def test_variables_of_unknown_shape() -> None:
    x = tf.placeholder(tf.float32, [None])
    v = tf.Variable(x, name="v", validate_shape=False)
    y = v + 1.0
    with pytest.raises(tf.errors.FailedPreconditionError, match="'v' is not known before"):
        tf.dump(y)
    with tf.Session() as session:
        session.run(v.initializer, {x: [1.0, 2.0]})
        assert '%v = read {var="v"} : f32[2]' in tf.dump(y, session=session, stage="pure")


def test_unknown_sizes_are_told_apart_where_they_can_be() -> None:
    x = tf.placeholder(tf.float32, [None, None], name="x")
    y = tf.placeholder(tf.float32, [None, None], name="y")
    assert "f32[b,n]" in tf.dump(x * 2.0, stage="pure")
    assert "f32[b,n]" in tf.dump(x * y, stage="pure")
    assert "f32[b,b]" in tf.dump(tf.matmul(x, y), stage="pure")
    n = tf.placeholder(tf.int32, [2])
    tf.dump(tf.reshape(x, n))
    tf.dump(tf.reduce_sum(tf.gather(x, n)))


def test_unknown_ranks() -> None:
    x = tf.placeholder(tf.float32, name="x")
    assert "%x = placeholder : f32[?rank]" in tf.dump(x + 1.0)
    y = tf.matmul(x, tf.ones([3, 2]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="were guessed for x:0; pass a feed"):
        tf.dump(y)
    assert ": f32[b,2]" in tf.dump(y, {x: np.ones((7, 3))}, stage="pure")


def test_runs_in_parts() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    kept = tf.boolean_mask(x, x > 0.0, name="kept")
    total = tf.reduce_sum(kept * 2.0) + tf.reduce_sum(tf.unique(x)[0])
    text = tf.dump(total)
    assert text.count("# ==== part ") == 2
    assert text.startswith("# ==== part 1 of 2, before ")
    assert "\n# ==== part 2 of 2\n# ---- graph\n" in text
    for part in tf.dump(total, stage="fuse").split("\n\n"):
        parse_graph(part.split("\n", 1)[1])
    with pytest.raises(ValueError, match=r"has 2 parts \(part 1 of 2, before .*graphc\.dump"):
        tf.optimize(fetches=total)


@pytest.mark.parametrize("name", ["sizes", "expand", "fuse"])
def test_steps_of_lowering_cannot_be_off(name: str) -> None:
    x = tf.placeholder(tf.float32, [None])
    text = f"pass '{name}' cannot be switched off: it is a step of lowering"
    with pytest.raises(ValueError, match=text):
        tf.optimize(fetches=tf.exp(x), off=[name])
    with pytest.raises(ValueError, match=text):
        tf.dump(tf.exp(x), off=name)
    with pytest.raises(ValueError, match=text):
        tf.extend.passes(off=name)
    with pytest.raises(ValueError, match=text):
        tf.Session(config=tf.ConfigProto(graphc_passes_off=[name])).run(tf.constant(1.0))


def test_optimize() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    y = (x * 1.0 + 0.5) + tf.reduce_sum(tf.constant([1.0, 2.0]))
    ops = lambda g: [n.op.name for n in g.nodes()]  # noqa: E731
    assert ops(tf.optimize(fetches=y, passes="sizes")).count("multiply") == 1
    assert "multiply" not in ops(tf.optimize(fetches=y, passes=["sizes", "simplify"]))
    assert "fused" in ops(tf.optimize(tf.get_default_graph(), y))
    assert "multiply" in ops(tf.optimize(fetches=y, passes="sizes,simplify", off="simplify"))


# ------------------------------------------------------------------- the command

SCRIPT = """
import sys
import graphc as tf
print("arguments", sys.argv[1:])
x = tf.placeholder(tf.float32, [None], name="x")
with tf.Session() as session:
    session.run(tf.nn.relu(x) + 1.0, {x: [1.0, -2.0]})
    session.run(tf.nn.softmax(tf.exp(x) * [[1.0], [2.0]]), {x: [1.0, 2.0]})
"""


def command(folder: Path, *arguments: str, script: str = SCRIPT, **environment: str) -> Any:
    (folder / "script.py").write_text(script, encoding="utf-8")
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, text=True, capture_output=True, timeout=300,
        env={**os.environ, **environment},
    )  # fmt: skip


def run(folder: Path, capsys: Any, *arguments: str, script: str = SCRIPT) -> tuple[int, str, str]:
    """The command in this process: status, output, errors."""
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    argv, before, watching = sys.argv, list(sys.path), list(listeners.observers)
    status = main(["dump", *[str(path) if a == "SCRIPT" else a for a in arguments]])
    assert (sys.argv, sys.path, listeners.observers) == (argv, before, watching)
    out, err = capsys.readouterr()
    return status, out, err


def test_every_compilation_is_shown(tmp_path: Path, capsys: Any) -> None:
    status, out, err = run(tmp_path, capsys, "SCRIPT", "--", "--epochs", "1")
    assert (status, err) == (0, "")
    assert out.startswith("arguments ['--epochs', '1']\n# ==== 000_add_1_kernels: graph\n")
    titles = [s for s in out.splitlines() if s.startswith("# ==== ")]
    assert titles[0].endswith(": graph")
    assert any(s.startswith("# ==== 001_Softmax_") and s.endswith(": plan") for s in titles)
    assert not any("llvm" in s for s in titles)


def test_one_compilation(tmp_path: Path, capsys: Any) -> None:
    for number in ("0", "1", "-1"):
        status, out, _ = run(tmp_path, capsys, "--run", number, "--stage", "plan", "SCRIPT")
        assert status == 0
        assert out.count("# ==== ") == 1
    status, _, err = run(tmp_path, capsys, "--run", "2", "SCRIPT")
    assert (status, err) == (2, "graphc: there is no compilation 2: they are 0 to 1\n")
    status, _, err = run(tmp_path, capsys, "--run", "-2", "SCRIPT")
    assert status == 2
    assert "from 0, or -1" in err


def test_one_kernel(tmp_path: Path, capsys: Any) -> None:
    status, out, _ = run(tmp_path, capsys, "--stage", "kernels,asm", "SCRIPT")
    names = [
        s.split("(")[0].removeprefix("kernel ") for s in out.splitlines() if s[:7] == "kernel "
    ]
    assert status == 0
    assert len(set(names)) > 2
    only = ["--stage", "kernels,asm", "--kernel", names[-1]]
    status, mine, _ = run(tmp_path, capsys, *only, "SCRIPT")
    assert status == 0
    assert mine.count(f"kernel {names[-1]}") == 2  # loops, assembly
    assert names[0] not in mine
    status, out, err = run(tmp_path, capsys, "--kernel", "nope", "SCRIPT")
    assert status == 2
    assert err.startswith("graphc: no kernel is called 'nope'; there are: ")
    assert names[0] in err


def test_files(tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "a" / "b"
    status, _, _ = run(tmp_path, capsys, "--stage", "everything", "--out", str(out), "SCRIPT")
    assert status == 0
    first, second = sorted(p.name for p in out.iterdir())
    assert first.startswith("000_add_")
    assert second.startswith("001_Softmax_")
    files = sorted(p.name for p in (out / first).iterdir())
    assert files[:2] == ["00_graph.txt", "01_pure.gc"]
    assert [f.partition("_")[2] for f in files[-3:]] == ["llvm.ll", "optimized.ll", "asm.s"]
    parse_graph((out / first / "01_pure.gc").read_text())


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("")
    status, out, err = run(tmp_path, capsys, "--out", str(tmp_path / "file" / "x"), "SCRIPT")
    assert (status, out) == (2, "")
    assert err.startswith("graphc: cannot write to ")
    assert err.count("\n") == 1


def test_bad_scripts(tmp_path: Path, capsys: Any) -> None:
    assert run(tmp_path, capsys, str(tmp_path / "none.py"))[0] == 2
    status, _, err = run(tmp_path, capsys, "--stage", "nope", "SCRIPT")
    assert status == 2
    assert err.startswith("graphc: unknown stage 'nope'; there are: graph, pure")
    status, _, err = run(tmp_path, capsys, "SCRIPT", script="x = 1\n")
    assert (status, err) == (1, "graphc: the script compiled nothing\n")
    status, _, err = run(tmp_path, capsys, "SCRIPT", script="x = (\n")
    assert status == 1
    assert "SyntaxError" in err
    assert "runpy" not in err


def test_an_error_in_the_script(tmp_path: Path, capsys: Any) -> None:
    script = SCRIPT + "def f():\n    raise ValueError('boom')\nf()\n"
    status, out, err = run(tmp_path, capsys, "--stage", "pure", "SCRIPT", script=script)
    assert status == 1
    assert err.splitlines()[0] == "Traceback (most recent call last):"
    assert "in f\n" in err
    assert err.splitlines()[-1] == "ValueError: boom"
    assert "runpy" not in err
    assert "graphc/cli.py" not in err
    assert out.count("# ==== ") == 2


@pytest.mark.parametrize(
    ("end", "status"), [("sys.exit(3)", 3), ("sys.exit()", 0), ("sys.exit('so')", 1)]
)
def test_the_script_exits(tmp_path: Path, capsys: Any, end: str, status: int) -> None:
    got, out, err = run(tmp_path, capsys, "--stage", "pure", "SCRIPT", script=SCRIPT + end)
    assert got == status
    assert out.count("# ==== ") == 2
    assert err == ("so\n" if status == 1 else "")


def test_interrupted_after_the_script(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(dump, "kernels", stop)
    status, _, err = run(tmp_path, capsys, "--stage", "kernels", "SCRIPT")
    assert (status, err) == (130, "graphc: interrupted\n")


def test_interrupted(tmp_path: Path, capsys: Any) -> None:
    script = SCRIPT + "raise KeyboardInterrupt\n"
    status, out, err = run(tmp_path, capsys, "--stage", "pure", "SCRIPT", script=script)
    assert status == 130
    assert "interrupted" in err
    assert out.count("# ==== ") == 2


def test_help(capsys: Any) -> None:
    for name, command in COMMANDS.items():
        if name in ("bench", "run"):  # they read their arguments themselves
            continue
        with pytest.raises(SystemExit) as e:
            main([name, "--help"])
        assert e.value.code == 0
        out = capsys.readouterr().out
        assert f"examples:\n  python -m graphc {command.examples[0]}" in out
        assert out.startswith(f"usage: graphc {name} ")
    with pytest.raises(SystemExit) as e:
        main(["--help"])
    assert e.value.code == 0
    out = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert command.summary in out
        assert command.examples
        assert all(x.startswith(name + " ") or x == name for x in command.examples)
    with pytest.raises(SystemExit) as e:
        main([])
    assert e.value.code == 2
    assert "command" in capsys.readouterr().err


def test_as_a_process(tmp_path: Path) -> None:
    odd = tmp_path / 'a "é" folder'
    odd.mkdir()
    done = command(
        odd, "-m", "graphc", "dump", "--stage", "graph", "script.py", PYTHONIOENCODING="ascii"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "%x = placeholder : f32[?]  # script.py:5" in done.stdout


def test_graphc_dump(tmp_path: Path) -> None:
    for _ in range(2):
        done = command(tmp_path, "-W", "error", "script.py", GRAPHC_DUMP="out")
        assert (done.returncode, done.stderr) == (0, "")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["script", "script.2"]
    folder = tmp_path / "out" / "script"
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["000_add_1_kernels", "001_Softmax_2_kernels", "index.txt"]
    assert (folder / names[0] / "00_graph.txt").is_file()
    assert sorted(p.name for p in (folder / names[0]).iterdir())[-1].endswith("_plan.txt")
    index = (folder / "index.txt").read_text().splitlines()
    assert index[0] == "000_add_1_kernels: 4 nodes"
    assert index[1].startswith("    fetched add:0  ")
    assert index[1].endswith("script.py:7")
    assert index[2].startswith("001_Softmax_2_kernels: ")


def test_graphc_dump_of_what_fails(tmp_path: Path) -> None:
    script = SCRIPT + (
        "from graphc.passes import pipeline\n"
        "def broken(g): raise RuntimeError('planted')\n"
        "pipeline.register('broken', broken)\n"
        "config = tf.ConfigProto(graphc_passes='sizes,fold,broken,expand,fuse')\n"
        "try: tf.Session(config=config).run(tf.nn.relu(x, name='a/b'), {x: [1.0]})\n"
        "except RuntimeError as e: print(e)\n"
    )
    done = command(tmp_path, "-W", "error", "script.py", script=script, GRAPHC_DUMP="out")
    assert (done.returncode, done.stderr) == (0, "")
    assert "planted" in done.stdout
    folder = tmp_path / "out" / "script"
    names = [p.name for p in sorted(folder.iterdir())]
    assert names[2] == "002_a.b_failed"
    files = sorted(p.name for p in (folder / names[2]).iterdir())
    assert files == ["00_graph.txt", "01_pure.gc", "02_sizes.gc", "03_fold.gc", "error.txt"]
    assert "planted" in (folder / names[2] / "error.txt").read_text()
    assert "002_a.b_failed: 2 nodes, failed: RuntimeError" in (folder / "index.txt").read_text()


def test_graphc_dump_of_feeds_that_do_not_fit(tmp_path: Path) -> None:
    script = (
        "import graphc as tf\n"
        "x = tf.placeholder(tf.float32, None)\n"
        "tf.Session().run(tf.matmul(tf.exp(x), tf.ones([4, 2]), name='y'), {x: [[1.0] * 3]})\n"
    )
    done = command(tmp_path, "-W", "error", "script.py", script=script, GRAPHC_DUMP="out")
    assert done.returncode == 1
    assert "GRAPHC_DUMP" not in done.stderr
    folder = tmp_path / "out" / "script" / "000_y_failed"
    assert sorted(p.name for p in folder.iterdir()) == ["00_graph.txt", "error.txt"]
    assert "%Exp" in (folder / "00_graph.txt").read_text()
    assert "Matrix size-incompatible" in (folder / "error.txt").read_text()


def test_titles() -> None:
    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

    c: Any = types.SimpleNamespace(plan=None)
    for names, want in [
        (["a/b", "loss"], "007_a.b+loss_failed"), (["<é>", "x y"], "007____+x_y_failed"),
        (["n" * 80], "007_" + "n" * 60 + "+more_failed"), ([], "007_failed_failed"),
    ]:  # fmt: skip
        assert title(7, c, [Named(n) for n in names]) == want  # type: ignore[misc]


def test_graphc_dump_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command(tmp_path, "-W", "error", "script.py", GRAPHC_DUMP="file")
    assert done.returncode == 0
    assert done.stdout == "arguments []\n"
    assert done.stderr == "graphc: GRAPHC_DUMP: nothing more is written to 'file': File exists\n"


def test_graphc_dump_on_a_full_disk(tmp_path: Path) -> None:
    script = (
        "import errno, pathlib\n"
        "def full(self, *a, **k): raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "pathlib.Path.write_text = full\n"
    ) + SCRIPT
    done = command(tmp_path, "-W", "error", "script.py", script=script, GRAPHC_DUMP="out")
    assert (done.returncode, done.stdout) == (0, "arguments []\n")
    message = "graphc: GRAPHC_DUMP: nothing more is written to 'out': No space left on device\n"
    assert done.stderr == message


# ------------------------------------------------------------------- opt

TEXT = """# a comment
graph main(b) {
  %x = input {index=0} : f32[b,3]
  %c = constant {value=1.0} : f32[]
  %y = multiply %x, %c : f32[b,3]
  return %y
}
graph other() {
  %a = constant {value=[1, 2]} : i32[2]
  %s = add %a, %a : i32[2]
  return %s
}
"""


def opt(tmp_path: Path, capsys: Any, text: str, *arguments: str) -> tuple[int, str, str]:
    path = tmp_path / "g.gc"
    path.write_text(text, encoding="utf-8")
    status = main(["opt", *arguments, str(path)])
    out, err = capsys.readouterr()
    return status, out, err


def test_opt_applies_passes_to_each_graph(tmp_path: Path, capsys: Any) -> None:
    status, out, err = opt(tmp_path, capsys, TEXT, "--passes", "fold, simplify:REASSOC", "--verify")
    assert (status, err) == (0, "")
    first, second = parse_graphs(out)
    assert [n.op.name for n in first.nodes()] == ["input"]
    assert second.outputs[0].node.attrs["value"].tolist() == [2, 4]
    status, out, _ = opt(tmp_path, capsys, TEXT)
    assert out.strip() == TEXT.removeprefix("# a comment\n").strip()
    status, out, _ = opt(tmp_path, capsys, TEXT, "--level", "2", "--print-after-all")
    assert out.count("# ---- ") == 2 * len(pipeline(None, 2))
    assert "# multiply(x, 1): 1\n" in out
    assert len(parse_graphs(out)) == 2 * len(pipeline(None, 2))


def test_opt_reads_and_writes(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(TEXT))
    out = tmp_path / "out.gc"
    assert main(["opt", "--passes", "fold", "--out", str(out), "-"]) == 0
    assert capsys.readouterr().out == ""
    assert len(parse_graphs(out.read_text())) == 2


@pytest.mark.parametrize(
    ("change", "arguments", "status", "message"),
    [
        (("multiply", "multply"), [], 1, "line 5, column 8: unknown op 'multply'\n    %y = mul"),
        (("f32[b,3]\n  ret", "f32[b,4]\n  ret"), [], 1, "line 5, column 26: written as f32[b,4]"),
        (("return %y", "return %q"), [], 1, "line 6, column 10: %q is not defined"),
        (("graph other", "grph other"), [], 1, "line 8, column 1: expected 'graph', found 'grph'"),
        (("", ""), ["--passes", "nope"], 2, "unknown pass 'nope'; there are: sizes, fold"),
        (("", ""), ["--passes", "fold:X"], 2, "pass 'fold' has no options, got 'X'"),
        (("", ""), ["--passes", "simplify:X"], 2, "unknown licence 'X'; there are NO_SIGNED_ZERO"),
        (
            ("", ""),
            ["--out", "/nowhere/at/all"],
            2,
            "cannot write to '/nowhere/at/all': there is no folder",
        ),
    ],
)
def test_opt_errors(
    tmp_path: Path, capsys: Any, change: tuple[str, str], arguments: list[str], status: int,
    message: str,
) -> None:  # fmt: skip
    got, out, err = opt(tmp_path, capsys, TEXT.replace(*change), *arguments)
    assert (got, out) == (status, "")
    assert err.startswith("graphc: ")
    assert message in err
    assert "Traceback" not in err
    assert ("    ^" in err or "\n  ^" in err) == (status == 1)


def test_opt_names_a_pass_that_fails(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    def broken(g: Any) -> Any:
        raise IndexError("planted")

    monkeypatch.setitem(PASSES, "broken", broken)
    status, _, err = opt(tmp_path, capsys, TEXT, "--passes", "fold,broken")
    assert (status, err) == (1, "graphc: pass 'broken' failed on graph 'main': planted\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "graphc: argument command: invalid choice: 'nope'"),
        (["dump"], "graphc dump: the following arguments are required: script"),
        (["opt", "--level", "7", "x"], "graphc opt: argument --level: invalid choice:"),
        (["opt", "--nope", "x"], "graphc: unrecognized arguments: --nope"),
    ],
)
def test_misuse_is_one_line(capsys: Any, arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as e:
        main(arguments)
    assert e.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "message"),
    [("none.gc", "cannot read 'none.gc': No such file"), ("/", "cannot read '/': Is a directory")],
)
def test_files_that_cannot_be_read(capsys: Any, file: str, message: str) -> None:
    assert main(["opt", file]) == 2
    assert (
        capsys.readouterr().err
        == f"graphc: {message}{' or directory' if 'No' in message else ''}\n"
    )


def test_text_that_is_none(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "b.gc").write_bytes(b"\xff\xfe")
    assert main(["opt", str(tmp_path / "b.gc")]) == 2
    assert capsys.readouterr().err.endswith("b.gc is not text in UTF-8\n")
    (tmp_path / "b.gc").write_text("")
    assert main(["opt", str(tmp_path / "b.gc")]) == 1
    assert capsys.readouterr().err.endswith("b.gc has no graph\n")


def test_a_reader_who_leaves(tmp_path: Path) -> None:
    (tmp_path / "g.gc").write_text(TEXT * 3000)
    done = subprocess.run(
        [f"{sys.executable} -m graphc opt g.gc | head -1"], shell=True, cwd=tmp_path, text=True,
        capture_output=True, timeout=300,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("graph main(b) {\n", "")


# ------------------------------------------------------------------- dump of graphs


def dumped(capsys: Any, *arguments: str) -> tuple[int, str, str]:
    status = main(["dump", *arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_an_input_that_nothing_reads_prints_with_its_size() -> None:
    text = "graph main(b) {\n  %x = input {index=0} : f32[b]\n  return\n}"
    assert print_graph(parse_graph(text)) == text


def test_dump_of_text(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    path = tmp_path / "g.gc"
    path.write_text(TEXT)
    status, out, err = dumped(capsys, str(path))
    assert (status, err) == (0, "")
    titles = [s.split()[2] for s in out.splitlines() if s.startswith("# ==== ")]
    assert titles[0] == "000_main_1_kernels:"
    assert titles[-1] == "001_other_1_kernels:"
    status, out, _ = dumped(capsys, "--passes", "sizes,simplify,expand,fuse", "--stage", "simplify",
                            str(path))  # fmt: skip
    assert [n.op.name for n in parse_graphs(out)[0].nodes()] == ["input"]
    monkeypatch.setattr("sys.stdin", io.StringIO(TEXT))
    assert "0 call copy(x=feed x" in dumped(capsys, "--stage", "plan", "-")[1]
    status, out, err = dumped(capsys, str(path), "--steps", "3")
    assert (status, out) == (2, "")
    assert err == "graphc: a graph takes no arguments: '--steps 3' stands behind it\n"
    path.write_text(TEXT.replace("multiply", "multply"))
    status, out, err = dumped(capsys, str(path))
    assert (status, out) == (1, "")
    assert "g.gc: line 5, column 8: unknown op 'multply'" in err


def test_dump_to_assembly_and_back(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "g.gc"
    path.write_text(
        'graph main(b) {\n  %x = input {index=0} : f32[b,3]\n  %w = read {var="w"} : f32[3]\n'
        "  %y = multiply %x, %w : f32[b,3]\n  %t = tanh %y : f32[b,3]\n"
        '  update "w" = %w\n  return %t\n}\n'
    )
    status, out, err = dumped(capsys, "--stage", "plan,asm", str(path))
    assert (status, err) == (0, "")
    assert "call k0_" in out
    assert "; kernel k0_" in out
    for stage in ("pure", "fuse"):
        out = dumped(capsys, "--format", "python", "--stage", stage, str(path))[1]
        scope: dict[str, Any] = {}
        exec(out, scope)
        x, w = np.ones((2, 3), np.float32), np.float32([1, 2, 3])
        np.testing.assert_allclose(scope["main"](x, {"w": w})[0], np.tanh(x * w), rtol=1e-6)


@pytest.mark.parametrize("form", ["json", "dot", "python"])
def test_dump_of_a_script_in_other_forms(tmp_path: Path, capsys: Any, form: str) -> None:
    status, out, err = run(tmp_path, capsys, "--format", form, "--run", "0", "SCRIPT")
    assert (status, err) == (0, "")
    out = out.removeprefix("arguments []\n")
    if form == "json":
        data = json.loads(out)
        assert data["parts"][0]["stages"]["graph"]["nodes"][0]["name"] == "x"
    elif form == "dot":
        assert out.startswith('digraph "000_add_')
    else:
        scope: dict[str, Any] = {}
        exec(out, scope)
        assert scope["main"](np.float32([1, -2]))[0].tolist() == [2.0, 1.0]
    folder = tmp_path / "out"
    status, _, _ = run(tmp_path, capsys, "--format", form, "--out", str(folder), "SCRIPT")
    assert status == 0
    ending = {"json": "json", "dot": "dot", "python": "py"}[form]
    first = sorted(folder.iterdir())[0]
    files = sorted(p.name for p in first.iterdir())
    assert f"01_pure.{ending}" in files
    assert all(f.endswith(ending) for f in files)
    if form == "python":
        for name in files[1:]:  # the first records
            scope = {}
            exec((first / name).read_text(), scope)
            assert scope["main"](np.float32([1, -2]))[0].tolist() == [2.0, 1.0]


def saved(folder: Path) -> None:
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.get_variable("w", initializer=np.ones([3, 2], np.float32))
    y = tf.nn.relu(tf.matmul(x, w), name="y")
    tf.train.write_graph(tf.get_default_graph().as_graph_def(), str(folder), "g.pb", as_text=False)
    tf.train.write_graph(tf.get_default_graph().as_graph_def(), str(folder), "g.pbtxt")
    with tf.Session() as session:
        session.run(w.initializer)
        tf.train.Saver().save(session, str(folder / "model"))
        tf.saved_model.simple_save(session, str(folder / "exported"), {"x": x}, {"y": y})


def test_dump_of_saved_graphs(tmp_path: Path, capsys: Any) -> None:
    saved(tmp_path)
    for name in ("g.pb", "g.pbtxt", "model.meta", "exported"):
        status, out, err = dumped(capsys, "--fetch", "y", "--stage", "pure", str(tmp_path / name))
        assert (status, err) == (0, ""), name
        (g,) = parse_graphs(out)
        assert [n.op.name for n in g.nodes()][-2:] == ["matmul", "relu"]
    status, out, err = dumped(capsys, "--stage", "pure", str(tmp_path / "exported"))
    assert [n.op.name for n in parse_graphs(out)[0].nodes()][-2:] == ["matmul", "relu"]
    assert "relu" in dumped(capsys, "--stage", "graph", str(tmp_path / "g.pb"))[1]
    status, out, err = dumped(capsys, "--fetch", "nope", str(tmp_path / "g.pb"))
    assert (status, out) == (2, "")
    assert "nope" in err
    assert err.count("\n") == 1


def test_saved_graphs_that_are_none(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "bad.pb").write_bytes(b"\xff" * 40)
    (tmp_path / "folder").mkdir()
    for name, status, message in [
        ("bad.pb", 1, "cannot read "), ("none.meta", 2, "there is no file "),
        ("folder", 1, "cannot read "),
    ]:  # fmt: skip
        got, out, err = dumped(capsys, str(tmp_path / name))
        assert (got, out) == (status, ""), name
        assert err.startswith(f"graphc: {message}")
        assert "Traceback" not in err
    assert dumped(capsys, "--fetch", "y", __file__)[2] == "graphc: --fetch is for saved graphs\n"
    for option, value in [("--level", "2"), ("--passes", "fold")]:
        status, _, err = dumped(capsys, option, value, __file__)
        assert status == 2
        assert err.startswith("graphc: --level and --passes are for graphs")


# ------------------------------------------------------------------- ops, rules, passes


def printed(capsys: Any, *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return str(capsys.readouterr().out)


def test_ops(capsys: Any) -> None:
    out = printed(capsys, "ops")
    lines = {s.split()[0]: s for s in out.splitlines() if s}
    assert lines["tanh"].split()[1:4] == ["elementwise", "gradient", "native"]
    assert lines["svd"].split()[3] == "-"
    assert all(r in lines for r in OPS)
    assert set(printed(capsys, "ops", "--family", "reduction").split()) & set(OPS) >= {"argmax"}
    page = printed(capsys, "ops", "Tanh")
    assert "in Python  tf.tanh(x, name=None)" in page
    assert "[-0.9993293285369873, 0.0, 0.9993293285369873]" in page
    assert "can fail in a run" in printed(capsys, "ops", "gather")
    assert "native     no" in printed(capsys, "ops", "svd")
    assert "example\n" in printed(capsys, "ops", "conv2d")


def test_every_op_has_a_page() -> None:
    for r in list(OPS.values()):
        text = ops.page(r)
        assert r.doc in text
        assert "Traceback" not in text


def test_rules(capsys: Any) -> None:
    out = printed(capsys, "rules")
    assert "  multiply(x, 1)  ->  x\n" in out
    assert "  multiply(x, 0)  ->  filled(result, 0)  kinds: iu\n" in out
    assert "NO_NAN: a NaN or infinity" in out
    assert sum(s.startswith("  ") and "->" in s for s in out.splitlines()) == sum(
        len(t) for t in rules.tables().values()
    )
    assert all("tanh" in s for s in printed(capsys, "rules", "tanh").splitlines()[1:])
    found = printed(capsys, "rules", "--needs", "REASSOC")
    assert all("REASSOC" in s for s in found.splitlines() if "->" in s)


def test_passes(capsys: Any) -> None:
    out = printed(capsys, "passes")
    assert all(f"\n{name} " in f"\n{out}" for name in PASSES)
    page = printed(capsys, "passes", "fold")
    assert "levels     1, 2" in page
    assert "python -m graphc opt --passes fold graph.gc" in page
    assert "required" in printed(capsys, "passes", "fuse")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ops", "tanhh"], "there is no op 'tanhh' (`graphc ops` lists them)"),
        (["ops", "softma"], "there is no op 'softma'; there are: log_softmax, softmax, "),
        (["ops", "--family", "x"], "there is no family 'x'; there are: composite, "),
        (["rules", "zzz"], "no rule has 'zzz' in it"),
        (["rules", "--needs", "X"], "there is no licence 'X'; there are: NO_SIGNED_ZERO"),
        (["passes", "x"], "there is no pass 'x'; there are: sizes, fold"),
    ],
)
def test_what_the_tables_have_not(capsys: Any, arguments: list[str], message: str) -> None:
    assert main(arguments) in (1, 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"graphc: {message}")
    assert err.count("\n") == 1


# ------------------------------------------------------------------- what is fetched


def test_sparse_and_ragged_tensors_are_shown(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        given = tf.sparse_placeholder(tf.float32, [None, 3], name="given")
        rows = tf.ragged.constant([[1.0, 2.0], [], [3.0]])
        fetches = [given * 2.0, {"rows": rows + 1.0}]
        feed = {given: tf.SparseTensorValue([[0, 1]], [1.0], [2, 3])}
        assert session.run(fetches, feed)[0].values.tolist() == [2.0]
        text = tf.dump(fetches, feed, session, stage="pure")
        assert "%given/values" in text
        assert "given/values" in tf.explain(given, session=session).about
        assert tf.report(fetches, tmp_path / "sparse.html", feed, session, runs=1).stat().st_size
        assert "2.0" in tf.dump(fetches, feed, session, stage="graph", format="python")


def test_the_recorded_graph_of_what_does_not_compile() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, None], name="x")
        y = tf.matmul(x, tf.ones([3, 2]), name="y")
        feed = {x: np.ones((2, 4), np.float32)}
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.dump(y, feed)
        assert "%y = matmul" in tf.dump(y, feed, stage="graph")
        assert "tf.matmul(" in tf.dump(y, feed, stage="graph", format="python")
        assert '"op": "matmul"' in tf.dump(y, feed, stage="graph", format="json")


def test_the_source_of_a_run_in_parts() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None], name="x")
        y = tf.reduce_sum(tf.boolean_mask(x, x > 0.0), name="y")
        text = tf.dump(y, {x: [1.0, -1.0]}, stage="graph", format="python")
    with tf.Graph().as_default(), tf.Session() as session:
        exec(compile(text, "printed", "exec"), {})
        assert session.run("y:0", {"x:0": [1.0, -1.0, 2.0]}) == 3.0


def test_large_constants_and_complex_numbers_are_shown() -> None:
    with tf.Graph().as_default():
        large = tf.constant(np.random.default_rng(0).normal(size=(800, 1000)))
        text = tf.dump(large * tf.placeholder_with_default(np.float64(2.0), []), format="python")
        assert len(text) > 8_000_000  # in a second, not in an hour
        z = tf.abs(tf.spectral.fft(tf.complex(tf.constant([1.0, 2.0]), 1.0)), name="z")
        assert "%z" in tf.dump(z, stage="graph")
        assert "part 1 of " in tf.dump(z)
