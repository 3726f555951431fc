"""The shares of one message, one a seat, until a quorum of them sums to a certificate."""

from dataclasses import dataclass

from metanode.primitives.names import Seat


@dataclass(frozen=True, slots=True)
class ShareRequest:
    """Sum these and check the sum once."""

    seats: tuple[Seat, ...]
    message: bytes
    keys: tuple[bytes, ...]
    shares: tuple[bytes, ...]


class ShareBuffer:
    """BLS-B6. Buffers shares whose envelopes were verified; asks once a quorum is there, blames only what failed alone.

    One request is out at a time. What was answered good or bad is remembered: a bad share is never asked about again,
    and its seat may not give another.
    """

    def __init__(self, message: bytes, keys: tuple[bytes, ...], quorum: int) -> None:
        self.message = message
        self.aggregate = b""
        """The checked sum, empty until there is one."""
        self.seats: tuple[Seat, ...] = ()
        """The seats in the sum, ascending."""
        self._keys = keys
        self._quorum = quorum
        self._shares: dict[Seat, bytes] = {}
        self._bad: dict[Seat, bool] = {}
        self._asked: tuple[Seat, ...] = ()

    def add(self, seat: Seat, share: bytes) -> None:
        """Keep the first share of a seat."""
        if seat not in self._bad:
            self._shares.setdefault(seat, share)

    def ask(self, suspects: frozenset[Seat] = frozenset()) -> tuple[ShareRequest, ...]:
        """The request that is due, or none: a quorum is there, nothing is out, and nothing was summed yet.

        Shares of `suspects`, who gave bad ones before, are used only where there is no quorum without them.
        """
        if self._asked or self.aggregate or len(self._shares) < self._quorum:
            return ()
        trusted = [seat for seat in self._shares if seat not in suspects]
        return self._request(trusted if len(trusted) >= self._quorum else list(self._shares))

    def ask_again(self) -> tuple[ShareRequest, ...]:
        """The request that would improve the sum, or none: shares came after it was made (IBFT-C3)."""
        if self._asked or not self.aggregate or len(self._shares) <= len(self.seats):
            return ()
        return self._request(list(self._shares))

    def answered(self, aggregate: bytes, bad: tuple[int, ...]) -> tuple[Seat, ...]:
        """BLS-B6. Takes the answer to the request that is out; returns the seats whose shares failed by themselves.

        An improvement that failed leaves the sum that was there.
        """
        asked, self._asked = self._asked, ()
        culprits = tuple(asked[position] for position in bad)
        for seat in culprits:
            self._bad[seat] = True
            self._shares.pop(seat, None)
        if not culprits and aggregate:
            self.aggregate, self.seats = aggregate, asked
        return culprits

    def _request(self, seats: list[Seat]) -> tuple[ShareRequest, ...]:
        self._asked = tuple(sorted(seats))
        return (
            ShareRequest(
                seats=self._asked,
                message=self.message,
                keys=tuple(self._keys[seat] for seat in self._asked),
                shares=tuple(self._shares[seat] for seat in self._asked),
            ),
        )
