"""Tables of publications that a person drops into a folder: manifest, tables, what stands where in them."""
