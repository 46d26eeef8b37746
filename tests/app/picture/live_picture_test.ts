/** The picture of the cluster for those who look at it: one look for all of them, and nothing while nothing changes. */
import { assertEquals, assertRejects } from "@std/assert";
import { TooManyWaitError } from "../../../src/app/database/errors.ts";
import type { Runner } from "../../../src/app/database/operations.ts";
import type { NodeFacts } from "../../../src/app/picture/heard.ts";
import { LivePicture } from "../../../src/app/picture/live_picture.ts";
import type { PictureOperations } from "../../../src/app/picture/picture_operations.ts";

const FACTS: NodeFacts = {
  name: "n",
  version: "1",
  apiUrl: "",
  leaderId: "1",
  isLeader: true,
  leadsSinceMs: 1,
  term: 1,
  commitIndex: 1,
  appliedIndex: 1,
  fullDisks: [],
  nowMs: 0,
  startedMs: 0,
  memoryBytes: 1,
  certificates: {},
};

/** A picture of one node, whose facts can be set; counts how often they are asked for. */
function lone(): { picture: LivePicture; asked: () => number; set: (facts: Partial<NodeFacts>) => void } {
  let facts = FACTS;
  let count = 0;
  const run = (name: string) => {
    count++;
    if (name !== "nodeFacts") return Promise.reject(new Error(name));
    return Promise.resolve({ result: facts, servedBy: "", from: "" });
  };
  const picture = new LivePicture({
    replica: {
      leader: { id: "1", addr: "a:1", apiUrl: "", takesProposals: true },
      leaderSinceMs: 1,
      members: [{ id: "1", storageId: "s", addr: "a:1", role: "voter" }],
    },
    agent: undefined,
    options: { nodeId: "1" },
    log: (line) => assertEquals(line, ""),
    // deno-lint-ignore no-explicit-any -- of the many operations, one is asked for
    operations: () => ({ run }) as any as Runner<PictureOperations>,
  });
  return { picture, asked: () => count, set: (more) => facts = { ...facts, ...more } };
}

const NODE = { k: "node" } as const;

Deno.test("many viewers share each look, and hear of a change, and of nothing else", async () => {
  const { picture, asked, set } = lone();
  const over = Promise.withResolvers<void>();
  const viewers = Array.from({ length: 20 }, () => picture.follow(NODE, over.promise));
  const first = await Promise.all(viewers.map((one) => one.next()));
  assertEquals(new Set(first.map(({ value }) => value)).size, 1);
  assertEquals([asked(), picture.viewers], [1, 20]);
  const second = Promise.all(viewers.map((one) => one.next()));
  set({ appliedIndex: 2, commitIndex: 2 });
  const texts = (await second).map(({ value }) => String(value));
  assertEquals(new Set(texts).size, 1);
  assertEquals(JSON.parse(texts[0]).commitIndex, 2);
  assertEquals(asked(), 2);
  over.resolve();
  await Promise.all(viewers.map((one) => one.next()));
  assertEquals(picture.viewers, 0);
  await new Promise((resolve) => setTimeout(resolve, 1100)); // the look that was due is the last one
  const looks = asked();
  await new Promise((resolve) => setTimeout(resolve, 1100));
  assertEquals(asked(), looks);
});

Deno.test("viewers are bounded", async () => {
  const { picture } = lone();
  const over = Promise.withResolvers<void>();
  const viewers = Array.from({ length: 500 }, () => picture.follow(NODE, over.promise));
  await Promise.all(viewers.map((one) => one.next()));
  await assertRejects(() => picture.follow(NODE, over.promise).next(), TooManyWaitError, "500 clients");
  over.resolve();
  await Promise.all(viewers.map((one) => one.next()));
  await new Promise((resolve) => setTimeout(resolve, 1100));
});
