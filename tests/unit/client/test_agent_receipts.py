"""What agents tell of receipts is read, page by page, and what others keep of a node that is away is found."""

import base64
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.unit.docklock.receipts.samples import (
    NODE_KEY,
    PAIRING,
    author,
    basis,
    chain_file,
    happening,
    pinned,
    refusal,
    written,
)

from metanode.api.errors import ApiError, ApiRefusal, error_form
from metanode.cli.bpi import node_receipts
from metanode.cli.bpi.node_receipts import Agents, in_order, wanted_by, write_folder
from metanode.cli.failure import CliRefusal, Failure
from metanode.client.agent_receipts import Page, Wanted, copied_batch, copies_kept, every_receipt
from metanode.client.failures import ClientError, Unreachable, failure
from metanode.docklock.receipts import (
    WorkloadReceiptRefusal,
    batch_copy,
    batch_of,
    continuity,
    entry_name,
    read_entries,
    verify_workload_receipt,
)
from metanode.host.agent.receipt_pages import Asked
from metanode.primitives.codec import encode
from metanode.records.address import address_of_key
from metanode.records.pinned_batch import PinnedBatch
from metanode.records.workload_receipt import SignedEntry

ACCOUNT = address_of_key(NODE_KEY.public_key).hex()


def row(count: int) -> list[SignedEntry]:
    return written(*(happening(time_ms=n + 1, workload="db" if n % 3 else "web", index=n % 2) for n in range(count)))


class Agent:
    """Answers by path, from a table; what is not in it is refused, and `away` nobody answers at all."""

    def __init__(self, pages: dict[str, Any], *, away: bool = False) -> None:
        self.pages, self.away = pages, away
        self.asked: list[str] = []

    def ask(self, _verb: str, path: str) -> bytes:
        self.asked.append(path)
        if self.away:
            raise Unreachable(error_form(ApiError(ApiRefusal.UNREACHABLE, path)))
        if path not in self.pages:
            raise failure(ApiRefusal.NOT_FOUND, path)
        found = self.pages[path]
        return found if isinstance(found, bytes) else msgspec.json.encode(found)


def page(entries: list[SignedEntry], following: int, **changes: Any) -> dict[str, Any]:
    items = [{"signed": base64.b64encode(encode(one)).decode(), "height": 0, "file": ""} for one in entries]
    usual = {"node": "node-2", "key": "", "count": 9, "kept_from": 0, "dropped_ms": 0, "pinned": 0}
    return {**usual, "next": following, "items": items, **changes}


def path(first: int, **more: Any) -> str:
    return f"/v1/receipts?{Wanted(**more).query(first, 128)}"


def test_pages_follow_one_another() -> None:
    entries = row(6)
    agent: Any = Agent({path(0): page(entries[:4], 4), path(4): page(entries[4:], -1)})
    told = [one.signed for each in every_receipt(agent, Wanted()) for one in each.shown()]
    assert told == entries


@pytest.mark.parametrize("wrong", [b"", b"[]", page([], 0), page([], -1, items=[{"signed": "!"}])])
def test_an_answer_that_is_none_is_refused(wrong: Any) -> None:
    agent: Any = Agent({path(0): wrong})
    with pytest.raises(ClientError) as caught:
        list(every_receipt(agent, Wanted()))
    assert caught.value.code == ApiRefusal.BAD_ANSWER


def test_an_entry_that_is_none_is_refused() -> None:
    made = msgspec.convert(page([], -1, items=[{"signed": "AAAA", "height": 0, "file": ""}]), Page)
    with pytest.raises(ClientError) as caught:
        made.shown()
    assert caught.value.code == ApiRefusal.BAD_ANSWER


@pytest.mark.parametrize("container", ["", "web.0", "db.1", "db.1.1", "shop.db.0.1", "db.1.7"])
def test_here_and_there_the_same_entries_are_meant(container: str) -> None:
    wanted = wanted_by("" if container else "web", container, files=False)
    asked = Asked(0, 9, wanted.workload, wanted.index, wanted.attempt, files=False)
    for signed in row(12):
        assert wanted.wants(signed) == asked.wants(signed.entry)


# --- copies -----------------------------------------------------------------------------------------------------------


def kept(entries: list[SignedEntry], *firsts: int) -> dict[str, Any]:
    """The pages of an agent that keeps these entries, by batches that begin so."""
    pages: dict[str, Any] = {
        "/v1/receipts/copies": [{"node": "node-2", "account": ACCOUNT, "first": firsts}],
        path(0, workload="web", files=True): page([], -1, node="node-1"),
    }
    for first, stop in zip(firsts, (*firsts[1:], len(entries)), strict=True):
        some = entries[first:stop]
        batch = batch_of(some)
        proof = PinnedBatch(height=1, batch=batch, chain=chain_file(pinned(batch)))
        pages[f"/v1/receipts/copies/node-2/{ACCOUNT}/{first}"] = batch_copy(proof, some)
    return pages


def test_a_copy_becomes_receipts_that_prove_themselves() -> None:
    entries = row(5)
    agent: Any = Agent(kept(entries, 0, 2))
    (of,) = copies_kept(agent)
    shown = [one for first in of.first for one in copied_batch(agent, of, first)]
    assert [verify_workload_receipt(one.file, basis(), PAIRING).signed for one in shown] == entries


def test_a_copy_that_is_another_is_refused() -> None:
    pages = kept(row(5), 0)
    pages[f"/v1/receipts/copies/node-2/{ACCOUNT}/0"] = b"something"
    agent: Any = Agent(pages)
    (of,) = copies_kept(agent)
    with pytest.raises(ClientError) as caught:
        copied_batch(agent, of, 0)
    assert caught.value.code == ApiRefusal.BAD_ANSWER


class Chain:
    """Two nodes, as the chain knows them; entries of node-2 that are pinned."""

    def __init__(self, pinned_of_2: int, names: tuple[str, ...] = ("node-1", "node-2")) -> None:
        self.cluster = self
        self.pinned, self.names = pinned_of_2, names

    def nodes(self, _cluster: str, _cursor: str, _limit: int) -> Any:
        return SimpleNamespace(items=[SimpleNamespace(node=name, api=name) for name in self.names], next="")

    def node(self, _cluster: str, node: str) -> Any:
        return SimpleNamespace(receipts=self.pinned if node == "node-2" else 0, api=node)


Asking = Callable[[Chain, dict[str, Agent]], Agents]


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Asking:
    def make(chain: Chain, agents: dict[str, Agent]) -> Agents:
        monkeypatch.setattr(node_receipts, "AgentClient", lambda endpoint, _cluster, _key: agents[endpoint])
        return Agents(chain, "shop", NODE_KEY)  # type: ignore[arg-type]

    return make


def test_a_node_that_is_away_is_told_of_by_who_keeps_its_receipts(asking: Asking, tmp_path: Path) -> None:
    entries = row(7)
    agents = asking(Chain(7), {"node-1": Agent(kept(entries, 0, 4)), "node-2": Agent({}, away=True)})
    told = agents.ask(Wanted("web", files=True))
    assert [(one.node, bool(one.away), one.lost, len(one.copied)) for one in told] == [
        ("node-1", False, 0, 0), ("node-2", True, 0, 7)
    ]  # fmt: skip
    assert [one.signed.entry.number for one in in_order(told)] == [0, 3, 6]
    assert write_folder(agents, told, tmp_path / "web", "file", lambda data: data) == {"receipts": 3, "entries": 7}
    (beside,) = (tmp_path / "web").glob("*.entries")
    receipts = sorted((tmp_path / "web").glob("*.receipt"))
    assert [one.name for one in receipts] == sorted(f"{entry_name(entries[n])}.receipt" for n in (0, 3, 6))
    proved = [verify_workload_receipt(one.read_bytes(), basis(), PAIRING).signed for one in receipts]
    (chain,) = continuity(proved, read_entries(beside.read_bytes()))
    assert (chain.whole, chain.first, chain.last) == (True, 0, 6)


def test_what_nobody_keeps_is_counted(asking: Asking) -> None:
    pages = kept(row(7), 0, 4)
    pages["/v1/receipts/copies"][0]["first"] = (0,)
    told = asking(Chain(7), {"node-1": Agent(pages), "node-2": Agent({}, away=True)}).ask(Wanted("web", files=True))
    assert [one.lost for one in told] == [0, 3]


def test_a_node_that_was_removed_is_told_of_too(asking: Asking) -> None:
    told = asking(Chain(0, ("node-1",)), {"node-1": Agent(kept(row(7), 0))}).ask(Wanted("web", files=True))
    assert [(one.node, one.lost, len(one.shown)) for one in told] == [("node-1", 0, 0), ("node-2", 0, 3)]


def test_one_node_alone_that_is_away_and_kept_by_nobody_is_refused(asking: Asking) -> None:
    agents = asking(Chain(7), {"node-1": Agent({}), "node-2": Agent({}, away=True)})
    with pytest.raises(Failure) as caught:
        agents.ask(Wanted(), "node-2")
    assert (caught.value.form.code, caught.value.form.exit) == (CliRefusal.RECEIPT_NOT_HERE, 30)
    with pytest.raises(Failure) as caught:
        agents.ask(Wanted(), "node-9")
    assert caught.value.form.exit == 3


def test_an_agent_that_names_files_for_others_is_not_followed(asking: Asking) -> None:
    """Entries of another node or cluster are not taken for this one's."""
    strange = written(happening(), by=author(node="node-7"))
    pages = {path(0): page(strange, -1, node="node-1"), "/v1/receipts/copies": []}
    told = asking(Chain(0, ("node-1",)), {"node-1": Agent(pages)}).ask(Wanted())
    assert told[0].shown == []


def test_one_entry_is_had_by_its_name_or_it_is_said_why_not(asking: Asking) -> None:
    entries = row(6)
    names = [str(entry_name(one)) for one in entries]

    def agents(found: dict[str, Any]) -> Agents:
        pages = {f"/v1/receipts?{Wanted(files=True).query(n, 1)}": found for n in range(9)}
        return asking(Chain(6), {"node-1": Agent(kept(entries, 0)), "node-2": Agent(pages)})

    assert agents(page(entries[4:5], 5)).one(names[4]).signed == entries[4]
    with pytest.raises(Failure) as caught:
        agents(page(entries[5:6], -1, kept_from=5, dropped_ms=1_000)).one(names[4])
    assert caught.value.form.code == CliRefusal.RECEIPT_NOT_HERE
    assert "was dropped at 1970-01-01 00:00:01" in caught.value.form.message
    with pytest.raises(Failure) as caught:
        agents(page([], -1)).one("node-2.8.0000")
    assert caught.value.form.code == CliRefusal.NOTHING_THERE
    alone = asking(Chain(6), {"node-1": Agent(kept(entries, 0)), "node-2": Agent({}, away=True)})
    assert refusal(alone.one, "node-2.4.0000") == WorkloadReceiptRefusal.NAME
    assert alone.one(names[4]).signed == entries[4], "out of another agent's copy"
