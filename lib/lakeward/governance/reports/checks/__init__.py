"""Checks: each looks at the stores, and says what it saw."""
