/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "config.h"

extern const PlatedConfigType plated_type_text;    /* anything */
extern const PlatedConfigType plated_type_word;    /* not empty */
extern const PlatedConfigType plated_type_segment; /* one level of an MQTT topic */
extern const PlatedConfigType plated_type_topic;   /* levels of an MQTT topic */
extern const PlatedConfigType plated_type_path;    /* absolute, or empty */
extern const PlatedConfigType plated_type_paths;   /* absolute ones, by spaces, or empty */
extern const PlatedConfigType plated_type_zones;   /* see lpr_zones_check() */
extern const PlatedConfigType plated_type_formats; /* see lpr_filter_new() */
extern const PlatedConfigType plated_type_boolean;
extern const PlatedConfigType plated_type_integer;
extern const PlatedConfigType plated_type_real;
extern const PlatedConfigType plated_type_duration; /* int64_t microseconds */
extern const PlatedConfigType plated_type_choice;   /* int, index into the names */
