"""The words for people: names of accounts, decimals of coins."""

from metanode.api.sentences import Glossary
from metanode.ledger.queries import coin_details
from metanode.node.desk import Desk
from metanode.node.requests.finding import account_names


def glossary(desk: Desk) -> Glossary:
    """What makes sentences readable, made once an answer: every coin is looked up once."""
    known: dict[str, int | None] = {}

    def decimals(coin: str) -> int | None:
        if coin not in known:
            details = coin_details(desk.ledger, coin)
            known[coin] = details.decimals if details is not None else None
        return known[coin]

    return Glossary(account_names(desk), decimals, desk.genesis.fee_coin)
