"""The provider's branch of the error tree (its root is in warehouse/errors.py).

ProviderError
├── Unreachable          retriable    no answer: refused, timed out, cut off, wrong length
├── ServerFault          retriable    5xx, or a 4xx that is an HTML page rather than the provider's own message
├── Throttled            retriable    429, or the quota prose with another status; carries retry_after
├── Blocked              stop         403, firewall challenge, another host: never evade, keep the last good data
├── NotFound             stop         the address itself is unknown: dataflow, path or version withdrawn
├── NoData               stop         a valid question with an empty answer
├── BadRequest           stop         the provider refuses the question
├── Moved                retriable    the data changed while they were being read; read again from the start
├── UnexpectedPayload    stop         an answer that is not of the documented form
├── QuotaExhausted       stop         our own limit: asking now would break the provider's
└── UnknownFault         stop         a sandbox fault that does not exist

`retriable` answers "may the same request succeed in a moment?"; only connectors/transport.py acts on it, plus the
restart of a whole read on Moved.
"""

from __future__ import annotations

from warehouse.errors import FigurekeeperError


class ProviderError(FigurekeeperError):
    """A provider did not give what was asked; the last good data keep serving."""


class Unreachable(ProviderError):
    """No usable answer came: refused, timed out, cut off or of the wrong length."""

    retriable = True


class ServerFault(ProviderError):
    """The provider's server failed (5xx), or answered a 4xx with a page instead of its own message."""

    retriable = True


class Throttled(ProviderError):
    """The provider's quota is used up; `retry_after` is its own word in seconds, when it gave one."""

    retriable = True

    def __init__(
        self,
        what: str,
        *,
        next_step: str,
        dataset: str | None = None,
        request: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what, next_step=next_step, dataset=dataset, request=request)
        self.retry_after = retry_after


class Blocked(ProviderError):
    """The provider's firewall refuses us. It is not evaded."""


class NotFound(ProviderError):
    """The address is unknown to the provider: dataflow, version or path withdrawn or renamed."""


class NoData(ProviderError):
    """A valid question to which the provider has no data."""


class BadRequest(ProviderError):
    """The provider refuses the question itself."""


class Moved(ProviderError):
    """The data changed while they were being read."""

    retriable = True


class UnexpectedPayload(ProviderError):
    """An answer that is not of the form the connector knows; nothing is guessed from it."""


class QuotaExhausted(ProviderError):
    """Our own limit for this provider is reached; nothing was sent."""


class UnknownFault(ProviderError):
    """The sandbox knows no fault of that name."""
