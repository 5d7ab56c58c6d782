"""What the API answers, as far as a deployment reads it. Unknown fields are ignored: Fly adds new ones at any time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from providers.gates.output import clean

_NO_SIGNAL = (None, 0, -1)
MachineId = Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{1,32}$")]
"""Ids go into paths: anything but letters and digits is refused where it enters."""
Address = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F:.]{0,45}$")]
"""An IP address goes into URLs."""
Nonce = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]
"""A lease's nonce goes into a header."""
WORD_CAP = 120


def _one_word(text: str) -> str:
    """As it is, or marked as what no machine of ours can have: it is compared with what we wrote, and shown."""
    return text if text == clean(text) and len(text) <= WORD_CAP else f"\ufffd{clean(text[:WORD_CAP])}"


Word = Annotated[str, AfterValidator(_one_word)]
"""A name or a state that is fit to be shown."""


class _Answer(BaseModel):
    """Go writes absent values as null: they are as absent here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {key: item for key, item in value.items() if item is not None}


class Check(_Answer):
    """One health check's last report."""

    name: str
    status: str
    output: str = ""


class ExitEvent(_Answer):
    """How a machine's process ended. ``signal`` is 0 or -1 where no signal ended it.

    Fly tells the machine's end and its guest's apart (``guest_exit_code``, ``guest_signal``). Here the worse of the two
    counts: a clean end of one says nothing of the other.
    """

    exit_code: int = 0
    signal: int = 0
    oom_killed: bool = False
    requested_stop: bool = False

    @model_validator(mode="before")
    @classmethod
    def _worse_of_machine_and_guest(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        code = value.get("exit_code") or value.get("guest_exit_code")
        signal = value.get("signal")
        return {
            **value,
            "exit_code": code,
            "signal": value.get("guest_signal") if signal in _NO_SIGNAL else signal,
        }


class _Request(_Answer):
    exit_event: ExitEvent | None = None

    @model_validator(mode="before")
    @classmethod
    def _unwrapped(cls, value: object) -> object:
        """Older machines tell their exit inside of a ``MonitorEvent``; flyctl reads both."""
        inner = value.get("MonitorEvent") if isinstance(value, Mapping) else None
        return inner if isinstance(inner, Mapping) else value


class Event(_Answer):
    """One entry of a machine's log, newest first in ``Machine.events``. ``timestamp`` in ms since the epoch."""

    type: str
    status: str = ""
    timestamp: int = 0
    request: _Request | None = None


class ImageRef(_Answer):
    """What a machine runs; ``digest`` as ``sha256:…``."""

    registry: str = ""
    repository: str = ""
    tag: str = ""
    digest: str = ""


class ExecAnswer(_Answer):
    """How a command inside a machine ended; 128 + n where signal n ended it. Its output is as it came."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""

    @model_validator(mode="before")
    @classmethod
    def _killed_is_not_zero(cls, value: object) -> object:
        signal = value.get("exit_signal") if isinstance(value, Mapping) else None
        if not isinstance(value, Mapping) or not isinstance(signal, int) or signal <= 0:
            return value
        return {**value, "exit_code": value.get("exit_code") or 128 + signal}


class LeaseSeen(_Answer):
    """Who holds a machine, and until when (epoch seconds by Fly's clock), as a list of machines shows it."""

    expires_at: float
    owner: str = ""
    description: str = ""


class Machine(_Answer):
    """A machine as GET and list answer it. ``host_status``: ``ok``, or its host does not answer. ``lease``: only
    where it was asked for.

    ``nonce``: of the lease that was asked for with its creation.
    """

    id: MachineId
    name: Word = ""
    instance_id: Word = ""
    state: Word
    region: Word = ""
    private_ip: Address = ""
    cordoned: bool = False
    nonce: Nonce | Literal[""] = Field("", repr=False)
    host_status: str = "ok"
    image_ref: ImageRef = ImageRef()
    config: dict[str, Any] | None = None
    incomplete_config: dict[str, Any] | None = None
    events: tuple[Event, ...] = ()
    checks: tuple[Check, ...] = ()
    lease: LeaseSeen | None = None

    @property
    def metadata(self) -> dict[str, str]:
        """The machine's metadata; a machine on a host that is not ok carries ``incomplete_config`` instead."""
        return _texts((self.config or self.incomplete_config or {}).get("metadata"))

    @property
    def image(self) -> str:
        """The image's reference as it was asked for, fit to be shown; ``""`` where the host is not ok."""
        return clean(str((self.config or {}).get("image") or ""))[:WORD_CAP]

    @property
    def env(self) -> dict[str, str]:
        """The environment in its config; values may be anybody's secrets."""
        return _texts((self.config or {}).get("env"))

    @property
    def mounts(self) -> tuple[str, ...]:
        """Ids of the volumes that it mounts."""
        mounts = (self.config or {}).get("mounts")
        listed = mounts if isinstance(mounts, list) else []
        found = [mount.get("volume") for mount in listed if isinstance(mount, Mapping)]
        return tuple(clean(str(volume))[:WORD_CAP] for volume in found if volume)


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(item) for key, item in value.items()} if isinstance(value, Mapping) else {}
