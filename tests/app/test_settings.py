"""Settings are read once, checked whole, and every problem is one line that says what to do."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.keys.ring import masters_of
from app.settings import Environment, Settings, load_settings
from app.settings_page import entries, environment_example, settings_page

ROOT = Path(__file__).parent.parent.parent
STRIPE_KEY = "rk_test_1234567890"


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in list(os.environ):
        if name.startswith("COUNTERSIGN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def the_problems() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return list(caught.value.problems)


def test_without_any_setting_everything_has_a_default(place: Path) -> None:
    settings = load_settings()
    assert settings.data_dir == place / ".countersign"
    assert settings.database_url is None
    assert settings.environment is Environment.DEV
    assert settings.tenants == {}


def test_constructing_settings_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_PORT", "9999")
    assert Settings().port == 8080


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]


def test_the_environment_reaches_into_a_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_TENANTS__ACME__STRIPE__API_KEY", STRIPE_KEY)
    monkeypatch.setenv("COUNTERSIGN_TENANTS__ACME__STRIPE__WEBHOOK_SECRETS", '["whsec_1", "whsec_2"]')
    monkeypatch.setenv("COUNTERSIGN_TENANTS__ACME__ORDERS__BASE_URL", "https://shop.example/")
    monkeypatch.setenv("COUNTERSIGN_TENANTS__ACME__ORDERS__TOKEN", "12345678")
    acme = load_settings().tenants["acme"]
    assert acme.stripe is not None
    assert acme.stripe.api_key.get_secret_value() == STRIPE_KEY
    assert [secret.get_secret_value() for secret in acme.stripe.webhook_secrets] == ["whsec_1", "whsec_2"]
    assert acme.orders is not None
    assert acme.orders.base_url == "https://shop.example"
    assert acme.orders.token is not None
    assert acme.orders.token.get_secret_value() == "12345678", "a secret of digits stays a text"


def test_the_environment_wins_over_the_file_and_the_file_over_the_sandbox(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    (place / "own.toml").write_text('port = 2\nhost = "10.0.0.2"\n')
    (place / ".countersign").mkdir()
    (place / ".countersign" / "sandbox.toml").write_text('port = 3\nhost = "10.0.0.3"\nlog_level = "debug"\n')
    monkeypatch.setenv("COUNTERSIGN_CONFIG", "own.toml")
    monkeypatch.setenv("COUNTERSIGN_PORT", "1")
    settings = load_settings()
    assert (settings.port, settings.host, settings.log_level) == (1, "10.0.0.2", "debug")


def test_the_sandbox_of_a_demo_is_found_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    (place / "there").mkdir()
    (place / "there" / "sandbox.toml").write_text(
        '[tenants.demo.zendesk]\nsubdomain = "demo"\nbase_url = "http://127.0.0.1:9"\n'
        'client_id = "countersign"\nclient_secret = "s"\nwebhook_secrets = ["w"]\n'
    )
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(place / "there"))
    zendesk = load_settings().tenants["demo"].zendesk
    assert zendesk is not None
    assert zendesk.base_url == "http://127.0.0.1:9"


def test_a_sandbox_in_production_is_refused(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    (place / ".countersign").mkdir()
    (place / ".countersign" / "sandbox.toml").write_text("port = 3\n")
    monkeypatch.setenv("COUNTERSIGN_ENVIRONMENT", "prod")
    assert "belongs to a demo" in the_problems()[0]


def test_an_unknown_variable_is_named_with_the_nearest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_DATABSE_URL", "postgresql://x")
    assert the_problems() == [
        "unknown setting 'COUNTERSIGN_DATABSE_URL' in the environment; did you mean 'COUNTERSIGN_DATABASE_URL'?"
    ]


def test_an_unknown_key_deep_in_a_file_is_named_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    (place / "own.toml").write_text(f'[tenants.acme.stripe]\napi_key = "{STRIPE_KEY}"\nwebhok_secrets = ["s"]\n')
    monkeypatch.setenv("COUNTERSIGN_CONFIG", "own.toml")
    assert the_problems() == ["unknown setting 'tenants.acme.stripe.webhok_secrets'; did you mean 'webhook_secrets'?"]


def test_every_problem_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_PORT", "70000")
    monkeypatch.setenv("COUNTERSIGN_WORKER__CONCURRENCY", "many")
    monkeypatch.setenv("COUNTERSIGN_TENANTS__ACME__STRIPE__ACCOUNT", "acct_1")
    assert len(the_problems()) == 3


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("COUNTERSIGN_MODELS__PROVIDER", "claude", "setting 'models' provider claude needs api_key"),
        ("COUNTERSIGN_TENANTS__ACME__ZENDESK__SUBDOMAIN", "acme", "needs either client_id and client_secret"),
        ("COUNTERSIGN_TENANTS__ACME__ORDERS__BASE_URL", "https://x.example", "needs base_url and token together"),
        ("COUNTERSIGN_TENANTS__ACME", "{}}", "is not valid JSON"),
        ("COUNTERSIGN_TENANTS__A$B__TITLE", "x", "a tenant called 'a$b'"),
        ("COUNTERSIGN_MASTER_KEY", "c2hvcnQ=", "has 5 bytes instead of 32"),
        ("COUNTERSIGN_MASTER_KEY", "???", "is not base64"),
        ("COUNTERSIGN_PUBLIC_URL", "shop.example", "must begin with https:// or http://"),
        ("COUNTERSIGN_CONFIG", "nowhere.toml", "no settings file at 'nowhere.toml'"),
    ],
)
def test_a_wrong_value_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str) -> None:
    monkeypatch.setenv(name, value)
    (problem,) = the_problems()
    assert line in problem


@pytest.mark.parametrize("content", [b"port = \n", b"port = 1\nport = 2\n", b"\xff\xfe"])
def test_a_broken_file_is_named_with_the_place(monkeypatch: pytest.MonkeyPatch, place: Path, content: bytes) -> None:
    (place / "own.toml").write_bytes(content)
    monkeypatch.setenv("COUNTERSIGN_CONFIG", str(place / "own.toml"))
    (problem,) = the_problems()
    assert "own.toml" in problem
    assert "is not valid TOML" in problem


def test_no_problem_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_TENANTS__ACME__STRIPE__API_KEY", f'["{STRIPE_KEY}"]')
    monkeypatch.setenv("COUNTERSIGN_MASTER_KEY", STRIPE_KEY)
    assert STRIPE_KEY not in "".join(the_problems())


def test_settings_do_not_show_a_secret_when_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_TENANTS__ACME__STRIPE__API_KEY", STRIPE_KEY)
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", "postgresql://a:hunter2@db/x")
    shown = repr(load_settings())
    assert STRIPE_KEY not in shown
    assert "hunter2" not in shown


def test_no_secret_has_a_default() -> None:
    assert [
        entry.key for entry in entries() if "secret" in entry.kind and entry.default not in {"none", "required"}
    ] == []


def master_key(settings: Settings) -> bytes:
    masters = masters_of(settings)
    return masters.ask(masters.current)


def test_the_master_key_is_made_once_and_readable_by_its_owner_only() -> None:
    settings = load_settings()
    key = master_key(settings)
    assert len(key) == 32
    assert master_key(settings) == key
    assert (settings.data_dir / "master.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in settings.data_dir.iterdir()) == ["master.key"]


def test_a_master_key_from_the_environment_is_not_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_MASTER_KEY", base64.b64encode(bytes(range(32))).decode())
    settings = load_settings()
    assert master_key(settings) == bytes(range(32))
    assert not settings.data_dir.exists()


def test_a_master_key_that_others_can_read_is_refused() -> None:
    settings = load_settings()
    master_key(settings)
    (settings.data_dir / "master.key").chmod(0o644)
    with pytest.raises(SettingsError, match="open to others; run `chmod 600`"):
        master_key(settings)


def test_a_damaged_master_key_is_never_replaced() -> None:
    settings = load_settings()
    master_key(settings)
    (settings.data_dir / "master.key").write_text("half")
    with pytest.raises(SettingsError, match="restore it from your backup"):
        master_key(settings)
    assert (settings.data_dir / "master.key").read_text() == "half"


def test_a_data_folder_that_is_a_file_is_refused(place: Path) -> None:
    (place / ".countersign").write_text("")
    assert the_problems() == ["the data folder '.countersign' is not a folder; set COUNTERSIGN_DATA_DIR to one"]


def test_a_data_folder_that_cannot_be_made_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", "/proc/nobody/there")
    with pytest.raises(SettingsError, match="choose a data_dir you may write to"):
        master_key(load_settings())


def test_every_setting_is_described() -> None:
    assert [entry.key for entry in entries() if not entry.description] == []


def test_the_written_pages_are_those_of_the_code() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_page()
    assert (ROOT / ".env.example").read_text() == environment_example()
