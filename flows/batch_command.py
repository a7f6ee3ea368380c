"""`figurekeeper batch`: all about one batch at a shell, for the person who must decide on it; part of the command line (cli).

Belongs here: the command's arguments and how the facts are printed. What stands in it is in held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from flows import output
from flows.output import Format


def batch(
    batch: Annotated[str, typer.Argument(help="a batch id from `figurekeeper batches`")],
    form: Annotated[Format, typer.Option("--format", help="how to print")] = Format.TABLE,
) -> None:
    """One refresh: its decision, the checks that failed, the worst observations beside the published ones, what to do."""
    from flows import held, links, settings

    current = settings.load()
    facts, known = held.facts(current, batch), links.of(current)
    if form is not Format.TABLE:
        output.tree(facts, form, profile=current.profile)
        return
    actions = [action for action in str(facts["batch"]["can"]).split(", ") if action]
    told = {name: facts[name] for name in ("batch", "parts", "asked", "decisions", "serving")}
    told["failed checks"] = [f"{one['severity']}: {one['rule']} {held.sentence(one)}" for one in facts["checks"]]
    if "en" in facts["verdicts"]:
        told["a release would change"] = facts["verdicts"]["en"] or ["no verdict on a paper"]
    told["what to do"] = [f"figurekeeper {action} {batch} --reason … --by …" for action in actions]
    told["what to do"] += [f"or {address}" for action in actions if (address := known.review(batch, action))]
    output.tree({name: value for name, value in told.items() if value}, form, profile=current.profile)
    if facts["worst"]:
        print("worst observations, beside those published last")
        cells = [{**cell, "rules": ", ".join(cell["rules"])} for cell in facts["worst"]]
        output.rows(cells, form)


COMMANDS: tuple[Callable[..., None], ...] = (batch,)
