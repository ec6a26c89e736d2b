# pyright: strict
"""What the HTML pages share: one style, templates that escape every text, pictures inside the file.

Pages load nothing, so they open anywhere and tell nobody that they were opened.
"""

from __future__ import annotations

import base64
import functools
from importlib.resources import files
from pathlib import Path
from typing import Any

from dflcolab import __version__
from dflcolab.arrays import Image
from dflcolab.files import storage_errors, write_text
from dflcolab.media.frame_sequence import encode_image


def write_page(path: Path, template: str, **values: object) -> None:
    """Fill a template of `dflcolab/assets/report` and write the page (atomic).

    Raises:
        StorageError: Disk full or read-only.
    """
    text = filled(template, generator=f"dflcolab {__version__}", **values)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def filled(template: str, **values: object) -> str:
    """A template of `dflcolab/assets/report`, or a part of a page, with its values filled in."""
    return str(_environment().get_template(template).render(**values))


def picture_uri(image: Image, *, quality: int) -> str:
    """A BGR picture as JPEG data to stand in the page itself."""
    data = base64.b64encode(encode_image(image, ".jpg", quality=quality)).decode("ascii")
    return f"data:image/jpeg;base64,{data}"


@functools.cache
def _environment() -> Any:
    import jinja2

    def load(name: str) -> str:
        return (files("dflcolab.assets") / "report" / name).read_text(encoding="utf-8")

    environment: Any = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(load),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["commands"] = _commands
    return environment


def _commands(text: str) -> Any:
    """A sentence with its `commands` set as code; everything is escaped."""
    import markupsafe

    parts = text.split("`")
    if len(parts) % 2 == 0:  # a lone mark belongs to a file name
        return markupsafe.escape(text)
    return markupsafe.Markup("").join(
        markupsafe.Markup("<code>{}</code>").format(part) if i % 2 else part
        for i, part in enumerate(parts)
    )
