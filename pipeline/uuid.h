/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "lpr.h"

/* A random UUID, version 4 (RFC 9562). */
void lpr_uuid_random(char ret_id[LPR_UUID_BYTES]);
