/**
 * Whether a request may go on, by users or by access control, and why not. Types only.
 * @module
 */
import type { Permission } from "./permission.ts";

/** Whether a request may go on. */
export type Verdict =
  | { readonly k: "allowed" }
  | { readonly k: "unknown" } // no credentials, or wrong ones
  | { readonly k: "lacking"; readonly username: string; readonly permission: Permission }
  | { readonly k: "later"; readonly seconds: number } // too many attempts
  // Of access control, in whose words:
  | { readonly k: "denied"; readonly text: string }
  | { readonly k: "gone" }; // the secret of no token
