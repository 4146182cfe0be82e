/* SPDX-License-Identifier: Apache-2.0 */

/* platectl doctor: what is wrong with this gate, and what to do about it. */

#include "platectl_doctor.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/util.h"
#include "check.h"
#include "json.h"
#include "list.h"
#include "recognition.h"
#include "system.h"

#define FRAMES_A_SECOND 3.0
#define LOOKS           5

static const char *const grade_names[] = {"ok", "advice", "wrong"};

void platectl_doctor_say(Doctor *doctor, DoctorGrade grade, const char *what, const char *format,
                         ...)
{
    va_list args;
    g_autofree char *sentence = NULL;

    va_start(args, format);
    sentence = g_strdup_vprintf(format, args);
    va_end(args);
    doctor->count[grade]++;
    if (!doctor->json) {
        printf("%-6s  %-8s  %s\n", grade_names[grade], what, sentence);
        fflush(stdout);
        return;
    }
    json_builder_begin_object(doctor->found);
    plated_json_string(doctor->found, "grade", grade_names[grade]);
    plated_json_string(doctor->found, "what", what);
    plated_json_string(doctor->found, "sentence", sentence);
    json_builder_end_object(doctor->found);
}

/* ---- the service --------------------------------------------------------- */

static void check_service(Doctor *doctor)
{
    NnError error = {0};
    JsonObject *answer;
    int r = platectl_ask(doctor->config, "status", &doctor->status, NULL, &error);

    if (r == -EACCES) {
        platectl_doctor_say(doctor, DOCTOR_WRONG, "service",
                            "%s: run this as root, or join the group and log in again",
                            error.message);
        return;
    }
    if (r < 0) {
        platectl_doctor_say(doctor, DOCTOR_ADVICE, "service",
                            "%s; start it with: systemctl start plated", error.message);
        return;
    }
    answer = json_node_get_object(doctor->status);
    doctor->state = json_object_has_member(answer, "state")
                        ? json_object_get_object_member(answer, "state")
                        : NULL;
    platectl_doctor_say(doctor, DOCTOR_OK, "service", "runs as process %" G_GINT64_FORMAT,
                        json_object_get_int_member_with_default(answer, "pid", 0));
}

/* ---- models -------------------------------------------------------------- */

/* Loads them as the service does, and looks at a picture without anything. */
static void check_models(Doctor *doctor)
{
    PlatedRecognition *recognition = NULL;
    LprPlate plates[LPR_PLATES_MAX];
    LprFrame *frame = NULL;
    LprTimes times = {0};
    NnError error = {0};
    double best_ms = INFINITY;
    size_t n;
    int r;

    r = plated_recognition_new(doctor->config, NULL, false, doctor->log, &recognition, &error);
    if (r == 0)
        r = platectl_doctor_grey_frame(&frame);
    for (int i = 0; i < LOOKS && r == 0; i++) {
        r = lpr_recognizer_run(recognition->recognizer, frame, plates, &n, &times, &error);
        best_ms = fmin(best_ms, times.detect_ms);
    }
    if (r < 0)
        platectl_doctor_say(doctor, DOCTOR_WRONG, "models",
                            "%s: install them again, or correct [models]",
                            error.message[0] ? error.message : strerror(-r));
    else if (best_ms > 1000 / FRAMES_A_SECOND)
        platectl_doctor_say(doctor, DOCTOR_ADVICE, "models",
                            "a frame takes %.0f ms, a vehicle that does not stop may be missed: "
                            "stop what else runs here, or give [engine] threads more",
                            best_ms);
    else
        platectl_doctor_say(doctor, DOCTOR_OK, "models", "a frame takes %.0f ms", best_ms);
    lpr_frame_unref(frame);
    plated_recognition_free(recognition);
}

/* ---- lists --------------------------------------------------------------- */

typedef struct Lines {
    unsigned wrong;
    char first[512];
} Lines;

static void note_line(void *userdata, const char *sentence)
{
    Lines *lines = userdata;

    if (lines->wrong++ == 0)
        g_strlcpy(lines->first, sentence, sizeof(lines->first));
}

static void check_lists(Doctor *doctor)
{
    g_auto(GStrv) paths = g_strsplit(doctor->config->access.lists, " ", -1);
    PlatedList *list = NULL;
    Lines lines = {0};
    NnError error = {0};
    int r = 0;

    if (!*doctor->config->access.lists)
        return;
    if (plated_list_new(&list) < 0)
        return;
    for (char **path = paths; *path && r == 0; path++)
        if (**path)
            r = plated_list_read(list, *path, note_line, &lines, &error);
    if (r < 0)
        platectl_doctor_say(doctor, DOCTOR_WRONG, "lists", "%s: correct [access] lists",
                            error.message);
    else if (lines.wrong > 0)
        platectl_doctor_say(doctor, DOCTOR_WRONG, "lists", "%u lines are skipped, the first: %s",
                            lines.wrong, lines.first);
    else
        platectl_doctor_say(doctor, DOCTOR_OK, "lists", "%zu plates", plated_list_count(list));
    plated_list_free(list);
}

/* ---- all of it ----------------------------------------------------------- */

static bool check_config(Doctor *doctor)
{
    NnError error = {0};

    if (plated_check_config(doctor->config, &error) == 0) {
        platectl_doctor_say(doctor, DOCTOR_OK, "config", "%s",
                            doctor->config->file ? doctor->config->file
                                                 : "no file, the defaults count");
        return true;
    }
    platectl_doctor_say(doctor, DOCTOR_WRONG, "config", "%s", error.message);
    return false;
}

static int run(Doctor *doctor)
{
    if (check_config(doctor)) {
        check_service(doctor);
        check_models(doctor);
        platectl_doctor_camera(doctor);
        platectl_doctor_broker(doctor);
        check_lists(doctor);
    }
    platectl_doctor_machine(doctor);
    if (doctor->json) {
        g_autofree char *text = NULL;

        json_builder_end_array(doctor->found);
        text = plated_json_build(doctor->found);
        puts(text);
    } else {
        printf("%u wrong, %u to improve\n", doctor->count[DOCTOR_WRONG],
               doctor->count[DOCTOR_ADVICE]);
    }
    return doctor->count[DOCTOR_WRONG] > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int platectl_doctor(int argc, char **argv, PlatedLog *log)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"config", required_argument, NULL, 'c'},
        {0},
    };
    Doctor doctor = {.log = log, .found = json_builder_new()};
    PlatedConfig *config = NULL;
    const char *path = NULL;
    int option, status;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 'j')
            doctor.json = true;
        else if (option == 'c')
            path = optarg;
        else
            return EX_USAGE;
    }
    if (optind < argc) {
        fputs("platectl: doctor takes options alone\n", stderr);
        return EX_USAGE;
    }
    if (platectl_load_config(path, log, &config) < 0)
        return EX_CONFIG;
    doctor.config = config;
    json_builder_begin_array(doctor.found);
    status = run(&doctor);
    g_object_unref(doctor.found);
    g_clear_pointer(&doctor.status, json_node_unref);
    plated_config_free(config);
    return status;
}
