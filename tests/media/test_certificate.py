"""The machine's own signing certificate: made once, private, renewed in time."""

from __future__ import annotations

import datetime as dt
import stat
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from dflcolab.errors import ConfigError
from dflcolab.media import certificate
from dflcolab.media.certificate import local_identity, make_identity, user_identity
from dflcolab.media.frame_sequence import encode_image
from dflcolab.media.provenance import read_provenance, sign_still


def test_it_is_made_once_and_read_back(tmp_path):
    first = local_identity(tmp_path / "deep" / "folder")
    certificate._identity_in.cache_clear()
    assert local_identity(tmp_path / "deep" / "folder") == first


def test_only_the_user_may_read_the_key(tmp_path):
    local_identity(tmp_path)
    path = tmp_path / "signing.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    certificate._identity_in.cache_clear()
    local_identity(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["signing.pem"]


def test_without_a_folder_it_lives_in_the_users_configuration(own_configuration):
    local_identity()
    assert (own_configuration / "dflcolab" / "signing.pem").is_file()


def test_a_damaged_file_gives_way_to_a_new_certificate(tmp_path):
    first = local_identity(tmp_path)
    path = tmp_path / "signing.pem"
    path.write_bytes(path.read_bytes()[:300])
    certificate._identity_in.cache_clear()
    second = local_identity(tmp_path)
    assert second != first
    certificate._identity_in.cache_clear()
    assert local_identity(tmp_path) == second


def test_a_certificate_about_to_expire_is_renewed(tmp_path, monkeypatch):
    monkeypatch.setattr(certificate, "_VALID_DAYS", 20)
    first = local_identity(tmp_path)
    monkeypatch.undo()
    certificate._identity_in.cache_clear()
    assert local_identity(tmp_path) != first


def test_a_folder_that_cannot_be_written_does_not_stop_signing(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    identity = local_identity(tmp_path / "file" / "dflcolab")
    assert identity.key.startswith(b"-----BEGIN PRIVATE KEY")
    assert "cannot be kept" in caplog.text


def test_it_has_the_form_that_c2pa_asks_for_and_names_nobody():
    identity = make_identity()
    leaf, root = x509.load_pem_x509_certificates(identity.chain)
    leaf.verify_directly_issued_by(root)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert "dflcolab" in leaf.subject.rfc4514_string()
    assert leaf.not_valid_before_utc < dt.datetime.now(dt.UTC) < leaf.not_valid_after_utc


def test_two_threads_that_start_together_agree_in_the_end(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: local_identity(tmp_path), range(8)))
    certificate._identity_in.cache_clear()
    assert local_identity(tmp_path).chain.count(b"BEGIN CERTIFICATE") == 2


KEYS = {
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "PS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ED25519": ed25519.Ed25519PrivateKey.generate,
}


def authority(key):
    """The certificate of a studio for a key, and its issuer, as PEM."""
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    issuer_name = certificate._name("Film Authority")
    issuer = (
        certificate._builder(issuer_name, issuer_name, issuer_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(certificate._usage(certificates=True), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
    leaf = (
        certificate._builder(certificate._name("A Studio"), issuer_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(certificate._usage(certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return leaf.public_bytes(pem), issuer.public_bytes(pem)


def private(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_certificate_from_an_authority_signs_and_is_trusted_by_those_who_know_it(
    tmp_path, algorithm
):
    key = KEYS[algorithm]()
    leaf, issuer = authority(key)
    path = tmp_path / "studio.pem"
    path.write_bytes(b"Some words first\n" + leaf + issuer + private(key))

    identity = user_identity(path)

    assert identity.algorithm == algorithm
    picture = tmp_path / "frame.png"
    blank = encode_image(np.zeros((8, 8, 3), np.uint8), ".png")
    picture.write_bytes(sign_still(blank, "frame.png", identity=identity))
    note = read_provenance(picture)
    assert (note.state, note.signer) == ("valid", "A Studio")
    assert read_provenance(picture, anchors=issuer).state == "trusted"


def test_what_cannot_sign_is_one_sentence(tmp_path):
    path = tmp_path / "studio.pem"
    key = ec.generate_private_key(ec.SECP256R1())
    leaf, issuer = authority(key)
    with pytest.raises(
        ConfigError, match=r"studio\.pem cannot be used to sign .*; give a PEM file"
    ):
        user_identity(path)
    for content in (b"", b"words", leaf, private(key), leaf + private(key)[:60]):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="cannot be used to sign"):
            user_identity(path)
    path.write_bytes(private(ec.generate_private_key(ec.SECP256R1())) + leaf + issuer)
    with pytest.raises(ConfigError, match="belongs to another key"):
        user_identity(path)
    odd = ec.generate_private_key(ec.SECP256K1())
    path.write_bytes(private(odd) + b"".join(authority(odd)))
    with pytest.raises(ConfigError, match="cannot sign for C2PA"):
        user_identity(path)


def test_an_expired_certificate_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(certificate, "_VALID_DAYS", -0.5)
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "studio.pem"
    path.write_bytes(private(key) + b"".join(authority(key)))
    with pytest.raises(ConfigError, match="expired on"):
        user_identity(path)
