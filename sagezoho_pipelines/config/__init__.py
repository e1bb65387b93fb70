"""`sagezoho.yaml`: connections, flows, cadence and order lines. Secrets never live here.

Every key but a connection's two addresses has a default. An unknown key, or a value that does not fit, is a
ConfigurationError that names file, line and key.
"""

from __future__ import annotations

from sagezoho_pipelines.config.cadence import Cadence
from sagezoho_pipelines.config.connections import Connection, Notifications, Retries, Sage300Settings, ZohoCrmSettings
from sagezoho_pipelines.config.customers import CustomersFlow, NumberRule
from sagezoho_pipelines.config.flows import FLOWS, Flows, InvoicesFlow, VendorsFlow
from sagezoho_pipelines.config.guards import Guards
from sagezoho_pipelines.config.identity import IdentityFlow, PairSettings
from sagezoho_pipelines.config.mappings import MappingOverrides, Mappings
from sagezoho_pipelines.config.match import CustomersMatch, Match, VendorsMatch
from sagezoho_pipelines.config.orders import AmountLine, OrdersFlow, SubformLines
from sagezoho_pipelines.config.processes import Alerts, Gateway
from sagezoho_pipelines.config.reading import config_path, home, load, parse
from sagezoho_pipelines.config.settings import Settings

__all__ = [
    "FLOWS",
    "Alerts",
    "AmountLine",
    "Cadence",
    "Connection",
    "CustomersFlow",
    "CustomersMatch",
    "Flows",
    "Gateway",
    "Guards",
    "IdentityFlow",
    "InvoicesFlow",
    "MappingOverrides",
    "Mappings",
    "Match",
    "Notifications",
    "NumberRule",
    "OrdersFlow",
    "PairSettings",
    "Retries",
    "Sage300Settings",
    "Settings",
    "SubformLines",
    "VendorsFlow",
    "VendorsMatch",
    "ZohoCrmSettings",
    "config_path",
    "home",
    "load",
    "parse",
]
