/**
 * Hashed passwords: their format, what is accepted, what is refused.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { hashPassword, isPassword, isPasswordHash, passwordFault, roundsOf } from "../../../src/app/users/password.ts";

const ROUNDS = 1000;

Deno.test("a hash is passlib's format, salted, and verifies its password alone", async () => {
  const hash = await hashPassword("sécret", ROUNDS);
  assertMatch(hash, /^\$pbkdf2-sha256\$1000\$[A-Za-z0-9./]{22}\$[A-Za-z0-9./]{43}$/);
  assert(hash !== await hashPassword("sécret", ROUNDS));
  assertEquals([isPasswordHash(hash), roundsOf(hash)], [true, ROUNDS]);
  assert(await isPassword("sécret", hash, ROUNDS));
  for (const wrong of ["secret", "", "sécret ", hash]) assert(!await isPassword(wrong, hash, ROUNDS), wrong);
});

Deno.test("a hash that passlib made verifies (its own documentation)", async () => {
  const hash = "$pbkdf2-sha256$6400$0ZrzXitFSGltTQnBWOsdAw$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M";
  assert(await isPassword("password", hash, 6400));
  assert(!await isPassword("Password", hash, 6400));
});

Deno.test("a plain password is itself", async () => {
  assert(await isPassword("secret", "secret", 0));
  for (const wrong of ["Secret", "secre", "secret ", ""]) assert(!await isPassword(wrong, "secret", 0));
  for (const any of ["", "secret"]) assert(!await isPassword(any, undefined, ROUNDS));
});

Deno.test("what is no hash of a bearable size is none", () => {
  const key = "a".repeat(43);
  const salt = "s".repeat(22);
  for (const rounds of ["0", "999", "10000001", "-1", "1e6", ""]) {
    assert(!isPasswordHash(`$pbkdf2-sha256$${rounds}$${salt}$${key}`), rounds);
  }
  assert(!isPasswordHash(`$pbkdf2-sha256$1000$$${key}`));
  assert(!isPasswordHash(`$pbkdf2-sha256$1000$${salt}$${key}=`));
  assert(isPasswordHash(`$pbkdf2-sha256$1000$${salt}$${key}`));
});

Deno.test("hashes of other algorithms are told from plain passwords", () => {
  for (
    const hash of [
      "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
      "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub",
      "$6$rounds=5000$usesomesillystri$KqJWpanXZHKq2BOB43TSaYhEWsQ1Lr5QNyPCDH",
      "$pbkdf2$5000$saltsaltsalt$keykeykeykeykeykey",
    ]
  ) assertMatch(passwordFault(hash) ?? "", /^hashes of this kind/, hash);
  for (const plain of ["$2", "$6$", "secret", "$5.00 is not enough"]) {
    assertEquals(passwordFault(plain), undefined, plain);
  }
});
