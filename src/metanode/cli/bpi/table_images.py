"""The commands about images: a part of the table."""

from typing import Final

from metanode.cli.commands import Entry

_HERE: Final = "metanode.cli.bpi.commands"

IMAGES: Final[dict[str, Entry]] = {
    "container images export": Entry(
        f"{_HERE}.container_images:export",
        "Write an image as one tar, an OCI layout that docker load takes too.",
    ),
    "container images import": Entry(
        f"{_HERE}.container_images:import_",
        "Import an image from an OCI layout (a folder or a tar) or from what docker save wrote, to the cluster's "
        "agents.",
    ),
    "container images list": Entry(
        f"{_HERE}.container_images:list_",
        "List the images that the cluster's agents have, and which nodes have each.",
    ),
    "container images prune": Entry(
        f"{_HERE}.container_images:prune",
        "Take away, at every agent, content that belongs to no image and no container.",
    ),
    "container images pull": Entry(
        f"{_HERE}.container_images_registry:pull",
        "Pull an image from a registry and give it to the cluster's agents.",
    ),
    "container images push": Entry(
        f"{_HERE}.container_images_registry:push",
        "Push an image that the agents have to a registry, under a name and tag of its own.",
    ),
    "container images rm": Entry(
        f"{_HERE}.container_images:rm",
        "Forget an image at every agent; or, of one with several names, the name by which it is called here.",
    ),
    "container images show": Entry(
        f"{_HERE}.container_images:show",
        "Show an image: platform, layers, how it is started, and which nodes have it.",
    ),
    "container images sign": Entry(
        f"{_HERE}.container_images_trust:sign",
        "Sign an image, or hand in signatures made elsewhere: every validator verifies them and the chain keeps them.",
    ),
    "container images verify": Entry(
        f"{_HERE}.container_images_trust:verify",
        "Check an image layer by layer: its content at every agent, who has signed it, whether the cluster lets it "
        "run.",
    ),
}
"""Each by its words."""
