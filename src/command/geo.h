/* geo: what the commands on places share. Places are members of a zset, their geohashes (type/geohash.h) the scores.
 *
 * Thread rule: as command/call.h. Nothing is owned.
 */
#ifndef LARDER_COMMAND_GEO_H
#define LARDER_COMMAND_GEO_H

#include "command/collection.h"
#include "type/geohash.h"
#include "type/zset.h"

/* Words: false after an error was replied. */
bool geo_place(struct call *c, int arg, struct geohash_place *out);      /* longitude and latitude, at arg and behind it */
bool geo_unit(struct call *c, int arg, double *metres);
bool geo_number(struct call *c, int arg, double *out, const char *error);

void geo_reply_distance(struct resp_writer *w, double distance);         /* four digits behind the point */
void geo_reply_place(struct resp_writer *w, struct geohash_place p);

/* GEOSEARCH and GEORADIUS with all that belongs to them: geo_search.c. */
void geo_search(struct call *c);
void geo_searchstore(struct call *c);
void geo_radius(struct call *c);
void geo_radius_ro(struct call *c);
void geo_radiusbymember(struct call *c);
void geo_radiusbymember_ro(struct call *c);

#endif
