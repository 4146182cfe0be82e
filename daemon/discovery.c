/* SPDX-License-Identifier: Apache-2.0 */
#include "discovery.h"

#include <json-glib/json-glib.h>

#include "json.h"
#include "version.h"

/* One entity. Members that are NULL are left out. */
typedef struct Entity {
    const char *component, *object, *name;
    const char *leaf;       /* of the topic that it follows */
    const char *topic_key;  /* "state_topic" unless said otherwise */
    const char *template;
    const char *device_class, *unit, *state_class, *category, *icon;
    const char *attributes; /* leaf of a topic whose members are attributes */
    bool (*wanted)(const PlatedConfig *config);
} Entity;

static bool has_lists(const PlatedConfig *config)
{
    return *config->access.lists;
}

static bool has_snapshots(const PlatedConfig *config)
{
    return config->snapshot.publish;
}

static bool has_crops(const PlatedConfig *config)
{
    return config->snapshot.publish_crop;
}

static const Entity entities[] = {
    {.component = "event", .object = "passage", .name = "Passage", .leaf = "passage",
     .template = "{{ {'event_type': value_json.type, 'id': value_json.id, "
                 "'plate': value_json.plate, 'confidence': value_json.confidence, "
                 "'region': value_json.region.code if value_json.region else none, "
                 "'direction': value_json.direction, 'corrected': value_json.corrected, "
                 "'access': value_json.access.decision if value_json.access else none} "
                 "| to_json }}",
     .icon = "mdi:car"},
    {.component = "sensor", .object = "plate", .name = "Last plate", .leaf = "passage",
     .template = "{{ value_json.plate }}", .attributes = "passage", .icon = "mdi:car-info"},
    {.component = "sensor", .object = "access", .name = "Last decision", .leaf = "access",
     .template = "{{ value_json.decision }}", .attributes = "access", .icon = "mdi:gate",
     .wanted = has_lists},
    {.component = "image", .object = "snapshot", .name = "Last vehicle", .leaf = "snapshot",
     .topic_key = "image_topic", .wanted = has_snapshots},
    {.component = "image", .object = "crop", .name = "Last plate picture", .leaf = "crop",
     .topic_key = "image_topic", .wanted = has_crops},
    {.component = "binary_sensor", .object = "camera", .name = "Camera", .leaf = "state",
     .template = "{{ 'ON' if value_json.state == 'playing' else 'OFF' }}",
     .device_class = "connectivity", .category = "diagnostic"},
    {.component = "binary_sensor", .object = "throttled", .name = "Slowed down", .leaf = "state",
     .template = "{{ 'ON' if value_json.throttled else 'OFF' }}", .device_class = "problem",
     .category = "diagnostic"},
    {.component = "sensor", .object = "fps", .name = "Frames a second", .leaf = "state",
     .template = "{{ value_json.fps }}", .state_class = "measurement", .category = "diagnostic",
     .icon = "mdi:speedometer"},
    {.component = "sensor", .object = "latency", .name = "Latency", .leaf = "state",
     .template = "{{ value_json.latency_ms }}", .device_class = "duration", .unit = "ms",
     .state_class = "measurement", .category = "diagnostic"},
    {.component = "sensor", .object = "temperature", .name = "Temperature", .leaf = "state",
     .template = "{{ value_json.temperature_c }}", .device_class = "temperature", .unit = "°C",
     .state_class = "measurement", .category = "diagnostic"},
    {.component = "sensor", .object = "backlog", .name = "Passages waiting", .leaf = "state",
     .template = "{{ value_json.backlog }}", .state_class = "measurement",
     .category = "diagnostic", .icon = "mdi:tray-full"},
};

static void add_some(JsonBuilder *builder, const char *name, const char *value)
{
    if (value)
        plated_json_string(builder, name, value);
}

static void add_topic(JsonBuilder *builder, const PlatedConfig *config, const char *name,
                      const char *leaf)
{
    g_autofree char *topic =
        g_strdup_printf("%s/%s/%s", config->mqtt.prefix, config->camera.name, leaf);

    plated_json_string(builder, name, topic);
}

static void add_device(JsonBuilder *builder, const PlatedConfig *config, const char *node)
{
    g_autofree char *name = g_strdup_printf("Plates at %s", config->camera.name);

    json_builder_set_member_name(builder, "device");
    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "identifiers");
    json_builder_begin_array(builder);
    json_builder_add_string_value(builder, node);
    json_builder_end_array(builder);
    plated_json_string(builder, "name", name);
    plated_json_string(builder, "manufacturer", "plated");
    plated_json_string(builder, "model", "Licence plate reader");
    plated_json_string(builder, "sw_version", PLATED_VERSION);
    json_builder_end_object(builder);
    json_builder_set_member_name(builder, "origin");
    json_builder_begin_object(builder);
    plated_json_string(builder, "name", "plated");
    plated_json_string(builder, "sw_version", PLATED_VERSION);
    json_builder_end_object(builder);
}

static void add_event_types(JsonBuilder *builder)
{
    json_builder_set_member_name(builder, "event_types");
    json_builder_begin_array(builder);
    json_builder_add_string_value(builder, "provisional");
    json_builder_add_string_value(builder, "final");
    json_builder_end_array(builder);
}

static char *entity_payload(const PlatedConfig *config, const Entity *entity, const char *node)
{
    g_autofree char *id = g_strdup_printf("%s_%s", node, entity->object);
    g_autoptr(JsonBuilder) b = json_builder_new();

    json_builder_begin_object(b);
    plated_json_string(b, "name", entity->name);
    plated_json_string(b, "unique_id", id);
    plated_json_string(b, "object_id", id);
    add_topic(b, config, entity->topic_key ? entity->topic_key : "state_topic", entity->leaf);
    add_topic(b, config, "availability_topic", "availability");
    add_some(b, "value_template", entity->template);
    add_some(b, "device_class", entity->device_class);
    add_some(b, "unit_of_measurement", entity->unit);
    add_some(b, "state_class", entity->state_class);
    add_some(b, "entity_category", entity->category);
    add_some(b, "icon", entity->icon);
    add_some(b, "content_type", entity->topic_key ? "image/jpeg" : NULL);
    if (entity->attributes)
        add_topic(b, config, "json_attributes_topic", entity->attributes);
    if (g_str_equal(entity->component, "event"))
        add_event_types(b);
    add_device(b, config, node);
    json_builder_end_object(b);
    return plated_json_build(b);
}

/* Home Assistant takes letters, digits, '_' and '-' in identifiers. */
static char *node_of(const PlatedConfig *config)
{
    char *node = g_strdup_printf("%s_%s", config->mqtt.prefix, config->camera.name);

    return g_strcanon(node, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_-", '_');
}

void plated_discovery_each(const PlatedConfig *config, bool away, PlatedDiscoveryFunc message,
                           void *userdata)
{
    g_autofree char *node = node_of(config);

    for (size_t i = 0; i < G_N_ELEMENTS(entities); i++) {
        const Entity *entity = &entities[i];
        bool wanted = !away && config->homeassistant.discovery &&
                      (!entity->wanted || entity->wanted(config));
        g_autofree char *topic = g_strdup_printf("%s/%s/%s/%s/config", config->homeassistant.prefix,
                                                 entity->component, node, entity->object);
        g_autofree char *payload = wanted ? entity_payload(config, entity, node) : g_strdup("");

        message(userdata, topic, payload);
    }
}
