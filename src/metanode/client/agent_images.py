"""The images of an agent: listed, shown, checked, made of content that was put, forgotten, collected."""

from typing import Any, Final
from urllib.parse import quote

import msgspec

from metanode.client.agent import AgentClient


class AgentImages:
    """What an agent's containers are made of. Raises what `AgentClient` raises."""

    def __init__(self, agent: AgentClient) -> None:
        self._agent: Final = agent

    def list(self) -> list[dict[str, Any]]:
        """All that are there: digest, manifest, platform, names, bytes, parts."""
        return msgspec.json.decode(self._agent.ask("GET", "/v1/images"), type=list[dict[str, Any]])

    def show(self, digest: str) -> dict[str, Any]:
        """One of them with its layers and what it says of how it is started."""
        return self._asked("GET", f"/v1/images/{digest}")

    def check(self, digest: str) -> dict[str, Any]:
        """Let all its content be read again and compared with its digests: how many parts and bytes."""
        return self._asked("POST", f"/v1/images/{digest}/check")

    def add(self, digest: str, media_type: str, size: int, names: tuple[str, ...]) -> dict[str, Any]:
        """Let an image be made of content that was put."""
        asked = {"digest": digest, "media_type": media_type, "size": size, "names": names}
        return self._asked("POST", "/v1/images", msgspec.json.encode(asked))

    def remove(self, digest: str, name: str) -> tuple[str, ...]:
        """Forget an image, or only this name of it; the names that it has left."""
        query = f"?name={quote(name, safe='')}" if name else ""
        return tuple(self._asked("DELETE", f"/v1/images/{digest}{query}")["names"])

    def prune(self) -> dict[str, Any]:
        """Take away what nobody needs: blobs, their bytes, unpacked roots."""
        return self._asked("POST", "/v1/images/prune")

    def _asked(self, verb: str, path: str, body: bytes = b"") -> dict[str, Any]:
        return msgspec.json.decode(self._agent.ask(verb, path, body), type=dict[str, Any])
