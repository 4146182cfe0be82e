/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What stands in a compiled model file; docs/nnp.md tells it in words. Numbers are
 * in the byte order of the machine that wrote them, so that they are used where
 * they lie. */

#include <stdint.h>

#define NNP_MAGIC "\x89NNP\r\n\x1a\n"
#define NNP_BYTE_ORDER 0x01020304u
/* Raised with every change of this page, of the graph section, or of what an
 * operator packs. */
#define NNP_FORMAT 3u
/* Sections begin on a page of every kernel, large pages of arm64 included; read,
 * they may begin on any line of 64 bytes, as what is in them does. */
#define NNP_SECTION_ALIGN ((size_t)64 << 10)
#define NNP_ALIGN ((size_t)64)
/* Constants and packed weights that are checked at every load. */
#define NNP_CHECKED_BYTES ((size_t)1 << 20)

typedef enum NnpSectionId {
    NNP_GRAPH,
    NNP_CONSTANTS,
    NNP_PACKED,
    _NNP_SECTION_MAX,
} NnpSectionId;

typedef struct NnpSection {
    uint64_t offset, bytes;
    uint64_t checksum;
} NnpSection;

typedef struct NnpHeader {
    uint8_t magic[8];
    uint32_t byte_order;
    uint32_t format;
    char engine[32];    /* version; this and the next two end in NUL */
    char isa[16];
    char tile[48];      /* the kernel whose panels the weights stand in */
    uint64_t file_bytes;
    NnpSection sections[_NNP_SECTION_MAX];
    uint64_t checksum;  /* of all before it */
} NnpHeader;

/* How a value stands in the graph section. */
typedef enum NnpValueKind {
    NNP_VALUE_PLAIN,    /* made by a node, or an input */
    NNP_VALUE_CONSTANT, /* tensor, offset in the constants */
    NNP_VALUE_PACKED,   /* tensor without data: some node holds it packed */
    _NNP_VALUE_MAX,
} NnpValueKind;
