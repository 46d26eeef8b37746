/**
 * A node's promise outlives its process and its flags.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { keepPromise } from "../../../src/drivers/replica/promise.ts";

function inDirectory(work: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync({ prefix: "muster-promise-" });
  try {
    work(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("keepPromise() is silent where nothing was ever promised, and leaves no file", () =>
  inDirectory((directory) => {
    assertEquals(keepPromise(directory, 0), undefined);
    assertEquals([...Deno.readDirSync(directory)], []);
  }));

Deno.test("keepPromise() binds a new process to what earlier ones promised, with and without the option", () =>
  inDirectory((directory) => {
    assertEquals(keepPromise(directory, 1000), { promiseMs: 1000, quietMs: 0 });
    assertEquals(keepPromise(directory, 1000), { promiseMs: 1000, quietMs: 1000 });
    assertEquals(keepPromise(directory, 3000), { promiseMs: 3000, quietMs: 1000 });
    assertEquals(keepPromise(directory, 500), { promiseMs: 500, quietMs: 3000 });
    assertEquals(keepPromise(directory, 0), { promiseMs: 0, quietMs: 3000 }); // the longer one may not have run out yet
  }));

Deno.test("keepPromise() refuses a damaged file", () =>
  inDirectory((directory) => {
    Deno.writeTextFileSync(`${directory}/promise`, "12");
    assertThrows(() => keepPromise(directory, 1000), Error, "is damaged");
  }));
