# %% [markdown]
# # 02 · Depthwise-separable convolutions
#
# **The sounds.** The speech in this chapter is a free synthetic voice, and the noise comes from a
# random generator. Every step works the same way on recorded speech: chapter 00 says how to hear
# sentences of VoiceBank+DEMAND in place of the built-in ones.
#
# **After this chapter you can**
#
# - write a convolution as a sum, and count its weights and multiplications in your head;
# - say what a depthwise-separable convolution gives up, and measure how much that matters;
# - explain why an eighth of the multiplications need not take an eighth of the time;
# - compute how far a stack of dilated layers sees, and check the number with a gradient;
# - name the layer that makes every output of a network depend on the whole recording.
#
# **You need** PyTorch at the level of the official 60-minute introduction, and linear algebra up to
# the singular value decomposition.
#
# **Built so far.** Chapter 01 turned a waveform into a compressed magnitude and a phase, and back.
# You can start here: the cells below do the same with two calls.
#
# **Time and cost.** Reading takes about 70 minutes, the four exercises 65, and playing with the
# kernel desk as long as you like, say 15. All cells together run in one to two minutes on two quiet
# processor cores, half of it for the training in section 14, and need less than 2 GB of memory.
# Nothing is downloaded.
#
# ![](figures/map_02.svg)
#
# **The module of this chapter** is `effifusion_lite/convolution.py`; counting is in
# `effifusion_lite/cost.py`. Section 12 proves that what we build by hand gives the same numbers.

# %% tags=["frame"]
import copy
import json
import time
from pathlib import Path

import librosa
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

# %% tags=["frame"]
import effifusion_lite
from effifusion_lite import convolution, metrics, spectral, weights
from effifusion_lite.audio import mix_at_snr
from effifusion_lite.cost import describe
from effifusion_lite.generator import EffiFusionGenerator, preset
from effifusion_lite.lesson import Claim, claim_table
from effifusion_lite.lesson.checks import chapter02
from effifusion_lite.listening import clips, row, slider
from effifusion_lite.listening.widgets_kernel import kernel_desk
from effifusion_lite.plotting import plot_map, show, to_decibel

torch.manual_seed(1)
PLAYED = slice(5 * 16000 // 2)  # the players hold the first 2.5 s
ABLATION = Path(effifusion_lite.__file__).resolve().parents[1] / "recipes" / "ablation"

# %% [markdown]
# **The axes change places.** Chapter 01 kept spectrograms as `[F, T]`, frequency first. A network
# works on batches of many channels, and the package keeps them as `[B, C, T, F]`: batch, channels,
# *time*, frequency. From here on time comes before frequency, so one channel is `[T, F]`. Pictures
# stay as they were, with time to the right and frequency upwards, but a *printed* tensor now has a
# row for each frame, so time runs downwards in it.

# %%
clean, noisy = clips.pair("garage_fan")  # [N] each
scale = (len(noisy) / (noisy**2).sum()) ** 0.5  # to a mean square of 1, as in chapter 01
compressed, phase = spectral.analyse(torch.from_numpy(scale * noisy)[None])  # [1, F, T] each
picture = compressed[0].T  # [T, F]: time comes first from here on
LITE = weights.load("lite")  # the trained network that later sections look into


def hear(values):
    """Compressed magnitude [T, F], with the phase of the noisy speech -> waveform [N]."""
    magnitude = values.clamp_min(0).T[None]  # [1, F, T]; a magnitude is never negative
    return spectral.synthesise(magnitude, phase, len(noisy))[0].numpy() / scale


def listed(values):
    """Numbers of a tensor, rounded, for printing."""
    return [round(value, 2) + 0.0 for value in values.flatten().tolist()]  # 0.0, never -0.0


print("The sentence:", clips.info("garage_fan").text)
print("frames and frequencies", list(picture.shape))

# %% [markdown]
# ## 1 One kernel, one channel
#
# **Why.** Whether a point of the spectrogram is voice or noise can be told from its neighbours. A
# vowel lasts, so a loud point of it has loud neighbours along time. A click has all frequencies at
# once, so a loud point of it has loud neighbours along frequency. A *kernel* is a small table of
# weights that is laid over a point and its neighbours: each value is multiplied by the weight that
# lies on it, and the products are added.
#
# ![](figures/02_kernel.svg)
#
# Here are twelve values and nine weights. What comes out at the point $t = 1$, $f = 1$, counted
# from 0? Work it out on paper first.

# %%
tiny = torch.tensor([[0.0, 1, 0, 0], [2, 3, 1, 0], [0, 1, 0, 4]])  # [T, F] = [3, 4]
cross = torch.tensor([[0.0, 1, 0], [1, 2, 1], [0, 1, 0]])  # [3, 3]
around = tiny[0:3, 0:3]  # the point t = 1, f = 1 and its neighbours
print("value times weight:\n", cross * around)
print("their sum:", (cross * around).sum().item())

# %% [markdown]
# **Equation.** The same kernel $w$ is laid over every point. Where it hangs over the edge, the
# missing values count as 0 (*padding*), so the output is as large as the input:
#
# $$y[t, f] = \sum_{i=-1}^{1} \sum_{j=-1}^{1} w[i, j]\; x[t + i,\, f + j]$$
#
# Mathematicians call this a correlation; their convolution flips the kernel first. Libraries for
# neural networks leave out the flip and keep the name. As the weights are learned, nothing is lost.
#
# Here is the equation as a loop, for a kernel of any odd size (`dilation` stays 1 until section 8).
# PyTorch's `conv2d` does the same much faster. It expects a batch and channels: one of each here.


# %%
def convolve_by_hand(values, kernel, dilation=1):
    """One channel [T, F], one kernel of odd size -> [T, F]."""
    rows, columns = kernel.shape
    reach = dilation * (rows // 2)  # frames to either side
    padded = nn.functional.pad(values, (columns // 2, columns // 2, reach, reach))
    result = torch.empty_like(values)  # [T, F]
    for t in range(values.shape[0]):
        for f in range(values.shape[1]):
            around = padded[t : t + 2 * reach + 1 : dilation, f : f + columns]
            result[t, f] = (kernel * around).sum()
    return result


by_loop = convolve_by_hand(tiny, cross)  # [T, F]
by_library = nn.functional.conv2d(tiny[None, None], cross[None, None], padding=1)[0, 0]  # [T, F]
print(by_loop)
print("largest difference:", (by_loop - by_library).abs().max().item())

# %% [markdown]
# ## 2 Three kernels that you can hear
#
# A kernel that changes a spectrogram changes the sound. We apply three of them to the compressed
# magnitude of the sentence and go back to a waveform with the noisy phase. They are larger than the
# kernels of a network, so that you can hear what they do.
#
# - **smear**: the mean of 17 frames, about a tenth of a second;
# - **blur**: the mean of 21 neighbouring frequencies, about 800 Hz;
# - **difference**: each frame minus the one four frames earlier.
#
# **Guess first.** Which of the three sounds like a large room, which makes the voice hoarse, and
# which leaves little more than the beginnings of sounds? With which can you still follow the melody
# of the sentence? Write down your guesses.

# %%
SHAPES = {
    "smear": torch.full((17, 1), 1 / 17),  # [T, F]
    "blur": torch.full((1, 21), 1 / 21),
    "difference": torch.tensor([-1.0, 0, 0, 0, 1, 0, 0, 0, 0])[:, None],
}


def apply(kernel, values):
    """One kernel of odd size over one channel [T, F] -> [T, F]."""
    margins = (kernel.shape[0] // 2, kernel.shape[1] // 2)
    return nn.functional.conv2d(values[None, None], kernel[None, None], padding=margins)[0, 0]


# %% [markdown]
# Three numbers go with each picture. The first two say how much neighbouring values differ, along
# time and along frequency, relative to the mean of all values. The third says how *periodic* the
# sound is: how well the vowels correlate with themselves one period of the clean voice later, where
# 1 means that each period repeats the one before.

# %% tags=["frame"]
pitch, voiced, _ = librosa.pyin(clean, fmin=60, fmax=400, sr=16000, hop_length=160)  # [frames]


def periodicity(waveform):
    """Mean correlation of the voiced frames with what follows one period later."""
    found = []
    for frame in np.flatnonzero(voiced):
        start, period = 160 * frame, round(16000 / pitch[frame])
        now, later = waveform[start : start + 1024], waveform[start + period :][:1024]
        if len(later) == 1024:
            found.append(now @ later / np.sqrt((now @ now) * (later @ later)))
    return np.mean(found)


outcomes = {"noisy": picture} | {name: apply(SHAPES[name], picture) for name in SHAPES}
print("            along time   along frequency   periodic")
for name, values in outcomes.items():
    values = values.clamp_min(0)  # [T, F], what is heard
    steps = [values.diff(dim=axis).abs().mean() / values.mean() for axis in (0, 1)]
    print(f"{name:12s}{steps[0]:10.2f}{steps[1]:18.2f}{periodicity(hear(values)):11.2f}")

# %% tags=["frame"]
figure, axes = plt.subplots(2, 2, figsize=(9, 5), sharex=True, sharey=True, layout="constrained")
tops = []
for axis, (name, values) in zip(axes.flat, outcomes.items(), strict=True):
    values = values.clamp_min(0)
    tops.append(values.quantile(0.995).item())  # the brightest colour
    plot_map(values.T, axis, name, "magnitude, compressed", limits=(0, tops[-1]))
    axis.label_outer()
show(
    figure,
    "Four spectrograms of the sentence. Smeared, the syllables run into one another along time. "
    "Blurred, the horizontal stripes of the voice are gone. The difference along time leaves "
    "bright edges where sounds begin, and dark vowels. The colours end at "
    + ", ".join(f"{top:.1f} ({name})" for top, name in zip(tops, outcomes, strict=True))
    + ".",
)

# %% tags=["frame"]
row(
    {name: hear(values)[PLAYED] for name, values in outcomes.items()},
    title="Three kernels",
    transcript=clips.info("garage_fan").text,
    listen_for="Were your guesses right? And what has become of the fan in each of the three?",
    equal_loudness=True,
    pictures=False,
)

# %% [markdown] tags=["answer"]
# **Smear** lets each sound ring on, as a room does, and also begin early, as no room does. It makes
# the fan steadier, not softer: an average evens out what jumps from frame to frame and keeps the
# mean. **Blur** fills the gaps between the harmonics, which makes the voice hoarse. The stripes are
# gone, yet some of the melody is left: the noisy phase holds it too. The weights of the
# **difference** add up to 0, so all that is constant disappears, the steady part of the fan
# included. The result is positive where a sound begins and negative where it ends. The negative
# values are set to zero, which leaves the onsets.

# %% [markdown]
# **Live: the kernel desk.** Set nine weights, drawn as you see the spectrogram: time to the right,
# frequency upwards. The steps say how many frames and bins lie between one weight and the next. The
# offset is added to the result before negative values are set to zero. The desk scores the 2.5 s
# that it plays; all other scores in this chapter are those of the whole sentence, so the two differ
# a little. On a page without Python you see and hear the first setting.

# %%
kernel_desk(noisy[PLAYED], clean[PLAYED])

# %% [markdown]
# > **Try it.** Make an echo: a kernel along time with a weight of 1 in the middle and one of 0.6
# > for the value 32 frames earlier. How many milliseconds is that, and how many weights does the
# > kernel need?

# %% tags=["try"]
# Answer: 32 frames of 6.25 ms are 200 ms; 32 weights on either side of the middle make 65.
echo = torch.zeros(65, 1)  # [T, F]
echo[32], echo[0] = 1.0, 0.6
sound = hear(apply(echo, picture))
row({"noisy": noisy[PLAYED], "echo": sound[PLAYED]}, equal_loudness=True, pictures=False)

# %% [markdown]
# ## 3 Many channels
#
# **Why.** One kernel looks for one pattern. A network looks for many, and the outputs of one layer
# are the *channels* `[C, T, F]` that enter the next. In a *full* convolution, an output channel
# therefore has a kernel for each input channel, and the results are added.
#
# Here are eight numbers in two channels, to follow by hand. Each channel has a kernel of three
# weights:

# %%
EIGHT = torch.tensor([[[1.0, 2, 0, 1]], [[0.0, 1, 1, 3]]])  # [C, T, F] = [2, 1, 4]
PAIR = torch.tensor([[[1.0, 0, -1]], [[0.0, 2, 0]]])  # [C, 1, 3]: one kernel for each channel
parts = [convolve_by_hand(channel, kernel) for channel, kernel in zip(EIGHT, PAIR, strict=True)]
print("from channel 0:", parts[0].tolist())
print("from channel 1:", parts[1].tolist())
print("their sum:     ", sum(parts).tolist())

# %% [markdown]
# **Equation.** With $D$ output channels there are $D$ such sets of kernels. For kernels of 3×3 that
# is a tensor `[D, C, 3, 3]`:
#
# $$y[d, t, f] = \sum_{c=1}^{C} \sum_{i,j} w[d, c, i, j]\; x[c,\, t + i,\, f + j]$$
#
# **Count in your head.** A kernel of $k$ weights from each of $C$ channels to each of $D$ channels
# makes $k\,C\,D$ weights. Each is used once at each of the $T \cdot F$ points, so there are
# $k\,C\,D\,T\,F$ multiplications, each followed by an addition. Such a pair is called a MAC, a
# *multiply-accumulate*.


# %%
def full_by_hand(x, kernels, dilation=1):
    """Input [C, T, F], kernels [D, C, rows, columns] -> [D, T, F]."""
    outputs = []
    for kernels_of_output in kernels:  # [C, rows, columns]
        pairs = zip(x, kernels_of_output, strict=True)  # channel by channel
        outputs.append(sum(convolve_by_hand(*both, dilation) for both in pairs))  # [T, F]
    return torch.stack(outputs)


kernels = torch.randn(3, 2, 3, 3)  # [D, C, 3, 3]
x = torch.randn(2, 5, 6)  # [C, T, F]
by_library = nn.functional.conv2d(x[None], kernels, padding=1)[0]  # [D, T, F]
print(f"largest difference: {(full_by_hand(x, kernels) - by_library).abs().max():.1e}")

# %% [markdown]
# ## 4 Depthwise, then pointwise
#
# **Why.** A full convolution does two jobs at once: it looks at neighbours, and it mixes channels.
# A *depthwise-separable* convolution does one after the other. The *depthwise* part gives each
# channel a single kernel of its own. The *pointwise* part multiplies the $C$ values at each point
# by a matrix.
#
# ![](figures/02_separable.svg)
#
# $$z[c, t, f] = \sum_{i,j} q[c, i, j]\; x[c,\, t + i,\, f + j], \qquad
# y[d, t, f] = \sum_{c} p[d, c]\; z[c, t, f]$$
#
# It has $k\,C$ weights in the kernels and $C\,D$ in the matrix. Here are the eight numbers again,
# with the same two kernels and three output channels:

# %%
MIX = torch.tensor([[1.0, 1], [1, 0], [0, -1]])  # [D, C] = [3, 2]
z = torch.stack([convolve_by_hand(*both) for both in zip(EIGHT, PAIR, strict=True)])  # [C, T, F]
print("after the kernels:", z.squeeze().tolist())
print("after the matrix: ", (MIX @ z.squeeze()).tolist())

# %% [markdown]
# Now as loops, and with PyTorch: `groups=C` tells `conv2d` to keep the channels apart, and kernels
# of size 1 are the matrix.


# %%
def depthwise_by_hand(x, kernels, dilation=1):
    """Input [C, T, F], one kernel for each channel [C, rows, columns] -> [C, T, F]."""
    pairs = zip(x, kernels, strict=True)
    return torch.stack([convolve_by_hand(*both, dilation) for both in pairs])


def pointwise_by_hand(x, matrix):
    """Input [C, T, F], matrix [D, C] -> [D, T, F]."""
    outputs = [sum(weight * channel for weight, channel in zip(r, x, strict=True)) for r in matrix]
    return torch.stack(outputs)


# %%
x, kernels, matrix = torch.randn(4, 5, 6), torch.randn(4, 3, 3), torch.randn(2, 4)
by_hand = pointwise_by_hand(depthwise_by_hand(x, kernels), matrix)  # [D, T, F] = [2, 5, 6]
z = nn.functional.conv2d(x[None], kernels[:, None], padding=1, groups=4)  # [1, C, T, F]
y = nn.functional.conv2d(z, matrix[:, :, None, None])[0]  # [D, T, F]
print(f"largest difference: {(by_hand - y).abs().max():.1e}")

# %% [markdown]
# Insert the first equation into the second, and a separable convolution turns out to be a full one
# with special kernels: $w[d, c, i, j] = p[d, c]\, q[c, i, j]$. The kernels from one input channel
# to all output channels are multiples of *one* kernel. We build these full kernels and check:

# %%
full_kernels = matrix[:, :, None, None] * kernels[None]  # [D, C, 3, 3]
difference = (full_by_hand(x, full_kernels) - by_hand).abs().max().item()
print("weights: full", full_kernels.numel(), "separable", kernels.numel() + matrix.numel())
print(f"largest difference of the results: {difference:.1e}")

# %% [markdown]
# **A question before you go on:**

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "How many weights does a separable convolution with 3×3 kernels from 16 to 32 channels have, "
    "without offsets?",
    {
        "656": "9 · 16 in the kernels and 16 · 32 in the matrix: 144 + 512.",
        "4608": "This is 9 · 16 · 32, the full convolution.",
        "800": "This is 9 · 32 + 16 · 32. But the kernels come first, so there is one for each "
        "channel that goes in, not for each that comes out.",
        "521": "This is 9 + 16 · 32: one kernel for all channels together.",
    },
    correct="656",
)

# %% [markdown]
# ## 5 What is given up, measured
#
# **Why.** Take the kernels from one input channel to all output channels, and write each as a row
# of nine numbers: a matrix `[D, 9]`. Separable means that all rows are multiples of one row, so the
# matrix has *rank 1*. The singular value decomposition writes any matrix as a sum of matrices of
# rank 1, the largest first. The square of each singular value is the energy of its part.
#
# Here are two pairs of kernels with four weights each. In the first pair one kernel is twice the
# other, in the second it is not:

# %%
multiple = torch.tensor([[1.0, 2, 1, 0], [2, 4, 2, 0]])  # [D, 4]
other = torch.tensor([[1.0, 2, 1, 0], [2, 0, 0, 1]])  # [D, 4]
for matrix in (multiple, other):
    energy = torch.linalg.svdvals(matrix).square()  # [2]
    print("share of the energy in rank 1:", round((energy[0] / energy.sum()).item(), 3))

# %% [markdown]
# Are the kernels of a trained full convolution close to rank 1? The ablation study of this project
# (chapter 09) trained a small network with full convolutions in all its blocks; its weights are in
# the repository. For each layer with 3×3 kernels we compute the share of the energy in the first
# one, two and three ranks, averaged over the input channels. Random kernels are the yardstick, as
# even they have some of their energy in rank 1. How large that share is depends on the shape
# `[D, 9]` of each matrix and not on how many of them there are, so the random kernels have the same
# $D$ as the trained layers.
#
# **Guess first:** what share of the energy does rank 1 hold in a trained layer?


# %%
def energy_shares(kernels):
    """Kernels [D, C, 3, 3] -> share of the energy in the first 1, 2, … ranks, mean over C."""
    matrices = kernels.transpose(0, 1).flatten(2)  # [C, D, 9]
    energy = torch.linalg.svdvals(matrices).square()  # [C, min(D, 9)]
    return (energy.cumsum(1) / energy.sum(1, keepdim=True)).mean(0)


# %% tags=["frame"]
FULL = weights.load(ABLATION / "standard_convolutions" / "weights.safetensors")
KERNELS = {
    name: layer.weight.detach()
    for name, layer in FULL.named_modules()
    if isinstance(layer, convolution.StandardConv) and layer.kernel_size == (3, 3)
}
SHARES = {name: energy_shares(kernels) for name, kernels in KERNELS.items()}
print(f"{'':40s}D   up to rank 1      2      3")
for name, shares in SHARES.items():
    line = "".join(f"{100 * share:5.0f} %" for share in shares[:3])
    print(f"{name:39s}{len(KERNELS[name])}         {line}")

# %% tags=["frame"]
RANDOM = [
    energy_shares(torch.randn(16, 32, 3, 3, generator=torch.Generator().manual_seed(seed)))[0]
    for seed in range(5)
]
LOWEST, HIGHEST = (100 * edge(share[0] for share in SHARES.values()) for edge in (min, max))
print(f"rank 1 of random kernels with D = 16: {100 * min(RANDOM):.0f} to {100 * max(RANDOM):.0f} %")
print(f"rank 1 of the trained layers:         {LOWEST:.0f} to {HIGHEST:.0f} %")

# %% [markdown]
# The first layers are hardly closer to rank 1 than random kernels; most layers of the decoders are
# closer. Even the highest share is far below the 100 % of a separable layer. These are the weights
# of one training; whether another seed would order its layers in the same way is not shown.
#
# What does this do to the sound? We replace the kernels of each layer by their best approximations
# of rank 1, 2, 3 and 5, and let the network enhance the sentence.


# %%
def reduced(model, rank):
    """A copy of a network whose full kernels keep their first `rank` ranks."""
    model = copy.deepcopy(model)
    for layer in model.modules():
        if isinstance(layer, convolution.StandardConv):
            matrices = layer.weight.detach().transpose(0, 1).flatten(2)  # [C, D, k]
            left, values, right = torch.linalg.svd(matrices, full_matrices=False)
            values[:, rank:] = 0
            kernels = (left * values[:, None] @ right).transpose(0, 1)  # [D, C, k]
            layer.weight.data = kernels.reshape(layer.weight.shape).contiguous()
    return model


# %% [markdown]
# For comparison there is a network of the same study that had separable convolutions from the
# start. It was trained on the same mixtures and for as long.


# %%
def enhanced_by(model):
    """The sentence [N], enhanced by a network."""
    with torch.no_grad():
        magnitude, angle = model(compressed, phase)  # [1, F, T] each
    return spectral.synthesise(magnitude, angle, len(noisy))[0].numpy() / scale


separable = weights.load(ABLATION / "complete" / "weights.safetensors")
HEARD = {f"rank {rank}": enhanced_by(reduced(FULL, rank)) for rank in (1, 2, 3, 5)}
HEARD |= {"full kernels": enhanced_by(FULL), "trained separable": enhanced_by(separable)}
for name, waveform in ({"noisy": noisy} | HEARD).items():
    print(f"{name:18s} SI-SDR {metrics.si_sdr(clean, waveform):5.1f} dB")

# %% tags=["frame"]
slider(
    {name: waveform[PLAYED] for name, waveform in HEARD.items()},
    "kernels",
    title="Full kernels, cut to a lower rank",
    transcript=clips.info("garage_fan").text,
    listen_for="From which rank on do you hear no difference from the full kernels? And can you "
    "tell the network that was trained separable from the full one?",
    beside={"noisy": noisy[PLAYED]},
    start="rank 1",
)

# %% [markdown]
# Cutting trained kernels down to rank 1 ruins the network: the ratio printed above is below that of
# the noisy sentence. Yet the network that was *trained* with rank 1 is close to the full one. A
# separable layer cannot imitate a given full layer, but a network of such layers finds another way.
# Keep this in mind: how badly an approximation of trained weights works does not tell you how well
# a network of that form can be trained.
#
# One sentence proves little. Here are the scores of the study on its validation mixtures, as ranges
# over the seeds: the network with full convolutions ("standard"), the same network with separable
# ones ("complete"), and the latter without the block of section 11.

# %% tags=["frame"]
SCORES = {
    name: [
        json.loads(path.read_text())["scores"] for path in sorted((ABLATION / name).glob("?.json"))
    ]
    for name in ("standard_convolutions", "complete", "without_multi-scale_block")
}
for name, runs in SCORES.items():
    line = f"{name:28s}{len(runs)} seeds"
    for metric in ("pesq", "si_sdr"):
        values = [run[metric] for run in runs]
        line += f"   {metric} {min(values):.2f} to {max(values):.2f}"
    print(line)

# %% [markdown]
# Compare the first two. Their ranges of SI-SDR do not touch: the full network is a little better,
# with more than twice as many weights (section 6 counts them, it is the preset `tiny`). Their
# ranges of PESQ overlap: a difference is not shown.

# %% [markdown]
# > **Try it.** For which number of output channels $D$ is *every* full convolution separable? Think
# > of the shape of the matrix, then test your answer with random kernels.

# %% tags=["try"]
# Answer: for D = 1; a matrix with a single row has rank 1, whatever its weights.
for outputs in (1, 2, 4, 16):
    drawn = torch.randn(outputs, 32, 3, 3, generator=torch.Generator().manual_seed(1))
    print(f"D = {outputs:2d}: rank 1 holds {100 * energy_shares(drawn)[0]:.0f} %")

# %% [markdown]
# ## 6 Counting weights and multiplications
#
# **Equation.** Divide the two counts of sections 3 and 4 by each other:
#
# $$\frac{\text{separable}}{\text{full}} = \frac{k\,C + C\,D}{k\,C\,D} = \frac{1}{D} +
# \frac{1}{k}$$
#
# With 3×3 kernels and many channels the ratio comes close to 1/9. The same holds for the MACs, as
# both counts are multiplied by $T\,F$. PyTorch can count, too: `FlopCounterMode` watches what is
# computed and counts two operations for each MAC. Tensors on the device `meta` have a shape but no
# values, so this costs no time.


# %%
def macs_by_formula(taps, inputs, outputs, points):
    """MACs of a full and of a separable convolution."""
    return taps * inputs * outputs * points, (taps * inputs + inputs * outputs) * points


def macs_by_counter(layer, channels):
    """What PyTorch counts for an input of [1, channels, 321, 101]."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        layer.to("meta")(torch.empty(1, channels, 321, 101, device="meta"))
    return counter.get_total_flops() // 2


print("channels     full MACs   separable   ratio")
for channels in (16, 32, 64):
    formula = macs_by_formula(9, channels, channels, 321 * 101)
    kinds = (convolution.StandardConv, convolution.DepthwiseSeparableConv)
    counted = tuple(macs_by_counter(kind(channels, channels), channels) for kind in kinds)
    assert counted == formula
    print(f"{channels:8d}{formula[0]:14,d}{formula[1]:12,d}{formula[0] / formula[1]:7.1f}")

# %% [markdown]
# A network is more than convolutions. How much does the choice change in the whole generator?
# `describe` of `cost.py` counts its parameters and its MACs for a second of audio. The preset
# `full` has about the size that the paper's abstract gives: 1.08 million parameters.

# %% tags=["frame"]
COUNTS = {}
print("preset   convolutions  parameters  million MACs for a second")
for name in ("tiny", "lite", "full"):
    for kind in (True, False):
        counts = describe(EffiFusionGenerator(preset(name, separable=kind)))
        COUNTS[name, kind] = counts["parameters"]
        words = f"{name:9s}{'separable' if kind else 'full':12s}{counts['parameters']:12,d}"
        print(f"{words}{counts['macs_per_second'] / 1e6:15,.0f}")

# %% [markdown]
# For each preset, the ratio of the two rows is far below that of a single layer, because the
# attention blocks of chapter 03 are the same in both.

# %% [markdown]
# ## 7 Fewer multiplications, less time?
#
# **Guess first.** With 64 channels a separable layer needs about an eighth of the MACs. How many
# times faster is it on this computer?
#
# Seconds depend on the machine, so we only compare times from the same run. There are nine rounds,
# and each of them calls every layer once. We keep the shortest time of each layer, on one core and
# without the time that other programs take. Cost: some seconds.
#
# The values can lie in memory in two orders. *Contiguous*: all points of channel 0, then all of
# channel 1, and so on. *Channels last*: all channels of point 0, then all of point 1, and so on.


# %% tags=["frame"]
def fastest(calls, rounds=9):
    """Shortest processor time of each call in seconds, on one core."""
    threads, times = torch.get_num_threads(), {name: [] for name in calls}
    torch.set_num_threads(1)
    with torch.no_grad():
        for _ in range(rounds):
            for name, call in calls.items():
                start = time.process_time()
                call()
                times[name].append(time.process_time() - start)
    torch.set_num_threads(threads)
    return {name: min(values) for name, values in times.items()}


def racing(channels):
    """The layers that race, and a mere copy of their input, by name."""
    sizes = (channels, channels)
    return {
        "full": nn.Conv2d(*sizes, 3, padding=1, bias=False),
        "depthwise": nn.Conv2d(*sizes, 3, padding=1, groups=channels, bias=False),
        "pointwise": convolution.PointwiseConv(*sizes),
        "separable": convolution.DepthwiseSeparableConv(*sizes),
        "copy": torch.clone,
    }


# %% tags=["frame"]
TIMES = {}
for channels in (16, 64):
    x = torch.randn(1, channels, 321, 101)  # two seconds, half of the frequencies
    inputs = {"contiguous": x, "channels last": x.contiguous(memory_format=torch.channels_last)}
    calls = {}
    for layout, values in inputs.items():
        for name, layer in racing(channels).items():
            calls[channels, layout, name] = lambda layer=layer, values=values: layer(values)
    TIMES |= fastest(calls)

print("Times faster than the full layer in contiguous memory")
print(f"{'':12s}{'16 channels':>22s}{'64 channels':>26s}")
print(f"{'':12s}" + 2 * f"{'contiguous':>12s}{'last':>10s}    ")
for name in racing(1):
    line = f"{name:12s}"
    for channels in (16, 64):
        for layout, width in (("contiguous", 12), ("channels last", 10)):
            ratio = TIMES[channels, "contiguous", "full"] / TIMES[channels, layout, name]
            line += f"{ratio:{width}.1f}"
        line += "    "
    print(line)

# %% [markdown]
# The numbers differ from machine to machine. Two things should hold on yours as well: the separable
# layer saves less time than the count promises, and with 64 channels it is faster in channels-last
# memory.
#
# **Why.** A processor moves values from and to memory, and it multiplies. The depthwise part reads
# a value (4 bytes), writes one, and multiplies nine times in between. The full layer moves just as
# many bytes and multiplies $9 \cdot 64$ times. The number of MACs per byte is called *arithmetic
# intensity*. Where it is low, moving the values takes a good part of the time, and that part does
# not shrink with the MACs. The row "copy" above shows how fast moving alone is (it varies most when
# other programs use the memory). The separable layer moves all values twice, once for each part.

# %% tags=["frame"]
WORK = {"full": (576, 1), "pointwise": (64, 1), "separable": (73, 2), "depthwise": (9, 1)}
print("64 channels,   MACs per   times faster than full    MACs done in the")
print("channels last      byte   by count      measured   time of one of full")
for name, (macs, passes) in WORK.items():  # MACs for each value of the output
    fewer = WORK["full"][0] / macs
    faster = TIMES[64, "channels last", "full"] / TIMES[64, "channels last", name]
    print(f"{name:13s}{macs / (8 * passes):10.1f}{fewer:11.1f}{faster:14.1f}{faster / fewer:21.2f}")

# %% [markdown]
# Read the last column from top to bottom: the fewer MACs there are per byte, the fewer of them are
# done in the same time. The separable layer is cheap in MACs and expensive in bytes.
#
# This is why the package keeps all tensors in channels-last memory, and why its pointwise
# convolution is a linear layer: in this layout a 1×1 convolution is a matrix product, with nothing
# to rearrange.
#
# ## 8 Dilation: a longer reach at no cost
#
# **Why.** A 3×3 kernel sees three frames, which is 37.5 ms with windows of 25 ms. A syllable lasts
# about 200 ms. Larger kernels need more weights, and more layers need more time. *Dilation* keeps
# the nine weights but moves them apart in time: the neighbours are $\delta$ frames away instead of
# one.
#
# ![](figures/02_dilation.svg)
#
# A single 1 among zeros shows where the weights lie:

# %%
impulse = torch.zeros(13, 1)  # [T, F]
impulse[6] = 1.0
for dilation in (1, 2, 4):
    print(dilation, convolve_by_hand(impulse, torch.ones(3, 1), dilation).flatten().int().tolist())

# %% [markdown]
# **Equation.** Each layer adds its reach to that of the layers before it. With $k$ weights along
# time and dilations $\delta_1, \dots, \delta_n$, one output frame sees
#
# $$R = 1 + \sum_l (k - 1)\, \delta_l \quad \text{frames, that is} \quad
# (R - 1) \cdot 6.25\ \text{ms} + 25\ \text{ms}$$
#
# Four layers with dilations 1, 2, 4 and 8 see 31 frames, where four undilated layers see nine.
#
# **Check it with a gradient.** What does an output point depend on? Ask autograd: an input that
# does not enter an output value has a gradient of zero. This works for any network, even where a
# formula is hard to find.


# %%
def seen_by_one_point(dilations):
    """Which inputs [T, F] = [81, 21] enter the output point in the middle: true or false."""
    stack = [convolution.DepthwiseConv(1, (3, 3), dilation) for dilation in dilations]
    x = torch.zeros(1, 1, 81, 21, requires_grad=True)  # [B, C, T, F]
    nn.Sequential(*stack)(x)[0, 0, 40, 10].backward()
    return x.grad[0, 0] != 0


# %%
STACKS = ((1, 1, 1, 1), (1, 2, 4, 8), (4, 4, 4, 4))
for dilations in STACKS:
    frames = seen_by_one_point(dilations).any(dim=1).nonzero().flatten()  # indices of frames
    span = (frames.max() - frames.min() + 1).item()
    assert span == 1 + sum(2 * dilation for dilation in dilations)
    milliseconds = (span - 1) * 6.25 + 25
    print(f"{dilations}: span {span} frames or {milliseconds:.1f} ms, {len(frames)} of them seen")

# %% tags=["frame"]
figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True, layout="constrained")
loudest = int(picture[40:-40, :21].sum(1).argmax()) + 40
window = to_decibel(spectral.expand(picture[loudest - 40 : loudest + 41, :21]) / scale)  # [81, 21]
edges = (-40.5 * 6.25, 40.5 * 6.25, -20, 820)  # ms from the output point, Hz
for axis, dilations in zip(axes, STACKS, strict=True):
    grey = axis.imshow(window.T, "gray", aspect="auto", alpha=0.6, origin="lower", extent=edges)
    t, f = seen_by_one_point(dilations).nonzero().T
    axis.scatter(6.25 * (t - 40), 40 * f, s=5, color="tab:orange", edgecolors="none")
    axis.plot(0, 400, marker="+", color="black", markersize=12)
    axis.set(title=f"dilations {dilations}", xlabel="time from the point (ms)")
axes[0].set_ylabel("frequency (Hz)")
figure.colorbar(grey, ax=axes[-1], label="level (dB)")
show(
    figure,
    "Half a second of a vowel in grey, up to 800 Hz, three times, with one output point marked. "
    "Undilated layers see a square of 9 by 9 points around it, 25 ms and 160 Hz to each side. "
    "Dilations 1, 2, 4, 8 see 31 frames without a gap, 94 ms to each side. Dilations of 4 alone "
    "see 33 frames, 100 ms to each side, but only every fourth of them.",
)

# %% [markdown]
# The last stack has the largest span but leaves gaps: it never sees the frames in between. Growing
# dilations avoid this.

# %% [markdown]
# > **Try it.** Reverse the order: dilations 8, 4, 2, 1. Does the span change? Are there gaps?

# %% tags=["try"]
# Answer: the span stays and there are no gaps; both orders see the same points.
same = torch.equal(seen_by_one_point((8, 4, 2, 1)), seen_by_one_point((1, 2, 4, 8)))
print("the same points:", same)

# %% [markdown]
# ## 9 Instance norm, and what it makes of silence
#
# **Why.** A network is hard to train if its values grow or shrink from layer to layer. So each
# convolution is followed by an *instance norm*. It gives each channel of each recording a mean of 0
# and a variance of 1 over all its points, and then a learned gain $\gamma_c$ and offset $\beta_c$,
# called `weight` and `bias` in the code:
#
# $$y = \gamma_c\, \frac{x - \mu_c}{\sqrt{\sigma_c^2 + \varepsilon}} + \beta_c, \qquad
# \mu_c, \sigma_c^2 \text{: mean and variance over all } T \cdot F \text{ points}$$


# %%
def norm_by_hand(x, weight, bias, eps=1e-5):
    """[B, C, T, F] -> the same shape, by the equation; weight and bias [C]."""
    mean = x.mean((2, 3), keepdim=True)  # [B, C, 1, 1]
    variance = (x - mean).square().mean((2, 3), keepdim=True)
    normal = (x - mean) / (variance + eps).sqrt()
    return weight[:, None, None] * normal + bias[:, None, None]


# %%
soft = torch.tensor([1.0, 1, 1, 5])  # [F]: mean 2, variance 3
one, zero = torch.ones(1), torch.zeros(1)
for name, values in {"soft": soft, "100 times louder": 100 * soft}.items():
    print(f"{name:20s}", listed(norm_by_hand(values[None, None, None], one, zero)))
longer = torch.cat([soft, torch.zeros(4)])  # the same values, then silence
print(f"{'silence behind it':20s}", listed(norm_by_hand(longer[None, None, None], one, zero)))

# %% [markdown]
# The first two lines are equal: the norm removes the difference between soft and loud recordings.
# The third line shows that it makes each value depend on *all* others: silence at the end changed
# the first four numbers. Silence itself does not stay zero but becomes a constant that depends on
# everything else. And since the norm subtracts the mean, it would remove an offset that the
# convolution before it adds; so the convolutions here have none.
#
# The block of the network is a separable convolution, an instance norm and a *hard swish*, a
# nonlinearity made of two straight lines and a parabola: $x \cdot \min(\max(x + 3, 0), 6) / 6$.


# %%
def hard_swish_by_hand(x):
    """Any shape -> the same shape."""
    return x * (x + 3).clamp(0, 6) / 6


print(listed(hard_swish_by_hand(torch.tensor([-4.0, -3, -1, 0, 1, 3, 4]))))

# %% [markdown]
# **What this means for a recording.** How far do the convolutions in the encoder of `lite`, a
# network that comes with the package, reach to either side? The first block reaches 1 frame, the
# four layers of the dense block (section 10) $1 + 2 + 4 + 8 = 15$, the block that halves the
# frequencies none, since its kernels are one frame long, and the 7×7 kernels (section 11) 3. That
# makes 19 frames, about 0.12 s. We make the sentence louder from 2 s on, and look at what changes
# in the *first* second.
#
# **Guess first:** by what percentage do the values there change? And by what percentage do those of
# the first convolution alone, without its norm?

# %% tags=["guess"]
before = torch.stack([compressed, phase], dim=1).mT  # [B, 2, T, F]
after = before.clone()
after[:, 0, 320:] *= 1.5  # from 2 s on, the magnitude only
print("In the first second, what comes out of the")
for name, part in {"convolution": LITE.encoder[0][0], "encoder": LITE.encoder}.items():
    with torch.no_grad():
        early = [part(x)[:, :, :160] for x in (before, after)]  # [B, C, 160, F'], the first second
    change = (early[1] - early[0]).norm() / early[0].norm()
    print(f"{name:12s} changes by {100 * change:.1f} %")

# %% [markdown]
# The norm carries information from the end of a recording to its beginning. A network with such a
# norm cannot run while somebody is speaking, unless its statistics are frozen. And when a recording
# is enhanced in pieces, the result differs from that of the whole. By how much? Below, pieces of
# half a second are enhanced one by one and compared with the whole sentence. (The attention of
# chapter 03 looks across the whole recording as well, so the norm is not the only reason.)

# %% tags=["frame"]
with torch.no_grad():
    pieces = [LITE(*both) for both in zip(compressed.split(80, 2), phase.split(80, 2), strict=True)]
magnitude, angle = (torch.cat(parts, dim=2) for parts in zip(*pieces, strict=True))  # [1, F, T]
IN_PIECES = spectral.synthesise(magnitude, angle, len(noisy))[0].numpy() / scale
WHOLE = enhanced_by(LITE)
for name, waveform in {"whole": WHOLE, "in pieces": IN_PIECES}.items():
    print(f"{name:10s} SI-SDR {metrics.si_sdr(clean, waveform):.1f} dB")

# %% tags=["frame"]
row(
    {"noisy": noisy[PLAYED], "whole": WHOLE[PLAYED], "in pieces": IN_PIECES[PLAYED]},
    title="A network that wants the whole recording",
    transcript=clips.info("garage_fan").text,
    listen_for="Where do the two differ, in the words or in the pauses? Do you hear the seams?",
    pictures=False,
)

# %% [markdown]
# ## 10 The dense block
#
# **Why.** Four dilated layers see far, but the last one gets only what the three before it let
# through. In a *dense* block each layer gets the input and the outputs of all layers before it:
#
# ![](figures/02_dense_block.svg)
#
# $$h_l = \mathrm{block}_l\big([h_0, h_1, \dots, h_{l-1}]\big), \qquad h_0 = x$$
#
# where the brackets join channels. As a loop, this takes four lines.


# %%
def dense_by_hand(layers, x):
    """Layers that take 1, 2, 3, … times C channels, input [B, C, T, F] -> [B, C, T, F]."""
    seen = [x]
    for layer in layers:
        seen.append(layer(torch.cat(seen, dim=1)))  # [B, C, T, F]
    return seen[-1]


dense = convolution.DilatedDenseBlock(16)
x = torch.randn(1, 16, 20, 10)  # [B, C, T, F]
print(f"largest difference: {(dense_by_hand(dense.layers, x) - dense(x)).abs().max():.1e}")
for layer in dense.layers:
    depthwise, pointwise = layer[0]
    print("channels in", depthwise.weight.shape[0], "out", pointwise.weight.shape[0])

# %% [markdown]
# **Which frames does one output frame depend on?** The formula says 31. We ask the gradient again,
# this time through the whole block, norms included. **Guess first:** at how many of the 81 input
# frames is the gradient zero?

# %%
x = torch.randn(1, 16, 81, 21, requires_grad=True)  # [B, C, T, F]
dense(x)[0, :, 40, 10].square().sum().backward()
strength = x.grad.square().sum((0, 1, 3)).sqrt()  # [T]
inside = strength[40 - 15 : 40 + 16]  # the 31 frames of the formula
share = 100 * (inside.square().sum() / strength.square().sum()).item()

# %% tags=["guess"]
print("frames that the gradient was computed for:", len(strength))
print("frames with gradient zero:", (strength == 0).sum().item())
print(f"the 31 frames of the formula hold {share:.2f} % of the squared gradient")

# %% tags=["frame"]
figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
axis.semilogy(6.25 * torch.arange(-40, 41), strength / strength.max())
axis.axvspan(-15 * 6.25, 15 * 6.25, color="black", alpha=0.1)
axis.set(xlabel="time from the output frame (ms)", ylabel="gradient / maximum")
axis.grid(alpha=0.3)
show(
    figure,
    "Size of the gradient over the input frames, on a logarithmic axis. Within 15 frames (94 ms) "
    "of the output, the shaded part, it is large, with peaks where several layers look; outside it "
    f"drops to a floor that is not zero. The 31 frames in the middle hold {share:.2f} % of its "
    "square.",
)

# %% [markdown]
# The floor comes from the norms: every point enters the mean and the variance. So a gradient tells
# you more than a formula, provided that you look at its size and not only at where it is zero.
#
# The encoder has one dense block. Each of the two decoders of chapter 04 begins with a dense block
# of its own:
#
# ![](figures/map_02_decoders.svg)
#
# ## 11 The multi-scale block
#
# **Why.** A click is short and a vowel is long, so a single size of kernel suits only one of them.
# The paper's abstract names depthwise-separable convolutions *within a multi-scale block*; we know
# no more about that block. Ours is a choice of this project: three depthwise convolutions side by
# side, with kernels of 3×3, 5×5 and 7×7; one matrix that mixes their $3\,C$ channels into $C$; norm
# and hard swish; and at the end the input is added.
#
# ![](figures/02_multi_scale.svg)
#
# There is no nonlinearity between the branches and the matrix, so they can be *fused*: a small
# kernel is a large one with zeros around it. Here a kernel of 3 and one of 5 act on eight numbers,
# and the results are added:

# %%
numbers = torch.tensor([[1.0, 0, 2, 0, 0, 3, 1, 0]]).T  # [T, F] = [8, 1]
three, five = torch.tensor([[1.0, 2, 1]]).T, torch.tensor([[1.0, 0, 0, 0, 1]]).T  # [3, 1], [5, 1]
branches = convolve_by_hand(numbers, three) + convolve_by_hand(numbers, five)
fused = nn.functional.pad(three, (0, 0, 1, 1)) + five  # [5, 1]
print("fused kernel:", fused.flatten().tolist())
print("branches:", branches.flatten().tolist())
print("fused:   ", convolve_by_hand(numbers, fused).flatten().tolist())
apart = (9 + 25 + 49) * 32 + 3 * 32 * 32
print("32 channels:", apart, "weights apart,", 49 * 32 * 32, "fused")

# %% [markdown]
# If the branches were only added, three kernels with $9 + 25 + 49 = 83$ weights for each channel
# would do what one with 49 does, and one would fuse them after training, as some networks do. But
# here a matrix mixes them, with a different mixture for each output channel. Fused, that is a
# *full* 7×7 convolution whose kernels have at most rank 3 for each input channel, in the sense of
# section 5. Exercise 2 builds it. The last line above shows what it costs with 32 channels:
# $83 \cdot 32 + 3 \cdot 32^2$ weights apart, $49 \cdot 32^2$ fused. The branches stay apart because
# that is cheaper.
#
# **Does the trained network use its large kernels?** We set weights in the multi-scale block of
# `lite` to zero: the rims of the 5×5 and 7×7 kernels, so that only their inner 3×3 is left; or the
# inner parts, so that only the rims are left; or all kernels. **Guess first:** which of the three
# does most harm?

# %% tags=["frame"]
USED = {"as trained": LITE}
for name in ("without the rims", "without the inner parts", "without all branches"):
    USED[name] = copy.deepcopy(LITE)
    for branch in USED[name].encoder[3].branches:
        size = branch.weight.shape[-1]
        inner = torch.zeros(size, size)
        inner[size // 2 - 1 : size // 2 + 2, size // 2 - 1 : size // 2 + 2] = 1  # 3x3 in the middle
        if name == "without all branches":
            branch.weight.data.zero_()
        elif size > 3:
            branch.weight.data *= inner if name == "without the rims" else 1 - inner
for name, model in USED.items():
    print(f"{name:24s} SI-SDR {metrics.si_sdr(clean, enhanced_by(model)):5.1f} dB")

# %% [markdown]
# On this sentence the trained network relies on the rims more than on the inner parts, which can
# only repeat what the 3×3 branch does. Without the rims it is even worse than without the block:
# the layers behind it have never had to work with half of a block. (Nor with none, so this does not
# tell the whole reason.)
#
# **Is the block worth its cost?** As in section 5, that is another question: a network that was
# trained without the block may find another way. Section 5 lists the scores of such a network, and
# in both scores its range overlaps with that of the complete network. On these data and with three
# seeds, a gain by the multi-scale block is **not shown**. The paper's abstract says that in an
# ablation each of its innovations contributes. Our network is much smaller and was trained for a
# short time, so the two need not contradict each other.

# %% [markdown]
# ## 12 Proof: by hand, package, library
#
# The same input goes, with the same weights, through our functions, through the package, and where
# PyTorch has such layers, through those. Loops are slow, so the input is small: 4 channels, 9
# frames, 7 frequencies.


# %%
def block_by_hand(block, x):
    """Convolution, norm and hard swish with the weights of a ConvBlock, [1, C, T, F]."""
    (depthwise, pointwise), norm, _ = block
    y = depthwise_by_hand(x[0], depthwise.weight[:, 0], depthwise.dilation)  # [C, T, F]
    y = pointwise_by_hand(y, pointwise.weight)[None]  # [1, D, T, F]
    return hard_swish_by_hand(norm_by_hand(y, norm.weight, norm.bias))


def multi_scale_by_hand(block, x):
    """The multi-scale block with the weights of a MultiScaleBlock, [1, C, T, F]."""
    branches = [depthwise_by_hand(x[0], branch.weight[:, 0]) for branch in block.branches]
    matrix, norm, _ = block.mix
    y = pointwise_by_hand(torch.cat(branches), matrix.weight)[None]  # [1, C, T, F]
    return x + hard_swish_by_hand(norm_by_hand(y, norm.weight, norm.bias))


# %% tags=["frame"]
def library_block(block):
    """A ConvBlock made of PyTorch's own layers, with the same weights."""
    (depthwise, pointwise), norm, _ = block
    inputs, outputs = depthwise.weight.shape[0], pointwise.weight.shape[0]
    step = (depthwise.dilation, 1)
    first = nn.Conv2d(inputs, inputs, 3, 1, step, step, groups=inputs, bias=False)
    second = nn.Conv2d(inputs, outputs, 1, bias=False)
    third = nn.InstanceNorm2d(outputs, affine=True)
    first.weight, second.weight = depthwise.weight, nn.Parameter(pointwise.weight[..., None, None])
    third.weight, third.bias = norm.weight, norm.bias
    return nn.Sequential(first, second, third, nn.Hardswish())


# %%
x = torch.randn(1, 4, 9, 7)  # [B, C, T, F]
full, block = convolution.StandardConv(4, 3), convolution.ConvBlock(4, 3, dilation=2)
small_dense, multi_scale = convolution.DilatedDenseBlock(4), convolution.MultiScaleBlock(4)
by_hand = [lambda x, layer=layer: block_by_hand(layer, x) for layer in small_dense.layers]
by_library = [library_block(layer) for layer in small_dense.layers]
with torch.no_grad():
    RESULTS = {
        "full convolution, library": (full_by_hand(x[0], full.weight)[None], full(x)),
        "block, package": (block_by_hand(block, x), block(x)),
        "block, library": (block_by_hand(block, x), library_block(block)(x)),
        "dense block, package": (dense_by_hand(by_hand, x), small_dense(x)),
        "dense block, library": (dense_by_hand(by_hand, x), dense_by_hand(by_library, x)),
        "multi-scale block, package": (multi_scale_by_hand(multi_scale, x), multi_scale(x)),
    }

# %%
TOLERANCE = 1e-4
for name, (ours, theirs) in RESULTS.items():
    largest = (ours - theirs).abs().max().item()
    print(f"largest difference, {name:28s} {largest:.1e}")
    assert largest < TOLERANCE, f"{name}: {largest} is not below {TOLERANCE}"
print(f"all below {TOLERANCE}")

# %% [markdown]
# ## 13 The encoder looks at the sentence
#
# ![](figures/map_02_encoder.svg)
#
# Summaries of the paper give the order of the encoder: a separable block that raises the number of
# channels, the dense block, and a separable block that halves the number of frequencies with a
# *stride* of 2, which means that it computes every second bin only. Our multi-scale block comes
# last. What do the 32 channels of `lite` show?

# %% tags=["frame"]
MAPS = []
x = torch.stack([compressed, phase], dim=1).mT  # [B, 2, T, F]
with torch.no_grad():
    for name, part in zip(("first", "dense", "half", "multi"), LITE.encoder, strict=True):
        x = part(x)  # [B, 32, T, F']
        MAPS.append(x[0])
        print(f"{name:8s}{list(x.shape)}")

# %% [markdown]
# Among 32 pictures there is always one that looks like something, so we measure. What the network
# has to find out is the *share of speech* in each point, $s / (s + n)$, where $s$ and $n$ are the
# compressed magnitudes of the clean speech and of the fan alone. We correlate each channel with it
# over all points, and print the highest correlation in each stage. Untrained encoders with three
# seeds are the yardstick.


# %% tags=["frame"]
def correlations(maps, target):
    """Maps [C, T, F'] and one target [T, F] -> correlation of each channel [C]."""
    target = target[:, ::2] if maps.shape[2] < target.shape[1] else target  # every second bin
    maps, target = maps.flatten(1), target.flatten()
    maps, target = maps - maps.mean(1, keepdim=True), target - target.mean()
    return (maps @ target) / (maps.norm(dim=1) * target.norm())


def stages(encoder, x):
    """The outputs [C, T, F'] of the parts of an encoder."""
    with torch.no_grad():
        return [(x := part(x))[0] for part in encoder]


# %% tags=["frame"]
waveforms = torch.from_numpy(np.stack([scale * clean, scale * (noisy - clean)]))  # [2, N]
alone = spectral.analyse(waveforms)[0].mT  # [2, T, F]: speech, fan
SHARE = alone[0] / alone.sum(0)  # [T, F], between 0 and 1
x = torch.stack([compressed, phase], dim=1).mT  # [B, 2, T, F]
ENCODERS = {"lite": LITE.encoder}
for seed in range(3):
    torch.manual_seed(seed)
    ENCODERS[f"untrained {seed}"] = EffiFusionGenerator(preset("lite")).encoder
print(f"the noisy magnitude itself {correlations(picture[None], SHARE).item():.2f}")
print(" " * 13 + "".join(f"{name:>7s}" for name in ("first", "dense", "half", "multi")))
for name, encoder in ENCODERS.items():
    best = [correlations(maps, SHARE).max() for maps in stages(encoder, x)]
    print(f"{name:13s}" + "".join(f"{value:7.2f}" for value in best))

# %% tags=["frame"]
figure, axes = plt.subplots(4, 2, figsize=(9, 8), sharex=True, layout="constrained")
picked = []
for axis_row, name, maps in zip(axes, ("first", "dense", "half", "multi"), MAPS, strict=True):
    found = correlations(maps, SHARE)
    for axis, channel in zip(axis_row, (int(found.argmax()), int(found.argmin())), strict=True):
        picked.append(f"{name}, channel {channel}: {found[channel]:.2f}")
        limits = tuple(maps[channel].quantile(torch.tensor([0.01, 0.995])).tolist())
        title = f"{name}, channel {channel}: {found[channel]:.2f}"
        plot_map(maps[channel].T, axis, title, "value", limits)
        axis.label_outer()
show(
    figure,
    "Eight feature maps of the encoder, two for each of its four parts, with their correlations in "
    "the titles. Left the channel most like the share of speech, with the stripes of the vowels; "
    "right the channel most opposed to it, dark in the vowels. The colours run from the 1st to the "
    "99.5th percentile of each map. Correlations: " + "; ".join(picked) + ".",
)

# %% [markdown]
# From the dense block on, the best channel of the trained encoder tells speech from noise better
# than the noisy magnitude does, and its correlation rises from stage to stage. In the untrained
# encoders it hardly changes, or falls. Nobody asked the encoder for this share: the network was
# trained on its final output only. This is one sentence and one noise, and the correlation is still
# far from 1, so there is work left for the blocks after the encoder.

# %% [markdown]
# ## 14 Train it: full against separable
#
# Section 5 compared networks that were trained for hours. Now you train a small network yourself,
# on the built-in training voices and synthetic noise. It estimates a mask: one block, a dense block
# with dilations 1, 2 and 4, and a sigmoid that gives a number between 0 and 1 for each point. There
# are three kinds of it:
#
# - 16 channels, separable;
# - 16 channels, full: as wide, but with several times as many weights;
# - 7 channels, full: narrower, with about as many weights as the separable one.
#
# Each is trained with three seeds, for 45 steps on the same mixtures. **Guess first:** which is
# best after 45 steps, and is the difference between kinds larger than the one between seeds?


# %% tags=["frame"]
def mixtures(split, count, seconds, seed):
    """Noisy and clean waveforms [count, N] of the voices of one part of the built-in set."""
    rng, length = np.random.default_rng(seed), round(16000 * seconds)
    voices = [*clips.speech(split).values()]
    noises = [clips.noise(kind, 20.0, seed, split) for kind in ("fan", "car", "rain")]
    pairs = []
    for _ in range(count):
        parts = [bank[rng.integers(len(bank))] for bank in (voices, noises)]
        starts = [rng.integers(len(part) - length) for part in parts]
        speech, noise = (p[s : s + length] for p, s in zip(parts, starts, strict=True))
        mixture = mix_at_snr(speech, noise, rng.uniform(-2.5, 12.5))
        gain = 1 / np.sqrt(np.mean(mixture**2))
        pairs.append((gain * mixture, gain * speech))
    return [torch.from_numpy(np.stack(side)).float() for side in zip(*pairs, strict=True)]


# %%
train_noisy, train_clean = (spectral.analyse(side)[0].mT for side in mixtures("train", 120, 1.0, 1))
TEST = mixtures("valid", 12, 2.0, 2)  # other voices and noise seeds, two of [12, N]


def estimator(channels, separable):
    """A mask [B, 1, T, F] from a compressed magnitude [B, 1, T, F]."""
    return nn.Sequential(
        convolution.ConvBlock(1, channels, separable=separable),
        convolution.DilatedDenseBlock(channels, (1, 2, 4), separable),
        convolution.PointwiseConv(channels, 1, bias=True),
        nn.Sigmoid(),
    )


KINDS = {"separable": (16, True), "full": (16, False), "narrow full": (7, False)}


# %% tags=["frame"]
def test_score(model):
    """Mean SI-SDR in dB on the test mixtures, with the noisy phase."""
    noisy_side, clean_side = TEST
    magnitude, angle = spectral.analyse(noisy_side)  # [B, F, T] each
    with torch.no_grad():
        masked = magnitude * model(magnitude.mT[:, None])[:, 0].mT  # [B, F, T]
    waveforms = spectral.synthesise(masked, angle, noisy_side.shape[1])  # [B, N]
    pairs = zip(clean_side.numpy(), waveforms.numpy(), strict=True)
    return float(np.mean([metrics.si_sdr(*pair) for pair in pairs]))


# %%
def train(model, seed, steps=45):
    """Train in place on the mean squared error of the compressed magnitude."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.01, total_steps=steps)
    for _ in range(steps):
        chosen = torch.randint(len(train_noisy), (2,), generator=generator)
        x, wanted = train_noisy[chosen][:, None], train_clean[chosen][:, None]  # [2, 1, T, F]
        loss = (model(x) * x - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()


# %% [markdown]
# The next cell trains, the one after it shows the scores. Cost: up to a minute on two quiet cores.

# %%
TRAINED = {}
for name, (channels, kind) in KINDS.items():
    scores, start = [], time.process_time()
    for seed in range(3):
        torch.manual_seed(seed)
        model = estimator(channels, kind).to(memory_format=torch.channels_last)
        train(model, seed)
        scores.append(test_score(model))
    count = sum(parameter.numel() for parameter in model.parameters())
    TRAINED[name] = (count, min(scores), max(scores), time.process_time() - start)

# %% tags=["guess"]
print(f"noisy: {test_score(lambda x: torch.ones_like(x)):.2f} dB")
for name, (count, lowest, highest, _) in TRAINED.items():
    print(f"{name:12s}{count:7,d} parameters, {lowest:.2f} to {highest:.2f} dB")

# %% tags=["frame"]
for name, (*_, seconds) in TRAINED.items():
    times_longer = seconds / TRAINED["separable"][3]
    print(f"{name:12s} {times_longer:.1f} times the processor time of separable")
GAIN = TRAINED["full"][1] - TRAINED["separable"][2]  # worst of one against best of the other
EQUAL_SIZE = TRAINED["separable"][1] - TRAINED["narrow full"][2]
for words, value in (("full above separable", GAIN), ("separable above narrow full", EQUAL_SIZE)):
    print(f"{words}: {'the ranges do not touch' if value > 0 else 'not shown, the ranges overlap'}")

# %% [markdown]
# *If your numbers look different:* machines add in different orders, and 45 steps are few, so
# expect deviations of some tenths of a decibel. The widest range above shows how far a single seed
# could have misled us.
#
# The lines above say which difference is shown and which is not. They also show the time: as in
# section 7, the separable network saves less of it than its number of weights promises. A gap
# between two ranges of three seeds is a hint, not a proof. And the comparison can be made at equal
# width, at equal size or at equal time, and the winner need not be the same. Chapter 09 comes back
# to this.

# %% [markdown]
# ## 15 Exercises
#
# Put your code in the place of the three dots (in the bug hunt, change the code that is there), run
# the cell, then run the check below it. The check says what is likely to be wrong. Hints and the
# solution are folded.
#
# ### Exercise 1 · Warm-up: separable in two calls (10 minutes)
#
# Write a separable convolution, dilated along time, with two calls of `nn.functional.conv2d`. The
# result is as long as `x`.


# %% tags=["exercise"]
def my_separable(x, kernels, matrix, dilation):
    """x [B, C, T, F], kernels [C, 1, 3, 3], matrix [D, C] -> [B, D, T, F]."""
    # BEGIN SOLUTION
    step = (dilation, 1)
    z = nn.functional.conv2d(x, kernels, padding=step, dilation=step, groups=x.shape[1])
    return nn.functional.conv2d(z, matrix[:, :, None, None])
    # END SOLUTION


# %%
solved_1 = chapter02.check_separable(my_separable)

# %% [markdown] tags=["hint"]
# `padding`, `dilation` and `groups` are the arguments that matter. The first two can be pairs:
# time, then frequency.

# %% [markdown] tags=["hint"]
# `conv2d` expects kernels of shape `[D, C, rows, columns]`. What does a matrix `[D, C]` become if
# you give it two more axes of length 1 at the end?

# %% [markdown] tags=["solution"]
# Along time the padding equals the dilation, since the outer weights lie that far from the middle.

# %% [markdown]
# ### Exercise 2 · Write: three branches, one kernel (25 minutes)
#
# Fuse the branches of a multi-scale block and its matrix into the kernels of one full convolution.
# `kernels` is a list of depthwise kernels whose sizes are odd and rise; `mix` is the matrix, and
# its columns are the channels of the first branch, then those of the second, and so on. Your
# function has to work for any number of branches and any odd sizes.


# %% tags=["exercise"]
def my_fuse(kernels, mix):
    """n kernels [C, 1, k, k] of rising odd k, mix [D, n * C] -> [D, C, K, K], K the largest k."""
    # BEGIN SOLUTION
    channels, size = len(kernels[0]), kernels[-1].shape[-1]
    fused = torch.zeros(len(mix), channels, size, size)  # [D, C, K, K]
    for kernel, part in zip(kernels, mix.split(channels, dim=1), strict=True):  # part [D, C]
        edge = (size - kernel.shape[-1]) // 2
        padded = nn.functional.pad(kernel[:, 0], (edge, edge, edge, edge))  # [C, K, K]
        fused += part[:, :, None, None] * padded  # [D, C, K, K]
    return fused
    # END SOLUTION


# %%
solved_2 = chapter02.check_fuse(my_fuse)

# %% [markdown] tags=["hint"]
# Start with one output channel and one input channel. Which numbers of `mix`, one for each branch,
# join the two, and what does each of them multiply?

# %% [markdown] tags=["hint"]
# Zeros on all four sides turn a small kernel into a large one: `nn.functional.pad`. The middle has
# to stay in the middle.

# %% [markdown] tags=["hint"]
# `mix.split(C, dim=1)` gives a matrix `[D, C]` for each branch. With two more axes at its end,
# broadcasting multiplies it by the kernels `[C, K, K]`.

# %% [markdown] tags=["solution"]
# The fused convolution gives the same numbers as branches and matrix, and has many times their
# weights: section 11 counted them. With three branches, its kernels have at most rank 3 for each
# input channel.

# %% [markdown]
# ### Exercise 3 · Bug hunt: a recording in pieces (15 minutes)
#
# A recording is too long to fit into memory, so it comes in pieces. Somebody has read section 9 and
# knows that a piece must not be normalised by itself. The function below computes mean and variance
# of each piece, averages them over all pieces, and normalises each piece with the averages. It
# runs, and its results look plausible.
#
# Which property must such a function have, whatever the pieces are? Test it, find what is wrong,
# and repair it. Keep the pieces apart until the last line, which joins them: the check notices when
# something is computed from more than one piece at a time.


# %% tags=["exercise"]
def my_norm_of_pieces(pieces, weight, bias):
    """Pieces of one recording, a list of [B, C, T_i, F] -> normalised and joined [B, C, T, F]."""
    # BEGIN BUG
    means = [piece.mean((2, 3), keepdim=True) for piece in pieces]  # [B, C, 1, 1] each
    variances = [piece.var((2, 3), keepdim=True, correction=0) for piece in pieces]
    mean, variance = sum(means) / len(pieces), sum(variances) / len(pieces)
    # END BUG
    # BEGIN SOLUTION
    points = sum(piece[0, 0].numel() for piece in pieces)
    mean = sum(piece.sum((2, 3), keepdim=True) for piece in pieces) / points  # [B, C, 1, 1]
    squares = sum((piece - mean).square().sum((2, 3), keepdim=True) for piece in pieces)
    variance = squares / points
    # END SOLUTION
    scale = weight[:, None, None] / (variance + 1e-5).sqrt()
    return torch.cat([scale * (piece - mean) + bias[:, None, None] for piece in pieces], dim=2)


# %%
solved_3 = chapter02.check_norm_of_pieces(my_norm_of_pieces)

# %% [markdown] tags=["hint"]
# The same recording, cut in two different ways, must give the same result. Try one piece, two of
# equal length, and two of different lengths.

# %% [markdown] tags=["hint"]
# Take two pieces, one full of zeros and one full of ones. What are their variances, and what is the
# variance of the whole?

# %% [markdown] tags=["solution"]
# There are two bugs. A short piece counts as much as a long one. And the variance *between* the
# pieces is missing: the variance of the whole is the mean of the variances plus the variance of the
# means, each piece weighted by its length. Sums over all points avoid both bugs. All pieces are
# read before the first one can be normalised, so this is no streaming: a real-time network needs
# another norm.

# %% [markdown]
# ### Exercise 4 · Open: ten numbers against a fan (15 minutes)
#
# How much noise can *one* 3×3 kernel remove? You have ten numbers: nine weights and an offset,
# which is added before negative values are set to zero. First predict by how much SI-SDR can rise.
# Then look for good numbers: by ear at the desk of section 2, or here with the score.

# %%
KERNEL = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]])  # [T, F]: change it
OFFSET = 0.0
outcome = hear(apply(KERNEL, picture) + OFFSET)
scores = [metrics.si_sdr(clean, waveform) for waveform in (noisy, outcome)]
print(f"SI-SDR before {scores[0]:.2f} dB, after {scores[1]:.2f} dB")

# %% [markdown] tags=["answer"]
# The ten numbers with the smallest squared error, before negative values are set to zero, can be
# computed: a point and its eight neighbours are a row of a matrix, and the clean magnitude is what
# the weights should make of that row. This is a least-squares problem with ten unknowns. The cell
# below solves it with and without the offset. The kernel alone averages, mostly along time,
# and helps little. The offset comes out negative and makes quiet points zero: a crude *spectral
# subtraction*, which brings most of the gain. Without the nonlinearity after it, a kernel is just a
# linear filter of the magnitude.
#
# The numbers come from the clean speech of this very sentence, so this is not a method that could
# be used. Nor is it an upper bound: the least-squares problem does not know that negative values
# become zero, and its error is that of the magnitude, not of the waveform. Other numbers can score
# higher.

# %% tags=["try"]
# Answer: least squares gives the weights below, and the offset brings most of the gain.
rows = nn.functional.unfold(picture[None, None], 3, padding=1)[0].T  # [T * F, 9]
wanted = spectral.analyse(torch.from_numpy(scale * clean)[None])[0][0].T.reshape(-1, 1)
for name, unknowns in {
    "kernel": rows,
    "kernel and offset": nn.functional.pad(rows, (0, 1), value=1),
}.items():
    solution = torch.linalg.lstsq(unknowns, wanted).solution  # [9, 1] or [10, 1]
    sound = hear((unknowns @ solution).view_as(picture))
    print(f"{name:18s}{metrics.si_sdr(clean, sound):6.2f} dB, weights {listed(solution)}")

# %% tags=["frame"]
print(sum([solved_1, solved_2, solved_3]), "of 3 checked exercises solved")

# %% [markdown]
# ## 16 Quiz
#
# Open an answer to see why it is right or wrong.

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "A trained full layer has half of its energy in rank 1. What follows for a separable layer?",
    {
        "It cannot imitate this layer; how well it does when trained is another question.": "Cut "
        "to rank 1, the network failed; trained with rank 1, it came close (section 5).",
        "It will lose half of the quality.": "The energy of weights does not measure quality, and "
        "the separable network was trained from the start.",
        "Nothing, since random kernels have rank 1 too.": "Random kernels have part of their "
        "energy in rank 1, but their rank is full.",
    },
    correct="It cannot imitate this layer; how well it does when trained is another question.",
)
quiz(
    "A layer needs an eighth of the MACs but takes a third of the time. What is the likely reason?",
    {
        "It moves at least as many bytes as before.": "The depthwise part does few MACs per byte, "
        "so moving the values takes much of its time (section 7).",
        "MACs are counted wrongly for grouped convolutions.": "Formula and counter agreed in "
        "section 6.",
        "PyTorch computes the full convolution and discards some of the results.": "Then the time "
        "would not have dropped at all.",
    },
    correct="It moves at least as many bytes as before.",
)
quiz(
    "Three layers with 3×3 kernels have dilations 1, 3 and 9 along time. How many frames does one "
    "output frame see?",
    {
        "27": "1 + 2 · (1 + 3 + 9).",
        "13": "This is the sum of the dilations. But each layer adds its dilation on both sides, "
        "and the frame in the middle counts, too.",
        "19": "This is the last layer alone: 1 + 2 · 9.",
        "7": "This is what three layers without dilation see.",
    },
    correct="27",
)
quiz(
    "Why do the convolutions before an instance norm have no offset?",
    {
        "The norm subtracts the mean, and with it the offset.": "Adding a constant to a channel "
        "changes its mean by the same constant (section 9).",
        "To save multiplications.": "An offset is an addition, and a small part of the cost.",
        "Because silence must stay silence.": "After the norm, silence is a constant that depends "
        "on the whole recording (section 9).",
    },
    correct="The norm subtracts the mean, and with it the offset.",
)
quiz(
    "You enhance a long recording in pieces of half a second. Why do the results differ from those "
    "of the whole, even far from the cuts?",
    {
        "Each piece gets its own mean and variance.": "So a piece with nothing but a pause is "
        "scaled to the variance of speech (section 9). Attention has a part in it, too.",
        "The convolutions see beyond the pieces.": "They do, but that changes only frames near the "
        "cuts.",
        "Rounding.": "The differences are far larger than rounding errors (section 12).",
    },
    correct="Each piece gets its own mean and variance.",
)

# %% [markdown]
# ## 17 What the paper says, and what came out here
#
# The paper is EffiFusion-GAN (Wen and Tan, arXiv 2508.14525). We had its abstract and summaries by
# others, not its full text. What they leave open is marked as a choice of this project.

# %% tags=["frame"]
RANGES = {
    (name, metric): f"{min(r[metric] for r in runs):.2f} to {max(r[metric] for r in runs):.2f}"
    for name, runs in SCORES.items()
    for metric in ("pesq", "si_sdr")
}
claim_table(
    Claim(
        "Depthwise-separable convolutions within a multi-scale block.",
        "the paper's abstract",
        f"Ours: 3×3, 5×5, 7×7, added to its input. PESQ {RANGES['complete', 'pesq']} with it, "
        f"{RANGES['without_multi-scale_block', 'pesq']} without: a gain is not shown.",
        "sections 5 and 11",
        "Kernel sizes and the place of the block are choices of this project; our network is "
        "small, its training short, and there are three seeds.",
    ),
    Claim(
        "The network has 1.08 M parameters.",
        "the paper's abstract",
        f"{COUNTS['full', True]:,d} with separable, {COUNTS['full', False]:,d} with full "
        "convolutions.",
        "section 6",
        "They agree because the widths and depths of our preset were chosen to come close.",
    ),
    Claim(
        "An ablation study shows that each of the three innovations contributes.",
        "the paper's abstract",
        f"Separable against full convolutions: SI-SDR {RANGES['complete', 'si_sdr']} against "
        f"{RANGES['standard_convolutions', 'si_sdr']} dB, PESQ {RANGES['complete', 'pesq']} "
        f"against {RANGES['standard_convolutions', 'pesq']}.",
        "section 5",
        "Here the separable network saves weights and loses a little SI-SDR; a difference in PESQ "
        "is not shown. We did not have the paper's tables.",
    ),
    Claim(
        "Encoder: separable block, dense block with dilations 1, 2, 4, 8 along time, separable "
        "block that halves the frequencies by its stride.",
        "summaries of the paper",
        "The same order. One output frame of the dense block sees 31 frames, and all others weakly "
        "through its norms.",
        "sections 8, 10 and 13",
        "They agree. That the multi-scale block comes last is a choice of this project.",
    ),
    Claim(
        "Norm and nonlinearity of the blocks.",
        "not known, choice of this project",
        "Instance norm over the whole recording, hard swish.",
        "section 9",
        "Nothing to compare. The norm is what MP-SENet, a close relative, uses.",
    ),
)

# %% [markdown]
# ## 18 The sentence so far
#
# One sentence runs through the series. This chapter adds no version of it: what the encoder does
# becomes audible once chapter 04 has built the rest of the network.

# %% tags=["frame"]
from effifusion_lite.listening.red_thread import thread

thread(2)

# %% [markdown]
# ## 19 Summary
#
# - A convolution is a sum over neighbours and channels, with $k\,C\,D$ weights. Split into a
#   depthwise and a pointwise part it has $k\,C + C\,D$, which is $1/D + 1/k$ of that.
# - A separable convolution is a full one whose kernels have rank 1 for each input channel. The
#   kernels of a trained full network have a higher rank; yet networks trained with rank 1 come
#   close to it.
# - An eighth of the MACs does not take an eighth of the time: a layer also has to move its values,
#   and their order in memory matters.
# - Dilated layers see $1 + \sum_l (k - 1)\,\delta_l$ frames. A gradient shows which.
# - The instance norm makes every value depend on the whole recording.
# - The blocks are in `effifusion_lite/convolution.py`: `DepthwiseSeparableConv`, `ConvBlock`,
#   `DilatedDenseBlock`, `MultiScaleBlock`.
#
# **Next:** in chapter 03, attention connects distant points of the spectrogram.
