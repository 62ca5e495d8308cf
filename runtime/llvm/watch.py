"""What kernels look for in the floats that they store (`Fn.look`)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NOTHING", "SMALL", "Watch", "least"]


#: Numbers of buffers of which more is wanted than that they are finite are below two to this.
SMALL = 20


@dataclass(frozen=True)
class Watch:
    """Buffers of a kernel whose floats it looks at, and what for.

    Attributes
    ----------
    names : frozenset of str
        Parameters of the kernel. A matrix product looks at all its results, if there are any.
    small : frozenset of str
        Those in which a number from ``2**SMALL`` on is too large; in others infinities and NaN.
    word : int
        0: the kernel returns `NOT_FINITE`. Else the argument word with the address of a byte, which
        it sets to one, and goes on.
    """

    names: frozenset[str] = frozenset()
    small: frozenset[str] = frozenset()
    word: int = 0

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __bool__(self) -> bool:
        return bool(self.names)


NOTHING = Watch()


def least(bits: int, small: bool) -> int:
    """From where on the bits of a float of that many bits, without sign, are too large."""
    digits, bias = {16: (10, 15), 32: (23, 127), 64: (52, 1023)}[bits]
    most = 2 * bias + 1
    return (min(bias + SMALL, most) if small else most) << digits
