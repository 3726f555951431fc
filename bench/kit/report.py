"""Tables for eyes, and the same as data with `--json FILE`."""

import argparse
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]


def machine() -> dict[str, Any]:
    """What the figures depend on: cores, processor, versions, and how busy the machine was before we began."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": model,
        "system": platform.system() + " " + platform.release(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


def _cell(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float() if abs(value) >= 1000:
            return f"{value:,.0f}"
        case float() if abs(value) >= 100:
            return f"{value:.0f}"
        case float():
            return f"{value:.2f}"
        case int():
            return f"{value:,}"
        case None:
            return "–"
        case _:
            return str(value)


@dataclass(slots=True)
class Report:
    """One benchmark's results: tables of rows, and remarks."""

    name: str
    path: str
    facts: dict[str, Any] = field(default_factory=machine)
    tables: dict[str, list[Row]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        about = ", ".join(f"{name} {value}" for name, value in self.facts.items())
        print(f"# {self.name}: {about}", flush=True)

    def table(self, title: str, rows: Sequence[Row]) -> None:
        """Print a table and keep it."""
        self.tables.setdefault(title, []).extend(rows)
        print(f"\n## {title}")
        if not rows:
            print("(nothing)")
            return
        columns = list(dict.fromkeys(name for row in rows for name in row))
        cells = [columns] + [[_cell(row.get(name)) for name in columns] for row in rows]
        widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
        for number, line in enumerate(cells):
            print("| " + " | ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) + " |")
            if number == 0:
                print("|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|", flush=True)

    def remark(self, text: str) -> None:
        """Something a reader must know."""
        self.remarks.append(text)
        print(f"* {text}", flush=True)

    def finish(self) -> None:
        """Write the data where it was asked for."""
        if self.path:
            data = {"benchmark": self.name, **self.facts, "tables": self.tables, "remarks": self.remarks}
            Path(self.path).write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def parser(about: str | None) -> argparse.ArgumentParser:
    """Arguments every benchmark has."""
    made = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--json", default="", metavar="FILE", help="write the same as data")
    return made


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which this part of the (unsorted) values lies; the next higher one where it falls between."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
