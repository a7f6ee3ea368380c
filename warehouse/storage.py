"""Where the bytes lie: a local folder or a bucket of an S3-compatible store, under the same names.

Belongs here: reading, writing and listing named objects, durably and atomically. What they mean (payloads, journal, tables)
does not. Names are relative, with "/" between folders: `payloads/ab/abcd….gz`. Nearly all objects are immutable; the few that
are replaced are read with `read`, never through `local`, which may keep a copy.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

from warehouse.errors import UsageError
from warehouse.files import StoreUnreachable, replacing, storage_errors, write_durably

if TYPE_CHECKING:
    from pyarrow.fs import S3FileSystem

_CONNECT_SECONDS = 10.0
_REQUEST_SECONDS = 60.0


class Storage(Protocol):
    """Named bytes. What is written is durable and whole once the call returns, and invisible before."""

    def read(self, name: str) -> bytes:
        """The bytes of that name. Raises FileNotFoundError."""

    def write(self, name: str, content: bytes) -> None:
        """Keep bytes under a name, replacing what was there."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A local temporary path to write to; what is there at the end of the block is kept under the name."""

    def put(self, name: str, path: Path) -> None:
        """Move a local temporary file in under a name."""

    def exists(self, name: str) -> bool:
        """True when something is kept under that name."""

    def list(self, folder: str, *, deep: bool = True) -> Iterator[str]:
        """The names in a folder, sorted; with those of its subfolders unless `deep` is false."""

    def leftovers(self, folder: str) -> Iterator[str]:
        """The names of temporary files in a folder and below: a writer is at work, or died."""

    def age(self, name: str) -> float:
        """Seconds since that name was last written. Raises FileNotFoundError."""

    def size(self, name: str) -> int:
        """Bytes kept under that name. Raises FileNotFoundError."""

    def remove(self, name: str) -> None:
        """Remove a name; one that is missing is fine."""

    def local(self, name: str) -> Path:
        """A readable local file with these bytes. Raises FileNotFoundError, or whoever opens the file does."""

    def address(self, name: str) -> str:
        """What PyIceberg is told: file://… or s3://…"""

    def iceberg_properties(self) -> dict[str, str]:
        """What PyIceberg must know to reach these addresses."""

    def errors(self, name: str) -> AbstractContextManager[None]:
        """Typed errors for a block in which others read and write below `name` by its address.

        StoreUnreachable, StoreUnwritable; FileNotFoundError stays one.
        """


class LocalStorage:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, name: str) -> bytes:
        """The bytes of that name. Raises FileNotFoundError."""
        return self.local(name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Keep bytes under a name, fsynced and renamed into place."""
        write_durably(self.local(name), content)

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A temporary path beside the file's place, fsynced and renamed into it at the end of the block."""
        return replacing(self.local(name))

    def put(self, name: str, path: Path) -> None:
        """Move a local temporary file in, fsynced and renamed into place."""
        with self.writing(name) as temporary:
            shutil.move(path, temporary)

    def exists(self, name: str) -> bool:
        """True when a file has that name."""
        return self.local(name).is_file()

    def list(self, folder: str, *, deep: bool = True) -> Iterator[str]:
        """The names in a folder, sorted; temporary files of writers are none."""
        return (name for name in self._names(folder, deep) if not _temporary(name))

    def leftovers(self, folder: str) -> Iterator[str]:
        """Temporary files in a folder and below."""
        return (name for name in self._names(folder, deep=True) if _temporary(name))

    def age(self, name: str) -> float:
        """Seconds since the file was written. Raises FileNotFoundError."""
        return time.time() - self.local(name).stat().st_mtime

    def size(self, name: str) -> int:
        """Bytes of the file. Raises FileNotFoundError."""
        return self.local(name).stat().st_size

    def remove(self, name: str) -> None:
        """Remove a file; one that is missing is fine."""
        path = self.local(name)
        with storage_errors(path):
            path.unlink(missing_ok=True)

    def local(self, name: str) -> Path:
        """The file itself, whether or not it exists."""
        return self.root / name

    def address(self, name: str) -> str:
        """A file's address, unquoted: PyIceberg does not undo the quoting of Path.as_uri. The root's ends with "/"."""
        return f"file://{self.root}/{name}"

    def iceberg_properties(self) -> dict[str, str]:
        """Its own file access, which fsyncs: PyIceberg's does not."""
        return {"py-io-impl": "warehouse.durable_io.DurableFileIO"}

    def errors(self, name: str) -> AbstractContextManager[None]:
        """Those of the disk."""
        return storage_errors(self.address(name))

    def _names(self, folder: str, deep: bool) -> Iterator[str]:
        found = []
        for where, below, names in os.walk(self.root / folder):
            inside = os.path.relpath(where, self.root)
            found += names if inside == "." else [f"{inside}/{name}" for name in names]
            if not deep:
                below.clear()
        return iter(sorted(found))


class ObjectStorage:
    """A bucket of an S3-compatible store. Credentials are taken from the usual AWS_* variables or files."""

    def __init__(self, uri: str, profile: str, cache: Path) -> None:
        """`uri`: s3://bucket/prefix?endpoint=http://host:port&region=…, where each profile has a folder of its own;
        `cache`: a local folder for copies."""
        parts = urlsplit(uri)
        asked = parse_qs(parts.query)
        if parts.scheme != "s3" or not parts.netloc or parts.username or set(asked) - {"endpoint", "region"}:
            raise UsageError(
                "the storage address is none of the form s3://bucket/prefix?endpoint=http://host:port&region=REGION",
                next_step="mend FIGUREKEEPER_STORAGE_URI; credentials belong in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )
        self.cache = cache
        self.base = "/".join(part for part in (parts.netloc, parts.path.strip("/"), profile) if part)
        self.endpoint = asked["endpoint"][0] if "endpoint" in asked else None
        set_up = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        self.region = asked["region"][0] if "region" in asked else set_up

    def read(self, name: str) -> bytes:
        """The bytes of that name. Raises FileNotFoundError."""
        with self.errors(), self._filesystem.open_input_file(self._key(name)) as file:
            return bytes(file.read())

    def write(self, name: str, content: bytes) -> None:
        """Upload bytes under a name; an upload that is cut off leaves nothing."""
        with self.errors(), self._filesystem.open_output_stream(self._key(name), compression=None) as stream:
            stream.write(content)  # one call: whatever fails before it is complete, no object appears

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """A temporary path in the cache, uploaded at the end of the block, and then the local copy."""
        with replacing(self.cache / name) as temporary:
            yield temporary
            self.write(name, temporary.read_bytes())

    def put(self, name: str, path: Path) -> None:
        """Upload a local temporary file, which then is the local copy."""
        with self.writing(name) as temporary:
            shutil.move(path, temporary)

    def exists(self, name: str) -> bool:
        """True when an object has that name."""
        return self._info(name) is not None

    def list(self, folder: str, *, deep: bool = True) -> Iterator[str]:
        """The names under a prefix, sorted."""
        from pyarrow.fs import FileSelector

        with self.errors():
            found = self._filesystem.get_file_info(
                FileSelector(self._key(folder), recursive=deep, allow_not_found=True)
            )
        return iter(sorted(info.path.removeprefix(f"{self.base}/") for info in found if info.is_file))

    def leftovers(self, folder: str) -> Iterator[str]:
        """None: unfinished uploads are no objects, and end by the bucket's own rules."""
        return iter(())

    def age(self, name: str) -> float:
        """Seconds since the object was written. Raises FileNotFoundError."""
        return time.time() - float(self._known(name).mtime_ns) / 1e9

    def size(self, name: str) -> int:
        """Bytes of the object. Raises FileNotFoundError."""
        return int(self._known(name).size)

    def remove(self, name: str) -> None:
        """Remove an object and its local copy; one that is missing is fine."""
        with self.errors(), suppress(FileNotFoundError):
            self._filesystem.delete_file(self._key(name))
        (self.cache / name).unlink(missing_ok=True)

    def local(self, name: str) -> Path:
        """A local copy, downloaded when there is none yet. Raises FileNotFoundError."""
        path = self.cache / name
        if not path.exists():
            content = self.read(name)
            write_durably(path, content)
        return path

    def address(self, name: str) -> str:
        """s3://bucket/prefix/name; the root's ends with "/"."""
        return f"s3://{self.base}/{name}"

    def iceberg_properties(self) -> dict[str, str]:
        """Endpoint and region; the credentials are found as here."""
        endpoint = {"s3.endpoint": self.endpoint} if self.endpoint else {}
        return {"s3.region": self.region, **endpoint}

    @cached_property
    def _filesystem(self) -> S3FileSystem:
        from pyarrow.fs import S3FileSystem

        return S3FileSystem(
            endpoint_override=self.endpoint,
            region=self.region,
            connect_timeout=_CONNECT_SECONDS,
            request_timeout=_REQUEST_SECONDS,
            allow_delayed_open=True,  # one request for a small object instead of three
        )

    def _key(self, name: str) -> str:
        return f"{self.base}/{name}".rstrip("/")

    def _info(self, name: str) -> Any:
        with self.errors():
            info = self._filesystem.get_file_info(self._key(name))
        return info if info.is_file else None

    def _known(self, name: str) -> Any:
        info = self._info(name)
        if info is None:
            raise FileNotFoundError(self.address(name))
        return info

    @contextmanager
    def errors(self, name: str = "") -> Iterator[None]:
        """A store that cannot be reached, or refuses, becomes StoreUnreachable; a missing object stays one."""
        try:
            with storage_errors(self.address(name)):
                yield
        except FileNotFoundError:
            raise
        except OSError as problem:
            raise StoreUnreachable(
                f"the object storage s3://{self.base} refuses or cannot be reached: {str(problem).splitlines()[0]}",
                next_step="see that FIGUREKEEPER_STORAGE_URI and the AWS_* variables are right and that the bucket exists, "
                "then run the same command again; what was published stays",
            ) from problem


def _temporary(name: str) -> bool:
    return name.rsplit("/", 1)[-1].startswith(".")
