/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "box.h"
#include "engine/base/util.h"
#include "track.h"

/* How far, in plate widths, a plate may be from where it is expected: at once,
 * more for each second unseen, at most. */
#define GATE       1.0f
#define GATE_PER_S 2.0f
#define GATE_MAX   3.0f
/* A plate does not grow or shrink by more from one look to the next. */
#define GROWTH_MAX 2.0f
/* From here on two readings are the same plate, wherever they stand. */
#define SAME 0.8f
/* Below it two confident readings are two vehicles, even in one place. */
#define DIFFERENT 0.5f
#define CONFIDENT 0.6f
/* …unless it was there an instant ago: vehicles do not change places so fast. */
#define INSTANT_S 0.4f
/* Growth of the width from the first to the last look that is a direction. */
#define DIRECTION_GROWTH 1.12f
/* Looks that it takes, and how steadily the width must go one way. */
#define DIRECTION_LOOKS 6
#define DIRECTION_TREND 0.4f
/* Widths of the plate that it must have moved up or down, where the width is no help. */
#define DIRECTION_PATH 1.0f
/* Boxes of one thing that stands still cover each other so much. */
#define STILL 0.5f
/* A plate so near the border, in widths of the frame, may be cut off. */
#define BORDER 0.004f

/* ---- direction ----------------------------------------------------------- */

void lpr_trail_add(LprTrail *trail, float width_px, float y_px)
{
    if (trail->skipped++ < trail->skip)
        return;
    trail->skipped = 0;
    if (trail->n == LPR_TRAIL_MAX) {
        for (size_t i = 0; i < LPR_TRAIL_MAX / 2; i++) {
            trail->log_width[i] = trail->log_width[2 * i];
            trail->y[i] = trail->y[2 * i];
        }
        trail->n = LPR_TRAIL_MAX / 2;
        trail->skip = 2 * trail->skip + 1;
    }
    trail->log_width[trail->n] = logf(fmaxf(1, width_px));
    trail->y[trail->n++] = y_px;
}

static float median3(const float *v)
{
    return fmaxf(fminf(v[0], v[1]), fminf(fmaxf(v[0], v[1]), v[2]));
}

/* Kendall's rank correlation of a series and time, -1 to 1: boxes of distant plates
 * jump, and a few of them must not make a direction. */
static float rank_correlation(const float *v, size_t n)
{
    int concordant = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            concordant += (v[j] > v[i]) - (v[j] < v[i]);
    return 2.0f * (float)concordant / ((float)n * (float)(n - 1));
}

/* 1, -1: the series rises or falls by more than `least`, and steadily; 0: neither. */
static int way_of(const float *v, size_t n, float least)
{
    float change = median3(v + n - 3) - median3(v), trend = rank_correlation(v, n);
    if (change > least && trend > DIRECTION_TREND)
        return 1;
    return change < -least && trend < -DIRECTION_TREND ? -1 : 0;
}

LprDirection lpr_trail_direction(const LprTrail *trail)
{
    size_t n = trail->n;
    if (n < DIRECTION_LOOKS)
        return LPR_DIRECTION_UNKNOWN;
    int way = way_of(trail->log_width, n, logf(DIRECTION_GROWTH));
    if (way == 0)
        way = way_of(trail->y, n, DIRECTION_PATH * expf(trail->log_width[n / 2]));
    if (way == 0)
        return LPR_DIRECTION_UNKNOWN;
    return way > 0 ? LPR_DIRECTION_APPROACHING : LPR_DIRECTION_LEAVING;
}

const char *lpr_direction_name(LprDirection direction)
{
    static const char *const names[] = {"unknown", "approaching", "leaving"};
    return (unsigned)direction < NN_ARRAY_SIZE(names) ? names[direction] : names[0];
}

/* ---- one track ----------------------------------------------------------- */

int lpr_track_new(LprFrame *frame, LprTrack **ret_track)
{
    LprTrack *track = calloc(1, sizeof(*track));
    if (!track)
        return -ENOMEM;
    track->first_us = track->last_us = lpr_frame_time_us(frame);
    track->first_realtime_us = track->last_realtime_us = lpr_frame_realtime_us(frame);
    *ret_track = track;
    return 0;
}

LprTrack *lpr_track_free(LprTrack *track)
{
    if (track)
        lpr_frame_unref(track->best_frame);
    free(track);
    return NULL;
}

static float centre_x(const LprBox *box)
{
    return box->x + box->w / 2;
}

static float centre_y(const LprBox *box)
{
    return box->y + box->h / 2;
}

/* Velocity by exponential smoothing: the box of a detector trembles. */
static void track_move(LprTrack *track, const LprBox *box, int64_t time_us)
{
    float dt_s = (float)(time_us - track->last_us) / 1e6f;
    if (dt_s > 0 && track->box.w > 0) {
        float vx = (centre_x(box) - centre_x(&track->box)) / dt_s;
        float vy = (centre_y(box) - centre_y(&track->box)) / dt_s;
        track->velocity_x += 0.5f * (vx - track->velocity_x);
        track->velocity_y += 0.5f * (vy - track->velocity_y);
    }
    if (track->first_box.w <= 0)
        track->first_box = *box;
    track->moved = track->moved || lpr_box_iou(&track->first_box, box) < STILL;
    track->box = *box;
}

/* The best frame shows the plate legibly first, and large second. */
static void track_keep_best(LprTrack *track, LprFrame *frame, const LprPlate *plate)
{
    float score = (0.05f + plate->confidence) * sqrtf(plate->box.w);
    if (track->best_frame && score <= track->best_score)
        return;
    lpr_frame_unref(track->best_frame);
    track->best_frame = lpr_frame_ref(frame);
    track->best = *plate;
    track->best_score = score;
}

/* What the frame cuts off is not the whole plate. */
static bool at_border(const LprFrame *frame, const LprBox *box)
{
    float margin = BORDER * (float)lpr_frame_width(frame);

    return box->x < margin || box->y < margin ||
           box->x + box->w > (float)lpr_frame_width(frame) - margin ||
           box->y + box->h > (float)lpr_frame_height(frame) - margin;
}

void lpr_track_add(LprTrack *track, LprFrame *frame, const LprPlate *plate,
                   const LprTrackerOptions *options)
{
    int64_t time_us = lpr_frame_time_us(frame);

    track_move(track, &plate->box, time_us);
    track->last_us = NN_MAX(track->last_us, time_us);
    track->last_realtime_us = lpr_frame_realtime_us(frame);
    track->seen = true;
    /* What was told is told: a parked car costs nothing more. */
    if (track->state == LPR_TRACK_CLOSED)
        return;
    track_keep_best(track, frame, plate);
    if (plate->n_characters < options->min_characters)
        return;
    /* Boxes of what cannot be read yet jump, and may be of something else. */
    lpr_trail_add(&track->trail, plate->box.w, plate->box.y + plate->box.h / 2);
    if (plate->box.w < (float)options->legible_width_px || at_border(frame, &plate->box)) {
        lpr_vote_add(&track->poor, plate);
        return;
    }
    if (track->vote.total == 0)
        track->legible_us = time_us;
    lpr_vote_add(&track->vote, plate);
    lpr_vote_decide(&track->vote, options->region, &track->plate);
}

void lpr_track_settle(LprTrack *track, const LprTrackerOptions *options)
{
    if (track->vote.total > 0 || track->poor.total == 0)
        return;
    track->vote = track->poor;
    track->legible_us = track->last_us;
    lpr_vote_decide(&track->vote, options->region, &track->plate);
}

void lpr_track_merge(LprTrack *track, LprTrack *later, const LprTrackerOptions *options)
{
    track->box = later->box;
    track->velocity_x = later->velocity_x;
    track->velocity_y = later->velocity_y;
    track->last_us = NN_MAX(track->last_us, later->last_us);
    track->last_realtime_us = NN_MAX(track->last_realtime_us, later->last_realtime_us);
    track->seen |= later->seen;
    if (track->state == LPR_TRACK_CLOSED)
        return;
    for (size_t i = 0; i < later->trail.n; i++)
        lpr_trail_add(&track->trail, expf(later->trail.log_width[i]), later->trail.y[i]);
    if (later->best_frame)
        track_keep_best(track, later->best_frame, &later->best);
    if (track->vote.total == 0)
        track->legible_us = later->legible_us;
    lpr_vote_merge(&track->vote, &later->vote);
    lpr_vote_merge(&track->poor, &later->poor);
    lpr_vote_decide(&track->vote, options->region, &track->plate);
}

float lpr_track_weakest(const LprTrack *track)
{
    float weakest = track->plate.n_characters ? 1 : 0;
    for (size_t i = 0; i < track->plate.n_characters; i++)
        weakest = fminf(weakest, track->plate.characters[i].confidence);
    return weakest;
}

/* ---- association --------------------------------------------------------- */

/* A plate that was read for sure as another one than the track's. */
static bool contradicts(const LprTrack *track, const LprPlate *plate, float dt_s, float similarity)
{
    if (dt_s < INSTANT_S && lpr_box_iou(&track->box, &plate->box) > 0.3f)
        return false;
    return similarity < DIFFERENT && track->vote.n >= 2 && plate->n_characters >= 4 &&
           track->plate.confidence >= CONFIDENT && plate->confidence >= CONFIDENT;
}

/* How well a plate continues a track; 0 when it cannot. */
static float match_score(const LprTrack *track, const LprPlate *plate, int64_t time_us)
{
    float dt_s = fminf(fmaxf((float)(time_us - track->last_us) / 1e6f, 0), 1);
    float similarity = 0;
    if (track->plate.n_characters && plate->n_characters)
        similarity = lpr_plate_similarity(track->plate.plate, plate->plate);
    if (contradicts(track, plate, dt_s, similarity))
        return 0;
    LprBox expected = track->box;
    expected.x += track->velocity_x * dt_s;
    expected.y += track->velocity_y * dt_s;
    float width = fmaxf(track->box.w, plate->box.w);
    float growth = width / fmaxf(1, fminf(track->box.w, plate->box.w));
    float distance = hypotf(centre_x(&plate->box) - centre_x(&expected),
                            centre_y(&plate->box) - centre_y(&expected)) /
                     fmaxf(1, width);
    float gate = fminf(GATE + GATE_PER_S * dt_s, GATE_MAX);
    if (distance < gate && growth < GROWTH_MAX)
        return 1 + lpr_box_iou(&expected, &plate->box) + (1 - distance / gate) + similarity;
    return similarity >= SAME ? similarity : 0;
}

void lpr_tracks_match(LprTrack *const *tracks, size_t n_tracks, const LprPlate *plates, size_t n,
                      int64_t time_us, int ret_match[LPR_PLATES_MAX])
{
    uint64_t taken = 0; /* tracks; their number is capped at 64 by the tracker */
    for (size_t i = 0; i < n; i++)
        ret_match[i] = -1;
    for (;;) {
        float best = 0;
        size_t best_plate = 0, best_track = 0;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < n_tracks && ret_match[i] < 0; k++) {
                float score = taken >> k & 1 ? 0 : match_score(tracks[k], &plates[i], time_us);
                if (score > best) {
                    best = score;
                    best_plate = i;
                    best_track = k;
                }
            }
        if (best <= 0)
            return;
        ret_match[best_plate] = (int)best_track;
        taken |= (uint64_t)1 << best_track;
    }
}
