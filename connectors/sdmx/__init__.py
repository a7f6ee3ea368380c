"""SDMX data messages in all their forms, as tables of strings. No provider's habits belong here."""
