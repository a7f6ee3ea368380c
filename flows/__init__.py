"""The sequence of a refresh, its Prefect flows, the service and the command line; Prefect is imported here alone."""
