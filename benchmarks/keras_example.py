"""The example of a Keras network, audited in an environment of its own into which the wheel and TensorFlow were put.

    AUDIT_TEST_DATA=… python -m benchmarks.keras_example        # 1.6 GB, removed at the end; minutes of a core
    AUDIT_TEST_DATA=… python -m benchmarks.keras_example -k accuracy

All dependencies but TensorFlow are those of the environment that runs this. What is behind the module's name goes to
pytest.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
TENSORFLOW = "tensorflow-cpu==2.21.0"


def environment(folder: Path) -> Path:
    """The Python of a new environment with the wheel, TensorFlow, and what else is installed here."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(python)]
    subprocess.run([*pip, "install", TENSORFLOW], check=True)
    subprocess.run([*pip, "install", "--no-deps", str(ROOT)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    return python


def main() -> None:
    """Train, audit, and print what came of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = environment(folder / "environment")
        for path in (ROOT / "examples").glob("keras*"):
            shutil.copy(path, folder)
        own = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        started = time.monotonic()
        subprocess.run([str(python), "keras_model.py"], cwd=folder, env=own, check=True, stdout=subprocess.DEVNULL)
        trained = time.monotonic()
        asked = ["-m", "pytest", "--pyargs", "audit.suites", "--audit-policy", "keras.toml", "--audit-cache", "cache"]
        subprocess.run([str(python), *asked, *sys.argv[1:]], cwd=folder, env=own, check=False)
        record = json.loads((folder / "reports" / "audit.json").read_text("utf-8"))
        verdicts = Counter(finding["verdict"] for finding in record["findings"])
        print(
            f"trained in {trained - started:.0f} s, audited in {time.monotonic() - trained:.0f} s: {record['verdict']}"
        )
        print(", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()))


if __name__ == "__main__":
    main()
