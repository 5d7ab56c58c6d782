"""Identifiers in Fly's shapes, from one source of randomness, so that a seed repeats them."""

from random import Random

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Ids:
    """Makes ids. `seed=None` draws from the system."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = Random(seed)
        # Simulators side by side: each puts its machines into a /16 of its own choice.
        self._network = self._random.randrange(16, 250)
        self._host = self._random.randrange(1, 60000)

    def machine(self) -> str:
        """14 hex digits."""
        return f"{self._random.getrandbits(56):014x}"

    def ulid(self, now: float) -> str:
        """26 characters that sort by time; `now` in epoch seconds."""
        value = (int(now * 1000) & (2**48 - 1)) << 80 | self._random.getrandbits(80)
        return "".join(CROCKFORD[value >> shift & 31] for shift in range(125, -5, -5))

    def nonce(self) -> str:
        """12 hex digits, as Fly's lease nonces."""
        return f"{self._random.getrandbits(48):012x}"

    def address(self) -> str:
        """The next machine's own loopback address, 127.x.y.z."""
        self._host = self._host % 65000 + 1
        return f"127.{self._network}.{self._host >> 8}.{self._host & 255}"
