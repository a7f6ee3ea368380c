"""Back-ups: the truth of a warehouse in another folder, brought up to date by each run, checked as it is copied.

Belongs here: where a back-up lies and whose it is. What is copied, and in which order, is in warehouse/truth.py; a back-up is
restored by a replay (warehouse/rebuild.py).
"""

from __future__ import annotations

from pathlib import Path

from warehouse import truth
from warehouse.errors import UsageError, WrongProfile
from warehouse.storage import LocalStorage, Storage
from warehouse.store import PROFILES, Warehouse
from warehouse.truth import Copied, Progress

#: Says whose back-up a folder is.
_STAMP = "profile"


def backup(warehouse: Warehouse, to: Path, *, progress: Progress | None = None) -> Copied:
    """Bring the back-up in TO/<profile> up to date; the warehouse may be in use.

    Nothing is ever removed from a back-up. Raises UsageError for a place that a warehouse has, WrongProfile, Corrupted (naming
    the damaged file), StoreUnwritable.
    """
    target = LocalStorage((to / warehouse.profile).resolve())
    truth.assert_apart(warehouse.root, target.root)
    if target.exists(_STAMP):
        _check(target, warehouse.profile)
    else:
        target.write(_STAMP, warehouse.profile.encode())
    return truth.copy(warehouse.storage, target, progress=progress)


def opened(folder: Path, profile: str) -> Storage:
    """The back-up of a profile in a folder. Raises UsageError when there is none, WrongProfile."""
    storage = LocalStorage(folder.resolve() / profile)
    if not storage.exists(_STAMP):
        others = [name for name in PROFILES if (folder / name / _STAMP).is_file()]
        held = f"it has those of {', '.join(others)}" if others else "it has none at all"
        raise UsageError(
            f"{folder} has no back-up of profile {profile}; {held}",
            next_step="name the folder that was given to `figurekeeper backup --to`, or set FIGUREKEEPER_PROFILE",
        )
    _check(storage, profile)
    return storage


def _check(storage: LocalStorage, profile: str) -> None:
    if (stamped := storage.read(_STAMP).decode()) != profile:
        raise WrongProfile(
            f"the back-up in {storage.root} is stamped '{stamped}', not '{profile}'",
            next_step="choose another folder; profiles never mix",
        )
