# pyright: strict
"""`report --provenance`: what a file says of how it came to be, and whether that still holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dflcolab.media.provenance import SIGNABLE_SUFFIXES, SOURCE_TYPE, read_provenance


@dataclass(frozen=True)
class ProvenanceReport:
    """The signed note of a file.

    Attributes:
        file: The file.
        state: "valid", "trusted", "invalid", or "none" for a file without a note.
        synthetic: A note that holds says that the file is synthetic.
        text: The same as a sentence.
        generator: Program that wrote the file.
        title: Title in the note.
        parents: Titles of the files it was made from.
        signer: Name in the certificate; made on the machine itself unless `state` is "trusted".
        failures: Codes of the checks that failed.
    """

    file: Path
    state: str
    synthetic: bool
    text: str
    generator: str | None = None
    title: str | None = None
    parents: tuple[str, ...] = ()
    signer: str | None = None
    failures: tuple[str, ...] = ()

    def summary(self) -> str:
        """The report in a few lines."""
        lines = [self.text]
        if self.generator:
            lines.append(f"Made with {self.generator}, signed by {self.signer}.")
        if self.parents:
            lines.append(f"Made from {', '.join(self.parents)}.")
        if self.failures:
            lines.append(f"Failed checks: {', '.join(self.failures)}.")
        return "\n".join(lines)


def provenance_report(path: Path) -> ProvenanceReport:
    """Read and check the signed note of a video or picture.

    Raises:
        MediaError: There is no such file.
    """
    note = read_provenance(path)
    if note is None:
        text = f"{path.name} carries no signed note that says it is synthetic"
        if path.suffix.lower() in SIGNABLE_SUFFIXES:
            text += "; a result loses it when another program writes it anew."
        else:
            text += "; none can be kept in this kind of file."
        return ProvenanceReport(path, "none", False, text)
    synthetic = note.source_type == SOURCE_TYPE
    if note.holds:
        said = "that it is synthetic" if synthetic else "nothing of being synthetic"
        text = f"{path.name} carries a signed note that holds and says {said}."
    else:
        text = f"{path.name} was changed after it was signed, or its signed note is damaged."
    return ProvenanceReport(
        file=path,
        state=note.state,
        synthetic=synthetic and note.holds,
        text=text,
        generator=note.generator,
        title=note.title,
        parents=note.parents,
        signer=note.signer,
        failures=note.failures,
    )
