"""What pytest does with an audit: fixtures, marks, verdicts as outcomes, exit statuses, hooks, the summary."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from statsmodels.stats.proportion import proportion_confint

from audit.cli import main
from tests.conftest import CLASSES, write_csv
from tests.helpers import ARTIFACT, MADE, ROOT, Runner, WritePolicy, english, flowed, recorded

QUALITY = """
    import pytest
    from audit.probes.quality import quality

    pytestmark = pytest.mark.challenge("quality")

    @pytest.mark.measures("quality.accuracy")
    def test_accuracy(audit, predictions):
        audit.check(quality.accuracy(predictions))
"""


# ---- verdicts become outcomes


@pytest.mark.parametrize(
    ("gate", "verdict", "exit_status", "audit"),
    [
        ("min = 0.05", "pass", 0, "pass"),
        ("min = 0.95", "fail", 1, "fail"),
        (None, "reported", 0, "incomplete"),  # without a gate nothing is decided
    ],
)
def test_a_gate_decides(
    run: Runner, write_policy: WritePolicy, gate: str | None, verdict: str, exit_status: int, audit: str
) -> None:
    write_policy(**({"gates.quality": f"accuracy = {{ {gate} }}"} if gate else {}))
    run.pytester.makepyfile(QUALITY, test_security=ARTIFACT)
    result = run()
    assert result.ret == exit_status
    assert run.finding("quality.accuracy")["verdict"] == verdict
    assert run.record["verdict"] == audit


@pytest.mark.parametrize(("setting", "exit_status"), [("fail", 1), ("warn", 0)])
def test_inconclusive_fails_or_warns_as_the_policy_says(
    run: Runner, write_policy: WritePolicy, setting: str, exit_status: int
) -> None:
    write_policy(**{"gates.quality": "accuracy = { min = 0.5 }", "audit": f'inconclusive = "{setting}"'})
    run.pytester.makepyfile(
        MADE
        + """
    @pytest.mark.measures("quality.accuracy")
    def test_accuracy(audit):
        audit.check(measured("quality.accuracy", 0.52, 0.48, 0.56))
    """
    )
    result = run()
    assert result.ret == exit_status
    assert run.finding("quality.accuracy")["verdict"] == "inconclusive"
    assert "more test examples would settle it" in run.finding("quality.accuracy")["reason"]
    result.stdout.fnmatch_lines(["*quality.accuracy 52 % [[]48, 56[]], gate ≥ 50 % (min = 0.5): inconclusive; about*"])
    result.stdout.fnmatch_lines(["INCONCLUSIVE  Accuracy: 52 % [[]48, 56[]], needs at least 50 %", "Next:"])
    if setting == "fail":
        result.stdout.fnmatch_lines(["INCONCLUSIVE *::test_accuracy*"])
        result.stdout.no_fnmatch_line("FAILED *")
        result.assert_outcomes(failed=1)


def test_what_runs_once_for_each_of_nothing_is_not_collected(run: Runner, write_policy: WritePolicy) -> None:
    write_policy()
    run.pytester.makepyfile(
        QUALITY,
        test_more="""
        def test_own_metric(audit, own_metric):
            assert False

        def test_probe(audit, probe):
            assert False
        """,
    )
    result = run()
    result.stdout.fnmatch_lines(["collected 1 item"])
    result.assert_outcomes(passed=1)


@pytest.mark.slow("audits", seconds=1)
def test_no_line_of_the_terminal_is_longer_than_80_characters(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**{"gates.quality": 'accuracy = { min = 0.95, reason = "' + "as it was agreed upon " * 20 + '" }'})
    run.pytester.makepyfile(QUALITY)
    outlines = run().outlines
    first, last = (
        next(i for i, line in enumerate(outlines) if told in line) for told in ("= model audit =", "report: ")
    )
    own = outlines[first : last + 1]
    assert max(map(len, own)) <= 80
    assert any(line.startswith("FAIL          Accuracy: ") for line in own)
    assert own.index("Next:") > next(i for i, line in enumerate(own) if line.startswith("Blocked: "))


def test_a_probe_that_breaks_is_an_error_and_never_a_pass(run: Runner, write_policy: WritePolicy) -> None:
    write_policy()
    run.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.measures("quality.accuracy")
        def test_accuracy(audit):
            raise ZeroDivisionError("no rows")

        @pytest.fixture
        def broken():
            raise OSError("disk")

        @pytest.mark.measures("quality.macro_f1")
        def test_macro_f1(audit, broken):
            pass

        @pytest.mark.measures("security.artifact")
        def test_silent(audit):
            pass
        """
    )
    assert run().ret == 1
    assert run.record["verdict"] == "fail"
    assert run.finding("quality.accuracy")["verdict"] == "error"
    assert "ZeroDivisionError: no rows" in run.finding("quality.accuracy")["reason"]
    assert run.finding("quality.macro_f1")["verdict"] == "error"
    assert run.finding("security.artifact")["reason"] == "the test ended without measuring it"


@pytest.mark.parametrize(("evidence", "shown"), [("redacted", True), ("none", False)])
def test_texts_from_the_data_are_shown_or_left_out(
    run: Runner, write_policy: WritePolicy, evidence: str, shown: bool
) -> None:
    write_policy(report=f'evidence = "{evidence}"')
    run.pytester.makepyfile(
        MADE
        + """
    from dataclasses import replace
    from audit import Pair, Pairs, Sentence, Table
    from audit.probes.privacy import privacy
    from audit.text.redaction import redact, redact_pair

    PERSON = "Zebulon Quixby of Hollow Lane likes it"

    @pytest.mark.measures("quality.accuracy")
    def test_accuracy(audit):
        pair = redact_pair(PERSON, PERSON.upper()) or ("", "")
        summary = Sentence("Such as {text}.", text=redact(PERSON))
        evidence = (Table("Texts", ["text"], [[redact(PERSON)]]), Pairs("Wrong", [Pair(PERSON, "x", pair[1])]))
        audit.check(replace(measured("quality.accuracy", 0.8, 0.7, 0.9), summary=summary, evidence=evidence))

    @pytest.mark.measures("privacy.pii_in_training_data")
    def test_personal_data(audit, train_data):
        texts = ("write to quixby.zebulon@example.org",) * len(train_data)
        audit.check(privacy.pii_in_training_data(replace(train_data, texts=texts)))

    @pytest.mark.measures("quality.macro_f1")
    def test_macro_f1(audit):
        raise ValueError(PERSON)
    """
    )
    run()
    files = [path for path in (run.pytester.path / "reports").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"audit.json", "report.html", "summary.md", "badge.svg"}
    held = {path.name for path in files if re.search(rb"(?i)quixby|zebulon|hollow", path.read_bytes())}
    assert held == ({"audit.json", "report.html", "summary.md", "findings.csv"} if shown else set())
    tables = [each for each in run.finding("privacy.pii_in_training_data")["evidence"] if each["kind"] == "table"]
    assert ({row[2] for row in tables[1]["rows"]} == {"[left out]"}) is not shown
    accuracy = run.finding("quality.accuracy")
    assert ("pairs" in [each["kind"] for each in accuracy["evidence"]]) is shown
    assert run.finding("quality.macro_f1")["verdict"] == "error"
    assert accuracy["summary"] == "Such as [left out]." or shown


AUTHOR = "I am Zebulon Quixby of Hollow Lane, call +49 30 90182077 or write to z.quixby@example.org about the red lamp"
BREAKING = """
    import logging
    import warnings

    import pytest

    @pytest.fixture
    def broken(test_data):
        raise LookupError(test_data.texts[0])

    @pytest.mark.measures("quality.accuracy")
    def test_accuracy(audit, train_data, test_data):
        words = test_data.texts[0].split()
        print(train_data, words)
        print(test_data.texts[0])
        logging.warning("odd: %s", test_data.texts[0])
        warnings.warn(f"odd: {train_data.texts[0]}")
        def probe(texts, first):
            try:
                return {}[first]
            except KeyError as error:
                raise ValueError(f"cannot read {texts!r}"[:90]) from error
        probe(train_data.texts, test_data.texts[0])

    @pytest.mark.measures("quality.macro_f1")
    def test_macro_f1(audit, broken):
        pass

    @pytest.mark.measures("quality.mcc")
    def test_mcc(audit, test_data):
        assert test_data.texts[0].upper() == "x"

    @pytest.mark.measures("quality.roc_auc")
    @pytest.mark.xfail
    def test_roc_auc(audit, test_data):
        {}[test_data.texts[0][:20]]

    @pytest.mark.measures("quality.balanced_accuracy")
    def test_balanced_accuracy(audit, test_data):
        pytest.fail(f"rows: {len(test_data)}, first: {test_data.texts[0]}")

    @pytest.mark.measures("quality.calibration_error")
    def test_calibration_error(audit, test_data):
        pytest.fail(f"first: {test_data.texts[0]}", pytrace=False)

    class Unreadable(Exception):
        def __str__(self):
            return self.args[0]

    @pytest.mark.measures("quality.baseline_gain")
    def test_baseline_gain(audit):
        raise Unreadable
"""


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--showlocals", "-vvv", "--tb=long"),
        ("--tb=native", "-rA"),
        ("--full-trace", "-l", "--xfail-tb", "-rx"),
        pytest.param(
            ("-n", "2", "-l"), marks=[pytest.mark.slow("audits in two processes", seconds=4), pytest.mark.forks]
        ),
    ],
    ids=" ".join,
)
def test_a_probe_that_breaks_prints_frames_and_nothing_of_the_data(
    run: Runner, write_policy: WritePolicy, options: tuple[str, ...]
) -> None:
    for name in ("train", "test"):
        rows = "".join(f'"{AUTHOR}, {name}ed {i} times",{label}\n' for i, label in enumerate(CLASSES))
        (run.pytester.path / f"{name}.csv").write_text(f"text,label\n{rows}", "utf-8")
    write_policy(data='train = "train.csv"\ntest = "test.csv"')
    run.pytester.makepyfile(BREAKING)
    result = run("--junitxml", "junit.xml", "-o", "junit_logging=all", *options)
    assert result.ret == 1
    assert run.finding("quality.accuracy")["verdict"] == "error"
    assert run.finding("quality.baseline_gain")["reason"] == "the probe broke: Unreadable"
    printed = result.stdout.str() + result.stderr.str()
    files = [run.pytester.path / "junit.xml", *(run.pytester.path / "reports").iterdir()]
    assert len(files) > 3
    for shown in (printed, *(path.read_text("utf-8") for path in files)):
        assert not re.search("(?i)quixby|zebulon|hollow|90182077|red lamp", shown)
    # What broke, and where, is there.
    assert re.search(r"in (test_accuracy|probe)\b", printed)
    assert "ValueError: [left out]" in printed
    assert len(re.findall(r"\[left out\]", printed)) > 5


def test_an_interrupted_audit_shows_frames_and_nothing_of_the_data(run: Runner, write_policy: WritePolicy) -> None:
    rows = "".join(f'"{AUTHOR}, {i} times",{label}\n' for i, label in enumerate(CLASSES))
    (run.pytester.path / "rows.csv").write_text(f"text,label\n{rows}", "utf-8")
    write_policy(data='test = "rows.csv"')
    run.pytester.makepyfile(
        """
        import pytest

        def probe(texts):
            raise KeyboardInterrupt

        @pytest.mark.measures("quality.accuracy")
        def test_accuracy(audit, test_data):
            probe(test_data.texts)
        """
    )
    result = run.pytester.runpytest_inprocess(*run.options, "--full-trace", "-l", no_reraise_ctrlc=True)
    assert result.ret == 2
    result.stdout.fnmatch_lines(["*: in probe", "E*KeyboardInterrupt"])
    assert not re.search("(?i)quixby|zebulon", result.stdout.str() + result.stderr.str())


def test_the_message_of_a_probe_that_breaks_stays_where_it_quotes_nothing(
    run: Runner, write_policy: WritePolicy
) -> None:
    write_policy()
    run.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.measures("quality.accuracy")
        def test_accuracy(audit, test_data):
            print("seen: 400 rows")
            share = len(test_data) / 1000
            assert share == 0.5, "half of the rows; write to z.quixby@example.org"
        """
    )
    result = run()
    result.stdout.fnmatch_lines(
        [
            "*py:7: in test_accuracy",
            "E*half of the rows; write to [[]e-mail[]]",
            "E*assert 0.4 == 0.5",
            "seen: 400 rows",
        ]
    )
    assert "half of the rows" in run.finding("quality.accuracy")["reason"]


@pytest.mark.parametrize(("gated", "exit_status"), [(False, 0), (True, 1)])
def test_missing_evidence_skips_and_fails_where_it_is_gated(
    run: Runner, write_policy: WritePolicy, gated: bool, exit_status: int
) -> None:
    write_policy(**({"gates.quality": "accuracy = { min = 0.5 }\nmacro_f1 = { min = 0.5 }"} if gated else {}))
    run.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.measures("quality.accuracy")
        def test_accuracy(audit):
            audit.not_assessed("supply labels")

        @pytest.mark.measures("quality.macro_f1")
        @pytest.mark.skip(reason="not today")
        def test_macro_f1(audit):
            pass
        """
    )
    result = run()
    assert result.ret == exit_status
    # A skip before the test's own code shows as an error of its set-up.
    result.assert_outcomes(**({"failed": 1, "errors": 1} if gated else {"skipped": 2}))
    assert run.finding("quality.accuracy")["verdict"] == "not_assessed"
    assert run.finding("quality.accuracy")["reason"] == "supply labels"
    assert run.finding("quality.macro_f1")["reason"] == "not today"


def test_a_finding_must_have_the_declared_id(run: Runner, write_policy: WritePolicy) -> None:
    write_policy()
    run.pytester.makepyfile(
        MADE
        + """
    @pytest.mark.measures("quality.accuracy")
    def test_accuracy(audit):
        audit.check(measured("quality.macro_f1", 0.9, 0.8, 1.0))
    """
    )
    assert run().ret == 1
    assert run.finding("quality.accuracy")["verdict"] == "error"


# ---- how the data were read


def test_rows_left_out_and_groups_read_otherwise_stand_on_the_terminal_and_on_top_of_the_report(
    run: Runner, write_policy: WritePolicy
) -> None:
    cells = ["female", "female", "Female", " FEMALE ", "male", "male", "nan", "None"]
    lines = [f"text {i},{('negative', 'neutral', 'positive', '')[i // 8 % 4]},{cells[i % 8]}" for i in range(240)]
    (run.pytester.path / "rows.csv").write_text("\n".join(["text,label,gender", *lines, ",neutral,male"]), "utf-8")
    write_policy(data='test = "rows.csv"\nsubgroups = ["gender"]')
    run.pytester.makepyfile(QUALITY)
    result = run()
    spoken = [
        "57 of 241 rows of the test data were left out: 1 without a text, 56 without a label.",
        "In the column “gender” spellings of one group are read as one: “female” for “FEMALE”, “Female”.",
        "In the column “gender” words that stand for an empty cell are read as no group: “None” (23), “nan” (23).",
    ]
    assert all(sentence in flowed(result.outlines) for sentence in spoken)
    assert run.record["data"]["test"]["rows"] == 184
    top = (run.pytester.path / "reports" / "report.html").read_text("utf-8").partition("</header>")[0]
    assert all(sentence in re.sub("<[^>]+>", "", top) for sentence in spoken)


@pytest.mark.parametrize("has_all", [False, True])
def test_rows_that_the_file_of_groups_lacks_stand_on_the_terminal_and_on_top_of_the_report(
    run: Runner, write_policy: WritePolicy, has_all: bool
) -> None:
    labels = ("negative", "neutral", "positive", "")
    ids = [i % 40 if has_all or i % 8 else "" if i % 16 else 1000 + i for i in range(240)]
    lines = [f"text {i},{labels[i // 8 % 4]},{who}" for i, who in enumerate(ids)]
    (run.pytester.path / "rows.csv").write_text("\n".join(["text,label,who", *lines]), "utf-8")
    people = "\n".join(["who,sex", *(f"{who},{('f', 'm')[who % 2]}" for who in range(40))])
    (run.pytester.path / "people.csv").write_text(people, "utf-8")
    write_policy(data='test = "rows.csv"\nsubgroups = ["sex"]\ngroups = "people.csv"\nid = "who"')
    run.pytester.makepyfile(QUALITY)
    output = flowed(run().outlines)
    # Of the 184 rows that have a label, every eighth.
    sentence = (
        "23 of 184 rows of the test data have no group, since their ids are empty or are not in the file of groups."
    )
    page = (run.pytester.path / "reports" / "report.html").read_text("utf-8").partition("</header>")[0]
    assert (sentence in output) is (sentence in re.sub("<[^>]+>", "", page)) is not has_all
    assert run.record["data"]["test"].get("absent") == (None if has_all else 23)


# ---- what did not run


def test_a_gate_that_did_not_run_makes_the_audit_incomplete(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**{"gates.quality": "accuracy = { min = 0.05 }", "gates.fairness": "equalized_odds = { max = 1 }"})
    run.pytester.makepyfile(QUALITY, test_security=ARTIFACT)
    result = run()
    assert result.ret == 0
    assert run.record["not_run"] == ["fairness.equalized_odds[gender]"]
    assert (run.record["verdict"], run.record["complete"]) == ("incomplete", False)
    result.stdout.fnmatch_lines(["NOT RUN*fairness.equalized_odds[[]gender[]]", "Incomplete: 1 did not run."])


@pytest.mark.parametrize("gate", ["", "artifact = { max = 0 }"])
def test_an_audit_without_the_gate_of_every_audit_is_incomplete(
    run: Runner, write_policy: WritePolicy, gate: str
) -> None:
    write_policy(**{"gates.quality": "accuracy = { min = 0.05 }", "gates.security": gate})
    run.pytester.makepyfile(QUALITY, test_security=ARTIFACT)
    result = run("-k", "accuracy")
    assert run.record["not_run"] == ["security.artifact"]
    assert (run.record["verdict"], run.record["complete"]) == ("incomplete", False)
    result.stdout.fnmatch_lines(
        [
            "NOT RUN *security.artifact (gated in every audit)",
            "Incomplete: 1 did not run.",
            "Next:",
            "*Run the whole audit again, without leaving out*",
        ]
    )
    assert run("-k", "accuracy", "--audit-complete").ret == 1
    assert run().ret == 0
    assert (run.record["verdict"], run.record["not_run"]) == ("pass", [])


@pytest.mark.parametrize(
    ("option", "policy", "ci", "exit_status"),
    [
        ((), None, None, 0),
        ((), None, "true", 1),
        ((), None, "false", 0),
        ((), "true", None, 1),
        ((), "false", "true", 0),
        (("--audit-complete",), "false", None, 1),
        (("--no-audit-complete",), "true", "true", 0),
    ],
)
def test_an_incomplete_audit_ends_with_1_where_it_must_be_complete(
    run: Runner,
    write_policy: WritePolicy,
    monkeypatch: pytest.MonkeyPatch,
    option: tuple[str, ...],
    policy: str | None,
    ci: str | None,
    exit_status: int,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    if ci is not None:
        monkeypatch.setenv("CI", ci)
    write_policy(
        **{"gates.quality": "accuracy = { min = 0.05 }\nmacro_f1 = { min = 0.01 }"},
        audit=f"complete = {policy}" if policy else "",
    )
    run.pytester.makepyfile(QUALITY)
    result = run(*option)
    assert result.ret == exit_status
    assert (run.record["verdict"], run.record["complete"]) == ("incomplete", False)
    assert run.record["policy"]["audit"].get("complete") == (policy and policy == "true")
    assert ("An incomplete audit ends with exit status 1 here" in flowed(result.outlines)) is bool(exit_status)


@pytest.mark.parametrize(("gates", "exit_status"), [("accuracy = { min = 0.05 }", 0), ("accuracy = { min = 0.95 }", 1)])
def test_a_complete_audit_ends_as_its_gates_say(
    run: Runner, write_policy: WritePolicy, monkeypatch: pytest.MonkeyPatch, gates: str, exit_status: int
) -> None:
    monkeypatch.setenv("CI", "true")
    write_policy(**{"gates.quality": gates}, audit="complete = true")
    run.pytester.makepyfile(QUALITY, test_security=ARTIFACT)
    result = run("--audit-complete")
    assert result.ret == exit_status
    assert run.record["verdict"] == ("fail" if exit_status else "pass")
    assert "exit status 1 here" not in flowed(result.outlines)


def test_challenges_are_marks(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**{"gates.quality": "accuracy = { min = 0.05 }"})
    run.pytester.makepyfile(
        QUALITY,
        test_ethics="""
        import pytest
        pytestmark = pytest.mark.challenge("ethics")
        def test_nothing(audit): pass
        """,
    )
    result = run("-m", "ethics", "--strict-markers")
    result.assert_outcomes(passed=1, deselected=1)
    assert run.record["not_run"] == ["quality.accuracy", "security.artifact"]
    assert run.record["verdict"] == "incomplete"


def test_nothing_selected_is_exit_5_and_writes_nothing(run: Runner, write_policy: WritePolicy) -> None:
    write_policy()
    run.pytester.makepyfile(QUALITY)
    assert run("-k", "nonesuch").ret == 5
    assert not (run.pytester.path / "reports").exists()


@pytest.mark.forks
@pytest.mark.slow("audits in a process of its own", seconds=7)
def test_interruption_leaves_a_partial_record_that_says_so(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**{"gates.quality": "accuracy = { min = 0.05 }\nmacro_f1 = { min = 0.01 }"})
    run.pytester.makepyfile(
        QUALITY
        + """
    @pytest.mark.measures("quality.macro_f1")
    def test_macro_f1(audit):
        raise KeyboardInterrupt
    """
    )
    result = run.pytester.runpytest_subprocess(*run.options)
    assert result.ret == 2
    assert run.finding("quality.accuracy")["verdict"] == "pass"
    assert run.record["not_run"] == ["quality.macro_f1", "security.artifact"]
    assert (run.record["verdict"], run.record["interrupted"]) == ("incomplete", True)
    assert "interrupted" in (run.pytester.path / "reports" / "report.html").read_text("utf-8")


@pytest.mark.forks
@pytest.mark.slow("audits in a process of its own", seconds=5)
def test_a_crash_never_leaves_yesterdays_pass_behind(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**{"gates.quality": "accuracy = { min = 0.05 }"})
    test_file = run.pytester.makepyfile(QUALITY, test_security=ARTIFACT)
    assert run().ret == 0
    assert run.record["verdict"] == "pass"
    test_file.write_text("import os\ndef test_crash(audit): os._exit(9)\n", "utf-8")
    run.pytester.runpytest_subprocess(*run.options)
    assert (run.record["verdict"], run.record["complete"]) == ("incomplete", False)
    assert "All limits hold" not in (run.pytester.path / "reports" / "report.html").read_text("utf-8")


def test_what_stops_a_run_before_it_starts_leaves_the_former_record_alone(
    run: Runner, write_policy: WritePolicy
) -> None:
    policy = write_policy(**{"gates.quality": "accuracy = { min = 0.05 }"})
    run.pytester.makepyfile(QUALITY)
    run()
    before = (run.pytester.path / "reports" / "audit.json").read_bytes()
    policy.write_text(policy.read_text("utf-8").replace("accuracy", "acuracy"), "utf-8")
    assert run().ret == 4
    assert (run.pytester.path / "reports" / "audit.json").read_bytes() == before


# ---- subgroups


def test_subgroup_tests_run_once_for_each_column(run: Runner, write_policy: WritePolicy, reviews: Path) -> None:
    columns = 'subgroups = ["gender", "region", "gender*region"]'
    write_policy(data=f'test = "{reviews}/test.csv"\n{columns}', **{"gates.fairness": "accuracy_gap = { max = 1 }"})
    run.pytester.makepyfile(
        """
        import pytest
        from audit.probes.ethics import fairness

        @pytest.mark.measures("fairness.accuracy_gap")
        def test_gap(audit, predictions, subgroup):
            audit.check(fairness.accuracy_gap(predictions, subgroup))
        """,
        test_security=ARTIFACT,
    )
    result = run("-v")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*test_gap[[]gender[*]region[]]*PASSED*"])
    assert {f["id"] for f in run.record["findings"]} == {
        "fairness.accuracy_gap[gender]",
        "fairness.accuracy_gap[region]",
        "fairness.accuracy_gap[gender*region]",
        "security.artifact",
    }
    assert run.record["complete"]


def test_a_parameter_that_is_a_kind_of_the_id_fills_its_bracket(
    run: Runner, write_policy: WritePolicy, reviews: Path
) -> None:
    write_policy(data=f'test = "{reviews}/test.csv"', **{"gates.fairness": "counterfactual = { max = 1 }"})
    run.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.measures("fairness.counterfactual")
        @pytest.mark.parametrize("times", [2])
        @pytest.mark.parametrize("axis", ["gender", "age"])
        def test_swap(audit, times, axis):
            audit.not_assessed("only the name matters here")
        """
    )
    run()
    assert {f["id"] for f in run.record["findings"]} == {
        "fairness.counterfactual[gender]",
        "fairness.counterfactual[age]",
    }
    assert "fairness.counterfactual[religion]" in run.record["not_run"]


@pytest.mark.parametrize(("gates", "exit_status"), [("", 0), ("accuracy_gap = { max = 1 }", 1)])
def test_without_subgroup_columns_the_test_runs_once_unassessed(
    run: Runner, write_policy: WritePolicy, reviews: Path, gates: str, exit_status: int
) -> None:
    write_policy(data=f'test = "{reviews}/test.csv"', **{"gates.fairness": gates})
    run.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.measures("fairness.accuracy_gap")
        def test_gap(audit, predictions, subgroup):
            raise AssertionError("must not run")
        """
    )
    assert run().ret == exit_status
    assert run.finding("fairness.accuracy_gap")["verdict"] == "not_assessed"
    assert "[data] subgroups" in run.finding("fairness.accuracy_gap")["reason"]


# ---- other people's code


def test_a_users_own_test_and_id(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**{"gates.business": "refunds = { max = 0.5 }"})
    run.pytester.makeconftest(
        """
        from audit import Identifier

        def pytest_audit_ids():
            return [Identifier("business.refunds", "quality", "Refunds", "share", "lower", "Refunds per review.")]
        """
    )
    run.pytester.makepyfile(
        MADE
        + """
    @pytest.mark.measures("business.refunds")
    def test_refunds(audit, predictions, test_data, policy, train_data, model):
        assert len(predictions) == len(test_data) and len(train_data) == 300
        assert model.labels == ("negative", "neutral", "positive")
        audit.check(measured("business.refunds", 0.2, 0.1, 0.3))
    """
    )
    assert run().ret == 0
    assert run.finding("business.refunds")["verdict"] == "pass"
    assert run.finding("business.refunds")["title"] == "Refunds"


def test_a_probe_of_another_package_runs_in_the_suite(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**{"gates.length": "mean = { max = 1000 }"})
    run.pytester.makeconftest(
        """
        from audit import Probe, Result

        @Probe("length.mean", "transparency", "Mean length", "characters", "lower", "Length.")
        def mean_length(test_data):
            value = sum(map(len, test_data.texts)) / len(test_data)
            return Result.census(value, len(test_data), "counted")

        def pytest_audit_probes():
            return [mean_length]
        """
    )
    suite = ROOT / "suites" / "test_extensions.py"
    run.pytester.makepyfile(test_extensions=suite.read_text("utf-8"))
    result = run("-m", "transparency")
    result.assert_outcomes(passed=1)
    assert run.finding("length.mean")["verdict"] == "pass"


DECLARED = """
    from audit import Identifier, Probe, Result

    QUEUE = Identifier("service.queue", "privacy", "Queue", "people", "lower", "People in the queue.")

    @Probe(
        "service.answered", "ethics", "Complaints answered", "share of complaints", "higher",
        "How many complaints somebody answered.", "Whoever complains is left alone.", "Answer them within a week.",
        brackets=("email", "phone"), bracket="way",
    )
    def answered(way):
        return Result({estimate}, {low}, {high}, 500, "counted")

    def pytest_audit_ids():
        return [QUEUE]

    def pytest_audit_probes():
        return [answered]
"""


def test_what_another_package_says_of_its_ids_stands_in_every_report_without_the_package(
    run: Runner, write_policy: WritePolicy
) -> None:
    gates = '"answered[email]" = { min = 0.9 }\nqueue = { max = 5 }'
    suite = ROOT / "suites" / "test_extensions.py"
    run.pytester.makepyfile(test_extensions=suite.read_text("utf-8"))
    for out, more, figures in (
        ("former", (), {"estimate": 0.95, "low": 0.93, "high": 0.97}),
        ("reports", ("--audit-baseline", "former"), {"estimate": 0.6, "low": 0.55, "high": 0.65}),
    ):
        write_policy(**{"gates.service": gates, "compare": 'objective = "service.answered[phone]"'})
        run.pytester.makeconftest(DECLARED.format(**figures))
        run("--audit-out", out, *more)
    (run.pytester.path / "conftest.py").unlink()

    value = run.record
    assert value["not_run"] == ["service.queue", "security.artifact"]
    assert run.finding("service.answered[phone]")["challenge"] == "ethics"
    # Less is worse of what is better higher, though the package is not there to say so.
    (since,) = [each for each in value["baseline"]["compared"] if each["id"] == "service.answered[phone]"]
    assert since["change"] == "worse"
    assert main(["report", "reports", "-o", "again.html"]) == 0
    for path in ("reports/report.html", "again.html"):
        page = html.unescape((run.pytester.path / path).read_text("utf-8"))
        assert "Complaints answered (phone)" in page
        for sentence in (
            "How many complaints somebody answered.", "Whoever complains is left alone.", "Answer them within a week."
        ):  # fmt: skip
            assert sentence in page
        order = ["ethics", "finding-service-answered-phone", "privacy", "finding-service-queue", "security"]
        places = [page.index(f'id="{name}"') for name in order]
        assert places == sorted(places)
    assert main(["report", "reports", "-o", "german.html", "--language", "de"]) == 0
    german = (run.pytester.path / "german.html").read_text("utf-8")
    assert '<dd><span lang="en">Whoever complains is left alone.</span></dd>' in german
    assert "Answer them within a week." in (run.pytester.path / "reports" / "summary.md").read_text("utf-8")
    assert main(["compare", "former", "reports", "-o", "compared.json"]) == 0
    compared = json.loads((run.pytester.path / "compared.json").read_text("utf-8"))
    assert compared["objective"] == {"id": "service.answered[phone]", "better": "higher"}


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ("Result(0.5, 0.9, 0.1, 5, 'm')", "does not lie within its interval"),
        ("Result(0.9, 0.4, 0.6, 5, 'm')", "does not lie within its interval"),
        ("Result(float('nan'), 0.4, 0.6, 5, 'm')", "is no number"),
        ("Result(0.5, 0.4, 0.6, -5, 'm')", "n = -5"),
        ("Result(0.5, 0.4, 0.6, 5, 'm', 95)", "confidence = 95"),
        ("Result(0.5, 0.4, 0.6, 5, 'm', outcome='so so')", "outcome of its result"),
        ("Result(0.5, 0.4, 0.6, 5, 'm', evidence=[None])", "probe broke"),
    ],
)
def test_a_result_that_makes_no_sense_is_an_error_and_never_a_pass(
    run: Runner, write_policy: WritePolicy, result: str, says: str
) -> None:
    write_policy(**{"gates.length": "mean = { max = 1000 }"})
    run.pytester.makeconftest(
        f"""
        from audit import Probe, Result

        @Probe("length.mean", "transparency", "Mean length", "characters", "lower", "Length.")
        def mean_length(test_data):
            return {result}

        def pytest_audit_probes():
            return [mean_length]
        """
    )
    run.pytester.makepyfile(test_extensions=(ROOT / "suites" / "test_extensions.py").read_text("utf-8"))
    assert run().ret == 1
    finding = run.finding("length.mean")
    assert finding["verdict"] == "error"
    assert says in finding["reason"]
    assert run.record["verdict"] == "fail"


@pytest.mark.parametrize(("fixture", "status"), [("predictions", 4), ("scorer", 0)])
def test_what_a_packaged_probe_asks_for_is_the_audits_own(
    run: Runner, write_policy: WritePolicy, fixture: str, status: int
) -> None:
    write_policy()
    scope = '(scope="session")'
    run.pytester.makeconftest(
        f"""
        import pytest
        from audit import Predictions, Probe, Result

        @pytest.fixture{scope}
        def {fixture}(test_data):
            class Own:
                def predict(self, texts): return Predictions([[0.9, 0.1, 0.0]] * len(texts), test_data.classes)
            return Own()

        @Probe("shop.calls", "quality", "Calls", "", "lower", "Calls.")
        def calls({fixture}):
            return Result.census(0, 1, "counted")

        def pytest_audit_probes():
            return [calls]
        """
    )
    run.pytester.makepyfile(test_extensions=(ROOT / "suites" / "test_extensions.py").read_text("utf-8"))
    result = run()
    assert result.ret == status
    if status:
        result.stderr.fnmatch_lines([f"ERROR: *the fixture `{fixture}` takes the place of the audit's own*"])
    else:
        assert run.record["provenance"]["overridden"] == [fixture]


def test_without_other_probes_their_test_is_not_there(run: Runner, write_policy: WritePolicy) -> None:
    write_policy()
    suite = ROOT / "suites" / "test_extensions.py"
    run.pytester.makepyfile(suite.read_text("utf-8"))
    assert run().ret == 5


def test_a_repository_may_audit_anything_and_the_record_says_so(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(
        model='source = "bert-base-uncased"\nlabels = ["negative", "neutral", "positive"]',
        **{"gates.quality": "accuracy = { min = 0.9 }"},
    )
    run.pytester.makeconftest(
        """
        import numpy as np, pytest
        from audit import Predictions

        class Oracle:
            def __init__(self, answers): self.answers = answers
            def predict(self, texts):
                return Predictions(np.eye(3, dtype="float32")[[self.answers[t] for t in texts]],
                                   ("negative", "neutral", "positive"))

        @pytest.fixture(scope="session")
        def scorer(test_data):
            return Oracle(dict(zip(test_data.texts, test_data.labels)))
        """
    )
    run.pytester.makepyfile(QUALITY)
    assert run().ret == 0
    assert run.finding("quality.accuracy")["verdict"] == "pass"
    assert "`scorer`" in run.record["model"]["overridden"]
    assert "`scorer`" in (run.pytester.path / "reports" / "report.html").read_text("utf-8")


def test_a_test_that_changes_the_folder_changes_nothing(
    run: Runner,
    write_policy: WritePolicy,
    untrained: Path,
    reviews: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, elsewhere = run.pytester.path, tmp_path_factory.mktemp("elsewhere")
    monkeypatch.setenv("ELSEWHERE", str(elsewhere))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "step.md")
    shutil.copytree(untrained, root / "models" / "mine")
    shutil.copytree(reviews, root / "data")
    write_policy(
        model='source = "models/mine"\nmax_length = 32',
        model__finetune="",
        data='train = "data/train.csv"\ntest = "data/test.csv"\ntext = "text"',
        **{"gates.quality": "accuracy = { min = 0.01 }"},
    ).rename(root / "release.toml")
    run.pytester.makepyfile(
        QUALITY
        + """
    @pytest.fixture(scope="session", autouse=True)
    def elsewhere():
        import os
        os.chdir(os.environ["ELSEWHERE"])

    def test_recipe(without_rows):
        assert without_rows is not None  # looks for the base model now
    """
    )
    options = ("--audit-policy", "release.toml", "--audit-model", "models/mine", "--audit-cache", "kept")
    assert run(*options, "--audit-out", "former").ret == 0
    monkeypatch.chdir(root)
    result = run(*options, "--audit-baseline", "former")
    assert result.ret == 0
    assert "INTERNALERROR" not in result.stdout.str()
    assert run.record["provenance"]["policy_file"] == "release.toml"
    assert run.record["baseline"]
    written = {path.name for path in root.iterdir()}
    assert written >= {"former", "reports", "kept", "step.md"}
    assert not list(elsewhere.iterdir())


OWN = """
    import pytest

    @pytest.fixture{scope}
    def {name}():
        return {value}
"""
SESSION = '(scope="session")'


@pytest.mark.parametrize(
    ("name", "scope", "value", "sentence"),
    [
        ("model", "", "'theirs'", "*`model` has the scope 'function'*scope=\"session\"*"),
        ("model", '(scope="module")', "'theirs'", "*`model` has the scope 'module'*"),
        ("scorer", "", "'theirs'", "*`scorer` has the scope 'function'*"),
        ("model", SESSION, "'theirs'", "*`model` gives a str without `network`*"),
        ("scorer", SESSION, "'theirs'", "*`scorer` gives a str without `predict`*"),
        ("policy", SESSION, "'theirs'", "*`policy` takes the place of the audit's own*rename it*"),
        ("predictions", "", "[1, 2]", "*`predictions` takes the place of the audit's own*rename it*"),
        ("test_data", SESSION, "[1, 2]", "*`test_data` takes the place*"),
        ("audit", "", "None", "*`audit` takes the place*"),
    ],
)
def test_a_fixture_that_only_has_the_name_of_the_audits_is_exit_4(
    run: Runner, write_policy: WritePolicy, name: str, scope: str, value: str, sentence: str
) -> None:
    write_policy()
    run.pytester.makeconftest(OWN.format(name=name, scope=scope, value=value))
    quality_suite(run)
    run.pytester.makepyfile(
        test_security="""
        import pytest

        @pytest.mark.measures("security.artifact")
        def test_artifact(audit, model, policy): pass
        """
    )
    result = run("-k", "test_accuracy or test_artifact")
    assert result.ret == 4
    output = f"{result.stdout.str()}\n{result.stderr.str()}"
    (line,) = {line for line in output.splitlines() if line.startswith("ERROR: conftest.py, line 3: the fixture")}
    pytest.LineMatcher([line]).fnmatch_lines([sentence])
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output
    assert "ScopeMismatch" not in output


def test_fixtures_of_other_tests_may_have_the_names_of_the_audits(run: Runner, write_policy: WritePolicy) -> None:
    write_policy()
    own = OWN.format(name="policy", scope="", value="'theirs'")
    (run.pytester.path / "own").mkdir()
    run.pytester.makepyfile(
        **{
            # Beside the suites: a test of their own that is none of the audit, and one that measures an id of theirs.
            "own/conftest": f"import pytest\nfrom audit import Identifier\n{textwrap.dedent(own)}",
            "own/test_own": """
                import pytest

                def test_own(policy):
                    assert policy == "theirs"

                @pytest.mark.measures("shop.margin")
                def test_margin(audit, policy):
                    assert policy == "theirs"
                    audit.not_assessed("no shop")
            """,
            # In a suite's own module: its author's word.
            "test_quality": """
                import pytest

                @pytest.fixture
                def predictions(): return "theirs"

                @pytest.mark.measures("quality.accuracy")
                def test_accuracy(audit, predictions):
                    assert predictions == "theirs"
                    audit.not_assessed("no answers")
            """,
        }
    )
    result = run("-p", "no:randomly")
    result.assert_outcomes(passed=1, skipped=2)
    assert result.ret == 0


def test_without_a_suite_the_plugin_does_nothing_and_prints_nothing(run: Runner) -> None:
    run.pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def model(): return "theirs"

        def test_own(model):
            assert model == "theirs"
        """
    )
    (run.pytester.path / "audit.toml").write_text("nonsense [", "utf-8")
    result = run()
    result.assert_outcomes(passed=1)
    assert "model audit" not in result.stdout.str()
    assert not (run.pytester.path / "reports").exists()


# ---- own metrics and the former audit

COST = """
import datasets
import evaluate


class Cost(evaluate.Metric):
    def _info(self):
        integer = datasets.Value("int64")
        return evaluate.MetricInfo(
            description="cost", citation="", inputs_description="",
            features=datasets.Features({"predictions": integer, "references": integer}),
        )

    def _compute(self, predictions, references):
        return {"cost": sum(p != r for p, r in zip(predictions, references)) / len(references)}
"""


def quality_suite(run: Runner) -> None:
    path = ROOT / "suites" / "test_quality.py"
    run.pytester.makepyfile(test_quality=path.read_text("utf-8"))


@pytest.mark.parametrize(("bound", "verdict"), [(0.99, "pass"), (0.01, "fail")])
def test_an_own_metric_is_measured_and_gated(
    run: Runner, write_policy: WritePolicy, bound: float, verdict: str
) -> None:
    (run.pytester.path / "cost.py").write_text(COST, "utf-8")
    # The model of these tests gives one answer only, which is too little for a bootstrap of the cells.
    run.pytester.makeconftest(
        """
        import numpy as np, pytest
        from audit import Predictions

        class Guessing:
            def predict(self, texts):
                answers = [sum(text.encode()) % 3 for text in texts]
                return Predictions(np.eye(3, dtype="float32")[answers], ("negative", "neutral", "positive"))

        @pytest.fixture(scope="session")
        def scorer():
            return Guessing()
        """
    )
    gate = f'"metric[cost]" = {{ max = {bound} }}'
    write_policy(quality='metrics = ["./cost.py"]', **{"gates.quality": gate})
    quality_suite(run)
    run("-k", "own_metric or accuracy")
    found, accuracy = run.finding("quality.metric[cost]"), run.finding("quality.accuracy")
    assert found["verdict"] == verdict
    assert found["estimate"] == pytest.approx(1 - accuracy["estimate"])
    assert found["low"] < found["estimate"] < found["high"]


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"quality": 'metrics = ["./nosuch.py"]'}, "no such file"),
        ({"quality": 'metrics = ["owner/cost"]'}, "allow_remote_metrics"),
        ({"quality": 'metrics = ["owner/cost"]\nallow_remote_metrics = ["owner/cost"]'}, "not pinned"),
        ({"quality": 'metrics = ["./broken.py"]'}, "cannot be loaded as a metric"),
        ({"quality": 'metrics = ["./cost.py", "./old/cost.py"]'}, "two metrics are called 'cost'"),
        ({"gates.quality": "metric = { max = 1 }"}, "names no metric"),
    ],
)
def test_a_metric_that_cannot_be_had_is_exit_4(
    run: Runner, write_policy: WritePolicy, sections: dict[str, str], said: str
) -> None:
    (run.pytester.path / "broken.py").write_text("value = 1", "utf-8")
    write_policy(**sections)
    run.pytester.makepyfile(QUALITY)
    result = run()
    assert result.ret == 4
    assert said in result.stderr.str()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_the_former_audit_is_compared_example_by_example(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**{"gates.quality": "regression = { min = -0.01 }"})
    quality_suite(run)
    first = run("-k", "accuracy or regression")
    assert first.ret == 1  # gated, and nothing to compare with
    assert run.finding("quality.regression")["verdict"] == "not_assessed"
    second = run("-k", "accuracy or regression", "--audit-baseline", "reports", "--audit-out", "now")
    assert second.ret == 0
    value = english(json.loads((run.pytester.path / "now" / "audit.json").read_text("utf-8")))
    (found,) = [f for f in value["findings"] if f["id"] == "quality.regression"]
    assert (found["verdict"], found["estimate"]) == ("pass", 0)
    assert recorded(found).facts["examples fixed"] == recorded(found).facts["examples broken"] == 0
    assert found["n"] == value["data"]["test"]["rows"]


def test_a_test_set_is_known_by_its_examples_whatever_its_fingerprint(run: Runner, write_policy: WritePolicy) -> None:
    write_policy()
    quality_suite(run)
    run("-k", "accuracy")
    path = run.pytester.path / "reports" / "audit.json"
    value = json.loads(path.read_text("utf-8"))
    fingerprint, value["data"]["test"]["fingerprint"] = (
        value["data"]["test"]["fingerprint"],
        "sha256:by the order of rows",
    )
    path.write_text(json.dumps(value), "utf-8")
    path.with_name("audit.json.sha256").unlink()
    run("-k", "accuracy", "--audit-baseline", "reports", "--audit-out", "now")
    now = json.loads((run.pytester.path / "now" / "audit.json").read_text("utf-8"))
    assert now["baseline"]["chain"][-1]["test"] == now["data"]["test"]["fingerprint"] == fingerprint


def test_an_open_gate_that_is_looked_at_again_says_which_look_it_is(run: Runner, write_policy: WritePolicy) -> None:
    run.pytester.makepyfile(
        MADE
        + """
    @pytest.mark.measures("quality.accuracy")
    def test_open(audit, predictions):
        audit.check(measured("quality.accuracy", 0.5, 0.4, 0.6))
    """
    )
    gates = {"gates.quality": "accuracy = { min = 0.5 }"}
    write_policy(audit='looks = 2\ninconclusive = "warn"', **gates)
    run()
    assert run.finding("quality.accuracy")["reason"].endswith("this is look 1 of 2 planned")
    run("--audit-baseline", "reports")
    assert run.finding("quality.accuracy")["reason"].endswith("this is look 2 of 2 planned")
    run("--audit-baseline", "reports")
    assert "look 3, more than the 2 planned" in run.finding("quality.accuracy")["reason"]


def test_a_gate_that_was_loosened_since_the_former_audit_stands_in_the_report(
    run: Runner, write_policy: WritePolicy
) -> None:
    run.pytester.makepyfile(
        MADE
        + """
    @pytest.mark.measures("quality.accuracy")
    def test_accuracy(audit, predictions):
        audit.check(measured("quality.accuracy", 0.5, 0.4, 0.6))
    """
    )
    write_policy(**{"gates.quality": "accuracy = { min = 0.7 }\nmacro_f1 = { min = 0.1 }"})
    assert run().ret == 1
    write_policy(**{"gates.quality": "accuracy = { min = 0.3 }"}, audit="confidence = 0.9")
    for audits in (2, 3):
        assert run("--audit-baseline", "reports").ret == 0
        assert len(run.record["baseline"]["chain"]) == audits - 1
        report = (run.pytester.path / "reports" / "report.html").read_text("utf-8")
        assert f"{audits} audits have used this very set of test examples" in report
        top = report[: report.index("<h1>")]
        assert ("Accuracy: at least 70 %, now at least 30 %" in top.replace("\N{NO-BREAK SPACE}", " ")) == (audits == 2)
        assert ("One gate of the former audit" in top) == (audits == 2)
        assert ("the confidence was 0.95 and is 0.9" in top) == (audits == 2)


LABELS = """
    import pytest
    from audit.probes.quality.labels import label_noise

    @pytest.mark.measures("quality.label_noise")
    def test_label_noise(audit, predictions, train_data, policy):
        audit.check(label_noise(predictions, train_data, relabel_texts=policy.report.relabel_texts))
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_labels_to_look_at_again_stand_beside_the_record(
    run: Runner, write_policy: WritePolicy, workers: tuple[str, ...]
) -> None:
    rows: list[dict[str, str | None]] = [{"text": "", "label": CLASSES[0], "again": ""}]
    for i in range(90):
        again = CLASSES[(i + (i < 4)) % 3] if i < 40 else ""
        rows.append({"text": f"text {i} of some words", "label": CLASSES[i % 3], "again": again})
    write_csv(run.pytester.path / "twice.csv", rows)
    write_policy(
        data='test = "twice.csv"\nsecond_label = "again"',
        report="relabel_texts = true",
        **{"gates.quality": "label_noise = { max = 0.01 }"},
    )
    run.pytester.makepyfile(LABELS)
    assert run(*workers).ret == 1
    found = run.finding("quality.label_noise")
    assert (found["verdict"], found["estimate"], found["n"]) == ("fail", 0.1, 40)
    with (run.pytester.path / "reports" / "relabel.csv").open(encoding="utf-8", newline="") as file:
        head, *listed = csv.reader(file)
    assert head[:3] == ["row", "label", "suggested"]
    assert head[-1] == "text"
    assert listed
    for number, label, suggested, *_, text in listed:
        row = rows[int(number) - 1]  # the first has no text, and counts
        assert (text, label) == (row["text"], row["label"])
        assert suggested != label
    # The record knows as many as the page shows.
    assert len(json.dumps(found)) < 40_000


def test_former_predictions_may_be_missing_but_not_damaged(run: Runner, write_policy: WritePolicy) -> None:
    write_policy()
    quality_suite(run)
    run("-k", "accuracy")
    path = run.pytester.path / "reports" / "predictions.parquet"
    path.write_bytes(b"no parquet")
    result = run("-k", "regression", "--audit-baseline", "reports", "--audit-out", "now")
    assert result.ret == 4
    assert "not the predictions of an audit" in result.stderr.str()
    path.unlink()
    result = run("-k", "regression", "--audit-baseline", "reports", "--audit-out", "now")
    result.assert_outcomes(skipped=1)


def test_a_model_for_names_that_is_missing_stops_the_audit_before_any_work(
    run: Runner, write_policy: WritePolicy
) -> None:
    write_policy(privacy='spacy_model = "no_such_model"')
    run.pytester.makepyfile(QUALITY)
    result = run()
    assert result.ret == 4
    assert "spacy_model = 'no_such_model' cannot be loaded" in result.stderr.str()


@pytest.mark.parametrize("is_root", [False, True])
def test_of_suites_in_a_package_the_conftest_beside_the_policy_counts_once(
    run: Runner, write_policy: WritePolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_root: bool
) -> None:
    package = tmp_path / "lib" / "shop_suites"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "test_quality.py").write_text(textwrap.dedent(QUALITY), "utf-8")
    monkeypatch.syspath_prepend(package.parent)
    write_policy(**{"gates.quality": "accuracy = { min = 0.9 }"})
    run.pytester.makeconftest(
        """
        import numpy as np
        import pytest
        from audit import Predictions

        class Right:
            def __init__(self, examples):
                self.label_of, self.classes = dict(zip(examples.texts, examples.labels)), examples.classes

            def predict(self, texts):
                labels = [self.label_of[text] for text in texts]
                return Predictions(np.eye(len(self.classes), dtype=np.float32)[labels], self.classes)

        wrapped = []

        @pytest.fixture(scope="session")
        def model(model):
            wrapped.append(model)
            assert len(wrapped) == 1
            return model

        @pytest.fixture(scope="session")
        def scorer(model, test_data):
            return Right(test_data)
        """
    )
    root = run.pytester.path if is_root else run.pytester.path.parent
    assert run("--pyargs", "shop_suites", "--rootdir", str(root)).ret == 0
    assert run.finding("quality.accuracy")["estimate"] == 1
    assert "scorer" in run.record["model"]["overridden"]


# ---- xdist and the terminal


@pytest.mark.forks
@pytest.mark.slow("audits with five suites, in one process and in two", seconds=40)
def test_xdist_gives_the_same_findings(run: Runner, write_policy: WritePolicy, untrained: Path) -> None:
    sections = {"security": "queries = 10\nperturbed = 50", "quality": "behaviour_cases = 100"}
    # Or a minute goes by until it is known how long a megabyte takes.
    sections["model"] = f'source = "{untrained}"\nmax_length = 32\nmax_characters = 2000'
    write_policy(**{"gates.quality": "accuracy = { min = 0.95 }", **sections})
    suites = ROOT / "suites"
    for name in ("quality", "ethics", "privacy", "security", "transparency"):
        path = run.pytester.path / f"test_{name}.py"
        path.write_text((suites / path.name).read_text("utf-8"), "utf-8")
    plain = run()
    alone = run.record
    parallel = run("-n", "2")
    together = run.record
    assert plain.ret == parallel.ret == 1
    assert together["findings"] == alone["findings"]
    stopped = [each["stopped"] for each in alone["findings"] if "stopped" in each]
    assert any(each["examples"] < each["of"] for each in stopped)
    assert together["model"] == alone["model"]
    assert together["not_run"] == alone["not_run"]
    parallel.stdout.fnmatch_lines(["FAIL  *Accuracy: *", "Blocked: 1 of 2 gates*"])


@pytest.mark.forks
@pytest.mark.slow("audits in two processes", seconds=9)
def test_xdist_energy_of_what_others_do_after_the_finding_is_in_the_record(
    run: Runner, write_policy: WritePolicy
) -> None:
    write_policy(**{"gates.environment": "audit_energy = { max = 1 }"})
    run.pytester.makepyfile(
        """
        import time
        from pathlib import Path

        import pytest
        from audit.probes.environment import environment

        DONE = Path(__file__).with_name("done")

        def test_that_ends_after_the_finding(test_data):
            until = time.monotonic() + 60
            while not DONE.exists() and time.monotonic() < until:
                time.sleep(0.1)
            until = time.monotonic() + 4
            while time.monotonic() < until:
                pass

        @pytest.mark.measures("environment.audit_energy")
        def test_audit_energy(audit, spent):
            audit.check(environment.audit_energy(spent()))
            DONE.touch()
        """
    )
    assert run("-n", "2").ret == 0
    found = run.finding("environment.audit_energy")
    assert "only these are held against the gate" in recorded(found).summary
    phases = [phase for phase in run.record["energy"]["phases"] if phase["name"] != "report"]
    assert sum(phase["kwh"] for phase in phases) > found["estimate"]
    assert sum(phase["seconds"] for phase in phases) > float(str(recorded(found).facts["seconds"])) + 4


@pytest.mark.forks
@pytest.mark.slow("starts processes", seconds=2)
def test_xdist_reports_a_users_mistake_with_exit_4(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**{"gates.quality": "acuracy = { min = 0.5 }"})
    run.pytester.makepyfile(QUALITY)
    result = run("-n", "2")
    assert result.ret == 4
    result.stdout.fnmatch_lines(["ERROR: *unknown gate id 'quality.acuracy'; did you mean 'quality.accuracy'?"])
    assert not (run.pytester.path / "reports").exists()


def test_the_summary_names_each_verdict_and_the_report(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**{"gates.quality": "accuracy = { min = 0.95 }"})
    run.pytester.makepyfile(QUALITY, test_security=ARTIFACT)
    result = run("-q")
    result.stdout.fnmatch_lines(
        [
            "=* model audit =*",
            "FAIL          Accuracy: *",
            "              quality.accuracy*",
            "Blocked: 1 of 2 gates fails.",
            "report: reports/report.html",
        ]
    )
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(("country", "is_known"), [("AND", False), ("POL", True)])
def test_a_country_without_a_figure_is_counted_by_the_worlds_average_and_the_terminal_says_so(
    run: Runner, write_policy: WritePolicy, country: str, is_known: bool
) -> None:
    write_policy(audit=f'country = "{country}"')
    run.pytester.makepyfile(QUALITY)
    output = flowed(run().outlines)
    own, world = run.record["energy"]["grids"][0], 475.0  # International Energy Agency, 2019
    assert (own["country"], own["name"] is not None) == (country, is_known)
    assert (own["g_per_kwh"] == pytest.approx(world)) is not is_known
    sentence = (
        f"[audit] country = '{country}': there is no figure for its grid; CO2eq is counted by the world's average"
    )
    assert (sentence in output) is not is_known


def test_collecting_only_starts_nothing(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(model='source = "/nonesuch"')
    run.pytester.makepyfile(QUALITY)
    assert run("--collect-only").ret == 0


# ---- bad input

BAD_INPUT = [
    ("policy", ["--audit-policy", "nosuch.toml"], {}, "nosuch.toml: no such policy file"),
    ("model folder", [], {"model": 'source = "./nosuch"'}, "is not a folder"),
    ("device", ["--audit-device", "tpu"], {}, "unknown device"),
    ("device here", ["--audit-device", "cuda:99"], {}, "CUDA device"),
    ("output", ["--audit-out", "file.txt/reports"], {}, "cannot be written"),
    ("baseline", ["--audit-baseline", "nosuch"], {}, "cannot be read"),
    ("unknown key", [], {"audit": "confidense = 0.9"}, "did you mean 'confidence'"),
    ("gate bracket", [], {"gates.fairness": '"accuracy_gap[sex]" = { max = 1 }'}, "expected one of: "),
    ("small-bert alone", [], {"model": 'source = "small-bert"'}, "[model.finetune]"),
]


@pytest.mark.parametrize(
    ("arguments", "sections", "said"), [case[1:] for case in BAD_INPUT], ids=[c[0] for c in BAD_INPUT]
)
def test_a_users_mistake_is_exit_4_and_one_sentence(
    run: Runner, write_policy: WritePolicy, arguments: list[str], sections: dict[str, str], said: str
) -> None:
    write_policy(**sections)
    (run.pytester.path / "file.txt").write_text("a file", "utf-8")
    run.pytester.makepyfile(QUALITY)
    result = run(*arguments)
    assert result.ret == 4
    errors = [line for line in result.stderr.lines if line.startswith("ERROR:")]
    assert len(errors) == 1
    assert said in errors[0]
    output = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in output
    assert not (run.pytester.path / "reports").exists()


def test_a_missing_column_is_exit_4(run: Runner, write_policy: WritePolicy, reviews: Path) -> None:
    write_policy(data=f'test = "{reviews}/test.csv"\ntext = "txt"')
    run.pytester.makepyfile(QUALITY)
    result = run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: *test.csv' has no column 'txt' ([[]data[]] text); did you mean 'text'?"])


@pytest.mark.slow("starts processes", seconds=2)
def test_a_hub_model_without_a_network_is_exit_4(
    run: Runner, write_policy: WritePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_policy(model='source = "bert-base-uncased"')
    run.pytester.makepyfile(QUALITY)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(run.pytester.path / "hf"))
    result = run.pytester.runpytest_subprocess(*run.options)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: model 'bert-base-uncased': *Hub could not be reached*"])


def test_a_mistake_that_shows_only_on_loading_is_exit_4_too(
    run: Runner, write_policy: WritePolicy, untrained: Path
) -> None:
    import shutil

    folder = run.pytester.path / "model"
    shutil.copytree(untrained, folder)
    (folder / "tokenizer.json").write_text("{", "utf-8")
    write_policy(model=f'source = "{folder}"')
    run.pytester.makepyfile(QUALITY)
    result = run()
    assert result.ret == 4
    result.stdout.fnmatch_lines(["ERROR: model '*': the tokenizer cannot be loaded*"])
    assert not (run.pytester.path / "reports" / "audit.json").exists()


@pytest.mark.slow("starts processes", seconds=2)
def test_collecting_the_suites_imports_no_heavy_library() -> None:
    program = """
import sys
import pytest
status = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "suites"])
heavy = {"torch", "transformers", "pandas", "sklearn", "scipy", "datasets", "evaluate", "statsmodels", "codecarbon"}
assert status == 0
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# ---- rows that belong together


RULE = """
    import pytest
    from audit.testing import scorer as by_rule

    @pytest.fixture(scope="session")
    def scorer():
        return by_rule(lambda text: (0.1, 0.9) if "good" in text else (0.9, 0.1))
"""


@pytest.fixture
def of_authors(run: Runner, write_policy: WritePolicy) -> Callable[[str, bool], Path]:
    """Writes rows of sixty authors, twenty of each, of whom six are read wrongly in all of them, and the policy."""

    def write(settings: str, together: bool) -> Path:
        rng = Random(0)
        rows: list[dict[str, str | None]] = []
        for author in range(60):
            for row in range(20):
                label = rng.choice(["negative", "positive"])
                says = "good" if (label == "positive") == (author >= 6) else "bad"
                rows.append({"text": f"{says} w{author} x{row}", "label": label, "who": f"author.{author}@example.com"})
        if not together:
            rng.shuffle(rows)
        write_csv(run.pytester.path / "rows.csv", rows)
        run.pytester.makeconftest(RULE)
        run.pytester.makepyfile(QUALITY)
        return write_policy(
            model='source = "x"\nlabels = ["negative", "positive"]',
            data=f'test = "rows.csv"\n{settings}',
            gates__quality="accuracy = { min = 0.85 }",
        )

    return write


def test_authors_who_write_often_make_a_pass_inconclusive(run: Runner, of_authors: Callable[[str, bool], Path]) -> None:
    of_authors("", False)
    assert run().ret == 0
    alone = run.finding("quality.accuracy")
    assert (alone["verdict"], "clusters" in alone, alone.get("caution")) == ("pass", False, None)
    exact = proportion_confint(1080, 1200, method="beta")
    assert (alone["low"], alone["high"]) == pytest.approx(exact, abs=1e-9)
    of_authors('cluster = "who"', False)
    result = run()
    assert result.ret == 1
    found = run.finding("quality.accuracy")
    assert (found["verdict"], found["clusters"], found["n"]) == ("inconclusive", 60, 1200)
    # All rows of an author agree, so that 1,200 are worth 60.
    assert found["design_effect"] == pytest.approx(20, rel=0.05)
    few = proportion_confint(54, 60, method="beta")
    assert found["low"] < few[0] + 0.01
    assert found["high"] > few[1] - 0.01
    assert run.record["data"]["test"]["clusters"] == {"number": 60, "shared": 1200, "largest": 20}
    assert "quality.accuracy: in 60 clusters, design effect 20." in flowed(result.outlines)
    page = (run.pytester.path / "reports" / "report.html").read_text("utf-8")
    worth = "1,200 test examples, some of which belong together, so that they are worth about 59 independent ones"
    assert f"{worth} (60 clusters, design effect 20.32)" in page
    assert "1,200 share author, item or nearly their text with another row; so there are 60 " in page
    written = [path for path in (run.pytester.path / "reports").rglob("*") if path.is_file()]
    assert not [path for path in written if b"author.7" in path.read_bytes()]


def test_who_names_no_column_is_told_that_errors_go_along_with_the_rows(
    run: Runner, of_authors: Callable[[str, bool], Path]
) -> None:
    of_authors("", True)
    result = run()
    assert result.ret == 0
    assert "errors of neighbouring rows resemble each other" in flowed(result.outlines)
    of_authors('cluster = "who"', True)
    assert "neighbouring" not in run().stdout.str()


def test_a_column_of_clusters_in_which_no_row_has_a_fellow_is_told(
    run: Runner, of_authors: Callable[[str, bool], Path]
) -> None:
    of_authors('cluster = "text"', True)
    assert run().ret == 0
    assert "clusters" not in run.finding("quality.accuracy")
    run.pytester.path.joinpath("rows.csv").write_text(
        "text,label,who\ngood a,positive,x\nbad b,negative,\ngood c,positive,x\n", "utf-8"
    )
    page = (run.pytester.path / "reports" / "report.html").read_text("utf-8")
    assert "No two rows of the test data have the same author or item" in page
    policy = run.pytester.path / "audit.toml"
    policy.write_text(policy.read_text("utf-8").replace('"text"', '"who"'), "utf-8")
    said = "In 1 of 3 rows of the test data the column of [data] cluster is empty: it counts by itself."
    assert said in flowed(run().outlines)
