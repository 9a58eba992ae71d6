"""Reports, made from ``audit.json`` alone."""

from __future__ import annotations

from pathlib import Path


def write(out: Path) -> Path:
    """Write report.html (placeholder while the template is being made)."""
    (out / "report.html").write_text("<p>soon", "utf-8")
    return out / "report.html"
