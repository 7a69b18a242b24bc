# %% [markdown]
# # 02 · Depthwise-separable convolutions
#
# **The sounds.** The built-in speech of this chapter is a free synthetic voice, and the noise is
# made by a random generator. The steps are the same for recorded speech: chapter 00 tells how to
# hear the sentences of VoiceBank+DEMAND in place of the built-in ones.
#
# **After this chapter you can**
#
# - write a convolution as a sum, and count its weights and multiplications in your head;
# - say what a depthwise-separable convolution gives up, and measure how much that is;
# - explain why eight times fewer multiplications need not be eight times less time;
# - compute how far a stack of dilated layers sees, and check the number with a gradient;
# - find the line in a network that makes it depend on the whole recording.
#
# **You need** PyTorch at the level of the official 60-minute introduction, and linear algebra up to
# the singular value decomposition.
#
# **So far.** Chapter 01 turned a waveform into a compressed magnitude and a phase, and back. You
# can start here: the cells below do the same with two calls.
#
# **Time and cost.** About 70 minutes to read, 65 for the four exercises, 15 to play with the desk.
# All cells together take about two minutes on two quiet cores, one of them for a live training, and
# less than 2 GB of memory. Nothing is downloaded.
#
# ![](figures/map_02.svg)
#
# **The module of this chapter** is `effifusion_lite/convolution.py`, and a little of
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
from effifusion_lite.plotting import plot_map, show

torch.manual_seed(1)
PLAYED = slice(5 * 16000 // 2)  # of each sound the first 2.5 s, to keep this page light
ABLATION = Path(effifusion_lite.__file__).resolve().parents[1] / "recipes" / "ablation"

# %% [markdown]
# **Attention: the axes change.** Chapter 01 drew spectrograms and kept them as `[F, T]`, frequency
# first. A network works on batches of many channels, and the package writes them as `[B, C, T, F]`:
# batch, channels, *time*, frequency. From here on time comes before frequency, and one channel is
# `[T, F]`. Pictures stay as they were, time to the right and frequency upwards; but a tensor that
# is *printed* now has a row for each frame, so time runs downwards in it.

# %%
clean, noisy = clips.pair("garage_fan")  # [N] each
scale = (len(noisy) / (noisy**2).sum()) ** 0.5  # to a mean square of 1, as in chapter 01
compressed, phase = spectral.analyse(torch.from_numpy(scale * noisy)[None])  # [1, F, T] each
picture = compressed[0].T  # [T, F]: time comes first from here on


def hear(values):
    """Compressed magnitude [T, F], with the phase of the noisy speech -> waveform [N]."""
    magnitude = values.clamp_min(0).T[None]  # [1, F, T]; a magnitude is not negative
    return spectral.synthesise(magnitude, phase, len(noisy))[0].numpy() / scale


def listed(values):
    """Numbers of a tensor, rounded, for printing."""
    return [round(value, 2) for value in values.flatten().tolist()]


print("The sentence:", clips.info("garage_fan").text)
print("frames and frequencies", list(picture.shape))

# %% [markdown]
# ## 1 One kernel, one channel
#
# **Why.** To decide whether a point of the spectrogram is voice or noise, look at its neighbours. A
# vowel has neighbours along time, since it lasts. A click has neighbours along frequency, since it
# holds them all at once. A *kernel* is a small table of weights that is laid over a point and its
# neighbours. Each value is multiplied by the weight that lies on it, and the products are added.
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
# Mathematicians would call this a correlation, for a convolution flips the kernel first. All
# libraries for networks leave the flip out and keep the name. The weights are learned, so nothing
# is lost.
#
# Here is the equation as a loop, for a kernel of any odd size (`dilation` stays 1 until section 8).
# The library's `conv2d` does the same, fast; it wants a batch and channels, one of each here.


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
# A kernel over a spectrogram changes a sound. We take three, apply each to the compressed magnitude
# of the sentence, and go back to a waveform with the noisy phase. The kernels are longer than
# three, so that the ear notices.
#
# - **smear**: the mean of 17 frames, about a tenth of a second;
# - **blur**: the mean of 21 neighbouring frequencies, 840 Hz;
# - **difference**: this frame minus the one four frames earlier.
#
# **Guess first.** Which of the three sounds like a large room, which makes the voice hoarse, and
# which leaves little more than the beginnings of sounds? And in which can you still follow the
# melody of the sentence? Write your guesses down.

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
# Three numbers go with the picture: how much neighbouring values differ along time, and along
# frequency, relative to the values themselves; and how *periodic* the sound is. That is the
# correlation of the vowels with themselves one period of the clean voice later: 1 means that each
# period is like the one before.

# %% tags=["frame"]
pitch, voiced, _ = librosa.pyin(clean, fmin=60, fmax=400, sr=16000, hop_length=160)  # [frames]


def periodicity(waveform):
    """Mean correlation of the voiced frames with what follows a period later."""
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
for axis, (name, values) in zip(axes.flat, outcomes.items(), strict=True):
    values = values.clamp_min(0)
    plot_map(values.T, axis, name, limits=(0, values.max().item()))
    axis.label_outer()
show(
    figure,
    "Four spectrograms of the sentence. Smeared, the syllables run into one another along time. "
    "Blurred, the horizontal stripes of the voice are gone. The difference along time leaves "
    "bright edges where sounds begin, and dark vowels.",
)

# %% tags=["frame"]
row(
    {name: hear(values)[PLAYED] for name, values in outcomes.items()},
    title="Three kernels",
    transcript=clips.info("garage_fan").text,
    listen_for="Were your three guesses right? Which kernel makes the fan softer, and why?",
    equal_loudness=True,
    pictures=False,
)

# %% [markdown] tags=["answer"]
# Smearing along time lets each sound ring on, as a room does (and begin early, as no room does). It
# also averages the noise, which jumps from frame to frame while a vowel does not. Blurring along
# frequency fills the gaps between the harmonics, and the voice gets hoarse. Some of its melody is
# left, though the stripes are gone: the noisy phase holds it too. The difference is positive where
# a sound begins and negative where it ends; the negative half is set to zero, and only the
# onsets are left.

# %% [markdown]
# **Live: the kernel desk.** Set nine weights, drawn as you see the spectrogram: time to the right,
# frequency upwards. The steps say how many frames and bins lie from one weight to the next. The
# offset is added to the outcome before negative values are set to zero. On a page without Python
# you see and hear the first setting.

# %%
kernel_desk(noisy[PLAYED], clean[PLAYED])

# %% [markdown]
# > **Try it.** Make an echo: a kernel along time with a weight of 1 in the middle and 0.6 at 32
# > frames earlier. How many milliseconds is that, and how long must the kernel be?

# %% tags=["try"]
# Answer: 32 frames of 6.25 ms are 200 ms, and an odd kernel with room for them has 65 weights.
echo = torch.zeros(65, 1)  # [T, F]
echo[32], echo[0] = 1.0, 0.6
sound = hear(apply(echo, picture))
row({"noisy": noisy[PLAYED], "echo": sound[PLAYED]}, equal_loudness=True, pictures=False)

# %% [markdown]
# ## 3 Many channels
#
# **Why.** One kernel asks one question. A network asks many, and the answers of one layer are the
# *channels* of the next: `[C, T, F]`. A kernel of a *full* convolution therefore reaches through
# all channels. It has one small table for each of them, and the outcomes are added.
#
# Eight numbers in two channels, to follow by hand. Each channel has a kernel of three weights:

# %%
EIGHT = torch.tensor([[[1.0, 2, 0, 1]], [[0.0, 1, 1, 3]]])  # [C, T, F] = [2, 1, 4]
PAIR = torch.tensor([[[1.0, 0, -1]], [[0.0, 2, 0]]])  # [C, 1, 3]: one kernel for each channel
parts = [convolve_by_hand(channel, kernel) for channel, kernel in zip(EIGHT, PAIR, strict=True)]
print("of channel 0:", parts[0].tolist())
print("of channel 1:", parts[1].tolist())
print("their sum:   ", sum(parts).tolist())

# %% [markdown]
# **Equation.** With $D$ output channels there are $D$ such sets of kernels, `[D, C, 3, 3]`:
#
# $$y[d, t, f] = \sum_{c=1}^{C} \sum_{i,j} w[d, c, i, j]\; x[c,\, t + i,\, f + j]$$
#
# **Count it in your head.** A kernel of $k$ weights from each of $C$ channels to each of $D$
# channels makes $k\,C\,D$ weights. Each is used once at each of the $T \cdot F$ points, so there
# are $k\,C\,D\,T\,F$ multiplications, each followed by an addition. The pair is called a MAC, a
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
print("largest difference:", (full_by_hand(x, kernels) - by_library).abs().max().item())

# %% [markdown]
# ## 4 Depthwise, then pointwise
#
# **Why.** A full convolution does two jobs at once: it looks at neighbours, and it mixes channels.
# A *depthwise-separable* convolution does one after the other. The *depthwise* part gives each
# channel one kernel of its own. The *pointwise* part multiplies the $C$ values at each point by a
# matrix.
#
# ![](figures/02_separable.svg)
#
# $$z[c, t, f] = \sum_{i,j} q[c, i, j]\; x[c,\, t + i,\, f + j], \qquad
# y[d, t, f] = \sum_{c} p[d, c]\; z[c, t, f]$$
#
# It has $k\,C$ weights in the kernels and $C\,D$ in the matrix. The eight numbers again, with the
# same two kernels, and three output channels:

# %%
MIX = torch.tensor([[1.0, 1], [1, 0], [0, -1]])  # [D, C] = [3, 2]
z = torch.stack([convolve_by_hand(*both) for both in zip(EIGHT, PAIR, strict=True)])  # [C, T, F]
print("after the kernels:", z.squeeze().tolist())
print("after the matrix: ", (MIX @ z.squeeze()).tolist())

# %% [markdown]
# Now as loops, and as the library writes it: `groups=C` tells `conv2d` that channels do not mix,
# and a kernel of size 1 is the matrix.


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
print("largest difference:", (by_hand - y).abs().max().item())

# %% [markdown]
# Put the second equation into the first, and a separable convolution turns out to be a full one
# with special kernels: $w[d, c, i, j] = p[d, c]\, q[c, i, j]$. The kernels from one input channel
# to all output channels are multiples of *one* kernel. We build these full kernels and check:

# %%
full_kernels = matrix[:, :, None, None] * kernels[None]  # [D, C, 3, 3]
difference = (full_by_hand(x, full_kernels) - by_hand).abs().max().item()
print("weights: full", full_kernels.numel(), "separable", kernels.numel() + matrix.numel())
print("largest difference of the results:", difference)

# %% [markdown]
# **A question in between.**

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "How many weights does a separable convolution have, with 3×3 kernels from 16 to 32 channels "
    "and without offsets?",
    {
        "656": "9 · 16 in the kernels and 16 · 32 in the matrix: 144 + 512.",
        "4608": "This is 9 · 16 · 32, the full convolution.",
        "800": "This is 9 · 32 + 16 · 32: the kernels come first, so there is one for each "
        "channel in, not out.",
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
# rank 1, the largest first, and the squares of the singular values tell the energy of each.
#
# Two pairs of kernels with four weights each. In the first pair one kernel is twice the other, in
# the second it is not:

# %%
multiple = torch.tensor([[1.0, 2, 1, 0], [2, 4, 2, 0]])  # [D, 4]
other = torch.tensor([[1.0, 2, 1, 0], [2, 0, 0, 1]])  # [D, 4]
for matrix in (multiple, other):
    energy = torch.linalg.svdvals(matrix).square()  # [2]
    print("share of the energy in rank 1:", round((energy[0] / energy.sum()).item(), 3))

# %% [markdown]
# Are the kernels of a trained full convolution close to rank 1? The ablation study of this project
# (chapter 09) trained a small network with full convolutions in all its blocks; its weights are in
# the repository. For each layer with 3×3 kernels we take the share of the energy in the first one,
# two, three ranks, averaged over the input channels. Random kernels of the same shape are the
# yardstick, for even they have some energy in rank 1.
#
# **Guess first:** which share of the energy does rank 1 hold in a trained layer?


# %%
def energy_shares(kernels):
    """Kernels [D, C, 3, 3] -> share of the energy in the first 1, 2, … ranks, mean over C."""
    matrices = kernels.transpose(0, 1).flatten(2)  # [C, D, 9]
    energy = torch.linalg.svdvals(matrices).square()  # [C, min(D, 9)]
    return (energy.cumsum(1) / energy.sum(1, keepdim=True)).mean(0)


# %% tags=["frame"]
FULL = weights.load(ABLATION / "standard_convolutions" / "weights.safetensors")
SHARES = {
    name: energy_shares(layer.weight.detach())
    for name, layer in FULL.named_modules()
    if isinstance(layer, convolution.StandardConv) and layer.kernel_size == (3, 3)
}
print(f"{'up to rank':42s}" + "".join(f"{rank:7d}" for rank in (1, 2, 3)))
for name, shares in SHARES.items():
    print(f"{name:42s}" + "".join(f"{100 * share:5.0f} %" for share in shares[:3]))

# %% tags=["frame"]
RANDOM = [
    energy_shares(torch.randn(16, 32, 3, 3, generator=torch.Generator().manual_seed(seed)))[0]
    for seed in range(5)
]
LOWEST, HIGHEST = (100 * edge(share[0] for share in SHARES.values()) for edge in (min, max))
print(f"rank 1 of random kernels: {100 * min(RANDOM):.0f} to {100 * max(RANDOM):.0f} %")
print(f"rank 1 of trained layers: {LOWEST:.0f} to {HIGHEST:.0f} %")

# %% [markdown]
# The first layers are hardly closer to rank 1 than chance, the decoders are closer. In no layer
# does one kernel stand for all. These are the weights of one training; whether another seed orders
# its layers in the same way is not shown.
#
# What does the sound lose? We replace the kernels of each layer by the best ones of rank 1, 2, 3
# and 5, and let the network enhance the sentence.


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
# Beside them is a network of the same study that had separable convolutions from the start, trained
# on the same mixtures and for as long.


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
    listen_for="From which rank on do you hear no difference to the full kernels? And can you tell "
    "the network that was trained separable from the full one?",
    beside={"noisy": noisy[PLAYED]},
    start="rank 1",
)

# %% [markdown]
# Cutting trained kernels down to rank 1 ruins the network: the ratio printed above is below that of
# the noisy sentence. Yet the network that was *trained* with rank 1 is close to the full one. A
# separable layer cannot imitate a given full layer, but a network of such layers finds another way.
# That is worth remembering: how well you can approximate trained weights does not tell how well you
# could have trained without them.
#
# One sentence proves little. Here are the scores of the study on its validation mixtures, as the
# range over the seeds: the network with full convolutions ("standard"), the same with separable
# ones ("complete"), and one without the block of section 11.

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
# In SI-SDR the two ranges do not touch: the full network, with more than twice as many weights, is
# a little better. In PESQ the ranges overlap: a difference is not shown.

# %% [markdown]
# > **Try it.** For which number of output channels $D$ is *every* full convolution separable? Think
# > of the shape of the matrix, then test with random kernels.

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
# both counts are multiplied by $T\,F$. PyTorch can count as well: `FlopCounterMode` watches what
# is computed, and counts two operations for each MAC. With tensors on the device `meta` nothing is
# computed at all, only shapes.


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
# A network is more than convolutions. What does the choice change in the whole generator?
# `describe` of `cost.py` counts parameters and MACs for a second of audio. The preset `full` has
# about the size that the paper's abstract gives: 1.08 million parameters.

# %% tags=["frame"]
COUNTS = {}
print("preset   convolutions   parameters   MMAC for a second")
for name in ("tiny", "lite", "full"):
    for kind in (True, False):
        counts = describe(EffiFusionGenerator(preset(name, separable=kind)))
        COUNTS[name, kind] = counts["parameters"]
        words = f"{name:9s}{'separable' if kind else 'full':12s}{counts['parameters']:13,d}"
        print(f"{words}{counts['macs_per_second'] / 1e6:15,.0f}")

# %% [markdown]
# The ratios are far below those of a single layer, since the attention blocks of chapter 03 stay as
# they are.

# %% [markdown]
# ## 7 Fewer multiplications, less time?
#
# **Guess first.** With 64 channels a separable layer needs nearly eight times fewer MACs. How many
# times faster is it on this computer?
#
# Seconds depend on the machine, so we compare times of one run. The calls take turns, the shortest
# of nine rounds counts, one core works, and the clock runs only while this process does. Cost: some
# seconds.
#
# Two layouts in memory are tried. *Contiguous*: all points of channel 0, then all of channel 1.
# *Channels last*: all channels of point 0, then all of point 1. The values are the same.


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
    """The layers that race, and a copy of their input, by name."""
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
# layer gains less time than the count promises, and with 64 channels it prefers channels last.
#
# **Why.** A processor does two things: it moves values from and to the memory, and it multiplies.
# The depthwise part reads a value (4 bytes), writes one, and multiplies nine times for it. The full
# layer moves just as many bytes and multiplies $9 \cdot 64$ times. The MACs for a byte are the
# *arithmetic intensity*. Where it is low, moving the values takes a good part of the time, and that
# part does not shrink with the MACs: the row "copy" above is the time of moving alone. (It jumps
# when other programs use the memory.) The separable layer goes through the memory twice.

# %% tags=["frame"]
WORK = {"full": (576, 1), "pointwise": (64, 1), "separable": (73, 2), "depthwise": (9, 1)}
print("64 channels,   MACs for   times faster than full     MACs in the time")
print("channels last    a byte   by count      measured   of one of the full")
for name, (macs, passes) in WORK.items():  # MACs for each value of the output
    fewer = WORK["full"][0] / macs
    faster = TIMES[64, "channels last", "full"] / TIMES[64, "channels last", name]
    print(f"{name:13s}{macs / (8 * passes):10.1f}{fewer:11.1f}{faster:14.1f}{faster / fewer:21.2f}")

# %% [markdown]
# Read the last column from top to bottom: the less there is to multiply for a byte, the fewer MACs
# are done in the same time. The separable layer is cheap in MACs and expensive in bytes.
#
# This is why the package keeps all tensors in channels-last memory, and why its pointwise
# convolution is a linear layer: in this layout the 1×1 convolution is a matrix product, with
# nothing to rearrange.
#
# ## 8 Dilation: a longer reach at no cost
#
# **Why.** A 3×3 kernel sees three frames, 37.5 ms with windows of 25 ms. A syllable lasts about 200
# ms. Larger kernels cost more weights, and more layers more time. *Dilation* keeps the nine weights
# and sets them farther apart in time: the neighbours are $\delta$ frames away instead of one.
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
# **Equation.** Each layer adds its reach to that of the layers before. With $k$ weights along time
# and dilations $\delta_1, \dots, \delta_n$, one output frame sees
#
# $$R = 1 + \sum_l (k - 1)\, \delta_l \quad \text{frames, that is} \quad
# (R - 1) \cdot 6.25\ \text{ms} + 25\ \text{ms}$$
#
# Dilation 1, 2, 4, 8 gives 31 frames with four layers, where four undilated layers see nine.
#
# **Check by gradient.** What does an output point depend on? Ask autograd: an input that does not
# enter an output value has a gradient of zero. This works for any network, also where a formula is
# hard to write.


# %%
def seen_by_one_point(dilations):
    """Which inputs [T, F] = [81, 21] enter the output point in the middle, as true or false."""
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
window = spectral.expand(picture[loudest - 40 : loudest + 41, :21])  # [81, 21], 0 to 800 Hz
for axis, dilations in zip(axes, STACKS, strict=True):
    axis.imshow(20 * window.log10().T, origin="lower", aspect="auto", cmap="gray", alpha=0.6)
    t, f = seen_by_one_point(dilations).nonzero().T
    axis.scatter(t, f, s=5, color="tab:orange", edgecolors="none")
    axis.plot(40, 10, marker="+", color="black", markersize=12)
    axis.set(title=f"dilations {dilations}", xlabel="frame")
axes[0].set_ylabel("frequency bin")
show(
    figure,
    "Half a second of a vowel in grey, up to 800 Hz, three times, with one output point marked. "
    "Undilated layers see a square of 9 by 9 points around it. Dilations 1, 2, 4, 8 see 31 frames "
    "without a gap. Dilations of 4 alone see 33 frames, but only every fourth of them.",
)

# %% [markdown]
# The last stack spans the most and leaves gaps: whatever lies between is never seen. Growing
# dilations avoid this.

# %% [markdown]
# > **Try it.** Turn the order round: dilations 8, 4, 2, 1. Does the span change? Are there gaps?

# %% tags=["try"]
# Answer: neither; a stack of convolutions sees the same points in any order.
same = torch.equal(seen_by_one_point((8, 4, 2, 1)), seen_by_one_point((1, 2, 4, 8)))
print("the same points:", same)

# %% [markdown]
# ## 9 Instance norm, and what it makes of silence
#
# **Why.** Between the convolutions the values have to stay at a size with which a network can be
# trained. The *instance norm* gives each channel of each recording a mean of 0 and a variance of 1
# over all its points, and then a learned gain and offset:
#
# $$y = \gamma_c\, \frac{x - \mu_c}{\sqrt{\sigma_c^2 + \varepsilon}} + \beta_c, \qquad
# \mu_c, \sigma_c^2 \text{: mean and variance over all } T \cdot F \text{ points}$$


# %%
def norm_by_hand(x, weight, bias, eps=1e-5):
    """[B, C, T, F] -> the same, by the equation; weight and bias [C]."""
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
# Two properties can be read off. The norm makes loud and soft recordings equal. It subtracts the
# mean, so an offset in the convolution before it would be subtracted again: that is why the
# convolutions here have none. And it makes each value depend on *all* others: silence at the end
# changed the first four numbers. Silence itself does not stay zero; it becomes a constant that
# depends on everything else.
#
# The block of the network is a separable convolution, an instance norm and a *hard swish*, a
# nonlinearity of straight lines and one parabola: $x \cdot \min(\max(x + 3, 0), 6) / 6$.


# %%
def hard_swish_by_hand(x):
    """Any shape -> the same."""
    return x * (x + 3).clamp(0, 6) / 6


print(listed(hard_swish_by_hand(torch.tensor([-4.0, -3, -1, 0, 1, 3, 4]))))

# %% [markdown]
# **What this means for a recording.** The convolutions in the encoder of the shipped network `lite`
# reach 1 + 15 + 3 = 19 frames to either side, about 0.12 s. We make the sentence louder from
# 2 s on, and look at what changes in the *first* second.
#
# **Guess first:** by what percentage do the values there change? And those of the first
# convolution alone, without its norm?

# %% tags=["guess"]
LITE = weights.load("lite")
before = torch.stack([compressed, phase], dim=1).mT  # [B, 2, T, F]
after = before.clone()
after[:, 0, 320:] *= 1.5  # from the second second on, the magnitude only
for name, part in {"convolution": LITE.encoder[0][0], "encoder": LITE.encoder}.items():
    with torch.no_grad():
        early = [part(x)[:, :, :160] for x in (before, after)]  # [B, C, 160, F'], the first second
    change = (early[1] - early[0]).norm() / early[0].norm()
    print(f"{name:12s} changes by {100 * change:.1f} %")

# %% [markdown]
# The norm carries news from the end of a recording to its beginning. A network with such a norm
# cannot run while somebody speaks, unless the statistics are frozen; and a recording that is cut
# into pieces gives another result than the whole. How different is it? Here are pieces of half a
# second, enhanced one by one, against the whole sentence. (The attention of chapter 03 looks across
# the whole recording too, so this is not the norm alone.)

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
# through. In a *dense* block each layer gets the outputs of all layers before it, and the input:
#
# ![](figures/02_dense_block.svg)
#
# $$h_l = \mathrm{block}_l\big([h_0, h_1, \dots, h_{l-1}]\big), \qquad h_0 = x$$
#
# where the brackets join channels. As a loop it is four lines.


# %%
def dense_by_hand(layers, x):
    """Layers that take 1, 2, 3, … times C channels, input [B, C, T, F] -> [B, C, T, F]."""
    seen = [x]
    for layer in layers:
        seen.append(layer(torch.cat(seen, dim=1)))  # [B, C, T, F]
    return seen[-1]


dense = convolution.DilatedDenseBlock(16)
x = torch.randn(1, 16, 20, 10)  # [B, C, T, F]
print("largest difference:", (dense_by_hand(dense.layers, x) - dense(x)).abs().max().item())
for layer in dense.layers:
    depthwise, pointwise = layer[0]
    print("channels in", depthwise.weight.shape[0], "out", pointwise.weight.shape[0])

# %% [markdown]
# **Which frames does one output frame depend on?** The formula says 31. We ask the gradient again,
# with the block as it is, norm included. **Guess first:** at how many of the 81 input frames is the
# gradient zero?

# %% tags=["guess"]
x = torch.randn(1, 16, 81, 21, requires_grad=True)  # [B, C, T, F]
dense(x)[0, :, 40, 10].square().sum().backward()
strength = x.grad.square().sum((0, 1, 3)).sqrt()  # [T]
print("frames with gradient zero:", (strength == 0).sum().item())
inside = strength[40 - 15 : 40 + 16]  # the 31 frames of the formula
share = 100 * (inside.square().sum() / strength.square().sum()).item()
print(f"the 31 frames of the formula hold {share:.2f} % of the squared gradient")

# %% tags=["frame"]
figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
axis.semilogy(torch.arange(-40, 41), strength / strength.max())
axis.axvspan(-15, 15, color="black", alpha=0.1)
axis.set(xlabel="frames from the output", ylabel="gradient / maximum")
axis.grid(alpha=0.3)
show(
    figure,
    "Size of the gradient over input frames, on a logarithmic axis. Within 15 frames of the output "
    "it is large, with peaks at the places that several layers see; outside it drops to a floor "
    f"that is not zero. The 31 frames in the middle hold {share:.2f} % of its square.",
)

# %% [markdown]
# The floor is the norm of section 9: every point enters the mean and the variance. So a gradient
# tells you more than a formula, provided that you look at its size, not only at where it is zero.
#
# The encoder has one dense block. Each of the two decoders of chapter 04 begins with another one:
#
# ![](figures/map_02_decoders.svg)
#
# ## 11 The multi-scale block
#
# **Why.** A click is small in time, a vowel is not; a single size of kernel suits one of them. The
# paper's abstract names depthwise-separable convolutions *within a multi-scale block*, and no more
# was available to us. Ours is a choice of this project: three depthwise convolutions with kernels
# of 3×3, 5×5 and 7×7 side by side, one matrix that mixes their $3\,C$ channels into $C$, norm and
# hard swish, and the input added to the outcome.
#
# ![](figures/02_multi_scale.svg)
#
# There is no nonlinearity between the branches and the matrix, so they can be *fused*: a small
# kernel is a large one with zeros around it. Eight numbers, a kernel of 3 and one of 5, added:

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
# If the branches were only added, three kernels of $9 + 25 + 49 = 83$ weights a channel would do
# what one of 49 does, and after training one would fuse them, as some networks do. Here a matrix
# mixes them, a different mixture for each output channel. Fused, that is a *full* 7×7 convolution,
# one whose kernels have at most rank 3 for each input channel, in the sense of section 5. Exercise
# 2 builds it. What it would cost with 32 channels is printed above: $83 \cdot 32 + 3 \cdot 32^2$
# weights apart, $49 \cdot 32^2$ fused. The branches stay apart because that is cheaper.
#
# **Does the trained network use its large kernels?** We take the rim away from the 5×5 and 7×7
# kernels of `lite`, so that only their inner 3×3 stays; or the inner part, so that only the rim
# stays; or all branches. **Guess first:** which of the three hurts most?

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
# On this sentence the trained network leans on the rims more than on the inner parts, which can
# only repeat what the 3×3 branch does.
#
# **Does the block pay?** That is another question, as in section 5: a network that was trained
# without the block may find another way. Section 5 lists the scores of such a network. In both
# scores its range overlaps with that of the complete network: on these data and with three seeds, a
# gain by the multi-scale block is **not shown**. The paper's abstract says that an
# ablation showed that each of its innovations contributes. Our network is much smaller, and was
# trained for a short time, so the two need not contradict each other.

# %% [markdown]
# ## 12 Proof: by hand, package, library
#
# The same input and the same weights go through our functions, through the package, and through
# PyTorch's own layers, where it has them. Loops are slow, so the input is small: 4 channels, 9
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
dense, multi_scale = convolution.DilatedDenseBlock(4), convolution.MultiScaleBlock(4)
by_hand = [lambda x, layer=layer: block_by_hand(layer, x) for layer in dense.layers]
by_library = [library_block(layer) for layer in dense.layers]
with torch.no_grad():
    RESULTS = {
        "full convolution, library": (full_by_hand(x[0], full.weight)[None], full(x)),
        "block, package": (block_by_hand(block, x), block(x)),
        "block, library": (block_by_hand(block, x), library_block(block)(x)),
        "dense block, package": (dense_by_hand(by_hand, x), dense(x)),
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
# Summaries of the paper name the order of the encoder: a separable block that raises the channels,
# the dense block, a separable block that halves the frequencies with a *stride* of 2 (it computes
# every second bin only). Our multi-scale block comes last. What do the 32 channels of `lite` show?

# %% tags=["frame"]
MAPS = []
x = torch.stack([compressed, phase], dim=1).mT  # [B, 2, T, F]
with torch.no_grad():
    for name, part in zip(("first", "dense", "half", "multi"), LITE.encoder, strict=True):
        x = part(x)  # [B, 32, T, F']
        MAPS.append(x[0])
        print(f"{name:8s}{list(x.shape)}")

# %% [markdown]
# One can always find a channel that looks like something. So we count. The *share of speech* in a
# point, $s / (s + n)$ with the compressed magnitudes of the clean speech and of the fan alone, is
# what the network must find out. In each stage, how high is the highest correlation of a channel
# with it, over all points? An encoder that never learned is the yardstick: three seeds.


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
figure, axes = plt.subplots(4, 2, figsize=(7, 8), sharex=True, layout="constrained")
picked = []
for axis_row, name, maps in zip(axes, ("first", "dense", "half", "multi"), MAPS, strict=True):
    found = correlations(maps, SHARE)
    for axis, channel in zip(axis_row, (int(found.argmax()), int(found.argmin())), strict=True):
        picked.append(f"{name}, channel {channel}: {found[channel]:.2f}")
        limits = tuple(maps[channel].quantile(torch.tensor([0.01, 0.995])).tolist())
        plot_map(maps[channel].T, axis, f"{name}: channel {channel}", limits=limits)
        axis.label_outer()
show(
    figure,
    "Eight feature maps of the encoder, two for each of its four parts. Left the channel most like "
    "the share of speech, with the stripes of the vowels; right the channel most opposed to it, "
    "bright where there is no voice. Correlations: " + "; ".join(picked) + ".",
)

# %% [markdown]
# From the dense block on, the best channel of the trained encoder tells speech from noise better
# than the noisy magnitude does, and it gets better from stage to stage; in the untrained ones it
# hardly changes, or falls. Nobody asked the encoder for this share; the network was trained on its
# final sound only. It is one sentence and one noise, and the correlation is still far from 1: the
# blocks after the encoder have work to do.

# %% [markdown]
# ## 14 Train it: full against separable
#
# Section 5 compared networks that were trained for hours. Now you train: a small mask estimator on
# the built-in training voices, with noises made by program. It has one block, a dense block with
# dilations 1, 2, 4, and a sigmoid that gives a mask between 0 and 1 for each point. Three kinds:
#
# - 16 channels, separable;
# - 16 channels, full: the same width, several times the weights;
# - 7 channels, full: about as many weights as the separable one.
#
# Each is trained with three seeds for 45 steps on the same mixtures. **Guess first:** which is best
# after 45 steps, and is the difference larger than the one between seeds?


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
# Cost: up to a minute on two quiet cores.

# %% tags=["guess"]
TRAINED = {}
print(f"noisy: {test_score(lambda x: torch.ones_like(x)):.2f} dB")
for name, (channels, kind) in KINDS.items():
    scores, start = [], time.process_time()
    for seed in range(3):
        torch.manual_seed(seed)
        model = estimator(channels, kind).to(memory_format=torch.channels_last)
        train(model, seed)
        scores.append(test_score(model))
    count = sum(parameter.numel() for parameter in model.parameters())
    TRAINED[name] = (count, min(scores), max(scores), time.process_time() - start)
    print(f"{name:12s}{count:7,d} parameters, {min(scores):.2f} to {max(scores):.2f} dB")

# %% tags=["frame"]
for name, (*_, seconds) in TRAINED.items():
    print(
        f"{name:12s} {seconds / TRAINED['separable'][3]:.1f} times the processor time of separable"
    )
GAIN = TRAINED["full"][1] - TRAINED["separable"][2]  # worst of one against best of the other
EQUAL_SIZE = TRAINED["separable"][1] - TRAINED["narrow full"][2]
for words, value in (("full above separable", GAIN), ("separable above narrow full", EQUAL_SIZE)):
    print(f"{words}: {'the ranges do not touch' if value > 0 else 'not shown, the ranges overlap'}")

# %% [markdown]
# *If your numbers look different:* the order of additions differs between machines, and 45 steps
# are few, so expect some tenths of a decibel. The widest range above tells how far a single seed
# could have misled us.
#
# What is shown and what is not is printed above. So is the time: the separable network gains less
# of it than its weights promise, as in section 7. A difference between ranges of three seeds is a
# hint, not a proof; and a fair comparison can be made at equal width, at equal size, or at equal
# time, each with its own winner. Chapter 09 comes back to this.

# %% [markdown]
# ## 15 Exercises
#
# Write your code where the three dots stand (in the bug hunt, change the code that is there), run
# the cell, then the check below it. The check tells what is likely wrong. Hints and the solution
# are folded away.
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
# `padding`, `dilation` and `groups` are the arguments that matter. The first two take a pair: time,
# frequency.

# %% [markdown] tags=["hint"]
# `conv2d` wants kernels of shape `[D, C, rows, columns]`. What is a matrix `[D, C]` with two axes
# of length 1 behind it?

# %% [markdown] tags=["solution"]
# The padding equals the dilation, since the outer weights lie that far away.

# %% [markdown]
# ### Exercise 2 · Write: three branches, one kernel (25 minutes)
#
# Fuse the branches of a multi-scale block and its matrix into the kernels of one full convolution.
# `kernels` is a list of depthwise kernels of rising odd size, `mix` the matrix; its columns are the
# channels of the first branch, then those of the second, and so on. It has to work for any number
# of branches and any odd sizes.


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
# Do it for one output channel and one input channel first: which three numbers of `mix` join them,
# and what do they multiply?

# %% [markdown] tags=["hint"]
# A small kernel becomes a large one by zeros on all four sides: `nn.functional.pad`. The middle has
# to stay the middle.

# %% [markdown] tags=["hint"]
# `mix.split(C, dim=1)` gives one matrix `[D, C]` for each branch. Broadcasting multiplies it by the
# kernels `[C, K, K]` when two axes are added to it.

# %% [markdown] tags=["solution"]
# The fused kernel gives the block's numbers, and has many times its weights: section 11 counted
# them. Its kernels have rank 3 at most for each input channel.

# %% [markdown]
# ### Exercise 3 · Bug hunt: a recording in pieces (15 minutes)
#
# A recording is too long for the memory and comes in pieces. Somebody has read section 9 and knows
# that a piece must not be normalised by itself. The function below takes mean and variance of each
# piece first, then their averages over all pieces, and normalises each piece with those. It runs,
# and its results look plausible.
#
# Which property must such a function have, whatever the pieces are? Test it, find what is wrong,
# and repair it. No piece may be joined to another one before the last line.


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
# The same recording, cut in two different ways, must give the same result. Try one piece, two equal
# ones, two of different length.

# %% [markdown] tags=["hint"]
# Take two pieces, one all zeros, one all ones. What are their variances, and what is the variance
# of the whole?

# %% [markdown] tags=["solution"]
# There are two faults. A short piece counts as much as a long one, and the variance
# *between* the pieces is missing: that of the whole is the mean of the variances plus the variance
# of the means. Sums over all points avoid both. The pieces are read twice, once for the mean and
# once for the squares, so this is no streaming either: a real-time network needs another norm.

# %% [markdown]
# ### Exercise 4 · Open: ten numbers against a fan (15 minutes)
#
# How much noise can *one* 3×3 kernel remove? You have ten numbers: nine weights and an offset,
# which is added before negative values are set to zero. Predict the gain in SI-SDR first. Then look
# for good numbers: at the desk of section 2 by ear, or here with the score.

# %%
KERNEL = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]])  # [T, F]: change it
OFFSET = 0.0
outcome = hear(apply(KERNEL, picture) + OFFSET)
print(
    f"before {metrics.si_sdr(clean, noisy):.2f} dB, after {metrics.si_sdr(clean, outcome):.2f} dB"
)

# %% [markdown] tags=["answer"]
# The best ten numbers for the squared error, before negative values are set to zero, can be
# computed: each point's nine neighbours are a row of a matrix, and the clean magnitude is what the
# row should give. That is a least-squares problem with ten unknowns. The cell below solves it with
# and without the offset. The kernel alone averages along time and helps little. With the offset,
# which comes out negative, quiet points become zero: that is a crude *spectral subtraction*, and
# the larger part of the gain. A kernel without a nonlinearity behind it is just a filter.
#
# It was computed from the clean speech of this very sentence, so it is no method. Nor is it a bound
# of the score: the least squares do not know that negative values become zero, and they minimise
# the error of the magnitude, not of the waveform. Other numbers can score higher.

# %% tags=["try"]
# Answer: least squares finds the best weights, and the offset brings the larger part of the gain.
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
        "to rank 1 the network failed; trained with rank 1 it came close (section 5).",
        "It will lose half of the quality.": "Energy of weights is no measure of quality, and the "
        "separable network was trained anew.",
        "Nothing, since random kernels have rank 1 too.": "Random kernels have part of their "
        "energy in rank 1, but their rank is full.",
    },
    correct="It cannot imitate this layer; how well it does when trained is another question.",
)
quiz(
    "A layer needs an eighth of the MACs but takes a third of the time. What is the likely reason?",
    {
        "It moves at least as many bytes as before.": "The depthwise part does few MACs for "
        "a byte, so that moving the values takes much of its time (section 7).",
        "MACs are counted wrongly for grouped convolutions.": "Formula and counter agreed in "
        "section 6.",
        "PyTorch computes the full convolution and throws results away.": "Then the time would not "
        "have dropped at all.",
    },
    correct="It moves at least as many bytes as before.",
)
quiz(
    "Three layers with 3×3 kernels have dilations 1, 3 and 9 along time. How many frames does one "
    "output frame see?",
    {
        "27": "1 + 2 · (1 + 3 + 9).",
        "13": "This is the sum of the dilations: each layer adds twice its dilation, one for each "
        "side.",
        "19": "This is the last layer alone: 1 + 2 · 9.",
        "7": "This is three layers without dilation.",
    },
    correct="27",
)
quiz(
    "Why do the convolutions before an instance norm have no offset?",
    {
        "The norm subtracts the mean, and the offset with it.": "Adding a constant to a channel "
        "changes its mean by the same constant (section 9).",
        "To save multiplications.": "An offset is an addition, and a small part of the cost.",
        "Because silence must stay silence.": "After the norm, silence is a constant that depends "
        "on the whole recording (section 9).",
    },
    correct="The norm subtracts the mean, and the offset with it.",
)
quiz(
    "You enhance a long recording in pieces of half a second. Why do the results differ from those "
    "of the whole?",
    {
        "Each piece gets its own mean and variance.": "So a piece that holds a pause is normalised "
        "to the size of speech (section 9); attention adds to it.",
        "The convolutions see beyond the pieces.": "True near the cuts, but the change reaches "
        "every frame.",
        "Rounding.": "The differences are far larger than what rounding does (section 12).",
    },
    correct="Each piece gets its own mean and variance.",
)

# %% [markdown]
# ## 17 What the paper says, and what came out here
#
# The paper is EffiFusion-GAN (Wen and Tan, arXiv 2508.14525). Its abstract and summaries by others
# were available to us, not its full text. What they leave open is marked as a choice of this
# project.

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
        "Sizes and place are a choice of this project; a small network, a short training, three "
        "seeds.",
    ),
    Claim(
        "The network has 1.08 M parameters.",
        "the paper's abstract",
        f"{COUNTS['full', True]:,d} with separable, {COUNTS['full', False]:,d} with full "
        "convolutions.",
        "section 6",
        "Widths and depths of our preset were chosen to come close.",
    ),
    Claim(
        "An ablation study shows that each of the three innovations contributes.",
        "the paper's abstract",
        f"Separable against full convolutions: SI-SDR {RANGES['complete', 'si_sdr']} against "
        f"{RANGES['standard_convolutions', 'si_sdr']} dB, PESQ {RANGES['complete', 'pesq']} "
        f"against {RANGES['standard_convolutions', 'pesq']}.",
        "section 5",
        "Here the separable network saves weights and loses a little SI-SDR; a difference in PESQ "
        "is not shown. The paper's tables were not at hand.",
    ),
    Claim(
        "Encoder: separable block, dense block with dilations 1, 2, 4, 8 along time, separable "
        "block that halves the frequencies by its stride.",
        "summaries of the paper",
        "The same order; one output frame of the dense block sees 31 frames, and through its norms "
        "all others weakly.",
        "sections 8, 10 and 13",
        "They agree. The multi-scale block at the end is a choice of this project.",
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
# One sentence runs through the series. This chapter adds no step of its own to its sound: what the
# encoder makes of it becomes audible when chapter 04 has built the rest.

# %% tags=["frame"]
from effifusion_lite.listening.red_thread import thread

thread(2)

# %% [markdown]
# ## 19 Summary
#
# - A convolution is a sum over neighbours and channels, with $k\,C\,D$ weights. Depthwise, then
#   pointwise, it has $k\,C + C\,D$, a share of $1/D + 1/k$.
# - A separable convolution is a full one whose kernels have rank 1 for each input channel. Trained
#   full kernels do not; networks trained with rank 1 come close all the same.
# - Fewer MACs are not less time in proportion: a layer also has to move its values, and their
#   layout in memory matters.
# - Dilated layers see $1 + \sum (k - 1)\,\delta_l$ frames. A gradient shows what is seen.
# - The instance norm makes every value depend on the whole recording.
# - All of it is in `effifusion_lite/convolution.py`: `DepthwiseSeparableConv`, `ConvBlock`,
#   `DilatedDenseBlock`, `MultiScaleBlock`.
#
# **Next:** chapter 03 lets distant points of the spectrogram talk to each other: attention.
