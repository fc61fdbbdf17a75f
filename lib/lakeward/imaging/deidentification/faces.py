"""Which objects may show a face, or let one be rebuilt (the option Clean Recognizable Visual Features, PS3.15 E.3.2).

Nothing here removes a face: what does so well registers whole series to an atlas or runs a network over them, with
FSL, 3D Slicer, FreeSurfer or PyTorch, and none is a light Python package. So objects are set aside, unless what they
say of themselves places them clearly elsewhere in the body.
"""

import re
import unicodedata
from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.uid import UID

from lakeward.imaging.deidentification.values import values
from lakeward.imaging.objects.completeness import PIXEL_KEYWORDS

_OUTLINES = re.compile(r"RT Structure Set Storage|Surface .*Storage")
_NEVER = re.compile(r"RT Dose Storage|.*Microscop.*|Intravascular .*|Ophthalmic (Tomography|Optical|Thickness) .*")
_ANYTHING = re.compile(
    r".*\b(CT|MR|PET|MR Color) Image Storage|Positron Emission .*|Nuclear Medicine .*|X-Ray 3D .*"
    r"|Parametric Map Storage|.*Segmentation Storage|.*Secondary Capture .*|Hardcopy .*"
    r"|(VL|Video|Dermoscopic|Ophthalmic) .*"
)
"""Names of SOP Classes (PS3.6 Annex A) of volumes and photographs: to be trusted only if placed elsewhere, as outlines.

All others, as radiographs and ultrasound, are set aside only if they are placed in the head or neck.
"""

_CODED = ("BodyPartExamined",)
_CODED_SEQUENCES = ("AnatomicRegionSequence", "PrimaryAnatomicStructureSequence")
_FREE = (
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "PerformedProcedureStepDescription",
    "RequestedProcedureDescription",
    "StructureSetLabel",
    "StructureSetName",
)
_FREE_SEQUENCES = ("ProcedureCodeSequence", "RequestedProcedureCodeSequence", "PerformedProtocolCodeSequence")

_HEAD = re.compile(
    r"head|skull|brain|crani|cereb|cephal|\bface|facial|orbit|sinus|nasal|nasop|mandib|maxil|dental|teeth|tooth|neck|cervic"
    r"|pharyn|laryn|thyroid|parotid|carotid|pituit|sella|mastoid|auditory|occip|tongue|mouth|palat|zygom|scalp|neuro"
    r"|wholebody|whole ?body|total ?body|entire ?body|\bhn\b|\bwb\b|\bc ?spine|\bcsp\b|\bhws\b|ophthalm"
    r"|\bears?\b|\beyes?\b|\biac\b|\biam\b|\btmj\b|\bjaw|\bnose\b|\blips?\b|\bchin\b|\bcct\b|\bpns\b|\bnnh\b|\btemporal"
    r"|kopf|schadel|hirn|gesicht|\bhals|kiefer|zahn|\baugen?\b|\bnase|\bohr|\btete\b|\bcrane|cerveau|visage|\bcou\b"
    r"|cabeza|\bcara\b|cuello|cuerpo|\btesta\b|\bcollo\b|\bvolto\b|hoofd|hersen|schedel|gezicht|cabeca|pescoco|ganzkorper"
)
_ELSEWHERE = frozenset(
    """
    abd abdomen abdominal abdomenpelvis abdpel adrenal ankle aorta aortic appendix arm axilla bladder bowel
    breast bronchus calcaneus calf cardiac chest chestabdomen chestabdpelvis clavicle coccyx colon coronary
    elbow extremity femoral femur fibula finger foot forearm gallbladder hand heart hepatic hip humerus ileum
    iliac kidney kidneys knee kub leg legs liver lspine lumbar lumbosacral lung lungs mammo mediastinum ovary
    pancreas patella pelvic pelvis penis phantom prostate radius rectum renal rib ribs sacroiliac sacrum scapula
    scrotum shoulder spleen sspine sternum stomach testis thigh thoracic thorax thumb tibia tlspine toe tspine
    ulna ureter urinary uterus vagina wrist
    """.split()  # noqa: SIM905
)


def may_show_one(ds: Dataset) -> bool:
    """Whether a face may be seen in an object, or rebuilt from its series.

    Recognizable Visual Features (0028,0302) NO answers it. Else what an object says of its region decides: a word for
    head, neck or the whole body anywhere speaks for a face; volumes, outlines and photographs must be placed by a word
    for another region, in each code if there are any, else in a description.

    Parameters
    ----------
    ds : pydicom.Dataset
        The object, before its header is cleaned.
    """
    if str(ds.get("RecognizableVisualFeatures") or "").strip().upper() == "NO":
        return False
    name = UID(str(ds.get("SOPClassUID") or "")).name
    outlines = _OUTLINES.fullmatch(name) is not None
    if _NEVER.fullmatch(name) or not (outlines or any(keyword in ds for keyword in PIXEL_KEYWORDS)):
        return False
    coded, free = list(_coded(ds)), [*_free(ds), _plain(name)]
    if any(_HEAD.search(text) for text in coded + free):
        return True
    return (outlines or _ANYTHING.fullmatch(name) is not None) and not _is_elsewhere(coded, free)


def _is_elsewhere(coded: list[str], free: list[str]) -> bool:
    if coded:
        return all(not _ELSEWHERE.isdisjoint(text.split()) for text in coded)
    return any(not _ELSEWHERE.isdisjoint(text.split()) for text in free)


def _coded(ds: Dataset) -> Iterator[str]:
    """Where the object is coded to be, at the top and in functional groups (PS3.3 C.7.6.16.2.8)."""
    yield from _texts(ds, _CODED, _CODED_SEQUENCES)
    for sequence in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for groups in _items(ds, sequence):
            for anatomy in _items(groups, "FrameAnatomySequence"):
                yield from _texts(anatomy, _CODED, _CODED_SEQUENCES)


def _free(ds: Dataset) -> Iterator[str]:
    yield from _texts(ds, _FREE, _FREE_SEQUENCES)


def _texts(ds: Dataset, keywords: tuple[str, ...], sequences: tuple[str, ...]) -> Iterator[str]:
    for keyword in keywords:
        yield from (text for value in values(ds.get(keyword)) if (text := _plain(str(value))))
    for sequence in sequences:
        yield from (_plain(str(item.get("CodeMeaning") or "unknown")) for item in _items(ds, sequence))


def _items(ds: Dataset, sequence: str) -> Iterator[Dataset]:
    return (item for item in values(ds.get(sequence)) if isinstance(item, Dataset))


def _plain(text: str) -> str:
    """Lower case, no accents, words with one space between them."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return " ".join(re.findall(r"[a-z0-9]+", "".join(char for char in decomposed if not unicodedata.combining(char))))
