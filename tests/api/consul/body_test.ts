import { assertEquals } from "@std/assert";
import { fieldNames, withNames } from "../../../src/api/consul/body.ts";

Deno.test("withNames() takes names of fields in any case, as Go does, and leaves unknown ones and values as they are", () => {
  const names = { ...fieldNames("Name TTL"), Service: fieldNames("ID") };
  assertEquals(withNames({ name: "n", ttl: "10s", Service: { id: 1 }, other: { id: 2 } }, names), {
    Name: "n",
    TTL: "10s",
    Service: { ID: 1 },
    other: { id: 2 },
  });
  assertEquals(withNames([{ name: "a" }, null, "x"], names), [{ Name: "a" }, null, "x"]);
  assertEquals(withNames({ name: "other", Name: "exact", NAME: "third" }, names), { Name: "exact" });
  assertEquals(withNames({ service: [{ Id: 3 }] }, names), { Service: [{ ID: 3 }] });
});
