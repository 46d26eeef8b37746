/**
 * The codecs against captured packets (G2.6, G2.10, G3.2, G3.3), and by properties.
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DecodeError } from "../../../src/base/codec/cursor.ts";
import { openBlob, sealBlob } from "../../../src/core/swim/cipher.ts";
import { crc32 } from "../../../src/base/codec/crc32.ts";
import { Keyring } from "../../../src/core/swim/keyring.ts";
import { compress, decompress } from "../../../src/core/swim/lzw.ts";
import {
  ACCUSATION,
  ALIVE,
  decodeAlive,
  encodeAck,
  encodePing,
  INDIRECT_PING,
  PING,
  TYPE,
} from "../../../src/core/swim/message.ts";
import {
  bin,
  decode,
  duration,
  encodeMessage,
  field,
  mapOf,
  str,
  struct,
  u16,
  u32,
  u64,
} from "../../../src/core/swim/msgpack.ts";
import { compound, openPacket, sealPacket, type Wrapping } from "../../../src/core/swim/packet.ts";
import {
  encodePushPull,
  FirstLayerError,
  sealStream,
  StreamDecoder,
  type StreamMessage,
} from "../../../src/core/swim/stream.ts";
import { aesGcm, prepareAesGcm } from "../../../src/drivers/membership/aes_gcm.ts";
import { refusedTags } from "./dialect.ts";
import { bytesOf, hex } from "./hex.ts";

const PING_HEX =
  "0085a44e6f6465a26e31a55365714e6f01aa536f7572636541646472a47f000003aa536f757263654e6f6465a26e32aa536f75726365506f7274cd1f0a";
const plain: Wrapping = { compression: false, cipher: undefined, label: new Uint8Array(0) };
const key = Uint8Array.from({ length: 16 }, (_, i) => i);
await prepareAesGcm(new Keyring([new Uint8Array(24)]));
const fixedNonce = (count: number) => Uint8Array.from({ length: count }, (_, i) => i);

function encryptedWith(keys: readonly Uint8Array[], label = ""): Wrapping {
  return {
    compression: false,
    cipher: { keyring: new Keyring(keys), aead: aesGcm, randomBytes: fixedNonce },
    label: new TextEncoder().encode(label),
  };
}

async function sha256(bytes: Uint8Array): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.slice())));
}

Deno.test("LZW compresses to the bytes of Go's library", async () => {
  const vectors: [string, string][] = [["", "000302"], ["a", "00c30404"], ["ab", "00c3880908"], [
    "aaaaaa",
    "00c3081c1810",
  ]];
  for (const [text, expected] of vectors) {
    const bytes = new TextEncoder().encode(text);
    assertEquals(hex(compress(bytes)), expected);
    assertEquals(decompress(bytesOf(expected), 100), bytes);
  }
  const ramp = Uint8Array.from({ length: 16384 }, (_, i) => i & 255);
  assertEquals(await sha256(compress(ramp)), "82f09fa1123915190a75618d06dda2ca640a80d27c44d868039dffa944fcee98");
  assertEquals(
    await sha256(compress(new Uint8Array(200_000))),
    "415ea43247235c744cb8cc4832ec81d6aa1093d9b07918aef718ca9c28f62f93",
  );
});

Deno.test("LZW gives back any bytes, and cuts a bomb at its limit", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 9000 }), (bytes) => {
    assertEquals(decompress(compress(bytes), bytes.length), bytes);
  }));
  assertThrows(() => decompress(compress(new Uint8Array(1_000_000)), 999_999), DecodeError, "more than");
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    try {
      decompress(bytes, 10_000);
    } catch (error) {
      assert(error instanceof DecodeError);
    }
  }));
});

Deno.test("what LZW makes of bytes does not depend on what it was given before", () => {
  const outcome = (bytes: Uint8Array): string => {
    try {
      return hex(decompress(bytes, 10_000));
    } catch (error) {
      return String(error);
    }
  };
  const dirty = Uint8Array.from({ length: 9000 }, (_, at) => at * at >>> 5);
  const packed = compress(dirty);
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(), (bytes, cut) => {
    const damaged = compress(bytes);
    damaged[cut % damaged.length] ^= 1 << cut % 8;
    const [fresh, freshPacked] = [outcome(damaged), hex(compress(bytes))];
    decompress(packed, dirty.length);
    compress(dirty);
    assertEquals(outcome(damaged), fresh);
    assertEquals(hex(compress(bytes)), freshPacked);
  }));
});

Deno.test("a ping is written as captured, and read", () => {
  const ping = { seqNo: 1, node: "n1", sourceAddr: bytesOf("7f000003"), sourcePort: 7946, sourceNode: "n2" };
  assertEquals(hex(encodePing(ping)), PING_HEX);
  assertEquals(decode(PING, bytesOf(PING_HEX), 1), ping);
});

Deno.test("captured packets are unwrapped, and wrapped to the same bytes", () => {
  const captures: [string, Uint8Array][] = [
    [
      "0cd4577aa50383a446726f6da26e31ab496e6361726e6174696f6e01a44e6f6465a3707931",
      encodeMessage(TYPE.suspect, ACCUSATION, { incarnation: 1, node: "py1", from: "n1" }),
    ],
    [
      "0c9d186d9a0583a446726f6da26e31ab496e6361726e6174696f6e01a44e6f6465a3707931",
      encodeMessage(TYPE.dead, ACCUSATION, { incarnation: 1, node: "py1", from: "n1" }),
    ],
    [
      "0cf10819e70583a446726f6da26e32ab496e6361726e6174696f6e02a44e6f6465a26e32",
      encodeMessage(TYPE.dead, ACCUSATION, { incarnation: 2, node: "n2", from: "n2" }),
    ],
  ];
  for (const [capture, message] of captures) {
    assertEquals(openPacket(bytesOf(capture), plain), { messages: [message], faults: [] });
    assertEquals(hex(sealPacket(message, plain, { crc: true })), capture);
  }
  const suspected =
    "0c00a19978 0702003e0020 0085a44e6f6465a3707931a55365714e6f06aa536f7572636541646472a47f000002aa536f757263654e6f6465a26e31aa536f75726365506f7274cd1f0a 0383a446726f6da26e31ab496e6361726e6174696f6e01a44e6f6465a3707931";
  const { messages, faults } = openPacket(bytesOf(suspected), plain);
  assertEquals(faults, []);
  assertEquals(messages.map(([type]) => type), [TYPE.ping, TYPE.suspect]);
  assertEquals(hex(sealPacket(compound(messages), plain, { crc: true })), suspected.replaceAll(" ", ""));
  const indirect =
    "0188a44e61636bc3a44e6f6465a3707931a4506f7274cd1f0aa55365714e6f05aa536f7572636541646472a47f000002aa536f757263654e6f6465a26e31aa536f75726365506f7274cd1f0aa6546172676574a47f00000a";
  assertEquals(
    hex(encodeMessage(TYPE.indirectPing, INDIRECT_PING, decode(INDIRECT_PING, bytesOf(indirect), 1))),
    indirect,
  );
});

Deno.test("a compressed packet of a real peer is unwrapped", () => {
  const capture =
    "0c5ca32d850982a4416c676f00a3427566da003000110c20246ac81061a5985049d3a68c00524ec2340c55e614943079d8bc0943461b001461428a1c49b2a4c993230302";
  const { messages, faults } = openPacket(bytesOf(capture), plain);
  assertEquals(faults, []);
  assertEquals(hex(messages[0].subarray(0, 2)), "0803");
});

const SEALED: [string, string, string][] = [
  [
    "v1",
    "",
    "01000102030405060708090a0b93e90380097f92f625e3c4d953d23e67b28c4989269f9e93a745955fb03ba26c860e889881f2d4860e9b6d8262e7e5389ff0618267e266145c3abfcda082ed34e46c69a1461e167fed8b4f4fbe",
  ],
  [
    "v0",
    "",
    "00000102030405060708090a0b93e90380097f92f625e3c4d953d23e67b28c4989269f9e93a745955fb03ba26c860e889881f2d4860e9b6d8262e7e5389ff0618267e266145c3abfcda04f15e7e4ce2eff2418566486b81624df228179",
  ],
  [
    "v1",
    "foo",
    "f403666f6f01000102030405060708090a0b93e90380097f92f625e3c4d953d23e67b28c4989269f9e93a745955fb03ba26c860e889881f2d4860e9b6d8262e7e5389ff0618267e266145c3abfcda0abfea8782c59a690835cc6038bec9a63",
  ],
];

Deno.test("encrypted packets of real peers are read, and written to the same bytes", () => {
  for (const [version, label, capture] of SEALED) {
    const wrapping = encryptedWith([new Uint8Array(32).fill(9), key], label);
    const { messages, faults } = openPacket(bytesOf(capture), wrapping);
    assertEquals([faults, messages.map(hex)], [[], [PING_HEX]]);
    if (version === "v1") {
      assertEquals(hex(sealPacket(bytesOf(PING_HEX), encryptedWith([key], label), { crc: false })), capture);
    }
    assertEquals(openPacket(bytesOf(capture), encryptedWith([new Uint8Array(16)], label)).messages, []);
    assertEquals(openPacket(bytesOf(capture), encryptedWith([key], "bar")).messages, []);
  }
});

Deno.test("keys of all three sizes encrypt, with the bytes of WebCrypto", async () => {
  for (const size of [16, 24, 32]) {
    const secret = crypto.getRandomValues(new Uint8Array(size));
    for (const length of [0, 1, 16, 61, 1400]) {
      const text = crypto.getRandomValues(new Uint8Array(length));
      const aad = crypto.getRandomValues(new Uint8Array(length % 23));
      const nonce = crypto.getRandomValues(new Uint8Array(12));
      const expected = await crypto.subtle.encrypt(
        { name: "AES-GCM", iv: nonce, additionalData: aad },
        await crypto.subtle.importKey("raw", secret, "AES-GCM", false, ["encrypt"]),
        text,
      );
      const sealed = aesGcm.seal(secret, nonce, text, aad);
      assertEquals(hex(sealed), hex(new Uint8Array(expected)));
      assertEquals(aesGcm.open(secret, nonce, sealed, aad), text);
      sealed[sealed.length - 1] ^= 1;
      assertEquals(aesGcm.open(secret, nonce, sealed, aad), undefined);
    }
  }
});

Deno.test("streams are framed as captured, the label bound into the encryption", () => {
  const ping = bytesOf("82a44e6f6465a26e31a55365714e6f37");
  const message = Uint8Array.of(0, ...ping);
  const captures: [Wrapping, string][] = [
    [plain, hex(message)],
    [
      encryptedWith([key]),
      "0a0000002e01000102030405060708090a0b93ee0380097f92f625e3c4d953d23e678415af623dd31ab6e6f8a7f6c6104aac63",
    ],
    [
      encryptedWith([key], "foo"),
      "f403666f6f0a0000002e01000102030405060708090a0b93ee0380097f92f625e3c4d953d23e6784d8dbae116ccedad67357ebd4e5fe7461",
    ],
  ];
  for (const [wrapping, capture] of captures) {
    assertEquals(hex(sealStream(message, wrapping, "request")), capture);
    const decoder = new StreamDecoder(wrapping, "request");
    let read: StreamMessage | undefined;
    for (const byte of bytesOf(capture)) read = decoder.push(Uint8Array.of(byte)) ?? read;
    assertEquals(read?.type === "ping" && read.ping.seqNo, 55);
  }
  assertThrows(() => new StreamDecoder(encryptedWith([key]), "request").push(message), FirstLayerError);
  assertThrows(() => new StreamDecoder(plain, "request").push(bytesOf(captures[1][1])), FirstLayerError);
  assertThrows(() => new StreamDecoder(plain, "request").push(bytesOf(captures[2][1])), DecodeError, "label");
  assertThrows(() => new StreamDecoder(encryptedWith([key], "foo"), "request").push(message), DecodeError, "label");
});

Deno.test("a push/pull of a joining real node is read, whatever the pieces", () => {
  const capture = bytesOf(
    "06 83a44a6f696ec3a54e6f64657301ac5573657253746174654c656ecd024a" +
      "87a441646472a47f000003ab496e6361726e6174696f6e01a44d657461a2ff80a44e616d65a26e32a4506f7274cd1f0aa5537461746500a356736ea6010502020505" +
      "0286aa4576656e744c54696d6501a64576656e7473dc0200" + "c0".repeat(512) +
      "a54c54696d6501ab4c6566744d656d6265727390aa51756572794c54696d6501ac5374617475734c54696d657381a26e3200",
  );
  assertEquals(capture.length, 683);
  for (const compression of [false, true]) {
    for (const piece of [1, 7, 683]) {
      const bytes = compression ? sealStream(capture, { ...plain, compression }, "request") : capture;
      const decoder = new StreamDecoder(plain, "request");
      const results: (StreamMessage | undefined)[] = [];
      for (let at = 0; at < bytes.length; at += piece) results.push(decoder.push(bytes.subarray(at, at + piece)));
      assertEquals(results.filter((one) => one !== undefined).length, 1);
      const read = results.at(-1);
      if (read?.type !== "push-pull") throw new Error(`a push/pull expected: ${read?.type}`);
      assertEquals([read.join, read.nodes.length, read.userState.length], [true, 1, 586]);
      assertEquals(hex(encodePushPull(read)), hex(capture));
    }
  }
  // the newer codec writes counts above 127 as signed integers
  const signed = bytesOf(hex(capture).replace("ac5573657253746174654c656ecd024a", "ac5573657253746174654c656ed1024a"));
  assertEquals(new StreamDecoder(plain, "request").push(signed)?.type, "push-pull");
});

Deno.test("msgpack: what real encoders write in another way means the same", () => {
  const body = struct({
    name: field("Name", str),
    addr: field("Addr", bin),
    port: field("Port", u16),
    time: field("Time", u64),
  });
  const value = { name: "n1", addr: bytesOf("7f000001"), port: 7946, time: 2n ** 63n + 5n };
  const variants = [
    "84 a441646472 a47f000001 a44e616d65 a26e31 a4506f7274 cd1f0a a454696d65 cf8000000000000005", // as we write it
    "84 d90441646472 c4047f000001 c4044e616d65 d9026e31 a4506f7274 ce00001f0a a454696d65 cf8000000000000005",
  ];
  assertEquals(hex(encodeMessage(0, body, value)).slice(2), variants[0].replaceAll(" ", ""));
  for (const variant of variants) assertEquals(decode(body, bytesOf(variant)), value);
  assertEquals(decode(body, bytesOf("80")), { name: "", addr: new Uint8Array(0), port: 0, time: 0n });
  assertEquals(decode(body, bytesOf("c0")), { name: "", addr: new Uint8Array(0), port: 0, time: 0n });
  assertEquals(
    decode(body, bytesOf("84 a16182c2c0a178930102c3 a441646472 947f000001 a44e616d65 c0 a4506f7274 c0")).addr,
    value.addr,
  );
  const refused = [
    "93010203",
    "01",
    "81a4506f7274ff",
    "81a4506f7274ce00010000",
    "81a4506f7274cb3ff0000000000000",
    "81a44e616d65a2ff80",
    "8101a16e",
    "81a44164647293ff0102",
    "81a44e616d65dbffffffff61",
    "dfffffffff",
    "81a2787881a3",
    "81a3787878ddffffffff",
  ];
  for (const text of refused) assertThrows(() => decode(body, bytesOf(text)), DecodeError, undefined, text);
});

Deno.test("msgpack: any value of a struct comes back, and never a text or bytes in a form that old peers refuse", () => {
  const body = struct({
    s: field("S", str),
    b: field("B", bin),
    n: field("N", u32),
    t: field("T", u64),
    d: field("D", duration),
    m: field("M", mapOf(str)),
  });
  const texts = fc.string({ unit: "binary", maxLength: 300 });
  const values = fc.record({
    s: texts,
    b: fc.uint8Array({ maxLength: 70_000, size: "max" }),
    n: fc.nat({ max: 0xffff_ffff }),
    t: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    d: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    m: fc.array(fc.tuple(texts, texts), { maxLength: 20 }).map((pairs) => new Map(pairs)),
  });
  fc.assert(
    fc.property(values, (value) => {
      const message = encodeMessage(0, body, value);
      assertEquals(decode(body, message, 1), value);
      assertEquals(refusedTags(message, 1), []);
    }),
    { numRuns: 200 },
  );
});

Deno.test("records that would hurt real peers are refused", () => {
  const good = {
    incarnation: 1,
    node: "a",
    addr: bytesOf("7f000001"),
    port: 1,
    meta: bytesOf("ff80"),
    vsn: bytesOf("010502020505"),
  };
  const read = (alive: typeof good) => decodeAlive(encodeMessage(TYPE.alive, ALIVE, alive), 1);
  assertEquals(read(good), good);
  assertThrows(() => read({ ...good, node: "" }), DecodeError);
  assertThrows(() => read({ ...good, addr: bytesOf("7f0000") }), DecodeError);
  assertThrows(() => read({ ...good, vsn: bytesOf("0105020205") }), DecodeError);
});

Deno.test("malformed packets end in a fault, never in an exception", () => {
  const nested = (levels: number) => {
    let packet = bytesOf(PING_HEX);
    for (let i = 0; i < levels; i++) packet = Uint8Array.of(7, 1, packet.length >> 8, packet.length & 255, ...packet);
    return packet;
  };
  const faulty = [
    "",
    "07",
    "0705",
    "0702000100",
    "0c00000000" + PING_HEX,
    "0982a4416c676f01a3427566a3000302",
    "0981a4416c676f00",
    "0982a4416c676f00a3427566a3000302",
    "0982a4416c676f00a3427566a2ffff",
    "0981",
    "09c0",
    "f400",
    "f405666f",
    "f403666f6f00",
  ];
  for (const text of faulty) {
    const { messages, faults } = openPacket(bytesOf(text), plain);
    assertEquals([messages.length, faults.length], [0, 1], text);
  }
  assertEquals(openPacket(nested(5), plain).messages.length, 1);
  assertEquals(openPacket(nested(255), plain).faults.length, 1);
  assertEquals(openPacket(bytesOf("0700"), plain), { messages: [], faults: [] });
  const overlong = openPacket(Uint8Array.of(7, 2, 0, 61, 0, 99, ...bytesOf(PING_HEX)), plain);
  assertEquals([overlong.messages.length, overlong.faults], [1, ["Compound request had 1 truncated messages"]]);
  for (const text of ["", "01", "0102030405", "02" + "00".repeat(40), "01" + "00".repeat(40)]) {
    assertEquals(openPacket(bytesOf(text), encryptedWith([key])).faults.length, 1, text);
  }
});

Deno.test("100 000 mutations of valid packets are taken or refused, quickly", () => {
  const seeds = [PING_HEX, ...SEALED.map(([, , capture]) => capture)].map(bytesOf);
  let state = 12345; // a fixed seed: the run is the same everywhere
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor(state / 0x1_0000_0000 * below);
  };
  const wrappings = [plain, { ...plain, compression: true }];
  for (let run = 0; run < 100_000; run++) {
    const bytes = seeds[random(seeds.length)].slice();
    for (let changes = 1 + random(4); changes > 0; changes--) bytes[random(bytes.length)] = random(256);
    const { messages } = openPacket(bytes.subarray(0, 1 + random(bytes.length)), wrappings[run & 1]);
    for (const message of messages) {
      try {
        decode(PING, message, 1);
      } catch (error) {
        assert(error instanceof DecodeError);
      }
    }
  }
});

Deno.test("a stream's claims cost nothing: buffers grow with what has come", () => {
  for (
    const text of [
      "0683a44a6f696ec3a54e6f646573ce00100000ac5573657253746174654c656e00",
      "0683a44a6f696ec3a54e6f64657300ac5573657253746174654c656ece01400000",
      "0881aa557365724d73674c656ece01400000",
    ]
  ) {
    const decoder = new StreamDecoder(plain, "request");
    assertEquals(decoder.push(bytesOf(text)), undefined);
    assert(decoder.bufferedBytes < 10_000);
  }
  const refused = [
    "0683a44a6f696ec3a54e6f646573ce00100001ac5573657253746174654c656e00",
    "0683a44a6f696ec3a54e6f646573ffac5573657253746174654c656e00",
    "0881aa557365724d73674c656ece01400001",
    "0881aa557365724d73674c656ed0ff",
    "0d93",
    "04",
    "ff",
    "0a",
  ];
  for (const text of refused.slice(0, -1)) {
    assertThrows(() => new StreamDecoder(plain, "request").push(bytesOf(text)), DecodeError, undefined, text);
  }
  assertThrows(() => new StreamDecoder(encryptedWith([key]), "request").push(bytesOf("0a01400001")), FirstLayerError);
});

Deno.test("CRC-32 is the one of zlib, and an ack without payload is as captured", () => {
  assertEquals(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
  assertEquals(hex(encodeAck({ seqNo: 55, payload: new Uint8Array(0) })), "0282a75061796c6f6164c0a55365714e6f37");
});

Deno.test("blobs come back with any key of the ring, and not otherwise", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.uint8Array({ maxLength: 20 }), (text, aad) => {
      const keys = [16, 24, 32].map((size) => new Uint8Array(size).fill(size));
      const cipherOf = (ring: Uint8Array[]) => ({ keyring: new Keyring(ring), aead: aesGcm, randomBytes: fixedNonce });
      for (const one of keys) {
        const blob = sealBlob(cipherOf([one]), text, aad);
        assertEquals(openBlob(cipherOf(keys), blob, aad), text);
        assertThrows(() => openBlob(cipherOf([key]), blob, aad), DecodeError);
      }
    }),
    { numRuns: 50 },
  );
});
