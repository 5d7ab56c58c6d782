"""Answers of the API as models; one that is not as documented is an error of the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from providers.fly.errors import BadAnswer, Call

T = TypeVar("T")


def reader(call: Call, adapter: TypeAdapter[T]) -> Callable[[object], T]:
    """Reads an answer to ``call``. Raises ``BadAnswer``."""

    def read(answer: object) -> T:
        try:
            return adapter.validate_python(answer)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise BadAnswer(
                call, f"the answer's {where or 'body'} is not as documented: {first['msg']}"
            ) from None

    return read
