"""The claim table that closes a chapter: what the paper says, what we found here, and why."""

import html
from dataclasses import dataclass

ORIGINS = ("the paper's abstract", "summaries of the paper", "not known, choice of this project")


@dataclass(frozen=True)
class Claim:
    """One row of a claim table.

    Args:
        statement: what the paper says, or what had to be chosen where it says nothing.
        origin: where the statement was read, one of ORIGINS.
        ours: the number or fact of this chapter.
        cell: the section whose cell makes it.
        reason: why the two agree, differ, or cannot be compared.
    """

    statement: str
    origin: str
    ours: str
    cell: str
    reason: str

    def __post_init__(self) -> None:
        if self.origin not in ORIGINS:
            raise ValueError(f"origin is {self.origin!r}, write one of {ORIGINS}")


@dataclass(frozen=True)
class ClaimTable:
    """Rows that display themselves as an HTML table."""

    claims: tuple[Claim, ...]

    def __repr__(self) -> str:
        return f"Claim table: {len(self.claims)} rows"

    def _repr_html_(self) -> str:
        heads = ("The paper", "Read in", "Here", "Where", "Why they differ, or not")
        head = "".join(f'<th scope="col" style="text-align: left">{text}</th>' for text in heads)
        rows = "\n".join(f"<tr>{_cells(claim)}</tr>" for claim in self.claims)
        return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def claim_table(*claims: Claim) -> ClaimTable:
    """Make a table of claims; as the last value of a cell it displays itself.

    Args:
        claims: the rows.

    Returns:
        The table.

    Raises:
        ValueError: there is no row.
    """
    if not claims:
        raise ValueError("a claim table needs at least one row")
    return ClaimTable(claims)


def _cells(claim: Claim) -> str:
    texts = (claim.statement, claim.origin, claim.ours, claim.cell, claim.reason)
    return "".join(f'<td style="text-align: left">{html.escape(text)}</td>' for text in texts)
