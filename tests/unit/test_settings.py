"""Settings are read once, and a fault names every variable and no value."""

from __future__ import annotations

import os
import traceback

import pytest

from services.kernel.runtime.fault import Exit
from services.kernel.runtime.settings import (
    BrokerSettings,
    DatabaseSettings,
    LibrarySettings,
    MailSettings,
    SettingsFault,
    WorkerSettings,
    read,
)

SECRET = "canary-secret"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DULY_")]:
        monkeypatch.delenv(name)


def test_nothing_set_means_embedded() -> None:
    assert read(DatabaseSettings).dsn is None
    assert read(BrokerSettings).address is None
    assert read(LibrarySettings).folder is None
    assert read(WorkerSettings).health_port is None


def test_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DULY_DATABASE_URL", "")
    monkeypatch.setenv("DULY_HEALTH_PORT", "")
    assert read(DatabaseSettings).dsn is None
    assert read(WorkerSettings).health_port is None


def test_every_variable_at_fault_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DULY_PREFETCH", "many")
    monkeypatch.setenv("DULY_GRACE", "0")
    monkeypatch.setenv("DULY_LOG_LEVEL", "chatty")
    with pytest.raises(SettingsFault) as fault:
        read(WorkerSettings)
    assert set(fault.value.faults) == {"DULY_PREFETCH", "DULY_GRACE", "DULY_LOG_LEVEL"}
    assert fault.value.code is Exit.USAGE
    assert all(name in str(fault.value) for name in fault.value.faults)


def test_missing_variables_are_named() -> None:
    with pytest.raises(SettingsFault) as fault:
        read(MailSettings)
    assert fault.value.faults == dict.fromkeys(
        ("DULY_MAIL_FROM", "DULY_BOUNCE_DOMAIN", "DULY_TOKEN_KEYS"), "is not set"
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DULY_SMTP_URL", f"http://u:{SECRET}@mail/"),
        ("DULY_TOKEN_KEYS", f"k1:{SECRET}"),
        ("DULY_TOKEN_KEYS", f"{SECRET}"),
        ("DULY_TOKEN_KEYS", "k1:abcd"),
        ("DULY_TOKEN_KEYS", f"k1:{'ab' * 32},k1:{'cd' * 32}"),
        ("DULY_MAIL_FROM", f"a\nBcc: {SECRET}@example.org"),
        ("DULY_MAIL_FROM", "Duly <a@example.org>"),
        ("DULY_BOUNCE_DOMAIN", "exa mple.org"),
    ],
)
def test_fault_never_shows_a_value(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv("DULY_MAIL_FROM", "notices@example.org")
    monkeypatch.setenv("DULY_BOUNCE_DOMAIN", "bounces.example.org")
    monkeypatch.setenv("DULY_TOKEN_KEYS", f"k1:{'ab' * 32}")
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsFault) as fault:
        read(MailSettings)
    assert list(fault.value.faults) == [variable]
    told = "".join(traceback.format_exception(fault.value)) + repr(fault.value.__context__)
    assert SECRET not in told
    assert "abab" not in told


def test_secrets_stay_out_of_representations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DULY_DATABASE_URL", f"postgresql://duly:{SECRET}@db/duly")
    monkeypatch.setenv("DULY_MAIL_FROM", "notices@example.org")
    monkeypatch.setenv("DULY_BOUNCE_DOMAIN", "bounces.example.org")
    monkeypatch.setenv("DULY_TOKEN_KEYS", f"k2:{'ef' * 16}, k1:{'ab' * 32}")
    database, mail = read(DatabaseSettings), read(MailSettings)
    assert database.dsn == f"postgresql://duly:{SECRET}@db/duly"
    assert [key.key_id for key in mail.token_keys] == ["k2", "k1"]
    assert mail.token_keys[0].key == bytes.fromhex("ef" * 16)
    shown = f"{database!r}{database}{mail!r}{mail}"
    assert SECRET not in shown
    assert "\\xef" not in shown


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read(WorkerSettings).batch = 1  # type: ignore[misc]
