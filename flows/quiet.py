"""A run that ends Failed on purpose shows people its message and the next step, and no traceback.

Prefect's engine logs a traceback of every flow that returns a Failed state, and of every task that raises. Belongs here: leaving
out those that tell of no mistake in the code. A mistake of ours keeps its traceback.
"""

from __future__ import annotations

import logging

from prefect.exceptions import CancelledRun, FailedRun

from warehouse.errors import FigurekeeperError

#: Where Prefect's engine logs: what people read of a run, and the worker's own output.
_LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")


def without_traceback(record: logging.LogRecord) -> bool:
    """A filter of log records: drops what repeats a returned state; a typed error's record is changed to its text alone."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, FailedRun | CancelledRun):
        return False
    if isinstance(error, FigurekeeperError):
        record.exc_info, record.msg, record.args = None, str(error), ()
    return True


def install() -> None:
    """Let Prefect's loggers in this process leave such tracebacks out; every module with a flow does it. Twice is once."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(without_traceback)
