import { assertEquals } from "@std/assert";
import { route } from "../../../src/api/server/router.ts";
import { fakeServices } from "../../harness/services.ts";

Deno.test("POST /reap says that nothing was consolidated, and counts (Q13.6)", async () => {
  const { services, close } = fakeServices();
  try {
    const request = { contentType: "", authorization: "", address: "", body: new Uint8Array(0) };
    const reap = (method: string) => route({ ...request, method, target: "/reap", startedMs: 0 }, services);
    const { status, body } = await reap("POST");
    assertEquals([status, JSON.parse(String(body))], [200, { snapshots_reaped: 0, wals_checkpointed: 0 }]);
    assertEquals((await reap("GET")).status, 405);
    assertEquals(services.counters.user_reaps, 1);
  } finally {
    close();
  }
});
