/* SPDX-License-Identifier: Apache-2.0 */
#include "protobuf.h"

#include <string.h>

#include <json-glib/json-glib.h>

#include "base/util.h"
#include "payload.pb-c.h"

/* Wire types (protobuf.dev, "Encoding"). */
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };

static void write_message(GByteArray *out, const ProtobufCMessageDescriptor *descriptor,
                          JsonObject *object);

static void write_varint(GByteArray *out, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t)(value & 127) | (value > 127 ? 128 : 0);

        g_byte_array_append(out, &byte, 1);
        value >>= 7;
    } while (value);
}

static void write_tag(GByteArray *out, uint32_t id, unsigned wire)
{
    write_varint(out, (uint64_t)id << 3 | wire);
}

static void write_bytes(GByteArray *out, uint32_t id, const void *bytes, size_t n)
{
    write_tag(out, id, WIRE_BYTES);
    write_varint(out, n);
    g_byte_array_append(out, bytes, (guint)n);
}

static void write_real(GByteArray *out, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    bits = GUINT64_TO_LE(bits);
    g_byte_array_append(out, (const guint8 *)&bits, sizeof(bits));
}

static void write_object(GByteArray *out, const ProtobufCFieldDescriptor *field, JsonNode *node)
{
    g_autoptr(GByteArray) inner = g_byte_array_new();

    if (!JSON_NODE_HOLDS_OBJECT(node))
        return;
    write_message(inner, field->descriptor, json_node_get_object(node));
    write_bytes(out, field->id, inner->data, inner->len);
}

static void write_value(GByteArray *out, const ProtobufCFieldDescriptor *field, JsonNode *node)
{
    const char *text;

    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        write_object(out, field, node);
        return;
    }
    if (!JSON_NODE_HOLDS_VALUE(node))
        return;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        text = json_node_get_string(node);
        if (text)
            write_bytes(out, field->id, text, strlen(text));
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        write_tag(out, field->id, WIRE_FIXED64);
        write_real(out, json_node_get_double(node));
        break;
    case PROTOBUF_C_TYPE_BOOL:
        write_tag(out, field->id, WIRE_VARINT);
        write_varint(out, (uint64_t)json_node_get_boolean(node));
        break;
    default:
        write_tag(out, field->id, WIRE_VARINT);
        write_varint(out, (uint64_t)json_node_get_int(node));
        break;
    }
}

/* Numbers one behind the other; all else one by one. */
static void write_array(GByteArray *out, const ProtobufCFieldDescriptor *field, JsonArray *array)
{
    g_autoptr(GByteArray) packed = g_byte_array_new();

    for (guint i = 0; i < json_array_get_length(array); i++) {
        JsonNode *node = json_array_get_element(array, i);

        if (field->type == PROTOBUF_C_TYPE_DOUBLE)
            write_real(packed, json_node_get_double(node));
        else
            write_value(out, field, node);
    }
    if (packed->len > 0)
        write_bytes(out, field->id, packed->data, packed->len);
}

static void write_message(GByteArray *out, const ProtobufCMessageDescriptor *descriptor,
                          JsonObject *object)
{
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        JsonNode *node = json_object_get_member(object, field->name);

        if (!node || JSON_NODE_HOLDS_NULL(node))
            continue;
        if (field->label != PROTOBUF_C_LABEL_REPEATED)
            write_value(out, field, node);
        else if (JSON_NODE_HOLDS_ARRAY(node))
            write_array(out, field, json_node_get_array(node));
    }
}

static const ProtobufCMessageDescriptor *descriptor_of(const char *topic)
{
    static const struct {
        const char *leaf;
        const ProtobufCMessageDescriptor *descriptor;
    } kinds[] = {
        {"/passage", &plated__passage__descriptor},
        {"/access", &plated__access__descriptor},
        {"/state", &plated__state__descriptor},
    };

    for (size_t i = 0; i < NN_ARRAY_SIZE(kinds); i++)
        if (g_str_has_suffix(topic, kinds[i].leaf))
            return kinds[i].descriptor;
    return NULL;
}

GBytes *plated_protobuf_encode(const char *topic, const char *json, char **ret_topic)
{
    const ProtobufCMessageDescriptor *descriptor = descriptor_of(topic);
    g_autoptr(JsonNode) root = descriptor ? json_from_string(json, NULL) : NULL;
    GByteArray *out;

    if (!root || !JSON_NODE_HOLDS_OBJECT(root))
        return NULL;
    out = g_byte_array_new();
    write_message(out, descriptor, json_node_get_object(root));
    *ret_topic = g_strconcat(topic, ".pb", NULL);
    return g_byte_array_free_to_bytes(out);
}

void plated_protobuf_publish(PlatedMqtt *mqtt, const char *topic, const char *json, bool retain)
{
    g_autofree char *other = NULL;
    g_autoptr(GBytes) bytes = plated_protobuf_encode(topic, json, &other);

    if (bytes)
        plated_mqtt_publish(mqtt, other, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), 1,
                            retain, NULL);
}
