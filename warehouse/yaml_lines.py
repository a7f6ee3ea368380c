"""YAML that knows its lines, and everything that is wrong with it told at once.

Belongs here: reading a file that people write against a pydantic model. Does not belong here: any field of such a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

M = TypeVar("M", bound=BaseModel)
#: Of so many fields nobody writes a file; a few lines of aliases of aliases make as many.
_LARGEST = 500_000
#: A path of keys and indices, and what is wrong there.
Where = tuple[str | int, ...]
Mistake = tuple[Where, str]


class Mistaken(Exception):
    """Everything that is wrong with a file, in the order of its lines: "12: what"."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(self.mistakes))


def read(content: bytes, model: type[M], check: Callable[[Mapping[str, Any]], Iterable[Mistake]] | None = None) -> M:
    """The file as a model. `check` finds what no single field shows; it must bear fields that are missing or of a wrong type.

    Raises Mistaken.
    """
    yaml = YAML(typ="safe")
    yaml.allow_duplicate_keys = True  # found below, together with everything else
    try:
        written = content.decode()
        tree = YAML(typ="safe").compose(written)
        lines: dict[Where, int] = {}
        found = _walk(tree, (), lines, set())
        if _expanded(tree, {}) > _LARGEST:
            raise ValueError(f"its aliases make more than {_LARGEST} fields of it")
        data = yaml.load(written)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Mistaken([f"{line}: not UTF-8"]) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Mistaken([f"{line}: {error.problem}"]) from error
    except (YAMLError, ValueError, RecursionError) as error:  # a control character, a day that is none, endless nesting
        raise Mistaken([f"1: not YAML that can be read: {' '.join(str(error).split())}"]) from error
    if not isinstance(data, dict):
        raise Mistaken(["1: the file is not a mapping of fields"])
    found += [(line_at(lines, where), what) for where, what in (check(data) if check else ())]
    made = None
    try:
        made = model.model_validate(data)
    except ValidationError as error:
        for item in _first_causes(error.errors(include_url=False)):
            field = ".".join(str(step) for step in item["loc"])
            found.append((line_at(lines, item["loc"]), f"{field}: {item['msg']}"))
    if found or made is None:
        raise Mistaken(f"{line}: {what}" for line, what in sorted(set(found)))
    return made


def _first_causes(errors: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without those that only follow from others: a list whose items are all wrong is not also too short."""
    places = [error["loc"] for error in errors]
    return [
        error
        for error in errors
        if error["type"] != "too_short" or not any(one[:-1][: len(error["loc"])] == error["loc"] for one in places)
    ]


def lines_of(content: bytes) -> dict[Where, int]:
    """The line of every field of a file that could be read."""
    lines: dict[Where, int] = {}
    _walk(YAML(typ="safe").compose(content.decode()), (), lines, set())
    return lines


def line_at(lines: Mapping[Where, int], where: Where) -> int:
    """The line of a field; of what it would stand in when it is not written."""
    while where not in lines:
        where = where[:-1]
    return lines[where]


def _expanded(node: Node | None, sizes: dict[int, int]) -> int:
    """How many nodes there are below a node, itself among them, once every alias stands for what it means."""
    if node is None or isinstance(node, ScalarNode):
        return 1
    if id(node) not in sizes:
        sizes[id(node)] = _LARGEST  # if it is met again before it is counted, it stands in itself
        inner = [one for pair in node.value for one in pair] if isinstance(node, MappingNode) else node.value
        sizes[id(node)] = 1 + sum(_expanded(one, sizes) for one in inner)
    return sizes[id(node)]


def _walk(node: Node | None, where: Where, lines: dict[Where, int], met: set[int]) -> list[tuple[int, str]]:
    """Note the line of every field below a node; duplicate keys are returned. A node that was `met` before, as an alias is,
    is not gone into again: such may grow without end."""
    if node is None:
        return []
    lines.setdefault(where, node.start_mark.line + 1)
    if id(node) in met:
        return []
    met.add(id(node))
    found: list[tuple[int, str]] = []
    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                found.append((key.start_mark.line + 1, "a key that is no word"))
                continue
            if key.value in seen:
                found.append((key.start_mark.line + 1, f"{key.value}: stands twice in the same place"))
            seen.add(key.value)
            lines.setdefault((*where, key.value), key.start_mark.line + 1)
            found += _walk(value, (*where, key.value), lines, met)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            found += _walk(item, (*where, index), lines, met)
    return found
