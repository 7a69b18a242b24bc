# %% [markdown]
# # 10 · Out of the notebook
#
# **The sounds.** The speech in this chapter is a free synthetic voice, and the noise comes from a
# random generator. If you prepared VoiceBank+DEMAND in chapter 00, sentences of that corpus are
# used instead. In section 10 you bring a recording of your own.
#
# **After this chapter you can**
#
# - enhance a recording of any length, sample rate and number of channels, and say what each step
#   costs;
# - measure how far a network looks ahead, and say why this one cannot run live;
# - save a network as an ONNX file, store it in fewer bits, and test what each of these changes;
# - choose how much of the noise is removed, and write a card that says what the network must not be
#   used for.
#
# **You need** PyTorch at the level of its 60-minute introduction. Chapter 04 explains the network;
# here it is used as it is. Sections 5 and 6 need the packages `onnx` and `onnxruntime`
# (`pip install 'effifusion-lite[onnx]'`).
#
# **Time and cost.** Reading and listening take 60 to 90 minutes, the four exercises 60 minutes, and
# your own recording as long as you like. All cells together run in two to three minutes on two
# processor cores (several times that on a busy machine) and need about 2 GB of memory. Nothing is
# downloaded.
#
# **Built so far.** Chapters 01 to 04 built the network, 05 to 08 trained and pruned it, and 09
# judged it. All of that was done with single sentences at 16 kHz. Now the network meets the world.
#
# ![](figures/map_10.svg)
#
# **The modules of this chapter** are in `effifusion_lite/enhancement/`; the command is in
# `effifusion_lite/command_line/`. Sections 1 and 2 prove that what we build by hand gives the same
# numbers.

# %% tags=["frame"]
import contextlib
import copy
import csv
import json
import sys
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import safetensors.torch
import torch

import effifusion_lite
from effifusion_lite import metrics
from effifusion_lite.audio import mix_at_snr, resample, save_audio
from effifusion_lite.audio.streams import read_format
from effifusion_lite.command_line.parser import main
from effifusion_lite.cost import describe
from effifusion_lite.enhancement import enhance, enhance_16k
from effifusion_lite.enhancement.windows import CROSSFADE, WINDOW, enhance_in_windows
from effifusion_lite.lesson import Claim, claim_table
from effifusion_lite.lesson.checks import chapter10
from effifusion_lite.listening import clips, row, slider
from effifusion_lite.listening.widgets_recording import own_recording
from effifusion_lite.plotting import show
from effifusion_lite.spectral import SpectralConfig, analyse, synthesise
from effifusion_lite.weights import load

# %%
torch.manual_seed(1)
torch.set_printoptions(precision=2, sci_mode=False)
SAMPLE_RATE = 16000  # Hz
RECIPES = Path(effifusion_lite.__file__).resolve().parents[1] / "recipes"  # stored scores

tiny, lite = load("tiny"), load("lite")  # trained networks; no cell changes them
names = ("garage_fan", "river_rain", "zebra_dishes", "pepper_babble")
sentences = [
    [side[: 3 * SAMPLE_RATE] for side in clips.pair(name)] for name in names
]  # clean, noisy

# %% [markdown]
# This chapter uses two scores: **PESQ** (about 1 to 4.64, higher is better), a model of the ear,
# and **SI-SDR** in dB (higher is better), the energy of the speech divided by the energy of the
# error. Only a few sentences are scored here, so only large effects can be seen.


# %% tags=["frame"]
def scores_of(clean, other):
    """PESQ, or NaN where the package pesq is missing, and SI-SDR in dB: [2]."""
    perceived = metrics.pesq(clean, other) if find_spec("pesq") else float("nan")
    return np.array([perceived, float(metrics.si_sdr(clean, other))])


def mean_scores(model, pairs=sentences):
    """Mean of both scores of what a network makes of the noisy sentences: [2]."""
    return np.mean([scores_of(c, enhance(n, SAMPLE_RATE, model)) for c, n in pairs], axis=0)


if not find_spec("pesq"):
    print("The package pesq is not installed here, so PESQ reads nan. SI-SDR is still right.")

# %% [markdown]
# ## 1 Recordings of any length
#
# ![](figures/map_10_use.svg)
#
# **Why.** An hour of sound cannot go through the network in one piece. Attention along time
# compares each frame with every other one. How much memory would tables of these comparisons need,
# one for each of the 101 frequencies, at four bytes per number?

# %%
for seconds in (2, 60, 3600):
    frames = seconds * SAMPLE_RATE // 100  # a hop is 100 samples
    print(
        f"{seconds:5d} s: {frames:6d} frames, {4 * 101 * frames**2 / 1e9:12,.2f} GB of comparisons"
    )

# %% [markdown]
# Good programs never hold a whole table in memory (chapter 03), but the computing time still grows
# with the square of the length. So a long recording goes through the network in *windows*, pieces
# of equal length that overlap. Where two of them overlap, the first fades out while the second
# fades in:
#
# ![](figures/10_windows.svg)
#
# **Eight numbers.** Two windows of five samples share two of them. The first window is all threes,
# the second all fives, as if the network had treated the same sound differently in each.

# %%
first, second = torch.full((5,), 3.0), torch.full((5,), 5.0)
ramp = (torch.arange(2) + 0.5) / 2  # [2]
shared = first[3:] * (1 - ramp) + second[:2] * ramp  # [2]
print("ramp  ", ramp)
print("joined", torch.cat([first[:3], shared, second[2:]]))

# %% [markdown]
# The two weights add up to 1 at each sample, so what both windows agree on passes unchanged:
#
# $$y_n = (1 - r_k)\, a_n + r_k\, b_n, \qquad r_k = \frac{k + \tfrac12}{K}, \quad
# k = 0, \dots, K - 1$$
#
# where $a$ and $b$ are the two windows, $K$ is the length of the crossfade, and $n$ is sample $k$
# of the part that they share. How many windows are needed? The first one contributes its whole
# length, each later one its length minus the crossfade. The windows are then made equally long, so
# that the last one is not a short remainder:


# %%
def edges_by_hand(length, window, fade):
    """Where each window starts; as a last entry, the final end minus the crossfade."""
    count = max(1, -(-(length - fade) // (window - fade)))  # -(-a // b) rounds up
    return [index * (length - fade) // count for index in range(count + 1)]


print("edges:", edges_by_hand(length=20, window=8, fade=2))

# %% [markdown]
# Window $i$ runs from edge $i$ to `fade` samples past edge $i + 1$. With these edges, the loop
# is short. All windows are scaled by one level, the root mean square of the whole recording: if
# each were scaled by its own level, a soft passage would be treated as a loud one.


# %%
def windows_by_hand(model, waveform, window, fade):
    """A waveform [N] at 16 kHz, enhanced in windows of at most `window` samples: [N]."""
    level = waveform.double().square().mean().sqrt().float()  # of the whole recording
    edges, ramp = edges_by_hand(len(waveform), window, fade), (torch.arange(fade) + 0.5) / fade
    result = torch.zeros_like(waveform)
    for index, (start, end) in enumerate(zip(edges, edges[1:], strict=False)):
        piece = enhance_16k(model, waveform[None, start : end + fade], level.reshape(1, 1))[0]
        if index > 0:  # the window before has left its end here
            piece[:fade] = result[start : start + fade] * (1 - ramp) + piece[:fade] * ramp
        result[start : end + fade] = piece
    return result


# %% [markdown]
# **Proof.** We compare our loop with the package's `enhance_in_windows`, which does the same on a
# stream of blocks and holds only one window at a time:

# %%
long = np.concatenate([noisy for _, noisy in sentences[:2]])  # [N], 6 s
by_hand = windows_by_hand(tiny, torch.from_numpy(long), round(2.1 * SAMPLE_RATE), 2000)
rms = np.sqrt(np.mean(np.square(long, dtype=np.float64), keepdims=True))  # [1]
blocks = enhance_in_windows(tiny, [long[None]], len(long), rms, WINDOW, CROSSFADE)
package = np.concatenate([*blocks], axis=1)[0]  # [N]

# %% tags=["frame"]
window_difference = np.abs(by_hand.numpy() - package).max()
print(f"the package's window {WINDOW} s, its crossfade {CROSSFADE} s")
print(f"largest difference: {window_difference:.1e}")
assert window_difference < 1e-5

# %% [markdown]
# **What does a window cost?** In a window, the network hears less than in the whole recording. It
# was trained on pieces of 2 s, so longer windows may or may not help. We use three recordings: the
# same 9 s of speech in three noises, at 5 dB. **Guess:** which window length is best, and how much
# do windows of half a second lose? Cost: fifteen seconds to two minutes.

# %%
clean = np.concatenate([side for side, _ in sentences[:3]])  # [N], 9 s
KINDS = ("fan", "rain", "babble")
recordings = [
    mix_at_snr(clean, clips.noise(kind, len(clean) / SAMPLE_RATE, seed=1)[: len(clean)], 5)
    for kind in KINDS
]
LENGTHS = (9.0, 4.0, 2.1, 1.0, 0.5)  # s

# %% tags=["guess"]
gains = {}
for seconds in LENGTHS:
    window = round(seconds * SAMPLE_RATE)
    sounds = [windows_by_hand(tiny, torch.from_numpy(r).float(), window, 2000) for r in recordings]
    gains[seconds] = np.array([scores_of(clean, sound.numpy()) for sound in sounds])  # [3, 2]
print("against one piece, three recordings:")
for seconds in LENGTHS[1:]:
    change = gains[seconds] - gains[LENGTHS[0]]  # [3, 2]
    low, high = change.min(0), change.max(0)
    print(f"  {seconds:3.1f} s: PESQ {low[0]:+.2f} to {high[0]:+.2f}", end="")
    print(f", SI-SDR {low[1]:+.2f} to {high[1]:+.2f} dB")

# %% [markdown]
# Where a range includes 0, these three recordings do not show a loss. Very short windows have a
# second cost: the crossfade is computed twice, and it makes up a quarter of a window of half a
# second.
#
# > **Try it.** How well do two windows agree where they overlap? Enhance two windows of 2 s that
# > share an eighth of a second, and compare what each makes of the shared part. Do they differ by
# > more than the network's own error? Give both in dB, as an SI-SDR, at three places.

# %% tags=["try"]
# Answer: where the first number of a line is the smaller one, they differ by more than the error.
wave_of_6_s, size, common = torch.from_numpy(long), len(long) // 3, 2000
truth = np.concatenate([side for side, _ in sentences[:2]])
for begin in (0, size // 2, size):
    after = begin + size - common
    one, other = (enhance_16k(tiny, wave_of_6_s[None, s : s + size])[0] for s in (begin, after))
    agree = float(metrics.si_sdr(one[-common:].numpy(), other[:common].numpy()))
    error = float(metrics.si_sdr(truth[after : after + common], one[-common:].numpy()))
    print(
        f"at {after / SAMPLE_RATE:.2f} s: agree to {agree:.1f} dB, network's SI-SDR {error:.1f} dB"
    )

# %% [markdown]
# ## 2 Recordings of any kind
#
# **Why.** Recordings come at 8, 44.1 or 48 kHz, in stereo, and with pauses that an editing program
# has set to exactly zero (*digital silence*). The code around the windows converts all of these to
# 16 kHz and back:
#
# ![](figures/10_way.svg)
#
# **Eight numbers** first. At twice the rate, a sound has twice as many samples; resampling must not
# delay the sound. Here an impulse sampled at 8 kHz goes to 16 kHz and back.

# %%
impulse = np.zeros(8, np.float32)
impulse[3] = 1
up = resample(impulse, 8000, 16000)  # [16]
print("at 16 kHz, largest sample:", int(np.abs(up).argmax()), "of", len(up))
print("and back:", np.round(resample(up, 16000, 8000), 2))

# %% [markdown]
# The largest sample is at twice its old place, so there is no delay. (The impulse does not come
# back as a 1 and zeros: it contains all frequencies, and the filters of a resampler weaken the
# highest ones.) By hand, one channel takes three steps:


# %%
def enhance_by_hand(model, waveform, rate):
    """One channel [N] of any rate, without digital silence: enhanced, [N]."""
    inner = torch.from_numpy(resample(waveform, rate, SAMPLE_RATE))  # [M]
    sound = windows_by_hand(
        model, inner, round(WINDOW * SAMPLE_RATE), round(CROSSFADE * SAMPLE_RATE)
    )
    return resample(sound.numpy(), SAMPLE_RATE, rate)[: len(waveform)]


# %% [markdown]
# **Proof.** We take a stereo recording at 44.1 kHz whose second channel is softer, and enhance each
# channel on its own:

# %%
left = resample(sentences[0][1], SAMPLE_RATE, 44100)  # [N]
stereo = np.stack([left, 0.1 * left[::-1]])  # [2, N]
ours = np.stack([enhance_by_hand(tiny, channel, 44100) for channel in stereo])
theirs = enhance(stereo, 44100, tiny)
kind_difference = np.abs(ours - theirs).max()
print(f"shapes {ours.shape} and {theirs.shape}, largest difference {kind_difference:.1e}")
assert kind_difference < 1e-4

# %% [markdown]
# **Silence.** The instance norm (chapter 02) takes mean and variance over a whole window, zeros
# included. So the package takes digital silence out before the network and puts the zeros back
# afterwards. Is that worth the trouble? We put 1 s of zeros before one second of each of three
# sentences, and score only the sentence. **Guess:** how many dB of SI-SDR do the zeros cost?

# %% tags=["guess"]
cost_of_zeros = []
for clean, noisy in sentences[:3]:
    start = int(np.abs(noisy).argmax()) // 2
    muted = np.concatenate([np.zeros(SAMPLE_RATE, np.float32), noisy[start : start + SAMPLE_RATE]])
    plain = enhance_16k(tiny, torch.from_numpy(muted)[None])[0].numpy()
    aware = enhance(muted, SAMPLE_RATE, tiny)
    target = clean[start : start + SAMPLE_RATE]
    ratios = [float(metrics.si_sdr(target, sound[SAMPLE_RATE:])) for sound in (plain, aware)]
    cost_of_zeros.append(ratios[1] - ratios[0])
print(
    f"taking zeros out changes SI-SDR by {min(cost_of_zeros):+.1f} to {max(cost_of_zeros):+.1f} dB"
)

# %% [markdown]
# > **Try it.** Nothing above 8 kHz can pass through a network that works at 16 kHz. Add a tone of
# > 12 kHz to a sentence at 48 kHz: how much of the tone is left, in dB?

# %% tags=["try"]
# Answer: Next to nothing of the tone is left; no network was asked whether it is noise.
wide = resample(sentences[0][1], SAMPLE_RATE, 48000)
tone = (0.05 * np.sin(2 * np.pi * 12000 * np.arange(len(wide)) / 48000)).astype(np.float32)


def at_12_khz(sound):
    return np.abs(np.fft.rfft(sound))[round(12000 * len(sound) / 48000)]


left_over = at_12_khz(enhance(wide + tone, 48000, tiny)) / at_12_khz(wide + tone)
print(f"{20 * np.log10(left_over + 1e-12):.0f} dB")

# %% [markdown]
# ## 3 How far does it look ahead?
#
# **Why.** In a call, the delays of all parts add up, so each delay has to be short; with a hearing
# aid, you hear a voice together with its delayed copy. A network delays the sound by at least as
# much as it needs to know of the future, its *look-ahead*. You need not read the code to find the
# look-ahead: the gradient of one output sample with respect to the input shows which input samples
# the output depends on.
#
# **Eight numbers.** Each output is the mean of an input and its two neighbours. Which inputs does
# the output at place 4 see? (Output `y[i]` is the mean around `x[i + 1]`, so the output at place
# 4 is `y[3]`.)

# %%
x = torch.arange(8.0, requires_grad=True)
y = x.unfold(0, 3, 1).mean(-1)  # [6]: y[0] is the mean of x[0], x[1], x[2]
y[3].backward()  # the mean around x[4]
print("gradient:", x.grad)

# %% [markdown]
# It sees one sample ahead of place 4 and one behind. Next comes the spectrogram alone: an STFT, a
# mask that does not depend on the input, and the inverse STFT. **Guess:** how many milliseconds
# ahead does this look, with windows of 400 samples?


# %%
def gradient_at(function, waveform, place):
    """Gradient of sample `place` of function(waveform) with respect to the waveform [N]: [N]."""
    waveform = torch.from_numpy(waveform).clone().requires_grad_()
    function(waveform)[place].backward()
    return waveform.grad


def ahead(gradient, place):
    """How far the last input sample with a gradient lies ahead, in ms."""
    return 1000 * (gradient.nonzero().max().item() - place) / SAMPLE_RATE


# %%
config, heard = SpectralConfig(), sentences[0][1][:24000]  # 1.5 s
heard = heard[: len(heard) // 400 * 400]
middle = len(heard) // 2
shape = (201, 1 + len(heard) // 100)  # frequencies, frames
fixed = torch.rand(shape, generator=torch.Generator().manual_seed(1))  # a mask [F, T]


def masked(waveform):
    magnitude, phase = analyse(waveform[None], config)  # [1, F, T]
    return synthesise(magnitude * fixed, phase, waveform.numel(), config)[0]


# %% tags=["guess"]
of_mask = gradient_at(masked, heard, middle)
print(f"spectrogram and fixed mask: {ahead(of_mask, middle):.1f} ms ahead")

# %% [markdown]
# A frame that contains the output sample has a window of 400 samples, so the frame's last input
# sample is less than 25 ms ahead. How much less depends on where the frames lie: they start every
# 100 samples, and the window is 0 at its first sample. Now we do the same for the network:


# %%
def through(model):
    """The network as a function from waveform [N] to waveform [N], gradients allowed."""
    scale = 1 / float(np.sqrt(np.mean(heard**2)))

    def function(waveform):
        spectra = model(*analyse(scale * waveform[None], config))
        return synthesise(*spectra, waveform.numel(), config)[0] / scale

    return function


of_network = gradient_at(through(tiny), heard, middle)
print(f"network: {ahead(of_network, middle):.0f} ms ahead, and the recording ends there")

# %% tags=["frame"]
figure, axis = plt.subplots(figsize=(9, 3), layout="constrained")
time_ms = 1000 * (np.arange(len(heard) // 80) * 80 + 40 - middle) / SAMPLE_RATE
for gradient, label, line in ((of_mask, "fixed mask", "--"), (of_network, "network", "-")):
    level = gradient.square().reshape(-1, 80).mean(-1).sqrt().numpy()  # [300], in 5 ms each
    axis.plot(time_ms, 20 * np.log10(level / level.max() + 1e-8), line, label=label)
axis.axvline(0, color="black", linewidth=0.8)
axis.set(xlabel="input relative to the output sample (ms)", ylabel="gradient (dB)", ylim=(-90, 5))
axis.set(title="On which input does one output sample depend?")
axis.legend()
seen = int((of_network != 0).sum())
show(
    figure,
    "Gradient of one output sample over the time of the input, in dB below its largest value. With "
    f"a fixed mask it ends {ahead(of_mask, middle):.0f} ms after that sample. For the network it "
    f"goes on to both ends of the recording: {seen} of {len(heard)} samples have a gradient.",
)

# %% [markdown]
# The network sees everything: attention along time compares each frame with all others, and the
# instance norms take mean and variance over all frames. A gradient says how sensitive the output
# is; it does not say how *important* the future is. Points of the spectrogram that are nearly
# silent have large gradients, since their phase turns at the slightest change. So we also cut the
# future off: the network gets the recording only up to some milliseconds after a chosen moment. We
# compare its output in the 50 ms before that moment with its output there when it gets the whole
# recording. **Guess:** how well do the two agree if the network knows nothing of the future? We
# choose the three loudest moments of the sentence. Cost: five to thirty seconds.

# %%
whole = enhance_16k(tiny, torch.from_numpy(heard)[None])[0].numpy()
level = torch.tensor([[float(np.sqrt(np.mean(heard**2)))]])
speech = sentences[0][0][: len(heard) // 800 * 800].reshape(-1, 800)  # [K, 800], 50 ms each
loudest = np.square(speech).mean(1)[:-7].argsort()[-3:]  # 350 ms and more before the end
MOMENTS = [800 * (frame + 1) for frame in sorted(loudest)]  # samples
LOOK_AHEADS = (0, 25, 100, 200, 300)  # ms
agreement = {ms: [] for ms in LOOK_AHEADS}
for ms in LOOK_AHEADS:
    for moment in MOMENTS:
        known = torch.from_numpy(heard[: moment + SAMPLE_RATE * ms // 1000])
        sound = enhance_16k(tiny, known[None], level)[0].numpy()
        part = slice(moment - SAMPLE_RATE // 20, moment)
        agreement[ms].append(float(metrics.si_sdr(whole[part], sound[part])))

# %% tags=["frame"]
for ms, values in agreement.items():
    print(f"{ms:4d} ms ahead: agrees with the whole to {min(values):5.1f} to {max(values):5.1f} dB")
parts = [slice(moment - SAMPLE_RATE // 20, moment) for moment in MOMENTS]
own = [float(metrics.si_sdr(sentences[0][0][part], whole[part])) for part in parts]
print(f"the whole against the clean speech there: {min(own):.1f} to {max(own):.1f} dB")

# %% [markdown]
# The last line is the network's own error. Where the agreement is much higher, the missing future
# adds little to that error; elsewhere, the future matters. Three moments of one sentence are few,
# and the ranges need not rise evenly.
#
# Suppose that the numbers in the first line, with nothing of the future, are higher than those in
# the last. Could this network then be used live? No. We tested it at the loudest moments only.
# Besides, for each new frame the whole network would have to run again over everything heard so
# far, since attention and norms look back over all of it: none of the work for the previous frame
# can be kept.
#
# **What streaming would need.** To enhance sound as it arrives, the network would need causal
# convolutions (padding only on the left), attention that looks back only, and norms that do not
# look ahead, such as a layer norm over each frame or running means. It would also have to be
# *trained anew*. The price is known for a related network of 1.37 M parameters: LaCo-SENet reports
# PESQ 3.35 with a look-ahead of 12.5 ms, 3.43 with 75 ms and 3.61 with an unlimited one (quoted,
# not measured here). The windows of section 1 do not help: the network can start on a window only
# when all of it has been recorded.
#
# ## 4 How fast is it?
#
# **Why.** The *real-time factor* is the computing time for one second of sound. Above 1, a
# recording takes longer to enhance than to hear. A single number hides how much the speed of a
# machine varies, so we measure several times and print the range.


# %%
def real_time_factors(model, repeats=5):
    """Seconds of work for one second of sound, several times, smallest first."""
    sound, spent = torch.from_numpy(heard_for_time)[None], []
    for _ in range(repeats):
        started = time.perf_counter()
        enhance_16k(model, sound)
        spent.append((time.perf_counter() - started) * SAMPLE_RATE / sound.numel())
    return sorted(spent)


heard_for_time = sentences[0][1][: 2 * SAMPLE_RATE]  # 2 s

# %%
cores = torch.get_num_threads()
for label, model in (("tiny", tiny), ("lite", lite)):
    for threads in sorted({1, cores}):
        torch.set_num_threads(threads)
        factors = real_time_factors(model)
        print(f"{label}, {threads} thread(s): {factors[0]:.2f} to {factors[-1]:.2f}", end="")
        billions = describe(model)["macs_per_second"] / 1e9
        print(f", {billions:.1f} G multiplications for a second of sound")
torch.set_num_threads(cores)

# %% [markdown]
# The largest factor often belongs to the first run, in which the machine warms up, or to a moment
# in which another program ran. The smallest one shows what the machine can do. In a shell,
# `effifusion benchmark` measures speed and memory on your machine; `RESULTS.md` compares the cost
# of other systems with the cost of ours.
#
# ## 5 A file that needs no PyTorch: ONNX
#
# **Why.** Weights alone are not a network: to use them, you need this package and PyTorch, hundreds
# of megabytes in all. An ONNX file also holds the *graph*, which lists each operation with
# its inputs. Small runtimes on phones, in browsers and in other languages can run this graph.
#
# The usual way to get a graph is to *trace* the code: run it once on an example and record every
# operation. **Four numbers** show the trap. The function below adds the rows of a table in a loop;
# we trace it with four rows. **Guess:** what does the traced function make of eight rows?


# %%
def add_rows(table):
    """[T, F] -> [F]"""
    total = torch.zeros(table.shape[1])
    for index in range(table.shape[0]):  # a number of Python, not part of the graph
        total = total + table[index]
    return total


# %% tags=["guess"]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns here: what is traced may not hold elsewhere
    traced = torch.jit.trace(add_rows, torch.ones(4, 1), check_trace=False)
print("four rows: ", add_rows(torch.ones(4, 1)).item(), "traced:", traced(torch.ones(4, 1)).item())
print("eight rows:", add_rows(torch.ones(8, 1)).item(), "traced:", traced(torch.ones(8, 1)).item())

# %% [markdown] tags=["answer"]
# The answer is four, without an error. The loop ran four times when it was recorded, so the graph
# holds four additions. A test with the same length as the example never finds this fault.

# %% [markdown]
# So the package does not trace: it writes its graph layer by layer, with lengths that stay free.
# **The test that counts** compares the graph with PyTorch at three lengths, one of them odd:

# %%
HAS_ONNX = bool(find_spec("onnx") and find_spec("onnxruntime"))
if HAS_ONNX:
    from effifusion_lite.enhancement.onnx.backend import OnnxGenerator
    from effifusion_lite.enhancement.onnx.generator import build

    GRAPH = build(lite)  # bytes of the .onnx file
    RUNTIME = OnnxGenerator(GRAPH)

# %%
ONNX_DIFFERENCES = {}
for length in (8000, 20001, 40000) if HAS_ONNX else ():
    sound = torch.from_numpy(sentences[0][1][:length])[None]
    both = [enhance_16k(model, sound) for model in (lite, RUNTIME)]  # [1, N] each
    ONNX_DIFFERENCES[length] = (both[0] - both[1]).abs().max().item()
    print(f"{length} samples: largest difference {ONNX_DIFFERENCES[length]:.1e}")
assert max(ONNX_DIFFERENCES.values(), default=0) < 1e-3

# %% tags=["frame"]
if HAS_ONNX:
    spent = {label: [] for label in ("PyTorch", "ONNX Runtime")}
    sound = torch.from_numpy(sentences[0][1][: 2 * SAMPLE_RATE])[None]
    for _ in range(4):  # in turns, so that a busy moment slows both
        for label, model in zip(spent, (lite, RUNTIME), strict=True):
            started = time.perf_counter()
            enhance_16k(model, sound)
            spent[label].append(time.perf_counter() - started)
    ratio = min(spent["ONNX Runtime"]) / min(spent["PyTorch"])
    print(f"{len(GRAPH) / 1e3:.0f} kB; the runtime takes {100 * ratio:.0f} % of PyTorch's time")
else:
    print("onnx or onnxruntime is missing: pip install 'effifusion-lite[onnx]'")

# %% [markdown]
# In a shell, `effifusion export --weights lite lite.onnx` writes the file, and `effifusion enhance
# noisy.wav -o cleaned --backend onnx` uses it. STFT and inverse STFT are not in the graph: whoever
# runs the file elsewhere has to write these two, with the settings in the file's metadata, and
# should repeat the test above: the differences should be as small as those printed there. A browser
# is one such place: the page "Try it" of `make site` cleans a recording with this graph, without
# Python and without sending the recording anywhere.
#
# **A question before you go on:**

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "You export a network by tracing it with a recording of 2 s. How do you test the file?",
    {
        "Compare with PyTorch at several lengths other than the example's.": "What the trace has "
        "fixed shows only at other lengths (section 5).",
        "Compare with PyTorch on the same recording.": "There it is right even if the length is "
        "fixed: the traced loop of section 5 was right for four rows.",
        "See whether it runs on a longer recording.": "The traced loop ran on eight rows without "
        "an error, and its result was wrong.",
    },
    correct="Compare with PyTorch at several lengths other than the example's.",
)

# %% [markdown]
# ## 6 Fewer bits
#
# **Why.** A weight is stored in 32 bits. Does the network need them all? With half the bits, a
# matrix takes half the space, and some processors multiply 8-bit integers faster than
# floating-point numbers.
#
# **Four numbers.** In *half precision* (float16) a number keeps 11 binary digits. In *int8*, 255
# whole numbers are used, from −127 to 127, and a scale $s_i$ for each row $i$ says what one step is
# worth:
#
# $$q_{ij} = \operatorname{round}\left(\frac{w_{ij}}{s_i}\right), \qquad
# s_i = \frac{\max_j |w_{ij}|}{127}, \qquad w_{ij} \approx s_i\, q_{ij}$$
#
# ![](figures/10_bits.svg)

# %%
weight = torch.tensor([[0.9, -0.31, 0.002, 0.45]])
step = weight.abs().amax(1, keepdim=True) / 127  # [1, 1]
whole_numbers = (weight / step).round()
print("float16 is wrong by", f"{(weight.half().float() - weight).abs().max():.1e}")
print("int8", whole_numbers.int().tolist(), "back", whole_numbers * step, end=" ")
print("is wrong by", f"{(weight - whole_numbers * step).abs().max():.1e}")


# %% [markdown]
# The next function does this for any number of bits, to each matrix and kernel of a network. It
# stores the result as float32 again: we measure what the rounding does, not what it saves.


# %%
def with_bits(model, bits):
    """A copy whose weights have been rounded to `bits` bits, a scale for each row."""
    rounded, top = copy.deepcopy(model), 2 ** (bits - 1) - 1
    for weight in rounded.parameters():
        if weight.ndim > 1:  # biases, norms and gains stay as they are
            rows = weight.data.flatten(1)
            step = rows.abs().amax(1, keepdim=True).clamp_min(1e-12) / top
            weight.data = ((rows / step).round() * step).view_as(weight)
    return rounded


# %% [markdown]
# **Guess:** at how many bits does the network break, and which of the two scores shows it first? We
# use two sentences and `tiny`. Cost: five to forty seconds.

# %% tags=["guess"]
half = copy.deepcopy(tiny).half().float()
BITS = {"float32": mean_scores(tiny, sentences[:2]), "float16": mean_scores(half, sentences[:2])}
for bits in (8, 6, 4, 3, 2):
    BITS[f"{bits} bits"] = mean_scores(with_bits(tiny, bits), sentences[:2])
for kind, (perceived, sdr) in BITS.items():
    print(f"{kind:7s}: PESQ {perceived:.2f}, SI-SDR {sdr:5.2f} dB")

# %% [markdown] tags=["answer"]
# Go down the rows until one of the scores moves away from its value in the first row. SI-SDR counts
# every wrong sample; PESQ counts only what its model of the ear notices. So if the two differ,
# SI-SDR shows the damage first; with PESQ alone, you would stop too late. (Steps of a few
# hundredths up or down are no trend.)

# %% tags=["frame"]
for kind in (torch.float32, torch.float16, torch.int8):
    # Only the size is of interest here, so nothing is scaled; int8 needs 4 bytes more for each row.
    state = {n: w.to(kind) if w.ndim > 1 else w for n, w in tiny.state_dict().items()}
    print(f"a file with matrices in {kind}: {len(safetensors.torch.save(state)) / 1e3:.0f} kB")

# %% tags=["frame"]
clean, noisy = sentences[0]
row(
    {"noisy": noisy, "float16": enhance(noisy, SAMPLE_RATE, half)}
    | {f"{n} bits": enhance(noisy, SAMPLE_RATE, with_bits(tiny, n)) for n in (4, 2)}
    | {"clean": clean},
    title="Weights rounded to fewer bits",
    transcript=clips.info(names[0]).text,
    listen_for="What comes back first, the noise or something new?",
)

# %% [markdown]
# **Does it get faster?** Only if the runtime has a fast multiplication for numbers of this type.
# ONNX Runtime offers *dynamic quantisation*: weights are stored in int8, and activations are
# rounded to int8 as they are computed. **Guess** the size and the time of `lite`, relative to
# float32. Cost: ten to forty seconds.

# %% tags=["frame"]
INT8 = None
if HAS_ONNX:
    import logging

    from onnxruntime.quantization import quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)  # it recommends a step that changes nothing here
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "lite.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(GRAPH)
        quantize_dynamic(before, after)
        INT8 = after.read_bytes()

# %% tags=["frame"]
if INT8:
    import onnx

    in_int8, sound = OnnxGenerator(INT8), torch.from_numpy(sentences[0][1][: 2 * SAMPLE_RATE])[None]
    spent = {label: [] for label in ("float32", "int8")}
    for _ in range(4):
        for label, model in zip(spent, (RUNTIME, in_int8), strict=True):
            started = time.perf_counter()
            enhance_16k(model, sound)
            spent[label].append(time.perf_counter() - started)
    INT8_TIME = 100 * min(spent["int8"]) / min(spent["float32"])
    INT8_SCORES = [mean_scores(model, sentences[:2]) for model in (RUNTIME, in_int8)]
    kinds = [node.op_type for node in onnx.load_model_from_string(INT8).graph.node]
    print(f"size {100 * len(INT8) / len(GRAPH):.0f} %, time {INT8_TIME:.0f} % of float32")
    for label, (perceived, sdr) in zip(spent, INT8_SCORES, strict=True):
        print(f"{label:8s} PESQ {perceived:.2f}, SI-SDR {sdr:.2f} dB")
    print(f"{kinds.count('ConvInteger')} convolutions in int8,", end=" ")
    print(f"{kinds.count('Scan')} loops over conformers left as they were")

# %% [markdown]
# **Take the numbers as they are.** If the time is above 100 %, int8 has made the network *slower*.
# There was little to gain: the tool rounds only convolutions of the main graph, while most weights
# are in the conformers, inside loops that it does not enter, and a depthwise kernel does few
# multiplications. And there is a price: activations are rounded on the way, before each
# convolution, and the runtime may have no fast convolution for integers on your processor. A
# smaller *file* is easy to get: store the rounded weights in 8 bits and unpack them when they are
# loaded. The file also holds names, norms and biases, so it does not become four times smaller.
#
# > **Try it.** One scale for a whole matrix would be simpler than one for each row. What does that
# > change in the scores at 4 bits?


# %% tags=["try"]
# Answer: On two sentences a loss is not shown, although small rows share the steps of large ones.
def one_scale(model, bits):
    rounded, top = copy.deepcopy(model), 2 ** (bits - 1) - 1
    for matrix in rounded.parameters():
        if matrix.ndim > 1:
            unit = matrix.data.abs().max().clamp_min(1e-12) / top
            matrix.data = (matrix.data / unit).round() * unit
    return rounded


for title, network in (("rows", with_bits(tiny, 4)), ("one scale", one_scale(tiny, 4))):
    both_scores = mean_scores(network, sentences[:2])
    print(f"4 bits, {title:9s}: PESQ {both_scores[0]:.2f}, SI-SDR {both_scores[1]:.1f} dB")

# %% [markdown]
# ## 7 How much?
#
# **Why.** The first thing that users of real products ask for is a slider. Less noise is pleasant,
# but a voice in complete silence is not, and what the network takes from the voice is lost. So the
# original $x$ is mixed back into $\hat{x}$, the output of the network; the *strength* $s$ sets the
# proportion:
#
# $$y = s\,\hat{x} + (1 - s)\,x, \qquad 0 \le s \le 1$$
#
# **Eight numbers.** This is right only if the two are aligned to the sample. Here the "network"
# silences every number whose size is below 2, once on time and once a sample late:

# %%
x = torch.tensor([1.0, -1, 5, -5, 5, -5, 1, -1])
kept = torch.where(x.abs() < 2, 0, x)
print("aligned:      ", 0.5 * kept + 0.5 * x)
print("a sample late:", 0.5 * kept.roll(1) + 0.5 * x)

# %% [markdown]
# If the two are aligned, the loud part keeps its size. If one is a sample late, the loud part
# cancels itself out. Section 2 showed that resampling causes no delay; **here is the proof** for
# the package, at a rate that needs resampling:

# %%
at_44 = resample(sentences[0][1], SAMPLE_RATE, 44100)[:44100]  # 1 s
full = enhance(at_44, 44100, tiny)
by_package = enhance(at_44, 44100, tiny, strength=0.8)
strength_difference = np.abs(0.8 * full + 0.2 * at_44 - by_package).max()
print(f"largest difference: {strength_difference:.1e}")
assert strength_difference < 1e-5

# %% [markdown]
# **How much is right?** Four sentences are enhanced once with `lite` and mixed by hand. **Guess:**
# at which strength is PESQ highest, and at which is SI-SDR? Cost: five to thirty seconds.

# %%
enhanced = [enhance(noisy, SAMPLE_RATE, lite) for _, noisy in sentences]
STRENGTHS = (0.0, 0.5, 0.7, 0.8, 0.9, 1.0)
BY_STRENGTH = {
    s: [
        scores_of(clean, s * sound + (1 - s) * noisy)
        for (clean, noisy), sound in zip(sentences, enhanced, strict=True)
    ]
    for s in STRENGTHS
}

# %% tags=["frame"]
for s, values in BY_STRENGTH.items():
    mean = np.mean(values, axis=0)
    print(f"strength {s:.1f}: PESQ {mean[0]:.2f}, SI-SDR {mean[1]:5.2f} dB")

# %% tags=["frame"]
clean, noisy = sentences[0]
slider(
    {f"{s:.1f}": s * enhanced[0] + (1 - s) * noisy for s in STRENGTHS},
    "strength",
    title="One sentence at six strengths",
    transcript=clips.info(names[0]).text,
    listen_for="At which strength would you send it to a friend? At which could you listen for an "
    "hour?",
    beside={"clean": clean},
    texts={
        f"{s:.1f}": f"this sentence: PESQ {v[0][0]:.2f}, SI-SDR {v[0][1]:.2f} dB"
        for s, v in BY_STRENGTH.items()
    },
)

# %% [markdown]
# Both scores compare with clean speech, so the noise that stays counts as an error, and so does
# what the network did to the voice. For each score, the best strength is the one at which these two
# errors together count least; for a single sentence it may be below 1 (look below the slider).
# Whether a room sounds alive does not matter to the scores. Where there is hardly any noise, the
# network's own errors are what is left. **Guess:** from which SNR on does a strength below 1 give
# the better SI-SDR?

# %% tags=["guess"]
speech, fan = clips.pair("river_rain")[0][: 3 * SAMPLE_RATE], clips.noise("fan", 3, seed=1)
fan, grid = fan[: len(speech)], np.linspace(0, 1, 11)
BEST = {}
for snr in (0, 10, 20, 30, 40):  # dB
    noisy = mix_at_snr(speech, fan, snr).astype(np.float32)
    sound = enhance(noisy, SAMPLE_RATE, lite)
    found = [float(metrics.si_sdr(speech, s * sound + (1 - s) * noisy)) for s in grid]
    BEST[snr] = grid[int(np.argmax(found))]
    print(f"{snr:2d} dB: best strength {BEST[snr]:.1f} ({max(found):.1f} dB)", end="")
    print(f", strength 1 {found[-1]:.1f} dB, strength 0 {found[0]:.1f} dB")

# %% [markdown]
# This is one sentence and one noise, so the SNR at which the best strength begins to fall is only a
# rough value. There is a simple reason why it falls: chapter 04 put clean speech into the network
# and did not get the same speech back.
#
# ## 8 The command
#
# **Why.** A notebook is not a tool. Once the package is installed, every shell knows
#
# ```
# effifusion enhance recording.wav -o cleaned --strength 0.8
# ```
#
# and, for a folder and everything inside it, `effifusion enhance FOLDER -o cleaned`. Here we call
# the function behind the command, on a stereo file at 48 kHz with 24 bits:

# %%
wide = resample(sentences[1][1][: 2 * SAMPLE_RATE], SAMPLE_RATE, 48000)
with tempfile.TemporaryDirectory() as place, contextlib.redirect_stderr(sys.stdout):
    source, cleaned = Path(place) / "recording.wav", Path(place) / "cleaned"
    save_audio(source, np.stack([wide, 0.5 * wide]), 48000, "PCM_24")
    words = ["enhance", str(source), "-o", str(cleaned), "--jobs", "1"]
    words += ["--weights", "tiny", "--strength", "0.8"]
    print("exit code", main(words))
    print("exit code", main(words))  # once more
    before, after = read_format(source), read_format(cleaned / "recording.wav")
    remembered = (cleaned / ".effifusion").read_text(encoding="utf-8")
print("format, rate and channels are the same:", before == after, "-", after)
print(json.loads(remembered)["settings"].keys())

# %% [markdown]
# The second call has nothing to do: the hidden file `.effifusion` says with which weights, version
# and strength each output was made. If you change one of these, the output is made again. **Guess**
# what happens with a strength of 1.5, then try it.
#
# > **Try it.** Call the package's `enhance` with a strength of 1.5, and with one that is not a
# > number (NaN).

# %% tags=["try"]
# Answer: Both are refused in a sentence; mixing with 1.5 would subtract half of the original.
for wrong in (1.5, float("nan")):
    try:
        enhance(sentences[0][1], SAMPLE_RATE, tiny, strength=wrong)
    except ValueError as error:
        print(error)

# %% [markdown]
# ## 9 A card for the model
#
# **Why.** Weights without a card are a box without a label. Whoever finds them must be able to
# learn, without asking you, what they were trained on, what was measured and how, where they fail,
# and what they must not be used for. Two lines of our card are measured here.
#
# **Other voices and noises.** We print the gain of each sentence, not just a mean:

# %%
GAINS = {}
for name, (clean, noisy) in zip(names, sentences, strict=True):
    GAINS[name] = scores_of(clean, enhance(noisy, SAMPLE_RATE, tiny)) - scores_of(clean, noisy)
    about = clips.info(name).condition
    print(f"{about:45s} PESQ {GAINS[name][0]:+.2f}, SI-SDR {GAINS[name][1]:+5.1f} dB")

# %% [markdown]
# **Sounds that are not speech.** **Guess:** the network gets music alone, or the voices of a crowd.
# What does the network do to the level?

# %% tags=["guess"]
LEVELS = {}
for kind in ("fan", "rain", "music", "babble"):
    sound = clips.noise(kind, 3, seed=2)
    rest = enhance(sound, SAMPLE_RATE, tiny)
    LEVELS[kind] = 20 * np.log10(np.std(rest) / np.std(sound))
    print(f"{kind:8s} alone comes out {LEVELS[kind]:+.1f} dB")

# %% [markdown]
# The network does not know what you want to keep. Music, or somebody who talks in the background,
# is noise to one listener and content to another, so none of these levels is right or wrong in
# itself. Whoever wants to keep music has to know its level: it goes on the card, which the next
# cell writes.

# %%
worst = clips.info(min(GAINS, key=lambda name: GAINS[name][1])).condition
CARD = f"""# tiny
A network of {describe(tiny)["parameters"]:,} parameters that takes noise out of speech, 16 kHz.
## Trained on
13 hours of mixtures of read English speech with noises; see TRAINING_DATA.md.
## Measured
Four sentences: SI-SDR gains {min(g[1] for g in GAINS.values()):.1f} dB ({worst}) to
{max(g[1] for g in GAINS.values()):.1f} dB. Four sentences show no more than that.
## Limits
Not causal. Nothing above 8 kHz. Music alone comes out {LEVELS["music"]:+.0f} dB. Not tested:
children, whispering, singing, other languages, impaired voices.
## Not for
Evidence. Emergency calls. Medical findings. Any place where a lost word harms somebody."""
print(CARD)

# %% [markdown]
# **Who is harmed by errors?** Not everybody is harmed equally. A network works best on voices like
# those it was trained on; with a child, a hoarse voice or another language, more may be lost, and
# the speakers may not even learn of it. In court, an enhanced recording can suggest a word that was
# never spoken: keep the original, and say that the recording was processed, and how. A recording is
# not more intelligible just because it is less noisy: others report that strong speech recognisers
# do *worse* on enhanced speech (chapter 09, section 10). Consent counts too: whoever can be heard
# better can also be overheard better.
#
# > **Try it.** Read the card that is shipped with `tiny`,
# > `effifusion_lite/pretrained/tiny.md`. What does it say that ours does not, and whom does that
# > concern? And what does it lack?

# %% tags=["try"]
# Answer: more: how it was trained, for those who repeat it; sources and licence, for those who pass
# it on. It lacks a heading for what it must not be used for.
shipped = Path(effifusion_lite.__file__).parent / "pretrained" / "tiny.md"
lines = shipped.read_text(encoding="utf-8").splitlines()
print(*(line for line in lines if line.startswith(("#", "Licence of"))), sep="\n")

# %% [markdown]
#
# ## 10 Your own recording
#
# **Live.** Choose a file, or record yourself with a fan running, and move the slider for the
# strength. What is gone besides the noise? Only the first 20 s of your recording are used here; the
# command of section 8 uses all of it. On a page without a kernel, you see a built-in sentence.

# %% tags=["frame"]
clean, noisy = sentences[0]
own_recording(
    row(
        {"noisy": noisy, "tiny": enhance(noisy, SAMPLE_RATE, tiny)},
        title="A built-in sentence in place of your recording",
        listen_for="What is gone besides the noise?",
        differences={"removed": ("noisy", "tiny")},
    )
)

# %% [markdown]
# ## 11 What you have built
#
# **Why.** Ten chapters have dealt with one network. This section gathers what the series found out
# about the paper's statements. The ablation study trained each variant of the network with three
# seeds; as in chapter 07, a difference from the complete network counts as shown if it is larger
# than the range over the seeds, both that of the variant and that of the complete network.


# %% tags=["frame"]
def study(folder, measure="pesq"):
    """One score of each seed of a variant."""
    files = sorted((RECIPES / "ablation" / folder).glob("[0-9]*.json"))
    return [json.loads(file.read_text(encoding="utf-8"))["scores"][measure] for file in files]


def corpus_mean(system):
    """Mean PESQ of the stored scores of 200 recorded test files."""
    with open(RECIPES / "scores" / f"{system}.csv", newline="", encoding="utf-8") as file:
        return float(np.mean([float(line["enhanced_pesq"]) for line in csv.DictReader(file)]))


def against(variant, measure="pesq"):
    """Difference of the means of a variant and the complete network, with its verdict."""
    ours, theirs = study(variant, measure), study("complete", measure)
    difference = float(np.mean(ours) - np.mean(theirs))
    shown = abs(difference) > max(np.ptp(ours), np.ptp(theirs))
    unit = {"pesq": "PESQ", "si_sdr": "dB SI-SDR"}[measure]
    return f"{difference:+.3f} {unit} ({'shown' if shown else 'not shown'})"


# %%
STUDIED = {
    "single_norm": "one norm in place of two",
    "without_multi-scale_block": "without the multi-scale block",
    "standard_convolutions": "full convolutions in place of separable ones",
    "50_of_the_weights_masked": "half of the weights masked",
    "with_GAN": "with the discriminator",
    "without_compression": "without compression",
    "magnitude_only": "without the phase decoder",
}
for variant, words in STUDIED.items():
    print(f"{words:46s} {against(variant)}, {against(variant, 'si_sdr')}")

# %% tags=["frame"]
CORPUS = {system: corpus_mean(system) for system in ("wiener", "tiny", "lite", "full")}
print("200 recorded test files, mean PESQ:", {k: round(v, 3) for k, v in CORPUS.items()})
FULL = load("full")
SIZE = describe(FULL)["parameters"]
print(f"full: {SIZE:,} parameters, dilations {FULL.config.dilations},", end=" ")
print(
    f"conformers with {FULL.config.conv_kernel} taps, {FULL.config.blocks} blocks of two,", end=" "
)
print(f"kernels of {FULL.config.multi_scale_kernels} in the multi-scale block")

# %% [markdown]
# The largest network is no better than `lite` here, and that is no mistake: `full` *is* `lite`,
# grown, and has heard only some seven minutes of mixtures since then (chapter 08 prints what each
# network has heard). What a network has heard counts more here than its size. All three networks
# are far from the paper's 3.45. Section 14 sets the numbers beside the paper's statements.
#
# ## 12 Exercises
#
# In exercises 1 and 2, write your code where the three dots are; in exercise 3, mend the code that
# is there. Run the cell, then the check below it. Hints and solutions are folded away. Do each
# alone or with a partner. Short of time? Do 1 and 3.
#
# ### Exercise 1 · Warm-up: how long must a window be? (10 minutes)
#
# Section 1 asked how many windows a recording needs. Turn the question around: a machine with
# `count` cores enhances `count` windows at the same time, and each of them should be as short as
# possible. How many samples does such a window have, if the windows cover at least `length` samples
# and neighbours share `fade` samples? First work out ten samples, three windows and a crossfade of
# one on paper.


# %% tags=["exercise"]
def my_shortest(length, count, fade):
    """Samples of a recording, number of windows, samples of a crossfade -> samples of a window."""
    # BEGIN SOLUTION
    added = -(-(length - fade) // count)  # what each window adds, rounded up
    return added + fade
    # END SOLUTION


# %%
solved_1 = chapter10.check_window(my_shortest)

# %% [markdown] tags=["hint"]
# Leave out the crossfade at the end of the last window. Then all windows add the same number of new
# samples.

# %% [markdown] tags=["hint"]
# `-(-a // b)` rounds $a / b$ up; so does `math.ceil(a / b)`.

# %% [markdown] tags=["solution"]
# With windows of $w$ samples, `count` of them cover $\text{count} \cdot (w - \text{fade}) +
# \text{fade}$ samples. Set this equal to the length and solve for $w$. A result that is not a whole
# number is rounded up; otherwise the end of the recording would be in no window.

# %% [markdown]
# ### Exercise 2 · Write it: overlap-add with any places (20 minutes)
#
# Section 1 faded from one window to the next. Here is a more general task: pieces of any length
# begin at any place and may overlap by more than half, so that three or more meet at a sample. In
# each piece of $n$ samples, give sample $k = 0, \dots, n - 1$ the triangular weight $w_k = 1 -
# \left| 2 (k + \tfrac12) / n - 1 \right|$, add the weighted pieces at their places, and divide each
# sample of the sum by the sum of the weights there. Each sample lies in at least one piece.


# %% tags=["exercise"]
def my_overlap_add(pieces, starts):
    """List of pieces [n], list of the places where they begin -> the whole [N]."""
    # BEGIN SOLUTION
    length = max(start + len(piece) for piece, start in zip(pieces, starts, strict=True))
    total, weights = torch.zeros(length), torch.zeros(length)
    for piece, start in zip(pieces, starts, strict=True):
        place = 2 * (torch.arange(len(piece)) + 0.5) / len(piece) - 1
        weight = 1 - place.abs()  # [n]
        total[start : start + len(piece)] += weight * piece
        weights[start : start + len(piece)] += weight
    return total / weights
    # END SOLUTION


# %%
solved_2 = chapter10.check_overlap_add(my_overlap_add)

# %% [markdown] tags=["hint"]
# You need two tensors of length $N$: one for the weighted pieces, one for the weights.

# %% [markdown] tags=["hint"]
# `total[start : start + len(piece)] += ...` adds a piece at its place. $N$ is the largest of their
# ends, which need not be that of the last piece in the list.

# %% [markdown] tags=["solution"]
# Dividing by the sum of the weights makes any overlap right: pieces that agree pass unchanged. The
# half in $k + \tfrac12$ keeps the weights above zero, so that no sample is divided by zero.

# %% [markdown]
# ### Exercise 3 · Bug hunt: where is the end? (15 minutes)
#
# In another scheme than that of section 1, windows of `size` samples start every `size - fade`
# samples; the last one ends with the recording and may be shorter. The function runs, and the
# windows look plausible. The cell below it checks a *property* for four lengths: the end of the
# recording should be in the last window, however short the recording is. Find out why it is not,
# then fix the function.


# %% tags=["exercise"]
def my_windows(length, size, fade):
    """Samples of a recording, of a window, of a crossfade -> starts and ends [K, 2]."""
    # BEGIN BUG
    starts = range(0, length - size, size - fade)
    # END BUG
    # BEGIN SOLUTION
    starts = range(0, max(1, length - fade), size - fade)
    # END SOLUTION
    ends = [min(start + size, length) for start in starts]
    return torch.tensor([*zip(starts, ends, strict=True)]).reshape(-1, 2)


# %% tags=["frame"]
for length in (20, 21, 15, 8):
    windows = my_windows(length, 8, 2)
    print(f"{length} samples: {windows.tolist()}, the end is", end=" ")
    print("in no window" if not len(windows) or windows[-1, 1] < length else "in the last window")

# %%
solved_3 = chapter10.check_windows(my_windows)

# %% [markdown] tags=["hint"]
# `range` leaves its end out. Write down the windows of 20 samples by hand. Which start is missing?

# %% [markdown] tags=["hint"]
# A further window is needed as long as something is left beyond the crossfade, which the window
# before already holds. And what happens to a recording shorter than the crossfade?

# %% [markdown] tags=["solution"]
# The bug loses up to a window at the end of every recording, perhaps the last word of a speaker.
# Nobody notices this on a test file that ends in silence. A model that changes nothing, used with
# these windows, reveals the bug at once: what comes out must be what went in, at every length.

# %%
print(sum([solved_1, solved_2, solved_3]), "of 3 exercises with a check solved")

# %% [markdown]
# ### Exercise 4 · Open: your recording, your strength (15 minutes)
#
# Record a sentence in a noisy place, or take a built-in one. (If you record the sentence in a quiet
# room as well, you can compare the two by ear; scores need the *same* recording without its noise.)
# Choose a strength by ear, first on headphones, then on the loudspeaker of a phone, and write it
# down before you look at any score. Then ask somebody else. Do you agree? Which strength do PESQ
# and SI-SDR choose on the built-in sentence, and what do they not know?

# %% [markdown] tags=["answer"]
# There is no right number. On headphones, both the remaining noise and the artefacts are easier to
# hear, so the choice may go either way. The text below the slider of section 7 tells you which
# strength the scores choose for the built-in sentence: the distance from clean speech decides. The
# scores do not know what you know: whether somebody has to understand the recording, or to like it,
# or to hear where you are. Two people who disagree are a result, too; chapter 09 says how many
# people you would need to draw a conclusion.

# %% [markdown]
# ## 13 Quiz
#
# Open an answer to see why it is right or wrong.

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "Why are all windows of a recording scaled by one level?",
    {
        "With a level of its own, a soft passage would be treated as a loud one.": "The network "
        "would get the noise of a pause as loud as speech (section 1).",
        "The crossfade needs windows of one loudness.": "The crossfade joins whatever is there; "
        "the scaling is undone after the network.",
        "It saves the time of measuring each window.": "Measuring a level costs next to nothing.",
    },
    correct="With a level of its own, a soft passage would be treated as a loud one.",
)
quiz(
    "The gradient of one output sample reaches to the end of the input. What follows?",
    {
        "The network cannot give that sample before the recording has ended.": "Strictly, it "
        "depends on all of it. How much that matters is measured by cutting the future off "
        "(section 3).",
        "The last input sample is important.": "A gradient says that there is an influence; "
        "section 3 measures separately how much the future matters.",
        "The network has been trained badly.": "Attention along time and the instance norms look "
        "at all frames, whatever the weights are.",
    },
    correct="The network cannot give that sample before the recording has ended.",
)
quiz(
    "You round weights to 8 bits, store them as float32, and compute the scores. What have you "
    "measured?",
    {
        "What the rounding does to the scores.": "Size and time need a file and a runtime with "
        "8-bit numbers (section 6).",
        "How much faster int8 is.": "The multiplications are the same as before.",
        "How much smaller the file is.": "The file still has 32 bits for each weight.",
    },
    correct="What the rounding does to the scores.",
)
quiz(
    "You enhance a recording at 48 kHz with a strength of 0.8. What is above 8 kHz in the output?",
    {
        "A fifth of what the recording has there.": "The network gives nothing back above 8 kHz; "
        "the original is mixed back in with a factor of 1 − 0.8.",
        "Nothing.": "That holds for a strength of 1 (section 2).",
        "All that the recording has there.": "The original is multiplied by 0.2.",
    },
    correct="A fifth of what the recording has there.",
)

# %% [markdown]
# ## 14 What the paper says, and what came out in this series
#
# The paper is EffiFusion-GAN (Wen and Tan, arXiv 2508.14525). Its abstract and summaries by others
# were at hand, but not its full text. What they leave open is marked as a choice of this project.

# %% tags=["frame"]
claim_table(
    Claim(
        "PESQ of 3.45 on VoiceBank+DEMAND.",
        "the paper's abstract",
        f"tiny {CORPUS['tiny']:.2f}, lite {CORPUS['lite']:.2f}, full {CORPUS['full']:.2f}, a "
        f"Wiener filter {CORPUS['wiener']:.2f}, on 200 of its 824 test files.",
        "section 11; chapters 05 and 09",
        "Ours were not trained on that corpus, and for hours in place of days.",
    ),
    Claim(
        "The network has 1.08 M parameters.",
        "the paper's abstract",
        f"full has {SIZE:,} before any pruning.",
        "section 11; chapter 04",
        "Widths and depths of our preset were chosen to come close.",
    ),
    Claim(
        "An ablation study shows that each of the three innovations contributes.",
        "the paper's abstract",
        f"Full convolutions in place of separable ones {against('standard_convolutions')}, "
        f"{against('standard_convolutions', 'si_sdr')}; one norm in place of two "
        f"{against('single_norm')}, {against('single_norm', 'si_sdr')}; half of the weights masked "
        f"{against('50_of_the_weights_masked')}, "
        f"{against('50_of_the_weights_masked', 'si_sdr')}.",
        "section 11; chapters 02, 03, 07 and 09",
        "The paper's tables were not at hand. Ours: a network of 49 k parameters, two hours of "
        "mixtures, three seeds. Chapter 09 prints what such a study can show.",
    ),
    Claim(
        "Depthwise separable convolutions within a multi-scale block.",
        "the paper's abstract",
        f"Kernels of {FULL.config.multi_scale_kernels}; without the block "
        f"{against('without_multi-scale_block')}.",
        "section 11; chapter 02",
        "Number, kernels and place of the paper's branches are not known.",
    ),
    Claim(
        "The encoder: a separable block, a dense block with dilations 1, 2, 4, 8, a separable "
        "block that halves the frequencies.",
        "summaries of the paper",
        f"The same order, with dilations {FULL.config.dilations}.",
        "section 11; chapters 02 and 04",
        "They agree.",
    ),
    Claim(
        "Convolution-enhanced transformers.",
        "the paper's abstract",
        f"Conformers with {FULL.config.conv_kernel} taps, {FULL.config.blocks} blocks of two.",
        "section 11; chapter 03",
        "We read the words as conformer, as in CMGAN and MP-SENet.",
    ),
    Claim(
        "An enhanced attention mechanism with dual normalization and residual refinement.",
        "the paper's abstract",
        f"One norm in place of two: {against('single_norm')}.",
        "section 11; chapter 03",
        "Its place and form are not known.",
    ),
    Claim(
        "Dynamic pruning.",
        "the paper's abstract",
        f"Half of the weights masked: {against('50_of_the_weights_masked')}, "
        f"{against('50_of_the_weights_masked', 'si_sdr')}.",
        "section 11; chapter 07",
        "Criterion, rate and schedule of the paper are not known.",
    ),
    Claim(
        "A discriminator judges enhanced against clean speech.",
        "summaries of the paper",
        f"With it {against('with_GAN')}.",
        "section 11; chapter 06",
        "Both variants have a differentiable PESQ among their losses.",
    ),
    Claim(
        "The magnitude is compressed with power 0.3.",
        "summaries of the paper",
        f"Without compression {against('without_compression')}, "
        f"{against('without_compression', 'si_sdr')}.",
        "section 11; chapter 01",
        "PESQ is a model of the ear, SI-SDR measures energy; they need not agree.",
    ),
    Claim(
        "Magnitude and phase spectra are both reconstructed.",
        "summaries of the paper",
        f"Without the phase decoder {against('magnitude_only')}.",
        "section 11; chapter 04",
        "Two hours of mixtures are short; chapter 04 measures the phase decoder of lite.",
    ),
    Claim(
        "How recordings of other rates and lengths are enhanced.",
        "not known, choice of this project",
        f"Windows of {WINDOW} s; by hand and package differ by at most"
        f" {max(window_difference, kind_difference):.0e}.",
        "sections 1 and 2",
        "Nothing to compare.",
    ),
)

# %% [markdown]
# ## 15 The common thread
#
# The last row of the series has the four shipped networks, and `lite` with a fifth of the original
# mixed back in. Cost: ten to thirty seconds.

# %% tags=["frame"]
from effifusion_lite.listening.red_thread import thread

thread(10)

# %% [markdown]
# ## 16 Summary
#
# - A recording of any length goes through the network in windows that fade into each other. Other
#   sample rates are resampled; channels, however many, are enhanced one at a time. All of this is
#   in `effifusion_lite.enhance` and in the command `effifusion enhance`.
# - The gradient of one output sample shows how far a network looks ahead: this one looks to the end
#   of what it gets. To run live, it would need other norms, other attention and new training.
# - An ONNX file holds the graph. Test it at lengths that it was not made with.
# - Rounded weights save space, but below some number of bits the network breaks; section 6 prints
#   where. They save time only where a runtime has the operations for them.
# - *Strength* mixes the original back in, aligned to the sample. Scores that compare with clean
#   speech cannot choose it for you.
# - A card says what was measured, on what, and what the weights must not be used for.
#
# **Next:** your own recordings, your own training (chapter 08), or your own chapter: the recipes,
# the scores and all weights are in the repository.
