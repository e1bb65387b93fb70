"""Secrets and the shared token: sealed, bound to their row, and readable through every rotation."""

from __future__ import annotations

import base64
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from sagezoho_pipelines.domain.errors import CredentialsMissing, VaultError
from sagezoho_pipelines.domain.tokens import AccessToken
from sagezoho_pipelines.ledger import masterkeys
from sagezoho_pipelines.ledger.tokens import PostgresTokenStore
from sagezoho_pipelines.ledger.vault import Vault

OLD, NEW = "ab" * 32, base64.b64encode(bytes(range(32))).decode()
SECRET = {"client_id": "1000.X", "client_secret": "hunter2", "refresh_token": "1000.r"}
SOON = datetime(2026, 3, 2, 13, tzinfo=UTC)


def vault(engine: Engine, keys: str = OLD) -> Vault:
    return Vault(engine, {"SAGEZOHO_MASTER_KEY": keys})


def test_a_secret_comes_back_and_never_lies_in_the_open(engine: Engine) -> None:
    vault(engine).put("saminc", "zoho_crm", SECRET)
    assert vault(engine).get("saminc", "zoho_crm") == SECRET
    with engine.connect() as connection:
        (row,) = connection.execute(text("SELECT * FROM sagezoho.secrets")).mappings()
    stored = b"".join(bytes(value) for value in row.values() if isinstance(value, memoryview))
    assert len(stored) > 100
    assert b"hunter2" not in stored


def test_sage_user_names_are_upper_cased(engine: Engine) -> None:
    vault(engine).put("saminc", "sage300", {"username": "web", "password": "Secret"})
    assert vault(engine).get("saminc", "sage300") == {"username": "WEB", "password": "Secret"}


@pytest.mark.parametrize("password", ["s3cret\n", "s3\ud800cret", "s3cret\x00"])
def test_a_secret_that_no_request_can_carry_is_refused_without_showing_it(engine: Engine, password: str) -> None:
    with pytest.raises(VaultError, match="The password holds a control character") as refused:
        vault(engine).put("saminc", "sage300", {"username": "webapi", "password": password})
    assert "cret" not in repr(refused.value)
    assert vault(engine).versions() == []


def test_missing_credentials_name_the_remedy(engine: Engine) -> None:
    with pytest.raises(CredentialsMissing, match="sagezoho credentials set saminc zoho_crm"):
        vault(engine).get("saminc", "zoho_crm")


def test_a_new_version_replaces_the_old_one_which_is_kept_a_while(engine: Engine) -> None:
    mine = vault(engine)
    numbers = [mine.put("saminc", "zoho_crm", SECRET | {"client_secret": f"s{n}"}) for n in range(5)]
    assert numbers == [1, 2, 3, 4, 5]
    assert mine.get("saminc", "zoho_crm")["client_secret"] == "s4"
    assert [version.version for version in mine.versions()] == [3, 4, 5]
    assert mine.forget_old("saminc", "zoho_crm") == 2
    assert mine.get("saminc", "zoho_crm")["client_secret"] == "s4"
    assert [version.version for version in mine.versions()] == [5]
    assert mine.delete("saminc", "zoho_crm") == 1
    assert mine.versions() == []
    assert mine.forget_old("saminc", "zoho_crm") == 0


def test_another_master_key_is_named_without_showing_anything(engine: Engine) -> None:
    vault(engine).put("saminc", "zoho_crm", SECRET)
    with pytest.raises(VaultError, match="SAGEZOHO_MASTER_KEY does not hold") as caught:
        vault(engine, NEW).get("saminc", "zoho_crm")
    shown = f"{caught.value!r} {vault(engine).keys!r}"
    assert not any(word in shown for word in (OLD, NEW, "hunter2"))


@pytest.mark.parametrize("key", ["short", "ab" * 31, "z" * 64, f"{OLD},nonsense", ","])
def test_a_malformed_master_key_is_refused_without_showing_it(engine: Engine, key: str) -> None:
    with pytest.raises(VaultError, match="32 bytes, in hex or base64") as caught:
        vault(engine, key).put("saminc", "zoho_crm", SECRET)
    assert "nonsense" not in str(caught.value)
    assert OLD not in str(caught.value)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE sagezoho.secrets SET connection = 'other'",
        "UPDATE sagezoho.secrets SET system = 'sage300', connection = 'other'",
        "UPDATE sagezoho.secrets SET connection = 'other', ciphertext = set_byte(ciphertext, 20, 1)",
        "UPDATE sagezoho.secrets SET connection = 'other', wrapped_key = ''",
    ],
)
def test_a_row_moved_or_altered_does_not_open(engine: Engine, tampering: str) -> None:
    vault(engine).put("saminc", "zoho_crm", SECRET)
    with engine.begin() as connection:
        connection.execute(text(tampering))
    system = "sage300" if "sage300" in tampering else "zoho_crm"
    with pytest.raises(VaultError, match="does not open"):
        vault(engine).get("other", system)


def test_the_master_key_rotates_without_downtime(engine: Engine) -> None:
    running = vault(engine, f"{OLD},{NEW}")  # first every process is given the new key beside the old one
    running.put("saminc", "zoho_crm", SECRET)
    running.put("saminc", "sage300", {"username": "A", "password": "B"})
    turned = vault(engine, f"{NEW} {OLD}")
    assert (turned.rewrap(), turned.rewrap()) == (2, 0)
    for reader in (running, turned, vault(engine, NEW)):
        assert reader.get("saminc", "zoho_crm") == SECRET
    with pytest.raises(VaultError):
        vault(engine, OLD).get("saminc", "zoho_crm")


def test_a_key_file_is_made_once_for_its_owner_only(engine: Engine, tmp_path: Path) -> None:
    env = {"SAGEZOHO_HOME": str(tmp_path / "home")}
    with ThreadPoolExecutor(6) as pool:
        ids = set(pool.map(lambda _: Vault(engine, env).keys.current[0], range(6)))
    assert len(ids) == 1
    path = tmp_path / "home" / "master.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_key_added_to_the_file_is_found_by_running_processes(engine: Engine, tmp_path: Path) -> None:
    env = {"SAGEZOHO_HOME": str(tmp_path)}
    running = Vault(engine, env)
    running.put("saminc", "zoho_crm", SECRET)
    added = masterkeys.add_key(tmp_path)
    assert Vault(engine, env).rewrap() == 1
    assert running.versions()[0].key_id == added
    assert running.get("saminc", "zoho_crm") == SECRET


def test_the_token_is_shared_and_sealed(engine: Engine) -> None:
    token = AccessToken("1000.secret-token", "https://www.zohoapis.eu", SOON)
    store = PostgresTokenStore(engine, vault(engine))
    assert store.read("saminc") is None
    with store.locked("saminc") as held:
        assert held.token is None
        held.save(token)
    assert PostgresTokenStore(engine, vault(engine)).read("saminc") == token
    assert "secret-token" not in repr(token)
    with engine.connect() as connection:
        sealed = bytes(connection.execute(text("SELECT ciphertext FROM sagezoho.tokens")).scalar_one())
    assert b"secret-token" not in sealed
    assert PostgresTokenStore(engine, vault(engine, NEW)).read("saminc") is None, "a new one is fetched instead"


def test_a_token_of_other_credentials_is_never_used(engine: Engine) -> None:
    mine = vault(engine)
    store = PostgresTokenStore(engine, mine)
    token = AccessToken("1000.earlier", "https://www.zohoapis.com", SOON)
    for replace in (
        lambda: mine.put("saminc", "zoho_crm", SECRET),
        lambda: mine.delete("saminc", "zoho_crm"),
    ):
        with store.locked("saminc") as held:
            held.save(token)
            held.block(SOON)
        with store.locked("other") as held:
            held.save(token)
        mine.put("saminc", "sage300", {"username": "WEBAPI", "password": "hunter2"})
        assert store.read("saminc") == token, "Sage's credentials are no business of Zoho's token"
        replace()
        assert store.read("saminc") is None
        assert store.read("other") == token
        with store.locked("saminc") as held:
            assert (held.token, held.blocked_until) == (None, None)


def test_credentials_that_are_replaced_during_a_refresh_outlive_its_token(engine: Engine) -> None:
    mine = vault(engine)
    store = PostgresTokenStore(engine, mine)
    with ThreadPoolExecutor(1) as pool:
        with store.locked("saminc") as held:
            replacing = pool.submit(mine.put, "saminc", "zoho_crm", SECRET)
            with pytest.raises(TimeoutError):
                replacing.result(timeout=0.5)
            held.save(AccessToken("1000.earlier", "https://www.zohoapis.com", SOON))
        replacing.result(timeout=30)
    assert store.read("saminc") is None


def test_a_saved_token_survives_what_fails_after_it(engine: Engine) -> None:
    store = PostgresTokenStore(engine, vault(engine))

    def save_and_fail() -> None:
        with store.locked("saminc") as held:
            held.save(AccessToken("t", "d", SOON))
            raise TimeoutError

    with pytest.raises(TimeoutError):
        save_and_fail()
    assert store.read("saminc") is not None


def test_a_block_is_seen_by_the_next_holder(engine: Engine) -> None:
    store = PostgresTokenStore(engine, vault(engine))
    with store.locked("saminc") as held:
        held.block(SOON)
    with store.locked("saminc") as held:
        assert held.blocked_until == SOON
        held.save(AccessToken("t", "d", SOON))
        assert held.blocked_until is None


def test_of_many_that_find_the_token_old_one_refreshes_it(engine: Engine) -> None:
    store = PostgresTokenStore(engine, vault(engine))
    gate, refreshed = threading.Barrier(8), []

    def use() -> str:
        gate.wait()
        with store.locked("saminc") as held:
            if held.token is None or held.token.expires_at < SOON:
                refreshed.append(1)
                held.save(AccessToken(f"t{len(refreshed)}", "d", SOON + timedelta(hours=1)))
            assert held.token is not None
            return held.token.value

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: use(), range(8))) == {"t1"}
    assert len(refreshed) == 1
