"""An event's bytes are canonical (RFC 8785), whatever is in it."""

import base64
import json
from typing import Any

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lakeward.governance.trail.entries import parts, sealed
from lakeward.workspace.events import Event

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(TEXTS, TEXTS, st.dictionaries(TEXTS, VALUES, max_size=3))
def test_events_and_disclosures_are_canonical(object_: str, reason: str, details: dict[str, Any]) -> None:
    event = Event(type="imaging.export.started", object=object_, reason=reason, actor=reason, details=details)
    data, payload = sealed(event)
    plain = json.loads(data)
    assert rfc8785.dumps(plain) == data
    assert (plain["object"], plain["actor"], len(plain["_sd"])) == (object_, reason, len(details) + bool(reason))
    for part in parts(payload):
        disclosed = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
        assert rfc8785.dumps(json.loads(disclosed, parse_int=float)) == disclosed  # a float may look like an int
