"""The classes of all commands: groups that load nothing before it is needed, options that work on either side."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from metanode.cli.session import Session

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Entry:
    """A leaf command: `module:attribute` where it is, and its line in the help of its group."""

    where: str
    summary: str


def _remember_flag(context: click.Context, option: click.Parameter, value: Any) -> None:
    """Note a global option in the session; the one nearest to the end of the line wins."""
    session = context.find_root().ensure_object(Session)
    match option.name:
        case "as_json" if value:
            session.as_json = True
        case "verbosity" if value:
            session.verbosity += value
        case "no_color" if value:
            session.flags["color"] = "never"
        case "node" | "data" | "token_file" if value is not None:
            assert option.name is not None
            session.flags[option.name] = value
        case _:
            pass


def _global_options(*, hidden: bool) -> list[click.Parameter]:
    """The options that every command takes, before or after its name."""
    shared: dict[str, Any] = {"expose_value": False, "callback": _remember_flag, "hidden": hidden}
    return [
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON; errors too, on standard error.", **shared),
        click.Option(["--node"], metavar="URL", help="Node to talk to.", **shared),
        click.Option(["--data"], metavar="FOLDER", help="Folder of the local network.", **shared),
        click.Option(["--token-file"], metavar="FILE", help="File with the node's bearer token.", **shared),
        click.Option(["--no-color"], is_flag=True, help="No colours.", **shared),
        click.Option(["-v", "--verbose", "verbosity"], count=True, help="Say more; -vv shows tracebacks.", **shared),
    ]


class Leaf(click.Command):
    """A command that does something; it takes the global options too, without listing them."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own parameters and the global ones it does not define itself."""
        own = super().get_params(ctx)
        taken = {word for parameter in own for word in parameter.opts}
        return own + [o for o in _global_options(hidden=True) if not taken & set(o.opts)]

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Where the options are that every command takes."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Everywhere"):
            formatter.write_text(
                f"--json --node --data --token-file --no-color -v; see {ctx.find_root().info_name} --help"
            )


def leaf(**settings: Any) -> Callable[[Callable[..., Any]], Leaf]:
    """Declare a leaf command: its docstring is its help, the first sentence its line in the group's list."""
    return click.command(cls=Leaf, **settings)


class LazyGroup(click.Group):
    """A group made of a table; a command's module is imported when that command is run, or its own help asked for."""

    def __init__(self, table: Mapping[str, Entry], groups: Mapping[str, str], path: str = "", **settings: Any) -> None:
        super().__init__(path.rpartition(" ")[2] or None, no_args_is_help=True, **settings)
        self._table: Final = table
        self._groups: Final = groups
        self._path: Final = path

    def _below(self) -> Iterator[tuple[str, str]]:
        """Each command and group directly below, with its summary."""
        prefix = f"{self._path} " if self._path else ""
        known = {**self._groups, **{path: entry.summary for path, entry in self._table.items()}}
        for path in sorted(known):
            name = path.removeprefix(prefix)
            if path.startswith(prefix) and name and " " not in name:
                yield name, known[path]

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own parameters and the global ones; only the root lists them."""
        return super().get_params(ctx) + _global_options(hidden=bool(self._path))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names directly below."""
        return [name for name, _ in self._below()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command or group of this name; imports the module of a command."""
        path = f"{self._path} {cmd_name}".strip()
        if path in self._groups and path in self._table:
            return LeafWithMore(self._load(path), self._table, self._groups, path)
        if path in self._groups:
            return LazyGroup(self._table, self._groups, path, help=self._groups[path])
        return self._load(path) if path in self._table else None

    def _load(self, path: str) -> click.Command:
        """Import the module of a command."""
        module, _, attribute = self._table[path].where.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, but an unknown name is answered with near ones, also from deeper groups."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise click.exceptions.NoSuchCommand(args[0], ctx=ctx, message=self._unknown(ctx, args[0]))
        return super().resolve_command(ctx, args)

    def _unknown(self, ctx: click.Context, wanted: str) -> str:
        from difflib import get_close_matches

        here = {name: f"{self._path} {name}".strip() for name in self.list_commands(ctx)}
        deeper: dict[str, str] = {path.rpartition(" ")[2]: path for path in self._table}
        near = [here[name] for name in get_close_matches(wanted, here, n=3)]
        same = [wanted] if wanted in deeper else get_close_matches(wanted, deeper, n=3)
        near = near or [deeper[name] for name in same]
        message = f"no command {f'{self._path} {wanted}'.strip()!r}"
        root = ctx.find_root().info_name
        return f"{message}; did you mean {' or '.join(f'`{root} {path}`' for path in near)}?" if near else message

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """The list below a group's help, from the table: nothing is imported."""
        rows = list(self._below())
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names and their summaries from the table: pressing TAB imports no command."""
        names = [CompletionItem(name, help=line) for name, line in self._below() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)


class LeafWithMore(Leaf, LazyGroup):
    """A command that does something by itself, and has others below: `bpi doctor` and `bpi doctor stall`."""

    def __init__(self, own: click.Command, table: Mapping[str, Entry], groups: Mapping[str, str], path: str) -> None:
        alone = own.callback
        assert alone is not None, "a leaf does something"

        def run(**arguments: Any) -> Any:
            below = click.get_current_context().invoked_subcommand
            return alone(**arguments) if below is None else None

        LazyGroup.__init__(
            self,
            table,
            groups,
            path,
            help=own.help,
            params=own.params,
            callback=run,
            invoke_without_command=True,
            subcommand_metavar="[COMMAND …]",
        )
        self.no_args_is_help = False
