"""Live widgets: controls that work while a kernel runs, and what a page without one shows instead.

After each change of a control its work is done anew. Meanwhile a line says so. What the reader can
mend (`Unusable`) is told in that line; any other exception is shown where the result would stand.
"""

import html
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ipywidgets as widgets
from IPython.display import display


class Unusable(ValueError):
    """What the reader gave cannot be used; the message says why and what to do instead."""


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

    def tell(text: str) -> None:
        state.value = f"<p role='status'>{html.escape(text)}</p>"

    def follow(change=None) -> None:
        tell("At work …")
        started = time.perf_counter()
        result.clear_output(wait=True)
        with result:  # an exception that passes here is displayed here
            try:
                display(*work())
            except Unusable as error:
                result.clear_output()  # of the sound before; the sentence is all there is to know
                return tell(f"This did not work: {error}")
            except BaseException as error:
                tell(f"This did not work: {str(error) or type(error).__name__}")
                raise
            tell(f"Ready after {time.perf_counter() - started:.1f} s.")

    for item in first:  # `with result` would wait for a front end, which a build does not have
        result.append_display_data(item)
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
