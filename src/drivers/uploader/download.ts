/**
 * A backup on its way from its store: it is unpacked where it begins as gzip does, and given up when nothing comes for too
 * long.
 * @module
 */
import { formatDuration } from "../../base/codec/duration.ts";
import { gunzip, GZIP_MAGIC } from "../../base/net/gunzip.ts";
import { withTimeout } from "../../base/worker/with_timeout.ts";
import type { RestorePlan } from "./api.ts";
import { timestampedOf, timestampedPrefix } from "./retention.ts";
import type { Store } from "./store.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * The pieces of what `plan` names; whoever stops before the end lets go of it.
 * @param onBytes Told of the bytes that have come.
 */
export async function* download(
  store: Store,
  plan: RestorePlan,
  onBytes: (count: number) => void,
): AsyncGenerator<Bytes> {
  const abort = new AbortController();
  const text = `Cannot download ${store.place}: nothing has come for ${formatDuration(plan.timeoutMs)}`;
  const inTime = <T>(work: Promise<T>) => withTimeout(work, plan.timeoutMs, text);
  try {
    const name = await inTime(nameOf(store, plan));
    const stream = await inTime(store.get(name, abort.signal));
    const reader = stream.getReader();
    const read = async () => {
      const { value } = await inTime(reader.read());
      onBytes(value?.length ?? 0);
      return value;
    };
    let first: Bytes = new Uint8Array(0);
    while (first.length < GZIP_MAGIC.length) {
      const piece = await read();
      if (!piece) break;
      first = joined(first, piece);
    }
    const whole = allOf(first, read);
    const isPacked = GZIP_MAGIC.every((byte, at) => first[at] === byte);
    yield* isPacked ? gunzip(whole) : whole;
  } finally {
    abort.abort(new Error("the download was ended"));
  }
}

async function nameOf(store: Store, { source: { name }, isTimestamped }: RestorePlan): Promise<string> {
  if (!isTimestamped) return name;
  const [newest] = timestampedOf(name, await store.list(timestampedPrefix(name)));
  if (newest === undefined) throw new Error(`Cannot find a timestamped backup of ${store.place}`);
  return newest;
}

async function* allOf(first: Bytes, read: () => Promise<Bytes | undefined>): AsyncGenerator<Bytes> {
  for (let piece: Bytes | undefined = first; piece; piece = await read()) yield piece;
}

function joined(one: Bytes, other: Bytes): Bytes {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}
