/* SPDX-License-Identifier: Apache-2.0 */
#include "nnp/section.h"

#include <byteswap.h>
#include <stdio.h>

#include "base/hash.h"
#include "version.h"

static const char *const section_names[_NNP_SECTION_MAX] = {
    [NNP_GRAPH] = "graph",
    [NNP_CONSTANTS] = "constants",
    [NNP_PACKED] = "packed weights",
};

/* No padding: every byte of the file is one that the writer wrote. */
_Static_assert(sizeof(NnpHeader) == 200, "the header has holes");

bool nn_nnp_detect(const void *bytes, size_t n_bytes)
{
    return n_bytes >= sizeof(NNP_MAGIC) - 1 &&
           memcmp(bytes, NNP_MAGIC, sizeof(NNP_MAGIC) - 1) == 0;
}

void nn_nnp_identify(const NnContext *context, NnpHeader *ret_header)
{
    NnpHeader header = { .byte_order = NNP_BYTE_ORDER, .format = NNP_FORMAT };

    memcpy(header.magic, NNP_MAGIC, sizeof(header.magic));
    snprintf(header.engine, sizeof(header.engine), "%s", PLATED_VERSION);
    snprintf(header.isa, sizeof(header.isa), "%s", nn_isa_name(context->isa));
    snprintf(header.tile, sizeof(header.tile), "%s", context->kernels.f32_gemm.name);
    *ret_header = header;
}

static int made_for_another(const NnpHeader *header, const NnpHeader *own, NnError *error)
{
    if (strncmp(header->engine, own->engine, sizeof(own->engine)) != 0)
        return nn_error_set(error, -ENOTSUP, "it was compiled by version %.*s of the engine, this "
                            "is %s: compile it again from the ONNX file",
                            (int)sizeof(header->engine) - 1, header->engine, own->engine);
    if (strncmp(header->isa, own->isa, sizeof(own->isa)) != 0)
        return nn_error_set(error, -ENOTSUP, "it was compiled for %.*s, this machine runs %s: "
                            "compile it again from the ONNX file", (int)sizeof(header->isa) - 1,
                            header->isa, own->isa);
    if (strncmp(header->tile, own->tile, sizeof(own->tile)) != 0)
        return nn_error_set(error, -ENOTSUP, "it was compiled for the kernel %.*s, this machine "
                            "runs %s: compile it again from the ONNX file",
                            (int)sizeof(header->tile) - 1, header->tile, own->tile);
    return 0;
}

static int check_header(const NnContext *context, const NnpHeader *header, size_t n_bytes,
                        NnError *error)
{
    NnpHeader own;

    nn_nnp_identify(context, &own);
    if (header->byte_order == bswap_32(NNP_BYTE_ORDER))
        return nn_error_set(error, -ENOTSUP, "it was compiled on a machine of the other byte "
                            "order: compile it again from the ONNX file");
    if (header->byte_order == NNP_BYTE_ORDER && header->format != NNP_FORMAT)
        return nn_error_set(error, -ENOTSUP, "it has version %u of the compiled format, this "
                            "engine reads %u: compile it again from the ONNX file", header->format,
                            NNP_FORMAT);
    if (header->byte_order != NNP_BYTE_ORDER ||
        header->checksum != nn_hash_bytes(header, offsetof(NnpHeader, checksum)))
        return nn_error_set(error, -EBADMSG, "its header is damaged: the checksum is wrong");
    if (header->file_bytes > n_bytes)
        return nn_error_set(error, -EBADMSG, "it is cut short: %zu bytes of %llu", n_bytes,
                            (unsigned long long)header->file_bytes);
    if (header->file_bytes < n_bytes)
        return nn_error_set(error, -EBADMSG, "it holds %zu bytes, its header says %llu", n_bytes,
                            (unsigned long long)header->file_bytes);
    return made_for_another(header, &own, error);
}

static int open_section(const NnpHeader *header, NnpSectionId id, const uint8_t *bytes,
                        bool check, NnpBytes *ret, NnError *error)
{
    const NnpSection *s = &header->sections[id];

    if (s->offset % NNP_ALIGN != 0 || s->offset < sizeof(*header) ||
        s->offset > header->file_bytes || s->bytes > header->file_bytes - s->offset)
        return nn_error_set(error, -EBADMSG, "its section of %s does not lie within the file",
                            section_names[id]);
    if (check && nn_hash_bytes(bytes + s->offset, s->bytes) != s->checksum)
        return nn_error_set(error, -EBADMSG, "its section of %s is damaged: the checksum is wrong",
                            section_names[id]);
    *ret = (NnpBytes){ bytes + s->offset, s->bytes };
    return 0;
}

int nn_nnp_open(const NnContext *context, const void *bytes, size_t n_bytes, bool check_all,
                NnpBytes ret_sections[_NNP_SECTION_MAX], NnError *error)
{
    NnpHeader header;
    int r;

    if (n_bytes < sizeof(header))
        return nn_error_set(error, -EBADMSG, "it is cut short: %zu bytes", n_bytes);
    memcpy(&header, bytes, sizeof(header));
    r = check_header(context, &header, n_bytes, error);
    for (size_t i = 0; r >= 0 && i < _NNP_SECTION_MAX; i++)
        r = open_section(&header, i, bytes,
                         check_all || i == NNP_GRAPH ||
                             header.sections[i].bytes <= NNP_CHECKED_BYTES,
                         &ret_sections[i], error);
    return r;
}
