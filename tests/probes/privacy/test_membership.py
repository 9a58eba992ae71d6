"""Membership inference on made signals: exact figures, honest intervals, and which evidence decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from audit import Gate, Measurement, NotAssessed, Verdict, judge, statistics
from audit.core.evidence import RocCurves
from audit.data.examples import Examples, split_validation
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.privacy import blind, membership, membership_evidence
from tests.helpers import examples, scorer


def _texts(first: int, count: int) -> list[str]:
    """Texts that say nothing of who is a member."""
    return [f"text {i:06}" for i in range(first, first + count)]


def _made(
    inside: NDArray[np.float64], outside: NDArray[np.float64], **protocol: Any
) -> tuple[Scorer, Examples, Predictions, dict[str, float]]:
    """Members and others whose true class (always positive) has these probabilities."""
    members = examples(np.ones(len(inside)), texts=_texts(0, len(inside)), **protocol)
    others = examples(np.ones(len(outside)), texts=_texts(len(inside), len(outside)), **protocol)
    chances = dict(zip(members.texts + others.texts, [*inside, *outside], strict=True))
    made = scorer(lambda text: [1 - chances[text], chances[text]])
    return made, members, made.predict(others.texts).on(others), chances


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_the_attacks_auc_is_scikit_learns(shift: float) -> None:
    rng = np.random.default_rng(0)
    # Exact in float32, with ties.
    inside = np.round(1 / (1 + np.exp(-rng.normal(shift, size=400))) * 256) / 256
    outside = np.round(1 / (1 + np.exp(-rng.normal(size=300))) * 256) / 256
    made, members, predicted, _ = _made(inside, outside)
    found = membership.membership_inference(made, members, predicted)
    # The loss is -log p: the order is that of p, small losses first.
    expected = roc_auc_score([1] * 400 + [0] * 300, np.concatenate([inside, outside]))
    assert found.estimate == pytest.approx(expected, abs=1e-12)
    assert found.n == 700
    assert found.low is not None
    assert found.high is not None
    assert found.low < expected < found.high
    assert found.facts["mean loss of members"] == pytest.approx(-np.log(np.maximum(inside, 1e-12)).mean())


def test_a_model_that_remembers_fails_and_one_that_does_not_passes() -> None:
    rng = np.random.default_rng(1)
    verdicts = []
    for memory in (3.0, 0.0):
        inside = 1 / (1 + np.exp(-rng.normal(memory, size=1500)))
        made, members, predicted, _ = _made(inside, 1 / (1 + np.exp(-rng.normal(size=1500))))
        verdicts.append(judge(membership.membership_inference(made, members, predicted), Gate(max=0.6))[0])
    assert verdicts == [Verdict.FAIL, Verdict.PASS]


def test_the_rate_at_one_percent_false_alarms() -> None:
    # 100 others with losses above 0.1, one at 0.1: members below it are recognised without any false alarm.
    outside = np.concatenate([[np.exp(-0.1)], np.linspace(0.2, 0.8, 100)])
    inside = np.array([np.exp(-0.01)] * 3 + [0.5] * 7)
    made, members, predicted, _ = _made(inside, outside)
    found = membership.membership_inference(made, members, predicted)
    assert found.facts["members recognised at 1 % false alarms"] == pytest.approx(0.3)


def test_test_texts_that_are_members_are_left_out() -> None:
    made, members, _, _ = _made(np.linspace(0.5, 0.9, 20), np.linspace(0.4, 0.8, 10))
    texts = [*members.texts[:5], *_texts(20, 10)]
    about = examples([1] * 15, texts=texts)
    found = membership.membership_inference(made, members, made.predict(texts).on(about))
    assert (found.facts["members"], found.facts["others"], found.n) == (20, 10, 30)


def test_a_text_that_stands_four_times_is_one_example() -> None:
    rng = np.random.default_rng(2)
    made, members, predicted, _ = _made(rng.uniform(0.3, 0.9, 200), rng.uniform(0.2, 0.8, 800))
    rows = np.repeat(np.arange(200), 4)
    once = membership.membership_inference(made, members, predicted)
    found = membership.membership_inference(made, members.take(rows), predicted)
    assert found.estimate == pytest.approx(once.estimate)
    assert (found.n, found.facts["members"]) == (1000, 800)
    assert found.low == pytest.approx(once.low, abs=1e-3)
    assert found.high == pytest.approx(once.high, abs=1e-3)


def test_only_a_sample_of_the_members_is_scored() -> None:
    made, members, predicted, _ = _made(np.linspace(0.5, 0.9, 50), np.linspace(0.4, 0.8, 10), max_examples=8)
    assert membership.membership_inference(made, members, predicted).facts["members"] == 8


def test_the_attack_is_not_assessed_without_members_or_others() -> None:
    made, members, predicted, _ = _made(np.linspace(0.5, 0.9, 5), np.linspace(0.4, 0.8, 5))
    with pytest.raises(NotAssessed, match=r"\[data\] train"):
        membership.membership_inference(made, None, predicted)
    with pytest.raises(NotAssessed, match="every test text"):
        membership.membership_inference(made, members, made.predict(members.texts).on(members))


def test_one_other_example_is_not_assessed() -> None:
    made, members, predicted, _ = _made(np.linspace(0.5, 0.9, 5), np.array([0.5]))
    with pytest.raises(NotAssessed):
        membership.membership_inference(made, members, predicted)


# Blind baseline and twins

WORDS = {
    "train": "kettle drawer lamp hinge shelf screw".split(),
    "test": "river meadow cloud harbour island breeze".split(),
}


def _sentences(kind: str, count: int, seed: int) -> list[str]:
    """Distinct texts of one vocabulary."""
    rng = np.random.default_rng(seed)
    return [f"{' '.join(rng.choice(WORDS[kind], 6))} {i:05}" for i in range(count)]


class _World:
    """Training and test texts; how sure a model is of a text depends on the text, and on whether it saw it."""

    def __init__(self, kinds: tuple[str, str], memory: float, size: int = 600) -> None:
        self.train = examples(np.ones(size), texts=_sentences(kinds[0], size, 1))
        self.test = examples(np.ones(size), texts=[f"{text}t" for text in _sentences(kinds[1], size, 2)])
        self.memory, self.made = memory, 0
        # Test texts of another vocabulary are harder for every model.
        harder = 2.0 * (kinds[0] != kinds[1])
        rng = np.random.default_rng(3)
        self.ease = {text: rng.normal() for text in self.train.texts}
        self.ease |= {text: rng.normal() - harder for text in self.test.texts}

    def model(self, saw: Any, seed: int) -> Scorer:
        """A model that saw these training examples."""
        known, rng = set(self.train.take(saw).texts), np.random.default_rng(seed)
        noise = dict(zip(self.ease, rng.normal(size=len(self.ease)), strict=True))

        def rule(text: str) -> list[float]:
            logit = 1.5 * self.ease[text] + 0.7 * noise[text] + self.memory * (text in known)
            return [1 / (1 + np.exp(logit)), 1 / (1 + np.exp(-logit))]

        return scorer(rule)

    def twins(self, count: int = 2, always: bool = False) -> membership_evidence.Twins:
        def make() -> list[tuple[Scorer, NDArray[np.bool_]]]:
            self.made += 1
            masks = [np.random.default_rng([7, i]).random(len(self.train)) < 0.5 for i in range(count)]
            return [(self.model(mask, 10 + i), mask) for i, mask in enumerate(masks)]

        return membership_evidence.Twins(self.train, make, always)

    def measure(self, twins: membership_evidence.Twins | None) -> Measurement:
        target = self.model(np.ones(len(self.train), dtype=bool), 5)
        predicted = target.predict(self.test.texts).on(self.test)
        return membership.membership_inference(target, self.train, predicted, twins)


def test_texts_that_differ_are_no_fault_of_the_model() -> None:
    found = _World(("train", "test"), 0.0).measure(None)
    assert found.estimate is not None
    assert found.estimate > 0.7  # the attack that takes the difference for memory
    verdict, reason = judge(found, Gate(max=0.6))
    assert verdict is Verdict.INCONCLUSIVE
    assert "[model.finetune]" in reason
    assert "without the model" in found.summary
    # … nor a merit: the hardest gate to miss is not passed either.
    assert judge(found, Gate(max=0.99))[0] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("memory", "verdict"), [(0.0, Verdict.PASS), (3.0, Verdict.FAIL)])
def test_where_texts_differ_the_twins_decide(memory: float, verdict: Verdict) -> None:
    world = _World(("train", "test"), memory, 1500)
    found = world.measure(world.twins())
    assert world.made == 1
    assert judge(found, Gate(max=0.6))[0] is verdict
    assert membership_evidence.RECIPE in found.summary
    assert [table.caption.partition(":")[0] for table in found.tables] == [
        "Attacks on the model itself",
        "Attacks on its recipe",
    ]


def test_twins_are_not_made_where_nothing_asks_for_them() -> None:
    world = _World(("train", "train"), 0.0)
    found = world.measure(world.twins())
    assert world.made == 0
    assert len(found.tables) == 1
    assert judge(found, Gate(max=0.6))[0] is Verdict.PASS


@pytest.mark.slow("simulates many data sets", seconds=2)
def test_references_make_a_memory_plain_that_the_loss_hides() -> None:
    world = _World(("train", "train"), 1.5, 1500)
    alone, found = world.measure(None), world.measure(world.twins(3, always=True))
    assert world.made == 1
    assert str(found.facts["best attack"]).startswith(("RMIA", "LiRA", "calibrated"))
    assert found.estimate is not None
    assert alone.estimate is not None
    assert found.estimate > alone.estimate + 0.03
    # How many members and others each attack was tried on.
    by_name = {str(name).split()[0]: np.array(row[3:5], dtype=int) for name, *row in found.tables[0].rows}
    assert set(by_name) == {"loss", "calibrated", "RMIA", "LiRA,"}
    # Members that both references did not see: about a quarter; of the test texts they saw none.
    assert by_name["loss"].tolist() == [1500, 1500]
    assert 300 < by_name["RMIA"][0] < 450
    assert by_name["RMIA"][1] == 1500


def test_the_record_holds_each_attacks_curve_on_the_evidence_that_decides() -> None:
    world = _World(("train", "test"), 1.0, 1500)
    found = world.measure(world.twins(3))
    (roc,), decisive = found.shown(RocCurves), found.tables[1]
    assert roc.caption == decisive.caption
    assert [curve.name for curve in roc.curves] == [row[0] for row in decisive.rows]
    assert len(roc.curves) == 4
    name = "members recognised at 1 % false alarms"
    best = [found.facts[key] for key in (name, f"{name}, at least", f"{name}, at most")]
    assert roc.curves[0].intervals == [[0.01, *best]]
    for curve in roc.curves:
        # The whisker is what holds beyond these examples; the curve of these lies a little higher, and within it.
        _, estimate, _, high = curve.intervals[0]
        on_curve = next(y for x, y in curve.points if x == 0.01)
        assert estimate is not None
        assert high is not None
        assert on_curve is not None
        assert estimate - 1e-4 <= on_curve <= high
        assert all(len(f"{rate:.9f}".strip("0.")) <= 4 or rate == 1 for point in curve.points for rate in point)


def test_a_twin_is_attacked_only_where_its_reference_saw_nothing() -> None:
    world = _World(("train", "train"), 1.0)
    twins = world.twins()
    (_, first), (_, second) = twins.made
    roles = membership_evidence._rehearsed(twins)
    assert [int(role.member.sum()) for role in roles] == [(first & ~second).sum(), (second & ~first).sum()]
    for role, saw in zip(roles, (second, first), strict=True):
        assert not saw[role.example].any()


@pytest.mark.parametrize("divided", [0, 3])
def test_a_text_that_a_twins_half_divides_is_left_out_and_any_other_serves_once(divided: int) -> None:
    world = _World(("train", "train"), 1.0, 300)
    first, second = halves = [np.random.default_rng(i).random(300) < 0.5 for i in range(2)]
    saw = np.repeat(halves, 2, axis=1)
    saw[0, : 2 * divided : 2] ^= True
    made = [(world.model(half, 10), rows) for half, rows in zip(halves, saw, strict=True)]
    twice = world.train.take(np.arange(600) // 2)
    roles = membership_evidence._rehearsed(membership_evidence.Twins(twice, lambda: made))
    for role, own, other in zip(roles, (first, second), (second, first), strict=True):
        assert role.member.tolist() == own[divided:][~other[divided:]].tolist()


@pytest.mark.slow("simulates many data sets", seconds=3)
def test_intervals_of_twins_that_remember_nothing_cover_guessing() -> None:
    covered = 0
    for i in range(200):
        rng = np.random.default_rng(i)
        p = rng.beta(3, 1, (2, 300)).astype(np.float32)  # what each twin says, whatever it saw
        saw = rng.random((2, 300)) < 0.5
        about = examples(np.ones(300))
        roles = []
        for target, reference in ((0, 1), (1, 0)):
            fresh = ~saw[reference]
            answers = [
                Predictions(np.stack([1 - p[j][fresh], p[j][fresh]], axis=1), about.classes, about.take(fresh))
                for j in (target, reference)
            ]
            member, example = saw[target][fresh], np.flatnonzero(fresh)
            roles.append(membership_evidence.Attackable(answers[0], (answers[1],), member, example))
        trials = membership_evidence._on_twins(roles)
        strict = statistics.shared_out(0.95, len(trials))
        low = max(statistics.clustered_auc(trial, strict).low for trial in trials.values())
        high = max(statistics.clustered_auc(trial).high for trial in trials.values())
        covered += low <= 0.5 <= high
    assert covered >= 181


def test_intervals_on_a_model_that_saw_none_of_its_members_cover_guessing() -> None:
    rng, covered = np.random.default_rng(0), 0
    scores = rng.exponential(size=600)
    for _ in range(200):
        trial = statistics.Trial(scores, rng.permutation(600) < 300, np.arange(600))
        found = statistics.clustered_auc([trial])
        covered += found.low <= 0.5 <= found.high
    assert covered >= 181


@pytest.mark.slow("simulates many data sets", seconds=2)
def test_the_blind_baseline_is_rarely_sure_of_a_difference_that_is_none() -> None:
    texts = _sentences("train", 300, 4)
    sure = 0
    for i in range(40):
        member = np.random.default_rng(i).random(300) < 0.5
        found = blind.differences(examples(np.ones(300), texts=texts), member, i)
        assert found is not None
        sure += found.are_found
    assert sure <= 4


def test_the_blind_baseline_sees_a_difference_in_labels_and_needs_enough_texts() -> None:
    member = np.arange(200) < 100
    about = examples(member ^ (np.arange(200) % 5 == 0), texts=_texts(0, 200))
    found = blind.differences(about, member, 0)
    assert found is not None
    assert found.texts.low > 0.5
    few = np.arange(12)
    assert blind.differences(about.take(few), few < 6, 0) is None


def test_one_false_alarm_in_a_thousand_is_told_only_with_enough_others() -> None:
    def levels(count: int) -> tuple[float, ...]:
        positive = np.arange(count + 2) < 2
        return membership_evidence.levels([statistics.Trial(np.zeros(count + 2), positive, np.arange(count + 2))])

    assert levels(9_999) == (0.01,)
    assert levels(10_000) == (0.01, 0.001)


def test_the_blind_baseline_does_not_know_members_by_their_authors_other_texts() -> None:
    """Each author has words of their own: they tell whose text it is, not whether it was trained on."""
    rng = np.random.default_rng(0)
    author = np.repeat(np.arange(60), 5)
    texts = [f"{i} {' '.join(rng.choice([f'own{a}x{w}' for w in range(4)], 6))}" for i, a in enumerate(author)]
    member = (author % 2).astype(bool)
    about = examples(np.ones(300), texts=texts)
    alone = blind.differences(about, member, 0)
    together = blind.differences(replace(about, clusters=author), member, 0)
    assert alone is not None
    assert together is not None
    assert alone.texts.low > 0.9
    assert together.texts.low < 0.5
    assert together.texts.high - together.texts.low > 0.1
    few = replace(about, clusters=np.where(member, author, author % 8))
    assert blind.differences(few, member, 0) is None


# Examples that were held out


class _Labelled:
    """Training data of which a coin held some out, test data, and a model that knows words and what it saw.

    A share of the labels of one split is noise: what the words lead to expect is then wrong.
    """

    def __init__(
        self, in_training: float, in_test: float, memory: float, sizes: tuple[int, int, int], seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        inside, apart, _ = sizes
        meant = rng.integers(0, 2, sum(sizes))
        texts = [f"{' '.join(rng.choice(WORDS[('train', 'test')[side]], 3))} {i:05}" for i, side in enumerate(meant)]
        share = np.where(np.arange(sum(sizes)) < inside + apart, in_training, in_test)
        noise = rng.random(sum(sizes)) < share
        whole = examples(np.where(noise, 1 - meant, meant), texts=texts)
        rows = np.split(np.arange(sum(sizes)), [inside, inside + apart])
        self.members, self.held_out, self.test = (whole.take(part) for part in rows)
        self.logits = (2 * whole.labels - 1) * (np.where(noise, -2.0, 2.0) + rng.normal(size=sum(sizes)))
        self.logits += np.where(np.arange(sum(sizes)) < inside, memory, 0.0) * (2 * whole.labels - 1)
        self.chances = dict(zip(texts, 1 / (1 + np.exp(-self.logits)), strict=True))
        # Scores of as many members, and others of the same source, as tell what is true.
        sure = np.where(rng.random(200_000) < in_training, -2.0, 2.0) + rng.normal(size=200_000)
        self.truth = float(roc_auc_score(np.arange(200_000) % 2, sure + memory * (np.arange(200_000) % 2)))

    def arguments(self, confidence: float = 0.95) -> dict[str, Any]:
        made = scorer(lambda text: [1 - self.chances[text], self.chances[text]])
        test = replace(self.test, protocol=replace(self.test.protocol, confidence=confidence))
        return {"scorer": made, "members": self.members, "predictions": made.predict(test.texts).on(test)}


@pytest.mark.slow("simulates many data sets", seconds=8)
@pytest.mark.parametrize(("in_training", "in_test"), [(0.2, 0.0), (0.1, 0.0), (0.0, 0.2)])
def test_noise_in_the_labels_of_one_split_does_not_move_what_is_held_against_examples_that_were_held_out(
    in_training: float, in_test: float
) -> None:
    covered = 0
    for seed in range(15):
        world = _Labelled(in_training, in_test, 0.5, (900, 300, 600), seed)
        found = membership.membership_inference(**world.arguments(), held_out=world.held_out)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= world.truth <= found.high
        assert "held out" in found.tables[0].caption
        assert len(found.tables) == 1
    assert covered >= 12


@pytest.mark.parametrize(("in_training", "in_test"), [(0.2, 0.0), (0.0, 0.2)])
def test_noise_in_the_labels_of_one_split_is_a_difference_however_often_one_looks(
    in_training: float, in_test: float
) -> None:
    world = _Labelled(in_training, in_test, 0.0, (900, 300, 600), 1)
    for confidence in (0.95, 0.999999):
        found = membership.membership_inference(**world.arguments(confidence))
        assert judge(found, Gate(max=0.99))[0] is Verdict.INCONCLUSIVE
        assert "by how well labels suit their texts" in found.summary
    alike = _Labelled(0.2, 0.2, 0.0, (900, 300, 600), 1)
    found = membership.membership_inference(**alike.arguments())
    assert judge(found, Gate(max=0.6))[0] is Verdict.PASS


def _world_with_a_slice(memory: float, apart: int, always: bool) -> Measurement:
    """The world whose test texts are of another vocabulary, the model trained without its last training texts."""
    world = _World(("train", "test"), memory, 1500)
    saw = np.arange(1500) < 1500 - apart
    target = world.model(saw, 5)
    predicted = target.predict(world.test.texts).on(world.test)
    held_out = world.train.take(~saw)
    return membership.membership_inference(
        target, world.train.take(saw), predicted, world.twins(always=always), held_out
    )


@pytest.mark.parametrize(("memory", "verdict"), [(0.0, Verdict.PASS), (3.0, Verdict.FAIL)])
def test_against_examples_that_were_held_out_the_model_itself_decides(memory: float, verdict: Verdict) -> None:
    for always in (False, True):
        found = _world_with_a_slice(memory, 500, always)
        assert judge(found, Gate(max=0.6))[0] is verdict
        captions = [str(table.caption) for table in found.tables]
        assert captions[0] == f"Attacks on {membership_evidence.HELD_OUT}"
        assert captions[1:] == [f"Attacks on {membership_evidence.RECIPE}"] * always
        assert any("the model itself that ships" in str(caveat) for caveat in found.caveats) is always


def test_too_few_examples_that_were_held_out_decide_with_test_examples_beside_them() -> None:
    found = _world_with_a_slice(0.0, 60, False)
    assert [str(table.caption) for table in found.tables] == [
        f"Attacks on {source}" for source in (membership_evidence.HELD_OUT, membership_evidence.ITSELF)
    ]
    assert found.estimate == pytest.approx(found.tables[0].rows[0][1])
    assert "held out few examples" in found.summary
    # The test texts differ: the plain attack on them would fail any gate.
    assert float(str(found.tables[1].rows[0][1])) > 0.7
    verdict, reason = judge(found, Gate(max=0.55))
    assert verdict is Verdict.INCONCLUSIVE
    assert "[model.finetune] validation" in reason


def test_twins_that_were_asked_for_decide_where_too_few_examples_were_held_out() -> None:
    found = _world_with_a_slice(3.0, 60, True)
    assert judge(found, Gate(max=0.6))[0] is Verdict.FAIL
    assert f"the verdict rests on {membership_evidence.RECIPE}" in found.summary


def test_texts_that_stand_twice_in_the_training_data_are_left_out_against_those_held_out() -> None:
    made, members, predicted, _ = _made(np.linspace(0.5, 0.9, 40), np.linspace(0.4, 0.8, 30))
    other = members.take(np.arange(30, 40))
    held_out = examples([1] * 12, texts=[*other.texts, members.texts[0], members.texts[1]])
    found = membership.membership_inference(made, members.take(np.arange(30)), predicted, None, held_out)
    assert (found.facts["members"], found.facts["others"], found.n) == (28, 10, 38)
    expected = roc_auc_score([1] * 28 + [0] * 10, np.linspace(0.5, 0.9, 40)[2:])
    assert found.estimate == pytest.approx(expected)
    told = "Of 30 training examples 28 serve here, of 12 that were held out 10."
    assert any(told in str(caveat) for caveat in found.caveats), found.caveats


def test_texts_that_were_trained_on_sixteen_times_are_attacked_where_whole_texts_were_held_out() -> None:
    world = _Labelled(0.2, 0.0, 3.0, (900, 300, 600), 1)
    arguments = world.arguments() | {"members": world.members.take(np.tile(np.arange(900), 16))}
    found = membership.membership_inference(**arguments, held_out=world.held_out)
    assert judge(found, Gate(max=0.65))[0] is Verdict.FAIL
    assert (found.facts["members"], found.facts["others"]) == (900, 300)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= world.truth <= found.high


def test_rows_that_stand_sixteen_times_are_attacked_where_a_recipe_held_out_its_share() -> None:
    world = _World(("train", "test"), 3.0, 1500)
    whole = world.train.take(np.tile(np.arange(1500), 16))
    members, held_out = map(whole.take, split_validation(whole, 0.3, 0))
    target = world.model(world.train.stand_in(members.texts), 5)
    predicted = target.predict(world.test.texts).on(world.test)
    found = membership.membership_inference(target, members, predicted, None, held_out)
    assert judge(found, Gate(max=0.65))[0] is Verdict.FAIL
    assert [str(table.caption) for table in found.tables] == [f"Attacks on {membership_evidence.HELD_OUT}"]
    assert (found.facts["members"], found.facts["others"]) == (1050, 450)
    told = "Of 16,800 training examples 1,050 serve here, of 7,200 that were held out 450. A text counts once"
    assert any(told in str(caveat) for caveat in found.caveats), found.caveats


def test_the_rate_of_members_recognised_is_that_of_the_best_attack_with_its_exact_interval() -> None:
    world = _Labelled(0.0, 0.0, 3.0, (900, 600, 600), 3)
    found = membership.membership_tpr(**world.arguments(), held_out=world.held_out)
    of_auc = membership.membership_inference(**world.arguments(), held_out=world.held_out)
    name = "members recognised at 1 % false alarms"
    facts = [of_auc.facts[key] for key in (name, f"{name}, at least", f"{name}, at most")]
    assert [found.estimate, found.low, found.high] == pytest.approx(facts)
    assert found.estimate is not None
    assert found.estimate > 0.2
    assert judge(found, Gate(max=0.1))[0] is Verdict.FAIL


def test_a_rate_at_one_percent_takes_a_hundred_others() -> None:
    world = _Labelled(0.0, 0.0, 0.0, (900, 300, 98), 3)
    with pytest.raises(NotAssessed, match=r"takes 99 .* and there are 98"):
        membership.membership_tpr(**world.arguments())
