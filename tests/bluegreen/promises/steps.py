"""What has to hold at every single record of the history."""

from __future__ import annotations

from collections.abc import Callable

from tests.bluegreen.promises.told import TASK, Record, Told

Step = Callable[[Told, Record], str]


def one_cluster_is_routed(told: Told, record: Record) -> str:
    if record["kind"] != "routes" or not told.rules.handoff:
        return ""
    releases = {told.release(key) for key in record["machine_ids"]} - {""}
    return f"two clusters are routed: {sorted(releases)}" if len(releases) > 1 else ""


def the_window_opens_when_green_is_verified(told: Told, record: Record) -> str:
    """Also what keeps green from being cordoned after its commit: then there is no other verified cluster.

    Under overlap green is routed before its commit, and may be given up until then: at first there is no other.
    """
    if record["kind"] != "machine" or not told.cordons(record) or told.goal == "destroy":
        return ""
    if not told.rules.handoff and record["release"] not in told.commits:
        return ""
    serves = record["machine_id"] in told.routed and record["release"] and _by_a_deployer(told, record)
    if record["machine_id"] in told.leaving:
        return ""
    if not serves or any(_verified(told, release) for release in _others(told, record["release"])):
        return ""
    return f"{record['name']} is cordoned, and no other cluster is whole and healthy"


def _others(told: Told, release: str) -> set[str]:
    return {machine["release"] for machine in told.existing()} - {release}


def _verified(told: Told, release: str) -> bool:
    """A machine that somebody else changes may fall ill in the very moment that blue is cordoned."""
    if any(told.release(key) == release for key in told.excused):
        return True
    machines = told.cluster(release)
    return len(machines) >= told.wanted > 0 and all(machine["healthy"] for machine in machines)


def a_whole_cluster_is_routed_outside_the_window(told: Told, record: Record) -> str:
    """Within the window some machine of the cluster that was whole has been cordoned."""
    if record["kind"] != "routes" or told.whole or not told.whole_before:
        return ""
    was = {m["machine_id"] for m in told.machines.values() if m["release"] == told.whole_before}
    if was & (told.cordoned_since | told.excused):
        return ""
    return f"{told.whole_before} is not wholly routed any more, and nobody cordoned it"


def a_window_is_closed_before_anything_is_created(told: Told, record: Record) -> str:
    """One that a killed run has left open: who owns the state is brought back before another cluster is begun, or
    nobody serves for as long as that takes to boot and to be verified. What a destroy has begun to remove is not.
    """
    begins = (
        record["kind"] == "machine"
        and told.before is None
        and record["release"]
        and TASK not in record["name"]
    )
    if not begins or told.whole or not told.commits or record["release"] == told.commits[-1]:
        return ""
    if any(told.release(key) == told.commits[-1] for key in told.unwanted):
        return ""
    owner = told.cluster(told.commits[-1])
    away = {machine["machine_id"] for machine in owner if machine["cordoned"]}
    if not away & told.cordoned_since or any(machine["machine_id"] in told.excused for machine in owner):
        return ""
    return f"{record['name']} is created, and {told.commits[-1]} is cordoned"


def one_cluster_accepts_edits(told: Told, record: Record) -> str:
    """Cordoning keeps open sockets: whoever was routed and still serves accepts what comes through them."""
    if record["kind"] not in ("routes", "app", "machine") or not told.rules.handoff:
        return ""
    accepting = {told.release(key) for key in told.in_use if told.apps.get(key) == "serving"} - {""}
    return f"two clusters accept edits: {sorted(accepting)}" if len(accepting) > 1 else ""


def what_was_routed_is_saved_before_it_is_destroyed(told: Told, record: Record) -> str:
    if told.rules.saved is None or not _ends(told, record):
        return ""
    key = record["machine_id"]
    unsaved = key in told.ever_routed and key not in told.rules.saved()
    return f"{record['name']} is destroyed, and its state is not saved" if unsaved else ""


def nothing_is_destroyed_while_it_is_routed(told: Told, record: Record) -> str:
    if not _ends(told, record) or told.before is None:
        return ""
    serves = told.before["state"] == "started" and not told.before["cordoned"]
    return f"{record['name']} is destroyed while users reach it" if serves else ""


def green_stays_after_its_commit(told: Told, record: Record) -> str:
    """Until another release is committed, or all of it is to go; what was added and never routed may go, and what a
    cluster that keeps no state does not need any more.
    """
    if not _ends(told, record) or told.goal == "destroy" or not told.commits:
        return ""
    if record["machine_id"] in told.joining | told.leaving:
        return ""
    return (
        f"{record['name']} owns the state and is destroyed" if record["release"] == told.commits[-1] else ""
    )


def _ends(told: Told, record: Record) -> bool:
    return record["kind"] == "machine" and told.destroys(record) and _by_a_deployer(told, record)


def _by_a_deployer(told: Told, record: Record) -> bool:
    return record["machine_id"] not in told.excused


def no_more_machines_than_blue_green_and_one(told: Told, record: Record) -> str:
    """INCIDENTS 3. A cluster that is kept warm, where that is asked for, is a third one."""
    if record["kind"] != "machine" or not told.most:
        return ""
    allowed = (3 if told.rules.warm else 2) * told.most + 1
    existing = sorted(machine["name"] for machine in told.existing())
    return f"{len(existing)} machines, {allowed} at most: {existing}" if len(existing) > allowed else ""


def strangers_are_left_alone(told: Told, record: Record) -> str:
    machine_id = record["machine_id"] if record["kind"] == "request" else None
    if not machine_id or machine_id not in told.machines or told.release(machine_id):
        return ""
    return f"{record['method']} {record['path']}: a machine that is not ours"


def calls_stay_inside_the_rate_limits(told: Told, record: Record) -> str:
    over = record["kind"] == "request" and record["status"] == 429
    return f"{record['method']} {record['path']} is over the rate limit" if over else ""


def no_secret_is_shown(told: Told, record: Record) -> str:
    if not told.rules.canaries or record["kind"] not in ("sent", "said"):
        return ""
    shown = record.get("text", "") + record.get("path", "") + record.get("body", "")
    found = any(canary in shown for canary in told.rules.canaries)
    return f"a secret in what is {record['kind']}: {record.get('path', '')}" if found else ""


STEPS: dict[str, Step] = {
    "one cluster is routed": one_cluster_is_routed,
    "the window opens when green is verified": the_window_opens_when_green_is_verified,
    "a whole cluster is routed outside the window": a_whole_cluster_is_routed_outside_the_window,
    "a window is closed before anything is created": a_window_is_closed_before_anything_is_created,
    "one cluster accepts edits": one_cluster_accepts_edits,
    "what was routed is saved before it is destroyed": what_was_routed_is_saved_before_it_is_destroyed,
    "nothing is destroyed while it is routed": nothing_is_destroyed_while_it_is_routed,
    "green stays after its commit": green_stays_after_its_commit,
    "no more machines than blue, green and one": no_more_machines_than_blue_green_and_one,
    "strangers are left alone": strangers_are_left_alone,
    "calls stay inside the rate limits": calls_stay_inside_the_rate_limits,
    "no secret is shown": no_secret_is_shown,
}
