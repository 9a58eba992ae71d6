"""Chinese as it is set: marks of its own width, none of its letters slanted, sentences without spaces between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from importlib.resources import files
from io import BytesIO

import pytest
from babel.messages.pofile import read_po

from audit.core.sentences import Sentence, joined, listed
from audit.report import comparison, summary
from audit.report.i18n import language
from audit.report.i18n.typography import full_width
from audit.report.page import page as report
from audit.report.page import text
from tests.report.i18n.test_languages import ALL, FOLDER, LANGUAGES, RICH, strings
from tests.report.page.test_page import LOSS, explained, finding, record, roc

HAN = "[\u3400-\u9fff]"
WIDE = "[，、。；：？！（）]"
# Quotations, code and English are written as they are; signs before a verdict are no punctuation.
NOT_OURS = r"<(style|svg|q|pre|code)\b.*?</\1>|<span lang=\"en\">.*?</span>|<span[^>]*aria-hidden[^>]*>.*?</span>"
FIELD = r"\{[^}]*\}"
IN_LINE = r"</?(?:a|b|bdi|s|small|span|strong)\b[^>]*>"


def set_wrongly(html: str) -> list[str]:
    """Narrow marks between Chinese letters, and spaces beside wide ones, as they are seen or read out."""
    read = "\n".join(re.findall('aria-label="([^"]*)"', html))
    seen = f"{read}\n" + re.sub(r"<[^>]*>", "\n", re.sub(IN_LINE, "", re.sub(NOT_OURS, "\n", html, flags=re.DOTALL)))
    wrong = rf".{{0,9}}(?:{HAN} ?[,.:;?!()] ?{HAN}|{HAN}[,:;?!()]|[,:;?!(] ?{HAN}|{WIDE} +| +{WIDE}).{{0,9}}"
    return re.findall(wrong, seen)


def translations(name: str, domain: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Each text of a catalogue with its translation, in all its forms."""
    for message in read_po(BytesIO(FOLDER.joinpath(*language.place(name, domain)).read_bytes())):
        if message.id:
            yield strings(message.id), strings(message.string)


@pytest.mark.parametrize("domain", [language.PAGE, language.RECORD])
def test_translators_write_chinese_marks_and_one_space_between_han_and_latin(domain: str) -> None:
    # What stands in a field is not known, but for numbers, which have a form.
    for _, told in translations("zh", domain):
        for said in told:
            assert not re.findall(rf"{HAN}[,:;?!()\"]|[,:;?!()\"]{HAN}|{WIDE} | {WIDE}", said), said
            bare = re.sub(FIELD, "", said)
            assert not re.findall(rf"{HAN}[A-Za-z0-9]|[A-Za-z0-9%]{HAN}", bare), said


@pytest.mark.parametrize("name", LANGUAGES)
def test_translations_of_sentences_fill_in_the_same_in_the_same_form(name: str) -> None:
    for (english,), (said,) in translations(name, language.RECORD):
        assert not said or set(re.findall(FIELD, english)) == set(re.findall(FIELD, said)), said


@pytest.mark.parametrize("name", ALL)
def test_a_page_has_no_narrow_mark_between_chinese_letters(name: str) -> None:
    assert not set_wrongly(report.render(ALL[name], language="zh"))


def test_a_comparison_has_no_narrow_mark_between_chinese_letters() -> None:
    records = [("first", RICH), ("second", RICH | {"model": RICH["model"] | {"fingerprint": "sha256:other"}})]
    assert not set_wrongly(comparison.render(records, finding()["id"], "zh"))


def test_a_summary_has_no_narrow_mark_between_chinese_letters() -> None:
    said = summary.render(RICH, language="zh")
    assert not re.findall(rf"{HAN} ?[,:;?!()] ?{HAN}|。 +{HAN}", said)


def test_marks_between_texts_are_wide_and_texts_stay_as_they_are() -> None:
    said = {
        "<p><b>门槛</b>: <bdi>好, 坏</bdi>; 通过</p>": "<p><b>门槛</b>：<bdi>好, 坏</bdi>；通过</p>",
        "<p><bdi>准确率</bdi> <span>(3)</span>.</p>": "<p><bdi>准确率</bdi><span>（3）</span>。</p>",
        "<p>已测量。 <bdi>通过。</bdi>\n<span>完</span></p>": "<p>已测量。<bdi>通过。</bdi><span>完</span></p>",
        "<p>宏平均 F1: 通过</p>": "<p>宏平均 F1：通过</p>",
        "<p>差 [1.2, 3.4].</p><p>共 12.</p><p>x: y.</p>": "<p>差 [1.2, 3.4]。</p><p>共 12。</p><p>x: y.</p>",
        "<p>看 <q>好, 坏: 是.</q></p>": "<p>看 <q>好, 坏: 是.</q></p>",
        "<p>看 <code>甲: 乙</code></p><pre>甲: 乙</pre>": "<p>看 <code>甲: 乙</code></p><pre>甲: 乙</pre>",
        '<p>因为 <span lang="en">It broke: why.</span></p>': '<p>因为 <span lang="en">It broke: why.</span></p>',
        "<th>一</th><td>: 二</td>": "<th>一</th><td>: 二</td>",
        "<p>&lt;二&gt; (三&amp;四)</p><br>": "<p>&lt;二&gt;（三&amp;四）</p><br>",
    }
    for before, after in said.items():
        assert full_width(before) == before
        with language.speaking("zh"):
            assert full_width(before) == after


def test_sentences_and_lists_are_joined_as_the_language_joins_them() -> None:
    two = joined([Sentence("empty text"), Sentence("spaces"), Sentence("a capital")], "; ")
    all_ = listed([Sentence("empty text"), Sentence("spaces"), Sentence("line breaks")], Sentence(" and "))
    share = Sentence("{share:.1%} of the test examples have no group", share=0.125)
    assert (str(all_), str(share)) == (
        "empty text, spaces and line breaks", "12.5 % of the test examples have no group"
    )  # fmt: skip
    with language.speaking("zh"):
        assert text.said(joined([Sentence("empty text"), Sentence("spaces")])) == "空文本空格"
        assert text.said(two).startswith("空文本；空格；")
        assert text.said(all_) == "空文本、空格、换行符"
        assert language.together(["一。", "", "二。"]) == "一。二。"
        assert text.sentence("区间为 [1, 2]") == "区间为 [1, 2]。"
        assert text.sentence(text.english("It broke")) == text.english("It broke.")
        assert text.figures([0.1, 0.05, 0.2], unit="share").low == "5%"
    assert language.together(["One.", "", "Two."]) == "One. Two."
    assert text.figures([0.1, 0.05, 0.2], unit="share").low == "5"


def test_percentages_in_a_sentence_are_written_the_languages_way() -> None:
    said = Sentence("{share:%} of {shares:.1%}", share=0.4, shares=0.125)
    assert str(said) == "40 % of 12.5 %"
    whole = Sentence("{share:%} less", share=0.4)
    with language.speaking("zh"):
        assert text.said(whole) == "少 40%"


def test_no_chinese_letter_is_slanted() -> None:
    style = files("audit.report.page").joinpath("report.css").read_text("utf-8")
    assert set(re.findall(r"font-style:\s*([^;}]*)", style)) == {"var(--slant)"}
    assert re.search(r":root:lang\(zh\) \{[^}]*--slant: normal", style)
    assert not re.findall(r"font:[^;]*(?:italic|oblique)", style)
    shown = record(*RICH["findings"], roc(LOSS), explained(), policy={"report": {"language": "zh"}})
    assert not re.findall(r"<(?:em|i|cite|dfn|var|address)\b", report.render(shown))


def test_an_english_page_has_printed_apostrophes_but_in_data_code_and_quotations() -> None:
    for known in ALL.values():
        html = re.sub(r"<(style|svg|q|pre|code|bdi|ins|del)\b.*?</\1>", "", report.render(known), flags=re.DOTALL)
        assert not re.findall(r".{20}[a-z]'[a-z].{9}", unescape(re.sub(r"<[^>]*>", " ", html)))
    said = Sentence("the learners' answer to {what} isn't one, said 'yes' or 'no's", what="don't")
    assert text.said(said) == "the learners' answer to don't isn’t one, said 'yes' or 'no’s"
    assert text.said(Sentence("the learners' answers")) == "the learners’ answers"
