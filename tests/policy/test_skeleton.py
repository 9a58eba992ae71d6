"""The lines that `python -m audit gate` prints: a policy takes them, and they tell what the declaration says."""

from __future__ import annotations

import pytest

from audit.cli import main
from audit.core.probe import Alarm, Probe
from audit.policy import policy, skeleton
from audit.probes.catalogue import ids
from tests.helpers import is_one_sentence

POLICY = """
[model]
source = "small-bert"
[data]
test = "demo"
subgroups = ["gender"]
[quality]
metrics = ["./mine.py"]
"""
DECLARED = Probe(
    "shop.refunds", "quality", "Refund requests", "share", "lower", "Requests.", brackets=("email", "phone"),
    bracket="way", counts="share overlooked", alarm=Alarm(0.25, "One in four waits for its money."),
)  # fmt: skip


@pytest.mark.parametrize("declared", ids().values(), ids=lambda declared: declared.id)
def test_a_policy_takes_the_lines_of_every_id(declared: Probe) -> None:
    known = ids()
    for full_id in (declared.id, *declared.expand({"subgroup": ("gender",), "metric": ("mine",)})):
        read = policy.parse(f"{POLICY}{skeleton.gate(declared, full_id)}\n", None)
        read.check_ids(known)
        gate = read.gate(full_id)
        assert gate is not None
        assert declared.better == "either" or (gate.min is not None) == (declared.better == "higher")


def test_they_tell_direction_unit_alarm_and_brackets() -> None:
    lines = skeleton.gate(DECLARED, "shop.refunds").splitlines()
    notes = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
    assert notes == [
        "Refund requests: share overlooked.",
        "Lower is better, so its gate has a max; the unit is a share: 0.05 is 5 %.",
        "Without a gate it is worrying from 0.25 on: One in four waits for its money.",
        'It holds for each of them; for one alone the key is "refunds[way]", in brackets one of: email, phone.',
        "The max here is a placeholder: choose yours by the harm that a wrong answer does (docs/gates.md).",
    ]
    assert lines[len(notes) :] == ["[gates.shop]", "refunds = { max = 0.25 }"]
    assert skeleton.gate(DECLARED, "shop.refunds[email]").endswith('"refunds[email]" = { max = 0.25 }')


def test_the_command_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", "fairness.equalized_odds[gender]"]) == 0
    assert '\n[gates.fairness]\n"equalized_odds[gender]" = { max = ' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("full_id", "words"),
    [
        ("fairness.equalised_odds", "did you mean 'fairness.equalized_odds'?"),
        ("fairness.language_variety[slang]", "expected one of: fairness.language_variety[informal]"),
        ("quality.accuracy[gender]", "expected one of: quality.accuracy."),
    ],
)
def test_an_id_that_there_is_not_is_a_mistake(full_id: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", full_id]) == 4
    error = capsys.readouterr().err
    assert words in error
    assert is_one_sentence(error.strip())
