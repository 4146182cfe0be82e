/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* One plate followed over frames, and which plate of a new frame belongs to it. */

#include "lpr.h"
#include "vote.h"

#define LPR_TRAIL_MAX 64

/* How the plate went: its width, and the height of its centre in the frame, in px. When
 * full, every second sample goes. */
typedef struct LprTrail {
    size_t n, skip, skipped;
    float log_width[LPR_TRAIL_MAX];
    float y[LPR_TRAIL_MAX];
} LprTrail;

void lpr_trail_add(LprTrail *trail, float width_px, float y_px);

/* What comes nearer grows. Where the width says nothing, as of a vehicle that passes
 * close by, the path does: seen from above the plates, what comes nearer moves down. */
LprDirection lpr_trail_direction(const LprTrail *trail);

typedef enum LprTrackState {
    LPR_TRACK_OPEN,     /* nothing told yet */
    LPR_TRACK_TOLD,     /* provisional told, final owed */
    LPR_TRACK_CLOSED,   /* final told, or belongs to a passage that was told */
} LprTrackState;

typedef struct LprTrack {
    LprTrackState state;
    LprBox box;
    LprBox first_box;
    bool moved;                             /* it was not in one place all the time */
    float velocity_x, velocity_y;           /* of the centre, px per second */
    int64_t first_us, last_us;
    int64_t legible_us;                     /* of the first reading with a vote */
    int64_t first_realtime_us, last_realtime_us;
    LprVote vote;
    LprVote poor;                           /* readings that wait for better ones */
    LprPlate plate;                         /* what the vote says */
    LprTrail trail;
    LprFrame *best_frame;
    LprPlate best;                          /* the plate of the best frame */
    float best_score;
    char id[LPR_UUID_BYTES];
    char told[LPR_CHARACTERS_MAX + 1];      /* plate that was told; "" when none */
    int64_t told_us;
    bool seen;                              /* in the newest frame */
} LprTrack;

NN_MUST_CHECK int lpr_track_new(LprFrame *frame, LprTrack **ret_track);
LprTrack *lpr_track_free(LprTrack *track);

/* Takes the plate into the track. Readings shorter than options->min_characters
 * move it but have no vote; those of plates that are small or at the border wait. */
void lpr_track_add(LprTrack *track, LprFrame *frame, const LprPlate *plate,
                   const LprTrackerOptions *options);

/* No better reading will come: those that wait have their vote, if it is the only one. */
void lpr_track_settle(LprTrack *track, const LprTrackerOptions *options);

/* The other track is the same vehicle, seen later. */
void lpr_track_merge(LprTrack *track, LprTrack *later, const LprTrackerOptions *options);

/* The weakest character of a voted plate; 0 without one. */
float lpr_track_weakest(const LprTrack *track);

/* Finds for each plate the track it continues: ret_match[i] is an index, or -1
 * for a plate that nothing precedes. */
void lpr_tracks_match(LprTrack *const *tracks, size_t n_tracks, const LprPlate *plates, size_t n,
                      int64_t time_us, int ret_match[LPR_PLATES_MAX]);
