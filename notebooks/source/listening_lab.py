# %% [markdown]
# # The listening lab
#
# **The sounds.** One built-in clip: a synthetic voice speaks a sentence written for this series,
# and a program makes the noise. Everything else on this page is what networks made of it. Chapter
# 00 says, in its first lines, how to hear a real sentence in its place.
#
# **After this page you can**
#
# - hear how far a network is in its training, and say which faults go early and which stay;
# - tell by ear what is lost when units or weights are taken out of a trained network, and weigh it
#   against what is saved;
# - say whether you can hear that a network was halved and then trained further.
#
# **You need** nothing but your ears, best with headphones. Turn the volume down before the first
# sound. The sliders and players work without Python, and on a static page, too. Chapter 00 explains
# the scores, PESQ and SI-SDR.
#
# **Time and cost.** Listening takes 20 to 30 minutes. All cells together run for one to four
# minutes on one processor core, depending on what else the machine has to do, and need about 1 GB
# of memory. Nothing is downloaded.
#
# **The modules of this page** are `effifusion_lite/listening/frames.py`, which makes the sounds,
# and `listening/slider.py`, `player.py` and `abx.py`, which play them.

# %%
import numpy as np

from effifusion_lite import enhance, metrics, weights
from effifusion_lite.listening import abx, clips, row, slider
from effifusion_lite.listening.frames import REMOVED, pruning_frames, training_frames

SAMPLE_RATE = 16000  # Hz
HEARD = slice(3 * SAMPLE_RATE)  # the first 3 s
NAME = "garage_fan"
about = clips.info(NAME)
clean, noisy = (waveform[HEARD] for waveform in clips.pair(NAME))  # [N] each
print(f"{about.condition}: {len(noisy) / SAMPLE_RATE:.1f} s")

# %% tags=["frame"]
from importlib.util import find_spec

if find_spec("pesq") is None:
    print("The package pesq is missing. Everything works, but PESQ shows as –.")

# %% [markdown]
# ## 1 While it learns
#
# In the first long training of `tiny`, the smallest network of the series, the weights were saved
# along the way; the `tiny` of today was trained on from where it ended. Each place of the slider
# below is the same clip, enhanced with the weights of one step. The first place is the noisy clip,
# the next one is step 0, before any training, and the last one is the clean speech. A step is two
# examples of 2 seconds. The steps are close together at the beginning, where the sound changes
# fastest.
#
# The weights are moving averages over the steps before, as in the weights that the series ships.
# `effifusion_lite/pretrained/steps/README.md` says how they were made.
#
# **Guess.** What will the untrained network do to the sound: silence it, turn it into noise, or
# something else? And what will go first, the noise in the pauses or the noise under the voice? The
# next cell takes 5 to 30 seconds.

# %% tags=["guess"]
training = training_frames(clean, noisy)
for place, text in training.texts.items():
    print(f"{place:>6}  {text}")

# %% tags=["frame"]
slider(
    training.sounds,
    "training step",
    title=f"tiny while it learns, first training: {about.condition}",
    transcript=about.text,
    listen_for="From which step on are the pauses quieter? And the noise under the voice? Does the "
    "voice itself get dull, rough or metallic, and does that go away again? What does the clean "
    "speech have that the last step has not?",
    texts=training.texts,
)

# %% [markdown] tags=["answer"]
# Step 0 is neither silence nor noise. An untrained network of this kind multiplies each point of
# the spectrum by a number near 1 and hardly turns its phase, so the sound passes through and is
# only a little spoilt. Compare its scores with those of the noisy clip in the first two lines
# above.

# %% [markdown]
# Go through the places once more, and look at the picture while you listen.
#
# - *The pauses* turn dark where the network has learnt to turn the noise down. Does all of it go,
#   or do lines and spots stay? How does a spot sound that comes and goes?
# - *The vowels* have noise between their stripes. As long as it stays, is the voice clear or
#   veiled?
# - *The consonants* s and f are noise themselves, so a network in training tends to take some of
#   them away. Look above 4 kHz: are all bright patches of the clean speech there?
#
# > **Try it.** Put the slider on the step where you can no longer tell whether the next one is
# > better. Do the scores still rise from there on?

# %% tags=["try"]
# Answer: the first steps bring nearly all of it; later ones hardly move the scores.
steps = [place for place in training.texts if place != "noisy"]
scores_of = {step: metrics.score(clean, training.sounds[step]) for step in steps}
for earlier, later in zip(steps, steps[1:], strict=False):
    rise = scores_of[later].si_sdr - scores_of[earlier].si_sdr
    rise_of_pesq = (scores_of[later].pesq or np.nan) - (scores_of[earlier].pesq or np.nan)
    print(f"from step {earlier:4d} to {later:4d}: PESQ {rise_of_pesq:+.2f}, SI-SDR {rise:+.1f} dB")

# %% [markdown]
# ## 2 When parts are taken out
#
# **Why.** A smaller network answers faster. Which parts of a trained one can it do without? There
# are two ways to take something out.
#
# - *Units removed*: whole hidden units, channels and attention heads go, the least important ones
#   first, and the layers become smaller. This is what `effifusion prune` does. Channels stay in
#   multiples of 8, which suits a processor, so some places of the slider remove little more than
#   the one before.
# - *Weights masked*: single weights are set to zero, the smallest ones first, in those matrices
#   that pruning may touch. The layers keep their sizes, and a multiplication by zero takes as long
#   as any other.
#
# **A network with nine weights first.** Two inputs, three hidden units (the rows), one output. Take
# out three weights: once the whole second unit, once the three smallest weights.

# %%
inward = np.array([[3.0, 0.1], [0.3, 2.0], [0.2, 4.0]])  # [3 units, 2 inputs]
outward = np.array([1.0, 1.0, 2.0])  # [3 units]
signal = np.array([1.0, 1.0])
kept, large = [0, 2], 0.5  # units that stay; weights below 0.5 are masked
removed = outward[kept] @ (inward[kept] @ signal)
masked = (outward * (outward > large)) @ (inward * (inward > large) @ signal)
print(f"whole network {outward @ (inward @ signal):.1f}: 9 multiplications")
print(f"second unit removed {removed:.1f}: {inward[kept].size + len(kept)} multiplications")
print(f"three weights masked {masked:.1f}: {inward.size + outward.size} multiplications")

# %% [markdown]
# Now the same with `lite`, from 0 to 90 percent. *Nothing is trained afterwards*, so you hear the
# damage as it is. **Guess:** which way keeps the sound longer, and which way saves something? The
# next cell takes 20 seconds to 2 minutes.

# %% tags=["guess"]
model = weights.load("lite")
pruned = pruning_frames(clean, noisy, model)
for (rate, way), text in pruned.texts.items():
    print(f"{rate:2d} %  {way:14s}  {text}")

# %% tags=["frame"]
slider(
    pruned.sounds,
    ["taken out (%)", "how"],
    title=f"lite with parts taken out: {about.condition}",
    transcript=about.text,
    listen_for="At which share does the noise come back? Is the voice still clear there, does it "
    "go first, or does it get quieter? Is it the same with masked weights at the same share?",
    texts=pruned.texts,
    beside={"clean": clean},
)

# %% [markdown] tags=["answer"]
# The lines above give both sides: what the network still costs, in parameters and
# multiply-accumulates (MACs), and what it still does. A unit takes along all weights that make it
# and all that read it, large ones among them. The mask picks the smallest weights one by one, yet
# its MACs stay at 100 %. Compare the scores at equal shares: up to which one do PESQ and SI-SDR
# agree on the better way? Small differences on one clip mean nothing.

# %% [markdown]
# > **Try it.** Find the largest share of removed units that you would still accept. How many of the
# > MACs are left there? Compare with the largest share that costs less than 0.1 in PESQ.

# %% tags=["try"]
# Answer: an ear decides for itself; this is the rule with 0.1 in PESQ, on this clip.
pesq_of = {}
for share, manner in pruned.sounds:
    if manner == REMOVED:
        pesq_of[share] = metrics.score(clean, pruned.sounds[share, manner]).pesq or np.nan
accepted = [share for share, found in pesq_of.items() if found > pesq_of[0] - 0.1]
if accepted:  # none without the package pesq
    print(f"{max(accepted)} % removed: {pruned.texts[max(accepted), REMOVED]}")

# %% [markdown]
# ## 3 Halved, and trained further
#
# Such damage can be repaired in part: the layers that are left are trained further. `lite-pruned`
# is a `lite` that lost half of its units and was then trained; its card,
# `effifusion_lite/pretrained/lite-pruned.md`, says from which state and for how long. The row has
# it next to `lite`, and next to `lite` right after the removal.

# %% tags=["frame"]
whole = weights.load("lite")
halved = pruning_frames(clean, noisy, whole, rates=[50]).sounds[50, REMOVED]
versions = {
    "noisy": noisy,
    "lite": enhance(noisy, SAMPLE_RATE, whole),
    "halved, not trained": halved,
    "lite-pruned": enhance(noisy, SAMPLE_RATE, "lite-pruned"),
    "clean": clean,
}
row(
    versions,
    title=f"Half of the units: {about.condition}",
    transcript=about.text,
    listen_for="Switch between 2 and 4 in the middle of a word, then in a pause: do you hear a "
    "difference? Is 3 quieter? Tick 'equal loudness' to judge the rest of it. What do you hear in "
    "the last one, which is all in which 2 and 4 differ?",
    scores={name: metrics.score(clean, versions[name]) for name in list(versions)[:-1]},
    differences={"lite minus lite-pruned": ("lite", "lite-pruned")},
)

# %% [markdown]
# Can you tell them apart when nobody says which is which? X is one of the two, by chance. If you
# hear no difference, you are right half of the time; a result like that does not prove that there
# is none.

# %% tags=["frame"]
abx(
    {name: versions[name] for name in ("lite", "lite-pruned")},
    title="lite or lite-pruned?",
    listen_for="What is left of the noise in the pauses? Is the edge of s and f the same?",
)

# %% [markdown]
# > **Try it.** One clip is one roll of the dice. Does the halved network lose on other clips, too?
# > Guess, then score four of them (10 to 60 seconds).

# %% tags=["try"]
# Answer: compare the two lines of each clip; four clips cannot show how sure a small gap is.
for other in ("kettle_babble", "river_rain", "judge_keyboard", "winter_car"):
    other_clean, other_noisy = (waveform[HEARD] for waveform in clips.pair(other))
    for network in ("lite", "lite-pruned"):
        reached = metrics.score(other_clean, enhance(other_noisy, SAMPLE_RATE, network))
        print(
            f"{clips.info(other).name:15s} {network:12s} PESQ {reached.pesq or np.nan:.2f}",
            end=", ",
        )
        print(f"SI-SDR {reached.si_sdr:.1f} dB")

# %% [markdown]
# ## 4 Summary
#
# - You can hear a network learn: in the pauses, under the vowels, in the consonants. Each step has
#   its line of scores to hold against your ears.
# - Masked weights save nothing by themselves. Removed units save multiply-accumulates, and the
#   sound that this costs comes back in part when the network is trained further.
# - What you heard holds for this voice in this noise. Chapter 00 shows how far scores spread, and
#   the cards of the weights give means over many files.
#
# To hear another clip, put its name in place of `"garage_fan"` in the first cell
# (`clips.names("noisy")` lists them) and run all cells again.
