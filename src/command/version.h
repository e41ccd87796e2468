/* version: which Redis this daemon speaks as, and which larder it is.
 *
 * Clients look at the Redis version to know what a server can do (some refuse to start below 7.2), so HELLO and INFO say
 * that one; our own has its own field. Thread rule: constants.
 */
#ifndef LARDER_COMMAND_VERSION_H
#define LARDER_COMMAND_VERSION_H

#define REDIS_VERSION "7.2.4"

#ifdef PACKAGE_VERSION
#define LARDER_VERSION PACKAGE_VERSION
#else
#define LARDER_VERSION "0" /* a file compiled by hand, without configure */
#endif

#endif
