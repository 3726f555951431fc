"""What the codes about secrets and volumes mean for a caller: part of the table of `ledger_codes`."""

from typing import Final

from metanode.api.exits import ExitStatus
from metanode.api.explanation import Explanation

_E: Final = ExitStatus


def _denied(rule: str, fix: str) -> Explanation:
    return Explanation(_E.DENIED_BY_POLICY, 422, -32002, rule, fix)


SECRET_CODES: Final[dict[str, Explanation]] = {
    "secret.malformed": _denied("SECRET-2", "seal it again: bpi secret set"),
    "secret.too-large": Explanation(
        _E.CONFIGURATION, 413, -32010, "SECRET-1", "a secret has at most 65536 bytes: put the rest into a volume"
    ),
    "secret.wrong-node": _denied("SECRET-3", "seal it to the node itself: bpi secret set"),
    "secret.other-secret": _denied("SECRET-3", "an old or a foreign envelope: bpi secret set makes a new one"),
    "secret.not-authentic": _denied("SECRET-3", "it was changed on its way: seal it again with bpi secret set"),
    "secret.other-content": _denied("SECRET-3", "apply the workload again, so that it names the present content"),
    "secret.unbound": _denied("SECRET-5", "apply the workload again with bpi container apply"),
    "secret.missing": Explanation(
        _E.DATA_UNAVAILABLE, 404, -32001, "SECRET-8", "bpi secret list shows who has it; bpi secret set seals it again"
    ),
    "secret.not-placed": _denied("SECRET-8", "the node gets it when the committee places the workload there"),
    "secret.full": Explanation(_E.INSUFFICIENT, 422, -32010, "SECRET-4", "bpi secret rm what nobody needs any more"),
    "volume.missing": Explanation(_E.NOT_FOUND, 404, -32001, "VOLUME-4", "bpi volume list shows what is where"),
    "volume.in-use": Explanation(
        _E.CONFLICT, 409, -32003, "VOLUME-4", "stop or remove the workload that has it first", retryable=True
    ),
    "volume.too-many": Explanation(
        _E.INSUFFICIENT, 422, -32010, "VOLUME-1", "bpi volume rm what nobody needs any more"
    ),
}
