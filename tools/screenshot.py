"""Makes the pictures of a report in `docs/`: its top for the README, and its parts for `docs/reading-the-report.md`.

    python -m tools.screenshot reports/report.html

`make figures` makes those that the repository shows.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.browser import Tab, browser

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# A row that is shown with what it holds.
OPENED = ".finding:has(> #finding-quality-accuracy)"
# For each picture: where it begins, where it ends, and the height after which it is cut.
PARTS = {
    "verdict": (".top", "section:has(> #problems)", 900),
    "cards": ("section:has(> #challenges)", "section:has(> #challenges)", 720),
    "gates": (".filter", ".challenge", 860),
    "finding": (OPENED, OPENED, 900),
}


def part(tab: Tab, first: str, last: str, highest: int) -> bytes:
    """A picture of the page from one element to the end of another, with a margin around it."""
    area = tab.run(
        f"""(() => {{
            const [a, b] = ["{first}", "{last}"].map(e => document.querySelector(e).getBoundingClientRect());
            const y = a.y + scrollY - 16;
            return {{x: a.x - 16, y, width: a.width + 32, height: Math.min(b.bottom + scrollY + 16 - y, {highest})}};
        }})()"""
    )
    return tab.picture(area)


def write(page: Path) -> None:
    """Make all pictures of a report anew."""
    with browser() as tab:
        tab.open(page, width=1280, height=900)
        pictures = {"report": tab.picture()}
        tab.open(page, width=1280)
        tab.run(f"document.querySelector('{OPENED}').open = true")
        pictures |= {f"report-{name}": part(tab, *where) for name, where in PARTS.items()}
    for name, picture in pictures.items():
        path = DOCS / f"{name}.png"
        path.write_bytes(picture)
        print(f"{path}: {len(picture) // 1000} kB")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "reports" / "report.html"))
