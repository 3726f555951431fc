"""What an image says of how it runs, and as whom."""

import json
from typing import Any

import pytest
from tests.unit.docklock.images.refusing import refuses

from metanode.docklock.images.configs import CONFIG_BYTES_MAX, Run, check_layers, decode_config, stop_signal
from metanode.docklock.images.digests import digest_of
from metanode.docklock.images.manifests import OCI_CONFIG, OCI_MANIFEST, Descriptor, Manifest, Platform
from metanode.docklock.images.refusals import ImageRefusal
from metanode.docklock.images.users import GROUPS_MAX, ID_MAX, Identity, identify

LAYER = digest_of(b"layer")


def config(run=None, **more):
    base = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [str(LAYER)]}}
    return json.dumps({**base, "config": run, **more}).encode()


def test_everything_that_a_container_needs_is_read():
    run: dict[str, Any] = {
        "Entrypoint": ["/bin/serve"], "Cmd": ["--port", "80"], "Env": ["PATH=/bin", "A=b=c", "PATH=/usr/bin", "EMPTY="],
        "User": "web:www", "WorkingDir": "srv/./data/..", "ExposedPorts": {"80/tcp": {}, "8000-8002/udp": {}, "53": {}},
        "Volumes": {"/data": {}, "/data/": {}}, "StopSignal": "SIGQUIT", "Labels": {"b": "2", "a": "1"},
        "Healthcheck": {"Test": ["CMD", "true"]}, "OnBuild": None,
    }  # fmt: skip
    found = decode_config(config(run, created="now", variant="v2"))
    assert found.platform == Platform("linux", "amd64", "v2")
    assert found.diff_ids == (LAYER,)
    assert found.run == Run(
        ("/bin/serve",), ("--port", "80"), (("PATH", "/usr/bin"), ("A", "b=c"), ("EMPTY", "")), "web:www", "/srv",
        ((53, "tcp"), (80, "tcp"), (8000, "udp"), (8001, "udp"), (8002, "udp")), ("/data",), 3,
        (("a", "1"), ("b", "2")),
    )  # fmt: skip


def test_an_image_may_say_nothing():
    assert decode_config(config()).run == Run()
    assert (
        decode_config(config(dict.fromkeys(("Entrypoint", "Cmd", "Env", "User", "WorkingDir", "Volumes")))).run == Run()
    )


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        ({"Env": ["PATH"]}, ImageRefusal.CONFIG_VALUE),
        ({"Env": ["=x"]}, ImageRefusal.CONFIG_VALUE),
        ({"Env": ["A=\x00"]}, ImageRefusal.CONFIG_VALUE),
        ({"Cmd": ["a\x00b"]}, ImageRefusal.CONFIG_VALUE),
        ({"ExposedPorts": {"0/tcp": {}}}, ImageRefusal.CONFIG_VALUE),
        ({"ExposedPorts": {"65536": {}}}, ImageRefusal.CONFIG_VALUE),
        ({"ExposedPorts": {"80/icmp": {}}}, ImageRefusal.CONFIG_VALUE),
        ({"ExposedPorts": {"2-1": {}}}, ImageRefusal.CONFIG_VALUE),
        ({"ExposedPorts": {"1-65535": {}}}, ImageRefusal.CONFIG_VALUE),
        ({"WorkingDir": "/a/../.."}, ImageRefusal.CONFIG_VALUE),
        ({"WorkingDir": "/a\x00"}, ImageRefusal.CONFIG_VALUE),
        ({"WorkingDir": "/" + "a" * 4095}, ImageRefusal.CONFIG_VALUE),
        ({"Volumes": {"../x": {}}}, ImageRefusal.CONFIG_VALUE),
        ({"StopSignal": "SIGNOTHING"}, ImageRefusal.CONFIG_VALUE),
        ({"Cmd": "sh"}, ImageRefusal.MALFORMED),
        ({"Cmd": ["a"] * 1025}, ImageRefusal.MALFORMED),
        ({"Cmd": ["a" * 32_769]}, ImageRefusal.MALFORMED),
    ],
)
def test_what_no_container_can_be_started_with_is_refused(run, reason):
    refuses(reason, decode_config, config(run))


def test_a_configuration_is_short_and_of_layers():
    refuses(ImageRefusal.TOO_LARGE, decode_config, config(filling="x" * CONFIG_BYTES_MAX))
    refuses(ImageRefusal.CONFIG_VALUE, decode_config, config(rootfs={"type": "other", "diff_ids": []}))
    refuses(ImageRefusal.DIGEST_MALFORMED, decode_config, config(rootfs={"type": "layers", "diff_ids": ["x"]}))
    refuses(ImageRefusal.MALFORMED, decode_config, b'{"os": "linux"}')
    manifest = Manifest(OCI_MANIFEST, Descriptor(OCI_CONFIG, LAYER, 1), ())
    assert "0 layers" in refuses(ImageRefusal.LAYERS_DIFFER, check_layers, manifest, decode_config(config()))


@pytest.mark.parametrize(
    ("text", "number"),
    [("", 15), ("SIGTERM", 15), ("int", 2), ("9", 9), ("SIGSYS", 31), ("64", 64), ("SIGRTMIN", 34), ("RTMIN+3", 37),
     ("SIGRTMAX", 64), ("SIGRTMAX-1", 63)],
)  # fmt: skip
def test_signals_have_the_numbers_of_linux(text, number):
    assert stop_signal(text) == number


@pytest.mark.parametrize("text", ["0", "65", "-1", "SIG", "SIGRTMIN+31", "RTMAX-31", "٣", "TERM ", "1000"])
def test_what_is_no_signal_is_refused(text):
    if text == "SIG":
        assert stop_signal(text) == 15, "nothing is said"
    else:
        refuses(ImageRefusal.CONFIG_VALUE, stop_signal, text)


PASSWD = (
    b"root:x:0:0:root:/root:/bin/sh\nnonsense\nweb:x:33:34:Web:/var/www:/bin/false\nodd:x:y:0::/:\nfar:x:1:1::rel:\n"
)
GROUP = b"root:x:0:\nwww:x:34:web\nlogs:x:44:other,web\nnone\nbad:x:x:web\n"


@pytest.mark.parametrize(
    ("user", "identity"),
    [
        ("", Identity(0, 0, (), "/root")),
        ("web", Identity(33, 34, (44,), "/var/www")),
        ("33", Identity(33, 34, (44,), "/var/www")),
        ("web:logs", Identity(33, 44, (), "/var/www")),
        ("web:7", Identity(33, 7, (), "/var/www")),
        ("1234", Identity(1234, 0)),
        ("1234:www", Identity(1234, 34)),
        ("far", Identity(1, 1)),
    ],
)
def test_users_are_those_of_the_image(user, identity):
    assert identify(user, PASSWD, GROUP) == identity


@pytest.mark.parametrize("user", ["nobody", "web:nobody", "web:", "odd", "-1", str(ID_MAX + 1), "٣", "nonsense"])
def test_a_user_that_is_not_in_the_image_is_refused(user):
    refuses(ImageRefusal.NO_USER, identify, user, PASSWD, GROUP)


def test_a_user_has_so_many_groups_and_no_more():
    many = b"".join(b"g%d:x:%d:web\n" % (number, number) for number in range(100, 300))
    assert len(identify("web", PASSWD, many).groups) == GROUPS_MAX
