"""What the tests of the papers share: the catalogue, and a warehouse with the real vintages that it speaks of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from filelock import FileLock

from tests.papers import tiny as tiny_papers
from tests.papers.filling import fill
from warehouse.papers import catalogue, inputs
from warehouse.papers.catalogue import Catalogue
from warehouse.papers.inputs import Held
from warehouse.store import Warehouse


@pytest.fixture(scope="session")
def papers() -> Catalogue:
    """The shipped papers."""
    return catalogue.load()


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Warehouse:
    """All vintages of the facts that the papers need, published once for all workers of a run. Read it, and write nothing."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    home, done = shared / "filled", shared / "filled.done"
    with FileLock(shared / "filled.lock"):
        if not done.exists():
            fill(home)
            done.touch()
    return Warehouse(home, "sandbox", create=False)


@pytest.fixture(scope="session")
def held(filled: Warehouse, papers: Catalogue) -> Iterator[Held]:
    """The observations of that warehouse's newest edition."""
    with inputs.hold(filled, papers) as observations:
        yield observations


@pytest.fixture(scope="module")
def tiny() -> Catalogue:
    """One public paper and one private one, on a measure of their own."""
    return tiny_papers.catalogue_of_two()


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Two vintages: one of the paper's year, and one since, in which the value moved."""
    return tiny_papers.two_vintages(tmp_path_factory.mktemp("site"))
