"""The `dflcolab` command: parse, run one verb, turn every failure into one sentence.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted after a safe save.
Progress and errors go to standard error; with `--json` the report is the only thing on standard
output.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dflcolab import __version__
from dflcolab.cli.commands import COMMANDS, Command
from dflcolab.cli.safely import failures_as_sentences, stop_on_signals
from dflcolab.config import Config, add_arguments, from_arguments, to_plain
from dflcolab.errors import DFLColabError
from dflcolab.progress import Progress, TerminalProgress

_EPILOG = "Every command explains its options: dflcolab COMMAND --help"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after the program name; `sys.argv` when None.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser(words)
    try:
        parsed = parser.parse_args(words)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files need not be text; in JSON as elsewhere they stand as `\udcff` then.
        sys.stdout.reconfigure(errors="backslashreplace")
    progress = Progress() if parsed.quiet else TerminalProgress()
    try:
        with stop_on_signals(progress), failures_as_sentences():
            report = _run(COMMANDS[parsed.command], parsed, progress)
            _print_report(report, as_json=parsed.json)
    except DFLColabError as error:
        print(f"dflcolab {parsed.command}: {_plain(str(error))}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(
            f"dflcolab {parsed.command}: stopped at once; run it again to go on.", file=sys.stderr
        )
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _plain(text: str, *, keep: str = "") -> str:
    """A text without line breaks and other control characters: names of files may hold them."""
    return "".join(
        repr(sign)[1:-1] if (sign < " " or sign == "\x7f") and sign not in keep else sign
        for sign in text
    )


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; only the command that `words` name gets its options (imports cost time)."""
    parser = argparse.ArgumentParser(
        prog="dflcolab",
        description="Face-swap training after DeepFaceLab: from two people's footage to a video.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"dflcolab {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in words if word in COMMANDS), None)
    for name, command in COMMANDS.items():
        sub = subparsers.add_parser(name, help=command.help, description=command.help + ".")
        if name == wanted:
            _add_options(sub, command)
    return parser


def _add_options(sub: argparse.ArgumentParser, command: Command) -> None:
    if command.takes != "nothing":
        sub.add_argument(
            "-w",
            "--workspace",
            type=Path,
            default=Path("workspace"),
            metavar="PATH",
            help="the workspace folder (default ./workspace)",
        )
    sub.add_argument("--json", action="store_true", help="print the report as one JSON object")
    sub.add_argument("--quiet", action="store_true", help="show no progress")
    add_arguments(sub, command.load_config())


def _run(command: Command, parsed: argparse.Namespace, progress: Progress) -> Any:
    config: Config = from_arguments(command.load_config(), parsed)
    function = command.load_function()
    if command.takes == "nothing":
        return function(config, progress=progress)
    if command.takes == "path":
        return function(parsed.workspace, config, progress=progress)
    from dflcolab.workspace.workspace import Workspace

    return function(Workspace.open(parsed.workspace), config, progress=progress)


def _print_report(report: Any, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(to_plain(report), ensure_ascii=False))
        return
    summary = getattr(report, "summary", None)
    if callable(summary):
        print(_plain(str(summary()), keep="\n"))
        return
    for field in dataclasses.fields(report):
        value = to_plain(getattr(report, field.name))
        if value not in (None, [], {}, ""):
            print(f"{field.name.replace('_', ' ')}: {value}")


if __name__ == "__main__":
    sys.exit(main())
