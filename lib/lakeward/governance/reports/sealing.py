"""The seal in a PDF: a signature by a certificate, by which any PDF reader tells whether the file was changed since.

It is the organization's, not a person's: people sign the sealed file, seal included (`signing`).

Source: ISO 32000-2, 12.8.2.2 (a certification that permits no change), ETSI EN 319 142-1 (PAdES), RFC 7292 (PKCS #12).
"""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.events import Event, record, sync_folder
from lakeward.workspace.locks import exclusive
from lakeward.workspace.secrets import secret
from lakeward.workspace.settings import settings

MADE = "governance.report.certificate_made"
PASSWORD = "report_certificate_password"  # noqa: S105 - it is the secret's name
_REASON = "Sealed by Lakeward: every later change shows"
_NO_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""Of a certificate with no well-defined end (RFC 5280, 4.1.2.5)."""


def sealed(pdf: bytes) -> bytes:
    """Return a PDF with a seal: by the certificate that the settings name, else by the lakehouse's own.

    Nobody vouches for the lakehouse's own: a reader says that it is unknown, and tells of changes all the same. Its
    fingerprint is in the audit trail.

    Raises
    ------
    ConfigurationError
        If the certificate that the settings name can't be read, is not valid now, or its key is neither RSA nor of an
        elliptic curve.
    MissingSecret
        If its password is not there.
    """
    from asn1crypto.keys import PrivateKeyInfo
    from asn1crypto.x509 import Certificate
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
    from pyhanko.sign.signers import PdfSignatureMetadata, SimpleSigner, sign_pdf
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    given = settings().report_certificate
    key, certificates = _read(given, secret(PASSWORD)) if given else _read(_own(), None)
    own, *chain = map(Certificate.load, certificates)
    store = SimpleCertificateStore()
    store.register_multiple(chain)
    signer = SimpleSigner(own, PrivateKeyInfo.load(key), store)
    how = PdfSignatureMetadata(
        field_name="Seal",
        md_algorithm="sha256",
        reason=_REASON,
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
    )
    out = BytesIO()
    with ThreadPoolExecutor(1) as pool:  # pyHanko has a loop of its own, which a notebook's thread does not let it run
        pool.submit(sign_pdf, IncrementalPdfFileWriter(BytesIO(pdf)), how, signer, output=out).result()
    return out.getvalue()


def _read(path: Path, password: str | None) -> tuple[bytes, list[bytes]]:
    """Return a private key, and the certificates: its own, then those that lead to a root; all as DER."""
    try:
        found = pkcs12.load_pkcs12(path.read_bytes(), password.encode() if password else None)
    except OSError as error:
        raise ConfigurationError(f"The certificate {path} can't be read: {error.strerror}.") from None
    except ValueError:
        raise ConfigurationError(f"{path} is no PKCS #12 file that the secret {PASSWORD} opens.") from None
    if not found.key or not found.cert:
        raise ConfigurationError(f"{path} lacks the private key, or its certificate. Export both into it.")
    if not isinstance(found.key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise ConfigurationError(f"The key in {path} is neither RSA nor of an elliptic curve (ECDSA): take one such.")
    certificate = found.cert.certificate
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not since <= datetime.now(UTC) <= until:
        raise ConfigurationError(f"The certificate in {path} is valid from {since:%Y-%m-%d} to {until:%Y-%m-%d} only.")
    chain = [certificate, *(it.certificate for it in found.additional_certs)]
    key = found.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return key, [it.public_bytes(Encoding.DER) for it in chain]


def _own() -> Path:
    """Return the lakehouse's own certificate, which is made when it is first needed."""
    home = settings().home
    file = home / "governance" / "seal.p12"
    with exclusive(home / ".locks" / "seal.lock"):
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            made, new = _made(), file.with_suffix(".new")
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                out.write(made)
                out.flush()
                os.fsync(out.fileno())
            new.replace(file)
            sync_folder(file.parent)
    return file


def _made() -> bytes:
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"Lakeward reports ({settings().environment})")])
    usage = {**dict.fromkeys(_USES, False), "digital_signature": True, "content_commitment": True}
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC))
        .not_valid_after(_NO_END)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .sign(key, SHA256())
    )
    fingerprint = certificate.fingerprint(SHA256()).hex()
    record(Event(type=MADE, object=f"certificate/{fingerprint}"))
    return pkcs12.serialize_key_and_certificates(b"Lakeward reports", key, certificate, None, NoEncryption())


_USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
