# %% [markdown]
# # 05 · Losses and metrics
#
# **The sounds.** The speech in this chapter is a free synthetic voice, and the noise comes from a
# random generator. Chapter 00 says how to hear sentences of VoiceBank+DEMAND in their place.
#
# **After this chapter you can**
#
# - say what each loss asks for, from its equation and by ear;
# - explain PESQ stage by stage, and what SI-SDR, STOI, the composites and DNSMOS measure instead;
# - recognise three cases in which the change of a score says nothing about the sound;
# - say how many files it takes to show a gain of 0.05.
#
# **You need** Python with PyTorch, the STFT of chapter 01, and the three scores of chapter 00. The
# package `torch-pesq` comes with the extra `train`, which `make setup` installs.
#
# **Time and cost.** Reading and listening take 60 to 80 minutes, the four exercises 60, and playing
# with the loss desk about 15. All cells together run in one to three minutes on two processor
# cores, and need about 1 GB of memory. Nothing is downloaded.
#
# **Built so far.** Chapters 01 to 04 built a network that takes the magnitude and the phase of a
# noisy spectrum and returns better ones. Here we say what "better" means. No network is trained.
#
# ![](figures/map_05.svg)
#
# **The modules of this chapter** are `effifusion_lite/losses.py` and the package
# `effifusion_lite/metrics/`. Sections 2 to 4 prove that what we build by hand gives the same
# numbers.

# %%
import numpy as np
import torch

from effifusion_lite import losses, metrics, spectral
from effifusion_lite.audio import mix_at_snr
from effifusion_lite.enhancement import enhance
from effifusion_lite.listening import clips

SAMPLE_RATE = 16000  # Hz
CONFIG = spectral.SpectralConfig()
clean = clips.load("rms_garage")[0][: 2 * SAMPLE_RATE]  # [N], 2 s
fans = [clips.noise("fan", len(clean) / SAMPLE_RATE, seed=seed) for seed in (1, 2, 3)]
noisy = np.stack([mix_at_snr(clean, fan, snr_db=10) for fan in fans])  # [3, N]
level = torch.from_numpy(noisy).square().mean(-1, keepdim=True).sqrt()  # [3, 1]
perceptual = losses.PerceptualLoss()
EARS = {"perceptual": perceptual}  # the loss that is slow: only where it is asked for
print(f"{len(clean) / SAMPLE_RATE} s of speech, with three pieces of one fan's noise")

# %% tags=["frame"]
import csv
import json
import re
import time
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
from scipy.signal import butter, lfilter
from scipy.stats import spearmanr

from effifusion_lite.evaluation import wiener_filter
from effifusion_lite.lesson import Claim, claim_table
from effifusion_lite.lesson.checks import chapter05
from effifusion_lite.listening import abx, row
from effifusion_lite.listening.widgets_losses import loss_desk
from effifusion_lite.plotting import show

torch.manual_seed(1)
torch.set_printoptions(precision=2, sci_mode=False)
RECIPES = Path(losses.__file__).resolve().parents[1] / "recipes"  # stored scores
NAMES = {"pesq": "PESQ", "stoi": "STOI", "si_sdr": "SI-SDR", "segmental_snr": "seg. SNR"}
NAMES |= {"csig": "CSIG", "cbak": "CBAK", "covl": "COVL"}


def scores(waveform, names=NAMES, reference=clean):
    """Scores of a waveform [N] as numbers, NaN where one is missing (PESQ without `pesq`)."""
    found = metrics.score(reference, waveform)
    return np.array([np.nan if getattr(found, n) is None else getattr(found, n) for n in names])


def line(title, values, names=NAMES):
    """One line of a table of scores."""
    print(
        f"{title:22s}"
        + "".join(f"{NAMES[n]} {v:6.2f}  " for n, v in zip(names, values, strict=True))
    )


HEARD_SCORES = ("pesq", "stoi", "si_sdr")


def ranges(title, batch):
    """Print the lowest and the highest scores of waveforms [B, N] -> both, [metrics] each."""
    found = np.array([scores(waveform, HEARD_SCORES) for waveform in batch])  # [B, metrics]
    low, high = found.min(0), found.max(0)
    spans = zip(HEARD_SCORES, low, high, strict=True)
    print(f"{title:26s}  " + "  ".join(f"{NAMES[k]} {a:5.2f} to {b:5.2f}" for k, a, b in spans))
    return low, high


def judge(waveform):
    """DNSMOS of a waveform [N] in a few words; takes seconds."""
    if not find_spec("speechmos"):
        return "(the package speechmos is not installed)"
    found = metrics.dnsmos(np.clip(waveform, -1, 1))
    return f"SIG {found.sig:.2f}  BAK {found.bak:.2f}  OVRL {found.ovrl:.2f}"


# %% [markdown]
# ## 1 What does each loss want?
#
# ![](figures/map_05_losses.svg)
#
# **Why.** A loss is a number that says how wrong an output is. In training, a network follows the
# slope of this number downhill for hours, and afterwards one can hardly tell what came from the
# loss and what from the network. So we leave the network out and move the numbers of the noisy
# spectrum itself, step by step, down the slope of *one* loss. What we hear at the end is what this
# loss asks for.
#
# **One bin first.** The clean bin has magnitude 1 and phase 0; the noisy one has magnitude 2 and
# phase 1 rad. Read the slopes: which of the two numbers does each loss want to change?

# %%
clean_bin = torch.tensor([1.0, 0.0])
for name in ("magnitude", "phase", "complex"):
    m, p = torch.tensor(2.0, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    errors = {
        "magnitude": (m - clean_bin[0]) ** 2,
        "phase": (p - clean_bin[1]).abs(),
        "complex": (m * p.cos() - 1) ** 2 + (m * p.sin()) ** 2,
    }
    slopes = torch.autograd.grad(errors[name], (m, p), allow_unused=True)
    shown = [None if slope is None else round(slope.item(), 2) for slope in slopes]
    print(f"{name:10s} loss {errors[name]:.2f}, slopes for magnitude and phase {shown}")

# %% [markdown]
# The magnitude loss has no slope for the phase, and the phase loss none for the magnitude (`None`).
# The complex loss moves both, and its slope for the phase is proportional to the magnitude: a wrong
# phase in a silent bin costs nothing.
#
# **All bins.** The network of chapter 04 returns a compressed magnitude and a phase for each bin.
# We start from those of the noisy speech and let the optimiser Adam move them. Adam divides each
# slope by its recent size, so a step is about as large as `rate`, whether the slope is steep or
# not. The batch holds the same sentence with three pieces of noise, so that every number comes with
# its range.


# %%
def descend(name, steps=80, rate=0.05, start=noisy, target=clean):
    """Move the spectra of `start` [B, N] down one loss -> sounds, losses."""
    scale = level[: len(start)]  # [B, 1], so that the noisy speech has an RMS of 1
    begun, wanted = (torch.as_tensor(x) / scale for x in (start, target))  # [B, N] each
    places = [part.requires_grad_() for part in spectral.analyse(begun, CONFIG)]
    optimiser, sounds, curve = torch.optim.Adam(places, lr=rate), [], []
    for _ in range(steps):
        here = places[0].abs(), places[1]  # magnitude, phase [B, F, T]
        terms, sound = losses.generator_losses(wanted, *here, CONFIG, perceptual=EARS.get(name))
        sounds.append((scale * sound).detach().numpy())
        curve.append(terms[name].item())
        optimiser.zero_grad()
        terms[name].backward()
        optimiser.step()
    return sounds, curve


# %% [markdown]
# There are six losses. Section 2 writes down five of them, section 4 the sixth:
#
# | loss | compares |
# |---|---|
# | magnitude | compressed magnitudes |
# | phase | phases, and their steps along frequency and along time |
# | complex | real and imaginary parts of the compressed spectra |
# | waveform | samples |
# | consistency | the spectrum with the spectrum of its own waveform |
# | perceptual | loudness in bands: a twin of PESQ that has a slope |
#
# **Guess** before you run: which loss alone gives the highest PESQ? Which the highest SI-SDR? One
# of the six leaves the noisy speech nearly as it is. Which one? Cost: 10 to 80 seconds.

# %% tags=["guess"]
LOSSES = ("magnitude", "phase", "complex", "waveform", "consistency", "perceptual")
RATES = {"perceptual": 0.01}  # smaller steps: section 7 shows why
ALONE, CURVES, began = {}, {}, time.perf_counter()
for name in LOSSES:
    sounds, CURVES[name] = descend(name, rate=RATES.get(name, 0.05))
    ALONE[name] = sounds[-1]  # [3, N]
print(f"{time.perf_counter() - began:.0f} s; the lowest and highest scores of three sounds:")
RANGES = {name: ranges(name, batch) for name, batch in {"noisy": noisy, **ALONE}.items()}
print(f"the consistency loss of the noisy speech is {CURVES['consistency'][0]:.0e}")

# %% tags=["frame", "guess"]
falling = {name: np.array(curve) / curve[0] for name, curve in CURVES.items()}
del falling["consistency"]
figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
for (name, curve), style in zip(falling.items(), ("-", "--", "-.", ":", (0, (6, 1))), strict=True):
    axis.plot(curve, linestyle=style, label=name)
axis.set(xlabel="step", ylabel="loss / loss of the noisy speech", yscale="log")
axis.legend(fontsize=8)
axis.grid(alpha=0.3)
show(
    figure,
    "Five curves of losses over the steps, relative to the loss of the noisy speech, on a "
    "logarithmic axis. At the end: "
    + ", ".join(f"{name} {curve[-1]:.2g}" for name, curve in falling.items())
    + ".",
)

# %% tags=["frame"]
heard = {"noisy": noisy[0]} | {name: batch[0] for name, batch in ALONE.items()}
row(
    heard | {"clean": clean},
    title="One loss alone, without a network",
    transcript=clips.info("rms_garage").text,
    listen_for="Which version is free of noise but rough? Which still has all of its noise? Is the "
    "one with the highest PESQ also the one you like best?",
    scores={name: metrics.score(clean, waveform) for name, waveform in heard.items()},
    pictures=False,
)

# %% [markdown] tags=["answer"]
# - *Magnitude* removes the noise, but the voice keeps the roughness of the noisy phase (chapter
#   01). This loss never touches the phase.
# - *Phase* corrects the phase while the magnitude stays noisy: you hear the fan. SI-SDR rises all
#   the same; PESQ hardly changes.
# - *Complex* and *waveform* can reach the clean speech, since no network is in their way. Here they
#   end up nearly alike. They differ in how they weigh errors on the way: the waveform loss counts
#   an error the same in loud and quiet samples, whereas the complex loss compares compressed
#   values, in which quiet bins count more.
# - *Consistency* leaves the sound nearly as it is. This loss does not know the clean speech at all.
#   It asks only for the spectrum of some waveform, and the noisy spectrum already is one.
# - *Perceptual* does not know the phase. Its SI-SDR falls below that of the noisy speech.

# %% [markdown]
# A network never brings a loss all the way down to zero. The loss then decides which errors remain,
# so one loss is seldom enough: magnitude alone ignores the phase, phase alone ignores the noise,
# and complex and waveform tie the two together.
#
# > **Try it.** Apply the consistency loss after the magnitude loss: start from
# > `ALONE["magnitude"]`. Does it help? Look at the first and the last value of the loss too.

# %% tags=["try"]
# Answer: No. A waveform's spectrum is consistent, so only rounding is left, and Adam enlarges it.
line("magnitude alone", scores(ALONE["magnitude"][0], HEARD_SCORES), HEARD_SCORES)
for step_size in (0.05, 0.001):
    after, course = descend("consistency", rate=step_size, start=ALONE["magnitude"])
    print(f"steps of {step_size}: loss {course[0]:.0e}", end="")
    print(f", at most {max(course):.0e}, at the end {course[-1]:.0e}")
    line("then consistency", scores(after[-1][0], HEARD_SCORES), HEARD_SCORES)

# %% [markdown] tags=["answer"]
# The start is a waveform already, so its spectrum is consistent, and the loss is zero except for
# rounding. There is nothing to gain. With steps of 0.05 the scores even fall: the slopes are tiny,
# but Adam divides them by their own size, so the largest of them become full steps. These steps
# make the spectrum inconsistent, and the descent ends at a different consistent spectrum. With
# steps of 0.001 hardly anything changes. A small loss and a small slope do not mean a small step.

# %% [markdown]
# ## 2 Every loss by hand
#
# **Phases live on a circle.** Two phases of 3.1 and −3.1 rad differ by 6.2 as numbers; on the
# circle they are close. *Anti-wrapping* subtracts the nearest whole number of turns and takes the
# absolute value:
#
# $$d(x) = \left|\, x - 2\pi \operatorname{round}\!\left(\tfrac{x}{2\pi}\right) \right|$$
#
# ![](figures/05_circle.svg)
#
# **Eight differences.** Work out two or three distances in your head, then compare.


# %%
def anti_wrap_by_hand(x):
    """Distance on the circle, 0 to pi, of differences x in radians."""
    return (x - 2 * torch.pi * (x / (2 * torch.pi)).round()).abs()


# %% tags=["guess"]
EIGHT = torch.tensor([0.0, 1.0, 3.0, 3.3, 6.2, -6.2, 7.0, -3.3])
print("difference", EIGHT)
print("distance  ", anti_wrap_by_hand(EIGHT))

# %% [markdown]
# **Three phase errors.** The phase itself says little: move the whole recording by one sample and
# all phases are wrong, though nobody hears a difference. So the *steps* of the phase are compared
# as well, along frequency (the *group delay*) and along time (the *instantaneous frequency*).
# **Guess:** the same angle is added to every phase. Which of the three errors notices?


# %%
def phase_by_hand(clean_phase, phase):
    """Errors of phase, step along frequency, step along time; [B, F, T] in, three numbers out."""
    error = phase - clean_phase
    along_frequency, along_time = error[:, 1:] - error[:, :-1], error[..., 1:] - error[..., :-1]
    return [anti_wrap_by_hand(e).mean() for e in (error, along_frequency, along_time)]


# %% tags=["guess"]
clean_spectrum = spectral.analyse(torch.from_numpy(clean)[None] / level[:1], CONFIG)  # m, p
later = spectral.analyse(torch.from_numpy(clean)[None].roll(1) / level[:1], CONFIG)[1]  # [1, F, T]
print("errors of phase, of steps along frequency, of steps along time:")
for title, moved in {"+ 0.5 rad": clean_spectrum[1] + 0.5, "one sample later": later}.items():
    found = phase_by_hand(clean_spectrum[1], moved)
    print(f"{title:16s}", [round(error.item(), 3) for error in found])

# %% [markdown] tags=["answer"]
# Only the first does, since a constant has no steps. A delay of one sample makes the first error
# large and the other two small: it turns neighbouring frequencies by nearly the same angle, and
# each frame by the same angle as the next.

# %% [markdown]
# **The other losses.** Here $\tilde m$ is the compressed magnitude,
# $\tilde X = \tilde m\,e^{i\varphi}$ the spectrum and $x$ the waveform; the index $c$ stands for
# the clean speech:
#
# $$L_\text{mag} = \overline{(\tilde m - \tilde m_c)^2}, \quad
# L_\text{complex} = \overline{|\tilde X - \tilde X_c|^2}, \quad
# L_\text{wave} = \overline{|x - x_c|}, \quad
# L_\text{cons} = \overline{|\tilde X - \operatorname{STFT}(\operatorname{iSTFT}(\tilde X))|^2}$$
#
# The bar is the mean over all bins or samples. In the last term, the spectrum is expanded,
# inverted, analysed and compressed again. Here is the same in code:


# %%
def losses_by_hand(target, magnitude, phase):
    """Five losses of compressed magnitude and phase [B, F, T] against a waveform [B, N]."""
    clean_m, clean_p = spectral.analyse(target, CONFIG)  # [B, F, T] each
    spectrum, clean_x = torch.polar(magnitude, phase), torch.polar(clean_m, clean_p)
    sound = spectral.synthesise(magnitude, phase, target.shape[-1], CONFIG)  # [B, N]
    again = torch.polar(*spectral.analyse(sound, CONFIG))  # [B, F, T]
    return {
        "magnitude": (magnitude - clean_m).square().mean(),
        "phase": sum(phase_by_hand(clean_p, phase)),
        "complex": (spectrum - clean_x).abs().square().mean(),
        "waveform": (sound - target).abs().mean(),
        "consistency": (spectrum - again).abs().square().mean(),
    }


# %% [markdown]
# **Proof.** Random magnitudes and phases go into our function and into the package.

# %%
generator = torch.Generator().manual_seed(5)
random_m = torch.rand(3, 201, 321, generator=generator)  # [B, F, T]
random_p = 6 * torch.rand(3, 201, 321, generator=generator) - 3  # [B, F, T]
target = torch.randn(3, 32000, generator=generator)  # [B, N]
ours = losses_by_hand(target, random_m, random_p)
theirs, _ = losses.generator_losses(target, random_m, random_p, CONFIG)
for name, value in ours.items():
    print(f"{name:12s} by hand {value:.6f}   package {theirs[name]:.6f}")
    assert abs(value - theirs[name]) < 1e-5 * theirs[name]
print("all agree within a relative 1e-5")

# %% [markdown]
# A random spectrum is not that of any waveform, so here the consistency loss is far from zero.
#
# **The weights.** The paper's weights are not known. `LossWeights` holds those of MP-SENet, a close
# relative, as its defaults; the recipes of this project change them. `metric` is the weight of the
# discriminator's score, which chapter 06 adds (a second network learns to predict PESQ; its
# prediction has a slope, so it can be a loss), and `perceptual` that of the twin of PESQ, which is
# off by default. What a term contributes depends on its weight and on its size (and the size of its
# slope), so a weight of 0.9 need not mean "most important".

# %% tags=["frame"]
print(losses.LossWeights())
begun = torch.from_numpy(noisy) / level  # [3, N]
terms, _ = losses.generator_losses(
    torch.from_numpy(clean) / level, *spectral.analyse(begun, CONFIG), CONFIG
)
weights = losses.LossWeights()
for name, term in terms.items():
    print(
        f"{name:12s} {term:6.3f} × {getattr(weights, name)} = {term * getattr(weights, name):.3f}"
    )

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "You train with the consistency loss alone, starting from the noisy speech. What comes out?",
    {
        "Nearly the noisy speech.": "The loss does not know the clean speech; every waveform has a "
        "consistent spectrum, so it starts at zero (section 1).",
        "Clean speech, but slowly.": "Nothing in this loss points to the clean speech.",
        "Silence.": "Silence is consistent as well, but nothing pulls towards it: the loss of the "
        "noisy speech is already zero.",
    },
    correct="Nearly the noisy speech.",
)

# %% [markdown]
# ## 3 Ratios: SI-SDR and segmental SNR
#
# ![](figures/map_05_scores.svg)
#
# **Why.** A loss is for the network, a metric for us. Chapter 00 built SI-SDR by hand: the energy
# of that part of the output which follows the clean speech, divided by the energy of the rest, in
# dB. A single loud moment can decide its value. *Segmental SNR* computes a ratio for each short
# segment, so quiet ones count as much as loud ones.
#
# **Eight samples in two segments.** One segment is loud and one is quiet; the error is 0.1
# everywhere. **Guess:** what is the SNR of all eight samples, and what is the mean of the two
# segments' SNRs?

# %% tags=["guess"]
loud_and_quiet = np.array([[10.0, -10, 10, -10], [0.1, -0.1, 0.1, -0.1]])  # two segments
signal, error = [(x**2).sum(1) for x in (loud_and_quiet, np.full((2, 4), 0.1))]  # energies [2]
each = 10 * np.log10(signal / error)
print(f"signal over error\nall eight: {10 * np.log10(signal.sum() / error.sum()):.1f} dB")
print("each half:", each, "dB, mean", each.mean(), "dB")
print("limited to -10 ... 35 dB: mean", np.clip(each, -10, 35).mean(), "dB")

# %% [markdown]
# In a pause the clean speech has next to no energy, so the SNR can fall without limit; where there
# is no error, it can rise without limit. So the SNR of each segment is limited to the range from
# −10 to 35 dB, a convention of the field.


# %%
def segmental_snr_by_hand(clean, enhanced, length=480, hop=120):
    """Mean SNR of windowed segments of 30 ms, each limited; waveforms [N] -> dB."""
    window = np.hanning(length + 2)[1:-1]
    ratios = []
    for start in range(0, (len(clean) - length) // hop * hop, hop):
        signal = window * clean[start : start + length]
        wrong = window * (enhanced - clean)[start : start + length]
        ratio = (signal @ signal) / (wrong @ wrong + 1e-16) + 1e-16
        ratios.append(np.clip(10 * np.log10(ratio), -10, 35))
    return np.mean(ratios)


# %%
pair = clean.astype(float), noisy[0].astype(float)
by_hand, package = segmental_snr_by_hand(*pair), metrics.segmental_snr(*pair)
print(f"by hand {by_hand:.6f} dB, package {package:.6f} dB; SI-SDR {metrics.si_sdr(*pair):.2f} dB")
assert abs(by_hand - package) < 1e-6

# %% [markdown]
# ## 4 PESQ, stage by stage
#
# **Why.** PESQ (ITU-T P.862) asks how much *louder or softer than it should be* each band of
# hearing is at each moment. The standard is a program in C that gives no slopes. The loss
# `perceptual` is its twin in PyTorch (package `torch-pesq`). We rebuild the twin in six stages; its
# tables (thresholds, band widths) are those of the standard.
#
# ![](figures/05_pesq.svg)
#
# **Follow one band of one frame**, around 1060 Hz in the middle of the sentence: after each stage
# we print its two numbers, one for the clean speech and one for the output, here the noisy speech
# after a Wiener filter.

# %%
TWIN = perceptual.disturbance  # holds the tables
PAIR = clean, wiener_filter(noisy[0])  # clean speech and output, [N] each
FRAME, BAND = 60, 24


def follow(stage, clean, output):
    """Print the chosen band of the chosen frame, of two arrays [T, 49]."""
    print(f"{stage:16s} clean {clean[FRAME, BAND]:10.3f}   output {output[FRAME, BAND]:10.3f}")


# %% [markdown]
# **Stage 1, level and filter.** Both recordings are brought to the same level, measured between 325
# and 3250 Hz, so PESQ does not know how loud the output is. A second filter then removes the lowest
# frequencies. (The numbers 5120 and 1.04684 come from the standard's program.)


# %%
def level_and_filter_by_hand(waveform):
    """Waveform [N] -> the same at one level, without the lowest frequencies [N]."""
    heard = lfilter(*butter(5, [325, 3250], "band", fs=SAMPLE_RATE), waveform)  # [N]
    power = (heard**2).sum() / (len(heard) + 5120) / 1.04684
    levelled = waveform * np.sqrt(1e7 / power)  # 1e7 is the level of every recording
    levelled[:15] *= np.arange(1, 16) / 16  # both ends are faded over 15 samples
    levelled[-15:] *= np.arange(15, 0, -1) / 16
    return lfilter([2.740826, -5.4816519, 2.740826], [1, -1.9444777, 0.94597794], levelled)


# %% [markdown]
# **Stage 2, bands.** The recordings are cut into frames of 32 ms, and the power spectrum of each
# frame is summed over 49 bands, narrow at low frequencies and wide at high ones, as in the ear
# (*Bark* scale).


# %%
def bands_by_hand(waveform):
    """Waveform [N] -> power in Bark bands [T, 49]."""
    levelled = torch.from_numpy(level_and_filter_by_hand(waveform)).float()  # [N]
    padded = torch.nn.functional.pad(levelled, (0, len(levelled) % 256))  # as the twin pads
    frames = padded.unfold(0, 512, 256) * torch.hann_window(512)  # [T, 512]
    power = torch.fft.rfft(frames).abs().square()[:, :-1]  # [T, 256]
    power[:, 0] = 0  # a constant offset is not heard
    return power @ TWIN.fbank.fbank.T * TWIN.fbank.pow_dens_correction  # [T, 49]


# %%
POWERS = [bands_by_hand(waveform) for waveform in PAIR]  # [T, 49] each
print("shape", list(POWERS[0].shape), " bins in each band:", TWIN.fbank.fbank.sum(1).int().tolist())
print(f"three times as loud: {(bands_by_hand(3 * clean) / POWERS[0]).nanmean():.4f}")
follow("2 power", *POWERS)

# %% [markdown]
# **Stage 3, forgive.** What a listener gets used to is taken out: first a fixed colouring (some
# frequencies always louder, as on a telephone), then slow changes of the level. The clean speech is
# given the mean spectrum of the output, changed by at most 20 dB in each band. Each frame of the
# output is then given the level of the clean one, raised by at most 7 dB or lowered by at most 35
# dB. The small constants 1000 and 5000 keep silent bands and frames from being blown up. Section 6
# turns this stage into a trap.


# %%
THRESHOLD = TWIN.loudness.threshs[0, 0]  # [49], power that can just be heard


def forgive_by_hand(clean, output):
    """Powers [T, 49] of both, without the fixed colouring and the level of each frame."""
    clear = [p * (p > 100 * THRESHOLD) for p in (clean, output)]  # what is clearly heard
    speech = clear[0].sum(1, keepdim=True) >= 1e7  # [T, 1], frames that are no pause
    means = [(p * speech).mean(0) + 1000 for p in clear]  # [49] each
    clean = clean * (means[1] / means[0]).clamp(0.01, 100)  # the colouring: 20 dB at most
    totals = [(p * (p > THRESHOLD)).sum(1) + 5000 for p in (clean, output)]  # [T] each
    gain = totals[0] / totals[1]  # [T]
    gain = torch.cat([gain[:1], 0.8 * gain[1:] + 0.2 * gain[:-1]])  # follows slowly
    return clean, gain.clamp(3e-4, 5)[:, None] * output  # the level: -35 to 7 dB


FORGIVEN = forgive_by_hand(*POWERS)
follow("3 forgiven", *FORGIVEN)

# %% [markdown]
# **Stage 4, loudness.** Power becomes loudness by a power law (Zwicker), and what is below the
# threshold of hearing is not heard. The exponent is near 0.23: ten times the power is not even
# twice as loud. The factor in front sets the unit, the *sone*.


# %%
def loudness_by_hand(power):
    """Power in bands [T, 49] -> loudness [T, 49]."""
    exponent = TWIN.loudness.exp  # [49]
    loud = (2 * THRESHOLD) ** exponent * ((0.5 + 0.5 * power / THRESHOLD) ** exponent - 1)
    return 0.1866055 * torch.where(power > THRESHOLD, loud, 0.0)


steps = loudness_by_hand(10.0 ** torch.arange(3, 8)[:, None] * torch.ones(1, 49))[:, BAND]
print("ten times the power each:", steps, "ratios", steps[1:] / steps[:-1])
follow("4 loudness", *map(loudness_by_hand, FORGIVEN))

# %% [markdown]
# **Stage 5, disturbance.** The disturbance is the difference of the two loudnesses, minus a quarter
# of the smaller loudness, since a difference as small as that is masked (not heard). A second
# disturbance counts only what was *added*: the difference is weighted by the ratio of the two
# powers, raised to the power of 1.2. Weights below 3 are set to 0, and none exceeds 12. So noise
# that stays is punished twice, missing speech only once.


# %%
def disturbance_by_hand(clean, output):
    """Powers [T, 49] -> disturbance and the disturbance by what was added [T, 49]."""
    loud = loudness_by_hand(clean), loudness_by_hand(output)
    difference = loud[1] - loud[0]
    heard = (difference.abs() - 0.25 * torch.minimum(*loud)).clamp(min=0) * difference.sign()
    ratio = ((output + 50) / (clean + 50)) ** 1.2  # + 50: silence over silence is 1
    return heard, heard * torch.where(ratio < 3, 0.0, ratio.clamp(max=12))


DISTURBED = disturbance_by_hand(*FORGIVEN)
all_of_it, added = (values[FRAME, BAND] for values in DISTURBED)
print(f"5 disturbance    all of it {all_of_it:.3f}, by what was added {added:.3f}")

# %% [markdown]
# **Stage 6, one number.**
#
# - *Over the bands* of a frame: the root of the sum of squares (for what was added, a plain sum),
#   each band weighted by its width. The lowest band is left out.
# - *For each frame*: the result is divided by the frame's audible power, raised to 0.04, so that a
#   disturbance counts a little more in a quiet frame. No frame counts more than 45.
# - *Over pieces* of 20 frames (a third of a second), one every 10 frames: the mean of the *sixth*
#   powers, so that the worst moment of a piece decides.
# - *Over the pieces*: the root mean square.


# %%
def total_by_hand(disturbance, clean, order):
    """Disturbance [T, 49], power of the clean speech [T, 49] -> one number."""
    width, whole = TWIN.fbank.width_bark, TWIN.fbank.total_width  # [49], their sum
    weighted = width * disturbance / whole ** (1 / order)  # [T, 49]
    frames = whole * weighted[:, 1:].norm(order, dim=1)  # [T], without the lowest band
    audible = (clean * (clean > THRESHOLD)).sum(1)  # [T]
    frames = (frames / ((audible + 1e5) / 1e7) ** 0.04).clamp(max=45)  # 1e7: stage 1
    pieces = (frames.unfold(0, 20, 10) ** 6).mean(1) ** (1 / 6)
    return pieces.square().mean().sqrt()


# %% [markdown]
# The raw score is 4.5, minus a tenth of the first total, minus 0.0309 times the second. A curve
# (ITU-T P.862.2) maps it to the opinions of listeners. Raw scores of the standard go from −0.5 to
# 4.5; the opinions therefore go from 1.04 to 4.64.


# %%
def pesq_by_hand(clean, output):
    """Waveforms [N] -> what the twin takes away from its best raw score of 4.5."""
    powers = forgive_by_hand(bands_by_hand(clean), bands_by_hand(output))
    both, added = disturbance_by_hand(*powers)
    return 0.1 * total_by_hand(both, powers[0], 2) + 0.0309 * total_by_hand(added, powers[0], 1)


def opinion(taken):
    """What is taken away -> predicted opinion, at most 4.64."""
    return 0.999 + 4 / (1 + np.exp(-1.3669 * (4.5 - taken) + 3.8224))


print(f"raw scores of -0.5 and 4.5: opinions {opinion(5):.2f} and {opinion(0):.2f}")

# %% [markdown]
# **Proof.** We compute the score by hand, with the package and, for the opinion, with the
# standard's own program. The package rounds the coefficients of its filters to single precision and
# we do not, which changes the level a little: hence the tolerance of a relative 1e-4.

# %%
ours_taken = pesq_by_hand(*PAIR).item()
theirs_taken = perceptual(*(torch.from_numpy(x)[None] for x in PAIR)).item()
print(f"taken away: by hand {ours_taken:.6f}, package {theirs_taken:.6f}")
print(f"opinion: twin {opinion(ours_taken):.2f}, standard {scores(PAIR[1])[0]:.2f}")
assert abs(ours_taken - theirs_taken) < 1e-4 * theirs_taken

# %% tags=["frame"]
maps = {  # values, and the bar they share with their neighbour
    "loudness, clean": (loudness_by_hand(FORGIVEN[0]), 25, ""),
    "loudness, output": (loudness_by_hand(FORGIVEN[1]), 25, "loudness (sone)"),
    "disturbance": (DISTURBED[0].abs(), 15, ""),
    "by what was added": (DISTURBED[1].abs(), 15, "disturbance (sone)"),
}
figure, axes = plt.subplots(1, 4, figsize=(11, 2.8), sharey=True, layout="constrained")
for axis, (title, (values, most, label)) in zip(axes, maps.items(), strict=True):
    image = axis.imshow(values.T, origin="lower", aspect="auto", vmin=0, vmax=most, cmap="magma")
    axis.plot(FRAME, BAND, "o", markersize=9, color="cyan", fillstyle="none")
    axis.set(title=title, xlabel="frame (16 ms)")
    if label:
        figure.colorbar(image, ax=axis, pad=0.02, label=label, extend="max")
axes[0].set_ylabel("Bark band")
show(
    figure,
    "Four maps over 49 Bark bands and frames of 16 ms: loudness of the clean speech, loudness of "
    "the noisy speech after a Wiener filter, the disturbance between them, and the disturbance "
    "by what was added. A ring marks the band and frame that were followed. "
    + " ".join(f"Mean of {title}: {values.mean():.2f}." for title, (values, *_) in maps.items()),
)

# %% [markdown]
# **What else the standard does.** It first looks for delays, in each utterance and again inside bad
# pieces, and removes them by shifting; the twin takes both recordings as they are. The standard
# also measures levels with a filter of its own. On the same files, twin and standard therefore
# differ a little, and section 7 shows that a descent can drive them far apart.
#
# > **Try it.** The standard's program is called as `pesq(16000, clean, output, "wb")`, after `from
# > pesq import pesq`. Swap the two waveforms, or choose its mode for telephones, `"nb"` (narrow
# > band, up to 3.4 kHz). Does an error message warn you? Guess first.

# %% tags=["try"]
# Answer: No message; each gives a plausible number, and the numbers are not comparable.
if find_spec("pesq"):
    from pesq import pesq as standard

    for order, arguments in {
        "right": (*PAIR, "wb"),
        "swapped": (*PAIR[::-1], "wb"),
        "narrow band": (*PAIR, "nb"),
    }.items():
        print(f"{order:12s} {standard(SAMPLE_RATE, *arguments):.2f}")

# %% [markdown]
# ## 5 STOI, composites, and a judge without reference
#
# **STOI** predicts how many words are understood. It takes 15 bands up to 4.3 kHz, follows the
# envelope of each over 0.4 s, and correlates it with that of the clean speech. **Extended STOI**
# also compares the bands of such a piece *with each other*, so it notices a noise that comes and
# goes and lifts all bands together.
#
# **Six values.** The core of both is a correlation: subtract the mean, divide by the norm, take the
# inner product.

# %%
envelope = np.array([1.0, 4, 2, 5, 1, 3])
for title, other in {"louder": 2 * envelope, "with noise": envelope + [2, 0, 2, 0, 3, 0]}.items():
    unit = [(x - x.mean()) / np.linalg.norm(x - x.mean()) for x in (envelope, other)]
    print(f"{title:10s} correlation {unit[0] @ unit[1]:.2f}")

# %% [markdown]
# **Composites** (Hu and Loizou) are weighted sums, with weights fitted to listeners in 2008: CSIG
# for the speech, CBAK for the background, COVL for both. They mix PESQ with the log-likelihood
# ratio LLR (shape of the spectrum), the weighted spectral slope WSS (formants) and segmental SNR:
#
# $$\text{COVL} = 1.594 + 0.805\,\text{PESQ} - 0.512\,\text{LLR} - 0.007\,\text{WSS}$$
#
# The next cell scores four versions of our sentence with all of these.

# %%
versions = {"noisy": noisy[0], "Wiener filter": wiener_filter(noisy[0])}
versions |= {name: enhance(noisy[0], SAMPLE_RATE, name) for name in ("tiny", "lite")}
for title, waveform in versions.items():
    line(title, scores(waveform))
    print(f"{'':22s}ext. STOI {metrics.stoi(clean, waveform, extended=True):.2f}")

# %% [markdown]
# **DNSMOS P.835** needs no clean original: a network trained on many rated recordings predicts how
# listeners would rate the speech (SIG), the background (BAK) and both together (OVRL), from 1 to 5.
# It is an optional extra: `pip install "effifusion-lite[dnsmos]"`. Without it the chapter still
# runs, but prints no such numbers. **Guess:** which ratings does DNSMOS give the clean original?
# Cost: 5 to 40 seconds.

# %% tags=["guess"]
print("DNSMOS of two recordings:")
for title, waveform in {"clean": clean, "noisy": noisy[0]}.items():
    print(f"{title:6s} {judge(waveform)}")

# %% [markdown] tags=["answer"]
# Even the clean original is far from 5, perhaps because the network learnt from ratings of other
# recordings and this voice is synthetic. So compare DNSMOS only between versions of one sentence.

# %% [markdown]
# **How much of a composite is PESQ?** The package's repository holds the scores of 200 recorded
# test files for several systems. $R^2$ is the share of the variance between files that a
# straight-line fit on PESQ explains. **Guess** it for CSIG, CBAK and COVL.


# %% tags=["frame", "guess"]
def stored(system):
    """Scores of 200 files, by name [200]."""
    with open(RECIPES / "scores" / f"{system}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {n: np.array([float(r[f"enhanced_{n}"] or "nan") for r in rows]) for n in NAMES}


SYSTEMS = ("wiener", "tiny", "lite", "full")
print(f"200 files of each of {len(SYSTEMS)} systems:")
together = {n: np.concatenate([stored(system)[n] for system in SYSTEMS]) for n in NAMES}
for name in ("csig", "cbak", "covl", "si_sdr", "stoi"):
    both = np.isfinite(together["pesq"]) & np.isfinite(together[name])
    r = np.corrcoef(together["pesq"][both], together[name][both])[0, 1]
    print(
        f"PESQ explains {100 * r**2:.0f} % of the variance of {NAMES[name]} ({both.sum()} scores)"
    )

# %% [markdown]
# arXiv 2609.35054 reports 59, 69 and 91 % for CSIG, CBAK and COVL. The shares, above all those of
# CSIG and CBAK, depend on which systems and files are scored; for COVL the two are close. A table
# that prints PESQ and COVL has printed nearly the same thing twice.

# %% [markdown]
# ## 6 Three traps
#
# All three change a score, and none of them improves what a listener gets. We start from the output
# of `lite` for our noisy sentence. **Guess** what each of them does to the scores named:
#
# 1. *a scale* (CSIG, CBAK, COVL): samples that are already in ±1 are divided by 32768 once more;
# 2. *a curve* (PESQ, SI-SDR): each frequency is stretched by a fixed curve, the same for every
#    file;
# 3. *late and soft* (PESQ, SI-SDR): the output comes 2 ms late, or at half the level.
#
# **Trap 1: a scale.** A sample of 16 bits, divided by 32768, is a float in ±1. What if a program
# divides once more, because it mistakes the floats for integers? WSS treats a band below $10^{-10}$
# as empty, and now quiet bands are below that floor *in both* recordings, so the recordings agree
# there.

# %% tags=["guess"]
from effifusion_lite.metrics.composite import (
    composite,
    log_likelihood_ratio,
    weighted_spectral_slope,
)

LITE = enhance(noisy[0], SAMPLE_RATE, "lite")  # [N]
right_pesq = scores(LITE)[0]
for title, scale in (("samples in ±1", 1), ("divided by 32768", 1 / 32768)):
    scaled = scale * clean.astype(float), scale * LITE.astype(float)
    opinions = composite(*scaled, right_pesq)
    print(
        f"{title:18s} CSIG {opinions.csig:.2f}  CBAK {opinions.cbak:.2f}  COVL {opinions.covl:.2f}"
    )
    terms = log_likelihood_ratio(*scaled), weighted_spectral_slope(*scaled)
    print(f"{'':18s} LLR  {terms[0]:.2f}  WSS  {terms[1]:.2f}: {-0.009 * terms[1]:+.2f} of CSIG")

# %% [markdown]
# The sound is the same; only the unit has changed. Part of the rise comes from WSS: the last number
# in every second line is what WSS takes from CSIG. The rest comes from LLR: `composite.py` adds a
# tiny energy to each segment, so that LLR stays finite in silence, and at this scale that energy is
# no longer tiny. This is a choice of ours; in other programs the rise may be larger or smaller.
# **Look at the scale of the samples before you compare composites between papers.**
#
# **Trap 2: a curve over frequency.** *Perceptual contrast stretching* (PCS) multiplies $\log(1 +
# |X|)$ of every bin by a factor that depends on the frequency alone. It knows neither the noise nor
# the speech. Here is a curve of our own of this kind: it rises from 1 at 100 Hz to 1.4 at 500 Hz,
# stays there up to 4.5 kHz, and falls to 1.09 at 8 kHz.


# %%
def stretch(waveform, top=1.4):
    """Stretch log(1 + |X|) of each bin by a fixed curve over frequency; [N] -> [N]."""
    peak = np.abs(waveform).max()
    spectrum = spectral.stft(torch.as_tensor(waveform / peak)[None])[0]  # [F, T]
    hertz = 40 * torch.arange(201)
    curve = (hertz - 100).clamp(0, 400) / 400 * (1 - (hertz - 4500).clamp(min=0) / 4500)  # [F]
    factor = 1 + (top - 1) * curve[:, None]  # [F, 1]
    magnitude = torch.expm1(factor * torch.log1p(spectrum.abs()))  # [F, T]
    stretched = torch.polar(magnitude, spectrum.angle())[None]  # [1, F, T]
    return peak * spectral.istft(stretched, len(waveform))[0].numpy()


# %% [markdown]
# One file proves little, so we take the first 3 s of all noisy clips, after a Wiener filter. Cost:
# 3 to 30 seconds.

# %% tags=["frame", "guess"]
changes = []
for info in [clips.info(name) for name in clips.names("noisy") if clips.info(name).scored]:
    original, mixture = (x[: 3 * SAMPLE_RATE] for x in clips.pair(info.name))
    output = wiener_filter(mixture)  # [N]
    before, after = (
        scores(x, ("pesq", "si_sdr"), reference=original) for x in (output, stretch(output))
    )
    changes.append(np.concatenate([before, after]))
    print(f"{info.name:24s} PESQ {before[0]:.2f} -> {after[0]:.2f}", end="")
    print(f"   SI-SDR {before[1]:5.1f} -> {after[1]:4.1f} dB")
changes = np.array(changes)  # [clips, 4]
up = np.sum(changes[:, 2] > changes[:, 0])
down = np.sum(changes[:, 3] < changes[:, 1])
MEANS = np.nanmean(changes, axis=0)
print(f"PESQ up in {up}, SI-SDR down in {down} of {len(changes)} clips")
print(f"means: PESQ {MEANS[0]:.2f} -> {MEANS[2]:.2f}, SI-SDR {MEANS[1]:.1f} -> {MEANS[3]:.1f} dB")

# %% [markdown]
# A curve that knows nothing of the noise raises PESQ. Stage 3 forgives the colouring, and the
# stretch raises loud bins more than quiet ones, so the remaining noise gets softer relative to the
# speech. SI-SDR forgives neither the colouring nor the stretch. Published tables mark such a gain
# with "+PCS", as for SEMamba; compare systems that use PCS only with each other.
#
# **Trap 3: late and soft.** Which score notices a delay of 2 ms, and which one notices that the
# level is halved?

# %% tags=["guess"]
late = np.concatenate([np.zeros(32, np.float32), LITE[:-32]])  # [N]
TRAPS = {"lite": LITE, "stretched": stretch(LITE), "2 ms late": late, "half the level": LITE / 2}
for title, waveform in TRAPS.items():
    line(title, scores(waveform))

# %% tags=["frame"]
row(
    {"noisy": noisy[0], **TRAPS, "clean": clean},
    title="Three traps (1 is heard as 'lite': only its unit changed)",
    transcript=clips.info("rms_garage").text,
    listen_for="Do you hear what the curve does to the voice? Is it better? Do you hear the delay? "
    "Tick 'equal loudness' for the last question.",
    scores={title: metrics.score(clean, waveform) for title, waveform in TRAPS.items()},
    pictures=False,
)

# %% [markdown] tags=["answer"]
# SI-SDR collapses with the delay and ignores the level; segmental SNR notices both. PESQ notices
# neither: it aligns time and level first. So align the output before you score a system that delays
# it, and do not rank systems by a ratio alone, since a ratio also counts errors that nobody hears.

# %% [markdown]
# ## 7 A metric as a target
#
# **Why.** PESQ has a twin with a slope. Why not follow that slope to the top? We do so from the
# output of `tiny`, and every ten steps we look at three things: what the twin says, what the
# standard says, and SI-SDR, which is not optimised here. **Guess** the three curves, for small
# steps and for large ones. (Starting here? First run the cells that define `descend` in section 1
# and `opinion` in section 4.) Cost: 15 to 80 seconds.


# %%
def climb(rate, margin=0):
    """Descend the perceptual loss from tiny's outputs -> opinions of the twin, sounds [3, N]."""
    begun = np.stack([enhance(mixture, SAMPLE_RATE, "tiny") for mixture in noisy])  # [3, N]
    begun = np.pad(begun, ((0, 0), (margin, margin)), mode="reflect")  # [3, N + 2 margin]
    target = np.pad(clean, margin, mode="reflect")
    sounds, taken = descend("perceptual", 61, rate, begun, target)
    inside = slice(margin, margin + len(clean))
    return opinion(np.array(taken[::10])), [batch[:, inside] for batch in sounds[::10]]


# %% tags=["guess"]
COURSES = {"small steps (0.01)": climb(0.01), "large steps (0.1)": climb(0.1)}
for title, (twin, sounds) in COURSES.items():
    print(title)
    for k, says in enumerate(twin):
        ranges(f"  step {10 * k:2d}: twin {says:.2f}", sounds[k])

# %% [markdown] tags=["answer"]
# With small steps PESQ rises, SI-SDR falls, and STOI rises too. With large steps the score of the
# twin is soon near the top of its scale, and stays there. The score of the standard rises too at
# first; then it falls, in the end below its value at the start.

# %% [markdown]
# **Why do twin and standard go different ways?** Look at the last sounds of the large steps: how
# loud are their ends, and what do the scores become if clean speech replaces the ends?

# %%
loud = COURSES["large steps (0.1)"][1][-1]  # [3, N]
first, last = 160, len(clean) - 480  # samples: 10 ms from the start, 30 ms from the end
for sound in np.abs(np.concatenate([clean[None], loud])):
    peaks = [part.max() for part in (sound[:first], sound[first:last], sound[last:])]
    print("peaks: start {:.2f}, between {:.2f}, end {:.2f}".format(*peaks))
mended = np.tile(clean, (3, 1))  # clean ends, and between them the sounds
mended[:, first:last] = loud[:, first:last]
for title, batch in {"as they are": loud, "clean ends": mended}.items():
    taken = perceptual(*map(torch.from_numpy, (np.tile(clean, (3, 1)), batch))).item()
    ranges(f"{title}: twin {opinion(taken):.2f}", batch)

# %% [markdown]
# The first line is for the clean speech. The other three sounds have a click at each end, far
# louder than the voice. The standard hears the clicks. The twin does not, for two reasons, both to
# be found in section 4:
#
# - the Hann window is zero at the very first sample and small around it, and no earlier frame
#   covers these samples;
# - the pieces of 20 frames begin every 10 frames. Here the last piece ends with the 120th frame,
#   but there are 124: the last four belong to no piece.
#
# What the metric does not hear, the optimiser may change at no cost. **So let the ends be heard:**
# put 768 mirrored samples before the start and after the end, both for the output and for the clean
# speech. That makes 130 frames, and the pieces cover all of them. Afterwards the margins are cut
# off. **Guess** again: where do PESQ and SI-SDR go? Cost: 7 to 30 seconds.

# %% tags=["guess"]
COURSES["large steps, ends heard"] = climb(0.1, margin=768)
twin, sounds = COURSES["large steps, ends heard"]
for k, says in enumerate(twin):
    ranges(f"step {10 * k:2d}: twin {says:.2f}", sounds[k])

# %% tags=["frame"]
figure, axes = plt.subplots(1, 3, figsize=(11, 2.8), sharey=True, layout="constrained")
told = []
for axis, (title, (twin, sounds)) in zip(axes, COURSES.items(), strict=True):
    found = np.array([[scores(x, HEARD_SCORES) for x in three] for three in sounds])  # [7, 3, 3]
    places, middle = 10 * np.arange(len(twin)), found.mean(1)  # [7], [7, 3]
    axis.plot(places, twin, "--", label="twin")
    axis.fill_between(places, found.min(1)[:, 0], found.max(1)[:, 0], color="C1", alpha=0.3)
    axis.plot(places, middle[:, 0], color="C1", label="PESQ, the standard")
    axis.plot([], [], ":", color="black", label="SI-SDR (right)")
    axis.set(title=title, xlabel="step", ylim=(1, 4.8))
    axis.grid(alpha=0.3)
    other = axis.twinx()
    other.plot(places, middle[:, 2], ":", color="black")
    other.set(ylim=(-10, 20))
    told.append(
        f"{title.capitalize()}: twin {twin[0]:.2f} to {twin[-1]:.2f}, PESQ {middle[0, 0]:.2f} to "
        f"{middle[-1, 0]:.2f}, SI-SDR {middle[0, 2]:.1f} to {middle[-1, 2]:.1f} dB."
    )
axes[0].set_ylabel("opinion")
other.set_ylabel("SI-SDR (dB)")
axes[0].legend(fontsize=8, loc="lower right")
show(
    figure,
    "Opinion of the twin, PESQ and SI-SDR over the steps of three descents, means over three "
    "pieces of noise. " + " ".join(told),
)

# %% [markdown]
# With the ends heard, the standard agrees with the twin, and both find the sound nearly perfect.
# Even so, SI-SDR falls far below that of `tiny`. **Your ears** decide. To protect them, the player
# leaves the clicks out: in "large steps (0.1)" the first 10 and the last 30 ms are silent. Cost: 10
# to 60 seconds, if DNSMOS is installed.

# %% tags=["frame"]
corners = [160, 240, len(clean) - 560, len(clean) - 480]  # samples
fade = np.interp(np.arange(len(clean)), corners, [0, 1, 1, 0]).astype(np.float32)  # [N]
climbed = {"tiny": enhance(noisy[0], SAMPLE_RATE, "tiny")}
climbed |= {title: batches[-1][0] for title, (_, batches) in COURSES.items()}
climbed["large steps (0.1)"] = fade * climbed["large steps (0.1)"]
for title in ("tiny", "small steps (0.01)", "large steps, ends heard"):
    print(f"{title:24s} {judge(climbed[title])}")
row(
    {"noisy": noisy[0]} | climbed | {"clean": clean},
    title="PESQ as the only target",
    transcript=clips.info("rms_garage").text,
    listen_for="Has the voice become better, as PESQ says, or worse, as SI-SDR says? What have the "
    "large steps done to it, which both twin and standard take for nearly perfect?",
    scores={title: metrics.score(clean, waveform) for title, waveform in climbed.items()},
)

# %% [markdown]
# With small steps STOI rises as well, so the descent does not only do damage. DNSMOS judges without
# knowing the target; on this one clip of 2 s, the differences it finds in SIG and OVRL mean little.
# Your ears may be more certain.
#
# An optimiser finds whatever its metric does not hear. Here that was first the ends of the
# recording, a gap in the twin, and then the waveform itself, which PESQ leaves free by design. When
# a network is trained on excerpts of recordings, the twin does not hear the ends of the excerpts
# either. That is why this loss gets a small weight and is used together with losses that know the
# waveform. The ranges are those of three pieces of noise; sentence and voice are always the same.
#
# **What others found** (quoted, not measured here). arXiv 2609.35054: a metric *discriminator*, as
# in chapter 06, raises PESQ from 3.35 to 3.42 on its own corpus and lowers it on another (2.21 to
# 2.16, SI-SDR 12.1 to 10.0 dB). A strong loss made of a differentiable PESQ raises PESQ on both and
# lowers SI-SDR from 12.7 to 3.2 dB. Twelve experts preferred the models without such a loss.

# %% [markdown]
# ## 8 How much is a gain of 0.05 worth?
#
# **Why.** A mean over files hides how far apart the files lie. The *standard deviation* $s$ says
# how much single scores spread, the *standard error* $s / \sqrt{n}$ how uncertain their mean is.
#
# **First, four files and two systems.** The files differ much more than the systems do.

# %%
system_a, system_b = np.array([1.2, 2.0, 2.9, 3.7]), np.array([1.3, 2.1, 2.9, 3.8])
alone = np.sqrt(system_a.var(ddof=1) / 4 + system_b.var(ddof=1) / 4)
paired = (system_b - system_a).std(ddof=1) / np.sqrt(4)
print(f"gain {np.mean(system_b - system_a):.3f}; error as if of different files {alone:.3f}")
print(f"error of the differences, file by file {paired:.3f}")

# %% [markdown]
# Hard files are hard for both systems, and this cancels in the *paired* difference. A gain is
# "shown" here if it is larger than about two standard errors.
#
# **200 recorded test files** (VoiceBank+DEMAND; stored scores, read by `stored` of section 5). The
# last part of the training of `tiny` taught it to take away rumble below 20 Hz. We compare `tiny`
# after this part with its state before, `tiny-3`. **Guess:** what do PESQ, SI-SDR and CSIG say?

# %% tags=["guess"]
FILES = {system: stored(system) for system in ("tiny-3", "tiny", "lite")}
print("means over files, and the standard deviation of the files:")
for name in ("pesq", "si_sdr", "stoi", "csig", "cbak", "covl"):
    a, b = FILES["tiny-3"][name], FILES["tiny"][name]
    gain = b - a  # [200]
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    word = "shown" if abs(gain.mean()) > 2 * error else "not shown"
    print(f"{NAMES[name]:7s} before {a.mean():6.3f}, after {b.mean():6.3f}", end="")
    print(f", files ± {a.std(ddof=1):.2f}")
    print(f"{'':7s} gain {gain.mean():+.3f}, standard error {error:.4f}: {word}")

# %% [markdown] tags=["answer"]
# They contradict each other. SI-SDR counts every sample, so it is a decibel better without the
# rumble. PESQ, like an ear, does not hear below 20 Hz, and no difference is shown. CSIG and COVL
# are a little worse, and that is shown: the rumble is not all that has changed. The scores ask
# different questions, and an error bar does not tell which question is yours.

# %% [markdown]
# **How many files?** The rest of this section asks about one score, PESQ, of `lite` and `tiny`. To
# show a gain $g$ we need $2 s / \sqrt{n} < g$, hence $n > (2 s / g)^2$. With that many files,
# chance hides a true gain of this size half of the time. To show it in four tries out of five,
# replace the 2 by 2.8.

# %%
pesq_gain = FILES["lite"]["pesq"] - FILES["tiny"]["pesq"]  # [200]
spreads = {"paired": pesq_gain.std(ddof=1), "unpaired": 2**0.5 * FILES["tiny"]["pesq"].std(ddof=1)}
for title, spread in spreads.items():
    for factor, power in ((2, "half of the tries"), (2.8, "four out of five")):
        print(f"{title:9s} {power:18s} {int(np.ceil((factor * spread / 0.05) ** 2)):5d} files")

# %% [markdown]
# **What chance does with few files.** We draw files at random, with replacement, as if from many
# more files of this kind, and take the mean gain. This is done 2000 times for each number of files.

# %% tags=["frame"]
draw = np.random.default_rng(5)
for count in (5, 10, 20, 50, 100, 200):
    means = draw.choice(pesq_gain, (2000, count)).mean(1)  # [2000]
    wrong = 100 * np.mean(np.sign(means) != np.sign(pesq_gain.mean()))
    low, high = np.percentile(means, (2.5, 97.5))
    print(f"{count:3d} files: 95 % of the means {low:+.3f} to {high:+.3f}", end="")
    print(f"; wrong sign {wrong:.1f} %")

# %% [markdown]
# **Files are not everything.** The same recipe trained with another seed gives another network.
# `recipes/ablation` holds the scores of twelve variants, three seeds each: the complete network,
# and eleven in which one part of it or of its training is changed. ("Standard convolutions" see all
# channels at once, where the network's own are depthwise; "masked" and "removed" weights are those
# that chapter 07 prunes.) Do the metrics agree about which network is better? **Guess** the rank
# correlation of PESQ and SI-SDR over the 36 networks: 1 means the same order, 0 no relation.

# %% tags=["frame", "guess"]
MODELS = {}
for file in sorted((RECIPES / "ablation").glob("*/[0-9].json")):
    MODELS[file.parent.name, file.stem] = json.loads(file.read_text(encoding="utf-8"))["scores"]
print(f"rank correlations over {len(MODELS)} networks:")
metric_names = ("pesq", "stoi", "si_sdr", "segmental_snr")
values = {n: np.array([scores_of[n] for scores_of in MODELS.values()]) for n in metric_names}
compressed = np.array([variant != "without_compression" for variant, _ in MODELS])
for other in metric_names[1:]:
    for title, which in (("all", compressed | True), ("with compression", compressed)):
        found = spearmanr(values["pesq"][which], values[other][which])
        print(f"PESQ and {NAMES[other]:8s} {title:18s}", end="")
        print(f"{found.statistic:+.2f} (p {found.pvalue:.1g})")

# %% tags=["frame"]
figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
marks = dict(zip(dict.fromkeys(variant for variant, _ in MODELS), "oxD^vs*P+h<>", strict=True))
for variant, mark in marks.items():
    chosen = np.array([name == variant for name, _ in MODELS])
    label = re.sub(r"^(\d+) ", r"\1 % ", variant.replace("_", " "))
    style = {"fillstyle": "none", "markersize": 9, "linestyle": "none"}
    axes.plot(values["si_sdr"][chosen], values["pesq"][chosen], marker=mark, label=label, **style)
axes.set(xlabel="SI-SDR (dB)", ylabel="PESQ")
axes.grid(alpha=0.3)
axes.legend(fontsize=8, bbox_to_anchor=(1.01, 1), loc="upper left")
standard = np.array([variant == "standard_convolutions" for variant, _ in MODELS])
show(
    figure,
    f"PESQ over SI-SDR of {len(MODELS)} networks, twelve variants with three seeds each. Without "
    f"compression PESQ is lowest, {values['pesq'][~compressed].mean():.2f} on average against "
    f"{values['pesq'][compressed].mean():.2f} of all others, at an ordinary SI-SDR. With standard "
    f"convolutions SI-SDR is highest, {values['si_sdr'][standard].mean():.2f} dB on average "
    f"against {values['si_sdr'][~standard].mean():.2f} dB.",
)

# %% [markdown]
# The metrics agree in part: a network with more PESQ tends to be better in the other scores too,
# but the orders differ, so one score does not stand for another. Three variants stand apart.
# Without compression a network loses PESQ and keeps its SI-SDR, as chapter 01 led us to expect.
# With standard convolutions, which have more than twice the weights, SI-SDR is the highest. With 70
# % of the weights masked both scores are low. The rest overlap: networks of one recipe that differ
# only in their seed lie as far apart as most variants do. The p-values treat the 36 networks as
# independent, which three seeds of one variant are not, so take them as a hint.
#
# **Your ears, blind.** PESQ and SI-SDR disagree about these two versions: the output of `lite`, and
# the same after the curve of section 6 (`LITE` and `stretch`). Can you tell which is which?

# %% tags=["frame"]
blind = {"lite": LITE, "stretched": stretch(LITE)}
for title, waveform in blind.items():
    line(title, scores(waveform, HEARD_SCORES), HEARD_SCORES)
abx(
    blind,
    title="One has more PESQ, the other more SI-SDR",
    listen_for="Do s and t stand out more in one of them? Is the voice thinner in one?",
)

# %% [markdown]
# ## 9 Live: the loss desk
#
# Choose a weight for each loss and press *Run*: the spectrogram of the noisy speech follows the
# weighted sum, and you see the curve and hear the result. With `perceptual` a run of 60 steps takes
# 2 to 15 seconds, without it about half as long. On a page without a kernel you see the initial
# state, the magnitude loss alone.

# %% tags=["frame"]
loss_desk(clean, noisy[0])

# %% [markdown]
# > **Try it.** Add a little of the perceptual loss to the waveform loss, with weights 1 and 0.03:
# > does it cost SI-SDR? In code, the desk is the function `descend` of the module
# > `effifusion_lite.listening.widgets_losses`. Import it under another name, since this notebook
# > has a `descend` already, and set all other weights of `LossWeights` to 0, since their defaults
# > are not 0.

# %% tags=["try"]
# Answer: Yes, a little, and PESQ rises by much more; section 1's "perceptual" lost far more.
from effifusion_lite.listening.widgets_losses import descend as desk_descend

zero = dict.fromkeys(("magnitude", "phase", "complex", "consistency", "metric"), 0.0)
for share in (0.0, 0.03):
    mixed = losses.LossWeights(**zero, waveform=1.0, perceptual=share)
    line(f"with {share} perceptual", scores(desk_descend(clean, noisy[0], mixed)[0]))

# %% [markdown]
# ## 10 Exercises
#
# Write your code where the three dots are; in exercise 3, mend the code that is there. Hints and
# solutions are folded away. Short of time? Do 2, or 1 and 3.
#
# ### Exercise 1 · Warm-up: how late is the output? (10 minutes)
#
# An output that comes $d$ samples late has the phase $-2\pi k d / n_\text{fft}$ added in bin $k$,
# up to whole turns, so each step of the phase error from one bin to the next is
# $-2\pi d / n_\text{fft}$. Return $d$: take the steps of the error along frequency, wrap *each* to
# $-\pi \dots \pi$, take their mean, and turn it into samples. If the output is early, $d$ is
# negative.


# %% tags=["exercise"]
def my_delay(clean_phase, phase, n_fft):
    """Two phases [F, T] in radians -> how many samples the second is late, a scalar tensor."""
    # BEGIN SOLUTION
    error = phase - clean_phase  # [F, T]
    steps = error[1:] - error[:-1]  # [F - 1, T]
    steps = steps - 2 * torch.pi * (steps / (2 * torch.pi)).round()
    return -steps.mean() * n_fft / (2 * torch.pi)
    # END SOLUTION


# %%
solved_1 = chapter05.check_delay(my_delay)

# %% [markdown] tags=["hint"]
# The distance of section 2 has lost the sign. Which part of its formula removes the sign?

# %% [markdown] tags=["hint"]
# A step can be several turns too large, so subtracting one turn is not enough: which whole number
# of turns is nearest?

# %% [markdown] tags=["solution"]
# `torch.atan2` of the sine and cosine of the steps wraps as well. The steps have to be wrapped
# before the mean is taken: one whole turn too many in a single bin would spoil it. In real speech
# the phase of a quiet bin is noise, so there one would weight the steps by the magnitudes.

# %% [markdown]
# ### Exercise 2 · Write it: SI-SDR as a loss (20 minutes)
#
# For clean speech $s$ and an output $\hat s$, each with its mean removed (chapter 00):
#
# $$\alpha = \frac{\langle \hat s, s \rangle}{\|s\|^2}, \qquad
# \text{SI-SDR} = 10 \log_{10} \frac{\|\alpha s\|^2}{\|\hat s - \alpha s\|^2}$$
#
# Write SI-SDR in PyTorch as a loss for a batch, with a gradient and such that *smaller is better*:
# return minus the mean of the batch's SI-SDRs, in dB. No call of the package solves this, since its
# `si_sdr` has no gradient.


# %% tags=["exercise"]
def my_si_sdr_loss(clean, enhanced):
    """Waveforms [B, N] -> minus the mean SI-SDR of the batch in dB, a scalar."""
    # BEGIN SOLUTION
    clean = clean - clean.mean(-1, keepdim=True)  # [B, N]
    enhanced = enhanced - enhanced.mean(-1, keepdim=True)  # [B, N]
    alpha = (enhanced * clean).sum(-1, keepdim=True) / clean.square().sum(-1, keepdim=True)
    target = alpha * clean  # [B, N]
    ratio = target.square().sum(-1) / (enhanced - target).square().sum(-1)  # [B]
    return -10 * torch.log10(ratio).mean()
    # END SOLUTION


# %%
solved_2 = chapter05.check_si_sdr_loss(my_si_sdr_loss)

# %% [markdown] tags=["hint"]
# Means and sums run over the last dimension, with `keepdim=True` where the result is combined with
# a batch `[B, N]`.

# %% [markdown] tags=["hint"]
# Three lines: $\alpha$ `[B, 1]`, the target $\alpha s$ `[B, N]`, the ratio of two energies `[B]`.
# Take the mean last.

# %% [markdown] tags=["solution"]
# SI-SDR depends only on the angle between the two waveforms, so swapping them changes nothing: try
# it. As a loss it leaves the level of the output free: the output of a network trained with it
# alone can have any level, even the opposite sign. Adding a waveform loss fixes the level.

# %% [markdown]
# ### Exercise 3 · Bug hunt: the error of a gain (10 minutes)
#
# This function gets the scores of two systems on the same files, as NumPy arrays, and returns the
# mean gain of the second and its standard error. It runs, and its gains are right. Yet its error is
# so large that nearly every gain reads "not shown". Find the *property* that does not hold: if some
# files become easier for both systems, should the error of the gain change?


# %% tags=["exercise"]
def my_gain(before, after):
    """Scores [N] of the same files by two systems -> [mean gain, its standard error]."""
    # BEGIN BUG
    n = len(before)
    error = np.sqrt(before.var(ddof=1) / n + after.var(ddof=1) / n)
    return np.array([after.mean() - before.mean(), error])
    # END BUG
    # BEGIN SOLUTION
    gain = after - before  # [N]
    return np.array([gain.mean(), gain.std(ddof=1) / np.sqrt(len(gain))])
    # END SOLUTION


# %%
easier = np.random.default_rng(3).normal(0, 1, 50)  # what makes a file easy, [50]
base = np.random.default_rng(4).normal(2.5, 0.1, 50)  # [50]
better = base + 0.05 + np.random.default_rng(6).normal(0, 0.05, 50)  # [50]
print("alike files:    ", my_gain(base, better))
print("different files:", my_gain(base + easier, better + easier))
solved_3 = chapter05.check_gain(my_gain)

# %% [markdown] tags=["hint"]
# The variance of a difference is the sum of both variances only if the two are independent. Are
# they, on the same files?

# %% [markdown] tags=["solution"]
# What a file adds to both scores cancels in the difference, so take the difference first, file by
# file, and its spread after that.

# %%
print(sum([solved_1, solved_2, solved_3]), "of 3 exercises with a check solved")

# %% [markdown]
# ### Exercise 4 · Open: weights by ear (20 minutes)
#
# Predict, in writing: with 20 steps of 0.03, which are far too few, which weights give the sound
# you like best? Which give the best PESQ, and which the best SI-SDR? Then try five settings on the
# loss desk, or with the `descend` of its module. Let somebody else choose between your best and
# PESQ's best, blind.

# %% [markdown] tags=["answer"]
# There is no right answer. Twenty steps are like a small network: no loss reaches zero, so the
# weights decide which errors remain. The next cell prints four settings. Expect the one with the
# perceptual loss to lead in PESQ and to be last in SI-SDR, and those that tie magnitude and phase
# together to lead in SI-SDR. Whether the one with the highest PESQ is the one you prefer is for
# `abx` to say.

# %% tags=["try"]
# Answer: Four settings after 20 steps; no single one is best in all scores.
from effifusion_lite.listening.widgets_losses import TERMS
from effifusion_lite.listening.widgets_losses import descend as desk_descend

SETTINGS = {
    "magnitude": {"magnitude": 1.0},
    "waveform": {"waveform": 1.0},
    "MP-SENet's": {"magnitude": 0.9, "phase": 0.3, "complex": 0.1, "waveform": 0.2},
    "with perceptual": {"magnitude": 0.9, "complex": 0.1, "waveform": 0.2, "perceptual": 0.1},
}
for label_of, given in SETTINGS.items():
    setting = losses.LossWeights(**dict.fromkeys(TERMS, 0.0) | given | {"metric": 0.0})
    line(label_of, scores(desk_descend(clean, noisy[0], setting, 20, 0.03)[0]))

# %% [markdown]
# ## 11 Quiz
#
# Open an answer to see why it is right or wrong.

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "The output of a system comes 2 ms late. Which score collapses?",
    {
        "SI-SDR": "It compares sample with sample; two milliseconds are 32 of them (section 6).",
        "PESQ": "The standard aligns both recordings first.",
        "STOI": "A shift of 2 ms hardly changes an envelope over 0.4 s.",
    },
    correct="SI-SDR",
)
quiz(
    "A paper reports PESQ and COVL, and both rise. How much more does COVL say?",
    {
        "Very little.": "PESQ explains most of the variance of COVL between files (section 5).",
        "Twice as much.": "COVL is for the most part PESQ once more (section 5).",
        "Nothing at all: it is PESQ times a constant.": "It also contains a log-likelihood ratio "
        "and a spectral slope.",
    },
    correct="Very little.",
)
quiz(
    "System B gains 0.05 PESQ over A on 20 files. What do you do?",
    {
        "Compute the standard error of the paired differences.": "Then you see whether 20 files "
        "are enough for a gain of this size (section 8).",
        "Believe it, since PESQ is a standard.": "The standard fixes how PESQ is computed, not how "
        "many files a mean needs.",
        "Dismiss it: files differ by far more than 0.05.": "They do, but for both systems; in the "
        "paired difference that cancels.",
    },
    correct="Compute the standard error of the paired differences.",
)

# %% [markdown]
# ## 12 What the paper says, and what came out here
#
# The paper is EffiFusion-GAN (Wen and Tan, arXiv 2508.14525). Its abstract and summaries by others
# were at hand, but not its full text.

# %% tags=["frame"]
claim_table(
    Claim(
        "PESQ of 3.45 on VoiceBank+DEMAND.",
        "the paper's abstract",
        f"tiny {FILES['tiny']['pesq'].mean():.2f}, lite {FILES['lite']['pesq'].mean():.2f} on "
        f"{len(pesq_gain)} of its test files.",
        "section 8",
        "Our shipped networks were not trained on that corpus, and are smaller. PESQ is one score "
        "of several; section 7 shows what it does not hear.",
    ),
    Claim(
        "Magnitude and phase spectra are both reconstructed.",
        "summaries of the paper",
        "The magnitude loss alone reaches an SI-SDR of "
        f"{RANGES['magnitude'][0][2]:.1f} to {RANGES['magnitude'][1][2]:.1f} dB, the complex loss "
        f"{RANGES['complex'][0][2]:.1f} to {RANGES['complex'][1][2]:.1f} dB.",
        "section 1",
        "No network limits them here, so these are what the losses allow, not results.",
    ),
    Claim(
        "Losses and their weights.",
        "not known, choice of this project",
        "Six losses, with the weights of MP-SENet as defaults.",
        "section 2",
        "Nothing to compare.",
    ),
)

# %% [markdown]
# ## 13 The common thread
#
# This chapter adds a network of the size of `tiny` that was trained on the losses alone, without a
# discriminator, for two hours of mixtures.

# %% tags=["frame"]
from effifusion_lite.listening.red_thread import thread

thread(5)

# %% [markdown]
# ## 14 Summary
#
# - Each loss asks for something different: the magnitude loss ignores the phase; the complex and
#   the waveform loss tie magnitude and phase together; the consistency loss knows nothing of the
#   clean speech.
# - PESQ compares loudness in bands after forgiving level, delay and colouring. SI-SDR forgives only
#   the level. STOI asks about words; DNSMOS needs no original.
# - A scale, a fixed curve and a delay change scores, but do not make the sound better. An optimiser
#   finds what its metric does not hear: the ends of a recording, or the waveform.
# - Compare systems file by file, print the standard error, and write "not shown" where the gain is
#   below two standard errors.
# - All of it is in `effifusion_lite/losses.py` and `effifusion_lite/metrics/`.
#
# **Next:** chapter 06 adds a network that learns PESQ itself, and trains both.
