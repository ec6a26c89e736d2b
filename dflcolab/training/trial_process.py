"""Trial steps in a process of their own, so that nothing they do can end or burden the run.

A compiler may crash, hang, or leave the GPU's memory taken. What happens in another process ends
with it, and can be ended when it takes too long. Both sides are here: `TrialProcess` asks, `serve`
answers; they exchange lines of JSON.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import IO, Any

from dflcolab.backend import tf
from dflcolab.config import to_plain
from dflcolab.engine.precision import Precision, prepare_device
from dflcolab.models.kinds import SwapModelOptions, swap_options_of
from dflcolab.progress import Progress
from dflcolab.training.trial import Cost, measure_step

_LOOK_SECONDS = 0.2
_REASON_LENGTH = 160


class TrialFailed(RuntimeError):
    """A trial gave no result; its text says why, without a full stop."""


class TrialProcess:
    """Measures steps of one kind of model; a context manager.

    Args:
        options: The model.
        precision: Type its networks compute in.
        progress: Carries the wish to stop.
        command: What is started; for tests.
    """

    def __init__(
        self,
        options: SwapModelOptions,
        precision: Precision,
        progress: Progress,
        *,
        command: tuple[str, ...] = (sys.executable, "-m", "dflcolab.training.trial_process"),
    ) -> None:
        self._model = {
            "arch": options.arch,
            "options": to_plain(options),
            "precision": precision,
        }
        self._progress = progress
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    def __enter__(self) -> TrialProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def measure(self, batch: int, jit: bool = False, *, within: float | None = None) -> Cost:
        """Let the model step; see `measure_step`.

        Args:
            batch: Faces per side.
            jit: Compile by XLA.
            within: Seconds that it may take, start of the process included; None: any time.

        Raises:
            tf.errors.ResourceExhaustedError: It does not fit into memory.
            TrialFailed: It takes too long, or cannot run.
            Interrupted: Somebody asked to stop.
        """
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({"batch": batch, "jit": jit}) + "\n")
            process.stdin.flush()
        except OSError:  # it ended; the missing answer says so
            pass
        answer = self._answer(within)
        if "memory" in answer:
            raise tf.errors.ResourceExhaustedError(None, None, answer["memory"])
        if "failed" in answer:
            raise TrialFailed(answer["failed"])
        return Cost(**answer)

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the run, which ends the trial
        )
        self._process = process
        self._answers = queue.SimpleQueue()
        threading.Thread(target=_pass_on, args=(process.stdout, self._answers), daemon=True).start()
        assert process.stdin is not None
        process.stdin.write(json.dumps(self._model) + "\n")
        return process

    def _answer(self, within: float | None) -> dict[str, Any]:
        began = time.monotonic()
        while True:
            try:
                line = self._answers.get(timeout=_LOOK_SECONDS)
                break
            except queue.Empty:
                late = within is not None and time.monotonic() - began > within
                if late or self._progress.stop_requested:
                    self._end()
                self._progress.raise_if_stopped()
                if late:
                    raise TrialFailed(f"it takes more than {within:.0f} s") from None
        if line:
            return json.loads(line)
        code = self._process.wait() if self._process else None
        self._end()
        raise TrialFailed(f"the trial's process ended with code {code}")

    def _end(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what was left to write has no reader
                    pass
        self._process = None


def _pass_on(stream: IO[str], answers: queue.SimpleQueue[str]) -> None:
    """Lines from a pipe to a queue; an empty one at the end."""
    try:
        for line in stream:
            answers.put(line)
    except ValueError:  # closed by `_end`
        pass
    answers.put("")


def serve() -> None:
    """Answer requests from standard input until it is closed, which ends the process at once."""
    # Libraries write to standard output as well; only answers may go to whoever asked.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        requests = _requests(sys.stdin)
        model = next(requests)
        prepare_device()
        options = swap_options_of(model["arch"], model["options"])
        for request in requests:
            answers.write(json.dumps(_tried(options, model["precision"], request)) + "\n")
            answers.flush()


def _requests(stream: IO[str]) -> Iterator[dict[str, Any]]:
    """Requests as they come; read beside the work, so that the asker's end is noticed in its midst."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in stream:
            waiting.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield json.loads(waiting.get())


def _tried(
    options: SwapModelOptions, precision: Precision, request: dict[str, Any]
) -> dict[str, Any]:
    try:
        return asdict(measure_step(options, precision, request["batch"], jit=request["jit"]))
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        return {"memory": _first_line(error)}
    except (tf.errors.OpError, RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        return {"failed": _first_line(error)}


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:_REASON_LENGTH].rstrip(".")


if __name__ == "__main__":
    serve()
