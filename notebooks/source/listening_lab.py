# %% [markdown]
# # The listening lab
#
# **The sounds.** One built-in clip: a synthetic voice speaks a sentence written for this series,
# and a program makes the noise. All else on this page is what networks made of it. Chapter 00 tells
# how to hear a sentence of VoiceBank+DEMAND in its place.
#
# **After this page you can**
#
# - hear how far a network is in its training, and say which faults go early and which stay;
# - tell by ear what is lost when units or weights are taken out of a trained network, and compare
#   it with what is saved;
# - say whether you hear that a network was halved and trained on.
#
# **You need** nothing but your ears, best with headphones. Turn the volume down before the first
# sound. The sliders and players work without Python, on a static page too. Chapter 00 explains the
# scores, PESQ and SI-SDR.
#
# **Time and cost.** About 20 minutes to listen. All cells together take under two minutes on one
# processor core and less than 1 GB of memory. Nothing is downloaded.
#
# **The modules of this page** are `effifusion_lite/listening/frames.py`, which makes the sounds,
# and `listening/slider.py`, `player.py` and `abx.py`, which play them.

# %%
from importlib.util import find_spec

from effifusion_lite import enhance, metrics, weights
from effifusion_lite.listening import abx, clips, row, slider
from effifusion_lite.listening.frames import REMOVED, pruning_frames, training_frames

SAMPLE_RATE = 16000  # Hz
HEARD = slice(3 * SAMPLE_RATE)  # the first 3 s
if find_spec("pesq") is None:
    print("The package pesq is missing. Everything works, but PESQ shows as –.")

NAME = "garage_fan"
about = clips.info(NAME)
clean, noisy = (waveform[HEARD] for waveform in clips.pair(NAME))  # [N] each
print(f"{about.condition}: {len(noisy) / SAMPLE_RATE:.1f} s")

# %% [markdown]
# ## 1 While it learns
#
# **The frames.** `tiny`, the smallest network of the series, was trained once, and its weights were
# put aside on the way. Each frame is the same clip, enhanced with the weights of one step. The
# first frame is the noisy clip, the next one is step 0, before any training, and the last one is
# the clean speech. A step is two examples of 2 seconds. The steps lie close together at the
# beginning, where the sound changes fastest.
#
# The weights are moving averages over the steps before, as the series ships them too.
# `effifusion_lite/pretrained/steps/README.md` says how they were made.

# %%
training = training_frames(clean, noisy)
for place, text in training.texts.items():
    print(f"{place:>6}  {text}")

# %% [markdown]
# **Before you move the slider**, guess: what will an untrained network do to the sound? And what
# will go first, the noise in the pauses or the noise under the voice?

# %%
slider(
    training.sounds,
    "training step",
    title=f"tiny while it learns: {about.condition}",
    transcript=about.text,
    listen_for="First the pauses: from which step on are they quieter? Then the noise under the "
    "voice. Last the voice itself: does it get dull, rough or metallic, and does that go again? "
    "Compare the last step with the clean speech.",
    texts=training.texts,
)

# %% [markdown]
# **Step 0 is not silence and not noise.** An untrained network of this kind multiplies each point
# of the spectrum with a number near 1 and hardly turns its phase. So it hands the sound through, a
# little spoilt: its scores stand beside those of the noisy clip above.
#
# **What to listen for, frame by frame.** Look at the picture while you listen.
#
# - *The pauses.* They turn dark where the network has learnt to turn the noise down. Does all of it
#   go, or do lines and spots stay? A spot that comes and goes sounds like a tinkle.
# - *The vowels.* Between two stripes of a vowel there is noise too. As long as it stays, the voice
#   sounds veiled.
# - *The consonants.* An s or an f is noise itself, so a network in training is apt to take some of
#   it away. Look above 4 kHz: are the bright patches of the clean speech all there?
#
# > **Try it.** Put the slider on the step where you cannot tell any more whether the next one is
# > better. Then look at the scores of both: do they still move?

# %% [markdown]
# ## 2 When parts are taken out
#
# **Why.** A smaller network answers faster. Which part of a trained one is not needed? Both sliders
# below begin with `lite`, and *nothing is trained afterwards*: you hear the damage as it is.
#
# **The first slider** is the share that is taken out, in percent. **The second one** is the way:
#
# - *units removed*: whole hidden units, channels and attention heads go, the least important ones
#   first, and the layers become smaller. This is what `effifusion prune` does. Channels stay in
#   multiples of 8, which suits a processor, so some places of the slider remove little more than
#   the one before.
# - *weights masked*: single weights are set to zero, the smallest ones first, in those matrices
#   that pruning may touch. The layers keep their sizes. Zeros are multiplied as slowly as any other
#   number, so nothing is saved.

# %%
model = weights.load("lite")
pruned = pruning_frames(clean, noisy, model)
for (rate, way), text in pruned.texts.items():
    print(f"{rate:2d} %  {way:14s}  {text}")

# %%
slider(
    pruned.sounds,
    ["taken out (%)", "how"],
    title=f"lite with parts taken out: {about.condition}",
    transcript=about.text,
    listen_for="At which share does the noise come back? Is the voice still clear there, or does "
    "it go first, or get softer? Then move to masked weights at the same share.",
    texts=pruned.texts,
    beside={"clean": clean},
)

# %% [markdown]
# The lines printed above give both sides of the bargain: what the network still costs, in
# parameters and multiply-accumulates (MACs), and what it still does. A unit takes all weights along
# that make it and that read it, large ones among them. The mask picks the smallest weights one by
# one, so it usually goes further before it is heard; but its MACs stay at 100 %, while those of
# removed units really go.
#
# > **Try it.** Find the largest share of removed units that you would still accept. How many of the
# > MACs are left there?

# %% [markdown]
# ## 3 Halved, and trained on
#
# Damage like that can be mended in part: the layers that are left are trained on. `lite-pruned` is
# a `lite` without half of its units that was trained on; its card,
# `effifusion_lite/pretrained/lite-pruned.md`, says from which state and for how long. The row has
# it beside `lite`, and beside `lite` right after the removal.

# %%
versions = {
    "noisy": noisy,
    "lite": pruned.sounds[0, REMOVED],
    "halved, not trained on": pruned.sounds[50, REMOVED],
    "lite-pruned": enhance(noisy, SAMPLE_RATE, "lite-pruned"),
    "clean": clean,
}
row(
    versions,
    title=f"Half of the units: {about.condition}",
    transcript=about.text,
    listen_for="Switch between 2 and 4 in the middle of a word, then in a pause. If 3 is softer, "
    "tick 'equal loudness' to judge the rest of it. The last one is all in which 2 and 4 differ.",
    scores={name: metrics.score(clean, versions[name]) for name in list(versions)[:-1]},
    differences={"lite minus lite-pruned": ("lite", "lite-pruned")},
)

# %% [markdown]
# Do you hear which is which when nobody tells you? X is one of the two, by chance. Whoever hears no
# difference is right half of the time; a result like that does not prove that there is none.

# %%
abx(
    {name: versions[name] for name in ("lite", "lite-pruned")},
    title="lite or lite-pruned?",
    listen_for="What is left of the noise in the pauses, and the edge of s and f.",
)

# %% [markdown]
# ## 4 Summary
#
# - A network in training can be heard: in the pauses, under the vowels, in the consonants. Each
#   frame has its line of scores to hold your ears against.
# - Masked weights save nothing by themselves; removed units save multiply-accumulates, and cost
#   more of the sound until the network is trained on.
# - One clip is one throw of the dice: what you heard here holds for this voice in this noise.
#   Chapter 00 shows how far scores spread, and the cards of the weights give means over many files.
#
# > **Try it.** Put another name in place of `"garage_fan"` in the first cell
# > (`clips.names("noisy")` lists them) and run all cells again.
