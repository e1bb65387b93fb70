"""Faults, for both simulated vendors: which requests go wrong, and how.

A FaultBook holds rules; the middleware (`fault_play`) asks it about every request and plays what the matching rules
say. Several rules can match one request: waiting rules (latency, slow_body, truncate, token_revoked) all apply, and
the first rule that answers or breaks the connection decides the rest.
"""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from sagezoho_pipelines.sandbox.counters import WRITING_METHODS

CONTROL_PREFIX = "/__sandbox__/"


ActionName = Literal[
    "latency",
    "slow_body",
    "status",
    "respond",
    "reset_before",
    "reset_after",
    "truncate",
    "hang",
    "hang_after",
    "token_revoked",
    "day_end",
    "post_in_progress",
    "refuse_row",
]


@dataclass(frozen=True)
class Canned:
    """An answer that comes from a rule and never from the vendor's application."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass
class FaultRule:
    """Which requests go wrong, when, and how.

    `method` and `path` are regular expressions (`method` matched whole, `path` searched in path and query), `contains`
    a substring of the request body. `nth` fires on that matching call only (1 is the first), `times` at most so often,
    `rate` with that probability, drawn from `seed`; `first_sending` fires on the first call only with the same method,
    path and body. `seconds` is the wait of latency, slow_body and of the hangs: hang serves nothing, hang_after serves
    the call and never answers it. `keep` is the bytes of body that truncate lets through (half of them when None).
    refuse_row refuses single rows of a batch with `code`, one of the vendor's own: it counts, and draws for, each row.
    """

    action: ActionName
    method: str | None = None
    path: str | None = None
    contains: str | None = None
    nth: int | None = None
    times: int | None = None
    rate: float | None = None
    seed: int = 0
    first_sending: bool = False
    seconds: float = 0.0
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: str | dict[str, Any] | None = None
    keep: int | None = None
    code: str = ""
    id: int = 0
    matched: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        if self.action not in get_args(ActionName):
            raise ValueError(f"no fault called {self.action!r}; there are {', '.join(get_args(ActionName))}")
        self._method = re.compile(self.method, re.IGNORECASE) if self.method else None
        self._path = re.compile(self.path) if self.path else None
        self._random = random.Random(self.seed)
        self._sent: set[int] = set()

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> FaultRule:
        """A rule from the control API's object; an unknown key is refused."""
        known = {f.name for f in fields(cls)} - {"id", "matched", "fired"}
        unknown = set(given) - known
        if unknown:
            raise ValueError(f"a fault rule has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
        return cls(**given)

    def covers(self, method: str, target: str, body: bytes) -> bool:
        if self._method is not None and not self._method.fullmatch(method):
            return False
        if self._path is not None and not self._path.search(target):
            return False
        if self.contains is not None and self.contains.encode() not in body:
            return False
        if self.first_sending:
            sending = hash((method, target, body))
            if sending in self._sent:
                return False
            self._sent.add(sending)
        return True

    def fires(self) -> bool:
        """Counts one matching call and says whether the rule acts on it."""
        self.matched += 1
        if self.nth is not None and self.matched != self.nth:
            return False
        if self.times is not None and self.fired >= self.times:
            return False
        if self.rate is not None and self._random.random() >= self.rate:
            return False
        self.fired += 1
        return True


class FaultBook:
    """The rules of one vendor, thread-safe, with what is particular to that vendor.

    `statuses` gives the body a vendor sends for a bare status rule; `shortcuts` the canned answers behind day_end and
    post_in_progress (asked for writes only); `hooks` functions called for token_revoked before the application runs;
    `row_codes` the codes with which the vendor refuses single rows of a batch: its application asks `row_refused`.
    `admit` is asked with the number of requests in flight, this one included, and may answer in the application's
    place.
    """

    def __init__(
        self,
        *,
        statuses: Callable[[int], Canned] | None = None,
        shortcuts: Mapping[str, Canned] | None = None,
        hooks: Mapping[str, Callable[[], None]] | None = None,
        is_write: Callable[[str, str], bool] | None = None,
        admit: Callable[[int], Canned | None] | None = None,
        row_codes: Collection[str] = (),
    ) -> None:
        self.latency = 0.0
        """Seconds every request waits before the application sees it."""
        self.statuses = statuses or (lambda status: Canned(status))
        self.shortcuts = dict(shortcuts or {})
        self.hooks = dict(hooks or {})
        self.row_codes = frozenset(row_codes)
        self.is_write = is_write or (lambda method, _path: method in WRITING_METHODS)
        self.admit = admit or (lambda _in_flight: None)
        self._rules: list[FaultRule] = []
        self._next_id = 1
        self._lock = threading.Lock()

    def add(self, action: ActionName, **options: Any) -> FaultRule:
        """Adds a rule; options are the fields of FaultRule."""
        return self.add_rule(FaultRule.from_json({"action": action, **options}))

    def add_rule(self, rule: FaultRule) -> FaultRule:
        if rule.action in ("day_end", "post_in_progress") and rule.action not in self.shortcuts:
            raise ValueError(f"this vendor has no {rule.action}")
        if rule.action == "token_revoked" and rule.action not in self.hooks:
            raise ValueError("this vendor has no tokens to revoke")
        if rule.action == "refuse_row" and rule.code not in self.row_codes:
            known = ", ".join(sorted(self.row_codes)) or "it takes one row at a time"
            raise ValueError(f"this vendor refuses no row with {rule.code!r}: {known}")
        with self._lock:
            rule.id, self._next_id = self._next_id, self._next_id + 1
            self._rules.append(rule)
        return rule

    def remove(self, rule_id: int) -> bool:
        with self._lock:
            before = len(self._rules)
            self._rules = [rule for rule in self._rules if rule.id != rule_id]
            return len(self._rules) < before

    def clear(self) -> None:
        """Drops all rules and the general latency."""
        with self._lock:
            self._rules.clear()
            self.latency = 0.0

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(rule) for rule in self._rules]

    def due(self, method: str, path: str, query: str, body: bytes) -> list[FaultRule]:
        """The rules that act on this request, counting it for each rule it matches."""
        if not self._rules:
            return []
        target = f"{path}?{query}" if query else path
        writing = self.is_write(method, path)
        with self._lock:
            return [
                rule
                for rule in self._rules
                if rule.action != "refuse_row"
                and (writing or rule.action not in self.shortcuts)
                and rule.covers(method, target, body)
                and rule.fires()
            ]

    def row_refused(self, method: str, target: str, row: object) -> str | None:
        """The code with which a rule refuses this row of a batch, counting it for each rule it matches."""
        with self._lock:
            rules = [rule for rule in self._rules if rule.action == "refuse_row"]
            if not rules:
                return None
            content = json.dumps(row, default=str, ensure_ascii=False).encode()
            codes = [rule.code for rule in rules if rule.covers(method, target, content) and rule.fires()]
        return codes[0] if codes else None

    def canned(self, rule: FaultRule) -> Canned:
        """The answer a status, respond or shortcut rule gives."""
        if rule.action in self.shortcuts:
            return self.shortcuts[rule.action]
        if rule.action == "status" and rule.body is None:
            plain = self.statuses(rule.status)
            return Canned(plain.status, {**plain.headers, **rule.headers}, plain.body)
        headers = dict(rule.headers)
        if isinstance(rule.body, dict):
            headers.setdefault("content-type", "application/json")
            return Canned(rule.status, headers, json.dumps(rule.body, ensure_ascii=False))
        return Canned(rule.status, headers, rule.body or "")
