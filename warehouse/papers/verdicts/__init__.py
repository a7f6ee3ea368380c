"""A printed statement against published observations: the verdict, and everything that stands behind it.

statements  asking the formulas, and putting together what stands behind a verdict
judging     the decisions alone: which state is then, what one reading gives, which reading decides
rounding    what a printed number and its hedge allow
caveats     what else a reader must know of a verdict
causes_told what revised a number since
breaks      where a series means something else than before
checks      arithmetic and cross-text checks of what is printed
corrections which single misprint would make a check fit

Does not belong here: formulas and observations (beside this package), how a verdict is shown.
"""

from warehouse.papers.verdicts.statements import judge, with_checks

__all__ = ["judge", "with_checks"]
