"""Comparisons that `tf.test.TestCase` has from the test library behind TensorFlow's own."""

from __future__ import annotations

import re
import unittest
from collections.abc import Collection, Iterable, Sequence
from typing import Any

__all__ = ["MoreAsserts"]


class MoreAsserts(unittest.TestCase):
    """Comparisons of sizes, parts and orders."""

    def assertLen(self, container: Any, expected_len: int, msg: Any = None) -> None:
        """`container` has `expected_len` elements."""
        if len(container) != expected_len:
            self._fail(
                f"{container!r} has length of {len(container)}, expected {expected_len}", msg
            )

    def assertEmpty(self, container: Collection[Any], msg: Any = None) -> None:
        """`container` has no elements."""
        if len(container):
            self._fail(f"{container!r} has length of {len(container)}", msg)

    def assertNotEmpty(self, container: Collection[Any], msg: Any = None) -> None:
        """`container` has elements."""
        if not len(container):
            self._fail(f"{container!r} has length of 0", msg)

    def assertBetween(self, value: Any, minv: Any, maxv: Any, msg: Any = None) -> None:
        """`value` is in [`minv`, `maxv`]."""
        if not minv <= value <= maxv:
            self._fail(f"{value!r} unexpectedly not between {minv!r} and {maxv!r}", msg)

    def assertContainsSubset(
        self, expected_subset: Iterable[Any], actual_set: Iterable[Any], msg: Any = None
    ) -> None:
        """All of `expected_subset` is in `actual_set`."""
        missing = set(expected_subset) - set(actual_set)
        if missing:
            self._fail(f"Missing elements {missing}", msg)

    def assertNoCommonElements(
        self, expected_seq: Iterable[Any], actual_seq: Iterable[Any], msg: Any = None
    ) -> None:
        """The two share nothing."""
        common = set(expected_seq) & set(actual_seq)
        if common:
            self._fail(f"Common elements {common}", msg)

    def assertSameElements(
        self, expected_seq: Iterable[Any], actual_seq: Iterable[Any], msg: Any = None
    ) -> None:
        """Each has every element of the other, how often makes no difference."""
        first, second = list(expected_seq), list(actual_seq)
        missing = [x for x in first if x not in second]
        more = [x for x in second if x not in first]
        if missing or more:
            self._fail(f"Expected, but missing: {missing}; unexpected, but present: {more}", msg)

    def assertSequenceAlmostEqual(
        self, expected_seq: Sequence[Any], actual_seq: Sequence[Any], places: int | None = None,
        msg: Any = None, delta: Any = None,
    ) -> None:  # fmt: skip
        """Numbers that are almost equal, one by one."""
        self.assertEqual(len(expected_seq), len(actual_seq), msg)
        for a, b in zip(expected_seq, actual_seq, strict=True):
            self.assertAlmostEqual(a, b, places, msg, delta)

    def assertSequenceStartsWith(self, prefix: Any, whole: Any, msg: Any = None) -> None:
        """`whole` begins with `prefix`: a sequence, or one element."""
        parts = list(prefix) if isinstance(prefix, Sequence) else [prefix]
        if not parts:
            self._fail("Prefix length is 0", msg)
        self.assertEqual(parts, list(whole[: len(parts)]), msg)

    def assertContainsInOrder(self, strings: Any, target: str, msg: Any = None) -> None:
        """`target` has each of `strings`, one behind the other."""
        at = 0
        for s in [strings] if isinstance(strings, str) else strings:
            found = target.find(s, at)
            if found < 0:
                self._fail(f"Did not find {s!r} in order in {target!r}", msg)
            at = found + len(s)

    def assertContainsSubsequence(
        self, container: Iterable[Any], subsequence: Iterable[Any], msg: Any = None
    ) -> None:
        """`container` has the elements of `subsequence` in their order."""
        rest = iter(container)
        for x in subsequence:
            if x not in rest:
                self._fail(f"{x!r} is not where it should be in {container!r}", msg)

    def assertTotallyOrdered(self, *groups: Iterable[Any], **kwargs: Any) -> None:
        """Elements of a group are equal, and smaller than those of later groups."""
        flat = [(i, x) for i, group in enumerate(groups) for x in group]
        for i, a in flat:
            for j, b in flat:
                self.assertEqual(a < b, i < j, kwargs.get("msg"))
                self.assertEqual(a == b, i == j, kwargs.get("msg"))

    def assertRegexMatch(self, actual_str: Any, regexes: Any, message: Any = None) -> None:
        """`actual_str` has what one of `regexes` describes."""
        if not any(re.search(r, actual_str) for r in regexes):
            self._fail(f"{actual_str!r} does not contain any of the regexes {regexes}", message)

    def assertEndsWith(self, actual: str, expected_end: str, msg: Any = None) -> None:
        """A text ends so."""
        if not actual.endswith(expected_end):
            self._fail(f"{actual!r} does not end with {expected_end!r}", msg)

    def assertNotStartsWith(self, actual: str, unexpected_start: str, msg: Any = None) -> None:
        """A text does not begin so."""
        if actual.startswith(unexpected_start):
            self._fail(f"{actual!r} does start with {unexpected_start!r}", msg)

    def assertNotEndsWith(self, actual: str, unexpected_end: str, msg: Any = None) -> None:
        """A text does not end so."""
        if actual.endswith(unexpected_end):
            self._fail(f"{actual!r} does end with {unexpected_end!r}", msg)

    def _fail(self, text: str, msg: Any) -> None:
        self.fail(self._formatMessage(msg, text))
