# %% [markdown]
# # 01 · Spectrograms and compression
#
# **The sounds.** The speech in this chapter is a free synthetic voice, and the noise comes from a
# random generator. Every step works the same way on recorded speech: chapter 00 says how to hear
# sentences of VoiceBank+DEMAND in place of the built-in ones.
#
# **After this chapter you can**
#
# - compute a short-time Fourier transform (STFT) by hand, and say what each of its axes means;
# - split it into magnitude and phase, and rebuild the waveform from the two;
# - show, with numbers of your own, what raising the magnitude to the power 0.3 changes;
# - predict what you will hear when the phase is wrong.
#
# **You need** Python with PyTorch at the level of the official 60-minute introduction, and complex
# numbers: $e^{i\varphi} = \cos\varphi + i\,\sin\varphi$. Chapter 00 helps but is not required.
#
# **Time and cost.** Reading and listening take 70 to 100 minutes, depending on how much of the code
# is new to you; the five exercises take 55 minutes, and playing with the slider and the explorer as
# long as you like, say 15 minutes. All cells together run in one to three minutes on two processor
# cores, the longer time on a busy machine, and need about 1 GB of memory. Nothing is downloaded.
# Sections use functions of earlier ones, so run the cells from the top once; to start in the
# middle, select a cell and choose *Run > Run All Above Selected Cell*.
#
# **Built so far.** Chapter 00 loaded sounds, mixed speech with noise at a chosen ratio, and scored
# the result. Here a waveform is all you need.
#
# ![](figures/map_01.svg)
#
# The highlighted part in detail:
#
# ![](figures/01_way_of_the_data.svg)
#
# **The module of this chapter** is `effifusion_lite/spectral.py`. Section 7 proves that what we
# build by hand gives the same numbers.

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

# %%
torch.manual_seed(1)
torch.set_printoptions(precision=2, sci_mode=False)
SAMPLE_RATE = 16000  # Hz
HEARD = slice(2 * SAMPLE_RATE)  # the players hold the first 2 s

clean = clips.load("clb_river")[0]  # [N]
fan = clips.noise("fan", len(clean) / SAMPLE_RATE, seed=1)  # [N]
mixture = mix_at_snr(clean, fan, snr_db=2.5)  # [N]
scale = 1 / np.sqrt(np.mean(mixture**2))  # section 1 says why
speech, noisy = torch.from_numpy(scale * clean), torch.from_numpy(scale * mixture)  # [N] each

# %% [markdown]
# ## 1 A waveform is a list of numbers
#
# A microphone measures air pressure. At 16 kHz it does so 16 000 times a second, and each
# measurement is one sample. A mono recording is thus a vector of shape `[N]`.
#
# **Why scale it.** How loud a file was recorded says nothing about the speaker. So the model first
# scales every recording to a root mean square (RMS) of 1. The model knows only the noisy recording
# $x$, so the factor comes from $x$; in training the clean speech gets the same factor. The factor
# is kept for the way back.
#
# $$x \leftarrow x \Big/ \sqrt{\tfrac{1}{N} \sum_n x[n]^2}$$
#
# In this chapter we try most steps on the same eight samples first. Follow this one by hand: what
# is the mean of their squares, and what is its root?

# %%
EIGHT = torch.tensor([1.0, 2, 2, 0, -1, -2, -2, 0])
print("squares          ", EIGHT.square())
print("root mean square ", EIGHT.square().mean().sqrt())
print("scaled to RMS 1  ", EIGHT / EIGHT.square().mean().sqrt())

# %% [markdown]
# The sentence of this chapter, alone and with a fan running, was scaled in the same way. The first
# cells mix the two at 2.5 dB, which compares the noise with the level *while somebody speaks*. Over
# all samples, pauses included, speech has a lower level, so the ratio is a little smaller. You can
# compute it from the two numbers below: the mean square of the noise is the difference of their
# squares.

# %% tags=["frame"]
print(f"shape {list(noisy.shape)} = {len(noisy) / SAMPLE_RATE} seconds")
print(f"RMS of the noisy speech {noisy.square().mean().sqrt():.3f}")
print(f"RMS of the speech in it {speech.square().mean().sqrt():.3f}")
figure, axes = plt.subplots(figsize=(9, 2.2))
plot_waveform(speech, axes, "Speech")
show(
    figure,
    f"Waveform of {len(speech) / SAMPLE_RATE:.1f} seconds of speech: bursts for the syllables, "
    "pauses between them.",
)
row(
    {"speech": speech[HEARD], "speech with a fan running": noisy[HEARD]},
    SAMPLE_RATE,
    title="The sentence of this chapter (the first 2 s)",
    transcript=clips.info("clb_river").text,
    listen_for="Which sounds of the speech can you still hear with the fan running, and which not?",
    pictures=False,  # this chapter draws them step by step
)

# %% [markdown]
# ## 2 One frame: which frequencies are in it?
#
# ![](figures/map_01_stft.svg)
#
# **Why.** In the waveform, voice and noise lie on top of each other. A vowel, however, is a sum of
# a few strong frequencies, and most noises are not. So we ask of a short piece: how strong is each
# frequency in it? The piece has to be short because speech changes about ten times a second.
#
# **One frequency, eight samples.** How much of the oscillation that makes exactly *one turn* in
# eight samples is in our eight numbers? Multiply them by a cosine, sample by sample, and add up the
# products: the sum is large when both go up and down together. Then do the same with a sine.

# %%
n = torch.arange(8)
cosine, sine = torch.cos(2 * torch.pi * n / 8), torch.sin(2 * torch.pi * n / 8)  # [8] each
print("samples          ", EIGHT)
print("cosine           ", cosine)
print("product          ", EIGHT * cosine, "sum", (EIGHT * cosine).sum())
print("product with sine", EIGHT * sine, "sum", (EIGHT * sine).sum())

# %% [markdown]
# (A −0.00 is a zero, or a rounding error just below it.)
#
# ![](figures/01_inner_product.svg)
#
# Why a sine as well? **Write down a guess:** we move the eight samples by one place (the last one
# comes round to the front). Does the sum with the cosine change? The sum with the sine? Is there
# something about the two that does not change?

# %% tags=["guess"]
for places in range(4):
    moved = EIGHT.roll(places)  # [8]
    with_cosine, with_sine = (moved * cosine).sum(), (moved * sine).sum()
    length = (with_cosine**2 + with_sine**2).sqrt()
    print(f"moved by {places}: {with_cosine:5.2f} {with_sine:5.2f}   length {length:.2f}")

# %% [markdown] tags=["answer"]
# Both sums change, but the length of the arrow that they form, $\sqrt{c^2 + s^2}$, does not. A
# cosine alone would miss an oscillation that happens to start a quarter of a turn later. The length
# says how much of the frequency there is, the direction of the arrow where the oscillation starts.
#
# ![](figures/01_why_two.svg)

# %% [markdown]
# **All frequencies: a loop.** The oscillation with $f$ turns in eight samples has the angle
# $2\pi f n / 8$ at sample $n$.

# %%
for f in range(5):
    angle = 2 * torch.pi * f * n / 8  # [8]
    with_cosine, with_sine = (EIGHT * angle.cos()).sum(), (EIGHT * angle.sin()).sum()
    print(f"{f} turns: cosine {with_cosine:5.2f}   sine {with_sine:5.2f}")

# %% [markdown]
# **Two sums, one complex number.** Since $e^{-i\alpha} = \cos\alpha - i\,\sin\alpha$, multiplying
# by $e^{-i\alpha}$ yields both sums at once: the cosine sum as the real part, minus the sine sum as
# the imaginary part.
#
# $$X[f] = \sum_{n=0}^{7} x[n]\; e^{-2\pi i f n / 8}$$
#
# Each $f$ multiplies the same eight samples by its own eight numbers. Put these into the rows of a
# matrix, and all sums become one matrix product. Two calls make the matrix: `torch.outer(f, n)` is
# the multiplication table of $f$ and $n$, and `torch.polar(length, angle)` makes complex numbers of
# a length (here 1) and an angle.

# %%
table = torch.outer(torch.arange(5), n)  # [5, 8]: f times n
matrix = torch.polar(torch.ones(5, 8), -2 * torch.pi * table / 8)  # [5, 8]
print(table)
print("by the matrix:", matrix @ EIGHT.to(matrix.dtype))

# %% [markdown]
# Compare with the loop: the same numbers, the sines with the opposite sign. **The fast form** is
# the *fast Fourier transform* (FFT), which gives the same numbers with far fewer products. `rfft`
# returns our five numbers, `fft` all eight. Each number belongs to one frequency and is called a
# *bin*. What do you notice about the last three?

# %%
print("rfft:", torch.fft.rfft(EIGHT))
print("fft: ", torch.fft.fft(EIGHT))

# %% [markdown]
# Bins 5, 6 and 7 repeat bins 3, 2 and 1, with the sign of the imaginary part flipped. That holds
# for all real samples, so `rfft` leaves them out: $L$ samples give $L/2 + 1$ bins.
#
# **400 samples.** A frame of speech has $L = 400$ samples (25 ms), so its bins are $16000 / 400 =
# 40$ Hz apart, from 0 to 8000 Hz: 201 of them. Before the transform we multiply the frame by a
# *Hann window* $w$, which fades out both ends; otherwise the abrupt cut would add frequencies of
# its own. The frame with number $t$ is centred on sample $tH$:
#
# $$X[f, t] = \sum_{n=0}^{L-1} w[n]\; x\!\left[n + tH - \tfrac{L}{2}\right] e^{-2\pi i f n / L},
# \qquad f = 0, \dots, \tfrac{L}{2}$$
#
# The hop $H$ is the step from one frame to the next. Half a frame of zeros on both sides makes
# room for the frames at the edges.

# %%
N_FFT, HOP = 400, 100  # samples: 25 ms and 6.25 ms


def one_frame(waveform, t, n_fft=N_FFT, hop_length=HOP):
    """Spectrum [F] of the frame centred on sample t * hop_length."""
    padded = torch.nn.functional.pad(waveform, (n_fft // 2, n_fft // 2))  # [N + n_fft]
    frame = padded[t * hop_length : t * hop_length + n_fft]  # [n_fft]
    return torch.fft.rfft(torch.hann_window(n_fft) * frame)  # [F]


loudest = int(speech.square().argmax()) // HOP  # the frame around the loudest sample
bins = one_frame(speech, loudest)  # [201]
print(list(bins.shape), bins.dtype, "strongest at", 40 * int(bins.abs().argmax()), "Hz")

# %% [markdown]
# **How large is "large"?** A sine of amplitude 1, multiplied by itself, has the mean 1/2, so over
# 400 samples its sum is 200. The mean of the window is 1/2 too, which leaves 100: a sine of 1000 Hz
# makes 25 turns in 400 samples, so its square goes up and down 50 times while the window rises and
# falls once, and each part of the window meets the same mean. This number will come back: in the
# pictures of this series, 0 dB is the level of a sine of amplitude 1, that is, a magnitude of 100.

# %%
tone = torch.sin(2 * torch.pi * 1000 * torch.arange(N_FFT) / SAMPLE_RATE)  # [400]
print("without the window", torch.fft.rfft(tone).abs().max())
print("with the window   ", torch.fft.rfft(torch.hann_window(N_FFT) * tone).abs().max())

# %% tags=["frame"]
frame = speech[loudest * HOP - N_FFT // 2 :][:N_FFT]  # [400]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.6))
left.plot(frame, linewidth=0.8, label="samples")
left.plot(torch.hann_window(N_FFT) * frame, label="times window")
left.set(xlabel="sample", ylabel="amplitude", title="One frame, 25 ms")
left.legend(fontsize=8)
right.plot(torch.arange(201) * 40, 20 * (bins.abs() / 100).log10())
right.set(xlabel="frequency (Hz)", ylabel="level (dB)", title="Its spectrum", xlim=(0, 4000))
show(
    figure,
    "Left: 400 samples of a vowel, and the same samples faded out at both ends by the window. "
    "Right: the spectrum of the frame, a row of peaks; the strongest lies at "
    f"{40 * int(bins.abs().argmax())} Hz.",
)

# %% [markdown]
# ## 3 All frames: the short-time Fourier transform
#
# **Eight samples.** Take frames of four samples, moved by a hop of two. The first is centred on
# sample 0 and the last on sample 8, so both reach beyond the recording, by half a frame. What they
# see there is zero.
#
# ![](figures/01_padding.svg)

# %%
padded = torch.nn.functional.pad(EIGHT, (2, 2))  # [12]
for t in range(5):
    print(f"frame {t}, centred on sample {2 * t}:", padded[2 * t : 2 * t + 4])

# %% [markdown]
# $N$ samples give $T = 1 + \lfloor N / H \rfloor$ frames: here $1 + 8/2 = 5$. For speech the hop is
# $H = 100$ samples, a quarter of the window, so four frames cover each sample.
#
# ![](figures/01_frames.svg)
#
# **A loop over frames** is slow but hides nothing. The frames become the columns of the spectrum,
# so its shape is `[F, T]`, frequency first.


# %%
def stft_by_hand(waveform, n_fft=N_FFT, hop_length=HOP):
    """Short-time Fourier transform [F, T], one frame at a time."""
    frames = 1 + len(waveform) // hop_length
    columns = [one_frame(waveform, t, n_fft, hop_length) for t in range(frames)]
    return torch.stack(columns, dim=1)  # [F, T]


print("eight samples:", list(stft_by_hand(EIGHT, n_fft=4, hop_length=2).shape))
print("speech:       ", list(stft_by_hand(speech).shape))

# %% [markdown]
# **The fast form** is one call. It cuts, windows and transforms all frames at once. (In exercise 2
# you write it yourself.)

# %%
window = torch.hann_window(N_FFT)  # [400]
fast = torch.stft(speech, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True)
print("largest difference:", f"{(fast - stft_by_hand(speech)).abs().max():.1e}")

# %% [markdown]
# A picture of it is a *spectrogram*: time to the right, frequency upwards, level as colour. The
# level is in decibels, because the ear hears ratios: $20 \log_{10}(|X| / 100)$, where 100 is the
# sine of amplitude 1 from section 2. All spectrograms that `plot_spectrogram` draws have one colour
# scale, so that you can compare them.

# %% tags=["frame"]
figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), sharey=True, layout="constrained")
plot_spectrogram(stft_by_hand(speech).abs(), axes[0], "Speech", label="")
plot_spectrogram(stft_by_hand(noisy).abs(), axes[1], "Speech with a fan running")
show(
    figure,
    "Two spectrograms. Left, speech: horizontal stripes in the vowels, dark gaps between words. "
    "Right, the same with a fan running: the stripes of the loud vowels remain, the gaps are "
    "filled.",
)

# %% [markdown]
# **The same with librosa.** Most audio notebooks that you will meet use
# [librosa](https://librosa.org). It draws the same picture, on a colour scale of its own, whose 0
# dB is the loudest bin. And it can tell us what the stripes are: `pyin` estimates the pitch of the
# voice in each frame. If the stripes are multiples of the pitch, its *harmonics*, then a line at
# three times the pitch must lie on the third stripe. Cost: two to fifteen seconds.

# %%
pitch, voiced = librosa.pyin(
    speech.numpy(), fmin=60, fmax=400, sr=SAMPLE_RATE, frame_length=1024, hop_length=HOP
)[:2]  # [T] Hz, nan where no vowel sounds
print(f"median pitch {np.nanmedian(pitch):.0f} Hz, in {100 * voiced.mean():.0f} % of the frames")

# %% tags=["frame"]
decibel = librosa.amplitude_to_db(fast.abs().numpy(), ref=np.max)  # [F, T]
figure, axes = plt.subplots(figsize=(9, 3), layout="constrained")
picture = librosa.display.specshow(
    decibel, sr=SAMPLE_RATE, hop_length=HOP, x_axis="time", y_axis="hz", cmap="magma", ax=axes
)
figure.colorbar(picture, ax=axes, label="dB relative to the loudest bin")
seconds = librosa.times_like(pitch, sr=SAMPLE_RATE, hop_length=HOP)  # [T]
axes.plot(seconds, pitch, color="cyan", label="pitch")
axes.plot(seconds, 3 * pitch, "--", color="lime", label="three times the pitch")
axes.set(ylim=(0, 2000), title="Drawn with librosa, up to 2 kHz")
axes.legend(fontsize=8, loc="upper right")
show(
    figure,
    "Spectrogram of the speech up to 2000 Hz. A line, the pitch, lies on the lowest bright stripe, "
    "a dashed line at three times the pitch on the third one. Both break off between the vowels.",
)

# %% [markdown]
# > **Try it.** Make the windows four times as long. What happens to the stripes, and what to the
# > syllables? After `figure, axes = plt.subplots()`, the call is
# > `plot_spectrogram(stft_by_hand(speech[:SAMPLE_RATE], n_fft=1600).abs() * 400 / 1600, axes)`. The
# > factor makes up for the sum over four times as many samples. `axes.set_ylim(0, 2000)` shows the
# > part below 2 kHz.

# %% tags=["try"]
# Answer: The stripes get narrower (bins of 10 Hz) and the syllables blur (windows of 100 ms).
drawing, panels = plt.subplots(1, 2, figsize=(9, 2.6), sharey=True, layout="constrained")
for panel, n_fft in zip(panels, (400, 1600), strict=True):
    scaled = stft_by_hand(speech[:SAMPLE_RATE], n_fft).abs() * 400 / n_fft  # a longer sum
    plot_spectrogram(scaled, panel, f"Windows of {n_fft} samples", label="")
    panel.set_ylim(0, 2000)
show(
    drawing,
    "Two spectrograms of one second, up to 2000 Hz. Windows of 400 samples: broad stripes, sharp "
    "beginnings of the syllables. Windows of 1600 samples: narrow stripes, blurred beginnings.",
)

# %% [markdown]
# No window is sharp in both time and frequency. 400 samples, a choice that this project shares with
# MP-SENet (a close relative of EffiFusion-GAN), are a compromise.
#
# **A question before you go on:**

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "A recording at 16 kHz has 32 000 samples. What shape has its spectrum with `n_fft = 400` and "
    "a hop of 100?",
    {
        "[201, 321]": "201 bins from 0 to 8000 Hz, and frames centred on 0, 100, …, 32 000. The "
        "last centre is the first zero after the samples.",
        "[400, 320]": "400 bins would include the repeated upper half, and the last frame, centred "
        "on the first zero after the samples, is missing.",
        "[201, 81]": "81 frames would not overlap: that is a hop of 400.",
        "[321, 201]": "The numbers are right, but frequency comes first in this series: [F, T].",
    },
    correct="[201, 321]",
)

# %% [markdown]
# ## 4 Magnitude and phase
#
# ![](figures/map_01_phase.svg)
#
# Each complex number has a length, the *magnitude*, and an angle, the *phase* in radians:
#
# $$m = \sqrt{\mathrm{re}^2 + \mathrm{im}^2}, \qquad
# \varphi = \operatorname{atan2}(\mathrm{im}, \mathrm{re}), \qquad X = m\, e^{i\varphi}$$
#
# **Eight samples.** Take the bin with one turn. Its magnitude is the length you saw in section 2.

# %%
one_turn = torch.fft.rfft(EIGHT)[1]
length_1, angle_1 = one_turn.abs(), one_turn.angle()
print("complex  ", one_turn)
print("magnitude", length_1, " phase", angle_1, "radians =", angle_1.rad2deg(), "degrees")
print("and back ", torch.polar(length_1, angle_1))

# %% [markdown]
# **Speech.** The magnitude says how much of a frequency there is; the phase says where in its
# oscillation the frame begins.

# %% tags=["frame"]
spectrum = stft_by_hand(speech)  # [F, T]
middle = int(speech.square().argmax()) // HOP
near = slice(max(middle - 32, 0), middle + 32)  # 64 frames, 0.4 s
figure, axes = plt.subplots(1, 2, figsize=(11, 3), sharey=True, layout="constrained")
plot_spectrogram(spectrum.abs()[:, near], axes[0], "Magnitude, 0.4 s")
plot_map(spectrum.angle()[:, near], axes[1], "Phase", "radians", (-torch.pi, torch.pi), "twilight")
show(
    figure,
    "Left: 0.4 seconds of the magnitude of speech, with clear stripes. Right: its phase, which "
    "looks like noise almost everywhere.",
)

# %% [markdown]
# **Is the phase noise?** Take a steady tone of 1000 Hz, so that we know what to expect. In a hop of
# 100 samples it makes $1000 \cdot 100 / 16000 = 6.25$ turns. **Guess:** by how much does the phase
# of its bin differ from one frame to the next? (In turns, between −0.5 and 0.5.)

# %% tags=["guess"]
steady = torch.sin(2 * torch.pi * 1000 * torch.arange(2000) / SAMPLE_RATE)  # [2000]
turns = stft_by_hand(steady)[25].angle() / (2 * torch.pi)  # [T]; bin 25 is 1000 Hz
print("phase in turns:", turns[5:13])

# %% [markdown] tags=["answer"]
# By a quarter of a turn. The six whole turns cannot be seen, because an angle comes round to the
# same value after each turn. So the phase moves by a fixed step, but *wrapped*, and that is what
# looks like noise.

# %% [markdown]
# The eye cannot follow this. Section 9 shows that the ear can, and exercise 3 uses the steps of the
# phase to measure a frequency far more finely than 40 Hz.
#
# **One trap: silence.** A network learns by gradients. The root has an infinite slope at zero, and
# so has every power below 1. In digital silence the chain rule multiplies this infinite slope by
# the slope of the square, which is 0, and $\infty \cdot 0$ is NaN ("not a number"). Where a network
# gives a silent bin, one training step puts the NaN into every weight on which that bin depends.
# **Guess:** which of these functions are safe on a silent bin?

# %% tags=["guess"]
CANDIDATES = {
    "z.abs()": lambda z: z.abs(),
    "sqrt(re^2 + im^2)": lambda z: (z.real.square() + z.imag.square()).sqrt(),
    "z.abs() ** 0.3": lambda z: z.abs() ** 0.3,
    "sqrt(re^2 + im^2 + 1e-9) ** 0.3": lambda z: (
        (z.real.square() + z.imag.square() + 1e-9).sqrt() ** 0.3
    ),
    "z.angle()": lambda z: z.angle(),
    "atan2(im + 1e-10, re + 1e-5)": lambda z: torch.atan2(z.imag + 1e-10, z.real + 1e-5),
}
for name, function in CANDIDATES.items():
    silent = torch.zeros(1, dtype=torch.complex64, requires_grad=True)
    function(silent).sum().backward()
    print(f"{name:32s} gradient {silent.grad[0]}")

# %% [markdown]
# `abs` alone is safe: PyTorch defines its slope at zero as 0. The root is not, and neither is the
# power, even after a safe `abs`. A small $\varepsilon$ under the root keeps both away from zero.
#
# The last line is how MP-SENet computes the phase. Its two small numbers are not needed for a
# finite gradient: `angle()` has the gradient 0 on silence, while with them it is finite but large.
# We know of no reason given for them. This project adopts all three small numbers of MP-SENet only
# so that results can be compared.


# %%
def magnitude_phase_by_hand(spectrum):
    """Magnitude and phase (radians) [F, T], with finite gradients on silence."""
    real, imaginary = spectrum.real, spectrum.imag  # [F, T] each
    magnitude = (real.square() + imaginary.square() + 1e-9).sqrt()  # [F, T]
    phase = torch.atan2(imaginary + 1e-10, real + 1e-5)  # [F, T]
    return magnitude, phase


# %% [markdown]
# ## 5 And back to a waveform
#
# ![](figures/map_01_back.svg)
#
# **Why.** The model changes the spectrum; the listener wants a waveform.
#
# **Eight samples.** Cut them into frames of four with a hop of two, as in section 3. Each frame was
# windowed on the way in, and is windowed once more on the way back, so that whatever the model
# changes fades out at the ends of the frame as well. Then add the frames where they overlap. Each
# sample has now been multiplied by a sum: that of the squared windows which cover it. We know that
# sum, so we divide by it.

# %%
padded = torch.nn.functional.pad(EIGHT, (2, 2))  # [12]
w = torch.hann_window(4)  # [4]: 0, 0.5, 1, 0.5
total, weight = torch.zeros(12), torch.zeros(12)
for t in range(5):
    here = slice(2 * t, 2 * t + 4)
    total[here] += w * (w * padded[here])
    weight[here] += w * w
print("total        ", total[2:10])
print("weight       ", weight[2:10])
print("total / weight", (total / weight)[2:10])

# %% [markdown]
# **Equation.** For any frame length this is the *weighted overlap-add*. Each column of the spectrum
# goes through the inverse Fourier transform and becomes a frame $\hat x_t[n]$ again:
#
# $$x[n] = \frac{\sum_t w[n - tH]\; \hat x_t[n - tH]}{\sum_t w[n - tH]^2}$$
#
# The buffers are as long as the padded waveform, `length + n_fft`; at the end the padding is cut
# off. The lower curve in the drawing of section 3 is the weight.


# %%
def istft_by_hand(spectrum, length, n_fft=N_FFT, hop_length=HOP):
    """Inverse of stft_by_hand: spectrum [F, T] -> waveform [length]."""
    frames = torch.fft.irfft(spectrum, n=n_fft, dim=0)  # [n_fft, T]
    window = torch.hann_window(n_fft)
    total, weight = torch.zeros(length + n_fft), torch.zeros(length + n_fft)
    for t in range(frames.shape[1]):
        here = slice(t * hop_length, t * hop_length + n_fft)
        total[here] += window * frames[:, t]
        weight[here] += window.square()
    return (total / weight)[n_fft // 2 : n_fft // 2 + length]  # without the padding


restored = istft_by_hand(stft_by_hand(speech), len(speech))  # [N]
print(f"largest difference to the original: {(restored - speech).abs().max():.1e}")

# %% [markdown]
# Nothing is lost. Spectrum and waveform are two forms of the same thing. The fast form is
# `torch.istft`. The package calls it, and section 7 compares its result with ours.
#
# > **Try it.** What happens to the speech on its way there and back if the hop is as long as the
# > window, so that the frames do not overlap? Guess first, then look for NaN in
# > the first 2000 samples.

# %% tags=["try"]
# Answer: Where a frame begins, the window is 0: nothing is left of that sample, and 0 / 0 is NaN.
apart = istft_by_hand(stft_by_hand(speech, hop_length=400), len(speech), hop_length=400)
print("NaN in the first 2000 samples:", apart[:2000].isnan().nonzero().flatten().tolist())

# %% [markdown]
# ## 6 Compression: what it does to the values
#
# ![](figures/map_01_compression.svg)
#
# **Why.** The loudest bins of speech are far larger than a typical one; you will see how far. A
# network that is given such values sees a few bright points in the dark.
#
# **Equation.** EffiFusion-GAN compresses the magnitude with a power law. In decibels this is a
# plain multiplication:
#
# $$\tilde m = m^{c}, \qquad 20 \log_{10} m^{c} = c \cdot 20 \log_{10} m, \qquad
# m = \tilde m^{\,1/c}$$
#
# **Five numbers**, 20 dB apart. By how many dB do they differ after compression with $c = 0.3$?
# (In this equation and the next cell 0 dB is the magnitude 1, not 100: only then does $c$ multiply
# the levels themselves. Differences in dB are the same with any reference.)


# %%
def compress_by_hand(magnitude, exponent=0.3):
    """Power-law compression; the inverse takes 1 / exponent."""
    return magnitude**exponent


five = torch.tensor([100.0, 10, 1, 0.1, 0.01])
print("m         ", five, "in dB", 20 * five.log10())
print("m ** 0.3  ", compress_by_hand(five), "in dB", 20 * compress_by_hand(five).log10())
print("and back  ", compress_by_hand(compress_by_hand(five), 1 / 0.3))

# %% [markdown]
# A range of 80 dB has become one of 24 dB.
#
# ![](figures/01_slope.svg)
#
# **Speech.** How are the values of our sentence distributed? We scale them to a maximum of 1 and
# ask for the *median*: half of all bins are below it. **Guess:** what percentage of the maximum is
# it without compression, and with $c = 0.3$?

# %% tags=["guess"]
EXPONENTS = (1.0, 0.5, 0.3, 0.1)
magnitude = magnitude_phase_by_hand(stft_by_hand(speech))[0]  # [F, T]
for c in EXPONENTS:
    values = compress_by_hand(magnitude, c)  # [F, T]
    print(f"c = {c}: half of the bins are below {100 * values.median() / values.max():.2f} %")

# %% tags=["frame"]
figure, axes = plt.subplots(2, 4, figsize=(11, 4.6), sharex="row", layout="constrained")
medians = {}
for (above, below), c in zip(axes.T, EXPONENTS, strict=True):
    values = compress_by_hand(magnitude, c) / magnitude.max() ** c  # [F, T]
    medians[c] = values.median().item()
    plot_map(values, above, f"c = {c}", limits=(0, 1))
    shares = torch.full((values.numel(),), 100 / values.numel())
    below.hist(values.flatten(), bins=40, range=(0, 1), weights=shares)
    below.axvline(medians[c], color="black", linestyle="--")
    below.set(xlabel="value / maximum", yscale="log", ylim=(0.001, 200))
axes[1, 0].set_ylabel("bins (%)")
for above in axes[0, 1:]:
    above.set(ylabel="", yticks=[])
show(
    figure,
    "Four maps of the same speech on a linear colour scale, and below each a histogram with 40 "
    "bars, its median dashed. At c = 1 only a few points are bright; at c = 0.3 vowels, stripes "
    "and consonants can be seen; at c = 0.1 even the gaps are bright. "
    + " ".join(f"At c = {c} the median is {100 * medians[c]:.2g} %." for c in medians),
)

# %% [markdown]
# Each picture shows what a network would be given. With $c = 1$ it is nearly black, with $c = 0.1$
# nearly everything is bright, even the silence. In between, the values are spread over more of
# their range.

# %% [markdown]
# ## 7 Proof: our block equals the package's block
#
# Same input, same numbers: the noisy speech goes through our functions and through
# `effifusion_lite/spectral.py`, which works on batches and calls `torch.stft`. The phase of a bin
# that holds next to nothing is undefined, so we compare phases where they count: as the complex
# number $\tilde m\, e^{i\varphi}$.

# %%
CONFIG = spectral.SpectralConfig()
print(CONFIG)
theirs_magnitude, theirs_phase = spectral.analyse(noisy[None], CONFIG)  # [1, F, T] each
theirs = spectral.synthesise(theirs_magnitude, theirs_phase, len(noisy), CONFIG)[0]  # [N]

ours_magnitude, ours_phase = magnitude_phase_by_hand(stft_by_hand(noisy))  # [F, T] each
ours_magnitude = compress_by_hand(ours_magnitude, 0.3)  # [F, T]
ours_spectrum = torch.polar(compress_by_hand(ours_magnitude, 1 / 0.3), ours_phase)  # [F, T]
ours = istft_by_hand(ours_spectrum, len(noisy))  # [N]

# %% [markdown]
# Two libraries that you may know join in: `torchaudio.transforms.Spectrogram` and `librosa.stft`.
# Each has defaults of its own for padding and scaling; told to do as we do, both give our spectrum.

# %%
to_torchaudio = torchaudio.transforms.Spectrogram(N_FFT, None, HOP, power=None, pad_mode="constant")
by_torchaudio = to_torchaudio(noisy)  # [F, T]
by_librosa = librosa.stft(noisy.numpy(), n_fft=N_FFT, hop_length=HOP, pad_mode="constant")  # [F, T]

# %%
TOLERANCE = 1e-4
pairs = {
    "torchaudio's spectrum": (stft_by_hand(noisy), by_torchaudio),
    "librosa's spectrum": (stft_by_hand(noisy), torch.from_numpy(by_librosa)),
    "compressed magnitude": (ours_magnitude, theirs_magnitude[0]),
    "with phase": (
        torch.polar(ours_magnitude, ours_phase),
        torch.polar(theirs_magnitude, theirs_phase)[0],
    ),
    "waveform after the way back": (ours, theirs),
    "waveform against the input": (ours, noisy),
}
differences = {name: (a - b).abs().max().item() for name, (a, b) in pairs.items()}

# %%
for name, largest in differences.items():
    print(f"largest difference, {name:28s} {largest:.1e}")
    assert largest < TOLERANCE, f"{name}: {largest} is not below {TOLERANCE}"
print(f"all below {TOLERANCE}: by hand, effifusion_lite.spectral, torchaudio and librosa agree")

# %% [markdown]
# From here on we use the package, which is faster. Two short helpers add the batch and take it off.


# %%
def to_spectrum(waveform, config=CONFIG):
    """Waveform [N] -> complex spectrum [F, T]."""
    return spectral.stft(waveform[None], config)[0]


def to_waveform(spectrum, length, config=CONFIG):
    """Complex spectrum [F, T] -> waveform [length]."""
    return spectral.istft(spectrum[None], length, config)[0]


# %% [markdown]
# ## 8 Compression: what it does to the error
#
# **Why.** A network is trained to make a mean squared error small. Which bins does this error
# depend on?
#
# **Two numbers.** A loud bin has the magnitude 100, a quiet one 1. A network gets both wrong by the
# same ratio: 1 dB too loud. To the ear they are then equally wrong. **Guess:** what share of the
# squared error comes from the loud bin, without compression and with $c = 0.3$?

# %% tags=["guess"]
loud_and_quiet = torch.tensor([100.0, 1.0])
for c in EXPONENTS:
    wrong = spectral.compress(loud_and_quiet * 10 ** (1 / 20), c)
    error = (wrong - spectral.compress(loud_and_quiet, c)).square()
    print(f"c = {c}: the loud bin accounts for {100 * error[0] / error.sum():.2f} % of the error")

# %% [markdown]
# **Equation.** When every bin is too loud by the same factor $g$, a bin's share of the error is its
# share of the sum over $m^{2c}$:
#
# $$E = \sum_{f,t} \left((g\,m)^{c} - m^{c}\right)^2 = \left(g^c - 1\right)^2 \sum_{f,t} m^{2c}$$
#
# **Speech.** So we sort its bins by level and ask what share the loudest tenth has.


# %%
def error_from_the_loudest(magnitude, c):
    """Running share of the squared error in percent [F * T], loudest bin first."""
    shares = magnitude.flatten().sort(descending=True).values.double() ** (2 * c)  # [F * T]
    return 100 * shares.cumsum(0) / shares.sum()


running = {c: error_from_the_loudest(to_spectrum(speech).abs(), c) for c in EXPONENTS}
for c, percent in running.items():
    print(
        f"c = {c}: the loudest tenth accounts for {percent[len(percent) // 10]:.1f} % of the error"
    )

# %% tags=["frame"]
figure, axis = plt.subplots(figsize=(6, 3.2))
for (c, percent), line in zip(running.items(), ("-", "--", "-.", ":"), strict=True):
    axis.plot(torch.linspace(0, 100, len(percent)), percent, line, label=f"c = {c}")
axis.set(xlabel="bins, loudest first (%)", ylabel="share of the squared error (%)")
axis.legend()
axis.grid(alpha=0.3)
show(
    figure,
    "Running share of the squared error over bins sorted by level. The loudest tenth accounts for "
    + ", ".join(f"{p[len(p) // 10]:.0f} % at c = {c}" for c, p in running.items())
    + ".",
)

# %% [markdown]
# Without compression, the quiet bins may be far wrong, and the error hardly changes. With a small
# $c$ they count. Is the smallest $c$ then the best? Turn the question round: suppose that
# training ends with a certain error, the same for each $c$. What does the listener get?
#
# We add noise to the compressed magnitude, undo the compression, and compare with the clean speech.
# The RMS of the noise is 0.2 times the RMS of the compressed map, for each $c$: this is the *equal
# relative size* below. Three measures, since no single one tells the whole story:
#
# - **SI-SDR** in dB (higher is better): energy of the speech over energy of what is wrong in the
#   waveform. It depends mostly on the loud bins.
# - **Log-spectral distance** in dB (lower is better): by how many dB the bins are wrong, each bin
#   with the same weight. Bins more than 60 dB below a sine of amplitude 1 (the 0 dB of section 2)
#   count as if they were at −60 dB.
# - **PESQ** (about 1 to 4.64, higher is better): a model of the ear, see chapter 00.
#
# The error of a trained network is not white noise, so this is only a model of it.


# %%
def with_error(waveform, c, size=0.2, seed=0):
    """The waveform [N] after an error of a fixed relative size in its compressed magnitude."""
    magnitude, phase = spectral.magnitude_phase(to_spectrum(waveform))  # [F, T] each
    compressed = spectral.compress(magnitude, c)  # [F, T]
    white = torch.randn(compressed.shape, generator=torch.Generator().manual_seed(seed))
    wrong = compressed + size * compressed.square().mean().sqrt() * white  # [F, T]
    wrong = spectral.expand(wrong.clamp_min(0), c)  # [F, T], linear again
    return to_waveform(torch.polar(wrong, phase), len(waveform))


def log_spectral_distance(clean, other):
    """Mean distance of two waveforms in dB; 0.1 is 60 dB below a sine of amplitude 1."""
    levels = [20 * to_spectrum(x).abs().clamp_min(0.1).log10() for x in (clean, other)]  # [F, T]
    return (levels[0] - levels[1]).square().mean(dim=0).sqrt().mean().item()


def pesq(clean, other):
    """PESQ at the level of a usual recording, or NaN where the package pesq is missing."""
    return metrics.pesq(0.05 * clean, 0.05 * other) if find_spec("pesq") else float("nan")


# %% [markdown]
# Five seeds for each $c$ show how far chance moves the numbers: as a band around each curve, where
# it is wide enough to be seen. Cost: five to thirty seconds.

# %%
MEASURES = {"SI-SDR": metrics.si_sdr, "distance": log_spectral_distance, "PESQ": pesq}
results = {}  # (measure, c) -> five values in ascending order
for c in (1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1):
    outcomes = [with_error(speech, c, seed=seed) for seed in range(5)]
    for name, measure in MEASURES.items():
        results[name, c] = sorted(measure(speech, outcome) for outcome in outcomes)
        low, high = results[name, c][0], results[name, c][4]
        print(f"{name} {low:6.2f} to {high:5.2f}", end="   ")
    print(f"at c = {c}")

# %% tags=["frame"]
choices = [c for name, c in results if name == "PESQ"]
best_sdr = max(choices, key=lambda c: results["SI-SDR", c][2])
best_distance = min(choices, key=lambda c: results["distance", c][2])
best_pesq = max(choices, key=lambda c: results["PESQ", c][2])
figure, axes = plt.subplots(1, 3, figsize=(11, 2.6), layout="constrained")
for axis, name in zip(axes, MEASURES, strict=True):
    low, between, high = zip(*(results[name, c][::2] for c in choices), strict=True)
    axis.fill_between(choices, low, high, alpha=0.4)
    axis.plot(choices, between, marker="o", markersize=4)
    axis.axvline(0.3, color="black", linestyle="--", linewidth=0.8)
    axis.set(title=name if name == "PESQ" else f"{name} (dB)", xlabel="c")
    axis.grid(alpha=0.3)
show(
    figure,
    f"Three curves over c, with c = 0.3 dashed. SI-SDR is highest at c = {best_sdr}, the "
    f"log-spectral distance lowest at c = {best_distance}, PESQ highest at c = {best_pesq}. All "
    "three get worse towards 0.1 and towards 1.",
)
print(f"best: SI-SDR at c = {best_sdr}, distance at c = {best_distance}, PESQ at c = {best_pesq}")

# %% [markdown]
# Neither end is good. Near $c = 1$ the error fills the quiet bins with noise; near 0 it disturbs
# the loud ones. SI-SDR, which depends mostly on loud bins, asks for a larger $c$ than the two
# measures that also weigh the quiet ones.
#
# **Why 0.3, then, if 0.4 does better in this table?** We do not know. Summaries of the paper name
# 0.3 and give no reason; MP-SENet, a close relative, uses 0.3 as well. For PESQ and the distance,
# 0.3, 0.4 and 0.5 differ little compared with the drop towards both ends. For SI-SDR they differ a
# lot: it is about the same at 0.3 as without compression, and much better at 0.5. Which exponent
# has the highest PESQ depends on the sentence and on the size of the error, as the next Try-it
# shows. That 0.3 is better than 0.4 or 0.5 for a trained network is thus *not shown* here, and
# neither is the opposite. It would take networks trained with each $c$, with several seeds for
# each.
#
# > **Try it.** Does the best $c$ stay where it is for another voice ("rms_garage", loaded and
# > scaled as in the first cells), and for a smaller or a larger error (0.05, 0.4)? Guess, then
# > compute PESQ for $c$ = 0.2 to 0.7. Cost: five to thirty seconds.

# %% tags=["try"]
# Answer: It moves between 0.3 and 0.5; an exponent in the middle is never far behind.
for asked in ("clb_river", "rms_garage"):
    voice = torch.from_numpy(clips.load(asked)[0])  # [N]
    voice = voice / voice.square().mean().sqrt()
    for size in (0.05, 0.2, 0.4):
        scores = {c: pesq(voice, with_error(voice, c, size)) for c in (0.2, 0.3, 0.4, 0.5, 0.7)}
        listed = "  ".join(f"{c}: {score:.2f}" for c, score in scores.items())
        best = max(scores, key=scores.get)
        print(f"{clips.info(asked).name:10s} error {size:4.2f}   {listed}   best {best}")

# %% [markdown]
# **Move c yourself**, while it plays: each sound carries an error of the same relative size, 0.2.
# The pictures show the sound, what a network would be given of the clean speech, and its histogram.


# %% tags=["frame"]
def histogram(values, c):
    """Histogram of compressed magnitudes [F, T] between 0 and 1, as HTML."""
    drawing, bars = plt.subplots(figsize=(6, 2.2), layout="constrained")
    bars.hist(values.flatten(), bins=40, range=(0, 1), log=True)
    bars.axvline(values.median(), color="black", linestyle="--")
    bars.set(title=f"What the network sees, c = {c}", xlabel="value / maximum", ylabel="bins")
    bars.set_ylim(1, 1e5)
    return image_html(
        drawing,
        f"Histogram with 40 bars at c = {c}; the dashed median is {values.median():.3f} of the "
        "maximum.",
    )


part = to_spectrum(speech[HEARD]).abs()  # [F, T]
part = part / part.max()
seen = {c: spectral.compress(part, c) for c in (0.1, 0.3, 0.4, 0.5, 1.0)}  # [F, T] each
slider(
    {c: with_error(speech, c)[HEARD] for c in seen},
    "exponent c",
    title="An error of one size, at different exponents (the first 2 s)",
    transcript=clips.info("clb_river").text,
    listen_for="Listen to the pauses, then to the vowels: at which end do the pauses suffer, at "
    "which end the voice? Can you tell 0.3 from 0.4, and either from the original?",
    beside={"original": speech[HEARD]},
    maps={"What the network sees: the compressed magnitude of the speech": seen},
    figures={c: histogram(values, c) for c, values in seen.items()},
    start=0.3,
)

# %% [markdown] tags=["answer"]
# At $c = 1$ a hiss covers everything, and the pauses show it best. At $c = 0.1$ the voice itself is
# rough and crackles. In between there are sounds that you may not be able to tell from the
# original.

# %% [markdown]
# ## 9 Phase matters
#
# **Why.** Many older systems clean the magnitude and keep the noisy phase. EffiFusion-GAN
# reconstructs both. How much is there to gain? Swap the phase and listen.
#
# **Equation.** Take the magnitude of one signal and the phase of another:
# $Y = m_\text{speech}\, e^{i \varphi_\text{other}}$. In general no waveform has such a $Y$ as its
# spectrum: overlapping frames contradict each other. The overlap-add averages them, and where they
# cancel, the sound gets quieter. So we bring each result back to the level of the speech.


# %%
def with_phase(magnitude, phase, config=CONFIG):
    """Magnitude and phase [F, T] -> waveform [N] at the level of the speech."""
    waveform = to_waveform(torch.polar(magnitude, phase), len(speech), config)  # [N]
    return waveform * (speech.square().sum() / waveform.square().sum()).sqrt()


def random_phase(magnitude, seed=1):
    """Phases in radians, of the shape [F, T] of a magnitude, each equally likely."""
    return 2 * torch.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(seed))


# %% [markdown]
# **Guess** the order, from the closest to the original to the farthest: all phases turned by 90°,
# the phase of the noisy speech, every phase zero, random phases. The cell prints PESQ, SI-SDR, and
# *STOI*, a measure of how well the words would be understood (0 to 1, higher is better).

# %% tags=["guess"]
magnitude, own_phase = to_spectrum(speech).abs(), to_spectrum(speech).angle()  # [F, T] each
swapped = {
    "its own phase": with_phase(magnitude, own_phase),
    "all phases turned by 90°": with_phase(magnitude, own_phase + torch.pi / 2),
    "phase of the noisy speech": with_phase(magnitude, to_spectrum(noisy).angle()),
    "zero phase": with_phase(magnitude, torch.zeros_like(magnitude)),
    "random phase": with_phase(magnitude, random_phase(magnitude)),
}
for name, waveform in (swapped | {"(the noisy speech itself)": noisy}).items():
    understood, ratio = metrics.stoi(speech, waveform), metrics.si_sdr(speech, waveform)
    perceived = pesq(speech, waveform)
    print(f"{name:26s} STOI {understood:.2f}  PESQ {perceived:.2f}  SI-SDR {ratio:6.1f} dB")

# %% tags=["frame"]
row(
    {name: waveform[HEARD] for name, waveform in swapped.items()},
    SAMPLE_RATE,
    title="One magnitude, five phases (the first 2 s)",
    transcript=clips.info("clb_river").text,
    listen_for="Which versions can you follow? Which sounds like the original, which like a robot "
    "on one note, and which are rough?",
)

# %% [markdown] tags=["answer"]
# STOI stays high: every version can be followed.
#
# By PESQ, the order is the one of the list, but for the last two: random phases are a little closer
# to the original than zero phase.
#
# Turned by 90°, the speech has a waveform that is not correlated with the original (see its
# SI-SDR), and yet PESQ finds no difference. Does your ear? One angle added everywhere leaves the
# frames in agreement; what you hear is phases that contradict each other. With the phase of the
# noisy speech the voice is rough wherever the fan was as loud as the voice. Zero phase is a robot:
# each frame starts all its frequencies anew, 160 times a second. Random phase is rough throughout.

# %% [markdown]
# So with the noisy phase even a perfect magnitude gets no further than the PESQ printed for it.
# What is missing from there to "its own phase" is what a phase decoder, the part of the network
# that corrects the phase (chapter 04), can gain *at this ratio of speech to noise*. Where there is
# less noise, the noisy phase is less wrong: section 14 repeats this with another sentence, at 10
# dB.
#
# **Where are the words?** Compare the magnitude alone (with random phase) and the phase alone (with
# magnitude 1 everywhere), for short and for long windows. **Guess:** in which of the two are the
# words with windows of 25 ms? And with windows of half a second?

# %% tags=["guess"]
words = {}
for n_fft in (400, 1024, 4096, 8192):
    longer = spectral.SpectralConfig(n_fft, n_fft // 4, n_fft)
    original = to_spectrum(speech, longer)  # [F, T]
    ones, milliseconds = torch.ones_like(original.abs()), 1000 * n_fft // SAMPLE_RATE
    alone = {
        "magnitude alone": with_phase(original.abs(), random_phase(ones), longer),
        "phase alone": with_phase(ones, original.angle(), longer),
    }
    words |= {f"{name}, {milliseconds} ms": waveform for name, waveform in alone.items()}
    scores = [f"{name} {metrics.stoi(speech, waveform):.2f}" for name, waveform in alone.items()]
    print(f"windows of {milliseconds:3d} ms, STOI:", "   ".join(scores))

# %% tags=["frame"]
row(
    {name: words[name][HEARD] for name in words if name.endswith((" 25 ms", " 512 ms"))},
    SAMPLE_RATE,
    title="Magnitude alone and phase alone (the first 2 s)",
    transcript=clips.info("clb_river").text,
    listen_for="In which versions can you follow the words?",
)

# %% [markdown] tags=["answer"]
# With windows of 25 ms the magnitude carries the words. A window of half a second holds several
# syllables, and their places in time can only be in the phase.

# %% [markdown]
# **Live: the explorer.** Choose window, hop and exponent. You see the magnitude that a network
# would be given, read the error of the way there and back, and hear the sentence with its own, the
# noisy, zero and random phase. With zero phase the robot's note has as many vibrations in a second
# as there are frames: can you make its voice lower? On a page without a kernel you see the settings
# of this chapter; the first player of this section has their sounds.

# %% tags=["frame"]
stft_explorer(speech[HEARD].numpy(), noisy[HEARD].numpy(), SAMPLE_RATE)

# %% [markdown]
# > **Try it.** How wrong may a phase be before you hear it? Add `size * torch.randn(...)` radians
# > to the speech's own phase, for sizes of 0.1, 0.3 and 1.

# %% tags=["try"]
# Answer: PESQ falls with each step, at 0.1 rad (6°) only a little; your ears have the last word.
shaken = {"its own phase": speech[HEARD]}
for size in (0.1, 0.3, 1.0):
    shake = size * torch.randn(own_phase.shape, generator=torch.Generator().manual_seed(2))
    shaken_speech = with_phase(magnitude, own_phase + shake)  # [N]
    shaken[f"{size} rad"] = shaken_speech[HEARD]
    print(f"{size} rad: PESQ {pesq(speech, shaken_speech):.2f}")
row(shaken, SAMPLE_RATE, listen_for="From which size on do you hear it?", pictures=False)

# %% [markdown]
# ## 10 What goes into the generator
#
# The generator of chapter 04 gets compressed magnitude and phase as two channels of one picture,
# with a batch in front: `[B, 2, F, T]`.

# %%
compressed, noisy_phase = spectral.analyse(noisy[None], CONFIG)  # [1, F, T] each
channels = torch.stack([compressed, noisy_phase], dim=1)  # [1, 2, F, T]
print("into the generator:", list(channels.shape))
print(f"compressed magnitude from {compressed.min():5.2f} to {compressed.max():.2f}")
print(f"phase in radians     from {noisy_phase.min():5.2f} to {noisy_phase.max():.2f}")

# %% [markdown]
# The two channels have values of a similar size, without any further scaling.

# %% [markdown]
# ## 11 Exercises
#
# In exercises 1 to 3, write your code where the three dots are; in exercise 4, fix the code that
# is there. Run the cell, then the check below it, which says what is likely to be wrong. Hints and
# solutions are folded away. Short of time? Do 1 and 4, or 3 alone.
#
# ### Exercise 1 · Warm-up: the compressed magnitude (5 minutes)
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
# What are the slopes of $\sqrt{x}$ and of $x^c$ at $x = 0$? Section 4 shows the remedy.

# %% [markdown] tags=["solution"]
# The $\varepsilon$ belongs under the root, where the slope is infinite; it keeps the power away
# from zero too. It is far too small to hear: it raises digital silence to a magnitude of
# $3 \cdot 10^{-5}$, where a sine of amplitude 1 has 100.

# %% [markdown]
# ### Exercise 2 · The fast form: an STFT without a loop (10 minutes)
#
# Write the STFT of one waveform for any `n_fft` and `hop_length` with `Tensor.unfold`, which cuts
# overlapping frames, and a single call of `torch.fft.rfft`. (The check looks at results alone: a
# call of `torch.stft`, or the loop of section 3, would pass. The point is to see that nothing magic
# is inside the fast form.)


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
# Four steps, in the order of sections 2 and 3: pad with `n_fft // 2` zeros on both sides, cut,
# window, transform.

# %% [markdown] tags=["hint"]
# `padded.unfold(0, n_fft, hop_length)` has the shape `[T, n_fft]`: frames first. The result
# has to have frequency first.

# %% [markdown] tags=["solution"]
# `unfold` copies nothing; it only looks at the same samples several times.

# %% [markdown]
# ### Exercise 3 · Write it: a frequency from its phase (20 minutes)
#
# Bins are 40 Hz apart, and yet the phase gives the frequency of a steady tone to a fraction of 1
# Hz. From one frame to the next, a tone of exactly the bin's own frequency moves its phase by a
# known angle. Where the phase moves by a little more, the tone is a little higher. As section 4
# showed, a phase comes back to the same value after each turn, so the difference of two angles is
# known only up to whole turns. *Wrapping* it means to subtract the nearest whole number of turns,
# which brings it to between $-\pi$ and $\pi$. What has to be wrapped here: the step of the phase,
# or that by which it differs from the expected step? Write this for all bins and frames at once.
# The sample rate is 16 000 Hz.
#
# Test yourself before you run the check. Take `steady` of section 4 with 1010 Hz in place of 1000:
# bin 25 of `my_frequency(stft_by_hand(steady).angle(), 400, 100)` must say 1010, except at the
# edges, where the frames reach into the padding.


# %% tags=["exercise"]
def my_frequency(phase, n_fft, hop_length):
    """Phase [F, T] in radians -> frequency in Hz, from each frame to the next, [F, T - 1]."""
    # BEGIN SOLUTION
    f = torch.arange(n_fft // 2 + 1)[:, None]  # [F, 1]
    expected = 2 * torch.pi * f * hop_length / n_fft  # [F, 1], of a tone in the middle of the bin
    extra = phase[:, 1:] - phase[:, :-1] - expected  # [F, T - 1]
    extra = extra - 2 * torch.pi * torch.round(extra / (2 * torch.pi))  # between -pi and pi
    return (expected + extra) / (2 * torch.pi * hop_length) * 16000  # [F, T - 1]
    # END SOLUTION


# %%
solved_3 = chapter01.check_frequency(my_frequency)

# %% [markdown] tags=["hint"]
# Bin $f$ has the frequency $16000 \cdot f / L$, where $L$ is `n_fft`. How many turns does it make
# in a hop of $H$ samples?

# %% [markdown] tags=["hint"]
# Wrap what is left of the measured step after subtracting the expected one: the nearest whole
# number of turns in `extra` is `torch.round(extra / (2 * torch.pi))`.

# %% [markdown] tags=["hint"]
# An angle of $\alpha$ radians in a hop is $\alpha / 2\pi$ turns in $H / 16000$ seconds.

# %% [markdown] tags=["solution"]
# This is called the *instantaneous frequency*. It is the idea behind the phase vocoder, which
# stretches sounds in time, and one of the losses of chapter 05 compares it between two phases.

# %% [markdown]
# ### Exercise 4 · Bug hunt: back to a spectrum (10 minutes)
#
# The generator returns compressed magnitude and phase. This function turns them into the complex
# spectrum that the inverse STFT needs. It runs, and its magnitudes are right, as the output below
# shows. But listen. It should undo what `analyse` does: find out what it does not restore, then fix
# the function, and run all three cells again: function, player and check.


# %% tags=["exercise"]
def my_recombine(compressed, phase, exponent):
    """Compressed magnitude and phase (radians) [B, F, T] -> complex spectrum [B, F, T]."""
    # BEGIN BUG
    real, imaginary = compressed * phase.cos(), compressed * phase.sin()  # [B, F, T] each
    return torch.complex(real, imaginary) ** (1 / exponent)  # undo the compression
    # END BUG
    # BEGIN SOLUTION
    magnitude = compressed ** (1 / exponent)  # [B, F, T], linear
    return torch.complex(magnitude * phase.cos(), magnitude * phase.sin())
    # END SOLUTION


# %% tags=["frame"]
recombined = my_recombine(*spectral.analyse(speech[None], CONFIG), CONFIG.compression)[0]  # [F, T]
ratio = recombined.abs().sum() / to_spectrum(speech).abs().sum()
print(f"magnitudes after my_recombine, all together: {ratio:.4f} times those of the speech")
heard = to_waveform(recombined, len(speech))  # [N]
print(f"PESQ {pesq(speech, heard):.2f}, STOI {metrics.stoi(speech, heard):.2f}")
row(
    {"speech": speech[HEARD], "after my_recombine": heard[HEARD]},
    SAMPLE_RATE,
    title="The way there and back (the first 2 s)",
    listen_for="Do the two sound the same? If not, which of section 9's versions is this like?",
    pictures=False,
)

# %%
solved_4 = chapter01.check_recombine(my_recombine)

# %% [markdown] tags=["hint"]
# The function should undo `analyse`: what comes out must be what went in. Try it on a single number
# instead of a spectrum, with magnitude 1 and phase 1. What are magnitude and phase of the result?

# %% [markdown] tags=["hint"]
# What does a power do to $m\, e^{i\varphi}$? To the length, and to the angle?

# %% [markdown] tags=["solution"]
# $(m\, e^{i\varphi})^{1/c} = m^{1/c}\, e^{i\varphi / c}$: the power expands the magnitude, and it
# multiplies the phase by $1/c$ as well. So neighbouring frames no longer agree, and to the ear the
# result is closest to the random phase of section 9: rough throughout, without the robot's note.
# The scores above the player are as low as those of zero and random phase there, and do not tell
# which of the two it is like. A picture of the magnitudes cannot
# show this. Expand the magnitude first, then join it with the phase; `torch.polar(magnitude,
# phase)` does the second line in one call.

# %%
print(sum([solved_1, solved_2, solved_3, solved_4]), "of 4 exercises with a check solved")

# %% [markdown]
# ### Exercise 5 · Open: where does the phase count most? (10 minutes)
#
# Predict first, in writing: you keep the speech's own phase below 1 kHz and make it random above,
# or the other way round. Which of the two sounds closer to the original? By how much do their PESQ
# values differ? Then measure with `with_phase` and `random_phase`, and listen with `row`. Does it
# depend on where you draw the line?

# %% [markdown] tags=["answer"]
# The phase below 1 kHz counts far more, although it fills only 25 of the 201 bins; the next cell
# prints by how much. A likely reason: the pitch and its strongest harmonics are there, steady tones
# on which neighbouring frames have to agree. Higher up, a voice is closer to noise, whose phase is
# random anyway. It does depend on where you draw the line: at 500 Hz the two differ least, because
# many harmonics are then on the wrong side; at 2000 Hz the low part alone keeps nearly all of the
# PESQ. Low is ahead of high at all three lines. This is one voice and one kind of error. To say
# more, repeat it with several voices.

# %% tags=["try"]
# Answer: With its own phase below 1 kHz the speech keeps most of its PESQ, above 1 kHz very little.
level, kept = to_spectrum(speech).abs(), to_spectrum(speech).angle()  # [F, T] each
lost = random_phase(level)  # [F, T]
mixed = {}
for hertz in (500, 1000, 2000):
    low = (torch.arange(201) * 40 < hertz)[:, None]  # [F, 1]
    for title, phases in {
        "below": torch.where(low, kept, lost),
        "above": torch.where(low, lost, kept),
    }.items():
        version = with_phase(level, phases)  # [N]
        print(f"own phase {title} {hertz} Hz: PESQ {pesq(speech, version):.2f}")
        if hertz == 1000:
            mixed[f"own phase {title} {hertz} Hz"] = version[HEARD]
row(
    mixed,
    SAMPLE_RATE,
    listen_for="Which is closer to the speech?",
    pictures=False,
)

# %% [markdown]
# ## 12 Quiz
#
# Open an answer to see why it is right or wrong.

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "Two bins differ by 40 dB. By how much do they differ after compression with c = 0.3?",
    {
        "12 dB": "A power law multiplies decibels: 0.3 times 40 dB (section 6).",
        "40 dB": "That would be c = 1, no compression.",
        "0.3 dB": "The exponent multiplies the difference in dB; it does not replace it.",
        "133 dB": "That is 40 / 0.3: the way back, which expands.",
    },
    correct="12 dB",
)
quiz(
    "Why does a squared error of uncompressed magnitudes allow noise in the pauses?",
    {
        "The quiet bins hardly change it.": "The loudest tenth of the bins accounts for nearly all "
        "of the error (section 8).",
        "Small numbers cannot be represented.": "They can: section 6 compresses 0.01 and brings "
        "it back. The error hardly depends on them.",
        "The inverse STFT adds the noise.": "The inverse is exact, as section 5 measured.",
    },
    correct="The quiet bins hardly change it.",
)
quiz(
    "A model returns a perfect magnitude and keeps the noisy phase. What do you hear?",
    {
        "Speech that is easy to understand but rough.": "With windows of 25 ms the words "
        "are in the magnitude; a wrong phase makes the voice rough (section 9).",
        "Clean speech, because the ear ignores phase.": "One angle added everywhere may pass "
        "unnoticed. Phases that contradict each other from frame to frame do not.",
        "Nothing that you could understand.": "STOI stays high in section 9. With windows of half "
        "a second this answer would be nearer to the truth.",
    },
    correct="Speech that is easy to understand but rough.",
)

# %% [markdown]
# ## 13 What the paper says, and what we found here
#
# The paper is EffiFusion-GAN (Wen and Tan, arXiv 2508.14525). Its abstract and summaries by others
# were available to us, but not its full text. What they leave open is marked as a choice of this
# project.

# %% tags=["frame"]
claim_table(
    Claim(
        "The magnitude is compressed with a power law, c = 0.3.",
        "summaries of the paper",
        "At an equal relative error, PESQ is "
        f"{results['PESQ', 0.3][0]:.2f} to {results['PESQ', 0.3][4]:.2f} at c = 0.3, "
        f"{results['PESQ', 0.4][0]:.2f} to {results['PESQ', 0.4][4]:.2f} at 0.4, "
        f"{results['PESQ', 1.0][0]:.2f} to {results['PESQ', 1.0][4]:.2f} without compression. "
        "That 0.3 is better than 0.4 or 0.5: not shown.",
        "section 8, table over c",
        "The summaries give no reason for 0.3. Ours is measured on one sentence, with white noise "
        "as the error; a trained network errs differently.",
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
        "The summaries give no such number. Ours is from one sentence and one noise.",
    ),
    Claim(
        "Length of window and hop of the STFT.",
        "not known, choice of this project",
        f"{CONFIG.n_fft} and {CONFIG.hop_length} samples at 16 kHz; exact to "
        f"{differences['waveform against the input']:.0e}.",
        "section 7, proof",
        "Nothing to compare. 400 and 100 are what MP-SENet, a close relative, uses.",
    ),
)

# %% [markdown]
# ## 14 The common thread
#
# One sentence runs through the series, and each chapter adds to its row what it has built. This
# chapter adds the true magnitude with the noisy phase: what a system would reach that estimates
# every magnitude perfectly and leaves the phase as it is. The *Wiener filter* in the row comes from
# chapter 00. It learns nothing: it estimates the noise from the first tenth of a second and turns
# down each frequency where the noise dominates.

# %% tags=["frame"]
from effifusion_lite.listening.red_thread import thread

thread(1)

# %% [markdown]
# ## 15 Summary
#
# - A bin of the STFT is an inner product: samples times a cosine and a sine. A waveform `[N]`
#   becomes a complex spectrum `[F, T]` with $F = 201$ and $T = 1 + \lfloor N / 100 \rfloor$, and
#   comes back exactly.
# - Magnitude says how much, phase says where in its oscillation. Clean sound needs both.
# - A power law with $c = 0.3$ divides the range in decibels by more than three. Loud and quiet bins
#   then both count in a squared error. The paper's reason for 0.3, and not 0.4, is not known.
# - A small $\varepsilon$ keeps gradients finite on silence.
# - All of it is in `effifusion_lite/spectral.py`: `analyse` and `synthesise`.
#
# **Next:** chapter 02 looks at this picture with convolutions, and makes them cheap.
