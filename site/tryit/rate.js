// The sample rate that a sound file names in its head, in Hz, so that the browser decodes it as it
// is; 48000, the rate of Opus, where none is found or the browser has none of that kind.
function rateOf(buffer) {
  const view = new DataView(buffer);
  const letters = (at, length) =>
    String.fromCharCode(...new Uint8Array(buffer, at, Math.max(0, Math.min(length, buffer.byteLength - at))));
  const kinds = [
    [() => letters(0, 4) === "RIFF", wav],
    [() => letters(0, 4) === "fLaC", () => view.getUint32(18) >>> 12],
    [() => letters(0, 4) === "OggS", ogg],
    [() => letters(4, 4) === "ftyp", mp4],
    [() => letters(0, 3) === "ID3" || view.getUint16(0) >= 0xffe0, frames],
  ];
  let rate = 0;
  try {
    rate = kinds.find(([is]) => is())?.[1]();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the file ends within its head
  }
  return rate >= 8000 && rate <= 96000 ? rate : 48000;

  function wav() {
    let at = 12;
    while (letters(at, 4) !== "fmt ") at += 8 + view.getUint32(at + 4, true);
    return view.getUint32(at + 12, true);
  }

  function ogg() {
    const at = 27 + view.getUint8(26); // the first packet
    if (letters(at + 1, 6) === "vorbis") return view.getUint32(at + 12, true);
    return letters(at + 1, 4) === "FLAC" ? view.getUint32(at + 27) >>> 12 : 0;
  }

  // The box that holds all descriptions, and in it the first one of a sound.
  function mp4() {
    let at = 0;
    while (letters(at + 4, 4) !== "moov") at += boxSize(at);
    const end = at + boxSize(at);
    for (; at < end - 32; at++)
      if (["mp4a", "alac", "Opus", "fLaC"].includes(letters(at, 4)) && view.getUint32(at - 4) > 36)
        return view.getUint16(at + 28);
    return 0;
  }

  function boxSize(at) {
    const size = view.getUint32(at);
    return size === 1 ? Number(view.getBigUint64(at + 8)) : size || buffer.byteLength;
  }

  // MP3, or AAC without a container: behind a tag, the first frame begins with eleven ones.
  function frames() {
    const size = [6, 7, 8, 9].reduce((sum, i) => sum * 128 + view.getUint8(i), 0);
    let at = letters(0, 3) === "ID3" ? 10 + size : 0;
    while ((view.getUint16(at) & 0xffe0) !== 0xffe0) at++;
    const [second, third] = [view.getUint8(at + 1), view.getUint8(at + 2)];
    const aac = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000];
    if (!(second & 6)) return aac[(third >> 2) & 15];
    const share = { 3: 1, 2: 2, 0: 4 }[(second >> 3) & 3]; // MPEG 1, 2 and 2.5
    return [44100, 48000, 32000][(third >> 2) & 3] / share;
  }
}
