"""What is in the lakehouse of a patient: rows under every key, files of the same path, originals in the quarantine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel

from lakeward.imaging.deidentification import identity
from lakeward.imaging.deidentification.pseudonyms import Pseudonyms
from lakeward.imaging.objects import salvage
from lakeward.imaging.pipeline.rows import distinct, having, lacking
from lakeward.imaging.pipeline.runs import quarantine_folder
from lakeward.imaging.tables import FILES, IMAGES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_UIDS = "sop_instance_uid, series_instance_uid, study_instance_uid, frame_of_reference_uid"


class Names(BaseModel):
    """What patients' objects are called.

    Attributes
    ----------
    patients : dict of str to str
        Pseudonyms, each with the key that it comes from.
    sources, pixels, contents : set of str
        Their original files, rows of ``imaging.pixels``, and de-identified files by hash.
    uids : set of str
        UIDs that no other patient's object has.
    earlier : set of str
        What they and their UIDs were called under keys that are retired, as the crosswalk tells.
    """

    patients: dict[str, str] = {}
    sources: set[str] = set()
    pixels: set[str] = set()
    contents: set[str] = set()
    uids: set[str] = set()
    earlier: set[str] = set()

    def __or__(self, other: "Names") -> "Names":
        return Names.model_validate({name: getattr(self, name) | getattr(other, name) for name in Names.model_fields})

    @property
    def all(self) -> set[str]:
        """Every name."""
        return {*self.patients, *self.sources, *self.pixels, *self.contents, *self.uids, *self.earlier}


@dataclass
class Copies:
    """Originals in the quarantine.

    Attributes
    ----------
    owners : dict of str to dict of str to str
        For each, by its name, the patient's pseudonyms, each with its key.
    unreadable : list of str
        Those that don't tell whose they are.
    """

    owners: dict[str, dict[str, str]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    def of(self, patients: Mapping[str, str]) -> set[str]:
        """Names of those that are patients' own."""
        return {name for name, owners in self.owners.items() if owners.keys() & patients.keys()}


def copies(keys: list[Pseudonyms]) -> Copies:
    """Look into every original in the quarantine."""
    found = Copies()
    for path in sorted(quarantine_folder().iterdir()):
        head = salvage.head(path.read_bytes())
        if head is None or identity.of(head) == "study:":
            found.unreadable.append(path.name)
        else:
            found.owners[path.name] = {key.patient(identity.of(head)): key.key_id for key in keys}
    return found


def names(spark: "SparkSession", patients: Mapping[str, str], held: Copies) -> Names:
    """Collect what is there of patients, whose pseudonyms under other keys are found by their files."""
    found = Names(patients=dict(patients))
    while True:
        known = len(found.patients)
        found.sources |= held.of(found.patients)
        for name in found.sources & held.owners.keys():
            found.patients |= held.owners[name]
        images = having(spark.table(IMAGES.name), "patient_id", found.patients)
        found.sources |= distinct(images, "source_hmac")
        found.sources |= _same_files(spark, found.sources)
        images = having(spark.table(IMAGES.name), "source_hmac", found.sources)
        found.patients |= {
            row.patient_id: row.key_id for row in images.select("patient_id", "key_id").distinct().collect()
        }
        if len(found.patients) == known:
            break
    found.pixels, found.contents = distinct(images, "pixels_id"), distinct(images, "content_sha256")
    others = lacking(spark.table(IMAGES.name), "source_hmac", found.sources)
    uids, kept = (frame.selectExpr(f"explode(array({_UIDS})) AS uid").distinct() for frame in (images, others))
    found.uids = distinct(uids.where("uid IS NOT NULL").join(kept, "uid", "left_anti"), "uid")
    return found


def _same_files(spark: "SparkSession", sources: set[str]) -> set[str]:
    """Names that the same files have under other keys: `ingest` takes a file for the same by path, size and time."""
    file = ["path", "size_bytes", "mtime_ns"]
    theirs = having(spark.table(FILES.name), "source_hmac", sources).select(file)
    return distinct(spark.table(FILES.name).join(theirs, file, "left_semi"), "source_hmac")
