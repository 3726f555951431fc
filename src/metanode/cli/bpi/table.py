"""Every command of `bpi`: where it is, and its line in the help. Nothing is imported from here."""

from typing import Final

from metanode.cli.bpi.table_images import IMAGES
from metanode.cli.bpi.table_kept import KEPT
from metanode.cli.commands import Entry

_HERE: Final = "metanode.cli.bpi.commands"

GROUPS: Final[dict[str, str]] = {
    "account": "Keys here, balances there.",
    "block": "What became final.",
    "cluster": "Security domains on the chain: who may run what where.",
    "coin": "Coins, and payments in them.",
    "config": "What bpi itself is told once: node, folder, account, waiting.",
    "container": "What runs, and where.",
    "container images": "What containers are made of.",
    "demo": "Showing what cannot be done.",
    "doctor": "What could go wrong, and what has.",
    "evidence": "Proofs that a validator broke the rules.",
    "genesis": "What everyone agreed on before the first block.",
    "governance": "What validators' operators decide together.",
    "mesh": "What can be called.",
    "node": "One node on this machine; the nodes of a cluster.",
    "node agent": "What runs containers on one machine.",
    "receipt": "What became of a transaction, and the file that proves it.",
    "secret": "What containers must know, and nobody else may.",
    "testnet": "What can befall a development network.",
    "transaction": "What is asked of the chain.",
    "validator": "Who signs.",
    "volume": "Data that outlives containers, on the nodes that hold it.",
}
"""Every group, with its line in the help."""

COMMANDS: Final[dict[str, Entry]] = {
    **IMAGES,
    **KEPT,
    "account create": Entry(
        f"{_HERE}.account:create",
        "Make a key for a new account and keep it, encrypted, in the accounts folder.",
    ),
    "account list": Entry(f"{_HERE}.account:list_", "List the accounts whose keys are here, and what they hold."),
    "account show": Entry(
        f"{_HERE}.account:show",
        "Show an account: balances, keys, next nonces; the configured one where none is named.",
    ),
    "backup": Entry(
        f"{_HERE}.backup:backup",
        "Copy the data directory of a node, which may go on running meanwhile, to a new folder.",
    ),
    "block list": Entry(f"{_HERE}.block:list_", "List blocks, the latest first."),
    "block show": Entry(
        f"{_HERE}.block:show",
        "Show a block: its header, its certificate and its transactions; the last one where no height is named.",
    ),
    "cluster admit-image": Entry(
        f"{_HERE}.cluster:admit_image",
        "Admit an image by the SHA-256 of its manifest, for a cluster where only listed ones may run.",
    ),
    "cluster configure": Entry(
        f"{_HERE}.cluster:configure",
        "Change settings of a cluster, as its owner; what is not named stays as it is.",
    ),
    "cluster create": Entry(
        f"{_HERE}.cluster:create",
        "Create a cluster; the signer is its owner.",
    ),
    "cluster images": Entry(
        f"{_HERE}.cluster:images",
        "List the images that were admitted to a cluster.",
    ),
    "cluster list": Entry(
        f"{_HERE}.cluster:list_",
        "List the clusters of the chain.",
    ),
    "cluster show": Entry(
        f"{_HERE}.cluster:show",
        "Show a cluster: who may do what, its weights, quotas, nodes and workloads.",
    ),
    "coin define": Entry(f"{_HERE}.coin:define", "Create a coin; the signer is its issuer."),
    "coin mint": Entry(
        f"{_HERE}.coin:mint",
        "Make new units of a coin for an account; the signer must be one of its minters.",
    ),
    "coin show": Entry(f"{_HERE}.coin:show", "Show a coin: supply, decimals, issuer and minters."),
    "coin transfer": Entry(f"{_HERE}.coin:transfer", "Pay an account."),
    "completion": Entry(f"{_HERE}.completion:completion", "Print the script that completes bpi in your shell."),
    "config explain": Entry(f"{_HERE}.config:explain", "Show every setting, its value and where that came from."),
    "config get": Entry(f"{_HERE}.config:get", "Print one setting."),
    "config path": Entry(f"{_HERE}.config:path", "Print which files are read."),
    "config set": Entry(f"{_HERE}.config:set_", "Set one key in the project's file, or the user's."),
    "config show": Entry(f"{_HERE}.config:show", "Show every setting."),
    "container apply": Entry(
        f"{_HERE}.container_run:apply",
        "Apply a Compose file: what it says becomes what the cluster is to run; what it does not name stays as it is.",
    ),
    "container convert": Entry(
        f"{_HERE}.container_run:convert",
        "Convert a Compose file to manifests of Kubernetes; what those have no word for is told.",
    ),
    "container events": Entry(
        f"{_HERE}.container:events",
        "Show what the chain decided and heard of a workload or a cluster, each with its receipt.",
    ),
    "container exec": Entry(
        f"{_HERE}.container_agents:execute",
        "Execute a command in a running container; ends with the command's own exit status.",
    ),
    "container lint": Entry(
        f"{_HERE}.container_run:lint",
        "Say everything that is wrong in a Compose file, and what would be better, each with its line.",
    ),
    "container list": Entry(
        f"{_HERE}.container:list_",
        "List the workloads of a cluster: phase, revision, how many replicas are ready.",
    ),
    "container logs": Entry(
        f"{_HERE}.container_agents:logs",
        "Show what a container said: web for all its replicas, web.2 for one, or a whole name.",
    ),
    "container replay": Entry(
        f"{_HERE}.container_replay:replay",
        "Run a deterministic job once more on another node, and compare: EQUAL, or the first difference.",
    ),
    "container restart": Entry(
        f"{_HERE}.container:restart",
        "Replace every replica of a workload by a fresh one, by its update rule.",
    ),
    "container rm": Entry(
        f"{_HERE}.container:rm",
        "Stop a workload and forget it.",
    ),
    "container rollback": Entry(
        f"{_HERE}.container:rollback",
        "Lead a workload back to the revision before.",
    ),
    "container run": Entry(
        f"{_HERE}.container_run:run",
        "Apply a Compose file, and return when everything in it was seen running, or completed.",
    ),
    "container scale": Entry(
        f"{_HERE}.container:scale",
        "Let a workload have so many replicas; those with the highest numbers go first.",
    ),
    "container show": Entry(
        f"{_HERE}.container:show",
        "Show a workload: its terms, its update, and where each replica runs.",
    ),
    "container start": Entry(
        f"{_HERE}.container:start",
        "Start a workload that was stopped, has completed or has failed.",
    ),
    "container stats": Entry(
        f"{_HERE}.container_agents:stats",
        "Show what containers use: share of a core, memory, processes, bytes of output; all of the cluster by default.",
    ),
    "container stop": Entry(
        f"{_HERE}.container:stop",
        "Stop every replica of a workload, and remember it.",
    ),
    "container verify": Entry(
        f"{_HERE}.container_verify:verify",
        "Verify a running container against the chain: placement, specification, image, what its agent says, its "
        "receipts.",
    ),
    "container wait": Entry(
        f"{_HERE}.container:wait",
        "Wait until a workload is settled: its replicas are ready, or it is stopped or completed; say each step.",
    ),
    "container why": Entry(
        f"{_HERE}.container:why",
        "Tell why a replica waits, or where it would be placed now: filters and scores of the nearest nodes.",
    ),
    "demo tamper": Entry(
        f"{_HERE}.demo_tamper:tamper",
        "Flip one byte of a receipt file and watch the check refuse it; ends with 21.",
    ),
    "doctor": Entry(
        f"{_HERE}.doctor:doctor",
        "Look for what could go wrong: clock, disk, ports, versions, limits, keys, nodes.",
    ),
    "doctor stall": Entry(
        f"{_HERE}.doctor_stall:stall",
        "Tell why a height needed more rounds, or stands still now: who was silent, slow, cut off, behind, lying.",
    ),
    "down": Entry(
        f"{_HERE}.down:down", "Stop every node of the local network, every agent and its containers; the data stays."
    ),
    "evidence list": Entry(
        f"{_HERE}.evidence:list_",
        "List proofs of guilt: those that wait for a block first, then those that blocks carried, the latest first.",
    ),
    "evidence show": Entry(
        f"{_HERE}.evidence:show",
        "Show a proof of guilt: who did what, where; and write it to a file that convicts without a server.",
    ),
    "evidence submit": Entry(
        f"{_HERE}.evidence:submit",
        "Hand a proof of guilt to a node: if it holds, a block carries it, and who is guilty leaves the set.",
    ),
    "evidence testimony": Entry(
        f"{_HERE}.evidence:testimony",
        "Write what a node kept of a height: its header and certificate, votes and justifications, for bpi forensics.",
    ),
    "evidence verify": Entry(
        f"{_HERE}.evidence:verify",
        "Check a proof of guilt here, with nothing but a genesis; no node is asked.",
    ),
    "forensics": Entry(
        f"{_HERE}.forensics:forensics",
        "Name who made two headers of one height final, from what nodes of both sides kept; no node is asked.",
    ),
    "genesis add-validator": Entry(
        f"{_HERE}.genesis_make:add_validator",
        "Add validators to a genesis, before the chain starts.",
    ),
    "genesis check": Entry(f"{_HERE}.genesis_check:check", "Check a genesis file: every rule, every proof."),
    "genesis new": Entry(
        f"{_HERE}.genesis_make:new",
        "Write a genesis that has accounts and a coin, and no validators yet.",
    ),
    "governance propose": Entry(
        f"{_HERE}.governance:propose",
        "Put an action to the vote, as a validator's operator; the proposal is its first approval.",
    ),
    "governance show": Entry(
        f"{_HERE}.governance:show",
        "Show a proposal and its votes; all of them, the latest first, where none is named.",
    ),
    "governance vote": Entry(f"{_HERE}.governance:vote", "Vote on a proposal, as a validator's operator."),
    "init": Entry(
        f"{_HERE}.init:init",
        "Make a development network in ./.bpi, or in the .bpi of a new folder, with keys that everybody can make.",
    ),
    "logs": Entry(
        f"{_HERE}.logs:logs",
        "Show the logs of the local nodes, all of them or those named, in the order of time.",
    ),
    "mesh call": Entry(
        f"{_HERE}.mesh_calls:call",
        "Call a service through the mesh, SERVICE or SERVICE:PORT: an HTTP GET of a path, and who answered it.",
    ),
    "mesh routes": Entry(
        f"{_HERE}.mesh_calls:routes",
        "Show what each container may call, at which address, who would answer, and what was carried.",
    ),
    "mesh services": Entry(
        f"{_HERE}.mesh:services",
        "List the services of a cluster: their ports, networks, and the replicas that are ready to answer.",
    ),
    "node admit": Entry(
        f"{_HERE}.node_cluster:admit",
        "Let a node into a cluster, before or after it joined; again to change its labels and taints.",
    ),
    "node agent init": Entry(
        f"{_HERE}.node_agent:init",
        "Make the folder of an agent: its settings, and the key by which its node is known.",
    ),
    "node agent run": Entry(
        f"{_HERE}.node_agent:run",
        "Run the agent of a folder (--data) in this process until it is told to stop; its containers run on.",
    ),
    "node agent status": Entry(
        f"{_HERE}.node_agent:status",
        "Show how the agent of a folder (--data) is: GREEN, YELLOW or RED, how it sees the chain, what it runs.",
    ),
    "node cordon": Entry(
        f"{_HERE}.node_cluster:cordon",
        "Let a node take nothing new; what runs there stays.",
    ),
    "node drain": Entry(
        f"{_HERE}.node_cluster:drain",
        "Move everything away from a node, by the update rule of each workload.",
    ),
    "node identity": Entry(
        f"{_HERE}.node_init:identity",
        "Print the public side of this node's keys: what others need to let it in.",
    ),
    "node init": Entry(
        f"{_HERE}.node_init:init",
        "Make the keys, settings and data directory of one node, in the folder of --data.",
    ),
    "node list": Entry(
        f"{_HERE}.node_cluster:list_",
        "List the nodes of a cluster: state, engines, what is free on them.",
    ),
    "node remove": Entry(
        f"{_HERE}.node_cluster:remove",
        "Remove a node from a cluster at once; what ran there is lost and placed again elsewhere.",
    ),
    "node repair": Entry(
        f"{_HERE}.node_repair:repair",
        "Set aside what is damaged of a node's blocks and state; it starts again and fetches it from its peers.",
    ),
    "node run": Entry(f"{_HERE}.node_run:run", "Run one node in this process until it is told to stop."),
    "node show": Entry(
        f"{_HERE}.node_cluster:show",
        "Show a node of a cluster: identity, inventory, labels, taints, and what it is to run.",
    ),
    "node uncordon": Entry(
        f"{_HERE}.node_cluster:uncordon",
        "Let a node take replicas again, after cordon or drain.",
    ),
    "node vouch": Entry(
        f"{_HERE}.node_vouch:vouch",
        "Let a restored validator vote again: say that its keys signed nothing above a height.",
    ),
    "receipt export": Entry(
        f"{_HERE}.receipt:export",
        "Write the file that proves a receipt without a server, or all those of a workload to a folder.",
    ),
    "receipt get": Entry(
        f"{_HERE}.receipt:get",
        "Show a receipt by its name (rcpt_…), its transaction's identity, or a workload's name (node-2.41.K7QF).",
    ),
    "receipt list": Entry(
        f"{_HERE}.receipt:list_",
        "List receipts, the earliest first; with --workload, --container or --by what nodes did.",
    ),
    "receipt verify": Entry(
        f"{_HERE}.receipt:verify",
        "Check a receipt file here, with nothing but a genesis; no node is asked.",
    ),
    "restore": Entry(
        f"{_HERE}.backup:restore",
        "Make a data directory out of a backup, in the empty folder of --data.",
    ),
    "status": Entry(
        f"{_HERE}.status:status",
        "Show whether the chain is well: one line, GREEN, YELLOW or RED, why, and what would mend it.",
    ),
    "testnet faucet": Entry(
        f"{_HERE}.testnet_faucet:faucet",
        "Give an account coins of the development network's faucet.",
    ),
    "testnet heal": Entry(
        f"{_HERE}.testnet:heal",
        "Mend everything: resume, start what does not run, clear pretended faults, wait until all are reached.",
    ),
    "testnet kill": Entry(f"{_HERE}.testnet:kill", "Kill nodes as a power cut would (SIGKILL)."),
    "testnet latency": Entry(
        f"{_HERE}.testnet_faults:latency",
        "Let nodes, all of them or those named, send everything so much later; 0 mends it.",
    ),
    "testnet load": Entry(
        f"{_HERE}.testnet_load:load",
        "Send transfers at a steady rate and tell how many became final, and how soon.",
    ),
    "testnet partition": Entry(
        f"{_HERE}.testnet_faults:partition",
        "Cut the network into groups that do not hear each other, until bpi testnet heal.",
    ),
    "testnet pause": Entry(
        f"{_HERE}.testnet:pause",
        "Stop the processes of nodes where they stand (SIGSTOP), as a frozen machine would.",
    ),
    "testnet restart": Entry(
        f"{_HERE}.testnet:restart",
        "Stop nodes in good order and start them again; start those that do not run.",
    ),
    "testnet resume": Entry(f"{_HERE}.testnet:resume", "Let paused nodes go on (SIGCONT)."),
    "transaction send": Entry(
        f"{_HERE}.transaction:send",
        "Sign and send the calls of a file, all of them or none; or submit what is signed already.",
    ),
    "transaction show": Entry(
        f"{_HERE}.transaction:show",
        "Show what a transaction asks for, who signed it, and how far it has come.",
    ),
    "transaction wait": Entry(
        f"{_HERE}.transaction:wait",
        "Wait until a transaction is final, and say what became of it.",
    ),
    "up": Entry(
        f"{_HERE}.up:up",
        "Start the local network, make it first where there is none, and return when it is READY.",
    ),
    "validator list": Entry(f"{_HERE}.validator:list_", "List the validators, and whether the node reaches them."),
    "validator show": Entry(f"{_HERE}.validator:show", "Show one validator: its keys, operator and addresses."),
    "verify": Entry(
        f"{_HERE}.verify:verify",
        "Check the whole chain in this process, from genesis to its head, believing no node.",
    ),
    "version": Entry(f"{_HERE}.version:version", "Print the versions of everything that must fit together."),
}
"""Every leaf command by its words; the summary is the first sentence of its help (a test compares them)."""
