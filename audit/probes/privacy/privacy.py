"""Privacy: what the training data says of people, and of the test. (What the model gives away: see membership.)"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Cell, Facts, Table
from audit.core.measurement import Result
from audit.core.probe import SHARE, Alarm, Probe
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.text import duplicates, personal_data
from audit.text.redaction import LEFT_OUT, SMALLEST_CELL, count, withheld

NO_TRAINING_DATA = Sentence("the policy names no training data; name it under [data] train")
# Kinds of personal data as a reader calls them.
PERSONAL = {
    "email": Sentence("e-mail address"),
    "link": Sentence("link with a secret"),
    "api_key": Sentence("access key"),
    "iban": Sentence("bank account (IBAN)"),
    "card": Sentence("card number"),
    "ip": Sentence("IP address"),
    "phone": Sentence("telephone number"),
    "address": Sentence("street address"),
    "handle": Sentence("handle"),
    "name": Sentence("name of a person"),
}
# Where an example repeats another.
ACROSS = Sentence("in test, of training")
# Places of each kind that the record names; more would be a list for whoever looks for such data.
FIRST = 20


@Probe(
    id="privacy.train_test_overlap",
    challenge="privacy",
    title="Test examples that stand in the training data",
    unit=SHARE,
    counts="share of test examples",
    better="lower",
    meaning=(
        "How many test texts stand in the training data: word for word, but for case, punctuation and HTML, or with "
        "nearly all of their word sequences alike."
    ),
    harm="Such examples test memory, not reading, and make every other figure look better than it is.",
    remedy="Remove them from one of the two files and audit again.",
    measured_on=("test data", "training data"),
    alarm=Alarm(
        0.01,
        "One test example in a hundred that is known by heart can raise the accuracy by a point, as much as models "
        "under comparison often differ by.",
    ),
    rules=("MEASURE 2.10", "Article 9(8)", "Article 10", "A.5.4", "A.6.2.4", "A.7.4", "GDPR 25", "GDPR 35"),
    severity="serious",
)
def train_test_overlap(
    train: Examples | None,
    test: Examples,
    predictions: Predictions | None = None,
    *,
    near_duplicate: float = 0.8,
) -> Result:
    """Share of test examples that stand in the training data, word for word or nearly; a census.

    Parameters
    ----------
    train : Examples or None
    test : Examples
    predictions : Predictions, optional
        On the test data; with them, the accuracy is told with and without the examples that overlap.
    near_duplicate : float
        Jaccard similarity of word shingles from which two texts are near duplicates.

    Raises
    ------
    NotAssessed
        Without training data.

    Notes
    -----
    Source: Lee et al., "Deduplicating training data makes language models better", ACL 2022, for near duplicates by
    the Jaccard similarity of word shingles, within and across splits.
    """
    if train is None:
        raise NotAssessed(NO_TRAINING_DATA)
    found = _copies(train.texts, test.texts, near_duplicate)
    inside = found[ACROSS] > 0
    repeats = Table(
        Sentence("Examples that repeat another one, each counted at the closest way in which it does"),
        [Sentence("examples"), Sentence("exactly"), Sentence("normalised"), Sentence("nearly")],
        [[name, *(int((way == i).sum()) for i in (1, 2, 3))] for name, way in found.items()],
    )
    return Result.census(
        float(inside.mean()),
        len(test),
        Sentence(
            "Every test text compared with every training text: word for word, without case, punctuation, space and "
            "HTML (normalised), and nearly: a Jaccard similarity of their {words}-word shingles of at least "
            "{similarity:.3g}, found exactly (Bayardo et al. 2007), not by sampling. A census has no sampling error.",
            words=duplicates.SHINGLE,
            similarity=near_duplicate,
        ),
        confidence=test.protocol.confidence,
        summary=Sentence("{share:often} test texts stand in the training data too.", share=float(inside.mean())),
        remedy_effect=_without(predictions, inside),
        caveats=[
            Sentence("Within a split, an example counts where another one like it stands before it."),
            Sentence(
                "Of two texts that share less than {similarity:%} of their {words}-word sequences, paraphrases among "
                "them, none counts as a copy. In short texts a single other word is enough for that.",
                similarity=near_duplicate,
                words=duplicates.SHINGLE,
            ),
            Sentence("Languages that are written without spaces are compared only exactly and normalised."),
        ],
        evidence=[
            repeats,
            *([_accuracies(predictions, inside)] if predictions is not None else []),
            Facts.of(
                {
                    Sentence("test examples that stand in the training data"): int(inside.sum()),
                    Sentence("distinct texts in both"): len(set(train.texts) & set(test.texts)),
                }
            ),
        ],
    )


def _copies(train: Sequence[str], test: Sequence[str], threshold: float) -> dict[str, NDArray[np.int8]]:
    """How each example repeats another: 0 not, 1 exactly, 2 normalised, 3 nearly; by where the other one stands."""
    train_forms, test_forms = ([duplicates.normal_form(text) for text in texts] for texts in (train, test))
    number = {form: i for i, form in enumerate(dict.fromkeys((*train_forms, *test_forms)))}
    in_train, in_test = (np.array([number[form] for form in forms], int) for forms in (train_forms, test_forms))
    near = _near(in_train, in_test, list(number), threshold)
    known, known_forms = set(train), set(train_forms)
    across = np.zeros(len(test), dtype=np.int8)
    across[near["across"][in_test]] = 3
    across[[form in known_forms for form in test_forms]] = 2
    across[[text in known for text in test]] = 1
    return {
        ACROSS: across,
        Sentence("within training"): _repeats(train, train_forms, near["train"][in_train]),
        Sentence("within test"): _repeats(test, test_forms, near["test"][in_test]),
    }


def _repeats(texts: Sequence[str], forms: Sequence[str], near: NDArray[np.bool_]) -> NDArray[np.int8]:
    """How each text repeats one before it."""
    seen: set[str] = set()
    seen_forms: set[str] = set()
    ways = np.zeros(len(texts), dtype=np.int8)
    for i, (text, form) in enumerate(zip(texts, forms, strict=True)):
        ways[i] = 1 if text in seen else 2 if form in seen_forms else 3 * near[i]
        seen.add(text)
        seen_forms.add(form)
    return ways


def _near(
    in_train: NDArray[np.int64], in_test: NDArray[np.int64], forms: Sequence[str], threshold: float
) -> dict[str, NDArray[np.bool_]]:
    """Which forms have a near duplicate in the training data, or an earlier one within either split."""
    first = {}
    for name, rows in (("train", in_train), ("test", in_test)):
        first[name] = np.full(len(forms), len(rows))
        np.minimum.at(first[name], rows, np.arange(len(rows)))
    has = {name: first[name] < len(rows) for name, rows in (("train", in_train), ("test", in_test))}
    near = {name: np.zeros(len(forms), dtype=bool) for name in ("across", "train", "test")}
    for one, other in duplicates.near_pairs(forms, threshold):
        near["across"][one[has["train"][other]]] = True
        near["across"][other[has["train"][one]]] = True
        for name in ("train", "test"):
            both = has[name][one] & has[name][other]
            later = np.where(first[name][one] > first[name][other], one, other)
            near[name][later[both]] = True
    return near


def _accuracies(predictions: Predictions, inside: NDArray[np.bool_]) -> Table:
    """The accuracies with and without the test examples that overlap."""
    rows: list[list[Cell]] = []
    for name, chosen in (
        (Sentence("all"), np.ones_like(inside)),
        (Sentence("in the training data"), inside),
        (Sentence("new to the model"), ~inside),
    ):
        n, known = int(chosen.sum()), predictions.known
        clusters = None if known.clusters is None else known.clusters[chosen]
        right, shown = predictions.correct[chosen], n >= SMALLEST_CELL
        interval = statistics.share(right, known.protocol.confidence, clusters=clusters) if shown else [None] * 3
        rows.append([name, count(n), *interval])
    return Table(
        Sentence("Accuracy with and without the overlap"),
        [Sentence("test examples"), Sentence("n"), Sentence("accuracy"), Sentence("low"), Sentence("high")],
        rows,
        units=["", "", SHARE, SHARE, SHARE],
    )


def _without(predictions: Predictions | None, inside: NDArray[np.bool_]) -> str:
    """What the accuracy is without the test examples that overlap; empty where that is not known."""
    if predictions is None or not inside.any() or (~inside).sum() < SMALLEST_CELL:
        return ""
    return Sentence(
        "without these test examples the accuracy is {without:.1%} instead of {all:.1%}.",
        without=float(predictions.correct[~inside].mean()),
        all=float(predictions.correct.mean()),
    )


@Probe(
    id="privacy.pii_in_training_data",
    challenge="privacy",
    title="Training examples with personal data",
    unit=SHARE,
    counts="share of training examples",
    better="lower",
    meaning=(
        "In how many training texts a program recognises an e-mail or street address, a telephone, account or card "
        "number, an IP address, a handle, or a key or link that lets its reader in; names of people only with a model "
        "of the release owner's."
    ),
    harm="What a model was trained on it may give away, and whoever trains on such data must be able to say why.",
    remedy="Mask or remove what the table points to, then train again; a model that has seen the data keeps them.",
    measured_on=("training data",),
    alarm=Alarm(
        0.01,
        "One text in a hundred is more than a slip: personal data shall be limited to what is necessary (Regulation "
        "(EU) 2016/679, article 5(1)(c)).",
    ),
    rules=("MEASURE 2.10", "Article 9(8)", "Article 10", "A.5.4", "A.6.2.4", "GDPR 5", "GDPR 25", "GDPR 35"),
)
def pii_in_training_data(train: Examples | None, names: personal_data.NameFinder | None = None) -> Result:
    """Share of training examples in whose text personal data are recognised; a census of detections.

    Parameters
    ----------
    train : Examples or None
    names : callable, optional
        Finds person names; see :func:`audit.text.personal_data.name_finder`. Without it names are not looked for.

    Returns
    -------
    Result
        Its tables hold counts by kind, and where to look: the example's number and the value masked, never itself.

    Raises
    ------
    NotAssessed
        Without training data.
    """
    if train is None:
        raise NotAssessed(NO_TRAINING_DATA)
    found = [personal_data.find(text, names) for text in train.texts]
    holding = Counter(kind for each in found for kind in {one.kind for one in each})
    places = Counter(one.kind for each in found for one in each)
    sought = [kind for kind in personal_data.KINDS if kind != "name" or names is not None]
    return Result.census(
        sum(map(bool, found)) / len(train),
        len(train),
        Sentence(
            "Every training text searched by patterns, and what they recognised counted: account and card numbers only "
            "with the right check digits, telephone numbers only if a numbering plan has them, IP addresses only where "
            "they are public. A census of detections has no sampling error, and errs as the patterns do."
        ),
        confidence=train.protocol.confidence,
        sample=Sentence("training examples"),
        interval="detections",
        summary=Sentence("{share:often} training texts hold personal data.", share=sum(map(bool, found)) / len(train)),
        caveats=[
            Sentence(
                "Patterns miss what is written unusually, and numbers of a plan that they do not know: telephone "
                "numbers without country code are sought in the American, British and German way only."
            ),
            Sentence("Numbers of bookings, tickets, cases and customers lead to people too, and are not sought."),
            Sentence("A handle may be a company's.")
            if names
            else Sentence(
                "A handle may be a company's. Names of people are sought only by a model of yours, [privacy] "
                "spacy_model."
            ),
        ],
        evidence=[
            Table(
                Sentence("By kind"),
                [Sentence("kind"), Sentence("examples"), Sentence("places")],
                [[PERSONAL[kind], holding[kind], places[kind]] for kind in sought],
            ),
            Table(
                Sentence(
                    "Where to look: the first {places} places of each kind, values masked; examples are numbered from "
                    "1, rows that were left out not counted",
                    places=FIRST,
                ),
                [Sentence("example"), Sentence("kind"), Sentence("masked")],
                _where(train.texts, found),
            ),
            _true_shares(holding, train),
            Facts.of({Sentence("training examples with personal data"): sum(map(bool, found))}),
        ],
    )


def _masked(kind: str, found: str) -> str:
    return LEFT_OUT if withheld() else personal_data.masked(kind, found)


def _true_shares(holding: Mapping[str, int], train: Examples) -> Table:
    """What the counts come to, once the errors of the patterns are allowed for."""
    rows: list[list[Cell]] = []
    for kind, (seen, having, silent, lacking) in personal_data.MEASURED.items():
        share = statistics.prevalence(
            holding[kind], len(train), (seen, having), (silent, lacking), train.protocol.confidence
        )
        rows.append([PERSONAL[kind], holding[kind] / len(train), *share, having, lacking])
    return Table(
        Sentence(
            "True shares of training examples, where it was measured how well the patterns do: on 500 English tweets "
            "to airlines, so on other texts they may do otherwise (Rogan and Gladen 1978; limits by Lang and Reiczigel "
            "2014)"
        ),
        [
            Sentence("kind"),
            Sentence("recognised"),
            Sentence("true share, estimated"),
            Sentence("low"),
            Sentence("high"),
            Sentence("tweets with it"),
            Sentence("tweets without"),
        ],
        rows,
        units=["", SHARE, SHARE, SHARE, SHARE, "", ""],
    )


def _where(texts: Sequence[str], found: Sequence[Sequence[personal_data.Found]]) -> list[list[Cell]]:
    """The first places of each kind, by example; values masked."""
    left = dict.fromkeys(personal_data.KINDS, FIRST)
    rows: list[list[Cell]] = []
    for number, (text, each) in enumerate(zip(texts, found, strict=True), start=1):
        for kind, start, end in each:
            if left[kind]:
                left[kind] -= 1
                rows.append([number, PERSONAL[kind], _masked(kind, text[start:end])])
    return rows
