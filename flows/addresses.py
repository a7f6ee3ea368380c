"""Where each provider is asked: the publisher's own service, a configured address, or the sandbox.

In profile sandbox without a configured sandbox one is started in this process and ends with it, so that a refresh from a shell
needs no service. Date and fault ride in the address, never in the sandbox's state.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date
from types import TracebackType
from typing import TYPE_CHECKING

from flows.settings import Settings
from warehouse.errors import UsageError

if TYPE_CHECKING:
    from connectors.sandbox.server import Sandbox

LIVE = {
    "oecd": "https://sdmx.oecd.org/public/rest",
    "worldbank": "https://api.worldbank.org/v2",
    "nbs": "https://data.stats.gov.cn/dg/website",
}


class Addresses:
    """Base addresses for one process; a context manager, since it may have to run a sandbox."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._own: Sandbox | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Addresses:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._own = None
        self._stack.__exit__(kind, error, trace)

    def of(self, provider: str, *, on: date | None = None, fault: str | None = None, root: str = "public") -> str:
        """The base address of a provider; `root` is the OECD's space in which a dataset lies.

        Raises UsageError for a date or fault outside profile sandbox, or a fault that this provider does not know.
        """
        settings = self._settings
        if settings.profile != "sandbox":
            if on is not None or fault is not None:
                raise UsageError(
                    "a date or a fault can only be asked of the sandbox", next_step="set FIGUREKEEPER_PROFILE=sandbox"
                )
            return (settings.provider_url(provider) or LIVE[provider]).replace("/public/", f"/{root}/")
        configured = settings.provider_url(provider)
        if configured is not None and on is None and fault is None:
            return configured
        _check_fault(provider, fault)
        steps = [self._sandbox()]
        steps += [f"on/{on.isoformat()}"] if on is not None else []
        steps += [f"fault/{fault}"] if fault is not None else []
        return "/".join([*steps, provider])

    def _sandbox(self) -> str:
        if self._settings.sandbox_url is not None:
            return self._settings.sandbox_url.rstrip("/")
        if self._own is None:
            from connectors.sandbox.server import serve

            log = self._settings.root / "sandbox-access.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            self._own = self._stack.enter_context(serve(access_log=log, facts=self._settings.datasets))
        return f"http://127.0.0.1:{self._own.port}"


def _check_fault(provider: str, fault: str | None) -> None:
    from connectors.sandbox.faults import FAULTS

    name = (fault or "").split(":")[0]
    known = sorted(fault.name for fault in FAULTS.values() if provider in fault.providers)
    if fault is not None and name not in known:
        raise UsageError(
            f"the sandbox's {provider} knows no fault '{name}'", next_step=f"choose one of {', '.join(known)}"
        )
