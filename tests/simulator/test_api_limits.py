"""Promises of the rate limits."""

from tests.simulator.api_kit import V1, Kit, let_pass, play


async def count_passes(kit: Kit, method: str, path: str, times: int) -> int:
    """How many of some calls in the same moment are not refused with 429."""
    return sum([(await kit.call(method, path)).status_code != 429 for _ in range(times)])


def test_each_action_has_its_own_bucket() -> None:
    """Three calls of one action on one machine pass at once, then one each second; other actions and machines too."""

    async def story(kit: Kit) -> None:
        one = (await kit.create(skip_launch=True))["id"]
        other = (await kit.create(skip_launch=True))["id"]
        assert await count_passes(kit, "POST", f"/{one}/cordon", 5) == 3
        assert await count_passes(kit, "POST", f"/{one}/uncordon", 5) == 3
        assert await count_passes(kit, "POST", f"/{other}/cordon", 5) == 3
        await let_pass(2)
        assert await count_passes(kit, "POST", f"/{one}/cordon", 5) == 2

    play(story, limits=True)


def test_get_machine_allows_more() -> None:
    """Ten reads of a machine pass at once, then five each second."""

    async def story(kit: Kit) -> None:
        machine = await kit.create(skip_launch=True)
        assert await count_passes(kit, "GET", f"/{machine['id']}", 15) == 10
        await let_pass(1)
        assert await count_passes(kit, "GET", f"/{machine['id']}", 15) == 5

    play(story, limits=True)


def test_create_is_limited_by_app() -> None:
    """Creates of one app share a bucket; a refused one makes no machine and has the API's error shape."""

    async def story(kit: Kit) -> None:
        body = {"config": {"image": V1}, "skip_launch": True}
        responses = [await kit.call("POST", json=body) for _ in range(5)]
        assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
        assert responses[-1].json()["status"] == "resource_exhausted"
        assert len((await kit.call("GET")).json()) == 3

    play(story, limits=True)


def test_app_deletes_are_limited_together() -> None:
    """A hundred app deletes pass at once, whatever the apps."""

    async def story(kit: Kit) -> None:
        paths = [f"/apps/app-{number}" for number in range(120)]
        codes = [(await kit.client.delete(path)).status_code for path in paths]
        assert codes == [404] * 100 + [429] * 20

    play(story, limits=True)


def test_limits_can_be_switched_off() -> None:
    """Without limits nothing is refused."""

    async def story(kit: Kit) -> None:
        machine = await kit.create(skip_launch=True)
        assert await count_passes(kit, "GET", f"/{machine['id']}", 100) == 100

    play(story, limits=False)
