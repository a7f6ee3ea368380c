"""The papers: what they print, how it is recomputed from published observations, and what follows for each sentence.

model, results     what the files of the papers say, and what is said of them, as types
vocabulary         definitions, measures, groups and units as data: what statements are written in
catalogue, entries the papers as data, and what is wrong with one entry against the others
own, own_…         a paper of one's own from a spreadsheet: its cells, the words in them, templates
inputs, formulas   observations of every vintage, and a definition's SQL over them, with what was missing
verdicts/          a statement against its readings: then, now, and the word that follows
changes            which verdicts a publish changes; printed_cells which revisions change a printed number
rows, asking       verdicts as rows with stable fields, for every face; tables puts them into indicators.duckdb
figures/           exhibits as tables, pictures, downloads and bundles
site/              the static pages

Belongs here: everything between published observations and a reader's question whether a printed number holds. Does not belong
here: fetching, Prefect, Great Expectations.
"""
