/*
** Calls of the native part at random, from a seed: SQL out of fragments, values valid and rubbish, buffers of any length,
** calls in any order, small budgets. Built with the sanitizers, which end it where something is amiss.
**
**     muster_fuzz SEED SECONDS FOLDER
*/
#include "native.h"
#include <time.h>

static u32 state[4];
static u32 draw(u32 below){ /* xorshift128 */
  u32 t = state[3], s = state[0];
  state[3] = state[2]; state[2] = state[1]; state[1] = s;
  t ^= t<<11; t ^= t>>8;
  state[0] = t ^ s ^ (s>>19);
  return below ? state[0]%below : state[0];
}
#define PICK(a) a[draw(sizeof(a)/sizeof(*a))]

static const char *const STATEMENTS[] = {
  "CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY, b, c TEXT DEFAULT (random()), d CHECK(d<>5), UNIQUE(b))",
  "CREATE TABLE IF NOT EXISTS u(x REFERENCES t(a) DEFERRABLE INITIALLY DEFERRED, y, z)",
  "CREATE VIRTUAL TABLE IF NOT EXISTS f USING fts5(x, y)", "CREATE VIRTUAL TABLE IF NOT EXISTS r USING rtree(i, a, b)",
  "CREATE VIRTUAL TABLE IF NOT EXISTS o USING fts4(x)", "CREATE INDEX IF NOT EXISTS i ON t(c, d)",
  "CREATE TRIGGER IF NOT EXISTS g AFTER INSERT ON u BEGIN INSERT INTO t(b) VALUES(new.x); END",
  "INSERT INTO t(b, c, d) VALUES($, $, $)", "INSERT OR REPLACE INTO t VALUES($, $, $, $)", "INSERT INTO u VALUES($, $, $)",
  "INSERT INTO f VALUES($, $)", "INSERT INTO o VALUES($)", "INSERT INTO r VALUES($, $, $)", "INSERT INTO f(f) VALUES('optimize')",
  "INSERT INTO t(b) SELECT $ FROM t RETURNING *, $", "UPDATE t SET c = $, d = $ WHERE a > $ RETURNING a, c",
  "DELETE FROM t WHERE b = $ OR a % 3 = $", "DELETE FROM f WHERE rowid = $", "SELECT * FROM t ORDER BY $", "SELECT * FROM u, t",
  "SELECT snippet(f, 0, 'a', 'b', 'c', 9), highlight(f, 1, 'a', 'b') FROM f WHERE f MATCH $", "SELECT * FROM r WHERE a < $",
  "SELECT $, $, $ UNION ALL SELECT $, $, $", "SELECT DISTINCT $ FROM t a, t b GROUP BY $ HAVING $", "BEGIN", "COMMIT", "ROLLBACK",
  "SAVEPOINT s", "RELEASE s", "ROLLBACK TO s", "EXPLAIN SELECT $", "EXPLAIN QUERY PLAN SELECT * FROM t WHERE b = $",
  "PRAGMA table_info(t)", "PRAGMA foreign_keys = 1", "PRAGMA encoding = 'UTF-16le'", "PRAGMA integrity_check", "VACUUM", "ANALYZE",
  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < $) SELECT i, $ FROM n",
  "ALTER TABLE u ADD COLUMN w DEFAULT 5", "ALTER TABLE u DROP COLUMN w", "DROP TABLE IF EXISTS u", "DROP TABLE IF EXISTS f", "REINDEX",
  "", "  -- nothing", "SELECT", "nonsense $", "SELECT 1; SELECT 2", "SELECT json_each.* FROM json_each($)", "SELECT * FROM pragma_table_info('t')",
};
static const char *const EXPRESSIONS[] = {
  "?", "?3", ":n", "1", "-9223372036854775808", "1e999", "0.5", "NULL", "'text'", "''", "x''", "x'00ff'", "a", "b", "rowid",
  "zeroblob($)", "randomblob($)", "random()", "printf('%.*c', $, 'x')", "upper($)", "hex($)", "unhex($, $)", "replace($, $, $)",
  "instr($, $)", "substr($, $, $)", "trim($, $)", "$ || $", "$ + $", "$ LIKE $", "$ GLOB $", "CAST($ AS TEXT)", "CAST($ AS BLOB)",
  "CAST($ AS INTEGER)", "json($)", "json_patch($, $)", "json_group_array($)", "group_concat($)", "(SELECT $ FROM t)", "count(*)",
  "char($, $)", "quote($)", "date($)", "CASE WHEN $ THEN $ ELSE $ END", "RAISE(ABORT, $)", "$ IN ($, $)", "200000", "70000",
  "CAST(zeroblob($) AS TEXT)", "json_object('a', $)", "'{\"a\":[1,2]}'", "max($, $)", "abs($)", "nullif($, $)", "typeof($)",
};

/* Writes a text, with an expression in the place of each `$`; deep down only plain ones. */
static size_t write(char *out, size_t at, size_t room, const char *text, int depth){
  for(; *text && at+1<room; text++){
    if( *text=='$' ) at = write(out, at, room, depth>3 ? EXPRESSIONS[draw(15)] : PICK(EXPRESSIONS), depth+1);
    else out[at++] = *text;
  }
  out[at] = 0;
  return at;
}

static void pack(Packed *p){
  static const char *const texts[] = { "", "a", "text of some length, longer than what is short", "\xff\xfe", "\xed\xa0\x80", "%", "[1,2]" };
  int count = (int)draw(6);
  for(int i=0; i<count; i++){
    u32 large = draw(20)==0 ? draw(300000) : draw(40);
    void *bytes = calloc(1, large+1);
    switch( draw(7) ){
      case 0: packInteger(p, draw(3) ? (i64)draw(100) : (i64)((uint64_t)draw(0)<<32 | draw(0))); break;
      case 1: packReal(p, draw(3) ? draw(100)/8.0 : draw(2) ? 1e308*10 : -(1e308*10)+1e308*10); break;
      case 2: { const char *text = PICK(texts); packData(p, 3, text, (u32)strlen(text)); break; }
      case 3: packData(p, (u8)(3+draw(2)), bytes, large); break;
      case 4: packTag(p, 5); break;
      case 5: if( draw(4)==0 ){ u32 r = draw(0); packBytes(p, &r, 1+(int)draw(4)); } break; /* rubbish */
      case 6: if( draw(6)==0 ){ u32 r = draw(0); packTag(p, (u8)(3+draw(2))); packBytes(p, &r, 4); } break; /* too long */
    }
    free(bytes);
  }
  if( p->n>0 && draw(12)==0 ){ /* cut off */
    p->n = (int)draw((u32)p->n);
    p->bytes = realloc(p->bytes, (size_t)p->n+(p->n==0));
  }
}

static void limit(Control *c){
  i64 keptTicket = c->ticket;
  freely(c);
  c->ticket = (int)keptTicket;
  c->steps = draw(4) ? 20000 + (i64)draw(400000) : (i64)draw(4000)-100;
  c->timeoutMs = draw(8) ? 1000 : (i64)draw(3)-1;
  c->valueBytes = draw(4) ? 4000000 : draw(600000);
  if( draw(3)==0 ) c->tempBytes = draw(200000);
  if( draw(3)==0 ) for(int i=0; i<4; i++) c->random[i] = draw(0);
  if( draw(3)==0 ) c->nowMs = draw(0)*(i64)1000;
  if( draw(20)==0 ) c->cancel = draw(2) ? -1 : c->ticket;
}

/* What is recorded is whole records, end to end. */
static void checkChanges(Muster *m){
  int n = muster_changes(m, 0, 0), at = 0;
  u8 *bytes = malloc(n>0 ? (size_t)n : 1);
  CHECK( n>=0 && muster_changes(m, bytes, n)==n );
  while( at<n ){
    u32 length;
    CHECK( n-at>=5 );
    memcpy(&length, bytes+at, 4);
    CHECK( length>=5 && length<=(u32)(n-at) && bytes[at+4]<=3 && (bytes[at+4]>0 || length==5) );
    at += (int)length;
  }
  free(bytes);
}

/* A statement in use, and the place of the next. */
#define STATEMENTS_MAX 12
static sqlite3_stmt *kept[STATEMENTS_MAX];

static void oneCall(Muster *m, Control *c){
  sqlite3_stmt **place = &kept[draw(STATEMENTS_MAX)];
  int capacity = draw(6)==0 ? 1000000 : (int)draw(draw(2) ? 64 : 5000) - 2;
  u8 *out = malloc(capacity>0 ? (size_t)capacity : 1);
  Packed p = {0};
  limit(c);
  switch( draw(10) ){
    case 0: case 1: {
      char text[4000];
      size_t n = write(text, 0, sizeof(text), PICK(STATEMENTS), 0);
      char *exact = malloc(n+(n==0));
      memcpy(exact, text, n);
      if( *place ) muster_finalize(m, *place);
      *place = 0;
      if( draw(50) ) c->cancel = 0;
      if( muster_prepare(m, exact, draw(40) ? (int)n : -1, (int)draw(2), draw(9) ? 1000 : 0, c)==SQLITE_OK ){
        *place = (sqlite3_stmt*)(intptr_t)c->statement;
      }
      free(exact);
      CHECK( c->tail>=0 && c->tail<=(int)n );
      break;
    }
    case 2: case 3:
      pack(&p);
      muster_run(m, *place, p.bytes, p.n, c);
      break;
    case 4: case 5: case 6:
      pack(&p);
      muster_rows(m, *place, p.bytes, draw(3) ? -1 : p.n, out, capacity, c);
      CHECK( c->used>=0 && c->used<=(capacity>0 ? capacity : 0) );
      break;
    case 7: muster_reset(m, *place, c); break;
    case 8:
      if( draw(3)==0 ){ muster_finalize(m, *place); *place = 0; }
      if( *place ) muster_columns(*place, out, capacity);
      break;
    case 9:
      muster_events(m, out, capacity);
      muster_error(m, out, capacity);
      if( draw(10)==0 ) muster_config(m, (int)draw(40)+995, (int)draw(3)-1);
      if( draw(10)==0 ) muster_recount(m);
      if( draw(8)==0 ) muster_capture(m, draw(4)!=0);
      checkChanges(m);
      muster_changes(m, out, capacity);
      if( draw(3)==0 ) muster_forget(m, 0);
      break;
  }
  packEnd(&p);
  free(out);
}

/* A connection's life. */
static void life(const char *path, int calls){
  Control *c = malloc(sizeof(*c)); /* of its length: it is memory of the caller's */
  Muster *m = opened(path, c);
  sqlite3_limit(muster_connection(m), SQLITE_LIMIT_LENGTH, 2000000);
  executed(m, "PRAGMA journal_mode=WAL", c);
  executed(m, "PRAGMA cache_size=20", c);
  executed(m, "PRAGMA temp_store=FILE", c);
  for(int i=0; i<calls; i++) oneCall(m, c);
  for(int i=0; i<STATEMENTS_MAX; i++) if( kept[i] ){ muster_finalize(m, kept[i]); kept[i] = 0; }
  CHECK( muster_close(m)==SQLITE_OK );
  free(c);
}

int main(int argc, char **argv){
  u32 seed = argc>1 ? (u32)strtoul(argv[1], 0, 10) : 1;
  double seconds = argc>2 ? atof(argv[2]) : 5;
  const char *folder = argc>3 ? argv[3] : ".";
  char path[4096];
  clock_t end = clock() + (clock_t)(seconds*CLOCKS_PER_SEC);
  int lives = 0;
  snprintf(path, sizeof(path), "%s/fuzz.db", folder);
  for(; lives==0 || clock()<end; lives++){
    /* each life has a seed of its own, so that the last one can be had again without those before it */
    state[0] = seed + (u32)lives; state[1] = 0x9e3779b9; state[2] = 0x85ebca6b; state[3] = 0xc2b2ae35;
    for(int i=0; i<20; i++) draw(0);
    fprintf(stderr, "seed %u\n", seed + (u32)lives);
    remove(path);
    life(draw(2) ? path : ":memory:", 400);
  }
  printf("%d connections lived through it, seeds from %u\n", lives, seed);
  return 0;
}
