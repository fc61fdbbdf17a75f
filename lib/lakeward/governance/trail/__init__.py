"""The audit trail: a transparency log, which anybody's program can verify."""
