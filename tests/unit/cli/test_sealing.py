"""SECRET-1, SECRET-7. The operator's side: which version it becomes, who gets it, what is said where nobody does."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.docklock.secrets.keyring import CHAIN, CLEAR, keys
from tests.unit.host.agent.vault import member

from metanode.api.errors import ApiError, ApiRefusal, error_form
from metanode.cli.bpi import sealing, secret_binding
from metanode.cli.bpi.keys import Signer
from metanode.cli.bpi.sealing import KEEPERS_MAX, Sealer
from metanode.cli.bpi.secret_binding import read_secret
from metanode.cli.failure import CliRefusal, Failure
from metanode.client.agent_keeping import Kept
from metanode.client.failures import Unreachable
from metanode.docklock.compose import SecretSource
from metanode.docklock.secrets import label_of, open_sealed
from metanode.host.agent.secrets import opening_keys
from metanode.primitives import ed25519
from metanode.primitives.refusal import Rejected
from metanode.records.secret import SEALED_SECRETS, SECRET_BYTES_MAX, SecretRefusal

ACME = Signer("acme", bytes(20), ed25519.SigningKey(bytes(32)), is_development=True)
GLOBEX = Signer("globex", bytes(20), ed25519.SigningKey(b"\1" * 32), is_development=True)


class Cluster:
    """Nodes that keep what they are sent; `silent` ones do not answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, count: int = 3) -> None:
        self.seeds = {f"node-{number:02}": bytes([number]) * 32 for number in range(1, count + 1)}
        self.boxes: dict[str, list[Any]] = {node: [] for node in self.seeds}
        self.silent: set[str] = set()
        monkeypatch.setattr(sealing, "put_secret", self.put)
        monkeypatch.setattr(Sealer, "agent", lambda _sealer, node: node)

    def put(self, node: Any, secret: str, data: bytes) -> None:
        if node in self.silent:
            raise Unreachable(error_form(ApiError(ApiRefusal.UNREACHABLE, "away")))
        self.boxes[node].append(SEALED_SECRETS.decode(data))
        assert self.boxes[node][-1].label.secret == secret

    def sealer(self, who: Signer = ACME) -> Sealer:
        """An operator who sees what is kept now."""
        sealer = Sealer(cast("Any", None), cast("Any", SimpleNamespace(chain_id=CHAIN)), "main", who)
        sealer.__dict__["members"] = {node: member(seed) for node, seed in self.seeds.items()}
        sealer.__dict__["kept"] = {
            node: [Kept(one.label.secret, one.label.version, one.label.commitment.hex()) for one in box]
            for node, box in self.boxes.items()
            if node not in self.silent
        }
        return sealer


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(monkeypatch)


def test_each_node_gets_an_envelope_that_it_alone_opens(cluster):
    meant = cluster.sealer().put("token", CLEAR, cluster.seeds)
    assert (meant.version, meant.fresh, meant.nodes) == (1, True, ("node-01", "node-02", "node-03"))
    for node, (sealed,) in cluster.boxes.items():
        own = opening_keys(cluster.seeds[node])
        label = label_of(CHAIN, "main", node, own.public, "token", 1, meant.commitment)
        assert open_sealed(sealed, label, own).clear == CLEAR
        with pytest.raises(Rejected):
            open_sealed(sealed, label, keys("another"))


def test_the_same_content_stays_what_it_is_and_goes_to_who_lacks_it(cluster):
    first = cluster.sealer().put("token", CLEAR, ("node-01",))
    again = cluster.sealer().put("token", CLEAR, cluster.seeds)
    assert (again.version, again.fresh, again.commitment) == (1, False, first.commitment)
    assert {node: len(box) for node, box in cluster.boxes.items()} == {"node-01": 1, "node-02": 1, "node-03": 1}


def test_another_content_or_another_operator_makes_the_next_version(cluster):
    assert cluster.sealer().put("token", CLEAR, cluster.seeds).version == 1
    assert cluster.sealer().put("token", CLEAR + b"\n", cluster.seeds).version == 2
    assert cluster.sealer(GLOBEX).put("token", CLEAR + b"\n", cluster.seeds).version == 3
    assert cluster.sealer().put("other", CLEAR, cluster.seeds).version == 1
    newest = cluster.sealer().named("token")
    assert (newest.version, newest.nodes) == (3, ("node-01", "node-02", "node-03"))


def test_who_does_not_answer_is_left_out_and_nobody_at_all_is_a_failure(cluster):
    cluster.silent = {"node-02"}
    assert cluster.sealer().put("token", CLEAR, cluster.seeds).nodes == ("node-01", "node-03")
    for silent, nodes in ((set(cluster.seeds), cluster.seeds), (set(), ()), (set(), ("node-99",))):
        cluster.silent = silent
        with pytest.raises(Failure) as failed:
            cluster.sealer().put("fresh", CLEAR, nodes)
        assert failed.value.form.code == CliRefusal.NOT_READY
        assert CLEAR.decode() not in str(failed.value.form)


def test_one_command_seals_to_so_many_nodes(monkeypatch):
    cluster = Cluster(monkeypatch, KEEPERS_MAX + 3)
    assert len(cluster.sealer().put("token", CLEAR, cluster.seeds).nodes) == KEEPERS_MAX


def test_what_must_be_there_and_is_not_is_said(cluster):
    with pytest.raises(Failure) as failed:
        cluster.sealer().named("token")
    assert (failed.value.form.code, failed.value.form.exit) == (CliRefusal.NOTHING_THERE, 3)
    assert failed.value.form.fix == "bpi secret set token"


def test_files_are_read_as_they_stand_and_bounded(tmp_path):
    (tmp_path / "token").write_bytes(b"a\r\n\0")
    assert read_secret(tmp_path / "token") == b"a\r\n\0"
    with pytest.raises(Failure) as failed:
        read_secret(tmp_path / "none")
    assert failed.value.form.code == CliRefusal.FILE_NOT_FOUND
    (tmp_path / "large").write_bytes(bytes(SECRET_BYTES_MAX + 1))
    with pytest.raises(Rejected) as refused:
        read_secret(tmp_path / "large")
    assert refused.value.reason is SecretRefusal.TOO_LARGE


def test_variables_are_read_where_the_command_runs(monkeypatch):
    source = SecretSource("token", "environment", "TOKEN")
    monkeypatch.setenv("TOKEN", "of the environment")
    assert secret_binding._clear(source, Path()) == b"of the environment"
    monkeypatch.delenv("TOKEN")
    with pytest.raises(Failure) as failed:
        secret_binding._clear(source, Path())
    assert failed.value.form.code == CliRefusal.NOTHING_THERE
