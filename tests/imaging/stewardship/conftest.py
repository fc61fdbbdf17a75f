"""Three patients in one lakehouse, and what befalls them; a step is taken when a test first asks for it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from lakeward.governance.trail.keeping import end_hold, hold
from lakeward.governance.trail.sink import trail_here
from lakeward.imaging.deidentification.crosswalk import Crosswalk
from lakeward.imaging.pipeline.ingest import Report, ingest
from lakeward.imaging.pipeline.recipe import Recipe
from lakeward.imaging.pipeline.runs import intake, prepared_session, quarantine_folder
from lakeward.imaging.stewardship import withdrawal
from lakeward.imaging.stewardship.belongings import Names, copies, names
from lakeward.imaging.stewardship.crosswalk import reseal
from lakeward.imaging.stewardship.review import Judged, Sample, Verdict, draw, judge
from lakeward.imaging.stewardship.rotation import NotRetirable, Retired, retire
from lakeward.imaging.stewardship.sheets import write_sheets
from lakeward.imaging.stewardship.traces import Traces, search
from lakeward.imaging.tables import FILES, IMAGES, PIXELS, QUARANTINE
from lakeward.workspace.errors import Busy
from lakeward.workspace.lakehouse import query
from lakeward.workspace.leases import Lease
from lakeward.workspace.settings import settings

REASON = "The patient has withdrawn consent"


def _killed(*arguments: object) -> None:
    raise KeyboardInterrupt


class Case:
    """Each step comes after those before it."""

    def __init__(self, source: Path, recipe: Recipe, build: Callable[..., bytes]) -> None:
        self.source = source
        self.crosswalks = [Crosswalk(bytes(range(n, n + 32))) for n in (32, 64)]
        self.crosswalk = self.crosswalks[1]
        self.old = replace(recipe, crosswalk=self.crosswalks[0])
        self.recipe = replace(recipe, key=bytes(32), crosswalk=self.crosswalk)
        self.build = build
        self.before, self.patients = (
            [made.pseudonyms.patient(f"id:QXZJWK-{n}") for n in range(3)] for made in (self.old, self.recipe)
        )

    @cached_property
    def first(self) -> Report:
        """Two images of each; of patient 1 also an ultrasound and a file that was cut, which are set aside."""
        self.source.mkdir()
        for n in range(6):
            study = generate_uid(entropy_srcs=["study", str(n % 3)])
            (self.source / f"{n}.dcm").write_bytes(self.build(n, StudyInstanceUID=study))
        (self.source / "ultrasound").write_bytes(self.build(7, modality="US"))
        (self.source / "cut").write_bytes(self.build(10)[:-100])
        (self.source / "notes").write_text("no DICOM")
        return ingest(self.source, self.old)

    @cached_property
    def too_early(self) -> str:
        """The old key can't be retired before all is there under another; what the error says."""
        assert self.first
        with pytest.raises(NotRetirable) as refused:
            retire(self.old.pseudonyms.key_id, REASON)
        return str(refused.value)

    @cached_property
    def resealed(self) -> int:
        """The crosswalk's key is changed."""
        assert self.too_early
        return reseal(*self.crosswalks, "The yearly change of keys")

    @cached_property
    def reprocessed(self) -> Report:
        """The key behind the pseudonyms is changed."""
        assert self.resealed
        return ingest(self.source, self.recipe, reprocess=True)

    @cached_property
    def under_both(self) -> Names:
        """Patient 1 is looked for, who is there under both keys now."""
        assert self.reprocessed
        held = copies([self.recipe.pseudonyms, self.old.pseudonyms])
        return names(prepared_session(), {self.patients[1]: ""}, held)

    @cached_property
    def retired(self) -> Retired:
        """The old key is given up."""
        assert self.under_both
        return retire(self.old.pseudonyms.key_id, "The old key was lent to a project that has ended")

    @cached_property
    def names(self) -> set[str]:
        """What the objects of patient 1 are called."""
        assert self.retired
        wanted = "patient_id, source_hmac, pixels_id, content_sha256, sop_instance_uid, study_instance_uid"
        rows = query(f"SELECT {wanted} FROM {IMAGES.name} WHERE patient_id = '{self.patients[1]}'", IMAGES)
        return {value for row in rows.to_pylist() for value in row.values()}

    @cached_property
    def traces_before(self) -> Traces:
        """Where these names are."""
        return search(settings().home, self.names | {self.before[1]}, without=self.source)

    def withdraw_with(self, step: str, other: Callable[..., None], error: type[BaseException]) -> None:
        """Begin to withdraw patient 1, with something else in the place of a step."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(withdrawal, step, other)
            with pytest.raises(error):
                withdrawal.withdraw(REASON, self.recipe.pseudonyms, [self.patients[1]])

    @cached_property
    def overtaken(self) -> int:
        """Patient 1 is withdrawn, but before a row is removed another machine takes over; rows that are there then."""
        assert self.traces_before
        self.withdraw_with("_remember", lambda *_: Lease(intake() / "ingest.lease").renew(), Busy)
        rows = query(f"SELECT count(*) AS n FROM {IMAGES.name} WHERE patient_id = '{self.patients[1]}'", IMAGES)
        return int(rows["n"][0].as_py())

    @cached_property
    def interrupted(self) -> list[str]:
        """Patient 1 is withdrawn, but killed with the rows gone and the files not; what is left then.

        Another withdrawal was killed when the last row under the old key had gone.
        """
        assert self.overtaken
        withdrawal._keep_plan(Names(patients={self.before[1]: self.old.pseudonyms.key_id}))
        self.withdraw_with("quarantine_folder", _killed, KeyboardInterrupt)
        self.withdraw_with("purge", _killed, KeyboardInterrupt)
        return sorted(search(settings().home, self.names, without=settings().home / "intake" / "withdrawals").found)

    @cached_property
    def withdrawn(self) -> withdrawal.Withdrawal:
        """Patient 1 is withdrawn again, and when all is gone, but for the plan, killed once more."""
        assert self.interrupted
        self.withdraw_with("_search", _killed, KeyboardInterrupt)
        return withdrawal.withdraw(REASON, self.recipe.pseudonyms, [self.patients[1]])

    @cached_property
    def again(self) -> Report:
        """The same folder comes again; and what the lakehouse holds then."""
        assert self.withdrawn
        report = ingest(self.source, self.recipe)
        self.kept = [path.name for path in quarantine_folder().iterdir()]
        self.counts = {
            table.name: query(f"SELECT count(*) AS n FROM {table.name}", table)["n"][0].as_py()
            for table in (IMAGES, PIXELS, QUARANTINE, FILES)
        }
        return report

    @cached_property
    def drawn(self) -> Sample:
        """Half of the images that are left are drawn for review."""
        assert self.again
        return draw(2, seed=1)

    @cached_property
    def sheets(self) -> list[Path]:
        """Their pictures."""
        assert self.drawn
        return write_sheets(self.source.parent / "sheets", 10)

    @cached_property
    def judged(self) -> Judged:
        """One is clean, in the other something was seen."""
        clean, telling = (path.stem for path in self.sheets)
        judge([clean], Verdict.CLEAN)
        return judge([telling], Verdict.TEXT)


@pytest.fixture
def held() -> Callable[..., AbstractContextManager[None]]:
    """A legal hold on everything, or on a patient: `with held(pseudonym):`."""

    @contextmanager
    def held(patient: str = "") -> Iterator[None]:
        hold(trail_here(), "case-4711", "Litigation", patient)
        yield
        end_hold(trail_here(), "case-4711", "Settled")

    return held


@pytest.fixture(scope="session")
def _case(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe, build: Callable[..., bytes]) -> Case:
    return Case(tmp_path_factory.mktemp("stewardship") / "source", recipe, build)


@pytest.fixture
def case(_case: Case, _one_session: object, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """The steps, in the lakehouse that they share."""
    monkeypatch.setenv("LAKEWARD_HOME", str(_case.source.parent / "lakehouse"))
    monkeypatch.setenv("LAKEWARD_DEID_KEY", _case.recipe.key.hex())
    monkeypatch.setenv(f"LAKEWARD_DEID_KEY_{_case.old.pseudonyms.key_id.upper()}", _case.old.key.hex())
    monkeypatch.setenv("LAKEWARD_CROSSWALK_KEY", _case.crosswalk.key.hex())
    settings.cache_clear()
    yield _case
    settings.cache_clear()
