/**
 * What can be done to services, nodes and checks: each asks first, and says what happens.
 * @module
 */
import { ask } from "../../api.ts";
import { type Check, type Instance } from "../../consul/catalog.ts";
import { curlOf, musterOf } from "../../consul/commands.ts";
import { datacenter } from "../../consul/datacenter.ts";
import { confirmed, tell } from "../../parts/dialog.tsx";
import { messageOf } from "../../parts/fault.ts";
import { session } from "../../session.ts";

/** Whether something belongs to the agent that serves the page. */
export function isOwn({ node }: { readonly node: string }): boolean {
  return datacenter.value === "" && node === session.value.node;
}

async function done(path: string, text: string, body?: unknown): Promise<void> {
  try {
    await ask(path, { method: "PUT", ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    tell(text);
  } catch (error) {
    tell(messageOf(error), { isError: true });
  }
}

const AGAIN = "If its agent still runs and knows it, that agent registers it again within a minute: " +
  "deregister it there to be rid of it.";

/** Takes an instance out of the catalog. */
export async function deregisterService(instance: Instance): Promise<void> {
  const { node, id } = instance;
  const own = isOwn(instance);
  const path = own ? `v1/agent/service/deregister/${encodeURIComponent(id)}` : "v1/catalog/deregister";
  const body = own ? undefined : { Node: node, ServiceID: id };
  const isSure = await confirmed({
    title: `Deregister ${id}?`,
    text: `The instance ${id} of ${instance.service} on ${node} and its checks leave the catalog. ` +
      `Nobody finds it by DNS or HTTP any more; the program itself goes on. ${own ? "" : AGAIN}`,
    action: "Deregister the service",
    commands: [
      curlOf("PUT", path, body ? { body: JSON.stringify(body) } : {}),
      ...(own ? [musterOf("services", "deregister", `-id=${id}`)] : []),
    ],
  });
  if (isSure) await done(path, `${id} is deregistered`, body);
}

/** Takes a check out of the catalog. */
export async function deregisterCheck(check: Check): Promise<void> {
  const { node, id, name } = check;
  const own = isOwn(check);
  const path = own ? `v1/agent/check/deregister/${encodeURIComponent(id)}` : "v1/catalog/deregister";
  const body = own ? undefined : { Node: node, CheckID: id };
  const isSure = await confirmed({
    title: `Deregister the check ${name || id}?`,
    text: `The check ${id} on ${node} does not run any more, and counts no more for the health of ${
      check.service || "the node"
    }. ${own ? "" : AGAIN}`,
    action: "Deregister the check",
    commands: [curlOf("PUT", path, body ? { body: JSON.stringify(body) } : {})],
  });
  if (isSure) await done(path, `${name || id} is deregistered`, body);
}

/** Takes an instance out of use, or back. */
export async function maintainService({ id, service }: Instance, isOn: boolean): Promise<void> {
  const path = `v1/agent/service/maintenance/${encodeURIComponent(id)}?enable=${isOn}&reason=console`;
  const isSure = await confirmed({
    title: isOn ? `Put ${id} into maintenance?` : `End the maintenance of ${id}?`,
    text: isOn
      ? `DNS and health queries leave out this instance of ${service} until the maintenance ends. It goes on running.`
      : `This instance of ${service} is found again, if its other checks pass.`,
    action: isOn ? "Begin maintenance" : "End maintenance",
    isSafe: !isOn,
    commands: [curlOf("PUT", path), musterOf("maint", isOn ? "-enable" : "-disable", `-service=${id}`)],
  });
  if (isSure) await done(path, isOn ? `${id} is in maintenance` : `${id} is back in use`);
}

/** Takes the node that serves the page out of use, or back. */
export async function maintainNode(node: string, isOn: boolean): Promise<void> {
  const path = `v1/agent/maintenance?enable=${isOn}&reason=console`;
  const isSure = await confirmed({
    title: isOn ? `Put ${node} into maintenance?` : `End the maintenance of ${node}?`,
    text: isOn
      ? `DNS and health queries leave out every service of ${node} until the maintenance ends. The node goes on running, ` +
        "votes, and answers SQL."
      : `The services of ${node} are found again, if their checks pass.`,
    action: isOn ? "Begin maintenance" : "End maintenance",
    isSafe: !isOn,
    commands: [curlOf("PUT", path), musterOf("maint", isOn ? "-enable" : "-disable")],
  });
  if (isSure) await done(path, isOn ? `${node} is in maintenance` : `${node} is back in use`);
}
