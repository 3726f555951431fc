"""Registries that misbehave, on loopback sockets: they break off, lie, redirect, or want secrets of others."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.unit.docklock.images.refusing import refuses
from tests.unit.host.images.made import image, image_store, tar

from metanode.docklock.images.digests import digest_of, parse_digest
from metanode.docklock.images.manifests import DOCUMENT_BYTES_MAX, OCI_LAYER, OCI_MANIFEST, Descriptor
from metanode.docklock.images.references import parse_reference
from metanode.docklock.images.refusals import ImageRefusal, RegistryRefusal
from metanode.host.blobs import BlobRefusal
from metanode.host.images.pulling import pull, signatures
from metanode.host.images.registry import RESUMES_MAX, Credentials, Registry
from metanode.host.images.web import REDIRECTS_MAX, Web, parse_url

DATA = bytes(range(256)) * 4000
PART = Descriptor(OCI_LAYER, digest_of(DATA), len(DATA))
ME = Credentials("shop", "secret")
Play = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """One loopback server that plays a part; every request is written down: path, Authorization, Range."""

    def __init__(self, play: Play) -> None:
        self.heard: list[tuple[str, str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                heard = (self.path, self.headers.get("Authorization", ""), self.headers.get("Range", ""))
                server.heard.append(heard)
                play(self)

            do_POST = do_PUT = do_HEAD = do_GET  # noqa: N815 - the names that the base class looks for

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(10)


@pytest.fixture
def serve() -> Iterator[Callable[[Play], Server]]:
    servers: list[Server] = []

    def start(play: Play) -> Server:
        servers.append(Server(play))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def say(
    handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", length: int | None = None, **headers: str
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def blob(server: Server, part: Descriptor = PART, **more: Any) -> bytes:
    return b"".join(Registry(server.address, Web(stall=2), **more).blob("shop/web", part))


def test_a_download_that_breaks_goes_on_where_it_broke(serve):
    def play(handler):
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        piece = DATA[start : start + 300_000]
        whole = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
        say(handler, 206 if start else 200, piece, len(DATA) - start, Content_Range=whole)

    server = serve(play)
    assert blob(server) == DATA
    assert [heard[2] for heard in server.heard] == ["", "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_server_without_ranges_is_read_again_up_to_the_place(serve):
    turns = iter([500_000, len(DATA)])
    assert blob(serve(lambda handler: say(handler, 200, DATA[: next(turns)], len(DATA)))) == DATA


@pytest.mark.parametrize("content_range", ["bytes 0-9/10", "bytes 7-9/10", "nonsense"])
def test_another_range_than_was_asked_for_is_refused(serve, content_range):
    def play(handler):
        if "Range" in handler.headers:
            say(handler, 206, DATA[5:], Content_Range=content_range)
        else:
            say(handler, 200, DATA[:5], len(DATA))

    refuses(RegistryRefusal.PROTOCOL, blob, serve(play))


def test_a_download_that_always_breaks_is_given_up(serve):
    def play(handler):
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        whole = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
        say(handler, 206 if start else 200, DATA[start : start + 10], len(DATA) - start, Content_Range=whole)

    server = serve(play)
    refuses(RegistryRefusal.UNREACHABLE, blob, server)
    assert len(server.heard) == RESUMES_MAX + 1


def test_a_server_that_falls_silent_is_given_up(serve):
    silent = threading.Event()

    def play(handler):
        say(handler, 200, DATA[:10] if "Range" not in handler.headers else b"", len(DATA))
        silent.wait(10)

    server = serve(play)
    try:
        registry = Registry(server.address, Web(stall=0.2))
        detail = refuses(RegistryRefusal.UNREACHABLE, lambda: b"".join(registry.blob("shop/web", PART)))
        assert "it says nothing" in detail
    finally:
        silent.set()


def test_more_or_fewer_bytes_than_were_said_are_refused(serve):
    refuses(ImageRefusal.WRONG_SIZE, blob, serve(lambda handler: say(handler, 200, DATA + b"x")))
    refuses(ImageRefusal.WRONG_SIZE, blob, serve(lambda handler: say(handler, 200, b"")))


def test_other_bytes_than_were_asked_for_are_refused(serve, tmp_path):
    made = image(tar([]))
    lie = b"x" * len(next(iter(made.blobs.values())))
    reference = parse_reference(f"shop/web@{made.digest}")

    def play(handler):
        name = handler.path.rpartition("sha256:")[2]
        if "manifests" in handler.path:
            say(handler, 200, made.manifest, Content_Type=OCI_MANIFEST)
        else:
            say(handler, 200, lie if len(made.blobs[name]) == len(lie) else made.blobs[name])

    images = image_store(tmp_path)
    refuses(BlobRefusal.WRONG_DIGEST, pull, images, Registry(serve(play).address, Web()), reference)
    assert images.list() == ()
    other = serve(lambda handler: say(handler, 200, b"{}", Content_Type=OCI_MANIFEST))
    refuses(BlobRefusal.WRONG_DIGEST, pull, images, Registry(other.address, Web()), reference)
    small = Descriptor(OCI_LAYER, digest_of(b"ab"), 2)
    registry = Registry(serve(lambda handler: say(handler, 200, b"xy")).address, Web())
    refuses(BlobRefusal.WRONG_DIGEST, registry.small_blob, "shop/web", small, 10)
    refuses(ImageRefusal.TOO_LARGE, registry.small_blob, "shop/web", small, 1)


def test_what_is_no_manifest_is_refused(serve):
    for body, media_type, reason in (
        (b"<html>", "text/html", ImageRefusal.UNSUPPORTED_MEDIA),
        (bytes(DOCUMENT_BYTES_MAX + 1), OCI_MANIFEST, RegistryRefusal.PROTOCOL),
    ):
        server = serve(lambda handler, b=body, m=media_type: say(handler, 200, b, Content_Type=m))
        refuses(reason, Registry(server.address, Web()).manifest, "shop/web", "1")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, RegistryRefusal.FORBIDDEN),
        (404, RegistryRefusal.UNKNOWN),
        (429, RegistryRefusal.BUSY),
        (503, RegistryRefusal.BUSY),
        (500, RegistryRefusal.PROTOCOL),
        (204, RegistryRefusal.PROTOCOL),
        (401, RegistryRefusal.UNAUTHORIZED),
    ],
)
def test_every_answer_has_its_refusal(serve, status, reason):
    server = serve(lambda handler: say(handler, status, b'{"errors":[{"code":"WHY","message":"so"}]}'))
    detail = refuses(reason, Registry(server.address, Web()).manifest, "shop/web", "1")
    assert "WHY so" in detail or status == 204


def test_a_server_that_speaks_no_http_is_refused(serve):
    def play(handler):
        handler.wfile.write(b"SSH-2.0-server\r\n")

    refuses(RegistryRefusal.UNREACHABLE, Registry(serve(play).address, Web()).ping)


def test_redirects_are_followed_and_the_secret_stays(serve):
    storage = serve(lambda handler: say(handler, 200, DATA))

    def play(handler):
        if "Authorization" not in handler.headers:
            say(handler, 401, WWW_Authenticate='Basic realm="x"')
        else:
            say(handler, 307, Location=f"{storage.address}/bucket?signature=x")

    server = serve(play)
    assert blob(server, credentials=ME) == DATA
    assert storage.heard == [("/bucket?signature=x", "", "")], "another origin is told nothing"
    assert [heard[1] for heard in server.heard] == ["", ME.basic]


def test_a_redirect_within_the_origin_keeps_the_secret(serve):
    def play(handler):
        if "Authorization" not in handler.headers:
            say(handler, 401, WWW_Authenticate='Basic realm="x"')
        elif handler.path.startswith("/v2/"):
            say(handler, 302, Location="/elsewhere")
        else:
            say(handler, 200, DATA)

    server = serve(play)
    assert blob(server, credentials=ME) == DATA
    assert server.heard[-1][:2] == ("/elsewhere", ME.basic)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("/v2/again", RegistryRefusal.REDIRECTED),
        ("", RegistryRefusal.REDIRECTED),
        ("ftp://127.0.0.1/", RegistryRefusal.PROTOCOL),
        ("file:///etc/passwd", RegistryRefusal.PROTOCOL),
        ("http://user:pass@127.0.0.1/", RegistryRefusal.PROTOCOL),
        ("http://127.0.0.1:99999/", RegistryRefusal.PROTOCOL),
        ("http://[::1/", RegistryRefusal.PROTOCOL),
    ],
)
def test_a_redirect_that_leads_nowhere_is_refused(serve, location, reason):
    server = serve(lambda handler: say(handler, 302, **({"Location": location} if location else {})))
    refuses(reason, blob, server)
    assert len(server.heard) in (1, REDIRECTS_MAX + 1)


def test_a_password_goes_only_to_the_hosts_that_it_names(serve):
    tokens = serve(lambda handler: say(handler, 200, b'{"token":"t"}'))
    by_name = tokens.address.replace("127.0.0.1", "localhost")

    def play(handler):
        if handler.headers.get("Authorization") == "Bearer t":
            say(handler, 200, DATA)
        else:
            say(handler, 401, WWW_Authenticate=f'Bearer realm="{by_name}/token?x=1",service="s"')

    server = serve(play)
    assert blob(server, credentials=ME) == DATA
    assert blob(server, credentials=Credentials("shop", "secret", ("localhost",))) == DATA
    assert [heard[1] for heard in tokens.heard] == ["", ME.basic]
    assert tokens.heard[0][0] == "/token?x=1&service=s&scope=repository%3Ashop%2Fweb%3Apull"
    assert "secret" not in repr(ME)


def test_a_password_is_never_sent_unencrypted_beyond_this_machine(serve):
    far = serve(
        lambda handler: say(handler, 401, WWW_Authenticate='Bearer realm="http://registry.example/token",service="s"')
    )
    named = Credentials("shop", "secret", ("registry.example",))
    refuses(RegistryRefusal.INSECURE, blob, far, credentials=named)

    class Elsewhere(Web):
        """Reaches the loopback server whatever host is asked for."""

        def _connection(self, url):
            return super()._connection(parse_url(near.address))

    near = serve(lambda handler: say(handler, 401, WWW_Authenticate='Basic realm="x"'))
    registry = Registry("http://registry.example:80", Elsewhere(), ME)
    detail = refuses(RegistryRefusal.INSECURE, registry.ping)
    assert "not encrypted" in detail
    assert [heard[1] for heard in near.heard] == [""]


def test_content_is_sent_to_the_registry_and_nowhere_else(serve):
    def play(handler):
        if handler.command == "HEAD":
            say(handler, 404)
        else:
            say(handler, 202, Location="http://localhost:1/upload")

    import io

    registry = Registry(serve(play).address, Web())
    refuses(RegistryRefusal.REDIRECTED, registry.push_blob, "shop/web", PART, io.BytesIO(DATA))


def test_signatures_that_cannot_be_asked_for_are_no_signatures_that_are_not_there(serve):
    registry = Registry(serve(lambda handler: say(handler, 503)).address, Web())
    refuses(RegistryRefusal.BUSY, signatures, registry, "shop/web", parse_digest(str(PART.digest)))


@pytest.mark.parametrize(
    "text", ["", "registry.example", "ftp://x", "http://", "http://a:b@c/", "http://x:0x/", "http://x y/", "http://x/é",
             "http://x/" + "a" * 4096],
)  # fmt: skip
def test_what_is_no_address_is_refused(text):
    refuses(RegistryRefusal.PROTOCOL, parse_url, text)


def test_addresses_are_read():
    url = parse_url("https://registry.example/v2/?a=b#c")
    assert (url.origin, url.target, url.is_private) == (("https", "registry.example", 443), "/v2/?a=b", True)
    assert (str(url), url.whole) == ("https://registry.example:443/v2/", "https://registry.example:443/v2/?a=b")
    assert parse_url("http://[::1]:5000").is_private
    assert parse_url("http://[::1]:5000").whole == "http://[::1]:5000/"
    assert parse_url("http://localhost").is_private
    assert not parse_url("http://10.0.0.1").is_private
