/**
 * All operations of a node, in one table.
 * @module
 */
import {
  CLUSTER_OPERATIONS,
  clusterImplementations,
  type ClusterOperations,
  type ClusterParts,
} from "../database/cluster_operations.ts";
import {
  dataImplementations,
  type DataOperations,
  dataOperations,
  type DataParts,
} from "../database/data_operations.ts";
import {
  SNAPSHOT_OPERATIONS,
  snapshotImplementations,
  type SnapshotOperations,
  type SnapshotParts,
} from "./snapshot_operations.ts";
import {
  DOCUMENT_OPERATIONS,
  documentImplementations,
  type DocumentOperations,
  type DocumentParts,
} from "./document_operations.ts";
import { ACL_OPERATIONS, aclImplementations, type AclOperations, type AclParts } from "./acl_operations.ts";
import { Operations, type OperationsParts } from "../database/operations.ts";
import {
  CATALOG_OPERATIONS,
  catalogImplementations,
  type CatalogOperations,
  type CatalogParts,
} from "../agent/catalog_operations.ts";
import { CHANGE_OPERATIONS, changeImplementations, type ChangeOperations } from "../changes/change_operations.ts";
import { KEY_OPERATIONS, keyImplementations, type KeyOperations, type KeyParts } from "../keys/key_operations.ts";
import {
  PICTURE_OPERATIONS,
  pictureImplementations,
  type PictureOperations,
  type PictureOperationsParts,
} from "../picture/picture_operations.ts";
import { WAN_OPERATIONS, wanImplementations, type WanOperations, type WanParts } from "../wan/wan_operations.ts";

/** Everything that nodes ask of each other for their clients. */
export interface NodeOperations
  extends
    DataOperations,
    ClusterOperations,
    CatalogOperations,
    KeyOperations,
    SnapshotOperations,
    DocumentOperations,
    AclOperations,
    ChangeOperations,
    PictureOperations,
    WanOperations {}

/** What the operations of a node work with. */
export type NodeParts =
  & OperationsParts
  & DataParts
  & ClusterParts
  & CatalogParts
  & KeyParts
  & SnapshotParts
  & DocumentParts
  & AclParts
  & PictureOperationsParts
  & WanParts;

/** The operations of a node. */
export function nodeOperations(parts: NodeParts): Operations<NodeOperations> {
  return new Operations<NodeOperations>(
    { elsewhere: parts.agent?.router, ...parts },
    {
      ...dataOperations(parts.answers),
      ...CLUSTER_OPERATIONS,
      ...CATALOG_OPERATIONS,
      ...KEY_OPERATIONS,
      ...SNAPSHOT_OPERATIONS,
      ...DOCUMENT_OPERATIONS,
      ...ACL_OPERATIONS,
      ...CHANGE_OPERATIONS,
      ...PICTURE_OPERATIONS,
      ...WAN_OPERATIONS,
    },
    {
      ...dataImplementations(parts),
      ...clusterImplementations(parts),
      ...catalogImplementations(parts),
      ...keyImplementations(parts),
      ...snapshotImplementations(parts),
      ...documentImplementations(parts),
      ...aclImplementations(parts),
      ...changeImplementations(parts),
      ...pictureImplementations(parts),
      ...wanImplementations(parts),
    },
  );
}
