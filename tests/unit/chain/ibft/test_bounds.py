"""Everything a stranger can fill is bounded; what is behind is answered, not too often; nothing is checked twice."""

import msgspec
from tests.unit.chain.ibft.cluster import Cluster, of, only, state_of
from tests.unit.chain.ibft.counterfeit import CHAIN, certificate, check_signatures, content, validators, vote
from tests.unit.chain.ibft.test_attacks import hear
from tests.unit.chain.ibft.test_round_change import change, hash_of, proposal

from metanode.chain import ibft
from metanode.chain.guard.startup import ASK_INTERVAL_MS
from metanode.chain.ibft import IbftRefusal, answers, intake
from metanode.chain.ibft.moves import RELAY_SEATS_MAX, RESEND_MS_MAX, RESEND_MS_MIN
from metanode.chain.ibft.state import ROUNDS_AHEAD_MAX, ROUNDS_BEHIND_MAX
from metanode.primitives.names import NO_HASH, Height, Round, Seat
from metanode.primitives.refusal import Refusal
from metanode.records.evidence import ConflictingVotes
from metanode.records.header import read_header
from metanode.records.vote import VoteKind


def lone(seats: int = 4, seat: int = 3) -> tuple[Cluster, ibft.Ibft]:
    """A machine whose questions nobody answers."""
    cluster, machine = Cluster(seats), ibft.Ibft(CHAIN)
    assert machine.handle(cluster.begins(1, seat)) == []
    return cluster, machine


def received(message: ibft.Message, origin: int = 0, now_ms: int = 0) -> ibft.Received:
    return ibft.Received(now_ms, message, Seat(origin))


def prepare(cluster: Cluster, seat: int, word: str, *, height: int = 1) -> ibft.Ballot:
    hash_ = read_header(content(cluster.members, 0, word).header).hash
    return ibft.Ballot(vote=vote(cluster.members, VoteKind.PREPARE, seat, hash_, height=height))


def blamed(effects: list[ibft.Effect]) -> list[tuple[int, Refusal]]:
    """Who is blamed for what; nothing else is asked for."""
    found = of(effects, ibft.Blame)
    assert found == effects
    return [(effect.seat, effect.refusal) for effect in found]


def test_before_the_first_height_nothing_is_heard() -> None:
    cluster = Cluster(4)
    assert ibft.Ibft(CHAIN).handle(received(prepare(cluster, 0, "x"))) == []


def test_what_arrives_during_a_check_goes_into_the_next_batch() -> None:
    cluster, machine = lone()
    first = only(machine.handle(received(prepare(cluster, 0, "x"))), ibft.CheckSignatures)
    assert machine.handle(received(prepare(cluster, 1, "x"))) == []
    assert machine.handle(received(prepare(cluster, 2, "x"))) == []
    assert len(first.items) == 1
    second = only(machine.handle(ibft.SignaturesChecked(0, first.token, (True,))), ibft.CheckSignatures)
    assert len(second.items) == 2


def test_a_signature_is_checked_once() -> None:
    """The ROUND-CHANGEs of a justification were checked when they came by themselves: only the proposal's is new."""
    cluster, machine = lone()
    changes = [change(cluster.members, seat, 1) for seat in (0, 1, 2)]
    for message in changes:
        (check,) = of(machine.handle(received(message)), ibft.CheckSignatures)
        machine.handle(ibft.SignaturesChecked(0, check.token, check_signatures(check.items)))
    block = content(cluster.members, 1)
    word = proposal(cluster.members, 1, block, [c.vote for c in changes])
    check = only(machine.handle(received(word, 1)), ibft.CheckSignatures)
    assert len(check.items) == 1
    machine.handle(ibft.SignaturesChecked(0, check.token, (True,)))
    assert machine.handle(received(word, 2)) == [], "and a repeated message not at all"


def test_an_answer_nobody_asked_for_changes_nothing() -> None:
    cluster, machine = lone()
    assert machine.handle(ibft.SignaturesChecked(0, 77, (True,))) == []
    assert machine.handle(ibft.SharesChecked(0, 77, b"", ())) == []
    check = only(machine.handle(received(prepare(cluster, 0, "x"))), ibft.CheckSignatures)
    machine.handle(cluster.begins(2, 3))
    assert machine.handle(ibft.SignaturesChecked(0, check.token, (True,))) == [], "of a height that is over"


def test_one_link_cannot_fill_the_queue() -> None:
    cluster, machine = lone()
    machine.handle(received(prepare(cluster, 0, "x")))
    flood = [prepare(cluster, 1, f"{i % 7}") for i in range(7)]
    refused: list[ibft.Effect] = []
    for i in range(intake.WAITING_MAX + 3):
        refused += machine.handle(received(flood[i % 7], origin=1))
    assert blamed(refused) == [(1, IbftRefusal.FLOODING)] * 3
    assert machine.handle(received(prepare(cluster, 2, "x"), origin=2)) == [], "others are not shut out"


def test_heavy_messages_are_bounded_by_bytes() -> None:
    ledger = intake.Ledger(10, 1000)
    assert [ledger.take(Seat(1), size) for size in (600, 600, 300, 200)] == [True, False, True, False]
    assert ledger.take(Seat(2), 1000)
    block = content(Cluster(4).members, 0)
    heavy = type(block)(**{**{f: getattr(block, f) for f in block.__struct_fields__}, "leaves": b"\x01" * 65_000})
    assert intake.weight(ibft.Content(height=1, content=heavy)) > 65_000
    assert intake.weight(proposal(Cluster(4).members, 1, heavy, [])) > 65_000


def test_words_of_the_next_height_wait_for_it() -> None:
    cluster = Cluster(4)
    cluster.start().pump()
    early = Cluster(4)
    early.begin(2)
    early.due()
    for sender, receiver, data in list(early.wire):
        if receiver == 3:
            cluster.wire.append((sender, receiver, data))
    cluster.pump()
    cluster.begin(2)
    assert [v.height for v in cluster[3].signed if v.kind == VoteKind.PREPARE] == [1, 2]


def test_the_buffer_of_coming_heights_is_bounded_by_link() -> None:
    cluster, machine = lone()
    effects: list[ibft.Effect] = []
    for i in range(intake.AHEAD_MAX + 2):
        effects += machine.handle(received(prepare(cluster, 1, f"{i}", height=2), origin=1))
    assert blamed(effects) == [(1, IbftRefusal.FLOODING)] * 2


def test_a_height_far_ahead_is_a_hint_once() -> None:
    cluster, machine = lone()
    far = prepare(cluster, 1, "x", height=50)
    assert machine.handle(received(far, origin=1)) == [ibft.Behind(Seat(1), Height(50))]
    assert machine.handle(received(far, origin=1)) == []
    assert machine.handle(received(far, origin=2)) == [ibft.Behind(Seat(2), Height(50))]
    assert machine.handle(received(far, origin=-1)) == [], "a stranger's word is no hint"


def test_buffered_votes_of_an_old_set_do_not_count_in_the_new_one() -> None:
    """n changes from 4 to 5 while messages wait: the signatures are over the set's hash, so they fail."""
    old, new = Cluster(4), Cluster(5)
    machine = ibft.Ibft(CHAIN)
    machine.handle(old.begins(1, 3))
    machine.handle(received(prepare(old, 1, "x", height=2), origin=1))
    check = only(machine.handle(new.begins(2, 3)), ibft.CheckSignatures)
    effects = machine.handle(ibft.SignaturesChecked(0, check.token, check_signatures(check.items)))
    assert blamed(effects) == [(ibft.NO_SEAT, IbftRefusal.BAD_SIGNATURE)], "seat 1 may be another's now"


def decided() -> Cluster:
    cluster = Cluster(4, puppets=(2,)).start()
    x = read_header(content(cluster.members, 0, "1/0").header).hash
    for kind in (VoteKind.PREPARE, VoteKind.COMMIT):
        cluster.puppet(2, ibft.Ballot(vote=vote(cluster.members, kind, 2, x)))
    cluster.pump()
    assert cluster.all_decided()
    cluster.sent.clear()
    return cluster


def answered(cluster: Cluster, message: ibft.Message) -> list[str]:
    """What seat 0 says to seat 2 then."""
    cluster.sent.clear()
    cluster.puppet(2, message, [0])
    cluster.pump()
    return [type(m).__name__ for s, r, m in cluster.sent if (s, r) == (0, 2)]


def test_a_late_round_change_is_answered_with_the_decision_but_not_too_often() -> None:
    cluster = decided()
    late = [change(cluster.members, 2, round_) for round_ in range(1, 30)]
    assert answered(cluster, late[0]) == ["Decided"]
    assert answered(cluster, late[0]) == [], "at once again"
    assert answered(cluster, late[1]) == ["Decided"], "a higher round is a new need"
    cluster.now_ms += answers.DECIDED_INTERVAL_MS
    assert answered(cluster, late[0]) == ["Decided"], "and so is one later"
    for message in late[2:]:
        answered(cluster, message)
    cluster.now_ms += 60_000
    assert answered(cluster, late[28]) == [], "16 are enough: now sync is quicker"
    cluster.begin(2)
    assert answered(cluster, late[28]) == []


def test_a_straggling_vote_is_not_answered_until_it_is_clearly_behind() -> None:
    cluster = decided()
    word = prepare(cluster, 2, "other")
    assert answered(cluster, word) == []
    cluster.now_ms += answers.STRAGGLER_MS
    assert answered(cluster, word) == ["Decided"]


def test_contents_are_sent_to_a_seat_only_so_often() -> None:
    cluster = decided()
    x = cluster.agreed()
    question = ibft.Wanted(height=1, header_hash=x)
    said = [answered(cluster, question) for _ in range(answers.CONTENTS_SENT_MAX + 2)]
    assert said == [["Content"]] * answers.CONTENTS_SENT_MAX + [[], []]
    assert answered(cluster, ibft.Wanted(height=1, header_hash=bytes([1]) * 32)) == []


def test_who_decided_tells_a_seat_that_comes_back() -> None:
    cluster = Cluster(4)
    cluster.links = lambda s, r, m: 3 not in (s, r)
    cluster.start().pump()
    for player in cluster.living()[:3]:
        cluster.tell(player, cluster.begins(2, player.seat))
    cluster.links = lambda s, r, m: True
    cluster.run(1500)
    assert cluster[3].decided[1].header_hash == cluster[0].decided[1].header_hash


def test_what_is_over_is_kept_for_forensics() -> None:
    cluster = Cluster(4).start().pump()
    cluster.begin(2)
    (kept,) = cluster[1].asked(ibft.Keep)
    assert kept.height == 1
    assert sorted((v.kind, v.seat) for v in kept.votes) == sorted(
        [(VoteKind.PROPOSAL, 0), *[(k, s) for k in (VoteKind.PREPARE, VoteKind.COMMIT) for s in range(4)]]
    )


def test_a_flood_of_round_changes_of_one_seat_keeps_one() -> None:
    cluster = Cluster(4, puppets=(2,))
    cluster.begin()
    for round_ in range(1, 200):
        cluster.puppet(2, change(cluster.members, 2, round_))
        cluster.pump()
    state = cluster[0].state
    assert len(state.latest) == 1
    assert sum(len(table) for key, table in state.votes.items() if key[0] == VoteKind.ROUND_CHANGE) <= 17
    assert sorted(state.changes) == list(range(1, 1 + ROUNDS_AHEAD_MAX))


def test_what_a_message_takes_of_its_links_share() -> None:
    """Its bytes, and where they are few what it costs to hold: 320 a vote, 66 a signature, 65 a leaf or accusation."""
    members = validators(7)
    block = content(members, 0)
    word = vote(members, VoteKind.PREPARE, 1, NO_HASH)
    proof = ConflictingVotes(validators_hash=members.hash, first=word, second=word)
    accusing = msgspec.structs.replace(block, evidence=(proof,) * 3)
    shown = certificate(members, [0, 1, 2, 3, 4], NO_HASH)
    changes = [change(members, seat, 1).vote for seat in range(5)]
    takes: list[tuple[ibft.Message, int]] = [
        (ibft.Ballot(vote=word), 320),
        (change(members, 1, 1, shown), 320),
        (ibft.Prepared(certificate=shown), 320 + 5 * 66),
        (ibft.Content(height=1, content=block), 320 + 65),
        (proposal(members, 0, block, [], round_=0), 2 * 320 + 65),
        (proposal(members, 1, accusing, changes, (shown,)), 7 * 320 + 5 * 66 + 65 + 3 * 65),
    ]
    assert [intake.weight(message) for message, _ in takes] == [weight for _, weight in takes]
    assert [intake.weight(message, 9_999) for message, _ in takes] == [9_999] * len(takes)


def test_a_link_whose_words_were_taken_to_be_checked_may_send_as_many_again() -> None:
    cluster, machine = lone()
    out = only(machine.handle(received(prepare(cluster, 0, "x"))), ibft.CheckSignatures)
    for word in (prepare(cluster, 1, "x"), prepare(cluster, 1, "y")):
        kept = [machine.handle(received(word, origin=1)) for _ in range(intake.WAITING_MAX)]
        assert kept == [[]] * intake.WAITING_MAX
        assert blamed(machine.handle(received(word, origin=1))) == [(1, IbftRefusal.FLOODING)]
        forged = ibft.SignaturesChecked(0, out.token, (False,))
        (out,) = of(machine.handle(forged), ibft.CheckSignatures)


def test_what_this_seat_signed_itself_is_not_checked() -> None:
    cluster, machine = lone(seat=1)
    own = vote(cluster.members, VoteKind.PREPARE, 1, NO_HASH)
    machine.handle(ibft.Signed(0, own))
    shown = certificate(cluster.members, [0, 1, 2], NO_HASH)
    check = only(machine.handle(received(ibft.Prepared(certificate=shown))), ibft.CheckSignatures)
    assert [key for key, _, _ in check.items] == [cluster.members[seat].vote_key for seat in (0, 2)]


def test_an_aggregate_is_checked_once() -> None:
    """Of seventeen seats a certificate is one; two ROUND-CHANGEs show it."""
    cluster, machine = lone(17, 16)
    shown = certificate(cluster.members, list(range(12)), hash_of(content(cluster.members, 0)))
    asked = hear(machine, change(cluster.members, 1, 1, shown), 1)
    assert [len(one.items) for one in of(asked, ibft.CheckAggregates)] == [1]
    again = hear(machine, change(cluster.members, 2, 1, shown), 2)
    assert [len(one.items) for one in of(again, ibft.CheckSignatures)] == [1]
    assert of(again, ibft.CheckAggregates) == []
    assert sorted(state_of(machine).latest) == [1, 2]


def test_the_numbers_that_the_protocol_names() -> None:
    """IBFT-M3, M4, V4; the others are ours to choose."""
    assert (answers.DECIDED_RESENDS_MAX, ROUNDS_AHEAD_MAX, ROUNDS_BEHIND_MAX) == (16, 16, 64)
    assert (intake.AHEAD_HEIGHTS_MAX, RELAY_SEATS_MAX) == (2, 16)
    assert (RESEND_MS_MIN, RESEND_MS_MAX) == (100, 5_000)
    assert answers.WORDS_SENT_MAX * ASK_INTERVAL_MS == 16_000


def test_of_a_height_that_is_over_no_block_and_no_own_word_is_kept() -> None:
    """Megabytes; what is said of it still is kept, for late COMMITs and accusations."""
    cluster = decided()
    over = cluster[0].state
    assert over.contents
    assert over.own
    cluster.begin(2)
    assert (over.contents, over.own) == ({}, {})
    assert over.votes


def test_a_block_built_for_a_height_that_is_over_is_not_proposed() -> None:
    cluster, machine = lone(1, 0)
    for height in (1, 2):
        if height > 1:
            machine.handle(cluster.begins(height, 0))
        assert of(machine.handle(ibft.BlockDue(0)), ibft.Build) == [ibft.Build(Height(height), Round(0))]
    late = content(cluster.members, 0, height=1)
    assert machine.handle(ibft.Built(0, Height(1), Round(0), late)) == []
    block = content(cluster.members, 0, height=2)
    asked = only(machine.handle(ibft.Built(0, Height(2), Round(0), block)), ibft.Validate)
    assert asked == ibft.Validate(block, hash_of(block), Height(2), Round(0), Seat(0), reproposed=False)
