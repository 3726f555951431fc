"""Of msgspec.structs."""

from typing import Any


def replace(struct: Any, **changes: Any) -> Any:
    return type(struct)(**{**struct.__dict__, **changes})
