"""Quiz questions: static, explained, safe."""

import pytest

from effifusion_lite.lesson import quiz

ANSWERS = {"`[F, T]`": "Frequency comes first.", "[T, F]": "Time comes second."}


def test_each_answer_opens_its_own_explanation():
    page = quiz("Which shape?", ANSWERS, correct="`[F, T]`").html
    assert page.count("<details>") == page.count("</details>") == 2
    assert "<summary><code>[F, T]</code></summary><p><strong>Right.</strong> Frequency" in page
    assert "<summary>[T, F]</summary><p><strong>Not this one.</strong> Time" in page


def test_page_has_no_script_and_no_raw_markup():
    page = quiz("a < b?", {"<script>": "x & y", "no": "z"}, correct="no").html
    assert "<script" not in page
    assert "a &lt; b?" in page and "x &amp; y" in page


@pytest.mark.parametrize(
    ("answers", "correct", "message"),
    [
        ({"yes": "it is"}, "yes", "at least two answers"),
        (ANSWERS, "[B]", "not among the answers"),
        ({"yes": "it is", "no": " "}, "yes", r"lack their explanation: \['no'\]"),
    ],
)
def test_incomplete_question_is_refused(answers, correct, message):
    with pytest.raises(ValueError, match=message):
        quiz("Is it?", answers, correct)
