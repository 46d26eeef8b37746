/**
 * Verifying credentials: what is remembered, what a reload forgets, how guessing is limited (Q17.1.1).
 */
import { assert, assertEquals } from "@std/assert";
import { basic, bearer } from "../../../src/app/users/credentials.ts";
import { hashPassword } from "../../../src/app/users/password.ts";
import type { User } from "../../../src/app/users/user.ts";
import { Proof, type Shown, Users } from "../../../src/app/users/users.ts";
import type { Verdict } from "../../../src/app/users/verdict.ts";

const ROUNDS = 20_000;
const hashed = await hashPassword("secret", ROUNDS);

function user(username: string, more: Partial<User> = {}): User {
  return { username, password: hashed, token: undefined, permissions: ["query"], ...more };
}

function shown(authorization: string, address = "10.0.0.1"): Shown {
  return { authorization, address };
}

async function kindOf(verdict: Promise<Verdict>): Promise<Verdict["k"]> {
  return (await verdict).k;
}

/** Calls of the derivation while `work` runs. */
async function derivations(work: () => Promise<void>): Promise<number[]> {
  const { subtle } = crypto;
  const original = subtle.deriveBits;
  const rounds: number[] = [];
  subtle.deriveBits = (algorithm, key, length) => {
    if (typeof algorithm === "object" && "iterations" in algorithm) rounds.push(Number(algorithm.iterations));
    return original.call(subtle, algorithm, key, length);
  };
  try {
    await work();
  } finally {
    subtle.deriveBits = original;
  }
  return rounds;
}

Deno.test("a hashed password is computed once, also for many requests at once, and again after a reload", async () => {
  const users = new Users([user("bob")]);
  const ask = () => kindOf(users.check(["query"], shown(basic("bob", "secret"))));
  const rounds = await derivations(async () => {
    assertEquals(new Set(await Promise.all(Array.from({ length: 50 }, ask))), new Set(["allowed"]));
    for (let more = 0; more < 50; more++) assertEquals(await ask(), "allowed");
  });
  assertEquals(rounds, [ROUNDS]);
  users.replace([user("bob")]);
  assertEquals(await derivations(async () => assertEquals(await ask(), "allowed")), [ROUNDS]);
  users.replace([user("bob", { password: "other" })]);
  assertEquals(await ask(), "unknown");
});

Deno.test("a wrong password is as much work for every user, known or not, hashed or not", async () => {
  const weak = await hashPassword("secret", 1000);
  const users = new Users([user("bob"), user("weak", { password: weak }), user("plain", { password: "p" })]);
  for (const name of ["bob", "weak", "plain", "nobody", "constructor"]) {
    const rounds = await derivations(async () => {
      assertEquals(await kindOf(users.check(["query"], shown(basic(name, "wrong")))), "unknown");
    });
    assertEquals(rounds.reduce((sum, one) => sum + one, 0), ROUNDS, name);
  }
});

Deno.test("wrong passwords are limited for a user from an address, right ones never", async () => {
  let now = 0;
  const users = new Users([user("bob", { password: "secret" }), user("mary", { password: "secret" })], () => now);
  const ask = (name: string, password: string, address: string) =>
    users.check(["query"], shown(basic(name, password), address));
  for (let right = 0; right < 1000; right++) assertEquals((await ask("bob", "secret", "10.0.0.1")).k, "allowed");
  for (let wrong = 0; wrong < 20; wrong++) assertEquals((await ask("bob", `${wrong}`, "10.0.0.1")).k, "unknown");
  // Also the right one: a guess must not tell.
  assertEquals(await ask("bob", "secret", "10.0.0.1"), { k: "later", seconds: 5 });
  assertEquals((await ask("bob", "secret", "10.0.0.2")).k, "allowed");
  assertEquals((await ask("mary", "secret", "10.0.0.1")).k, "allowed");
  now += 5000;
  assertEquals((await ask("bob", "secret", "10.0.0.1")).k, "allowed");
});

Deno.test("the same wrong credentials count once: a client with an old password guesses nothing", async () => {
  const users = new Users([user("bob")], () => 0);
  const rounds = await derivations(async () => {
    for (let more = 0; more < 100; more++) {
      assertEquals(await kindOf(users.check(["query"], shown(basic("bob", "old")))), "unknown");
      assertEquals(await kindOf(users.check(["query"], shown(bearer("old-token-of-bob")))), "unknown");
    }
  });
  assertEquals(rounds, [ROUNDS]);
  assertEquals(await kindOf(users.check(["query"], shown(basic("bob", "secret")))), "allowed");
  // A password that a reload makes right is accepted.
  users.replace([user("bob", { password: "old", token: "old-token-of-bob" })]);
  assertEquals(await kindOf(users.check(["query"], shown(basic("bob", "old")))), "allowed");
  assertEquals(await kindOf(users.check(["query"], shown(bearer("old-token-of-bob")))), "allowed");
});

Deno.test("trying many users from one address is limited, too; an IPv6 network is one address", async () => {
  const users = new Users([user("bob", { password: "secret" })], () => 0);
  const ask = (name: string, address: string) => kindOf(users.check(["query"], shown(basic(name, "wrong"), address)));
  for (let at = 0; at < 200; at++) assertEquals(await ask(`u${at}`, `2001:db8::${at.toString(16)}`), "unknown");
  assertEquals(await ask("one-more", "2001:db8::ffff"), "later");
  assertEquals(await ask("one-more", "2001:db8:0:1::1"), "unknown");
});

Deno.test("a token is found by itself, is not slowed by others' guesses, and a reload takes it away", async () => {
  const token = "0123456789abcdef";
  const users = new Users([user("ci", { password: undefined, token })], () => 0);
  const ask = (text: string) => kindOf(users.check(["query"], shown(bearer(text))));
  for (let wrong = 0; wrong < 20; wrong++) assertEquals(await ask(`${token}${wrong}`), "unknown");
  assertEquals(await ask(`${token}x`), "later");
  assertEquals(await ask(token), "allowed");
  users.replace([]);
  assertEquals(await ask(token), "later");
});

Deno.test("a user that is known and lacks the permission is told so by name", async () => {
  const users = new Users([user("bob", { password: "a:b" })]);
  const verdict = await users.check(["query", "execute"], shown(basic("bob", "a:b")));
  assertEquals(verdict, { k: "lacking", username: "bob", permission: "execute" });
});

Deno.test("what cannot be read as credentials is none", async () => {
  const users = new Users([user("bob", { password: "x" })]);
  for (
    const text of ["", "Basic", "Basic !!", `Basic ${btoa("bob")}`, "bob:x", "Negotiate abc", "Bearer ", "Basic  "]
  ) {
    assertEquals(await kindOf(users.check(["query"], shown(text))), "unknown", text);
  }
  assert(await kindOf(users.check(["query"], shown(`bAsIc ${btoa("bob:x")}`))) === "allowed");
});

Deno.test("credentials that were right on a connection are known there until the next reload, and no others", async () => {
  const users = new Users([user("bob"), user("eve", { password: "wrong", permissions: [] })]);
  const proof = new Proof();
  const ask = (authorization: string) => kindOf(users.check(["query"], { ...shown(authorization), proof }));
  const right = basic("bob", "secret");
  assertEquals(await ask(basic("bob", "secrex")), "unknown");
  assertEquals(await ask(right), "allowed");
  const digests = async (work: () => Promise<unknown>) => {
    const { subtle } = crypto;
    const original = subtle.sign;
    let count = 0;
    subtle.sign = (...args) => (count++, original.apply(subtle, args));
    try {
      await work();
    } finally {
      subtle.sign = original;
    }
    return count;
  };
  assertEquals(await digests(async () => assertEquals(await ask(right), "allowed")), 0);
  for (const other of ["", "Basic", right.slice(0, -1), `${right}A`, basic("bob", "secrex")]) {
    assertEquals(await ask(other), "unknown", other);
  }
  assertEquals(await ask(right), "allowed");
  assertEquals(await ask(basic("eve", "wrong")), "lacking");
  users.replace([user("bob", { password: "other" })]);
  assertEquals(await ask(right), "unknown");
});
