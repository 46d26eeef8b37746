/**
 * The changes to SQLite's source that the library needs, each as a text that must occur just so often. They do seven
 * things and no more.
 *
 * (1) Bytes of `sqlite3_randomness()` that end up in data come from `muster_randomness()`, which draws them from the
 *     log entry: the same on every replica. Temporary names, salts and the like go on using the system's.
 * (2) A loop that one step of the virtual machine may spend hours in, where SQLite does not look whether it was
 *     interrupted, calls `muster_work(UNITS)` and ends early when that is not zero. What it has computed by then is not
 *     used. A unit is about the work of one step. The compiler calls `muster_compiling(UNITS)`, of which one is about a
 *     comparison of two terms.
 * (3) What depends on the host, or reaches beyond its statement, does so no longer: the time zone, and the conflict
 *     clause ROLLBACK, which would undo the other requests that share a transaction. A statement that stands alone, and
 *     a request that is all or nothing, come to the same with ABORT.
 *
 * (4) A fault of SQLite that an ordinary request brings about is mended.
 * (5) When a statement was undone and its transaction goes on, `muster_undone(STATEMENT)` hears of it.
 * (6) `muster_deferred(CONNECTION)` says whether deferred foreign keys are violated: it is asked after each statement, and
 *     `sqlite3_db_status()` takes longer than some steps.
 * (7) The authorizer hears of every table that a statement reads, also where a join takes its columns by USING or NATURAL
 *     alone, and of every function, also of those in the DEFAULT of a column: live queries, and what must be alike on every
 *     replica, depend on it.
 *
 * A version of SQLite in which one of them no longer fits is refused by the build: look at it, then mend the text here.
 * @module
 */

/** A replacement in the amalgamation. */
export interface Patch {
  /** The change that the patch makes, and the reason. */
  readonly why: string;
  /** Text as it stands in SQLite. */
  readonly find: string;
  /** Text in its place. */
  readonly replace: string;
  /** How often `find` occurs. @default {1} */
  readonly count?: number;
}

/** Declared in front of everything. */
export const PROLOGUE = "extern int muster_work(long long);\nextern void muster_randomness(int, void*);\n" +
  "extern void muster_undone(void*);\nextern int muster_nest(int, int);\nextern int muster_compiling(long long);\nextern int muster_recompile(int);\n";

/** Recursions whose depth is counted, as the native part numbers them (library/muster.c). */
const NEST = { select: 0, trigger: 1, once: 2 };

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
    why:
      "a value of a hundred megabytes takes as long as a million steps, and statements that run straight on, or rows as large, are looked at every thousand steps alone",
    find: "static Mem *out2Prerelease(Vdbe *p, VdbeOp *pOp){\n",
    replace:
      "/* Work for the text and the bytes that a function has read and written. */\nstatic int workOfValues(int argc, sqlite3_value **argv, const Mem *pOut){\n  i64 n = pOut && (pOut->flags & (MEM_Str|MEM_Blob)) ? pOut->n : 0;\n  int i;\n  for(i=0; i<argc; i++) if( argv[i]->flags & (MEM_Str|MEM_Blob) ) n += argv[i]->n;\n  return n>=4096 && muster_work(n/64);\n}\n\nstatic Mem *out2Prerelease(Vdbe *p, VdbeOp *pOp){\n",
  },
  {
    why: "the same: a conversion",
    find: "  rc = sqlite3VdbeMemCast(pIn1, pOp->p2, encoding);\n",
    replace:
      "  if( workOfValues(1, &pIn1, 0) ){ rc = SQLITE_INTERRUPT; goto abort_due_to_error; }\n  rc = sqlite3VdbeMemCast(pIn1, pOp->p2, encoding);\n",
  },
  {
    why: "the same: a concatenation",
    find: "  memcpy(&pOut->z[pIn2->n], pIn1->z, pIn1->n);\n",
    replace:
      "  memcpy(&pOut->z[pIn2->n], pIn1->z, pIn1->n);\n  if( nByte>=4096 && muster_work(nByte/64) ){ rc = SQLITE_INTERRUPT; goto abort_due_to_error; }\n",
  },
  {
    why: "the same: a comparison",
    find: "    res = sqlite3MemCompare(pIn3, pIn1, pOp->p4.pColl);\n  }\n",
    replace:
      "    res = sqlite3MemCompare(pIn3, pIn1, pOp->p4.pColl);\n    if( (flags1 & flags3 & (MEM_Str|MEM_Blob)) && pIn1->n>=4096 && pIn3->n>=4096\n     && muster_work((pIn1->n<pIn3->n ? pIn1->n : pIn3->n)/64) ){ rc = SQLITE_INTERRUPT; goto abort_due_to_error; }\n  }\n",
  },
  {
    why: "the same: a row that is put together",
    find: "  nByte = nHdr+nData;\n",
    replace:
      "  nByte = nHdr+nData;\n  if( nByte>=4096 && muster_work(nByte/64) ){ rc = SQLITE_INTERRUPT; goto abort_due_to_error; }\n",
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
    why: "the same: a step of an aggregate, when its error was taken, which would stay for the next run otherwise",
    find: "  assert( pCtx->pOut->flags==MEM_Null );\n  assert( pCtx->skipFlag==0 );\n  break;\n",
    replace:
      "  assert( pCtx->pOut->flags==MEM_Null );\n  assert( pCtx->skipFlag==0 );\n  if( workOfValues(pCtx->argc, pCtx->argv, 0) ){ rc = SQLITE_INTERRUPT; goto abort_due_to_error; }\n  break;\n",
  },
  {
    why: "the same: a function, when its error was taken",
    find:
      "    sqlite3VdbeDeleteAuxData(db, &p->pAuxData, pCtx->iOp, pOp->p1);\n    pCtx->isError = 0;\n    if( rc ) goto abort_due_to_error;\n  }\n",
    replace:
      "    sqlite3VdbeDeleteAuxData(db, &p->pAuxData, pCtx->iOp, pOp->p1);\n    pCtx->isError = 0;\n    if( rc ) goto abort_due_to_error;\n  }\n  if( workOfValues(pCtx->argc, pCtx->argv, pOut) ){ rc = SQLITE_INTERRUPT; goto abort_due_to_error; }\n",
  },
  {
    why: "rows of megabytes are sorted in one step",
    find: "    res = pTask->xCompare(\n        pTask, &bCached, SRVAL(p1), p1->nVal, SRVAL(p2), p2->nVal\n    );\n",
    replace:
      "    res = muster_work((p1->nVal<p2->nVal ? p1->nVal : p2->nVal)/64) ? 0 : pTask->xCompare(\n        pTask, &bCached, SRVAL(p1), p1->nVal, SRVAL(p2), p2->nVal\n    );\n",
  },
  {
    why: "instr() compares the needle at every place of the haystack",
    find: "       && (zHaystack[0]!=firstChar || memcmp(zHaystack, zNeedle, nNeedle)!=0)\n    ){",
    replace: "       && (zHaystack[0]!=firstChar\n" +
      "           || (memcmp(zHaystack, zNeedle, nNeedle)!=0 && !muster_work(1+nNeedle/256)))\n    ){",
  },
  {
    why:
      "a statement that fails when it has written some rows leaves them in its transaction, where it fails by what SQLite does not count as a failure: " +
      "a value that no rowid or no STRICT column can be, an aggregate, a virtual table",
    find: "p->usesStmtJournal = (u8)(pParse->isMultiWrite && pParse->mayAbort);",
    replace: "p->usesStmtJournal = pParse->isMultiWrite;",
  },
  {
    why:
      "a statement that the module of a virtual table runs, such as the one that writes what FTS5 has gathered, tells the modules of its savepoint: " +
      "FTS5 writes what it has gathered then, and so on until the stack is used up, where an index on a table behind it calls for a savepoint",
    find: "      rc = sqlite3VtabSavepoint(db, SAVEPOINT_BEGIN, p->iStatement-1);\n",
    replace: "      rc = db->nVdbeExec>1 ? SQLITE_OK : sqlite3VtabSavepoint(db, SAVEPOINT_BEGIN, p->iStatement-1);\n",
  },
  {
    why: "the same, at its end",
    find:
      "  if( rc==SQLITE_OK ){\n    if( eOp==SAVEPOINT_ROLLBACK ){\n      rc = sqlite3VtabSavepoint(db, SAVEPOINT_ROLLBACK,",
    replace:
      "  if( rc==SQLITE_OK && db->nVdbeExec<=1 ){\n    if( eOp==SAVEPOINT_ROLLBACK ){\n      rc = sqlite3VtabSavepoint(db, SAVEPOINT_ROLLBACK,",
  },
  {
    why:
      "views and common table expressions that stand on each other by the thousand, and triggers and foreign keys that bring about each other, " +
      "use up the stack while they are compiled: both have a depth that is the same on every machine",
    find: "SQLITE_PRIVATE int sqlite3WalkSelect(Walker *pWalker, Select *p){\n  int rc;\n",
    replace:
      `static int walkSelect(Walker*, Select*);\nSQLITE_PRIVATE int sqlite3WalkSelect(Walker *pWalker, Select *p){\n  int rc;\n  if( p && muster_compiling(32) ) return WRC_Abort;\n  muster_nest(${NEST.select}, 1);\n  rc = walkSelect(pWalker, p);\n  muster_nest(${NEST.select}, -1);\n  return rc;\n}\n` +
      "static int walkSelect(Walker *pWalker, Select *p){\n  int rc;\n",
  },
  {
    why: "the same: the first to go through a query",
    find: "  if( (selFlags & SF_Expanded)!=0 ){\n    return WRC_Prune;\n  }\n  if( pWalker->eCode ){\n",
    replace: "  if( (selFlags & SF_Expanded)!=0 ){\n    return WRC_Prune;\n  }\n" +
      `  if( muster_nest(${NEST.select}, 0)>1200 ){\n    sqlite3ErrorMsg(pParse, "too many levels of views, subqueries and common table expressions");\n    return WRC_Abort;\n  }\n` +
      "  if( pWalker->eCode ){\n",
  },
  {
    why: "the same: the program of a trigger, or of a foreign key's action",
    find: "    pPrg = codeRowTrigger(pParse, pTrigger, pTab, orconf);\n",
    replace:
      `    if( muster_nest(${NEST.trigger}, 1)>500 ) sqlite3ErrorMsg(pParse, "too many levels of triggers and foreign keys");\n` +
      `    else pPrg = codeRowTrigger(pParse, pTrigger, pTab, orconf);\n    muster_nest(${NEST.trigger}, -1);\n`,
  },
  {
    why: "an expression behind COLLATE counts as deep as it is: a limit of its depth is of no use otherwise",
    find: "      pNew->flags |= EP_Collate|EP_Skip;\n      pExpr = pNew;\n",
    replace:
      "      pNew->flags |= EP_Collate|EP_Skip;\n      sqlite3ExprSetHeightAndFlags((Parse*)pParse, pNew);\n      pExpr = pNew;\n",
  },
  {
    why: "each common table expression is compared with all before it",
    find:
      '    for(i=0; i<pWith->nCte; i++){\n      if( sqlite3StrICmp(zName, pWith->a[i].zName)==0 ){\n        sqlite3ErrorMsg(pParse, "duplicate WITH',
    replace:
      '    if( muster_compiling(1 + 2*(i64)pWith->nCte) ) sqlite3ErrorMsg(pParse, "interrupted");\n    else for(i=0; i<pWith->nCte; i++){\n      if( sqlite3StrICmp(zName, pWith->a[i].zName)==0 ){\n        sqlite3ErrorMsg(pParse, "duplicate WITH',
  },
  {
    why:
      "terms are compared with each other all over the compiler: those of GROUP BY and ORDER BY, windows, constants, aggregates. " +
      "A hundred kilobytes of them take a minute. Given up, the compiler ends as it does without memory: what it asks for is refused",
    find: "  assert( !ExprHasProperty(pB, EP_IntValue) );\n  if( pA->u.zToken ){\n",
    replace:
      "  assert( !ExprHasProperty(pB, EP_IntValue) );\n  if( muster_compiling(1) ) return 2;\n  if( pA->u.zToken ){\n",
  },
  {
    why:
      "a constant is looked for among the first ones only, not among all: hundred thousands of rows of VALUES took a minute to compile",
    find: "    for(pItem=p->a, i=p->nExpr; i>0; pItem++, i--){\n      if( pItem->fg.reusable\n",
    replace: "    for(pItem=p->a, i=(p->nExpr<50 ? p->nExpr : 50); i>0; pItem++, i--){\n      if( pItem->fg.reusable\n",
  },
  {
    why: "the same: each node of an expression that is walked through, for the many reasons to do so",
    find: "  while(1){\n    rc = pWalker->xExprCallback(pWalker, pExpr);\n",
    replace:
      "  while(1){\n    if( muster_compiling(1) ) return WRC_Abort;\n    rc = pWalker->xExprCallback(pWalker, pExpr);\n",
  },
  {
    why: "the same: all terms of WHERE, for each of them that a loop may make use of",
    find:
      "  assert( (pLoop->wsFlags & WHERE_AUTO_INDEX)==0 );\n  for(i=pWC->nBase, pTerm=pWC->a; i>0; i--, pTerm++){\n",
    replace:
      "  assert( (pLoop->wsFlags & WHERE_AUTO_INDEX)==0 );\n  if( muster_compiling(1 + pWC->nBase/2) ) return;\n  for(i=pWC->nBase, pTerm=pWC->a; i>0; i--, pTerm++){\n",
  },
  {
    why: "the same: each window function among all of its window",
    find: "        for(pWin=p->pWin; pWin; pWin=pWin->pNextWin){\n          if( pExpr->y.pWin==pWin ){\n",
    replace:
      "        for(pWin=p->pWin; pWin && !muster_compiling(1); pWin=pWin->pNextWin){\n          if( pExpr->y.pWin==pWin ){\n",
  },
  {
    why:
      "the same: a query in the place of a table, which is put into the one around it; common table expressions double it with each level",
    find: "  if( !p ) return;\n  pSubst->nSelDepth++;\n",
    replace: "  if( !p || muster_compiling(32) ) return;\n  pSubst->nSelDepth++;\n",
  },
  {
    why: "the same: a copy of an expression",
    find: "  int nToken = -1;       /* Space needed for p->u.zToken.  -1 means unknown */\n",
    replace: "  int nToken = -1;       /* Space needed for p->u.zToken.  -1 means unknown */\n  muster_compiling(4);\n",
  },
  {
    why: "the same: a column among all of a table",
    find: "  /* No lucky match from the hash table.  Do a full search. */\n  i = 0;\n  while( 1 /*exit-by-break*/ ){\n",
    replace:
      "  /* No lucky match from the hash table.  Do a full search. */\n  if( muster_compiling(1 + nCol/16) ) return -1;\n  i = 0;\n  while( 1 /*exit-by-break*/ ){\n",
  },
  {
    why: "the same: a column among all of a join in parentheses",
    find: "          for(j=0; j<pEList->nExpr; j++){\n            int bRowid = 0;",
    replace: "          for(j=0; j<pEList->nExpr && !muster_compiling(1); j++){\n            int bRowid = 0;",
  },
  {
    why: "the same: a name among all that the query gives its results",
    find: "      for(j=0; j<pEList->nExpr; j++){\n        char *zAs = pEList->a[j].zEName;\n",
    replace:
      "      for(j=0; j<pEList->nExpr && !muster_compiling(1); j++){\n        char *zAs = pEList->a[j].zEName;\n",
  },
  {
    why: "the same: the columns of a foreign key among all of their table",
    find:
      "      for(j=0; j<p->nCol; j++){\n        if( sqlite3StrICmp(p->aCol[j].zCnName, pFromCol->a[i].zEName)==0 ){\n",
    replace:
      "      for(j=0; j<p->nCol && !muster_compiling(1); j++){\n        if( sqlite3StrICmp(p->aCol[j].zCnName, pFromCol->a[i].zEName)==0 ){\n",
  },
  {
    why: "the same: the number of a parameter among all that have one",
    find: "  mx = pIn[1];\n  i = 2;\n  do{\n    if( pIn[i]==iVal )",
    replace: "  mx = pIn[1];\n  i = 2;\n  if( muster_compiling(1 + mx/16) ) return 0;\n  do{\n    if( pIn[i]==iVal )",
  },
  {
    why: "the same: how it ends",
    find: "SQLITE_PRIVATE void *sqlite3OomFault(sqlite3 *db){\n",
    replace:
      "void muster_give_up(sqlite3 *db){ sqlite3OomFault(db); }\nSQLITE_PRIVATE void *sqlite3OomFault(sqlite3 *db){\n",
  },
  {
    why: "a statement that is compiled anew where it runs has the limits of one that is compiled",
    find: "  rc = sqlite3LockAndPrepare(db, zSql, -1, prepFlags, p, &pNew, 0);\n",
    replace:
      "  {\n    int before = muster_recompile(-1);\n    rc = sqlite3LockAndPrepare(db, zSql, -1, prepFlags, p, &pNew, 0);\n    muster_recompile(before);\n  }\n",
  },
  {
    why:
      "what a connection works out once and keeps does not count for the statement that happens to be the first: the schema",
    find: "SQLITE_PRIVATE int sqlite3Init(sqlite3 *db, char **pzErrMsg){\n  int i, rc;\n",
    replace:
      `static int initAll(sqlite3*, char**);\nSQLITE_PRIVATE int sqlite3Init(sqlite3 *db, char **pzErrMsg){\n  int rc;\n  muster_nest(${NEST.once}, 1);\n  rc = initAll(db, pzErrMsg);\n  muster_nest(${NEST.once}, -1);\n  return rc;\n}\n` +
      "static int initAll(sqlite3 *db, char **pzErrMsg){\n  int i, rc;\n",
  },
  {
    why: "the same: a virtual table",
    find: "    rc = vtabCallConstructor(db, pTab, pMod, pMod->pModule->xConnect, &zErr);\n    if( rc!=SQLITE_OK ){\n",
    replace:
      `    muster_nest(${NEST.once}, 1);\n    rc = vtabCallConstructor(db, pTab, pMod, pMod->pModule->xConnect, &zErr);\n    muster_nest(${NEST.once}, -1);\n    if( rc!=SQLITE_OK ){\n`,
  },
  {
    why: "the columns of views are worked out anew for each statement: so they count for each, as they may take long",
    find: "  DbClearProperty(db, idx, DB_UnresetViews);\n}\n",
    replace:
      "  DbClearProperty(db, idx, DB_UnresetViews);\n}\nvoid muster_reset_views(sqlite3 *db){\n  int i;\n  for(i=0; i<db->nDb; i++) if( db->aDb[i].pSchema ) sqliteViewResetAll(db, i);\n}\n",
  },
  {
    why:
      "reading the values of a row leaves them as they are, so that a statement does the same where nobody looks at its rows",
    find: "SQLITE_API sqlite3_value *sqlite3_column_value(sqlite3_stmt *pStmt, int i){\n",
    replace:
      "sqlite3_value *muster_column(sqlite3_stmt *pStmt, int i){\n  Vdbe *p = (Vdbe*)pStmt;\n  return p->pResultRow && i<p->nResColumn ? (sqlite3_value*)&p->pResultRow[i] : (sqlite3_value*)columnNullValue();\n}\n" +
      "int muster_bytes(sqlite3_value *pVal, const void **pz, u32 *pn, u32 *pnZero){\n  Mem *p = (Mem*)pVal;\n  *pz = p->z;\n  *pn = (u32)p->n;\n  *pnZero = (p->flags & MEM_Zero) ? (u32)p->u.nZero : 0;\n  return p->enc;\n}\n" +
      "SQLITE_API sqlite3_value *sqlite3_column_value(sqlite3_stmt *pStmt, int i){\n",
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
    why: "the rows that a statement changed before it failed, and was undone, are no changes",
    find: "      rc = sqlite3VdbeCloseStatement(p, eStatementOp);\n",
    replace: "      rc = sqlite3VdbeCloseStatement(p, eStatementOp);\n" +
      "      if( eStatementOp==SAVEPOINT_ROLLBACK ) muster_undone(p);\n",
  },
  {
    why: "names made up for the columns of CREATE TABLE … AS where several are alike",
    find: "sqlite3_randomness(sizeof(cnt), &cnt);",
    replace: "muster_randomness(sizeof(cnt), &cnt);",
  },
  {
    why: "a table whose columns are read by USING or NATURAL alone is read",
    find: "    if( pItem->colUsed==0 && pItem->zName!=0 ){\n      const char *zDb;\n",
    replace:
      '    if( pItem->colUsed!=0 && pItem->fg.isSubquery==0 && pItem->pSTab && pItem->pSTab->pSchema ){\n      int iOwn = sqlite3SchemaToIndex(db, pItem->pSTab->pSchema);\n      if( iOwn>=0 ) sqlite3AuthCheck(pParse, SQLITE_READ, pItem->pSTab->zName, "", db->aDb[iOwn].zDbSName);\n    }\n    if( pItem->colUsed==0 && pItem->zName!=0 ){\n      const char *zDb;\n',
  },
  {
    why: "a function in the DEFAULT of a column is called",
    find:
      '      if( pDef==0 || pDef->xFinalize!=0 ){\n        sqlite3ErrorMsg(pParse, "unknown function: %#T()", pExpr);\n' +
      "        break;\n      }\n",
    replace:
      '      if( pDef==0 || pDef->xFinalize!=0 ){\n        sqlite3ErrorMsg(pParse, "unknown function: %#T()", pExpr);\n' +
      "        break;\n      }\n      sqlite3AuthCheck(pParse, SQLITE_FUNCTION, 0, pDef->zName, 0);\n",
  },
  {
    why: "each parameter with a name is looked for among all before it",
    find: "  if( pIn==0 ) return 0;\n  mx = pIn[1];\n  i = 2;\n  do{\n    const char *z = (const char*)&pIn[i+2];\n",
    replace:
      "  if( pIn==0 ) return 0;\n  mx = pIn[1];\n  i = 2;\n  if( muster_compiling(1 + mx/16) ) return 0;\n  do{\n    const char *z = (const char*)&pIn[i+2];\n",
  },
  {
    why: "the number of an FTS5 cursor, which is a value of its table, counted the cursors of the connection",
    find: "      pCsr->pNext = pGlobal->pCsr;\n      pGlobal->pCsr = pCsr;\n      pCsr->iCsrId = ++pGlobal->iNextId;\n",
    replace:
      "      pCsr->iCsrId = pGlobal->pCsr ? pGlobal->pCsr->iCsrId+1 : 1; /* the newest, and thus the largest, is in front */\n" +
      "      pCsr->pNext = pGlobal->pCsr;\n      pGlobal->pCsr = pCsr;\n",
  },
  {
    why: "the blocks that a connection has read are a value of an FTS5 table",
    find: "    pCsr->iSpecial = sqlite3Fts5IndexReads(pTab->p.pIndex);\n",
    replace: "    pCsr->iSpecial = 0*sqlite3Fts5IndexReads(pTab->p.pIndex);\n",
  },
  {
    why: "whether deferred foreign keys are violated, in few instructions",
    find: "SQLITE_API int sqlite3_get_autocommit(sqlite3 *db){\n",
    replace: "int muster_deferred(sqlite3 *db){\n  return db->nDeferredCons>0 || db->nDeferredImmCons>0;\n}\n\n" +
      "SQLITE_API int sqlite3_get_autocommit(sqlite3 *db){\n",
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
    why: "snippet() of FTS3 and FTS4 tries a place for each match in a row",
    find: "    while( !fts3SnippetNextCandidate(&sIter) ){\n",
    replace: "    while( !muster_work(1+nList) && !fts3SnippetNextCandidate(&sIter) ){\n",
  },
  {
    why: "matchinfo() of FTS3 and FTS4 goes through the matches of all phrases in a row",
    find:
      "      LcsIterator *pAdv = 0;      /* The iterator to advance by one position */\n      int nThisLcs = 0;           /* LCS for the current iterator positions */\n",
    replace:
      "      LcsIterator *pAdv = 0;      /* The iterator to advance by one position */\n      int nThisLcs = 0;           /* LCS for the current iterator positions */\n\n      if( muster_work(1+pInfo->nPhrase) ){ rc = SQLITE_INTERRUPT; goto matchinfo_lcs_out; }\n",
  },
  {
    why: "offsets() of FTS3 and FTS4 reads the row from its beginning",
    find:
      "      int iMinPos = 0x7FFFFFFF;   /* Position of next token */\n      TermOffset *pTerm = 0;      /* TermOffset associated with next token */\n",
    replace:
      "      int iMinPos = 0x7FFFFFFF;   /* Position of next token */\n      TermOffset *pTerm = 0;      /* TermOffset associated with next token */\n\n      if( muster_work(1+nToken) ){ rc = SQLITE_INTERRUPT; break; }\n",
  },
  {
    why: "the length of a JSON array, for a path like $[#-1], is counted anew for each path",
    find: "  for(i=iRoot+n; n>0 && i<iEnd; i+=sz+n, k++){\n    n = jsonbPayloadSize(pParse, i, &sz);\n",
    replace:
      "  for(i=iRoot+n; n>0 && i<iEnd && !muster_work(1); i+=sz+n, k++){\n    n = jsonbPayloadSize(pParse, i, &sz);\n",
  },
  {
    why: "each change of a JSON value moves what is behind it",
    find:
      "    memmove(&pParse->aBlob[iDel+nIns],\n            &pParse->aBlob[iDel+nDel],\n            pParse->nBlob - (iDel+nDel));\n",
    replace:
      "    if( muster_work((pParse->nBlob - (iDel+nDel))/64) ){ pParse->oom = 1; return; }\n    memmove(&pParse->aBlob[iDel+nIns],\n            &pParse->aBlob[iDel+nDel],\n            pParse->nBlob - (iDel+nDel));\n",
  },
  {
    why: "a JSON text of a hundred megabytes is parsed in one step",
    find: "  const char *z = pParse->zJson;\njson_parse_restart:",
    replace:
      "  const char *z = pParse->zJson;\n  if( muster_work(1) ){ pParse->iErr = i; return -1; }\njson_parse_restart:",
  },
  {
    why: "a JSON value of a hundred megabytes is written out in one step",
    find:
      "  u32 sz, n, j, iEnd;\n\n  n = jsonbPayloadSize(pParse, i, &sz);\n  if( n==0 ){\n    pOut->eErr |= JSTRING_MALFORMED;\n    return pParse->nBlob+1;\n",
    replace:
      "  u32 sz, n, j, iEnd;\n\n  n = jsonbPayloadSize(pParse, i, &sz);\n  if( n==0 || muster_work(1+sz/256) ){\n    pOut->eErr |= JSTRING_MALFORMED;\n    return pParse->nBlob+1;\n",
  },
  {
    why: "each path of a JSON function looks through the labels of an object",
    find:
      "    while( j<iEnd ){\n      int rawLabel;\n      const char *zLabel;\n      x = pParse->aBlob[j] & 0x0f;\n      if( x<JSONB_TEXT || x>JSONB_TEXTRAW ) return JSON_LOOKUP_ERROR;\n",
    replace:
      "    while( j<iEnd ){\n      int rawLabel;\n      const char *zLabel;\n      if( muster_work(1) ) return JSON_LOOKUP_ERROR;\n      x = pParse->aBlob[j] & 0x0f;\n      if( x<JSONB_TEXT || x>JSONB_TEXTRAW ) return JSON_LOOKUP_ERROR;\n",
  },
  {
    why: "each path of a JSON function looks through the elements of an array",
    find: "    while( j<iEnd ){\n      if( kk==0 ){\n",
    replace: "    while( j<iEnd ){\n      if( muster_work(1) ) return JSON_LOOKUP_ERROR;\n      if( kk==0 ){\n",
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
    why: "highlight() and snippet() of FTS5 copy all that they have written for each token",
    find: '    if( n<0 ) n = (int)strlen(z);\n    p->zOut = sqlite3_mprintf("%z%.*s", p->zOut, n, z);\n',
    replace:
      '    if( n<0 ) n = (int)strlen(z);\n    if( muster_work(1+p->iOff/64) ){ *pRc = SQLITE_INTERRUPT; return; }\n    p->zOut = sqlite3_mprintf("%z%.*s", p->zOut, n, z);\n',
  },
  {
    why: "NEAR of FTS5 goes through the matches of all phrases in a row",
    find: "        iMin = iMax - pNear->apPhrase[i]->nTerm - pNear->nNear;\n",
    replace:
      "        if( muster_work(1) ) goto ismatch_out;\n        iMin = iMax - pNear->apPhrase[i]->nTerm - pNear->nNear;\n",
  },
  {
    why: "a query of FTS5 may pass over any number of entries in one step, and `optimize` merges all of them",
    find: "  int bUseFrom = bFrom;\n  assert( pIter->base.bEof==0 );\n  while( p->rc==SQLITE_OK ){\n",
    replace: "  int bUseFrom = bFrom;\n  assert( pIter->base.bEof==0 );\n  while( p->rc==SQLITE_OK ){\n" +
      "    if( muster_work(3) ){ p->rc = SQLITE_INTERRUPT; break; }\n",
  },
  {
    why: "a query of FTS5 copies all that it has of AND or OR for each further term",
    find:
      "      nByte = SZ_FTS5EXPRNODE(nChild);\n      pRet = (Fts5ExprNode*)sqlite3Fts5MallocZero(&pParse->rc, nByte);\n",
    replace:
      "      nByte = SZ_FTS5EXPRNODE(nChild);\n      if( muster_work(1+nChild/4) ) pParse->rc = SQLITE_INTERRUPT;\n      pRet = (Fts5ExprNode*)sqlite3Fts5MallocZero(&pParse->rc, nByte);\n",
  },
  {
    why: "values of fts5_locale() begin with a mark that is drawn when a connection is opened",
    find: "sqlite3_randomness(sizeof(pGlobal->aLocaleHdr), pGlobal->aLocaleHdr);",
    replace: "muster_randomness(sizeof(pGlobal->aLocaleHdr), pGlobal->aLocaleHdr);",
  },
  {
    why: "the matches of FTS5 in a row are put in order: every phrase for each of them",
    find: "        if( iBest<0 ) break;\n\n        nInst++;\n",
    replace:
      "        if( iBest<0 ) break;\n        if( muster_work(1+nIter/4) ){ rc = SQLITE_INTERRUPT; break; }\n\n        nInst++;\n",
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
