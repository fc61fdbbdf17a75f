"""Lakeward: a notebook-first analytics workspace for regulated medical-imaging AI."""

__version__ = "0.1.0"
