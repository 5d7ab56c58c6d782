"""Machines in memory with scripted behaviour, in the event loop's time."""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from simulator.catalog import Image, digest_of, find_reference, parse_reference
from simulator.program_virtual import Behaviour, VirtualProgram
from simulator.runtime import Boot

__all__ = ["Behaviour", "VirtualRuntime"]


class VirtualRuntime:
    """Programs that follow a script: chosen by machine name, else by image."""

    def __init__(self, images: Mapping[str, Behaviour]) -> None:
        """`images` is {reference: behaviour}; a reference that is not in it does not exist."""
        self._images = dict(images)
        self._digests = {reference: digest_of(reference) for reference in images}
        self._scripts: list[tuple[str, Behaviour]] = []
        self.programs: dict[str, VirtualProgram] = {}

    def script(self, pattern: str, behaviour: Behaviour) -> None:
        """Script machines by name, with wildcards, from their next start on; the last match wins."""
        self._scripts.append((pattern, behaviour))

    def resolve(self, reference: str) -> Image | None:
        """The image of a reference by name or by `@digest`."""
        known = find_reference(self._digests, reference)
        return None if known is None else parse_reference(known, self._digests[known])

    def prepare(self, boot: Boot) -> VirtualProgram:
        """The machine's next program; `programs` holds the last one by machine id."""
        program = VirtualProgram(boot, self._choose(boot))
        self.programs[boot.machine_id] = program
        return program

    def read_output(self, machine_id: str) -> str:
        """The lines that its last program has printed."""
        program = self.programs.get(machine_id)
        return "\n".join(program.behaviour.output) if program and program.has_started else ""

    async def request(
        self, machine_id: str, method: str, target: str, body: bytes = b""
    ) -> tuple[int, bytes]:
        """An HTTP request to a machine past every proxy: status and body.

        ConnectionRefusedError unless it is up, ConnectionResetError where its program ends before it has answered.
        """
        program = self.programs.get(machine_id)
        if program is None or not program.up:
            raise ConnectionRefusedError(f"machine {machine_id} does not listen")
        return await program.serve(method, target, body)

    def _choose(self, boot: Boot) -> Behaviour:
        for pattern, behaviour in reversed(self._scripts):
            if fnmatchcase(boot.name, pattern):
                return behaviour
        known = find_reference(self._digests, boot.image)
        assert known is not None
        return self._images[known]
