/**
 * The agent that most examples of requests are sent to.
 * @module
 */
import type { Page } from "./scenario.ts";

/** Starts an agent that serves at the ports of `muster serve`, too, with the tables that the examples speak of. */
export async function startOne(page: Page): Promise<void> {
  await page.shell("muster agent -server -bootstrap-expect=1 -data-dir=agent -node=one -sql-port=4001");
  await page.shell(`muster sql '
    CREATE TABLE foo(id INTEGER NOT NULL PRIMARY KEY, name TEXT, age INTEGER);
    INSERT INTO foo(name, age) VALUES("fiona", 20);
    CREATE TABLE t(x);
    INSERT INTO t VALUES(1);
    CREATE TABLE jobs(id INTEGER PRIMARY KEY, done);
    CREATE TABLE players(name, score);
    CREATE TABLE accounts(name, money)'`);
}
