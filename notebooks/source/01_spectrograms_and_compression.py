# %% [markdown]
# # 01 · Spectrograms and compression
#
# **The sounds.** The built-in speech of this chapter is a free synthetic voice, and the noise is
# made by a random generator. The steps are the same for recorded speech: chapter 00 tells how to
# hear the sentences of VoiceBank+DEMAND in place of the built-in ones.
#
# **After this chapter you can**
#
# - compute a short-time Fourier transform (STFT) by hand, and say what each axis of it means;
# - split it into magnitude and phase, and put a waveform together again from both;
# - explain, with numbers of your own, why EffiFusion-GAN raises the magnitude to the power 0.3;
# - predict what you hear when the phase is wrong.
#
# **You need** Python with PyTorch at the level of the official 60-minute introduction, and complex
# numbers: $e^{i\varphi} = \cos\varphi + i\,\sin\varphi$. Chapter 00 helps, but is not necessary.
#
# **Time and cost.** About 60 minutes to read, listen and solve the exercises. All cells together
# take well under two minutes on two processor cores and less than 1 GB of memory. Nothing is
# downloaded.
#
# ![The way of the data. Above, from left to right: the waveform [N] goes through the STFT and
# splits into magnitude and phase [F, T]; the magnitude is compressed; both enter the generator.
# Below, from right to left: the generator's magnitude is expanded, joined with its phase, and the
# inverse STFT gives the enhanced waveform [N].](../figures/01_way_of_the_data.svg)
#
# **The module of this chapter** is `effifusion_lite/spectral.py`. Section 7 proves that what we
# build by hand here gives the same numbers.

# %%
from importlib.util import find_spec

import librosa
import matplotlib.pyplot as plt
import numpy as np
import torch
import torchaudio

from effifusion_lite import metrics, spectral
from effifusion_lite.audio import mix_at_snr
from effifusion_lite.lesson import Claim, claim_table
from effifusion_lite.lesson.checks import chapter01
from effifusion_lite.listening import clips, row, slider
from effifusion_lite.listening.widgets_stft import stft_explorer
from effifusion_lite.plotting import image_html, plot_map, plot_spectrogram, plot_waveform, show

torch.manual_seed(1)
SAMPLE_RATE = 16000  # Hz
HAS_PESQ = find_spec("pesq") is not None
if not HAS_PESQ:
    print("The package pesq is missing. Everything works, but PESQ shows as nan.")

# %% [markdown]
# ## 1 A waveform is a list of numbers
#
# A microphone measures air pressure. At 16 kHz it does so 16 000 times a second, and each
# measurement is one sample. A mono recording is thus a vector of shape `[N]`.
#
# How loud a file was recorded says nothing about the speaker. So the model scales every recording
# to a root mean square (RMS) of 1 first. It knows only the noisy recording $x$, so the factor comes
# from there; in training the clean speech gets the same factor. It is kept for the way back.
#
# $$x \leftarrow x \cdot \sqrt{\frac{N}{\sum_n x[n]^2}}$$

# %%
clean, _ = clips.load("clb_river")  # [N]
fan = clips.noise("fan", len(clean) / SAMPLE_RATE, seed=1)  # [N]
mixture = mix_at_snr(clean, fan, snr_db=2.5)  # [N]
scale = (len(mixture) / (mixture**2).sum()) ** 0.5
speech, noisy = torch.from_numpy(scale * clean), torch.from_numpy(scale * mixture)  # [N] each

print("The sentence:", clips.info("clb_river").text)
print("shape", list(noisy.shape), "=", len(noisy) / SAMPLE_RATE, "seconds")
print("mean square of the noisy speech", round(noisy.square().mean().item(), 4))

figure, axes = plt.subplots(figsize=(9, 2.2))
plot_waveform(speech, axes, "Speech")
show(
    figure,
    f"Waveform of {len(speech) / SAMPLE_RATE:.1f} seconds of speech: bursts for the syllables, "
    "pauses between them.",
)

# %%
row(
    {"speech": speech.numpy(), "speech beside a fan": noisy.numpy()},
    SAMPLE_RATE,
    title="The sentence of this chapter",
    transcript=clips.info("clb_river").text,
    listen_for="Which sounds of the speech are still there beside the fan, and which have gone?",
    pictures=False,  # this chapter draws them step by step
)

# %% [markdown]
# ## 2 One frame: which frequencies sound now?
#
# **Why.** In the waveform, voice and noise lie on top of each other. A vowel, however, is a sum of
# a few strong frequencies, and most noises are not. So we ask of a short piece: how strong is each
# frequency in it? Short, because speech changes about ten times a second.
#
# **Equation.** The piece around sample $tH$ has $L = 400$ samples (25 ms). It is multiplied with a
# Hann window $w$, which fades its ends out, and compared with one oscillation per frequency $f$:
#
# $$X[f, t] = \sum_{n=0}^{L-1} w[n]\; x\!\left[n + tH - \tfrac{L}{2}\right] e^{-2\pi i f n / L},
# \qquad f = 0, \dots, L/2$$
#
# The result is complex. Its bins lie $16000 / 400 = 40$ Hz apart, from 0 to 8000 Hz: that makes
# $400 / 2 + 1 = 201$ bins. Bins above 8000 Hz would mirror those below, since $x$ is real.

# %%
N_FFT, HOP = 400, 100  # samples: 25 ms and 6.25 ms
WINDOW = torch.hann_window(N_FFT)  # [400]


def one_frame(waveform, t):
    """Spectrum of the frame centred on sample t * HOP, straight from the equation."""
    padded = torch.nn.functional.pad(waveform, (N_FFT // 2, N_FFT // 2))  # [N + 400]
    frame = WINDOW * padded[t * HOP : t * HOP + N_FFT]  # [400]
    n, f = torch.arange(N_FFT), torch.arange(N_FFT // 2 + 1)
    angle = 2 * torch.pi * torch.outer(f, n).double() / N_FFT  # [201, 400]
    oscillations = torch.polar(torch.ones_like(angle), -angle)  # [201, 400]
    return (oscillations @ frame.to(torch.complex128)).to(torch.complex64)  # [201]


loudest = int(speech.square().argmax()) // HOP  # the frame around the loudest sample
by_equation = one_frame(speech, loudest)
padded = torch.nn.functional.pad(speech, (N_FFT // 2, N_FFT // 2))
by_fft = torch.fft.rfft(WINDOW * padded[loudest * HOP : loudest * HOP + N_FFT])  # [201]
print("one frame:", list(by_equation.shape), by_equation.dtype)
print("equation and fast Fourier transform agree:", torch.allclose(by_equation, by_fft, atol=1e-3))

# %%
frame = speech[loudest * HOP - N_FFT // 2 :][:N_FFT]  # [400]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.6))
left.plot(frame, linewidth=0.8, label="samples")
left.plot(WINDOW * frame, label="times window")
left.set(xlabel="sample", ylabel="amplitude", title="One frame, 25 ms")
left.legend(fontsize=8)
right.plot(torch.arange(201) * 40, 20 * by_fft.abs().log10())
right.set(xlabel="frequency (Hz)", ylabel="magnitude (dB)", title="Its spectrum", xlim=(0, 4000))
strongest = 40 * int(by_fft.abs().argmax())
show(
    figure,
    "Left: 400 samples of a vowel, and the same samples faded out at both ends by the window. "
    f"Right: the spectrum of the frame, a row of peaks; the strongest lies at {strongest} Hz.",
)

# %% [markdown]
# ## 3 All frames: the short-time Fourier transform
#
# Now slide the frame. It moves by the *hop* of $H = 100$ samples, a quarter of the window, so each
# sample lies in four frames. The first frame is centred on sample 0; what it sees before the
# beginning is zero. So $N$ samples give $T = 1 + \lfloor N / H \rfloor$ frames, and the spectrum
# has the shape `[F, T]`, frequency first.
#
# ![A waveform with zeros added before its beginning. Four Hann windows of 400 samples lie over
# it, each 100 samples after the one before; the first is centred on sample 0 and half of it lies
# over the zeros. Below, the sum of their squares becomes constant where four windows
# overlap.](../figures/01_frames.svg)
#
# A loop over frames is slow but hides nothing. We use the fast Fourier transform inside.


# %%
def stft_by_hand(waveform):
    """Short-time Fourier transform, one frame at a time."""
    padded = torch.nn.functional.pad(waveform, (N_FFT // 2, N_FFT // 2))  # [N + 400]
    frames = 1 + len(waveform) // HOP
    columns = [torch.fft.rfft(WINDOW * padded[t * HOP : t * HOP + N_FFT]) for t in range(frames)]
    return torch.stack(columns, dim=1)  # [F, T]


spectrum = stft_by_hand(speech)  # [201, T]
spectrum_noisy = stft_by_hand(noisy)  # [201, T]
print("waveform", list(speech.shape), "-> spectrum", list(spectrum.shape), spectrum.dtype)

# %% [markdown]
# A picture of it is a *spectrogram*: time to the right, frequency upwards, level as colour. The
# level is in decibels, $20 \log_{10} |X|$, because the ear hears ratios. All spectrograms of this
# series use one colour scale, so that two of them can be compared.

# %%
figure, axes = plt.subplots(1, 2, figsize=(11, 3), sharey=True, layout="constrained")
plot_spectrogram(spectrum.abs(), axes[0], "Speech", label="")
plot_spectrogram(spectrum_noisy.abs(), axes[1], "Speech beside a fan")
show(
    figure,
    "Two spectrograms. Left, speech: horizontal stripes in the vowels, dark gaps between words. "
    "Right, the same beside a fan: the stripes of the loud vowels remain, the gaps are filled.",
)

# %% [markdown]
# > **Try it.** Set `N_FFT = 1600` in section 2 and run sections 2 and 3 again. The stripes get
# > narrower (bins of 10 Hz) and the syllables blur (windows of 100 ms). No window is sharp in both.
# > Set it back to 400 before you go on.

# %% [markdown]
# **The same with librosa.** Most audio notebooks that you will meet use
# [librosa](https://librosa.org). It draws the same picture, and it can tell what the stripes are:
# `pyin` estimates the pitch of the voice in each frame. If the stripes are its multiples, the
# *harmonics*, a line at three times the pitch must lie on the third stripe.

# %%
pitch, voiced, _ = librosa.pyin(
    speech.numpy(), fmin=60, fmax=400, sr=SAMPLE_RATE, frame_length=1024, hop_length=HOP
)  # [T] Hz, nan where no vowel sounds
decibel = librosa.amplitude_to_db(spectrum.abs().numpy(), ref=np.max)  # [F, T]

figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
librosa.display.specshow(
    decibel, sr=SAMPLE_RATE, hop_length=HOP, x_axis="time", y_axis="hz", cmap="magma", ax=axes
)
seconds = librosa.times_like(pitch, sr=SAMPLE_RATE, hop_length=HOP)  # [T]
axes.plot(seconds, pitch, color="cyan", label="pitch")
axes.plot(seconds, 3 * pitch, "--", color="white", label="three times the pitch")
axes.set(ylim=(0, 2000), title="Drawn with librosa, up to 2 kHz")
axes.legend(fontsize=8, loc="upper right")
show(
    figure,
    "Spectrogram of the speech up to 2000 Hz. A line, the pitch, lies on the lowest bright stripe, "
    "a dashed line at three times the pitch on the third one. Both break off between the vowels.",
)
print(f"median pitch {np.nanmedian(pitch):.0f} Hz, in {100 * voiced.mean():.0f} % of the frames")

# %% [markdown]
# ## 4 Magnitude and phase
#
# Each complex number has a length, the *magnitude*, and an angle, the *phase* in radians:
#
# $$m = \sqrt{\mathrm{re}^2 + \mathrm{im}^2}, \qquad
# \varphi = \operatorname{atan2}(\mathrm{im}, \mathrm{re}), \qquad X = m\, e^{i\varphi}$$
#
# The magnitude says how much of a frequency there is, the phase where its oscillation stands.

# %%
magnitude, phase = spectrum.abs(), spectrum.angle()  # [F, T] each; phase in radians

figure, axes = plt.subplots(1, 2, figsize=(11, 3), sharey=True, layout="constrained")
part = slice(max(loudest - 32, 0), loudest + 32)  # 64 frames, 0.4 s
plot_spectrogram(magnitude[:, part], axes[0], "Magnitude, 0.4 s")
plot_map(phase[:, part], axes[1], "Phase", "radians", (-torch.pi, torch.pi), "twilight")
show(
    figure,
    "Left: 0.4 seconds of the magnitude of speech, with clear stripes. Right: its phase, which "
    "looks like noise almost everywhere.",
)

# %% [markdown]
# The phase looks like noise, but it is not: each frame starts 100 samples after the one before, so
# the phase of a steady tone runs on by a fixed angle from frame to frame, wrapped at $\pm\pi$. The
# eye cannot follow this. Section 9 shows that the ear can.
#
# **One trap.** A network learns by gradients, and $\sqrt{\cdot}$ has an infinite slope at zero. In
# digital silence the gradient becomes NaN ("not a number"), and one NaN ruins all weights. A small
# $\varepsilon$ under the root prevents this.

# %%
for epsilon in (0.0, 1e-9):
    silence = torch.zeros(2, requires_grad=True)  # real and imaginary part of a silent bin
    (silence.square().sum() + epsilon).sqrt().backward()
    print(f"epsilon {epsilon:g}: gradient {silence.grad.tolist()}")

# %% [markdown]
# The package does the same for the phase: $\operatorname{atan2}(\mathrm{im} + 10^{-10},
# \mathrm{re} + 10^{-5})$. We take over both, so that our numbers can equal the package's.


# %%
def magnitude_phase_by_hand(spectrum):
    """Magnitude and phase, safe at zero."""
    real, imaginary = spectrum.real, spectrum.imag  # [F, T] each
    magnitude = (real.square() + imaginary.square() + 1e-9).sqrt()  # [F, T]
    phase = torch.atan2(imaginary + 1e-10, real + 1e-5)  # [F, T] radians
    return magnitude, phase


# %% [markdown]
# ## 5 And back to a waveform
#
# **Why.** The model changes the spectrum; the listener wants a waveform.
#
# **Equation.** Each column goes through the inverse Fourier transform and becomes a frame
# $\hat x_t[n]$ of 400 samples again. It is windowed once more, the frames are added where they
# overlap, and the sum is divided by the sum of the squared windows, the lower curve in the figure
# of section 3. That undoes what the two windows did (*weighted overlap-add*):
#
# $$x[n] = \frac{\sum_t w[n - tH]\; \hat x_t[n - tH]}{\sum_t w[n - tH]^2}$$


# %%
def istft_by_hand(spectrum, length):
    """Inverse of stft_by_hand, cut to `length` samples."""
    frames = torch.fft.irfft(spectrum, n=N_FFT, dim=0)  # [400, T]
    total = torch.zeros(length + 2 * N_FFT)
    weight = torch.zeros(length + 2 * N_FFT)
    for t in range(frames.shape[1]):
        total[t * HOP : t * HOP + N_FFT] += WINDOW * frames[:, t]
        weight[t * HOP : t * HOP + N_FFT] += WINDOW.square()
    inside = slice(N_FFT // 2, N_FFT // 2 + length)  # without the padding
    return total[inside] / weight[inside]  # [length]


restored = istft_by_hand(spectrum, len(speech))
print("shape", list(restored.shape))
print(f"largest difference to the original: {(restored - speech).abs().max():.1e}")

# %% [markdown]
# Nothing is lost. Spectrum and waveform are two forms of the same thing.

# %% [markdown]
# ## 6 Compression: what it does to the values
#
# **Why.** The loudest bins of speech are thousands of times larger than the typical one. A network
# that sees such values sees a few bright points in the dark, and its error counts little else.
#
# **Equation.** EffiFusion-GAN compresses the magnitude with a power law. In decibels this is a
# plain multiplication, so $c = 0.3$ turns a range of 60 dB into one of 18 dB:
#
# $$\tilde m = m^{c}, \qquad 20 \log_{10} m^{c} = c \cdot 20 \log_{10} m, \qquad
# m = \tilde m^{\,1/c}$$


# %%
def compress_by_hand(magnitude, exponent=0.3):
    """Power-law compression; the inverse takes 1 / exponent."""
    return magnitude**exponent


print("  level   m          m ** 0.3")
for level in (40, 20, 0, -20, -40):
    m = torch.tensor(10 ** (level / 20))
    print(f"{level:4d} dB   {m:<9g}  {compress_by_hand(m):.3f}")

# %% [markdown]
# How are the values spread? We scale each version to a maximum of 1, sort the bins into 40 classes,
# and ask where the *median* lies: half of all bins are below it.

# %%
magnitude, phase = magnitude_phase_by_hand(spectrum)  # [F, T] each
EXPONENTS = (1.0, 0.5, 0.3, 0.1)

figure, axes = plt.subplots(1, 4, figsize=(11, 2.6), sharey=True, layout="constrained")
medians = {}
for axis, c in zip(axes, EXPONENTS, strict=True):
    values = compress_by_hand(magnitude, c).flatten()
    values = values / values.max()  # [F * T]
    medians[c] = values.median().item()
    axis.hist(values, bins=40, range=(0, 1), weights=torch.full_like(values, 100 / len(values)))
    axis.axvline(medians[c], color="black", linestyle="--")
    axis.set(title=f"c = {c}", xlabel="value / maximum", yscale="log")
    print(f"c = {c}: half of the bins are below {100 * medians[c]:.2f} % of the maximum")
axes[0].set_ylabel("bins (%)")
show(
    figure,
    "Four histograms of the values divided by their maximum, the medians dashed. "
    + " ".join(f"At c = {c} the median is {100 * medians[c]:.2g} %." for c in medians),
)

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 2.8), sharey=True, layout="constrained")
for axis, c in zip(axes, (1.0, 0.3, 0.1), strict=True):
    values = compress_by_hand(magnitude, c)  # [F, T]
    plot_map(values / values.max(), axis, f"What the network sees, c = {c}", limits=(0, 1))
show(
    figure,
    "Three maps of the same speech on a linear colour scale. At c = 1 only a few points are "
    "bright. At c = 0.3 vowels, stripes and consonants can be seen. At c = 0.1 even the gaps "
    "are bright.",
)

# %% [markdown]
# > **Look.** With $c = 1$ the picture is nearly black, with $c = 0.1$ nearly everything is bright,
# > the silence too. In between, the values fill their range.

# %% [markdown]
# ## 7 Proof: our block equals the package's block
#
# Same input, same numbers: the noisy speech goes through our functions and through
# `effifusion_lite/spectral.py`. The package works on batches and calls `torch.stft`; we used a
# loop. The phase of a bin that holds next to nothing is undefined, so we compare phases where they
# count: as the complex number $\tilde m\, e^{i\varphi}$.
#
# Two libraries that you may know join in: `torchaudio.transforms.Spectrogram` and `librosa.stft`.
# Each pads and scales in its own way by default; told to do as we do, both give our spectrum.

# %%
config = spectral.SpectralConfig()
print(config)
theirs_magnitude, theirs_phase = spectral.analyse(noisy[None], config)  # [1, F, T] each
theirs = spectral.synthesise(theirs_magnitude, theirs_phase, len(noisy), config)[0]  # [N]

ours_magnitude, ours_phase = magnitude_phase_by_hand(stft_by_hand(noisy))  # [F, T] each
ours_magnitude = compress_by_hand(ours_magnitude, 0.3)  # [F, T]
ours_spectrum = torch.polar(compress_by_hand(ours_magnitude, 1 / 0.3), ours_phase)  # [F, T]
ours = istft_by_hand(ours_spectrum, len(noisy))  # [N]

to_torchaudio = torchaudio.transforms.Spectrogram(
    N_FFT, hop_length=HOP, power=None, pad_mode="constant"
)
by_torchaudio = to_torchaudio(noisy)  # [F, T]
by_librosa = librosa.stft(noisy.numpy(), n_fft=N_FFT, hop_length=HOP, pad_mode="constant")  # [F, T]

differences = {
    "torchaudio's spectrum": (spectrum_noisy - by_torchaudio).abs().max().item(),
    "librosa's spectrum": (spectrum_noisy - torch.from_numpy(by_librosa)).abs().max().item(),
    "compressed magnitude": (ours_magnitude - theirs_magnitude[0]).abs().max().item(),
    "with phase": (
        (torch.polar(ours_magnitude, ours_phase) - torch.polar(theirs_magnitude, theirs_phase)[0])
        .abs()
        .max()
        .item()
    ),
    "waveform after the way back": (ours - theirs).abs().max().item(),
    "waveform against the input": (ours - noisy).abs().max().item(),
}
TOLERANCE = 1e-4
for name, largest in differences.items():
    print(f"largest difference, {name:28s} {largest:.1e}")
    assert largest < TOLERANCE, f"{name}: {largest} is not below {TOLERANCE}"
print(f"all below {TOLERANCE}: by hand, effifusion_lite.spectral, torchaudio and librosa agree")

# %% [markdown]
# From here on we use the package, which is faster. Two short helpers add the batch and take it off.


# %%
def to_spectrum(waveform):
    """Waveform [N] -> complex spectrum [F, T]."""
    return spectral.stft(waveform[None], config)[0]


def to_waveform(spectrum):
    """Complex spectrum [F, T] -> waveform [N], as long as the speech."""
    return spectral.istft(spectrum[None], len(speech), config)[0]


# %% [markdown]
# ## 8 Compression: what it does to the error
#
# **Why.** A network is trained to make a mean squared error small. Which bins does this error
# listen to? Take a guess that is wrong by the same ratio everywhere: each bin 1 dB too loud. To the
# ear all bins are then equally wrong. The squared error sees it otherwise:
#
# $$E = \sum_{f,t} \left((g\,m)^{c} - m^{c}\right)^2 = \left(g^c - 1\right)^2 \sum_{f,t} m^{2c},
# \qquad g = 10^{1/20}$$
#
# We sort the bins by level and ask which share of $E$ comes from the loudest ones.

# %%
guess = magnitude * 10 ** (1 / 20)  # [F, T], each bin 1 dB too loud
by_level = magnitude.flatten().argsort(descending=True)  # [F * T], loudest bin first
percent = torch.arange(1, len(by_level) + 1) * 100 / len(by_level)  # [F * T]

figure, axis = plt.subplots(figsize=(6, 3.2))
share = {}
for c, line in zip(EXPONENTS, ("-", "--", "-.", ":"), strict=True):
    error = (spectral.compress(guess, c) - spectral.compress(magnitude, c)).square()  # [F, T]
    running = error.flatten()[by_level].double().cumsum(0)  # [F * T]
    running = 100 * running / running[-1]
    share[c] = running[len(by_level) // 10].item()
    axis.plot(percent, running, line, label=f"c = {c}")
    print(f"c = {c}: the loudest tenth of the bins makes {share[c]:.1f} % of the error")
axis.set(xlabel="bins, loudest first (%)", ylabel="share of the squared error (%)")
axis.legend()
axis.grid(alpha=0.3)
show(
    figure,
    "Running share of the squared error over bins sorted by level. The loudest tenth makes "
    + ", ".join(f"{share[c]:.0f} % at c = {c}" for c in EXPONENTS)
    + ".",
)

# %% [markdown]
# Without compression, the quiet bins may be wrong by any ratio and the error hardly moves. With a
# small $c$ they count. Is the smallest $c$ then the best? Turn the question round: say that
# training ends with a certain error, the same for each $c$. What does the listener get?
#
# We add noise of equal relative size to the compressed magnitude, undo the compression, and compare
# with the clean speech in three ways:
#
# - **signal-to-noise ratio** of the waveform in dB (higher is better): listens to the loud bins;
# - **log-spectral distance** in dB (lower is better): counts each bin alike,
#   $\sqrt{\operatorname{mean}_f (20 \log_{10} \hat m - 20 \log_{10} m)^2}$, averaged over frames.
#   Bins more than 60 dB below a full-scale sine count as if they lay at −60 dB;
# - **PESQ** (1.04 to 4.64, higher is better): a model of the ear, see chapter 00.
#
# The error of a trained network is no white noise. So this is a model of the matter, not the matter
# itself.

# %%
ERROR = 0.2  # RMS of the error relative to the RMS of the compressed magnitude
FLOOR = 100 * 10 ** (-60 / 20)  # a full-scale sine has the magnitude 100


def with_error(c, seed):
    """The speech [N] after an error of fixed relative size in the compressed magnitude."""
    compressed = spectral.compress(magnitude, c)  # [F, T]
    white = torch.randn(compressed.shape, generator=torch.Generator().manual_seed(seed))
    wrong = compressed + ERROR * compressed.square().mean().sqrt() * white  # [F, T]
    wrong = spectral.expand(wrong.clamp_min(0), c)  # [F, T], linear again
    return to_waveform(torch.polar(wrong, phase))


def snr(clean, other):
    """Signal-to-noise ratio in dB."""
    return 10 * torch.log10(clean.square().sum() / (other - clean).square().sum()).item()


def log_spectral_distance(clean, other):
    """Mean distance of two waveforms in dB."""
    levels = [20 * to_spectrum(x).abs().clamp_min(FLOOR).log10() for x in (clean, other)]  # [F, T]
    return (levels[0] - levels[1]).square().mean(dim=0).sqrt().mean().item()


def pesq(clean, other):
    """PESQ, or NaN where the package pesq is missing."""
    return metrics.pesq(0.05 * clean.numpy(), 0.05 * other.numpy()) if HAS_PESQ else float("nan")


# %% [markdown]
# Five seeds for each $c$ show how far chance moves the numbers. Cost: the longest cell of this
# chapter, some ten seconds.

# %%
MEASURES = {"ratio (dB)": snr, "distance (dB)": log_spectral_distance, "PESQ": pesq}
CHOICES = (1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1)

results = {}  # (measure, c) -> five values in ascending order
print("c     " + "".join(f"{name:>20s}" for name in MEASURES))
for c in CHOICES:
    outcomes = [with_error(c, seed) for seed in range(5)]
    for name, measure in MEASURES.items():
        results[name, c] = sorted(measure(speech, outcome) for outcome in outcomes)
    ranges = (results[name, c] for name in MEASURES)
    print(f"{c:.1f}   " + "".join(f"{values[0]:9.2f} to{values[4]:8.2f}" for values in ranges))

best_ratio = max(CHOICES, key=lambda c: results["ratio (dB)", c][2])
best_distance = min(CHOICES, key=lambda c: results["distance (dB)", c][2])
best_pesq = max(CHOICES, key=lambda c: results["PESQ", c][2]) if HAS_PESQ else "(not measured)"
print(f"best: ratio at c = {best_ratio}, distance at c = {best_distance}, PESQ at c = {best_pesq}")

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 2.6), layout="constrained")
for axis, name in zip(axes, MEASURES, strict=True):
    low, _, middle, _, high = zip(*(results[name, c] for c in CHOICES), strict=True)
    axis.fill_between(CHOICES, low, high, alpha=0.4)
    axis.plot(CHOICES, middle, marker="o", markersize=4)
    axis.axvline(0.3, color="black", linestyle="--", linewidth=0.8)
    axis.set(title=name, xlabel="c")
    axis.grid(alpha=0.3)
show(
    figure,
    "Three curves over c, with c = 0.3 dashed. The signal-to-noise ratio is highest at c = "
    f"{best_ratio}, the log-spectral distance lowest at c = {best_distance}, PESQ highest at c = "
    f"{best_pesq}. All three get worse towards 0.1 and towards 1.",
)

# %% [markdown]
# Neither end wins. Close to $c = 1$ the error fills the quiet bins with noise; close to 0 it shakes
# the loud ones. What counts the loud bins wants a larger $c$, what counts like an ear a smaller
# one. The best place moves a little with the sentence and the size of the error; 0.3 is among the
# good ones.
#
# **Move c yourself**, while it plays: each sound carries an error of the same relative size. The
# pictures show what the network sees, the histogram of it, and the speech after the error.


# %%
def draw(c, outcome):
    """Picture of the compressed magnitude and of what its error leaves, as HTML."""
    values = spectral.compress(magnitude, c)  # [F, T]
    values = values / values.max()
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.5), layout="constrained")
    plot_map(values, axes[0], f"What the network sees, c = {c}", limits=(0, 1))
    axes[1].hist(values.flatten(), bins=40, range=(0, 1), log=True)
    axes[1].set(title="Histogram", xlabel="value / maximum", ylabel="bins", ylim=(1, 1e5))
    plot_spectrogram(to_spectrum(outcome).abs(), axes[2], "After the error", label="")
    distance = log_spectral_distance(speech, outcome)
    return image_html(
        figure,
        f"At c = {c} the median of the values is {values.median():.3f} of the maximum, and the "
        f"speech after the error has a log-spectral distance of {distance:.1f} dB.",
    )


wrong = {c: with_error(c, seed=0) for c in (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)}  # [N] each
HEARD = slice(5 * SAMPLE_RATE // 2)  # the first 2.5 s
slider(
    {c: outcome[HEARD].numpy() for c, outcome in wrong.items()},
    "exponent c",
    title="An error of one size, at different exponents",
    transcript=clips.info("clb_river").text,
    listen_for="At c = 1 a hiss lies over everything, the pauses too. At c = 0.3 the speech is "
    "close to the original. At c = 0.1 the voice itself is rough and crackles.",
    beside={"original": speech[HEARD].numpy()},
    figures={c: draw(c, outcome) for c, outcome in wrong.items()},
    start=0.3,
)

# %% [markdown]
# ## 9 Phase matters
#
# **Why.** Many older systems clean the magnitude and keep the noisy phase. EffiFusion-GAN gives
# back both. How much is there to win? Swap the phase and listen.
#
# **Equation.** Take the magnitude of one signal and the phase of another:
# $Y = m_\text{speech}\, e^{i \varphi_\text{other}}$. Such a $Y$ is in general no spectrum of any
# waveform, since overlapping frames contradict each other. The overlap-add averages them; where
# they cancel, the sound gets softer. So we bring each result back to the level of the speech.


# %%
def with_phase(spectrum, phase):
    """Waveform [N] from a magnitude and another phase [F, T], at the level of the speech."""
    waveform = to_waveform(torch.polar(spectrum.abs(), phase))  # [N]
    return waveform * (speech.square().sum() / waveform.square().sum()).sqrt()


spectrum, spectrum_noisy = to_spectrum(speech), to_spectrum(noisy)  # [F, T] each
turns = torch.rand(spectrum.shape, generator=torch.Generator().manual_seed(1))  # 0 to 1
swapped = {
    "its own phase": with_phase(spectrum, spectrum.angle()),
    "phase of the noisy speech": with_phase(spectrum, spectrum_noisy.angle()),
    "phase of the fan alone": with_phase(spectrum, (spectrum_noisy - spectrum).angle()),
    "zero phase": with_phase(spectrum, torch.zeros_like(turns)),
    "random phase": with_phase(spectrum, 2 * torch.pi * turns),
}

print(" " * 28 + "STOI   PESQ")
for name, waveform in (swapped | {"(the noisy speech itself)": noisy}).items():
    understood = metrics.stoi(speech.numpy(), waveform.numpy())
    print(f"{name:28s}{understood:.2f}   {pesq(speech, waveform):.2f}")

# %%
row({name: waveform.numpy() for name, waveform in swapped.items()}, SAMPLE_RATE)

# %% [markdown]
# *What is to be heard:* STOI, a measure of how much can be understood (0 to 1), stays high: all
# versions can be followed. But none of the others sounds like the first. With the phase of the
# noisy speech, the voice is rough wherever the fan was as loud as the voice. Zero phase is a robot
# on one note: each frame starts all its frequencies anew, 160 times a second. Random phase is rough
# throughout.
#
# So even a perfect magnitude ends at the PESQ that is printed for the phase of the noisy speech.
# What is missing from there to "its own phase" is what a phase decoder can win.
#
# **Where are the words?** Compare a magnitude without its phase (random phase) with a phase without
# its magnitude (magnitude 1 everywhere), for short and for long windows.

# %%
print("window   STOI of magnitude alone   STOI of phase alone")
for n_fft in (400, 1024, 4096, 8192):
    config = spectral.SpectralConfig(n_fft, n_fft // 4, n_fft)
    original = to_spectrum(speech)  # [F, T]
    turns = torch.rand(original.shape, generator=torch.Generator().manual_seed(1))  # [F, T]
    outcomes = (
        with_phase(original, 2 * torch.pi * turns),
        with_phase(torch.ones_like(original), original.angle()),
    )
    scores = [metrics.stoi(speech.numpy(), outcome.numpy()) for outcome in outcomes]
    print(f"{1000 * n_fft / SAMPLE_RATE:3.0f} ms{scores[0]:16.2f}{scores[1]:24.2f}")
config = spectral.SpectralConfig()

# %% [markdown]
# With windows of 25 ms the magnitude carries the words. With windows of half a second several
# syllables lie in one window, and their places in time can only be in the phase.
#
# One more look at the contradiction between overlapping frames: the magnitude that went in is not
# the magnitude that comes out.

# %%
again = to_spectrum(swapped["random phase"]).abs()  # [F, T]
figure, axes = plt.subplots(1, 2, figsize=(11, 3), sharey=True, layout="constrained")
plot_spectrogram(spectrum.abs(), axes[0], "Magnitude that went in", label="")
plot_spectrogram(again, axes[1], "Magnitude that comes out, random phase")
show(
    figure,
    "Left: the magnitude of the speech. Right: the magnitude of the waveform made from it with "
    "random phase: the same outline, but grainy, its stripes are broken up.",
)

# %% [markdown]
# **Live: the explorer.** Choose window, hop and exponent: see the magnitude that the network would
# get, read the error of the way there and back, and hear the sentence with its own, the noisy, zero
# and random phase. On a page without a kernel you see the settings of this chapter; how they sound
# stands above.

# %%
stft_explorer(speech[HEARD].numpy(), noisy[HEARD].numpy(), SAMPLE_RATE)

# %% [markdown]
# > **Try it.** Go from short windows to long ones and listen to zero phase: from which length on is
# > the robot gone, and what comes instead? Then: which phase error is still inaudible? Add
# > `0.5 * torch.randn_like(turns)` radians to the speech's own phase, make a row of it and the
# > original, and vary the factor.

# %% [markdown]
# ## 10 What goes into the generator
#
# The generator of chapter 04 gets compressed magnitude and phase as two channels of one picture,
# with a batch in front: `[B, 2, F, T]`.

# %%
compressed_noisy, phase_noisy = spectral.analyse(noisy[None], config)  # [1, F, T] each
channels = torch.stack([compressed_noisy, phase_noisy], dim=1)  # [1, 2, F, T]
print("into the generator:", list(channels.shape))
for name, channel in zip(("compressed magnitude", "phase (radians)"), channels[0], strict=True):
    print(f"{name:22s} from {channel.min():6.2f} to {channel.max():6.2f}")

# %% [markdown]
# Both channels now have values of a similar size, without any further scaling.

# %% [markdown]
# ## 11 Exercises
#
# Each exercise is one function. Write your code where the three dots stand, run the cell, then the
# check below it. The check tells what is likely wrong. Hints and the solution are folded away.
#
# ### Exercise 1 · From the spectrum to the compressed magnitude
#
# Turn a complex spectrum into its compressed magnitude. The gradient has to stay finite on silence.


# %% tags=["exercise"]
def my_compressed_magnitude(spectrum, exponent):
    """Complex spectrum [B, F, T] -> compressed magnitude [B, F, T]."""
    # BEGIN SOLUTION
    power = spectrum.real.square() + spectrum.imag.square()  # [B, F, T]
    return (power + 1e-9).sqrt() ** exponent
    # END SOLUTION


# %%
solved_1 = chapter01.check_compressed_magnitude(my_compressed_magnitude)

# %% [markdown] tags=["hint"]
# `spectrum.real` and `spectrum.imag` are real tensors of the same shape. Decibels are for pictures:
# the network's input needs no logarithm.

# %% [markdown] tags=["hint"]
# What is the slope of $\sqrt{x}$ at $x = 0$? Section 4 shows the remedy.

# %% [markdown] tags=["solution"]
# The $\varepsilon$ belongs under the root, where the slope is infinite. It is far too small to be
# heard: it lifts digital silence to a magnitude of $3 \cdot 10^{-5}$.

# %% [markdown]
# ### Exercise 2 · The STFT without a loop
#
# The loop of section 3 is slow. Write the STFT of one waveform for any `n_fft` and `hop_length`
# with `Tensor.unfold`, which cuts overlapping frames, and a single call of `torch.fft.rfft`.


# %% tags=["exercise"]
def my_stft(waveform, n_fft, hop_length):
    """Waveform [N] -> complex spectrum [F, T], F = n_fft // 2 + 1, T = 1 + N // hop_length."""
    # BEGIN SOLUTION
    padded = torch.nn.functional.pad(waveform, (n_fft // 2, n_fft // 2))  # [N + n_fft]
    frames = padded.unfold(0, n_fft, hop_length) * torch.hann_window(n_fft)  # [T, n_fft]
    return torch.fft.rfft(frames).T  # [F, T]
    # END SOLUTION


# %%
solved_2 = chapter01.check_stft(my_stft)

# %% [markdown] tags=["hint"]
# Four steps, in the order of section 3: pad with `n_fft // 2` zeros on both sides, cut, window,
# transform.

# %% [markdown] tags=["hint"]
# `padded.unfold(0, n_fft, hop_length)` has the shape `[T, n_fft]`: frames first. The result wants
# frequency first.

# %% [markdown] tags=["solution"]
# `unfold` copies nothing, it only looks at the same samples several times.

# %% [markdown]
# ### Exercise 3 · From magnitude and phase back to a spectrum
#
# The generator returns compressed magnitude and phase. Turn them into the complex spectrum that the
# inverse STFT needs.


# %% tags=["exercise"]
def my_recombine(compressed, phase, exponent):
    """Compressed magnitude and phase (radians) [B, F, T] -> complex spectrum [B, F, T]."""
    # BEGIN SOLUTION
    magnitude = compressed ** (1 / exponent)  # [B, F, T], linear
    return torch.complex(magnitude * phase.cos(), magnitude * phase.sin())
    # END SOLUTION


# %%
solved_3 = chapter01.check_recombine(my_recombine)

# %% [markdown] tags=["hint"]
# First undo the compression: if $\tilde m = m^c$, what is $m$?

# %% [markdown] tags=["hint"]
# $m\, e^{i\varphi} = m \cos\varphi + i\, m \sin\varphi$, and `torch.complex(real, imaginary)` makes
# complex numbers of two real tensors.

# %% [markdown] tags=["solution"]
# `torch.polar(magnitude, phase)` does the second line in one call.

# %%
print(sum([solved_1, solved_2, solved_3]), "of 3 exercises solved")

# %% [markdown]
# ## 12 Quiz
#
# Open an answer to see why it is right or wrong.

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "A recording at 16 kHz has 32 000 samples. What shape has its spectrum with `n_fft = 400` and "
    "a hop of 100?",
    {
        "[201, 321]": "201 bins from 0 to 8000 Hz, and one frame at each of the samples 0, 100, "
        "…, 32 000.",
        "[400, 320]": "400 bins would count the upper half, which mirrors the lower one; and the "
        "frame centred on the last sample is missing.",
        "[201, 80]": "80 frames would not overlap: that is a hop of 400.",
        "[321, 201]": "The numbers are right, but frequency comes first in this series: [F, T].",
    },
    correct="[201, 321]",
)
quiz(
    "Two bins differ by 40 dB. By how much do they differ after compression with c = 0.3?",
    {
        "12 dB": "A power law multiplies decibels: 0.3 times 40 dB.",
        "40 dB": "That would be c = 1, no compression.",
        "0.3 dB": "The exponent multiplies the difference in dB, it does not replace it.",
        "133 dB": "That is 40 / 0.3: the way back, which expands.",
    },
    correct="12 dB",
)
quiz(
    "Why does a model with no compression leave noise in the pauses?",
    {
        "Its squared error hardly counts the quiet bins.": "The loudest bins make most of the "
        "error, so training spends its effort there (section 8).",
        "It cannot represent small numbers.": "It can: float32 reaches far below any sound. The "
        "error just does not ask for it.",
        "The inverse STFT adds the noise.": "The inverse is exact, section 5 measured it.",
    },
    correct="Its squared error hardly counts the quiet bins.",
)
quiz(
    "A model returns a perfect magnitude and keeps the phase of the noisy speech. What is heard?",
    {
        "Speech that is easy to understand but rough.": "With windows of 25 ms the words "
        "are in the magnitude; a wrong phase makes the voice rough (section 9).",
        "Clean speech: the ear ignores phase.": "The ear is deaf to one constant phase, not to "
        "phases that contradict each other from frame to frame.",
        "Nothing that can be understood.": "This happens with much longer windows, try it in "
        "section 9.",
    },
    correct="Speech that is easy to understand but rough.",
)

# %% [markdown]
# ## 13 What the paper says, and what came out here
#
# The paper is EffiFusion-GAN (Wen and Tan, arXiv 2508.14525). Its abstract and summaries by others
# were at hand, not its full text. What they leave open is marked as a choice of this project.

# %%
claim_table(
    Claim(
        "The magnitude is compressed with a power law, c = 0.3.",
        "summaries of the paper",
        f"At an equal relative error PESQ is highest at c = {best_pesq}: "
        f"{results['PESQ', 0.3][0]:.2f} to {results['PESQ', 0.3][4]:.2f} at 0.3, "
        f"{results['PESQ', 1.0][0]:.2f} to {results['PESQ', 1.0][4]:.2f} without compression.",
        "section 8, table over c",
        "No reason for 0.3 was at hand. Ours is measured on one sentence with white noise as the "
        "error; a trained network errs differently.",
    ),
    Claim(
        "Compressed magnitude and phase are stacked as two channels.",
        "summaries of the paper",
        f"Input of shape {list(channels.shape)}: batch, channel, frequency, frame.",
        "section 10",
        "They agree.",
    ),
    Claim(
        "Magnitude and phase spectra are both reconstructed.",
        "summaries of the paper",
        "A perfect magnitude with the noisy phase reaches PESQ "
        f"{pesq(speech, swapped['phase of the noisy speech']):.2f}, with its own phase "
        f"{pesq(speech, swapped['its own phase']):.2f}.",
        "section 9",
        "The paper gives no such number. Ours is the bound for one sentence and one noise.",
    ),
    Claim(
        "Length of window and hop of the STFT.",
        "not known, choice of this project",
        f"{config.n_fft} and {config.hop_length} samples at 16 kHz; exact to "
        f"{differences['waveform against the input']:.0e}.",
        "section 7, proof",
        "Nothing to compare. 400 and 100 are what MP-SENet, a close relative, uses.",
    ),
)

# %% [markdown]
# ## 14 Summary
#
# - A waveform `[N]` becomes a complex spectrum `[F, T]` with $F = 201$ and
#   $T = 1 + \lfloor N / 100 \rfloor$, and comes back exactly.
# - Magnitude says how much, phase says where in its oscillation. Both are needed for clean sound.
# - A power law with $c = 0.3$ divides the range in decibels by more than three. Loud and quiet bins
#   then both count in a squared error.
# - A small $\varepsilon$ keeps gradients finite on silence.
# - All of it stands in `effifusion_lite/spectral.py`: `analyse` and `synthesise`.
#
# **Next:** chapter 02 looks at this picture with convolutions, and makes them cheap.
