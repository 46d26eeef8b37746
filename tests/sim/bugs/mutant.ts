/**
 * Runs in the copy of the code that holds a seeded bug: the simulation, without any permission and without reading a
 * configuration. The one argument is a {@linkcode BatchOptions} as JSON, from run.ts.
 * @module
 */
import { type BatchOptions, describeSummary, runBatch } from "../batch.ts";

const options: BatchOptions = JSON.parse(Deno.args[0]);
const summary = runBatch(options);
if (!options.trace) console.log(describeSummary(summary).split("\n").slice(-2).join("\n"));
Deno.exit(summary.failures === 0 ? 0 : 1);
