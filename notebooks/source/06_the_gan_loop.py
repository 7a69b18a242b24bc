# %% [markdown]
# # 06 · The GAN loop
#
# **The sounds.** The built-in speech is a free synthetic voice, and the noises are made by a random
# generator. Chapter 00 says how to hear recorded sentences in their place.
#
# **After this chapter you can**
#
# - say what this discriminator learns, and why it is not "real or fake";
# - build it by hand, with its spectral norm, for recordings of any length;
# - write one step of both networks in the right order, and say what goes wrong in another order;
# - recognise a fooled discriminator, and test whether an interrupted training resumes exactly.
#
# **You need** Python with PyTorch at the level of the official 60-minute introduction. Two facts of
# earlier chapters help: a recording becomes a compressed magnitude `[F, T]` and a phase (01), and
# PESQ, a score for speech with noise in it, cannot be differentiated (05).
#
# **Time and cost.** Reading and listening take about 70 minutes, the exercises 60, and playing 10.
# All cells together run in one to five minutes on two processor cores, depending on how busy the
# machine is, and need less than 2 GB of memory. Nothing is downloaded. Sections 5 and 9 and
# exercise 4 use the three discriminators of section 4, so run that section before them.
#
# **Built so far.** Chapter 04 built the generator, which turns noisy speech into enhanced speech.
# Chapter 05 built its losses. This chapter adds a second network, and the step that trains both.
#
# ![](figures/map_06.svg)
#
# **The modules of this chapter** are `effifusion_lite/discriminator.py` and
# `effifusion_lite/training/`. Sections 3 and 7 prove that what we build by hand gives the same
# numbers.

# %%
import io
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

# %% tags=["frame"]
from effifusion_lite import losses, metrics
from effifusion_lite.audio import mix_at_snr
from effifusion_lite.discriminator import MetricDiscriminator, discriminator_loss
from effifusion_lite.generator import EffiFusionGenerator, GeneratorConfig, preset
from effifusion_lite.lesson import Claim, claim_table
from effifusion_lite.lesson.checks import chapter06
from effifusion_lite.lesson.spoilt import spoilt_pairs
from effifusion_lite.listening import abx, clips, frames, red_thread, row, slider, widgets_gan
from effifusion_lite.plotting import plot_map, plot_spectrogram, show
from effifusion_lite.spectral import SpectralConfig, analyse, expand, synthesise
from effifusion_lite.training.configuration import TrainingConfig
from effifusion_lite.training.labels import normalised_pesq
from effifusion_lite.training.step import Trainer, scale

# %%
torch.manual_seed(1)
torch.set_printoptions(precision=3, sci_mode=False)
SAMPLE_RATE = 16000  # Hz
HAS_PESQ = find_spec("pesq") is not None
METRIC = "PESQ" if HAS_PESQ else "SI-SDR"


def quality(clean, enhanced):
    """Label of a pair of waveforms [N]: the metric, brought to a scale from 0 to 1."""
    if HAS_PESQ:
        return normalised_pesq(clean, enhanced)  # section 3 says how
    hiss = 1e-5 * np.random.default_rng(1).standard_normal(len(clean))  # SI-SDR stays finite
    return float(np.clip((metrics.si_sdr(clean, enhanced + hiss) + 5) / 30, 0, 1))  # -5 to 25 dB


print(f"The discriminator of this chapter learns {METRIC}.")

# %% tags=["frame"]
if not HAS_PESQ:
    print("The package pesq is missing. Everything works, but SI-SDR stands in for PESQ: where the")
    print("text says PESQ, read SI-SDR. The labels of sections 7 and 8 are empty (NaN).")

# %% [markdown]
# ## 1 Who follows whom: a GAN on one number
#
# **Why a second network.** A loss has to be written down before training starts. But some wishes
# have no formula with a gradient: "sounds like speech", or "has a high PESQ". A *generative
# adversarial network*, GAN, learns the loss instead. One network, the *generator*, makes something.
# Another one, the *discriminator*, judges the result, and the generator follows the gradient of
# that judgement (Goodfellow and others, 2014).
#
# **One number.** The real data are numbers around 2. The generator makes numbers around `shift`,
# which begins at −1; `shift` is all it can learn. The discriminator is just as small: it says
# $D(x) = \sigma(w x + b)$, the probability that $x$ is real, where $\sigma(y) = 1/(1+e^{-y})$.
#
# Each step has two halves. The discriminator lowers
# $-\log D(\text{real}) - \log(1 - D(\text{fake}))$. The generator lowers $-\log D(\text{fake})$: it
# wants its numbers to be called real. Follow some steps with one real number, 2, and one fake
# number $x$, at a learning rate of 1. At first $w = b = 0$, so $D$ says 0.5 to everything.
#
# **The slopes.** Since $\sigma' = \sigma(1 - \sigma)$, the derivative of $-\log D(2)$ with respect
# to $w$ is $-(1 - D(2)) \cdot 2$, and that of $-\log(1 - D(x))$ is $D(x) \cdot x$. For $b$, drop
# the factors 2 and $x$. The generator's slope, that of $-\log D(x)$ with respect to $x$, is
# $-(1 - D(x)) \cdot w$. Each number moves against its slope:

# %%
x, w, b = -1.0, 0.0, 0.0
for step in range(12):
    real, fake = (1 / (1 + np.exp(-(w * number + b))) for number in (2, x))  # D(2) and D(x)
    w = w + (1 - real) * 2 - fake * x  # the discriminator moves
    b = b + (1 - real) - fake
    x = x + (1 - 1 / (1 + np.exp(-(w * x + b)))) * w  # then the generator follows
    print(f"step {step:2d}: D(2) was {real:.2f}, w = {w:5.2f}, new fake = {x:5.2f}")

# %% [markdown]
# The sign of $w$ tells the generator in which direction "real" lies. In which step does the fake
# number pass 2? Which sign has $w$ then, and when does that sign change?

# %% [markdown] tags=["answer"]
# The fake number passes 2 in step 4. At that point $w$ is still positive, so it sends the generator
# further to the right. It stays positive up to step 9, while the fake number moves away from 2. In
# step 10 $w$ is negative for the first time, and the fake number jumps back.

# %% [markdown]
# ![](figures/06_who_follows.svg)
#
# **The same with PyTorch.** Now there are 64 numbers at a time, and autograd finds the gradients.


# %%
def gan_loop(rate_d, rate_g, steps=1000, seed=0):
    """Shift of the generator after each step [steps]; the real numbers are around 2."""
    generator = torch.Generator().manual_seed(seed)
    shift, line = torch.tensor(-1.0, requires_grad=True), torch.zeros(2, requires_grad=True)
    path = []
    for _ in range(steps):
        real, fake = 0.3 * torch.randn(2, 64, generator=generator) + 2
        fake = fake - 2 + shift  # [64]
        judged = torch.sigmoid(line[0] * torch.stack([real, fake.detach()]) + line[1])
        judge_loss = -(judged[0].log() + (1 - judged[1]).log()).mean()
        line.data -= rate_d * torch.autograd.grad(judge_loss, line)[0]
        loss = -torch.sigmoid(line[0] * fake + line[1]).log().mean()
        shift.data -= rate_g * torch.autograd.grad(loss, shift)[0]
        path.append(shift.item())
    return torch.tensor(path)


# %% [markdown]
# **Guess.** With both learning rates at 0.1, how does `shift` go from −1 to 2: straight there, past
# it once, or past it and back many times?

# %% tags=["guess"]
PATHS = torch.stack([gan_loop(0.1, 0.1, seed=seed) for seed in range(3)])  # [3, 1000]
print("seed   highest   lowest after it   at the end")
for seed, path in enumerate(PATHS):
    back = path[path.argmax() :].min()
    print(f"{seed:4d} {path.max():9.2f} {back:17.2f} {path[-1]:12.2f}")

# %% tags=["frame", "guess"]
figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
axes.plot(PATHS[0], linewidth=1)
axes.axhline(2, color="black", linewidth=0.6)
axes.set(xlabel="step", ylabel="shift")
apart = (PATHS - PATHS[0]).abs().max()
show(
    figure,
    "The shift of the generator over 1000 steps, with both rates at 0.1: it rises to "
    f"{PATHS[0].max():.1f}, swings around 2 and settles slowly. One seed is drawn; the two others "
    f"differ from it by at most {apart:.2f}.",
)

# %% [markdown] tags=["answer"]
# It goes past 2 and back many times. The discriminator only knows where the fakes *were*. When the
# generator passes 2, the discriminator still says "further to the right" until it has learnt
# better; then the same happens on the way back. Neither of the two makes a mistake: each does its
# best against the other. The target of a GAN moves.

# %% [markdown]
# These swings are the first failure mode. Two more are worth knowing by name. In *mode collapse*
# the generator makes one thing that passes as real and nothing else. With *vanishing gradients* the
# discriminator is so sure that its output hardly changes with its input, so the generator learns
# nothing: the sigmoid is flat at both ends.
#
# Choose the two learning rates yourself. (On a page without a kernel you see the first state.)

# %%
widgets_gan.gan_explorer(gan_loop)

# %% [markdown]
# > **Try it.** Keep one of the two rates at 0.1 and make the other ten times as large. Do the
# > swings die out sooner with a fast discriminator, with a fast generator, with either, or with
# > neither? Guess first.

# %% tags=["try"]
# Answer: both end the swings sooner; a fast discriminator soon forgets where the fakes were.
# Why a fast generator ends them sooner as well has not been tested here.
for rates in ((0.1, 0.1), (1.0, 0.1), (0.1, 1.0)):
    paths = torch.stack([gan_loop(*rates, seed=seed) for seed in range(3)])  # [3, 1000]
    rests = [int(((path - 2).abs() > 0.1).nonzero()[-1]) + 1 for path in paths]
    print(f"discriminator {rates[0]}, generator {rates[1]}: at most {paths.max():.2f}", end=", ")
    print(f"within 0.1 of 2 from step {min(rests)} to {max(rests)} on")

# %% [markdown]
# ## 2 Not "real or fake", but "how good"
#
# Enhancement differs in two ways from making numbers around 2.
#
# - For each noisy sentence we *have* the clean one. So the discriminator can look at a **pair**,
#   clean and enhanced.
# - We have measures for such pairs, for example PESQ. Nobody has to guess whether the enhanced
#   speech is good: we can measure it. All that PESQ lacks is a gradient.
#
# So let the discriminator **learn the metric**. Its target for the pair (clean, clean) is 1, and
# its target for the pair (clean, enhanced) is not 0 but the measured score. This is MetricGAN (Fu
# and others, 2019). The discriminator is then a copy of the metric *with* a gradient, accurate for
# the kind of speech that the generator is making at the moment.
#
# **One number again.** The clean number is 2, and our "metric" is $q(x) = 1/(1 + (x-2)^2)$: 1 for
# a perfect result, and less the further $x$ is from 2. The discriminator sees only the distance
# between the two numbers: $D = \sigma(a - c\,|x - 2|)$. We train this discriminator twice, on the
# same numbers between −2 and 6. Only the labels differ: 0 for all fakes, or $q$.


# %%
def opinion(weights, x):
    """Discriminator of a pair (2, x): 0 to 1."""
    return torch.sigmoid(weights[0] - weights[1] * (x - 2).abs())


def metric(x):
    return 1 / (1 + (x - 2) ** 2)


# %%
def fit(label, seed=0):
    """Weights [2] of a discriminator after 500 steps, with labels from a function."""
    generator, weights = torch.Generator().manual_seed(seed), torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.Adam([weights], 0.1)
    for _ in range(500):
        x = 8 * torch.rand(64, generator=generator) - 2
        loss = (opinion(weights, torch.tensor(2.0)) - 1) ** 2
        optimiser.zero_grad()
        (loss + (opinion(weights, x) - label(x)).square().mean()).backward()
        optimiser.step()
    return weights.detach()


# %% [markdown]
# **Guess.** What does each of the two say about 2.5, a rather good result?

# %% tags=["guess"]
places = torch.tensor([2.0, 2.1, 2.5, 3.0, 4.0])
print("x                ", places)
print("metric           ", metric(places))
print("learnt how good  ", opinion(fit(metric), places))
print("learnt real, fake", opinion(fit(torch.zeros_like), places))

# %% [markdown]
# The one that learnt "real or fake" is right, too: 2.5 *is* fake. But it says almost 0 to nearly
# everything that is not perfect, and there the sigmoid is flat. The other one says how good each
# result is. Does this matter to a generator? Now we let a generator follow each of them: it takes
# steps down the loss $(D - 1)^2$, with both learning rates at 1.


# %%
def pair_loop(label, rate=1.0, steps=600, seed=0):
    """Shift of a generator that follows a discriminator of pairs [steps]."""
    generator = torch.Generator().manual_seed(seed)
    shift, weights = torch.tensor(-1.0, requires_grad=True), torch.zeros(2, requires_grad=True)
    path = []
    for _ in range(steps):
        fake = shift + 0.3 * torch.randn(64, generator=generator)
        old = fake.detach()
        judge_loss = (opinion(weights, old) - label(old)).square().mean()
        judge_loss = judge_loss + (opinion(weights, torch.tensor(2.0)) - 1) ** 2
        weights.data -= rate * torch.autograd.grad(judge_loss, weights)[0]
        loss = (opinion(weights, fake) - 1).square().mean()
        shift.data -= rate * torch.autograd.grad(loss, shift)[0]
        path.append(shift.item())
    return torch.tensor(path)


# %%
for name, label in (("how good", metric), ("real or fake", torch.zeros_like)):
    ends = torch.stack([pair_loop(label, seed=seed)[-200:] for seed in range(3)])  # [3, 200]
    print(f"{name}: in the last 200 steps from {ends.min():.2f} to {ends.max():.2f}")

# %% [markdown]
# With "real or fake" the discriminator must give 0 to every fake, however good it is. So it grows
# steeper and steeper around 2 and makes the generator jump back and forth. With a metric the label
# of a good result *is* near 1, and the two networks come to rest. Seeing a pair is not what makes
# the difference here: both discriminators see pairs.
#
# One warning before we go on. A metric GAN raises the *metric*. Chapter 05 showed that this is not
# always what the ear wants.

# %% [markdown]
# ## 3 The discriminator by hand
#
# ![](figures/map_06_discriminator.svg)
#
# The network sees two compressed magnitudes, clean and enhanced, as two channels of a picture. Each
# of four convolutions with stride 2 halves both axes. A maximum over all places leaves one number
# for each channel, and two linear layers turn these into one score. (CMGAN, 2022, and MP-SENet,
# 2023, use this form.)
#
# **Any length.** The maximum over time and frequency makes the rest of the network independent of
# the length.
#
# **Spectral norm.** A discriminator whose output jumps with tiny changes of its input has a useless
# gradient. So each weight matrix is divided by its largest *singular value*, the largest factor by
# which it can lengthen a vector. Then a linear layer cannot make the difference between two inputs
# longer. (Miyato and others, 2018.) For a convolution this holds only for each window by itself,
# since windows overlap; and the instance norms in between are not bounded at all. So spectral norm
# limits how fast the output can change, but it guarantees nothing for the whole network.
#
# **Power iteration** finds the largest singular value without a decomposition. Multiply a vector by
# $W$, then by $W^T$, and bring it back to length 1: it turns towards the direction that $W$
# lengthens most. Here is a matrix that you can follow by hand:

# %%
matrix = torch.tensor([[3.0, 0.0], [1.0, 1.0]])
v = torch.tensor([0.0, 1.0])  # where we begin, a poor start
for turn in range(5):
    u = matrix @ v / (matrix @ v).norm()  # [2]
    v = matrix.T @ u / (matrix.T @ u).norm()  # [2]
    print(f"turn {turn}: v = {v.numpy().round(3)}, W lengthens it by {(matrix @ v).norm():.4f}")

# %%
print(f"largest singular value: {torch.linalg.svdvals(matrix)[0]:.4f}")
library = spectral_norm(nn.Linear(2, 2, bias=False), n_power_iterations=20)
library.weight = matrix  # the library stores it, and divides when it is read
library(torch.zeros(1, 2))  # in training mode, each call makes 20 turns
print(f"library: lengthens by at most {torch.linalg.svdvals(library.weight)[0]:.4f}")

# %% [markdown]
# The package makes one turn at each training step and continues from where the last one ended. The
# weights change slowly, so this is enough. A kernel of shape `[out, in, 4, 4]` is treated as a
# matrix with `out` rows.
#
# **By hand.** We read the plain weights and the two vectors of one of the package's discriminators,
# and do all the rest ourselves.


# %%
def normalised(layer):
    stored = layer.parametrizations.weight
    weight, u, v = stored.original, stored[0]._u, stored[0]._v
    return weight / (u @ weight.flatten(1) @ v)  # as a matrix [out, everything else]


def prelu(x, slope):
    return torch.where(x > 0, x, slope.view(1, -1, *[1] * (x.ndim - 2)) * x)


# %%
def discriminator_by_hand(network, clean, enhanced):
    """Magnitudes [B, F, T] -> score [B], with the weights of a discriminator of the package."""
    x = torch.stack([clean, enhanced], dim=1)  # [B, 2, F, T]
    for i in (0, 3, 6, 9):  # convolution, norm, PReLU; the last PReLU is left out
        convolution, norm = network.features[i], network.features[i + 1]
        x = nn.functional.conv2d(x, normalised(convolution), stride=2, padding=1)
        mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
        x = (x - mean) / (var + 1e-5).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]
        x = prelu(x, network.features[i + 2].weight) if i < 9 else x
    x = x.amax((2, 3))  # [B, C], the largest value of each channel: any length
    first, activation, last = network.head
    x = prelu(x @ normalised(first).T + first.bias, activation.weight)
    x = (x @ normalised(last).T + last.bias)[:, 0]  # [B]
    return 1.2 * torch.sigmoid(network.slope * x)


# %% [markdown]
# **Proof.** The package uses the library's `spectral_norm`, so this compares three versions: ours,
# the package's, and PyTorch's inside the package. (In `eval` mode the vectors $u$ and $v$ do not
# change.)

# %%
torch.manual_seed(1)
network = MetricDiscriminator().eval()
largest = 0.0
for length in (40, 161, 500):  # frames: 0.25, 1 and 3 s
    pictures = torch.rand(2, 3, 201, length)  # clean and enhanced, a batch of three
    score = network(*pictures)  # [3]
    largest = max(largest, (discriminator_by_hand(network, *pictures) - score).abs().max().item())
    print(f"{length} frames: score", list(score.shape), score.detach())
print(f"largest difference: {largest:.1e}")
assert largest < 1e-5

# %% [markdown]
# **The target.** PESQ of wideband speech goes from about 1.0 to 4.6. The label is
#
# $$\text{label} = (\text{PESQ} - 1) / 3.5,$$
#
# which goes from about 0 to 1. The output goes up to 1.2, so that 1 is not at the flat end of the
# sigmoid. Where PESQ cannot be computed, as on silence, the label is NaN and the loss leaves the
# pair out.

# %%
sentence = clips.load("clb_river")[0]  # [N]
disturbed = mix_at_snr(sentence, clips.noise("fan", len(sentence) / SAMPLE_RATE, seed=1), 10)
print(f"clean, clean      label {normalised_pesq(sentence, sentence):.3f}")
print(f"clean, with a fan label {normalised_pesq(sentence, disturbed):.3f}")
print(f"silence, silence  label {normalised_pesq(0 * sentence, 0 * sentence):.3f}")

# %% [markdown]
# The label of the pair (clean, clean) is a little above 1, while the loss asks for exactly 1. The
# fan is 10 dB below the voice, and yet the label is almost 0: with this noise wideband PESQ is
# close to 1, its lowest value, already at 10 dB.
#
# ## 4 Train the discriminator alone
#
# **Why alone.** During training, both networks change. To see what a discriminator can learn, we
# give it ready-made pairs: one second of speech, and the same second with noise at −5 to 30 dB.
# Half of the mixtures have gone through the Wiener filter of chapter 00. PESQ says how good each
# one is.
#
# There are three sets: pairs it is trained on (**seen**); **new** voices with the same four noises;
# and new voices with four **other** noises. `spoilt_pairs` of `effifusion_lite/lesson/spoilt.py`
# mixes them. `scale` brings both waveforms to the level at which the noisy one has a root mean
# square of 1, and `analyse` returns compressed magnitude and phase (chapter 01). Cost: the next two
# cells take 10 to 60 seconds.

# %%
KNOWN = ("fan", "rain", "car", "speech_shaped")
OTHERS = ("babble", "keyboard", "dishes", "music")


def examples(*arguments):
    """Compressed magnitudes [B, F, T], clean and spoilt, and labels [B]; without NaN."""
    clean, spoilt = spoilt_pairs(*arguments)  # [B, N] each
    labels = torch.tensor(
        [quality(*pair) for pair in zip(clean.numpy(), spoilt.numpy(), strict=True)]
    )
    known = ~labels.isnan()
    spoilt, clean = (analyse(waveform)[0] for waveform in scale(spoilt, clean))
    return clean[known], spoilt[known], labels[known]


# %% tags=["frame"]
SETS = {
    "seen": examples("train", KNOWN, 192, 1),
    "new": examples("valid", KNOWN, 64, 2),
    "other": examples("valid", OTHERS, 64, 3),
}
for name, (*_, labels) in SETS.items():
    print(f"{name:6s} {len(labels)} pairs, labels from {labels.min():.2f} to {labels.max():.2f}")

# %% [markdown]
# **The loss** has two terms: the score of (clean, clean) should be 1, and that of (clean, enhanced)
# should be its label. Here it is by hand and by the package:

# %%
clean, spoilt, labels = (part[:4] for part in SETS["seen"])
network = MetricDiscriminator(channels=8).eval()
by_hand = (network(clean, clean) - 1).square().mean()
by_hand = by_hand + (network(clean, spoilt) - labels).square().mean()
print(by_hand.item(), discriminator_loss(network, clean, spoilt, labels).item())

# %% [markdown]
# **Train three discriminators** that differ only in their seed. They have half the channels of the
# package's discriminator, so that you need not wait long: all three take 15 to 60 seconds.


# %%
def trained_discriminator(seed, steps=100, batch=8):
    """A discriminator that was trained on the seen pairs."""
    torch.manual_seed(seed)
    network, (clean, spoilt, labels) = MetricDiscriminator(channels=8), SETS["seen"]
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, betas=(0.8, 0.99))
    for _ in range(steps):
        picked = torch.randint(len(labels), (batch,))
        loss = discriminator_loss(network, clean[picked], spoilt[picked], labels[picked])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval().requires_grad_(False)


# %%
start = perf_counter()
JUDGES = [trained_discriminator(seed) for seed in range(3)]
print(f"{perf_counter() - start:.0f} s")

# %% [markdown]
# **What do we compare with?** A number without a comparison says little. Two simple opinions need
# no network. One always says the mean label of the seen pairs (*constant*). The other is a linear
# function of **one number**, the logarithm of the distance between the two magnitudes (*line*); its
# two parameters are fitted on the seen pairs.
#
# **Guess.** On which of the three sets does the network beat the line?


# %%
def distances(clean, spoilt):
    """Log of the root mean square difference of two magnitudes [B]."""
    return (clean - spoilt).square().mean((1, 2)).sqrt().clamp_min(1e-3).log()


def line_opinion(clean, spoilt):
    """Score [B] by a straight line over `distances`, fitted on the seen pairs."""
    known = torch.stack([distances(*SETS["seen"][:2]), torch.ones(len(SETS["seen"][2]))], dim=1)
    slope, offset = torch.linalg.lstsq(known, SETS["seen"][2][:, None]).solution[:, 0]
    return slope * distances(clean, spoilt) + offset


# %% tags=["frame"]
ERRORS = {}  # mean absolute error of the label
for name, (clean, spoilt, labels) in SETS.items():
    ERRORS[name, "constant"] = [(SETS["seen"][2].mean() - labels).abs().mean().item()]
    ERRORS[name, "line"] = [(line_opinion(clean, spoilt) - labels).abs().mean().item()]
    scores = [
        torch.cat([j(c[None], s[None]) for c, s in zip(clean, spoilt, strict=True)]) for j in JUDGES
    ]
    ERRORS[name, "network"] = [(s - labels).abs().mean().item() for s in scores]

for (name, judge), errors in ERRORS.items():
    text = f"{min(errors):.3f}" + (f" to {max(errors):.3f}" if len(errors) > 1 else "")
    print(f"{name:6s} {judge:9s} mean error of the label {text}")
figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharex=True, sharey=True, layout="constrained")
for place, (name, (clean, spoilt, labels)) in zip(axes, SETS.items(), strict=True):
    for seed, (judge, mark) in enumerate(zip(JUDGES, "ox+", strict=True)):
        style = {"markersize": 3, "alpha": 0.6, "fillstyle": "none", "label": f"seed {seed}"}
        place.plot(labels, judge(clean, spoilt), mark, **style)
    place.plot([0, 1], [0, 1], color="black", linewidth=0.6)
    place.set(title=name, xlabel=f"label, from {METRIC}")
axes[0].set(ylabel="opinion of three discriminators")
axes[0].legend(fontsize=8)
network_errors = {name: np.mean(ERRORS[name, "network"]) for name in SETS}
show(
    figure,
    "Opinion over label for seen, new and other pairs, with a different mark for each of three "
    "discriminators. Seen pairs lie near the diagonal, the others scatter more: mean errors "
    + ", ".join(f"{error:.3f} ({name})" for name, error in network_errors.items())
    + ".",
)

# %% [markdown] tags=["answer"]
# Read the lines above the figure. On the seen pairs, the network is clearly better than the line.
# On new pairs and on other noises, look whether the line's error lies within the network's range,
# or below it. If it does, we have **not shown** that the network knows more about unseen sounds
# than one distance does. The network has learnt its pairs. More pairs and a longer training may
# help, but a metric GAN does not depend on that: its discriminator is trained on what the generator
# makes *now*, and is asked about nothing else.

# %% [markdown]
# > **Try it.** What is harder for the discriminators, a new voice or a new noise? Compare the error
# > on the seen pairs with the errors for each kind of noise with new voices. The four kinds take
# > turns in a set, so pairs 0, 4, 8, … of the set have the first kind.

# %% tags=["try"]
# Answer: the new voice for all three; whether a new noise is harder still depends on the seed.
# With 16 pairs a row, look only for what is alike in all three columns.
print(f"{'mean error, by seed':24s}", *(f"{seed:6d}" for seed in range(3)))
for which in SETS:
    print(f"all {which + ' pairs':20s}", *(f"{error:6.3f}" for error in ERRORS[which, "network"]))
for which, kinds in (("new", KNOWN), ("other", OTHERS)):
    new_clean, new_spoilt, new_labels = SETS[which]
    for number, kind in enumerate(kinds):
        mine = slice(number, None, 4)  # 16 pairs
        each = [(j(new_clean[mine], new_spoilt[mine]) - new_labels[mine]).abs() for j in JUDGES]
        print(f"{which + ', ' + kind:24s}", *(f"{error.mean():6.3f}" for error in each))

# %% [markdown]
# A question while this is fresh:

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "The generator makes enhanced speech with a PESQ of 2.75. What is the discriminator's target?",
    {
        "0.5": "(2.75 − 1) / 3.5 = 0.5: how good it is, on the scale of section 3.",
        "0": "That would be real or fake: any enhanced speech is fake.",
        "1": "1 is the target for the pair (clean, clean). It is also what the generator wants to "
        "hear about its own speech, but that is the generator's loss, not the discriminator's.",
        "2.75": "The output only goes up to 1.2; the label is brought to that scale.",
    },
    correct="0.5",
)

# %% [markdown]
# ## 5 What the gradient looks like
#
# **Why.** The generator learns only from the *gradient* of the score. For each point of the
# spectrogram, the gradient says whether more or less energy there would raise the score. We can
# draw it.
#
# Here we know what a good gradient would be: it should point from the noisy magnitude to the clean
# one. The noise of this section is the fan again, at 20 dB.

# %%
heard = clips.pair("garage_fan")[0][: 2 * SAMPLE_RATE]  # [N], clean
with_fan = mix_at_snr(heard, clips.noise("fan", len(heard) / SAMPLE_RATE, seed=1), 20)
both = torch.from_numpy(np.stack([with_fan, heard]).astype(np.float32))  # [2, N]
noisy, clean = scale(both[:1], both[1:])  # [1, N] each
clean_magnitude = analyse(clean)[0]  # [1, F, T]
noisy_magnitude, noisy_phase = analyse(noisy)  # [1, F, T] each
wanted = clean_magnitude - noisy_magnitude  # [1, F, T]


# %%
def gradient(judge, magnitude):
    """How the judge's score of (clean, magnitude) changes with each point [1, F, T]."""
    magnitude = magnitude.clone().requires_grad_()
    return torch.autograd.grad(judge(clean_magnitude, magnitude).sum(), magnitude)[0]


# %% tags=["frame"]
gradients = [gradient(judge, noisy_magnitude) for judge in JUDGES]
for seed, found in enumerate(gradients):
    alike = torch.cosine_similarity(found.flatten(), wanted.flatten(), dim=0)
    power = found.square().flatten().sort(descending=True).values.cumsum(0)
    share = (power < 0.9 * power[-1]).float().mean()  # of the points
    print(f"seed {seed}: cosine with the wanted direction {alike:5.2f}", end=", ")
    print(f"nine tenths of its energy at {100 * share:.0f} % of the points")

# %% tags=["frame"]
figure, axes = plt.subplots(1, 3, figsize=(11, 3), sharey=True, layout="constrained")
plot_spectrogram(expand(noisy_magnitude[0]), axes[0], "noisy")
maps = {"clean minus noisy": wanted, "gradient of the score": gradients[0]}
for place, (title, values) in zip(axes[1:], maps.items(), strict=True):
    limit = values.abs().quantile(0.99).item()
    plot_map(values[0], place, title, "less (blue), more (red)", (-limit, limit), "RdBu_r")
show(
    figure,
    "Three maps of two seconds. Left, the noisy speech. Middle, clean minus noisy: blue, which "
    "means less, in the pauses and most of all below 2000 Hz, and pale where the speech is loud. "
    "Right, the gradient of one discriminator's score: a few square patches of fine red and blue "
    "specks, each about 0.3 s wide and 1800 Hz high, and next to nothing between them.",
)

# %% [markdown]
# **Patches.** Four kernels of size 4 with stride 2 lie between the spectrogram and the maximum. So
# each value that enters the maximum sees $1 + 3 \cdot (1 + 2 + 4 + 8) = 46$ points along each axis.
# The maximum picks one place for each channel, and only what that place sees gets a gradient (the
# norms spread a little of it). So one look at one sound teaches the generator something about a few
# patches only.
#
# A cosine of 1 would mean the straight way to the clean speech; for a random direction the cosine
# is near 0. The gradients of our three discriminators are hardly better than that. Their scores for
# the seen pairs are close to the labels (section 4), and yet the gradients point in almost random
# directions. A good *value* does not mean a good *gradient*. The gradient of the straight line is
# better, by definition: its score rises fastest straight towards the clean speech.
#
# **Follow it.** What if we take the noisy magnitude and climb the score of a *single, frozen*
# discriminator in 30 small steps, with no generator at all? **Guess** where three numbers go: the
# score of this discriminator, the scores of the two others, and PESQ. Cost: 5 to 30 seconds.


# %%
def climb(judge, steps=30, size=0.005):
    """The noisy magnitude after some steps up the judge's gradient, each of relative `size`."""
    magnitude = noisy_magnitude.clone()
    for _ in range(steps):
        direction = gradient(judge, magnitude)
        move = size * noisy_magnitude.norm() * direction / direction.norm()
        magnitude = (magnitude + move).clamp_min(0)
    return magnitude


def heard_as(magnitude):
    """Waveform [N] of a magnitude with the noisy phase."""
    return synthesise(magnitude, noisy_phase, clean.shape[-1])[0].numpy()


# %% tags=["frame"]
climbed = [climb(judge) for judge in JUDGES]
for seed, result in enumerate(climbed):
    others = [j(clean_magnitude, result).item() for j in JUDGES[:seed] + JUDGES[seed + 1 :]]
    own = JUDGES[seed](clean_magnitude, result).item()
    print(f"climbed {seed}: its own opinion {own:.2f}, the others {others[0]:.2f}, ", end="")
    print(f"{others[1]:.2f}, measured {quality(clean[0].numpy(), heard_as(result)):.3f}")
before = ", ".join(f"{j(clean_magnitude, noisy_magnitude).item():.2f}" for j in JUDGES)
print(f"before: {before}; measured {quality(clean[0].numpy(), noisy[0].numpy()):.3f}")

# %% tags=["frame"]
row(
    {
        "noisy": noisy[0].numpy(),
        "climbed 0": heard_as(climbed[0]),
        "climbed 1": heard_as(climbed[1]),
        "clean": clean[0].numpy(),
    },
    SAMPLE_RATE,
    title="Up the gradient of a frozen discriminator",
    transcript=clips.info("garage_fan").text,
    listen_for="Is 'climbed' better than 'noisy'? What did the climb change?",
)

# %% [markdown] tags=["answer"]
# The score that was climbed goes to the top of its scale. The two other scores rise far less, and
# the measured label hardly moves. The discriminator was *fooled*: many changes raise its score, and
# few of them are improvements. Each discriminator is fooled mostly in its own way, as the opinions
# of the others show. This is why the two networks are trained **in turns**. As soon as the
# generator finds such a trick, PESQ says what it is worth, and the discriminator learns that label
# in its next step. A generator is also less free than our climb: it has to treat every recording
# with the same weights, so a trick that works on only one of them is of little use to it.

# %% [markdown]
# ## 6 The step
#
# ![](figures/map_06_step.svg)
#
# Each step trains the generator, then the discriminator. Four things keep the two apart.
#
# ![](figures/06_step.svg)
#
# **1 `requires_grad_(False)`.** In the generator's half, the gradient runs *through* the
# discriminator but must not be collected *in* it. **2 `detach`.** In the discriminator's half, the
# enhanced speech is data, so no gradient may run back into the generator.
#
# **A tiny example.** Each network is one weight: the generator makes $y = a x$, and the
# discriminator says $D = b y$. With $a = 2$, $b = 3$ and $x = 1$ the discriminator says 6. The
# generator wants 1, so its loss is $(6 - 1)^2$. The discriminator should say the label, 0.5, so its
# loss is $(6 - 0.5)^2$. Compute the four slopes by hand. In the generator's half, that of $a$ is
# $2 \cdot 5 \cdot b$ and that of $b$ is $2 \cdot 5 \cdot a$. In the discriminator's half, that of
# $b$ is $2 \cdot 5.5 \cdot a$ and that of $a$ is $2 \cdot 5.5 \cdot b$.

# %%
for kept_apart in (True, False):
    a, b = (torch.tensor(value, requires_grad=True) for value in (2.0, 3.0))
    b.requires_grad_(not kept_apart)
    (b * a * 1 - 1).square().backward()  # the generator's half
    print("kept apart" if kept_apart else "careless  ", "generator's half: a", a.grad, "b", b.grad)
    b.requires_grad_(True)
    y = (a * 1).detach() if kept_apart else a * 1
    (b * y - 0.5).square().backward()  # the discriminator's half
    print("           discriminator's half:     a", a.grad, "b", b.grad)

# %% [markdown]
# `backward` *adds* to what is there. In the careless version the discriminator's slope is the sum
# of two aims: to be right, and to please the generator. And the generator's slope has a second
# part, which asks for speech as bad as its label says.
#
# `zero_grad` in the right place would hide the fault in the discriminator's slope: it would throw
# away what the generator's half has left there. Section 11 has a bug hunt about this.
#
# **3 Two optimisers.** Each holds the parameters of one network. **4 The label comes late.** PESQ
# is computed on the processor, pair by pair. How long does it take, compared with the rest?

# %% tags=["frame"]
like_tiny = EffiFusionGenerator(preset("tiny"))
two_seconds = [wave[: 2 * SAMPLE_RATE] for wave in clips.pair("garage_fan")]
seconds = {"label": [], "generator": []}
for _ in range(4):
    start = perf_counter()
    quality(*two_seconds)
    seconds["label"].append(perf_counter() - start)
    start = perf_counter()
    like_tiny(*analyse(torch.from_numpy(two_seconds[1])[None]))[0].sum().backward()
    seconds["generator"].append(perf_counter() - start)
for name, found in seconds.items():
    print(
        f"{name:9s} {1000 * min(found[1:]):.0f} to {1000 * max(found[1:]):.0f} ms for 2 s of sound"
    )

# %% [markdown]
# On one processor core, a label takes little time compared with the networks. A graphics card makes
# the networks many times faster, but not PESQ, and then everything waits for labels. So the package
# computes the labels in other processes while the *next* step is running, and trains the
# discriminator with the labels of the **step before**. The pair that waits is called `pending`.
#
# **The order**, then: the generator runs, the discriminator gives its opinion, and the generator
# makes its step; the discriminator makes its step on the pair that has waited; the new pair starts
# to wait.

# %% [markdown]
# ## 7 The loop, and 20 steps equal to the package
#
# We have all the parts. The networks of this section are very small, and the recordings last half a
# second, so that 20 steps take seconds. The numbers need not be good; they have to be **equal**.
#
# `CONFIG` holds the settings of the training. With `warmup=5` the learning rates rise during the
# first five steps, and `CONFIG.rate_at(step)` is the factor by which both are multiplied. With
# `gan_start=0.0` the discriminator takes part from the first step on. `weight_decay=0.0` means that
# nothing pulls the weights towards 0. `CONFIG.losses` are the weights of the loss terms (chapter
# 05), `CONFIG.clip` is the largest norm that the generator's gradient may have, and `CONFIG.ema`
# says how slowly a moving average follows the generator's weights.

# %%
GENERATOR = GeneratorConfig(
    channels=8, blocks=1, head_channels=8, expansion=2, dilations=(1, 2), multi_scale_kernels=()
)
CONFIG = TrainingConfig(
    GENERATOR, steps=20, batch_size=2, warmup=5, gan_start=0.0, weight_decay=0.0, seed=1
)
SETTINGS = {"betas": CONFIG.betas, "weight_decay": 0.0}
BATCHES = [  # noisy and clean waveforms [2, 8000] of each step
    spoilt_pairs("valid", ["fan"], 2, step, 0.5, (0, 10), filtered=False)[::-1]
    for step in range(CONFIG.steps)
]

# %% [markdown]
# **The generator's half.** It returns what has to wait: the clean magnitude, the enhanced one, and
# the labels. We compute the labels at once; they are late only because they are used one step
# later.


# %%
def generator_step(generator, judge, optimiser, noisy, clean):
    """One step of the generator; returns a pair of magnitudes [B, F, T] and its labels."""
    noisy, clean = scale(noisy, clean)
    target, _ = analyse(clean)
    optimiser.zero_grad()
    judge.requires_grad_(False)  # the gradient passes, and nothing is collected
    magnitude, phase = generator(*analyse(noisy))
    score = judge(target, magnitude)
    terms, enhanced = losses.generator_losses(clean, magnitude, phase, SpectralConfig(), score)
    losses.weighted_sum(terms, CONFIG.losses).backward()
    nn.utils.clip_grad_norm_(generator.parameters(), CONFIG.clip)
    optimiser.step()
    waveforms = zip(clean.numpy(), enhanced.detach().numpy(), strict=True)
    return target, magnitude.detach(), [normalised_pesq(*pair) for pair in waveforms]


# %% [markdown]
# **The discriminator's half** comes next, then the moving average of the generator's weights. This
# average is the network that is kept in the end (chapter 08):


# %%
def discriminator_step(judge, optimiser, target, enhanced, labels):
    """One step of the discriminator, on a pair that has waited."""
    judge.requires_grad_(True)
    optimiser.zero_grad()
    discriminator_loss(judge, target, enhanced, torch.tensor(labels)).backward()
    optimiser.step()


# %%
@torch.no_grad()
def follow(average, generator, step):
    """Moves each weight of the average a little towards the generator's."""
    decay = min(CONFIG.ema, (1 + step) / (10 + step))
    for kept, new in zip(average.parameters(), generator.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


# %% [markdown]
# **The loop.** The order in which the networks are made matters: they draw their weights one after
# the other from the same random numbers.


# %%
def beginning():
    """Generator, average and discriminator as they are drawn from the seed."""
    torch.manual_seed(CONFIG.seed)
    generator, average = EffiFusionGenerator(GENERATOR), EffiFusionGenerator(GENERATOR)
    average.load_state_dict(generator.state_dict())
    return generator, average, MetricDiscriminator()


# %%
def train_by_hand(batches):
    """Generator, average and discriminator after these batches."""
    (generator, average, judge), pending = beginning(), None
    first, second = (torch.optim.AdamW(n.parameters(), **SETTINGS) for n in (generator, judge))
    for step, batch in enumerate(batches):
        first.param_groups[0]["lr"] = CONFIG.learning_rate * CONFIG.rate_at(step)
        second.param_groups[0]["lr"] = CONFIG.discriminator_learning_rate * CONFIG.rate_at(step)
        fresh = generator_step(generator, judge, first, *batch)
        follow(average, generator, step)
        if pending is not None:
            discriminator_step(judge, second, *pending)
        pending = fresh
    return generator, average, judge


# %% [markdown]
# **Proof.** The package's `Trainer` gets the same 20 batches and the same seed. (It computes labels
# in other processes; in a notebook one thread is enough.) Cost: 5 to 30 seconds.


# %%
NAMES = ("generator", "average", "discriminator")


def new_trainer():
    trainer = Trainer(CONFIG, torch.device("cpu"))
    trainer.pool = ThreadPoolExecutor(1)
    return trainer


def largest_difference(first, second):
    """Between the parameters of two networks."""
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


# %%
by_hand, trainer = train_by_hand(BATCHES), new_trainer()
reports = [trainer.train_step(step, *batch) for step, batch in enumerate(BATCHES)]
pairs = zip(by_hand, (getattr(trainer, name) for name in NAMES), strict=True)
differences = [largest_difference(*pair) for pair in pairs]
print(dict(zip(NAMES, differences, strict=True)), "after", len(reports), "steps")
assert max(differences) < 1e-6

# %% [markdown]
# `Trainer` reports all terms of the loss after each step. The discriminator's loss and the label
# are missing from the first report: at that time no pair is waiting yet.

# %% tags=["frame"]
for step in (0, 1, 19):
    shown = {name: reports[step].get(name) for name in ("loss", "metric", "discriminator", "label")}
    print(step, {name: None if v is None else round(v, 3) for name, v in shown.items()})

# %% [markdown]
# ## 8 What a checkpoint must hold
#
# **Why.** Long trainings are interrupted: by a power cut, by a time limit, by you. A run that
# resumes from a checkpoint should end *bit for bit* where it would have ended without the
# interruption. Otherwise you cannot know whether a different result comes from your change to the
# code.
#
# The test follows from this: train 20 steps; train 16, save, throw everything away, load, train the
# other 4; compare. `io.BytesIO` is a file that lives in memory.

# %%
STOP = 16


def saved():
    """The checkpoint after STOP steps, as bytes."""
    trainer, file = new_trainer(), io.BytesIO()
    for step in range(STOP):
        trainer.train_step(step, *BATCHES[step])
    torch.save(trainer.state(), file)
    return file.getvalue()


# %%
def gone_on(checkpoint, without=None):
    """A trainer that resumes from the checkpoint, one part of which may be lost."""
    trainer, state = new_trainer(), torch.load(io.BytesIO(checkpoint), weights_only=True)
    if without is not None:
        state[without] = trainer.state()[without]  # that of a training that just began
    trainer.load_state(state)
    for step in range(STOP, CONFIG.steps):
        trainer.train_step(step, *BATCHES[step])
    return trainer


# %%
checkpoint = saved()
print(f"{len(checkpoint) / 1e6:.1f} MB:", ", ".join(torch.load(io.BytesIO(checkpoint))))

# %% [markdown]
# `masks` says which weights are pruned (chapter 07), `pending` is the pair that waits, and `random`
# is the state of the random generator. **Guess**: which of these parts could be left out without
# changing the generator? Cost: the next cell resumes nine times; 5 to 40 seconds.

# %% tags=["frame"]
never_stopped = new_trainer()
for step, batch in enumerate(BATCHES):
    never_stopped.train_step(step, *batch)
LOST = {}  # largest differences of the three networks
print(f"{'':31s}", *(f"{name:>13s}" for name in NAMES))
for part in (None, *torch.load(io.BytesIO(checkpoint))):
    trainer = gone_on(checkpoint, part)
    LOST[part] = [largest_difference(getattr(never_stopped, n), getattr(trainer, n)) for n in NAMES]
    name = f"without {part}" if part else "with everything"
    print(f"{name:31s}", *(f"{value:13.1e}" for value in LOST[part]))
assert max(LOST[None]) == 0

# %% [markdown] tags=["answer"]
# With everything in the checkpoint all three networks are *equal*, not only close. Nearly every
# part matters: the generator, of course, but also the moments of Adam (`optimiser` and
# `discriminator_optimiser`), the discriminator, and even the one pair that waits for its label.
# Without the average, only the average itself changes; but it is the network that is kept in the
# end. Two parts change nothing here. There are no masks, because nothing is pruned. And the state
# of the random generator has no effect: this network draws no random numbers while it trains, and
# each batch is made from its own seed. A network with dropout would need that state, so it is kept
# all the same.

# %% [markdown]
# `Run` in `effifusion_lite/training/runs.py` writes a checkpoint to a new file first and then
# renames the file. If the run is killed in the middle of writing, the last complete checkpoint is
# still there.

# %% [markdown]
# ## 9 Hear it: along the training, and with or without a discriminator
#
# `tiny` was saved at some steps of its first long training (the listening lab plays them too). Each
# position of the slider below plays the same sentence, enhanced with the weights of that step.
# Under the slider are the label and the opinions of our three discriminators of section 4, which
# have never seen the output of a network.
#
# **Guess.** Will they put the steps in the order of PESQ? The output of the next cells shows the
# scores first, then the rank correlations. Cost: 5 to 60 seconds.

# %% tags=["frame"]
voice, mixture = (wave[: 3 * SAMPLE_RATE] for wave in clips.pair("garage_fan"))  # [N] each
training = frames.training_frames(voice, mixture)


def opinions(enhanced):
    """What the three discriminators of section 4 say about enhanced speech [N]."""
    waves = torch.from_numpy(np.stack([voice, enhanced]))  # [2, N]
    _, waves = scale(torch.from_numpy(mixture)[None], waves)
    clean, enhanced = analyse(waves)[0][:, None]  # [1, F, T] each
    return [judge(clean, enhanced).item() for judge in JUDGES]


# %% tags=["frame"]
places = [place for place in training.sounds if place != "clean"]
measured = [quality(voice, training.sounds[place]) for place in places]
judged = np.array([opinions(training.sounds[place]) for place in places])  # [places, 3]
texts = {}
for place, label, three in zip(places, measured, judged, strict=True):
    texts[place] = f"label {label:.2f}, opinions " + ", ".join(f"{score:.2f}" for score in three)
    print(f"{place:>6} {texts[place]}")

# %% tags=["frame"]
ranks = [np.argsort(np.argsort(values)) for values in (measured, *judged.T)]
for seed, mine in enumerate(ranks[1:]):
    print(f"seed {seed}: rank correlation {np.corrcoef(ranks[0], mine)[0, 1]:.2f}", end=", ")
    print(f"mean error {np.abs(judged[:, seed] - measured).mean():.2f}")

# %% tags=["frame"]
slider(
    {place: sound for place, sound in training.sounds.items() if place not in (120, 600, 1200)},
    "training step",
    title=f"tiny while it learns: {clips.info('garage_fan').condition}",
    transcript=clips.info("garage_fan").text,
    listen_for="Where do you hear an improvement that the discriminators do not see, or the "
    "opposite?",
    texts={place: text for place, text in texts.items() if place not in (120, 600, 1200)},
)

# %% [markdown]
# The discriminators were trained on noise and a Wiener filter, never on the output of a network.
# Still, from step 60 to step 400 all three rise with PESQ. Later, where PESQ hardly changes, the
# order depends on the seed. These are the same discriminators whose gradients pointed in almost
# random directions in section 5.
#
# **With and without a discriminator.** The ablation study of this project trained `tiny` on two
# hours of noisy speech, once with the losses of chapter 05 alone and once with the discriminator as
# well. Can you tell the two apart? X is one of them. Decide on a number of rounds before you begin.

# %% tags=["frame"]
both = {
    name: sound
    for name, sound in red_thread.versions(6).items()
    if name in ("losses alone", "with discriminator")
}
if both:
    page = abx(
        {name: sound[: 3 * SAMPLE_RATE] for name, sound in both.items()},
        title="With or without the discriminator?",
        listen_for="Are the pauses the same? Do s and f sound equally sharp?",
    )
else:
    page = "These two exist only for the built-in sentence."
page

# %% [markdown]
# ## 10 What it is worth
#
# These rows are from the table of the same study, with three seeds each, scored on its validation
# mixtures. The range over the seeds is in brackets:

# %% tags=["frame"]
TABLE = Path(losses.__file__).parents[1] / "recipes" / "ablation" / "table.md"
ABLATION, WORTH = {}, "not known here: the table was not found"
if TABLE.exists():
    heads, *rows = (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in TABLE.read_text(encoding="utf-8").splitlines()
    )
    for cells in rows:
        if cells[0] in ("complete", "with GAN"):
            ABLATION[cells[0]] = dict(zip(heads, cells, strict=True))
            shown = zip(heads[:6], cells[:6], strict=True)
            print(", ".join(f"{head}: {cell or '–'}" for head, cell in shown))
    WORTH = (
        f"PESQ with the discriminator {ABLATION['with GAN']['PESQ']}, without "
        f"{ABLATION['complete']['PESQ']}; difference: {ABLATION['with GAN']['difference']}."
    )
else:
    print("The table is not part of the installed package: it is in the project's repository.")

# %% [markdown]
# Source: `recipes/ablation/table.md`. There, "complete" has no discriminator, but a differentiable
# PESQ is part of its loss. Neither score shows that the discriminator helps: the difference is
# **not shown**. Two hours of noisy speech is little, the discriminator joined only halfway through,
# and a differentiable PESQ already asks for the same thing. Nor do the scores show that it does
# harm.
#
# **What others report.** These numbers are quoted, not measured here:

# %% tags=["frame"]
print("arXiv 2609.35054 (2026), with a metric discriminator against without:")
print("  PESQ on the corpus of the training  3.35 -> 3.42")
print("  PESQ on another corpus              2.21 -> 2.16, SI-SDR 12.1 -> 10.0 dB")
print("  twelve experts preferred the models without a loss made of PESQ")
print("MetricGAN+ (2021), PESQ on VoiceBank+DEMAND: 3.15")

# %% [markdown]
# The pattern fits what sections 4 and 5 measured on a small scale: a discriminator knows what it
# was trained on, and its score can rise without an improvement. That is a likely reason, not a
# proof.
#
# So why does this project have a discriminator? It is part of the paper's design, and in the
# numbers quoted above, the metric that it is trained for rises on the corpus of the training. If
# you report such a gain, report another corpus and another score as well.

# %% [markdown]
# ## 11 Exercises
#
# Write your code where the three dots are; in exercise 3, mend the code that is there. The check
# below each exercise says what is likely to be wrong. Short of time? Do 1 and 3.
#
# ### Exercise 1 · Warm-up: a loss that can miss a label (10 minutes)
#
# Write the discriminator's loss from its opinions: the mean squared error of `of_clean` against 1,
# plus that of `of_enhanced` against the labels. A label may be NaN. Such a pair takes no part in
# the second term; where all labels are NaN, that term is 0. The check also runs `backward`: the
# gradients have to be right as well.


# %% tags=["exercise"]
def my_discriminator_loss(of_clean, of_enhanced, labels):
    """Opinions of (clean, clean) and of (clean, enhanced) [B], labels [B] -> loss, a scalar."""
    # BEGIN SOLUTION
    loss = (of_clean - 1).square().mean()
    known = ~labels.isnan()  # [B]
    if known.any():
        loss = loss + (of_enhanced[known] - labels[known]).square().mean()
    return loss
    # END SOLUTION


# %%
solved_1 = chapter06.check_discriminator_loss(my_discriminator_loss)

# %% [markdown] tags=["hint"]
# `~labels.isnan()` is a mask of type bool; `labels[known]` picks the labels that are known.

# %% [markdown] tags=["hint"]
# The mean of no numbers is NaN. Ask with `known.any()` first.

# %% [markdown] tags=["solution"]
# Multiplying by 0 would not help: 0 times NaN is NaN. `torch.where` after the subtraction would not
# help either: the loss would be right, but `backward` multiplies by 0 there, and the gradient
# becomes NaN. And the mean is taken over the known pairs only; otherwise a batch with a missing
# label would have a smaller second term.

# %% [markdown]
# ### Exercise 2 · Write it: spectral norm by power iteration (20 minutes)
#
# Divide a kernel by its largest singular value, found by `turns` turns of power iteration. Begin
# with a $v$ whose entries are all equal. The weight may have any number of dimensions: its first
# dimension gives the rows of the matrix. After the last turn the value is $\sigma = |W v|$.
#
# In training, $\sigma$ has to carry a gradient as well; otherwise the network could not know that a
# larger weight is divided by a larger number. So compute $|W v|$ with torch and do not detach it.
# (`torch.linalg.svdvals` gives the value after infinitely many turns. The check asks for few.)


# %% tags=["exercise"]
def my_spectral_norm(weight, turns):
    """Weight [O, ...] -> weight / sigma [O, ...], sigma after that many turns."""
    # BEGIN SOLUTION
    matrix = weight.flatten(1)  # [O, K]
    v = torch.ones_like(matrix[0]) / matrix.shape[1] ** 0.5  # [K]
    for _ in range(turns):
        u = matrix @ v  # [O]
        v = matrix.T @ (u / u.norm())  # [K]
        v = v / v.norm()
    return weight / (matrix @ v).norm()
    # END SOLUTION


# %%
solved_2 = chapter06.check_spectral_norm(my_spectral_norm)

# %% [markdown] tags=["hint"]
# `weight.flatten(1)` keeps the first dimension and joins the others. One turn is two lines of
# section 3.

# %% [markdown] tags=["hint"]
# Divide a vector by its norm to bring it to length 1. Do so after each product; otherwise it grows
# with every turn, until its entries are infinite.

# %% [markdown] tags=["solution"]
# The package's layer keeps $u$ and $v$ from step to step, so one turn per step is enough. It
# computes them without a gradient, and only $\sigma$ with one.

# %% [markdown]
# ### Exercise 3 · Bug hunt: a step that pleases (15 minutes)
#
# This function makes one step of both networks, here on plain vectors instead of spectrograms. It
# runs, both losses fall, and the generator's loss falls *faster* than in the right version. But
# something is wrong. Find the *property* that does not hold: what must the discriminator's new
# weights not depend on? Then mend the function.


# %% tags=["exercise"]
def my_step(generator, judge, first, second, noisy, clean, label):
    """One step; `first` and `second` are the optimisers of generator and judge, `label` [B]."""
    # BEGIN BUG
    first.zero_grad()
    second.zero_grad()
    enhanced = generator(noisy)  # [B, N]
    loss = (judge(clean, enhanced) - 1).square().mean()
    loss.backward()
    first.step()
    judge_loss = (judge(clean, clean) - 1).square().mean()
    judge_loss = judge_loss + (judge(clean, enhanced.detach()) - label).square().mean()
    judge_loss.backward()
    second.step()
    # END BUG
    # BEGIN SOLUTION
    judge.requires_grad_(False)
    first.zero_grad()
    enhanced = generator(noisy)  # [B, N]
    loss = (judge(clean, enhanced) - 1).square().mean()
    loss.backward()
    first.step()
    judge.requires_grad_(True)
    second.zero_grad()
    judge_loss = (judge(clean, clean) - 1).square().mean()
    judge_loss = judge_loss + (judge(clean, enhanced.detach()) - label).square().mean()
    judge_loss.backward()
    second.step()
    # END SOLUTION
    return loss.detach(), judge_loss.detach()


# %%
solved_3 = chapter06.check_step(my_step)

# %% [markdown] tags=["hint"]
# Multiply the generator's loss by 100 in `my_step`, and look at the discriminator's new weights.
# Should they change? `chapter06.plain_networks` makes two small networks for a trial:
#
# ```python
# torch.manual_seed(1)
# generator, judge = chapter06.plain_networks(seed=1)  # vectors of 4 numbers
# first, second = (torch.optim.SGD(n.parameters(), 0.5) for n in (generator, judge))
# noisy, clean, label = torch.randn(6, 4), torch.randn(6, 4), torch.rand(6)
# print(my_step(generator, judge, first, second, noisy, clean, label))
# print(judge.layer.weight)
# ```

# %% [markdown] tags=["hint"]
# Put `print(judge.layer.weight.grad)` right before `judge_loss.backward()` in `my_step`, and run
# the trial of hint 1 again. Why is a gradient there already, before the discriminator's half has
# begun? Look at the careless version in section 6.

# %% [markdown] tags=["solution"]
# The generator's half leaves a gradient in the discriminator, and the discriminator's half adds to
# it. So the discriminator also learns to say 1 to whatever the generator makes: it pleases the
# generator. Its scores of enhanced speech creep above the labels, and the generator's loss falls
# although its output is no better. Moving one line would mend this: put `second.zero_grad()` right
# before `judge_loss.backward()`. With `requires_grad_(False)` the gradient that would be thrown
# away is not even computed, which saves time.

# %% tags=["frame"]
print(sum([solved_1, solved_2, solved_3]), "of 3 exercises with a check solved")

# %% [markdown]
# ### Exercise 4 · Open: what was it never taught? (15 minutes)
#
# The discriminators of section 4 know noise and the Wiener filter. Predict, in writing, what they
# and PESQ say about clean speech that is (a) 10 ms late, (b) half as loud, (c) without everything
# above 2 kHz, (d) clipped at ±0.1. Then measure. Which gap between the discriminators and PESQ
# would a generator exploit?
#
# The next cell, which is folded, defines `asked(original, changed)`. It returns the label and the
# three opinions.

# %% tags=["frame"]
original = clips.load("clb_river")[0][: 2 * SAMPLE_RATE]  # [N]


def asked(original, changed):
    """Label of a pair of waveforms [N], and the opinions of the discriminators of section 4."""
    pair = torch.from_numpy(np.stack([original, changed]).astype(np.float32))  # [2, N]
    _, pair = scale(pair[:1], pair)
    clean, other = analyse(pair)[0][:, None]  # [1, F, T] each
    return quality(original, changed), [judge(clean, other).item() for judge in JUDGES]


print(asked(original, original))

# %% [markdown] tags=["answer"]
# The next cell measures one sentence. The delay and the level cost little, both in the label and in
# the opinions. Without the high frequencies, all three discriminators say much less than PESQ: they
# have never met such a sound, and they are too strict with it, which a generator cannot exploit.
# For the clipped speech, look at how far the three differ, and whether some of them say much more
# than PESQ. That gap is what a generator could exploit. One sentence and three discriminators only
# show that it can happen.

# %% tags=["try"]
# Answer: delay and level cost little; about missing highs and clipping, judges and PESQ disagree.
bins = np.fft.rfft(original)
bins[np.arange(len(bins)) * SAMPLE_RATE / len(original) > 2000] = 0
versions = {
    "as it is": original,
    "10 ms late": np.roll(original, 160),
    "half as loud": original / 2,
    "below 2 kHz": np.fft.irfft(bins, len(original)),
    "clipped": original.clip(-0.1, 0.1),
}
for kind, version in versions.items():
    label, three = asked(original, version)
    said = ", ".join(f"{score:.2f}" for score in three)
    print(f"{kind:13s} label {label:.2f}, opinions {said}")

# %% [markdown]
# ## 12 Quiz
#
# Open an answer to see why it is right or wrong.

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "Why does the discriminator's half use `enhanced.detach()`?",
    {
        "So that its loss sends no gradient into the generator.": "The enhanced speech is data "
        "there. Without `detach`, the generator would also be asked for speech as bad as its label "
        "says (section 6).",
        "So that the discriminator gets no gradient.": "It has to get one: this half trains it. "
        "`detach` cuts off what lies before the enhanced speech.",
        "Because PESQ has no gradient.": "True, but here PESQ only gives a number, and nobody "
        "asks for its gradient.",
    },
    correct="So that its loss sends no gradient into the generator.",
)
quiz(
    "You change a sound until a frozen discriminator's score has doubled. What follows?",
    {
        "Nothing about PESQ.": "In section 5 the score of a frozen discriminator rose, and the "
        "measured label did not follow. Only a measurement can tell.",
        "PESQ rises.": "It would if the discriminator were right about sounds it has never seen.",
        "The sound is worse.": "It may be, but that does not follow, either.",
    },
    correct="Nothing about PESQ.",
)
quiz(
    "A checkpoint holds both networks and the average, nothing else. A run resumes from it. What "
    "is lost?",
    {
        "Bit for bit equality: optimisers and the waiting pair matter.": "Section 8 left them out "
        "one by one, and the weights came out different.",
        "Nothing: only the weights matter.": "The moments of Adam decide the next step, and so "
        "does the pair that waits.",
        "The generator has to start from nothing.": "Its weights are there. The training goes on, "
        "but on another path.",
    },
    correct="Bit for bit equality: optimisers and the waiting pair matter.",
)

# %% [markdown]
# ## 13 What the paper says, and what came out here
#
# The paper is EffiFusion-GAN (Wen and Tan, arXiv 2508.14525). Its abstract and summaries by others
# were available, but not its full text.

# %% tags=["frame"]
claim_table(
    Claim(
        "A generator and a discriminator that judges enhanced against clean speech.",
        "summaries of the paper",
        "Built: the two are trained in turns. The networks by hand and those of the package differ "
        f"by {max(differences):.0e} after {len(reports)} steps.",
        "section 7, proof",
        "That there is a discriminator agrees. That it learns PESQ is a choice of this project.",
    ),
    Claim(
        "What the discriminator adds to the score.",
        "not known, choice of this project",
        WORTH,
        "section 10, table",
        "Two hours of noisy speech, tiny, three seeds; a differentiable PESQ is in both losses.",
    ),
    Claim(
        "Form of the discriminator, its target and its loss.",
        "not known, choice of this project",
        f"Four convolutions with spectral norm; ours and the package's differ by {largest:.0e}.",
        "section 3, proof",
        "There is nothing to compare. CMGAN and MP-SENet, close relatives, have this form.",
    ),
)

# %% [markdown]
# ## 14 The common thread
#
# This chapter adds the network that was trained with the discriminator, next to the one that was
# trained on the losses alone. Each score is for this one sentence and one seed.

# %% tags=["frame"]
red_thread.thread(6)

# %% [markdown]
# ## 15 Summary
#
# - A GAN learns its loss. The target moves: the discriminator follows the generator, and the
#   generator follows the discriminator.
# - A metric discriminator learns a score, not "real or fake". Its target is a measured label, so
#   PESQ gets a gradient.
# - Spectral norm divides each weight matrix by the largest factor by which it can lengthen a
#   vector. A maximum over all places lets the network take any length, and confines its gradient to
#   a few patches.
# - Trained alone, the discriminators knew their own pairs well. It was not shown that they know new
#   pairs better than a single distance does. Their gradients pointed in almost random directions,
#   and a frozen one could be fooled.
# - In a step: no gradient is collected in the discriminator during the generator's half, the
#   enhanced speech is detached in the other half, there are two optimisers, and labels come one
#   step late.
# - A checkpoint holds both networks, both optimisers, the average and the waiting pair.
#
# **Next:** chapter 07 takes weights out of the generator while it learns.
