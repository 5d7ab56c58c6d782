"""Destroying machines."""

from simulator.errors import failed_precondition
from simulator.lifecycle import end_program
from simulator.model import Machine
from simulator.supervisor import destroy
from simulator.world import World


async def delete_machine(world: World, machine: Machine, force: bool) -> None:
    """Destroy a machine and return when it is gone; a running one only by force, which kills it: 412 without."""
    if machine.run is not None and not force:
        raise failed_precondition(
            f"machine {machine.id} is in state '{machine.state}'; stop it first or use force"
        )
    await destroy_by_force(world, machine)


async def destroy_by_force(world: World, machine: Machine) -> None:
    """Kill what runs and destroy the machine."""
    run = machine.run
    if run is not None:
        end_program(world, machine, "destroy", "SIGKILL")
        await run.ended.wait()
    elif machine.state != "destroyed":
        world.move(machine, "destroying", "destroy", "user")
        destroy(world, machine)
