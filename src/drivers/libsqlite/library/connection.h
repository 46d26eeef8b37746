/*
** A connection, as the files of the native part see it.
*/
#ifndef CONNECTION_H
#define CONNECTION_H
#include "muster.h"

enum { IDLE, COMPILING, RUNNING, RECOMPILING };

/* What a statement has used. */
typedef struct Meter {
  i64 held;                     /* bytes of large allocations; while compiling, of all */
  i64 work;                     /* units since the last look */
  i64 comparisons;              /* units of the compiler since the last look */
  u32 epoch;                    /* marks the allocations that count: those of earlier statements do not */
} Meter;

struct Muster {
  sqlite3 *db;
  Control *c;                   /* of the call that runs */
  double untilMs;               /* when the call must end; 0: no limit */
  int phase;
  int mayPragma;                /* PRAGMAs with a value may be compiled, and act */
  i64 compileLooks;             /* looks left to the compiler */
  i64 compileLooksMax;          /* what it has for a statement */
  Meter meter;
  sqlite3_stmt *pending;        /* has a row that did not fit */
  u8 *events;                   /* the authorizer's, since the last prepare */
  int eventBytes, eventCapacity, lastEvent;
  sqlite3_stmt *running;        /* begun last */
  u8 *changes;                  /* records of changed rows */
  int changeBytes, changeCapacity;
  int changesBefore;            /* their bytes when the running statement began */
  int isCut;                    /* ends with the record of what there was no room for */
};

/* Bytes of a value behind its tag, without those of a text or a BLOB. */
static inline int widthOf(int tag){ return tag==SQLITE_NULL ? 0 : tag==SQLITE_INTEGER || tag==SQLITE_FLOAT ? 8 : 4; }

/* Binds packed values (values.c). `keep`: of BLOBs; texts are always copied, as SQLite copies those without a NUL later. */
int muster_bind(sqlite3_stmt *s, const u8 *values, int n, sqlite3_destructor_type keep);

/* Puts the current row at out[at] as far as it fits, and returns where it ends or would end; -1: no memory. */
i64 muster_put_row(sqlite3_stmt *s, int columns, u8 *out, i64 at, int capacity);

#endif
