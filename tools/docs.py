"""Write docs/reference from the code: codes, exit statuses, commands, storms; and the marked parts of docs/commands.
Then follow every link of docs.

Run by `make docs`; with `--check` nothing is written, and a page that is out of date is an error.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click

from metanode.api.errors import explain
from metanode.api.exits import ExitStatus
from metanode.api.ledger_codes import REFUSED
from metanode.cli.bpi.program import bpi
from metanode.cli.bpi.table import COMMANDS
from metanode.cli.failure import CliRefusal, fault_status

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "metanode"
SIMULATION = ROOT / "tests" / "simulation"
REFERENCE = ROOT / "docs" / "reference"
CODE = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*")
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:|#)([^)#\s]+)")
MADE = "<!-- Made by `make docs` from the code; do not edit. -->\n\n"


def coded_members(kind: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Each member of an enum of stable codes: its code and the docstring below it."""
    for member, below in zip(kind.body, kind.body[1:], strict=False):
        match member, below:
            case (
                ast.Assign(value=ast.Constant(value=str() as code)),
                ast.Expr(value=ast.Constant(value=str() as meaning)),
            ) if CODE.fullmatch(code):
                yield code, " ".join(meaning.split())
            case _:
                pass


def cli_exits() -> dict[str, set[ExitStatus]]:
    """How a command ends by a refusal of its own: read where it is decided, `CliRefusal.X, ExitStatus.Y` side by side
    in a call or a tuple of the command line's source."""
    found: dict[str, set[ExitStatus]] = {refusal.value: set() for refusal in CliRefusal}
    for module in sorted((SOURCE / "cli").rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_text())):
            match node:
                case ast.Call(args=parts) | ast.Tuple(elts=parts):
                    pass
                case _:
                    continue
            for one, following in pairwise(parts):
                match one, following:
                    case (
                        ast.Attribute(value=ast.Name(id="CliRefusal"), attr=refusal),
                        ast.Attribute(value=ast.Name(id="ExitStatus"), attr=status),
                    ):
                        found[CliRefusal[refusal].value].add(ExitStatus[status])
                    case _:
                        pass
    return found


def exits_of(kind: str, code: str, of_cli: dict[str, set[ExitStatus]]) -> str:
    """The exit statuses of a command that ends by this code; a dash for what stays inside a node."""
    if kind == "FaultReason":
        return str(int(fault_status(code)))
    if kind == "CliRefusal":
        assert of_cli[code], f"{code} ends no command"
        return " or ".join(str(int(status)) for status in sorted(of_cli[code]))
    return "–" if explain(code) is REFUSED else str(int(explain(code).exit))


def codes() -> str:
    """Every stable code of the house by its room, with what it means and how a command that meets it ends."""
    page = [
        "# Codes\n",
        "Every refusal (somebody else's mistake) and every fault (the world failed), by its stable code.\n",
        "`exit`: the status of a command that ends by it. A dash: it never ends a command. It is what a node holds",
        "against a peer, or one room answers another; it shows in logs, and in metrics where it is counted.\n",
    ]
    of_cli = cli_exits()
    for module in sorted(SOURCE.rglob("*.py")):
        for kind in ast.walk(ast.parse(module.read_text())):
            members = list(coded_members(kind)) if isinstance(kind, ast.ClassDef) else []
            if not isinstance(kind, ast.ClassDef) or not members:
                continue
            where = module.relative_to(SOURCE).with_suffix("").as_posix().removesuffix("/__init__")
            page.append(f"## {(ast.get_docstring(kind) or kind.name).splitlines()[0]}\n")
            page.append(f"`{where}`, `{kind.name}`\n")
            page.append("| code | exit | meaning |\n|---|---|---|")
            for code, meaning in members:
                page.append(f"| `{code}` | {exits_of(kind.name, code, of_cli)} | {meaning.replace('|', '/')} |")
            page.append("")
    return "\n".join(page)


def exit_statuses() -> str:
    """The table of exit statuses."""
    rows = [f"| {int(status)} | {status.name.lower().replace('_', ' ')} |" for status in ExitStatus]
    return "\n".join(
        ["# Exit statuses\n", "What a shell sees; a number never changes its meaning.\n", "| | |\n|---|---|", *rows, ""]
    )


def commands() -> str:
    """The help of every command, as it prints it."""
    page = ["# Commands of bpi\n", "Every command takes `--json`; with it, errors are JSON too.\n"]
    for path in ("", *sorted(COMMANDS)):
        command, context = reached(path)
        page.append(f"## {f'bpi {path}'.strip()}\n\n```\n{command.get_help(context)}\n```\n")
    return "\n".join(page)


def reached(path: str) -> tuple[click.Command, click.Context]:
    """A command by its words, and the context in which it tells its usage."""
    context = click.Context(bpi, info_name="bpi", max_content_width=100)
    command: click.Command = bpi
    for word in path.split():
        assert isinstance(command, click.Group)
        below = command.get_command(context, word)
        assert below is not None, path
        command, context = below, click.Context(below, info_name=word, parent=context, max_content_width=100)
    return command, context


def synopsis(path: str) -> str:
    """How a command is written: one line."""
    command, context = reached(path)
    return command.get_usage(context).removeprefix("Usage: ")


def options(path: str) -> str:
    """The options of a command, as its help lists them; empty where it has none of its own."""
    command, context = reached(path)
    shown = command.get_help(context)
    listed = shown.partition("\nOptions:\n")[2].partition("\n\n")[0].splitlines()
    own = [line for line in listed if not re.match(r"  (-h, )?--help ", line)]
    return "\n".join([f"bpi {path}", *own]) if own else ""


MARKED = re.compile(r"(<!-- (synopsis|options): ([a-z |-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
"""A part of a hand-written page that is made from the code: which, and of which commands."""


def manual(page: str) -> str:
    """A page of docs/commands with its marked parts as the code is now."""

    def part(found: re.Match[str]) -> str:
        begin, kind, paths, end = found.groups()
        told = [synopsis(path) if kind == "synopsis" else options(path) for path in paths.split(" | ")]
        between = "\n" if kind == "synopsis" else "\n\n"
        body = between.join(one for one in told if one)
        shown = f"```\n{body}\n```" if body else "None of their own."
        return f"{begin}{shown}\n{end}"

    return MARKED.sub(part, page)


def storms() -> str:
    """Every named storm: what rages, how often `make test` plays it, and the planted faults by which it is proved."""
    faults: list[dict[str, str]] = tomllib.loads((SIMULATION / "planted.toml").read_text())["fault"]
    page = [
        "# Storms and planted faults\n",
        "A storm is a file of `tests/simulation/storms/`. `played`: validators × seeds in `make test`.",
        "`proved by`: the rules whose planted faults it must notice (`tests/simulation/planted.toml`).\n",
        "| storm | what rages | played | proved by |\n|---|---|---|---|",
    ]
    for module in sorted((SIMULATION / "storms").glob("*.py")):
        tree = ast.parse(module.read_text())
        rages = " ".join((ast.get_docstring(tree) or "").split()).replace("|", "/")
        rules = dict.fromkeys(fault["rule"] for fault in faults if fault.get("storm") == module.stem)
        page.append(f"| `{module.stem}` | {rages} | {played(tree)} | {', '.join(rules) or '–'} |")
    page += [
        "\n## Planted faults\n",
        "Each is planted in a scratch copy, and must be noticed.\n",
        "| rule | what is wrong then | noticed by |\n|---|---|---|",
    ]
    for fault in faults:
        council = "tests/simulation/test_councils.py" if "council" in fault else ""
        by = fault.get("storm") or council or fault.get("test", "").partition("::")[0]
        page.append(f"| {fault['rule']} | {fault['says'].replace('|', '/')} | `{by}` |")
    return "\n".join([*page, ""])


def played(tree: ast.Module) -> str:
    """`4 × 10, 7 × 2` of the plan of a storm, empty where it is not written out."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="seeds", value=ast.Dict() as seeds):
                try:
                    return ", ".join(f"{count} × {seeds}" for count, seeds in ast.literal_eval(seeds).items())
                except ValueError:
                    return ""
            case _:
                pass
    return ""


def broken_links() -> list[str]:
    """Every link of a page of ours to a file that is not there."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in LINK.findall(page.read_text())
        if not (page.parent / target).exists()
    ]


def main() -> None:
    """Write or check the pages; end with 1 when something is not true."""
    wrong = broken_links()
    for name, page in (
        ("codes.md", codes()),
        ("exit-statuses.md", exit_statuses()),
        ("commands.md", commands()),
        ("storms.md", storms()),
    ):
        file, text = REFERENCE / name, MADE + page
        if "--check" not in sys.argv:
            REFERENCE.mkdir(exist_ok=True)
            file.write_text(text)
        elif not file.is_file() or file.read_text() != text:
            wrong.append(f"docs/reference/{name}: out of date, run `make docs`")
    for file in sorted((ROOT / "docs" / "commands").glob("*.md")):
        text = manual(file.read_text())
        if "--check" not in sys.argv:
            file.write_text(text)
        elif file.read_text() != text:
            wrong.append(f"docs/commands/{file.name}: out of date, run `make docs`")
    print("\n".join(wrong) or "docs: every link leads somewhere")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
