/**
 * Operations: what people who run a cluster do to it. What the caller may not do is not there.
 * @module
 */
import type { JSX } from "preact";
import { may, session } from "../../session.ts";
import { useStore } from "../../store.ts";
import { AgentPart } from "./agent.tsx";
import { AutopilotPart } from "./autopilot.tsx";
import { BackupPart } from "./backup.tsx";
import { KeyringPart } from "./keyring.tsx";
import { NodesPart } from "./nodes.tsx";
import { RestorePart } from "./restore.tsx";
import { SnapshotPart } from "./snapshot.tsx";
import { StoragePart } from "./storage.tsx";

/** Whether the caller may save and restore what agents keep: of a token that takes the right to change tokens. */
function maySnapshot(): boolean {
  const { isAgent, signIn } = session.value;
  return isAgent && may("operator-write") && (!signIn.includes("token") || may("backup"));
}

/** The page. */
export function OperationsPage(): JSX.Element {
  const { isAgent } = useStore(session);
  return (
    <div class="page">
      <h1>Operations</h1>
      {(may("leader-ops") || may("remove")) && <NodesPart />}
      <div class="operation-parts">
        {may("backup") && <BackupPart />}
        {may("load") && <RestorePart />}
        {maySnapshot() && <SnapshotPart />}
        {may("snapshot") && <StoragePart />}
        {isAgent && (may("agent-write") || may("operator-write")) && <AgentPart />}
        {isAgent && may("operator-read") && <AutopilotPart />}
        {isAgent && may("keyring") && <KeyringPart />}
      </div>
    </div>
  );
}
