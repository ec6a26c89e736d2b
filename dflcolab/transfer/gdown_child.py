# pyright: strict
"""The process in which gdown runs: `python -m dflcolab.transfer.gdown_child`.

gdown 5 has no time-out and cannot be stopped; a process can. It takes one request as JSON from
standard input and answers with one JSON object on standard output.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any


def fitting(function: Callable[..., Any], wanted: Mapping[str, object]) -> dict[str, object]:
    """Those arguments that this version of gdown takes."""
    known = inspect.signature(function).parameters
    return {name: value for name, value in wanted.items() if name in known}


def _file(gdown: Any, request: Mapping[str, Any]) -> Any:
    source = {name: request[name] for name in ("id", "url") if request.get(name)}
    wanted = {
        **source,
        "output": request["folder"] + os.sep,
        "quiet": True,
        "resume": True,
        "fuzzy": True,
        "timeout": request["timeout_s"],
        "retries": 3,
    }
    return gdown.download(**fitting(gdown.download, wanted))


def _folder(gdown: Any, request: Mapping[str, Any]) -> Any:
    wanted = {
        "id": request["id"],
        "output": request["folder"] + os.sep,
        "quiet": True,
        "skip_download": True,
        "timeout": request["timeout_s"],
        "retries": 3,
    }
    found = gdown.download_folder(**fitting(gdown.download_folder, wanted))
    return None if found is None else [[item.id, item.path] for item in found]


def _main() -> None:
    # gdown prints to standard output at times; the answer must be alone there.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    try:
        import gdown  # pyright: ignore[reportMissingTypeStubs]

        work = _folder if request["what"] == "folder" else _file
        answer: dict[str, Any] = {"result": work(gdown, request)}
    except Exception as error:  # noqa: BLE001
        # Whatever a version of gdown raises becomes the parent's sentence.
        names = [kind.__name__ for kind in type(error).__mro__]
        answer = {"error": names, "text": str(error)}
    json.dump(answer, answers)
    answers.close()


if __name__ == "__main__":
    _main()
