"""The schedules that once found something: seeds.txt."""

from pathlib import Path

from tests.faults.schedule import Schedule, decode

FILE = Path(__file__).with_name("seeds.txt")


def kept() -> list[tuple[int, Schedule]]:
    """Seed and schedule of every line."""
    lines = [line.partition("#")[0].split(maxsplit=1) for line in FILE.read_text().splitlines()]
    return [(int(words[0]), decode(words[1])) for words in lines if words]
