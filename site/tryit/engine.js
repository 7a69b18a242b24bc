// The page's side of the network: its files, read when they are first needed, and the worker.
function makeEngine(folder) {
  const files = {}; // name: promise of its bytes
  let worker = null;
  let opened = null; // the network that the worker holds
  let running = null; // AbortController of what runs

  // A script hands its bytes over, since a page in a folder may read other files in no other way.
  function file(name) {
    return (files[name] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      (window.effifusionFiles ??= {})[name] = (text) => resolve(unpack(text));
      script.src = `${folder}${name}.js`;
      script.onerror = () => {
        delete files[name]; // the next try asks again
        reject(new Error(`a file of this page, ${name}.js, cannot be loaded`));
      };
      script.onload = () => script.remove();
      document.head.append(script);
    }));
  }

  function unpack(text) {
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const bytes = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(bytes).arrayBuffer();
  }

  // Send a message to the worker; what it answers.
  function ask(message, signal, transfer = [], progress = null) {
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      worker.onmessage = ({ data }) => {
        if ("share" in data) progress(data.share);
        else if ("error" in data) reject(new Error(data.error));
        else resolve(data.done);
      };
      worker.onerror = (event) => reject(new Error(event.message ?? "the worker does not start"));
      worker.postMessage(message, transfer);
    });
  }

  async function open(network, signal) {
    if (opened === network) return;
    end();
    const names = ["program", "wasm", "loader", network];
    const [program, wasm, loader, weights] = await Promise.all(names.map(file));
    signal.throwIfAborted();
    const address = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
    worker = new Worker(address);
    const threads = crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
    await ask({ wasm, loader, network: weights, threads }, signal);
    URL.revokeObjectURL(address);
    opened = network;
  }

  function end() {
    worker?.terminate();
    worker = opened = null;
  }

  const equal = (a, b) => a === b || a.every((x, i) => x === b[i]);

  const engine = {
    file,

    // Enhance channels of one rate, one after the other; one that equals the first takes no time.
    // `progress` hears the share that is done, 0 when the network is ready. What runs is cancelled.
    async enhance(channels, rate, network, progress) {
      engine.cancel();
      const mine = (running = new AbortController());
      try {
        await open(network, mine.signal);
        progress(0);
        const first = channels.map((channel) => channels.findIndex((one) => equal(one, channel)));
        const total = new Set(first).size;
        const enhanced = [];
        for (const [i, channel] of channels.entries()) {
          const done = new Set(first.slice(0, i)).size;
          const told = (share) => progress((done + share) / total);
          const samples = channel.slice();
          enhanced.push(
            first[i] < i
              ? enhanced[first[i]]
              : await ask({ samples, rate }, mine.signal, [samples.buffer], told),
          );
        }
        return enhanced;
      } catch (error) {
        if (running === mine) end(); // a worker that failed is not asked again
        throw error;
      } finally {
        if (running === mine) running = null;
      }
    },

    // What runs ends with an AbortError.
    cancel() {
      if (!running) return;
      running.abort();
      running = null;
      end();
    },
  };
  return engine;
}
