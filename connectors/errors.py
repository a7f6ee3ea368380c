"""The provider's branch of the error tree (its root is in warehouse/errors.py).

ProviderError
├── Unreachable          retriable    no answer: refused, timed out, cut off, wrong length
├── ServerFault          retriable    5xx, or a 4xx that is an HTML page rather than the provider's own message
├── Throttled            retriable    429, or the quota prose with another status; carries retry_after
├── Blocked              stop         403, firewall challenge, another host: never evade, keep the last good data
├── NotFound             stop         the address itself is unknown: dataflow, path or version withdrawn
├── NoData               stop         a valid question with an empty answer
├── BadRequest           stop         the provider refuses the question
├── NotGranted           stop         the provider does not give old vintages
├── Moved                retriable    the data changed while they were being read; read again from the start
├── UnexpectedPayload    stop         an answer that is not of the documented form
├── UnknownFault         stop         a sandbox fault that does not exist
└── NotAsked             stop         nothing was sent, on a decision of ours
    ├── QuotaExhausted   stop         our own limit: asking now would break the provider's
    ├── ProviderPaused   stop         the provider refused or failed so often that it is left alone for a while
    └── OutOfTime        stop         the run has had its time

`retriable` answers "may the same request succeed in a moment?"; only connectors/http/transport.py acts on it, plus the
restart of a whole read on Moved. Blocked, Throttled, Unreachable and ServerFault may be the whole provider's trouble:
connectors/http/breaker.py counts them. docs/faults.md says for every way to fail which of these it ends in.
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


class NotGranted(ProviderError):
    """The provider does not give old vintages, or there is no proof that it does."""


class Moved(ProviderError):
    """The data changed while they were being read."""

    retriable = True


class UnexpectedPayload(ProviderError):
    """An answer that is not of the form the connector knows; nothing is guessed from it."""


class UnknownFault(ProviderError):
    """The sandbox knows no fault of that name."""


class NotAsked(ProviderError):
    """Nothing was sent, on a decision of ours; what was read before is kept."""


class QuotaExhausted(NotAsked):
    """Our own limit for this provider is reached."""


class ProviderPaused(NotAsked):
    """The provider refused us, or failed several times in a row, and is left alone until a stated time."""


class OutOfTime(NotAsked):
    """The run has had its time; the rest waits for the next one."""


#: After one of these the next question to that provider would be asked in vain: what comes before the data raises them.
CONCERNS_ALL = (Unreachable, Throttled, Blocked, NotAsked)
#: After one of these the answers before it are of no use to the next run either.
SPOILS_ANSWERS = (NotFound, NoData, BadRequest, NotGranted, Moved, UnexpectedPayload, UnknownFault)
