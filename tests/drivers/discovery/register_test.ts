/**
 * The leader's record: what is stored, a claim whose answer is lost, reports that go on when the store fails, a rival.
 */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { KvStore, Stored } from "../../../src/drivers/discovery/kv_store.ts";
import { decodeRecord, encodeRecord, RecordError } from "../../../src/drivers/discovery/record.ts";
import { Register } from "../../../src/drivers/discovery/register.ts";
import { until } from "../../harness/processes.ts";

const SELF = { id: "1", apiAddr: "http://a:4001", addr: "a:4002" };
const OTHER = { id: "2", apiAddr: "http://b:4001", addr: "b:4002" };

/** A store in memory whose answers can get lost. */
class MemoryKey implements KvStore {
  readonly name = "the key";
  readonly writes: string[] = [];
  value: string | undefined;
  revision = 0;
  /** Before: the request is lost; after: its answer is. */
  failing: "before" | "after" | undefined;

  get(): Promise<Stored | undefined> {
    return Promise.resolve(
      this.value === undefined ? undefined : { text: this.value, revision: String(this.revision) },
    );
  }

  create(text: string): Promise<boolean> {
    return this.#write(text, this.value === undefined);
  }

  replace(text: string, revision: string): Promise<boolean> {
    return this.#write(text, String(this.revision) === revision);
  }

  async put(text: string): Promise<void> {
    await this.#write(text, true);
  }

  set(text: string): void {
    this.value = text;
    this.revision++;
  }

  #write(text: string, holds: boolean): Promise<boolean> {
    const failing = this.failing;
    if (failing !== "before" && holds) {
      this.set(text);
      this.writes.push(text);
    }
    return failing === undefined ? Promise.resolve(holds) : Promise.reject(new Error("the connection broke"));
  }
}

function registerOn(store: KvStore): { register: Register; log: string[] } {
  const log: string[] = [];
  const events = { contact() {}, failed() {}, log: (line: string) => log.push(line) };
  return { register: new Register(store, events, 200), log };
}

async function rejects(work: Promise<unknown>): Promise<void> {
  await work.then(() => {
    throw new Error("it was answered");
  }, () => {});
}

Deno.test("the record is stored as rqlite stores it", () => {
  assertEquals(encodeRecord(SELF), '{"id":"1","api_addr":"http://a:4001","addr":"a:4002"}');
  assertEquals(encodeRecord({ ...SELF, apiAddr: "" }), '{"id":"1","addr":"a:4002"}');
  assertEquals(decodeRecord('{"addr":"a:4002","id":"1","api_addr":"http://a:4001","more":1}'), SELF);
  for (const text of ["", "x", "null", "[]", "{}", '{"id":"1"}', '{"addr":7}', `{"addr":"${"x".repeat(600)}"}`]) {
    assertThrows(() => decodeRecord(text), RecordError);
  }
  fc.assert(
    fc.property(
      fc.string({ maxLength: 9 }),
      fc.string({ maxLength: 9 }),
      fc.string({ minLength: 1, maxLength: 9 }),
      (id, apiAddr, addr) => {
        assertEquals(decodeRecord(encodeRecord({ id, apiAddr, addr })), { id, apiAddr, addr });
      },
    ),
  );
});

Deno.test("a claim is won once; the loser reads who won", async () => {
  const store = new MemoryKey();
  const [one, two] = [registerOn(store).register, registerOn(store).register];
  assertEquals(await one.read(), null);
  assertEquals(await one.claim(SELF), true);
  assertEquals(await two.claim(OTHER), false);
  assertEquals(await two.read(), { record: SELF, revision: "1", claimed: false });
});

Deno.test("a claim whose answer was lost shows as won if it arrived, and can be repeated if not", async () => {
  const store = new MemoryKey();
  const { register } = registerOn(store);
  store.failing = "before";
  await rejects(register.claim(SELF));
  assertEquals(await register.read(), null);
  store.failing = "after";
  await rejects(register.claim(SELF));
  store.failing = undefined;
  assertEquals(await register.read(), { record: SELF, revision: "1", claimed: true });
});

Deno.test("a lost claim is not taken for won when another node was first", async () => {
  const store = new MemoryKey();
  const { register } = registerOn(store);
  store.failing = "before";
  await rejects(register.claim(SELF));
  store.failing = undefined;
  store.set(encodeRecord(OTHER));
  assertEquals((await register.read())?.claimed, false);
});

Deno.test("a record of this node from an earlier life is no claim, until its replacement arrived", async () => {
  const store = new MemoryKey();
  store.set(encodeRecord(SELF));
  const { register } = registerOn(store);
  assertEquals((await register.read())?.claimed, false);
  store.failing = "before";
  await rejects(register.replace(SELF, "1"));
  store.failing = undefined;
  assertEquals((await register.read())?.claimed, false);
  store.failing = "after";
  await rejects(register.replace(SELF, "1"));
  store.failing = undefined;
  assertEquals((await register.read())?.claimed, true);
});

Deno.test("a leader reports until it leads no more, through failures of the store, and names a rival", async () => {
  const store = new MemoryKey();
  const { register, log } = registerOn(store);
  store.failing = "before";
  register.report(SELF);
  await until("the failure is told", () => log.some((line) => /failed, trying again/.test(line)) || undefined);
  store.failing = undefined;
  await until("the report", () => store.writes.length > 0 || undefined);
  assertEquals(store.value, encodeRecord(SELF));
  store.set(encodeRecord(OTHER));
  await until("the rival is told", () => log.some((line) => line.includes("two clusters share")) || undefined);
  await until("the next report", () => store.value === encodeRecord(SELF) || undefined);
  assertMatch(log.join("\n"), /held another leader's record.*"id":"2"/);
  register.report(null);
  const { length } = store.writes;
  register.report(OTHER);
  await until("another report", () => store.writes.length > length || undefined);
  register.report(null);
  assertEquals(store.value, encodeRecord(OTHER));
});
