"""A whole audit of which one text in so many is computed, and what the whole would take: for models that take hours.

`benchmarks.speed.costs --bert-base` uses it, and says what is scaled by what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audit.inference.feature_attributions import Attribution
from audit.inference.runner import LocalRunner
from audit.inference.scorer import Scorer
from audit.models.model import FineTuning
from audit.run import models
from audit.training import finetune
from audit.training.finetune import Job

NETWORKS = ("score", "gradients")  # phases that are scaled by texts
TIMED = ("measure inference", "measure latency")  # run for a fixed time


class PartRunner:
    """Computes one text in so many; the others get the row of one of like length, and count as passes all the same."""

    def __init__(self, local: LocalRunner, every: int) -> None:
        self.encodings = local.encodings
        self._local, self._every = local, every
        # Of probabilities and of embeddings: how many texts until the next that is computed, and the row of the former.
        self._left: dict[str, tuple[int, Any]] = {}

    def calibrate(self, texts: Sequence[str]) -> None:
        """Leave the batches as they are: to try sizes out would take longer than the part."""

    def rows(self, what: str, pieces: Iterable[Any], bar: Any) -> Any:
        """A row for each encoding, shape (n, width)."""
        made = []
        for piece in pieces:
            order, every = np.argsort(piece.lengths, kind="stable"), self._every
            skip, computed = self._left.get(what, (0, None))
            if skip < len(piece):
                computed = self._local.rows(what, [piece.take(order[skip::every])], bar)
                self._local.counts.forward_passes -= len(computed)
            self._left[what] = (skip - len(piece)) % every, computed[-1:]
            nearest = np.maximum(np.arange(len(piece)) - skip, 0) // every
            rows = np.empty((len(piece), computed.shape[1]), dtype=computed.dtype)
            rows[order] = computed[nearest]
            made.append(rows)
            self._local.counts.forward_passes += len(piece)
        return np.concatenate(made)


class PartScorer(Scorer):
    """Answers as a scorer does, by a part of the work; `every` is set before an audit begins."""

    every = 1

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.runner = PartRunner(self.local, self.every)

    def predict_together(self, batches: Sequence[Sequence[str]]) -> list[Any]:
        """One batch in so many; the others, all of one size, get the rows of the one before."""
        ask = super().predict_together
        made: list[Any] = self._counted(lambda: ask(batches[:: self.every]))
        return [made[i // self.every] for i in range(len(batches))]

    def trigger_scores(self, texts: Any, labels: Any, *arguments: Any, **named: Any) -> Any:
        """Mean gradients over a part of the texts."""
        ask = super().trigger_scores
        return self._counted(lambda: ask(texts[:: self.every], labels[:: self.every], *arguments, **named))

    def attributions(self, texts: Any, targets: Any, shuffled: int | None = None) -> Any:
        """Gradients for a part of the texts; in the others all words weigh the same."""
        ask = super().attributions
        made = iter(self._counted(lambda: ask(texts[:: self.every], targets[:: self.every], shuffled)))
        return tuple(
            next(made) if i % self.every == 0 else _even(text, int(target))
            for i, (text, target) in enumerate(zip(texts, targets, strict=True))
        )

    def _counted(self, work: Callable[[], Any]) -> Any:
        before = self.counts.forward_passes
        made = work()
        self.counts.forward_passes += (self.every - 1) * (self.counts.forward_passes - before)
        return made


def _even(text: str, target: int) -> Attribution:
    spans: list[tuple[int, int]] = []
    for word in text.split():
        start = text.index(word, spans[-1][1] if spans else 0)
        spans.append((start, start + len(word)))
    return Attribution(text, target, tuple(spans), (1.0,) * len(spans), float(len(spans)))


def compute_one_in(every: int) -> None:
    """Have this process's audits compute one text in so many, and train on one example in so many."""
    PartScorer.every = every
    whole = finetune.train_into

    def part(folder: Path, job: Job, *arguments: Any) -> FineTuning:
        settings = job.recipe.settings
        if settings.max_steps:
            settings = settings.model_copy(update={"max_steps": -(-settings.max_steps // every)})
        recipe = replace(job.recipe, settings=settings)
        examples = job.examples.take(np.arange(0, len(job.examples), every))
        return whole(folder, replace(job, recipe=recipe, examples=examples), *arguments)

    # What the audit calls by these names in these modules.
    setattr(models, "Scorer", PartScorer)  # noqa: B010
    setattr(finetune, "train_into", part)  # noqa: B010


def scaled(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The costs of a whole audit with another model, from those of a part of it.

    Parameters
    ----------
    whole : dict
        As :func:`benchmarks.speed.costs.measure` gives it, of an audit that ran whole: its passes and trainings count.
    part : dict
        Of the other model, by :func:`compute_one_in` as many as ``every`` says.
    """
    measured = {each["test"]: each for each in part["tests"]}
    alike = {_kind(each): each for each in part["trainings"]}
    training_of = {each["energy"].get("started"): each for each in whole["trainings"]}
    usual, tests = _a_pass(part), []
    for test in whole["tests"]:
        own = measured[test["test"]]
        # Where time itself is measured, a slower model makes fewer passes; elsewhere a trained one knows how many.
        passes = own["passes"] if _is_timed(own) else test["passes"]
        network = _sum(own, NETWORKS)
        if own["passes"]:
            factor = part["every"] * passes / own["passes"]
            phases = [{"name": "score", **{name: factor * value for name, value in network.items()}}]
        else:  # such as those of models that only the whole audit trained
            phases = [{"name": "score", **{name: passes * value for name, value in usual.items()}}]
        phases += [each for each in own["phases"] if each["name"] not in NETWORKS and not is_training(each, part)]
        for phase in test["phases"]:
            if training := training_of.get(phase["started"]):
                like = alike.get(_kind(training), alike["all"])
                factor = training["steps"] / like["steps"] if "steps" in training else 1
                figures = {name: factor * like["energy"][name] for name in ("seconds", "kwh")}
                phases.append({"name": phase["name"], "started": phase["started"], **figures})
        busy = own["processor_s"] / sum(phase["seconds"] for phase in own["phases"])
        processor_s = busy * sum(phase["seconds"] for phase in phases)
        tests.append({**test, "passes": passes, "phases": phases, "processor_s": processor_s})
    took = {each["started"]: each for test in tests for each in test["phases"] if "started" in each}
    trainings = [
        {**each, "energy": took.get(each["energy"].get("started"), each["energy"])} for each in whole["trainings"]
    ]
    seconds = part["seconds"] - _seconds(part["tests"]) + _seconds(tests)
    processor_s = part["processor_s"] + sum(each["processor_s"] for each in tests)
    processor_s -= sum(each["processor_s"] for each in part["tests"])
    return {**part, "tests": tests, "trainings": trainings, "seconds": seconds, "processor_s": processor_s}


def is_training(phase: dict[str, Any], took: dict[str, Any]) -> bool:
    """Whether a model was trained in a phase of an audit."""
    return any(phase.get("started") == each["energy"].get("started") for each in took["trainings"])


def _kind(training: dict[str, Any]) -> str:
    """What decides, with the network's shape, how long a step takes."""
    if "recipe" not in training:
        return "words"
    return str(training["recipe"]["train"]) if training["base_files"] else "recurrent"


def _is_timed(test: dict[str, Any]) -> bool:
    return any(phase["name"] in TIMED for phase in test["phases"])


def _sum(test: dict[str, Any], names: Sequence[str]) -> dict[str, float]:
    phases = [each for each in test["phases"] if each["name"] in names]
    return {name: sum(each[name] for each in phases) for name in ("seconds", "kwh")}


def _a_pass(part: dict[str, Any]) -> dict[str, float]:
    """Seconds and kWh of one pass, over all tests that measure no time."""
    tests = [each for each in part["tests"] if not _is_timed(each)]
    computed = sum(each["passes"] for each in tests) / part["every"]
    sums = [_sum(each, NETWORKS) for each in tests]
    return {name: sum(each[name] for each in sums) / computed for name in ("seconds", "kwh")}


def _seconds(tests: Sequence[dict[str, Any]]) -> float:
    return sum(float(phase["seconds"]) for test in tests for phase in test["phases"])
