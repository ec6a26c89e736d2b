# pyright: strict
"""The process that does a job: `python -m dflcolab.runtime.job_process WORKSPACE`.

Runs the verb that the workspace's `.job` folder names, as the command line would. What happens goes
into its events; wishes come as files. SIGTERM saves and ends, as on the command line.
"""

from __future__ import annotations

import inspect
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dflcolab.cli.commands import COMMANDS
from dflcolab.cli.safely import IN_A_NOTEBOOK, failures_as_sentences, stop_on_signals
from dflcolab.config import from_mapping, to_plain
from dflcolab.errors import DFLColabError, StorageError
from dflcolab.files import write_bytes
from dflcolab.progress import Progress, Task, Wish
from dflcolab.runtime.job_files import STOP, EventLog, JobFiles
from dflcolab.runtime.machine import gpu_memory
from dflcolab.runtime.where import Place, Where
from dflcolab.workspace.workspace import Workspace

STOPPED_AT_ONCE = "Stopped at once. Run the cell again to go on from the last save."

_LOOK_SECONDS = 0.2
_SLOW_LOOKS = 50  # of these, between two looks at memory and output
_TELL_SECONDS = 0.5
_RATE_SECONDS = 30.0
_PICTURE_SECONDS = 15.0
_MOST_OUTPUT_BYTES = 1 << 20


class JobProgress(Progress):
    """Progress that becomes events.

    Args:
        files: Where pictures go.
        log: Where events go.
    """

    picture_seconds = _PICTURE_SECONDS

    def __init__(self, files: JobFiles, log: EventLog) -> None:
        super().__init__()
        self._files = files
        self._log = log

    def task(self, title: str, *, total: int | None, unit: str, done: int = 0) -> Task:
        return _JobTask(self._log, title, total, unit, done)

    def message(self, text: str) -> None:
        self._log.write("message", text=text)

    def fact(self, kind: str, **values: object) -> None:
        self._log.write(kind, **values)

    def picture(self, iteration: int, jpeg: bytes) -> None:
        try:
            write_bytes(self._files.picture, jpeg, durable=False)
        except (StorageError, OSError):
            return  # nobody sees it then; the work goes on
        self._log.write("picture", iteration=iteration)


class _JobTask(Task):
    """A task whose state is told about twice a second, with its rate of the last half minute."""

    def __init__(self, log: EventLog, title: str, total: int | None, unit: str, done: int) -> None:
        super().__init__(title, total, unit, done)
        self._log = log
        self._due = 0.0
        self._marks: deque[tuple[float, int]] = deque()
        self._tell()

    def advance(self, n: int = 1, *, note: str = "") -> None:
        super().advance(n, note=note)
        now = time.monotonic()
        if n < 0:
            self._marks.clear()
        # The first mark comes after the first unit, which may hold a compilation.
        if not self._marks or now >= self._due:
            self._marks.append((now, self.done))
            while now - self._marks[0][0] > _RATE_SECONDS and len(self._marks) > 2:
                self._marks.popleft()
            self._tell()

    def close(self) -> None:
        self._tell()

    def _tell(self) -> None:
        self._due = time.monotonic() + _TELL_SECONDS
        self._log.write(
            "task",
            title=self.title,
            done=self.done,
            total=self.total,
            unit=self.unit,
            rate=self._rate(),
        )

    def _rate(self) -> float | None:
        """Units per second; None before that can be said."""
        if len(self._marks) < 2:
            return None
        (began, first), (now, last) = self._marks[0], self._marks[-1]
        return (last - first) / (now - began) if now > began else None


def run_job(files: JobFiles) -> int:
    """Do what the folder asks for, and tell of it.

    Returns:
        The exit code, as that of the command line.
    """
    log = EventLog(files.events)
    progress = JobProgress(files, log)
    threading.Thread(target=_watch, args=(files, log, progress), daemon=True).start()
    try:
        with stop_on_signals(progress), failures_as_sentences(look=IN_A_NOTEBOOK):
            report = _run_verb(files.request(), files.root, progress)
            summary = getattr(report, "summary", None)
            text = str(summary()) if callable(summary) else ""
            log.write("end", report=to_plain(report), summary=text)
    except DFLColabError as error:
        log.write(
            "failed",
            error=type(error).__name__,
            sentence=str(error),
            details=traceback.format_exc(),
        )
        return error.exit_code
    except KeyboardInterrupt:
        log.write("failed", error="Interrupted", sentence=STOPPED_AT_ONCE, details="")
        return 130
    return 0


def _run_verb(request: Mapping[str, Any], root: Path, progress: Progress) -> Any:
    command = COMMANDS[request["verb"]]
    config = from_mapping(command.load_config(), request["config"])
    with progress.task("Loading libraries", total=None, unit="libraries"):
        function = command.load_function()
    named: dict[str, Any] = {"progress": progress}
    if "where" in inspect.signature(function).parameters:
        where: dict[str, Any] = {**request["where"], "place": Place(request["where"]["place"])}
        named["where"] = Where(**where)
    return function(root if command.takes == "path" else Workspace.open(root), config, **named)


def _watch(files: JobFiles, log: EventLog, progress: Progress) -> None:
    """Beside the work: take wishes, look at the GPU's memory, keep the output small."""
    looks = 0
    asks_gpu = True
    while True:
        for name in files.take_wishes():
            if name == STOP:
                progress.request_stop()
            elif name in tuple(Wish):
                progress.wish(Wish(name))
        if looks % _SLOW_LOOKS == 0:
            memory = gpu_memory() if asks_gpu else None
            asks_gpu = memory is not None
            if memory is not None:
                log.write("gpu", used_mib=memory[0], total_mib=memory[1])
            _shorten(files.output)
        looks += 1
        time.sleep(_LOOK_SECONDS)


def _shorten(output: Path) -> None:
    """Empty what libraries printed when it grows large; they go on writing at its end."""
    try:
        if output.stat().st_size > _MOST_OUTPUT_BYTES:
            os.truncate(output, 0)
    except OSError:
        pass


if __name__ == "__main__":
    sys.exit(run_job(JobFiles(Path(sys.argv[1]))))
