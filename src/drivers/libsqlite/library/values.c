/*
** Values on their way between TypeScript and SQLite: packed one behind the other, each a tag and its bytes (packing.ts).
**
** (1) Every length is checked against the bytes that are there.
** (2) Reading the values of a row changes nothing of it: SQLite goes on with them, and where nobody looks at the rows it
**     does so as well. Its own functions for columns write zeros out, set flags, and copy texts for a NUL behind them.
*/
#include "connection.h"
#include <string.h>

/* SQLite's, see scripts/sqlite/patches.ts */
sqlite3_value *muster_column(sqlite3_stmt *s, int i);
int muster_bytes(sqlite3_value *value, const void **bytes, u32 *length, u32 *zeros);

int muster_bind(sqlite3_stmt *s, const u8 *p, int n, sqlite3_destructor_type keep){
  int rc = SQLITE_OK;
  if( sqlite3_stmt_busy(s) ){ sqlite3_reset(s); sqlite3_clear_bindings(s); } /* otherwise ended() has done so */
  for(int i=1, at=0; at<n && rc==SQLITE_OK; i++){
    int tag = p[at++], width = widthOf(tag);
    u32 length = 0;
    i64 v = 0;
    double d = 0;
    if( tag<SQLITE_INTEGER || tag>SQLITE_NULL || width>n-at ) return SQLITE_MISUSE;
    if( width==8 ){ memcpy(&v, p+at, 8); memcpy(&d, p+at, 8); }
    if( width==4 ) memcpy(&length, p+at, 4);
    at += width;
    if( length>(u32)(n-at) ) return SQLITE_MISUSE;
    rc = tag==SQLITE_INTEGER ? sqlite3_bind_int64(s, i, v) : tag==SQLITE_FLOAT ? sqlite3_bind_double(s, i, d)
      : tag==SQLITE_NULL ? sqlite3_bind_null(s, i)
      : tag==SQLITE_TEXT ? sqlite3_bind_text64(s, i, (const char*)p+at, length, SQLITE_TRANSIENT, SQLITE_UTF8)
      : length==0 ? sqlite3_bind_zeroblob(s, i, 0) : sqlite3_bind_blob64(s, i, p+at, length, keep);
    at += (int)length;
  }
  return rc;
}

i64 muster_put_row(sqlite3_stmt *s, int columns, u8 *out, i64 at, int capacity){
  for(int i=0; i<columns; i++){
    sqlite3_value *value = muster_column(s, i);
    int tag = sqlite3_value_type(value), width = widthOf(tag);
    i64 v = tag==SQLITE_INTEGER ? sqlite3_value_int64(value) : 0;
    double d = tag==SQLITE_FLOAT ? sqlite3_value_double(value) : 0;
    const void *p = 0;
    u32 length = 0, zeros = 0;
    if( width==4 && muster_bytes(value, &p, &length, &zeros)!=SQLITE_UTF8 && tag==SQLITE_TEXT ){
      p = sqlite3_value_text(value); /* of a database in UTF-16, which earlier versions took */
      length = (u32)sqlite3_value_bytes(value);
      if( !p ) return -1;
    }
    if( at+1+width+length+zeros<=capacity ){
      u32 all = length+zeros;
      out[at] = (u8)tag;
      if( width ) memcpy(out+at+1, tag==SQLITE_INTEGER ? (void*)&v : width==8 ? (void*)&d : (void*)&all, width);
      if( length ) memcpy(out+at+5, p, length);
      if( zeros ) memset(out+at+5+length, 0, zeros);
    }
    at += 1 + width + (i64)length + zeros;
  }
  return at;
}
