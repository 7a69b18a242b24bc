// The players of the site: begun here, once for a page, with a link to what is heard in each.
const lab = makeLab();
const STARTS = { player: startPlayer, slider: startSlider, abx: startAbx, room: startRoom };

// A page in a folder may not read files, but it may run scripts: each sound lies in one beside its
// file, and hands itself over as `effifusionSound(name, data)`.
const sounds = new Map(); // name: a promise of its data
const arrived = new Map(); // name: what to do with the data
window.effifusionSound = (name, data) => arrived.get(name)(`data:audio/flac;base64,${data}`);

function soundAt(address) {
  const name = address.match(/([^/]+)\.flac$/)[1];
  if (!sounds.has(name)) {
    const coming = new Promise((resolve, reject) => {
      arrived.set(name, resolve);
      const script = lab.make(document.head, "script", { src: address.replace(/flac$/, "js") });
      script.onerror = () => {
        sounds.delete(name); // so that one can try again
        reject(new Error("the sound did not arrive"));
      };
    });
    sounds.set(name, coming);
  }
  return sounds.get(name);
}

const decode = lab.decode;
lab.decode = async (address, rate) =>
  decode(address.startsWith("data:") ? address : await soundAt(address), rate);

// A link to the player in its present state, such as `#sound-1?version=lite&t=1.20`.
function linkTo(root) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(root.state?.read() ?? {}))
    for (const one of [value].flat()) parameters.append(name, one);
  const text = parameters.toString();
  return `${location.href.split("#")[0]}#${root.id}${text && `?${text}`}`;
}

function addLink(root) {
  const line = lab.make(root, "div", { class: "effi-controls effi-link" });
  const text = root.state ? "Copy a link to this place" : "Copy a link to this test";
  const button = lab.make(line, "button", { type: "button", class: "effi-zoom" }, text);
  const said = lab.make(line, "span", { class: "effi-small", role: "status" });
  button.addEventListener("click", async () => {
    const link = linkTo(root);
    history.replaceState(null, "", link);
    said.textContent = await navigator.clipboard.writeText(link).then(
      () => "Copied.",
      () => "The address of the page is now this link.", // where a page may not copy
    );
  });
}

// Go to what the address names, and set what it holds.
function follow() {
  const [id, text] = location.hash.slice(1).split("?");
  const root = document.getElementById(id);
  if (!root?.classList.contains("effi")) return;
  for (let fold = root.closest("details"); fold; fold = fold.parentElement.closest("details"))
    fold.open = true;
  root.state?.write(new URLSearchParams(text));
  root.scrollIntoView({ behavior: "instant" });
  root.focus({ preventScroll: true });
}

for (const root of document.querySelectorAll(".effi[data-kind]")) {
  lab.begin(root, STARTS[root.dataset.kind]);
  addLink(root);
}
addEventListener("hashchange", follow);
follow();
