"""Backups of a lakehouse: encrypted, incremental, consistent with each other, and verified."""
