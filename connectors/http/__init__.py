"""One question over HTTP: the request, politeness (quota, breaker), the transport, and recordings in its place."""
