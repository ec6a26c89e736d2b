# pyright: strict
"""What a widget's page asks for: `{"do": name, …}`, and who does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from dflcolab.errors import FacesetError

Content = dict[str, Any]
Buffers = list[bytes]
Send = Callable[[Content, Buffers], None]

T = TypeVar("T")


def request_of(content: object) -> Content:
    """The message of a page; an empty one where it is none."""
    return cast(Content, content) if isinstance(content, dict) else {}


def done_as_asked(asked: Content, actions: Mapping[str, Callable[[Content], T]], *, who: str) -> T:
    """Do what a page asks for.

    Args:
        asked: The message.
        actions: What can be asked, by its name.
        who: What the widget is called in the sentence.

    Raises:
        FacesetError: Something else is asked.
        DFLColabError: As the action.
    """
    what = asked.get("do")
    action = actions.get(what) if isinstance(what, str) else None
    if action is None:
        raise FacesetError(f"The {who} cannot do {str(what)[:40]!r}; reload the page.")
    return action(asked)
