# %% [markdown]
# # 07 · Dynamic pruning
#
# **The sounds.** The speech in this chapter is a free synthetic voice, and the noise comes from a
# random generator. Chapter 00 says how to hear sentences of VoiceBank+DEMAND in their place.
#
# **After this chapter you can**
#
# - set the small weights of a network to zero, at once or along a schedule, and say why a weight
#   may come back;
# - tell masks from removal, and prove that both give the same output;
# - measure what pruning saves in parameters, operations, bytes and time, and say why these four
#   differ;
# - say what a comparison needs before it can tell whether pruning pays.
#
# **You need** PyTorch at the level of its 60-minute introduction, and matrix products. Chapter 04
# explains the network and chapter 05 its losses, but here both are used as they are.
#
# **Time and cost.** Reading and listening take 60 to 90 minutes, the four exercises 60, and playing
# with the slider and the desk about 15. All cells together run in about two minutes on two
# processor cores, several times that on a busy machine, and need about 2 GB of memory. Nothing is
# downloaded.
#
# **Built so far.** Chapters 01 to 04 built the network, 05 and 06 its training. Here you only need
# a trained network, and the project ships some. To start in the middle, run the cells above section
# 1, and those that define what your section uses: functions and names in capital letters.
#
# ![](figures/map_07.svg)
#
# **The modules of this chapter** are in `effifusion_lite/pruning/`; `cost.py` counts parameters and
# operations, and `weights.py` writes files. Sections 3 and 7 prove that what we build by hand gives
# the same numbers as the package.

# %% tags=["frame"]
import copy
import csv
import json
import tempfile
import zlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn.utils import prune

import effifusion_lite
from effifusion_lite import metrics, pruning
from effifusion_lite.audio import mix_at_snr
from effifusion_lite.cost import describe, time_ratio
from effifusion_lite.enhancement import enhance
from effifusion_lite.generator import EffiFusionGenerator, preset
from effifusion_lite.lesson import Claim, claim_table
from effifusion_lite.lesson.checks import chapter07
from effifusion_lite.listening import clips, noises, row, slider
from effifusion_lite.listening.widgets_pruning import pruning_desk
from effifusion_lite.losses import LossWeights, PerceptualLoss, generator_losses, weighted_sum
from effifusion_lite.plotting import show
from effifusion_lite.pruning.masks import prunable_weights
from effifusion_lite.spectral import SpectralConfig, analyse, synthesise
from effifusion_lite.weights import load, save_weights

# %%
torch.manual_seed(1)
torch.set_printoptions(precision=2, sci_mode=False)
SAMPLE_RATE = 16000  # Hz
HEARD = slice(5 * SAMPLE_RATE // 2)  # of each sentence, 2.5 s are scored and played
RECIPES = Path(effifusion_lite.__file__).resolve().parents[1] / "recipes"

lite, tiny = load("lite"), load("tiny")  # trained networks; no cell changes them
largest = EffiFusionGenerator(preset("full"))  # the size of the paper's network, untrained
names = ("garage_fan", "river_rain", "zebra_dishes", "pepper_babble")
sentences = [[side[HEARD] for side in clips.pair(name)] for name in names]  # clean, noisy: [N] each

# %% [markdown]
# A network is scored on four sentences in four noises, by two measures: **PESQ** (about 1 to 4.64,
# higher is better), a model of the ear, and **SI-SDR** in dB (higher is better), the energy of the
# speech divided by the energy of the errors. Four sentences are few: they can show only large
# effects.


# %% tags=["frame"]
def pesq(clean, other):
    """PESQ, or NaN where the package pesq is missing."""
    return metrics.pesq(clean, other) if find_spec("pesq") else float("nan")


def mean_scores(model, pairs=sentences):
    """Mean PESQ and mean SI-SDR in dB of what a network makes of the noisy sentences."""
    sounds = [(clean, enhance(noisy, SAMPLE_RATE, model)) for clean, noisy in pairs]
    perceived = [pesq(clean, sound) for clean, sound in sounds]
    ratios = [float(metrics.si_sdr(clean, sound)) for clean, sound in sounds]
    return float(np.mean(perceived)), float(np.mean(ratios))


if not find_spec("pesq"):
    print("The package pesq is not installed here, so PESQ is shown as nan. SI-SDR is right.")

# %% [markdown]
# ## 1 What is there to prune?
#
# ![](figures/map_07_pruning.svg)
#
# **Why.** A trained network has more weights than it needs: many of them can be set to zero while
# the output hardly changes. *Pruning* finds such weights. The paper prunes "convolutional layers".
# Before we take anything out, we count what these words can mean in this network.
#
# **Guess:** what percentage of all parameters is in kernels larger than 1×1, the kind that a
# drawing of a convolution shows?


# %%
def what_it_is(name, parameter):
    """The kind of a parameter."""
    if parameter.ndim < 2:
        return "norms, biases, gains"
    if parameter.ndim == 4:
        return "kernels larger than 1x1"
    if not name.startswith("blocks"):
        return "1x1 layers of encoder and decoders"
    inside = ".convolution." in name
    return "1x1 layers of the convolution modules" if inside else "feed-forward and attention"


# %%
def count_kinds(model):
    """Share of the parameters of each kind, in percent."""
    total, shares = sum(p.numel() for p in model.parameters()), {}
    for name, parameter in model.named_parameters():
        kind = what_it_is(name, parameter)
        shares[kind] = shares.get(kind, 0) + 100 * parameter.numel() / total
    return shares


# %% tags=["frame"]
for kind, share in count_kinds(lite).items():
    print(f"{kind:40s} lite {share:4.1f} %   full {count_kinds(largest)[kind]:4.1f} %")

# %% [markdown] tags=["answer"]
# The percentage is small. These kernels are depthwise (chapter 02), with one small pattern for each
# channel. Nearly all weights are in matrices. A 1×1 convolution is a matrix too: it is applied to
# the vector of channels at each point, as in a linear layer.

# %% [markdown]
# So three readings of "convolutional layers" are possible, and they differ widely:

# %%
SHARES = count_kinds(lite)
CONVOLUTIONS = SHARES["kernels larger than 1x1"] + SHARES["1x1 layers of encoder and decoders"]
gated = SHARES["1x1 layers of the convolution modules"]
print(f"kernels larger than 1x1                    {SHARES['kernels larger than 1x1']:4.1f} %")
print(f"... and the 1x1 layers around them         {CONVOLUTIONS:4.1f} %")
print(f"... and those of the convolution modules   {CONVOLUTIONS + gated:4.1f} %")
prunable = 100 * pruning.sparsity(lite)["prunable"]
print(f"what this project prunes                   {prunable:4.1f} %")

# %% [markdown]
# Which of these the paper means is not known. In the narrowest sense, pruning could hardly touch
# the network. This project prunes every matrix between the first layer and the last layers of the
# two decoders: the 1×1 layers and the linear layers of the transformers. Kernels, norms and biases
# stay whole, since they are few. So do the first and the last layers, where an error in one weight
# reaches the sound directly.
#
# ## 2 Which weights are small?
#
# **Eight numbers.** The simplest criterion is the magnitude: a weight near zero multiplies its
# input by nearly nothing. Which four of these eight would you drop?

# %%
EIGHT = torch.tensor([[0.9, -0.1, 0.3, -0.6], [0.2, 1.1, -0.8, 0.05]])
in_order = EIGHT.abs().flatten().sort().values  # [8]
print("in order of magnitude:", in_order)
print("the smallest that stays, at a rate of one half:", in_order[4])
print("mask:\n", (EIGHT.abs() >= in_order[4]).int())

# %% [markdown]
# A mask of zeros and ones has the shape of the matrix; the *rate* is the share of zeros:
#
# $$W' = W \odot M, \qquad M_{ij} = \begin{cases} 0 & \text{if } |W_{ij}| \text{ is among the }
# \operatorname{round}(r\,n) \text{ smallest of } n \\ 1 & \text{otherwise} \end{cases}$$
#
# Where some weights are equal, a comparison with a threshold would drop too many or too few of
# them. Sorting always drops the right number.


# %%
def mask_by_hand(weight, rate):
    """Ones and zeros in the shape of a matrix; the smallest magnitudes get the zeros."""
    order = weight.detach().abs().flatten().argsort()  # [n], smallest first
    mask = torch.ones(weight.numel())
    mask[order[: round(rate * weight.numel())]] = 0
    return mask.view_as(weight)


# %% tags=["frame"]
print(mask_by_hand(EIGHT, 0.5).int())

# %% [markdown]
# **A trained network.** Energy here means the sum of squares. **Guess:** what percentage of a
# matrix's energy is in the smaller half of its weights? If all weights were equal, it would be 50
# %.

# %%
MATRICES = {name: weight.detach() for name, weight in prunable_weights(lite).items()}


def energy_of_smaller_half(weight):
    """Share of the energy that the smaller half of the weights has, in percent."""
    ordered = weight.abs().flatten().sort().values  # [n]
    return 100 * (ordered[: len(ordered) // 2].square().sum() / ordered.square().sum()).item()


# %%
halves = sorted(energy_of_smaller_half(weight) for weight in MATRICES.values())
bell = torch.randn(100_000, generator=torch.Generator().manual_seed(1))
print(f"{len(halves)} matrices: from {halves[0]:.1f} to {halves[-1]:.1f} %")
print(f"normally distributed numbers: {energy_of_smaller_half(bell):.1f} %")

# %% tags=["frame"]
chosen = {
    "encoder, dense block": "encoder.1.layers.3.0.1.weight",
    "feed-forward": "blocks.0.time.feed_forward_in.1.weight",
    "attention, queries": "blocks.1.frequency.attention.query.weight",
    "phase decoder": "phase_decoder.layers.1.conv.1.weight",
}
figure, axes = plt.subplots(1, 5, figsize=(11, 2.8), layout="constrained")
for panel, (title, name) in zip(axes, chosen.items(), strict=False):
    weight = MATRICES[name]
    middle = weight.abs().median()
    panel.hist(weight.flatten(), bins=40, color="#1a5fb4")
    for side in (-middle, middle):
        panel.axvline(side, color="black", linestyle="--", linewidth=1)
    panel.set(xlabel="weight", yticks=[], title=title)
sizes = [weight.abs().median().item() for weight in MATRICES.values()]
axes[4].plot(sizes, ".", color="#c64600")
axes[4].set(xlabel="matrix, from input to output", title="median magnitude", ylim=(0, None))
show(
    figure,
    "Histograms with 40 bars of the weights of four matrices: each a hill around zero. Dashed "
    "lines enclose the smaller half, a strip in the middle. Right, the median magnitude of all "
    f"{len(sizes)} matrices, from {min(sizes):.3f} to {max(sizes):.3f}.",
)

# %% [markdown]
# The hills in the histograms have different widths. So it matters *which set is sorted*: each
# matrix by itself, so that each loses the same share, or all weights together with one threshold
# for all.
#
# > **Try it.** The package sorts each matrix by itself. With one threshold for all matrices at a
# > rate of 50 %, what share would each of them lose? Guess the smallest and the largest.

# %% tags=["try"]
# Answer: Some matrices lose far more than half of their weights, others far less.
everything = torch.cat([weight.abs().flatten() for weight in MATRICES.values()])
at_half = everything.median()
lost = {name: (weight.abs() < at_half).float().mean().item() for name, weight in MATRICES.items()}
by_loss = sorted(lost, key=lost.get)
for matrix in [*by_loss[:3], *by_loss[-3:]]:
    print(f"{matrix:50s} loses {100 * lost[matrix]:3.0f} %")

# %% [markdown]
# In exercise 1 you compute this one threshold.
#
# ## 3 Proof: one step, three ways
#
# We draw the masks of all matrices by hand, with the package, and with `torch.nn.utils.prune`,
# which comes with PyTorch. PyTorch keeps the dense weights as `weight_orig` next to a `weight_mask`
# and multiplies the two in each forward pass, so the dense weights are not lost there either.

# %%
by_torch = copy.deepcopy(lite)
matches = []
for name, weight in MATRICES.items():
    layer = by_torch.get_submodule(name.removesuffix(".weight"))
    prune.l1_unstructured(layer, "weight", amount=round(0.7 * weight.numel()))
    ours, theirs = mask_by_hand(weight, 0.7), pruning.magnitude_mask(weight, 0.7)
    matches += [torch.equal(ours, theirs), torch.equal(ours, layer.weight_mask)]

# %%
one_shot = pruning.DynamicPruner(copy.deepcopy(lite), pruning.PruningSchedule(0.7, 0, 1))
one_shot.update(1)  # the last step of the schedule: masks drawn and applied
features = analyse(torch.from_numpy(sentences[0][1])[None, :SAMPLE_RATE], SpectralConfig())
with torch.no_grad():
    both = [network(*features)[0] for network in (by_torch, one_shot.model)]  # [1, F, T] each
largest_difference = (both[0] - both[1]).abs().max().item()

# %% tags=["frame"]
print(f"{sum(matches)} of {len(matches)} masks are equal")
print(f"largest difference of the enhanced magnitude: {largest_difference:.1e}")
assert all(matches) and largest_difference < 1e-5

# %% [markdown]
# ## 4 All at once: where does it break?
#
# **Guess** before you listen: the shipped `lite` loses 25, 50, 75 or 90 % of the weights in its
# matrices, all at once, and is not trained afterwards. At which rate do you hear a difference? At
# which is the network useless? The two cells below take 20 seconds, on a busy machine up to two
# minutes.


# %%
def masked(model, rate, chosen=None, seed=None):
    """A copy with masks on all matrices, or those chosen; a seed drops random weights instead."""
    smaller = copy.deepcopy(model)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    for name, weight in prunable_weights(smaller).items():
        if chosen is None or name in chosen:
            values = weight if seed is None else torch.rand(weight.shape, generator=generator)
            weight.data.mul_(mask_by_hand(values, rate))
    return smaller


@cache  # section 8 asks for some of them again
def masked_scores(rate):
    """Mean PESQ and SI-SDR of lite with masks on all matrices."""
    return mean_scores(masked(lite, rate))


# %%
scores = {rate: masked_scores(rate) for rate in (0, 0.25, 0.5, 0.75, 0.9)}
for rate, (perceived, ratio) in scores.items():
    print(f"{100 * rate:3.0f} % masked: PESQ {perceived:.2f}   SI-SDR {ratio:5.1f} dB")

# %% tags=["frame"]
noisy_pesq = np.mean([pesq(clean, noisy) for clean, noisy in sentences])
noisy_ratio = np.mean([metrics.si_sdr(clean, noisy) for clean, noisy in sentences])
print(f"the noisy sentences: PESQ {noisy_pesq:.2f}   SI-SDR {noisy_ratio:5.1f} dB")

# %% tags=["frame"]
clean, noisy = sentences[0]
slider(
    {f"{100 * rate:.0f} %": enhance(noisy, SAMPLE_RATE, masked(lite, rate)) for rate in scores},
    "weights masked",
    title="The network with its small weights at zero",
    transcript=clips.info(names[0]).text,
    listen_for="What goes first, the voice or the silence in the pauses? At which rate?",
    beside={"noisy": noisy, "clean": clean},
    texts={
        f"{100 * rate:.0f} %": f"four sentences: PESQ {perceived:.2f}, SI-SDR {ratio:.1f} dB"
        for rate, (perceived, ratio) in scores.items()
    },
)

# %% [markdown] tags=["answer"]
# With up to half of the weights masked, both scores stay close to those of the whole network, so
# you may hear no difference at all. Beyond that, the network falls apart. It is useless at the
# latest where both scores are below those of the noisy sentences, since it makes the sound worse
# there. In between, at 75 %, it has lost some of what it does, and is still better than nothing.

# %% [markdown]
# Does it matter that the *smallest* weights were dropped? As a control we drop half of the weights
# at random, with three seeds. Cost: ten seconds to one minute.

# %%
smallest = masked_scores(0.5)[1]
random = [mean_scores(masked(lite, 0.5, seed=seed))[1] for seed in range(3)]
print(f"half of the weights masked: the smallest ones {smallest:.1f} dB SI-SDR, ", end="")
print(f"random ones {min(random):.1f} to {max(random):.1f} dB")

# %% [markdown]
# **Layer by layer.** Not all matrices tolerate this equally well. We mask 90 % of *one* matrix at a
# time and compare the output with that of the whole network, not with the clean speech: how many dB
# is the difference between the two outputs below the whole network's output? A low number means
# that the matrix is sensitive. Two excerpts of 0.3 s show whether the order depends on the sound.
# Cost: ten seconds to one minute.

# %% tags=["frame"]
starts = [int(np.argmax(np.abs(noisy[:32000]))) for _, noisy in sentences[:2]]
excerpts = [noisy[i : i + 4800] for (_, noisy), i in zip(sentences, starts, strict=False)]
waveforms = torch.from_numpy(np.stack(excerpts))  # [2, 4800], from the loudest sample on
inputs = analyse(waveforms / waveforms.square().mean(-1, keepdim=True).sqrt(), SpectralConfig())


# %%
@torch.no_grad()
def output(model, features):
    """The enhanced waveforms [B, 4800]."""
    return synthesise(*model(*features), 4800, SpectralConfig())


whole = output(lite, inputs)
changed = {name: output(masked(lite, 0.9, {name}), inputs) for name in MATRICES}  # [2, 4800] each
distances = {
    name: np.array([float(metrics.si_sdr(*pair)) for pair in zip(whole, sound, strict=True)])
    for name, sound in changed.items()
}

# %% tags=["frame"]
order = sorted(distances, key=lambda name: distances[name].mean())
figure, axis = plt.subplots(figsize=(11, 3.2), layout="constrained")
kinds = {".feed_forward": "o", ".attention": "s", ".convolution": "^", "": "x"}
kind_of = {n: next(k for k in kinds if k in n) for n in distances}
for kind, marker in kinds.items():
    inside = [(i, distances[n].mean()) for i, n in enumerate(distances) if kind_of[n] == kind]
    label = kind.lstrip(".").replace("_", "-") or "encoder and decoders"
    axis.plot(*zip(*inside, strict=True), marker, label=label, markersize=5)
parts = [
    ".".join(n.split(".")[:3]) if n.startswith("blocks") else n.split(".")[0] for n in distances
]
firsts = [i for i, part in enumerate(parts) if i == 0 or part != parts[i - 1]]
middles = [(a + b - 1) / 2 for a, b in zip(firsts, [*firsts[1:], len(parts)], strict=True)]
for i in firsts[1:]:
    axis.axvline(i - 0.5, color="black", linewidth=0.6)
titles = [
    parts[i].replace("blocks.", "block ").replace("_", "\n").replace(".", "\n") for i in firsts
]
axis.set_xticks(middles, titles, fontsize=9)
axis.tick_params(axis="x", length=0)
axis.set_xlim(-0.8, len(parts) - 0.2)
for label, name in (("most sensitive", order[0]), ("most robust", order[-1])):
    place = [*distances].index(name), distances[name].mean()
    axis.annotate(label, place, (6, -3), textcoords="offset points", fontsize=8)
axis.set(ylabel="difference of the outputs\n(dB below the output)")
axis.set(title="One matrix at a time, 90 % masked: a low point is a sensitive matrix")
axis.legend(fontsize=8, ncols=4)
axis.grid(axis="y", alpha=0.3)
show(
    figure,
    f"{len(order)} points from input to output, one for each matrix with 90 % of its weights "
    f"masked. The most sensitive is {order[0]} with {distances[order[0]].mean():.0f} dB, the most "
    f"robust {order[-1]} with {distances[order[-1]].mean():.0f} dB.",
)
ranks = np.array([distances[name] for name in distances]).argsort(0).argsort(0)  # [matrices, 2]
print("most sensitive:", *order[:3], sep="\n  ")
print("most robust:", *order[-3:], sep="\n  ")
print(f"rank correlation between the excerpts: {np.corrcoef(ranks.T)[0, 1]:.2f}")

# %% [markdown]
# A rank correlation of 1 would mean the same order for both excerpts, and 0 no relation.
# Sensitivity could decide how much each matrix loses. The package does not use it: for simplicity,
# it takes the same share from each, which is a choice of this project.
#
# ## 5 Dynamic: a schedule, and weights that come back
#
# **Why.** In section 4 no weight could make up for those that were dropped. If pruning happens
# *during* training, the others can adapt. Two ideas make pruning dynamic. First, the rate grows
# step by step: fast at first, while there is plenty to drop, and ever more slowly towards the end
# (Zhu and Gupta 2017):
#
# $$r(t) = r_\text{end} \left(1 - \left(1 - \frac{t - t_0}{t_1 - t_0}\right)^3\right)$$
#
# ![](figures/07_schedule.svg)


# %%
def rate_by_hand(step, rate, start, end):
    """Share of zeros at a training step."""
    progress = min(max((step - start) / (end - start), 0), 1)
    return rate * (1 - (1 - progress) ** 3)


# %%
theirs = pruning.PruningSchedule(rate=0.7, start=0, end=80)
for step in (0, 20, 40, 60, 80, 100):
    ours = rate_by_hand(step, 0.7, 0, 80)
    print(f"step {step:3d}: {100 * ours:4.1f} %   package {100 * theirs.rate_at(step):4.1f} %")

# %% [markdown]
# Second, a masked weight is not lost. The network computes with zero in its place, but the *stored*
# weight stays, and the optimiser keeps moving it. Masks are drawn anew from the stored weights, so
# a weight that has grown under its mask comes back (Guo et al. 2016 call this network surgery).
#
# ![](figures/07_weight_that_returns.svg)
#
# **Four weights.** The loss is the squared distance to a target that only we know. At a rate of one
# half, the first mask drops the two smallest weights. **Guess:** which one comes back?

# %%
target = torch.tensor([0.8, 0.1, -1.0, 0.4])
stored = torch.tensor([0.9, 0.3, -0.2, 0.5])
for step in range(4):
    mask = mask_by_hand(stored, 0.5)
    seen = stored * mask  # this is what the network computes with
    print(f"step {step}: stored {stored}   mask {mask.int().tolist()}")
    gradient = 2 * (seen - target)  # of sum((seen - target) ** 2), at the masked weights
    stored = stored - 0.2 * gradient  # masked weights move, too

# %% [markdown] tags=["answer"]
# The third one does. Its target is far from zero, so as long as it is masked, the gradient pulls in
# one direction, and its stored value grows until it is among the larger half. In exchange, another
# weight goes.

# %% [markdown]
# **A real network.** The data are made from the training voices and the noises that come with the
# package. Each step takes one example of half a second, and `tiny` starts from its shipped weights.
# The loss is that of chapter 05, weighted much as in the training of `tiny`. The next cell makes
# the data.

# %% tags=["frame"]
SPEECH = list(clips.speech("train").values())  # each [N]
NOISES = [clips.noise(kind, 8, seed=1, split="train") for kind in noises.KINDS]
WEIGHTS = LossWeights(phase=0.1, complex=0.2, consistency=0.2, waveform=1.0, perceptual=0.08)
PERCEPTUAL, STEPS, LENGTH = PerceptualLoss(), 12, SAMPLE_RATE // 2


def example(seed, step):
    """Clean and noisy waveform [1, LENGTH], as loud as the network expects."""
    random = np.random.default_rng([seed, step])
    speech, noise = (bank[random.integers(len(bank))] for bank in (SPEECH, NOISES))
    speech, noise = (
        x[start : start + LENGTH]
        for x, start in ((x, random.integers(len(x) - LENGTH)) for x in (speech, noise))
    )
    noisy = mix_at_snr(speech, noise, random.uniform(-3, 15))  # dB
    scale = 1 / np.sqrt(np.mean(noisy**2))
    return [torch.from_numpy(scale * x).float()[None] for x in (speech, noisy)]


# %% [markdown]
# A training step begins with the gradients. This function knows nothing about masks.


# %%
def learn(model, optimiser, seed, step):
    """Gradients of one step, at the weights that the model has now."""
    clean, noisy = example(seed, step)
    terms, _ = generator_losses(
        clean, *model(*analyse(noisy, SpectralConfig())), SpectralConfig(), perceptual=PERCEPTUAL
    )
    optimiser.zero_grad()
    weighted_sum(terms, WEIGHTS).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5)


# %% [markdown]
# The loop is short. `masked(step)` of the package's pruner puts the masks on and, after the
# backward pass, takes them off again, so that the optimiser moves the stored weights. For the first
# 75 % of the steps the masks are drawn anew before every second step; then they are frozen.


# %%
def train(model, seed, schedule=None):
    """Train a copy for STEPS steps; also returns how many weights came back in each step."""
    model, returned = copy.deepcopy(model).train(), []
    pruner = pruning.DynamicPruner(model, schedule or pruning.PruningSchedule(0, 0, 1))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.8, 0.99))
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = 3e-3 * min((step + 1) / 4, 1 - step / STEPS)
        before = dict(pruner.masks)
        pruner.update(step)
        returned.append(sum(((1 - m) * pruner.masks[n]).sum().item() for n, m in before.items()))
        with pruner.masked(step):
            learn(model, optimiser, seed, step)
        optimiser.step()
    pruner.apply(model)  # the last step has moved masked weights, too
    return model.eval(), returned


# %% [markdown]
# There are three arms, that is, three ways of training, with three seeds each; a seed decides which
# data the network sees. *Dynamic* prunes to 70 % along the schedule. *At once* masks the same share
# after the first step and goes on training with those masks. *Whole* prunes nothing: without this
# control we would mistake the effect of the training for that of the pruning.
#
# **What to expect.** The training is so short that *dynamic* need not win: it has its final masks
# only in the last quarter of the steps, whereas *at once* has them in all but the first and so has
# longer to get used to them. Nor need *whole* gain anything: `tiny` is fully trained, and a few
# large steps, each on half a second, lead it away from what it had learnt from much more data.
# Since the loss contains a differentiable twin of PESQ (chapter 05), PESQ may rise while SI-SDR
# falls. Cost: forty seconds, on a busy machine up to four minutes.

# %%
ARMS = {
    "whole": None,
    "dynamic": pruning.PruningSchedule(0.7, 0, round(0.75 * STEPS), interval=2),
    "at once": pruning.PruningSchedule(0.7, 0, 1, interval=2),
}


@cache  # section 9 asks for "whole" again
def three_seeds(arm):
    """Three networks of an arm, which weights came back in each step, and the three scores."""
    networks, returned = zip(*(train(tiny, seed, ARMS[arm]) for seed in range(3)), strict=True)
    return networks, returned, [mean_scores(network) for network in networks]


# %% tags=["frame"]
arm_scores = {arm: three_seeds(arm)[2] for arm in ARMS}
untrained = {"tiny as shipped": [mean_scores(tiny)]}
untrained["70 % masked, not trained"] = [mean_scores(masked(tiny, 0.7))]
for arm, values in (untrained | arm_scores).items():
    for (low, high), unit in zip(
        np.sort(np.array(values).T)[:, [0, -1]], ("PESQ", "dB"), strict=True
    ):
        print(f"{low:6.2f} to {high:5.2f} {unit}", end="   ")
    print(arm)

# %%
networks, returned, _ = three_seeds("dynamic")
for seed in range(3):
    zeros = pruning.sparsity(networks[seed])["zero_of_prunable"]
    print(f"seed {seed}: {100 * zeros:.0f} % zeros, {sum(returned[seed]):.0f} weights came back")

# %% tags=["frame"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
for seed, line in enumerate(("-", "--", ":")):
    left.plot(np.cumsum(returned[seed]), line, marker="o", markersize=4, label=f"seed {seed}")
frozen = ARMS["dynamic"].end  # here the masks are drawn for the last time
left.axvspan(frozen + 0.4, STEPS - 0.6, color="black", alpha=0.12, linewidth=0)
left.text((frozen + STEPS) / 2 - 0.1, 1, "masks\nfrozen", ha="center", va="bottom", fontsize=9)
left.set(xlabel="step", ylabel="weights", title="Dynamic: weights that came back so far")
left.legend(fontsize=9)
for place, values in enumerate(arm_scores.values()):
    right.plot([place] * 3, [ratio for _, ratio in values], "o")
right.set_xticks(range(3), list(arm_scores))
right.set(title="After training, three seeds", ylabel="SI-SDR (dB)", xlim=(-0.5, 2.5))
counts = [sum(steps) for steps in returned]
show(
    figure,
    f"Left: weights that came back, summed over the steps, {min(counts):.0f} to {max(counts):.0f} "
    f"at the end; after step {frozen} the masks are frozen. Right: SI-SDR of three arms, three "
    "points each: "
    + "; ".join(
        f"{arm} {min(r for _, r in v):.1f} to {max(r for _, r in v):.1f} dB"
        for arm, v in arm_scores.items()
    )
    + ".",
)


# %% [markdown]
# Read the table in this order. How much does masking 70 % cost without training, and how much of
# the loss does training recover? Then compare *dynamic* with *at once*. Here a difference counts as
# shown if it is larger than the range of each arm:


# %%
def verdict(ours, others):
    """The difference of two means, or "not shown" where a range is at least as large."""
    difference = np.mean(ours) - np.mean(others)
    spread = max(np.ptp(ours), np.ptp(others))
    if np.isnan(difference):
        return "not measured"
    return f"{difference:+.2f}" if abs(difference) > spread else "not shown"


# %% tags=["frame"]
perceived, ratios = ({arm: [v[i] for v in arm_scores[arm]] for arm in arm_scores} for i in (0, 1))
for first, second in (("dynamic", "at once"), ("dynamic", "whole")):
    print(f"{first} against {second}: PESQ {verdict(perceived[first], perceived[second])}", end="")
    print(f", SI-SDR {verdict(ratios[first], ratios[second])} (dB)")

# %% [markdown]
# **What it means.** A difference that is shown here holds for a training of a few steps, not for
# one that runs until each network is as good as it can be. Section 10 has longer ones.
#
# Few weights came back. Each step moves a weight by at most a few thousandths, so only weights near
# the threshold can cross it. Look at when they do: while the rate rises fast, the threshold moves
# ahead of the weights; where the curve flattens, they can overtake it. Your counts may differ a
# little from those on another machine, because rounding decides which of two nearly equal weights
# is dropped.
#
# ## 6 Masks save nothing
#
# **Guess:** nine of ten weights in the matrices are zero. By what factor do the file, the memory
# and the time shrink? And the file, once it is zipped? Cost: five to thirty seconds.


# %%
def stored_bytes(model):
    """Bytes in memory, in a file, and in the zipped file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_weights(model, path)
        content = path.read_bytes()
    memory = sum(p.numel() * p.element_size() for p in model.parameters())
    return memory, len(content), len(zlib.compress(content))


# %%
reference = stored_bytes(lite)
for rate in (0.5, 0.9):
    thinner = masked(lite, rate)
    sizes = [100 * a / b for a, b in zip(stored_bytes(thinner), reference, strict=True)]
    time = 100 * time_ratio(lite, thinner)
    listed = "memory {:.0f} %, file {:.0f} %, zipped {:.0f} %".format(*sizes)
    print(f"{100 * rate:.0f} % masked: {listed}, time {time:.0f} %")

# %% [markdown]
# A zero takes as many bytes as any other number, and a matrix product multiplies by it as slowly as
# by any other. Only zipping gains from masks, because it writes repetitions in short form: the file
# is small while it is sent, and as large as before when it is loaded. The time is measured on one
# processor core, in five turns that alternate with the whole network; the median of the five ratios
# is printed. Differences of less than about ten percent are noise.
#
# Why not store only what is not zero? A sparse matrix has to say *where* each number belongs.
#
# > **Try it.** Compare one matrix as a dense tensor and as `to_sparse_csr()`: bytes, and time on
# > one core for a product with 16 000 points. From which rate on is the sparse form smaller? From
# > which one is it faster?

# %% tags=["try"]
# Answer: Sparse is smaller from about 70 % zeros on (8 bytes an index), and faster later still.
import timeit
import warnings
from time import process_time

warnings.filterwarnings("ignore", "Sparse CSR")  # says that it is in beta state
threads = torch.get_num_threads()
torch.set_num_threads(1)
points = torch.randn(32, 16000, generator=torch.Generator().manual_seed(1))
wide = MATRICES["blocks.0.time.feed_forward_in.1.weight"]  # [128, 32]
for share in (0.5, 0.7, 0.9, 0.99):
    dense = wide * mask_by_hand(wide, share)
    sparse = dense.to_sparse_csr()
    parts = (sparse.values(), sparse.col_indices(), sparse.crow_indices())
    size = sum(part.numel() * part.element_size() for part in parts) / (4 * dense.numel())
    speed = [
        min(timeit.repeat(lambda a=a: a @ points, timer=process_time, number=5, repeat=15))
        for a in (dense, sparse)
    ]
    print(
        f"{share:.0%} zeros: {size:.2f} times the bytes, {speed[1] / speed[0]:.1f} times the time"
    )
torch.set_num_threads(threads)

# %% [markdown]
# So sparse matrices pay only at rates at which this network no longer works (section 4), unless it
# is trained with its masks. Hardware and libraries for sparse products exist, most of them for
# patterns such as two zeros in every group of four neighbouring weights. At moderate rates, on a
# plain CPU, another idea helps: zeros in whole rows.
#
# **A question before you go on:**

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "A mask sets 90 % of the weights to zero. Which of these gets smaller by itself?",
    {
        "The zipped file.": "Zipping writes repeated zeros in short form; nothing else in section "
        "6 shrinks by itself.",
        "The time of a forward pass.": "A dense product multiplies by zero as slowly as by any "
        "other number (section 6).",
        "The memory of the loaded network.": "A zero of type float32 takes four bytes, too.",
        "The number of multiplications that PyTorch carries out.": "The matrices have the same "
        "shape as before, and so has the product.",
    },
    correct="The zipped file.",
)

# %% [markdown]
# ## 7 Take out whole units
#
# **Why.** A matrix gets smaller only if whole rows or columns go. A hidden unit between two layers
# has both: a *row* of the first matrix makes it, and a *column* of the second reads it. No other
# weight has anything to do with it.
#
# ![](figures/07_mask_or_removal.svg)
#
# **Two matrices of eight numbers** belong to four hidden units, two inputs and two outputs. If
# nothing reads unit 2, its row can go as well.

# %%
FIRST = torch.tensor([[1.0, 0], [0, 2], [1, 1], [-1, 1]])  # [4, 2]: a row makes a unit
SECOND = torch.tensor([[1.0, 0, 0.1, 2], [0, 1, -0.1, 1]])  # [2, 4]: a column reads it
x = torch.tensor([3.0, 1.0])
hidden = (FIRST @ x).relu()  # [4]
print("hidden units       ", hidden)
print("output             ", SECOND @ hidden)

# %%
unread = SECOND * torch.tensor([1, 1, 0, 1])  # column 2 masked
stays = [0, 1, 3]
print("column 2 masked    ", unread @ hidden)
print("row and column gone", SECOND[:, stays] @ (FIRST[stays] @ x).relu())

# %% [markdown]
# Masked and removed give the same output. Both differ a little from the output of the whole
# network, since unit 2 did something. How much a unit does can be estimated from its weights: the
# length of its row, times the length of its column.

# %%
importance = FIRST.norm(dim=1) * SECOND.norm(dim=0)  # [4]
print("row lengths   ", FIRST.norm(dim=1))
print("column lengths", SECOND.norm(dim=0))
print("importance    ", importance, " least important: unit", importance.argmin().item())

# %% [markdown]
# The length of the row alone would not single out unit 2, since its row is not the shortest. The
# bias of a unit counts as one more entry of its row, and so counts in the length of the row, too.


# %%
def remove_by_hand(first, bias, second, units):
    """First matrix [H, C], its bias [H] and second matrix [C, H], without some hidden units."""
    stays = torch.ones(len(bias), dtype=torch.bool)
    stays[units] = False
    return first[stays], bias[stays], second[:, stays]


# %% [markdown]
# **In the package.** `pruning.removable_units(model)` lists the units that can be removed, by the
# name of the module that holds them. For each name, `count` is the number of units and
# `importance(model)` gives their importance. `pruning.choose_units(model, rate)` returns the
# numbers of the least important ones. Here we look at the 128 hidden units of one feed-forward
# layer, of which half will go:

# %%
NAME = "blocks.0.time.feed_forward_in"
hidden_units = pruning.removable_units(lite)[NAME]
one, two = (lite.get_submodule(f"{NAME}.{i}") for i in (1, 3))
rows = torch.cat([one.weight, one.bias[:, None]], dim=1)  # [128, 33]
by_hand = rows.norm(dim=1) * two.weight.norm(dim=0)  # [128]
print(hidden_units.count, "units; importance of the first four:", hidden_units.importance(lite)[:4])
assert torch.allclose(by_hand, hidden_units.importance(lite))
units = pruning.choose_units(lite, 0.5)  # the least important ones, for each name
print("the first that go:", units[NAME][:8])

# %% [markdown]
# **Proof.** We remove these units by hand and with the package. Then we take the whole network,
# from which the package also removes channels of the convolution modules, attention heads, and
# channels inside the encoder and the decoders, and compare all of them masked with all of them
# removed. The channels that the blocks pass on to each other stay, because each block adds to them.

# %%
smaller = pruning.remove_units(lite, {NAME: units[NAME]})
ours = remove_by_hand(one.weight, one.bias, two.weight, units[NAME])
small_one, small_two = (smaller.get_submodule(f"{NAME}.{i}") for i in (1, 3))
package = (small_one.weight, small_one.bias, small_two.weight)
print("shapes by hand:", *(list(part.shape) for part in ours))
assert all(torch.equal(a, b) for a, b in zip(ours, package, strict=True))
masks, removed = copy.deepcopy(lite), pruning.remove_units(lite, units)
pruning.mask_units(masks, units)

# %%
heard = torch.from_numpy(sentences[0][1])[None, :SAMPLE_RATE]  # [1, N]
heard = analyse(heard / heard.square().mean().sqrt(), SpectralConfig())
with torch.no_grad():
    results = [synthesise(*model(*heard), SAMPLE_RATE) for model in (masks, removed, lite)]
unequal, effect = ((results[0] - other).abs().max().item() for other in results[1:])
print(f"masked against removed: largest difference {unequal:.1e} of a waveform with RMS 1")
print(f"masked against whole:   largest difference {effect:.1e}")
assert unequal < 1e-5 < effect

# %% [markdown]
# > **Try it.** Does the order of the hidden units mean anything? Shuffle those of the layer: the
# > rows of the first matrix, its bias, and the columns of the second, all in the same new order.

# %% tags=["try"]
# Answer: Nothing, up to rounding: the sum over the hidden units does not depend on their order.
shuffle = torch.randperm(128, generator=torch.Generator().manual_seed(1))
shuffled = copy.deepcopy(lite)
layers = [shuffled.get_submodule(f"{NAME}.{i}") for i in (1, 3)]
layers[0].weight.data, layers[0].bias.data = one.weight.data[shuffle], one.bias.data[shuffle]
layers[1].weight.data = two.weight.data[:, shuffle]
with torch.no_grad():
    apart = (shuffled(*heard)[0] - lite(*heard)[0]).abs().max().item()
print(f"largest difference of the magnitude: {apart:.1e}")

# %% [markdown]
# ## 8 What removal saves
#
# **Guess:** half of the units go. How much is left of the parameters, of the multiply-accumulates
# (MACs), and of the time? Half of each? Cost: five seconds to one minute.

# %%
cut = {
    rate: pruning.remove_units(lite, pruning.choose_units(lite, rate)) for rate in (0.25, 0.5, 0.75)
}
left = {}  # rate -> percent of parameters, MACs, time
for rate, model in cut.items():
    before, after = describe(lite), describe(model)
    left[rate] = [100 * after[key] / before[key] for key in ("parameters", "macs_per_second")]
    left[rate].append(100 * time_ratio(lite, model))
    print(f"{100 * rate:.0f} % of the units removed, left: ", end="")
    print("parameters {:.0f} %, MACs {:.0f} %, time {:.0f} %".format(*left[rate]))

# %% tags=["frame"]
figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
for place, (kind, hatch) in enumerate((("parameters", ""), ("MACs", "//"), ("time", "xx"))):
    heights = [left[rate][place] for rate in left]
    axis.bar(np.arange(3) + 0.27 * (place - 1), heights, 0.25, label=kind, hatch=hatch, alpha=0.7)
axis.set_xticks(range(3), [f"{100 * rate:.0f} %" for rate in left])
axis.set(xlabel="units removed", ylabel="left (%)", ylim=(0, 100))
axis.legend(fontsize=8)
show(
    figure,
    "Bars: what is left after removal. "
    + " ".join(
        f"At {100 * rate:.0f} %: parameters {p:.0f} %, MACs {m:.0f} %, time {t:.0f} %."
        for rate, (p, m, t) in left.items()
    ),
)

# %% [markdown]
# The three savings need not be equal. A parameter counts once, but a layer costs MACs each time it
# is applied, once for each point, and the attention scores cost MACs without having parameters.
# Time also goes into norms, activations and moving data, which depend on the channels that stay. A
# sentence such as "half the parameters, so twice as fast" has to be measured before it is believed.
# (Channels stay in multiples of eight, which a processor handles well, so the rate is met only
# approximately.)
#
# And the sound? Nothing has been trained yet. The masks of section 4 are scored on the same four
# sentences. Cost: ten seconds to one and a half minutes.

# %%
print(" 0 %: PESQ {:.2f}  SI-SDR {:4.1f} dB".format(*masked_scores(0)))
for rate, model in cut.items():
    print(f"{100 * rate:2.0f} %: masked PESQ", end="")
    print(" {:.2f}  SI-SDR {:4.1f} dB".format(*masked_scores(rate)), end="")
    print("   removed PESQ {:.2f}  SI-SDR {:4.1f} dB".format(*mean_scores(model)))

# %% [markdown]
# Zeros can be picked one by one, units only as a whole. So removal does more harm than masks at the
# same rate, and the gap widens as the rate rises: that is the price of saving time. Remember that
# such scores can only be compared with one another if they come from the same sentences.
#
# ## 9 How much comes back?
#
# **Why.** The units that are left can learn to do without the others. We remove half of the units
# of `tiny` and train the rest for as many steps as in section 5, with the same data and three
# seeds. The control is again the whole network after the same training: it is taken from section 5,
# or trained here if you have not run that cell. Cost: fifteen seconds, on a busy machine up to
# three minutes.

# %%
half = pruning.remove_units(tiny, pruning.choose_units(tiny, 0.5))
trained = [mean_scores(train(half, seed)[0]) for seed in range(3)]
untrained, control = mean_scores(half), three_seeds("whole")[2]

# %% tags=["frame"]
listed = {"tiny as shipped": [mean_scores(tiny)], "half removed, not trained": [untrained]}
listed |= {"half removed, trained": trained, "whole, trained as long": control}
for arm, values in listed.items():
    for i, unit in enumerate(("PESQ", "dB")):
        print(
            f"{min(v[i] for v in values):6.2f} to {max(v[i] for v in values):5.2f} {unit}",
            end="   ",
        )
    print(arm)
for i, measure in enumerate(("PESQ", "SI-SDR")):
    goal = np.mean([v[i] for v in control])
    back = [100 * (v[i] - untrained[i]) / (goal - untrained[i]) for v in trained]
    print(f"{measure}: {min(back):.0f} to {max(back):.0f} % of the way back to the control")

# %% [markdown]
# A share of 0 % means that the network scores as it did right after the cut, and 100 % that it has
# reached the mean of the control. With few steps and few sentences, a seed can also come out below
# 0 (the training has made this score worse) or above 100 %. The two measures need not come back
# equally fast. And neither share says much about the end of a long training, when each network is
# as good as it can be.
#
# **The long run.** The shipped `lite-pruned` is `lite` with half of its units removed and then
# trained further, with the recipe below. `recipes/runs.csv` holds the results of each run, on
# validation mixtures and on 200 files of the test set of VoiceBank+DEMAND, which were never used
# for training. The table shows how many hours of mixtures the last run of each network took: `lite`
# was trained in several runs, one after the other, and `lite-pruned` was cut from the result.

# %% tags=["frame"]
with (RECIPES / "runs.csv").open(encoding="utf-8", newline="") as file:
    RUNS = {run["weights"]: run for run in csv.DictReader(file)}  # the last run of each name
for name in ("lite", "lite-pruned"):
    run = RUNS[name]
    print(f"{name:12s} last run {float(run['audio_seconds']) / 3600:.1f} h", end="")
    for part, title in (("valid", "validation"), ("test200", "200 test files")):
        scored = [float(run[f"{part}_{key}"] or "nan") for key in ("pesq", "si_sdr")]
        print("   {}: PESQ {:.2f}, SI-SDR {:.2f} dB".format(title, *scored), end="")
    print()

# %% [markdown]
# These are the commands, for a folder with speech and noise (chapter 08):
#
# ```
# effifusion prune lite --rate 0.5 -o smaller.safetensors
# effifusion train --config recipes/lite-pruned.toml --init smaller.safetensors --out runs/pruned \
#     --speech SPEECH/train --noise NOISE/train \
#     --valid-speech SPEECH/valid --valid-noise NOISE/valid
# ```

# %% tags=["frame"]
clean, noisy = sentences[1]
versions = {
    "noisy": noisy,
    "lite": enhance(noisy, SAMPLE_RATE, lite),
    "half removed, not trained": enhance(
        noisy, SAMPLE_RATE, pruning.remove_units(lite, pruning.choose_units(lite, 0.5))
    ),
    "lite-pruned": enhance(noisy, SAMPLE_RATE, "lite-pruned"),
    "clean": clean,
}
row(
    versions,
    SAMPLE_RATE,
    title="Before the cut, after it, and after the long run",
    transcript=clips.info(names[1]).text,
    listen_for="What does the cut do to the rain in the pauses? "
    "Can you tell lite from lite-pruned?",
    scores={name: metrics.score(clean, versions[name]) for name in versions if name != "clean"},
    pictures=False,
)

# %% [markdown]
# ## 10 The honest question
#
# **Why.** Pruning takes a large network, trains it, cuts it, and trains it further. One could also
# train a *small dense network* from the beginning. Pruning pays only if its result is better than
# that network, for the same size and the same budget.
#
# The ablation study of this project made this comparison: six variants of `tiny`, trained on two
# hours of mixtures each, with three seeds, and scored on validation mixtures.
#
# - *Complete* is the whole network: nothing is pruned.
# - *30 %*, *50 %*, and *70 % masked* follow the cubic schedule until this share of the weights in
#   their matrices is zero. The table below gives the zeros as a share of *all* parameters, which is
#   less.
# - *Units removed* loses half of its units in the middle of its training.
# - *Small dense* has 12 channels in place of 16 from the beginning, which gives about as many
#   parameters as *units removed*.
#
# **Guess:** how do the six rank?

# %% tags=["frame"]
VARIANTS = {
    "complete": "complete",
    "30 % masked": "30_of_the_weights_masked",
    "50 % masked": "50_of_the_weights_masked",
    "70 % masked": "70_of_the_weights_masked",
    "units removed": "50_of_the_units_removed",
    "small dense": "small_dense_model",
}


def read_study(folder):
    """Scores of all seeds of a variant, by measure."""
    files = sorted((RECIPES / "ablation" / folder).glob("[0-9]*.json"))
    scores = [json.loads(file.read_text(encoding="utf-8"))["scores"] for file in files]
    return {measure: [score[measure] for score in scores] for measure in ("pesq", "si_sdr")}


STUDY = {variant: read_study(folder) for variant, folder in VARIANTS.items()}

# %% tags=["frame"]
for variant, measured in STUDY.items():
    model = load(RECIPES / "ablation" / VARIANTS[variant] / "weights.safetensors")
    print(f"{variant:15s} {describe(model)['parameters']:6,} parameters", end="")
    print(f" {100 * pruning.sparsity(model)['zero_of_all']:3.0f} % zero", end="")
    for measure, values in measured.items():
        spread = f"({min(values):.2f} to {max(values):.2f})"
        print(f"   {measure} {np.mean(values):.3f} {spread}", end="")
    print()

# %% tags=["frame"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for panel, (measure, title) in zip(
    axes, (("pesq", "PESQ"), ("si_sdr", "SI-SDR (dB)")), strict=True
):
    for place, measured in enumerate(STUDY.values()):
        panel.plot(measured[measure], [place] * len(measured[measure]), "o", alpha=0.8)
    panel.set_yticks(range(6), list(STUDY))
    panel.set(title=title, ylim=(5.5, -0.5))
    panel.grid(axis="x", alpha=0.3)
show(
    figure,
    "Points for three seeds of each variant. "
    + " ".join(
        f"{variant}: PESQ {min(m['pesq']):.2f} to {max(m['pesq']):.2f}, SI-SDR "
        f"{min(m['si_sdr']):.2f} to {max(m['si_sdr']):.2f} dB."
        for variant, m in STUDY.items()
    ),
)

# %% [markdown]
# There are three questions, each answered by the rule of section 5:
#
# 1. Do masks cost quality? *30 %*, *50 %*, and *70 % masked* against *complete*.
# 2. Does removal cost quality? *Units removed* against *complete*.
# 3. Does removal pay? *Units removed* against *small dense*.
#
# The time of a forward pass is measured here, relative to *complete*. Cost: five to thirty seconds.

# %%
PAIRS = (
    ("30 % masked", "complete"),
    ("50 % masked", "complete"),
    ("70 % masked", "complete"),
    ("units removed", "complete"),
    ("units removed", "small dense"),
)
VERDICTS = {
    (first, second, measure): verdict(STUDY[first][measure], STUDY[second][measure])
    for first, second in PAIRS
    for measure in ("pesq", "si_sdr")
}
for (first, second, measure), found in VERDICTS.items():
    print(f"{first:14s} against {second:12s} {measure:6s} {found}")

# %% tags=["frame"]
complete, *others = (
    load(RECIPES / "ablation" / f / "weights.safetensors") for f in VARIANTS.values()
)
for variant, model in zip([*VARIANTS][1:], others, strict=True):
    print(f"{variant:15s} {100 * time_ratio(complete, model):3.0f} % of the time of 'complete'")

# %% [markdown]
# **What is shown, and what is not.** The more is masked, the more it costs: of 30 % no cost is
# shown, of 50 % one in SI-SDR, of 70 % one in both measures. Where the table says "not shown", the
# seeds differ by as much as the variants do, and no order can be read from the means. For the third
# question, the honest one, "not shown" means: this study does not show that pruning is worth the
# detour, nor does it show that it is not.
#
# The time is another matter. In a network as small as `tiny`, removal saves much less time than
# parameters, if any: the channels that the blocks share stay, with their norms and activations.
# *Small dense* can even take longer than *complete*, probably because 12 is not a multiple of
# eight. On your processor this may differ.
#
# How many seeds would it take? For a difference $d$ and a standard deviation $s$ between seeds, a
# common rule for two equal groups asks for about $16\, s^2 / d^2$ seeds each (to find the
# difference in four of five studies, at the 5 % level).

# %%
spreads = [np.std(measured["pesq"], ddof=1) for measured in STUDY.values()]
deviation = float(np.sqrt(np.mean(np.square(spreads))))  # of PESQ between seeds
for difference in (0.05, 0.03, 0.01):
    seeds = int(np.ceil(16 * deviation**2 / difference**2))
    print(f"a difference of {difference} in PESQ: {seeds} seeds of each variant")
print(f"(standard deviation between seeds {deviation:.3f}; from three seeds each, so only roughly)")

# %% [markdown]
# ## 11 The pruning desk
#
# **Live.** Choose a share for each kind of unit and listen. Each move of a slider removes units
# from `lite`, counts what is left, measures the time on one core, and scores and plays the result;
# this takes a few seconds. Of which kind can you remove most before you hear a difference? Which
# saves the most time? On a page without a kernel, you see the state in which half of each kind is
# removed.

# %% tags=["frame"]
pruning_desk(*(side[: 5 * SAMPLE_RATE // 2] for side in sentences[0]), lite)

# %% [markdown]
# ## 12 Exercises
#
# In exercises 1 and 2, write your code where the three dots are; in exercise 3, mend the code that
# is there. Run the cell, then the check below it. Hints and solutions are folded away. You can work
# alone or in pairs. If you are short of time, do 1 and 3.
#
# ### Exercise 1 · Warm-up: one threshold for all (10 minutes)
#
# The package drops the same share of each matrix. Write the other rule, with one threshold: if the
# share `rate` of *all* weights of several matrices goes, how large must a weight be to stay? As in
# section 2, return the smallest magnitude that stays; `round(rate * n)` of $n$ weights are dropped.


# %% tags=["exercise"]
def my_threshold(weights, rate):
    """List of matrices of any shape, share to drop -> smallest magnitude that stays, a tensor."""
    # BEGIN SOLUTION
    magnitudes = torch.cat([weight.flatten() for weight in weights]).abs()  # [n]
    return magnitudes.sort().values[round(rate * len(magnitudes))]
    # END SOLUTION


# %%
solved_1 = chapter07.check_threshold(my_threshold)

# %% [markdown] tags=["hint"]
# `torch.cat` joins tensors of one dimension; `flatten` gives each matrix one.

# %% [markdown] tags=["hint"]
# Sort the magnitudes. If the first $k$ of them go, what is the index of the first one that stays?

# %% [markdown] tags=["solution"]
# The Try-it of section 2 shows what this rule does: matrices with small weights lose most. Whether
# that is good depends on whether small weights matter less there: a layer norm before or after a
# matrix can make up for its scale.

# %% [markdown]
# ### Exercise 2 · Write it: take channels out of a gated layer (20 minutes)
#
# The convolution module begins with a *gated linear unit*: `expand` has $2H$ rows. The first $H$
# make values, the last $H$ make gates, and channel $u$ is value $u$ times the sigmoid of gate $u$
# (`torch.nn.functional.glu`). After that, a depthwise convolution keeps the channels apart; leave
# it out here. Then `reduce` reads the $H$ channels. Remove the channels whose numbers are in
# `units`, so that the small layer computes what the large one computes when those columns of
# `reduce` are zero.


# %% tags=["exercise"]
def my_removal(expand, bias, reduce, units):
    """[2 * H, C], [2 * H], [C, H] and numbers [n] -> the same three, without those n channels."""
    # BEGIN SOLUTION
    channel = torch.arange(reduce.shape[1])  # [H]
    stays = ~torch.isin(channel, units)  # [H]
    rows = torch.cat([stays, stays])  # [2 * H], values, then gates
    return expand[rows], bias[rows], reduce[:, stays]
    # END SOLUTION


# %%
solved_2 = chapter07.check_removal(my_removal)

# %% [markdown] tags=["hint"]
# Draw `expand` for $H = 3$: which two rows belong to channel 1?

# %% [markdown] tags=["hint"]
# A mask of booleans can index a dimension: `matrix[stays]` takes rows, `matrix[:, stays]` columns.
# `torch.cat([stays, stays])` fits the $2H$ rows.

# %% [markdown] tags=["solution"]
# In the network the depthwise kernel of the channel goes as well:
# `effifusion_lite/pruning/units.py` lists, for each kind of unit, all the parameters that hold a
# part of it.

# %% [markdown]
# ### Exercise 3 · Bug hunt: where do the zeros go? (15 minutes)
#
# A matrix is pruned and then trained further by gradient descent with momentum: a *velocity*
# remembers earlier gradients. The function sets the weights under the mask to zero, and their
# gradients too. It runs, and nothing looks wrong. But the cell below it prints a *property* that
# should be the same before and after training. Find out why it is not, then mend the function.


# %% tags=["exercise"]
def my_training(weight, velocity, gradients, mask, learning_rate):
    """Matrix, velocity and mask [O, I], list of gradients [O, I] -> trained matrix [O, I]."""
    weight = weight * mask
    for gradient in gradients:
        velocity = 0.9 * velocity + gradient * mask
        # BEGIN BUG
        weight = weight - learning_rate * velocity
        # END BUG
        # BEGIN SOLUTION
        weight = (weight - learning_rate * velocity) * mask
        # END SOLUTION
    return weight


# %% tags=["frame"]
random = torch.Generator().manual_seed(1)
matrix, speed = (torch.randn(16, 32, generator=random) for _ in range(2))
slopes = [torch.randn(16, 32, generator=random) for _ in range(3)]
zeros_at = mask_by_hand(matrix, 0.5)
after = my_training(matrix, speed, slopes, zeros_at, 0.01)
print(f"zeros before training: {(matrix * zeros_at == 0).float().mean():.0%}")
print(f"zeros after training:  {(after == 0).float().mean():.0%}")

# %%
solved_3 = chapter07.check_training(my_training)

# %% [markdown] tags=["hint"]
# Follow one weight under the mask by hand for two steps, with a velocity of 1 at the start.

# %% [markdown] tags=["hint"]
# A gradient of zero adds nothing to the velocity. But what is in the velocity already?

# %% [markdown] tags=["solution"]
# The velocity still holds the gradients from before the pruning and keeps moving the weight. The
# same happens with Adam, whose averages remember earlier gradients, too. To mend this, apply the
# mask after each step, or to the velocity as well. The package avoids the problem: it keeps the
# stored weights apart and applies the masks in each forward pass.

# %%
print(sum([solved_1, solved_2, solved_3]), "of 3 exercises with a check solved")

# %% [markdown]
# ### Exercise 4 · Open: what is the criterion worth? (15 minutes)
#
# The package removes the units with the smallest product of row and column length. Predict in
# writing: what would it cost to remove as many *random* units instead, without training? And the
# *most* important ones? Then measure it on `tiny` at 50 %, with three seeds for the random choice.
# `pruning.choose_units(tiny, 0.5)` says how many units of each name go; `count` and `importance` of
# section 7 let you choose others, and `pruning.remove_units(tiny, ...)` takes a dictionary like
# that of `choose_units`. Would you still see the difference after training? How would you find out?

# %% [markdown] tags=["answer"]
# The next cell prints the scores. Are the scores of the least important units outside the range of
# the random choices, and on which side? If they are, the product of lengths says something about
# the units. Are those of the most important ones on the other side, in both measures? If not, the
# product finds the units that do little, but does not rank the others. In either case there may be
# a better criterion, such as one that looks at the *outputs* of the units on real speech. After
# training, the networks that started worse may catch up; to find out, train each choice with three
# seeds and the same steps, as in section 9.

# %% tags=["try"]
# Answer: SI-SDR of the least important units against a random choice and the most important ones.
least = pruning.choose_units(tiny, 0.5)
choices = {"least important": least}
for seed in range(3):
    draw = torch.Generator().manual_seed(seed)
    choices[f"random, seed {seed}"] = {
        name: torch.randperm(pruning.removable_units(tiny)[name].count, generator=draw)[: len(gone)]
        for name, gone in least.items()
    }
choices["most important"] = {
    name: pruning.removable_units(tiny)[name].importance(tiny).argsort(descending=True)[: len(gone)]
    for name, gone in least.items()
}
for title, gone in choices.items():
    score = mean_scores(pruning.remove_units(tiny, gone), sentences[:2])
    print(f"{title:16s} removed: PESQ {score[0]:.2f}   SI-SDR {score[1]:5.1f} dB")

# %% [markdown]
# ## 13 Quiz
#
# Open an answer to see why it is right or wrong.

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "How can a masked weight come back?",
    {
        "Its stored value keeps changing, and masks are drawn from stored values.": "The "
        "gradient at the masked weights is applied to the stored ones (section 5).",
        "The mask is learnt by gradient descent.": "Masks are drawn by sorting; no gradient "
        "flows into them.",
        "The schedule lowers the rate again.": "The rate only rises. When a weight comes back, "
        "another one goes in its place.",
    },
    correct="Its stored value keeps changing, and masks are drawn from stored values.",
)
quiz(
    "You remove row 5 of the first matrix and column 7 of the second. What happens?",
    {
        "It runs, and the output is wrong.": "The shapes fit, but the remaining columns 5 and 6 "
        "now read units 6 and 7. The comparison of masked and removed finds it (section 7).",
        "An error about shapes.": "Both layers still agree on the number of hidden units.",
        "Nothing: the order of hidden units has no meaning.": "That holds if rows and columns move "
        "together. Here they do not.",
    },
    correct="It runs, and the output is wrong.",
)
quiz(
    "A paper says: “pruned by half, our network scores 0.01 PESQ more than before; one run each.” "
    "What is missing?",
    {
        "Several seeds, and a small dense network with the same budget.": "One run each says "
        "nothing about 0.01: section 10 prints how many runs it would take. And the honest rival "
        "is the small network.",
        "The share of zeros in each layer.": "Good to know, but this does not say whether the "
        "gain is real.",
        "Nothing.": "Section 10 shows how far seeds alone move PESQ.",
    },
    correct="Several seeds, and a small dense network with the same budget.",
)

# %% [markdown]
# ## 14 What the paper says, and what came out here
#
# The paper is EffiFusion-GAN (Wen and Tan, arXiv 2508.14525). Its abstract and summaries by others
# were at hand, but not its full text. What they leave open is marked as a choice of this project.

# %% tags=["frame"]
size = sum(p.numel() for p in largest.parameters())
claim_table(
    Claim(
        "Dynamic pruning is applied to convolutional layers.",
        "summaries of the paper",
        f"Kernels larger than 1×1 are {SHARES['kernels larger than 1x1']:.1f} % of the parameters "
        f"of lite, with the 1×1 layers around them {CONVOLUTIONS:.1f} %.",
        "section 1",
        "What the words include is not known. This project prunes the 1×1 and linear layers, where "
        "most weights are.",
    ),
    Claim(
        "An ablation study shows that each of the three innovations contributes, one of them "
        "pruning.",
        "the paper's abstract",
        "Half of the weights masked along the schedule, against complete: PESQ "
        f"{VERDICTS['50 % masked', 'complete', 'pesq']}, SI-SDR in dB "
        f"{VERDICTS['50 % masked', 'complete', 'si_sdr']}.",
        "section 10",
        "The paper's numbers and its measure of a contribution were not at hand. Ours come from a "
        "network of 49 k parameters, two hours of mixtures and three seeds.",
    ),
    Claim(
        "The network has 1.08 M parameters.",
        "the paper's abstract",
        f"full has {size / 1e6:.2f} M parameters before anything is pruned.",
        "section 1",
        "So this size needs no pruning. Whether the paper counts before or after pruning is not "
        "known.",
    ),
    Claim(
        "Criterion, rate and schedule of the pruning.",
        "not known, choice of this project",
        "Magnitude, the same share of each matrix, a cubic schedule; for removal the product of "
        "row and column length.",
        "sections 2, 5 and 7",
        "Nothing to compare.",
    ),
)

# %% [markdown]
# ## 15 The common thread
#
# This chapter adds a network from the study of section 10 that lost half of its units in the middle
# of its training.

# %% tags=["frame"]
from effifusion_lite.listening.red_thread import thread

thread(7)

# %% [markdown]
# ## 16 Summary
#
# - Small weights are many and hold little of the energy: some can go at once with little loss, and
#   more of them if the others are trained meanwhile.
# - *Dynamic* means that the rate follows a schedule and that masks are drawn anew from stored
#   weights, so that a weight may come back. Whether this beats one mask drawn at the start has to
#   be found out with seeds and a control, as in section 5.
# - Masks shrink the zipped file, but neither memory nor time. Removing units shrinks all three, by
#   different percentages, and gives the output of the masked network up to rounding.
# - Pruning pays if it beats a small dense network with the same budget. Section 10 says what our
#   study shows about that.
# - All of it is in `effifusion_lite/pruning/`: `DynamicPruner`, `choose_units`, `remove_units`.
#
# **Next:** chapter 08 trains on VoiceBank+DEMAND.
