/** The agenda: many actions, one timer. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Agenda, SLACK_MS } from "../../../src/drivers/checks/agenda.ts";
import { FakeClock } from "./fake_clock.ts";

Deno.test("Agenda acts at the times, in their order, at most the slack late", async () => {
  const clock = new FakeClock();
  const agenda = new Agenda(clock);
  const acted: [string, number][] = [];
  const add = (ms: number) => agenda.add(ms, () => acted.push([`${ms}`, clock.now()]));
  for (const ms of [100, 51, 52, 1000]) add(ms);
  await clock.advance(100);
  add(1);
  await clock.advance(2000);
  assertEquals(acted, [["51", 75], ["52", 75], ["100", 100], ["1", 125], ["1000", 1000]]);
  assertEquals(agenda.size, 0);
});

Deno.test("Agenda wakes once for actions that are close to each other", async () => {
  const clock = new FakeClock();
  const agenda = new Agenda(clock);
  for (let ms = 0; ms < 1000; ms++) agenda.add(ms, () => {});
  await clock.advance(1000);
  assertEquals([agenda.size, clock.wakes <= 1000 / SLACK_MS + 1], [0, true]);
});

Deno.test("Agenda forgets what is taken off, and forgives taking it off twice", async () => {
  const clock = new FakeClock();
  const agenda = new Agenda(clock);
  const acted: string[] = [];
  const [a, b] = ["a", "b"].map((name) => agenda.add(10, () => acted.push(name)));
  agenda.add(20, () => acted.push("c"));
  agenda.remove(a);
  agenda.remove(a);
  await clock.advance(25);
  agenda.remove(b);
  assertEquals(acted, ["b", "c"]);
  agenda.add(10, () => acted.push("d"));
  agenda.clear();
  await clock.advance(100);
  assertEquals(acted, ["b", "c"]);
});

Deno.test("Agenda acts as a sorted list does, whatever is added and taken off", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.oneof(
      fc.record({ add: fc.nat(1000) }),
      fc.record({ remove: fc.nat(20) }),
      fc.record({ advance: fc.nat(300) }),
    )),
    async (steps) => {
      const clock = new FakeClock();
      const agenda = new Agenda(clock);
      const entries: ReturnType<Agenda["add"]>[] = [];
      let pending: { atMs: number; at: number }[] = [];
      const acted: number[] = [];
      for (const step of steps) {
        if ("add" in step) {
          const at = entries.length;
          pending.push({ atMs: clock.now() + step.add, at });
          entries.push(agenda.add(step.add, () => acted.push(at)));
        } else if ("remove" in step) {
          const entry = entries[step.remove];
          if (!entry) continue;
          agenda.remove(entry);
          pending = pending.filter(({ at }) => at !== step.remove);
        } else {
          await clock.advance(step.advance);
          acted.splice(0).forEach((one) => pending = pending.filter(({ at }) => at !== one));
          assertEquals(pending.filter(({ atMs }) => atMs + SLACK_MS <= clock.now()), []);
          assertEquals(agenda.size, pending.length);
        }
      }
    },
  ));
});
