/*
** The native part of muster: what SQLite needs beside it so that TypeScript can drive it through a foreign function
** interface. It binds, steps and copies rows in one call, counts what a statement does, and tells what has happened.
** It decides nothing: limits, policy, classification of errors and rendering are TypeScript (driver.ts, failure.ts).
**
** A connection is a Muster. All calls of one connection come from one thread. While a call runs, the thread's variable
** `current` points to its Muster and Muster.c to the caller's Control, so that code deep inside SQLite (the allocator, the
** virtual file system, the loops named in scripts/sqlite/patches.ts) finds the statement that it works for.
**
** (1) A statement is stopped between two looks by onProgress(); a look comes after every GRAIN steps of the virtual
**     machine and after every GRAIN units of work inside one step. Both counts begin at zero with each statement, so
**     that a budget ends a statement at the same place on every machine.
** (2) Once stopped, a statement reports SQLITE_INTERRUPT and Control.stop, even where it came to its end.
** (3) Values pass as a tag (the fundamental type codes of SQLite) and, in the machine's little-endian order:
**     1 i64 | 2 f64 | 3 u32 length, text | 4 u32 length, bytes | 5 nothing.
** (4) Nothing is written past the capacity that the caller names; what does not fit is reported by its size.
*/
#include "sqlite3.h"
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#ifdef _WIN32
# include <windows.h>
# define EXPORT __declspec(dllexport)
#else
# define EXPORT __attribute__((visibility("default")))
#endif

typedef int64_t i64;
typedef uint32_t u32;
typedef unsigned char u8;

#define GRAIN 1000              /* steps, or units of work, between two looks */
#define LARGE (128*1024)        /* allocations from here on count as values: no page is as large */
#define UNIX_EPOCH_MS 210866760000000LL  /* 1970-01-01 as a Julian day, in milliseconds */
#define EVENTS_MAX (4*1024*1024)

/* What a statement may do and what it did; control.ts has the same offsets. It may lie in memory shared with others. */
typedef struct Control {
  i64 steps;          /*  0 in/out: steps left */
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
enum { IDLE, COMPILING, RUNNING };

typedef struct Muster {
  sqlite3 *db;
  Control *c;                   /* of the call that runs */
  double untilMs;               /* when the call must end; 0: no limit */
  int phase;
  i64 held;                     /* bytes of large allocations; while compiling, of all */
  i64 work;                     /* units since the last look */
  i64 compileLooks;             /* looks left to the compiler */
  sqlite3_stmt *pending;        /* has a row that did not fit */
  u8 deny[256];                 /* actions that are refused while compiling; 2: with an argument */
  u8 *events;                   /* the authorizer's, since the last prepare */
  int eventBytes, eventCapacity, lastEvent;
} Muster;

static _Thread_local Muster *current;
static sqlite3_vfs *systemVfs;
static sqlite3_vfs vfs;
static sqlite3_mem_methods systemMemory;

static double monotonicMs(void){
#ifdef _WIN32
  return (double)GetTickCount64();
#else
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec*1e3 + t.tv_nsec/1e6;
#endif
}

/* ---- Looks: the progress handler, and work inside a step ------------------------------------------------------- */

static int stopped(Muster *m, int why){
  if( m->c->stop==STOP_NONE ) m->c->stop = why;
  return 1;
}

static int onProgress(void *arg){
  Muster *m = arg;
  if( !m->c ) return 0;
  if( m->c->stop ) return 1;
  if( m->phase==COMPILING ){
    if( --m->compileLooks<0 ) return stopped(m, STOP_COMPILE);
  }else if( m->phase==RUNNING && (m->c->steps -= GRAIN)<0 ){
    return stopped(m, STOP_STEPS);
  }
  if( m->c->cancel && (m->c->cancel==-1 || m->c->cancel==m->c->ticket) ) return stopped(m, STOP_CANCELLED);
  if( m->untilMs>0 && monotonicMs()>m->untilMs ) return stopped(m, STOP_TIME);
  return 0;
}

/* Called by SQLite's own long loops, see scripts/sqlite/patches.ts. Not zero: return early, the result is not used. */
int muster_work(i64 units){
  Muster *m = current;
  if( !m || !m->c ) return 0;
  m->work += units;
  if( m->work<GRAIN ) return m->c->stop!=0;
  for(; m->work>=GRAIN; m->work -= GRAIN) if( onProgress(m) ){ m->work = 0; return 1; }
  return 0;
}

/* ---- Randomness: xoshiro128** (Blackman and Vigna, 2018) from the statement's own state ------------------------ */

static u32 rotl(u32 x, int k){ return (x<<k) | (x>>(32-k)); }

/* Takes the place of sqlite3_randomness() wherever its bytes end up in data. */
void muster_randomness(int n, void *out){
  Muster *m = current;
  u32 *s = m && m->c ? m->c->random : 0;
  u8 *p = out;
  if( !s || !(s[0]|s[1]|s[2]|s[3]) ){ sqlite3_randomness(n, out); return; }
  while( n>0 ){
    u32 r = rotl(s[1]*5, 7)*9, t = s[1]<<9;
    int k = n<4 ? n : 4;
    s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3]; s[2] ^= t; s[3] = rotl(s[3], 11);
    for(int i=0; i<k; i++) *p++ = (u8)(r>>(8*i));
    n -= k;
  }
  muster_work(1);
}

/* ---- Memory: what large values hold is counted and limited ----------------------------------------------------- */

static int counted(int n){ return current && (n>=LARGE || current->phase==COMPILING); }

static int mayHold(int n){
  Muster *m = current;
  if( !counted(n) || !m->c || m->phase==IDLE || m->held+n<=m->c->valueBytes ) return 1;
  stopped(m, STOP_MEMORY);
  return 0;
}
static void *memAllocate(int n){
  void *p = mayHold(n) ? systemMemory.xMalloc(n) : 0;
  if( p && counted(systemMemory.xSize(p)) ) current->held += systemMemory.xSize(p);
  return p;
}
static void memFree(void *p){
  if( p && counted(systemMemory.xSize(p)) ) current->held -= systemMemory.xSize(p);
  systemMemory.xFree(p);
}
static void *memResize(void *p, int n){
  int before = p ? systemMemory.xSize(p) : 0;
  void *q = mayHold(n) ? systemMemory.xRealloc(p, n) : 0;
  if( q && counted(before) ) current->held -= before;
  if( q && counted(systemMemory.xSize(q)) ) current->held += systemMemory.xSize(q);
  return q;
}

/* ---- The virtual file system: the system's, with the statement's clock, and a note of every failure ------------ */

typedef struct Tail { const sqlite3_io_methods *real; int kind; } Tail; /* behind the system's own sqlite3_file */
typedef struct Methods { const sqlite3_io_methods *real; sqlite3_io_methods ours; } Methods;
static Methods methods[8];
static int methodCount;

static Tail *tailOf(sqlite3_file *f){ return (Tail*)((char*)f + ((systemVfs->szOsFile+7)&~7)); }

static int noted(int rc, int kind){
  int number = errno;
  if( rc!=SQLITE_OK && rc!=SQLITE_IOERR_SHORT_READ && rc!=SQLITE_NOTFOUND && current && current->c ){
    Control *c = current->c;
    int systems = systemVfs->xGetLastError ? systemVfs->xGetLastError(systemVfs, 0, 0) : number;
    c->ioCode = rc; c->ioErrno = systems ? systems : number; c->ioFile = kind;
  }
  return rc;
}
static int fileRead(sqlite3_file *f, void *p, int n, sqlite3_int64 at){
  return noted(tailOf(f)->real->xRead(f, p, n, at), tailOf(f)->kind);
}
static int fileWrite(sqlite3_file *f, const void *p, int n, sqlite3_int64 at){
  Tail *t = tailOf(f);
  if( t->kind==FILE_TEMPORARY && current && current->c && current->c->tempBytes>=0 && at+n>current->c->tempBytes ){
    stopped(current, STOP_TEMP);
    return SQLITE_FULL;
  }
  errno = 0;
  return noted(t->real->xWrite(f, p, n, at), t->kind);
}
static int fileTruncate(sqlite3_file *f, sqlite3_int64 n){
  return noted(tailOf(f)->real->xTruncate(f, n), tailOf(f)->kind);
}
static int fileSync(sqlite3_file *f, int flags){
  return noted(tailOf(f)->real->xSync(f, flags), tailOf(f)->kind);
}
static int fileSize(sqlite3_file *f, sqlite3_int64 *n){
  return noted(tailOf(f)->real->xFileSize(f, n), tailOf(f)->kind);
}

/* The system's methods with ours in front. Called under the mutex of vfsOpen(); 0: there are more kinds than known. */
static const sqlite3_io_methods *methodsFor(const sqlite3_io_methods *real){
  int i;
  for(i=0; i<methodCount; i++) if( methods[i].real==real ) return &methods[i].ours;
  if( i==8 ) return 0;
  methods[i].real = real;
  methods[i].ours = *real;
  methods[i].ours.xRead = fileRead; methods[i].ours.xWrite = fileWrite; methods[i].ours.xTruncate = fileTruncate;
  methods[i].ours.xSync = fileSync; methods[i].ours.xFileSize = fileSize;
  methodCount++;
  return &methods[i].ours;
}
static int vfsOpen(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out){
  int kind = flags & SQLITE_OPEN_MAIN_DB ? FILE_DATABASE : flags & (SQLITE_OPEN_WAL|SQLITE_OPEN_MAIN_JOURNAL) ? FILE_WAL
    : flags & SQLITE_OPEN_SUPER_JOURNAL ? FILE_OTHER : FILE_TEMPORARY;
  int rc = systemVfs->xOpen(v, name, f, flags, out);
  if( f->pMethods ){
    sqlite3_mutex *mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
    const sqlite3_io_methods *ours;
    sqlite3_mutex_enter(mutex);
    ours = methodsFor(f->pMethods);
    sqlite3_mutex_leave(mutex);
    tailOf(f)->real = f->pMethods;
    tailOf(f)->kind = kind;
    if( ours ) f->pMethods = ours;
  }
  return noted(rc, kind);
}
static int vfsTime(sqlite3_vfs *v, sqlite3_int64 *now){
  if( current && current->c && current->c->nowMs>=0 ){
    *now = current->c->nowMs + UNIX_EPOCH_MS;
    return SQLITE_OK;
  }
  return systemVfs->xCurrentTimeInt64(v, now);
}

/* ---- Events of the authorizer: recorded for TypeScript, which judges them after the compilation ----------------- */

/* A record: u8 action | u8 which arguments are there | for each of them u32 length, text. */
static int onAuthorize(void *arg, int action, const char *a, const char *b, const char *database, const char *inner){
  Muster *m = arg;
  const char *texts[4] = { a, action==SQLITE_READ ? 0 : b, database, inner };
  u32 lengths[4];
  int bytes = 2, at, i;
  if( m->phase!=COMPILING ) return SQLITE_OK;
  for(i=0; i<4; i++) bytes += texts[i] ? 4 + (int)(lengths[i] = (u32)strlen(texts[i])) : 0;
  if( m->eventBytes+bytes>m->eventCapacity ){
    int capacity = (m->eventBytes+bytes)*2;
    u8 *grown = capacity<=EVENTS_MAX ? sqlite3_realloc(m->events, capacity) : 0;
    if( !grown ){ stopped(m, STOP_COMPILE); return SQLITE_DENY; }
    m->events = grown;
    m->eventCapacity = capacity;
  }
  at = m->eventBytes;
  m->events[at++] = (u8)action;
  m->events[at++] = (u8)((texts[0]!=0) | (texts[1]!=0)<<1 | (texts[2]!=0)<<2 | (texts[3]!=0)<<3);
  for(i=0; i<4; i++) if( texts[i] ){
    memcpy(m->events+at, &lengths[i], 4);
    memcpy(m->events+at+4, texts[i], lengths[i]);
    at += 4 + (int)lengths[i];
  }
  bytes = at - m->eventBytes;
  if( m->lastEvent<0 || m->eventBytes-m->lastEvent!=bytes || memcmp(m->events+m->lastEvent, m->events+m->eventBytes, bytes) ){
    m->lastEvent = m->eventBytes; /* the same event again, as one for each column, is recorded once */
    m->eventBytes = at;
  }
  if( action>=0 && action<256 && (m->deny[action]==1 || (m->deny[action]==2 && b)) ) return SQLITE_DENY;
  return SQLITE_OK;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------ */

static void enter(Muster *m, Control *c, int phase){
  c->stop = STOP_NONE;
  c->ioCode = c->ioErrno = c->ioFile = 0;
  c->used = c->needed = 0;
  m->c = c;
  m->phase = phase;
  m->work = 0;
  m->untilMs = c->timeoutMs<0 ? 0 : monotonicMs() + c->timeoutMs + 1e-3;
  current = m;
}
static int leave(Muster *m, int rc){
  Control *c = m->c;
  int deferred = 0, high = 0;
  if( c->stop && m->phase==RUNNING ) rc = SQLITE_INTERRUPT;
  c->autocommit = sqlite3_get_autocommit(m->db);
  if( !c->autocommit ) sqlite3_db_status(m->db, SQLITE_DBSTATUS_DEFERRED_FKS, &deferred, &high, 0);
  c->deferred = deferred;
  m->phase = IDLE;
  m->c = 0;
  current = 0;
  return rc;
}

/* Prepares the process, once: allocator, file system, folder of temporary files. */
static int start(const char *temporary){
  static volatile int state;
  int expected = 0, rc = SQLITE_OK;
  if( !__atomic_compare_exchange_n(&state, &expected, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ){
    while( __atomic_load_n(&state, __ATOMIC_SEQ_CST)==1 ){} /* another thread is at it, for microseconds */
    return __atomic_load_n(&state, __ATOMIC_SEQ_CST)==2 ? SQLITE_OK : SQLITE_ERROR;
  }
  rc = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &systemMemory);
  if( rc==SQLITE_OK ){
    sqlite3_mem_methods ours = systemMemory;
    ours.xMalloc = memAllocate; ours.xFree = memFree; ours.xRealloc = memResize;
    rc = sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
  }
  if( rc==SQLITE_OK ) rc = sqlite3_initialize();
  if( rc==SQLITE_OK ){
    systemVfs = sqlite3_vfs_find(0);
    vfs = *systemVfs;
    vfs.zName = "muster";
    vfs.szOsFile = ((systemVfs->szOsFile+7)&~7) + (int)sizeof(Tail);
    vfs.xOpen = vfsOpen;
    vfs.xCurrentTimeInt64 = vfsTime;
    rc = sqlite3_vfs_register(&vfs, 0);
    if( temporary[0] ) sqlite3_temp_directory = sqlite3_mprintf("%s", temporary);
  }
  __atomic_store_n(&state, rc==SQLITE_OK ? 2 : 3, __ATOMIC_SEQ_CST);
  return rc;
}

/* Opens a connection. `out` takes the Muster, also where opening failed: muster_error() tells why, muster_close() ends it. */
EXPORT int muster_open(const char *path, int flags, const char *temporary, Control *c, i64 *out){
  static const u32 always[4] = { 0x6d757374, 0x65720001, 0x9e3779b9, 0x85ebca6b };
  Muster *m;
  int rc = start(temporary);
  *out = 0;
  if( rc!=SQLITE_OK || (m = sqlite3_malloc(sizeof(*m)))==0 ) return rc!=SQLITE_OK ? rc : SQLITE_NOMEM;
  memset(m, 0, sizeof(*m));
  *out = (i64)(intptr_t)m;
  enter(m, c, IDLE);
  memcpy(c->random, always, sizeof(always)); /* what FTS5 draws here ends up in values: the same on every node */
  rc = sqlite3_open_v2(path, &m->db, flags, "muster");
  if( rc==SQLITE_OK ){
    sqlite3_extended_result_codes(m->db, 1);
    sqlite3_progress_handler(m->db, GRAIN, onProgress, m);
    sqlite3_set_authorizer(m->db, onAuthorize, m);
  }
  return leave(m, rc);
}

/* The caller has finalized its statements; those of virtual tables go with them. */
EXPORT int muster_close(Muster *m){
  int rc;
  current = m; /* what is freed was counted */
  rc = sqlite3_close_v2(m->db);
  sqlite3_free(m->events);
  current = 0;
  sqlite3_free(m);
  return rc;
}

EXPORT sqlite3 *muster_connection(Muster *m){ return m->db; }

/* `deny`: 256 bytes, one for each action of the authorizer. */
EXPORT void muster_policy(Muster *m, const u8 *deny){ memcpy(m->deny, deny, sizeof(m->deny)); }

/* The two-argument forms of sqlite3_db_config(): sets, and returns what holds then; -1: unknown. */
EXPORT int muster_config(Muster *m, int what, int value){
  int now = -1;
  return sqlite3_db_config(m->db, what, value, &now)==SQLITE_OK ? now : -1;
}

/* Compiles the first statement of a text; `mayPragma` lets PRAGMAs with a value through. */
EXPORT int muster_prepare(Muster *m, const char *sql, int n, int mayPragma, i64 looks, Control *c){
  static const u32 always[4] = { 0x70726570, 0x61726501, 0x9e3779b9, 0x85ebca6b };
  sqlite3_stmt *s = 0;
  const char *tail = sql;
  u8 pragma = m->deny[SQLITE_PRAGMA];
  i64 held = m->held;
  u32 random[4];
  int rc;
  enter(m, c, COMPILING);
  m->held = 0;
  m->compileLooks = looks;
  m->eventBytes = 0;
  m->lastEvent = -1;
  if( mayPragma ) m->deny[SQLITE_PRAGMA] = 0;
  memcpy(random, c->random, sizeof(random));
  memcpy(c->random, always, sizeof(always)); /* names that SQLite makes up for columns */
  rc = sqlite3_prepare_v3(m->db, sql, n, SQLITE_PREPARE_PERSISTENT, &s, &tail);
  memcpy(c->random, random, sizeof(random));
  m->deny[SQLITE_PRAGMA] = pragma;
  m->held = held;
  c->statement = (i64)(intptr_t)s;
  c->tail = (int)(tail - sql);
  if( s ){
    c->columns = sqlite3_column_count(s);
    c->parameters = sqlite3_bind_parameter_count(s);
    c->readonly = (sqlite3_stmt_readonly(s) ? 1 : 0) | (sqlite3_stmt_isexplain(s) ? 2 : 0);
  }
  return leave(m, rc);
}

EXPORT int muster_finalize(Muster *m, sqlite3_stmt *s){
  int rc;
  current = m;
  if( m->pending==s ) m->pending = 0;
  rc = sqlite3_finalize(s);
  current = 0;
  return rc;
}

/* Copies the events of the last compilation; returns their bytes, also where there is no room for them. */
EXPORT int muster_events(Muster *m, u8 *out, int capacity){
  if( m->eventBytes<=capacity ) memcpy(out, m->events, m->eventBytes);
  return m->eventBytes;
}

static int putText(u8 *out, int capacity, int at, const char *text){
  int n = text ? (int)strlen(text) : 0;
  if( at+4+n<=capacity ){
    u32 length = text ? (u32)n : 0xffffffff; /* which stands for NULL */
    memcpy(out+at, &length, 4);
    if( n ) memcpy(out+at+4, text, n);
  }
  return at + 4 + n;
}

/* Name, table and declared type of each column; returns the bytes that they take. */
EXPORT int muster_columns(sqlite3_stmt *s, u8 *out, int capacity){
  int at = 0;
  for(int i=0; i<sqlite3_column_count(s); i++){
    at = putText(out, capacity, at, sqlite3_column_name(s, i));
    at = putText(out, capacity, at, sqlite3_column_table_name(s, i));
    at = putText(out, capacity, at, sqlite3_column_decltype(s, i));
  }
  return at;
}

/* Message of the last error. */
EXPORT int muster_error(Muster *m, u8 *out, int capacity){ return putText(out, capacity, 0, sqlite3_errmsg(m->db)); }

static int bindAll(sqlite3_stmt *s, const u8 *p, int n, sqlite3_destructor_type keep){
  int at = 0, rc = SQLITE_OK;
  sqlite3_clear_bindings(s);
  for(int i=1; at<n && rc==SQLITE_OK; i++){
    int tag = p[at++];
    if( tag==SQLITE_INTEGER || tag==SQLITE_FLOAT ){
      i64 v;
      double d;
      if( at+8>n ) return SQLITE_MISUSE;
      memcpy(&v, p+at, 8);
      memcpy(&d, p+at, 8);
      rc = tag==SQLITE_INTEGER ? sqlite3_bind_int64(s, i, v) : sqlite3_bind_double(s, i, d);
      at += 8;
    }else if( tag==SQLITE_TEXT || tag==SQLITE_BLOB ){
      u32 length;
      if( at+4>n ) return SQLITE_MISUSE;
      memcpy(&length, p+at, 4);
      at += 4;
      if( length>(u32)(n-at) ) return SQLITE_MISUSE;
      rc = tag==SQLITE_TEXT ? sqlite3_bind_text64(s, i, (const char*)p+at, length, keep, SQLITE_UTF8)
        : length==0 ? sqlite3_bind_zeroblob(s, i, 0) : sqlite3_bind_blob64(s, i, p+at, length, keep);
      at += (int)length;
    }else if( tag!=SQLITE_NULL ){
      return SQLITE_MISUSE;
    }
  }
  return rc;
}

static int ended(Muster *m, sqlite3_stmt *s, int rc){
  m->c->changes = sqlite3_changes64(m->db);
  m->c->rowid = sqlite3_last_insert_rowid(m->db);
  if( m->pending==s ) m->pending = 0;
  sqlite3_reset(s);
  sqlite3_clear_bindings(s);
  return rc;
}

/* Binds `n` bytes of packed values, runs the statement to its end, and resets it; its rows go nowhere. */
EXPORT int muster_run(Muster *m, sqlite3_stmt *s, const u8 *values, int n, Control *c){
  int rc;
  enter(m, c, RUNNING);
  sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
  rc = bindAll(s, values, n, SQLITE_STATIC);
  m->held = 0;
  if( rc==SQLITE_OK ) while( (rc = sqlite3_step(s))==SQLITE_ROW && !c->stop ){}
  return leave(m, ended(m, s, rc));
}

/* Bytes that the current row takes. */
static i64 rowBytes(sqlite3_stmt *s, int columns){
  i64 bytes = 0;
  for(int i=0; i<columns; i++){
    int tag = sqlite3_column_type(s, i);
    bytes += tag==SQLITE_NULL ? 1 : tag==SQLITE_TEXT || tag==SQLITE_BLOB ? 5 + (i64)sqlite3_column_bytes(s, i) : 9;
  }
  return bytes;
}

static int putRow(sqlite3_stmt *s, int columns, u8 *out, int at){
  for(int i=0; i<columns; i++){
    int tag = sqlite3_column_type(s, i);
    out[at++] = (u8)tag;
    if( tag==SQLITE_INTEGER || tag==SQLITE_FLOAT ){
      i64 v = sqlite3_column_int64(s, i);
      double d = sqlite3_column_double(s, i);
      memcpy(out+at, tag==SQLITE_INTEGER ? (void*)&v : (void*)&d, 8);
      at += 8;
    }else if( tag!=SQLITE_NULL ){
      const void *p = tag==SQLITE_BLOB ? sqlite3_column_blob(s, i) : (const void*)sqlite3_column_text(s, i);
      u32 length = (u32)sqlite3_column_bytes(s, i);
      if( !p ) length = 0;
      memcpy(out+at, &length, 4);
      if( length ) memcpy(out+at+4, p, length);
      at += 4 + (int)length;
    }
  }
  return at;
}

/*
** Rows of a statement, as many as `out` holds. With `n` of 0 or more it begins: binds and steps; with -1 it goes on.
** SQLITE_ROW: there is more, and where Control.needed is not 0, the next row takes that many bytes. Otherwise it has
** ended and is reset.
*/
EXPORT int muster_rows(Muster *m, sqlite3_stmt *s, const u8 *values, int n, u8 *out, int capacity, Control *c){
  int columns = sqlite3_column_count(s), rc = SQLITE_ROW, at = 0, isKept = m->pending==s;
  enter(m, c, RUNNING);
  if( n>=0 ){
    sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
    sqlite3_reset(s);
    m->held = 0;
    isKept = 0;
    rc = bindAll(s, values, n, SQLITE_TRANSIENT);
    if( rc==SQLITE_OK ) rc = SQLITE_ROW;
  }
  while( rc==SQLITE_ROW ){
    i64 bytes;
    if( !isKept && (rc = sqlite3_step(s))!=SQLITE_ROW ) break;
    if( c->stop ) break;
    isKept = 0;
    bytes = rowBytes(s, columns);
    if( bytes>capacity-at ){
      m->pending = s;
      c->needed = bytes>INT32_MAX ? INT32_MAX : (int)bytes;
      c->used = at;
      return leave(m, SQLITE_ROW);
    }
    at = putRow(s, columns, out, at);
  }
  m->pending = 0;
  c->used = at;
  return leave(m, ended(m, s, rc));
}

/* Gives up the rest of a statement's rows. */
EXPORT void muster_reset(Muster *m, sqlite3_stmt *s, Control *c){
  enter(m, c, IDLE);
  leave(m, ended(m, s, SQLITE_OK));
}

/* Counts of every statement from zero, those of virtual tables as well (1). */
EXPORT void muster_recount(Muster *m){
  for(sqlite3_stmt *s = sqlite3_next_stmt(m->db, 0); s; s = sqlite3_next_stmt(m->db, s)){
    sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
  }
}
