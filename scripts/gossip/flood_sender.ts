/**
 * Sends rubbish to one address: datagrams at a rate, and connections with rubbish on them. A process of its own, so that
 * the node under test has its thread to itself. Arguments: host, port, datagrams a second, connections a second, seconds.
 * @module
 */
import { Random } from "../../tests/harness/random.ts";
import { encodePing, TYPE } from "../../src/core/swim/message.ts";
import { compound, compressed } from "../../src/core/swim/packet.ts";

const TICK_MS = 5;
const LENGTH_MAX = 1400;

const [host, portText, rateText, connectionsText, secondsText] = Deno.args;
const [port, rate, connections, seconds] = [portText, rateText, connectionsText, secondsText].map(Number);
const random = new Random(1);

function noise(lengthMax: number): Uint8Array {
  return Uint8Array.from({ length: 1 + random.below(lengthMax) }, () => random.below(256));
}

function mutated(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice(0, 1 + random.below(bytes.length));
  for (let changes = random.below(4); changes > 0; changes--) copy[random.below(copy.length)] = random.below(256);
  return copy;
}

/** Something of each kind that a receiver might stumble over; nothing that says who is alive. */
function rubbish(): Uint8Array {
  const ping = encodePing({
    seqNo: random.u32(),
    node: "",
    sourceAddr: Uint8Array.of(127, 0, 0, 1),
    sourcePort: 9,
    sourceNode: "x",
  });
  switch (random.below(8)) {
    case 0:
      return noise(LENGTH_MAX);
    case 1:
      return mutated(ping);
    case 2:
      return mutated(compound([ping, ping, ping]));
    case 3:
      return mutated(compressed(compound([ping, ping])));
    case 4:
      return Uint8Array.of(random.below(256), 0xdf, 0xff, 0xff, 0xff, 0xff, ...noise(20));
    case 5:
      return Uint8Array.of(TYPE.user, random.below(12), ...noise(100));
    case 6:
      return Uint8Array.of(TYPE.indirectPing, ...noise(60));
    default:
      return new Uint8Array(random.below(3));
  }
}

const kept = Array.from({ length: 4096 }, rubbish);
const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
let sent = 0;
let opened = 0;

async function connect(): Promise<void> {
  opened++;
  try {
    const conn = await Deno.connect({ hostname: host, port });
    await conn.write(
      random.below(2) === 0 ? noise(LENGTH_MAX) : mutated(Uint8Array.of(TYPE.pushPull, 0x83, ...noise(200))),
    );
    setTimeout(() => conn.close(), random.below(300));
  } catch {
    // refused or reset: so be it
  }
}

const startMs = performance.now();
for (;;) {
  const passed = performance.now() - startMs;
  if (passed > seconds * 1000) break;
  while (opened < passed / 1000 * connections) connect();
  while (sent < passed / 1000 * rate) {
    socket.send(kept[random.below(kept.length)], { transport: "udp", hostname: host, port }).catch(() => {});
    sent++;
  }
  await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
console.log(JSON.stringify({ sent, opened }));
Deno.exit(0);
