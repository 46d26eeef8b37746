/*
** The native part of muster: what SQLite needs beside it so that TypeScript can drive it through a foreign function
** interface (muster.h). It binds, steps and copies rows in one call, counts what a statement does, and tells what has
** happened. It decides nothing: limits, policy, judging errors and rendering are TypeScript (driver.ts, failure.ts).
** Packed values are in values.c, records of changed rows in changes.c, the priorities of threads in threads.c.
**
** A connection is a Muster. While a call runs, the thread's variable `current` points to it, and Muster.c to the
** caller's Control, so that code deep inside SQLite (the allocator, the virtual file system, the loops named in
** scripts/sqlite/patches.ts) finds the statement that it works for.
**
** (1) A statement is stopped between two looks by onProgress(); a look comes after every GRAIN steps of the virtual
**     machine, after every GRAIN units of work inside one step, and after COMPARISONS while it compiles. The counts
**     begin at zero with each statement, so that a budget ends a statement at the same place on every machine.
** (2) Once stopped, a statement reports SQLITE_INTERRUPT and Control.stop, even where it came to its end.
** (3) What a statement may do is the same whether its rows are copied, in however many calls, or go nowhere: some
**     replicas show them, others do not. So neither binding nor copying counts, and texts are bound in one way alone.
*/
#include "connection.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef _WIN32
# include <windows.h>
#endif

#define GRAIN 1000              /* steps, or units of work, between two looks */
#define COMPARISONS (128*GRAIN) /* of two terms, the unit while a statement compiles, between two looks */
#define LOOK_STEPS (64*GRAIN)   /* of its budget, a statement spends for each look while it compiles */
#define LARGE (128*1024)        /* allocations from here on count as values: no page is as large */
#define UNIX_EPOCH_MS 210866760000000LL  /* 1970-01-01 as a Julian day, in milliseconds */
#define EVENTS_MAX (4*1024*1024)
enum { NEST_SELECT, NEST_TRIGGER, NEST_ONCE }; /* the last: what a connection works out once does not count */
#define KINDS_MAX 8             /* kinds of file that the system's file system has; unix has six */

/* SQLite's, see scripts/sqlite/patches.ts */
int muster_deferred(sqlite3 *db);
void muster_give_up(sqlite3 *db);
void muster_reset_views(sqlite3 *db);

static _Thread_local Muster *current;
static sqlite3_vfs *systemVfs, vfs;

static double monotonicMs(void){
#ifdef _WIN32
  return (double)GetTickCount64();
#else
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec*1e3 + t.tv_nsec/1e6;
#endif
}

/* A failure that the statement did not bring about: SQLite's code, the system's number, the file. */
static void note(int rc, int number, int kind){
  Control *c = current ? current->c : 0;
  if( c ){ c->ioCode = rc; c->ioErrno = number; c->ioFile = kind; }
}

/* ---- Looks: the progress handler, and work inside a step ------------------------------------------------------- */
static int stopped(Muster *m, int why){
  if( m->c->stop==STOP_NONE ) m->c->stop = why;
  return 1;
}

/* How deep a recursion of SQLite's is, by its kind: counted, as the stack's bytes are other ones elsewhere. */
int muster_nest(int kind, int change){
  static _Thread_local int depths[NEST_ONCE+1];
  return depths[kind] += change;
}

static int compiles(const Muster *m){ return m->phase==COMPILING || m->phase==RECOMPILING; }

static int onProgress(void *arg){
  Muster *m = arg;
  Control *c = m->c;
  if( !c ) return 0;
  if( c->stop ) return 1;
  if( muster_nest(NEST_ONCE, 0)==0 ){
    if( compiles(m) && --m->compileLooks<0 ) return stopped(m, STOP_COMPILE);
    if( m->phase!=IDLE && (c->steps -= compiles(m) ? LOOK_STEPS : GRAIN)<0 ) return stopped(m, STOP_STEPS);
  }
  if( c->cancel && (c->cancel==-1 || c->cancel==c->ticket) ) return stopped(m, STOP_CANCELLED);
  return m->untilMs>0 && monotonicMs()>m->untilMs ? stopped(m, STOP_TIME) : 0;
}

/* Called by SQLite's own long loops, see scripts/sqlite/patches.ts. Not zero: return early, the result is not used. */
int muster_work(i64 units){
  Muster *m = current;
  if( !m || !m->c ) return 0;
  m->meter.work += units;
  for(; m->meter.work>=GRAIN; m->meter.work -= GRAIN) if( onProgress(m) ) return 1;
  return m->c->stop!=STOP_NONE;
}

/* The same for those of its compiler, which does not always look at what a loop returns: it ends as it does without memory,
** all that it asks for is refused. What modules and VACUUM compile for themselves while a statement runs does not count. */
int muster_compiling(i64 units){
  Muster *m = current;
  if( !m || !m->c || !compiles(m) ) return 0;
  m->meter.comparisons += units;
  for(; m->meter.comparisons>=COMPARISONS && !onProgress(m); m->meter.comparisons -= COMPARISONS){}
  if( m->c->stop!=STOP_NONE ) muster_give_up(m->db);
  return m->c->stop!=STOP_NONE;
}

/* A statement that runs is compiled anew, with the limits of one that is compiled; what it does was judged before. Before
** it, `phase` is -1; what is returned is passed behind it. */
int muster_recompile(int phase){
  Muster *m = current;
  int before = m ? m->phase : IDLE;
  if( m && before==RUNNING ){ m->compileLooks = m->compileLooksMax; m->meter.comparisons = 0; }
  if( m ) m->phase = phase>=0 ? phase : before==RUNNING ? RECOMPILING : before;
  return before;
}

/* ---- Randomness: xoshiro128** (Blackman and Vigna, 2018) from the statement's own state ------------------------ */
static u32 rotl(u32 x, int k){ return (x<<k) | (x>>(32-k)); }

/* Takes the place of sqlite3_randomness() wherever its bytes end up in data. */
void muster_randomness(int n, void *out){
  u32 *s = current && current->c ? current->c->random : 0;
  if( !s || !(s[0]|s[1]|s[2]|s[3]) ){ sqlite3_randomness(n, out); return; }
  for(int k=0; k<n; k += 4){
    u32 r = rotl(s[1]*5, 7)*9, t = s[1]<<9;
    s[2] ^= s[0]; s[3] ^= s[1]; s[1] ^= s[2]; s[0] ^= s[3]; s[2] ^= t; s[3] = rotl(s[3], 11);
    for(int i=0; i<4 && i<n-k; i++) ((u8*)out)[k+i] = (u8)(r>>(8*i));
  }
  muster_work(1);
}

/* ---- Memory: what large values hold is counted and limited ----------------------------------------------------- */
typedef struct Block { u32 size, epoch; } Block; /* in front of each allocation; epoch 0: does not count */

static int isCounted(int n){
  Muster *m = current;
  return m && m->c && (compiles(m) || (m->phase==RUNNING && n>=LARGE));
}
static int mayHold(int n){
  if( !isCounted(n) || n<=current->c->valueBytes - current->meter.held ) return 1;
  stopped(current, STOP_MEMORY);
  return 0;
}
static void *hold(Block *b, int n){
  if( !b ){ note(SQLITE_NOMEM, ENOMEM, FILE_NONE); return 0; }
  b->size = (u32)n;
  b->epoch = isCounted(n) ? current->meter.epoch : 0;
  if( b->epoch ) current->meter.held += n;
  return b+1;
}
static void release(Block b){ if( b.epoch && current && b.epoch==current->meter.epoch ) current->meter.held -= b.size; }
static void *memAllocate(int n){ return mayHold(n) ? hold(malloc(sizeof(Block)+(size_t)n), n) : 0; }
static void memFree(void *p){ release(((Block*)p)[-1]); free((Block*)p-1); }
static void *memResize(void *p, int n){
  Block before = ((Block*)p)[-1];
  void *q = mayHold(n) ? hold(realloc((Block*)p-1, sizeof(Block)+(size_t)n), n) : 0;
  if( q ) release(before);
  return q;
}
static int memSize(void *p){ return (int)((Block*)p)[-1].size; }

/* Begins to count. */
static void begin(Meter *meter){
  static u32 epochs;
  meter->held = meter->work = meter->comparisons = 0;
  do meter->epoch = __atomic_add_fetch(&epochs, 1, __ATOMIC_RELAXED); while( meter->epoch==0 );
}

/* ---- The virtual file system: the system's, with the statement's clock, and a note of every failure ------------ */
typedef struct Tail { const sqlite3_io_methods *real; int kind; } Tail; /* behind the system's own sqlite3_file */

static Tail *tailOf(sqlite3_file *f){ return (Tail*)((char*)f + ((systemVfs->szOsFile+7)&~7)); }

static int noted(sqlite3_file *f, int rc){
  if( rc!=SQLITE_OK && rc!=SQLITE_IOERR_SHORT_READ ){
    int number = errno, systems = systemVfs->xGetLastError ? systemVfs->xGetLastError(systemVfs, 0, 0) : 0;
    note(rc, systems ? systems : number, tailOf(f)->kind);
  }
  return rc;
}
static int fileRead(sqlite3_file *f, void *p, int n, sqlite3_int64 at){
  return noted(f, tailOf(f)->real->xRead(f, p, n, at));
}
static int fileWrite(sqlite3_file *f, const void *p, int n, sqlite3_int64 at){
  Control *c = current ? current->c : 0;
  if( c && tailOf(f)->kind==FILE_TEMPORARY && c->tempBytes>=0 && at>c->tempBytes-n ){
    stopped(current, STOP_TEMP);
    return SQLITE_FULL;
  }
  errno = 0; /* it stays so where less than asked for was written, for want of room */
  return noted(f, tailOf(f)->real->xWrite(f, p, n, at));
}
static int fileTruncate(sqlite3_file *f, sqlite3_int64 n){ return noted(f, tailOf(f)->real->xTruncate(f, n)); }
static int fileSync(sqlite3_file *f, int flags){ return noted(f, tailOf(f)->real->xSync(f, flags)); }
static int fileSize(sqlite3_file *f, sqlite3_int64 *n){ return noted(f, tailOf(f)->real->xFileSize(f, n)); }
static int fileShmMap(sqlite3_file *f, int region, int size, int extend, void volatile **out){
  int rc = tailOf(f)->real->xShmMap(f, region, size, extend, out);
  return (rc&0xff)==SQLITE_READONLY ? rc : noted(f, rc); /* so a reader learns that nobody writes */
}

/* The system's methods with ours in front. Called under a mutex; 0: there are more kinds than known. */
static const sqlite3_io_methods *methodsFor(const sqlite3_io_methods *real){
  static struct { const sqlite3_io_methods *real; sqlite3_io_methods ours; } methods[KINDS_MAX];
  static int count;
  sqlite3_io_methods *ours;
  for(int i=0; i<count; i++) if( methods[i].real==real ) return &methods[i].ours;
  if( count==KINDS_MAX ) return 0;
  methods[count].real = real;
  ours = &methods[count++].ours;
  *ours = *real;
  ours->xRead = fileRead; ours->xWrite = fileWrite; ours->xTruncate = fileTruncate;
  ours->xSync = fileSync; ours->xFileSize = fileSize;
  if( real->iVersion>=2 && real->xShmMap ) ours->xShmMap = fileShmMap;
  return ours;
}
static int vfsOpen(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out){
  int kind = flags & SQLITE_OPEN_MAIN_DB ? FILE_DATABASE : flags & (SQLITE_OPEN_WAL|SQLITE_OPEN_MAIN_JOURNAL) ? FILE_WAL
    : flags & SQLITE_OPEN_SUPER_JOURNAL ? FILE_OTHER : FILE_TEMPORARY;
  int rc = systemVfs->xOpen(v, name, f, flags, out);
  tailOf(f)->kind = kind;
  tailOf(f)->real = f->pMethods;
  if( f->pMethods ){
    sqlite3_mutex *mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
    const sqlite3_io_methods *ours;
    sqlite3_mutex_enter(mutex);
    ours = methodsFor(f->pMethods);
    sqlite3_mutex_leave(mutex);
    if( ours ) f->pMethods = ours;
  }
  return noted(f, rc);
}
static int vfsTime(sqlite3_vfs *v, sqlite3_int64 *now){
  if( !current || !current->c || current->c->nowMs<0 ) return systemVfs->xCurrentTimeInt64(v, now);
  *now = current->c->nowMs + UNIX_EPOCH_MS;
  return SQLITE_OK;
}

/* Puts u32 length, text at out[at] if there is room for it; returns where it ends. */
static i64 putText(u8 *out, int capacity, i64 at, const char *text){
  size_t n = text ? strlen(text) : 0;
  u32 length = text ? (u32)n : 0xffffffff; /* which stands for NULL */
  if( at+4+(i64)n>capacity ) return at + 4 + (i64)n;
  memcpy(out+at, &length, 4);
  if( n ) memcpy(out+at+4, text, n);
  return at + 4 + (i64)n;
}

/* ---- Events of the authorizer: recorded for TypeScript, which judges them after the compilation ----------------- */
static int onAuthorize(void *arg, int action, const char *a, const char *b, const char *database, const char *inner){
  Muster *m = arg;
  const char *texts[4] = { a, action==SQLITE_READ ? 0 : b, database, inner };
  i64 bytes = 2;
  int at = m->eventBytes;
  u8 *record;
  if( m->phase!=COMPILING ) return SQLITE_OK;
  for(int i=0; i<4; i++) bytes += texts[i] ? 4 + (i64)strlen(texts[i]) : 0;
  if( at+bytes>m->eventCapacity ){
    u8 *grown = at+bytes<=EVENTS_MAX/2 ? sqlite3_realloc(m->events, (int)(at+bytes)*2) : 0;
    if( !grown ){ stopped(m, STOP_COMPILE); return SQLITE_DENY; }
    m->events = grown;
    m->eventCapacity = (int)(at+bytes)*2;
  }
  record = m->events + at;
  record[0] = (u8)action; record[1] = 0;
  at = 2;
  for(int i=0; i<4; i++) if( texts[i] ){
    record[1] |= (u8)(1<<i);
    at = (int)putText(record, (int)bytes, at, texts[i]);
  }
  if( m->eventBytes-m->lastEvent!=at || memcmp(m->events+m->lastEvent, record, at) ){
    m->lastEvent = m->eventBytes; /* the same event again, as one for each column, is recorded once */
    m->eventBytes += at;
  }
  return action==SQLITE_PRAGMA && b && !m->mayPragma ? SQLITE_DENY : SQLITE_OK;
}

/* Called by SQLite when it has undone what a statement did and goes on with the transaction, see scripts/sqlite/patches.ts. */
void muster_undone(void *statement){
  Muster *m = current;
  if( m && m->running==statement ) muster_forget(m, m->changesBefore);
}

/* ---- Calls ------------------------------------------------------------------------------------------------------ */
static void enter(Muster *m, Control *c, int phase){
  c->stop = STOP_NONE;
  c->ioCode = c->ioErrno = c->ioFile = c->used = c->needed = 0;
  m->c = c; m->phase = phase; current = m;
  m->untilMs = c->timeoutMs<0 ? 0 : monotonicMs() + (double)c->timeoutMs + 1e-3;
}
static int leave(Muster *m, int rc){
  Control *c = m->c;
  if( c->stop && m->phase==RUNNING ) rc = SQLITE_INTERRUPT;
  c->autocommit = !m->db || sqlite3_get_autocommit(m->db);
  c->deferred = !c->autocommit && muster_deferred(m->db);
  m->c = 0; m->phase = IDLE; current = 0;
  return rc;
}

/* Prepares the process, once: allocator, file system, folder of temporary files. */
static int start(const char *temporary){
  static sqlite3_mem_methods memory;
  static int state; /* 0 untouched, 1 at it, 2 done, 3 failed */
  int expected = 0, rc;
  if( !__atomic_compare_exchange_n(&state, &expected, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ){
    while( (expected = __atomic_load_n(&state, __ATOMIC_SEQ_CST))==1 ){} /* another thread is at it, for microseconds */
    return expected==2 ? SQLITE_OK : SQLITE_ERROR;
  }
  rc = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory);
  memory.xMalloc = memAllocate; memory.xFree = memFree; memory.xRealloc = memResize; memory.xSize = memSize;
  if( rc==SQLITE_OK ) rc = sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
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

int muster_open(const char *path, int flags, const char *temporary, Control *c, i64 *out){
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

int muster_close(Muster *m){
  sqlite3 *db = m->db;
  if( db ) sqlite3_progress_handler(db, 0, 0, 0); /* it lives on while a copy of it is made */
  if( db ) sqlite3_set_authorizer(db, 0, 0);
  if( db ) sqlite3_preupdate_hook(db, 0, 0);
  sqlite3_free(m->events);
  free(m->changes);
  sqlite3_free(m);
  return sqlite3_close_v2(db);
}

sqlite3 *muster_connection(Muster *m){ return m->db; }

int muster_config(Muster *m, int what, int value){
  int now = -1; /* those below take pointers */
  return what>=SQLITE_DBCONFIG_ENABLE_FKEY && sqlite3_db_config(m->db, what, value, &now)==SQLITE_OK ? now : -1;
}

int muster_prepare(Muster *m, const char *sql, int n, int mayPragma, i64 looks, Control *c){
  static const u32 always[4] = { 0x70726570, 0x61726501, 0x9e3779b9, 0x85ebca6b };
  sqlite3_stmt *s = 0;
  const char *tail = 0;
  Meter meter = m->meter; /* of a statement whose rows are walked */
  u32 random[4];
  int rc;
  enter(m, c, COMPILING);
  begin(&m->meter);
  m->mayPragma = mayPragma; m->compileLooks = m->compileLooksMax = looks;
  m->eventBytes = m->lastEvent = 0;
  memcpy(random, c->random, sizeof(random));
  memcpy(c->random, always, sizeof(always)); /* names that SQLite makes up for columns */
  muster_reset_views(m->db);
  rc = n<0 ? SQLITE_MISUSE : sqlite3_prepare_v3(m->db, n ? sql : "", n, SQLITE_PREPARE_PERSISTENT, &s, &tail);
  if( (rc&0xff)==SQLITE_NOMEM && !c->ioCode ) stopped(m, STOP_COMPILE); /* more instructions than there may be */
  if( c->stop ){ sqlite3_finalize(s); s = 0; rc = SQLITE_INTERRUPT; } /* (2) */
  memcpy(c->random, random, sizeof(random));
  m->meter = meter;
  c->statement = (i64)(intptr_t)s;
  c->tail = n>0 && tail ? (int)(tail - sql) : 0;
  c->columns = sqlite3_column_count(s);
  c->parameters = s ? sqlite3_bind_parameter_count(s) : 0;
  c->readonly = s ? (sqlite3_stmt_readonly(s) ? 1 : 0) | (sqlite3_stmt_isexplain(s) ? 2 : 0) : 0;
  return leave(m, rc);
}

int muster_finalize(Muster *m, sqlite3_stmt *s){
  if( m->pending==s ) m->pending = 0;
  return sqlite3_finalize(s);
}

int muster_events(Muster *m, u8 *out, int capacity){
  if( m->eventBytes>0 && m->eventBytes<=capacity ) memcpy(out, m->events, m->eventBytes);
  return m->eventBytes;
}

static int clamped(i64 bytes){ return bytes>INT32_MAX ? INT32_MAX : (int)bytes; }

int muster_columns(sqlite3_stmt *s, u8 *out, int capacity){
  i64 at = 0;
  for(int i=0; i<sqlite3_column_count(s); i++){
    at = putText(out, capacity, at, sqlite3_column_name(s, i));
    at = putText(out, capacity, at, sqlite3_column_table_name(s, i));
    at = putText(out, capacity, at, sqlite3_column_decltype(s, i));
  }
  return clamped(at);
}

int muster_error(Muster *m, u8 *out, int capacity){ return clamped(putText(out, capacity, 0, sqlite3_errmsg(m->db))); }

/* Enters a call that begins a statement, binds and counts from zero, or goes on with it. SQLITE_ROW: may be stepped. */
static int enterFor(Muster *m, sqlite3_stmt *s, const u8 *values, int n, sqlite3_destructor_type keep, Control *c){
  int rc;
  enter(m, c, n<0 ? RUNNING : IDLE);
  if( !s || n<-1 ) return SQLITE_MISUSE;
  if( n<0 ) return sqlite3_stmt_busy(s) ? SQLITE_ROW : SQLITE_MISUSE; /* it has ended, or never begun */
  if( m->pending==s ) m->pending = 0;
  rc = muster_bind(s, values, n, keep);
  sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
  begin(&m->meter);
  m->phase = RUNNING;
  m->running = s; m->changesBefore = m->changeBytes;
  return rc==SQLITE_OK ? SQLITE_ROW : rc;
}

static int ended(Muster *m, sqlite3_stmt *s, int rc){
  m->c->changes = sqlite3_changes64(m->db);
  m->c->rowid = sqlite3_last_insert_rowid(m->db);
  if( m->pending==s ) m->pending = 0;
  sqlite3_reset(s);
  if( s ) sqlite3_clear_bindings(s);
  return leave(m, rc);
}

const void *muster_address(const void *bytes){ return bytes; }

int muster_run(Muster *m, sqlite3_stmt *s, const u8 *values, int n, Control *c){
  int rc = enterFor(m, s, values, n, SQLITE_STATIC, c);
  while( rc==SQLITE_ROW && !c->stop ) rc = sqlite3_step(s);
  return ended(m, s, rc);
}

int muster_rows(Muster *m, sqlite3_stmt *s, const u8 *values, int n, u8 *out, int capacity, Control *c){
  int columns = sqlite3_column_count(s), isKept = n<0 && m->pending==s;
  int rc = enterFor(m, s, values, n, SQLITE_TRANSIENT, c);
  i64 at = 0;
  while( rc==SQLITE_ROW ){
    i64 end;
    if( !isKept && (rc = sqlite3_step(s))!=SQLITE_ROW ) break;
    if( c->stop ) break;
    isKept = 0;
    m->phase = IDLE; /* (3) */
    end = muster_put_row(s, columns, out, at, capacity);
    m->phase = RUNNING;
    if( end>capacity ){
      m->pending = s;
      c->needed = clamped(end-at); c->used = (int)at;
      return leave(m, SQLITE_ROW);
    }
    if( end<0 ) rc = SQLITE_NOMEM;
    else at = end;
  }
  c->used = (int)at;
  return ended(m, s, rc);
}

void muster_reset(Muster *m, sqlite3_stmt *s, Control *c){
  enter(m, c, IDLE); ended(m, s, SQLITE_OK);
}

int muster_backup_step(Muster *m, sqlite3_backup *b, int pages, Control *c){
  enter(m, c, IDLE); return leave(m, sqlite3_backup_step(b, pages));
}

void muster_recount(Muster *m){
  sqlite3_stmt *s = 0;
  while( (s = sqlite3_next_stmt(m->db, s))!=0 ) sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1);
}
