"""`python -m tools.notebook_source`: write all notebooks."""

from __future__ import annotations

from pathlib import Path

from dflcolab.files import write_text
from tools.notebook_source.books import BOOKS
from tools.notebook_source.parts import LANGUAGES

FOLDER = Path(__file__).parents[2] / "notebooks"


def main() -> None:
    """Write every notebook in every language."""
    for book in BOOKS:
        for language in LANGUAGES:
            write_text(FOLDER / book.file_name(language), book.render(language))


if __name__ == "__main__":
    main()
