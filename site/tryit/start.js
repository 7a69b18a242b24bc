// Begins what the page holds, once: `data-try` names it.
const lab = makeLab();
const engine = makeEngine(document.currentScript.src.replace(/[^/]*$/, ""));
for (const root of document.querySelectorAll("[data-try]")) {
  const start = { try: startTry, mixer: startMixer }[root.dataset.try];
  Promise.resolve(start(root, lab, engine)).catch((error) => (root.textContent = error.message));
}
