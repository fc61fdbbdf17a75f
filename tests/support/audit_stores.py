"""The stores that a trail can be kept in, for tests that hold in each of them."""

import pytest

everywhere = pytest.mark.parametrize("audit_store", ["sqlite", "postgresql", "cosmos"], indirect=True)
"""Run a test with each of the stores; it takes the fixture `audit_store`, by `trail` or itself."""
