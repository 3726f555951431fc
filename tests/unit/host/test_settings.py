from pathlib import Path

import pytest

from metanode.api.method import Scope
from metanode.host.fault import Fault, FaultReason
from metanode.host.http_settings import PortSettings, Token
from metanode.host.settings import (
    HttpSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    MetricsSettings,
    NetworkSettings,
    Settings,
    dump_settings,
    load_settings,
    port_settings,
    read_address,
    read_key,
    read_peer,
    read_settings,
    settings_page,
)

NOT_TOML = FaultReason.SETTINGS_NOT_TOML
UNKNOWN = FaultReason.SETTINGS_UNKNOWN_KEY
WRONG = FaultReason.SETTINGS_WRONG_VALUE


def refused(text):
    with pytest.raises(Fault) as caught:
        read_settings(text, "node.toml")
    return caught.value.reason, caught.value.detail, caught.value.fix


def test_nothing_written_is_all_defaults():
    assert read_settings("", "node.toml") == Settings()


def test_what_is_written_is_taken():
    text = """
    name = "north"
    [network]
    listen = "0.0.0.0:1"
    peers = ["a", "b"]
    discovery = false
    [http]
    streams_max = 7
    [log]
    level = "debug"
    format = "json"
    """
    assert read_settings(text, "node.toml") == Settings(
        name="north",
        network=NetworkSettings(listen="0.0.0.0:1", peers=("a", "b"), discovery=False),
        http=HttpSettings(streams_max=7),
        log=LogSettings(level=LogLevel.DEBUG, format=LogFormat.JSON),
    )


def test_what_is_dumped_is_read_back():
    settings = Settings(name='quo"te\\', network=NetworkSettings(peers=("x", "y")), log=LogSettings(file="a.log"))
    assert read_settings(dump_settings(settings), "x") == settings


@pytest.mark.parametrize(
    ("text", "reason", "detail", "fix"),
    [
        ("a = ", NOT_TOML, "Invalid value (at end of document)", "correct that line of the file"),
        ("[netwrk]", UNKNOWN, "unknown key `netwrk`", "did you mean `network`?"),
        ("[network]\nlisen = 1", UNKNOWN, "unknown key `network.lisen`", "did you mean `network.listen`?"),
        ("[metrics]\nxyz = 1", UNKNOWN, "unknown key `metrics.xyz`", "known here: enabled"),
        ("http = 3", WRONG, "`http` is 3, due is a table", "write [http] and its keys below it"),
        ("[verify]\nworkers = 65", WRONG, "`verify.workers` is 65, due is a whole number, 0 … 64", "the default is 0"),
        (
            "[verify]\nworkers = true",
            WRONG,
            "`verify.workers` is True, due is a whole number, 0 … 64",
            "the default is 0",
        ),
        (
            "[verify]\nworkers = 1.0",
            WRONG,
            "`verify.workers` is 1.0, due is a whole number, 0 … 64",
            "the default is 0",
        ),
        ("name = 1", WRONG, "`name` is 1, due is a printable text", "write it in quotes"),
        (
            '[storage]\nprune = "yes"',
            WRONG,
            "`storage.prune` is 'yes', due is true or false",
            "write it without quotes",
        ),
        ('[network]\npeers = "x"', WRONG, "`network.peers` is 'x', due is a list of texts", 'write ["one", "two"]'),
        (
            '[log]\nlevel = "loud"',
            WRONG,
            "`log.level` is 'loud', due is one of debug, info, warning, error",
            'the default is "info"',
        ),
    ],
)
def test_a_wrong_file_names_file_key_and_fix(text, reason, detail, fix):
    assert refused(text) == (reason, f"node.toml: {detail}", fix)


def test_a_file_is_read_and_a_missing_or_binary_one_is_a_fault(tmp_path):
    path = tmp_path / "node.toml"
    with pytest.raises(Fault, match=r"disk\.missing"):
        load_settings(path)
    path.write_text('name = "a"')
    assert load_settings(path) == Settings(name="a")
    path.write_bytes(b"\xff")
    with pytest.raises(Fault, match="save the file as UTF-8"):
        load_settings(path)
    path.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(Fault, match="name the right file"):
        load_settings(path)


def test_addresses_and_peers():
    key = "ab" * 32
    assert read_address("[::1]:26601", "network.listen") == ("::1", 26601)
    assert read_peer(f"{key}@host:1", "network.peers") == (bytes.fromhex(key), "host:1")
    for wrong in ("host", "host:", ":1", "host:65536", "host:-1"):
        with pytest.raises(Fault, match=r"network\.listen"):
            read_address(wrong, "network.listen")
    for wrong in ("", "zz" * 32, "ab"):
        with pytest.raises(Fault, match="64 hexadecimal digits"):
            read_key(wrong, "network.observers")


def test_the_public_port_gets_its_settings():
    digest = "ab" * 32
    http = HttpSettings(listen="0.0.0.0:80", tokens=(f"ci read,submit {digest}",), hosts=("node.example",))
    assert port_settings(http, MetricsSettings(), development=True, version="1") == PortSettings(
        address="0.0.0.0",
        port=80,
        tokens=(Token("ci", digest, (Scope.READ, Scope.SUBMIT)),),
        hosts=("node.example",),
        development=True,
        version="1",
    )
    assert port_settings(HttpSettings(), MetricsSettings(), development=False, version="0.0.0") == PortSettings()


@pytest.mark.parametrize(
    "http",
    [
        HttpSettings(listen="0.0.0.0:80"),
        HttpSettings(listen="example:80"),
        HttpSettings(listen="80"),
        HttpSettings(tokens=("ci",)),
        HttpSettings(tokens=("ci everything " + "ab" * 32,)),
        HttpSettings(tokens=("ci read short",)),
        HttpSettings(tls_key="key.pem"),
    ],
)
def test_a_public_port_that_would_be_unsafe_is_not_opened(http):
    with pytest.raises(Fault) as caught:
        port_settings(http, MetricsSettings(), development=False, version="1")
    assert caught.value.reason is FaultReason.SETTINGS_WRONG_VALUE


def test_the_page_of_the_docs_is_made_from_the_settings():
    page = Path(__file__).parents[3] / "docs" / "settings.md"
    assert page.read_text() == settings_page(), "write it anew: python tools/docs.py, or settings_page()"
