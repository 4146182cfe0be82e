/* SPDX-License-Identifier: Apache-2.0 */
#include "list.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "list_time.h"

#define FIELDS_MAX           6
#define LINE_BYTES_MAX       1024
#define PLATE_CHARACTERS_MIN 2

typedef struct Entry {
    char plate[LPR_CHARACTERS_MAX + 1]; /* capitals and digits, as written */
    char key[LPR_CHARACTERS_MAX + 1];   /* the same with O as 0 */
    char name[PLATED_LIST_NAME_BYTES];
    PlatedSpan span;
    bool blocked;
} Entry;

struct PlatedList {
    Entry *entries;
    size_t n, capacity;
};

int plated_list_new(PlatedList **ret_list)
{
    PlatedList *list = calloc(1, sizeof(*list));

    if (!list)
        return -ENOMEM;
    *ret_list = list;
    return 0;
}

PlatedList *plated_list_free(PlatedList *list)
{
    if (list)
        free(list->entries);
    free(list);
    return NULL;
}

size_t plated_list_count(const PlatedList *list)
{
    return list->n;
}

const char *plated_decision_name(PlatedDecision decision)
{
    static const char *const names[] = {"unknown", "granted", "denied"};

    return names[decision];
}

/* ---- one line ------------------------------------------------------------ */

/* Capital letters and digits of a text; false when there are too few or too many. */
static bool normalise(const char *text, char ret_plate[LPR_CHARACTERS_MAX + 1])
{
    size_t n = 0;

    for (; *text; text++) {
        if (!isascii((unsigned char)*text))
            return false;
        if (!isalnum((unsigned char)*text))
            continue;
        if (n == LPR_CHARACTERS_MAX)
            return false;
        ret_plate[n++] = (char)toupper((unsigned char)*text);
    }
    ret_plate[n] = '\0';
    return n >= PLATE_CHARACTERS_MIN;
}

static void make_key(const char *plate, char *ret_key)
{
    size_t i = 0;

    for (; plate[i] && i < LPR_CHARACTERS_MAX; i++)
        ret_key[i] = plate[i] == 'O' ? '0' : plate[i];
    ret_key[i] = '\0';
}

/* Takes a field in place, without its quotes or the spaces around it, and moves on
 * behind its comma. False for quotes that do not end it. */
static bool take_field(char **line, char **ret_field, bool *ret_last)
{
    char *in = *line + strspn(*line, " \t");
    char *out = in;

    *ret_field = in;
    if (*in == '"') {
        for (in++; *in && (in[0] != '"' || in[1] == '"'); in++) {
            in += *in == '"';
            *out++ = *in;
        }
        if (!*in)
            return false;
        in++;
        in += strspn(in, " \t");
    } else {
        while (*in && *in != ',')
            *out++ = *in++;
        while (out > *ret_field && isspace((unsigned char)out[-1]))
            out--;
    }
    if (*in && *in != ',')
        return false;
    *ret_last = !*in;
    *line = in + !*ret_last;
    *out = '\0';
    return true;
}

/* The fields that a line has, the others empty. False: see above, or too many. */
static bool split(char *line, const char *ret_fields[FIELDS_MAX])
{
    bool last = false;
    char *field;

    for (int i = 0; i < FIELDS_MAX; i++) {
        if (last) {
            ret_fields[i] = "";
            continue;
        }
        if (!take_field(&line, &field, &last))
            return false;
        ret_fields[i] = field;
    }
    return last;
}

static int parse_access(const char *text, bool *ret_blocked)
{
    *ret_blocked = strcasecmp(text, "deny") == 0;
    return *ret_blocked || !*text || strcasecmp(text, "allow") == 0 ? 0 : -EINVAL;
}

/* NULL, or what is wrong with the line. */
static const char *parse_entry(char *line, Entry *ret_entry)
{
    const char *fields[FIELDS_MAX];

    if (!split(line, fields))
        return "quotes that do not end, or more than six fields";
    *ret_entry = (Entry){0};
    if (!normalise(fields[0], ret_entry->plate))
        return "a plate is 2 to 16 letters and digits";
    make_key(ret_entry->plate, ret_entry->key);
    if (strlen(fields[1]) >= sizeof(ret_entry->name))
        return "the name is too long";
    memcpy(ret_entry->name, fields[1], strlen(fields[1]) + 1);
    if (plated_span_dates(&ret_entry->span, fields[2], fields[3]) < 0)
        return "dates are like 2026-01-31 or 2026-01-31T18:00, the first not after the last";
    if (plated_span_hours(&ret_entry->span, fields[4]) < 0)
        return "hours are like 'Mo-Fr 07:00-18:00; Sa 08:00-12:00'";
    if (parse_access(fields[5], &ret_entry->blocked) < 0)
        return "access is allow or deny";
    return NULL;
}

static int add(PlatedList *list, const Entry *entry)
{
    if (list->n == list->capacity) {
        size_t capacity = NN_MAX(2 * list->capacity, 64);
        Entry *more = reallocarray(list->entries, capacity, sizeof(more[0]));

        if (!more)
            return -ENOMEM;
        list->entries = more;
        list->capacity = capacity;
    }
    list->entries[list->n++] = *entry;
    return 0;
}

/* ---- a file -------------------------------------------------------------- */

static bool says_nothing(const char *line, unsigned number)
{
    line += strspn(line, " \t");
    return !*line || *line == '#' || (number == 1 && strncasecmp(line, "plate", 5) == 0);
}

static void complain(PlatedListWarnFunc warn, void *userdata, const char *name, unsigned number,
                     const char *what)
{
    NnError error;

    nn_error_set(&error, -EINVAL, "%s:%u: %s; the line is left out", name, number, what);
    warn(userdata, error.message);
}

static int parse_line(PlatedList *list, const char *name, unsigned number, const char *text,
                      size_t n, PlatedListWarnFunc warn, void *userdata)
{
    char line[LINE_BYTES_MAX];
    const char *wrong = "longer than 1023 bytes, or with a zero byte";
    Entry entry;

    if (n > 0 && text[n - 1] == '\r')
        n--;
    if (n < sizeof(line) && !memchr(text, '\0', n)) {
        memcpy(line, text, n);
        line[n] = '\0';
        if (says_nothing(line, number))
            return 0;
        wrong = parse_entry(line, &entry);
    }
    if (!wrong)
        return add(list, &entry);
    complain(warn, userdata, name, number, wrong);
    return 0;
}

int plated_list_parse(PlatedList *list, const char *name, const char *text, size_t n,
                      PlatedListWarnFunc warn, void *userdata, NnError *error)
{
    static const char mark[] = "\xef\xbb\xbf"; /* what spreadsheets put before UTF-8 */
    const char *end = text + n;
    int r;

    if (n >= 3 && memcmp(text, mark, 3) == 0)
        text += 3;
    for (unsigned number = 1; text < end; number++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop ? stop : end) - text);

        if (list->n == PLATED_LIST_ENTRIES_MAX)
            return nn_error_set(error, -E2BIG, "%s:%u: more than %d plates are listed", name,
                                number, PLATED_LIST_ENTRIES_MAX);
        r = parse_line(list, name, number, text, length, warn, userdata);
        if (r < 0)
            return nn_error_set(error, r, "%s: out of memory", name);
        text += length + (stop != NULL);
    }
    return 0;
}

static void closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* All of a file, which may shrink or grow meanwhile. */
static int read_all(int fd, char *bytes, size_t capacity, size_t *ret_n)
{
    size_t n = 0;

    while (n < capacity) {
        ssize_t got = read(fd, bytes + n, capacity - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *ret_n = n;
    return 0;
}

/* Half of a list that somebody is writing must not decide about anybody. */
static bool is_still(int fd, const struct stat *before, size_t n)
{
    struct stat after;

    return fstat(fd, &after) == 0 && (size_t)after.st_size == n &&
           after.st_mtim.tv_sec == before->st_mtim.tv_sec &&
           after.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

int plated_list_read(PlatedList *list, const char *path, PlatedListWarnFunc warn, void *userdata,
                     NnError *error)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    _cleanup_free_ char *bytes = NULL;
    struct stat st;
    size_t n = 0;
    int r;

    if (fd < 0 || fstat(fd, &st) < 0)
        return nn_error_set(error, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return nn_error_set(error, -EBADMSG, "%s: not a file", path);
    if ((size_t)st.st_size > PLATED_LIST_BYTES_MAX)
        return nn_error_set(error, -E2BIG, "%s: larger than %zu MiB", path,
                            PLATED_LIST_BYTES_MAX >> 20);
    bytes = malloc((size_t)st.st_size + 1);
    if (!bytes)
        return nn_error_set(error, -ENOMEM, "%s: out of memory", path);
    r = read_all(fd, bytes, (size_t)st.st_size, &n);
    if (r < 0)
        return nn_error_set(error, r, "%s: %s", path, strerror(-r));
    if (!is_still(fd, &st, n))
        return nn_error_set(error, -EAGAIN, "%s: changed while it was read", path);
    return plated_list_parse(list, path, bytes, n, warn, userdata, error);
}

/* ---- looking up ---------------------------------------------------------- */

typedef char Key[LPR_CHARACTERS_MAX + 1];

static int entry_distance(const Entry *entry, const char *key, Key *candidates, size_t n_candidates)
{
    int distance = lpr_plate_distance(entry->key, key);

    for (size_t i = 0; distance > 1 && i < n_candidates; i++)
        if (strcmp(entry->key, candidates[i]) == 0)
            distance = 1;
    return distance;
}

/* Which of two entries that are as near speaks: blocked, then valid, then the first. */
static int rank(const Entry *entry, const struct tm *now)
{
    return entry->blocked ? 2 : plated_span_at(&entry->span, now) == PLATED_SPAN_INSIDE;
}

static void pronounce(const Entry *entry, int distance, const struct tm *now,
                      PlatedVerdict *verdict)
{
    static const char *const reasons[] = {
        [PLATED_SPAN_INSIDE] = "listed",
        [PLATED_SPAN_EARLY] = "not yet valid",
        [PLATED_SPAN_LATE] = "expired",
        [PLATED_SPAN_HOURS] = "outside its hours",
    };
    PlatedSpanState state = plated_span_at(&entry->span, now);

    verdict->decision = !entry->blocked && state == PLATED_SPAN_INSIDE ? PLATED_DECISION_GRANTED
                                                                       : PLATED_DECISION_DENIED;
    verdict->reason = entry->blocked ? "blocked" : reasons[state];
    verdict->distance = distance;
    memcpy(verdict->plate, entry->plate, sizeof(verdict->plate));
    memcpy(verdict->name, entry->name, sizeof(verdict->name));
}

void plated_list_decide(const PlatedList *list, const LprPlate *plate, int tolerance,
                        const struct tm *now, PlatedVerdict *ret_verdict)
{
    Key key, candidates[LPR_CANDIDATES_MAX];
    const Entry *best = NULL;
    int nearest = tolerance;

    make_key(plate->plate, key);
    for (size_t i = 0; i < plate->n_candidates; i++)
        make_key(plate->candidates[i].plate, candidates[i]);
    for (size_t i = 0; i < list->n; i++) {
        const Entry *entry = &list->entries[i];
        int distance = entry_distance(entry, key, candidates, plate->n_candidates);

        if (distance > nearest)
            continue;
        if (!best || distance < nearest || rank(entry, now) > rank(best, now))
            best = entry;
        nearest = distance;
    }
    *ret_verdict = (PlatedVerdict){.reason = "not listed"};
    if (best)
        pronounce(best, nearest, now, ret_verdict);
}
