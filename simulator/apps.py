"""Apps: create, read, delete."""

from typing import Any

import anyio

from simulator.bodies import CreateApp
from simulator.clock import format_time
from simulator.deletion import destroy_by_force
from simulator.errors import failed_precondition, unprocessable
from simulator.model import App, Machine
from simulator.world import World


def create_app(world: World, body: CreateApp) -> App:
    """A new app; 422 `name_taken` when there is one of that name."""
    if body.name in world.apps:
        raise unprocessable(f"name_taken: Name {body.name} has already been taken")
    now = world.clock.now()
    app = App(body.name, body.org_slug or "personal", body.network or "default", world.ids.machine(), now)
    world.apps[app.name] = app
    world.open_routes(app.name)
    return app


async def delete_app(world: World, name: str, force: bool) -> None:
    """Remove an app; one with machines only by force, which kills them."""
    app = world.find_app(name)
    if list_alive(app) and not force:
        raise failed_precondition(
            f"app {name} has {len(list_alive(app))} machines; delete them first or use force"
        )
    # Again until there are none: others may create machines while these end.
    while alive := list_alive(app):
        async with anyio.create_task_group() as tasks:
            for machine in alive:
                tasks.start_soon(destroy_by_force, world, machine)
    if world.apps.get(name) is app:
        del world.apps[name]
        world.close_routes(name)


def list_alive(app: App) -> list[Machine]:
    """An app's machines that have not been destroyed."""
    return [machine for machine in app.machines.values() if machine.state != "destroyed"]


def show_app(app: App) -> dict[str, Any]:
    """An app as the API shows it."""
    alive = list_alive(app)
    return {
        "id": app.id,
        "name": app.name,
        "organization": {"name": app.org, "slug": app.org},
        "network": app.network,
        "status": "deployed" if alive else "pending",
        "machine_count": len(alive),
        "created_at": format_time(app.created_at),
    }
