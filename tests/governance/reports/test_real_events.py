"""The checks over what the other parts really record: approvals and promotions, backups, the daily audit."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from approving import NAME, Clock, Models, login
from lakeward.governance.approvals.approvals import Approvals
from lakeward.governance.approvals.policy import Risk
from lakeward.governance.approvals.requests import Request
from lakeward.governance.reports.checks.all import run
from lakeward.governance.reports.checks.check import Result
from lakeward.governance.reports.stores import Period, Stores
from lakeward.governance.trail.sink import write
from lakeward.training.registry import Registry
from lakeward.workspace.events import use_sink


@pytest.fixture(autouse=True)
def _in_the_trail() -> Iterator[None]:
    before = use_sink(write)
    yield
    use_sink(before)


def _results(now: datetime | None = None) -> dict[str, Result]:
    today = datetime.now(UTC)
    days = Period(today.date() - timedelta(days=1), today.date())
    return {name: proof.result for name, proof in run(Stores(days, now or today)).items()}


def test_a_promotion_after_an_approval_is_met_and_a_change_in_mlflow_is_not(
    approvals: Approvals, in_review: Callable[..., Request], models: Models
) -> None:
    registry = Registry(approvals)
    version = approvals.approve(login("bob"), NAME, in_review(Risk.LOW).version).version
    registry.promote(login("eve"), NAME, version)
    results = _results()
    about = ("promotions_approved", "approvers_others", "acts_by_right", "signatures_valid", "signatures_by_login")
    assert {name: results[name] for name in about} == dict.fromkeys(about, Result.MET)
    assert results["registry_untouched"] is results["emergencies_reviewed"] is Result.MET
    other = in_review(Risk.LOW).version
    models.client.set_registered_model_alias(NAME, "champion", other)
    assert registry.drift()
    assert _results()["registry_untouched"] is Result.NOT_MET


def test_an_emergency_counts_as_permission_until_its_review_is_late(
    approvals: Approvals, models: Models, clock: Clock
) -> None:
    both = [login("eve"), login("bob")]
    Registry(approvals).emergency(both, NAME, models.add(), Risk.LOW, "The former one fails on new scanners")
    begun = datetime.fromtimestamp(clock.seconds, UTC)
    for days, review in ((1, Result.MET), (10, Result.NOT_MET)):
        results = _results(begun + timedelta(days=days))
        assert (results["promotions_approved"], results["emergencies_reviewed"]) == (Result.MET, review)
