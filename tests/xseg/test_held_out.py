"""Which labels judge the masks: whole stretches of frames, more of them as labels are added."""

from __future__ import annotations

import numpy as np

from dflcolab.watch.verdicts import MIN_FACES, MIN_STRETCHES
from dflcolab.xseg.held_out import cell_of, choose_cells, split


def test_the_share_grows_with_the_labels_and_what_was_learned_from_is_never_held_out():
    """Label, train, label, as `mask next` proposes it, in a clip of 100 seconds."""
    order = np.random.default_rng(0).permutation(3000)
    held_out, learned = frozenset[str](), set[str]()
    counts: dict[int, tuple[int, int]] = {}
    for labels in (10, 20, 40, 80, 120, 160):
        cells = [cell_of(f"/{frame:05d}.png") for frame in order[:labels]]
        chosen = choose_cells(cells, 0.1, seed=0, held_out=held_out, learned=learned)
        assert held_out <= chosen
        assert not chosen & learned
        kept, apart = split(cells, chosen)
        assert len(kept) + len(apart) == labels
        counts[labels] = len(apart), len({cells[i] for i in apart})
        held_out = chosen
        learned |= {cells[i] for i in kept}
    assert counts[10] == (0, 0)
    assert counts[20][0] == 2
    assert counts[40][0] in (4, 5)
    faces, stretches = counts[80]
    assert faces >= MIN_FACES
    assert stretches >= MIN_STRETCHES
    assert counts[160][0] >= faces


def test_new_labels_in_learned_stretches_alone_leave_the_held_out_ones_as_they_are():
    cells = ["v:0"] * 18 + ["v:1"] * 2 + ["v:2"] * 30
    assert choose_cells(cells, 0.1, seed=0, held_out={"v:1"}, learned={"v:0", "v:2"}) == {"v:1"}
