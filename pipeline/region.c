/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "engine/base/util.h"
#include "format.h"
#include "region.h"

static const struct {
    const char *code, *name;
} regions[] = {
    {"US-AL", "Alabama"},
    {"US-AK", "Alaska"},
    {"US-AZ", "Arizona"},
    {"US-AR", "Arkansas"},
    {"US-CA", "California"},
    {"US-CO", "Colorado"},
    {"US-CT", "Connecticut"},
    {"US-DE", "Delaware"},
    {"US-DC", "District of Columbia"},
    {"US-FL", "Florida"},
    {"US-GA", "Georgia"},
    {"US-HI", "Hawaii"},
    {"US-ID", "Idaho"},
    {"US-IL", "Illinois"},
    {"US-IN", "Indiana"},
    {"US-IA", "Iowa"},
    {"US-KS", "Kansas"},
    {"US-KY", "Kentucky"},
    {"US-LA", "Louisiana"},
    {"US-ME", "Maine"},
    {"US-MD", "Maryland"},
    {"US-MA", "Massachusetts"},
    {"US-MI", "Michigan"},
    {"US-MN", "Minnesota"},
    {"US-MS", "Mississippi"},
    {"US-MO", "Missouri"},
    {"US-MT", "Montana"},
    {"US-NE", "Nebraska"},
    {"US-NV", "Nevada"},
    {"US-NH", "New Hampshire"},
    {"US-NJ", "New Jersey"},
    {"US-NM", "New Mexico"},
    {"US-NY", "New York"},
    {"US-NC", "North Carolina"},
    {"US-ND", "North Dakota"},
    {"US-OH", "Ohio"},
    {"US-OK", "Oklahoma"},
    {"US-OR", "Oregon"},
    {"US-PA", "Pennsylvania"},
    {"US-RI", "Rhode Island"},
    {"US-SC", "South Carolina"},
    {"US-SD", "South Dakota"},
    {"US-TN", "Tennessee"},
    {"US-TX", "Texas"},
    {"US-UT", "Utah"},
    {"US-VT", "Vermont"},
    {"US-VA", "Virginia"},
    {"US-WA", "Washington"},
    {"US-WV", "West Virginia"},
    {"US-WI", "Wisconsin"},
    {"US-WY", "Wyoming"},
    {"US-AS", "American Samoa"},
    {"US-GU", "Guam"},
    {"US-MP", "Northern Mariana Islands"},
    {"US-PR", "Puerto Rico"},
    {"US-VI", "US Virgin Islands"},
    {"CA-AB", "Alberta"},
    {"CA-BC", "British Columbia"},
    {"CA-MB", "Manitoba"},
    {"CA-NB", "New Brunswick"},
    {"CA-NL", "Newfoundland and Labrador"},
    {"CA-NS", "Nova Scotia"},
    {"CA-NT", "Northwest Territories"},
    {"CA-NU", "Nunavut"},
    {"CA-ON", "Ontario"},
    {"CA-PE", "Prince Edward Island"},
    {"CA-QC", "Quebec"},
    {"CA-SK", "Saskatchewan"},
    {"CA-YT", "Yukon"},
};

const char *lpr_region_name(const char *code)
{
    for (size_t i = 0; i < NN_ARRAY_SIZE(regions); i++)
        if (!strcmp(regions[i].code, code))
            return regions[i].name;
    return NULL;
}

/* Logarithm of how likely the class is, but for a constant. */
static float evidence(const LprContract *contract, const float *logits, int i, const char *plate)
{
    return contract->calibration[0] * logits[i] +
           logf(lpr_format_likelihood(contract->classes[i], plate));
}

void lpr_region_decide(const LprContract *contract, const float *logits, const char *plate,
                       LprRegion *ret_region)
{
    int best = 0;
    float most = evidence(contract, logits, 0, plate), sum = 0;
    for (int i = 1; i < contract->n_classes; i++) {
        float e = evidence(contract, logits, i, plate);
        if (e > most) {
            most = e;
            best = i;
        }
    }
    for (int i = 0; i < contract->n_classes; i++)
        sum += expf(evidence(contract, logits, i, plate) - most);
    *ret_region = (LprRegion){.confidence = 1 / sum};
    const char *name = lpr_region_name(contract->classes[best]);
    if (!name || !isfinite(ret_region->confidence)) {
        ret_region->confidence = 0;
        return;
    }
    snprintf(ret_region->code, sizeof(ret_region->code), "%.7s", contract->classes[best]);
    snprintf(ret_region->name, sizeof(ret_region->name), "%s", name);
}

int lpr_region(LprModel *model, const LprFrame *frame, const LprBox *cut, const char *plate,
               LprScratch *scratch, LprRegion *ret_region, NnError *error)
{
    LprMap map;
    int r = lpr_letterbox(frame, cut, &model->contract.input, scratch,
                          nn_session_input(model->session, 0)->data, &map);
    if (r < 0)
        return nn_error_set(error, r, "out of memory while scaling a plate");
    r = nn_session_run(model->session, error);
    if (r < 0)
        return r;
    lpr_region_decide(&model->contract, nn_session_output(model->session, 0)->data, plate,
                      ret_region);
    return 0;
}
