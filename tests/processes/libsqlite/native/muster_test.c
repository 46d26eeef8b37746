/*
** Every call of the native part, its limits and its errors, for a build with the sanitizers of addresses and of
** undefined behaviour. Says what it has tested; ends by abort() where something is not so.
*/
#include "native.h"
#include <limits.h>
#include <pthread.h>

static void testOpen(const char *folder){
  char path[4096];
  Control c;
  i64 out = 0;
  u8 message[256];
  freely(&c);
  snprintf(path, sizeof(path), "%s/no/such/folder", folder);
  CHECK( muster_open(path, SQLITE_OPEN_READWRITE, "", &c, &out)==SQLITE_CANTOPEN );
  CHECK( out!=0 && c.ioCode!=0 && c.ioErrno!=0 && c.ioFile==FILE_DATABASE );
  CHECK( muster_error((Muster*)(intptr_t)out, message, sizeof(message))>4 );
  CHECK( muster_close((Muster*)(intptr_t)out)==SQLITE_OK );
  Muster *m = opened(":memory:", &c);
  CHECK( c.autocommit==1 && c.deferred==0 && c.stop==STOP_NONE );
  CHECK( muster_connection(m)!=0 );
  CHECK( muster_config(m, SQLITE_DBCONFIG_DEFENSIVE, 1)==1 && muster_config(m, SQLITE_DBCONFIG_DEFENSIVE, -1)==1 );
  CHECK( muster_config(m, SQLITE_DBCONFIG_MAINDBNAME, 7)==-1 ); /* it would take the 7 for an address */
  CHECK( muster_config(m, SQLITE_DBCONFIG_LOOKASIDE, 7)==-1 && muster_config(m, -5, 1)==-1 );
  CHECK( muster_config(m, 99999, 1)==-1 );
  CHECK( muster_close(m)==SQLITE_OK );
}

static void testPrepare(void){
  Control c;
  Muster *m = opened(":memory:", &c);
  CHECK( prepared(m, "SELECT ?, ?3; SELECT 2", &c)!=0 );
  CHECK( c.columns==2 && c.parameters==3 && c.readonly==1 && c.tail==13 );
  muster_finalize(m, (sqlite3_stmt*)(intptr_t)c.statement);
  CHECK( prepared(m, "EXPLAIN SELECT 1", &c)!=0 && c.readonly==3 );
  muster_finalize(m, (sqlite3_stmt*)(intptr_t)c.statement);
  CHECK( muster_prepare(m, 0, 0, 0, 10, &c)==SQLITE_OK && c.statement==0 && c.columns==0 && c.parameters==0 );
  CHECK( muster_prepare(m, "SELECT 1", -1, 0, 10, &c)==SQLITE_MISUSE && c.statement==0 && c.tail==0 );
  CHECK( muster_prepare(m, "nonsense", 8, 0, 10, &c)==SQLITE_ERROR && c.statement==0 );
  CHECK( executed(m, "CREATE TABLE t(a, b)", &c)==SQLITE_DONE && c.autocommit );
  CHECK( executed(m, "BEGIN", &c)==SQLITE_DONE && !c.autocommit );
  CHECK( executed(m, "ROLLBACK", &c)==SQLITE_DONE && c.autocommit );
  CHECK( muster_finalize(m, 0)==SQLITE_OK );
  /* PRAGMAs act when they are compiled, behind EXPLAIN as well */
  CHECK( muster_prepare(m, "EXPLAIN PRAGMA foreign_keys=1", 29, 0, 10, &c)==SQLITE_AUTH );
  CHECK( muster_config(m, SQLITE_DBCONFIG_ENABLE_FKEY, -1)==0 );
  CHECK( muster_prepare(m, "PRAGMA foreign_keys", 19, 0, 10, &c)==SQLITE_OK );
  muster_finalize(m, (sqlite3_stmt*)(intptr_t)c.statement);
  CHECK( executed(m, "PRAGMA foreign_keys=1", &c)==SQLITE_DONE );
  CHECK( muster_config(m, SQLITE_DBCONFIG_ENABLE_FKEY, -1)==1 );
  /* the compiler's own limits: looks, memory */
  char *alike = malloc(12000);
  strcpy(alike, "SELECT * FROM (SELECT 1 a"); /* each needs a name of its own */
  for(int i=0; i<1900; i++) strcat(alike, ",1 a");
  strcat(alike, ")");
  CHECK( muster_prepare(m, alike, (int)strlen(alike), 0, 0, &c)!=SQLITE_OK && c.stop==STOP_COMPILE );
  CHECK( executed(m, alike, &c)==SQLITE_DONE );
  free(alike);
  static char longText[400000];
  for(int i=0; i<200000; i++) memcpy(longText+2*i, i ? ",1" : " 1", 2);
  char *sql = sqlite3_mprintf("SELECT 1 IN (%.*s)", (int)sizeof(longText), longText);
  freely(&c);
  c.valueBytes = 1000000;
  CHECK( muster_prepare(m, sql, (int)strlen(sql), 0, 1<<20, &c)!=SQLITE_OK && c.stop==STOP_MEMORY );
  freely(&c);
  CHECK( executed(m, sql, &c)==SQLITE_DONE );
  sqlite3_free(sql);
  CHECK( muster_close(m)==SQLITE_OK );
}

/* What the authorizer saw, in order, once each; short buffers take nothing. */
static void testEvents(void){
  Control c;
  Muster *m = opened(":memory:", &c);
  CHECK( muster_events(m, 0, 0)==0 && muster_events(m, 0, -1)==0 );
  executed(m, "CREATE TABLE t(a, b)", &c);
  sqlite3_stmt *s = prepared(m, "SELECT a, b, a FROM t", &c);
  int n = muster_events(m, 0, 0);
  u8 *out = malloc((size_t)n);
  CHECK( muster_events(m, out, n-1)==n && muster_events(m, out, INT_MIN)==n );
  CHECK( muster_events(m, out, n)==n && out[0]==SQLITE_SELECT && out[1]==0 && out[2]==SQLITE_READ && out[3]==5 );
  CHECK( n==2+2+5+8 ); /* of a read the table and the database are kept, and all three are one */
  free(out);
  muster_finalize(m, s);
  /* names of a size that, added up, would overflow, and more of them than are kept */
  int length = 3*1024*1024;
  char *name = malloc((size_t)length+1);
  memset(name, 'n', (size_t)length);
  name[length] = 0;
  char *sql = sqlite3_mprintf("CREATE TABLE \"%s\"(a)", name);
  CHECK( prepared(m, sql, &c)==0 && c.stop==STOP_COMPILE );
  sqlite3_free(sql);
  free(name);
  CHECK( muster_close(m)==SQLITE_OK );
}

static void testColumns(void){
  Control c;
  Muster *m = opened(":memory:", &c);
  executed(m, "CREATE TABLE t(a VARCHAR(9), \"\")", &c);
  sqlite3_stmt *s = prepared(m, "SELECT a AS x, \"\", 1 FROM t", &c);
  int n = muster_columns(s, 0, 0);
  for(int capacity=-1; capacity<=n; capacity++){
    u8 *out = malloc(capacity>0 ? (size_t)capacity : 1);
    CHECK( muster_columns(s, out, capacity)==n );
    if( capacity==n ) CHECK( memcmp(out, "\1\0\0\0x\1\0\0\0t\12\0\0\0VARCHAR(9)\0\0\0\0\1\0\0\0t", 33)==0 );
    free(out);
  }
  CHECK( muster_columns(0, 0, 0)==0 );
  muster_finalize(m, s);
  CHECK( prepared(m, "SELECT nosuchcolumn", &c)==0 );
  n = muster_error(m, 0, 0);
  u8 *out = malloc((size_t)n);
  CHECK( muster_error(m, out, n-1)==n && muster_error(m, out, -1)==n && muster_error(m, out, n)==n );
  CHECK( memcmp(out+4, "no such column: nosuchcolumn", (size_t)n-4)==0 );
  free(out);
  /* an error's text of many bytes */
  executed(m, "CREATE TRIGGER g BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, printf('%.*c', 1000000, 'e')); END", &c);
  CHECK( executed(m, "INSERT INTO t VALUES(1, 2)", &c)==SQLITE_CONSTRAINT_TRIGGER );
  CHECK( muster_error(m, 0, 0)==1000004 );
  CHECK( muster_close(m)==SQLITE_OK );
}

/* Binds and reads back in one go; returns the code. */
static int bound(Muster *m, sqlite3_stmt *s, Packed *p, u8 *out, int capacity, Control *c){
  int rc = muster_rows(m, s, p->bytes, p->n, out, capacity, c);
  packEnd(p);
  return rc;
}

static void testValues(void){
  Control c;
  Packed p = {0}, again = {0};
  Muster *m = opened(":memory:", &c);
  sqlite3_stmt *s = prepared(m, "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7", &c);
  u8 out[200];
  for(int i=0; i<2; i++){
    Packed *one = i ? &again : &p;
    packInteger(one, INT64_MIN); packReal(one, -0.0); packData(one, 3, "a\0b", 3); packData(one, 4, "\0\1", 2);
    packTag(one, 5); packData(one, 3, "", 0); packData(one, 4, "", 0);
  }
  CHECK( bound(m, s, &p, out, sizeof(out), &c)==SQLITE_DONE );
  CHECK( c.used==again.n && memcmp(out, again.bytes, (size_t)again.n)==0 );
  packEnd(&again);
  /* what is missing is NULL */
  packInteger(&p, 1);
  CHECK( bound(m, s, &p, out, sizeof(out), &c)==SQLITE_DONE && c.used==9+6 && out[9]==5 );
  /* more values than the statement has parameters */
  for(int i=0; i<8; i++) packTag(&p, 5);
  CHECK( bound(m, s, &p, out, sizeof(out), &c)==SQLITE_RANGE );
  /* rubbish: cut off, lengths beyond the end, unknown tags */
  for(int tag=0; tag<256; tag++){
    int needs = tag==1 || tag==2 ? 8 : tag==3 || tag==4 ? 4 : 0;
    for(int n=0; n<needs || n==0; n++){
      if( tag==5 ) continue;
      packTag(&p, (u8)tag);
      packBytes(&p, "\0\0\0\0\0\0\0\0", n);
      CHECK( bound(m, s, &p, out, sizeof(out), &c)==SQLITE_MISUSE );
    }
  }
  static const u32 lengths[] = { 1, 5, 0x7fffffff, 0x80000000, 0xffffffff };
  for(int i=0; i<5; i++) for(u8 tag=3; tag<=4; tag++){
    packTag(&p, tag);
    packBytes(&p, &lengths[i], 4);
    CHECK( muster_run(m, s, p.bytes, p.n, &c)==SQLITE_MISUSE );
    CHECK( bound(m, s, &p, out, sizeof(out), &c)==SQLITE_MISUSE );
  }
  CHECK( muster_run(m, s, 0, -1, &c)==SQLITE_MISUSE && muster_run(m, s, 0, INT_MIN, &c)==SQLITE_MISUSE );
  CHECK( muster_run(m, 0, 0, 0, &c)==SQLITE_MISUSE );
  CHECK( muster_rows(m, 0, 0, 0, out, sizeof(out), &c)==SQLITE_MISUSE );
  CHECK( muster_rows(m, 0, 0, -1, out, sizeof(out), &c)==SQLITE_MISUSE );
  muster_reset(m, 0, &c);
  CHECK( muster_run(m, s, 0, 0, &c)==SQLITE_DONE );
  muster_finalize(m, s);
  CHECK( muster_close(m)==SQLITE_OK );
}

/* Checks the rows in a piece, of which `before` came before; returns how many there are. */
static int countRows(const u8 *piece, int used, int before){
  int rows = 0;
  for(int at=0; at<used; rows++){
    u32 i = (u32)(before+rows+1), length;
    CHECK( piece[at]==1 && piece[at+1]==i && piece[at+9]==3 );
    memcpy(&length, piece+at+10, 4);
    CHECK( length==i && piece[at+14]=='x' && piece[at+14+length]==4 && piece[at+19+length]==0 );
    at += 9 + 5 + (int)length + 5 + (int)length + 9 + 1;
  }
  return rows;
}

/* Rows by buffers of every length: none is lost, none is written past the end. */
static void testPieces(const char *encoding){
  Control c;
  Muster *m = opened(":memory:", &c);
  sqlite3_stmt *s, *other;
  executed(m, encoding, &c);
  s = prepared(m, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20)"
    "SELECT i, printf('%.*c', i, 'x'), zeroblob(i), i*0.5, NULL FROM n", &c);
  other = prepared(m, "SELECT 1", &c);
  for(int capacity=-1; capacity<150; capacity++){
    int rows = 0, n = 0, length = capacity, rc;
    do{
      u8 *out = malloc(length>0 ? (size_t)length : 1);
      rc = muster_rows(m, s, 0, n, out, length, &c);
      rows += countRows(out, c.used, rows);
      free(out);
      n = -1;
      if( rc!=SQLITE_ROW ) break;
      CHECK( c.needed==29+2*(rows+1) );
      length = c.needed>capacity ? c.needed : capacity;
      CHECK( muster_run(m, other, 0, 0, &c)==SQLITE_DONE ); /* the row stays, whatever else runs */
    }while( 1 );
    CHECK( rc==SQLITE_DONE && rows==20 );
    CHECK( muster_rows(m, s, 0, -1, 0, 0, &c)==SQLITE_MISUSE ); /* it has ended */
  }
  /* the rest of the rows may go nowhere */
  CHECK( muster_rows(m, s, 0, 0, 0, 0, &c)==SQLITE_ROW && muster_run(m, s, 0, -1, &c)==SQLITE_DONE );
  /* a statement that is run while its rows are walked begins anew; finalized, nothing of it is kept */
  CHECK( muster_rows(m, s, 0, 0, 0, 0, &c)==SQLITE_ROW && c.needed>0 );
  CHECK( muster_run(m, s, 0, 0, &c)==SQLITE_DONE );
  CHECK( muster_rows(m, s, 0, 0, 0, 0, &c)==SQLITE_ROW && c.needed>0 );
  muster_finalize(m, s);
  muster_finalize(m, other);
  CHECK( muster_close(m)==SQLITE_OK );
}

static void testLimits(void){
  Control c;
  Muster *m = opened(":memory:", &c);
  const char *endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n";
  sqlite3_stmt *s = prepared(m, endless, &c), *large;
  c.steps = 5000;
  CHECK( muster_run(m, s, 0, 0, &c)==SQLITE_INTERRUPT && c.stop==STOP_STEPS && c.steps==-1000 );
  freely(&c);
  c.timeoutMs = 0;
  CHECK( muster_run(m, s, 0, 0, &c)==SQLITE_INTERRUPT && c.stop==STOP_TIME );
  freely(&c);
  c.ticket = 7; c.cancel = 7;
  CHECK( muster_run(m, s, 0, 0, &c)==SQLITE_INTERRUPT && c.stop==STOP_CANCELLED );
  c.ticket = 8; c.cancel = -1;
  CHECK( muster_run(m, s, 0, 0, &c)==SQLITE_INTERRUPT && c.stop==STOP_CANCELLED );
  c.cancel = 7; c.steps = 9000;
  CHECK( muster_run(m, s, 0, 0, &c)==SQLITE_INTERRUPT && c.stop==STOP_STEPS );
  freely(&c);
  c.valueBytes = 1000000;
  large = prepared(m, "SELECT length(upper(printf('%.*c', ?1, 'x')))", &c);
  Packed p = {0};
  packInteger(&p, 150000);
  CHECK( muster_run(m, large, p.bytes, p.n, &c)==SQLITE_DONE );
  packEnd(&p);
  packInteger(&p, 900000);
  CHECK( muster_run(m, large, p.bytes, p.n, &c)==SQLITE_INTERRUPT && c.stop==STOP_MEMORY && c.ioCode==0 );
  /* the same over and over: nothing is held beyond its statement, nothing is taken off for what came before it */
  for(int i=0; i<20; i++) CHECK( muster_run(m, large, p.bytes, p.n, &c)==SQLITE_INTERRUPT );
  packEnd(&p);
  muster_finalize(m, s);
  muster_finalize(m, large);
  CHECK( muster_close(m)==SQLITE_OK );
}

/* An error's text of an earlier statement lies in memory still: when it goes, it makes no room for this one. */
static void testHeld(void){
  Control c;
  Muster *m = opened(":memory:", &c);
  Packed p = {0};
  executed(m, "CREATE TABLE t(a)", &c);
  executed(m, "CREATE TRIGGER g BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, printf('%.*c', 9000000, 'e')); END", &c);
  sqlite3_stmt *s = prepared(m, "SELECT length(printf('%.*c', ?1, 'x'))", &c);
  for(int i=0; i<2; i++){
    if( i ) CHECK( executed(m, "INSERT INTO t VALUES(1)", &c)==SQLITE_CONSTRAINT_TRIGGER );
    packInteger(&p, 1200000);
    c.valueBytes = 1000000;
    CHECK( muster_run(m, s, p.bytes, p.n, &c)==SQLITE_INTERRUPT && c.stop==STOP_MEMORY );
    freely(&c);
    packEnd(&p);
  }
  /* what grows gives back what it had: all its sizes together would be too much */
  c.valueBytes = 5000000;
  CHECK( executed(m, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20)"
    "SELECT length(group_concat(printf('%.*c', 100000, 'x'))) FROM n", &c)==SQLITE_DONE );
  muster_finalize(m, s);
  CHECK( muster_close(m)==SQLITE_OK );
}

/* The least budget with which a statement comes to its end. */
static i64 least(Muster *m, const char *sql, int how, i64 unit, size_t limit){
  i64 low = -1, high = 1<<14;
  u8 out[300];
  while( high-low>1 ){
    i64 middle = (low+high)/2;
    Control c;
    int rc;
    freely(&c);
    sqlite3_stmt *s = prepared(m, sql, &c);
    CHECK( s );
    *(i64*)((u8*)&c + limit) = middle*unit;
    if( how==0 ){
      rc = muster_run(m, s, 0, 0, &c);
    }else{
      int n = 0, length = how, room = 0;
      u8 *wide = 0;
      while( (rc = muster_rows(m, s, 0, n, room ? wide : out, room ? room : length, &c))==SQLITE_ROW ){
        n = -1;
        if( c.needed>length ){ room = c.needed; wide = realloc(wide, (size_t)room); }
      }
      free(wide);
    }
    CHECK( rc==SQLITE_DONE || (rc==SQLITE_INTERRUPT && c.stop!=STOP_NONE) );
    muster_finalize(m, s);
    if( rc==SQLITE_DONE ) high = middle; else low = middle;
  }
  return high;
}

/* (3) of muster.c: whoever shows the rows, and in however many pieces, comes to the same limits. */
static void testAlike(void){
  static const char *stepping = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<300)"
    "SELECT i, instr(printf('%.*c', 1400, 'x'), 'xy'||i), printf('%.*c', 100, 'x') FROM n";
  static const char *holding = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3)"
    "SELECT zeroblob(300000+i), substr(printf('%.*c', 400000, i), 5), upper(printf('%.*c', 200000, 'x')) FROM n";
  Control c;
  Muster *m = opened(":memory:", &c);
  i64 steps = least(m, stepping, 0, 1000, offsetof(Control, steps));
  i64 held = least(m, holding, 0, 10000, offsetof(Control, valueBytes));
  CHECK( steps>100 && held>20 );
  for(int capacity=125; capacity<=300; capacity+=58){
    CHECK( least(m, stepping, capacity, 1000, offsetof(Control, steps))==steps );
    CHECK( least(m, holding, capacity, 10000, offsetof(Control, valueBytes))==held );
  }
  CHECK( muster_close(m)==SQLITE_OK );
}

static void testTemporary(const char *folder){
  char path[4096];
  Control c;
  snprintf(path, sizeof(path), "%s/temporary.db", folder);
  Muster *m = opened(path, &c);
  executed(m, "PRAGMA temp_store=FILE", &c);
  executed(m, "PRAGMA cache_size=10", &c);
  const char *sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000)"
    "SELECT count(*) FROM (SELECT DISTINCT printf('%.*c%d', 100, 'x', i) FROM n)";
  c.tempBytes = 100000;
  CHECK( executed(m, sql, &c)==SQLITE_INTERRUPT && c.stop==STOP_TEMP && c.ioCode==0 );
  c.tempBytes = -1;
  CHECK( executed(m, sql, &c)==SQLITE_DONE );
  CHECK( muster_close(m)==SQLITE_OK );
}

/* Time and randomness are what the caller says. */
static void testDeterminism(void){
  Control c;
  u8 one[64], two[64];
  Muster *m = opened(":memory:", &c);
  sqlite3_stmt *s = prepared(m, "SELECT strftime('%s', 'now'), random(), randomblob(7)", &c);
  c.nowMs = 1700000000000;
  for(int i=0; i<2; i++){
    c.random[0] = c.random[1] = c.random[2] = c.random[3] = 5;
    CHECK( muster_rows(m, s, 0, 0, i ? two : one, 64, &c)==SQLITE_DONE && c.used==15+9+12 );
  }
  CHECK( memcmp(one, two, 36)==0 && memcmp(one+5, "1700000000", 10)==0 );
  muster_recount(m);
  muster_finalize(m, s);
  CHECK( muster_close(m)==SQLITE_OK );
}

/* A connection that is closed while a copy of it is made lives on without its Muster. */
static void testBackup(void){
  Control c, d;
  Muster *source = opened(":memory:", &c), *target = opened(":memory:", &d);
  executed(source, "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) SELECT i FROM n", &c);
  sqlite3_backup *b = sqlite3_backup_init(muster_connection(target), "main", muster_connection(source), "main");
  CHECK( b && muster_backup_step(target, b, 1, &d)==SQLITE_OK );
  CHECK( muster_close(source)==SQLITE_OK );
  CHECK( muster_backup_step(target, b, -1, &d)==SQLITE_DONE && sqlite3_backup_finish(b)==SQLITE_OK );
  CHECK( executed(target, "SELECT * FROM t", &d)==SQLITE_DONE );
  CHECK( muster_close(target)==SQLITE_OK );
}

/* The first four bytes of a record are its length, the fifth what was done. */
static int recordAt(const u8 *bytes, int at, int *op){
  u32 length;
  memcpy(&length, bytes+at, 4);
  *op = bytes[at+4];
  return (int)length;
}

static void testChanges(void){
  Control c;
  Muster *m = opened(":memory:", &c);
  u8 bytes[4096];
  int n, length, op;
  executed(m, "CREATE TABLE t(a INTEGER PRIMARY KEY CHECK(a<100), b)", &c);
  executed(m, "INSERT INTO t VALUES(1, 'x')", &c);
  CHECK( muster_changes(m, bytes, sizeof(bytes))==0 ); /* it was not asked for */
  muster_capture(m, 1);
  executed(m, "BEGIN", &c);
  executed(m, "INSERT INTO t VALUES(2, x'00ff')", &c);
  n = muster_changes(m, bytes, sizeof(bytes));
  length = recordAt(bytes, 0, &op);
  CHECK( n==length && op==1 && n==4+1+16+4+1+4+(1+8)+(1+4+2) );
  CHECK( !memcmp(bytes+25, "t", 1) && !memcmp(bytes+n-2, "\x00\xff", 2) );
  memset(bytes, 7, sizeof(bytes));
  CHECK( muster_changes(m, bytes, n-1)==n && bytes[0]==7 ); /* too little room: nothing is written */
  CHECK( muster_changes(m, bytes, -5)==n && muster_changes(m, 0, 0)==n );
  CHECK( executed(m, "INSERT INTO t VALUES(3, 1), (200, 1)", &c)==SQLITE_CONSTRAINT_CHECK );
  CHECK( muster_changes(m, 0, 0)==n ); /* it was undone */
  CHECK( executed(m, "INSERT OR FAIL INTO t VALUES(3, 1), (200, 1)", &c)==SQLITE_CONSTRAINT_CHECK );
  CHECK( muster_changes(m, 0, 0)>n ); /* the first row stays */
  muster_forget(m, n);
  CHECK( muster_changes(m, 0, 0)==n );
  muster_forget(m, n+1); muster_forget(m, -1);
  CHECK( muster_changes(m, 0, 0)==n );
  executed(m, "UPDATE t SET b=NULL WHERE a=1", &c);
  executed(m, "DELETE FROM t", &c); /* row by row */
  n = muster_changes(m, bytes, sizeof(bytes));
  int ops = 0;
  for(int at=0; at<n; at += length){ length = recordAt(bytes, at, &op); ops = ops*10 + op; }
  CHECK( ops==12333 );
  executed(m, "COMMIT", &c);
  muster_forget(m, 0);
  executed(m, "CREATE TABLE _muster_own(a)", &c);
  executed(m, "INSERT INTO _muster_own VALUES(1)", &c);
  executed(m, "CREATE TEMP TABLE here(a)", &c);
  executed(m, "INSERT INTO here VALUES(1)", &c);
  CHECK( muster_changes(m, 0, 0)==0 );
  /* too much: the last record says so, and no further one is kept until it is gone */
  CHECK( executed(m, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<50) "
    "INSERT INTO t SELECT i, zeroblob(1000000) FROM n", &c)==SQLITE_DONE );
  n = muster_changes(m, 0, 0);
  u8 *all = malloc((size_t)n);
  CHECK( muster_changes(m, all, n)==n && n<=16*1024*1024 );
  CHECK( recordAt(all, n-5, &op)==5 && op==0 );
  free(all);
  executed(m, "DELETE FROM t WHERE a=1", &c);
  CHECK( muster_changes(m, 0, 0)==n );
  muster_forget(m, 0);
  executed(m, "DELETE FROM t WHERE a=2", &c);
  CHECK( muster_changes(m, 0, 0)>1000000 );
  muster_capture(m, 0);
  executed(m, "DELETE FROM t", &c);
  CHECK( muster_changes(m, 0, 0)==0 );
  CHECK( muster_close(m)==SQLITE_OK );
}

/* Texts of a database in UTF-16 are recorded as they are returned: in UTF-8. */
static void testWideChanges(void){
  static const char text[] = "\4\0\0\0\xc3\xa4"; /* a length, and the first of the characters */
  Control c;
  Muster *m = opened(":memory:", &c);
  u8 bytes[4096];
  int n, op;
  executed(m, "PRAGMA encoding='UTF-16'", &c);
  executed(m, "CREATE TABLE t(a)", &c);
  muster_capture(m, 1);
  executed(m, "INSERT INTO t VALUES('\xc3\xa4zz')", &c);
  n = muster_changes(m, bytes, sizeof(bytes));
  CHECK( recordAt(bytes, 0, &op)==n && op==1 && bytes[n-9]==3 );
  CHECK( !memcmp(bytes+n-8, text, 6) && !memcmp(bytes+n-2, "zz", 2) );
  muster_forget(m, 0);
  executed(m, "UPDATE t SET a=''", &c);
  n = muster_changes(m, bytes, sizeof(bytes));
  CHECK( recordAt(bytes, 0, &op)==n && op==2 && !memcmp(bytes+n-5, "\3\0\0\0\0", 5) );
  CHECK( !memcmp(bytes+n-5-8, text, 6) && !memcmp(bytes+n-5-2, "zz", 2) );
  CHECK( muster_close(m)==SQLITE_OK );
}

/* Many threads open, use and close connections at once, the first of the process among them. */
static void *threadWork(void *folder){
  char path[4096];
  for(int i=0; i<8; i++){
    Control c;
    snprintf(path, sizeof(path), "%s/thread-%p-%d.db", (char*)folder, (void*)&c, i);
    Muster *m = opened(i&1 ? ":memory:" : path, &c);
    CHECK( executed(m, "CREATE TABLE t(a)", &c)==SQLITE_DONE );
    CHECK( executed(m, "INSERT INTO t VALUES(zeroblob(200000))", &c)==SQLITE_DONE && c.changes==1 && c.rowid==1 );
    CHECK( muster_close(m)==SQLITE_OK );
  }
  return 0;
}
static void testThreads(const char *folder){
  pthread_t threads[6];
  for(int i=0; i<6; i++) CHECK( pthread_create(&threads[i], 0, threadWork, (void*)folder)==0 );
  for(int i=0; i<6; i++) CHECK( pthread_join(threads[i], 0)==0 );
}

#ifdef __linux__
# include <sys/prctl.h>
# include <sys/resource.h>
# include <sys/syscall.h>
# include <unistd.h>
static int niceOfThread(void){ return getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid)); }
/* Names and priorities of Linux belong to the thread that asks. */
static void *helperWork(void *unused){
  (void)unused;
  int before = niceOfThread();
  CHECK( prctl(PR_SET_NAME, "one of many")==0 );
  CHECK( muster_nice("two of many", 5)==0 && muster_nice("one of many more", 5)==0 && niceOfThread()==before );
  CHECK( muster_nice("one of", 5)==1 && niceOfThread()==before+5 );
  CHECK( muster_nice("one of many", 5)==1 && niceOfThread()==before+5 );
  return 0;
}
static void testNice(void){
  pthread_t thread;
  int before = niceOfThread();
  CHECK( pthread_create(&thread, 0, helperWork, 0)==0 && pthread_join(thread, 0)==0 );
  CHECK( niceOfThread()==before );
}
#else
static void testNice(void){ CHECK( muster_nice("", 5)==0 ); }
#endif

int main(int argc, char **argv){
  const char *folder = argc>1 ? argv[1] : ".";
  CHECK( sizeof(Control)==136 && offsetof(Control, statement)==72 && offsetof(Control, cancel)==132 );
  testThreads(folder);
  testNice();
  testOpen(folder);
  testPrepare();
  testEvents();
  testColumns();
  testValues();
  testPieces("PRAGMA encoding='UTF-8'");
  testPieces("PRAGMA encoding='UTF-16le'");
  testLimits();
  testHeld();
  testAlike();
  testTemporary(folder);
  testDeterminism();
  testBackup();
  testChanges();
  testWideChanges();
  puts("every call of the native part holds");
  return 0;
}
