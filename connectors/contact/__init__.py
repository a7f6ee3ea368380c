"""First contact with a provider: what is compared (compare), and which differences are expected."""
