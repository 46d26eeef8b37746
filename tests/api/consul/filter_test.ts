/** Filter expressions of `/v1`: what they choose, and how they are refused. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { compileFilter, FilterError } from "../../../src/api/consul/filter.ts";

const FIELDS = { Name: "text", Port: "number", Tags: "texts", Meta: "map", On: "flag" } as const;
const WEB = { Name: "web-1", Port: 80, Tags: ["v1", "new"], Meta: { env: "qa", "a b": "c" }, On: true };
const BARE = { Name: "bare", Port: 8080, Tags: [], Meta: {}, On: false };

Deno.test("an expression chooses as Consul's do", () => {
  const cases: [expression: string, web: boolean, bare: boolean][] = [
    ['Name == "web-1"', true, false],
    ["Name == bare", false, true],
    ['Name != "web-1"', false, true],
    ["Name == `web-1`", true, false],
    ["Port == 80", true, false],
    ["Port != 80", false, true],
    ["On == true", true, false],
    ['Meta.env == "qa"', true, false],
    ['Meta["a b"] == "c"', true, false],
    ['Meta.env != "qa"', false, true],
    ["Meta.env is empty", false, true],
    ["Meta is not empty", true, false],
    ["Tags is empty", false, true],
    ['"v1" in Tags', true, false],
    ['"v1" not in Tags', false, true],
    ["v1 in Tags", true, false],
    ['Tags contains "v1"', true, false],
    ['Tags not contains "v1"', false, true],
    ['"env" in Meta', true, false],
    ['"b-" in Name', true, false],
    ['Name matches "^web-[0-9]$"', true, false],
    ['Name not matches "^web"', false, true],
    ['Meta.env matches ".*"', true, false],
    ['Meta.env not matches ".*"', false, true],
    ['not Name == "bare"', true, false],
    ["not (Port == 80 or Port == 8080)", false, false],
    ['Port == 8080 or Port == 80 and Name == "x"', false, true],
    ['(Port == 8080 or Port == 80) and Name == "web-1"', true, false],
    ['"v1" in Tags and Meta.env == "qa" or On == false', true, true],
  ];
  for (const [expression, web, bare] of cases) {
    const chooses = compileFilter(expression, FIELDS);
    assertEquals([chooses(WEB), chooses(BARE)], [web, bare], expression);
  }
});

Deno.test("what is no expression for these fields is refused with what was expected", () => {
  const faults: [string, RegExp][] = [
    ["", /expected a field, found the end/],
    ["Nmae == x", /no field Nmae: expected one of Name, Port, Tags, Meta, On/],
    ["Name", /expected ==, !=, in, contains, matches, or is empty, found the end/],
    ["Name == ", /expected a value/],
    ["Name = x", /unexpected = at 4/],
    ['Name == "x', /unexpected " at/],
    ['Name == "\\q"', /expected a text in quotes/],
    ["Name == x Port == 1", /expected and, or, or the end, found Port at 9/],
    ["(Name == x", /expected \), found the end/],
    ["Name.x == y", /Name has no part x/],
    ["Tags == x", /holds several values/],
    ["Port == x", /Port is a number/],
    ["On == 1", /true or false/],
    ["x in Port", /holds one value/],
    ['Port matches "8"', /is no text/],
    ['Name matches "("', /is no pattern/],
    ["constructor == x", /no field constructor/],
    [`${"(".repeat(200)}Name == x${")".repeat(200)}`, /nested deeper/],
    [`Name == ${"x".repeat(20_000)}`, /longer than/],
  ];
  for (const [expression, message] of faults) {
    assertMatch(assertThrows(() => compileFilter(expression, FIELDS), FilterError).message, message);
  }
});
