"""Governance: the audit trail, and what rests on it."""
