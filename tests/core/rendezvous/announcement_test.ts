/** What a rendezvous takes and what it does not. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  AnnouncementError,
  announcementText,
  isInfrastructure,
  isNodeName,
  membersText,
  parseAnnouncement,
  parseMembers,
} from "../../../src/core/rendezvous/announcement.ts";

Deno.test("an announcement and its answer are read as they were written", () => {
  const announcement = { node: "web-1", address: "10.0.0.1:8301", leaseS: 60 };
  assertEquals(parseAnnouncement(announcementText(announcement)), announcement);
  assertEquals(parseAnnouncement('{"Node":"a","Address":"[fd00::1]:1"}').leaseS, 30);
  const members = [{ node: "a", address: "10.0.0.1:8301" }, { node: "b", address: "[fd00::1]:8301" }];
  assertEquals(parseMembers(membersText(members)), members);
});

Deno.test("what is no announcement, and no answer, is refused with what was expected", () => {
  const right = { Node: "a", Address: "10.0.0.1:8301", Lease: 30 };
  const wrong: [unknown, string][] = [
    ["", "an object"],
    [[], "an object"],
    [null, "an object"],
    [{ ...right, Node: "" }, "Node must be"],
    [{ ...right, Node: "a/b" }, "Node must be"],
    [{ ...right, Node: "a\u0000" }, "Node must be"],
    [{ ...right, Node: "a".repeat(129) }, "Node must be"],
    [{ ...right, Node: 7 }, "Node must be"],
    [{ ...right, Address: "db.example.com:8301" }, "Address must be an IP address"],
    [{ ...right, Address: "10.0.0.1" }, "Address must be"],
    [{ ...right, Address: "10.0.0.1:0" }, "Address must be"],
    [{ ...right, Address: "10.0.0.1:70000" }, "Address must be"],
    [{ ...right, Address: {} }, "Address must be"],
    [{ ...right, Lease: 9 }, "Lease must be"],
    [{ ...right, Lease: "30" }, "Lease must be"],
    [{ ...right, Lease: null }, "Lease must be"],
  ];
  for (const [value, words] of wrong) {
    assertThrows(() => parseAnnouncement(JSON.stringify(value)), AnnouncementError, words);
  }
  assertThrows(() => parseAnnouncement("{"), AnnouncementError, "JSON");
  for (const text of ["{}", '{"Members":[{}]}', '{"Members":[{"Node":"a","Address":"x"}]}', '{"Members":[1]}']) {
    assertThrows(() => parseMembers(text), AnnouncementError);
  }
});

Deno.test("infrastructures and nodes have names that are parts of a path", () => {
  for (const good of ["acme/prod", "a.b/c_d-1"]) assert(isInfrastructure(good), good);
  for (const bad of ["", "acme", "acme/", "/prod", "a/b/c", "../x", "x/..", "a b/c", `a/${"x".repeat(65)}`]) {
    assert(!isInfrastructure(bad), bad);
  }
  assert(isNodeName("Wien-1 ".trim()) && !isNodeName("a b") && !isNodeName(""));
});
