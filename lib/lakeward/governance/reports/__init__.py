"""Compliance reports: controls, the checks that prove them, their evidence, and documents for a model version."""
