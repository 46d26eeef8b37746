/**
 * Network coordinates: Vivaldi with height, adjustment and gravity, as Serf computes them (G5.12; Dabek et
 * al., SIGCOMM 2004; Ledlie et al., NSDI 2007). Seconds. Pure.
 * @module
 */
import { ByteWriter } from "../../base/codec/cursor.ts";
import { decode, f64, field, type Kind, listOf, struct, type ValueOf } from "../swim/msgpack.ts";

const DIMENSIONS = 8;
const ERROR_MAX = 1.5;
const TUNING = 0.25; // Vivaldi's c_e and c_c
const ADJUSTMENT_SAMPLES = 20;
const HEIGHT_MIN = 1e-5;
const LATENCY_SAMPLES = 3;
const GRAVITY_RHO = 150;
const RTT_MAX = 10;
const ZERO = 1e-6;
/** First byte of the payload of an ack. */
const PAYLOAD_VERSION = 1;

const FIELDS = {
  vec: field("Vec", listOf(f64)),
  error: field("Error", f64),
  adjustment: field("Adjustment", f64),
  height: field("Height", f64),
};

/** The place of a node in a space whose distances are round-trip times. */
export type NetworkCoordinate = ValueOf<typeof FIELDS>;

const COORDINATE: Kind<NetworkCoordinate> = struct(FIELDS);

/** The initial coordinate of every node. */
export const ORIGIN: NetworkCoordinate = {
  vec: Array.from({ length: DIMENSIONS }, () => 0),
  error: ERROR_MAX,
  adjustment: 0,
  height: HEIGHT_MIN,
};

/** The payload of an ack. */
export function encodeCoordinate(coordinate: NetworkCoordinate): Uint8Array {
  const writer = new ByteWriter(160);
  writer.u8(PAYLOAD_VERSION);
  COORDINATE.write(writer, coordinate);
  return writer.copy();
}

/**
 * Reads the payload of an ack; undefined where it is of another version.
 * @throws {DecodeError} When it is no coordinate.
 */
export function decodeCoordinate(payload: Uint8Array): NetworkCoordinate | undefined {
  return payload[0] === PAYLOAD_VERSION ? decode(COORDINATE, payload, 1) : undefined;
}

function isSound({ vec, error, adjustment, height }: NetworkCoordinate): boolean {
  return vec.length === DIMENSIONS && [...vec, error, adjustment, height].every(Number.isFinite);
}

function magnitude(vec: readonly number[]): number {
  return Math.sqrt(vec.reduce((sum, x) => sum + x * x, 0));
}

function difference(a: readonly number[], b: readonly number[]): number[] {
  return a.map((x, i) => x - b[i]);
}

function rawDistance(a: NetworkCoordinate, b: NetworkCoordinate): number {
  return magnitude(difference(a.vec, b.vec)) + a.height + b.height;
}

/** Estimated round-trip time between two nodes. */
export function distance(a: NetworkCoordinate, b: NetworkCoordinate): number {
  const raw = rawDistance(a, b);
  const adjusted = raw + a.adjustment + b.adjustment;
  return adjusted > 0 ? adjusted : raw;
}

/** This node's coordinate, corrected by each measured round trip. */
export class CoordinateClient {
  readonly #random: () => number;
  #own = ORIGIN;
  readonly #latencies = new Map<string, number[]>();
  readonly #samples: number[] = [];
  #nextSample = 0;
  /** How often the coordinate had to start over. */
  resets = 0;

  /** @param random From 0 to 1, without 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** The coordinate now. */
  get own(): NetworkCoordinate {
    return this.#own;
  }

  /** A node is gone for good. */
  forget(node: string): void {
    this.#latencies.delete(node);
  }

  /** Takes a measurement; false where it makes no sense. */
  update(node: string, other: NetworkCoordinate, rttSeconds: number): boolean {
    if (!isSound(other) || !(rttSeconds >= 0 && rttSeconds <= RTT_MAX)) return false;
    const rtt = Math.max(ZERO, this.#median(node, rttSeconds));
    this.#vivaldi(other, rtt);
    this.#adjust(other, rtt);
    this.#gravitate();
    if (!isSound(this.#own)) {
      this.#own = ORIGIN;
      this.resets++;
    }
    return true;
  }

  #median(node: string, rtt: number): number {
    const latest = [...this.#latencies.get(node) ?? [], rtt].slice(-LATENCY_SAMPLES);
    this.#latencies.set(node, latest);
    return latest.toSorted((a, b) => a - b)[latest.length >> 1];
  }

  #vivaldi(other: NetworkCoordinate, rtt: number): void {
    const own = this.#own;
    const apart = distance(own, other);
    const wrongness = Math.abs(apart - rtt) / rtt;
    const weight = own.error / Math.max(ZERO, own.error + other.error);
    const error = Math.min(ERROR_MAX, TUNING * weight * wrongness + own.error * (1 - TUNING * weight));
    this.#own = this.#pushed({ ...own, error }, TUNING * weight * (rtt - apart), other);
  }

  /** `coordinate`, moved by a force away from `other`. */
  #pushed(coordinate: NetworkCoordinate, force: number, other: NetworkCoordinate): NetworkCoordinate {
    const apart = difference(coordinate.vec, other.vec);
    const length = magnitude(apart);
    const unit = length > ZERO ? apart.map((x) => x / length) : this.#randomUnit();
    const vec = coordinate.vec.map((x, i) => x + unit[i] * force);
    if (length <= ZERO) return { ...coordinate, vec };
    const height = Math.max(HEIGHT_MIN, (coordinate.height + other.height) * force / length + coordinate.height);
    return { ...coordinate, vec, height };
  }

  #randomUnit(): number[] {
    const vec = Array.from({ length: DIMENSIONS }, () => this.#random() - 0.5);
    const length = magnitude(vec);
    return length > ZERO ? vec.map((x) => x / length) : vec.map((_, i) => i === 0 ? 1 : 0);
  }

  #adjust(other: NetworkCoordinate, rtt: number): void {
    this.#samples[this.#nextSample] = rtt - rawDistance(this.#own, other);
    this.#nextSample = (this.#nextSample + 1) % ADJUSTMENT_SAMPLES;
    const sum = this.#samples.reduce((total, sample) => total + sample, 0);
    this.#own = { ...this.#own, adjustment: sum / (2 * ADJUSTMENT_SAMPLES) };
  }

  #gravitate(): void {
    const force = -1 * (distance(ORIGIN, this.#own) / GRAVITY_RHO) ** 2;
    this.#own = this.#pushed(this.#own, force, ORIGIN);
  }
}
