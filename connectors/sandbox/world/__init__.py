"""Scenario worlds: what is in them, how they are read from files, and how they get into the doubles."""

from connectors.sandbox.world.errors import WorldError
from connectors.sandbox.world.loading import CustomerIds, Doubles, Keys, arrive, load
from connectors.sandbox.world.model import Setting, World
from connectors.sandbox.world.parts import Reviewer, Ticket
from connectors.sandbox.world.reading import read_faults, read_json, read_setting, read_yaml
from connectors.sandbox.world.schedule import Schedule
from connectors.sandbox.world.third_party import ticket_line_world

__all__ = [
    "CustomerIds",
    "Doubles",
    "Keys",
    "Reviewer",
    "Schedule",
    "Setting",
    "Ticket",
    "World",
    "WorldError",
    "arrive",
    "load",
    "read_faults",
    "read_json",
    "read_setting",
    "read_yaml",
    "ticket_line_world",
]
