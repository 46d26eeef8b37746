/*
** What the test and the fuzzer of the native part share: assertions, packing of values, opening.
*/
#ifndef NATIVE_H
#define NATIVE_H
#include "muster.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what) do{ \
  if( !(what) ){ fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); abort(); } \
}while(0)

/* Packed values; the memory is of just their length, so that the sanitizer sees what is read behind it. */
typedef struct Packed { u8 *bytes; int n; } Packed;

static inline void packBytes(Packed *p, const void *bytes, int n){
  p->bytes = realloc(p->bytes, (size_t)(p->n+n) + (p->n+n==0));
  if( n ) memcpy(p->bytes+p->n, bytes, (size_t)n);
  p->n += n;
}
static inline void packTag(Packed *p, u8 tag){ packBytes(p, &tag, 1); }
static inline void packInteger(Packed *p, i64 v){ packTag(p, 1); packBytes(p, &v, 8); }
static inline void packReal(Packed *p, double v){ packTag(p, 2); packBytes(p, &v, 8); }
static inline void packData(Packed *p, u8 tag, const void *bytes, u32 n){
  packTag(p, tag); packBytes(p, &n, 4); packBytes(p, bytes, (int)n);
}
static inline void packEnd(Packed *p){ free(p->bytes); p->bytes = 0; p->n = 0; }

static inline void freely(Control *c){
  memset(c, 0, sizeof(*c));
  c->steps = c->valueBytes = (i64)1<<62;
  c->nowMs = c->timeoutMs = c->tempBytes = -1;
}
static inline Muster *opened(const char *path, Control *c){
  i64 out = 0;
  freely(c);
  CHECK( muster_open(path, SQLITE_OPEN_READWRITE|SQLITE_OPEN_CREATE, "", c, &out)==SQLITE_OK );
  memset(c->random, 0, sizeof(c->random));
  return (Muster*)(intptr_t)out;
}
static inline sqlite3_stmt *prepared(Muster *m, const char *sql, Control *c){
  int n = (int)strlen(sql);
  char *text = malloc((size_t)n+1); /* of its length and no more */
  char *exact = realloc(text, n ? (size_t)n : 1);
  int rc;
  memcpy(exact, sql, (size_t)n);
  rc = muster_prepare(m, exact, n, 1, 1<<20, c);
  free(exact);
  return rc==SQLITE_OK ? (sqlite3_stmt*)(intptr_t)c->statement : 0;
}
/* Runs a statement of which nothing is asked. */
static inline int executed(Muster *m, const char *sql, Control *c){
  sqlite3_stmt *s = prepared(m, sql, c);
  int rc;
  if( !s ) return SQLITE_ERROR;
  rc = muster_run(m, s, 0, 0, c);
  muster_finalize(m, s);
  return rc;
}

#endif
