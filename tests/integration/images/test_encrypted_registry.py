"""Registries over TLS: whose certificate is trusted, and no way back to an open line."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.integration.images.test_faulty_registry import DATA, ME, PART, Server, say
from tests.unit.docklock.images.refusing import refuses

from metanode.docklock.images.refusals import RegistryRefusal
from metanode.host.images.registry import Registry
from metanode.host.images.web import Web


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


class Encrypted(Server):
    """A server behind TLS."""

    def __init__(self, play, cert: Path, key: Path) -> None:
        super().__init__(play)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.address = self.address.replace("http:", "https:")


@pytest.fixture
def open_line() -> Iterator[Server]:
    server = Server(lambda handler: say(handler, 200, DATA))
    yield server
    server.stop()


@pytest.fixture
def encrypted(tmp_path, open_line) -> Iterator[Encrypted]:
    def play(handler):
        if handler.path == "/v2/" and "Authorization" in handler.headers:
            say(handler, 200)
        elif handler.path == "/v2/":
            say(handler, 401, WWW_Authenticate='Basic realm="x"')
        else:
            say(handler, 307, Location=f"{open_line.address}/blob")

    server = Encrypted(play, *certificate(tmp_path))
    yield server
    server.stop()


def test_a_certificate_of_a_file_is_trusted_and_the_password_told(encrypted, tmp_path):
    Registry(encrypted.address, Web(tmp_path / "cert.pem"), ME).ping()
    assert [heard[1] for heard in encrypted.heard] == ["", ME.basic]


def test_a_certificate_that_nobody_trusts_is_refused(encrypted):
    detail = refuses(RegistryRefusal.INSECURE, Registry(encrypted.address, Web(), ME).ping)
    assert "certificate is not trusted" in detail
    assert encrypted.heard == [], "nothing was said over it"


def test_a_certificate_for_another_name_is_refused(encrypted, tmp_path):
    address = encrypted.address.replace("127.0.0.1", "localhost")
    refuses(RegistryRefusal.INSECURE, Registry(address, Web(tmp_path / "cert.pem"), ME).ping)


def test_no_redirect_leads_from_an_encrypted_line_to_an_open_one(encrypted, open_line, tmp_path):
    registry = Registry(encrypted.address, Web(tmp_path / "cert.pem"))
    detail = refuses(RegistryRefusal.INSECURE, lambda: b"".join(registry.blob("shop/web", PART)))
    assert "not encrypted" in detail
    assert open_line.heard == []


def test_an_open_server_is_no_encrypted_one(open_line):
    refuses(RegistryRefusal.UNREACHABLE, Registry(open_line.address.replace("http:", "https:"), Web()).ping)
