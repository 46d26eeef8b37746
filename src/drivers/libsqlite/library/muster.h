/*
** What TypeScript and the native part of muster share: the calls, the structure that goes with them, and the form of
** values. src/drivers/libsqlite/control.ts and src/drivers/libsqlite/library.ts say the same.
**
** (1) Values pass as a tag (the fundamental type codes of SQLite) and, in the machine's little-endian order:
**     1 i64 | 2 f64 | 3 u32 length, text | 4 u32 length, bytes | 5 nothing.
** (2) Nothing is read or written past the length that the caller names; what does not fit is reported by its size.
** (3) All calls of one connection come from one thread. A Muster that was closed, and a statement that was finalized,
**     must not be used; everything else that a caller may do wrong is an error.
*/
#ifndef MUSTER_H
#define MUSTER_H
#include "sqlite3.h"
#include <stdint.h>
#ifdef _WIN32
# define EXPORT __declspec(dllexport)
#else
# define EXPORT __attribute__((visibility("default")))
#endif

typedef int64_t i64;
typedef uint32_t u32;
typedef unsigned char u8;
typedef struct Muster Muster;

/* What a statement may do and what it did; control.ts has the same offsets. It may lie in memory shared with others. */
typedef struct Control {
  i64 steps;          /* 0 in/out: steps left */
  i64 nowMs;          /*  8 in: the time that the date functions see, ms since 1970; negative: the system's */
  i64 timeoutMs;      /* 16 in: time for this call; negative: no limit */
  i64 valueBytes;     /* 24 in: what its large allocations may hold together */
  i64 tempBytes;      /* 32 in: length of each temporary file; negative: no limit */
  u32 random[4];      /* 40 in/out: state of the generator; all zero: the system's randomness */
  i64 changes;        /* 56 out: sqlite3_changes64() */
  i64 rowid;          /* 64 out: sqlite3_last_insert_rowid() */
  i64 statement;      /* 72 out: the prepared statement */
  int32_t stop;       /* 80 out: why it was stopped, one of STOP_* */
  int32_t autocommit; /* 84 out: no transaction is open */
  int32_t deferred;   /* 88 out: deferred foreign keys are violated */
  int32_t columns;    /* 92 out, of prepare */
  int32_t parameters; /* 96 out, of prepare */
  int32_t readonly;   /* 100 out, of prepare: 1 reads only, 2 is an EXPLAIN */
  int32_t used;       /* 104 out: bytes written to the caller's buffer */
  int32_t needed;     /* 108 out: bytes that the next row takes, where the buffer is too short for it */
  int32_t ioCode;     /* 112 out: result code of the last failed operation on a file; 0: none failed */
  int32_t ioErrno;    /* 116 out: the system's number for it */
  int32_t ioFile;     /* 120 out: the file, one of FILE_* */
  int32_t tail;       /* 124 out, of prepare: bytes of the text that were used */
  volatile int32_t ticket; /* 128 in: number of the request that the caller works for */
  volatile int32_t cancel; /* 132 in, by any thread, at any time: end the request of that number; -1: end any */
} Control;

enum { STOP_NONE, STOP_STEPS, STOP_TIME, STOP_CANCELLED, STOP_MEMORY, STOP_TEMP, STOP_COMPILE };
enum { FILE_NONE, FILE_DATABASE, FILE_WAL, FILE_TEMPORARY, FILE_OTHER };

/* Opens a connection. `temporary`: folder of temporary files, as the first call of the process says. `out` takes the
** Muster, also where opening failed: muster_error() tells why, muster_close() ends it. */
EXPORT int muster_open(const char *path, int flags, const char *temporary, Control *c, i64 *out);

/* Closes it. The caller has finalized its statements; those of virtual tables go with it. */
EXPORT int muster_close(Muster *m);

/* The connection, for functions of SQLite's own. */
EXPORT sqlite3 *muster_connection(Muster *m);

/* The two-argument forms of sqlite3_db_config(): sets, and returns what holds then; -1: unknown. */
EXPORT int muster_config(Muster *m, int what, int value);

/* Compiles the first statement of a text; `mayPragma` lets PRAGMAs with a value through, which act at once. After so many
** `looks` it gives up; each takes some of Control.steps. What was stopped leaves no statement. */
EXPORT int muster_prepare(Muster *m, const char *sql, int n, int mayPragma, i64 looks, Control *c);

EXPORT int muster_finalize(Muster *m, sqlite3_stmt *s);

/* Copies the events of the last compilation; returns their bytes, also where there is no room for them. An event:
** u8 action | u8 which arguments are there | for each of them u32 length, text. */
EXPORT int muster_events(Muster *m, u8 *out, int capacity);

/* Name, table and declared type of each column, as u32 length (0xffffffff: NULL), text; returns the bytes they take. */
EXPORT int muster_columns(sqlite3_stmt *s, u8 *out, int capacity);

/* Message of the last error, in the same form. */
EXPORT int muster_error(Muster *m, u8 *out, int capacity);

/* Where bytes lie: a caller that passes the same ones again and again passes their address instead, which is quicker
** through a foreign function interface. It keeps them meanwhile, and where they are. */
EXPORT const void *muster_address(const void *bytes);

/* Binds `n` bytes of packed values, or goes on with -1; runs the statement to its end, resets it. Rows go nowhere. */
EXPORT int muster_run(Muster *m, sqlite3_stmt *s, const u8 *values, int n, Control *c);

/* Rows of a statement, as many as `out` holds. With `n` of 0 or more it begins: binds and steps; with -1 it goes on.
** SQLITE_ROW: there is more, and where Control.needed is not 0, the next row takes that many bytes. Otherwise it has
** ended and is reset. */
EXPORT int muster_rows(Muster *m, sqlite3_stmt *s, const u8 *values, int n, u8 *out, int capacity, Control *c);

/* Gives up the rest of a statement's rows. */
EXPORT void muster_reset(Muster *m, sqlite3_stmt *s, Control *c);

/* sqlite3_backup_step() of a copy into `m`. */
EXPORT int muster_backup_step(Muster *m, sqlite3_backup *b, int pages, Control *c);

/* Records from now on the rows of the database "main" that statements change, or no more; what was recorded is dropped.
** Rows of the cluster's own tables and of SQLite's are left out. Statements must be compiled anew: without records SQLite
** empties a table without looking at its rows. */
EXPORT void muster_capture(Muster *m, int on);

/* Copies the records of changed rows; returns their bytes, also where there is no room for them. A record:
** u32 length of all | u8 op: 1 insert, 2 update, 3 delete | i64 rowid before | i64 rowid after | u32 length, table |
** u32 columns | the values before, not of an insert | the values after, not of a delete: tag 0 is a column that is not
** stored. Behind what there was no room for stands one record of five bytes with op 0. */
EXPORT int muster_changes(Muster *m, u8 *out, int capacity);

/* Drops the records behind the first `bytes`: what they tell of was undone, or was taken. */
EXPORT void muster_forget(Muster *m, int bytes);

/* Lets the counts of every statement begin from zero, those of virtual tables as well. */
EXPORT void muster_recount(Muster *m);

/* Has the threads of the process whose names begin with `name` yield to the others: their nice value is that of the
** process and `by` more. Returns how many have it now; 0 elsewhere than on Linux. */
EXPORT int muster_nice(const char *name, int by);

#endif
