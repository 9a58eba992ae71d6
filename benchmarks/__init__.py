"""What is measured: each module of a folder is a command, but for `table` and `timed`; `shapes` is what they share."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
