# %% [markdown]
# # 03 · Dual-norm attention
#
# **The sounds.** The built-in speech is a free synthetic voice, and the noises are made by a random
# generator. Chapter 00 tells how to hear recorded sentences in their place.
#
# **After this chapter you can**
#
# - write attention in a few lines, and follow each of its numbers by hand;
# - say along which axis a layer mixes, and write the test that shows it;
# - compute what attention costs, and say why long recordings go in windows;
# - explain pre-norm, post-norm and dual norm by the gradients they give, and say what the second
#   norm did *not* change when we trained with and without it;
# - read where a trained network looks in a spectrogram, and hear what is lost when it may not look.
#
# **You need** Python with PyTorch at the level of the official 60-minute introduction, and the
# product of two matrices. From chapter 01 you need one fact: a recording becomes a spectrogram, and
# its columns are called frames. From chapter 02 two words: a *depthwise* convolution has one kernel
# for each channel, which sees no other channel (`groups` = number of channels), and a kernel with
# *dilation* d takes every d-th frame.
#
# **Time and cost.** 70 minutes to read and listen, 65 for the exercises, 15 to play with the
# viewer. All cells together take two to three minutes on two processor cores and less than 2 GB of
# memory. Nothing is downloaded.
#
# **Built so far.** Chapter 01 turned a recording into compressed magnitude and phase. Chapter 02
# built the encoder out of convolutions. It makes 32 numbers, the *channels*, for each frame and
# every second frequency. This chapter builds the part that processes these numbers.
#
# ![](figures/map_03.svg)
#
# **The module of this chapter** is `effifusion_lite/attention.py`. Sections 4, 8 and 9 each hold a
# *proof*: a cell that sends the same numbers through our code and through the package or PyTorch's
# own layers, and stops if the results differ. A *check* is the cell that judges an exercise.

# %%
from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn.functional import layer_norm, scaled_dot_product_attention

from effifusion_lite import enhance, load, metrics, spectral
from effifusion_lite.attention import Conformer, DualNormAttention, TwoStageBlock
from effifusion_lite.lesson import Claim, claim_table
from effifusion_lite.lesson.checks import chapter03
from effifusion_lite.lesson.mixtures import short_mixtures
from effifusion_lite.listening import clips, row, widgets_attention
from effifusion_lite.plotting import plot_spectrogram, show

ABLATION = Path(spectral.__file__).parents[1] / "recipes" / "ablation"

# %%
torch.manual_seed(1)
torch.set_printoptions(precision=3, sci_mode=False)
SAMPLE_RATE = 16000  # Hz
FRAME_MS = 6.25  # from one frame to the next, see chapter 01
clean, noisy = clips.pair("garage_fan")  # [N] each
HAS_PESQ = find_spec("pesq") is not None  # without this package PESQ shows as nan

# %% [markdown]
# ## 1 What a convolution cannot see
#
# **Why.** A convolution looks at neighbours. The widest path through the encoder of chapter 02 has
# a kernel of 3 frames, four kernels of 3 with dilations 1, 2, 4, 8, and one of 7 frames. The next
# cell adds up how far that reaches.
#
# Speech repeats itself over a longer time: the same voice makes the same vowel again a second
# later. Noise often does so too. Such distant frames could help to tell voice from noise in this
# one.
#
# **Guess.** Take one frame in a vowel of the noisy sentence. Look for the 50 frames that are most
# like it. How many of them lie outside the view of the encoder? Write your guess down.

# %% tags=["guess"]
reach = 3 + 2 * (1 + 2 + 4 + 8) + (7 - 1)  # frames that the encoder sees
print(f"the encoder sees {reach} frames = {reach * FRAME_MS:.0f} ms")
spectrum = spectral.stft(torch.from_numpy(noisy)[None])[0]  # [F, T]
frames = (spectrum.abs() ** 0.3).T  # [T, F], compressed as in chapter 01
frames = frames - frames.mean(0)  # what differs from the mean spectrum
here = int(torch.from_numpy(clean).square().argmax()) // 100  # a frame in the loudest vowel
likeness = torch.cosine_similarity(frames, frames[here], dim=1)  # [T], 1 = the same direction
most_alike = likeness.argsort(descending=True)[:50]
far = int(((most_alike - here).abs() > reach // 2).sum())
print(f"{far} of the 50 frames that are most alike lie outside the view of the encoder")

# %% tags=["frame"]
seconds = torch.arange(len(likeness)) * FRAME_MS / 1000
figure, axes = plt.subplots(2, 1, figsize=(8, 4.2), sharex=True, layout="constrained")
plot_spectrogram(spectrum.abs(), axes[0], "The noisy sentence", label="")
axes[0].set(xlabel="", ylim=(0, 4000))
axes[1].plot(seconds, likeness, linewidth=0.8)
axes[1].axvline(here * FRAME_MS / 1000, color="black")
axes[1].axvspan(*((here + s * reach // 2) * FRAME_MS / 1000 for s in (-1, 1)), alpha=0.25)
axes[1].plot(seconds[most_alike], likeness[most_alike], ".", color="black", markersize=4)
axes[1].set(xlabel="time (s)", ylabel="likeness", title="Likeness to the frame at the line")
show(
    figure,
    "Above, the spectrogram of the noisy sentence up to 4 kHz. Below, the likeness of each frame "
    f"to one frame at {here * FRAME_MS / 1000:.2f} s. Dots mark the 50 most alike frames; {far} of "
    "them lie outside the shaded view of the encoder.",
)

# %% [markdown]
# We measured likeness by a *dot product* of frames scaled to length 1: multiply two lists of
# numbers place by place, and add the products. The sum is large where the two are alike. Attention
# is built on it.

# %% [markdown]
# ## 2 Attention over four vectors of two numbers
#
# Take a spectrogram so small that you can follow each number: four frames, and two frequencies, low
# and high. A vowel is strong at the low one, a hiss at the high one.
#
# | frame | low | high |
# |---|---|---|
# | vowel | 2 | 0 |
# | pause | 0 | 0 |
# | hiss | 0 | 2 |
# | vowel again | 2 | 1 |
#
# Attention replaces each frame by a *weighted mean of all frames*. We do it for the first frame,
# the vowel, in three steps:
#
# 1. **Score** each frame: its dot product with the vowel, divided by $\sqrt 2$. (The 2 is the
#    number of values in a frame; section 3 shows what the root is good for.)
# 2. **Softmax** makes weights of the scores: raise $e$ to each score, then divide by the sum. All
#    weights are positive, and their sum is 1.
# 3. **Mean**: multiply each frame by its weight, and add them up.
#
# **Guess** before you run the cell: which frames get most of the weight?

# %% tags=["guess"]
x = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 2.0], [2.0, 1.0]])  # [L, C] = [4, 2]
scores = [float(x[0] @ x[j]) / 2**0.5 for j in range(4)]
powers = [2.718281828**s for s in scores]
weights = [power / sum(powers) for power in powers]
for s, power, weight in zip(scores, powers, weights, strict=True):
    print(f"score {s:.3f}   e^score {power:6.3f}   weight {weight:.3f}")
renewed = sum(weight * x[j] for j, weight in enumerate(weights))  # [2]
print("sum of the weights", round(sum(weights), 3), " the vowel becomes", renewed)

# %% [markdown]
# The vowel has found the other vowel, and the result is close to the mean of the two. The distance
# between them did not matter: only likeness counts.
#
# ![](figures/03_steps.svg)
#
# **A frame need not ask for its own kind.** What a frame looks for, what it can be found by, and
# what it hands over may be three different things. So each frame gets three roles, each made from
# its numbers by a matrix that is learned:
#
# - a **query**: what this frame looks for, $q = W_Q\, x$;
# - a **key**: what other frames can find it by, $k = W_K\, x$;
# - a **value**: what it hands over when it is found, $v = W_V\, x$.
#
# If all three matrices leave the frame unchanged, we are back at the cell above. Now let $W_Q$ swap
# the two numbers, so that the query of the vowel is (0, 2): it asks for frames that are strong at
# the *high* frequency.

# %%
W_Q = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
query, key, value = x @ W_Q.T, x, x  # [L, C] each
scores = query[0] @ key.T / 2**0.5  # [L], all four dot products at once
weights = torch.softmax(scores, dim=-1)  # [L]
print("scores ", scores, " weights", weights)
print("the vowel becomes", weights @ value)

# %% [markdown]
# Now the vowel looks at the hiss, and most of what it gets is high. Nothing in the vowel itself has
# changed, only the matrix that makes its query. In a network, training decides what a frame asks
# for; section 10 looks at what came out.
#
# **All rows at once.** The scores of all pairs are one matrix product. With queries, keys and
# values in the rows of $Q$, $K$, $V$ and $D$ numbers in a query:
#
# $$\text{attention}(Q, K, V) = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt D}\right) V$$
#
# In the code, `key.mT` is the matrix transpose: it swaps the last two axes and leaves all axes
# before them alone. For a single matrix it is the same as `key.T`; with `.mT` one function serves
# for a whole batch of matrices.


# %%
def attention_by_hand(query, key, value):
    """[..., L, D] three times -> [..., L, D]."""
    scores = query @ key.mT / query.shape[-1] ** 0.5  # [..., L, L], row: who looks
    weights = torch.softmax(scores, dim=-1)  # each row has the sum 1
    return weights @ value  # [..., L, D]


print("weights:\n", torch.softmax(x @ x.T / 2**0.5, dim=-1))
print("result:\n", attention_by_hand(x, x, x))

# %% [markdown]
# The first row is the one that we made by hand. The second row belongs to the pause: all its scores
# are 0, so it gives the same weight to each frame.
#
# > **Try it.** Multiply all numbers of `x` by 3. What do you expect of the weights of the first
# > row? And what do you expect if you add 5 to all scores of one row?

# %% tags=["try"]
# Answer: louder frames give sharper weights; a number added to all scores of a row changes nothing.
small = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 2.0], [2.0, 1.0]])
print("times 3:", torch.softmax(9 * small[0] @ small.T / 2**0.5, dim=-1))
print("plus 5: ", torch.softmax(small[0] @ small.T / 2**0.5 + 5, dim=-1))

# %% [markdown]
# ## 3 Why the scores are divided by $\sqrt D$
#
# **Why.** The first half of the try-it was a warning: with large scores, softmax gives nearly all
# the weight to the highest ones. Training can then hardly change the weights any more, because the
# slope of a weight $w$ over its own score is $w\,(1 - w)$, which is 0 for $w = 0$ and for $w = 1$.
# Softmax is then called *saturated*.
#
# A score is a sum of $D$ products. If the numbers in queries and keys have a spread (standard
# deviation) of 1, each product has a spread of 1 as well, and a sum of $D$ independent products has
# a spread of $\sqrt D$.
#
# **Guess.** We take 100 keys with $D = 256$ random numbers each. How much weight does the key with
# the highest score get without the division? With 100 keys, a fair share would be 0.01.


# %%
def random_weights(size, scale, seed):
    """Attention weights of 100 random queries over 100 random keys of `size` numbers."""
    q, k = torch.randn(2, 100, size, generator=torch.Generator().manual_seed(seed))
    return torch.softmax(q @ k.T / scale, dim=-1)  # [100, 100]


# %% tags=["frame"]
print("                      largest weight     sum of the slopes")
for size in (4, 16, 64, 256, 1024):
    for label, scale in (("without", 1.0), ("with", size**0.5)):
        drawn = [random_weights(size, scale, seed) for seed in range(3)]
        largest = [w.max(dim=-1).values.mean().item() for w in drawn]
        slopes = [(w * (1 - w)).sum(dim=-1).mean().item() for w in drawn]
        ranges = (f"{min(v):10.2f} to {max(v):.2f}" for v in (largest, slopes))
        print(f"D = {size:4d}, {label:8s}", *ranges)

# %% [markdown]
# Each pair of numbers is the range over three seeds. Without the division, a larger $D$ drives the
# largest weight towards 1 and the slopes towards 0. With it, both stay where they are for every
# $D$. The network could also learn to make its queries smaller; the root saves it from starting
# where there is hardly any slope to learn from.

# %% [markdown]
# ## 4 Several heads, and a first proof
#
# **Why.** With one set of weights, a frame can ask only one question. So the channels are cut into
# groups, the *heads*, and each head has weights of its own. The network of this project has 16
# channels in a head (`lite`, with 32 channels, has two heads). A last matrix mixes what the heads
# have found.
#
# ![](figures/03_heads.svg)
#
# Here it is as a loop over the heads, with the matrices of PyTorch's layer `nn.MultiheadAttention`.
# This layer keeps $W_Q$, $W_K$ and $W_V$ below each other in one matrix, `in_proj_weight`, so one
# product makes all queries, keys and values; `chunk` cuts them apart again:


# %%
def heads_by_hand(x, layer):
    """Self-attention [L, C] -> [L, C] with the matrices of an nn.MultiheadAttention."""
    size = layer.head_dim  # channels of one head, D
    side_by_side = x @ layer.in_proj_weight.T + layer.in_proj_bias  # [L, 3 * C]
    q, k, v = side_by_side.chunk(3, dim=-1)  # [L, C] each
    found = []
    for head in range(layer.num_heads):
        part = slice(head * size, (head + 1) * size)
        found.append(attention_by_hand(q[:, part], k[:, part], v[:, part]))  # [L, D]
    return layer.out_proj(torch.cat(found, dim=-1))  # [L, C]


# %% [markdown]
# **Proof.** The same numbers go through our loop, through PyTorch's function
# `scaled_dot_product_attention` with the heads as one more axis, and through PyTorch's complete
# layer.

# %%
layer = nn.MultiheadAttention(32, 2)
x = torch.randn(50, 32)  # [L, C]
with torch.no_grad():
    q, k, v = (x @ layer.in_proj_weight.T + layer.in_proj_bias).chunk(3, dim=-1)
    q, k, v = (t.unflatten(-1, (2, 16)).transpose(0, 1) for t in (q, k, v))  # [heads, L, D]
    by_function = layer.out_proj(scaled_dot_product_attention(q, k, v).transpose(0, 1).flatten(1))
    for name, other in (("function", by_function), ("layer", layer(x, x, x)[0])):
        largest = (heads_by_hand(x, layer) - other).abs().max().item()
        print(f"largest difference to PyTorch's {name:8s} {largest:.1e}")
        assert largest < 1e-5

# %% [markdown]
# > **Try it.** The package gives its keys no bias (an offset that is added): "a bias here would
# > change nothing", says a comment in `attention.py`. Why? Add a bias to the keys and see.

# %% tags=["try"]
# Answer: a bias b adds q·b to all scores of one query, and softmax ignores what all have in common.
some_q, some_k, some_v = torch.randn(3, 6, 4)  # [L, D] each
with_bias = attention_by_hand(some_q, some_k + torch.randn(4), some_v)
difference = (with_bias - attention_by_hand(some_q, some_k, some_v)).abs().max()
print(f"largest difference with a bias of the keys: {difference:.1e}")

# %% [markdown]
# ## 5 Attention knows no order
#
# **Guess.** Shuffle the frames of a recording, send them through attention, and undo the shuffle in
# the result. What has changed? And with a convolution in place of the attention?

# %% tags=["guess"]
x = torch.randn(40, 32)  # [L, C]
order = torch.randperm(40)
back = order.argsort()  # undoes the shuffle
attend, convolve = nn.MultiheadAttention(32, 2), nn.Conv1d(32, 32, kernel_size=3, padding=1)
with torch.no_grad():
    attended = attend(x[order], x[order], x[order])[0][back] - attend(x, x, x)[0]
    convolved = convolve(x[order].T).T[back] - convolve(x.T).T
print(f"shuffled and back, attention:   largest difference {attended.abs().max():.1e}")
print(f"shuffled and back, convolution: largest difference {convolved.abs().max():.1e}")

# %% [markdown]
# Attention gives the same numbers (up to rounding): it treats the frames as a set, not as a
# sequence. Text models therefore add numbers that tell the place of each word. The network of this
# project does without them: convolutions see order, and it has convolutions in the encoder and next
# to each attention (section 9).
#
# "A shuffle of the frames shuffles the result" is a *property*: a statement about a function that
# must hold for every input. A property can reveal a mistake that nobody would see in the output.
# The next section hunts a bug with two others.

# %% [markdown]
# ## 6 Along which axis?
#
# **Why.** A spectrogram has two axes. Attention between all points at once would cost too much
# (section 7), so the network alternates: first along **time**, for each frequency on its own; then
# along **frequency**, for each frame on its own.
#
# ![](figures/03_two_axes.svg)
#
# A batch of such data has the shape `[B, T, F, C]`: recordings, frames, frequencies, channels. The
# channels come last here, so the 32 numbers of one point lie side by side in memory. Chapter 02
# wrote `[B, C, T, F]`, the order that PyTorch's convolutions ask for, but kept the numbers in the
# same place: that is what *channels last* means. To go from one shape to the other, nothing has to
# be moved, only the order of the names changes.
#
# ![](figures/map_03_time.svg)
#
# Written as a loop, attention along time is hard to get wrong:


# %%
def along_time_by_hand(x, layer):
    """[B, T, F, C] -> the same, one frequency at a time; layer is an nn.MultiheadAttention."""
    result = torch.empty_like(x)
    for f in range(x.shape[2]):
        sequences = x[:, :, f]  # [B, T, C]
        result[:, :, f] = layer(sequences, sequences, sequences, need_weights=False)[0]
    return result


# %% [markdown]
# ![](figures/map_03_frequency.svg)
#
# The fast form has no loop. It counts each frame (or each frequency) as one more item of the batch:
# the axis is *folded into the batch*. Along frequency that takes one `reshape`, because in
# `[B, T, F, C]` the numbers of one frame already lie side by side:

# %% [markdown]
# ![](figures/03_fold.svg)


# %%
def along_frequency_by_hand(x, layer):
    """[B, T, F, C] -> the same, all frames at once."""
    batch, frames, bins, channels = x.shape
    sequences = x.reshape(batch * frames, bins, channels)  # [B * T, F, C]
    y = layer(sequences, sequences, sequences, need_weights=False)[0]
    return y.reshape(batch, frames, bins, channels)


# %% [markdown]
# **The bug.** `nn.MultiheadAttention` takes the *first* axis for the sequence and the second one
# for the batch, unless it is made with `batch_first=True`. Without it, our fold still runs and the
# shape is right. But each frequency now attends to the same frequency in all other frames *and in
# all other recordings of the batch*. The published code of MP-SENet, a close relative of this
# network, has this bug: time and frequency are swapped, and the recordings of a batch leak into
# each other.
#
# Two properties reveal it. **(a)** A batch of two must give what two batches of one give. **(b)**
# In a layer along frequency, a change at one point may move points of the same frame only.

# %%
right, wrong = nn.MultiheadAttention(32, 2, batch_first=True), nn.MultiheadAttention(32, 2)
wrong.load_state_dict(right.state_dict())
x = torch.randn(2, 6, 5, 32)  # [B, T, F, C]
with torch.no_grad():
    for name, layer in (("right", right), ("batch_first forgotten", wrong)):
        together = along_frequency_by_hand(x, layer)
        alone = torch.cat([along_frequency_by_hand(item[None], layer) for item in x])
        print(f"{name:22s} batch of two against two of one: {(together - alone).abs().max():.1e}")


# %%
def moves(function, layer):
    """Which points move when point [0, 2, 3] of x changes: [B, T, F], true or false."""
    changed = x.clone()
    changed[0, 2, 3] = torch.randn(32)
    with torch.no_grad():
        return (function(changed, layer) - function(x, layer)).abs().amax(-1) > 1e-4


# %% tags=["frame"]
moved = {
    "along time": moves(along_time_by_hand, right),
    "along frequency": moves(along_frequency_by_hand, right),
    "along frequency, batch_first forgotten": moves(along_frequency_by_hand, wrong),
}
for name, points in moved.items():
    print(f"{name:40s} moves {points[0].sum():2d} points of the same recording,", end=" ")
    print(f"{points[1].sum():2d} of the other one")
# %% tags=["frame"]
figure, axes = plt.subplots(2, 3, figsize=(8, 4), sharex=True, sharey=True, layout="constrained")
for column, (name, points) in zip(axes.T, moved.items(), strict=True):
    for item, axis in enumerate(column):
        axis.imshow(points[item].T, origin="lower", cmap="Greys", vmin=0, vmax=1.4)
        axis.set(xlabel="frame" if item else "", title="" if item else name.replace(", ", ",\n"))
        axis.set(xticks=range(6), yticks=range(5))
    column[0].plot(2, 3, "o", color="white", markeredgecolor="black")
axes[0, 0].set_ylabel("recording 1\nfrequency")
axes[1, 0].set_ylabel("recording 2\nfrequency")
show(
    figure,
    "Which points move when one point (a dot) of recording 1 changes. Along time: the points of "
    "the same frequency. Along frequency: those of the same frame. With batch_first forgotten: "
    "those of the same frequency, in recording 2 as well.",
)

# %% [markdown]
# The third column shows the bug: what should run along frequency runs along time, and it reaches
# the other recording. The package passes both tests; they are in `tests/test_attention.py`.
#
# **A question in the middle.**

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "A layer along time passes this test: a batch of two gives what two batches of one give. What "
    "do you know?",
    {
        "The recordings do not see each other; the axis is still open.": "The test says nothing "
        "about time and frequency: a layer along frequency passes it as well. Property (b) "
        "decides.",
        "The layer runs along time.": "A layer along frequency passes the same test. Only a change "
        "at one point shows along which axis it spreads.",
        "Nothing, since both results have the same shape.": "The shapes are the same in any case; "
        "the test compares the numbers.",
    },
    correct="The recordings do not see each other; the axis is still open.",
)

# %% [markdown]
# ## 7 The cost grows with $T^2$
#
# **Why.** Each of $T$ frames has a score for each of $T$ frames. A recording twice as long has four
# times as many scores, for each frequency and each head, while a convolution has twice the work.
#
# Let us count first. How many megabytes do the weights of *one* layer along time take in `lite`
# (101 frequencies, two heads, 4 bytes a number) if all of them are in memory at once?

# %%
for seconds in (1, 2, 4, 10, 60):
    frames = 160 * seconds
    print(
        f"{seconds:3d} s: {frames:5d} frames, {101 * 2 * frames**2 * 4 / 1e6:9,.0f} MB of weights"
    )

# %% [markdown]
# **Guess.** From 1 s to 8 s the recording gets eight times as long. By how much does the time of
# one layer grow? We measure our attention, which keeps all weights in memory, PyTorch's function,
# which does not, and a convolution, each on 4 of the 101 frequencies. Only the ratios count, and
# they are rough: other programs on your machine disturb them.


# %% tags=["frame"]
from time import process_time
from timeit import repeat


def fastest(function, *inputs):
    """Processor time of the fastest of seven runs, in seconds."""
    return min(repeat(lambda: function(*inputs), timer=process_time, number=1, repeat=7))


convolve = nn.Conv1d(16, 16, kernel_size=31, padding=15, groups=16)
durations = []
print("        ours   PyTorch   convolution     (time divided by that of 1 s)")
with torch.no_grad():
    for seconds in (1, 2, 4, 8):
        q, k, v = torch.randn(3, 4, 2, 160 * seconds, 16)  # [F, heads, T, D] each
        ours = fastest(attention_by_hand, q, k, v)
        theirs = fastest(scaled_dot_product_attention, q, k, v)
        convolution = fastest(convolve, q.flatten(0, 1).mT.contiguous())  # [F * heads, D, T]
        durations.append((ours, theirs, convolution))
        ratios = (time / first for time, first in zip(durations[-1], durations[0], strict=True))
        print("{:2d} s {:8.1f} {:9.1f} {:13.1f}".format(seconds, *ratios))

# %% [markdown]
# The time of both attentions grows much faster than the recording, that of the convolution at most
# about as fast. Ours can grow even faster than the square. We have not looked for the reason; a
# possible one is that its weights no longer fit into the processor's cache. PyTorch's function
# saves the *memory*: it works through the scores piece by piece and never holds all of them. But it
# computes as many scores as we do, so its time still grows about with the square.
#
# So long recordings go through the network in windows of 2.1 s, which fade into each other. How
# many of the scores are left for one minute?

# %%
WINDOW = 2.1  # s, as in effifusion_lite/enhancement/windows.py
whole, windows = 60**2, (60 / WINDOW) * WINDOW**2  # in units of the scores of one second
print(f"one minute in windows needs {100 * windows / whole:.1f} % of the scores of one piece")

# %% [markdown]
# > **Try it.** Attention between *all* points of a spectrogram would not have to alternate. How
# > many scores would that be for 2.1 s? Compare with one layer along time plus one along frequency.

# %% tags=["try"]
# Answer: two layers, one along each axis, need far fewer scores.
frames_of_window, bins_of_encoder = int(160 * WINDOW), 101
together = (frames_of_window * bins_of_encoder) ** 2
apart = bins_of_encoder * frames_of_window**2 + frames_of_window * bins_of_encoder**2
print(f"{together:,} scores against {apart:,}: {together / apart:.0f} times as many")

# %% [markdown]
# ## 8 Two norms, and a path around them
#
# ### Layer norm
#
# **Why.** Whether the weights are sharp or flat depends on how large the numbers are (the first
# try-it). A *layer norm* brings the channels of each point to mean 0 and spread 1, whatever they
# were:
#
# $$\operatorname{norm}(x)_c = \frac{x_c - \mu}{\sqrt{\sigma^2 + 10^{-5}}}$$
#
# $$\mu = \operatorname{mean}(x), \quad \sigma^2 = \operatorname{mean}\big((x - \mu)^2\big)$$

# %%
x = torch.tensor([1.0, 2.0, 3.0, 6.0])  # four channels of one point
mean = x.sum() / 4
variance = ((x - mean) ** 2).sum() / 4
print(f"mean {mean:.1f}, variance {variance:.2f}, deviations {(x - mean).tolist()}")
print("by hand  ", (x - mean) / (variance + 1e-5).sqrt())
print("PyTorch  ", layer_norm(x, [4]))
print("10 x + 7 ", layer_norm(10 * x + 7, [4]))

# %% [markdown]
# The last row shows what the norm takes out: loudness and offset. After the norm, PyTorch's layer
# multiplies each channel by a learned factor and adds a learned offset; both start at 1 and 0. No
# other point is involved, so the norm mixes along no axis. (The instance norm of chapter 02
# has its mean over the whole recording.)
#
# ### The residual path
#
# A layer does not compute the new frame but a *change* of it: $x + f(x)$. The path around $f$ is
# called residual. It carries gradients to the first layers of a deep network; a table below shows
# what becomes of them without it. A norm can be placed in several ways:
#
# | | formula | used by |
# |---|---|---|
# | post-norm | $\operatorname{norm}(x + f(x))$ | the first transformer (Vaswani et al. 2017) |
# | pre-norm | $x + f(\operatorname{norm}(x))$ | most transformers today |
# | **dual norm** | $x + g \odot \operatorname{norm}(f(\operatorname{norm}(x)))$ | this project |
#
# ![](figures/03_norms.svg)
#
# $g$ is the *residual gain*, a learned number for each channel; it starts at 0.5. Summaries of the
# paper speak of a dual layer norm and of optimised residuals. They say neither where the second
# norm is nor what is done to the residuals: the formula above is a choice of this project. Large
# language models have used the same two places, under the name "Peri-LN" (arXiv 2502.02732); the
# learned gain for each channel comes from Touvron et al. (2021).
#
# **Proof.** Our loop against the package, `DualNormAttention`. The package has separate matrices
# for query, key and value; PyTorch's layer has one, in which the three lie below each other.


# %%
def dual_norm_by_hand(x, layer, gain):
    """Attention along time [B, T, F, C] -> the same; layer is an nn.MultiheadAttention."""
    branch = along_time_by_hand(layer_norm(x, x.shape[-1:]), layer)
    return x + gain * layer_norm(branch, x.shape[-1:])


# %%
package = DualNormAttention(32, "time", head_channels=16)
q, k, v = package.query, package.key, package.value
library = nn.MultiheadAttention(32, 2, batch_first=True)
library.in_proj_weight.data = torch.cat([q.weight, k.weight, v.weight])  # [3 * C, C]
library.in_proj_bias.data = torch.cat([q.bias, torch.zeros(32), v.bias])
library.out_proj = package.output
x = torch.randn(2, 12, 7, 32)  # [B, T, F, C]
with torch.no_grad():
    difference = (dual_norm_by_hand(x, library, package.gain) - package(x)).abs().max().item()
print(f"by hand, with PyTorch's layer inside, against the package: {difference:.1e}")
assert difference < 1e-5

# %% [markdown]
# Our loop calls a layer for each frequency, and a fold along time would have to copy the numbers
# into another order. The package does neither: it hands PyTorch's function a view in which every
# frequency counts as a few more *heads*, `[B, F * heads, T, D]`. Heads do not see each other, and
# frequencies must not.
#
# ### What the second norm does at the start
#
# How loud is the change $f$ beside $x$ in a network that has learned nothing yet?
#
# **Guess:** about as loud, a tenth, a hundredth?


# %%
class Residual(nn.Module):
    """One attention on sequences [B, L, 32]; bare: no norm, no path. loud: factor of its output."""

    def __init__(self, kind, loud=1.0):
        super().__init__()
        self.kind, self.gain = kind, 0.5 if kind == "dual" else 1.0
        self.attend = nn.MultiheadAttention(32, 2, batch_first=True)
        self.attend.out_proj.weight.data *= loud

    def branch(self, x):
        x = x if self.kind in ("post", "bare") else layer_norm(x, [32])
        x = self.attend(x, x, x, need_weights=False)[0]
        return self.gain * (layer_norm(x, [32]) if self.kind == "dual" else x)

    def forward(self, x):
        y = self.branch(x) if self.kind == "bare" else x + self.branch(x)
        return layer_norm(y, [32]) if self.kind == "post" else y


# %% tags=["guess"]
KINDS = ("post", "pre", "dual")
x = torch.randn(8, 64, 32, generator=torch.Generator().manual_seed(1))  # [B, L, C]
for kind in KINDS:
    ratios = []
    for seed in range(5):
        torch.manual_seed(seed)
        ratios.append((Residual(kind).branch(x).norm() / x.norm()).item())
    print(f"{kind:5s} loudness of the change / of x: {min(ratios):.3f} to {max(ratios):.3f}")

# %% [markdown]
# With the weights from which PyTorch starts, attention takes a mean over many places, and such
# means are small. So with a single norm, the attention changes little at first. The second norm
# brings it to a known loudness, and the gain says how much of it is added.
#
# **Gradients.** Xiong et al. (2020, arXiv 2002.04745) derived what happens near the output before
# the first step: with post-norm the gradients are large, however deep the network is, so training
# has to begin with tiny steps (warm-up); with pre-norm they get smaller with depth. Can we see that
# here? We stack 2 to 16 layers, ask for random outputs, and look at the gradient of the matrices in
# the last layer: once as PyTorch starts, once with a branch ten times as loud. Cost: ten seconds.


# %%
def gradient_norms(kind, loud, depth, seed):
    """Norm of the gradient in the first and the last of `depth` layers, before any training."""
    torch.manual_seed(seed)
    net = nn.Sequential(*(Residual(kind, loud) for _ in range(depth)), nn.LayerNorm(32))
    x, target = torch.randn(2, 4, 48, 32)
    (net(x) - target).square().mean().backward()
    return [net[i].attend.in_proj_weight.grad.norm().item() for i in (0, depth - 1)]


# %% tags=["frame"]
DEPTHS = (2, 4, 8, 16)
gradients = {}  # (loud, kind) -> for each depth the norms of five seeds in the last layer
print("last layer:        depth" + "".join(f"{depth:>16d}" for depth in DEPTHS))
for loud in (1.0, 10.0):
    for kind in KINDS:
        last = [[gradient_norms(kind, loud, d, seed)[1] for seed in range(5)] for d in DEPTHS]
        gradients[loud, kind] = last
        ranges = "".join(f"  {min(norms):.3f} to {max(norms):.3f}" for norms in last)
        print(f"branch × {loud:<4.0f} {kind:5s}     {ranges}")
print("first layer of 16, branch × 1:")
for kind in ("bare", *KINDS):
    first = [gradient_norms(kind, 1.0, 16, seed)[0] for seed in range(5)]
    print(f"{kind:20s} {min(first):.6f} to {max(first):.6f}")

# %% tags=["frame"]
figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
for axis, loud in zip(axes, (1.0, 10.0), strict=True):
    for kind, line in zip(KINDS, ("-o", "--s", ":^"), strict=True):
        medians = [sorted(norms)[2] for norms in gradients[loud, kind]]
        axis.plot(DEPTHS, medians, line, label=kind)
    axis.set(xlabel="layers", title=f"branch × {loud:.0f}", xscale="log")
    axis.set(xticks=DEPTHS, xticklabels=DEPTHS)
    axis.minorticks_off()
    axis.grid(alpha=0.3)
axes[0].set_ylabel("gradient, last layer")
axes[0].legend(fontsize=8)
show(
    figure,
    "Gradient norm in the last layer over 2 to 16 layers, medians of five seeds. As PyTorch "
    "starts, post and pre lie on each other. With a branch ten times as loud, both are far larger; "
    "pre falls with depth, post stays high. Dual is the same in both and falls with depth.",
)

# %% [markdown]
# The tables show four things:
#
# - In a **bare** stack, without path and norm, next to nothing of the gradient reaches the first of
#   16 layers. With the path it arrives, wherever the norm is.
# - As PyTorch starts, **post and pre do not differ** here: the branch is so quiet that the place of
#   the norm does not matter. The contrast of Xiong et al. is not shown.
# - With a loud branch the contrast appears: the deeper the stack, the smaller the gradient of
#   pre-norm, while that of post-norm stays large.
# - The rows of **dual** are the same for both loudnesses, because the second norm divides the
#   factor out again. How loud the attention is at the start no longer depends on its first weights.
#
# ### Does it train better?
#
# As PyTorch starts, the gradients into the attention are larger with the second norm than with one
# (compare the upper rows *dual* and *pre*). Does that make training faster? **Guess**, then train a
# small network: two two-stage blocks (section 9) between two matrices. It gets noisy magnitudes and
# makes a mask, a factor by which each point is multiplied.


# %%
class MaskNet(nn.Module):
    """Compressed noisy magnitude [B, T, 200] -> enhanced; 8 neighbouring bins make one point."""

    def __init__(self, dual):
        super().__init__()
        blocks = (TwoStageBlock(16, 8, dual, kernel_size=7, expansion=1) for _ in range(2))
        self.enter, self.blocks = nn.Linear(8, 16), nn.Sequential(*blocks)
        self.leave = nn.Linear(16, 8)

    def forward(self, magnitude):
        x = self.enter(magnitude.unflatten(2, (-1, 8)))  # [B, T, 25, 16]
        mask = 2 * torch.sigmoid(self.leave(self.blocks(x)))  # [B, T, 25, 8], 0 to 2
        return magnitude * mask.flatten(2)  # [B, T, 200]


# %% [markdown]
# The training mixtures are half a second long and come from the built-in training voices, at 0 to
# 10 dB. Those of the validation set come from other voices and other noises.


# %%
def magnitudes(waveforms):
    """Waveforms [B, N] -> compressed magnitudes [B, T, 200], without the highest frequency."""
    return spectral.analyse(waveforms)[0][:, :200].mT.contiguous()


# %%
def train(dual, seed, data, valid):
    """Error on the validation set, before each tenth step."""
    torch.manual_seed(seed)
    net, errors = MaskNet(dual), []
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3)
    for step in range(61):
        if step % 10 == 0:
            with torch.no_grad():
                errors.append((net(valid[0]) - valid[1]).square().mean().item())
        chosen = torch.randint(len(data[0]), (4,))
        loss = (net(data[0][chosen]) - data[1][chosen]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return errors


# %% [markdown]
# We train six times, with one norm and with two, for three seeds each. Trainings with the same seed
# start from the same weights and see the same mixtures. Cost: half a minute, or more where other
# programs run.
#
# *If your curve looks different:* where a curve stays near its first value, the learning rate is
# too small; where it jumps up, the learning rate is too large.

# %%
data = [magnitudes(x) for x in short_mixtures("train", 300, seed=1)]
valid = [magnitudes(x) for x in short_mixtures("valid", 24, seed=2)]
CURVES = {(d, seed): train(d, seed, data, valid) for seed in range(3) for d in (False, True)}

# %% tags=["frame"]
print(sum(p.numel() for p in MaskNet(True).parameters()), "parameters")
for dual in (False, True):
    ends = [f"{CURVES[dual, seed][-1]:.4f}" for seed in range(3)]
    print("two norms" if dual else "one norm ", "error after 60 steps, three seeds:", *ends)
gains = [CURVES[False, seed][-1] - CURVES[True, seed][-1] for seed in range(3)]
print("one norm minus two norms, seed by seed:       ", *(f"{gain:+.4f}" for gain in gains))

# %% tags=["frame"]
figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for (dual, seed), errors in CURVES.items():
    line, colour = ("-", "tab:blue") if dual else ("--", "tab:orange")
    label = f"{'two norms' if dual else 'one norm'}, seed {seed}"
    for axis, first in zip(axes, (0, 4), strict=True):
        steps, shown = range(10 * first, 61, 10), errors[first:]
        axis.plot(steps, shown, line, marker="os^"[seed], color=colour, label=label, markersize=4)
noisy_error = (valid[0] - valid[1]).square().mean().item()
axes[0].axhline(noisy_error, color="grey", linestyle=":", label="doing nothing")
axes[0].set(xlabel="step", ylabel="error (validation)", title="all steps", ylim=(0, None))
axes[1].set(xlabel="step", title="the last 20 steps, enlarged", xticks=(40, 50, 60))
axes[0].legend(fontsize=7)
for axis in axes:
    axis.grid(alpha=0.3)
show(
    figure,
    "Left, the validation error over 60 steps: three solid curves with two norms, three dashed "
    "ones with one norm. All fall from above 1 to "
    f"{min(c[-1] for c in CURVES.values()):.2f} or a little more, far below the dotted line of "
    "doing nothing. Right, the last 20 steps enlarged: solid and dashed curves lie between each "
    "other and cross.",
)

# %% [markdown]
# A plus in the last line means that the error is smaller with two norms, a minus that it is larger.
# The sign changes from seed to seed, or the difference is no larger than the spread between seeds:
# a gain is **not shown**. One possible reason is that the optimiser (AdamW) divides each gradient
# by its usual size, so larger gradients alone do not make larger steps.
#
# Sixty steps are few. In the ablation of this project, a set of trainings that each change one
# part, every network was trained on two hours of mixtures, with three seeds. Its table says:

# %% tags=["frame"]
table = (ABLATION / "table.md").read_text(encoding="utf-8").splitlines()
for line in table:
    variant, runs, pesq, gain, sdr, sdr_gain, parameters, *_ = line.strip("|").split("|")
    if variant.strip() in ("variant", "complete", "single norm"):
        print(f"{variant:14s}{runs:6s}{pesq:22s}{gain:12s}{sdr:22s}{sdr_gain:12s}{parameters}")

# %% [markdown]
# Source: `recipes/ablation/table.md`. Each "difference" is against "complete", which has two norms.
# The outcome is the same: neither a gain nor a loss is shown. The second norm has no parameters of
# its own, so it adds none. Three seeds differ as much as the ranges in brackets say, so a gain of a
# hundredth of PESQ would stay invisible; chapter 09 computes how many seeds would show it.

# %% [markdown]
# ## 9 The conformer and the two-stage block
#
# Attention finds distant points, but it knows no order, and all that it can make of the values is a
# weighted mean. The *conformer* (Gulati et al. 2020) puts it between parts that do the rest:
#
# 1. half a **feed-forward** layer: works on each point alone;
# 2. the **attention** of section 8;
# 3. a **convolution module**: sees neighbours, and so the order;
# 4. the other half of the feed-forward layer, and a last norm.
#
# **Feed-forward.** It consists of two matrices with a nonlinearity $h$ between them,
# $W_2\, h(W_1 \operatorname{norm}(x))$, with four times as many numbers in the middle. The
# nonlinearity is the hard swish of chapter 02: 0 below −3, the number itself above 3, a smooth
# curve in between. "Half" means that only $\tfrac12$ of each change is added, so the two together
# make one step: one half before the attention, one half after it.
#
# **Gated linear unit (GLU).** The convolution module first makes *twice* as many channels. The
# second half becomes gates between 0 and 1, and each opens or closes one number of the first half:

# %%
a, b = torch.tensor([3.0, 3.0, 3.0, -2.0]), torch.tensor([-4.0, 0.0, 4.0, 4.0])
gates = 1 / (1 + torch.exp(-b))  # the sigmoid: between 0 and 1
print("gates  ", gates)
print("by hand", a * gates)
print("PyTorch", nn.functional.glu(torch.cat([a, b])))

# %% [markdown]
# Next come a depthwise convolution (chapter 02) with 31 taps along the axis of the block, a hard
# swish, and a matrix that goes back to the usual number of channels.
#
# The **two-stage block** is two conformers: the first along time, the second along frequency, each
# with a path around it.
#
# ![](figures/03_block.svg)
#
# By hand, from the package's small parts:


# %%
def conformer_by_hand(x, parts):
    """[B, T, F, C] -> the same; parts is a Conformer of the package."""
    x = x + 0.5 * parts.feed_forward_in(x)
    x = parts.attention(x)  # has its own residual path
    x = x + parts.convolution(x)
    x = x + 0.5 * parts.feed_forward_out(x)
    return parts.norm(x)


# %%
def block_by_hand(x, block):
    """[B, T, F, C] -> the same; block is a TwoStageBlock of the package."""
    x = x + conformer_by_hand(x, block.time)
    return x + conformer_by_hand(x, block.frequency)


# %% [markdown]
# **Proof.** This time we also build the convolution module by hand, with PyTorch's `nn.Conv1d`
# along time, one frequency after the other.


# %%
def convolution_by_hand(x, module):
    """[B, T, F, C] -> the same; module is a ConvolutionModule along time."""
    x = module.expand(module.norm(x))  # [B, T, F, 2H]
    first, gates = x.chunk(2, dim=-1)
    x = first * torch.sigmoid(gates)  # [B, T, F, H]
    hidden, taps = x.shape[-1], module.depthwise.weight.shape[2]
    convolve = nn.Conv1d(hidden, hidden, taps, padding=taps // 2, groups=hidden, bias=False)
    convolve.weight.data = module.depthwise.weight[..., 0]  # [H, 1, taps]
    columns = [convolve(x[:, :, f].mT).mT for f in range(x.shape[2])]  # F of [B, T, H]
    return module.reduce(nn.functional.hardswish(torch.stack(columns, dim=2)))  # [B, T, F, C]


# %%
block, one = TwoStageBlock(32), Conformer(32, "time")
x = torch.randn(2, 40, 9, 32)  # [B, T, F, C]
with torch.no_grad():
    differences = {
        "convolution module": convolution_by_hand(x, one.convolution) - one.convolution(x),
        "conformer": conformer_by_hand(x, one) - one(x),
        "two-stage block": block_by_hand(x, block) - block(x),
    }
print({name: f"{difference.abs().max():.1e}" for name, difference in differences.items()})
assert max(difference.abs().max() for difference in differences.values()) < 1e-4

# %% tags=["frame"]
for name, part in (("attention", one.attention), ("convolution module", one.convolution)):
    print(f"{name:20s} {sum(p.numel() for p in part.parameters()):6d} parameters")
both = (one.feed_forward_in, one.feed_forward_out)
print(f"{'two feed-forwards':20s} {sum(p.numel() for m in both for p in m.parameters()):6d}")
print(f"{'two-stage block':20s} {sum(p.numel() for p in block.parameters()):6d}")

# %% [markdown]
# The attention, after which this chapter is named, is the smallest of the parts: the feed-forward
# layers hold most of the numbers. From here on we use the package.

# %% [markdown]
# ## 10 Where does a trained network look?
#
# `lite` has two such blocks, and was trained for hours. **Guess:** a point in a vowel asks along
# time. Does it look at other vowels, at its neighbours, or at pauses? A point in a harmonic (one of
# the stripes of a vowel) asks along frequency: does it look at the other harmonics?
#
# Choose a point of the sentence and see. The viewer draws the weights of one query for each head:
# below the spectrogram those along time, beside it those along frequency. At the dotted line, at 1,
# a place gets an average share. The axis is logarithmic and the same in all pictures, so you can
# compare heads, points and blocks.

# %% tags=["frame"]
speech_level = spectral.stft(torch.from_numpy(clean)[None])[0].abs()  # [F, T]
middle = slice(80, speech_level.shape[1] - 80)  # away from the ends
energy = speech_level[:, middle].square().sum(0)  # [T]
loud = 80 + int(energy.argmax())  # a frame of the loudest vowel
quiet = 80 + int(energy.unfold(0, 16, 1).mean(-1).argmin()) + 8  # a frame in a pause
hertz = 80 * int(speech_level[4:20:2, loud].argmax() + 2)  # its strongest harmonic
POINTS = {
    f"a harmonic of the loudest vowel ({hertz} Hz)": (loud / 160, hertz),
    "the same vowel at 3 kHz": (loud / 160, 3040),
    f"a pause ({hertz} Hz)": (quiet / 160, hertz),
}
widgets_attention.attention_viewer(noisy, POINTS)

# %% [markdown]
# Along time, the weight is in peaks: most points have many, some have one or two that rise above
# all others. Most peaks are not next to the point that asks. What do they have in common? We know
# the clean speech and the noise of each mixture, so we can count: which share of the weight goes to
# points where the **noise is stronger than the speech**?
#
# Compare this with the share of such points on the axis: a network that looks equally everywhere
# gets exactly this share, and an untrained one should come close to it. `noise_shares` counts both.
# We take five sentences with five noises. Cost: some ten seconds.

# %%
torch.manual_seed(1)
trained = load("lite")
untrained = type(trained)(trained.config).eval()
NAMES = ("garage_fan", "river_rain", "judge_keyboard", "pepper_babble", "market_fan")
looks = {name: widgets_attention.noise_shares(trained, *clips.pair(name)) for name in NAMES}
looks["untrained"] = widgets_attention.noise_shares(untrained, *clips.pair(NAMES[0]))

# %% tags=["frame"]
PLACES = [(number, axis) for number in (1, 2) for axis in ("time", "frequency")]
print("share of noise-dominated points -> share of the weight on them")
print(" " * 16 + "".join(f"{f'block {n}, {axis}':>20s}" for n, axis in PLACES))
for key, outcome in looks.items():
    name = clips.info(key).name if key in NAMES else key
    print(f"{name:16s}" + "".join(f"{outcome[p][0]:12.2f} -> {outcome[p][1]:.2f}" for p in PLACES))

# %% [markdown]
# Read the table column by column; each number is a mean over all points that ask.
#
# - **Block 2, time:** on each sentence, points where the noise is stronger get more weight than
#   their share. The layer seems to look into the *gaps* of the speech, where the noise can be
#   measured alone. The difference is smallest for the keyboard, perhaps because its clicks in one
#   gap say little about those in the next.
# - **Block 1, frequency:** the opposite. On each sentence, these points get less weight than their
#   share. A frame seems to ask where its *speech* is.
# - **Block 2, frequency:** a little more weight than their share on each sentence.
# - **Block 1, time:** next to no difference, and its sign changes from sentence to sentence. This
#   layer looks for something else, or for nothing that we have found.
#
# > **Try it.** Section 2 had a vowel that asked for its own kind, and one that asked for the hiss.
# > Which matrix $W_Q$ makes the vowel ask for the frames in which its own frequency is silent?

# %% tags=["try"]
# Answer: the matrix that changes the sign; a score is then high where there is little of the vowel.
tiny = torch.tensor([[2.0, 0.0], [0.0, 0.0], [0.0, 2.0], [2.0, 1.0]])  # [L, C], as in section 2
opposite = torch.tensor([[-1.0, 0.0], [0.0, -1.0]])
print("vowel, pause, hiss, vowel again:", torch.softmax(tiny[0] @ opposite.T @ tiny.T / 2**0.5, -1))

# %% [markdown]
# **The whole map.** The viewer shows one row of a large matrix: who looks, at what. Here is all of
# it, for block 2 along time, at one frequency.

# %% tags=["frame"]
model = load("lite")
band = 8  # times 80 Hz
levels = spectral.stft(torch.from_numpy(np.stack([clean, noisy - clean]))).abs()  # [2, F, T]
noise_wins = (levels[1] > levels[0])[2 * band]  # [T]
inputs = widgets_attention.attention_inputs(model, noisy)[2, "time"][:, :, band]  # [1, T, C]
weights = widgets_attention.attention_weights(model.blocks[1].time.attention, inputs)[0].mean(0)
seconds = len(weights) / 160
on_noise = weights[:, noise_wins].sum(-1)  # [T], for each frame that looks
shares = noise_wins.float().mean(), on_noise.mean(), on_noise[~noise_wins].mean()
print(f"share of the frames with stronger noise at {80 * band} Hz:  {100 * shares[0]:.0f} %")
print(f"their share of the weight:                      {100 * shares[1]:.0f} %")
print(f"the same, mean over frames with stronger speech: {100 * shares[2]:.0f} %")
figure, (strip, large) = plt.subplots(
    2, 1, figsize=(6, 5.2), height_ratios=(1, 14), sharex=True, layout="constrained"
)
strip.imshow(noise_wins[None], extent=(0, seconds, 0, 1), aspect="auto", cmap="Greys", vmax=1.5)
strip.set(yticks=[], title=f"dark: at {80 * band} Hz the noise is stronger than the speech")
image = large.imshow(
    weights * len(weights), extent=(0, seconds, seconds, 0), vmin=0, vmax=6, cmap="magma"
)
figure.colorbar(image, ax=large, label="weight / mean", extend="max", pad=0.02)
large.set(xlabel="at what (s)", ylabel="who looks (s)", aspect="auto")
show(
    figure,
    f"Attention of block 2 along time at {80 * band} Hz: a square of {len(weights)} by "
    f"{len(weights)} weights, made of vertical stripes. Above it a strip that is dark where the "
    f"noise is stronger; {100 * shares[1]:.0f} % of the weight lies below its dark parts.",
)

# %% [markdown]
# You see vertical stripes: most rows are alike, so most frames look at the same moments. Frames for
# which the strip is white, those of loud vowels, look at other moments, but these are gaps, too, as
# the last printed line says. There is no bright diagonal, as there would be if each frame looked at
# its neighbours.
#
# You may have guessed that vowels look at vowels and harmonics at harmonics, as we did. The table
# does not show that. A caution, too: weights say where a layer looks, not what it does with what it
# finds. So let us take the attention away.

# %% [markdown]
# ## 11 What is left without it
#
# The residual gain makes this easy. With $g = 0$ a `DualNormAttention` hands its input on
# unchanged. We set all gains along time, or all along frequency, to 0; everything else stays. Two
# scores of chapter 00 judge the result, PESQ and SI-SDR; for both, higher is better.
#
# **Guess** which of the two hurts more.


# %%
def without(model, axis):
    """The model, in which no attention along this axis adds anything any more."""
    for block in model.blocks:
        getattr(block, axis).attention.gain.data.zero_()
    return model


# %%
def score(model, name):
    """PESQ and SI-SDR (dB) of a noisy clip after enhancement."""
    clean, noisy = clips.pair(name)
    enhanced = enhance(noisy, SAMPLE_RATE, model)
    pesq = metrics.pesq(clean, enhanced) if HAS_PESQ else float("nan")
    return pesq, metrics.si_sdr(clean, enhanced)


# %%
VARIANTS = {
    "lite": load("lite"),
    "no attention along time": without(load("lite"), "time"),
    "no attention along frequency": without(load("lite"), "frequency"),
}
SCORED = ("garage_fan", "river_rain", "zebra_dishes", "judge_keyboard", "pepper_babble")
scores = {(v, name): score(VARIANTS[v], name) for name in SCORED for v in VARIANTS}

# %% tags=["frame"]
print("PESQ / SI-SDR in dB           " + "".join(f"{clips.info(n).name:>16s}" for n in SCORED))
for variant in VARIANTS:
    cells = (scores[variant, name] for name in SCORED)
    print(f"{variant:30s}" + "".join(f"{pesq:9.2f} / {sdr:4.1f}" for pesq, sdr in cells))
changes = {}  # (variant, metric) -> for each sentence the change
for variant in ("no attention along time", "no attention along frequency"):
    for number, metric in enumerate(("PESQ", "SI-SDR")):
        change = [scores[variant, n][number] - scores["lite", n][number] for n in SCORED]
        changes[variant, metric] = change
        print(f"change, {variant:29s} {metric:7s}{min(change):+.2f} to {max(change):+.2f}")

# %% tags=["frame"]
row(
    {
        "noisy": noisy,
        **{name: enhance(noisy, SAMPLE_RATE, network) for name, network in VARIANTS.items()},
    },
    SAMPLE_RATE,
    title="A trained network that may not look",
    transcript=clips.info("garage_fan").text,
    listen_for="Without attention along time: what happens to the fan in the pauses, and what to "
    "the voice? Without attention along frequency: can you tell it from lite?",
)

# %% [markdown]
# Without attention along time, PESQ and SI-SDR fall on every sentence. Without attention along
# frequency, SI-SDR falls on every sentence too, on one of them even more; PESQ falls on most of
# them, by less, and rises on one. Why does it change less? Along frequency, the convolution module
# of each conformer already sees 31 of 101 points. We have not tested whether that is the reason.
#
# **What this does not show.** We cut a part out of a network that was trained with it. A network
# that is trained *without* attention along frequency could do better or worse than this one. To
# know, one would have to train it, which this project has not done.
#
# **What others found.** The authors of MambAttention (arXiv 2507.00966) trained networks of similar
# size on one corpus and scored them on another. We quote PESQ on DNS 2020 from their table, as mean
# and spread over seeds:

# %% tags=["frame"]
QUOTED = {
    "noisy": "1.58",
    "LSTM": "1.98 ± 0.45",
    "Mamba": "2.28 ± 0.13",
    "conformer": "2.67 ± 0.01",
    "MambAttention (attention shared by time and frequency)": "2.92 ± 0.12",
}
for name, quoted in QUOTED.items():
    print(f"{quoted:12s} {name}")

# %% [markdown]
# There, the two networks with attention score higher on unknown recordings than the two without
# it, and the conformer varies least between seeds.

# %% [markdown]
# ## 12 Exercises
#
# In exercises 1 and 2, write your code where the three dots are; in exercise 3, fix the code that
# is there. Run the cell, then the check below it, which says what is likely to be wrong. Hints and
# solutions are folded away. You can work alone or in pairs. Short of time? Do 1 and 3.
#
# ### Exercise 1 · Never look ahead (warm-up, 10 minutes)
#
# A hearing aid cannot wait for the end of the sentence. Compute the *weights* of an attention in
# which frame $i$ looks at the frames $0, \dots, i$ only. Each row must still have the sum 1.


# %% tags=["exercise"]
def my_causal_weights(query, key):
    """Queries and keys [L, D] -> weights [L, L], row i: at what frame i looks."""
    # BEGIN SOLUTION
    scores = query @ key.T / query.shape[-1] ** 0.5  # [L, L]
    ahead = torch.ones_like(scores).triu(diagonal=1).bool()  # True above the diagonal
    return torch.softmax(scores.masked_fill(ahead, float("-inf")), dim=-1)
    # END SOLUTION


# %%
solved_1 = chapter03.check_causal_weights(my_causal_weights)

# %% [markdown] tags=["hint"]
# Start with the first two lines of `attention_by_hand`. Which score makes a weight exactly 0?

# %% [markdown] tags=["hint"]
# $e^{-\infty} = 0$. `scores.masked_fill(mask, float("-inf"))` sets the scores where the mask is
# true; `torch.ones(L, L).triu(1)` is 1 above the diagonal.

# %% [markdown] tags=["solution"]
# The mask has to come *before* softmax. If you set weights to 0 afterwards, the sum of a row is
# less than 1.

# %% [markdown]
# ### Exercise 2 · Which axes does a layer mix? (20 minutes)
#
# In section 6 you saw in a picture along which axis a layer mixes. Write a function that finds it
# out. It gets any `layer` that maps `[B, T, F, C]` to the same shape, and an input. It returns
# three truth values: does a change at one point move anything in another **item of the batch**, in
# another **frame**, at another **frequency**? A point that is in another frame *and* at another
# frequency counts for both.
#
# Most layers of the check start with a layer norm, one of them rounds, and some leak. They compute
# without gradients, so compare outputs.


# %% tags=["exercise"]
def my_mixes(layer, x):
    """A layer and an input [B, T, F, C] -> bool tensor [3]: batch, time, frequency."""
    # BEGIN SOLUTION
    changed = x.clone()
    changed[0, 0, 0] += torch.randn(x.shape[-1])  # another number for each channel
    moved = (layer(changed) - layer(x)).abs().amax(dim=-1) > 1e-4  # [B, T, F]
    return torch.stack([moved[1:].any(), moved[:, 1:].any(), moved[:, :, 1:].any()])
    # END SOLUTION


# %%
solved_2 = chapter03.check_mixes(my_mixes)

# %% [markdown] tags=["hint"]
# Change one point of a *copy* of `x` (`x.clone()`), run the layer on both, and look where the
# outputs differ.

# %% [markdown] tags=["hint"]
# If the changed point is `[0, 0, 0]`, then `moved[1:]` are all points in other items. Which slices
# hold the other frames, and the other frequencies?

# %% [markdown] tags=["hint"]
# There are three traps. What does a layer norm make of a point if you add the same number to all of
# its channels? Is a difference of $10^{-7}$ a difference? And what if a leak misses the row and the
# column of the changed point?

# %% [markdown] tags=["solution"]
# A different number for each channel survives the layer norm. A tolerance of $10^{-4}$ is far above
# rounding and far below real mixing. The slices hold *all* points of the other items, frames or
# frequencies, so no leak can pass beside them.

# %% [markdown]
# ### Exercise 3 · Bug hunt: attention along time (15 minutes)
#
# This code folds the frequencies into the batch, as section 6 did with the frames. It runs, the
# shape is right, and a batch of two gives what two batches of one give. Still it is wrong. Let your
# function of exercise 2 judge it: make `layer = nn.MultiheadAttention(32, 2, batch_first=True)` and
# `attend = lambda s: layer(s, s, s)[0]`, then call `my_mixes(lambda x: my_along_time(x, attend),
# x)` with a random `x` of 32 channels. Then fix the code.


# %% tags=["exercise"]
def my_along_time(x, attend):
    """x [B, T, F, C] -> the same; attend maps sequences [S, L, C] to the same shape."""
    batch, frames, bins, channels = x.shape
    # BEGIN BUG
    sequences = x.reshape(batch * bins, frames, channels)  # [B * F, T, C]
    y = attend(sequences)
    return y.reshape(batch, frames, bins, channels)
    # END BUG
    # BEGIN SOLUTION
    sequences = x.transpose(1, 2).reshape(batch * bins, frames, channels)  # [B * F, T, C]
    y = attend(sequences)
    return y.reshape(batch, bins, frames, channels).transpose(1, 2)
    # END SOLUTION


# %%
solved_3 = chapter03.check_along_time(my_along_time)

# %% [markdown] tags=["hint"]
# `reshape` keeps the order of the numbers: it reads them frame after frame and cuts the row into
# other pieces. Print `torch.arange(6).reshape(2, 3)` and `torch.arange(6).reshape(3, 2)`: is one
# the transpose of the other?

# %% [markdown] tags=["hint"]
# Before frequencies can join the batch, their axis has to be next to it: `x.transpose(1, 2)` has
# the shape `[B, F, T, C]`. The way back undoes both steps, in reverse order.

# %% [markdown] tags=["solution"]
# With `reshape` alone, a "sequence" holds neighbouring frequencies of a few frames, so time *and*
# frequency mix. Property (a) does not reveal this, because the batch stays first; property (b)
# does.

# %% [markdown]
# ### Exercise 4 · Open: which block needs its attention along time more? (20 minutes)
#
# `lite` has two blocks, and in section 11 we took the attention along time from both. Predict, then
# measure: what happens if only block 1, or only block 2, loses it? The table of section 10 may help
# you to predict. See how `without` does it; use `score` with two or three clips of `SCORED`, and
# listen with `row`. Below is a sample answer.

# %% tags=["try"]
# Answer: PESQ falls on each sentence; which block costs more depends on the sentence.
for lost in (1, 2):
    maimed = load("lite")
    maimed.blocks[lost - 1].time.attention.gain.data.zero_()
    for clip in SCORED[:3]:
        pesq, si_sdr = score(maimed, clip)
        heading = f"block {lost} without time, {clips.info(clip).name:13s}"
        print(f"{heading} PESQ {pesq:.2f}, SI-SDR {si_sdr:.1f} dB")

# %% [markdown] tags=["answer"]
# Block 2 is the one whose weights go to the noise-dominated points, so we had expected it to matter
# more. The measurement does not bear this out: on two of the three sentences block 1 costs more
# PESQ, and on the third one block 2 does. Losing both (section 11) costs less PESQ than the two
# losses add up to, so in part they do the same damage. Measure the keyboard, too.
# The table of section 10 does not tell what a layer is good for. And three sentences are few: ask
# how much the numbers differ between sentences before you trust a difference between blocks.

# %%
print(sum([solved_1, solved_2, solved_3]), "of 3 exercises solved")

# %% [markdown]
# ## 13 Quiz
#
# Open an answer to see why it is right or wrong.

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "All keys of a head are equal. What does its attention give?",
    {
        "The mean of all values, in every row.": "Equal keys give equal scores, and softmax makes "
        "equal weights of them, as in the row of the pause in section 2.",
        "Zero.": "Weights are positive and have the sum 1; they cannot all vanish.",
        "The value of the place that asks.": "Nothing tells attention which place is its own: it "
        "knows no order (section 5).",
    },
    correct="The mean of all values, in every row.",
)
quiz(
    "You double the length of a recording that goes through in one piece. What happens to the "
    "weights of the attention along time and along frequency?",
    {
        "Four times as many along time, twice as many along frequency.": "Along time each frame "
        "looks at each frame, T². Along frequency there are twice as many frames with F² each.",
        "Four times as many in both.": "The frequency axis stays as long as it was; there are only "
        "more frames.",
        "Twice as many in both.": "That holds for convolutions and along frequency. Along time it "
        "is the square (section 7).",
    },
    correct="Four times as many along time, twice as many along frequency.",
)
quiz(
    "Someone multiplies the output matrix of an attention with dual norm by 10 before training. "
    "What changes in the output of the layer?",
    {
        "Next to nothing.": "The second norm divides the factor out again; section 8 shows equal "
        "gradients for both.",
        "The change gets ten times as loud.": "It would with a single norm.",
        "The weights saturate.": "The weights are made of queries and keys, before the output "
        "matrix.",
    },
    correct="Next to nothing.",
)
quiz(
    "Without its attention along frequency, `lite` loses less PESQ than without that along time. "
    "What can you conclude?",
    {
        "For PESQ, this trained network depends on it less.": "Section 11 shows that much, for "
        "five sentences.",
        "The paper's network would do as well without it.": "It is another network with other "
        "training; and a network trained without it can differ from one that loses it.",
        "Attention along frequency is useless.": "SI-SDR falls on every sentence of section 11.",
    },
    correct="For PESQ, this trained network depends on it less.",
)

# %% [markdown]
# ## 14 What the paper says, and what came out here
#
# The paper is EffiFusion-GAN (Wen and Tan, arXiv 2508.14525). Its abstract and summaries by others
# were available to us, not its full text. What they leave open is marked as a choice of this
# project.

# %% tags=["frame"]
claim_table(
    Claim(
        'An "enhanced attention mechanism with dual normalization and residual refinement".',
        "the paper's abstract",
        "Error after 60 steps, one norm minus two: "
        f"{min(gains):+.4f} to {max(gains):+.4f} over three seeds; a gain in PESQ or SI-SDR after "
        "two hours of mixtures: not shown.",
        "section 8",
        "Its place and form are not known. Ours is trained far shorter, on other data, and the "
        "paper gives no number for it that was available to us.",
    ),
    Claim(
        "Dual layer norm and optimised residuals.",
        "summaries of the paper",
        "A norm before and after the attention, and a learned gain for each channel.",
        "section 8, proof",
        "That there are two norms agrees. Their places and the form of the gain are our choice.",
    ),
    Claim(
        "Convolution-enhanced transformers.",
        "the paper's abstract",
        "A conformer with 31 taps; largest difference between ours by hand and the package "
        f"{differences['two-stage block'].abs().max():.0e}.",
        "section 9, proof",
        "We read the words as conformer, as in CMGAN and MP-SENet.",
    ),
    Claim(
        "Along time, then along frequency.",
        "not known, choice of this project",
        "PESQ without attention along time: {:+.2f} to {:+.2f}; without attention along "
        "frequency: {:+.2f} to {:+.2f}.".format(
            *(
                extreme(changes[f"no attention along {axis}", "PESQ"])
                for axis in ("time", "frequency")
                for extreme in (min, max)
            )
        ),
        "section 11",
        "Nothing to compare. Both parts were cut from one trained network, on five sentences.",
    ),
)

# %% [markdown]
# ## 15 The common thread
#
# The sentence of this series, as far as the chapters up to this one bring it:

# %%
from effifusion_lite.listening.red_thread import thread

thread(3)

# %% [markdown]
# ## 16 Summary
#
# - Attention replaces each place by a weighted mean of all places: softmax makes weights of the
#   scores $QK^\top / \sqrt D$, and the weights multiply $V$. It finds what is alike, or whatever
#   the learned query asks for, at any distance.
# - It knows no order. The convolutions around it do.
# - To run along one axis, fold the other one into the batch. To *test* along which axis a layer
#   mixes, change one point and see what moves.
# - The cost grows with the square of the length, so long recordings go in windows.
# - The second norm makes the loudness of the attention at the start independent of its first
#   weights. That it trains better is not shown, neither after 60 steps nor after two hours of
#   mixtures.
# - In the trained `lite`, the attention along time of block 2 looks mostly at points where the
#   noise is stronger than the speech. Without attention along time all scores fall; without
#   attention along frequency SI-SDR falls too, and PESQ on most sentences, by less.
# - All of it is in `effifusion_lite/attention.py`.
#
# **Next:** chapter 04 builds the generator from the encoder, these blocks and the decoders.
