// The noise mixer of chapter 00 without a kernel: speech, noise and ratio are chosen, the network
// enhances the mixture, and the page computes SI-SDR of both.
async function startMixer(root, lab, engine) {
  const state = lab.make(root, "p", { role: "status" }, "Loading the sounds …");
  const RATE = 16000;
  const { speech, noise } = await readSounds(engine);
  const line = lab.make(root, "div", { class: "effi-controls" });
  const select = (text, names) => {
    const pair = lab.make(line, "span", { class: "effi-controls" });
    lab.make(pair, "label", { for: `mixer-${text}` }, text);
    const list = lab.make(pair, "select", { id: `mixer-${text}` });
    for (const name of names) lab.make(list, "option", { value: name }, name.replace("_", " "));
    list.addEventListener("change", mix);
    return list;
  };
  const voice = select("Speech", Object.keys(speech));
  const kind = select("Noise", Object.keys(noise));
  const network = select("Network", ["tiny", "lite"]);
  const label = lab.make(line, "label", { class: "effi-controls" }, "SNR");
  const ratio = lab.make(label, "input", { type: "range", min: -10, max: 20, step: 1, value: 5 });
  const shown = lab.make(label, "output", { class: "effi-time" });
  const button = lab.make(line, "button", { type: "button" }, "Enhance");
  root.append(state); // below what is chosen
  const result = lab.make(root, "div", { class: "effi", role: "group", "aria-label": "Mixture" });
  const said = lab.make(root, "p", { class: "effi-small" });
  const table = makeTable();
  kind.value = "speech_shaped";

  function makeTable() {
    const name = { role: "region", "aria-label": "What you enhanced", tabindex: 0 };
    const box = lab.make(root, "div", { class: "effi-table", ...name }); // scrolls on a phone
    const table = lab.make(box, "table", { class: "docutils" });
    lab.make(table, "caption", {}, "SI-SDR of what you enhanced, the latest first");
    const head = lab.make(lab.make(table, "thead"), "tr");
    for (const text of ["Mixture, network", "noisy", "enhanced", "gained"])
      lab.make(head, "th", { scope: "col" }, text);
    box.hidden = true;
    return { box, body: lab.make(table, "tbody") };
  }

  function show(sounds) {
    const place = result.effifusion?.deck.position() ?? 0;
    const resume = lab.playing !== null;
    lab.playing?.pause();
    const buffers = Object.values(sounds).map((samples) => {
      const buffer = new AudioBuffer({ length: samples.length, sampleRate: RATE });
      buffer.copyToChannel(samples, 0);
      return buffer;
    });
    const clean = sounds.clean;
    const versions = sounds.enhanced
      ? [
          { name: "noisy", gains: () => [1, 0, 0] },
          { name: network.value, gains: (strength) => [1 - strength, 0, strength] },
          { name: "removed", gains: (strength) => [strength, 0, -strength] },
          { name: "clean", gains: () => [0, 1, 0] },
        ]
      : [
          { name: "noisy", gains: () => [1, 0] },
          { name: "clean", gains: () => [0, 1] },
        ];
    const deck = startComparison(result, lab, {
      title: `${voice.value} in ${kind.value.replace("_", " ")} noise, ${ratio.value} dB`,
      buffers,
      versions,
      adjustable: "enhanced" in sounds,
      text: (name, samples) =>
        ["removed", "clean"].includes(name) ? "" : `SI-SDR ${decibel(siSdr(clean, samples))}`,
    });
    deck.setRepeat(true);
    deck.seek(place);
    if (resume) deck.play();
    said.textContent = `What is said: ${speech[voice.value].text}`;
  }

  function mixture() {
    const { level, samples: clean } = speech[voice.value];
    const disturbance = noise[kind.value];
    const power = disturbance.reduce((sum, x) => sum + x * x, 0) / disturbance.length;
    const gain = 10 ** ((level - 10 * Math.log10(power) - Number(ratio.value)) / 20);
    return { noisy: clean.map((x, i) => x + gain * disturbance[i]), clean };
  }

  function mix() {
    engine.cancel();
    ratio.setAttribute("aria-valuetext", (shown.textContent = `${ratio.value} dB`));
    button.textContent = `Enhance with ${network.value}`;
    state.textContent = "A mixture, made in this page.";
    show(mixture());
  }

  async function enhance() {
    const { noisy, clean } = mixture();
    const told = () => (state.textContent = `${network.value} enhances …`);
    const words = [voice, kind].map(({ value }) => value.replace("_", " "));
    const name = [...words, `${ratio.value} dB`, network.value].join(", ");
    state.textContent = `Loading the network ${network.value} …`;
    const [enhanced] = await engine.enhance([noisy], RATE, network.value, told);
    const [before, after] = [siSdr(clean, noisy), siSdr(clean, enhanced)];
    const gained = `${after < before ? "" : "+"}${decibel(after - before)}`;
    state.textContent = `SI-SDR ${decibel(before)} before, ${decibel(after)} after: ${gained}.`;
    show({ noisy, clean, enhanced });
    const row = document.createElement("tr");
    for (const text of [name, decibel(before), decibel(after), gained])
      lab.make(row, "td", {}, text);
    table.body.prepend(row);
    table.box.hidden = false;
  }

  ratio.addEventListener("input", mix);
  button.addEventListener("click", () =>
    enhance().catch((error) => {
      if (error.name !== "AbortError") state.textContent = `This did not work: ${error.message}.`;
    }),
  );
  mix();
}

const decibel = (value) => `${value.toFixed(1)} dB`;

// Speech and noises of the package, three seconds of each: 16 bits in base64.
async function readSounds(engine) {
  const sounds = JSON.parse(new TextDecoder().decode(await engine.file("sounds")));
  const decode = (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return Float32Array.from(new Int16Array(bytes.buffer), (x) => x / 32768);
  };
  for (const one of Object.values(sounds.speech)) one.samples = decode(one.samples);
  for (const kind in sounds.noise) sounds.noise[kind] = decode(sounds.noise[kind]);
  return sounds;
}

// Scale-invariant signal-to-distortion ratio, as effifusion_lite/metrics/ratios.py has it.
function siSdr(clean, enhanced) {
  const mean = (samples) => samples.reduce((sum, x) => sum + x, 0) / samples.length;
  const [offset, shift] = [mean(clean), mean(enhanced)];
  let [both, own] = [0, 0];
  clean.forEach((x, i) => {
    both += (x - offset) * (enhanced[i] - shift);
    own += (x - offset) ** 2;
  });
  const scale = both / own;
  let rest = 0;
  clean.forEach((x, i) => (rest += (enhanced[i] - shift - scale * (x - offset)) ** 2));
  return 10 * Math.log10((scale ** 2 * own) / rest);
}
