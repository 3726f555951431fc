"""What a call raises: always with a stable code, the exit status it leads to, the rule and the fix."""

from typing import Final

from metanode.api.errors import ApiError, ErrorForm, error_form


class ClientError(Exception):
    """HTTP-16. The node, or the way to it, said no. `form` is the same six fields that every error has."""

    def __init__(self, form: ErrorForm) -> None:
        super().__init__(f"{form.code}: {form.message}")
        self.form: Final = form

    @property
    def code(self) -> str:
        """The stable code."""
        return self.form.code

    @property
    def exit(self) -> int:
        """The exit status a command ends with."""
        return self.form.exit

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.form.retryable


class Unreachable(ClientError):
    """Nobody answers at this URL."""


class DeadlinePassed(ClientError):
    """The outcome is not known yet. `identity`: of the transaction to wait for again, empty for other calls."""

    def __init__(self, form: ErrorForm, identity: str = "") -> None:
        super().__init__(form)
        self.identity: Final = identity


def failure(code: str, detail: str) -> ClientError:
    """The exception of a code that this side found."""
    return ClientError(error_form(ApiError(code, detail)))
