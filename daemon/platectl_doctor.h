/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The parts of platectl doctor. Each says what it found, one sentence a matter. */

#include "lpr.h"
#include "platectl.h"

typedef enum DoctorGrade {
    DOCTOR_OK,
    DOCTOR_ADVICE, /* works, and could be better */
    DOCTOR_WRONG,
} DoctorGrade;

typedef struct Doctor {
    const PlatedConfig *config;
    PlatedLog *log;
    bool json;
    JsonBuilder *found; /* an array, with `json` */
    unsigned count[3];  /* by grade */
    JsonNode *status;   /* of the running service; NULL: there is none to ask */
    JsonObject *state;  /* in it */
} Doctor;

void platectl_doctor_say(Doctor *doctor, DoctorGrade grade, const char *what, const char *format,
                         ...) __attribute__((format(printf, 4, 5)));

/* Device, format, rate, light and focus: of the service's next frame where it runs, else of
 * frames taken here. */
void platectl_doctor_camera(Doctor *doctor);
void platectl_doctor_broker(Doctor *doctor);
/* Clock, heat, power, disk. */
void platectl_doctor_machine(Doctor *doctor);

/* One without anything, as large as a camera's. */
NN_MUST_CHECK int platectl_doctor_grey_frame(LprFrame **ret_frame);
