// One row of versions of a sound: all run on one clock, and only one of them is let through.
(() => {
  const FADE = 0.012; // s, cross-fade between two versions
  const shared = (window.effifusion ??= { context: null, playing: null });

  function decode(source) {
    const bytes = Uint8Array.from(atob(source.split(",")[1]), (letter) => letter.charCodeAt(0));
    return shared.context.decodeAudioData(bytes.buffer);
  }

  function make(parent, name, attributes, text = "") {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    parent.append(element);
    return element;
  }

  // Made here and not in the page, so that nothing dead is shown where scripts are removed.
  function makeControls(live, names, duration) {
    const line = make(live, "div", { class: "effi-controls" });
    make(line, "button", { type: "button", class: "effi-play" }, "Play");
    names.forEach((name, index) => {
      const attributes = { type: "button", class: "effi-choose", "aria-keyshortcuts": index + 1 };
      make(line, "button", attributes, `${index + 1} ${name}`);
    });
    const below = make(live, "div", { class: "effi-controls" });
    const range = { type: "range", min: 0, max: duration, step: 0.01, value: 0 };
    make(below, "input", { ...range, class: "effi-place", "aria-label": "Position in seconds" });
    make(below, "span", { class: "effi-time", "aria-hidden": "true" });
    const label = make(below, "label", {}, " repeat");
    label.prepend(make(label, "input", { type: "checkbox", class: "effi-repeat" }));
    make(live, "span", { class: "effi-said", role: "status", "aria-live": "polite" });
    const keys = names.length > 1 ? `Keys 1 to ${names.length} choose` : "Key 1 chooses";
    make(live, "p", { class: "effi-small" }, `${keys} what you hear, without losing the place.`);
  }

  function start(root) {
    const find = (selector) => root.querySelector(selector);
    const all = (selector) => [...root.querySelectorAll(selector)];
    const duration = Number(root.dataset.seconds);
    const versions = all(".effi-version");
    const names = versions.map((version) => version.dataset.name);
    const plain = all(".effi-version audio");
    makeControls(find(".effi-live"), names, duration);
    const buttons = all(".effi-choose");
    const pictures = all(".effi-picture");
    const lines = all(".effi-scores tbody tr");
    const play = find(".effi-play");
    const place = find(".effi-place");
    const time = find(".effi-time");
    const repeat = find(".effi-repeat");
    const said = find(".effi-said");
    let buffers = null;
    let voices = null; // [{source, gain}] while playing
    let chosen = 0;
    let from = 0; // s, position at which playing began, or stopped
    let began = 0; // s, time of the audio clock at which playing began

    function position() {
      if (!voices) return from;
      const passed = from + Math.max(0, shared.context.currentTime - began);
      return repeat.checked ? passed % duration : Math.min(passed, duration);
    }

    function show() {
      const now = position();
      const share = `${(100 * now) / duration}%`;
      place.value = now;
      place.setAttribute("aria-valuetext", `${now.toFixed(1)} of ${duration.toFixed(1)} seconds`);
      time.textContent = `${now.toFixed(1)} / ${duration.toFixed(1)} s`;
      for (const cursor of all(".effi-cursor")) cursor.style.left = share;
    }

    function follow() {
      if (!voices) return;
      if (!root.isConnected) return pause(); // a new output took its place
      if (!repeat.checked && position() >= duration) {
        pause();
        from = 0;
      }
      show();
      requestAnimationFrame(follow);
    }

    function run() {
      const context = shared.context;
      began = context.currentTime + 0.02;
      voices = buffers.map((buffer, index) => {
        const gain = new GainNode(context, { gain: index === chosen ? 1 : 0 });
        const source = new AudioBufferSourceNode(context, { buffer, loop: repeat.checked });
        source.connect(gain).connect(context.destination);
        source.start(began, from);
        return { source, gain };
      });
    }

    function halt() {
      from = position();
      for (const { source, gain } of voices ?? []) {
        source.stop();
        gain.disconnect();
      }
      voices = null;
    }

    function pause() {
      halt();
      if (from >= duration) from = 0;
      if (shared.playing === pause) shared.playing = null;
      play.textContent = "Play";
      show();
    }

    function begin() {
      load().catch((error) => (time.textContent = `This cannot be played: ${error.message}`));
    }

    async function load() {
      shared.context ??= new AudioContext();
      await shared.context.resume();
      buffers ??= await Promise.all(plain.map((element) => decode(element.src)));
      if (voices) return;
      shared.playing?.();
      shared.playing = pause;
      run();
      play.textContent = "Pause";
      requestAnimationFrame(follow);
    }

    function choose(index) {
      chosen = index;
      const context = shared.context;
      voices?.forEach(({ gain }, other) => {
        const level = gain.gain;
        level.cancelScheduledValues(context.currentTime);
        level.setValueAtTime(level.value, context.currentTime);
        level.linearRampToValueAtTime(other === index ? 1 : 0, context.currentTime + FADE);
      });
      buttons.forEach((button, other) => button.setAttribute("aria-pressed", other === index));
      pictures.forEach((picture, other) => (picture.hidden = other !== index));
      lines.forEach((line, other) => line.classList.toggle("effi-heard", other === index));
    }

    function restart(change) {
      const playing = voices !== null;
      halt();
      change();
      if (playing) run();
      show();
    }

    play.addEventListener("click", () => (voices ? pause() : begin()));
    buttons.forEach((button, index) => button.addEventListener("click", () => choose(index)));
    place.addEventListener("input", () => restart(() => (from = Math.min(place.value, duration - 0.01))));
    repeat.addEventListener("change", () => {
      // The box has changed already: the position is read as it was before.
      const passed = voices ? from + Math.max(0, shared.context.currentTime - began) : from;
      restart(() => (from = passed % duration));
    });
    root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const index = Number(event.key) - 1;
      if (index in buttons) {
        choose(index);
        said.textContent = names[index];
      } else if (event.key === " " && event.target.tagName !== "BUTTON" && event.target !== repeat) {
        voices ? pause() : begin();
      } else {
        return;
      }
      event.preventDefault();
      event.stopPropagation();
    });
    // Read by tests: what is heard, and where.
    root.effifusion = { position, levels: () => voices?.map(({ gain }) => gain.gain.value) ?? [] };

    for (const version of versions) version.hidden = true;
    find(".effi-untrusted").hidden = true;
    root.classList.add("effi-ready");
    choose(0);
    show();
  }

  for (const root of document.querySelectorAll(".effi-row:not([data-ready])")) {
    root.dataset.ready = "yes";
    start(root);
  }
})();
