"""Makes `docs/report.png`, the picture in the README: the top of a report as headless Chromium shows it.

pytest suites/ && python -m benchmarks.screenshot reports/report.html
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "report.png"
QUIET = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update"
)


def shoot(page: Path, picture: Path, width: int = 1280, height: int = 1500) -> None:
    """Write what a window of this size shows of a local page."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no Chromium on the PATH; on Debian: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *QUIET.split(), f"--user-data-dir={profile}", "--hide-scrollbars"]
        command += [f"--window-size={width},{height}", f"--screenshot={picture}", page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    shoot(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "reports" / "report.html"), PICTURE)
    print(PICTURE)
