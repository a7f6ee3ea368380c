"""A part of the service that does not stay up is an incident; the supervisor opens, closes and delivers it by itself.

Whatever else delivers notices may be what died. Belongs here: that one incident. Does not belong here: restarting (supervisor),
runs that fail (run_incidents).
"""

from __future__ import annotations

from collections.abc import Callable

from flows import notices, pipeline
from flows.environment import host
from flows.settings import Settings
from warehouse import incidents
from warehouse.schema import Severity


def teller(settings: Settings, note: Callable[[str], None]) -> Callable[[str, str | None], bool]:
    """What a supervisor calls with the name of a part and what a person must know of it, and with None once it stays up again.

    It never raises, since the service would end with it: a store or a channel that refuses is one line to `note`. False when
    it could not be recorded, and is to be told again.
    """

    def tell(part: str, said: str | None) -> bool:
        try:
            if _record(settings, f"service/{part} on {host(settings)}", said):
                for refused in notices.deliver_pending(settings)[1]:
                    note(str(refused))
        except Exception as error:  # the store in trouble is just when parts die: a locked database, a full disk
            note(f"nobody can be told of the {part}: {type(error).__name__}: {error}".splitlines()[0])
            return False
        return True

    return tell


def _record(settings: Settings, name: str, said: str | None) -> bool:
    """Open or count the incident, or close it when nothing is said any more; whether there was any."""
    warehouse = pipeline.open_warehouse(settings)
    if said is not None:
        title = f"{name} does not stay up"
        incidents.open_or_count(warehouse, name, incidents.RUN, Severity.CRITICAL, title, said, "service")
        return True
    standing = incidents.open_now(warehouse, name, incidents.RUN)
    for row in standing:
        incidents.close_one(warehouse, row["incident"], "service", f"{name} stays up again")
    return bool(standing)
