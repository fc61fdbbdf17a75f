"""The folder of evidence beside a report: what each check saw, and SHA256SUMS, which any ``sha256sum -c`` reads."""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from lakeward.governance.reports.checks.check import Proof

SUMS = "SHA256SUMS"


def folder_of(report: Path) -> Path:
    """Return where the evidence of a report lies."""
    return report.with_name(f"{report.name}.evidence")


def write(report: Path, proofs: Iterable[Proof]) -> Path:
    """Write the evidence of a report, in place of what lay there; return its folder."""
    folder, found = folder_of(report), list(proofs)
    folder.mkdir(mode=0o700, exist_ok=True)
    for proof in found:
        (folder / proof.file).write_bytes(proof.evidence)
    (folder / SUMS).write_text(_sums(found), encoding="utf-8")
    return folder


def digest(proofs: Iterable[Proof]) -> str:
    """Return the hash of SHA256SUMS, which stands for all evidence."""
    return sha256(_sums(proofs).encode()).hexdigest()


def digest_there(report: Path) -> str:
    """Return the hash of the SHA256SUMS that lies beside a report, empty if there is none."""
    file = folder_of(report) / SUMS
    return sha256(file.read_bytes()).hexdigest() if file.exists() else ""


def faults(report: Path) -> list[str]:
    """Return what of the evidence beside a report is not as SHA256SUMS says."""
    folder, wrong = folder_of(report), []
    for line in (folder / SUMS).read_text(encoding="utf-8").splitlines():
        digest_, _, name = line.partition("  ")
        file = folder / name
        if not file.is_file():
            wrong.append(f"{name} is not there")
        elif sha256(file.read_bytes()).hexdigest() != digest_:
            wrong.append(f"{name} was changed")
    return wrong


def _sums(proofs: Iterable[Proof]) -> str:
    return "".join(f"{it.sha256}  {it.file}\n" for it in sorted(proofs, key=lambda it: it.file))
