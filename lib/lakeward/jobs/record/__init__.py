"""The record of runs: what was run, with what, in which state it is and how it ended. Nothing else is believed."""
