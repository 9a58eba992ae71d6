"""How much of a page in another language is in that language: what the catalogues lack, and what goes round them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from gettext import NullTranslations
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from audit.core.errors import NotAssessed
from audit.core.records import FindingRecord, Record
from audit.core.sentences import _FIELD, Sentence, listed
from audit.core.verdict import Finding, Gate, Verdict, judge
from audit.policy.policy import Finetune, embedded
from audit.record import declarations
from audit.record import record as records
from audit.report.i18n import language
from audit.report.page import facts, text
from audit.report.page import page as report
from tests.probes.test_contract import CASES, PROBES, SLOW, Arguments
from tests.report.i18n.test_languages import FOLDER
from tests.report.page.test_page import finding, record

# The languages whose records are translated whole.
WHOLE = ("de", "zh")
MOST = 0.05  # of a page's own words, untranslated
# What is the same in every language: names of the project, of commands and of formats, and Babel's dates.
NAMES = frozenset(
    {"pytest", "model", "audit", "python", "report", "verify", "json", "utc", "januar", "kwh", "wh", "ms"}
)
# Two Han characters are about a word.
_WORD = re.compile(r"[\u4e00-\u9fff]{1,2}|[^\W\d_\u4e00-\u9fff]{2,}")


def sentences(name: str) -> dict[str, str]:
    """The templates of a record's sentences, with their translations; empty where there is none."""
    source = FOLDER.joinpath(*language.place(name, language.RECORD)).read_bytes()
    return {str(message.id): str(message.string) for message in read_po(BytesIO(source)) if message.id}


# ---- the catalogue of the record


@pytest.mark.parametrize("name", [name for name in language.TAGS if name != language.ENGLISH])
def test_translated_sentences_of_the_record_have_the_fields_of_the_english_ones(name: str) -> None:
    for english, said in sentences(name).items():
        if said:
            assert set(_FIELD.findall(said)) == set(_FIELD.findall(english)), said
            assert said.count("{") == said.count("}") == len(_FIELD.findall(said)), said
            for end in (0, -1):  # clauses are put together without a space between them, which Chinese does not have
                assert said[end].isspace() == english[end].isspace() or name == "zh", said


@pytest.mark.parametrize("name", WHOLE)
def test_the_sentences_of_the_record_are_translated(name: str) -> None:
    words = {True: 0, False: 0}
    for english, said in sentences(name).items():
        words[bool(said)] += len(_WORD.findall(english))
    missing = [english for english, said in sentences(name).items() if not said]
    assert words[False] <= MOST * sum(words.values()), f"to be translated: {missing}"


# ---- the page


class _Marked(NullTranslations):
    """The translations of a language between two marks, so that what went round the catalogue is seen."""

    def __init__(self, of: NullTranslations) -> None:
        super().__init__()
        self._of = of

    def gettext(self, message: str) -> str:
        said = self._of.gettext(message)
        return f"⟦{said}⟧" if said else ""

    def ngettext(self, one: str, several: str, n: int) -> str:
        return f"⟦{self._of.ngettext(one, several, n)}⟧"


class _Words(HTMLParser):
    """The page's own words, told apart by whether they are translated; texts, names and code of others are passed over.

    A word is translated if a catalogue said it and no element around it is marked as English.
    """

    OTHERS = frozenset({"style", "q", "code", "pre", "del", "ins"})
    EMPTY = frozenset({"br", "img", "meta", "link", "wbr", "hr", "col", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.translated: list[str] = []
        self.left: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        # A text that was cut has lost its second mark; only links of terms and what is English stand within a text.
        self._depth = self._depth if tag in ("a", "span") else 0
        if tag not in self.EMPTY:
            self._open.append((tag, tag != "html" and ("lang", "en") in attrs))

    def handle_endtag(self, tag: str) -> None:
        self._depth = self._depth if tag in ("a", "span") else 0
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        is_others = any(tag in self.OTHERS for tag, _ in self._open)
        is_english = any(english for _, english in self._open)
        for part in re.findall(f"[⟦⟧]|{_WORD.pattern}", data):
            if part in "⟦⟧":
                self._depth += 1 if part == "⟦" else -1
            elif not is_others and part.lower() not in NAMES:
                (self.translated if self._depth and not is_english else self.left).append(part)


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """The record of an audit with a finding of each probe that measures in a moment."""
    found = list(_findings(tmp_path_factory.mktemp("cases")))
    policy = {"audit": {"confidence": 0.95}, "data": {"language": "en"}}
    facts: records.Facts = {
        "gated": [each["id"] for each in found],
        "always_gated": [],
        "declarations": declarations.to_json(probe.declaration for probe in PROBES.values()),
        "model": {"source": "example"},
        "data": {"test": {}, "train": {}},
        "policy": policy,
        "policy_file": None,
        "energy": [],
        "kept": [],
        "grids": [],
        "scoring": {"texts": 0, "forward_passes": 0, "cache_hits": 0},
        "provenance": {"versions": {}},
    }
    made = records.build(found, [facts], failed=True, interrupted=False, created="2000-01-01T00:00:00Z", duration_s=9.0)
    read: Record = json.loads(records.as_text(made))
    return read


def _findings(folder: Path) -> Iterator[FindingRecord]:
    for number, (probe_id, case_of) in enumerate(CASES.items()):
        if probe_id in SLOW:
            continue
        own = folder / str(number)
        own.mkdir()
        case, declared = case_of(own), PROBES[probe_id].declaration
        gate = case.gate if isinstance(case.gate, Gate) else _gate(declared.better, case.gate)
        measured = PROBES[probe_id](**case.fails)
        verdict, reason = judge(measured, gate)
        yield records.as_dict(Finding(measured.id, declared.challenge, declared.title, verdict, reason, measured, gate))
        if refused := _refused(probe_id, case.refuses):
            name = f"{probe_id}[refused]"
            yield records.as_dict(
                Finding(name, declared.challenge, declared.title, Verdict.NOT_ASSESSED, refused, None, gate)
            )


def _gate(better: str, bound: float) -> Gate:
    return Gate(min=bound) if better == "higher" else Gate(max=bound)


def _refused(probe_id: str, refuses: Sequence[Arguments]) -> str:
    """Why a probe refuses the first arguments that it refuses; empty where there are none."""
    for arguments in refuses[:1]:
        with pytest.raises(NotAssessed) as refusal:
            PROBES[probe_id](**arguments)
        return refusal.value.reason
    return ""


@pytest.mark.slow("measures with most probes", seconds=6)
@pytest.mark.parametrize("name", WHOLE)
def test_of_a_page_s_own_words_hardly_any_is_left_english(
    name: str, audited: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = language._catalogue
    monkeypatch.setattr(language, "_catalogue", lambda spoken, first: _Marked(asked(spoken, first)))
    found = _Words()
    found.feed(report.render(audited, language=name))
    share = len(found.left) / (len(found.left) + len(found.translated))
    often = Counter(found.left).most_common(40)
    assert share <= MOST, f"{share:.1%} of the page's own words are left English: {often}"
    assert len(found.translated) > 10_000  # it did read the page


# ---- which words are whose


def test_a_word_of_a_title_may_be_another_one_in_a_sentence() -> None:
    with language.speaking("de"):
        assert (language.say("places"), text.said(Sentence("places"))) == ("Orte", "Stellen")


def test_lists_are_joined_the_languages_way() -> None:
    sides = [Sentence("right answers"), Sentence("energy")]
    with language.speaking("de"):
        assert text.said(listed(sides, Sentence(" and "))) == "richtige Antworten und Energie"
    with language.speaking("zh"):
        assert text.said(listed(["“A”", "“B”", "“C”"])) == "“A”、“B”、“C”"


def test_each_setting_of_a_recipe_has_words() -> None:
    with language.speaking("de"):
        recipe = dict(facts.recipe({"recipe": Finetune().model_dump() | {"group_by_length": True}}))
    assert len(recipe) == len(Finetune.model_fields)
    assert recipe["Batches aus ähnlich langen Texten"] == "ja"
    assert recipe["Trainierte Schichten"] == "alle"


def test_reasons_of_the_embedded_policy_are_translated_and_those_of_an_owner_left_as_they_are() -> None:
    own = embedded().own_gates["quality.accuracy"].reason
    for reason, said in ((own, "das erreicht hier schon das Zählen"), ("so will es der Beirat", "so will es")):
        html = report.render(record(finding(gate={"min": 0.5, "reason": reason})), language="de")
        assert f"<bdi>Warum dort: {said}" in html


@pytest.mark.parametrize(
    ("clause", "said"),
    [("its gate is settled", "Its gate is settled."), ("code.py: a program", "code.py: a program."), ("", "")],
)
def test_a_clause_becomes_a_sentence_and_a_file_keeps_its_name(clause: str, said: str) -> None:
    assert text.sentence(clause) == said
