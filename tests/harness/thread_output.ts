/**
 * Loaded before the module of a Worker of a node in a thread (thread_worker.ts): what it prints goes to the channel that
 * the query of this module's URL names.
 * @module
 */
const channel = new BroadcastChannel(new URL(import.meta.url).search.slice(1));
const say = (...words: unknown[]) => channel.postMessage(`${words.join(" ")}\n`);
console.log = console.info = say;
console.error = console.warn = say;
