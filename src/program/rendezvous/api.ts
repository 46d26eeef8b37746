/**
 * The messages of the Worker that announces an agent at a rendezvous, or is one. Types only.
 * @module
 */
import type { Member } from "../../core/rendezvous/announcement.ts";
import type { AtlasSettings, RendezvousSettings } from "../config/config.ts";

/** Announcement, with what its files hold, in PEM. */
export type AtlasConfig = Omit<AtlasSettings, "caFile" | "joins"> & { readonly caCerts: readonly string[] };

/** A rendezvous, with what its files hold, in PEM; empty for plain HTTP. */
export type RendezvousConfig = Pick<RendezvousSettings, "addr"> & { readonly cert: string; readonly key: string };

/** To the Worker. */
export type ToRendezvous =
  | {
    /** Serves, with the keys of the agent whose API is at `url`. */
    readonly k: "serve";
    readonly config: RendezvousConfig;
    readonly url: string;
  }
  | {
    /** Announces an agent. */
    readonly k: "announce";
    readonly atlas: AtlasConfig;
    readonly self: Member;
  }
  | {
    /** Ends; a rendezvous that the agent was announced at is told. */
    readonly k: "close";
  };

/** From the Worker. */
export type FromRendezvous =
  | {
    /** The others of the infrastructure. */
    readonly k: "members";
    readonly others: readonly Member[];
  }
  | {
    /** It cannot listen. */
    readonly k: "failed";
    readonly message: string;
  }
  | { readonly k: "closed" };
