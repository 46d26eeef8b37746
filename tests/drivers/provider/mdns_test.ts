/** Multicast DNS with sockets, on the loopback interface. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TYPE } from "../../../src/core/dns/message.ts";
import { decodeMdns, encodeMdnsQuery, MDNS_PORT, type MdnsMessage } from "../../../src/core/dns/multicast.ts";
import { type Link, linksOf } from "../../../src/core/provider/link.ts";
import { Announcement, serviceName } from "../../../src/core/provider/mdns.ts";
import { type MdnsOptions, parseProvider } from "../../../src/core/provider/provider.ts";
import { lookUpMdns } from "../../../src/drivers/provider/mdns_lookup.ts";
import { answerOn } from "../../../src/drivers/provider/mdns_responder.ts";
import { listenToGroup, openSource, receiveFrom, sendTo } from "../../../src/drivers/provider/mdns_socket.ts";

const [LOOPBACK] = linksOf([{ name: "lo", address: "127.0.0.1", cidr: "127.0.0.1/8" }], "127.0.0.1");
const GROUP = { hostname: LOOPBACK.group, port: MDNS_PORT };

/** Options with a service that no other test asks for. */
function optionsOf(keys: string): MdnsOptions {
  const options = parseProvider(`provider=mdns service=_m${crypto.randomUUID().slice(0, 8)}._tcp ${keys}`);
  if (options?.provider !== "mdns") throw new Error("expected another provider");
  return options;
}

/** Runs `work` while members answer, each on a link. */
async function withMembers(
  members: readonly { readonly self: Announcement; readonly link: Link }[],
  work: () => Promise<void>,
): Promise<void> {
  const ends = await Promise.all(members.map(({ self, link }) => answerOn(link, [self], () => {})));
  try {
    await work();
  } finally {
    for (const end of ends) end();
  }
}

Deno.test("a lookup finds who answers on the link; who listens to other networks does not answer", async () => {
  const options = optionsOf("timeout=3s");
  const member = (node: string, port: number) => new Announcement({ node, id: node, host: "127.0.0.1", port }, options);
  const [own, other, far] = [member("own", 1), member("other", 2), member("far", 3)];
  const away = { ...LOOPBACK, networks: ["192.0.2.1/24"] };
  const members = [{ self: own, link: LOOPBACK }, { self: other, link: LOOPBACK }, { self: far, link: away }];
  await withMembers(members, async () => {
    const started = performance.now();
    const found = await lookUpMdns(options, { links: [LOOPBACK], own: new Set([own.key]) });
    assertEquals(found.toSorted(), ["127.0.0.1:1", "127.0.0.1:2"]);
    assert(performance.now() - started < 2900, "it does not wait for the end of its time");
    // Alone it hears itself and waits for others until then.
    const alone = await lookUpMdns({ ...options, timeoutMs: 400 }, {
      links: [LOOPBACK],
      own: new Set([own.key, other.key]),
    });
    assertEquals(alone.length, 2);
  });
  assertEquals(await lookUpMdns({ ...options, timeoutMs: 100 }, { links: [LOOPBACK], own: new Set() }), []);
  await assertRejects(() => lookUpMdns(options, { links: [], own: new Set() }), Error, "no interface of this machine");
});

Deno.test("a full member of multicast DNS is answered in the group, once a second, or alone if it wants that", async () => {
  const options = optionsOf("");
  const self = new Announcement({ node: "one", id: "0a1b", host: "127.0.0.1", port: 8301 }, options);
  const group = await listenToGroup(LOOPBACK);
  const asker = openSource(LOOPBACK, MDNS_PORT);
  const heard: MdnsMessage[] = [];
  const [inGroup, alone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const isOurs = ({ records }: MdnsMessage) => records.some(({ name }) => name.includes(serviceName(options)[0]));
  receiveFrom(group, LOOPBACK, (bytes, { port }) => {
    const message = decodeMdns(bytes);
    if (!message.isAnswer || port !== MDNS_PORT || !isOurs(message)) return;
    heard.push(message);
    inGroup.resolve();
  });
  receiveFrom(asker, LOOPBACK, (bytes) => {
    if (isOurs(decodeMdns(bytes))) alone.resolve();
  });
  try {
    await withMembers([{ self, link: LOOPBACK }], async () => {
      const query = encodeMdnsQuery(9, { name: serviceName(options), type: TYPE.PTR });
      for (let round = 0; round < 5; round++) await sendTo(asker, query, GROUP);
      await inGroup.promise;
      const wantsUnicast = query.slice();
      wantsUnicast[wantsUnicast.length - 2] |= 0x80;
      await sendTo(asker, wantsUnicast, GROUP);
      await alone.promise;
    });
    assertEquals(heard.map(({ id, questions }) => [id, questions.length]), [[0, 0]]);
    assertEquals(heard[0].records.map(({ type }) => type), [TYPE.PTR, TYPE.SRV, TYPE.TXT, TYPE.A]);
  } finally {
    group.close();
    asker.close();
  }
});
