"""Any schedule, any crash, any lie of at most f seats: one header a height, nothing said twice, and progress after."""

from dataclasses import dataclass, field
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.chain.ibft.cluster import Cluster
from tests.unit.chain.ibft.counterfeit import content, vote

from metanode.chain import ibft
from metanode.chain.ibft.schedule import first_leader, leader, round_timeout_ms
from metanode.primitives.names import NO_HASH, Seat
from metanode.records.commit import commit_seats
from metanode.records.header import read_header
from metanode.records.proposal import ProposalContent
from metanode.records.validators import ValidatorSet
from metanode.records.vote import NO_ROUND, Justification, Vote, VoteKind, justification_digest

ROUND_MAX = 3


@dataclass
class Liar:
    """Says whatever helps: any value seen or made up, to anybody, in any round, carrying what it collected."""

    cluster: Cluster
    seat: int
    blocks: list[ProposalContent] = field(default_factory=list)

    def block(self, choice: int) -> ProposalContent:
        members = self.cluster.members
        known = [m.content for _, _, m in self.cluster.sent if isinstance(m, ibft.Proposal)]
        own = [content(members, leads, f"lie {i}") for i in range(2) for leads in range(len(members))]
        pool = [*own, *known[-4:]]
        return pool[choice % len(pool)]

    def act(self, action: int, choice: int, round_: int, receivers: list[int]) -> None:
        members, block = self.cluster.members, self.block(choice)
        hash_ = read_header(block.header).hash
        message: ibft.Message
        match action % 4:
            case 0 | 1:
                kind = (VoteKind.PREPARE, VoteKind.COMMIT)[action % 4]
                message = ibft.Ballot(vote=vote(members, kind, self.seat, hash_, round_=round_))
            case 2:
                word = vote(members, VoteKind.ROUND_CHANGE, self.seat, NO_HASH, round_=round_ + 1)
                message = ibft.RoundChange(vote=word, certificates=())
            case _:
                message = self._proposal(block, round_)
        self.cluster.puppet(self.seat, message, receivers)

    def _proposal(self, block: ProposalContent, round_: int) -> ibft.Proposal:
        """Justified by whatever ROUND-CHANGEs it overheard, leaving out what was prepared where it can."""
        members = self.cluster.members
        overheard: dict[int, ibft.RoundChange] = {}
        for _, _, message in self.cluster.sent:
            if isinstance(message, ibft.RoundChange) and message.vote.round == round_:
                known = overheard.get(message.vote.seat)
                if known is None or message.vote.prepared_round == NO_ROUND:
                    overheard[message.vote.seat] = message
        if round_ and self.seat not in overheard:
            word = vote(members, VoteKind.ROUND_CHANGE, self.seat, NO_HASH, round_=round_)
            overheard[self.seat] = ibft.RoundChange(vote=word, certificates=())
        chosen = sorted(overheard.values(), key=lambda m: -m.vote.prepared_round % (NO_ROUND + 1))[: members.quorum]
        highest = [m for m in chosen if m.vote.prepared_round != NO_ROUND][-1:]
        why = Justification(
            round_changes=tuple(m.vote for m in chosen), certificates=highest[0].certificates if highest else ()
        )
        hash_ = read_header(block.header).hash
        word = vote(members, VoteKind.PROPOSAL, self.seat, hash_, round_=round_, attachment=justification_digest(why))
        return ibft.Proposal(vote=word, content=block, justification=why)


def check(cluster: Cluster) -> None:
    """What must hold at every moment; the cluster itself checks that nobody signs twice or decides twice."""
    hashes = {p.decided[1].header_hash for p in cluster.players.values() if 1 in p.decided}
    assert len(hashes) <= 1, "a fork"
    for player in cluster.players.values():
        if 1 in player.decided:
            assert len(commit_seats(player.decided[1].commit, cluster.members)) >= cluster.members.quorum
        words = [v for key, v in cluster.signed_ever.items() if key[0] == player.seat]
        check_words(player, words)


def check_words(player: object, words: list[Vote]) -> None:
    """commit ⇒ prepared here before; every ROUND-CHANGE shows at least what was committed."""
    commits = {v.round: v.header_hash for v in words if v.kind == VoteKind.COMMIT}
    for word in words:
        if word.kind == VoteKind.ROUND_CHANGE:
            below = [r for r in commits if r < word.round]
            assert not below or (word.prepared_round != NO_ROUND and word.prepared_round >= max(below))
    accepted = {v.round: v.header_hash for v in words if v.kind == VoteKind.PREPARE}
    assert all(accepted.get(r, h) == h for r, h in commits.items()), "committed to what was not prepared"
    assert player is not None


def storm(seed: int, steps: int) -> list[tuple[int, int, int]]:
    """Long storms out of one number: lists drawn one by one stay too short to get anywhere."""
    chance = Random(seed)
    weights = [chance.choice((1, 4, 16)) for _ in range(20)]
    kinds = chance.choices(range(20), weights, k=steps)
    return [(kind, chance.randrange(1 << 16), chance.randrange(1 << 16)) for kind in kinds]


seeds = st.integers(0, 1 << 32)


def play(cluster: Cluster, liars: list[Liar], moves: list[tuple[int, int, int]]) -> None:
    """Deliver out of order, lose, expire, kill and restart, lie."""
    seats = sorted(cluster.players)
    for action, a, b in moves:
        if action < 10 and cluster.wire:
            cluster.deliver(a % len(cluster.wire))
        elif action == 10 and cluster.wire:
            cluster.wire.rotate(-(a % len(cluster.wire)))
            cluster.wire.popleft()
        elif action == 11:
            cluster.fire(seats[a % len(seats)])
        elif action == 12:
            cluster.fire(seats[a % len(seats)], "resend")
        elif action == 13:
            cluster[seats[a % len(seats)]].budget = b % 6
        elif action == 14:
            dead = [p.seat for p in cluster.players.values() if not p.alive]
            if dead:
                cluster.restart(dead[a % len(dead)])
        elif liars:
            receivers = [s for i, s in enumerate(seats) if b >> i & 1]
            liars[a % len(liars)].act(b >> 8, a >> 2, a % (ROUND_MAX + 1), receivers)
        check(cluster)


def heal(cluster: Cluster) -> None:
    """After the storm: everybody is back, every link works, and the liars say nothing more."""
    for player in list(cluster.players.values()):
        player.budget = -1
        if not player.alive:
            cluster.restart(player.seat)
    cluster.due()
    cluster.run(cluster.now_ms + 400_000)
    assert cluster.all_decided()
    check(cluster)


@settings(max_examples=100)
@given(seed=seeds, seats=st.sampled_from([1, 2, 4, 5, 6, 7]))
def test_crashes_and_lost_messages(seed: int, seats: int) -> None:
    cluster = Cluster(seats).start()
    play(cluster, [], storm(seed, 200))
    heal(cluster)


@settings(max_examples=150)
@given(seed=seeds, seats=st.sampled_from([4, 7]), first=st.integers(0, 6))
def test_liars_up_to_f(seed: int, seats: int, first: int) -> None:
    """The liars sit next to each other, so that they lead in turn."""
    f = (seats - 1) // 3
    puppets = tuple((first + i) % seats for i in range(f))
    cluster = Cluster(seats, puppets=puppets).start()
    play(cluster, [Liar(cluster, seat) for seat in puppets], storm(seed, 200))
    heal(cluster)
    assert all(
        e.proposal.seat in puppets for p in cluster.players.values() for e in p.evidence() if hasattr(e, "proposal")
    )
    accused = {
        getattr(e, "first", getattr(e, "commit", getattr(e, "proposal", None)))
        for p in cluster.players.values()
        for e in p.evidence()
    }
    assert {v.seat for v in accused if isinstance(v, Vote)} <= set(puppets), "an honest seat was accused"


@given(st.integers(1, 200), st.integers(0, 1 << 31))
def test_over_n_rounds_every_seat_leads_once(seats: int, round_: int) -> None:
    assert sorted(leader(Seat(3 % seats), seats, round_ + i) for i in range(seats)) == list(range(seats))


@given(
    st.lists(st.integers(0, 30), min_size=1, unique=True),
    st.lists(st.integers(0, 30), min_size=1, unique=True),
    st.data(),
)
def test_the_first_leader_is_the_next_who_is_still_there(
    before: list[int], after: list[int], data: st.DataObject
) -> None:
    from tests.unit.chain.ibft.counterfeit import validator

    old = ValidatorSet(tuple(validator(f"{i}") for i in before))
    new = ValidatorSet(tuple(validator(f"{i}") for i in after))
    proposer = data.draw(st.integers(0, len(before) - 1))
    first = first_leader(old, Seat(proposer), new)
    if before[proposer] in after:
        assert first == (after.index(before[proposer]) + 1) % len(after)
    else:
        following = [b for b in before[proposer + 1 :] + before[:proposer] if b in after]
        assert first == (after.index(following[0]) if following else 0)


@given(st.integers(50, 60_000), st.integers(1_000, 600_000), st.integers(0, 0xFFFF_FFFE))
def test_timeouts_never_shrink_nor_pass_the_cap(base: int, cap: int, round_: int) -> None:
    timeout = round_timeout_ms(base, cap, round_)
    assert min(base, cap) <= timeout <= cap
    assert timeout <= round_timeout_ms(base, cap, round_ + 1)
