"""Which layer may import which: read from the sources; and what `import graphc` costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "graphc": ROOT / "graphc",
    "graphc.passes": ROOT / "passes",
    "graphc.runtime": ROOT / "runtime",
}

#: Layer → layers and packages from outside the standard library that it may import.
ALLOWED = {
    "graphc.errors": {"numpy", "graphc.errors"},
    "graphc.ir": {"numpy", "graphc.errors", "graphc.ir"},
    "graphc.ops": {"numpy", "graphc.errors", "graphc.ir", "graphc.ops"},
    "graphc.passes": {
        "numpy", "networkx", "graphc.errors", "graphc.ir", "graphc.ops", "graphc.passes",
    },
    "graphc.runtime": {
        "numpy", "graphc.errors", "graphc.ir", "graphc.ops", "graphc.passes", "graphc.runtime",
        "graphc.runtime.llvm",
    },
    "graphc.runtime.llvm": {
        "numpy", "llvmlite", "graphc.errors", "graphc.ir", "graphc.ops", "graphc.passes",
        "graphc.runtime", "graphc.runtime.llvm",
    },
    "graphc": {
        "numpy", "networkx", "graphc", "graphc.errors", "graphc.ir", "graphc.ops", "graphc.passes",
        "graphc.runtime", "graphc.runtime.llvm",
    },
}  # fmt: skip


def module_files():
    """Pairs of module name and file."""
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            if package == "graphc" and path.relative_to(folder).parts[0] in ("passes", "runtime"):
                continue
            parts = path.relative_to(folder).with_suffix("").parts
            yield ".".join([package, *(p for p in parts if p != "__init__")]), path


MODULES = dict(module_files())


def layer_of(module):
    """The most specific layer that contains `module`."""
    found = [name for name in ALLOWED if module == name or module.startswith(name + ".")]
    return max(found, key=len) if found else None


def imported(tree):
    """Full names that a module imports at run time, with lines."""
    stack = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            stack += node.orelse
        elif isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: write the full name"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module, node.lineno
        else:
            stack += list(ast.iter_child_nodes(node))


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    allowed = ALLOWED[layer_of(module)]
    wrong = []
    for name, line in imported(tree):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            continue
        what = layer_of(name) if top == "graphc" else top
        if what not in allowed:
            wrong.append(f"{MODULES[module].relative_to(ROOT)}:{line} imports {name}")
    assert not wrong, "\n".join(dict.fromkeys(wrong))


def test_every_layer_has_modules():
    assert {layer_of(m) for m in MODULES} == set(ALLOWED)


def python(code):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_graphc_is_light():
    loaded = python("import sys, graphc; print(*sys.modules)")
    heavy = {
        "llvmlite",
        "networkx",
        "scipy",
        "sklearn",
        "matplotlib",
        "unittest",
        "asyncio",
        "graphc.ops",
    }
    assert not heavy & set(loaded)
    assert "numpy" not in loaded or "numpy.f2py" not in loaded


def test_recording_needs_no_compiler():
    loaded = python(
        "import sys, graphc as tf\n"
        "x = tf.placeholder(tf.float32, [None, 3])\n"
        "tf.gradients(tf.reduce_sum(tf.tanh(x)), x)\n"
        "print(*sys.modules)"
    )
    assert not {"llvmlite", "networkx"} & set(loaded)
    assert not [m for m in loaded if m.startswith("graphc.runtime")]
