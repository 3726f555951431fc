"""An entry as a sentence."""

from metanode.records.workload_receipt import STEPS, Entry


def sentence(entry: Entry, at: str) -> str:
    """WREC-14. Who did what with which replica, under which image and engine, when by the node's own clock (`at`)."""
    words = [f"{entry.node} of {entry.cluster} {STEPS[entry.step].did} {_subject(entry)}"]
    if entry.image:
        words.append(f"with image sha256:{entry.image.hex()}")
    if entry.engine:
        words.append(f"under engine {entry.engine}")
    if entry.code:
        words.append(f"({'exit status ' if entry.code.isdecimal() else ''}{entry.code})")
    words.append(f"at {at}")
    return " ".join(words)


def _subject(entry: Entry) -> str:
    if not entry.workload:
        return "its store" if entry.step == "pulled" else "a request"
    return f"{entry.workload}.{entry.index} attempt {entry.attempt} (revision {entry.revision})"
