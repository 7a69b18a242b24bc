// A recording of the reader, from a file or the microphone, decoded at its own rate.
const LONGEST = 600; // s
const LARGEST = 600e6; // bytes, what ten minutes of 24 bits, stereo, at 96 kHz need, and some more
const TOO_LONG = "A recording may last ten minutes at most: cut it first.";

async function readRecording(file) {
  if (!file.size) throw new Error(`${file.name} is empty: record or copy it again.`);
  if (file.size > LARGEST || (await durationOf(file)) > LONGEST + 0.5) throw new Error(TOO_LONG);
  const bytes = await file.arrayBuffer();
  const context = new OfflineAudioContext(1, 1, rateOf(bytes));
  const unknown = `This browser finds no sound in ${file.name}: take WAV, FLAC, MP3, M4A or OGG.`;
  const buffer = await context.decodeAudioData(bytes).catch(() => {
    throw new Error(unknown);
  });
  if (!buffer.length) throw new Error(unknown);
  if (buffer.duration > LONGEST + 0.5) throw new Error(TOO_LONG);
  return buffer;
}

// In seconds, without decoding it all; NaN or infinite where the head of the file does not say it.
function durationOf(file) {
  return new Promise((resolve) => {
    const player = new Audio(URL.createObjectURL(file));
    const tell = () => {
      URL.revokeObjectURL(player.src);
      resolve(player.duration);
    };
    player.onloadedmetadata = player.onerror = tell;
  });
}

// Begins to record; `finish` gives the file. What browsers do against noise is switched off.
async function startRecording() {
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  const recorder = new MediaRecorder(stream, { audioBitsPerSecond: 256000 });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.start();
  return {
    finish: () =>
      new Promise((resolve) => {
        recorder.onstop = () => {
          for (const track of stream.getTracks()) track.stop();
          resolve(new File(parts, "recording", { type: recorder.mimeType }));
        };
        recorder.stop();
      }),
  };
}
