"""The World Bank: how it is asked (connector), its forms (rows), what its answers mean (errors) and hold (parse)."""
