"""Three Compose files in the manner of real ones, with what they need from around them."""

from pathlib import Path
from typing import Final

from metanode.docklock.compose import Outside, Understood, understand

FOLDER: Final = Path(__file__).parent / "compose"
PATHS: Final = tuple(FOLDER / f"{name}.yaml" for name in ("desk", "nightly", "watch"))


def variables(tools: str, port: int) -> dict[str, str]:
    """The environment they are applied in: the digest of the imported tools, a port to publish."""
    return {
        "TOOLS": f"tools@{tools}",
        "PUBLISHED": str(port),
        "DESK_NAME": "Help",
        "NIGHTLY_SHARED": "shared by all",
    }


def understood(path: Path, tools: str) -> Understood:
    """What a file comes to, read as the command reads it."""

    def beside(name: str) -> str | None:
        found = FOLDER / name
        return found.read_text() if found.is_file() else None

    return understand(path.read_text(), Outside(variables(tools, 8_080), beside, lambda _: None))
