"""The environment that a machine's program gets: Fly's variables, the app's secrets, the config's own."""

from simulator.catalog import Image
from simulator.config import MachineConfig
from simulator.model import App, Machine
from simulator.runtime import Boot

DEFAULT_MEMORY_MB = 256


def format_image(image: Image) -> str:
    """The full reference, as in FLY_IMAGE_REF."""
    return f"{image.registry}/{image.repository}:{image.tag}"


def describe_boot(app: App, machine: Machine) -> Boot:
    """What the runtime is to start for a machine, now: secrets are read at each start."""
    secrets = {} if machine.skip_secrets else {secret.name: secret.value for secret in app.secrets.values()}
    return Boot(
        app=app.name,
        machine_id=machine.id,
        name=machine.name,
        region=machine.region,
        instance_id=machine.instance_id,
        address=machine.address,
        image=machine.spec.image,
        init=machine.spec.init,
        metadata=dict(machine.metadata),
        env={**_fly_variables(app, machine), **secrets, **(machine.spec.env or {})},
    )


def _fly_variables(app: App, machine: Machine) -> dict[str, str]:
    return {
        "FLY_APP_NAME": app.name,
        "FLY_MACHINE_ID": machine.id,
        "FLY_ALLOC_ID": machine.id,
        "FLY_MACHINE_VERSION": machine.instance_id,
        "FLY_REGION": machine.region,
        "PRIMARY_REGION": machine.region,
        "FLY_PRIVATE_IP": machine.address,
        "FLY_IMAGE_REF": format_image(machine.image),
        "FLY_PROCESS_GROUP": machine.metadata.get("fly_process_group", "app"),
        "FLY_VM_MEMORY_MB": str(_memory(machine.spec)),
    }


def _memory(spec: MachineConfig) -> int:
    return (spec.guest and spec.guest.memory_mb) or DEFAULT_MEMORY_MB
