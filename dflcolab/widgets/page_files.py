# pyright: strict
"""The JavaScript and style sheets of the widgets, as they lie in this package."""

from __future__ import annotations

from importlib.resources import files


def page_text(*names: str) -> str:
    """Files of this package put together to one text.

    A widget's module can import nothing from its own package, so its parts become one module.

    Args:
        names: The files, those that others need first.
    """
    folder = files("dflcolab.widgets")
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
