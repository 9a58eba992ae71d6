"""A probe of somebody else's package, one module: from its declaration to record, report, comparison and gate."""

from __future__ import annotations

import html
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from audit import demo
from audit.cli import main
from audit.testing import check_probe, examples, predictions
from tests.conftest import write_csv
from tests.helpers import ROOT, Runner, WritePolicy, english

PACKAGE = ROOT / "tests" / "package"
ID = "shop.prices_misread"
GATES = {"gates.shop": "prices_misread = { max = 0.99 }"}


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its module, from the folder."""
    monkeypatch.syspath_prepend(str(PACKAGE))
    monkeypatch.delitem(sys.modules, "shop_probes", raising=False)
    return importlib.import_module("shop_probes")


def test_it_holds_to_the_contract(package: Any) -> None:
    about = examples([0, 1] * 50, texts=[f"paid a fair price, number {i}" for i in range(100)])
    other = examples([0, 1] * 50)
    check_probe(
        package.prices_misread,
        0.25,
        passes={"predictions": predictions(about.labels, about)},
        fails={"predictions": predictions(1 - about.labels, about)},
        refuses=[{"predictions": predictions(other.labels, other)}],
    )


def _stands_in_record_and_report(record: Mapping[str, Any], page: str) -> None:
    (finding,) = [each for each in record["findings"] if each["id"] == ID]
    assert finding["gate"] == {"max": 0.99}
    assert finding["verdict"] == "pass"
    assert finding["title"] == "Reviews about prices misread"
    assert [piece["kind"] for piece in finding["evidence"]] == ["curves", "pairs"]
    (declared,) = [each for each in record["declarations"] if each["id"] == ID]
    start = page.index('id="finding-shop-prices-misread"')
    shown = html.unescape(page[page.rindex("<details", 0, start) : page.index('<p class="id">', start)])
    for words in (
        "Reviews about prices misread",
        declared["meaning"],
        declared["harm"],
        declared["remedy"],
        "Share misread by words of the review",
        '<svg class="roc"',
        "Misread reviews",
        "A review may speak of a price without any of these words.",
        "at most 99\N{NO-BREAK SPACE}%",
    ):
        assert words in shown, words


def test_its_finding_is_whole_in_record_report_and_comparison(
    run: Runner, write_policy: WritePolicy, package: Any
) -> None:
    write_policy(**GATES, compare=f'objective = "{ID}"')
    run.pytester.makepyfile(test_extensions=(ROOT / "suites" / "test_extensions.py").read_text("utf-8"))
    for out in ("former", "reports"):
        assert run("-p", "shop_probes", "--audit-out", out).ret == 0
    _stands_in_record_and_report(
        english(run.record), (run.pytester.path / "reports" / "report.html").read_text("utf-8")
    )
    assert main(["compare", "former", "reports", "-o", "compared.json"]) == 0
    compared = json.loads((run.pytester.path / "compared.json").read_text("utf-8"))
    assert compared["objective"] == {"id": ID, "better": "lower"}
    (row,) = [row for row in compared["rows"] if row["id"] == ID]
    assert row["comparable"]
    assert row["cells"]["A"]["estimate"] == row["cells"]["B"]["estimate"] is not None


def test_the_readmes_examples_run_as_they_stand(run: Runner, write_policy: WritePolicy) -> None:
    section = re.search(
        r"^## Your own tests\n(.*?)^## ", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert section is not None
    test, ids, probe = re.findall(r"```python\n(.*?)```", section[1], re.DOTALL)
    rows = [{"text": str(row["text"]), "label": str(row["label"])} for row in demo.reviews("test", rows=90)]
    for i, row in enumerate(rows):
        row["text"] = [row["text"], row["text"].upper(), f"{row['text']} I want a refund."][i % 3]
    path = write_csv(run.pytester.path / "test.csv", [dict(row) for row in rows])
    gates = "refunds_missed = { max = 1 }\nshouting = { max = 1 }"
    write_policy(data=f'test = "{path}"', **{"gates.shop": gates})
    suite = (ROOT / "suites" / "test_extensions.py").read_text("utf-8")
    run.pytester.makepyfile(test_refunds=test, test_extensions=suite)
    run.pytester.makeconftest(f"from audit import Identifier\n{ids}\n{probe}")
    assert run().ret == 0
    found = {each["id"]: each for each in run.record["findings"]}
    assert {full_id: each["n"] for full_id, each in found.items()} == {"shop.refunds_missed": 30, "shop.shouting": 30}
    assert {each["verdict"] for each in found.values()} == {"pass"}
    assert found["shop.refunds_missed"]["title"] == "Refund requests missed"


@pytest.mark.slow("installs two packages", seconds=40)
@pytest.mark.xdist_group("repository")
def test_installed_from_its_folder_it_runs_in_the_suites_as_they_ship(
    wheel: Path, tmp_path: Path, write_policy: WritePolicy
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps"]
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    # A copy, since building leaves files beside the source.
    source = shutil.copytree(PACKAGE, tmp_path / "package")
    for what in (wheel, source):
        subprocess.run([*install, str(what)], check=True, env=environment, timeout=300)
    folder = write_policy(**GATES).parent

    def run(*command: str) -> str:
        done = subprocess.run(
            [python, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "[gates.shop]\nprices_misread = { max = 0.25 }" in run("audit", "gate", ID)
    run("pytest", "--pyargs", "audit.suites", "-k", "test_probe or artifact")
    record = english(json.loads((folder / "reports" / "audit.json").read_text("utf-8")))
    assert (record["verdict"], record["complete"]) == ("pass", True)
    _stands_in_record_and_report(record, (folder / "reports" / "report.html").read_text("utf-8"))
