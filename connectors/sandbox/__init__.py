"""A local HTTP server that speaks the three providers' wire formats over real figures and their real vintages.

server.py listens and logs; oecd_wire.py, worldbank_wire.py and nbs_wire.py each speak one provider's formats; facts.py
says what was known on a day; faults.py misbehaves on request; make_facts.py builds the tables under facts/. Nothing in
here imports the connectors' clients or parsers: the two sides of the wire must not share an error.
"""
