"""POST, PATCH, PUT, DELETE, `$template` and `$process`, each sent to the module that knows the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sagezoho_pipelines.sandbox.sage300.batches import LEDGERS, create_batch, update_batch
from sagezoho_pipelines.sandbox.sage300.catalog import EntitySet
from sagezoho_pipelines.sandbox.sage300.masters import create_master, delete_master, new_master, update_master
from sagezoho_pipelines.sandbox.sage300.orders import create_order, new_order
from sagezoho_pipelines.sandbox.sage300.payloads import OPERATION, read_payload, without_operations
from sagezoho_pipelines.sandbox.sage300.posting import post_batches
from sagezoho_pipelines.sandbox.sage300.schema import Row

if TYPE_CHECKING:
    from sagezoho_pipelines.sandbox.sage300.world import SageWorld

_POSTS = {"ARPostInvoices": "ARInvoiceBatches", "APPostInvoices": "APInvoiceBatches"}


def create(world: SageWorld, entity: EntitySet, body: bytes, user: str) -> Row:
    """The record as stored. Raises SageError."""
    payload = read_payload(entity, body)
    payload.pop(OPERATION, None)
    if entity.name == "OEOrders":
        return create_order(world, payload, user)
    if entity.name in LEDGERS:
        return create_batch(world, entity.name, payload, user)
    return create_master(world, entity.name, _by_its_name(world, entity, payload))


def template(world: SageWorld, entity: EntitySet) -> Row:
    """A new record's default values; nothing is stored."""
    if entity.name == "OEOrders":
        return new_order(world)
    if entity.name in LEDGERS:
        return {"BatchDate": world.session_date, "BatchStatus": "Open"}
    return new_master(world, entity.name)


def update(world: SageWorld, entity: EntitySet, row: Row, body: bytes, user: str, *, purge: bool) -> None:
    payload = read_payload(entity, body)
    payload.pop(OPERATION, None)
    if entity.name in LEDGERS:
        update_batch(world, entity.name, row, payload, user)
    elif entity.name == "OEOrders":
        changed = {name: value for name, value in without_operations(payload).items() if name != "OrderDetails"}
        world.table(entity.name).change(row, **changed)
    else:
        update_master(world, entity.name, row, _by_its_name(world, entity, payload), purge=purge)


def _by_its_name(world: SageWorld, entity: EntitySet, payload: Row) -> Row:
    """The payload with the key property called what the table calls it."""
    [shown], [kept] = entity.key[:1], world.table(entity.name).entity.key[:1]
    return {kept if name == shown else name: value for name, value in payload.items()}


def delete(world: SageWorld, entity: EntitySet, row: Row) -> None:
    if entity.name == "OEOrders":
        world.table(entity.name).delete(world.table(entity.name).key_of(row))
    else:
        delete_master(world, entity.name, row)


def process(world: SageWorld, entity: EntitySet, body: bytes) -> None:
    post_batches(world, _POSTS[entity.name], read_payload(entity, body))
