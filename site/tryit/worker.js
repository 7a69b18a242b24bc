// The network at work, beside the page. The page sends the bytes of the network once, then channel
// after channel; each comes back enhanced, with news of how far it is.
let session = null;

async function open({ wasm, loader, network, threads }) {
  // Handed over as bytes, since a page in a folder may fetch nothing.
  ort.env.wasm.wasmBinary = wasm;
  ort.env.wasm.wasmPaths = {
    mjs: URL.createObjectURL(new Blob([loader], { type: "text/javascript" })),
  };
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  const options = { executionProviders: ["wasm"], logSeverityLevel: 3 };
  session = await ort.InferenceSession.create(new Uint8Array(network), options);
}

async function run(magnitude, phase) {
  const shape = [1, BINS, magnitude.length / BINS];
  const tensor = (values) => new ort.Tensor("float32", values, shape);
  const enhanced = await session.run({ magnitude: tensor(magnitude), phase: tensor(phase) });
  return [enhanced.enhanced_magnitude.data, enhanced.enhanced_phase.data];
}

onmessage = async ({ data }) => {
  try {
    if (data.network) return postMessage({ done: await open(data) });
    const progress = (share) => postMessage({ share });
    const done = await enhanceChannel(data.samples, data.rate, run, progress);
    postMessage({ done }, [done.buffer]);
  } catch (error) {
    postMessage({ error: error.message ?? String(error) });
  }
};
