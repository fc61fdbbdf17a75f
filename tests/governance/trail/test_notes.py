"""Signed notes, against the vectors of Go's golang.org/x/mod/sumdb/note, where the format comes from."""

import base64

import pytest

from lakeward.governance.trail.errors import NotProven
from lakeward.governance.trail.notes import Checkpoint, Signer, Verifier, head, opened

VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
NOTE = f"{TEXT}\n— PeterNeumann {SIGNED}\n"
PETER = Verifier.parse(VKEY)
ENOCH = Signer("EnochRoot", bytes(32))


def test_the_published_note() -> None:
    signer = Signer("PeterNeumann", SEED)
    assert str(signer.verifier) == VKEY
    assert signer.sign(TEXT) == NOTE
    assert opened(NOTE, PETER) == TEXT


def test_an_unknown_signature_is_ignored_beside_a_known_one() -> None:
    both = NOTE + ENOCH.sign(TEXT).rpartition("\n\n")[2]
    assert opened(both, PETER) == opened(both, ENOCH.verifier) == TEXT


@pytest.mark.parametrize(
    ("note", "why"),
    [
        (NOTE.replace("answer", "Answer"), "is wrong"),
        (NOTE.replace("x08go/Z", "x08go/A"), "is wrong"),
        (NOTE.replace("PeterNeumann", "EnochRoot"), "No known key"),
        (TEXT, "not a signed note"),
        (NOTE.rstrip("\n"), "not a signed note"),
        (NOTE.replace("you", "y\x07u"), "not a signed note"),
        (NOTE + "— \n", "malformed"),
    ],
)
def test_what_is_not_so_signed_is_refused(note: str, why: str) -> None:
    with pytest.raises(NotProven, match=why):
        opened(note, PETER)


@pytest.mark.parametrize("start", range(0, len(VKEY), 3))
def test_part_of_a_key_is_no_key(start: int) -> None:
    for wrong in (VKEY[:start], VKEY[start + 1 :], VKEY[:start] + "!" + VKEY[start + 1 :]):
        with pytest.raises(NotProven):
            Verifier.parse(wrong)


def test_a_checkpoint_is_its_origin_size_and_root() -> None:
    # The example of c2sp.org/tlog-checkpoint.
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = Checkpoint.parse(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert str(checkpoint) == text


@pytest.mark.parametrize("text", ["", "a\n", "a\n01\n", "a\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", TEXT])
def test_another_text_is_no_checkpoint(text: str) -> None:
    with pytest.raises(NotProven):
        Checkpoint.parse(text)


def test_a_head_of_another_log_is_refused() -> None:
    with pytest.raises(NotProven, match="another log"):
        head(ENOCH.sign(str(Checkpoint("elsewhere", 1, bytes(32)))), ENOCH.verifier)
