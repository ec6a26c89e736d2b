# pyright: strict
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
"""Signed notes in result files that say they are synthetic (C2PA), written and read back.

Signing is the last step of all: any re-encoding or remuxing drops the note. It works offline and
asks no timestamp server. The certificate is the machine's own unless the user brings one (see
`certificate`): a valid note proves that the file was not changed since; who made it, only a
certificate from an authority proves.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from dflcolab import __version__
from dflcolab.errors import MediaError, MissingDependencyError
from dflcolab.files import replacing
from dflcolab.media.certificate import Identity, local_identity
from dflcolab.media.xmp import SOURCE_TYPE, with_source_type

__all__ = [
    "PLAIN_NOTE",
    "REPLACED_FACE",
    "SIGNABLE_SUFFIXES",
    "SOURCE_TYPE",
    "Provenance",
    "read_provenance",
    "sign_file",
    "sign_still",
]

PLAIN_NOTE = (
    "Synthetic media: faces in this video were replaced with dflcolab "
    "(IPTC digital source type compositeWithTrainedAlgorithmicMedia)."
)
"""Text of the `comment` tag of result videos."""

_GENERATOR = "dflcolab"
REPLACED_FACE = "A face was replaced by the output of a trained model."
"""What notes say of a merged picture or video."""

_FORMATS = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".avi": "video/avi",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
}
SIGNABLE_SUFFIXES = tuple(_FORMATS)
"""Endings of files that a note can be kept in."""


@dataclass(frozen=True)
class Provenance:
    """What the signed note of a file says, and whether it holds.

    Attributes:
        state: "valid": unchanged since it was signed. "invalid": changed, or the note is damaged.
            "trusted": valid, and signed by somebody in the list of anchors given to the reader.
        source_type: How the file came to be, an IPTC term (`SOURCE_TYPE` for results of this
            package); None if the note does not say.
        generator: Program that wrote it.
        title: Title in the note.
        parents: Titles of the files it was made from.
        signer: Name in the certificate. Self-made here; says nothing about the person.
        failures: Codes of the checks that failed, leaving out that the signer is unknown.
    """

    state: Literal["valid", "invalid", "trusted"]
    source_type: str | None = None
    generator: str | None = None
    title: str | None = None
    parents: tuple[str, ...] = ()
    signer: str | None = None
    failures: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """True if nobody changed the file since it was signed."""
        return self.state != "invalid"


def sign_file(
    path_in: Path,
    path_out: Path,
    *,
    title: str,
    parent: Path | None = None,
    description: str = REPLACED_FACE,
    identity: Identity | None = None,
) -> None:
    """Write a copy of a video or picture with a signed note in it (atomic).

    Args:
        path_in: Finished file: MP4, MOV, PNG, JPEG …
        path_out: Where the signed copy goes; may be `path_in` itself.
        title: Title of the work in the note.
        parent: The file it was made from, recorded by its name, with its own signed note if it has
            one.
        description: What was done, in words.
        identity: Certificate to sign with; None = this machine's.

    Raises:
        MediaError: A note cannot be kept in this kind of file, or the file is damaged.
        StorageError: The disk is full or read-only.
    """
    media_type = _media_type(path_in)
    with replacing(path_out) as temporary:
        if media_type.startswith("image/"):
            data = sign_still(
                path_in.read_bytes(),
                title,
                media_type=media_type,
                description=description,
                identity=identity,
            )
            temporary.write_bytes(data)
            return
        with path_in.open("rb") as source, temporary.open("w+b") as target:
            _sign(
                media_type,
                source,
                target,
                title,
                parent,
                description,
                name=str(path_in),
                identity=identity,
            )


def sign_still(
    data: bytes,
    title: str,
    *,
    media_type: str | None = None,
    description: str = REPLACED_FACE,
    identity: Identity | None = None,
) -> bytes:
    """The bytes of a picture file with the plain and the signed note in it.

    Cheap enough for every merged frame: one signer serves all calls. May be called from several
    threads at once.

    Args:
        data: Content of a PNG, JPEG or WebP file.
        title: Title in the note, such as the file's name.
        media_type: "image/png" …; None = recognized from the data.
        description: What was done, in words.
        identity: Certificate to sign with; None = this machine's.

    Raises:
        MediaError: Not a picture that a note can be kept in.
    """
    kind = media_type or _picture_type(data)
    target = io.BytesIO()
    source = io.BytesIO(with_source_type(data))
    _sign(kind, source, target, title, None, description, name=title, identity=identity)
    return target.getvalue()


def read_provenance(path: Path, *, anchors: bytes | None = None) -> Provenance | None:
    """The signed note of a file; None if it has none or is of a kind that cannot carry one.

    Args:
        path: Video or picture.
        anchors: Root certificates (PEM) whose signers count as trusted; None = nobody.

    Raises:
        MediaError: The file cannot be read.
    """
    media_type = _FORMATS.get(path.suffix.lower())
    if not path.is_file():
        raise MediaError(f"There is no file {path}; check the path.")
    if media_type is None:
        return None
    c2pa = _c2pa()
    with path.open("rb") as stream:
        try:
            reader = c2pa.Reader.try_create(media_type, stream, context=_context(anchors))
            if reader is None:
                return None
            with reader:
                store = cast("dict[str, Any]", json.loads(reader.json()))
                state = str(reader.get_validation_state())
        except (c2pa.C2paError, ValueError) as error:
            if _means_no_note(error):
                return None
            return Provenance("invalid", failures=(str(error),))
    return _described(store, state)


def _described(store: Mapping[str, Any], state: str) -> Provenance:
    manifests = cast("dict[str, dict[str, Any]]", store.get("manifests", {}))
    manifest = manifests.get(str(store.get("active_manifest")), {})
    source_types = [
        str(action["digitalSourceType"])
        for assertion in _dicts(manifest.get("assertions"))
        if str(assertion.get("label")).startswith("c2pa.actions")
        for action in _dicts(assertion.get("data", {}).get("actions"))
        if action.get("digitalSourceType")
    ]
    generators = _dicts(manifest.get("claim_generator_info"))
    generator = generators[0] if generators else {}
    codes = [str(item.get("code")) for item in _dicts(store.get("validation_status"))]
    return Provenance(
        state=cast(Any, state.lower()) if state in ("Valid", "Trusted") else "invalid",
        source_type=source_types[-1] if source_types else None,
        generator=f"{generator.get('name', '')} {generator.get('version', '')}".strip() or None,
        title=manifest.get("title"),
        parents=tuple(
            str(item.get("title", ""))
            for item in _dicts(manifest.get("ingredients"))
            if item.get("relationship") == "parentOf"
        ),
        signer=manifest.get("signature_info", {}).get("common_name"),
        failures=tuple(code for code in codes if code != "signingCredential.untrusted"),
    )


def _dicts(value: object) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", value) if isinstance(value, list) else []


def _sign(
    media_type: str,
    source: Any,
    target: Any,
    title: str,
    parent: Path | None,
    description: str,
    *,
    name: str,
    identity: Identity | None,
) -> None:
    c2pa = _c2pa()
    action = {"digitalSourceType": SOURCE_TYPE, "description": description}
    manifest: dict[str, Any] = {
        "claim_generator_info": [{"name": _GENERATOR, "version": __version__}],
        "title": title,
        "assertions": [],
    }
    if parent is None:
        created = {"action": "c2pa.created", **action}
        manifest["assertions"] = [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}]
    try:
        with c2pa.Builder(manifest, _context(None)) as builder:
            if parent is not None:
                _add_parent(builder, parent)
                builder.add_action({"action": "c2pa.edited", **action})
            builder.sign(_signer(identity or local_identity()), media_type, source, target)
    except c2pa.C2paError as error:
        raise MediaError(
            f"{name} cannot be signed ({error}); make the file again and see that it is whole."
        ) from error


def _add_parent(builder: Any, parent: Path) -> None:
    builder.set_intent(_c2pa().C2paBuilderIntent.EDIT)
    ingredient = json.dumps({"title": parent.name, "relationship": "parentOf"})
    media_type = _FORMATS.get(parent.suffix.lower(), "application/octet-stream")
    with parent.open("rb") as stream:
        builder.add_ingredient(ingredient, media_type, stream)


def _media_type(path: Path) -> str:
    media_type = _FORMATS.get(path.suffix.lower())
    if media_type is None:
        raise MediaError(
            f"A signed note cannot be kept in {path.name}; write MP4, MOV, PNG or JPEG instead."
        )
    return media_type


def _picture_type(data: bytes) -> str:
    if data.startswith(b"\x89PNG"):
        return "image/png"
    if data.startswith(b"\xff\xd8"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise MediaError("Only PNG, JPEG and WebP pictures can be signed; write one of these.")


def _means_no_note(error: Exception) -> bool:
    text = f"{type(error).__name__} {error}"
    return any(word in text for word in ("ManifestNotFound", "NotSupported", "not found in XMP"))


@functools.cache
def _signer(identity: Identity) -> Any:
    c2pa = _c2pa()
    algorithm = getattr(c2pa.C2paSigningAlg, identity.algorithm)
    return c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, identity.chain, identity.key, None))


@functools.cache
def _context(anchors: bytes | None) -> Any:
    settings: dict[str, Any] = {
        "builder": {"thumbnail": {"enabled": False}},
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    }
    if anchors is not None:
        settings["trust"] = {"trust_anchors": anchors.decode()}
    return _c2pa().Context.from_dict(settings)


@functools.cache
def _c2pa() -> Any:
    """The library, loaded when first needed: it is large."""
    try:
        import c2pa
    except (ImportError, OSError) as error:
        raise MissingDependencyError(
            f"Results cannot be signed because c2pa-python does not load ({error}); "
            "install it with `pip install c2pa-python`."
        ) from error
    return c2pa
