"""The commands about what agents keep, secrets and volumes: a part of the table of all."""

from typing import Final

from metanode.cli.commands import Entry

_HERE: Final = "metanode.cli.bpi.commands"

KEPT: Final[dict[str, Entry]] = {
    "secret list": Entry(
        f"{_HERE}.secret:list_",
        "List the secrets that the agents of a cluster keep: versions, and which nodes have each.",
    ),
    "secret rm": Entry(
        f"{_HERE}.secret:rm",
        "Let every agent of a cluster forget a secret, or its older versions; what runs keeps what it has in memory.",
    ),
    "secret set": Entry(
        f"{_HERE}.secret:set_",
        "Seal a secret to nodes of a cluster, by keys that are proved here; the bytes as they stand.",
    ),
    "volume list": Entry(
        f"{_HERE}.volume:list_",
        "List the volumes of a cluster: on which node, how large, which containers have them.",
    ),
    "volume rm": Entry(
        f"{_HERE}.volume:rm",
        "Remove a volume with all its data from the node that has it; refused while a container has it.",
    ),
}
