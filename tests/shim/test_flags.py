"""tf.flags and tf.app; texts and values as TensorFlow 1.15 with absl gave them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import graphc as tf
from graphc.face import flags


def defined() -> flags.FlagValues:
    f = flags.FlagValues()
    flags.DEFINE_string("name", "x", "The name", flag_values=f)
    flags.DEFINE_integer("n", 3, "number", lower_bound=0, flag_values=f)
    flags.DEFINE_boolean("b", False, "bool", flag_values=f)
    flags.DEFINE_float("lr", 0.1, "rate", flag_values=f)
    flags.DEFINE_enum("e", "a", ["a", "b"], "enum", flag_values=f)
    flags.DEFINE_list("l", "a,b", "list", flag_values=f)
    flags.DEFINE_multi_integer("m", [1], "multi", flag_values=f)
    flags.DEFINE_string("none", None, "no default", flag_values=f, short_name="q")
    return f


GOOD: dict[str, tuple[list[str], dict[str, Any]]] = {
    "": ([], {"name": "x", "n": 3, "b": False, "lr": 0.1, "l": ["a", "b"], "m": [1]}),
    "--name=q --n 7 --b --lr=1e-3 pos --n=4 -- --x": (
        ["pos", "--", "--x"], {"name": "q", "n": 4, "b": True, "lr": 0.001},
    ),
    "--unknown=3 --n=4": (["--unknown=3"], {"n": 4}),
    "--b=false w --l=1,2,3 --m=3 --m=4": (["w"], {"b": False, "l": ["1", "2", "3"], "m": [3, 4]}),
    "-n 5": ([], {"n": 5}),
    "--nam=t": (["--nam=t"], {"name": "x"}),
    "--nob -b -nob -q 7": ([], {"b": False, "none": "7"}),
    "--n=0x10": ([], {"n": 16}),
}  # fmt: skip


@pytest.mark.parametrize("line", GOOD)
def test_command_line(line: str) -> None:
    f, (rest, values) = defined(), GOOD[line]
    assert f(["prog", *line.split()], known_only=True) == ["prog", *rest]
    assert {name: getattr(f, name) for name in values} == values
    assert f.is_parsed()


BAD = {
    "--e=c": "flag --e=c: value should be one of <a|b>",
    "--n=-1": "flag --n=-1: -1 is not a non-negative integer",
    "--n=abc": "flag --n=abc: invalid literal for int() with base 10: 'abc'",
    "--name": "Missing value for flag --name",
    "--b=maybe": "flag --b=maybe: ('Non-boolean argument to boolean flag', 'maybe')",
    "--unknown 3": "Unknown command line flag 'unknown'",
    "--nane=3": "Unknown command line flag 'nane'. Did you mean: none, name ?",
}


@pytest.mark.parametrize("line", BAD)
def test_bad_command_line(line: str) -> None:
    with pytest.raises(flags.Error) as e:
        defined()(["prog", *line.split()])
    assert str(e.value) == BAD[line]


def test_undefok_and_flagfile(tmp_path: Path) -> None:
    (tmp_path / "more").write_text("# a remark\n--n=8\n\n--name=file\n")
    f = defined()
    rest = f(["prog", "--undefok=zz", "--zz=1", f"--flagfile={tmp_path / 'more'}", "--n=9"])
    assert (rest, f.n, f.name) == (["prog"], 9, "file")


def test_values() -> None:
    f = defined()
    f(["prog"])
    f.n = 9
    assert (f.n, f["n"].value, f["n"].default, "n" in f, "zz" in f) == (9, 9, 3, True, False)
    with pytest.raises(AttributeError):
        f.zz  # noqa: B018
    with pytest.raises(AttributeError, match="there is no flag 'zz'"):
        f.zz = 3
    with pytest.raises(
        flags.DuplicateFlagError, match=r"The flag 'n' is defined twice\. First from"
    ):
        flags.DEFINE_string("n", "", "", flag_values=f)
    assert f.flag_values_dict()["lr"] == 0.1
    assert "--name=x\n--n=9\n--nob\n" in f.flags_into_string()
    f.unparse_flags()
    assert f["n"].value == 3
    del f.n
    assert "n" not in f
    assert "(default: 'a,b')\n    (a comma separated list)" in f.get_help()


def test_validators() -> None:
    f = defined()
    flags.mark_flag_as_required("none", f)
    with pytest.raises(flags.IllegalFlagValueError) as e:
        f(["prog"])
    assert str(e.value) == "flag --none=None: Flag --none must have a value other than None."
    flags.register_validator("n", lambda n: n % 2, "odd, please", f)
    with pytest.raises(flags.IllegalFlagValueError, match="flag --n=4: odd, please"):
        f(["prog", "-q", "1", "--n=4"])
    flags.mark_flags_as_mutual_exclusive(["none", "name"], flag_values=f)
    with pytest.raises(flags.IllegalFlagValueError, match=r"At most one of \(none, name\)"):
        f(["prog", "-q", "1", "--n=5"])


def test_dict_to_args() -> None:
    given = {"a": 1, "b": True, "c": False, "d": [1, 2], "e": None, "f": "x", "g": [1, 2]}
    args = list(flags.flag_dict_to_args(given, ["g"]))
    assert args == ["--a=1", "--b", "--noc", "--d=1,2", "--e", "--f=x", "--g=1", "--g=2"]


def test_the_same_names_in_both_places() -> None:
    for name in flags.__all__:
        assert hasattr(tf.flags, name), name
    assert tf.app.flags is tf.flags
    with pytest.raises(AttributeError, match=r"tf\.flags\.DEFINE_nothing is not a name"):
        tf.flags.DEFINE_nothing  # noqa: B018


PROGRAM = """
import sys
if sys.argv.pop() == "own":
    import importlib.util as u
    real = u.find_spec
    u.find_spec = lambda n, *a: None if n == "absl" else real(n, *a)
import graphc as tf
flags = tf.app.flags
flags.DEFINE_integer("n", 3, "number")
FLAGS = flags.FLAGS
if "early" in sys.argv:
    print("early", FLAGS.n)
def main(argv):
    print(argv[1:], FLAGS.n)
    return 5
if __name__ == "__main__":
    tf.app.run()
"""


@pytest.mark.parametrize("whose", ["own", "absl"])
@pytest.mark.parametrize(
    ("line", "status", "out"),
    [
        ("--n=4 a", 5, "['a'] 4\n"),
        ("--n=4 --zz=3", 5, "['--zz=3'] 4\n"),
        ("early --n=4", 5, "early 4\n['early'] 4\n"),
        ("--n=x", 1, ""),
        ("--help", 1, "number"),
    ],
)
def test_app_run(tmp_path: Path, whose: str, line: str, status: int, out: str) -> None:
    if whose == "absl":
        pytest.importorskip("absl")
    (tmp_path / "prog.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "prog.py", *line.split(), whose], cwd=tmp_path, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert out in done.stdout if line == "--help" else out == done.stdout
    assert not done.stderr or "flag --n=x: invalid literal" in done.stderr
