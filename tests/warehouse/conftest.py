"""Fixtures that the tests of the warehouse share; what they do is in forms.py and lived.py."""

from tests.warehouse.forms import bucket, form, postgres, postgres_server, s3_server
from tests.warehouse.lived import lived, lived_once

__all__ = ["bucket", "form", "lived", "lived_once", "postgres", "postgres_server", "s3_server"]
