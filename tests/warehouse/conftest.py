"""Fixtures that the tests of the warehouse share; what they do is in forms.py."""

from tests.warehouse.forms import bucket, form, postgres, postgres_server, s3_server

__all__ = ["bucket", "form", "postgres", "postgres_server", "s3_server"]
