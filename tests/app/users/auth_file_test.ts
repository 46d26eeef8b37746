/**
 * The auth file: rqlite's own is read, and what is wrong is told by its place, without its content (Q17.1).
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { AuthFileError, parseAuthFile } from "../../../src/app/users/auth_file.ts";
import { PERMISSIONS } from "../../../src/app/users/permission.ts";

Deno.test("rqlite's file is read", () => {
  const users = parseAuthFile(`[
    {"username":"bob","password":"secret1","perms":["all"]},
    {"username":"mary","password":"secret2","perms":["query","backup","join"]},
    {"username":"*","perms":["status","ready","join-read-replica"]}
  ]`);
  assertEquals(users.map(({ username, password }) => [username, password]), [
    ["bob", "secret1"],
    ["mary", "secret2"],
    ["*", undefined],
  ]);
  assertEquals([...users[0].permissions].sort(), Object.keys(PERMISSIONS).sort());
  assertEquals(users[1].permissions, ["query", "backup", "join"]);
  assertEquals(users[2].permissions, ["status", "ready", "join-read-only"]);
});

Deno.test("an entry inherits nothing, and who may write may read", () => {
  const users = parseAuthFile(`[
    {"username":"bob","password":"secret1","perms":["all"]},
    {"username":"eve","password":"secret2"},
    {"username":"ci","token":"0123456789abcdef","perms":["catalog-write", "event-read"]}
  ]`);
  assertEquals(users[1].permissions, []);
  assertEquals(users[2], {
    username: "ci",
    password: undefined,
    token: "0123456789abcdef",
    permissions: ["catalog-write", "catalog-read", "event-read"],
  });
});

const SECRET = "S3CRET-that-nobody-may-see";

Deno.test("a fault is told by its place, without a secret", () => {
  const cases: [string, string][] = [
    [`[{"username":"bob","password":"${SECRET}"`, "CloseBraceExpected at line 1, column 59"],
    [`[\n{"username":"bob",\n"password":${SECRET}}]`, "InvalidSymbol at line 3, column 12"],
    [`{"username":"bob"}`, "expected a list of users"],
    [`["${SECRET}"]`, "entry 1: expected an object"],
    [`[{"password":"${SECRET}"}]`, "entry 1: expected a username"],
    [
      `[{"username":"a:b","password":"${SECRET}"}]`,
      "entry 1: expected a username of at most 255 characters, without colons",
    ],
    [`[{"username":"bob"}]`, "entry 1 (bob): expected a password or a token"],
    [`[{"username":"bob","password":""}]`, "entry 1 (bob): expected a password of 1 to 1024 characters"],
    [`[{"username":"bob","password":7}]`, "entry 1 (bob): expected a password of 1 to 1024 characters"],
    [`[{"username":"*","password":"${SECRET}"}]`, "entry 1 (*): takes no password and no token"],
    [`[{"username":"bob","passwort":"${SECRET}"}]`, "entry 1: expected no fields but username, password, perms, token"],
    [
      `[{"username":"bob","password":"$pbkdf2-sha256$${SECRET}"}]`,
      "entry 1 (bob): expected a password hash as muster user hash prints it",
    ],
    [
      `[{"username":"bob","password":"$2b$12$${SECRET}"}]`,
      "entry 1 (bob): hashes of this kind are not supported: make one with muster user hash",
    ],
    [`[{"username":"bob","token":"short"}]`, "entry 1 (bob): expected a token of 16 to 1024 visible ASCII characters"],
    [
      `[{"username":"bob","token":"${SECRET} "}]`,
      "entry 1 (bob): expected a token of 16 to 1024 visible ASCII characters",
    ],
    [`[{"username":"bob","password":"${SECRET}","perms":"all"}]`, "entry 1 (bob): expected perms to be a list"],
    [
      `[{"username":"a","password":"${SECRET}"},{"username":"a","password":"${SECRET}"}]`,
      "the username of entry 2 is taken",
    ],
    [`[{"username":"a","token":"${SECRET}"},{"username":"b","token":"${SECRET}"}]`, "the token of entry 2 is taken"],
  ];
  for (const [text, message] of cases) {
    assertEquals(assertThrows(() => parseAuthFile(text), AuthFileError).message, message);
  }
});

Deno.test("an unknown permission is refused, and the known ones are named", () => {
  const text = `[{"username":"bob","password":"x","perms":["query","${SECRET}"]}]`;
  const { message } = assertThrows(() => parseAuthFile(text), AuthFileError);
  assert(message.startsWith("entry 1 (bob): element 2 of perms is no permission: known are all, execute, query, "));
  assert(!message.includes(SECRET));
});

Deno.test("the page about users lists every permission", () => {
  const page = Deno.readTextFileSync(new URL("../../../docs/users.md", import.meta.url));
  for (const name of ["all", ...Object.keys(PERMISSIONS)]) assert(page.includes(`| \`${name}\``), name);
});
