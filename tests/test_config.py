"""Where a setting comes from, and what is said about a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from codexia.config import Settings, parse_bind, read_config_file, resolve
from codexia.errors import ConfigError

PATH = Path("/home/somebody/.codexia/config.json")


def test_flag_beats_environment_beats_file_beats_default():
    file = {"workers": 1, "model_fallback": "file", "originator": "file"}
    environ = {"CODEXIA_WORKERS": "2", "CODEXIA_MODEL_FALLBACK": "environment"}
    resolved = resolve({"workers": 3}, environ, file, PATH)
    assert resolved.settings.workers == 3
    assert resolved.settings.model_fallback == "environment"
    assert resolved.settings.originator == "file"
    assert resolved.settings.bind_port == 14550
    assert [resolved.sources[key] for key in ("workers", "model_fallback", "originator")] == [
        "flag",
        "environment",
        "config.json",
    ]
    assert resolved.sources["bind_port"] == "default"


def test_unknown_key_warns_and_does_not_fail():
    resolved = resolve({}, {}, {"wrokers": 4}, PATH)
    assert "wrokers" in resolved.warnings[0]


@pytest.mark.parametrize(
    ("flags", "environ", "file", "source", "key"),
    [
        ({}, {}, {"bind_port": "many"}, str(PATH), "bind_port"),
        ({}, {"CODEXIA_WORKERS": "0"}, {}, "CODEXIA_WORKERS", "workers"),
        ({"upstream_base_url": "ftp://x"}, {}, {}, "command line", "upstream_base_url"),
        ({}, {}, {"ping_interval_s": -1}, str(PATH), "ping_interval_s"),
    ],
)
def test_wrong_value_names_its_source_and_key(flags, environ, file, source, key):
    with pytest.raises(ConfigError) as caught:
        resolve(flags, environ, file, PATH)
    assert (caught.value.source, caught.value.key) == (source, key)


def test_wrong_value_is_not_repeated_in_the_error():
    with pytest.raises(ConfigError) as caught:
        resolve({}, {}, {"api_keys": [{"name": "", "key": "canary-secret"}]}, PATH)
    assert "canary-secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_open_bind_without_a_key_is_refused(host: str):
    with pytest.raises(ConfigError, match="set an api_key"):
        resolve({"bind_host": host}, {}, {}, PATH)
    assert resolve({"bind_host": host, "api_key": "k"}, {}, {}, PATH).settings.bind_host == host


def test_blank_key_means_none():
    assert resolve({}, {}, {"api_key": ""}, PATH).settings.keys == ()


def test_keys_never_show():
    settings = Settings.model_validate(
        {"api_key": "canary", "api_keys": [{"name": "a", "key": "canary"}]}
    )
    assert "canary" not in repr(settings) + str(settings) + settings.model_dump_json()


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b"null"])
def test_broken_file_says_what_is_wrong(tmp_path: Path, content: bytes):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.json"):
        read_config_file(path)


def test_missing_file_is_no_settings(tmp_path: Path):
    assert read_config_file(tmp_path / "config.json") == {}


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1:14550", ("127.0.0.1", 14550)),
        ("[::1]:80", ("::1", 80)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_bind_is_host_and_port(bind: str, expected: tuple[str, int]):
    assert parse_bind(bind) == expected


@pytest.mark.parametrize("bind", ["14550", ":14550", "host:", "host:70000", "host:1x", ""])
def test_bind_of_another_form_is_refused(bind: str):
    with pytest.raises(ConfigError, match="HOST:PORT"):
        parse_bind(bind)
