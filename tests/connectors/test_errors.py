"""The tree of the provider's errors: drawn as it is, and no class that nothing ends in."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from connectors import errors
from connectors.errors import ProviderError

ROOT = Path(__file__).parents[2]
FAULTS = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
#: Classes that no misbehaviour of the sandbox ends in, and the test that does.
ELSEWHERE = {
    "BadRequest": "tests/connectors/test_oecd.py::test_what_an_answer_means",
    "NotGranted": "tests/flows/test_archives.py::test_a_server_that_ignores_as_of_is_found_out",
    "OutOfTime": "tests/flows/test_outages.py::test_a_run_has_its_time_and_says_what_it_did_not_ask",
    "ProviderPaused": "tests/flows/test_outages.py::test_an_outage_of_one_provider_leaves_the_others_alone",
    "QuotaExhausted": "tests/connectors/test_quota.py::test_a_wait_too_long_is_refused_with_the_time_it_frees",
    "UnknownFault": "tests/connectors/test_transport.py::test_the_classifier_decides_and_the_sandbox_refuses_unknown_faults",
}
TREE = {
    name: found for name, found in vars(errors).items() if inspect.isclass(found) and issubclass(found, ProviderError)
}
LEAVES = sorted(name for name, found in TREE.items() if not found.__subclasses__())


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"^(.*)── (\w+) +(retriable|stop)  +\S", errors.__doc__ or "", flags=re.MULTILINE)
    assert sorted(name for _, name, _ in drawn) == sorted(TREE.keys() - {"ProviderError"})
    for before, name, retriable in drawn:
        assert TREE[name].retriable == (retriable == "retriable"), name
        assert (TREE[name].__bases__ == (ProviderError,)) == (len(before) == 1), name


@pytest.mark.parametrize("name", LEAVES)
def test_every_class_is_what_something_ends_in(name: str) -> None:
    if f"| `{name}` |" in FAULTS:
        assert name not in ELSEWHERE
        return
    file, _, function = ELSEWHERE[name].partition("::")
    [test] = [one for one in (ROOT / file).read_text(encoding="utf-8").split("\n\n\n") if f"def {function}(" in one]
    assert name in test
