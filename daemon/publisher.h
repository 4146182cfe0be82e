/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* From a passage to a message in the outbox and to pictures. */

#include "access.h"
#include "config.h"
#include "lpr.h"
#include "outbox.h"
#include "privacy.h"
#include "store.h"

typedef struct PlatedPublisher PlatedPublisher;

/* A picture that is to be published now or never. Called on the thread of
 * plated_publisher_passage(). `topic` is the last level. */
typedef void (*PlatedPictureFunc)(void *userdata, const char *topic, const uint8_t *bytes,
                                  size_t n);

/* The outbox, the store and the log must outlive the publisher; `store` may be NULL. */
PlatedPublisher *plated_publisher_new(const PlatedConfig *config, PlatedOutbox *outbox,
                                      PlatedStore *store, PlatedPictureFunc picture, void *userdata,
                                      PlatedLog *log);
/* NULL is fine. Returns NULL. */
PlatedPublisher *plated_publisher_free(PlatedPublisher *publisher);

/* Any thread. */
void plated_publisher_configure(PlatedPublisher *publisher, const PlatedConfig *config);

/* Any thread. Who decides from now on; the one before is no longer used on return. */
void plated_publisher_set_access(PlatedPublisher *publisher, PlatedAccess *access);

/* Any thread. How plates are told from now on; NULL: as they are. */
void plated_publisher_set_privacy(PlatedPublisher *publisher, const PlatedPrivacy *privacy);

/* Any thread. On disk when it returns. */
void plated_publisher_passage(PlatedPublisher *publisher, const LprPassage *passage,
                              const LprRecognizer *recognizer);

/* PREFIX/CAMERA/LEAF; g_free it. */
char *plated_publisher_topic(const PlatedConfig *config, const char *leaf);
