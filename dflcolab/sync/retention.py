# pyright: strict
"""Which copies stay: the last ones, the best, one of each day, within a budget of bytes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from dflcolab.sync.generations import apart
from dflcolab.sync.manifest import GenerationName, Manifest


@dataclass(frozen=True)
class Retention:
    """The policy.

    Attributes:
        last: Newest copies that stay, at least 1.
        best: The copy with the least held-out loss of each model stays.
        days: The newest copy of each of so many days stays.
        budget_bytes: Bytes that all copies may take; 0 sets no limit.
    """

    last: int = 3
    best: bool = True
    days: int = 7
    budget_bytes: int = 0


def kept_generations(
    manifests: Sequence[Manifest], retention: Retention, *, safe: Collection[GenerationName]
) -> dict[GenerationName, str]:
    """Copies that stay, each with the reason.

    Days are counted back from the newest copy, so that no two clocks are compared.

    Args:
        manifests: All whole copies, newest first.
        retention: The policy.
        safe: Copies that stay whatever the policy says.
    """
    if not manifests:
        return {}
    reasons: dict[GenerationName, str] = {}
    # The order is that of importance: what comes last goes first when the budget is exceeded.
    for name in safe:
        reasons[name] = "newest, or not proven yet"
    for manifest in manifests[: retention.last]:
        reasons.setdefault(manifest.name, f"one of the last {retention.last}")
    if retention.best:
        for model, name in _best(manifests).items():
            reasons.setdefault(name, f"best held-out loss of {model}")
    for name, day in _of_other_lines(manifests, retention.days).items():
        reasons.setdefault(name, f"last of another line, {day}")
    for name, day in _daily(manifests, retention.days).items():
        reasons.setdefault(name, f"newest of {day}")
    _fit(reasons, manifests, retention.budget_bytes, safe)
    return reasons


def _fit(
    reasons: dict[GenerationName, str],
    manifests: Sequence[Manifest],
    budget_bytes: int,
    safe: Collection[GenerationName],
) -> None:
    """Drop the least important until the rest fits."""
    by_name = {manifest.name: manifest for manifest in manifests}
    for name in reversed(list(reasons)):
        kept = [by_name[other] for other in reasons if other in by_name]
        if not budget_bytes or stored_bytes(kept) <= budget_bytes:
            return
        if name not in safe:
            del reasons[name]


def stored_bytes(manifests: Sequence[Manifest]) -> int:
    """Bytes of all objects that copies use, each counted once."""
    return sum({stored.path: stored.size for m in manifests for stored in m.objects}.values())


def _best(manifests: Sequence[Manifest]) -> dict[str, GenerationName]:
    """Copy with the least held-out loss of each model that is comparable with its newest copy's."""
    phases: dict[str, bool] = {}
    scored_by: dict[str, str | None] = {}
    best: dict[str, tuple[float, GenerationName]] = {}
    for manifest in manifests:
        for facts in manifest.models:
            same_phase = phases.setdefault(facts.name, facts.pretraining) == facts.pretraining
            if facts.held_out_loss is None or not same_phase:
                continue
            if scored_by.setdefault(facts.name, facts.scored_by) != facts.scored_by:
                continue
            found = (facts.held_out_loss, manifest.name)
            if facts.name not in best or found[0] < best[facts.name][0]:
                best[facts.name] = found
    return {model: name for model, (_, name) in best.items()}


def _daily(manifests: Sequence[Manifest], days: int) -> dict[GenerationName, date]:
    """Newest copy of each of the last days, today's first."""
    found: dict[date, GenerationName] = {}
    for manifest in _recent(manifests, days):
        found.setdefault(_day(manifest), manifest.name)
    return {name: day for day, name in sorted(found.items(), reverse=True)}


def _of_other_lines(manifests: Sequence[Manifest], days: int) -> dict[GenerationName, date]:
    """The last copy of each line that the newest copy did not grow out of."""
    others = set(apart([manifest.name for manifest in manifests], manifests[0]))
    found: dict[GenerationName, date] = {}
    covered: set[str] = set()
    for manifest in _recent(manifests, days):
        if manifest.name in others and str(manifest.name) not in covered:
            found[manifest.name] = _day(manifest)
        covered |= set(manifest.ancestors)
    return found


def _recent(manifests: Sequence[Manifest], days: int) -> list[Manifest]:
    first = _day(manifests[0]) - timedelta(days=days)
    return [manifest for manifest in manifests if _day(manifest) > first]


def _day(manifest: Manifest) -> date:
    try:
        return date.fromisoformat(manifest.created[:10])
    except ValueError:
        return date.min + timedelta(days=366)
