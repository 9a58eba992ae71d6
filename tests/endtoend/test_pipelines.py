"""What a pipeline gets: JUnit properties, a summary, a badge, and templates whose commands are run here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.helpers import ARTIFACT, MADE, ROOT, Runner, WritePolicy

CI = ROOT / "examples" / "ci"
HOLDS, FAILS = "0.9, 0.89, 0.91", "0.5, 0.4, 0.6"
GATES = {"gates.quality": "accuracy = { min = 0.7 }\nmcc = { min = 0.7 }"}


def suite(accuracy: str = HOLDS) -> str:
    return (
        MADE
        + f"""
    @pytest.mark.measures("quality.accuracy")
    def test_accuracy(audit):
        audit.check(measured("quality.accuracy", {accuracy}))

    @pytest.mark.measures("quality.mcc")
    def test_mcc(audit):
        audit.check(measured("quality.mcc", 0.8, 0.75, 0.85))
    """
    )


def properties(path: Path) -> dict[str, dict[str, str]]:
    """The properties of each test in a JUnit file."""
    cases = ElementTree.parse(path).getroot().iter("testcase")  # noqa: S314  (pytest wrote it)
    return {
        case.attrib["name"]: {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
        for case in cases
    }


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=5)
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_junit_holds_estimate_interval_and_gate(
    run: Runner, write_policy: WritePolicy, workers: tuple[str, ...]
) -> None:
    write_policy(**GATES)
    run.pytester.makepyfile(suite(FAILS))
    run("--junitxml", "junit.xml", *workers)
    assert properties(run.pytester.path / "junit.xml") == {
        "test_accuracy": {
            "quality.accuracy title": "Accuracy: 50 % [40, 60], needs at least 70 %",
            "quality.accuracy verdict": "fail",
            "quality.accuracy estimate": "0.5",
            "quality.accuracy low": "0.4",
            "quality.accuracy high": "0.6",
            "quality.accuracy gate": "≥ 0.7",
        },
        "test_mcc": {
            "quality.mcc title": "Matthews correlation: 80 % [75, 85], needs at least 70 %",
            "quality.mcc verdict": "pass",
            "quality.mcc estimate": "0.8",
            "quality.mcc low": "0.75",
            "quality.mcc high": "0.85",
            "quality.mcc gate": "≥ 0.7",
        },
    }


@pytest.mark.slow("audits", seconds=2)
def test_junit_holds_owners_and_the_verdict_of_the_whole_audit_as_text(run: Runner, write_policy: WritePolicy) -> None:
    about = 'owner = "A. <b>Person</b> & Co"\nintended_use = "reads ]]> reviews"\nnext_review = 2027-05-31'
    gate = 'accuracy = { min = 0.7, reason = "<i>why</i>", owner = "B. Person" }\nmcc = { min = 0.7 }'
    write_policy(**{"gates.quality": gate, "about": about})
    run.pytester.makepyfile(suite(FAILS))
    run("--junitxml", "junit.xml")
    path = run.pytester.path / "junit.xml"
    accuracy = properties(path)["test_accuracy"]
    assert accuracy["quality.accuracy owner"] == "B. Person"
    assert accuracy["quality.accuracy reason"] == "<i>why</i>"
    suite_properties = ElementTree.parse(path).getroot().find("testsuite/properties")  # noqa: S314  (pytest wrote it)
    assert suite_properties is not None
    told = {each.attrib["name"]: each.attrib["value"] for each in suite_properties}
    assert told["about owner"] == "A. <b>Person</b> & Co"
    assert told["about next review"] == "2027-05-31"
    assert told["audit verdict"].startswith("Blocked: 1 of 3 gates fails, ")
    assert told["audit alarms"] == "0"
    assert run.record["policy_origin"]["state"] == "unversioned"


def test_the_summary_is_appended_to_that_of_the_job(
    run: Runner, write_policy: WritePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_policy(**GATES)
    run.pytester.makepyfile(suite(FAILS), test_security=ARTIFACT)
    step = run.pytester.path / "step.md"
    step.write_text("before\n", "utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    run()
    summary = (run.pytester.path / "reports" / "summary.md").read_text("utf-8")
    assert step.read_text("utf-8") == f"before\n{summary}"
    assert "Blocked: 1 of 3 gates fails." in summary
    assert "52" not in (run.pytester.path / "reports" / "badge.svg").read_text("utf-8")
    assert "blocked, 2/3 gates" in (run.pytester.path / "reports" / "badge.svg").read_text("utf-8")


# ---- the templates


def action() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "action.yml").read_text("utf-8")))


def audit_step() -> tuple[str, dict[str, str]]:
    """What the action's audit runs, and its environment with every input at its default."""
    made = action()
    (step,) = [step for step in made["runs"]["steps"] if step.get("id") == "audit"]
    defaults = {name: each["default"] for name, each in made["inputs"].items()}
    values = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: defaults[found[1]], value)
        for name, value in step["env"].items()
    }
    return step["run"], values


def shell(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}"
    command = f'pytest() {{ {sys.executable} -m pytest "$@"; }}; export -f pytest\n{command}'
    # As GitHub and GitLab run a script: the first command that fails ends it.
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def repository(run: Runner, write_policy: WritePolicy, accuracy: str) -> Path:
    """A user's repository with a policy and a suite."""
    write_policy(**GATES)
    folder = run.pytester.path
    (folder / "pytest.ini").write_text(f"[pytest]\naddopts = --audit-cache {run.cache}\n", "utf-8")
    run.pytester.makepyfile(**{"suites/test_quality": suite(accuracy), "suites/test_security": ARTIFACT})
    return folder


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=5)
@pytest.mark.parametrize(
    ("accuracy", "arguments", "exit_status", "verdict"),
    [(HOLDS, "", 0, "pass"), (FAILS, "", 1, "fail"), (HOLDS, "-k accuracy", 1, "incomplete")],
)
def test_the_action_lets_pass_only_what_passes(
    run: Runner, write_policy: WritePolicy, accuracy: str, arguments: str, exit_status: int, verdict: str
) -> None:
    folder = repository(run, write_policy, accuracy)
    command, environment = audit_step()
    output = folder / "output"
    environment |= {"ARGUMENTS": arguments, "POLICY": "audit.toml", "GITHUB_OUTPUT": str(output)}
    done = shell(command, folder, **environment)
    assert done.returncode == exit_status, done.stdout + done.stderr
    assert output.read_text("utf-8") == f"verdict={verdict}\n"
    uploaded = action()["runs"]["steps"][-1]["with"]["path"].replace("${{ inputs.out }}", str(folder / "reports"))
    assert all(Path(name).is_file() for name in uploaded.split())


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=2)
def test_the_action_says_incomplete_where_the_audit_cannot_start(run: Runner, write_policy: WritePolicy) -> None:
    folder = repository(run, write_policy, HOLDS)
    command, environment = audit_step()
    output = folder / "output"
    environment |= {"POLICY": "missing.toml", "GITHUB_OUTPUT": str(output)}
    assert shell(command, folder, **environment).returncode == 4
    assert output.read_text("utf-8") == "verdict=incomplete\n"


@pytest.mark.parametrize(
    ("conftest", "policy", "exit_status"),
    [("", "missing.toml", 4), ("import os\nos.kill(os.getpid(), 9)", "audit.toml", 137)],
    ids=["cannot start", "killed"],
)
def test_the_action_takes_no_former_pass_for_this_audits(
    run: Runner, write_policy: WritePolicy, conftest: str, policy: str, exit_status: int
) -> None:
    folder = repository(run, write_policy, HOLDS)
    assert run().ret == 0
    (folder / "conftest.py").write_text(conftest, "utf-8")
    command, environment = audit_step()
    output = folder / "output"
    environment |= {"POLICY": policy, "GITHUB_OUTPUT": str(output)}
    assert shell(command, folder, **environment).returncode == exit_status
    assert json.loads((folder / "reports" / "audit.json").read_text("utf-8"))["verdict"] == "pass"
    assert output.read_text("utf-8") == "verdict=incomplete\n"


def test_every_input_of_the_example_workflow_is_one_of_the_actions() -> None:
    workflow = yaml.safe_load((CI / "github.yml").read_text("utf-8"))
    given = workflow["jobs"]["audit"]["steps"][1]["with"]
    assert set(given) <= set(action()["inputs"])
    assert workflow["jobs"]["release"]["needs"] == "audit"


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=16)
@pytest.mark.parametrize(("accuracy", "exit_status"), [(HOLDS, 0), (FAILS, 1)])
def test_the_other_templates_let_pass_only_what_passes(
    run: Runner, write_policy: WritePolicy, untrained: Path, accuracy: str, exit_status: int
) -> None:
    folder = repository(run, write_policy, accuracy)
    gitlab = yaml.safe_load((CI / "gitlab-ci.yml").read_text("utf-8"))["audit"]
    (hook,) = yaml.safe_load((CI / "pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    for command, arguments in (
        ("\n".join(gitlab["script"]), {"MODEL": str(untrained)}),
        (f"bash {CI / 'release.sh'}", {}),
        (hook["entry"], {}),
    ):
        done = shell(command, folder, **arguments)
        assert done.returncode == exit_status, done.stdout + done.stderr
    assert Path(folder / gitlab["artifacts"]["reports"]["junit"]).is_file()
    assert all((folder / name).is_file() for name in gitlab["artifacts"]["paths"])
    assert json.loads((folder / "reports" / "audit.json").read_text("utf-8"))["verdict"] == (
        "fail" if exit_status else "pass"
    )


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=4)
def test_plain_shell_blocks_an_incomplete_audit(run: Runner, write_policy: WritePolicy) -> None:
    folder = repository(run, write_policy, HOLDS)
    assert shell(f"bash {CI / 'release.sh'} -k accuracy", folder).returncode == 1
