# pyright: strict
"""The limits that a faceset report judges by, each with the evidence it rests on.

A report says "too few" or "much softer" only where a number passes one of these. They stand in one
place so that the page can list them: a reader may disagree with a limit, but need not guess it.
"The sample clips" are five short videos of five people (three men, two women; 1,123 faces), two of
which ship with the demo; "the sample photos" are 25 more faces, of some twenty people.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Basis(enum.StrEnum):
    """What a limit rests on."""

    MEASURED = "measured"
    CONVENTION = "convention"
    JUDGEMENT = "judgement"


@dataclass(frozen=True)
class Limit:
    """One limit.

    Attributes:
        value: The number.
        unit: Its unit, "" for plain numbers and shares.
        meaning: What happens when a number passes it.
        basis: What it rests on.
        evidence: How it was found, in plain words; honest about what it does not show.
    """

    value: float
    unit: str
    meaning: str
    basis: Basis
    evidence: str

    def __float__(self) -> float:
        return self.value

    def text(self) -> str:
        """The number with its unit."""
        return f"{self.value:g} {self.unit}".strip()


TURNED_DEG = Limit(
    20.0, "degrees of yaw", "From here a face counts as turned to the left or right.",
    Basis.CONVENTION,
    "A three-quarter view begins about here. People who look into a camera mostly stay within 16 "
    "degrees in the sample clips, heads that turn on purpose reach 21 to 27.",
)  # fmt: skip
PROFILE_DEG = Limit(
    45.0, "degrees of yaw", "From here a face counts as a profile.", Basis.JUDGEMENT,
    "Angles from landmarks fall short of the true ones once the far eye disappears, so half of the "
    "way to 90 degrees already looks like a profile. The sample material has no true profile.",
)  # fmt: skip
TILTED_DEG = Limit(
    15.0, "degrees of pitch", "From here a face counts as looking up or down.", Basis.MEASURED,
    "The median pitch of the five people in the sample clips, who mostly look ahead, lies between "
    "-9 and +9 degrees, for faces and cameras differ; 15 lies outside of that for all of them.",
)  # fmt: skip
FEW_IN_REGION = Limit(
    10, "distinct faces", "With fewer, a pose, an open mouth or shut eyes count as hardly shown.",
    Basis.JUDGEMENT,
    "Near-copies are counted once (not so for expressions). Not measured against trained models.",
)  # fmt: skip
ENOUGH_NEAR = Limit(
    5, "distinct src faces", "A dst face is covered if so many src faces are near it (or as many "
    "as there are dst faces near it, if that is less).", Basis.JUDGEMENT,
    "One face may be blurred or covered by a hand; five distinct ones are unlikely to be so all. "
    "Not measured against trained models.",
)  # fmt: skip
NEAR_DEG = Limit(
    10.0, "degrees", "Faces count as near in pose within so much of yaw and pitch together.",
    Basis.MEASURED,
    "The level pose of different people reads up to 9 degrees off (see looking up or down); a "
    "smaller radius would report gaps that are none. It also hides gaps smaller than that.",
)  # fmt: skip
NEAR_BRIGHTNESS = Limit(
    0.08, "of full brightness", "Faces count as near in light within so much mean brightness.",
    Basis.MEASURED,
    "Within a sample clip of one set-up the middle 90 % of faces lie within 0.01 to 0.06; the "
    "five clips differ by up to 0.24.",
)  # fmt: skip
NEAR_DIRECTION = Limit(
    0.10, "of left against right", "Faces count as near in light within so much difference of "
    "their two halves, and of upper and lower half.", Basis.MEASURED,
    "Within a sample clip of one set-up the middle 90 % of faces lie within 0.01 to 0.10; photos "
    "lit from the side reach 0.3 to 0.4.",
)  # fmt: skip
NEAR_MOUTH = Limit(
    0.10, "of the mouth's width", "Faces count as near in expression within so much opening of "
    "the mouth.", Basis.JUDGEMENT,
    "A third of the range of ordinary speech in the sample clips (0 to about 0.3).",
)  # fmt: skip
NEAR_EYES = Limit(
    0.08, "of the eye's width", "Faces count as near in expression within so much opening of the "
    "eyes.", Basis.JUDGEMENT,
    "A quarter of the way from shut (0.01 to 0.08 in blinks of the sample clips) to open (0.27 to "
    "0.37, differing by person).",
)  # fmt: skip
OPEN_MOUTH = Limit(
    0.25, "of the mouth's width", "From here a mouth counts as open.", Basis.MEASURED,
    "Speech in the sample clips lies between 0 and 0.25 most of the time (median 0.18 to 0.20); a "
    "wide laugh or shout reaches 0.4 to 0.8.",
)  # fmt: skip
SHUT_EYES = Limit(
    0.12, "of the eye's width", "Below, eyes count as shut.", Basis.MEASURED,
    "In the sample clips blinks go down to 0.01 to 0.08, open eyes have 0.25 to 0.37. People with "
    "narrow eyes and faces looking down come near it.",
)  # fmt: skip
DISTINCT_FACES = Limit(
    300, "distinct faces", "With fewer, src counts as small.", Basis.CONVENTION,
    "Users of DeepFaceLab commonly ask for a few hundred to a few thousand varied src faces. Not "
    "measured here.",
)  # fmt: skip
TOO_FEW_FACES = Limit(
    100, "distinct faces", "With fewer, src is too small for a pair to be promising yet.",
    Basis.JUDGEMENT,
    "A third of what users commonly ask for: about three seconds of video without near-copies. Not "
    "measured against trained models.",
)  # fmt: skip
NEAR_DUPLICATE = Limit(
    0.005, "mean difference of brightness",
    "Below, two faces count as near-duplicates, if mouth and eyes are open alike.",
    Basis.MEASURED,
    "The same limit as `clean --duplicates`: compared at 32 by 32 pixels, frames of a talking face "
    "in the sample clips differ by 0.003 to 0.02 from the next. Blinks and words are told by the "
    "landmarks.",
)  # fmt: skip
OTHER_VIDEO = Limit(
    2.0, "times the limit of near-duplicates",
    "So much higher is the limit of near-duplicates between faces of different videos.",
    Basis.MEASURED,
    "A demo clip (72 faces) compressed again (CRF 28), and at two thirds of its size: the same "
    "frames differ by 0.003 to 0.006 and by 0.004 to 0.0095.",
)  # fmt: skip
MANY_DUPLICATES = Limit(
    0.3, "of all faces", "From here near-duplicates of src are worth removing.", Basis.JUDGEMENT,
    "They cost no quality, but training sees the common pose again and again and the rare ones "
    "seldom.",
)  # fmt: skip
BLURRED_STEP = Limit(
    1.0, "of the sharpness scale", "Faces so much below the middle of their set, and three times "
    "its usual spread, count as blurred (as in `clean --blur`); a src so much below dst as much "
    "softer.", Basis.MEASURED,
    "The scale is logarithmic. Within a sample clip the middle 90 % lie within 0.4 to 0.9; a clip "
    "of 176 by 144 pixels lies 2 below the others, and one step is seen at once.",
)  # fmt: skip
SOFTER_STEP = Limit(
    0.5, "of the sharpness scale", "A src so much below dst counts as softer.", Basis.JUDGEMENT,
    "Half of the step that is seen at once; the medians of the four sharp sample clips differ by "
    "0.2 at most.",
)  # fmt: skip
BLURRED_SHARE = Limit(
    0.02, "of all faces", "From here blurred faces are worth a sentence.", Basis.JUDGEMENT,
    "A few blurred faces among many do no harm.",
)  # fmt: skip
ENLARGED = Limit(
    1.5, "crop pixels for one frame pixel", "From here a face counts as enlarged.",
    Basis.JUDGEMENT,
    "Up to half again as large, the loss is hard to see beside JPEG and lens softness.",
)  # fmt: skip
SIZE_RATIO = Limit(
    0.6, "of the size of dst", "A src whose faces are so much smaller in their frames than those "
    "of dst counts as too small.", Basis.JUDGEMENT,
    "The swapped face can then not hold the detail of its surroundings. Not measured.",
)  # fmt: skip
MANY = Limit(
    0.25, "of all faces", "From here enlarged, dark or burnt-out faces count as many.",
    Basis.JUDGEMENT, "A quarter of the material is no longer an exception.",
)  # fmt: skip
DARK_PIXELS = Limit(
    0.30, "of the face's pixels", "With more of them black, a face counts as too dark.",
    Basis.MEASURED,
    "The sample clips have at most 0.05, the sample photos (dark sunglasses, hair) at most 0.23.",
)  # fmt: skip
BURNT_PIXELS = Limit(
    0.10, "of the face's pixels", "With more of them white, a face counts as burnt out.",
    Basis.MEASURED, "The sample clips have at most 0.01, the sample photos at most 0.04.",
)  # fmt: skip
SAME_LIGHT_BRIGHTNESS = Limit(
    0.10, "of full brightness", "If the middle 90 % of src lie closer together than this, and than "
    "0.12 in both directions of light, the faces count as lit alike.", Basis.MEASURED,
    "Each sample clip was lit in one way: their faces lie within 0.01 to 0.06 in brightness and "
    "0.01 to 0.10 in direction.",
)  # fmt: skip
SAME_LIGHT_DIRECTION = Limit(
    0.12, "of left against right", "See the one before.", Basis.MEASURED, "See the one before.",
)  # fmt: skip
COLOR_STEP = Limit(
    8.0, "steps of Lab color", "From here the skin colors of src and dst count as different.",
    Basis.JUDGEMENT,
    "Within a sample clip colors vary by less than 2, the five clips differ by 5 to 25. That the "
    "eye objects from about 8 on was judged by looking at them.",
)  # fmt: skip
POSES_WELL = Limit(
    0.95, "of the dst faces", "From here the poses (light, expressions) of dst count as covered.",
    Basis.JUDGEMENT, "One frame in twenty is a glimpse in a video.",
)  # fmt: skip
POSES_POOR = Limit(
    0.70, "of the dst faces", "Below, the poses of dst count as poorly covered.", Basis.JUDGEMENT,
    "More than every fourth frame would have to be guessed. Not measured against trained models. "
    "Light and expressions are never counted so: two set-ups seldom share any light, and a color "
    "transfer evens out brightness.",
)  # fmt: skip
MIRRORING_GAIN = Limit(
    0.05, "of the dst faces", "Mirroring src is proposed if it covers so many more.",
    Basis.JUDGEMENT, "It costs the face its asymmetry, so it should bring something.",
)  # fmt: skip
SAME_PERSON = Limit(
    0.53, "cosine of two faces", "From here the main people of src and dst count as the same.",
    Basis.MEASURED,
    "The bundled network's own limit: equal error rate 0.8 % among 28 people, 3 % among 115.",
)  # fmt: skip
STRANGERS = Limit(
    0.01, "of the faces looked at", "From here faces of other people are worth a sentence.",
    Basis.JUDGEMENT,
    "The network that compares faces has an equal error rate of 0.8 % among 28 people and 3 % "
    "among 115; neighbours in time help it in videos.",
)  # fmt: skip
MANY_STRANGERS = Limit(
    0.05, "of the faces looked at", "From here faces of other people make a pair not promising "
    "yet.", Basis.JUDGEMENT,
    "Above the errors of the network (3 % at most), and one face in twenty teaches somebody else. "
    "Not measured against trained models.",
)  # fmt: skip
LANDMARKS_OFF = Limit(
    0.10, "of the face's side", "Landmarks that lie so far from a fresh measurement count as "
    "failed; `clean --landmarks --non-faces` removes such faces.", Basis.MEASURED,
    "103 faces of the sample material with this package's landmarks: 99 of 100 lie below 0.016; "
    "landmarks shifted by a tenth of the face give 0.10, turned by 20 degrees 0.12. Other programs "
    "put some points elsewhere on the same face, so the limit is not set tighter.",
)  # fmt: skip
FRONTAL_DEG = Limit(
    15.0, "degrees", "Face proportions are taken from faces within so much of yaw and pitch.",
    Basis.JUDGEMENT,
    "Foreshortening is then below 4 %, and is corrected with a model head.",
)  # fmt: skip
CALM_MOUTH = Limit(
    0.25, "of the mouth's width", "Face proportions are taken from faces with the mouth less open.",
    Basis.JUDGEMENT,
    "An open mouth lengthens the lower face; the limit is that of open mouths. How much the "
    "proportions change below it was not measured.",
)  # fmt: skip
OTHER_PERSON = Limit(
    0.050, "mean relative difference", "Distance of face shapes that counts as 1: the middle of "
    "the distances between two different people.", Basis.MEASURED,
    "22 people of the sample clips and photos, all 231 pairs: 5 % are below 0.030, 5 % above 0.072. "
    "The same person in other recordings (16 pairs, two people) has 0.021 to 0.047, middle 0.036; "
    "two halves of one clip 0.013 to 0.030. So the measure tells apart only what is clearly "
    "different: a pair of different people is farther apart than the same person twice in 82 of "
    "100 cases. Measured with this package's landmarks; faces extracted by another program have "
    "other habits, and compared with ours seem farther apart.",
)  # fmt: skip
ALIKE = Limit(
    0.7, "of the usual distance", "Below, two face shapes count as alike.", Basis.MEASURED,
    "The middle of the same person in two recordings (0.036 against 0.050).",
)  # fmt: skip
UNALIKE = Limit(
    1.45, "of the usual distance", "From here two face shapes count as very different.",
    Basis.MEASURED, "Only 5 % of the pairs of people are farther apart (0.072 against 0.050).",
)  # fmt: skip


def all_limits() -> dict[str, Limit]:
    """Every limit by its name in words, in the order above."""
    return {
        name.lower().replace("_deg", "").replace("_", " "): value
        for name, value in globals().items()
        if isinstance(value, Limit)
    }
