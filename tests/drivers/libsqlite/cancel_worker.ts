/** Ends the request whose number comes with a shared control, while another thread computes for it. */
import { Control } from "../../../src/drivers/libsqlite/control.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<{ shared: SharedArrayBuffer; ticket: number }>) => void;
  postMessage(message: string): void;
};
scope.onmessage = ({ data: { shared, ticket } }) => new Control(shared).ticket.cancel(ticket);
scope.postMessage("ready");
