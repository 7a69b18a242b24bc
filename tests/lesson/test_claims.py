"""The claim table: every row says where its statement was read."""

import pytest

from effifusion_lite.lesson import Claim, claim_table


def test_table_shows_all_columns_of_each_row():
    claim = Claim("c < 1", "summaries of the paper", "0.3", "section 2", "They agree.")
    page = claim_table(claim, claim)._repr_html_()
    assert page.count("<tr>") == 3  # the head and two rows
    for text in ("c &lt; 1", "summaries of the paper", "0.3", "section 2", "They agree."):
        assert page.count(f">{text}</td>") == 2


def test_origin_must_be_known():
    with pytest.raises(ValueError, match="origin is 'hearsay'"):
        Claim("c", "hearsay", "0.3", "section 2", "They agree.")


def test_empty_table_is_refused():
    with pytest.raises(ValueError, match="at least one row"):
        claim_table()
