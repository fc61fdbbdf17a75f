"""What is archived of a notebook holds no patient data: each of the two nets, and both in a kernel."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from lakeward.workspace import scrub
from lakeward.workspace.errors import ConfigurationError, NotebookFailed
from lakeward.workspace.notebooks import execute
from lakeward.workspace.scrub import WITHHELD, Seen, scrubbed, scrubbed_output, told


@pytest.mark.parametrize(
    "marker",
    [
        "Planted^Marker^^Dr",
        "O'Hara^Ann",
        "Müller^Jürgen",
        "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322",
        "19610203",
        "20040119072731.123456",
        "ann.planted@hospital.example.org",
        "123-45-6789",
        "(555) 123-4567",
        "+1 555-123-4567",
        "/mnt/pacs/Planted_Marker/ct/0001.dcm",
        "/mnt/pacs (old)/Planted Marker/0001.dcm",
        "/mnt/pacs/Planted, Marker/0001.dcm",
        "s3a://bucket/Planted_Marker/0001.dcm",
        "abfss://box@account.dfs.core.windows.net/Planted_Marker.dcm",
    ],
)
def test_takes_out_what_looks_like_patient_data(marker: str) -> None:
    assert scrubbed(f"before {marker} after") == f"before {WITHHELD} after"
    assert marker not in json.dumps(scrubbed_output({"application/json": {marker: [{"x": marker}]}}))
    assert marker not in json.dumps(scrubbed_output({"text/plain": [marker], "text/html": f"<td>{marker}</td>"}))


@pytest.mark.parametrize("scheme", ["", "file:", "file://", "dbfs:", "path:", "s3://bucket", "gs://b"])
def test_takes_out_a_path_after_a_colon_and_a_quoted_one_whole(scheme: str) -> None:
    for quote in ("'", '"'):
        told = scrubbed(f"no {quote}{scheme}/mnt/pacs/Planted Marker, Ann/scan 1.dcm{quote} there")
        assert not {"Planted", "Marker", "Ann", "scan"} & set(re.findall(r"\w+", told))
        assert told.endswith(f"{WITHHELD}{quote} there")
    assert scrubbed(f"{scheme}/mnt/pacs/Planted_Marker/1.dcm.").endswith(WITHHELD)


def test_leaves_paths_of_programs_but_not_what_follows_them() -> None:
    program = "/usr/bin/env and/or '/usr/lib/a b/c' file:/usr/lib/x/y"
    assert scrubbed(program) == program
    assert scrubbed("/usr/bin/env --in=/mnt/pacs/Planted/1.dcm") == f"/usr/bin/env --in={WITHHELD}"


@pytest.mark.parametrize(
    "text",
    [
        "59 stored + 117 quarantined = 176 of 20,000,101 files",
        "2026-11-23 05:51:02, 1764000000, 0.93125, 12345678",
        "1.2.840.10008.5.1.4.1.1.2",
        "2.25.329800735698586629295641978511506172918",
        "pydicom 3.0.1, 127.0.0.1:8888, x^2 + y^2",
        "(0010,0010) PatientName was replaced",
        "imaging.images, https://example.org/a/b/c, http://127.0.0.1:5000/a/b",
        "'<a href=\"https://a.org/b c/d\"/></a>'",
        "images/s: 1,234.5; run 20 of 24 on 3 cores </td></tr>",
    ],
)
def test_leaves_figures_tables_and_pseudonymous_names(text: str) -> None:
    assert scrubbed(text) == text


def test_takes_the_values_out_of_a_dump() -> None:
    pydicom = "(0010, 0010) Patient's Name                      PN: 'Smith'\n(0028, 0010) Rows    US: 128"
    assert scrubbed(pydicom).count(WITHHELD) == 2
    assert "Smith" not in scrubbed(pydicom)
    assert "Smith" not in scrubbed("(0010,0010) PN [Smith]      #  6, 1 PatientName")


def test_leaves_scripts_and_pictures_whole() -> None:
    html = '<script>var ab=ab^cd</script><img src="data:image/png;base64,AA/19610203/BB+20040119+=="/>'
    assert scrubbed(html) == html
    assert scrubbed_output({"image/png": "19610203"}) == {"image/png": "19610203"}


def test_knows_again_what_was_read() -> None:
    seen = Seen()
    seen.add("Lee^Ann")
    seen.add("X-4711")
    assert seen.taken_out("Ann Lee (X-4711) in Leeds") == f"{WITHHELD} {WITHHELD} ({WITHHELD}) in Leeds"


def test_tells_our_own_errors_and_withholds_others() -> None:
    assert told(ConfigurationError("No key.")) == "No key."
    assert "Planted" not in told(ValueError("Planted"))


CELLS = [
    "import pydicom, logging, warnings\nfrom pydicom.data import get_testdata_file\n"
    "from IPython.display import HTML, display\nds = pydicom.dcmread(get_testdata_file('CT_small.dcm'))",
    "print(ds)\nprint('plain', ds.PatientID, ds.StudyDate, ds.StudyInstanceUID, ds['PatientName'].value.family_name)",
    "import sys\nsys.stderr.write(str(ds.AccessionNumber) + ds.OtherPatientIDsSequence[0].PatientID)\n"
    "logging.warning(ds.PatientID)\nwarnings.warn(ds.PatientID)",
    "display(HTML(f'<b>{ds.PatientID}</b>'), {'name': ds.PatientName})\n[ds.PatientID, str(ds.PatientName)]",
    "import os\nos.system('echo Planted^\"\"Child')",
    "try:\n    {}[ds.PatientID]\nexcept KeyError as e:\n    raise ValueError(f'no {ds.PatientName}') from e",
]


def test_a_jobs_kernel_lets_nothing_out(tmp_path: Path) -> None:
    notebook, output = tmp_path / "leaks.ipynb", tmp_path / "out" / "leaks.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in CELLS]), notebook)
    with pytest.raises(NotebookFailed, match=scrub.NO_TEXT) as failed:
        execute(notebook, output, {})
    kept = output.read_text() + str(failed.value)
    assert kept.count(WITHHELD) > 200, "the dump of a real file has as many elements"
    for marker in ("1CT1", "CompressedSamples", "ABCD1234", "20040119", "1.3.6.1.4.1.5962", "Planted^Child"):
        assert marker not in kept
