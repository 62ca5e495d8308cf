"""Reports for tests, and a headless Chromium that is spoken to through a pipe.

``python tests/see/reports.py step.html picture.png "h_fc1 =" asm`` takes a picture of a report with
the first line pinned that has a text, and the assembly of its slowest kernel at the instructions of
that line: the one in the README is made so (of `samples/mnist_cnn.py --steps 20`).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphc as tf
from graphc.see.report.compiled import Limits
from graphc.see.report.gather import gather

__all__ = ["Browser", "browser", "chromium", "gathered", "training"]


def training():
    """Fetches, feeds and graph of a small training step."""
    with tf.Graph().as_default() as g:
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        with tf.name_scope("layer"):
            w = tf.get_variable("w", [8, 4])
            h = tf.nn.relu(tf.matmul(x, w, name="product") * 1.0, name="act")
        _, y = tf.while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, y * 2.0 + h), [0, h])
        loss = tf.reduce_mean(tf.square(y, name="sq"), name="loss")
        train = tf.train.AdamOptimizer(0.1).minimize(loss, name="train")
    return g, [loss, train], {x: [[0.5] * 8] * 6}


def gathered(**options: Any) -> dict[str, Any]:
    """The data of the training step, run in a session."""
    g, fetches, feed = training()
    with g.as_default(), tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return gather(fetches, feed, sess, limits=Limits(), runs=2, **options)


# ------------------------------------------------------------------------------ the browser

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def chromium() -> str | None:
    """The program, where there is one."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


class Browser:
    """A page in a headless Chromium, by its DevTools protocol over two pipes."""

    def __init__(self, program: str, folder: str) -> None:
        self.ids = 0
        self.buffer = b""
        self.console: list[str] = []
        down, self.down = os.pipe()
        self.up, up = os.pipe()

        def ends() -> None:  # the protocol is spoken on descriptors 3 and 4
            a, b = os.dup(down), os.dup(up)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={folder}",
             "--window-size=1200,800", "--hide-scrollbars", "about:blank"],
            preexec_fn=ends, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        os.close(down)
        os.close(up)
        self.session = ""
        made = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=made, flatten=True)["sessionId"]
        for domain in ("Runtime", "Page", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser and all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.down)
        os.close(self.up)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol."""
        self.ids += 1
        message: dict[str, Any] = {"id": self.ids, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.down, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 60
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == self.ids:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def receive(self, deadline: float) -> dict[str, Any]:
        """The next message; events of trouble are kept in `console`."""
        while b"\0" not in self.buffer:
            if not select.select([self.up], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self.up, 1 << 16)
            if not piece:
                raise RuntimeError("the browser has ended")
            self.buffer += piece
        raw, _, self.buffer = self.buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        what = message.get("method", "")
        if what == "Runtime.exceptionThrown":
            thrown = message["params"]["exceptionDetails"]
            self.console.append(thrown.get("exception", {}).get("description", str(thrown)))
        if what == "Log.entryAdded":
            self.console.append(json.dumps(message["params"]))
        if what == "Runtime.consoleAPICalled" and message["params"]["type"] in ("error", "assert"):
            self.console.append(json.dumps(message["params"]))
        return message

    def open(self, file: os.PathLike[str] | str, more: str = "") -> int:
        """Open a report; the milliseconds until it could be used."""
        self.console.clear()
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=f"file://{os.path.abspath(file)}{more}")
        return int(self.until("document.body && document.body.dataset.ready"))

    def do(self, script: str) -> Any:
        """The value of an expression in the page."""
        got = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in got:
            raise AssertionError(f"{script}: {json.dumps(got['exceptionDetails'])[:2000]}")
        return got["result"].get("value")

    def until(self, script: str, seconds: float = 20) -> Any:
        """Wait until an expression is true; its value."""
        end = time.monotonic() + seconds
        script = f"(x => x instanceof Node || x)({script})"
        while not (found := self.do(script)):
            if time.monotonic() > end:
                failed = self.do("document.body && document.body.dataset.failed")
                raise AssertionError(f"never true: {script}; {failed}; {self.console}")
            time.sleep(0.02)
        return found

    def click(self, selector: str, number: int = 0) -> None:
        """Click in the middle of an element, with a real mouse event."""
        self.mouse("mouseMoved", selector, number)
        self.mouse("mousePressed", selector, number)
        self.mouse("mouseReleased", selector, number)

    def mouse(self, kind: str, selector: str, number: int = 0) -> None:
        """A mouse event in an element (or its first 60 pixels, if it is longer)."""
        box = self.do(
            f"(() => {{ const e = document.querySelectorAll({json.dumps(selector)})[{number}];"
            "if (!e) return null; e.scrollIntoView({block: 'nearest'});"
            "const r = e.getBoundingClientRect();"
            "return [r.left + Math.min(r.width / 2, 60), r.top + r.height / 2] })()"
        )
        assert box is not None, f"there is no {selector} number {number}"
        more = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], **more)

    def choose(self, selector: str, value: Any) -> None:
        """Give a field or a choice a value, as a user does."""
        self.do(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            f"e.value = {json.dumps(value)};"
            "e.dispatchEvent(new Event('input')); e.dispatchEvent(new Event('change')) })()"
        )

    def picture(self) -> bytes:
        """What is seen, as a PNG."""
        time.sleep(0.3)  # frames of the browser
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A browser, or the test is skipped."""
    program = chromium()
    if program is None:
        pytest.skip(f"needs a Chromium: one of {', '.join(_NAMES)} (or its path in CHROMIUM)")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        b = Browser(program, folder)
        try:
            yield b
        finally:
            b.close()


def take_picture(file: str, to: str, text: str, tab: str = "why") -> None:
    """A picture of a report, 1200 pixels wide; `tab` is what is shown of the kernel."""
    with browser() as b:
        size = {"width": 1200, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        b.call("Emulation.setDeviceMetricsOverride", **size)
        b.open(file, "#stage=simplify")
        line = (
            "report.data.lines.findIndex(([f, n]) => report.data.files[f].pieces.some(([a, t]) =>"
            f" (t[n - a] || '').includes({json.dumps(text)})))"
        )
        b.do(f"report.pin({{kind: 'line', id: {line}}})")
        b.click(f"#texts [data-text={tab}]")
        b.until(f"report.shown.text === {json.dumps(tab)}")
        b.do("document.activeElement.blur()")
        b.mouse("mouseMoved", ".logo")
        Path(to).write_bytes(b.picture())
    with contextlib.suppress(ImportError):
        from PIL import Image

        Image.open(to).convert("RGB").quantize(192, dither=Image.Dither.NONE).save(
            to, optimize=True
        )


if __name__ == "__main__":
    take_picture(*sys.argv[1:])
