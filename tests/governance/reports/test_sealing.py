"""A PDF is sealed by a certificate: any reader tells of a change, whoever made it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from lakeward.governance.reports.document import Document, Section, Text
from lakeward.governance.reports.sealing import MADE
from lakeward.governance.reports.writing import write
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.settings import settings
from recorded import recorded

NOW = datetime.now(UTC)
DOCUMENT = Document("Title", "Subtitle", NOW, {}, {}, [Section("Part", [Text("It is met.")])], {})
PASSWORD = "swordfish"


@pytest.fixture
def pdf(home: Path, tmp_path: Path) -> Path:
    write(DOCUMENT, tmp_path / "a.pdf")
    return tmp_path / "a.pdf"


def _status(file: Path) -> PdfSignatureStatus:
    with file.open("rb") as opened:
        [seal] = PdfFileReader(opened).embedded_signatures
        return validate_pdf_signature(seal, ValidationContext(trust_roots=[seal.signer_cert]))


def _is_whole(file: Path) -> bool:
    status = _status(file)
    return status.bottom_line and status.coverage is SignatureCoverageLevel.ENTIRE_FILE


def test_a_seal_covers_all_of_the_file_and_shows_each_change(pdf: Path) -> None:
    assert _is_whole(pdf)
    whole = pdf.read_bytes()
    place = whole.index(b"stream")  # in the middle of a page
    pdf.write_bytes(whole[: place + 40] + bytes([whole[place + 40] ^ 1]) + whole[place + 41 :])
    assert not _is_whole(pdf)
    pdf.write_bytes(whole + b"\n% added\n")
    assert not _is_whole(pdf)


def test_the_lakehouses_own_certificate_is_made_once_and_the_trail_tells_of_it(pdf: Path, home: Path) -> None:
    write(DOCUMENT, pdf.with_name("b.pdf"))
    [made] = recorded(MADE)
    for name in ("a.pdf", "b.pdf"):
        found = _status(pdf.with_name(name)).signing_cert
        assert made.object == f"certificate/{found.sha256.hex()}"
    assert (home / "governance" / "seal.p12").stat().st_mode & 0o777 == 0o600


def _given(file: Path, days: int = 1, key: RSAPrivateKey | Ed25519PrivateKey | None = None) -> None:
    """Write a certificate of an organization's, with its key, as its administrators hand it out."""
    key = key or generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "General Hospital")])
    since, until = sorted((NOW - timedelta(minutes=5), NOW + timedelta(days=days)))
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, since, until)
    certificate = builder.sign(key, SHA256() if isinstance(key, RSAPrivateKey) else None)
    how = BestAvailableEncryption(PASSWORD.encode())
    file.write_bytes(pkcs12.serialize_key_and_certificates(b"seal", key, certificate, None, how))


@pytest.fixture
def certificate(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAKEWARD_REPORT_CERTIFICATE", str(tmp_path / "seal.p12"))
    monkeypatch.setenv("LAKEWARD_REPORT_CERTIFICATE_PASSWORD", PASSWORD)
    settings.cache_clear()
    return tmp_path / "seal.p12"


def test_an_organizations_certificate_seals_where_there_is_one(certificate: Path, tmp_path: Path) -> None:
    _given(certificate)
    write(DOCUMENT, tmp_path / "a.pdf")
    assert _status(tmp_path / "a.pdf").signing_cert.subject.native == {"common_name": "General Hospital"}
    assert _is_whole(tmp_path / "a.pdf")


def test_a_certificate_that_is_of_no_use_seals_nothing(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(why: str) -> None:
        with pytest.raises(ConfigurationError, match=why):
            write(DOCUMENT, tmp_path / "a.pdf")
        assert not (tmp_path / "a.pdf").exists()

    refused("can't be read")
    _given(certificate, days=-2)
    refused("only")
    _given(certificate, key=Ed25519PrivateKey.generate())
    refused("neither RSA nor")
    _given(certificate)
    monkeypatch.setenv("LAKEWARD_REPORT_CERTIFICATE_PASSWORD", "another")
    refused("opens")
