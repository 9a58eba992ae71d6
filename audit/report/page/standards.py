"""What rules ask for, and what findings leave open of it: NIST AI RMF, EU AI Act, GDPR, ISO/IEC 42001.

Which findings bear on a rule, the probes' declarations say, by its name. The rules are told in our own few words; their
texts are the ones that count. A finding that says little about a rule is not declared to fill a gap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from audit.core.identifiers import base_id
from audit.report.i18n.language import say, words
from audit.report.page.findings import FindingView


class Rule(NamedTuple):
    """What a rule asks for, what the report adds beside the findings that bear on it, and what is left."""

    name: str
    asks: str
    adds: str
    open: str


class Standard(NamedTuple):
    """A framework, whom it concerns, and its rules in their own order."""

    title: str
    concerns: str
    rules: Sequence[Rule]


# Sources: NIST AI 100-1 (January 2023), table 3; Regulation (EU) 2024/1689, articles 9 to 15 and annex IV, point 2;
# Regulation (EU) 2016/679, articles 5, 9, 22, 25, 32 and 35; ISO/IEC 42001:2023, annex A.
STANDARDS: tuple[Standard, ...] = (
    Standard(
        "NIST AI Risk Management Framework 1.0, MEASURE 2.1 to 2.13",
        "A voluntary framework for whoever builds, deploys or evaluates AI systems.",
        (
            Rule(
                "MEASURE 2.1",
                "Test sets, metrics and tools of the evaluation are documented.",
                "Each finding tells its method, and the provenance tells data, versions, seeds and policy.",
                "Where the test examples come from, and how and by whom they were labelled.",
            ),
            Rule(
                "MEASURE 2.2",
                "Evaluations with people as subjects keep to their rules and represent the people concerned.",
                "",
                "This audit evaluates a model, not people. Whether the authors of the test texts resemble the people "
                "concerned, it cannot see.",
            ),
            Rule(
                "MEASURE 2.3",
                "Performance is measured, and shown for conditions like those of use.",
                "",
                "The test examples stand for the use. Whether they resemble it, whoever chose them must say.",
            ),
            Rule(
                "MEASURE 2.4",
                "The system’s behaviour is monitored while it is in production.",
                "Texts of use that the policy names, held against the test texts.",
                "An audit before the release watches no running system. It can be repeated on later texts.",
            ),
            Rule(
                "MEASURE 2.5",
                "The system is shown to be valid and reliable; how far that reaches is documented.",
                "The limits told with each finding.",
                "Subjects, languages and times that neither the examples nor the disturbances stand for.",
            ),
            Rule(
                "MEASURE 2.6",
                "Safety risks are evaluated regularly; the system fails safely.",
                "",
                "What the product does when the model is wrong or fails, and how fast somebody reacts.",
            ),
            Rule(
                "MEASURE 2.7",
                "Security and resilience are evaluated.",
                "",
                "The service around the model: access, network, updates, people. Attacks that nobody tried here.",
            ),
            Rule(
                "MEASURE 2.8",
                "Risks to transparency and accountability are examined.",
                "Who answers for each gate and for each waiver, where the policy names somebody.",
                "Who in the organisation answers for the system, and how those concerned can object.",
            ),
            Rule(
                "MEASURE 2.9",
                "The model is explained, validated and documented; its answers are read in their context.",
                "",
                "What an answer means where the product uses it.",
            ),
            Rule(
                "MEASURE 2.10",
                "Privacy risk is examined.",
                "",
                "Whether the data may be used at all, how long they are kept, and leaks on other ways than the model.",
            ),
            Rule(
                "MEASURE 2.11",
                "Fairness and bias are evaluated.",
                "",
                "Groups that the data do not name, bias in the labels, and what the product makes of an answer.",
            ),
            Rule(
                "MEASURE 2.12",
                "Environmental impact of training and managing the model is assessed.",
                "The electricity of this audit by phase.",
                "Making and scrapping of the machines, water, cooling, and uses beyond the number assumed.",
            ),
            Rule(
                "MEASURE 2.13",
                "It is evaluated how well these metrics and processes themselves work.",
                "Intervals with a stated error, and how often the test set was asked where that is known.",
                "Whether these metrics are the right ones for this product: people must judge that.",
            ),
        ),
    ),
    Standard(
        "EU AI Act (Regulation (EU) 2024/1689), articles 9 to 15",
        "Requirements on high-risk AI systems, which bind their providers. Article 6 says which systems are high-risk.",
        (
            Rule(
                "Article 9(8)",
                "The system is tested, before its release at the latest, against metrics and probabilistic thresholds "
                "that were defined beforehand and fit its purpose.",
                "The gates are such thresholds: set in the policy before the audit, and judged with an interval, so "
                "that the error of each verdict is known.",
                "Whether these thresholds fit the purpose. What has no gate was not tested against one.",
            ),
            Rule(
                "Article 9, its other paragraphs",
                "Risks are found, weighed, reduced and followed over the whole life of the system.",
                "What stands in the way of the release, and what would help.",
                "The risk management itself, and which risk that remains is acceptable.",
            ),
            Rule(
                "Article 10",
                "Training, validation and test data are well governed: relevant, representative enough, as free of "
                "errors as can be, and examined for biases.",
                "Rows left out, by reason, and rows of each class.",
                "How the data were collected and labelled. Fairness is measured on the model’s answers; that is a sign "
                "of bias in the data, not an examination of them.",
            ),
            Rule(
                "Article 11 and annex IV, point 2",
                "Technical documentation, among it how the system was tested: data, metrics, dated and signed reports, "
                "and the computing resources used.",
                "This report and its record: test data, metrics, results, date and versions.",
                "All else in annex IV, and the signature of whoever is responsible.",
            ),
            Rule(
                "Article 12",
                "The system itself logs events over its lifetime.",
                "",
                "This concerns the running system; the record of an audit is no such log.",
            ),
            Rule(
                "Article 13",
                "Instructions tell deployers the system’s limits: its accuracy by which metrics, its robustness and "
                "security, and how it does for particular groups of people.",
                "Figures that such instructions can quote, with their intervals.",
                "The instructions themselves.",
            ),
            Rule(
                "Article 14",
                "People can oversee the system, know its limits, and stop it.",
                "",
                "Oversight is built into a product and an organisation. Whether the model knows when it is unsure only "
                "helps with it.",
            ),
            Rule(
                "Article 15(1) and (3)",
                "Accuracy that suits the purpose; its levels and metrics are declared.",
                "",
                "Which level suits the purpose.",
            ),
            Rule(
                "Article 15(4)",
                "Resilience against errors, faults and inconsistencies.",
                "",
                "Backup and fail-safe plans; feedback where a system goes on learning in use.",
            ),
            Rule(
                "Article 15(5)",
                "Resilience against attacks: poisoned data or models, inputs made to mislead, attacks on "
                "confidentiality, flaws of the model.",
                "",
                "Attacks that were not tried, and the defence of the service around the model.",
            ),
        ),
    ),
    Standard(
        "GDPR, Regulation (EU) 2016/679, articles 5, 9, 22, 25, 32 and 35",
        "Binding where personal data are processed: texts that people wrote are, and a model that remembers them "
        "may be. Its other articles, on the lawful basis and on the rights of those concerned above all, are nothing "
        "that a measurement could serve.",
        (
            Rule(
                "GDPR 5",
                "Principles: fairness, accuracy, no more data than needed, confidentiality; and whoever decides must "
                "be able to show it.",
                "The record shows what was measured, and who answers for each limit.",
                "Lawful basis and purpose; whether the texts are needed at all; how long they are kept.",
            ),
            Rule(
                "GDPR 9",
                "Data on origin, religion, health, orientation and the like may not be processed, but for exceptions.",
                "",
                "Which exception allows it, that for the audit’s own groups included.",
            ),
            Rule(
                "GDPR 22",
                "Nobody is subject to a decision by a machine alone that affects them seriously, but for exceptions "
                "with a person to turn to.",
                "",
                "What is decided by the model’s answers, who looks at them, and how to contest them.",
            ),
            Rule(
                "GDPR 25",
                "Data protection is built in, by design and by default.",
                "Texts on this page are masked, and the record holds none but those.",
                "The service around the model, its logs and its access rights.",
            ),
            Rule(
                "GDPR 32",
                "Security is appropriate to the risk, and is tested and assessed regularly.",
                "Each audit is such a test; the chain of former ones tells how regular they are.",
                "All but the model: encryption, access, recovery.",
            ),
            Rule(
                "GDPR 35",
                "Where the risk to people is high, its impact is assessed beforehand.",
                "Findings, alarms, limits and who answers for them, as a part of such an assessment.",
                "The assessment itself: the need, the risks as the people concerned see them, and the measures.",
            ),
        ),
    ),
    Standard(
        "ISO/IEC 42001:2023, some controls of annex A",
        "A standard for the management systems of organisations, not for models. Only those controls are listed for "
        "which a finding can serve as evidence.",
        (
            Rule(
                "A.5.4",
                "Impacts on individuals and groups are assessed.",
                "",
                "The assessment: who is concerned, how badly, and how long.",
            ),
            Rule(
                "A.5.5",
                "Impacts on society are assessed.",
                "",
                "All impacts but electricity and greenhouse gases.",
            ),
            Rule(
                "A.6.2.4",
                "Measures of verification and validation are defined, with criteria for their use.",
                "The policy with its gates, and the verdicts on them.",
                "Parts of the system other than the model.",
            ),
            Rule(
                "A.6.2.7",
                "Technical documentation exists for those who need it.",
                "This report and its record.",
                "Documentation of all else.",
            ),
            Rule(
                "A.7.4",
                "Quality of the data is defined and met.",
                "Rows left out, by reason.",
                "Errors of the labels, and whether the data represent the use.",
            ),
            Rule(
                "A.7.5",
                "The provenance of data is recorded.",
                "Fingerprints of the data.",
                "Where the data come from, and who changed them on the way.",
            ),
        ),
    ),
)


class Row(NamedTuple):
    """A rule and the findings that bear on it: the worst of each measure, and its verdicts counted."""

    rule: Rule
    related: Sequence[tuple[FindingView, str]]


def tables(views: Sequence[FindingView]) -> list[tuple[Standard, list[Row]]]:
    """Every standard with what the findings of an audit contribute to each of its rules.

    Parameters
    ----------
    views : sequence of FindingView
        Weightiest first, so that the first of each measure is its worst.
    """
    together: dict[str, list[FindingView]] = {}
    for view in views:
        together.setdefault(base_id(view.id), []).append(view)
    return [
        (
            standard._replace(title=say(standard.title), concerns=say(standard.concerns)),
            [Row(_said(rule), _related(rule, together)) for rule in standard.rules],
        )
        for standard in STANDARDS
    ]


def _said(rule: Rule) -> Rule:
    """The rule in the language that is spoken."""
    return rule._replace(name=say(rule.name), asks=say(rule.asks), adds=say(rule.adds), open=say(rule.open))


def _related(rule: Rule, together: Mapping[str, Sequence[FindingView]]) -> list[tuple[FindingView, str]]:
    return [
        (own[0], _counted(own)) for own in together.values() if own[0].declared and rule.name in own[0].declared.rules
    ]


def _counted(own: Sequence[FindingView]) -> str:
    """The verdicts of one measure: Pass, or 2 × Pass, 1 × Fail."""
    if len(own) == 1:
        return own[0].mark.word
    counts = Counter(view.mark.word for view in own)
    times = "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}"
    return words.COMMA.join(f"{number}{times}{word}" for word, number in counts.items())
