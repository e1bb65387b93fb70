"""What people do that holds a record: lock it, send it in for approval, share it for reading only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sagezoho_pipelines.sandbox.zoho_crm.guards import Lock, Place
from sagezoho_pipelines.sandbox.zoho_crm.organisation import Organisation

Params = dict[str, Any]


class Keepers:
    """The actions by name in `actions`; each takes {module, id, …} and answers {id}."""

    def __init__(self, org: Organisation) -> None:
        self.org = org
        self.actions: dict[str, Callable[[Params], Params]] = {
            "lock_record": self.lock_record,
            "submit_for_approval": self.submit_for_approval,
            "share_record": self.share_record,
        }

    def lock_record(self, given: Params) -> Params:
        """{module, id, locked? = true, automatic? = false}: by hand, or as a locking rule would."""
        place = self._place(given)
        if given.get("locked", True):
            automatic = given.get("automatic", False)
            reason = None if automatic else "Locked by hand"
            made = Lock(self.org.new_id(), self.org.users[1].id, self.org.now(), reason, automatic)
            self.org.guards.lock(self.org.table(place[0]), place[1], made)
        else:
            self.org.guards.unlock(self.org.table(place[0]), place[1])
        return {"id": str(place[1])}

    def submit_for_approval(self, given: Params) -> Params:
        """{module, id, pending? = true}: false where it was approved or rejected."""
        return self._set(self.org.guards.pending, given, held=given.get("pending", True))

    def share_record(self, given: Params) -> Params:
        """{module, id, read_only? = true}: what the integration user may do with it."""
        return self._set(self.org.guards.read_only, given, held=given.get("read_only", True))

    def _set(self, places: set[Place], given: Params, *, held: bool) -> Params:
        place = self._place(given)
        if held:
            places.add(place)
        else:
            places.discard(place)
        return {"id": str(place[1])}

    def _place(self, given: Params) -> Place:
        module, record_id = given["module"], int(given["id"])
        if module not in self.org.tables or record_id not in self.org.table(module).rows:
            raise ValueError(f"no {module} record {record_id}")
        return module, record_id
