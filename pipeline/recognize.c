/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <time.h>

#include "box.h"
#include "candidates.h"
#include "engine/base/util.h"
#include "read.h"
#include "region.h"
#include "vote.h"
#include "zones.h"

/* Share of a plate's sides that reader and region see around it. */
#define MARGIN 0.08f
/* Plates never stand inside one another. */
#define PLATE_IOU    0.45f
#define PLATE_INSIDE 0.8f
/* A whole picture is a plate only when it reads like one. */
#define WHOLE_CHARACTERS 3
#define WHOLE_SPAN       0.4f
#define WHOLE_HEIGHT     0.2f
/* A plate over this share of the width: the picture may be of nothing else. */
#define CLOSE_UP 0.4f
/* Characters take up to these shares of a plate's width and height (US: 3 of 6
 * inches). A plate drawn by them that is so much smaller than the box found says
 * that the box is too large. */
#define TIGHT_SPAN       0.86f
#define TIGHT_RISE       0.50f
#define LOOSE_SPAN       0.55f
#define LOOSE_RISE       0.85f
#define LOOSE_CHARACTERS 3
/* What has fewer characters in it must look the more like a plate: most of what is
 * none goes by this, and of plates a few that nobody could read. */
#define READ_CHARACTERS 2
#define UNREAD_SURER    0.3f
/* Only a region named for sure decides between O and 0. */
#define REGION_SURE 0.8f
/* Fewer characters are a sticker on a plate sooner than a plate. */
#define STICKER_CHARACTERS 3

struct LprRecognizer {
    LprRecognizerOptions options; /* its strings are not kept */
    LprZones zones;
    LprModel *detector, *reader, *region;
    LprWork work;
};

NN_DEFINE_CLEANUP(LprRecognizer, lpr_recognizer_free)

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int check_threshold(const char *name, float *threshold, float otherwise, NnError *error)
{
    if (*threshold == 0)
        *threshold = otherwise;
    if (!(*threshold > 0 && *threshold < 1))
        return nn_error_set(error, -EINVAL, "the %s threshold is %g, not between 0 and 1", name,
                            (double)*threshold);
    return 0;
}

static int take_options(const LprRecognizerOptions *from, LprRecognizerOptions *to, NnError *error)
{
    *to = *from;
    if (!from->detector || !from->reader)
        return nn_error_set(error, -EINVAL, "a detector and a reader are needed");
    int r = check_threshold("detection", &to->detect_threshold, 0.35f, error);
    if (r >= 0)
        r = check_threshold("character", &to->read_threshold, 0.40f, error);
    if (to->min_plate_width_px <= 0)
        to->min_plate_width_px = 16;
    if (to->max_plates == 0)
        to->max_plates = 8;
    to->max_plates = NN_MIN(to->max_plates, (size_t)LPR_PLATES_MAX);
    to->detector = to->reader = to->region = to->cache = to->include = to->exclude = NULL;
    return r;
}

int lpr_recognizer_new(NnContext *context, const LprRecognizerOptions *options,
                       LprRecognizer **ret_recognizer, NnError *error)
{
    _cleanup_(lpr_recognizer_freep) LprRecognizer *recognizer = calloc(1, sizeof(*recognizer));
    if (!recognizer)
        return nn_error_set(error, -ENOMEM, "out of memory");
    int r = take_options(options, &recognizer->options, error);
    if (r >= 0)
        r = lpr_zones_add(&recognizer->zones, options->include, false, error);
    if (r >= 0)
        r = lpr_zones_add(&recognizer->zones, options->exclude, true, error);
    if (r >= 0)
        r = lpr_model_load(context, options->detector, options->cache, "detect",
                           &recognizer->detector, error);
    if (r >= 0)
        r = lpr_model_load(context, options->reader, options->cache, "read",
                           &recognizer->reader, error);
    if (r >= 0 && options->region)
        r = lpr_model_load(context, options->region, options->cache, "region",
                           &recognizer->region, error);
    if (r < 0)
        return r;
    *ret_recognizer = NN_TAKE(recognizer);
    return 0;
}

LprRecognizer *lpr_recognizer_free(LprRecognizer *recognizer)
{
    if (!recognizer)
        return NULL;
    lpr_model_free(recognizer->detector);
    lpr_model_free(recognizer->reader);
    lpr_model_free(recognizer->region);
    lpr_work_clear(&recognizer->work);
    free(recognizer);
    return NULL;
}

static bool counts(const LprRecognizer *recognizer, const LprFrame *frame, const LprBox *box)
{
    int widest_px = recognizer->options.max_plate_width_px;

    return lpr_box_area(box) > 0 && (widest_px <= 0 || box->w <= (float)widest_px) &&
           lpr_zones_contain(&recognizer->zones,
                             (box->x + box->w / 2) / (float)lpr_frame_width(frame),
                             (box->y + box->h / 2) / (float)lpr_frame_height(frame));
}

static int find_plates(LprRecognizer *recognizer, const LprFrame *frame, LprPlate *plates,
                       size_t *ret_n, NnError *error)
{
    int width = lpr_frame_width(frame), height = lpr_frame_height(frame);
    LprBox all = {0, 0, (float)width, (float)height};
    float threshold = recognizer->options.detect_threshold;
    int r = lpr_detect(recognizer->detector, frame, &all, threshold, threshold, PLATE_IOU,
                       PLATE_INSIDE, &recognizer->work, error);
    if (r < 0)
        return r;
    const LprDetections *found = &recognizer->work.detections;
    size_t n = 0;
    for (size_t i = 0; i < found->n && n < recognizer->options.max_plates; i++) {
        LprBox inside = lpr_box_cut(&found->items[i].box, 0, width, height);
        if (counts(recognizer, frame, &inside))
            plates[n++] = (LprPlate){.box = inside, .detection = found->items[i].confidence};
    }
    *ret_n = n;
    return 0;
}

static int read_plate(LprRecognizer *recognizer, const LprFrame *frame, float margin,
                      LprPlate *plate, LprTimes *times, NnError *error)
{
    if (plate->box.w < (float)recognizer->options.min_plate_width_px)
        return 0;
    LprBox cut = lpr_box_cut(&plate->box, margin, lpr_frame_width(frame), lpr_frame_height(frame));
    double start_ms = now_ms();
    int r = lpr_read(recognizer->reader, frame, &cut, recognizer->options.read_threshold,
                     &recognizer->work, plate, error);
    double read_ms = now_ms();
    times->read_ms += read_ms - start_ms;
    if (r < 0 || !recognizer->region || plate->n_characters == 0)
        return r;
    r = lpr_region(recognizer->region, frame, &cut, plate->plate, &recognizer->work.scratch,
                   &plate->region, error);
    times->region_ms += now_ms() - read_ms;
    return r;
}

/* More characters, and surer ones. */
static float legibility(const LprPlate *plate)
{
    float n = (float)plate->n_characters;
    return n > 0 ? powf(plate->confidence, 1 / n) * sqrtf(n) : 0;
}

/* The box around all characters, and the mean of their heights. */
static LprBox serial_box(const LprPlate *plate, float *ret_height)
{
    float left = INFINITY, top = INFINITY, right = -INFINITY, bottom = -INFINITY, heights = 0;
    for (size_t i = 0; i < plate->n_characters; i++) {
        const LprBox *box = &plate->characters[i].box;
        left = fminf(left, box->x);
        top = fminf(top, box->y);
        right = fmaxf(right, box->x + box->w);
        bottom = fmaxf(bottom, box->y + box->h);
        heights += box->h;
    }
    *ret_height = heights / (float)plate->n_characters;
    return (LprBox){left, top, right - left, bottom - top};
}

/* On a vehicle of the plate's own brightness the detector takes the recess for the
 * plate. The characters tell where it is. Seen closer there must be all of them and
 * more: a plate whose characters are few and far between is no reason to cut it. */
static int read_closer(LprRecognizer *recognizer, const LprFrame *frame, LprPlate *plate,
                       LprTimes *times, NnError *error)
{
    float height;
    if (plate->n_characters < LOOSE_CHARACTERS)
        return 0;
    LprBox serial = serial_box(plate, &height);
    float w = serial.w / TIGHT_SPAN, h = fmaxf(serial.h, height / TIGHT_RISE);
    if (serial.w >= LOOSE_SPAN * plate->box.w || h >= LOOSE_RISE * plate->box.h)
        return 0;
    LprBox box = {serial.x + (serial.w - w) / 2, serial.y + (serial.h - h) / 2, w, h};
    LprPlate closer = {.box = lpr_box_cut(&box, 0, lpr_frame_width(frame), lpr_frame_height(frame)),
                       .detection = plate->detection};
    int r = read_plate(recognizer, frame, MARGIN, &closer, times, error);
    if (r >= 0 && closer.n_characters > plate->n_characters &&
        legibility(&closer) >= legibility(plate) && lpr_text_part(plate->plate, closer.plate))
        *plate = closer;
    return r;
}

/* Drops what the reader does not believe to be a plate. */
static size_t keep_plates(const LprRecognizer *recognizer, LprPlate *plates, size_t n)
{
    float unread = fminf(recognizer->options.detect_threshold + UNREAD_SURER, 1);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (plates[i].n_characters >= READ_CHARACTERS || plates[i].detection >= unread)
            plates[kept++] = plates[i];
    return kept;
}

static bool is_close_up(const LprFrame *frame, const LprPlate *plates, size_t n)
{
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        if (plates[i].box.w > CLOSE_UP * (float)lpr_frame_width(frame))
            return true;
        longest = NN_MAX(longest, plates[i].n_characters);
    }
    return longest <= STICKER_CHARACTERS;
}

/* Whether the characters fill the picture as those of a plate fill the plate: on
 * US plates they are about 0.4 of its height and over half of its width. */
static bool fills_picture(const LprFrame *frame, const LprPlate *plate)
{
    float height;
    if (plate->n_characters < WHOLE_CHARACTERS)
        return false;
    LprBox serial = serial_box(plate, &height);
    return serial.w >= WHOLE_SPAN * (float)lpr_frame_width(frame) &&
           height >= WHOLE_HEIGHT * (float)lpr_frame_height(frame);
}

/* A picture of nothing but a plate shows the detector no edges around it: what
 * it finds then is often a part. The better reading stands. */
static int read_whole(LprRecognizer *recognizer, const LprFrame *frame, LprPlate *plates, size_t *n,
                      LprTimes *times, NnError *error)
{
    if (!is_close_up(frame, plates, *n))
        return 0;
    LprPlate whole = {.box = {0, 0, (float)lpr_frame_width(frame), (float)lpr_frame_height(frame)}};
    int r = read_plate(recognizer, frame, MARGIN, &whole, times, error);
    if (r < 0 || !fills_picture(frame, &whole))
        return r;
    for (size_t i = 0; i < *n; i++) {
        if (legibility(&plates[i]) >= legibility(&whole))
            return 0;
        whole.detection = fmaxf(whole.detection, plates[i].detection);
    }
    plates[0] = whole;
    *n = 1;
    return 0;
}

/* A picture that stands for itself is read as several frames of a passage are: with the
 * cuts a little tighter and wider, which the reader does not misread alike. */
static int read_again(LprRecognizer *recognizer, const LprFrame *frame, LprPlate *plate,
                      LprTimes *times, NnError *error)
{
    static const float margins[] = {0, 2 * MARGIN};
    LprVote vote = {.same_picture = true};
    if (plate->n_characters == 0)
        return 0;
    lpr_vote_add(&vote, plate);
    for (size_t i = 0; i < NN_ARRAY_SIZE(margins); i++) {
        LprPlate again = {.box = plate->box};
        int r = read_plate(recognizer, frame, margins[i], &again, times, error);
        if (r < 0)
            return r;
        if (again.n_characters > 0)
            lpr_vote_add(&vote, &again);
    }
    LprPlate first = *plate;
    lpr_vote_decide(&vote, REGION_SURE, plate);
    for (size_t i = 0; i < plate->n_characters; i++)
        plate->characters[i].box =
            plate->n_characters == first.n_characters ? first.characters[i].box : (LprBox){0};
    return 0;
}

int lpr_recognizer_run(LprRecognizer *recognizer, const LprFrame *frame,
                       LprPlate ret_plates[LPR_PLATES_MAX], size_t *ret_n, LprTimes *ret_times,
                       NnError *error)
{
    LprTimes times = {0};
    size_t n = 0;
    double start_ms = now_ms();
    int r = find_plates(recognizer, frame, ret_plates, &n, error);
    times.detect_ms = now_ms() - start_ms;
    for (size_t i = 0; i < n && r >= 0; i++) {
        r = read_plate(recognizer, frame, MARGIN, &ret_plates[i], &times, error);
        if (r >= 0)
            r = read_closer(recognizer, frame, &ret_plates[i], &times, error);
    }
    n = keep_plates(recognizer, ret_plates, n);
    if (r >= 0 && recognizer->options.still)
        r = read_whole(recognizer, frame, ret_plates, &n, &times, error);
    for (size_t i = 0; i < n && r >= 0 && recognizer->options.still; i++)
        r = read_again(recognizer, frame, &ret_plates[i], &times, error);
    if (r < 0)
        return r;
    *ret_n = n;
    if (ret_times)
        *ret_times = times;
    return 0;
}

const char *lpr_recognizer_version(const LprRecognizer *recognizer, const char *task)
{
    const LprModel *model = !strcmp(task, "detect")   ? recognizer->detector
                            : !strcmp(task, "read")   ? recognizer->reader
                            : !strcmp(task, "region") ? recognizer->region
                                                      : NULL;
    return model ? model->contract.version : NULL;
}
