"""Documents, icons, waveforms, overlays: cleaned where that can be proven, else set aside."""

from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.waveforms import multiplex_array

from lakeward.imaging.deidentification.profile import load_profile
from lakeward.imaging.pipeline.process import deidentify
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.reasons import Quarantined, Reason
from lakeward.imaging.samples import sample_folder

DOCUMENT = b"%PDF-1.7 a document of somebody "
NAME = "QXZJWK"


def an_object(sop_class: str, **attributes: object) -> FileDataset:
    ds = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = sop_class
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3"
    ds.PatientID, ds.PatientName = "1", f"{NAME}^Maria"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def an_image(**attributes: object) -> FileDataset:
    ds = an_object(uid.CTImageStorage, Rows=8, Columns=8, BitsAllocated=8, BitsStored=8, HighBit=7)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.add_new("PixelData", "OB", bytes(range(64)))
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def cleaned(ds: FileDataset, accept: frozenset[Reason] = frozenset(), profile: str = "research") -> FileDataset:
    ds.save_as(buffer := BytesIO(), enforce_file_format=True)
    clean = deidentify(buffer.getvalue(), Recipe(load_profile(profile), b"k" * 32), accept)
    assert NAME.encode() not in clean.dicom
    return dcmread(BytesIO(clean.dicom))


@pytest.mark.parametrize(
    "sop_class", [uid.EncapsulatedPDFStorage, uid.EncapsulatedCDAStorage, uid.EncapsulatedSTLStorage]
)
def test_documents_are_set_aside_and_come_whole_if_a_person_releases_them(sop_class: str) -> None:
    ds = an_object(sop_class, DocumentTitle=f"Report on {NAME}", EncapsulatedDocument=DOCUMENT)
    with pytest.raises(Quarantined) as refusal:
        cleaned(ds)
    assert refusal.value.reason == Reason.ENCAPSULATED_DOCUMENT
    released = cleaned(ds, frozenset({Reason.ENCAPSULATED_DOCUMENT}))
    assert released.EncapsulatedDocument == DOCUMENT
    assert not released.DocumentTitle


def an_icon() -> Dataset:
    icon = Dataset()
    icon.Rows = icon.Columns = icon.BitsAllocated = icon.BitsStored = 8
    icon.add_new("PixelData", "OB", NAME.encode().ljust(64))
    return icon


def test_icons_go() -> None:
    ds = an_image(IconImageSequence=[an_icon()])
    ds.ReferencedImageSequence = [Dataset()]
    ds.ReferencedImageSequence[0].IconImageSequence = [an_icon()]
    new = cleaned(ds)
    assert "IconImageSequence" not in new
    assert all("IconImageSequence" not in item for item in new.get("ReferencedImageSequence", []))
    assert new.PixelData == bytes(range(64))


def test_pixels_of_another_image_go_wherever_they_are() -> None:
    ds = an_image(SourceImageSequence=[an_icon()])
    new = cleaned(ds)
    assert all("PixelData" not in item for item in new.get("SourceImageSequence", []))


def an_ecg() -> FileDataset:
    """A real recording whose free texts name somebody."""
    ds = dcmread(sample_folder() / "waveform_ecg.dcm")
    ds.PatientName = f"{NAME}^Maria"
    for group in ds.WaveformSequence:
        group.MultiplexGroupLabel = f"ECG of {NAME}"
        for channel in group.ChannelDefinitionSequence:
            channel.ChannelLabel = f"{NAME}"
    note = Dataset()
    note.UnformattedTextValue, note.AnnotationGroupNumber = f"Called {NAME}", 1
    note.ReferencedWaveformChannels = [1, 0]
    ds.WaveformAnnotationSequence = [note]
    return ds


@pytest.mark.parametrize("profile", ["basic", "research", "longitudinal"])
def test_waveforms_keep_their_samples_and_lose_their_texts(profile: str) -> None:
    ds = an_ecg()
    new = cleaned(ds, profile=profile)
    for number in range(len(ds.WaveformSequence)):
        assert np.array_equal(multiplex_array(new, number), multiplex_array(ds, number))
    assert "Called" not in str(new)


def test_recorded_speech_is_set_aside() -> None:
    ds = an_ecg()
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = uid.BasicVoiceAudioWaveformStorage
    with pytest.raises(Quarantined) as refusal:
        cleaned(ds)
    assert refusal.value.reason == Reason.RECORDED_SPEECH


@pytest.mark.parametrize("profile", ["basic", "research"])
def test_overlays_go_whole_with_their_labels(profile: str) -> None:
    ds = an_image()
    ds.add_new(0x60000010, "US", 8)
    ds.add_new(0x60000022, "LO", f"Of {NAME}")
    ds.add_new(0x60001500, "LO", NAME)
    ds.add_new(0x60003000, "OW", NAME.encode().ljust(8))
    new = cleaned(ds, profile=profile)
    assert not [element for element in new if element.tag.group == 0x6000]
