"""Proof that nothing leaks: texts planted everywhere and looked for, an answer key, references, tables searched."""
