"""What a node says of balances, checked here: each against the state root of a header that was followed."""

from typing import Any

from metanode.api.accounts import AccountView
from metanode.chain.light import LightRefusal
from metanode.cli.bpi.offline import invalid
from metanode.cli.bpi.trust import TrustedGenesis
from metanode.client import Client, state_keys
from metanode.client.verify import GenesisBasis, LightClient
from metanode.primitives.refusal import Rejected


def prove_balances(
    client: Client, trusted: TrustedGenesis, address: bytes, view: AccountView, coin: str
) -> dict[str, Any]:
    """LIGHT-12. Every balance of the view, and that of `coin`, which may be none, at the height of the view.

    Raises `Failure` with 21 where the state says something else.
    """
    light = LightClient(client, GenesisBasis(trusted.genesis))
    told = {coin: 0, **{balance.coin: int(balance.amount) for balance in view.balances}}
    for one, amount in told.items():
        try:
            proven = light.prove(*state_keys.balance(address, one), view.height)
        except Rejected as rejected:
            raise invalid("", rejected, "ask another node") from None
        if (held := state_keys.amount(proven.value)) != amount:
            detail = f"the node says {amount} {one}, the state {held}"
            raise invalid("", Rejected(LightRefusal.STATE, detail), "ask another node")
    return {"coins": sorted(told), "height": light.trusted.height, "header": light.trusted.hash.hex()}
