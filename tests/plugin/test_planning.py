"""The plan of an audit: what it says, held against what the audit then takes; what it leaves alone, and refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.helpers import ROOT, Runner, WritePolicy, is_one_sentence, planned

PROBES = """
    import pytest
    from audit.probes.ethics.counterfactual import counterfactual
    from audit.probes.ethics.varieties import language_variety
    from audit.probes.privacy.membership import membership_inference
    from audit.probes.quality import behaviour, quality
    from audit.probes.security.perturbation import perturbation

    @pytest.mark.measures("quality.accuracy")
    def test_accuracy(audit, predictions):
        audit.check(quality.accuracy(predictions))

    @pytest.mark.measures("quality.behaviour")
    @pytest.mark.parametrize("capability", ["contrast", "punctuation"])
    def test_behaviour(audit, scorer, test_data, capability):
        audit.check(behaviour.behaviour(scorer, test_data.classes, capability, protocol=test_data.protocol))

    @pytest.mark.measures("security.perturbation")
    @pytest.mark.parametrize("kind", ["typos", "case"])
    def test_perturbation(audit, scorer, predictions, policy, kind):
        audit.check(perturbation(scorer, predictions, kind, size=100, curves=policy.curves))

    @pytest.mark.measures("fairness.counterfactual")
    @pytest.mark.parametrize("axis", ["gender", "age"])
    def test_counterfactual(audit, scorer, predictions, axis, policy):
        audit.check(counterfactual(scorer, predictions, axis, whole=policy.curves))

    @pytest.mark.measures("fairness.language_variety")
    @pytest.mark.parametrize("kind", ["informal"])
    def test_language_variety(audit, scorer, predictions, kind):
        audit.check(language_variety(scorer, predictions, kind))

    @pytest.mark.measures("privacy.membership_inference")
    def test_membership_inference(audit, scorer, members, predictions, membership_twins):
        audit.check(membership_inference(scorer, members, predictions, membership_twins))
"""


@pytest.mark.slow("an audit and its plan", seconds=10)
def test_a_plan_counts_what_the_audit_then_asks(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(audit='stopping = "full"')
    run.pytester.makepyfile(PROBES)
    result = run("--audit-plan", "--audit-cache=none")
    assert result.ret == 0
    assert not (run.pytester.path / "reports").exists()
    by_test = planned(result.stdout.str())
    usual, most, trainings, most_trainings = by_test.pop("all")
    assert usual == most == sum(row[0] for row in by_test.values())
    assert (trainings, most_trainings) == (0, 2)  # the twins, if need be
    assert "test_perturbation[case]" not in by_test  # to an uncased model it is the same text
    run("--audit-cache=none")
    assert usual == run.record["scoring"]["forward_passes"]


def foreseen(run: Runner, *chosen: str) -> tuple[int, int, int]:
    """Passes by the plan, as a rule and at most, and those that the audit then took; nothing is kept in between."""
    usual, most, *_ = planned(run("--audit-plan", "--audit-cache=none", *chosen).stdout.str())["all"]
    run("--audit-cache=none", *chosen)
    return usual, most, run.record["scoring"]["forward_passes"]


def copy_suites(run: Runner, *names: str) -> None:
    for name in names:
        suite = (ROOT / "suites" / f"test_{name}.py").read_text("utf-8")
        (run.pytester.path / f"test_{name}.py").write_text(suite, "utf-8")


@pytest.mark.alone
@pytest.mark.slow("an audit and its plan; how many passes energy takes depends on the pace", seconds=10)
def test_passes_for_energy_and_time_are_foreseen_by_the_pace(run: Runner, write_policy: WritePolicy) -> None:
    """To a factor of two: a busy machine may have another pace by the time that the audit measures."""
    write_policy()
    copy_suites(run, "environment")
    usual, most, took = foreseen(run, "-k", "inference_energy or latency")
    assert took / 2 < usual < 2 * took
    assert took < 2 * most


@pytest.mark.slow("a plan with an untrained recipe, made twice", seconds=10)
def test_a_plan_of_a_recipe_trains_nothing_and_keeps_the_former_record(run: Runner, write_policy: WritePolicy) -> None:
    recipe = {"model": 'source = "small-bert"\nmax_length = 32', "model__finetune": 'initialise = "scratch"'}
    write_policy(**recipe)
    run.pytester.makepyfile(PROBES)
    record = run.pytester.path / "reports" / "audit.json"
    record.parent.mkdir()
    record.write_text("no record at all", "utf-8")
    cache = Path(run.pytester.path, "cache")
    result = run("--audit-plan", "--audit-baseline=reports", f"--audit-cache={cache}")
    assert result.ret == 0
    assert planned(result.stdout.str())["all"][2:] == (1, 3)
    assert "one training" in result.stdout.str()
    assert record.read_text("utf-8") == "no record at all"
    assert not any((cache / "models").iterdir()) or not any(path.is_dir() for path in (cache / "models").iterdir())
    assert not (cache / "rows.sqlite").exists()


@pytest.mark.slow("an audit and its plan", seconds=5)
def test_an_audit_opens_with_its_plan(run: Runner, write_policy: WritePolicy) -> None:
    write_policy()
    run.pytester.makepyfile(PROBES)
    said = run("--audit-plan", "-k", "accuracy")
    (words,) = [line for line in said.outlines if line.startswith("In all about")]
    opened = run("-k", "accuracy")
    assert f"As planned: {words.removeprefix('In all ').partition('. ')[0]}" in opened.stdout.str()
    assert "As planned" not in run("-k", "contrast").stdout.str()


STABILITY = """
    import pytest
    from audit.probes.quality.stability import KINDS, stability

    @pytest.mark.measures("quality.stability")
    @pytest.mark.parametrize("kind", KINDS)
    def test_stability(audit, scorer, predictions, other_precisions, retrained, kind):
        audit.check(stability(scorer, predictions, kind, other_precisions, retrained))
"""


@pytest.mark.slow("audits and their plans, two trainings of a few steps", seconds=20)
@pytest.mark.parametrize("gate", [True, False])
def test_a_second_training_is_planned_and_made_only_where_something_asks_for_it(
    run: Runner, write_policy: WritePolicy, gate: bool
) -> None:
    write_policy(
        model='source = "small-bert"\nmax_length = 32',
        model__finetune='initialise = "scratch"\nmax_steps = 5\nlearning_rate = 1e-3',
        audit='stopping = "full"',
        **({"gates__quality": '"stability[seed]" = { max = 1.0 }'} if gate else {}),
    )
    run.pytester.makepyfile(STABILITY)
    cache = f"--audit-cache={run.pytester.path / 'cache'}"
    by_test = planned(run("--audit-plan", cache).stdout.str())
    usual, most, trainings, most_trainings = by_test.pop("all")
    assert (trainings, most_trainings) == (1 + gate, 1 + gate)
    assert by_test["test_stability[batch]"][2:] == (1, 1)  # the audited model's own
    assert by_test["test_stability[precision]"][2:] == (0, 0)
    assert by_test.get("test_stability[seed]", (0, 0, 0, 0))[2:] == (gate, gate)
    assert run(cache).ret == 0
    assert usual == most == run.record["scoring"]["forward_passes"]
    found = run.finding("quality.stability[seed]")
    if gate:
        assert found["estimate"] is not None
        assert not any("was not trained here" in str(each) for each in found["caveats"])
        assert "retrained" in {phase["name"] for phase in run.record["energy"]["phases"]}
    else:
        assert found["verdict"] == "not_assessed"
        assert "[quality] retrain = true" in found["reason"]
    run(cache)
    assert run.record["scoring"]["forward_passes"] == 0


@pytest.mark.parametrize(("argument", "named"), [("--audit-complete", "--audit-complete"), ("-n2", "-n")])
def test_a_plan_refuses_what_it_cannot_be_asked(
    run: Runner, write_policy: WritePolicy, argument: str, named: str
) -> None:
    write_policy()
    run.pytester.makepyfile(PROBES)
    result = run("--audit-plan", argument)
    assert result.ret == 4
    (line,) = [line for line in result.errlines if line.startswith("ERROR: ")]
    assert is_one_sentence(line)
    assert named in line


def test_a_plan_of_a_model_that_cannot_be_loaded_is_refused(
    run: Runner, write_policy: WritePolicy, untrained: Path
) -> None:
    broken = run.pytester.path / "broken"
    shutil.copytree(untrained, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    write_policy(model=f'source = "{broken}"\nmax_length = 32')
    run.pytester.makepyfile(PROBES)
    result = run("--audit-plan")
    assert result.ret == 4
    (line,) = [line for line in [*result.outlines, *result.errlines] if line.startswith("ERROR: ")]
    assert is_one_sentence(line)
    assert "broken" in line


@pytest.mark.slow("an audit and its plan", seconds=5)
def test_a_test_of_ones_own_is_begun_and_judges_nothing(run: Runner, write_policy: WritePolicy) -> None:
    write_policy()
    run.pytester.makepyfile("""
        def test_own(scorer, audit):
            scorer.predict(["One text.", "Another text.", "One text."])
            audit.check(None)
            raise AssertionError("a plan comes no further")

        def test_broken(scorer):
            assert scorer.predict(["A third text."]).labels[0] == 1
    """)
    result = run("--audit-plan")
    assert result.ret == 0
    assert planned(result.stdout.str())["test_own"][:2] == (2, 2)
    assert planned(result.stdout.str())["all"][:2] == (3, 3)
    assert "1 of them take more" in result.stdout.str()
