/**
 * The changes to SQLite's source that the library needs, each as a text that must occur just so often. They do four
 * things and no more.
 *
 * (1) Bytes of `sqlite3_randomness()` that end up in data come from `muster_randomness()`, which draws them from the
 *     log entry: the same on every replica. Temporary names, salts and the like go on using the system's.
 * (2) A loop that one step of the virtual machine may spend hours in, where SQLite does not look whether it was
 *     interrupted, calls `muster_work(UNITS)` and ends early when that is not zero. What it has computed by then is not
 *     used. A unit is about the work of one step.
 * (3) What depends on the host, or reaches beyond its statement, does so no longer: the time zone, and the conflict
 *     clause ROLLBACK, which would undo the other requests that share a transaction. A statement that stands alone, and
 *     a request that is all or nothing, come to the same with ABORT.
 *
 * (4) A fault of SQLite that an ordinary request brings about is mended.
 *
 * A version of SQLite in which one of them no longer fits is refused by the build: look at it, then mend the text here.
 * @module
 */

/** A replacement in the amalgamation. */
export interface Patch {
  /** What it does, and why. */
  readonly why: string;
  /** Text as it stands in SQLite. */
  readonly find: string;
  /** Text in its place. */
  readonly replace: string;
  /** How often `find` occurs. @default {1} */
  readonly count?: number;
}

/** Declared in front of everything. */
export const PROLOGUE = "extern int muster_work(long long);\nextern void muster_randomness(int, void*);\n";

/** All of them, in the order of the amalgamation. */
export const PATCHES: readonly Patch[] = [
  {
    why: "local time is UTC on every node, whatever its time zone",
    find: "rc = localtime_r(t, pTm)==0;",
    replace: "rc = gmtime_r(t, pTm)==0;",
  },
  {
    why: "local time is UTC on every node, whatever its time zone (Windows)",
    find: "rc = localtime_s(pTm, t);",
    replace: "rc = gmtime_s(pTm, t);",
  },
  {
    why: "count(*) of a large table is one step",
    find: "while( rc==SQLITE_OK && !AtomicLoad(&db->u1.isInterrupted) ){\n" +
      "    int iIdx;                          /* Index of child node in parent */",
    replace: "while( rc==SQLITE_OK && !AtomicLoad(&db->u1.isInterrupted) && !muster_work(50) ){\n" +
      "    int iIdx;                          /* Index of child node in parent */",
  },
  {
    why: "the rowid that is picked at random where the largest is in use",
    find: "sqlite3_randomness(sizeof(v), &v);",
    replace: "muster_randomness(sizeof(v), &v);",
  },
  {
    why:
      "with foreign keys on, REPLACE of a row in a table whose largest rowid is in use stores the new row out of order: " +
      "its rowid was picked at random, and the insertion goes by where an earlier search left the cursor",
    find: "  seekResult = ((pOp->p5 & OPFLAG_USESEEKRESULT) ? pC->seekResult : 0);",
    replace: "  seekResult = ((pOp->p5 & OPFLAG_USESEEKRESULT) && !pC->useRandomRowid ? pC->seekResult : 0);",
  },
  {
    why: "instr() compares the needle at every place of the haystack",
    find: "       && (zHaystack[0]!=firstChar || memcmp(zHaystack, zNeedle, nNeedle)!=0)\n    ){",
    replace: "       && (zHaystack[0]!=firstChar\n" +
      "           || (memcmp(zHaystack, zNeedle, nNeedle)!=0 && !muster_work(1+nNeedle/256)))\n    ){",
  },
  {
    why: "random()",
    find: "sqlite3_randomness(sizeof(r), &r);\n  if( r<0 ){",
    replace: "muster_randomness(sizeof(r), &r);\n  if( r<0 ){",
  },
  {
    why: "randomblob()",
    find: "    sqlite3_randomness(n, p);\n    sqlite3_result_blob(",
    replace: "    muster_randomness(n, p);\n    sqlite3_result_blob(",
  },
  {
    why: "LIKE and GLOB with several wildcards take the square of the text's length",
    find: '  while( (c = Utf8Read(zPattern))!=0 ){\n    if( c==matchAll ){  /* Match "*" */',
    replace: "  if( muster_work(1) ) return SQLITE_NOWILDCARDMATCH;\n" +
      '  while( (c = Utf8Read(zPattern))!=0 ){\n    if( c==matchAll ){  /* Match "*" */',
  },
  {
    why: "unhex() looks through all characters to ignore for each character of the text",
    find: "        if( !strContainsChar(zPass, nPass, ch) ) goto unhex_null;",
    replace: "        if( muster_work(1+nPass/16) || !strContainsChar(zPass, nPass, ch) ) goto unhex_null;",
  },
  {
    why: "replace() compares the pattern at every place of the text",
    find: "    if( zStr[i]!=zPattern[0] || memcmp(&zStr[i], zPattern, nPattern) ){",
    replace: "    if( zStr[i]!=zPattern[0]\n" +
      "     || (muster_work(1+nPattern/256) ? (loopLimit = i, 1) : memcmp(&zStr[i], zPattern, nPattern)) ){",
  },
  {
    why: "trim(), ltrim(): every character of the set for every character of the text",
    find: "          if( len<=nIn && memcmp(zIn, azChar[i], len)==0 ) break;\n        }\n        if( i>=nChar ) break;",
    replace: "          if( len<=nIn && memcmp(zIn, azChar[i], len)==0 ) break;\n        }\n" +
      "        if( i>=nChar || muster_work(1+i/8) ) break;",
  },
  {
    why: "trim(), rtrim(): the same from the end",
    find:
      "          if( len<=nIn && memcmp(&zIn[nIn-len],azChar[i],len)==0 ) break;\n        }\n        if( i>=nChar ) break;",
    replace: "          if( len<=nIn && memcmp(&zIn[nIn-len],azChar[i],len)==0 ) break;\n        }\n" +
      "        if( i>=nChar || muster_work(1+i/8) ) break;",
  },
  {
    why: "names made up for the columns of CREATE TABLE … AS where several are alike",
    find: "sqlite3_randomness(sizeof(cnt), &cnt);",
    replace: "muster_randomness(sizeof(cnt), &cnt);",
  },
  {
    why: "ON CONFLICT ROLLBACK and RAISE(ROLLBACK) undo their statement, not the transaction",
    find: "{yymsp[0].minor.yy144 = OE_Rollback;}",
    replace: "{yymsp[0].minor.yy144 = OE_Abort;}",
  },
  {
    why: "a term of FTS3 and FTS4 may have any number of entries that are passed over",
    find: "  if( pCsr->nSegment==0 ) return SQLITE_OK;\n\n  do {\n    int nMerge;\n    int i;\n",
    replace: "  if( pCsr->nSegment==0 ) return SQLITE_OK;\n\n  do {\n    int nMerge;\n    int i;\n" +
      "    if( muster_work(10) ) return SQLITE_INTERRUPT;\n",
  },
  {
    why: "a JSON text of a hundred megabytes is parsed in one step",
    find: "  const char *z = pParse->zJson;\njson_parse_restart:",
    replace:
      "  const char *z = pParse->zJson;\n  if( muster_work(1) ){ pParse->iErr = i; return -1; }\njson_parse_restart:",
  },
  {
    why: "json_patch() looks through the target for each label of the patch",
    find: "      int isEqual;   /* true if the patch and target labels match */\n",
    replace: "      int isEqual;   /* true if the patch and target labels match */\n" +
      "      if( muster_work(1) ) return JSON_MERGE_BADTARGET;\n",
  },
  {
    why: "an R-tree is searched to the next match in one step",
    find: "  while( (p = rtreeSearchPointFirst(pCur))!=0 && p->iLevel>0 ){\n    u8 *pCellData;",
    replace: "  while( (p = rtreeSearchPointFirst(pCur))!=0 && p->iLevel>0 ){\n    u8 *pCellData;\n" +
      "    if( muster_work(20) ) return SQLITE_INTERRUPT;",
  },
  {
    why: "the overlap of two polygons takes the square of their vertices",
    find: "      for(pSeg=pActive; pSeg; pSeg=pSeg->pNext){\n        double y = pSeg->C*rX + pSeg->B;",
    replace: "      for(pSeg=pActive; pSeg; pSeg=pSeg->pNext){\n        double y = pSeg->C*rX + pSeg->B;\n" +
      "        if( muster_work(1) ) goto geopolyOverlapDone;",
  },
  {
    why: "snippet() of FTS5 takes the square of the matches in a row",
    find: "  for(i=0; i<nInst && rc==SQLITE_OK; i++){\n" +
      "    rc = pApi->xInst(pFts, i, &ip, &ic, &iOff);\n" +
      "    if( rc==SQLITE_OK && ic==iCol && iOff>=iPos && iOff<iEnd ){",
    replace: "  for(i=0; i<nInst && rc==SQLITE_OK; i++){\n" +
      "    if( muster_work(1) ) return SQLITE_INTERRUPT;\n" +
      "    rc = pApi->xInst(pFts, i, &ip, &ic, &iOff);\n" +
      "    if( rc==SQLITE_OK && ic==iCol && iOff>=iPos && iOff<iEnd ){",
  },
  {
    why: "a query of FTS5 may pass over any number of entries in one step, and `optimize` merges all of them",
    find: "  int bUseFrom = bFrom;\n  assert( pIter->base.bEof==0 );\n  while( p->rc==SQLITE_OK ){\n",
    replace: "  int bUseFrom = bFrom;\n  assert( pIter->base.bEof==0 );\n  while( p->rc==SQLITE_OK ){\n" +
      "    if( muster_work(3) ){ p->rc = SQLITE_INTERRUPT; break; }\n",
  },
  {
    why: "values of fts5_locale() begin with a mark that is drawn when a connection is opened",
    find: "sqlite3_randomness(sizeof(pGlobal->aLocaleHdr), pGlobal->aLocaleHdr);",
    replace: "muster_randomness(sizeof(pGlobal->aLocaleHdr), pGlobal->aLocaleHdr);",
  },
];

/**
 * Applies all patches.
 * @param source The amalgamation.
 * @throws {Error} When one does not fit.
 */
export function patched(source: string): string {
  let text = source;
  for (const { why, find, replace, count = 1 } of PATCHES) {
    const found = text.split(find).length - 1;
    if (found !== count) throw new Error(`Cannot patch SQLite (${why}): its text occurs ${found} times, not ${count}`);
    text = text.replaceAll(find, () => replace);
  }
  return PROLOGUE + text;
}
