"""A local HTTP server that speaks the three providers' wire formats over real figures and their real vintages.

server.py listens and logs. oecd_wire.py, worldbank_wire.py and nbs_wire.py each speak one provider's formats, with
oecd_structures.py and worldbank_lists.py for what is not data. facts.py says what was known on a day, oecd_flows.py which
OECD flows there are, own_facts.py what a user adds. faults.py misbehaves on request, in structures by way of
oecd_changes.py. make_facts.py builds the tables under facts/. Nothing in here imports the connectors' clients or parsers:
the two sides of the wire must not share an error.
"""
