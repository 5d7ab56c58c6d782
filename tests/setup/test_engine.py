"""Getting the engine: which one will do, which way is tried first, and what is said when none works."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tools.cache import Slot, Unavailable, choose_root
from tools.engine.go_build import CLI_MODULE, GoBuild
from tools.engine.on_path import OnPath
from tools.engine.versions import Version, read_go_pin, read_sdk_pin
from tools.engine.ways import PROGRAMS, NoEngine, provide

CHECKOUT = Path(__file__).parents[2]
NEEDED = Version(3, 259, 0)


def write_programs(directory: Path, *names: str, version: str = "v3.259.0") -> Path:
    """Write executables that answer with a version, as an engine's bin directory holds them."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        program = directory / name
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
    return directory


@dataclass
class FakeWay:
    """A way with scripted answers that writes down what it was asked."""

    title: str
    found: Path | None = None
    got: Path | None = None
    asked: list[str] = field(default_factory=list)

    def find(self) -> Path | None:
        self.asked.append("find")
        return self.found

    def get(self) -> Path:
        self.asked.append("get")
        if self.got is None:
            raise Unavailable(f"{self.title} is out of order")
        return self.got


class TestVersions:
    @pytest.mark.parametrize(
        ("found", "serves"),
        [
            ("v3.259.0", True),
            ("3.259.1\n", True),
            ("v3.300.0-alpha.1+dirty", True),
            ("v3.258.9", False),
            ("v3.259.0-alpha.1", False),
            ("v4.0.0", False),
            ("v2.999.0", False),
        ],
    )
    def test_engine_serves_from_the_sdks_version_up_within_a_major(self, found: str, serves: bool) -> None:
        """An engine will do from the SDK's own version up; a pre-release of that is too old."""
        assert Version.parse(found).serves(NEEDED) is serves

    @pytest.mark.parametrize("text", ["", "3.259", "pulumi 3.259.0", "v3.259.0 (dev)"])
    def test_what_is_no_version_is_refused(self, text: str) -> None:
        """Text that is no version is an error, never version zero."""
        with pytest.raises(ValueError, match="is not a version"):
            Version.parse(text)

    def test_pins_are_read_from_their_files_or_missed_loudly(self) -> None:
        """A lock file or go.mod without the pin is an error that says which pin."""
        assert read_sdk_pin("protobuf==6.0.0\npulumi==3.259.0 \\\n    --hash=…\n") == NEEDED
        assert read_go_pin("module m\n\nrequire x.io/a v1.2.3\n", "x.io/a") == Version(1, 2, 3)
        assert read_go_pin("require (\n\tx.io/a v1.2.3 // indirect\n)\n", "x.io/a") == Version(1, 2, 3)
        with pytest.raises(ValueError, match="pulumi=="):
            read_sdk_pin("pulumi-aws==1.0.0\n")
        with pytest.raises(ValueError, match=r"x\.io/b"):
            read_go_pin("require x.io/a v1.2.3\n", "x.io/b")

    def test_the_go_modules_make_the_engine_of_the_pinned_sdk(self) -> None:
        """The engine that we build is of the very version of the SDK that we install."""
        sdk = read_sdk_pin((CHECKOUT / "requirements.txt").read_text())
        assert read_go_pin((CHECKOUT / "tools/engine/cli/go.mod").read_text(), CLI_MODULE) == sdk


class TestOrder:
    def test_an_engine_that_is_there_is_used_before_any_is_got(self) -> None:
        """When the last way's engine is in the cache, no way is asked to get one."""
        ways = [FakeWay("first", got=Path("/new")), FakeWay("second"), FakeWay("third", found=Path("/there"))]
        assert provide(ways, print) == Path("/there")
        assert [way.asked for way in ways] == [["find"]] * 3

    def test_ways_are_tried_in_order_until_one_works(self) -> None:
        """Getting stops at the first way that works, and each failure before it is said at once."""
        ways = [FakeWay("first"), FakeWay("second", got=Path("/new")), FakeWay("third", got=Path("/late"))]
        said: list[str] = []
        assert provide(ways, said.append) == Path("/new")
        assert said == ["not by first: first is out of order"]
        assert "get" not in ways[2].asked

    def test_when_no_way_works_one_error_lists_them_all(self) -> None:
        """The error names every way in order, each with its own reason."""
        with pytest.raises(NoEngine) as caught:
            provide([FakeWay("a path"), FakeWay("an installer"), FakeWay("a build")], lambda _: None)
        assert str(caught.value).splitlines()[1:] == [
            "  1. a path",
            "     a path is out of order",
            "  2. an installer",
            "     an installer is out of order",
            "  3. a build",
            "     a build is out of order",
        ]


class TestOnPath:
    def test_a_whole_new_enough_engine_is_taken(self, tmp_path: Path) -> None:
        """An engine on PATH with all its programs is used where it is."""
        bin_dir = write_programs(tmp_path / "bin", *PROGRAMS, version="v3.260.0")
        assert OnPath(NEEDED, str(bin_dir)).find() == bin_dir

    def test_a_linked_pulumi_stands_for_the_directory_it_comes_from(self, tmp_path: Path) -> None:
        """Where only `pulumi` is linked onto PATH, the directory behind the link is used."""
        real = write_programs(tmp_path / "opt", *PROGRAMS)
        linked = tmp_path / "bin"
        linked.mkdir()
        (linked / "pulumi").symlink_to(real / "pulumi")
        assert OnPath(NEEDED, str(linked)).find() == real

    @pytest.mark.parametrize(
        ("names", "version", "reason"),
        [
            ((), "", "no `pulumi` on PATH"),
            (PROGRAMS, "v3.100.0", r"pulumi is 3\.100\.0"),
            (PROGRAMS, "oops", "gives no version"),
            (PROGRAMS[:1], "v3.259.0", "no pulumi-language-python beside it"),
        ],
    )
    def test_any_other_is_refused_with_its_reason(
        self, tmp_path: Path, names: tuple[str, ...], version: str, reason: str
    ) -> None:
        """No engine, an old one, a broken one and one without its Python programs are each told apart."""
        way = OnPath(NEEDED, str(write_programs(tmp_path, *names, version=version)))
        assert way.find() is None
        with pytest.raises(Unavailable, match=reason):
            way.get()


class TestGoBuild:
    def test_a_build_is_found_again_until_its_recipe_changes(self, tmp_path: Path) -> None:
        """What was built is used while every file that decides it is the same, and not after."""
        modules = self.copy_recipe(tmp_path / "modules")
        way = GoBuild(NEEDED, tmp_path / "cache", modules, print)
        assert way.find() is None
        write_programs(way.slot().root / way.slot().key / "bin", *PROGRAMS)
        assert way.find() is not None
        (modules / "cli/go.sum").write_text("changed\n")
        assert way.find() is None

    def test_without_go_it_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where there is no `go`, the reason is that, and nothing was tried."""
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(Unavailable, match="no `go` on PATH"):
            GoBuild(NEEDED, tmp_path / "cache", CHECKOUT / "tools/engine", print).get()
        assert not (tmp_path / "cache").exists()

    def test_modules_older_than_the_sdk_are_not_built(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When the SDK was raised and the go.mod was not, the build is refused before it starts."""
        monkeypatch.setenv("PATH", str(write_programs(tmp_path / "bin", "go")))
        with pytest.raises(Unavailable, match=r"make 3\.259\.0, the SDK needs 3\.999\.0"):
            GoBuild(
                Version(3, 999, 0), tmp_path / "cache", self.copy_recipe(tmp_path / "modules"), print
            ).get()

    @staticmethod
    def copy_recipe(directory: Path) -> Path:
        for module in ("cli", "language-host"):
            (directory / module).mkdir(parents=True)
            (directory / module / "go.sum").write_text("")
            (directory / module / "go.mod").write_text(f"require {CLI_MODULE} v3.259.0\n")
        return directory


class TestCache:
    def test_an_engine_appears_whole_and_is_made_once(self, tmp_path: Path) -> None:
        """Of two runs that need the same engine the second waits, then uses what the first has made."""
        slot, made, waiting = Slot(tmp_path, "3.259.0", PROGRAMS), list[Path](), threading.Event()

        def make(directory: Path) -> None:
            second.start()
            assert waiting.wait(30)
            assert slot.find() is None
            made.append(write_programs(directory / "bin", *PROGRAMS))

        results: list[Path] = []
        second = threading.Thread(target=lambda: results.append(slot.fill(make, lambda _: waiting.set())))
        results.append(slot.fill(make, print))
        second.join(30)
        assert results == [tmp_path / "3.259.0" / "bin"] * 2
        assert len(made) == 1

    @pytest.mark.parametrize("error", [Unavailable("no"), KeyboardInterrupt()])
    def test_a_failed_or_interrupted_making_leaves_nothing(
        self, tmp_path: Path, error: BaseException
    ) -> None:
        """A build that ends early, by Ctrl-C too, leaves no engine and no part of one."""
        slot = Slot(tmp_path, "3.259.0", PROGRAMS)
        with pytest.raises(type(error)):
            slot.fill(self.write_half_then(error), print)
        assert slot.find() is None
        assert [path.name for path in tmp_path.iterdir()] == ["3.259.0.lock"]

    def test_the_remains_of_a_killed_run_are_cleared(self, tmp_path: Path) -> None:
        """What a killed run and a damaged engine leave behind is gone after the next good one."""
        slot = Slot(tmp_path, "3.259.0", PROGRAMS)
        write_programs(tmp_path / "3.259.0.part-killed" / "engine" / "bin", "pulumi")
        write_programs(tmp_path / "3.259.0" / "bin", "pulumi")
        assert slot.find() is None
        slot.fill(self.write_whole, print)
        assert slot.find() is not None
        assert sorted(path.name for path in tmp_path.iterdir()) == ["3.259.0", "3.259.0.lock"]

    def test_an_engine_that_lacks_a_program_is_not_kept(self, tmp_path: Path) -> None:
        """An installer that leaves out one of the programs has not given an engine."""
        slot = Slot(tmp_path, "3.259.0", PROGRAMS)
        with pytest.raises(Unavailable, match="pulumi-resource-pulumi-python"):
            slot.fill(self.write_some, print)
        assert slot.find() is None

    def test_the_cache_is_outside_the_checkout(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The cache is where XDG_CACHE_HOME says, or in ~/.cache when it says nothing absolute."""
        monkeypatch.setenv("HOME", str(tmp_path))
        assert choose_root({"XDG_CACHE_HOME": "/caches"}, "engine") == Path("/caches/bluegreen-fly/engine")
        assert choose_root({"XDG_CACHE_HOME": "caches"}, "engine") == tmp_path / ".cache/bluegreen-fly/engine"
        assert choose_root({}, "engine") == tmp_path / ".cache/bluegreen-fly/engine"

    @staticmethod
    def write_whole(directory: Path) -> None:
        write_programs(directory / "bin", *PROGRAMS)

    @staticmethod
    def write_some(directory: Path) -> None:
        write_programs(directory / "bin", *PROGRAMS[:-1])

    @staticmethod
    def write_half_then(error: BaseException) -> Callable[[Path], None]:
        def make(directory: Path) -> None:
            write_programs(directory / "bin", *PROGRAMS[:2])
            raise error

        return make
