import { assertEquals } from "@std/assert";
import { formatTraceparent, parseTraceparent } from "../../../src/core/traces/context.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";

Deno.test("parseTraceparent() reads a header, and formatTraceparent() writes it", () => {
  const context = { traceId: TRACE, spanId: SPAN, isSampled: true };
  assertEquals(parseTraceparent(`00-${TRACE}-${SPAN}-01`), context);
  assertEquals(parseTraceparent(`00-${TRACE}-${SPAN}-00`), { ...context, isSampled: false });
  assertEquals(parseTraceparent(`00-${TRACE}-${SPAN}-03`), context, "other flags are of later versions");
  assertEquals(formatTraceparent(context), `00-${TRACE}-${SPAN}-01`);
  assertEquals(formatTraceparent({ ...context, isSampled: false }), `00-${TRACE}-${SPAN}-00`);
});

Deno.test("parseTraceparent() takes a later version as far as it knows it", () => {
  const context = { traceId: TRACE, spanId: SPAN, isSampled: true };
  assertEquals(parseTraceparent(`cc-${TRACE}-${SPAN}-01`), context);
  assertEquals(parseTraceparent(`cc-${TRACE}-${SPAN}-01-what-is-new`), context);
  assertEquals(parseTraceparent(`cc-${TRACE}-${SPAN}-01.what-is-new`), undefined);
});

Deno.test("parseTraceparent() takes a header that breaks a rule for none", () => {
  const wrong = [
    "",
    "00",
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-01-`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `0-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}x-01`,
    `00-${TRACE.replace("4", "g")}-${SPAN}-01`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\n`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`, // the header twice
    `cc-${TRACE}-${SPAN}-01-${"x".repeat(1000)}`,
  ];
  for (const text of wrong) assertEquals(parseTraceparent(text), undefined, JSON.stringify(text));
});
