"""Both forms of a warehouse do the same; several hosts share the server form, one alone writes the embedded one."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from flows.settings import Settings
from tests.warehouse.forms import PASSWORD, Form
from tests.warehouse.makers import FACTS, load, part
from warehouse import ledger, line, lineage, questions, records, server
from warehouse.errors import StoreUnwritable, UsageError
from warehouse.files import StoreUnreachable
from warehouse.locks import AdvisoryLocks, Busy, FileLocks, LeaseLost, Locks, WrongHost
from warehouse.schema import CheckResult, Decision, Severity
from warehouse.storage import ObjectStorage
from warehouse.store import Warehouse

ROOT = Path(__file__).parents[2]
KEY = ("CHN.X", "2017")
#: A process of another host: opens the warehouse of the given form, then does what it is told line by line.
OTHER = """
import json, sys
from pathlib import Path
from tests.warehouse.forms import Form
from tests.warehouse.makers import load, part
home, form = Path(sys.argv[1]), Form(*json.loads(sys.argv[2]))
warehouse = form.open(home)
for word in map(str.strip, sys.stdin):
    if word == "hold":
        held = warehouse.lease("test.one")
        held.__enter__()
        print("held", flush=True)
    else:
        print(load(warehouse, part({("CHN.X", "2017"): float(word)}, f"2024-01-{int(float(word)):02}"))[1], flush=True)
"""


@pytest.fixture
def others() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are ended with the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def _other(others: list[subprocess.Popen[str]], home: Path, form: Form) -> subprocess.Popen[str]:
    place = json.dumps([form.name, form.catalog_uri, form.storage_uri])
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(home), place],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    others.append(process)
    return process


def _edition(warehouse: Warehouse) -> int:
    with warehouse.engine.connect() as connection:
        return line.newest_edition(connection)


def _values(warehouse: Warehouse, **asked: Any) -> list[tuple[Any, Any]]:
    return [(row["period"], row["value"]) for row in questions.values(warehouse, ["test.one:CHN.X"], **asked)]


def test_a_history_is_answered_alike(form: Form, tmp_path: Path) -> None:
    warehouse = form.open(tmp_path)
    assert load(warehouse, part({KEY: 1.0}, "2024-01-10"))[1] == 1
    assert load(warehouse, part({KEY: 2.0}, "2024-03-10"))[1] == 2
    quarantined, _ = load(warehouse, part({KEY: 9.0}, "2024-04-10"), decision=Decision.QUARANTINED)
    again = form.open(tmp_path, create=False)
    assert _values(again) == [("2017", 2.0)]
    assert _values(again, as_of="2024-02-01") == [("2017", 1.0)]
    assert [row["n"] for row in again.journal.entries()] == [1, 2, 3]
    assert next(row["batch"] for row in lineage.batches(again)) == quarantined
    for sha256 in again.payloads.hashes():
        assert again.payloads.read(sha256)
    held = again.tables.table("observations").scan().to_arrow()
    assert sorted(held.column("value").to_pylist()) == [1.0, 2.0]


def test_the_answers_of_one_host_are_those_of_another(postgres: str, bucket: str, tmp_path: Path) -> None:
    form = Form("server", postgres, bucket)
    load(form.open(tmp_path / "one"), part({KEY: 1.0}, "2024-01-10"))
    other = form.open(tmp_path / "other", create=False)
    assert _values(other) == [("2017", 1.0)]
    load(other, part({KEY: 2.0}, "2024-03-10"))
    assert _values(form.open(tmp_path / "one", create=False)) == [("2017", 2.0)]


def test_what_is_no_number_is_kept_as_null(form: Form, tmp_path: Path) -> None:
    warehouse = form.open(tmp_path)
    examples: list[dict[str, Any]] = [{"value": math.nan, "period": "2017"}, {"value": -math.inf}]
    result = CheckResult("finite", "part", "p", Severity.CRITICAL, False, 1, 1, "1", "0", tuple(examples))
    with ledger.transaction(warehouse.engine, tmp_path) as connection:
        ledger.add(connection, ledger.check_results, [records.check_row("batch", 0, result)])
    with warehouse.engine.connect() as connection:
        kept = connection.execute(select(ledger.check_results.c.examples)).scalar_one()
    assert kept == [{"value": None, "period": "2017"}, {"value": None}]


def test_two_processes_publish_nothing_twice(form: Form, tmp_path: Path, others: list[subprocess.Popen[str]]) -> None:
    """Both read the same three answers, one after the other: three editions, whoever comes first."""
    homes = [tmp_path, tmp_path] if form.name == "embedded" else [tmp_path / "a", tmp_path / "b"]
    running = [_other(others, home, form) for home in homes]
    told = [process.communicate("1\n2\n3\n", timeout=120)[0].split() for process in running]
    warehouse = form.open(homes[0], create=False)
    assert sorted(said for answers in told for said in answers) == ["1", "2", "3", "None", "None", "None"]
    assert _edition(warehouse) == 3
    assert [row["decision"] for row in lineage.batches(warehouse)].count("published") == 3
    numbers = [entry["n"] for entry in warehouse.journal.entries()]
    assert len(numbers) == len(set(numbers)) == 6
    assert _values(warehouse) == [("2017", 3.0)]


def test_the_lease_of_a_killed_holder_is_free_at_once(
    form: Form, tmp_path: Path, others: list[subprocess.Popen[str]]
) -> None:
    warehouse = form.open(tmp_path)
    holder = _other(others, tmp_path, form)
    assert holder.stdin is not None
    assert holder.stdout is not None
    holder.stdin.write("hold\n")
    holder.stdin.flush()
    assert holder.stdout.readline() == "held\n"
    told: list[str] = []
    with pytest.raises(Busy, match="Next: wait"), warehouse.lease(FACTS.id, wait=0.3, note=told.append):
        pass
    assert told == ["test.one: another run holds the lease, waiting up to 0 s"]
    with warehouse.lease("another.dataset", wait=0):
        os.kill(holder.pid, signal.SIGKILL)
        with warehouse.lease(FACTS.id, wait=20):
            warehouse.assert_held()


@pytest.fixture(params=["files", "server"])
def locks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Locks]:
    if request.param == "files":
        yield FileLocks(tmp_path)
        return
    yield AdvisoryLocks(create_engine(request.getfixturevalue("postgres")), "space")


def test_locks_exclude_by_name_and_end_with_their_block(locks: Locks) -> None:
    with ExitStack() as stack:
        for name in ("a", "b", "a/b", "publish"):
            stack.enter_context(locks.held(name, wait=0)).assert_held()
        started = time.monotonic()
        with pytest.raises(Busy), locks.held("a", wait=0.2):
            pass
        assert time.monotonic() - started >= 0.2
    with locks.held("a", wait=0) as held:
        held.assert_held()


def test_locks_of_two_warehouses_in_one_database_do_not_meet(postgres: str) -> None:
    engine = create_engine(postgres)
    with AdvisoryLocks(engine, "one").held("a", wait=0), AdvisoryLocks(engine, "other").held("a", wait=0) as held:
        held.assert_held()


def test_a_lock_file_that_is_removed_is_a_lost_lease(tmp_path: Path) -> None:
    with FileLocks(tmp_path).held("a", wait=0) as held:
        (tmp_path / "a.lock").unlink()
        with pytest.raises(LeaseLost, match=r"'a' was lost.*was removed.*Next: run the same command again"):
            held.assert_held()


def _end_the_holders(uri: str) -> int:
    """What a network or a server that fails does to those who hold a lock: their connections end."""
    ended = text("select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory'")
    with create_engine(uri, poolclass=NullPool).connect() as connection:
        return int(connection.execute(ended).scalar_one())


def test_a_lost_connection_in_mid_publish_refuses_and_leaves_nothing_half_done(
    postgres: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = Form("server", postgres, bucket)
    warehouse = form.open(tmp_path / "one")
    load(warehouse, part({KEY: 1.0}, "2024-01-10"))
    change = warehouse.tables.change

    def lose(*arguments: Any, **named: Any) -> str | None:
        snapshot = change(*arguments, **named)
        _end_the_holders(postgres)
        return snapshot

    monkeypatch.setattr(warehouse.tables, "change", lose)
    with pytest.raises(LeaseLost, match="nothing was made visible"):
        load(warehouse, part({KEY: 2.0}, "2024-03-10"))
    other = form.open(tmp_path / "other", create=False)
    assert _edition(other) == 1
    assert _values(other) == [("2017", 1.0)]
    assert load(other, part({KEY: 3.0}, "2024-05-10"))[1] == 3  # the next holder finished what was begun
    assert _values(other, as_of="2024-04-01") == [("2017", 2.0)]
    assert len(other.tables.table("observations").scan().to_arrow()) == 3


def test_journal_entries_are_numbered_in_the_order_of_their_commits(postgres: str, tmp_path: Path) -> None:
    """A smaller number that comes late would be taken for one that the journal has already."""
    warehouse = Warehouse(tmp_path, "synthetic", catalog_uri=postgres)
    with warehouse.engine.begin() as connection:
        ledger.owe(connection, "incident", {})
        with warehouse.engine.connect() as other:
            other.execute(text("set local lock_timeout = '100ms'"))
            with pytest.raises(OperationalError, match="lock timeout"):
                ledger.owe(other, "batch", {})
    with warehouse.engine.begin() as other:
        ledger.owe(other, "batch", {})
        kinds = other.execute(select(ledger.outbox.c.kind).order_by(ledger.outbox.c.number)).scalars().all()
    assert kinds == ["incident", "batch"]


def test_text_has_the_same_order_in_both_forms(form: Form, tmp_path: Path) -> None:
    keys = ["a_b", "aB", "a b", "ab", "Ab", "ä", "2024-01-01T00:00:00.5Z", "2024-01-01T00:00:00Z"]
    warehouse = form.open(tmp_path)
    rows = [{"dataset": "d", "series_key": key, "part": "p", "published_in": 1} for key in keys]
    with ledger.transaction(warehouse.engine, tmp_path) as connection:
        ledger.add(connection, ledger.series_index, rows)
        column = ledger.series_index.c.series_key
        assert connection.execute(select(column).order_by(column)).scalars().all() == sorted(keys)


def test_a_folder_is_written_by_one_host(tmp_path: Path) -> None:
    load(Warehouse(tmp_path, "synthetic", host="one"), part({KEY: 1.0}, "2024-01-10"))
    other = Warehouse(tmp_path, "synthetic", host="other")
    assert _values(other) == [("2017", 1.0)]
    for lease in (other.lease(FACTS.id), other.publish_lock()):
        with pytest.raises(WrongHost, match=r"written by host one.*server form.*maintain --take-over"), lease:
            pass
    assert other.take_over() == "one"
    load(other, part({KEY: 2.0}, "2024-03-10"))
    with pytest.raises(WrongHost), Warehouse(tmp_path, "synthetic", host="one").lease(FACTS.id):
        pass


def test_a_bucket_is_written_by_any_host(postgres: str, bucket: str, tmp_path: Path) -> None:
    form = Form("server", postgres, bucket)
    for number, host in enumerate(["one", "other"], start=1):
        assert (
            load(form.open(tmp_path / host, host=host), part({KEY: float(number)}, f"2024-0{number}-10"))[1] == number
        )


def test_object_storage_without_a_server_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="FIGUREKEEPER_CATALOG_URI"):
        Warehouse(tmp_path, "synthetic", storage_uri="s3://bucket/prefix")


def test_a_catalogue_keeps_to_its_bucket(postgres: str, bucket: str, tmp_path: Path) -> None:
    Form("server", postgres, bucket).open(tmp_path)
    elsewhere = bucket.replace("/kept/here", "/elsewhere")
    for storage_uri in (elsewhere, None):
        with pytest.raises(UsageError, match=r"keeps its bytes in s3://.*/kept/here/synthetic/"):
            Form("server", postgres, storage_uri).open(tmp_path)


def test_a_profile_that_is_not_there_is_not_another(postgres: str, bucket: str, tmp_path: Path) -> None:
    form = Form("server", postgres, bucket)
    load(form.open(tmp_path, "synthetic"), part({KEY: 1.0}, "2024-01-10"))
    with pytest.raises(UsageError, match="there is no warehouse in postgresql"):
        form.open(tmp_path, "sandbox", create=False)
    assert _edition(form.open(tmp_path, "sandbox")) == 0
    assert _edition(form.open(tmp_path, "synthetic")) == 1


def test_a_server_that_fails_is_named_without_its_password(postgres: str, tmp_path: Path) -> None:
    wrong = postgres.replace(PASSWORD, "wrong-password")
    gone = "postgresql://keeper:wrong-password@127.0.0.1:1/none?connect_timeout=1"
    for uri, said in ((wrong, "password authentication failed"), (gone, "cannot be reached")):
        with pytest.raises(StoreUnreachable, match=said) as refused:
            Warehouse(tmp_path, "synthetic", catalog_uri=uri)
        assert "wrong-password" not in str(refused.value)
    for uri in ("mysql://keeper:wrong-password@host/x", "keeper:wrong-password"):
        with pytest.raises(UsageError, match="FIGUREKEEPER_CATALOG_URI") as unusable:
            Warehouse(tmp_path, "synthetic", catalog_uri=uri)
        assert "wrong-password" not in str(unusable.value)


def test_a_connection_that_is_lost_is_a_clear_error_and_the_next_works(postgres: str, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path, "synthetic", catalog_uri=postgres)

    def lose() -> None:
        with ledger.transaction(warehouse.engine, tmp_path) as connection:
            own = connection.execute(text("select pg_backend_pid()")).scalar_one()
            with create_engine(postgres, poolclass=NullPool).connect() as other:
                other.execute(text("select pg_terminate_backend(:own)"), {"own": own})
            connection.execute(text("select 1"))

    with pytest.raises(StoreUnreachable, match="Next: see that it runs"):
        lose()
    assert _edition(warehouse) == 0


def test_a_read_whose_connection_is_lost_is_a_clear_error(postgres: str, tmp_path: Path) -> None:
    """Whoever asks the ledger, and however: no driver's error reaches people."""
    warehouse = Warehouse(tmp_path, "synthetic", catalog_uri=postgres)
    with warehouse.engine.connect() as connection:
        own = connection.execute(text("select pg_backend_pid()")).scalar_one()
        with create_engine(postgres, poolclass=NullPool).connect() as other:
            other.execute(text("select pg_terminate_backend(:own)"), {"own": own})
        with pytest.raises(StoreUnreachable, match="Next: see that it runs"):
            line.newest_edition(connection)
    assert _edition(warehouse) == 0


def test_object_storage_that_is_lost_when_the_tables_are_told_is_a_clear_error(
    postgres: str, bucket: str, tmp_path: Path
) -> None:
    form = Form("server", postgres, bucket)
    load(form.open(tmp_path), part({KEY: 1.0}, "2024-01-10"))
    cut_off = form.open(tmp_path)
    assert isinstance(cut_off.storage, ObjectStorage)
    cut_off.storage.exists("profile")  # its own connection stands
    cut_off.storage.endpoint = "http://127.0.0.1:1"  # and PyIceberg's will not come about
    looks: list[Callable[[], object]] = [
        lambda: load(cut_off, part({KEY: 2.0}, "2024-03-10")),
        lambda: cut_off.tables.vintages("observations"),
        lambda: cut_off.tables.files("series"),
        lambda: cut_off.tables.lag("series", {}),
    ]
    for look in looks:
        with pytest.raises(StoreUnreachable, match=r"s3://.*Next: see that FIGUREKEEPER_STORAGE_URI"):
            look()
    assert load(form.open(tmp_path), part({KEY: 3.0}, "2024-05-10"))[1] == 3  # and completes what was begun


def test_a_database_that_permits_nothing_is_named(postgres: str, tmp_path: Path) -> None:
    reader = postgres.replace("keeper:", "reader:")
    with create_engine(postgres, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"drop role if exists reader; create role reader login password '{PASSWORD}'"))
    with pytest.raises(StoreUnwritable, match="permission denied"):
        Warehouse(tmp_path, "synthetic", catalog_uri=reader)


def test_settings_show_everything_but_the_password(tmp_path: Path) -> None:
    uri = f"postgresql+psycopg://keeper:{PASSWORD}@host/database"
    settings = Settings(home=tmp_path, profile="live", catalog_uri=uri, storage_uri="s3://bucket", _env_file=None)
    shown = settings.model_dump(mode="json")
    assert shown["catalog_uri"] == "postgresql+psycopg://keeper:***@host/database"
    assert shown["storage_uri"] == "s3://bucket"
    assert PASSWORD not in str(shown) + repr(settings)
    assert settings.place["catalog_uri"] == uri
    assert settings.quota_place == server.catalogue(uri, "live")


@pytest.mark.slow
def test_hosts_share_a_warehouse_by_their_settings_alone(postgres: str, bucket: str, tmp_path: Path) -> None:
    places = {"FIGUREKEEPER_CATALOG_URI": postgres, "FIGUREKEEPER_STORAGE_URI": bucket}

    def run(host: str, *arguments: str) -> str:
        environment = os.environ | places | {"FIGUREKEEPER_HOME": str(tmp_path / host)}
        command = [sys.executable, "-m", "flows.cli", *arguments]
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert "published" in run("one", "refresh", "nbs.fdi_by_country")
    assert "unchanged" in run("other", "refresh", "nbs.fdi_by_country")
    [series] = json.loads(run("third", "series", "--format", "json"))
    assert series["series"].startswith("nbs.fdi_by_country:")
    judged = json.loads(run("third", "papers", "--claim", "paper000-c045", "--format", "json"))
    assert "no proof of it" in judged["why"]  # read from the bucket: the number is the paper's own
    shown = run("third", "status", "--format", "json")
    assert "keeper:***@" in shown
    assert PASSWORD not in shown
    assert not (tmp_path / "one" / "sandbox" / "catalog.sqlite").exists()
    assert not (tmp_path / "one" / "sandbox" / "quota.sqlite").exists()
