/** A Worker as the watchdog watches it: it says so when it runs, and on any message it hangs. */
import { answerPulse } from "../../../src/base/worker/pulse.ts";
import { workerScope } from "../../../src/base/worker/worker_scope.ts";

const scope = workerScope<Int32Array, string>();
answerPulse();
scope.onmessage = ({ data }) => {
  scope.postMessage("hangs");
  Atomics.wait(data, 0, 0);
  scope.postMessage("goes on");
};
scope.postMessage("runs");
