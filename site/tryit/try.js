// Try it: a recording of the reader, chosen, dropped or recorded, and the network on it.
function startTry(root, lab, engine) {
  const NETWORKS = {
    tiny: "the smaller network, quicker",
    lite: "the larger one, takes about twice as long",
  };
  let recording = null; // { name, buffer }
  let recorder = null;
  let turn = 0; // grows with each recording and run, so that what is late is dropped

  const choice = lab.make(root, "fieldset", { class: "effi-controls" });
  lab.make(choice, "legend", {}, "Network");
  const radios = Object.entries(NETWORKS).map(([name, words]) => {
    const label = lab.make(choice, "label");
    const radio = lab.make(label, "input", { type: "radio", name: "network", value: name });
    label.append(` ${name}, ${words}`);
    radio.addEventListener("change", () => recording && enhance());
    return radio;
  });
  radios[0].checked = true;

  const drop = lab.make(root, "div", { class: "effi-drop" });
  const label = lab.make(drop, "label", {}, "Choose a recording, or drop it here: ");
  const input = lab.make(label, "input", { type: "file", accept: "audio/*,video/*" });
  const record = lab.make(drop, "button", { type: "button" }, "Record");
  const line = lab.make(root, "div", { class: "effi-controls" });
  const state = lab.make(line, "span", { role: "status" }, "No recording yet.");
  const bar = lab.make(line, "progress", { max: 1, "aria-label": "Enhanced so far" });
  const left = lab.make(line, "span", { class: "effi-time" });
  const cancel = lab.make(line, "button", { type: "button" }, "Cancel");
  const result = lab.make(root, "div", { class: "effi", role: "group", "aria-label": "Result" });
  const say = (text) => (state.textContent = text);
  busy(false);
  result.hidden = true;

  function busy(on) {
    bar.hidden = left.hidden = cancel.hidden = !on;
    bar.removeAttribute("value"); // not known yet
    left.textContent = "";
  }

  function fail(error) {
    busy(false);
    if (error.name === "AbortError") return say("Cancelled.");
    say(`This did not work: ${error.message}${/[.?!]$/.test(error.message) ? "" : "."}`);
  }

  async function open(file) {
    const mine = ++turn;
    engine.cancel();
    recording = null;
    clear();
    busy(true);
    say(`Reading ${file.name} …`);
    try {
      const buffer = await readRecording(file);
      if (mine !== turn) return;
      recording = { name: file.name.replace(/\.[^.]+$/, ""), buffer };
      await enhance();
    } catch (error) {
      if (mine === turn) fail(error);
    }
  }

  function clear() {
    if (lab.playing) lab.playing.pause();
    result.hidden = true;
    result.textContent = "";
  }

  async function enhance() {
    const [mine, { name, buffer }] = [++turn, recording];
    const network = radios.find((radio) => radio.checked).value;
    const channels = Array.from({ length: buffer.numberOfChannels }, (_, i) =>
      buffer.getChannelData(i),
    );
    clear();
    busy(true);
    say(`Loading the network ${network} …`);
    let began = 0;
    function progress(share) {
      if (mine !== turn) return;
      if (!share) began = performance.now();
      say(`${network} enhances ${lab.seconds(buffer.duration)} s of sound …`);
      bar.value = share;
      left.textContent = share ? timeLeft(((performance.now() - began) * (1 - share)) / share) : "";
    }
    try {
      const enhanced = await engine.enhance(channels, buffer.sampleRate, network, progress);
      if (mine !== turn) return;
      busy(false);
      const took = `${lab.seconds((performance.now() - began) / 1000)} s`;
      const silent = !channels.some((samples) => samples.some((x) => x));
      say(silent ? "This recording is silent." : `Enhanced by ${network} in ${took}.`);
      show(`${name} by ${network}`, buffer, enhanced);
    } catch (error) {
      if (mine === turn) fail(error);
    }
  }

  function timeLeft(milliseconds) {
    const seconds = Math.ceil(milliseconds / 1000);
    return seconds < 90 ? `${seconds} s left` : `${Math.round(seconds / 60)} minutes left`;
  }

  function show(title, original, channels) {
    const { numberOfChannels, length, sampleRate } = original;
    const enhanced = new AudioBuffer({ numberOfChannels, length, sampleRate });
    channels.forEach((samples, i) => enhanced.copyToChannel(samples, i));
    result.hidden = false;
    startComparison(result, lab, {
      title,
      buffers: [original, enhanced],
      versions: [
        { name: "original", gains: () => [1, 0] },
        { name: "enhanced", gains: (strength) => [1 - strength, strength] },
        { name: "removed", gains: (strength) => [strength, -strength] },
      ],
    });
  }

  // The microphone, for ten minutes at most.
  async function toggle() {
    if (recorder) {
      const { finish, clock } = recorder;
      recorder = null;
      clearInterval(clock);
      record.textContent = "Record";
      return open(await finish());
    }
    engine.cancel();
    const { finish } = await startRecording();
    const began = performance.now();
    record.textContent = "Stop";
    const tick = () => {
      const seconds = (performance.now() - began) / 1000;
      say(`Recording, ${seconds.toFixed(0)} s; Stop ends it.`);
      if (seconds >= LONGEST) toggle().catch(fail);
    };
    recorder = { finish, clock: setInterval(tick, 1000) };
    tick();
  }

  cancel.addEventListener("click", () => {
    turn++;
    engine.cancel();
    fail(new DOMException("", "AbortError"));
  });
  record.addEventListener("click", () =>
    toggle().catch((error) => fail(new Error(`the microphone cannot be used (${error.message})`))),
  );
  if (!navigator.mediaDevices) record.disabled = true;
  input.addEventListener("change", () => input.files[0] && open(input.files[0]));
  for (const kind of ["dragover", "drop"])
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("effi-over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
    });
  drop.addEventListener("dragleave", () => drop.classList.remove("effi-over"));
}
