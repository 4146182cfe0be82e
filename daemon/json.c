/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <math.h>

static void write_node(GString *text, JsonNode *node);

static void write_string(GString *text, const char *value)
{
    g_string_append_c(text, '"');
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            g_string_append_printf(text, "\\%c", *c);
        else if ((unsigned char)*c < ' ')
            g_string_append_printf(text, "\\u%04x", (unsigned)(unsigned char)*c);
        else
            g_string_append_c(text, *c);
    }
    g_string_append_c(text, '"');
}

static void write_real(GString *text, double value)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];

    if (!isfinite(value))
        g_string_append(text, "null");
    else
        g_string_append(text, g_ascii_formatd(number, sizeof(number), "%.10g", value));
}

static void write_value(GString *text, JsonNode *node)
{
    switch (json_node_get_value_type(node)) {
    case G_TYPE_STRING:
        write_string(text, json_node_get_string(node));
        break;
    case G_TYPE_DOUBLE:
        write_real(text, json_node_get_double(node));
        break;
    case G_TYPE_BOOLEAN:
        g_string_append(text, json_node_get_boolean(node) ? "true" : "false");
        break;
    default:
        g_string_append_printf(text, "%" G_GINT64_FORMAT, json_node_get_int(node));
        break;
    }
}

static void write_object(GString *text, JsonObject *object)
{
    JsonObjectIter iter;
    const char *name;
    JsonNode *member;
    bool first = true;

    g_string_append_c(text, '{');
    json_object_iter_init_ordered(&iter, object);
    while (json_object_iter_next_ordered(&iter, &name, &member)) {
        if (!first)
            g_string_append_c(text, ',');
        first = false;
        write_string(text, name);
        g_string_append_c(text, ':');
        write_node(text, member);
    }
    g_string_append_c(text, '}');
}

static void write_array(GString *text, JsonArray *array)
{
    g_string_append_c(text, '[');
    for (guint i = 0; i < json_array_get_length(array); i++) {
        if (i > 0)
            g_string_append_c(text, ',');
        write_node(text, json_array_get_element(array, i));
    }
    g_string_append_c(text, ']');
}

static void write_node(GString *text, JsonNode *node)
{
    switch (json_node_get_node_type(node)) {
    case JSON_NODE_OBJECT:
        write_object(text, json_node_get_object(node));
        break;
    case JSON_NODE_ARRAY:
        write_array(text, json_node_get_array(node));
        break;
    case JSON_NODE_VALUE:
        write_value(text, node);
        break;
    case JSON_NODE_NULL:
        g_string_append(text, "null");
        break;
    }
}

char *plated_json_text(JsonNode *root)
{
    GString *text = g_string_new(NULL);

    write_node(text, root);
    return g_string_free(text, FALSE);
}

char *plated_json_build(JsonBuilder *builder)
{
    g_autoptr(JsonNode) root = json_builder_get_root(builder);

    return plated_json_text(root);
}

void plated_json_string(JsonBuilder *builder, const char *name, const char *value)
{
    json_builder_set_member_name(builder, name);
    if (value)
        json_builder_add_string_value(builder, value);
    else
        json_builder_add_null_value(builder);
}

void plated_json_int(JsonBuilder *builder, const char *name, int64_t value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, value);
}

void plated_json_bool(JsonBuilder *builder, const char *name, bool value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_boolean_value(builder, value);
}

double plated_json_rounded(double value, int decimals)
{
    double scale = pow(10, decimals);

    return round(value * scale) / scale;
}

void plated_json_real(JsonBuilder *builder, const char *name, double value, int decimals)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_double_value(builder, plated_json_rounded(value, decimals));
}

/* The member when it is a value; its type is that of GLib. */
static JsonNode *value_of(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    return node && JSON_NODE_HOLDS_VALUE(node) ? node : NULL;
}

const char *plated_json_get_text(JsonObject *object, const char *name)
{
    JsonNode *node = value_of(object, name);

    return node && json_node_get_value_type(node) == G_TYPE_STRING ? json_node_get_string(node)
                                                                   : "";
}

double plated_json_get_number(JsonObject *object, const char *name)
{
    JsonNode *node = value_of(object, name);
    GType type = node ? json_node_get_value_type(node) : G_TYPE_INVALID;

    return type == G_TYPE_INT64 || type == G_TYPE_DOUBLE ? json_node_get_double(node) : 0;
}

bool plated_json_get_bool(JsonObject *object, const char *name)
{
    JsonNode *node = value_of(object, name);

    return node && json_node_get_value_type(node) == G_TYPE_BOOLEAN && json_node_get_boolean(node);
}

JsonObject *plated_json_get_object(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}
