"""The static site: what the warehouse says of the papers, as pages in English and Chinese.

build     which pages there are, what they are made of, and swapping them in
pages     what each kind of page shows
compared  which states stand for then, and whether a statement still stands
ledger    what an edition holds: datasets, vintages, batches, payloads
voice     languages, digits and marks
files     charts, drawn once for what they show

Does not belong here: verdicts, charts themselves (figures), the operator's overview (warehouse/pages).
"""

from warehouse.papers.site.build import write

__all__ = ["write"]
