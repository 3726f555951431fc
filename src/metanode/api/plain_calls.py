"""Calls written as plain objects, read back into records: the other direction of `plain`."""

from typing import Any, Final, get_args, get_origin

import msgspec

from metanode.api.errors import ApiRefusal
from metanode.api.plain import ADDRESS_FIELDS, AMOUNT_FIELDS
from metanode.primitives.codec import Wire
from metanode.primitives.refusal import Rejected
from metanode.records.address import read_address
from metanode.records.amount import amount_bytes
from metanode.records.calls import Action, Call

CALL_TYPES: Final[dict[str, type[Wire]]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Call)}
"""Every call by the `type` of its plain form."""
ACTION_TYPES: Final[dict[str, type[Wire]]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Action)}
"""Every action that can be proposed, by the same."""


def _refuse(detail: str) -> Rejected:
    return Rejected(ApiRefusal.INVALID_ARGUMENTS, detail)


def _bytes(value: Any, name: str) -> bytes:
    if not isinstance(value, str):
        raise _refuse(f"{name}: text is due, not {value!r}"[:200])
    if name in ADDRESS_FIELDS:
        return read_address(value)
    try:
        if name in AMOUNT_FIELDS:
            return amount_bytes(int(value) if value.isascii() and value.isdecimal() else -1)
        return bytes.fromhex(value)
    except ValueError:
        raise _refuse(f"{name}: {value[:80]!r} is not hexadecimal") from None


def _field(kind: Any, value: Any, name: str) -> Any:
    if kind is bytes:
        return _bytes(value, name)
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise _refuse(f"{name}: a list is due")
        return tuple(_field(get_args(kind)[0], item, name) for item in value)
    if name == "action" and kind is not str:
        return _tagged(value, ACTION_TYPES, name)
    if isinstance(kind, type) and issubclass(kind, Wire):
        return _record(value, kind, name)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _refuse(f"{name}: {error}") from None


def _tagged(value: Any, kinds: dict[str, type[Wire]], where: str) -> Wire:
    if not isinstance(value, dict) or value.get("type") not in kinds:
        raise _refuse(f"{where}: an object is due whose type is one of {', '.join(kinds)}")
    return _record({name: value[name] for name in value if name != "type"}, kinds[value["type"]], value["type"])


def _record(value: Any, kind: type[Wire], where: str) -> Wire:
    if not isinstance(value, dict) or set(value) != set(kind.__struct_fields__):
        raise _refuse(f"{where}: the fields are {', '.join(kind.__struct_fields__)}, no more, no less")
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    return kind(**{name: _field(fields[name], value[name], name) for name in kind.__struct_fields__})


def read_call(value: Any) -> Call:
    """HTTP-18. The call of a plain object; what `plain` shows is read back exactly. Raises `Rejected`."""
    call: Any = _tagged(value, CALL_TYPES, "call")
    return call  # type: ignore[no-any-return]
