"""How an answer is spoilt: bytes, JSON values, cells of a table, elements of XML.

Belongs here: one change of one content, drawn from a random generator, so that a seed gives it again. Does not belong here:
what must come of it (fuzzing.py).
"""

from __future__ import annotations

import copy
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]

#: What stands for a value where nobody expects it.
TOKENS = (
    *(
        "",
        " ",
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "INF",
        "1e5",
        "1e999",
        "-1e999",
        "1,234",
        "−5",
        "5\u00a0",
        "..",
        ":",
    ),
    *(
        "x",
        "NA",
        "null",
        "无",
        "…",
        "-",
        "+5",
        "0x10",
        "٢٠١٧",
        "２０１７",
        "2017-Q5",
        "2017-05",
        "2017-Q1",
        "2017-13",
        "0000",
    ),
    *(
        "99999",
        "-1",
        "9" * 400,
        "1" + "0" * 30,
        "a" * 3000,
        "\u0000",
        "\u001f",
        "\u2028",
        "\ud7ff",
        "KOR",
        "D",
        "=1+1",
        "A.B",
    ),
    *(
        "9" * 5000,
        "2999",
        "2016",
        "true",
        "false",
        "[]",
        "{}",
        '"',
        "'",
        "\\",
        "\n",
        "\r",
        "\t",
        ";",
        ",",
        "<",
        "&",
        "]]>",
    ),
)
VALUES: tuple[Any, ...] = (
    *TOKENS,
    None,
    True,
    False,
    0,
    -1,
    2**70,
    1e308,
    0.1,
    [],
    {},
    [None],
    {"id": None},
    [[]],
    [{}],
)
ENTITIES = (
    '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx">' + "".join(f'<!ENTITY x{n} "{"&x;" * 10}">' for n in range(9)) + "]>",
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
    '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
)
DEEP = 100_000


def mutate(content: bytes, random: Random) -> bytes:
    """The content with one to four changes, mostly of its own form."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        own = _forms(content)
        content = random.choice(own if own and random.random() < 0.7 else BYTES)(content, random)[:4_000_000]
    return content


def _forms(content: bytes) -> tuple[Mutation, ...]:
    head = content[:64].lstrip(b"\xef\xbb\xbf \r\n")
    if head.startswith(b"PK"):
        return (packed,)
    if head.startswith((b"{", b"[")):
        return JSON
    return XML if head.startswith(b"<") else TABLE if b"," in head else ()


def _places(content: bytes, random: Random, longest: int = 200) -> tuple[int, int]:
    start = random.randrange(len(content) + 1)
    return start, min(len(content), start + random.randrange(longest))


def cut(content: bytes, random: Random) -> bytes:
    """The end is missing, or the beginning."""
    start, _ = _places(content, random)
    return content[:start] if random.random() < 0.8 else content[start:]


def flipped(content: bytes, random: Random) -> bytes:
    """Some bits are turned."""
    changed = bytearray(content or b"0")
    for _ in range(random.choice((1, 2, 8))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def slice_moved(content: bytes, random: Random) -> bytes:
    """A piece is missing, stands twice or stands somewhere else."""
    start, end = _places(content, random)
    rest, piece = content[:start] + content[end:], content[start:end]
    to = random.randrange(len(rest) + 1)
    return random.choice((rest, content[:end] + content[start:], rest[:to] + piece + rest[to:]))


def token_put_in(content: bytes, random: Random) -> bytes:
    """Something unexpected stands in the middle."""
    start, end = _places(content, random, 8)
    return content[:start] + random.choice(TOKENS).encode("utf-8", "surrogatepass") + content[end:]


def number_changed(content: bytes, random: Random) -> bytes:
    """One number is another text."""
    found = list(re.finditer(rb"-?\d[\d.]*", content))
    if not found:
        return content
    one = random.choice(found)
    return content[: one.start()] + random.choice(TOKENS).encode() + content[one.end() :]


def encoded(content: bytes, random: Random) -> bytes:
    """Another encoding, or marks of one."""
    text = content.decode("utf-8", "replace")
    which = random.choice(("utf-16", "utf-16-le", "utf-32", "gb18030", "latin-1", "utf-7", "bom", "bombom", "declared"))
    if which.startswith("bom"):
        return b"\xef\xbb\xbf" * which.count("bom") + content
    if which == "declared":
        return content.replace(b"utf-8", random.choice((b"utf-16", b"utf-7", b"iso-8859-1", b"nonsense")), 1)
    return text.encode(which, "replace")


def newlines(content: bytes, random: Random) -> bytes:
    """Lines end otherwise, or in several ways."""
    lines = re.split(rb"\r?\n", content)
    return b"".join(line + random.choice((b"\n", b"\r\n", b"\r", b"\n\n", b"\x0b")) for line in lines)


BYTES: tuple[Mutation, ...] = (
    *(cut, flipped, slice_moved, slice_moved, token_put_in, number_changed, encoded, newlines),
)


def _nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a document as (what it stands in, where)."""
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        one = stack.pop()
        inner = one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ()
        for at, child in inner:
            found.append((one, at))
            if isinstance(child, (dict, list)):
                stack.append(child)
    return found


def _json(change: Callable[[Any, Any, Random], None]) -> Mutation:
    def mutation(content: bytes, random: Random) -> bytes:
        try:
            document = json.loads(content.decode("utf-8-sig"))
            nodes = _nodes(document)
        except (ValueError, RecursionError):
            return content
        if nodes:
            change(*random.choice(nodes), random)
        return json.dumps(document, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")

    return mutation


def _value_changed(holder: Any, at: Any, random: Random) -> None:
    holder[at] = random.choice(VALUES)


def _value_gone(holder: Any, at: Any, random: Random) -> None:
    del holder[at]


def _value_twice(holder: Any, at: Any, random: Random) -> None:
    if isinstance(holder, list):
        holder.insert(random.randrange(len(holder) + 1), copy.deepcopy(holder[at]))
    else:
        holder[random.choice(list(holder))] = copy.deepcopy(holder[at])


def _name_changed(holder: Any, at: Any, random: Random) -> None:
    if isinstance(holder, dict):
        holder[random.choice((*TOKENS, at.upper(), at + "s"))] = holder.pop(at)


def _values_swapped(holder: Any, at: Any, random: Random) -> None:
    other = random.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[at], holder[other] = holder[other], holder[at]


def name_twice(content: bytes, random: Random) -> bytes:
    """A name of an object stands twice, perhaps with two values."""
    found = list(re.finditer(rb'"[^"\\]*"\s*:\s*("[^"\\]*"|[-\d.]+|null)', content))
    if not found:
        return content
    one = random.choice(found)
    return content[: one.start()] + one.group() + b"," + random.choice(found).group() + b"," + content[one.start() :]


def nested(content: bytes, random: Random) -> bytes:
    """A value lies deeper than any stack."""
    found = list(re.finditer(rb"null|-?\d+", content))
    if not found:
        return content
    one, depth = random.choice(found), random.choice((50, 2000, DEEP))
    opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return content[: one.start()] + opening * depth + one.group() + closing * depth + content[one.end() :]


JSON: tuple[Mutation, ...] = (
    *map(_json, (_value_changed, _value_changed, _value_gone, _value_twice, _name_changed, _values_swapped)),
    *(name_twice, nested),
)


def _table(change: Callable[[list[list[bytes]], Random], None]) -> Mutation:
    def mutation(content: bytes, random: Random) -> bytes:
        rows = [line.split(b",") for line in content.splitlines()]
        change(rows, random)
        return b"\n".join(b",".join(row) for row in rows) + b"\n"

    return mutation


def _cell_changed(rows: list[list[bytes]], random: Random) -> None:
    row = random.choice(rows)
    row[random.randrange(len(row))] = random.choice(TOKENS).encode("utf-8", "surrogatepass")


def _cells_swapped(rows: list[list[bytes]], random: Random) -> None:
    one, other = random.choice(rows), random.choice(rows)
    a, b = random.randrange(len(one)), random.randrange(len(other))
    one[a], other[b] = other[b], one[a]


def _cell_gone(rows: list[list[bytes]], random: Random) -> None:
    row = random.choice(rows)
    del row[random.randrange(len(row))]
    row += [b""] * random.choice((0, 1)) or ([] if row else [b""])


def _column_changed(rows: list[list[bytes]], random: Random) -> None:
    at, kind = random.randrange(len(rows[0])), random.choice(("gone", "twice", "blank", "last"))
    for row in rows:
        if at < len(row):
            one = row.pop(at)
            row[at:at] = {"gone": [], "twice": [one, one], "blank": [b""], "last": []}[kind]
            row += [one] if kind == "last" or not row else []


def _rows_moved(rows: list[list[bytes]], random: Random) -> None:
    at = random.randrange(len(rows))
    one = rows.pop(at)
    rows[random.randrange(len(rows) + 1) : 0] = random.choice(([one], [one, one], [[]], [[b""] * len(one)], [one[:1]]))
    if not rows:
        rows.append(one)


def quote_left_open(content: bytes, random: Random) -> bytes:
    """A quote opens in one cell and closes lines further down."""
    commas = [found.end() for found in re.finditer(rb"[,\n]", content)]
    if len(commas) < 2:
        return content
    start, end = sorted(random.sample(commas, 2))
    return content[:start] + b'"' + content[start : end - 1] + b'"' + content[end - 1 :]


TABLE: tuple[Mutation, ...] = (
    *map(_table, (_cell_changed, _cell_changed, _cells_swapped, _cell_gone, _column_changed, _rows_moved)),
    quote_left_open,
)


def value_changed(content: bytes, random: Random) -> bytes:
    """The value of an XML attribute is another."""
    return _one(content, rb'="([^"]*)"', lambda _: b'="' + random.choice(TOKENS).encode() + b'"', random)


def attribute_gone(content: bytes, random: Random) -> bytes:
    """An XML attribute is missing, stands twice or has another name."""
    ways = (b"", lambda text: text * 2, lambda text: text.replace(b"=", b"X=", 1))
    way = random.choice(ways)
    return _one(content, rb' [\w:]+="[^"]*"', lambda text: way if isinstance(way, bytes) else way(text), random)


def element_changed(content: bytes, random: Random) -> bytes:
    """A tag is missing, stands twice, has another name or is nested."""
    extra = random.choice(
        (b"<!-- x -->", b"<?x y?>", b"<![CDATA[x]]>", b"<Obs/>", b"<Series/>", b"<x>", b"</x>", b"<a><b/></a>")
    )
    ways: tuple[Callable[[bytes], bytes], ...] = (
        lambda text: b"",
        lambda text: text * 2,
        lambda text: re.sub(rb"\w+", b"Other", text, count=1),
        lambda text: text + extra,
        lambda text: b"<a>" * 300 + text,
    )
    return _one(content, rb"<[^<>]*>", random.choice(ways), random)


def entities(content: bytes, random: Random) -> bytes:
    """Entities that grow, or that read a file or an address."""
    end = content.find(b"?>") + 2 if content.lstrip(b"\xef\xbb\xbf").startswith(b"<?") else 0
    spoilt = content[:end] + random.choice(ENTITIES).encode() + content[end:]
    return _one(spoilt, rb'="[^"]*"', lambda _: b'="&x;&x8;"', random) if random.random() < 0.8 else spoilt


def _one(content: bytes, pattern: bytes, way: Callable[[bytes], bytes], random: Random) -> bytes:
    found = list(re.finditer(pattern, content))
    if not found:
        return content
    one = random.choice(found)
    return content[: one.start()] + way(one.group()) + content[one.end() :]


XML: tuple[Mutation, ...] = (value_changed, value_changed, attribute_gone, element_changed, entities)


def packed(content: bytes, random: Random) -> bytes:
    """One of the files in an archive is spoilt, or is very long when unpacked."""
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
            chosen = random.choice(old.namelist())
            for name in old.namelist():
                inner = old.read(name)
                if name == chosen:
                    inner = random.choice((*XML, *BYTES, _many_rows))(inner, random)
                new.writestr(name, inner)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, zlib.error):
        return content
    return out.getvalue()


def _many_rows(content: bytes, random: Random) -> bytes:
    far = b'<row r="99999999"><c r="XFD99999999"><v>1</v></c></row>'
    return content.replace(
        b"</sheetData>", random.choice((far, b"<row/>" * 300_000, b" " * 150_000_000)) + b"</sheetData>"
    )
