"""What one protocol refuses is tried over the other; what is the same over both is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from dpps.adapters.storage.by_scheme import StreamedStorage
from dpps.adapters.storage.second_protocol import SecondProtocol
from dpps.adapters.storage.server_errors import spoken_error
from dpps.domain.errors import DppsError, NotAuthorized
from dpps.domain.files import FileContent

SOURCE, DESTINATION = "https://a:1//ctao/x.dat", "davs://b:1/ctao/y.dat"
CONTENT = FileContent(size_bytes=1, adler32="00000001")


@dataclass
class Copier:
    """One protocol, which fails with these words or copies."""

    words: str = ""
    at_source: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    def copy_aside(
        self, source_url: str, destination_url: str, token: str, proceed: Callable[[], None]
    ) -> tuple[FileContent | None, FileContent]:
        self.asked.append((source_url, destination_url))
        if self.words:
            raise spoken_error(self.words, source_url if self.at_source else destination_url)
        return None, CONTENT


def storage(https: Copier, root: Copier) -> SecondProtocol:
    kinds = {"https": https, "davs": https, "root": root, "roots": root}
    return SecondProtocol(cast("dict[str, StreamedStorage]", kinds))


@pytest.mark.parametrize("words", ["permission denied", "who knows"])
def test_a_refusal_is_tried_over_the_other_protocol(words: str) -> None:
    https, root = Copier(words), Copier()

    assert storage(https, root).copy_aside(SOURCE, DESTINATION, "1", lambda: None) == (None, CONTENT)
    assert root.asked == [("roots://a:1//ctao/x.dat", "roots://b:1//ctao/y.dat")]


def test_after_a_denial_of_the_source_it_is_shown_no_token_that_writes_elsewhere() -> None:
    https, root = Copier("permission denied", at_source=True), Copier()

    with pytest.raises(NotAuthorized):
        storage(https, root).copy_aside(SOURCE, DESTINATION, "1", lambda: None)
    assert root.asked == []


def test_it_goes_the_other_way_too() -> None:
    https, root = Copier(), Copier("auth failed")

    storage(https, root).copy_aside("root://a:1//ctao/x", "roots://b:1//ctao/y", "1", lambda: None)
    assert https.asked == [("davs://a:1/ctao/x", "davs://b:1/ctao/y")]


@pytest.mark.parametrize("words", ["no such file", "no space left", "connect", "timed out", "certificate"])
def test_what_is_the_same_over_both_is_not_tried_again(words: str) -> None:
    https, root = Copier(words), Copier()

    with pytest.raises(DppsError):
        storage(https, root).copy_aside(SOURCE, DESTINATION, "1", lambda: None)
    assert root.asked == []


def test_when_both_fail_both_are_told_under_the_names_that_the_caller_knows() -> None:
    https, root = Copier("permission denied"), Copier("no room here")

    with pytest.raises(NotAuthorized) as raised:
        storage(https, root).copy_aside(SOURCE, DESTINATION, "1", lambda: None)

    assert raised.value.identifiers["url"] == DESTINATION
    assert "permission denied" in raised.value.message
    assert "no room here" in raised.value.message
    assert raised.value.next_step


def test_between_a_folder_and_a_server_there_is_one_way_only() -> None:
    https = Copier("permission denied")
    kinds = cast("dict[str, StreamedStorage]", {"file": https, "https": https})

    with pytest.raises(NotAuthorized):
        SecondProtocol(kinds).copy_aside(
            "file://localhost/x", DESTINATION.replace("davs", "https"), "1", print
        )
    assert len(https.asked) == 1
