"""What comes from outside and is shown: clean, bounded, and without secrets, however they come."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from providers.gates.lines import LONGEST_LINE, MOST_LAST_LINES, MOST_LINES, Hearing
from providers.gates.output import LONGEST_RAW, Scrubber, clean

SECRET = 'hunter2 & "quotes"/ümläut+'


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\a link\x1b]8;;\x1b\\", "a link"),
        ("\x1bPq#0;2;0;0;0\x1b\\image", "image"),
        ("\x9b31mC1\x9b0m", "C1"),
        ("\x1b(Bset\x1bc", "set"),
        ("a\x07b\x08c\x00d\x7fe", "abcde"),
        ("one\ntwo\tthree", "one two three"),
        ("gpj.\u202eexe\u2066", "gpj.exe"),
        ("zero\u200bwidth", "zerowidth"),
        ("héllo ✓ 日本", "héllo ✓ 日本"),
        ("the end \x1b", "the end "),
        ("the end \x1b[3", "the end "),
    ],
)
def test_nothing_that_moves_a_terminal_gets_through(raw: str, shown: str) -> None:
    """Colours, titles, links, cursor and direction are the deployer's own; letters of all languages stay."""
    assert clean(raw) == shown


@pytest.mark.parametrize(
    "spelt",
    [
        SECRET,
        json.dumps({"password": SECRET}),
        json.dumps({"password": SECRET}, ensure_ascii=False),
        f"https://user:{quote(SECRET, safe='')}@example.com/",
        f"/path/{quote(SECRET)}/",
        f"?q={quote_plus(SECRET)}",
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        f"\x1b[{SECRET}",
        'hunter2\x1b[0m & \u200b"quo\x00tes"/ümläut+',
    ],
)
def test_a_secret_is_hidden_however_it_is_spelt(spelt: str) -> None:
    """Programs print what they have in JSON, in URLs, in base64, and in colour."""
    shown = Scrubber([SECRET]).excerpt(spelt, 1000)
    assert "secret]" in shown
    for part in ("unter2", "quotes", "aHVudGVy"):
        assert part not in shown


@pytest.mark.parametrize("before", ["", "a", "ab", "admin:"])
@pytest.mark.parametrize("behind", ["", "z", "zz", "zzz"])
def test_a_secret_is_hidden_inside_of_base64(before: str, behind: str) -> None:
    """``user:secret`` is what Basic authentication sends; the secret's letters depend on what stands before it."""
    secret = "correct-horse-battery"
    code = base64.b64encode(f"{before}{secret}{behind}".encode()).decode()
    shown = Scrubber([secret]).scrub(code)
    assert len(code) - len(shown.replace("[secret]", "")) >= len(secret)


def test_each_line_of_a_key_file_is_a_secret() -> None:
    """A secret of many lines is printed line by line, and a token of many parts part by part."""
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcwggSj\n-----END KEY-----\n"
    scrubber = Scrubber([key, "Bearer abcdefgh12345678,fm2_second"])
    assert scrubber.scrub("1: MIIEvQIBADANBgkqhkiG") == "1: [secret]"
    assert scrubber.scrub("2: 9w0BAQEFAASCBKcwggSj") == "2: [secret]"
    assert scrubber.scrub("token abcdefgh12345678 or fm2_second") == "token [secret] or [secret]"


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    """Where one begins as the other, nothing of the longer one stays."""
    assert Scrubber(["abcd", "abcdefgh"]).scrub("abcdefgh abcd") == "[secret] [secret]"


def test_what_is_too_short_is_no_secret() -> None:
    """Else an empty or one-letter value would make everything unreadable."""
    assert Scrubber(["", "a", "1", "dev"]).scrub("a dev server, 1") == "a dev server, 1"


def test_a_scrubber_does_not_tell_its_secrets() -> None:
    """It is a value like others, which errors and logs may show."""
    assert "hunter2" not in repr(Scrubber([SECRET]))


def hear(*chunks: bytes, secrets: tuple[str, ...] = (), cut: bool = False) -> tuple[list[str], Hearing]:
    told: list[str] = []
    hearing = Hearing(told.append, Scrubber(secrets))
    for chunk in chunks:
        hearing.take(chunk)
    hearing.finish(cut=cut)
    return told, hearing


def test_lines_are_put_together_from_chunks() -> None:
    """A pipe cuts anywhere: in a line, in a character, between the two of a Windows line end."""
    told, _ = hear(b"on", b"e\r", b"\ntwo\n\n  \n\xe2\x9c", b"\x93 three\r10%\r20%")
    assert told == ["one", "two", "✓ three", "10%", "20%"]


def test_bad_utf8_does_not_stop_anything() -> None:
    """A program may print a picture."""
    told, _ = hear(b"\xff\xfe ok\n\xc3", b"\nend \xe2\x82")
    assert told == ["\ufffd\ufffd ok", "\ufffd", "end \ufffd"]


def test_a_line_without_an_end_is_told_in_time_and_cut() -> None:
    """It is not waited for, and not kept, however long it gets."""
    told: list[str] = []
    hearing = Hearing(told.append, Scrubber(()))
    for _ in range(100):
        hearing.take(b"x" * 65_536)
    assert told == ["x" * LONGEST_LINE + "…"]
    hearing.take(b"\nnext\n")
    assert told[1:] == ["next"]


def test_what_is_not_told_is_counted() -> None:
    """A program that says too much is cut short, the number of lines left out is told, and the last lines are kept."""
    told, hearing = hear(*(f"line {n}\n".encode() for n in range(2_000)))
    assert told[:MOST_LINES] == [f"line {n}" for n in range(MOST_LINES)]
    assert told[MOST_LINES:] == ["… 1,500 more lines"]
    assert hearing.left_out == 1_500
    assert hearing.last_lines == tuple(f"line {n}" for n in range(2_000 - MOST_LAST_LINES, 2_000))


@settings(deadline=None)
@given(
    secret=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=6, max_size=40),
    before=st.text(max_size=30),
    cuts=st.lists(st.integers(0, 200), max_size=5),
)
def test_a_secret_in_chunks_stays_secret(secret: str, before: str, cuts: list[int]) -> None:
    """Wherever the pipe cuts it."""
    assume(len(clean(secret).strip()) >= 4 and secret not in "[secret] and more")
    said = f"{before}{secret} and more\n".encode(errors="replace")
    places = sorted({0, *(min(cut, len(said)) for cut in cuts), len(said)})
    told, hearing = hear(*(said[a:b] for a, b in pairwise(places)), secrets=(secret,))
    assert secret not in "\n".join((*told, *hearing.last_lines))


@pytest.mark.parametrize("kept", range(4, 24))
def test_a_cut_leaves_no_half_of_a_secret(kept: int) -> None:
    """A line that is too long, or a program that was killed, may end in the middle of one."""
    secret = "correct-horse-battery-staple"
    escapes = "\x1b[0m" * ((LONGEST_RAW - kept) // 4)
    begun = escapes + "." * (LONGEST_RAW - kept - len(escapes)) + secret
    told, hearing = hear(begun.encode(), secrets=(secret,))
    assert secret[:4] not in told[0]
    told, hearing = hear(f"password: {secret[:kept]}".encode(), secrets=(secret,), cut=True)
    assert told == ["password: [secret]"]
    assert hearing.last_lines == ("password: [secret]",)
