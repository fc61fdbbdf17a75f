"""What is kept of a run beside its record: where it came from, its pages, its summary; and how two runs differ."""
