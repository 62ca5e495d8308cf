"""What gets installed: the package list, a wheel in a hostile directory, and two guards."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def folders():
    """Package name → folder with an ``__init__.py``, as they are in the repository."""
    found = {}
    for top, name in (
        ("graphc", "graphc"),
        ("passes", "graphc.passes"),
        ("runtime", "graphc.runtime"),
    ):
        for init in (ROOT / top).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / top).parts
            if top == "graphc" and parts[:1] in (("passes",), ("runtime",)):
                continue  # the links
            found[".".join([name, *parts])] = init.parent
    return found


def python(*args, cwd):
    """A run of Python that must succeed; its output."""
    command = [sys.executable, *map(str, args)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_package_list_equals_the_folders():
    listed = SETTINGS["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(folders())
    assert len(listed) == len(set(listed))


def test_package_dir_maps_every_folder():
    mapping = SETTINGS["tool"]["setuptools"]["package-dir"]

    def place(name):
        parent, _, last = name.rpartition(".")
        return ROOT / mapping[name] if name in mapping else place(parent) / last

    for name, folder in folders().items():
        assert place(name) == folder


@pytest.mark.parametrize("name", ["passes", "runtime"])
def test_links_for_type_checkers(name):
    link = ROOT / "graphc" / name
    assert link.is_symlink()
    assert link.resolve() == ROOT / name


@pytest.mark.parametrize("name", ["passes", "runtime"])
def test_inner_packages_do_not_pass_for_top_level_ones(name):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        f"try: import {name}\n"
        "except ImportError as e: print(e)"
    )
    assert python("-c", code, cwd=ROOT).strip() == f"import graphc.{name}, not {name}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a copy of the sources."""
    source = tmp_path_factory.mktemp("source")
    for name in ("graphc", "passes", "runtime"):
        shutil.copytree(
            ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source / name)
    out = source / "dist"
    python(
        "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
        "--disable-pip-version-check", "--wheel-dir", out, ".", cwd=source,
    )  # fmt: skip
    (made,) = out.glob("graphc-*.whl")
    return made


def test_wheel_holds_the_packages_and_nothing_else(wheel):
    names = [n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n]
    assert not [n for n in names if not n.startswith("graphc/")]
    for package, folder in folders().items():
        inside = package.replace(".", "/") + "/"
        for path in folder.glob("*.py"):
            assert inside + path.name in names
    assert "graphc/py.typed" in names


def test_wheel_works_beside_hostile_folders(wheel, tmp_path):
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    for name in ("runtime", "passes", "ops", "nn"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('not this one')\n")
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(1, {str(site)!r})\n"
        "import graphc as tf, graphc.runtime, graphc.passes\n"
        "x = tf.placeholder(tf.float32, [None])\n"
        "print(tf.Session().run(x * 2 + 1, {x: [1, 2]}).tolist())\n"
        "print(tf.__file__); print(graphc.runtime.__file__); print(graphc.passes.__file__)\n"
    )
    answer, *files = python(script, cwd=tmp_path).splitlines()
    assert answer == "[3.0, 5.0]"
    assert all(Path(f).is_relative_to(site) for f in files)


def test_script_beside_hostile_folders(tmp_path):
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / "__init__.py").write_text("mine = True\n")
    (tmp_path / "script.py").write_text(
        "import graphc.runtime, runtime\nprint(runtime.mine, graphc.runtime is not runtime)\n"
    )
    assert python("script.py", cwd=tmp_path).split() == ["True", "True"]


def test_readme_names_the_extras():
    extras = SETTINGS["project"]["optional-dependencies"]
    assert {"samples", "test"} <= set(extras)
    assert any(r.startswith("setuptools") for r in extras["test"])  # the wheel tests build with it


def test_each_test_module_has_a_name_of_its_own():
    """pytest imports two files of one name as one module, and collects neither."""
    names = [p.name for p in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
