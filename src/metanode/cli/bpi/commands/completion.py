"""`bpi completion`."""

import click
from click.shell_completion import get_completion_class

from metanode.cli.commands import leaf
from metanode.cli.session import Session


@leaf()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes bpi in your shell.

    \b
    bash:  bpi completion bash > ~/.local/share/bash-completion/completions/bpi
    zsh:   bpi completion zsh  > ~/.zfunc/_bpi      (fpath+=~/.zfunc before compinit)
    fish:  bpi completion fish > ~/.config/fish/completions/bpi.fish
    """  # noqa: D301 - click reads the backspace
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(context.find_root().command, {}, "bpi", "_BPI_COMPLETE")
    text = script.source_template % script.source_vars()
    session = context.find_object(Session)
    assert session is not None
    session.output.result("completion/1", {"shell": shell, "script": text}, lambda: session.output.raw(text))
