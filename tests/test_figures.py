"""What README quotes of an audit is of a record, and adds up; the tool writes it and nothing else."""

from __future__ import annotations

import re

import numpy as np
from scipy.stats import beta

from audit.policy import policy as policies
from tests.helpers import ROOT
from tools import figures

TEXT = figures.README.read_text("utf-8")
BLOCK = TEXT.partition(figures.BEGIN)[2].partition(figures.END)[0]
# Verdict and title of each finding, up to its id.
ITEMS = re.findall(r"^    ([A-Z][A-Z ]+?)  +(.*?)\n {18}([a-z]+\.\S+?):?(?=\s)", BLOCK, re.DOTALL | re.MULTILINE)
TEST_SENTENCES = 1821  # of SST-2


def numbers(line: str) -> list[float]:
    """The figures of a line."""
    return [float(each.replace(",", "")) for each in re.findall(r"\d[\d,]*\.?\d*", line)]


def test_each_line_that_readme_quotes_bears_its_gate_of_the_example() -> None:
    policy = policies.read(ROOT / "examples" / "sst2-minilm.toml")
    for full_id in figures.QUOTED:
        ((verdict, title),) = [(verdict, title) for verdict, title, name in ITEMS if name == full_id]
        gate = policy.gate(full_id)
        assert gate is not None
        bound = numbers(title)[-1]
        assert any(abs(bound - scale * gate.bound) < 1e-9 for scale in (1, 100)), title
        assert verdict in ("PASS", "NOT EXCEEDED"), title


def test_readmes_accuracy_has_the_interval_of_so_many_right_answers() -> None:
    (line,) = [title for _, title, name in ITEMS if name == "quality.accuracy"]
    share, low, high = (each / 100 for each in numbers(line)[:3])
    right = np.arange(TEST_SENTENCES + 1)
    ends = beta.ppf(0.025, right, TEST_SENTENCES - right + 1), beta.ppf(0.975, right + 1, TEST_SENTENCES - right)
    as_quoted = [
        np.isclose(each.round(3), quoted)
        for each, quoted in zip((right / TEST_SENTENCES, *ends), (share, low, high), strict=True)
    ]
    assert np.logical_and.reduce(as_quoted).sum() == 1  # it tells even how many were right
    # Held against a gate within that interval it is open, and told by the same figures.
    (undecided,) = [each for each in BLOCK.splitlines() if each.strip().startswith("quality.accuracy ")]
    assert [each / 100 for each in numbers(undecided)[:3]] == [share, low, high]
    assert low < numbers(undecided)[3] / 100 < high
    assert "inconclusive; about" in undecided
