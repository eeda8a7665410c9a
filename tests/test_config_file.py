"""Edits of config.json: what a word on the command line means, and what survives an edit."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import orjson
import pytest

from codexia.config_file import (
    ConfigFile,
    FileChanged,
    KeyPath,
    UnknownSetting,
    value_from_text,
    values_of,
    with_value,
    without,
)
from codexia.errors import ConfigError
from codexia.paths import Home
from codexia.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    return ConfigFile(Home(tmp_path / "home"), {})


def put(file: ConfigFile, content: bytes) -> None:
    file.path.parent.mkdir(exist_ok=True)
    file.path.write_bytes(content)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("workers", "4", 4),
        ("ping_interval_s", "2.5", 2.5),
        ("api_key", "12345", "12345"),
        ("model_fallback", "gpt-6-sol", "gpt-6-sol"),
        ("model_fallback", '"gpt-6-sol"', "gpt-6-sol"),
        ("models", "a, b", ["a", "b"]),
        ("models", '["a", "b"]', ["a", "b"]),
        ("model_aliases", '{"a": "b"}', {"a": "b"}),
        ("model_aliases.fast", "5", "5"),
        ("auth_file", "~/x.json", "~/x.json"),
        ("workers", "many", "many"),
    ],
)
def test_text_means_a_value(key: str, text: str, value: object):
    assert value_from_text(KeyPath.parse(key), text) == value


def test_null_is_no_value():
    with pytest.raises(ConfigError, match="unset"):
        value_from_text(KeyPath.parse("models"), "null")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("wrokers", "workers"),
        ("bind-port", "bind_port"),
        ("workers.two", "as a whole"),
        ("model_aliases.", "as a whole"),
        ("zzz", "config show"),
    ],
)
def test_unknown_key_is_refused_with_a_hint(text: str, hint: str):
    with pytest.raises(UnknownSetting, match=hint):
        KeyPath.parse(text)


def test_named_keys_are_set_and_removed_one_by_one():
    content = with_value({}, KeyPath.parse("api_keys.laptop"), "one")
    content = with_value(content, KeyPath.parse("api_keys.phone"), "two")
    content = with_value(content, KeyPath.parse("api_keys.laptop"), "three")
    assert content == {
        "api_keys": [{"name": "laptop", "key": "three"}, {"name": "phone", "key": "two"}]
    }
    content = without(content, KeyPath.parse("api_keys.laptop"))
    assert content == {"api_keys": [{"name": "phone", "key": "two"}]}
    assert without(content, KeyPath.parse("api_keys.phone")) == {}


def test_entry_of_a_broken_value_is_an_error():
    for broken in ([], {"model_aliases": ["x"]}):
        content = dict(broken)
        key = KeyPath.parse("model_aliases.fast")
        if not content:
            assert with_value(content, key, "x") == {"model_aliases": {"fast": "x"}}
            continue
        with pytest.raises(ConfigError, match="model_aliases"):
            with_value(content, key, "x")


def test_edit_keeps_order_and_unknown_keys(file: ConfigFile):
    put(file, b'{"zebra": 1, "workers": 2, "$schema": "x", "model_fallback": "a"}')
    assert file.change(lambda content: with_value(content, KeyPath("workers"), 3))
    written = orjson.loads(file.path.read_bytes())
    assert list(written.items()) == [
        ("zebra", 1),
        ("workers", 3),
        ("$schema", "x"),
        ("model_fallback", "a"),
    ]
    assert not file.change(lambda content: with_value(content, KeyPath("workers"), 3))


def test_edit_is_private_and_goes_through_a_link(file: ConfigFile, tmp_path: Path):
    target = tmp_path / "dotfiles.json"
    target.write_text("{}")
    target.chmod(0o644)
    file.path.parent.mkdir()
    file.path.symlink_to(target)
    file.change(lambda content: with_value(content, KeyPath("workers"), 3))
    assert file.path.is_symlink()
    assert orjson.loads(target.read_bytes()) == {"workers": 3}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("before", [b"", b'{"bind_host": "127.0.0.1"}'])
def test_wrong_edit_changes_nothing(file: ConfigFile, before: bytes):
    if before:
        put(file, before)
    for key, value in (("workers", 0), ("bind_host", "0.0.0.0"), ("api_key", "a\nb")):
        with pytest.raises(ConfigError, match=key):
            file.change(
                lambda content, key=key, value=value: with_value(content, KeyPath(key), value)
            )
    assert file.raw() == before


def test_key_of_the_environment_allows_an_open_bind(tmp_path: Path):
    file = ConfigFile(Home(tmp_path), {"CODEXIA_API_KEY": "k"})
    assert file.change(lambda content: with_value(content, KeyPath("bind_host"), "0.0.0.0"))


def test_broken_file_is_not_overwritten(file: ConfigFile):
    put(file, b"{")
    with pytest.raises(ConfigError, match="JSON"):
        file.change(lambda content: with_value(content, KeyPath("workers"), 3))
    assert file.raw() == b"{"


def test_replaced_text_is_kept_as_it_is(file: ConfigFile):
    put(file, b"{}")
    text = b'{\n\t"workers": 3 }\n\n'
    file.replace(text, before=b"{}")
    assert file.raw() == text
    with pytest.raises(FileChanged):
        file.replace(b"{}", before=b"{}")


def test_set_aside_moves_the_file_and_leaves_a_links_target(file: ConfigFile, tmp_path: Path):
    assert file.set_aside() is None
    target = tmp_path / "target.json"
    target.write_text('{"workers": 3}')
    file.path.symlink_to(target)
    backup = file.set_aside()
    assert backup is not None
    assert backup.read_text() == target.read_text() == '{"workers": 3}'
    assert not file.path.is_symlink()


def test_edits_of_many_processes_are_all_kept(file: ConfigFile, tmp_path: Path):
    script = (
        "import sys, os\nfrom pathlib import Path\n"
        "from codexia.config_file import *\nfrom codexia.paths import Home\n"
        "file = ConfigFile(Home(Path(sys.argv[1])), {})\n"
        "for n in range(10):\n"
        "    key = KeyPath.parse(f'model_aliases.{sys.argv[2]}-{n}')\n"
        "    file.change(lambda content: with_value(content, key, 'gpt-5.5'))\n"
    )
    home = file.path.parent
    runs = [
        subprocess.Popen([sys.executable, "-c", script, home, str(number)], env={**os.environ})
        for number in range(6)
    ]
    assert [run.wait(60) for run in runs] == [0] * 6
    assert len(orjson.loads(file.raw())["model_aliases"]) == 60


def test_values_are_masked_unless_revealed():
    settings = Settings.model_validate(
        {"api_key": "canary-1", "api_keys": [{"name": "a", "key": "canary-2"}]}
    )
    masked = str(values_of(settings))
    assert "canary" not in masked
    revealed = values_of(settings, reveal=True)
    assert revealed["api_key"] == "canary-1"
    [named] = revealed["api_keys"]
    assert (named["name"], named["key"]) == ("a", "canary-2")
    orjson.dumps(revealed)
