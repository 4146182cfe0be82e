/* SPDX-License-Identifier: Apache-2.0 */
#include "mqtt.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gio/gio.h>
#include <glib.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "base/util.h"

#define RETRY_FIRST_S   0.5
#define RETRY_LONGEST_S 30.0
#define ANSWER_S        15
#define LAST_WORDS_MS   200
#define ACK_LATE_US     (20 * G_USEC_PER_SEC)
/* A connection that held for so long was a good one, and its end is news. */
#define STEADY_US (10 * G_USEC_PER_SEC)

typedef enum Phase {
    PHASE_IDLE,       /* not started, or said goodbye */
    PHASE_WAITING,    /* for the next attempt */
    PHASE_LOOKUP,     /* a helper thread has the library: names may take their time */
    PHASE_CONNECTING, /* TCP, TLS and CONNECT are on their way */
    PHASE_CONNECTED,
} Phase;

typedef struct Acknowledgement {
    int mid;
    bool accepted;
} Acknowledgement;

typedef struct Message {
    char *topic;
    GBytes *payload;
    bool retained;
} Message;

struct PlatedMqtt {
    struct mosquitto *mosq;
    PlatedMqttOptions options; /* owns its strings */
    bool v5;
    PlatedMqttCallbacks callbacks;
    void *userdata;

    Phase phase;
    bool closing; /* said goodbye while the helper thread has the library */
    bool doomed;  /* freed meanwhile */
    unsigned failures;
    int64_t connected_us;
    GSource *io;
    guint misc_timer, retry_timer, answer_timer;
    char *last_sentence;

    /* What the library told in the midst of one of its calls. */
    bool told_connack, told_disconnect, tcp_connected, settling;
    int connack_code, disconnect_code, disconnect_errno;
    GArray *acknowledgements;
    GHashTable *unacknowledged; /* message ids */
    int64_t heard_us;           /* of the last acknowledgement, or when one became due */
    GQueue messages;
    char *library_error;
};

typedef struct IoSource {
    GSource source;
    PlatedMqtt *mqtt;
    gpointer tag;
    int fd;
} IoSource;

NN_DEFINE_CLEANUP(PlatedMqtt, plated_mqtt_free)

static void settle(PlatedMqtt *mqtt);
static void attempt(PlatedMqtt *mqtt);

static int from_mosquitto(int code)
{
    switch (code) {
    case MOSQ_ERR_SUCCESS:
        return 0;
    case MOSQ_ERR_NOMEM:
        return -ENOMEM;
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_MALFORMED_UTF8:
        return -EINVAL;
    case MOSQ_ERR_NOT_SUPPORTED:
        return -ENOTSUP;
    case MOSQ_ERR_NO_CONN:
    case MOSQ_ERR_CONN_LOST:
        return -ENOTCONN;
    case MOSQ_ERR_PAYLOAD_SIZE:
    case MOSQ_ERR_OVERSIZE_PACKET:
        return -E2BIG;
    default:
        return -EIO;
    }
}

/* ---- what the library tells ---------------------------------------------- */

static void on_connect(struct mosquitto *mosq, void *userdata, int code, int flags,
                       const mosquitto_property *properties)
{
    PlatedMqtt *mqtt = userdata;

    mqtt->told_connack = true;
    mqtt->connack_code = code;
}

static void on_disconnect(struct mosquitto *mosq, void *userdata, int code,
                          const mosquitto_property *properties)
{
    PlatedMqtt *mqtt = userdata;

    mqtt->told_disconnect = true;
    mqtt->disconnect_code = code;
    mqtt->disconnect_errno = errno;
}

static void on_publish(struct mosquitto *mosq, void *userdata, int mid, int code,
                       const mosquitto_property *properties)
{
    PlatedMqtt *mqtt = userdata;
    Acknowledgement acknowledgement = {mid, code < 128};

    g_array_append_val(mqtt->acknowledgements, acknowledgement);
}

static void on_message(struct mosquitto *mosq, void *userdata,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    PlatedMqtt *mqtt = userdata;
    Message *copy = g_new0(Message, 1);

    copy->topic = g_strdup(message->topic);
    copy->payload = g_bytes_new(message->payload, (gsize)message->payloadlen);
    copy->retained = message->retain;
    g_queue_push_tail(&mqtt->messages, copy);
}

static void on_log(struct mosquitto *mosq, void *userdata, int level, const char *text)
{
    PlatedMqtt *mqtt = userdata;

    if (level != MOSQ_LOG_ERR)
        return;
    g_free(mqtt->library_error);
    mqtt->library_error = g_strdup(text);
}

static void message_free(void *pointer)
{
    Message *message = pointer;

    g_free(message->topic);
    g_bytes_unref(message->payload);
    g_free(message);
}

/* ---- making one ---------------------------------------------------------- */

static void options_copy(const PlatedMqttOptions *from, PlatedMqttOptions *to)
{
    *to = *from;
    to->host = g_strdup(from->host);
    to->client_id = g_strdup(from->client_id);
    to->username = g_strdup(from->username);
    to->password = g_strdup(from->password);
    to->ca_file = g_strdup(from->ca_file);
    to->cert_file = g_strdup(from->cert_file);
    to->key_file = g_strdup(from->key_file);
    to->will_topic = g_strdup(from->will_topic);
    to->will_payload = g_strdup(from->will_payload);
}

static void options_clear(PlatedMqttOptions *options)
{
    const char *const owned[] = {
        options->host,     options->client_id,  options->username,
        options->password, options->ca_file,    options->cert_file,
        options->key_file, options->will_topic, options->will_payload,
    };

    for (size_t i = 0; i < NN_ARRAY_SIZE(owned); i++)
        g_free((char *)owned[i]);
}

static int set_tls(struct mosquitto *mosq, const PlatedMqttOptions *options, NnError *error)
{
    const char *files[] = {options->ca_file, options->cert_file, options->key_file};
    int code;

    for (size_t i = 0; i < NN_ARRAY_SIZE(files); i++)
        if (files[i] && access(files[i], R_OK) < 0)
            return nn_error_set(error, -errno, "%s: %s", files[i], strerror(errno));
    if (!options->ca_file) {
        code = mosquitto_int_option(mosq, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
        if (code != MOSQ_ERR_SUCCESS)
            return nn_error_set(error, from_mosquitto(code), "TLS: %s", mosquitto_strerror(code));
    }
    code = mosquitto_tls_set(mosq, options->ca_file, NULL, options->cert_file, options->key_file,
                             NULL);
    if (code != MOSQ_ERR_SUCCESS && options->ca_file)
        return nn_error_set(error, from_mosquitto(code), "TLS: %s", mosquitto_strerror(code));
    code = mosquitto_tls_opts_set(mosq, 1, NULL, NULL);
    if (code != MOSQ_ERR_SUCCESS)
        return nn_error_set(error, from_mosquitto(code), "TLS: %s", mosquitto_strerror(code));
    return 0;
}

static int set_up(struct mosquitto *mosq, const PlatedMqttOptions *options, NnError *error)
{
    int code;

    code = mosquitto_int_option(mosq, MOSQ_OPT_PROTOCOL_VERSION, options->protocol);
    if (code == MOSQ_ERR_SUCCESS)
        code = mosquitto_int_option(mosq, MOSQ_OPT_TCP_NODELAY, 1);
    if (code == MOSQ_ERR_SUCCESS && options->username)
        code = mosquitto_username_pw_set(mosq, options->username, options->password);
    if (code == MOSQ_ERR_SUCCESS && options->will_topic)
        code = mosquitto_will_set(mosq, options->will_topic, (int)strlen(options->will_payload),
                                  options->will_payload, 1, true);
    if (code != MOSQ_ERR_SUCCESS)
        return nn_error_set(error, from_mosquitto(code), "MQTT: %s", mosquitto_strerror(code));
    mosquitto_connect_v5_callback_set(mosq, on_connect);
    mosquitto_disconnect_v5_callback_set(mosq, on_disconnect);
    mosquitto_publish_v5_callback_set(mosq, on_publish);
    mosquitto_message_v5_callback_set(mosq, on_message);
    mosquitto_log_callback_set(mosq, on_log);
    return options->tls ? set_tls(mosq, options, error) : 0;
}

/* A client of its own for each connection: what the library still had to send goes with
 * the old one, and only the outbox sends again. */
static int renew(PlatedMqtt *mqtt, NnError *error)
{
    struct mosquitto *mosq = mosquitto_new(mqtt->options.client_id, true, mqtt);
    int r;

    if (!mosq)
        return nn_error_set(error, -errno, "MQTT: %s", strerror(errno));
    r = set_up(mosq, &mqtt->options, error);
    if (r < 0) {
        mosquitto_destroy(mosq);
        return r;
    }
    if (mqtt->mosq)
        mosquitto_destroy(mqtt->mosq);
    mqtt->mosq = mosq;
    g_array_set_size(mqtt->acknowledgements, 0);
    g_hash_table_remove_all(mqtt->unacknowledged);
    return 0;
}

int plated_mqtt_new(const PlatedMqttOptions *options, const PlatedMqttCallbacks *callbacks,
                    void *userdata, PlatedMqtt **ret_mqtt, NnError *error)
{
    _cleanup_(plated_mqtt_freep) PlatedMqtt *mqtt = g_new0(PlatedMqtt, 1);
    int r;

    mosquitto_lib_init();
    options_copy(options, &mqtt->options);
    mqtt->v5 = options->protocol == 5;
    mqtt->callbacks = *callbacks;
    mqtt->userdata = userdata;
    mqtt->acknowledgements = g_array_new(FALSE, FALSE, sizeof(Acknowledgement));
    mqtt->unacknowledged = g_hash_table_new(g_direct_hash, g_direct_equal);
    g_queue_init(&mqtt->messages);
    r = renew(mqtt, error);
    if (r < 0)
        return r;
    *ret_mqtt = NN_TAKE(mqtt);
    return 0;
}

static void clear_timer(guint *timer)
{
    if (*timer)
        g_source_remove(*timer);
    *timer = 0;
}

static void detach(PlatedMqtt *mqtt)
{
    clear_timer(&mqtt->misc_timer);
    clear_timer(&mqtt->answer_timer);
    if (mqtt->io) {
        g_source_destroy(mqtt->io);
        g_source_unref(mqtt->io);
        mqtt->io = NULL;
    }
}

PlatedMqtt *plated_mqtt_free(PlatedMqtt *mqtt)
{
    if (!mqtt)
        return NULL;
    detach(mqtt);
    clear_timer(&mqtt->retry_timer);
    if (mqtt->phase == PHASE_LOOKUP) {
        mqtt->doomed = true;
        return NULL;
    }
    if (mqtt->mosq)
        mosquitto_destroy(mqtt->mosq);
    mosquitto_lib_cleanup();
    g_array_free(mqtt->acknowledgements, TRUE);
    g_hash_table_unref(mqtt->unacknowledged);
    g_queue_clear_full(&mqtt->messages, message_free);
    g_free(mqtt->last_sentence);
    g_free(mqtt->library_error);
    options_clear(&mqtt->options);
    g_free(mqtt);
    return NULL;
}

/* ---- connecting ---------------------------------------------------------- */

static gboolean retry_due(gpointer userdata)
{
    PlatedMqtt *mqtt = userdata;

    mqtt->retry_timer = 0;
    attempt(mqtt);
    return G_SOURCE_REMOVE;
}

static void fail(PlatedMqtt *mqtt, const char *reason)
{
    g_autofree char *sentence =
        g_strdup_printf("broker %s:%d: %s", mqtt->options.host, mqtt->options.port, reason);
    bool again = mqtt->failures > 0 && g_strcmp0(sentence, mqtt->last_sentence) == 0;
    double pause = RETRY_FIRST_S * (double)(1u << NN_MIN(mqtt->failures, 10u));

    detach(mqtt);
    mqtt->phase = PHASE_WAITING;
    mqtt->failures++;
    pause = NN_MIN(pause, RETRY_LONGEST_S) * g_random_double_range(0.5, 1.0);
    mqtt->retry_timer = g_timeout_add((guint)(pause * 1000), retry_due, mqtt);
    g_free(mqtt->last_sentence);
    mqtt->last_sentence = g_strdup(sentence);
    mqtt->callbacks.failed(mqtt->userdata, sentence, again);
}

/* Why the library's last call failed; `code` 0 means that the broker closed. */
static const char *reason_of(const PlatedMqtt *mqtt, int code, int saved_errno)
{
    if (code == MOSQ_ERR_TLS && mqtt->library_error)
        return mqtt->library_error;
    if (code == MOSQ_ERR_TLS)
        return "TLS handshake failed";
    if (code == MOSQ_ERR_EAI)
        return "the name is not known";
    /* Which of them it is depends on who was faster. */
    if (code == MOSQ_ERR_CONN_LOST || code == MOSQ_ERR_SUCCESS ||
        (code == MOSQ_ERR_ERRNO &&
         (saved_errno == 0 || saved_errno == ECONNRESET || saved_errno == EPIPE)))
        return "the connection was lost";
    if (code == MOSQ_ERR_ERRNO)
        return strerror(saved_errno);
    return mqtt->v5 && code >= 128 ? mosquitto_reason_string(code) : mosquitto_strerror(code);
}

static gboolean answer_late(gpointer userdata)
{
    PlatedMqtt *mqtt = userdata;

    mqtt->answer_timer = 0;
    fail(mqtt, "no answer");
    return G_SOURCE_REMOVE;
}

static void note_code(PlatedMqtt *mqtt, int code, int saved_errno)
{
    if (code == MOSQ_ERR_SUCCESS || mqtt->told_disconnect)
        return;
    mqtt->told_disconnect = true;
    mqtt->disconnect_code = code;
    mqtt->disconnect_errno = saved_errno;
}

/* A broker that acknowledges nothing must not make us collect what waits for it. */
static bool acknowledgement_is_late(const PlatedMqtt *mqtt)
{
    return plated_mqtt_is_connected(mqtt) && g_hash_table_size(mqtt->unacknowledged) > 0 &&
           g_get_monotonic_time() - mqtt->heard_us >= ACK_LATE_US;
}

static gboolean misc_due(gpointer userdata)
{
    PlatedMqtt *mqtt = userdata;
    int code = mosquitto_loop_misc(mqtt->mosq);

    note_code(mqtt, code, errno);
    settle(mqtt);
    if (acknowledgement_is_late(mqtt))
        fail(mqtt, "messages are not acknowledged");
    return G_SOURCE_CONTINUE;
}

static bool has_news(const PlatedMqtt *mqtt)
{
    return mqtt->told_connack || mqtt->told_disconnect || mqtt->acknowledgements->len > 0 ||
           !g_queue_is_empty((GQueue *)&mqtt->messages);
}

static gboolean io_prepare(GSource *source, gint *timeout)
{
    IoSource *io = (IoSource *)source;
    bool out = !io->mqtt->tcp_connected || mosquitto_want_write(io->mqtt->mosq);

    *timeout = -1;
    g_source_modify_unix_fd(source, io->tag, G_IO_IN | G_IO_ERR | G_IO_HUP | (out ? G_IO_OUT : 0));
    return has_news(io->mqtt);
}

static gboolean io_check(GSource *source)
{
    IoSource *io = (IoSource *)source;

    return has_news(io->mqtt) || g_source_query_unix_fd(source, io->tag) != 0;
}

/* Whether a connection that was begun without waiting has come about. */
static bool tcp_is_up(PlatedMqtt *mqtt, int fd)
{
    int err = 0;
    socklen_t n = sizeof(err);

    if (mqtt->tcp_connected)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0)
        err = errno;
    if (err) {
        fail(mqtt, strerror(err));
        return false;
    }
    mqtt->tcp_connected = true;
    return true;
}

static gboolean io_dispatch(GSource *source, GSourceFunc callback, gpointer userdata)
{
    IoSource *io = (IoSource *)source;
    PlatedMqtt *mqtt = io->mqtt;
    GIOCondition ready = g_source_query_unix_fd(source, io->tag);
    int code = MOSQ_ERR_SUCCESS;

    if (ready && !tcp_is_up(mqtt, io->fd))
        return G_SOURCE_REMOVE;
    /* First what has come: an acknowledgement counts though nothing can be sent any more. */
    if (ready & (G_IO_IN | G_IO_ERR | G_IO_HUP))
        code = mosquitto_loop_read(mqtt->mosq, 1);
    if (code == MOSQ_ERR_SUCCESS && ready & G_IO_OUT)
        code = mosquitto_loop_write(mqtt->mosq, 1);
    note_code(mqtt, code, errno);
    settle(mqtt);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs io_functions = {
    .prepare = io_prepare,
    .check = io_check,
    .dispatch = io_dispatch,
};

static void attach(PlatedMqtt *mqtt)
{
    int fd = mosquitto_socket(mqtt->mosq);
    IoSource *io;

    mqtt->phase = PHASE_CONNECTING;
    mqtt->tcp_connected = false;
    mqtt->io = g_source_new(&io_functions, sizeof(IoSource));
    io = (IoSource *)mqtt->io;
    io->mqtt = mqtt;
    io->fd = fd;
    io->tag = g_source_add_unix_fd(mqtt->io, fd, G_IO_IN | G_IO_OUT);
    g_source_attach(mqtt->io, NULL);
    mqtt->misc_timer = g_timeout_add_seconds(1, misc_due, mqtt);
    mqtt->answer_timer = g_timeout_add_seconds(ANSWER_S, answer_late, mqtt);
}

typedef struct Lookup {
    int code, saved_errno;
} Lookup;

static void lookup_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancel)
{
    PlatedMqtt *mqtt = data;
    Lookup *lookup = g_new0(Lookup, 1);

    errno = 0;
    lookup->code = mosquitto_connect_async(mqtt->mosq, mqtt->options.host, mqtt->options.port,
                                           mqtt->options.keepalive_s);
    lookup->saved_errno = errno;
    g_task_return_pointer(task, lookup, g_free);
}

static void lookup_done(GObject *source, GAsyncResult *result, gpointer userdata)
{
    PlatedMqtt *mqtt = userdata;
    g_autofree Lookup *lookup = g_task_propagate_pointer(G_TASK(result), NULL);

    mqtt->phase = PHASE_WAITING;
    if (mqtt->doomed) {
        plated_mqtt_free(mqtt);
        return;
    }
    if (mqtt->closing)
        mqtt->phase = PHASE_IDLE;
    else if (lookup->code > MOSQ_ERR_SUCCESS || mosquitto_socket(mqtt->mosq) < 0)
        fail(mqtt, reason_of(mqtt, lookup->code, lookup->saved_errno));
    else
        attach(mqtt);
}

static void attempt(PlatedMqtt *mqtt)
{
    g_autoptr(GTask) task = NULL;
    NnError error = {0};

    if (renew(mqtt, &error) < 0) {
        fail(mqtt, error.message);
        return;
    }
    task = g_task_new(NULL, NULL, lookup_done, mqtt);
    mqtt->phase = PHASE_LOOKUP;
    mqtt->told_connack = mqtt->told_disconnect = false;
    g_clear_pointer(&mqtt->library_error, g_free);
    g_task_set_task_data(task, mqtt, NULL);
    g_task_run_in_thread(task, lookup_in_thread);
}

void plated_mqtt_start(PlatedMqtt *mqtt)
{
    if (mqtt->phase == PHASE_IDLE)
        attempt(mqtt);
}

/* ---- passing on what was told -------------------------------------------- */

static void settle_connack(PlatedMqtt *mqtt)
{
    mqtt->told_connack = false;
    if (mqtt->connack_code == 0) {
        clear_timer(&mqtt->answer_timer);
        mqtt->phase = PHASE_CONNECTED;
        mqtt->connected_us = g_get_monotonic_time();
        mqtt->callbacks.connected(mqtt->userdata);
        return;
    }
    mqtt->told_disconnect = false;
    fail(mqtt, mqtt->v5 ? mosquitto_reason_string(mqtt->connack_code)
                        : mosquitto_connack_string(mqtt->connack_code));
}

static void settle_disconnect(PlatedMqtt *mqtt)
{
    mqtt->told_disconnect = false;
    if (plated_mqtt_is_steady(mqtt))
        mqtt->failures = 0;
    if (mqtt->phase == PHASE_CONNECTING || mqtt->phase == PHASE_CONNECTED)
        fail(mqtt, reason_of(mqtt, mqtt->disconnect_code, mqtt->disconnect_errno));
}

/* Also told of messages that need none, which nobody waits for. */
static void settle_acknowledgement(PlatedMqtt *mqtt, Acknowledgement a)
{
    if (!g_hash_table_remove(mqtt->unacknowledged, GINT_TO_POINTER(a.mid)))
        return;
    mqtt->heard_us = g_get_monotonic_time();
    if (plated_mqtt_is_steady(mqtt))
        mqtt->failures = 0;
    mqtt->callbacks.published(mqtt->userdata, a.mid, a.accepted);
}

/* Callbacks may publish, which may tell more: until there is nothing new. */
static void settle(PlatedMqtt *mqtt)
{
    if (mqtt->settling)
        return;
    mqtt->settling = true;
    while (has_news(mqtt)) {
        if (mqtt->acknowledgements->len > 0) {
            Acknowledgement a = g_array_index(mqtt->acknowledgements, Acknowledgement, 0);

            g_array_remove_index(mqtt->acknowledgements, 0);
            settle_acknowledgement(mqtt, a);
        } else if (!g_queue_is_empty(&mqtt->messages)) {
            Message *message = g_queue_pop_head(&mqtt->messages);
            gsize n;
            const void *payload = g_bytes_get_data(message->payload, &n);

            if (mqtt->callbacks.message)
                mqtt->callbacks.message(mqtt->userdata, message->topic, payload, n,
                                        message->retained);
            message_free(message);
        } else if (mqtt->told_connack) {
            settle_connack(mqtt);
        } else {
            settle_disconnect(mqtt);
        }
    }
    mqtt->settling = false;
}

/* ---- using it ------------------------------------------------------------ */

bool plated_mqtt_is_connected(const PlatedMqtt *mqtt)
{
    return mqtt->phase == PHASE_CONNECTED && !mqtt->told_disconnect;
}

bool plated_mqtt_is_steady(const PlatedMqtt *mqtt)
{
    return mqtt->phase == PHASE_CONNECTED &&
           g_get_monotonic_time() - mqtt->connected_us >= STEADY_US;
}

int plated_mqtt_publish(PlatedMqtt *mqtt, const char *topic, const void *payload, size_t n, int qos,
                        bool retain, int *ret_mid)
{
    int code, mid;

    if (!plated_mqtt_is_connected(mqtt))
        return -ENOTCONN;
    if (n > 256u << 20)
        return -E2BIG;
    code = mosquitto_publish(mqtt->mosq, &mid, topic, (int)n, payload, qos, retain);
    if (code != MOSQ_ERR_SUCCESS)
        return from_mosquitto(code);
    if (qos > 0) {
        if (g_hash_table_size(mqtt->unacknowledged) == 0)
            mqtt->heard_us = g_get_monotonic_time();
        g_hash_table_add(mqtt->unacknowledged, GINT_TO_POINTER(mid));
    }
    if (ret_mid)
        *ret_mid = mid;
    return 0;
}

int plated_mqtt_publish_fleeting(PlatedMqtt *mqtt, const char *topic, const void *payload, size_t n,
                                 uint32_t expiry_s)
{
    mosquitto_property *properties = NULL;
    int code = MOSQ_ERR_SUCCESS;

    if (!plated_mqtt_is_connected(mqtt))
        return -ENOTCONN;
    if (mqtt->v5)
        code =
            mosquitto_property_add_int32(&properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, expiry_s);
    if (code == MOSQ_ERR_SUCCESS)
        code = mosquitto_publish_v5(mqtt->mosq, NULL, topic, (int)n, payload, 0, false, properties);
    mosquitto_property_free_all(&properties);
    return from_mosquitto(code);
}

int plated_mqtt_subscribe(PlatedMqtt *mqtt, const char *topic)
{
    if (!plated_mqtt_is_connected(mqtt))
        return -ENOTCONN;
    return from_mosquitto(mosquitto_subscribe(mqtt->mosq, NULL, topic, 1));
}

/* Closing a socket on which something waits to be read resets the connection, and
 * the broker loses what it has not read either. */
static void read_to_end(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char ignored[512];

    shutdown(fd, SHUT_WR);
    while (poll(&wait, 1, LAST_WORDS_MS) > 0 && recv(fd, ignored, sizeof(ignored), 0) > 0)
        ;
    close(fd);
}

static void say_goodbye(PlatedMqtt *mqtt)
{
    int fd = dup(mosquitto_socket(mqtt->mosq));

    mosquitto_disconnect(mqtt->mosq); /* closes its own */
    if (fd >= 0)
        read_to_end(fd);
}

void plated_mqtt_disconnect(PlatedMqtt *mqtt)
{
    clear_timer(&mqtt->retry_timer);
    if (mqtt->phase == PHASE_CONNECTED)
        say_goodbye(mqtt);
    mqtt->closing = true;
    detach(mqtt);
    if (mqtt->phase != PHASE_LOOKUP)
        mqtt->phase = PHASE_IDLE;
}
