"""The polite client with which a provider is asked: its quota, its patience, its pauses, and who keeps the answers.

Belongs here: how the settings become a transport. Does not belong here: which address that is (addresses), how a request is
carried out (connectors/http/transport.py), what is asked (the connectors).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from flows.settings import Settings

if TYPE_CHECKING:
    from connectors.http.kept import Kept
    from connectors.http.transport import Transport
    from warehouse.schema import Payload


#: Seconds that one run may ask a provider for, waiting for the quota included: the OECD is asked for one download a minute.
RUN_LIMITS = {"oecd": 5400.0, "worldbank": 3600.0, "nbs": 1800.0}


def patience(provider: str, profile: str) -> dict[str, Any]:
    """How long a provider is waited for, as options of connectors.http.transport.Transport; servers on this machine answer at
    once or not at all."""
    if profile == "live":
        return {"timeouts": (10.0, 60.0), "deadline": 300.0, "backoff": 2.0, "run_limit": RUN_LIMITS[provider]}
    return {"timeouts": (5.0, 10.0), "deadline": 10.0, "backoff": 0.2, "run_limit": 120.0}


@contextmanager
def transport(
    settings: Settings,
    provider: str,
    address: str,
    archive: Callable[[Payload, str | None], None],
    *,
    attempts: int = 4,
    kept: Kept | None = None,
) -> Iterator[Transport]:
    """A transport to the provider's `address`; `archive` is given every final answer with its part, errors included. What is
    `kept` of runs that were cut off is not asked for again."""
    from connectors.http.breaker import Breaker
    from connectors.http.quota import Quota
    from connectors.http.transport import Transport

    place, profile = settings.quota_place, settings.profile
    with (
        closing(Quota(place, provider, profile=profile)) as quota,
        closing(Breaker(place, provider, address, profile=profile)) as breaker,
        Transport(
            provider,
            address,
            quota,
            breaker=breaker,
            archive=archive,
            kept=kept,
            trust_date=profile != "live",
            attempts=attempts,
            **patience(provider, profile),
        ) as polite,
    ):
        yield polite
