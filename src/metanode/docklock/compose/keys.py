"""COMPOSE-5. Every key of the Compose specification: what it means here, or why it is refused. docs/protocol/compose.md
shows these tables; a test holds both against each other and against the keys of the published schema."""

from typing import Final

_NODE: Final = "it names a thing of one machine, and the committee decides on which machine a replica runs"
_FILES: Final = "one file says all that runs; use YAML anchors and merge keys to share parts"
_WEIGHT: Final = "a weight against unknown neighbours; say `cpus`, which is reserved and kept"
_DOCKER: Final = "it belongs to one engine, and the same file runs on each"
_NOTES: Final = "nothing here reads labels; put notes into an `x-` key, placement into `deploy.placement`"
_MESH: Final = "names, addresses and routes come from the mesh: services that share a network find each other by name"
_ISOLATION: Final = "every container has namespaces of its own"

TOP: Final = {
    "name": "the name of the application",
    "version": "means nothing any more (advice)",
    "services": "the workloads",
    "volumes": "named volumes, which must be on the nodes",
    "networks": "names: services that share one can call each other",
    "secrets": "names of secrets, and where the command line finds those that it shall create",
    "x-metanode": "what Compose has no word for, for all services",
}
TOP_REFUSED: Final = {
    "include": _FILES,
    "configs": "files come with the image, from a volume or, if they are short, from the environment",
    "models": "no models are served here",
}

SERVICE: Final = {
    "cap_add": "capabilities to keep besides, of those that can be kept",
    "cap_drop": "capabilities to drop; `ALL` for all",
    "command": "arguments of the entrypoint; a text is split as a shell would",
    "cpus": "cores, like 0.5: reserved and limited",
    "depends_on": "what must be started, healthy or completed before",
    "deploy": "replicas, resources, placement, updates, restarts",
    "entrypoint": "what is run in place of the image's entrypoint and arguments",
    "env_file": "files of variables, read where the command runs",
    "environment": "variables; one without a value is taken from where the command runs",
    "expose": "ports for the mesh",
    "healthcheck": "how the node finds out whether a replica is well",
    "hostname": "the name a replica sees as its own",
    "image": "reference of the image, or metanode.host/usr for the node's own read-only /usr",
    "logging": "driver local or json-file with max-size and max-file: bounds of the kept output",
    "mem_limit": "memory, like 512m: reserved and limited",
    "mem_reservation": "as deploy.resources.reservations.memory",
    "network_mode": "none: no network at all",
    "networks": "names of the networks to be in; without it, default",
    "pids_limit": "most processes and threads",
    "platform": "linux/amd64 or linux/arm64",
    "ports": "ports for the mesh, and published ones on the node that runs it",
    "read_only": "whether the root filesystem is read-only",
    "restart": "when the node starts a replica again",
    "scale": "as deploy.replicas",
    "secrets": "secrets as files on tmpfs",
    "security_opt": "no-new-privileges, which always holds",
    "stop_grace_period": "time between the signal to stop and the kill",
    "stop_signal": "the signal to stop",
    "tmpfs": "directories on tmpfs, each with a size if one is said",
    "user": "user and group in the container",
    "volumes": "named volumes and tmpfs at paths of the container",
    "working_dir": "where the command starts",
    "x-metanode": "what Compose has no word for",
}
SERVICE_REFUSED: Final = {
    "annotations": _NOTES,
    "attach": "output is never mixed; ask for it by `bpi container logs`",
    "blkio_config": "the engines here do not divide disk input and output",
    "build": "nodes run finished images: build it, then `bpi container images import FILE` and name it in `image`",
    "cgroup": _ISOLATION,
    "cgroup_parent": _NODE,
    "configs": TOP_REFUSED["configs"],
    "container_name": "names are made of cluster, workload, replica and attempt: there can be several replicas",
    "cpu_count": "say `cpus`",
    "cpu_percent": "say `cpus`",
    "cpu_period": "say `cpus`",
    "cpu_quota": "say `cpus`",
    "cpu_rt_period": "no real-time processes: one could starve a whole node",
    "cpu_rt_runtime": "no real-time processes: one could starve a whole node",
    "cpu_shares": _WEIGHT,
    "cpuset": _NODE,
    "credential_spec": "Windows only",
    "develop": "for a developer's own machine; apply the file again instead",
    "device_cgroup_rules": "no devices of a node are given to containers",
    "devices": "no devices of a node are given to containers",
    "dns": _MESH,
    "dns_opt": _MESH,
    "dns_search": _MESH,
    "domainname": _MESH,
    "extends": _FILES,
    "external_links": _MESH,
    "extra_hosts": _MESH,
    "gpus": "no devices of a node are given to containers",
    "group_add": "one user and one group: say `user: uid:gid`",
    "init": "what the engines run as the first process differs; use an image with an init of its own",
    "ipc": _ISOLATION,
    "isolation": "Windows only",
    "label_file": _NOTES,
    "labels": _NOTES,
    "links": _MESH,
    "mac_address": _MESH,
    "mem_swappiness": "no swap is given to containers",
    "memswap_limit": "no swap is given to containers",
    "models": TOP_REFUSED["models"],
    "oom_kill_disable": "a container beyond its memory is killed, or the node would stand still",
    "oom_score_adj": _WEIGHT.replace("cpus", "mem_limit"),
    "pid": _ISOLATION,
    "post_start": "a command in the container is a health check or the entrypoint's own; else a job that waits for it",
    "pre_start": "make it a job, and wait for it by `depends_on` with service_completed_successfully",
    "pre_stop": "let the process end cleanly on `stop_signal`",
    "privileged": "no container has power over its node",
    "profiles": "what a file says is what runs; write another file for what runs only sometimes",
    "provider": "only containers are run",
    "pull_policy": "images are pinned by digest: what a node has is what is meant, what it lacks it gets",
    "pull_refresh_after": "images are pinned by digest: there is nothing newer",
    "runtime": "say x-metanode.engines",
    "shm_size": "shared memory has the engine's own size; use `tmpfs`",
    "stdin_open": "nobody stands at the input of a workload; use `bpi container exec`",
    "storage_opt": _DOCKER,
    "sysctls": "kernel settings reach beyond the container on some engines",
    "tty": "a workload has no terminal; use `bpi container exec`",
    "ulimits": "say `pids_limit` and `mem_limit`, which hold for the whole container",
    "use_api_socket": "no container has power over its engine",
    "userns_mode": _ISOLATION,
    "uts": _ISOLATION,
    "volumes_from": "name the volumes in `volumes` of both",
}

DEPLOY: Final = {
    "mode": "replicated or replicated-job",
    "placement": "constraints, preferences, max_replicas_per_node",
    "replicas": "how many",
    "resources": "limits and reservations",
    "restart_policy": "condition, delay, max_attempts, window",
    "rollback_config": "must say what update_config says: a rollback is an update",
    "update_config": "how a new revision replaces the old one",
}
DEPLOY_REFUSED: Final = {"endpoint_mode": _MESH, "labels": _NOTES}
LIMITS: Final = {
    "cpus": "cores: reserved and limited",
    "memory": "memory: reserved and limited",
    "pids": "most processes and threads",
}
RESERVATIONS: Final = {
    "cpus": "at most the limit; without a limit, what is reserved is the limit",
    "memory": "at most the limit; without a limit, what is reserved is the limit",
}
RESERVATIONS_REFUSED: Final = {
    "devices": "no devices of a node are given to containers",
    "generic_resources": "say it by a label of nodes and a placement constraint",
}
PLACEMENT: Final = {
    "constraints": "node.labels.NAME == VALUE, !=; node.platform.arch ==",
    "max_replicas_per_node": "most replicas on one node",
    "preferences": "spread: node.labels.NAME",
}
UPDATE: Final = {
    "delay": "pause between two groups",
    "failure_action": "pause, continue or rollback when too many failed",
    "max_failure_ratio": "share of the replicas that may fail, in steps of 0.0001",
    "monitor": "how long each new replica is watched",
    "order": "stop-first or start-first",
    "parallelism": "how many at a time; 0 for all",
}
RESTART_POLICY: Final = {
    "condition": "none, on-failure or any",
    "delay": "first delay; it doubles up to five minutes",
    "max_attempts": "most attempts within the window",
    "window": "time in which attempts are counted",
}
HEALTHCHECK: Final = {
    "disable": "no check",
    "interval": "time between two checks",
    "retries": "failures in a row that make it unhealthy",
    "start_period": "time in which failures do not count",
    "test": "NONE, CMD or CMD-SHELL; a text is CMD-SHELL",
    "timeout": "longest time of one check",
}
HEALTHCHECK_REFUSED: Final = {"start_interval": "one interval holds from the start"}
PORT: Final = {
    "mode": "host: published where it runs",
    "name": "what the mesh calls it",
    "protocol": "tcp or udp",
    "published": "port of the node",
    "target": "port in the container",
}
PORT_REFUSED: Final = {
    "app_protocol": "the mesh carries bytes and looks at none",
    "host_ip": _NODE,
}
MOUNT: Final = {
    "read_only": "whether it is mounted read-only",
    "source": "name of a volume",
    "target": "path in the container",
    "tmpfs": "size: what a tmpfs holds at most",
    "type": "volume or tmpfs",
    "volume": "nothing but an empty mapping",
}
MOUNT_REFUSED: Final = {
    "bind": _NODE,
    "consistency": _DOCKER,
    "image": "put it into the service's own image",
}
SECRET_USE: Final = {
    "gid": "the group of `user`: the file belongs to the container's own user and group",
    "mode": "permissions, octal with a zero in front",
    "source": "name of a secret",
    "target": "name of the file in /run/secrets, or a path",
    "uid": "the number of `user`: the file belongs to the container's own user",
}
DEPENDENCY: Final = {
    "condition": "service_started, service_healthy or service_completed_successfully",
    "required": "true",
    "restart": "false",
}
ENV_FILE: Final = {
    "format": "raw: values as they stand, without quotes and variables",
    "path": "the file, from where the Compose file is; its folder or another",
    "required": "false: it may be missing",
}
LOGGING: Final = {"driver": "local or json-file", "options": "max-size and max-file"}
NETWORK_USE_REFUSED: Final = {
    "aliases": "a service has one name: its own",
    "driver_opts": _MESH,
    "gw_priority": _MESH,
    "interface_name": _MESH,
    "ipv4_address": _MESH,
    "ipv6_address": _MESH,
    "link_local_ips": _MESH,
    "mac_address": _MESH,
    "priority": _MESH,
}
VOLUME: Final = {
    "driver": "local",
    "external": "true or false: every volume is there before",
    "name": "its name on the nodes, where it is another",
}
VOLUME_REFUSED: Final = {"driver_opts": "only directories of the nodes are volumes", "labels": _NOTES}
NETWORK: Final = {
    "external": "true or false: a network is only a name",
    "internal": "true: nothing leaves but to the destinations in x-metanode.egress",
    "name": "its name in the cluster, where it is another",
}
NETWORK_REFUSED: Final = {
    "attachable": _MESH,
    "driver": _MESH,
    "driver_opts": _MESH,
    "enable_ipv4": _MESH,
    "enable_ipv6": _MESH,
    "ipam": _MESH,
    "labels": _NOTES,
}
SECRET: Final = {
    "environment": "the variable that holds it, where the command runs",
    "external": "true: the cluster has it already",
    "file": "the file that holds it, where the command runs",
    "name": "its name in the cluster, where it is another",
}
SECRET_REFUSED: Final = {
    "driver": _DOCKER,
    "driver_opts": _DOCKER,
    "labels": _NOTES,
    "template_driver": "secrets are bytes, and are not filled in",
}

SETTINGS_TOP: Final = {
    "agreement": "digest of the policy bundle that it runs under",
    "cluster": "the cluster to apply to",
    "data_class": "public, internal, confidential or restricted",
    "engines": "which of sandbox, oci, docker, kubernetes may run it",
    "regions": "values of the nodes' label region",
    "strategy": "binpack or spread",
}
SETTINGS: Final = {
    "affinity": "services to stand beside",
    "agreement": SETTINGS_TOP["agreement"],
    "anti_affinity": "services not to stand beside",
    "architecture": "x86_64 or aarch64",
    "balance": "round-robin, least-connections or local-first: which replica the mesh calls",
    "constraints": "like `zone in a, b`, `gpu exists`, `spot absent`, `disk not-in slow`",
    "data_class": SETTINGS_TOP["data_class"],
    "deterministic": "the same bytes on every run: a job on the sandbox of x86_64",
    "egress": "host:port to reach outside; nothing else is reached",
    "engines": SETTINGS_TOP["engines"],
    "inputs": "of a deterministic job: NAME=sha256:DIGEST, found at /input/NAME",
    "job": "retries and deadline of each replica: it runs to its end",
    "outputs": "of a deterministic job: names of files that it leaves in /tmp",
    "preempts": "whether it may push out workloads of lower priority",
    "priority": "0 … 1000",
    "probe": "http: {port, path} or tcp: {port} in place of healthcheck.test",
    "regions": SETTINGS_TOP["regions"],
    "spread": "label and skew_max: even over the values of a label",
    "strategy": SETTINGS_TOP["strategy"],
    "tolerations": "key, value and effect of taints it puts up with",
}
JOB: Final = {"deadline": "longest time since it was applied", "retries": "further attempts of each replica"}
SPREAD: Final = {"label": "the nodes' label", "skew_max": "most difference in numbers; 0: only preferred"}
TOLERATION: Final = {
    "effect": "no-schedule, no-execute or avoid; without it, any",
    "key": "the taint's key; without it, any",
    "value": "the taint's value; without it, any",
}
PROBE: Final = {"http": "status 200 … 399 of a GET", "tcp": "the port accepts"}
PROBE_HTTP: Final = {"path": "the path to get; without it, /", "port": "the port in the container"}
PROBE_TCP: Final = {"port": "the port in the container"}

TABLES: Final[tuple[tuple[str, dict[str, str], dict[str, str]], ...]] = (
    ("top level", TOP, TOP_REFUSED),
    ("services.NAME", SERVICE, SERVICE_REFUSED),
    ("services.NAME.deploy", DEPLOY, DEPLOY_REFUSED),
    ("services.NAME.deploy.resources.limits", LIMITS, {}),
    ("services.NAME.deploy.resources.reservations", RESERVATIONS, RESERVATIONS_REFUSED),
    ("services.NAME.deploy.placement", PLACEMENT, {}),
    ("services.NAME.deploy.update_config", UPDATE, {}),
    ("services.NAME.deploy.restart_policy", RESTART_POLICY, {}),
    ("services.NAME.healthcheck", HEALTHCHECK, HEALTHCHECK_REFUSED),
    ("services.NAME.ports", PORT, PORT_REFUSED),
    ("services.NAME.volumes", MOUNT, MOUNT_REFUSED),
    ("services.NAME.secrets", SECRET_USE, {}),
    ("services.NAME.depends_on.NAME", DEPENDENCY, {}),
    ("services.NAME.env_file", ENV_FILE, {}),
    ("services.NAME.logging", LOGGING, {}),
    ("services.NAME.networks.NAME", {}, NETWORK_USE_REFUSED),
    ("volumes.NAME", VOLUME, VOLUME_REFUSED),
    ("networks.NAME", NETWORK, NETWORK_REFUSED),
    ("secrets.NAME", SECRET, SECRET_REFUSED),
    ("x-metanode", SETTINGS_TOP, {}),
    ("services.NAME.x-metanode", SETTINGS, {}),
    ("services.NAME.x-metanode.job", JOB, {}),
    ("services.NAME.x-metanode.spread", SPREAD, {}),
    ("services.NAME.x-metanode.tolerations", TOLERATION, {}),
    ("services.NAME.x-metanode.probe", PROBE, {}),
    ("services.NAME.x-metanode.probe.http", PROBE_HTTP, {}),
    ("services.NAME.x-metanode.probe.tcp", PROBE_TCP, {}),
)
"""Where, what is known there, what is refused there: the whole of the subset."""
