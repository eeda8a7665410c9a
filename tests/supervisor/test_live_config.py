from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from codexia.errors import ConfigError
from codexia_supervisor.live_config import LiveConfig

if TYPE_CHECKING:
    from pathlib import Path


def test_wrong_file_keeps_the_last_good_settings(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"ping_interval_s": 3}')
    config = LiveConfig(file, {}, {})
    for wrong in ("{", "[]", '{"ping_interval_s": -1}', '{"bind_host": "0.0.0.0"}'):
        file.write_text(wrong)
        assert not config.reload()
        assert config.settings.ping_interval_s == 3
        assert str(file) in config.problem
    file.write_text('{"ping_interval_s": 4}')
    assert config.reload()
    assert (config.settings.ping_interval_s, config.problem) == (4, "")


def test_deleted_file_means_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"ping_interval_s": 3}')
    config = LiveConfig(file, {}, {})
    file.unlink()
    assert config.reload()
    assert config.settings.ping_interval_s == 10


def test_flags_stay_in_force_over_an_edit(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    config = LiveConfig(file, {"ping_interval_s": 7}, {})
    file.write_text('{"ping_interval_s": 3}')
    assert not config.reload()
    assert config.settings.ping_interval_s == 7


def test_unknown_key_is_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"colour": "red"}')
    config = LiveConfig(file, {}, {})
    config.reload()
    assert [record.getMessage() for record in caplog.records] == [
        f"{file}: unknown key 'colour' is ignored"
    ]


def test_wrong_settings_at_the_start_raise(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="workers"):
        LiveConfig(tmp_path / "config.json", {"workers": 0}, {})


@pytest.mark.parametrize("content", ["directory", "pipe", "junk", "endless", "loop"])
def test_what_is_no_file_of_settings_is_a_problem_and_not_a_wait(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"ping_interval_s": 3}')
    config = LiveConfig(file, {}, {})
    file.unlink()
    match content:
        case "directory":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
        case "junk":
            file.write_bytes(os.urandom(10_000_000))
        case "endless":
            file.symlink_to("/dev/zero")
        case _:
            file.symlink_to(file)
    assert not config.reload()
    assert config.settings.ping_interval_s == 3
    assert str(file) in config.problem


def test_pinned_setting_says_so_once_and_only_while_the_file_differs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "config.json"
    config = LiveConfig(file, {"workers": 2}, {"CODEXIA_PING_INTERVAL_S": "7"})
    assert config.pinned == {
        "workers": "the command line",
        "ping_interval_s": "CODEXIA_PING_INTERVAL_S",
    }
    file.write_text('{"workers": 2, "ping_interval_s": 7}')
    config.reload()
    assert config.warnings == ()
    file.write_text('{"workers": 4, "ping_interval_s": 8}')
    config.reload()
    config.reload()
    assert len(config.warnings) == len(caplog.records) == 2
    assert "CODEXIA_PING_INTERVAL_S pins it" in caplog.text
    file.unlink()
    config.reload()
    assert config.warnings == ()
