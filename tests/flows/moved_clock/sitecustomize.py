"""With this folder on PYTHONPATH every Python process lives as many seconds ahead as the file in MOVED_CLOCK says.

What measures pauses (time.monotonic) goes on as it does when a machine wakes up.
"""

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import time_machine


def follow(file: Path) -> None:
    """Move this process's clock whenever the file names another number of seconds."""
    moved: time_machine.travel | None = None
    held = 0.0
    while True:
        ahead = float(file.read_text() or held)
        if ahead != held:
            now = datetime.now(UTC) + timedelta(seconds=ahead - held)
            if moved is not None:
                moved.stop()
            moved = time_machine.travel(now, tick=True)
            moved.start()
            held = ahead
        ready.set()
        time.sleep(0.5)


ready = threading.Event()
threading.Thread(target=follow, args=(Path(os.environ["MOVED_CLOCK"]),), daemon=True).start()
ready.wait()
