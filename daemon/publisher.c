/* SPDX-License-Identifier: Apache-2.0 */
#include "publisher.h"

#include <stdlib.h>

#include <glib.h>

#include "base/util.h"
#include "payload.h"
#include "snapshot.h"
#include "system.h"

struct PlatedPublisher {
    GMutex lock;
    char *camera, *topic, *directory;
    int quality, keep;
    int64_t quota_bytes, max_age_us;
    bool crop, publish, publish_crop;
    PlatedOutbox *outbox;
    PlatedStore *store;
    const PlatedPrivacy *privacy;
    PlatedAccess *access; /* NULL: none yet */
    PlatedPictureFunc picture;
    void *userdata;
    PlatedLog *log;
    bool picture_failed; /* the log knows */
};

char *plated_publisher_topic(const PlatedConfig *config, const char *leaf)
{
    return g_strdup_printf("%s/%s/%s", config->mqtt.prefix, config->camera.name, leaf);
}

static void clear(PlatedPublisher *publisher)
{
    g_free(publisher->camera);
    g_free(publisher->topic);
    g_free(publisher->directory);
}

void plated_publisher_configure(PlatedPublisher *publisher, const PlatedConfig *config)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&publisher->lock);

    clear(publisher);
    publisher->camera = g_strdup(config->camera.name);
    publisher->topic = plated_publisher_topic(config, "passage");
    publisher->directory = g_strdup(config->snapshot.directory);
    publisher->quality = config->snapshot.quality;
    publisher->keep = config->snapshot.keep;
    publisher->quota_bytes = (int64_t)config->snapshot.quota_mib << 20;
    publisher->max_age_us = config->snapshot.max_age_us;
    publisher->crop = config->snapshot.crop;
    publisher->publish = config->snapshot.publish;
    publisher->publish_crop = config->snapshot.publish_crop;
}

PlatedPublisher *plated_publisher_new(const PlatedConfig *config, PlatedOutbox *outbox,
                                      PlatedStore *store, PlatedPictureFunc picture, void *userdata,
                                      PlatedLog *log)
{
    PlatedPublisher *publisher = g_new0(PlatedPublisher, 1);

    g_mutex_init(&publisher->lock);
    publisher->outbox = outbox;
    publisher->store = store;
    publisher->picture = picture;
    publisher->userdata = userdata;
    publisher->log = log;
    plated_publisher_configure(publisher, config);
    return publisher;
}

PlatedPublisher *plated_publisher_free(PlatedPublisher *publisher)
{
    if (!publisher)
        return NULL;
    clear(publisher);
    g_mutex_clear(&publisher->lock);
    g_free(publisher);
    return NULL;
}

void plated_publisher_set_access(PlatedPublisher *publisher, PlatedAccess *access)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&publisher->lock);

    publisher->access = access;
}

void plated_publisher_set_privacy(PlatedPublisher *publisher, const PlatedPrivacy *privacy)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&publisher->lock);

    publisher->privacy = privacy;
}

/* ---- pictures ------------------------------------------------------------ */

typedef struct Picture {
    const char *leaf;   /* topic; NULL: not published */
    const char *suffix; /* of the file; NULL: not kept */
    const LprBox *box;  /* NULL: the whole frame */
} Picture;

static int make_picture(PlatedPublisher *publisher, const LprPassage *passage,
                        const Picture *picture, char **ret_path, NnError *error)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t n;
    int r;

    r = lpr_picture_encode(passage->frame, picture->box, publisher->quality, &bytes, &n, error);
    if (r < 0)
        return r;
    if (picture->suffix) {
        g_autofree char *name = g_strconcat(passage->id, picture->suffix, NULL);

        r = plated_snapshot_write(publisher->directory, name, bytes, n, error);
        if (r == 0)
            *ret_path = g_build_filename(publisher->directory, name, NULL);
    }
    if (picture->leaf)
        publisher->picture(publisher->userdata, picture->leaf, bytes, n);
    return r;
}

/* A clock that nobody has set says nothing about ages. */
static void trim_pictures(const PlatedPublisher *publisher, PlatedMoment now)
{
    const PlatedSnapshotLimits limits = {
        .keep = (size_t)publisher->keep,
        .quota_bytes = publisher->quota_bytes,
        .oldest_us = now.synchronised ? now.realtime_us - publisher->max_age_us : 0,
    };

    plated_snapshot_trim(publisher->directory, &limits);
}

/* Returns the path of the kept frame, or NULL. */
static char *make_pictures(PlatedPublisher *publisher, const LprPassage *passage, PlatedMoment now)
{
    bool keep = *publisher->directory;
    const Picture frame = {publisher->publish ? "snapshot" : NULL, keep ? ".jpg" : NULL, NULL};
    const Picture crop = {publisher->publish_crop ? "crop" : NULL,
                          keep && publisher->crop ? "-crop.jpg" : NULL, &passage->plate.box};
    g_autofree char *crop_path = NULL;
    char *path = NULL;
    NnError error = {0};
    int r = 0;

    if (!passage->frame)
        return NULL;
    if (frame.leaf || frame.suffix)
        r = make_picture(publisher, passage, &frame, &path, &error);
    if (r == 0 && (crop.leaf || crop.suffix))
        r = make_picture(publisher, passage, &crop, &crop_path, &error);
    if (r < 0 && !publisher->picture_failed)
        plated_log(publisher->log, PLATED_LOG_WARNING, "no pictures: %s", error.message);
    publisher->picture_failed = r < 0;
    if (keep && passage->final)
        trim_pictures(publisher, now);
    return path;
}

/* ---- passages ------------------------------------------------------------ */

void plated_publisher_passage(PlatedPublisher *publisher, const LprPassage *passage,
                              const LprRecognizer *recognizer)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&publisher->lock);
    /* The gate does not wait for pictures. */
    PlatedVerdict verdict;
    bool decided = publisher->access && plated_access_decide(publisher->access, passage, &verdict);
    PlatedMoment now = {plated_system_realtime_us(),
                        plated_system_clock_synchronised(plated_system_root())};
    g_autofree char *snapshot = make_pictures(publisher, passage, now);
    PlatedPassageContext context = {
        .camera = publisher->camera,
        .frame_width_px = passage->frame ? lpr_frame_width(passage->frame) : 0,
        .frame_height_px = passage->frame ? lpr_frame_height(passage->frame) : 0,
        .snapshot = snapshot,
        .clock_synchronised = now.synchronised,
        .access = decided ? &verdict : NULL,
        .privacy = publisher->privacy,
        .detector = lpr_recognizer_version(recognizer, "detect"),
        .reader = lpr_recognizer_version(recognizer, "read"),
        .region = lpr_recognizer_version(recognizer, "region"),
    };
    g_autofree char *payload = plated_payload_passage(passage, &context);
    PlatedOutboxMessage message = {
        .kind = passage->final ? PLATED_OUTBOX_FINAL : PLATED_OUTBOX_PROVISIONAL,
        .id = passage->id,
        .topic = publisher->topic,
        .payload = payload,
    };

    plated_outbox_push(publisher->outbox, &message, now);
    if (passage->final)
        plated_store_add(publisher->store, payload);
    plated_log(publisher->log, PLATED_LOG_DEBUG, "passage %s", payload);
}
