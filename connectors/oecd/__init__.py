"""The OECD: how it is asked (connector), what its answers mean (errors) and hold (parse), kept messages (stored), structures."""
