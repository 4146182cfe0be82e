/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "box.h"
#include "engine/base/util.h"
#include "track.h"
#include "uuid.h"

#define TRACKS_MAX   64
#define MEMORIES_MAX 64
/* One doubtful character must not open a gate, however sure the others are. */
#define WEAKEST_PROVISIONAL 0.5f
/* A character below it may be the one in which two readings of a plate differ. */
#define DOUBTFUL 0.8f
/* Boxes that cover each other so much stand in the same place. */
#define SAME_PLACE 0.3f
/* What is told so often in one place without ever having moved, and stood there for so
 * long in all, is no vehicle that passes: a sign, lettering on a wall, the clock of the
 * camera. */
#define FIXTURE_TIMES 3
#define FIXTURE_STOOD ((int64_t)300 * 1000000)
#define FIXTURE_US    ((int64_t)3600 * 1000000)
#define FIXTURE_PLACE 0.7f

/* A passage that was told, until it is armed again. */
typedef struct Memory {
    char plate[LPR_CHARACTERS_MAX + 1];
    float weakest;
    LprBox box;
    int64_t last_us;
    unsigned times;     /* told in this place without having moved */
    int64_t stood_us;   /* for how long, of all these times */
} Memory;

struct LprTracker {
    LprTrackerOptions options;
    LprPassageFunc passage;
    void *userdata;
    int64_t now_us;
    size_t n_tracks;
    LprTrack *tracks[TRACKS_MAX];
    size_t n_memories;
    Memory memories[MEMORIES_MAX];
};

static void take_options(const LprTrackerOptions *from, LprTrackerOptions *to)
{
    LprFilter *filter = lpr_filter_ref(from ? from->filter : NULL);

    lpr_filter_unref(to->filter);
    *to = from ? *from : (LprTrackerOptions){0};
    to->filter = filter;
    to->quiet_us = to->quiet_us ? to->quiet_us : 2000000;
    to->longest_us = to->longest_us ? to->longest_us : 15000000;
    to->rearm_us = to->rearm_us ? to->rearm_us : 45000000;
    to->provisional = to->provisional > 0 ? to->provisional : 0.80f;
    to->provisional_reads = to->provisional_reads ? to->provisional_reads : 2;
    to->final = to->final > 0 ? to->final : 0.50f;
    to->min_characters = to->min_characters ? to->min_characters : 4;
    to->region = to->region > 0 ? to->region : 0.50f;
    to->legible_width_px = to->legible_width_px > 0 ? to->legible_width_px : 32;
}

int lpr_tracker_new(const LprTrackerOptions *options, LprPassageFunc passage, void *userdata,
                    LprTracker **ret_tracker)
{
    LprTracker *tracker = calloc(1, sizeof(*tracker));
    if (!tracker)
        return -ENOMEM;
    take_options(options, &tracker->options);
    tracker->passage = passage;
    tracker->userdata = userdata;
    tracker->now_us = INT64_MIN;
    *ret_tracker = tracker;
    return 0;
}

void lpr_tracker_configure(LprTracker *tracker, const LprTrackerOptions *options)
{
    take_options(options, &tracker->options);
}

LprTracker *lpr_tracker_free(LprTracker *tracker)
{
    if (!tracker)
        return NULL;
    for (size_t i = 0; i < tracker->n_tracks; i++)
        lpr_track_free(tracker->tracks[i]);
    lpr_filter_unref(tracker->options.filter);
    free(tracker);
    return NULL;
}

/* ---- the same vehicle ---------------------------------------------------- */

/* Vehicles of a fleet have plates that differ in one character, so one differing
 * character is a misreading only when it looks alike, was read with doubt, or
 * stands where the other plate stood. */
static bool same_vehicle(const LprTrack *track, const char *plate, float weakest, const LprBox *box)
{
    int distance = lpr_plate_distance(track->plate.plate, plate);
    if (distance <= 1)
        return true;
    if (lpr_box_iou(&track->box, box) >= SAME_PLACE)
        return distance <= 4;
    return distance <= 2 && fminf(weakest, lpr_track_weakest(track)) < DOUBTFUL;
}

/* Stands where that was told, and has not moved. */
static bool in_place(const Memory *memory, const LprTrack *track)
{
    return !track->moved && lpr_box_iou(&memory->box, &track->box) >= FIXTURE_PLACE;
}

static bool is_fixture(const Memory *memory, const LprTrack *track)
{
    return memory->times >= FIXTURE_TIMES && memory->stood_us >= FIXTURE_STOOD &&
           in_place(memory, track) && track->first_us - memory->last_us < FIXTURE_US;
}

static Memory *memory_find(LprTracker *tracker, const LprTrack *track)
{
    for (size_t i = 0; i < tracker->n_memories; i++) {
        Memory *memory = &tracker->memories[i];
        if ((track->first_us - memory->last_us < tracker->options.rearm_us ||
             is_fixture(memory, track)) &&
            same_vehicle(track, memory->plate, memory->weakest, &memory->box))
            return memory;
    }
    return NULL;
}

static void memories_expire(LprTracker *tracker)
{
    /* A track counts from its first look, and may take long to become legible. */
    int64_t keep_us =
        NN_MAX(tracker->options.rearm_us + tracker->options.longest_us, FIXTURE_US);
    size_t n = 0;
    for (size_t i = 0; i < tracker->n_memories; i++)
        if (tracker->now_us - tracker->memories[i].last_us < keep_us)
            tracker->memories[n++] = tracker->memories[i];
    tracker->n_memories = n;
}

static void memory_add(LprTracker *tracker, const LprTrack *track)
{
    size_t at = 0;
    while (at < tracker->n_memories && strcmp(tracker->memories[at].plate, track->told))
        at++;
    if (at == MEMORIES_MAX) {
        at = 0;
        for (size_t i = 1; i < MEMORIES_MAX; i++)
            if (tracker->memories[i].last_us < tracker->memories[at].last_us)
                at = i;
    }
    Memory *memory = &tracker->memories[at];
    bool again = at < tracker->n_memories && strcmp(memory->plate, track->told) == 0 &&
                 in_place(memory, track) && track->first_us - memory->last_us < FIXTURE_US;
    int64_t stood_us = track->last_us - track->first_us + (again ? memory->stood_us : 0);
    tracker->n_memories = NN_MAX(tracker->n_memories, at + 1);
    *memory = (Memory){.weakest = lpr_track_weakest(track),
                       .box = track->box,
                       .last_us = track->last_us,
                       .times = track->moved ? 0 : again ? memory->times + !!track->id[0] : 1,
                       .stood_us = track->moved ? 0 : stood_us};
    memcpy(memory->plate, track->told, sizeof(memory->plate));
}

/* A plate that cannot be read stands where one was told of: the parked car in
 * bad light. It stays disarmed as long as it is there. */
static void memory_refresh(LprTracker *tracker, const LprTrack *track)
{
    for (size_t i = 0; i < tracker->n_memories; i++) {
        Memory *memory = &tracker->memories[i];
        if (lpr_box_iou(&memory->box, &track->box) > SAME_PLACE)
            memory->last_us = NN_MAX(memory->last_us, track->last_us);
    }
}

/* ---- telling ------------------------------------------------------------- */

/* A guess at a state is worse than none. */
static const char *told_region(const LprTracker *tracker, const LprTrack *track)
{
    const LprRegion *region = &track->plate.region;

    return region->confidence >= tracker->options.region ? region->code : "";
}

static bool vote_suffices(const LprTracker *tracker, const LprTrack *track, float confidence)
{
    return track->vote.total >= tracker->options.provisional_reads &&
           track->plate.n_characters >= tracker->options.min_characters &&
           track->plate.confidence >= confidence &&
           lpr_filter_accepts(tracker->options.filter, told_region(tracker, track),
                              track->plate.plate);
}

/* The characters' boxes are those of the best frame, where it was read alike. */
static LprPlate told_plate(const LprTracker *tracker, const LprTrack *track)
{
    LprPlate plate = track->plate;
    if (!*told_region(tracker, track))
        plate.region = (LprRegion){0};
    plate.box = track->best.box;
    plate.detection = track->best.detection;
    for (size_t i = 0; i < plate.n_characters; i++)
        plate.characters[i].box = track->best.n_characters == plate.n_characters
                                      ? track->best.characters[i].box
                                      : (LprBox){0};
    return plate;
}

static void tell(LprTracker *tracker, LprTrack *track, bool final)
{
    if (!track->id[0]) {
        if (tracker->options.uuid)
            tracker->options.uuid(tracker->options.uuid_userdata, track->id);
        else
            lpr_uuid_random(track->id);
    }
    LprPassage passage = {
        .final = final,
        .corrected = final && track->told[0] && strcmp(track->told, track->plate.plate),
        .first_seen_us = track->first_us,
        .last_seen_us = track->last_us,
        .first_realtime_us = track->first_realtime_us,
        .last_realtime_us = track->last_realtime_us,
        .plate = told_plate(tracker, track),
        .direction = lpr_trail_direction(&track->trail),
        .reads = track->vote.total,
        .legible_us = track->legible_us,
        .frame = track->best_frame,
        .decided_us = tracker->now_us,
    };
    memcpy(passage.id, track->id, sizeof(passage.id));
    memcpy(track->told, track->plate.plate, sizeof(track->told));
    track->told_us = tracker->now_us;
    tracker->passage(tracker->userdata, &passage);
}

static void track_close(LprTrack *track)
{
    track->state = LPR_TRACK_CLOSED;
    track->best_frame = lpr_frame_unref(track->best_frame);
}

/* The track belongs to a passage that has been told of already. */
static void track_mute(LprTrack *track, const char *plate)
{
    memcpy(track->told, plate, sizeof(track->told));
    track_close(track);
}

static void tracks_remove(LprTracker *tracker, size_t index)
{
    lpr_track_free(tracker->tracks[index]);
    tracker->tracks[index] = tracker->tracks[--tracker->n_tracks];
    tracker->tracks[tracker->n_tracks] = NULL;
}

/* Another track of the same vehicle that was told of, or NULL. */
static LprTrack *find_told(LprTracker *tracker, const LprTrack *track)
{
    for (size_t i = 0; i < tracker->n_tracks; i++) {
        LprTrack *other = tracker->tracks[i];
        float weakest = lpr_track_weakest(other);
        if (other != track && other->told[0] &&
            (same_vehicle(track, other->told, weakest, &other->box) ||
             same_vehicle(track, other->plate.plate, weakest, &other->box)))
            return other;
    }
    return NULL;
}

/* Before a track is told of for the first time: is it a vehicle that was told of
 * already? True when it is; the track is then muted, or gone into the other. */
static bool is_known(LprTracker *tracker, size_t index)
{
    LprTrack *track = tracker->tracks[index];
    LprTrack *other = find_told(tracker, track);
    if (other && other->last_us < track->first_us) {
        lpr_track_merge(other, track, &tracker->options);
        tracks_remove(tracker, index);
        return true;
    }
    Memory *memory = other ? NULL : memory_find(tracker, track);
    if (!other && !memory)
        return false;
    track_mute(track, other ? other->told : memory->plate);
    return true;
}

/* ---- the life of a track ------------------------------------------------- */

static bool is_over_long(const LprTracker *tracker, const LprTrack *track)
{
    /* A plate that became legible late still has its time between provisional and final. */
    return tracker->now_us - track->first_us >= tracker->options.longest_us &&
           (track->state != LPR_TRACK_TOLD ||
            tracker->now_us - track->told_us >= tracker->options.quiet_us);
}

static void finish(LprTracker *tracker, size_t index)
{
    LprTrack *track = tracker->tracks[index];
    lpr_track_settle(track, &tracker->options);
    if (track->state == LPR_TRACK_OPEN &&
        (!vote_suffices(tracker, track, tracker->options.final) || is_known(tracker, index)))
        return;
    tell(tracker, track, true);
    track_close(track);
}

static void forget(LprTracker *tracker, size_t index)
{
    LprTrack *track = tracker->tracks[index];
    if (track->told[0])
        memory_add(tracker, track);
    else
        memory_refresh(tracker, track);
    tracks_remove(tracker, index);
}

static void step_track(LprTracker *tracker, size_t index, bool end)
{
    LprTrack *track = tracker->tracks[index];
    bool gone = end || tracker->now_us - track->last_us >= tracker->options.quiet_us;
    if (track->state == LPR_TRACK_OPEN &&
        vote_suffices(tracker, track, tracker->options.provisional) &&
        lpr_track_weakest(track) >= WEAKEST_PROVISIONAL) {
        if (is_known(tracker, index))
            return;
        tell(tracker, track, false);
        track->state = LPR_TRACK_TOLD;
    }
    if (track->state != LPR_TRACK_CLOSED && (gone || is_over_long(tracker, track))) {
        size_t n = tracker->n_tracks;
        finish(tracker, index);
        if (tracker->n_tracks < n)
            return;
    }
    if (gone)
        forget(tracker, index);
}

/* From the last to the first: a track that goes is replaced by one already done. */
static void step(LprTracker *tracker, bool end)
{
    for (size_t i = tracker->n_tracks; i-- > 0;)
        step_track(tracker, i, end);
    memories_expire(tracker);
}

/* Frames are older than the ticks between them; time does not go back for that. */
static void set_time(LprTracker *tracker, int64_t time_us)
{
    tracker->now_us = NN_MAX(tracker->now_us, time_us);
}

/* Makes room for a new track: of those that were never told, the one that was
 * not seen for longest goes. */
static bool make_room(LprTracker *tracker)
{
    if (tracker->n_tracks < TRACKS_MAX)
        return true;
    size_t oldest = TRACKS_MAX;
    for (size_t i = 0; i < TRACKS_MAX; i++)
        if (tracker->tracks[i]->state == LPR_TRACK_OPEN && !tracker->tracks[i]->seen &&
            (oldest == TRACKS_MAX ||
             tracker->tracks[i]->last_us < tracker->tracks[oldest]->last_us))
            oldest = i;
    if (oldest == TRACKS_MAX)
        return false;
    tracks_remove(tracker, oldest);
    return true;
}

static int take_plate(LprTracker *tracker, LprFrame *frame, const LprPlate *plate, int match)
{
    LprTrack *track = match >= 0 ? tracker->tracks[match] : NULL;
    if (!track) {
        int r = lpr_track_new(frame, &track);
        if (r < 0)
            return r;
        tracker->tracks[tracker->n_tracks++] = track;
    }
    lpr_track_add(track, frame, plate, &tracker->options);
    return 0;
}

int lpr_tracker_update(LprTracker *tracker, LprFrame *frame, const LprPlate *plates, size_t n)
{
    int match[LPR_PLATES_MAX];
    int r = 0;
    n = NN_MIN(n, (size_t)LPR_PLATES_MAX);
    set_time(tracker, lpr_frame_time_us(frame));
    /* What ended before this frame must not be continued by it. */
    step(tracker, false);
    lpr_tracks_match(tracker->tracks, tracker->n_tracks, plates, n, tracker->now_us, match);
    for (size_t i = 0; i < tracker->n_tracks; i++)
        tracker->tracks[i]->seen = false;
    for (size_t i = 0; i < n && r >= 0; i++)
        if (match[i] >= 0)
            r = take_plate(tracker, frame, &plates[i], match[i]);
    for (size_t i = 0; i < n && r >= 0; i++)
        if (match[i] < 0 && make_room(tracker))
            r = take_plate(tracker, frame, &plates[i], -1);
    step(tracker, false);
    return r;
}

static int tell_still(LprTracker *tracker, LprFrame *frame, const LprPlate *plate)
{
    LprTrack *track = NULL;
    int r = lpr_track_new(frame, &track);
    if (r < 0)
        return r;
    lpr_track_add(track, frame, plate, &tracker->options);
    lpr_track_settle(track, &tracker->options);
    if (track->vote.total > 0 && track->plate.confidence >= tracker->options.final &&
        lpr_filter_accepts(tracker->options.filter, told_region(tracker, track),
                           track->plate.plate))
        tell(tracker, track, true);
    lpr_track_free(track);
    return 0;
}

int lpr_tracker_still(LprTracker *tracker, LprFrame *frame, const LprPlate *plates, size_t n)
{
    int r = 0;
    set_time(tracker, lpr_frame_time_us(frame));
    for (size_t i = 0; i < n && r >= 0; i++)
        r = tell_still(tracker, frame, &plates[i]);
    return r;
}

void lpr_tracker_tick(LprTracker *tracker, int64_t time_us, int64_t realtime_us)
{
    set_time(tracker, time_us);
    step(tracker, false);
}

void lpr_tracker_flush(LprTracker *tracker, int64_t time_us, int64_t realtime_us)
{
    set_time(tracker, time_us);
    step(tracker, true);
}
