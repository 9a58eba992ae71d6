"""The glossary's words are linked in the page's own text: once in a section, as whole words, and never in the data."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from audit.report.i18n import language
from audit.report.page import page as report
from audit.report.page import terms
from tests.report.i18n.test_languages import RICH
from tests.report.page.test_page import HOSTILE, Page, finding, hostile_record, record

LINK = re.compile(r'<a class="term" href="#term-([\w-]+)">([^<]*)</a>')


def links(html: str) -> list[tuple[str, str]]:
    return LINK.findall(html)


def test_a_word_is_linked_where_each_section_first_uses_it() -> None:
    made = terms.linked("<h2>One</h2><p>A Gate, an interval, a gate.</p><h2>Two</h2><p>Two gates</p>")
    assert links(made) == [("gate", "Gate"), ("interval", "interval"), ("gate", "gates")]
    assert LINK.sub(r"\2", made) == "<h2>One</h2><p>A Gate, an interval, a gate.</p><h2>Two</h2><p>Two gates</p>"


@pytest.mark.parametrize("said", ["gatekeeper", "investigate", "sub-gate", "gate-keeping", "F10", "gate2", "GATES_OF"])
def test_no_part_of_a_word_is_linked(said: str) -> None:
    assert links(terms.linked(f"<p>{said}</p>")) == []


@pytest.mark.parametrize(
    ("said", "name"),
    [("(gate)", "gate"), ("“gate”", "gate"), ("gate’s", "gate"), ("F1\N{NO-BREAK SPACE}score", "f1"), ("AUC.", "auc")],
)
def test_a_word_is_found_among_signs_and_by_its_longest_form(said: str, name: str) -> None:
    ((found, _),) = links(terms.linked(f"<p>{said}</p>"))
    assert found == name


@pytest.mark.parametrize(
    "inside", ["h1", "h3", "a", "code", "pre", "q", "bdi", "svg", "summary", "caption", "th", "dt", "style", "title"]
)
def test_what_is_not_running_text_of_ours_is_left_alone(inside: str) -> None:
    made = terms.linked(f'<p title="gate"><{inside} class="gate"><b>gate</b> gate</{inside}> gate</p>')
    assert len(links(made)) == 1
    assert made.endswith("</a></p>")


@pytest.mark.parametrize(
    ("spoken", "said", "found"),
    [
        ("de", "Die Schwellen, kein Schwellenwert; das Konfidenzintervall.", ["Schwellen", "Konfidenzintervall"]),
        ("zh", "整个置信区间位于门槛之外，AUC为0.5。", ["置信区间", "门槛", "AUC"]),
    ],
)
def test_other_languages_have_forms_of_their_own(spoken: str, said: str, found: list[str]) -> None:
    with language.speaking(spoken):
        assert [word for _, word in links(terms.linked(f"<p>{said}</p>"))] == found


@pytest.mark.parametrize("spoken", language.TAGS)
def test_forms_belong_to_one_entry_and_hold_nothing_but_words(spoken: str) -> None:
    with language.speaking(spoken):
        entries = {name: forms.split("|") for name, (_, forms, _) in language.words.GLOSSARY.items()}
        counts = Counter(form.lower() for forms in entries.values() for form in forms)
    assert set(counts.values()) == {1}
    assert not [form for form in counts if not re.fullmatch(r"[\w ₂-]+", form)]


@pytest.mark.parametrize("spoken", language.TAGS)
def test_the_report_links_every_section_to_entries_that_are_there(spoken: str) -> None:
    html = report.render(RICH, language=spoken)
    found = Page(html)
    assert found.problems == []
    ids = found.all("id")
    for part in re.split("(?=<h2)", html):
        names = [name for name, _ in links(part)]
        assert len(names) == len(set(names))
        assert {f"term-{name}" for name in names} <= set(ids)
        if 'id="words-title"' in part[:60]:
            assert names == []
    assert {"gate", "policy", "interval", "class", "group", "training-data"} <= {name for name, _ in links(html)}
    assert html.count('id="term-') == len(language.words.GLOSSARY)


def test_the_links_change_no_word() -> None:
    html = report.render(RICH)
    assert Page(LINK.sub(r"\2", html)).text.split() == Page(html).text.split()


def test_words_of_the_data_are_not_linked_and_stay_escaped() -> None:
    said = f"canary <b>canary</b> & {HOSTILE}"
    details = {
        "sample": said, "summary": said, "limits": [said],
        "tables": [{"caption": said, "columns": [said, "n"], "rows": [[said, 1]]}],
        "examples": {"caption": said, "items": [{"before": said, "after": f"{said} twin", "note": said}]},
    }  # fmt: skip
    odd: dict[str, Any] = {
        "waiver": {"owner": said, "reason": said, "expires": "2027-01-31", "valid": False},
        "title": said,
    }
    html = report.render(record(finding(method=said, reason=said, details=details, **odd), verdict="fail"))
    assert not {"canary", "twin"} & {name for name, _ in links(html)}
    assert html.count("canary &lt;b&gt;canary&lt;/b&gt;") > 10
    assert Page(html).problems == []
    assert Page(report.render(hostile_record())).problems == []
