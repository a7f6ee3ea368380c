"""What reads the providers' answers and what plays the providers share no code: else both could be wrong alike, unseen.

The modules are found, not listed. A reader is a module outside the sandbox with a function that is given bytes or payloads;
what neither reads nor plays (requests, errors, dataset files) may be used by both.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READ = {"bytes", "Payload", "PartFetch", "Message"}
#: Nodes of a function's tree from which on two equal ones are no coincidence.
LONG_ENOUGH = 30

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _modules(folder: Path) -> dict[str, ast.Module]:
    """The trees of all modules of `connectors` by name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
            path.read_text("utf-8")
        )
        for path in sorted(folder.rglob("*.py"))
    }


MODULES = _modules(ROOT / "connectors")
SANDBOX = {name for name in MODULES if f"{name}.".startswith("connectors.sandbox.")}


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _is_given(function: Function, names: set[str]) -> bool:
    arguments = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
    annotations = [one.annotation for one in (*arguments, function.args.vararg) if one is not None and one.annotation]
    return any(isinstance(n, ast.Name) and n.id in names for annotation in annotations for n in ast.walk(annotation))


READERS = {
    name
    for name, tree in MODULES.items()
    if name not in SANDBOX and any(_is_given(function, READ) for function in _functions(tree))
}


def _imported(name: str, tree: ast.Module) -> Iterator[str]:
    """The modules of `connectors` that a module imports, wherever the statement stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = name.split(".")[: -node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (one for one in found if one in MODULES and one != "connectors")


@cache
def _reaches(name: str) -> frozenset[str]:
    """All modules of `connectors` behind the imports of one."""
    seen: set[str] = set()
    ahead = [name]
    while ahead:
        for one in _imported(at := ahead.pop(), MODULES[at]):
            if one not in seen:
                seen.add(one)
                ahead.append(one)
    return frozenset(seen)


def _plain(function: Function) -> str | None:
    """What a function does, without its name, its words and the names of its variables; None when it is short."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    if sum(1 for statement in body for _ in ast.walk(statement)) < LONG_ENOUGH:
        return None
    own = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
    own |= {n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return ast.dump(_Plain(own).visit(ast.Module(copy.deepcopy(body), [])))


class _Plain(ast.NodeTransformer):
    """Gives a function's own variables numbers for names and takes annotations away."""

    def __init__(self, own: set[str]) -> None:
        self.own, self.names = own, dict[str, str]()

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return (
            ast.Name(self.names.setdefault(node.id, f"v{len(self.names)}"), node.ctx) if node.id in self.own else node
        )

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        return ast.Assign([node.target], node.value) if node.value else node


def _bodies(names: set[str]) -> dict[str, str]:
    """Where each long function of some modules stands, by what it does."""
    return {
        plain: f"{name}.{function.name}"
        for name in sorted(names)
        for function in _functions(MODULES[name])
        if (plain := _plain(function)) is not None
    }


@pytest.mark.parametrize("name", sorted(SANDBOX))
def test_the_sandbox_uses_no_reader(name: str) -> None:
    assert _reaches(name) & READERS == set()


@pytest.mark.parametrize("name", sorted(READERS))
def test_no_reader_uses_the_sandbox(name: str) -> None:
    assert _reaches(name) & SANDBOX == set()


def test_no_function_stands_in_a_reader_and_in_the_sandbox() -> None:
    readers, sandbox = _bodies(READERS), _bodies(SANDBOX)
    assert not {readers[plain]: sandbox[plain] for plain in readers.keys() & sandbox.keys()}
    assert min(len(readers), len(sandbox)) > 20


def test_the_readers_are_found() -> None:
    for provider in ("oecd", "worldbank", "nbs"):
        assert f"connectors.{provider}.parse" in READERS & _reaches(f"connectors.{provider}.connector")
        assert f"connectors.sandbox.{provider}_wire" in SANDBOX
    assert not READERS & {"connectors.http.request", "connectors.errors", "connectors.skipped"}


def test_a_copied_function_is_recognised_whatever_its_names() -> None:
    one = "def a(rows: list[str]) -> int:\n 'Words.'\n n: int = 0\n for row in rows:\n  n += len(row) * 2 + 1\n return n * 3 + 1"
    other = "def b(them):\n total = 0\n for it in them:\n  total += len(it) * 2 + 1\n return total * 3 + 1"
    changed = other.replace("3 + 1", "3 + 2")
    plain = [_plain(next(_functions(ast.parse(text)))) for text in (one, other, changed)]
    assert plain[0] is not None
    assert plain[0] == plain[1] != plain[2]
