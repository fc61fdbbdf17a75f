"""Heads are locked away in object storage, where nobody can take them back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import fsspec
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

in_s3 = pytest.mark.parametrize("object_storage", ["s3"], indirect=True)


@pytest.fixture
def place(object_storage: str) -> str:
    """A folder in object storage; if that is S3, with Object Lock: Azurite has nothing of the kind."""
    if object_storage.startswith("s3"):
        bucket = object_storage.removeprefix("s3://")
        boto3.client("s3").create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    else:
        _files(object_storage).mkdir(object_storage)
    return f"{object_storage}/lakeward"


def _files(place: str) -> Any:
    return fsspec.core.url_to_fs(place, use_listings_cache=False)[0]


@in_s3
def test_a_head_is_locked_for_seven_years(trail: Trail, place: str) -> None:
    file = anchor(trail, place)
    assert file == f"{place}/000000000002.checkpoint"
    s3, bucket = boto3.client("s3"), place.split("/")[2]
    (version,) = s3.list_object_versions(Bucket=bucket)["Versions"]
    head = s3.head_object(Bucket=bucket, Key=version["Key"])
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockRetainUntilDate"] > datetime.now(UTC) + timedelta(days=7 * 365)
    with pytest.raises(ClientError, match="Access Denied"):
        s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


def test_verification_reads_it(trail: Trail, place: str, event: Callable[..., Event]) -> None:
    anchor(trail, place)
    trail.append(event())
    assert verify(trail.store, anchored(place)).findings == []
    longer = Trail(trail.folder.with_name("longer"))
    longer.append(*(event(number) for number in range(5)))
    assert verify(longer.store, anchored(place)).findings[0].fault is Fault.FORK


def test_heads_that_are_gone_are_missed(trail: Trail, place: str) -> None:
    file = anchor(trail, place)
    with trail.view() as view:
        assert missing(view) == []
        _files(place).rm_file(file)
        assert [it.fault for it in missing(view)] == [Fault.DELETION]


@in_s3
def test_a_bucket_that_locks_nothing_is_refused(trail: Trail, object_storage: str) -> None:
    _files(object_storage).mkdir("open")
    with pytest.raises(ConfigurationError, match="Object Lock"):
        anchor(trail, "s3://open/lakeward")
    with trail.view() as view:
        assert places(view) == []


def test_a_head_is_never_overwritten(trail: Trail, place: str) -> None:
    _files(place).pipe_file(f"{place}/000000000002.checkpoint", b"of another log")
    with pytest.raises(ConfigurationError, match="another log's head"):
        anchor(trail, place)
    assert anchored(place) == ["of another log"]


@in_s3
def test_storage_that_does_not_answer_is_no_finding(object_storage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StoreFailed):
        anchored(object_storage)


@pytest.mark.parametrize("place", ["https://example.com/heads", "s3://key:secret@heads/lakeward"])
def test_another_address_is_refused(trail: Trail, place: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        anchor(trail, place)
    assert "secret" not in str(refused.value)
