/**
 * muster against the real rqlite: the same requests to both, the answers compared to the byte. Where they are meant to
 * differ the case says why, and fails once they no longer do.
 */
import { BODIES } from "./bodies.ts";
import type { Theme } from "./case.ts";
import { AUTH_FILE, DOCUMENTED, DOCUMENTED_USERS } from "./documented.ts";
import { ENDPOINTS } from "./endpoints.ts";
import { ERRORS } from "./errors.ts";
import { FOLLOWERS } from "./followers.ts";
import { Pair } from "./pair.ts";
import { PARAMETERS } from "./parameters.ts";
import { randomTheme } from "./random.ts";
import { HAS_RQLITE } from "../harness/rqlite.ts";
import { SQL } from "./sql.ts";
import { TRANSACTIONS } from "./transactions.ts";
import { VALUES } from "./values.ts";

/** Another one may come upon a known difference that a case of its own lists: fractions of 17 digits as text. */
const SEED = Number(Deno.env.get("DIFFERENTIAL_SEED") ?? 20_261_121);

const THEMES: readonly Theme[] = [
  BODIES,
  PARAMETERS,
  VALUES,
  ERRORS,
  SQL,
  TRANSACTIONS,
  ENDPOINTS,
  randomTheme(SEED),
];

async function compare(t: Deno.TestContext, starting: Promise<Pair>, themes: readonly Theme[]): Promise<void> {
  const pair = await starting;
  try {
    for (const theme of themes) {
      await t.step(theme.name, async () => {
        const faults = await pair.run(theme);
        if (faults.length > 0) throw new Error(`${faults.length} differ:\n${faults.join("\n")}`);
      });
    }
  } finally {
    await pair.stop();
  }
  console.log(`${pair.compared} answers compared; they differ, as intended, for ${pair.reasons.size} reasons`);
}

Deno.test({
  name: "muster answers as rqlite does",
  ignore: !HAS_RQLITE,
  fn: (t) => compare(t, Pair.start(), THEMES),
});

Deno.test({
  name: "a follower answers as one of rqlite does",
  ignore: !HAS_RQLITE,
  fn: (t) => compare(t, Pair.startFollowers(), [FOLLOWERS]),
});

Deno.test({
  name: "muster answers the examples of rqlite's documentation as rqlite does",
  ignore: !HAS_RQLITE,
  fn: (t) => compare(t, Pair.start(), DOCUMENTED),
});

Deno.test({
  name: "a node with users answers as one of rqlite does",
  ignore: !HAS_RQLITE,
  fn: (t) => compare(t, Pair.start(AUTH_FILE), [DOCUMENTED_USERS]),
});
