"""A Python function's source with everything it calls, as text that needs only numpy.

The meaning of an op is a numpy function of graphc; a runnable dump has its source in it, so that
the dump means the same wherever it is run, and so that nothing is written twice.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import keyword
import math
import re
import textwrap
import types
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops.record import quiet

__all__ = ["NotPortable", "Sources", "identifier", "in_lines", "syntax", "without_quiet"]


class NotPortable(Exception):
    """The function depends on something that has no source of this kind."""


def in_lines(data: str, width: int = 90) -> list[str]:
    """Text without spaces, cut into lines; it may be of many megabytes."""
    return [data[i : i + width] for i in range(0, len(data), width)]


def identifier(name: str, used: set[str], default: str = "value") -> str:
    """A Python name like `name` that is not in `used`, where it is entered."""
    base = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or default
    if base[0].isdigit():
        base = f"v{base}"
    if keyword.iskeyword(base) or keyword.issoftkeyword(base) or hasattr(builtins, base):
        base += "_"
    out, k = base, 0
    while out in used:
        k += 1
        out = f"{base}_{k}"
    used.add(out)
    return out


class Sources:
    """Definitions, in an order in which each comes after what it needs.

    Attributes
    ----------
    lines : list of str
        The definitions so far.
    imports : set of str
        Import statements of the standard library that they need.
    used : set of str
        Names taken at the top level of the program.
    """

    def __init__(self, used: set[str]) -> None:
        self.lines: list[str] = []
        self.imports: set[str] = set()
        self.used = used
        self.names: dict[Any, str] = {}

    def function(self, f: Callable[..., Any], wanted: str) -> str:
        """The name under which `f` can be called, defined here if it must be.

        Raises
        ------
        NotPortable
            Nothing is defined then.
        """
        mark = len(self.lines), set(self.used), dict(self.names), set(self.imports)
        try:
            return self._function(f, wanted)
        except NotPortable:
            del self.lines[mark[0] :]
            self.used.clear()
            self.used |= mark[1]
            self.names, self.imports = mark[2], mark[3]
            raise

    def named(self, wanted: str, also: Container[str] = ()) -> str:
        """A name for a definition: with an underscore, which names of values never begin with."""
        out = base = "_" + (re.sub(r"\W+", "_", wanted, flags=re.ASCII).strip("_") or "f")
        k = 0
        while out in self.used or out in also:
            k += 1
            out = f"{base}_{k}"
        self.used.add(out)
        return out

    def _function(self, f: Any, wanted: str) -> str:
        f = without_quiet(f)
        known = self.names.get(f)
        if known is not None:
            return known
        if f in _STAND_INS:
            return self._stand_in(f)
        if getattr(f, "__module__", "") == "math":
            self.imports.add("import math")
            return f"math.{f.__name__}"
        if not isinstance(f, types.FunctionType):
            return _elsewhere(f)
        if f.__module__ and f.__module__.partition(".")[0] == "numpy":
            return _elsewhere(f)
        tree = syntax(f)
        name = self.names[f] = self.named(wanted)
        inner = _Rename(self, f)
        made = inner.visit(tree)
        text = _written(made, name)
        self.lines.append(text)
        return name

    def value(self, x: Any, wanted: str) -> str:
        """Text that stands for a value that a function reads from around it."""
        if isinstance(x, _FUNCTIONS):
            return self._function(x, wanted)
        if isinstance(x, functools.partial):
            given = [self.value(a, "argument") for a in x.args]
            given += [f"{k}={self.value(a, k)}" for k, a in x.keywords.items()]
            self.imports.add("import functools")
            return f"functools.partial({', '.join([self._function(x.func, wanted), *given])})"
        if x is None or isinstance(x, (bool, int, str, bytes)):
            return repr(x)
        if isinstance(x, float):
            return repr(x) if math.isfinite(x) else f"float({str(x)!r})"
        if isinstance(x, np.generic):
            return f"np.{type(x).__name__}({self.value(x.item(), wanted)})"
        if isinstance(x, np.dtype):
            return f"np.dtype({str(x)!r})"
        if type(x) in (tuple, list):
            inner = ", ".join(self.value(e, wanted) for e in x)
            return f"[{inner}]" if type(x) is list else f"({inner}{',' * (len(x) == 1)})"
        if type(x) is dict:
            pairs = (f"{self.value(k, wanted)}: {self.value(v, wanted)}" for k, v in x.items())
            return "{" + ", ".join(pairs) + "}"
        if isinstance(x, DType):
            return self.dtype(x)
        if isinstance(x, type):
            return self._class(x)
        raise NotPortable(f"{wanted}: {type(x).__name__}")

    def dtype(self, t: DType) -> str:
        """An element type: an object with the few attributes that meanings look at."""
        if t not in self.names:
            self.imports.add("import types")
            self.names[t] = name = self.named(f"{t.name}_type")
            fields = f"name={t.name!r}, code={t.code!r}, kind={t.kind!r}, size={t.size}"
            kind = "object" if t.kind == "s" else t.np.name
            self.lines.append(f"{name} = types.SimpleNamespace({fields}, np=np.dtype({kind!r}))")
        return self.names[t]

    def expression(
        self, f: Callable[..., Any], given: Sequence[str], words: Mapping[str, str],
        kinds: Sequence[str] = (),
    ) -> str | None:  # fmt: skip
        """The call of `f` written out, where it is a function of numpy's or a short lambda.

        `kinds` are the element types of the arguments, as numpy's types.
        """
        f = without_quiet(f)
        if isinstance(f, types.FunctionType) and f.__name__ != "<lambda>":
            return None
        try:
            if not isinstance(f, types.FunctionType):
                called = _elsewhere(f)
                return f"{called}({', '.join([*given, *(f'{k}={v}' for k, v in words.items())])})"
            tree = _Rename(self, f).visit(syntax(f)).value
        except NotPortable:
            return None
        made = _applied(tree, given, words, kinds)
        text = None if made is None else ast.unparse(ast.fix_missing_locations(made))
        return text if text is not None and len(text) < 110 else None

    def _stand_in(self, x: Any) -> str:
        if x not in self.names:
            text = _STAND_INS[x]
            wanted = re.match(r"(?:class|def) (\w+)", text)
            if wanted is None:
                return text
            self.names[x] = name = self.named(wanted[1])
            self.lines.append(text.replace(wanted[1], name, 1))
        return self.names[x]

    def _class(self, x: type) -> str:
        if x in _STAND_INS:
            return self._stand_in(x)
        if x.__module__ == "builtins":
            return x.__name__
        if x.__module__ in ("collections.abc", "math", "functools"):
            self.imports.add(f"import {x.__module__}")
            return f"{x.__module__}.{x.__name__}"
        if x.__module__ == "numpy":
            return _elsewhere(x)
        if issubclass(x, Exception) and x.__module__.startswith("graphc."):
            if x not in self.names:  # (node, op, message), of which the message is shown
                self.names[x] = name = self.named(x.__name__)
                self.lines.append(f"class {name}(Exception):\n    pass")
            return self.names[x]
        made = vars(x).get("__init__")
        if x.__module__.startswith("graphc.") and isinstance(made, types.FunctionType):
            return self._own(x, made)
        raise NotPortable(x.__name__)

    def _own(self, x: type, made: types.FunctionType) -> str:
        """A small class of graphc's own."""
        if x not in self.names:
            try:
                tree = ast.parse(textwrap.dedent(inspect.getsource(x)))
            except (OSError, TypeError, SyntaxError):
                raise NotPortable(x.__name__) from None
            name = self.named(x.__name__)
            self.lines.append(_written(_Rename(self, made).visit(tree.body[0]), name))
            self.names[x] = name
        return self.names[x]


_QUIET = quiet(abs).__code__
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, np.ufunc, type(np.sum))

#: What sizes are where they are numbers, as they are in a program that runs.
_STAND_INS: dict[Any, str] = {
    dims.same: "def same(a, b):\n    return a == b",
    dims.facts: "def facts():\n    return None",
    dims.maximum: "max", dims.minimum: "min",
    dims.product: "def product(sizes):\n    return int(np.prod(sizes, dtype=np.int64))",
    dims.ceildiv: "def ceildiv(a, b):\n    return -(-a // b)",
    dims.fresh: "def fresh():\n    raise NotImplementedError('a size that only the data decide')",
    dims.is_known: "def is_known(d):\n    return True",
    dims.Expr: "class Expr:\n    pass",
    Value: "class Value:\n    pass",
}  # fmt: skip


def without_quiet(f: Any) -> Any:
    """What `quiet` was put around: the program ignores warnings as a whole."""
    while isinstance(f, types.FunctionType) and f.__code__ is _QUIET:
        f = inspect.getclosurevars(f).nonlocals["f"]
    return f


def _elsewhere(f: Any) -> str:
    """The name of something of numpy's or Python's own."""
    name = getattr(f, "__name__", "")
    if getattr(builtins, name, None) is f:
        return str(name)
    for prefix, module in (("np", np), ("np.linalg", np.linalg)):
        if getattr(module, name, None) is f:
            return f"{prefix}.{name}"
    raise NotPortable(str(name or f))


# ------------------------------------------------------------------- the source


@functools.lru_cache(maxsize=64)
def _parsed(file: str) -> dict[int, list[ast.AST]]:
    """The functions and lambdas of a file by their first line."""
    with open(file, encoding="utf-8") as f:
        tree = ast.parse(f.read())
    out: dict[int, list[ast.AST]] = {}
    for n in ast.walk(tree):
        if isinstance(n, (ast.FunctionDef, ast.Lambda)):
            out.setdefault(n.lineno, []).append(n)
    return out


def syntax(f: types.FunctionType) -> Any:
    """A copy of the syntax of a function.

    Raises
    ------
    NotPortable
        Where its source is not at hand.
    """
    code = f.__code__
    try:
        found = _parsed(code.co_filename).get(code.co_firstlineno, [])
    except (OSError, SyntaxError, UnicodeDecodeError) as e:
        raise NotPortable(str(e)) from None
    kind = ast.Lambda if f.__name__ == "<lambda>" else ast.FunctionDef
    fits = [n for n in found if isinstance(n, kind) and _same(n, code)]
    if len({ast.dump(n) for n in fits}) != 1:
        raise NotPortable(f"{f.__qualname__}: no source")
    (n, *_) = fits
    if getattr(n, "decorator_list", None):
        raise NotPortable(f"{f.__qualname__} is decorated")
    return ast.parse(ast.unparse(n)).body[0]


def _same(n: Any, code: types.CodeType) -> bool:
    """Whether syntax may be that of a code object: the same parameters, the same names read."""
    a = n.args
    params = [*a.posonlyargs, *a.args, *a.kwonlyargs]
    params += [p for p in (a.vararg, a.kwarg) if p is not None]
    if tuple(p.arg for p in params) != code.co_varnames[: len(params)]:
        return False
    if isinstance(n, ast.FunctionDef):
        return n.name == code.co_name
    read = {m.id for m in ast.walk(n.body) if isinstance(m, ast.Name)}
    read |= {m.attr for m in ast.walk(n.body) if isinstance(m, ast.Attribute)}
    have = _names_in(code)
    return have <= read | {k.arg for k in ast.walk(n.body) if isinstance(k, ast.keyword)}


def _names_in(code: types.CodeType) -> set[str]:
    out = {*code.co_names, *code.co_freevars}
    for c in code.co_consts:
        if isinstance(c, types.CodeType):
            out |= {*c.co_names}
    return out


class _Rename(ast.NodeTransformer):
    """Names that a function reads from around it become names of the program; no annotations."""

    def __init__(self, sources: Sources, f: types.FunctionType) -> None:
        self.sources = sources
        self.f = f
        self.scope: dict[str, Any] = dict(f.__globals__)
        for key, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
            self.scope[key] = cell.cell_contents
        self.local = _locals(f.__code__)
        self.seen: dict[str, ast.expr] = {}

    def visit_FunctionDef(self, n: ast.FunctionDef) -> Any:
        n.returns = None
        self.generic_visit(n)
        return n

    def visit_arg(self, n: ast.arg) -> Any:
        n.annotation = None
        return n

    def visit_AnnAssign(self, n: ast.AnnAssign) -> Any:
        if n.value is None:
            return ast.Pass()
        return self.visit(ast.copy_location(ast.Assign([n.target], n.value), n))

    def visit(self, n: ast.AST) -> Any:
        if isinstance(n, (ast.Import, ast.ImportFrom, ast.Global)):
            raise NotPortable("an import or a global statement inside a function")
        return super().visit(n)

    def visit_Attribute(self, n: ast.Attribute) -> Any:
        if isinstance(n.value, ast.Name) and n.value.id not in self.local:
            module = self.scope.get(n.value.id)
            if isinstance(module, types.ModuleType) and not _known_module(module):
                if not module.__name__.startswith("graphc."):
                    raise NotPortable(module.__name__)
                return self.read(f"{n.value.id}.{n.attr}", getattr(module, n.attr), n.attr)
        return self.generic_visit(n)

    def visit_Name(self, n: ast.Name) -> Any:
        if not isinstance(n.ctx, ast.Load):
            return n
        if n.id in self.local or (n.id not in self.scope and hasattr(builtins, n.id)):
            return n
        if n.id not in self.scope:
            raise NotPortable(n.id)
        x = self.scope[n.id]
        if isinstance(x, types.ModuleType):
            known = _known_module(x)
            if not known:
                raise NotPortable(x.__name__)
            if known != "np":
                self.sources.imports.add(f"import {known}")
            return ast.copy_location(ast.Name(known, n.ctx), n)
        return self.read(n.id, x, n.id)

    def read(self, key: str, x: Any, wanted: str) -> ast.expr:
        if key not in self.seen:
            text = self.sources.value(x, wanted)
            if len(text) > 60:  # a table: a name for it
                name = self.sources.names.get(id(x)) or self.sources.named(wanted)
                if id(x) not in self.sources.names:
                    self.sources.names[id(x)] = name
                    self.sources.lines.append(f"{name} = {text}")
                text = name
            if text in self.local:
                name = self.sources.named(wanted, self.local)
                self.sources.lines.append(f"{name} = {text}")
                text = name
            self.seen[key] = ast.parse(text, mode="eval").body
        return self.seen[key]


class _Put(ast.NodeTransformer):
    """Arguments in the place of parameters; conditions on literals are decided."""

    def __init__(self, to: Mapping[str, ast.expr], kinds: Mapping[str, str]) -> None:
        self.to = to
        self.kinds = kinds

    def visit_Attribute(self, n: ast.Attribute) -> Any:
        inner = n.value
        if n.attr == "dtype" and isinstance(inner, ast.Name) and inner.id in self.kinds:
            return ast.parse(self.kinds[inner.id], mode="eval").body
        if isinstance(inner, ast.Attribute) and inner.attr == "dtype":
            if n.attr == "type":
                return self.visit(inner)
            inner.value = self.visit(inner.value)
            return n
        return self.generic_visit(n)

    def visit_Name(self, n: ast.Name) -> Any:
        return self.to.get(n.id, n)

    def visit_IfExp(self, n: ast.IfExp) -> Any:
        self.generic_visit(n)
        names = {m.id for m in ast.walk(n.test) if isinstance(m, ast.Name)}
        if names <= {"isinstance", "int", "tuple"} and not any(
            isinstance(m, (ast.Attribute, ast.Subscript)) for m in ast.walk(n.test)
        ):
            scope = {"isinstance": isinstance, "int": int, "tuple": tuple}
            test = ast.fix_missing_locations(ast.Expression(n.test))
            return n.body if eval(compile(test, "test", "eval"), scope) else n.orelse
        return n


def _applied(
    tree: ast.Lambda, given: Sequence[str], words: Mapping[str, str], kinds: Sequence[str]
) -> ast.expr | None:
    """The body of a lambda with arguments put in; None where that is not that simple."""
    a = tree.args
    inner = (ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp, ast.NamedExpr)
    if a.kwarg or a.posonlyargs or any(isinstance(m, inner) for m in ast.walk(tree.body)):
        return None
    values = [ast.parse(x, mode="eval").body for x in given]
    to: dict[str, ast.expr] = {}
    for p, v in zip(a.args, values, strict=False):
        to[p.arg] = v
    if a.vararg:
        to[a.vararg.arg] = ast.Tuple(values[len(a.args) :], ast.Load())
    elif len(values) > len(a.args):
        return None
    for p, default in zip(a.kwonlyargs, a.kw_defaults, strict=True):
        if p.arg in words:
            to[p.arg] = ast.parse(words[p.arg], mode="eval").body
        elif default is not None:
            to[p.arg] = default
    params = [*a.args, *a.kwonlyargs]
    if any(p.arg not in to for p in params) or not set(words) <= {p.arg for p in params}:
        return None
    made: ast.expr = _Put(to, {p.arg: k for p, k in zip(a.args, kinds, strict=False)}).visit(
        tree.body
    )
    return made


def _known_module(m: types.ModuleType) -> str:
    return {"numpy": "np"}.get(m.__name__) or (
        m.__name__
        if m.__name__ in ("math", "functools", "itertools", "operator", "re", "builtins")
        else ""
    )


def _locals(code: types.CodeType) -> set[str]:
    out = {*code.co_varnames, *code.co_cellvars}
    for c in code.co_consts:
        if isinstance(c, types.CodeType):
            out |= _locals(c) | {c.co_name}
    return out


def _written(tree: Any, name: str) -> str:
    """The definition as text; of a lambda, the function that it is."""
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Lambda):
        made: Any = ast.parse(f"def {name}(): return").body[0]
        made.args, made.body[0].value = tree.value.args, tree.value.body
        tree = made
    else:
        tree.name = name
        first = tree.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            first.value.value = str(first.value.value).split("\n\n")[0]
    return ast.unparse(ast.fix_missing_locations(tree))
