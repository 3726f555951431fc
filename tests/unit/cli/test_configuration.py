"""Settings of the command line: who comes before whom, and what a wrong one gets."""

from pathlib import Path

import pytest
from tests.unit.cli.conftest import Bpi

from metanode.cli.configuration import KEYS, write_configuration
from metanode.cli.failure import CliRefusal


def test_a_flag_beats_the_environment_beats_the_project_beats_the_user_beats_the_default(
    folder: Path, bpi: Bpi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def node(*flags: str) -> tuple[str, str]:
        data = bpi("config", "get", "node", "--json", *flags).data
        return data["value"], data["origin"]

    assert node() == ("http://127.0.0.1:26600", "default")
    user = folder.parents[1] / "user" / "bpi" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('node = "http://user:1"\n')
    assert node() == ("http://user:1", str(user))
    project = folder.parent / "bpi.toml"
    project.write_text('node = "http://project:1"\n')
    assert node() == ("http://project:1", str(project))
    monkeypatch.setenv("BPI_NODE", "http://environment:1")
    assert node() == ("http://environment:1", "BPI_NODE")
    assert node("--node", "http://flag:1/") == ("http://flag:1", "flag")


def test_show_and_explain_name_every_key(bpi: Bpi) -> None:
    assert list(bpi("config", "show", "--json").data["settings"]) == list(KEYS)
    explained = bpi("config", "explain", "--json").data["settings"]
    assert [row["key"] for row in explained] == list(KEYS)
    assert all(row["origin"] == "default" and row["meaning"] for row in explained)
    people = bpi("config", "explain").out.splitlines()
    assert people[0].split() == ["key", "value", "from", "meaning"]
    assert len(people) == len(KEYS) + 1


def test_set_keeps_what_else_is_in_the_file(folder: Path, bpi: Bpi) -> None:
    project = folder / "bpi.toml"
    project.write_text('# ours\nnode = "http://old:1"  # here\ncoin = "EUR"\n')
    assert bpi("config", "set", "node", "http://new:1").status == 0
    assert project.read_text() == '# ours\nnode = "http://new:1"\ncoin = "EUR"\n'
    assert bpi("config", "set", "timeout", "5").status == 0
    assert project.read_text() == '# ours\nnode = "http://new:1"\ncoin = "EUR"\ntimeout = "5"\n'


def test_set_for_the_user_says_what_is_in_force(bpi: Bpi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPI_COIN", "EUR")
    said = bpi("config", "set", "coin", "CHF", "--user")
    assert said.status == 0
    assert "BPI_COIN says 'EUR', and that comes first" in said.err
    assert bpi("config", "set", "coin", "CHF", "--user", "--json").data["in_force"] == "EUR"


def test_path_says_which_files_are_there(folder: Path, bpi: Bpi) -> None:
    assert bpi("config", "path", "--json").data["project"] == {"path": str(folder / "bpi.toml"), "exists": False}
    (folder / "bpi.toml").write_text("")
    assert bpi("config", "path", "--json").data["project"]["exists"] is True


def test_a_value_with_quotes_survives(tmp_path: Path, bpi: Bpi) -> None:
    assert bpi("config", "set", "account", 'a"b\\c').status == 0
    assert bpi("config", "get", "account").out == 'a"b\\c\n'
    assert tmp_path.is_dir()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("nod", "http://a:1", "unknown configuration key 'nod'"),
        ("node", "ftp://a", "must be http://host:port"),
        ("node", "http://", "must be http://host:port"),
        ("wait", "forever", "must be one of final, included, none"),
        ("timeout", "0", "whole seconds"),
        ("timeout", "1.5", "whole seconds"),
        ("timeout", "99999999", "whole seconds"),
        ("color", "blue", "must be one of auto, always, never"),
        ("account", "a\nb", "printable"),
    ],
)
def test_a_wrong_key_or_value_is_refused_and_nothing_written(
    key: str, value: str, words: str, folder: Path, bpi: Bpi
) -> None:
    said = bpi("config", "set", key, value, "--json")
    assert (said.status, said.error["code"]) == (50, CliRefusal.CONFIGURATION)
    assert words in said.error["message"]
    assert said.error["fix"]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("text", ["node = ", "nod = 'x'", "node = true", "node = ['a']", "\xff"])
def test_a_broken_file_is_named(text: str, folder: Path, bpi: Bpi) -> None:
    (folder / "bpi.toml").write_bytes(text.encode("latin-1"))
    said = bpi("config", "show", "--json")
    assert (said.status, said.error["code"]) == (50, CliRefusal.CONFIGURATION)
    assert said.error["fix"]
    before = (folder / "bpi.toml").read_bytes()
    assert bpi("config", "set", "coin", "EUR").status == 50
    assert (folder / "bpi.toml").read_bytes() == before


def test_a_wrong_value_in_the_environment_names_the_variable(bpi: Bpi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BPI_WAIT", "maybe")
    said = bpi("config", "get", "wait", "--json")
    assert (said.status, said.error["code"]) == (50, CliRefusal.CONFIGURATION)
    assert "BPI_WAIT" in said.error["message"]


def test_a_file_that_cannot_be_written_is_a_failure(tmp_path: Path, bpi: Bpi) -> None:
    assert bpi("config", "path").status == 0
    from metanode.cli.failure import Failure

    (tmp_path / "plain").write_text("")
    with pytest.raises(Failure) as failed:
        write_configuration(tmp_path / "plain" / "bpi.toml", "coin", "EUR")
    assert failed.value.form.code == CliRefusal.CONFIGURATION
