/* SPDX-License-Identifier: Apache-2.0 */
#include "recognition.h"

#include <string.h>
#include <unistd.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "base/util.h"

NN_DEFINE_CLEANUP(PlatedRecognition, plated_recognition_free)

static void log_engine(void *userdata, NnLogLevel level, const char *message)
{
    static const PlatedLogLevel levels[] = {PLATED_LOG_ERROR, PLATED_LOG_WARNING, PLATED_LOG_INFO,
                                            PLATED_LOG_DEBUG};

    plated_log(userdata, levels[level], "%s", message);
}

static char *build_tree_models(void)
{
    g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *directory = program ? g_path_get_dirname(program) : NULL;

    return directory ? g_canonicalize_filename("../../models", directory) : NULL;
}

char *plated_recognition_directory(void)
{
    const char *environment = g_getenv("PLATED_MODELS");
    g_autofree char *beside = build_tree_models();
    g_autofree char *detector = beside ? g_build_filename(beside, "detector.onnx", NULL) : NULL;

    if (environment && *environment)
        return g_strdup(environment);
    if (detector && g_file_test(detector, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&beside);
    return g_strdup(PLATED_MODELS_DIR);
}

static char *model_path(const char *directory, const char *name)
{
    if (!*name || g_path_is_absolute(name))
        return *name ? g_strdup(name) : NULL;
    return g_build_filename(directory, name, NULL);
}

static int load(PlatedRecognition *recognition, const PlatedConfig *config, const char *directory,
                bool still, NnError *error)
{
    g_autofree char *detector = model_path(directory, config->models.detector);
    g_autofree char *reader = model_path(directory, config->models.reader);
    g_autofree char *region = model_path(directory, config->models.region);
    LprRecognizerOptions options = {
        .detector = detector,
        .reader = reader,
        .region = region,
        .cache = g_access(config->models.cache, R_OK | W_OK | X_OK) == 0 ? config->models.cache
                                                                         : NULL,
        .detect_threshold = (float)config->recognition.detect_threshold,
        .read_threshold = (float)config->recognition.read_threshold,
        .min_plate_width_px = config->recognition.min_plate_width_px,
        .max_plate_width_px = config->recognition.max_plate_width_px,
        .include = config->zones.include,
        .exclude = config->zones.exclude,
        .max_plates = (size_t)config->recognition.max_plates,
        .still = still,
    };

    return lpr_recognizer_new(recognition->context, &options, &recognition->recognizer, error);
}

int plated_recognition_new(const PlatedConfig *config, const char *directory, bool still,
                           PlatedLog *log, PlatedRecognition **ret_recognition, NnError *error)
{
    _cleanup_(plated_recognition_freep) PlatedRecognition *recognition =
        g_new0(PlatedRecognition, 1);
    g_autofree char *fallback = plated_recognition_directory();
    NnContextOptions options = {
        .threads = config->engine.threads,
        .pin = config->engine.pin,
        .isa = plated_config_isa(config),
        .log = log_engine,
        .log_userdata = log,
    };
    int r;

    r = nn_context_new(&options, &recognition->context, error);
    if (r < 0)
        return r;
    if (!directory)
        directory = *config->models.directory ? config->models.directory : fallback;
    r = load(recognition, config, directory, still, error);
    if (r < 0)
        return r;
    *ret_recognition = NN_TAKE(recognition);
    return 0;
}

PlatedRecognition *plated_recognition_free(PlatedRecognition *recognition)
{
    if (!recognition)
        return NULL;
    lpr_recognizer_free(recognition->recognizer);
    nn_context_free(recognition->context);
    g_free(recognition);
    return NULL;
}
