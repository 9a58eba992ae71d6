"""Nothing of the personal data that an audit finds is written down: not in a record, report, log or on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from audit import demo
from audit.personal_data import find
from tests.conftest import write_csv
from tests.test_plugin import Runner

SUITES = Path(__file__).parents[2] / "suites"


@pytest.mark.slow
def test_no_value_that_was_found_is_written_anywhere(
    pytester: pytest.Pytester, cache: Path, write_policy: Callable[..., Path], reviews: Path
) -> None:
    planted = [row for row in demo.reviews("train") if row["planted"]]
    data = pytester.mkdir("data")
    # In both files, so that they stand in every table and example that shows texts.
    for split in ("train", "test"):
        write_csv(data / f"{split}.csv", planted + demo.reviews(split, rows=100))  # type: ignore[arg-type]
    write_policy(data=f'train = "{data}/train.csv"\ntest = "{data}/test.csv"\nsubgroups = ["gender"]')
    for name in ("privacy", "quality", "ethics", "security"):
        (pytester.path / f"test_{name}.py").write_text((SUITES / f"test_{name}.py").read_text("utf-8"), "utf-8")
    run = Runner(pytester, cache)
    result = run("-rA", "-v")
    finding = run.finding("privacy.pii_in_training_data")
    assert finding["estimate"] == pytest.approx(len(planted) / (len(planted) + 100), abs=0.02)
    texts = [str(row["text"]) for row in planted]
    values = {text[one.start : one.end] for text in texts for one in find(text)}
    assert len(values) >= len(planted)
    # The data loader's own copy of the files is the data, not what an audit says of them.
    cached = [path for path in cache.rglob("*") if "datasets" not in path.relative_to(cache).parts]
    written = [path for path in (*(pytester.path / "reports").rglob("*"), *cached) if path.is_file()]
    assert {"audit.json", "report.html", "predictions.parquet"} <= {path.name for path in written}
    shown = {path.name: path.read_bytes() for path in written}
    shown |= {"stdout": result.stdout.str().encode(), "stderr": result.stderr.str().encode()}
    assert not [name for name, content in shown.items() if any(value.encode() in content for value in values)]
