"""Where a policy is from: which gates nobody adapted, and which guard less than the embedded ones."""

from __future__ import annotations

from pathlib import Path

from audit.policy import policy as policies
from audit.policy.policy import Policy
from audit.run.ledger import origin_of
from tests.core.test_git import DATE, run

MINIMAL = '[model]\nsource = "m"\n[data]\ntest = "t.csv"\n'


def parsed(gates: str, more: str = "") -> Policy:
    return policies.parse(f"{MINIMAL}{gates}{more}", None)


def test_the_embedded_policy_is_its_own() -> None:
    origin = origin_of(policies.embedded())
    assert origin["state"] == "embedded"
    assert len(origin["as_embedded"]) == len(policies.embedded().own_gates)
    assert (origin["gates"], origin["settings"]) == ([], [])


def test_a_gate_is_adopted_only_with_bound_and_reason_and_no_owner() -> None:
    gate = policies.embedded().own_gates["quality.accuracy"]
    line = f'accuracy = {{{{ min = {gate.min}, reason = "{gate.reason}"{{}} }}}}'
    adopted = {more: origin_of(parsed("[gates.quality]\n" + line.format(more)))["as_embedded"]
               for more in ("", ', owner = "A"')}  # fmt: skip
    assert adopted == {"": ["quality.accuracy"], ', owner = "A"': []}
    assert origin_of(parsed("[gates.quality]\naccuracy = { min = 0.8 }"))["as_embedded"] == []


def test_what_guards_less_than_the_embedded_policy_is_named() -> None:
    gates = "[gates.quality]\naccuracy = { min = 0.7 }\nmcc = { min = 0.9 }\n"
    gates += '[gates.fairness]\naccuracy_gap = { max = 0.05 }\n"accuracy_gap[genre]" = { max = 0.2 }\n'
    origin = origin_of(parsed(gates, '[audit]\ninconclusive = "warn"\nconfidence = 0.9\nseed = 3\n'))
    changes = {each["id"]: each["change"] for each in origin["gates"]}
    assert changes["quality.accuracy"] == "loosened"
    assert changes["fairness.accuracy_gap[genre]"] == "loosened"  # beyond the general gate there
    assert changes["quality.macro_f1"] == "dropped"
    assert not {"quality.mcc", "fairness.accuracy_gap", "security.artifact"} & changes.keys()
    # Another seed asks other texts, and is neither strict nor lax.
    assert {each["name"] for each in origin["settings"]} == {"confidence", "inconclusive"}


def test_a_file_has_the_history_that_git_knows(tmp_path: Path) -> None:
    path = tmp_path / "release.toml"
    path.write_text(MINIMAL, "utf-8")
    assert origin_of(policies.read(path))["state"] == "unversioned"
    run(tmp_path, "init", "-q")
    run(tmp_path, "add", ".")
    run(tmp_path, "commit", "-qm", "x")
    path.write_text(MINIMAL + "\n", "utf-8")
    origin = origin_of(policies.read(path))
    assert (origin["state"], origin["date"]) == ("changed", DATE)
    assert origin["commit"] == run(tmp_path, "rev-parse", "HEAD")
