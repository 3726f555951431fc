"""A registry by the OCI distribution protocol: manifests, blobs, who asks, and the way back up."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import BinaryIO, Final
from urllib.parse import urlencode

from metanode.docklock.images.digests import Digest, digest_of, parse_digest
from metanode.docklock.images.distribution import (
    ANSWER_BYTES_MAX,
    Challenge,
    decode_token,
    error_text,
    parse_challenges,
    range_begins,
)
from metanode.docklock.images.manifests import DOCUMENT_BYTES_MAX, INDEXES, MANIFESTS, Descriptor
from metanode.docklock.images.refusals import ImageRefusal, RegistryRefusal
from metanode.host.blobs import BlobRefusal
from metanode.host.images.streams import PIECE_BYTES
from metanode.host.images.web import Answer, Url, Web, joined, parse_url, unreachable
from metanode.primitives.refusal import Rejected

RESUMES_MAX: Final = 8
"""Most times that a broken download is taken up again where it broke."""
_ACCEPT: Final = ", ".join((*MANIFESTS, *INDEXES))
_BYTES: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Credentials:
    """IMG-22. A name and a password for a registry. They are told to its own host, and, where it has its tokens made
    elsewhere, to the hosts named here; to nobody else, and never unencrypted beyond this machine.
    """

    user: str
    password: str = field(repr=False)
    token_hosts: tuple[str, ...] = ()

    @property
    def basic(self) -> str:
        """The header for them."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class Registry:
    """IMG-23. One registry, at an address like `https://HOST:PORT`."""

    def __init__(self, address: str, web: Web, credentials: Credentials | None = None) -> None:
        self.url = parse_url(address)
        self._web = web
        self._credentials = credentials
        self._secrets: dict[str, str] = {}

    def ping(self) -> None:
        """Ask whether a registry is there that takes our name and password."""
        with self._asked("GET", "/v2/", "") as answer:
            _expect(answer, 200)

    def manifest(self, name: str, reference: str) -> tuple[Descriptor, bytes]:
        """IMG-23. A manifest or an index by its digest, which is compared, or by a tag."""
        with self._asked("GET", f"/v2/{name}/manifests/{reference}", name, {"Accept": _ACCEPT}) as answer:
            _expect(answer, 200)
            data = answer.read(DOCUMENT_BYTES_MAX)
            media_type = answer.header("Content-Type").partition(";")[0].strip()
        found = digest_of(data)
        if reference.startswith("sha256:") and found != parse_digest(reference):
            raise Rejected(BlobRefusal.WRONG_DIGEST, f"{name}: the registry gave {found} for {reference}")
        if media_type not in (*MANIFESTS, *INDEXES):
            detail = f"{name}:{reference} is {media_type[:80]!r}, neither a manifest nor an index"
            raise Rejected(ImageRefusal.UNSUPPORTED_MEDIA, detail)
        return Descriptor(media_type, found, len(data)), data

    def blob(self, name: str, part: Descriptor) -> Iterator[bytes]:
        """IMG-24. The bytes of a blob, as many as its descriptor says, in pieces. A connection that breaks is made
        again and goes on where it broke. Who stores them compares the digest.
        """
        got = 0
        for attempt in range(RESUMES_MAX + 1):
            before = got
            headers = {"Range": f"bytes={got}-"} if got else {}
            with self._asked("GET", f"/v2/{name}/blobs/{part.digest}", name, headers) as answer:
                _expect(answer, 200, 206)
                try:
                    _skip_to(answer, got)
                    while piece := answer.body.read(PIECE_BYTES):
                        got += len(piece)
                        if got > part.size:
                            detail = f"{part.digest}: more than the {part.size} bytes that were said"
                            raise Rejected(ImageRefusal.WRONG_SIZE, detail)
                        yield piece
                except (OSError, HTTPException) as error:
                    if attempt == RESUMES_MAX or got == before:
                        raise unreachable(answer.url, error) from error
            if got == part.size:
                return
            if got == before:
                raise Rejected(ImageRefusal.WRONG_SIZE, f"{part.digest}: {got} bytes of the {part.size} that were said")
        raise Rejected(RegistryRefusal.UNREACHABLE, f"{part.digest} broke off {RESUMES_MAX + 1} times")

    def small_blob(self, name: str, part: Descriptor, bytes_max: int) -> bytes:
        """A blob at once, compared with its digest."""
        if part.size > bytes_max:
            raise Rejected(ImageRefusal.TOO_LARGE, f"{part.digest} has {part.size} bytes, at most {bytes_max}")
        data = b"".join(self.blob(name, part))
        if digest_of(data) != part.digest:
            raise Rejected(BlobRefusal.WRONG_DIGEST, f"{name}: the registry gave {digest_of(data)} for {part.digest}")
        return data

    def has_blob(self, name: str, digest: Digest) -> bool:
        """Whether the registry has a blob under this name."""
        with self._asked("HEAD", f"/v2/{name}/blobs/{digest}", name, actions="pull,push") as answer:
            return answer.status == 200

    def push_blob(self, name: str, part: Descriptor, content: BinaryIO) -> None:
        """IMG-25. Send a blob that the registry does not have yet."""
        if self.has_blob(name, part.digest):
            return
        with self._asked("POST", f"/v2/{name}/blobs/uploads/", name, body=b"", actions="pull,push") as answer:
            _expect(answer, 202)
            to = joined(self.url, answer.header("Location"))
        if to.origin != self.url.origin:
            raise Rejected(RegistryRefusal.REDIRECTED, "the registry wants content sent to another host")
        target = f"{to.target}{'&' if '?' in to.target else '?'}digest={part.digest}"
        with self._asked("PUT", target, name, {"Content-Type": _BYTES}, content, part.size, "pull,push") as answer:
            _expect(answer, 201)

    def push_manifest(self, name: str, reference: str, media_type: str, data: bytes) -> None:
        """IMG-25. Send a manifest or an index, whose parts the registry has, under a tag or its digest."""
        headers = {"Content-Type": media_type}
        target = f"/v2/{name}/manifests/{reference}"
        with self._asked("PUT", target, name, headers, data, len(data), "pull,push") as answer:
            _expect(answer, 201)

    @contextmanager
    def _asked(
        self,
        method: str,
        target: str,
        name: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | BinaryIO | None = None,
        length: int = 0,
        actions: str = "pull",
    ) -> Iterator[Answer]:
        """The answer to a request, asked again once with a proof of who asks where the registry demands one."""
        url = Url(self.url.scheme, self.url.host, self.url.port, target)
        scope = f"repository:{name}:{actions}" if name else ""
        sent = dict(headers or {})
        with self._web.ask(method, url, sent, self._secrets.get(scope, ""), body, length) as answer:
            if answer.status != 401 or answer.url.origin != self.url.origin:
                yield answer
                return
            challenges = parse_challenges(answer.header("WWW-Authenticate"))
            said = error_text(answer.read(ANSWER_BYTES_MAX))
        self._secrets[scope] = self._secret(challenges, scope, said)
        if body is not None and not isinstance(body, bytes):
            body.seek(0)
        with self._web.ask(method, url, sent, self._secrets[scope], body, length) as answer:
            yield answer

    def _secret(self, challenges: tuple[Challenge, ...], scope: str, said: str) -> str:
        """IMG-22. The header Authorization that answers a challenge."""
        if self._credentials is not None and not self.url.is_private:
            raise Rejected(RegistryRefusal.INSECURE, f"{self.url} is not encrypted: no password is used there")
        for challenge in challenges:
            if challenge.scheme == "bearer":
                return f"Bearer {self._token(challenge, scope)}"
            if challenge.scheme == "basic" and self._credentials is not None:
                return self._credentials.basic
        raise Rejected(RegistryRefusal.UNAUTHORIZED, f"{self.url} wants to know who asks: {said}")

    def _token(self, challenge: Challenge, scope: str) -> str:
        realm = parse_url(challenge.parameter("realm"))
        wanted = {"service": challenge.parameter("service"), "scope": scope or challenge.parameter("scope")}
        query = urlencode({key: value for key, value in wanted.items() if value})
        url = Url(realm.scheme, realm.host, realm.port, f"{realm.target}{'&' if '?' in realm.target else '?'}{query}")
        secret = self._credentials.basic if self._credentials is not None and self._may_tell(realm) else ""
        with self._web.ask("GET", url, {}, secret) as answer:
            _expect(answer, 200)
            return decode_token(answer.read(ANSWER_BYTES_MAX))

    def _may_tell(self, realm: Url) -> bool:
        """Whether this host may be told the password. Refused rather than left out where it would go unencrypted."""
        assert self._credentials is not None
        if realm.origin != self.url.origin and realm.host not in (self.url.host, *self._credentials.token_hosts):
            return False
        if not realm.is_private:
            raise Rejected(RegistryRefusal.INSECURE, f"{realm} is not encrypted: no password is sent there")
        return True


_REFUSED: Final = {
    401: RegistryRefusal.UNAUTHORIZED,
    403: RegistryRefusal.FORBIDDEN,
    404: RegistryRefusal.UNKNOWN,
    429: RegistryRefusal.BUSY,
    502: RegistryRefusal.BUSY,
    503: RegistryRefusal.BUSY,
    504: RegistryRefusal.BUSY,
}


def _expect(answer: Answer, *statuses: int) -> None:
    """IMG-23. Refuse an answer of another status, with what the registry says about it."""
    if answer.status not in statuses:
        said = error_text(answer.read(ANSWER_BYTES_MAX))
        reason = _REFUSED.get(answer.status, RegistryRefusal.PROTOCOL)
        raise Rejected(reason, f"{answer.url}: {answer.status} {said}"[:400])


def _skip_to(answer: Answer, place: int) -> None:
    """Stand at this byte of the blob: a partial answer begins there, a whole one is read up to it."""
    if answer.status == 206:
        begins = range_begins(answer.header("Content-Range"))
        if begins != place:
            raise Rejected(RegistryRefusal.PROTOCOL, f"{answer.url}: asked from byte {place}, given from {begins}")
        return
    while place and (piece := answer.body.read(min(PIECE_BYTES, place))):
        place -= len(piece)
