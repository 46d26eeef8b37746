/** V8's helpers are found by their name, and stay found; native_test.ts shows that those found yield. */
import { assertEquals } from "@std/assert";
import { lowerHelpers } from "../../../src/drivers/libsqlite/helper_threads.ts";
import { openLibrary } from "../../../src/drivers/libsqlite/library.ts";

Deno.test("the threads of V8 are found by their name", () => {
  const library = openLibrary();
  const count = lowerHelpers(library);
  assertEquals(count > 0, Deno.build.os === "linux", `${count} threads`);
  assertEquals(lowerHelpers(library), count);
});

Deno.test("a library without the call is as good", () => assertEquals(lowerHelpers({ muster_nice: null }), 0));
