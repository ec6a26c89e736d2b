# pyright: strict
"""How far the newest copy of a model in training is, in words."""

from __future__ import annotations

from dataclasses import dataclass

from dflcolab.sync.proof import Proof, meaning


@dataclass(frozen=True)
class CopyState:
    """What of a model's training is on a remote.

    Attributes:
        remote: Where the copies are.
        name: Name of the newest copy; "" before the first one.
        iteration: Iteration of the model in it, at least; None without any.
        proof: How far it is proven.
        problem: Why the last attempt failed, one sentence; "" if it did not.
    """

    remote: str
    name: str = ""
    iteration: int | None = None
    proof: Proof = Proof.SAVED_HERE
    problem: str = ""

    def sentence(self) -> str:
        """For the user."""
        if not self.name:
            text = f"Nothing of it is on {self.remote} yet; it is {Proof.SAVED_HERE} only."
        else:
            what = "The workspace" if self.iteration is None else f"Iteration {self.iteration}"
            text = f"{what} on {self.remote} ({self.name}): {self.proof}. {meaning(self.proof)}"
        return f"{text} The last copy failed: {self.problem}" if self.problem else text
