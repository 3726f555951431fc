"""A town whose last validator falls ill: it is stopped, its disk is hurt, and everybody looks at what becomes of it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.journeys.shell import Shell
from tests.journeys.town import House, Town, town, until
from tests.journeys.traffic import Traffic, check_agreement, check_nothing_lost, check_receipts
from tests.journeys.words import Listener, check_nobody_signed_twice

from metanode.cli.bpi.local_network import MARK

PATIENT: Final = 3


@dataclass
class Ward:
    """Four validators; three go on and carry the traffic while the last one is treated."""

    nodes: Town
    traffic: Traffic
    listener: Listener
    shell: Shell
    kept: Path

    @property
    def patient(self) -> House:
        return self.nodes[PATIENT]

    @property
    def folder(self) -> Path:
        """Its data directory."""
        return self.patient.folder

    def stop(self, *, kill: bool = False) -> None:
        """In good order, or as by a power cut that spared what was written."""
        if kill:
            self.patient.kill()
        elif self.patient.is_running:
            assert self.patient.stop() == 0

    def keep(self, *names: str) -> None:
        """Copy these files or folders of the stopped patient, to put them back."""
        for name in names:
            source, target = self.folder / name, self.kept / name
            shutil.rmtree(target, ignore_errors=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)

    def put_back(self, *names: str) -> None:
        """As they were kept."""
        for name in names:
            target, source = self.folder / name, self.kept / name
            if target.is_dir():
                shutil.rmtree(target)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)

    def refuses(self, status: int, code: str) -> Any:
        """`bpi node run` ends with this status and code, and without having been ready; the error."""
        said = self.shell.run(f"node run --data {self.folder} --json")
        assert (said.status, said.error["code"], said.error["exit"], said.out) == (status, code, status, ""), said
        assert said.error["message"], said
        assert said.error["fix"], said
        return said.error

    def up_refuses(self, status: int, code: str) -> None:
        """So does `bpi up`, naming the node; the others run on."""
        error = self.shell.refuses(f"up --data {self.nodes.network.root}", status, code)
        assert error["message"].startswith(f"{self.patient.name}: ")
        assert len(self.nodes.running) == 3

    def start(self) -> list[dict[str, Any]]:
        """Start the patient; what it has logged since, once it is ready."""
        before = len(self.patient.log())
        self.patient.start()
        return self.patient.log()[before:]

    def await_health(self) -> None:
        """It follows, votes, and has everything that was reported final until now."""
        self.patient.await_light("green", 30)
        self.await_everything()

    def await_checkpoint(self) -> None:
        """DISK-7. What it has now is durable in the block log, a later block says so, and no journal holds it."""
        until(lambda: self.patient.metric("metanode_checkpoint_seconds_count"), 30, "a checkpoint")
        self.nodes.await_growth(1, 20, self.patient)

    def await_everything(self) -> None:
        """It has what was reported final until now, whether it votes or not: the first and last heights, and some
        between; all of them are looked at in the end."""
        words = dict(self.traffic.ledger.words)
        heights = sorted({word.height for word in words.values()})
        until(lambda: self.patient.height() >= heights[-1], 30, f"block {heights[-1]}")
        looked_at = {*heights[:3], *heights[-3:], *heights[:: 1 + len(heights) // 6]}
        check_receipts({name: word for name, word in words.items() if word.height in looked_at}, self.patient)

    def check_its_vote_is_needed_and_given(self) -> None:
        """With another one away three are left, and three must sign."""
        self.nodes.kill(0)
        try:
            self.traffic.await_count(5, 40)
        finally:
            self.nodes.start(0)


@contextmanager
def ward(folder: Path) -> Iterator[Ward]:
    """The town with traffic on it. At the end all have the same chain, nothing acknowledged is lost, and nobody signed
    twice: by what the guards held meanwhile, by the chain, and by the logs."""
    with town(folder) as nodes, Listener(nodes) as listener:
        (nodes.network.root / MARK).write_text("# made by a journey\n")
        (folder / "kept").mkdir()
        traffic = Traffic(nodes, senders=20, seed=707, pause_s=0.05, ask=nodes.houses[1:3]).fund()
        shell = Shell(folder)
        with traffic:
            traffic.await_count(5, 30)
            yield Ward(nodes, traffic, listener, shell, folder / "kept")
        traffic.drain(nodes[1])
        assert traffic.refusals == {}
        last = max(house.height() for house in nodes.houses)
        nodes.await_height(last, 20)
        for house in nodes.houses:
            check_nothing_lost(traffic.ledger, house)
        check_agreement(nodes.houses, last)
        check_nobody_signed_twice(nodes, listener, nodes[1])


def flip(path: Path, place: int) -> None:
    """One bit of one byte; negative places count from the end."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def newest(folder: Path, pattern: str) -> Path:
    """The last file of these names, in their order."""
    return max(folder.glob(pattern))
