"""Which copies a policy keeps, from names and dates alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dflcolab.sync.manifest import FileEntry, GenerationName, Manifest, ModelFacts, Span, Stored
from dflcolab.sync.retention import Retention, kept_generations, stored_bytes

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def copy(
    number: int,
    *,
    hours_ago: float = 0,
    loss: float | None = None,
    size: int = 10,
    ancestors: tuple[str, ...] | None = None,
) -> Manifest:
    """A copy with one object of its own; by default all are one line."""
    stored = Stored(f"objects/{number}", size, "0" * 64)
    line = tuple(str(GenerationName(n, n, "abcdefgh")) for n in range(number - 1, 0, -1))
    return Manifest(
        name=GenerationName(number, number, "abcdefgh"),
        ancestors=line if ancestors is None else ancestors,
        created=(NOON - timedelta(hours=hours_ago)).isoformat(),
        workspace="w",
        models=(ModelFacts("first", number, loss),),
        objects=(stored,),
        files=(FileEntry("a", size, "0" * 64, 0, (Span(stored.path, 0, size),)),),
    )


def kept(manifests: list[Manifest], retention: Retention) -> set[int]:
    newest_first = sorted(manifests, key=lambda manifest: manifest.name, reverse=True)
    found = kept_generations(newest_first, retention, safe=[newest_first[0].name])
    return {name.number for name in found}


def test_the_last_the_best_and_one_a_day_stay():
    copies = [copy(n, hours_ago=(40 - n) * 6, loss=1.0 + n % 7) for n in range(1, 41)]
    copies[4] = copy(5, hours_ago=35 * 6, loss=0.5)

    found = kept(copies, Retention(last=3, best=True, days=4, budget_bytes=0))

    # Four copies a day; the newest of each day are 40 (noon), 37, 33, 29 (18 o'clock).
    assert found == {40, 39, 38, 37, 33, 29, 5}


def test_losses_of_pretraining_do_not_count_against_those_of_training():
    early = copy(1, loss=0.1)
    models = (ModelFacts("first", 1, 0.1, pretraining=True),)
    early = Manifest(**{**vars(early), "models": models})

    assert kept([early, copy(2, loss=0.8), copy(3, loss=0.9)],
                Retention(last=1, days=0)) == {2, 3}  # fmt: skip


def test_losses_by_other_options_or_of_other_faces_do_not_count():
    copies = [copy(n, loss=loss) for n, loss in ((1, 0.1), (2, 0.8), (3, 0.9))]
    copies[1:] = [
        Manifest(**{**vars(c), "models": (replace(c.models[0], scored_by="a"),)})
        for c in copies[1:]
    ]
    assert kept(copies, Retention(last=1, days=0)) == {2, 3}


def test_the_end_of_another_line_stays_for_a_while():
    mine = [copy(1, hours_ago=9), copy(2, hours_ago=8), copy(3, hours_ago=7)]
    newest = copy(4, ancestors=(str(GenerationName(1, 1, "abcdefgh")),))

    assert kept([*mine, newest], Retention(last=1, best=False, days=1)) == {3, 4}
    assert kept([*mine, newest], Retention(last=1, best=False, days=0)) == {4}


def test_the_budget_drops_old_days_first_and_never_the_newest():
    copies = [copy(n, hours_ago=(6 - n) * 24) for n in range(1, 7)]

    assert kept(copies, Retention(last=2, days=7, budget_bytes=35)) == {6, 5, 4}
    assert kept(copies, Retention(last=2, days=7, budget_bytes=1)) == {6}


@given(
    st.lists(st.tuples(st.floats(0, 500), st.none() | st.floats(0, 1)), min_size=1, max_size=12),
    st.builds(
        Retention,
        last=st.integers(1, 5),
        best=st.booleans(),
        days=st.integers(0, 9),
        budget_bytes=st.integers(0, 100),
    ),
)
def test_the_newest_always_stays_and_a_budget_is_kept(
    rows: list[tuple[float, float | None]], retention: Retention
):
    copies = [copy(n + 1, hours_ago=hours, loss=loss) for n, (hours, loss) in enumerate(rows)]
    found = kept(copies, retention)

    assert len(copies) in found
    size = stored_bytes([c for c in copies if c.name.number in found])
    assert not retention.budget_bytes or size <= retention.budget_bytes or len(found) == 1
    if not retention.budget_bytes:
        assert found >= set(range(len(copies), 0, -1)[: retention.last])
