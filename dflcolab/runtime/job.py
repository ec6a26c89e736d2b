# pyright: strict
"""A long step in a process of its own: started, watched, asked, and found again.

The notebook stays alive whatever happens to the process, and the process whatever happens to the
notebook: a page that is opened anew, or a kernel that was restarted, finds the job in the workspace.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from dflcolab.config import Config, to_plain
from dflcolab.errors import DFLColabError, Interrupted, JobError
from dflcolab.files import exclusive, storage_errors
from dflcolab.progress import Wish
from dflcolab.runtime.job_files import STOP, Event, EventReader, JobFiles
from dflcolab.runtime.where import Where

_SAME_START_S = 1.0
_KILLED = -int(signal.SIGKILL)


@dataclass(frozen=True)
class Snapshot:
    """What is known of a job at a moment.

    Attributes:
        verb: What it does, such as "train".
        name: Of the model, or "".
        began: When it was started, seconds since 1970.
        latest: The latest event of each kind but "message".
        messages: The last sentences, oldest first.
        stopping: Somebody asked it to end.
        running: Its process was there.
    """

    verb: str
    name: str
    began: float
    latest: Mapping[str, Event]
    messages: tuple[str, ...]
    stopping: bool
    running: bool


@dataclass(frozen=True)
class JobEnd:
    """How a job ended that did what it was asked to.

    Attributes:
        report: The verb's report, JSON-ready.
        summary: The same in a few lines.
    """

    report: Mapping[str, Any]
    summary: str


class Job:
    """A job of a workspace.

    Args:
        files: Through which to talk with it.
        child: The process, if it is this one's own child.

    Attributes:
        stopping: Somebody asked it to end, or is about to.
    """

    def __init__(self, files: JobFiles, child: subprocess.Popen[bytes] | None = None) -> None:
        self.files = files
        self._child = child
        self._reader = EventReader(files.events)
        self._latest: dict[str, Event] = {}
        self._messages: list[str] = []
        self.stopping = False
        request = files.request()
        self._config: Mapping[str, Any] = request.get("config", {})
        self.verb = str(request.get("verb", ""))
        self.name = str(self._config.get("model") or "")
        self._began = float(request.get("began", 0.0))

    @classmethod
    def start(cls, root: Path, verb: str, config: Config, *, where: Where) -> Job:
        """Start a verb in a process of its own.

        Args:
            root: The workspace.
            verb: A command of the command line.
            config: Its options.
            where: Kind of place; the process itself cannot see it.

        Raises:
            JobError: A job is running there.
            StorageError: The disk is full, read-only or gone.
        """
        files = JobFiles(root)
        with exclusive(files.folder / ".starting.lock", JobError(_busy("Another job", root))):
            running = cls.running_in(root)
            if running is not None:
                raise JobError(running.busy_sentence())
            files.begin(
                {
                    "verb": verb,
                    "config": to_plain(config),
                    "where": to_plain(where),
                    "began": time.time(),
                }
            )
            command = (sys.executable, "-m", "dflcolab.runtime.job_process", str(root))
            with storage_errors(files.output), files.output.open("ab") as output:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,  # the cell's Stop button is for the notebook
                )
            files.note_process(child.pid, psutil.Process(child.pid).create_time())
        return cls(files, child)

    @classmethod
    def running_in(cls, root: Path) -> Job | None:
        """The job that runs in a workspace, whoever started it; None without one."""
        job = cls(JobFiles(root))
        return job if job.running else None

    def does(self, verb: str, config: Config) -> bool:
        """True if it is this verb, and this action of it, on this model."""
        wanted = to_plain(config)
        return self.verb == verb and all(
            self._config.get(name) == wanted.get(name) for name in ("model", "action")
        )

    @property
    def what(self) -> str:
        """What it does, such as "the training of first"."""
        noun = {"train": "training", "pretrain": "pretraining"}.get(self.verb, f"step {self.verb}")
        return f"the {noun} of {self.name}" if self.name else f"the {noun}"

    def title(self) -> str:
        """The same as the beginning of a sentence."""
        return self.what[:1].upper() + self.what[1:]

    def busy_sentence(self) -> str:
        """Why nothing else can begin in the workspace now."""
        return _busy(self.title(), self.files.root)

    @property
    def running(self) -> bool:
        """True while the process is there."""
        if self._child is not None:
            return self._child.poll() is None
        return self._process() is not None

    @property
    def pid(self) -> int | None:
        """Number of the process while it is there."""
        process = self._process()
        return None if process is None else process.pid

    def snapshot(self) -> Snapshot:
        """What is known now."""
        running = self.running  # before its events are read: nothing comes after them then
        for event in self._reader.news():
            if event["kind"] == "message":
                self._messages = [*self._messages[-99:], str(event.get("text", ""))]
            else:
                self._latest[str(event["kind"])] = event
        return Snapshot(
            verb=self.verb,
            name=self.name,
            began=self._began,
            latest=dict(self._latest),
            messages=tuple(self._messages),
            stopping=self.stopping,
            running=running,
        )

    def wish(self, wish: Wish) -> None:
        """Ask for something that the work goes on after, or ends with.

        Raises:
            StorageError: The disk is full, read-only or gone.
        """
        self.stopping = self.stopping or wish is Wish.FINISH
        self.files.make_wish(wish)

    def request_stop(self) -> None:
        """Ask it to save and end.

        Raises:
            StorageError: The disk is full, read-only or gone.
        """
        self.stopping = True
        self.files.make_wish(STOP)

    def kill(self) -> None:
        """End it at once; what was saved stays."""
        process = self._process()
        if process is not None:
            try:
                os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own
            except ProcessLookupError:
                return

    def result(self) -> JobEnd:
        """How it ended; call it when it runs no more.

        Raises:
            DFLColabError: The sentence with which it failed.
            Interrupted: It was asked to stop, and has saved.
            JobError: It ended without a word.
        """
        latest = self.snapshot().latest
        if "end" in latest:
            end = latest["end"]
            return JobEnd(dict(end["report"]), str(end["summary"]))
        if "failed" in latest:
            failed = latest["failed"]
            kind = Interrupted if failed["error"] == Interrupted.__name__ else DFLColabError
            error = kind(failed["sentence"])
            error.add_note(f"In the process of {self.what}:\n{failed['details']}")
            raise error
        raise self._ended_without_a_word()

    def _ended_without_a_word(self) -> JobError:
        code = None if self._child is None else self._child.poll()
        output = self.files.output_end()
        last = output.splitlines()[-1].rstrip(".") if output else "it printed nothing"
        if code in (None, _KILLED):
            error = JobError(
                f"The process of {self.what} was ended by the system, most often because memory ran "
                "out; run the cell again to go on from the last save, with a smaller batch or model if "
                "it happens again."
            )
        else:
            error = JobError(
                f"The process of {self.what} ended unexpectedly (code {code}: {last}); run the cell "
                "again to go on from the last save, and report it if it happens again."
            )
        error.add_note(f"The last lines that it printed:\n{output}")
        return error

    def _process(self) -> psutil.Process | None:
        """The process, if it is there and no other one with its number."""
        known = self.files.process()
        if known is None:
            return None
        pid, created = known
        try:
            process = psutil.Process(pid)
            same = abs(process.create_time() - created) < _SAME_START_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None


def _busy(what: str, root: Path) -> str:
    return (
        f"{what} is running in {root} already; wait until it has ended, or stop it by its cell's Stop "
        "button or by a file named STOP in that folder."
    )
