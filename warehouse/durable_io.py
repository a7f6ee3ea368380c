"""PyIceberg's file access with fsync: metadata and manifests reach the disk before the catalogue points at them.

PyIceberg 0.12 fsyncs only its SQLite catalogue; after a power cut the durable catalogue could point at an empty file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from warehouse.files import fsync_path, storage_errors


class _DurableStream:
    """An output stream that fsyncs its file and folder when it is closed."""

    def __init__(self, stream: Any, path: Path) -> None:
        self._stream = stream
        self._path = path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> _DurableStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close, then force the file and its folder's entry to the disk."""
        if self._stream.closed:
            return
        with storage_errors(self._path):
            self._stream.close()
            fsync_path(self._path)
            fsync_path(self._path.parent)


class _DurableFile(PyArrowFile):
    def create(self, overwrite: bool = False) -> Any:
        return _DurableStream(super().create(overwrite=overwrite), Path(self.location.removeprefix("file://")))


class DurableFileIO(PyArrowFileIO):
    """PyArrowFileIO whose local outputs are fsynced on close; other stores keep their own promise."""

    def new_output(self, location: str) -> PyArrowFile:
        """An output file at a location; durable when it is a local one."""
        scheme, netloc, path = self.parse_location(location, self.properties)
        kind = _DurableFile if scheme == "file" else PyArrowFile
        return kind(fs=self.fs_by_scheme(scheme, netloc), location=location, path=path, buffer_size=1 << 20)
