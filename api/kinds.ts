/** Every kind of resource, in the order in which `apply` writes them: what others refer to comes first. */

import { GRPC_ROUTE } from './grpc-route.ts';
import { HTTP_ROUTE } from './http-route.ts';
import { MESH_CONFIG } from './mesh-config.ts';
import { NAMESPACE } from './namespace.ts';
import { PEER_AUTHENTICATION } from './peer-authentication.ts';
import { REFERENCE_GRANT } from './reference-grant.ts';
import { apiVersionOf, type ResourceKind } from './resource-kind.ts';
import { RPC_ROUTE } from './rpc-route.ts';
import { SERVICE } from './service.ts';
import { SERVICE_ACCOUNT } from './service-account.ts';
import { SIDECAR } from './sidecar.ts';
import { TRAFFIC_POLICY } from './traffic-policy.ts';
import { WORKLOAD } from './workload.ts';

export const KINDS: readonly ResourceKind[] = [
  NAMESPACE,
  MESH_CONFIG,
  SERVICE_ACCOUNT,
  SERVICE,
  WORKLOAD,
  REFERENCE_GRANT,
  TRAFFIC_POLICY,
  PEER_AUTHENTICATION,
  HTTP_ROUTE,
  GRPC_ROUTE,
  RPC_ROUTE,
  SIDECAR,
];

/** The kind that an object says it is, or undefined. */
export const kindOf = (apiVersion: string, kind: string): ResourceKind | undefined =>
  KINDS.find(each => each.kind === kind && apiVersionOf(each) === apiVersion);
