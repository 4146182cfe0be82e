/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* JSON text of a tree of json-glib, on one line. json-glib itself writes 0.97 as
 * 0.96999999999999997, which nobody wants to read in a log or a gate's script. */

#include <stdbool.h>
#include <stdint.h>

#include <json-glib/json-glib.h>

/* g_free the text. Numbers have at most 10 significant digits; what is not
 * finite becomes null. */
char *plated_json_text(JsonNode *root);

/* Ends a builder: its text. Frees nothing. */
char *plated_json_build(JsonBuilder *builder);

/* Shorthands for the members of an object that is being built. */
void plated_json_string(JsonBuilder *builder, const char *name, const char *value); /* NULL: null */
void plated_json_int(JsonBuilder *builder, const char *name, int64_t value);
void plated_json_bool(JsonBuilder *builder, const char *name, bool value);
/* Rounded to so many decimals. */
void plated_json_real(JsonBuilder *builder, const char *name, double value, int decimals);
double plated_json_rounded(double value, int decimals);

/* Members of an object that somebody else may have written: "" and 0 where there is none
 * of this type. The text belongs to the object. */
const char *plated_json_get_text(JsonObject *object, const char *name);
double plated_json_get_number(JsonObject *object, const char *name);
bool plated_json_get_bool(JsonObject *object, const char *name);
/* NULL where there is no object. */
JsonObject *plated_json_get_object(JsonObject *object, const char *name);
