"""Suites as code and the gate that decides what may be published; Great Expectations is imported here alone."""
