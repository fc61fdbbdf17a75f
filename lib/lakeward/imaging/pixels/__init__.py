"""Frames: decoded, enhanced, searched for text, blacked out."""
