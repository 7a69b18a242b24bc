"""What a chapter needs to be a lesson: checks of the exercises, quizzes, the table of claims."""

from effifusion_lite.lesson.claims import Claim, claim_table
from effifusion_lite.lesson.quiz import quiz

__all__ = ["Claim", "claim_table", "quiz"]
