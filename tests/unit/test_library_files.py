"""The library folder: what stands in it is sound, and whatever is wrong with one is said at once and in its place."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from services.kernel.adapters.library import Fault, LibraryFault, load_library
from services.kernel.domain.library import Library, NotInLibrary
from services.kernel.domain.notice import Channel
from services.kernel.domain.regime import OutOfScope, Satisfier, check_scope
from services.kernel.domain.service_rules import SERVICE_RULES

SHIPPED = Path(__file__).parents[2] / "services" / "renderer" / "library"
AML = "aml-supervision"
REQUESTS = ("identity", "ownership", "premises", "risk-assessment")


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library(SHIPPED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "library"))


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def faults_of(folder: Path) -> list[str]:
    with pytest.raises(LibraryFault) as refused:
        load_library(folder)
    return [
        str(Fault(each.file.relative_to(folder), each.line, each.field, each.message)) for each in refused.value.faults
    ]


def test_the_regime_is_that_of_england_with_21_days_and_its_guards(library: Library) -> None:
    regime = library.regime(AML)
    assert (regime.zone, regime.country, regime.subdivision) == ("Europe/London", "GB", "ENG")
    assert (regime.default_period.days, regime.default_period.unit) == (21, "calendar")
    assert regime.minimum_after_hold == timedelta(days=7)
    assert regime.smtp_give_up_after == timedelta(hours=72)
    assert regime.languages == ("en", "cy")
    assert set(regime.service_rule) == set(Channel)
    assert set(regime.service_rule.values()) <= set(SERVICE_RULES)


def test_only_an_unpaid_outstanding_fee_leads_to_a_sanction_and_by_the_gate_alone(library: Library) -> None:
    sanctioned = {name: kind for (_, name), kind in library.notice_types.items() if kind.sanction is not None}
    assert sanctioned.keys() == {"fee-outstanding"}
    outstanding = sanctioned["fee-outstanding"]
    assert (outstanding.sanction, outstanding.sanction_automatic) == ("registration.cancel", True)
    assert outstanding.satisfied_by == {Satisfier.PAYMENT}
    assert outstanding.period_under(library.regime(AML)).days == 21
    assert library.cap_an_hour(AML, "registration.cancel") > 0


def test_requests_for_information_are_satisfied_by_an_answer_or_evidence(library: Library) -> None:
    for name in REQUESTS:
        kind = library.notice_type(AML, f"request-for-information-{name}")
        assert kind.satisfied_by == {Satisfier.ANSWER, Satisfier.EVIDENCE}
        check_scope(library.regime(AML), kind, Channel.SECURE_COMM)


def test_a_registration_update_asks_for_nothing(library: Library) -> None:
    assert library.notice_type(AML, "registration-update").asks_for_nothing
    assert not library.notice_type(AML, "fee-due").asks_for_nothing


def test_a_compliance_intervention_is_known_and_out_of_scope(library: Library) -> None:
    kind = library.notice_type(AML, "compliance-intervention")
    with pytest.raises(OutOfScope, match="compliance-interventions"):
        check_scope(library.regime(AML), kind, Channel.SECURE_COMM)


def test_every_notice_type_in_scope_has_a_text_in_every_language_and_asks_upstream_for_its_values(
    library: Library,
) -> None:
    regime = library.regime(AML)
    for (_, name), kind in library.notice_types.items():
        if kind.purpose in regime.purposes:
            template = library.template(AML, kind.template)
            assert set(template.wordings) == set(regime.languages), name
            assert kind.placeholders == template.asked_of_upstream
            assert "response_days" not in kind.placeholders


def test_a_broker_user_speaks_for_one_source(library: Library) -> None:
    assert library.source("fees").speaks_as("fees")
    assert not library.source("fees").speaks_as("registry")
    assert library.source("caseworking").may_name("senior-caseworker:A. Jones")
    assert not library.source("caseworking").may_name("intern:B. Smith")
    assert not library.source("registry").may_name("senior-caseworker:A. Jones")
    assert library.source("fees").may_vouch


def test_what_the_library_lacks_is_refused_by_name(library: Library) -> None:
    for ask, reason in (
        (lambda: library.regime("gambling"), "unknown regime: 'gambling'"),
        (lambda: library.notice_type(AML, "fine"), "unknown notice type: 'fine'"),
        (lambda: library.notice_type("gambling", "fee-due"), "unknown regime: 'gambling'"),
        (lambda: library.template(AML, "fee-due", "99"), "unknown version of template fee-due: '99'"),
        (lambda: library.source("a\r\nb"), r"unknown source: 'a\r\nb'"),
        (lambda: library.regime("x" * 900), f"unknown regime: '{'x' * 64}…'"),
    ):
        with pytest.raises(NotInLibrary) as refused:
            ask()
        assert refused.value.reason == reason


def test_working_days_are_those_of_england_and_name_their_version(library: Library) -> None:
    calendar = library.calendar(AML)
    assert calendar.version.startswith("holidays ")
    assert calendar.version.endswith(" GB-ENG")
    assert calendar.zone == "Europe/London"
    assert not calendar.is_working_day(date(2026, 8, 31))  # Summer bank holiday; in Scotland it is 3 August
    assert calendar.is_working_day(date(2026, 8, 3))
    assert not calendar.is_working_day(date(2027, 12, 27))  # Christmas Day fell on a Saturday
    assert calendar.is_working_day(date(2045, 12, 29))
    assert library.calendar(AML) is calendar


def test_the_newest_version_is_the_highest_number_and_older_ones_stay(folder: Path) -> None:
    versions = folder / AML / "texts" / "fee-due"
    for number in ("2", "10"):
        shutil.copytree(versions / "1", versions / number)
    change(versions / "10" / "en.md", "is due.", "is now due.")
    library = load_library(folder)
    assert library.template(AML, "fee-due").version == "10"
    hashes = [library.template(AML, "fee-due", number).content_hash for number in ("1", "2", "10")]
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_hash_of_a_version_covers_every_file_and_no_line_ends(folder: Path) -> None:
    version = folder / AML / "texts" / "fee-due" / "1"
    before = load_library(folder).template(AML, "fee-due").content_hash
    body = (version / "cy.md").read_bytes()
    (version / "cy.md").write_bytes(body.replace(b"\n", b"\r\n"))
    assert load_library(folder).template(AML, "fee-due").content_hash == before
    change(version / "meta.yaml", "Head of Supervision", "Head of Fees")
    assert load_library(folder).template(AML, "fee-due").content_hash != before


def test_every_fault_is_listed_at_once_with_file_line_and_field(folder: Path) -> None:
    change(folder / AML / "regime.yaml", "Europe/London", "Europe/Londinium")
    change(folder / AML / "regime.yaml", "same_day", "next_week")
    change(folder / AML / "notice-types" / "fee-due.yaml", "[payment]", "[payments]")
    change(folder / AML / "notice-types" / "fee-outstanding.yaml", "registration.cancel", "registration.burn")
    change(folder / AML / "texts" / "fee-due" / "1" / "en.md", "((fee_amount)) within", "((fee_ammount)) within")
    change(folder / "sources.yaml", "may_vouch: true", "may_vouch: maybe")
    change(folder / "sources.yaml", "regimes: [aml-supervision]", "regimes: [gambling]")
    faults = faults_of(folder)
    assert "aml-supervision/regime.yaml:2: zone: no such IANA time zone" in faults
    assert any(
        each.startswith("aml-supervision/regime.yaml:16: service_rules.secure_comm: not a service") for each in faults
    )
    assert any(each.startswith("aml-supervision/notice-types/fee-due.yaml:5: satisfied_by.0: ") for each in faults)
    assert "aml-supervision/notice-types/fee-outstanding.yaml:6: sanction: the regime has no such sanction" in faults
    assert "aml-supervision/texts/fee-due/1/en.md:7: ((fee_ammount)) is not declared" in faults
    assert any(each.startswith("sources.yaml:9: sources.fees.may_vouch: ") for each in faults)


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("regime.yaml", "zone:", "zones:", "zone: Field required"),
        ("regime.yaml", "zone:", "colour: red\nzone:", "2: colour: Extra inputs are not permitted"),
        (
            "regime.yaml",
            "safety_delay_hours: 24",
            "safety_delay_hours: '24'",
            "safety_delay_hours: Input should be a valid int",
        ),
        ("regime.yaml", "days: 21", "days: 0", "default_period.days: Input should be greater"),
        ("regime.yaml", "subdivision: ENG", "subdivision: ENGLAND", "4: subdivision: no working days"),
        ("regime.yaml", "country: GB", "country: ZZ", "no working days"),
        ("regime.yaml", "fallback_channel: null", "fallback_channel: pigeon", "fallback_channel: "),
        ("regime.yaml", "zone:", "zone: UTC\nzone:", "3: zone: given twice"),
        ("regime.yaml", "zone: Europe/London", "zone: [Europe", "not valid YAML"),
        ("regime.yaml", "zone: Europe/London", "zone: !!python/object:os.system x", "not valid YAML"),
        (
            "notice-types/registration-update.yaml",
            "[nothing]",
            "[nothing]\nsanction: registration.cancel",
            "asks for nothing",
        ),
        ("notice-types/registration-update.yaml", "[nothing]", "[nothing, payment]", "nothing stands alone"),
        ("notice-types/fee-due.yaml", "purpose:", "template: fee-dew\npurpose:", "template: there is no such text"),
        ("texts/fee-due/1/meta.yaml", "approved_by: Head of Supervision\n", "", "approved_by: Field required"),
        ("texts/fee-due/1/meta.yaml", "2026-11-02", "yesterday", "approved_on: "),
        ("texts/fee-due/1/meta.yaml", "kind: money", "kind: gold", "placeholders.fee_amount.kind: "),
        (
            "texts/fee-due/1/meta.yaml",
            "  cy: Mae'ch ffi oruchwylio'n ddyledus\n",
            "",
            "subjects.cy: the cy subject is missing",
        ),
        (
            "texts/fee-due/1/meta.yaml",
            "placeholders:",
            "placeholders:\n  shoe: {kind: text, longest: 9}",
            "text does not use it",
        ),
        ("texts/fee-due/1/meta.yaml", "fee is due", "fee is ((due))", "subjects.en: ((due)) is not declared"),
        ("texts/fee-due/1/cy.md", "((fee_amount))", "((Fee amount))", "((Fee amount)) is miswritten"),
        ("texts/fee-due/1/cy.md", "At:", "<b>At</b>:", "raw HTML: not allowed"),
        ("texts/fee-due/1/cy.md", "At:", "![logo](https://x.example/l.png)", "an image: not allowed"),
        ("texts/fee-due/1/cy.md", "At:", "[pay](((payment_reference)))", "a placeholder in a link: not allowed"),
        ("texts/fee-due/1/cy.md", "At:", "[pay](http://x.example)", "a link that is not https: not allowed"),
        ("texts/fee-due/1/cy.md", "At:", "`((business_name))`", "a placeholder in code: not allowed"),
    ],
)
def test_a_fault_names_its_field(folder: Path, file: str, old: str, new: str, fault: str) -> None:
    change(folder / AML / file, old, new)
    assert any(f"{AML}/{file}:" in each and fault in each for each in faults_of(folder)), faults_of(folder)


def test_a_missing_language_a_stray_file_and_an_odd_version_are_faults(folder: Path) -> None:
    text = folder / AML / "texts" / "fee-due"
    (text / "1" / "cy.md").unlink()
    (text / "1" / "fr.md").write_text("Bonjour", encoding="utf-8")
    (text / "draft").mkdir()
    faults = faults_of(folder)
    assert f"{AML}/texts/fee-due/1/cy.md:1: the file is missing" in faults
    assert f"{AML}/texts/fee-due/1/fr.md:1: no part of a text" in faults
    assert any(each.startswith(f"{AML}/texts/fee-due/draft:1: not a version") for each in faults)


def test_two_sources_cannot_share_a_broker_user(folder: Path) -> None:
    change(folder / "sources.yaml", "amqp_users: [fees]", "amqp_users: [fees, registry]")
    assert any("speaks for registry already" in each for each in faults_of(folder))


def test_no_upstream_bears_our_own_name(folder: Path) -> None:
    change(folder / "sources.yaml", "  fees:\n", "  duly:\n")
    assert "sources.yaml:6: sources.duly: Duly's own events bear this name: no upstream may" in faults_of(folder)


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "missing"):
        faults = faults_of(path)
        assert any("no regime" in each for each in faults)
        assert any(each.startswith("sources.yaml:1: the file is missing") for each in faults)
