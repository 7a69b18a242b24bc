// Records from the microphone and hands a WAV file to the kernel through a field of the notebook.
function startRecorder(root, lab) {
  const live = root.querySelector(".effi-live");
  root.querySelector(".effi-quieter").hidden = true;
  const line = lab.make(live, "div", { class: "effi-controls" });
  const button = lab.make(line, "button", { type: "button" }, "Record");
  const state = lab.make(line, "span", { role: "status", "aria-live": "polite" });
  const say = (text) => (state.textContent = text);
  let recorder = null;
  if (!navigator.mediaDevices) {
    button.disabled = true;
    say("This page may not use the microphone: choose a file.");
  }

  async function record() {
    // What browsers do against noise would spoil the comparison.
    const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    const parts = [];
    recorder = new MediaRecorder(stream);
    recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
    recorder.addEventListener("stop", () => {
      for (const track of stream.getTracks()) track.stop();
      button.textContent = "Record";
      hand(new Blob(parts)).catch(fail);
      recorder = null;
    });
    recorder.start();
    button.textContent = "Stop";
    say(`Recording, at most ${root.dataset.longest} s …`);
    const running = recorder;
    setTimeout(() => running.state === "recording" && running.stop(), 1000 * root.dataset.longest);
  }

  async function hand(recorded) {
    const sound = wav(await lab.decode(await address(recorded), 48000));
    const field = document.querySelector(`.${root.dataset.inbox} textarea`);
    if (!field) {
      save(sound, "recording.wav");
      return say("Saved as recording.wav: choose this file.");
    }
    field.value = (await address(sound)).split(",")[1];
    field.dispatchEvent(new Event("change", { bubbles: true }));
    say("Handed over.");
  }

  function address(blob) {
    return new Promise((done, failed) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.onerror = () => failed(reader.error);
      reader.readAsDataURL(blob);
    });
  }

  const fail = (error) => say(`This did not work: ${error.message}. Choose a file instead.`);
  button.addEventListener("click", () => {
    if (recorder) recorder.stop();
    else record().catch(fail);
  });
}
