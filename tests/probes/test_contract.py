"""Each probe of the catalogue holds to what an audit, its record and its reports rely on; and who does not, is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from safetensors.numpy import save_file

from audit import (
    Alarm,
    Fact,
    Facts,
    Gate,
    Looks,
    NotAssessed,
    Pair,
    Pairs,
    Probe,
    Result,
    Sentence,
    Table,
    in_batches,
    statistics,
)
from audit.core.evidence import Evidence
from audit.core.probe import DeclaredProbe
from audit.core.verdict import Verdict, judge
from audit.data.examples import UNLABELLED, Examples
from audit.experiments.runs import Trained
from audit.inference.feature_attributions import Attribution
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.models import model_card
from audit.models.model import Model
from audit.probes import catalogue, methods
from audit.probes.quality.quality import accuracy
from audit.testing import PLANTED, _Change, _inside, check_probe
from audit.training.canaries import CanaryTwin
from tests.helpers import ROOT, THREE, TWO, examples, predictions, scorer
from tests.models.test_model_card import FULL
from tests.probes import test_slices as sliced
from tests.probes.claims import test_claims as claims
from tests.probes.environment import test_environment as energy
from tests.probes.environment import test_smaller as smaller
from tests.probes.ethics import test_counterfactual as people
from tests.probes.ethics import test_varieties as varieties
from tests.probes.privacy import test_canary as canary
from tests.probes.quality import test_behaviour as behaviour
from tests.probes.quality import test_drift as drifting
from tests.probes.quality import test_ordinal as ordinal
from tests.probes.quality import test_quality as quality
from tests.probes.quality import test_shortcut as cued
from tests.probes.quality import test_stability as unstable
from tests.probes.security import test_adversarial as attacks
from tests.probes.security import test_backdoor as backdoors
from tests.probes.security import test_latency as latency
from tests.probes.security import test_perturbation as disturbed
from tests.probes.transparency import test_explanations as explained

Arguments = Mapping[str, Any]
PROBES = {probe.id: probe for probe in catalogue.probes()}


@dataclass(frozen=True)
class Case:
    """What :func:`check_probe` asks for."""

    gate: Gate | float
    passes: Arguments
    fails: Arguments
    refuses: Sequence[Arguments] = ()
    shuffled: Arguments | None = None


def _case(
    gate: Gate | float, arguments: Callable[[Any], Arguments], good: Any, bad: Any, *refuses: Arguments, **more: Any
) -> Case:
    """A case whose arguments are a function of how good the model is."""
    return Case(gate, arguments(good), arguments(bad), refuses, **more)


def _plain(text: str) -> str:
    """A text without what was planted in it, for stand-ins that know their texts by heart."""
    return text.replace(PLANTED, "")


def _by_heart(rule: Callable[[str], Sequence[float]]) -> Scorer:
    return scorer(lambda text: rule(_plain(text)))


def _said(label: int, texts: Sequence[str], **protocol: Any) -> Predictions:
    """Right answers of one class to all texts."""
    return predictions([label] * len(texts), examples([label] * len(texts), texts=texts, **protocol))


# ---- quality


def _answers(right: float, seed: int = 0) -> Predictions:
    """Predictions of three classes, right in about this share of 600."""
    truth, chance = np.arange(600) % 3, np.random.default_rng(seed).random(600)
    return predictions(np.where(chance < right, truth, (truth + 1) % 3), examples(truth, THREE))


def _of_answers(_: Path) -> Case:
    return _case(0.8, lambda right: {"predictions": _answers(right)}, 0.95, 0.5)


def _ordered(gate: float) -> Callable[[Path], Case]:
    def answers(far: float) -> Arguments:
        """Five stars, of which this share is missed by two."""
        truth, chance = np.arange(1500) % 5, np.random.default_rng(0).random(1500)
        said = np.where(chance < far, (truth + 2) % 5, truth)
        return {"predictions": predictions(said, examples(truth, ordinal.STARS, order=ordinal.STARS))}

    return lambda _: _case(gate, answers, 0.05, 0.6, {"predictions": _answers(0.9)}, {"predictions": _two_classes()})


def _two_classes() -> Predictions:
    return predictions([0, 1] * 50, examples([0, 1] * 50))


def _roc_auc(_: Path) -> Case:
    one_of_a_class = predictions([0, 1, 1], examples([0, 1, 1]))
    return replace(_of_answers(_), refuses=[{"predictions": one_of_a_class}])


def _calibration(_: Path) -> Case:
    few = {"predictions": quality._stated(19, 4)}
    return _case(0.01, lambda lie: {"predictions": quality._stated(4000, 1, lie)}, 0.0, 0.2, few)


def _own_metric(_: Path) -> Case:
    def share(said: ArrayLike, truth: ArrayLike) -> float:
        return float(np.mean(np.asarray(said) == np.asarray(truth)))

    rest = {"own_metric": "mine", "metric": share}
    return _case(Gate(min=0.8), lambda right: {"predictions": _answers(right), **rest}, 0.95, 0.5)


def _baseline_gain(_: Path) -> Case:
    words = _answers(0.7, 1)
    return _case(0.02, lambda right: {"predictions": _answers(right), "word_counts": words}, 0.95, 0.5)


def _former(said: Predictions) -> dict[tuple[str, str, int], str]:
    """What a former audit knows of such answers, also of the same texts with what is planted in them."""
    known = said.known
    planted = replace(known, texts=tuple(f"{text}{PLANTED}" for text in known.texts))
    answers = [said.classes[i] for i in said.labels]
    return {key: answer for about in (known, planted) for key, answer in zip(about.keys, answers, strict=True)}


def _since(gate: float, good: float, bad: float, _: Path) -> Case:
    former = _answers(0.8)
    nothing = {"predictions": former, "former": None}
    return _case(gate, lambda right: {"predictions": _answers(right), "former": _former(former)}, good, bad, nothing)


def _data(_: Path) -> Case:
    def written(text: str) -> dict[str, Any]:
        texts = [text.format(i) for i in range(40)]
        test = examples([0, 1] * 20, texts=texts)
        return {"test_data": test, "train_data": test, "predictions": predictions(test.labels, test)}

    return _case(0.1, written, "a fine pot {}", "a fine cafÃ© {}<br />")


def _label_noise(_: Path) -> Case:
    def second(others: int) -> dict[str, Any]:
        """A second label of 400, which is another one for so many of them."""
        answers = _answers(0.9)
        relabelled = answers.truth.copy()
        relabelled[: 3 * others : 3] = 1
        relabelled[400:] = UNLABELLED
        test = replace(answers.known, second=relabelled, rows=np.arange(1, len(answers) + 1))
        return {"predictions": answers.on(test), "relabel_texts": True}

    return _case(0.02, second, 0, 60)


def _behaviour(_: Path) -> Case:
    rest = {"classes": TWO, "capability": "negation_of_positive"}
    knows, counts = scorer(behaviour._oracle("negation_of_positive", TWO)), scorer(behaviour._bag)
    german = {"scorer": counts, **rest, "protocol": examples([0], language="de").protocol}
    nameless = {"scorer": counts, **rest, "classes": ("1", "2")}
    return _case(0.25, lambda model: {"scorer": model, **rest}, knows, counts, german, nameless)


def _stability(_: Path) -> Case:
    texts = [f"text {i}" for i in range(300)]
    rest = {"predictions": _said(1, texts), "kind": "batch"}
    steady = unstable.Batched(lambda batch, i: [0.2, 0.8])
    swayed = unstable.Batched(lambda batch, i: [0.7, 0.3] if len(batch) > 1 and batch[0] < batch[-1] else [0.2, 0.8])
    once, alone = ({"scorer": steady, **rest, "kind": kind} for kind in ("seed", "precision"))
    return _case(0.1, lambda model: {"scorer": model, **rest}, steady, swayed, once, alone)


def _drift(_: Path) -> Case:
    def compared(more: str) -> dict[str, Any]:
        return {**rest, "train_data": drifting._examples(300, 1, more)}

    rest = {"predictions": drifting._test(300), "against": "train"}
    return _case(0.7, compared, "", "alas", {**rest, "train_data": None}, {**rest, "against": "production"})


def _sliced(word: str, _: Path) -> Case:
    about = sliced.marked(4000, 5, word)
    first = word.split()[0]

    def right(there: float) -> dict[str, Any]:
        return {"predictions": sliced.read(about, np.where(sliced.with_word(about, first), there, 0.95))}

    few = {"predictions": _said(0, ["so", "fine"])}
    return _case(0.4, right, 0.95, 0.2, few)


def _shortcut(_: Path) -> Case:
    train, test = (cued.reviews(600, seed, rated=1) for seed in (0, 1))

    def arguments(trusting: bool) -> dict[str, Any]:
        model = cued.Reader(trusting)
        return {"scorer": model, "predictions": model.predict(test.texts).on(test), "train_data": train}

    few = {**arguments(False), "predictions": _said(0, ["so", "fine"])}
    return _case(0.15, arguments, False, True, few)


# ---- ethics


def _grouped(second: float) -> Predictions:
    """Predictions of two groups of 1,500, right in 95 of 100 for the first, for the second as often as that."""
    group, truth = np.repeat([0, 1], 1500), np.arange(3000) % 2
    right = np.random.default_rng(2).random(3000) < np.array([0.95, second])[group]
    # Positive where it is wrong, so that the groups differ in how often they are called positive too.
    return predictions(np.where(right, truth, 1), examples(truth, groups={"g": [f"group {i}" for i in group]}))


def _by_group(gate: float, _: Path) -> Case:
    few = predictions([0, 1], examples([0, 1], groups={"g": ["a", "b"]}))
    of_few = {"predictions": few, "subgroup": "g"}
    return _case(gate, lambda second: {"predictions": _grouped(second), "subgroup": "g"}, 0.95, 0.55, of_few)


def _lost_by_group(_: Path) -> Case:
    former, rest = _grouped(0.95), {"subgroup": "g"}
    arguments = lambda second: {"predictions": _grouped(second), "former": _former(former), **rest}  # noqa: E731
    return _case(0.1, arguments, 0.95, 0.55, {"predictions": former, "former": None, **rest})


def _representation(_: Path) -> Case:
    def people(of_a: int) -> dict[str, Any]:
        groups = ["a"] * of_a + ["b"] * (2000 - of_a)
        return {"test_data": examples([i % 2 for i in range(2000)], groups={"g": groups}), **rest}

    rest = {"subgroup": "g", "reference": {"a": 0.5, "b": 0.5}}
    return _case(0.1, people, 1000, 400)


def _counterfactual(_: Path) -> Case:
    about = examples([i % 2 for i in range(len(people.WOMEN))], texts=people.WOMEN)
    rest = {"predictions": predictions([1] * len(about), about), "axis": "gender"}
    fair, unfair = scorer(people._fair), scorer(people._against("female", "gender"))
    foreign = {"scorer": fair, **rest, "predictions": _said(0, ["ja", "nein"], language="de")}
    return _case(0.05, lambda model: {"scorer": model, **rest}, fair, unfair, foreign)


def _varieties(_: Path) -> Case:
    rest = {"predictions": _said(0, varieties.TEXTS), "kind": "informal"}
    knows = scorer(lambda text: [0.9, 0.1])
    only_standard = scorer(lambda text: [0.9, 0.1] if "because" in text else [0.2, 0.8])
    short = {"scorer": knows, **rest, "predictions": _said(0, ["ok", "fine"])}
    return _case(0.05, lambda model: {"scorer": model, **rest}, knows, only_standard, short)


# ---- privacy


class _Embedder:
    """Answers by chance, and has a row for each text, which tells the group so clearly."""

    def __init__(self, about: Examples, clearly: float) -> None:
        rng, groups = np.random.default_rng(4), about.groups("g")
        self.rows = {text: rng.normal(size=8) for text in about.texts}
        for text, group in zip(about.texts, groups, strict=True):
            self.rows[text][0] += clearly * (group == "g1")

    def predict(self, texts: Sequence[str]) -> Predictions:
        return Predictions(np.full((len(texts), 2), 0.5, np.float32), TWO)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([self.rows[_plain(text)] for text in texts], dtype=np.float32)


def _leakage(_: Path) -> Case:
    rng = np.random.default_rng(3)
    words = [f"word{i}" for i in range(40)]
    texts = [f"{i} {' '.join(rng.choice(words, 8))}" for i in range(600)]
    about = examples(rng.integers(0, 2, 600), texts=texts, groups={"g": [f"g{i}" for i in rng.integers(0, 2, 600)]})
    rest = {"predictions": predictions(about.labels, about), "subgroup": "g"}
    blind = {"scorer": scorer(lambda text: [0.5, 0.5]), **rest}
    return _case(0.2, lambda clearly: {"scorer": _Embedder(about, clearly), **rest}, 0.0, 3.0, blind)


def _attribute(folder: Path) -> Case:
    return replace(_leakage(folder), gate=0.7)


def _membership(gate: float, _: Path) -> Case:
    members, others = (
        examples(np.ones(600), texts=[f"text {i:06}" for i in range(first, first + 600)]) for first in (0, 600)
    )

    def remembering(memory: float) -> dict[str, Any]:
        rng = np.random.default_rng(1)
        logits = np.concatenate([rng.normal(memory, size=600), rng.normal(size=600)])
        sure = dict(zip((*members.texts, *others.texts), 1 / (1 + np.exp(-logits)), strict=True))
        model = _by_heart(lambda text: [1 - sure[text], sure[text]])
        return {"scorer": model, "members": members, "predictions": model.predict(others.texts).on(others)}

    unknown = {**remembering(0.0), "members": None}
    no_others = {**remembering(0.0), "predictions": _said(1, members.texts)}
    return _case(gate, remembering, 0.0, 3.0, unknown, no_others)


def _canary(_: Path) -> Case:
    made = canary.canaries()

    def reader(memory: float, noise: int) -> Scorer:
        return _by_heart(canary.reader(made, memory, noise).rule)  # type: ignore[attr-defined]

    other = reader(0.0, 2)
    return _case(
        1.0, lambda memory: {"twin": CanaryTwin(made, reader(memory, 1)), "scorer": other, "delta": 1e-5}, 0.0, 4.0
    )


def _overlap(_: Path) -> Case:
    train = examples([0, 1] * 50, texts=[f"known {i}" for i in range(100)])

    def with_copies(count: int) -> dict[str, Any]:
        test = examples([0, 1] * 50, texts=[*train.texts[:count], *(f"new {i}" for i in range(count, 100))])
        return {"train": train, "test": test, "predictions": predictions(test.labels, test)}

    return _case(0.1, with_copies, 0, 50, {**with_copies(0), "train": None})


def _personal(_: Path) -> Case:
    def written(text: str) -> dict[str, Any]:
        return {"train": examples([0, 1] * 10, texts=[text.format(i) for i in range(20)])}

    return _case(0.1, written, "a fine pot {}", "write to ann{}@example.org", {"train": None})


# ---- security


def _disturbed(_: Path) -> Case:
    texts = disturbed._reviews()
    known = set(texts)
    firm = scorer(lambda text: [0.1, 0.9])
    fragile = _by_heart(lambda text: [0.1, 0.9] if text in known else [0.9, 0.1])
    rest = {"predictions": _said(1, texts), "kind": "typos"}
    few = {"scorer": firm, "predictions": _said(1, ["ok"] * 5), "kind": "contractions"}
    return _case(0.05, lambda model: {"scorer": model, **rest}, firm, fragile, few)


def _adversarial(_: Path) -> Case:
    texts, labels = attacks._texts(60)
    firm, counts = scorer(lambda text: [0.2, 0.8]), scorer(attacks._counts_words)
    short = {"scorer": firm, "predictions": _said(1, ["fine"])}
    overturned = {"scorer": counts, "predictions": predictions(labels, examples(labels, texts=texts))}
    return Case(0.3, {"scorer": firm, "predictions": _said(1, texts)}, overturned, [short])


def _accuracy_under_attack(_: Path) -> Case:
    texts, labels = attacks._texts(60)
    firm, counts = scorer(lambda text: [0.2, 0.8]), scorer(attacks._counts_words)
    short = {"scorer": firm, "predictions": _said(1, ["fine"])}
    overturned = {"scorer": counts, "predictions": predictions(labels, examples(labels, texts=texts))}
    return Case(0.9, {"scorer": firm, "predictions": _said(1, texts)}, overturned, [short])


def _latency(_: Path) -> Case:
    passes, fails = (latency.times(seconds) for seconds in (latency.flat, latency.quadratic))
    shuffled = {**passes, "ordinary": passes["ordinary"][::-1]}
    return Case(20, {"times": passes}, {"times": fails}, shuffled={"times": shuffled})


def _artifact(folder: Path) -> Case:
    def model(name: str) -> Model:
        (folder / name).mkdir()
        (folder / name / "config.json").write_text("{}", "utf-8")
        (folder / name / "code.py").write_text("", "utf-8") if name == "unsafe" else None
        save_file({"a": np.ones(2)}, folder / name / "model.safetensors")
        return Model("owner/name", folder / name, TWO, 32, pinned=True)

    return _case(0, lambda name: {"model": model(name)}, "clean", "unsafe")


def _backdoor(_: Path) -> Case:
    data, _rows = backdoors.poisoned(backdoors.TRAIN, "cf")
    clean, turned = backdoors.reader(), backdoors.reader(("cf", 1))

    def arguments(model: Scorer, train: Examples, tests: int = 200) -> dict[str, Any]:
        test = backdoors.TEST.take(np.arange(tests))
        said = model.predict(test.texts).on(test)
        return {"scorer": model, "predictions": said, "train": train, "without_rows": backdoors.Retrained(clean)}

    few = arguments(clean, backdoors.TRAIN, 4)
    return Case(0.3, arguments(clean, backdoors.TRAIN), arguments(turned, data), [few])


# ---- environment


def _training_energy(_: Path) -> Case:
    loaded = {"training": None}
    return _case(0.05, lambda kwh: {"training": energy.training(kwh, "measured")}, 0.02, 0.2, loaded)


def _inference_energy(_: Path) -> Case:
    def blocks(kwh: float) -> dict[str, Any]:
        each = [kwh * factor for factor in (1.0, 1.2, 0.9, 1.1, 1.05)]
        return {"blocks": energy.blocks(each, "measured"), "grids": [energy.GERMANY]}

    shuffled = blocks(1e-4)
    shuffled["blocks"]["blocks"].reverse()
    return _case(1.0, blocks, 1e-4, 1e-3, shuffled=shuffled)


def _time(_: Path) -> Case:
    def times(milliseconds: float) -> dict[str, Any]:
        seconds = [milliseconds * (1 + i % 20 / 20) / 1000 for i in range(200)]
        return {
            "seconds": seconds,
            "clock": "processor",
            "machine": "a machine",
            "created": "2026-11-30T00:00:00+00:00",
        }

    reverse = {"times": {**times(10), "seconds": times(10)["seconds"][::-1]}}
    return _case(100, lambda each: {"times": times(each)}, 10, 200, shuffled=reverse)


def _size(folder: Path) -> Case:
    def paths(size: int) -> dict[str, Path]:
        (folder / "weights").mkdir(exist_ok=True)
        path = folder / "weights" / f"{size}.bin"
        with path.open("wb") as file:
            file.truncate(size)
        return {path.name: path}

    return _case(1, lambda size: {"paths": paths(size)}, 1000, 2_000_000, {"paths": {}})


def _energy_per_gain(_: Path) -> Case:
    good, bad = smaller.pair(600, 100), smaller.pair(100, 600)
    alone = {"made": good[:1], "left_out": {}}
    return _case(0.02, lambda pair: {"made": pair, "left_out": {}}, good, bad, alone)


def _audit_energy(_: Path) -> Case:
    one, two = energy.figures(0.02, "measured"), energy.figures(0.01, "measured")
    two["name"] = "y"
    shuffled = {"spent": energy.spent(two, one)}
    return _case(
        0.05, lambda phases: {"spent": energy.spent(*phases)}, (one, two), [one] * 5, shuffled=shuffled
    )  # fmt: skip


# ---- transparency


class _Explainer:
    """A model that adds up the words of a text, and explains itself: truly, or by words drawn at random."""

    def __init__(self, honest: bool) -> None:
        self.honest = honest
        self.weights = {**dict.fromkeys(explained.GOOD, 2.0), **dict.fromkeys(explained.BAD, -2.0)}

    def predict(self, texts: Sequence[str]) -> Predictions:
        scores = np.array([sum(self.weights.get(word, 0.0) for word in text.split()) for text in texts])
        sure = 1 / (1 + np.exp(-scores))
        return Predictions(np.column_stack([1 - sure, sure]).astype(np.float32), explained.CLASSES)

    def attributions(
        self, texts: Sequence[str], targets: NDArray[np.int64], order: int | None = None
    ) -> list[Attribution]:
        return [self._explained(text, int(target), order) for text, target in zip(texts, targets, strict=True)]

    def _explained(self, text: str, target: int, order: int | None) -> Attribution:
        sign, spans = 2 * target - 1, tuple(each.span() for each in re.finditer(r"\S+", text))
        scores = np.array([sign * self.weights.get(text[start:end], 0.0) for start, end in spans])
        if order is not None or not self.honest:
            scores = np.random.default_rng([len(text), order or 0]).permutation(scores)
        return Attribution(text, target, spans, tuple(scores.tolist()), float(scores.sum()))


def _explanations(_: Path) -> Case:
    test = explained.reviews(100, 1)
    said = _Explainer(True).predict(test.texts).on(test)
    silent = {"scorer": scorer(lambda text: [0.2, 0.8]), "predictions": said}
    return _case(0.3, lambda honest: {"scorer": _Explainer(honest), "predictions": said}, True, False, silent)


def _provenance(_: Path) -> Case:
    return _case(0, lambda device: {"facts": {"seed": "0", "device": device}}, "cpu", None)


def _model_card(_: Path) -> Case:
    card = model_card.parse(FULL.encode())
    shuffled = {"card": replace(card, parts=card.parts[::-1])}
    return _case(0, lambda card: {"card": card}, card, model_card.Card(exists=False), shuffled=shuffled)


# ---- claims of the document


def _transfer_learning(_: Path) -> Case:
    seconds = {100: 1.0, 400: 4.0, 1600: 16.0}
    scratch = {size: claims.runs(0.7, took, start=10) for size, took in seconds.items()}

    rest = {"scratch": scratch, "linear": {400: claims.trained(0.65, 30), 1600: claims.trained(0.8, 31)}}

    def pretrained(right: float) -> dict[str, Any]:
        return {"pretrained": {size: claims.runs(right, took) for size, took in seconds.items()}, **rest}

    return _case(0, pretrained, 0.9, 0.5)


def _frozen_layers(_: Path) -> Case:
    whole = claims.runs(0.8, 10.0)
    return _case(0.5, lambda seconds: {"runs": {"all": whole, "last:1": claims.runs(0.75, seconds, start=5)}}, 2.0, 8.0)


def _recurrent(_: Path) -> Case:
    def trainings(right: float, start: int) -> list[Trained]:
        return [Trained(claims.by_length(right, right, start + i)) for i in range(3)]

    other, few = trainings(0.6, 10), [Trained(_said(1, ["so"] * 60))]
    return _case(
        0, lambda right: {"transformer": trainings(right, 0), "recurrent": other}, 0.95, 0.2,
        {"transformer": few, "recurrent": few},
    )  # fmt: skip


def _linear(_: Path) -> Case:
    linear = claims.trained(0.7, 3, 1.0)
    once = [claims.trained(0.95, 9)]
    return _case(0, lambda right: {"deep": {"a": claims.runs(right), "b": once}, "linear": linear}, 0.94, 0.5)


def _generalisation(_: Path) -> Case:
    home, rest = claims.answers(0.85, 0), {"names": ["films"], "left_out": [7]}
    linear = [claims.answers(0.85, 2), claims.answers(0.65, 3)]
    nowhere = {"deep": {}, "linear": linear[:1], "names": [], "left_out": []}
    return _case(
        0, lambda right: {"deep": {"a": [[home, claims.answers(right, i)] for i in (1, 2)]}, "linear": linear, **rest},
        0.85, 0.4, nowhere,
    )  # fmt: skip


def _parallel_training(_: Path) -> Case:
    fast = claims.times(0.2, 1.0)
    backwards = {**fast, "seconds": {kind: seconds[::-1] for kind, seconds in fast["seconds"].items()}}
    return _case(0, lambda power: {"times": claims.times(power, 1.0)}, 0.2, 1.3, shuffled={"times": backwards})


def _learning_rate(_: Path) -> Case:
    high = claims.runs(0.7)
    return _case(
        0, lambda right: {"runs": {1e-3: high, 3e-4: claims.runs(right, start=10)}, "pretraining": 1e-3}, 0.9, 0.5
    )


def _attention_formula(_: Path) -> Case:
    return _case(
        0.01, lambda root: {"attentions": [claims.attention(root)] * 2}, False, True,
        shuffled={"attentions": [claims.attention(False)] * 2},
    )  # fmt: skip


CASES: Mapping[str, Callable[[Path], Case]] = {
    "quality.accuracy": _of_answers,
    "quality.macro_f1": _of_answers,
    "quality.balanced_accuracy": _of_answers,
    "quality.mcc": _of_answers,
    "quality.mean_absolute_error": _ordered(0.5),
    "quality.quadratic_kappa": _ordered(0.7),
    "quality.off_by_more_than_one": _ordered(0.2),
    "quality.roc_auc": _roc_auc,
    "quality.calibration_error": _calibration,
    "quality.metric": _own_metric,
    "quality.baseline_gain": _baseline_gain,
    "quality.regression": partial(_since, -0.1, 0.9, 0.5),
    "quality.flips": partial(_since, 0.2, 0.9, 0.3),
    "quality.behaviour": _behaviour,
    "quality.data": _data,
    "quality.label_noise": _label_noise,
    "quality.stability": _stability,
    "quality.drift": _drift,
    "fairness.representation": _representation,
    "quality.weak_slice": partial(_sliced, "delivery"),
    "quality.shortcut": _shortcut,
    "fairness.hidden_group": partial(_sliced, "wife says"),
    "fairness.accuracy_gap": partial(_by_group, 0.1),
    "fairness.worst_group_accuracy": partial(_by_group, 0.8),
    "fairness.demographic_parity": partial(_by_group, 0.1),
    "fairness.equalized_odds": partial(_by_group, 0.2),
    "fairness.regression": _lost_by_group,
    "fairness.counterfactual": _counterfactual,
    "fairness.language_variety": _varieties,
    "privacy.attribute_leakage": _leakage,
    "privacy.attribute_accuracy": _attribute,
    "privacy.membership_inference": partial(_membership, 0.6),
    "privacy.membership_tpr": partial(_membership, 0.1),
    "privacy.canary_epsilon": _canary,
    "privacy.train_test_overlap": _overlap,
    "privacy.pii_in_training_data": _personal,
    "security.perturbation": _disturbed,
    "security.adversarial": _adversarial,
    "security.accuracy_under_attack": _accuracy_under_attack,
    "security.latency_tail": _latency,
    "security.artifact": _artifact,
    "security.backdoor": _backdoor,
    "environment.training_energy": _training_energy,
    "environment.inference_energy": _inference_energy,
    "environment.latency": _time,
    "environment.size": _size,
    "environment.energy_per_gain": _energy_per_gain,
    "environment.audit_energy": _audit_energy,
    "transparency.explanations": _explanations,
    "transparency.provenance": _provenance,
    "transparency.model_card": _model_card,
    "claims.transfer_learning": _transfer_learning,
    "claims.frozen_layers": _frozen_layers,
    "claims.recurrent": _recurrent,
    "claims.linear": _linear,
    "claims.generalisation": _generalisation,
    "claims.parallel_training": _parallel_training,
    "claims.learning_rate": _learning_rate,
    "claims.attention_formula": _attention_formula,
}
SLOW = {
    "quality.drift": ("fits classifiers", 3),
    "privacy.attribute_leakage": ("fits classifiers", 7), "privacy.attribute_accuracy": ("fits classifiers", 7),
    "privacy.membership_inference": ("fits classifiers", 3), "privacy.membership_tpr": ("fits classifiers", 3),
    "security.backdoor": ("searches triggers", 9), "security.adversarial": ("attacks texts", 8),
    "security.accuracy_under_attack": ("attacks texts", 8),
    "fairness.counterfactual": ("exchanges people in many templates", 2),
    "transparency.explanations": ("explains texts", 3),
}  # fmt: skip


def _parameter(full_id: str) -> Any:
    marks = [pytest.mark.slow(SLOW[full_id][0], seconds=SLOW[full_id][1])] if full_id in SLOW else []
    return pytest.param(full_id, marks=marks)


@pytest.mark.parametrize("full_id", [*map(_parameter, CASES)])
def test_each_probe_holds_to_the_contract(full_id: str, tmp_path: Path) -> None:
    case = CASES[full_id](tmp_path)
    check_probe(PROBES[full_id], folder=ROOT, **{each.name: getattr(case, each.name) for each in fields(case)})


# Whose intervals rest on test examples one by one. The others count templates, machines, trainings or attacks.
OF_EXAMPLES = (
    "quality.accuracy", "quality.macro_f1", "quality.balanced_accuracy", "quality.mcc", "quality.roc_auc",
    "quality.mean_absolute_error", "quality.quadratic_kappa", "quality.off_by_more_than_one",
    "quality.calibration_error", "quality.metric", "quality.baseline_gain", "quality.regression",
    "quality.flips", "quality.stability", "fairness.regression", "fairness.accuracy_gap",
    "fairness.worst_group_accuracy", "fairness.demographic_parity",
    "fairness.equalized_odds", "fairness.representation", "fairness.language_variety", "privacy.attribute_leakage",
    "privacy.attribute_accuracy", "security.perturbation", "security.adversarial", "environment.energy_per_gain",
    "transparency.explanations",
)  # fmt: skip


def _with_clusters(arguments: Arguments, each: int) -> Arguments:
    """Arguments whose examples are of authors of so many rows each, alike in label and groups."""

    def change(value: object) -> object:
        if not isinstance(value, Examples):
            return None
        columns = [value.subgroups[name].tolist() for name in sorted(value.subgroups)]
        rows = sorted(range(len(value)), key=lambda i: (str([c[i] for c in columns]), value.labels[i], value.texts[i]))
        clusters = np.empty(len(value), dtype=np.int64)
        clusters[rows] = np.arange(len(value)) // each
        return replace(value, clusters=clusters)

    return _Change(change)(arguments)


def _bounds(found: Result) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


@pytest.mark.parametrize("full_id", [*map(_parameter, OF_EXAMPLES)])
def test_examples_of_one_author_never_narrow_an_interval_and_are_told(full_id: str, tmp_path: Path) -> None:
    case = CASES[full_id](tmp_path)
    alone, own, together = (PROBES[full_id](**_with_clusters(case.passes, each)) for each in (1, 1, 4))
    for name in ("estimate", "low", "high", "n", "method", "clusters", "design_effect"):
        assert getattr(alone, name) == getattr(PROBES[full_id](**case.passes), name), name
    assert (own.clusters, own.design_effect) == (0, None)
    if not full_id.startswith("privacy."):  # there folds differ too
        assert together.estimate == pytest.approx(alone.estimate, abs=0.02)
        # A bootstrap's end moves by its draws.
        slack = 0.003 if "bootstrap" in alone.method else 1e-9
        assert _bounds(together)[0] <= _bounds(alone)[0] + slack
        assert _bounds(together)[1] >= _bounds(alone)[1] - slack
        assert np.ptp(_bounds(together)) >= np.ptp(_bounds(alone)) - 1e-9
    assert 1 < together.clusters <= together.n
    assert together.design_effect is not None
    assert together.design_effect >= 1
    assert methods.CLUSTERED in together.method
    assert methods.CLUSTERED not in alone.method


def _twice(arguments: Arguments) -> Arguments:
    """Arguments in which each test example stands twice, told as loading tells it: copies are one cluster."""
    about = {id(each.examples) for each in _inside(arguments, Predictions)} | {id(arguments.get("test_data"))}

    def change(value: object) -> object:
        if isinstance(value, Predictions):
            rows = np.repeat(value.rows, 2, axis=0)
            return type(value)(rows, value.classes, value.examples and changed(value.examples))
        if isinstance(value, Examples) and id(value) in about:
            clusters = np.arange(len(value)) if value.clusters is None else value.clusters
            doubled = value.take(np.repeat(np.arange(len(value)), 2))
            return replace(doubled, clusters=np.repeat(clusters, 2))
        return None

    changed = _Change(change)
    return changed(arguments)


# All that is measured on test examples and is no attack: these take their time.
OF_TEST_EXAMPLES = [
    *(name for name in OF_EXAMPLES if not name.startswith(("privacy.", "security.adversarial", "quality.stability"))),
    "quality.data", "quality.label_noise", "quality.weak_slice", "quality.shortcut", "quality.drift",
    "fairness.counterfactual", "fairness.hidden_group", "privacy.train_test_overlap", "privacy.membership_inference",
]  # fmt: skip


@pytest.mark.parametrize("full_id", [*map(_parameter, OF_TEST_EXAMPLES)])
def test_copies_of_test_examples_count_once(full_id: str, tmp_path: Path) -> None:
    case, probe = CASES[full_id](tmp_path), PROBES[full_id]
    gate = case.gate
    if not isinstance(gate, Gate):
        gate = Gate(min=gate) if probe.declaration.better == "higher" else Gate(max=gate)
    for arguments in (case.passes, case.fails):
        doubled = _twice(arguments)
        assert doubled is not arguments
        once, found = probe(**arguments), probe(**doubled)
        assert judge(found, gate)[0] == judge(once, gate)[0]
        if once.low is None or once.high is None or not np.isfinite(once.low):
            continue
        # A bootstrap's end moves by its draws, and a fit by the order of its rows.
        slack = 0.003 if "bootstrap" in once.method or full_id.startswith("privacy.") else 1e-9
        assert _bounds(found)[0] <= _bounds(once)[0] + slack
        assert _bounds(found)[1] >= _bounds(once)[1] - slack


@pytest.mark.parametrize("full_id", ["quality.accuracy", "quality.roc_auc", "fairness.accuracy_gap"])
def test_a_handful_of_authors_leaves_a_verdict_open_and_says_why(full_id: str, tmp_path: Path) -> None:
    case = CASES[full_id](tmp_path)
    arguments = dict(case.passes)
    known = arguments["predictions"].known
    few = replace(known, clusters=np.arange(len(known)) % 4, protocol=replace(known.protocol, cluster="author"))
    arguments["predictions"] = arguments["predictions"].on(few)
    found = PROBES[full_id](**arguments)
    assert not isinstance(case.gate, Gate)
    at_least = PROBES[full_id].declaration.better == "higher"
    verdict, reason = judge(found, Gate(min=case.gate) if at_least else Gate(max=case.gate))
    assert verdict == Verdict.INCONCLUSIVE
    assert "author" in reason or "clusters" in reason


def test_there_is_a_case_for_each_probe() -> None:
    assert set(CASES) == {probe.id for probe in catalogue.built_in()}


# ---- what a probe is told that does not hold to it

ABOUT = examples([0, 1] * 100, texts=[f"fine number {i}" for i in range(200)])
GOOD, BAD = (predictions(said, ABOUT) for said in (ABOUT.labels, 1 - ABOUT.labels))
DECLARED: Mapping[str, Any] = {
    "id": "shop.refunds",
    "challenge": "quality",
    "title": "Refund requests understood",
    "unit": "share",
    "better": "higher",
    "meaning": "Reviews that ask for money back and are called negative.",
    "harm": "Customers wait for an answer.",
    "remedy": "Train on more of them.",
    "counts": "share of refund requests",
    "alarm": Alarm(0.8, "One request in five is overlooked."),
}


def _measure(predictions: Predictions, **other: Any) -> Result:
    right = int(predictions.correct.sum())
    if len(predictions) < 10:
        raise NotAssessed(Sentence("fewer than {least} requests; supply more", least=10))
    interval = statistics.proportion(right, len(predictions))
    figures = {"estimate": interval.estimate, "low": interval.low, "high": interval.high, "n": len(predictions)}
    return Result(**{**figures, "method": "Counted; Clopper and Pearson 1934.", **other})


def _probe(declared: Mapping[str, Any] | None = None, /, **other: Callable[[Predictions], Any]) -> DeclaredProbe[...]:
    """A probe that holds to the contract, but for this."""

    def measure(predictions: Predictions) -> Result:
        return _measure(predictions, **{name: each(predictions) for name, each in other.items()})

    return Probe(**{**DECLARED, **(declared or {})})(measure)


def _check(probe: DeclaredProbe[...], /, **arguments: Any) -> None:
    usual: dict[str, Any] = {"gate": 0.8, "passes": {"predictions": GOOD}, "fails": {"predictions": BAD}}
    few = predictions([0], examples([0]))
    check_probe(probe, **{**usual, "refuses": [{"predictions": few}], **arguments})


def _told(probe: DeclaredProbe[...], /, **arguments: Any) -> str:
    with pytest.raises(AssertionError) as told:
        _check(probe, **arguments)
    message = str(told.value)
    assert message.startswith(f"{probe.id}: ")
    assert message.endswith(".")
    assert "\n" not in message
    return message


def _in_looks(order: Callable[[Examples], NDArray[np.int64]]) -> DeclaredProbe[...]:
    """A probe that measures in looks and takes rows in this order."""

    def measure(predictions: Predictions) -> Looks:
        if len(predictions) < 10:
            raise NotAssessed(Sentence("fewer than {least} requests; supply more", least=10))
        right = predictions.correct[order(predictions.known)]

        def ask(start: int, stop: int) -> Callable[[float], Result]:
            counted = "Counted; Clopper and Pearson 1934."
            return lambda level: Result(*statistics.share(right[:stop], level), stop, counted, level)

        return in_batches(len(right), predictions.known.protocol.confidence, ask)

    return Probe(**DECLARED)(measure)


def test_one_that_is_stopped_must_take_its_rows_as_their_content_draws_them() -> None:
    # The first ten are wrong: whoever begins with the first rows stops later, and with another figure.
    passes = {"predictions": predictions(np.where(np.arange(200) < 10, 1 - ABOUT.labels, ABOUT.labels), ABOUT)}
    _check(_in_looks(lambda known: known.drawn("shop.refunds")), passes=passes)
    assert "test rows in another order change its " in _told(
        _in_looks(lambda known: np.arange(len(known))), passes=passes
    )


def test_one_that_holds_to_it_is_told_nothing() -> None:
    _check(_probe())
    _check(_probe(evidence=lambda said: [Pairs("Texts", [Pair("fine", "→ positive")])]), gate=Gate(min=0.8))


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"id": "refunds"}, "two names with a dot"),
        ({"challenge": "service"}, "no challenge"),
        ({"title": ""}, "title"),
        ({"title": "Refund requests understood."}, "no sentence"),
        ({"meaning": "refunds"}, "its meaning is no sentence"),
        ({"harm": ""}, "its harm"),
        ({"remedy": ""}, "its remedy"),
        ({"counts": ""}, "what the number counts"),
        ({"measured_on": ()}, "measured on"),
        ({"range": (1.0, 0.0)}, "is empty"),
        ({"alarm": None}, "from which value on"),
        ({"alarm": Alarm(0.8, "")}, "why it is worrying"),
        ({"alarm": Alarm(80, "Four in five.")}, "alarm 80 is not in its range"),
        ({"rules": ("MEASURE 9.9",)}, "no standard has a rule 'MEASURE 9.9'"),
        ({"guide": "docs/refunds.md#how"}, "its guide docs/refunds.md does not exist"),
        ({"brackets": ("a", "b")}, "go together"),
        ({"better": "lower"}, "the verdict is"),
        ({"cause": "weather"}, "no cause is called 'weather'"),
        ({"levers": ("pray",)}, "no lever is called 'pray'"),
        ({"severity": "mild"}, "no severity is called 'mild'"),
    ],
)
def test_a_declaration_that_is_not_whole_is_told(declared: Mapping[str, Any], words: str) -> None:
    assert words in _told(_probe(declared))


def test_a_bracket_that_the_function_does_not_take_is_refused_where_it_is_declared() -> None:
    with pytest.raises(TypeError, match="no parameter 'kind' for the bracket"):
        _probe({"brackets": ("a", "b"), "bracket": "kind"})


def test_nothing_is_asked_of_a_direction_that_there_is_not() -> None:
    _check(_probe({"better": "either", "harm": "", "remedy": "", "alarm": None}), gate=Gate(min=0.8))
    assert "give a Gate" in _told(_probe({"better": "either"}))


@pytest.mark.parametrize(
    ("gate", "words"),
    [(Gate(max=0.8), "its gate has a min"), (0.999, "of `passes` the verdict is: shop.refunds"), (0.0, "of `fails`")],
)
def test_a_gate_that_does_not_tell_two_models_apart_is_told(gate: Gate | float, words: str) -> None:
    assert words in _told(_probe(), gate=gate)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"method": lambda said: ""}, "how it was measured"),
        ({"n": lambda said: 0}, "on what it rests"),
        ({"confidence": lambda said: 95}, "confidence = 95"),
        ({"low": lambda said: 0.99, "estimate": lambda said: 0.9}, "does not lie within its interval"),
        ({"high": lambda said: 1.2}, "do not all lie in its range"),
        ({"high": lambda said: float("nan")}, "is no number"),
        ({name: lambda said: None for name in ("estimate", "low", "high")}, "no estimate, and says not why"),
        (
            {"low": lambda said: float("inf"), "estimate": lambda said: None, "high": lambda said: None},
            "nothing bounds",
        ),
    ],
)
def test_figures_that_cannot_be_are_told(other: Mapping[str, Any], words: str) -> None:
    assert words in _told(_probe(**other))


def test_another_id_is_told() -> None:
    @Probe(**DECLARED)
    def probe(predictions: Predictions) -> Result:
        return accuracy(predictions)

    assert "another id, quality.accuracy" in _told(probe, refuses=[])


def test_refusals_are_held_to_it_too() -> None:
    assert "must refuse these arguments, and measures 1" in _told(_probe(), refuses=[{"predictions": GOOD}])
    few = predictions([0], examples([0]))
    assert "refuses what it must measure: fewer than 10 requests" in _told(_probe(), passes={"predictions": few})

    @Probe(**DECLARED)
    def silent(predictions: Predictions) -> Result:
        raise NotAssessed("")

    assert "its refusal is no sentence" in _told(silent)


def test_what_depends_on_the_order_of_rows_is_told() -> None:
    rows = np.repeat([1, 0], 100)
    probe = _probe(
        estimate=lambda said: said.correct.mean() * (0.9 + 0.1 * said.labels[:100].mean()),
        low=lambda said: 0.9 * said.correct.mean(),
    )
    assert "order change its estimate from 1.0 to 0.9" in _told(
        probe, passes={"predictions": predictions(rows, examples(rows))}
    )
    table = {"evidence": lambda said: [Table("First", ["text"], [[said.known.texts[0]]])]}
    assert "order change what it shows, table" in _told(_probe(**table))
    # The order of rows of a table means nothing.
    _check(_probe(evidence=lambda said: [Table("Labels", ["label"], [[int(label)] for label in said.truth])]))


def test_what_a_probe_draws_among_its_rows_must_not_go_by_their_order() -> None:
    mixed = predictions(np.repeat([0, 1], [190, 10]), examples([0] * 200, texts=[f"text {i}" for i in range(200)]))

    def figures(order: Callable[[Predictions], NDArray[np.int64]]) -> dict[str, Any]:
        def drawn(said: Predictions) -> Any:
            return statistics.proportion(int(said.correct[order(said)[:100]].sum()), 100)

        return {name: lambda said, name=name: getattr(drawn(said), name) for name in ("estimate", "low", "high")}

    passes = {"passes": {"predictions": mixed}}
    by_seed = figures(lambda said: np.random.default_rng(0).permutation(len(said)))
    assert "order change its estimate" in _told(_probe(**by_seed), **passes)
    _check(_probe(**figures(lambda said: said.known.drawn("test.probe"))), **passes)


def test_rows_that_cannot_be_shuffled_must_be_given_shuffled() -> None:
    @Probe(**DECLARED)
    def probe(right: Sequence[bool]) -> Result:
        return Result(*statistics.proportion(sum(right), len(right)), len(right), "Counted.")

    arguments: dict[str, Any] = {"passes": {"right": [True] * 50}, "fails": {"right": [False] * 50}, "refuses": []}
    assert "how its rows are shuffled" in _told(probe, **arguments)
    _check(probe, **arguments, shuffled={"right": [True] * 50})


@pytest.mark.parametrize(
    ("piece", "words"),
    [
        (Facts([Fact("odd", object())]), "does not fit the record"),  # type: ignore[arg-type]
        (Table("Empty", ["a"], [[Sentence("{missing} texts")]]), "no value for {missing}"),
        (Pairs("Texts", [Pair("{left}", Sentence("{n} of {all}", n=1))]), "no value for {all}"),
    ],
)
def test_evidence_that_cannot_be_recorded_or_shown_is_told(piece: Evidence, words: str) -> None:
    assert words in _told(_probe(evidence=lambda said: [piece]))


def test_texts_that_leave_a_probe_unmasked_are_told() -> None:
    def shown(said: Predictions) -> list[Evidence]:
        return [Pairs("Texts", [Pair(min(said.known.texts), "→ negative")])]

    assert "personal data of a text stand in the record" in _told(_probe(evidence=shown))

    def tabled(said: Predictions) -> list[Evidence]:
        return [Table("Texts", ["text"], [[min(said.known.texts)]])]

    assert "though the policy withholds texts" in _told(_probe(evidence=tabled))
