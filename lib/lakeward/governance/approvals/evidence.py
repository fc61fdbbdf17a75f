"""Evidence: files, kept under the SHA-256 of what is in them, so that nobody can put others in their place."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lakeward.governance.approvals.errors import EvidenceBroken, RequestRefused
from lakeward.governance.approvals.forms import Form
from lakeward.workspace.events import sync_folder

_BLOCK = 1 << 20


class Kind(StrEnum):
    """What a file is evidence of."""

    METRICS = "metrics"
    DATA_LINEAGE = "data_lineage"
    BIAS_BY_SUBGROUP = "bias_by_subgroup"
    EXPLANATION = "explanation"
    CLINICAL_VALIDATION = "clinical_validation"


@dataclass(frozen=True)
class Attached:
    """A file that was attached; its name is not kept, for it may name a patient."""

    kind: Kind
    sha256: str
    size: int
    by: str
    at: int


class EvidenceStore:
    """The folder of the evidence."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, file: Path, form: Form | None = None) -> tuple[str, int]:
        """Keep a copy of a file, and return its SHA-256 and its size once the disk has it.

        Parameters
        ----------
        form : Form, optional
            What it must be.

        Raises
        ------
        RequestRefused
            If the file can't be read, is empty, or is not of the form.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        digest = hashlib.sha256()
        try:
            with file.open("rb") as source, tempfile.TemporaryDirectory(dir=self.folder) as place:
                copy = Path(place) / "copy"
                with copy.open("xb") as out:
                    while block := source.read(_BLOCK):
                        digest.update(block)
                        out.write(block)
                    out.flush()
                    os.fsync(out.fileno())
                    size = out.tell()
                if size == 0:
                    raise RequestRefused(f"The evidence {file} is empty.")
                if form and (fault := form.fault(copy)):
                    raise RequestRefused(f"The evidence is not of the form that the policy asks for: {fault}.")
                copy.chmod(0o400)
                copy.replace(self.path(digest.hexdigest()))
                sync_folder(self.folder)
        except OSError as error:
            raise RequestRefused(f"The evidence {file} can't be read or copied: {error.strerror}.") from None
        return digest.hexdigest(), size

    def path(self, sha256: str) -> Path:
        """Where evidence lies."""
        return self.folder / sha256

    def fault(self, sha256: str) -> str:
        """Tell what is wrong with evidence, empty if it is there and as it was."""
        try:
            with self.path(sha256).open("rb") as file:
                now = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return "is gone"
        return "" if now == sha256 else "was changed"

    def check(self, attached: tuple[Attached, ...]) -> None:
        """Make sure that evidence is there and as it was.

        Raises
        ------
        EvidenceBroken
            If any is not.
        """
        found = [f"{it.kind} ({it.sha256[:12]}) {fault}" for it in attached if (fault := self.fault(it.sha256))]
        if found:
            raise EvidenceBroken(
                f"Evidence {'; '.join(found)}. Restore {self.folder} from a backup, or attach it anew."
            )
