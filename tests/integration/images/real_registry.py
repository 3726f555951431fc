"""Debian's docker-registry on a loopback port, as its users run it: open, with passwords, or with tokens."""

import base64
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

USER, PASSWORD = "shop", "open sesame"
HTPASSWD = "shop:$2b$04$Iq8OcVDjHed/tFfyGQ/0Y.6n1cjSVuARsidddQgRhA5GFJSBjB7p2\n"
"""The line of that user, by bcrypt: the only hash this registry takes."""


def program() -> str:
    """Where the registry is; a machine without it says so, and in continuous integration that is a failure."""
    found = shutil.which("docker-registry")
    if found is None:
        message = "NO REAL REGISTRY: install the package docker-registry to run these tests"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def registry(folder: Path, auth: str = "") -> Iterator[str]:
    """A running registry: its address."""
    found, port = program(), free_port()
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {folder / 'registry'}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n{auth}"
    )
    with (folder / "registry.log").open("wb") as log:
        running = subprocess.Popen([found, "serve", str(config)], stdout=log, stderr=log)
        try:
            _wait(port, running, folder / "registry.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            running.terminate()
            running.wait(10)


def _wait(port: int, running: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(400):
        assert running.poll() is None, log.read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.025)
    raise AssertionError("the registry does not listen: " + log.read_text())


def by_password(folder: Path) -> str:
    """The part of the configuration for users with passwords."""
    (folder / "htpasswd").write_text(HTPASSWD)
    return f"auth:\n  htpasswd: {{realm: tests, path: {folder / 'htpasswd'}}}\n"


class TokenServer:
    """Makes tokens for whoever knows the password, as the specification of the registry's tokens says."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, str]] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self._key.public_key())
            .serial_number(1).not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
            .sign(self._key, SHA256())
        )  # fmt: skip
        self._bundle = folder / "token.pem"
        self._bundle.write_bytes(certificate.public_bytes(Encoding.PEM))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def auth(self) -> str:
        """The part of the registry's configuration."""
        realm = f"http://127.0.0.1:{self._server.server_port}/token"
        return (
            f"auth:\n  token: {{realm: '{realm}', service: tests, issuer: tests, rootcertbundle: '{self._bundle}'}}\n"
        )

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def token(self, scope: str) -> str:
        """A token for what is asked, by ES256."""
        kind, name, actions = scope.split(":") if scope else ("", "", "")
        access = [{"type": kind, "name": name, "actions": actions.split(",")}] if scope else []
        spki = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        letters = base64.b32encode(sha256(spki).digest()[:30]).decode()
        kid = ":".join(letters[at : at + 4] for at in range(0, len(letters), 4))
        now = int(time.time())
        claims = {
            "iss": "tests", "sub": USER, "aud": "tests", "exp": now + 300, "nbf": now - 10, "iat": now - 10,
            "jti": "1", "access": access,
        }  # fmt: skip
        parts = [_url64(json.dumps(part).encode()) for part in ({"typ": "JWT", "alg": "ES256", "kid": kid}, claims)]
        r, s = decode_dss_signature(self._key.sign(".".join(parts).encode(), ec.ECDSA(SHA256())))
        return ".".join((*parts, _url64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                scope = parse_qs(urlsplit(self.path).query).get("scope", [""])[0]
                secret = self.headers.get("Authorization", "")
                tokens.asked.append((scope, secret))
                wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                body = json.dumps({"token": tokens.token(scope)}).encode() if secret == wanted else b"{}"
                self.send_response(200 if secret == wanted else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def catalogue(address: str) -> list[str]:
    """What the registry says it has: asked without any code of ours."""
    with urlopen(f"{address}/v2/_catalog", timeout=10) as answer:
        return list(json.load(answer)["repositories"])
