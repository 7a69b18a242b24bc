// Sounds as WAV files, and files for the reader to keep.
function wav(buffer) {
  const count = buffer.numberOfChannels;
  const channels = Array.from({ length: count }, (_, i) => buffer.getChannelData(i));
  const size = 2 * count * buffer.length;
  const view = new DataView(new ArrayBuffer(44 + size));
  const write = (at, text) => [...text].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, 36 + size, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, count, true);
  view.setUint32(24, buffer.sampleRate, true);
  view.setUint32(28, 2 * count * buffer.sampleRate, true);
  view.setUint16(32, 2 * count, true);
  view.setUint16(34, 16, true); // bits
  write(36, "data");
  view.setUint32(40, size, true);
  channels.forEach((samples, channel) =>
    samples.forEach((x, i) => {
      const sample = 32767 * Math.max(-1, Math.min(1, x));
      view.setInt16(44 + 2 * (i * count + channel), sample, true);
    }),
  );
  return new Blob([view], { type: "audio/wav" });
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
