"""`bpi config …`: what bpi itself is told once."""

import click

from metanode.cli.bpi.completing import keys
from metanode.cli.commands import leaf
from metanode.cli.configuration import ENVIRONMENT_PREFIX, checked, known_key, write_configuration
from metanode.cli.session import Session, pass_session


@leaf()
@pass_session
def show(session: Session) -> None:
    """Show every setting."""
    settings = session.configuration.settings()
    session.output.result(
        "config.show/1",
        {"settings": {s.key.name: s.value for s in settings}},
        lambda: session.output.table(("key", "value"), [(s.key.name, s.value or "-") for s in settings]),
    )


@leaf()
@pass_session
def explain(session: Session) -> None:
    """Show every setting, its value and where that came from.

    A flag comes before the environment (BPI_NODE, BPI_DATA, …), that before the project's bpi.toml, that before the
    user's file, that before the default.
    """
    settings = session.configuration.settings()
    rows = [
        {
            "key": s.key.name,
            "value": s.value,
            "origin": s.origin,
            "default": s.key.default,
            "environment": ENVIRONMENT_PREFIX + s.key.name.upper(),
            "meaning": s.key.meaning,
        }
        for s in settings
    ]
    session.output.result(
        "config.explain/1",
        {"settings": rows},
        lambda: session.output.table(
            ("key", "value", "from", "meaning"),
            [(s.key.name, s.value or "-", s.origin, s.key.meaning) for s in settings],
        ),
    )


@leaf()
@click.argument("key", shell_complete=keys)
@pass_session
def get(session: Session, key: str) -> None:
    """Print one setting."""
    setting = session.configuration.setting(key)
    session.output.result(
        "config.get/1",
        {"key": key, "value": setting.value, "origin": setting.origin},
        lambda: session.output.line(setting.value),
    )


@leaf(name="set")
@click.argument("key", shell_complete=keys)
@click.argument("value")
@click.option("--user", "for_user", is_flag=True, help="In the user's file, not the project's bpi.toml.")
@pass_session
def set_(session: Session, key: str, value: str, for_user: bool) -> None:  # noqa: FBT001 - click calls it
    """Set one key in the project's file, or the user's."""
    configuration = session.configuration
    path = configuration.user_file if for_user else configuration.project_file
    setting = checked(known_key(key), value, "argument")
    write_configuration(path, key, setting.value)
    in_force = configuration.setting(key)
    data = {"key": key, "value": setting.value, "file": str(path), "in_force": in_force.value}

    def human() -> None:
        session.output.line(f"{key} = {setting.value} in {path}")
        if in_force.origin != str(path):
            session.output.note(f"but {in_force.origin} says {in_force.value!r}, and that comes first")

    session.output.result("config.set/1", data, human)


@leaf()
@pass_session
def path(session: Session) -> None:
    """Print which files are read."""
    files = {"project": session.configuration.project_file, "user": session.configuration.user_file}
    session.output.result(
        "config.path/1",
        {name: {"path": str(file), "exists": file.is_file()} for name, file in files.items()},
        lambda: session.output.table(
            ("file", "path", "there"), [(n, f, "yes" if f.is_file() else "no") for n, f in files.items()]
        ),
    )
