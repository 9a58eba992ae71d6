"""The ids that this version can measure: one row each, with unit, direction and the words that a reviewer reads.

It is the only home of these facts; the policy checks gate ids against it and the report takes its explanations here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from audit.probes.capabilities import CAPABILITIES

Challenge = Literal["quality", "ethics", "privacy", "security", "environment", "transparency"]
CHALLENGES: tuple[Challenge, ...] = (
    "ethics",
    "privacy",
    "security",
    "environment",
    "quality",
    "transparency",
)


@dataclass(frozen=True)
class Identifier:
    """What one id means.

    Parameters
    ----------
    id : str
        As in gates and findings, without brackets.
    unit : str
        Unit of the estimate; the empty string for a pure ratio.
    better : {"higher", "lower"}
        Direction; a gate in the other direction is refused.
    brackets : tuple of str or "subgroup"
        What may stand in brackets behind the id: each subgroup column of the policy, or these kinds.
    meaning, harm, remedy : str
        What is measured; who is harmed where it is bad; what helps. One or two plain sentences each.
    """

    id: str
    challenge: Challenge
    title: str
    unit: str
    better: Literal["higher", "lower"]
    meaning: str
    harm: str = ""
    remedy: str = ""
    brackets: tuple[str, ...] | Literal["subgroup"] = ()

    def expand(self, subgroups: Iterable[str]) -> tuple[str, ...]:
        """All full ids that a gate on this id applies to."""
        brackets = tuple(subgroups) if self.brackets == "subgroup" else self.brackets
        return tuple(f"{self.id}[{bracket}]" for bracket in brackets) or (self.id,)


BUILT_IN: tuple[Identifier, ...] = (
    Identifier(
        "quality.accuracy",
        "quality",
        "Accuracy",
        "share of right answers",
        "higher",
        "How many of the test examples the model labels as people did.",
        "Every user of the product bears the wrong answers: a complaint that is read as praise is not answered.",
        "More or cleaner training data, a larger model, more epochs; look at the confusion table for the class that "
        "is missed most.",
    ),
    Identifier(
        "quality.macro_f1",
        "quality",
        "Macro F1",
        "mean F1 score of the classes",
        "higher",
        "Precision and recall of each class, averaged with equal weight, so that a rare class counts as much as a "
        "frequent one.",
        "Where it lies far below the accuracy, the model does well only on the frequent classes.",
        "More examples of the weakest class, or class weights in training.",
    ),
    Identifier(
        "quality.behaviour",
        "quality",
        "Language capability",
        "share of cases that fail",
        "lower",
        "Short sentences, which any reader understands alike, ask for one capability at a time: plain praise and "
        "blame, negation, contrast, change over time, the opinion of others; or that the answer stays the same where "
        "a name or a date is exchanged. Counted is how often the model fails.",
        "Writers who negate, compare or quote others are read as saying the opposite of what they said, however high "
        "the accuracy on the test examples is.",
        "Look at the failing sentences; add training texts of the kind that fails, or use a model that was pretrained "
        "on more text.",
        brackets=CAPABILITIES,
    ),
    Identifier(
        "fairness.accuracy_gap",
        "ethics",
        "Accuracy gap between groups",
        "difference of accuracies",
        "lower",
        "The accuracy of the group that the model serves best, less that of the group that it serves worst.",
        "The opinions of the worst-served group are misread more often than those of others.",
        "Look at the group's row in the table: too few of its examples in training, or labels of lower quality there, "
        "are the usual reasons.",
        brackets="subgroup",
    ),
    Identifier(
        "fairness.equalized_odds",
        "ethics",
        "Equalized odds",
        "largest difference of rates",
        "lower",
        "For each class, how much more often one group's examples are rightly given that class (true-positive rate), "
        "or wrongly given it (false-positive rate), than another group's. The largest of these differences counts.",
        "People whose opinion is the same are treated differently because of the group that they belong to.",
        "Balance the groups within each class in the training data, check the labels of the group named in the table, "
        "or choose thresholds per class on a validation set.",
        brackets="subgroup",
    ),
    Identifier(
        "fairness.counterfactual",
        "ethics",
        "Same text, another person",
        "share of predictions that flip",
        "lower",
        "Words that say who a text is about (he, her, husband, actress …) are exchanged for their counterparts and "
        "nothing else is changed. Counted is how often the predicted label flips.",
        "The model judges the person instead of what was said.",
        "Add such exchanged copies of the training texts with the same label (counterfactual data augmentation).",
        brackets=("gender",),
    ),
    Identifier(
        "privacy.membership_inference",
        "privacy",
        "Membership inference",
        "AUC of the attack; 0.5 is guessing",
        "lower",
        "Whether somebody who knows a text and its label can tell from the model's answer that the text was in the "
        "training data.",
        "A person's presence in the training data can be a secret in itself, and what identifies members is the first "
        "step to getting the data out.",
        "Fewer epochs, more data, regularisation, or training with differential privacy.",
    ),
    Identifier(
        "privacy.train_test_overlap",
        "privacy",
        "Test examples that stand in the training data",
        "share of test examples",
        "lower",
        "How many test texts stand word for word in the training data.",
        "Such examples test memory, not reading, and make every other figure look better than it is.",
        "Remove them from one of the two files and audit again.",
    ),
    Identifier(
        "security.perturbation",
        "security",
        "Robustness to disturbed text",
        "accuracy lost",
        "lower",
        "The same test texts are disturbed in a way that a human reader would hardly mind; counted is the accuracy "
        "lost against the undisturbed texts.",
        "Careless or hostile writers can change the answer without changing what they say.",
        "Train on disturbed copies too, or correct spelling before the model reads.",
        brackets=("typos",),
    ),
    Identifier(
        "security.artifact",
        "security",
        "Unsafe model files",
        "number of problems",
        "lower",
        "Files of the model that could run code when somebody loads them, code that the configuration asks for, and "
        "weights that were not pinned to one version.",
        "Whoever can change such a file can run code on the machines that serve the model.",
        "Ship weights as safetensors only, delete pickled files, pin the revision.",
    ),
    Identifier(
        "environment.training_energy",
        "environment",
        "Energy of the training",
        "kWh",
        "lower",
        "Electricity that the fine-tuning of this model took on the machine that trained it.",
        "Electricity costs money and, where it is not clean, warms the climate.",
        "Fewer epochs, frozen layers, a smaller model, a GPU instead of a CPU.",
    ),
    Identifier(
        "environment.inference_energy",
        "environment",
        "Energy of 1,000 predictions",
        "Wh per 1,000 predictions",
        "lower",
        "Electricity that 1,000 predictions take on this machine, for texts like those of the test data.",
        "This cost recurs with each use and soon exceeds that of the training.",
        "A smaller or distilled model, 8-bit weights, larger batches, shorter texts.",
    ),
    Identifier(
        "transparency.provenance",
        "transparency",
        "Provenance",
        "facts missing",
        "lower",
        "Whether the record holds what somebody needs to make this model and this audit again: fingerprints, "
        "versions, seeds, the recipe, the data.",
        "Without it nobody can check later what was released and why.",
        "Supply what the table names as missing.",
    ),
)


def ids(extra: Iterable[Identifier] = ()) -> Mapping[str, Identifier]:
    """All known ids by name, those of other packages included."""
    return {identifier.id: identifier for identifier in (*BUILT_IN, *extra)}


def base_id(full: str) -> str:
    """The id without its bracket: ``fairness.equalized_odds[gender]`` to ``fairness.equalized_odds``."""
    return full.split("[", 1)[0]


def challenge_of(full: str) -> Challenge | None:
    """The challenge of a built-in id."""
    known = {identifier.id: identifier.challenge for identifier in BUILT_IN}
    return known.get(base_id(full))
