import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { nodeDefaults } from "../../../src/program/config/serve_config.ts";
import { withHttpsAddresses } from "../../../src/program/node/inputs.ts";
import { NodeFailure } from "../../../src/program/node/node_failure.ts";

Deno.test("names to serve HTTPS at are looked up where clients need a certificate, and nowhere else", async () => {
  const config = { ...nodeDefaults(), httpsAddrs: ["localhost:4001", ":4002", "127.0.0.1:4003"] };
  assertEquals(await withHttpsAddresses({ ...config, httpVerifiesClients: false }), {
    ...config,
    httpVerifiesClients: false,
  });
  const { httpsAddrs } = await withHttpsAddresses({ ...config, httpVerifiesClients: true });
  assertMatch(httpsAddrs[0], /^(?:127\.0\.0\.1|\[::1\]):4001$/);
  assertEquals(httpsAddrs.slice(1), ["0.0.0.0:4002", "127.0.0.1:4003"]);
  await assertRejects(
    () => withHttpsAddresses({ ...config, httpVerifiesClients: true, httpsAddrs: ["nowhere.invalid:4001"] }),
    NodeFailure,
    "cannot listen on HTTP address nowhere.invalid:4001: ",
  );
});
