"""The report in a real browser: accessible by axe-core and by keyboard, silent, within its window, ready for print."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from audit.policy import toml
from audit.probes.catalogue import ids
from audit.report.page import page as report
from tests.conftest import write_csv
from tests.endtoend.test_suites import audit
from tests.report.page.test_page import (
    EVERYTHING,
    FORMER,
    HOSTILE,
    LARGE,
    RIGHT,
    WORD_COUNTS,
    WRONG,
    compared,
    explained,
    finding,
    hostile_record,
    pareto,
    roc,
)
from tests.report.page.test_page import record as make
from tools.browser import CHROMIUM, Tab, browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

# Deque's rules for accessible pages (MPL 2.0); asked for by the tests only, so it is neither stored nor shipped.
AXE = "axe-core-4.14.1.tgz"
AXE_SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
# What no label of a model's configuration and no cell of a CSV holds.
UNSEEN = {0: None}
WINDOWS = [(1280, False), (1280, True), (390, False), (390, True)]


def everything() -> Any:
    """A record that has each part of the page at least once."""
    details = {
        "sample": "test examples",
        "summary": "Women are misread more often.",
        "limits": ["Only these groups."],
        "reliability": [[0.55, 0.5, 0.4, 0.6], [0.95, 0.99, 0.9, 1.0]],
        "tables": [
            {"caption": "By group", "columns": ["", *"abcdefgh"], "rows": [["a long name", *[0.123] * 8]] * 3},
            {"caption": "By group", "columns": ["group", "x", "low", "high"], "rows": [["a", 0.8, 0.7, 0.9]] * 2},
        ],
        "examples": {"caption": "Texts", "items": [{"before": "he said", "after": "she said", "note": "a → b"}]},
        "flag": True,
    }  # fmt: skip
    curve = ("the best attack", [[0.01, 0.1], [0.1, 0.4], [1, 1]], [[0.01, 0.1, 0.05, 0.2]])
    gates = [{"id": "quality.accuracy", "change": "loosened", "before": {"min": 0.8}, "now": {"min": 0.75}}]
    own = finding("quality.calibration_error", "fail", gate={"max": 0.1}, details=details)
    second = finding("quality.mcc", details=details, waiver={
        "owner": "A. Person", "reason": "known", "expires": "2027-01-31", "valid": True,
    })  # fmt: skip
    energy: Any = {"estimate": 0.00020, "low": 0.00003, "high": 0.00062, "unit": "Wh per 1,000 predictions"}
    findings = [
        *EVERYTHING["findings"],
        finding("environment.inference_energy", gate={"max": 0.025}, **energy),
        own,
        second,
        roc(curve),
        pareto(LARGE, WORD_COUNTS),
        explained(RIGHT, WRONG),
    ]
    baseline = FORMER | {"gates": gates, "compared": [compared("worse", 0.9, 0.8)]}
    return make(*findings, verdict="fail", complete=False, not_run=EVERYTHING["not_run"], baseline=baseline)


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("report") / "report.html"
    made.write_text(report.render(everything()), "utf-8")
    return made


@cache
def axe() -> str:
    """The program's text; skips where neither a kept copy nor the registry has it."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pytest-model-audit-tests"
    kept = folder / AXE
    if not kept.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip(f"{kept} is not there and there is no npm to fetch it with")
        folder.mkdir(parents=True, exist_ok=True)
        name = AXE.removesuffix(".tgz").replace("core-", "core@")
        done = subprocess.run([npm, "pack", "--silent", name], cwd=folder, capture_output=True, text=True, timeout=120)
        if done.returncode:
            pytest.skip(f"{kept} is not there and the registry gave no {name}: {done.stderr.strip()[-120:]}")
    digest = base64.b64encode(hashlib.sha512(kept.read_bytes()).digest()).decode()
    assert digest == AXE_SHA512, f"{kept} is not the {AXE} that is meant"
    with tarfile.open(kept) as packed:
        member = packed.extractfile("package/axe.min.js")
        assert member
        return member.read().decode()


@pytest.mark.slow("opens a browser", seconds=4)
@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_axe_finds_nothing(tab: Tab, path: Path, width: int, dark: bool) -> None:
    program = axe()
    tab.open(path, width=width, dark=dark, csp=False)
    assert tab.run("matchMedia('(prefers-color-scheme: dark)').matches") == dark
    tab.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    tab.run(f"{program};0")
    found = tab.run(
        "axe.run(document).then(r => ({passed: r.passes.length, violations: "
        "r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 200))])}))"
    )
    assert found["violations"] == []
    assert found["passed"] > 20  # it looked


@pytest.mark.parametrize("width", [1280, 800, 390, 320])
def test_nothing_is_wider_than_the_window(tab: Tab, path: Path, width: int) -> None:
    tab.open(path, width=width)
    tab.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert tab.run("innerWidth") == width
    assert tab.run(BEYOND) == []


@pytest.mark.parametrize("width", [390, 320])
def test_long_names_of_a_family_break_in_a_narrow_window(tab: Tab, tmp_path: Path, width: int) -> None:
    path = tmp_path / "report.html"
    kinds = [f"security.perturbation[{kind}]" for kind in ("typos", "homoglyphs", "spaces", "ocr")]
    found = [finding(kind, "reported", challenge="security", gate=None, unit="points") for kind in kinds]
    path.write_text(report.render(make(*found), language="de"), "utf-8")
    tab.open(path, width=width)
    tab.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert tab.run(BEYOND) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_long_unit_runs_into_no_other_figure(tab: Tab, path: Path, width: int) -> None:
    tab.open(path, width=width)
    wider = "[...document.querySelectorAll('.finding .figures')].filter(e => e.scrollWidth > e.clientWidth + 1)"
    assert tab.run(f"{wider}.map(each => each.textContent)") == []
    assert "predictions" in tab.run("document.querySelector('#findings').textContent")


# What lies beyond the right edge, but for what scrolls sideways by itself and what only screen readers see.
BEYOND = """
    [...document.querySelectorAll("body *")]
        .filter(each => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest(".scroll, .unseen"))
        .map(each => each.outerHTML.slice(0, 200))
        .concat(document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [])
"""


@pytest.mark.parametrize("width", [1280, 980, 900, 710, 390])
def test_names_of_findings_are_not_broken_in_pieces(tab: Tab, path: Path, width: int) -> None:
    tab.open(path, width=width)
    lines, words = tab.run(
        "[e => Math.round(e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight)), "
        "e => e.textContent.trim().split(/\\s+/).length]"
        ".map(count => [...document.querySelectorAll('.finding > summary .name')].map(count))"
    )
    assert len(lines) > 5
    assert all(line <= max(word, 1) for line, word in zip(lines, words, strict=True)), (lines, words)


def test_the_page_is_silent(tab: Tab, path: Path) -> None:
    tab.open(path)
    asked = [each["request"]["url"] for each in tab.named("Network.requestWillBeSent")]
    assert asked == [path.resolve().as_uri()]
    assert tab.named(*LOUD) == []


LOUD = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Page.javascriptDialogOpening")


@pytest.mark.slow("opens a browser")
def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(tab: Tab, path: Path) -> None:
    tab.open(path, height=800)
    expected = tab.run(
        "[...document.querySelectorAll('a[href], summary, input:checked, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility()).map(e => e.outerHTML.slice(0, 120))"
    )
    reached, unseen = [], []
    for _ in expected:
        tab.press("Tab")
        at, outline = tab.run(
            "[document.activeElement.outerHTML.slice(0, 120), getComputedStyle(document.activeElement).outlineStyle]"
        )
        reached.append(at)
        unseen += [at] if outline == "none" else []
    assert reached == expected
    assert unseen == []
    assert tab.run('document.querySelectorAll(\'[tabindex]:not([tabindex="0"]):not([tabindex="-1"])\').length') == 0
    # What scrolls can be scrolled with the keyboard.
    assert tab.run(
        "[...document.querySelectorAll('body *')].filter(e => e.scrollWidth > e.clientWidth + 1 && "
        "['auto', 'scroll'].includes(getComputedStyle(e).overflowX) && e.tabIndex < 0).length"
    ) == 0  # fmt: skip


def test_a_folded_part_opens_with_the_keyboard(tab: Tab, path: Path) -> None:
    tab.open(path)
    tab.run("document.querySelector('details:not([open]) > summary').focus()")
    tab.press("Enter", "\r")
    assert tab.run("document.activeElement.parentElement.open")


def test_a_link_opens_the_row_that_it_leads_to_and_nothing_hides_it(tab: Tab, path: Path) -> None:
    tab.open(path, height=800)
    link = "document.querySelector('a[href=\"#finding-environment-inference-energy\"]')"
    row = "document.getElementById('finding-environment-inference-energy').parentElement"
    assert not tab.run(f"{row}.open")
    tab.run(f"{link}.click()")
    assert tab.run(f"{row}.open")
    top, filter_ends = tab.run(
        f"[{row}.getBoundingClientRect().top, document.querySelector('.filter').getBoundingClientRect().bottom]"
    )
    assert filter_ends - 2 <= top < 700
    # So does one of the contents, whose part is folded, and one to a word of the glossary.
    for anchor in ("scope", "standards", "term-gate"):
        tab.run(f"document.querySelector('a[href=\"#{anchor}\"]').click()")
        assert tab.run(f"document.getElementById('{anchor}').checkVisibility()"), anchor


SHOWN = """
    [...document.querySelectorAll('.finding')].filter(e => e.checkVisibility())
        .map(e => [...e.classList].find(name => name.startsWith('is-')).slice(3))
"""


def test_the_filter_shows_one_verdict_by_mouse_and_keyboard_and_paper_shows_all(tab: Tab, path: Path) -> None:
    tab.open(path)
    everything_shown = tab.run(SHOWN)
    keys = tab.run("[...document.querySelectorAll('.filter input')].map(e => e.id.slice(5))")
    assert keys[0] == "all"
    assert set(keys[1:]) == set(everything_shown)
    for key in keys[1:]:
        tab.run(f"document.querySelector('label:has(#show-{key})').click()")
        assert tab.run(SHOWN) == [each for each in everything_shown if each == key]
        empty, told = (
            tab.run(f"[...document.querySelectorAll('.challenge')].filter(e => {{ const rows = "
                    f"[...e.querySelectorAll('.finding')]; return rows.length && {what}; }}).map(e => e.textContent)")
            for what in ("!rows.some(e => e.checkVisibility())", "e.querySelector('.none').checkVisibility()")
        )  # fmt: skip
        assert empty == told
    # What a link leads to is shown whatever is chosen.
    tab.run("document.querySelector('#show-pass').click()")
    hidden = "document.querySelector('.finding.is-fail')"
    assert not tab.run(f"{hidden}.checkVisibility()")
    tab.run(f"location.hash = {hidden}.querySelector('.body').id")
    assert tab.run(f"{hidden}.checkVisibility()")
    tab.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert tab.run(SHOWN) == everything_shown
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")
    tab.open(path)
    tab.run("document.querySelector('#show-all').focus()")
    tab.press("ArrowRight")
    assert tab.run("document.querySelector('.filter input:checked').id") == f"show-{keys[1]}"
    assert set(tab.run(SHOWN)) == {keys[1]}


def test_paper_holds_the_annex_whole_and_a_line_for_each_finding(tab: Tab, path: Path) -> None:
    tab.open(path)
    folded = "document.querySelectorAll('.annex :is(p, dl, table)').values().filter(e => e.checkVisibility()).toArray()"
    assert tab.run(f"{folded}.length") == 0
    tab.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert (
            tab.run("document.querySelectorAll('.annex :is(p, dl, table)').length") == tab.run(f"{folded}.length") > 20
        )
        # What holds is its line; what does not is told whole.
        bodies = "[...document.querySelectorAll('.finding.is-{} > .body')].every(e => e.checkVisibility() === {})"
        assert tab.run(bodies.format("pass", "false"))
        assert tab.run(bodies.format("fail", "true"))
        kept = "[...document.querySelectorAll('.card, figure, .notices, .why, .finding > summary')]"
        assert set(tab.run(f"{kept}.map(e => getComputedStyle(e).breakInside)")) == {"avoid"}
        heads = "[...document.querySelectorAll('h1, h2, h3, h4, summary, caption, thead')]"
        assert set(tab.run(f"{heads}.map(e => getComputedStyle(e).breakAfter)")) == {"avoid"}
        hidden = "[...document.querySelectorAll('nav, .filter, .skip')].map(e => getComputedStyle(e).display)"
        assert set(tab.run(hidden)) == {"none"}
        assert tab.pdf().startswith(b"%PDF")
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")


def test_each_sheet_has_its_number_and_the_hash_of_the_record(tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    feet = (
        "[...document.styleSheets[0].cssRules].filter(e => e instanceof CSSPageRule).map(e => e.cssText)"
        ".filter(e => e.includes('bottom')).join()"
    )
    for sha256, said in (("ab" * 32, f'content: "audit.json, SHA-256 {"ab" * 32}"'), ('"} *{}', 'content: ""')):
        path.write_text(report.render(everything(), sha256=sha256), "utf-8")
        tab.open(path)
        foot = tab.run(feet)
        assert said in foot
        assert 'content: "" counter(page) " of " counter(pages) ""' in foot
        assert tab.named(*LOUD) == []


def demonstration() -> Any:
    """As many findings as the demonstration's audit has, of the measures that it has, and their verdicts."""
    found: list[Any] = []
    for probe in ids().values():
        if probe.challenge == "claims":
            continue
        named = {"subgroup": ["gender", "region", "age_band"], "metric": []}
        brackets = named[probe.brackets] if isinstance(probe.brackets, str) else probe.brackets
        for name in [f"{probe.id}[{bracket}]" for bracket in brackets] or [probe.id]:
            verdict = "reported" if "behaviour" in name and len(found) % 2 else "pass"
            value = finding(name, verdict, challenge=probe.challenge, title=probe.title, unit=probe.unit)
            value["details"] = {
                "sample": "test examples", "summary": "The answer turns in 36 of 100 pairs of texts.",
                "limits": [f"It speaks of {name} only, and of no other measure that stands beside it.", "No more."],
                "tables": [{"caption": "By group", "columns": ["", *"abcdefgh"], "rows": [["row", *[0.123] * 8]] * 12}],
                "examples": {"caption": "T", "items": [{"before": "he said", "after": "she said", "note": "a"}] * 12},
            }  # fmt: skip
            if verdict == "reported":
                value["gate"] = None
            found.append(value)
    value = make(*found)
    for each in value["findings"]:
        if each["verdict"] == "reported":
            each |= {"alarm": True, "tolerated": True, "reason": "all of its interval is worse than 0.25"}
    return value


SCREEN, MOST_SCREENS, MOST_SHEETS = 900, 15, 25


@pytest.mark.slow("opens a browser, and prints", seconds=8)
def test_the_demonstration_is_fifteen_screens_and_twenty_five_sheets(tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    value = demonstration()
    assert len(value["findings"]) >= 100
    path.write_text(report.render(value, sha256="ab" * 32), "utf-8")
    assert path.stat().st_size < report.LARGEST
    tab.open(path, height=SCREEN)
    assert tab.run("document.documentElement.scrollHeight") <= MOST_SCREENS * SCREEN
    # The word, what is worrying and where to sign stand on the first screen.
    for first in ("h1", ".alarmed", "nav a[href='#sign']", "nav a[href='#ethics']"):
        assert tab.run(f'document.querySelector("{first}").getBoundingClientRect().bottom') < SCREEN, first
    assert max(map(int, re.findall(rb"/Count (\d+)", tab.pdf()))) <= MOST_SHEETS


# Numbers of running text, with their unit or sign, that stand on two lines.
BROKEN = """
    (() => {
        const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) {
            const node = walk.currentNode;
            if (node.parentElement.closest("code, pre, q, svg, .unseen") || !node.parentElement.checkVisibility())
                continue;
            for (const match of node.data.matchAll(/[−-]?\\d[\\d.,]*(?:[ \\u00a0](?:%|kWh|Wh|points?)(?![\\w]))?/g)) {
                const range = document.createRange();
                range.setStart(node, match.index);
                range.setEnd(node, match.index + match[0].length);
                const lines = new Set([...range.getClientRects()].map(e => Math.round(e.bottom)));
                if (lines.size > 1) found.push(match[0] + " in " + node.data.slice(0, 80));
            }
        }
        return found;
    })()
"""


@pytest.mark.parametrize(("width", "media"), [(1280, ""), (390, ""), (673, "print")])
@pytest.mark.parametrize("made", [everything, demonstration])
def test_no_number_is_broken_or_parted_from_its_unit(
    tab: Tab, tmp_path: Path, made: Callable[[], Any], width: int, media: str
) -> None:
    path = tmp_path / "report.html"
    path.write_text(report.render(made()), "utf-8")
    tab.open(path, width=width)
    tab.call("Emulation.setEmulatedMedia", media=media)
    try:
        assert tab.run(BROKEN) == []
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")


A4 = 673  # CSS pixels between the margins


@pytest.mark.parametrize("made", [everything, hostile_record])
def test_paper_holds_the_whole_width(tab: Tab, tmp_path: Path, made: Callable[[], Any]) -> None:
    path = tmp_path / "report.html"
    path.write_text(report.render(made()), "utf-8")
    tab.open(path, width=A4)
    tab.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert tab.run("document.documentElement.scrollWidth") <= A4
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")


def test_paper_shows_three_texts_of_what_holds_and_all_of_what_does_not(tab: Tab, tmp_path: Path) -> None:
    items = [{"before": f"old {i}", "after": f"new {i}", "note": "changed"} for i in range(14)]
    details = {"sample": "texts", "examples": {"caption": "Texts", "items": items}}
    path = tmp_path / "report.html"
    held, failed = finding(details=details), finding("quality.mcc", "fail", gate={"min": 0.9}, details=details)
    path.write_text(report.render(make(held, failed, verdict="fail")), "utf-8")
    tab.open(path)
    tab.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    counted = (
        "['quality-accuracy', 'quality-mcc'].map(id => document.getElementById(`finding-${id}`))"
        ".map(e => [[...e.querySelectorAll('.examples li')].filter(e => e.checkVisibility()).length, "
        "[...e.querySelectorAll('details > .small')].filter(e => e.checkVisibility()).map(e => e.textContent).join()])"
    )
    more = "… and {} more; the record holds all of them."
    assert tab.run(counted) == [[12, more.format(2)], [12, more.format(2)]]
    tab.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert tab.run(counted) == [[3, more.format(11)], [12, more.format(2)]]
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_texts_run_nothing_and_hold_the_layout(tab: Tab, tmp_path: Path, width: int) -> None:
    path = tmp_path / "report.html"
    path.write_text(report.render(hostile_record()), "utf-8")
    check_hostile(tab, path, width)


def check_hostile(tab: Tab, path: Path, width: int) -> None:
    """Nothing of the page's texts became an element, a style, a link or a request, and nothing leaves the window."""
    tab.open(path, width=width)
    tab.run("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert tab.run("getComputedStyle(document.querySelector('main')).display") == "block"
    assert tab.run("document.querySelectorAll('script, img, iframe, object, form, base').length") == 0
    assert tab.run(
        "[...document.querySelectorAll('input')].every(e => e.type === 'radio' && /^show-[a-z_]+$/.test(e.id))"
    )
    assert tab.run("document.querySelectorAll('style').length") == 1
    links = tab.run("[...document.querySelectorAll('a')].map(each => each.getAttribute('href'))")
    assert {link for link in links if not link.startswith("#")} <= {"findings.csv"}
    assert tab.run(
        "[...document.querySelectorAll('*')].every(e => ![...e.attributes].some(a => /^on|^style$/.test(a.name)))"
    )
    assert tab.named(*LOUD) == []
    assert [each["request"]["url"] for each in tab.named("Network.requestWillBeSent")] == [path.resolve().as_uri()]
    assert tab.run(BEYOND) == []


@pytest.mark.slow("audits in a process of its own, then opens a browser", seconds=15)
def test_a_whole_audit_of_hostile_data_ends_in_a_harmless_report(
    tab: Tab, tmp_path: Path, untrained: Path, cache: Path
) -> None:
    """Hostile texts, labels, groups, column and file names, as a CSV and a model that somebody hands us."""
    labels = [f"{i}{HOSTILE.translate(UNSEEN)}" for i in range(3)]
    model = Path(shutil.copytree(untrained, tmp_path / "mo<del onclick=alert(1)>"))
    config = json.loads((model / "config.json").read_text("utf-8"))
    config |= {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    (model / "config.json").write_text(json.dumps(config), "utf-8")
    column = "<b onmouseover=alert(1)>\u202e{color:red}"
    rows: list[dict[str, str | None]] = [
        {
            "text": f"{i} good film {HOSTILE if i % 3 else 'she is the best'} {i * 7}",
            "label": labels[i % 3],
            column: HOSTILE.translate(UNSEEN) + str(i % 2),
        }
        for i in range(240)
    ]
    rows[0]["text"] = "long" * 250_000
    rows[1]["text"] = "\u0627\u0644" * 300 + "\u202e" * 3_000
    name = "<img src=x onerror=alert(1)>javascript:alert(1).csv".replace("/", "")
    write_csv(tmp_path / name, rows)
    write_csv(tmp_path / f"train{name}", rows[100:])
    policy = {
        "model": {"source": str(model), "max_length": 32},
        "data": {"train": f"train{name}", "test": name, "subgroups": [column]},
        "gates": {"quality": {"accuracy": {"min": 0.3}}},
        "waivers": [
            {"id": "quality.accuracy", "reason": HOSTILE, "owner": HOSTILE, "expires": datetime.date(2999, 1, 1)}
        ],
    }
    (tmp_path / "audit.toml").write_text(toml.document(policy), "utf-8")
    chosen = "accuracy or odds or overlap or pii or (perturbation and (typos or html)) or counterfactual"
    done, value = audit(tmp_path, cache, "-k", chosen)
    assert len(value.get("findings", ())) > 8, done.stdout + done.stderr
    assert not [each["id"] for each in value["findings"] if each["verdict"] == "error"]
    made = tmp_path / "reports" / "report.html"
    assert made.stat().st_size < report.LARGEST
    for width in (1280, 390):
        check_hostile(tab, made, width)


@pytest.mark.parametrize(("width", "media"), [(390, ""), (673, "print")])
def test_steps_beyond_the_ninth_show_both_digits(tab: Tab, path: Path, width: int, media: str) -> None:
    # A marker hangs to the left of its list; what is beyond the page's edge paper cuts off.
    tab.open(path, width=width)
    tab.call("Emulation.setEmulatedMedia", media=media)
    room = tab.run(
        """[...document.querySelectorAll('ol.problems, ol.next')].map(list => {
            const number = document.createElement('span');
            number.textContent = '10. ';
            number.style.cssText = 'position: absolute; white-space: pre';
            list.querySelector('li').append(number);
            const needed = number.getBoundingClientRect().width;
            number.remove();
            return list.querySelector('li').getBoundingClientRect().x - needed - list.getBoundingClientRect().x;
        })"""
    )
    tab.call("Emulation.setEmulatedMedia", media="")
    assert len(room) == 2
    assert min(room) >= 0
