"""The two forms of a warehouse for tests: a folder with SQLite; a real PostgreSQL with an S3-compatible server.

Belongs here: starting and stopping the servers, and the fixture `form`, by which a test runs once over each. A test that
must look into the servers takes `postgres` or `bucket` itself. Where PostgreSQL is not installed, the server form is skipped.
"""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from warehouse.store import Warehouse

PASSWORD = "s3cret-of-a-test"


@dataclass(frozen=True)
class Form:
    """Where a warehouse lies, besides its home folder: nowhere else (embedded), or on two servers."""

    name: str
    catalog_uri: str | None = None
    storage_uri: str | None = None

    def open(
        self, home: Path, profile: str = "synthetic", *, create: bool = True, host: str | None = None
    ) -> Warehouse:
        """The warehouse of this form."""
        return Warehouse(
            home, profile, create=create, catalog_uri=self.catalog_uri, storage_uri=self.storage_uri, host=host
        )


@pytest.fixture(params=["embedded", "server"])
def form(request: pytest.FixtureRequest) -> Form:
    """Each form in turn; the server one with a database and a bucket of its own."""
    if request.param == "embedded":
        return Form("embedded")
    return Form("server", request.getfixturevalue("postgres"), request.getfixturevalue("bucket"))


@pytest.fixture
def postgres(postgres_server: int) -> Iterator[str]:
    """The address of an empty database."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = create_engine(_address(postgres_server, "postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        # Sorted as people do, not by byte, as most installations are: PostgreSQL 15 or newer.
        connection.execute(
            text(f"create database {name} template template0 locale_provider icu icu_locale 'en-US' locale 'C.UTF-8'")
        )
    yield _address(postgres_server, name)
    with admin.connect() as connection:
        connection.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def bucket(s3_server: str) -> str:
    """The storage address of an empty bucket."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{name}", method="PUT"), timeout=10).close()
    return f"s3://{name}/kept/here?endpoint={s3_server}&region=us-east-1"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[int]:
    """The port of a PostgreSQL of our own, in a temporary folder."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    owner = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    if owner is not None and owner not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip("PostgreSQL does not run as root, and there is no user 'postgres'")
    folder = Path(tempfile.mkdtemp(prefix="figurekeeper-postgres-"))
    if owner is not None:
        shutil.chown(folder, owner)
    data, port = folder / "data", _free_port()
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), *arguments]
        subprocess.run(command, check=True, user=owner, cwd=folder, stdout=subprocess.DEVNULL, timeout=60)

    (folder / "password").write_text(PASSWORD)
    run("initdb", "-D", str(data), "-U", "keeper", "-A", "md5", f"--pwfile={folder / 'password'}", "--no-sync")
    run("pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        yield port
    finally:
        run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3-compatible server in this process."""
    moto = pytest.importorskip("moto.moto_server.threaded_moto_server", reason="moto is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        server.start()
        host, port = server.get_host_and_port()
        try:
            yield f"http://{host}:{port}"
        finally:
            server.stop()


def _programs() -> Path | None:
    """The folder of PostgreSQL's programs; Debian keeps them off the path, one folder a version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _address(port: int, database: str) -> str:
    return f"postgresql+psycopg://keeper:{PASSWORD}@127.0.0.1:{port}/{database}"
