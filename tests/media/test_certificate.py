"""The machine's own signing certificate: made once, private, renewed in time."""

from __future__ import annotations

import datetime as dt
import stat
from concurrent.futures import ThreadPoolExecutor

from cryptography import x509

from dflcolab.media import certificate
from dflcolab.media.certificate import local_identity, make_identity


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
