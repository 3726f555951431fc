"""The table at the end of a long run."""

from collections.abc import Collection

from tests.soak.parts import Share


def show(shares: Collection[Share]) -> None:
    """One line a part: how much, how long, how fast, what was found; what parts have to tell, then each thing
    found, as what repeats it."""
    print(f"{'part':<12}{'played':>10}{'steps':>14}{'seconds':>10}{'per hour':>12}{'steps/s':>10}{'broken':>8}")
    for share in shares:
        hourly = share.played * 3600 / share.seconds if share.seconds else 0
        rate = share.steps / share.seconds if share.seconds else 0
        print(
            f"{share.name:<12}{share.played:>10}{share.steps:>14}{share.seconds:>10.0f}{hourly:>12.0f}{rate:>10.0f}"
            f"{len(share.broken):>8}"
        )
    for share in shares:
        print("\n".join(share.notes), end="\n" if share.notes else "")
    for share in shares:
        for repeat in share.broken:
            print(f"to repeat: {repeat}")
