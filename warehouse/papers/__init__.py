"""The papers: what they print, how it is recomputed from published observations, and what follows for each sentence.

catalogue  the papers, definitions, measures, groups and units as data, checked against each other
inputs     observations of every vintage that a formula may need, as known at any moment of an edition
formulas   a definition's SQL over those inputs, with what was missing
verdicts   a statement against its readings: then, now, and the word that follows
checks     arithmetic and cross-text checks of what is printed
changes    which verdicts a publish changes

Belongs here: everything between published observations and a reader's question whether a printed number holds. Does not belong
here: fetching, Prefect, Great Expectations.
"""
