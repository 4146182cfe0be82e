/* SPDX-License-Identifier: Apache-2.0 */

/* The connection and the delivery against a broker that misbehaves on purpose:
 * it refuses, loses connections before acknowledging, and never answers. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib.h>

#include "check.h"
#include "delivery.h"
#include "mqtt.h"
#include "outbox.h"

enum { CONNECT = 1, CONNACK, PUBLISH, PUBACK, DISCONNECT = 14 };

/* ---- a broker in a thread ------------------------------------------------ */

typedef struct Behaviour {
    int connack;      /* code to answer CONNECT with */
    int acknowledged; /* so many PUBLISHes are acknowledged, then the connection is cut */
} Behaviour;

typedef struct Broker {
    int listener, port;
    const Behaviour *behaviours; /* one a connection */
    size_t n_behaviours;
    GThread *thread;
    GMutex lock;
    GString *events; /* "connect", "payload", "payload(dup)", … */
    bool goodbye;
} Broker;

static bool receive(int fd, uint8_t *bytes, size_t n)
{
    return n == 0 || recv(fd, bytes, n, MSG_WAITALL) == (ssize_t)n;
}

/* One packet: its first byte, and its body. */
static bool receive_packet(int fd, uint8_t *ret_first, uint8_t body[4096], size_t *ret_n)
{
    size_t n = 0;
    uint8_t byte;
    int shift = 0;

    if (!receive(fd, ret_first, 1))
        return false;
    do {
        if (!receive(fd, &byte, 1))
            return false;
        n |= (size_t)(byte & 127) << shift;
        shift += 7;
    } while (byte & 128);
    CHECK(n <= 4096);
    *ret_n = n;
    return receive(fd, body, n);
}

static void note(Broker *broker, const char *format, ...)
{
    va_list args;

    g_mutex_lock(&broker->lock);
    if (broker->events->len)
        g_string_append_c(broker->events, ' ');
    va_start(args, format);
    g_string_append_vprintf(broker->events, format, args);
    va_end(args);
    g_mutex_unlock(&broker->lock);
}

static bool answer_publish(Broker *broker, int fd, uint8_t first, const uint8_t *body, size_t n,
                           int *left)
{
    size_t topic_n = (size_t)body[0] << 8 | body[1], head = 2 + topic_n + 2;
    uint8_t puback[4] = {PUBACK << 4, 2, body[2 + topic_n], body[3 + topic_n]};

    note(broker, "%.*s%s", (int)(n - head), (const char *)body + head, first & 8 ? "(dup)" : "");
    if ((*left)-- <= 0)
        return false;
    return send(fd, puback, 4, MSG_NOSIGNAL) == 4;
}

static void serve(Broker *broker, int fd, const Behaviour *behaviour)
{
    uint8_t first, body[4096];
    int left = behaviour->acknowledged;
    size_t n;

    while (receive_packet(fd, &first, body, &n)) {
        if (first >> 4 == CONNECT) {
            uint8_t connack[4] = {CONNACK << 4, 2, 0, (uint8_t)behaviour->connack};

            note(broker, "connect");
            if (send(fd, connack, 4, MSG_NOSIGNAL) != 4 || behaviour->connack)
                return;
        } else if (first >> 4 == PUBLISH) {
            if (!answer_publish(broker, fd, first, body, n, &left))
                return;
        } else if (first >> 4 == DISCONNECT) {
            broker->goodbye = true;
        }
    }
}

static gpointer run_broker(gpointer userdata)
{
    Broker *broker = userdata;

    for (size_t i = 0; i < broker->n_behaviours; i++) {
        int fd = accept(broker->listener, NULL, NULL);

        CHECK(fd >= 0);
        serve(broker, fd, &broker->behaviours[i]);
        close(fd);
    }
    return NULL;
}

static void broker_listen(Broker *broker)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(address);

    broker->listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQUAL(bind(broker->listener, (struct sockaddr *)&address, n), 0);
    CHECK_EQUAL(getsockname(broker->listener, (struct sockaddr *)&address, &n), 0);
    broker->port = ntohs(address.sin_port);
}

static void broker_start(Broker *broker, const Behaviour *behaviours, size_t n)
{
    *broker = (Broker){.behaviours = behaviours, .n_behaviours = n};
    g_mutex_init(&broker->lock);
    broker->events = g_string_new(NULL);
    broker_listen(broker);
    CHECK_EQUAL(listen(broker->listener, 5), 0);
    broker->thread = g_thread_new("broker", run_broker, broker);
}

static void broker_end(Broker *broker, const char *events)
{
    g_thread_join(broker->thread);
    close(broker->listener);
    CHECK_TEXT(broker->events->str, events);
    g_string_free(broker->events, TRUE);
    g_mutex_clear(&broker->lock);
}

/* ---- the client ---------------------------------------------------------- */

typedef struct Client {
    PlatedMqtt *mqtt;
    PlatedOutbox *outbox;
    PlatedDelivery *delivery;
    unsigned connected, failed, repeated;
    char *sentence;
} Client;

static void on_connected(void *userdata)
{
    Client *client = userdata;

    client->connected++;
    plated_delivery_connected(client->delivery);
}

static void on_failed(void *userdata, const char *sentence, bool again)
{
    Client *client = userdata;

    client->failed++;
    client->repeated += again;
    g_free(client->sentence);
    client->sentence = g_strdup(sentence);
}

static void on_published(void *userdata, int mid, bool accepted)
{
    plated_delivery_published(((Client *)userdata)->delivery, mid, accepted);
}

static const PlatedMqttCallbacks callbacks = {
    .connected = on_connected,
    .failed = on_failed,
    .published = on_published,
};

static void client_start(Client *client, int port)
{
    static const PlatedOutboxLimits limits = {1000, 1000000};
    PlatedMqttOptions options = {
        .host = "127.0.0.1",
        .port = port,
        .protocol = 4,
        .client_id = "test",
        .keepalive_s = 30,
        .will_topic = "t/availability",
        .will_payload = "offline",
    };

    *client = (Client){0};
    CHECK_EQUAL(plated_outbox_open("", &limits, NULL, &client->outbox, NULL), 0);
    client->delivery = plated_delivery_new(client->outbox, NULL);
    CHECK_EQUAL(plated_mqtt_new(&options, &callbacks, client, &client->mqtt, NULL), 0);
    plated_delivery_set_mqtt(client->delivery, client->mqtt);
    plated_mqtt_start(client->mqtt);
}

static void client_push(Client *client, const char *payload)
{
    PlatedOutboxMessage message = {PLATED_OUTBOX_FINAL, payload, "t", payload};

    plated_outbox_push(client->outbox, &message, (PlatedMoment){0, false});
    plated_delivery_pump(client->delivery);
}

static void client_end(Client *client)
{
    plated_mqtt_disconnect(client->mqtt);
    plated_mqtt_free(client->mqtt);
    plated_delivery_free(client->delivery);
    plated_outbox_free(client->outbox);
    g_free(client->sentence);
}

static void run_until_empty(Client *client)
{
    while (plated_outbox_count(client->outbox) > 0)
        g_main_context_iteration(NULL, TRUE);
}

/* ---- tests --------------------------------------------------------------- */

/* Connections that are cut before the acknowledgement: everything arrives, in
 * order, and leaves the outbox only then. */
static void test_cut_connections(void)
{
    static const Behaviour behaviours[] = {{0, 1}, {0, 0}, {0, 100}};
    Broker broker;
    Client client;

    broker_start(&broker, behaviours, 3);
    client_start(&client, broker.port);
    client_push(&client, "a");
    client_push(&client, "b");
    run_until_empty(&client);
    CHECK_EQUAL(client.connected, 3);
    CHECK_EQUAL(client.failed, 2);
    client_end(&client);
    broker_end(&broker, "connect a b connect b connect b");
    CHECK(broker.goodbye);
}

/* A connection that is reset while messages are being written: what the library took but
 * could not send must not come again beside what the outbox sends. */
static void test_cut_while_writing(void)
{
    static const Behaviour behaviours[] = {{0, 0}, {0, 0}, {0, 1000}};
    g_autoptr(GString) expected = g_string_new("connect m0 connect m0 connect");
    Broker broker;
    Client client;

    broker_start(&broker, behaviours, 3);
    client_start(&client, broker.port);
    for (int i = 0; i < 40; i++) {
        g_autofree char *payload = g_strdup_printf("m%d", i);

        g_string_append_printf(expected, " %s", payload);
        client_push(&client, payload);
    }
    run_until_empty(&client);
    client_end(&client);
    broker_end(&broker, expected->str);
}

/* More than fits into the window, in order. */
static void test_many(void)
{
    static const Behaviour behaviours[] = {{0, 1000}};
    g_autoptr(GString) expected = g_string_new("connect");
    Broker broker;
    Client client;

    broker_start(&broker, behaviours, 1);
    client_start(&client, broker.port);
    for (int i = 0; i < 100; i++) {
        g_autofree char *payload = g_strdup_printf("m%d", i);

        g_string_append_printf(expected, " %s", payload);
        client_push(&client, payload);
    }
    run_until_empty(&client);
    client_end(&client);
    broker_end(&broker, expected->str);
}

static void test_refused(void)
{
    static const Behaviour behaviours[] = {{5, 0}, {5, 0}, {0, 10}};
    g_autofree char *sentence = NULL;
    Broker broker;
    Client client;

    broker_start(&broker, behaviours, 3);
    client_start(&client, broker.port);
    client_push(&client, "a");
    while (client.failed == 0)
        g_main_context_iteration(NULL, TRUE);
    sentence =
        g_strdup_printf("broker 127.0.0.1:%d: Connection Refused: not authorised.", broker.port);
    CHECK_TEXT(client.sentence, sentence);
    run_until_empty(&client);
    CHECK_EQUAL(client.failed, 2);
    CHECK_EQUAL(client.repeated, 1);
    CHECK_EQUAL(client.connected, 1);
    client_end(&client);
    broker_end(&broker, "connect connect connect a");
}

/* Nobody listens at first; what was pushed meanwhile is delivered later. */
static void test_broker_comes_later(void)
{
    static const Behaviour behaviours[] = {{0, 10}};
    Broker broker = {.behaviours = behaviours, .n_behaviours = 1};
    Client client;

    g_mutex_init(&broker.lock);
    broker.events = g_string_new(NULL);
    broker_listen(&broker);
    client_start(&client, broker.port);
    client_push(&client, "a");
    while (client.failed == 0)
        g_main_context_iteration(NULL, TRUE);
    CHECK_CONTAINS(client.sentence, ": Connection refused");
    CHECK(!plated_mqtt_is_connected(client.mqtt));
    CHECK_EQUAL(plated_mqtt_publish(client.mqtt, "t", "x", 1, 1, false, NULL), -ENOTCONN);
    CHECK_EQUAL(listen(broker.listener, 5), 0);
    broker.thread = g_thread_new("broker", run_broker, &broker);
    run_until_empty(&client);
    client_end(&client);
    broker_end(&broker, "connect a");
}

static void test_unknown_name(void)
{
    Client client = {0};
    PlatedMqttOptions options = {.host = "no-such-host.invalid",
                                 .port = 1883,
                                 .protocol = 4,
                                 .client_id = "test",
                                 .keepalive_s = 30};

    CHECK_EQUAL(plated_mqtt_new(&options, &callbacks, &client, &client.mqtt, NULL), 0);
    plated_mqtt_start(client.mqtt);
    while (client.failed == 0)
        g_main_context_iteration(NULL, TRUE);
    CHECK_TEXT(client.sentence, "broker no-such-host.invalid:1883: the name is not known");
    plated_mqtt_free(client.mqtt);
    g_free(client.sentence);
}

/* Freed while the helper thread looks up the name: the helper clears up. */
static void test_freed_early(void)
{
    Client client = {0};
    PlatedMqttOptions options = {.host = "no-such-host.invalid",
                                 .port = 1883,
                                 .protocol = 4,
                                 .client_id = "test",
                                 .keepalive_s = 30};

    CHECK_EQUAL(plated_mqtt_new(&options, &callbacks, &client, &client.mqtt, NULL), 0);
    plated_mqtt_start(client.mqtt);
    client.mqtt = plated_mqtt_free(client.mqtt);
    while (g_main_context_iteration(NULL, FALSE) || g_main_context_pending(NULL))
        ;
    CHECK_EQUAL(client.failed, 0);
}

static void test_missing_certificate(void)
{
    PlatedMqtt *mqtt = NULL;
    NnError error = {0};
    PlatedMqttOptions options = {.host = "127.0.0.1",
                                 .port = 8883,
                                 .protocol = 4,
                                 .client_id = "test",
                                 .keepalive_s = 30,
                                 .tls = true,
                                 .ca_file = "/nonexistent/ca.pem"};

    CHECK_EQUAL(plated_mqtt_new(&options, &callbacks, NULL, &mqtt, &error), -ENOENT);
    CHECK_TEXT(error.message, "/nonexistent/ca.pem: No such file or directory");
}

int main(void)
{
    test_cut_connections();
    test_cut_while_writing();
    test_many();
    test_refused();
    test_broker_comes_later();
    test_unknown_name();
    test_freed_early();
    test_missing_certificate();
    return 0;
}
