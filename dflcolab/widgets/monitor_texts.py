# pyright: strict
"""What the training monitor says, from what is known of the job; HTML, every text escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any, cast

from dflcolab.pipeline.training_view import PHASES
from dflcolab.progress import Wish
from dflcolab.runtime.job import Snapshot

TRAINING = "Training"
"""Title of the task whose units are iterations."""

_VERBS = {"train": "Training", "pretrain": "Pretraining", "mask": "Masks with"}
_SHOWN_MESSAGES = 12


def title(snapshot: Snapshot) -> str:
    """What runs, on which model, in which phase."""
    verb = _VERBS.get(snapshot.verb, snapshot.verb)
    text = f"<b>{html.escape(verb)} {html.escape(snapshot.name)}</b>"
    phase = str(snapshot.latest.get("phase", {}).get("phase", ""))
    if phase and phase != "pretraining":
        text += f" · phase: {html.escape(PHASES.get(phase, phase))}"
    return text


def is_training(snapshot: Snapshot) -> bool:
    """True once iterations are made."""
    return snapshot.latest.get("task", {}).get("title") == TRAINING


def progress(snapshot: Snapshot) -> tuple[int, int] | None:
    """Done and whole of the present task; None where the end is not known."""
    task = snapshot.latest.get("task", {})
    done, total = task.get("done"), task.get("total")
    if not isinstance(done, int) or not isinstance(total, int) or total <= 0:
        return None
    return min(max(done, 0), total), total


def status(snapshot: Snapshot, now: float) -> str:
    """Iteration, rate, time left, losses and memory, in one line.

    Args:
        snapshot: What is known.
        now: Seconds since 1970.
    """
    task = snapshot.latest.get("task", {})
    parts = [_done(task)]
    rate = task.get("rate")
    if not snapshot.running:
        return " · ".join([*parts, f"<b>{_end(snapshot)}</b>"])
    if is_training(snapshot):
        parts.append(f"{rate:.3g} per second" if rate else "the first one takes longest")
        left = seconds_left(snapshot, now)
        if left is not None:
            parts.append(f"{span(left)} left")
        losses = snapshot.latest.get("losses")
        if losses:
            parts.append(_losses(losses))
    gpu = snapshot.latest.get("gpu")
    if gpu:
        parts.append(f"GPU memory {gpu['used_mib'] / 1024:.1f} of {gpu['total_mib'] / 1024:.1f} GB")
    if snapshot.stopping:
        parts.append("<b>stopping: the state is being saved</b>")
    return " · ".join(parts)


def _losses(losses: Mapping[str, Any]) -> str:
    """`loss src 0.1, dst 0.2` of a swapping model, `loss 0.1` of one that masks."""
    if "loss" in losses:
        return f"loss {losses['loss']:.4f}"
    return f"loss src {losses['src']:.4f}, dst {losses['dst']:.4f}"


def _end(snapshot: Snapshot) -> str:
    """How it ended."""
    if "end" in snapshot.latest:
        because = str(snapshot.latest["end"]["report"].get("stopped_because", ""))
        return f"ended: {html.escape(_BECAUSE.get(because, because))}" if because else "ended"
    return "stopped" if "failed" in snapshot.latest else "ended without a word"


_BECAUSE = {
    "target_iter": "the target is reached",
    "deadline": "the time is over",
    "button": "as you asked",
    "stop_file": "there was a file STOP",
    "plateau": "nothing improves any more",
    "overfit": "the held-out faces get worse",
}


def _done(task: Mapping[str, Any]) -> str:
    """How far the present task is."""
    if not task:
        return "Starting"
    done, total = int(task["done"]), task["total"]
    whole = f" of {total:,}" if total else ""
    if task["title"] == TRAINING:
        return f"Iteration <b>{done:,}</b>{whole}"
    text = html.escape(str(task["title"]))
    return f"{text}: {done:,}{whole} {html.escape(str(task['unit']))}" if done or total else text


def seconds_left(snapshot: Snapshot, now: float) -> float | None:
    """Until the target or the deadline, whichever comes first; None where neither is known."""
    found: list[float] = []
    task = snapshot.latest.get("task", {})
    if task.get("total") and task.get("rate"):
        found.append((task["total"] - task["done"]) / task["rate"])
    deadline = snapshot.latest.get("deadline")
    if deadline:
        found.append(deadline["at"] + deadline["seconds"] - now)
    return max(0.0, min(found)) if found else None


def span(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 20 min`, `2 d 5 h`."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def verdict(snapshot: Snapshot) -> str:
    """What the watch says of the faces that are kept out of training."""
    event = snapshot.latest.get("verdict")
    if not event:
        return (
            "The watch has not looked at the held-out faces yet." if is_training(snapshot) else ""
        )
    lines: list[str] = []
    for found in cast(list[Mapping[str, Any]], event["verdicts"]):
        call, evidence, advice = (
            html.escape(str(found[name])) for name in ("call", "evidence", "advice")
        )
        lines.append(f"<b>{call}</b>: {evidence} <i>{advice}</i>")
    return "<br>".join(lines)


def saved(snapshot: Snapshot, now: float) -> str:
    """The last save, and how far the copy of it is proven."""
    event = snapshot.latest.get("saved")
    if not event:
        return "Nothing is saved yet in this run." if is_training(snapshot) else ""
    ago = span(max(0.0, now - float(event["at"])))
    # Seconds would change all the time.
    ago = "just now" if ago.endswith(" s") else f"{ago} ago"
    text = f"Iteration {event['iteration']:,}: {html.escape(str(event['proof']))}, {ago}."
    copy = snapshot.latest.get("copy")
    return f"{text} {html.escape(str(copy['sentence']))}" if copy else text


def messages(snapshot: Snapshot) -> str:
    """The last sentences, folded away."""
    if not snapshot.messages:
        return ""
    lines = "<br>".join(map(html.escape, snapshot.messages[-_SHOWN_MESSAGES:]))
    return f"<details><summary>What happened</summary>{lines}</details>"


def next_phase(snapshot: Snapshot) -> str | None:
    """What the next phase is called; None without one."""
    following = snapshot.latest.get("phase", {}).get("following")
    return PHASES.get(str(following), str(following)) if following else None


ASKED = {
    Wish.SAVE: "Saving after this iteration.",
    Wish.PREVIEW: "A preview is made after this iteration.",
    Wish.NEXT_PHASE: "The next phase begins after this iteration.",
    Wish.FINISH: "Training saves and ends after this iteration.",
}
"""What is said after a button was pressed."""

ANSWERED_BY = {Wish.SAVE: "saved", Wish.PREVIEW: "picture", Wish.NEXT_PHASE: "phase"}
"""Kind of the event that says that a wish was fulfilled."""
