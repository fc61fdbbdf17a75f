"""The report as a whole: its controls and score, three formats of one model, and no word on a patient."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdf
import pytest

from furnished import NOW, PERIOD, World, write_table
from lakeward.governance.reports import evidence, pdf
from lakeward.governance.reports.checks import all as checks
from lakeward.governance.reports.checks.check import CHECKS, Result
from lakeward.governance.reports.compliance import Compliance, made
from lakeward.governance.reports.controls import OUTSIDE, Score, frameworks, score
from lakeward.governance.reports.document import Document, Section, Table, plain
from lakeward.governance.reports.stores import Period, Stores
from lakeward.governance.reports.writing import write
from lakeward.governance.trail.errors import StoreFailed
from lakeward.workspace.errors import ConfigurationError

PSEUDONYM = "LWABCDEFGHIJKLMN"


@pytest.fixture
def report(world: World) -> Compliance:
    return made(PERIOD, NOW)


def _results(report: Compliance) -> dict[str, str]:
    facts = report.document.facts
    return {control["id"]: control["result"] for law in facts["frameworks"] for control in law["controls"]}


def _rows(report: Compliance, title: str) -> list[Sequence[str]]:
    [section] = [it for it in report.document.sections if it.title == title]
    return [row for part in section.blocks if isinstance(part, Table) for row in part.rows]


def test_controls_name_checks_that_there_are_and_no_control_twice() -> None:
    for law in frameworks():
        ids = [control.id for control in law.controls]
        assert len(set(ids)) == len(ids)
        for control in law.controls:
            assert not (control.outside and control.checks)
            assert set(control.checks) <= set(CHECKS)
    named = {name for law in frameworks() for it in law.controls for name in it.checks}
    alone = {"inputs_accounted", "quarantine_attended"}  # each proves no control
    assert set(CHECKS) - named == alone


def test_a_control_is_met_by_all_of_its_checks_and_never_by_default(report: Compliance) -> None:
    results = _results(report)
    assert results["164.312(b)"] == Result.MET
    assert results["11.10(a)"] == Result.NONE
    assert results["164.310(b)"] == OUTSIDE


def test_one_broken_check_turns_the_rows_red_that_it_proves(world: World) -> None:
    world.tell("governance.backup.failed", "backup/1", outcome="failure")
    report = made(PERIOD, NOW)
    results = _results(report)
    assert results["A.8.13"] == results["Art. 32(1)(c)"] == results["164.308(a)(7)(ii)(A)"] == Result.NOT_MET
    assert results["164.308(a)(7)(ii)(D)"] == OUTSIDE
    assert results["A.5.33"] == Result.MET
    [finding] = _rows(report, "Open findings")
    assert (finding[0], "A.8.13" in finding[2]) == ("backups_verified", True)
    proofs = {row[0]: row[3] for row in _rows(report, "ISO/IEC 27001, Annex A")}
    assert proofs["A.8.13"] == "backups_daily, backups_verified (not met)"
    assert proofs["A.8.6"].startswith("A person would have to show figures")


def test_the_score_counts_what_has_no_evidence_and_leaves_out_what_is_outside() -> None:
    counted = score([Result.MET, Result.MET, Result.NOT_MET, Result.NONE, OUTSIDE])
    assert counted == Score(2, 1, 1, 1)
    assert counted.percent == 50
    assert score([OUTSIDE]).percent is None


def test_whose_account_was_tried_is_told_and_no_other_object(world: World) -> None:
    world.tell("governance.login.failed", "ann", "os:root", outcome="refused")
    world.tell("imaging.crosswalk.looked_up", PSEUDONYM, "ben", outcome="refused")
    rows = _rows(made(PERIOD, NOW), "Refused or failed")
    assert rows == [
        ("governance.login.failed", "os:root", "ann", "refused", "1"),
        ("imaging.crosswalk.looked_up", "ben", "-", "refused", "1"),
    ]


def test_a_policy_that_nobody_signed_is_not_reported_as_a_change(world: World) -> None:
    world.tell("governance.policy.changed", f"policy/{'ab' * 32}", "mallory")
    rows = _rows(made(PERIOD, NOW), "Approvals and promotions")
    assert [row[2] for row in rows if row[3] == "mallory"] == ["not signed by two"]


def test_the_pdf_says_it_all_and_has_contents_bookmarks_and_numbers(report: Compliance, tmp_path: Path) -> None:
    write(report.document, tmp_path / "a.pdf")
    read = pypdf.PdfReader(tmp_path / "a.pdf")
    text = "\n".join(page.extract_text() for page in read.pages)
    assert read.metadata
    assert read.metadata.title == "Compliance report"
    assert read.trailer["/Root"]["/Lang"] == "en"
    assert [it["/Title"] for it in read.outline if isinstance(it, dict)][:2] == ["Summary", "Open findings"]
    assert f"Page 2 of {len(read.pages)}" in text
    assert report.score.text in text
    assert evidence.digest(report.proofs.values()) in text
    compact = re.sub(r"\s", "", text)
    for proof in report.proofs.values():
        assert proof.sha256 in compact
    assert PSEUDONYM not in text
    headed = [
        page for page in read.pages if "164.308(a)(2)" in page.extract_text() or "164.316(a)" in page.extract_text()
    ]
    assert len(headed) == 2
    assert all("What it is about" in page.extract_text() for page in headed)


def test_a_cell_longer_than_a_page_goes_on_on_the_next(tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(5_000)]
    rows = [("a", " ".join(words)), ("b", "x" * 9_000), ("c", "line\n" * 300)]
    section = Section("Part", [Table(("Name", "Value"), rows, (1, 1))])
    whole = BytesIO(pdf.rendered(Document("Title", "Subtitle", NOW, {}, {}, [section], {})))
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(whole).pages)
    assert set(words) <= set(text.split())
    assert (text.count("x"), text.count("line")) == (9_000, 300)


def test_a_table_that_cannot_be_read_is_no_evidence(world: World) -> None:
    write_table("imaging.quarantine", other=[1])
    report = made(PERIOD, NOW)
    assert report.proofs["quarantine_attended"].result is Result.NONE
    text = json.dumps(plain(report.document))
    assert "can't be read" in text
    assert ".." not in text


def test_no_report_is_made_of_a_trail_that_cannot_be_read(world: World) -> None:
    file = world.trail.folder / "trail.sqlite"
    file.write_bytes(file.read_bytes()[:4096] + b"?" * 400_000)
    for log in world.trail.folder.glob("*-wal"):
        log.unlink()
    with pytest.raises(StoreFailed, match="damaged"):
        made(PERIOD, NOW)


def test_html_needs_nothing_from_elsewhere_and_names_no_patient(report: Compliance, tmp_path: Path) -> None:
    write(report.document, tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text()
    assert not re.search(r"(src|href)=\"(?!#)(?!http://www\.w3\.org)|@import|url\(", re.sub(r"url\(#", "", text))
    assert "<script" not in text
    assert "164.312(b)" in text
    assert PSEUDONYM not in text


def test_json_is_the_same_model(report: Compliance, tmp_path: Path) -> None:
    write(report.document, tmp_path / "a.json")
    told: dict[str, Any] = json.loads((tmp_path / "a.json").read_text())
    assert told == json.loads(json.dumps(plain(report.document)))
    assert told["facts"]["score"]["percent"] == report.score.percent
    assert PSEUDONYM not in json.dumps(told)


def test_the_same_stores_give_the_same_bytes(world: World, tmp_path: Path) -> None:
    def one() -> list[bytes]:
        document = made(PERIOD, NOW).document
        short = replace(document, sections=document.sections[:1])
        for name in ("a.html", "a.json"):
            write(short, tmp_path / name)
        return [pdf.rendered(short), *((tmp_path / name).read_bytes() for name in ("a.html", "a.json"))]

    assert one() == one()


def test_made_later_only_the_time_differs(world: World) -> None:
    first, second = (plain(made(PERIOD, NOW + timedelta(minutes=it)).document) for it in (0, 5))
    for told in (first, second):
        del told["made"], told["about"]["Made"]
    assert first == second


def test_evidence_is_written_with_sums_that_any_program_checks(report: Compliance, tmp_path: Path) -> None:
    folder = evidence.write(tmp_path / "a.pdf", report.proofs.values())
    assert evidence.faults(tmp_path / "a.pdf") == []
    (folder / "audit_intact.json").write_text("{}")
    (folder / "audit_kept.json").unlink()
    assert evidence.faults(tmp_path / "a.pdf") == ["audit_intact.json was changed", "audit_kept.json is not there"]


@pytest.mark.parametrize("month", ["2026-13", "november", "2026-1"])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(ConfigurationError, match="is no month"):
        Period.month(month)


def test_a_month_that_has_not_begun_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has not begun yet"):
        made(Period.month("2027-01"), NOW)


def test_a_month_has_its_last_day() -> None:
    assert str(Period.month("2028-02")) == "February 2028"
    assert Period.month("2028-02").last.day == 29


@pytest.mark.usefixtures("home")
def test_checks_have_their_group() -> None:
    proofs = checks.run(Stores(PERIOD, NOW))
    assert {checks.group_of(it) for it in proofs.values()} == set(checks.GROUPS)


def test_no_name_of_a_check_is_broken_over_two_lines(report: Compliance, tmp_path: Path) -> None:
    write(report.document, tmp_path / "a.pdf")
    text = "\n".join(page.extract_text() for page in pypdf.PdfReader(tmp_path / "a.pdf").pages)
    for law in frameworks():
        assert {name for control in law.controls for name in control.checks} <= set(re.findall(r"\w+", text))
