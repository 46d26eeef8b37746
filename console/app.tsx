/**
 * The console: a page that shows a cluster and works on it, by the public API of the node that serves it.
 * @module
 */
import { render } from "preact";
import { followCluster } from "./cluster.ts";
import { Frame } from "./frame.tsx";
import { renewSession, watchSession } from "./session.ts";

const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<Frame />, root);
}
renewSession();
watchSession();
followCluster();
