"""Spoilt answers: a slice of what `make fuzz` does for ten minutes, and the worst cases by name.

Numbers that are written in other ways than the documented one are in test_writing.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.errors import UnexpectedPayload
from connectors.reading import NotReadable, check_xml, csv_rows, load_json
from tests.connectors import fuzz_targets, fuzzing, mutations, specimens
from tests.connectors import wire_sdmx as sdmx
from tests.connectors import wire_tables as tables
from tests.connectors.fuzz_targets import Target

TARGETS = {target.name: target for target in [*fuzz_targets.targets(), *fuzz_targets.recorded()]}
TURNS = 80


@pytest.mark.parametrize("name", TARGETS)
def test_a_slice_of_the_fuzzing_finds_nothing(name: str) -> None:
    turns = TURNS // 6 if name.startswith("recorded") else TURNS  # they are long
    ended, found = fuzzing.fuzz([TARGETS[name]], seed=1, go_on=lambda number: number < turns)
    assert not found, [(one.turn, one.what) for one in found]
    assert sum(ended.values()) == turns
    assert len(ended) > 1 or name == "what answers mean"


@pytest.mark.parametrize("name", TARGETS)
def test_every_answer_that_is_spoilt_was_good_before(name: str) -> None:
    for seed in TARGETS[name].seeds:
        assert fuzzing.check(TARGETS[name], seed) == "data"


def _raises(content: bytes) -> object:
    raise KeyError(content)


def _never_ends(content: bytes) -> object:
    while content is not None:
        pass
    return None


@pytest.mark.parametrize(
    ("read", "what"), [(_raises, "KeyError"), (_never_ends, "TooSlow"), (TARGETS["SDMX-CSV"].read, "Lost")]
)
def test_the_fuzzer_finds_what_is_planted(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[bytes], object], what: str
) -> None:
    monkeypatch.setattr(fuzzing, "SLOW", 0.05)
    monkeypatch.setattr(fuzzing, "turn", lambda target, seed, number: target.seeds[0])
    seeds = TARGETS["SDMX-CSV"].seeds
    planted = Target("planted", seeds, read, lambda content: fuzz_targets.lines(content) + 1)
    ended, (found,) = fuzzing.fuzz([planted], seed=1, go_on=lambda number: number < 1)
    assert found.what.startswith(what)
    assert ended["FOUND"] == 1


def test_the_same_seed_gives_the_same_answers() -> None:
    for target in TARGETS.values():
        assert fuzzing.turn(target, 7, 3) == fuzzing.turn(target, 7, 3)
    assert len({fuzzing.turn(TARGETS["SDMX-CSV"], 7, number) for number in range(20)}) > 15


@pytest.mark.parametrize("doctype", mutations.ENTITIES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_unread(doctype: str, encoding: str) -> None:
    for document in (specimens.COMPACT_ML, specimens.constraint()):
        head, _, rest = document.partition("?>")
        spoilt = f"{head}?>{doctype}{rest}".replace("utf-8", encoding).replace("KOR", "&x;&x8;").encode(encoding)
        with pytest.raises(NotReadable, match=r"document type|Entity|entity|entities|well-formed"):
            check_xml(spoilt)
        for name in ("SDMX-ML", "content constraint"):
            assert fuzzing.check(TARGETS[name], spoilt) in ("NotSdmx", "UnexpectedPayload")


def test_a_file_is_never_read_through_an_entity(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("4.5")
    doctype = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    spoilt = specimens.COMPACT_ML.replace("?>", f"?>{doctype}", 1).replace('"4.27154"', '"&x;"').encode()
    with pytest.raises(UnexpectedPayload, match="document type"):
        TARGETS["SDMX-ML"].read(spoilt)


@pytest.mark.parametrize("depth", [2_000, 200_000])
@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.seeds[0][:1] in b"[{"])
def test_json_nested_without_end_is_refused(name: str, depth: int) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        deep = (opening * depth + "1" + closing * depth).encode()
        assert fuzzing.check(TARGETS[name], deep) not in ("data", "FOUND")


@pytest.mark.parametrize(
    "content",
    [
        *(b'{"a": 1, "a": 1}', b'[{"a": {"b": 1, "b": 2}}]', b"NaN", b"[Infinity]", b'{"a": -Infinity}', b'"\xff"'),
        *(b'["\\ud800"]', b'{"\\udc00": 1}', b"", b"[", b"1 2", b'"\x01"', '{"a": 1}'.encode("utf-16")),
    ],
)
def test_json_that_no_two_readers_read_alike_is_refused(content: bytes) -> None:
    with pytest.raises(NotReadable):
        load_json(content)


def test_json_numbers_stay_the_text_they_are() -> None:
    long = "9" * 6000
    assert load_json(f'[1.50, 1e5, -0, {long}, "\\ud83d\\ude00"]'.encode()) == ["1.50", "1e5", "-0", long, "😀"]
    assert load_json(b"\xef\xbb\xbf[]") == []


@pytest.mark.parametrize(
    "content", [b'a,"b\n1,2\n', b'a,b\n"1\n2",3\n', b'a,b\n1,"2"x\n', b"a\n" + b"1" * 200_000, b"a,b\n\xff,1\n"]
)
def test_a_table_in_which_lines_could_disappear_is_refused(content: bytes) -> None:
    with pytest.raises(NotReadable):
        csv_rows(content)


def test_a_quote_left_open_never_swallows_lines() -> None:
    lines = sdmx.csv_codes(fuzz_targets.ROWS).decode().split("\r\n")
    spoilt = [*lines[:3], lines[3] + '"', *lines[4:6], lines[6] + '"', *lines[7:]]
    for content in ("\r\n".join(spoilt).encode(), "\n".join(spoilt).replace('"', '"x', 1).encode()):
        assert fuzzing.check(TARGETS["SDMX-CSV"], content) == "UnexpectedPayload"


def test_lines_inside_a_label_are_not_lost() -> None:
    flow = "OECD.STI.STP:DSD_SBRD@DF_SBRD(1.4)"
    head = "DATAFLOW,LOCATION,VAR,TIME_PERIOD,OBS_VALUE,OBS_STATUS,Observation status\n"
    rows = [f"{flow},KOR,G_PPP,{year},1,A,Normal\n" for year in range(2015, 2020)]
    assert fuzzing.check(TARGETS["SDMX-CSV"], (head + "".join(rows)).encode()) == "data"
    rows[1], rows[3] = rows[1].replace("Normal", '"Normal'), rows[3].replace("Normal", 'Normal"')
    with pytest.raises(UnexpectedPayload, match="5 lines below the header, but 3 rows"):
        TARGETS["SDMX-CSV"].read((head + "".join(rows)).encode())


def test_names_so_long_that_patterns_would_take_minutes_are_refused() -> None:
    export = tables.classic_export({(1, "2019"): "1"}, [(1, "2019")])
    for name, good in (("NBS indicators", tables.listing()), ("NBS exports", export)):
        spoilt = good.replace(tables.INDICATORS[1][0].encode(), b"(" * 100_000)
        assert fuzzing.check(TARGETS[name], spoilt) == "UnexpectedPayload"
