/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/names.h"

#include <search.h>

typedef struct Entry {
    const char *name; /* the value's own in the tree, which outlives it */
    NnValueId id;
} Entry;

static int compare(const void *a, const void *b)
{
    return strcmp(((const Entry *)a)->name, ((const Entry *)b)->name);
}

NnValueId nn_names_find(const NnNames *names, const char *name)
{
    Entry key = { .name = name };
    Entry *const *found = tfind(&key, &names->root, compare);

    return found ? (*found)->id : NN_NO_VALUE;
}

int nn_names_get(NnNames *names, const char *name, NnValueId *ret_id)
{
    NnValueId id = nn_names_find(names, name);
    _cleanup_free_ Entry *entry = NULL;
    int r;

    if (id != NN_NO_VALUE) {
        *ret_id = id;
        return 0;
    }
    entry = malloc(sizeof(*entry));
    if (!entry)
        return -ENOMEM;
    r = nn_graph_add_value(names->graph, name, &id);
    if (r < 0)
        return r;
    *entry = (Entry){ .name = names->graph->values[id].name, .id = id };
    if (!tsearch(entry, &names->root, compare))
        return -ENOMEM;
    entry = NULL; /* the tree's now */
    *ret_id = id;
    return 0;
}

void nn_names_clear(NnNames *names)
{
    tdestroy(names->root, free);
    names->root = NULL;
}
