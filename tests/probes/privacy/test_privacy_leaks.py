"""Nothing of the personal data that an audit finds is written down: not in a record, report, log or on the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from audit import demo
from audit.text.personal_data import find
from audit.text.redaction import redact
from tests.airline import NAIVE, tweets
from tests.conftest import write_csv
from tests.helpers import ROOT, Runner

SUITES = ROOT / "suites"


@pytest.mark.slow("audits with four suites", seconds=30)
def test_no_value_that_was_found_is_written_anywhere(
    pytester: pytest.Pytester, tmp_path: Path, write_policy: Callable[..., Path], untrained: Path
) -> None:
    planted = [row for row in demo.reviews("train") if row["planted"]]
    data = pytester.mkdir("data")
    # In both files, so that they stand in every table and example that shows texts.
    for split in ("train", "test"):
        write_csv(data / f"{split}.csv", planted + demo.reviews(split, rows=100))  # type: ignore[arg-type]
    write_policy(
        # Or a minute goes by until it is known how long a megabyte takes.
        model=f'source = "{untrained}"\nmax_length = 32\nmax_characters = 2000',
        data=f'train = "{data}/train.csv"\ntest = "{data}/test.csv"\nsubgroups = ["gender"]',
        security="queries = 10\nperturbed = 50",
        quality="behaviour_cases = 100",
    )
    for name in ("privacy", "quality", "ethics", "security"):
        (pytester.path / f"test_{name}.py").write_text((SUITES / f"test_{name}.py").read_text("utf-8"), "utf-8")
    run = Runner(pytester, tmp_path / "cache")
    result = run("-rA", "-v")
    finding = run.finding("privacy.pii_in_training_data")
    assert finding["estimate"] == pytest.approx(len(planted) / (len(planted) + 100), abs=0.02)
    texts = [str(row["text"]) for row in planted]
    values = {text[one.start : one.end] for text in texts for one in find(text)}
    assert len(values) >= len(planted)
    shown = written(pytester, tmp_path / "cache", result)
    assert {"audit.json", "report.html", "predictions.parquet"} <= {Path(name).name for name in shown}
    assert not [name for name, content in shown.items() if any(value.encode() in content for value in values)]


def written(pytester: pytest.Pytester, cache: Path, result: pytest.RunResult) -> dict[str, bytes]:
    """Everything that an audit wrote, by where it stands."""
    # The data loader's own copy of the files is the data, not what an audit says of them.
    cached = [path for path in cache.rglob("*") if "datasets" not in path.relative_to(cache).parts]
    files = [path for path in (*(pytester.path / "reports").rglob("*"), *cached) if path.is_file()]
    shown = {str(path): path.read_bytes() for path in files}
    return shown | {"stdout": result.stdout.str().encode(), "stderr": result.stderr.str().encode()}


@pytest.mark.slow("reads 14,640 tweets", seconds=6)
def test_nothing_of_the_personal_data_of_real_tweets_is_written(
    pytester: pytest.Pytester, tmp_path: Path, write_policy: Callable[..., Path], real_data: Path
) -> None:
    file = real_data / "airline.csv"
    write_policy(data=f'train = "{file}"\ntest = "{file}"\ntest_share = 0.5\nlabel = "sentiment"')
    (pytester.path / "test_privacy.py").write_text((SUITES / "test_privacy.py").read_text("utf-8"), "utf-8")
    run = Runner(pytester, tmp_path / "cache")
    result = run("-rA", "-v", "-k", "pii")
    # Each training tweet holds a handle, so each counts.
    assert run.finding("privacy.pii_in_training_data")["estimate"] == 1
    texts = tweets(real_data)
    values = {text[one.start : one.end] for text in texts for one in find(text)}
    # Also what only a plain pattern takes for an address or a number.
    values |= {match for text in texts for pattern in NAIVE.values() for match in pattern.findall(text)}
    # As a whole: "@me" stands in the report's "@media".
    any_of_them = re.compile(rb"(?:%s)(?!\w)" % b"|".join(re.escape(value.encode()) for value in sorted(values)))
    shown = written(pytester, tmp_path / "cache", result)
    # What other probes would show of the texts, were they to show all of them.
    shown["redacted"] = "\n".join(map(redact, texts)).encode()
    assert {"audit.json", "report.html"} <= {Path(name).name for name in shown}
    assert not [name for name, content in shown.items() if any_of_them.search(content)]
