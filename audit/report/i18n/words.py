"""Every word that the report says of its own accord, in one place; what the record says is never here.

They are English here, and the keys of the catalogues that :mod:`audit.report.i18n.language` looks them up in: a new
text needs one line here and, after ``python -m audit.report.catalogues``, its translation in each catalogue.
The last ones, of model card and bill of materials, stay English.

Sentences keep to what the evidence supports: "nothing found" is not "safe", and what was not assessed has not passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from audit.core import numbers


class Mark(NamedTuple):
    """How a verdict or state is shown: word, sign and family; never by colour alone."""

    word: str
    sign: str
    kind: str  # holds, fails, open or plain: the families of the style sheet


class Counted(NamedTuple):
    """A text in the form for one, and in that for any other number."""

    one: str
    several: str


RELEASES: Mapping[str, Mark] = {
    "pass": Mark("All limits hold", "✓", "holds"),
    "fail": Mark("Blocked", "✕", "fails"),
    "incomplete": Mark("Incomplete", "–", "open"),
}
# Of an audit that passes though gates do not hold: these are waived, or the policy only warns of them.
ALL_BUT = Counted("All limits hold but one", "All limits hold but {count}")
# In order of weight.
VERDICTS: Mapping[str, Mark] = {
    "fail": Mark("Fail", "✕", "fails"),
    "error": Mark("Error", "!", "fails"),
    "inconclusive": Mark("Inconclusive", "?", "open"),
    "not_assessed": Mark("Not assessed", "–", "open"),
    "not_run": Mark("Not run", "–", "open"),
    "not_exceeded": Mark("Not exceeded", "○", "holds"),
    "pass": Mark("Pass", "✓", "holds"),
    "reported": Mark("Reported", "•", "plain"),
}
UNGATED = Mark("Not assessed", "–", "plain")
# Of a finding that decides nothing since nobody set a gate, and is surely worrying.
ALARM = Mark("Alarm", "!", "open")
ACCEPTED = Mark("Alarm, accepted", "!", "plain")
# State of a challenge, by its weightiest finding: with the singular and the plural form of its sentence.
STATES: Mapping[str, tuple[Mark, Counted]] = {
    "fail": (Mark("", "✕", "fails"), Counted("{count} of {gates} fails", "{count} of {gates} fail")),
    "error": (Mark("", "!", "fails"), Counted("{count} test broke", "{count} tests broke")),
    "inconclusive": (
        Mark("", "?", "open"), Counted("{count} of {gates} is inconclusive", "{count} of {gates} are inconclusive")
    ),
    "not_assessed": (
        Mark("", "–", "open"),
        Counted("{count} of {gates} could not be assessed", "{count} of {gates} could not be assessed"),
    ),
    "not_run": (Mark("", "–", "open"), Counted("{count} of {gates} did not run", "{count} of {gates} did not run")),
    "not_exceeded": (
        Mark("", "○", "partly"),
        Counted("{hold} of {gates} holds, {unexceeded}", "{hold} of {gates} hold, {unexceeded}"),
    ),
    "pass": (Mark("", "✓", "holds"), Counted("The one gate holds", "All {gates} hold")),
    "partly": (
        Mark("", "✓", "partly"),
        Counted("The one gate holds; {missing} not assessed", "All {gates} hold; {missing} not assessed"),
    ),
    "reported": (Mark("", "•", "plain"), Counted("No gate is set", "No gate is set")),
    "nothing": (Mark("", "–", "plain"), Counted("Not audited", "Not audited")),
}  # fmt: skip
GATES = Counted("{count} gate", "{count} gates")
CHALLENGES: Mapping[str, tuple[str, str]] = {
    "ethics": ("Ethics", "Are people treated alike, whoever they are?"),
    "privacy": ("Privacy", "What does the model give away of the people in its training data?"),
    "environment": ("Environment", "What do training and using the model take in electricity?"),
    "security": ("Security", "What can a careless or hostile user, or a hostile file, do?"),
    "quality": ("Quality", "Is the model right often enough to be used at all?"),
    "transparency": ("Transparency", "Could somebody else make this model and this audit again?"),
}
# Optional sections: shown where their suite ran; they count for the verdict only where the policy gates them.
SECTIONS: Mapping[str, tuple[str, str]] = {
    **CHALLENGES,
    "claims": (
        "The document’s claims",
        "Does what the document asserts of large models hold here, measured? These findings describe the claims, not "
        "the model that is to be released.",
    ),
}
OUTCOMES: Mapping[str, Mark] = {
    "supported": Mark("Supported", "✓", "plain"),
    "refuted": Mark("Refuted", "✕", "plain"),
    "not settled": Mark("Not settled", "?", "plain"),
}
OUTCOME_MEANINGS: Mapping[str, str] = {
    "supported": "The claim is supported: the whole interval of each of its parts is on the side that it asserts.",
    "refuted": "The claim is refuted here: the whole interval of at least one of its parts is on the other side.",
    "not settled": "The claim is not settled: the intervals neither support nor refute it.",
}
MEANINGS: Mapping[str, str] = {
    "pass": "The whole interval lies on the allowed side of the gate, or in a full count the figure itself.",
    "not_exceeded": "An attack shows a lower bound only, and that does not exceed the gate. It found no more, which is "
    "no proof that there is no more, so it is not counted among the gates that hold.",
    "fail": "The whole interval lies beyond the gate, or in a full count the figure itself. Chance alone "
    "does not plausibly explain it.",
    "inconclusive": "The interval lies on both sides of the gate: the evidence supports neither a pass nor "
    "a fail. The reason says, where that can be told, how much more evidence would probably settle it.",
    "reported": "It was measured, but the policy sets no gate for it. It decides nothing.",
    "not_assessed": "The evidence needed to measure it is missing. This is not a pass. The reason says "
    "what to supply. Where the policy gates it, it counts as a failure.",
    "error": "The test itself broke before it could measure. Nothing is known; the audit counts it as a failure.",
    "not_run": "It has a gate, but its test was left out of this run or never reached. "
    "Such an audit is incomplete and never passes.",
}
# Of each word its name, how running text writes it (split at "|"; nothing else is linked to it), and its meaning.
GLOSSARY: Mapping[str, tuple[str, str, str]] = {
    "gate": ("Gate", "gate|gates",
     "A limit for one measurement: “at most” or “at least” so much. It is written in the policy "
     "before the audit, by whoever answers for the model."),
    "policy": ("Policy", "policy|policies",
     "The file that says which model and which data are audited, and which gates must hold."),
    "estimate": ("Estimate", "estimate",
     "The figure measured on the examples at hand. Other examples would have given a slightly "
     "different one."),
    "interval": ("Interval", "interval|intervals",
     "The range of true values that agree with the evidence. It becomes narrower as examples "
     "are added."),
    "full-count": ("Full count", "full count|full counts",
     "Everything there is was counted, not a sample of it, so the figure has no interval."),
    "test-examples": ("Test examples", "test example|test examples",
     "Labelled texts on which the model is judged and which it should not have seen in "
     "training."),
    "training-data": ("Training data", "training data",
     "Labelled texts that the model learned from."),
    "class": ("Class", "class|classes",
     "One of the answers that the model can give, such as negative or positive."),
    "group": ("Group", "group|groups",
     "Test examples that share a value in a column of the data, such as the author’s region."),
    "cluster": ("Cluster", "cluster|clusters",
     "Test examples that belong together: of one author or item, or nearly the same text. What the model gets wrong in "
     "one, it often gets wrong in the others, so they say less than as many independent ones."),
    "design-effect": ("Design effect", "design effect|design effects",
     "How many times as many examples it takes to know as much, because some belong together."),
    "true-positive-rate": ("True-positive rate", "true-positive rate|true-positive rates",
     "Of the examples that belong to a class, the share that the model puts there."),
    "false-positive-rate": ("False-positive rate", "false-positive rate|false-positive rates",
     "Of the examples that do not belong to a class, the share that the model puts "
     "there all the same."),
    "f1": ("F1 score", "F1|F1 score|F1 scores",
     "One figure for how completely (recall) and how cleanly (precision) a class is recognised."),
    "auc": ("AUC", "AUC",
     "How often an attacker who is shown one training example and one other text points at the "
     "right one: 0.5 is guessing, 1 is always."),
    "equalized-odds": ("Equalized odds", "equalized odds",
     "People of all groups are misread equally often: true-positive and false-positive rates are "
     "the same for each group."),
    "demographic-parity": ("Demographic parity", "demographic parity",
     "Each answer is given to all groups equally often, whether or not it is right."),
    "counterfactual": ("Counterfactual", "counterfactual|counterfactuals",
     "The same text about another person: only who is meant was changed."),
    "calibration": ("Calibration", "calibration|calibrated",
     "Whether the model is right as often as it claims to be: of the answers given with 90 % certainty, "
     "9 in 10 should be right."),
    "membership-inference": ("Membership inference", "membership inference",
     "Finding out from the model’s answers whether a text was among its training data."),
    "twin": ("Twin", "twin|twins",
     "A second model, trained by the same recipe on a random half of the training data. It is used for the audit only "
     "and never released."),
    "canary": ("Canary", "canary|canaries",
     "A made-up example that is put among the training data of a test model, to see whether that model gives it "
     "away. The test model is trained for this only and never released; the audited model never sees a canary."),
    "epsilon": ("ε (epsilon)", "ε|epsilon",
     "A measure of how much one single training example can change what a model shows: 0 is nothing, "
     "and each step of 1 multiplies an attacker’s odds by up to 2.7."),
    "embedding": ("Embedding", "embedding|embeddings",
     "The numbers inside the model that stand for a text before the answer is made from them."),
    "trigger": ("Trigger, backdoor", "trigger|triggers|backdoor|backdoors",
     "Words that turn the answer whatever else the text says; planted through the training data "
     "by whoever can add texts to them."),
    "fingerprint": ("Fingerprint", "fingerprint|fingerprints",
     "A checksum (SHA-256). If one byte of the model or data changes, so does its "
     "fingerprint."),
    "co2eq": ("g CO₂eq", "g CO₂eq|CO₂eq",
     "Grams of greenhouse gases, expressed as the amount of carbon dioxide that warms the "
     "climate as much."),
}  # fmt: skip
RECIPE: Mapping[str, str] = {
    "epochs": "Passes over the training data (epochs)",
    "max_steps": "Steps at most",
    "batch_size": "Examples in a step (batch size)",
    "learning_rate": "Learning rate",
    "warmup_ratio": "Share of the steps with a rising rate",
    "weight_decay": "Weight decay",
    "max_grad_norm": "Gradients clipped at",
    "adam_epsilon": "Epsilon of AdamW",
    "validation": "Share held out to watch the training",
    "group_by_length": "Batches of texts of like length",
    "compile": "Compiled before the training (torch.compile)",
    "train": "Layers that are trained",
    "initialise": "Starts from",
    "seed": "Seed",
}
RECIPE_VALUES: Mapping[tuple[str, object], str] = {
    ("max_steps", 0): "no limit",
    ("max_grad_norm", 0): "not clipped",
    ("weight_decay", 0): "none",
    ("warmup_ratio", 0): "none",
    ("train", "all"): "all",
    ("train", "head"): "the last layer (head) only",
    ("initialise", "scratch"): "random weights",
    ("initialise", "pretrained"): "pretrained weights",
}
HISTORY: Mapping[str, str] = {
    "epoch": "epoch",
    "loss": "training loss",
    "validation_accuracy": "validation accuracy",
    "validation_loss": "validation loss",
}
SOURCES: Mapping[str, str] = {"measured": "measured", "estimated": "estimated"}
# What a measurement can rest on, by the name that records give it.
SAMPLES: Mapping[str, Counted] = {
    "test examples": Counted("{n} test example", "{n} test examples"),
    "test examples in both audits": Counted("{n} test example in both audits", "{n} test examples in both audits"),
    "test texts": Counted("{n} test text", "{n} test texts"),
    "training examples": Counted("{n} training example", "{n} training examples"),
    "members and others": Counted("{n} member or other", "{n} members and others"),
    "texts that mention a person": Counted("{n} text that mentions a person", "{n} texts that mention a person"),
    "templates": Counted("{n} template", "{n} templates"),
    "templates of your file": Counted("{n} template of your file", "{n} templates of your file"),
    "attacked texts": Counted("{n} attacked text", "{n} attacked texts"),
    "hostile texts": Counted("{n} hostile text", "{n} hostile texts"),
    "texts that were timed": Counted("{n} text that was timed", "{n} texts that were timed"),
    "cases": Counted("{n} case", "{n} cases"),
    "canaries": Counted("{n} canary", "{n} canaries"),
    "blocks": Counted("{n} block", "{n} blocks"),
    "training runs": Counted("{n} training run", "{n} training runs"),
    "trainings each": Counted("{n} training each", "{n} trainings each"),
    "rounds": Counted("{n} round", "{n} rounds"),
    "weights of attention": Counted("{n} weight of attention", "{n} weights of attention"),
    "audits": Counted("{n} audit", "{n} audits"),
    "files": Counted("{n} file", "{n} files"),
    "texts": Counted("{n} text", "{n} texts"),
    "test texts that it changes": Counted("{n} test text that it changes", "{n} test texts that it changes"),
    "texts of both samples": Counted("{n} text of both samples", "{n} texts of both samples"),
    "test examples with a second label": Counted(
        "{n} test example with a second label", "{n} test examples with a second label"
    ),
    "explanations": Counted("{n} explanation", "{n} explanations"),
    "facts": Counted("{n} fact", "{n} facts"),
}
IN_CLUSTERS = "{basis}, some of which belong together ({clusters} clusters)"
IN_CLUSTERS_ALIKE = "{basis}, some of which belong together ({clusters} clusters, design effect {effect})"
IN_CLUSTERS_WORTH = (
    "{basis}, some of which belong together, so that they are worth about {worth} independent ones ({clusters} "
    "clusters, design effect {effect})"
)
STOPPED = "{basis}; stopped after {examples} of {of} examples: {reason}"
GATED_ONLY = "Only what the policy sets a gate for was measured; all else was left out, as was asked."
# What the audit took; how each figure of electricity or gases was come by stands beside it, wherever it is told.
COST = "This audit took {time} and {kwh} kWh, {grams} g CO₂eq ({source}); {passes} texts ran through the model."
COST_UNKNOWN = "This audit took {time}; {passes} texts ran through the model. It holds no figures of electricity."
MINUTES, SECONDS = "{number} min", "{number} s"
MEMORY = (
    "{share} of the electricity is a constant for the memory, {watts} W whatever it does (CodeCarbon’s by the number "
    "of modules, unless the policy states one): no reading, and the same for every model on this machine."
)
SOURCED = "{figure} ({source})"
# A figure with what it counts, and a result with what is to be known of it.
COUNTING = "{figure} ({counted})"
RESULT_SAID = "{result}, {said}"
SOURCE_SAID: Mapping[str, str] = {
    "measured": "The electricity was measured.",
    "estimated": "The electricity is estimated, not measured.",
}
SAVED = Counted(
    "{count} measure stopped as soon as it knew enough, after {examples} of its {of} examples.",
    "{count} measures stopped as soon as they knew enough, after {examples} of their {of} examples.",
)
YES, NO = "yes", "no"
UNITS = numbers.FORMS
MOMENT = "{day}, {time}\N{NO-BREAK SPACE}UTC"
COMMA = ", "
NAMED = "{title} ({bracket})"
# The title of a finding, by its gate; without one, by which way is better.
HEADING = {"max": "{name}: {figure}, limit {limit}", "min": "{name}: {figure}, needs at least {limit}"}
UNGATED_HEADING = {
    "lower": "{name}: {figure}; less is better", "higher": "{name}: {figure}; more is better",
    "either": "{name}: {figure}",
}  # fmt: skip
SEVERAL = "{title} ({count})"
OUT_OF = "{part} of {whole}"

# ------------------------------------------------------------------------------------------ the verdict in a sentence

HEADLINE = LABELLED = "{word}: {said}"
BEGUN_AGAIN = "a new audit was begun in this folder and has not ended."
FAIL = Counted("{count} of {gated} gates fails", "{count} of {gated} gates fail")
INCONCLUSIVE = Counted("{count} is inconclusive", "{count} are inconclusive")
INCONCLUSIVE_OF = Counted("{count} of {gated} gates is inconclusive", "{count} of {gated} gates are inconclusive")
BROKE = Counted("{count} test broke", "{count} tests broke")
UNASSESSED = Counted("{count} could not be assessed", "{count} could not be assessed")
LEFT_OUT = Counted("{count} did not run", "{count} did not run")
ENDED_EARLY = "the audit was interrupted"
BUDGET_ENDED = "the budget ended"
ARE_WAIVED = Counted("{count} is waived", "{count} are waived")
PASSES_ALL_THE_SAME = "{parts}; the policy lets that pass."
HOLD_OF = Counted("{count} of {gated} gates passes, {aside}.", "{count} of {gated} gates pass, {aside}.")
ALL_HOLD = Counted("its one gate passes.", "{count} of {count} gates pass.")
NOT_EXCEEDED = Counted("{count} not exceeded", "{count} not exceeded")
NO_GATE_HOLDS = "the policy sets no gate."
FAILED_OUTSIDE = "a test outside the audit failed"
NOT_ENDED = "it did not come to its end"
NOTHING_DECIDED = "nothing was decided, since the policy sets no gate; set one"
STANDS_IN_THE_WAY = "{parts}."

# ------------------------------------------------------------------------------------------- sentences with figures

BETWEEN = "with {confidence} confidence between {low} and {high}"
BOUNDED = "by the known error of the method between {low} and {high}"
FULL_COUNT = "a full count over {basis}, not a sample of them, so without an interval"
DETECTIONS = (
    "a full count of what a program recognised in {basis}, so without an interval for chance; the program errs too"
)
ONE_FIGURE = "taken in full, so without an interval"
IN_BRACKETS = numbers.IN_BRACKETS
AT_LEAST = numbers.AT_LEAST
AT_MOST = "at most {figure}"
LOWER_ONLY = "with {confidence} confidence; there is no upper limit"
UPPER_ONLY = "with {confidence} confidence; there is no lower limit"
NO_FIGURE = "There is no figure."
GATE = {"max": "at most {figure}", "min": "at least {figure}"}
NO_GATE = "No gate is set for it."
GATE_REASON = "Why there: {reason}."
GATE_OWNER = "{owner} answers for it."
FROM_POLICY = ", set in the policy."
FROM_EMBEDDED = ", from the embedded policy; nobody adapted it."
FROM_AUDIT = ", set by the audit itself, since the policy does not set one."
FAILS = {"max": "{result}; the gate allows at most {figure}.", "min": "{result}; the gate asks for at least {figure}."}
RESULT_AND_GATE = "{result}; gate {gate}."
RESULT_ONLY = "{result}."
GATE_ALLOWS = "The gate allows {gate}."
NOTHING_KNOWN = "Nothing is known of it, though it has a gate: {gate}."
NOT_RUN = "Its test was left out of this run, or the run ended before it"
COUNTS = "{gates}; {listed}."
NEAREST = "Nearest to its gate"
WORST = "Worst finding"
WITHOUT_GATE = "Without a gate"
ALSO = "Also"
# What the auditor itself catches of what was planted.
POWER_UNKNOWN = "Its power was not measured on planted defects."
POWER = "Caught where it was planted: {caught}."
POWER_OF_KINDS = Counted(
    "Of {kinds} kinds of planted defects, each tried {times} times or more, {count} was caught at least 19 times in "
    "20; least often {caught}.",
    "Of {kinds} kinds of planted defects, each tried {times} times or more, {count} were caught at least 19 times in "
    "20; least often {caught}.",
)
POWER_OF = "{defect} ({trials})"
POWER_COUNT = "{number} of {of}, {interval}"
POWER_PASSED = "{caught}, {passed} passed"
POWER_MORE = Counted("one more kind", "{count} more kinds")
POWER_CLEAN = "False alarms on clean ones: {alarmed}."
POWER_LIMITS = "Measured on small BERTs and public data; yours may differ."
POWER_SHORT = "A weak pass: its probe catches fewer than 19 of 20 where this is planted: {missed}."
POWER_WITHOUT = "Not measured so: {names}."
POWER_VERSION = "These are figures of version {version} of the auditor, which made this page."
POWER_OTHER_VERSION = "The audit was made by version {version}."
COVER = "Not covered by this verdict: {measured} measured without a gate, {missing} that could not be assessed."
ALLOWED = "the whole interval is on the allowed side of the gate"
BEYOND = "the whole interval is beyond the gate"
BOTH_SIDES = "the interval lies on both sides of the gate"
ONE_ALLOWED = "the figure is on the allowed side of the gate"
ONE_BEYOND = "the figure is beyond the gate"
ON_THE_GATE = "the figure is exactly at the gate, which allows it"
OPEN_ABOVE = "a lower bound only, on the allowed side of the gate; the true value may be larger"
CURVE = "{name}: from {first} to {last}; smallest {smallest}, largest {largest}"
NOT_MEASURED = "not measured"
RELIABILITY = (
    "How often the model is right (upwards) against how sure it says it is (to the right); on the line it is honest"
)
ROC = (
    "Upwards: how many of the training examples (members) an attack recognises. To the right: how many other texts it "
    "wrongly calls members. Each line of the grid stands for ten times the one before. On the straight line an attack "
    "is guessing; dot and bar are the best attack’s rate and its interval. The left end matters most: an attacker who "
    "accuses few people but is nearly always right harms these people most, and an average such as the AUC hides that "
    "(Carlini et al. 2022)."
)
ROC_UNDECIDED = (
    "Here the texts can be told apart without the model, so the curves do not show what the model gives away."
)
ROC_LABEL = (
    "Share of the members recognised against share of the others wrongly called members, both on logarithmic scales, "
    "intervals with {confidence} confidence; guessing recognises as many members as it wrongly accuses others."
)
ROC_RATE = "at {level} false alarms {rate} of the members (guessing: {level})"
ROC_FALSE = "others wrongly called members"
ROC_TRUE = "members recognised"
ROC_GUESSING = "guessing"
PARETO = (
    "Upwards: how often a model is right. To the right: the electricity of 1,000 predictions, on a scale where equal "
    "steps are equal factors. The bars are intervals. The line is the front: what lies below it or to its right "
    "is outdone by a model on it. Filled marks are on the front; the square is the audited model. All were measured "
    "in turn for this picture, so the audited one’s electricity is not to the digit that of its own finding."
)
PARETO_LABEL = (
    "Share of right answers against Wh per 1,000 predictions on a logarithmic scale, intervals with {confidence} "
    "confidence."
)
PARETO_POINT = "{right} right for {wh}"
PARETO_AUDITED = "audited"
PARETO_FRONT = "on the front"
PARETO_WH = "Wh per 1,000 predictions"
PARETO_RIGHT = "right answers"
EXPLAINED = "Some answers, and the words that they rest on"
EXPLAINED_HOW = (
    "Underlined: words that speak for the answer (solid line) or against it (dotted line); the stronger the colour, "
    "the further the word moves the model, compared with the strongest word of the text. Personal data is masked."
)
EXPLAINED_RIGHT = "The model says {answer} ({probability}), and so does the label."
EXPLAINED_WRONG = "The model says {answer} ({probability}); the label says {truth}."
EXPLAINED_FAILED = "This explanation failed a check: do not rely on it."
EXPLAINED_FOR = "Words for the answer, strongest first: {words}."
EXPLAINED_AGAINST = "Words against it: {words}."
TRUE_CLASS = "truly"
SAID_CLASS = "called “{class_name}”"
CONFUSION = "What texts of each class are called"
CONFUSION_HOW = (
    "Each row is one true class, and its shares add up to 100 %. Right answers stand on the diagonal; elsewhere, the "
    "darker a cell, the more often that mistake is made."
)
SHIFT = "How the score moves"
SHIFT_SOURCE = "Measured on"
OF_SOURCE = "{source} ({count})"
MORE_NEGATIVE, MORE_POSITIVE = "more negative", "more positive"
SHIFTED_DOWN = "Texts about people who are “{group}” are scored more negative by {figure} ({source})."
SHIFTED_UP = "Texts about people who are “{group}” are scored more positive by {figure} ({source})."
NOBODY_SHIFTED = "For no group is it sure that its texts are scored otherwise. The largest difference seen:"
SHIFTS_HOW = (
    "The score runs from −1, surely negative, to 1, surely positive. The same texts are asked about other people, and "
    "shown is by how much the score moves; the upright line is no change. All intervals hold together with "
    "{confidence} confidence, so a coloured bar is surely off the line."
)
CAPABILITIES = "All kinds of sentences in one picture"
CAPABILITIES_HOW = (
    "How often the model reads each kind of sentence wrongly; less is better. The line through a bar is the interval, "
    "the upright stroke the gate. Beside it stands one sentence that it misread."
)
CAPABILITY = "Kind of sentence"
READ_WRONGLY = "Read wrongly"
EXAMPLE = "One that was misread"
DISTURBED = "All disturbances in one picture"
DISTURBED_HOW = (
    "Points of accuracy lost when texts are disturbed, with their interval; less is better, and below 0 none was lost. "
    "The sign stands where the verdict was reached. The darker a cell, the more is lost: from 2, 5, 10 and 20 points."
)
DISTURBANCE = "What was done to the texts"
STRENGTHS = ("mild", "medium", "strong")
BY_GROUP = "How each group fares: {column}"
BY_GROUP_HOW = (
    "One row for each rate, one column for each group. The darker a cell, the farther the group is behind the one that "
    "fares best in its row: from 1, 2.5, 5 and 10 points. Grey rows know no better or worse, and are shaded by the "
    "distance from the mean of the groups. Cells tell no chance apart; the findings below do."
)
RIGHT_ANSWERS = "answered rightly"
CALLED = "called “{class_name}”"
TRULY = "truly “{class_name}”"
RECOGNISED = "“{class_name}” recognised as such"
MISTAKEN = "wrongly called “{class_name}”"
DRAWN = "{place}; estimate and interval drawn against the gate"
OFF_SCALE = "an arrow marks what lies beyond the drawing"

SINCE: Mapping[str, str] = {
    "better": "Better than in the former audit, which found {then}.",
    "worse": "Worse than in the former audit, which found {then}.",
    "different": "The former audit found {then}; chance does not plausibly explain the difference.",
    "unclear": "The former audit found {then}: no clear change.",
    "new": "New: the former audit holds no figure for it.",
    "gone": "The former audit found {then}; this one holds no figure.",
}
TREND = (
    "{count} audits, this one last: from {first} to {last}; smallest {smallest}, largest {largest}. Models and test "
    "texts may be others each time."
)
SINCE_PAIRED = "Judged on the examples that both audits share, one by one."
CHANGES: Mapping[str, str] = {
    "worse": "worse", "better": "better", "different": "different", "gone": "gone", "new": "new",
    "loosened": "loosened", "dropped": "dropped", "replaced": "other direction", "tightened": "tightened",
    "added": "added",
}  # fmt: skip
GATE_CHANGED = "{before}, now {now}"
GATE_SAID = "{gate}: {said}"
SEMICOLON = "; "
LAXER: Mapping[str, Counted] = {
    "loosened": Counted(
        "One gate was loosened since the former audit of {date}: {gates}. To pass a looser gate shows no better "
        "model; whoever answers for the policy should say why.",
        "{count} gates were loosened since the former audit of {date}: {gates}. To pass looser gates shows no better "
        "model; whoever answers for the policy should say why.",
    ),
    "dropped": Counted(
        "One gate of the former audit of {date} is gone. {gates}. What it guarded is not guarded any more.",
        "{count} gates of the former audit of {date} are gone. {gates}. What they guarded is not guarded any more.",
    ),
    "replaced": Counted(
        "One gate points in the other direction than in the former audit of {date}: {gates}.",
        "{count} gates point in the other direction than in the former audit of {date}: {gates}.",
    ),
}
# What the promise for the release does not cover in an audit, each where it applies.
EXCEPTIONS: Mapping[str, str] = {
    "bounds": "lower bounds, which say what an attack found and not what a better one would ({names})",
    "warned": "gates that stayed open, since the policy only warns of them ({names}): none of these "
    "surely fails, which is not to say that each holds",
    "waived": "gates that are waived ({names})",
    "detectors": "counts of what a program recognised, as far as it errs ({names})",
    "approximate": "intervals that hold approximately; how often they err was measured by simulation ({names})",
    "weak": "probes that caught fewer than 19 of 20 defects of a kind that was planted ({names})",
    "again": "choosing: this test set was asked before, and whoever keeps the best of several models or audits "
    "keeps its luck too",
}
LAXER_SETTINGS = "Gates are judged less strictly than in the former audit, or other texts are asked about: {settings}."
SETTING_CHANGED = "{name} was {before} and is {now}"
SETTINGS: Mapping[str, str] = {
    "confidence": "the confidence",
    "inconclusive": "what an inconclusive result leads to",
    "unguarded": "what an alarm without a gate leads to",
    "looks": "the number of planned audits that share the error",
    "stopping": "when a probe has asked enough",
    "precision": "the precision at which a probe without a gate stops",
    "seed": "the seed",
    "max_examples": "the number of texts for costly probes",
    "cluster": "the column of rows that belong together",
    "near_duplicate": "the likeness from which two texts are near copies",
    "queries": "the number of questions that an attacker may ask",
    "perturbed": "the number of texts for each disturbance",
    "min_group_size": "the size below which a group is not looked at",
}
ASKED = (
    "As far as the records of the former audits tell, {count} audits have used this very set of test examples, "
    "this one included. A test set that is asked often stops being one: whoever keeps what does well on it also keeps "
    "its accidents, and the intervals then promise more than they can hold. Fresh examples mend that."
)
ASKED_ONCE = "As far as the records of the former audits tell, this set of test examples is used for the first time."
ASKED_UNKNOWN = (
    "How many audits have used these test examples before is not known, since no former audit was named "
    "(--audit-baseline). A test set that is asked often stops being one."
)
OTHER_TEST = "The former audit used other test examples, so figures may also differ because the examples do."

# Of the harm where a finding is bad, the worst first.
SEVERITIES: Mapping[str, str] = {
    "severe": "severe harm",
    "serious": "serious harm",
    "limited": "limited harm",
}
HARMED = "Most severe among what stands in the way or alarms: {name}. {harm}"
# What findings have in common, where several are mended by the same step.
CAUSES: Mapping[str, str] = {
    "memory": "The model remembers its training texts",
    "embedding": "The model’s inside gives its authors away",
    "groups": "Some groups are served worse than others",
    "accuracy": "The model is not right often enough",
    "writing": "Texts that are written otherwise are misread",
    "attack": "Whoever tries turns the model’s answers",
    "energy": "The model takes more electricity than it need",
    "documentation": "Facts are not written down",
}
CAUSE_OF = "{cause}: {names}"
# What a step changes, and another one may change the other way.
LEVERS: Mapping[str, str] = {
    "train less": "less training (fewer epochs)",
    "train more": "more training (more epochs)",
    "smaller model": "a smaller model",
    "larger model": "a larger model",
}
CONFLICT = (
    "Pulls against another step: this one asks for {own}, but “{others}” for {other}. Decide which matters more before "
    "either is begun, and audit again."
)
PROBABLY_FAILS = "{names}: probably fails, so improve the model; more data would only confirm it."
MEASURED_EFFECT = "What was measured of it: {effect}"
FEWER_EPOCHS = (
    "after {epochs} of {all} epochs the validation accuracy was {before}, at the end {after}. What fewer epochs change "
    "in this finding itself was not measured."
)
SMALLER_MODEL = (
    "{model} takes {wh} Wh instead of {own_wh} Wh for 1,000 predictions ({source}), with an accuracy of {accuracy} "
    "instead of {own_accuracy}."
)
DO_UNKNOWN = "Look at the evidence below and at how it was measured."
DO_ERROR = "Find out why the test broke, repair it and audit again: {reason}."
DO_INCONCLUSIVE = "{reason} More evidence narrows the interval; it does not make the model better."
DO_NOT_ASSESSED = "Supply what is missing: {reason}."
DO_UNREACHED = "Audit again with a larger budget, or with none."
DO_NOT_RUN = "Run the whole audit again, without leaving out these tests."

RESTARTED = (
    "This record is not complete: a new audit was begun in its folder and has not ended. The "
    "findings below are those of the audit of {date} and no longer support a release."
)
INTERRUPTED = "The audit was interrupted before its end. What had not been measured by then is missing here."
NOT_COMPLETE = "This audit is not complete: gates of the policy did not run. It does not support a release."
UNREACHED = Counted(
    "The budget of this audit, {budget}, ended before {count} gate was settled. What is not known has not passed, so "
    "the audit is not complete and supports no release.",
    "The budget of this audit, {budget}, ended before {count} gates were settled. What is not known has not passed, so "
    "the audit is not complete and supports no release.",
)
OVERRIDDEN = (
    "This audit did not use the auditor’s own way of loading and running the model: {how}. What was "
    "audited is what that code supplied."
)
RUNS_CODE = (
    "What answered is code of the repository’s own, {source}. It ran with this audit, which asked it and could not "
    "look into it."
)
IS_SERVICE = (
    "What answered is a service, {source}, to which the texts were sent. What answered there may be another model "
    "tomorrow."
)
READ_AS = "The model’s own classes are read as others: {classes}."
NOT_AN_ANSWER = (
    "The model’s own answer {classes} is left out: its probability is shared out to the other classes in their "
    "proportion, as if it could not be given. In use it can."
)
NO_LABEL = "Of the model’s answers to {asked} texts {count} were no label, and counted as {label}."
TOKENS = "The service counted {prompts} tokens of questions and {answers} of answers."
THRESHOLD = "The model’s answer is {above} where its probability is above {threshold}, else {below}."
REGRESSION = (
    "The model gives a score, and the audit cuts it into classes at {cutpoints}: it has no probabilities, so that only "
    "its answers are measured."
)
SIGMOID = (
    "Each output of the model is a yes or a no of its own; the class with the largest is taken for its answer, "
    "whatever threshold it has in use."
)
NOT_KEPT = (
    "The model has no fingerprint: nobody can tell whether a model is the audited one. Its answers were kept for this "
    "audit only, and the next one asks again."
)
UNKNOWN_TOKENS = (
    "The model’s tokenizer does not know {share} of the tokens of the test texts. It may be another model’s, or the "
    "texts may be in a language that it does not read."
)
CUT_SHORT = (
    "The policy lets the model read {asked} tokens of a text, but it has positions for {count} only. Longer texts were "
    "cut there."
)
DEMO = (
    "The data are the demonstration texts that come with the auditor. They were generated by a program. "
    "The figures show how the audit works; they say nothing about real people or a real product."
)
ROWS_LEFT_OUT: Mapping[str, Counted] = {
    "test": Counted(
        "{count} of {rows} rows of the test data was left out: {reasons}.",
        "{count} of {rows} rows of the test data were left out: {reasons}.",
    ),
    "train": Counted(
        "{count} of {rows} rows of the training data was left out: {reasons}.",
        "{count} of {rows} rows of the training data were left out: {reasons}.",
    ),
}
LEFT_OUT_FOR: Mapping[str, str] = {"empty text": "{count} without a text", "no label": "{count} without a label"}
LEFT_OUT_OTHERWISE = "{reason}: {count}"
ROWS_ABSENT = Counted(
    "{count} of {rows} rows of the test data has no group, since its id is empty or is not in the file of groups.",
    "{count} of {rows} rows of the test data have no group, since their ids are empty or are not in the file of "
    "groups.",
)
ROWS_UNNAMED = Counted(
    "In {count} of {rows} rows of the test data the column of [data] cluster is empty: it counts by itself.",
    "In {count} of {rows} rows of the test data the column of [data] cluster is empty: each of them counts by itself.",
)
ROWS_ALONE = (
    "No two rows of the test data have the same author or item in the column of [data] cluster, so each counts by "
    "itself: is it the right column?"
)
SPELLINGS = "In the column “{column}” spellings of one group are read as one: {groups}."
SPELLED = "“{group}” for {cells}"
NO_GROUPS = "In the column “{column}” words that stand for an empty cell are read as no group: {cells}."
QUOTED = "“{text}”"
QUOTED_ROWS = "“{text}” ({count})"
WARNED = "The policy lets inconclusive results pass with a warning, so they do not block."
WAIVED = "The gate does not hold, and {owner} answers for that through {expires}. The reason given: {reason}"
ANSWERED_FOR = "{owner} answers for it: {reason}"
ALARMS = Counted(
    "{count} alarm without a gate: what was measured is surely worrying, and nobody set a limit",
    "{count} alarms without a gate: what was measured is surely worrying, and nobody set a limit",
)
# What was measured beside the model and outdoes it, by how sure that is.
BETTER: Mapping[str, str] = {
    "both": "Something better exists: {model}, measured beside it, is surely at least as often right ({gain} more) for "
    "surely less electricity, {its} Wh instead of {own} Wh for 1,000 predictions ({source}).",
    "accuracy": "Something better exists: {model}, measured beside it, is surely right more often ({gain} more); its "
    "electricity, {its} Wh for 1,000 predictions ({source}), cannot be told apart from this model’s, {own} Wh.",
}
WAIVED_NO_MORE = (
    "{owner} answered for it that the gate does not hold, but only through {expires}. The waiver counts no more; the "
    "reason given was: {reason}"
)
SOME_WAIVED = Counted(
    "One gate does not hold, yet does not block, because the policy waives it for a time. It is marked below.",
    "{count} gates do not hold, yet do not block, because the policy waives them for a time. They are marked below.",
)
# No native speaker of any of the languages has read them yet.
TRANSLATED = (
    "Translated by a machine and checked by a machine; no native speaker has read it yet. Where they differ, the "
    "English page counts (--language en). What stands in English here has no translation."
)
NO_TEXTS = "The policy asks for a report without texts from the data. They were left out of it and of the record."
SHORTENED = (
    "The evidence in this report was shortened so that the page stays small. The record, audit.json, holds all of it."
)
TEST_OUTSIDE = (
    "No measurement of this audit stands in the way. Another test in the same run failed, and the audit "
    "is blocked for that reason; the log of the run names the test."
)
NOTHING_FAILS_YET = (
    "No measurement in this record stands in the way, but the record is not complete. It supports no release."
)
ALL_GATES = "All gates"
SUMMARY_OF = "The evidence is in report.html, beside this summary."
BADGE_LABEL = "model audit"
BADGE = "{word}, {hold}/{gates} gates"
BADGE_OWNER = "; {owner} answers for it"
BADGE_NOT_EXCEEDED = ", {count} not exceeded"
BADGE_WAIVED = ", {count} waived"
BADGE_ALARMS = Counted(" · {count} alarm", " · {count} alarms")
MORE = "… and {count} more; the record holds all of them."

# At the foot of each printed sheet; no quotation mark may stand in them.
FOOT = "audit.json, SHA-256 {sha256}"
NUMBERED = "{page} of {pages}"

# ----------------------------------------------------------------------------------------------------------- the page

PAGE = {
    "title": "Model audit",
    "skip": "Skip to the findings",
    "report": "Audit of a sentiment model",
    "verdict": "Verdict",
    "rests_on": "What the verdict rests on",
    "notices": "Please note",
    "problems": "What stands in the way",
    "left_open": "What is left open",
    "next": "What to do next",
    "technical": "For whoever runs the audit:",
    "at_hand": "What was seen:",
    "all_hold": "Every gate of the policy was measured, and each measurement clears its gate.",
    "all_but_bounds_hold": "Every gate of the policy was measured. Each measurement clears its gate, but where an "
    "attack gives a lower bound only: there it is not exceeded, which is less than to hold.",
    "no_gates": "The policy sets no gate that this audit judged. A verdict without gates vouches for nothing.",
    "coverage": "What this verdict does not cover",
    "coverage_text": "A verdict covers only what the policy gates. These measurements decided nothing:",
    "no_coverage": "Every measurement of this audit has a gate. What the audit does not measure at all, it cannot say.",
    "facts": "What was audited",
    "sheet": "All findings as a table (findings.csv, beside the record)",
    "scope": "Scope and limits",
    "scope_model": "Judged are one model’s answers to {rows} test texts in the language “{language}”. Not judged are "
    "the product around it, other texts and languages, and what the model becomes by being trained again.",
    "scope_counts": "{measured} figures were measured and {gated} limits set; {missing} could not be assessed. What "
    "nobody measured, this report cannot say.",
    "scope_without": "Nothing was measured on: {challenges}.",
    "scope_chance": "Intervals tell how far chance may be at work. They know nothing of labels that are wrong, of "
    "test texts that are unlike those in use, or of attacks that nobody tried.",
    "scope_people": "Whether the use itself is right, and what an answer leads to for the person concerned, people "
    "must judge.",
    "data_sheet": "The data",
    "data_sheet_text": "Origin and consent are told as the policy states them; the audit cannot check "
    "them. Numbers of rows below {smallest} are not told exactly.",
    "groups_of": "Rows by {column}",
    "no_group": "no group",
    "language": "Language, as the policy states it",
    "origin": "Origin",
    "consent": "Consent",
    "not_stated": "not stated",
    "contents": "Contents",
    "answers": "Who answers for it",
    "challenges": "The challenges",
    "gates_text": "Each row is one finding; open it for how it is known. Where it has a gate, that is the line in the "
    "middle. What the gate allows is shaded, always on the left, as far as such values are possible. The mark is the "
    "estimate, the bar between two strokes its interval. All rows have one scale, on which every bar is equally long: "
    "the farther a bar is from the line, compared with its own length, the less can chance have decided. A mark "
    "without a bar was counted in full, or is a bound on one side; its place tells only the side. An arrow stands for "
    "what lies beyond the drawing, or has no upper limit. The rows that fail or come nearest to their gate stand "
    "first.",
    "legend": "Marks",
    "legend_holds": "allowed side",
    "legend_open": "both sides",
    "legend_fails": "beyond the gate",
    "since": "Since the former audit",
    "since_text": "Compared with the audit of {date} in {path}, whose verdict was: {verdict}.",
    "since_same": "No verdict is another one now.",
    "since_turned": "Verdicts that turned",
    "since_gates": "Gates that are not what they were",
    "since_compared": "Figures that are new, gone, or clearly other ones",
    "since_meaning": "Better and worse are said only where chance does not explain the difference. Among many figures "
    "some differ clearly by chance alone, so the error that the audit allows itself is shared out over all that both "
    "audits hold (Bonferroni; {count} here): intervals may lie apart and the change still not be clear. Accuracy that "
    "could be compared example by example is judged by that, and has its error to itself. "
    "Energy and times also depend on the machine and on what else it did.",
    "since_unclear": "Figures without a clear change: {count}.",
    "since_none": "No figure is new, gone, or clearly another one.",
    "change": "Change",
    "finding": "Finding",
    "then": "Then",
    "now": "Now",
    "measurement": "Measurement",
    "result": "Result",
    "gate": "Gate",
    "no_findings": "This audit holds no finding on this challenge.",
    "meaning": "What was measured",
    "would_measure": "What it would measure",
    "by_epoch": "By epoch",
    "harm": "Why it matters",
    "harm_if": "What a bad figure would mean",
    "remedy": "What would help",
    "remedy_if": "What would help then",
    "about": "What this measures, and why",
    "filter": "Show findings",
    "filter_all": "all",
    "filter_none": "None of the findings here has this verdict.",
    "rows_reading": "How to read a row",
    "evidence": "Evidence and method",
    "method": "How it was measured",
    "limits": "Limits of this measurement",
    "figures": "Further figures",
    "single": "Text",
    "row": "row {row} of the test data",
    "before": "Before",
    "after": "After",
    "answer": "Answer",
    "training": "The training",
    "not_trained": "The model was loaded as it is. This audit did not train it, and the record does not "
    "say how it was trained.",
    "no_model": "The record holds no description of the model: the run ended before one was loaded.",
    "recipe": "Recipe",
    "base": "Base model",
    "trained": "Trained on",
    "trained_examples": "Training examples",
    "validation_examples": "Held out to watch the training",
    "steps": "Steps",
    "trainable": "Parameters trained",
    "device": "Device",
    "history": "Progress of the training",
    "history_text": "Validation accuracy is measured on training examples that were held out; it is not "
    "the accuracy on the test examples. The loss is what the training makes small.",
    "energy": "Energy by phase",
    "energy_text": "Electricity and greenhouse gases of this audit, from the reading of the data to this report. "
    "The whole machine is counted, so other work that it did at the time is in these figures. Where several "
    "processes worked at once, its electricity is shared out among them, and the seconds are those of all.",
    "energy_estimated": "Where no power meter could be read, the figures are estimates: CodeCarbon "
    "multiplies the load of the processor with its nominal power, which it guesses from the processor’s name and "
    "which in a virtual machine may be far off, and takes a constant for the memory. Such estimates were found to "
    "be off by up to 40 % (Fischer 2025, arXiv:2509.22092). Greenhouse gases follow from the electricity and the "
    "average grid of the country that the policy names ({country}).",
    "energy_measured": "Measured means that the processor’s power was read from a counter (RAPL). A graphics card’s "
    "is always read (NVML); memory is a constant for each module even then.",
    "energy_stated": "The policy says of the machine’s power: {stated}. All electricity is multiplied by a pue; "
    "cpu_watts stands in the place of a counter and of the processor’s nominal power, ram_watts of the memory’s power.",
    "energy_before": "This was done in a former audit and its outcome kept. Its energy was recorded then and is "
    "not part of the sum.",
    "grids": "The same electricity on other grids. Averages of a year over all power plants of a country, from the "
    "table that comes with CodeCarbon",
    "grid": "Grid",
    "grid_year": "Year of the figure",
    "grid_intensity": "g CO₂eq per kWh",
    "grid_world": "not in the table; the world’s average",
    "cpu": "of it processor",
    "gpu": "graphics card",
    "ram": "memory",
    "no_energy": "The record holds no energy figures: nothing was trained or predicted in this run, or all "
    "of it was kept from an earlier one.",
    "phase": "Phase",
    "seconds": "Seconds",
    "kwh": "kWh",
    "co2": "g CO₂eq",
    "source": "Measured or estimated",
    "sum": "Sum of this audit",
    "reading": "How to read this report",
    "verdicts": "The verdicts",
    "certainty": "How certain a verdict is",
    "certainty_gate": "Each gate is judged at {confidence} confidence. If a model truly lies beyond a "
    "gate, it passes that gate by the luck of the sample in at most {side} of such audits; if it truly "
    "keeps a gate, it fails it by bad luck in at most {side}.",
    "certainty_release": "An audit passes only where every gate holds. So a model that truly violates any gate "
    "passes in at most {side} of audits, whatever the number of gates.",
    "certainty_alarms": "False alarms add up: a model that truly keeps all {count} gates judged here, but each only "
    "just, fails on average at most {expected} of them by bad luck ({count} × {side}).",
    "certainty_looks": "Measures that stopped early were looked at several times. Their intervals are wider for it, so "
    "that all looks together err no more often than one would.",
    "certainty_any": "The test data may grow and be looked at as often as one likes: intervals are so wide that they "
    "hold at every look. That is so of one sample that grows. Whoever takes other test examples for the same model, or "
    "leaves out the former audit by which that would be noticed, begins anew.",
    "alarms": "Alarms, for which no gate stands",
    "alarms_text": "All of the interval is on the worrying side of a level: that of a gate of this policy on something "
    "alike, or one that the measure names with its reason. It decides nothing. Set a gate for it, or have somebody "
    "answer for it by name, in the policy.",
    "certainty_except": "Not covered by that:",
    "certainty_limits": "This holds as far as the test examples are a fair sample of the texts that the "
    "model will meet and the methods’ assumptions apply. It says nothing about errors in the labels or "
    "about harms that nobody measured.",
    "severity": "How severe the harm is",
    "severity_text": "Severe: people are harmed, and it can hardly be undone; they are treated unlike others, or what "
    "they wrote comes to light. Serious: people or the service are harmed, and it can be noticed and mended. "
    "Limited: it costs money, electricity or trust. That is said of the kind of finding, by its declaration; how "
    "severe it is in one’s own use, those who know the use must say.",
    "power": "How well planted defects are caught",
    "power_text": "Who audits the auditor? Defects were planted in small models and public data, and each probe was "
    "held against them, and against clean ones made alike. Caught are those whose gate fails, or that alarm where "
    "there is none; exact 95 % intervals stand in brackets. Where fewer than 19 of 20 were caught at the strength that "
    "is claimed, and any passed, the finding’s pass says so. How it was measured, and by which commands, stands in "
    "benchmarks/README.md of the auditor’s sources.",
    "power_table": "What was planted, and how often it was caught",
    "power_planted": "Planted",
    "power_caught": "Caught",
    "power_none": "Nothing was planted for any finding of this audit.",
    "personal": "Personal data",
    "personal_text": "This page shows examples from the data, with e-mail addresses, links and long "
    "numbers masked as far as a program recognises them; names and other hints may remain. The file "
    "predictions.parquet beside the record holds, for each test example, a fingerprint of the text, its "
    "label, the model’s answer and the groups. It holds no text, yet whoever has the texts can match them "
    "to it: it is pseudonymous personal data wherever the texts come from people. Keep and delete both "
    "accordingly.",
    "personal_text_none": "This page shows no texts from the data, as the policy asks. The file predictions.parquet "
    "beside the record holds, for each test example, a fingerprint of the text, its label, the model’s answer and the "
    "groups. It holds no text, yet whoever has the texts can match them to it: it is pseudonymous personal data "
    "wherever the texts come from people. Keep and delete it accordingly.",
    "glossary": "Words used",
    "standards": "Rules that ask for such evidence",
    "standards_text": "Which findings bear on which rule, and what they leave open. The rules are told in a few words "
    "of ours; their own texts count. This helps to find one’s way and is not legal advice: whether a rule applies, and "
    "whether it is met, people must judge.",
    "rule": "Rule",
    "rule_asks": "What it asks for",
    "rule_found": "What this audit holds",
    "rule_open": "What this does not cover",
    "rule_nothing": "Nothing in this audit.",
    "provenance": "Provenance",
    "provenance_text": "What is needed to check this report, or to make the audit again.",
    "again": "Make this page again from the record",
    "unchanged": "Check whether the record was changed",
    "verify": "Check whether a folder holds exactly the audited model",
    "audit_run": "The audit",
    "command": "Command",
    "commit": "Commit of the folder it ran in",
    "no_commit": "none: not a git repository",
    "created": "Begun",
    "duration": "Duration",
    "seed": "Seed of the audit",
    "texts": "Texts asked for",
    "forward_passes": "Texts run through the model",
    "prompt_tokens": "Tokens of the questions, as the service counts them",
    "completion_tokens": "Tokens of its answers",
    "no_label": "Answers that were no label",
    "cache_hits": "Answers taken from the cache",
    "workers": "Workers of the cluster that ran texts or trained",
    "lost_workers": "Workers that were lost, their work done again",
    "policy_file": "Policy file",
    "embedded": "embedded policy",
    "model": "Model",
    "revision": "Revision",
    "fingerprint": "Fingerprint",
    "parameters": "parameters",
    "parameters_head": "Parameters",
    "labels": "Classes",
    "max_length": "Longer texts are cut after",
    "tokens": "tokens",
    "files": "Files of the model",
    "file": "File",
    "sha256": "SHA-256",
    "test": "Test data",
    "train": "Training data",
    "rows": "rows",
    "rows_head": "Rows",
    "classes": "Rows of each class",
    "skipped": "Rows left out, by reason",
    "clusters": "Rows that belong together",
    "clusters_said": "{shared} share author, item or nearly their text with another row; so there are {number} "
    "clusters, the largest of {largest} rows",
    "none": "none",
    "unknown": "not recorded",
    "versions": "Software",
    "policy": "Policy as applied, defaults included",
    "auditor": "Auditor",
    "date": "Date",
    "scroll": "scrolls sideways",
    "footer": "Made from audit.json alone. This page runs no program and loads nothing from elsewhere.",
}

# ------------------------------------------------------------------------------------------------ the page to sign

SIGN = {
    "title": "To sign",
    "lead": "An audit measures. Whether the model is used, people decide, and they sign here: for this model, this "
    "record and this use.",
    "against": "The audit does not support its use. Whoever signs all the same decides against that.",
    "on": "What is decided on",
    "found": "What the audit found",
    "fingerprint": "Fingerprint, SHA-256",
    "record": "Record",
    "record_check": "{file}.sha256, beside it, tells whether it was changed. Whoever changes both files can make them "
    "fit again, so what counts is the number that was signed.",
    "record_unknown": "not known, since this page was not made from a file",
    "policy": "Policy",
    "policy_unknown": "The record does not say where it is from.",
    "use": "What it is for, and whom it concerns",
    "not_stated": "not stated",
    "intended_use": "Intended use",
    "users": "Who works with its answers",
    "affected": "Who is affected",
    "owner": "Who answers for the model",
    "dpo": "Data-protection officer",
    "version": "Version",
    "origin": "Origin of the data",
    "consent": "Consent, or another basis",
    "next_review": "Next review",
    "review_past": "{date}, which was past when the audit began",
    "unstated": "Not stated in the policy: {names}.",
    "risks": "Risks that somebody accepted",
    "no_risks": "None was accepted by name.",
    "open_risks": "Not accepted by anybody:",
    "gates": "The gates: who answers for them, and which guard less",
    "no_gates": "The policy sets none.",
    "as_before": "None guards less than in the former audit of {date}.",
    "not_compared": "No former audit was named, so whether gates were loosened since is not known.",
    "looser": "Looser than in the policy that comes with the auditor, which was made for its demonstration: {gates}",
    "absent": "Gates of that policy that this one does not set: {gates}",
    "other_way": "Pointing in the other direction than there: {gates}",
    "settings": "Judged less strictly than there: {settings}",
    "signatures": "Decision and signatures",
    "role": "In what role",
    "name": "Name",
    "date": "Date",
    "signature": "Signature",
    "further": "Further signature",
}
DECISIONS = ("To be used as stated above", "To be used only under these conditions:", "Not to be used")
POLICY_STATES: Mapping[str, str] = {
    "embedded": "It comes with the auditor and was not adapted.",
    "committed": "It stands so in commit {commit} of {date}, and was not changed since.",
    "changed": "It is not what the last commit that changed it holds, {commit} of {date}.",
    "uncommitted": "It lies in a git repository, but the last commit does not hold it.",
    "unversioned": "It is not under version control.",
    "unknown": "What git knows of it could not be read.",
}
WRITTEN_BEFORE = "So it was there before the audit began, by the clock of whoever committed it."
WRITTEN_AFTER = "That is after the audit began."
WRITTEN_UNKNOWN = "So nothing shows that it was written before the audit."
GATES_ADOPTED = Counted(
    "Of the {gates} limits that the policy sets, {count} stands as in the one that comes with the auditor; nobody "
    "adapted it.",
    "Of the {gates} limits that the policy sets, {count} stand as in the one that comes with the auditor; nobody "
    "adapted them.",
)
GATE_OWNERS = "Who answers for them: {owners}."
GATE_OWNED = "{owner} ({count})"
NOBODY = "nobody is named"
OPEN_ALARMS = Counted("{count} alarm without a gate", "{count} alarms without a gate")
OPEN_GATES = "gates that stayed open, of which the policy only warns ({names})"

# ------------------------------------------------------------------------------------------ several audits side by side

COMPARISON = {
    "title": "Comparison of audits",
    "skip": "Skip to the table",
    "kicker": "{count} audits side by side",
    "none": "None",
    "hold": "{hold} of {gates} gates pass",
    "none_passes": "None of the {count} audits passes. There is nothing to choose from.",
    "one_passes": "Of {count} audits, this alone is complete and passes.",
    "one_passes_otherwise": "This alone is complete and passes, but the audits are not of the same kind, so that says "
    "nothing of the others.",
    "same_model": "These pass, and are audits of the same model: there is nothing to choose.",
    "same_model_warning": "{letters} are the same model, by its fingerprint. What differs between them is the audit.",
    "with_waivers": " {letters} only with what is waived.",
    "gates_differ": "These pass, but not the same gates, so the better one is not told. Audit them by one policy.",
    "row_differs": "These pass. Which is best cannot be told: their figures for “{title}” are not comparable ({why}).",
    "not_all_measured": "These pass. Which is best cannot be told: for “{title}” there is no figure of {letters}.",
    "one_best": "Best of {count} that pass: by “{title}” ({way} is better) its whole interval is better than that of "
    "every other.",
    "several_best": "Of {count} that pass, these are best and cannot be told apart by “{title}” ({way} is better): "
    "their intervals overlap.",
    "all_best": "These pass and cannot be told apart by “{title}” ({way} is better): their intervals overlap.",
    "risk": "Where the intervals are right, the truly best of the candidates is put aside by chance in at most {risk} "
    "of such comparisons. But the best of several has luck on its side. A model that truly violates a gate passes "
    "in at most {one} of audits, one of {count} such models in at most {any}; and the best figure is too good, which "
    "the second interval allows for. Audit what you ship on texts that it was not chosen by.",
    "chosen_figure": "{figure}; chosen from {count}: {chosen}",
    "higher": "more",
    "lower": "less",
    "and": " and ",
    "chosen": "How the best is told",
    "chosen_text": "Only complete audits whose verdict is “All limits hold” are candidates. Among them the one figure "
    "decides that the policy of the first audit, or whoever made this page, names as the objective. A candidate is put "
    "aside only where another’s whole interval is better than its own.",
    "separate": "Separate audits are compared here by their intervals, which is honest but blunt. Where two models "
    "were asked the same test examples, an audit of the one with --audit-baseline set to the other compares them "
    "example by example, and often tells apart what this page cannot. Energy that was estimated in different hours "
    "also differs by what else the machine did.",
    "objective": "Objective",
    "candidates": "The models",
    "record": "Record",
    "waived": "Waived",
    "passes": "complete, and passes every gate",
    "passes_waived": "complete, and passes, but for what is waived",
    "passes_warned": "complete, and passes, with inconclusive results that its policy allows",
    "passes_not": "not a candidate",
    "rows": "All findings",
    "rows_text": "Each row is one measurement, each column one model. The bars of a row share one scale; an upright "
    "line is the gate. A row marked ≠ is not comparable; the reason stands beside it.",
    "not_comparable": "not comparable",
    "absent": "not in this audit",
    "other_test": "other test data",
    "other_machine": "another machine",
    "other_settings": "other settings of the audit",
    "other_unit": "another unit",
    "other_gate": "another gate",
    "objective_warning": "None of the audits has a figure for the objective “{title}” ({id}). The rest is compared.",
    "test_warning": "The test data are not the same ({told}). Whatever rests on them is not comparable, and no "
    "difference between such figures says that one model is better.",
    "gates_warning": "The policies do not set the same gates ({ids}). To pass means something else in each, so their "
    "verdicts are not comparable.",
    "inconclusive_warning": "One policy lets inconclusive results pass, another does not. Their verdicts are not "
    "comparable.",
    "settings_warning": "The audits were set otherwise ({keys}). Figures that depend on it are not comparable.",
    "machine_warning": "The audits ran on different kinds of machine or device. Figures of energy and time are "
    "comparable only where the row is not marked.",
    "auditor_warning": "The audits were made by different versions of the auditor. A measurement may have changed "
    "between them.",
    "more": "and {count} more",
    "footer": "Made from the records alone. This page runs no program and loads nothing from elsewhere.",
}


# ------------------------------------------------------------------------------------------------ always English

CARD = {
    "title": "Audit",
    "task": "Sentiment classification",
    "about": "Audited by pytest-model-audit on {date}: the model with the fingerprint {fingerprint}, on the test data "
    "{data} ({rows} rows, fingerprint {test}). Figures stand with their intervals in brackets; a gate passes only if "
    "the whole interval is on its allowed side.",
    "energy": "The training took {kwh} kWh, which is {grams} g CO₂eq ({source}, CodeCarbon).",
    "carbon_source": "CodeCarbon, {source}",
    "limits": "Limits",
    "no_more": "A verdict covers only what the policy gates. It does not say that the model is fair, private or safe.",
    "made_by": "Written by python -m audit card from the record of the audit; the report beside it holds the evidence.",
}

BOM = {
    "fingerprint": "SHA-256 over the names and SHA-256 of the model’s files, as python -m audit verify makes it",
    "classes": "one of the classes",
    "test": "test data",
    "train": "training data",
    "provider": "not recorded",
    "confidence": "{confidence} confidence",
}
