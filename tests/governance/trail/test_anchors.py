"""Heads are locked away in object storage, where nobody can take them back."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import s3fs
from botocore.exceptions import ClientError

from lakeward.governance.trail.anchors import anchor, anchored, missing, places
from lakeward.governance.trail.errors import StoreFailed
from lakeward.governance.trail.findings import Fault
from lakeward.governance.trail.trail import Trail
from lakeward.governance.trail.verify import verify
from lakeward.workspace.errors import ConfigurationError
from lakeward.workspace.events import Event
from object_storage import s3_here

PLACE = "s3://heads/lakeward"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """S3 on this machine, with a bucket that has Object Lock and one that has not."""
    with s3_here(monkeypatch):
        client = boto3.client("s3")
        client.create_bucket(Bucket="heads", ObjectLockEnabledForBucket=True)
        client.create_bucket(Bucket="open")
        yield client


def test_a_head_is_locked_for_seven_years(trail: Trail, s3: Any) -> None:
    file = anchor(trail, PLACE)
    assert file == f"{PLACE}/000000000002.checkpoint"
    (version,) = s3.list_object_versions(Bucket="heads")["Versions"]
    head = s3.head_object(Bucket="heads", Key=version["Key"])
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockRetainUntilDate"] > datetime.now(UTC) + timedelta(days=7 * 365)
    with pytest.raises(ClientError, match="Access Denied"):
        s3.delete_object(Bucket="heads", Key=version["Key"], VersionId=version["VersionId"])


def test_verification_reads_it(trail: Trail, s3: Any, event: Callable[..., Event]) -> None:
    anchor(trail, PLACE)
    trail.append(event())
    assert verify(trail.store, anchored(PLACE)).findings == []
    longer = Trail(trail.folder.with_name("longer"))
    longer.append(*(event(number) for number in range(5)))
    assert verify(longer.store, anchored(PLACE)).findings[0].fault is Fault.FORK


def test_heads_that_are_gone_are_missed(trail: Trail, s3: Any) -> None:
    anchor(trail, PLACE)
    with trail.view() as view:
        assert missing(view) == []
        s3.delete_object(Bucket="heads", Key="lakeward/000000000002.checkpoint")
        assert [it.fault for it in missing(view)] == [Fault.DELETION]


def test_a_bucket_that_locks_nothing_is_refused(trail: Trail, s3: Any) -> None:
    with pytest.raises(ConfigurationError, match="Object Lock"):
        anchor(trail, "s3://open/lakeward")
    with trail.view() as view:
        assert places(view) == []


def test_a_head_is_never_overwritten(trail: Trail, s3: Any) -> None:
    s3.put_object(Bucket="heads", Key="lakeward/000000000002.checkpoint", Body=b"of another log")
    with pytest.raises(ConfigurationError, match="another log's head"):
        anchor(trail, PLACE)
    assert anchored(PLACE) == ["of another log"]


def test_storage_that_does_not_answer_is_no_finding(monkeypatch: pytest.MonkeyPatch, s3: Any) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StoreFailed):
        anchored(PLACE)


@pytest.mark.parametrize("place", ["https://example.com/heads", "s3://key:secret@heads/lakeward"])
def test_another_address_is_refused(trail: Trail, place: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        anchor(trail, place)
    assert "secret" not in str(refused.value)
