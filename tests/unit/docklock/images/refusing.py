"""What every test of this room demands of a refusal: its code, and a sentence."""

from collections.abc import Callable
from typing import Any

import pytest

from metanode.primitives.refusal import Refusal, Rejected


def refuses(reason: Refusal, call: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    """Call it, demand this refusal, and give its sentence."""
    with pytest.raises(Rejected) as refused:
        call(*arguments, **named)
    assert refused.value.reason is reason, refused.value
    assert refused.value.detail
    return refused.value.detail
