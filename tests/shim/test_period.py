"""Names of Pillow that programs of TensorFlow 1's days use, with a package in its place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MODULES = {
    "__init__": "",
    "Image": "LANCZOS, BILINEAR, BICUBIC = 1, 2, 3\nCUBIC = 'own'",
    "ImageFont": """
class FreeTypeFont:
    def getbbox(self, text, direction=None):
        return (1, 3, 1 + 6 * len(text), 12)
    def getsize(self, text):
        return "own"
class ImageFont:
    def getbbox(self, text):
        return (0, 2, 6 * len(text), 11)
""",
    "ImageDraw": """
class ImageDraw:
    def textbbox(self, at, text, font=None, anchor=None, spacing=4):
        return (*at, 6 * len(text), 11 + spacing)
""",
}

PROGRAM = """
import sys
assert not [m for m in sys.modules if m.startswith("PIL")]
from PIL import Image, ImageDraw, ImageFont
assert (Image.ANTIALIAS, Image.LINEAR, Image.CUBIC) == (1, 2, "own")
assert ImageFont.ImageFont().getsize("abc") == (18, 11)
assert ImageFont.FreeTypeFont().getsize("abc") == "own"
assert ImageDraw.ImageDraw().textsize("abc") == (18, 15)
assert ImageDraw.ImageDraw().textsize("abc", spacing=1) == (18, 12)
try:
    import PIL.ImageNone
except ImportError as e:
    print("ran:", e)
"""


def test_old_names_of_pillow_are_there_once_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "PIL").mkdir()
    for name, text in MODULES.items():
        (tmp_path / "PIL" / f"{name}.py").write_text(text)
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "graphc", "run", str(tmp_path / "program.py")], check=False,
        capture_output=True, text=True, timeout=300, env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "No module named 'PIL.ImageNone'" in done.stdout
