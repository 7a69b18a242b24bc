// Hands a WAV file to the kernel through a field of the notebook: what the microphone records, or a
// file that the kernel could not read and the browser can.
function startRecorder(root, lab) {
  const live = root.querySelector(".effi-live");
  root.querySelector(".effi-quieter").hidden = true;
  const line = lab.make(live, "div", { class: "effi-controls" });
  const state = lab.make(line, "span", { role: "status", "aria-live": "polite" });
  const say = (text) => (state.textContent = text);
  if (root.dataset.sound) {
    say("The kernel cannot read this file: the browser decodes it …");
    const unknown =
      "Neither the kernel nor this browser can read this file: take WAV, FLAC, OGG or MP3.";
    hand(root.dataset.sound).catch((error) => say(`${unknown} (${error.message})`));
    return;
  }
  const button = lab.make(line, "button", { type: "button" }, "Record");
  line.prepend(button);
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
      address(new Blob(parts)).then(hand).catch(fail);
      recorder = null;
    });
    recorder.start();
    button.textContent = "Stop";
    say(`Recording, at most ${root.dataset.longest} s …`);
    const running = recorder;
    setTimeout(() => running.state === "recording" && running.stop(), 1000 * root.dataset.longest);
  }

  async function hand(encoded) {
    const sound = wav(mono(await lab.decode(encoded, 48000)));
    const field = document.querySelector(`.${root.dataset.inbox} textarea`);
    if (!field) {
      save(sound, "recording.wav");
      return say("Saved as recording.wav: choose this file.");
    }
    field.value = `${Date.now()} ${(await address(sound)).split(",")[1]}`;
    field.dispatchEvent(new Event("change", { bubbles: true }));
    say("Handed over.");
  }

  // The beginning that is enhanced, its channels averaged.
  function mono(buffer) {
    const { sampleRate, numberOfChannels } = buffer;
    const length = Math.min(buffer.length, sampleRate * root.dataset.longest);
    const mean = new Float32Array(length);
    for (let channel = 0; channel < numberOfChannels; channel++) {
      const samples = buffer.getChannelData(channel);
      for (let i = 0; i < length; i++) mean[i] += samples[i] / numberOfChannels;
    }
    const result = new AudioBuffer({ length, sampleRate });
    result.copyToChannel(mean, 0);
    return result;
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
