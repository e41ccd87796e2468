/* rdb_foreign: the parts of an RDB file that larder has no place for, parsed so far as to find where they end.
 *
 * Thread rule: as the reader's. Nothing is allocated for what they say, but for what the reader's refill needs.
 */
#ifndef LARDER_SNAPSHOT_RDB_FOREIGN_H
#define LARDER_SNAPSHOT_RDB_FOREIGN_H

#include "snapshot/rdb_wire.h"

enum rdb_status rdb_foreign_lengths(struct rdb_reader *in, unsigned n);
enum rdb_status rdb_foreign_string(struct rdb_reader *in);
enum rdb_status rdb_foreign_module(struct rdb_reader *in); /* behind the module's number */
enum rdb_status rdb_foreign_stream(struct rdb_reader *in, uint8_t type);

#endif
