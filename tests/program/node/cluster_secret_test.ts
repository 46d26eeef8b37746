/** The warning about an open cluster port. */
import { assertEquals, assertMatch } from "@std/assert";
import { openPortWarning } from "../../../src/program/node/cluster_secret.ts";

const OPEN = { clusterAddr: "0.0.0.0:4002", nodeVerifiesClients: false, agent: undefined };
const NONE = { texts: [], isOptional: false };

Deno.test("a cluster port that others can reach, without a secret and without certificates, is warned of", () => {
  assertMatch(
    openPortWarning(OPEN, NONE) ?? "",
    /WARNING: whoever reaches 0.0.0.0:4002 can join.*-cluster-secret-file/,
  );
  const optional = openPortWarning(OPEN, { texts: ["a secret"], isOptional: true });
  assertMatch(optional ?? "", /WARNING: .*restart without -cluster-secret-optional/);
});

Deno.test("a cluster port of this machine alone, or one that is protected, is not warned of", () => {
  for (const clusterAddr of ["localhost:4002", "127.0.0.1:4002", "127.1.2.3:1", "[::1]:4002"]) {
    assertEquals(openPortWarning({ ...OPEN, clusterAddr }, NONE), undefined);
  }
  assertEquals(openPortWarning({ ...OPEN, nodeVerifiesClients: true }, NONE), undefined);
  assertEquals(openPortWarning(OPEN, { texts: ["a secret"], isOptional: false }), undefined);
});
