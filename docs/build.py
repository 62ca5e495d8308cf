"""Build the site: ``python docs/build.py [folder]``, by default ``site/``. Warnings are errors.

Pages are copied and generated into a temporary folder: nothing is written beside the sources.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(DOCS))

#: Documents of the project that are pages of the site, and what their links become.
SHARED = {"ARCHITECTURE.md": "architecture.md", "CONTRIBUTING.md": "contributing.md"}


def stage(target: Path) -> None:
    """Every source of the site in one folder."""
    import reference

    for path in [*DOCS.glob("*.md"), DOCS / "conf.py", DOCS / "live.py"]:
        shutil.copy(path, target)
    for name, page in SHARED.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        for other, link in SHARED.items():
            text = text.replace(f"]({other})", f"]({link})")
        (target / page).write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "tests" / "see" / "users", target / "users")
    reference.write(target / "reference")


def main() -> int:
    """Build; the exit status of sphinx."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", nargs="?", type=Path, default=Path("site"))
    out = parser.parse_args().out.resolve()
    with tempfile.TemporaryDirectory() as folder:
        stage(Path(folder))
        command = [
            sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html",
            "-d", f"{folder}/.doctrees", folder, str(out),
        ]  # fmt: skip
        status = subprocess.run(command, check=False).returncode
    if not status:
        print(f"{out / 'index.html'}: {len(list(out.rglob('*.html')))} pages")
    return status


if __name__ == "__main__":
    sys.exit(main())
