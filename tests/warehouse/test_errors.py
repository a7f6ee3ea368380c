"""A text of an error or an incident, parted into what it tells and the next step."""

from __future__ import annotations

import pytest

from warehouse.errors import UsageError, parted


@pytest.mark.parametrize(
    ("text", "told", "step"),
    [
        ("nothing to do", "nothing to do", ""),
        (str(UsageError("it is wrong", next_step="mend it")), "it is wrong.", "mend it"),
        ("429. Next: wait. Do not retry.\nThe last data serve.", "429.\nThe last data serve.", "wait. Do not retry"),
        ("A: x. Next: wait\nB: y. Next: wait", "A: x.\nB: y.", "wait"),
        ("A: x. Next: wait.\nB: y. Next: mend", "A: x. Next: wait.\nB: y. Next: mend", "wait; mend"),
    ],
)
def test_what_is_told_and_the_next_step(text: str, told: str, step: str) -> None:
    assert parted(text) == (told, step)
