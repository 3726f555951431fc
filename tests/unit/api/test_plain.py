"""Records as plain objects, also those a stranger malformed."""

from metanode.api.plain import plain
from metanode.records.address import show_address
from metanode.records.calls import AccountsSetPolicy, CoinDefine, CoinTransfer, GovernancePropose, SetParameter
from metanode.records.receipt import ProposalClosed, ValidatorJailed
from metanode.records.transaction import Authorization

ADDRESS = bytes(range(20))


def test_addresses_amounts_and_bytes() -> None:
    assert plain(CoinTransfer(coin="BPI", to=ADDRESS, amount=b"\x01\x00")) == {
        "type": "coin.transfer",
        "coin": "BPI",
        "to": show_address(ADDRESS),
        "amount": "256",
    }
    assert plain(AccountsSetPolicy(keys=(b"\xaa", b"\xbb"), threshold=2)) == {
        "type": "accounts.set-policy",
        "keys": ["aa", "bb"],
        "threshold": 2,
    }
    assert plain(CoinDefine(coin="X", decimals=0, supply_max=b"", minters=(ADDRESS,))) == {
        "type": "coin.define",
        "coin": "X",
        "decimals": 0,
        "supply_max": "0",
        "minters": [show_address(ADDRESS)],
    }


def test_records_in_records() -> None:
    assert plain(GovernancePropose(action=SetParameter(name="fee_min", value=3))) == {
        "type": "governance.propose",
        "action": {"type": "set-parameter", "name": "fee_min", "value": 3},
    }


def test_events() -> None:
    assert plain(ProposalClosed(proposal=4, outcome="applied")) == {
        "type": "governance.closed",
        "proposal": 4,
        "outcome": "applied",
    }
    assert plain(ValidatorJailed(name="v", evidence=b"\x01", removed=False)) == {
        "type": "governance.validator-jailed",
        "name": "v",
        "evidence": "01",
        "removed": False,
    }


def test_what_is_no_address_and_no_amount_is_shown_as_bytes() -> None:
    assert plain(CoinTransfer(coin="BPI", to=b"\x01\x02", amount=b"\xff" * 17)) == {
        "type": "coin.transfer",
        "coin": "BPI",
        "to": "0102",
        "amount": "ff" * 17,
    }


def test_a_record_without_a_tag_has_no_type() -> None:
    authorization = Authorization(kind=1, key=b"\xaa", signature=b"\xbb")
    assert plain(authorization) == {"kind": 1, "key": "aa", "signature": "bb"}
