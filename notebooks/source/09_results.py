# %% [markdown]
# # 09 · Results, ablations, listening room
#
# **The sounds.** The speech in this chapter is a free synthetic voice, and the noise comes from a
# random generator. Where chapter 00 has prepared VoiceBank+DEMAND for you, its sentences take their
# place. Scores of recorded test files are stored numbers; none of these files is played.
#
# **After this chapter you can**
#
# - give a mean its interval, and say what a table of means hides;
# - compare two systems file by file, training by training, listener by listener, and say why that
#   shows more than comparing their means;
# - say what an ablation shows and what it does not, and how many seeds it would need;
# - run a blind test and a rating with a hidden reference, and pool the results of a class.
#
# **You need** Python with NumPy, mean and standard deviation, and PESQ and SI-SDR as scores
# (chapter 05). No network is trained here.
#
# **Time and cost.** Reading takes 60 to 75 minutes, the four exercises 65, and the listening room
# 15 to 30. All cells together run in one to three minutes on two processor cores, and need about
# 1.5 GB of memory. Nothing is downloaded.
#
# **Built so far.** Chapters 01 to 04 built a network, 05 to 08 trained and pruned it. Here we ask
# what it is worth. The package has four networks of one design: `tiny`, `lite` and `full`, from
# small to large, and `lite-pruned`, which is `lite` without half of its units (chapter 07). A cell
# below prints their sizes. `wiener` is a Wiener filter: a classical method of 30 lines that has
# learned nothing.
#
# ![](figures/map_09.svg)
#
# **The modules of this chapter** are `effifusion_lite/evaluation/`, where `intervals.py` and
# `power.py` compute what sections 1 and 7 build by hand, and `effifusion_lite/listening/room.py`.

# %% tags=["frame"]
import csv
import json
import re
import tempfile
from collections import Counter
from itertools import product
from math import comb
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML
from scipy import stats

import effifusion_lite
from effifusion_lite import metrics
from effifusion_lite.cost import describe
from effifusion_lite.enhancement import enhance
from effifusion_lite.evaluation import wiener_filter
from effifusion_lite.evaluation.intervals import mean_interval
from effifusion_lite.evaluation.power import count_needed, power
from effifusion_lite.lesson import Claim, claim_table
from effifusion_lite.lesson.checks import chapter09
from effifusion_lite.listening import clips, pool_ratings, room, row
from effifusion_lite.listening.loudness import loudness
from effifusion_lite.listening.widgets_power import power_desk, studies
from effifusion_lite.plotting import show
from effifusion_lite.weights import load

PROJECT = Path(effifusion_lite.__file__).resolve().parents[1]
RECIPES = PROJECT / "recipes"  # stored scores
NAMES = {"pesq": "PESQ", "si_sdr": "SI-SDR (dB)", "segmental_snr": "seg. SNR (dB)"}
NAMES |= {name: name.upper() for name in "stoi estoi csig cbak covl sig bak ovrl".split()}


def table_of(path):
    """The rows of a CSV file, as dictionaries."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text):
    """A number, NaN where there is none."""
    return float(text or "nan")


def html_table(heads, rows):
    """A table that a phone can scroll."""
    lines = ["".join(f'<th scope="col">{head}</th>' for head in heads)]
    lines += ["".join(f"<td>{cell}</td>" for cell in cells) for cells in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return HTML(f'<div style="overflow-x: auto"><table>{body}</table></div>')


BASE = "complete"
FOLDERS = {
    re.sub(r"^(\d+) ", r"\1 % ", folder.name.replace("_", " ")): folder
    for folder in sorted((RECIPES / "ablation").glob("*/"), key=lambda f: (f.name != BASE, f.name))
}  # of the ablation study, the complete model first


def study(metric):
    """Scores [3] of the three seeds of each variant of the ablation study (section 6)."""
    found = {}
    for variant, folder in FOLDERS.items():
        files = [folder / f"{seed}.json" for seed in range(3)]
        scores = [json.loads(f.read_text(encoding="utf-8"))["scores"][metric] for f in files]
        found[variant] = np.array(scores)
    return found


# %%
SAMPLE_RATE = 16000  # Hz
SYSTEMS = ("wiener", "tiny", "lite-pruned", "lite", "full")


def stored(system, column):
    """One column [200] of the scores of a system on 200 recorded test files."""
    rows = table_of(RECIPES / "scores" / f"{system}.csv")
    words = column in ("file", "noise")
    return np.array([r[column] if words else number(r[column]) for r in rows])


STUDY = study("pesq")

# %%
SIZES = {s: sum(p.numel() for p in load(s).parameters()) for s in SYSTEMS[1:]}
print("parameters:", SIZES)


# %% [markdown]
# ## 1 One file, one score: nothing yet
#
# ![](figures/map_09_scores.svg)
#
# **Why.** "Our system gains 0.7 PESQ." On which files? On other files of the same kind, the mean
# gain would have been a little different. The number says something about a system only if we also
# know how far it would move.
#
# **Eight files first.** Here are the gains of a system on eight files. The *spread* $s$ says how
# far apart single files lie. The *standard error* $s / \sqrt{n}$ says how far the mean would move
# if we drew eight other files.

# %%
eight = np.array([0.2, 0.9, 0.5, 1.1, 0.4, 0.7, 0.3, 0.9])
mean = sum(eight) / 8
spread = np.sqrt(sum((eight - mean) ** 2) / (8 - 1))
error = spread / np.sqrt(8)
print(f"mean {mean:.3f}, spread {spread:.3f}, standard error {error:.3f}")

# %% [markdown]
# **Equation.** An *interval* gives the mean room to move: $\bar x \pm t\, s / \sqrt{n}$. For many
# files $t$ is 1.96. For few files, $s$ itself is not known well, and Student's distribution with
# $n - 1$ degrees of freedom gives a larger $t$. The interval is made so that in 95 % of all studies
# it contains the true mean.


# %%
def interval_by_hand(values):
    """Values [n] -> mean and both ends of its 95 % interval."""
    n, total = len(values), 0.0
    centre = sum(values) / n
    for value in values:
        total += (value - centre) ** 2
    half = stats.t.ppf(0.975, n - 1) * np.sqrt(total / (n - 1) / n)
    return centre, centre - half, centre + half


print("eight files: {:.3f} ({:.3f} to {:.3f})".format(*interval_by_hand(eight)))
print("two of them: {:.3f} ({:.3f} to {:.3f})".format(*interval_by_hand(eight[:2])))

# %% [markdown]
# ![](figures/09_interval.svg)
#
# **Does it keep its promise?** We have 200 stored gains of `lite`. Take them as the whole world:
# then the true mean is known. Draw eight files, make the interval, and see whether it contains the
# true mean; do that 2000 times. **Guess:** how often does it contain the true mean with $t$, and
# how often with 1.96 in place of $t$? And with three files in place of eight?

# %% tags=["guess"]
gains = stored("lite", "enhanced_pesq") - stored("lite", "noisy_pesq")  # [200]
truth, draw = gains.mean(), np.random.default_rng(9)
for count in (3, 8, 50):
    drawn = draw.choice(gains, (2000, count))  # [2000, count]
    errors = drawn.std(1, ddof=1) / np.sqrt(count)  # [2000]
    off = np.abs(drawn.mean(1) - truth)
    for name, factor in (("t", stats.t.ppf(0.975, count - 1)), ("1.96", 1.96)):
        share = np.mean(off <= factor * errors)
        print(f"{count:2d} files, {name:4s}: {share:.1%} of the intervals contain the true mean")

# %% tags=["frame"]
figure, axes = plt.subplots(figsize=(8, 2.8), layout="constrained")
lots = [interval_by_hand(draw.choice(gains, 8)) for _ in range(40)]
missed = 0
for place, (centre, low, high) in enumerate(lots):
    holds = low <= truth <= high
    missed += not holds
    axes.plot([place, place], [low, high], "-" if holds else ":", color="C0" if holds else "C3")
    axes.plot(place, centre, "o" if holds else "x", color="C0" if holds else "C3", markersize=4)
axes.axhline(truth, color="black", linewidth=0.8)
axes.set(xlabel="study, eight files each", ylabel="gain in PESQ", xticks=[])
show(
    figure,
    f"The intervals of 40 studies with eight files each, and a line at the true mean of "
    f"{truth:.2f}. Intervals that do not contain it are dotted and have a cross: {missed} of 40.",
)

# %% [markdown]
# **Proof.** The interval by hand, the package's `mean_interval` and SciPy's t-test give the same
# numbers.

# %%
ours = interval_by_hand(gains)
package = mean_interval(gains)
library = stats.ttest_1samp(gains, 0).confidence_interval(0.95)
differences = [abs(ours[1] - package.low), abs(ours[2] - library.high)]
print(f"largest difference {max(differences):.1e}")
assert max(differences) < 1e-9

# %% [markdown]
# ## 2 Two hundred files
#
# **Why.** A mean is one number for 200 files. Before we trust it, we look at all of them.
#
# **Guess:** on how many of the 200 recorded test files is `lite` *worse* than the noisy file, in
# PESQ? And in SIG, the opinion of DNSMOS (a judge without a reference) on the speech alone?

# %% tags=["guess"]
GAINS = {}
for metric in ("pesq", "si_sdr", "sig"):
    GAINS[metric] = stored("lite", f"enhanced_{metric}") - stored("lite", f"noisy_{metric}")
    i = mean_interval(GAINS[metric])
    print(f"{metric:6s} mean gain {i.mean:+.3f} ({i.low:+.3f} to {i.high:+.3f})", end="")
    print(f"{', not shown' * (not i.shown)}, worse on {np.sum(GAINS[metric] < 0)} of {i.count}")

# %% tags=["frame"]
figure, panels = plt.subplots(1, 3, figsize=(11, 2.6), layout="constrained")
for axes, (metric, gain) in zip(panels, GAINS.items(), strict=True):
    axes.hist(gain, 25, color="#d8d8dc", edgecolor="#5e5c64")
    axes.axvline(0, color="black", linewidth=1)
    axes.axvline(gain.mean(), color="C0", linestyle="--")
    axes.set(xlabel=f"gain in {NAMES[metric]}")
panels[0].set_ylabel("files")
show(
    figure,
    "Histograms of the gains of lite on 200 files, with lines at zero and at the mean. "
    + " ".join(f"{NAMES[m]}: {g.min():.2f} to {g.max():.2f}." for m, g in GAINS.items()),
)

# %% [markdown]
# PESQ and SIG tell two stories about the same files: noise is taken away, but the voice, by this
# judge, does not get better. The interval of SIG contains zero, and many files lose. A table with
# only one of the two columns would tell only one of the two stories.
#
# **Two systems, file by file.** Chapter 05 subtracted the scores of two systems on each file, so
# that what makes a file hard cancels. A difference is called *shown* if its 95 % interval does not
# contain zero.


# %%
def compare_files(first, second, metric, files=slice(None)):
    """Mean of first minus second over the same files, with its interval."""
    a, b = (stored(system, f"enhanced_{metric}")[files] for system in (first, second))
    return mean_interval(a - b)


for other in ("wiener", "tiny", "lite-pruned", "full"):
    for metric in ("pesq", "si_sdr"):
        d = compare_files("lite", other, metric)
        print(f"lite − {other:12s}{metric:7s}{d.mean:+.3f} ({d.low:+.3f} to {d.high:+.3f})", end="")
        print("" if d.shown else "  not shown")

# %% [markdown]
# The difference in PESQ between `lite` and `full` is shown, and nobody would hear it. *Shown* means
# that it is hardly chance; whether it is large enough to matter is another question.
#
# **Ask every judge.** `tiny-3` is `tiny` before the last part of its training, which taught it to
# take away rumble below 20 Hz. The next cell compares the two by each score that is stored.
# **Guess:** do these judges agree?

# %% tags=["guess"]
heads = table_of(RECIPES / "scores" / "lite.csv")[0]
JUDGES = [column[9:] for column in heads if column.startswith("enhanced_")]
for metric in JUDGES:
    d = compare_files("tiny", "tiny-3", metric)
    print(f"tiny − tiny-3  {NAMES.get(metric, metric):15s}{d.mean:+.3f}", end="")
    print(f" ({d.low:+.3f} to {d.high:+.3f}){'' if d.shown else '  not shown'}")

# %% [markdown]
# They do not, and chance does not explain this: differences of both signs are shown. ("Not shown"
# says that these files do not tell the two apart. It does not say that they are equal.) An interval
# protects against chance. It does not protect against the wrong question, or against a paper that
# prints only the judge that agrees.
#
# > **Try it.** Take 20 files drawn at random in place of 200. Which of the differences in PESQ are
# > still shown? Does another draw change the answer?

# %% tags=["try"]
# Answer: the large differences are shown in every draw, that of tiny in about half, and
# the smallest one in few.
for try_other in ("wiener", "tiny", "lite-pruned", "full"):
    try_draws = [np.random.default_rng(seed).choice(200, 20, replace=False) for seed in range(50)]
    try_found = [compare_files("lite", try_other, "pesq", files).shown for files in try_draws]
    print(f"lite − {try_other:12s} shown in {sum(try_found)} of 50 draws")

# %% [markdown]
# ## 3 The mean of which files?
#
# **Why.** Two groups publish a mean. One has tested on hard files, the other on easy ones. Then a
# table of the two means compares files, not systems.
#
# **Four files each.** System A is better on easy files *and* on hard ones. Look at the two means.

# %%
easy, hard = {"A": [3.0], "B": [2.9, 2.9, 2.9]}, {"A": [2.0, 2.0, 2.0], "B": [1.9]}
for system in "AB":
    both = easy[system] + hard[system]
    print(f"{system}: easy {np.mean(easy[system]):.1f}, hard {np.mean(hard[system]):.1f}", end="")
    print(f", all {len(both)} files {np.mean(both):.2f}")

# %% [markdown]
# ![](figures/09_simpson.svg)
#
# The mean over all files is a *weighted* mean of the two groups, and the weights are the shares of
# easy and hard files. These shares belong to the test, not to the system. The reversal is called
# *Simpson's paradox*.
#
# **With real scores.** `lite` is better than the Wiener filter at each of the four SNRs of the
# corpus. Now test the filter on 40 files at 17.5 dB and 10 at 2.5 dB, and `lite` on 10 at 17.5 dB
# and 40 at 2.5 dB. **Guess:** which one has the higher mean, and by how much?

# %% tags=["guess"]
SNR = stored("lite", "snr_db")  # [200]
SCORES = {system: stored(system, "enhanced_pesq") for system in ("wiener", "lite")}
MIXES = {"wiener": {2.5: 10, 17.5: 40}, "lite": {2.5: 40, 17.5: 10}}  # SNR in dB: files
for system, mix in MIXES.items():
    each = {snr: SCORES[system][SNR == snr] for snr in np.unique(SNR)}
    tested = np.concatenate([each[snr][:count] for snr, count in mix.items()])  # [50]
    listed = "  ".join(f"{snr:g} dB {values.mean():.2f}" for snr, values in each.items())
    print(f"{system:7s} {listed}   mean of its 50 files {tested.mean():.2f}")

# %% [markdown]
# **The way out.** Test both systems on the same files. Where that is not possible, take the mean of
# each group first, and weight the groups alike for both: $\sum_k w_k \bar x_k$, with shares $w_k$
# that are chosen once. That is called *standardising*.


# %%
def standardised(values, groups, shares):
    """Scores [n] and their groups [n], share of each group -> weighted mean of group means."""
    return sum(share * values[groups == group].mean() for group, share in shares.items())


for system, mix in MIXES.items():
    files = np.concatenate([np.flatnonzero(SNR == snr)[:count] for snr, count in mix.items()])
    fair = standardised(SCORES[system][files], SNR[files], {2.5: 0.5, 17.5: 0.5})
    print(f"{system:7s} standardised to equal shares: {fair:.2f}")

# %% [markdown]
# The test set of the corpus has four SNRs and five noises. A mean over it is such a weighted mean,
# too, and another corpus has other shares.
#
# > **Try it.** Group the same files by noise: is `lite` better than `lite-pruned` in each of the
# > five groups? Which of the differences are shown?

# %% tags=["try"]
# Answer: yes, and the difference is shown for each of the five noises.
try_noise = stored("lite", "noise")
for try_kind in np.unique(try_noise):
    try_d = compare_files("lite", "lite-pruned", "pesq", try_noise == try_kind)
    print(f"{try_kind:8s} {try_d.mean:+.3f} ({try_d.low:+.3f} to {try_d.high:+.3f})")

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "System A has a mean PESQ of 2.9 on 300 files of its authors, system B 2.7 on 300 others. Both "
    "standard errors are 0.03. What is shown?",
    {
        "That the two means differ. Which system is better is not shown.": "The files differ, and "
        "with them the shares of easy and hard ones (section 3).",
        "A is better: the difference is many standard errors.": "The errors speak about other "
        "files of the same kind, not about files of another kind.",
        "Nothing, since PESQ is only a model.": "PESQ is a model, but that is not the problem.",
    },
    correct="That the two means differ. Which system is better is not shown.",
)

# %% [markdown]
# ## 4 Many comparisons
#
# **Why.** At the 5 % level, if there is nothing to find, one comparison in twenty is still "shown".
# A table with eleven variants makes eleven comparisons.
#
# **By hand.** If $m$ comparisons do not depend on each other, the probability that none of them is
# wrong is $0.95^m$.

# %%
for m in (1, 3, 11, 45):
    print(f"{m:2d} comparisons: at least one false finding in {1 - 0.95**m:.0%} of all studies")

# %% [markdown]
# **Simulated.** Take eleven variants with three seeds each, all exactly as good as the complete
# model. A *p-value* is the probability that chance alone makes a difference as large as the one
# found; a t-test computes it from three scores on each side. **Guess:** in how many of 2000 such
# studies is at least one p-value below 0.05? All eleven are compared with the *same* three scores:
# does this happen more or less often than printed above?

# %% tags=["guess"]
chance = np.random.default_rng(4).normal(0, 0.02, (2000, 12, 3))  # studies, models, seeds
p_values = stats.ttest_ind(chance[:, 1:], chance[:, :1], axis=-1).pvalue  # [2000, 11]
print(f"single comparisons below 0.05:  {np.mean(p_values < 0.05):.1%}")
print(f"studies with at least one:      {np.mean(p_values.min(1) < 0.05):.1%}")
print(f"the same, after multiplying by 11: {np.mean(11 * p_values.min(1) < 0.05):.1%}")

# %% [markdown]
# It happens less often, since the eleven share the three scores of the complete model: if these
# happen to be low, all eleven look better together. A single comparison is wrong as often as
# before, but the false findings come together, several in one study and none in others. So fewer
# studies have any.
#
# The last line is **Bonferroni's rule**: multiply each p-value by the number of comparisons. It
# keeps the chance of *any* false finding at or below 5 %, however the comparisons depend on each
# other. Exercise 2 writes a rule that keeps this promise and finds at least as much.
#
# Count all comparisons that were *made*, including those that did not get into the table.

# %% [markdown]
# ## 5 The table of peers
#
# **Why.** How good are our networks compared with those of others? A table answers only if it says
# what each was trained on. "Measured" rows were scored for this project on the same files; "quoted"
# rows are the authors' numbers, on all 824 test files of the corpus.

# %% tags=["frame"]
PEERS = table_of(PROJECT / "figures" / "peers.csv")
shown = ("system", "trained_on", "pesq_200", "pesq_824", "si_sdr_200", "source")
listed = [[peer[column] for column in shown] for peer in PEERS]
for system in SYSTEMS[1:]:
    pesq, ratio = (stored(system, f"enhanced_{m}").mean() for m in ("pesq", "si_sdr"))
    named = f"<b>{system}</b> (this project)"
    listed.append([named, "other data", f"{pesq:.3f}", "", f"{ratio:.2f}", "measured"])
heads = "system, trained on, PESQ of 200 files, of all 824, SI-SDR in dB, source".split(", ")
html_table(heads, listed)

# %% [markdown]
# **One network, two trainings.** GTCRN has been published with weights for two training sets: DNS3,
# a large collection of other data, and the training part of VoiceBank+DEMAND. The design is the
# same. **Guess:** how much does a network gain if it is trained on the corpus it is tested on?

# %% tags=["guess"]
by_name = {peer["system"]: peer for peer in PEERS}
for column in ("pesq_200", "si_sdr_200"):
    other_data, corpus = (number(by_name[f"GTCRN ({d})"][column]) for d in ("DNS3", "VB+D"))
    print(f"GTCRN {column:10s} {other_data:.3f} -> {corpus:.3f}: {corpus - other_data:+.3f}")
best = max(stored(system, "enhanced_pesq").mean() for system in SYSTEMS)
ahead = best - number(by_name["GTCRN (DNS3)"]["pesq_200"])
print(f"PESQ of the best of ours above GTCRN (DNS3): {ahead:+.3f}")

# %% [markdown]
# The training data alone are worth most of our best network's lead over GTCRN (DNS3). So rows with
# different training data must not be ranked in one column. There are three more things that the
# column does not say:
#
# - Our weights had a differentiable PESQ among their losses. That favours them in PESQ; section 7
#   of chapter 05 shows how.
# - DeepFilterNet3 is listed as trained on other data, but its developers say that VCTK, the source
#   of the corpus' speech, was drawn more often in its training (quoted from its issue tracker,
#   DeepFilterNet#531). The VCTK in our own training data, up to 19 minutes without the voices of
#   the test set, was drawn three times as often as its length alone would give
#   (`TRAINING_DATA.md`).
# - A score says nothing about cost. The next figure puts the cost on the other axis.

# %% tags=["frame"]
FORMS = {"VoiceBank+DEMAND": ("s", "C1"), "other data": ("o", "C0")}
PLACES = {  # of a label beside its mark, where it is not above it on the right
    "PrimeK-Net": (-8, 5, "right"),
    "CMGAN": (6, -11, "left"),
    "GTCRN (VB+D)": (6, -11, "left"),
    "FastEnhancer-B": (6, -11, "left"),
    "full": (6, -11, "left"),
}
points = []
for p in PEERS:
    if p["macs_per_second"]:
        pesq = number(p["pesq_200"] or p["pesq_824"])
        points.append(
            (p["system"], number(p["macs_per_second"]), pesq, p["trained_on"], p["source"])
        )
for system in ("tiny", "lite", "full"):
    macs, pesq = describe(load(system))["macs_per_second"], stored(system, "enhanced_pesq").mean()
    points.append((system, macs, pesq, "other data", "measured"))
figure, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
texts = []
for name, cost, pesq, trained, source in points:
    mark, colour = FORMS["VoiceBank+DEMAND" if trained == "VoiceBank+DEMAND" else "other data"]
    fill = colour if source == "measured" else "white"
    axes.plot(cost / 1e6, pesq, mark, color=colour, markersize=7, markerfacecolor=fill)
    right, up, side = PLACES.get(name, (6, 5, "left"))
    axes.annotate(
        name, (cost / 1e6, pesq), (right, up), textcoords="offset points", fontsize=8, ha=side
    )
    texts.append(f"{name} {pesq:.2f} at {cost / 1e6:.0f}{', quoted' * (source == 'quoted')}")
axes.set(xscale="log", xlabel="million multiply-accumulates per second of audio", ylabel="PESQ")
axes.set(xlim=(15, 4e5), ylim=(2.4, 3.75))
axes.grid(alpha=0.3)
for trained, (mark, colour) in FORMS.items():
    axes.plot([], [], mark, color=colour, label=f"trained on {trained}")
axes.plot([], [], "s", color="C1", markerfacecolor="white", label="hollow: quoted, all 824 files")
axes.legend(fontsize=8, loc="upper left")
show(
    figure,
    "PESQ over cost, squares for systems trained on the corpus, circles for others, hollow marks "
    "for quoted scores. PESQ and million operations: " + "; ".join(texts) + ".",
)

# %% [markdown]
# Among the measured systems that were trained on other data, ours are the best in PESQ, but cost
# far more than GTCRN. (The figure shows no other of these systems: their cost is not listed.) Of
# the networks that were trained on the corpus, the smallest is behind `tiny` and `lite`, and the
# next one is level with `lite`, at a small fraction of the cost; all larger ones are ahead. The
# largest of our three sizes is no better than the second, which it was grown from, and costs nearly
# six times as much: in these trainings, size is not what limits the score.
#
# > **Try it.** Rank the measured systems by SI-SDR in place of PESQ. Which systems change places?

# %% tags=["try"]
# Answer: GTCRN (VB+D), behind tiny, lite and full in PESQ, is ahead of all of ours in SI-SDR.
try_rows = []
for try_peer in PEERS:
    if try_peer["si_sdr_200"]:
        try_row = number(try_peer["si_sdr_200"]), try_peer["system"], try_peer["trained_on"]
        try_rows.append(try_row)
for try_system in SYSTEMS[1:]:
    try_rows.append((stored(try_system, "enhanced_si_sdr").mean(), try_system, "other data"))
for try_ratio, try_name, try_data in sorted(try_rows, reverse=True):
    print(f"{try_ratio:6.2f} dB  {try_name:42s} {try_data}")

# %% [markdown]
# ## 6 The ablation
#
# **Why.** To learn what a part is worth, leave it out, train again, and compare. The ablation study
# of this project trains `tiny` in twelve variants, the complete one and eleven with one change,
# three seeds each, on two hours of mixtures each, and scores all on the same 48 validation
# mixtures. A *seed* decides which first weights the network has and which mixtures it hears.
#
# **Guess:** which of the eleven changes makes a difference in PESQ that is larger than the
# differences between seeds? Choose from: *standard convolutions*, *single norm* (without the second
# one), *30 %*, *50 %*, or *70 % of the weights masked*, *50 % of the units removed*, *small dense
# model* (trained small from the start), *with GAN* (with a discriminator), *without multi-scale
# block*, *without compression*, *magnitude only* (without the phase decoder).

# %% tags=["frame"]
figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
for place, scores in enumerate(STUDY.values()):
    for seed, mark in enumerate("os^"):
        axes.plot(scores[seed], place, mark, color=f"C{seed}", markersize=6, alpha=0.8)
axes.axvspan(STUDY["complete"].min(), STUDY["complete"].max(), color="#d8d8dc", zorder=0)
axes.set_yticks(range(len(STUDY)), STUDY)
axes.invert_yaxis()
axes.set_xlabel("PESQ (circle, square, triangle: seeds 0, 1, 2)")
axes.grid(axis="x", alpha=0.3)
show(
    figure,
    "PESQ of three seeds of each variant; the range of the complete model is shaded. "
    + " ".join(f"{v}: {', '.join(f'{x:.3f}' for x in s)}." for v, s in STUDY.items()),
)

# %% [markdown]
# **The careful rule.** The tables of this project call a difference "not shown" unless it is larger
# than the range of the seeds on both sides. This rule assumes no distribution and needs no
# statistical table.


# %%
def shown_by_range(scores, base):
    """The difference of two means, or None where one of the ranges is as large."""
    difference = np.mean(scores) - np.mean(base)
    return difference if abs(difference) > max(np.ptp(scores), np.ptp(base)) else None


for metric in ("pesq", "si_sdr"):
    found = {v: shown_by_range(s, study(metric)["complete"]) for v, s in study(metric).items()}
    print(metric, {v: round(float(d), 3) for v, d in found.items() if d is not None})

# %% [markdown]
# **That is the result:** of eleven changes, two are shown to matter in PESQ: without compression
# the network is worse, and so it is with 70 % of its weights masked. In SI-SDR, standard
# convolutions help, and masks of 50 % and 70 % cost something. For all others this study shows
# nothing, neither that they help nor that they do not. The abstract of the paper of this series
# (EffiFusion-GAN, arXiv 2508.14525) says that its innovations contribute; we cannot confirm that at
# this size, and we have not refuted it.
#
# **Look at the marks again.** In most rows, circle, square and triangle have the same order. With
# the same seed the variants hear the same mixtures, and draw their first weights from the same
# random numbers. A lucky draw then helps all of them. What does that suggest?

# %%
BY_SEED = {v: s - STUDY["complete"] for v, s in STUDY.items() if v != "complete"}
print(f"seeds of the complete model:{STUDY['complete'].round(3)}")
for variant, difference in BY_SEED.items():
    together = np.corrcoef(STUDY[variant], STUDY["complete"])[0, 1]
    print(f"{variant:26s} correlation {together:+.2f}, differences {difference.round(4)}")

# %% [markdown]
# ![](figures/09_pairs.svg)
#
# **Pairs again.** This is section 2 once more, with seeds in place of files: subtract within each
# seed, and what both sides have in common cancels. We make three t-tests of the same numbers:
# unpaired, paired by seed, and paired with Bonferroni's factor. **Guess:** which of the eleven are
# below 0.05 in the first test, and which in the last?

# %% tags=["guess"]
base = STUDY["complete"]
for variant, difference in BY_SEED.items():
    alone = stats.ttest_ind(STUDY[variant], base).pvalue
    paired = stats.ttest_1samp(difference, 0).pvalue
    alone = f"{alone:7.3f}" if alone >= 0.001 else "< 0.001"
    print(f"{variant:26s} {difference.mean():+.4f}   unpaired p {alone}", end="")
    print(f"   paired p {paired:.4f}, corrected {min(1, len(BY_SEED) * paired):.3f}")
mixtures = json.loads((RECIPES / "ablation" / "noisy.json").read_text(encoding="utf-8"))["scores"]
print(f"the complete model gains {base.mean() - mixtures['pesq']:.3f} over the noisy mixtures")

# %% [markdown]
# Unpaired, compression and, barely, the masks of 70 % are below 0.05. Paired by seed and corrected,
# it is compression and another one: the discriminator. Look at its sign and at its size before you
# write a headline. It is *negative*, and very small compared with the gain in the last line. Both
# networks are trained alike up to the middle of their training, when the discriminator begins, so
# their differences scatter very little. *Shown* and *matters* are two words.
#
# **And three seeds are three seeds.** The paired t-test assumes that differences are normally
# distributed, which three numbers cannot confirm. A test without this assumption flips signs: if
# the part did nothing, each of the three differences could just as well have had the other sign.
# There are $2^3$ ways to set the signs. The mean is farthest from zero where all three signs agree,
# and that happens twice: all plus, and all minus. A test that asks for a difference of either sign
# counts both, so the smallest p-value it can give is two of eight.

# %%
for variant in ("with GAN", "without compression"):
    difference = BY_SEED[variant]
    flipped = [abs(np.mean(difference * signs)) for signs in product((1, -1), repeat=3)]
    p = np.mean(np.array(flipped) >= abs(difference.mean()) - 1e-12)
    print(f"{variant}: p = {p} by flipping signs")

# %% [markdown]
# Nothing can be shown by three seeds in this way, not even the compression. The tests differ in
# what they take for granted, and the more a test assumes, the more it finds. The honest report
# names the test, prints all seeds, and lets the reader judge.
#
# > **Try it.** How many seeds does the test that flips signs need before it *can* give a p-value
# > below 0.05? And below 0.05 after Bonferroni's factor of eleven?

# %% tags=["try"]
# Answer: six seeds for one comparison, nine for eleven, however large the difference is.
for try_count in range(3, 10):
    try_smallest = 2 / 2**try_count
    print(f"{try_count} seeds: smallest p {try_smallest:.4f}, times eleven {11 * try_smallest:.4f}")

# %% [markdown]
# ## 7 Power: what could this study have shown?
#
# **Why.** "Not shown" can mean that there is little to find, or that we looked too briefly. *Power*
# is the probability that a study shows a gain that is really there. It depends on the gain, on the
# spread between seeds, and on the number of seeds. The spread is that of the ablation study.
#
# **By hand.** Make studies with a known gain and count how many show it.

# %%
SPREAD = float(np.sqrt(np.mean([s.var(ddof=1) for s in STUDY.values()])))  # PESQ between seeds


def power_by_hand(gain, spread, count, studies=1000, seed=7):
    """Share of simulated studies with `count` seeds on each side that show the gain."""
    numbers, shown = np.random.default_rng(seed), 0
    for _ in range(studies):
        one, other = numbers.normal(0, spread, (2, count))
        shown += stats.ttest_ind(one + gain, other).pvalue < 0.05
    return shown / studies


print(f"spread between seeds {SPREAD:.4f}")
for count in (3, 6, 12):
    print(f"{count:2d} seeds show a gain of 0.03 in {power_by_hand(0.03, SPREAD, count):.0%}")

# %% [markdown]
# **Fast form.** A t-test divides a difference by its standard error. If there is a gain, that ratio
# follows a *noncentral* t distribution, shifted by gain over error. Its square follows a noncentral
# F distribution. The package's `power` uses the square, since SciPy's noncentral t gives NaN for
# some large shifts.
#
# **Proof.** Here are three ways to the same number: by simulation, by the package, and by SciPy's
# noncentral t, written out here, with a bound on either side.

# %%
for count in (3, 8):
    freedom, shift = 2 * count - 2, 0.03 / (SPREAD * np.sqrt(2 / count))
    bound = stats.t.ppf(0.975, freedom)
    library = stats.nct.sf(bound, freedom, shift) + stats.nct.cdf(-bound, freedom, shift)
    package, simulated = power(0.03, SPREAD, count), power_by_hand(0.03, SPREAD, count)
    print(f"{count} seeds: {simulated:.3f} by hand, {package:.3f} package, {library:.3f} SciPy")
    assert abs(package - library) < 1e-9 and abs(package - simulated) < 0.05

# %% [markdown]
# ![](figures/09_power.svg)
#
# **How many seeds would it take?** We ask for a power of 80 %: four out of five such studies show
# the gain. **Guess:** how many seeds of each variant does a gain of 0.03 PESQ take? And how many if
# the runs are paired by seed?

# %% tags=["guess"]
spreads = {v: (s - STUDY["complete"]).std(ddof=1) for v, s in STUDY.items()}  # by seed
del spreads["complete"]
typical = float(np.median(list(spreads.values())))
print(f"paired differences: median spread {typical:.4f}, of all variants", end=" ")
print(f"{min(spreads.values()):.4f} to {max(spreads.values()):.4f}")
for gain in (0.1, 0.05, 0.03, 0.01):
    pairs = [count_needed(gain, s, paired=True) for s in (typical, max(spreads.values()))]
    print(f"a gain of {gain:.2f}: {count_needed(gain, SPREAD):3d} seeds of each, or", end=" ")
    print(f"{pairs[0]:3d} pairs at the median spread, {pairs[1]:3d} at the largest")
print(f"power of three seeds for a gain of 0.03: {power(0.03, SPREAD, 3):.0%}")

# %% tags=["frame"]
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
seeds = np.arange(2, 31)
CURVES = {}
for gain, style in ((0.01, ":"), (0.03, "-"), (0.05, "--")):
    CURVES[gain] = [power(gain, SPREAD, n) for n in seeds]
    axes.plot(seeds, CURVES[gain], style, label=f"gain {gain}")
axes.axhline(0.8, color="black", linewidth=0.6)
axes.text(30, 0.81, "power 0.8", ha="right", va="bottom", fontsize=8)
axes.axvline(3, color="black", linewidth=0.6)
axes.text(3.2, 0.98, "3 seeds", va="top", fontsize=8)
axes.set(xlabel="seeds of each variant", ylabel="power", ylim=(0, 1))
axes.legend(fontsize=8)
show(
    figure,
    f"Power over the number of seeds, unpaired, at a spread of {SPREAD:.3f}; lines at three seeds "
    "and at a power of 0.8. At three seeds: "
    + ", ".join(f"{100 * c[1]:.0f} % for a gain of {g}" for g, c in CURVES.items())
    + ".",
)

# %% [markdown]
# So most of the "not shown" of section 6 were to be expected, even if every part were worth 0.03.
# Pairs by seed are far cheaper where both networks share their draws, and of no use where they do
# not. The spreads themselves come from three seeds each, so all these numbers are rough.
#
# **The winner's curse.** A small study that *does* show something was lucky: only an overestimated
# gain gets over the bound. Move the sliders: at which number of seeds do the shown gains have about
# the true size? On a page without a kernel you see the first state.

# %% tags=["frame"]
power_desk()

# %% tags=["try"]
# Answer: with three seeds the shown gains are far too large; from about a dozen on they are right.
for try_count in (3, 5, 8, 12, 15, 20):
    try_found, try_shown = studies(0.03, 0.02, try_count)
    print(f"{try_count:2d} seeds: {try_shown.mean():4.0%} of the studies show the gain, ", end="")
    print(f"and find {try_found[try_shown].mean():.3f}, where 0.030 is true")

# %% [markdown]
# > **Try it.** You have a budget of 24 trainings, and each part gains 0.03. Is it better to compare
# > one part with 12 seeds each, or three parts (and the complete model) with 6 each, after
# > Bonferroni's rule? `power` takes a `level`: Bonferroni's rule divides it by the number of
# > comparisons.

# %% tags=["try"]
# Answer: one part with twelve seeds is shown in most studies, each of three with six in few.
try_draw = np.random.default_rng(24)
for try_parts, try_count in ((1, 12), (3, 6)):
    try_scores = try_draw.normal(0, SPREAD, (4000, try_parts + 1, try_count))
    try_scores[:, 1:] += 0.03
    try_p = stats.ttest_ind(try_scores[:, 1:], try_scores[:, :1], axis=-1).pvalue
    try_share = np.mean(try_parts * try_p < 0.05)
    try_power = power(0.03, SPREAD, try_count, level=0.05 / try_parts)
    print(f"{try_parts} part(s), {try_count} seeds each: each is shown in {try_share:.0%}", end="")
    print(f", by the formula in {try_power:.0%}")

# %% [markdown]
# ## 8 The listening room
#
# **Why.** All scores so far are computed. Now you are the listener: ten networks of
# section 6, one sentence, blind. (The room holds ten, so those with 30 % and 70 % of the weights
# masked stay outside.)
#
# **Loudness first.** The louder of two sounds is liked better, whatever else it is. The next cell
# prints how loud the same sentence comes out of the ten networks (LUFS, ITU-R BS.1770); in the room
# all are made equally loud.

# %%
LISTENED = "station_speech_shaped"
PURE, MIXED = (side[: 3 * SAMPLE_RATE] for side in clips.pair(LISTENED))  # [N] each
HEARD = {}
for variant, folder in FOLDERS.items():
    if variant[:4] not in ("30 %", "70 %"):
        HEARD[variant] = enhance(MIXED, SAMPLE_RATE, load(folder / "weights.safetensors"))
levels = {title: loudness(sound) for title, sound in HEARD.items()}
print(f"{min(levels.values()):.1f} to {max(levels.values()):.1f} LUFS, noisy {loudness(MIXED):.1f}")

# %% [markdown]
# **Blind test: is there a difference?** In an ABX test, X is A or B by chance. Whoever hears no
# difference guesses, and is right half of the time. **By hand, four trials:** of the $2^4$ equally
# likely rows of right and wrong answers, how many have at least three right ones?

# %%
rows = list(product("rw", repeat=4))
print(Counter(line.count("r") for line in rows))
print(f"at least 3 of 4 right: {sum(line.count('r') >= 3 for line in rows)} of {len(rows)} rows")


# %%
def chance_by_hand(right, trials):
    """Probability that guessing gives `right` or more right answers."""
    return sum(comb(trials, k) for k in range(right, trials + 1)) / 2**trials


for right in (7, 8, 9, 10):
    library = stats.binomtest(right, 10, 0.5, alternative="greater").pvalue
    print(f"{right} of 10 right: p = {chance_by_hand(right, 10):.4f}, SciPy {library:.4f}")

# %% [markdown]
# **Its power.** A listener who hears a small difference is right more often than by guessing, say
# in 70 % of the trials. How many trials does it take to show this four times out of five?

# %%
for rate in (0.6, 0.7, 0.9):
    for trials in range(5, 400):
        enough = next(k for k in range(trials + 2) if chance_by_hand(k, trials) < 0.05)
        if stats.binom.sf(enough - 1, trials, rate) >= 0.8:
            break
    print(f"right in {rate:.0%} of the trials: {trials} trials, {enough} of them right")

# %% [markdown]
# **Rating: how large is the difference?** In a rating you have all versions at once, labelled with
# letters, and you give each a number from 0 to 100, compared with an open reference. Two of the
# letters are controls. The *hidden reference* is the clean speech once more: whoever rates it below
# 90 has not found it. The *anchor* is the clean speech without everything above 3.5 kHz, so that
# all listeners use the scale in a similar way. The method is that of ITU-R BS.1534-3, known as
# MUSHRA; the recommendation also has a second anchor, and asks for several sentences and for
# experienced listeners.
#
# ![](figures/09_rating.svg)
#
# Decide *before* you begin how many trials you will do and which two you will compare; write it
# down. Then save the file, even if the result is not what you hoped for.

# %% tags=["frame"]
room(
    HEARD,
    PURE,
    title=f"Ten networks, {clips.info(LISTENED).condition}",
    listen_for="Is any noise left in the pauses? Is the voice dull, thin, or rough?",
)

# %% [markdown]
# Ten versions give 45 pairs: section 4 holds for ears, too. The room counts your tests and says how
# likely a lucky result has become.

# %% [markdown]
# ## 9 Reading a listening test
#
# **Why.** One listener and one sentence show nothing about other listeners. A class can do better,
# provided that every file is pooled, not only those that went well.
#
# The next cell writes the files of 14 listeners **who do not exist**: they are *simulated*, and the
# files say so in their column "test". Each listener has a habit (one rates all versions higher than
# another does), and chance does the rest; the truth behind it is the same for all. First two of the
# files are pooled, then all of them.

# %% tags=["frame"]
TRUTH = {"noisy": 30, "small network": 55, "large network": 64, "anchor (below 3.5 kHz)": 45}


def simulated_file(folder, listener):
    """Write the file that a listener who does not exist could have saved."""
    chance = np.random.default_rng([9, listener])
    habit = chance.normal(0, 14)
    lines = ["test,letter,version,role,rating"]
    for letter, (version, true) in zip("ABCD", TRUTH.items(), strict=True):
        rating = int(np.clip(true + habit + chance.normal(0, 5), 0, 100))
        role = "anchor" if version.startswith("anchor") else "version"
        lines.append(f'simulated,{letter},"{version}",{role},{rating}')
    found = 100 if listener % 7 else 80  # some do not find the hidden reference
    lines.append(f'simulated,E,"reference",reference,{found}')
    path = Path(folder) / f"simulated_{listener}.csv"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


# %%
with tempfile.TemporaryDirectory() as folder:
    files = [simulated_file(folder, listener) for listener in range(1, 15)]
    print(files[0].read_text(encoding="utf-8"))
    two, all_of_them = pool_ratings(files[:2]), pool_ratings(files)
for pooled in (two, all_of_them):
    print(f"{pooled.listeners} listeners counted, {pooled.left_out} left out")
    for version in TRUTH:
        i = pooled.interval(version)
        print(f"  {version:24s}{i.mean:5.1f} ({i.low:6.1f} to {i.high:6.1f})")

# %% [markdown]
# Two listeners give intervals that leave the scale, since $t$ is above 12 with one degree of
# freedom. So two files are an example of the format, not a result. Put your own in their place:
# `pool_ratings(["rating_1.csv", "rating_2.csv"])`.
#
# **Pairs, a third time.** Every listener rates both networks, so habits cancel in the difference.
# **Guess:** do the intervals of the two networks above overlap? Is the difference shown?

# %% tags=["guess"]
one, other = (all_of_them.interval(name) for name in ("large network", "small network"))
found = all_of_them.difference("large network", "small network")
print(f"large {one.low:.1f} to {one.high:.1f}, small {other.low:.1f} to {other.high:.1f}")
print(f"large minus small {found.mean:+.1f} ({found.low:+.1f} to {found.high:+.1f})", end="")
print(", shown" if found.shown else ", not shown")

# %% tags=["frame"]
figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
versions = ("noisy", "anchor (below 3.5 kHz)", "small network", "large network")
for place, version in enumerate(versions):
    i = all_of_them.interval(version)
    axes.plot([i.low, i.high], [place, place], color="C0", linewidth=3)
    axes.plot(all_of_them.ratings[version], np.full(i.count, place), "o", color="black", alpha=0.3)
    axes.plot(i.mean, place, "D", color="C0")
axes.set_yticks(range(len(versions)), versions)
axes.set(
    xlim=(0, 100), ylim=(-0.5, 3.5), xlabel=f"rating ({all_of_them.listeners} simulated listeners)"
)
axes.grid(axis="x", alpha=0.3)
show(
    figure,
    "Ratings of four versions by simulated listeners, with means and intervals. "
    + " ".join(f"{v}: mean {all_of_them.interval(v).mean:.0f}." for v in versions),
)

# %% [markdown]
# **Blind tests** are pooled by `pool`, which adds the trials of all files of one test. Here are
# twelve invented listeners with ten trials each. **Guess:** is anything shown?

# %% tags=["guess"]
right = np.array([6, 5, 7, 6, 6, 7, 5, 6, 7, 6, 5, 7])  # of 10 trials each
print(f"the best listener alone: p = {chance_by_hand(right.max(), 10):.2f}")
print(f"all, {right.sum()} of 120: p = {chance_by_hand(right.sum(), 120):.3f}")

# %% [markdown]
# No single listener shows a difference, but the class does. This test counts all trials alike, as
# if all listeners heard equally well, and it is valid only if nobody kept a file back.
#
# The same rule holds for files, seeds and listeners. What both sides share cancels in the
# difference, and the interval speaks about what was drawn anew. Which of the three did your study
# draw anew? An interval over 200 files says nothing about other seeds, and one over three seeds
# nothing about other listeners.

# %% [markdown]
# ## 10 Where they fail
#
# **Why.** Means describe what usually happens. Users complain about the rest.
#
# First, the stored scores: the next cell lists the test files on which `lite` gains least, with
# name, noise and SNR.

# %%
gain = stored("lite", "enhanced_pesq") - stored("lite", "noisy_pesq")  # [200]
columns = ("file", "noise", "snr_db", "noisy_pesq")
files, noises, ratios, before = (stored("lite", column) for column in columns)
for place in gain.argsort()[:5]:
    print(f"{files[place]:15s}{noises[place]:8s}{ratios[place]:5.1f} dB  PESQ ", end="")
    print(f"{before[place]:.2f} -> {before[place] + gain[place]:.2f}")
print(f"correlation of the gain with the noisy file's PESQ: {np.corrcoef(gain, before)[0, 1]:+.2f}")

# %% [markdown]
# The correlation is negative: the better a file is before enhancement, the less it tends to gain.
# One cause is that no score exceeds 4.64, so a good file has less to gain. But the correlation is
# far from −1, and files with a low score are in the list, too: the score before does not explain
# all of it.
#
# The recordings of the corpus are not part of this project, so we score six sentences that are. In
# addition, the *clean* sentences go through `lite`. An enhancer should leave clean speech as it is
# (chapter 04, section 11). Cost: ten to sixty seconds.

# %%
ASKED = "garage_fan station_speech_shaped boat_car".split()
ASKED += "judge_keyboard violin_music pepper_babble".split()
OUTPUTS, CASES = {}, {}
for name in dict.fromkeys(clips.info(n).name for n in ASKED):
    pure, mixed = (side[: 3 * SAMPLE_RATE] for side in clips.pair(name))  # [N] each
    OUTPUTS[name] = {s: enhance(mixed, SAMPLE_RATE, s) for s in ("tiny", "lite")}
    OUTPUTS[name] |= {"Wiener filter": wiener_filter(mixed), "noisy": mixed}
    OUTPUTS[name] |= {"clean in": enhance(pure, SAMPLE_RATE, "lite")}
    CASES[name] = {s: metrics.score(pure, sound) for s, sound in OUTPUTS[name].items()}

# %% tags=["frame"]
COLUMNS = ("noisy", "Wiener filter", "tiny", "lite", "clean in")
listed = []
for name, case in CASES.items():
    both = [f"{case[t].pesq or float('nan'):.2f} / {case[t].si_sdr:.1f}" for t in COLUMNS]
    listed.append([clips.info(name).condition, *both])
html_table(["PESQ / SI-SDR in dB", *COLUMNS], listed)

# %% [markdown]
# Read the table by rows. Where is the gain of `lite` smallest, and is that the row with the lowest
# score? The last column is the clean speech through `lite`: what is missing there from the best
# score, 4.64, was lost without any noise to blame. Which row loses most there?


# %% tags=["frame"]
def score_of(name, version):
    """PESQ of a version; SI-SDR where the package pesq is missing."""
    found = CASES[name][version]
    return found.si_sdr if found.pesq is None else found.pesq


worst = min(CASES, key=lambda name: score_of(name, "lite") - score_of(name, "noisy"))

# %% tags=["try"]
# Answer: of the built-in clips, babble gains least, and the speech-shaped noise scores lowest.
try_lowest = min(CASES, key=lambda name: score_of(name, "lite"))
try_clean = min(CASES, key=lambda name: score_of(name, "clean in"))
print(f"least gain: {clips.info(worst).condition}; lowest: {clips.info(try_lowest).condition}")
print(f"most lost of clean speech: {clips.info(try_clean).condition}, with", end=" ")
print(f"{score_of(try_clean, 'clean in'):.2f} for the clean sentence through lite")

# %% [markdown]
# If the row with the smallest gain also loses most of its clean speech, its noise is not the only
# cause: the clean sentence went in without any noise, and `lite` took some of the voice for noise.
# One sentence for each noise cannot separate the effect of the voice from that of the noise.
#
# More files can. These are the stored scores of the 200 *clean* test files after each system, and
# what a judge without a reference says of the speech (SIG, chapter 05) in the files with least
# noise:

# %%
QUIET = stored("lite", "snr_db") == 17.5  # dB, the highest SNR of the corpus
for system in SYSTEMS:
    left = [stored(system, f"clean_enhanced_{metric}").mean() for metric in ("pesq", "si_sdr")]
    taken = (stored(system, "enhanced_sig") - stored(system, "clean_sig"))[QUIET].mean()
    print(f"{system:12s} clean in: PESQ {left[0]:.2f}, SI-SDR {left[1]:4.1f} dB;", end=" ")
    print(f"SIG at 17.5 dB {taken:+.2f} against the clean files")

# %% [markdown]
# Now listen to the row with the smallest gain.

# %% tags=["frame"]
sounds = {k: OUTPUTS[worst][k] for k in ("noisy", "Wiener filter", "lite")}
row(
    sounds | {"clean": clips.pair(worst)[0][: 3 * SAMPLE_RATE]},
    title=f"Least gain of lite: {clips.info(worst).condition}",
    transcript=clips.info(worst).text,
    listen_for="What is left of the noise? Has the voice become better, or worse?",
)

# %% [markdown]
# > **Try it.** Users also complain about quiet recordings. Make the noisy sentence 40 dB softer and
# > send it through `lite`. What happens to the output, apart from its level?

# %% tags=["try"]
# Answer: nothing, since `enhance` scales what goes in and undoes it after the network.
try_loud = OUTPUTS[worst]["lite"]
try_soft = 100 * enhance(OUTPUTS[worst]["noisy"] / 100, SAMPLE_RATE, "lite")
try_error = np.sqrt(np.mean((try_soft - try_loud) ** 2) / np.mean(try_loud**2))
print(f"relative difference, level apart: {try_error:.1e}")

# %% [markdown]
# **By noise, on validation mixtures.** The next cell groups the stored scores of 88 mixtures
# (`recipes/failures.csv`) by noise recording. Where does `lite` gain least?

# %%
FAILURES = table_of(RECIPES / "failures.csv")
found = {}
for line in FAILURES:
    if line["system"] in ("noisy", "lite"):
        sign = 1 if line["system"] == "lite" else -1
        found.setdefault(line["noise"], []).append(sign * number(line["pesq"]))
ranked = sorted((2 * np.mean(values), noise) for noise, values in found.items())
for change, noise in [*ranked[:4], *ranked[-2:]]:
    print(f"{noise:24s} mean gain in PESQ {change:+.2f}")

# %% [markdown]
# Short loud sounds and a crying child lead this list: sounds that come suddenly, and a sound that
# is a voice. Babble consists of voices, too, and nothing in the training says *whose* speech is to
# stay.

# %% [markdown]
# ## 11 Robust or lucky?
#
# **Why.** One corpus is one corpus. What do others report who tested on a second one, or asked
# another judge? The numbers below are *quoted*, not measured here.

# %% tags=["frame"]
QUOTED = (
    ("a metric discriminator, same corpus", "PESQ 3.35 → 3.42", "arXiv 2609.35054"),
    ("the same, on another corpus", "PESQ 2.21 → 2.16", "arXiv 2609.35054"),
    ("LSTM, across corpora (noisy 1.58)", "PESQ 1.98 ± .45 over seeds", "arXiv 2507.00966"),
    ("conformer, the same", "PESQ 2.67 ± .01 over seeds", "arXiv 2507.00966"),
    ("shared attention, the same", "PESQ 2.92 ± .12 over seeds", "arXiv 2507.00966"),
    (
        "four recognisers in ten conditions, noisy or enhanced",
        "more errors if enhanced, in all 40 pairs of recogniser and condition",
        "arXiv 2512.17562",
    ),
)
html_table(["what was done", "what is reported", "by"], QUOTED)

# %% [markdown]
# There are three lessons. What helps on the corpus of the training can hurt on another. Across
# corpora, the spread between seeds can be larger than most gains in a table: look at the LSTM
# before you believe a single run. And a judge of another kind, a large speech recogniser that has
# itself been trained on noisy speech, can prefer the noisy recording: what an enhancer takes from
# the voice is lost for good.

# %% [markdown]
# ## 12 Exercises
#
# In exercises 1 and 2, write your code where the three dots are; in exercise 3, mend the code that
# is there. Run the cell, then the check below it. Hints and solutions are folded away. Do each
# alone or with a partner. Short of time? Do 1 and 3, and the room.
#
# ### Exercise 1 · Warm-up: how many are enough? (10 minutes)
#
# You plan a blind test. Return the smallest number of right answers that guessing reaches, or
# exceeds, with a probability *below* `level`. Where even getting all answers right is not that
# unlikely, return `trials + 1`: no number is enough.


# %% tags=["exercise"]
def my_fewest(trials, level):
    """Trials of an ABX test, level such as 0.05 -> fewest right answers, a number."""
    # BEGIN SOLUTION
    chance = 0.0
    for right in range(trials, -1, -1):
        chance += comb(trials, right) / 2**trials  # of `right` or more
        if chance >= level:
            return right + 1
    return 0
    # END SOLUTION


# %%
solved_1 = chapter09.check_fewest(my_fewest)

# %% [markdown] tags=["hint"]
# Section 8 has the probability of `right` or more right answers. Try all numbers.

# %% [markdown] tags=["solution"]
# `stats.binom.isf(level, trials, 0.5) + 1` gives nearly the same: the smallest number that guessing
# reaches with a probability of *at most* `level`. The two differ only where a probability equals
# the level. With 4 trials and a level of 1/16, four right answers have just this probability: that
# is enough for "at most", but for "below" no number is enough.

# %% [markdown]
# ### Exercise 2 · Write it: Holm's rule (20 minutes)
#
# Bonferroni multiplies all $M$ p-values by $M$. **Holm's rule** (1979) keeps the same promise and
# finds at least as much. Sort the p-values. Multiply the smallest by $M$, the next by $M - 1$, and
# so on, the largest by 1. Then no corrected value may be smaller than the one before it: where one
# is, replace it by the largest value so far. None may exceed 1. Return the corrected values in the
# order in which the p-values came.


# %% tags=["exercise"]
def my_holm(p_values):
    """P-values [M] -> corrected p-values [M], in the same order."""
    # BEGIN SOLUTION
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)  # M, M - 1, ..., 1
    corrected = np.maximum.accumulate(factors * p_values[order])
    result = np.empty_like(corrected)
    result[order] = np.minimum(corrected, 1)
    return result
    # END SOLUTION


# %%
solved_2 = chapter09.check_holm(my_holm)

# %% [markdown] tags=["hint"]
# By hand: 0.04, 0.01, 0.03 sorted are 0.01, 0.03, 0.04. Times 3, 2, 1 they are 0.03, 0.06, 0.04;
# the last is smaller than the one before it.

# %% [markdown] tags=["hint"]
# `np.argsort` gives the order, `np.maximum.accumulate` the largest value so far.
# `result[order] = corrected` puts each value back where its p-value was.

# %% [markdown] tags=["solution"]
# Why the promise is kept: once the smallest p-value is a finding, only $M - 1$ hypotheses are left
# to be wrong about. `scipy.stats.false_discovery_control` keeps another promise: that at most 5 %
# of the findings are false, on average. Apply your function to the paired p-values of section 6:
# does it find more than Bonferroni's rule? The next cell answers.

# %% tags=["try"]
# Answer: no, it finds the same two; only the corrected values after the first are smaller.
try_base = STUDY["complete"]
try_p = {
    v: stats.ttest_1samp(s - try_base, 0).pvalue for v, s in STUDY.items() if s is not try_base
}
try_largest = 0
for try_rank, try_name in enumerate(sorted(try_p, key=try_p.get)):
    try_largest = min(1, max(try_largest, (len(try_p) - try_rank) * try_p[try_name]))
    try_simple = min(1, len(try_p) * try_p[try_name])
    print(f"{try_name:26s} Holm {try_largest:.3f}, Bonferroni {try_simple:.3f}")

# %% [markdown]
# ### Exercise 3 · Bug hunt: twelve listeners or sixty? (15 minutes)
#
# Twelve listeners have rated a system on five sentences each. The function returns the mean and its
# standard error. It runs, and the mean is right. The cell below it prints a *property* that should
# hold: if each listener says everything twice, nobody new has spoken, and the error must stay the
# same. Find out why it does not, then mend the function.


# %% tags=["exercise"]
def my_error(ratings):
    """Ratings [listeners, sentences] -> [mean, standard error] for other listeners."""
    # BEGIN BUG
    error = ratings.std(ddof=1) / np.sqrt(ratings.size)
    return np.array([ratings.mean(), error])
    # END BUG
    # BEGIN SOLUTION
    means = ratings.mean(axis=1)  # [listeners]
    return np.array([means.mean(), means.std(ddof=1) / np.sqrt(len(means))])
    # END SOLUTION


# %%
numbers = np.random.default_rng(12)
rated = numbers.normal(60, 12, (12, 1)) + numbers.normal(0, 5, (12, 5))  # [12, 5], simulated
print("five sentences each:      ", my_error(rated).round(2))
print("the same, everything twice:", my_error(np.tile(rated, 2)).round(2))
solved_3 = chapter09.check_error(my_error)

# %% [markdown] tags=["hint"]
# What was drawn anew for each listener? How many such draws are there?

# %% [markdown] tags=["hint"]
# First reduce the ratings of each listener to one number.

# %% [markdown] tags=["solution"]
# Ratings of one listener resemble each other, so they do not count as new. The same happens with
# files of one speaker, with crops of one file, and with the seeds of one variant: count what was
# drawn independently. Sentences are drawn, too: to speak about other sentences, swap the axes.

# %%
print(sum([solved_1, solved_2, solved_3]), "of 3 exercises with a check solved")

# %% [markdown]
# ### Exercise 4 · Open: does PESQ know what you like? (20 minutes, better in a class)
#
# Predict, in writing: which of the ten networks in the room will you rate best, which worst? By how
# many points will best and worst differ, leaving out reference and anchor? Then rate. Does your
# order agree with PESQ's order of the same ten sounds? In a class: write down before you pool which
# *one* difference you want to test.

# %% [markdown] tags=["answer"]
# The next cell prints PESQ and SI-SDR of the ten sounds. Expect most of your ratings to be close
# together and their order to differ from PESQ's: nine of the ten networks differ by less than their
# seeds do. If there is one difference that most listeners hear, the network without compression is
# the candidate. And if you find none: with one sentence and one listener that is what most tests
# find.

# %% tags=["try"]
# Answer: scores of the ten sounds in the room, the best PESQ first.
try_scores = {title: metrics.score(PURE, sound) for title, sound in HEARD.items()}
for try_title in sorted(try_scores, key=lambda title: -(try_scores[title].pesq or 0)):
    try_found = try_scores[try_title]
    print(f"{try_title:28s} PESQ {try_found.pesq or float('nan'):.2f}", end="")
    print(f"   SI-SDR {try_found.si_sdr:5.1f} dB")

# %% [markdown]
# ## 13 Quiz
#
# Open an answer to see why it is right or wrong.

# %% tags=["quiz"]
from effifusion_lite.lesson import quiz

quiz(
    "Eleven variants, three seeds each; one difference has p = 0.03. What do you report?",
    {
        "All eleven with their seeds; after correction it is not shown.": "Eleven "
        "times 0.03 is far above 0.05 (section 4).",
        "That variant, since 0.03 is below 0.05.": "With eleven comparisons some p-value below "
        "0.05 is common even if there is nothing to find (section 4).",
        "That nothing has an effect.": "Not shown is not absent: three seeds find a small gain in "
        "few studies (section 7).",
    },
    correct="All eleven with their seeds; after correction it is not shown.",
)
quiz(
    "Why does the comparison by seed find a difference that the comparison of means does not?",
    {
        "What a seed does to both runs cancels in their difference.": "The differences scatter "
        "less than the scores (section 6).",
        "It uses twice as many numbers.": "It uses the same six numbers.",
        "It is less strict.": "Its level is 5 % as well.",
    },
    correct="What a seed does to both runs cancels in their difference.",
)
quiz(
    "You did an ABX test of 10 trials five times and got p = 0.01 in the last one. What do you "
    "know?",
    {
        "Little: p does not describe one success in five tries.": "p holds for one test that was "
        "fixed beforehand; the room counts your tests (section 8).",
        "That you hear the difference with a probability of 99 %.": "p is the probability of such "
        "a result if you guess, not that of hearing.",
        "That there is no difference, since four tests failed.": "A failed test does not show that "
        "there is none.",
    },
    correct="Little: p does not describe one success in five tries.",
)
quiz(
    "A listener rates the hidden reference 70. Why is the file left out of the pool?",
    {
        "Whoever does not find the reference says little about the smaller differences.": "That is "
        "the reason that the recommendation gives (section 8).",
        "Because the ratings would lower the mean.": "Leaving out what does not fit your wishes "
        "would be cheating; this rule is fixed beforehand.",
        "Because 70 is no valid rating.": "It is valid, but the sound was the reference itself.",
    },
    correct="Whoever does not find the reference says little about the smaller differences.",
)

# %% [markdown]
# ## 14 What the paper says, and what came out here
#
# The paper is EffiFusion-GAN (Wen and Tan, arXiv 2508.14525). Its abstract and summaries by others
# were at hand, but not its full text.

# %% tags=["frame"]
by_seed = {v: scores - STUDY["complete"] for v, scores in STUDY.items()}
gan = stats.ttest_1samp(by_seed["with GAN"], 0).pvalue
spread = float(np.sqrt(np.mean([scores.var(ddof=1) for scores in STUDY.values()])))
best_system = max(SYSTEMS, key=lambda system: stored(system, "enhanced_pesq").mean())
claim_table(
    Claim(
        "PESQ of 3.45 on VoiceBank+DEMAND with 1.08 M parameters.",
        "the paper's abstract",
        f"{best_system}: {stored(best_system, 'enhanced_pesq').mean():.2f} on 200 of its 824 test "
        "files.",
        "section 5",
        "Ours were trained on other data and much more briefly. For one small network, training on "
        "the corpus is worth what section 5 prints.",
    ),
    Claim(
        "An ablation study shows that each of the three innovations contributes.",
        "the paper's abstract",
        f"Second norm {by_seed['single norm'].mean():+.3f} PESQ without it, multi-scale "
        f"block {by_seed['without multi-scale block'].mean():+.3f} without it, masks "
        f"{by_seed['50 % of the weights masked'].mean():+.3f} with them: not shown.",
        "section 6",
        "tiny in place of the paper's size, two hours of mixtures, three seeds. The power of such "
        f"a study for a gain of 0.03 is {100 * power(0.03, spread, 3):.0f} %.",
    ),
    Claim(
        "A discriminator judges enhanced against clean speech.",
        "summaries of the paper",
        f"With it {by_seed['with GAN'].mean():+.4f} PESQ, p = {(len(STUDY) - 1) * gan:.2f} "
        "paired by seed and corrected; not shown by the ranges.",
        "section 6",
        "Our loss already contains a PESQ term; a discriminator in place of that term was not "
        "tested.",
    ),
    Claim(
        "Magnitudes are compressed with power 0.3.",
        "summaries of the paper",
        f"Without compression {by_seed['without compression'].mean():+.3f} PESQ.",
        "section 6",
        "The one part that this study shows to help. SI-SDR does not tell the two apart.",
    ),
    Claim(
        "How many seeds, files and listeners are behind the paper's numbers.",
        "not known, choice of this project",
        "Three seeds, 48 mixtures for the ablation and 200 files for the table; listeners: you.",
        "sections 2, 6 and 8",
        "Nothing to compare.",
    ),
)

# %% [markdown]
# ## 15 The common thread
#
# This chapter adds no new step. It puts the four networks of the package side by side, so that you
# can judge by ear what the table of section 5 says in numbers.

# %% tags=["frame"]
from effifusion_lite.listening.red_thread import thread

thread(9)

# %% [markdown]
# ## 16 Summary
#
# - A mean needs an interval, and an interval says what was drawn anew: files, seeds, or listeners.
# - Pairs show more than means, because what both sides share cancels.
# - A mean over files is a weighted mean over conditions. Compare on the same files, or standardise.
# - Count your comparisons, including those that are not in the table.
# - "Not shown" is a statement about a study. Its power says what it could have shown.
# - Listen blindly, at equal loudness and with a plan; pool all results, not only the good ones.
# - All of it is in `effifusion_lite/evaluation/` and `effifusion_lite/listening/`: `mean_interval`,
#   `power`, `room`, `pool`, `pool_ratings`. `effifusion evaluate --compare` prints paired
#   differences for your own files.
#
# **Next:** chapter 10 leaves the notebook: recordings of any length, one file for other programs,
# and what the network must not be used for.
