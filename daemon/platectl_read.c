/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include <glib.h>

#include "base/util.h"
#include "payload.h"
#include "platectl.h"
#include "recognition.h"

#define DEPTH_MAX 64

typedef struct Reader {
    PlatedRecognition *recognition;
    PlatedLog *log;
    bool json;
    unsigned failures;
} Reader;

static void frame_unrefp(LprFrame **frame)
{
    lpr_frame_unref(*frame);
}

static void print_plates(const char *path, const LprPlate *plates, size_t n)
{
    if (n == 0)
        printf("%s: no plate\n", path);
    for (size_t i = 0; i < n; i++) {
        const LprPlate *p = &plates[i];

        printf("%s: %s %.2f", path, p->plate[0] ? p->plate : "(not legible)", p->confidence);
        if (p->region.code[0])
            printf(" %s %s %.2f", p->region.code, p->region.name, p->region.confidence);
        printf(" at %.0f,%.0f %.0fx%.0f\n", p->box.x, p->box.y, p->box.w, p->box.h);
    }
}

static int read_picture(Reader *reader, const char *path, NnError *error)
{
    _cleanup_(frame_unrefp) LprFrame *frame = NULL;
    LprPlate plates[LPR_PLATES_MAX];
    LprTimes times = {0};
    size_t n = 0;
    int r;

    r = lpr_picture_load(path, &frame, error);
    if (r < 0)
        return r;
    r = lpr_recognizer_run(reader->recognition->recognizer, frame, plates, &n, &times, error);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", path);
    if (reader->json) {
        g_autofree char *line = plated_payload_picture(path, lpr_frame_width(frame),
                                                       lpr_frame_height(frame), plates, n, &times);

        puts(line);
    } else {
        print_plates(path, plates, n);
    }
    fflush(stdout);
    return 0;
}

static void complain(Reader *reader, const char *sentence)
{
    plated_log(reader->log, PLATED_LOG_ERROR, "%s", sentence);
    reader->failures++;
}

static void read_file(Reader *reader, const char *path)
{
    NnError error = {0};

    if (read_picture(reader, path, &error) < 0)
        complain(reader, error.message);
}

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *list_directory(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    GPtrArray *names;
    const char *name;

    if (!dir)
        return NULL;
    names = g_ptr_array_new_with_free_func(g_free);
    while ((name = g_dir_read_name(dir)))
        if (name[0] != '.')
            g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, by_name);
    return names;
}

/* Links to directories are not followed: they may lead round in a circle. */
static void read_directory(Reader *reader, const char *path, int depth)
{
    g_autoptr(GPtrArray) names = list_directory(path);

    if (!names || depth > DEPTH_MAX) {
        g_autofree char *sentence = g_strdup_printf("%s: the directory cannot be read", path);

        complain(reader, sentence);
        return;
    }
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *child = g_build_filename(path, names->pdata[i], NULL);
        struct stat link, target;

        if (lstat(child, &link) < 0)
            continue;
        if (S_ISDIR(link.st_mode))
            read_directory(reader, child, depth + 1);
        else if (stat(child, &target) < 0 || S_ISREG(target.st_mode))
            read_file(reader, child);
    }
}

static void read_argument(Reader *reader, const char *path)
{
    g_autofree char *sentence = NULL;
    struct stat st;

    if (stat(path, &st) < 0)
        sentence = g_strdup_printf("%s: %s", path, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        read_directory(reader, path, 0);
    else if (S_ISREG(st.st_mode))
        read_file(reader, path);
    else
        sentence = g_strdup_printf("%s: neither a picture nor a directory", path);
    if (sentence)
        complain(reader, sentence);
}

static int read_all(Reader *reader, const char *config_path, const char *models, char **paths)
{
    PlatedConfig *config = NULL;
    NnError error = {0};
    int r;

    if (platectl_load_config(config_path, reader->log, &config) < 0)
        return EX_CONFIG;
    r = plated_recognition_new(config, models, true, reader->log, &reader->recognition, &error);
    plated_config_free(config);
    if (r < 0) {
        plated_log(reader->log, PLATED_LOG_ERROR, "%s", error.message);
        return EXIT_FAILURE;
    }
    for (; *paths; paths++)
        read_argument(reader, *paths);
    plated_recognition_free(reader->recognition);
    return reader->failures > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int platectl_read(int argc, char **argv, PlatedLog *log)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"config", required_argument, NULL, 'c'},
        {"models", required_argument, NULL, 'm'},
        {0},
    };
    const char *config_path = NULL, *models = NULL;
    Reader reader = {.log = log};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        switch (option) {
        case 'j':
            reader.json = true;
            break;
        case 'c':
            config_path = optarg;
            break;
        case 'm':
            models = optarg;
            break;
        default:
            return EX_USAGE;
        }
    }
    if (optind >= argc) {
        fputs("platectl: read needs a picture or a directory\n", stderr);
        return EX_USAGE;
    }
    return read_all(&reader, config_path, models, argv + optind);
}
