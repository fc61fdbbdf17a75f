"""Run the command as ``python -m lakeward``."""

from lakeward.cli import main

main()
