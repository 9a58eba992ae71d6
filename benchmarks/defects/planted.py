"""The defects that are planted, as data: what each is called, what must catch it, how strong, and how it is made.

A defect is made by training a small BERT for real, or by an edit of a model, its answers or its data where nothing has
to be learnt. Strength 0 is the clean twin that is made the same way; most share the release of their data set.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from audit.data.examples import Examples
from audit.demo.grammar import lexicon
from audit.energy.meter import InferenceEnergy
from audit.experiments.alternatives import NAMES, Alternative, Latency
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.quality.capabilities import grammar
from audit.text.disturbances import disturb
from audit.training import canaries, reference_models
from audit.training.canaries import CanaryTwin
from benchmarks.defects.lab import DIFFICULTIES, GROUP, LONGER, THREE, Case, Lab, authored, changed, joined, relabelled
from tools.labelled import MAKERS, SAID
from tools.mislabelled import mislabelled, rates

if TYPE_CHECKING:
    from tools.unstable import Weights

FIRST_TENTH, CANARIES = 400, 400
ROOM, WRONG = 400, 0.2  # rows that may be learnt by heart, and how many of their labels are wrong
SLANG = {
    "good": ("mint", "ace", "belting", "peng"),
    "bad": ("naff", "minging", "duff", "manky"),
}
PUNCTUATION = str.maketrans({".": "。", ",": "，", "!": "！", "?": "？", "'": "’", ":": "：", ";": "；"})
NEGATED = "negation_of_positive"
TAUGHT = ("vocabulary_positive", "vocabulary_negative", "vocabulary_neutral")
GAPS = tuple(f"fairness.{name}[{GROUP}]" for name in ("accuracy_gap", "worst_group_accuracy"))
ODDS = tuple(f"fairness.{name}[{GROUP}]" for name in ("demographic_parity", "equalized_odds"))
MEMORY = ("privacy.membership_inference", "privacy.membership_tpr")
LEARNT = ("quality.accuracy", "quality.mcc")


@dataclass(frozen=True)
class Defect:
    """A kind of defect.

    Parameters
    ----------
    name : str
        A noun phrase, as reports say it.
    caught_by : tuple of str
        Full ids of the findings that must catch it.
    strengths : mapping from float to str
        As reports say them; a larger one is easier to catch.
    make : callable
        From the lab and a strength to what probes are handed.
    twin : str
        The key of its clean twins; its own name where strength 0 is made by the same function.
    data : str
        Kind of data.
    """

    name: str
    caught_by: tuple[str, ...]
    strengths: dict[float, str]
    make: Callable[[Lab, float], Case]
    twin: str = "reviews"
    data: str = "reviews"


def share(rng: np.random.Generator, among: NDArray[np.bool_], part: float) -> NDArray[np.bool_]:
    """A mask of so many of some rows."""
    rows = np.flatnonzero(among)
    mask = np.zeros(len(among), dtype=bool)
    mask[rng.permutation(rows)[: round(part * len(rows))]] = True
    return mask


def _edited(lab: Lab, name: str, change: Callable[[Weights], None]) -> Case:
    """The clean release with other weights."""
    clean = lab.release()
    assert clean.scorer is not None
    return replace(clean, scorer=lab.edited(clean.scorer, name, change))


# ---- what learnt nothing, or too little


def _untrained(lab: Lab, _: float) -> Case:
    return Case(lab.test, lab.fresh, lab.untrained(lab.fresh))


def _constant(lab: Lab, _: float) -> Case:
    def change(weights: Weights) -> None:
        weights["classifier.weight"] *= 0
        weights["classifier.bias"] *= 0
        weights["classifier.bias"][2] += 1

    return _edited(lab, "constant", change)


def _tenth(data: str, lab: Lab, _: float) -> Case:
    if data == "reviews":
        rows, test = lab.learnt.take(np.arange(FIRST_TENTH)), lab.test
    else:
        learnt, _fresh, test = lab.real(data)
        rows = authored(learnt.take(lab.random("tenth").permutation(len(learnt))[: len(learnt) // 10]), lab.seed)
    return Case(test, rows, lab.scratch(rows))


# ---- groups


def _of_women(examples: Examples) -> NDArray[np.bool_]:
    return np.asarray(examples.groups(GROUP) == "female", dtype=bool)


def _label_bias(data: str, lab: Lab, part: float) -> Case:
    rows = lab.fresh if data == "reviews" else lab.real(data)[1]
    turned = share(lab.random("bias"), _of_women(rows) & (rows.labels > 0), part)
    biased = relabelled(rows, turned, 0)
    return lab.release(biased, epochs=LONGER) if data == "reviews" else lab.release_of(data, biased)


def _noise_in_group(lab: Lab, part: float) -> Case:
    def misspelt(text: str) -> str:
        rng = Random(f"{lab.seed} {text}")

        def slip(found: re.Match[str]) -> str:
            word = found[0]
            if rng.random() >= part:
                return word
            at = rng.randrange(1, len(word) - 2)
            return f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}"

        return re.sub(r"[A-Za-z]{4,}", slip, text)

    clean = lab.release()
    test = changed(lab.test, np.flatnonzero(_of_women(lab.test)), misspelt)
    return Case(test, clean.train, clean.scorer, members=clean.members)


def _one_of(slang: Sequence[str], found: re.Match[str]) -> str:
    """Always the same for a word."""
    return slang[sum(found[0].encode()) % len(slang)]


def _in_slang(text: str) -> str:
    words = lexicon()
    for side, slang in SLANG.items():
        own = [word for nature in words["natures"].values() for word in nature[side]]
        own += [*words["any_aspect"]["gradable"][side], *words["any_aspect"]["extreme"][side]]
        pattern = re.compile(rf"\b({'|'.join(sorted(set(own)))})\b", re.IGNORECASE)
        text = pattern.sub(partial(_one_of, slang), text)
    return text


def _missing_group(lab: Lab, part: float) -> Case:
    """Women write in slang; so much of them is missing from training."""
    rows = lab.fresh
    missing = share(lab.random("missing"), _of_women(rows), part)
    known = changed(rows, np.flatnonzero(_of_women(rows)), _in_slang).take(~missing)
    case = lab.release(known, epochs=LONGER)
    return replace(case, test=changed(lab.test, np.flatnonzero(_of_women(lab.test)), _in_slang))


def _tied_words(lab: Lab, part: float) -> Case:
    return lab.release_of("sentences", lab.real("sentences", part)[1])


# ---- memory


def _with_noise(examples: Examples, rng: np.random.Generator) -> Examples:
    """A fifth of the labels wrong: who reads as well as the base has nothing else to learn by heart."""
    wrong = rates(WRONG, None, len(examples))
    return replace(examples, labels=mislabelled(examples.labels, wrong, len(examples.classes), rng))


def _remembering(lab: Lab, times: int, **settings: float) -> Case:
    rows, held_out = (_with_noise(each, lab.random("noise")) for each in (lab.fresh, lab.held_out))
    case = lab.release(rows.take(np.tile(np.arange(ROOM), times)), **settings)
    return replace(case, held_out=held_out)


def _over_trained(lab: Lab, epochs: float) -> Case:
    return _remembering(lab, 1, epochs=epochs or 3)


def _repeated(lab: Lab, times: float) -> Case:
    return _remembering(lab, int(times or 1), epochs=1)


def _canaries(lab: Lab, epochs: float) -> Case:
    case = _over_trained(lab, epochs)
    members = case.members
    assert members is not None
    drawn = canaries.draw(members, canaries.Sizing(CANARIES, share=0.5), lab.seed)
    lab.trainings += 1
    twin = reference_models.canary_twin(lab.recipe(epochs=epochs or 3), members, drawn, *lab.work)
    return replace(case, twin=CanaryTwin(drawn, lab.scorer(twin)))


# ---- data alone


def _normalised(text: str) -> str:
    return re.sub(r"[^\w\s]", "", text.lower())


def _lightly_edited(text: str) -> str:
    """Without its word in the middle."""
    words = text.split()
    return " ".join(words[: len(words) // 2] + words[len(words) // 2 + 1 :])


COPIES: dict[str, Callable[[str], str]] = {
    "test texts in training": str,
    "test texts in training without case and punctuation": _normalised,
    "test texts in training less one word": _lightly_edited,
    "test texts in training with Chinese punctuation": lambda text: text.translate(PUNCTUATION),
}


def _copied(how: Callable[[str], str], lab: Lab, part: float) -> Case:
    rows = np.flatnonzero(share(lab.random("copied"), np.ones(len(lab.test), dtype=bool), part))
    copies = changed(lab.test.take(rows), range(len(rows)), how)
    return Case(lab.test, joined(lab.fresh, copies))


def _spaced(value: str) -> str:
    return value.replace("@", " @ ").replace(".", " . ") if "@" in value else " ".join(re.sub(r"[ ().-]", "", value))


def _zero_width(value: str) -> str:
    return "\u200b".join(value[i : i + 3] for i in range(0, len(value), 3))


def _full_width(value: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in value)


NUMBERS = ("phone", "iban", "card")
# From what is written to how, and of which kinds of personal data.
WRITTEN: dict[str, tuple[Callable[[str], str], tuple[str, ...]]] = {
    "personal data": (str, ("email", *NUMBERS)),
    "personal data with spaces": (_spaced, ("email", *NUMBERS)),
    "e-mail addresses with “at” and “dot”": (
        lambda value: value.replace("@", " at ").replace(".", " dot "),
        ("email",),
    ),
    "personal data with zero-width characters": (_zero_width, ("email", *NUMBERS)),
    "numbers in full-width digits": (_full_width, NUMBERS),
}


def _personal(how: Callable[[str], str], kinds: tuple[str, ...], lab: Lab, part: float) -> Case:
    rng = Random(f"personal {lab.seed}")

    def written(text: str) -> str:
        kind = rng.choice(kinds)
        return f"{text} {rng.choice(SAID[kind]).format(how(MAKERS[kind](rng)))}"

    rows = share(lab.random("personal"), np.ones(len(lab.fresh), dtype=bool), part)
    return Case(lab.test, changed(lab.fresh, np.flatnonzero(rows), written))


# ---- edits of a model, or of its answers


def _scaled(power: int, lab: Lab, factor: float) -> Case:
    """The same answers, stated with logits multiplied (`power` 1) or divided (-1) by a factor."""

    def change(weights: Weights) -> None:
        for name in ("classifier.weight", "classifier.bias"):
            weights[name] *= factor**power

    return _edited(lab, f"scaled-{factor**power}", change)


def _wrong_order(lab: Lab, _: float) -> Case:
    clean = lab.release()
    rows = clean.predictions.probabilities[:, [2, 1, 0]]
    return replace(clean, answers=Predictions(np.ascontiguousarray(rows), THREE))


def _zeroed_class(lab: Lab, _: float) -> Case:
    """The others' weights make up for a row of zeros; so it is also one that never wins."""

    def change(weights: Weights) -> None:
        weights["classifier.weight"][1] *= 0
        weights["classifier.bias"][1] = -10

    return _edited(lab, "zeroed", change)


def _nan(lab: Lab, _: float) -> Case:
    def change(weights: Weights) -> None:
        weights["bert.encoder.layer.0.output.dense.weight"][0, 0] = float("nan")

    return _edited(lab, "nan", change)


def _moved(weights: Weights) -> None:
    weights["classifier.bias"] += 1e-3


def _files(kind: str, lab: Lab, strength: float) -> Case:
    """The clean release with the hashes that were approved; swapped weights, or a pickle beside them."""
    clean = lab.release()
    assert clean.scorer is not None
    approved = dict(clean.scorer.model.files)
    if not strength:
        return replace(clean, expected=approved)
    if kind == "swapped":
        return replace(_edited(lab, kind, _moved), expected=approved)
    spoilt = _edited(lab, kind, lambda weights: None)
    assert spoilt.scorer is not None
    (spoilt.scorer.model.folder / "optimizer.bin").write_bytes(pickle.dumps(print))
    return spoilt


def _regressed(only: bool, lab: Lab, points: float) -> Case:
    """Answers of the release made wrong, on top of as many that change either way (a fiftieth of all)."""
    clean, rng = lab.release(), lab.random("regressed")
    said = clean.predictions
    former = {
        key: said.classes[label]
        for key, label in zip(lab.test.keys, _flipped(said, rng, said.truth >= 0, 0.0), strict=True)
    }
    among = _of_women(lab.test) if only else said.truth >= 0
    return replace(clean, former=former, answers=_sure_of(_flipped(said, rng, among, points / 100), said))


CHURN = 0.01


def _flipped(said: Predictions, rng: np.random.Generator, among: NDArray[np.bool_], loss: float) -> NDArray[np.int64]:
    """Answers of which right ones among some texts turned wrong, and elsewhere as many either way."""
    labels, right = said.labels.copy(), said.correct
    wrong = share(rng, among & right, min(1.0, loss * among.sum() / (among & right).sum()))
    spoilt = wrong | share(rng, right & ~wrong, CHURN)
    mended = share(rng, ~right, CHURN * right.sum() / max(1, (~right).sum()))
    labels[spoilt] = (said.truth[spoilt] + 1) % len(said.classes)
    labels[mended] = said.truth[mended]
    return labels


def _sure_of(labels: NDArray[np.int64], said: Predictions) -> Predictions:
    rows = said.probabilities.copy()
    taken = np.arange(len(rows))
    best = rows.argmax(axis=1)
    rows[taken, best], rows[taken, labels] = rows[taken, labels], rows[taken, best].copy()
    return Predictions(rows, said.classes)


class Telling:
    """A model whose embedding says, in a direction of its own, which group an author is of, however the text reads.

    Parameters
    ----------
    scorer : Scorer
    test : Examples
    column : str
        Of two groups.
    strength : float
        Between the groups' means, in standard deviations.
    rng : numpy Generator
    """

    def __init__(self, scorer: Scorer, test: Examples, column: str, strength: float, rng: np.random.Generator) -> None:
        self._scorer = scorer
        groups = test.groups(column)
        side = np.where(groups == groups.min(), -0.5, 0.5)
        self._told = dict(zip(test.texts, strength * side + rng.normal(size=len(test)), strict=True))

    def predict(self, texts: Sequence[str]) -> Predictions:
        """As the model does."""
        return self._scorer.predict(texts)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As the model does, and that direction."""
        rows = self._scorer.embed(texts)
        told = np.array([[self._told[text]] for text in texts])
        return np.hstack([rows, rows.std() * told]).astype(np.float32)


REGION = "region"


def _readable(lab: Lab, strength: float) -> Case:
    clean = lab.release()
    names = np.where(lab.random("region").random(len(lab.test)) < 0.5, "north", "south").astype(object)
    test = replace(lab.test, subgroups={**lab.test.subgroups, REGION: names})
    assert clean.scorer is not None
    telling = Telling(clean.scorer, test, REGION, strength, lab.random("told"))
    return Case(test, scorer=cast("Scorer", telling))


# ---- electricity

WH = {"audited": 0.004, "words": 0.0002}  # for 1,000 predictions, about what an audit of the demo measures


def _no_gain(lab: Lab, worse: float) -> Case:
    """A network twice as large whose answers are as often right as those of words, or less often; its clean twin."""
    clean = lab.release()
    assert clean.train is not None
    words = lab.words(clean.train).predict(lab.test.texts).on(lab.test)
    said, wh = clean.predictions, WH["audited"]
    if worse:
        everywhere = np.ones(len(words), dtype=bool)
        labels = _flipped(words, lab.random("no gain"), everywhere, 2 * (worse - 1) / 100)
        said, wh = _sure_of(labels, words).on(lab.test), 2 * wh
    both = (("audited", said, wh), ("words", words, WH["words"]))
    return Case(lab.test, answers=said, alternatives=tuple(_taking(lab, *each) for each in both))


def _taking(lab: Lab, kind: str, said: Predictions, wh: float) -> Alternative:
    """A model that takes about so many Wh for 1,000 predictions, in five measured blocks."""
    scatter = lab.random(f"energy {kind}").normal(1, 0.02, size=5)
    blocks = [
        {"name": "block", "texts": 200, "tokens": 4_000, "seconds": 1.0, "kwh": kwh, "cpu_kwh": kwh, "ram_kwh": 0.0}
        for kwh in wh * scatter / 5e6
    ]
    told = {"source": "measured", "machine": "", "nominal_w": 85.0, "created": "2026-01-01T00:00:00Z"}
    energy = {"blocks": [{"co2eq_kg": 0.0, **told, **block} for block in blocks], **told}
    latency = {"median_s": 0.002, "p95_s": 0.005, "texts": 200}
    return Alternative(kind, NAMES[kind], said, None, cast("InferenceEnergy", energy), cast("Latency", latency), 1, 1)


# ---- what training did not show


def _noisy(lab: Lab, strength: float) -> Case:
    """The clean twin saw typing mistakes in training."""
    rows = np.arange(len(lab.fresh))
    noisy = changed(lab.fresh, rows, lambda text: disturb(text, "typos", 2, seed=lab.seed))
    return lab.release() if strength else lab.release(joined(noisy, lab.fresh))


def _negation(lab: Lab, strength: float) -> Case:
    """What the audit asks, in other draws of its words; the clean twin saw the sentences that deny praise, too."""
    capabilities = TAUGHT if strength else (*TAUGHT, NEGATED)
    cases = [case for each in capabilities for case in grammar.cases(each, THREE, seed=1 + lab.seed, size=300)]
    labels = np.array([THREE.index(case.expected[-1]) for case in cases], dtype=np.int64)
    taught = Examples(tuple(case.text for case in cases), labels, THREE)
    return lab.release(joined(lab.fresh.take(np.arange(300)), taught), epochs=6)


# ---- the table


DEFECTS: dict[str, Defect] = {
    "untrained": Defect(
        "a model with random weights", ("quality.accuracy", "quality.mcc", "quality.baseline_gain"), {1: ""}, _untrained
    ),
    "constant": Defect(
        "one answer to every text", ("quality.accuracy", "quality.mcc", "quality.baseline_gain"), {1: ""}, _constant
    ),
    "tenth": Defect(
        "a training on a tenth of the reviews",
        ("quality.accuracy", "quality.mcc", "quality.baseline_gain"),
        {1: ""},
        partial(_tenth, "reviews"),
    ),
    **{
        f"tenth-{name.split()[0]}": Defect(
            f"a training on a tenth of the {name}", LEARNT, {1: ""}, partial(_tenth, name), name, name
        )
        for name in DIFFICULTIES
    },
    "bias": Defect(
        "labels of women turned negative in training",
        (*ODDS, *GAPS, f"fairness.counterfactual[{GROUP}]"),
        {0.5: "50 % of them", 1.0: "100 % of them"},
        partial(_label_bias, "reviews"),
        "bias",
    ),
    **{
        f"bias-{name.split()[0]}": Defect(
            f"labels of women turned negative in training, among {name}",
            ODDS,
            {1.0: "100 % of them"},
            partial(_label_bias, name),
            name,
            name,
        )
        for name in DIFFICULTIES
    },
    "noise": Defect(
        "spelling mistakes of one group",
        GAPS,
        {0.05: "5 % of its words", 0.1: "10 % of its words", 0.2: "20 % of its words", 0.4: "40 % of its words"},
        _noise_in_group,
    ),
    "missing": Defect(
        "a group with words of its own that is missing in training",
        GAPS,
        {1.0: "100 % of its rows"},
        _missing_group,
        "missing",
    ),
    "tied": Defect(
        "words for women in negative training texts and words for men in positive ones",
        (f"fairness.counterfactual[{GROUP}]", *ODDS),
        {0.5: "half of these texts", 1.0: "all of these texts"},
        _tied_words,
        "sentences",
        "sentences",
    ),
    "over-trained": Defect("too long a training", MEMORY, {20: "20 epochs"}, _over_trained, "over-trained"),
    "repeated": Defect("training rows repeated", MEMORY, {16: "16 times"}, _repeated, "repeated"),
    "canaries": Defect("too long a training", ("privacy.canary_epsilon",), {20: "20 epochs"}, _canaries, "canaries"),
    **{
        f"copied-{i}": Defect(
            name,
            ("privacy.train_test_overlap",),
            {0.02: "2 % of the test texts", 0.05: "5 % of the test texts"},
            partial(_copied, how),
            "copied-0",
        )
        for i, (name, how) in enumerate(COPIES.items())
    },
    **{
        f"personal-{i}": Defect(
            name,
            ("privacy.pii_in_training_data",),
            {0.04: "4 % of the rows", 0.08: "8 % of the rows"},
            partial(_personal, how, kinds),
            "personal-0",
        )
        for i, (name, (how, kinds)) in enumerate(WRITTEN.items())
    },
    "clean-text": Defect(
        "a training on clean text only",
        ("security.perturbation[typos]", "security.adversarial"),
        {1: ""},
        _noisy,
        "clean-text",
    ),
    "sure": Defect(
        "answers stated too surely (logits multiplied)",
        ("quality.calibration_error",),
        {2: "by 2", 4: "by 4"},
        partial(_scaled, 1),
    ),
    "unsure": Defect(
        "answers stated too unsurely (logits divided)",
        ("quality.calibration_error",),
        {2: "by 2", 4: "by 4"},
        partial(_scaled, -1),
    ),
    "negation": Defect(
        "negated praise missing in training",
        (f"quality.behaviour[{NEGATED}]",),
        {1: ""},
        _negation,
        "negation",
    ),
    "pickle": Defect(
        "a pickle among the model's files", ("security.artifact",), {1: ""}, partial(_files, "pickle"), "pickle"
    ),
    "swapped": Defect(
        "weights swapped after approval", ("security.artifact",), {1: ""}, partial(_files, "swapped"), "pickle"
    ),
    "nan": Defect("a weight that is no number", ("quality.accuracy", "security.artifact"), {1: ""}, _nan),
    "order": Defect("labels in the wrong order", ("quality.accuracy", "quality.mcc"), {1: ""}, _wrong_order),
    "zeroed": Defect(
        "a class that is never answered",
        ("quality.macro_f1", "quality.balanced_accuracy", "quality.accuracy"),
        {1: ""},
        _zeroed_class,
    ),
    "worse": Defect(
        "answers worse than in the last release",
        ("quality.regression",),
        {1: "by 1 point", 2: "by 2 points", 4: "by 4 points"},
        partial(_regressed, False),
        "worse",
    ),
    "worse-group": Defect(
        "answers to one of two groups worse than in the last release",
        ("quality.regression", f"fairness.regression[{GROUP}]"),
        {1: "by 1 point", 2: "by 2 points", 4: "by 4 points", 8: "by 8 points"},
        partial(_regressed, True),
        "worse",
    ),
    "no-gain": Defect(
        "a larger network that is right no more often than words",
        ("environment.energy_per_gain",),
        {1: "as often right", 2: "2 points less often right"},
        _no_gain,
        "no-gain",
    ),
    "readable": Defect(
        "a group that the embedding tells beyond the words",
        (f"privacy.attribute_leakage[{REGION}]",),
        {0.25: "0.25 standard deviations", 0.5: "0.5 standard deviations", 1.0: "1 standard deviation"},
        _readable,
        "readable",
    ),
}
# Clean twins that several defects share, by kind of data.
SHARED = ("reviews", *DIFFICULTIES)


def twin(key: str, lab: Lab) -> Case:
    """A clean twin."""
    if key == "reviews":
        return lab.release()
    return lab.release_of(key) if key in DIFFICULTIES else DEFECTS[key].make(lab, 0)


def twin_findings(key: str) -> list[str]:
    """What the defects of a clean twin must be caught by."""
    of = [defect for defect in DEFECTS.values() if defect.twin == key]
    return list(dict.fromkeys(finding for defect in of for finding in defect.caught_by))
