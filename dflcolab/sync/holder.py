# pyright: strict
"""Who holds a lease: which machine, which process, since when."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psutil


@dataclass(frozen=True)
class Holder:
    """Who writes, as the lease's file tells it to others.

    Attributes:
        machine: Name of the machine.
        place: What kind of place it is ("hosted Colab"); "" if unknown.
        since: When the lease began, ISO 8601 in UTC by the holder's clock; for people only.
        boot: Tells this start of the machine from all others.
        pid: Its process.
        started: When the process started, seconds since 1970 by the machine's clock.
    """

    machine: str = ""
    place: str = ""
    since: str = ""
    boot: str = ""
    pid: int = 0
    started: float = 0.0

    @classmethod
    def here(cls, place: str = "") -> Holder:
        """This process on this machine, from now on."""
        return cls(
            machine=platform.node(),
            place=place,
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            boot=_boot(),
            pid=os.getpid(),
            started=psutil.Process().create_time(),
        )

    @property
    def is_here(self) -> bool:
        """True if it is this machine, not started anew since."""
        return bool(self.machine) and (self.machine, self.boot) == (platform.node(), _boot())

    @property
    def is_this_process(self) -> bool:
        """True for the process that asks."""
        return self.is_here and self.pid == os.getpid()

    @property
    def has_ended(self) -> bool:
        """True if its process has certainly ended, which can be known of this machine's only."""
        if not self.is_here:
            return False
        try:
            process = psutil.Process(self.pid)
            # The start time tells a process from a later one with the same number.
            other = abs(process.create_time() - self.started) > 1.0
            return other or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False

    def sentence(self) -> str:
        """`the machine my-laptop (Jupyter), since 2026-11-24 19:12 UTC`."""
        if self.is_here:
            name = "another program on this machine"
        else:
            name = f"the machine {self.machine}" if self.machine else "another machine"
        place = f" ({self.place})" if self.place else ""
        since = f", since {self.since[:16].replace('T', ' ')} UTC" if self.since else ""
        return f"{name}{place}{since}"

    def to_json(self) -> bytes:
        """For `from_json`."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Holder:
        """What `to_json` wrote, or an empty holder.

        Anybody may have written it: only right types, short texts of one line get through.
        """
        try:
            content: Any = json.loads(data)
        except (ValueError, RecursionError):
            return cls()
        if not isinstance(content, dict):
            return cls()
        values = cast(dict[str, Any], content)
        texts = {
            name: re.sub(r"[^\w .:+()-]", "", values[name])[:60]
            for name in ("machine", "place", "since", "boot")
            if isinstance(values.get(name), str)
        }
        pid, started = values.get("pid"), values.get("started")
        return cls(
            **texts,
            pid=pid if isinstance(pid, int) and 0 < pid < 1 << 31 else 0,
            started=float(started) if isinstance(started, int | float) else 0.0,
        )


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"{psutil.boot_time():.0f}"
