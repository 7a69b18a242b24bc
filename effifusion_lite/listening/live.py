"""Live widgets: controls that work while a kernel runs, and what a page without one shows instead.

After each change of a control its work is done anew. Meanwhile a line says so, and an exception is
shown where the result would stand.
"""

import html
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ipywidgets as widgets
from IPython.display import display


@dataclass(frozen=True)
class Live:
    """A widget, and the HTML that a page without a kernel shows in its place.

    As the last value of a cell it displays itself in both forms; a page takes the one it can show.
    """

    widget: widgets.Widget
    html: str

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {**self.widget._repr_mimebundle_(), "text/html": self.html}


def respond(
    controls: Sequence[widgets.Widget],
    work: Callable[[], Sequence],
    first: Sequence,
    watched: Sequence[widgets.Widget] | None = None,
) -> widgets.VBox:
    """Join controls with what they do.

    Args:
        controls: the widgets to be shown above the result.
        work: does the work for the present values of the controls and returns what is to be
            displayed: rows, figures as HTML, texts.
        first: what is displayed until a control changes.
        watched: the controls whose `value` starts the work; all of `controls` if None.

    Returns:
        Controls, a line that says how far the work is, and the result below.
    """
    state, result = widgets.HTML(), widgets.Output()

    def follow(change=None) -> None:
        state.value = "<p role='status'>At work …</p>"
        started = time.perf_counter()
        result.clear_output(wait=True)
        with result:  # an exception that passes here is displayed here
            try:
                display(*work())
            except BaseException as error:
                reason = html.escape(str(error) or type(error).__name__)
                state.value = f"<p role='status'>This did not work: {reason}</p>"
                raise
            seconds = time.perf_counter() - started
            state.value = f"<p role='status'>Ready after {seconds:.1f} s.</p>"

    with result:
        display(*first)
    for control in controls if watched is None else watched:
        control.observe(follow, names="value")
    return widgets.VBox([*controls, state, result])


def without_kernel(text: str, shown: str) -> str:
    """Say what the widget would do, above its first result.

    Args:
        text: one sentence of HTML.
        shown: HTML of the first result.

    Returns:
        HTML.
    """
    return f"<p><em>This page has no kernel. {text}</em></p>\n{shown}"
