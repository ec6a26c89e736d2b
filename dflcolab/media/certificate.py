# pyright: strict
"""The certificate that this machine signs its results with.

Made once, on this machine, by itself: it proves that a file was not changed since it was signed, not
who signed it. Nothing personal is in it. The key of the root is thrown away after its only use.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dflcolab.errors import StorageError
from dflcolab.files import replacing

_LOGGER = logging.getLogger(__name__)
_FILE_NAME = "signing.pem"
_ORGANIZATION = "dflcolab (made on the user's own machine)"
_VALID_DAYS = 3650
_RENEW_DAYS = 30
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Identity:
    """Key and certificates, each as PEM.

    Attributes:
        key: Private key (P-256, PKCS 8).
        chain: Signing certificate, then its root.
        root: The root alone: a trust anchor for reading one's own files.
    """

    key: bytes
    chain: bytes
    root: bytes


def local_identity(folder: Path | None = None) -> Identity:
    """This machine's identity; made and kept at the first call, renewed before it expires.

    Args:
        folder: Where it is kept; None = the user's configuration folder. Where that cannot be
            written, the identity lasts as long as the program.
    """
    if folder is None:
        import platformdirs

        folder = Path(platformdirs.user_config_dir("dflcolab", appauthor=False))
    return _identity_in(folder)


@functools.cache
def _identity_in(folder: Path) -> Identity:
    path = folder / _FILE_NAME
    found = _read(path)
    if found is not None:
        return found
    identity = make_identity()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with replacing(path) as temporary:
            # Private from its first byte on.
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(identity.key + identity.chain)
    except (OSError, StorageError) as error:
        _LOGGER.warning(
            "The signing certificate cannot be kept in %s (%s); this run uses one of its own.",
            folder,
            error,
        )
    return identity


def _read(path: Path) -> Identity | None:
    """The kept identity; None if there is none, or it is damaged or about to expire."""
    try:
        data = path.read_bytes()
        blocks = re.findall(rb"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----\n?", data, re.DOTALL)
        key, leaf, root = blocks
        serialization.load_pem_private_key(key, password=None)
        expiry = x509.load_pem_x509_certificate(leaf).not_valid_after_utc
        x509.load_pem_x509_certificate(root)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        _LOGGER.warning("The signing certificate in %s is damaged; a new one is made.", path)
        return None
    if expiry < _now() + dt.timedelta(days=_RENEW_DAYS):
        return None
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return Identity(key, leaf + root, root)


def make_identity() -> Identity:
    """A fresh key and certificate, in the form that C2PA asks for.

    The signing certificate is no authority, may sign only, and states e-mail protection as its use:
    signers without one of the listed uses are refused by readers.
    """
    root_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    root_name = _name("dflcolab local root")
    root = (
        _builder(root_name, root_name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    leaf = (
        _builder(_name("dflcolab local signer"), root_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
        .add_extension(issuer, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    root_pem = root.public_bytes(_PEM)
    return Identity(key_pem, leaf.public_bytes(_PEM) + root_pem, root_pem)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        # A day earlier, for machines whose clocks run late.
        .not_valid_before(_now() - dt.timedelta(days=1))
        .not_valid_after(_now() + dt.timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )
