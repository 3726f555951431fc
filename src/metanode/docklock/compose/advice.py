"""COMPOSE-16. What can be run, and would be better otherwise."""

from metanode.docklock.compose.findings import ComposeAdvice, Notes
from metanode.docklock.compose.model import ComposeText, ServiceText
from metanode.docklock.compose.translate import CPU_MILLICORES, MEMORY_KIB


def _resources(service: ServiceText, notes: Notes) -> None:
    if service.deploy.resources.memory_kib is None:
        fix = "write `deploy: {resources: {limits: {memory: 256m}}}`"
        says = f"no memory limit: {MEMORY_KIB >> 10} MiB are taken"
        service.spot.say(notes, ComposeAdvice.NO_MEMORY_LIMIT, says, "", fix)
    if service.deploy.resources.cpu_millicores is None:
        fix = "write `deploy: {resources: {limits: {cpus: 0.25}}}`"
        says = f"no limit of processors: {CPU_MILLICORES} thousandths of a core are taken"
        service.spot.say(notes, ComposeAdvice.NO_CPU_LIMIT, says, "", fix)


def _image(service: ServiceText, notes: Notes) -> None:
    image, at = service.image, service.at("image")
    if image.digest or image.is_host or not image.reference:
        return
    if image.tag in ("", "latest"):
        says = f"{image.reference[:80]} has {'the tag latest' if image.tag else 'no tag, so latest'}"
        at.say(notes, ComposeAdvice.LATEST, says, "", "name a version, or better a digest")
    else:
        says = f"{image.reference[:80]} has no digest: it is looked up at each apply"
        at.say(notes, ComposeAdvice.NO_DIGEST, says, "", f"write {image.reference[:80]}@sha256:…")


def advise(text: ComposeText, jobs: set[str], notes: Notes) -> None:
    """COMPOSE-16. All advice on a file whose values are known."""
    awaited = {one.workload for service in text.services for one in service.dependencies}
    publishers: dict[int, str] = {}
    for service in text.services:
        _resources(service, notes)
        _image(service, notes)
        matters = service.name in awaited or service.deploy.replicas > 1
        if service.process.health is None and service.name not in jobs and matters:
            says = "others wait for it" if service.name in awaited else "it has several replicas"
            fix = "write a healthcheck: broken replicas are not replaced otherwise"
            service.spot.say(notes, ComposeAdvice.NO_HEALTH_CHECK, f"{says}, and it has no health check", "", fix)
        for port in sorted({one.published for one in service.ports if one.published}):
            at = service.at("ports")
            other = publishers.setdefault(port, service.name)
            if other != service.name:
                says = f"{other} publishes {port} too: the two never share a node"
                at.say(notes, ComposeAdvice.CROWDED_PORT, says, "", "publish another port")
            elif service.deploy.replicas > 1:
                says = f"{service.deploy.replicas} replicas that publish {port} need as many nodes"
                at.say(
                    notes,
                    ComposeAdvice.CROWDED_PORT,
                    says,
                    "",
                    "move it to `expose`: the mesh balances over all replicas",
                )
