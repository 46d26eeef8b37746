/**
 * Pushes the metrics of this node to an OpenTelemetry collector at intervals (Q20.1). One that does not take them loses nothing
 * but the points in between, as all are cumulative; that is told in the log when it begins, and when it is over.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { OtlpOptions } from "../../drivers/sink/api.ts";
import type { Family } from "../../core/metrics/family.ts";
import { encodeOtlp, type OtlpContext } from "../../core/metrics/otlp.ts";

/** Dependencies of the pushes. */
export interface PushParts {
  readonly options: OtlpOptions;
  readonly context: Omit<OtlpContext, "nowMs">;
  families(): Promise<Family[]>;
  /** @throws {Error} When the collector has not taken it. */
  deliver(body: string, timeoutMs: number): Promise<void>;
  log(line: string, level?: LogLevel): void;
}

/** The pushes of a node. */
export class MetricsPush {
  readonly #parts: PushParts;
  #isFailing = false;
  #isBusy = false;

  constructor(parts: PushParts) {
    this.#parts = parts;
  }

  /** Pushes at each interval from now on. */
  start(): void {
    Deno.unrefTimer(Number(setInterval(() => this.push(), this.#parts.options.intervalMs)));
  }

  /** Pushes once, unless the last push is still under way. */
  async push(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const { options: { endpoint, intervalMs }, context, families, deliver, log } = this.#parts;
    try {
      await deliver(encodeOtlp(await families(), { ...context, nowMs: Date.now() }), intervalMs);
      if (this.#isFailing) log(`the collector ${endpoint} takes metrics again`);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) log(`the collector ${endpoint} does not take metrics: ${messageOf(error)}`, "warn");
      this.#isFailing = true;
    } finally {
      this.#isBusy = false;
    }
  }
}
