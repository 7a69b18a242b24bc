// Read in the head, so that the view without code is chosen before the page is drawn.
(() => {
  const KEY = "effifusion-code";
  const hidden = () => localStorage.getItem(KEY) === "hidden";
  const show = () => document.documentElement.classList.toggle("without-code", hidden());
  show();

  document.addEventListener("DOMContentLoaded", () => {
    // A page in a folder may not read the other pages, from which the search would quote.
    DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = location.protocol !== "file:";
    // The theme leaves its two sides without names.
    for (const side of document.querySelectorAll("aside"))
      side.ariaLabel = side.matches(".toc-drawer") ? "On this page" : "Pages";
    // A folded cell is called by the text that is seen.
    for (const line of document.querySelectorAll("details.hide > summary"))
      line.removeAttribute("aria-label");
    addSwitch();
    addEventListener("resize", reachBoxes);
    reachBoxes();
  });

  function addSwitch() {
    if (!document.querySelector(".cell_input")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "code-switch";
    button.textContent = "Hide the code";
    const mark = () => button.setAttribute("aria-pressed", hidden());
    button.addEventListener("click", () => {
      localStorage.setItem(KEY, hidden() ? "shown" : "hidden");
      show();
      mark();
    });
    mark();
    document.querySelector("h1").after(button);
  }

  // What scrolls in its own box can be reached by the keyboard.
  function reachBoxes() {
    for (const box of document.querySelectorAll("pre, .formula, .table-wrapper, .output"))
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
  }
})();
