/* SPDX-License-Identifier: Apache-2.0 */

/* From a program to a file: the graph section is built in memory, constants and
 * packed weights go out from where they are. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/limits.h"
#include "nnp/section.h"

/* A block of a data section; its place follows from those before it. */
typedef struct Piece {
    const void *data;
    size_t bytes;
} Piece;

typedef struct Pieces {
    Piece *list;
    size_t n;
    size_t bytes;       /* of the section, each block padded to a line */
} Pieces;

typedef struct Writer {
    const NnProgram *program;
    const NnGraph *graph;
    NnValueId *map;     /* of each value: its number in the file, or NN_NO_VALUE */
    uint8_t *read;      /* of each value: its data is needed, and not only packed */
    size_t n_values;
    uint8_t *bytes;     /* the graph section */
    size_t n, capacity;
    bool failed;        /* no memory */
    Pieces constants, packed;
    NnError *error;
} Writer;

static void writer_clear(Writer *writer)
{
    free(writer->map);
    free(writer->read);
    free(writer->bytes);
    free(writer->constants.list);
    free(writer->packed.list);
}

static void put(Writer *writer, const void *bytes, size_t n)
{
    if (writer->failed || n == 0)
        return;
    if (writer->capacity - writer->n < n) {
        size_t capacity = NN_MAX(writer->capacity * 2, writer->n + n);
        uint8_t *bigger = realloc(writer->bytes, capacity);

        writer->failed = !bigger;
        if (!bigger)
            return;
        writer->bytes = bigger;
        writer->capacity = capacity;
    }
    memcpy(writer->bytes + writer->n, bytes, n);
    writer->n += n;
}

static void put_u8(Writer *writer, uint8_t x)
{
    put(writer, &x, sizeof(x));
}

static void put_u32(Writer *writer, uint32_t x)
{
    put(writer, &x, sizeof(x));
}

static void put_u64(Writer *writer, uint64_t x)
{
    put(writer, &x, sizeof(x));
}

static void put_f32(Writer *writer, float x)
{
    put(writer, &x, sizeof(x));
}

static void put_string(Writer *writer, const char *s)
{
    s = s ? s : "";
    put_u32(writer, (uint32_t)strlen(s));
    put(writer, s, strlen(s));
}

static void put_tensor(Writer *writer, const NnTensor *tensor)
{
    put_u8(writer, tensor->dtype);
    put_u8(writer, tensor->rank);
    for (int i = 0; i < tensor->rank; i++)
        put_u64(writer, (uint64_t)tensor->dims[i]);
}

/* Adds a block to a data section and puts its offset into the graph. */
static void put_piece(Writer *writer, Pieces *pieces, const void *data, size_t bytes)
{
    put_u64(writer, pieces->bytes);
    pieces->list[pieces->n++] = (Piece){ data, bytes };
    pieces->bytes += nn_align_up(bytes, NNP_ALIGN);
}

static void map_value(Writer *writer, NnValueId id)
{
    if (id != NN_NO_VALUE && writer->map[id] == NN_NO_VALUE)
        writer->map[id] = (NnValueId)writer->n_values++;
}

static void map_step(Writer *writer, const NnStep *step)
{
    const NnNode *node = step->node;

    for (size_t i = 0; i < node->n_inputs; i++) {
        map_value(writer, node->inputs[i]);
        if (node->inputs[i] != NN_NO_VALUE && !(step->state && i == nn_packed_input(node->op)))
            writer->read[node->inputs[i]] = 1;
    }
    for (size_t i = 0; i < node->n_outputs; i++)
        map_value(writer, node->outputs[i]);
}

/* Numbers what nodes, inputs and outputs name: passes leave values that nobody does. */
static int map_values(Writer *writer)
{
    const NnGraph *graph = writer->graph;
    size_t n = NN_MAX(graph->n_values, 1);

    writer->map = malloc(n * sizeof(writer->map[0]));
    writer->read = calloc(n, 1);
    writer->constants.list = calloc(n, sizeof(Piece));
    writer->packed.list = calloc(NN_MAX(graph->n_nodes, 1), sizeof(Piece));
    if (!writer->map || !writer->read || !writer->constants.list || !writer->packed.list)
        return -ENOMEM;
    memset(writer->map, 0xff, n * sizeof(writer->map[0]));
    for (size_t i = 0; i < graph->n_inputs; i++)
        map_value(writer, graph->inputs[i]);
    for (size_t i = 0; i < writer->program->n_steps; i++)
        map_step(writer, &writer->program->steps[i]);
    for (size_t i = 0; i < graph->n_outputs; i++) {
        map_value(writer, graph->outputs[i]);
        writer->read[graph->outputs[i]] = 1;
    }
    return 0;
}

static int put_value(Writer *writer, const NnValue *value)
{
    bool read = writer->read[value - writer->graph->values] && value->tensor.data;
    size_t bytes;
    int r;

    put_string(writer, value->name);
    if (!value->constant) {
        put_u8(writer, NNP_VALUE_PLAIN);
        return 0;
    }
    put_u8(writer, read ? NNP_VALUE_CONSTANT : NNP_VALUE_PACKED);
    put_tensor(writer, &value->tensor);
    r = nn_tensor_bytes(&value->tensor, &bytes);
    if (r < 0)
        return nn_error_set(writer->error, r, "constant '%s' is too large", value->name);
    if (read)
        put_piece(writer, &writer->constants, value->tensor.data, bytes);
    return 0;
}

static int put_values(Writer *writer)
{
    const NnGraph *graph = writer->graph;
    _cleanup_free_ const NnValue **values = calloc(NN_MAX(writer->n_values, 1), sizeof(values[0]));
    int r = 0;

    if (!values)
        return -ENOMEM;
    for (size_t i = 0; i < graph->n_values; i++)
        if (writer->map[i] != NN_NO_VALUE)
            values[writer->map[i]] = &graph->values[i];
    put_u32(writer, (uint32_t)writer->n_values);
    for (size_t i = 0; i < writer->n_values && r >= 0; i++)
        r = put_value(writer, values[i]);
    return r;
}

static void put_ids(Writer *writer, const NnValueId *ids, size_t n)
{
    put_u32(writer, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        put_u32(writer, (uint32_t)(ids[i] == NN_NO_VALUE ? NN_NO_VALUE : writer->map[ids[i]]));
}

static int put_attribute(Writer *writer, const NnAttribute *a)
{
    size_t bytes;
    int r;

    put_string(writer, a->name);
    put_u8(writer, a->type);
    switch (a->type) {
    case NN_ATTRIBUTE_INT:
        put_u64(writer, (uint64_t)a->i);
        break;
    case NN_ATTRIBUTE_FLOAT:
        put_f32(writer, a->f);
        break;
    case NN_ATTRIBUTE_STRING:
        put_string(writer, a->s);
        break;
    case NN_ATTRIBUTE_TENSOR:
        put_tensor(writer, &a->tensor);
        r = nn_tensor_bytes(&a->tensor, &bytes);
        if (r < 0)
            return nn_error_set(writer->error, r, "attribute '%s' is too large", a->name);
        put(writer, a->tensor.data, bytes);
        break;
    case NN_ATTRIBUTE_INTS:
        put_u32(writer, (uint32_t)a->n);
        put(writer, a->ints, a->n * sizeof(a->ints[0]));
        break;
    case NN_ATTRIBUTE_FLOATS:
        put_u32(writer, (uint32_t)a->n);
        put(writer, a->floats, a->n * sizeof(a->floats[0]));
        break;
    case NN_ATTRIBUTE_STRINGS:
        put_u32(writer, (uint32_t)a->n);
        for (size_t i = 0; i < a->n; i++)
            put_string(writer, a->strings[i]);
        break;
    default:
        return nn_error_set(writer->error, -ENOTSUP,
                            "a compiled file cannot hold its attribute '%s'", a->name);
    }
    return 0;
}

static void put_fused(Writer *writer, const NnNode *node)
{
    NnFused fused;

    put_u8(writer, node->op->fused ? 1 : 0);
    if (!node->op->fused)
        return;
    fused = node->op->fused(node->params);
    put_u8(writer, fused.activation->kind);
    put_u8(writer, *fused.residual);
    put_f32(writer, fused.activation->alpha);
    put_f32(writer, fused.activation->low);
    put_f32(writer, fused.activation->high);
}

/* The operator's own names: a pass may have put it in the place of another. */
static int put_node(Writer *writer, const NnStep *step)
{
    const NnNode *node = step->node;
    int r = 0;

    put_string(writer, node->name);
    put_string(writer, node->op->domain);
    put_string(writer, node->op->type);
    put_u32(writer, (uint32_t)node->opset);
    put_u32(writer, (uint32_t)node->n_attributes);
    for (size_t i = 0; i < node->n_attributes && r >= 0; i++)
        r = put_attribute(writer, &node->attributes[i]);
    if (r < 0)
        return r;
    put_ids(writer, node->inputs, node->n_inputs);
    put_ids(writer, node->outputs, node->n_outputs);
    put_fused(writer, node);
    if (step->state && !node->op->check_state)
        return nn_error_set(writer->error, -ENOTSUP,
                            "a compiled file cannot hold what it has made of its weights");
    if (step->state)
        put_piece(writer, &writer->packed, step->state, step->state_bytes);
    else
        put_u64(writer, 0);
    put_u64(writer, step->state ? step->state_bytes : 0);
    return 0;
}

static int put_graph(Writer *writer)
{
    const NnGraph *graph = writer->graph;
    int r;

    put_string(writer, graph->name);
    put_string(writer, graph->producer);
    put_u32(writer, (uint32_t)graph->opset);
    put_u32(writer, (uint32_t)graph->n_metadata);
    for (size_t i = 0; i < graph->n_metadata; i++) {
        put_string(writer, graph->metadata[i].key);
        put_string(writer, graph->metadata[i].value);
    }
    r = put_values(writer);
    if (r < 0)
        return r;
    put_u32(writer, (uint32_t)graph->n_inputs);
    for (size_t i = 0; i < graph->n_inputs; i++) {
        put_u32(writer, (uint32_t)writer->map[graph->inputs[i]]);
        put_tensor(writer, &graph->values[graph->inputs[i]].tensor);
    }
    put_ids(writer, graph->outputs, graph->n_outputs);
    put_u32(writer, (uint32_t)writer->program->n_steps);
    for (size_t i = 0; i < writer->program->n_steps; i++) {
        r = put_node(writer, &writer->program->steps[i]);
        if (r < 0)
            return nn_node_error(writer->program->steps[i].node, r, writer->error);
    }
    return writer->failed ? -ENOMEM : 0;
}

static int write_all(int fd, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;

    while (n > 0) {
        ssize_t written = write(fd, at, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        at += written;
        n -= (size_t)written;
    }
    return 0;
}

static int write_pieces(int fd, const Pieces *pieces, NnpSection *section)
{
    static const uint8_t zeros[NNP_ALIGN];
    NnHash hash;
    int r = 0;

    if (lseek(fd, (off_t)section->offset, SEEK_SET) < 0)
        return -errno;
    nn_hash_start(&hash);
    for (size_t i = 0; i < pieces->n && r >= 0; i++) {
        const Piece *piece = &pieces->list[i];
        size_t padding = nn_align_up(piece->bytes, NNP_ALIGN) - piece->bytes;

        nn_hash_add(&hash, piece->data, piece->bytes);
        nn_hash_add(&hash, zeros, padding);
        r = write_all(fd, piece->data, piece->bytes);
        if (r >= 0)
            r = write_all(fd, zeros, padding);
    }
    section->checksum = nn_hash_end(&hash);
    return r;
}

static void place_sections(const Writer *writer, size_t align, NnpHeader *header)
{
    const size_t bytes[] = {
        [NNP_GRAPH] = writer->n,
        [NNP_CONSTANTS] = writer->constants.bytes,
        [NNP_PACKED] = writer->packed.bytes,
    };
    size_t at = sizeof(*header);

    for (size_t i = 0; i < _NNP_SECTION_MAX; i++) {
        header->sections[i].offset = nn_align_up(at, i == NNP_GRAPH ? NNP_ALIGN : align);
        header->sections[i].bytes = bytes[i];
        at = header->sections[i].offset + bytes[i];
    }
    /* Whole lines, also behind a graph without data. */
    header->file_bytes = nn_align_up(at, NNP_ALIGN);
}

static int write_sections(int fd, const Writer *writer, NnpHeader *header)
{
    NnpSection *graph = &header->sections[NNP_GRAPH];
    int r;

    if (ftruncate(fd, (off_t)header->file_bytes) < 0)
        return -errno;
    if (lseek(fd, (off_t)graph->offset, SEEK_SET) < 0)
        return -errno;
    graph->checksum = nn_hash_bytes(writer->bytes, writer->n);
    r = write_all(fd, writer->bytes, writer->n);
    if (r >= 0)
        r = write_pieces(fd, &writer->constants, &header->sections[NNP_CONSTANTS]);
    if (r >= 0)
        r = write_pieces(fd, &writer->packed, &header->sections[NNP_PACKED]);
    if (r < 0)
        return r;
    header->checksum = nn_hash_bytes(header, offsetof(NnpHeader, checksum));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    r = write_all(fd, header, sizeof(*header));
    return r < 0 || fsync(fd) == 0 ? r : -errno;
}

/* A new file beside `path`, so that renaming it is one step. */
static int open_beside(const char *path, char *name, size_t n)
{
    for (int i = 0; i < 100; i++) {
        int length = snprintf(name, n, "%s.%ld-%d.tmp", path, (long)getpid(), i), fd;

        if (length < 0 || (size_t)length >= n)
            return -ENAMETOOLONG;
        fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd >= 0 ? fd : -errno;
    }
    return -EEXIST;
}

/* The rename itself must outlive a power cut. */
static int sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *directory =
        slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd, r;

    if (!directory)
        return -ENOMEM;
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return r;
}

static int write_file(const Writer *writer, const char *path, NnpHeader *header)
{
    char name[4096];
    int fd, r;

    fd = open_beside(path, name, sizeof(name));
    if (fd < 0)
        return fd;
    r = write_sections(fd, writer, header);
    if (close(fd) < 0 && r >= 0)
        r = -errno;
    if (r >= 0 && rename(name, path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(name);
        return r;
    }
    return sync_directory(path);
}

int nn_nnp_write(const NnProgram *program, const char *path, size_t align, NnError *error)
{
    _cleanup_(writer_clear) Writer writer = {
        .program = program,
        .graph = program->graph,
        .error = error,
    };
    NnpHeader header;
    int r;

    r = map_values(&writer);
    if (r >= 0)
        r = put_graph(&writer);
    if (r == -ENOMEM)
        return nn_error_set(error, r, "%s: out of memory", path);
    if (r < 0)
        return nn_error_prefix(error, r, "%s", path);
    nn_nnp_identify(program->context, &header);
    place_sections(&writer, align, &header);
    if (header.file_bytes > NN_LIMIT_FILE_BYTES)
        return nn_error_set(error, -E2BIG, "%s: it would be larger than %zu MiB", path,
                            NN_LIMIT_FILE_BYTES >> 20);
    r = write_file(&writer, path, &header);
    return r < 0 ? nn_error_set(error, r, "%s: %s", path, strerror(-r)) : 0;
}
