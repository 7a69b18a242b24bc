"""Quiz questions as static HTML: no kernel, no script, and every answer explains itself."""

import html
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Quiz:
    """One question, its answers with their explanations, and which of them is right.

    Displays itself as HTML at the end of a notebook cell; `html` is the same text as a string.
    """

    question: str
    answers: dict[str, str]
    correct: str

    @property
    def html(self) -> str:
        items = "\n".join(
            _item(answer, explanation, answer == self.correct)
            for answer, explanation in self.answers.items()
        )
        return f"<p><strong>{_inline(self.question)}</strong></p>\n<ul>\n{items}\n</ul>"

    def _repr_html_(self) -> str:
        return self.html


def quiz(question: str, answers: dict[str, str], correct: str) -> Quiz:
    """Make a quiz question that opens an explanation behind each answer.

    Each answer is a `<details>` element: the keyboard opens it, a screen reader announces it, and
    it works on a static page. Text between backticks is set as code.

    Args:
        question: the question, in one sentence.
        answers: maps each answer to the reason why it is right or wrong.
        correct: the right answer, one of the keys of `answers`.

    Returns:
        The question; as the last value of a cell it displays itself.

    Raises:
        ValueError: fewer than two answers, an empty explanation, or `correct` is no answer.
    """
    if len(answers) < 2:
        raise ValueError("a quiz needs at least two answers")
    if correct not in answers:
        raise ValueError(f"the correct answer {correct!r} is not among the answers: {[*answers]}")
    silent = [answer for answer, explanation in answers.items() if not explanation.strip()]
    if silent:
        raise ValueError(f"these answers lack their explanation: {silent}")
    return Quiz(question, dict(answers), correct)


def _item(answer: str, explanation: str, right: bool) -> str:
    verdict = "Right." if right else "Not this one."
    return (
        f"<li><details><summary>{_inline(answer)}</summary>"
        f"<p><strong>{verdict}</strong> {_inline(explanation)}</p></details></li>"
    )


def _inline(text: str) -> str:
    escaped = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)
