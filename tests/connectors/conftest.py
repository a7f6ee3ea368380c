"""Fixtures that the connectors' tests share with the warehouse's."""

from tests.warehouse.forms import postgres, postgres_server

__all__ = ["postgres", "postgres_server"]
