# pyright: strict
"""What a user should know before the first training: platform rules, consent, law. In plain words.

Shown by the notebook; the user's explicit choice is recorded in the workspace. Nothing in this
package hides from a platform or works around its rules.
"""

from __future__ import annotations

from dflcolab.runtime.where import Place, Where

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
