/* SPDX-License-Identifier: Apache-2.0 */
#include "access.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <gio/gio.h>

#include "base/util.h"
#include "relay.h"
#include "system.h"

/* Passages whose final message may still come. */
#define DECIDED_MAX 256
/* A file that was written so lately is perhaps still being written. */
#define SETTLE_MS 1000

typedef struct Decided {
    char id[LPR_UUID_BYTES];
    PlatedVerdict verdict;
} Decided;

struct PlatedAccess {
    PlatedLog *log;
    PlatedAccessFunc event;
    void *userdata;
    char **paths;
    GPtrArray *monitors;
    guint reread;
    PlatedRelayOptions gpio;
    char *gpio_chip;
    PlatedRelay *relay; /* NULL: none */
    int tolerance;
    float confidence;
    int64_t expiry_us;

    GMutex lock; /* of the rest */
    GQueue events; /* PlatedAccessEvent to be told */
    PlatedList *list;
    size_t n_decided;
    Decided decided[DECIDED_MAX];
};

NN_DEFINE_CLEANUP(PlatedAccess, plated_access_free)
NN_DEFINE_CLEANUP(PlatedList, plated_list_free)

/* ---- the lists ----------------------------------------------------------- */

static void warn(void *userdata, const char *sentence)
{
    plated_log(userdata, PLATED_LOG_WARNING, "%s", sentence);
}

static int read_lists(PlatedAccess *access, NnError *error)
{
    _cleanup_(plated_list_freep) PlatedList *list = NULL;
    PlatedList *old;
    int r;

    r = plated_list_new(&list);
    if (r < 0)
        return nn_error_set(error, r, "out of memory");
    for (char **path = access->paths; *path && r >= 0; path++)
        r = plated_list_read(list, *path, warn, access->log, error);
    if (r < 0)
        return r;
    plated_log(access->log, PLATED_LOG_INFO, "%zu plates are listed", plated_list_count(list));
    g_mutex_lock(&access->lock);
    old = access->list;
    access->list = NN_TAKE(list);
    g_mutex_unlock(&access->lock);
    plated_list_free(old);
    return 0;
}

static bool is_fresh(const char *path)
{
    struct stat st;
    int64_t age_us;

    if (stat(path, &st) < 0)
        return false;
    age_us = plated_system_realtime_us() - (int64_t)st.st_mtim.tv_sec * 1000000 -
             st.st_mtim.tv_nsec / 1000;
    return age_us >= 0 && age_us < SETTLE_MS * 1000;
}

static gboolean read_again(gpointer userdata)
{
    PlatedAccess *access = userdata;
    NnError error = {0};
    int r = 0;

    for (char **path = access->paths; *path && r == 0; path++)
        r = is_fresh(*path) ? -EAGAIN : 0;
    if (r == 0)
        r = read_lists(access, &error);
    if (r == -EAGAIN)
        return G_SOURCE_CONTINUE;
    access->reread = 0;
    if (r < 0)
        plated_log(access->log, PLATED_LOG_ERROR, "%s; the lists read before stay", error.message);
    return G_SOURCE_REMOVE;
}

static void on_changed(GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event,
                       gpointer userdata)
{
    PlatedAccess *access = userdata;

    if (event == G_FILE_MONITOR_EVENT_ATTRIBUTE_CHANGED)
        return;
    if (access->reread)
        g_source_remove(access->reread);
    access->reread = g_timeout_add(SETTLE_MS, read_again, access);
}

static void watch(PlatedAccess *access)
{
    for (char **path = access->paths; *path; path++) {
        g_autoptr(GFile) file = g_file_new_for_path(*path);
        g_autoptr(GError) failure = NULL;
        GFileMonitor *monitor =
            g_file_monitor_file(file, G_FILE_MONITOR_WATCH_MOVES, NULL, &failure);

        if (!monitor) {
            plated_log(access->log, PLATED_LOG_WARNING,
                       "changes of %s are seen after a reload only: %s", *path, failure->message);
            continue;
        }
        g_signal_connect(monitor, "changed", G_CALLBACK(on_changed), access);
        g_ptr_array_add(access->monitors, monitor);
    }
}

/* ---- life ---------------------------------------------------------------- */

static void take_gpio(PlatedAccess *access, const PlatedConfig *config)
{
    access->gpio_chip = g_strdup(config->access.gpio_chip);
    access->gpio = (PlatedRelayOptions){
        .chip = access->gpio_chip,
        .line = *config->access.lists ? config->access.gpio_line : -1,
        .active_low = config->access.active_low,
        .pulse_us = config->access.pulse_us,
        .cooldown_us = config->access.cooldown_us,
    };
}

int plated_access_new(const PlatedConfig *config, PlatedLog *log, PlatedAccessFunc event,
                      void *userdata, PlatedAccess **ret_access, NnError *error)
{
    _cleanup_(plated_access_freep) PlatedAccess *access = g_new0(PlatedAccess, 1);
    int r = 0;

    g_mutex_init(&access->lock);
    access->log = log;
    access->event = event;
    access->userdata = userdata;
    access->paths = g_strsplit_set(config->access.lists, " \t", -1);
    access->monitors = g_ptr_array_new_with_free_func(g_object_unref);
    access->tolerance = config->access.tolerance;
    access->confidence = (float)config->access.confidence;
    access->expiry_us = config->access.expiry_us;
    take_gpio(access, config);
    if (*config->access.lists) {
        r = read_lists(access, error);
        if (r < 0)
            return r;
        watch(access);
    }
    *ret_access = NN_TAKE(access);
    return 0;
}

/* ---- decisions ----------------------------------------------------------- */

static void pulse(PlatedAccess *access)
{
    int r = plated_relay_pulse(access->relay, plated_system_monotonic_us());

    if (r == -EBUSY)
        plated_log(access->log, PLATED_LOG_INFO, "the relay rests; no pulse");
    else if (r < 0)
        plated_log(access->log, PLATED_LOG_ERROR, "no pulse: %s", strerror(-r));
}

static void tell(PlatedAccess *access, const PlatedAccessEvent *event)
{
    if (plated_system_monotonic_us() - event->decided_us > access->expiry_us) {
        plated_log(access->log, PLATED_LOG_WARNING,
                   "passage %s: the decision is too old, and dropped", event->id);
        return;
    }
    plated_log(access->log, PLATED_LOG_INFO, "passage %s: %s, %s", event->id,
               plated_decision_name(event->verdict.decision), event->verdict.reason);
    if (access->relay && event->verdict.decision == PLATED_DECISION_GRANTED)
        pulse(access);
    access->event(access->userdata, event);
}

static gboolean tell_all(gpointer userdata)
{
    PlatedAccess *access = userdata;

    for (;;) {
        g_autofree PlatedAccessEvent *event = NULL;

        g_mutex_lock(&access->lock);
        event = g_queue_pop_head(&access->events);
        g_mutex_unlock(&access->lock);
        if (!event)
            return G_SOURCE_REMOVE;
        tell(access, event);
    }
}

static void tell_soon(PlatedAccess *access, const LprPassage *passage,
                      const PlatedVerdict *verdict)
{
    PlatedAccessEvent *event = g_new0(PlatedAccessEvent, 1);

    event->confidence = passage->plate.confidence;
    event->verdict = *verdict;
    event->decided_us = plated_system_monotonic_us();
    event->realtime_us = plated_system_realtime_us();
    event->expires_realtime_us = event->realtime_us + access->expiry_us;
    memcpy(event->id, passage->id, sizeof(event->id));
    memcpy(event->plate, passage->plate.plate, sizeof(event->plate));
    g_queue_push_tail(&access->events, event);
    g_idle_add_full(G_PRIORITY_HIGH, tell_all, access, NULL);
}

static const PlatedVerdict *find_decided(const PlatedAccess *access, const char *id)
{
    for (size_t i = 0; i < NN_MIN(access->n_decided, (size_t)DECIDED_MAX); i++)
        if (strcmp(access->decided[i].id, id) == 0)
            return &access->decided[i].verdict;
    return NULL;
}

static void decide(PlatedAccess *access, const LprPassage *passage, PlatedVerdict *verdict)
{
    Decided *decided = &access->decided[access->n_decided++ % DECIDED_MAX];
    time_t now = (time_t)(plated_system_realtime_us() / 1000000);
    struct tm local;

    localtime_r(&now, &local);
    plated_list_decide(access->list, &passage->plate, access->tolerance, &local, verdict);
    memcpy(decided->id, passage->id, sizeof(decided->id));
    decided->verdict = *verdict;
    tell_soon(access, passage, verdict);
}

bool plated_access_decide(PlatedAccess *access, const LprPassage *passage,
                          PlatedVerdict *ret_verdict)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&access->lock);
    const PlatedVerdict *known;

    if (!access->list)
        return false;
    known = find_decided(access, passage->id);
    if (known) {
        *ret_verdict = *known;
        return true;
    }
    if (!passage->final && passage->plate.confidence < access->confidence)
        return false;
    decide(access, passage, ret_verdict);
    return true;
}

/* ---- beginning and end --------------------------------------------------- */

static bool same_line(const PlatedRelayOptions *a, const PlatedRelayOptions *b)
{
    return strcmp(a->chip, b->chip) == 0 && a->line == b->line && a->active_low == b->active_low &&
           a->pulse_us == b->pulse_us && a->cooldown_us == b->cooldown_us;
}

int plated_access_begin(PlatedAccess *access, PlatedAccess *before, NnError *error)
{
    if (before) {
        g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&before->lock);

        access->n_decided = before->n_decided;
        memcpy(access->decided, before->decided, sizeof(access->decided));
        if (same_line(&access->gpio, &before->gpio))
            access->relay = NN_TAKE(before->relay);
        before->relay = plated_relay_free(before->relay);
    }
    return access->gpio.line < 0 || access->relay
               ? 0
               : plated_relay_new(&access->gpio, &access->relay, error);
}

PlatedAccess *plated_access_free(PlatedAccess *access)
{
    if (!access)
        return NULL;
    if (access->reread)
        g_source_remove(access->reread);
    /* A message of a monitor may be on its way still. */
    for (guint i = 0; i < access->monitors->len; i++)
        g_signal_handlers_disconnect_by_data(access->monitors->pdata[i], access);
    g_ptr_array_unref(access->monitors);
    while (g_idle_remove_by_data(access))
        ;
    tell_all(access);
    plated_relay_free(access->relay);
    plated_list_free(access->list);
    g_strfreev(access->paths);
    g_free(access->gpio_chip);
    g_mutex_clear(&access->lock);
    g_free(access);
    return NULL;
}
