"""What a notebook pays for a probe: no deep-learning library, and no pytest."""

from __future__ import annotations

import subprocess
import sys


def test_all_probes_together_import_neither_torch_nor_pytest() -> None:
    code = """
import importlib, pkgutil, sys
from audit import probes

for module in pkgutil.walk_packages(probes.__path__, "audit.probes."):
    importlib.import_module(module.name)
print(sorted({"torch", "transformers", "datasets", "pytest"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
