# pyright: strict
"""Files that appear only once they are signed and their note reads back."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dflcolab.errors import MediaError, StorageError
from dflcolab.files import replacing
from dflcolab.media.certificate import Identity
from dflcolab.media.provenance import REPLACED_FACE, read_provenance, sign_file

_MARK = ".unsigned"


@dataclass
class SignedFile:
    """A file on its way.

    Attributes:
        unsigned: Where to write it; ends like the finished file.
        state: Of its note, read back: "valid"; empty until the file stands.
    """

    unsigned: Path
    state: str = ""


@contextmanager
def signed_when_done(
    path: Path,
    *,
    title: str,
    parent: Path | None = None,
    description: str = REPLACED_FACE,
    identity: Identity | None = None,
) -> Generator[SignedFile]:
    """A file to be written inside of the block; when that ends well, it stands signed at `path`.

    Until then, and after a failure, what stands there stays. Failures tell of `path`, since nobody
    knows the temporary file's name.

    Args:
        path: Where the signed file goes; its folder must exist.
        title: As for `sign_file`, like all that follow.
        parent: The file it was made from.
        description: What was done, in words.
        identity: Certificate to sign with.

    Yields:
        Where to write, and afterwards what became of it.

    Raises:
        MediaError: As `sign_file`, and as the block; or the note does not read back.
        StorageError: The disk is full or read-only.
    """
    with replacing(path, mark=_MARK) as unsigned:
        file = SignedFile(unsigned)
        try:
            yield file
            sign_file(
                unsigned,
                unsigned,
                title=title,
                parent=parent,
                description=description,
                identity=identity,
            )
            note = read_provenance(unsigned)
            if note is None or not note.holds:
                raise MediaError(
                    f"{path} could not be signed, since its note does not read back; write it again."
                )
        except (MediaError, StorageError) as error:
            raise type(error)(str(error).replace(unsigned.name, path.name)) from error
    file.state = note.state


def remove_unsigned(folder: Path) -> None:
    """Remove what runs that were killed left unsigned in a folder; it may be missing.

    Only where nobody else writes such files meanwhile.
    """
    for left_over in folder.glob(f".*{_MARK}.*"):
        left_over.unlink(missing_ok=True)
