/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/random.h>

#include "engine/base/util.h"
#include "uuid.h"

void lpr_uuid_random(char ret_id[LPR_UUID_BYTES])
{
    uint8_t b[16];
    size_t n = 0;
    /* Without flags getrandom waits for the pool to be filled at boot and cannot fail otherwise. */
    while (n < sizeof(b)) {
        ssize_t got = getrandom(b + n, sizeof(b) - n, 0);
        if (got > 0)
            n += (size_t)got;
        else if (got < 0 && errno != EINTR)
            abort();
    }
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(ret_id, LPR_UUID_BYTES,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}
