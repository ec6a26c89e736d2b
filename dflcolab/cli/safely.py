"""Around a verb that runs: signals ask for a safe stop, and every failure becomes one sentence."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from dflcolab.errors import DFLColabError, MissingDependencyError, StorageError
from dflcolab.files import storage_errors
from dflcolab.progress import Progress


@contextmanager
def stop_on_signals(progress: Progress) -> Iterator[None]:
    """The first SIGINT or SIGTERM asks for a safe stop, the second ends at once."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        if progress.stop_requested:
            raise KeyboardInterrupt
        progress.request_stop()
        progress.message("Stopping at the next safe point; press Ctrl-C again to stop at once.")

    try:
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever called us owns the signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


IN_A_NOTEBOOK = "open “Details for a report” to see where"
_ON_THE_COMMAND_LINE = "set DFLCOLAB_DEBUG=1 and run again to see where"


@contextmanager
def failures_as_sentences(*, look: str = _ON_THE_COMMAND_LINE) -> Iterator[None]:
    """Turn what the system and libraries raise for a user's reason into our own errors.

    `DFLCOLAB_DEBUG=1` shows the traceback instead, for developers.

    Args:
        look: How to see where a mistake of this program is.
    """
    if os.environ.get("DFLCOLAB_DEBUG"):
        yield
        return
    try:
        with storage_errors(Path.cwd()):
            yield
    except (DFLColabError, BrokenPipeError):
        raise
    except ImportError as error:
        raise MissingDependencyError(_import_advice(error)) from error
    except MemoryError as error:
        raise StorageError(
            "The machine's memory is used up; close other programs or choose smaller options."
        ) from error
    except FileNotFoundError as error:
        raise StorageError(f"{error.filename or error} is missing; check the path.") from error
    except (NotADirectoryError, FileExistsError, IsADirectoryError) as error:
        raise StorageError(
            f"{error.filename2 or error.filename or error} does not fit: a file stands where a folder is needed, or a "
            "folder where a file is; rename it, or choose another path."
        ) from error
    except OSError as error:
        raise StorageError(f"{error}; check the disk and the path, then run again.") from error
    except Exception as error:
        logging.getLogger(__name__).debug("unexpected failure", exc_info=True)
        raise DFLColabError(
            f"an unexpected failure ({type(error).__name__}: {error}); {look}, then please report it."
        ) from error


def _import_advice(error: ImportError) -> str:
    text = str(error)
    if "libGL" in text or "libgthread" in text:
        return (
            "OpenCV needs system libraries that this machine lacks; run "
            "`pip install --force-reinstall --no-deps opencv-python-headless` and try again."
        )
    name = (error.name or text).split(".")[0]
    if name == "dflcolab":
        return f"A part of dflcolab does not load ({text}); reinstall the package with pip."
    return f"The library {name!r} does not load ({text}); install it with `pip install {name}`."
