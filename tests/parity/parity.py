"""What graphc has of TensorFlow 1.15's public names: ``python tests/parity/parity.py [space...]``.

Without arguments it prints a line for each namespace and the sums; with ``--absent`` and
``--different`` the names too.  The names and signatures are in `tf115.json` (`record.py`).

A function or class is *the same* when a call that TensorFlow takes is taken here with the same
meaning of each argument: same names in the same order, the same defaults where they are plain
literals.  More arguments behind TensorFlow's are no difference.  Of a class the public methods must
be there too.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import sys
import warnings
from pathlib import Path
from typing import Any

__all__ = ["FACTS", "compare", "main", "survey"]

FACTS: dict[str, dict[str, list[Any]]] = json.loads(
    (Path(__file__).parent / "tf115.json").read_text()
)

#: Arguments that have no meaning here by design, in any signature.
IGNORED_DEFAULTS = ("name", "graph", "dtype")


def parsed(arguments: str) -> list[tuple[str, str, str | None]]:
    """(kind, name, default) of each argument in a string of them."""
    tree = ast.parse(f"def f({arguments.replace('=...', '=Ellipsis')}): pass").body[0]
    assert isinstance(tree, ast.FunctionDef)
    a = tree.args
    plain = [*a.posonlyargs, *a.args]
    defaults = [None] * (len(plain) - len(a.defaults)) + [ast.unparse(d) for d in a.defaults]
    out = [("arg", p.arg, d) for p, d in zip(plain, defaults, strict=True)]
    if a.vararg:
        out.append(("*", a.vararg.arg, None))
    for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True):
        out.append(("key", p.arg, ast.unparse(d) if d else None))
    if a.kwarg:
        out.append(("**", a.kwarg.arg, None))
    return out


def difference(arguments: str | None, here: Any, method: bool = False) -> str:
    """What the signature of `here` lacks, or nothing."""
    if arguments is None:
        return ""
    try:
        found = list(inspect.signature(here).parameters.values())
    except (TypeError, ValueError):
        return ""
    if method and found and found[0].name in ("self", "cls"):
        found = found[1:]
    ours = {p.name: p for p in found}
    positional = [p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in found)
    rest = any(p.kind is p.VAR_POSITIONAL for p in found)
    for i, (kind, name, default) in enumerate(_asked(arguments, method, len(positional))):
        if kind in ("*", "**"):
            continue
        if name not in ours:
            if takes_any and (rest or kind == "key"):
                continue
            return f"no argument {name}"
        if kind == "arg" and (i >= len(positional) or positional[i] != name) and not rest:
            return f"argument {i} is {positional[i] if i < len(positional) else 'none'}, not {name}"
        p = ours[name]
        if default is not None and p.default is p.empty and p.kind is not p.VAR_POSITIONAL:
            return f"{name} has no default"
        if default in (None, "Ellipsis") or name in IGNORED_DEFAULTS:
            continue
        if isinstance(p.default, (int, float, bool, str, type(None))) and _differ(
            default, p.default
        ):
            return f"{name} is {p.default!r}, not {default}, by default"
    return ""


def _asked(arguments: str, method: bool, positional: int) -> list[tuple[str, str, str | None]]:
    """What TensorFlow's signature asks for: without the object that a decorator passes by name.

    An argument ``_`` is one that nobody names.
    """
    wanted = parsed(arguments)
    if method and wanted and wanted[0][1] == "instance":
        wanted = wanted[1:]
    return [
        ("*", *row[1:]) if row[1] == "_" and i < positional else row for i, row in enumerate(wanted)
    ]


def _differ(default: str, ours: Any) -> bool:
    try:
        return bool(ast.literal_eval(default) != ours)
    except ValueError:
        return False


def compare(fact: list[Any], here: Any) -> str:
    """What differs between a fact of TensorFlow and what graphc has, or nothing."""
    kind = fact[0]
    if kind == "value":
        return ""
    if not callable(here):
        return f"is no {kind}"
    if kind == "function":
        return difference(fact[1], here)
    _, arguments, methods, others = fact
    if not isinstance(here, type):
        return difference(arguments, here)
    lacks = [m for m in [*methods, *others] if not hasattr(here, m) and m not in _fields(here)]
    if lacks:
        return "without " + ", ".join(lacks)
    found = difference(arguments, here.__init__, True) if arguments != "*args, **kwargs" else ""
    if found:
        return found
    for name, args in methods.items():
        found = difference(args, getattr(here, name), True)
        if found:
            return f"{name}: {found}"
    return ""


def _fields(cls: type) -> set[str]:
    """Names of attributes that instances get in ``__init__`` and classes annotate."""
    out = {name for c in cls.__mro__ for name in vars(c).get("__annotations__", {})}
    for c in cls.__mro__:
        code = getattr(vars(c).get("__init__"), "__code__", None)
        out.update(code.co_names if code else ())
        out.update(vars(c).get("__slots__", ()))
    return out


def survey(wanted: list[str] | None = None) -> dict[str, dict[str, tuple[str, str]]]:
    """Of each name, by namespace: present, different or absent, and how different."""
    out: dict[str, dict[str, tuple[str, str]]] = {}
    for space, rows in FACTS.items():
        if wanted and space not in wanted:
            continue
        try:
            module = importlib.import_module("graphc" + ("." + space if space else ""))
        except ImportError:
            module = None
        out[space] = {}
        for name, fact in rows.items():
            try:
                here = getattr(module, name)
            except (AttributeError, ImportError):
                out[space][name] = ("absent", "")
                continue
            found = compare(fact, here)
            out[space][name] = ("different" if found else "present", found)
    return out


def main(argv: list[str] | None = None) -> int:
    """Print the list."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--absent", action="store_true", help="list the names that graphc lacks")
    parser.add_argument("--different", action="store_true", help="list names that differ, and how")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument(
        "--write", action="store_true", help="write down all differences; reasons are yours to add"
    )
    parser.add_argument("namespaces", nargs="*", help="only these (tf itself is a dot)")
    args = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    found = survey([n.strip(".") for n in args.namespaces])
    if args.json:
        print(json.dumps(found, indent=1))
        return 0
    if args.write:
        target = Path(__file__).parent / "different.json"
        why = {name: row[1] for name, row in json.loads(target.read_text()).items()}
        rows = {
            (path := f"{space}.{name}".lstrip(".")): [how, why.get(path, "")]
            for space, names in survey().items()
            for name, (what, how) in names.items()
            if what == "different"
        }
        target.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n")
        return 0
    total = dict.fromkeys(("present", "different", "absent"), 0)
    for space, rows in found.items():
        count = dict.fromkeys(total, 0)
        for what, _ in rows.values():
            count[what] += 1
            total[what] += 1
        print(f"{'tf.' + space if space else 'tf':45}", *(f"{n:5} {w}" for w, n in count.items()))
        for name, (what, how) in rows.items():
            if (what == "absent" and args.absent) or (what == "different" and args.different):
                print(f"    {name}: {what} {how}")
    print(f"{'all':45}", *(f"{n:5} {w}" for w, n in total.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
