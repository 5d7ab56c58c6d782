"""What parts of a spec have to fulfil together: each fault begins with the key that is to be changed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from providers.bluegreen.durations import seconds

if TYPE_CHECKING:
    from providers.bluegreen.spec import Spec


def gate_faults(spec: Spec) -> Iterator[str]:
    """What keeps the gates of a spec from ever opening, or opens more than it should."""
    return chain(_tests(spec), _deadlines(spec), _private_ports(spec), _drains(spec))


def _tests(spec: Spec) -> Iterator[str]:
    names = [test.name for test in spec.tests]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f'tests: two are named "{name}"'


def _deadlines(spec: Spec) -> Iterator[str]:
    """A part that may take longer than its phase would never fail by its own deadline, and never say so."""
    verify, create = spec.deadlines.verify, spec.deadlines.create_new
    parts = [(f'tests: "{test.name}"', test.deadline, "verify", verify) for test in spec.tests]
    if spec.rehearsal:
        parts.append(("rehearsal: it", spec.rehearsal.deadline, "verify", verify))
    if spec.release_command:
        parts.append(("release_command: it", spec.release_command.deadline, "create_new", create))
    for what, deadline, phase, whole in parts:
        if seconds(deadline) > seconds(whole):
            yield f"{what} may take {deadline}, but the whole phase only {whole}; raise deadlines.{phase}"
    if seconds(spec.min_healthy) >= seconds(verify):
        yield f"min_healthy: {spec.min_healthy} leaves nothing of deadlines.verify, {verify}"


def _private_ports(spec: Spec) -> Iterator[str]:
    public = {service.internal_port for service in spec.services}
    for key, part in (("drain", spec.drain), ("rehearsal", spec.rehearsal)):
        if (port := getattr(part, "port", None)) in public:
            yield (
                f"{key}: port {port} is a service's, so anybody could use it; "
                "let the app listen on one that no service names"
            )


def _drains(spec: Spec) -> Iterator[str]:
    if spec.state_proof.type == "marker" and not spec.state_store:
        yield "state_proof: a marker is an object, and there is no state_store to look for it in"
    if spec.drain.type == "signal" and not spec.proves_state:
        yield (
            "drain: nothing but a proof of saved state tells when a drain by signal is done; "
            "give a state_store or a state_proof"
        )
