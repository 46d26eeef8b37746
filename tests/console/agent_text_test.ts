/** What the pages of agents make of values and figures. Without a browser. */
import { assertEquals } from "@std/assert";
import { columnsOf, type Figures, figuresOf, joined, valueText } from "../../console/consul/history.ts";
import { bytesOfDraft, bytesOfHex, hexLines, hexOf, shownAs, viewsOf } from "../../console/consul/kv_value.ts";
import { prettyJson } from "../../console/parts/pretty_json.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("a value is shown as what it is", () => {
  assertEquals(viewsOf(bytes(`{"a":[1]}`)), ["JSON", "Text", "Hex"]);
  assertEquals(viewsOf(bytes("plain, 12")), ["Text", "Hex"]);
  assertEquals(viewsOf(bytes("12")), ["Text", "Hex"]);
  assertEquals(viewsOf(Uint8Array.of(0xff, 0x00)), ["Hex"]);
  assertEquals(viewsOf(bytes("nul \0 inside")), ["Hex"]);
  assertEquals(shownAs("JSON", bytes(`{"a":[1]}`)), `{\n  "a": [\n    1\n  ]\n}`);
  assertEquals(shownAs("Hex", bytes("A\n")), `000000  41 0a${" ".repeat(42)}  A.`);
  assertEquals(prettyJson("{broken"), undefined);
});

Deno.test("JSON gets lines, and nothing else of it changes", () => {
  const value = { a: [1, [], {}, [[2]]], "b,{": { c: `x:\\"}`, d: null }, e: "" };
  assertEquals(prettyJson(JSON.stringify(value)), JSON.stringify(value, undefined, 2));
  assertEquals(prettyJson(`{"big":9007199254740993,"big":1.0}`), `{\n  "big": 9007199254740993,\n  "big": 1.0\n}`);
  assertEquals(prettyJson("[]"), "[]");
});

Deno.test("bytes are written as digits and read again, and what is none is refused", () => {
  assertEquals(bytesOfHex(hexOf(Uint8Array.of(0, 1, 254))), Uint8Array.of(0, 1, 254));
  assertEquals(bytesOfHex("0 1"), Uint8Array.of(1));
  assertEquals(bytesOfHex("0"), undefined);
  assertEquals(bytesOfHex("zz"), undefined);
  assertEquals(hexLines(new Uint8Array(40), 32).split("\n").at(-1), "… 8 bytes more");
});

Deno.test("a text that is changed keeps the ends of its lines", () => {
  const changed = (draft: string, before: string) => new TextDecoder().decode(bytesOfDraft(draft, bytes(before)));
  assertEquals(changed("a\nb\nc", "a\r\nb"), "a\r\nb\r\nc");
  assertEquals(changed("a\r\nb", "a\r\nb"), "a\r\nb");
  assertEquals(changed("a\nb", "a\nb"), "a\nb");
  assertEquals(changed("a\nb", "mixed\r\nb\nc"), "a\nb");
  assertEquals(bytesOfDraft("00 ff", Uint8Array.of(0)), Uint8Array.of(0, 255));
});

const figures = (nowMs: number, times: readonly number[], writes: readonly (number | null)[]): Figures =>
  figuresOf({
    now: nowMs,
    step: 10,
    times,
    series: { writes: { kind: "rate", unit: "1/s", help: "", values: writes } },
  });

Deno.test("figures that came since are added once, and old ones go", () => {
  const known = figures(30_000, [10_000, 20_000, 30_000], [1, null, 3]);
  const all = joined(known, figures(41_000, [30_000, 40_000], [3, 4]), 25_000);
  assertEquals(all.times, [20_000, 30_000, 40_000]);
  assertEquals(all.series.get("writes")?.values, [null, 3, 4]);
});

Deno.test("a figure that is new has no values before, and missing samples are a gap", () => {
  const known: Figures = { ...figures(20_000, [10_000, 20_000], [1, 2]), series: new Map() };
  const all = joined(known, figures(90_000, [90_000], [9]), 1e6);
  assertEquals(columnsOf(all, ["writes", "absent"]), [
    [10, 20, 30, 90],
    [null, null, null, 9],
    [null, null, null, null],
  ]);
});

Deno.test("values have the unit that people read", () => {
  const texts = [
    valueText(null, "s"),
    valueText(0.0000123, "s"),
    valueText(0.0234, "s"),
    valueText(2 ** 20 * 1.5, "By"),
    valueText(12_345, "1/s"),
    valueText(0.03, "1"),
  ];
  assertEquals(texts, ["–", "12.3 µs", "23.4 ms", "1.5 MiB", "12.3 k/s", "0.03"]);
});
