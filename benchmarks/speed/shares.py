"""Which share of an audit each measure takes: processor seconds of the suites' tests, within one audit.

    AUDIT_TEST_DATA=… python -m benchmarks.speed.shares examples/sst2-minilm.toml --cache EMPTY_FOLDER

Other options go to pytest. A test that uses what another one made (predictions, embeddings, a training) pays
nothing for it, so the shares are those of the suites' order.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from benchmarks import ROOT

# The measures for what nobody named.
UNNAMED = (
    "test_hidden_group", "test_weak_slice", "test_shortcut", "test_stability", "test_label_noise", "test_drift",
    "test_representation", "test_data_hygiene",
)  # fmt: skip


class Clock:
    """Seconds of this process, and by the clock, that each test takes with its fixtures."""

    def __init__(self) -> None:
        self.seconds: dict[str, tuple[float, float]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Take the time of a test."""
        began = time.process_time(), time.perf_counter()
        done = yield
        self.seconds[item.name] = time.process_time() - began[0], time.perf_counter() - began[1]
        return done


def main() -> None:
    """Audit by a policy and print a row for each test that took over a hundredth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("policy", type=Path)
    parser.add_argument("--cache", type=Path, required=True, help="a folder of its own; empty for a first audit")
    asked, rest = parser.parse_known_args()
    clock = Clock()
    with tempfile.TemporaryDirectory() as out:
        options = [f"--audit-policy={asked.policy}", f"--audit-cache={asked.cache}", f"--audit-out={out}"]
        status = pytest.main([str(ROOT / "suites"), *options, "-p", "no:cacheprovider", *rest], plugins=[clock])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        sys.exit(status)
    of_processor, by_clock = (sum(each[i] for each in clock.seconds.values()) for i in (0, 1))
    print(f"\n{of_processor:,.0f} s of the processor, {by_clock:,.0f} s by the clock\n")
    print("| test | processor, s | share |\n| --- | ---: | ---: |")
    for name, (own, _) in sorted(clock.seconds.items(), key=lambda each: -each[1][0]):
        if own >= of_processor / 100:
            print(f"| {name} | {own:.1f} | {own / of_processor:.1%} |")
    unnamed = sum(own for name, (own, _) in clock.seconds.items() if name.startswith(UNNAMED))
    print(f"| all for what nobody named | {unnamed:.1f} | {unnamed / of_processor:.1%} |")


if __name__ == "__main__":
    main()
