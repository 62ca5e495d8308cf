"""Command-line flags as ``tf.flags`` has them, for installations without ``absl-py``.

Where ``absl-py`` is installed, ``tf.flags`` is its flags, as in TensorFlow (`graphc.flags`).
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from graphc.face.flag_values import (
    FLAGS,
    DuplicateFlagError,
    Error,
    Flag,
    FlagHolder,
    FlagValues,
    IllegalFlagValueError,
    UnparsedFlagAccessError,
    UnrecognizedFlagError,
    ValidationError,
)

__all__ = [
    "FLAGS", "DEFINE_alias", "DEFINE_bool", "DEFINE_boolean", "DEFINE_enum", "DEFINE_flag",
    "DEFINE_float", "DEFINE_integer", "DEFINE_list", "DEFINE_multi_enum", "DEFINE_multi_float",
    "DEFINE_multi_integer", "DEFINE_multi_string", "DEFINE_spaceseplist", "DEFINE_string",
    "DuplicateFlagError", "Error", "Flag", "FlagHolder", "FlagValues", "IllegalFlagValueError",
    "UnparsedFlagAccessError", "UnrecognizedFlagError", "ValidationError", "adopt_module_key_flags",
    "declare_key_flag", "disclaim_key_flags", "flag_dict_to_args",
    "mark_bool_flags_as_mutual_exclusive", "mark_flag_as_required",
    "mark_flags_as_mutual_exclusive", "mark_flags_as_required", "multi_flags_validator",
    "override_value", "register_multi_flags_validator", "register_validator", "set_default",
    "validator",
]  # fmt: skip


# ------------------------------------------------------------------- what text means


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() in ("true", "t", "1"):
            return True
        if value.lower() in ("false", "f", "0"):
            return False
        raise ValueError(("Non-boolean argument to boolean flag", value))
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise TypeError(("Non-boolean argument to boolean flag", value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"flag value must be a string, found {type(value)!r}")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, str):
        return int(value, 16 if "0x" in value else 8 if "0o" in value else 10)
    if isinstance(value, bool) or int(value) != value:
        raise TypeError(f"Expect argument to be a string or int, found {type(value)}")
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool) or (not hasattr(value, "__float__") and not isinstance(value, str)):
        raise TypeError(f"Expect argument to be a string, int, or float, found {type(value)}")
    return float(value)


def _limits(kind: str, low: Any, high: Any) -> str:
    if low == 0 and high is None:
        return f"a non-negative {kind}"
    if low == 1 and high is None:
        return f"a positive {kind}"
    article = "an" if kind == "integer" else "a"
    if low is not None and high is not None:
        return f"{article} {kind} in the range [{low}, {high}]"
    if low is None and high is None:
        return f"{article} {kind}"
    return f"{article} {kind} {f'>= {low}' if high is None else f'<= {high}'}"


def _bounded(parse: Callable[[Any], Any], kind: str, low: Any, high: Any) -> Callable[[Any], Any]:
    def bounded(value: Any) -> Any:
        number = parse(value)
        if (low is not None and number < low) or (high is not None and number > high):
            raise ValueError(f"{number} is not {_limits(kind, low, high)}")
        return number

    return bounded


def _one_of(allowed: Sequence[str], case_sensitive: bool) -> Callable[[Any], str]:
    if not allowed:
        raise ValueError(f"enum_values cannot be empty, found {allowed}")
    known = {v if case_sensitive else v.lower(): v for v in allowed}

    def one_of(value: Any) -> str:
        key = value if case_sensitive else value.lower()
        if key not in known:
            raise ValueError(f"value should be one of <{'|'.join(allowed)}>")
        return known[key]

    return one_of


def _listed(value: Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return list(value)
    return [v.strip() for v in next(csv.reader([value], strict=True))] if value else []


def _spaced(value: Any) -> list[str]:
    return list(value) if isinstance(value, (list, tuple)) else (value or "").split()


# ------------------------------------------------------------------------ DEFINE_…


def DEFINE_flag(
    flag: Flag, flag_values: FlagValues = FLAGS, module_name: str | None = None,
    required: bool = False,
) -> FlagHolder:  # fmt: skip
    """Register a flag."""
    flag_values[flag.name] = flag
    if required:
        mark_flag_as_required(flag.name, flag_values)
    return FlagHolder(flag_values, flag)


def _caller() -> str:
    """File of the code outside this module that defines a flag."""
    depth = 1
    while sys._getframe(depth).f_globals.get("__name__") == __name__:
        depth += 1
    return sys._getframe(depth).f_code.co_filename


def _define(
    name: str, default: Any, help: str | None, parse: Callable[[Any], Any],
    options: dict[str, Any], **how: Any,
) -> FlagHolder:  # fmt: skip
    if not re.fullmatch(r"\w[\w.\-]*", name):
        raise Error(f"a flag's name is letters, digits and _, not {name!r}")
    values = options.pop("flag_values", FLAGS)
    required = options.pop("required", False)
    how["short_name"] = options.pop("short_name", None)
    if options:
        raise TypeError(f"flag {name!r} has no option {next(iter(options))!r}")
    flag = Flag(name, default, help, parse, where=_caller(), **how)
    return DEFINE_flag(flag, values, required=required)


def DEFINE_string(name: str, default: str | None, help: str | None, **args: Any) -> FlagHolder:
    """Define a flag that is text."""
    return _define(name, default, help, _text, args)


def DEFINE_boolean(name: str, default: Any, help: str | None, **args: Any) -> FlagHolder:
    """Define a flag that is ``--name``, ``--noname`` or ``--name=true``."""
    return _define(name, default, help, _boolean, args, boolean=True, type_name="bool")


DEFINE_bool = DEFINE_boolean


def DEFINE_integer(
    name: str, default: Any, help: str | None, lower_bound: int | None = None,
    upper_bound: int | None = None, **args: Any,
) -> FlagHolder:  # fmt: skip
    """Define a flag that is an integer between two bounds."""
    parse = _bounded(_integer, "integer", lower_bound, upper_bound)
    kind = _limits("integer", lower_bound, upper_bound)
    return _define(name, default, help, parse, args, type_name=kind)


def DEFINE_float(
    name: str, default: Any, help: str | None, lower_bound: float | None = None,
    upper_bound: float | None = None, **args: Any,
) -> FlagHolder:  # fmt: skip
    """Define a flag that is a number between two bounds."""
    parse = _bounded(_float, "number", lower_bound, upper_bound)
    kind = _limits("number", lower_bound, upper_bound)
    return _define(name, default, help, parse, args, type_name=kind)


def DEFINE_enum(
    name: str, default: str | None, enum_values: Sequence[str], help: str | None, **args: Any
) -> FlagHolder:
    """Define a flag that is one of several texts."""
    parse = _one_of(enum_values, args.pop("case_sensitive", True))
    return _define(name, default, f"<{'|'.join(enum_values)}>: {help}", parse, args)


def DEFINE_list(name: str, default: Any, help: str | None, **args: Any) -> FlagHolder:
    """Define a flag that is texts with commas between them."""
    return _define(name, default, help, _listed, args, type_name="a comma separated list")


def DEFINE_spaceseplist(
    name: str, default: Any, help: str | None, comma_compat: bool = False, **args: Any
) -> FlagHolder:
    """Define a flag that is texts with white space between them."""
    parse = (lambda v: _spaced(v.replace(",", " "))) if comma_compat else _spaced
    return _define(name, default, help, parse, args, type_name="a whitespace separated list")


def DEFINE_multi_string(name: str, default: Any, help: str | None, **args: Any) -> FlagHolder:
    """Define a flag that may be given several times."""
    return _define(name, default, help, _text, args, multi=True)


def DEFINE_multi_integer(
    name: str, default: Any, help: str | None, lower_bound: int | None = None,
    upper_bound: int | None = None, **args: Any,
) -> FlagHolder:  # fmt: skip
    """Define an integer flag that may be given several times."""
    parse = _bounded(_integer, "integer", lower_bound, upper_bound)
    kind = _limits("integer", lower_bound, upper_bound)
    return _define(name, default, help, parse, args, multi=True, type_name=kind)


def DEFINE_multi_float(
    name: str, default: Any, help: str | None, lower_bound: float | None = None,
    upper_bound: float | None = None, **args: Any,
) -> FlagHolder:  # fmt: skip
    """Define a number flag that may be given several times."""
    parse = _bounded(_float, "number", lower_bound, upper_bound)
    kind = _limits("number", lower_bound, upper_bound)
    return _define(name, default, help, parse, args, multi=True, type_name=kind)


def DEFINE_multi_enum(
    name: str, default: Any, enum_values: Sequence[str], help: str | None, **args: Any
) -> FlagHolder:
    """Define a flag of one of several texts that may be given several times."""
    parse = _one_of(enum_values, args.pop("case_sensitive", True))
    return _define(name, default, f"<{'|'.join(enum_values)}>: {help}", parse, args, multi=True)


def DEFINE_alias(
    name: str, original_name: str, flag_values: FlagValues = FLAGS, module_name: str | None = None
) -> FlagHolder:
    """Define a second name of a flag."""
    flag_values._alias[name] = flag_values[original_name].name
    return FlagHolder(flag_values, flag_values[original_name])


# ---------------------------------------------------------------------- validators


def _name_of(flag: str | FlagHolder) -> str:
    return flag.name if isinstance(flag, FlagHolder) else flag


def register_validator(
    flag_name: str | FlagHolder, checker: Callable[[Any], Any],
    message: str = "Flag validation failed", flag_values: FlagValues = FLAGS,
) -> None:  # fmt: skip
    """Let `checker` say of each value of a flag whether it is good."""
    flag_values._checks.append(((_name_of(flag_name),), checker, message, True))


def validator(
    flag_name: str | FlagHolder, message: str = "Flag validation failed",
    flag_values: FlagValues = FLAGS,
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:  # fmt: skip
    """`register_validator` as a decorator."""

    def decorate(checker: Callable[[Any], Any]) -> Callable[[Any], Any]:
        register_validator(flag_name, checker, message, flag_values)
        return checker

    return decorate


def register_multi_flags_validator(
    flag_names: Iterable[str | FlagHolder], multi_flags_checker: Callable[[dict[str, Any]], Any],
    message: str = "Flags validation failed", flag_values: FlagValues = FLAGS,
) -> None:  # fmt: skip
    """Let a function of the values of several flags, as a dict, say whether they are good."""
    names = tuple(_name_of(n) for n in flag_names)
    flag_values._checks.append((names, multi_flags_checker, message, False))


def multi_flags_validator(
    flag_names: Iterable[str | FlagHolder], message: str = "Flag validation failed",
    flag_values: FlagValues = FLAGS,
) -> Callable[[Callable[[dict[str, Any]], Any]], Callable[[dict[str, Any]], Any]]:  # fmt: skip
    """`register_multi_flags_validator` as a decorator."""

    def decorate(checker: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        register_multi_flags_validator(flag_names, checker, message, flag_values)
        return checker

    return decorate


def mark_flag_as_required(flag_name: str | FlagHolder, flag_values: FlagValues = FLAGS) -> None:
    """The flag must not be None once the command line is read."""
    name = _name_of(flag_name)
    register_validator(
        name, lambda v: v is not None, f"Flag --{name} must have a value other than None.",
        flag_values,
    )  # fmt: skip


def mark_flags_as_required(
    flag_names: Iterable[str | FlagHolder], flag_values: FlagValues = FLAGS
) -> None:
    """None of the flags may be None once the command line is read."""
    for name in flag_names:
        mark_flag_as_required(name, flag_values)


def mark_flags_as_mutual_exclusive(
    flag_names: Iterable[str | FlagHolder], required: bool = False,
    flag_values: FlagValues = FLAGS,
) -> None:  # fmt: skip
    """At most one of the flags (`required`: exactly one) may be other than None."""
    _exclusive(flag_names, required, flag_values, lambda v: v is not None, "not None")


def mark_bool_flags_as_mutual_exclusive(
    flag_names: Iterable[str | FlagHolder], required: bool = False,
    flag_values: FlagValues = FLAGS,
) -> None:  # fmt: skip
    """At most one of the flags (`required`: exactly one) may be true."""
    _exclusive(flag_names, required, flag_values, bool, "True")


def _exclusive(
    flags: Iterable[str | FlagHolder], required: bool, flag_values: FlagValues,
    given: Callable[[Any], bool], what: str,
) -> None:  # fmt: skip
    names = [_name_of(f) for f in flags]
    amount = "Exactly" if required else "At most"
    register_multi_flags_validator(
        names,
        lambda values: (n := sum(map(given, values.values()))) <= 1 and (n or not required),
        f"{amount} one of ({', '.join(names)}) must be {what}.",
        flag_values,
    )


# -------------------------------------------------------------------------- the rest


def set_default(flag_holder: FlagHolder, value: Any) -> None:
    """Change the default of a flag."""
    flag_holder._values.set_default(flag_holder.name, value)


def override_value(flag_holder: FlagHolder, value: Any) -> None:
    """Change the value of a flag, whatever the command line says."""
    flag_holder._values[flag_holder.name].parse(value)


def flag_dict_to_args(
    flag_map: dict[str, Any], multi_flags: Iterable[str] | None = None
) -> Iterator[str]:
    """A dict of values as words of a command line."""
    for key, value in flag_map.items():
        if value is None:
            yield f"--{key}"
        elif isinstance(value, bool):
            yield f"--{key}" if value else f"--no{key}"
        elif isinstance(value, (bytes, str)):
            yield f"--{key}={value if isinstance(value, str) else value.decode()}"
        elif isinstance(value, (list, tuple)) and key in (multi_flags or ()):
            yield from (f"--{key}={v}" for v in value)
        elif isinstance(value, (list, tuple)):
            yield f"--{key}={','.join(map(str, value))}"
        else:
            yield f"--{key}={value}"


def declare_key_flag(flag_name: str, flag_values: FlagValues = FLAGS) -> None:
    """Accepted: the help lists all flags."""


def adopt_module_key_flags(module: Any, flag_values: FlagValues = FLAGS) -> None:
    """Accepted: the help lists all flags."""


def disclaim_key_flags() -> None:
    """Accepted: the help lists all flags."""
