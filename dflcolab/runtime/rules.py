# pyright: strict
"""What a user should know before the first training: platform rules, consent, law. In plain words.

Shown by the notebook, `init` and `doctor`. On a managed machine the user's explicit choice is
recorded in the workspace, once for each kind of place, and nothing is trained or merged before.
Nothing in this package hides from a platform or works around its rules.
"""

from __future__ import annotations

from datetime import UTC, datetime

from dflcolab.errors import RightsError
from dflcolab.runtime.where import Place, Where, find_out
from dflcolab.workspace.workspace import PlatformChoice, Workspace

NOT_CHOSEN = "not chosen yet"
GO_ON = "I have read the rules and decide to go on"
STOP = "I will use another machine"
CHOICES = (NOT_CHOSEN, GO_ON, STOP)

CONSENT = (
    "This software makes pictures of real people doing what they did not do. Use it only with "
    "people who agreed, with your own face, or with licensed, public-domain or synthetic material. "
    "Intimate pictures, fraud, harassment and disinformation are out of the question; sexually "
    "explicit footage is refused. Results carry a signed note that says that they are synthetic: "
    "leave it in, and tell viewers. The law of your country applies in any case."
)

_COLAB = (
    "Google's rules for managed Colab machines, free and paid, list “creating deepfakes” among "
    "what is not allowed (Colab FAQ, since May 2022). Breaking them can end the runtime and block "
    "the account; buying compute units does not change that. Colab with a local runtime, plain "
    "Jupyter, your own computer and your own cloud machine are not managed Colab machines: "
    "everything here works there in the same way."
)
_KAGGLE = (
    "Kaggle's rules may not allow this kind of work, and users report blocked accounts. Everything "
    "here works in the same way in plain Jupyter, on your own computer and on your own cloud machine."
)


def platform_rules(where: Where) -> str:
    """The rules of the machine's operator; "" where there is none but the user."""
    if where.place in (Place.COLAB_HOSTED, Place.COLAB_ENTERPRISE):
        return _COLAB
    return _KAGGLE if where.place is Place.KAGGLE else ""


def has_chosen(workspace: Workspace, where: Where) -> bool:
    """True if the user decided to go on in this kind of place, or need not decide."""
    if not where.managed:
        return True
    choice = workspace.settings.platform_choice
    return choice is not None and choice.place == where.place.value and choice.decision == GO_ON


def record_choice(workspace: Workspace, where: Where, *, go_on: bool) -> None:
    """Write the user's own choice into `workspace.toml`; machines without an operator need none.

    Args:
        workspace: The workspace that the choice is for.
        where: Where the user made it.
        go_on: The decision: go on, or not on this kind of machine.
    """
    if not where.managed or (go_on and has_chosen(workspace, where)):
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    choice = PlatformChoice(where.place.value, GO_ON if go_on else STOP, now)
    workspace.update(platform_choice=choice)


def how_to_choose(workspace: Workspace, where: Where, *, shown: bool = False) -> str:
    """What to do to record a choice, as the end of a sentence.

    Args:
        workspace: The workspace that the choice is for.
        where: Where the user reads this.
        shown: The rules stand beside the sentence already.
    """
    command = f"dflcolab init -w {workspace.root} --platform-choice go-on"
    if where.in_notebook:
        return f"choose in the cell “Rules and consent” and run it, or run `!{command}`"
    if shown:
        return f"read them here, then decide with `{command}`"
    return f"read them with `dflcolab doctor -w {workspace.root}`, then decide with `{command}`"


def require_choice(workspace: Workspace, where: Where | None = None) -> None:
    """Pass only where there is no operator with rules, or when the user has decided to go on.

    Args:
        workspace: Where the choice is recorded.
        where: Where this runs; found out when None.

    Raises:
        RightsError: The user has not chosen, or against this kind of machine.
    """
    where = where or find_out()
    if has_chosen(workspace, where):
        return
    choice = workspace.settings.platform_choice
    stopped = choice is not None and (choice.place, choice.decision) == (where.place.value, STOP)
    state = (
        f"You chose not to work on {where.place.value} because of its rules; use another machine"
        if stopped
        else f"You have not chosen yet how to deal with the rules of {where.place.value}"
    )
    otherwise = ", or " if stopped else "; "
    raise RightsError(f"{state}{otherwise}{how_to_choose(workspace, where)}.")
