"""All that talks to a provider: one contract, one short module a provider, one file a dataset."""
