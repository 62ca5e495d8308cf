"""Flags, what a program holds of them, and how a command line is read."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

__all__ = [
    "FLAGS", "DuplicateFlagError", "Error", "Flag", "FlagHolder", "FlagValues",
    "IllegalFlagValueError", "UnparsedFlagAccessError", "UnrecognizedFlagError", "ValidationError",
]  # fmt: skip


class Error(Exception):
    """Something is wrong with flags."""


class DuplicateFlagError(Error):
    """A flag is defined twice."""


class IllegalFlagValueError(Error):
    """A flag got a value it cannot take."""


class ValidationError(Error):
    """A validator refuses a value."""


class UnparsedFlagAccessError(Error):
    """A flag is read before the command line is."""


class UnrecognizedFlagError(Error):
    """The command line has a flag that nobody defined."""

    def __init__(self, flagname: str, flagvalue: str = "", suggestions: Sequence[str] = ()) -> None:
        self.flagname, self.flagvalue = flagname, flagvalue
        tip = f". Did you mean: {', '.join(suggestions)} ?" if suggestions else ""
        super().__init__(f"Unknown command line flag '{flagname}'{tip}")


class Flag:
    """A flag: its value, what it was by default, and how text becomes a value.

    Attributes
    ----------
    name, value, default, help, present
        `present` counts how often the command line had it.
    """

    def __init__(
        self, name: str, default: Any, help: str | None, parse: Callable[[Any], Any],
        boolean: bool = False, multi: bool = False, short_name: str | None = None,
        where: str = "", type_name: str = "string",
    ) -> None:  # fmt: skip
        self.name, self.help, self.short_name = name, help or "(no help available)", short_name
        self.boolean, self.multi, self.where, self.present = boolean, multi, where, 0
        self.parser, self.type_name = parse, type_name
        self.using_default_value = True
        self.default: Any = None
        self.set_default(default)

    def convert(self, argument: Any) -> Any:
        """The value that `argument` means."""
        try:
            if self.multi:
                many = argument if isinstance(argument, (list, tuple)) else [argument]
                return [self.parser(a) for a in many]
            return self.parser(argument)
        except (TypeError, ValueError) as e:
            raise IllegalFlagValueError(f"flag --{self.name}={argument}: {e}") from None

    def set_default(self, value: Any) -> None:
        self.default = None if value is None else self.convert(value)
        if self.using_default_value:
            self.value = self.default

    def parse(self, argument: Any) -> None:
        """Take a value from the command line."""
        value = self.convert(argument)
        self.value = [*self.value, *value] if self.multi and self.present else value
        self.present += 1
        self.using_default_value = False

    def unparse(self) -> None:
        self.value, self.present, self.using_default_value = self.default, 0, True

    def serialize(self) -> str:
        """The flag as the command line would have it."""
        if self.value is None:
            return ""
        if self.boolean:
            return f"--{'' if self.value else 'no'}{self.name}"
        if self.multi:
            return "\n".join(f"--{self.name}={v}" for v in self.value)
        if isinstance(self.value, list):
            return f"--{self.name}={','.join(self.value)}"
        return f"--{self.name}={self.value}"


class FlagValues:
    """All flags by name; a flag is an attribute. Reading one parses ``sys.argv`` if need be."""

    def __init__(self) -> None:
        self.__dict__.update(_flags={}, _alias={}, _parsed=False, _checks=[])

    # ---- as a mapping of Flag objects
    def __getitem__(self, name: str) -> Flag:
        found: Flag = self._flags[self._alias.get(name, name)]
        return found

    def __setitem__(self, name: str, flag: Flag) -> None:
        for key in filter(None, (name, flag.short_name)):
            if key in self:
                old = self[key]
                raise DuplicateFlagError(
                    f"The flag '{key}' is defined twice. First from {old.where}, Second from "
                    f"{flag.where}.  Description from first occurrence: {old.help}"
                )
        self._flags[name] = flag
        if flag.short_name:
            self._alias[flag.short_name] = name

    def __contains__(self, name: object) -> bool:
        return name in self._flags or name in self._alias

    def __iter__(self) -> Iterator[str]:
        return iter(self._flags)

    def __len__(self) -> int:
        return len(self._flags)

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *self._flags])

    # ---- as attributes
    def __getattr__(self, name: str) -> Any:
        if name == "__flags":
            return self._flags
        if name.startswith("_") or name not in self:
            raise AttributeError(name)
        if not self._parsed:
            self(sys.argv)
        return self[name].value

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self:
            raise AttributeError(
                f"there is no flag {name!r}: define it with tf.flags.DEFINE_… before setting it"
            )
        self[name].value = value
        self[name].using_default_value = False
        self._check(only=name)

    def __delattr__(self, name: str) -> None:
        if name not in self._flags:
            raise AttributeError(name)
        del self._flags[name]
        for short in [s for s, full in self._alias.items() if full == name]:
            del self._alias[short]

    def set_default(self, name: str, value: Any) -> None:
        if name not in self:
            raise AttributeError(name)
        self[name].set_default(value)
        self._check(only=name)

    def flag_values_dict(self) -> dict[str, Any]:
        return {name: flag.value for name, flag in self._flags.items()}

    def flags_into_string(self) -> str:
        rows = (flag.serialize() for flag in self._flags.values())
        return "".join(row + "\n" for row in rows if row)

    def append_flag_values(self, other: FlagValues) -> None:
        for name in other:
            self[name] = other[name]

    def remove_flag_values(self, names: Iterable[str]) -> None:
        for name in list(names):
            delattr(self, name)

    def get_flag_value(self, name: str, default: Any) -> Any:
        value = self[name].value if name in self else None
        return default if value is None else value

    def is_parsed(self) -> bool:
        return bool(self._parsed)

    def mark_as_parsed(self) -> None:
        self.__dict__["_parsed"] = True

    def unparse_flags(self) -> None:
        for flag in self._flags.values():
            flag.unparse()
        self.__dict__["_parsed"] = False

    # ---- the command line
    def __call__(self, argv: Sequence[str], known_only: bool = False) -> list[str]:
        """Read the flags in `argv`; its first element and what is no flag come back."""
        if not argv:
            raise ValueError("argv cannot be an empty list, and must contain the program name")
        rest, unknown, args, lenient = [argv[0]], [], list(argv[1:]), set[str]()
        while args:
            arg = args.pop(0)
            if arg == "--":
                rest += ["--", *args] if known_only else args
                break
            if not arg.startswith("-") or arg == "-":
                rest.append(arg)
            elif not self._take(arg, args, lenient):
                unknown.append(arg)
                rest.append(arg)
        bad = [a for a in unknown if a.lstrip("-").partition("=")[0] not in lenient]
        if bad and not known_only:
            name, _, value = bad[0].lstrip("-").partition("=")
            import difflib

            raise UnrecognizedFlagError(name, value, difflib.get_close_matches(name, self, 3))
        if not known_only:
            rest = [a for a in rest if a not in unknown]
        self.mark_as_parsed()
        self._check()
        return rest

    def _take(self, arg: str, args: list[str], lenient: set[str]) -> bool:
        """Read the flag `arg`, its value perhaps from `args`; False for an unknown one."""
        name, given, value = arg.lstrip("-").partition("=")
        if name == "undefok":
            lenient.update((value if given else args.pop(0)).split(","))
            return True
        if name == "flagfile":
            args[0:0] = _flagfile(value if given else args.pop(0))
            return True
        if name in self and self[name].boolean:
            self[name].parse(value if given else True)
            return True
        if not given and name.startswith("no") and name[2:] in self and self[name[2:]].boolean:
            self[name[2:]].parse(False)
            return True
        if name not in self:
            return False
        if not given and not args:
            raise Error(f"Missing value for flag {arg}")
        self[name].parse(value if given else args.pop(0))
        return True

    # ---- checks
    def _check(self, only: str | None = None) -> None:
        for names, check, message, one in self._checks:
            if only is not None and only not in names:
                continue
            values = {n: self[n].value for n in names}
            shown = ", ".join(f"flag --{n}={v}" for n, v in values.items())
            try:
                good = check(next(iter(values.values())) if one else values)
            except ValidationError as e:
                raise IllegalFlagValueError(f"{shown}: {e}") from None
            if not good:
                raise IllegalFlagValueError(f"{shown}: {message}")

    def validate_all_flags(self) -> None:
        self._check()

    # ---- help
    def main_module_help(self) -> str:
        return self.get_help()

    def get_help(self, prefix: str = "") -> str:
        """A paragraph for each flag."""
        out = []
        for name in sorted(self._flags):
            flag = self[name]
            dashes = f"-{flag.short_name},--" if flag.short_name else "--"
            head = f"{prefix}  {dashes}{'[no]' if flag.boolean else ''}{name}: {flag.help}"
            out += textwrap.wrap(head, 80, subsequent_indent=prefix + "    ")
            if flag.multi:
                out.append(f"{prefix}    repeat this option to specify a list of values")
            if flag.default is not None:
                shown = flag.default
                if isinstance(shown, bool):
                    shown = str(shown).lower()
                elif isinstance(shown, list) and not flag.multi:
                    shown = ",".join(shown)
                out.append(f"{prefix}    (default: '{shown}')")
            if flag.type_name not in ("string", "bool"):
                out.append(f"{prefix}    ({flag.type_name})")
        return "\n".join(out)

    __str__ = get_help


def _flagfile(path: str) -> list[str]:
    with open(path, encoding="utf-8") as f:
        lines = (line.strip() for line in f)
        return [s for s in lines if s and not s.startswith(("#", "//"))]


FLAGS = FlagValues()


class FlagHolder:
    """What ``DEFINE_…`` gives: the flag's name, value and default."""

    def __init__(self, values: FlagValues, flag: Flag) -> None:
        self._values, self._flag = values, flag

    @property
    def name(self) -> str:
        return self._flag.name

    @property
    def value(self) -> Any:
        return getattr(self._values, self._flag.name)

    @property
    def default(self) -> Any:
        return self._flag.default
