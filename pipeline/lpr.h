/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The recognition pipeline: frames in, passages out.
 *
 *   LprSource      camera, stream, clip or pictures; gives frames (GStreamer)
 *   LprMotion      passes over frames in which nothing has moved
 *   LprMailbox     holds the newest frame between camera and recognition
 *   LprRecognizer  detect, read and region on one frame
 *   LprTracker     follows plates over frames, votes, and tells of passages
 *
 * Times are microseconds: `time_us` on the monotonic clock, `realtime_us` since
 * 1970 UTC. Boxes are in pixels of the frame. Errors are as in nn.h. Each object
 * belongs to one thread at a time unless its comment says otherwise. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn.h"

#define LPR_CHARACTERS_MAX 16
#define LPR_CANDIDATES_MAX 10
#define LPR_PLATES_MAX 16
#define LPR_UUID_BYTES 37

/* Top-left corner and size. */
typedef struct LprBox {
    float x, y, w, h;
} LprBox;

/* Intersection over union; 0 when either is empty. */
float lpr_box_iou(const LprBox *a, const LprBox *b);

/* ---- frames -------------------------------------------------------------- */

/* One picture as I420: the luma plane is what the networks see. Shared by
 * reference; the pixels are read-only. */
typedef struct LprFrame LprFrame;

/* Copies the planes; chroma may be NULL (grey). Strides in bytes. -ENOMEM,
 * -E2BIG over 8192×8192. */
NN_MUST_CHECK int lpr_frame_new(int width_px, int height_px, const uint8_t *y, int y_stride,
                                const uint8_t *u, const uint8_t *v, int uv_stride,
                                int64_t time_us, int64_t realtime_us, uint64_t sequence,
                                LprFrame **ret_frame);
/* Any thread. */
LprFrame *lpr_frame_ref(LprFrame *frame);
LprFrame *lpr_frame_unref(LprFrame *frame); /* NULL is fine; returns NULL */

int lpr_frame_width(const LprFrame *frame);
int lpr_frame_height(const LprFrame *frame);
int64_t lpr_frame_time_us(const LprFrame *frame);
int64_t lpr_frame_realtime_us(const LprFrame *frame);
uint64_t lpr_frame_sequence(const LprFrame *frame);
const uint8_t *lpr_frame_luma(const LprFrame *frame, int *ret_stride);
/* NULL for a grey frame. */
const uint8_t *lpr_frame_chroma(const LprFrame *frame, int plane, int *ret_stride);

/* ---- source -------------------------------------------------------------- */

typedef struct LprSource LprSource;

typedef enum LprSourceState {
    LPR_SOURCE_STARTING,
    LPR_SOURCE_PLAYING,
    LPR_SOURCE_LOST,        /* camera gone or silent; retried with backoff */
    LPR_SOURCE_ENDED,       /* a clip or picture list is over */
    LPR_SOURCE_FAILED,      /* wrong for good: no such file, no decoder */
} LprSourceState;

/* Zero-initialise, then set what differs from the default. */
typedef struct LprSourceOptions {
    int width_px, height_px;    /* asked of a camera; 0: its best up to 1280×720 */
    double fps;                 /* frames a second at most; 0: all */
    bool loop;                  /* start a clip again at its end */
    bool realtime;              /* clips at their own pace; cameras always are */
    int64_t silence_us;         /* a live source without frames for so long is lost; 0: 10 s */
    int64_t frozen_us;          /* so is a camera that gives one picture all the time; 0: never */
} LprSourceOptions;

/* From the source's own threads. The frame is borrowed: ref it to keep it. */
typedef void (*LprFrameFunc)(void *userdata, LprFrame *frame);
typedef void (*LprStateFunc)(void *userdata, LprSourceState state, const char *sentence);

/* uri: "v4l2:/dev/video0", "rtsp://…", "file:clip.mp4", "images:GLOB", "test:",
 * or "gst:" and a pipeline that ends in raw video. Checks the form only;
 * -EINVAL with a sentence. */
NN_MUST_CHECK int lpr_source_new(const char *uri, const LprSourceOptions *options,
                                 LprFrameFunc frame, LprStateFunc state, void *userdata,
                                 LprSource **ret_source, NnError *error);

/* Starts; what goes wrong later is told through the state function. */
NN_MUST_CHECK int lpr_source_start(LprSource *source, NnError *error);
/* Stops and waits: no callback runs afterwards. A frame function that waits for
 * something (a full mailbox) must be let go before. */
void lpr_source_stop(LprSource *source);
LprSource *lpr_source_free(LprSource *source);
/* Whether frames come at the pace of the world, so that stale ones are dropped. */
bool lpr_source_is_live(const LprSource *source);
/* When its thread last came round, monotonic: it does so every second unless a driver
 * holds it. Any thread. */
int64_t lpr_source_alive_us(const LprSource *source);
/* Whether each frame is a picture of its own: see lpr_tracker_still(). */
bool lpr_source_is_still(const LprSource *source);

/* Decodes one picture file, upright according to its EXIF orientation. -ENOENT,
 * -EBADMSG (not a picture, or broken), -ENOTSUP (no decoder). */
NN_MUST_CHECK int lpr_picture_load(const char *path, LprFrame **ret_frame, NnError *error);

/* What would be asked of the camera at `device`, "v4l2:" left out, as GStreamer writes
 * formats: "video/x-raw, format=YUY2, width=1280, …". malloc'd. Errors of open, -ENODEV,
 * -ENOTSUP with a sentence. */
NN_MUST_CHECK int lpr_camera_caps(const char *device, const LprSourceOptions *options,
                                  char **ret_caps, NnError *error);

/* Encodes a frame as JPEG, cut to `crop` when not NULL. malloc'd bytes. */
NN_MUST_CHECK int lpr_picture_encode(const LprFrame *frame, const LprBox *crop, int quality,
                                     uint8_t **ret_bytes, size_t *ret_n, NnError *error);

/* What can be said of a picture without looking for plates. */
typedef struct LprQuality {
    float brightness;   /* mean of the luma, 0…255 */
    float dark, bright; /* shares of pixels without drawing: nearly black, nearly white */
    float sharpness;    /* variance of the Laplacian over means of a 320th of the width: streets
                           have some hundreds and more, blurred ones less */
} LprQuality;

/* -ENOMEM. */
NN_MUST_CHECK int lpr_picture_quality(const LprFrame *frame, LprQuality *ret_quality);

/* ---- mailbox ------------------------------------------------------------- */

/* One place for the newest frame; any thread. */
typedef struct LprMailbox LprMailbox;

NN_MUST_CHECK int lpr_mailbox_new(LprMailbox **ret_mailbox);
LprMailbox *lpr_mailbox_free(LprMailbox *mailbox);

/* Puts a frame there (takes its own reference). With `wait` it waits until the
 * place is empty or the mailbox closed; without, an older frame is dropped and
 * counted. */
void lpr_mailbox_put(LprMailbox *mailbox, LprFrame *frame, bool wait);

/* Waits for a frame. -ETIMEDOUT after `timeout_us` (<0: never), -EPIPE once
 * closed and empty. */
NN_MUST_CHECK int lpr_mailbox_take(LprMailbox *mailbox, int64_t timeout_us, LprFrame **ret_frame);
void lpr_mailbox_close(LprMailbox *mailbox);
uint64_t lpr_mailbox_dropped(const LprMailbox *mailbox);

/* ---- motion -------------------------------------------------------------- */

/* Says which frames are worth looking at: those that differ from the last one looked
 * at, those for a while after, and one now and then, whatever it shows. */
typedef struct LprMotion LprMotion;

/* Zero-initialise, then set what differs from the default. */
typedef struct LprMotionOptions {
    int threshold;      /* levels of 255 by which an 80th of the width must differ; 0: 6 */
    int64_t hold_us;    /* all frames are looked at for so long after a change; 0: 2 s */
    int64_t look_us;    /* without a change, one frame in so long; 0: 0.5 s */
} LprMotionOptions;

NN_MUST_CHECK int lpr_motion_new(const LprMotionOptions *options, LprMotion **ret_motion);
LprMotion *lpr_motion_free(LprMotion *motion);  /* NULL is fine; returns NULL */
void lpr_motion_configure(LprMotion *motion, const LprMotionOptions *options);
/* Whether to look at the frame; true is taken as that it was looked at. */
bool lpr_motion_wants(LprMotion *motion, const LprFrame *frame);

/* ---- recognition --------------------------------------------------------- */

typedef struct LprCharacter {
    char character;             /* '0'…'9', 'A'…'Z' */
    float confidence;
    LprBox box;
} LprCharacter;

typedef struct LprCandidate {
    char plate[LPR_CHARACTERS_MAX + 1];
    float confidence;
} LprCandidate;

/* Edit distance in half edits: characters that look alike (0 and D, 1 and I, 8
 * and B, …) are half an edit apart. */
int lpr_plate_distance(const char *a, const char *b);

typedef struct LprRegion {
    char code[8];               /* "US-CA"; "" when not known */
    char name[32];              /* "California" */
    float confidence;
} LprRegion;

/* One plate in one frame. */
typedef struct LprPlate {
    LprBox box;
    float detection;                            /* confidence that it is a plate */
    char plate[LPR_CHARACTERS_MAX + 1];         /* "" when nothing was read */
    float confidence;                           /* of the whole plate */
    size_t n_characters;
    LprCharacter characters[LPR_CHARACTERS_MAX];
    size_t n_candidates;                        /* best first, the plate itself among them */
    LprCandidate candidates[LPR_CANDIDATES_MAX];
    LprRegion region;
} LprPlate;

/* Processing time in milliseconds, summed over the plates of a frame. */
typedef struct LprTimes {
    double detect_ms, read_ms, region_ms;
} LprTimes;

/* Zero-initialise, then set what differs from the default. */
typedef struct LprRecognizerOptions {
    const char *detector;           /* paths of .onnx models; region may be NULL */
    const char *reader;
    const char *region;
    const char *cache;              /* directory that keeps them compiled, see nn.h; may be NULL */
    float detect_threshold;         /* 0: 0.35 */
    float read_threshold;           /* of a character; 0: 0.40 */
    int min_plate_width_px;         /* narrower ones are not read; 0: 16 */
    int max_plate_width_px;         /* wider ones are no plates; 0: any */
    const char *include, *exclude;  /* zones, see lpr_zones_check(); NULL: the whole frame */
    size_t max_plates;              /* a frame; 0: 8 */
    bool still;                     /* a picture that stands for itself: it may be of nothing but
                                       a plate, which is tried when nothing, or something close
                                       up, is found; and no vote follows, so the serials of a
                                       region named for sure decide between look-alikes here */
} LprRecognizerOptions;

typedef struct LprRecognizer LprRecognizer;

/* Zones are polygons in shares of the frame, "0.1,0.5 0.9,0.5 0.5,1; …": corners in
 * order, x and y from 0 (left, top) to 1 (right, bottom). A plate counts when its
 * centre lies in a zone to include, if there is one, and in none to exclude.
 * -EINVAL, -E2BIG with a sentence. */
NN_MUST_CHECK int lpr_zones_check(const char *text, NnError *error);

/* Loads the models through `context`, which must outlive the recogniser, and
 * checks their metadata (docs/model-contract.md). */
NN_MUST_CHECK int lpr_recognizer_new(NnContext *context, const LprRecognizerOptions *options,
                                     LprRecognizer **ret_recognizer, NnError *error);
LprRecognizer *lpr_recognizer_free(LprRecognizer *recognizer);

/* Finds and reads the plates of a frame, best detection first. `ret_times` may
 * be NULL. */
NN_MUST_CHECK int lpr_recognizer_run(LprRecognizer *recognizer, const LprFrame *frame,
                                     LprPlate ret_plates[LPR_PLATES_MAX], size_t *ret_n,
                                     LprTimes *ret_times, NnError *error);

/* "detector 1, reader 1, region 1": `plated.version` of a task, or NULL. */
const char *lpr_recognizer_version(const LprRecognizer *recognizer, const char *task);

/* ---- passages ------------------------------------------------------------ */

typedef enum LprDirection {
    LPR_DIRECTION_UNKNOWN,
    LPR_DIRECTION_APPROACHING,
    LPR_DIRECTION_LEAVING,
} LprDirection;

const char *lpr_direction_name(LprDirection direction);

/* One vehicle passing once. */
typedef struct LprPassage {
    char id[LPR_UUID_BYTES];            /* the same in provisional and final */
    bool final;
    bool corrected;                     /* final: the plate differs from the provisional one */
    int64_t first_seen_us, last_seen_us;            /* monotonic */
    int64_t first_realtime_us, last_realtime_us;
    LprPlate plate;                     /* the vote; its box is that of the best frame */
    LprDirection direction;
    unsigned reads;                     /* readings that were voted */
    LprFrame *frame;                    /* the best one; borrowed, may be NULL */
    int64_t legible_us;                 /* monotonic: the frame of the first of them */
    int64_t decided_us;                 /* monotonic: the frame after which this was told */
} LprPassage;

typedef void (*LprPassageFunc)(void *userdata, const LprPassage *passage);

/* Which plates are told of: "US-CA:^[0-9][A-Z]{3}[0-9]{3}$ *:^.{5,8}$", POSIX
 * extended regular expressions by region, `*` for regions that have none of their
 * own. Shared by reference; any thread. */
typedef struct LprFilter LprFilter;

/* Nothing in the text makes none: `ret_filter` is NULL then. -EINVAL with a sentence. */
NN_MUST_CHECK int lpr_filter_new(const char *text, LprFilter **ret_filter, NnError *error);
LprFilter *lpr_filter_ref(LprFilter *filter);
LprFilter *lpr_filter_unref(LprFilter *filter); /* NULL is fine; returns NULL */

/* What no expression speaks of is let through; so is all with NULL. O and 0 are
 * tried as each other, because readers do not tell them apart. */
bool lpr_filter_accepts(const LprFilter *filter, const char *region, const char *plate);

/* Zero-initialise, then set what differs from the default. Microseconds. */
typedef struct LprTrackerOptions {
    int64_t quiet_us;           /* 0: 2 s */
    int64_t longest_us;         /* 0: 15 s */
    int64_t rearm_us;           /* 0: 45 s */
    float provisional;          /* confidence of the vote that is told at once; 0: 0.80 */
    unsigned provisional_reads; /* readings it needs; 0: 2 */
    float final;                /* a passage below this at its end is not told; 0: 0.50 */
    size_t min_characters;      /* 0: 4 */
    int legible_width_px;       /* readings of narrower plates count only when none better came,
                                   as do those at the border of the frame; 0: 32 */
    LprFilter *filter;          /* the tracker takes a reference of its own; may be NULL */
    float region;               /* confidence from which the region is named; 0: 0.50 */
    void (*uuid)(void *userdata, char ret_id[LPR_UUID_BYTES]);  /* NULL: random, version 4 */
    void *uuid_userdata;
} LprTrackerOptions;

typedef struct LprTracker LprTracker;

NN_MUST_CHECK int lpr_tracker_new(const LprTrackerOptions *options, LprPassageFunc passage,
                                  void *userdata, LprTracker **ret_tracker);
LprTracker *lpr_tracker_free(LprTracker *tracker);

/* Goes on under other options; what is being followed and remembered stays. */
void lpr_tracker_configure(LprTracker *tracker, const LprTrackerOptions *options);

/* Takes what was recognised in a frame (n may be 0) and calls the passage
 * function for whatever follows from it, on this thread. Frames must come in
 * the order of their time. -ENOMEM. */
NN_MUST_CHECK int lpr_tracker_update(LprTracker *tracker, LprFrame *frame, const LprPlate *plates,
                                     size_t n);
/* The same for a picture that has nothing to do with the one before: every plate
 * that suffices for a final passage is one, told at once and not remembered. */
NN_MUST_CHECK int lpr_tracker_still(LprTracker *tracker, LprFrame *frame, const LprPlate *plates,
                                    size_t n);
/* Lets time pass without a frame: ends passages whose quiet is over. */
void lpr_tracker_tick(LprTracker *tracker, int64_t time_us, int64_t realtime_us);
/* Ends all passages now: the source is over or the service stops. */
void lpr_tracker_flush(LprTracker *tracker, int64_t time_us, int64_t realtime_us);
