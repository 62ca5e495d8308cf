"""Regular expressions match and rewrite as TF 1.15's do; parts of strings and lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

TEXTS = ["abc12de3", "", "x9", "é9é", "日本 x\n", b"\xff\xfe9a", "a]:b"]

#: Pattern, rewrite, all and first matches of each of the texts rewritten, which match as a whole.
ROWS: list[tuple[str, str, list[bytes], list[bytes], str]] = [
    (
        "9",
        "a\\1b",
        [
            b"abc12de3",
            b"",
            b"xab",
            b"\xc3\xa9ab\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfeaba",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"xab",
            b"\xc3\xa9ab\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfeaba",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "9",
        "a\\nb",
        [
            b"abc12de3",
            b"",
            b"xa",
            b"\xc3\xa9a\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfeaa",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "9",
        "a\\",
        [
            b"abc12de3",
            b"",
            b"xa",
            b"\xc3\xa9a\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfeaa",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "9",
        "\\\\",
        [
            b"abc12de3",
            b"",
            b"x\\",
            b"\xc3\xa9\\\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe\\a",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x\\",
            b"\xc3\xa9\\\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe\\a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "([a-z]+)([0-9])",
        "\\2-\\1",
        [
            b"1-abc23-de",
            b"",
            b"9-x",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        [
            b"1-abc2de3",
            b"",
            b"9-x",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0010000",
    ),
    (
        "(9)",
        "a\\1\\2b",
        [
            b"abc12de3",
            b"",
            b"xa9b",
            b"\xc3\xa9a9b\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfea9ba",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"xa9b",
            b"\xc3\xa9a9b\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfea9ba",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        ".",
        "-",
        [b"--------", b"", b"--", b"---", b"----\n", b"\xff\xfe--", b"----"],
        [b"-bc12de3", b"", b"-9", b"-9\xc3\xa9", b"-\xe6\x9c\xac x\n", b"\xff\xfe-a", b"-]:b"],
        "0000000",
    ),
    (
        "[^a]",
        "-",
        [b"a-------", b"", b"--", b"---", b"-----", b"\xff\xfe-a", b"a---"],
        [b"a-c12de3", b"", b"-9", b"-9\xc3\xa9", b"-\xe6\x9c\xac x\n", b"\xff\xfe-a", b"a-:b"],
        "0000000",
    ),
    (
        "é",
        "e",
        [b"abc12de3", b"", b"x9", b"e9e", b"\xe6\x97\xa5\xe6\x9c\xac x\n", b"\xff\xfe9a", b"a]:b"],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"e9\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "[é日]",
        "e",
        [b"abc12de3", b"", b"x9", b"e9e", b"e\xe6\x9c\xac x\n", b"\xff\xfe9a", b"a]:b"],
        [b"abc12de3", b"", b"x9", b"e9\xc3\xa9", b"e\xe6\x9c\xac x\n", b"\xff\xfe9a", b"a]:b"],
        "0000000",
    ),
    (
        "\\w",
        "-",
        [
            b"--------",
            b"",
            b"--",
            b"\xc3\xa9-\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac -\n",
            b"\xff\xfe--",
            b"-]:-",
        ],
        [
            b"-bc12de3",
            b"",
            b"-9",
            b"\xc3\xa9-\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac -\n",
            b"\xff\xfe-a",
            b"-]:b",
        ],
        "0000000",
    ),
    (
        "\\W",
        "-",
        [b"abc12de3", b"", b"x9", b"-9-", b"---x-", b"\xff\xfe9a", b"a--b"],
        [b"abc12de3", b"", b"x9", b"-9\xc3\xa9", b"-\xe6\x9c\xac x\n", b"\xff\xfe9a", b"a-:b"],
        "0000000",
    ),
    (
        "[[:alpha:]]",
        "-",
        [
            b"---12--3",
            b"",
            b"-9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac -\n",
            b"\xff\xfe9-",
            b"-]:-",
        ],
        [
            b"-bc12de3",
            b"",
            b"-9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac -\n",
            b"\xff\xfe9-",
            b"-]:b",
        ],
        "0000000",
    ),
    (
        "[^[:alpha:][:digit:]]+",
        "-",
        [b"abc12de3", b"", b"x9", b"-9-", b"-x-", b"\xff\xfe9a", b"a-b"],
        [b"abc12de3", b"", b"x9", b"-9\xc3\xa9", b"-x\n", b"\xff\xfe9a", b"a-b"],
        "0000000",
    ),
    (
        "[[:punct:]]",
        "-",
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a--b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a-:b",
        ],
        "0000000",
    ),
    (
        "x$",
        "-",
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "(?m)x$",
        "-",
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac -\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac -\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "x\\z",
        "-",
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "[$]",
        "-",
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "\\s",
        "-",
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac-x-",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac-x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "",
        "-",
        [
            b"-a-b-c-1-2-d-e-3-",
            b"-",
            b"-x-9-",
            b"-\xc3\xa9-9-\xc3\xa9-",
            b"-\xe6\x97\xa5-\xe6\x9c\xac- -x-\n-",
            b"-\xff-\xfe-9-a-",
            b"-a-]-:-b-",
        ],
        [
            b"-abc12de3",
            b"-",
            b"-x9",
            b"-\xc3\xa99\xc3\xa9",
            b"-\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"-\xff\xfe9a",
            b"-a]:b",
        ],
        "0100000",
    ),
    (
        "a*",
        "-",
        [
            b"-b-c-1-2-d-e-3-",
            b"-",
            b"-x-9-",
            b"-\xc3\xa9-9-\xc3\xa9-",
            b"-\xe6\x97\xa5-\xe6\x9c\xac- -x-\n-",
            b"-\xff-\xfe-9-",
            b"-]-:-b-",
        ],
        [
            b"-bc12de3",
            b"-",
            b"-x9",
            b"-\xc3\xa99\xc3\xa9",
            b"-\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"-\xff\xfe9a",
            b"-]:b",
        ],
        "0100000",
    ),
    (
        "(?i)É",
        "-",
        [b"abc12de3", b"", b"x9", b"-9-", b"\xe6\x97\xa5\xe6\x9c\xac x\n", b"\xff\xfe9a", b"a]:b"],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"-9\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "a|(?i)B|X",
        "-",
        [
            b"--c12de3",
            b"",
            b"-9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac -\n",
            b"\xff\xfe9-",
            b"-]:-",
        ],
        [
            b"-bc12de3",
            b"",
            b"-9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac -\n",
            b"\xff\xfe9-",
            b"-]:b",
        ],
        "0000000",
    ),
    (
        "\\pL",
        "-",
        [b"---12--3", b"", b"-9", b"-9-", b"-- -\n", b"\xff\xfe9-", b"-]:-"],
        [b"-bc12de3", b"", b"-9", b"-9\xc3\xa9", b"-\xe6\x9c\xac x\n", b"\xff\xfe9-", b"-]:b"],
        "0000000",
    ),
    (
        "\\P{L}",
        "-",
        [
            b"abc--de-",
            b"",
            b"x-",
            b"\xc3\xa9-\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac-x-",
            b"\xff\xfe-a",
            b"a--b",
        ],
        [
            b"abc-2de3",
            b"",
            b"x-",
            b"\xc3\xa9-\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac-x\n",
            b"\xff\xfe-a",
            b"a-:b",
        ],
        "0000000",
    ),
    (
        "[\\d\\w]+",
        "+",
        [
            b"+",
            b"",
            b"+",
            b"\xc3\xa9+\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac +\n",
            b"\xff\xfe+",
            b"+]:+",
        ],
        [
            b"+",
            b"",
            b"+",
            b"\xc3\xa9+\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac +\n",
            b"\xff\xfe+",
            b"+]:b",
        ],
        "1010000",
    ),
    (
        "[[:^alpha:]]",
        "-",
        [b"abc--de-", b"", b"x-", b"---", b"---x-", b"\xff\xfe-a", b"a--b"],
        [b"abc-2de3", b"", b"x-", b"-9\xc3\xa9", b"-\xe6\x9c\xac x\n", b"\xff\xfe-a", b"a-:b"],
        "0000000",
    ),
    (
        "\\b",
        "|",
        [
            b"|abc12de3|",
            b"",
            b"|x9|",
            b"\xc3\xa9|9|\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac |x|\n",
            b"\xff\xfe|9a|",
            b"|a|]:|b|",
        ],
        [
            b"|abc12de3",
            b"",
            b"|x9",
            b"\xc3\xa9|9\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac |x\n",
            b"\xff\xfe|9a",
            b"|a]:b",
        ],
        "0000000",
    ),
    (
        "[[:word:]]",
        "-",
        [
            b"--------",
            b"",
            b"--",
            b"\xc3\xa9-\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac -\n",
            b"\xff\xfe--",
            b"-]:-",
        ],
        [
            b"-bc12de3",
            b"",
            b"-9",
            b"\xc3\xa9-\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac -\n",
            b"\xff\xfe-a",
            b"-]:b",
        ],
        "0000000",
    ),
    (
        "(?P<n>x)",
        "\\1\\1",
        [
            b"abc12de3",
            b"",
            b"xx9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac xx\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"xx9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac xx\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "[]a]",
        "-",
        [
            b"-bc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9-",
            b"--:b",
        ],
        [
            b"-bc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9-",
            b"-]:b",
        ],
        "0000000",
    ),
    (
        "[^]a]",
        "-",
        [b"a-------", b"", b"--", b"---", b"-----", b"\xff\xfe-a", b"a]--"],
        [b"a-c12de3", b"", b"-9", b"-9\xc3\xa9", b"-\xe6\x9c\xac x\n", b"\xff\xfe-a", b"a]-b"],
        "0000000",
    ),
    (
        "\\Qa]\\E",
        "-",
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"-:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"-:b",
        ],
        "0000000",
    ),
    (
        "\\x{65e5}",
        "-",
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"-\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"-\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "é*",
        "-",
        [
            b"-a-b-c-1-2-d-e-3-",
            b"-",
            b"-x-9-",
            b"-9-",
            b"-\xe6\x97\xa5-\xe6\x9c\xac- -x-\n-",
            b"-\xff-\xfe-9-a-",
            b"-a-]-:-b-",
        ],
        [
            b"-abc12de3",
            b"-",
            b"-x9",
            b"-9\xc3\xa9",
            b"-\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"-\xff\xfe9a",
            b"-a]:b",
        ],
        "0100000",
    ),
    (
        "|9",
        "-",
        [
            b"-a-b-c-1-2-d-e-3-",
            b"-",
            b"-x-9-",
            b"-\xc3\xa9-9-\xc3\xa9-",
            b"-\xe6\x97\xa5-\xe6\x9c\xac- -x-\n-",
            b"-\xff-\xfe-9-a-",
            b"-a-]-:-b-",
        ],
        [
            b"-abc12de3",
            b"-",
            b"-x9",
            b"-\xc3\xa99\xc3\xa9",
            b"-\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"-\xff\xfe9a",
            b"-a]:b",
        ],
        "0100000",
    ),
    (
        "(?s).",
        "-",
        [b"--------", b"", b"--", b"---", b"-----", b"\xff\xfe--", b"----"],
        [b"-bc12de3", b"", b"-9", b"-9\xc3\xa9", b"-\xe6\x9c\xac x\n", b"\xff\xfe-a", b"-]:b"],
        "0000000",
    ),
    (
        "(?-s:.)x",
        "-",
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac-\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac-\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "x{2",
        "-",
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "a{,2}",
        "-",
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9a",
            b"a]:b",
        ],
        "0000000",
    ),
    (
        "[\\D]",
        "-",
        [b"---12--3", b"", b"-9", b"-9-", b"-----", b"\xff\xfe9-", b"----"],
        [b"-bc12de3", b"", b"-9", b"-9\xc3\xa9", b"-\xe6\x9c\xac x\n", b"\xff\xfe9-", b"-]:b"],
        "0000000",
    ),
    (
        "[a-c-]",
        "-",
        [
            b"---12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9-",
            b"-]:-",
        ],
        [
            b"-bc12de3",
            b"",
            b"x9",
            b"\xc3\xa99\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe9-",
            b"-]:b",
        ],
        "0000000",
    ),
    (
        "\\141|\\x39",
        "-",
        [
            b"-bc12de3",
            b"",
            b"x-",
            b"\xc3\xa9-\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe--",
            b"-]:b",
        ],
        [
            b"-bc12de3",
            b"",
            b"x-",
            b"\xc3\xa9-\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe-a",
            b"-]:b",
        ],
        "0000000",
    ),
    (
        "^|$",
        "|",
        [
            b"|abc12de3|",
            b"|",
            b"|x9|",
            b"|\xc3\xa99\xc3\xa9|",
            b"|\xe6\x97\xa5\xe6\x9c\xac x\n|",
            b"|\xff\xfe9a|",
            b"|a]:b|",
        ],
        [
            b"|abc12de3",
            b"|",
            b"|x9",
            b"|\xc3\xa99\xc3\xa9",
            b"|\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"|\xff\xfe9a",
            b"|a]:b",
        ],
        "0100000",
    ),
    (
        "(z)?9",
        "<\\1>",
        [
            b"abc12de3",
            b"",
            b"x<>",
            b"\xc3\xa9<>\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe<>a",
            b"a]:b",
        ],
        [
            b"abc12de3",
            b"",
            b"x<>",
            b"\xc3\xa9<>\xc3\xa9",
            b"\xe6\x97\xa5\xe6\x9c\xac x\n",
            b"\xff\xfe<>a",
            b"a]:b",
        ],
        "0000000",
    ),
]

ERRORS = [
    ("x\\Z", "Invalid pattern: x\\Z, error: invalid escape sequence: \\Z"),
    ("x(?=9)", "Invalid pattern: x(?=9), error: invalid perl operator: (?="),
    ("(", "Invalid pattern: (, error: missing ): ("),
    ("a**", "Invalid pattern: a**, error: bad repetition operator: **"),
    ("a++", "Invalid pattern: a++, error: bad repetition operator: ++"),
    ("(?<=a)b", "Invalid pattern: (?<=a)b, error: invalid perl operator: (?<"),
    ("(a)\\1", "Invalid pattern: (a)\\1, error: invalid escape sequence: \\1"),
    ("[b-a]", "Invalid pattern: [b-a], error: invalid character class range: b-a"),
    (")", "Invalid pattern: ), error: missing ): )"),
    ("a\\", "Invalid pattern: a\\, error: trailing \\"),
    ("*", "Invalid pattern: *, error: no argument for repetition operator: *"),
    ("x{1001}", "Invalid pattern: x{1001}, error: invalid repetition size: {1001}"),
    ("(?#c)a", "Invalid pattern: (?#c)a, error: invalid perl operator: (?#"),
    ("(?>a)", "Invalid pattern: (?>a), error: invalid perl operator: (?>"),
]


def run(make: Any) -> Any:
    with tf.Graph().as_default(), tf.Session() as s:
        return s.run(make()).tolist()


@pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])
def test_matches(row: Any) -> None:
    pattern, rewrite, every, first, whole = row
    assert run(lambda: tf.strings.regex_replace(TEXTS, pattern, rewrite)) == every
    one = run(lambda: tf.strings.regex_replace(TEXTS, pattern, rewrite, replace_global=False))
    assert one == first
    found = run(lambda: tf.strings.regex_full_match(TEXTS, pattern))
    assert "".join("01"[v] for v in found) == whole


def test_texts_with_zeros_and_none_at_all() -> None:
    texts = [b"a\0b", b"\0", b"aa"]
    assert run(lambda: tf.strings.regex_replace(texts, "a", "\0")) == [b"\0\0b", b"\0", b"\0\0"]
    none = tf.strings.regex_replace
    assert run(lambda: none(tf.constant([], tf.string), "a", "b")) == []
    assert run(lambda: tf.strings.regex_full_match(tf.constant([], tf.string), "a")) == []


@pytest.mark.parametrize(("pattern", "text"), ERRORS)
def test_refused(pattern: str, text: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as e:
        run(lambda: tf.strings.regex_replace(TEXTS, pattern, ""))
    assert text.split(", error")[0] in str(e.value)


@pytest.mark.parametrize("pattern", [r"\p{Greek}", "(?U)a*", r"\C"])
def test_not_there(pattern: str) -> None:
    with pytest.raises(tf.errors.UnimplementedError, match="pattern"):
        run(lambda: tf.strings.regex_replace(TEXTS, pattern, ""))


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize(("pos", "n", "expected"), [
    (0, 2, [b"he", b"wo", b"ab"]), (2, 9, [b"llo", b"rld!", b""]), (-2, 1, [b"l", b"d", b"a"]),
    (-2, 2, [b"lo", b"d!", b"ab"]), (-2, 5, [b"lo", b"d!", b"ab"]), (2, 0, [b"", b"", b""]),
    (2, -1, [b"llo", b"rld!", b""]), (-2, -1, [b"lo", b"d!", b"ab"]),
    (0, -5, [b"hello", b"world!", b"ab"]),
])  # fmt: skip
def test_parts(pos: int, n: int, expected: Any, each: bool) -> None:
    at, many = ([pos] * 3, [n] * 3) if each else (pos, n)
    assert run(lambda: tf.strings.substr(["hello", "world!", "ab"], at, many)) == expected


def test_parts_by_characters() -> None:
    texts = ["héé", "日本x"]
    by = {"unit": "UTF8_CHAR"}
    assert run(lambda: tf.strings.substr(texts, 1, 1, **by)) == ["é".encode(), "本".encode()]
    assert run(lambda: tf.strings.substr(texts, 1, -2, **by)) == [b"", b""]
    for pos, n in ((-2, -1), (4, 1)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="out of range"):
            run(lambda pos=pos, n=n: tf.strings.substr(texts, pos, n, **by))
    assert run(lambda: tf.strings.length([*texts, ""], **by)) == [3, 3, 0]


@pytest.mark.parametrize("pos", [3, -3])
@pytest.mark.parametrize("each", [False, True])
def test_no_such_part(pos: int, each: bool) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"pos {pos} out of range for string"):
        run(lambda: tf.strings.substr(["hello", "ab"], [pos] * 2 if each else pos, 1 if not each
                                      else [1, 1]))  # fmt: skip


def test_hashes_of_many_are_those_of_each() -> None:
    from graphc.ops import hashing

    rng = np.random.default_rng(1)
    texts = [rng.bytes(n) for n in [*range(80)] * 2 + [255, 256, 257, 300]]
    key = (1, 2**64 - 3)
    for made in (texts, texts[::-1], texts[:1], []):
        assert hashing.murmur64_of(made).tolist() == [hashing.murmur64(s) for s in made]
        assert hashing.sip24_of(made, key).tolist() == [hashing.sip24(s, key) for s in made]
