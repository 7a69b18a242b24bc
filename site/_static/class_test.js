// A listening test for a class: its settings stand in the address, so that one link gives everyone
// the same test. Without settings, the page asks for them. Read before `players.js` begins the rooms.
(() => {
  const rooms = [...document.querySelectorAll("#rooms .effi")];
  const form = document.querySelector("#settings");
  const given = new URLSearchParams(location.search);
  const chosen = rooms[Number(given.get("sentence")) - 1];
  const namesOf = (role) =>
    [...rooms[0].querySelectorAll(`.effi-version[data-role="${role}"]`)].map(
      (version) => version.dataset.name,
    );
  const systems = namesOf("version");

  // What the address asks for, or null where that cannot be set up.
  function settings() {
    const kind = given.get("kind");
    const versions = given.getAll("system").filter((name) => systems.includes(name));
    const trials = Number(given.get("trials"));
    const enough =
      kind === "abx" ? versions.length === 2 : kind === "rating" && versions.length > 1;
    const counted = kind !== "abx" || (Number.isInteger(trials) && trials >= 1 && trials <= 100);
    return chosen && enough && counted
      ? { kind, versions, trials, seed: given.get("seed") ?? "" }
      : null;
  }

  const wanted = settings();
  for (const room of rooms) {
    room.hidden = !wanted || room !== chosen;
    if (room.hidden)
      delete room.dataset.kind; // it stays as it is
    else room.dataset.given = JSON.stringify(wanted);
  }
  if (given.size && !wanted)
    document.querySelector("#refused").textContent =
      "This address does not describe a test: choose its settings below.";
  if (wanted) {
    document.querySelector("#rooms").hidden = false;
    document.querySelector("#teacher").open = false;
  }

  const field = (name) => form.elements[name];
  rooms.forEach((room, i) => field("sentence").add(new Option(room.dataset.title, i + 1)));
  for (const name of systems) {
    const label = document.createElement("label");
    const box = Object.assign(document.createElement("input"), {
      type: "checkbox",
      name: "system",
      value: name,
      checked: ["noisy", "lite"].includes(name),
    });
    label.append(box, ` ${name}`);
    document.querySelector("#systems").append(label);
  }
  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (link()) location.href = link();
  });
  document.querySelector("#copy").addEventListener("click", async () => {
    const said = document.querySelector("#copied");
    field("link").select();
    said.textContent = await navigator.clipboard.writeText(link()).then(
      () => "Copied.",
      () => "The link is marked: copy it.", // where a page may not copy
    );
  });

  function link() {
    const values = new URLSearchParams(new FormData(form));
    values.delete("link");
    if (values.get("kind") === "rating") values.delete("trials");
    if (!values.get("seed")) values.delete("seed");
    const count = values.getAll("system").length;
    const right = values.get("kind") === "abx" ? count === 2 : count > 1;
    return right && form.checkValidity() ? `${location.href.split(/[?#]/)[0]}?${values}` : "";
  }

  function show() {
    const abx = field("kind").value === "abx";
    field("trials").disabled = !abx;
    field("link").value = link();
    const ask = abx ? "Choose two systems and 1 to 100 trials." : "Choose two systems or more.";
    document.querySelector("#copied").textContent = link() ? "" : ask;
    for (const button of form.querySelectorAll("button")) button.disabled = !link();
  }
  show();
})();
