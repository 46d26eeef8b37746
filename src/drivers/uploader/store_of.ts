/**
 * Which store a destination has.
 * @module
 */
import type { Destination } from "./api.ts";
import { FileStore } from "./file_store.ts";
import { GcsStore } from "./gcs_store.ts";
import { S3Store } from "./s3_store.ts";
import type { Store } from "./store.ts";

/** The store of a destination. */
export function storeOf(destination: Destination): Store {
  switch (destination.type) {
    case "file":
      return new FileStore(destination);
    case "s3":
      return new S3Store(destination);
    case "gcs":
      return new GcsStore(destination);
  }
}
