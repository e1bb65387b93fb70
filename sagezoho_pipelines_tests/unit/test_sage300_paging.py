from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sagezoho_pipelines.domain.errors import VendorError
from sagezoho_pipelines.sage300.paging import ServedPage, read_pages


class Server:
    """A set in key order whose pages hold at most `limit` rows; `act` runs before the n-th request is answered."""

    def __init__(self, count: int, *, asked: int = 10, limit: int = 10, links: bool = True) -> None:
        self.keys = [f"{number:05}" for number in range(count)]
        self.asked, self.limit, self.links = asked, limit, links
        self.requests: list[int] = []
        self.act: dict[int, Callable[[], None]] = {}
        self.lock = threading.Lock()

    def fetch(self, skip: int) -> ServedPage:
        with self.lock:
            self.requests.append(skip)
            if act := self.act.get(len(self.requests)):
                act()
            end = skip + min(self.asked, self.limit)
            rows = [{"K": key} for key in self.keys[skip:end]]
            return ServedPage(rows, self.links and end < len(self.keys) and len(rows) < self.asked)

    def read(self, *, ahead: int = 0) -> list[str]:
        pages = read_pages(self.fetch, key=("K",), ahead=ahead, stop=threading.Event())
        return [str(row["K"]) for page in pages for row in page]


@pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 18, 19, 20, 21, 100, 101])
@pytest.mark.parametrize(("asked", "limit", "links"), [(10, 10, True), (10, 4, True), (10, 4, False), (10, 1, False)])
@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_every_row_is_read_once(count: int, asked: int, limit: int, links: bool, ahead: int) -> None:
    server = Server(count, asked=asked, limit=limit, links=links)
    assert server.read(ahead=ahead) == server.keys


def test_one_page_more_than_needed_is_all_it_costs() -> None:
    server = Server(100)
    server.read()
    assert server.requests == [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99]
    short = Server(3)
    short.read()
    assert short.requests == [0, 2]


@pytest.mark.parametrize("gone", [1, 2, 5, 9, 10, 15])
def test_rows_deleted_before_our_place_make_us_step_back(gone: int) -> None:
    server = Server(60)
    server.act[3] = lambda: server.keys.__delitem__(slice(0, gone))
    read = server.read()
    assert set(read) == {f"{number:05}" for number in range(60)}


def test_the_row_we_stand_on_may_go() -> None:
    server = Server(40)
    server.act[3] = lambda: server.keys.__delitem__(slice(15, 19))
    assert server.read() == [f"{number:05}" for number in range(40)]


def test_a_set_that_shrinks_below_our_place_is_read_to_its_end() -> None:
    server = Server(60)
    server.act[5] = lambda: server.keys.__delitem__(slice(0, 40))
    assert set(server.read()) >= set(server.keys)


def test_rows_that_go_at_every_turn_near_the_front_are_no_dead_end() -> None:
    server = Server(200)
    for request in range(2, 60):
        server.act[request] = lambda: server.keys.__delitem__(slice(0, 2))
    stays = set(server.keys[118:])
    assert stays <= set(server.read())


@settings(deadline=None, max_examples=150)
@given(
    st.integers(0, 60),
    st.lists(st.tuples(st.integers(1, 12), st.booleans(), st.integers(0, 99), st.integers(1, 12)), max_size=6),
    st.sampled_from([0, 2]),
    st.sampled_from([3, 10]),
)
def test_no_row_that_stays_is_missed(
    count: int, acts: list[tuple[int, bool, int, int]], ahead: int, limit: int
) -> None:
    server = Server(count, limit=limit)
    gone: set[str] = set()

    def act(delete: bool, place: int, many: int) -> Callable[[], None]:
        def run() -> None:
            at = place * len(server.keys) // 100
            if delete:
                gone.update(server.keys[at : at + many])
                del server.keys[at : at + many]
            else:
                before = server.keys[at - 1] if at else "-"
                server.keys[at:at] = [f"{before}+{number:02}" for number in range(many)]

        return run

    stays = set(server.keys)
    server.act = {number: act(delete, place, many) for number, delete, place, many in acts}
    read = set(server.read(ahead=ahead))
    assert stays - gone <= read


def test_a_server_that_ignores_skip_is_not_read_for_ever() -> None:
    page = ServedPage([{"K": "1"}, {"K": "2"}], True)
    with pytest.raises(VendorError) as stuck:
        list(read_pages(lambda _: page, key=("K",), ahead=1, stop=threading.Event()))
    assert stuck.value.code == "PagingStuck"


def test_rows_that_are_never_the_same_twice_are_not_read_for_ever() -> None:
    numbers = iter(range(1000))
    fetch = lambda _: ServedPage([{"V": next(numbers)}, {"V": next(numbers)}], True)  # noqa: E731
    with pytest.raises(VendorError):
        list(read_pages(fetch, key=("K",), ahead=0, stop=threading.Event()))


def test_sets_without_a_known_key_are_told_apart_by_the_whole_row() -> None:
    server = Server(35)
    pages = read_pages(server.fetch, key=(), ahead=0, stop=threading.Event())
    assert [row["K"] for page in pages for row in page] == server.keys


def test_the_next_page_is_read_while_the_caller_works() -> None:
    server = Server(60)
    pages = read_pages(server.fetch, key=("K",), ahead=2, stop=threading.Event())
    next(pages)
    for _ in range(200):
        if len(server.requests) >= 2:
            break
        threading.Event().wait(0.01)
    assert len(server.requests) >= 2
    assert len(server.requests) <= 3
    pages.close()  # type: ignore[attr-defined]


def test_closing_early_stops_and_joins_the_threads() -> None:
    server, stop = Server(600), threading.Event()
    pages = read_pages(server.fetch, key=("K",), ahead=3, stop=stop)
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert stop.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sage300-pages")]


def test_an_error_comes_after_the_pages_before_it() -> None:
    server = Server(60)

    def fetch(skip: int) -> ServedPage:
        if skip >= 18:
            raise ValueError("broken")
        return server.fetch(skip)

    pages = read_pages(fetch, key=("K",), ahead=2, stop=threading.Event())
    read = [str(row["K"]) for page in (next(pages), next(pages)) for row in page]
    with pytest.raises(ValueError, match="broken"):
        next(pages)
    assert len(read) == 19
