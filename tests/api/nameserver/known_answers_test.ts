/** Ready answers: by the query's bytes but its id, for one state and one second, in bounded memory. */
import { assertEquals } from "@std/assert";
import { KnownAnswers } from "../../../src/api/nameserver/known_answers.ts";

const query = (id: number, ...rest: number[]) => Uint8Array.of(id >> 8, id & 255, ...rest);
const STATE = {};

function known(): KnownAnswers {
  const answers = new KnownAnswers();
  answers.validFor(STATE, 1);
  answers.keep(query(1, 7, 7), query(1, 42));
  return answers;
}

Deno.test("KnownAnswers finds the answer to the same query, with the id of the one that asks", () => {
  const answers = known();
  assertEquals(answers.find(query(0x1234, 7, 7)), query(0x1234, 42));
  assertEquals(answers.find(query(1, 7, 7)), query(1, 42), "the one that is kept is not written to");
  assertEquals(answers.find(query(1, 7, 8)), undefined);
  assertEquals(answers.find(query(1, 7)), undefined);
  assertEquals(answers.find(query(1, 7, 7, 7)), undefined);
  assertEquals(answers.find(Uint8Array.of(1)), undefined);
});

Deno.test("KnownAnswers does not keep the caller's buffer", () => {
  const answers = known();
  const asked = query(1, 9);
  answers.keep(asked, query(1, 43));
  asked[2] = 8;
  assertEquals([answers.find(query(2, 9)), answers.find(query(2, 8))], [query(2, 43), undefined]);
});

Deno.test("KnownAnswers forgets at another state, in another second, and when it is cleared", () => {
  for (
    const end of [
      (answers: KnownAnswers) => answers.validFor({}, 1),
      (answers: KnownAnswers) => answers.validFor(STATE, 2),
      (answers: KnownAnswers) => answers.clear(),
    ]
  ) {
    const answers = known();
    answers.validFor(STATE, 1);
    assertEquals(answers.find(query(3, 7, 7)), query(3, 42));
    end(answers);
    assertEquals(answers.find(query(3, 7, 7)), undefined);
  }
});

Deno.test("KnownAnswers keeps a bounded number of short ones", () => {
  const answers = known();
  answers.keep(new Uint8Array(513), query(1, 1));
  answers.keep(query(1, 5), new Uint8Array(4097));
  assertEquals([answers.find(new Uint8Array(513)), answers.find(query(1, 5))], [undefined, undefined]);
  const many = Array.from({ length: 20_000 }, (_, nth) => query(1, nth >> 8, nth & 255, 1));
  for (const one of many) answers.keep(one, query(1, one[2], one[3]));
  const found = many.map((one) => answers.find(one));
  assertEquals(found.every((answer, nth) => !answer || answer[2] === nth >> 8 && answer[3] === (nth & 255)), true);
  const count = found.filter((answer) => answer).length;
  assertEquals([count > 1000, count <= 4096], [true, true], `${count} of 20,000 are kept`);
});

Deno.test("KnownAnswers wants 64 orders of an answer, and then gives one by chance", () => {
  let dice = 0;
  const answers = new KnownAnswers(() => dice);
  answers.validFor(STATE, 1);
  for (let nth = 0; nth < 64; nth++) {
    assertEquals(answers.find(query(1, 7)), undefined);
    answers.keep(query(1, 7), query(1, nth), true);
  }
  assertEquals(answers.find(query(2, 7)), query(2, 0));
  dice = 0.999;
  assertEquals(answers.find(query(3, 7)), query(3, 63));
  const large = Array.from({ length: 1100 }, (_, nth) => query(1, 9, nth >> 8, nth & 255));
  for (const one of large) answers.keep(one, new Uint8Array(4000), true);
  assertEquals(answers.find(large[0]) !== undefined, true, "there is no room for more orders");
});
