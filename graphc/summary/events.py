"""The writer of event files that programs reach through ``pywrap_tensorflow``."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

from graphc.checkpoint.records import TFRecordWriter
from graphc.proto import message

__all__ = ["EventsWriter"]


class EventsWriter:
    """Writes events to a file ``<prefix>.out.tfevents.<seconds>.<host>``.

    Parameters
    ----------
    file_prefix : str or bytes
        The path of the file up to that; its folder must exist.
    """

    def __init__(self, file_prefix: str | bytes) -> None:
        self._prefix = os.fsdecode(file_prefix)
        self._suffix = ""
        self._path = ""
        self._file: TFRecordWriter | None = None

    def InitWithSuffix(self, suffix: str | bytes) -> bool:
        """Open the file under a name with `suffix` behind it."""
        self._suffix = os.fsdecode(suffix)
        return self.Init()

    def Init(self) -> bool:
        """Open the file, if it is not open."""
        if self._file is None:
            stamp = f".out.tfevents.{int(time.time()):010d}.{socket.gethostname()}"
            self._path = self._prefix + stamp + self._suffix
            self._file = TFRecordWriter(self._path)
            version = message("Event")(wall_time=time.time(), file_version="brain.Event:2")
            self._file.write(version.SerializeToString())
        return True

    def FileName(self) -> bytes:
        """The path of the file, which is made if need be."""
        self.Init()
        return os.fsencode(self._path)

    def WriteEvent(self, event: Any) -> None:
        """Append an ``Event`` message."""
        self._WriteSerializedEvent(event.SerializeToString())

    def _WriteSerializedEvent(self, event: bytes) -> None:
        self.Init()
        assert self._file is not None
        self._file.write(event)

    def Flush(self) -> bool:
        """Hand all events to the system."""
        if self._file is not None:
            self._file.flush()
        return True

    def Close(self) -> bool:
        """Finish the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
        return True
