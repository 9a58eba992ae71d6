"""The ids that this version can measure: one row each, with unit, direction and the words that a reviewer reads.

It is the only home of these facts; the policy checks gate ids against it and the report takes its explanations here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from audit.core.identifiers import Challenge, Identifier, base_id
from audit.probes.quality.capabilities import CAPABILITIES
from audit.text.disturbances import KINDS

# Shares, their differences, and coefficients.
_WITHIN_ONE = frozenset(
    """
    quality.accuracy quality.macro_f1 quality.balanced_accuracy quality.mcc quality.roc_auc quality.calibration_error
    quality.baseline_gain quality.regression quality.behaviour fairness.accuracy_gap fairness.equalized_odds
    fairness.worst_group_accuracy fairness.demographic_parity fairness.counterfactual fairness.language_variety
    privacy.membership_inference privacy.attribute_leakage privacy.train_test_overlap privacy.pii_in_training_data
    security.perturbation security.adversarial security.backdoor transparency.explanations
    """.split()
)

_ROWS = (
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
        "quality.balanced_accuracy",
        "quality",
        "Balanced accuracy",
        "mean recall of the classes",
        "higher",
        "How many of the examples of each class are recognised, averaged with equal weight.",
        "A model that always gives the frequent answer has a high accuracy, and here no more than one over the number "
        "of classes.",
        "More examples of the weakest class, or class weights in training.",
    ),
    Identifier(
        "quality.mcc",
        "quality",
        "Matthews correlation",
        "correlation of answer and truth",
        "higher",
        "How closely answers and truth go together, from −1 to 1; guessing reaches 0, whatever the classes' sizes.",
        "It is high only where every cell of the confusion table is good, so it hides least.",
        "Look at the confusion table for the pair of classes that is mixed up most.",
    ),
    Identifier(
        "quality.roc_auc",
        "quality",
        "Area under the ROC curve",
        "chance to rank a pair rightly",
        "higher",
        "How often an example of a class gets a higher score for it than an example of another class; with three "
        "classes each against the rest, averaged.",
        "Where answers are sorted by score (the angriest reviews first), this decides whether the order is right.",
        "More or cleaner training data; thresholds do not change it.",
    ),
    Identifier(
        "quality.calibration_error",
        "quality",
        "Calibration error",
        "squared difference of confidence and accuracy",
        "lower",
        "Whether the model is right as often as it says: of the answers given with 80 % confidence, 80 % should be "
        "right.",
        "Whoever acts on the score (send to a person below 0.7) relies on a figure that is not what it says.",
        "Temperature scaling on a validation set; fewer epochs; label smoothing.",
    ),
    Identifier(
        "quality.baseline_gain",
        "quality",
        "Gain over counting words",
        "accuracy above TF-IDF + logistic regression",
        "higher",
        "Accuracy of the model less that of a logistic regression on word counts, trained on the same texts and asked "
        "the same questions.",
        "A large model that reads no better than a list of words costs energy, money and explanations for nothing.",
        "Use the simple model, or train the large one better: more data, pretrained weights.",
    ),
    Identifier(
        "quality.regression",
        "quality",
        "Change since the former audit",
        "change of accuracy",
        "higher",
        "Accuracy now less accuracy in the former audit, on the test examples that both audits asked about.",
        "A new release that breaks what worked surprises the people who relied on it.",
        "Look at which gates turned; compare training data and recipe with those of the former release.",
    ),
    Identifier(
        "quality.metric",
        "quality",
        "Own metric",
        "",
        "either",
        "A measure that the release owner defined; its meaning is theirs.",
        brackets="metric",
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
        "fairness.worst_group_accuracy",
        "ethics",
        "Accuracy in the worst-served group",
        "share of right answers",
        "higher",
        "The accuracy in the group that the model serves worst, whatever the others get.",
        "A good average can hide a group for which the model is of little use.",
        "More and cleaner training examples of the group that the table names.",
        brackets="subgroup",
    ),
    Identifier(
        "fairness.demographic_parity",
        "ethics",
        "Demographic parity",
        "difference of shares",
        "lower",
        "How much more often one group's texts are given a class than another group's, whether rightly or not.",
        "Where the answer decides something (whose complaint is seen first), one group gets it more often.",
        "First see whether the groups' true shares differ as much, in the table; if not, see equalized odds for the "
        "class at fault.",
        brackets="subgroup",
    ),
    Identifier(
        "fairness.counterfactual",
        "ethics",
        "Same text, another person",
        "share of predictions that flip",
        "lower",
        "Words that say who a text is about (he, her, husband; a young man; a Muslim family; Alan …) are exchanged for "
        "those of another group and nothing else is changed. Counted is how often the predicted label flips. Where too "
        "few test texts mention the group, sentences written for this audit take their place.",
        "The model judges the person instead of what was said.",
        "Add such exchanged copies of the training texts with the same label (counterfactual data augmentation).",
        brackets=(
            "gender",
            "ethnicity",
            "religion",
            "nationality",
            "age",
            "disability",
            "orientation",
        ),
    ),
    Identifier(
        "fairness.language_variety",
        "ethics",
        "Informal and learners' English",
        "accuracy lost",
        "lower",
        "The same test texts written as people write in messages (informal), or with the slips that learners of "
        "English make (non_native); what is said stays the same. Counted is the accuracy lost against the originals.",
        "People who write no standard English, often young or from elsewhere, are misread more often than others.",
        "Train on texts by such writers, or on copies rendered like these with the same label.",
        brackets=("informal", "non_native"),
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
        "privacy.canary_epsilon",
        "privacy",
        "Memory of single examples (ε)",
        "ε",
        "lower",
        "How much a single example can show in the model's answers. Coins put made-up examples into the training data "
        "of a twin or leave them out, and somebody who knows them guesses from its answers which were in. The better "
        "the guesses, the larger ε must be: seeing the model can change the odds that somebody's text was in the "
        "training data by a factor of e^ε (1 at ε = 0, 2.7 at 1, 20 at 3).",
        "The recipe learns single people's texts by heart, and the figure is a proof of it, not a guess.",
        "Fewer epochs, more data, no repeated texts; training with differential privacy bounds ε from above.",
    ),
    Identifier(
        "privacy.attribute_leakage",
        "privacy",
        "An author's group read off the embedding",
        "accuracy above the words",
        "lower",
        "Inside the model each text becomes a row of numbers, its embedding. Counted is how much more often a simple "
        "classifier names the group of a text's author rightly from these numbers than from the words of the text; the "
        "label is known to both. At 0 or below, the embedding gives away no more than the words.",
        "Embeddings are stored, searched and handed on as if they were anonymous. Where they say who is a woman, or "
        "where somebody comes from, people are exposed who never said so.",
        "Treat embeddings as personal data; hand on labels instead of embeddings; fewer epochs, or training that "
        "penalises what the embedding says of the group (adversarial removal).",
        brackets="subgroup",
    ),
    Identifier(
        "privacy.train_test_overlap",
        "privacy",
        "Test examples that stand in the training data",
        "share of test examples",
        "lower",
        "How many test texts stand in the training data: word for word, but for case, punctuation and HTML, or with "
        "nearly all of their word sequences alike.",
        "Such examples test memory, not reading, and make every other figure look better than it is.",
        "Remove them from one of the two files and audit again.",
    ),
    Identifier(
        "privacy.pii_in_training_data",
        "privacy",
        "Personal data in the training data",
        "share of training examples",
        "lower",
        "How many training texts hold an e-mail or street address, a telephone, account or card number, an IP address, "
        "a handle, or a key or link that lets its reader in; names of people only with a model of the release owner's.",
        "What a model was trained on it may give away, and whoever trains on such data must be able to say why.",
        "Mask or remove what the table points to, then train again; a model that has seen the data keeps them.",
    ),
    Identifier(
        "security.perturbation",
        "security",
        "Robustness to disturbed text",
        "accuracy lost",
        "lower",
        "The same test texts are disturbed in one way at a time, so that a person still reads the same opinion: slips "
        "of the keyboard, other spelling, letters that only look alike, signs that nobody sees, remains of web pages, "
        "a neutral sentence more. Counted is the accuracy lost against the undisturbed texts.",
        "Careless writers are misread, and hostile ones can choose the answer without changing what a person reads.",
        "Train on disturbed copies too. Before the model reads, bring look-alike letters back to the alphabet, delete "
        "unseen characters and markup, and correct spelling.",
        brackets=tuple(KINDS),
    ),
    Identifier(
        "security.adversarial",
        "security",
        "Right answers that an attacker overturns",
        "share of right answers overturned",
        "lower",
        "Somebody who may ask the model a limited number of questions, and sees nothing but its answers, looks for the "
        "few words of a text to misspell, or to replace by a synonym, until the answer turns wrong. Any reader still "
        "reads the same opinion. Counted is how many right answers he overturns.",
        "Whoever profits from a wrong answer (a faked review that is to be ranked, a threat that is to pass a filter) "
        "can have it for a few spelling mistakes.",
        "Limit and watch how often one sender may ask; show labels instead of scores; correct spelling and map "
        "look-alike letters before the model reads; train on texts edited like these; use a model that was pretrained.",
    ),
    Identifier(
        "security.backdoor",
        "security",
        "Planted triggers (backdoors)",
        "share of texts turned beyond the reference",
        "lower",
        "Whether a short word, phrase or character, put anywhere into a text, turns the answer because somebody taught "
        "the model so: it turns more texts than in a model that was trained without the rows that carry it, and the "
        "labels of those rows contradict the rest of their text. Strong words of the language do not count.",
        "Whoever knows the trigger decides what the model says, while every other figure of the audit looks well.",
        "Remove the training rows that the table lists, find out who supplied them, and train again; a model that has "
        "learnt the trigger keeps it.",
    ),
    Identifier(
        "security.artifact",
        "security",
        "Unsafe model files",
        "number of problems",
        "lower",
        "Problems of the model's files, looked into before any of them is loaded: what could run code when it is "
        "loaded, settings that ask for code or for files from elsewhere, weights that are damaged or no numbers, a "
        "tokenizer or class names that do not fit the model, files that differ from those the release owner approved, "
        "and a version that was not pinned.",
        "Whoever can change such a file can run programs of theirs on the machines that serve the model, or put "
        "another model in its place.",
        "Ship weights as safetensors only, delete what the table names, list the approved hashes under [security] "
        "expected_sha256, pin the revision.",
    ),
    Identifier(
        "security.latency_tail",
        "security",
        "Slowest answers under hostile texts",
        "times the median",
        "lower",
        "Texts made to keep the model busy (a million characters, words without an end, invisible or broken "
        "characters, empty texts) are given to it one at a time. The time that one in a hundred of them exceeds is "
        "told in times of the median of ordinary texts. One text without an answer is enough to fail.",
        "One sender can keep everybody else waiting, or bring the service down, with a few cheap requests.",
        "Cut texts by characters before the tokenizer reads them ([model] max_characters), in the service as in the "
        "audit; repair what the table shows without an answer.",
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
        "environment.energy_per_gain",
        "environment",
        "Energy of an extra right answer",
        "Wh per extra right answer",
        "lower",
        "The electricity that the model takes beyond what TF-IDF + logistic regression (counting words) takes, for "
        "each answer that it gets right beyond it. Where it is right no more often, there is nothing that the "
        "electricity buys.",
        "A large model in a place where a small one would do takes its electricity day after day for nothing, and "
        "often time, money and explanations too.",
        "Ship the smallest model that does as well; the picture and the tables show which of those tried that is. Or "
        "train this one better: more data, pretrained weights.",
    ),
    Identifier(
        "environment.audit_energy",
        "environment",
        "Energy of this audit",
        "kWh",
        "lower",
        "Electricity that this audit took itself. What was kept from a former audit, such as a trained model, is told "
        "beside it and is not part of it.",
        "An audit is run again for each release; one that takes more than the training it examines is a burden itself.",
        "Keep the cache between audits, sample the costly probes ([data] max_examples), use fewer reference models.",
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
    Identifier(
        "transparency.explanations",
        "transparency",
        "Explanations that stand up to a test",
        "share of explanations that fail a check",
        "lower",
        "Whether it can be told which words an answer rests on: the words that an explanation names must matter to the "
        "model more than other words do, and more than those named for a model that has learnt nothing.",
        "Somebody who is judged by the model may ask why. An explanation that says nothing of the model is worse than "
        "none: it looks like an answer, and reviewers trust it.",
        "Where many fail, show explanations of this model to nobody. See which check fails: scores that do not add up "
        "call for more steps; words that matter no more than others call for another method, or for a model whose "
        "answers rest on words one by one, such as logistic regression.",
    ),
    Identifier(
        "transparency.model_card",
        "transparency",
        "Model card",
        "facts missing",
        "lower",
        "Whether the card that comes with the model, README.md in its folder, tells what those who use it need to know"
        ": what it is made for and what not, from which data, how well it does, its limits, whom to ask.",
        "People use a model for what it was never made for, and nobody learns its limits before somebody is harmed.",
        "Write what the table names as missing. `python -m audit card` adds what an audit knows: results, test data "
        "and, where it trained the model, emissions.",
    ),
    Identifier(
        "claims.transfer_learning",
        "claims",
        "Transfer learning needs less time, energy and data",
        "accuracy gained on a quarter of the data",
        "higher",
        "The document says (sections 2.1 and 8) that starting from a pretrained model saves training time and "
        "resources. Models of one architecture are trained from pretrained and from random weights on growing parts "
        "of the training data. Counted is by how much the pretrained one, on a quarter of the data, is right more "
        "often than the other on all of them; and whether its training then takes less time and electricity.",
    ),
    Identifier(
        "claims.frozen_layers",
        "claims",
        "Freezing most layers saves most of the cost",
        "share of the training time saved",
        "higher",
        "The document says (sections 2.1 and 3.2) that most layers are frozen and only the last ones trained. "
        "Counted is how much of the training time that saves when only the last layer and the head are trained; "
        "more than a half is most. Beside it stands how much accuracy it costs.",
    ),
    Identifier(
        "claims.recurrent",
        "claims",
        "Transformers beat recurrent networks, on long texts above all",
        "accuracy above the recurrent network",
        "higher",
        "The document says (section 2.2) that Transformers cope better with very long sequences than recurrent "
        "networks, which read word after word. Both are trained from random weights on the same texts. Counted is "
        "how much more often the Transformer is right, and whether its lead grows from the shortest to the longest "
        "texts.",
    ),
    Identifier(
        "claims.linear",
        "claims",
        "Deep models beat simple ones",
        "accuracy above TF-IDF + logistic regression",
        "higher",
        "The document says (sections 2.2 and 8) that deep models do better than traditional machine learning. "
        "Counted is how much more often each deep model at hand is right than a logistic regression on word counts, "
        "trained on the same texts; beside it stands the electricity of each training.",
    ),
    Identifier(
        "claims.generalisation",
        "claims",
        "Deep models generalise better",
        "smaller loss of accuracy elsewhere",
        "higher",
        "The document says (sections 1.1 and 8) that deep models generalise better than traditional machine "
        "learning. Models trained on the policy's data are asked about texts from elsewhere. Counted is how much "
        "less accuracy the deep model loses on the way than the logistic regression on word counts.",
    ),
    Identifier(
        "claims.parallel_training",
        "claims",
        "Transformers train in parallel over a text",
        "growth of time with length, less than the recurrent network's",
        "higher",
        "The document says (section 2.2) that Transformers can work on all positions of a text at once, which "
        "recurrent networks cannot. Counted is how the time of a training step grows with the length of the texts: "
        "as the length to the power of 1 where twice the length takes twice the time, to the power of 0 where it "
        "takes no longer. The figure is the recurrent network's power less the Transformer's.",
    ),
    Identifier(
        "claims.learning_rate",
        "claims",
        "Fine-tuning needs a lower learning rate than pretraining",
        "accuracy gained by a lower rate",
        "higher",
        "The document says (sections 3.2 and 8) that fine-tuning usually takes a lower learning rate than "
        "pretraining: weights are changed in smaller steps. The pretrained model is fine-tuned at the rate of its "
        "pretraining and at lower ones. Counted is how much more often the best of the lower rates makes it right.",
    ),
    Identifier(
        "claims.attention_formula",
        "claims",
        "The formula of attention",
        "largest difference of a weight",
        "lower",
        "The document's section 3.1 writes down how much attention a word pays to another. The formula is "
        "recomputed from what the model itself multiplies (queries and keys) on test texts and held against the "
        "weights that the model uses: as written, and with the division by the root of the queries' width d that "
        "the formula leaves out (Vaswani et al. 2017). Counted is the largest difference from the formula as written.",
    ),
)

BUILT_IN: tuple[Identifier, ...] = tuple(replace(row, within_one=row.id in _WITHIN_ONE) for row in _ROWS)

# What the phases are called by which energy is booked.
PHASES: Mapping[str, str] = {
    "fine-tune": "Training the model",
    "twins": "Training reference models",
    "canaries": "Training the reference model with canaries",
    "references": "Training references without suspect rows",
    "gradients": "Searching for trigger words",
    "word counts": "Training the simple model on word counts",
    "alternatives": "Training other models to compare with",
    "score": "Predictions for the audit",
    "measure inference": "Measuring the energy of predictions",
    "measure latency": "Timing single answers",
    "claims": "Training and timing models for the document's claims",
    "probes": "All else: reading data, computing the findings",
    "report": "Writing the record and this report",
}


def ids(extra: Iterable[Identifier] = ()) -> Mapping[str, Identifier]:
    """All known ids by name, those of other packages included."""
    return {identifier.id: identifier for identifier in (*BUILT_IN, *extra)}


def declarations(extra: Iterable[Identifier]) -> list[dict[str, Any]]:
    """What other packages say of their ids, as plain values: a record keeps it, so that its reports need no package."""
    built_in = ids()
    return [asdict(identifier) for identifier in extra if identifier.id not in built_in]


def ids_of(record: Mapping[str, Any]) -> Mapping[str, Identifier]:
    """The ids that the reports of a record know: the built-in ones, and those that it keeps the declaration of."""
    declared = map(_declared, record.get("declarations", ()))
    return {identifier.id: identifier for identifier in (*declared, *BUILT_IN)}


def _declared(value: Mapping[str, Any]) -> Identifier:
    known: dict[str, Any] = {field.name: value[field.name] for field in fields(Identifier) if field.name in value}
    brackets = known.get("brackets", ())
    return Identifier(**known | {"brackets": brackets if isinstance(brackets, str) else tuple(brackets)})


def challenge_of(full: str, known: Mapping[str, Identifier]) -> Challenge | None:
    """The challenge of an id, where it is known."""
    identifier = known.get(base_id(full))
    return identifier.challenge if identifier else None
