"""The report in other languages: complete, in their way of writing, and honest about what stays English."""

from __future__ import annotations

import json
import re
import string
import subprocess
from gettext import NullTranslations
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, get_args

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from audit.cli import main
from audit.policy.policy import Language
from audit.record import record as records
from audit.report import badge, catalogues, comparison, summary
from audit.report import files as report_files
from audit.report.i18n import language
from audit.report.i18n.words import Counted
from audit.report.page import page as report
from audit.report.page import text
from tests.report.page.test_page import (
    EVERYTHING,
    LARGE,
    LOSS,
    RECORDS,
    RIGHT,
    WORD_COUNTS,
    WRONG,
    Page,
    claim,
    explained,
    finding,
    odds,
    pareto,
    phase,
    record,
    roc,
)
from tests.report.test_comparison import DATA
from tools.browser import CHROMIUM

LANGUAGES = [name for name in language.TAGS if name != language.ENGLISH]
FOLDER = Path(str(files("audit.report.i18n")))
TEMPLATES = Path(str(files("audit.report.page")))


def catalogue(name: str) -> Catalog:
    return read_po(BytesIO(FOLDER.joinpath(*language.place(name)).read_bytes()))


def placeholders(said: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(said) if name is not None}


# ---- the catalogues


def test_the_policy_knows_the_languages_that_there_are() -> None:
    assert set(get_args(Language)) == set(language.TAGS)


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_text_is_translated_and_none_is_left_over(name: str) -> None:
    wanted = {each if isinstance(each, str) else tuple(each) for each in catalogues.messages()}
    entries = {message.id: message for message in catalogue(name) if message.id}
    missing = [key for key in wanted if key not in entries or not all(strings(entries[key].string))]
    assert not missing, f"to be translated after `python -m audit.report.catalogues`: {missing}"
    assert not [key for key, message in entries.items() if message.fuzzy]
    assert not entries.keys() - wanted, "nobody says these any more; `python -m audit.report.catalogues` removes them"


@pytest.mark.parametrize("name", LANGUAGES)
def test_translations_fill_in_the_same_as_the_english_text(name: str) -> None:
    for message in catalogue(name):
        if message.id:
            english = set().union(*map(placeholders, strings(message.id)))
            for said in strings(message.string):
                # The form for one may leave the number out: "the one gate".
                lost = english - placeholders(said)
                assert not lost or isinstance(message.id, tuple), (said, lost)
                assert not placeholders(said) - english, said


@pytest.mark.parametrize("name", LANGUAGES)
def test_translations_begin_and_end_as_the_english_text(name: str) -> None:
    for message in catalogue(name):
        for english, said in zip(strings(message.id), strings(message.string), strict=False):
            if english and len(english) > 2:
                assert english[0].isspace() == said[0].isspace() or said[0] in "、，；（", said
                assert (english[-1] in ".?") == (said[-1] in ".?。？"), said


def strings(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def test_the_catalogues_are_as_the_tool_writes_them(tmp_path: Path) -> None:
    files = [language.place(name, domain) for name in LANGUAGES for domain in (language.PAGE, language.RECORD)]
    for place in files:
        copy = tmp_path.joinpath(*place)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(FOLDER.joinpath(*place).read_bytes())
    catalogues.update(tmp_path)
    for place in files:
        assert tmp_path.joinpath(*place).read_text("utf-8") == FOLDER.joinpath(*place).read_text("utf-8")


def test_every_template_of_a_sentence_is_found_for_translation() -> None:
    templates = catalogues.sentences()
    assert "the evidence bounds it on one side only" in templates
    assert "about {number:,} more {sample} would settle it with a chance of {chance:%}" in templates


def test_templates_hold_no_words_of_their_own() -> None:
    for name in ("report.html", "comparison.html", "parts.html"):
        source = TEMPLATES.joinpath(name).read_text("utf-8")
        source = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<code>.*?</code>", "", source, flags=re.DOTALL)
        said = re.findall(r'(?:aria-label|title|alt)="([^"]*)"', source)
        said.append(re.sub(r"<[^>]*>", " ", source).replace("pytest-model-audit", ""))
        assert not re.findall(r"[^\W\d_]{2,}", " ".join(said)), name


# ---- the page


class Marking(NullTranslations):
    """A language in which every translated text stands between two marks, so that what was not is seen."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, one: str, several: str, n: int) -> str:
        return f"⟦{one if n == 1 else several}⟧"


RICH = record(
    *EVERYTHING["findings"],
    roc(LOSS) | {"verdict": "reported", "gate": None},
    pareto(LARGE, WORD_COUNTS), explained(RIGHT, WRONG),
    claim("refuted"),
    claim("supported", id="claims.frozen_layers", n=3),
    claim("not settled", id="claims.parallel_training", verdict="pass", gate={"min": 0.0}),
    finding(
        "quality.calibration_error",
        details={
            "sample": "test examples",
            "summary": "Said by the probe.",
            "limits": ["Limited by the probe."],
            "reliability": [[0.55, 0.5, 0.4, 0.6], [0.95, 0.99, 0.9, 1.0]],
            "tables": [{"caption": "Captioned", "columns": ["group", "n"], "rows": [["some", 3]] * 200}],
            "examples": {"caption": "Exemplary", "items": [{"before": "old", "after": "new", "note": "noted"}] * 20},
            "flagged": True,
        },
    ),
    odds(waiver={"owner": "Somebody", "reason": "because", "expires": "2027-01-31", "valid": True})
    | {"id": "fairness.demographic_parity[gender]"},
    verdict="fail",
    complete=False,
    not_run=["privacy.train_test_overlap", "security.perturbation[typos]"],
    baseline={
        "path": "former", "created": "2026-01-02T03:04:05Z", "verdict": "pass", "fingerprint": None,
        "turned": [{"id": "quality.accuracy", "before": "pass", "now": "fail"}],
        "test": "else",
        "chain": [{"created": "2026-01-02T03:04:05Z", "fingerprint": None, "test": "else"}],
        "compared": [
            {"id": "quality.accuracy", "change": "worse", "paired": True,
             "before": {"estimate": 0.9, "low": 0.89, "high": 0.91},
             "now": {"estimate": 0.8, "low": 0.79, "high": 0.81}},
            {"id": "security.perturbation[typos]", "change": "gone",
             "before": {"estimate": 0.9, "low": 0.89, "high": 0.91}, "now": None},
            {"id": "quality.calibration_error", "change": "unclear",
             "before": {"estimate": 0.1, "low": 0.0, "high": 0.2}, "now": {"estimate": 0.1, "low": 0.0, "high": 0.2}},
        ],
        "gates": [
            {"id": "quality.accuracy", "change": "loosened", "before": {"min": 0.9}, "now": {"min": 0.85}},
            {"id": "quality.macro_f1", "change": "dropped", "before": {"min": 0.9}, "now": None},
            {"id": "security.perturbation[typos]", "change": "replaced", "before": {"min": 0.9}, "now": {"max": 0.1}},
        ],
        "settings": [{"name": "confidence", "before": 0.95, "now": 0.9}],
    },
    energy={
        "phases": [phase("score"), phase("probes", "measured")],
        "kept": [{**phase("fine-tune"), "created": "2026-11-23T23:31:30Z"}],
        "grids": [{"country": "XXX", "name": None, "g_per_kwh": 475.0, "year": None}],
    },
)  # fmt: skip
ALL = {**RECORDS, "rich": RICH}
# Commands, which are the same in every language, and what Babel says of numbers and dates.
NAMES = {
    "pytest",
    "model",
    "audit",
    "python",
    "report",
    "verify",
    "sha",
    "sum",
    "json",
    "utc",
    "januar",
    "november",
    "millionen",
}


@pytest.mark.parametrize("name", ALL)
def test_no_text_of_the_report_goes_round_the_catalogues(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_catalogue", lambda *_: Marking())
    for made in (report.render, summary.render, badge.render):
        assert not untold(made(ALL[name], language="de"), ALL[name]), made.__module__


def test_no_text_of_the_comparison_goes_round_the_catalogues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "_catalogue", lambda *_: Marking())
    passing = RICH | {"verdict": "pass", "complete": True}
    others = (
        passing,
        passing | {"data": {"test": {"path": "else"}, "train": {}}, "policy": {"audit": {"inconclusive": "warn"}}},
        passing | {"findings": [finding(low=0.7, high=0.9)], "provenance": {"device": "cuda", "versions": {}}},
        RICH,
    )
    for other in others:
        records = [("first", passing), ("second", other), ("third", passing)]
        assert not untold(comparison.render(records, finding()["id"], "de"), records)


def untold(made: str, value: Any) -> set[str]:
    """Words that no catalogue was asked for and that the records do not hold."""
    rest = unmarked(made)
    labels = " ".join(re.findall(r'aria-label="([^"]*)"', rest))
    shown = re.sub(r"<style>.*?</style>|<[^>]*>|&\w+;|[a-z]+://\S+", " ", rest, flags=re.DOTALL)
    return words_of(f"{labels} {shown}") - NAMES - words_of(str(value).replace("_", " "))


def words_of(said: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]{2,}", said.lower()))


def unmarked(said: str) -> str:
    """What stands outside the marks; they may be inside one another."""
    depth, kept = 0, []
    for letter in said:
        depth += (letter == "⟦") - (letter == "⟧")
        kept.append(letter if depth == 0 else " ")
        assert depth >= 0
    assert depth == 0
    return "".join(kept)


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_page_is_well_formed_and_says_which_language_it_is_in(name: str) -> None:
    found = Page(report.render(RICH, language=name))
    assert found.problems == []
    assert found.elements[0] == ("html", {"lang": language.TAGS[name][0]})
    assert not re.search("[\ufdd0\ufdd1]", found.html)
    assert all(re.search(r"\{\w*\}", said) is None for said in found.all("aria-label"))


@pytest.mark.parametrize("name", LANGUAGES)
def test_what_stays_english_is_marked_and_told_once(name: str) -> None:
    html = report.render(RICH, language=name)
    for said in ("Said by the probe.", "Limited by the probe.", "Exemplary", "noted", "Right answers counted."):
        assert f'<span lang="en">{said}</span>' in html
    assert '<table class="data" lang="en">' in html
    with language.speaking(name):
        told = language.words.TRANSLATED
    assert Page(html).text.count(told) == 1
    english = report.render(RICH)
    assert english.count('lang="en"') == 1
    assert language.words.TRANSLATED not in english


def test_a_record_is_told_in_german() -> None:
    said = Page(report.render(EVERYTHING, language="de")).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Gesperrt: 1 von 8 Schwellen ist nicht eingehalten, 1 ist nicht eindeutig" in said.replace(":  ", ": ")
    result = "19 Prozentpunkte (größter Unterschied der Raten), Konfidenzintervall (95 %) 13 bis 24 Prozentpunkte"
    assert f"{result}; 1.821 Testbeispiele; die Schwelle erlaubt höchstens 10 Prozentpunkte." in said
    assert "Beobachtet wurde: Women are misread" in said
    assert "Unterschied darin, wie oft Gruppen falsch gelesen werden, nach gender (Equalized Odds)" in said
    assert "19 Prozentpunkte [13; 24], Schwelle 10" in said
    assert "Genauigkeit, verloren durch Tippfehler" in Page(report.render(RICH, language="de")).text
    assert "19 Prozentpunkte [13; 24]" in said
    assert "23. November 2026, 23:41 UTC" in said
    assert "1,47 Millionen" in said


def test_a_record_is_told_in_chinese() -> None:
    said = Page(report.render(EVERYTHING, language="zh")).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "8 项门槛中有 1 项不通过、1 项无定论" in said
    assert "19 个百分点（比率的最大差值），95% 置信区间为 13 至 24 个百分点" in said
    assert "2026年11月23日 23:41 UTC" in said
    assert "147万" in said


def test_claims_and_the_picture_of_models_are_told_in_german() -> None:
    html = report.render(RICH, language="de")
    said = Page(html).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Die Behauptungen des Dokuments" in said
    assert "Die Behauptung ist hier widerlegt" in said
    assert "85 % [83; 87] richtig für 0,100 Wh [0,050; 0,200]; geprüft; auf der Front" in said
    assert ">0,05</text>" in html
    assert '2 <span lang="en">TF-IDF</span>' in html
    assert '<span lang="en">fine-tuned</span>' in html
    assert '<span lang="en">Accuracy by rate</span>' in html


def test_the_former_audit_and_the_rules_are_told_in_german() -> None:
    said = Page(report.render(RICH, language="de")).text.replace("\N{NO-BREAK SPACE}", " ")
    loosened = "Genauigkeit (Accuracy): mindestens 90 %, jetzt mindestens 85 %"
    assert f"Eine Schwelle wurde seit dem früheren Audit vom 2. Januar 2026, 03:04 UTC gelockert: {loosened}." in said
    told = "im früheren Audit, oder andere Texte werden befragt: die Konfidenz: vorher 0,95, jetzt 0,9."
    assert f"weniger streng beurteilt als {told}" in said
    assert "Schlechter als im früheren Audit, das 90 % [89; 91] ergab." in said
    assert "Artikel 10 (Daten und Daten-Governance)" in said


def test_what_is_for_machines_and_the_hub_stays_english(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records.write(tmp_path, record(finding(), data=DATA, policy={"report": {"language": "de"}}))
    for command, name in (("card", "README.md"), ("bom", "model.cdx.json")):
        assert main([command, str(tmp_path), "-o", str(tmp_path / name)]) == 0
        assert "Genauigkeit" not in (tmp_path / name).read_text("utf-8")
    (tmp_path / "other").mkdir()
    another = {"model": record()["model"] | {"fingerprint": "sha256:other"}}
    records.write(tmp_path / "other", record(finding(), data=DATA, **another))
    compare = ["compare", str(tmp_path), str(tmp_path / "other"), "--objective", finding()["id"], "--language", "zh"]
    assert main([*compare, "-o", str(tmp_path / "c.json")]) == 0
    assert "cannot be told apart by “Accuracy”" in json.loads((tmp_path / "c.json").read_text("utf-8"))["sentence"]
    assert "cannot be told apart by “Accuracy”" in capsys.readouterr().out


def test_a_comparison_speaks_the_language_of_the_first_audit_or_the_one_asked_for(tmp_path: Path) -> None:
    for name in ("de", "en"):
        (tmp_path / name).mkdir()
        of_its_own = {"model": record()["model"] | {"fingerprint": f"sha256:{name}"}}
        records.write(
            tmp_path / name, record(finding(), data=DATA, policy={"report": {"language": name}}, **of_its_own)
        )
    for order, asked, tag, says in (
        (("de", "en"), [], "de", "Diese bestehen und sind nach „Genauigkeit (Accuracy)“ (mehr ist besser) nicht zu"),
        (("en", "de"), [], "en", "These pass and cannot be told apart by “Accuracy” (more is better)"),
        (("en", "de"), ["--language", "zh"], "zh-Hans", "A、B"),
    ):
        both = [str(tmp_path / name) for name in order]
        made = tmp_path / "c.html"
        assert main(["compare", *both, "--objective", finding()["id"], *asked, "-o", str(made)]) == 0
        found = Page(made.read_text("utf-8"))
        assert found.problems == []
        assert found.elements[0] == ("html", {"lang": tag})
        assert says in found.text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("name", "figure", "large", "day"),
    [
        ("en", "−1,234,567", "12.3 million", "31 January 2027"),
        ("de", "−1.234.567", "12,3 Millionen", "31. Januar 2027"),
        ("zh", "−1,234,567", "1230万", "2027年1月31日"),
    ],
)
def test_numbers_and_dates_are_written_the_languages_way(name: str, figure: str, large: str, day: str) -> None:
    with language.speaking(name):
        said = [text.figure(-1_234_567), text.large(12_345_678), text.day("2027-01-31")]
    assert [each.replace("\N{NO-BREAK SPACE}", " ") for each in said] == [figure, large, day]
    with language.speaking(name):
        assert text.date("2027-02-31T00:00:00Z") == "2027-02-31T00:00:00Z"


def test_numbers_choose_the_form_of_a_word() -> None:
    forms = Counted("{count} gate", "{count} gates")
    said = {}
    for name in ("en", "de", "zh"):
        with language.speaking(name):
            said[name] = [language.counted(forms, n) for n in (1, 2)]
    assert said == {
        "en": ["1 gate", "2 gates"],
        "de": ["1 Schwelle", "2 Schwellen"],
        "zh": ["1 项门槛", "2 项门槛"],
    }


def test_the_policy_of_the_record_names_the_language_and_the_command_overrules_it(tmp_path: Path) -> None:
    value = record(finding(), policy={"report": {"language": "de"}})
    records.write(tmp_path, value)
    report_files.write(tmp_path, value, "")
    said = {
        "report.html": "Alle Schwellen eingehalten",
        "summary.md": "Alle Schwellen",
        "badge.svg": ">alle Schwellen eingehalten,",
    }
    for name, words_ in said.items():
        assert words_ in (tmp_path / name).read_text("utf-8")
    assert main(["report", str(tmp_path), "--language", "zh", "-o", str(tmp_path / "zh.html")]) == 0
    assert '<html lang="zh-Hans">' in (tmp_path / "zh.html").read_text("utf-8")
    assert '<html lang="en">' in report.render(record(finding(), policy={"report": {"language": "xx"}}))


def test_a_record_cannot_bring_in_the_marks_of_what_is_english() -> None:
    html = report.render(record(finding(method="a\ufdd0b\ufdd1\ufdd1")), language="de")
    assert Page(html).problems == []
    assert not re.search("[\ufdd0\ufdd1]", html)


# ---- without texts


def test_a_report_without_texts_says_so() -> None:
    found = Page(report.render(record(finding(), policy={"report": {"evidence": "none"}}))).text
    assert "The policy asks for a report without texts from the data." in found
    assert "This page shows no texts from the data" in found
    assert "This page shows examples from the data" not in found


# ---- layout


@pytest.mark.slow("opens a browser", seconds=2)
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_narrow_pages_do_not_overflow(tmp_path: Path) -> None:
    # Frames of 390 pixels, since a headless window may not be made that narrow; the page around them reads their sizes.
    around = '<p id="said"></p><script>const tell = f => { const e = f.contentDocument.documentElement; '
    around += "said.textContent += `${f.name} ${e.scrollWidth} ${e.clientWidth}; ` }</script>"
    for name in LANGUAGES:
        (tmp_path / f"{name}.html").write_text(report.render(RICH, language=name), "utf-8")
        around += f'<iframe name="{name}" src="{name}.html" width="390" height="800" onload="tell(this)"></iframe>'
    (tmp_path / "around.html").write_text(around, "utf-8")
    options = "--headless --no-sandbox --disable-gpu --no-first-run --allow-file-access-from-files --dump-dom".split()
    assert CHROMIUM
    done = subprocess.run(
        [CHROMIUM, *options, f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "around.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    widths = {
        name: (int(all_of_it), int(seen)) for name, all_of_it, seen in re.findall(r"(\w+) (\d+) (\d+);", done.stdout)
    }
    assert widths.keys() == set(LANGUAGES)
    for all_of_it, seen in widths.values():
        assert all_of_it == seen <= 390
