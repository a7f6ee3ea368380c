"""The production form for real: Prefect and catalogue on PostgreSQL, bytes in a bucket, workers on machines of their own.

The two workers live in network and mount namespaces of their own: they share nothing but the database, the bucket and the
Prefect server.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import requests
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from connectors.http.quota import LIVE
from connectors.sandbox.server import serve
from flows.environment import PROJECT, SERVER_AUTH
from flows.settings import Settings
from tests.flows import running
from tests.flows.namespaces import Namespace, namespace, refusal
from tests.flows.running import Api, wait_for
from tests.warehouse.forms import PASSWORD, bucket, postgres, postgres_server, s3_server
from warehouse.server import catalogue
from warehouse.store import Warehouse

__all__ = ["bucket", "postgres", "postgres_server", "s3_server"]

pytestmark = [pytest.mark.prefect, pytest.mark.timeout(900)]

THROUGH_PREFECT, AT_ONCE = "nbs.science_technology", "nbs.fdi_by_country"
PROVIDERS = ("oecd", "worldbank", "nbs")


@dataclass(frozen=True)
class Shared:
    """What the machines of an installation have in common, as seen from our loopback interface."""

    database: str
    bucket: str
    sandbox: int
    access_log: Path

    @property
    def ports(self) -> list[int]:
        """Of PostgreSQL, of the bucket's server, and of the providers."""
        written = (self.database.rsplit(":", 1)[1].split("/")[0], self.bucket.split("127.0.0.1:")[1].split("&")[0])
        return [*map(int, written), self.sandbox]

    def environment(self, home: Path, address: str = "127.0.0.1") -> dict[str, str]:
        """The settings of a machine that reaches all of it at `address`."""
        providers = {
            f"FIGUREKEEPER_{name.upper()}_URL": f"http://{address}:{self.sandbox}/{name}" for name in PROVIDERS
        }
        return {
            "FIGUREKEEPER_HOME": str(home),
            "FIGUREKEEPER_PROFILE": "live",
            "FIGUREKEEPER_CATALOG_URI": self.database.replace("127.0.0.1", address),
            "FIGUREKEEPER_STORAGE_URI": self.bucket.replace("127.0.0.1", address),
            SERVER_AUTH: "operators:secret",
            **providers,
        }

    def asked(self, provider: str) -> list[datetime]:
        """When each request reached the provider."""
        entries = [json.loads(line) for line in self.access_log.read_text().splitlines()]
        return sorted(datetime.fromisoformat(one["time"]) for one in entries if one["path"].startswith(f"/{provider}/"))


@pytest.fixture
def shared(postgres: str, bucket: str, tmp_path: Path) -> Iterator[Shared]:
    log = tmp_path / "access.log"
    with serve(access_log=log) as sandbox:
        yield Shared(postgres, bucket, sandbox.port, log)


@pytest.fixture
def api(shared: Shared, tmp_path: Path) -> Iterator[Api]:
    """`figurekeeper up` on PostgreSQL, without a worker on its own machine."""
    prefects = f"{shared.database}_prefect"
    admin = create_engine(shared.database, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"create database {prefects.rsplit('/', 1)[1]}"))
    env = shared.environment(tmp_path / "server")
    env["FIGUREKEEPER_SERVER_DATABASE"] = prefects.replace("+psycopg", "+asyncpg")
    env["FIGUREKEEPER_HOST"] = "server"
    with running.up(running.two_ports(), env, tmp_path / "up.log", "--workers", "0") as started:
        yield started
    assert not list((tmp_path / "server").rglob("prefect.db")), "the server kept its own database beside PostgreSQL"
    with admin.connect() as connection:
        connection.execute(text(f"drop database {prefects.rsplit('/', 1)[1]} with (force)"))


@pytest.fixture
def machines(shared: Shared, api: Api, tmp_path: Path) -> Iterator[list[Namespace]]:
    """Two machines, on each of which a worker has joined the server."""
    if why := refusal():
        pytest.skip(why)
    server = int(api.url.split(":")[2].split("/")[0])
    with ExitStack() as stack:
        made = []
        for name in ("north", "south"):
            own = tmp_path / "own"
            one = stack.enter_context(namespace(name, own, [*shared.ports, server]))
            command = one.command(sys.executable, "-m", "flows.cli", "worker", "--name", name)
            env = machine(shared, one, own) | {"FIGUREKEEPER_SERVER_URL": api.url.replace("127.0.0.1", one.gateway)}
            stack.enter_context(running.process(command, env, tmp_path / f"{name}.log"))
            made.append(one)
        yield made


def machine(shared: Shared, one: Namespace, own: Path) -> dict[str, str]:
    return shared.environment(own, one.gateway) | {"FIGUREKEEPER_HOST": one.name, "HOME": str(own)}


def test_two_machines_share_quotas_and_publish_nothing_twice(
    shared: Shared, api: Api, machines: list[Namespace], tmp_path: Path
) -> None:
    with pytest.raises(requests.HTTPError, match="401"):
        Api(api.url).runs()
    assert wait_for(lambda: len(api.runs("Scheduled")) > 10), "schedules get no future runs on PostgreSQL"
    number = api.start(THROUGH_PREFECT, request={"dataset": THROUGH_PREFECT})
    assert wait_for(lambda: api.run(number)["end_time"], 240)
    assert api.run(number)["state"]["name"] == "Completed", api.run(number)["state"]
    assert {worker["name"] for worker in api.ask("/work_pools/figurekeeper/workers/filter")} == {"north", "south"}

    # Both at once, for the same, without Prefect to keep them apart: the one for the first time, the other once more.
    running_now = [
        subprocess.Popen(
            one.command(sys.executable, "-m", "flows.cli", "refresh", AT_ONCE, THROUGH_PREFECT, "--full"),
            env=running.clean(machine(shared, one, tmp_path / "own")), cwd=PROJECT, stderr=subprocess.PIPE, text=True,
        )
        for one in machines
    ]  # fmt: skip
    told = [refreshing.communicate(timeout=400)[1] for refreshing in running_now]
    assert all(one.connections[shared.sandbox] for one in machines), "one machine asked nobody"
    assert_nothing_twice(shared, tmp_path)
    assert_quota_held(shared)
    assert any("our own limit for nbs" in one for one in told), told  # together they wanted more than an hour allows
    assert_an_analyst_reads_and_changes_nothing(shared, tmp_path)


def assert_nothing_twice(shared: Shared, tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path / "reader", profile="live", catalog_uri=shared.database, storage_uri=shared.bucket
    )
    warehouse = Warehouse(**settings.place, create=False)
    with warehouse.engine.connect() as connection:
        batches = connection.execute(text("select dataset, decision from batches")).all()
        published_by = connection.execute(text("select batch_id from editions")).scalars().all()
        vintages = connection.execute(text("select dataset, part, canonical_hash from vintages")).all()
    assert Counter(dataset for dataset, _ in batches)[AT_ONCE] == 2
    published = Counter(dataset for dataset, decision in batches if decision and decision.startswith("published"))
    assert published == {AT_ONCE: 1, THROUGH_PREFECT: 1}
    assert len(set(published_by)) == len(published_by) == 2
    assert len(set(vintages)) == len(vintages) > 2
    rows = (
        warehouse.tables.table("observations").scan(selected_fields=("vintage_id", "series_key", "period")).to_arrow()
    )
    assert len(set(zip(*(column.to_pylist() for column in rows.columns), strict=True))) == rows.num_rows > 0


def assert_quota_held(shared: Shared) -> None:
    """By when each request was counted, which is just before it is sent; and by what reached the provider."""
    with create_engine(catalogue(shared.database, "live"), poolclass=NullPool).connect() as connection:
        found = connection.execute(text("select item_timestamp from ratelimit___nbs_data order by 1")).scalars().all()
    counted = [stamp.timestamp() for stamp in found]
    for rate in LIVE["nbs"]["data"]:
        seconds = rate.interval / 1000
        assert max(sum(0 <= other - one < seconds for other in counted) for one in counted) <= rate.limit
    assert len(shared.asked("nbs")) == len(counted) == LIVE["nbs"]["data"][-1].limit


def assert_an_analyst_reads_and_changes_nothing(shared: Shared, tmp_path: Path) -> None:
    """With the rights that docs/production.md grants."""
    page = (PROJECT / "docs" / "production.md").read_text(encoding="utf-8")
    scripts = [block.split("```")[0] for block in page.split("```sql\n")[1:]]
    [granted] = [script for script in scripts if "analyst" in script]
    script = granted.replace("'...'", "'read-only'").replace("database figurekeeper", "database {database}")
    role = f"analyst_{shared.database[-8:]}"
    script = script.replace("analyst", role).format(database=shared.database.rsplit("/", 1)[1])
    with create_engine(shared.database, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(script))
        env = shared.environment(tmp_path / "analyst")
        env["FIGUREKEEPER_CATALOG_URI"] = shared.database.replace(f"keeper:{PASSWORD}", f"{role}:read-only")
        asked = command(env, "series", AT_ONCE, "--format", "json")
        refused = command(env, "refresh", AT_ONCE)
        connection.execute(text(f"drop owned by {role}; drop role {role}"))
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)
    assert refused.returncode == 1
    assert "Next: " in refused.stderr


def command(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "flows.cli", *arguments]
    return subprocess.run(line, env=running.clean(env), cwd=PROJECT, capture_output=True, text=True, timeout=120)
