"""A plain frontal face, and strategies for faces anywhere in a frame."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from dflcolab.faces.geometry import table


def frontal_face(side: float = 100.0, left: float = 60.0, top: float = 40.0) -> np.ndarray:
    """68 landmarks of the mean face, its face square `side` pixels wide; the jaw is made up.

    Returns:
        `[68, 2]`, float32.
    """
    inner = table("mean_face_2d_51")
    angles = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.49 + 0.55 * np.cos(angles), 0.3 + 0.85 * np.sin(angles)], axis=1)
    points = np.concatenate([jaw, inner]) * side + (left, top)
    return points.astype(np.float32)


@st.composite
def faces(draw: st.DrawFn) -> np.ndarray:
    """The mean face, scaled, turned in the picture, moved and shaken."""
    side = draw(st.floats(20, 800))
    angle = draw(st.floats(-np.pi, np.pi))
    shift = draw(st.tuples(st.floats(-500, 4000), st.floats(-500, 4000)))
    seed = draw(st.integers(0, 2**32 - 1))
    shake = np.random.default_rng(seed).normal(0, 0.02 * side, (68, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return ((frontal_face(side, 0, 0) + shake) @ turn.T + shift).astype(np.float32)
