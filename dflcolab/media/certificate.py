# pyright: strict
"""The certificate that results are signed with: the machine's own, or one that the user brings.

The machine's own is made once, on it, by itself: it proves that a file was not changed since it was
signed, not who signed it. Nothing personal is in it. The key of the root is thrown away after its only
use.
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
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dflcolab.errors import ConfigError, StorageError
from dflcolab.files import replacing

_LOGGER = logging.getLogger(__name__)
_FILE_NAME = "signing.pem"
_ORGANIZATION = "dflcolab (made on the user's own machine)"
_VALID_DAYS = 3650
_RENEW_DAYS = 30
_SHORTEST_RSA = 2048
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Identity:
    """Key and certificates, each as PEM.

    Attributes:
        key: Private key (PKCS 8).
        chain: Signing certificate, then its root.
        root: The root alone: a trust anchor for reading one's own files.
        algorithm: How the key signs, a name of C2PA.
    """

    key: bytes
    chain: bytes
    root: bytes
    algorithm: str = "ES256"


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


def user_identity(path: Path) -> Identity:
    """The certificate that a user brings, such as one from an authority.

    Args:
        path: PEM file with the private key (without a password), its certificate, and those of the
            issuers behind it.

    Raises:
        ConfigError: The file is missing or holds something else, the certificate has expired or
            belongs to another key, or C2PA knows no signature by such a key.
    """
    wanted = "give a PEM file with a private key without password, its certificate and the issuers'"
    try:
        data = path.read_bytes()
        blocks = re.findall(rb"-----BEGIN ([A-Z ]+)-----(.*?)-----END \1-----", data, re.DOTALL)
        if b"CERTIFICATE" not in dict(blocks):
            raise ValueError("it holds no certificate")
        (key_kind, key_body), *others = sorted(blocks, key=lambda block: b"KEY" not in block[0])
        pems = [_block(kind, body) for kind, body in others if kind == b"CERTIFICATE"]
        key = serialization.load_pem_private_key(_block(key_kind, key_body), password=None)
        leaf = x509.load_pem_x509_certificate(pems[0])
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise ConfigError(f"{path} cannot be used to sign ({error}); {wanted}.") from error
    if leaf.public_key() != key.public_key():
        raise ConfigError(f"The first certificate of {path} belongs to another key; {wanted}.")
    if leaf.not_valid_after_utc < _now():
        raise ConfigError(
            f"The certificate in {path} expired on {leaf.not_valid_after_utc:%Y-%m-%d}; renew it."
        )
    pkcs8 = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Identity(pkcs8, b"".join(pems), pems[-1], _algorithm(key, path))


def _block(kind: bytes, body: bytes) -> bytes:
    return b"-----BEGIN " + kind + b"-----" + body + b"-----END " + kind + b"-----\n"


def _algorithm(key: object, path: Path) -> str:
    """C2PA's name of the signatures that a key makes."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        found = _CURVES.get(key.curve.name)
    elif isinstance(key, rsa.RSAPrivateKey):
        found = "PS256" if key.key_size >= _SHORTEST_RSA else None
    else:
        found = "ED25519" if isinstance(key, ed25519.Ed25519PrivateKey) else None
    if found is None:
        raise ConfigError(
            f"The key in {path} cannot sign for C2PA; take an elliptic curve (P-256, P-384, P-521), Ed25519, "
            f"or RSA of {_SHORTEST_RSA} bits or more."
        )
    return found


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
