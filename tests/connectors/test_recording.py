"""Recordings: what the providers answered, kept as fixtures, and read again by the same parsers without any network."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path

import pytest

from connectors import contract, datasets, structures
from connectors.contact import compare as contact
from connectors.errors import NotFound, Unreachable
from connectors.http import recording
from connectors.http.recording import INDEX, Recorder
from connectors.http.request import Request
from connectors.http.transport import Transport
from connectors.sandbox.server import serve
from warehouse import clock
from warehouse.errors import Corrupted, UsageError
from warehouse.schema import PartData, Payload

NAMES = ("oecd.sbrd", "worldbank.wdi", "nbs.science_technology")
Read = tuple[PartData, list[str]]


def read(name: str, transport: Transport) -> Read:
    """One part of a dataset as its connector reads it, and what its structure says against the file."""
    dataset = datasets.load(name)
    connector = contract.connector(dataset.provider)
    fetched = connector.fetch(dataset, contact.smallest(dataset), transport)
    _, data = contact.differences(dataset, fetched, connector.parse, ())
    assert data is not None
    answers = structures.fetch(dataset, (), transport)
    structure = structures.reader(dataset.provider).read(dataset, answers.payloads)
    return data, [finding.text for finding in structures.against_file(dataset, structure)]


def _keep(recorder: Recorder, name: str, base: str, payload: Payload, _: str | None) -> None:
    recorder.keep(name, base, payload)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Read]]:
    """A recording of three datasets, and what was read while it was made."""
    folder = tmp_path_factory.mktemp("recordings") / "new"
    found = {}
    with serve() as sandbox:
        for name in NAMES:
            provider = name.split(".")[0]
            base = f"http://127.0.0.1:{sandbox.port}/{provider}"
            keep = partial(_keep, Recorder(folder), name, base)
            with Transport(provider, base, archive=keep, trust_date=True) as transport:
                found[name] = read(name, transport)
    return folder, found


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_reads_as_the_provider_did(recorded: tuple[Path, dict[str, Read]], name: str) -> None:
    folder, found = recorded
    with recording.replay(folder, name) as transport:
        data, told = read(name, transport)
    live, live_told = found[name]
    assert data.observations.num_rows > 40
    assert data.observations.equals(live.observations)
    assert (data.canonical_hash, data.stamp, data.skipped) == (live.canonical_hash, live.stamp, live.skipped)
    assert [p.sha256 for p in data.payloads] == [p.sha256 for p in live.payloads]
    assert [p.fetched_at for p in data.payloads] == [p.fetched_at for p in live.payloads]
    assert told == live_told


def answer(content: bytes, **changed: object) -> Payload:
    fields = {"method": "GET", "url": "http://key:secret@example.org/data?x=1", "body": None, "status": 200} | changed
    headers = {"content-type": "text/csv", "etag": '"1"', "set-cookie": "session=1", "x-request-id": "7"}
    sha256 = hashlib.sha256(content).hexdigest()
    return Payload(sha256, content, headers=headers, fetched_at=clock.now(), **fields)  # type: ignore[arg-type]


def test_no_cookie_and_no_credentials_are_kept(tmp_path: Path) -> None:
    Recorder(tmp_path).keep("oecd.sbrd", "http://key:secret@example.org", answer(b"one"))
    text = (tmp_path / INDEX).read_text(encoding="utf-8")
    [entry] = json.loads(text)
    assert entry["url"] == "http://example.org/data?x=1"
    assert entry["headers"] == {"content-type": "text/csv", "etag": '"1"'}
    assert "secret" not in text
    assert "session" not in text


def test_answers_to_one_question_come_in_their_order_and_then_the_last(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    for content in (b"one", b"two"):
        recorder.keep("oecd.sbrd", "http://example.org", answer(content))
    with recording.replay(tmp_path, "oecd.sbrd") as transport:
        asked = Request(None, "GET", "data", (("x", "1"),))
        assert [transport.get(asked).content for _ in range(3)] == [b"one", b"two", b"two"]
        with pytest.raises(Unreachable, match="no answer to this question"):
            transport.get(Request(None, "GET", "data", (("x", "2"),)))


def test_errors_are_answers_too_and_are_classified_again(tmp_path: Path) -> None:
    Recorder(tmp_path).keep("worldbank.wdi", "http://example.org", answer(b"gone", status=404))
    with recording.replay(tmp_path, "worldbank.wdi") as transport, pytest.raises(NotFound):
        transport.get(Request(None, "GET", "data", (("x", "1"),)))


def test_changed_bytes_are_found(tmp_path: Path) -> None:
    payload = answer(b"one")
    Recorder(tmp_path).keep("oecd.sbrd", "http://example.org", payload)
    (tmp_path / payload.sha256).write_bytes(b"two")
    with recording.replay(tmp_path, "oecd.sbrd") as transport, pytest.raises(Corrupted, match="not those"):
        transport.get(Request(None, "GET", "data", (("x", "1"),)))


def test_a_folder_of_something_else_is_neither_written_nor_read(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="something other than a recording"):
        Recorder(tmp_path)
    with pytest.raises(UsageError, match="holds no recording"):
        recording.replay(tmp_path, "oecd.sbrd")


def test_a_dataset_that_was_not_recorded_is_named_with_those_that_were(tmp_path: Path) -> None:
    Recorder(tmp_path).keep("oecd.sbrd", "http://example.org", answer(b"one"))
    with pytest.raises(UsageError, match=r"no answer for worldbank\.wdi.*choose among oecd\.sbrd"):
        recording.replay(tmp_path, "worldbank.wdi")
