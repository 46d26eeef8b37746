/*
** Records of the rows that statements change (muster_capture() in muster.h), which streams of changes are made of.
**
** (1) The records' memory is the system's, none of the statement's, which does not fail for want of room for them.
** (2) The limit is the same on every machine, whatever was recorded before; a record without a row says that it was met.
*/
#include "connection.h"
#include <stdlib.h>
#include <string.h>

#define CHANGES_MAX (16*1024*1024) /* bytes of records */

/* Room for n more bytes; 0: there is none. */
static u8 *roomFor(Muster *m, i64 n){
  if( m->changeBytes+n>CHANGES_MAX ) return 0;
  if( m->changeBytes+n>m->changeCapacity ){
    i64 capacity = (m->changeBytes+n)*2;
    u8 *grown = realloc(m->changes, (size_t)capacity);
    if( !grown ) return 0;
    m->changes = grown;
    m->changeCapacity = (int)capacity;
  }
  return m->changes + m->changeBytes;
}

static int putBytes(Muster *m, const void *p, i64 n){
  u8 *out = roomFor(m, n + 5); /* always some left for the last record */
  if( !out ) return 0;
  if( n ) memcpy(out, p, (size_t)n);
  m->changeBytes += (int)n;
  return 1;
}

static int putValue(Muster *m, int rc, sqlite3_value *value){
  int tag = rc==SQLITE_OK && value ? sqlite3_value_type(value) : 0, width = tag ? widthOf(tag) : 0;
  u8 head[9];
  i64 v = tag==SQLITE_INTEGER ? sqlite3_value_int64(value) : 0;
  double d = tag==SQLITE_FLOAT ? sqlite3_value_double(value) : 0;
  int isWide = tag==SQLITE_TEXT && sqlite3_value_encoding(value)!=SQLITE_UTF8;
  const void *p = isWide ? sqlite3_value_text(value) : width==4 ? sqlite3_value_blob(value) : 0;
  u32 length = width==4 ? (u32)sqlite3_value_bytes(value) : 0;
  head[0] = (u8)tag;
  if( width ) memcpy(head+1, tag==SQLITE_INTEGER ? (void*)&v : width==8 ? (void*)&d : (void*)&length, width);
  return (p || !length) && putBytes(m, head, 1+width) && putBytes(m, p, length);
}

static int putChange(Muster *m, sqlite3 *db, int op, const char *table, const i64 *rowids){
  u32 length = (u32)strlen(table), columns = (u32)sqlite3_preupdate_count(db);
  sqlite3_value *value;
  int from = m->changeBytes;
  u8 code = op==SQLITE_INSERT ? 1 : op==SQLITE_UPDATE ? 2 : 3;
  if( !putBytes(m, "\0\0\0\0", 4) || !putBytes(m, &code, 1) || !putBytes(m, rowids, 16) ) return 0;
  if( !putBytes(m, &length, 4) || !putBytes(m, table, length) || !putBytes(m, &columns, 4) ) return 0;
  for(int before=1; before>=0; before--){
    if( op==(before ? SQLITE_INSERT : SQLITE_DELETE) ) continue;
    for(int i=0; i<(int)columns; i++){
      int rc = before ? sqlite3_preupdate_old(db, i, &value) : sqlite3_preupdate_new(db, i, &value);
      if( !putValue(m, rc, value) ) return 0;
    }
  }
  length = (u32)(m->changeBytes - from);
  memcpy(m->changes+from, &length, 4);
  return 1;
}

static void onChange(void *arg, sqlite3 *db, int op, const char *base, const char *table, sqlite3_int64 a, sqlite3_int64 b){
  Muster *m = arg;
  i64 rowids[2] = { a, b };
  int from = m->changeBytes;
  if( m->phase!=RUNNING || m->isCut || strcmp(base, "main") ) return;
  if( !strncmp(table, "_muster", 7) && (table[7]==0 || table[7]=='_') ) return;
  if( !strncmp(table, "sqlite_", 7) ) return;
  if( putChange(m, db, op, table, rowids) ) return;
  m->changeBytes = from;
  m->isCut = 1;
  if( roomFor(m, 5) ){ memcpy(m->changes+from, "\5\0\0\0\0", 5); m->changeBytes += 5; }
}

void muster_capture(Muster *m, int on){
  sqlite3_preupdate_hook(m->db, on ? onChange : 0, m);
  muster_forget(m, 0);
}

int muster_changes(Muster *m, u8 *out, int capacity){
  if( m->changeBytes>0 && m->changeBytes<=capacity ) memcpy(out, m->changes, m->changeBytes);
  return m->changeBytes;
}

void muster_forget(Muster *m, int bytes){
  if( bytes<0 || bytes>=m->changeBytes ) return;
  m->changeBytes = bytes;
  m->isCut = 0;
  if( m->changeCapacity>1024*1024 && bytes==0 ){ free(m->changes); m->changes = 0; m->changeCapacity = 0; }
}
