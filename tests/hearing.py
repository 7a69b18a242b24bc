"""Ears for the tests of the players: sounds whose pitch tells the place, and what a page plays."""

import numpy as np

RATE = 16000
SECONDS = 20.0
# A spy beside the loudspeaker: the tests look at what is heard, not at what the page says.
SPY = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (target, ...rest) {
  if (target === this.context.destination) {
    window.spy ??= new AnalyserNode(this.context, { fftSize: 4096, smoothingTimeConstant: 0 });
    connect.call(this, window.spy);
  }
  return connect.call(this, target, ...rest);
};
"""
POSITION = "document.querySelector('.effi').effifusion.position()"
HEARD = """() => {
  const bins = new Float32Array(window.spy.frequencyBinCount);
  window.spy.getFloatFrequencyData(bins);
  const best = bins.indexOf(Math.max(...bins));
  const frequency = best * window.spy.context.sampleRate / window.spy.fftSize;
  return { frequency, level: bins[best], position: POSITION };
}""".replace("POSITION", POSITION)


def sine(frequency, amplitude, seconds=1.0):
    """A tone [N]."""
    time = np.arange(round(seconds * RATE)) / RATE
    return amplitude * np.sin(2 * np.pi * frequency * time)


def sweep(start, amplitude):
    """A tone [N] that rises by 100 Hz a second: its pitch tells the place."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    return amplitude * np.sin(2 * np.pi * (start * time + 50 * time**2))


def hear(page, start, slope=100):
    """Wait until the pitch that is heard is that of a sweep at the player's position.

    The pitch says which version plays, and where in it. A busy machine may stop the sound for a
    moment; a player that is wrong never comes to agree. Gaps only lower the level: the highest of
    some readings counts.
    """
    agrees = f"""() => {{
      const heard = window.spy ? ({HEARD})() : {{ level: -Infinity }};
      const wanted = {start} + {slope} * heard.position;
      return heard.level > -60 && Math.abs(heard.frequency - wanted) < 40 ? heard : null;
    }}"""
    heard = page.wait_for_function(agrees, timeout=15000).json_value()
    for _ in range(8):
        page.wait_for_timeout(100)
        again = page.evaluate(agrees)
        if again is not None:
            heard["level"] = max(heard["level"], again["level"])
    return heard
